//! Counters in the state in which they are found in use: all open, each with about as many calls as it holds.
//!
//! No limit is ever full: the cost is that of admitting. The clock goes on so fast that each counter lets go of one call
//! whenever it takes one.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use toolgate::clock::Timestamp;
use toolgate::counters::{Account, Bounds, Counters, Guard, GuardSettings, Holder, Secret};
use toolgate::json::{Duplicates, Reader};
use toolgate::policy::{Call, Decision, Facts, Permit, Policy};

/// So many tools, or values of `by`, a grant has.
const PLACES_OF_ONE_GRANT: usize = 100;

/// What is counted.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// How it is counted.
    pub(crate) kind: Kind,
    /// How a call finds its counters.
    pub(crate) reach: Reach,
    /// How many limits one call is charged.
    pub(crate) limits: usize,
    /// How many counters there are in all.
    pub(crate) keys: usize,
}

/// A way of counting, with so many calls in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A rolling window.
    Rolling(u64),
    /// A rolling window with a burst, which is GCRA.
    Burst,
    /// A window of the calendar.
    Calendar,
}

/// How a call finds its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The grant's account holds them.
    Account,
    /// By the hash of a value of `by`.
    Subject,
}

impl Kind {
    /// So many calls a second it never refuses.
    pub(crate) fn calls(self) -> u64 {
        match self {
            Kind::Rolling(max) => max,
            Kind::Burst | Kind::Calendar => 10,
        }
    }

    fn limit(self) -> String {
        match self {
            Kind::Rolling(max) => format!(r#""max":{max}"#),
            Kind::Burst => r#""max":20,"burst":10"#.into(),
            Kind::Calendar => r#""max":10,"align":"calendar""#.into(),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Rolling(max) => format!("rolling {max}"),
            Kind::Burst => "burst".into(),
            Kind::Calendar => "calendar".into(),
        };
        let reach = match self.reach {
            Reach::Account => "account",
            Reach::Subject => "by",
        };
        write!(
            f,
            "{kind}, {reach}, {} limits, {} keys",
            self.limits, self.keys
        )
    }
}

/// All counters, and who charges them. A place is what one call can be charged to: one counter of each limit.
pub(crate) struct World {
    /// What it was made for.
    pub(crate) shape: Shape,
    /// What is timed.
    pub(crate) counters: Counters,
    policy: Policy,
    accounts: Vec<Account>,
    places_of_one: usize,
}

impl World {
    /// Accounts, and no counters yet.
    pub(crate) fn new(shape: Shape) -> World {
        // Two threads want places of their own.
        let places = (shape.keys / shape.limits).max(2);
        let places_of_one = PLACES_OF_ONE_GRANT.min(places / 2);
        let policy = policy(shape, places_of_one);
        let much = NonZeroUsize::MAX;
        let bounds = Bounds {
            all: much,
            per_grant: much,
        };
        let counters = Counters::new(bounds, Secret::from_bytes([7; 32]));
        let accounts = (0..places / places_of_one).map(|at| account(&counters, &policy, at));
        World {
            shape,
            accounts: accounts.collect(),
            counters,
            policy,
            places_of_one,
        }
    }

    /// How many places there are.
    pub(crate) fn places(&self) -> usize {
        self.accounts.len() * self.places_of_one
    }

    /// How much time must pass between two calls at one place.
    pub(crate) fn pause(&self) -> Duration {
        Duration::from_millis(1_100)
            / u32::try_from(self.shape.kind.calls()).expect("a small number")
    }

    /// Charges each place so often, one round after the other; says when that ended.
    pub(crate) fn fill(&self, rounds: u64) -> Timestamp {
        let mut now = Timestamp::from_nanos(1_700_000_000_000_000_000);
        let mut clerk = Clerk::new(self);
        for place in 0..self.places() {
            let mut at = now;
            for _ in 0..rounds {
                let (permit, account) = clerk.permit(place);
                let admitted = self.counters.charge(permit, account, at);
                assert!(admitted.is_ok(), "a place with room is full");
                at = at.plus(self.pause());
            }
        }
        for _ in 0..rounds {
            now = now.plus(self.pause());
        }
        now
    }
}

/// Makes permits.
pub(crate) struct Clerk<'w> {
    world: &'w World,
    reader: Reader,
}

impl<'w> Clerk<'w> {
    /// With scratch memory of its own.
    pub(crate) fn new(world: &'w World) -> Clerk<'w> {
        let reader = Reader::new(Duplicates::Refused);
        Clerk { world, reader }
    }

    /// A permit for a call at that place, and the account that pays.
    pub(crate) fn permit(&mut self, place: usize) -> (Permit<'w>, &'w Account) {
        let world = self.world;
        let (grant, within) = (place / world.places_of_one, place % world.places_of_one);
        let (tool, arguments) = match world.shape.reach {
            Reach::Account => (format!("t{within}"), "{}".into()),
            Reach::Subject => ("t0".into(), format!(r#"{{"to":{within}}}"#)),
        };
        let document = self.reader.read(arguments.as_bytes());
        let document = document.expect("the arguments are JSON");
        let call = Call {
            tool: &tool,
            arguments: Some(document.root()),
        };
        match world.policy.decide(&call, &Facts::NONE).decision {
            Decision::Allow(permit) => (permit, &world.accounts[grant]),
            other => panic!("the policy allows this call, not {other:?}"),
        }
    }
}

fn policy(shape: Shape, places: usize) -> Policy {
    let (tools, by) = match shape.reach {
        Reach::Account => (places, ""),
        Reach::Subject => (1, r#","by":["args.to"]"#),
    };
    let numbers = shape.kind.limit();
    let limit = |at| format!(r#"{{"counter":"c{at}","window":"second",{numbers}{by}}}"#);
    let limits: Vec<String> = (0..shape.limits).map(limit).collect();
    let limits = limits.join(",");
    let tool = |at| format!(r#""t{at}":{{"limits":[{limits}]}}"#);
    let tools: Vec<String> = (0..tools).map(tool).collect();
    let tools = tools.join(",");
    let text = format!(r#"{{"version":"1","default":"deny","tools":{{{tools}}}}}"#);
    Policy::compile(text.as_bytes()).expect("the bench's policy is valid")
}

fn account(counters: &Counters, policy: &Policy, at: usize) -> Account {
    let (per_second, burst) = (NonZeroU32::MAX, NonZeroU32::MAX);
    let guard = Guard::new(GuardSettings { per_second, burst });
    let grant = at.to_string();
    let holder = Holder {
        grant: &grant,
        server: "s",
    };
    counters.account(holder, policy.limits(), Arc::new(guard))
}
