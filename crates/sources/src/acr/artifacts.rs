//! Every manifest and tag of a repository with their times and locks, and what indexes list, where a purge goes by that.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _};

use super::api::{Api, Rows};
use super::documents::{Attributes, ManifestPage, ManifestRow, TagPage, TagRow, time};
use crate::{Reservation, outgrown};
use prodpin_core::model::{
    AcrManifest, AcrPurges, AcrRepository, AcrRetention, AcrTag, Cause, Cleanup, Digest, Gap, GapTally, ObservedTag,
    RepositoryKind, RepositoryName, Resolution, Retention, Scope, Snapshot, Tag, TagTable,
};
use prodpin_net::http::fault::Fault;

/// More than this is no repository but an attempt to fill memory (I20).
const MOST_ROWS: usize = 2_000_000;

/// What a manifest takes beside its tags, with what a purge makes of it.
const MANIFEST_COST: usize = 512;

/// How often the lists are read until they agree with each other and with what the registry counts.
const WALKS: usize = 3;

/// Manifests that are read at once for what they list.
const AT_ONCE: usize = 6;

/// What of a repository is read beside `/v2`.
pub(super) async fn observe(
    api: &Api,
    purges: &AcrPurges,
    name: &RepositoryName,
    memory: &Reservation,
    known: &TagTable,
) -> Snapshot {
    let (mut fold, end) = walks(api, name, memory, known).await;
    let mut gaps = std::mem::take(&mut fold.gaps).finish();
    let is_whole = end.is_none() && gaps.is_empty();
    gaps.extend(end.map(|fault| fault.gap(Scope::Repository)));
    let mut repository = AcrRepository { name: name.clone(), manifests: fold.manifests.into_values().collect() };
    // As a purge lists them: what was changed last comes first.
    repository.manifests.sort_by(|a, b| (Reverse(a.updated), &a.digest).cmp(&(Reverse(b.updated), &b.digest)));
    let mut unread = None;
    if is_whole && looks_below(purges) {
        unread = read_below(api, name, &mut repository).await.err();
        gaps.extend(unread.clone().map(|fault| fault.gap(Scope::Setting)));
    }
    let unread = unread.map(|fault| Box::from(fault.detail));
    let retention = Retention::Acr(Box::new(AcrRetention { repository, purges: purges.clone(), unread }));
    Snapshot {
        tags: fold.tags,
        unserved: BTreeMap::new(),
        left_out: BTreeSet::new(),
        gaps,
        retention,
        kind: RepositoryKind::Artifacts,
        made: None,
        cleanup: Cleanup::default(),
    }
}

/// Whether some command takes manifests without a tag: only then it matters what lists what.
fn looks_below(purges: &AcrPurges) -> bool {
    purges.commands().iter().any(|command| {
        let purge = &command.purge;
        (purge.untagged || purge.untagged_only) && !purge.dry_run
    })
}

/// Reads until the lists agree, for the repository may change meanwhile.
async fn walks(api: &Api, name: &RepositoryName, memory: &Reservation, known: &TagTable) -> (Fold, Option<Fault>) {
    let mut most = 0;
    let mut walk = 0;
    loop {
        walk += 1;
        let (fold, outcome) = read(api, name, (memory, &mut most), known).await;
        match outcome {
            Ok(None) => return (fold, None),
            Ok(Some(torn)) if walk >= WALKS => {
                let detail = format!(
                    "{}: {torn}, in each of {WALKS} tries: the lists change while they are read, or a page of them is lost",
                    api.what(&format!("/acr/v1/{name}"))
                );
                return (fold, Some(Fault::malformed(detail)));
            }
            Ok(Some(_)) => {}
            Err(fault) => return (fold, Some(fault)),
        }
    }
}

/// One reading of both lists; what is inside says why it cannot be all.
async fn read(
    api: &Api,
    name: &RepositoryName,
    (memory, most): (&Reservation, &mut usize),
    known: &TagTable,
) -> (Fold, Result<Option<String>, Fault>) {
    let mut fold = Fold::default();
    let counted = match api.repository(name).await {
        Ok(counted) => counted,
        Err(fault) => return (fold, Err(fault)),
    };
    let mut taken = 0;
    let mut room = |cost: usize, count: usize| {
        taken += cost;
        // What an earlier walk had room for needs none again.
        let more = taken.saturating_sub(*most);
        *most = (*most).max(taken);
        match more == 0 || (memory.take(more).is_ok() && count <= MOST_ROWS) {
            true => Ok(()),
            false => Err(Fault::refused(outgrown(count, "manifests and tags").detail)),
        }
    };
    let mut count = 0;
    let Rows { rows: manifests, end } = {
        let mut ask = |rows: &[ManifestRow]| {
            count += rows.len();
            room(rows.len() * MANIFEST_COST, count)
        };
        api.list::<ManifestPage, _>(name, "_manifests", &mut ask).await
    };
    manifests.into_iter().for_each(|row| fold.take_manifest(row));
    // One that is listed twice is one.
    let manifests_listed = fold.manifests.len();
    if let Some(fault) = end {
        return (fold, Err(fault));
    }
    let Rows { rows: tags, end } = {
        let mut ask = |rows: &[TagRow]| {
            count += rows.len();
            room(rows.len() * (Snapshot::TAG_COST + Snapshot::DATE_COST), count)
        };
        api.list::<TagPage, _>(name, "_tags", &mut ask).await
    };
    let tags_listed = tags.len();
    let strangers: Vec<Tag> = tags.into_iter().filter_map(|row| fold.take_tag(row, known)).collect();
    fold.pack();
    let differs = |listed: usize, counted: Option<usize>, what: &str| {
        let counted = counted.filter(|counted| *counted != listed)?;
        Some(format!("it lists {listed} {what} and says that there are {counted}"))
    };
    let torn = differs(manifests_listed, counted.manifest_count, "manifests")
        .or_else(|| differs(tags_listed, counted.tag_count, "tags"))
        .or_else(|| strangers.first().map(|tag| format!("tag {tag} names a manifest that is not in the list of them")));
    (fold, end.map_or(Ok(torn), Err))
}

