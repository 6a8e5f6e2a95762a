//! The plan for one repository: verdicts with all reasons, pins to make, findings, and what to record.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use crate::model::{
    ArtifactId, Counts, Event, Finding, LifecycleChange, ObservedTag, Obstacle, Pin, RepositoryKey, Survival, Survives,
    Tag,
};
use crate::outcome::identity::occurrence;
use crate::outcome::report::{PinReport, RepositoryReport, TargetReport, total_finding_order};

use super::cleanup;
use super::cover;
use super::evidence;
use super::facts::Facts;
use super::findings::{Findings, findings};
use super::input::Input;
use super::meeting::in_order;
use super::outlooks::Outlooks;
use super::parts;
use super::protection::{ProtectionVerdict, judge};
use super::readiness::{self, Readiness};
use super::refusals;
use super::release::{SeenPin, of_target};
use super::rollback_set::Target;
use super::{called::Called, database, doubt, drilled, release, survives, unread};

/// What to do, say and record about one repository.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The repository's row of the report.
    pub report: RepositoryReport,
    /// Rules to put in the place of the live ones first; if that fails, there are other pins to make, or none.
    pub claim: Option<LifecycleChange>,
    /// Artifacts to pin, in this order: the oldest first, and none that harms anything once those before it are made.
    pub pins: Vec<ArtifactId>,
    /// What a person should know, most severe first.
    pub findings: Vec<Finding>,
    /// What to record beside the events that were given.
    pub events: Vec<Event>,
    /// Which of these tell what happened, by name: no later run will find them.
    pub passing: BTreeSet<String>,
    /// Pinned artifacts that nothing in the rollback set needs, as far as what was read tells.
    pub unneeded: Vec<ArtifactId>,
    /// Whether a release set out to remove pins here, and what came of that is not on record.
    pub releasing: bool,
    /// A hash over everything listed, whatever its order.
    pub seen: [u8; 32],
    /// What live lifecycle rules will do.
    pub(super) outlooks: Outlooks,
    /// What runs, what can be gone back to, and whether it can.
    pub(super) readiness: Readiness,
}

/// Decides.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan {
    let snapshot = in_order(input.snapshot);
    let input = &Facts::new(&Input { snapshot: &snapshot, ..*input });
    let listed: Vec<&ObservedTag> = snapshot.tags.iter().collect();
    let targets = input.selection.targets(input.rules.keep, input.inspections);
    let outlooks = Outlooks::new(input, &targets);
    let mut plan = Plan {
        report: empty_report(input),
        claim: outlooks.pinning.claim.clone(),
        pins: outlooks.pinning.cleared.pins.clone(),
        findings: Vec::new(),
        events: Vec::new(),
        passing: BTreeSet::new(),
        unneeded: Vec::new(),
        releasing: !input.state.releasing.is_empty(),
        seen: seen_hash(input.key, &listed),
        outlooks,
        readiness: Readiness::default(),
    };
    judge_targets(input, &listed, targets, &mut plan);
    judge_service(input, &listed, &mut plan);
    find(input, &listed, &mut plan);
    plan
}

