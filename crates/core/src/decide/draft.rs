//! What all findings about one repository share, and how its targets are called in them.

use jiff::Timestamp;

use crate::model::{Cause, Code, Finding, Gap, RepositoryKey, RepositoryName, Retention, Scope, Severity};
use crate::outcome::known_as::KnownAs;
use crate::outcome::report::{Reason, TargetReport};

use super::input::Input;
use super::place::Place;

/// Fills in what all findings of a repository share.
#[derive(Clone, Copy)]
pub(super) struct Draft<'a> {
    key: &'a RepositoryKey,
    retention: &'a Retention,
    gaps: &'a [Gap],
    place: Place,
    now: Timestamp,
}

impl<'a> Draft<'a> {
    pub(super) fn new(input: &Input<'a>) -> Self {
        let snapshot = input.snapshot;
        Self {
            key: input.key,
            retention: &snapshot.retention,
            gaps: &snapshot.gaps,
            place: Place::of(snapshot),
            now: input.now,
        }
    }

    pub(super) fn repository(&self) -> &'a RepositoryName {
        &self.key.name
    }

    /// What holds the repository.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn retention(&self) -> &'a Retention {
        self.retention
    }

    /// Why a setting could not be read, where nobody was denied it: a permission more would change nothing.
    pub(super) fn unread_though_allowed(&self) -> Option<&'a Gap> {
        let mut settings = self.gaps.iter().filter(|gap| gap.scope == Scope::Setting);
        let first = settings.clone().next()?;
        settings.all(|gap| gap.cause != Cause::Denied).then_some(first)
    }

    pub(super) fn finding(
        &self,
        code: Code,
        severity: Severity,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding::new(code, severity, message, remedy, self.now).of_repository(self.key)
    }

    /// About one target: its release tag and its artifact are named.
    pub(super) fn of_target(
        &self,
        target: &TargetReport,
        code: Code,
        severity: Severity,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        names(self.finding(code, severity, message, remedy), target)
    }
}

/// The same finding, with the release tag and the artifact of the target that it is about.
pub(super) fn names(mut finding: Finding, target: &TargetReport) -> Finding {
    finding.reference = target.reasons.iter().find_map(Reason::tag).map(ToString::to_string);
    finding.artifact = Some(target.artifact.to_string());
    finding
}

/// How a target is called in a sentence: as on the page, by the tag by which workloads name it, else its release tag, and
/// its short digest. What was released under a tag that names it no longer is called by that.
pub(super) fn name_of(target: &TargetReport) -> String {
    let had = target.reasons.iter().find_map(|reason| match reason {
        Reason::ReleasedAs { tag } | Reason::MovedIn { tag } => Some(tag),
        _ => None,
    });
    let is_moved = !target.reasons.iter().any(|reason| matches!(reason, Reason::ReleaseTag { .. }));
    let known_as = target.known_as().map(|(KnownAs::Now(tag) | KnownAs::Once(tag))| tag);
    match had.filter(|_| is_moved).or(known_as) {
        Some(tag) => format!("{tag} ({})", target.artifact.short()),
        None => target.artifact.to_string(),
    }
}
