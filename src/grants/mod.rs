//! Knows who is calling: `Authorization: Bearer …` → [`Grant`], and what that grant may reach.
//!
//! A token is compared by its hash alone, and is never kept. A grant that is revoked is not there: the answer is the
//! same as for a token that never was.

mod find;
mod fullest;
mod limits;
mod token;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::counters::{Account, CALL_MAX_DEFAULT, Counters, Guard, GuardSettings, Holder};
use crate::policy::{Limit, Policy};
use crate::store::{KeptReset, Roster};

pub use find::NotFound;
pub use fullest::Fullest;
pub use limits::{LimitView, LimitsError, Stand};
pub use token::{Token, TokenHash};

/// One agent's permission: an id, and a seat at each server that it may reach.
#[derive(Debug)]
pub struct Grant {
    /// UUID; what counters and journal lines name.
    pub id: Arc<str>,
    /// The entry of the configuration that it was made for.
    pub name: Box<str>,
    /// What its entry says of it, for rules to ask: sorted by key.
    pub tags: Tags,
    /// Whether results tell it what is left of its limits.
    pub is_told_quota: bool,
    guard: Arc<Guard>,
    seats: HashMap<Box<str>, Seat>,
}

/// What a grant has at one server: the policy, and its own counters for that policy's limits.
#[derive(Debug)]
pub struct Seat {
    /// The rules for each call.
    pub policy: Arc<Policy>,
    /// The counters that calls are charged to.
    pub account: Account,
}

impl Grant {
    /// The grant's seat at a server; `None` if it does not cover that server.
    pub fn seat(&self, server: &str) -> Option<&Seat> {
        self.seats.get(server)
    }
}

/// All grants of one moment, by the hash of their tokens. Replaced as a whole when anything changes.
#[derive(Debug, Default)]
pub struct Grants {
    by_hash: HashMap<TokenHash, Arc<Grant>>,
}

/// Why a request has no grant: HTTP 401 (RFC 6750 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unauthenticated {
    /// No `Authorization` header.
    Missing,
    /// More than one, or one that is not `Bearer` and a well-formed token.
    Malformed,
    /// A token that is not known, or not any more.
    Unknown,
}

impl Unauthenticated {
    /// A label for metrics, from a closed list.
    pub fn label(self) -> &'static str {
        match self {
            Unauthenticated::Missing => "no_token",
            Unauthenticated::Malformed => "malformed_token",
            Unauthenticated::Unknown => "unknown_token",
        }
    }
}

impl fmt::Display for Unauthenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unauthenticated::Missing => {
                "send `Authorization: Bearer` with a grant token (`toolgate grant new` makes one)"
            }
            Unauthenticated::Malformed => {
                "this is not a grant token: one starts with `tg_` and is sent once, as `Bearer`"
            }
            Unauthenticated::Unknown => "this grant token is not known, or has been revoked",
        })
    }
}

/// Keys and values, sorted by key, each key once.
pub type Tags = Arc<[(Box<str>, Box<str>)]>;

/// What the configuration gives grants of one name.
#[derive(Debug, Clone)]
pub struct Entitlement {
    /// The servers it may reach, and a policy for each.
    pub servers: BTreeMap<Box<str>, Arc<Policy>>,
    /// `grant.tags`
    pub tags: Tags,
    /// Whether results tell what is left of the limits.
    pub is_told_quota: bool,
}

impl Entitlement {
    /// These servers, no tags, and nothing told of limits.
    pub fn to(servers: impl IntoIterator<Item = (Box<str>, Arc<Policy>)>) -> Entitlement {
        Entitlement {
            servers: servers.into_iter().collect(),
            tags: Arc::default(),
            is_told_quota: false,
        }
    }
}

