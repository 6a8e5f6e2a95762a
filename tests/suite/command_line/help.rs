//! Help, completions, schemas and explanations.

use super::{code, here, prodpin, run, text};

#[test]
fn help_of_the_program_and_of_every_command() {
    let directory = here();
    for command in [
        "",
        "init",
        "check",
        "audit",
        "enforce",
        "watch",
        "forecast",
        "ready",
        "release",
        "restore",
        "history",
        "diff",
        "verify",
        "report",
        "explain",
        "schema-change",
        "schema",
        "completions",
        "drill",
        "alert",
        "alert test",
    ] {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let output = run(directory.path(), &arguments);
        assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""), "{command}");
        let name = if command.is_empty() { "help".to_owned() } else { format!("help_{}", command.replace(' ', "_")) };
        insta::assert_snapshot!(name, text(&output.stdout));
    }
    // A command that a later version brings must not exist half-done here.
    let commands: Vec<String> = prodpin::cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    assert_eq!(
        commands,
        [
            "demo",
            "init",
            "check",
            "audit",
            "enforce",
            "watch",
            "forecast",
            "ready",
            "drill",
            "release",
            "restore",
            "history",
            "diff",
            "verify",
            "report",
            "explain",
            "schema-change",
            "alert",
            "schema",
            "completions",
        ]
    );
}

#[test]
fn every_flag_has_a_variable() {
    fn walk(command: &clap::Command, seen: &mut usize) {
        for argument in command.get_arguments() {
            let Some(long) = argument.get_long().filter(|long| !matches!(*long, "help" | "version")) else { continue };
            // Of one comparison and no other: a variable of that name would be taken for another command's.
            if command.get_name() == "schema-change" && matches!(long, "from" | "to") {
                continue;
            }
            let expected = format!("PRODPIN_{}", long.to_uppercase().replace('-', "_"));
            let variable = argument.get_env().unwrap_or_else(|| panic!("--{long} of {} has none", command.get_name()));
            assert_eq!(variable.to_str(), Some(expected.as_str()), "--{long} of {}", command.get_name());
            *seen += 1;
        }
        command.get_subcommands().for_each(|below| walk(below, seen));
    }
    let mut command = prodpin::cli::command();
    command.build();
    let mut seen = 0;
    walk(&command, &mut seen);
    assert!(seen >= 20, "{seen}");
}

#[test]
fn variables_stand_for_flags_and_flags_win() {
    let directory = here();
    let with = |variables: &[(&str, &str)], arguments: &[&str]| {
        prodpin(directory.path(), arguments).envs(variables.iter().copied()).output().unwrap()
    };
    assert_eq!(code(&with(&[("PRODPIN_POLICY", "one.yaml")], &["init"])), 0);
    assert_eq!(code(&with(&[("PRODPIN_POLICY", "one.yaml")], &["init", "--policy", "two.yaml"])), 0);
    assert!(directory.path().join("one.yaml").exists() && directory.path().join("two.yaml").exists());
    for (variable, value) in [
        ("PRODPIN_QUIET", "perhaps"),
        ("PRODPIN_CONCURRENCY", "0"),
        ("PRODPIN_VERBOSE", "x"),
        ("PRODPIN_FAIL_ON", "x"),
        ("PRODPIN_SHARD", "4/4"),
    ] {
        let output = with(&[(variable, value)], &["audit", "--policy", "one.yaml"]);
        assert_eq!(code(&output), 2, "{variable}: {}", text(&output.stderr));
    }
    for (variable, value) in [("PRODPIN_QUIET", "1"), ("PRODPIN_QUIET", "false"), ("PRODPIN_VERBOSE", "2")] {
        let output = with(&[(variable, value)], &["check", "--policy", "one.yaml"]);
        assert_eq!(code(&output), 0, "{variable}={value}: {}", text(&output.stderr));
    }
}

#[test]
fn explain_prints_the_page_of_a_code_and_without_one_lists_all() {
    let directory = here();
    let page = run(directory.path(), &["explain", "tag-moved"]);
    assert_eq!((code(&page), text(&page.stderr).as_str()), (0, ""));
    assert_eq!(text(&page.stdout), include_str!("../../../docs/findings/tag-moved.md"));
    let list = run(directory.path(), &["explain"]);
    let codes: Vec<String> =
        text(&list.stdout).lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(codes, prodpin::model::Code::ALL.iter().map(|code| code.as_str().to_owned()).collect::<Vec<_>>());
    let slip = run(directory.path(), &["explain", "tag-movd"]);
    assert_eq!((code(&slip), text(&slip.stdout).as_str()), (2, ""));
    assert!(text(&slip.stderr).contains("did you mean tag-moved?"), "{}", text(&slip.stderr));
}

#[test]
fn schemas_and_completions_are_printed() {
    let directory = here();
    let policy = run(directory.path(), &["schema", "policy"]);
    assert_eq!(text(&policy.stdout), include_str!("../../../policies/prodpin.schema.json"));
    let report: serde_json::Value = serde_json::from_slice(&run(directory.path(), &["schema"]).stdout).unwrap();
    assert!(report["properties"]["repositories"].is_object(), "{report:#}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&run(directory.path(), &["completions", shell]).stdout);
        assert!(script.contains("prodpin") && script.contains("enforce"), "{shell}");
    }
    assert_eq!(code(&run(directory.path(), &["completions", "tcsh"])), 2);
}
