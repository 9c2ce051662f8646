//! Times charges: by criterion in one thread, and by a plain loop in one and in two at once.
//!
//! It never counts the making of permits: they are made a batch at a time, and only charging the batch is timed.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use criterion::Criterion;
use toolgate::clock::Timestamp;
use toolgate::counters::Account;
use toolgate::policy::Permit;

use crate::world::{Clerk, Shape, World};

/// So many permits are made at a time: few enough to stay in the second cache, enough for the two looks at the clock to
/// be nothing beside them.
const BATCH: usize = 1_024;

/// So many batches a plain loop times; it tells of the one in the middle.
const BATCHES: usize = 101;

/// In which order places are charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// One place again and again.
    Hot,
    /// All of them, scattered, each once before any comes again.
    Uniform,
}

impl Order {
    /// The orders that make a difference for so many places.
    pub(crate) fn of(shape: &Shape) -> &'static [Order] {
        match shape.keys {
            1 => &[Order::Hot],
            _ => &[Order::Hot, Order::Uniform],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Order::Hot => "hot",
            Order::Uniform => "uniform",
        }
    }

    /// The numbers below `count`, or only the first, in the order in which they are charged.
    pub(crate) fn places(self, count: usize) -> Vec<u32> {
        let count = match self {
            Order::Hot => 1,
            Order::Uniform => count,
        };
        let mut places: Vec<u32> = (0..count)
            .map(|at| u32::try_from(at).expect("few places"))
            .collect();
        // Fisher and Yates's shuffle, by Knuth's generator (MMIX): a fixed order, the same in each run.
        let mut random: u64 = 1;
        for at in (1..count).rev() {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let other = (random >> 33) as usize % (at + 1);
            places.swap(at, other);
        }
        places
    }
}

/// One thread's way through its places.
struct Walk<'w> {
    world: &'w World,
    clerk: Clerk<'w>,
    first: usize,
    order: Vec<u32>,
    next: usize,
    now: Timestamp,
    step: Duration,
    batch: Vec<(Permit<'w>, &'w Account)>,
    refused: usize,
}

impl<'w> Walk<'w> {
    fn new(world: &'w World, places: Range<usize>, (order, now): (Order, Timestamp)) -> Walk<'w> {
        let order = order.places(places.len());
        Walk {
            world,
            clerk: Clerk::new(world),
            first: places.start,
            step: world.pause() / u32::try_from(order.len()).expect("few places"),
            order,
            next: 0,
            // No place is charged too soon after the walk before.
            now: now.plus(world.pause()),
            batch: Vec::with_capacity(BATCH),
            refused: 0,
        }
    }

    fn prepare(&mut self, count: usize) {
        for _ in 0..count {
            let place = self.first + self.order[self.next] as usize;
            self.next = (self.next + 1) % self.order.len();
            self.batch.push(self.clerk.permit(place));
        }
    }

    /// Charges what was prepared; how long it took.
    fn charge(&mut self) -> Duration {
        let mut now = self.now;
        let counters = &self.world.counters;
        let start = Instant::now();
        for (permit, account) in self.batch.drain(..) {
            now = now.plus(self.step);
            let admitted = counters.charge(permit, account, now);
            self.refused += usize::from(black_box(admitted).is_err());
        }
        let took = start.elapsed();
        self.now = now;
        took
    }

    /// When it ended. A charge that was refused would have been timed for one that was not.
    fn end(&self) -> Timestamp {
        assert_eq!(self.refused, 0, "a place with room was full");
        self.now
    }
}

/// Lets criterion time every shape whose name has `word`.
pub(crate) fn time_one_thread(shapes: &[Shape], word: &str) {
    // The making of permits takes up to ten times as long as what is timed: short samples, or the run takes an hour.
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(30))
        .measurement_time(Duration::from_millis(120))
        .sample_size(10)
        .nresamples(1_001)
        .without_plots();
    for shape in shapes {
        let orders = Order::of(shape).iter();
        let name = |order: Order| format!("{shape}, {}", order.name());
        let orders: Vec<&Order> = orders
            .filter(|order| name(**order).contains(word))
            .collect();
        if orders.is_empty() {
            continue;
        }
        let world = World::new(*shape);
        let mut now = world.fill(rounds(shape));
        for order in orders {
            let mut walk = Walk::new(&world, 0..world.places(), (*order, now));
            criterion.bench_function(&name(*order), |bencher| {
                bencher.iter_custom(|charges| timed(&mut walk, charges));
            });
            now = walk.end();
        }
    }
    criterion.final_summary();
}

/// As many calls as a counter holds, but no more than tell how it works.
fn rounds(shape: &Shape) -> u64 {
    shape.kind.calls().min(10)
}

fn timed(walk: &mut Walk<'_>, charges: u64) -> Duration {
    let mut left = usize::try_from(charges).expect("no more than memory");
    let mut took = Duration::ZERO;
    while left > 0 {
        let count = left.min(BATCH);
        walk.prepare(count);
        took += walk.charge();
        left -= count;
    }
    took
}

/// Prints the time of one charge in one thread, and in each of two that charge different places of the same counters.
pub(crate) fn print_two_threads(shapes: &[Shape]) {
    println!("\nnanoseconds for one charge, by a plain loop        one thread  two threads");
    for shape in shapes {
        let world = World::new(*shape);
        let mut now = world.fill(rounds(shape));
        let half = world.places() / 2;
        for order in Order::of(shape) {
            let mut one = [Walk::new(&world, 0..world.places(), (*order, now))];
            let alone = median(race(&mut one));
            now = one[0].end();
            let halves = [0..half, half..world.places()];
            let mut two = halves.map(|places| Walk::new(&world, places, (*order, now)));
            let beside = median(race(&mut two));
            now = two.iter().map(Walk::end).max().unwrap_or(now);
            let name = format!("{shape}, {}", order.name());
            println!("{name:50} {alone:>10.1} {beside:>12.1}");
        }
    }
}

/// Each walk in a thread of its own; all begin each batch together. The nanoseconds of one charge, batch by batch.
fn race(walks: &mut [Walk<'_>]) -> Vec<f64> {
    let barrier = Barrier::new(walks.len());
    std::thread::scope(|scope| {
        let barrier = &barrier;
        let threads: Vec<_> = walks
            .iter_mut()
            .map(|walk| {
                scope.spawn(move || {
                    let batches = (0..BATCHES).map(|_| {
                        walk.prepare(BATCH);
                        barrier.wait();
                        walk.charge().as_nanos() as f64 / BATCH as f64
                    });
                    batches.collect::<Vec<f64>>()
                })
            })
            .collect();
        let times = threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"));
        times.flatten().collect()
    })
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