/// Manifests and tags as they are read.
#[derive(Default)]
struct Fold {
    manifests: BTreeMap<Digest, AcrManifest>,
    tags: Vec<ObservedTag>,
    gaps: GapTally,
}

impl Fold {
    fn lacks(&mut self, detail: String) {
        self.gaps.push(Gap::new(Scope::Repository, Cause::Malformed, detail));
    }

    fn take_manifest(&mut self, row: ManifestRow) {
        let read = row.digest.parse::<Digest>().map_err(|error| format!("{error}")).and_then(|digest| {
            let updated = row.last_update_time.as_deref().map(time).transpose();
            Ok((updated.map_err(|wrong| format!("{digest} with {wrong}"))?, digest))
        });
        match read {
            Ok((updated, digest)) => {
                let locks = Attributes::locks(row.changeable_attributes);
                let (media_type, key) = (row.media_type, digest.clone());
                let (children, subject, tags) = (Vec::new(), None, Vec::new());
                self.manifests.insert(key, AcrManifest { digest, media_type, updated, locks, children, subject, tags });
            }
            Err(reason) => self.lacks(format!("the list of manifests: {reason}")),
        }
    }

    /// The tag, if what it names was not listed.
    fn take_tag(&mut self, row: TagRow, known: &TagTable) -> Option<Tag> {
        let (tag, digest) = match (row.name.parse::<Tag>(), row.digest.parse::<Digest>()) {
            (Ok(tag), Ok(digest)) => (tag, digest),
            (Err(error), _) => {
                self.lacks(format!("the list of tags: {error}"));
                return None;
            }
            (_, Err(error)) => {
                self.lacks(format!("the list of tags: {error}"));
                return None;
            }
        };
        let updated = match time(&row.last_update_time) {
            Ok(updated) => updated,
            Err(wrong) => {
                self.lacks(format!("the list of tags: {tag} with {wrong}"));
                return None;
            }
        };
        let same = known.get_key_value(&tag).map(|(known, _)| known.clone());
        let name = same.unwrap_or(tag);
        let target = Resolution::Artifact(digest.clone().into());
        self.tags.push(ObservedTag { name: name.clone(), target, pushed: Some(Box::new(updated)), object: None });
        let locks = Attributes::locks(row.changeable_attributes);
        match self.manifests.get_mut(&digest) {
            Some(manifest) => {
                manifest.tags.push(AcrTag { name, updated, locks });
                None
            }
            None => Some(name),
        }
    }

    /// Each tag once.
    fn pack(&mut self) {
        self.tags.sort_by(|a, b| a.name.cmp(&b.name));
        let torn = self.tags.windows(2).find(|pair| pair[0].name == pair[1].name).map(|pair| pair[0].name.clone());
        if let Some(tag) = torn {
            self.lacks(format!("the list of tags names {tag} twice"));
            self.tags.dedup_by(|later, first| later.name == first.name);
        }
        Tag::pack(self.tags.iter_mut().map(|tag| &mut tag.name));
        self.tags.shrink_to_fit();
    }
}

/// Reads what indexes list, and what manifests without a tag refer to: a purge of untagged manifests goes by both (K49).
async fn read_below(api: &Api, name: &RepositoryName, repository: &mut AcrRepository) -> Result<(), Fault> {
    let asked: Vec<(usize, Digest)> = repository
        .manifests
        .iter()
        .enumerate()
        .filter(|(_, manifest)| {
            lists(manifest.media_type.as_deref()) || (manifest.tags.is_empty() && may_refer(manifest))
        })
        .map(|(place, manifest)| (place, manifest.digest.clone()))
        .collect();
    let asked = asked.into_iter().map(|(place, digest)| async move { (place, api.referred(name, &digest).await) });
    let mut asked = stream::iter(asked).buffer_unordered(AT_ONCE);
    while let Some((place, referred)) = asked.next().await {
        let manifest = &mut repository.manifests[place];
        match referred {
            Ok(Some(referred)) => (manifest.children, manifest.subject) = (referred.children, referred.subject),
            // It went meanwhile: what it listed is judged as if nothing listed it.
            Ok(None) => {}
            Err(fault) => {
                let detail = format!("what {name}@{} lists, a purge goes by: {}", manifest.digest, fault.detail);
                return Err(Fault::new(fault.cause, detail));
            }
        }
    }
    Ok(())
}

/// Whether a purge looks at what a manifest without a tag refers to.
fn may_refer(manifest: &AcrManifest) -> bool {
    manifest.media_type.as_deref().is_none_or(|kind| kind.starts_with("application/vnd.oci."))
}

/// Whether a manifest may list others, by its type.
fn lists(media_type: Option<&str>) -> bool {
    media_type.is_none_or(|kind| kind.contains("index") || kind.contains("manifest.list"))
}
