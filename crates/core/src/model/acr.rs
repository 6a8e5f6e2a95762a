//! A repository of an Azure container registry as `acr purge` sees it, and what the registry itself may take (K46–K50).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Digest, RepositoryName, Tag};

/// What decides how long the artifacts of a repository stay.
#[derive(Debug, Clone, PartialEq)]
pub struct AcrRetention {
    /// What is there.
    pub repository: AcrRepository,
    /// What is run on it.
    pub purges: AcrPurges,
    /// What of it could not be read that a purge goes by, if anything.
    pub unread: Option<Box<str>>,
}

/// The `acr purge` commands that are run on a registry. The registry itself keeps no list of them: they stand in tasks of
/// another interface, in pipelines, and in people's shells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AcrPurges {
    /// The policy says nothing about it.
    #[default]
    Unknown,
    /// The policy names them.
    Stated {
        /// Those that it names.
        commands: Arc<[AcrCommand]>,
        /// Whether it says that there may be more.
        others: bool,
    },
}

impl AcrPurges {
    /// Those that are known.
    #[must_use]
    pub fn commands(&self) -> &[AcrCommand] {
        match self {
            Self::Unknown => &[],
            Self::Stated { commands, .. } => commands,
        }
    }
}

/// One command, as its owner wrote it and as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcrCommand {
    /// The command line.
    pub line: Box<str>,
    /// What it says.
    pub purge: AcrPurge,
}

/// One repository: its manifests in the order in which the registry lists them.
#[derive(Debug, Clone, PartialEq)]
pub struct AcrRepository {
    /// Its name within the registry.
    pub name: RepositoryName,
    /// Every manifest.
    pub manifests: Vec<AcrManifest>,
}

/// One manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct AcrManifest {
    /// Its identity.
    pub digest: Digest,
    /// Its media type, if the registry says it.
    pub media_type: Option<Box<str>>,
    /// When the registry last changed it, if it says.
    pub updated: Option<Timestamp>,
    /// The manifest's own locks; its tags have theirs.
    pub locks: AcrLocks,
    /// What it lists, there or not, if it is an index.
    pub children: Vec<Digest>,
    /// What it refers to.
    pub subject: Option<Digest>,
    /// The tags that name it.
    pub tags: Vec<AcrTag>,
}

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcrTag {
    /// Its name.
    pub name: Tag,
    /// When the tag was last changed, which is not when its manifest was.
    pub updated: Timestamp,
    /// The tag's own locks.
    pub locks: AcrLocks,
}

/// `changeableAttributes` of a tag or a manifest, as far as they hold a deletion up. What the registry does not say is
/// enabled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AcrLocks {
    /// `deleteEnabled`.
    pub delete_enabled: Option<bool>,
    /// `writeEnabled`.
    pub write_enabled: Option<bool>,
}

impl AcrLocks {
    /// Whether either of them is off: `acr purge` passes over both in the same way, unless it is told to unlock.
    #[must_use]
    pub fn are_on(self) -> bool {
        self.delete_enabled == Some(false) || self.write_enabled == Some(false)
    }
}

/// An `acr purge` command, as a task of the registry or a person may run it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcrPurge {
    /// `--filter`: `repositories:tags`, both regular expressions, in order.
    pub filters: Vec<String>,
    /// `--ago`: the age that what goes must have; none if it is not given.
    pub ago: Option<String>,
    /// `--keep`: so many of those that would go stay, the newest.
    pub keep: i64,
    /// `--untagged`: afterwards, manifests without a tag go as well.
    pub untagged: bool,
    /// `--untagged-only`: only these.
    pub untagged_only: bool,
    /// `--include-locked`: what is locked is unlocked first and goes too (K48).
    pub include_locked: bool,
    /// `--dry-run`: what would go is counted only.
    pub dry_run: bool,
}

/// What the registry takes by itself, without a command (K50).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AcrOwnRules {
    /// The retention policy: manifests that have been without a tag for so long go. It counts from the day on which it was
    /// set, and not for what was untagged before.
    pub untagged_after: Option<SignedDuration>,
    /// Soft delete: for so long what was deleted can be listed and restored.
    pub restorable_for: Option<SignedDuration>,
}
