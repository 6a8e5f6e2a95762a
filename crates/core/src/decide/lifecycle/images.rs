//! ECR repositories in the forecast: images by digest, and each repository's own policy.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::ecr::{self, GrammarProblem, Lifecycle, Lint, LintKind, Pace, Push};
use super::effects::{ArtifactOutlook, Displaced, Foreseen, Stirred};
use super::{Arrival, Known, Outlook, Situation};
use crate::model::{
    Advice, AdviceKind, ArtifactId, Digest, Due, EcrImage, EcrRepository, Pin, Setting, Snapshot, Threat,
};

pub(super) fn outlook(situation: &Situation<'_>, repository: &EcrRepository) -> Outlook {
    let lifecycle = match rules_of(situation.snapshot, repository) {
        Ok(Some(lifecycle)) => lifecycle,
        Ok(None) => return Outlook::NoneSet,
        Err(detail) => return Outlook::Unknown { detail },
    };
    let listed: BTreeSet<&Digest> = repository.images.iter().map(|image| &image.digest).collect();
    let (targets, unseen): (BTreeSet<&ArtifactId>, BTreeSet<&ArtifactId>) =
        situation.targets.iter().partition(|target| target.digest().is_some_and(|digest| listed.contains(digest)));
    let pinned = digests(situation.pinned);
    let images = ecr::with_pins(&repository.images, &pinned);
    let seen = ecr::Repository { images: &images, parts: &BTreeMap::new() };
    let pace = Pace::measure(&repository.images, &pushes(situation.arrivals), situation.now);
    let wanted = targets.iter().filter_map(|target| target.digest().cloned()).collect();
    let found = ecr::threats(&lifecycle, &seen, &wanted, situation.now, &pace);
    let threats = found.into_iter().filter(|(_, threats)| !threats.is_empty()).map(|(digest, mut threats)| {
        super::sort(&mut threats, situation.now);
        (ArtifactId::Manifest(digest), threats)
    });
    let advice = ecr::lint(&lifecycle, &seen, pinned.len()).into_iter().map(advice).collect();
    Outlook::Known(Known { threats: threats.collect(), unseen: unseen.into_iter().cloned().collect(), advice })
}

pub(super) fn foreseen(
    situation: &Situation<'_>,
    repository: &EcrRepository,
    at: Timestamp,
) -> Option<BTreeMap<ArtifactId, Foreseen>> {
    let lifecycle = match rules_of(situation.snapshot, repository) {
        Ok(Some(lifecycle)) => lifecycle,
        Ok(None) => return Some(BTreeMap::new()),
        Err(_) => return None,
    };
    let images = ecr::with_pins(&repository.images, &digests(situation.pinned));
    let foreseen = ecr::course(&lifecycle, &images, situation.now, at).into_iter().map(|(digest, action)| {
        let foreseen = Foreseen {
            effect: action.effect,
            rule: action.priority.to_string(),
            certainty: action.certainty,
            why: action.why.to_string(),
        };
        (ArtifactId::Manifest(digest), foreseen)
    });
    Some(foreseen.collect())
}

/// Whose outlook the pin of an image can change. Where not everything was listed, some rules tell by themselves.
pub(super) fn stirred(situation: &Situation<'_>, repository: &EcrRepository, artifact: &ArtifactId) -> Stirred {
    let unknown = |detail: String| Stirred::Unknown { detail };
    let lifecycle = match read_rules(repository) {
        Ok(Some(lifecycle)) => lifecycle,
        Ok(None) => return Stirred::Nobody,
        Err(detail) => return unknown(detail),
    };
    let images = ecr::with_pins(&repository.images, &digests(situation.pinned));
    let Some(digest) = artifact.digest() else { return Stirred::Nobody };
    let Some(image) = images.iter().find(|image| image.digest == *digest) else {
        return unknown("it was not listed with what the lifecycle policy counts".to_owned());
    };
    let harmless = ecr::is_harmless_anywhere(&lifecycle, image, pins_among(&images));
    // By far the most common case costs no simulation. A signature may have tags that some rule counts.
    if harmless && !images.iter().any(|other| other.subject.as_ref() == Some(digest)) {
        return Stirred::Nobody;
    }
    if !situation.snapshot.listing_is_complete() {
        return unknown(UNLISTED.to_owned());
    }
    match ecr::reach(&lifecycle, &ecr::Repository { images: &images, parts: &parts(situation) }, digest) {
        Some(ecr::Reach::Images(reached)) => Stirred::These(reached.into_iter().map(ArtifactId::Manifest).collect()),
        Some(ecr::Reach::Nobody) | None => Stirred::Nobody,
    }
}

