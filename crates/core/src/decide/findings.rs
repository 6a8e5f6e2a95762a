//! What a person should know about one repository, beside its tags' moves.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{
    Cause, Code, Event, Finding, Mode, ObservedTag, Obstacle, Pin, PinFailure, RepositoryKey, RepositoryName,
    Retention, Running, RunningReference, Severity, Tag,
};
use crate::outcome::report::{PinReport, Reason, RepositoryReport, TargetReport};

use super::deployments::resolve;
use super::mutation::Mutation;
use super::plan::Input;
use super::prospects::Prospects;
use super::workloads::workload_findings;
use super::{access, charts, collision, commands, doubt, drift, evidence, forecast, mutability, refusals, witness};

/// Fills in what all findings of a repository share.
#[derive(Clone, Copy)]
pub(super) struct Draft<'a> {
    key: &'a RepositoryKey,
    retention: &'a Retention,
    now: Timestamp,
}

impl<'a> Draft<'a> {
    pub(super) fn of(input: &Input<'a>) -> Self {
        Self { key: input.key, retention: &input.snapshot.retention, now: input.now }
    }

    pub(super) fn repository(&self) -> &'a RepositoryName {
        &self.key.name
    }

    pub(super) fn retention(&self) -> &'a Retention {
        self.retention
    }

    pub(super) fn finding(
        &self,
        code: Code,
        severity: Severity,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            code,
            severity,
            source: Some(self.key.source.clone()),
            repository: Some(self.key.name.clone()),
            reference: None,
            artifact: None,
            previous: None,
            first_seen: self.now,
            ledger_sequence: None,
            message: message.into(),
            remedy: remedy.into(),
            waived: None,
        }
    }
}

/// What a person should know.
pub(super) struct Findings {
    /// What is the case, and stays a finding until it is not: opened and resolved on record.
    pub(super) standing: Vec<Finding>,
    /// What happened: told by the run that saw it, and on record as that event.
    pub(super) momentary: Vec<Finding>,
}

pub(super) fn findings(
    input: &Input<'_>,
    listed: &[&ObservedTag],
    report: &RepositoryReport,
    prospects: &Prospects,
) -> Findings {
    let draft = Draft::of(input);
    let production_tags = production_tags(input, report);
    let mutation = Mutation {
        draft,
        kind: input.snapshot.kind,
        inspections: input.inspections,
        rules: input.rules,
        listed,
        state: input.state,
        labels: input.labels,
        production_tags: &production_tags,
        cached_from: input.snapshot.retention.cached_from(),
    };
    let mut found = Findings { standing: Vec::new(), momentary: mutation.findings(input.events) };
    found.momentary.extend(drift::findings(draft, input.state, input.events));
    for target in &report.targets {
        target_findings(input, draft, target, report, prospects, &mut found.standing);
        found.standing.extend(of_evidence(input, draft, target));
        found.momentary.extend(pinned_again(input, draft, target));
    }
    found.standing.extend(evidence::unserved_tags(input, draft));
    found.standing.extend(evidence::left_out(input, draft));
    found.standing.extend(moved_pins(input, draft, report));
    found.standing.extend(witness::unknown_pins(input, draft, report));
    found.standing.extend(dangling(input, draft));
    found.standing.extend(workload_findings(input, draft));
    found.standing.extend(marked_only(draft, report));
    found.standing.extend(collision::ineffective(draft, report, prospects));
    found.standing.extend(refusals::finding(draft, report, prospects));
    if let Retention::Ecr(ecr) = &input.snapshot.retention {
        let (targets, gaps) = (!report.targets.is_empty(), !report.gaps.is_empty());
        found.standing.extend(mutability::finding(draft, ecr, input.rules, listed, targets, gaps));
        found.standing.extend(access::findings(draft, ecr, gaps));
    }
    let doubt = doubt::finding(input.selection, input.rules.keep, input.inspections, draft, &report.targets);
    found.standing.extend(doubt);
    found.standing.extend(unproven(input, draft, report));
    found.standing.extend(depth(input, draft, report));
    found.standing.extend(incomplete(draft, report));
    found
}

