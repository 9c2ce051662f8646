//! toolgate: an MCP gateway. Every tool call that an agent makes passes a policy, is counted and is recorded.
//!
//! The modules in reading order, from the pure core outwards. A module uses only those above its own floor.
//!
//! | floor | modules | what they do |
//! |---|---|---|
//! | 0, pure | [`json`], [`policy`], [`mcp`] | read JSON; decide what happens to a call; speak the protocol |
//! | 1, one resource each | [`clock`], [`store`], [`counters`], [`catalogue`], [`sessions`] | time; what is kept; counting; what servers offer; sessions |
//! | 2 | [`grants`], [`record`] | who is calling; what is told: journal and metrics |
//! | 3 | [`upstream`] | forwards to MCP servers over HTTP and to child processes |
//! | 4 | [`config`] | the gateway's settings, checked |
//! | 5 | [`gateway`], [`admin`] | receives agents' requests; the operator's side |
//! | 6 | [`cli`] | one file for each subcommand |
//!
//! # The path of one `tools/call`
//!
//! | | module | in → out | refuses with |
//! |---|---|---|---|
//! | 1 | `gateway::routes`, `gateway::door` | HTTP request → which server | 404, 405, 413, 415 … |
//! | 2 | [`grants`] | `Bearer` → `Arc<Grant>` | 401, 403 |
//! | 3 | [`json`], [`mcp`] | bytes → `ToolsCall<'_>`, borrowed | parse error, invalid request |
//! | 4 | [`policy`] | call, `Facts` → `Decision`: `Permit`, `Held` or `Denial` | `Denial::{Unavailable, Rule, Argument, Uncounted}` |
//! | 5 | [`counters`] | `Permit`, now → `Admitted`: all its charges taken, or none | `Denial::{LimitReached, CountersFull, Guard}` |
//! | 6 | [`record`] | `Admitted` → `Recorded`: the decision line is kept, as surely as the settings ask | `NotRecorded` |
//! | 7 | [`upstream`] | `Recorded` → reply, streamed through | `ForwardError` |
//! | 8 | `gateway::ending`, `gateway::call_record` | the answer that ends the call → outcome line, then what it gives back | – |
//!
//! Steps 3 to 5 are `gateway::judge`, synchronous: nothing borrowed from scratch crosses an await. Only a call whose rules
//! need the tool's definition may wait before them, for `gateway::definitions` to list its server into the [`catalogue`]. Steps 6 to 8 are
//! `gateway::tools_call`. Each value can be made only by the module named, from the one before it: a path that skips the
//! gate does not compile.

pub mod admin;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod counters;
pub mod gateway;
pub mod grants;
pub mod json;
pub mod mcp;
pub mod policy;
pub mod record;
pub mod sessions;
pub mod store;
pub mod upstream;