/// What the rules will do to each that is asked about, but for what only more pins could bring about.
pub(super) fn artifact_outlooks(
    situation: &Situation<'_>,
    repository: &EcrRepository,
) -> BTreeMap<ArtifactId, ArtifactOutlook> {
    let asked = || situation.targets.iter().cloned();
    let lifecycle = match rules_of(situation.snapshot, repository) {
        Ok(Some(lifecycle)) => lifecycle,
        Ok(None) => return asked().map(|artifact| (artifact, ArtifactOutlook::Known(Vec::new()))).collect(),
        Err(_) => return asked().map(|artifact| (artifact, ArtifactOutlook::Unknown)).collect(),
    };
    let listed: BTreeSet<&Digest> = repository.images.iter().map(|image| &image.digest).collect();
    let images = ecr::with_pins(&repository.images, &digests(situation.pinned));
    let parts = parts(situation);
    let seen = ecr::Repository { images: &images, parts: &parts };
    let pace = Pace::measure(&repository.images, &pushes(situation.arrivals), situation.now);
    let wanted = digests(situation.targets);
    let mut found = ecr::threats(&lifecycle, &seen, &wanted, situation.now, &pace);
    let outlook = |artifact: ArtifactId| {
        let digest = artifact.digest().filter(|digest| listed.contains(digest));
        let outlook = digest.map_or(ArtifactOutlook::Unknown, |digest| {
            let mut threats = found.remove(digest).unwrap_or_default();
            threats.retain(|threat| !is_of_pins_alone(&lifecycle, threat));
            super::sort(&mut threats, situation.now);
            ArtifactOutlook::Known(threats)
        });
        (artifact, outlook)
    };
    asked().map(outlook).collect()
}

fn is_of_pins_alone(lifecycle: &Lifecycle, threat: &Threat) -> bool {
    matches!(threat.due, Due::AfterPushes { .. }) && ecr::counts_pins_alone(lifecycle, &threat.rule)
}

/// Who loses a place because these stay.
pub(super) fn displaced(
    situation: &Situation<'_>,
    repository: &EcrRepository,
    stay: &[(ArtifactId, Threat)],
) -> Vec<Displaced> {
    let Ok(Some(lifecycle)) = rules_of(situation.snapshot, repository) else { return Vec::new() };
    let images = ecr::with_pins(&repository.images, &digests(situation.pinned));
    let parts = parts(situation);
    let seen = ecr::Repository { images: &images, parts: &parts };
    let pace = Pace::measure(&repository.images, &pushes(situation.arrivals), situation.now);
    let digest = |(artifact, threat): &(ArtifactId, Threat)| Some((artifact.digest()?.clone(), threat.clone()));
    let stay: Vec<(Digest, Threat)> = stay.iter().filter_map(digest).collect();
    let found = ecr::displacements(&lifecycle, &seen, &stay, &pace).into_iter();
    found.map(|lost| Displaced { artifact: lost.digest.into(), with: lost.with, by: lost.by.into() }).collect()
}

/// The repository without the pins that are there, where some rule looks at one that does not keep pins for good; else
/// its pins can have harmed nobody.
pub(super) fn without_pins(snapshot: &Snapshot, repository: &EcrRepository) -> Option<EcrRepository> {
    let lifecycle = rules_of(snapshot, repository).ok()??;
    let is_pinned = |image: &&EcrImage| image.tags.iter().any(|tag| Pin::read(tag).is_some());
    let pins = pins_among(&repository.images);
    let matters = repository.images.iter().filter(is_pinned).any(|image| ecr::pin_matters(&lifecycle, image, pins));
    matters.then(|| EcrRepository { images: ecr::without_pins(&repository.images), ..repository.clone() })
}

