//! README: a limit is never exceeded, whatever the concurrency, a crash or a restart; a call that did not leave is given back.
//!
//! What ran is counted where it would have run: at the upstream, not by the gateway's own figures.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use support::upstream::{json_reply, serving};
use support::{Agent, Answer, Folder, Upstream, at_most, message, tools_call};

const LIMIT: usize = 100;

/// Calls from 64 threads at once, each so many; gives how many were answered by the server.
fn storm(agent: &Agent, calls_each: usize) -> usize {
    let ran = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                let answered = (0..calls_each).filter(|_| agent.call("work").kind() == "ran");
                ran.fetch_add(answered.count(), Ordering::Relaxed);
            });
        }
    });
    ran.into_inner()
}

#[test]
fn a_limit_of_a_hundred_admits_exactly_a_hundred_from_64_threads() {
    for repetition in 0..3 {
        let upstream = Upstream::working();
        let folder = Folder::of(&upstream.url(), &at_most(LIMIT as u32, "work"));
        let token = folder.grant("g");
        let gateway = folder.serve();
        let ran = storm(&gateway.agent(&token), 4);
        assert_eq!(
            (ran, upstream.calls()),
            (LIMIT, LIMIT),
            "repetition {repetition}"
        );
    }
}

#[test]
fn a_limit_holds_over_a_kill_in_the_middle_of_the_calls() {
    let folder = Folder::new();
    let victim = Arc::new(Mutex::new(None));
    let killer = victim.clone();
    let arrived = AtomicUsize::new(0);
    let upstream = Upstream::start(move |request| {
        // The fortieth call kills the gateway while others are on their way.
        if arrived.fetch_add(1, Ordering::SeqCst) + 1 == LIMIT * 4 / 10 {
            let gateway: Option<support::Gateway> =
                killer.lock().expect("no thread panicked").take();
            gateway.expect("it runs").kill();
        }
        serving(&["work"])(request)
    });
    folder.write("policy.json", &at_most(LIMIT as u32, "work"));
    folder.configure(&upstream.url(), "");
    let grant = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&grant);
    *victim.lock().expect("no thread panicked") = Some(gateway);
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| calls_until_broken(&agent));
        }
    });
    let before = upstream.calls();
    assert!(
        before < LIMIT,
        "the kill came too late to show anything: {before}"
    );
    let again = folder.serve();
    let ran = storm(&again.agent(&grant), 3);
    assert!(
        upstream.calls() <= LIMIT,
        "{before} before the kill, {ran} after it"
    );
    let recorded = folder
        .journal()
        .iter()
        .filter(|line| line["decision"] == "allow")
        .count();
    assert_eq!(
        recorded, LIMIT,
        "every charge is in the journal, and all of the limit was used"
    );
}

/// A connection that breaks is no failure here: only the upstream counts.
fn calls_until_broken(agent: &Agent) {
    for _ in 0..3 {
        let Ok(mut stream) = TcpStream::connect(agent.address) else {
            return;
        };
        let request = agent.request("Connection: close\r\n", &tools_call("1", "work", "{}"));
        let sent = stream.write_all(request.as_bytes());
        if sent
            .and_then(|()| stream.read_to_end(&mut Vec::new()))
            .is_err()
        {
            return;
        }
    }
}

#[test]
fn a_call_that_one_limit_refuses_takes_nothing_from_another() {
    let limits = |small: u32| {
        format!(
            r#"{{"version":"1","default":"deny","tools":{{"work":{{"limits":[
                {{"counter":"large","window":"hour","max":5}},{{"counter":"small","window":"hour","max":{small}}}]}}}}}}"#
        )
    };
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), &limits(2));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let kinds = |calls| {
        (0..calls)
            .map(|_| gateway.agent(&token).call("work").kind())
            .collect::<Vec<_>>()
    };
    assert_eq!(kinds(6), ["ran", "ran", "limit", "limit", "limit", "limit"]);
    folder.write("policy.json", &limits(99));
    support::until("the edit applies", || {
        (gateway.metric("toolgate_reloads_total{result=\"applied\"}") >= 1.0).then_some(())
    });
    assert_eq!(
        kinds(4),
        ["ran", "ran", "ran", "limit"],
        "five less two: the refused four took nothing"
    );
}

#[test]
fn a_call_that_never_left_is_given_back() {
    let closed = support::folder::closed_port();
    let folder = Folder::of(&format!("http://{closed}/mcp"), &at_most(2, "work"));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    for attempt in 0..5 {
        let reply = agent.call("work");
        assert_eq!(
            (reply.status, reply.code()),
            (502, -31005),
            "attempt {attempt}: {}",
            reply.text()
        );
    }
    assert!(gateway.stop().success());
    let journal = folder.journal();
    let given_back = journal
        .iter()
        .filter_map(|line| line["refunded"].as_array())
        .filter(|parts| parts.len() == 1);
    assert_eq!(given_back.count(), 5, "{journal:#?}");
    let upstream = Upstream::working();
    folder.configure(&upstream.url(), "");
    let gateway = folder.serve();
    let kinds: Vec<_> = (0..3)
        .map(|_| gateway.agent(&token).call("work").kind())
        .collect();
    assert_eq!(
        kinds,
        ["ran", "ran", "limit"],
        "the whole allowance is there, also after a restart"
    );
}

#[test]
fn a_call_that_was_received_is_never_given_back() {
    let upstream = Upstream::start(|_request| Answer::Cut);
    let folder = Folder::of(&upstream.url(), &at_most(2, "work"));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let replies: Vec<_> = (0..3).map(|_| agent.call("work")).collect();
    assert_eq!(replies[0].status, 502, "{}", replies[0].text());
    assert_eq!(replies[1].status, 502);
    assert_eq!(replies[2].kind(), "limit");
    assert_eq!(upstream.calls(), 2);
    let outcome = folder.journal_line("the outcome", |line| line["upstream"] == "cut");
    assert_eq!(outcome["refunded"], serde_json::json!([]));
}

#[test]
fn the_guard_stops_a_burst_of_calls_and_nothing_else() {
    let upstream = Upstream::start(|request| match request.is_call() {
        true => serving(&["work"])(request),
        false => json_reply(r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#),
    });
    let folder = Folder::of(&upstream.url(), support::ALLOW_ALL);
    folder.configure(&upstream.url(), "guard = { per_second = 1, burst = 3 }");
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let replies: Vec<_> = (0..8).map(|_| agent.call("work")).collect();
    let kinds: Vec<_> = replies.iter().map(support::Reply::kind).collect();
    assert_eq!(kinds[..3], ["ran"; 3]);
    let guarded = replies
        .iter()
        .filter_map(support::Reply::denial)
        .collect::<Vec<_>>();
    assert!(
        !guarded.is_empty(),
        "eight calls at one a second: {kinds:?}"
    );
    for denial in &guarded {
        assert_eq!(denial["kind"], "guard");
        assert!(
            denial["retry_after_ms"]
                .as_u64()
                .is_some_and(|wait| (1..=1_000).contains(&wait)),
            "{denial}"
        );
        assert!(denial.get("rule").is_none(), "{denial}");
    }
    for method in ["tools/list", "ping", "initialize", "server/discover"] {
        for _ in 0..10 {
            let reply = agent.post(&message("1", method));
            assert!(
                reply.json().get("result").is_some(),
                "{method}: {}",
                reply.text()
            );
        }
    }
}
