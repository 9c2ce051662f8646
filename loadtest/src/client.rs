//! Puts load on one endpoint: many connections on a few threads, in a closed or an open loop.
//!
//! It never counts a call as made before its reply is verified, and never lets a slow reply move the next call's due time.

use std::cell::{Cell, RefCell};
use std::num::{NonZeroU32, NonZeroUsize};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::timeout_at;

use crate::call::Script;
use crate::connection::{Connection, Endpoint};
use crate::failure::Failure;
use crate::schedule::{Schedule, Share};
use crate::tally::{Ending, Tally, Times, Timing};
use crate::timer::Timer;
use crate::workers;

/// How long load goes on after the measured part: longer than it takes to read the clocks.
const TAIL: Duration = Duration::from_millis(100);

/// How long after the last due call replies are awaited.
const GRACE: Duration = Duration::from_secs(5);

/// When a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Closed loop: each connection sends its next call when the last one is answered.
    Max,
    /// Open loop: so many calls a second over all connections, at equal distances, come what may.
    Rate(NonZeroU32),
}

/// The load of one round.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// When calls are made.
    pub(crate) pace: Pace,
    /// How many connections there are, over all threads.
    pub(crate) connections: NonZeroUsize,
    /// How many threads drive them.
    pub(crate) threads: NonZeroU32,
    /// The calls.
    pub(crate) script: Script,
    /// Load that is not measured, before the load that is.
    pub(crate) warm_up: Duration,
    /// How long is measured.
    pub(crate) measured: Duration,
}

/// Load that is being put on an endpoint.
#[derive(Debug)]
pub(crate) struct Load {
    /// When its parts begin and end.
    pub(crate) timing: Timing,
    verified: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Result<Tally, Failure>>>,
}

impl Load {
    /// Starts the threads. They end on their own, at the latest a few seconds after the measured part.
    pub(crate) fn start(endpoint: &Endpoint, plan: &Plan) -> Result<Load, Failure> {
        let start = Instant::now();
        let measure_to = start + plan.warm_up + plan.measured;
        let end = measure_to + TAIL;
        let timing = Timing {
            start,
            measure_from: start + plan.warm_up,
            measure_to,
            end,
            give_up: end + GRACE,
        };
        let verified = Arc::new(AtomicU64::new(0));
        let threads = (0..plan.threads.get())
            .map(|number| {
                let share = Share {
                    number,
                    of: plan.threads,
                };
                let lane = LaneStart {
                    endpoint: endpoint.clone(),
                    plan: plan.clone(),
                    share,
                    timing,
                    verified: Arc::clone(&verified),
                };
                thread::Builder::new()
                    .name(format!("client-{number}"))
                    .spawn(move || lane.run())
                    .map_err(|source| Failure::Start {
                        what: "a client thread",
                        source,
                    })
            })
            .collect::<Result<_, _>>()?;
        Ok(Load {
            timing,
            verified,
            threads,
        })
    }

    /// Right replies until now, the warm-up's included.
    pub(crate) fn verified(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }

    /// Waits for the threads; blocks, for a few seconds after the measured part at most.
    pub(crate) fn finish(self) -> Result<Tally, Failure> {
        let mut whole = Tally::default();
        for thread in self.threads {
            whole.merge(thread.join().map_err(|_| Failure::Panicked)??);
        }
        Ok(whole)
    }
}

/// What a client thread starts with.
struct LaneStart {
    endpoint: Endpoint,
    plan: Plan,
    share: Share,
    timing: Timing,
    verified: Arc<AtomicU64>,
}

impl LaneStart {
    fn run(self) -> Result<Tally, Failure> {
        let runtime = workers::runtime()?;
        let give_up = self.timing.give_up;
        let lane = Rc::new(Lane::new(self));
        let tasks = LocalSet::new();
        let work = tasks.run_until(Rc::clone(&lane).work());
        let ended = runtime.block_on(async { timeout_at(give_up.into(), work).await });
        if let Ok(Err(source)) = ended {
            let what = "the pacing timer";
            return Err(Failure::Start { what, source });
        }
        lane.count_unsent();
        Ok(lane.tally.take())
    }
}