/// The policy with a rule in front that claims every pin.
pub(super) fn recommend(repository: &EcrRepository) -> Result<String, String> {
    let text = match &repository.lifecycle {
        Setting::Unset => None,
        Setting::Text(text) => Some(&**text),
        Setting::Unknown => return Err("its lifecycle policy could not be read".to_owned()),
    };
    if let Some(Err(problems)) = text.map(Lifecycle::parse) {
        return Err(format!("its lifecycle policy cannot be understood: {}", all(&problems)));
    }
    let reported = |problems: Vec<GrammarProblem>| format!("there is no room for the claim rule: {}", all(&problems));
    ecr::recommend_for(text, pins_among(&repository.images)).map_err(reported)
}

/// How many images a rule for pins can look at.
fn pins_among(images: &[EcrImage]) -> u64 {
    let has_pin = |image: &&EcrImage| image.tags.iter().any(|tag| tag.as_str().starts_with(Pin::PREFIX));
    u64::try_from(images.iter().filter(has_pin).count()).unwrap_or(u64::MAX)
}

/// The same where prodpin puts it there by itself: never without something that somebody wrote.
pub(super) fn claimed(repository: &EcrRepository) -> Result<String, String> {
    let to = recommend(repository)?;
    if let Setting::Text(live) = &repository.lifecycle {
        ecr::only_claims(live, &to)?;
    }
    Ok(to)
}

/// Rules count images: those that were not listed may be what pushes a target out.
const UNLISTED: &str = "not everything was listed that the lifecycle policy counts";

/// The rules and what they count; none if there are definitively none; else why they are not known.
fn rules_of(snapshot: &Snapshot, repository: &EcrRepository) -> Result<Option<Lifecycle>, String> {
    if matches!(repository.lifecycle, Setting::Text(_)) && !snapshot.listing_is_complete() {
        return Err(UNLISTED.to_owned());
    }
    read_rules(repository)
}

/// The rules alone, if there are any that can be understood.
pub(super) fn rules(repository: &EcrRepository) -> Option<Lifecycle> {
    read_rules(repository).ok().flatten()
}

/// The rules alone.
fn read_rules(repository: &EcrRepository) -> Result<Option<Lifecycle>, String> {
    let text = match &repository.lifecycle {
        Setting::Unset => return Ok(None),
        Setting::Unknown => return Err("the lifecycle policy could not be read".to_owned()),
        Setting::Text(text) => text,
    };
    let lifecycle = Lifecycle::parse(text);
    lifecycle.map(Some).map_err(|problems| format!("the lifecycle policy cannot be understood: {}", all(&problems)))
}

fn pushes(arrivals: &[Arrival]) -> Vec<Push> {
    let push = |arrival: &Arrival| {
        Some(Push { digest: arrival.artifact.digest()?.clone(), tags: arrival.tags.clone(), at: arrival.at })
    };
    arrivals.iter().filter_map(push).collect()
}

fn advice(lint: Lint) -> Advice {
    let kind = match lint.kind {
        LintKind::ClaimAbsent | LintKind::ClaimNotFirst | LintKind::ClaimNearlyFull | LintKind::ClaimByAge => {
            AdviceKind::PinsIneffective
        }
        LintKind::ArchiveUnclaimed
        | LintKind::MatchesNothing
        | LintKind::Shadowed
        | LintKind::PatternsAnded
        | LintKind::PatternRepeated
        | LintKind::SelectsEverything
        | LintKind::ReachesChildren
        | LintKind::NearLimit => AdviceKind::DoubtfulRule,
    };
    Advice { rule: lint.rule, kind, message: lint.message, remedy: lint.remedy }
}

fn all(problems: &[GrammarProblem]) -> String {
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    problems.join("; ")
}

/// What the indexes list that were looked at: an index that a pin keeps keeps its platforms, and the places that they take
/// among what has no tag.
fn parts(situation: &Situation<'_>) -> BTreeMap<Digest, BTreeSet<Digest>> {
    let listed = situation.inspections.iter().filter(|(_, seen)| !seen.children.is_empty());
    listed
        .filter_map(|(index, seen)| Some((index.digest()?.clone(), seen.children.iter().cloned().collect())))
        .collect()
}

fn digests(artifacts: &BTreeSet<ArtifactId>) -> BTreeSet<Digest> {
    artifacts.iter().filter_map(|artifact| artifact.digest().cloned()).collect()
}
