//! Two views of one subject → what became different, and which way.
//!
//! It never reports less than there is: a rule that is gone is looser unless another one is shown to take its place.

use std::collections::HashMap;

use super::condition::Holds;
use super::edition::{Edition, Rule, Section};
use super::limit::LimitView;
use super::subjects::Subject;
use super::view::{Access, View};
use super::{Change, Direction, Effect, EffectKind};
use Direction::{Looser, Tighter};

/// The subject of what is the same for every tool.
const EVERY_TOOL: &str = "every tool";

/// What became different outside `tools`.
pub(super) fn of_document(old: &Edition, new: &Edition) -> Vec<Change> {
    let methods = methods(old.methods.as_deref(), new.methods.as_deref());
    let surfaces = old.surfaces.iter().zip(&new.surfaces);
    let surfaces = surfaces.filter(|((_, before), (_, after))| before != after);
    let surfaces = surfaces.map(|((name, _), _)| {
        let what = "what it admits cannot be compared, so this counts as looser";
        (
            (*name).to_owned(),
            vec![effect(EffectKind::Surface, Looser, what)],
        )
    });
    [("methods".to_owned(), methods)]
        .into_iter()
        .chain(surfaces)
        .filter(|(_, effects)| !effects.is_empty())
        .map(|(subject, effects)| Change { subject, effects })
        .collect()
}

fn methods(old: Option<&[String]>, new: Option<&[String]>) -> Vec<Effect> {
    let more = |some: &[String], all: &[String]| -> Vec<String> {
        some.iter()
            .filter(|one| !all.contains(one))
            .cloned()
            .collect()
    };
    let told = |direction, what: &str, methods: &[String]| {
        let what = format!("{what} {}", methods.join(", "));
        (!methods.is_empty()).then(|| effect(EffectKind::Surface, direction, &what))
    };
    match (old, new) {
        (None, None) => Vec::new(),
        (Some(_), None) => vec![effect(
            EffectKind::Surface,
            Looser,
            "all that the specification defines",
        )],
        (None, Some(new)) => told(Tighter, "only", new).into_iter().collect(),
        (Some(old), Some(new)) => {
            let added = told(Looser, "now also", &more(new, old));
            added
                .into_iter()
                .chain(told(Tighter, "no longer", &more(old, new)))
                .collect()
        }
    }
}

