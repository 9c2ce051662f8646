//! Reads the time; the only file that may.
//!
//! It never sleeps, and it never follows the wall clock while the machine is up: wall time is read once for each boot,
//! to place the gateway's own timeline, which then only runs forward. A person who sets the clock moves no window.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A point on the gateway's own timeline, in nanoseconds; about those since 1970, see [`Anchor`].
/// Comparable across restarts, and across reboots too.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The point so many nanoseconds after the timeline's beginning.
    pub const fn from_nanos(nanos: u64) -> Timestamp {
        Timestamp(nanos)
    }

    /// Nanoseconds since the timeline's beginning.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The point `length` later; the timeline's end (the year 2554) if there is none.
    pub fn plus(self, length: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(nanos_of(length)))
    }

    /// How long after `earlier` this is; nothing if it is not after it.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The date and time for a person to read, in UTC; it prints as RFC 3339.
    pub fn date(self) -> jiff::Timestamp {
        let nanos = i128::from(self.0);
        jiff::Timestamp::from_nanosecond(nanos).expect("jiff's last year is 9999, ours 2554")
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().fmt(f)
    }
}

/// Where the timeline lies: what to add to the time since boot, and during which boot that holds.
///
/// It is kept in the store. During the same boot it is used again as it is, so that a wall clock set meanwhile changes
/// nothing. After a reboot the wall clock places it anew, because nothing else knows how long the machine was down: a wall
/// clock that is then ahead of where the timeline would be, set forward before the reboot or while the machine was down,
/// is the one way to move a window, once and by as much. One that is behind moves nothing: time is never placed at or
/// before what was already counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The kernel's id of the boot; empty where the kernel does not tell, which counts as a new boot each time.
    pub boot_id: Box<str>,
    /// Nanoseconds from boot to the timeline's beginning, to be added to the time since boot.
    pub offset: i64,
}

impl Anchor {
    /// Places the timeline for this start: as `kept` says if the boot is the same, else by the wall clock; in no case
    /// so that it would now be at or before `newest`, the newest time that anything kept bears.
    pub fn place(kept: Option<Anchor>, newest: Timestamp) -> Anchor {
        let now = Readings {
            boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
            since_boot: read(ClockId::Boottime),
            wall: read(ClockId::Realtime),
        };
        Anchor::choose(kept, newest, &now)
    }

    pub(crate) fn choose(kept: Option<Anchor>, newest: Timestamp, now: &Readings) -> Anchor {
        let boot_id = now.boot_id.trim();
        let offset = match kept {
            Some(kept) if !boot_id.is_empty() && *kept.boot_id == *boot_id => kept.offset,
            _ => now.wall.saturating_sub(now.since_boot),
        };
        let earliest = signed(newest.0).saturating_add(1);
        Anchor {
            boot_id: boot_id.into(),
            offset: offset.max(earliest.saturating_sub(now.since_boot)),
        }
    }
}

/// What a machine's clocks say at one moment, in nanoseconds.
#[derive(Debug, Clone)]
pub(crate) struct Readings {
    /// The kernel's id of the boot.
    pub(crate) boot_id: String,
    /// Since boot, suspended time included.
    pub(crate) since_boot: i64,
    /// Since 1970, as people set it.
    pub(crate) wall: i64,
}

/// Tells the time. Cheap to clone; all clones tell the same.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    Machine { offset: i64 },
    Hands(Arc<AtomicU64>),
}

/// Moves a manual clock; see [`Clock::manual`].
#[derive(Debug, Clone)]
pub struct Hands(Arc<AtomicU64>);

impl Clock {
    /// The machine's clock: the time since boot, suspended time included (`CLOCK_BOOTTIME`), placed by `anchor`.
    pub fn machine(anchor: &Anchor) -> Clock {
        Clock(Source::Machine {
            offset: anchor.offset,
        })
    }

