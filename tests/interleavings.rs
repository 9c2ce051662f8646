//! The counters' own code under a scheduler that runs every order in which two or three threads can come, and random
//! orders of more.
//!
//! What is modelled: each counter's lock, the guard's and the tallies', every shared number (how many counters are open, in
//! all and for each grant, and since when), and when a sweep counts the handles. What is not: dashmap, whose place a table
//! behind one lock takes that works in the same steps (`interleavings/map.rs`); the reordering of memory by the machine,
//! for the scheduler is sequentially consistent, though all but those numbers lies behind locks; and the `OnceLock` of an
//! account's slot, in which nobody waits here.
//!
//! The random orders are 50,000; `TOOLGATE_SCHEDULES` says otherwise.

// The room is compiled a second time here, and half of what it offers is not called.
#![allow(dead_code, unreachable_pub, unused_imports)]

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;
use toolgate::json::{Duplicates, Reader};
use toolgate::policy::{Call, Decision, Denial, Facts, Permit, Policy};
use toolgate::{clock, policy};

use clock::Timestamp;
use counters::{Account, Admitted, Bounds, Counters, Guard, GuardSettings, Holder, Secret, Taken};

/// The files of `src/counters` as they are, but for `map.rs` and `sync.rs`.
#[path = "../src/counters"]
mod counters {
    mod account;
    mod bounds;
    mod bucket;
    mod calls;
    mod charge;
    mod concurrent;
    mod counter;
    mod guard;
    mod held;
    mod history;
    mod key;
    #[path = "../../tests/interleavings/map.rs"]
    mod map;
    mod open;
    mod period;
    mod settlement;
    mod standing;
    #[path = "../../tests/interleavings/sync.rs"]
    mod sync;
    mod taken;
    mod tally;
    mod window;

    pub use account::{Account, CALL_MAX_DEFAULT};
    pub use bounds::Bounds;
    pub use guard::{Guard, GuardSettings};
    pub use history::History;
    pub use key::{CounterKey, Holder, Secret};
    pub use open::Counters;
    pub use settlement::Settlement;
    pub use standing::Standing;
    pub use taken::{Admitted, Charged, Taken};
    pub use tally::Opener;

    use open::Kept;
}

const START: Timestamp = Timestamp::from_nanos(1_700_000_000_000_000_000);

/// `one` has one call a minute, `both` has that and one of two for each value, `each` one for each value.
static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let source = r#"{"version":"1","default":"deny","tools":{
        "one":{"limits":["one"]},
        "two":{"limits":["two"]},
        "both":{"limits":["one","two"]},
        "each":{"limits":[{"counter":"each","window":"minute","max":1,"by":["args.to"]}]}},
        "counters":{"one":{"window":"minute","max":1},"two":{"window":"minute","max":2}}}"#;
    Policy::compile(source.as_bytes()).expect("the policy is good")
});

/// Counters, and one grant's account of them.
struct Room {
    counters: Counters,
    account: Account,
}

impl Room {
    fn new() -> Room {
        Room::bounded(10)
    }

    /// At most so many counters for values.
    fn bounded(most: usize) -> Room {
        let per_grant = NonZeroUsize::new(most).expect("some are allowed");
        let all = NonZeroUsize::new(100).expect("100 is not 0");
        let bounds = Bounds { all, per_grant };
        let counters = Counters::new(bounds, Secret::from_bytes([7; 32]));
        let (per_second, burst) = (NonZeroU32::MAX, NonZeroU32::MAX);
        let guard = Arc::new(Guard::new(GuardSettings { per_second, burst }));
        let (grant, server) = ("grant", "server");
        let account = counters.account(Holder { grant, server }, POLICY.limits(), guard);
        Room { counters, account }
    }

    fn call(&self, tool: &str, now: Timestamp) -> Option<Taken> {
        self.call_for(tool, "", now)
    }

    fn call_for(&self, tool: &str, to: &str, now: Timestamp) -> Option<Taken> {
        let admitted = self.counters.charge(permit(tool, to), &self.account, now);
        admitted.ok().map(|admitted| admitted.into_taken())
    }

    /// How many calls of a tool there is room for.
    fn room(&self, tool: &str, now: Timestamp) -> usize {
        (0..9).filter(|_| self.call(tool, now).is_some()).count()
    }
}

fn permit(tool: &str, to: &str) -> Permit<'static> {
    let arguments = format!(r#"{{"to":"{to}"}}"#);
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader.read(arguments.as_bytes());
    let document = document.expect("the arguments are JSON");
    let call = Call {
        tool,
        arguments: Some(document.root()),
    };
    match POLICY.decide(&call, &Facts::NONE).decision {
        Decision::Allow(permit) => permit,
        other => panic!("the policy allows this call, not {other:?}"),
    }
}

/// Every order there is.
fn in_every_order(scenario: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = orders.clone();
    let counted = move || {
        count.fetch_add(1, Ordering::Relaxed);
        scenario();
    };
    shuttle::check_dfs(counted, None);
    let orders = orders.load(Ordering::Relaxed);
    assert!(orders > 100, "{orders} orders are no test of order");
}

/// Runs these at once, each in a thread.
fn at_once(room: &Room, parts: &[&(dyn Fn(&Room) + Sync)]) {
    thread::scope(|scope| {
        for part in parts {
            scope.spawn(move || part(room));
        }
    });
}

fn minutes(count: u32) -> Timestamp {
    START.plus(Duration::from_secs(60) * count)
}

