//! Every image of a repository, page by page, each page made compact and dropped before the next is asked for (I20).

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageStatusFilter};

use prodpin_core::model::{
    Cause, Cleanup, EcrImage, EcrRepository, Gap, Mutability, ObservedTag, RepositoryKind, RepositoryName, Resolution,
    Retention, Scope, Setting, Snapshot, Tag,
};

use super::Registry;
use super::described::Described;
use super::failure::EcrFailure;
use super::images::{self, compact};
use super::transport::Call;
use crate::{Reservation, outgrown};
use prodpin_net::cursor::Cursor;

/// More images than this are no repository but an attempt to fill memory (I20). ECR's own limit is 100,000 unless
/// raised (A7), and F93 asks for a million.
const MOST_IMAGES: usize = 2_000_000;
const MOST_TAGS: usize = 5_000_000;

/// What an image takes beside its tags, with what lifecycle rules make of it.
const IMAGE_COST: usize = 640;

/// Gaps of one list: who is told of this many needs no more, and their number does the rest.
const MOST_GAPS: usize = 100;

/// Gaps, of which the first are kept and the others counted.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    reported: Vec<Gap>,
    unreported: u64,
}

impl Gaps {
    pub(super) fn push(&mut self, gap: Gap) {
        match self.reported.len() < MOST_GAPS {
            true => self.reported.push(gap),
            false => self.unreported += 1,
        }
    }

    /// All of them; what was only counted is one more.
    pub(super) fn finish(mut self, scope: Scope) -> Vec<Gap> {
        if self.unreported > 0 {
            let detail = format!("{} more of the same could not be read", self.unreported);
            self.reported.push(Gap::new(scope, Cause::Malformed, detail));
        }
        self.reported
    }
}

/// Images and tags as they are read.
#[derive(Debug, Default)]
struct Fold {
    images: Vec<EcrImage>,
    tags: Vec<ObservedTag>,
    gaps: Gaps,
    registry: Option<Box<str>>,
}

pub(super) async fn observe(registry: &Registry, name: &RepositoryName, memory: &Reservation) -> Snapshot {
    let (listed, described, lifecycle, access, cached_from) = tokio::join!(
        list(registry, name, memory),
        described(registry, name),
        lifecycle(registry, name),
        access(registry, name),
        super::settings::cached_from(registry, name),
    );
    let (mut fold, failure) = listed;
    let is_gone = failure.as_ref().is_some_and(|failure| failure.is_code("RepositoryNotFoundException"));
    if let Some(failure) = failure {
        fold.gaps.push(failure.gap(Scope::Repository));
    }
    // One word is enough about a repository that is not there.
    let mut note = |failure: EcrFailure| {
        if !is_gone {
            // The list of tags is whole without it: deletions are noticed, and protection is not proven (A54).
            fold.gaps.push(failure.gap(Scope::Setting));
        }
    };
    let lifecycle = lifecycle.unwrap_or_else(|failure| {
        note(failure);
        Setting::Unknown
    });
    let access = access.unwrap_or_else(|failure| {
        note(failure);
        Setting::Unknown
    });
    let described = described.map_err(note).ok();
    let owner = described.as_ref().and_then(|described| described.registry.clone()).or(fold.registry.take());
    let mutability = described.and_then(|described| fold.understood(name, described.mutability));
    fold.settle(registry, name).await;
    Snapshot {
        tags: fold.tags,
        unserved: BTreeMap::new(),
        left_out: BTreeSet::new(),
        gaps: fold.gaps.finish(Scope::Repository),
        retention: Retention::Ecr(Box::new(EcrRepository {
            registry: owner.or_else(|| registry.transport.account().map(Box::from)).unwrap_or_default(),
            images: fold.images,
            mutability,
            lifecycle,
            access,
            cached_from,
            manages_lifecycle: registry.config.manages_lifecycle,
            may_delete: registry.config.may_delete.clone(),
        })),
        kind: RepositoryKind::Artifacts,
        made: None,
        cleanup: Cleanup::default(),
    }
}

