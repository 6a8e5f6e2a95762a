//! Removing a pin's tag: what is sent, what is looked at in between, and what comes back when more went with it (I5, F35).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use prodpin::model::{Cause, Digest, Pin, PinRemoval, PinState};
use prodpin::sources::oci::open_to_release;
use prodpin::sources::{Permit, PinFailure, Releaser, Source};

use super::content::{Opening, artifact, repository, tag};
use super::server::{Deleting, Lie, Server};

/// Whatever the ledger says.
struct Given;

impl Permit for Given {
    fn ask(&self) -> BoxFuture<'_, Result<(), PinFailure>> {
        Box::pin(async move { Ok(()) })
    }
}

fn open(opening: &Opening) -> (Source, Arc<dyn Releaser>) {
    let name = "test".parse().unwrap();
    let (source, releaser) = open_to_release(&name, &opening.config, &opening.options, &opening.environment).unwrap();
    (source, releaser.unwrap())
}

/// An index of two images, pinned with them as a closure is, under a tag of its own.
struct Pinned {
    server: Server,
    index: Digest,
    parts: [Digest; 2],
}

impl Pinned {
    async fn with(lies: impl IntoIterator<Item = Lie>) -> Self {
        let server = Server::start(lies).await;
        let (index, parts) = server.store(|store| {
            let parts = [store.image("one"), store.image("two")];
            let index = store.index(&[&parts[0], &parts[1]]);
            store.tag("shop/api", "1.0.0", &index);
            for pinned in parts.iter().chain([&index]) {
                store.tag("shop/api", &Pin::for_digest(pinned).to_string(), pinned);
            }
            (index, parts)
        });
        Self { server, index, parts }
    }

    async fn release(&self) -> Result<(), PinFailure> {
        let (_, releaser) = open(&Opening::at(&self.server));
        releaser.release(&repository(), &artifact(&self.index), Some(&tag("1.0.0")), &Given).await
    }

    fn is_pinned(&self) -> bool {
        let pin = Pin::for_digest(&self.index).to_string();
        self.server.store(|store| store.tags["shop/api"].get(&pin) == Some(&self.index.to_string()))
    }

    fn has(&self, digest: &Digest) -> bool {
        self.server.store(|store| store.manifests.contains_key(&digest.to_string()))
    }

    /// The methods that were sent about the pin, in order.
    fn about_pin(&self) -> Vec<String> {
        let pin = Pin::for_digest(&self.index).to_string();
        self.server.seen().into_iter().filter(|seen| seen.path.ends_with(&pin)).map(|seen| seen.method).collect()
    }
}

#[tokio::test]
async fn one_removal_of_the_tag_and_of_nothing_by_digest_f35() {
    let pinned = Pinned::with([]).await;
    pinned.release().await.unwrap();
    let pin = Pin::for_digest(&pinned.index);
    assert_eq!(pinned.server.writes(), [format!("DELETE /v2/shop/api/manifests/{pin}")]);
    assert!(!pinned.is_pinned() && pinned.parts.iter().chain([&pinned.index]).all(|digest| pinned.has(digest)));
    // What is gone is not removed once more.
    pinned.release().await.unwrap();
    assert_eq!(pinned.server.writes().len(), 1);
}

#[tokio::test]
async fn a_removal_is_not_sent_again_without_a_look_i8() {
    let pinned = Pinned::with([Lie::Deletes(Deleting::PutsOff(1))]).await;
    pinned.release().await.unwrap();
    let about = pinned.about_pin();
    let sent: Vec<usize> = (0..about.len()).filter(|at| about[*at] == "DELETE").collect();
    assert_eq!(sent.len(), 2, "{about:?}");
    assert!(sent[1] > sent[0] + 1, "it was looked at in between: {about:?}");
    assert!(!pinned.is_pinned());

    for lie in [Deleting::DoneAndPutOff, Deleting::DoneAndFails] {
        let pinned = Pinned::with([Lie::Deletes(lie)]).await;
        pinned.release().await.unwrap();
        assert_eq!(pinned.server.count("DELETE", ""), 1, "{lie:?}");
    }
    let never = Pinned::with([Lie::Deletes(Deleting::PutsOff(99))]).await;
    assert_eq!(never.release().await.unwrap_err().cause, Cause::Throttled);
    assert!(never.is_pinned() && never.server.count("DELETE", "") <= 3);
}

