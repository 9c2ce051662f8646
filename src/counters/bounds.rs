//! How many counters there may be.
//!
//! A counter is never let go to make room: at a bound a new one is refused.

use std::num::NonZeroUsize;

/// The most counters, of all kinds together and of those that one grant opens by what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// All counters of the gateway.
    pub all: NonZeroUsize,
    /// Those that one grant opens by values of `by` and by sessions.
    pub per_grant: NonZeroUsize,
}

impl Default for Bounds {
    /// A counter in use takes about 100 bytes, with ten calls in a rolling window 200, so a million stay within 200 MB;
    /// only rolling windows of hundreds take more, up to 16 KB for 1,024. A policy with 100 limits then serves 10,000 grants. A hundred grants must all have gone wild before others find no room.
    fn default() -> Bounds {
        Bounds {
            all: NonZeroUsize::new(1_000_000).expect("a million is not 0"),
            per_grant: NonZeroUsize::new(10_000).expect("ten thousand is not 0"),
        }
    }
}
