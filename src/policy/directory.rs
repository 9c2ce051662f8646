//! Directories: whether a path leads inside one.
//!
//! It never asks the file system and never resolves `..`: where such a path leads cannot be known here.

use super::truth::{Sense, Truth};
use crate::json::fold;

/// A directory, absolute or relative to where the server works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directory {
    is_absolute: bool,
    names: Box<[Box<str>]>,
}

impl Directory {
    /// Reads a directory; an error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Directory, String> {
        let (is_absolute, names) = plain(text).ok_or_else(|| {
            format!("{text:?} is no plain path: it may not have \"..\", \"~\", backslashes or encoded signs")
        })?;
        Ok(Directory {
            is_absolute,
            names: names.map(Into::into).collect(),
        })
    }

    /// Whether `text` is one of the directories or leads inside; unknown where that depends on the server.
    pub(super) fn judge(directories: &[Directory], text: &str, sense: Sense) -> Truth {
        let Some((is_absolute, names)) = plain(text) else {
            return Truth::Unknown;
        };
        Truth::any(directories.iter().map(|directory| {
            if directory.is_absolute != is_absolute {
                return Truth::Unknown;
            }
            // On some file systems case and Unicode form make no difference.
            let exactly = directory.leads(names.clone(), |own, name| own == name);
            let folded = || directory.leads(names.clone(), |own, name| fold(own) == fold(name));
            sense.stricter([exactly, exactly || folded()]).into()
        }))
    }

    /// What a path must look like to be judged, put after "must be ".
    pub(super) fn wanted(directories: &[Directory]) -> &'static str {
        match directories.iter().all(|directory| directory.is_absolute) {
            true => "an absolute path without \"..\"",
            false => "a path without \"..\", from the same root as the rule's",
        }
    }

    fn leads<'n>(
        &self,
        mut names: impl Iterator<Item = &'n str>,
        is_same: impl Fn(&str, &str) -> bool,
    ) -> bool {
        self.names
            .iter()
            .all(|own| names.next().is_some_and(|name| is_same(own, name)))
    }
}

/// The names in a path, and whether it begins at the root. `None` for what servers could read in several ways.
fn plain(path: &str) -> Option<(bool, impl Iterator<Item = &str> + Clone)> {
    let is_odd = |c: char| c == '\\' || c.is_control();
    let is_encoded = |at: usize| {
        let code = path.as_bytes().get(at + 1..at + 3).unwrap_or_default();
        matches!(
            code,
            [b'2', b'e' | b'E' | b'f' | b'F'] | [b'5', b'c' | b'C']
        )
    };
    let mut percents = path.match_indices('%');
    let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    // Some systems drop spaces and marks, and some fold wide signs: "．．" or ".. " is ".." there.
    let is_upward = |name: &str| {
        let folded = fold(name);
        let is_dots = !folded.is_empty() && folded.bytes().all(|byte| byte == b'.');
        is_dots || folded.contains(['/', '\\'])
    };
    let is_unclear = path.is_empty()
        || path.starts_with('~')
        || path.contains(is_odd)
        || percents.any(|(at, _)| is_encoded(at))
        || names.clone().any(is_upward);
    (!is_unclear).then(|| (path.starts_with('/'), names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_inside_by_its_names_alone() {
        use Truth::{False, True, Unknown};
        for (directory, path, require, forbid) in [
            ("/data", "/data/a.txt", True, True),
            ("/data/", "/data", True, True),
            ("/data", "//data/./x//y", True, True),
            ("/data", "/database", False, False),
            ("/data", "/", False, False),
            ("/", "/anything", True, True),
            ("/data", "/Data/x", False, True),
            ("/data", "/ｄata/x", False, True),
            ("/data", "/data/..", Unknown, Unknown),
            ("/data", "/data/../etc", Unknown, Unknown),
            ("/data", "/data/.. /etc", Unknown, Unknown),
            ("/data", "/data/.../x", Unknown, Unknown),
            ("/data", "/data/．．/x", Unknown, Unknown),
            ("/data", "/data/..／x", Unknown, Unknown),
            ("/data", "/data/%2e%2E/etc", Unknown, Unknown),
            ("/data", "/data%2Fx", Unknown, Unknown),
            ("/data", "/data/100%", True, True),
            ("/data", "\\data\\x", Unknown, Unknown),
            ("/data", "/data/a\u{0}b", Unknown, Unknown),
            ("/data", "data/x", Unknown, Unknown),
            ("/data", "~/x", Unknown, Unknown),
            ("/data", "file:///data/x", Unknown, Unknown),
            ("/data", "", Unknown, Unknown),
            ("src", "src/a", True, True),
            ("src", "./src/a", True, True),
            ("src", "/src/a", Unknown, Unknown),
            ("src", "srcs", False, False),
            ("/data", "/data/..x/.y", True, True),
        ] {
            let directories = [Directory::parse(directory).expect("a directory")];
            for (sense, expected) in [(Sense::Require, require), (Sense::Forbid, forbid)] {
                let found = Directory::judge(&directories, path, sense);
                assert_eq!(found, expected, "{path:?} in {directory}, {sense:?}");
            }
        }
    }

    #[test]
    fn a_directory_that_cannot_be_clear_is_refused() {
        for text in ["", "..", "/a/../b", "~", "C:\\x", "/a%2fb"] {
            assert!(Directory::parse(text).is_err(), "{text:?} was read");
        }
    }
}
