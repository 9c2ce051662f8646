//! Names of tools, exact or as globs over bytes: which entry speaks for a tool.
//!
//! It never folds case or Unicode: two spellings are two tools.

/// The longest glob; two of them are compared in the product of their lengths when a policy is loaded.
const GLOB_BYTES_MAX: usize = 256;

/// A pattern over the bytes of a name: `*` any bytes, `?` one byte, `[a-z0-9_]` one byte of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    parts: Box<[Part]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Byte(u8),
    Any,
    /// Ranges, both ends included.
    Set(Box<[(u8, u8)]>),
    Star,
}

impl Glob {
    /// Whether a name has any sign that makes it a pattern.
    pub(super) fn is_glob(text: &str) -> bool {
        text.contains(['*', '?', '['])
    }

    /// Reads a pattern; an error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Glob, String> {
        if text.len() > GLOB_BYTES_MAX {
            return Err(format!("a glob may have at most {GLOB_BYTES_MAX} bytes"));
        }
        let mut parts = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'*' if parts.last() == Some(&Part::Star) => {}
                b'*' => parts.push(Part::Star),
                b'?' => parts.push(Part::Any),
                b'[' => {
                    let end = rest
                        .iter()
                        .position(|&byte| byte == b']')
                        .ok_or("\"[\" without \"]\"")?;
                    parts.push(Part::Set(set(&rest[..end])?));
                    rest = &rest[end + 1..];
                }
                byte => parts.push(Part::Byte(byte)),
            }
        }
        Ok(Glob {
            parts: parts.into(),
        })
    }

    /// How many parts it has.
    pub(super) fn length(&self) -> usize {
        self.parts.len()
    }

    /// How many bytes stand before the first sign that is not literal.
    pub(super) fn prefix_length(&self) -> usize {
        let is_literal = |part: &&Part| matches!(part, Part::Byte(_));
        self.parts.iter().take_while(is_literal).count()
    }

    /// Whether the whole name fits. Takes at most pattern × name steps.
    pub(super) fn matches(&self, name: &str) -> bool {
        let (name, parts) = (name.as_bytes(), &self.parts);
        let (mut at, mut part) = (0, 0);
        // After a star: where to go on in the pattern, and how much of the name it has taken so far.
        let mut star: Option<(usize, usize)> = None;
        loop {
            match (parts.get(part), name.get(at)) {
                (None, None) => return true,
                (Some(Part::Star), _) => {
                    part += 1;
                    star = Some((part, at));
                    continue;
                }
                (Some(one), Some(&byte)) if one.takes(byte) => {
                    (at, part) = (at + 1, part + 1);
                    continue;
                }
                _ => {}
            }
            match &mut star {
                Some((resume, taken)) if *taken < name.len() => {
                    *taken += 1;
                    (at, part) = (*taken, *resume);
                }
                _ => return false,
            }
        }
    }

    /// Whether every name that fits the other one fits this; false also where that cannot be seen part by part.
    pub(super) fn covers(&self, other: &Glob) -> bool {
        let (mine, theirs) = (&self.parts, &other.parts);
        // `fits[j]`: the parts of this from `i` on cover those of the other from `j` on.
        let mut fits: Vec<bool> = (0..=theirs.len()).map(|j| j == theirs.len()).collect();
        for part in mine.iter().rev() {
            let after = fits.clone();
            for j in (0..=theirs.len()).rev() {
                fits[j] = match (part, theirs.get(j)) {
                    (Part::Star, None) => after[j],
                    (Part::Star, Some(_)) => after[j] || fits[j + 1],
                    (one, Some(two)) => one.contains(two) && after[j + 1],
                    (_, None) => false,
                };
            }
        }
        fits[0]
    }

    /// All names that fit, if there are at most `max` of them, and each can be written.
    pub(super) fn all_names(&self, max: usize) -> Option<Vec<String>> {
        let mut names = vec![Vec::new()];
        for part in &self.parts {
            let bytes: Vec<u8> = match part {
                Part::Byte(byte) => vec![*byte],
                Part::Set(ranges) => ranges.iter().flat_map(|&(from, to)| from..=to).collect(),
                Part::Any | Part::Star => return None,
            };
            if names.len() * bytes.len() > max {
                return None;
            }
            let longer = |name: &Vec<u8>| {
                let name = name.clone();
                bytes
                    .clone()
                    .into_iter()
                    .map(move |byte| [&name[..], &[byte]].concat())
            };
            names = names.iter().flat_map(longer).collect();
        }
        names
            .into_iter()
            .map(|name| String::from_utf8(name).ok())
            .collect()
    }

    /// Whether some name fits both.
    pub(super) fn overlaps(&self, other: &Glob) -> bool {
        let (mine, theirs) = (&self.parts, &other.parts);
        let ends = mine.iter().rev().zip(theirs.iter().rev());
        let mut literal_ends =
            ends.take_while(|(one, two)| matches!((one, two), (Part::Byte(_), Part::Byte(_))));
        if literal_ends.any(|(one, two)| one != two) {
            return false;
        }
        let width = theirs.len() + 1;
        let mut seen = vec![false; (mine.len() + 1) * width];
        let mut next = vec![(0, 0)];
        while let Some((i, j)) = next.pop() {
            if std::mem::replace(&mut seen[i * width + j], true) {
                continue;
            }
            match (mine.get(i), theirs.get(j)) {
                (None, None) => return true,
                (Some(Part::Star), Some(_)) => next.extend([(i + 1, j), (i, j + 1)]),
                (Some(_), Some(Part::Star)) => next.extend([(i, j + 1), (i + 1, j)]),
                (Some(Part::Star), None) => next.push((i + 1, j)),
                (None, Some(Part::Star)) => next.push((i, j + 1)),
                (Some(one), Some(two)) if one.meets(two) => next.push((i + 1, j + 1)),
                _ => {}
            }
        }
        false
    }
}