/// What is said of each target, and what is recorded of it.
fn judge_targets(input: &Facts<'_>, listed: &[&ObservedTag], targets: Vec<Target>, plan: &mut Plan) {
    let works = input.snapshot.listing_is_complete();
    let keeping = cover::keeping(input.snapshot, input.pins);
    let mut names = names_of(input, &targets, listed);
    let listed_under = parts::listed(listed, input.inspections);
    let (pins, mut reported) = (plan.pins.clone(), BTreeSet::new());
    let planned: BTreeSet<&ArtifactId> = pins.iter().collect();
    for target in targets {
        let inspection = input.inspections.get(&target.artifact);
        let mut rules = plan.outlooks.obstacles(&target.artifact);
        rules.extend(cleanup::obstacle(&input.snapshot.cleanup));
        // Where no pin is made on purpose, that is said, and whether anything holds is unknown.
        let below = match input.snapshot.cleanup.withholds_pins() {
            true => None,
            false => cover::obstacle(keeping, inspection, input.attempts),
        };
        let attempt = input.attempts.get(&target.artifact);
        let refused = refusals::of_target(&plan.outlooks, &target.artifact);
        let in_the_way = rules.iter().chain(&below).cloned().collect();
        let verdict = judge(&target.artifact, inspection, attempt, in_the_way, works, refused);
        let was_pinned = input.state.was_pinned(&target.artifact);
        let verdict = cleanup::withhold(&input.snapshot.cleanup, was_pinned, verdict);
        record(input, &target.artifact, &verdict, plan);
        parts::record(input, inspection, &listed_under, &mut plan.events);
        let references = names.remove(&target.artifact).unwrap_or_default();
        let known = survives::Target {
            inspection,
            verdict: &verdict,
            rules: &rules,
            below: below.as_ref(),
            keeping,
            snapshot: input.snapshot,
            tag: references.first().map(Tag::as_str),
            now: input.now,
            has_vault: input.pins.has_vault,
        };
        let survives = survives::survives(&known);
        let protected = survives::protected(&known, &survives);
        let drills = drilled::reports(input.state, &target.artifact);
        plan.report.targets.push(TargetReport {
            artifact: target.artifact,
            rank: target.rank,
            references,
            reasons: target.reasons,
            running: target.running,
            pin: verdict.pin,
            restorable: verdict.restorable,
            protected,
            obstacles: verdict.obstacles,
            survives: Some(survives),
            parts: inspection.and_then(|seen| parts::report(seen, &planned, input.attempts, &mut reported)),
            vault: None,
            drills,
        });
    }
}

/// What could not be read, whether one can roll back, and the numbers.
fn judge_service(input: &Facts<'_>, listed: &[&ObservedTag], plan: &mut Plan) {
    let Plan { report, readiness, events, unneeded, .. } = plan;
    let inspected = report.targets.iter().filter_map(|target| input.inspections.get(&target.artifact));
    report.gaps.extend(inspected.flat_map(|seen| seen.gaps.clone()));
    report.gaps.sort();
    report.gaps.dedup();
    report.complete = report.gaps.is_empty();
    let (found, recorded) = release::unneeded(input, report);
    *unneeded = found;
    events.extend(recorded);
    *readiness = readiness::decide(input, &report.targets, &report.gaps);
    unread::withhold(input, listed, report, readiness);
    doubt::withhold(input.selection, &report.targets, readiness);
    database::withhold(input, report, readiness);
    report.rollback = readiness.rollback(&report.targets, input.rules.keep);
    report.counts.targets = report.targets.len() as u64;
    let is_pinned = |target: &&TargetReport| matches!(target.pin, PinReport::Present | PinReport::Created);
    report.counts.pinned = report.targets.iter().filter(is_pinned).count() as u64;
    report.counts.protected = report.targets.iter().filter(|target| target.protected == Some(true)).count() as u64;
}

/// Findings, the most severe first, and the events that open and end them.
fn find(input: &Facts<'_>, listed: &[&ObservedTag], plan: &mut Plan) {
    let Findings { mut conditions, events } = findings(input, listed, &plan.report, &plan.outlooks);
    input.state.findings.date(&mut conditions);
    plan.events.extend(input.state.findings.changes(&conditions, plan.report.complete));
    plan.passing = events.iter().map(occurrence).collect();
    plan.findings = conditions;
    plan.findings.extend(events);
    plan.findings.sort_by(total_finding_order);
}

