//! Lists a server before a rule asks for the definition of one of its tools.
//!
//! It never asks one server twice at a time, and never holds a call up for longer than [`WITHIN`].

use std::time::Duration;

use tokio::sync::Mutex;

use super::Shared;
use super::snapshot::Server;
use super::tools_list::learn;
use crate::catalogue::{Page, Tool};
use crate::clock::Timestamp;
use crate::json::{Duplicates, Reader};
use crate::record::chain;
use crate::upstream::list_tools;

/// How long listing may take: a process that `npx` starts needs some seconds before it answers at all.
pub(super) const WITHIN: Duration = Duration::from_secs(20);
/// How long a server that could not be listed is left alone. Calls that need a definition are denied meanwhile.
pub(super) const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Whose turn it is to list a server, and when that last failed.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<Option<Timestamp>>);

/// Lists the server, if nobody has just done so. Afterwards the catalogue knows what can be known.
pub(super) async fn list(shared: &Shared, server: &Server) {
    let name = &*server.spec.name;
    let mut failed_at = server.turn.0.lock().await;
    let now = shared.clock.now();
    let is_resting = failed_at.is_some_and(|at| now.since(at) < AGAIN_AFTER);
    if is_resting || !shared.catalogue.is_due(name, now) {
        return;
    }
    match list_tools(&server.upstream, WITHIN).await {
        Ok(texts) => {
            *failed_at = None;
            let page = Page {
                is_first: true,
                is_last: true,
                at: shared.clock.now(),
            };
            learn(shared, name, read(&texts), page);
        }
        Err(error) => {
            *failed_at = Some(shared.clock.now());
            let error = chain(&error);
            tracing::warn!(server = name, error, "a server could not be listed");
        }
    }
}

/// What cannot be read is not known, as if it were not there.
fn read(texts: &[Box<str>]) -> Vec<Tool> {
    let mut reader = Reader::new(Duplicates::Refused);
    let mut tool = |text: &Box<str>| {
        let document = reader.read(text.as_bytes()).ok()?;
        Tool::read(document.root())
    };
    texts.iter().filter_map(&mut tool).collect()
}
