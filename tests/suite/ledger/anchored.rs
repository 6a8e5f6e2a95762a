//! The anchor: a second place that remembers every checkpoint (I11, I12, F59, F60).

use std::path::Path;

use prodpin::ledger::{Access, Anchored, Ledger, LedgerError, Verification, Verify};
use prodpin::policy::{LedgerLocation, Safeguards};

use super::tampering::copy;
use super::world::*;

fn at(path: &Path) -> LedgerLocation {
    LedgerLocation::Directory(path.to_owned())
}

fn anchored(anchor: &Path) -> Safeguards {
    Safeguards { anchor: Some(at(anchor)), ..alone() }
}

/// Nothing else remembers: neither a file beside the ledger nor this process.
fn alone() -> Safeguards {
    Safeguards { forgets: true, ..Safeguards::default() }
}

async fn open(ledger: &Path, anchor: &Path) -> Result<Ledger, LedgerError> {
    Ledger::open_with(&at(ledger), &anchored(anchor), Access::Write).await
}

async fn grow(ledger: &Ledger, run: u64) {
    ledger.commit(vec![tag_seen(run, &key("shop/api"), &format!("v{run}"), "a")]).await.unwrap();
}

fn copies(anchor: &Path) -> usize {
    std::fs::read_dir(anchor.join("checkpoint")).unwrap().count()
}

#[tokio::test]
async fn every_checkpoint_is_copied_and_what_was_missed_is_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, anchor) = (folder.path().join("ledger"), folder.path().join("anchor"));
    for run in 1..4 {
        grow(&open(&ledger, &anchor).await.unwrap(), run).await;
    }
    assert_eq!(copies(&anchor), 3);
    for run in 4..7 {
        let without = Ledger::open_with(&at(&ledger), &alone(), Access::Write).await.unwrap();
        grow(&without, run).await;
    }
    let opened = open(&ledger, &anchor).await.unwrap();
    assert_eq!((copies(&anchor), opened.anchor_trouble()), (6, None));
    for sequence in 1..7 {
        let name = format!("checkpoint/{sequence:020}");
        assert_eq!(std::fs::read(ledger.join(&name)).unwrap(), std::fs::read(anchor.join(&name)).unwrap());
    }
    // Two at once, both anchored.
    let other = open(&ledger, &anchor).await.unwrap();
    for run in 7..11 {
        grow(if run % 2 == 0 { &opened } else { &other }, run).await;
    }
    assert_eq!(copies(&anchor), 10);
}

#[tokio::test]
async fn an_old_copy_a_fork_and_a_stolen_key_are_refused_i11_i12_f59_f60() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, anchor) = (folder.path().join("ledger"), folder.path().join("anchor"));
    let backup = folder.path().join("backup");
    for run in 1..6 {
        grow(&open(&ledger, &anchor).await.unwrap(), run).await;
        if run == 3 {
            copy(&ledger, &backup);
        }
    }
    // Restored whole, caches and all: nothing in the ledger itself tells.
    std::fs::remove_dir_all(&ledger).unwrap();
    copy(&backup, &ledger);
    let error = open(&ledger, &anchor).await.unwrap_err();
    assert!(matches!(error, LedgerError::RolledBack { .. }), "{error}");
    assert!(error.to_string().contains("commit 5"), "{error}");

    // Truncated and signed anew with the stolen key: shorter than, as long as, and longer than what was seen.
    for run in 4..9 {
        let forger = Ledger::open_with(&at(&ledger), &alone(), Access::Write).await.unwrap();
        grow(&forger, 100 + run).await;
        let error = open(&ledger, &anchor).await.unwrap_err();
        match run {
            4 => assert!(matches!(error, LedgerError::RolledBack { .. }), "{error}"),
            _ => assert!(matches!(error, LedgerError::Forked { .. }), "{error}"),
        }
        assert_eq!(copies(&anchor), 5, "nothing is added to what was seen");
    }
    let error = open(&ledger, &anchor).await.unwrap_err().to_string();
    assert!(error.starts_with("ledger-forked: "), "{error}");

    // All of it gone, and a new one begun in its place.
    std::fs::remove_dir_all(&ledger).unwrap();
    assert!(matches!(open(&ledger, &anchor).await, Err(LedgerError::RolledBack { .. })));
}

/// While it is open, somebody else anchors another history under the next number.
#[tokio::test]
async fn a_fork_stops_the_writer_that_meets_it_i11() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, anchor) = (folder.path().join("ledger"), folder.path().join("anchor"));
    let writer = open(&ledger, &anchor).await.unwrap();
    grow(&writer, 1).await;
    let second = folder.path().join("second");
    copy(&ledger, &second);
    std::fs::copy(folder.path().join("ledger.key"), folder.path().join("second.key")).unwrap();
    grow(&open(&second, &anchor).await.unwrap(), 2).await;
    let error = writer.commit(vec![tag_seen(3, &key("shop/api"), "v3", "a")]).await.unwrap_err();
    assert!(matches!(error, LedgerError::Forked { .. }), "{error}");
    let error = writer.commit(vec![tag_seen(4, &key("shop/api"), "v4", "a")]).await.unwrap_err();
    assert!(matches!(error, LedgerError::Forked { .. }), "it stays stopped: {error}");
}

#[tokio::test]
async fn an_anchor_out_of_reach_is_told_and_pinning_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, anchor) = (folder.path().join("ledger"), folder.path().join("anchor"));
    std::fs::write(&anchor, "a file where a directory should be").unwrap();
    let opened = open(&ledger, &anchor).await.unwrap();
    grow(&opened, 1).await;
    let trouble = opened.anchor_trouble().unwrap();
    assert!(trouble.contains("anchor") && trouble.contains("name a directory"), "{trouble}");
    std::fs::remove_file(&anchor).unwrap();
    let opened = open(&ledger, &anchor).await.unwrap();
    assert_eq!((opened.anchor_trouble(), copies(&anchor)), (None, 1));
}

