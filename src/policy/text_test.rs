//! Tests that only a string can pass.
//!
//! They never change the string: it is judged as the server will get it.

use regex::Regex;

use super::directory::Directory;
use super::host::Host;
use super::ip_range::IpRange;
use super::name::Glob;
use super::truth::{Sense, Truth};

/// A compiled test of a string.
#[derive(Debug, Clone)]
pub(super) enum TextTest {
    /// `regex`: matches somewhere.
    Regex(Regex),
    /// `glob`: matches as a whole.
    Glob(Glob),
    StartsWith(Box<str>),
    EndsWith(Box<str>),
    /// `cidr`
    IpRange(Box<[IpRange]>),
    /// `path_within`
    Directory(Box<[Directory]>),
    /// `url_host`
    Host(Box<[Host<'static>]>),
}

impl TextTest {
    /// Judges a string; unknown if it is not what the test is about, such as an address.
    pub(super) fn judge(&self, text: &str, sense: Sense) -> Truth {
        match self {
            TextTest::Regex(regex) => regex.is_match(text).into(),
            TextTest::Glob(glob) => glob.matches(text).into(),
            TextTest::StartsWith(start) => text.starts_with(&**start).into(),
            TextTest::EndsWith(end) => text.ends_with(&**end).into(),
            TextTest::IpRange(ranges) => IpRange::judge(ranges, text, sense),
            TextTest::Directory(directories) => Directory::judge(directories, text, sense),
            TextTest::Host(hosts) => Host::judge(hosts, text),
        }
    }

    /// How often the string may be gone through.
    pub(super) fn cost(&self) -> usize {
        match self {
            TextTest::Glob(glob) => glob.length(),
            TextTest::Directory(directories) => 1 + directories.len(),
            TextTest::Regex(_)
            | TextTest::StartsWith(_)
            | TextTest::EndsWith(_)
            | TextTest::IpRange(_)
            | TextTest::Host(_) => 1,
        }
    }

    /// What a value must be to be judged, put after "must be ".
    pub(super) fn wanted(&self) -> &'static str {
        match self {
            TextTest::Regex(_)
            | TextTest::Glob(_)
            | TextTest::StartsWith(_)
            | TextTest::EndsWith(_) => "a string",
            TextTest::IpRange(_) => "an IP address",
            TextTest::Directory(directories) => Directory::wanted(directories),
            TextTest::Host(_) => "a plain URL such as https://host/path",
        }
    }
}
