//! No clock refills a counter: steps of the wall clock, restarts, reboots and suspended machines, on virtual readings.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::clock::{Anchor, Readings};
use crate::counters::period;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn nanos(length: Duration) -> i64 {
    length.as_nanos().try_into().unwrap()
}

/// A machine with its clocks, and a gateway on it.
struct Life {
    readings: Readings,
    /// How long all of this has really taken.
    lived: Duration,
    kept: Option<Anchor>,
    /// What the journal would tell.
    history: History,
    counters: Counters,
    limits: [Limit; 1],
}

impl Life {
    /// A first start, at `START` by the wall clock and an hour after the boot.
    fn of(limits: [Limit; 1]) -> Life {
        let mut life = Life {
            readings: Readings {
                boot_id: "first".into(),
                since_boot: nanos(HOUR),
                wall: START.nanos().cast_signed(),
            },
            lived: Duration::ZERO,
            kept: None,
            history: History::default(),
            counters: many(),
            limits,
        };
        life.restart();
        life
    }

    fn now(&self) -> Timestamp {
        let offset = self.kept.as_ref().map_or(0, |anchor| anchor.offset);
        Timestamp::from_nanos((self.readings.since_boot + offset).cast_unsigned())
    }

    /// The machine runs or is suspended: `CLOCK_BOOTTIME` goes on in both.
    fn pass(&mut self, length: Duration) {
        self.readings.since_boot += nanos(length);
        self.readings.wall += nanos(length);
        self.lived += length;
    }

    /// Somebody sets the wall clock.
    fn step(&mut self, by: i64) {
        self.readings.wall += by;
    }

    /// The gateway ends, however it ends, and starts again.
    fn restart(&mut self) {
        let newest = self.history.newest();
        let anchor = Anchor::choose(self.kept.take(), newest, &self.readings);
        self.kept = Some(anchor);
        self.counters = restored(&self.history);
    }

    /// The machine is off for so long, and the gateway starts with it.
    fn reboot(&mut self, down: Duration) {
        self.pass(down);
        self.readings.boot_id.push('!');
        self.readings.since_boot = nanos(SECOND);
        self.restart();
    }

    /// One call; whether it was admitted.
    fn call(&mut self) -> bool {
        let now = self.now();
        let account = account(&self.counters, &self.limits);
        let charges = charges(&self.limits);
        let Ok(admitted) = self.counters.admit_in_test(&charges, &account, now) else {
            return false;
        };
        self.history.saw(now);
        for (key, charged) in admitted.taken().parts() {
            self.history.charge(key, charged);
        }
        true
    }

    /// How many of twenty calls are admitted now.
    fn admitted(&mut self) -> usize {
        (0..20).filter(|_| self.call()).count()
    }
}

fn rolling_hour() -> [Limit; 1] {
    [limit(0, 10, Window::HOUR)]
}

fn calendar_day() -> [Limit; 1] {
    let day = r#"{"counter":"c","window":"day","max":10,"align":"calendar"}"#;
    limits_of(&[day]).try_into().unwrap()
}

/// `START` is at 22:13:20: more than an hour of its day is left.
#[test]
fn a_wall_clock_set_while_the_machine_is_up_refills_nothing() {
    for limits in [rolling_hour(), calendar_day()] {
        for step in [nanos(DAY), -nanos(DAY)] {
            let mut life = Life::of(limits.clone());
            assert_eq!(life.admitted(), 10);
            life.step(step);
            life.pass(SECOND);
            assert_eq!(life.admitted(), 0, "stepped by {step} while running");
            life.restart();
            assert_eq!(life.admitted(), 0, "stepped by {step}, and restarted");
            life.step(step);
            life.restart();
            assert_eq!(life.admitted(), 0, "stepped by {step} between two runs");
            life.pass(2 * HOUR);
            assert_eq!(life.admitted(), 10, "the window has really passed");
        }
    }
}

#[test]
fn a_reboot_refills_nothing_but_what_really_passed() {
    let mut life = Life::of(rolling_hour());
    assert_eq!(life.admitted(), 10);
    life.reboot(HOUR / 2);
    assert_eq!(life.admitted(), 0);
    life.reboot(HOUR / 2);
    assert_eq!(life.admitted(), 10);
}

#[test]
fn a_wall_clock_that_is_behind_after_a_reboot_refills_nothing_and_enters_no_period_twice() {
    for limits in [rolling_hour(), calendar_day()] {
        let mut life = Life::of(limits);
        life.pass(DAY);
        assert_eq!(life.admitted(), 10);
        let before = life.now();
        for _ in 0..3 {
            life.step(-nanos(DAY));
            life.reboot(SECOND);
            assert!(life.now() > before, "time goes on behind what was counted");
            assert_eq!(life.admitted(), 0);
        }
        life.pass(2 * HOUR);
        assert_eq!(life.admitted(), 10);
    }
}

