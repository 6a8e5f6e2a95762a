//! GitHub's database, as far as anything here asks for it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use prodpin::model::Digest;

/// A token, and what it may.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    /// Whose it is; none for that of a workflow or an app.
    pub(crate) login: Option<String>,
    pub(crate) secret: String,
    /// Whether it has `read:packages`.
    pub(crate) packages: bool,
    /// Whether it may delete and restore.
    pub(crate) admin: bool,
}

impl Token {
    pub(crate) fn of(login: &str, secret: &str) -> Self {
        Self { login: Some(login.to_owned()), secret: secret.to_owned(), packages: true, admin: true }
    }

    /// That of a workflow.
    pub(crate) fn of_workflow(secret: &str) -> Self {
        Self { login: None, secret: secret.to_owned(), packages: true, admin: true }
    }
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) tokens: Vec<Token>,
    /// Logins, and whether each is an organisation.
    pub(crate) owners: BTreeMap<String, bool>,
    /// By `owner/name`.
    pub(crate) packages: BTreeMap<String, Vec<Version>>,
    pub(crate) clock: Timestamp,
    next: u64,
}

/// A manifest.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) id: u64,
    pub(crate) digest: Digest,
    pub(crate) created: Timestamp,
    pub(crate) tags: Vec<String>,
    pub(crate) deleted: Option<Timestamp>,
}

impl World {
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        let clock = Timestamp::now() - SignedDuration::from_hours(24 * 7);
        Self { tokens, clock, ..Self::default() }
    }

    pub(crate) fn token(&self, secret: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.secret == secret)
    }

    /// An owner: an organisation, or a user.
    pub(crate) fn owner(&mut self, login: &str, is_organisation: bool) {
        self.owners.insert(login.to_owned(), is_organisation);
    }

    /// The next id; a minute goes by.
    fn next(&mut self) -> u64 {
        self.next += 1;
        self.clock += SignedDuration::from_mins(1);
        self.next
    }

    /// Versions that are there.
    pub(crate) fn versions(&self, name: &str) -> Option<impl Iterator<Item = &Version>> {
        Some(self.packages.get(name)?.iter().filter(|version| version.deleted.is_none()))
    }

    /// What a tag or digest names.
    pub(crate) fn find(&self, name: &str, reference: &str) -> Option<&Version> {
        let is_it = |version: &&Version| {
            version.digest.to_string() == reference || version.tags.iter().any(|tag| tag == reference)
        };
        self.versions(name)?.find(is_it)
    }

    /// A push: each manifest is a version, and a tag moves.
    pub(crate) fn push(&mut self, name: &str, digest: &Digest, tag: Option<&str>) {
        let (id, created) = (self.next(), self.clock);
        let versions = self.packages.entry(name.to_owned()).or_default();
        if !versions.iter().any(|version| version.digest == *digest && version.deleted.is_none()) {
            versions.push(Version { id, digest: digest.clone(), created, tags: Vec::new(), deleted: None });
        }
        let Some(tag) = tag else { return };
        for version in versions.iter_mut().filter(|version| version.deleted.is_none()) {
            let is_it = version.digest == *digest;
            version.tags.retain(|other| is_it || other != tag);
            if is_it && !version.tags.iter().any(|other| other == tag) {
                version.tags.push(tag.to_owned());
            }
        }
    }

    /// Past the interface, which has no such call.
    pub(crate) fn remove_tag(&mut self, name: &str, tag: &str) {
        let versions = self.packages.get_mut(name).into_iter().flatten();
        versions.for_each(|version| version.tags.retain(|other| other != tag));
    }

    /// A version is deleted, with its tags, and kept for 30 days.
    pub(crate) fn delete(&mut self, name: &str, digest: &str) {
        let now = Timestamp::now();
        let versions = self.packages.get_mut(name).into_iter().flatten();
        for version in versions.filter(|version| version.digest.to_string() == digest && version.deleted.is_none()) {
            version.deleted = Some(now);
        }
    }

    /// What "delete untagged versions" workflows do (K58).
    pub(crate) fn delete_untagged(&mut self, name: &str) -> usize {
        let now = Timestamp::now();
        let versions = self.packages.get_mut(name).into_iter().flatten();
        let untagged = versions.filter(|version| version.deleted.is_none() && version.tags.is_empty());
        untagged.map(|version| version.deleted = Some(now)).count()
    }

    /// Puts a deleted version back, unless its digest is there again.
    pub(crate) fn restore(&mut self, name: &str, id: u64) -> bool {
        let Some(versions) = self.packages.get_mut(name) else { return false };
        let Some(at) = versions.iter().position(|version| version.id == id && version.deleted.is_some()) else {
            return false;
        };
        let digest = versions[at].digest.clone();
        if versions.iter().any(|version| version.digest == digest && version.deleted.is_none()) {
            return false;
        }
        versions[at].deleted = None;
        true
    }
}
