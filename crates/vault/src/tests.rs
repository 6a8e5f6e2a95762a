//! Copying from sources that lie, break off and are killed.

mod drills;
mod files;
mod leaving;
mod unconditional;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;

use super::*;
use prodpin_core::decide::vault::Lack;
use prodpin_core::model::{Cause, RepositoryKey, RepositoryName, Tag};
use prodpin_net::http::fault::Fault;
use prodpin_sources::content::{AttachedSignatures, Content, Document, IsSignature, Lost, Taker};
use prodpin_sources::memory::{Content as Pushed, image, index};

/// A source of some artifacts, with switches.
#[derive(Default)]
struct Shelf {
    manifests: BTreeMap<Digest, Document>,
    blobs: BTreeMap<Digest, Bytes>,
    /// Served with other bytes.
    flipped: BTreeSet<Digest>,
    /// A body breaks off after so many bytes of each answer.
    breaks_after: Option<usize>,
    /// Whether a range is answered by the whole.
    ignores_ranges: bool,
    pause: Option<Duration>,
    asked: Mutex<Vec<(Digest, u64)>>,
    served: AtomicUsize,
}

impl Shelf {
    fn of(pushed: &[Pushed]) -> Self {
        let mut shelf = Self::default();
        for content in pushed {
            for child in content.children() {
                shelf.put(child);
            }
            shelf.put(content);
        }
        shelf
    }

    fn put(&mut self, content: &Pushed) {
        let media_type = Some(content.media_type().to_owned());
        self.manifests.insert(content.digest(), Document { media_type, bytes: content.bytes() });
        self.blobs.extend(content.blobs());
    }

    fn distinct(&self) -> usize {
        let manifests = self.manifests.values().map(|document| document.bytes.len()).sum::<usize>();
        manifests + self.blobs.values().map(Bytes::len).sum::<usize>()
    }
}

#[async_trait]
impl Content for Shelf {
    async fn manifest(&self, _: &RepositoryName, digest: &Digest) -> Result<Document, Lost> {
        let document = self.manifests.get(digest).cloned().ok_or(Lost::NotFound)?;
        match self.flipped.contains(digest) {
            true => Ok(Document { bytes: flip(&document.bytes), ..document }),
            false => Ok(document),
        }
    }

    async fn blob(&self, _: &RepositoryName, digest: &Digest, from: u64, to: &mut dyn Taker) -> Result<(), Lost> {
        self.asked.lock().unwrap().push((digest.clone(), from));
        let bytes = self.blobs.get(digest).cloned().ok_or(Lost::NotFound)?;
        let bytes = if self.flipped.contains(digest) { flip(&bytes) } else { bytes };
        let at = if self.ignores_ranges { 0 } else { from as usize };
        to.begin(at as u64).await?;
        let rest = bytes.slice(at.min(bytes.len())..);
        let most = self.breaks_after.unwrap_or(usize::MAX);
        for (number, piece) in rest.chunks(7).enumerate() {
            if number * 7 >= most {
                return Err(Fault::new(Cause::Unreachable, "the connection broke").into());
            }
            if let Some(pause) = self.pause {
                tokio::time::sleep(pause).await;
            }
            self.served.fetch_add(piece.len(), Ordering::Relaxed);
            to.take(Bytes::copy_from_slice(piece)).await?;
        }
        Ok(())
    }

    async fn signatures(&self, _: &RepositoryName, _: &Digest, _: IsSignature) -> Result<AttachedSignatures, Fault> {
        Ok(AttachedSignatures::default())
    }
}

fn flip(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[0] ^= 1;
    bytes.into()
}

fn key(name: &str) -> RepositoryKey {
    RepositoryKey { source: "shop".parse().unwrap(), name: name.parse().unwrap() }
}

fn vault() -> Vault {
    Vault::new(Arc::new(InMemory::new()), "memory", true)
}

async fn keep(vault: &Vault, shelf: &Shelf, repository: &str, content: &Pushed) -> Result<Entry, Failure> {
    let tags: [Tag; 1] = ["v1".parse().unwrap()];
    let (repository, digest) = (key(repository), content.digest());
    let target = Target { repository: &repository, digest: &digest, tags: &tags };
    vault.keep(&target, shelf, &|| false).await
}

async fn names(vault: &Vault) -> BTreeSet<String> {
    vault.objects().unwrap().list(None).map_ok(|object| object.location.to_string()).try_collect().await.unwrap()
}

