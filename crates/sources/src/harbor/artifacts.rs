//! Every artifact of a repository with its tags, and everything that decides how long it stays.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::api::{Place, Rows};
use super::documents::{ArtifactRow, RepositoryRow, TagRow, time};
use super::estate::{Estate, Project};
use crate::{Inventory, Reservation, outgrown};
use prodpin_core::model::{
    Cause, Cleanup, Digest, Gap, GapTally, HarborArtifact, HarborRepository, HarborTag, ObservedTag, RepositoryKind,
    RepositoryName, Resolution, Retention, Scope, Snapshot, Tag, TagTable,
};
use prodpin_net::http::fault::Fault;

/// More than this is no repository but an attempt to fill memory (I20).
const MOST_ARTIFACTS: usize = 2_000_000;

/// What an artifact takes beside its tags, with what rules make of it.
const ARTIFACT_COST: usize = 640;

/// By what artifacts are listed: a push meanwhile comes last, and moves no page (J3). Immutability is matched here: the flag
/// for it costs Harbor a query for every tag (J6).
const QUERY: &str = "sort=id&with_tag=true&with_label=true";

/// What of a repository is read beside `/v2`. `registry` is asked for what pages contradict each other about.
pub(super) async fn observe(
    estate: &Estate,
    registry: &dyn Inventory,
    name: &RepositoryName,
    memory: &Reservation,
    known: &TagTable,
) -> Snapshot {
    let Some(place) = Place::of(name) else { return nowhere(name) };
    let (listed, project, version, collection, (replication, unread)) = tokio::join!(
        list(estate, &place, memory),
        estate.project(&place.project),
        estate.version(),
        estate.collection(),
        estate.replication()
    );
    let mut fold = Fold::default();
    let mut end = listed.end;
    if end.is_none() && listed.rows.is_empty() {
        end = is_there(estate, &place).await.err();
    }
    let is_gone = end.as_ref().is_some_and(|fault| fault.cause == Cause::NotFound);
    listed.rows.into_iter().for_each(|row| fold.take(row, known));
    fold.settle(registry, name).await;
    let mut gaps = fold.gaps.finish();
    gaps.extend(end.map(|fault| fault.gap(Scope::Repository)));
    if !is_gone {
        // The list of tags is whole without them.
        gaps.extend(project.faults.iter().cloned().chain(unread).map(|fault| fault.gap(Scope::Setting)));
    }
    let Project { cached_from, policy, immutable, neighbours, .. } = &*project;
    let retention = HarborRepository {
        project: place.project,
        name: place.name,
        neighbours: Arc::clone(neighbours),
        artifacts: fold.artifacts.into_iter().map(|(_, artifact)| artifact).collect(),
        policy: policy.clone(),
        immutable: immutable.clone(),
        version,
        collection,
        replication,
        cached_from: cached_from.clone(),
    };
    Snapshot {
        tags: fold.tags,
        unserved: BTreeMap::new(),
        left_out: BTreeSet::new(),
        gaps,
        retention: Retention::Harbor(Box::new(retention)),
        kind: RepositoryKind::Artifacts,
        made: None,
        cleanup: Cleanup::default(),
    }
}

fn nowhere(name: &RepositoryName) -> Snapshot {
    let detail = format!("{:?} is no repository of Harbor's: each has its project in front", name.as_str());
    Snapshot { gaps: vec![Gap::new(Scope::Repository, Cause::Malformed, detail)], ..Snapshot::default() }
}

async fn list(estate: &Estate, place: &Place, memory: &Reservation) -> Rows<ArtifactRow> {
    let mut read = 0;
    let room = |rows: &[ArtifactRow]| {
        read += rows.len();
        let tags: usize = rows.iter().map(|row| row.tags.as_ref().map_or(0, Vec::len)).sum();
        let cost = rows.len() * ARTIFACT_COST + tags * (Snapshot::TAG_COST + Snapshot::DATE_COST);
        if memory.take(cost).is_err() || read > MOST_ARTIFACTS {
            return Err(Fault::refused(outgrown(read, "artifacts").detail));
        }
        Ok(())
    };
    estate.api.list(&place.artifacts(), QUERY, room).await
}

/// A repository that is not there lists as an empty one, with 200 (J3): by itself it is there or not.
async fn is_there(estate: &Estate, place: &Place) -> Result<(), Fault> {
    let path = place.path();
    let found = estate.api.document_if_there::<RepositoryRow>(&path).await.map_err(|fault| match fault.cause {
        Cause::Denied => {
            let detail = format!(
                "{}; its list is empty, which a missing repository's is, too; grant repository:read",
                fault.detail
            );
            Fault::new(fault.cause, detail)
        }
        _ => fault,
    })?;
    match found {
        // A stranger is answered so about what is only not for strangers (J40).
        None => Err(estate.must_be_logged_in().await.err().unwrap_or_else(|| {
            Fault::new(
                Cause::NotFound,
                format!("{}: Harbor says that there is no such repository", estate.api.what(&path)),
            )
        })),
        Some(row) if row.artifact_count.is_some_and(|count| count > 0) => Err(Fault::malformed(format!(
            "{}: its list of artifacts is empty, and the repository says that it has {}",
            estate.api.what(&path),
            row.artifact_count.unwrap_or_default()
        ))),
        Some(_) => Ok(()),
    }
}

