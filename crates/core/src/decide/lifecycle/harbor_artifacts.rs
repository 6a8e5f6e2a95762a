//! Harbor repositories in the forecast: artifacts by digest, and their project's rules.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::effects::{ArtifactOutlook, Foreseen, Stirred};
use super::harbor::{self, Failure, Ground, Launch, Outcome, Rules};
use super::{Known, Outlook, Situation};
use crate::model::{
    Advice, AdviceKind, ArtifactId, Digest, Due, Effect, HarborArtifact, HarborCollection, HarborRepository, Setting,
    Snapshot, Tag, Threat,
};

pub(super) fn outlook(situation: &Situation<'_>, repository: &HarborRepository) -> Outlook {
    let rules = match rules_of(situation.snapshot, repository) {
        Ok(rules) => rules,
        Err(detail) => return Outlook::Unknown { detail },
    };
    if rules.policy.is_none() && !collects(repository) {
        return Outlook::NoneSet;
    }
    let listed: BTreeSet<&Digest> = repository.artifacts.iter().map(|artifact| &artifact.digest).collect();
    let is_listed = |target: &&ArtifactId| target.digest().is_some_and(|digest| listed.contains(digest));
    let mut found = all_threats(situation, repository, &rules, harbor::threats);
    let threats = situation.targets.iter().filter_map(|target| Some((target.clone(), found.remove(target.digest()?)?)));
    Outlook::Known(Known {
        threats: threats.collect(),
        unseen: situation.targets.iter().filter(|target| !is_listed(target)).cloned().collect(),
        advice: advice(&rules, repository),
    })
}

pub(super) fn foreseen(
    situation: &Situation<'_>,
    repository: &HarborRepository,
    at: Timestamp,
) -> Option<BTreeMap<ArtifactId, Foreseen>> {
    let rules = rules_of(situation.snapshot, repository).ok()?;
    let due =
        all_threats(situation, repository, &rules, harbor::threats).into_iter().filter_map(|(digest, mut threats)| {
            // By then, nothing else being pushed.
            threats.retain(|threat| {
                !matches!(threat.due, Due::AfterPushes { .. }) && super::is_due(threat, situation.now, at)
            });
            let surest = threats.into_iter().min_by_key(|threat| threat.certainty)?;
            let Threat { rule, effect, certainty, why, .. } = surest;
            Some((ArtifactId::Manifest(digest), Foreseen { effect, rule, certainty, why }))
        });
    Some(due.collect())
}

/// What a run of tag retention at this moment would delete, whatever its schedule is, as Harbor's own dry run says it.
pub(super) fn if_run_now(
    situation: &Situation<'_>,
    repository: &HarborRepository,
) -> Option<BTreeMap<ArtifactId, Foreseen>> {
    let rules = rules_of(situation.snapshot, repository).ok()?;
    let foreseen = |(digest, certainty): (Digest, _)| {
        let (rule, why) = ("tag retention".to_owned(), "no rule of the retention policy retains it".to_owned());
        (ArtifactId::Manifest(digest), Foreseen { effect: Effect::Deletes, rule, certainty, why })
    };
    Some(harbor::dry_run(&rules, repository, situation.now).into_iter().map(foreseen).collect())
}

/// Whose outlook one more pin can change: where a rule counts, a pin's artifact comes to stand first, so anybody's; else its
/// own alone.
pub(super) fn stirred(situation: &Situation<'_>, repository: &HarborRepository, artifact: &ArtifactId) -> Stirred {
    let unknown = |detail: String| Stirred::Unknown { detail };
    let rules = match Rules::read(repository) {
        Ok(rules) => rules,
        Err(detail) => return unknown(detail),
    };
    let Launch::Job(in_job) = rules.launch(repository) else { return Stirred::Nobody };
    if !harbor::any_counts(&in_job) {
        return Stirred::These([artifact.clone()].into());
    }
    if !situation.snapshot.listing_is_complete() {
        return unknown(UNLISTED.to_owned());
    }
    let listed = || repository.artifacts.iter().map(|artifact| ArtifactId::Manifest(artifact.digest.clone()));
    if !listed().any(|listed| listed == *artifact) {
        return unknown("it was not listed with what tag retention counts".to_owned());
    }
    Stirred::These(listed().collect())
}

/// What comes to delete each that is asked about, by each rule.
pub(super) fn artifact_outlooks(
    situation: &Situation<'_>,
    repository: &HarborRepository,
) -> BTreeMap<ArtifactId, ArtifactOutlook> {
    let asked = || situation.targets.iter().cloned();
    let Ok(rules) = rules_of(situation.snapshot, repository) else {
        return asked().map(|artifact| (artifact, ArtifactOutlook::Unknown)).collect();
    };
    let listed: BTreeSet<&Digest> = repository.artifacts.iter().map(|artifact| &artifact.digest).collect();
    let mut found = all_threats(situation, repository, &rules, harbor::threats_by_rule);
    let outlook = |artifact: ArtifactId| {
        let digest = artifact.digest().filter(|digest| listed.contains(digest));
        let known = digest.map(|digest| found.remove(digest).unwrap_or_default());
        (artifact, known.map_or(ArtifactOutlook::Unknown, ArtifactOutlook::Known))
    };
    asked().map(outlook).collect()
}

