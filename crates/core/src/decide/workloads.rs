//! Findings about what workloads name, and what they run under it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{
    ArtifactId, Code, Concern, DeployedReference, Deployment, Finding, Mutability, Retention, Severity, Shortcoming,
    Tag, TagStatus,
};

use super::draft::Draft;
use super::facts::Facts;
use super::input::Input;

/// So many workloads are named in one finding; the others are counted.
const WORKLOADS_SHOWN: usize = 3;

pub(super) fn workload_findings(input: &Facts<'_>, draft: Draft<'_>) -> Vec<Finding> {
    let mut by_tag: BTreeMap<&Tag, Vec<&Deployment>> = BTreeMap::new();
    for entry in input.running.iter().filter(|entry| entry.runs_or_is_wanted() && entry.workload.is_some()) {
        if let Some(tag) = entry.tag() {
            by_tag.entry(tag).or_default().push(entry);
        }
    }
    let labels = input.labels();
    let mut findings = Vec::new();
    for (tag, entries) in by_tag {
        let may_move = input.rules.may_move(tag, labels.label(tag));
        let drifted = drift(input, draft, tag, &entries, may_move);
        // Whoever is told that the tag was moved under a workload knows that it can be.
        if drifted.is_empty() {
            findings.extend(mutable(input, draft, tag, &entries, may_move));
        }
        findings.extend(drifted);
    }
    findings
}

/// The workload runs what its tag named once, and would start something else next.
fn drift(input: &Input<'_>, draft: Draft<'_>, tag: &Tag, entries: &[&Deployment], may_move: bool) -> Vec<Finding> {
    let history = input.state.tags.get(tag).filter(|history| !matches!(history.status(), TagStatus::Deleted(_)));
    let Some(now) = history.and_then(|history| history.latest()).map(|sighting| &sighting.artifact) else {
        return Vec::new();
    };
    let mut drifted: BTreeMap<&ArtifactId, Vec<&Deployment>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.runs_now()) {
        let runs = match &entry.reference {
            DeployedReference::Artifact(artifact) => Some(artifact),
            DeployedReference::Tag(tag) => input.state.claimed(&entry.via, tag),
        };
        if let Some(runs) = runs.filter(|runs| *runs != now) {
            drifted.entry(runs).or_default().push(entry);
        }
    }
    let severity = match may_move {
        true => Severity::Medium,
        false => Severity::High,
    };
    let finding = |(runs, entries): (&ArtifactId, Vec<&Deployment>)| {
        let who = reported(&entries);
        let message = format!(
            "{who} runs {} under {tag}, and {tag} names {} now: the next start brings other bytes",
            runs.short(),
            now.short()
        );
        let remedy = format!("name it by digest, {tag}@{runs}, or deploy what {tag} names now on purpose");
        let mut finding = draft.finding(Code::WorkloadDigestDrift, severity, message, remedy);
        finding.reference = Some(tag.to_string());
        finding.artifact = Some(runs.to_string());
        finding.previous = None;
        finding
    };
    drifted.into_iter().map(finding).collect()
}

/// The workload names a tag alone, and the tag can be moved.
fn mutable(input: &Input<'_>, draft: Draft<'_>, tag: &Tag, entries: &[&Deployment], may_move: bool) -> Option<Finding> {
    if never_moves(&input.snapshot.retention) {
        return None;
    }
    let severity = match may_move || tag.as_str() == "latest" {
        true => Severity::Medium,
        false => Severity::Low,
    };
    let message =
        format!("{} names {tag} without a digest: whoever moves the tag changes what starts next", reported(entries));
    let remedy = "name images by digest where workloads are defined, or make the repository's tags immutable";
    let mut finding = draft.finding(Code::WorkloadOnMutableTag, severity, message, remedy);
    finding.reference = Some(tag.to_string());
    Some(finding)
}

/// Whether the registry itself keeps every tag where it is.
fn never_moves(retention: &Retention) -> bool {
    match retention {
        Retention::Ecr(repository) => repository.mutability == Some(Mutability::Immutable),
        Retention::Gar(repository) => repository.immutable_tags == Some(true),
        Retention::Bucket(_)
        | Retention::Unruled
        | Retention::Harbor(_)
        | Retention::Acr(_)
        | Retention::GitLab(_)
        | Retention::Quay(_)
        | Retention::Zot(_) => false,
    }
}

