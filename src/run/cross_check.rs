//! Holding answers against each other before anything is decided on them (I25): what HEAD said of a tag and what GET
//! serves, what a list leaves out and what is served all the same. What proves what is in `model::evidence`.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use futures::stream;

use crate::decide::{Rules, Survey};
use crate::model::{
    ArtifactId, ChartVersion, Disagreement, Inspection, Obstacle, Pin, Presence, RepositoryKind, RepositoryName,
    RepositoryState, Resolution, Snapshot, Tag, TagHistory,
};
use crate::sources::Inventory;

/// So many of a target's tags are read by their bytes, those that rules name first.
const TAGS_OF_EACH: usize = 4;

/// So many tags that no list names are looked for where they last were; of the others nothing is concluded.
const MOST_SOUGHT: usize = 256;

/// What the bytes behind tags said, once for each tag and run.
#[derive(Debug, Default)]
pub(super) struct Words {
    tags: BTreeMap<Tag, TagStatement>,
    held: BTreeSet<ArtifactId>,
}

#[derive(Debug, Clone)]
struct TagStatement {
    listed: ArtifactId,
    served: Resolution,
    disagreement: Option<Disagreement>,
}

impl Words {
    /// Puts what the bytes say in the place of what a list said, where that would be a change.
    pub(super) async fn confirm(
        &mut self,
        inventory: &dyn Inventory,
        repository: &RepositoryName,
        survey: &Survey,
        snapshot: &mut Snapshot,
        concurrency: usize,
    ) {
        let asked = survey.changed.iter().cloned();
        for (tag, (word, gap)) in ask(inventory, repository, asked, Reads::Once, concurrency).await {
            if let Ok(at) = snapshot.tags.binary_search_by(|observed| observed.name.cmp(&tag)) {
                snapshot.tags[at].target = word.served.clone();
            }
            snapshot.gaps.extend(gap);
            self.tags.insert(tag, word);
        }
    }

    /// Reads the tags of artifacts that were looked at, and notes with each of them where the answers do not agree.
    pub(super) async fn hold(
        &mut self,
        inventory: &dyn Inventory,
        repository: &RepositoryName,
        rules: &Rules,
        snapshot: &Snapshot,
        inspections: &mut BTreeMap<ArtifactId, Inspection>,
        concurrency: usize,
    ) {
        if !inventory.reads_tags().await {
            return;
        }
        let new: BTreeSet<ArtifactId> =
            inspections.keys().filter(|artifact| !self.held.contains(*artifact)).cloned().collect();
        let mut asked: Vec<(Tag, ArtifactId)> = Vec::new();
        for (artifact, tags) in tags_of(&new, rules, snapshot) {
            let unasked = tags.into_iter().filter(|tag| !self.tags.contains_key(*tag)).take(TAGS_OF_EACH);
            asked.extend(unasked.map(|tag| (tag.clone(), artifact.clone())));
        }
        for (tag, (word, gap)) in ask(inventory, repository, asked, Reads::Each, concurrency).await {
            // Not to be reported is no contradiction, and no ground to doubt what HEAD says either.
            if gap.is_none() {
                self.tags.insert(tag, word);
            }
        }
        self.held.extend(new);
        self.note(inspections);
    }

    /// Notes with artifacts, newly looked at or again, what their tags' bytes said.
    pub(super) fn note(&self, inspections: &mut BTreeMap<ArtifactId, Inspection>) {
        for (tag, word) in &self.tags {
            let served = word.served.artifact();
            for artifact in [Some(&word.listed), served].into_iter().flatten().collect::<BTreeSet<_>>() {
                let Some(seen) = inspections.get_mut(artifact) else { continue };
                let disagreement = match &word.disagreement {
                    Some(disagreement) => Some(disagreement.clone()),
                    None if seen.presence == Presence::NotFound && served == Some(artifact) => Some(Disagreement {
                        said: "GET by digest answers 404".to_owned(),
                        but: format!("tag {tag} serves exactly these bytes"),
                    }),
                    None => None,
                };
                let Some(Disagreement { said, but }) = disagreement else { continue };
                if seen.presence == Presence::NotFound && served == Some(artifact) {
                    seen.presence = Presence::Unknown;
                }
                let obstacle = Obstacle::Contradiction { about: format!("tag {tag}"), said, but };
                if !seen.obstacles.contains(&obstacle) {
                    seen.obstacles.push(obstacle);
                }
            }
        }
    }
}

/// What a list names is not gone, whatever look-ups say: an artifact that is not found, while a tag that last named it, or
/// its pin, is listed and not served, is not known to be missing (I4, I25).
pub(super) fn still_listed(
    snapshot: &Snapshot,
    state: &RepositoryState,
    inspections: &mut BTreeMap<ArtifactId, Inspection>,
) {
    if snapshot.unserved.is_empty() || !inspections.values().any(|seen| seen.presence == Presence::NotFound) {
        return;
    }
    for (artifact, seen) in inspections.iter_mut().filter(|(_, seen)| seen.presence == Presence::NotFound) {
        let is_named = |tag: &&Tag| match (Pin::read(tag), artifact.digest()) {
            (Some(pin), Some(digest)) => pin.names(digest),
            _ => state.tags.get(*tag).and_then(TagHistory::latest).is_some_and(|last| last.artifact == *artifact),
        };
        let Some(tag) = snapshot.unserved.keys().find(is_named) else { continue };
        seen.presence = Presence::Unknown;
        seen.obstacles.push(Obstacle::Contradiction {
            about: format!("tag {tag}"),
            said: "the list of tags names it".to_owned(),
            but: "GET answers 404".to_owned(),
        });
    }
}

