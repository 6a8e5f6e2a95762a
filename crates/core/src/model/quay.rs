//! A Quay repository as its auto-prune policies see it: its tags, also those that ended, and the policies of whoever may
//! prune it (K52–54b).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Digest, Tag};

/// Everything that decides how long the tags of a repository stay.
#[derive(Debug, Clone, PartialEq)]
pub struct QuayRepository {
    /// The server's address, for commands.
    pub address: Box<str>,
    /// The organization or user that it belongs to.
    pub namespace: Box<str>,
    /// Its name within that.
    pub name: Box<str>,
    /// Every row of its tags as listed, those of the past too: what began last comes first, and of two that began in the same
    /// second the later one.
    pub rows: Vec<QuayRow>,
    /// When they were read, by the server's clock where it tells one.
    pub read: Timestamp,
    /// Tags of which Quay's own list and the registry do not say the same. What policies make of those is not known.
    pub disputed: Vec<Tag>,
    /// What the server's configuration says; none if it could not be read.
    pub server: Option<QuayServer>,
    /// The policies of the organization or user.
    pub of_namespace: QuayPolicies,
    /// Its own.
    pub own: QuayPolicies,
    /// What may be done with it; none if that could not be read.
    pub state: Option<QuayState>,
    /// The immutability policies of the organization or user and its own, as far as they could be read. What is not here makes
    /// no pin immutable.
    pub immutability: Vec<QuayImmutability>,
    /// Whether it caches another registry.
    pub cache: QuayCache,
    /// How long what ended can be restored, in seconds; none if that could not be read.
    pub time_machine: Option<i64>,
    /// Whether a pin that is made now is made immutable: the server has the feature, and there is a token to ask for it.
    pub locks_pins: bool,
}

/// What may be done with a repository, by which Quay's own work on it differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuayState {
    /// Everything: it is pushed to and pruned.
    Normal,
    /// It is neither pushed to nor pruned.
    ReadOnly,
    /// Another, as Quay names it: a mirror, whose synchronisation deletes what the upstream lacks, or one that Quay deletes.
    Other(Box<str>),
}

/// Whether an organization caches another registry, whose artifacts come and go with that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum QuayCache {
    /// It does not.
    #[default]
    None,
    /// The upstream.
    Of(Box<str>),
    /// That could not be read.
    Unknown {
        /// Why, for a person.
        detail: String,
    },
}

/// A policy by which tags are immutable from the moment that they are pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuayImmutability {
    /// The expression, which has to fit all of a tag's name.
    pub pattern: Box<str>,
    /// Whether the tags that fit are immutable, and not those that do not.
    pub matches: bool,
}

/// What a name was from one time to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuayRow {
    /// The tag.
    pub name: Tag,
    /// What it named.
    pub digest: Digest,
    /// When it began, in whole seconds.
    pub start: Timestamp,
    /// When it ended or will; none if it goes on.
    pub end: Option<Timestamp>,
    /// Whether it may neither move nor end.
    pub immutable: bool,
}

/// What of a server's configuration bears on tags. Quay shows it to everybody at `/config`.
#[derive(Debug, Clone, PartialEq)]
pub struct QuayServer {
    /// Whether anything is pruned at all.
    pub prunes: bool,
    /// Whether tags can be immutable.
    pub immutable_tags: bool,
    /// Whether immutable ones may end all the same.
    pub immutable_tags_can_expire: bool,
    /// Whether organizations can be caches of other registries.
    pub caches: bool,
    /// The operator's policy for every namespace.
    pub default_policy: Option<QuayPolicy>,
}

/// The policies of one scope.
#[derive(Debug, Clone, PartialEq)]
pub enum QuayPolicies {
    /// These.
    Known(Vec<QuayPolicy>),
    /// They could not be read.
    Unknown {
        /// Why, for a person, with the permission that is missing.
        detail: String,
    },
}

/// A policy as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct QuayPolicy {
    /// `number_of_tags` or `creation_date`.
    pub method: Box<str>,
    /// The number, or the span.
    pub value: serde_json::Value,
    /// The tags that it looks at; none for all.
    pub pattern: Option<Box<str>>,
    /// Whether those are the tags that fit, and not those that do not; none if that is not said.
    pub matches: Option<bool>,
}

impl QuayRepository {
    /// The rows that are tags: of each name the last one, unless it has ended. What was over when the rows were read is over,
    /// whichever instant is asked about: a tag that moved while a run went on does not look like one that will expire.
    #[must_use]
    pub fn living(&self, now: Timestamp) -> Vec<&QuayRow> {
        let (now, mut names) = (now.max(self.read), BTreeSet::new());
        let last = self.rows.iter().filter(|row| names.insert(&row.name));
        last.filter(|row| row.end.is_none_or(|end| end > now)).collect()
    }

    /// The rows that are over.
    pub fn ended(&self, now: Timestamp) -> impl Iterator<Item = &QuayRow> {
        let now = now.max(self.read);
        self.rows.iter().filter(move |row| row.end.is_some_and(|end| end <= now))
    }
}
