//! Conditions as written → conditions as judged.
//!
//! It never leaves out a part that is wrong: such a clause is none at all.

use super::condition::{self, Condition, IfMissing};
use super::document::{Clause, Test};
use super::mistake::Mistakes;
use super::operator_text::operator;
use super::path::Path;

/// Compiles a clause; `None`, and mistakes, if any part of it is wrong.
pub(super) fn clause(
    clause: &Clause<'_>,
    if_missing: IfMissing,
    mistakes: &mut Mistakes,
) -> Option<condition::Clause> {
    let several = |clauses: &[Clause<'_>], mistakes: &mut Mistakes| {
        let compiled: Vec<_> = clauses
            .iter()
            .filter_map(|one| self::clause(one, if_missing, mistakes))
            .collect();
        (compiled.len() == clauses.len()).then(|| compiled.into_boxed_slice())
    };
    Some(match clause {
        Clause::One(test) => condition::Clause::One(self::test(test, if_missing, mistakes)?),
        Clause::Any(clauses) => condition::Clause::Any(several(clauses, mistakes)?),
        Clause::All(clauses) => condition::Clause::All(several(clauses, mistakes)?),
        Clause::Not(inside) => {
            condition::Clause::Not(Box::new(self::clause(inside, if_missing, mistakes)?))
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

fn test(test: &Test<'_>, if_missing: IfMissing, mistakes: &mut Mistakes) -> Option<Condition> {
    let path = Path::parse(test.path.text)
        .map_err(|what| {
            mistakes.advise(
                &test.path.place,
                what,
                "write such as args.a.b, args.items[0].x, args.items[*].x or args[\"odd.key\"]",
            );
        })
        .ok();
    let operator = operator(test, mistakes);
    let (path, operator) = (path?, operator?);
    let wanted = format!("{} must be {}", path.text, operator.wanted()).into();
    Some(Condition {
        path,
        operator,
        wanted,
        if_missing,
    })
}
