//! Task definitions, for what nothing better tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_ecs::types::{
    ContainerDefinition, Service, SortOrder, TaskDefinition, TaskDefinitionStatus, VersionConsistency,
};
use jiff::Timestamp;
use prodpin_core::model::{Concern, Evidence, Shortcoming, Tenure, Workload};

use super::services::waiting;
use super::{Reader, RunningContainers};
use crate::aws::client::AwsFailure;
use crate::aws::{last_part, moment};

/// Of task definitions, where there is nothing better, so many.
const MOST_DEFINITIONS: usize = 10;

impl Reader<'_> {
    /// What the task definitions of a service say that nothing better did.
    pub(super) async fn definitions_of(
        &mut self,
        workload: &Arc<Workload>,
        service: &Service,
        has_revisions: bool,
        reported: &RunningContainers,
    ) {
        let mut current: BTreeSet<&str> = service.task_definition.as_deref().into_iter().collect();
        let parts = service.deployments.iter().flatten().filter_map(|part| part.task_definition.as_deref());
        let sets = service.task_sets.iter().flatten().filter_map(|part| part.task_definition.as_deref());
        current.extend(parts.chain(sets));
        for definition in &current {
            let now = Tenure::Now { since: None };
            let tenure = waiting(service, definition).map_or(now, |why| Tenure::Wanted { why });
            self.definition_of(workload, definition, tenure, reported).await;
        }
        if has_revisions {
            return;
        }
        let Some(newest) = service.task_definition.as_deref() else { return };
        let (client, account) = (self.client, self.account);
        let wanted = family(newest);
        let asked = client
            .list_task_definitions()
            .family_prefix(wanted)
            .status(TaskDefinitionStatus::Active)
            .sort(SortOrder::Desc)
            .max_results(i32::try_from(MOST_DEFINITIONS).unwrap_or(i32::MAX))
            .send();
        let listed = match account.call("ecs:ListTaskDefinitions", asked).await {
            Ok(answer) => {
                answer.task_definition_arns.ok_or_else(|| AwsFailure::lacks("ecs:ListTaskDefinitions", "its list"))
            }
            Err(failure) => Err(failure),
        };
        let listed = match listed {
            Ok(listed) => listed,
            Err(failure) => return failure.tell(&mut self.said),
        };
        let mut older: Vec<String> = listed.into_iter().filter(|arn| family(arn) == wanted).collect();
        older.sort_by_key(|arn| std::cmp::Reverse(number(arn)));
        older.truncate(MOST_DEFINITIONS);
        // When the next one was registered, this one was still in production.
        let mut next: Option<Timestamp> = None;
        for definition in &older {
            let registered = self.definition(definition).await.and_then(|known| moment(known.registered_at.as_ref()));
            if !current.contains(definition.as_str()) && number(definition) < number(newest) {
                self.definition_of(workload, definition, Tenure::Before { last: next }, &RunningContainers::new())
                    .await;
            }
            next = registered;
        }
    }

    pub(super) async fn definition_of(
        &mut self,
        workload: &Arc<Workload>,
        definition: &str,
        tenure: Tenure,
        reported: &RunningContainers,
    ) {
        let Some(known) = self.definition(definition).await else { return };
        let revision: Option<Arc<str>> = Some(definition.into());
        for container in known.container_definitions.into_iter().flatten() {
            let Some(container_name) = container.name.as_deref() else { continue };
            let now = matches!(tenure, Tenure::Now { .. } | Tenure::Wanted { .. });
            if now && resolves_anew(&container) {
                let what = Shortcoming::ResolvedAnew { container: container_name.into() };
                self.said.concerns.push(Concern { workload: workload.clone(), what });
            }
            let is_reported = now && reported.contains(&(workload.clone(), container_name.to_owned()));
            if let (false, Some(named)) = (is_reported, container.image.as_deref()) {
                self.used(workload, container_name, named, None, Evidence::ServiceRevision, tenure, &revision);
            }
        }
    }

    async fn definition(&mut self, arn: &str) -> Option<TaskDefinition> {
        if !self.definitions.contains_key(arn) {
            let asked = self.client.describe_task_definition().task_definition(arn).send();
            let call = "ecs:DescribeTaskDefinition";
            let known = self.account.call(call, asked).await;
            let known = known.and_then(|answer| {
                let known = answer.task_definition.filter(|known| known.container_definitions.is_some());
                known.ok_or_else(|| AwsFailure::lacks(call, "a task definition with its containers"))
            });
            let known = known.map_err(|failure| failure.tell(&mut self.said)).ok();
            self.definitions.insert(arn.to_owned(), known);
        }
        self.definitions.get(arn).cloned().flatten()
    }
}

fn resolves_anew(container: &ContainerDefinition) -> bool {
    container.version_consistency == Some(VersionConsistency::Disabled)
}

/// `arn:…:task-definition/shop-api:42` → `shop-api`.
pub(super) fn family(definition: &str) -> &str {
    let last = last_part(definition);
    last.rsplit_once(':').map_or(last, |(family, _)| family)
}

/// `arn:…:task-definition/shop-api:42` → 42.
pub(super) fn number(definition: &str) -> Option<u64> {
    last_part(definition).rsplit_once(':')?.1.parse().ok()
}
