//! How a command ended, and the one function that turns it into an exit status.

use std::process::ExitCode;

use crate::model::FailOn;
use crate::outcome::report::FindingCounts;
use crate::policy::{AdHocError, PolicyError};
use crate::run::{RunError, Unusable};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It did what it was asked.
    Done,
    /// The arguments or the policy cannot be used.
    Misused,
    /// It could not do what it was asked.
    Failed,
    /// What --fail-on names was reached.
    Reached,
    /// A run ended, with a report.
    Ran {
        /// Whether everything was read and everything done.
        complete: bool,
        /// What was found.
        findings: FindingCounts,
        /// The severity from which findings count here.
        fail_on: FailOn,
    },
}

/// The exit status: 0 done, 1 failed or incomplete, 2 misused, 3 findings at or above `--fail-on`. 1 wins over 3:
/// findings of a run that did not see everything are not the whole of it.
#[must_use]
pub fn status(ending: &Ending) -> ExitCode {
    ExitCode::from(code(ending))
}

fn code(ending: &Ending) -> u8 {
    match ending {
        Ending::Done => 0,
        Ending::Failed | Ending::Ran { complete: false, .. } => 1,
        Ending::Misused => 2,
        Ending::Reached => 3,
        Ending::Ran { complete: true, findings, fail_on } => match findings.failing(*fail_on) {
            0 => 0,
            _ => 3,
        },
    }
}

/// What the user must change before it can work at all.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misuse(pub(super) String);

/// An error's ending: misuse where the arguments or the policy are at fault, failure otherwise.
pub(super) fn of_error(error: &anyhow::Error) -> Ending {
    let of_run = matches!(
        error.downcast_ref(),
        Some(
            RunError::UnknownSource { .. }
                | RunError::NoLedger
                | RunError::NoHistory
                | RunError::NoVault
                | RunError::NoRehearsal
                | RunError::SignatureKey { .. }
        )
    );
    let misused = of_run
        || error.is::<Unusable>()
        || error.is::<Misuse>()
        || error.is::<PolicyError>()
        || error.is::<AdHocError>();
    if misused { Ending::Misused } else { Ending::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wins_over_three_and_only_findings_at_the_threshold_count() {
        let mut high = FindingCounts::default();
        high.add(crate::model::Severity::High);
        let ran = |complete, findings, fail_on| Ending::Ran { complete, findings, fail_on };
        for (ending, expected) in [
            (Ending::Done, 0),
            (Ending::Failed, 1),
            (Ending::Misused, 2),
            (Ending::Reached, 3),
            (ran(true, FindingCounts::default(), FailOn::Info), 0),
            (ran(true, high, FailOn::Critical), 0),
            (ran(true, high, FailOn::None), 0),
            (ran(false, high, FailOn::None), 1),
            (ran(true, high, FailOn::High), 3),
            (ran(true, high, FailOn::Info), 3),
            (ran(false, high, FailOn::High), 1),
            (ran(false, FindingCounts::default(), FailOn::High), 1),
        ] {
            assert_eq!(code(&ending), expected, "{ending:?}");
        }
    }
}
