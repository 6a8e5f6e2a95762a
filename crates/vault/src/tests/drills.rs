//! Drills: every byte read and held to its digest, from the source or from the vault.

use super::*;

/// Counts what was hashed, and asks to end after so much.
#[derive(Default)]
pub(super) struct Counter {
    hashed: AtomicUsize,
    most: Option<usize>,
}

impl Watcher for Counter {
    fn stopped(&self) -> bool {
        self.most.is_some_and(|most| self.hashed.load(Ordering::Relaxed) >= most)
    }

    fn hashed(&self, bytes: u64) {
        self.hashed.fetch_add(bytes as usize, Ordering::Relaxed);
    }
}

async fn drill(
    drilling: &Drilling,
    place: Place<'_>,
    content: &Pushed,
    counter: &Counter,
) -> Result<(), (Digest, Flaw)> {
    let name = key("shop/api").name;
    let closure = drilling.closure(place, &name, &content.digest()).await?;
    for part in closure.parts.iter().filter(|part| !part.is_manifest) {
        drilling.prove(place, &name, part, counter).await.map_err(|flaw| (part.digest.clone(), flaw))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_drill_reads_each_blob_once_and_carries_on_what_breaks_off_f104() {
    let (first, second) = (index("a release of two platforms"), index("a release of two platforms"));
    let longest = first.children()[0].blobs().iter().map(|(_, bytes)| bytes.len()).max().unwrap();
    for (breaks_after, ignores_ranges) in [(None, false), (Some(longest / 3 + 1), false), (Some(7), true)] {
        let shelf = Shelf { breaks_after, ignores_ranges, ..Shelf::of(&[first.clone(), second.clone()]) };
        let (drilling, counter) = (Drilling::default(), Counter::default());
        let place = Place::Source(&shelf);
        let proven = drill(&drilling, place, &first, &counter).await;
        if ignores_ranges {
            // It never comes further than its first bytes: that proves nothing.
            assert!(matches!(proven, Err((_, Flaw::Unread(_)))), "{proven:?}");
            continue;
        }
        assert_eq!(proven, Ok(()));
        assert_eq!(drill(&drilling, place, &second, &counter).await, Ok(()));
        let blobs: usize = shelf.blobs.values().map(Bytes::len).sum();
        assert_eq!(counter.hashed.load(Ordering::Relaxed), blobs, "{breaks_after:?}");
        let begun = shelf.asked.lock().unwrap().iter().filter(|(_, from)| *from == 0).count();
        assert_eq!(begun, shelf.blobs.len(), "{breaks_after:?}");
    }
}

#[tokio::test]
async fn a_drill_tells_wrong_bytes_from_none_and_an_end_from_both_f104() {
    let content = image("a release");
    let (digest, bytes) = content.blobs().into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let flaw = async |shelf: Shelf, most| {
        let counter = Counter { most, ..Counter::default() };
        drill(&Drilling::default(), Place::Source(&shelf), &content, &counter).await.unwrap_err()
    };
    let shelf = || Shelf::of(std::slice::from_ref(&content));
    let wrong = flaw(Shelf { flipped: BTreeSet::from([digest.clone()]), ..shelf() }, None).await;
    assert!(wrong.0 == digest && matches!(wrong.1, Flaw::Wrong(_)), "{wrong:?}");
    let mut short = shelf();
    short.blobs.insert(digest.clone(), bytes.slice(1..));
    assert!(matches!(flaw(short, None).await.1, Flaw::Wrong(_)));
    let mut long = shelf();
    long.blobs.insert(digest.clone(), [bytes.as_ref(), b"and more than that"].concat().into());
    assert!(matches!(flaw(long, None).await.1, Flaw::Wrong(_)));
    let mut gone = shelf();
    gone.blobs.remove(&digest);
    assert_eq!(flaw(gone, None).await, (digest.clone(), Flaw::Gone));
    let lost = Shelf { manifests: BTreeMap::new(), ..shelf() };
    assert_eq!(flaw(lost, None).await, (content.digest(), Flaw::Gone));
    assert_eq!(flaw(shelf(), Some(0)).await.1, Flaw::Interrupted);
}

#[tokio::test]
async fn a_drill_of_the_vault_reads_the_vault_alone_f104_i27() {
    let content = image("a release");
    let (shelf, vault) = (Shelf::of(std::slice::from_ref(&content)), vault());
    let counter = Counter::default();
    let drilled = || drill_vault(&vault, &content, &counter);
    assert_eq!(drilled().await, Err((content.digest(), Flaw::Gone)), "nothing is in it yet");
    keep(&vault, &shelf, "shop/api", &content).await.unwrap();
    assert_eq!(drilled().await, Ok(()));
    let (digest, bytes) = content.blobs().into_iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    vault.objects().unwrap().put(&super::place::blob_path(&digest), flip(&bytes).into()).await.unwrap();
    assert!(matches!(drilled().await, Err((found, Flaw::Wrong(_))) if found == digest));
    vault.objects().unwrap().delete(&super::place::blob_path(&digest)).await.unwrap();
    assert_eq!(drilled().await, Err((digest, Flaw::Gone)));
}

async fn drill_vault(vault: &Vault, content: &Pushed, counter: &Counter) -> Result<(), (Digest, Flaw)> {
    drill(&Drilling::default(), Place::Vault(vault), content, counter).await
}
