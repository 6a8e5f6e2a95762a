//! A case of the file, and the namespace that it describes.

use std::collections::BTreeMap;

use prodpin_core::decide::lifecycle::quay::immutability::{ImmutabilityPolicy, ImmutabilityRefused};
use prodpin_core::decide::lifecycle::quay::operation::Operation;
use prodpin_core::decide::lifecycle::quay::policy::{PolicyRefused, PrunePolicy};
use prodpin_core::decide::lifecycle::quay::world::{
    Features, Manifest, Millis, Repository, Signatures, State, TagRow, Task, World,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) id: Value,
    pub(crate) now_ms: Millis,
    features: CaseFeatures,
    time_machine_s: i64,
    namespace: Namespace,
    default_policy: Option<Policy>,
    task_last_ran_ms: Option<Millis>,
    pub(crate) repositories: Vec<CaseRepository>,
    pub(crate) ops: Vec<Op>,
    pub(crate) run: Vec<RunName>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunName {
    Prune,
    PruneRegistry,
}

#[derive(Deserialize)]
struct CaseFeatures {
    immutable_tags: bool,
    immutable_tags_can_expire: bool,
}

#[derive(Deserialize)]
struct Namespace {
    name: String,
    enabled: bool,
    #[serde(default)]
    autoprune: Vec<Policy>,
    #[serde(default)]
    immutability: Vec<Immutability>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    id: String,
    method: String,
    value: Value,
    tag_pattern: Option<String>,
    tag_pattern_matches: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Immutability {
    id: String,
    tag_pattern: String,
    tag_pattern_matches: Option<bool>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
pub(crate) struct CaseRepository {
    pub(crate) name: String,
    pub(crate) state: String,
    #[serde(default)]
    autoprune: Vec<Policy>,
    #[serde(default)]
    immutability: Vec<Immutability>,
    pub(crate) manifests: Vec<CaseManifest>,
    tags: Vec<Row>,
}

#[derive(Deserialize)]
pub(crate) struct CaseManifest {
    pub(crate) id: String,
    digest: String,
    kind: String,
    #[serde(default)]
    children: Vec<String>,
    subject: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    name: String,
    manifest: String,
    start_ms: Millis,
    end_ms: Option<Millis>,
    immutable: bool,
    hidden: bool,
}

#[derive(Deserialize)]
pub(crate) struct Op {
    op: String,
    pub(crate) repo: String,
    pub(crate) at_ms: Millis,
    tag: Option<String>,
    manifest: Option<String>,
    expires_s: Option<i64>,
    immutable: Option<bool>,
}

/// A namespace, and which of its policies Quay refused.
pub(crate) struct Made {
    pub(crate) world: World,
    pub(crate) refused: BTreeMap<String, &'static str>,
    /// Why the operator's policy is none.
    pub(crate) default_refused: Option<&'static str>,
}

/// How long before the run policies are made, in milliseconds.
const BEFORE: Millis = 60_000;

impl Case {
    pub(crate) fn make(&self, signatures: Signatures) -> Result<Made, String> {
        let mut repositories = self.repositories.iter().map(CaseRepository::make).collect::<Result<Vec<_>, _>>()?;
        let features = Features {
            immutable_tags: self.features.immutable_tags,
            immutable_tags_can_expire: self.features.immutable_tags_can_expire,
        };
        let at = self.now_ms - BEFORE;
        let mut refused = BTreeMap::new();
        let prune = prune_policies(&self.namespace.autoprune, "Namespace", &mut refused);
        let immutability = immutability_policies(&self.namespace.immutability, &mut refused, |policy| {
            repositories.iter_mut().for_each(|repository| policy.apply(features, repository, at));
        });
        for (repository, case) in repositories.iter_mut().zip(&self.repositories) {
            repository.prune = prune_policies(&case.autoprune, "Repository", &mut refused);
            let made = immutability_policies(&case.immutability, &mut refused, |policy| {
                policy.apply(features, repository, at);
            });
            repository.immutability = made;
        }
        let any = !prune.is_empty() || repositories.iter().any(|repository| !repository.prune.is_empty());
        let default = self.default_policy.as_ref().map(|policy| policy.read("Namespace")).transpose();
        let world = World {
            features,
            signatures,
            time_machine_s: self.time_machine_s,
            enabled: self.namespace.enabled,
            prune,
            immutability,
            default_policy: default.clone().unwrap_or_default(),
            task: any.then_some(Task { last_ran: self.task_last_ran_ms }),
            repositories,
            own_order: None,
        };
        Ok(Made { world, refused, default_refused: default.err() })
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace.name
    }
}

fn prune_policies(
    policies: &[Policy],
    scope: &'static str,
    refused: &mut BTreeMap<String, &'static str>,
) -> Vec<PrunePolicy> {
    let mut accepted = vec![];
    for policy in policies {
        let added = policy.read(scope).and_then(|read| read.add_to(&mut accepted).map_err(|why| class(scope, why)));
        if let Err(class) = added {
            refused.insert(policy.id.clone(), class);
        }
    }
    accepted
}

impl Policy {
    fn read(&self, scope: &str) -> Result<PrunePolicy, &'static str> {
        let Self { id, method, value, tag_pattern, tag_pattern_matches } = self;
        PrunePolicy::read(id, method, value, tag_pattern.as_deref(), *tag_pattern_matches)
            .map_err(|why| class(scope, why))
    }
}

/// Quay's own name of the refusal.
fn class(scope: &str, why: PolicyRefused) -> &'static str {
    match (scope, why) {
        ("Namespace", PolicyRefused::Invalid) => "InvalidNamespaceAutoPrunePolicy",
        (_, PolicyRefused::Invalid) => "InvalidRepositoryAutoPrunePolicy",
        ("Namespace", PolicyRefused::Exists) => "NamespaceAutoPrunePolicyAlreadyExists",
        (_, PolicyRefused::Exists) => "RepositoryAutoPrunePolicyAlreadyExists",
        (_, PolicyRefused::TooLong) => "OverflowError",
    }
}

