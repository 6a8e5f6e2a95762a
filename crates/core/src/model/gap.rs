//! What could not be read. A gap forbids any release, and never counts as a deletion (I4).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ArtifactId, Tag};

/// One thing that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// What could not be read.
    pub scope: Scope,
    /// Why, as a class one can act on.
    pub cause: Cause,
    /// The same for a person: lowercase, names the thing and the next step. Holds no secret.
    // It is shown to everybody (I18).
    pub detail: String,
}

/// What a gap is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The whole source: its list of repositories, or a setting all of them share.
    Source,
    /// The repository's list of tags, or the repository as a whole.
    Repository,
    /// A setting of the repository, such as its lifecycle policy; its list of tags is whole all the same.
    Setting,
    /// What one tag points at.
    Tag(#[schemars(with = "String")] Tag),
    /// One artifact: its manifest, children, blobs, lock or storage class.
    Artifact(#[schemars(with = "String")] ArtifactId),
    /// A production signal.
    Signal(String),
}

/// Why something could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The credentials do not allow it, or there are none.
    Denied,
    /// The server says it does not exist.
    NotFound,
    /// The server does not offer this call.
    Unsupported,
    /// Too many requests, and waiting longer would have passed the deadline.
    Throttled,
    /// Name resolution, connection or TLS.
    Unreachable,
    /// The server answered that it has an error of its own, after retries.
    ServerError,
    /// The run's or the request's deadline passed.
    TimedOut,
    /// The run was asked to end before it came to this.
    Interrupted,
    /// The answer breaks the protocol or a size cap, or its bytes do not hash to the digest.
    Malformed,
    /// prodpin refused to go on: a redirect, realm or address that the policy does not allow.
    Refused,
    /// Many things vanished at once, which is more often a lost permission than a mass deletion.
    // The brake on believing it (F31).
    Suspicious,
    /// The server has it, and a rule of its own keeps it from being handed out: a vulnerability gate, a quarantine.
    Blocked,
}

impl Gap {
    /// A gap in this scope.
    pub fn new(scope: Scope, cause: Cause, detail: impl Into<String>) -> Self {
        Self { scope, cause, detail: detail.into() }
    }
}

/// Gaps of one kind as they come, the first few in full and the rest as a number: whoever serves a million unreadable
/// names fills neither memory nor a report with them (I20).
#[derive(Debug, Default)]
pub struct GapTally {
    reported: Vec<Gap>,
    more: u64,
}

/// Who is told of this many needs no more to go and look.
const SHOWN: usize = 20;

impl GapTally {
    /// Takes one more.
    pub fn push(&mut self, gap: Gap) {
        if self.reported.len() < SHOWN {
            self.reported.push(gap);
        } else {
            self.more += 1;
        }
    }

    /// What to report: the last one told carries the number of those that are not.
    #[must_use]
    pub fn finish(mut self) -> Vec<Gap> {
        if let Some(last) = self.reported.last_mut().filter(|_| self.more > 0) {
            last.detail = format!("{} (and {} more)", last.detail, self.more);
        }
        self.reported
    }
}

/// Why a pin was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct PinFailure {
    /// As a class.
    pub cause: Cause,
    /// For a person: what was refused, by whom, and what to do.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_gaps_is_counted_not_kept_i20() {
        let tell = |count: usize| {
            let mut tally = GapTally::default();
            (0..count).for_each(|n| tally.push(Gap::new(Scope::Repository, Cause::Malformed, format!("name {n}"))));
            tally.finish()
        };
        assert_eq!(tell(SHOWN).last().unwrap().detail, "name 19");
        let flood = tell(1_000);
        assert_eq!((flood.len(), flood.last().unwrap().detail.as_str()), (SHOWN, "name 19 (and 980 more)"));
    }
}
