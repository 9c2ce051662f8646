//! What a call takes from a limit: how much, and from which of its counters.
//!
//! It never repeats a value: what cannot be counted is told by its path, and which counter is meant is a hash.

use sha2::{Digest, Sha256};

use super::amount::Amount;
use super::condition::Scene;
use super::decision::Denial;
use super::document::Mode;
use super::limit::{Charge, Charges, Increment, Limit, Scope, Subject};
use super::number::Number;
use super::path::{self, Step};
use super::source::{Argument, Source};
use super::truth::Work;
use crate::json::{Kind, Value, fold};

/// A value of `by` may have so many bytes: no id, address or name of anything is longer, and a longer text would be work
/// for the gateway without meaning for the author.
const VALUE_BYTES_MAX: usize = 256;

/// Of one call, so many different values are charged: enough for the recipients of a letter. Each has a counter.
const SUBJECTS_MAX: usize = 64;

impl Limit {
    /// Adds what the call takes from this limit. Nothing is added where that cannot be told.
    pub(super) fn charge<'p>(
        &'p self,
        scene: Scene<'_, '_>,
        to: &mut Charges<'p>,
    ) -> Result<(), Denial<'p>> {
        // Most limits count calls, and have one counter: nothing of the call need be looked at.
        if let (Increment::Constant(amount), [], false) =
            (&self.increment, &*self.by, self.scope == Scope::Session)
        {
            to.push(Charge {
                limit: self,
                amount: *amount,
                subject: None,
            });
            return Ok(());
        }
        let uncounted = |words: String| Denial::Uncounted {
            limit: self,
            words: words.into(),
        };
        // What is only tried out must not use up the work of what is enforced.
        let scene = scene.under(match self.is_shadow {
            true => Mode::Shadow,
            false => Mode::Enforced,
        });
        let amount = match &self.increment {
            Increment::Constant(amount) => *amount,
            Increment::From(argument) => self.sum(argument, scene).map_err(uncounted)?,
        };
        let session = scene.facts.session;
        let session = session.filter(|_| self.scope == Scope::Session);
        let charge = |subject| Charge {
            limit: self,
            amount,
            subject,
        };
        if self.by.is_empty() && session.is_none() {
            to.push(charge(None));
            return Ok(());
        }
        let subjects = self.subjects(session, scene).map_err(uncounted)?;
        to.extend(subjects.into_iter().map(|subject| charge(Some(subject))));
        Ok(())
    }

    /// What the numbers at the path come to.
    fn sum(&self, argument: &Argument, scene: Scene<'_, '_>) -> Result<Amount, String> {
        let name = argument.text();
        let mut sum = Amount::NOTHING;
        visit(argument, scene, &mut |value| {
            let value = value.ok_or_else(|| format!("{name} must be present"))?;
            let number = value.as_number().and_then(Number::parse);
            let number = number.ok_or_else(|| format!("{name} must be a number"))?;
            if number.is_negative() {
                return Err(format!("{name} must not be less than 0"));
            }
            sum = sum.plus(Amount::of(&number));
            Ok(())
        })?;
        if sum > self.capacity() {
            let what = if argument.is_many() {
                "the sum of "
            } else {
                ""
            };
            return Err(format!("{what}{name} must be at most {}", self.max));
        }
        Ok(sum)
    }

    /// One hash for each combination of values, each once.
    fn subjects(
        &self,
        session: Option<&str>,
        scene: Scene<'_, '_>,
    ) -> Result<Vec<Subject>, String> {
        let mut beginning = Sha256::new();
        let session = session.map_or((b'-', ""), |session| (b's', session));
        feed(&mut beginning, session);
        let mut hashes = vec![beginning];
        for source in &self.by {
            let values = values(source, scene)?;
            if hashes.len() * values.len() > SUBJECTS_MAX {
                return Err(format!(
                    "{source} must not have more than {SUBJECTS_MAX} different values"
                ));
            }
            let with = |hash: &Sha256, (kind, text): &(u8, String)| {
                let mut hash = hash.clone();
                feed(&mut hash, (*kind, text));
                hash
            };
            hashes = hashes
                .iter()
                .flat_map(|hash| values.iter().map(move |value| with(hash, value)))
                .collect();
        }
        let subject = |hash: Sha256| {
            let mut first = [0; 16];
            first.copy_from_slice(&hash.finalize()[..16]);
            Subject::of_hash(first)
        };
        Ok(hashes.into_iter().map(subject).collect())
    }
}

/// With its length before it no part can pass for the end of another.
fn feed(hash: &mut Sha256, (kind, text): (u8, &str)) {
    hash.update([kind]);
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text);
}

