//! Deployment buckets in the forecast: keys and versions, and the rules of the whole bucket.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::effects::{ArtifactOutlook, Foreseen, Stirred};
use super::s3::{self, Lint, LintKind};
use super::{Known, Outlook, Situation};
use crate::model::{Advice, AdviceKind, ArtifactId, BucketLifecycle, BucketRetention, Effect, Inspection, ObservedTag};

pub(super) fn outlook(situation: &Situation<'_>, bucket: &BucketRetention) -> Outlook {
    let Some(lifecycle) = bucket.lifecycle.as_deref() else {
        return Outlook::Unknown { detail: "the bucket's lifecycle rules could not be read".to_owned() };
    };
    if lifecycle.rules.is_empty() {
        return Outlook::NoneSet;
    }
    let inspections = marked(situation, bucket);
    let objects = s3::Objects { inspections: &inspections, ..bucket_objects(situation, bucket) };
    let mut found = s3::threats(&objects, situation.targets, situation.now).unwrap_or_default();
    let unseen = situation.targets.iter().filter(|target| !found.contains_key(target)).cloned().collect();
    found.retain(|_, threats| !threats.is_empty());
    for threats in found.values_mut() {
        super::sort(threats, situation.now);
    }
    let lints = s3::lint(lifecycle, bucket.versioning, &bucket.layout);
    Outlook::Known(Known { threats: found, unseen, advice: lints.into_iter().filter_map(advice).collect() })
}

pub(super) fn foreseen(
    situation: &Situation<'_>,
    bucket: &BucketRetention,
    at: Timestamp,
) -> Option<BTreeMap<ArtifactId, Foreseen>> {
    let threats = s3::threats_to_all(&bucket_objects(situation, bucket), situation.now)?;
    let due = threats.into_iter().filter_map(|(artifact, mut threats)| {
        threats.retain(|threat| super::is_due(threat, situation.now, at));
        super::sort(&mut threats, situation.now);
        // What comes of it in the end: of a version that is hidden first and deleted later, that it is gone.
        let worst = threats
            .into_iter()
            .min_by_key(|threat| (threat.certainty, threat.effect == Effect::Archives, threat.effect))?;
        let foreseen = Foreseen { effect: worst.effect, rule: worst.rule, certainty: worst.certainty, why: worst.why };
        Some((artifact, foreseen))
    });
    Some(due.collect())
}

/// Whose outlook a hold or a mark on a version can change: that of the versions at its key. Rules that count newer versions
/// go on counting one that is held.
pub(super) fn stirred(situation: &Situation<'_>, bucket: &BucketRetention, artifact: &ArtifactId) -> Stirred {
    let Some(lifecycle) = bucket.lifecycle.as_deref() else {
        return Stirred::Unknown { detail: "the bucket's lifecycle rules could not be read".to_owned() };
    };
    let ArtifactId::ObjectVersion { key, .. } = artifact else { return Stirred::Nobody };
    if !s3::Lifecycle::new(lifecycle).reaches(key.as_str()) {
        return Stirred::Nobody;
    }
    let state = situation.inspections.get(artifact).and_then(|seen| seen.object.as_deref());
    if bucket.object_lock == Some(false) && reads_the_mark(lifecycle) && state.is_none_or(|state| state.tags.is_none())
    {
        let detail = "a lifecycle rule asks for the tag that marks pins, and the version's tags could not be read";
        return Stirred::Unknown { detail: detail.to_owned() };
    }
    let of_key = |tag: &&ObservedTag| tag.object.as_deref().is_some_and(|object| is_at(object, key));
    let listed = situation.snapshot.tags.iter().filter(of_key).filter_map(|tag| tag.object.as_deref());
    let looked_at = state.and_then(|state| state.key.as_deref());
    let versions = listed.chain(looked_at).flat_map(|object| &object.versions);
    let versions = versions.map(|version| version.artifact.clone()).chain([artifact.clone()]);
    Stirred::These(versions.collect())
}

fn is_at(object: &crate::model::ObjectFacts, wanted: &crate::model::Tag) -> bool {
    object
        .versions
        .iter()
        .any(|version| matches!(&version.artifact, ArtifactId::ObjectVersion { key, .. } if key == wanted))
}

fn reads_the_mark(lifecycle: &BucketLifecycle) -> bool {
    lifecycle.rules.iter().any(|rule| rule.filter.tags.iter().any(|(key, _)| s3::is_mark(key)))
}

/// What the rules will do to each version that is asked about.
pub(super) fn artifact_outlooks(
    situation: &Situation<'_>,
    bucket: &BucketRetention,
) -> BTreeMap<ArtifactId, ArtifactOutlook> {
    let inspections = marked(situation, bucket);
    let objects = s3::Objects { inspections: &inspections, ..bucket_objects(situation, bucket) };
    let mut found = s3::threats(&objects, situation.targets, situation.now).unwrap_or_default();
    let outlook = |artifact: &ArtifactId| {
        let outlook = found.remove(artifact).map_or(ArtifactOutlook::Unknown, |mut threats| {
            super::sort(&mut threats, situation.now);
            ArtifactOutlook::Known(threats)
        });
        (artifact.clone(), outlook)
    };
    situation.targets.iter().map(outlook).collect()
}

/// What closer looks showed, with the mark on what is to be pinned where nothing can be held: rules may ask for it.
fn marked<'a>(situation: &Situation<'a>, bucket: &BucketRetention) -> Cow<'a, BTreeMap<ArtifactId, Inspection>> {
    let marks = bucket.object_lock == Some(false) && bucket.lifecycle.as_deref().is_some_and(reads_the_mark);
    if !marks {
        return Cow::Borrowed(situation.inspections);
    }
    let mut inspections = situation.inspections.clone();
    for artifact in situation.pinned {
        let state = inspections.get_mut(artifact).and_then(|seen| seen.object.as_deref_mut());
        let Some(tags) = state.and_then(|state| state.tags.as_mut()) else { continue };
        tags.retain(|(key, _)| !s3::is_mark(key));
        tags.push(s3::mark());
    }
    Cow::Owned(inspections)
}

fn bucket_objects<'a>(situation: &Situation<'a>, bucket: &'a BucketRetention) -> s3::Objects<'a> {
    s3::Objects { bucket, tags: &situation.snapshot.tags, inspections: situation.inspections, held: situation.pinned }
}

/// A bucket holds more than releases: a rule about something else, or one that is switched off, is nobody's mistake.
fn advice(lint: Lint) -> Option<Advice> {
    let kind = match lint.kind {
        LintKind::ReachesOnlyPins => AdviceKind::PinsIneffective,
        LintKind::MatchesNoRelease | LintKind::Disabled => return None,
        LintKind::WholeBucket
        | LintKind::PrefixTakenLiterally
        | LintKind::HidesThenDestroys
        | LintKind::ArchivesReleases
        | LintKind::CountWithoutFilter
        | LintKind::DestroysCurrent
        | LintKind::Shadowed
        | LintKind::EmptySizeRange => AdviceKind::DoubtfulRule,
    };
    Some(Advice { rule: Some(lint.rule), kind, message: lint.message, remedy: lint.remedy })
}
