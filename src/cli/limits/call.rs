//! The counters that one call would be charged to.
//!
//! It never charges them, and never runs the call.

use serde_json::{Value, json};

use super::ShowArgs;
use super::kept::Kept;
use crate::cli::explain::call;
use crate::cli::terminal::{CliError, now};
use crate::grants::{Grant, LimitView};
use crate::json::{Duplicates, Reader};
use crate::policy::{Caller, Decision, Denial, Facts, Moment};

/// What is decided of the call, and what it would be charged to.
#[derive(Debug)]
pub(super) struct Charged<'g> {
    pub(super) tool: String,
    pub(super) verdict: &'static str,
    pub(super) rule: Option<String>,
    pub(super) views: Vec<LimitView<'g>>,
}

impl Charged<'_> {
    pub(super) fn json(&self) -> Value {
        json!({ "tool": self.tool, "verdict": self.verdict, "rule": self.rule })
    }
}

/// Reads the call and looks at its counters.
pub(super) fn charged<'g>(
    text: &str,
    args: &ShowArgs,
    (grant, kept): (&'g Grant, &Kept),
) -> Result<Charged<'g>, CliError> {
    let server = server(grant, args)?;
    let text = call::text(text)?;
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader.read(text.as_bytes());
    let document = document.map_err(|flaw| CliError::unusable(format!("the call: {flaw}")))?;
    let call = call::read(document.root())?;
    let definition = kept.catalogue.definition(server, call.tool);
    let facts = Facts {
        listing: kept.catalogue.listing(server, call.tool),
        definition: definition.as_deref(),
        caller: Caller {
            label: &grant.name,
            tags: &grant.tags,
            client: args.client.as_deref(),
        },
        session: args.session.as_deref(),
        time: Moment {
            seconds: now().date().as_second(),
        },
    };
    let seat = grant
        .seat(server)
        .expect("the server is one of the grant's");
    let told = |verdict, rule: Option<&str>, views| Charged {
        tool: call.tool.to_owned(),
        verdict,
        rule: rule.map(str::to_owned),
        views,
    };
    Ok(match seat.policy.decide(&call, &facts).decision {
        Decision::Allow(permit) => {
            let views = grant.charges_of((server, &permit), (&kept.counters, kept.now));
            told("allow", None, views.unwrap_or_default())
        }
        Decision::Hold(held) => told("approve", Some(&held.rule.id), Vec::new()),
        // An operator may know why a tool is not there; an agent may not.
        Decision::Deny(Denial::Unavailable(why)) => told("deny", Some(why.reason()), Vec::new()),
        Decision::Deny(denial) => told("deny", denial.rule(), Vec::new()),
    })
}

/// The server that is named, or the only one.
fn server<'g>(grant: &'g Grant, args: &ShowArgs) -> Result<&'g str, CliError> {
    let reached: Vec<&str> = grant.servers();
    let named = args.server.as_deref();
    match (named, &reached[..]) {
        (None, [only]) => Ok(only),
        (Some(named), all) if all.contains(&named) => {
            let found = all.iter().find(|server| **server == named);
            Ok(found.expect("it was found just now"))
        }
        _ => Err(CliError::unusable(format!(
            "say with --server where the call goes; the grant reaches: {}",
            reached.join(", ")
        ))),
    }
}
