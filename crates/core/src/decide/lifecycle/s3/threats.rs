//! What happens to rollback targets.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{
    ArtifactId, BucketRetention, Certainty, Due, Effect, Inspection, Lock, ObjectFacts, ObservedTag, Presence,
    Replication, Resolution, Retained, Tag, Threat, Versioning,
};

use super::doubt::Holds;
use super::key::{Entry, EntryKind, Key, is_null};
use super::rules::{Lifecycle, matches};
use super::timeline::{Act, Effort, TimelineStep, timeline_of};

/// What was listed and read of a bucket, and what is held there.
#[derive(Debug, Clone, Copy)]
pub struct Objects<'a> {
    /// Its settings and rules.
    pub bucket: &'a BucketRetention,
    /// The keys that were listed.
    pub tags: &'a [ObservedTag],
    /// What closer looks at some versions showed.
    pub inspections: &'a BTreeMap<ArtifactId, Inspection>,
    /// Versions that are held, or will be as far as the bucket can hold anything.
    pub held: &'a BTreeSet<ArtifactId>,
}

/// Everything that the rules will do to these targets: by target, the first of each kind of effect of each rule. One
/// of which nothing is known is not in it, nor one whose key has more versions than can be judged. None where the rules
/// could not be read, which is not the same as no threat.
///
/// Nobody knows the future: what is overwritten or deleted by people from now on is not in it.
#[must_use]
pub fn threats(
    objects: &Objects<'_>,
    targets: &BTreeSet<ArtifactId>,
    now: Timestamp,
) -> Option<BTreeMap<ArtifactId, Vec<Threat>>> {
    let bucket = objects.bucket;
    let lifecycle = Lifecycle::new(bucket.lifecycle.as_deref()?);
    let mut found = BTreeMap::new();
    let mut effort = Effort::new();
    for target in targets {
        let ArtifactId::ObjectVersion { key: name, version } = target else { continue };
        if !lifecycle.reaches(name.as_str()) {
            found.insert(target.clone(), Vec::new());
            continue;
        }
        if let Some((key, place)) = objects.placed(target) {
            let threats = judged(&lifecycle, bucket.versioning, &key, place, now, &mut effort);
            found.extend(threats.map(|threats| (target.clone(), threats)));
            continue;
        }
        // One that is not there has nothing to lose, and of one that was not looked at nothing is known.
        let inspection = objects.inspections.get(target);
        let Some(inspection) = inspection.filter(|seen| seen.presence == Presence::Present) else { continue };
        let mut entry = unplaced(version, inspection);
        if objects.held.contains(target) {
            hold(&mut entry, bucket.object_lock);
        }
        let threats = anywhere(&lifecycle, bucket.versioning, name.as_str(), entry, now, &mut effort);
        found.extend(threats.map(|threats| (target.clone(), threats)));
    }
    Some(found)
}

/// A key with more versions than this is not judged as a whole: each of them is judged by all that are newer.
const LONG: usize = 256;

/// The same for every version that was listed; none if that is not known.
#[must_use]
pub fn threats_to_all(objects: &Objects<'_>, now: Timestamp) -> Option<BTreeMap<ArtifactId, Vec<Threat>>> {
    let lifecycle = Lifecycle::new(objects.bucket.lifecycle.as_deref()?);
    let mut found = BTreeMap::new();
    for tag in objects.tags.iter().filter(|tag| lifecycle.reaches(key_of(tag).as_str())) {
        let Some(object) = tag.object.as_deref() else { continue };
        if tag.target == Resolution::Unknown || object.versions.len() + object.markers.len() > LONG {
            return None;
        }
        let key = objects.key(key_of(tag), object);
        for version in &object.versions {
            let Some(place) = key.position(&version.artifact) else { continue };
            let threats = threats_to(&lifecycle, objects.bucket.versioning, &key, place, now)?;
            found.insert(version.artifact.clone(), threats);
        }
    }
    Some(found)
}

/// What rules call it: a chart's tag is its version, and its key is another.
fn key_of(tag: &ObservedTag) -> &Tag {
    let newest = tag.object.as_deref().and_then(|object| object.versions.first());
    match newest.map(|version| &version.artifact) {
        Some(ArtifactId::ObjectVersion { key, .. }) => key,
        Some(ArtifactId::Manifest(_)) | None => &tag.name,
    }
}

