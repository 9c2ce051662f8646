//! Amounts: how much a call takes from a limit, exact to a millionth.
//!
//! They are never fractions of a binary kind, and never wrap: what is more than any limit holds stays more.

use std::fmt;

use super::number::Number;

/// How many millionths are one.
const ONE: u64 = 1_000_000;

/// So much, in millionths.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const NOTHING: Amount = Amount(0);
    /// One: what a call takes from a limit that counts calls.
    pub const ONE: Amount = Amount(ONE);
    /// The most that a limit may hold, 10^12: in millionths twice as much still fits into 64 bits, so that what is held
    /// and what is asked for can be added before they are compared.
    pub const MAX: Amount = Amount(1_000_000_000_000 * ONE);

    /// So many millionths.
    pub const fn from_millionths(millionths: u64) -> Amount {
        Amount(millionths)
    }

    /// So many ones; above [`Amount::MAX`] it is only known to be more than that.
    pub const fn whole(ones: u64) -> Amount {
        Amount(ones.saturating_mul(ONE))
    }

    /// In millionths.
    pub const fn millionths(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// Both together.
    pub const fn plus(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }

    /// What is left without the other, nothing at the least.
    pub const fn minus(self, other: Amount) -> Amount {
        Amount(self.0.saturating_sub(other.0))
    }

    /// A number without its sign; what has more than six decimal places is rounded up.
    pub(super) fn of(number: &Number<'_>) -> Amount {
        Amount(number.millionths_up())
    }
}

impl fmt::Display for Amount {
    /// As a decimal without zeros at its end, such as `2.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, millionths) = (self.0 / ONE, self.0 % ONE);
        if millionths == 0 {
            return write!(f, "{whole}");
        }
        let places = format!("{millionths:06}");
        write!(f, "{whole}.{}", places.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_becomes_millionths_and_is_rounded_up() {
        for (text, millionths) in [
            ("0", 0),
            ("-0.0", 0),
            ("1", 1_000_000),
            ("0.01", 10_000),
            ("19.99", 19_990_000),
            ("1.0000001", 1_000_001),
            ("0.0000001", 1),
            ("1e-400", 1),
            ("1e-7", 1),
            ("1e-6", 1),
            ("0.1e1", 1_000_000),
            ("2.5e3", 2_500_000_000),
            ("9007199254740993", u64::MAX),
            ("1000000000000", 1_000_000_000_000_000_000),
            ("1000000000000.0000001", 1_000_000_000_000_000_001),
            ("9999999999999.9999999", 10_000_000_000_000_000_000),
            ("99999999999999", u64::MAX),
            ("1e400", u64::MAX),
        ] {
            let number = Number::parse(text).expect("a number");
            assert_eq!(Amount::of(&number).millionths(), millionths, "{text}");
        }
    }

    #[test]
    fn an_amount_is_shown_as_a_decimal() {
        for (millionths, text) in [
            (0, "0"),
            (1, "0.000001"),
            (2_500_000, "2.5"),
            (10_000_000, "10"),
        ] {
            assert_eq!(Amount::from_millionths(millionths).to_string(), text);
        }
    }
}
