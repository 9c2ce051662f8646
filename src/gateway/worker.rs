//! What the requests of one data-path thread share: its judge, its journal, its upstream connections.
//!
//! A call never changes threads, and a worker shares nothing that it would have to wait for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::Shared;
use super::judge::Judge;
use super::snapshot::Server;
use crate::json::{Duplicates, Reader};
use crate::record::Journal;
use crate::upstream::Upstream;

/// A server, and this thread's connections to it.
type Way = (Arc<Server>, Upstream);

/// What the requests of one thread share.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) judge: Judge,
    pub(super) journal: Journal,
    /// Reads replies that must be read.
    pub(super) replies: RefCell<Reader>,
    /// Waits for the answers to parked calls.
    pub(super) parked: TaskTracker,
    upstreams: RefCell<HashMap<Box<str>, Way>>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, journal: Journal) -> Rc<Worker> {
        let judge = Judge::new(shared.clone(), journal.clone());
        Rc::new(Worker {
            shared,
            judge,
            journal,
            replies: RefCell::new(Reader::new(Duplicates::Refused)),
            parked: TaskTracker::new(),
            upstreams: RefCell::default(),
        })
    }

    /// This thread's way to a server: its own connections. Replaced when a reload has changed the server.
    pub(super) fn upstream(&self, server: &Arc<Server>) -> Upstream {
        let mut upstreams = self.upstreams.borrow_mut();
        if let Some((known, upstream)) = upstreams.get(&*server.spec.name)
            && Arc::ptr_eq(known, server)
        {
            return upstream.clone();
        }
        let upstream = Upstream::new(&server.upstream);
        upstreams.insert(
            server.spec.name.as_ref().into(),
            (server.clone(), upstream.clone()),
        );
        upstream
    }
}
