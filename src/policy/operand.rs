//! What an operator judges: a value of the call's arguments, or a fact brought along.
//!
//! It never converts: a fact has one JSON type, like a value.

use crate::json::{Kind, Value};

/// One value that is there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operand<'a> {
    /// From the arguments.
    Argument(Value<'a>),
    /// A fact that is a string.
    Text(&'a str),
    /// A fact that is a number, as JSON would spell it.
    Number(&'a str),
    /// A fact that is true or false.
    Flag(bool),
}

impl<'a> Operand<'a> {
    pub(super) fn kind(self) -> Kind {
        match self {
            Operand::Argument(value) => value.kind(),
            Operand::Text(_) => Kind::String,
            Operand::Number(_) => Kind::Number,
            Operand::Flag(_) => Kind::Bool,
        }
    }

    /// The text of a string.
    pub(super) fn as_str(self) -> Option<&'a str> {
        match self {
            Operand::Argument(value) => value.as_str(),
            Operand::Text(text) => Some(text),
            Operand::Number(_) | Operand::Flag(_) => None,
        }
    }

    /// The text of a number.
    pub(super) fn as_number(self) -> Option<&'a str> {
        match self {
            Operand::Argument(value) => value.as_number(),
            Operand::Number(text) => Some(text),
            Operand::Text(_) | Operand::Flag(_) => None,
        }
    }

    pub(super) fn as_bool(self) -> Option<bool> {
        match self {
            Operand::Argument(value) => value.as_bool(),
            Operand::Flag(flag) => Some(flag),
            Operand::Text(_) | Operand::Number(_) => None,
        }
    }

    /// The elements of an array; nothing for all else.
    pub(super) fn elements(self) -> impl Iterator<Item = Operand<'a>> {
        let array = match self {
            Operand::Argument(value) => Some(value),
            Operand::Text(_) | Operand::Number(_) | Operand::Flag(_) => None,
        };
        array
            .into_iter()
            .flat_map(Value::elements)
            .map(Operand::Argument)
    }
}
