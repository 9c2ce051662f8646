//! Brings the figures of several rounds together: a median, a range, ratios between targets.
//!
//! It never compares across rounds: a ratio is taken within each round, where both targets had the same machine, and the
//! median of these ratios is told.

use crate::figures::{Figure, Round};

/// The middle of several values and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub(crate) struct Summary {
    /// The middle one; of an even number, halfway between the two in the middle.
    pub(crate) median: f64,
    /// The smallest.
    pub(crate) min: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Summary {
    /// Of at least one value; `None` if there is none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Summary> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Summary {
            median: low.midpoint(high),
            min,
            max,
        })
    }

    /// Half the distance between the extremes, in per cent of the median; zero where the median is zero.
    pub(crate) fn spread_percent(self) -> f64 {
        if self.median == 0.0 {
            return 0.0;
        }
        (self.max - self.min) / 2.0 / self.median * 100.0
    }
}

/// The ratio of one figure between two targets: within each round, and then the median. `None` where a round has nothing
/// to divide or to divide by.
pub(crate) fn ratio(figure: &Figure, of: &[Round], to: &[Round]) -> Option<Summary> {
    let divided = |(of, to): (&Round, &Round)| {
        let (of, to) = ((figure.of)(of), (figure.of)(to));
        (of.is_finite() && to.is_finite() && to > 0.0).then(|| of / to)
    };
    let ratios: Option<Vec<f64>> = of.iter().zip(to).map(divided).collect();
    Summary::of(ratios?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::figures::{figure, round};

    #[test]
    fn the_median_is_the_middle_and_the_spread_half_the_width() {
        let table: [(&[f64], f64, f64); 4] = [
            (&[5.0], 5.0, 0.0),
            (&[9.0, 10.0, 13.0], 10.0, 20.0),
            (&[13.0, 9.0, 10.0], 10.0, 20.0),
            (&[1.0, 3.0, 5.0, 100.0], 4.0, 1_237.5),
        ];
        for (values, median, spread) in table {
            let summary = Summary::of(values.iter().copied()).expect("values");
            assert_eq!((summary.median, summary.spread_percent()), (median, spread));
        }
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The second round had half the machine; the ratio between the targets was 2 all the same.
        let used = Duration::from_secs(1);
        let slow = [round(1_000, used), round(500, used), round(900, used)];
        let fast = [round(2_000, used), round(1_000, used), round(1_800, used)];
        let ratio = ratio(figure("calls_per_second"), &fast, &slow).expect("a ratio");
        assert_eq!((ratio.median, ratio.min, ratio.max), (2.0, 2.0, 2.0));
    }

    #[test]
    fn nothing_is_not_a_ratio() {
        let used = Duration::from_secs(1);
        let some = [round(10, used)];
        let none = [round(0, used)];
        assert_eq!(ratio(figure("calls_per_second"), &some, &none), None);
        assert_eq!(ratio(figure("target_cpu_us"), &some, &none), None);
        assert_eq!(ratio(figure("calls_per_second"), &some, &[]), None);
    }
}
