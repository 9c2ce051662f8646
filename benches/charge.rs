//! What counting one call costs: time, for one thread and for two, and memory for each counter.
//!
//! It never times the decision: permits can only come from `Policy::decide`, so they are made beforehand, a batch at a
//! time. Run with `cargo bench --bench charge`: baselines, one thread beside two, and memory, in two minutes or so. A word
//! after `--` does one thing only: `baseline`, `threads`, `memory`, `whole` (as without a word, and with 10,000 keys too);
//! any other word lets criterion time the one-thread cases whose names have it.

#![allow(clippy::print_stdout)] // What was measured is told there.

#[path = "charge/baseline.rs"]
mod baseline;
#[path = "charge/memory.rs"]
mod memory;
#[path = "charge/speed.rs"]
mod speed;
#[path = "charge/world.rs"]
mod world;

use world::{Kind, Reach, Shape};

/// How many counters there are. With a million nothing but what was touched last is in a cache.
const KEYS: [usize; 4] = [1, 1_000, 10_000, 1_000_000];

fn main() {
    if let Some(child) = memory::Child::asked_for() {
        return child.run();
    }
    let word = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let short = [KEYS[0], KEYS[1], KEYS[3]];
    match word.as_deref() {
        None => print_all(&short),
        Some("whole") => print_all(&KEYS),
        Some("baseline") => baseline::print(),
        Some("threads") => speed::print_two_threads(&shapes(&short)),
        Some("memory") => memory::print(),
        Some(word) => speed::time_one_thread(&shapes(&KEYS), word),
    }
}

fn print_all(keys: &[usize]) {
    baseline::print();
    speed::print_two_threads(&shapes(keys));
    memory::print();
}

/// Every number of limits and keys, reached both ways; and each kind of limit once where all is cached and once where
/// nothing is.
fn shapes(keys: &[usize]) -> Vec<Shape> {
    let mut shapes = Vec::new();
    for reach in [Reach::Account, Reach::Subject] {
        for limits in [1, 3, 8] {
            shapes.extend(keys.iter().map(|keys| Shape {
                kind: Kind::Rolling(10),
                reach,
                limits,
                keys: *keys,
            }));
        }
        for kind in [Kind::Burst, Kind::Calendar, Kind::Rolling(100_000)] {
            shapes.extend([1_000, 1_000_000].map(|keys| Shape {
                kind,
                reach,
                limits: 1,
                keys,
            }));
        }
    }
    shapes
}
