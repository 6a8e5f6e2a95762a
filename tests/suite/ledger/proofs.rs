//! Signatures, tiles, proofs, and what `verify` finds.

use std::path::Path;

use object_store::local::LocalFileSystem;
use prodpin::ledger::{Access, Claim, Ledger, LedgerError, Since, VerifierKey, Verify};
use prodpin::policy::{KeyLocation, LedgerLocation, Safeguards};
use tlog_tiles::tlog::{Hash, check_record, check_tree, record_hash};

use super::tampering::{ROWS, Signed, checkpoint, copy, tamper};
use super::world::*;

async fn verified(path: &Path) -> prodpin::ledger::Verification {
    Ledger::verify(&LedgerLocation::Directory(path.to_owned()), &Verify::default()).await.unwrap()
}

fn hash(text: &str) -> Hash {
    Hash::parse_hash(text).unwrap()
}

fn with_key(path: &Path) -> Safeguards {
    Safeguards { key: KeyLocation::File(path.to_owned()), ..Safeguards::default() }
}

#[tokio::test]
async fn an_untouched_ledger_holds_and_everything_in_it_can_be_proven_i9() {
    let signed = Signed::new().await;
    let found = verified(&signed.path()).await;
    assert!(found.holds() && found.notes.is_empty(), "{:?} {:?}", found.damage, found.notes);
    assert_eq!((found.commits, found.entries, found.unsigned, found.reports), (6, 606, 0, 3));
    assert_eq!((found.views, found.keys.len()), (3, 1));
    assert!(found.tiles > 2);
    let head = found.head.unwrap();

    let reader = Ledger::open(&signed.location(), Access::Read).await.unwrap();
    for sequence in 1..7 {
        let note = reader.checkpoint(sequence).await.unwrap().unwrap();
        assert!(note.note.contains("\n\n— prodpin/"), "{}", note.note);
        assert_eq!(note.key.as_ref(), Some(&found.keys[0].key));
        let text = std::fs::read_to_string(checkpoint(&signed.path(), sequence)).unwrap();
        let root = text.lines().nth(2).unwrap();
        for claim in [text.clone(), format!("{sequence}:{root}")] {
            let since = reader.since(&Claim::parse(&claim).unwrap()).await.unwrap();
            let Since::Grown { from_size, from_root, to_size, to_root, hashes } = since else { panic!("{since:?}") };
            assert!(hashes.len() <= 20, "{} hashes", hashes.len());
            let proof = hashes.iter().map(|text| hash(text)).collect();
            check_tree(&proof, to_size, hash(&to_root), from_size, hash(&from_root)).unwrap();
            assert_eq!((hash(&to_root).0, to_size), (head.root, head.size));
        }
    }
    let entries = audit(&(std::sync::Arc::new(LocalFileSystem::new_with_prefix(signed.path()).unwrap()) as _)).await;
    for index in [0, 1, 199, 200, 201, 255, 256, 404, 511, 512, 605] {
        let proof = reader.prove_entry(index).await.unwrap().unwrap();
        let (sequence, entry) = &entries[index as usize];
        let proven: prodpin::model::Entry = serde_json::from_str(&proof.entry).unwrap();
        assert_eq!((proof.sequence, &proven), (*sequence, entry));
        let hashes = proof.hashes.iter().map(|text| hash(text)).collect();
        let leaf = record_hash(proof.entry.as_bytes());
        check_record(&hashes, proof.tree_size, hash(&proof.root), index, leaf).unwrap();
    }
    assert!(reader.prove_entry(606).await.unwrap().is_none());
}

#[tokio::test]
async fn whatever_is_done_to_a_ledger_is_found_and_named_i9_f57_f58_f60() {
    let signed = Signed::new().await;
    let folder = tempfile::tempdir().unwrap();
    for row in 0..ROWS {
        let path = folder.path().join(row.to_string());
        copy(&signed.path(), &path);
        let (what, object, entry) = tamper(row, &path).await;
        let found = verified(&path).await;
        let named = found.damage.iter().find(|damage| damage.object == object);
        let named = named.unwrap_or_else(|| panic!("{what}: {object} is not among {:#?}", found.damage));
        if entry.is_some() {
            assert_eq!(named.entry, entry, "{what}: {named:?}");
        }
    }
}

