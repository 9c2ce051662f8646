//! What a document asks of one argument, against what the tools' schemas say of it.
//!
//! It never warns where a schema leaves the answer open.

use jiff::tz::TimeZone;

use super::super::document::Mode;
use super::super::fields::nearest;
use super::super::mistake::{Mistakes, Place};
use super::super::path::{self, Path, Step};
use super::arguments::{self, Argument, Found};
use super::contradiction;
use super::outline::{
    Rules, SECTIONS, Section, TestAt, all_tests, elements, is_shadow, text, under,
};
use super::server::{Tool, told};
use crate::json::Kind;

/// Where a document looks into the arguments, and what for.
pub(super) struct Asked<'a> {
    place: Place<'a>,
    /// A path that the rules of all tools name may be one of a few of them.
    is_common: bool,
    what: What<'a>,
}

enum What<'a> {
    Test(Test<'a>),
    /// One of `by`.
    Key,
    /// `increment_from`
    Amount,
}

struct Test<'a> {
    place: Place<'a>,
    op: &'a str,
    value: Place<'a>,
    /// Whether an argument that is never there makes the entry refuse every call.
    needs_it: bool,
    /// Whether a call that leaves the argument out gets past this.
    passes_without: bool,
}

impl<'a> Test<'a> {
    fn of(
        test: &TestAt<'a>,
        entry: &Place<'a>,
        (section, mode): (Section, Mode),
    ) -> Option<Test<'a>> {
        let op = text(&test.place, "op");
        let value = under(&test.place, "value")?;
        let is_absence = op == "exists" && value.value.as_bool() == Some(false);
        let is_require = section == Section::Require;
        let is_enforced = mode == Mode::Enforced && !is_shadow(entry);
        // What differs from every constant is true of what is missing, where a rule forbids.
        let differs = matches!(op, "exists" | "neq" | "not_in");
        let is_missing_told = under(entry, "if_missing").is_some();
        Some(Test {
            needs_it: is_require && test.is_joint && is_enforced && !is_absence,
            passes_without: is_require == test.is_flipped && !differs && !is_missing_told,
            place: test.place.clone(),
            op,
            value,
        })
    }
}

