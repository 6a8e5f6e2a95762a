//! A namespace as Quay's database has it: what its rules act on.

use super::immutability::ImmutabilityPolicy;
use super::policy::PrunePolicy;

/// Milliseconds since 1970, as Quay keeps every time.
pub type Millis = i64;

/// One namespace and what of the server's configuration bears on it.
#[derive(Debug, Clone)]
pub struct World {
    /// What the operator switched.
    pub features: Features,
    /// Which releases of Quay it is.
    pub signatures: Signatures,
    /// How long ended tags can be restored, in seconds.
    pub time_machine_s: i64,
    /// Disabled ones are left alone.
    pub enabled: bool,
    /// Its policies, in order of creation.
    pub prune: Vec<PrunePolicy>,
    /// Its immutability policies, in order of creation.
    pub immutability: Vec<ImmutabilityPolicy>,
    /// The operator's policy for every namespace.
    pub default_policy: Option<PrunePolicy>,
    /// Whether there is a task for the worker, and when it last ran.
    pub task: Option<Task>,
    /// In the order in which Quay meets them.
    pub repositories: Vec<Repository>,
    /// In which order the repositories' own policies come where the namespace has none, by their places in the list of all
    /// of them; none for the order of creation.
    pub own_order: Option<Vec<usize>>,
}

/// Switches of the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    /// `FEATURE_IMMUTABLE_TAGS`.
    pub immutable_tags: bool,
    /// `FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE`.
    pub immutable_tags_can_expire: bool,
}

/// What tags of signatures are, `sha256-<64 hex>.sig`, `.att` and `.sbom` (K53a). The API does not tell which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// Tags like all others: every release up to 3.18.0.
    Ordinary,
    /// Spared by the rules, and ended with the last tag of their image: since then.
    FollowImage,
}

/// The worker's task of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// None if it never ran.
    pub last_ran: Option<Millis>,
}

/// One repository.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Without its namespace.
    pub name: String,
    /// Only a normal one is pruned.
    pub state: State,
    /// Its policies, in order of creation.
    pub prune: Vec<PrunePolicy>,
    /// Its immutability policies, in order of creation.
    pub immutability: Vec<ImmutabilityPolicy>,
    /// Every manifest.
    pub manifests: Vec<Manifest>,
    /// Every row of its tags, also of the past.
    pub tags: Vec<TagRow>,
}

/// What may be done with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Everything.
    Normal,
    /// Nothing, or it is on its way out.
    Other,
}

/// One manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its digest.
    pub digest: String,
    /// Whether it is an index.
    pub index: bool,
    /// What an index holds, by place in the repository's list.
    pub children: Vec<usize>,
    /// What it says something about, by place in the repository's list.
    pub subject: Option<usize>,
    /// Its label `quay.expires-after`.
    pub expires_after: Option<String>,
    /// Its label `quay.immutable`.
    pub immutable: Option<String>,
}

/// What a name was from one time to another. Several rows may have one name, one of them at most alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRow {
    /// A name for the row itself, unlike every other.
    pub id: String,
    /// The tag's name.
    pub name: String,
    /// By place in the repository's list.
    pub manifest: usize,
    /// When it began.
    pub start: Millis,
    /// When it ended or will; none if it goes on.
    pub end: Option<Millis>,
    /// Whether it may neither move nor end.
    pub immutable: bool,
    /// Whether it is Quay's own, to hold a manifest.
    pub hidden: bool,
    /// What ended it, if a run did.
    pub ended_by: Option<Ending>,
}

/// How a run ended a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The policy.
    pub policy: String,
    /// Whether it went as a signature whose image went.
    pub with_image: bool,
}

impl TagRow {
    /// Whether it has not ended by then.
    #[must_use]
    pub fn is_alive(&self, now: Millis) -> bool {
        self.end.is_none_or(|end| end > now)
    }

    /// Whether the API shows it as a tag then.
    #[must_use]
    pub fn is_shown(&self, now: Millis) -> bool {
        !self.hidden && self.is_alive(now)
    }
}

impl Repository {
    /// The row of the tag that is alive then.
    #[must_use]
    pub fn tag(&self, name: &str, now: Millis) -> Option<usize> {
        self.tags.iter().position(|row| row.name == name && row.is_shown(now))
    }

    /// The manifest with the digest.
    #[must_use]
    pub fn manifest(&self, digest: &str) -> Option<usize> {
        self.manifests.iter().position(|manifest| manifest.digest == digest)
    }
}
