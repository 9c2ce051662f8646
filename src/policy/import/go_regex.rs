//! A regular expression of Go's `regexp` → one of ours that matches the same texts.
//!
//! It never widens what matches: where ours would read a sign in another way, the sign is spelled out.

/// Carries a pattern over; `Err` says what has no counterpart.
pub(super) fn carried_over(pattern: &str) -> Result<String, String> {
    let mut carried = String::new();
    let mut rest = pattern;
    while let Some(sign) = rest.chars().next() {
        let after = &rest[sign.len_utf8()..];
        rest = match sign {
            '\\' => escape(after, &mut carried),
            '[' => class(after, &mut carried)?,
            _ => {
                carried.push(sign);
                after
            }
        };
    }
    Ok(carried)
}

/// What stands after a backslash; the rest after it.
fn escape<'p>(after: &'p str, carried: &mut String) -> &'p str {
    let Some(sign) = after.chars().next() else {
        carried.push('\\');
        return after;
    };
    let rest = &after[sign.len_utf8()..];
    match sign {
        // Go's classes and word boundaries know ASCII only; ours know all of Unicode.
        'd' => carried.push_str("[0-9]"),
        'D' => carried.push_str("[^0-9]"),
        'w' => carried.push_str("[0-9A-Za-z_]"),
        'W' => carried.push_str("[^0-9A-Za-z_]"),
        's' => carried.push_str("[\\t\\n\\f\\r ]"),
        'S' => carried.push_str("[^\\t\\n\\f\\r ]"),
        'b' => carried.push_str("(?-u:\\b)"),
        // To Go these are the signs themselves, to us the edges of a word.
        '<' | '>' => carried.push(sign),
        'Q' => {
            let (literal, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            carried.push_str(&regex::escape(literal));
            return rest;
        }
        _ => {
            carried.push('\\');
            carried.push(sign);
        }
    }
    rest
}

/// What stands after the bracket that opens a class; the rest after the one that closes it.
fn class<'p>(after: &'p str, carried: &mut String) -> Result<&'p str, String> {
    carried.push('[');
    let mut rest = after;
    if let Some(inside) = rest.strip_prefix('^') {
        carried.push('^');
        rest = inside;
    }
    // A bracket that comes first closes nothing.
    if let Some(inside) = rest.strip_prefix(']') {
        carried.push_str("\\]");
        rest = inside;
    }
    while let Some(sign) = rest.chars().next() {
        let inside = &rest[sign.len_utf8()..];
        rest = match sign {
            ']' => {
                carried.push(']');
                return Ok(inside);
            }
            '[' => opening(inside, carried),
            '\\' => class_escape(inside, carried),
            '-' if inside.starts_with('-') => {
                return Err(
                    "\"--\" in a class of a regex cannot be carried over: write \\-".into(),
                );
            }
            // To us a pair of these is an operation between classes.
            '&' | '~' => {
                carried.push('\\');
                carried.push(sign);
                inside
            }
            _ => {
                carried.push(sign);
                inside
            }
        };
    }
    Ok(rest)
}

/// A bracket within a class: `[:alpha:]`, or the sign itself.
fn opening<'p>(inside: &'p str, carried: &mut String) -> &'p str {
    let named = inside.strip_prefix(':').and_then(|name| name.find(":]"));
    let Some(length) = named else {
        carried.push_str("\\[");
        return inside;
    };
    let (name, rest) = inside.split_at(length + ":".len() + ":]".len());
    carried.push('[');
    carried.push_str(name);
    rest
}

fn class_escape<'p>(inside: &'p str, carried: &mut String) -> &'p str {
    match inside.chars().next() {
        Some('d') => carried.push_str("0-9"),
        Some('w') => carried.push_str("0-9A-Za-z_"),
        Some('s') => carried.push_str("\\t\\n\\f\\r "),
        _ => return escape(inside, carried),
    }
    &inside[1..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_it_matches_in_go() {
        for (pattern, text, matches) in [
            ("^feat/", "feat/x", true),
            (r"^\d+$", "123", true),
            (r"^\d+$", "١٢٣", false),
            (r"^[\d]+$", "١", false),
            (r"^\w+$", "é", false),
            (r"^\W$", "é", true),
            (r"^[^\w]$", "é", true),
            (r"^[\W]$", "é", true),
            (r"^\s$", "\u{a0}", false),
            (r"^a\b", "aé", true),
            (r"\<script\>", "<script>", true),
            (r"\<script\>", "script", false),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            ("^[a[b]$", "[", true),
            ("^[a&&b]$", "&", true),
            ("^[a&&b]$", "a", true),
            ("^[]a]$", "]", true),
            ("^[^]a]$", "]", false),
            ("^[[:alpha:]_]+$", "ab_", true),
            ("^[[:alpha:]]+$", "é", false),
            ("^[a~~b]$", "~", true),
            (r"^\.\.$", "..", true),
        ] {
            let ours = carried_over(pattern).unwrap_or_else(|what| panic!("{pattern}: {what}"));
            let regex = regex::Regex::new(&ours)
                .unwrap_or_else(|error| panic!("{pattern} became {ours}: {error}"));
            assert_eq!(
                regex.is_match(text),
                matches,
                "{pattern} became {ours}, on {text:?}"
            );
        }
    }

    #[test]
    fn a_class_whose_meaning_would_change_is_refused() {
        assert!(carried_over("[+--]").is_err());
    }
}
