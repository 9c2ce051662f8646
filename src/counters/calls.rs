//! Calls that took one each, kept by the moments at which they leave: a ring in eight bytes a call.
//!
//! It never has room for more calls than it is told there can be.

use crate::clock::Timestamp;

/// The moments, in the order of time, in a ring: whoever comes is put behind the last, whoever leaves was the first.
#[derive(Debug, Default)]
pub(super) struct Calls {
    ring: Box<[Timestamp]>,
    first: u16,
    len: u16,
    _form: Form,
}

/// A byte that has one value: `Held` keeps in it which of its forms it has, and is eight bytes smaller for it.
#[derive(Debug, Default)]
#[repr(u8)] // else it would be no byte at all
enum Form {
    #[default]
    Calls,
}

impl Calls {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len.into()
    }

    /// The moment at which the call with so many before it leaves.
    pub(super) fn at(&self, index: usize) -> Option<Timestamp> {
        (index < self.len()).then(|| self.ring[self.place(index)])
    }

    /// The moment at which the last of them leaves.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.at(self.len().checked_sub(1)?)
    }

    /// All of them, in the order of time.
    pub(super) fn iter(&self) -> impl Iterator<Item = Timestamp> {
        (0..self.len()).filter_map(|index| self.at(index))
    }

    /// Lets go of those that have left by `at`.
    pub(super) fn expire(&mut self, at: Timestamp) {
        while self.at(0).is_some_and(|until| until <= at) {
            self.first = short(self.place(1));
            self.len -= 1;
        }
    }

    /// Puts one behind the others. There will never be more than `most` of them, at most [`u16::MAX`].
    pub(super) fn push(&mut self, until: Timestamp, most: usize) {
        if self.len() == self.ring.len() {
            self.grow(most);
        }
        let place = self.place(self.len());
        self.ring[place] = until;
        self.len += 1;
    }

    /// Takes one out; nothing happens if it has left.
    pub(super) fn remove(&mut self, until: Timestamp) {
        let before = |index: usize| self.at(index).is_some_and(|other| other < until);
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match before(middle) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        if self.at(low) != Some(until) {
            return;
        }
        for index in low + 1..self.len() {
            let (to, from) = (self.place(index - 1), self.place(index));
            self.ring[to] = self.ring[from];
        }
        self.len -= 1;
    }

    /// For how many there is room.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.ring.len()
    }

    /// Doubles as a vector does, but never makes room for more than there can be.
    fn grow(&mut self, most: usize) {
        let len = self.len();
        let more = len.max(4).min(most.saturating_sub(len)).max(1);
        let mut ring = Vec::with_capacity(len + more);
        ring.extend(self.iter());
        ring.resize(len + more, Timestamp::default());
        self.ring = ring.into_boxed_slice();
        self.first = 0;
    }

    fn place(&self, index: usize) -> usize {
        let place = usize::from(self.first) + index;
        // No division: it takes longer than all else here.
        match place.checked_sub(self.ring.len()) {
            Some(wrapped) => wrapped,
            None => place,
        }
    }
}

fn short(place: usize) -> u16 {
    u16::try_from(place).expect("a ring has no more than 65,536 places")
}
