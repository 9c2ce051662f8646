//! Globs over URIs and prompt names, in which `*` stays between two slashes and `**` does not.
//!
//! It never folds case or decodes escapes: what is matched is what the server gets.

/// The longest glob: longer than any path a person writes, short enough that matching stays cheap.
const GLOB_BYTES_MAX: usize = 512;

/// A compiled glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SlashGlob {
    parts: Box<[Part]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Byte(u8),
    /// `?`: one byte that is no slash.
    Any,
    /// `*`: bytes that are no slashes.
    Star,
    /// `**`: any bytes.
    Stars,
}

impl SlashGlob {
    /// Reads a glob; an error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<SlashGlob, String> {
        if text.len() > GLOB_BYTES_MAX {
            return Err(format!("a glob may have at most {GLOB_BYTES_MAX} bytes"));
        }
        if text.contains(['[', ']']) {
            return Err("sets are not known here: write *, ** or ?".into());
        }
        let mut parts = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            parts.push(match byte {
                b'*' if after.first() == Some(&b'*') => {
                    rest = &after[1..];
                    Part::Stars
                }
                b'*' => Part::Star,
                b'?' => Part::Any,
                byte => Part::Byte(byte),
            });
        }
        Ok(SlashGlob {
            parts: parts.into(),
        })
    }

    /// Whether the whole name fits. Takes glob × name steps.
    pub(super) fn matches(&self, name: &str) -> bool {
        let name = name.as_bytes();
        // Which lengths of the name the parts so far can have taken.
        let mut taken = vec![false; name.len() + 1];
        taken[0] = true;
        for part in &self.parts {
            let mut next = vec![false; name.len() + 1];
            for at in 0..=name.len() {
                let by_step = at > 0 && taken[at - 1] && part.is_one(name[at - 1]);
                let by_star = part.is_many()
                    && (taken[at] || at > 0 && next[at - 1] && part.runs_over(name[at - 1]));
                next[at] = by_step || by_star;
            }
            taken = next;
        }
        taken[name.len()]
    }
}

impl Part {
    fn is_one(&self, byte: u8) -> bool {
        match self {
            Part::Byte(own) => *own == byte,
            Part::Any => byte != b'/',
            Part::Star | Part::Stars => false,
        }
    }

    fn is_many(&self) -> bool {
        matches!(self, Part::Star | Part::Stars)
    }

    fn runs_over(&self, byte: u8) -> bool {
        match self {
            Part::Star => byte != b'/',
            Part::Stars => true,
            Part::Byte(_) | Part::Any => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_star_stays_between_slashes_and_two_do_not() {
        for (glob, name, matches) in [
            ("file:///data/*", "file:///data/a", true),
            ("file:///data/*", "file:///data/", true),
            ("file:///data/*", "file:///data/a/b", false),
            ("file:///data/**", "file:///data/a/b", true),
            ("file:///data/**", "file:///database", false),
            ("**/secret", "a/b/secret", true),
            ("**/secret", "secret", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("a*c", "ac", true),
            ("a***c", "a/b/c", true),
            ("", "", true),
            ("", "a", false),
        ] {
            let parsed = SlashGlob::parse(glob).expect(glob);
            assert_eq!(parsed.matches(name), matches, "{glob} on {name}");
        }
        assert!(SlashGlob::parse("a[b]").is_err());
        assert!(SlashGlob::parse(&"a".repeat(600)).is_err());
    }

    /// The obvious matcher, one way after another.
    fn fits(parts: &[Part], name: &[u8]) -> bool {
        match (parts.split_first(), name.split_first()) {
            (None, rest) => rest.is_none(),
            (Some((part, rest)), _) if part.is_many() => (0..=name.len())
                .take_while(|&taken| name[..taken].iter().all(|&byte| part.runs_over(byte)))
                .any(|taken| fits(rest, &name[taken..])),
            (Some((part, rest)), Some((&byte, name))) => part.is_one(byte) && fits(rest, name),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn a_glob_matches_as_the_obvious_matcher_does(glob in "[a/*?]{0,7}", name in "[ab/]{0,7}") {
            let glob = SlashGlob::parse(&glob).expect("no sets in it");
            prop_assert_eq!(glob.matches(&name), fits(&glob.parts, name.as_bytes()));
        }
    }
}
