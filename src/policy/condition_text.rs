//! Conditions as written → conditions as judged.
//!
//! It never leaves out a part that is wrong: such a clause is none at all.

use jiff::tz::TimeZone;

use super::condition::{self, Condition, IfMissing};
use super::entry_text::{Clause, Test};
use super::mistake::Mistakes;
use super::operator_text::operator;
use super::path::{self, Path};
use super::regexes::Regexes;

/// What an entry says of all its conditions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms<'t> {
    /// `require`, `deny_if` or `approve_if`.
    pub(super) section: &'t str,
    pub(super) if_missing: IfMissing,
    pub(super) regexes: &'t Regexes,
    pub(super) zone: &'t TimeZone,
}

/// Compiles a clause; `None`, and mistakes, if any part of it is wrong.
pub(super) fn clause(
    clause: &Clause<'_>,
    terms: Terms<'_>,
    mistakes: &mut Mistakes,
) -> Option<condition::Clause> {
    let several = |clauses: &[Clause<'_>], mistakes: &mut Mistakes| {
        let compiled: Vec<_> = clauses
            .iter()
            .filter_map(|one| self::clause(one, terms, mistakes))
            .collect();
        (compiled.len() == clauses.len()).then(|| compiled.into_boxed_slice())
    };
    Some(match clause {
        Clause::One(test) => condition::Clause::One(self::test(test, terms, mistakes)?),
        Clause::Any(clauses) => condition::Clause::Any(several(clauses, mistakes)?),
        Clause::All(clauses) => condition::Clause::All(several(clauses, mistakes)?),
        Clause::Not(inside) => {
            condition::Clause::Not(Box::new(self::clause(inside, terms, mistakes)?))
        }
    })
}

/// `<path>-<op>` of the first test of a clause.
pub(super) fn id(clause: &Clause<'_>) -> String {
    match clause {
        Clause::One(test) => format!("{}-{}", test.path.text, test.operator.text),
        Clause::Any(inside) | Clause::All(inside) => {
            inside.first().map_or_else(|| "always".into(), id)
        }
        Clause::Not(inside) => id(inside),
    }
}

fn test(test: &Test<'_>, terms: Terms<'_>, mistakes: &mut Mistakes) -> Option<Condition> {
    let path = Path::parse(test.path.text, terms.zone)
        .map_err(
            |what| match path::begins(test.path.text) && !test.path.text.starts_with("args") {
                true => mistakes.add(&test.path.place, what),
                false => mistakes.advise(
                    &test.path.place,
                    what,
                    "write such as args.a.b, args.items[0].x, args.items[*].x or args[\"odd.key\"]",
                ),
            },
        )
        .ok();
    let operator = operator(test, terms.regexes, mistakes);
    let (path, operator) = (path?, operator?);
    if let Some(fact) = &path.fact {
        if let Err(what) = fact.check(&operator) {
            mistakes.add(&test.value, format!("{} {what}", path.text));
        }
        if fact.is_claimed_by_client() && terms.section == "require" {
            mistakes.advise(
                &test.path.place,
                "client.name is what an agent says of itself, and shows nothing",
                "require grant.label or grant.tags.<key>, or move this to deny_if",
            );
        }
    }
    let wanted = format!("{} must be {}", path.text, operator.wanted()).into();
    Some(Condition {
        path,
        operator,
        wanted,
        if_missing: terms.if_missing,
    })
}
