//! A service by its deployments and their revisions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ecs::types::{
    Deployment, DeploymentControllerType, DeploymentRolloutState, Service, ServiceDeploymentBrief,
    ServiceDeploymentStatus, ServiceRevision,
};
use jiff::Timestamp;
use prodpin_core::model::{Control, Evidence, Manager, Tenure, Waiting, Workload};

use super::{MOST_DEPLOYMENTS, REVISIONS_AT_ONCE, Reader, RunningContainers};
use crate::aws::client::AwsFailure;
use crate::aws::moment;

impl Reader<'_> {
    pub(super) async fn service(&mut self, cluster: &str, service: &Service, reported: &mut RunningContainers) {
        let Some(service_name) = service.service_name.as_deref() else {
            return AwsFailure::lacks("ecs:DescribeServices", "the name of a service").tell(&mut self.said);
        };
        let workload = self.workload(cluster, "service", service_name);
        self.controls.insert(workload.clone(), Arc::new(control(service, service_name)));
        // Services that CodeDeploy or others deploy have no deployments here, and asking for them is an error.
        let deployments = match deployed_by_ecs(service) {
            true => self.deployments(cluster, service_name).await,
            false => Ok(Vec::new()),
        };
        let deployments = deployments.unwrap_or_else(|failure| {
            failure.tell(&mut self.said);
            Vec::new()
        });
        let current: BTreeSet<&str> =
            service.current_service_revisions.iter().flatten().filter_map(|revision| revision.arn.as_deref()).collect();
        let tenures = tenures(&deployments, &current);
        let arns: Vec<&str> = tenures.keys().copied().collect();
        let mut known = false;
        for some in arns.chunks(REVISIONS_AT_ONCE) {
            let wanted = some.iter().map(|arn| (*arn).to_owned()).collect();
            let asked = self.client.describe_service_revisions().set_service_revision_arns(Some(wanted)).send();
            let call = "ecs:DescribeServiceRevisions";
            match self.account.call(call, asked).await {
                Ok(answer) => {
                    let mut failures = answer.failures.unwrap_or_default();
                    let revisions = answer.service_revisions.unwrap_or_default();
                    let named = revisions.iter().map(|revision| revision.service_revision_arn.as_deref());
                    self.passed_over(call, some.iter().copied(), named, &failures);
                    // What is past may be forgotten; what runs may not be missing.
                    failures.retain(|failure| {
                        failure.arn.as_deref().is_none_or(|arn| current.contains(arn))
                            || failure.reason.as_deref() != Some("MISSING")
                    });
                    self.left_out(call, failures);
                    for revision in revisions {
                        let arn = revision.service_revision_arn.as_deref().unwrap_or_default();
                        let Some(tenure) = tenures.get(arn).copied() else { continue };
                        known = true;
                        let why = revision.task_definition.as_deref().and_then(|of| waiting(service, of));
                        let tenure = match (tenure, why) {
                            (Tenure::Now { .. }, Some(why)) => Tenure::Wanted { why },
                            _ => tenure,
                        };
                        self.revision(&workload, &revision, tenure, reported);
                    }
                }
                Err(failure) => failure.tell(&mut self.said),
            }
        }
        self.definitions_of(&workload, service, known, reported).await;
    }

    /// Deployments that came to an end well, and those under way, the latest first.
    pub(super) async fn deployments(
        &self,
        cluster: &str,
        service: &str,
    ) -> Result<Vec<ServiceDeploymentBrief>, AwsFailure> {
        let (client, account) = (self.client, self.account);
        let wanted = [
            ServiceDeploymentStatus::Successful,
            ServiceDeploymentStatus::InProgress,
            ServiceDeploymentStatus::RollbackInProgress,
        ];
        let listed = account
            .pages(
                "ecs:ListServiceDeployments",
                |token| {
                    let asked = client.list_service_deployments().cluster(cluster).service(service);
                    asked.set_status(Some(wanted.to_vec())).set_next_token(token).send()
                },
                |page| (page.service_deployments, page.next_token),
            )
            .await;
        let mut deployments = listed?;
        deployments.sort_by_key(|deployment| std::cmp::Reverse(at(deployment)));
        deployments.truncate(MOST_DEPLOYMENTS);
        Ok(deployments)
    }

    fn revision(
        &mut self,
        workload: &Arc<Workload>,
        revision: &ServiceRevision,
        tenure: Tenure,
        reported: &mut RunningContainers,
    ) {
        let definition: Option<Arc<str>> = revision.task_definition.as_deref().map(Arc::from);
        for container in revision.container_images.iter().flatten() {
            let Some(named) = container.image.as_deref() else { continue };
            let container_name = container.container_name.as_deref().unwrap_or_default();
            let digest = container.image_digest.as_deref();
            if digest.is_some() && matches!(tenure, Tenure::Now { .. }) {
                reported.insert((workload.clone(), container_name.to_owned()));
            }
            self.used(workload, container_name, named, digest, Evidence::ServiceRevision, tenure, &definition);
        }
    }
}