impl Grants {
    /// The grants of the roster that are not revoked and whose name the configuration knows. Guards of `before` are kept,
    /// so that a reload gives nobody a fresh burst.
    pub fn build(
        roster: &Roster,
        entitlements: &BTreeMap<Box<str>, Entitlement>,
        counting: Counting<'_>,
    ) -> Grants {
        let live = roster.grants.iter();
        let live = live.filter(|row| row.revoked_at.is_none());
        let by_hash = live.filter_map(|row| {
            let entitled = entitlements.get(&*row.name)?;
            let hash = TokenHash(row.token_hash);
            let guard = counting.guard(&hash);
            let of_grant = |reset: &&KeptReset| reset.which.grant == row.id;
            let resets: Vec<_> = roster.resets.iter().filter(of_grant).collect();
            let seat = |(server, policy): (&Box<str>, &Arc<Policy>)| {
                let holder = Holder {
                    grant: &row.id,
                    server,
                };
                let account = counting
                    .account(holder, policy, guard.clone())
                    .after_resets(policy.limits(), |limit| times(&resets, (server, limit)));
                (
                    server.clone(),
                    Seat {
                        policy: policy.clone(),
                        account,
                    },
                )
            };
            let seats = entitled.servers.iter().map(seat).collect();
            Some((
                hash,
                Arc::new(Grant {
                    id: (&*row.id).into(),
                    name: row.name.clone(),
                    tags: entitled.tags.clone(),
                    is_told_quota: entitled.is_told_quota,
                    guard,
                    seats,
                }),
            ))
        });
        Grants {
            by_hash: by_hash.collect(),
        }
    }

    /// The grant of an `Authorization` header, and the token that was sent, so that it can be kept from leaving.
    pub fn authenticate<'h>(
        &self,
        mut authorization: impl Iterator<Item = &'h [u8]>,
    ) -> Result<(Arc<Grant>, Token), Unauthenticated> {
        let header = authorization.next().ok_or(Unauthenticated::Missing)?;
        if authorization.next().is_some() {
            return Err(Unauthenticated::Malformed);
        }
        let header = std::str::from_utf8(header).map_err(|_| Unauthenticated::Malformed)?;
        let (scheme, text) = header.split_once(' ').ok_or(Unauthenticated::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Unauthenticated::Malformed);
        }
        let token = Token::parse(text).ok_or(Unauthenticated::Malformed)?;
        let grant = self
            .by_hash
            .get(&token.hash())
            .ok_or(Unauthenticated::Unknown)?;
        Ok((grant.clone(), token))
    }

    /// All grants, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Grant>> {
        self.by_hash.values()
    }

    /// How many grants there are.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// The grant with this id. It looks at all of them: not for the path of a call from outside.
    pub fn with_id(&self, id: &str) -> Option<Arc<Grant>> {
        self.by_hash
            .values()
            .find(|grant| &*grant.id == id)
            .cloned()
    }

    /// Whether some grant has this name.
    pub fn has(&self, name: &str) -> bool {
        self.by_hash.values().any(|grant| &*grant.name == name)
    }
}

/// How often a limit of a grant at one server was reset, by itself or together with others.
fn times(resets: &[&KeptReset], (server, limit): (&str, &Limit)) -> u64 {
    let is_meant = |named: &Option<Box<str>>, name: &str| {
        let named = named.as_deref();
        named.is_none_or(|named| named == name)
    };
    let meant = resets.iter().filter(|reset| {
        is_meant(&reset.which.server, server) && is_meant(&reset.which.rule, &limit.rule)
    });
    meant.fold(0, |times, reset| times.saturating_add(reset.times))
}

/// Where grants find their counters and guards.
#[derive(Debug, Clone, Copy)]
pub struct Counting<'a> {
    /// The counters, which outlive every set of grants.
    pub counters: &'a Counters,
    /// How much a guard lets through.
    pub guard: GuardSettings,
    /// How long calls of a server may take, where it is not [`CALL_MAX_DEFAULT`].
    pub calls: &'a HashMap<Box<str>, Duration>,
    /// The grants before this reload.
    pub before: Option<&'a Grants>,
}

impl Counting<'_> {
    fn account(&self, holder: Holder<'_>, policy: &Policy, guard: Arc<Guard>) -> Account {
        let account = self.counters.account(holder, policy.limits(), guard);
        let call_max = self.calls.get(holder.server);
        account.with_calls_of(call_max.copied().unwrap_or(CALL_MAX_DEFAULT))
    }

    fn guard(&self, hash: &TokenHash) -> Arc<Guard> {
        let before = self
            .before
            .and_then(|before| before.by_hash.get(hash))
            .map(|grant| &grant.guard);
        match before {
            Some(guard) if guard.settings() == self.guard => guard.clone(),
            _ => Arc::new(Guard::new(self.guard)),
        }
    }
}
