//! Each ready-made policy fits the server it is for: every tool has its entry, every entry its tool, every path its argument.
//!
//! The servers' lists are here as fixtures (names and argument paths, nothing else); where the lists themselves lie beside
//! the repository, the fixtures are held against them.

#[path = "policies/document.rs"]
mod document;
#[path = "policies/offer.rs"]
mod offer;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use document::{Document, matches};
use offer::Offer;
use toolgate::policy::Policy;

/// One tool of one server, for the quick start: no whole-server policy.
const DEMO: &str = "demo";

/// So many servers have a ready-made policy, at least.
const SERVERS_MIN: usize = 12;

/// A policy and what it is for.
struct Case {
    name: String,
    file: PathBuf,
    document: Document,
    offer: Offer,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names, without `.json`, of the JSON files in a folder.
fn stems(folder: &str) -> BTreeSet<String> {
    std::fs::read_dir(root().join(folder))
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

fn cases() -> Vec<Case> {
    let case = |name: String| {
        let file = root().join(format!("policies/{name}.json"));
        let fixture = root().join(format!("tests/fixtures/tools/{name}.json"));
        Case {
            document: Document::read(&file),
            offer: Offer::read(&fixture),
            file,
            name,
        }
    };
    stems("tests/fixtures/tools")
        .into_iter()
        .map(case)
        .collect()
}

#[test]
fn every_known_server_has_a_policy_and_every_policy_a_known_server() {
    let mut policies = stems("policies");
    assert!(policies.remove(DEMO), "the quick start has its policy");
    let servers = stems("tests/fixtures/tools");
    assert_eq!(policies, servers);
    assert!(servers.len() >= SERVERS_MIN, "{servers:?}");
    let table = std::fs::read_to_string(root().join("policies/README.md")).expect("the table");
    for name in &servers {
        let row = format!("[{name}.json]({name}.json)");
        assert!(table.contains(&row), "policies/README.md has no {row}");
    }
}

#[test]
fn every_policy_loads_with_its_own_tests_and_denies_by_default() {
    for case in cases() {
        let source = std::fs::read(&case.file).expect("the policy is there");
        if let Err(mistakes) = Policy::compile(&source) {
            let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
            panic!("{}:\n{}", case.name, told.join("\n"));
        }
        assert_eq!(case.document.member("default"), "deny", "{}", case.name);
        let description = case.document.member("description").as_str();
        assert!(
            description.is_some_and(|text| !text.is_empty()),
            "{}",
            case.name
        );
    }
}

#[test]
fn every_tool_of_a_server_has_its_entry_or_is_hidden_and_never_both() {
    for case in cases() {
        let source = std::fs::read(&case.file).expect("the policy is there");
        let policy = Policy::compile(&source).expect("it loads");
        for tool in case.offer.tools.keys() {
            let hidden = case.document.hidden();
            let is_hidden = hidden.iter().any(|pattern| matches(pattern, tool));
            let what = format!("{tool} of {}", case.name);
            assert_ne!(
                policy.has_entry(tool),
                is_hidden,
                "{what}: an entry or hidden"
            );
            assert_eq!(
                policy.is_listed(tool),
                !is_hidden,
                "{what}: shown or hidden"
            );
        }
    }
}

#[test]
fn nothing_in_a_policy_is_for_nothing() {
    for case in cases() {
        let tools = &case.offer.tools;
        let all = case.document.names("tools");
        for pattern in all.into_iter().chain(case.document.hidden()) {
            // A server whose tools nobody knows in advance: its one entry is for all that turn up.
            let is_for_unknown = tools.is_empty() && pattern == "*";
            let is_used = is_for_unknown || tools.keys().any(|tool| matches(pattern, tool));
            assert!(is_used, "{pattern} of {} matches no tool", case.name);
        }
        let written = case.document.member("tools").to_string();
        for counter in case.document.names("counters") {
            assert!(
                written.contains(&format!("{counter:?}")),
                "{counter} of {}",
                case.name
            );
        }
    }
}

#[test]
fn every_path_of_a_condition_is_an_argument_of_a_type_that_it_can_judge() {
    for case in cases() {
        for condition in case.document.conditions() {
            let path = condition
                .path
                .strip_prefix("args.")
                .expect("a path under args");
            let judges = condition.judges();
            let fits = |types: &str| {
                let is_one = |kind: &str| types.split('|').any(|one| one == kind || one == "any");
                judges.is_empty() || judges.iter().any(|kind| is_one(kind))
            };
            let about = |tool: &&String| condition.entry.is_none_or(|entry| matches(entry, tool));
            let mut tools = case.offer.tools.iter().filter(|(name, _)| about(name));
            let is_there =
                |(_, tool): (&String, &offer::Tool)| tool.types_at(path).is_some_and(fits);
            // In `all_tools` a condition is for those tools that have the argument.
            let holds = match condition.entry {
                Some(_) => tools.all(is_there),
                None => tools.any(is_there),
            };
            assert!(
                holds,
                "{} in {}: no {path} that {} can judge",
                condition.entry.unwrap_or("all_tools"),
                case.name,
                condition.operator
            );
        }
    }
}

#[test]
fn the_tests_of_a_policy_make_calls_as_the_server_takes_them() {
    for case in cases() {
        let mut expected = BTreeSet::new();
        for test in case.document.tests() {
            let outcome = test["expect"].as_str().expect("an expectation");
            expected.insert(outcome);
            let name = test["call"]["tool"].as_str().expect("a tool");
            let arguments = test["call"]["args"].as_object();
            let (Some(tool), "allow" | "approve") = (case.offer.tools.get(name), outcome) else {
                continue;
            };
            let given: BTreeSet<_> = arguments
                .into_iter()
                .flatten()
                .map(|(key, _)| key)
                .collect();
            let missing: Vec<_> = tool
                .required
                .iter()
                .filter(|key| !given.contains(key))
                .collect();
            assert!(
                missing.is_empty(),
                "{test} of {} lacks {missing:?}",
                case.name
            );
            let unknown: Vec<_> = given
                .iter()
                .filter(|key| tool.types_at(key).is_none())
                .collect();
            assert!(
                unknown.is_empty(),
                "{test} of {} has {unknown:?}",
                case.name
            );
        }
        let passes = expected.contains("allow") || expected.contains("approve");
        let stops = expected.contains("deny") || expected.contains("approve");
        assert!(
            passes && stops,
            "{} shows what passes and what does not",
            case.name
        );
    }
}

#[test]
fn every_limit_of_a_policy_is_shown_to_bite() {
    for case in cases() {
        let source = std::fs::read(&case.file).expect("the policy is there");
        let policy = Policy::compile(&source).expect("it loads");
        for limit in policy.limits() {
            let is_shown = case.document.tests().any(|test| {
                test["rule"].as_str() == Some(&*limit.rule)
                    && test["times"].as_u64() == Some(limit.max.get() + 1)
            });
            // Where every call waits for a person first, no test can come as far as the limit.
            let is_out_of_reach = case.offer.tools.is_empty();
            assert!(
                is_shown || is_out_of_reach,
                "{} of {}",
                limit.rule,
                case.name
            );
        }
    }
}

#[test]
fn the_fixtures_are_what_the_servers_list() {
    let lists = root().join("../shared/tools-lists");
    if !lists.is_dir() {
        eprintln!("not compared: the lists of live servers (../shared/tools-lists) are not here");
        return;
    }
    for case in cases() {
        let live = Offer::of_live(&lists.join(format!("{}.json", case.name)));
        assert_eq!(case.offer.server, live.server);
        assert_eq!(case.offer.tools, live.tools, "{}", case.name);
    }
}
