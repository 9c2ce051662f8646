//! The handshake of the legacy era, once for each process however many clients it has.
//!
//! It never lets a request overtake the handshake: old servers refuse, or die of, what comes before it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::actor::Actor;
use super::line::spliced_line;
use super::running::Asked;
use crate::mcp::Method;
use crate::upstream::ForwardError;

const INITIALIZED: &[u8] = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";

/// How far a process is.
#[derive(Debug)]
pub(super) enum Greeting {
    /// Nobody has initialized it.
    None,
    /// An `initialize` is with it.
    Underway(Box<Underway>),
    /// It has answered.
    Done(Done),
}

#[derive(Debug)]
pub(super) struct Underway {
    /// The number under which `hello` was sent.
    number: u64,
    hello: Hello,
    /// Whose `initialize` gets the answer.
    callers: Vec<Asked>,
    /// What comes after it.
    held: Vec<Asked>,
}

#[derive(Debug)]
pub(super) struct Done {
    answer: Bytes,
    id: Range<usize>,
    /// `notifications/initialized` was sent.
    is_confirmed: bool,
}

/// An `initialize` request, ours or a client's; the last one that worked is replayed to the next process.
#[derive(Debug, Clone)]
pub(super) struct Hello {
    body: Bytes,
    id: Range<usize>,
}

impl Hello {
    /// What the gateway says for clients that say nothing themselves. It can do nothing for a server, and says so.
    fn ours() -> Hello {
        let body = concat!(
            r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","#,
            r#""capabilities":{},"clientInfo":{"name":"toolgate","version":""#,
            env!("CARGO_PKG_VERSION"),
            r#""}}}"#
        );
        Hello {
            body: Bytes::from_static(body.as_bytes()),
            id: 22..23,
        }
    }

    fn of(asked: &Asked) -> Hello {
        Hello {
            body: asked.request.body.clone(),
            id: asked.request.id.clone(),
        }
    }
}

impl Greeting {
    pub(super) fn held_count(&self) -> usize {
        match self {
            Greeting::Underway(underway) => underway.held.len() + underway.callers.len(),
            Greeting::None | Greeting::Done(_) => 0,
        }
    }

    /// Whether an answer with this number is the answer to `initialize`.
    pub(super) fn awaits(&self, answered: u64) -> bool {
        matches!(self, Greeting::Underway(underway) if underway.number == answered)
    }

    /// Makes room that clients who have left took.
    pub(super) fn forget_leavers(&mut self) {
        if let Greeting::Underway(underway) = self {
            underway.callers.retain(|asked| !asked.parts.is_closed());
            underway.held.retain(|asked| !asked.parts.is_closed());
        }
    }

    pub(super) fn into_waiting(self) -> Vec<Asked> {
        match self {
            Greeting::Underway(underway) => {
                let Underway {
                    mut callers, held, ..
                } = *underway;
                callers.extend(held);
                callers
            }
            Greeting::None | Greeting::Done(_) => Vec::new(),
        }
    }
}

impl Actor {
    /// Sends a request once the process is initialized, or answers an `initialize` from memory.
    pub(super) fn greet_then_ask(&mut self, asked: Asked) {
        let is_initialize = asked.request.method == Method::Initialize;
        if self
            .running
            .as_ref()
            .is_some_and(|running| matches!(running.greeting, Greeting::None))
        {
            let replayed = self.remembered.clone();
            let hello = match replayed {
                Some(hello) => hello,
                None if is_initialize => Hello::of(&asked),
                None => Hello::ours(),
            };
            if let Err(error) = self.say_hello(hello) {
                return asked.fail(error);
            }
        }
        let Some(running) = &mut self.running else {
            return;
        };
        match &mut running.greeting {
            Greeting::None => {}
            Greeting::Underway(underway) if is_initialize => underway.callers.push(asked),
            Greeting::Underway(underway) => underway.held.push(asked),
            Greeting::Done(done) if is_initialize => {
                asked.answer(&done.answer, std::slice::from_ref(&done.id), None);
            }
            Greeting::Done(_) => {
                self.confirm();
                self.ask(asked);
            }
        }
    }

    fn say_hello(&mut self, hello: Hello) -> Result<(), ForwardError> {
        let number = self.next_number();
        let line = spliced_line(
            &hello.body,
            &[(hello.id.clone(), number.to_string().as_bytes())],
        );
        let given = self.running.as_mut().map(|running| running.give(line));
        if let Some(Err(error)) = given {
            return Err(self.not_taken(error));
        }
        if let Some(running) = &mut self.running {
            running.greeting = Greeting::Underway(Box::new(Underway {
                number,
                hello,
                callers: Vec::new(),
                held: Vec::new(),
            }));
        }
        Ok(())
    }

    /// The process has answered `initialize`.
    pub(super) fn greeted(&mut self, answer: Bytes, id: Range<usize>, error_code: Option<i64>) {
        let Some(running) = &mut self.running else {
            return;
        };
        let before = std::mem::replace(&mut running.greeting, Greeting::None);
        let Greeting::Underway(underway) = before else {
            running.greeting = before;
            return;
        };
        let Underway {
            hello,
            callers,
            held,
            ..
        } = *underway;
        for caller in &callers {
            caller.answer(&answer, std::slice::from_ref(&id), error_code);
        }
        if error_code.is_some() {
            self.remembered = None;
            return self.refuse(held);
        }
        running.greeting = Greeting::Done(Done {
            answer,
            id,
            is_confirmed: false,
        });
        self.remembered = Some(hello);
        // A client that has just got its answer confirms it itself; nobody else will.
        if callers.is_empty() {
            self.confirm();
        }
        for asked in held {
            self.confirm();
            self.ask(asked);
        }
    }

    /// Sends `notifications/initialized`, once for a process.
    pub(super) fn confirm(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        let Greeting::Done(done) = &mut running.greeting else {
            return;
        };
        if !std::mem::replace(&mut done.is_confirmed, true) {
            // A process that takes no lines is about to be found out by the request behind this one.
            let _ = running.give(spliced_line(INITIALIZED, &[]));
        }
    }

    fn refuse(&self, held: Vec<Asked>) {
        for asked in held {
            let upstream: Arc<str> = self.setup.name.clone();
            asked.fail(ForwardError::HandshakeRefused { upstream });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_hello_has_its_id_where_it_says() {
        let hello = Hello::ours();
        assert_eq!(&hello.body[hello.id.clone()], b"0");
        assert_eq!(
            &hello.body[..hello.id.end],
            b"{\"jsonrpc\":\"2.0\",\"id\":0"
        );
    }
}