/// Why no task of this definition runs for a service that asks for it; none if some do, or nothing says that none does.
pub(super) fn waiting(service: &Service, definition: &str) -> Option<Waiting> {
    // Who does not tell how a deployment goes may not tell its counts either.
    let counts = service.deployments.iter().flatten().any(|part| part.rollout_state.is_some());
    if counts && service.desired_count == 0 && service.running_count == 0 {
        return Some(Waiting::NoReplicas);
    }
    let parts = service.deployments.iter().flatten();
    let parts: Vec<&Deployment> = parts.filter(|part| part.task_definition.as_deref() == Some(definition)).collect();
    // One that has only just begun has no task either, and none that failed.
    let failing = |part: &&Deployment| {
        part.running_count == 0 && (part.failed_tasks > 0 || part.rollout_state == Some(DeploymentRolloutState::Failed))
    };
    (!parts.is_empty() && parts.iter().all(failing)).then_some(Waiting::Starting)
}

/// Who deploys a service, where that is not ECS itself, and whether it is to have tasks.
fn control(service: &Service, name: &str) -> Control {
    let by = service.deployment_controller.as_ref().map(|by| by.r#type.as_str()).filter(|by| *by != "ECS");
    Control {
        scaled_to_zero: service.desired_count == 0 && service.running_count == 0,
        managers: by.into_iter().map(|by| Manager::Owner { kind: by.into(), name: name.into() }).collect(),
        ..Control::default()
    }
}

fn deployed_by_ecs(service: &Service) -> bool {
    service.deployment_controller.as_ref().is_none_or(|by| by.r#type == DeploymentControllerType::Ecs)
}

/// When a deployment was over, or begun.
fn at(deployment: &ServiceDeploymentBrief) -> Option<Timestamp> {
    let at = deployment.finished_at.as_ref().or(deployment.started_at.as_ref()).or(deployment.created_at.as_ref());
    moment(at)
}

/// Revisions with what is known of when they ran. `deployments` are the latest first: a revision was in production
/// until the deployment after its own was over, and a rollback deploys an old one again.
pub(super) fn tenures<'d>(
    deployments: &'d [ServiceDeploymentBrief],
    current: &BTreeSet<&'d str>,
) -> BTreeMap<&'d str, Tenure> {
    let mut tenures: BTreeMap<&str, Tenure> = BTreeMap::new();
    let mut next = None;
    for deployment in deployments {
        let done = deployment.status == Some(ServiceDeploymentStatus::Successful);
        if let Some(arn) = deployment.target_service_revision_arn.as_deref() {
            // Where nothing says what is current, the latest deployment does; one under way brings its revision now.
            let now = current.contains(arn) || !done || (current.is_empty() && next.is_none());
            let tenure = match now {
                true => Tenure::Now { since: at(deployment) },
                false => Tenure::Before { last: next },
            };
            tenures.entry(arn).or_insert(tenure);
        }
        if done {
            next = at(deployment);
        }
    }
    for arn in current {
        tenures.entry(arn).or_insert(Tenure::Now { since: None });
    }
    tenures
}
