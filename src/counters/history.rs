//! What counters remember, told as what happened to them: the form in which they outlive the process.
//!
//! It never looks at a live counter. It is built from the journal's lines and nothing else, in any order that has each
//! refund after its charge, so that what was read up to a place in the journal is exactly what happened up to there.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::bucket::Bucket;
use super::key::CounterKey;
use super::taken::Charged;
use super::tally::Opener;
use crate::clock::Timestamp;
use crate::policy::Amount;

/// What happened to all counters.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct History {
    pub(super) counters: HashMap<CounterKey, Past>,
    newest: Timestamp,
}

/// What happened to one counter.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) exact: BTreeMap<Timestamp, Amount>,
    pub(super) slices: BTreeMap<Timestamp, Amount>,
    pub(super) slots: BTreeSet<Timestamp>,
    /// Who opened it by what it sent, if it was opened so.
    pub(super) opener: Option<Opener>,
    /// The newest charge of the bucket, and when that was.
    pub(super) bucket: Option<(Timestamp, Bucket)>,
}

impl History {
    /// The newest time that anything in it bears.
    pub fn newest(&self) -> Timestamp {
        self.newest
    }

    /// How many counters it tells of.
    pub fn len(&self) -> usize {
        self.counters.len()
    }

    /// Whether it tells of no counter.
    pub fn is_empty(&self) -> bool {
        self.counters.is_empty()
    }

    /// Something happened then, whatever it was.
    pub fn saw(&mut self, at: Timestamp) {
        self.newest = self.newest.max(at);
    }

    /// A counter was charged.
    pub fn charge(&mut self, key: CounterKey, charged: Charged) {
        self.saw(charged.at());
        if charged.amount().is_some_and(Amount::is_nothing) {
            return;
        }
        let past = self.counters.entry(key).or_default();
        match charged {
            Charged::Call { until, amount, .. } => {
                past.exact.insert(until, amount);
            }
            Charged::Slice { until, amount, .. } => {
                let slice = past.slices.entry(until).or_default();
                *slice = slice.plus(amount);
            }
            Charged::Slot { until, .. } => {
                past.slots.insert(until);
            }
            Charged::Burst { at, until, period } => {
                let newer = (at, Bucket { until, period });
                let is_newer = past.bucket.is_none_or(|(kept, _)| kept <= at);
                past.bucket = if is_newer { Some(newer) } else { past.bucket };
            }
        }
    }

    /// A counter that was charged may have been opened by this grant; the first one that says so did it.
    pub fn opened(&mut self, key: CounterKey, opener: Opener) {
        if let Some(past) = self.counters.get_mut(&key) {
            past.opener.get_or_insert(opener);
        }
    }

    /// A charge was given back.
    pub fn refund(&mut self, key: CounterKey, charged: Charged) {
        let Some(past) = self.counters.get_mut(&key) else {
            return;
        };
        match charged {
            Charged::Call { until, .. } => {
                past.exact.remove(&until);
            }
            Charged::Slice { until, amount, .. } => {
                if let Some(slice) = past.slices.get_mut(&until) {
                    *slice = slice.minus(amount);
                }
            }
            Charged::Slot { until, .. } => {
                past.slots.remove(&until);
            }
            Charged::Burst { .. } => {}
        }
    }

    /// Lets go of all that has left its window by the newest time seen: time never goes back behind that.
    pub fn forget(&mut self) {
        let newest = self.newest;
        let after = Timestamp::from_nanos(newest.nanos() + 1);
        self.counters.retain(|_, past| {
            past.exact = past.exact.split_off(&after);
            past.slots = past.slots.split_off(&after);
            past.slices
                .retain(|until, amount| *until > newest && !amount.is_nothing());
            past.bucket = past.bucket.filter(|(_, bucket)| bucket.until > newest);
            let opener = past.opener;
            *past
                != Past {
                    opener,
                    ..Past::default()
                }
        });
    }

    /// Each counter in a form to keep.
    pub fn to_kept(&self) -> impl Iterator<Item = ([u8; 16], Vec<u8>)> {
        let counters = self.counters.iter();
        counters.map(|(key, past)| (key.to_bytes(), past.to_bytes()))
    }

    /// Reads back what [`History::to_kept`] gave; `None` if a counter's bytes are not of that form.
    pub fn from_kept(
        newest: Timestamp,
        kept: impl Iterator<Item = ([u8; 16], Vec<u8>)>,
    ) -> Option<History> {
        let counters = kept
            .map(|(key, past)| Some((CounterKey::from_bytes(key), Past::from_bytes(&past)?)))
            .collect::<Option<_>>()?;
        Some(History { counters, newest })
    }
}

/// The form of the bytes, so that a later one can be told apart.
const FORM: u64 = 4;
/// The form that did not know who opened a counter.
const FORM_WITHOUT_OPENER: u64 = 3;
/// The form without calls in flight.
const FORM_WITHOUT_SLOTS: u64 = 2;
/// The form in which every call took one: no exact call had an amount, and slices had numbers of calls.
const FORM_OF_CALLS: u64 = 1;

impl Past {
    /// Numbers of eight bytes: the form, who opened it or 0, how many exact takings, they, how many slices, they, how many calls in flight,
    /// they, the bucket if there is one.
    fn to_bytes(&self) -> Vec<u8> {
        let mut numbers = vec![FORM, self.opener.map_or(0, Opener::number)];
        for takings in [&self.exact, &self.slices] {
            numbers.push(takings.len() as u64);
            for (until, amount) in takings {
                numbers.extend([until.nanos(), amount.millionths()]);
            }
        }
        numbers.push(self.slots.len() as u64);
        numbers.extend(self.slots.iter().map(|until| until.nanos()));
        if let Some((at, Bucket { until, period })) = self.bucket {
            numbers.extend([at.nanos(), until.nanos(), period]);
        }
        numbers.into_iter().flat_map(u64::to_le_bytes).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Past> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let mut numbers = numbers.iter().map(|number| u64::from_le_bytes(*number));
        let form = numbers.next()?;
        if !rest.is_empty() || !(FORM_OF_CALLS..=FORM).contains(&form) {
            return None;
        }
        let has_amounts = form != FORM_OF_CALLS;
        let mut past = Past::default();
        if form > FORM_WITHOUT_OPENER {
            past.opener = Opener::from_number(numbers.next()?);
        }
        for _ in 0..numbers.next()? {
            let until = Timestamp::from_nanos(numbers.next()?);
            let amount = match has_amounts {
                true => Amount::from_millionths(numbers.next()?),
                false => Amount::ONE,
            };
            past.exact.insert(until, amount);
        }
        for _ in 0..numbers.next()? {
            let until = Timestamp::from_nanos(numbers.next()?);
            let number = numbers.next()?;
            let amount = match has_amounts {
                true => Amount::from_millionths(number),
                false => Amount::whole(number),
            };
            past.slices.insert(until, amount);
        }
        if form > FORM_WITHOUT_SLOTS {
            for _ in 0..numbers.next()? {
                past.slots.insert(Timestamp::from_nanos(numbers.next()?));
            }
        }
        if let Some(at) = numbers.next() {
            let until = Timestamp::from_nanos(numbers.next()?);
            let period = numbers.next()?;
            past.bucket = Some((Timestamp::from_nanos(at), Bucket { until, period }));
        }
        numbers.next().is_none().then_some(past)
    }
}