/// What became different of each subject; what is the same for all of several is told once.
pub(super) fn of_subjects(subjects: &[Subject<'_>]) -> Vec<Change> {
    let all: Vec<Vec<Effect>> = subjects.iter().map(of_subject).collect();
    let is_open = |subject: &&Subject<'_>| is_open(&subject.old) && is_open(&subject.new);
    let open = subjects.iter().filter(is_open).count();
    let mut counts: HashMap<&Effect, usize> = HashMap::new();
    for effect in all.iter().flatten() {
        *counts.entry(effect).or_default() += 1;
    }
    let is_common =
        |effect: &Effect| open > 1 && counts[effect] >= open && is_of_rules(effect.kind);
    let mut common: Vec<Effect> = Vec::new();
    let mut changes: Vec<Change> = Vec::new();
    for (subject, effects) in subjects.iter().zip(&all) {
        let (shared, own): (Vec<_>, Vec<_>) = effects.iter().cloned().partition(is_common);
        common.extend(shared);
        if !own.is_empty() {
            add(&mut changes, &subject.name, own);
        }
    }
    let mut seen = std::collections::HashSet::new();
    common.retain(|effect| seen.insert(effect.clone()));
    if !common.is_empty() {
        changes.insert(
            0,
            Change {
                subject: EVERY_TOOL.into(),
                effects: common,
            },
        );
    }
    changes
}

/// Adds to the change of a subject what is not there yet.
fn add(changes: &mut Vec<Change>, subject: &str, effects: Vec<Effect>) {
    let Some(change) = changes.iter_mut().find(|change| change.subject == subject) else {
        let subject = subject.to_owned();
        changes.push(Change { subject, effects });
        return;
    };
    for effect in effects {
        if !change.effects.contains(&effect) {
            change.effects.push(effect);
        }
    }
}

fn is_open(view: &View<'_>) -> bool {
    view.access == Access::Open
}

fn is_of_rules(kind: EffectKind) -> bool {
    !matches!(
        kind,
        EffectKind::Callable | EffectKind::NotCallable | EffectKind::Listed | EffectKind::Hidden
    )
}

fn of_subject(subject: &Subject<'_>) -> Vec<Effect> {
    let (old, new) = (&subject.old, &subject.new);
    let mut effects = Vec::new();
    match (old.is_listed, new.is_listed) {
        (false, true) => effects.push(effect(EffectKind::Listed, Looser, "tools/list has it now")),
        (true, false) => effects.push(effect(
            EffectKind::Hidden,
            Tighter,
            "tools/list no longer has it",
        )),
        _ => {}
    }
    match (old.access, new.access) {
        (Access::Closed(_), Access::Closed(_)) => {}
        (Access::Closed(why), Access::Open) => {
            effects.push(effect(
                EffectKind::Callable,
                Looser,
                &format!("it was not: {why}"),
            ));
        }
        (Access::Open, Access::Closed(why)) => {
            effects.push(effect(EffectKind::NotCallable, Tighter, why));
        }
        (Access::Open, Access::Open) => {
            effects.extend(of_rules(old, new));
            effects.extend(of_limits(&old.limits(), &new.limits()));
        }
    }
    effects
}

fn of_rules(old: &View<'_>, new: &View<'_>) -> Vec<Effect> {
    let (mut gone, mut come): (Vec<&Rule>, Vec<&Rule>) =
        (old.rules().collect(), new.rules().collect());
    without_common(&mut gone, &mut come);
    let mut effects = Vec::new();
    gone.retain(|before| {
        let Some((at, changed)) = come
            .iter()
            .enumerate()
            .find_map(|(at, after)| Some((at, changed(before, after)?)))
        else {
            return true;
        };
        come.remove(at);
        effects.extend(changed);
        false
    });
    let is_denied_now = |before: &Rule| {
        let denies = |after: &Rule| {
            after.section == Section::DenyIf
                && after.text == before.text
                && after.denies_missing >= before.denies_missing
        };
        before.section == Section::ApproveIf && new.rules().any(denies)
    };
    let gone = gone.into_iter().filter(|before| !is_denied_now(before));
    effects.extend(gone.map(|rule| effect(EffectKind::RuleRemoved, Looser, &rule.words)));
    effects.extend(
        come.into_iter()
            .map(|rule| effect(EffectKind::RuleAdded, Tighter, &rule.words)),
    );
    effects
}

/// Takes out what is in both, one for one.
fn without_common(gone: &mut Vec<&Rule>, come: &mut Vec<&Rule>) {
    let is_same = |one: &Rule, other: &Rule| {
        one.section == other.section
            && one.text == other.text
            && one.denies_missing == other.denies_missing
    };
    gone.retain(
        |before| match come.iter().position(|after| is_same(before, after)) {
            Some(at) => {
                come.remove(at);
                false
            }
            None => true,
        },
    );
}

/// Whether a rule is another one with a changed constant; `Some(None)` where nothing really changed.
fn changed(before: &Rule, after: &Rule) -> Option<Option<Effect>> {
    if before.section != after.section {
        return None;
    }
    let holds = match (&before.constant, &after.constant) {
        _ if before.text == after.text => Holds::Alike,
        (Some(before), Some(after)) if after.is_of_the_kind_of(before) => after.than(before),
        _ => return schema_closed(before, after),
    };
    // What is required and holds less often refuses more.
    let holds = match before.section {
        Section::Require => holds.opposite(),
        _ => holds,
    };
    let misses = (before.denies_missing, after.denies_missing);
    let direction = match (holds, misses) {
        (Holds::Alike, (true, true) | (false, false)) => return Some(None),
        (Holds::More | Holds::Alike, (false, true)) | (Holds::More, _)
            if misses != (true, false) =>
        {
            Tighter
        }
        _ => Looser,
    };
    let what = match misses {
        (true, false) => format!("{} → {}, without if_missing", before.words, after.words),
        (false, true) => format!("{} → {}, with if_missing", before.words, after.words),
        _ => format!("{} → {}", before.words, after.words),
    };
    Some(Some(effect(EffectKind::RuleChanged, direction, &what)))
}

/// The tool's own schema with other keys refused is stricter than without.
fn schema_closed(before: &Rule, after: &Rule) -> Option<Option<Effect>> {
    let is_closed =
        before.section == Section::Schema && before.text == "true" && after.text == "\"closed\"";
    let what = format!("{} → {}", before.words, after.words);
    is_closed.then(|| Some(effect(EffectKind::RuleChanged, Tighter, &what)))
}

fn of_limits(old: &[&LimitView], new: &[&LimitView]) -> Vec<Effect> {
    let words = |limits: &[&LimitView]| {
        let words: Vec<_> = limits.iter().map(|limit| limit.words()).collect();
        words.join("; ")
    };
    match (old, new) {
        ([], []) => return Vec::new(),
        ([], new) => return vec![effect(EffectKind::Limited, Tighter, &words(new))],
        (old, []) => {
            return vec![effect(
                EffectKind::Unlimited,
                Looser,
                &format!("no longer {}", words(old)),
            )];
        }
        _ => {}
    }
    let mut effects = Vec::new();
    for before in old {
        let after = new.iter().find(|after| after.is_same_as(before));
        let is_kept = new.iter().any(|after| after.is_within(before));
        let what = match after {
            Some(after) => format!("{} → {}", before.words(), after.words()),
            None => format!("no longer {}", before.words()),
        };
        match (is_kept, after) {
            (false, _) => effects.push(effect(EffectKind::Limit, Looser, &what)),
            (true, Some(after)) if !before.is_within(after) => {
                effects.push(effect(EffectKind::Limit, Tighter, &what))
            }
            _ => {}
        }
    }
    let is_new = |after: &&&LimitView| {
        !old.iter()
            .any(|before| before.is_same_as(after) || before.is_within(after))
    };
    let added = new.iter().filter(is_new);
    effects.extend(added.map(|limit| effect(EffectKind::Limit, Tighter, &limit.words())));
    effects
}

fn effect(kind: EffectKind, direction: Direction, what: &str) -> Effect {
    Effect {
        kind,
        direction,
        what: what.to_owned(),
    }
}
