//! Collects the limits of a policy: those of one entry, and counters that several share.
//!
//! It never makes two limits of one counter: who names a shared one gets the very same, or its one twin in shadow.

use std::collections::{HashMap, HashSet};

use super::document::Mode;
use super::fields::{Text, nearest};
use super::limit::Limit;
use super::limit_text::{LimitText, LimitUse};
use super::mistake::{Mistakes, escaped};

/// The limits so far.
#[derive(Debug)]
pub(super) struct Limits<'a> {
    all: Vec<Limit>,
    /// Where the counters of `counters` are.
    shared: HashMap<&'a str, usize>,
}

impl<'a> Limits<'a> {
    /// Begins with the counters that any entry may name.
    pub(super) fn with_shared(counters: &[LimitText<'a>]) -> Limits<'a> {
        let mut limits = Limits {
            all: Vec::new(),
            shared: HashMap::new(),
        };
        for text in counters {
            let index = limits.add(text, format!("/counters/{}", escaped(text.counter)));
            limits.shared.insert(text.counter, index);
        }
        limits
    }

    /// The places of the limits of one entry, in the order of the document; `base` begins their ids.
    pub(super) fn of(
        &mut self,
        uses: &[LimitUse<'_>],
        (base, mode): (&str, Mode),
        mistakes: &mut Mistakes,
    ) -> Vec<usize> {
        let mut seen = HashSet::new();
        let mut places = Vec::new();
        for limit in uses {
            let (name, place) = match limit {
                LimitUse::Own(text) => (text.counter, &text.place),
                LimitUse::Shared(text) => (text.text, &text.place),
            };
            if !seen.insert(name) {
                let what = format!("the counter {name:?} is in this entry twice");
                mistakes.add(place, what);
            }
            match limit {
                LimitUse::Own(text) => {
                    let index = self.add(text, format!("{base}/limits/{}", escaped(name)));
                    self.all[index].is_shadow |= mode == Mode::Shadow;
                    places.push(index);
                }
                LimitUse::Shared(text) => {
                    let found = self.shared(text, mistakes);
                    places.extend(found.map(|index| match mode {
                        Mode::Enforced => index,
                        Mode::Shadow => self.in_shadow(index),
                    }));
                }
            }
        }
        places
    }

    /// The limit in shadow, as an entry in shadow charges it: where others enforce it, it has a twin.
    fn in_shadow(&mut self, index: usize) -> usize {
        let limit = &self.all[index];
        let is_twin = |other: &Limit| other.is_shadow && other.rule == limit.rule;
        if let Some(twin) = self.all.iter().position(is_twin) {
            return twin;
        }
        let twin = Limit {
            index: self.all.len(),
            is_shadow: true,
            ..limit.clone()
        };
        self.all.push(twin);
        self.all.len() - 1
    }

    /// The limit at a place.
    pub(super) fn at(&self, index: usize) -> &Limit {
        &self.all[index]
    }

    /// All limits, each at its index.
    pub(super) fn into_all(self) -> Vec<Limit> {
        self.all
    }

    fn shared(&self, name: &Text<'_>, mistakes: &mut Mistakes) -> Option<usize> {
        let found = self.shared.get(name.text).copied();
        if found.is_none() {
            let remedy = match nearest(name.text, self.shared.keys().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "add it there, or write the limit here as an object".into(),
            };
            let what = format!("\"counters\" has no {:?}", name.text);
            mistakes.advise(&name.place, what, remedy);
        }
        found
    }

    fn add(&mut self, text: &LimitText<'_>, rule: String) -> usize {
        let index = self.all.len();
        self.all.push(Limit {
            index,
            rule: rule.into(),
            pointer: text.place.pointer.as_str().into(),
            max: text.measure.max,
            window: text.measure.window,
            align: text.measure.align,
            burst: text.measure.burst,
            scope: text.scope,
            by: text.by.clone().into(),
            increment: text.measure.increment.clone(),
            refund_on: text.measure.refund_on,
            is_shadow: text.is_shadow,
            on_deny: text.on_deny.as_ref().map(|text| text.text.into()),
        });
        index
    }
}
