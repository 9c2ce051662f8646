//! The calendar's periods: when the one that a moment lies in ends.
//!
//! It never enters one twice: moments are those of the gateway's own timeline, which the wall clock places once and which
//! only runs forward, and a counter's moments never go back.

use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

use crate::clock::Timestamp;
use crate::policy::Window;

const DAY: u64 = 86_400 * 1_000_000_000;
/// 1970 began on a Thursday, three days after a Monday.
const SINCE_MONDAY: u64 = 3 * DAY;

/// The first moment of the next second, minute, hour, day, week or month of UTC.
pub(super) fn end(window: Window, at: Timestamp) -> Timestamp {
    let nanos = at.nanos();
    let width = u64::try_from(window.length().as_nanos()).expect("no window is 584 years long");
    let next = |nanos: u64| (nanos / width + 1).saturating_mul(width);
    Timestamp::from_nanos(match window {
        Window::MONTH => return month_end(at),
        Window::WEEK => next(nanos + SINCE_MONDAY) - SINCE_MONDAY,
        _ => next(nanos),
    })
}

fn month_end(at: Timestamp) -> Timestamp {
    let first = at.date().to_zoned(TimeZone::UTC).date().first_of_month();
    let next = first.saturating_add(1.month()).to_zoned(TimeZone::UTC);
    let nanos = next.map(|next: Zoned| next.timestamp().as_nanosecond());
    let nanos = nanos.expect("UTC has every date");
    Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
