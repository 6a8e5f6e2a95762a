//! Harbor's database, as far as anything here asks for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use prodpin::model::Digest;
use serde_json::{Value, json};

use super::audit::AuditLog;

/// A user or robot account.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) secret: String,
    /// None: it may do everything.
    pub(crate) access: Option<BTreeSet<(String, String)>>,
    /// The only project that it may do it in.
    pub(crate) project: Option<String>,
    pub(crate) disabled: bool,
}

impl Account {
    pub(crate) fn admin(name: &str, secret: &str) -> Self {
        let (name, secret) = (name.to_owned(), secret.to_owned());
        Self { name, secret, access: None, project: None, disabled: false }
    }

    /// A robot account as the body of `POST /robots` makes it.
    pub(crate) fn robot(secret: &str, body: &Value) -> Self {
        let project = (body["level"] == "project").then(|| body["permissions"][0]["namespace"].as_str());
        let project = project.flatten().map(str::to_owned);
        let name = body["name"].as_str().expect("a name");
        let name =
            project.as_ref().map_or_else(|| format!("robot${name}"), |project| format!("robot${project}+{name}"));
        let access = body["permissions"].as_array().expect("permissions").iter().flat_map(|permission| {
            let access = permission["access"].as_array().expect("access");
            let text = |one: &Value, key: &str| one[key].as_str().expect("a text").to_owned();
            access.iter().map(move |one| (text(one, "resource"), text(one, "action")))
        });
        let access = Some(access.collect());
        Self { name, secret: secret.to_owned(), access, project, disabled: false }
    }

    pub(crate) fn may(&self, resource: &str, action: &str, project: Option<&str>) -> bool {
        let has = |access: &BTreeSet<_>| access.contains(&(resource.to_owned(), action.to_owned()));
        let is_mine = match (&self.project, project) {
            (Some(own), Some(asked)) => own == asked,
            (Some(_), None) => false,
            (None, _) => true,
        };
        is_mine && self.access.as_ref().is_none_or(has)
    }
}

#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) accounts: Vec<Account>,
    pub(crate) projects: BTreeMap<String, Project>,
    pub(crate) retentions: BTreeMap<i64, Value>,
    /// `null` where none was ever set.
    pub(crate) collection: Value,
    /// Executions of retention policies, the newest last.
    pub(crate) executions: Vec<Execution>,
    /// What a dry run says of artifacts that it does not retain.
    pub(crate) verdicts: BTreeMap<Digest, &'static str>,
    /// How the next executions end.
    pub(crate) ending: Ending,
    /// Replication policies, as they are listed.
    pub(crate) replication: Vec<Value>,
    pub(crate) read_only: bool,
    pub(crate) version: String,
    /// What a vulnerability gate keeps back.
    pub(crate) blocked: BTreeSet<Digest>,
    /// GETs of manifests, which count as pulls.
    pub(crate) pulls: usize,
    pub(crate) clock: Timestamp,
    pub(crate) audit: AuditLog,
    next: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Project {
    pub(crate) id: i64,
    pub(crate) public: bool,
    /// The upstream that it caches; 0 if it does not.
    pub(crate) registry: i64,
    pub(crate) retention: Option<i64>,
    pub(crate) immutable: Vec<Value>,
    pub(crate) repositories: BTreeMap<String, Vec<Artifact>>,
}

/// An execution of a retention policy.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) id: i64,
    pub(crate) policy: i64,
    pub(crate) dry: bool,
    /// How often it was asked for: it runs when it is asked for first.
    pub(crate) looks: usize,
    pub(crate) ending: Ending,
}

/// How an execution of a retention policy ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A task for each repository, each of which succeeds.
    #[default]
    Well,
    /// Before there is any task.
    AtLaunch,
    /// In each task.
    InTasks,
}

#[derive(Debug, Clone)]
pub(crate) struct Artifact {
    pub(crate) id: i64,
    pub(crate) digest: Digest,
    pub(crate) pushed: Timestamp,
    pub(crate) tags: Vec<(String, Timestamp)>,
    pub(crate) children: Vec<Digest>,
}

impl World {
    pub(crate) fn new(accounts: Vec<Account>) -> Self {
        let clock = "2026-06-01T00:00:00Z".parse().expect("a time");
        let version = "v2.15.2-080b0220".to_owned();
        Self { accounts, clock, version, collection: Value::Null, ..Self::default() }
    }

    /// The next id; a minute goes by.
    pub(super) fn next(&mut self) -> i64 {
        self.next += 1;
        self.clock += SignedDuration::from_mins(1);
        self.next
    }

    /// A project, made if there is none.
    pub(crate) fn project(&mut self, name: &str) -> &mut Project {
        if !self.projects.contains_key(name) {
            let id = self.next();
            self.projects.insert(name.to_owned(), Project { id, ..Project::default() });
        }
        self.projects.get_mut(name).expect("just made")
    }