    /// A clock that stands still until its hands are moved, for tests.
    pub fn manual(start: Timestamp) -> (Clock, Hands) {
        let hands = Arc::new(AtomicU64::new(start.0));
        (Clock(Source::Hands(hands.clone())), Hands(hands))
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Machine { offset } => {
                let nanos = read(ClockId::Boottime).saturating_add(*offset);
                Timestamp(u64::try_from(nanos).unwrap_or_default())
            }
            Source::Hands(hands) => Timestamp(hands.load(Ordering::SeqCst)),
        }
    }

    /// Seconds since the beginning of 1970 as people count them, for rules that ask for the hour or the date. It may be
    /// set forwards and back: no window is counted from it.
    pub fn wall_seconds(&self) -> i64 {
        match &self.0 {
            Source::Machine { .. } => clock_gettime(ClockId::Realtime).tv_sec,
            Source::Hands(hands) => signed(hands.load(Ordering::SeqCst) / 1_000_000_000),
        }
    }
}

impl Hands {
    /// Lets `length` pass.
    pub fn advance(&self, length: Duration) {
        self.0.fetch_add(nanos_of(length), Ordering::SeqCst);
    }
}

fn read(id: ClockId) -> i64 {
    let time = clock_gettime(id);
    time.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec)
}

fn nanos_of(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

fn signed(nanos: u64) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000_000;

    fn readings(boot_id: &str, since_boot: i64, wall: i64) -> Readings {
        Readings {
            boot_id: boot_id.into(),
            since_boot,
            wall,
        }
    }

    fn anchor(boot_id: &str, offset: i64) -> Option<Anchor> {
        Some(Anchor {
            boot_id: boot_id.into(),
            offset,
        })
    }

    #[test]
    fn a_wall_clock_set_during_a_boot_moves_nothing() {
        for wall in [0, 50 * HOUR, 5_000 * HOUR] {
            let placed = Anchor::choose(
                anchor("boot", 100 * HOUR),
                Timestamp(7),
                &readings("boot\n", HOUR, wall),
            );
            assert_eq!(placed.offset, 100 * HOUR, "wall clock at {wall}");
        }
    }

    #[test]
    fn another_boot_is_placed_by_the_wall_clock() {
        for kept in [None, anchor("old", 7), anchor("", 7)] {
            let placed = Anchor::choose(
                kept.clone(),
                Timestamp(9),
                &readings("new", HOUR, 50 * HOUR),
            );
            assert_eq!(placed.offset, 49 * HOUR, "kept {kept:?}");
        }
    }

    #[test]
    fn an_unknown_boot_is_never_taken_for_the_same() {
        let placed = Anchor::choose(anchor("", 7), Timestamp(0), &readings("", HOUR, 50 * HOUR));
        assert_eq!(placed.offset, 49 * HOUR);
    }

    #[test]
    fn time_is_never_behind_what_was_counted() {
        let newest = Timestamp(90 * HOUR as u64);
        for kept in [None, anchor("boot", 3 * HOUR), anchor("old", 300 * HOUR)] {
            let placed = Anchor::choose(kept, newest, &readings("boot", HOUR, 50 * HOUR));
            let now = HOUR + placed.offset;
            assert_eq!(now, 90 * HOUR + 1);
        }
    }

    #[test]
    fn the_machine_clock_agrees_with_the_wall_clock_after_placing() {
        let clock = Clock::machine(&Anchor::place(None, Timestamp::default()));
        let wall = Timestamp(read(ClockId::Realtime) as u64);
        assert!(wall.since(clock.now()) < Duration::from_secs(60));
        assert!(clock.now().since(wall) < Duration::from_secs(60));
    }

    #[test]
    fn a_time_prints_as_rfc_3339() {
        let text = Timestamp(1_700_000_000_123_456_789).to_string();
        assert_eq!(text, "2023-11-14T22:13:20.123456789Z");
    }

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let (clock, hands) = Clock::manual(Timestamp(5));
        assert_eq!(clock.now(), Timestamp(5));
        hands.advance(Duration::from_nanos(3));
        assert_eq!(clock.clone().now(), Timestamp(8));
    }
}
