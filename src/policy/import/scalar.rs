//! Plain scalars of YAML → values, by the core schema of YAML 1.2 (§10.3.2).
//!
//! It never guesses: what readers of YAML 1.1 take for something else is refused, and so are numbers that JSON spells
//! otherwise, so that a number's text is always the author's own.

use super::node::Data;

/// What is wrong with a scalar, and what to write instead.
pub(super) type Refusal = (String, String);

/// Reads a scalar without quotes.
pub(super) fn plain(text: &str) -> Result<Data, Refusal> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Data::Null),
        "true" | "True" | "TRUE" => return Ok(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Data::Bool(false)),
        _ => {}
    }
    if is_json_number(text) {
        return Ok(Data::Number(text.to_owned()));
    }
    if is_old_boolean(text) {
        let what = format!(
            "{text} without quotes is a boolean to some readers of YAML and text to others"
        );
        let remedy = format!("write true or false, or quote it: \"{text}\"");
        return Err((what, remedy));
    }
    if is_infinite(text) {
        let what = format!("{text} is no number that can be compared exactly");
        return Err((what, "write a number, or quote it".into()));
    }
    if looks_like_a_number(text) {
        let what = format!(
            "{text} without quotes is not a number to all readers of YAML, or not the same one"
        );
        let remedy = format!(
            "write it as in JSON (digits, with neither sign +, leading zeros nor underscores), or quote it: \"{text}\""
        );
        return Err((what, remedy));
    }
    Ok(Data::Text(text.to_owned()))
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?`, as RFC 8259 §6 has it.
fn is_json_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let exponent_is_right =
        exponent.is_none_or(|digits| is_digits(digits.strip_prefix(['-', '+']).unwrap_or(digits)));
    is_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(is_digits)
        && exponent_is_right
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What YAML 1.1 reads as a boolean and 1.2 as text.
pub(super) fn is_old_boolean(text: &str) -> bool {
    let is_cased_like_a_word = text == text.to_lowercase()
        || text == text.to_uppercase()
        || text.chars().skip(1).all(|c| c.is_lowercase());
    let words = ["y", "n", "yes", "no", "on", "off"];
    is_cased_like_a_word && words.contains(&text.to_lowercase().as_str())
}

fn is_infinite(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(unsigned.to_lowercase().as_str(), ".inf" | ".nan")
}

/// A number of YAML 1.1 or 1.2 in another spelling than JSON's: `+1`, `.5`, `1.`, `007`, `0x1F`, `0o17`, `0b11`, `1_000`.
fn looks_like_a_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits: String = unsigned.chars().filter(|c| *c != '_').collect();
    for (sign, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = digits.strip_prefix(sign) {
            return !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix));
        }
    }
    let begins_like_one = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((&digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = [
        whole,
        fraction,
        exponent.strip_prefix(['-', '+']).unwrap_or(exponent),
    ];
    begins_like_one
        && !(whole.is_empty() && fraction.is_empty())
        && all
            .iter()
            .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_what_the_core_schema_of_yaml_1_2_says() {
        for (text, data) in [
            ("", Data::Null),
            ("~", Data::Null),
            ("null", Data::Null),
            ("True", Data::Bool(true)),
            ("FALSE", Data::Bool(false)),
            ("tRUE", Data::Text("tRUE".into())),
            ("yES", Data::Text("yES".into())),
            ("none", Data::Text("none".into())),
            ("5/hour", Data::Text("5/hour".into())),
            ("2026-11-24", Data::Text("2026-11-24".into())),
            ("12:30", Data::Text("12:30".into())),
            ("1.2.3", Data::Text("1.2.3".into())),
            ("e5", Data::Text("e5".into())),
            ("-", Data::Text("-".into())),
            (".", Data::Text(".".into())),
            ("_", Data::Text("_".into())),
            ("0xyz", Data::Text("0xyz".into())),
        ] {
            assert_eq!(plain(text), Ok(data), "{text:?}");
        }
    }

    #[test]
    fn a_number_keeps_its_text_to_the_last_digit() {
        for text in [
            "0",
            "-0",
            "9007199254740993",
            "0.1",
            "-12.50",
            "1e3",
            "1E-7",
            "2.5e+10",
        ] {
            assert_eq!(plain(text), Ok(Data::Number(text.into())), "{text}");
        }
    }

    #[test]
    fn what_readers_of_yaml_disagree_about_is_refused() {
        for text in [
            "yes", "Yes", "NO", "on", "Off", "y", "N", "007", "-01", "+1", ".5", "1.", "0x1F",
            "0o17", "0b11", "1_000", "1__0.5", "1.e5", ".inf", "-.INF", ".NaN", "0x_f",
        ] {
            assert!(plain(text).is_err(), "{text} was read as {:?}", plain(text));
        }
    }
}
