//! What one counter takes of the process's memory: how much the resident set grew while so many were opened and filled.
//!
//! It never measures two kinds in one process: each has a child of its own, so that none finds memory that another left.

use std::process::Command;

use crate::world::{Kind, Reach, Shape, World};

/// Where a child is told what to measure.
const ASKED: &str = "TOOLGATE_BENCH_MEMORY";

/// As many of each, so that all of a child fits well into memory. A quarter of a million fills the tables of the map as
/// far as a million does.
const CASES: [(&str, Kind, usize); 5] = [
    ("burst (GCRA)", Kind::Burst, 250_000),
    ("calendar", Kind::Calendar, 250_000),
    ("rolling 10, full", Kind::Rolling(10), 250_000),
    ("rolling 1,000, full", Kind::Rolling(1_000), 5_000),
    ("rolling 100,000, 200 calls", Kind::Rolling(100_000), 10_000),
];

/// This process is a child, and measures one case.
pub(crate) struct Child {
    case: usize,
    reach: Reach,
}

impl Child {
    /// What the parent asked for, if there is one.
    pub(crate) fn asked_for() -> Option<Child> {
        let asked = std::env::var(ASKED).ok()?;
        let (reach, case) = asked.split_once(' ')?;
        Some(Child {
            case: case.parse().ok()?,
            reach: match reach {
                "by" => Reach::Subject,
                _ => Reach::Account,
            },
        })
    }

    /// Prints the bytes of one counter.
    pub(crate) fn run(&self) {
        let (_, kind, keys) = CASES[self.case];
        let shape = |keys| Shape {
            kind,
            reach: self.reach,
            limits: 1,
            keys,
        };
        // What only the first call takes.
        World::new(shape(1)).fill(1);
        let before = resident();
        let world = World::new(shape(keys));
        // What the accounts take is theirs, and not their counters': 16 bytes of key and a handle for each.
        let accounts = resident() - before;
        world.fill(kind.calls().min(match kind {
            Kind::Rolling(1_000) => 1_000,
            _ => 200,
        }));
        let all = resident() - before;
        let each = |bytes: u64| bytes as f64 / keys as f64;
        println!("{:.0} {:.0}", each(all - accounts), each(accounts));
    }
}

/// Prints the bytes of one counter of each kind, reached both ways.
pub(crate) fn print() {
    println!(
        "\nbytes of resident memory for each counter       the counter  its part of the account"
    );
    for reach in ["account", "by"] {
        for (case, (name, _, keys)) in CASES.iter().enumerate() {
            let itself = std::env::current_exe().expect("the system tells where this program is");
            let child = Command::new(itself)
                .env(ASKED, format!("{reach} {case}"))
                .output();
            let output = child.expect("this program starts once more");
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            let (counter, account) = told
                .trim()
                .split_once(' ')
                .expect("a child tells two numbers");
            println!(
                "{:46} {counter:>12} {account:>24}",
                format!("{name}, {reach}, {keys} keys")
            );
        }
    }
}

/// The resident set, in bytes: the second number of `statm` is in pages.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    // The page size of every machine this runs on.
    pages.expect("statm has numbers") * 4_096
}
