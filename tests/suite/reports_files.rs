//! Reports as files, by the program itself: where they may go, what a failed run leaves, and past runs again.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
    command.args(arguments).current_dir(directory).env_clear().stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// A policy whose registry is a port that nobody listens on.
fn place(ledger: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let policy = format!(
        "version: 1\nledger: {ledger}\nsources: {{ shop: {{ oci: \"http://127.0.0.1:9\", repositories: [shop/api] }} }}\n\
         production: [{{ tags: [\"v*\"] }}]\n"
    );
    std::fs::write(directory.path().join("prodpin.yaml"), policy).unwrap();
    directory
}

#[test]
fn a_run_that_fails_leaves_a_report_that_says_so() {
    let directory = place("./taken");
    std::fs::write(directory.path().join("taken"), "no directory").unwrap();
    std::fs::write(directory.path().join("x.json"), "the report of yesterday").unwrap();
    let output = run(directory.path(), &["audit", "--report", "json=x.json", "--report", "html=x.html"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(directory.path().join("x.json")).unwrap()).unwrap();
    assert_eq!(report["run"]["complete"], false);
    assert_eq!(report["run"]["ledger"], Value::Null, "nothing was committed that it could name (I10)");
    let message = report["findings"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("the run failed: ") && message.contains("taken"), "{message}");
    assert!(std::fs::read_to_string(directory.path().join("x.html")).unwrap().contains("Incomplete."));
    assert!(text(&output.stdout).contains("INCOMPLETE"), "{}", text(&output.stdout));
}

#[test]
fn a_report_never_lands_on_the_policy_or_in_the_ledger_f80() {
    let directory = place("./ledger");
    std::fs::create_dir(directory.path().join("ledger")).unwrap();
    let policy = std::fs::read(directory.path().join("prodpin.yaml")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("prodpin.yaml", directory.path().join("link.json")).unwrap();
    for (report, why) in [
        ("json=prodpin.yaml", "this is the policy"),
        ("json=ledger/x.json", "lies in the ledger"),
        ("json=ledger.key", "the ledger's signing key"),
        ("json=../x.json", "must not contain '..'"),
        ("json=link.json", "is a symbolic link"),
        ("json=nowhere/x.json", "create the directory first"),
        ("asff=x", "AWS_ACCOUNT_ID"),
    ] {
        for command in ["audit", "report"] {
            let output = run(directory.path(), &[command, "--report", report]);
            assert_eq!(output.status.code(), Some(2), "{report}");
            assert!(text(&output.stderr).contains(why), "{report}: {}", text(&output.stderr));
        }
    }
    assert_eq!(std::fs::read(directory.path().join("prodpin.yaml")).unwrap(), policy);
    assert_eq!(std::fs::read_dir(directory.path().join("ledger")).unwrap().count(), 0, "nothing ran");
}

#[test]
fn past_runs_are_listed_compared_and_rendered_again_byte_for_byte() {
    let directory = place("./ledger");
    let files = ["html", "json", "csv", "sarif", "junit", "ocsf", "prometheus", "markdown"];
    let reports = |name: &str| files.map(|format| format!("--report={format}={name}.{format}"));
    let with = |first: &[&str], reports: &[String]| {
        let all: Vec<&str> = first.iter().copied().chain(reports.iter().map(String::as_str)).collect();
        run(directory.path(), &all)
    };
    let output = with(&["audit"], &reports("first"));
    assert_eq!(output.status.code(), Some(1), "the registry did not answer: {}", text(&output.stderr));

    let output = run(directory.path(), &["report", "--list", "--format", "json"]);
    let runs: Value = serde_json::from_slice(&output.stdout).unwrap();
    let id = runs[0]["run"]["id"].as_str().unwrap().to_owned();
    assert!(text(&run(directory.path(), &["report", "--list"]).stdout).contains("INCOMPLETE"));
    // Another policy meanwhile changes nothing about what was.
    assert_eq!(run(directory.path(), &["audit"]).status.code(), Some(1));

    let output = with(&["report", "--run", &id], &reports("again"));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for format in files {
        let read = |name: &str| std::fs::read(directory.path().join(format!("{name}.{format}"))).unwrap();
        assert!(read("first") == read("again"), "{format}");
    }

    let output = run(directory.path(), &["report", "--since", &id, "--format", "json"]);
    let diff: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(diff["since"]["id"], id.as_str());
    assert_eq!(diff["counts"]["resolved"], 0, "an incomplete run resolves nothing");
    let page = run(directory.path(), &["report", "--since", &id]).stdout;
    assert!(text(&page).starts_with("since ") && text(&page).contains(&id), "as it is given: {}", text(&page));
    let output = run(directory.path(), &["report", "--since", &id, "--format", "html"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--since has no html"), "{}", text(&output.stderr));
}

/// H156: whoever knows the ledger's key can tell that the statement about a run is ours, for a past run as well.
#[test]
fn a_run_is_attested_with_the_ledger_s_key_and_without_one_refused_before_it_h156() {
    use base64::Engine as _;
    use ed25519_dalek::{Signature, VerifyingKey};
    let decode = |text: &Value| base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap();

    let unsigned = place("none");
    let output = run(unsigned.path(), &["audit", "--report", "attestation=x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no signing key"), "{}", text(&output.stderr));

    let directory = place("./ledger");
    let output = run(directory.path(), &["report", "--report", "attestation=x"]);
    assert_eq!(output.status.code(), Some(2), "a look at the past makes no key");
    assert!(!directory.path().join("ledger.key").exists());
    run(directory.path(), &["audit", "--report", "attestation=run.json", "--report", "json=report.json"]);
    let output = run(directory.path(), &["report", "--report", "attestation=past.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap();
    assert_eq!(read("run.json"), read("past.json"));

    let envelope: Value = serde_json::from_slice(&read("run.json")).unwrap();
    let signed = prodpin::report::attestation::pre_authentication(&decode(&envelope["payload"]));
    let signature = Signature::from_slice(&decode(&envelope["signatures"][0]["sig"])).unwrap();
    let key = envelope["signatures"][0]["keyid"].as_str().unwrap().strip_prefix("ed25519:").unwrap();
    let key: [u8; 32] = decode(&key.into()).try_into().unwrap();
    VerifyingKey::from_bytes(&key).unwrap().verify_strict(&signed, &signature).unwrap();
    // It is the key that the checkpoint is signed with: its name, id and signature line tell the same public key.
    let verified = run(directory.path(), &["verify", "--json"]);
    let known = text(&verified.stdout).replace("\\", "");
    let algorithm_and_key = [&[1][..], &key].concat();
    let spelled = base64::engine::general_purpose::STANDARD.encode(algorithm_and_key);
    assert!(known.contains(&spelled), "{known} {}", text(&verified.stderr));
}
