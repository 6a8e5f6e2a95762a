//! ECR repositories in the forecast: images by digest, and each repository's own policy.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::ecr::{self, GrammarProblem, Lifecycle, Lint, LintKind, Pace, Push};
use super::kinds::Foreseen;
use super::{Advice, AdviceKind, Arrival, Known, Outlook, Situation};
use crate::model::{ArtifactId, Digest, EcrRepository, Setting, Snapshot};

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
    let pace = Pace::of(&repository.images, &pushes(situation.arrivals), situation.now);
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
    let repository = ecr::Repository { images: &images, parts: &BTreeMap::new() };
    let mut foreseen: BTreeMap<ArtifactId, Foreseen> = BTreeMap::new();
    for action in ecr::evaluate(&lifecycle, &repository, at) {
        let next = Foreseen {
            effect: action.effect,
            rule: action.priority.to_string(),
            certainty: action.certainty,
            why: action.why.to_string(),
        };
        // Between classes two rules may act, in different readings: the surer one is told.
        let told = foreseen.entry(ArtifactId::Manifest(action.digest)).or_insert_with(|| next.clone());
        if next.certainty < told.certainty {
            *told = next;
        }
    }
    Some(foreseen)
}

/// The policy with a rule in front that claims every pin.
pub(super) fn recommend(repository: &EcrRepository) -> Result<String, String> {
    let text = match &repository.lifecycle {
        Setting::Unset => None,
        Setting::Text(text) => Some(&**text),
        Setting::Unknown => return Err("its lifecycle policy could not be read; grant the permission to".to_owned()),
    };
    ecr::recommend(text).map_err(|problems| format!("its lifecycle policy cannot be understood: {}", all(&problems)))
}

/// The rules; none if there are definitively none; else why they are not known.
fn rules_of(snapshot: &Snapshot, repository: &EcrRepository) -> Result<Option<Lifecycle>, String> {
    let text = match &repository.lifecycle {
        Setting::Unset => return Ok(None),
        Setting::Unknown => return Err("the lifecycle policy could not be read".to_owned()),
        Setting::Text(text) => text,
    };
    if !snapshot.listing_is_complete() {
        // Rules count images: those that were not listed may be what pushes a target out.
        return Err("not everything was listed that the lifecycle policy counts".to_owned());
    }
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

fn digests(artifacts: &BTreeSet<ArtifactId>) -> BTreeSet<Digest> {
    artifacts.iter().filter_map(|artifact| artifact.digest().cloned()).collect()
}