fn immutability_policies(
    policies: &[Immutability],
    refused: &mut BTreeMap<String, &'static str>,
    mut apply: impl FnMut(&ImmutabilityPolicy),
) -> Vec<ImmutabilityPolicy> {
    let mut accepted = vec![];
    for policy in policies {
        let read =
            ImmutabilityPolicy::read(&policy.id, &policy.tag_pattern, policy.tag_pattern_matches.unwrap_or(true));
        match read.and_then(|read| read.add_to(&mut accepted)) {
            Ok(()) => {
                if let Some(policy) = accepted.last() {
                    apply(policy);
                }
                if policy.deleted {
                    accepted.pop();
                }
            }
            Err(ImmutabilityRefused::Invalid) => drop(refused.insert(policy.id.clone(), "InvalidImmutabilityPolicy")),
            Err(ImmutabilityRefused::Duplicate) => {
                refused.insert(policy.id.clone(), "DuplicateImmutabilityPolicy");
            }
        }
    }
    accepted
}

impl CaseRepository {
    fn make(&self) -> Result<Repository, String> {
        let label = |manifest: &CaseManifest, key: &str| manifest.labels.get(key).cloned();
        let mut manifests = vec![];
        for manifest in &self.manifests {
            manifests.push(Manifest {
                digest: manifest.digest.clone(),
                index: manifest.kind == "index",
                children: manifest.children.iter().map(|child| self.place(child)).collect::<Result<_, _>>()?,
                subject: manifest.subject.as_deref().map(|subject| self.place(subject)).transpose()?,
                expires_after: label(manifest, "quay.expires-after"),
                immutable: label(manifest, "quay.immutable"),
            });
        }
        let row = |row: &Row| {
            Ok(TagRow {
                id: row.id.clone(),
                name: row.name.clone(),
                manifest: self.place(&row.manifest)?,
                start: row.start_ms,
                end: row.end_ms,
                immutable: row.immutable,
                hidden: row.hidden,
                ended_by: None,
            })
        };
        Ok(Repository {
            name: self.name.clone(),
            state: if self.state == "NORMAL" { State::Normal } else { State::Other },
            prune: vec![],
            immutability: vec![],
            manifests,
            tags: self.tags.iter().map(row).collect::<Result<_, String>>()?,
        })
    }

    /// Where the manifest stands in the repository's list.
    pub(crate) fn place(&self, id: &str) -> Result<usize, String> {
        let found = self.manifests.iter().position(|manifest| manifest.id == id);
        found.ok_or_else(|| format!("{} has no manifest {id}", self.name))
    }
}

impl Op {
    /// In which repository what is done.
    pub(crate) fn make(&self, case: &Case) -> Result<(usize, Operation), String> {
        let index = case.repositories.iter().position(|repository| repository.name == self.repo);
        let index = index.ok_or_else(|| format!("{} has no repository {}", case.namespace(), self.repo))?;
        let tag = || self.tag.clone().ok_or_else(|| format!("{} without `tag`", self.op));
        let manifest = || {
            let id = self.manifest.as_deref().ok_or_else(|| format!("{} without `manifest`", self.op))?;
            case.repositories[index].place(id)
        };
        let operation = match self.op.as_str() {
            "create_tag" => Operation::Create { tag: tag()?, manifest: manifest()?, restore: false },
            "restore" => Operation::Create { tag: tag()?, manifest: manifest()?, restore: true },
            "delete_tag" => Operation::Delete { tag: tag()? },
            "delete_manifest" => Operation::DeleteManifest { manifest: manifest()? },
            "set_expiration" => Operation::SetExpiration { tag: tag()?, expires_s: self.expires_s },
            "set_immutable" => Operation::SetImmutable { tag: tag()?, immutable: self.immutable.unwrap_or(false) },
            other => return Err(format!("unknown operation {other}")),
        };
        Ok((index, operation))
    }
}
