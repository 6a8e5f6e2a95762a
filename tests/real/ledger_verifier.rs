//! An independent verifier, in another language: it accepts what prodpin makes and rejects whatever was tampered with.
//! `PRODPIN_TEST_PYTHON` is a Python with what it needs.

use std::path::Path;
use std::process::Command;

use prodpin::ledger::{Access, Claim, Ledger, Since, Verify};
use prodpin::policy::{KeyLocation, LedgerLocation, Safeguards};

use crate::support::left_out::left_out;
use crate::tampering::{ROWS, Signed, checkpoint, copy, tamper};
use crate::world::{key, tag_seen};

/// The row that changes a cache, which the verifier does not read.
const CACHE_ROW: usize = 13;

fn python() -> Option<String> {
    let python = std::env::var("PRODPIN_TEST_PYTHON").ok();
    if python.is_none() {
        assert!(std::env::var_os("PRODPIN_TEST_REQUIRED").is_none(), "PRODPIN_TEST_PYTHON is not set");
        left_out("the ledger's verifier in Python", "PRODPIN_TEST_PYTHON is not set; run tests/run.sh");
    }
    python
}

/// Whether the verifier accepts, and what it says.
fn verify(python: &str, arguments: &[&str]) -> (bool, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verifier/verify.py");
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    let reported = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let accepted = output.status.success();
    assert!(accepted || reported.starts_with("WRONG: "), "it must reject, not fail: {reported}");
    (accepted, reported)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn it_accepts_a_ledger_with_its_keys_and_rejects_every_tampering_i9_f57_f58_f60_f65() {
    let Some(python) = python() else { return };
    let signed = Signed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let earlier = folder.path().join("earlier");
    std::fs::copy(checkpoint(&signed.path(), 4), &earlier).unwrap();
    // Another key takes over, so that the verifier follows that as well.
    let old = KeyLocation::File(signed.folder.path().join("ledger.key"));
    let new = KeyLocation::File(folder.path().join("new.key"));
    let rotated = signed.folder.path().join("rotated");
    copy(&signed.path(), &rotated);
    let safeguards = Safeguards { key: new, previous_key: Some(old), ..Safeguards::none() };
    let ledger =
        Ledger::open_with(&LedgerLocation::Directory(rotated.clone()), &safeguards, Access::Write).await.unwrap();
    ledger.commit(vec![tag_seen(9, &key("shop/0"), "v9", "9")]).await.unwrap();
    for path in [&signed.path(), &rotated] {
        let (accepted, reported) = verify(&python, &[text(path), "--since", text(&earlier)]);
        assert!(accepted, "{reported}");
    }
    for row in (0..ROWS).filter(|row| *row != CACHE_ROW) {
        let path = folder.path().join(row.to_string());
        copy(&signed.path(), &path);
        let (what, ..) = tamper(row, &path).await;
        let (accepted, reported) = verify(&python, &[text(&path)]);
        assert!(!accepted, "{what}: {reported}");
    }
}

/// Files under the numbers that come next, by somebody without the key: both checks pass them over, before and after the next
/// commit takes the number behind them.
#[tokio::test]
async fn it_passes_over_what_a_stranger_put_among_the_checkpoints_f101() {
    let Some(python) = python() else { return };
    let signed = Signed::new().await;
    let (path, other) = (signed.path(), Signed::new().await);
    let safeguards = Safeguards::default();
    for run in 7..9 {
        let ledger = Ledger::open_with(&other.location(), &safeguards, Access::Write).await.unwrap();
        ledger.commit(vec![tag_seen(run, &key("shop/0"), "v9", &run.to_string())]).await.unwrap();
    }
    let copies = [checkpoint(&path, 6), checkpoint(&other.path(), 8), checkpoint(&path, 1)];
    for (number, copied) in (7..10).zip(copies) {
        std::fs::copy(copied, checkpoint(&path, number)).unwrap();
    }
    std::fs::write(checkpoint(&path, 10), "some\nother\nprogram's\nfile\n").unwrap();
    std::fs::create_dir(checkpoint(&path, 11)).unwrap();
    std::fs::copy(checkpoint(&path, 2), checkpoint(&path, u64::MAX)).unwrap();
    for commits in [6, 7] {
        let (accepted, reported) = verify(&python, &[text(&path)]);
        assert!(accepted && reported.matches("is no commit of this ledger").count() == 6, "{reported}");
        let found = Ledger::verify(&signed.location(), &Verify::default()).await.unwrap();
        assert!(found.holds() && found.commits == commits, "{found:#?}");
        let ledger = Ledger::open_with(&signed.location(), &safeguards, Access::Write).await.unwrap();
        let head = ledger.commit(vec![tag_seen(commits, &key("shop/0"), "v9", &commits.to_string())]).await.unwrap();
        assert_eq!(head.sequence, commits + 6);
    }
}

#[tokio::test]
async fn it_accepts_proofs_and_rejects_them_when_anything_in_them_is_changed_i9() {
    let Some(python) = python() else { return };
    let signed = Signed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let reader = Ledger::open(&signed.location(), Access::Read).await.unwrap();
    let trusted = reader.checkpoint(1).await.unwrap().unwrap().key.unwrap().to_string();
    let file = folder.path().join("proof.json");
    let mut asked = 0;
    let mut ask = |flag: &str, proof: &serde_json::Value, key: bool| {
        std::fs::write(&file, proof.to_string()).unwrap();
        asked += 1;
        let mut arguments = vec![flag, text(&file)];
        if key {
            arguments.extend(["--key", &trusted]);
        }
        verify(&python, &arguments)
    };
    for index in [0, 255, 256, 605] {
        let proof = serde_json::to_value(reader.prove_entry(index).await.unwrap().unwrap()).unwrap();
        let (accepted, reported) = ask("--proof", &proof, true);
        assert!(accepted, "{reported}");
        for (field, other) in [
            ("index", serde_json::json!(index ^ 1)),
            ("entry", serde_json::json!("{}")),
            ("tree_size", serde_json::json!(605)),
            ("hashes", serde_json::json!([])),
            ("root", proof["leaf_hash"].clone()),
            ("checkpoint", serde_json::json!(proof["checkpoint"].as_str().unwrap().replace("\n606\n", "\n607\n"))),
        ] {
            let mut changed = proof.clone();
            changed[field] = other;
            assert!(!ask("--proof", &changed, true).0, "another {field}");
        }
    }
    for sequence in 1..7 {
        let note = reader.checkpoint(sequence).await.unwrap().unwrap().note;
        let since = reader.since(&Claim::parse(&note).unwrap()).await.unwrap();
        assert!(matches!(since, Since::Grown { .. }));
        let proof = serde_json::to_value(since).unwrap();
        let (accepted, reported) = ask("--consistency", &proof, false);
        assert!(accepted, "{reported}");
        let mut changed = proof.clone();
        changed["from_root"] = proof["to_root"].clone();
        assert!(sequence == 6 || !ask("--consistency", &changed, false).0);
    }
    assert!(asked > 30);
}

/// What a log cannot show by itself: it was cut off, or signed anew, by someone who has its key (F59, F60, I11, I12).
#[tokio::test]
async fn it_tells_a_rewritten_log_by_what_an_auditor_or_an_anchor_kept_f56_f59_f60() {
    let Some(python) = python() else { return };
    let signed = Signed::new().await;
    let folder = tempfile::tempdir().unwrap();
    let [anchor, backup, forged] = ["anchor", "backup", "forged"].map(|name| folder.path().join(name));
    copy(&signed.path(), &backup);
    let safeguards = Safeguards { anchor: Some(LedgerLocation::Directory(anchor.clone())), ..Safeguards::default() };
    for run in 7..10 {
        let ledger = Ledger::open_with(&signed.location(), &safeguards, Access::Write).await.unwrap();
        ledger.commit(vec![tag_seen(run, &key("shop/0"), &format!("v{run}"), "9")]).await.unwrap();
    }
    let head = Ledger::open(&signed.location(), Access::Read).await.unwrap().head().unwrap();
    let kept = format!("{}:{}", head.sequence, head.root_base64());
    for arguments in [["--anchor", text(&anchor)], ["--since", &kept], ["--since", text(&checkpoint(&anchor, 8))]] {
        let (accepted, reported) = verify(&python, &[&[text(&signed.path())], &arguments[..]].concat());
        assert!(accepted, "{reported}");
    }
    // A write that never finished counts for nothing (F56).
    let torn = folder.path().join("torn");
    copy(&signed.path(), &torn);
    std::fs::write(checkpoint(&torn, 10), "prodpin/00\n12").unwrap();
    let (accepted, reported) = verify(&python, &[text(&torn), "--anchor", text(&anchor)]);
    assert!(accepted, "{reported}");

    // Signed with the true key, which was stolen: by itself each of these holds.
    copy(&backup, &forged);
    std::fs::copy(signed.folder.path().join("ledger.key"), folder.path().join("forged.key")).unwrap();
    for run in 7..12 {
        let (accepted, reported) = verify(&python, &[text(&forged)]);
        assert!(accepted, "run {run}: {reported}");
        for arguments in [["--anchor", text(&anchor)], ["--since", &kept], ["--since", text(&checkpoint(&anchor, 8))]] {
            let (accepted, reported) = verify(&python, &[&[text(&forged)], &arguments[..]].concat());
            assert!(!accepted, "run {run} {arguments:?}: {reported}");
        }
        let location = LedgerLocation::Directory(forged.clone());
        let forger = Ledger::open_with(&location, &Safeguards::default(), Access::Write).await.unwrap();
        forger.commit(vec![tag_seen(100 + run, &key("shop/0"), &format!("v{run}"), "forged")]).await.unwrap();
    }
    // A stranger's key is trusted by nobody, and a tile that was cut is no tile.
    let stranger = "prodpin/other+00000000+AQ==";
    assert!(!verify(&python, &[text(&signed.path()), "--key", stranger]).0);
    let tile = signed.path().join("tile/0/000");
    let bytes = std::fs::read(&tile).unwrap();
    std::fs::write(&tile, &bytes[..bytes.len() - 32]).unwrap();
    let (accepted, reported) = verify(&python, &[text(&signed.path())]);
    assert!(!accepted && reported.contains("tile/0/000"), "{reported}");
}
