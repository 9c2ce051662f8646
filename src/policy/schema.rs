//! `schema`: whose schema arguments must fit, and what is said when they do not.
//!
//! It never lets arguments pass because a schema is not known.

use super::condition::Scene;
use super::decision::{Denial, Rule};
use super::definition::OwnSchema;
use super::document::{Mode, OtherKeys};
use super::input_schema::InputSchema;
use super::rules::Objection;

/// `schema`, compiled.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) rule: Rule,
    pub(super) mode: Mode,
    pub(super) source: Source,
}

/// Whose schema it is.
#[derive(Debug)]
pub(super) enum Source {
    /// The author's.
    Written(InputSchema),
    /// The tool's own, which comes with the facts.
    OfTool(OtherKeys),
}

impl Schema {
    /// Whether the tool's definition is needed to judge.
    pub(super) fn needs_definition(&self) -> bool {
        matches!(self.source, Source::OfTool(_))
    }

    /// Objects to arguments that do not fit.
    pub(super) fn objection(&self, scene: Scene<'_, '_>) -> Option<Objection<'_>> {
        let misfit = self.misfit(scene);
        if let Some(witness) = scene.witness {
            let found = (misfit.is_none().into(), misfit.clone());
            witness.note(&self.rule, self.mode, found);
        }
        Some(Objection {
            mode: self.mode,
            denial: Denial::Argument {
                rule: &self.rule,
                words: misfit?.into(),
            },
        })
    }

    /// What is wrong with arguments that do not fit.
    fn misfit(&self, scene: Scene<'_, '_>) -> Option<String> {
        match &self.source {
            Source::Written(schema) => schema.misfit(scene.call.arguments),
            Source::OfTool(others) => match own(scene) {
                Ok(schema) => schema.misfit(scene.call.arguments, *others),
                Err(why) => Some(format!("the tool's own schema {why}")),
            },
        }
    }
}

fn own<'s>(scene: Scene<'s, '_>) -> Result<&'s OwnSchema, &'s str> {
    let definition = scene.facts.definition;
    definition
        .ok_or("is not known, because the server's tools could not be listed")?
        .schema()
}