async fn blobs_hash_to_their_names(vault: &Vault) {
    for name in names(vault).await.into_iter().filter(|name| name.starts_with("blobs/")) {
        let bytes = vault.get(&Path::from(name.as_str()), u64::MAX).await.unwrap().unwrap();
        assert_eq!(format!("blobs/sha256/{}", Digest::sha256(&bytes).hex()), name);
    }
}

#[tokio::test]
async fn each_byte_is_moved_once_and_a_second_run_moves_none_i27() {
    let pushed = [index("one"), image("two"), image("one for amd64"), index("two")];
    let shelf = Shelf::of(&pushed);
    let vault = vault();
    // Many at once, of two repositories that share everything.
    let all = pushed.iter().flat_map(|content| ["shop/api", "shop/web"].map(|repository| (repository, content)));
    let kept = futures::stream::iter(all).map(|(repository, content)| keep(&vault, &shelf, repository, content));
    let kept: Vec<_> = kept.buffer_unordered(8).collect().await;
    assert!(kept.iter().all(Result::is_ok), "{kept:?}");
    let moved = vault.moved.bytes.load(Ordering::Relaxed);
    assert_eq!(shelf.served.load(Ordering::Relaxed), shelf.blobs.values().map(Bytes::len).sum::<usize>());
    assert!(moved as usize >= shelf.distinct());
    blobs_hash_to_their_names(&vault).await;
    for content in &pushed {
        assert!(vault.whole(&content.digest(), None).await.is_ok());
    }

    let (before, asked) = (names(&vault).await, shelf.asked.lock().unwrap().len());
    let again = Vault::new(vault.objects().unwrap().clone(), "memory", true);
    for content in &pushed {
        keep(&again, &shelf, "shop/api", content).await.unwrap();
    }
    assert_eq!((again.moved.bytes.load(Ordering::Relaxed), again.moved.parts.load(Ordering::Relaxed)), (0, 0));
    assert_eq!((names(&again).await, shelf.asked.lock().unwrap().len()), (before, asked));
}