/// So many workloads with one concern are reported one by one for each signal; the others are counted (F96).
const CONCERNS_SHOWN: usize = 20;

/// What makes going back harder, whatever the workloads run.
#[must_use]
pub fn concerns(signal: &str, mut concerns: Vec<Concern>, keep: u32, now: Timestamp) -> Vec<Finding> {
    concerns.sort();
    concerns.dedup();
    concerns.retain(|concern| match concern.what {
        Shortcoming::HistoryLimit { revisions, .. } => revisions < keep,
        Shortcoming::ResolvedAnew { .. } => true,
    });
    let unreported = concerns.len().saturating_sub(CONCERNS_SHOWN);
    let mut findings: Vec<Finding> =
        concerns.iter().take(CONCERNS_SHOWN).map(|concern| reported_concern(signal, concern, keep, now)).collect();
    if unreported > 0 {
        let message = format!("{unreported} more workloads of {signal} keep fewer revisions or resolve tags anew");
        let remedy = "see the others that are told; `-v` logs every one".to_owned();
        let mut finding = Finding::at_large(Code::HistoryShort, Severity::Low, None, message, remedy, now);
        finding.reference = Some(signal.to_owned());
        findings.push(finding);
    }
    findings
}

fn reported_concern(signal: &str, concern: &Concern, keep: u32, now: Timestamp) -> Finding {
    let workload = &concern.workload;
    let mut finding = match &concern.what {
        Shortcoming::HistoryLimit { revisions, setting } => {
            // With none left, the platform's own way back is gone (E122).
            let severity = if *revisions == 0 { Severity::Medium } else { Severity::Low };
            let kept = match revisions {
                0 => "no old revision".to_owned(),
                1 => "1 old revision".to_owned(),
                more => format!("{more} old revisions"),
            };
            let message = format!("{workload} keeps {kept}, and the policy keeps {keep} releases");
            let remedy = format!("set {setting} to {keep} or more, or leave it out");
            Finding::at_large(Code::HistoryShort, severity, None, message, remedy, now)
        }
        Shortcoming::ResolvedAnew { container } => {
            let message = format!("{workload} resolves the tag of container {container} anew for every task it starts");
            let remedy = "take out versionConsistency: disabled, or name the image by digest".to_owned();
            Finding::at_large(Code::WorkloadOnMutableTag, Severity::Medium, None, message, remedy, now)
        }
    };
    finding.reference = Some(format!("{signal}: {workload}"));
    finding
}

/// So many repositories of a place are named.
const REPOSITORIES_SHOWN: usize = 5;

/// What workloads run from places that no source of the policy covers.
#[must_use]
pub fn uncovered(elsewhere: &BTreeMap<String, BTreeSet<String>>, now: Timestamp) -> Vec<Finding> {
    let finding = |(place, things): (&String, &BTreeSet<String>)| {
        let more = things.len().saturating_sub(REPOSITORIES_SHOWN);
        let shown = things.iter().take(REPOSITORIES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let message = format!("production runs what no source of the policy covers, from {place}: {shown}{more}");
        let remedy =
            "add a source for what must be ready to roll back to, or leave out of the rule what need not be, such \
                      as a cluster's own namespaces; nothing else is looked at"
                .to_owned();
        let mut finding = Finding::at_large(Code::PolicyUnmatched, Severity::High, None, message, remedy, now);
        finding.reference = Some(place.clone());
        finding
    };
    elsewhere.iter().map(finding).collect()
}

/// `deployment shop/api (and 2 more)`.
fn reported(entries: &[&Deployment]) -> String {
    let names: BTreeSet<String> =
        entries.iter().filter_map(|entry| entry.workload.as_ref()).map(ToString::to_string).collect();
    let more = names.len().saturating_sub(WORKLOADS_SHOWN);
    let shown = names.into_iter().take(WORKLOADS_SHOWN).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} (and {more} more)") }
}
