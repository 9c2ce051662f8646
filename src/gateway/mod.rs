//! Receives: an agent's HTTP request walks through all rooms, and the reply walks back.
//!
//! All branching of a call lives in `tools_call.rs`; this room never decides, counts or records by itself.
//!
//! In reading order: [`listener`] takes connections, `door` judges a request's head, `routes` reads its body, `judge` walks
//! it through the rooms that decide (`definitions` lists a server first where a rule needs that), `tools_call` is the path of a call, `passthrough` and `tools_list` the path of everything else, `body` streams a
//! reply, `ending` sees how a call ends by it (`parked`: where it ends on another stream; `under_way` and `watched`: whether the answer can be another request's), `quota` tells what is left of its limits, `reply` words what the gateway says itself.

mod bodies;
mod body;
mod call_record;
mod definitions;
mod door;
mod ending;
mod judge;
mod lines;
mod listener;
mod own_list;
mod parked;
mod passthrough;
mod quota;
mod reload;
mod reply;
mod routes;
mod snapshot;
mod tools_call;
mod tools_list;
mod under_way;
mod watched;
mod worker;
mod workers;
mod wrap;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::record::Metrics;
use crate::sessions::Clients;
use crate::store::Store;

pub use bodies::Bodies;
pub use listener::{ListenError, Listeners};
pub use parked::Parked;
pub use reload::{Load, Reloader, Seen, Start, watch};
pub use snapshot::{Materials, Snapshot};
pub use under_way::UnderWay;
pub use workers::{WorkerError, Workers};
pub use wrap::{LOCAL_GRANT, Streams, Wrap};

/// What all workers of a gateway share.
#[derive(Debug)]
pub struct Shared {
    /// What the gateway goes by now.
    pub snapshot: ArcSwap<Snapshot>,
    /// The counters.
    pub counters: Arc<Counters>,
    /// What the servers list.
    pub catalogue: Catalogue,
    /// What agents' clients call themselves.
    pub clients: Clients,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
    /// What is kept.
    pub store: Store,
    /// How much of agents' requests is held.
    pub bodies: Bodies,
    /// Calls whose answers may still come.
    pub parked: Parked,
    /// The request ids under way.
    pub under_way: UnderWay,
    /// How the gateway stops.
    pub stopping: Stopping,
}

/// The two steps of stopping.
#[derive(Debug, Clone, Default)]
pub struct Stopping {
    /// No new connections; event streams that only listen end; calls in flight go on.
    pub draining: CancellationToken,
    /// The bound is reached: everything ends.
    pub ending: CancellationToken,
}
