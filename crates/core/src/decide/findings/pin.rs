//! Pins that are lacking, were removed, name something else, or protect nothing.

use std::collections::BTreeSet;

use crate::decide::charts;
use crate::decide::draft::{Draft, name_of};
use crate::decide::input::Input;
use crate::model::{Cleanup, Code, Event, Finding, Mode, Obstacle, Pin, PinFailure, Severity};
use crate::outcome::report::{PinReport, RepositoryReport, TargetReport};

use super::gap::next_step;

/// A pin that had been removed and was made again: in this run, by one that died before it could say so, or by somebody
/// else after a run had said that it is gone.
pub(super) fn pinned_again(input: &Input<'_>, draft: Draft<'_>, target: &TargetReport) -> Option<Finding> {
    let (state, artifact) = (input.state, &target.artifact);
    let lost = |event: &Event| matches!(event, Event::PinLost { artifact: lost } if lost == artifact);
    let unreported = || input.events.iter().any(lost);
    let (what, since) = match target.pin {
        PinReport::Created if state.lacks_pin(artifact) => ("was made again", None),
        PinReport::Present if state.lost_pin(artifact).is_some() => ("is there again", None),
        PinReport::Present if state.misses_pin(artifact) && unreported() => {
            ("was made again", state.pinned.get(artifact))
        }
        _ => return None,
    };
    let message = format!("the pin of {} had been removed, and {what}", name_of(target));
    let remedy = "find out what removes tags here";
    let mut finding = draft.of_target(target, Code::PinMissing, Severity::High, message, remedy);
    if let Some(since) = since {
        finding.first_seen = since.at;
    }
    Some(finding)
}

/// Whether nothing worse than a lacking pin is wrong: what is broken has a finding of its own.
pub(super) fn is_whole(target: &TargetReport) -> bool {
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

/// Why `prodpin enforce` makes no pin of something that lacks one, where another finding says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hindrance {
    /// What cleans up there is unknown.
    Withheld,
    /// The pin would do harm.
    Refused,
    /// The registry does not hand out the bytes to be pinned.
    Blocked,
}

impl Hindrance {
    pub(super) fn of(target: &TargetReport, cleanup: &Cleanup) -> Option<Self> {
        let is_blocked = |obstacle: &Obstacle| matches!(obstacle, Obstacle::NotPullable { .. });
        match target.pin {
            _ if cleanup.withholds_pins() => Some(Self::Withheld),
            PinReport::Refused => Some(Self::Refused),
            // Where only a part is kept back, the pin is planned.
            PinReport::Absent if target.obstacles.iter().any(is_blocked) => Some(Self::Blocked),
            _ => None,
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Withheld => {
                "no pin is made here until the finding cleanup-unknown is resolved: do what it says, then run `prodpin enforce`"
            }
            Self::Refused => "do what the finding pin-refused says, then run `prodpin enforce`",
            Self::Blocked => {
                "no pin can be made while the registry keeps its manifest from being pulled: do what the finding \
                 target-not-pullable says, then run `prodpin enforce`"
            }
        }
    }
}

/// How a lacking pin is reported: what was tried, and what the run may do.
pub(super) fn unpinned(
    mode: Mode,
    (name, target): (&str, &TargetReport),
    hindrance: Option<Hindrance>,
    was_pinned: bool,
    attempt: Option<&Result<(), PinFailure>>,
) -> (Severity, String, String) {
    let enforce = hindrance.map_or("run `prodpin enforce`", Hindrance::remedy).to_owned();
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
        (None, _) if hindrance.is_some() => (Severity::Medium, format!("{name} is not pinned"), enforce),
        (None, Mode::Audit | Mode::EnforceDryRun | Mode::Release) => {
            let message = match target.parts.map_or(0, |parts| parts.planned) {
                0 => format!("{name} is not pinned yet"),
                1 => format!("{name}, and 1 manifest that belongs to it, are not pinned yet"),
                more => format!("{name}, and {more} manifests that belong to it, are not pinned yet"),
            };
            (Severity::Medium, message, enforce)
        }
        (None, Mode::Enforce) => (
            Severity::Medium,
            format!("{name} is not pinned yet"),
            "the next run pins it once all of its parts could be read".to_owned(),
        ),
    }
}

/// Releases of one service that only wait for a pin are one finding: they have one cause and one remedy, and a first audit
/// of many services would bury everything else under five lines for each. A lack that is worse stays by itself.
pub(super) fn together(conditions: &mut Vec<Finding>, draft: Draft<'_>, report: &RepositoryReport) {
    let waits = |finding: &Finding| finding.code == Code::PinMissing && finding.severity == Severity::Medium;
    let Some(first) = conditions.iter().position(waits) else { return };
    let remedy = conditions[first].remedy.clone();
    let is_one = |finding: &Finding| waits(finding) && finding.remedy == remedy;
    let artifacts: BTreeSet<String> =
        conditions.iter().filter(|finding| is_one(finding)).filter_map(|finding| finding.artifact.clone()).collect();
    let targets: Vec<&TargetReport> =
        report.targets.iter().filter(|target| artifacts.contains(&target.artifact.to_string())).collect();
    if targets.len() < 2 {
        return;
    }
    let named: Vec<String> = targets.iter().map(|target| name_of(target)).collect();
    let has_parts = targets.iter().any(|target| target.parts.is_some_and(|parts| parts.planned > 0));
    let parts = if has_parts { ", nor is all that belongs to them" } else { "" };
    let message = format!("{} releases are not pinned yet{parts}: {}", targets.len(), named.join(", "));
    conditions.retain(|finding| !is_one(finding));
    conditions.insert(first, draft.finding(Code::PinMissing, Severity::Medium, message, remedy));
}

/// Pin tags that name another artifact than their own name says, whether or not that is a target today.
pub(super) fn moved(input: &Input<'_>, draft: Draft<'_>, report: &RepositoryReport) -> Vec<Finding> {
    let pins = input.snapshot.tags.iter().filter_map(|tag| {
        let pin = Pin::read(&tag.name)?;
        let artifact = tag.target.artifact()?;
        (!artifact.digest().is_some_and(|digest| pin.names(digest))).then_some((tag, artifact))
    });
    let judged: BTreeSet<String> = report
        .targets
        .iter()
        .filter_map(|target| target.artifact.digest().map(|digest| Pin::for_digest(digest).to_string()))
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

/// Targets that carry a mark which nothing enforces.
pub(super) fn marked_only(draft: Draft<'_>, report: &RepositoryReport) -> Option<Finding> {
    let (severity, message, remedy) = charts::unsupported(report)?;
    Some(draft.finding(Code::PinIneffective, severity, message, remedy))
}

/// Proofs that are lacking although everything that could be asked was answered.
pub(super) fn unproven(input: &Input<'_>, draft: Draft<'_>, report: &RepositoryReport) -> Vec<Finding> {
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