impl<'a> Objects<'a> {
    /// A target's key and its place in it: as the look at the target itself found them, which came last, or as listed.
    fn placed(&self, target: &'a ArtifactId) -> Option<(Key<'a>, usize)> {
        let ArtifactId::ObjectVersion { key: name, .. } = target else { return None };
        let looked_at = self.inspections.get(target).and_then(|seen| seen.object.as_deref()?.key.as_deref());
        // Of a key that the listing broke off in, not everything is known.
        let tag = self.tags.iter().find(|tag| key_of(tag) == name && tag.target != Resolution::Unknown);
        let listed = tag.and_then(|tag| tag.object.as_deref());
        looked_at.into_iter().chain(listed).find_map(|object| {
            let key = self.key(name, object);
            key.position(target).map(|place| (key, place))
        })
    }

    fn key(&self, name: &'a Tag, object: &'a ObjectFacts) -> Key<'a> {
        let state = |artifact: &ArtifactId| self.inspections.get(artifact).and_then(|seen| seen.object.as_deref());
        let mut key = Key::new(name.as_str(), object, self.bucket.object_lock, state);
        for version in object.versions.iter().filter(|version| self.held.contains(&version.artifact)) {
            if let Some(place) = key.position(&version.artifact) {
                hold(&mut key.entries[place], self.bucket.object_lock);
            }
        }
        key
    }
}

/// What the rules will do to one version of a key, whose locks are taken as they are given. None if the key has more
/// versions than can be judged.
#[must_use]
pub fn threats_to(
    lifecycle: &Lifecycle,
    versioning: Option<Versioning>,
    key: &Key<'_>,
    place: usize,
    now: Timestamp,
) -> Option<Vec<Threat>> {
    judged(lifecycle, versioning, key, place, now, &mut Effort::new())
}

fn judged(
    lifecycle: &Lifecycle,
    versioning: Option<Versioning>,
    key: &Key<'_>,
    place: usize,
    now: Timestamp,
    effort: &mut Effort,
) -> Option<Vec<Threat>> {
    let Some(entry) = key.entries.get(place) else { return Some(Vec::new()) };
    let lifecycle = lifecycle.about(key.key);
    // What is behind it decides nothing: clocks start with what is newer, and limits count what is newer.
    let key = &Key { key: key.key, entries: key.entries.get(..=place).unwrap_or_default().to_vec() };
    let readings = match versioning {
        Some(versioning) => vec![versioning],
        // A version with an id of its own was written while versions were kept, and that is never undone (B57).
        None if !is_null(entry.id) => vec![Versioning::Enabled, Versioning::Suspended],
        None => vec![Versioning::Off, Versioning::Enabled, Versioning::Suspended],
    };
    let mut threats: Option<Vec<Threat>> = None;
    for versioning in readings {
        let steps = timeline_of(&lifecycle, versioning, key, place, now, Timestamp::MAX, effort)?;
        let other = reported(entry, &steps, now);
        threats = Some(match threats {
            Some(threats) => merged(threats, other),
            None => other,
        });
    }
    let mut threats = threats.unwrap_or_default();
    threats.extend(after_pushes(&lifecycle, key, place));
    threats.sort_by(|a, b| (&a.due, a).cmp(&(&b.due, b)));
    threats.dedup();
    Some(threats)
}

/// What holds in both stays as sure as it is; what holds in one is possible.
fn merged(one: Vec<Threat>, other: Vec<Threat>) -> Vec<Threat> {
    let (both, mut rest): (Vec<_>, Vec<_>) = one.into_iter().partition(|threat| other.contains(threat));
    rest.extend(other.into_iter().filter(|threat| !both.contains(threat)));
    let weaker = rest.into_iter().map(|threat| Threat { certainty: Certainty::Possible, ..threat });
    both.into_iter().chain(weaker).collect()
}

