//! The naive log: every call that each counter admitted, in the model's own words.
//!
//! It never asks a counter, and it never forgets: all that it does is add up a list.

use std::collections::HashMap;

use super::*;

pub(super) const WINDOW: u64 = 60_000_000_000;
/// Calls that nobody saw end are over after so long: less than a window, so that histories get there.
pub(super) const CALL_MAX: Duration = Duration::from_secs(20);
/// Calls at one moment are told apart by a nanosecond each; no history has so many.
pub(super) const APART: u64 = 1_000;

/// The kinds of limits, each with a scope of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Calls of one grant, each by itself.
    Exact,
    /// Amounts of all grants, in slices.
    Sliced,
    /// Calls of one grant, from a bucket unless an edit takes it away.
    Burst,
    /// Calls of all grants in a minute of the calendar.
    Calendar,
    /// Calls of all grants in flight.
    InFlight,
    /// Amounts of all grants for each value.
    Each,
    /// Named as the first, but only tried out.
    Tried,
}

impl Kind {
    pub(super) const ALL: [Kind; 7] = [
        Kind::Exact,
        Kind::Sliced,
        Kind::Burst,
        Kind::Calendar,
        Kind::InFlight,
        Kind::Each,
        Kind::Tried,
    ];

    /// Whether a failure gives its charge back.
    pub(super) fn forgives(self) -> bool {
        matches!(
            self,
            Kind::Exact | Kind::Sliced | Kind::Calendar | Kind::Each
        )
    }
}

/// Which counter that should be: the limit, the grant if it matters, the value if it does; its own or that of refunds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) kind: Kind,
    grant: Option<usize>,
    subject: Option<u128>,
    is_of_refunds: bool,
}

impl Name {
    pub(super) fn of(kind: Kind, call: Call) -> Name {
        let is_own = matches!(kind, Kind::Exact | Kind::Burst | Kind::Tried);
        Name {
            kind,
            grant: is_own.then_some(call.grant),
            subject: (kind == Kind::Each).then_some(call.subject),
            is_of_refunds: false,
        }
    }

    pub(super) fn of_refunds(self) -> Name {
        Name {
            is_of_refunds: true,
            ..self
        }
    }
}

/// What was taken at a moment.
#[derive(Debug, Clone, Copy)]
struct Entry {
    at: u64,
    millionths: u64,
    call: usize,
    is_back: bool,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    entries: HashMap<Name, Vec<Entry>>,
}

impl Log {
    pub(super) fn add(&mut self, name: Name, (at, millionths): (u64, u64), call: usize) {
        let entries = self.entries.entry(name).or_default();
        entries.push(Entry {
            at,
            millionths,
            call,
            is_back: false,
        });
    }

    /// The call gave this back, or a crash made that undone.
    pub(super) fn mark(&mut self, name: Name, call: usize, back: Back) {
        let entries = self.entries.get_mut(&name).into_iter().flatten();
        for entry in entries.filter(|entry| entry.call == call) {
            entry.is_back = back == Back::Given;
        }
    }

    /// No line tells of it: it never happened.
    pub(super) fn strike(&mut self, name: Name, call: usize) {
        if let Some(entries) = self.entries.get_mut(&name) {
            entries.retain(|entry| entry.call != call);
        }
    }

    /// What counts at a moment, with all that must have left `late` nanoseconds before left out.
    fn held(&self, name: Name, at: u64, late: u64) -> u64 {
        let counts = |entry: &&Entry| match name.kind {
            Kind::Calendar => entry.at / WINDOW >= at / WINDOW,
            Kind::InFlight => entry.at + CALL_MAX.as_nanos() as u64 + late > at,
            _ => entry.at + WINDOW + late > at,
        };
        let entries = self.entries.get(&name).into_iter().flatten();
        let entries = entries.filter(|entry| !entry.is_back);
        entries.filter(counts).map(|entry| entry.millionths).sum()
    }

    /// The most that must be counted at a moment, to the nanosecond.
    pub(super) fn least(&self, name: Name, at: u64) -> u64 {
        self.held(name, at, 0)
    }

    /// The most that may be counted at a moment: a slice leaves up to 1/64 of a window late.
    pub(super) fn most(&self, name: Name, at: u64) -> u64 {
        match name.kind {
            Kind::Sliced => self.held(name, at, WINDOW / 64),
            Kind::InFlight => self.held(name, at, APART),
            _ => self.held(name, at, 0),
        }
    }

    /// What any window as long as a minute that ends at a moment holds, wherever the calendar has its borders.
    pub(super) fn rolling(&self, name: Name, at: u64) -> u64 {
        let entries = self.entries.get(&name).into_iter().flatten();
        let entries = entries.filter(|entry| !entry.is_back && entry.at + WINDOW > at);
        entries.map(|entry| entry.millionths).sum()
    }

    /// Whether more came since any moment than a bucket of so many calls, each refilled in `period`, lets through.
    pub(super) fn outruns(&self, name: Name, (since, burst): (u64, u32), period: u64) -> bool {
        let entries = self.entries.get(&name).into_iter().flatten();
        let mut times: Vec<u64> = entries.map(|entry| entry.at).collect();
        times.retain(|at| *at >= since);
        times.sort_unstable();
        let last = times.last().copied().unwrap_or_default();
        let mut counted = times.iter().rev().zip(1_u64..);
        counted.any(|(from, calls)| calls > u64::from(burst) + (last - from) / period)
    }
}

/// Whether a charge is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Back {
    Given,
    Kept,
}