#[tokio::test]
async fn the_anchor_of_another_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two, anchor] = ["one", "two", "anchor"].map(|name| folder.path().join(name));
    grow(&open(&one, &anchor).await.unwrap(), 1).await;
    grow(&Ledger::open_with(&at(&two), &alone(), Access::Write).await.unwrap(), 1).await;
    let error = open(&two, &anchor).await.unwrap_err();
    assert!(error.to_string().contains("another log"), "{error}");
}

async fn verified(ledger: &Path, anchor: &Path) -> Verification {
    let how = Verify { anchor: Some(at(anchor)), ..Verify::default() };
    Ledger::verify(&at(ledger), &how).await.unwrap()
}

#[tokio::test]
async fn verify_finds_what_only_the_anchor_remembers_i11_i12_f59_f60() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, anchor) = (folder.path().join("ledger"), folder.path().join("anchor"));
    let backup = folder.path().join("backup");
    for run in 1..6 {
        grow(&open(&ledger, &anchor).await.unwrap(), run).await;
        if run == 3 {
            copy(&ledger, &backup);
        }
    }
    let found = verified(&ledger, &anchor).await;
    assert!(found.holds() && found.is_complete() && found.notes.is_empty(), "{:?} {:?}", found.damage, found.notes);
    assert!(matches!(found.anchor, Some(Anchored::Compared { copies: 5, last: 5, .. })), "{:?}", found.anchor);

    // A witness signs here, and is not known there: signatures may be added.
    let note = std::fs::read(super::tampering::checkpoint(&ledger, 4)).unwrap();
    let line = format!("— witness.example {}\n", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, [7; 68]));
    std::fs::write(super::tampering::checkpoint(&ledger, 4), [note, line.into_bytes()].concat()).unwrap();
    let found = verified(&ledger, &anchor).await;
    assert!(found.holds(), "{:?}", found.damage);

    // An old copy, whole: nothing in it tells.
    std::fs::remove_dir_all(&ledger).unwrap();
    copy(&backup, &ledger);
    assert!(Ledger::verify(&at(&ledger), &Verify::default()).await.unwrap().holds());
    let found = verified(&ledger, &anchor).await;
    assert_eq!(found.damage.len(), 1, "{:?}", found.damage);
    assert!(found.damage[0].what.contains("ends at commit 3") && found.damage[0].what.contains("commits 4 to 5"));

    // Cut off there, and signed anew with the stolen key: as long as, and longer than what was seen.
    for run in 4..8 {
        let forger = Ledger::open_with(&at(&ledger), &alone(), Access::Write).await.unwrap();
        grow(&forger, 100 + run).await;
        assert!(Ledger::verify(&at(&ledger), &Verify::default()).await.unwrap().holds(), "by itself it holds");
        let found = verified(&ledger, &anchor).await;
        assert_eq!(found.damage.len(), 1, "{:?}", found.damage);
        assert_eq!(found.damage[0].object, format!("checkpoint/{:020}", 4));
        assert!(found.damage[0].what.starts_with("ledger-forked: "), "{:?}", found.damage);
    }

    // All of it replaced by another log.
    std::fs::remove_dir_all(&ledger).unwrap();
    grow(&Ledger::open_with(&at(&ledger), &alone(), Access::Write).await.unwrap(), 1).await;
    let found = verified(&ledger, &anchor).await;
    assert!(found.damage[0].what.contains("the anchor of another log"), "{:?}", found.damage);
    // All of it gone.
    std::fs::remove_dir_all(&ledger).unwrap();
    let found = verified(&ledger, &anchor).await;
    assert!(found.damage[0].what.contains("ends at commit 0"), "{:?}", found.damage);
    assert_eq!(copies(&anchor), 5, "looking writes nothing");
}

#[tokio::test]
async fn verify_does_not_take_an_anchor_that_says_nothing_for_one_that_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, anchor) = (folder.path().join("ledger"), folder.path().join("anchor"));
    for run in 1..4 {
        grow(&open(&ledger, &anchor).await.unwrap(), run).await;
    }
    // One more without it: worth a word, and no damage.
    grow(&Ledger::open_with(&at(&ledger), &alone(), Access::Write).await.unwrap(), 4).await;
    let found = verified(&ledger, &anchor).await;
    assert!(found.holds() && found.is_complete());
    assert!(found.notes.iter().any(|note| note.contains("the last 1 of the commits")), "{:?}", found.notes);
    // A copy that was never finished says nothing; one that was damaged does.
    std::fs::write(super::tampering::checkpoint(&anchor, 4), "prodpin/").unwrap();
    assert!(verified(&ledger, &anchor).await.holds());
    let note = std::fs::read_to_string(super::tampering::checkpoint(&ledger, 4)).unwrap();
    std::fs::write(super::tampering::checkpoint(&anchor, 4), note.replacen("\nbatch ", "\nbotch ", 1)).unwrap();
    assert!(verified(&ledger, &anchor).await.damage[0].what.contains("no checkpoint"));

    for (emptied, expected) in [(true, "empty"), (false, "unread")] {
        std::fs::remove_dir_all(&anchor).unwrap();
        if emptied {
            std::fs::create_dir(&anchor).unwrap();
        } else {
            std::fs::write(&anchor, "a file where a directory should be").unwrap();
        }
        let found = verified(&ledger, &anchor).await;
        assert!(found.holds() && !found.is_complete());
        assert_eq!(serde_json::to_value(&found).unwrap()["anchor"]["state"], expected);
    }
}
