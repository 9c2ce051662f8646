//! What the journal promises.

use std::borrow::Cow;
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::*;
use crate::counters::Settlement;
use crate::policy::{Ask, Denial, Full, Held, Rule, Unavailable};

const TOKEN: &str = "tg_abcdefghijKLMNOPQRST0123456789";

fn fields(line: &Value) -> Vec<&str> {
    line.as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn a_recorded_call_is_in_the_file() {
    let (dir, one) = (folder(), One::new(10));
    let (journal, writer) = opened(dir.path(), 3);
    beside(writer, async {
        let calls =
            (0..5).map(|_| journal.decision(one.admit().unwrap(), &entry("t", &["a", "b"])));
        for call in calls.collect::<Vec<_>>() {
            let recorded = call.await.unwrap();
            assert_eq!(recorded.request_id(), Uuid::from_u128(7));
            assert_eq!(recorded.taken().parts().count(), 1);
            assert_eq!(lines(dir.path()).len(), 5, "all five went with one write");
        }
    });
    let written = lines(dir.path());
    let line = &written[0];
    let expected = [
        "args",
        "at",
        "charges",
        "decision",
        "grant",
        "kind",
        "ns",
        "pointer",
        "policy",
        "request_id",
        "rule",
        "server",
        "tool",
    ];
    let mut found = fields(line);
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(line["args"], serde_json::json!(["a", "b"]));
    assert_eq!(line["at"], "2023-11-14T22:13:20Z");
    assert_eq!(line["ns"], START.nanos());
    assert_eq!(line["charges"][0]["until"], START.nanos() + 60_000_000_000);
    assert_eq!(line["charges"][0]["counter"].as_str().unwrap().len(), 32);
}

fn rule() -> Rule {
    Rule {
        id: "/tools/t/deny_if/args.a-gt".into(),
        pointer: "/tools/t/deny_if/0".into(),
        on_deny: None,
        words: "args.a must be at most 1".into(),
    }
}

#[test]
fn each_refusal_names_its_rule_and_where_that_stands() {
    let dir = folder();
    let (journal, writer) = opened(dir.path(), 0);
    let (rule, limit) = (&rule(), &limit(0, 1, Window::MINUTE));
    let retry_after = Duration::from_secs(1);
    let words = Cow::Borrowed("args.a must be a number");
    let by_rule = (&*rule.id, Some(&*rule.pointer));
    let by_limit = (&*limit.rule, Some(&*limit.pointer));
    let full = Full {
        limit,
        retry_after,
        left: Amount::NOTHING,
    };
    let no_policy = Denial::Unavailable(Unavailable::NoPolicy);
    let denials = [
        (no_policy, ("(no policy)", None)),
        (Denial::Rule(rule), by_rule),
        (Denial::Argument { rule, words }, by_rule),
        (Denial::LimitReached(full), by_limit),
        (Denial::Guard { retry_after }, ("(guard)", None)),
    ];
    beside(writer, async {
        for (denial, _) in &denials {
            journal.denied(&entry("t", &[]), denial);
        }
        journal.held(&entry("t", &[]), &Held { rule, ask: &ASK });
        journal.flushed().await;
    });
    let written = lines(dir.path());
    let denied = denials.map(|(_, named)| ("deny", named));
    let expected = denied.into_iter().chain([("hold", by_rule)]);
    assert_eq!(written.len(), 6);
    for ((decision, (rule, pointer)), line) in expected.zip(&written) {
        assert_eq!(line["decision"], decision);
        assert_eq!(line["rule"], rule);
        assert_eq!(line["pointer"].as_str(), pointer, "of {rule}");
        assert_eq!(line["charges"], serde_json::json!([]));
    }
}

#[test]
fn an_outcome_says_what_was_given_back() {
    let (dir, one) = (folder(), One::new(10));
    let (journal, writer) = opened(dir.path(), 0);
    let unsent = Settlement::of_unsent(one.admit().unwrap().into_taken());
    beside(writer, async {
        for settlement in [Some(&unsent), None] {
            let (upstream, latency) = ("refused", Duration::from_micros(1_500));
            let outcome = OutcomeLine {
                upstream,
                latency,
                settlement,
            };
            journal.outcome(Uuid::from_u128(9), &outcome);
        }
        journal.flushed().await;
    });
    let written = lines(dir.path());
    assert_eq!(written[0]["kind"], "outcome");
    assert_eq!(written[0]["request_id"], Uuid::from_u128(9).to_string());
    assert_eq!(written[0]["upstream"], "refused");
    assert_eq!(written[0]["latency_ms"], 1.5);
    assert_eq!(written[0]["refunded"].as_array().unwrap().len(), 1);
    assert_eq!(written[1]["refunded"], serde_json::json!([]));
}

#[test]
fn what_an_agent_sent_is_bounded_and_has_no_tokens_in_it() {
    let long_key = "ü".repeat(100);
    let straddling = format!("{}{TOKEN}", "x".repeat(120));
    let many: Vec<&str> = vec!["k"; 70];
    let hidden = format!("a{TOKEN}-b");
    let twice = format!("{TOKEN} {TOKEN}");
    let dir = folder();
    let (journal, writer) = opened(dir.path(), 0);
    let denial = Denial::Unavailable(Unavailable::Hidden);
    beside(writer, async {
        journal.denied(
            &entry(TOKEN, &[&long_key, &straddling, &hidden, &twice]),
            &denial,
        );
        journal.denied(&entry(&"n".repeat(300), &many), &denial);
        journal.denied(&entry("tg_short tg_", &["\"\n\u{0}"]), &denial);
        journal.flushed().await;
    });
    let written = lines(dir.path());
    assert_eq!(written[0]["tool"], "[redacted]");
    let keys = &written[0]["args"];
    assert_eq!(keys[0], "ü".repeat(64));
    assert_eq!(keys[1], format!("{}[redacte", "x".repeat(120)));
    assert_eq!(keys[2], "a[redacted]-b");
    assert_eq!(keys[3], "[redacted] [redacted]");
    assert_eq!(written[1]["tool"], "n".repeat(256));
    assert_eq!(written[1]["args"].as_array().unwrap().len(), 64);
    assert_eq!(written[1]["args_left_out"], 6);
    assert_eq!(written[2]["tool"], "tg_short tg_");
    assert_eq!(written[2]["args"][0], "\"\n\u{0}");
    assert!(
        !text(dir.path()).contains("abcdefghij"),
        "a token's beginning"
    );
}

#[test]
fn a_call_that_cannot_be_written_gets_its_charge_back() {
    let (dir, one) = (folder(), One::new(1));
    for segment in [1, 2] {
        symlink("/dev/full", dir.path().join(name(0, segment))).unwrap();
    }
    // Segment 2 is opened as the last one; 3 is made when it cannot be cut, and is a folder.
    std::fs::create_dir(dir.path().join(name(0, 3))).unwrap();
    std::fs::rename(dir.path().join(name(0, 3)), dir.path().join("aside")).unwrap();
    let (journal, writer) = opened(dir.path(), 0);
    std::fs::rename(dir.path().join("aside"), dir.path().join(name(0, 3))).unwrap();
    beside(writer, async {
        for attempt in 1..=3 {
            let admitted = one.admit().expect("the charge was given back");
            let not_recorded = journal
                .decision(admitted, &entry("t", &[]))
                .await
                .unwrap_err();
            assert!(one.admit().is_none(), "not given back yet");
            one.counters.refund(not_recorded.taken);
            assert_eq!(journal.progress().lost_lines(), attempt);
            assert_eq!(journal.progress().written().offset, 0);
        }
        // The disk is healthy again.
        std::fs::remove_dir(dir.path().join(name(0, 3))).unwrap();
        let recorded = journal
            .decision(one.admit().unwrap(), &entry("t", &[]))
            .await;
        assert!(recorded.is_ok());
        assert_eq!(journal.progress().written().segment, 3);
    });
}

#[test]
fn a_closed_journal_writes_what_it_has_and_takes_no_more() {
    let (dir, one) = (folder(), One::new(10));
    let (journal, writer) = opened(dir.path(), 0);
    let staged = journal.decision(one.admit().unwrap(), &entry("t", &[]));
    journal.close();
    let late = journal.decision(one.admit().unwrap(), &entry("t", &[]));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(writer.run());
    assert!(runtime.block_on(staged).is_ok());
    assert!(runtime.block_on(late).is_err());
    runtime.block_on(journal.flushed());
    assert_eq!(lines(dir.path()).len(), 1);
}

#[test]
fn a_writer_that_is_dropped_writes_what_it_has() {
    let (dir, one) = (folder(), One::new(10));
    let (journal, writer) = opened(dir.path(), 0);
    let staged = journal.decision(one.admit().unwrap(), &entry("t", &[]));
    drop(writer);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert!(runtime.block_on(staged).is_ok());
    assert_eq!(lines(dir.path()).len(), 1);
}

#[test]
fn too_many_waiting_lines_are_refused_at_once() {
    let (dir, one) = (folder(), One::new(1_000));
    let (journal, writer) = opened(dir.path(), 0);
    let key = "k".repeat(128);
    let keys = vec![&*key; 64];
    // Each line has more than 8 KiB, so that 600 do not fit into the 4 MiB that may wait.
    let mut recordings: Vec<_> = (0..600)
        .map(|_| journal.decision(one.admit().unwrap(), &entry("t", &keys)))
        .collect();
    let refused = recordings.pop().expect("600 were made");
    assert!(block_on(refused).is_err());
    assert!(journal.progress().lost_lines() > 0);
    drop(writer);
}

// The lines of refused calls once filled all the room there was, so that a flood of them kept every other call out.
#[test]
fn lines_that_nobody_waits_for_leave_room_for_those_that_someone_does() {
    let (dir, one) = (folder(), One::new(1));
    let (journal, writer) = opened(dir.path(), 0);
    let key = "k".repeat(128);
    let keys = vec![&*key; 64];
    let denial = Denial::Unavailable(Unavailable::Hidden);
    for _ in 0..600 {
        journal.denied(&entry("t", &keys), &denial);
    }
    assert!(journal.progress().lost_lines() > 0);
    let recorded = journal.decision(one.admit().unwrap(), &entry("t", &keys));
    beside(writer, async { assert!(recorded.await.is_ok()) });
}

const ASK: Ask = Ask {
    note: None,
    expires: std::time::Duration::from_secs(60),
    wait: None,
};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(future)
}

#[test]
fn a_full_segment_is_followed_by_the_next() {
    let dir = folder();
    let full = std::fs::File::create(dir.path().join(name(0, 1))).unwrap();
    std::os::unix::fs::FileExt::write_at(&full, b"\n", (64 << 20) - 1).unwrap();
    let (journal, writer) = opened(dir.path(), 0);
    let denial = Denial::Unavailable(Unavailable::Hidden);
    beside(writer, async {
        journal.denied(&entry("t", &[]), &denial);
        journal.flushed().await;
    });
    assert_eq!(journal.progress().written().segment, 2);
    let next = std::fs::read_to_string(dir.path().join(name(0, 2))).unwrap();
    assert_eq!(next.lines().count(), 1);
}
