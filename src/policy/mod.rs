//! Decides what happens to a tool call.
//!
//! `Policy::decide` is a function of its arguments and nothing else: no I/O, no async, no clock, no locks.
//! Whether a limit has room left is not known here: a decision that depends on one says so, as a [`Charge`].
//!
//! In reading order: `document`, `entry_text` and `limit_text` are what a person writes; `compile` and the other `…_text`
//! turn it into what is judged; `rules`, `condition`, `operator` and `truth` judge a call, `measure` what it is charged;
//! `decision` and `sentence` say it. Beside that path: `import` reads other people's dialects, `review` warns an author,
//! `explain` shows a decision step by step, `compare` holds two policies against each other, `editor` tells editors.

mod amount;
mod collection;
mod collection_text;
mod compare;
mod compile;
mod condition;
mod condition_text;
mod decision;
mod definition;
mod directory;
mod document;
mod editor;
mod entry_text;
mod explain;
mod fact;
mod facts;
mod failure;
mod fields;
mod host;
mod import;
mod input_schema;
mod ip_range;
mod limit;
mod limit_measure;
mod limit_numbers;
mod limit_text;
mod limits;
mod locate;
mod lookalike;
mod meaning;
mod measure;
mod mistake;
mod name;
mod named_keys;
mod number;
mod operand;
mod operator;
mod operator_text;
mod own_tests;
mod path;
mod regexes;
mod review;
mod rules;
mod rules_text;
mod schema;
mod sentence;
mod slash_glob;
mod source;
mod text_test;
mod tools;
mod truth;
mod words;

pub use amount::Amount;
pub use compare::{Calls, Change, Comparison, Direction, Edition, Effect, EffectKind, WorstCase};
pub use decision::{Ask, Decision, Denial, Held, Judgement, Permit, Rule, Shadowed, Unavailable};
pub use definition::{Definition, Hints};
pub use editor::json_schema;
pub use explain::{Explanation, Look, Spot, Step, Taken, explain};
pub use facts::{Caller, Facts, Listing, Moment};
pub use failure::{Failure, Failures};
pub use import::{Canonical, Format, Note, PolicyText};
pub use limit::{Align, Charge, Charges, Full, Increment, Limit, Scope, Subject, Window};
pub use mistake::Mistake;
pub use own_tests::Ran;
pub use review::{Offer, Review, Unmatched};
pub use sentence::{APPROVAL_REQUIRED, DENIED};
pub use source::{Argument, Source};
pub use words::in_groups;

use crate::json::Value;
use collection::Surface;
use condition::Scene;
use document::{Fallback, Mode, Unlisted};
use explain::Witness;
use rules::{Objection, Rules};
use tools::{Names, Speaker, Tools};
use truth::Work;

/// No tool has a longer name (MCP recommends at most 128 characters): comparing globs with more is work for nothing.
const NAME_BYTES_MAX: usize = 1_024;

/// A compiled policy: immutable, shared by all calls of the grants it is for.
#[derive(Debug)]
pub struct Policy {
    default: Fallback,
    unlisted: Unlisted,
    hidden: Names,
    tools: Tools,
    all_tools: Rules,
    surface: Surface,
    limits: Vec<Limit>,
    /// Whether any rule needs a tool's definition.
    asks_server: bool,
    /// Whether any rule looks at `client.name`.
    asks_client: bool,
    hash: Box<str>,
}

/// One tool call, borrowed from its request.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The decoded name of the tool.
    pub tool: &'a str,
    /// The object of arguments, if there is one.
    pub arguments: Option<Value<'a>>,
}

impl Policy {
    /// Reads a policy document (JSON). `Err` has all its mistakes, in the order of the document.
    pub fn compile(source: &[u8]) -> Result<Policy, Vec<Mistake>> {
        compile::compile(source)
    }

