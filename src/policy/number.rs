//! Compares JSON numbers by their own text: exactly, as decimals, and as the nearest doubles.
//!
//! It never computes a power of ten: an exponent is only compared, so a huge one costs nothing.

use std::borrow::Cow;
use std::cmp::Ordering;

/// An exponent with more digits than this cannot be compared; no document of under 4 GiB needs a longer one.
const EXPONENT_DIGITS_MAX: usize = 15;

/// A number of a document: ±0.d₁d₂d₃… × 10^`magnitude`, with d₁ and the last digit not zero.
#[derive(Debug, Clone)]
pub(super) struct Number<'a> {
    is_negative: bool,
    /// The digits before the point and those after it; both empty for zero.
    whole: Cow<'a, str>,
    fraction: Cow<'a, str>,
    magnitude: i64,
    nearest: f64,
}

impl<'a> Number<'a> {
    /// Reads a JSON number (RFC 8259 §6). `None` if it is none, or its exponent is beyond comparing.
    pub(super) fn parse(text: &'a str) -> Option<Number<'a>> {
        let nearest: f64 = text.parse().ok()?;
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, text),
        };
        let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent_of(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let mut whole = whole.trim_start_matches('0');
        let mut magnitude = whole.len() as i64 + exponent;
        let mut after = fraction;
        if whole.is_empty() {
            after = fraction.trim_start_matches('0');
            magnitude -= (fraction.len() - after.len()) as i64;
        }
        if after.is_empty() {
            whole = whole.trim_end_matches('0');
        }
        let is_zero = whole.is_empty() && after.is_empty();
        Some(Number {
            is_negative: is_negative && !is_zero,
            whole: Cow::Borrowed(whole),
            fraction: Cow::Borrowed(after),
            magnitude: if is_zero { 0 } else { magnitude },
            nearest,
        })
    }

    /// The same number, with digits of its own.
    pub(super) fn into_owned(self) -> Number<'static> {
        Number {
            is_negative: self.is_negative,
            whole: Cow::Owned(self.whole.into_owned()),
            fraction: Cow::Owned(self.fraction.into_owned()),
            magnitude: self.magnitude,
            nearest: self.nearest,
        }
    }

    /// How the two compare as decimals, to the last digit.
    pub(super) fn exactly(&self, other: &Number<'_>) -> Ordering {
        match (self.sign(), other.sign()) {
            (mine, theirs) if mine != theirs => mine.cmp(&theirs),
            (-1, _) => other.size(self),
            _ => self.size(other),
        }
    }

    /// How the two compare once each is rounded to the nearest double, which is what most servers see.
    pub(super) fn as_doubles(&self, other: &Number<'_>) -> Ordering {
        self.nearest
            .partial_cmp(&other.nearest)
            .expect("a number's text is never NaN")
    }

    /// Whether it is less than zero.
    pub(super) fn is_negative(&self) -> bool {
        self.is_negative
    }

    /// In millionths, rounded up to a whole one and without the sign; `u64::MAX` for all that has more digits than fit.
    pub(super) fn millionths_up(&self) -> u64 {
        if self.is_zero() {
            return 0;
        }
        let Ok(places) = usize::try_from(self.magnitude + 6) else {
            return 1;
        };
        // Any number of 19 digits fits into 64 bits.
        if places > 19 {
            return u64::MAX;
        }
        let mut digits = self.digits();
        let mut whole = 0;
        for _ in 0..places {
            whole = whole * 10 + u64::from(digits.next().unwrap_or(b'0') - b'0');
        }
        whole + u64::from(digits.next().is_some())
    }

    /// How many digits it has behind the point.
    pub(super) fn decimal_places(&self) -> u64 {
        let digits = self.digits().count() as i64;
        u64::try_from(digits - self.magnitude).unwrap_or(0)
    }

    /// One text for all spellings of one value. A number with a fraction stands for the nearest double: else the digits
    /// that a server's reader drops (`5.00000000000000000001`) would make ever new values of one.
    pub(super) fn canonical(&self) -> String {
        if self.decimal_places() > 0 && self.nearest.is_finite() {
            let text = format!("{}", self.nearest);
            let rounded = Number::parse(&text).expect("a finite double is a decimal");
            return rounded.spelled();
        }
        self.spelled()
    }

    fn spelled(&self) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        format!("{sign}{}{}e{}", self.whole, self.fraction, self.magnitude)
    }

    fn sign(&self) -> i8 {
        match (self.is_negative, self.is_zero()) {
            (true, _) => -1,
            (false, true) => 0,
            (false, false) => 1,
        }
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }

    /// Compares without signs. Trailing zeros are gone, so a digit more is always a larger number.
    fn size(&self, other: &Number<'_>) -> Ordering {
        self.magnitude
            .cmp(&other.magnitude)
            .then_with(|| self.digits().cmp(other.digits()))
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes())
    }
}

