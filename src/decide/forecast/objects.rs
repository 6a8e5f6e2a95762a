//! Deployment buckets in the forecast: keys and versions, and the rules of the whole bucket.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::kinds::Foreseen;
use super::s3::{self, Lint, LintKind};
use super::{Advice, AdviceKind, Known, Outlook, Situation};
use crate::model::{ArtifactId, BucketRetention, Effect};

pub(super) fn outlook(situation: &Situation<'_>, bucket: &BucketRetention) -> Outlook {
    let Some(lifecycle) = bucket.lifecycle.as_deref() else {
        return Outlook::Unknown { detail: "the bucket's lifecycle rules could not be read".to_owned() };
    };
    if lifecycle.rules.is_empty() {
        return Outlook::NoneSet;
    }
    let mut found = s3::threats(&of(situation, bucket), situation.targets, situation.now).unwrap_or_default();
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
    let threats = s3::threats_to_all(&of(situation, bucket), situation.now)?;
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

fn of<'a>(situation: &Situation<'a>, bucket: &'a BucketRetention) -> s3::Objects<'a> {
    s3::Objects { bucket, tags: &situation.snapshot.tags, inspections: situation.inspections, held: situation.pinned }
}

/// A bucket holds more than releases: a rule about something else, or one that is switched off, is nobody's mistake.
fn advice(lint: Lint) -> Option<Advice> {
    let kind = match lint.kind {
        LintKind::ReachesOnlyPins => AdviceKind::PinsIneffective,
        LintKind::MatchesNoRelease | LintKind::Disabled => return None,
        LintKind::WholeBucket
        | LintKind::HidesThenDestroys
        | LintKind::ArchivesReleases
        | LintKind::CountWithoutFilter
        | LintKind::DestroysCurrent
        | LintKind::Shadowed
        | LintKind::EmptySizeRange => AdviceKind::DoubtfulRule,
    };
    Some(Advice { rule: Some(lint.rule), kind, message: lint.message, remedy: lint.remedy })
}
