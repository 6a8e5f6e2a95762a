//! GitLab's container registry: an OCI registry beside a GitLab, whose own interface lists repositories, says when tags were
//! published, and has the rules of their project: cleanup policy, protected and immutable tags (K57).
//!
//! | file | what is in it |
//! | --- | --- |
//! | `api` | calls of the REST API and of GraphQL, pages, refusals |
//! | `documents` | what is read of answers |
//! | `projects` | which project a repository belongs to, and what was read of it |
//! | `rules` | its cleanup policy and tag rules |
//! | `repositories` | which repositories a group or project has |
//! | `tags` | what its tags name, and since when |

mod api;
mod documents;
mod projects;
mod repositories;
mod rules;
mod tags;

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt as _};
use url::Url;

use self::api::Api;
use self::projects::Projects;
use crate::matched::Matched;
use crate::oci::{
    Beside, HttpEnvironment, Known, OciError, Registry, Told, observe_told, open_known, open_known_to_release,
};
use crate::vendor::{Vendor, Vendored};
use crate::{Inventory, OpenOptions, OpenToRelease, Reservation, Source, outgrown, owners};
use prodpin_core::model::{
    Cause, Cleanup, Gap, GitLabRepository, GitLabTag, Inspection, NamePatterns, PinRemoval, RegistryKind,
    RepositoryName, Resolution, Retention, Scope, Setting, Snapshot, SourceName, TagTable,
};
use prodpin_policy::OciConfig;

/// Opens the registry of a GitLab. Nothing is sent yet.
pub fn open_in(
    name: &SourceName,
    (config, api): (&OciConfig, &Url),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Source, OciError> {
    let Known { registry, inventory, pins } = open_known(name, config, RegistryKind::GitLab, options, environment)?;
    let inventory = inventory_of(name, (config, api), (registry, inventory), options, environment)?;
    Ok(Source { inventory, protector: pins, rehearsal: None })
}

/// The same for `release`, which removes nothing here.
pub fn open_to_release(
    name: &SourceName,
    (config, api): (&OciConfig, &Url),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<OpenToRelease, OciError> {
    let Known { registry, inventory, .. } =
        open_known_to_release(name, config, RegistryKind::GitLab, options, environment)?;
    let inventory = inventory_of(name, (config, api), (registry, inventory), options, environment)?;
    Ok((Source { inventory, protector: None, rehearsal: None }, None))
}

fn inventory_of(
    name: &SourceName,
    (config, api): (&OciConfig, &Url),
    (registry, inventory): (Arc<Registry>, Arc<dyn Inventory>),
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Arc<dyn Inventory>, OciError> {
    let beside = Beside::new(Arc::clone(&registry), api, config, options, environment)?;
    let api = Api::new(beside.with_token_of(name, config, environment));
    let projects = Projects::new(api, registry.shown());
    let (patterns, matched) = (config.repositories.clone(), Matched::default());
    Ok(Arc::new(Vendored(GitLab { inventory, registry, projects, patterns, matched })))
}

/// What GitLab adds to the registry.
struct GitLab {
    inventory: Arc<dyn Inventory>,
    registry: Arc<Registry>,
    projects: Projects,
    patterns: NamePatterns,
    matched: Matched,
}

#[async_trait]
impl Vendor for GitLab {
    fn registry(&self) -> &dyn Inventory {
        self.inventory.as_ref()
    }

    /// The project has the rules, and the repository's facts say where they could not be read.
    async fn cleanup(&self) -> Cleanup {
        Cleanup::default()
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        owners::repositories(&self.projects, &self.patterns, &self.matched).boxed()
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.matched.lacking(&self.patterns)
    }

    /// The interface first and the registry's list after it: what came in between is asked for.
    async fn observe(&self, repository: &RepositoryName, memory: &Reservation, known: &TagTable) -> Snapshot {
        let mut gaps = Vec::new();
        let project = match self.projects.of(repository).await {
            Ok(project) => {
                gaps.extend(project.gaps.iter().cloned());
                gaps.extend(project.doubt(repository));
                Some(project)
            }
            Err(fault) => {
                gaps.push(fault.gap(Scope::Setting));
                None
            }
        };
        let (told, end) = match &project {
            Some(project) => tags::told(&self.projects.api, project, repository, memory).await,
            None => (Told::default(), None),
        };
        gaps.extend(end.map(|fault| fault.gap(Scope::Setting)));
        let mut snapshot = observe_told(&self.registry, repository, memory, known, &told).await;
        // Of what is not there, the registry says so, and there is nothing more to tell.
        let is_gone = |gap: &Gap| gap.scope == Scope::Repository && gap.cause == Cause::NotFound;
        if !snapshot.gaps.iter().any(is_gone) {
            snapshot.gaps.extend(gaps);
        }
        let has_room = memory.take(snapshot.tags.len() * TAG_COST).is_ok();
        let listed = if has_room { listed(&snapshot) } else { Vec::new() };
        if !has_room {
            // Without what the policy counts nothing is said of it: the list counts as not read to its end.
            snapshot.gaps.push(outgrown(snapshot.tags.len(), "tags"));
        }
        snapshot.retention = Retention::GitLab(Box::new(match project {
            Some(project) => project.repository(repository, listed),
            None => GitLabRepository {
                project: Box::default(),
                policy: Setting::Unknown,
                protected: Setting::Unknown,
                immutable: Setting::Unknown,
                tags: listed,
                untagged: Vec::new(),
            },
        }));
        snapshot
    }

    async fn look_closer(&self, _repository: &RepositoryName, _seen: &mut Inspection) {}

    /// That the registry removes a tag alone depends on its release, and none of them was seen to.
    async fn pin_removal(&self, _repository: &RepositoryName) -> PinRemoval {
        let detail = "prodpin removes no pins in GitLab's registry; delete the tag in the project under Deploy > Container \
                      registry";
        PinRemoval::Unsupported { detail: detail.to_owned() }
    }
}

/// What a tag takes beside what was listed of it, with what rules make of it.
const TAG_COST: usize = 384;

/// The tags as a cleanup takes them.
fn listed(snapshot: &Snapshot) -> Vec<GitLabTag> {
    let is_there = snapshot.tags.iter().filter(|tag| tag.target != Resolution::NotFound);
    let tags = is_there.map(|tag| GitLabTag {
        name: tag.name.clone(),
        digest: tag.target.artifact().and_then(|artifact| artifact.digest()).cloned(),
        published: tag.pushed.as_deref().copied(),
    });
    tags.collect()
}
