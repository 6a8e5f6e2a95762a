//! A Quay repository as its auto-prune policies see it: its tags, also those that ended, and the policies of whoever may
//! prune it (K52–54b).

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
    /// Tags of which Quay's own list says nothing. They count all the same.
    pub unlisted: Vec<Tag>,
    /// What the server's configuration says; none if it could not be read.
    pub server: Option<QuayServer>,
    /// The policies of the organization or user.
    pub of_namespace: QuayPolicies,
    /// Its own.
    pub own: QuayPolicies,
    /// Whether it is pushed to and pruned; mirrors and read-only ones are not. None if that could not be read.
    pub is_normal: Option<bool>,
    /// How long what ended can be restored, in seconds; none if that could not be read.
    pub time_machine: Option<i64>,
    /// Whether a pin that is made now is made immutable: the server has the feature, and there is a token to ask for it.
    pub locks_pins: bool,
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

impl QuayRow {
    /// Whether it is a tag now.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.end.is_none_or(|end| end > now)
    }
}