/// The tags by which production runs or ran something: those that name a target as a release, or that a signal names.
fn production_tags<'a>(input: &'a Input<'_>, report: &'a RepositoryReport) -> BTreeSet<&'a Tag> {
    let released = report.targets.iter().flat_map(|target| &target.reasons).filter_map(|reason| match reason {
        Reason::ReleaseTag { tag } | Reason::ReleasedAs { tag } | Reason::MovedIn { tag } => Some(tag),
        Reason::MovingTagNow { .. }
        | Reason::MovingTagBefore { .. }
        | Reason::Running { .. }
        | Reason::RanBefore { .. }
        | Reason::Wanted { .. }
        | Reason::WantedBefore { .. } => None,
    });
    let platforms = input.selection.platform_tags(input.rules.keep, input.inspections);
    released.chain(platforms).chain(input.running.iter().filter_map(Running::tag)).collect()
}

fn target_findings(
    input: &Input<'_>,
    draft: Draft<'_>,
    target: &TargetReport,
    report: &RepositoryReport,
    prospects: &Prospects,
    findings: &mut Vec<Finding>,
) {
    let name = name_of(target);
    let mut add = |code, severity, message: String, remedy: String| {
        let mut finding = draft.finding(code, severity, message, remedy);
        finding.reference = target.reasons.iter().find_map(tag_of).map(ToString::to_string);
        finding.artifact = Some(target.artifact.to_string());
        findings.push(finding);
    };
    let was_pinned = input.state.pinned.get(&target.artifact);
    if let Some((severity, message, remedy)) = collision::of(draft, &name, target, prospects, input.now) {
        add(Code::LifecycleCollision, severity, message, remedy);
    }
    for obstacle in &target.obstacles {
        match obstacle {
            Obstacle::Missing => {
                let now = match report.rollback.to.as_ref().filter(|_| report.rollback.intact == Some(true)) {
                    Some(to) => format!("roll back to {} meanwhile", to.short()),
                    None => "nothing else is left to roll back to".to_owned(),
                };
                let message = format!("{name} does not exist any more");
                let remedy = format!("{}; {now}", charts::bring_back(input.snapshot.kind));
                add(Code::TargetMissing, Severity::Critical, message, remedy);
            }
            Obstacle::WrongBytes { detail } => {
                let (code, message, remedy) = charts::wrong_bytes(input.snapshot.kind, &name, detail);
                add(code, Severity::Critical, message, remedy);
            }
            Obstacle::Archived { class } => add(
                Code::TargetArchived,
                Severity::High,
                format!("{name} lies in archive storage ({class}) and cannot be deployed at once"),
                match &input.snapshot.retention {
                    Retention::Unruled => "restore it, and keep releases out of archive transitions".to_owned(),
                    Retention::Bucket(bucket) => {
                        let how = commands::restore_object(bucket, &target.artifact, class);
                        let how = how.map_or_else(String::new, |command| format!(": `{command}`"));
                        format!("restore it, which takes minutes to hours, and keep releases out of archives{how}")
                    }
                    Retention::Ecr(ecr) => format!(
                        "restore it, which takes up to 20 minutes as a rule: `{}`",
                        commands::restore(&input.key.name, ecr, &target.artifact)
                    ),
                },
            ),
            Obstacle::Hidden { marker } => add(
                Code::TargetHidden,
                Severity::High,
                format!("a delete marker hides {name} from readers by key"),
                match &input.snapshot.retention {
                    Retention::Bucket(bucket) => commands::unhide(bucket, &target.artifact, marker),
                    Retention::Unruled | Retention::Ecr(_) => None,
                }
                .map_or_else(
                    || format!("remove the delete marker, version {marker}"),
                    |command| format!("remove the delete marker: `{command}`"),
                ),
            ),
            // Those that were worked out have been told above, with their dates.
            Obstacle::Lifecycle { due: Some(_), .. } => {}
            Obstacle::Lifecycle { rule, effect, due: None } => add(
                Code::LifecycleCollision,
                Severity::High,
                format!("lifecycle rule {rule:?} reaches {name}: {effect}"),
                "narrow the rule's filter so that it spares releases".to_owned(),
            ),
            Obstacle::PinMoved { to } => add(
                Code::PinMoved,
                Severity::Critical,
                format!("the pin of {name} names {to} instead"),
                "somebody moved it: find out who can push here; prodpin never moves a tag that it did not make"
                    .to_owned(),
            ),
            // Refused is not lacking: that has a finding of its own, for all of them.
            Obstacle::Unpinned if is_whole(target) && (target.pin != PinReport::Refused || was_pinned.is_some()) => {
                let attempt = input.attempts.get(&target.artifact);
                let (mut severity, mut message, remedy) = unpinned(input.mode, &name, was_pinned.is_some(), attempt);
                if let Some(threat) = prospects.unless_pinned(&target.artifact) {
                    severity = severity.max(forecast::severity(threat, input.now).min(Severity::High));
                    message.push_str(&collision::unless_pinned(threat));
                }
                add(Code::PinMissing, severity, message, remedy);
            }
            // These are told together, by `evidence`.
            Obstacle::PartMissing { .. } | Obstacle::PartDamaged { .. } | Obstacle::Contradiction { .. } => {}
            Obstacle::Unpinned
            | Obstacle::PinRefused { .. }
            | Obstacle::NoPins { .. }
            | Obstacle::NoObjectLock
            | Obstacle::Unversioned
            // Told once for the source.
            | Obstacle::CleanupUnknown { .. }
            | Obstacle::Unproven { .. } => {}
        }
    }
    if let Some(Err(failure)) = input.attempts.get(&target.artifact)
        && !target.obstacles.contains(&Obstacle::Unpinned)
        && target.pin == PinReport::Failed
    {
        add(
            Code::PinMissing,
            Severity::High,
            format!("{name} could not be pinned: {failure}"),
            next_step(failure.cause).to_owned(),
        );
    }
}