/// The repository without the pins that are there, where there are rules that may look at them.
pub(super) fn without_pins(snapshot: &Snapshot, repository: &HarborRepository) -> Option<HarborRepository> {
    rules_of(snapshot, repository).ok()?.policy?;
    let has_pins = repository.artifacts.iter().any(harbor::is_pinned);
    has_pins.then(|| HarborRepository { artifacts: harbor::without_pins(&repository.artifacts), ..repository.clone() })
}

/// The repository once the tags of these artifacts that do not stay have moved on; none if there are none of them.
pub(super) fn without_tags(
    repository: &HarborRepository,
    of: &dyn Fn(&Digest) -> bool,
    stays: &dyn Fn(&Tag) -> bool,
) -> Option<HarborRepository> {
    if repository.policy == Setting::Unset && !collects(repository) {
        return None;
    }
    let moves = |artifact: &HarborArtifact, name: &str| {
        of(&artifact.digest) && name.parse::<Tag>().is_ok_and(|tag| !stays(&tag))
    };
    let any = |artifact: &HarborArtifact| artifact.tags.iter().any(|tag| moves(artifact, &tag.name));
    if !repository.artifacts.iter().any(any) {
        return None;
    }
    let artifacts = harbor::without(&repository.artifacts, |artifact, tag| moves(artifact, &tag.name));
    Some(HarborRepository { artifacts, ..repository.clone() })
}

/// Rules count artifacts: those that were not listed may be what pushes a target out.
const UNLISTED: &str = "not everything was listed that tag retention counts";

fn rules_of(snapshot: &Snapshot, repository: &HarborRepository) -> Result<Rules, String> {
    let rules = Rules::read(repository)?;
    if rules.policy.is_some() && !snapshot.listing_is_complete() {
        return Err(UNLISTED.to_owned());
    }
    Ok(rules)
}

/// Whether garbage collection deletes artifacts, or may.
fn collects(repository: &HarborRepository) -> bool {
    match repository.collection {
        HarborCollection::Unknown | HarborCollection::Scheduled { deletes_untagged: true, .. } => true,
        HarborCollection::Unscheduled | HarborCollection::Scheduled { deletes_untagged: false, .. } => false,
    }
}

/// Every artifact's threats, the soonest first, pinned as the situation says.
fn all_threats(
    situation: &Situation<'_>,
    repository: &HarborRepository,
    rules: &Rules,
    told: fn(&Ground<'_>) -> BTreeMap<Digest, Vec<Threat>>,
) -> BTreeMap<Digest, Vec<Threat>> {
    let pinned = situation.pinned.iter().filter_map(|artifact| artifact.digest().cloned()).collect();
    let artifacts: Cow<'_, [HarborArtifact]> = harbor::with_pins(&repository.artifacts, &pinned, situation.now);
    let ground = Ground { rules, repository, artifacts: &artifacts, now: situation.now };
    let mut found = told(&ground);
    for threats in found.values_mut() {
        super::sort(threats, situation.now);
    }
    found
}

fn advice(rules: &Rules, repository: &HarborRepository) -> Vec<Advice> {
    let mut found = Vec::new();
    let mut say = |kind, message: String, remedy: &str| {
        found.push(Advice { rule: None, kind, message, remedy: remedy.to_owned() });
    };
    let mend = "mend the policy, and look at what it would do with a dry run before it runs";
    match failure(rules, repository) {
        Some(failure) if failure.can_be_lost() => say(
            AdviceKind::DoubtfulRule,
            format!(
                "a run of tag retention fails, because {failure}; but Harbor may lose that and go on without the rule"
            ),
            mend,
        ),
        Some(failure) => say(
            AdviceKind::DoubtfulRule,
            format!("every run of tag retention fails and deletes nothing, because {failure}"),
            mend,
        ),
        None => {}
    }
    let holding = harbor::holding(rules, repository);
    if holding.immutable.is_none() {
        let message = "an immutability rule has a malformed selector: behind it Harbor holds nothing immutable, and says so nowhere";
        say(AdviceKind::DoubtfulRule, message.to_owned(), "mend or remove that immutability rule");
    }
    if !holding.retained && holding.immutable != Some(true) {
        let message = "no rule of the retention policy keeps `prod-pinned-*`, and no immutability rule covers it";
        let remedy = "add an `always` rule for `prod-pinned-*` to the retention policy, and an immutability rule";
        say(AdviceKind::PinsIneffective, message.to_owned(), remedy);
    }
    found
}

/// What the next run fails with.
fn failure(rules: &Rules, repository: &HarborRepository) -> Option<Failure> {
    let in_job = match rules.launch(repository) {
        Launch::Untouched => return None,
        Launch::Failed(failure) => return Some(failure),
        Launch::Job(in_job) => in_job,
    };
    match rules.outcome(repository, &in_job, Timestamp::UNIX_EPOCH) {
        Outcome::Ran(_) => None,
        Outcome::Failed { failure, .. } => Some(failure),
    }
}
