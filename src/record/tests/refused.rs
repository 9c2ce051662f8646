//! Where nobody knows what was admitted there is no start: each case, and what its error says to do.

use super::replay::{Data, decisions, left};
use super::*;
use crate::store::{KeptCounters, Position, Store};
use segment::Segments;

/// Two segments of two lines each.
fn two_segments() -> (Data, Vec<Vec<u8>>) {
    let (data, lines) = (Data::new(), decisions(4));
    std::fs::create_dir(data.journal()).unwrap();
    for segment in [1, 2] {
        let own = &lines[2 * segment as usize - 2..][..2];
        std::fs::write(data.segment(segment), own.concat()).unwrap();
    }
    (data, lines)
}

/// The error of a start, which must say this.
fn refused(data: &Data, says: &[&str]) -> ReplayError {
    let error = data.replay().expect_err("nobody knows what was admitted");
    let text = error.to_string();
    for word in says {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
    error
}

#[test]
fn a_garbled_line_among_others_is_refused_with_its_file_and_number() {
    for garbled in [
        "{\"kind\":\"decision\"\n",
        "\n",
        "{\"kind\":\"other\",\"ns\":1}\n",
        "\u{0}\n",
    ] {
        let (data, lines) = (Data::new(), decisions(3));
        let mut segments = Segments::open(&data.journal(), 0).unwrap();
        for line in [&lines[0][..], garbled.as_bytes(), &lines[1]] {
            segments.append(line).unwrap();
        }
        let says = ["line 2 ", "0-00000001.jsonl", "delete that line"];
        let error = refused(&data, &says);
        assert!(matches!(error, ReplayError::Garbled { line: 2, .. }));
        assert!(compact(&data.store, &data.journal(), &[]).is_err());
        // What the error says helps.
        std::fs::write(data.segment(1), [&lines[0][..], &lines[1]].concat()).unwrap();
        assert_eq!(left(&data), 8);
    }
}

#[test]
fn a_garbled_line_behind_a_snapshot_has_its_number_in_the_file() {
    let (data, lines) = (Data::new(), decisions(3));
    let mut segments = Segments::open(&data.journal(), 0).unwrap();
    segments.append(&lines[0]).unwrap();
    segments.append(&lines[1]).unwrap();
    data.compact();
    segments.append(b"garbled\n").unwrap();
    segments.append(&lines[2]).unwrap();
    refused(&data, &["line 3 "]);
}

#[test]
fn a_torn_line_is_refused_where_the_worker_went_on_behind_it() {
    let (data, lines) = two_segments();
    let torn = [&lines[0][..], &lines[1][..40]].concat();
    std::fs::write(data.segment(1), torn).unwrap();
    refused(&data, &["line 2 ", "0-00000001.jsonl"]);
}

#[test]
fn a_journal_without_its_first_segments_is_refused() {
    let (data, _) = two_segments();
    std::fs::remove_file(data.segment(1)).unwrap();
    let error = refused(&data, &["0-00000001.jsonl", "put it back"]);
    assert!(matches!(error, ReplayError::Missing { .. }));
}

#[test]
fn a_journal_that_the_store_never_heard_of_is_refused() {
    let (data, _) = two_segments();
    let other = folder();
    let data = Data {
        store: Store::open(other.path()).unwrap(),
        ..data
    };
    let error = refused(&data, &["put the store back", "full limits"]);
    assert!(matches!(error, ReplayError::Unknown { .. }));
    // A first start that ended before its first snapshot left nothing to know.
    for segment in [1, 2] {
        std::fs::write(data.segment(segment), "").unwrap();
    }
    assert_eq!(left(&data), 10);
}

#[test]
fn a_store_from_before_the_journal_reads_more_of_it_as_far_as_it_is_there() {
    let (data, lines) = two_segments();
    let before = KeptCounters::default();
    data.compact();
    data.store.save_counters(before.clone()).wait().unwrap();
    assert_eq!(left(&data), 6, "all four lines once more");
    assert_eq!(data.compact()[0].offset, lines[2..].concat().len() as u64);
    std::fs::remove_file(data.segment(1)).unwrap();
    assert_eq!(left(&data), 6, "the snapshot does not need it");
    data.store.save_counters(before).wait().unwrap();
    refused(&data, &["0-00000001.jsonl"]);
}

#[test]
fn a_journal_that_is_lost_before_its_first_snapshot_is_missed() {
    let (data, lines) = (Data::new(), decisions(1));
    let two = 2.try_into().unwrap();
    begin(&data.journal(), two).unwrap();
    let positions = data.compact();
    assert_eq!(positions.len(), 2, "both are named before either is used");
    let mut segments = Segments::open(&data.journal(), 1).unwrap();
    segments.append(&lines[0]).unwrap();
    assert_eq!(left(&data), 9);
    begin(&data.journal(), two).unwrap();
    assert_eq!(left(&data), 9, "what is there stays");
    std::fs::remove_dir_all(data.journal()).unwrap();
    refused(&data, &["0-00000001.jsonl", "put it back"]);
}

#[test]
fn a_segment_that_is_shorter_than_is_known_is_refused() {
    let (data, lines) = two_segments();
    let length = lines[..2].concat().len() as u64;
    let mut cut = Vec::new();
    let (segment, longer) = (1, length + 1);
    line::cut(
        &mut cut,
        line::Cut {
            segment,
            length: longer,
        },
    );
    std::fs::write(data.segment(2), cut).unwrap();
    let error = refused(&data, &["has lost its end"]);
    assert!(matches!(error, ReplayError::Short { expected, .. } if expected == longer));

    let (data, _) = two_segments();
    let told = Position {
        worker: 0,
        segment: 2,
        offset: 10_000,
    };
    let error = compact(&data.store, &data.journal(), &[told]);
    assert!(matches!(
        error,
        Err(ReplayError::Short {
            expected: 10_000,
            ..
        })
    ));
}

#[test]
fn fewer_workers_than_before_forget_nothing() {
    let (data, lines) = (Data::new(), decisions(4));
    for (worker, line) in (0..2).zip(&lines) {
        let mut segments = Segments::open(&data.journal(), worker).unwrap();
        segments.append(line).unwrap();
    }
    // One worker goes on alone, over two starts.
    for line in &lines[2..] {
        assert_eq!(data.compact().len(), 2);
        let mut segments = Segments::open(&data.journal(), 0).unwrap();
        segments.append(line).unwrap();
    }
    assert_eq!(left(&data), 6);
    std::fs::remove_file(data.journal().join(name(1, 1))).unwrap();
    refused(&data, &["1-00000001.jsonl"]);
}
