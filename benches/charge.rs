//! What counting one call costs: time, for one thread and for two, and memory for each counter.
//!
//! It never times the decision: permits can only come from `Policy::decide`, so they are made beforehand, a batch at a
//! time. Run with `cargo bench --bench charge`; it ends within two minutes or so. A word after `--` keeps the one-thread
//! cases whose names have it; the rest is printed by `two-threads`, `baseline` and `memory`, each alone if it is the word.

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
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = words.iter().find(|word| !word.starts_with('-'));
    let is_asked = |part: &str| word.is_none_or(|word| word == part);
    if is_asked("baseline") {
        baseline::print();
    }
    if is_asked("two-threads") {
        speed::print_two_threads(&shapes());
    }
    if is_asked("memory") {
        memory::print();
    }
    if !["baseline", "two-threads", "memory"]
        .map(String::from)
        .iter()
        .any(|part| word == Some(part))
    {
        speed::time_one_thread(&shapes(), word.map_or("", |word| word));
    }
}

/// Every number of limits and keys, reached both ways; and each kind of limit once where all is cached and once where
/// nothing is.
fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for reach in [Reach::Account, Reach::Subject] {
        for limits in [1, 3, 8] {
            shapes.extend(KEYS.map(|keys| Shape {
                kind: Kind::Rolling(10),
                reach,
                limits,
                keys,
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