/// Leaves a repository unjudged whose history is missing: what is there is shown, and nothing of it is called protected,
/// ready or new.
pub fn unjudged(plan: &mut Plan, repository: &RepositoryKey) {
    plan.findings.clear();
    plan.passing.clear();
    let RepositoryKey { source, name } = repository;
    let missing = format!("the ledger has no record of {name} in source {source}");
    (plan.report.rollback.intact, plan.report.rollback.ready) = (None, None);
    plan.report.rollback.unknown = Some(missing.clone());
    plan.report.counts.protected = 0;
    for target in &mut plan.report.targets {
        target.protected = None;
        let detail = format!("{missing}: whether this is what was released is unknown");
        target.survives = Some(Survives::all(&Survival::unknown(detail.clone())));
        target.obstacles.push(Obstacle::Unproven { detail });
        // What was planned is not done either.
        if target.pin == PinReport::Planned {
            target.pin = PinReport::Absent;
        }
    }
}

/// Turns a verdict into work and into events.
fn record(input: &Input<'_>, artifact: &ArtifactId, verdict: &ProtectionVerdict, plan: &mut Plan) {
    let artifact = artifact.clone();
    let attempted = input.attempts.contains_key(&artifact);
    let unpinned = verdict.obstacles.contains(&Obstacle::Unpinned) || verdict.pin == PinReport::Refused;
    let look = SeenPin {
        was_absent: attempted || unpinned,
        is_present: matches!(verdict.pin, PinReport::Present | PinReport::Created),
        made: verdict.pin == PinReport::Created,
        attempted,
    };
    plan.events.extend(of_target(input.state, &artifact, look));
    let missing = verdict.obstacles.contains(&Obstacle::Missing);
    let was_missing = input.state.missing.contains_key(&artifact);
    if missing && !was_missing {
        plan.events.push(Event::TargetMissing { artifact });
    } else if was_missing && verdict.restorable.is_some() && !missing {
        plan.events.push(Event::TargetFound { artifact });
    }
}

fn empty_report(input: &Input<'_>) -> RepositoryReport {
    // Room for all at once: a list that grows is held twice.
    let mut artifacts: Vec<&ArtifactId> = Vec::with_capacity(input.snapshot.tags.len());
    artifacts.extend(input.snapshot.tags.iter().filter_map(|tag| tag.target.artifact()));
    artifacts.sort_unstable();
    artifacts.dedup();
    let counts = Counts {
        repositories: 1,
        artifacts: artifacts.len() as u64,
        tags: input.snapshot.tags.len() as u64,
        ..Counts::default()
    };
    RepositoryReport {
        source: input.key.source.clone(),
        name: input.key.name.clone(),
        complete: false,
        gaps: input.snapshot.gaps.iter().chain(input.gaps).cloned().chain(evidence::gaps(input)).collect(),
        counts,
        rollback: Readiness::default().rollback(&[], input.rules.keep),
        targets: Vec::new(),
    }
}

/// The tags of every target, as people call it first; pins left out.
fn names_of(input: &Facts<'_>, targets: &[Target], listed: &[&ObservedTag]) -> BTreeMap<ArtifactId, Vec<Tag>> {
    let mut names: BTreeMap<ArtifactId, Vec<Tag>> =
        targets.iter().map(|target| (target.artifact.clone(), Vec::new())).collect();
    for tag in listed {
        if let Some(tags) = tag.target.artifact().and_then(|artifact| names.get_mut(artifact))
            && Pin::read(&tag.name).is_none()
        {
            tags.push(tag.name.clone());
        }
    }
    let called = Called::new(input.running, &input.state.claims, input.rules, input.labels());
    for (artifact, tags) in &mut names {
        tags.sort_by_cached_key(|tag| (called.rank(artifact, tag), tag.clone()));
    }
    names
}

/// Hashes tag by tag in sorted order, so that two runs over the same state record the same. Pins are left out: they
/// are prodpin's own doing.
fn seen_hash(key: &RepositoryKey, listed: &[&ObservedTag]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(key.name.as_str().as_bytes());
    for tag in listed.iter().filter(|tag| Pin::read(&tag.name).is_none()) {
        field(tag.name.as_str().as_bytes());
        match tag.target.artifact() {
            Some(ArtifactId::Manifest(crate::model::Digest::Sha256(bytes))) => field(bytes),
            Some(artifact) => field(artifact.to_string().as_bytes()),
            None => field(b"?"),
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests;
