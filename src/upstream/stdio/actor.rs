//! Owns one server's process: starts it when there is something for it, gives each client the answers to its own requests,
//! and starts it again, after a rest, when it has died.
//!
//! It never waits for a client or for the process: whoever is too slow is told, cut or refused.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Setup;
use super::backoff::Backoff;
use super::greeting::{Greeting, Hello};
use super::line::{self, Spoken, spliced_line};
use super::running::{Asked, Notice, Part, Request, Running};
use crate::json::{Duplicates, Reader};
use crate::mcp::Method;
use crate::upstream::ForwardError;
use crate::upstream::child::{Child, ChildEvent, Exit, SendError, StartError};

/// How many GET streams a server may have.
const LISTENERS_MAX: usize = 1_024;

const METHOD_NOT_FOUND: &str = "-32601";

/// Which era a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    /// 2024-11-05 to 2025-11-25: nothing before the handshake.
    Legacy,
    /// 2026-07-28: no handshake.
    Modern,
}

/// All that can be asked of an actor.
#[derive(Debug)]
pub(super) enum Order {
    /// Forward this, and send the answer there.
    Request(Box<Request>, mpsc::Sender<Part>),
    /// Forward this; there is no answer.
    Notice(Box<Notice>),
    /// Send what is for nobody in particular there too.
    Listen(mpsc::Sender<Bytes>),
    /// Stop the process if nothing is under way to it.
    Rest,
    /// Stop the process, and take no further orders.
    Stop(oneshot::Sender<()>),
}

#[derive(Debug)]
pub(super) struct Actor {
    pub(super) setup: Setup,
    era: Era,
    left: Arc<Notify>,
    reader: Reader,
    pub(super) running: Option<Running>,
    /// What the next process is greeted with.
    pub(super) remembered: Option<Hello>,
    backoff: Backoff,
    /// Why the last start failed, if it did.
    start_error: Option<Arc<StartError>>,
    listeners: Vec<mpsc::Sender<Bytes>>,
    last_number: u64,
    /// Processes that are ending in their own time.
    ending: JoinSet<()>,
}

