//! Files under the numbers that come next, by somebody who can create files and has no key: they are named and passed over,
//! and every writer, reader and check agrees which (F101, I9). A commit that was changed later is no such file (F57, I12).

use std::path::{Path, PathBuf};

use prodpin::ledger::{Access, Ledger, LedgerError, Verification, Verify};
use prodpin::policy::{KeyLocation, LedgerLocation, Safeguards};

use super::tampering::{Signed, checkpoint, copy};
use super::world::*;

/// A ledger in a directory, and how it is opened.
struct LedgerDirectory {
    folder: tempfile::TempDir,
    key: KeyLocation,
}

impl LedgerDirectory {
    /// Four commits, in two runs.
    async fn new(key: KeyLocation) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), key };
        for run in 1..3 {
            let ledger = place.open(Access::Write).await.unwrap();
            ledger.commit(vec![tag_seen(run, &key_of(), &format!("v{run}"), &run.to_string())]).await.unwrap();
            let report = ledger.put_report(format!("report of run {run}\n").as_bytes()).await.unwrap();
            let mut record = run_record(run);
            if let prodpin::model::Event::Run(run) = &mut record.event {
                run.report = report;
            }
            ledger.commit(vec![record]).await.unwrap();
        }
        place
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    async fn open(&self, access: Access) -> Result<Ledger, LedgerError> {
        let safeguards = Safeguards { key: self.key.clone(), ..Safeguards::default() };
        Ledger::open_with(&LedgerLocation::Directory(self.path()), &safeguards, access).await
    }

    async fn verified(&self) -> Verification {
        let how =
            Verify { safeguards: Safeguards { key: self.key.clone(), ..Safeguards::default() }, ..Verify::default() };
        Ledger::verify(&LedgerLocation::Directory(self.path()), &how).await.unwrap()
    }

    /// What the next commit would be, made in a copy: its checkpoint, and its batch in place.
    async fn next_commit(&self) -> String {
        let folder = tempfile::tempdir().unwrap();
        copy(self.folder.path(), folder.path());
        let safeguards = Safeguards { key: self.key.clone(), ..Safeguards::default() };
        let location = LedgerLocation::Directory(folder.path().join("ledger"));
        let ledger = Ledger::open_with(&location, &safeguards, Access::Write).await.unwrap();
        ledger.commit(vec![tag_seen(9, &key_of(), "v9", "a stranger's")]).await.unwrap();
        let text = std::fs::read_to_string(checkpoint(&folder.path().join("ledger"), 5)).unwrap();
        copy(&folder.path().join("ledger/batch"), &self.path().join("batch"));
        text
    }
}

fn key_of() -> prodpin::model::RepositoryKey {
    key("shop/api")
}

/// Puts a stranger's file under this number.
async fn put(place: &LedgerDirectory, number: u64, kind: &str) {
    let target = checkpoint(&place.path(), number);
    let own = |sequence| std::fs::read(checkpoint(&place.path(), sequence)).unwrap();
    let bytes: Vec<u8> = match kind {
        "garbage" => b"some\nother\nprogram's\nfile\n".to_vec(),
        "bytes that are no text" => vec![0xff; 300],
        "more than any checkpoint has" => vec![b'a'; 80 << 10],
        "a copy of the last" => own(4),
        "a copy of the first" => own(1),
        "a copy with its number changed" => {
            let text = String::from_utf8(own(4)).unwrap();
            text.replace("\ncommit 4\n", &format!("\ncommit {number}\n")).into_bytes()
        }
        "a folder" => {
            std::fs::create_dir(&target).unwrap();
            return;
        }
        "a newer program's" => {
            b"prodpin/00\n9\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nschema 9\nprevious 00\nsums 7\n".to_vec()
        }
        "another log's" => {
            let other = Box::pin(LedgerDirectory::new(KeyLocation::Usual)).await;
            let ledger = other.open(Access::Write).await.unwrap();
            ledger.commit(vec![tag_seen(3, &key_of(), "v3", "3")]).await.unwrap();
            std::fs::read(checkpoint(&other.path(), number)).unwrap()
        }
        "one that follows and is not signed" => {
            let text = place.next_commit().await;
            let (body, _) = text.split_once("\n\n").unwrap();
            body.lines()
                .filter(|line| !line.starts_with("key "))
                .map(|line| format!("{line}\n"))
                .collect::<String>()
                .into()
        }
        "one that follows and another key signs" => {
            let other = KeyLocation::File(place.folder.path().join("stranger.key"));
            prodpin::ledger::make_key(&place.folder.path().join("stranger.key")).unwrap();
            signed_by(place, &other, number).await
        }
        "one that does not follow" => {
            let text = place.next_commit().await;
            let previous = text.lines().find(|line| line.starts_with("previous ")).unwrap();
            text.replace(previous, &format!("previous {}", "ab".repeat(32))).into()
        }
        _ => panic!("{kind}"),
    };
    std::fs::write(target, bytes).unwrap();
}

