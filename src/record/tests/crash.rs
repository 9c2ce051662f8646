//! Random histories, a crash at any byte, a restart: what was acknowledged counts, neither more nor less.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::counters::tests::{key_of, limits_of, on, with_burst};
use crate::counters::{Charged, CounterKey, Settlement, Taken};
use crate::policy::Charge;
use crate::store::Store;
use line::Verdict;
use segment::Segments;

#[derive(Debug, Clone)]
enum Step {
    /// A call on this worker, charged to this limit and to the first.
    Call(usize, usize),
    /// The outcome of a call so many calls ago: it is given back.
    Refund(usize),
    /// So many milliseconds pass.
    Pass(u64),
    /// The third limit gets another burst, or none.
    Edit(u32),
    /// A snapshot is made.
    Compact,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0_usize..2, 0_usize..4).prop_map(|(worker, limit)| Step::Call(worker, limit)),
        3 => (0_usize..12).prop_map(Step::Refund),
        3 => prop_oneof![0..2_000_u64, 0..30_000_u64].prop_map(Step::Pass),
        1 => (0_u32..12).prop_map(Step::Edit),
        1 => Just(Step::Compact),
    ]
}

/// One call, and where in which worker's journal its lines end.
struct Call {
    worker: usize,
    parts: Vec<(CounterKey, Charged)>,
    taken: Option<Taken>,
    written: u64,
    refunded: Option<u64>,
}

fn limits() -> [Limit; 4] {
    let amounts = r#"{"counter":"c","window":"minute","max":50,"scope":"server","by":["args.to"],"increment_from":"args.n"}"#;
    let amounts = limits_of(&[amounts]).remove(0);
    [
        limit(0, 30, Window::MINUTE),
        limit(1, 2_000, Window::MINUTE),
        with_burst(limit(2, 12, Window::MINUTE), 5),
        Limit {
            index: 3,
            ..amounts
        },
    ]
}

/// The charge of the n-th call to a limit: amounts and values that differ for the last one.
fn charge(limit: &Limit, call: u128) -> Charge<'_> {
    match limit.index {
        3 => Charge {
            amount: Amount::from_millionths(300_001 * (call as u64 % 7 + 1)),
            ..on(limit, call % 2 + 1)
        },
        _ => whole(limit),
    }
}

struct World {
    dir: tempfile::TempDir,
    store: Store,
    journals: Vec<Segments>,
    counters: Counters,
    now: Timestamp,
    limits: [Limit; 4],
    is_edited: bool,
    calls: Vec<Call>,
    /// Up to where the last snapshot read each journal.
    kept: [u64; 2],
}

impl World {
    fn new() -> World {
        let dir = folder_in_memory();
        let store = Store::open(dir.path()).unwrap();
        let journals =
            (0..2).map(|worker| Segments::open(&dir.path().join("journal"), worker).unwrap());
        // As after a first start: a snapshot of nothing.
        store.save_counters(Default::default()).wait().unwrap();
        World {
            journals: journals.collect(),
            store,
            dir,
            counters: many(),
            now: START,
            limits: limits(),
            is_edited: false,
            calls: Vec::new(),
            kept: [0; 2],
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pass(millis) => self.now = self.now.plus(Duration::from_millis(millis)),
            Step::Call(worker, limit) => self.call(worker, limit),
            Step::Refund(ago) => self.refund(ago),
            Step::Edit(burst) => {
                self.limits[2] = with_burst(limit(2, 12, Window::MINUTE), burst);
                self.is_edited = true;
            }
            Step::Compact => {
                let journal = self.dir.path().join("journal");
                let positions = compact(&self.store, &journal, &[]).unwrap();
                self.kept = [positions[0].offset, positions[1].offset];
            }
        }
    }

    fn call(&mut self, worker: usize, limit: usize) {
        let account = account(&self.counters, &self.limits);
        let call = self.calls.len() as u128;
        let limits = self.limits.iter();
        let limits = limits.filter(|own| own.index == limit || own.index == 0);
        let charges: Vec<_> = limits.map(|limit| charge(limit, call)).collect();
        let Ok(admitted) = self.counters.admit_in_test(&charges, &account, self.now) else {
            return;
        };
        let taken = admitted.into_taken();
        let mut bytes = Vec::new();
        line::decision(
            &mut bytes,
            self.now,
            &entry("t", &[]),
            Verdict::allow(&taken),
        );
        self.journals[worker].append(&bytes).unwrap();
        self.calls.push(Call {
            worker,
            parts: taken.parts().collect(),
            taken: Some(taken),
            written: self.journals[worker].position().offset,
            refunded: None,
        });
    }

    fn refund(&mut self, ago: usize) {
        let Some(index) = self.calls.len().checked_sub(ago + 1) else {
            return;
        };
        let call = &mut self.calls[index];
        let Some(taken) = call.taken.take() else {
            return;
        };
        let settlement = Settlement::of_unsent(taken);
        let (upstream, latency) = ("refused", Duration::ZERO);
        let outcome = OutcomeLine {
            upstream,
            latency,
            settlement: Some(&settlement),
        };
        let mut bytes = Vec::new();
        line::outcome(&mut bytes, self.now, Uuid::nil(), &outcome);
        self.journals[call.worker].append(&bytes).unwrap();
        call.refunded = Some(self.journals[call.worker].position().offset);
        self.counters.give_back(settlement);
    }

