//! Where a ledger can be: nowhere, on a directory, and where it cannot.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use prodpin::ledger::{Access, Ledger, LedgerError};
use prodpin::policy::LedgerLocation;

use super::world::*;

fn directory(folder: &tempfile::TempDir, name: &str) -> (PathBuf, LedgerLocation) {
    let path = folder.path().join(name);
    (path.clone(), LedgerLocation::Directory(path))
}

fn store(path: &std::path::Path) -> Arc<dyn ObjectStore> {
    Arc::new(LocalFileSystem::new_with_prefix(path).unwrap())
}

#[tokio::test]
async fn a_directory_keeps_a_ledger_between_runs_with_hostile_names_i19() {
    let folder = tempfile::tempdir().unwrap();
    let (path, location) = directory(&folder, "a/new ledger");
    let hostile = [
        "x".repeat(1000),
        "A/b".to_owned(),
        "a/b".to_owned(),
        "a#1/..b/%2e%2e/C:\\x".to_owned(),
        "\u{1b}[31m\n\r\u{202e}/\u{0}".to_owned(),
    ];
    for run in 1..3 {
        let ledger = Ledger::open(&location, Access::Write).await.unwrap();
        for name in &hostile {
            let state = ledger.recall(&key(name)).await.unwrap();
            assert_eq!(state.tags.len() as u64, run - 1);
            let new = tag_seen(run, &key(name), &format!("\u{0}{run}\n"), name);
            ledger.commit(vec![new]).await.unwrap();
        }
        ledger.commit(vec![run_record(run)]).await.unwrap();
    }
    assert_eq!(audit(&store(&path)).await.len(), 2 * hostile.len() + 2);
    let reader = Ledger::open(&location, Access::Read).await.unwrap();
    let mut known = reader.repositories(&"shop".parse().unwrap());
    known.sort();
    let mut expected: Vec<_> = hostile.iter().map(|name| key(name).name).collect();
    expected.sort();
    assert_eq!(known, expected);
    // Every file is where the format says, and no temporary file is left.
    let mut folders: Vec<_> = std::fs::read_dir(&path).unwrap().map(|file| file.unwrap().file_name()).collect();
    folders.sort();
    assert_eq!(folders, ["batch", "checkpoint", "tile", "view"]);
    let leftover = |folder: &str| {
        std::fs::read_dir(path.join(folder))
            .unwrap()
            .any(|file| file.unwrap().file_name().to_string_lossy().contains('#'))
    };
    assert!(!["batch", "checkpoint", "view/repository"].into_iter().any(leftover));
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_directory_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (path, location) = directory(&folder, "ledger");
    Ledger::open(&location, Access::Write).await.unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn looking_at_a_ledger_that_is_not_there_creates_nothing_f63() {
    let folder = tempfile::tempdir().unwrap();
    let (path, location) = directory(&folder, "none");
    let ledger = Ledger::open(&location, Access::Read).await.unwrap();
    assert_eq!(ledger.head(), None);
    assert_eq!(ledger.runs(5).await.unwrap(), []);
    assert!(ledger.recall(&key("shop/api")).await.unwrap().is_empty());
    let error = ledger.commit(vec![run_record(1)]).await.unwrap_err();
    assert!(matches!(error, LedgerError::ReadOnly { .. }), "{error}");
    assert!(matches!(ledger.put_report(&b"x"[..]).await, Err(LedgerError::ReadOnly { .. })));
    assert!(!path.exists());
}

#[tokio::test]
async fn nowhere_is_a_ledger_that_is_forgotten() {
    let ledger = Ledger::open(&LedgerLocation::None, Access::Write).await.unwrap();
    ledger.commit(vec![tag_seen(1, &key("a"), "v1", "a")]).await.unwrap();
    assert_eq!(ledger.recall(&key("a")).await.unwrap().tags.len(), 1);
    let next = Ledger::open(&LedgerLocation::None, Access::Write).await.unwrap();
    assert!(next.recall(&key("a")).await.unwrap().is_empty());
}

#[tokio::test]
async fn places_that_cannot_hold_a_ledger_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = directory(&folder, "file");
    std::fs::write(&path, "x").unwrap();
    let below = LedgerLocation::Directory(path.join("below"));
    let azure = LedgerLocation::Store("az://user:secret@bucket/prefix?token=secret".parse().unwrap());
    for (location, expected) in [(file, "name a directory"), (below, "ledger "), (azure, "ledger ")] {
        let error = Ledger::open(&location, Access::Write).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

/// A process that died while it wrote leaves its temporary file; the next one is not disturbed by it.
#[tokio::test]
async fn leftovers_of_a_killed_writer_do_not_disturb_f62() {
    let folder = tempfile::tempdir().unwrap();
    let (path, location) = directory(&folder, "ledger");
    let ledger = Ledger::open(&location, Access::Write).await.unwrap();
    ledger.commit(vec![tag_seen(1, &key("a"), "v1", "a")]).await.unwrap();
    std::fs::write(path.join("checkpoint/00000000000000000002#1"), "half a chec").unwrap();
    std::fs::write(path.join("batch/0000#1"), "half").unwrap();
    std::fs::write(path.join("checkpoint/notes.txt"), "a stranger's file").unwrap();
    for run in 2..4 {
        let ledger = Ledger::open(&location, Access::Write).await.unwrap();
        ledger.commit(vec![tag_seen(run, &key("a"), &format!("v{run}"), "a")]).await.unwrap();
    }
    let reader = Ledger::open(&location, Access::Read).await.unwrap();
    assert_eq!(reader.head().unwrap().sequence, 3);
    let strays = reader.strays().unwrap();
    assert!(strays.contains("notes.txt") && !strays.contains('#'), "{strays}");
}