#[tokio::test]
async fn every_flipped_bit_in_a_batch_leads_to_an_entry_of_it_f57() {
    let signed = Signed::new().await;
    let text = std::fs::read_to_string(checkpoint(&signed.path(), 3)).unwrap();
    let batch = text.lines().find_map(|line| line.strip_prefix("batch ")).unwrap();
    let file = signed.path().join("batch").join(batch);
    let content = std::fs::read(&file).unwrap();
    let plain = zstd::decode_all(&content[..]).unwrap();
    for at in (0..content.len()).step_by(content.len() / 24) {
        let mut flipped = content.clone();
        flipped[at] ^= 1 << (at % 8);
        std::fs::write(&file, &flipped).unwrap();
        if zstd::decode_all(&flipped[..]).is_ok_and(|read| read == plain) {
            continue;
        }
        let found = verified(&signed.path()).await;
        let entry = found.damage[0].entry.unwrap_or_else(|| panic!("byte {at}: {:?}", found.damage));
        assert!((202..402).contains(&entry), "byte {at}: entry {entry}");
    }
}

#[tokio::test]
async fn what_is_derived_is_made_anew_and_nothing_else_is_touched_f62() {
    let signed = Signed::new().await;
    let original = tempfile::tempdir().unwrap();
    copy(&signed.path(), original.path());
    std::fs::remove_dir_all(signed.path().join("tile")).unwrap();
    std::fs::remove_dir_all(signed.path().join("view")).unwrap();
    let found = verified(&signed.path()).await;
    assert!(found.holds(), "missing is no damage: {:?}", found.damage);
    assert!(found.notes.iter().any(|note| note.contains("tile/0/000 is missing")), "{:?}", found.notes);
    let reader = Ledger::open(&signed.location(), Access::Read).await.unwrap();
    assert!(matches!(reader.prove_entry(0).await, Err(LedgerError::Underived { .. })));

    let repair = Verify { repair: true, ..Verify::default() };
    for row in [11, 12, 13] {
        let found = Ledger::verify(&signed.location(), &repair).await.unwrap();
        assert!(found.holds() && !found.repaired.is_empty());
        for tile in ["tile/0/000", "tile/0/001", "tile/0/002.p/94", "tile/1/000.p/2"] {
            let [made, was] =
                [signed.path(), original.path().to_owned()].map(|path| std::fs::read(path.join(tile)).unwrap());
            assert_eq!(made, was, "{tile}");
        }
        let again = verified(&signed.path()).await;
        assert!(again.holds() && again.notes.is_empty(), "{:?} {:?}", again.damage, again.notes);
        tamper(row, &signed.path()).await;
        assert!(!verified(&signed.path()).await.holds());
    }
    // Repairing what is derived does not paper over a damaged log.
    tamper(2, &signed.path()).await;
    let found = Ledger::verify(&signed.location(), &repair).await.unwrap();
    assert!(!found.holds() && found.repaired.is_empty(), "{found:?}");
}

#[tokio::test]
async fn a_new_key_is_put_in_force_by_the_old_one_only_f65() {
    let folder = tempfile::tempdir().unwrap();
    let location = LedgerLocation::Directory(folder.path().join("ledger"));
    let (old, new) = (with_key(&folder.path().join("old")), with_key(&folder.path().join("new")));
    let open = async |safeguards: &Safeguards| Ledger::open_with(&location, safeguards, Access::Write).await;
    let unsigned = open(&Safeguards::none()).await.unwrap();
    unsigned.commit(vec![tag_seen(1, &key("a"), "v1", "1")]).await.unwrap();
    let ledger = open(&old).await.unwrap();
    ledger.commit(vec![tag_seen(2, &key("a"), "v2", "2")]).await.unwrap();
    let seen = ledger.checkpoint(2).await.unwrap().unwrap();
    ledger.commit(vec![tag_seen(3, &key("a"), "v3", "3")]).await.unwrap();

    // The new key is not made beside a log that another one signed, and so is not at hand either.
    for (safeguards, says) in [(&Safeguards::none(), "not at hand"), (&new, "`previous` under ledger_key")] {
        let error = open(safeguards).await.unwrap_err();
        assert!(matches!(error, LedgerError::Key { .. }) && error.to_string().contains(says), "{error}");
    }
    // One that was open before the log was first signed stops, too.
    let error = unsigned.commit(vec![tag_seen(4, &key("a"), "v4", "4")]).await.unwrap_err();
    assert!(matches!(error, LedgerError::Key { .. }), "{error}");

    let handing_over = Safeguards { previous_key: Some(old.key.clone()), ..new.clone() };
    open(&handing_over).await.unwrap().commit(vec![tag_seen(5, &key("a"), "v5", "5")]).await.unwrap();
    let ledger = open(&new).await.unwrap();
    ledger.commit(vec![tag_seen(6, &key("a"), "v6", "6")]).await.unwrap();
    let error = open(&old).await.unwrap_err();
    assert!(matches!(error, LedgerError::Key { .. }), "the old key is no longer in force: {error}");

    let found = Ledger::verify(&location, &Verify::default()).await.unwrap();
    assert!(found.holds(), "{:?}", found.damage);
    assert_eq!(found.keys.iter().map(|span| span.since).collect::<Vec<_>>(), [2, 4]);
    assert_eq!((found.commits, found.unsigned), (5, 1));
    assert_eq!(seen.key.as_ref(), Some(&found.keys[0].key));
    let since = ledger.since(&Claim::parse(&seen.note).unwrap()).await.unwrap();
    assert!(matches!(since, Since::Grown { from_size: 2, to_size: 5, .. }), "{since:?}");
    for trusted in [&found.keys[0].key, &found.keys[1].key] {
        let how = Verify { key: Some(trusted.clone()), ..Verify::default() };
        assert!(Ledger::verify(&location, &how).await.unwrap().holds());
    }
    let strange = Signed::new().await;
    let stranger = verified(&strange.path()).await.keys[0].key.clone();
    let how = Verify { key: Some(VerifierKey::parse(&stranger.to_string()).unwrap()), ..Verify::default() };
    assert!(!Ledger::verify(&location, &how).await.unwrap().holds());

    // A hand-over that the old key did not sign.
    let file = checkpoint(&folder.path().join("ledger"), 4);
    let text = std::fs::read_to_string(&file).unwrap();
    let (body, signatures) = text.split_once("\n\n").unwrap();
    let own = signatures.lines().last().unwrap();
    std::fs::write(&file, format!("{body}\n\n{own}\n")).unwrap();
    let found = Ledger::verify(&location, &Verify::default()).await.unwrap();
    assert!(found.damage[0].what.contains("has not handed over"), "{:?}", found.damage);
}