/// What is to be known of the evidence about a target.
fn of_evidence(input: &Input<'_>, draft: Draft<'_>, target: &TargetReport) -> Vec<Finding> {
    let inspection = input.inspections.get(&target.artifact);
    let mut found = evidence::findings(draft, &name_of(target), target, inspection, input.snapshot.kind);
    for finding in &mut found {
        finding.reference = target.reasons.iter().find_map(tag_of).map(ToString::to_string);
        finding.artifact = Some(target.artifact.to_string());
    }
    found
}

/// A pin that had been removed and was made again in this run.
fn pinned_again(input: &Input<'_>, draft: Draft<'_>, target: &TargetReport) -> Option<Finding> {
    let before = input.state.pinned.get(&target.artifact)?;
    // A run may have made it again that died before it could say so.
    let lost = |event: &Event| matches!(event, Event::PinLost { artifact } if *artifact == target.artifact);
    let untold = target.pin == PinReport::Present && input.events.iter().any(lost);
    (target.pin == PinReport::Created || untold).then(|| {
        let message = format!("the pin of {} had been removed, and was made again", name_of(target));
        let mut finding =
            draft.finding(Code::PinMissing, Severity::High, message, "find out what removes tags here".to_owned());
        if untold {
            finding.first_seen = before.at;
        }
        finding.reference = target.reasons.iter().find_map(tag_of).map(ToString::to_string);
        finding.artifact = Some(target.artifact.to_string());
        finding
    })
}

/// Whether nothing worse than a lacking pin is wrong: what is broken has a finding of its own.
fn is_whole(target: &TargetReport) -> bool {
    !target.obstacles.iter().any(|obstacle| match obstacle {
        Obstacle::Missing
        | Obstacle::PartMissing { .. }
        | Obstacle::PartDamaged { .. }
        | Obstacle::WrongBytes { .. } => true,
        // An archived image takes no tag before it is restored (A43); an archived object can be held as it is.
        Obstacle::Archived { .. } => target.artifact.digest().is_some(),
        _ => false,
    })
}