/// Artifacts, by their ids, and tags, as they are read.
#[derive(Default)]
struct Fold {
    artifacts: Vec<(i64, HarborArtifact)>,
    tags: Vec<ObservedTag>,
    gaps: GapTally,
}

impl Fold {
    fn take(&mut self, row: ArtifactRow, known: &TagTable) {
        match self.read(row, known) {
            Ok(artifact) => self.artifacts.push(artifact),
            // What it is called is not known either: the list is not whole.
            Err(reason) => self.lacks(format!("the list of artifacts: {reason}")),
        }
    }

    fn lacks(&mut self, detail: String) {
        self.gaps.push(Gap::new(Scope::Repository, Cause::Malformed, detail));
    }

    fn read(&mut self, row: ArtifactRow, known: &TagTable) -> Result<(i64, HarborArtifact), String> {
        let digest: Digest = row.digest.parse().map_err(|error| format!("{error}"))?;
        let wrong = |()| format!("{digest} with a time that is none");
        let pushed = time(row.push_time.as_deref()).map_err(wrong)?;
        let pushed = pushed.ok_or_else(|| format!("{digest} without a time of its push"))?;
        let pulled = time(row.pull_time.as_deref()).map_err(wrong)?;
        let mut children = Vec::new();
        for child in row.references.into_iter().flatten() {
            children.push(child.child_digest.parse().map_err(|error| format!("a part of {digest}: {error}"))?);
        }
        let mut tags = Vec::new();
        for TagRow { name, push_time, pull_time, .. } in row.tags.into_iter().flatten() {
            let tag_pushed = time(push_time.as_deref()).map_err(wrong)?.unwrap_or(pushed);
            let tag_pulled = time(pull_time.as_deref()).map_err(wrong)?;
            match name.parse::<Tag>() {
                Ok(tag) => {
                    let same = known.get_key_value(&tag).map(|(known, _)| known.clone());
                    self.tags.push(ObservedTag {
                        name: same.unwrap_or(tag),
                        target: Resolution::Artifact(digest.clone().into()),
                        pushed: Some(Box::new(tag_pushed)),
                        object: None,
                    });
                }
                Err(error) => self.lacks(format!("the list of artifacts: {error}")),
            }
            tags.push(HarborTag { name, pushed: tag_pushed, pulled: tag_pulled });
        }
        let labels = row.labels.into_iter().flatten().map(|label| label.name).collect();
        Ok((row.id, HarborArtifact { digest, tags, pushed, pulled, labels, is_referenced: false, children }))
    }

    /// Makes one state of what pages said one after the other: each digest once, each tag once (F19).
    async fn settle(&mut self, registry: &dyn Inventory, name: &RepositoryName) {
        // Of two rows about one digest the later one knows more.
        self.artifacts.reverse();
        self.artifacts.sort_by(|(_, a), (_, b)| a.digest.cmp(&b.digest));
        self.artifacts.dedup_by(|(_, later), (_, first)| later.digest == first.digest);
        self.tags.sort_by(|a, b| a.name.cmp(&b.name));
        let mut torn: Vec<Tag> = self
            .tags
            .windows(2)
            .filter(|pair| pair[0].name == pair[1].name && pair[0].target != pair[1].target)
            .map(|pair| pair[0].name.clone())
            .collect();
        torn.dedup();
        self.tags.dedup_by(|later, first| later.name == first.name);
        for tag in torn {
            let (target, gap) = registry.look_up(name, &tag).await;
            if let Some(gap) = gap {
                self.gaps.push(gap);
            }
            self.mend(&tag, target);
        }
        let referenced: BTreeSet<Digest> =
            self.artifacts.iter().flat_map(|(_, index)| index.children.iter().cloned()).collect();
        for (_, artifact) in &mut self.artifacts {
            artifact.is_referenced = referenced.contains(&artifact.digest);
        }
        // As Harbor lists them to its rules: the push latest first, then the id (J3).
        self.artifacts.sort_by(|(id, a), (other, b)| (b.pushed, other).cmp(&(a.pushed, id)));
        Tag::pack(self.tags.iter_mut().map(|tag| &mut tag.name));
        self.tags.shrink_to_fit();
    }

    /// Leaves a tag that two pages had in two places where a direct look saw it.
    fn mend(&mut self, tag: &Tag, target: Resolution) {
        let there = target.artifact().and_then(|artifact| artifact.digest()).cloned();
        if target != Resolution::Unknown {
            for (_, artifact) in
                self.artifacts.iter_mut().filter(|(_, artifact)| there.as_ref() != Some(&artifact.digest))
            {
                artifact.tags.retain(|other| *other.name != *tag.as_str());
            }
        }
        if let Ok(at) = self.tags.binary_search_by(|observed| observed.name.cmp(tag)) {
            match target {
                Resolution::NotFound => drop(self.tags.remove(at)),
                target => self.tags[at].target = target,
            }
        }
    }
}
