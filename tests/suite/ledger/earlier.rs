//! Ledgers that the release before has written, signed and unsigned: read, continued, and closed to that program from then
//! on (F64, F111). Four runs in which a release was pushed again with other bytes and another one removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use prodpin::ledger::{Access, Ledger, LedgerError, Verify};
use prodpin::model::{Event, TagStatus};
use prodpin::policy::{KeyLocation, LedgerLocation, Safeguards};

use super::tampering::copy;
use super::world::*;

struct Earlier {
    folder: tempfile::TempDir,
    signed: bool,
}

impl Earlier {
    fn new(signed: bool) -> Self {
        let earlier = Self { folder: tempfile::tempdir().unwrap(), signed };
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/ledger/earlier");
        copy(&kept.join(if signed { "signed" } else { "unsigned" }), &earlier.path());
        let key = earlier.folder.path().join("key");
        std::fs::copy(kept.join("signed.key"), &key).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        earlier
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    fn location(&self) -> LedgerLocation {
        LedgerLocation::Directory(self.path())
    }

    async fn open(&self, access: Access) -> Result<Ledger, LedgerError> {
        let key = KeyLocation::File(self.folder.path().join("key"));
        let safeguards = if self.signed { Safeguards { key, ..Safeguards::default() } } else { Safeguards::none() };
        Ledger::open_with(&self.location(), &safeguards, access).await
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(LocalFileSystem::new_with_prefix(self.path()).unwrap())
    }
}

/// What the four runs recorded.
async fn knows_what_was_recorded(ledger: &Ledger, how: &str) {
    let api = ledger.recall(&key("shop/api")).await.unwrap();
    assert_eq!(api.tags.len(), 5, "{how}");
    assert_eq!(api.tags[&tag("v1.1.0")].sightings().len(), 2, "{how}: it was pushed again");
    let web = ledger.recall(&key("shop/web")).await.unwrap();
    assert!(matches!(web.tags[&tag("v1")].status(), TagStatus::Deleted(_)), "{how}: gone in two runs");
    let history = ledger.history(&key("shop/api"), Some(&tag("v1.1.0"))).await.unwrap();
    assert!(history.iter().any(|(_, entry)| matches!(entry.event, Event::TagMoved { .. })), "{how}");
    let runs = ledger.runs(10).await.unwrap();
    let old = runs.last().unwrap().0.id.clone();
    assert_eq!(ledger.find_run(&old).await.unwrap().unwrap().0.id, old, "{how}");
    for (run, _) in runs.iter().rev().take(4) {
        ledger.report(&run.report).await.unwrap();
    }
}

#[tokio::test]
async fn a_ledger_of_the_release_before_is_read_and_continued_f64() {
    for signed in [true, false] {
        let earlier = Earlier::new(signed);
        let reader = earlier.open(Access::Read).await.unwrap();
        knows_what_was_recorded(&reader, "reading").await;
        assert_eq!(reader.distrusted().in_words(), None, "it is only old");
        let before = reader.head().unwrap();
        for run in 100..103 {
            let ledger = earlier.open(Access::Write).await.unwrap();
            knows_what_was_recorded(&ledger, "writing").await;
            assert_eq!(ledger.distrusted().in_words(), None);
            let state = ledger.recall(&key("shop/web")).await.unwrap();
            let seen = observe(run, &key("shop/web"), &state, &[("v2", "w2"), ("v3", &run.to_string())]);
            ledger.commit(seen).await.unwrap();
            ledger.put_report(&b"report"[..]).await.unwrap();
            ledger.commit(vec![source_record(run), run_record(run)]).await.unwrap();
        }
        audit(&earlier.store()).await;
        let ledger = earlier.open(Access::Read).await.unwrap();
        knows_what_was_recorded(&ledger, "afterwards").await;
        assert_eq!(ledger.runs(10).await.unwrap().len(), 7);
        let claim = prodpin::ledger::Claim::Position { sequence: before.sequence, root: before.root };
        let since = ledger.since(&claim).await.unwrap();
        assert!(matches!(since, prodpin::ledger::Since::Grown { .. }), "{since:?}");
        let found = Ledger::verify(&earlier.location(), &Verify::default()).await.unwrap();
        assert!(found.holds(), "{found:#?}");
        // Its caches are gone, so that a repository whose commits have no links is read from the beginning.
        std::fs::remove_dir_all(earlier.path().join("view/repository")).unwrap();
        knows_what_was_recorded(&earlier.open(Access::Read).await.unwrap(), "without views").await;
        std::fs::remove_dir_all(earlier.path().join("view")).unwrap();
        knows_what_was_recorded(&earlier.open(Access::Write).await.unwrap(), "without caches").await;
    }
}

/// Nothing signs what the release before kept as derived: it is made anew, whatever it says.
#[tokio::test]
async fn the_release_befores_caches_are_not_believed_i23_f97() {
    for signed in [true, false] {
        let earlier = Earlier::new(signed);
        for file in std::fs::read_dir(earlier.path().join("view/repository")).unwrap() {
            let file = file.unwrap().path();
            let text = String::from_utf8(zstd::decode_all(&std::fs::read(&file).unwrap()[..]).unwrap()).unwrap();
            let forged = text.replace("v1", "w1");
            std::fs::write(&file, zstd::encode_all(forged.as_bytes(), 1).unwrap()).unwrap();
        }
        knows_what_was_recorded(&earlier.open(Access::Read).await.unwrap(), "reading").await;
        knows_what_was_recorded(&earlier.open(Access::Write).await.unwrap(), "writing").await;
        knows_what_was_recorded(&earlier.open(Access::Write).await.unwrap(), "again").await;
    }
}
