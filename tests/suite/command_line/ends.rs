//! How a run ends: exit statuses, readers that go away, signals.

use std::process::{Command, Stdio};

use super::{code, here, prodpin, run, text};

#[test]
fn an_empty_ledger_is_told_and_exits_with_1() {
    let directory = here();
    std::fs::write(directory.path().join("prodpin.yaml"), include_str!("../../../policies/quickstart.yaml")).unwrap();
    for arguments in [&["history", "localhost:5000/shop/api:1"][..], &["report"]] {
        let output = run(directory.path(), arguments);
        assert_eq!(code(&output), 1, "{}", text(&output.stderr));
        assert!(text(&output.stderr).starts_with("prodpin: the ledger holds no"), "{}", text(&output.stderr));
    }
    assert!(!directory.path().join("prodpin-ledger").exists(), "looking must not make a ledger");
}

/// Success there would say of signatures that nobody looked at that they are in order.
#[test]
fn a_key_beside_what_looks_at_no_signature_exits_with_2() {
    let directory = here();
    std::fs::write(directory.path().join("prodpin.yaml"), include_str!("../../../policies/quickstart.yaml")).unwrap();
    for beside in ["--from=vault", "--only=rehearsal"] {
        let output = run(directory.path(), &["drill", "--signature-key", "release.pub", beside]);
        assert_eq!(code(&output), 2, "{}", text(&output.stderr));
        let told = format!("--signature-key: with {}", beside.replace('=', " "));
        assert!(text(&output.stderr).contains(&told), "{}", text(&output.stderr));
    }
    let output = run(directory.path(), &["drill", "--signature-key", "release.pub"]);
    assert!(text(&output.stderr).contains("release.pub"), "{}", text(&output.stderr));
    assert_eq!(code(&output), 2, "a key that is not there: {}", text(&output.stderr));
}

#[test]
fn a_reader_that_went_away_is_no_error_f82() {
    let directory = here();
    std::fs::write(directory.path().join("prodpin.yaml"), include_str!("../../../policies/quickstart.yaml")).unwrap();
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
    for (which, expected, said) in [
        ("last", 0, ""),
        ("last~0", 0, ""),
        (&id[..13], 0, ""),
        (id, 0, ""),
        ("last~1", 2, "holds no last~1, but 1 in all"),
        ("20000101T000000Z-00000000", 2, "holds no run 20000101T000000Z-00000000"),
        ("20000101", 2, "whose id begins with 20000101"),
        ("2", 2, "how it begins, last or last~1"),
        ("last-1", 2, "write last, or last~1"),
        ("last~10000", 2, "write last, or last~1"),
    ] {
        let output = run(directory.path(), &["report", "--run", which, "--format", "json"]);
        assert_eq!(code(&output), expected, "{which}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(said), "{which}: {}", text(&output.stderr));
        assert!(expected != 0 || output.stdout == audit.stdout, "{which}");
    }
    let second = run(directory.path(), &["audit", "--deadline", "20s", "--format", "json"]);
    let second: serde_json::Value = serde_json::from_slice(&second.stdout).unwrap();
    let other = second["run"]["id"].as_str().unwrap();
    let before = run(directory.path(), &["report", "--run", "last~1", "--format", "json"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&before.stdout).unwrap(), first);
    let part = |arguments: &[&str]| {
        let output = run(directory.path(), &[&["report", "--run", id, "--format", "json"], arguments].concat());
        let report = serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_default();
        (code(&output), report, text(&output.stderr))
    };
    let all = first["findings"].as_array().unwrap();
    let high = part(&["--severity", "high"]).1;
    let expected: Vec<_> =
        all.iter().filter(|one| ["high", "critical"].contains(&one["severity"].as_str().unwrap())).collect();
    assert!(!expected.is_empty() && expected.len() < all.len(), "{all:?}");
    assert_eq!(high["findings"].as_array().unwrap().iter().collect::<Vec<_>>(), expected);
    assert_eq!(high["run"]["scope"]["shown"], "findings of severity high or above");
    let code_of = expected[0]["code"].as_str().unwrap();
    let of_code = part(&["--code", code_of]).1;
    assert!(of_code["findings"].as_array().unwrap().iter().all(|one| one["code"] == code_of), "{of_code}");
    let (status, _, said) = part(&["--repository", "shop/apo"]);
    assert!(status == 2 && said.contains("has no repository shop/apo: it was not seen by that run"), "{said}");
    let (status, _, said) = part(&["--severity", "high", "--report", "attestation=x.json"]);
    assert!(status == 2 && said.contains("an attestation is about a whole report"), "{said}");
    let both = run(directory.path(), &["report", "--run", &id[..8]]);
    if other[..8] == id[..8] {
        assert_eq!(code(&both), 2, "{}", text(&both.stderr));
        assert!(text(&both.stderr).contains("write more of it"), "{}", text(&both.stderr));
    }
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