fn unpinned(
    mode: Mode,
    name: &str,
    was_pinned: bool,
    attempt: Option<&Result<(), PinFailure>>,
) -> (Severity, String, String) {
    let enforce = "run `prodpin enforce`".to_owned();
    match (attempt, mode) {
        (Some(Err(failure)), _) => {
            (Severity::High, format!("{name} could not be pinned: {failure}"), next_step(failure.cause).to_owned())
        }
        (Some(Ok(())), _) => (
            Severity::High,
            format!("{name}: the pin was accepted, and reading it back does not find it"),
            "check for a rule or a job that removes tags as soon as they appear".to_owned(),
        ),
        (None, _) if was_pinned => (
            Severity::High,
            format!("the pin of {name} is gone"),
            format!("{enforce}, and find out what removes tags here"),
        ),
        (None, Mode::Audit | Mode::EnforceDryRun) => (Severity::Medium, format!("{name} is not pinned yet"), enforce),
        (None, Mode::Enforce) => (
            Severity::Medium,
            format!("{name} is not pinned yet"),
            "the next run pins it once all of its parts could be read".to_owned(),
        ),
    }
}

/// Pin tags that name another artifact than their own name says, whether or not that is a target today.
fn moved_pins(input: &Input<'_>, draft: Draft<'_>, report: &RepositoryReport) -> Vec<Finding> {
    let pins = input.snapshot.tags.iter().filter_map(|tag| {
        let pin = Pin::read(&tag.name)?;
        let artifact = tag.target.artifact()?;
        (!artifact.digest().is_some_and(|digest| pin.names(digest))).then_some((tag, artifact))
    });
    let judged: BTreeSet<String> = report
        .targets
        .iter()
        .filter_map(|target| target.artifact.digest().map(|digest| Pin::of(digest).to_string()))
        .collect();
    pins.filter(|(tag, _)| !judged.contains(tag.name.as_str()))
        .map(|(tag, artifact)| {
            let message = format!("pin {} names {artifact}", tag.name);
            let remedy =
                "somebody moved it: find out who can push here; prodpin never moves a tag that it did not make";
            let mut finding = draft.finding(Code::PinMoved, Severity::Critical, message, remedy);
            finding.reference = Some(tag.name.to_string());
            finding.artifact = Some(artifact.to_string());
            finding
        })
        .collect()
}

/// References that a signal names and that do not exist.
fn dangling(input: &Input<'_>, draft: Draft<'_>) -> Vec<Finding> {
    if !input.snapshot.listing_is_complete() {
        return Vec::new();
    }
    let dangling = resolve(input.running, input.state, input.rules, &input.labels()).dangling;
    let mut seen: BTreeSet<(&RunningReference, &Arc<str>)> = BTreeSet::new();
    dangling
        .into_iter()
        .filter(|running| seen.insert((&running.reference, &running.via)))
        .filter_map(|running| {
            let RunningReference::Tag(tag) = &running.reference else { return None };
            let unread = input.snapshot.tags.iter().any(|observed| observed.name == *tag);
            if unread {
                return None;
            }
            let message = match running.runs_now() {
                true => format!("{} names {tag} as running, and there is no such tag", running.via),
                false => format!("{} wants {tag}, and there is no such tag: it cannot start", running.via),
            };
            let mut finding = draft.finding(
                Code::TargetMissing,
                Severity::Critical,
                message,
                "name it by digest, or correct the reference",
            );
            finding.reference = Some(tag.to_string());
            Some(finding)
        })
        .collect()
}

/// Targets that carry a mark which nothing enforces.
fn marked_only(draft: Draft<'_>, report: &RepositoryReport) -> Option<Finding> {
    let (severity, message, remedy) = charts::unsupported(report)?;
    Some(draft.finding(Code::PinIneffective, severity, message, remedy))
}

/// Proofs that are lacking although everything that could be asked was answered.
fn unproven(input: &Input<'_>, draft: Draft<'_>, report: &RepositoryReport) -> Vec<Finding> {
    if !input.snapshot.listing_is_complete() {
        return Vec::new();
    }
    let failures: Vec<&PinFailure> = input.attempts.values().filter_map(|attempt| attempt.as_ref().err()).collect();
    let details: BTreeSet<&str> = report
        .targets
        .iter()
        .flat_map(|target| &target.obstacles)
        .filter_map(|obstacle| match obstacle {
            Obstacle::Unproven { detail } => Some(detail.as_str()),
            _ => None,
        })
        .filter(|detail| !report.gaps.iter().any(|gap| gap.detail == *detail))
        .filter(|detail| !failures.iter().any(|failure| failure.detail == *detail))
        .collect();
    details
        .into_iter()
        .map(|detail| {
            let message = format!("protection is not proven: {detail}");
            draft.finding(
                Code::PinIneffective,
                Severity::Medium,
                message,
                "unknown is not protected: settle it, and run again",
            )
        })
        .collect()
}

