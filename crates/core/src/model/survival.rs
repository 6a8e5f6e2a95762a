//! What an artifact survives: the ordinary ways in which what a registry or bucket holds is lost, each with an answer and
//! with why.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A way in which artifacts are lost, the most ordinary first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Every tag but `prod-pinned-*` is removed. In a bucket: the key's current version is deleted by its key or
    /// overwritten.
    TagCleanup,
    /// Every manifest without a tag is removed. In a bucket: every noncurrent version is.
    UntaggedCleanup,
    /// The live lifecycle, retention or cleanup rules are carried out.
    LifecycleRules,
    /// The artifact is deleted by its digest, or by its version id.
    DeletionByDigest,
    /// The registry, the bucket or the account that holds it is gone.
    LossOfRegistry,
}

impl Loss {
    /// All of them, the most ordinary first.
    pub const ALL: [Self; 5] =
        [Self::TagCleanup, Self::UntaggedCleanup, Self::LifecycleRules, Self::DeletionByDigest, Self::LossOfRegistry];

    /// Those that whatever is called protected survives.
    pub const OF_PROTECTED: [Self; 3] = [Self::TagCleanup, Self::UntaggedCleanup, Self::LifecycleRules];

    /// As policies and documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TagCleanup => "tag-cleanup",
            Self::UntaggedCleanup => "untagged-cleanup",
            Self::LifecycleRules => "lifecycle-rules",
            Self::DeletionByDigest => "deletion-by-digest",
            Self::LossOfRegistry => "loss-of-registry",
        }
    }

    /// As people say it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::TagCleanup => "tag cleanup",
            Self::UntaggedCleanup => "untagged cleanup",
            Self::LifecycleRules => "lifecycle rules",
            Self::DeletionByDigest => "deletion by digest",
            Self::LossOfRegistry => "loss of the registry",
        }
    }

    /// By its name in policies.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|loss| loss.as_str() == name)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether something survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// By evidence that was read in this run.
    Yes,
    /// It does not.
    No,
    /// It could not be told, which is never a yes.
    Unknown,
}

impl Answer {
    /// As documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether an artifact survives one kind of loss, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Survival {
    /// Whether it does.
    pub answer: Answer,
    /// Why, with the evidence, in one sentence.
    pub why: String,
}

impl Survival {
    /// It does.
    pub fn yes(why: impl Into<String>) -> Self {
        Self { answer: Answer::Yes, why: why.into() }
    }

    /// It does not.
    pub fn no(why: impl Into<String>) -> Self {
        Self { answer: Answer::No, why: why.into() }
    }

    /// It is not known.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { answer: Answer::Unknown, why: why.into() }
    }
}

/// What an artifact survives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Survives {
    /// Every tag but `prod-pinned-*` is removed; in a bucket, the key's current version is deleted or overwritten.
    pub tag_cleanup: Survival,
    /// Every manifest without a tag is removed; in a bucket, every noncurrent version.
    pub untagged_cleanup: Survival,
    /// The live lifecycle, retention or cleanup rules are carried out.
    pub lifecycle_rules: Survival,
    /// It is deleted by its digest, or by its version id.
    pub deletion_by_digest: Survival,
    /// The registry, the bucket or the account that holds it is gone.
    pub loss_of_registry: Survival,
}

impl Survives {
    /// The same answer to each, for the same reason.
    #[must_use]
    pub fn all(survival: &Survival) -> Self {
        let same = || survival.clone();
        Self {
            tag_cleanup: same(),
            untagged_cleanup: same(),
            lifecycle_rules: same(),
            deletion_by_digest: same(),
            loss_of_registry: same(),
        }
    }

    /// The answer to one.
    #[must_use]
    pub const fn of(&self, loss: Loss) -> &Survival {
        match loss {
            Loss::TagCleanup => &self.tag_cleanup,
            Loss::UntaggedCleanup => &self.untagged_cleanup,
            Loss::LifecycleRules => &self.lifecycle_rules,
            Loss::DeletionByDigest => &self.deletion_by_digest,
            Loss::LossOfRegistry => &self.loss_of_registry,
        }
    }
}

/// Which losses the policy wants rollback targets to survive, beyond what protected means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Required(u8);

impl Required {
    /// With one more.
    #[must_use]
    pub const fn with(self, loss: Loss) -> Self {
        Self(self.0 | (1 << loss as u8))
    }

    /// Whether it is one of them.
    #[must_use]
    pub const fn has(self, loss: Loss) -> bool {
        self.0 & (1 << loss as u8) != 0
    }

    /// All of them, the most ordinary first.
    pub fn iter(self) -> impl Iterator<Item = Loss> {
        Loss::ALL.into_iter().filter(move |loss| self.has(*loss))
    }

    /// Whether nothing is required.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Loss> for Required {
    fn from_iter<I: IntoIterator<Item = Loss>>(losses: I) -> Self {
        losses.into_iter().fold(Self::default(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_has_one_name_in_policies_and_documents() {
        for loss in Loss::ALL {
            assert_eq!(Loss::named(loss.as_str()), Some(loss));
            assert_eq!(serde_json::to_value(loss).unwrap(), loss.as_str());
            assert!(Required::default().with(loss).iter().eq([loss]));
        }
        assert_eq!(Loss::named("theft"), None);
        let both: Required = [Loss::LossOfRegistry, Loss::TagCleanup].into_iter().collect();
        assert!(both.iter().eq([Loss::TagCleanup, Loss::LossOfRegistry]) && !both.has(Loss::DeletionByDigest));
        assert!(Required::default().is_empty() && !both.is_empty());
    }
}