/// One client thread: its connections take turns from it.
struct Lane {
    start: LaneStart,
    schedule: Option<Schedule>,
    /// This thread's calls of an open loop.
    calls: u64,
    /// The next call's number within this thread's share.
    next: Cell<u64>,
    /// One permit for each call of an open loop that is due and not taken.
    due: Semaphore,
    tally: RefCell<Tally>,
}

/// A call that a connection is to make.
struct Turn {
    number: u64,
    due: Instant,
}

impl Lane {
    fn new(start: LaneStart) -> Lane {
        let schedule = match start.plan.pace {
            Pace::Max => None,
            Pace::Rate(rate) => Some(Schedule {
                rate,
                share: start.share,
            }),
        };
        let length = start.timing.end - start.timing.start;
        Lane {
            start,
            schedule,
            calls: schedule.map_or(0, |schedule| schedule.due_before(length)),
            next: Cell::new(0),
            due: Semaphore::new(0),
            tally: RefCell::default(),
        }
    }

    fn connections(&self) -> usize {
        let total = self.start.plan.connections.get();
        usize::try_from(self.start.share.part(total as u64)).expect("a part of a usize")
    }

    async fn work(self: Rc<Self>) -> std::io::Result<()> {
        let agents: Vec<_> = (0..self.connections())
            .map(|_| tokio::task::spawn_local(Rc::clone(&self).agent()))
            .collect();
        if let Some(schedule) = self.schedule {
            self.release(schedule).await?;
        }
        for agent in agents {
            agent.await.map_err(std::io::Error::other)?;
        }
        Ok(())
    }

    /// Lets each call go when it is due; then lets every connection find that there are no more.
    async fn release(&self, schedule: Schedule) -> std::io::Result<()> {
        let timer = Timer::new()?;
        let start = self.start.timing.start;
        let mut released = 0;
        while released < self.calls {
            timer.until(start + schedule.due(released)).await?;
            // Due "before now and a nanosecond" is due now.
            let now = start.elapsed() + Duration::from_nanos(1);
            let due = schedule.due_before(now).min(self.calls);
            self.due.add_permits((due - released) as usize);
            released = due;
        }
        self.due.add_permits(self.connections());
        Ok(())
    }

    async fn agent(self: Rc<Self>) {
        let mut connection = match Connection::open(&self.start.endpoint).await {
            Ok(connection) => connection,
            Err(found) => return self.tally.borrow_mut().not_connected(found),
        };
        while let Some(turn) = self.turn().await {
            let call = self.start.plan.script.call(turn.number);
            self.tally.borrow_mut().sent += 1;
            let sent = Instant::now();
            let ending = connection.ask(&self.start.endpoint, &call).await;
            let broken = matches!(ending, Ending::Broken(_));
            self.end(turn, sent, ending);
            if broken {
                return;
            }
        }
    }

    /// The next call, as soon as it is due; `None` after the last one.
    async fn turn(&self) -> Option<Turn> {
        let Some(schedule) = self.schedule else {
            let due = Instant::now();
            return (due < self.start.timing.end).then(|| self.take(due));
        };
        self.due.acquire().await.ok()?.forget();
        if self.next.get() >= self.calls {
            return None;
        }
        Some(self.take(self.start.timing.start + schedule.due(self.next.get())))
    }

    fn take(&self, due: Instant) -> Turn {
        let ticket = self.next.replace(self.next.get() + 1);
        Turn {
            number: self.start.share.number_of(ticket),
            due,
        }
    }

    fn end(&self, turn: Turn, sent: Instant, ending: Ending) {
        let times = Times {
            due: turn.due,
            sent,
            answered: Instant::now(),
        };
        if matches!(ending, Ending::Verified) {
            self.start.verified.fetch_add(1, Ordering::Relaxed);
        }
        let mut tally = self.tally.borrow_mut();
        tally.end(ending, times, &self.start.timing);
    }

    fn count_unsent(&self) {
        let Some(schedule) = self.schedule else {
            return;
        };
        let timing = &self.start.timing;
        let mut tally = self.tally.borrow_mut();
        for ticket in self.next.get()..self.calls {
            tally.not_sent(timing.start + schedule.due(ticket), timing);
        }
    }
}
