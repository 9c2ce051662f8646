//! Numbers, compared slowly and obviously: written out digit by digit, and as the nearest doubles.
//!
//! It never shortens: a thousand zeros are a thousand zeros.

use std::cmp::Ordering;

/// Digits on each side of the point: more than any number of the random inputs has.
const SIDE: i64 = 1_100;

/// Exponents of more digits than this cannot be compared: whoever judges by them must refuse.
const EXPONENT_DIGITS_MAX: usize = 15;

/// Whether both readings of `number op bound` hold, or one of them; `None` where the number cannot be compared.
pub(crate) fn readings(
    (number, bound): (&str, &str),
    holds: impl Fn(Ordering) -> bool,
) -> Option<[bool; 2]> {
    let is_comparable = |text: &str| {
        let exponent = text.split(['e', 'E']).nth(1).unwrap_or_default();
        exponent.trim_start_matches(['-', '+', '0']).len() <= EXPONENT_DIGITS_MAX
    };
    (is_comparable(number) && is_comparable(bound)).then(|| {
        [
            holds(as_decimals(number, bound)),
            holds(as_doubles(number, bound)),
        ]
    })
}

fn as_doubles(left: &str, right: &str) -> Ordering {
    let [left, right]: [f64; 2] = [left, right].map(|text| text.parse().expect("a number"));
    left.partial_cmp(&right).expect("not NaN")
}

fn as_decimals(left: &str, right: &str) -> Ordering {
    let [left, right] = [left, right].map(written_out);
    match (left.0, right.0) {
        (false, false) => left.1.cmp(&right.1),
        (true, true) => right.1.cmp(&left.1),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// Whether it is below zero, and its digits.
fn written_out(text: &str) -> (bool, Vec<u8>) {
    let unsigned = text.trim_start_matches('-').to_lowercase();
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((&unsigned, "0"));
    let exponent: i64 = exponent.parse().expect("an exponent");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}").into_bytes();
    // The point stands so many digits from the left.
    let point = whole.len() as i64 + exponent;
    let digit_at = |place: i64| {
        let at = usize::try_from(place + point).ok();
        at.and_then(|at| digits.get(at).copied()).unwrap_or(b'0')
    };
    let out: Vec<u8> = (-SIDE..SIDE).map(digit_at).collect();
    let is_negative = text.starts_with('-') && out.iter().any(|digit| *digit != b'0');
    (is_negative, out)
}
