//! The program as a user runs it: help, exit statuses, files, streams.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program in a directory of its own, with nothing of this machine's environment.
fn prodpin(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
    command.args(arguments).current_dir(directory).env_clear().stdin(Stdio::null());
    command
}

fn run(directory: &Path, arguments: &[&str]) -> Output {
    prodpin(directory, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn here() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

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
        "history",
        "verify",
        "report",
        "explain",
        "schema",
        "completions",
    ] {
        let arguments: Vec<&str> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let output = run(directory.path(), &arguments);
        assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""), "{command}");
        let name = if command.is_empty() { "help".to_owned() } else { format!("help_{command}") };
        insta::assert_snapshot!(name, text(&output.stdout));
    }
    // A command that a later version brings must not exist half-done here.
    let commands: Vec<String> = prodpin::cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    assert_eq!(
        commands,
        [
            "init",
            "check",
            "audit",
            "enforce",
            "watch",
            "forecast",
            "ready",
            "history",
            "verify",
            "report",
            "explain",
            "schema",
            "completions"
        ]
    );
}

#[test]
fn every_flag_has_a_variable() {
    fn walk(command: &clap::Command, seen: &mut usize) {
        for argument in command.get_arguments() {
            let Some(long) = argument.get_long().filter(|long| !matches!(*long, "help" | "version")) else { continue };
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
fn init_writes_a_policy_that_check_accepts_and_never_writes_over_one() {
    let directory = here();
    let first = run(directory.path(), &["init"]);
    assert_eq!(code(&first), 0);
    insta::assert_snapshot!(text(&first.stdout));
    let written = std::fs::read(directory.path().join("prodpin.yaml")).unwrap();
    assert_eq!(written, include_bytes!("../../policies/prodpin.yaml"));

    std::fs::write(directory.path().join("prodpin.yaml"), "mine").unwrap();
    let second = run(directory.path(), &["init"]);
    assert_eq!((code(&second), text(&second.stdout).as_str()), (2, ""));
    assert_eq!(
        text(&second.stderr),
        "prodpin: prodpin.yaml exists already and was not changed; name another with --policy\n"
    );
    assert_eq!(std::fs::read(directory.path().join("prodpin.yaml")).unwrap(), b"mine");
    assert_eq!(code(&run(directory.path(), &["init", "--policy", "no/such/directory.yaml"])), 1);
}

#[cfg(unix)]
#[test]
fn init_does_not_write_through_a_link() {
    let directory = here();
    std::os::unix::fs::symlink("elsewhere.yaml", directory.path().join("prodpin.yaml")).unwrap();
    assert_eq!(code(&run(directory.path(), &["init"])), 2);
    assert!(!directory.path().join("elsewhere.yaml").exists());
}

#[test]
fn check_says_in_words_what_the_policy_means() {
    let directory = here();
    let policy = "version: 1\nkeep: 3\nledger: s3://audit/prodpin\nschedule: \"@hourly\"\nsources:\n  shop: { oci: https://r.example, repositories: [\"shop/*\", \"!shop/x\"], username: bot, password: hunter2, private: true }\n  all: { oci: https://q.example, all: true }\n  bundles: { s3: acme, layout: \"{repository}/{version}/b.zip\", region: eu-west-1, owner: 111122223333 }\nproduction:\n  - { tags: [v*, \"!v0*\"], order: pushed }\n  - { moving_tag: prod }\n  - { file: in-use.json }\ntags: { may_move: [dev-*] }\nfail_on: critical\n";
    std::fs::write(directory.path().join("prodpin.yaml"), policy).unwrap();
    let output = run(directory.path(), &["check"]);
    assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""));
    assert!(!text(&output.stdout).contains("hunter2"));
    insta::assert_snapshot!(text(&output.stdout));

    std::fs::write(directory.path().join("prodpin.yaml"), policy.replace("keep", "kep")).unwrap();
    let output = run(directory.path(), &["check"]);
    assert_eq!((code(&output), text(&output.stdout).as_str()), (2, ""));
    insta::assert_snapshot!(text(&output.stderr));
}

#[test]
fn a_password_among_the_arguments_is_not_said_again_i18() {
    let directory = here();
    for address in [
        "https://user:hunter2@r.example/x",
        "user:hunter2@r.example/x",
        "https://user:h/hunter2@r.example/x",
        "https://hunter2@host/x",
        "user:a@hunter2@r.example/x:1",
        "s3://user:hunter2@bucket/key",
    ] {
        for arguments in [&["history", address][..], &["audit", address], &[address], &["check", address]] {
            let output = run(directory.path(), arguments);
            let told = text(&output.stderr);
            assert_eq!(code(&output), 2, "{arguments:?}: {told}");
            assert!(told.contains("[redacted]@") && !told.contains("hunter2"), "{arguments:?}: {told}");
        }
    }
}

#[test]
fn usage_and_policy_errors_exit_with_2() {
    let directory = here();
    std::fs::write(directory.path().join("good.yaml"), include_str!("../../policies/quickstart.yaml")).unwrap();
    std::fs::write(
        directory.path().join("bare.yaml"),
        include_str!("../../policies/quickstart.yaml").to_owned() + "ledger: none\n",
    )
    .unwrap();
    let cases: &[&[&str]] = &[
        &[],
        &["release"],
        &["audit", "--no-such-flag"],
        &["audit"],
        &["check", "--policy", "."],
        &["audit", "nginx"],
        &["audit", "r.example/a:1"],
        &["audit", "r.example/x\u{1b}[2J\u{202e}"],
        &["audit", "--policy", "good.yaml", "--source", "nope"],
        &["audit", "--policy", "good.yaml", "--shard", "2/2"],
        &["audit", "--policy", "good.yaml", "--deadline", "1 hour"],
        &["audit", "--policy", "good.yaml", "--ledger", "gcs://x"],
        &["audit", "--policy", "good.yaml", "--report", "report.json"],
        &["audit", "--policy", "good.yaml", "--report", "pdf=report.pdf"],
        &["audit", "--policy", "good.yaml", "--format", "json", "--report", "csv=-"],
        &["enforce", "--policy", "bare.yaml"],
        &["history", "not a reference"],
        &["history", "other.example/shop/api:1", "--policy", "good.yaml"],
        &["history", "localhost:5000/shop/api:1", "--policy", "bare.yaml"],
        &["report", "--run", "yesterday"],
    ];
    let mut page = String::new();
    for arguments in cases {
        let output = run(directory.path(), arguments);
        let told = text(&output.stderr);
        assert_eq!((code(&output), text(&output.stdout).as_str()), (2, ""), "{arguments:?}: {told}");
        assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
        page.push_str(&format!("prodpin {}\n{told}\n", arguments.join(" ").escape_debug()));
    }
    insta::assert_snapshot!(page);
}

#[test]
fn an_empty_ledger_is_told_and_exits_with_1() {
    let directory = here();
    std::fs::write(directory.path().join("prodpin.yaml"), include_str!("../../policies/quickstart.yaml")).unwrap();
    for arguments in [&["history", "localhost:5000/shop/api:1"][..], &["report"]] {
        let output = run(directory.path(), arguments);
        assert_eq!(code(&output), 1, "{}", text(&output.stderr));
        assert!(text(&output.stderr).starts_with("prodpin: the ledger holds no"), "{}", text(&output.stderr));
    }
    assert!(!directory.path().join("prodpin-ledger").exists(), "looking must not make a ledger");
}

#[test]
fn report_paths_that_lead_elsewhere_are_refused_before_the_run_f80() {
    let directory = here();
    std::fs::create_dir(directory.path().join("reports")).unwrap();
    std::fs::create_dir(directory.path().join("real")).unwrap();
    std::fs::write(directory.path().join("victim"), "untouched").unwrap();
    let mut cases =
        vec![("reports/../x.json", "'..'"), ("reports", "no file"), ("missing/x.json", "create the directory first")];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("victim", directory.path().join("link.json")).unwrap();
        std::os::unix::fs::symlink("real", directory.path().join("linked")).unwrap();
        cases.extend([("link.json", "symbolic link"), ("linked/x.json", "symbolic link")]);
    }
    for (path, reason) in cases {
        let output = run(directory.path(), &["audit", "r.example/x", "--report", &format!("json={path}")]);
        let told = text(&output.stderr);
        assert_eq!(code(&output), 2, "{path}: {told}");
        assert!(told.contains(reason) && told.lines().count() == 1, "{path}: {told}");
    }
    let twice = run(directory.path(), &["audit", "r.example/x", "--report", "json=a", "--report", "csv=./a"]);
    assert!(code(&twice) == 2 && text(&twice.stderr).contains("two reports"), "{}", text(&twice.stderr));
    assert_eq!(std::fs::read_to_string(directory.path().join("victim")).unwrap(), "untouched");
    let left: Vec<_> = std::fs::read_dir(directory.path().join("real")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_reader_that_went_away_is_no_error_f82() {
    let directory = here();
    std::fs::write(directory.path().join("prodpin.yaml"), include_str!("../../policies/quickstart.yaml")).unwrap();
    for arguments in [
        &["schema", "policy"][..],
        &["schema"],
        &["explain"],
        &["completions", "bash"],
        &["check"],
        &["--help"],
        &["--version"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = prodpin(directory.path(), arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert_eq!((code(&output), text(&output.stderr).as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn explain_prints_the_page_of_a_code_and_without_one_lists_all() {
    let directory = here();
    let page = run(directory.path(), &["explain", "tag-moved"]);
    assert_eq!((code(&page), text(&page.stderr).as_str()), (0, ""));
    assert_eq!(text(&page.stdout), include_str!("../../docs/findings/tag-moved.md"));
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
    assert_eq!(text(&policy.stdout), include_str!("../../policies/prodpin.schema.json"));
    let report: serde_json::Value = serde_json::from_slice(&run(directory.path(), &["schema"]).stdout).unwrap();
    assert!(report["properties"]["repositories"].is_object(), "{report:#}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&run(directory.path(), &["completions", shell]).stdout);
        assert!(script.contains("prodpin") && script.contains("enforce"), "{shell}");
    }
    assert_eq!(code(&run(directory.path(), &["completions", "tcsh"])), 2);
}

/// A registry that cannot be reached: nothing listens on this port any more.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("{}/shop/api", listener.local_addr().unwrap())
}

#[test]
fn what_could_not_be_read_exits_with_1_and_is_in_every_report() {
    let directory = here();
    let output = run(
        directory.path(),
        &[
            "audit",
            &nobody(),
            "--deadline",
            "20s",
            "--format",
            "json",
            "--report",
            "markdown=report.md",
            "--report",
            "csv=report.csv",
        ],
    );
    assert_eq!(code(&output), 1, "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["run"]["complete"], false);
    assert_eq!(report["run"]["mode"], "audit");
    let codes: Vec<_> = report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].clone()).collect();
    assert!(codes.contains(&"inventory-incomplete".into()), "{codes:?}");
    for name in ["report.md", "report.csv"] {
        assert!(!std::fs::read_to_string(directory.path().join(name)).unwrap().is_empty(), "{name}");
    }
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "no half-written report is left, and no ledger was made: {names:?}");
}

#[test]
fn a_run_ends_as_it_would_have_when_its_reader_goes_away_f82() {
    let directory = here();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = prodpin(directory.path(), &["audit", &nobody(), "--deadline", "20s", "--report", "json=report.json"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 1, "incomplete, not a panic: {}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("stdout"), "{}", text(&output.stderr));
    let report = std::fs::read(directory.path().join("report.json")).unwrap();
    serde_json::from_slice::<serde_json::Value>(&report).unwrap();
}

#[test]
fn reports_and_history_come_back_from_the_ledger() {
    let directory = here();
    let host = nobody();
    let registry = host.strip_suffix("/shop/api").unwrap();
    let policy = format!(
        "version: 1\nsources: {{ shop: {{ oci: \"http://{registry}\", repositories: [shop/api] }} }}\nproduction: [{{ tags: [v*] }}]\n"
    );
    std::fs::write(directory.path().join("prodpin.yaml"), policy).unwrap();
    let audit = run(directory.path(), &["audit", "--deadline", "20s", "--format", "json"]);
    assert_eq!(code(&audit), 1, "{}", text(&audit.stderr));
    let again = run(directory.path(), &["report", "--format", "json"]);
    assert_eq!(code(&again), 0, "{}", text(&again.stderr));
    let (first, again): (serde_json::Value, serde_json::Value) =
        (serde_json::from_slice(&audit.stdout).unwrap(), serde_json::from_slice(&again.stdout).unwrap());
    assert_eq!(first, again, "the ledger holds the report that was shown");
    let id = first["run"]["id"].as_str().unwrap();
    assert_eq!(code(&run(directory.path(), &["report", "--run", id])), 0);
    let stranger = run(directory.path(), &["report", "--run", "20000101T000000Z-00000000"]);
    assert_eq!(code(&stranger), 2, "{}", text(&stranger.stderr));
    let history = run(directory.path(), &["history", &format!("{host}:v1")]);
    assert_eq!(code(&history), 1, "nothing was seen, so nothing is known: {}", text(&history.stdout));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_run_before_it_would_be_killed_f88() {
    let directory = here();
    for signals in [1, 2] {
        // A registry that accepts and never answers; one for each run, because a run opens more than one connection.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("{}/shop/api", listener.local_addr().unwrap());
        let child = prodpin(directory.path(), &["audit", &host, "--report", "json=report.json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (connection, _) = listener.accept().unwrap();
        let asked = std::time::Instant::now();
        for _ in 0..signals {
            assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        let output = child.wait_with_output().unwrap();
        drop(connection);
        let most = if signals == 1 { 28 } else { 10 };
        assert!(asked.elapsed() < std::time::Duration::from_secs(most), "{:?}", asked.elapsed());
        assert_eq!(code(&output), 1, "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("asked to end"), "{}", text(&output.stderr));
        // Either the run ended by itself and said that it is incomplete, or it was cut off and left nothing half done.
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(path.file_name().unwrap(), "report.json");
            let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(report["run"]["complete"], false);
        }
    }
}