fn exponent_of(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = match digits.trim_start_matches('0') {
        "" if !digits.is_empty() => "0",
        stripped => stripped,
    };
    if digits.len() > EXPONENT_DIGITS_MAX {
        return None;
    }
    let size: i64 = digits.parse().ok()?;
    Some(if is_negative { -size } else { size })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compared(left: &str, right: &str) -> (Ordering, Ordering) {
        let [left, right] = [left, right].map(|text| Number::parse(text).expect("a number"));
        (left.exactly(&right), left.as_doubles(&right))
    }

    #[test]
    fn numbers_compare_by_every_digit_they_have() {
        use Ordering::{Equal, Greater, Less};
        for (left, right, exactly, as_doubles) in [
            ("9007199254740993", "9007199254740992", Greater, Equal),
            ("9007199254740991", "9007199254740992", Less, Less),
            ("9223372036854775808", "9223372036854775807", Greater, Equal),
            ("0.30000000000000004", "0.3", Greater, Greater),
            ("0.30000000000000001", "0.3", Greater, Equal),
            ("-0", "0", Equal, Equal),
            ("-0.0e5", "0", Equal, Equal),
            ("1e3", "1000", Equal, Equal),
            ("1000.000", "1E+3", Equal, Equal),
            ("0.001e3", "1", Equal, Equal),
            ("10", "9", Greater, Greater),
            ("-10", "-9", Less, Less),
            ("-1", "0", Less, Less),
            ("1e-999999999", "0", Greater, Equal),
            ("1e-999999999", "1e-999999998", Less, Equal),
            ("-1e-400", "0", Less, Equal),
            ("1e308", "1e307", Greater, Greater),
            ("101", "11", Greater, Greater),
            ("1.01", "1.1", Less, Less),
        ] {
            assert_eq!(
                compared(left, right),
                (exactly, as_doubles),
                "{left} and {right}"
            );
        }
    }

    #[test]
    fn spellings_of_one_value_have_one_canonical_text() {
        let canonical = |text| Number::parse(text).expect("a number").canonical();
        for (left, right) in [
            ("5", "5.0"),
            ("5", "5e0"),
            ("5", "0.5e1"),
            ("5", "5.00000000000000000001"),
            ("0", "-0"),
            ("0", "-1e-400"),
            ("0.1", "0.10000000000000000001"),
            ("9007199254740992", "9007199254740992.5"),
            ("1e400", "10e399"),
        ] {
            assert_eq!(canonical(left), canonical(right), "{left} and {right}");
        }
        for (left, right) in [
            ("9007199254740992", "9007199254740993"),
            ("5", "-5"),
            ("5", "50"),
            ("0.5", "5"),
            ("0.1", "0.2"),
        ] {
            assert_ne!(canonical(left), canonical(right), "{left} and {right}");
        }
    }

    #[test]
    fn what_is_no_number_or_has_no_comparable_exponent_is_none() {
        for text in [
            "",
            "-",
            "NaN",
            "inf",
            "infinity",
            "1e",
            "1e-99999999999999999999",
            "+1",
            ".5",
            "0x1",
        ] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn integers_compare_as_integers(left in any::<i64>(), right in any::<i64>()) {
            prop_assert_eq!(compared(&left.to_string(), &right.to_string()).0, left.cmp(&right));
        }

        #[test]
        fn moving_the_point_changes_nothing(left in any::<i32>(), right in any::<i32>(), shift in 0_usize..30) {
            let moved = format!("{right}{}e-{shift}", "0".repeat(shift));
            prop_assert_eq!(compared(&left.to_string(), &moved).0, left.cmp(&right));
        }
    }
}