impl Part {
    fn takes(&self, byte: u8) -> bool {
        match self {
            Part::Byte(own) => *own == byte,
            Part::Any => true,
            Part::Set(ranges) => ranges.iter().any(|&(from, to)| (from..=to).contains(&byte)),
            Part::Star => false,
        }
    }

    /// Whether it takes every byte that the other one takes; a star takes more than one.
    fn contains(&self, other: &Part) -> bool {
        *other != Part::Star && (0..=u8::MAX).all(|byte| !other.takes(byte) || self.takes(byte))
    }

    fn meets(&self, other: &Part) -> bool {
        match (self, other) {
            (Part::Byte(byte), part) | (part, Part::Byte(byte)) => part.takes(*byte),
            _ => (0..=u8::MAX).any(|byte| self.takes(byte) && other.takes(byte)),
        }
    }
}

fn set(mut inside: &[u8]) -> Result<Box<[(u8, u8)]>, String> {
    if inside.is_empty() {
        return Err("\"[]\" matches nothing".into());
    }
    if matches!(inside[0], b'!' | b'^') {
        return Err("a set cannot be negated".into());
    }
    if !inside.is_ascii() {
        return Err("a set may have ASCII characters only".into());
    }
    let mut ranges = Vec::new();
    while let Some((&from, after)) = inside.split_first() {
        let (to, after) = match after {
            [b'-', to, after @ ..] => (*to, after),
            _ => (from, after),
        };
        if to < from {
            let (from, to) = (char::from(from), char::from(to));
            return Err(format!("the range {from}-{to} is backwards"));
        }
        ranges.push((from, to));
        inside = after;
    }
    Ok(ranges.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::parse(text).unwrap_or_else(|what| panic!("{text}: {what}"))
    }

    #[test]
    fn a_glob_matches_whole_names_byte_by_byte() {
        for (pattern, name, matches) in [
            ("*", "", true),
            ("*", "anything/at all", true),
            ("delete_*", "delete_", true),
            ("delete_*", "Delete_x", false),
            ("delete_*", "undelete_x", false),
            ("*_all", "delete_all", true),
            ("*_all", "delete_all_of_it", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "aüc", false),
            ("v[0-9]", "v7", true),
            ("v[0-9]", "v77", false),
            ("[a-cx]z", "xz", true),
            ("[a-cx]z", "dz", false),
            ("[*]", "*", true),
            ("[*]", "a", false),
            ("[a-]", "-", true),
            ("a]", "a]", true),
            ("*a", "aaaaab", false),
        ] {
            assert_eq!(glob(pattern).matches(name), matches, "{pattern} on {name}");
        }
    }

    #[test]
    fn a_wider_glob_covers_a_narrower_one() {
        for (wide, narrow, covers) in [
            ("*", "*", true),
            ("*", "a?[b-d]*", true),
            ("delete_*", "delete_?x", true),
            ("delete_*", "delete_*_all", true),
            ("*_all", "delete_*_all", true),
            ("v[0-9]", "v[3-5]", true),
            ("v?", "v[0-9]", true),
            ("a*c", "a*b*c", true),
            ("delete_*", "del*", false),
            ("v[0-9]", "v?", false),
            ("?*", "*", false),
            ("a*b", "a*", false),
            ("v?", "v*", false),
        ] {
            assert_eq!(
                glob(wide).covers(&glob(narrow)),
                covers,
                "{wide} over {narrow}"
            );
        }
    }

    #[test]
    fn the_names_of_a_small_glob_can_be_told() {
        let names = |text: &str| glob(text).all_names(4);
        let of = |names: &[&str]| {
            Some(
                names
                    .iter()
                    .map(|&name| name.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(names("v[12]"), of(&["v1", "v2"]));
        assert_eq!(names("[ab][ab]"), of(&["aa", "ab", "ba", "bb"]));
        assert_eq!(names("v[0-4]"), None, "more than four");
        assert_eq!(names("v?"), None);
        assert_eq!(names("v*"), None);
    }

    #[test]
    fn a_broken_glob_is_refused() {
        for text in [
            "[",
            "a[b",
            "[]",
            "[!a]",
            "[^a]",
            "[z-a]",
            "[ü]",
            &"*a".repeat(200),
        ] {
            assert!(Glob::parse(text).is_err(), "{text} was read");
        }
    }

    #[test]
    fn the_prefix_is_what_stands_before_the_first_sign() {
        for (text, length) in [("*", 0), ("get_*", 4), ("get_?x", 4), ("a[b]c", 1)] {
            assert_eq!(glob(text).prefix_length(), length, "{text}");
        }
    }

    /// The obvious matcher, one way after another.
    fn fits(parts: &[Part], name: &[u8]) -> bool {
        match (parts.split_first(), name.split_first()) {
            (None, rest) => rest.is_none(),
            (Some((Part::Star, rest)), _) => {
                (0..=name.len()).any(|taken| fits(rest, &name[taken..]))
            }
            (Some((part, rest)), Some((&byte, name))) => part.takes(byte) && fits(rest, name),
            (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn a_glob_matches_as_the_obvious_matcher_does(pattern in "[ab*?]{0,7}|[ab*]{0,3}\\[a-b\\]", name in "[abc]{0,8}") {
            let glob = glob(&pattern);
            prop_assert_eq!(glob.matches(&name), fits(&glob.parts, name.as_bytes()));
        }

        #[test]
        fn what_fits_a_covered_glob_fits_the_one_that_covers_it(wide in "[ab*?]{0,5}", narrow in "[ab*?]{0,5}", name in "[abc]{0,7}") {
            let (wide, narrow) = (glob(&wide), glob(&narrow));
            if wide.covers(&narrow) && narrow.matches(&name) {
                prop_assert!(wide.matches(&name));
            }
        }

        #[test]
        fn two_globs_that_match_one_name_overlap(left in "[ab*?]{0,6}", right in "[ab*?]{0,6}", name in "[ab]{0,6}") {
            let (left, right) = (glob(&left), glob(&right));
            if left.matches(&name) && right.matches(&name) {
                prop_assert!(left.overlaps(&right));
            }
        }

        #[test]
        fn two_globs_that_overlap_have_a_name_in_common(left in "[ab*?]{0,4}", right in "[ab*?]{0,4}") {
            let (left, right) = (glob(&left), glob(&right));
            let names = (0..=8).flat_map(|length| (0..1_u32 << length).map(move |bits| {
                (0..length).map(|at| if bits >> at & 1 == 0 { 'a' } else { 'b' }).collect::<String>()
            }));
            let shared = names.into_iter().any(|name| left.matches(&name) && right.matches(&name));
            prop_assert_eq!(left.overlaps(&right), shared);
        }
    }
}
