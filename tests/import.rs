//! README: policies in YAML, and in Intercept's dialect, load wherever a policy file is named; their mistakes are told with
//! the file's own lines.

mod support;

use support::{Folder, Upstream, tools_call};

/// Exit code, standard output and standard error of `check` on a policy.
fn check(name: &str, policy: &str) -> (Option<i32>, String) {
    let folder = Folder::new();
    folder.write(name, policy);
    let output = folder.run(&["check", name]);
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code(), text)
}

const PAYMENTS: &str = include_str!("fixtures/import/payments.yaml");
const READERS: &str = include_str!("fixtures/import/readers.yaml");

#[test]
fn policies_in_yaml_are_valid_wherever_the_name_says_yaml() {
    for (name, policy) in [("p.yaml", PAYMENTS), ("p.yml", READERS)] {
        let (code, told) = check(name, policy);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.starts_with(&format!("{name}: valid")), "{told}");
    }
}

#[test]
fn yaml_in_a_file_that_does_not_say_so_is_refused_with_what_to_do() {
    let (code, told) = check("p.json", READERS);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("read from a file named .yaml or .yml"),
        "{told}"
    );
}

#[test]
fn mistakes_in_a_policy_of_yaml_are_told_with_file_line_and_column() {
    let (code, told) = check("p.yaml", &READERS.replace("op: exists", "op: exist"));
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(
        told,
        "error: unknown operator \"exist\"\n  --> p.yaml:13:19 /tools/search/require/0/conditions/0/op\n   |\n\
         13 |           - { op: exist, path: args.query, value: true }\n   |                   ^\n   = did you mean \"exists\"?\n\n\
         p.yaml: not valid (1 mistake)\n"
    );
    let (code, told) = check("p.yaml", &PAYMENTS.replace("op: \"lt\"", "op: \"gt\""));
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.starts_with(
            "error: a counter can only be compared by \"lte\" or \"lt\"
  --> p.yaml:56:13 /tools/*/rules/0/conditions/0
"
        ),
        "{told}"
    );
}

#[test]
fn a_policy_of_yaml_whose_own_tests_fail_does_not_load() {
    let (code, told) = check("p.yaml", &READERS.replace("expect: deny", "expect: allow"));
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.starts_with("error: this test fails: expected allow")
            && told.contains(
                "--> p.yaml:32:5 /tests/0
"
            ),
        "{told}"
    );
}

#[test]
fn a_gateway_serves_behind_rules_of_intercept() {
    let upstream = Upstream::start(support::upstream::serving(&[
        "create_payment",
        "create_refund",
        "delete_customer",
    ]));
    let folder = Folder::of(&upstream.url(), "");
    folder.write("policy.yaml", PAYMENTS);
    let toml = std::fs::read_to_string(folder.path("toolgate.toml")).expect("it was written");
    folder.write("toolgate.toml", &toml.replace("policy.json", "policy.yaml"));
    let token = folder.grant("g");
    let gateway = folder.serve();
    let agent = gateway.agent(&token);
    let says = |tool: &str, arguments: &str| agent.post(&tools_call("1", tool, arguments)).text();
    let good = r#"{"amount":100,"currency":"eur","reference":"INV-7"}"#;
    assert!(says("create_payment", good).contains("ran"));
    for (arguments, told) in [
        (good.replace("100", "50001"), "A payment is at most 500.00."),
        (good.replace("100", "\"100\""), "args.amount must be"),
        (good.replace("eur", "gbp"), "known currencies"),
        (good.replace("INV-7", "INV-٣"), "known currencies"),
    ] {
        let found = says("create_payment", &arguments);
        assert!(
            found.contains("POLICY DENIED") && found.contains(told),
            "{arguments}: {found}"
        );
    }
    assert!(says("delete_customer", "{}").contains("Customers are not deleted by agents."));
    for _ in 0..3 {
        assert!(says("create_refund", "{}").contains("ran"));
    }
    assert!(says("create_refund", "{}").contains("Three refunds an hour are the most."));
}

#[test]
fn a_decision_under_yaml_is_explained_with_the_lines_of_the_file() {
    let folder = Folder::new();
    folder.write("p.yaml", PAYMENTS);
    let call = r#"{"tool":"create_payment","args":{"amount":50001}}"#;
    let output = folder.run(&[
        "explain", "--policy", "p.yaml", "--call", call, "--format", "json",
    ]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(told["verdict"], "deny");
    let place = [&told["pointer"], &told["line"], &told["column"]];
    assert_eq!(
        place,
        [
            &serde_json::json!("/tools/create_payment/rules/0"),
            &14.into(),
            &9.into()
        ]
    );
    let condition = &told["steps"]
        .as_array()
        .expect("steps")
        .last()
        .expect("one decided")["conditions"][0];
    assert_eq!([&condition["line"], &condition["column"]], [&16, &13]);
}

#[test]
fn warnings_and_limits_of_yaml_are_told_at_their_lines() {
    let folder = Folder::new();
    folder.write("p.yaml", PAYMENTS);
    let output = folder.run(&["check", "p.yaml", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let limits = told["limits"].as_array().expect("limits").iter();
    let lines: Vec<_> = limits
        .map(|limit| (limit["rule"].as_str(), limit["line"].as_u64()))
        .collect();
    assert_eq!(
        lines,
        [
            (Some("/all_tools/limits/calls"), Some(59)),
            (Some("/tools/create_payment/limits/payments"), Some(36)),
            (Some("/tools/create_refund/limits/_rate_hour"), Some(43)),
        ]
    );
}