#[tokio::test]
async fn signatures_of_witnesses_are_kept_and_disturb_nobody() {
    let signed = Signed::new().await;
    for sequence in [2, 6] {
        let file = checkpoint(&signed.path(), sequence);
        let text = std::fs::read_to_string(&file).unwrap() + "— witness.example.com/w1 AAECAwQFBgcICQ==\n";
        std::fs::write(&file, text).unwrap();
    }
    let ledger = signed.writer().await;
    assert!(ledger.checkpoint(6).await.unwrap().unwrap().note.contains("witness.example.com"));
    ledger.commit(vec![tag_seen(9, &key("shop/0"), "v9", "9")]).await.unwrap();
    std::fs::remove_dir_all(signed.path().join("view")).unwrap();
    assert_eq!(signed.writer().await.head().unwrap().sequence, 7);
    assert!(verified(&signed.path()).await.holds());
}

#[tokio::test]
async fn a_restored_backup_and_a_second_history_are_told_apart_i11_i12_f59() {
    let signed = Signed::new().await;
    let backup = tempfile::tempdir().unwrap();
    let old = backup.path().join("ledger");
    copy(&signed.path(), &old);
    std::fs::remove_dir_all(old.join("view")).unwrap();
    std::fs::copy(signed.folder.path().join("ledger.key"), backup.path().join("ledger.key")).unwrap();
    let seen = signed.writer().await.commit(vec![tag_seen(8, &key("shop/0"), "v8", "this")]).await.unwrap();
    let note = std::fs::read_to_string(checkpoint(&signed.path(), seen.sequence)).unwrap();
    let claims =
        [note.as_str(), &format!("{}:{}", seen.sequence, seen.root_base64())].map(|text| Claim::parse(text).unwrap());

    let restored = LedgerLocation::Directory(old.clone());
    for claim in &claims {
        let since = Ledger::open(&restored, Access::Read).await.unwrap().since(claim).await.unwrap();
        assert!(matches!(since, Since::RolledBack { .. }), "{since:?}");
    }
    // With the very same key, another past is written.
    for run in [8, 9] {
        let forger = Ledger::open_with(&restored, &Safeguards::default(), Access::Write).await.unwrap();
        forger.commit(vec![tag_seen(run, &key("shop/0"), &format!("v{run}"), "that")]).await.unwrap();
        assert!(verified(&old).await.holds(), "nothing in it contradicts itself");
        for claim in &claims {
            let since = forger.since(claim).await.unwrap();
            assert!(matches!(since, Since::Forked { .. }), "{since:?}");
        }
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_told_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let location = LedgerLocation::Directory(folder.path().join("ledger"));
    std::fs::write(folder.path().join("text"), "no key").unwrap();
    for safeguards in [
        with_key(&folder.path().join("text")),
        with_key(folder.path()),
        with_key(&folder.path().join("no/such/folder")),
        Safeguards { key: KeyLocation::Text(prodpin::policy::Secret::new("hunter2")), ..Safeguards::default() },
    ] {
        let error = Ledger::open_with(&location, &safeguards, Access::Write).await.unwrap_err();
        assert!(matches!(error, LedgerError::Key { .. }) && !error.to_string().contains("hunter2"), "{error}");
    }
}
