//! `toolgate explain`: what a policy decides of one call, and how it comes to that.
//!
//! It never runs the call, never counts it, and contacts nobody but a server whose tools it is told to ask for.

pub(in crate::cli) mod call;
mod json;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::definitions::Tools;
use super::excerpt::{Weight, pointed};
use super::terminal::{CliError, Format, now, print};
use crate::config::policy_text;
use crate::json::{Duplicates, Reader};
use crate::policy::{Caller, Facts, Listing, Moment};

pub(super) const HELP: &str = r#"Examples:
  toolgate explain --policy careful.json --call '{"tool":"create_charge","args":{"amount":20000}}'
  toolgate explain --policy careful.json --call - --at 2026-11-24T22:00:00Z --tag team=billing < call.json

A call may also be the `params` of a tools/call request, or the whole request. Without --server or --tools nothing is
known of the server's tools, and a rule that asks for a definition refuses.

Exit codes:
  0  explained
  1  with --expect: it is decided otherwise
  2  the policy, the call or a file cannot be used

With --format json it is one line, an object with these keys:
  verdict             "allow", "deny" or "approve"
  rule, pointer, line, column   what decided; null where nothing did
  sentence            what the agent reads; null if the call may run
  steps               array of {section, rule, pointer, line, column, truth, follows, conditions}, the conditions
                      {depth, pointer, line, column, test, saw, truth, why}
  shadowed            what rules in shadow would have done
  charges             array of {rule, pointer, line, column, amount, meaning}"#;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The policy
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The call, {"tool": …, "args": {…}}, or `-` to read it from standard input
    #[arg(long, value_name = "JSON")]
    call: String,
    /// The grant's label: the name of its entry in the configuration
    #[arg(long, default_value = "")]
    label: String,
    /// A tag of the grant; may be given many times
    #[arg(long, value_name = "KEY=VALUE", value_parser = tag)]
    tag: Vec<(Box<str>, Box<str>)>,
    /// What the agent's client calls itself
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// When the call comes, such as 2026-11-24T22:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    #[command(flatten)]
    tools: Tools,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exit with 1 if it is decided otherwise
    #[arg(long, value_enum)]
    expect: Option<Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Verdict {
    Allow,
    Deny,
    Approve,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::Deny => "deny",
            Verdict::Approve => "approve",
        }
    }
}

fn tag(text: &str) -> Result<(Box<str>, Box<str>), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.into(), value.into()))
}

/// Exit codes: see [`HELP`].
pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode, CliError> {
    let file = args.policy.display();
    let source = std::fs::read(&args.policy)
        .map_err(|error| CliError::unusable(format!("{file}: cannot read this policy: {error}")))?;
    let policy = policy_text(&args.policy, &source);
    let text = call::text(&args.call)?;
    let mut reader = Reader::new(Duplicates::Refused);
    let document = reader.read(text.as_bytes());
    let document = document.map_err(|flaw| CliError::unusable(format!("the call: {flaw}")))?;
    let call = call::read(document.root())?;
    let definitions = args.tools.load()?;
    let definition = definitions
        .as_deref()
        .and_then(|all| call::defined(all, call.tool));
    let facts = Facts {
        listing: match (&definitions, &definition) {
            (None, _) => Listing::Unknown,
            (Some(_), Some(_)) => Listing::Listed,
            (Some(_), None) => Listing::NotListed,
        },
        definition: definition.as_ref(),
        caller: Caller {
            label: &args.label,
            tags: &args.tag,
            client: args.client.as_deref(),
        },
        session: None,
        time: Moment {
            seconds: args.at.unwrap_or_else(|| now().date()).as_second(),
        },
    };
    let explanation = match policy.explain(&call, &facts) {
        Ok(explanation) => explanation,
        Err(mistakes) => {
            let place = (&*args.policy, &source[..]);
            let told = mistakes
                .iter()
                .map(|mistake| pointed(Weight::Error, mistake, place));
            anstream::eprint!("{}", told.collect::<String>());
            return Err(CliError::unusable(format!(
                "{file}: this policy is not valid"
            )));
        }
    };
    print(&match args.format {
        Format::Text => text::shown(&explanation, call.tool),
        Format::Json => json::line(&explanation),
    });
    let is_as_expected = args
        .expect
        .is_none_or(|expected| expected.name() == explanation.verdict);
    Ok(ExitCode::from(u8::from(!is_as_expected)))
}