/// The images, to the end of the list or to where it broke.
async fn list(registry: &Registry, name: &RepositoryName, memory: &Reservation) -> (Fold, Option<EcrFailure>) {
    let (mut fold, mut cursor) = (Fold::default(), Cursor::default());
    let (transport, call) = (&registry.transport, Call::on("DescribeImages", name));
    // Archived ones are left out unless asked for (A3).
    let filter = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build();
    loop {
        let (id, token) = (registry.id(), cursor.token());
        let page = transport.call(call, |client| {
            let request = client.describe_images().repository_name(name.as_str()).set_registry_id(id.clone());
            request.filter(filter.clone()).max_results(registry.page_size).set_next_token(token.clone()).send()
        });
        let page = match page.await {
            Ok(page) => page,
            Err(failure) => return (fold, Some(failure)),
        };
        let Some(images) = page.image_details else {
            return (fold, Some(transport.malformed(&call, "a page without a list of images")));
        };
        let is_empty = images.is_empty();
        let tags: usize = images.iter().map(|image| image.image_tags().len()).sum();
        if memory.take(images.len() * IMAGE_COST + tags * (Snapshot::TAG_COST + Snapshot::DATE_COST)).is_err() {
            fold.gaps.push(outgrown(fold.images.len(), "images"));
            return (fold, None);
        }
        images.into_iter().for_each(|image| fold.take(image));
        match cursor.advance(page.next_token, is_empty) {
            Ok(true) if fold.images.len() > MOST_IMAGES || fold.tags.len() > MOST_TAGS => {
                let reason = format!("a list without an end: more than {MOST_IMAGES} images or {MOST_TAGS} tags");
                return (fold, Some(transport.malformed(&call, reason)));
            }
            Ok(true) => {}
            Ok(false) => return (fold, None),
            Err(reason) => return (fold, Some(transport.malformed(&call, reason))),
        }
    }
}

impl Fold {
    /// How tags may move, where this version understands what ECR says of it.
    fn understood(&mut self, name: &RepositoryName, mutability: Result<Mutability, Box<str>>) -> Option<Mutability> {
        match mutability {
            Ok(mutability) => Some(mutability),
            Err(reason) => {
                let detail = format!("{name}: {reason}; a newer prodpin may know it");
                self.gaps.push(Gap::new(Scope::Setting, Cause::Unsupported, detail));
                None
            }
        }
    }

    fn take(&mut self, detail: ImageDetail) {
        if self.registry.is_none() {
            self.registry = detail.registry_id().map(Box::from);
        }
        match compact(detail, &mut self.gaps) {
            Ok(image) => {
                self.tags.extend(image.tags.iter().map(|tag| ObservedTag {
                    name: tag.clone(),
                    target: Resolution::Artifact(image.digest.clone().into()),
                    pushed: image.pushed.map(Box::new),
                    object: None,
                }));
                self.images.push(image);
            }
            // What it is called is not known either: some tag may be on it, so the list is not whole.
            Err(reason) => self.gaps.push(Gap::new(Scope::Repository, Cause::Malformed, reason)),
        }
    }

    /// Makes of what pages said, which were read one after the other while others pushed, what holds now: every digest
    /// once, every tag once (F19).
    async fn settle(&mut self, registry: &Registry, name: &RepositoryName) {
        self.tags.sort_by(|a, b| a.name.cmp(&b.name));
        let is_twice = |pair: &[ObservedTag]| pair[0].name == pair[1].name && pair[0].target != pair[1].target;
        let mut torn: Vec<Tag> =
            self.tags.windows(2).filter(|pair| is_twice(pair)).map(|pair| pair[0].name.clone()).collect();
        torn.dedup();
        self.tags.dedup_by(|later, earlier| later.name == earlier.name);
        for tag in torn {
            let now = images::by_tag(registry, name, &tag).await;
            self.mend(&tag, now);
        }
        // Of two rows about one digest the later tells more.
        self.images.reverse();
        self.images.sort_by(|a, b| a.digest.cmp(&b.digest));
        self.images.dedup_by(|earlier, later| earlier.digest == later.digest);
    }

