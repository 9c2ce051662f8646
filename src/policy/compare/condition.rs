//! One test of one value: whether another constant makes it hold more often.
//!
//! It never compares tests of different paths or operators.

use std::cmp::Ordering;

use crate::policy::import::{self, Data, Node};
use crate::policy::number::Number;

/// A test whose constant can be compared with another's.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    path: String,
    operator: String,
    value: Node,
}

/// How often a test holds, compared with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Exactly when the other does.
    Alike,
    /// Whenever the other does, and more often.
    More,
    /// Only when the other does, and less often.
    Less,
    /// It cannot be told.
    Otherwise,
}

impl Constant {
    /// The test, if this is one: not `any`, `all` or `not`.
    pub(super) fn of(condition: &Node) -> Option<Constant> {
        Some(Constant {
            path: condition.member("path")?.text()?.to_owned(),
            operator: condition.member("op")?.text()?.to_owned(),
            value: condition.member("value")?.clone(),
        })
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        format!(
            "{} {} {}",
            self.path,
            self.operator,
            import::line(&self.value)
        )
    }

    /// Whether they test the same value in the same way.
    pub(super) fn is_of_the_kind_of(&self, other: &Constant) -> bool {
        self.path == other.path && self.operator == other.operator
    }

    /// How often this holds, compared with another of its kind.
    pub(super) fn than(&self, other: &Constant) -> Holds {
        match self.operator.as_str() {
            "gt" | "gte" | "length_gt" | "length_gte" => self.order(other).reverse().into(),
            "lt" | "lte" | "length_lt" | "length_lte" => self.order(other).into(),
            "in" | "cidr" | "path_within" | "url_host" => self.members(other),
            "not_in" => self.members(other).opposite(),
            _ if import::line(&self.value) == import::line(&other.value) => Holds::Alike,
            _ => Holds::Otherwise,
        }
    }

    /// Which number is larger; without two that can be compared they count as unlike.
    fn order(&self, other: &Constant) -> Order {
        let number =
            |constant: &Constant| Some(Number::parse(constant.value.number()?)?.into_owned());
        match (number(self), number(other)) {
            (Some(mine), Some(theirs)) => Order(Some(mine.exactly(&theirs))),
            _ => Order(None),
        }
    }

    /// Which list has more; with a type more, a list knows what to say of values that it could not judge before.
    fn members(&self, other: &Constant) -> Holds {
        if types(&self.value) != types(&other.value) {
            return Holds::Otherwise;
        }
        let (mine, theirs) = (lines(&self.value), lines(&other.value));
        let within = |some: &[String], all: &[String]| some.iter().all(|one| all.contains(one));
        match (within(&mine, &theirs), within(&theirs, &mine)) {
            (true, true) => Holds::Alike,
            (true, false) => Holds::Less,
            (false, true) => Holds::More,
            (false, false) => Holds::Otherwise,
        }
    }
}

struct Order(Option<Ordering>);

impl Order {
    fn reverse(self) -> Order {
        Order(self.0.map(Ordering::reverse))
    }
}

impl From<Order> for Holds {
    /// A larger bound from above holds more often.
    fn from(order: Order) -> Holds {
        match order.0 {
            Some(Ordering::Equal) => Holds::Alike,
            Some(Ordering::Greater) => Holds::More,
            Some(Ordering::Less) => Holds::Less,
            None => Holds::Otherwise,
        }
    }
}

impl Holds {
    /// The same of the two tests' negations.
    pub(super) fn opposite(self) -> Holds {
        match self {
            Holds::More => Holds::Less,
            Holds::Less => Holds::More,
            other => other,
        }
    }
}

/// The types of the elements.
fn types(value: &Node) -> Vec<std::mem::Discriminant<Data>> {
    let mut types = Vec::new();
    for element in value.elements() {
        let kind = std::mem::discriminant(&element.data);
        if !types.contains(&kind) {
            types.push(kind);
        }
    }
    // Their order says nothing.
    types.sort_by_key(|kind| format!("{kind:?}"));
    types
}

/// The elements of a list, or the one value.
fn lines(value: &Node) -> Vec<String> {
    match value.elements() {
        [] => vec![import::line(value)],
        elements => elements.iter().map(import::line).collect(),
    }
}
