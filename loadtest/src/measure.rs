//! Measures: a round of load on one target, and the memory of connections that do nothing.
//!
//! It never pauses the load to read the clocks: both readings of a round are taken while it runs, each the CPU times and
//! the count of calls together, so that neither its beginning nor its end is in them.

use std::time::{Duration, Instant};

use rustix::process::{Pid, getpid};
use serde::Serialize;

use crate::call::Script;
use crate::client::{Load, Plan};
use crate::connection::Connection;
use crate::failure::Failure;
use crate::figures::{Round, others};
use crate::flood::Flood;
use crate::stage::Subject;
use crate::usage::{Cpu, machine_busy, resident};
use crate::workers::cores;

/// Puts the planned load on one subject and says what it took.
pub(crate) async fn round(subject: &Subject, stub: Pid, plan: &Plan) -> Result<Round, Failure> {
    let resident_before = resident(subject.pid)?;
    let flood = subject.flood.as_ref().map(Flood::start).transpose()?;
    let load = Load::start(&subject.endpoint, plan)?;
    let timing = load.timing;
    let pids = [subject.pid, stub, getpid()];
    tokio::time::sleep_until(timing.measure_from.into()).await;
    let before = Reading::take(pids, &load)?;
    tokio::time::sleep_until(timing.measure_to.into()).await;
    let after = Reading::take(pids, &load)?;
    let finished = tokio::task::spawn_blocking(|| {
        let tally = load.finish()?;
        Ok((tally, flood.map(Flood::stop).transpose()?))
    });
    let (tally, flooded) = finished.await.map_err(|_| Failure::Panicked)??;

    let [target, at_stub, client] = std::array::from_fn(|i| after.used[i].since(before.used[i]));
    let elapsed = after.at - before.at;
    let between = if subject.pid == stub {
        Duration::ZERO
    } else {
        target.total()
    };
    Ok(Round {
        calls: after.calls - before.calls,
        elapsed,
        target,
        stub: at_stub.total(),
        client: client.total(),
        others: others(
            after.machine.saturating_sub(before.machine),
            between + at_stub.total() + client.total(),
            elapsed * u32::try_from(cores().get()).unwrap_or(u32::MAX),
        ),
        resident: (resident_before, resident(subject.pid)?),
        tally,
        flooded: flooded.unwrap_or_default(),
    })
}

/// All clocks and the count at one instant.
struct Reading {
    at: Instant,
    calls: u64,
    /// Of the target, the stub and this client.
    used: [Cpu; 3],
    machine: Duration,
}

impl Reading {
    fn take(pids: [Pid; 3], load: &Load) -> Result<Reading, Failure> {
        let [target, stub, client] = pids.map(Cpu::of);
        Ok(Reading {
            at: Instant::now(),
            calls: load.verified(),
            used: [target?, stub?, client?],
            machine: machine_busy()?,
        })
    }
}

/// What idle connections cost a target.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Idle {
    /// How many were open at once.
    pub(crate) connections: u32,
    /// Resident memory before, in bytes.
    pub(crate) resident_before: u64,
    /// Resident memory while they were open and idle, in bytes.
    pub(crate) resident_open: u64,
}

impl Idle {
    /// Resident bytes for each idle connection; negative where memory was given back meanwhile.
    pub(crate) fn bytes_each(&self) -> f64 {
        (self.resident_open as f64 - self.resident_before as f64) / f64::from(self.connections)
    }
}

/// Opens connections that each make one call and then stay; a second call on each proves at the end that they were there.
/// To be measured before any load, which leaves memory behind that would be used again and make connections look free.
pub(crate) async fn idle(subject: &Subject, connections: u32) -> Result<Idle, Failure> {
    let script = Script::new(0);
    let failed = |number: usize| {
        move |found| Failure::Idle {
            target: subject.target.name(),
            number: number + 1,
            found,
        }
    };
    let resident_before = resident(subject.pid)?;
    let mut open = Vec::new();
    for number in 0..connections as usize {
        let opened = Connection::open(&subject.endpoint).await;
        let mut connection = opened.map_err(failed(number))?;
        let call = script.call(number as u64);
        let ending = connection.ask(&subject.endpoint, &call).await;
        ending.verified().map_err(failed(number))?;
        open.push(connection);
    }
    let resident_open = resident(subject.pid)?;
    for (number, connection) in open.iter_mut().enumerate() {
        let call = script.call(number as u64);
        let ending = connection.ask(&subject.endpoint, &call).await;
        ending.verified().map_err(failed(number))?;
    }
    Ok(Idle {
        connections,
        resident_before,
        resident_open,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_for_each_connection() {
        let idle = Idle {
            connections: 100,
            resident_before: 1_000_000,
            resident_open: 1_800_000,
        };
        assert_eq!(idle.bytes_each(), 8_000.0);
    }
}
