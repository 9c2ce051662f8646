//! A grant's limits as an operator sees them: where each stands, and which of them can be reset.
//!
//! It never charges a counter and never resets one: a reset is a row of the store, and what it means is told by
//! [`super::Grants::build`].

use std::fmt;
use std::time::Duration;

use super::{Grant, Seat};
use crate::clock::Timestamp;
use crate::counters::{Counters, Standing};
use crate::policy::{Amount, Charge, Increment, Limit, Permit};
use crate::store::WhichLimits;

/// One limit of a grant at one server.
#[derive(Debug, Clone, Copy)]
pub struct LimitView<'g> {
    /// The server's name in the settings.
    pub server: &'g str,
    /// The limit.
    pub limit: &'g Limit,
    /// Where its counter stands; `None` if it has one for each session or value, so that only a call tells which.
    pub stand: Option<Stand>,
}

/// Where a counter stands, for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// What the call takes; of a limit that adds up an argument, the least that there is.
    pub takes: Amount,
    /// How long until the counter has room for that, if nobody else takes it.
    pub opens: Duration,
    /// What the counter holds.
    pub holds: Standing,
}

impl LimitView<'_> {
    /// How full the counter is: 0 is empty, 1 is full.
    pub fn used_ratio(&self) -> Option<f64> {
        Some(used(self.limit, self.stand?.holds.left))
    }
}

/// How full a limit is of which so much is left.
pub(super) fn used(limit: &Limit, left: Amount) -> f64 {
    let most = limit.at_once();
    most.minus(left).millionths() as f64 / most.millionths() as f64
}

/// Why limits cannot be told or reset.
#[derive(Debug, PartialEq, Eq)]
pub enum LimitsError {
    /// The grant does not reach that server.
    Server {
        /// What was asked for.
        server: Box<str>,
        /// The servers that it reaches.
        known: Vec<Box<str>>,
    },
    /// No limit has that rule id.
    Rule {
        /// What was asked for.
        rule: Box<str>,
        /// The rule ids of the grant's own limits there.
        known: Vec<Box<str>>,
    },
    /// Other grants share the counter.
    Shared {
        /// What was asked for.
        rule: Box<str>,
        /// Who shares it.
        scope: &'static str,
    },
    /// There is no limit of the grant's own.
    Nothing,
}

impl fmt::Display for LimitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LimitsError::Server { server, known } => write!(
                f,
                "the grant does not reach a server {server:?}; it reaches: {}",
                known.join(", ")
            ),
            LimitsError::Rule { rule, known } if known.is_empty() => write!(
                f,
                "the grant has no limit {rule:?} there, and none of its own at all"
            ),
            LimitsError::Rule { rule, known } => write!(
                f,
                "the grant has no limit {rule:?} there; its own are: {}",
                known.join(", ")
            ),
            LimitsError::Shared { rule, scope } => write!(
                f,
                "{rule:?} has the scope {scope:?}: other grants share its counter, and a reset for one would be a reset for all; only limits of scope grant or session can be reset"
            ),
            LimitsError::Nothing => f.write_str(
                "the grant has no limit of its own there; those that it shares with other grants cannot be reset",
            ),
        }
    }
}

impl std::error::Error for LimitsError {}

impl Grant {
    /// Its limits at all servers, or at one, by server and in the order of each policy.
    pub fn limits<'g>(
        &'g self,
        server: Option<&str>,
        (counters, now): (&Counters, Timestamp),
    ) -> Result<Vec<LimitView<'g>>, LimitsError> {
        let seats = self.seats_at(server)?;
        let views = seats.into_iter().flat_map(|(server, seat)| {
            seat.policy.limits().iter().map(move |limit| {
                let charge = Charge {
                    limit,
                    amount: least(limit),
                    subject: None,
                };
                let stand = limit
                    .has_one_counter()
                    .then(|| stand(&charge, (seat, counters), now));
                LimitView {
                    server,
                    limit,
                    stand,
                }
            })
        });
        Ok(views.collect())
    }

    /// The counters that a call at a server would be charged to, in the order of its policy; `None` if the grant does not
    /// reach the server.
    pub fn charges_of<'g>(
        &'g self,
        (server, permit): (&str, &Permit<'g>),
        (counters, now): (&Counters, Timestamp),
    ) -> Option<Vec<LimitView<'g>>> {
        let (server, seat) = self.seats.get_key_value(server)?;
        let view = |charge: &Charge<'g>| LimitView {
            server,
            limit: charge.limit,
            stand: Some(stand(charge, (seat, counters), now)),
        };
        Some(permit.charges().iter().map(view).collect())
    }

    /// The limits that a reset of these would let begin anew, each with its server; at least one.
    pub fn resettable(&self, which: &WhichLimits) -> Result<Vec<(&str, &Limit)>, LimitsError> {
        let seats = self.seats_at(which.server.as_deref())?;
        let all = seats.iter().flat_map(|(server, seat)| {
            let limits = seat.policy.limits().iter();
            limits.map(move |limit| (*server, limit))
        });
        let own = all.clone().filter(|(_, limit)| !limit.scope.is_shared());
        let Some(rule) = &which.rule else {
            let own: Vec<_> = own.collect();
            return if own.is_empty() {
                Err(LimitsError::Nothing)
            } else {
                Ok(own)
            };
        };
        let meant: Vec<_> = own
            .clone()
            .filter(|(_, limit)| limit.rule == *rule)
            .collect();
        if !meant.is_empty() {
            return Ok(meant);
        }
        let rule = rule.clone();
        match all.map(|(_, limit)| limit).find(|limit| limit.rule == rule) {
            Some(shared) => Err(LimitsError::Shared {
                rule,
                scope: shared.scope.name(),
            }),
            None => {
                let mut known: Vec<_> = own.map(|(_, limit)| limit.rule.clone()).collect();
                known.sort_unstable();
                known.dedup();
                Err(LimitsError::Rule { rule, known })
            }
        }
    }

    /// The servers that it reaches, sorted.
    pub fn servers(&self) -> Vec<&str> {
        let mut servers: Vec<&str> = self.seats.keys().map(|server| &**server).collect();
        servers.sort_unstable();
        servers
    }

    fn seats_at(&self, server: Option<&str>) -> Result<Vec<(&str, &Seat)>, LimitsError> {
        let all = self.seats.iter().map(|(server, seat)| (&**server, seat));
        let mut seats: Vec<_> = all
            .filter(|(name, _)| server.is_none_or(|server| server == *name))
            .collect();
        seats.sort_unstable_by_key(|(server, _)| *server);
        match server {
            Some(server) if seats.is_empty() => {
                let known = self.servers().into_iter().map(Into::into).collect();
                Err(LimitsError::Server {
                    server: server.into(),
                    known,
                })
            }
            _ => Ok(seats),
        }
    }
}

fn stand(charge: &Charge<'_>, (seat, counters): (&Seat, &Counters), now: Timestamp) -> Stand {
    Stand {
        takes: charge.amount,
        opens: counters.opens(charge, &seat.account, now),
        holds: counters.standing(charge, &seat.account, now),
    }
}

/// The least that a call takes that takes anything.
fn least(limit: &Limit) -> Amount {
    match &limit.increment {
        Increment::Constant(amount) => *amount,
        Increment::From(_) => Amount::from_millionths(1),
    }
}
