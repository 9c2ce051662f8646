//! README: no clock refills a counter, neither while the gateway runs nor over a restart or a reboot.
//!
//! Setting this machine's clock is not a test's business: the store's anchor is moved instead, which is what a gateway would
//! find there if the wall clock had been set. All steps are tried on virtual clocks beside the counters.

mod support;

use support::{Agent, Folder, Upstream, at_most};

const DAY: i64 = 86_400 * 1_000_000_000;

fn ran(agent: &Agent, calls: usize) -> usize {
    let kinds = (0..calls).map(|_| agent.call("work").kind());
    kinds.filter(|kind| kind == "ran").count()
}

fn change_anchor(folder: &Folder, change: &str) {
    let store = rusqlite::Connection::open(folder.path("toolgate-data/toolgate.db"));
    let changed = store.and_then(|store| store.execute(&format!("UPDATE anchor SET {change}"), []));
    assert_eq!(changed.expect("the store has an anchor"), 1);
}

/// The newest time that the journal tells.
fn newest(folder: &Folder) -> i64 {
    let journal = folder.journal();
    let times = journal.iter().filter_map(|line| line["ns"].as_i64());
    times.max().expect("there are lines")
}

#[test]
fn a_wall_clock_a_day_behind_refills_nothing_over_a_restart_or_a_reboot() {
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), &at_most(10, "work"));
    let token = folder.grant("g");
    let gateway = folder.serve();
    assert_eq!(ran(&gateway.agent(&token), 1), 1);
    let first = newest(&folder);
    assert!(gateway.stop().success());

    // From here on the wall clock is a day behind where this boot's timeline lies.
    change_anchor(&folder, &format!("time_offset = time_offset + {DAY}"));
    let gateway = folder.serve();
    assert_eq!(ran(&gateway.agent(&token), 20), 10, "a day has passed");
    let second = newest(&folder);
    assert!(second - first >= DAY);
    gateway.kill();

    let gateway = folder.serve();
    assert_eq!(
        ran(&gateway.agent(&token), 5),
        0,
        "a restart during one boot"
    );
    gateway.kill();
    let before = newest(&folder);

    change_anchor(&folder, "boot_id = 'another'");
    let gateway = folder.serve();
    assert_eq!(ran(&gateway.agent(&token), 5), 0, "a reboot");
    assert_eq!(upstream.calls(), 11);
    let later = |line: &serde_json::Value| line["ns"].as_i64() > Some(before);
    let denied = folder.journal_line("time goes on behind what was counted", later);
    assert_eq!(denied["decision"], "deny");
}

/// Calendar periods are of UTC: the zone that the process lives in means nothing.
#[test]
fn a_process_in_another_zone_counts_the_same_days() {
    let day = r#"{"version":"1","default":"deny","tools":{"work":{"limits":[{"counter":"c","window":"day","max":10,"align":"calendar"}]}}}"#;
    let upstream = Upstream::working();
    let folder = Folder::of(&upstream.url(), day);
    let token = folder.grant("g");
    let mut ran_in_all = 0;
    let mut ends = Vec::new();
    for zone in ["Pacific/Kiritimati", "Europe/Berlin", "Pacific/Pago_Pago"] {
        let mut program = folder.program();
        program.env("TZ", zone);
        let gateway = folder.serve_as(program, &["serve"]);
        ran_in_all += ran(&gateway.agent(&token), 4);
        gateway.kill();
        let journal = folder.journal();
        let charges = journal
            .iter()
            .filter_map(|line| line["charges"][0]["until"].as_i64());
        ends = charges.collect();
    }
    assert!(
        ends.iter().all(|end| end % DAY == 0),
        "midnights of UTC: {ends:?}"
    );
    ends.dedup();
    // Two where midnight came while this ran.
    assert!(
        ends.len() <= 2 && ran_in_all <= 10 * ends.len(),
        "{ran_in_all} in {ends:?}"
    );
}
