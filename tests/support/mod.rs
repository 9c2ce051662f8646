//! Starts what a test needs: the gateway itself, an upstream that records and is told what to answer, a client that speaks
//! HTTP byte by byte.
//!
//! It never looks inside the gateway: what it knows it read from a socket, a file or a stream. It waits for events, each wait
//! with a bound, and never for a time to pass.
#![allow(dead_code, unused_imports)] // every test file is a crate of its own and needs a part of this

pub(crate) mod folder;
pub(crate) mod http;
pub(crate) mod upstream;

use std::time::{Duration, Instant};

pub(crate) use folder::{Folder, Gateway};
pub(crate) use http::{Agent, Reply, Wire};
pub(crate) use upstream::{Answer, Recorded, Steps, Upstream};

/// How long anything may take that a test waits for. A debug binary on a loaded machine needs seconds; more is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again until there is an answer; panics with `what` when patience ends.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        // Files and exit codes do not wake anybody: this only keeps the loop from burning a core.
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A `tools/call` with the given raw id and arguments.
pub(crate) fn tools_call(id: &str, tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
    )
}

/// A request without parameters.
pub(crate) fn message(id: &str, method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{}}}}"#)
}

/// A policy under which `tool` may be called `max` times an hour, and nothing else.
pub(crate) fn at_most(max: u32, tool: &str) -> String {
    format!(
        r#"{{"version":"1","default":"deny","tools":{{"{tool}":{{"limits":[{{"counter":"c","window":"hour","max":{max}}}]}}}}}}"#
    )
}

/// A policy that lets everything through.
pub(crate) const ALLOW_ALL: &str = r#"{"version":"1","default":"allow"}"#;
