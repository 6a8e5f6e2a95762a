//! Knative's services: each revision has a Deployment of its own, and routes decide which of them is production.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::templates::Template;
use super::{Objects, Root, Teller};
use crate::kubernetes::knative::{KnativeRevision, sent_to};
use prodpin_core::decide::revisions::{self, Pods, Revision, Route};
use prodpin_core::model::Tenure;

/// The Deployments of revisions, by uid, and the ReplicaSets of those: told by their revisions.
#[derive(Debug, Default)]
pub(super) struct Underneath<'o> {
    /// For each revision, by uid, the ReplicaSets that have its pods.
    sets: BTreeMap<&'o str, Vec<&'o str>>,
    deployments: BTreeSet<&'o str>,
}

impl<'o> Underneath<'o> {
    pub(super) fn new(objects: &'o Objects) -> Self {
        let known: BTreeSet<&str> =
            objects.knative_revisions.iter().map(|revision| revision.metadata.uid.as_str()).collect();
        let owners = objects.deployments.iter().filter_map(|deployment| {
            let owner = deployment.metadata.controller().filter(|owner| owner.kind == "Revision")?;
            known.get(owner.uid.as_str()).map(|revision| (deployment.metadata.uid.as_str(), *revision))
        });
        let owners: BTreeMap<&str, &str> = owners.collect();
        let mut sets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for set in &objects.replica_sets {
            let Some(owner) = set.metadata.controller() else { continue };
            if let Some(revision) = owners.get(owner.uid.as_str()) {
                sets.entry(*revision).or_default().push(&set.metadata.uid);
            }
        }
        Self { sets, deployments: owners.into_keys().collect() }
    }

    pub(super) fn has(&self, deployment: &str) -> bool {
        self.deployments.contains(deployment)
    }

    fn of_revision(&self, revision: &KnativeRevision) -> &[&'o str] {
        self.sets.get(revision.metadata.uid.as_str()).map_or(&[], Vec::as_slice)
    }
}

impl Teller<'_> {
    /// Notes whose pods those of revisions are.
    pub(super) fn know_routed(&mut self, objects: &Objects, underneath: &Underneath<'_>) {
        for revision in &objects.knative_revisions {
            let Some((kind, name)) = revision.owner() else { continue };
            for set in underneath.of_revision(revision) {
                let root = Root {
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                    revision: Some(revision.metadata.name.as_str().into()),
                };
                self.owners.insert((*set).to_owned(), root);
            }
        }
    }

    /// The revisions of every service.
    pub(super) fn routed<'o>(&mut self, objects: &'o Objects, underneath: &Underneath<'_>) -> Vec<Template<'o>> {
        let routes = (!objects.routes_unread).then(|| sent_to(&objects.routes));
        let mut services: BTreeMap<(Option<&str>, &str, &str), Vec<&'o KnativeRevision>> = BTreeMap::new();
        for revision in &objects.knative_revisions {
            let Some((kind, name)) = revision.owner() else { continue };
            services.entry((revision.metadata.namespace.as_deref(), kind, name)).or_default().push(revision);
        }
        let mut templates = Vec::new();
        for ((_, kind, name), own) in services {
            let facts: Vec<(Revision, Route)> = own
                .iter()
                .map(|revision| {
                    let up = underneath.of_revision(revision).iter();
                    let pods = up.fold(Pods::None, |known, set| known.or(self.pods(set, None, || true)));
                    let facts = Revision {
                        number: revision.number(),
                        made: revision.metadata.creation_timestamp,
                        pods,
                        ..Revision::default()
                    };
                    (facts, revision.route(routes.as_ref()))
                })
                .collect();
            let statuses = revisions::routed(&facts);
            for ((revision, (_, route)), status) in own.into_iter().zip(facts).zip(statuses) {
                for set in underneath.of_revision(revision) {
                    self.statuses.insert((*set).to_owned(), status);
                    self.routed.insert((*set).to_owned());
                }
                // It says itself that it cannot serve: no release that one could go back to.
                if route == Route::Unserved && matches!(status.tenure, Tenure::Before { .. }) {
                    continue;
                }
                templates.push(Template {
                    owner: Some((kind.to_owned(), name.to_owned())),
                    revision: Some(Arc::from(revision.metadata.name.as_str())),
                    introduced: Some(status.introduced),
                    ..Template::new(kind, &revision.metadata, &revision.template, status.tenure)
                });
            }
        }
        templates
    }
}