/// The different values at one path of `by`, each with what kind it is, in one spelling.
fn values(source: &Source, scene: Scene<'_, '_>) -> Result<Vec<(u8, String)>, String> {
    let caller = &scene.facts.caller;
    let text = match source {
        Source::Tool => Some(scene.call.tool),
        Source::Label => Some(caller.label),
        Source::Tag(key) => caller.tag(key),
        Source::Argument(argument) => return arguments(argument, scene),
    };
    Ok(vec![match text {
        Some(text) => canonical_text(text, source)?,
        None => MISSING,
    }])
}

/// The one value of all that is missing or null.
const MISSING: (u8, String) = (b'-', String::new());

fn arguments(argument: &Argument, scene: Scene<'_, '_>) -> Result<Vec<(u8, String)>, String> {
    let name = argument.text();
    let mut values: Vec<(u8, String)> = Vec::new();
    visit(argument, scene, &mut |value| {
        let value = match value {
            None => MISSING,
            Some(value) => canonical(value, name)?,
        };
        if values.contains(&value) {
            return Ok(());
        }
        if values.len() == SUBJECTS_MAX {
            return Err(format!(
                "{name} must not have more than {SUBJECTS_MAX} different values"
            ));
        }
        values.push(value);
        Ok(())
    })?;
    Ok(values)
}

fn canonical(value: Value<'_>, name: &str) -> Result<(u8, String), String> {
    match value.kind() {
        // A boolean and a number are like their texts.
        Kind::Bool | Kind::Number => canonical_text(value.raw(), &name),
        Kind::String => canonical_text(value.as_str().unwrap_or_default(), &name),
        Kind::Null => Ok(MISSING),
        Kind::Array | Kind::Object => Err(format!(
            "{name} must be a text, a number, true or false, not a container"
        )),
    }
}

/// One spelling for all that servers could take for one value: folded text, or a number if it reads as one.
fn canonical_text(text: &str, name: &impl std::fmt::Display) -> Result<(u8, String), String> {
    if text.len() > VALUE_BYTES_MAX {
        return Err(format!(
            "{name} must be at most {VALUE_BYTES_MAX} bytes long"
        ));
    }
    let folded = case_folded(text);
    let digits = folded.strip_prefix('+').unwrap_or(&folded);
    Ok(match Number::parse(digits) {
        Some(number) => (b'n', number.canonical()),
        None => (b't', folded),
    })
}

/// Folded as keys are (NFKC, without marks that show nothing), and so that letters with two small or large forms are one.
fn case_folded(text: &str) -> String {
    let once = fold(text);
    if once.is_ascii() {
        return once.into_owned();
    }
    let upper = once.chars().flat_map(char::to_uppercase);
    let lower: String = upper.flat_map(char::to_lowercase).collect();
    fold(&lower).into_owned()
}

/// What is done with each value that is found; an error ends it.
type Found<'f, 'a> = &'f mut dyn FnMut(Option<Value<'a>>) -> Result<(), String>;

/// Goes to all values at the path, or to `None` where nothing stands; an error says what is in the way.
fn visit<'a>(
    argument: &Argument,
    scene: Scene<'_, 'a>,
    found: Found<'_, 'a>,
) -> Result<(), String> {
    let way = Way {
        steps: &argument.steps,
        work: scene.work,
    };
    way.walk((scene.call.arguments, 0), found)
}

/// A path, and what walking it may still cost.
struct Way<'w> {
    steps: &'w [Step],
    work: &'w Work,
}

impl Way<'_> {
    fn walk<'a>(
        &self,
        (at, depth): (Option<Value<'a>>, usize),
        found: Found<'_, 'a>,
    ) -> Result<(), String> {
        self.spend(1)?;
        let here = at.filter(|value| value.kind() != Kind::Null);
        let (Some(value), Some(step)) = (here, self.steps.get(depth)) else {
            return found(here);
        };
        match (step, value.kind()) {
            (Step::Key(key), Kind::Object) => {
                self.walk((self.member(value, key)?, depth + 1), found)
            }
            (Step::Index(index), Kind::Array) => {
                self.spend(*index)?;
                self.walk((value.elements().nth(*index), depth + 1), found)
            }
            (Step::Each, Kind::Array) => {
                let mut elements = value.elements().peekable();
                if elements.peek().is_none() {
                    return found(None);
                }
                elements.try_for_each(|element| self.walk((Some(element), depth + 1), found))
            }
            (step, _) => {
                let wanted = match step {
                    Step::Key(_) => "an object",
                    Step::Index(_) | Step::Each => "an array",
                };
                let shown = path::shown(&self.steps[..depth]);
                Err(format!("{shown} must be {wanted}"))
            }
        }
    }

    fn member<'a>(&self, object: Value<'a>, key: &str) -> Result<Option<Value<'a>>, String> {
        for (name, value) in object.members() {
            self.spend(1)?;
            if name.as_str() == Some(key) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn spend(&self, steps: usize) -> Result<(), String> {
        match self.work.spend(steps) {
            true => Ok(()),
            false => Err(format!(
                "{} is too large to be counted",
                path::shown(self.steps)
            )),
        }
    }
}
