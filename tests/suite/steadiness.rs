//! What one repository, tag or header may not do to all the others: end the run, or put on record what no bytes back.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use prodpin::model::{
    ArtifactId, Cause, DeployedReference, Digest, Event, Gap, Inspection, Mode, Reference, RepositoryName, Resolution,
    Scope, SettingFacts, Snapshot, Tag,
};
use prodpin::sources::{Inventory, Source};

use crate::estate::{Estate, REPOSITORY};

/// What a source in memory says, but for one thing.
struct Odd {
    inner: Arc<dyn Inventory>,
    oddity: Oddity,
}

#[derive(Clone, Copy, PartialEq)]
enum Oddity {
    /// A defect of ours, at this repository.
    Panic(&'static str),
    /// A proxy's header names bytes that nobody has, for this tag.
    MadeUp(&'static str),
}

fn odd(estate: &Estate, oddity: Oddity) -> Source {
    let source = estate.memory.writable(["shop/*"]).unwrap();
    Source { inventory: Arc::new(Odd { inner: source.inventory, oddity }), ..source }
}

#[async_trait]
impl Inventory for Odd {
    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        self.inner.settings().await
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        self.inner.repositories()
    }

    async fn observe(&self, repository: &RepositoryName) -> Snapshot {
        assert!(self.oddity != Oddity::Panic("shop/web") || repository.as_str() != "shop/web", "a defect");
        let mut snapshot = self.inner.observe(repository).await;
        for tag in &mut snapshot.tags {
            if self.oddity == Oddity::MadeUp("v1.2.0") && tag.name.as_str() == "v1.2.0" {
                tag.target = Resolution::Artifact(Digest::sha256(b"nobody has these").into());
            }
        }
        snapshot
    }

    async fn look_up(&self, repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>) {
        self.inner.look_up(repository, tag).await
    }

    async fn confirm(&self, _: &RepositoryName, tag: &Tag, _: ArtifactId) -> (Resolution, Option<Gap>) {
        let gap = Gap::new(Scope::Tag(tag.clone()), Cause::Malformed, "the header and the bytes differ");
        (Resolution::Unknown, Some(gap))
    }

    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        self.inner.inspect(repository, artifact).await
    }

    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<jiff::Timestamp> {
        self.inner.created(repository, artifact).await
    }

    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        self.inner.locate(reference)
    }

    async fn identities(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<BTreeSet<Digest>, Gap> {
        self.inner.identities(repository, artifact).await
    }

    fn selects(&self, repository: &RepositoryName) -> bool {
        self.inner.selects(repository)
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.inner.unmatched_patterns()
    }
}

#[tokio::test]
async fn a_defect_at_one_repository_ends_the_run_of_no_other() {
    let estate = Estate::with_releases(3);
    estate.memory.push("shop/web", "v2.0.0", "web");
    let reported = estate.run_on(Mode::Enforce, odd(&estate, Oddity::Panic("shop/web"))).await;
    assert!(!reported.complete, "what was not decided is not well");
    let [api] = reported.repositories.as_slice() else { panic!("{:?}", reported.repositories) };
    assert_eq!((api.name.as_str(), api.counts.protected), (REPOSITORY, 3));
    let named = reported.findings.iter().find(|finding| finding.message.contains("shop/web")).expect("it is named");
    assert!(named.message.contains("defect"), "{}", named.message);
    assert_eq!(estate.reports().await.len(), 1, "the books are closed");
}

#[tokio::test]
async fn a_digest_that_no_bytes_back_is_no_move_f21() {
    let estate = Estate::with_releases(3);
    estate.enforce().await;
    let reported = estate.run_on(Mode::Enforce, odd(&estate, Oddity::MadeUp("v1.2.0"))).await;
    assert!(!reported.complete);
    assert!(reported.findings.iter().any(|finding| finding.message.contains("the header and the bytes differ")));
    assert!(!reported.codes().iter().any(|code| code.contains("tag-moved")), "{:?}", reported.codes());
    assert_eq!(reported.targets().len(), 3, "and it pushes nothing out");
    let moves = estate.events().await.into_iter().filter(|event| matches!(event, Event::TagMoved { .. })).count();
    assert_eq!(moves, 0, "nothing of it is on record");
    let after = estate.enforce().await;
    assert!(after.complete && !after.codes().iter().any(|code| code.contains("tag-")), "{:?}", after.codes());
}

#[tokio::test]
async fn with_the_newest_release_unread_nobody_knows_what_to_go_back_to() {
    let mut estate = Estate::with_releases(3);
    estate.push("v1.3.0", "the one that runs");
    estate.memory.make_unreadable(REPOSITORY, "v1.3.0");
    let reported = estate.run(Mode::Audit).await;
    assert_eq!(reported.repositories[0].rollback.intact, None);
    estate.memory.heal();
    let reported = estate.run(Mode::Audit).await;
    assert_eq!(reported.repositories[0].rollback.intact, Some(true));
}