impl Actor {
    pub(super) fn new(setup: Setup, era: Era, left: Arc<Notify>) -> Actor {
        Actor {
            backoff: Backoff::new(&setup.times),
            setup,
            era,
            left,
            // What a server says is passed on, not judged; the first of two equal keys decides whose it is.
            reader: Reader::new(Duplicates::Kept),
            running: None,
            remembered: None,
            start_error: None,
            listeners: Vec::new(),
            last_number: 0,
            ending: JoinSet::new(),
        }
    }

    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let left = self.left.clone();
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    None => return self.stop().await,
                    Some(Order::Stop(done)) => {
                        orders.close();
                        self.stop().await;
                        // Whoever asked may have stopped waiting.
                        let _ = done.send(());
                        break;
                    }
                    Some(order) => self.obey(order),
                },
                event = next_event(&mut self.running) => self.hear(event),
                () = left.notified() => self.forget_leavers(),
                Some(_) = self.ending.join_next() => {}
            }
        }
        while let Ok(order) = orders.try_recv() {
            self.refuse_stopped(order);
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Request(request, parts) => self.request(Asked {
                request: *request,
                parts,
            }),
            Order::Notice(notice) => self.notice(&notice),
            Order::Listen(listener) => self.listen(listener),
            Order::Rest => self.rest(),
            Order::Stop(_) => {}
        }
    }

    fn request(&mut self, asked: Asked) {
        if let Err(error) = self.ensure_running() {
            return asked.fail(error);
        }
        if self
            .running
            .as_ref()
            .is_some_and(|running| !running.has_room())
        {
            let upstream = self.setup.name.clone();
            return asked.fail(ForwardError::Saturated { upstream });
        }
        match self.era {
            Era::Legacy => self.greet_then_ask(asked),
            Era::Modern => self.ask(asked),
        }
    }

    /// Hands a request to the process.
    pub(super) fn ask(&mut self, asked: Asked) {
        if asked.parts.is_closed() {
            // Its client left while it waited: nobody wants it to run any more.
            return;
        }
        let number = self.next_number();
        let Some(running) = &mut self.running else {
            return;
        };
        if let Err(refused) = running.ask(number, asked) {
            let (error, asked) = *refused;
            asked.fail(self.not_taken(error));
        }
    }

    /// What a client is told whose line was not taken. A process that reads no more is of no use, and is ended.
    pub(super) fn not_taken(&mut self, error: SendError) -> ForwardError {
        let upstream = self.setup.name.clone();
        match error {
            SendError::Full => ForwardError::Saturated { upstream },
            SendError::Closed => {
                if let Some(running) = &mut self.running {
                    running.child.begin_stop();
                }
                self.not_started()
            }
        }
    }

    fn ensure_running(&mut self) -> Result<(), ForwardError> {
        if self.running.is_some() {
            return Ok(());
        }
        if !self.backoff.remaining(timer_now()).is_zero() {
            return Err(self.not_started());
        }
        match Child::start(self.setup.name.clone(), &self.setup.command) {
            Ok(child) => {
                tracing::info!(server = %self.setup.name, pid = child.id(), era = ?self.era, "process started");
                self.start_error = None;
                self.running = Some(Running::new(child));
                Ok(())
            }
            Err(error) => {
                tracing::warn!(server = %self.setup.name, error = %error, cause = %error.source, "process did not start");
                self.start_error = Some(Arc::new(error));
                self.backoff.died(timer_now());
                Err(self.not_started())
            }
        }
    }

    fn not_started(&self) -> ForwardError {
        ForwardError::ChildNotStarted {
            upstream: self.setup.name.clone(),
            retry_after: self.backoff.remaining(timer_now()),
            source: self.start_error.clone(),
        }
    }

    fn notice(&mut self, notice: &Notice) {
        let Some(running) = &mut self.running else {
            return;
        };
        let is_open = self.era == Era::Modern || matches!(running.greeting, Greeting::Done(_));
        let line = match (notice.method, &notice.cancels) {
            _ if !is_open => return,
            (Method::Initialized, _) => return self.confirm(),
            (Method::Cancelled, Some(span)) => {
                let raw_id = &notice.body[span.clone()];
                let Some(number) = running.cancel(&notice.caller, raw_id) else {
                    return;
                };
                spliced_line(
                    &notice.body,
                    &[(span.clone(), number.to_string().as_bytes())],
                )
            }
            // No request of a server's ever reaches a client, so there is nothing to respond to.
            (Method::None | Method::Cancelled, _) => return,
            _ => spliced_line(&notice.body, &[]),
        };
        if let Err(error) = running.give(line) {
            tracing::debug!(server = %self.setup.name, error = %error, "notification dropped");
        }
    }

    fn listen(&mut self, listener: mpsc::Sender<Bytes>) {
        self.listeners.retain(|listener| !listener.is_closed());
        if self.listeners.len() < LISTENERS_MAX {
            self.listeners.push(listener);
        }
    }

    fn hear(&mut self, event: ChildEvent) {
        match event {
            ChildEvent::Line(line) => match line::read(&mut self.reader, &line) {
                Ok(spoken) => self.pass_on(line, spoken),
                Err(error) => self.skip(&line, error),
            },
            ChildEvent::Ended(exit) => self.bury(&exit),
        }
    }

    /// Text among the messages is common and harmless; a message that is not understood leaves somebody waiting.
    fn skip(&self, line: &[u8], error: line::Unreadable) {
        let (server, length) = (&self.setup.name, line.len());
        if line.starts_with(b"{") {
            tracing::warn!(%server, error = %error, length, "message of the server skipped");
        } else {
            tracing::debug!(%server, error = %error, length, "line of the server skipped");
        }
    }

    fn pass_on(&mut self, line: Bytes, spoken: Spoken) {
        let Some(running) = &mut self.running else {
            return;
        };
        match spoken {
            Spoken::Reply {
                id,
                number,
                error_code,
                ..
            } if running.greeting.awaits(number) => {
                self.greeted(line, id, error_code);
            }
            Spoken::Reply {
                id,
                number,
                error_code,
                subscription,
            } => {
                self.backoff.proved();
                let Some(asked) = running.take(number) else {
                    return tracing::debug!(server = %self.setup.name, number, "answer without a request");
                };
                let mut ids: Vec<_> = subscription.into_iter().chain([id]).collect();
                ids.sort_by_key(|span| span.start);
                asked.answer(&line, &ids, error_code);
            }
            Spoken::Request { id, method } => self.answer_request(&line[id], &method),
            Spoken::Notice(Some(aim)) => running.progress(&line, &aim),
            Spoken::Notice(None) => self.tell_listeners(&line),
        }
    }

    /// Several clients share the process, so that none of them can be asked on its behalf.
    fn answer_request(&mut self, id: &[u8], method: &str) {
        let answer = if method == "ping" {
            "\"result\":{}}".to_owned()
        } else {
            tracing::warn!(server = %self.setup.name, method, "the server asks its client, which a shared process cannot");
            let text = "a stdio server that clients share cannot ask one of them yet";
            format!("\"error\":{{\"code\":{METHOD_NOT_FOUND},\"message\":\"{text}\"}}}}")
        };
        let line = [b"{\"jsonrpc\":\"2.0\",\"id\":", id, b",", answer.as_bytes()].concat();
        if let Some(running) = &mut self.running
            && let Err(error) = running.give(spliced_line(&line, &[]))
        {
            tracing::debug!(server = %self.setup.name, error = %error, "answer dropped");
        }
    }

    /// A listener that is too far behind is cut: it connects again, and asks for what it missed.
    fn tell_listeners(&mut self, line: &[u8]) {
        let message = Bytes::from(line::splice(line, &[]));
        self.listeners
            .retain(|listener| listener.try_send(message.clone()).is_ok());
    }

    fn forget_leavers(&mut self) {
        self.listeners.retain(|listener| !listener.is_closed());
        let Some(running) = &mut self.running else {
            return;
        };
        for number in running.forget_leavers() {
            let cancel = format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{number},\"reason\":\"the client left\"}}}}\n"
            );
            if let Err(error) = running.give(Bytes::from(cancel)) {
                tracing::debug!(server = %self.setup.name, error = %error, "cancellation dropped");
            }
        }
    }

    fn bury(&mut self, exit: &Exit) {
        let Some(running) = self.running.take() else {
            return;
        };
        self.backoff.died(timer_now());
        let rest = self.backoff.remaining(timer_now());
        tracing::warn!(server = %self.setup.name, exit = %exit, ?rest, "process ended");
        running.fail_all(&self.setup.name, exit);
    }

    fn rest(&mut self) {
        if let Some(running) = self.running.take_if(|running| running.is_quiet()) {
            self.ending.spawn(async move {
                running.child.stop().await;
            });
        }
    }

    async fn stop(&mut self) {
        self.listeners.clear();
        if let Some(mut running) = self.running.take() {
            let exit = running.child.end().await;
            running.fail_all(&self.setup.name, &exit);
        }
        while self.ending.join_next().await.is_some() {}
    }

    fn refuse_stopped(&self, order: Order) {
        if let Order::Request(request, parts) = order {
            let upstream = self.setup.name.clone();
            let request = *request;
            Asked { request, parts }.fail(ForwardError::Stopped { upstream });
        }
    }

    /// Numbers are never used again, so that a late answer cannot be taken for another one.
    pub(super) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

/// Where the runtime's timer stands: rests are waits like its other ones, and no time of anything that is counted.
fn timer_now() -> Instant {
    sleep(Duration::ZERO).deadline()
}

async fn next_event(running: &mut Option<Running>) -> ChildEvent {
    match running {
        Some(running) => running.child.next().await,
        None => std::future::pending().await,
    }
}
