//! What the fuzz targets promise holds for every input that is kept, and for random changes of them.
//!
//! The promises stand in `fuzz/src/lib.rs`, once. Nothing here is built as a fuzzer; that is for the long suites.

#[allow(unreachable_pub)] // in the crate of the fuzz targets these functions are the door
#[path = "../fuzz/src/lib.rs"]
mod promises;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

/// The files of some folders of the repository.
fn inputs(folders: &[&str]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = folders.iter().flat_map(|folder| {
        std::fs::read_dir(root.join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"))
    });
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let inputs: Vec<_> = paths
        .filter(|path| path.is_file())
        .map(|path| std::fs::read(path).expect("an input"))
        .collect();
    assert!(!inputs.is_empty(), "there is something to replay");
    inputs
}

static POLICIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    inputs(&[
        "fuzz/corpus/policy",
        "policies",
        "tests/fixtures/policy/bad",
    ])
});
static DOCUMENTS: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| inputs(&["fuzz/corpus/json", "fuzz/corpus/policy", "policies"]));
static YAML: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| inputs(&["fuzz/corpus/yaml", "tests/fixtures/import", "policies"]));

#[test]
fn every_policy_of_the_corpus_is_judged_as_promised() {
    POLICIES.iter().for_each(|input| promises::policy(input));
}

#[test]
fn every_document_of_the_corpus_is_read_as_promised() {
    DOCUMENTS.iter().for_each(|input| promises::json(input));
}

#[test]
fn every_policy_in_yaml_of_the_corpus_is_read_as_promised() {
    YAML.iter().for_each(|input| promises::yaml(input));
}

#[test]
fn work_that_an_input_is_not_worth_is_noticed() {
    let is_worth = |seconds, size: usize| {
        let judge = || promises::assert_worth(Duration::from_secs(seconds), &vec![0; size]);
        std::panic::catch_unwind(judge).is_ok()
    };
    assert!(is_worth(1, 10) && !is_worth(3, 10), "a short input");
    assert!(is_worth(3, 100_000) && !is_worth(5, 100_000), "a long one");
}

/// One input with a piece of another in place of a piece of its own.
fn spliced(all: &[Vec<u8>], picked: [Index; 2], places: [Index; 3], length: usize) -> Vec<u8> {
    let [mut host, guest] = picked.map(|index| all[index.index(all.len())].clone());
    let [at, from] = [
        places[0].index(host.len().max(1)),
        places[1].index(guest.len().max(1)),
    ];
    let piece = guest[from.min(guest.len())..].iter().take(length);
    let cut = (at + places[2].index(length + 1)).min(host.len());
    host.splice(at.min(cut)..cut, piece.copied());
    host
}

proptest! {
    #[test]
    fn changed_policies_are_judged_as_promised(picked in any::<[Index; 2]>(), places in any::<[Index; 3]>(), length in 0..40_usize) {
        promises::policy(&spliced(&POLICIES, picked, places, length));
    }

    #[test]
    fn changed_documents_are_read_as_promised(picked in any::<[Index; 2]>(), places in any::<[Index; 3]>(), length in 0..40_usize) {
        promises::json(&spliced(&DOCUMENTS, picked, places, length));
    }

    #[test]
    fn changed_policies_in_yaml_are_read_as_promised(picked in any::<[Index; 2]>(), places in any::<[Index; 3]>(), length in 0..40_usize) {
        promises::yaml(&spliced(&YAML, picked, places, length));
    }
}
