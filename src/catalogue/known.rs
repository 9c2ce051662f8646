//! What is remembered of a server's tools from one run to the next: names, and the hints that were seen first.
//!
//! It never keeps a schema: the server may be another version by the next start, and is listed anew.

use serde::{Deserialize, Serialize};

use crate::policy::Hints;

/// One tool of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Form")]
pub struct Known {
    /// Its name.
    pub name: Box<str>,
    /// Its annotations when it was first seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Hints,
}

/// How it may have been written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    /// Before hints were kept.
    Name(Box<str>),
    Tool {
        name: Box<str>,
        #[serde(default)]
        hints: Hints,
    },
}

impl From<Form> for Known {
    fn from(form: Form) -> Known {
        match form {
            Form::Name(name) => Known {
                name,
                hints: Hints::new(),
            },
            Form::Tool { name, hints } => Known { name, hints },
        }
    }
}

impl Known {
    /// All tools of a server as one JSON text.
    pub fn write(all: &[Known]) -> String {
        serde_json::to_string(all).expect("names and hints are JSON")
    }

    /// Reads what [`Known::write`] wrote; `None` if it did not.
    pub fn read(text: &str) -> Option<Vec<Known>> {
        serde_json::from_str(text).ok()
    }
}