/// The tags of each of these artifacts; those that production rules name first.
fn tags_of<'a>(
    artifacts: &'a BTreeSet<ArtifactId>,
    rules: &Rules,
    snapshot: &'a Snapshot,
) -> BTreeMap<&'a ArtifactId, Vec<&'a Tag>> {
    let mut tags: BTreeMap<&ArtifactId, Vec<(bool, &Tag)>> = BTreeMap::new();
    for observed in &snapshot.tags {
        let Some(artifact) = observed.target.artifact().filter(|artifact| artifacts.contains(*artifact)) else {
            continue;
        };
        if Pin::read(&observed.name).is_none() {
            let named = rules.names(&observed.name, observed.label());
            tags.entry(artifact).or_default().push((!named, &observed.name));
        }
    }
    let sorted = |mut tags: Vec<(bool, &'a Tag)>| {
        tags.sort();
        tags.into_iter().map(|(_, tag)| tag).collect()
    };
    tags.into_iter().map(|(artifact, tags)| (artifact, sorted(tags))).collect()
}

/// Whose bytes are read.
#[derive(Debug, Clone, Copy)]
enum Reads {
    /// Those of one tag for each manifest.
    Once,
    /// Those of each tag.
    Each,
}

type Answer = (TagStatement, Option<crate::model::Gap>);

async fn ask(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    tags: impl IntoIterator<Item = (Tag, ArtifactId)>,
    reads: Reads,
    concurrency: usize,
) -> BTreeMap<Tag, Answer> {
    let answers = stream::iter(tags).map(|(tag, listed)| async move {
        let answer = by_bytes(inventory, repository, &tag, listed, reads).await;
        (tag, answer)
    });
    answers.buffer_unordered(concurrency).collect().await
}

/// What a tag's bytes say. Where that differs, the list's word is asked for again: a tag may have moved in between.
async fn by_bytes(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    tag: &Tag,
    listed: ArtifactId,
    reads: Reads,
) -> Answer {
    let (served, gap) = match reads {
        Reads::Once => inventory.confirm(repository, tag, listed.clone()).await,
        Reads::Each => inventory.read_tag(repository, tag, listed.clone()).await,
    };
    let differs = served != Resolution::Unknown && served.artifact() != Some(&listed);
    let disagreement = match differs && inventory.confirms_by_bytes() {
        true => {
            let (again, _) = inventory.look_up(repository, tag).await;
            (again.artifact() == Some(&listed)).then(|| Disagreement {
                said: format!("HEAD says that it names {listed}"),
                but: match served.artifact() {
                    Some(served) => format!("GET serves bytes that hash to {served}"),
                    None => "GET answers 404".to_owned(),
                },
            })
        }
        false => None,
    };
    (TagStatement { listed, served, disagreement }, gap)
}

/// Takes out of what was looked up what is not gone, only in no list any more, and remembers it in the snapshot.
pub(super) async fn left_out(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    looked_up: &mut BTreeMap<Tag, Resolution>,
    snapshot: &mut Snapshot,
    concurrency: usize,
) {
    // Found by a direct look-up, and not by the list.
    snapshot.left_out =
        looked_up.iter().filter(|(_, found)| found.artifact().is_some()).map(|(tag, _)| tag.clone()).collect();
    let mut gone: Vec<Tag> =
        looked_up.iter().filter(|(_, found)| **found == Resolution::NotFound).map(|(tag, _)| tag.clone()).collect();
    // The newest first: they are what anybody would go back to.
    gone.sort_by(|a, b| match (ChartVersion::read(a.as_str()), ChartVersion::read(b.as_str())) {
        (Some(a), Some(b)) => b.precedence(&a),
        _ => b.cmp(a),
    });
    let unsought = gone.split_off(gone.len().min(MOST_SOUGHT));
    let sought = stream::iter(gone).map(|tag| async move {
        let is_left_out = inventory.is_left_out(repository, &tag).await;
        (tag, is_left_out)
    });
    let found: Vec<(Tag, bool)> = sought.buffer_unordered(concurrency).collect().await;
    if !found.iter().any(|(_, is_left_out)| *is_left_out) {
        return;
    }
    let left = found.into_iter().filter(|(_, is_left_out)| *is_left_out).map(|(tag, _)| tag);
    // Where some are there still, those that were not sought may be as well.
    for tag in left.chain(unsought) {
        looked_up.remove(&tag);
        snapshot.left_out.insert(tag);
    }
}

/// The artifacts that only tags lead to which no list names, or of which an index says another digest now. What an index
/// says of an archive is not what the archive is (I25).
pub(super) fn known_by_left_out(snapshot: &Snapshot, state: &RepositoryState) -> BTreeMap<ArtifactId, Tag> {
    let known = snapshot.left_out.iter().filter_map(|tag| Some((tag, state.tags.get(tag)?.sightings())));
    let moved = state.tags.iter().filter(|_| snapshot.kind == RepositoryKind::Charts);
    let moved = moved.filter_map(|(tag, history)| Some((tag, history.sightings().split_last()?.1)));
    moved
        .chain(known)
        .flat_map(|(tag, sightings)| sightings.iter().map(move |sighting| (sighting.artifact.clone(), tag.clone())))
        .collect()
}
