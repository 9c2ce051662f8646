//! loadtest: what toolgate costs, measured against a stub upstream, beside a bare reverse proxy and nothing at all.
//!
//! It never reports a figure without having verified every reply behind it. In reading order: `options`, `stage` (which
//! processes there are: `stub`, `proxy` on `workers`, `gateway` through `process`), `measure` (with `client`, `connection`,
//! `call`, `flood`, `schedule`, `timer`, `tally`, `usage`), `figures`, `summary`, `report`, `export`.

mod call;
mod client;
mod connection;
mod export;
mod failure;
mod figures;
mod flood;
mod gateway;
mod measure;
mod options;
mod process;
mod proxy;
mod report;
mod run;
mod schedule;
mod stage;
mod stub;
mod summary;
mod tally;
mod timer;
mod usage;
mod workers;

use std::process::ExitCode;

use clap::Parser;

use options::{CommandLine, Role};

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let ended = match line.role {
        Some(Role::Stub) => stub::serve().map(|()| ExitCode::SUCCESS),
        Some(Role::Proxy { upstream }) => proxy::serve(upstream).map(|()| ExitCode::SUCCESS),
        Some(Role::Run(options)) => run::run(&options),
        None => run::run(&line.options),
    };
    ended.unwrap_or_else(|failure| {
        eprintln!("loadtest: {}", connection::chain(&failure));
        ExitCode::FAILURE
    })
}
