//! What others take for less: governor's keyed limiter, and a number for each key in a dashmap; and what each charge has
//! in it besides its limits, the grant's guard.
//!
//! None of them is exact over a window, asks several limits at once, or gives anything back: they say what the machine can do.

use std::cell::Cell;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use governor::{Quota, RateLimiter};
use toolgate::clock::Timestamp;
use toolgate::counters::{Bounds, Counters, Guard, GuardSettings, Holder, Secret};

use crate::KEYS;
use crate::speed::Order;

/// Long enough to be sure of, short enough not to wait for.
const AT_LEAST: Duration = Duration::from_millis(100);

/// Prints what both take for one question.
pub(crate) fn print() {
    println!(
        "\nbaseline, nanoseconds for one question       governor, keyed  dashmap and atomic  the guard alone"
    );
    for keys in KEYS {
        for order in [Order::Hot, Order::Uniform] {
            let order_of_keys = order.places(keys);
            let governor = governor(keys, &order_of_keys);
            let atomic = atomic(keys, &order_of_keys);
            let guard = guard(keys, &order_of_keys);
            println!(
                "{:44} {governor:>15.1} {atomic:>19.1} {guard:>16.1}",
                format!("{keys} keys, {order:?}")
            );
        }
    }
}

fn key(at: u32) -> u128 {
    // As wide as a counter's key.
    u128::from(at) << 64 | u128::from(at)
}

fn governor(keys: usize, order: &[u32]) -> f64 {
    let quota = Quota::per_second(NonZeroU32::MAX);
    let limiter = RateLimiter::dashmap(quota);
    for at in Order::Uniform.places(keys) {
        let _open = limiter.check_key(&key(at));
    }
    time(order, |at| limiter.check_key(&key(at)).is_ok())
}

fn atomic(keys: usize, order: &[u32]) -> f64 {
    let map: DashMap<u128, AtomicU64> = DashMap::new();
    for at in Order::Uniform.places(keys) {
        map.insert(key(at), AtomicU64::new(0));
    }
    time(order, |at| {
        let counter = map.get(&key(at)).expect("each key was inserted");
        counter.fetch_add(1, Ordering::Relaxed) < u64::MAX
    })
}

fn guard(keys: usize, order: &[u32]) -> f64 {
    let counters = Counters::new(Bounds::default(), Secret::from_bytes([7; 32]));
    let holder = Holder {
        grant: "grant",
        server: "server",
    };
    let fast = GuardSettings {
        per_second: NonZeroU32::MAX,
        burst: NonZeroU32::MAX,
    };
    let account = |_| counters.account(holder, &[], Arc::new(Guard::new(fast)));
    let accounts: Vec<_> = (0..keys).map(account).collect();
    let now = Cell::new(Timestamp::from_nanos(1_000_000_000_000));
    time(order, |at| {
        now.set(now.get().plus(Duration::from_nanos(1)));
        accounts[at as usize].pass_guard(now.get()).is_ok()
    })
}

fn time(order: &[u32], ask: impl Fn(u32) -> bool) -> f64 {
    // A whole number of rounds, and enough of them for the look at the clock to be nothing.
    let rounds = 10_000_usize.div_ceil(order.len());
    let (start, mut asked) = (Instant::now(), 0_usize);
    while start.elapsed() < AT_LEAST {
        for _ in 0..rounds {
            for at in order {
                black_box(ask(black_box(*at)));
            }
        }
        asked += rounds * order.len();
    }
    start.elapsed().as_nanos() as f64 / asked as f64
}
