//! Archives of charts in a vault: kept by the digest of their index, drilled by it, and given back with words on how.

use std::path::Path;
use std::process::Stdio;

use prodpin::model::Digest;
use serde_json::Value;

use super::shop::{stock, stocked};
use crate::support::chart::{Shop, archive};

struct Ran {
    status: i32,
    stdout: String,
    said: String,
}

async fn run(here: &Path, arguments: &[&str]) -> Ran {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_prodpin"));
    command.args(arguments).current_dir(here).env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    Ran { status: output.status.code().unwrap(), said: format!("{stdout}{stderr}"), stdout }
}

fn here(server: &Shop) -> tempfile::TempDir {
    let here = tempfile::tempdir().unwrap();
    let policy = format!(
        "version: 1\nledger: ./ledger\nvault: ./vault\nsources:\n  charts: {{ helm: \"{}\" }}\nproduction:\n  - {{ tags: \
         [\"[0-9]*\"], order: semver }}\n",
        server.url()
    );
    std::fs::write(here.path().join("prodpin.yaml"), policy).unwrap();
    here
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_lost_is_in_the_vault_and_how_it_gets_back_is_said_i27() {
    let server = stocked(&["1.2.3", "1.3.0"]).await;
    let here = here(&server);
    let kept = run(here.path(), &["enforce", "--format", "json"]).await;
    let report: Value = serde_json::from_str(&kept.stdout).unwrap_or_else(|_| panic!("{}", kept.said));
    let targets = report["repositories"][0]["targets"].as_array().unwrap();
    assert!(targets.len() == 2 && targets.iter().all(|target| target["vault"] == "kept"), "{report:#}");
    let second = run(here.path(), &["enforce", "-v"]).await;
    assert!(second.said.contains("parts=0 bytes=0"), "{}", second.said);
    for place in ["source", "vault"] {
        let drilled = run(here.path(), &["drill", "--from", place]).await;
        assert!(drilled.status == 0 && drilled.said.starts_with("2 of 2"), "{place}: {}", drilled.said);
    }
    let still = run(here.path(), &["restore", "shop:1.3.0", "--apply"]).await;
    assert!(still.status == 0 && still.said.contains("serves it already"), "{}", still.said);

    server.remove("/charts/shop-1.3.0.tgz");
    let bytes = archive("shop", "1.3.0", "1.3.0");
    let reference = format!("shop@{}", Digest::sha256(&bytes));
    let asked = run(here.path(), &["restore", &reference, "--apply"]).await;
    assert_eq!(asked.status, 1, "it is not there, and nothing was sent: {}", asked.said);
    assert!(asked.said.contains("prodpin uploads to no chart repository"), "{}", asked.said);
    assert!(asked.said.contains("shop-1.3.0.tgz") && asked.said.contains("helm push"), "{}", asked.said);
    let path =
        asked.said.lines().find(|line| line.contains("blobs/sha256/")).unwrap_or_else(|| panic!("{}", asked.said));
    assert_eq!(std::fs::read(here.path().join(path.trim())).unwrap(), bytes);
    let lost = run(here.path(), &["drill"]).await;
    assert_ne!(lost.status, 0, "{}", lost.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_not_what_its_index_says_is_found_and_not_kept_f104() {
    let server = stocked(&["1.2.3", "1.3.0"]).await;
    let here = here(&server);
    run(here.path(), &["audit", "--quiet"]).await;
    let mut rotten = archive("shop", "1.3.0", "1.3.0");
    let middle = rotten.len() / 2;
    rotten[middle] ^= 1;
    server.put("/charts/shop-1.3.0.tgz", "application/gzip", rotten.clone());
    let drilled = run(here.path(), &["drill"]).await;
    // The look that comes before is a gap as well: what is broken is found, and the drill is not called complete.
    assert_eq!(drilled.status, 1, "{}", drilled.said);
    assert!(drilled.said.contains("BROKEN") && drilled.said.contains("1 of 2"), "{}", drilled.said);
    assert!(!drilled.said.contains("registry's storage"), "{}", drilled.said);
    run(here.path(), &["enforce", "--quiet"]).await;
    let kept = here.path().join("vault/blobs/sha256");
    assert!(!kept.join(Digest::sha256(&rotten).hex()).exists());
    assert!(kept.join(Digest::sha256(&archive("shop", "1.2.3", "1.2.3")).hex()).exists());
    // As it should be again, it is kept.
    stock(&server, &["1.2.3", "1.3.0"]);
    assert_eq!(run(here.path(), &["drill"]).await.status, 0);
    run(here.path(), &["enforce", "--quiet"]).await;
    assert!(kept.join(Digest::sha256(&archive("shop", "1.3.0", "1.3.0")).hex()).exists());
}
