//! A gateway that lives through a history, with the naive log beside it.
//!
//! It never tells the log what a counter holds: only which calls were admitted, when, and which gave back.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::journal::{Journals, Line};
use super::log::{APART, Back, CALL_MAX, Log, Name, WINDOW};
use super::*;

const GRANTS: [&str; 2] = ["a", "b"];

/// A call that was admitted.
struct Made {
    taken: Option<Taken>,
    /// What it was charged by.
    policy: Rc<Policed>,
    parts: Vec<Part>,
    has_left: bool,
}

/// What it took from one counter.
#[derive(Debug, Clone, Copy)]
struct Part {
    name: Name,
    millionths: u64,
    /// The `max` of then.
    max: u64,
    key: CounterKey,
    until: Timestamp,
    /// What came from a bucket is never given back.
    is_from_bucket: bool,
}

pub(super) struct World {
    counters: Counters,
    journals: Journals,
    log: Log,
    now: Timestamp,
    /// No thread of this process looked at the clock before.
    begun: Timestamp,
    edited: u64,
    policy: Rc<Policed>,
    accounts: [Account; 2],
    calls: Vec<Made>,
    /// The call that was just refused, and from when on it was told to have room.
    refused: Option<(Call, Timestamp)>,
    /// What has happened.
    pub(super) met: BTreeSet<&'static str>,
}

impl World {
    pub(super) fn new(policy: Policed) -> World {
        let counters = many();
        World {
            accounts: accounts(&counters, &policy),
            policy: Rc::new(policy),
            counters,
            journals: Journals::default(),
            log: Log::default(),
            now: START,
            begun: START,
            edited: 0,
            calls: Vec::new(),
            refused: None,
            met: BTreeSet::new(),
        }
    }

