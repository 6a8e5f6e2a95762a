//! Who in a Harbor project may change what protects its releases (J30).

use crate::model::{Code, Finding, HarborRepository, Severity};

use super::commands::{self, PIN_PATTERN};
use super::draft::Draft;
use super::lifecycle::harbor::{Lock, a_pin, lock};

/// A developer may change a project's tag retention and run it, and may delete no tag that a rule holds immutable: without
/// such a rule one policy takes every release, pinned or not.
pub(super) fn finding(draft: Draft<'_>, harbor: &HarborRepository, has_targets: bool) -> Option<Finding> {
    // In a cache nothing is pinned, which is said already.
    if !has_targets || harbor.cached_from.is_some() {
        return None;
    }
    let project = &harbor.project;
    let may = format!("any developer of project {project} may change its tag retention and run it");
    let (severity, message, remedy) = match lock(harbor, [a_pin().as_str()]) {
        // A gap tells what could not be read.
        Lock::By(_) | Lock::Unknown(_) => return None,
        Lock::Open => (
            Severity::Low,
            format!("{may}, and no immutability rule holds `{PIN_PATTERN}`: one changed rule deletes pinned releases"),
            format!("add the immutability rule that `{}` prints", commands::recommend(draft.repository())),
        ),
        // Somebody meant to hold tags, and holds none.
        Lock::FailedOpen => (
            Severity::Medium,
            format!(
                "an immutability rule of project {project} has a malformed pattern, so Harbor holds no tag immutable \
                 behind it; {may}, which deletes pinned releases"
            ),
            format!("correct or remove the immutability rule of project {project} whose pattern is malformed"),
        ),
    };
    Some(draft.finding(Code::DeleteAllowed, severity, message, remedy))
}
