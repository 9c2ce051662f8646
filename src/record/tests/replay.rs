//! What a restart makes of a journal that is not as it was left.

use super::*;
use crate::counters::tests::SECOND;
use crate::counters::{Charged, CounterKey, Taken};
use crate::store::{Position, Store};
use line::Verdict;
use segment::Segments;

/// A data folder with a store and a journal of worker 0.
pub(super) struct Data {
    pub(super) dir: tempfile::TempDir,
    pub(super) store: Store,
}

impl Data {
    /// As after a first start: the store has a snapshot, of nothing.
    pub(super) fn new() -> Data {
        let dir = folder();
        let store = Store::open(dir.path()).unwrap();
        let data = Data { dir, store };
        assert_eq!(data.compact(), []);
        data
    }

    pub(super) fn journal(&self) -> std::path::PathBuf {
        self.dir.path().join("journal")
    }

    pub(super) fn segment(&self, number: u32) -> std::path::PathBuf {
        self.journal().join(name(0, number))
    }

    pub(super) fn replay(&self) -> Result<Replayed, ReplayError> {
        replay(&self.store, &self.journal())
    }

    pub(super) fn compact(&self) -> Vec<Position> {
        compact(&self.store, &self.journal(), &[]).unwrap()
    }
}

fn decision(taken: &Taken) -> Vec<u8> {
    let mut bytes = Vec::new();
    line::decision(&mut bytes, START, &entry("t", &[]), Verdict::allow(taken));
    bytes
}

/// So many decision lines of one limit.
pub(super) fn decisions(count: u64) -> Vec<Vec<u8>> {
    let one = One::new(1_000);
    let taken = (0..count).map(|_| one.admit().unwrap().into_taken());
    taken.map(|taken| decision(&taken)).collect()
}

/// How many calls of ten are left to the limit of `decisions`.
pub(super) fn left(data: &Data) -> usize {
    let history = data.replay().unwrap().history;
    let one = One::new(10);
    let counters = restored(&history);
    let account = account(&counters, &one.limits);
    let charges = charges(&one.limits);
    let calls = (0..20).map(|_| counters.admit_in_test(&charges, &account, START));
    calls.filter(Result::is_ok).count()
}

// Once a start restored what had long left its window too: a journal of 65,536 calls of one limit was one start too many.
#[test]
fn what_has_left_its_window_is_not_restored_however_long_the_journal_is() {
    let data = Data::new();
    let key = CounterKey::from_bytes([7; 16]);
    let mut lines = Vec::new();
    for call in 0..70_000 {
        let at = START.plus(SECOND * call);
        let charged = Charged::Call {
            at,
            until: at.plus(60 * SECOND),
            amount: Amount::ONE,
        };
        let taken = Taken::in_test(key, charged);
        line::decision(&mut lines, at, &entry("t", &[]), Verdict::allow(&taken));
    }
    let mut segments = Segments::open(&data.journal(), 0).unwrap();
    segments.append(&lines).unwrap();
    let history = data.replay().unwrap().history;
    assert_eq!(restored(&history).len(), 1);
    let kept: Vec<_> = history.to_kept().collect();
    let bytes = kept[0].1.len();
    assert!(bytes < 60 * 16 + 100, "{bytes} bytes for the last minute");
}

#[test]
fn a_torn_last_line_is_left_out_and_written_over() {
    let data = Data::new();
    let lines = decisions(3);
    let mut segments = Segments::open(&data.journal(), 0).unwrap();
    segments.append(&lines[0]).unwrap();
    segments.append(&lines[1][..40]).unwrap();
    assert_eq!(left(&data), 9);
    let mut segments = Segments::open(&data.journal(), 0).unwrap();
    assert_eq!(segments.position().offset, lines[0].len() as u64);
    segments.append(&lines[2]).unwrap();
    assert_eq!(left(&data), 8);
}

#[test]
fn a_snapshot_is_read_no_further_than_told_and_goes_on_from_there() {
    let data = Data::new();
    let lines = decisions(5);
    let mut segments = Segments::open(&data.journal(), 0).unwrap();
    segments.append(&lines[0]).unwrap();
    let told = segments.position();
    segments.append(&lines[1]).unwrap();
    let snapshot = compact(&data.store, &data.journal(), &[told]).unwrap();
    assert_eq!(snapshot, [told]);
    assert_eq!(
        tail(&snapshot, &[segments.position()]),
        lines[1].len() as u64
    );
    assert_eq!(left(&data), 8);
    for line in &lines[2..] {
        segments.append(line).unwrap();
        assert_eq!(data.compact(), [segments.position()]);
        assert_eq!(data.compact(), [segments.position()]);
    }
    assert_eq!(left(&data), 5);
    // What is before the snapshot may be carried away or be unreadable.
    let mut bytes = std::fs::read(data.segment(1)).unwrap();
    bytes.fill(b'x');
    std::fs::write(data.segment(1), bytes).unwrap();
    assert_eq!(left(&data), 5);
}

