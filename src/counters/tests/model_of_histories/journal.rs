//! What a gateway keeps of a history: two workers' journals, and the snapshot before them.
//!
//! It never looks at a living counter, and never loses the line of a call that has left.

use super::*;
use crate::counters::Opener;

/// One line, with all that a restart reads of it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) call: usize,
    pub(super) is_decision: bool,
    pub(super) written: Timestamp,
    pub(super) charges: Vec<(CounterKey, Charged, Option<Opener>)>,
    pub(super) refunds: Vec<(CounterKey, Charged)>,
    /// The call left once this was written: no crash takes it away.
    pub(super) has_left: bool,
}

impl Line {
    pub(super) fn of_decision(call: usize, written: Timestamp, taken: &Taken) -> Line {
        Line {
            call,
            written,
            is_decision: true,
            charges: charges_of(taken),
            refunds: Vec::new(),
            has_left: false,
        }
    }

    pub(super) fn of_outcome(call: usize, written: Timestamp, settlement: &Settlement) -> Line {
        let refunded = settlement.refunded().parts();
        Line {
            call,
            written,
            is_decision: false,
            charges: charges_of(settlement.charged()),
            refunds: refunded.chain(settlement.released().parts()).collect(),
            has_left: false,
        }
    }
}

fn charges_of(taken: &Taken) -> Vec<(CounterKey, Charged, Option<Opener>)> {
    let parts = taken.parts().zip(taken.openers());
    parts
        .map(|((key, charged), opener)| (key, charged, opener))
        .collect()
}

#[derive(Debug, Default)]
pub(super) struct Journals {
    snapshot: History,
    lines: [Vec<Line>; 2],
}

impl Journals {
    pub(super) fn write(&mut self, line: Line) {
        // A call stays on its worker.
        self.lines[line.call % 2].push(line);
    }

    /// Takes the last lines of each journal away, as far as no call has left on them; the newest one first.
    pub(super) fn cut(&mut self, most: [usize; 2]) -> Vec<Line> {
        let mut lost = Vec::new();
        for (lines, most) in self.lines.iter_mut().zip(most) {
            let left = lines.iter().rposition(|line| line.has_left);
            let first = left.map_or(0, |left| left + 1);
            let keep = lines.len().saturating_sub(most).max(first);
            lost.extend(lines.drain(keep..).rev());
        }
        lost
    }

    /// What a restart reads: one journal after the other.
    pub(super) fn read(&self) -> History {
        let mut history = self.snapshot.clone();
        for line in self.lines.iter().flatten() {
            history.saw(line.written);
            for &(key, charged, opener) in &line.charges {
                history.charge(key, charged);
                if let Some(opener) = opener {
                    history.opened(key, opener);
                }
            }
            for &(key, charged) in &line.refunds {
                history.refund(key, charged);
            }
        }
        history
    }

    /// Makes a snapshot of all lines, as bytes, and begins new journals.
    pub(super) fn compact(&mut self) {
        let mut history = self.read();
        history.forget();
        let kept: Vec<_> = history.to_kept().collect();
        let read = History::from_kept(history.newest(), kept.into_iter());
        self.snapshot = read.expect("what was just written can be read");
        self.lines = Default::default();
    }
}