    pub(super) fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        let refused = self.refused.take();
        match step {
            Step::Call(call) => self.call(call)?,
            Step::Retry(call, times) => {
                for _ in 0..times {
                    self.call(Call {
                        leaves: true,
                        ..call
                    })?;
                    self.end(0, End::Failed)?;
                }
            }
            Step::AsTold => self.wait_as_told(refused)?,
            Step::Pass(nanos) => self.now = self.now.plus(Duration::from_nanos(nanos)),
            Step::Unsent(ago) => self.unsent(ago),
            Step::End(ago, end) => self.end(ago, end)?,
            Step::Reload(policy) => self.reload(policy),
            Step::Sweep => self.counters.sweep(self.now),
            Step::Compact => self.journals.compact(),
            Step::Restart(later) => self.restart(later),
            Step::Crash(most, later) => {
                self.crash(most);
                self.restart(later);
            }
        }
        Ok(())
    }

    fn wait_as_told(&mut self, refused: Option<(Call, Timestamp)>) -> Result<(), TestCaseError> {
        let Some((call, opens)) = refused else {
            return Ok(());
        };
        self.now = self.now.max(opens);
        self.call(Call { early: 0, ..call })?;
        prop_assert!(self.refused.is_none(), "{call:?} waited as told in vain");
        self.met.insert("a wait as told");
        Ok(())
    }

    fn call(&mut self, call: Call) -> Result<(), TestCaseError> {
        // Who was refused before was told of a world without this call.
        self.refused = None;
        let policy = self.policy.clone();
        let charges = policy.charges(call);
        let now = Timestamp::from_nanos(self.now.nanos() - call.early).max(self.begun);
        let account = &self.accounts[call.grant];
        match self.counters.admit(&charges, account, now) {
            Ok(admitted) => self.admitted((call, &policy), &charges, admitted),
            Err(Denial::LimitReached(full)) => {
                let index = full.limit.index;
                let charge = charges.iter().find(|charge| charge.limit.index == index);
                let charge = charge.expect("the limit was charged");
                prop_assert!(!full.limit.is_shadow, "what is tried out refuses nothing");
                self.check_refused((policy.kinds[index], call), charge, now)?;
                let opens = now.plus(full.retry_after);
                self.refused = Some((call, opens));
                self.met.insert("a refusal");
                Ok(())
            }
            Err(other) => Err(TestCaseError::fail(format!("{other:?}"))),
        }
    }

    fn admitted(
        &mut self,
        (call, policy): (Call, &Rc<Policed>),
        charges: &[Charge<'_>],
        admitted: Admitted<'_>,
    ) -> Result<(), TestCaseError> {
        let shadowed: Vec<usize> = admitted.shadowed().iter().map(|f| f.limit.index).collect();
        let taken = admitted.into_taken();
        let mut parts = Vec::new();
        for charge in charges {
            let kind = policy.kinds[charge.limit.index];
            let name = Name::of(kind, call);
            if shadowed.contains(&charge.limit.index) {
                let now = Timestamp::from_nanos(self.now.nanos() - call.early).max(self.begun);
                self.check_refused((kind, call), charge, now)?;
                self.met.insert("a refusal in shadow");
                continue;
            }
            let key = key_of(charge, GRANTS[call.grant]);
            let part = taken.parts().find(|(own, _)| *own == key);
            let (_, charged) = part.expect("every charge was taken from the counter it names");
            let at = charged.at().nanos();
            if matches!(charged, Charged::Slice { .. }) && kind == Kind::Sliced {
                self.met.insert("a slice");
            }
            self.log
                .add(name, (at, charge.amount.millionths()), self.calls.len());
            self.check_admitted(name, charge, at)?;
            parts.push(Part {
                name,
                millionths: charge.amount.millionths(),
                max: charge.limit.capacity().millionths(),
                key,
                until: charged.until(),
                is_from_bucket: charge.limit.burst.is_some(),
            });
        }
        let mut line = Line::of_decision(self.calls.len(), self.now, &taken);
        line.has_left = call.leaves;
        self.journals.write(line);
        self.calls.push(Made {
            taken: Some(taken),
            policy: policy.clone(),
            parts,
            has_left: call.leaves,
        });
        Ok(())
    }

    /// The log has the call already.
    fn check_admitted(
        &mut self,
        name: Name,
        charge: &Charge<'_>,
        at: u64,
    ) -> Result<(), TestCaseError> {
        let (limit, max) = (charge.limit, charge.limit.capacity().millionths());
        let held = self.log.least(name, at);
        prop_assert!(
            held <= max || charge.amount.is_nothing(),
            "{name:?} holds {held} of {max}"
        );
        if name.kind == Kind::Calendar && self.log.rolling(name, at) > max {
            self.met.insert("two periods that meet");
        }
        if let Some(burst) = limit.burst {
            let refilled = limit.max.get() - u64::from(burst.get());
            let period = WINDOW.div_ceil(refilled);
            let outruns = self.log.outruns(name, (self.edited, burst.get()), period);
            prop_assert!(!outruns, "{name:?} is faster than {limit:?}");
            self.met.insert("a burst");
        }
        Ok(())
    }

    fn check_refused(
        &self,
        (kind, call): (Kind, Call),
        charge: &Charge<'_>,
        now: Timestamp,
    ) -> Result<(), TestCaseError> {
        // A bucket refuses before `max` is reached; that its waits are honest is checked where they are waited for.
        if kind == Kind::Burst {
            return Ok(());
        }
        let wanted = self.log.most(Name::of(kind, call), now.nanos()) + charge.amount.millionths();
        let max = charge.limit.capacity().millionths();
        prop_assert!(wanted > max, "{kind:?} refused {wanted} of {max}");
        Ok(())
    }

    /// The call so many calls ago, if this process still has it.
    fn taken(&mut self, ago: usize, has_left: bool) -> Option<(usize, Taken)> {
        let index = self.calls.len().checked_sub(ago + 1)?;
        let made = &mut self.calls[index];
        let taken = made.taken.take_if(|_| made.has_left == has_left)?;
        Some((index, taken))
    }

    fn unsent(&mut self, ago: usize) {
        let Some((index, taken)) = self.taken(ago, false) else {
            return;
        };
        let parts = self.calls[index].parts.iter();
        for part in parts.filter(|part| !part.is_from_bucket) {
            self.log.mark(part.name, index, Back::Given);
        }
        let settlement = Settlement::of_unsent(taken);
        self.write_and_give(index, settlement);
        self.met.insert("a call that was not sent");
    }

    fn end(&mut self, ago: usize, end: End) -> Result<(), TestCaseError> {
        let Some((index, taken)) = self.taken(ago, true) else {
            return Ok(());
        };
        let policy = self.calls[index].policy.clone();
        let failures = match end {
            End::Well => Failures::NONE,
            End::Failed => Failures::NONE.with(Failure::ErrorResult),
        };
        let with = (&policy.limits[..], &self.accounts[0]);
        let settlement = self.counters.settle(taken, failures, with, self.now);
        self.check_settled(index, &settlement, end)?;
        self.write_and_give(index, settlement);
        Ok(())
    }

    /// Checks what a call's end gives back, and tells the log of it.
    fn check_settled(
        &mut self,
        index: usize,
        settlement: &Settlement,
        end: End,
    ) -> Result<(), TestCaseError> {
        for part in self.calls[index].parts.clone() {
            let name = part.name;
            if name.kind == Kind::InFlight {
                self.log.mark(name, index, Back::Given);
                self.met.insert("an end in flight");
                continue;
            }
            let is_asked = end == End::Failed && name.kind.forgives();
            let mut refunded = settlement.refunded().parts();
            let refunds = part.key.of_refunds();
            if refunded.any(|(key, _)| key == part.key) {
                prop_assert!(is_asked, "{name:?} gave back for nothing");
                let mut counted = settlement.charged().parts();
                let counted = counted.find(|(key, _)| *key == refunds);
                let (_, counted) = counted.expect("a refund is counted");
                let at = counted.at().nanos();
                self.log
                    .add(name.of_refunds(), (at, part.millionths), index);
                let held = self.log.least(name.of_refunds(), at);
                prop_assert!(held <= part.max, "{name:?} gave back {held}");
                self.log.mark(name, index, Back::Given);
                self.met.insert("a refund for a failure");
            } else if is_asked && part.millionths > 0 && part.until > self.now {
                let wanted = self.log.most(name.of_refunds(), self.now.nanos()) + part.millionths;
                prop_assert!(wanted > part.max, "{name:?} kept what it should give back");
                self.met.insert("a refund over the cap");
            }
        }
        Ok(())
    }

    fn write_and_give(&mut self, index: usize, settlement: Settlement) {
        let line = Line::of_outcome(index, self.now, &settlement);
        self.journals.write(line);
        self.counters.give_back(settlement);
    }

    fn reload(&mut self, policy: Policed) {
        self.edited = self.now.nanos() + APART;
        self.policy = Rc::new(policy);
        self.accounts = accounts(&self.counters, &self.policy);
    }

    fn crash(&mut self, most: [usize; 2]) {
        for line in self.journals.cut(most) {
            let is_decision = line.is_decision;
            for Part { name, .. } in &self.calls[line.call].parts {
                self.log.strike(name.of_refunds(), line.call);
                match is_decision {
                    true => self.log.strike(*name, line.call),
                    false => self.log.mark(*name, line.call, Back::Kept),
                }
            }
            self.met.insert(match is_decision {
                true => "a decision lost in a crash",
                false => "an outcome lost in a crash",
            });
        }
    }

    /// The newest time that is kept is the oldest that the clock may show: a wall clock that was set back is not followed.
    fn restart(&mut self, later: u64) {
        let history = self.journals.read();
        self.counters = restored(&history);
        self.accounts = accounts(&self.counters, &self.policy);
        let newest = history.newest().max(START);
        self.now = newest.plus(Duration::from_nanos(later));
        self.begun = self.now;
        for made in &mut self.calls {
            made.taken = None;
        }
        self.met.insert("a restart");
    }
}

fn accounts(counters: &Counters, policy: &Policed) -> [Account; 2] {
    GRANTS.map(|grant| account_of(counters, grant, &policy.limits).with_calls_of(CALL_MAX))
}
