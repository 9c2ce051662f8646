//! `toolgate limits show`: where each limit of a grant stands, from what is kept.

use std::process::ExitCode;

use super::call::{Charged, charged};
use super::kept::{self, Kept};
use super::{ShowArgs, text};
use crate::admin;
use crate::cli::terminal::{CliError, Format, print};
use crate::grants::{Grant, LimitView};

pub(super) fn run(args: &ShowArgs) -> Result<ExitCode, CliError> {
    let config = args.place.quiet_config()?;
    kept::exists(&config.data)?;
    let kept = Kept::read(&config)?;
    let unusable = |error: &dyn std::error::Error| CliError::unusable(error.to_string());
    let found = kept.grants.find(&args.grant);
    let grant = found.map_err(|error| unusable(&error))?;
    let Some(call) = &args.call else {
        let views = grant.limits(args.server.as_deref(), (&kept.counters, kept.now));
        let views = views.map_err(|error| unusable(&error))?;
        print(&told(args, (&grant, &views), None));
        return Ok(ExitCode::SUCCESS);
    };
    let charged = charged(call, args, (&grant, &kept))?;
    print(&told(args, (&grant, &charged.views), Some(&charged)));
    Ok(ExitCode::SUCCESS)
}

fn told(
    args: &ShowArgs,
    (grant, views): (&Grant, &[LimitView<'_>]),
    charged: Option<&Charged<'_>>,
) -> String {
    match args.format {
        Format::Text => text::shown((grant, views), charged),
        Format::Json => {
            let mut told = admin::limits_json(grant, views);
            if let Some(charged) = charged {
                told["call"] = charged.json();
            }
            format!("{told}\n")
        }
    }
}