    /// Puts a tag that two pages had in two places where a direct look saw it.
    fn mend(&mut self, tag: &Tag, now: Result<Option<EcrImage>, EcrFailure>) {
        let (target, pushed) = match now {
            Ok(Some(image)) => (Resolution::Artifact(image.digest.into()), image.pushed),
            Ok(None) => (Resolution::NotFound, None),
            Err(failure) => {
                self.gaps.push(failure.gap(Scope::Tag(tag.clone())));
                (Resolution::Unknown, None)
            }
        };
        let there = target.artifact().and_then(|artifact| artifact.digest()).cloned();
        let stale = |image: &&mut EcrImage| {
            target != Resolution::Unknown && there.as_ref() != Some(&image.digest) && image.tags.contains(tag)
        };
        for image in self.images.iter_mut().filter(stale) {
            image.tags = image.tags.iter().filter(|other| *other != tag).cloned().collect();
        }
        match (target, self.tags.binary_search_by(|observed| observed.name.cmp(tag))) {
            (Resolution::NotFound, Ok(at)) => drop(self.tags.remove(at)),
            (target, Ok(at)) => {
                self.tags[at].target = target;
                self.tags[at].pushed = pushed.map(Box::new);
            }
            (_, Err(_)) => {}
        }
    }
}

/// The settings of a repository, as a list told them already, or asked for.
async fn described(registry: &Registry, name: &RepositoryName) -> Result<Described, EcrFailure> {
    match registry.handover.take(name) {
        Some(described) => Ok(described),
        None => describe(registry, name).await,
    }
}

/// The settings of a repository that no list has told about.
async fn describe(registry: &Registry, name: &RepositoryName) -> Result<Described, EcrFailure> {
    let (id, call) = (registry.id(), Call::on("DescribeRepositories", name));
    let found = registry.transport.call(call, |client| {
        client.describe_repositories().set_registry_id(id.clone()).repository_names(name.as_str()).send()
    });
    let found = found.await?;
    let ours = found.repositories().iter().find(|found| found.repository_name() == Some(name.as_str()));
    ours.map(Described::read).ok_or_else(|| registry.transport.malformed(&call, "an answer about something else"))
}

/// The lifecycle policy. Not to be there is a state of its own, with an error code of its own.
pub(super) async fn lifecycle(registry: &Registry, name: &RepositoryName) -> Result<Setting, EcrFailure> {
    let (id, call) = (registry.id(), Call::on("GetLifecyclePolicy", name));
    let answer = registry.transport.call(call, |client| {
        client.get_lifecycle_policy().set_registry_id(id.clone()).repository_name(name.as_str()).send()
    });
    match answer.await {
        Ok(answer) => text(answer.lifecycle_policy_text, || registry.transport.malformed(&call, "no policy text")),
        Err(failure) if failure.is_code("LifecyclePolicyNotFoundException") => Ok(Setting::Unset),
        Err(failure) => Err(failure),
    }
}

/// The repository policy.
async fn access(registry: &Registry, name: &RepositoryName) -> Result<Setting, EcrFailure> {
    let (id, call) = (registry.id(), Call::on("GetRepositoryPolicy", name));
    let answer = registry.transport.call(call, |client| {
        client.get_repository_policy().set_registry_id(id.clone()).repository_name(name.as_str()).send()
    });
    match answer.await {
        Ok(answer) => text(answer.policy_text, || registry.transport.malformed(&call, "no policy text")),
        Err(failure) if failure.is_code("RepositoryPolicyNotFoundException") => Ok(Setting::Unset),
        Err(failure) => Err(failure),
    }
}

fn text(text: Option<String>, lacking: impl FnOnce() -> EcrFailure) -> Result<Setting, EcrFailure> {
    match text {
        Some(text) if !text.trim().is_empty() => Ok(Setting::Text(text.into())),
        _ => Err(lacking()),
    }
}