/// The exception, asserted as what it is: after a reboot nothing but the wall clock knows how long the machine was off.
#[test]
fn a_wall_clock_that_is_ahead_after_a_reboot_moves_windows_once_by_as_much() {
    let mut life = Life::of(rolling_hour());
    assert_eq!(life.admitted(), 10);
    life.step(nanos(HOUR / 2));
    life.reboot(SECOND);
    assert_eq!(life.admitted(), 0, "half of it");
    life.step(nanos(HOUR / 2));
    life.reboot(SECOND);
    assert_eq!(life.admitted(), 10, "the other half");
    life.step(-nanos(HOUR));
    life.reboot(SECOND);
    assert_eq!(life.admitted(), 0, "set right again: nothing comes back");
}

#[test]
fn a_suspended_machine_lets_time_pass_and_no_more_of_it() {
    let mut life = Life::of(rolling_hour());
    assert_eq!(life.admitted(), 10);
    life.pass(HOUR - SECOND);
    assert_eq!(life.admitted(), 0);
    life.pass(SECOND);
    assert_eq!(life.admitted(), 10);
}

#[test]
fn a_day_on_which_summer_time_begins_or_ends_is_a_day_of_utc_like_any_other() {
    // Europe's and North America's in 2026: at 01:00 UTC, and at 10:00 and 09:00 (in California).
    for day in ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01"] {
        let time: jiff::Timestamp = format!("{day}T00:00:00Z").parse().unwrap();
        let midnight = Timestamp::from_nanos(time.as_nanosecond().try_into().unwrap());
        let counters = many();
        let limits = calendar_day();
        for hour in 0..24 {
            let now = midnight.plus(hour * HOUR);
            let admitted = admitted_of(&counters, &limits, 20, now);
            assert_eq!(
                admitted,
                if hour == 0 { 10 } else { 0 },
                "{day}, hour {hour}"
            );
        }
        let next = midnight.plus(DAY);
        assert_eq!(admitted_of(&counters, &limits, 20, next), 10, "after {day}");
    }
}

#[derive(Debug, Clone)]
enum Event {
    Call,
    Pass(u64),
    Step(i64),
    Restart,
    Reboot(u64),
}

/// Steps of at most two days; forward ones only where nothing reboots, which is the exception above.
fn events(reboots: u32) -> impl Strategy<Value = Vec<Event>> {
    const SECONDS: i64 = 2 * 86_400;
    let forward = if reboots == 0 { SECONDS } else { 0 };
    let event = prop_oneof![
        12 => Just(Event::Call),
        4 => prop_oneof![0..900_u64, 0..90_000_u64].prop_map(Event::Pass),
        2 => (-SECONDS..=forward).prop_map(Event::Step),
        2 => Just(Event::Restart),
        reboots => (0..7_200_u64).prop_map(Event::Reboot),
    ];
    prop::collection::vec(event, 1..200)
}

fn lived_through(limits: [Limit; 1], events: Vec<Event>) -> Vec<(Duration, Timestamp)> {
    let mut life = Life::of(limits);
    let mut admitted = Vec::new();
    for event in events {
        match event {
            Event::Pass(seconds) => life.pass(Duration::from_secs(seconds)),
            Event::Step(seconds) => life.step(seconds * nanos(SECOND)),
            Event::Restart => life.restart(),
            Event::Reboot(seconds) => life.reboot(Duration::from_secs(seconds)),
            Event::Call if life.call() => admitted.push((life.lived, life.now())),
            Event::Call => {}
        }
    }
    admitted
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_clocks_do_no_real_hour_has_more_than_its_limit(
        events in prop_oneof![events(0), events(2)],
    ) {
        let admitted = lived_through([limit(0, 3, Window::HOUR)], events);
        for calls in admitted.windows(4) {
            prop_assert!(calls[3].0 - calls[0].0 >= HOUR, "{calls:?}");
        }
    }

    #[test]
    fn whatever_the_clocks_do_no_day_is_entered_twice(events in prop_oneof![events(0), events(2)]) {
        let [day] = calendar_day();
        let day = Limit { max: NonZeroU64::new(3).unwrap(), ..day };
        let admitted = lived_through([day], events);
        let ends = admitted.iter().map(|(_, at)| period::end(Window::DAY, *at));
        let ends: Vec<_> = ends.collect();
        prop_assert!(ends.is_sorted(), "a day that was left is entered again");
        let mut calls: BTreeMap<Timestamp, usize> = BTreeMap::new();
        ends.iter().for_each(|end| *calls.entry(*end).or_default() += 1);
        prop_assert!(calls.values().all(|calls| *calls <= 3), "{calls:?}");
    }
}