/// The next commit of the ledger as somebody makes it who says that its key is lost, without saying so.
async fn signed_by(place: &LedgerDirectory, other: &KeyLocation, number: u64) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    copy(&place.path(), &folder.path().join("ledger"));
    let verifier = place.verified().await.keys[0].key.to_string();
    let safeguards = Safeguards { key: other.clone(), lost_key: Some(verifier), ..Safeguards::default() };
    let location = LedgerLocation::Directory(folder.path().join("ledger"));
    let ledger = Ledger::open_with(&location, &safeguards, Access::Write).await.unwrap();
    ledger.commit(vec![tag_seen(9, &key_of(), "v9", "a stranger's")]).await.unwrap();
    let text = std::fs::read_to_string(checkpoint(&folder.path().join("ledger"), number)).unwrap();
    copy(&folder.path().join("ledger/batch"), &place.path().join("batch"));
    text.lines().filter(|line| !line.starts_with("lost ")).map(|line| format!("{line}\n")).collect::<String>().into()
}

const ANY: [&str; 8] = [
    "garbage",
    "bytes that are no text",
    "more than any checkpoint has",
    "a copy of the last",
    "a copy of the first",
    "a copy with its number changed",
    "a folder",
    "another log's",
];

const SIGNED: [&str; 3] =
    ["one that follows and is not signed", "one that follows and another key signs", "a newer program's"];

const UNSIGNED: [&str; 2] = ["one that does not follow", "a newer program's"];

fn rows() -> Vec<(KeyLocation, &'static str)> {
    let signed = ANY.iter().chain(&SIGNED).map(|kind| (KeyLocation::Usual, *kind));
    signed.chain(ANY.iter().chain(&UNSIGNED).map(|kind| (KeyLocation::None, *kind))).collect()
}

fn remove(path: &Path) {
    if path.is_dir() {
        std::fs::remove_dir(path).unwrap();
    } else {
        std::fs::remove_file(path).unwrap();
    }
}

#[tokio::test]
async fn what_a_stranger_puts_in_the_way_of_the_next_commit_blocks_nothing_f101_i9_i14() {
    for (key, kind) in rows() {
        let place = LedgerDirectory::new(key.clone()).await;
        let how = format!("{kind}, {key:?}");
        // One has the ledger open, and one opens it after.
        let early = place.open(Access::Write).await.unwrap();
        put(&place, 5, kind).await;
        let late = place.open(Access::Write).await.unwrap_or_else(|error| panic!("{how}: {error}"));
        assert_eq!(late.head().unwrap().sequence, 4, "{how}");
        assert!(late.strays().unwrap().contains("00000000000000000005"), "{how}: {:?}", late.strays());
        let found = place.verified().await;
        assert!(
            found.holds() && found.notes.iter().any(|note| note.contains("00000000000000000005")),
            "{how}: {found:#?}"
        );

        let head = early.commit(vec![tag_seen(3, &key_of(), "v3", "3")]).await.unwrap();
        assert_eq!(head.sequence, 6, "{how}: the number is not used");
        let head = late.commit(vec![tag_seen(4, &key_of(), "v4", "4")]).await.unwrap();
        assert_eq!((head.sequence, head.size), (7, 6), "{how}: both are there");

        for views in [true, false] {
            if !views {
                std::fs::remove_dir_all(place.path().join("view")).unwrap();
            }
            let reader = place.open(Access::Read).await.unwrap();
            assert_eq!(reader.head(), Some(head), "{how}");
            assert_eq!(reader.recall(&key_of()).await.unwrap().tags.len(), 4, "{how}");
            assert_eq!(reader.history(&key_of(), None).await.unwrap().len(), 4, "{how}");
            assert_eq!(reader.runs(10).await.unwrap().len(), 2, "{how}");
            assert!(reader.find_run(&run_id(1)).await.unwrap().is_some(), "{how}");
            let mut entries = 0;
            let count = |_, _, _: &_| -> Result<(), ()> {
                entries += 1;
                Ok(())
            };
            let read = reader.each_entry(count).await.unwrap();
            assert_eq!((read, entries), (Ok(()), 6), "{how}");
            for entry in 0..6 {
                assert!(reader.prove_entry(entry).await.unwrap().is_some(), "{how}: entry {entry}");
            }
            let found = place.verified().await;
            assert!(found.holds() && found.commits == 6, "{how}: {found:#?}");
        }

        // Whoever put it there takes it away again: there never was a commit of that number.
        remove(&checkpoint(&place.path(), 5));
        let _ = std::fs::remove_dir_all(place.path().join("view"));
        let writer = place.open(Access::Write).await.unwrap_or_else(|error| panic!("{how}, removed: {error}"));
        assert_eq!(writer.head(), Some(head), "{how}");
        assert_eq!(writer.commit(vec![tag_seen(5, &key_of(), "v5", "5")]).await.unwrap().sequence, 8, "{how}");
        let found = place.verified().await;
        assert!(found.holds() && found.commits == 7, "{how}: {found:#?}");
    }
}

