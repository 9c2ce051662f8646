//! What a journal line says of counters: which were charged or given back, and what.
//!
//! It never says whose they are: a key is a hash.

use std::borrow::Cow;

use serde::de::Error as _;
use serde::ser::Serializer;
use serde::{Deserialize, Deserializer, Serialize};

use crate::clock::Timestamp;
use crate::counters::{Charged, CounterKey, Opener, Taken};
use crate::policy::Amount;

/// What was taken, part by part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a>(pub(super) &'a Taken);

impl<'a> Parts<'a> {
    /// `None` where nothing was taken.
    pub(super) fn if_any(taken: &'a Taken) -> Option<Parts<'a>> {
        taken.parts().next().map(|_| Parts(taken))
    }
}

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let parts = self.0.parts().zip(self.0.openers());
        to.collect_seq(parts.map(LineCharge::of))
    }
}

/// A list also where there is nothing, so that whoever reads lines need not ask whether it is there.
pub(super) fn parts<S: Serializer>(parts: &Option<Parts<'_>>, to: S) -> Result<S::Ok, S::Error> {
    match parts {
        Some(parts) => parts.serialize(to),
        None => to.collect_seq(std::iter::empty::<LineCharge>()),
    }
}

/// What a line says of one counter: `until` and `period` are those of [`Charged`], `amount` is in millionths, and one
/// where it is left out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LineCharge {
    #[serde(serialize_with = "text", deserialize_with = "key")]
    counter: CounterKey,
    at: u64,
    until: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sliced: bool,
    /// A place among calls in flight.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    slot: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<u64>,
    /// Whose calls' content may have opened the counter; see [`Opener`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opener: Option<u64>,
}

impl LineCharge {
    fn of(((counter, charged), opener): ((CounterKey, Charged), Option<Opener>)) -> LineCharge {
        let period = match charged {
            Charged::Burst { period, .. } => Some(period),
            _ => None,
        };
        let amount = charged.amount().filter(|amount| *amount != Amount::ONE);
        LineCharge {
            counter,
            at: charged.at().nanos(),
            until: charged.until().nanos(),
            sliced: matches!(charged, Charged::Slice { .. }),
            slot: matches!(charged, Charged::Slot { .. }),
            amount: amount.map(Amount::millionths),
            period,
            opener: opener.map(Opener::number),
        }
    }

    /// The counter's key, and who may have opened it.
    pub(super) fn opened(&self) -> Option<(CounterKey, Opener)> {
        Some((self.counter, Opener::from_number(self.opener?)?))
    }

    /// The counter's key, and what was taken.
    pub(super) fn charged(&self) -> (CounterKey, Charged) {
        let at = Timestamp::from_nanos(self.at);
        let until = Timestamp::from_nanos(self.until);
        let amount = self.amount.map_or(Amount::ONE, Amount::from_millionths);
        let charged = match (self.period, self.sliced) {
            _ if self.slot => Charged::Slot { at, until },
            (Some(period), _) => Charged::Burst { at, until, period },
            (None, true) => Charged::Slice { at, until, amount },
            (None, false) => Charged::Call { at, until, amount },
        };
        (self.counter, charged)
    }
}

fn text<S: Serializer>(key: &CounterKey, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(key)
}

fn key<'de, D: Deserializer<'de>>(from: D) -> Result<CounterKey, D::Error> {
    let text = Cow::<str>::deserialize(from)?;
    CounterKey::from_hex(&text).ok_or_else(|| D::Error::custom("not a counter's key"))
}
