//! Whether a repository can be rolled back now, and to what.

use crate::report::document::{Reason, Rollback, TargetReport};

/// Reads the answer off the judged targets, which are in their order: most recent first.
pub(super) fn rollback(targets: &[TargetReport], keep: u32) -> Rollback {
    let current = targets
        .iter()
        .position(|target| target.running)
        .or_else(|| targets.iter().position(|target| target.rank.is_some()));
    let before = targets.iter().enumerate().filter(|(place, target)| {
        // Bytes that only arrived by moving a release tag are nothing to fall back to.
        let released = target.reasons.iter().any(|reason| !matches!(reason, Reason::MovedIn { .. }));
        released && target.rank.is_some() && !target.running && current.is_none_or(|current| *place > current)
    });
    let before: Vec<&TargetReport> = before.map(|(_, target)| target).collect();
    let to = before.iter().find(|target| target.restorable == Some(true));
    let ready = match to {
        Some(_) => Some(true),
        None if targets.is_empty() || before.iter().any(|target| target.restorable.is_none()) => None,
        None => Some(false),
    };
    let depth = before.iter().filter(|target| target.restorable == Some(true)).count();
    Rollback {
        ready,
        current: current.map(|place| targets[place].artifact.clone()),
        to: to.map(|target| target.artifact.clone()),
        depth: u32::try_from(depth).unwrap_or(u32::MAX),
        keep,
    }
}
