//! Notes what is judged while it is judged, for whoever asks why.
//!
//! It never judges and costs no work that judging has: it is told each truth after it was found, and changes none.

use std::cell::RefCell;

use super::super::condition::{Clause, Scene};
use super::super::decision::Rule;
use super::super::document::Mode;
use super::super::truth::Truth;
use super::seen::seen;

/// What was judged so far.
#[derive(Debug, Default)]
pub(in super::super) struct Witness(RefCell<Account>);

#[derive(Debug, Default)]
struct Account {
    notes: Vec<Note>,
    /// The clauses being judged, the innermost last.
    open: Vec<Open>,
}

/// One rule that was judged.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) id: Box<str>,
    pub(super) pointer: Box<str>,
    pub(super) mode: Mode,
    pub(super) truth: Truth,
    /// What is wrong, where that is said of the arguments as a whole.
    pub(super) why: Option<String>,
    pub(super) looks: Vec<Look>,
}

/// One clause of it.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) depth: usize,
    pub(super) pointer: String,
    pub(super) truth: Truth,
    /// What stood where a test looked; `None` for several clauses under one word.
    pub(super) saw: Option<String>,
    /// Why it could not be judged.
    pub(super) why: Option<String>,
}

#[derive(Debug)]
struct Open {
    /// Begins the pointers of what stands inside.
    base: String,
    /// How many clauses inside were begun; of `not` there is one, without a number.
    begun: Option<usize>,
}

impl Witness {
    pub(super) fn into_notes(self) -> Vec<Note> {
        self.0.into_inner().notes
    }

    /// Sees an entry judged.
    pub(in super::super) fn entry(
        &self,
        rule: &Rule,
        mode: Mode,
        judge: impl FnOnce() -> Truth,
    ) -> Truth {
        self.note(rule, mode, (Truth::Unknown, None));
        self.open(format!("{}/conditions", rule.pointer), Some(0));
        let truth = judge();
        let account = &mut *self.0.borrow_mut();
        account.open.pop();
        if let Some(note) = account.notes.last_mut() {
            note.truth = truth;
        }
        truth
    }

    /// Takes down a rule that is judged as a whole.
    pub(in super::super) fn note(
        &self,
        rule: &Rule,
        mode: Mode,
        (truth, why): (Truth, Option<String>),
    ) {
        self.0.borrow_mut().notes.push(Note {
            id: rule.id.clone(),
            pointer: rule.pointer.clone(),
            mode,
            truth,
            why,
            looks: Vec::new(),
        });
    }

    /// Sees a clause of the entry judged.
    pub(in super::super) fn clause(
        &self,
        clause: &Clause,
        scene: Scene<'_, '_>,
        judge: impl FnOnce() -> Truth,
    ) -> Truth {
        let place = self.begin();
        let (word, begun) = match clause {
            Clause::One(_) | Clause::Any(_) => ("any", Some(0)),
            Clause::All(_) => ("all", Some(0)),
            Clause::Not(_) => ("not", None),
        };
        self.open(format!("{}/{word}", place.pointer), begun);
        let truth = judge();
        let told = match clause {
            Clause::One(condition) => {
                let why = (truth == Truth::Unknown).then(|| condition.why_unknown(scene));
                (Some(seen(condition, scene)), why.map(Into::into))
            }
            Clause::Any(_) | Clause::All(_) | Clause::Not(_) => (None, None),
        };
        let account = &mut *self.0.borrow_mut();
        account.open.pop();
        let looks = account.notes.last_mut().map(|note| &mut note.looks);
        if let Some(look) = looks.and_then(|looks| looks.get_mut(place.at)) {
            look.truth = truth;
            (look.saw, look.why) = told;
        }
        truth
    }

    fn open(&self, base: String, begun: Option<usize>) {
        self.0.borrow_mut().open.push(Open { base, begun });
    }

    /// Takes down that a clause is looked at; what comes of it is filled in later.
    fn begin(&self) -> Begun {
        let account = &mut *self.0.borrow_mut();
        let depth = account.open.len().saturating_sub(1);
        let pointer = account.open.last_mut().map_or_else(String::new, |open| {
            let Some(begun) = &mut open.begun else {
                return open.base.clone();
            };
            *begun += 1;
            format!("{}/{}", open.base, *begun - 1)
        });
        let mut at = 0;
        if let Some(note) = account.notes.last_mut() {
            at = note.looks.len();
            note.looks.push(Look {
                depth,
                pointer: pointer.clone(),
                truth: Truth::Unknown,
                saw: None,
                why: None,
            });
        }
        Begun { at, pointer }
    }
}

/// A clause that is being looked at: where it is noted, and its pointer.
struct Begun {
    at: usize,
    pointer: String,
}