impl<'a> Asked<'a> {
    /// All that these rules ask.
    pub(super) fn all_of(rules: &Rules<'a>) -> Vec<Asked<'a>> {
        let asked = |place, what| Asked {
            place,
            is_common: rules.name.is_none(),
            what,
        };
        let mut all = Vec::new();
        let mode = match is_shadow(&rules.place) {
            true => Mode::Shadow,
            false => Mode::Enforced,
        };
        for section in SECTIONS {
            for entry in rules.entries(section) {
                for test in all_tests(&entry) {
                    let what = Test::of(&test, &entry, (section, mode)).map(What::Test);
                    let path = under(&test.place, "path");
                    all.extend(path.zip(what).map(|(path, what)| asked(path, what)));
                }
            }
        }
        for limit in elements(&rules.place, "limits") {
            let keys = elements(&limit, "by").into_iter();
            all.extend(keys.map(|place| asked(place, What::Key)));
            let amount = under(&limit, "increment_from");
            all.extend(amount.map(|place| asked(place, What::Amount)));
        }
        all
    }

    /// Compares with the schemas of all tools that the rules are for.
    pub(super) fn compare(&self, tools: &[&Tool], warnings: &mut Mistakes) {
        let Some(path) = self
            .place
            .value
            .as_str()
            .filter(|text| text.starts_with("args"))
        else {
            return;
        };
        let Ok(path) = Path::parse(path, &TimeZone::UTC) else {
            return;
        };
        let with_schema = tools
            .iter()
            .filter_map(|tool| Some((*tool, tool.schema.as_ref()?)));
        let found: Vec<_> = with_schema
            .map(|(tool, schema)| (tool, arguments::find(schema, &path.steps)))
            .collect();
        self.absent(&path, &found, warnings);
        for (tool, argument) in &found {
            if let Found::Known(argument) = argument
                && self.misfit((&path, tool), argument, warnings)
            {
                return;
            }
        }
        let optional = found.iter().filter_map(|(tool, found)| match found {
            Found::Known(argument) if argument.is_optional => Some((*tool, argument)),
            _ => None,
        });
        self.optional(&path, optional.collect(), warnings);
    }

    fn absent(&self, path: &Path, found: &[(&Tool, Found<'_>)], warnings: &mut Mistakes) {
        let lacking: Vec<_> = found
            .iter()
            .filter_map(|(tool, found)| match found {
                Found::Absent(names) => Some((tool, names)),
                Found::Anything | Found::Known(_) => None,
            })
            .collect();
        let Some((_, names)) = lacking.first() else {
            return;
        };
        if self.is_common && lacking.len() < found.len() {
            return;
        }
        let names_of_tools = lacking.iter().map(|(tool, _)| &*tool.name);
        let means = match &self.what {
            What::Test(Test { needs_it: true, .. }) | What::Amount => ": every call is refused",
            What::Test(_) | What::Key => "",
        };
        let what = format!(
            "{} has no argument {}{means}",
            told(names_of_tools),
            path.text
        );
        warnings.advise(&self.place, what, nearest_path(path, names));
    }

    /// Warns of a value that the argument never has; whether it did.
    fn misfit(
        &self,
        (path, tool): (&Path, &Tool),
        argument: &Argument<'_>,
        warnings: &mut Mistakes,
    ) -> bool {
        let kinds = argument.kinds();
        let (judged, by) = match &self.what {
            // What type a value has can be asked of any.
            What::Test(Test { op: "is", .. }) => return false,
            What::Test(test) => (test.kinds(), test.op),
            What::Amount => (vec![Kind::Number], "increment_from"),
            What::Key => (vec![Kind::Bool, Kind::Number, Kind::String], "by"),
        };
        let never = kinds
            .as_ref()
            .filter(|kinds| !kinds.iter().any(|kind| judged.contains(kind)));
        if let Some(kinds) = never {
            warnings.advise(
                &self.place,
                format!(
                    "{} of {} is {}, which {by:?} cannot judge",
                    path.text,
                    tool.name,
                    one_of(kinds)
                ),
                "a value that cannot be judged is refused: use an operator for its type",
            );
            return true;
        }
        match &self.what {
            What::Test(test) => test.outside(self, (path, tool), (argument, warnings)),
            What::Key | What::Amount => false,
        }
    }

    /// Warns of what a server fills in where the rule sees nothing.
    fn optional(&self, path: &Path, tools: Vec<(&Tool, &Argument<'_>)>, warnings: &mut Mistakes) {
        let What::Test(test) = &self.what else {
            return;
        };
        // A default that the schema tells and that gets past too changes nothing.
        let is_harmless = |argument: &Argument<'_>| {
            argument
                .default
                .is_some_and(|default| contradiction::lets_pass(&test.place, default))
        };
        let tools: Vec<_> = tools
            .into_iter()
            .filter(|(_, argument)| !is_harmless(argument))
            .collect();
        if !test.passes_without || tools.is_empty() {
            return;
        }
        let default = tools.iter().find_map(|(_, argument)| argument.default);
        let filled_in = match default {
            Some(default) => format!("the server then takes {default}, which does not"),
            None => "the server may then fill in a value that does not".to_owned(),
        };
        let names = told(tools.iter().map(|(tool, _)| &*tool.name));
        warnings.advise(
            &self.place,
            format!(
                "calls of {names} may leave {} out and get past this; {filled_in}",
                path.text
            ),
            "add \"if_missing\": \"deny\" to the entry",
        );
    }
}

impl Test<'_> {
    /// The types that it can judge.
    fn kinds(&self) -> Vec<Kind> {
        super::contradiction::kinds(self.op, self.value.value)
    }

    /// Warns of a constant that the argument's schema does not list; whether it did.
    fn outside(
        &self,
        asked: &Asked<'_>,
        (path, tool): (&Path, &Tool),
        (argument, warnings): (&Argument<'_>, &mut Mistakes),
    ) -> bool {
        let constants: Vec<Place<'_>> = match self.op {
            "eq" | "neq" => vec![self.value.clone()],
            "in" | "not_in" => self.value.elements().collect(),
            _ => return false,
        };
        let Some(values) = argument.values() else {
            return false;
        };
        let is_listed = |constant: &Place<'_>| {
            let constant = serde_json::from_str(constant.value.raw());
            constant.is_ok_and(|constant| values.iter().any(|value| are_equal(value, &constant)))
        };
        let Some(stray) = constants.iter().find(|constant| !is_listed(constant)) else {
            return false;
        };
        if asked.is_common {
            return false;
        }
        let listed: Vec<_> = values.iter().map(|value| value.to_string()).collect();
        warnings.advise(
            stray,
            format!(
                "{} of {} is never {}",
                path.text,
                tool.name,
                stray.value.raw()
            ),
            format!("its schema lists {}", listed.join(", ")),
        );
        true
    }
}

/// Whether two values are the same; `1` and `1.0` are.
fn are_equal(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.to_bits() == other.to_bits(),
        _ => one == other,
    }
}

/// The path that may have been meant.
fn nearest_path(path: &Path, names: &[&str]) -> String {
    let Some(Step::Key(last)) = path.steps.iter().rfind(|step| matches!(step, Step::Key(_))) else {
        return "check the path".to_owned();
    };
    let mut steps = path.steps.to_vec();
    let at = steps
        .iter()
        .rposition(|step| *step == Step::Key(last.clone()));
    match (nearest(last, names.iter().copied()), at) {
        (Some(near), Some(at)) => {
            steps[at] = Step::Key(near.into());
            format!("did you mean {}?", path::shown(&steps))
        }
        _ if names.is_empty() => "it takes no arguments there".to_owned(),
        _ => format!("the arguments there are {}", names.join(", ")),
    }
}

/// Types as a sentence names them; a value that is always null has none.
fn one_of(kinds: &[Kind]) -> String {
    let named = |kind: &Kind| match kind {
        Kind::Array | Kind::Object => format!("an {}", kind.name()),
        _ => format!("a {}", kind.name()),
    };
    match kinds {
        [] => "null".to_owned(),
        kinds => kinds.iter().map(named).collect::<Vec<_>>().join(" or "),
    }
}
