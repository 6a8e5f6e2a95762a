//! Policies and repositories, in few words.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::{ImmutableRule, Job, Launch, NestedNames, Outcome, RetentionPolicy, Run, Verdict, launch};
use crate::model::{Digest, HarborArtifact, HarborTag};

/// 2026-01-02T00:00:00Z
pub(super) const NOW: i64 = 1_767_312_000;

pub(super) const DAY: i64 = 86_400;

pub(super) fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW).unwrap() - SignedDuration::from_secs(seconds)
}

/// Pushed so many seconds ago with all its tags, never pulled; its digest is its name's.
pub(super) fn artifact(name: &str, pushed: i64, tags: &[&str]) -> HarborArtifact {
    let tag = |tag: &&str| HarborTag { name: (*tag).into(), pushed: ago(pushed), pulled: None };
    HarborArtifact {
        digest: Digest::sha256(name.as_bytes()),
        tags: tags.iter().map(tag).collect(),
        pushed: ago(pushed),
        pulled: None,
        labels: Vec::new(),
        is_referenced: false,
        children: Vec::new(),
    }
}

pub(super) fn selector(decoration: &str, pattern: &str) -> Value {
    json!({ "kind": "doublestar", "decoration": decoration, "pattern": pattern })
}

/// A rule for all repositories; `number`: the template's parameter.
pub(super) fn rule(template: &str, number: impl Into<Value>, tags: &[Value]) -> Value {
    json!({
        "action": "retain",
        "template": template,
        "params": { template: number.into() },
        "tag_selectors": tags,
        "scope_selectors": { "repository": [selector("repoMatches", "**")] },
    })
}

/// Makes tags immutable.
pub(super) fn immutable(repositories: Value, tags: Value) -> Value {
    json!({ "tag_selectors": [tags], "scope_selectors": { "repository": [repositories] } })
}

/// A repository with all that decides what stays in it.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) repository: String,
    pub(super) rules: Vec<Value>,
    pub(super) immutable: Vec<Value>,
    pub(super) artifacts: Vec<HarborArtifact>,
    pub(super) names: NestedNames,
}

impl World {
    pub(super) fn new(rules: &[Value], artifacts: &[HarborArtifact]) -> Self {
        Self {
            repository: "api".to_owned(),
            rules: rules.to_vec(),
            immutable: Vec::new(),
            artifacts: artifacts.to_vec(),
            names: NestedNames::Whole,
        }
    }

    /// What the job comes to, and the verdicts of its two runs.
    pub(super) fn outcome(&self) -> (Outcome, Vec<Verdict>, Vec<Verdict>) {
        let numbered = self.immutable.iter().zip(1..).map(|(rule, id)| {
            let mut rule = rule.clone();
            rule["id"] = json!(id);
            rule
        });
        let immutable = ImmutableRule::parse_all(&Value::from_iter(numbered).to_string()).unwrap();
        let policy = json!({ "algorithm": "or", "rules": self.rules, "scope": { "level": "project" } });
        let policy = RetentionPolicy::parse(&policy.to_string()).unwrap();
        let Launch::Job(rules) = launch(&policy, "shop", &[&self.repository], &self.repository) else {
            panic!("no rule takes it")
        };
        let job = Job {
            project: "shop",
            repository: &self.repository,
            algorithm: &policy.algorithm,
            rules: &rules,
            immutable: &immutable,
            names: self.names,
            artifacts: &self.artifacts,
            now: ago(0),
        };
        let outcome = job.run();
        let idle = Run { is_idle: true, ..Run::default() };
        let run = match &outcome {
            Outcome::Ran(run) => run,
            Outcome::Failed { .. } => &idle,
        };
        let (dry, real) = (job.table(run, true).rows, job.table(run, false).rows);
        (outcome, dry, real)
    }

    /// The dry run's verdicts, a letter each: retained, deleted, immutable, error.
    pub(super) fn dry(&self) -> String {
        letters(&self.outcome().1)
    }

    pub(super) fn real(&self) -> String {
        letters(&self.outcome().2)
    }
}

fn letters(verdicts: &[Verdict]) -> String {
    verdicts.iter().map(|verdict| &verdict.name()[..1]).collect()
}
