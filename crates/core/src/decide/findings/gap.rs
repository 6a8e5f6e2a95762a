//! What could not be read, and what to do about it.

use jiff::Timestamp;

use crate::decide::draft::Draft;
use crate::model::{Cause, Code, Finding, Gap, Severity, SourceName};
use crate::outcome::report::RepositoryReport;

/// How a finding about a gap begins.
pub(in crate::decide) const NOT_EVERYTHING: &str = "not everything could be read: ";

/// A gap of a source, or of the run where none is named.
#[must_use]
pub fn gap_finding(source: Option<&SourceName>, gap: &Gap, now: Timestamp) -> Finding {
    let message = format!("{NOT_EVERYTHING}{}", gap.detail);
    Finding::at_large(Code::InventoryIncomplete, Severity::Medium, source, message, next_step(gap.cause), now)
}

/// The gaps of a repository: the first of them, and how many more there are.
pub(super) fn incomplete(draft: Draft<'_>, report: &RepositoryReport) -> Option<Finding> {
    let first = report.gaps.first()?;
    let more = match report.gaps.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let message = format!("{NOT_EVERYTHING}{}{more}", first.detail);
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
        Cause::Unreachable => "check the address, the network and any proxy, and run again",
        Cause::ServerError => "the server has an error of its own: look at its log or status page, and run again later",
        Cause::TimedOut => "raise --deadline, or split the work with --shard",
        Cause::Interrupted => "run it again: it was asked to end before it was done",
        Cause::Malformed => "check what stands between prodpin and the server; the answer breaks the protocol",
        Cause::Refused => {
            "see why prodpin refused it: correct what answers there, or the setting that the detail names"
        }
        Cause::Suspicious => {
            "find out what happened before anything else: lost access looks like this, and so does a mass deletion"
        }
        Cause::Blocked => {
            "see which rule of the registry keeps it from being pulled (a vulnerability gate, a quarantine), and exempt it"
        }
    }
}
