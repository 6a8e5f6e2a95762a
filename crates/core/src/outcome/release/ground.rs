//! Why a pin stays, for people and programs.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::ArtifactId;

/// Why a pin stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Ground {
    /// Its artifact, or one that has it as a part, is in the rollback set.
    Needed,
    /// Something could not be read in this run.
    Gap {
        /// What.
        detail: String,
    },
    /// No earlier run about this repository is on record.
    NoEarlierRun,
    /// The last run about this repository did not read everything.
    EarlierRunIncomplete,
    /// The repository has no rollback target at all.
    NoTarget,
    /// A target was not read back as protected.
    Unprotected {
        /// Which.
        #[schemars(with = "String")]
        artifact: ArtifactId,
    },
    /// No complete run before this one found that nothing needs it.
    NotOnRecord,
    /// The grace period is not over.
    Grace {
        /// Since when nothing needs it.
        #[schemars(with = "String")]
        since: Timestamp,
        /// When it will be over.
        #[schemars(with = "String")]
        until: Timestamp,
    },
    /// The clock of this machine is behind the ledger.
    Clock {
        /// The latest time in the ledger.
        #[schemars(with = "String")]
        newest: Timestamp,
    },
    /// No run of this ledger is on record as having made it: it is another ledger's, a person's, or from before that was recorded.
    NotOurs,
    /// Another release set out to remove it, and what came of that is not on record.
    Releasing,
    /// Whether the pin is there could not be read.
    Unread,
    /// The pin names something else.
    Moved {
        /// What.
        #[schemars(with = "String")]
        to: ArtifactId,
    },
    /// Something that is pinned has it as a part.
    PartOf {
        /// Which.
        #[schemars(with = "String")]
        artifact: ArtifactId,
    },
    /// Without the pin no permanent tag would name it.
    LastReference,
    /// It is a part without a tag of its own, and whether such a manifest stays here without any tag was never shown.
    LastOfPart,
    /// Pins cannot be removed here one by one.
    Unsupported {
        /// Why not.
        detail: String,
    },
    /// Without the pin, another artifact would fare worse under the live rules.
    Harm {
        /// Which, and how.
        detail: String,
    },
}

impl Ground {
    /// Whether a later run may find that it is over by itself.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Gap { .. }
                | Self::NoEarlierRun
                | Self::EarlierRunIncomplete
                | Self::NotOnRecord
                | Self::Grace { .. }
                | Self::Releasing
                | Self::PartOf { .. }
        )
    }

    /// As a clause for a person.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Needed => "it is in the rollback set, or part of what is".to_owned(),
            Self::Gap { detail } => format!("not everything could be read: {detail}"),
            Self::NoEarlierRun => "no earlier run about this repository is on record; run `prodpin audit`".to_owned(),
            Self::EarlierRunIncomplete => {
                "the last run about this repository was incomplete; two complete ones in a row are needed".to_owned()
            }
            Self::NoTarget => "the repository has no rollback target: check `production:` in the policy".to_owned(),
            Self::Unprotected { artifact } => {
                format!("rollback target {} is not protected; run `prodpin enforce`", artifact.short())
            }
            Self::NotOnRecord => "no complete run has yet put on record that it left the rollback set".to_owned(),
            Self::Grace { since, until } => format!(
                "it left the rollback set on {}, and the grace period ends on {} at the earliest",
                since.strftime("%Y-%m-%d %H:%MZ"),
                until.strftime("%Y-%m-%d %H:%MZ")
            ),
            Self::Clock { newest } => {
                format!("the clock of this machine is behind the ledger, whose last entry is from {newest}")
            }
            Self::NotOurs => {
                "no run of this ledger is on record as having made it: it may be another ledger's or a person's; \
                              remove it by hand once nobody needs it"
                    .to_owned()
            }
            Self::Releasing => {
                "another `prodpin release` is removing it, or was cut off over it; run `prodpin release --apply` again"
                    .to_owned()
            }
            Self::Unread => "whether its pin is there could not be told".to_owned(),
            Self::Moved { to } => format!("its pin names {to}: somebody moved it; find out who can push here"),
            Self::PartOf { artifact } => format!("it is part of {}, which is pinned", artifact.short()),
            Self::LastReference => {
                "no permanent tag names it: without its pin the registry or a cleanup may delete it".to_owned()
            }
            Self::LastOfPart => {
                "it has no tag of its own, and this kind of registry is not known to keep such a manifest".to_owned()
            }
            Self::Unsupported { detail } => detail.clone(),
            Self::Harm { detail } => detail.clone(),
        }
    }
}
