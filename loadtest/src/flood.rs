//! Another grant's flood beside the measured load: every call brings a value that was never seen.
//!
//! It never adds to the measured calls, and never sends more than its rate, whatever becomes of what it sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::call;
use crate::connection::{Connection, Endpoint};
use crate::failure::Failure;
use crate::tally::Ending;
use crate::workers;

/// Connections, and how long each waits between two calls: 1,000 calls a second together, the most that the guard of a
/// grant lets pass unless it is opened wider. Ten seconds of it reach the bound of a grant's counters.
const CONNECTIONS: usize = 4;
const PAUSE: Duration = Duration::from_millis(4);

/// The next value of all floods of this process: no round brings one again.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What became of a flood's calls.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Flooded {
    /// Values that were counted, and whose calls ran.
    pub(crate) counted: u64,
    /// Calls that were refused.
    pub(crate) refused: u64,
}

/// A flood that goes on until it is stopped.
#[derive(Debug)]
pub(crate) struct Flood {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<Flooded, Failure>>,
}

impl Flood {
    /// Begins on a thread of its own.
    pub(crate) fn start(endpoint: &Endpoint) -> Result<Flood, Failure> {
        let is_over = Arc::new(AtomicBool::new(false));
        let (endpoint, until) = (endpoint.clone(), is_over.clone());
        let thread = thread::Builder::new().name("flood".into());
        let thread = thread.spawn(move || run(&endpoint, &until));
        let thread = thread.map_err(|source| Failure::Start {
            what: "the flood's thread",
            source,
        })?;
        Ok(Flood { is_over, thread })
    }

    /// Ends it, and says what became of it; blocks for its last replies.
    pub(crate) fn stop(self) -> Result<Flooded, Failure> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| Failure::Panicked)?
    }
}

fn run(endpoint: &Endpoint, is_over: &Arc<AtomicBool>) -> Result<Flooded, Failure> {
    let runtime = workers::runtime()?;
    let tasks = LocalSet::new();
    let connections: Vec<_> = (0..CONNECTIONS)
        .map(|_| tasks.spawn_local(connection(endpoint.clone(), is_over.clone())))
        .collect();
    runtime.block_on(tasks.run_until(async {
        let mut flooded = Flooded::default();
        for connection in connections {
            let one = connection.await.map_err(|_| Failure::Panicked)?;
            let one = one.map_err(Failure::Flood)?;
            flooded.counted += one.counted;
            flooded.refused += one.refused;
        }
        Ok(flooded)
    }))
}

/// One connection's calls; the error is what came instead of an answer.
async fn connection(endpoint: Endpoint, is_over: Arc<AtomicBool>) -> Result<Flooded, String> {
    let mut connection = Connection::open(&endpoint).await?;
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut flooded = Flooded::default();
    while !is_over.load(Ordering::Relaxed) {
        ticks.tick().await;
        let value = call::new_value(NEXT.fetch_add(1, Ordering::Relaxed));
        match connection.ask(&endpoint, &value).await {
            Ending::Verified => flooded.counted += 1,
            Ending::Mismatched(_) => flooded.refused += 1,
            Ending::Refused(found) | Ending::Broken(found) => return Err(found),
        }
    }
    Ok(flooded)
}
