//! `toolgate grant`: make, list and revoke grants, also while a gateway runs on the same folder.
//!
//! A token is printed once, alone on standard output, and is kept nowhere.

use std::process::ExitCode;

use super::terminal::CliError;
use super::{GrantCommand, Place};
use crate::clock::{Anchor, Clock, Timestamp};
use crate::config::Outline;
use crate::grants::Token;
use crate::store::{KeptGrant, Store};

pub(super) fn run(command: GrantCommand) -> Result<ExitCode, CliError> {
    match command {
        GrantCommand::New { name, place } => new(&name, &place),
        GrantCommand::List { place } => list(&place),
        GrantCommand::Revoke { id, place } => revoke(&id, &place),
    }
}

fn new(name: &str, place: &Place) -> Result<ExitCode, CliError> {
    let outline = place.outline()?;
    if !outline.grants.iter().any(|known| &**known == name) {
        let known: Vec<_> = outline.grants.iter().map(|name| &**name).collect();
        let what = format!(
            "the configuration has no grant {name:?}\n    it has: {}; or add [grants.{name}]",
            known.join(", ")
        );
        return Err(CliError::unusable(what));
    }
    let store = open(&outline)?;
    let (grant, token) = mint(&store, name)?;
    println!("{}", token.reveal());
    eprintln!(
        "grant {} for {name:?}; the token is not shown again",
        grant.id
    );
    Ok(ExitCode::SUCCESS)
}

/// Makes a grant and keeps it; the token is the caller's to show.
pub(super) fn mint(store: &Store, name: &str) -> Result<(KeptGrant, Token), CliError> {
    let token = Token::mint()
        .map_err(|error| CliError::unusable(format!("the system has no randomness: {error}")))?;
    let grant = KeptGrant {
        id: uuid::Uuid::now_v7().to_string().into(),
        name: name.into(),
        token_hash: token.hash().0,
        created_at: wall(),
        revoked_at: None,
    };
    store
        .insert_grant(grant.clone())
        .wait()
        .map_err(CliError::failed)?;
    Ok((grant, token))
}

fn list(place: &Place) -> Result<ExitCode, CliError> {
    let outline = place.outline()?;
    let grants = open(&outline)?.grants().wait().map_err(CliError::failed)?;
    for grant in &grants {
        let state = match grant.revoked_at {
            Some(at) => format!("revoked {}", at.date()),
            None if outline.grants.contains(&grant.name) => "in force".into(),
            None => "not in the configuration".into(),
        };
        println!(
            "{}  {:<24}  made {}  {state}",
            grant.id,
            grant.name,
            grant.created_at.date()
        );
    }
    if grants.is_empty() {
        eprintln!("no grants yet; `toolgate grant new` makes one");
    }
    Ok(ExitCode::SUCCESS)
}

fn revoke(id: &str, place: &Place) -> Result<ExitCode, CliError> {
    let outline = place.outline()?;
    let was_in_force = open(&outline)?
        .revoke_grant(id, wall())
        .wait()
        .map_err(CliError::failed)?;
    if !was_in_force {
        let what = format!(
            "there is no grant {id:?} that is in force; `toolgate grant list` shows the ids"
        );
        return Err(CliError::unusable(what));
    }
    eprintln!("revoked; a running gateway refuses its token within a second");
    Ok(ExitCode::SUCCESS)
}

fn open(outline: &Outline) -> Result<Store, CliError> {
    Store::open(&outline.data).map_err(CliError::failed)
}

/// For people to read: no window is counted from it.
fn wall() -> Timestamp {
    Clock::machine(&Anchor::place(None, Timestamp::default())).now()
}