#[tokio::test]
async fn many_strangers_files_in_a_row_are_passed_over_f101() {
    let place = LedgerDirectory::new(KeyLocation::Usual).await;
    for number in 5..300 {
        put(&place, number, ANY[number as usize % 6]).await;
    }
    let ledger = place.open(Access::Write).await.unwrap();
    assert_eq!(ledger.commit(vec![tag_seen(3, &key_of(), "v3", "3")]).await.unwrap().sequence, 300);
    assert!(ledger.strays().unwrap().contains("more"), "{:?}", ledger.strays());
    assert!(place.verified().await.holds());
}

/// The last commit, changed since: it is missed by whatever remembers it, and its file is named.
#[tokio::test]
async fn a_last_commit_that_was_changed_is_no_strangers_file_f57_i12_i24() {
    for kind in ["garbage", "a copy of the first", "another log's"] {
        let place = LedgerDirectory::new(KeyLocation::Usual).await;
        let ledger = place.open(Access::Write).await.unwrap();
        ledger.commit(vec![tag_seen(3, &key_of(), "v3", "3"), run_record(3)]).await.unwrap();
        drop(ledger);
        std::fs::remove_file(checkpoint(&place.path(), 5)).unwrap();
        put(&place, 5, kind).await;
        let found = place.verified().await;
        assert!(!found.holds(), "{kind}: {found:#?}");
        let error = place.open(Access::Write).await.unwrap_err().to_string();
        assert!(error.contains("checkpoint/00000000000000000005"), "{kind}: {error}");
        // The same where only the file beside the key remembers it.
        std::fs::remove_dir_all(place.path().join("view")).unwrap();
        let error = place.open(Access::Write).await.unwrap_err();
        assert!(matches!(error, LedgerError::HistoryMissing { .. }), "{kind}: {error}");
        assert!(error.to_string().contains("checkpoint/00000000000000000005"), "{kind}: {error}");
    }
}

/// A checkpoint of his own, which goes on where the log ends, and an index that begins there: believed by nobody.
#[tokio::test]
async fn an_index_that_a_strangers_checkpoint_states_is_not_believed_i23_f97() {
    let place = LedgerDirectory::new(KeyLocation::Usual).await;
    let forger = tempfile::tempdir().unwrap();
    copy(&place.path(), &forger.path().join("ledger"));
    for sequence in 1..5 {
        std::fs::remove_file(checkpoint(&forger.path().join("ledger"), sequence)).unwrap();
    }
    std::fs::remove_dir_all(forger.path().join("ledger/view")).unwrap();
    let location = LedgerLocation::Directory(forger.path().join("ledger"));
    let stranger = Ledger::open_with(&location, &Safeguards::default(), Access::Write).await.unwrap();
    for run in 1..6 {
        stranger.commit(vec![tag_seen(run, &key_of(), &format!("w{run}"), "forged"), run_record(run)]).await.unwrap();
    }
    for name in ["checkpoint/00000000000000000005", "view/index"] {
        std::fs::copy(forger.path().join("ledger").join(name), place.path().join(name)).unwrap();
    }
    copy(&forger.path().join("ledger/batch"), &place.path().join("batch"));
    // With what remembers the log outside, and without.
    for remembers in [true, false] {
        if !remembers {
            std::fs::remove_file(place.folder.path().join("ledger.head")).unwrap();
        }
        let reader = place.open(Access::Read).await.unwrap();
        assert_eq!(reader.head().unwrap().sequence, 4);
        assert_eq!(reader.recall(&key_of()).await.unwrap().tags.len(), 2);
    }
    let writer = place.open(Access::Write).await.unwrap();
    assert_eq!(writer.commit(vec![tag_seen(3, &key_of(), "v3", "3")]).await.unwrap().sequence, 6);
    assert!(place.verified().await.holds());
}

