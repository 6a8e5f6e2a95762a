//! What happens to rollback targets.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{
    ArtifactId, BucketRetention, Certainty, Due, Effect, Inspection, Lock, ObservedTag, Replication, Resolution,
    Retained, Threat, Versioning,
};

use super::doubt::Holds;
use super::fate::{Act, Step, fate_of};
use super::key::{Entry, EntryKind, Key, is_null};
use super::rules::{Lifecycle, matches};

/// Everything that the rules will do to these targets, as things will be once each of them is held that can be: by
/// target, the first of each kind of effect of each rule first. None where the rules could not be read, which is not
/// the same as no threat.
///
/// Nobody knows the future: what is overwritten or deleted by people from now on is not in it.
#[must_use]
pub fn threats(
    bucket: &BucketRetention,
    tags: &[ObservedTag],
    inspections: &BTreeMap<ArtifactId, Inspection>,
    targets: &BTreeSet<ArtifactId>,
    now: Timestamp,
) -> Option<BTreeMap<ArtifactId, Vec<Threat>>> {
    let lifecycle = Lifecycle::new(bucket.lifecycle.as_deref()?);
    let state = |artifact: &ArtifactId| inspections.get(artifact).and_then(|seen| seen.object.as_deref());
    let mut found = BTreeMap::new();
    for target in targets {
        let ArtifactId::ObjectVersion { key: name, version } = target else { continue };
        if !lifecycle.reaches(name.as_str()) {
            found.insert(target.clone(), Vec::new());
            continue;
        }
        // Of a key that the listing broke off in, not everything is known.
        let tag = tags.iter().find(|tag| tag.name == *name && tag.target != Resolution::Unknown);
        let object = tag.and_then(|tag| tag.object.as_deref());
        let mut key = object.map(|object| Key::new(name.as_str(), object, bucket.object_lock, state));
        if let Some(key) = &mut key {
            pin(key, targets, bucket.object_lock);
        }
        let threats = match key.as_ref().and_then(|key| Some((key, key.position(target)?))) {
            Some((key, place)) => threats_to(&lifecycle, bucket.versioning, key, place, now),
            None => {
                let inspection = inspections.get(target);
                let written = inspection.and_then(|seen| seen.created);
                let mut entry = unplaced(version, written, inspection);
                hold(&mut entry, bucket.object_lock);
                anywhere(&lifecycle, bucket.versioning, name.as_str(), entry, now)
            }
        };
        found.insert(target.clone(), threats);
    }
    Some(found)
}

/// What the rules will do to one version of a key, whose locks are taken as they are given.
#[must_use]
pub fn threats_to(
    lifecycle: &Lifecycle,
    versioning: Option<Versioning>,
    key: &Key<'_>,
    place: usize,
    now: Timestamp,
) -> Vec<Threat> {
    let Some(entry) = key.entries.get(place) else { return Vec::new() };
    let lifecycle = lifecycle.about(key.key);
    let readings = match versioning {
        Some(versioning) => vec![versioning],
        // A version with an id of its own was written while versions were kept, and that is never undone (B57).
        None if !is_null(entry.id) => vec![Versioning::Enabled, Versioning::Suspended],
        None => vec![Versioning::Off, Versioning::Enabled, Versioning::Suspended],
    };
    let mut by_reading = readings.iter().map(|versioning| {
        let steps = fate_of(&lifecycle, *versioning, key, place, now, Timestamp::MAX);
        told(entry, &steps, now)
    });
    let mut threats = by_reading.next().unwrap_or_default();
    for other in by_reading {
        threats = merged(threats, other);
    }
    threats.extend(after_pushes(&lifecycle, key, place));
    threats.sort_by(|a, b| (&a.due, a).cmp(&(&b.due, b)));
    threats.dedup();
    threats
}

/// What holds in both stays as sure as it is; what holds in one is possible.
fn merged(one: Vec<Threat>, other: Vec<Threat>) -> Vec<Threat> {
    let (both, mut rest): (Vec<_>, Vec<_>) = one.into_iter().partition(|threat| other.contains(threat));
    rest.extend(other.into_iter().filter(|threat| !both.contains(threat)));
    let weaker = rest.into_iter().map(|threat| Threat { certainty: Certainty::Possible, ..threat });
    both.into_iter().chain(weaker).collect()
}

/// Steps as threats: the first of each kind, and a certain one beside a possible one that comes before it.
fn told(entry: &Entry<'_>, steps: &[Step], now: Timestamp) -> Vec<Threat> {
    let mut told = BTreeSet::new();
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
        if told.contains(&(effect, Certainty::Certain)) || !told.insert((effect, step.certainty)) {
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

/// As it will be: a hold on every target that can be held.
fn pin(key: &mut Key<'_>, targets: &BTreeSet<ArtifactId>, can_be_held: Option<bool>) {
    let is_target = |id: &str| {
        targets.iter().any(|target| match target {
            ArtifactId::ObjectVersion { key: name, version } => name.as_str() == key.key && **version == *id,
            ArtifactId::Manifest(_) => false,
        })
    };
    for entry in key.entries.iter_mut().filter(|entry| is_target(entry.id)) {
        hold(entry, can_be_held);
    }
}

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
fn unplaced<'a>(id: &'a str, written: Option<Timestamp>, inspection: Option<&'a Inspection>) -> Entry<'a> {
    let state = inspection.and_then(|seen| seen.object.as_deref());
    let kind = EntryKind::Version {
        size: None,
        tags: state.and_then(|state| state.tags.as_ref()),
        class: state.map_or(crate::model::StorageClass::STANDARD, |state| state.class.clone()),
        lock: state.map_or(Lock { hold: None, retained: Retained::Unknown }, |state| state.lock),
        replication: state.map_or(Replication::Unknown, |state| state.replication.clone()),
    };
    // Not knowing when it was written, everything is due.
    Entry { id, modified: written.unwrap_or(Timestamp::UNIX_EPOCH), kind }
}

/// What could happen to it wherever it stands: in front, or behind something written right after it.
fn anywhere(
    lifecycle: &Lifecycle,
    versioning: Option<Versioning>,
    key: &str,
    entry: Entry<'_>,
    now: Timestamp,
) -> Vec<Threat> {
    let successor = Entry { id: "", modified: entry.modified, kind: EntryKind::Marker };
    let front = Key { key, entries: vec![entry.clone()] };
    let behind = Key { key, entries: vec![successor, entry] };
    let mut threats = threats_to(lifecycle, versioning, &front, 0, now);
    threats.extend(threats_to(lifecycle, versioning, &behind, 1, now));
    for threat in &mut threats {
        threat.certainty = Certainty::Possible;
        threat.why = format!("where it stands at its key is not known; if it stands so: {}", threat.why);
    }
    threats.sort_by(|a, b| (&a.due, a).cmp(&(&b.due, b)));
    threats.dedup();
    threats
}