    /// Gives a project a retention policy with these rules, run at three each morning.
    pub(crate) fn retain(&mut self, project: &str, rules: Value) {
        let id = self.next();
        let project = self.project(project);
        project.retention = Some(id);
        let policy = json!({
            "algorithm": "or", "id": id, "rules": rules,
            "scope": { "level": "project", "ref": project.id },
            "trigger": { "kind": "Schedule", "settings": { "cron": "0 0 3 * * *" } },
        });
        self.retentions.insert(id, policy);
    }

    /// Makes tags of a project immutable.
    pub(crate) fn make_immutable(&mut self, project: &str, pattern: &str) {
        let id = self.next();
        self.project(project).immutable.push(json!({
            "action": "immutable", "id": id, "template": "immutable_template",
            "scope_selectors": { "repository": [{ "decoration": "repoMatches", "kind": "doublestar", "pattern": "**" }] },
            "tag_selectors": [{ "decoration": "matches", "kind": "doublestar", "pattern": pattern }],
        }));
    }

    /// A replication policy between this Harbor and a registry called `elsewhere`, about `shop/**`: its direction is the place
    /// of Harbor itself, which is the registry without a number.
    pub(crate) fn replicate(&mut self, name: &str, pushes: bool, trigger: &str, deletes: bool) {
        let id = self.next();
        let here = json!({ "id": 0, "name": "Local", "type": "harbor" });
        let there = json!({ "id": 4, "name": "elsewhere", "type": "docker-registry" });
        let (source, destination) = if pushes { (here, there) } else { (there, here) };
        let mut policy = json!({
            "id": id, "name": name, "enabled": true, "override": true, "src_registry": source,
            "dest_registry": destination, "dest_namespace_replace_count": -1,
            "filters": [{ "type": "name", "value": "shop/**" }],
            "trigger": { "type": trigger, "trigger_settings": {} },
        });
        // What is false is left out.
        if deletes {
            policy["deletion"] = json!(true);
        }
        self.replication.push(policy);
    }

    pub(crate) fn artifacts(&self, name: &str) -> Option<&Vec<Artifact>> {
        let (project, repository) = name.split_once('/')?;
        self.projects.get(project)?.repositories.get(repository)
    }

    fn artifacts_mut(&mut self, name: &str) -> &mut Vec<Artifact> {
        let (project, repository) = name.split_once('/').expect("a project in front");
        self.project(project).repositories.entry(repository.to_owned()).or_default()
    }

    /// An artifact by tag or digest.
    pub(crate) fn find(&self, name: &str, reference: &str) -> Option<&Artifact> {
        let is_it = |artifact: &&Artifact| {
            artifact.digest.to_string() == reference || artifact.tags.iter().any(|(tag, _)| tag == reference)
        };
        self.artifacts(name)?.iter().find(is_it)
    }

    /// A push: the artifact is new or not, its tag is new, moves, or stays as it is (J20).
    pub(crate) fn push(&mut self, name: &str, digest: &Digest, children: Vec<Digest>, tag: Option<&str>) {
        let (id, now) = (self.next(), self.clock);
        let artifacts = self.artifacts_mut(name);
        if !artifacts.iter().any(|artifact| artifact.digest == *digest) {
            artifacts.push(Artifact { id, digest: digest.clone(), pushed: now, tags: Vec::new(), children });
        }
        let Some(tag) = tag else { return };
        for artifact in artifacts.iter_mut() {
            let is_it = artifact.digest == *digest;
            match artifact.tags.iter().position(|(other, _)| other == tag) {
                Some(_) if is_it => {}
                Some(at) => drop(artifact.tags.remove(at)),
                None if is_it => artifact.tags.push((tag.to_owned(), now)),
                None => {}
            }
        }
    }

    /// When an artifact and its tags were pushed, from now on.
    pub(crate) fn set_pushed(&mut self, name: &str, tag: &str, at: Timestamp) {
        let artifacts = self.artifacts_mut(name).iter_mut();
        for artifact in artifacts.filter(|artifact| artifact.tags.iter().any(|(other, _)| other == tag)) {
            artifact.pushed = at;
            artifact.tags.iter_mut().for_each(|(_, pushed)| *pushed = at);
        }
    }

    pub(crate) fn remove_tag(&mut self, name: &str, tag: &str) {
        self.artifacts_mut(name).iter_mut().for_each(|artifact| artifact.tags.retain(|(other, _)| other != tag));
    }

    pub(crate) fn remove(&mut self, name: &str, digest: &str) {
        self.artifacts_mut(name).retain(|artifact| artifact.digest.to_string() != digest);
    }

    /// Whether a rule holds the tag: patterns here end in a star, or are a name.
    pub(crate) fn is_immutable(&self, name: &str, tag: &str) -> bool {
        let project = name.split_once('/').and_then(|(project, _)| self.projects.get(project));
        project.is_some_and(|project| {
            project.immutable.iter().any(|rule| {
                let pattern = rule["tag_selectors"][0]["pattern"].as_str().unwrap_or_default();
                pattern.strip_suffix('*').map_or(pattern == tag, |front| tag.starts_with(front.trim_end_matches('*')))
            })
        })
    }
}