/// Gives leave so often.
struct Times(AtomicUsize);

impl Permit for Times {
    fn ask(&self) -> BoxFuture<'_, Result<(), PinFailure>> {
        Box::pin(async move {
            let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            left.map(drop)
                .map_err(|_| PinFailure { cause: Cause::Refused, detail: "another run was quicker".to_owned() })
        })
    }
}

#[tokio::test]
async fn each_call_that_removes_a_pin_asks_for_leave_right_before_i14() {
    for (leave, sent) in [(0, 0), (1, 1), (2, 2)] {
        let pinned = Pinned::with([Lie::Deletes(Deleting::PutsOff(9))]).await;
        let (_, releaser) = open(&Opening::at(&pinned.server));
        let permit = Times(AtomicUsize::new(leave));
        let failure = releaser.release(&repository(), &artifact(&pinned.index), Some(&tag("1.0.0")), &permit).await;
        assert!(failure.unwrap_err().detail.contains("another run was quicker"), "{leave}");
        assert_eq!(pinned.server.count("DELETE", ""), sent, "{leave}");
        assert!(pinned.is_pinned());
    }
}

#[tokio::test]
async fn what_a_removal_takes_along_comes_back_with_all_below_it_i5_f35() {
    for lie in [Deleting::TakesManifest, Deleting::TakesChildren] {
        let pinned = Pinned::with([Lie::Deletes(lie)]).await;
        let failure = pinned.release().await.unwrap_err();
        assert_eq!(failure.cause, Cause::Suspicious, "{lie:?}: {failure}");
        assert!(failure.detail.contains("were put back"), "{lie:?}: {failure}");
        assert!(pinned.is_pinned(), "{lie:?}");
        assert!(pinned.parts.iter().chain([&pinned.index]).all(|digest| pinned.has(digest)), "{lie:?}");
        let deletes = pinned.server.writes().into_iter().filter(|write| write.starts_with("DELETE"));
        assert_eq!(deletes.count(), 1, "{lie:?}");
    }
}

#[tokio::test]
async fn where_no_single_tag_is_removed_that_is_said_and_the_pin_stays_f35() {
    for status in [400, 404, 405, 501] {
        let pinned = Pinned::with([Lie::Deletes(Deleting::Refuses(status))]).await;
        let failure = pinned.release().await.unwrap_err();
        assert_eq!(failure.cause, Cause::Unsupported, "{status}: {failure}");
        assert!(pinned.is_pinned(), "{status}");
    }
}

#[tokio::test]
async fn a_tag_that_moved_away_meanwhile_keeps_the_pin_i5() {
    let pinned = Pinned::with([]).await;
    pinned.server.store(|store| {
        let other = store.image("other");
        store.tag("shop/api", "1.0.0", &other);
    });
    assert_eq!(pinned.release().await.unwrap_err().cause, Cause::Refused);
    assert_eq!(pinned.server.writes(), Vec::<String>::new());
    assert!(pinned.is_pinned());
}

#[tokio::test]
async fn services_that_remove_no_single_tag_are_known_before_anything_is_asked_f35() {
    for host in ["ghcr.io", "registry-1.docker.io", "docker.io", "public.ecr.aws", "GHCR.IO"] {
        let (source, _) = open(&Opening::for_url(&format!("https://{host}")));
        let removal = source.inventory.pin_removal(&repository()).await;
        let PinRemoval::Unsupported { detail } = removal else { panic!("{host}: {removal:?}") };
        assert!(detail.contains("no single tag"), "{host}: {detail}");
    }
    let plain = Pinned::with([]).await;
    let (source, _) = open(&Opening::at(&plain.server));
    assert_eq!(source.inventory.pin_removal(&repository()).await, PinRemoval::Untag { leaves_untagged: true });
    assert_eq!(source.inventory.inspect(&repository(), &artifact(&plain.index)).await.pin, PinState::Present);
}
