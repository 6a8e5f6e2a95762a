//! The program as a user runs it: help, exit statuses, files, streams.

mod ends;
mod help;

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
            let reported = text(&output.stderr);
            assert_eq!(code(&output), 2, "{arguments:?}: {reported}");
            assert!(reported.contains("[redacted]@") && !reported.contains("hunter2"), "{arguments:?}: {reported}");
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
        &["unpin"],
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
        let reported = text(&output.stderr);
        assert_eq!((code(&output), text(&output.stdout).as_str()), (2, ""), "{arguments:?}: {reported}");
        assert!(!reported.contains(['\u{1b}', '\u{202e}']), "{reported:?}");
        page.push_str(&format!("prodpin {}\n{reported}\n", arguments.join(" ").escape_debug()));
    }
    insta::assert_snapshot!(page);
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
        let reported = text(&output.stderr);
        assert_eq!(code(&output), 2, "{path}: {reported}");
        assert!(reported.contains(reason) && reported.lines().count() == 1, "{path}: {reported}");
    }
    let twice = run(directory.path(), &["audit", "r.example/x", "--report", "json=a", "--report", "csv=./a"]);
    assert!(code(&twice) == 2 && text(&twice.stderr).contains("two reports"), "{}", text(&twice.stderr));
    assert_eq!(std::fs::read_to_string(directory.path().join("victim")).unwrap(), "untouched");
    let left: Vec<_> = std::fs::read_dir(directory.path().join("real")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
