//! Finds keys that look like another key without being it.
//!
//! Some servers match keys without regard to case or Unicode form. A key that folds to one the policy judges could
//! reach them unjudged, so it is refused. Folding is never used to match a key, only to refuse one.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// Whether `key` is another spelling of `protected`: equal after folding, but not equal.
pub fn folds_to(key: &str, protected: &str) -> bool {
    key != protected
        && (key.len() >= protected.len() || !key.is_ascii())
        && fold(key) == fold(protected)
}

/// NFKC, lower case, without NUL, controls, white space and invisible format characters.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
    {
        return Cow::Borrowed(text);
    }
    let lower: String = text
        .nfkc()
        .filter(|&c| !is_invisible(c))
        .flat_map(char::to_lowercase)
        .collect();
    Cow::Owned(lower.nfkc().filter(|&c| !is_invisible(c)).collect())
}

/// Controls, white space, soft hyphen, zero-width and direction marks, variation selectors.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}