#[test]
fn of_three_threads_one_gets_the_one_call_there_is() {
    in_every_order(|| {
        let room = Room::new();
        // The account's handle is there; its opening is another test's affair.
        assert!(room.call("one", START).is_some());
        let admitted = AtomicUsize::new(0);
        let call = |room: &Room| {
            let is_admitted = room.call("one", minutes(1)).is_some();
            admitted.fetch_add(is_admitted.into(), Ordering::SeqCst);
        };
        at_once(&room, &[&call, &call, &call]);
        assert_eq!(admitted.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn two_threads_that_open_one_counter_share_it() {
    in_every_order(|| {
        let room = Room::bounded(1);
        let admitted = AtomicUsize::new(0);
        let call = |room: &Room| {
            let is_admitted = room.call_for("each", "a", START).is_some();
            admitted.fetch_add(is_admitted.into(), Ordering::SeqCst);
        };
        at_once(&room, &[&call, &call]);
        assert_eq!(admitted.load(Ordering::SeqCst), 1);
        assert_eq!(room.counters.len(), 1);
    });
}

#[test]
fn a_call_takes_from_all_its_limits_or_from_none_beside_another() {
    in_every_order(|| {
        let room = Room::new();
        assert!(room.call("both", START).is_some());
        let admitted = AtomicUsize::new(0);
        let both = |room: &Room| {
            let is_admitted = room.call("both", minutes(1)).is_some();
            admitted.fetch_add(is_admitted.into(), Ordering::SeqCst);
        };
        at_once(&room, &[&both, &both]);
        assert_eq!(admitted.load(Ordering::SeqCst), 1);
        assert_eq!(
            room.room("two", minutes(1)),
            1,
            "the refused one took nothing"
        );
    });
}

#[test]
fn a_counter_that_is_charged_is_not_swept_away_under_the_call() {
    in_every_order(|| {
        let room = Room::new();
        // It remembers nothing a minute later, so that the sweep may take it before the call, and only then.
        assert!(room.call_for("each", "a", START).is_some());
        let now = minutes(1);
        let call = |room: &Room| assert!(room.call_for("each", "a", now).is_some());
        let sweep = |room: &Room| room.counters.sweep(now);
        at_once(&room, &[&call, &sweep]);
        assert!(
            room.call_for("each", "a", now).is_none(),
            "a fresh allowance"
        );
        assert_eq!(room.counters.len(), 1);
    });
}

#[test]
fn a_refund_beside_a_call_gives_back_one_place() {
    in_every_order(|| {
        let room = Room::new();
        let taken = room.call("two", START).expect("there is room");
        let taken = std::sync::Mutex::new(Some(taken));
        let refund = |room: &Room| {
            let taken = taken.lock().expect("nobody panics").take();
            room.counters.refund(taken.expect("it is given back once"));
        };
        let call = |room: &Room| assert!(room.call("two", START).is_some());
        at_once(&room, &[&refund, &call]);
        assert_eq!(room.room("two", START), 1, "of two, one is taken");
    });
}

#[test]
fn two_threads_with_new_values_open_no_more_than_are_allowed() {
    in_every_order(|| {
        let room = Room::bounded(1);
        let admitted = AtomicUsize::new(0);
        let call = |to: &'static str, room: &Room| {
            let is_admitted = room.call_for("each", to, START).is_some();
            admitted.fetch_add(is_admitted.into(), Ordering::SeqCst);
        };
        at_once(&room, &[&|room| call("a", room), &|room| call("b", room)]);
        assert_eq!(admitted.load(Ordering::SeqCst), 1);
        assert_eq!(room.counters.len(), 1);
    });
}

#[test]
fn in_random_orders_of_four_threads_no_promise_breaks() {
    let schedules = std::env::var("TOOLGATE_SCHEDULES").ok();
    let schedules = schedules.map_or(50_000, |text| text.parse().expect("a number of schedules"));
    let scenario = || {
        let room = Room::bounded(2);
        let old = room.call("both", START).expect("there is room");
        assert!(room.call_for("each", "a", START).is_some());
        let now = minutes(1);
        let admitted: [AtomicUsize; 3] = Default::default();
        let call = |at: usize, (tool, to): (&str, &str), room: &Room| {
            let taken = room.call_for(tool, to, now);
            admitted[at].fetch_add(taken.is_some().into(), Ordering::SeqCst);
            taken
        };
        let old = std::sync::Mutex::new(Some(old));
        let first = |room: &Room| {
            call(0, ("both", ""), room);
            call(2, ("each", "a"), room);
        };
        let second = |room: &Room| {
            if let Some(taken) = call(0, ("both", ""), room) {
                room.counters.refund(taken);
                admitted[0].fetch_sub(1, Ordering::SeqCst);
            }
            call(2, ("each", "a"), room);
        };
        let third = |room: &Room| {
            call(1, ("two", ""), room);
            let old = old.lock().expect("nobody panics").take();
            room.counters.refund(old.expect("it is given back once"));
        };
        let fourth = |room: &Room| room.counters.sweep(now);
        at_once(&room, &[&first, &second, &third, &fourth]);
        let [both, two, each] = admitted.map(|count| count.load(Ordering::SeqCst));
        assert_eq!(each, 1, "one call for the value");
        assert!(both <= 1 && two <= 1);
        assert_eq!(room.room("one", now), 1 - both, "what fits is not refused");
        assert_eq!(
            room.room("two", now),
            2 - both - two,
            "refunds gave back what they took"
        );
    };
    shuttle::check_random(scenario, schedules);
}
