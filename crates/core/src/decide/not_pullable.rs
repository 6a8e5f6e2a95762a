//! Targets that are there and that a rule of the registry keeps from being pulled (J10, F119): nothing is lost, and a
//! rollback to them would fail now.

use crate::model::{Code, Finding, Obstacle, Severity};
use crate::outcome::report::TargetReport;

use super::draft::Draft;

/// So many parts are named; the others are a number.
const NAMED: usize = 3;

/// One finding for all that is kept back of one target. `name` is how the target is called in a sentence.
pub(super) fn finding(draft: Draft<'_>, name: &str, target: &TargetReport) -> Option<Finding> {
    let details = target.obstacles.iter().filter_map(|obstacle| match obstacle {
        Obstacle::NotPullable { detail } => Some(detail.as_str()),
        _ => None,
    });
    let mut details: Vec<&str> = details.collect();
    let more = details.len().saturating_sub(NAMED);
    details.truncate(NAMED);
    let (reported, more) = match (details.join("; "), more) {
        (reported, _) if reported.is_empty() => return None,
        (reported, 0) => (reported, String::new()),
        (reported, more) => (reported, format!("; and {more} more parts")),
    };
    let message = format!("{name} is there and cannot be pulled, so a rollback to it would fail now: {reported}{more}");
    let remedy = "look up which rule of the registry keeps it back (a vulnerability gate, a quarantine, content trust), and \
                  exempt this release from it for as long as it is a way back";
    Some(draft.of_target(target, Code::TargetNotPullable, Severity::High, message, remedy))
}