#[tokio::test]
async fn what_does_not_hash_is_refused_and_leaves_nothing_i25_i27() {
    let content = index("one");
    for what in ["layer", "manifest", "target"] {
        let mut shelf = Shelf::of(std::slice::from_ref(&content));
        let child = &content.children()[0];
        shelf.flipped.insert(match what {
            "layer" => child.blobs()[1].0.clone(),
            "manifest" => child.digest(),
            _ => content.digest(),
        });
        let vault = vault();
        let failure = keep(&vault, &shelf, "shop/api", &content).await.unwrap_err();
        assert_eq!(failure.lack, Lack::WrongBytes, "{what}: {failure:?}");
        blobs_hash_to_their_names(&vault).await;
        assert!(!names(&vault).await.iter().any(|name| name.starts_with("prodpin/")), "{what}: no entry");
        assert!(matches!(vault.whole(&content.digest(), None).await, Err(Unwhole::Lacks(_))), "{what}");
        // And when the source is mended, the rest follows.
        shelf.flipped.clear();
        keep(&vault, &shelf, "shop/api", &content).await.unwrap();
        assert!(vault.whole(&content.digest(), None).await.is_ok(), "{what}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_carried_on_from_there_f3() {
    let content = image(&"x".repeat(100));
    for (ignores_ranges, most) in [(false, 100), (true, 400)] {
        let shelf = Shelf { breaks_after: Some(35), ignores_ranges, ..Shelf::of(std::slice::from_ref(&content)) };
        let vault = vault();
        let kept = keep(&vault, &shelf, "shop/api", &content).await;
        let layer = content.blobs()[1].0.clone();
        let asked: Vec<u64> =
            shelf.asked.lock().unwrap().iter().filter(|(of, _)| *of == layer).map(|(_, from)| *from).collect();
        assert!(asked.len() > 1 && asked[1] == 35, "{asked:?}");
        match ignores_ranges {
            false => {
                kept.unwrap();
                assert!(vault.whole(&content.digest(), None).await.is_ok());
                let moved = vault.moved.bytes.load(Ordering::Relaxed) as usize;
                assert_eq!(moved, shelf.distinct(), "no byte twice");
            }
            // It never comes further: given up, and nothing of it is there.
            true => assert_eq!(kept.unwrap_err().lack, Lack::Unread),
        }
        assert!(shelf.served.load(Ordering::Relaxed) <= most + 400);
        blobs_hash_to_their_names(&vault).await;
    }
}

#[tokio::test]
async fn killed_at_any_moment_the_next_run_carries_on_i15_i27() {
    let pushed = [index("one"), index("two"), image("three")];
    let directory = tempfile::tempdir().unwrap();
    let store = || {
        let files = object_store::local::LocalFileSystem::new_with_prefix(directory.path()).unwrap();
        Vault::new(Arc::new(files), "directory", true)
    };
    let (mut runs, mut moved) = (0, 0);
    // Each time a little later, so that it ends on a slow machine, too.
    for wait in (1..).map(|number: u64| 1 + number * number / 8) {
        let shelf = Shelf { pause: Some(Duration::from_millis(1)), ..Shelf::of(&pushed) };
        let vault = store();
        let all = async {
            for content in &pushed {
                keep(&vault, &shelf, "shop/api", content).await.unwrap();
            }
        };
        let ended = tokio::time::timeout(Duration::from_millis(wait), all).await;
        moved += vault.moved.parts.load(Ordering::Relaxed);
        blobs_hash_to_their_names(&vault).await;
        for entry in vault.entries(&key("shop/api")).await.unwrap() {
            assert!(vault.whole(&entry.digest, None).await.is_ok(), "an entry is written after its target");
        }
        runs += 1;
        if ended.is_ok() {
            break;
        }
        assert!(runs < 500, "it never ends");
    }
    let distinct = Shelf::of(&pushed);
    assert!(runs > 1);
    // One whose write outlived its run is not counted; none is counted twice.
    assert!(moved as usize <= distinct.blobs.len() + distinct.manifests.len(), "{moved}");
}

#[tokio::test]
async fn what_the_source_lost_is_said_and_what_the_vault_has_is_enough_i27() {
    let content = index("one");
    let vault = vault();
    let mut shelf = Shelf::of(std::slice::from_ref(&content));
    keep(&vault, &shelf, "shop/api", &content).await.unwrap();
    // Everything is deleted at the source: the vault is whole all the same.
    (shelf.manifests, shelf.blobs) = (BTreeMap::new(), BTreeMap::new());
    let again = Vault::new(vault.objects().unwrap().clone(), "memory", true);
    assert!(keep(&again, &shelf, "shop/api", &content).await.is_ok());
    let other = image("never kept");
    assert_eq!(keep(&again, &shelf, "shop/api", &other).await.unwrap_err().lack, Lack::Gone);
    // A blob that is cut short in the vault is no blob.
    let blob = content.children()[0].blobs()[1].0.clone();
    again
        .objects()
        .unwrap()
        .put_opts(&place::blob_path(&blob), Bytes::from_static(b"x").into(), object_store::PutMode::Overwrite.into())
        .await
        .unwrap();
    let fresh = Vault::new(vault.objects().unwrap().clone(), "memory", true);
    let cut = fresh.whole(&content.digest(), None).await.unwrap_err();
    assert!(matches!(&cut, Unwhole::Damaged { part, .. } if *part == blob), "{cut:?}");
    assert!(cut.to_string().contains(&format!("move memory/{} out of the vault", place::blob_path(&blob))), "{cut}");
    // Nor is a manifest with other bytes one, and what is not there at all is not called damaged.
    let overwritten = place::blob_path(&content.digest());
    let objects = vault.objects().unwrap();
    objects
        .put_opts(&overwritten, Bytes::from_static(b"{}").into(), object_store::PutMode::Overwrite.into())
        .await
        .unwrap();
    let wrong = fresh.whole(&content.digest(), None).await.unwrap_err();
    assert!(matches!(&wrong, Unwhole::Damaged { part, .. } if *part == content.digest()), "{wrong:?}");
    objects.delete(&overwritten).await.unwrap();
    assert!(
        matches!(fresh.whole(&content.digest(), None).await, Err(Unwhole::Lacks(lacking)) if lacking == content.digest())
    );
}

#[tokio::test]
async fn entries_tell_what_was_kept_and_the_list_is_an_image_layout_i13() {
    let pushed = [image("one"), image("two")];
    let shelf = Shelf::of(&pushed);
    let vault = vault();
    let mut entries = Vec::new();
    for content in &pushed {
        entries.push(keep(&vault, &shelf, "shop/api", content).await.unwrap());
    }
    vault.list(&entries).await.unwrap();
    let known = vault.entries(&key("shop/api")).await.unwrap();
    assert_eq!(known.len(), 2);
    // A repository whose name begins with another's is another one.
    assert_eq!(vault.entries(&key("shop")).await.unwrap(), []);
    let layout = vault.get(&Path::from("oci-layout"), 100).await.unwrap().unwrap();
    assert_eq!(layout, Bytes::from_static(br#"{"imageLayoutVersion":"1.0.0"}"#));
    let before = names(&vault).await;
    vault.list(&entries).await.unwrap();
    assert_eq!(names(&vault).await, before);
}