    /// Judges one call: the first refusal wins; a call that nothing refuses takes from all the limits that apply.
    ///
    /// What a shadowed rule would have said is told beside the decision, and does not change it.
    pub fn decide<'p>(&'p self, call: &Call<'_>, facts: &Facts<'_>) -> Judgement<'p> {
        self.judge(call, facts, None)
    }

    /// Decides, in sight of a witness if somebody wants to know why.
    fn judge<'p>(
        &'p self,
        call: &Call<'_>,
        facts: &Facts<'_>,
        witness: Option<&Witness>,
    ) -> Judgement<'p> {
        let mut shadowed = Vec::new();
        let decision = self.decision(call, facts, (&mut shadowed, witness));
        Judgement { decision, shadowed }
    }

    fn decision<'p>(
        &'p self,
        call: &Call<'_>,
        facts: &Facts<'_>,
        (shadowed, witness): (&mut Vec<Shadowed<'p>>, Option<&Witness>),
    ) -> Decision<'p> {
        let speaker = match self.offered(call.tool, facts.listing) {
            Ok(speaker) => speaker,
            Err(reason) => return Decision::Deny(Denial::Unavailable(reason)),
        };
        let work = Work::new();
        let shadow_work = Work::new();
        let scene = Scene {
            call: *call,
            facts,
            work: &work,
            shadow_work: &shadow_work,
            witness,
        };
        let own = speaker.map(|speaker| speaker.rules);
        let rules = || own.into_iter().chain([&self.all_tools]);
        let overruled = speaker.and_then(|speaker| speaker.overruled_by);
        let objections = rules()
            .filter_map(|rules| rules.look_alike(scene))
            .chain(rules().filter_map(|rules| rules.misfit(scene)))
            .chain(rules().flat_map(|rules| rules.unmet(scene)))
            .chain(rules().flat_map(|rules| rules.forbidden(scene)))
            .chain(overruled.map(Objection::overruled));
        for Objection { mode, denial } in objections {
            match mode {
                Mode::Shadow => shadowed.push(Shadowed::Denied(denial)),
                Mode::Enforced => return Decision::Deny(denial),
            }
        }
        let asking = match rules::asking(rules(), scene, shadowed) {
            Err(denial) => return Decision::Deny(denial),
            Ok(asking) => asking,
        };
        // No person is asked about a call that could not be counted afterwards.
        match (self.charges(rules(), scene, shadowed), asking) {
            (Err(denial), _) => Decision::Deny(denial),
            (Ok(_), Some(held)) => Decision::Hold(held),
            (Ok(charges), None) => Decision::Allow(Permit::new(charges)),
        }
    }

    /// Whether the grant may use all methods, resources and prompts that there are.
    pub fn leaves_all_but_tools(&self) -> bool {
        self.surface.is_open()
    }

    /// Whether the grant may use a method of MCP. What opens and keeps a session is not asked about: it always may.
    pub fn allows_method(&self, name: &str) -> bool {
        let methods = self.surface.methods.as_ref();
        methods.is_none_or(|methods| methods.contains(name))
    }

    /// Whether the grant may see and use the resource with this URI.
    pub fn has_resource(&self, uri: &str) -> bool {
        self.surface.resources.has_uri(uri)
    }

    /// Whether the grant may see and use this resource template (RFC 6570), or the resource with this URI.
    pub fn has_template(&self, template: &str) -> bool {
        self.surface.resources.has_template(template)
    }

    /// Whether the grant may see and use the prompt with this name.
    pub fn has_prompt(&self, name: &str) -> bool {
        self.surface.prompts.has(name)
    }

    /// Whether a rule for this tool asks for its definition: without one it is denied.
    pub fn needs_definition(&self, tool: &str) -> bool {
        let own = || self.tools.speaker(tool).map(|speaker| speaker.rules);
        self.asks_server
            && (self.all_tools.need_definition || own().is_some_and(|own| own.need_definition))
    }

    /// Whether a rule looks at what the client calls itself.
    pub fn needs_client(&self) -> bool {
        self.asks_client
    }

    /// Whether some limit has to know how a call ends: it counts calls in flight, or gives back what failed.
    pub fn waits_for_ends(&self) -> bool {
        let mut limits = self.limits.iter();
        limits.any(|limit| limit.is_concurrent() || !limit.refund_on.is_empty())
    }

    /// All limits, each at the place that its `index` says.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Whether the tool stays in `tools/list`: not hidden, and under `default: deny` matched by an entry of `tools`,
    /// unless `show_unlisted` asks for the others too.
    pub fn is_listed(&self, tool: &str) -> bool {
        match self.offered(tool, Listing::Unknown) {
            Ok(_) => true,
            Err(Unavailable::Default) => self.unlisted == Unlisted::Shown,
            Err(_) => false,
        }
    }

    /// Whether an entry of `tools` has exactly this name.
    pub fn has_entry(&self, tool: &str) -> bool {
        self.tools.have_exactly(tool)
    }

    /// The first 16 hex digits of the SHA-256 of the source: which version of the policy decided.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The entry that speaks for a tool, or why the tool is not there for this grant.
    fn offered(&self, tool: &str, listing: Listing) -> Result<Option<Speaker<'_>>, Unavailable> {
        if !self.allows_method("tools/call") {
            return Err(Unavailable::Method);
        }
        if tool.len() > NAME_BYTES_MAX {
            return Err(Unavailable::Unknown);
        }
        if self.hidden.have(tool) {
            return Err(Unavailable::Hidden);
        }
        let speaker = self.tools.speaker(tool);
        if speaker.is_none() && self.default == Fallback::Deny {
            return Err(Unavailable::Default);
        }
        // An author who names a tool exactly knows better than a list that may be old.
        if listing == Listing::NotListed && !self.tools.have_exactly(tool) {
            return Err(Unavailable::Unknown);
        }
        Ok(speaker)
    }

    /// What a call takes from all these, once from each limit: two lists may name one shared counter. A limit in shadow
    /// that cannot be charged is told and left out.
    fn charges<'p>(
        &'p self,
        rules: impl Iterator<Item = &'p Rules>,
        scene: Scene<'_, '_>,
        shadowed: &mut Vec<Shadowed<'p>>,
    ) -> Result<Charges<'p>, Denial<'p>> {
        let mut charges = Charges::new();
        for &index in rules.flat_map(|rules| &rules.limits) {
            let limit = &self.limits[index];
            let is_old = charges.iter().any(|other| other.limit.index == index);
            if is_old {
                continue;
            }
            match limit.charge(scene, &mut charges) {
                Ok(()) => {}
                Err(denial) if limit.is_shadow => shadowed.push(Shadowed::Denied(denial)),
                Err(denial) => return Err(denial),
            }
        }
        Ok(charges)
    }
}

#[cfg(test)]
mod tests;
