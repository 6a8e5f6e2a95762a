//! GitLab's database, as far as anything here asks for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use prodpin::model::Digest;
use serde_json::{Value, json};

/// What a user may in every project that the token sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Of no project, and shown those that are public.
    Stranger,
    Reporter,
    Developer,
    Maintainer,
}

/// An access token, and what it may.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) secret: String,
    /// Whether it has `read_api`.
    pub(crate) api: bool,
    /// Whether it has `read_registry` and `write_registry`.
    pub(crate) registry: bool,
    pub(crate) role: Role,
    /// The only group or project that it sees; none: all.
    pub(crate) sees: Option<String>,
}

impl Token {
    pub(crate) fn of(role: Role, secret: &str) -> Self {
        Self { secret: secret.to_owned(), api: true, registry: true, role, sees: None }
    }

    /// Whether it sees a group or project.
    pub(crate) fn sees(&self, path: &str) -> bool {
        let Some(seen) = &self.sees else { return true };
        path == seen || path.strip_prefix(&**seen).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// A project.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    pub(crate) id: u64,
    /// As it is written; repositories are called by it in lowercase.
    pub(crate) path: String,
    /// `container_expiration_policy`; none: it has none.
    pub(crate) policy: Option<Value>,
    /// Tag rules, as the REST API shows them.
    pub(crate) protected: Vec<Value>,
    /// Patterns of immutable tag rules.
    pub(crate) immutable: Vec<String>,
    /// On which day it is to be deleted.
    pub(crate) marked: Option<String>,
}

/// A repository of images.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) id: u64,
    pub(crate) project: String,
    pub(crate) tags: BTreeMap<String, (Digest, Timestamp)>,
    pub(crate) manifests: BTreeSet<Digest>,
    /// Where GitLab is with deleting it.
    pub(crate) status: Option<String>,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) tokens: Vec<Token>,
    /// By path in lowercase.
    pub(crate) projects: BTreeMap<String, Project>,
    /// By name.
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// GitLab 18.7 and later have tag rules in the REST API.
    pub(crate) lists_rules: bool,
    /// Releases with tag rules in GraphQL.
    pub(crate) has_rules: bool,
    /// Whether the registry has a metadata database, and so knows when a tag was published.
    pub(crate) has_database: bool,
    pub(crate) clock: Timestamp,
    /// Where it is.
    pub(crate) api: String,
    pub(crate) registry: String,
    next: u64,
}

impl World {
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        Self {
            tokens,
            projects: BTreeMap::new(),
            repositories: BTreeMap::new(),
            lists_rules: true,
            has_rules: true,
            has_database: true,
            clock: Timestamp::now() - SignedDuration::from_hours(24 * 40),
            api: String::new(),
            registry: String::new(),
            next: 0,
        }
    }

    pub(crate) fn token(&self, secret: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.secret == secret)
    }

    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A project, made if it is not there. As GitLab makes it, its cleanup policy is off.
    pub(crate) fn project(&mut self, path: &str) -> &mut Project {
        let id = self.next();
        let next = Timestamp::now() + SignedDuration::from_hours(12);
        let project = Project {
            id,
            path: path.to_owned(),
            policy: Some(json!({
                "cadence": "1d", "enabled": false, "keep_n": 10, "older_than": "90d", "name_regex": ".*",
                "name_regex_keep": null, "next_run_at": next.to_string(),
            })),
            protected: Vec::new(),
            immutable: Vec::new(),
            marked: None,
        };
        self.projects.entry(path.to_ascii_lowercase()).or_insert(project)
    }

    /// Switches the cleanup policy of a project on, with these keys in place of its own.
    pub(crate) fn clean_up(&mut self, path: &str, keys: &Value) {
        let policy = self.project(path).policy.get_or_insert_with(|| json!({}));
        policy["enabled"] = json!(true);
        for (key, value) in keys.as_object().expect("keys") {
            policy[key] = value.clone();
        }
    }

    /// The project that a repository is in: the first two parts of its name, unless there is one of more.
    fn project_of(&mut self, name: &str) -> String {
        let is_it =
            |path: &&String| name == **path || name.strip_prefix(path.as_str()).is_some_and(|it| it.starts_with('/'));
        if let Some(path) = self.projects.keys().find(is_it) {
            return path.clone();
        }
        let path: Vec<&str> = name.splitn(3, '/').take(2).collect();
        let path = path.join("/");
        self.project(&path);
        path
    }

    /// A push; an hour goes by, and a tag is published.
    pub(crate) fn push(&mut self, name: &str, digest: &Digest, tag: Option<&str>) {
        let (id, project) = (self.next(), self.project_of(name));
        self.clock += SignedDuration::from_hours(1);
        let at = if tag.is_some_and(|tag| tag.starts_with("prod-pinned-")) { Timestamp::now() } else { self.clock };
        let fresh = || Repository { id, project, tags: BTreeMap::new(), manifests: BTreeSet::new(), status: None };
        let repository = self.repositories.entry(name.to_owned()).or_insert_with(fresh);
        repository.manifests.insert(digest.clone());
        if let Some(tag) = tag {
            repository.tags.insert(tag.to_owned(), (digest.clone(), at));
        }
    }

    /// What a tag or digest names.
    pub(crate) fn find(&self, name: &str, reference: &str) -> Option<Digest> {
        let repository = self.repositories.get(name)?;
        if let Some((digest, _)) = repository.tags.get(reference) {
            return Some(digest.clone());
        }
        reference.parse().ok().filter(|digest| repository.manifests.contains(digest))
    }

    pub(crate) fn delete_tag(&mut self, name: &str, tag: &str) {
        if let Some(repository) = self.repositories.get_mut(name) {
            repository.tags.remove(tag);
        }
    }

    pub(crate) fn delete(&mut self, name: &str, digest: &str) {
        let Some(repository) = self.repositories.get_mut(name) else { return };
        repository.tags.retain(|_, (named, _)| named.to_string() != digest);
        repository.manifests.retain(|known| known.to_string() != digest);
    }

    /// What garbage collection does in a registry without a metadata database: manifests without a tag go, those that an index
    /// lists among them. How many.
    pub(crate) fn collect(&mut self, name: &str) -> usize {
        let Some(repository) = self.repositories.get_mut(name) else { return 0 };
        let before = repository.manifests.len();
        let named: BTreeSet<Digest> = repository.tags.values().map(|(digest, _)| digest.clone()).collect();
        repository.manifests.retain(|digest| named.contains(digest));
        before - repository.manifests.len()
    }
}