/// Steps as threats: the first of each kind, and a certain one beside a possible one that comes before it.
fn reported(entry: &Entry<'_>, steps: &[TimelineStep], now: Timestamp) -> Vec<Threat> {
    let mut reported = BTreeSet::new();
    let mut threats = Vec::new();
    let is_archived = matches!(&entry.kind, EntryKind::Version { class, .. } if class.is_archive());
    for step in steps {
        let effect = match &step.act {
            Act::Deletes => Effect::Deletes,
            Act::Hides => Effect::Hides,
            Act::Moves(class) if class.is_archive() && !is_archived => Effect::Archives,
            // From one archive to the next, or between classes that are read at once, nothing changes for a rollback.
            Act::Moves(_) | Act::RemovesMarker => continue,
        };
        if reported.contains(&(effect, Certainty::Certain)) || !reported.insert((effect, step.certainty)) {
            continue;
        }
        let due = if step.at <= now { Due::Now } else { Due::On(step.at) };
        let (rule, why) = (step.rule.clone(), step.why.clone());
        threats.push(Threat { rule, effect, due, certainty: step.certainty, why });
    }
    threats
}

/// Where a rule keeps a number of newer versions, that many more overwrites give this one up (B70).
fn after_pushes(lifecycle: &Lifecycle, key: &Key<'_>, place: usize) -> Vec<Threat> {
    let Some((entry, EntryKind::Version { lock, .. })) = key.entries.get(place).map(|entry| (entry, &entry.kind))
    else {
        return Vec::new();
    };
    if place == 0 || lock.hold == Some(true) {
        return Vec::new();
    }
    let newer = key.entries.get(1..place).unwrap_or_default().iter().filter(|entry| !entry.is_marker()).count() as u64;
    let unlocked = if lock.hold.is_none() { Holds::Maybe } else { Holds::Yes };
    let threat = |rule: &crate::model::BucketRule| {
        let limit = rule.noncurrent_expiration?;
        let pushes = u64::from(limit.keep_newer).checked_sub(newer).filter(|pushes| *pushes > 0)?;
        let certainty = match matches(&rule.filter, key.key, entry).and(unlocked) {
            Holds::No => return None,
            Holds::Maybe => Certainty::Possible,
            Holds::Yes => Certainty::Certain,
        };
        let why = format!(
            "it is noncurrent, and of noncurrent versions the rule keeps the {} newest, of which {newer} are newer \
             than it",
            limit.keep_newer
        );
        let due = Due::AfterPushes { pushes, around: None };
        Some(Threat { rule: rule.name(), effect: Effect::Deletes, due, certainty, why })
    };
    lifecycle.rules.iter().filter_map(threat).collect()
}

/// As it will be with a hold on it, where there are holds.
fn hold(entry: &mut Entry<'_>, can_be_held: Option<bool>) {
    if let EntryKind::Version { lock, .. } = &mut entry.kind {
        match can_be_held {
            Some(true) => lock.hold = Some(true),
            Some(false) => *lock = Lock::NONE,
            None => lock.hold = lock.hold.filter(|held| *held),
        }
    }
}

/// A version that the listing does not have, or not for sure.
fn unplaced<'a>(id: &'a str, inspection: &'a Inspection) -> Entry<'a> {
    let state = inspection.object.as_deref();
    let kind = EntryKind::Version {
        size: None,
        tags: state.and_then(|state| state.tags.as_ref()),
        class: state.map_or(crate::model::StorageClass::STANDARD, |state| state.class.clone()),
        lock: state.map_or(Lock { hold: None, retained: Retained::Unknown }, |state| state.lock),
        replication: state.map_or(Replication::Unknown, |state| state.replication.clone()),
    };
    // Not knowing when it was written, everything is due.
    Entry { id, modified: inspection.created.unwrap_or(Timestamp::UNIX_EPOCH), kind }
}

/// What could happen to it wherever it stands: in front, or behind something written right after it.
fn anywhere(
    lifecycle: &Lifecycle,
    versioning: Option<Versioning>,
    key: &str,
    entry: Entry<'_>,
    now: Timestamp,
    effort: &mut Effort,
) -> Option<Vec<Threat>> {
    let successor = Entry { id: "", modified: entry.modified, kind: EntryKind::Marker };
    let front = Key { key, entries: vec![entry.clone()] };
    let behind = Key { key, entries: vec![successor, entry] };
    let mut threats = judged(lifecycle, versioning, &front, 0, now, effort)?;
    threats.extend(judged(lifecycle, versioning, &behind, 1, now, effort)?);
    for threat in &mut threats {
        threat.certainty = Certainty::Possible;
        threat.why = format!("where it stands at its key is not known; if it stands so: {}", threat.why);
    }
    threats.sort_by(|a, b| (&a.due, a).cmp(&(&b.due, b)));
    threats.dedup();
    Some(threats)
}
