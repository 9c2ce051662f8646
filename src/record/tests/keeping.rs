//! What `durability` and `audit` promise.

use std::future::poll_fn;
use std::os::unix::fs::symlink;
use std::pin::{Pin, pin};
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, yield_now};

use super::*;
use segment::Segments;

const FSYNC: Keeping = Keeping {
    durability: Durability::Fsync,
    audit: Audit::Required,
};
const BEST_EFFORT: Keeping = Keeping {
    durability: Durability::Write,
    audit: Audit::BestEffort,
};

/// A runtime on which no sync begins until the sender is dropped: its one thread for what blocks is taken.
fn held_disk() -> (Runtime, Sender<()>) {
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (hold, held) = channel::<()>();
    drop(runtime.spawn_blocking(move || held.recv()));
    (runtime, hold)
}

/// Lets the writer go on until so many lines are in the file.
async fn until_written(dir: &Path, count: usize) {
    while lines(dir).len() < count {
        yield_now().await;
    }
}

async fn is_ready(future: &mut (impl Future + Unpin)) -> bool {
    let mut future = Pin::new(future);
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

#[test]
fn no_call_goes_before_its_sync_has_returned_and_calls_that_come_together_share_one() {
    let (dir, one) = (folder(), One::new(100));
    let (journal, writer) = opened_with(dir.path(), FSYNC);
    let progress = journal.progress();
    let (runtime, hold) = held_disk();
    let local = LocalSet::new();
    local.spawn_local(writer.run());
    local.block_on(&runtime, async {
        let calls = |count: usize| -> Vec<_> {
            let calls = (0..count).map(|_| one.admit().unwrap());
            calls
                .map(|call| journal.decision(call, &entry("t", &[])))
                .collect()
        };
        let mut first = calls(20);
        until_written(dir.path(), 20).await;
        let mut flushed = pin!(journal.flushed());
        let mut meanwhile = calls(30);
        for _ in 0..100 {
            yield_now().await;
        }
        for call in first.iter_mut().chain(&mut meanwhile) {
            assert!(!is_ready(call).await, "before the disk had its line");
        }
        assert!(!is_ready(&mut flushed).await, "flushed, but not synced");
        assert_eq!(progress.written().offset, 0, "ahead of the disk");
        assert_eq!(lines(dir.path()).len(), 20, "one batch at a time");
        drop(hold);
        for call in first.into_iter().chain(meanwhile) {
            assert!(call.await.unwrap().is_kept());
        }
    });
    assert_eq!(progress.syncs(), 2, "fifty calls in two batches");
    assert_eq!(lines(dir.path()).len(), 50);
    let length = text(dir.path()).len() as u64;
    assert_eq!(progress.written().offset, length);
}

#[test]
fn without_fsync_nothing_is_synced() {
    let (dir, one) = (folder(), One::new(1));
    let (journal, writer) = opened(dir.path(), 0);
    beside(writer, async {
        let call = journal.decision(one.admit().unwrap(), &entry("t", &[]));
        assert!(call.await.unwrap().is_kept());
    });
    assert_eq!(journal.progress().syncs(), 0);
}

#[test]
fn a_sync_that_fails_loses_its_calls_and_the_journal_goes_on_in_a_new_segment() {
    let (dir, one) = (folder(), One::new(1));
    // Takes every byte, and cannot be synced.
    symlink("/dev/null", dir.path().join(name(0, 1))).unwrap();
    let (journal, writer) = opened_with(dir.path(), FSYNC);
    let progress = journal.progress();
    beside(writer, async {
        let call = journal.decision(one.admit().unwrap(), &entry("lost", &[]));
        one.counters.refund(call.await.unwrap_err().taken);
        assert_eq!((progress.lost_lines(), progress.syncs()), (1, 1));
        assert_eq!(progress.written().offset, 0);
        let call = journal.decision(one.admit().unwrap(), &entry("kept", &[]));
        assert!(call.await.is_ok());
    });
    assert_eq!((progress.lost_lines(), progress.syncs()), (1, 2));
    assert_eq!(progress.written().segment, 2);
    let lines = lines(dir.path());
    let cut = serde_json::json!({ "kind": "cut", "ns": 0, "segment": 1, "length": 0 });
    assert_eq!((&lines[0], &lines[1]["tool"]), (&cut, &"kept".into()));
    assert_eq!(lines.len(), 2);
}

#[test]
fn a_file_that_the_disk_refused_is_cut_back_and_never_gone_on_with() {
    let dir = folder();
    let mut segments = Segments::open(dir.path(), 0).unwrap();
    segments.append(b"{\"kept\":1}\n").unwrap();
    let kept = segments.position();
    segments.write(b"{\"refused\":1}\n").unwrap();
    segments.abandon();
    assert_eq!(segments.position(), kept);
    // A disk that goes on refusing is not filled with files, and what was cut is not forgotten.
    for _ in 0..5 {
        segments.write(b"{\"refused\":2}\n").unwrap();
        segments.abandon();
    }
    segments.append(b"{\"kept\":2}\n").unwrap();
    let cut = format!(
        "{{\"kind\":\"cut\",\"length\":{},\"ns\":0,\"segment\":1}}\n",
        kept.offset
    );
    assert_eq!(
        text(dir.path()),
        format!("{{\"kept\":1}}\n{cut}{{\"kept\":2}}\n")
    );
    assert_eq!(segments.position().segment, 2);
}

#[test]
fn a_new_file_is_synced_with_its_folder_once() {
    let dir = folder();
    let mut segments = Segments::open(dir.path(), 0).unwrap();
    for (round, wanted) in [(1, true), (2, false)] {
        let unsynced = segments.write(b"{}\n").unwrap();
        assert_eq!(unsynced.names_folder(), wanted, "write {round}");
        unsynced.sync().unwrap();
        segments.acknowledge(segment::Synced::Yes);
    }
}

#[test]
fn a_writer_that_ends_during_a_sync_leaves_nobody_waiting() {
    let (dir, one) = (folder(), One::new(2));
    let (journal, writer) = opened_with(dir.path(), FSYNC);
    let (runtime, hold) = held_disk();
    let local = LocalSet::new();
    let (under_way, staged) = local.block_on(&runtime, async {
        let writing = tokio::task::spawn_local(writer.run());
        let under_way = journal.decision(one.admit().unwrap(), &entry("t", &[]));
        until_written(dir.path(), 1).await;
        let staged = journal.decision(one.admit().unwrap(), &entry("t", &[]));
        writing.abort();
        assert!(writing.await.is_err_and(|error| error.is_cancelled()));
        (under_way.await, staged.await)
    });
    assert!(under_way.is_err(), "nobody knows what became of it");
    assert!(staged.is_ok());
    drop(hold);
}

#[test]
fn with_best_effort_a_call_goes_at_once_and_a_lost_line_is_counted() {
    let (dir, one) = (folder(), One::new(3));
    symlink("/dev/full", dir.path().join(name(0, 1))).unwrap();
    let (journal, writer) = opened_with(dir.path(), BEST_EFFORT);
    // Nobody can make the next segment: its name is taken.
    std::fs::create_dir(dir.path().join(name(0, 2))).unwrap();
    beside(writer, async {
        for lost in 1..=2 {
            let mut call = journal.decision(one.admit().unwrap(), &entry("t", &[]));
            assert!(is_ready(&mut call).await, "it does not wait");
            journal.flushed().await;
            assert_eq!(journal.progress().lost_lines(), lost);
        }
        let call = journal.decision(one.admit().unwrap(), &entry("t", &[]));
        assert!(!call.await.unwrap().is_kept(), "and does not claim to be");
    });
    assert!(one.admit().is_none(), "what ran stays charged");
}