#[tokio::test]
async fn the_whole_log_signed_again_by_another_key_is_missed_by_what_remembers_the_key_i24() {
    let signed = Signed::new().await;
    let head = signed.folder.path().join("ledger.head");
    let text = std::fs::read_to_string(&head).unwrap();
    assert!(text.contains("\"key\":\"prodpin/"), "{text}");
    let (before, rest) = text.split_once("\"key\":\"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    // Another log's key of the same form: what the memory would say if today's log were somebody else's.
    let other = LedgerDirectory::new(KeyLocation::Usual).await.verified().await.keys[0].key.to_string();
    std::fs::write(&head, format!("{before}\"key\":\"{other}\"{after}")).unwrap();
    let safeguards = Safeguards::default();
    let error = Ledger::open_with(&signed.location(), &safeguards, Access::Write).await.unwrap_err().to_string();
    assert!(error.contains("never handed over"), "{error}");
}

/// Names that are known in advance: of the report of a run that changes nothing, and of the next whole tile.
#[tokio::test]
async fn what_stands_in_the_place_of_a_report_or_a_tile_keeps_no_run_from_closing_i9_f101() {
    let place = LedgerDirectory::new(KeyLocation::Usual).await;
    let body = b"report of run 2\n";
    let digest = prodpin::model::Digest::sha256(body);
    let report = place.path().join("report").join(digest.hex());
    let tile = place.path().join("tile/0/000");
    let whole = std::fs::read(&report).unwrap();
    for kind in ["garbage", "cut", "large", "folder"] {
        let bytes = match kind {
            "garbage" => b"all is well".to_vec(),
            "cut" => whole[..whole.len() / 2].to_vec(),
            _ => vec![0; 100 << 10],
        };
        if kind == "folder" {
            std::fs::create_dir(&report).unwrap();
        } else {
            std::fs::write(&report, bytes).unwrap();
        }
        let ledger = place.open(Access::Write).await.unwrap();
        let error = ledger.report(&digest).await.err().unwrap_or_else(|| panic!("{kind} was believed")).to_string();
        assert!(error.contains("report/"), "{kind}: {error}");
        assert_eq!(ledger.put_report(&body[..]).await.unwrap(), digest, "{kind}");
        assert!(ledger.distrusted().in_words().unwrap().contains("report/"), "{kind}");
        assert!(!place.verified().await.holds(), "{kind}: the check tells it");
        remove(&report);
        assert_eq!(ledger.put_report(&body[..]).await.unwrap(), digest, "{kind}");
        assert!(ledger.report(&digest).await.is_ok(), "{kind}: written anew");
        remove(&report);
    }
    for folder in [true, false] {
        let place = LedgerDirectory::new(KeyLocation::Usual).await;
        let tile = place.path().join("tile/0/000");
        std::fs::create_dir_all(tile.parent().unwrap()).unwrap();
        if folder {
            std::fs::create_dir(&tile).unwrap();
        } else {
            std::fs::write(&tile, vec![7; 80 << 10]).unwrap();
        }
        let ledger = place.open(Access::Write).await.unwrap();
        ledger.commit((0..300).map(|n| tag_seen(5, &key_of(), &format!("w{n}"), "5")).collect()).await.unwrap();
        ledger.commit(vec![run_record(5)]).await.unwrap();
        assert!(ledger.distrusted().in_words().unwrap().contains("tile/0/000"), "folder: {folder}");
        let again = place.open(Access::Write).await.unwrap();
        assert_eq!(again.recall(&key_of()).await.unwrap().tags.len(), 302);
        assert!(!place.verified().await.holds(), "the check tells it");
    }
    assert!(!tile.is_dir());
}
