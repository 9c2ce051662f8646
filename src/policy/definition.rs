//! A tool as its server defines it, as far as rules ask for it: its schema of arguments and its annotations.
//!
//! It never trusts a definition to be well-formed: what cannot be read of it is missing, and a rule that needs it denies.

use std::sync::OnceLock;

use super::document::OtherKeys;
use super::input_schema::InputSchema;
use super::lookalike::Protected;
use super::named_keys::NamedKeys;
use crate::json::{Kind, Value};

/// The longest schema that is compiled: ten times the longest of a real tool.
const SCHEMA_BYTES_MAX: usize = 256 << 10;

/// One element of a `tools/list` reply. Its schema is compiled when a rule first asks for it, once.
#[derive(Debug)]
pub struct Definition {
    /// `annotations`: the hints that are `true` or `false`.
    hints: Hints,
    input_schema: Box<str>,
    compiled: OnceLock<Result<OwnSchema, Box<str>>>,
}

/// The hints of a tool by name, such as `destructiveHint`.
pub type Hints = Vec<(Box<str>, bool)>;

/// A tool's own schema, compiled.
#[derive(Debug)]
pub(super) struct OwnSchema {
    fits: InputSchema,
    protected: Protected<()>,
    named: NamedKeys,
}

impl Definition {
    /// Reads one element of `tools`.
    pub fn of(tool: Value<'_>) -> Definition {
        let annotations = tool.member("annotations");
        let hint =
            |(key, value): (Value<'_>, Value<'_>)| Some((key.as_str()?.into(), value.as_bool()?));
        let hints = annotations.into_iter().flat_map(Value::members);
        let schema = tool
            .member("inputSchema")
            .filter(|schema| schema.kind() == Kind::Object);
        Definition {
            hints: hints.filter_map(hint).collect(),
            input_schema: schema.map_or("", Value::raw).into(),
            compiled: OnceLock::new(),
        }
    }

    /// A tool that takes any arguments and has no hints.
    pub(super) fn without_bounds() -> Definition {
        Definition {
            hints: Vec::new(),
            input_schema: "{}".into(),
            compiled: OnceLock::new(),
        }
    }

    /// The same tool with the hints that an earlier definition of it had.
    pub fn with_hints(self, hints: Hints) -> Definition {
        Definition { hints, ..self }
    }

    /// All hints.
    pub fn hints(&self) -> &[(Box<str>, bool)] {
        &self.hints
    }

    /// `tool.annotations.<hint>`; `None` where the server does not say.
    pub fn hint(&self, name: &str) -> Option<bool> {
        let found = self.hints.iter().find(|(own, _)| **own == *name)?;
        Some(found.1)
    }

    /// Whether the other says the same.
    pub fn is_same(&self, other: &Definition) -> bool {
        self.hints == other.hints && self.input_schema == other.input_schema
    }

    /// Its bytes in memory, about.
    pub fn size(&self) -> usize {
        self.input_schema.len() + size_of::<Definition>()
    }

    /// The compiled schema; an error goes on after "the tool's own schema".
    pub(super) fn schema(&self) -> Result<&OwnSchema, &str> {
        let compiled = self
            .compiled
            .get_or_init(|| OwnSchema::compile(&self.input_schema));
        compiled.as_ref().map_err(|why| &**why)
    }
}

impl OwnSchema {
    fn compile(text: &str) -> Result<OwnSchema, Box<str>> {
        match text.len() {
            0 => return Err("is missing from its definition".into()),
            1..=SCHEMA_BYTES_MAX => {}
            _ => return Err("is too long to be used".into()),
        }
        let unusable = |_: String| "cannot be used: it is no JSON Schema that can be judged here";
        let schema = serde_json::from_str(text).map_err(|error| unusable(error.to_string()))?;
        let fits = InputSchema::compile(&schema).map_err(unusable)?;
        let mut protected = Protected::default();
        fits.paths()
            .iter()
            .for_each(|steps| protected.add(steps, &()));
        Ok(OwnSchema {
            fits,
            protected,
            named: NamedKeys::of_arguments(&schema),
        })
    }

    /// What is wrong with arguments that do not fit.
    pub(super) fn misfit(&self, arguments: Option<Value<'_>>, others: OtherKeys) -> Option<String> {
        if let Some(key) = arguments.and_then(|value| self.protected.look_alike(value)) {
            return Some(key.words.to_string());
        }
        self.fits.misfit(arguments).or_else(|| match others {
            OtherKeys::Judged => None,
            OtherKeys::Refused => self.named.stray(arguments?),
        })
    }
}