    /// The machine dies: of what came after the last snapshot, each journal keeps some bytes. Says how many in all.
    fn crash(&mut self, kept: [u16; 2]) -> [u64; 2] {
        let mut ends = [0; 2];
        for worker in 0..2 {
            let path = self.dir.path().join("journal").join(name(worker as u32, 1));
            let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            let after = file.metadata().unwrap().len() - self.kept[worker];
            ends[worker] =
                self.kept[worker] + after * u64::from(kept[worker]) / u64::from(u16::MAX);
            file.set_len(ends[worker]).unwrap();
        }
        ends
    }

    /// What was taken by calls whose decision was acknowledged and whose refund was not, from the counter that the n-th
    /// call to the limit is charged to, as far as it is counted now: each charge.
    fn charges_held(&self, charge: &Charge<'_>, (ends, late): ([u64; 2], i64)) -> Vec<Charged> {
        let key = key_of(charge, "grant");
        let acknowledged = self.calls.iter().flat_map(|call| {
            let is_refunded = call.refunded.is_some_and(|end| end <= ends[call.worker]);
            let is_written = call.written <= ends[call.worker];
            let parts = if is_written { &call.parts[..] } else { &[] };
            let stays =
                move |part: &&(CounterKey, Charged)| !is_refunded || !part.1.is_refundable();
            parts.iter().filter(stays)
        });
        let charged = acknowledged.filter(|part| part.0 == key);
        let window = 60_000_000_000_u64.saturating_add_signed(late);
        let charged = charged.map(|(_, charged)| *charged);
        charged
            .filter(|charged| charged.at().nanos() + window > self.now.nanos())
            .collect()
    }

    /// How many calls of a limit that counts calls these are.
    fn held(&self, limit: usize, ends: [u64; 2], late: i64) -> u64 {
        self.charges_held(&whole(&self.limits[limit]), (ends, late))
            .len() as u64
    }
}

/// Calls of one counter count as a nanosecond apart: while one after the other is tried at one moment, what was to leave
/// within so many nanoseconds leaves. (A history whose steps add up to exactly one window once failed for that.)
const TRIED: i64 = -2_100;

/// How many calls the limit admits at once.
fn room(counters: &Counters, limit: &Limit, now: Timestamp) -> u64 {
    let mut limits = limits();
    limits[limit.index] = limit.clone();
    let account = account(counters, &limits);
    let charges = charges(std::slice::from_ref(limit));
    let calls = (0..2_100).map(|_| counters.admit_in_test(&charges, &account, now));
    calls.take_while(Result::is_ok).count() as u64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_a_crash_at_any_byte_what_was_acknowledged_counts(
        steps in prop::collection::vec(step(), 1..120),
        kept in prop_oneof![Just([u16::MAX; 2]), any::<[u16; 2]>()],
        down in prop_oneof![Just(0), 0..70_000_u64],
    ) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        let ends = world.crash(kept);
        world.now = world.now.plus(Duration::from_millis(down));
        let journal = world.dir.path().join("journal");

        let mut restored = replay(&world.store, &journal).unwrap().history;
        let other = folder_in_memory();
        let fresh = Store::open(other.path()).unwrap();
        fresh.save_counters(Default::default()).wait().unwrap();
        let mut pure = replay(&fresh, &journal).unwrap().history;
        let counters = super::restored(&restored);
        restored.forget();
        pure.forget();
        prop_assert_eq!(&restored, &pure, "snapshot and tail tell what the whole journal tells");

        let limits = &world.limits;
        let exact = room(&counters, &limits[0], world.now);
        // More than fit are acknowledged where a refund was lost and its place was taken.
        let left = |late| 30_u64.saturating_sub(world.held(0, ends, late));
        prop_assert!(exact >= left(0), "exact: too few");
        prop_assert!(exact <= left(TRIED), "exact: too many");
        let sliced = room(&counters, &limits[1], world.now);
        prop_assert!(sliced <= 2_000 - world.held(1, ends, TRIED), "sliced: too many");
        prop_assert!(sliced >= 2_000 - world.held(1, ends, 60_000_000_000 / 64), "sliced: too few");
        let burst = room(&counters, &limits[2], world.now);
        prop_assert!(burst + world.held(2, ends, TRIED) <= 12, "burst: too many");
        if kept == [u16::MAX; 2] && !world.is_edited {
            prop_assert_eq!(burst, room(&world.counters, &limits[2], world.now), "burst");
        }

        for call in 0..2 {
            let charge = charge(&limits[3], call);
            let left = |late| {
                let held = world.charges_held(&charge, (ends, late));
                let held = held.iter().filter_map(|charged| charged.amount());
                Amount::from_millionths(50_000_000 - held.map(Amount::millionths).sum::<u64>())
            };
            let account = account(&counters, limits);
            let admits = |amount| {
                counters.admit_in_test(&[Charge { amount, ..charge }], &account, world.now).is_ok()
            };
            let more = left(TRIED).plus(Amount::from_millionths(1));
            prop_assert!(!admits(more) && admits(left(0)), "amounts of one value");
        }

        compact(&world.store, &journal, &[]).unwrap();
        let again = replay(&world.store, &journal).unwrap().history;
        prop_assert_eq!(&again, &restored, "a snapshot tells the same once more");
    }
}
