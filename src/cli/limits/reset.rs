//! `toolgate limits reset`: keeps that limits of a grant begin anew.
//!
//! It touches no counter: the gateway gives its limits other ones, and the old ones age out.

use std::process::ExitCode;

use super::{ResetArgs, kept};
use crate::cli::terminal::{CliError, now, print};
use crate::counters::{Bounds, Counters, Secret};
use crate::store::{KeptReset, Store, WhichLimits};

pub(super) fn run(args: &ResetArgs) -> Result<ExitCode, CliError> {
    let config = args.place.quiet_config()?;
    kept::exists(&config.data)?;
    let store = Store::open(&config.data).map_err(CliError::failed)?;
    let roster = store.roster().wait().map_err(CliError::failed)?;
    // Which limits there are is the policies' word alone: no counter is looked at.
    let no_counters = Counters::new(Bounds::default(), Secret::from_bytes([0; 32]));
    let grants = kept::grants(&config, &roster, &no_counters);
    let unusable = |error: &dyn std::error::Error| CliError::unusable(error.to_string());
    let grant = grants.find(&args.grant).map_err(|error| unusable(&error))?;
    let which = WhichLimits {
        grant: (&*grant.id).into(),
        server: args.server.as_deref().map(Into::into),
        rule: args.limit.as_deref().map(Into::into),
    };
    let meant = grant.resettable(&which).map_err(|error| unusable(&error))?;
    let reset = KeptReset {
        which,
        times: 1,
        at: now(),
    };
    store.reset_limits(reset).wait().map_err(CliError::failed)?;
    let told = meant
        .iter()
        .map(|(server, limit)| format!("reset  {server}  {}\n", limit.rule));
    print(&told.collect::<String>());
    eprintln!(
        "grant {} ({}): these begin anew; a running gateway follows within half a second",
        grant.id, grant.name
    );
    Ok(ExitCode::SUCCESS)
}