#[test]
fn a_journal_that_lacks_what_the_snapshot_goes_on_in_is_refused() {
    let lines = decisions(4);
    let data = Data::new();
    for (segment, line) in (1..).zip(&lines) {
        std::fs::create_dir_all(data.journal()).unwrap();
        std::fs::write(data.segment(segment), line).unwrap();
    }
    assert_eq!(
        left(&data),
        6,
        "nothing in the snapshot: all segments are read"
    );
    let third = std::fs::read(data.segment(3)).unwrap();
    std::fs::remove_file(data.segment(3)).unwrap();
    let error = data.replay().unwrap_err();
    assert!(
        matches!(&error, ReplayError::Missing { path } if *path == data.segment(3)),
        "{error}"
    );
    assert!(error.to_string().contains("put it back"), "{error}");

    std::fs::write(data.segment(3), third).unwrap();
    data.compact();
    for segment in 1..=3 {
        std::fs::remove_file(data.segment(segment)).unwrap();
    }
    assert_eq!(
        left(&data),
        6,
        "segments before the snapshot are not needed"
    );
    std::fs::write(data.segment(4), &lines[3][..20]).unwrap();
    assert!(matches!(
        data.replay(),
        Err(ReplayError::Short { length: 20, .. })
    ));
    std::fs::remove_dir_all(data.journal()).unwrap();
    assert!(matches!(data.replay(), Err(ReplayError::Missing { .. })));
}

#[test]
fn a_segment_ends_where_the_next_one_says() {
    let data = Data::new();
    let lines = decisions(3);
    std::fs::create_dir(data.journal()).unwrap();
    // The second line was written, could not be acknowledged, and could not be taken back.
    std::fs::write(data.segment(1), [&lines[0][..], &lines[1]].concat()).unwrap();
    let mut next = Vec::new();
    let length = lines[0].len() as u64;
    line::cut(&mut next, line::Cut { segment: 1, length });
    next.extend(&lines[2]);
    std::fs::write(data.segment(2), next).unwrap();
    assert_eq!(left(&data), 8);
    assert_eq!(data.compact()[0].segment, 2);
    assert_eq!(left(&data), 8);
}

#[test]
fn a_journal_that_failed_goes_on_in_a_segment_that_says_where_the_last_one_ended() {
    let data = Data::new();
    std::fs::create_dir(data.journal()).unwrap();
    std::os::unix::fs::symlink("/dev/full", data.segment(1)).unwrap();
    let lines = decisions(2);
    let mut segments = Segments::open(&data.journal(), 0).unwrap();
    assert!(segments.append(&lines[0]).is_err());
    segments.append(&lines[1]).unwrap();
    let written = std::fs::read_to_string(data.segment(2)).unwrap();
    let first: Value = serde_json::from_str(written.lines().next().unwrap()).unwrap();
    assert_eq!(first["kind"], "cut");
    assert_eq!(
        (&first["segment"], &first["length"]),
        (&1.into(), &0.into())
    );
    std::fs::remove_file(data.segment(1)).unwrap();
    std::fs::write(data.segment(1), &lines[0]).unwrap();
    assert_eq!(left(&data), 9, "only what was acknowledged counts");
}

#[test]
fn lines_of_all_workers_count_and_the_newest_time_is_known() {
    let data = Data::new();
    for (worker, line) in (0..).zip(decisions(3)) {
        let mut segments = Segments::open(&data.journal(), worker).unwrap();
        segments.append(&line).unwrap();
    }
    assert_eq!(left(&data), 7);
    assert_eq!(data.compact().len(), 3);
    assert_eq!(left(&data), 7);
    // The third call counts as two nanoseconds later: times of one counter differ.
    let newest = data.replay().unwrap().history.newest();
    assert_eq!(newest.nanos(), START.nanos() + 2);
}

#[test]
fn damaged_counters_in_the_store_are_refused() {
    let data = Data::new();
    let counters = vec![([1; 16], vec![1, 2, 3])];
    let kept = crate::store::KeptCounters {
        counters,
        ..Default::default()
    };
    data.store.save_counters(kept).wait().unwrap();
    assert!(matches!(data.replay(), Err(ReplayError::Snapshot)));
}

#[test]
fn every_kind_of_charge_is_read_as_it_was_written() {
    let (at, until) = (START, START.plus(std::time::Duration::from_secs(60)));
    let amount = Amount::from_millionths(19_990_001);
    let period = 1_200_000_000;
    for charged in [
        Charged::Call { at, until, amount },
        Charged::Slice { at, until, amount },
        Charged::Call {
            at,
            until,
            amount: Amount::ONE,
        },
        Charged::Burst { at, until, period },
    ] {
        let key = crate::counters::CounterKey::from_bytes([9; 16]);
        let taken = Taken::in_test(key, charged);
        let line = line::Line::parse(&decision(&taken)).unwrap();
        assert_eq!(line.charges().collect::<Vec<_>>(), [(key, charged)]);
    }
}
