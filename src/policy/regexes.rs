//! The regexes of one policy: each is compiled once, however many rules have it.
//!
//! It never keeps one that could take more than its share of memory, and none can take more than linear time.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

/// A compiled regex may take so many bytes: enough for a page of alternatives, too little for `\w{10000}`.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// What has been compiled so far. Compiling takes a hundred times as long as all else about a rule.
#[derive(Debug, Default)]
pub(super) struct Regexes {
    compiled: RefCell<HashMap<Box<str>, Regex>>,
}

/// Why a regex cannot be used.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) what: String,
    pub(super) remedy: Option<&'static str>,
}

impl Regexes {
    /// The compiled regex; copies share what they are compiled to.
    pub(super) fn compile(&self, text: &str) -> Result<Regex, Flaw> {
        if let Some(regex) = self.compiled.borrow().get(text) {
            return Ok(regex.clone());
        }
        let built = RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build();
        let regex = built.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => Flaw {
                what: format!("the regex takes more than {REGEX_BYTES_MAX} bytes"),
                remedy: Some("use smaller repetitions"),
            },
            error => Flaw::read_from(&error.to_string()),
        })?;
        let mut compiled = self.compiled.borrow_mut();
        compiled.insert(text.into(), regex.clone());
        Ok(regex)
    }
}

impl Flaw {
    /// The library draws the pattern and an arrow on several lines; the last one says what is wrong.
    fn read_from(error: &str) -> Flaw {
        let last = error.lines().last().unwrap_or_default();
        let what = last.strip_prefix("error: ").unwrap_or(last);
        Flaw {
            what: format!("the regex cannot be read: {what}"),
            remedy: None,
        }
    }
}