/// Whether there is enough to roll back to.
fn depth(input: &Input<'_>, draft: Draft<'_>, report: &RepositoryReport) -> Option<Finding> {
    let ranked: Vec<&TargetReport> = report.targets.iter().filter(|target| target.rank.is_some()).collect();
    let keep = report.rollback.keep as usize;
    if report.targets.is_empty() {
        return report.complete.then(|| {
            draft.finding(
                Code::PolicyUnmatched,
                Severity::Low,
                "no tag here matches a production rule, so nothing is kept".to_owned(),
                "add a production rule that matches this repository's releases, or take the repository out of the policy",
            )
        });
    }
    let possible = ranked.iter().filter(|target| target.restorable != Some(false)).count();
    if possible >= keep || !input.snapshot.listing_is_complete() {
        return None;
    }
    let lost = ranked.len() > possible;
    let severity = match (lost, report.rollback.ready, report.rollback.intact) {
        (true, Some(false), _) => Severity::High,
        (true, ..) => Severity::Medium,
        (false, _, Some(true)) => Severity::Info,
        (false, ..) => Severity::Low,
    };
    let message = if lost {
        format!("{possible} of the {keep} releases to keep are intact")
    } else {
        format!(
            "{possible} production {} known, and the policy keeps {keep}",
            if possible == 1 { "release is" } else { "releases are" }
        )
    };
    let remedy = if lost {
        "bring back what is missing, or release again"
    } else {
        "nothing to do: the number grows with each release"
    };
    Some(draft.finding(Code::RollbackDepthShort, severity, message, remedy))
}

fn incomplete(draft: Draft<'_>, report: &RepositoryReport) -> Option<Finding> {
    let first = report.gaps.first()?;
    let more = match report.gaps.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let message = format!("not everything could be read: {}{more}", first.detail);
    Some(draft.finding(Code::InventoryIncomplete, Severity::Medium, message, next_step(first.cause)))
}

/// What to do about a gap.
#[must_use]
pub fn next_step(cause: Cause) -> &'static str {
    match cause {
        Cause::Denied => "give the credentials access, or take the repository out of the policy",
        Cause::NotFound => {
            "check the name and the credentials; if it was removed on purpose, take it out of the policy"
        }
        Cause::Unsupported => "use a source kind or a setting that the server supports",
        Cause::Throttled => "lower --concurrency, or ask for a higher limit",
        Cause::Unreachable => "check the network and the server, and run again",
        Cause::TimedOut => "raise --deadline, or split the work with --shard",
        Cause::Interrupted => "run it again: it was asked to end before it was done",
        Cause::Malformed => "check what stands between prodpin and the server; the answer breaks the protocol",
        Cause::Refused => "change the policy if this is meant; the detail names the setting",
        Cause::Suspicious => {
            "find out what happened before anything else: lost access looks like this, and so does a mass deletion"
        }
    }
}

fn tag_of(reason: &Reason) -> Option<&Tag> {
    match reason {
        Reason::ReleaseTag { tag }
        | Reason::ReleasedAs { tag }
        | Reason::MovingTagNow { tag }
        | Reason::MovingTagBefore { tag }
        | Reason::MovedIn { tag } => Some(tag),
        Reason::Running { .. } | Reason::RanBefore { .. } | Reason::Wanted { .. } | Reason::WantedBefore { .. } => None,
    }
}

/// How a target is called in a sentence: as on the page, by the tag by which workloads name it, else its release tag, and
/// its short digest. What was released under a tag that names it no longer is called by that.
pub(super) fn name_of(target: &TargetReport) -> String {
    let had = target.reasons.iter().find_map(tag_of);
    let is_moved = !target.reasons.iter().any(|reason| matches!(reason, Reason::ReleaseTag { .. }));
    match had.filter(|_| is_moved).or(target.references.first()).or(had) {
        Some(tag) => format!("{tag} ({})", target.artifact.short()),
        None => target.artifact.to_string(),
    }
}
