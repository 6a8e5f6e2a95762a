//! Whether a repository can be rolled back now, and to what.

use crate::report::document::{Reason, Rollback, TargetReport};

use super::naming::Reading;
use super::order::Version;

/// Whether something says that production ran it, rather than that its tag looks like a release.
pub(super) fn is_proven(target: &TargetReport) -> bool {
    target.reasons.iter().any(Reason::says_that_it_ran)
}

/// Whether something says what production runs now.
pub(super) fn says_what_runs(targets: &[TargetReport]) -> bool {
    targets.iter().any(|target| target.running && is_proven(target))
}

/// The place of what production runs.
fn current(targets: &[TargetReport]) -> Option<usize> {
    let running = targets.iter().position(|target| target.running);
    running.or_else(|| targets.iter().position(|target| target.rank.is_some()))
}

/// The releases that one could go back to, most recent first, whether they can be restored or not.
pub(super) fn before(targets: &[TargetReport]) -> Vec<&TargetReport> {
    let current = current(targets);
    let elsewhere = targets.iter().any(|target| !target.running && is_proven(target));
    let running = current.map(|place| &targets[place]).filter(|target| is_proven(target));
    let before = targets.iter().enumerate().filter(|(place, target)| {
        // Bytes that only arrived by moving a release tag are nothing to fall back to.
        let released = target.reasons.iter().any(|reason| !matches!(reason, Reason::MovedIn { .. }));
        // A release that nothing says ran may be newer than what runs: where something tells what ran, only that
        // counts, and else only what is older by its version.
        let earlier = match running {
            _ if is_proven(target) => true,
            Some(running) => !elsewhere && is_older(target, running),
            None => true,
        };
        released
            && earlier
            && target.rank.is_some()
            && !target.running
            && current.is_none_or(|current| *place > current)
    });
    before.map(|(_, target)| target).collect()
}

/// Reads the answer off the judged targets, which are in their order: most recent first.
pub(super) fn rollback(targets: &[TargetReport], keep: u32) -> Rollback {
    let current = current(targets);
    let running = current.map(|place| &targets[place]).filter(|target| is_proven(target));
    let before = before(targets);
    let to = before.iter().find(|target| target.restorable == Some(true));
    let ready = match to {
        Some(_) => Some(true),
        None if targets.is_empty() || before.iter().any(|target| target.restorable.is_none()) => None,
        // Something could be deployed, and nothing tells whether it is a way back.
        None if running.is_some()
            && targets.iter().any(|target| !target.running && target.restorable == Some(true)) =>
        {
            None
        }
        None => Some(false),
    };
    let depth = before.iter().filter(|target| target.restorable == Some(true)).count();
    Rollback {
        ready,
        current: current.map(|place| targets[place].artifact.clone()),
        to: to.map(|target| target.artifact.clone()),
        depth: u32::try_from(depth).unwrap_or(u32::MAX),
        keep,
        unknown: None,
    }
}

/// Whether a release's tags name a higher version than another's; not, where either names none.
pub(super) fn is_higher_version(target: &TargetReport, than: &TargetReport) -> bool {
    let version = |target: &TargetReport| {
        let versions = target.references.iter().filter_map(|tag| Version::read(tag.as_str()));
        versions.filter(|version| version.conventional).max()
    };
    matches!((version(target), version(than)), (Some(this), Some(that)) if this > that)
}

/// Whether a release is older than another by the versions in their tags; not, where either has none.
fn is_older(target: &TargetReport, than: &TargetReport) -> bool {
    let version = |target: &TargetReport| {
        let tags = target.reasons.iter().filter_map(|reason| match reason {
            Reason::ReleaseTag { tag } | Reason::ReleasedAs { tag } => Some(tag),
            _ => None,
        });
        let read = tags.filter_map(|tag| Reading::of(tag.as_str()));
        read.map(|reading| (reading.version, reading.family)).max()
    };
    // Two families of names are in no order.
    matches!((version(target), version(than)), (Some(this), Some(that)) if this.1 == that.1 && this.0 < that.0)
}

impl Reason {
    /// Whether it says that production ran the artifact, rather than that its tag looks like a release.
    fn says_that_it_ran(&self) -> bool {
        match self {
            Self::MovingTagNow { .. }
            | Self::MovingTagBefore { .. }
            | Self::Running { .. }
            | Self::RanBefore { .. } => true,
            Self::ReleaseTag { .. } | Self::ReleasedAs { .. } | Self::MovedIn { .. } => false,
        }
    }
}
