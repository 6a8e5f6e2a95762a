//! What ECS runs and ran (E132).
//!
//! A service's revisions are the best record there is: they hold the digest of every container's image, and the
//! deployments to them say when. Running tasks hold theirs. Only a service that has neither (an older one, or one that
//! something other than ECS deploys) is reported by its task definitions, which name tags.

mod definitions;
mod services;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{DesiredStatus, Failure as Left, Task, TaskDefinition};
use prodpin_core::model::{Cause, Control, Evidence, Platform, Tenure, Workload};
use prodpin_net::aws::{Gated, NamesItself};
use prodpin_policy::AwsConfig;

use self::definitions::family;
use super::client::{Access, Account, AwsFailure, CAP, Gate};
use super::{image, last_part, moment, name, region};
use crate::{ProductionSignal, Signalled, Use};

/// As many as one call describes.
const SERVICES_AT_ONCE: usize = 10;
const REVISIONS_AT_ONCE: usize = 20;
const TASKS_AT_ONCE: usize = 100;
/// Of a service's past so many deployments are looked at, the latest first.
const MOST_DEPLOYMENTS: usize = 60;

/// The services and tasks of one account and region.
pub(crate) struct Ecs {
    pub(super) access: Access,
}

impl Ecs {
    pub(crate) fn new(config: AwsConfig, deadline: Option<Instant>) -> Self {
        Self { access: Access::new(config, deadline) }
    }
}

#[async_trait]
impl ProductionSignal for Ecs {
    fn name(&self) -> Arc<str> {
        name("ecs", &self.access.config)
    }

    async fn collect(&self) -> Signalled {
        let account = Account::load(&self.access).await;
        let client = Client::from_conf(
            aws_sdk_ecs::config::Builder::from(&account.shared)
                .interceptor(Gated(Gate))
                .interceptor(CAP)
                .interceptor(NamesItself)
                .retry_classifier(CAP)
                .build(),
        );
        let mut reader = Reader {
            account: &account,
            client: &client,
            region: region(&self.access.config),
            definitions: BTreeMap::new(),
            controls: BTreeMap::new(),
            said: Signalled::new(self.name()),
        };
        if let Err(failure) = reader.clusters(&self.access.config).await {
            failure.tell(&mut reader.said);
        }
        let Reader { mut said, controls, .. } = reader;
        for used in said.uses.iter_mut().filter(|used| !matches!(used.tenure, Tenure::Before { .. })) {
            used.control = used.workload.as_ref().and_then(|workload| controls.get(workload)).cloned();
        }
        said.settle();
        said.doubt_silence();
        said
    }
}

struct Reader<'a> {
    account: &'a Account,
    client: &'a Client,
    region: Option<Arc<str>>,
    /// Task definitions never change: each is asked for once.
    definitions: BTreeMap<String, Option<TaskDefinition>>,
    /// How each service can be changed by hand.
    controls: BTreeMap<Arc<Workload>, Arc<Control>>,
    said: Signalled,
}

/// What of a service or task is known to run, container by container: the rest must be reported by its task definition.
type RunningContainers = BTreeSet<(Arc<Workload>, String)>;

impl Reader<'_> {
    async fn clusters(&mut self, config: &AwsConfig) -> Result<(), AwsFailure> {
        let (client, account) = (self.client, self.account);
        let arns = account
            .pages(
                "ecs:ListClusters",
                |token| client.list_clusters().set_next_token(token).send(),
                |page| (page.cluster_arns, page.next_token),
            )
            .await?;
        let mut names = BTreeSet::new();
        for arn in arns.iter().filter(|arn| config.names.matches(last_part(arn))) {
            names.insert(last_part(arn).to_owned());
            if let Err(failure) = self.cluster(arn).await {
                failure.tell(&mut self.said);
            }
        }
        self.said.note_unmatched("cluster", &config.names, names.iter().map(String::as_str));
        Ok(())
    }

    async fn cluster(&mut self, cluster: &str) -> Result<(), AwsFailure> {
        let mut reported = RunningContainers::new();
        // Tasks first: what is deployed while the rest is read is then reported by its service.
        self.tasks(cluster, &mut reported).await?;
        let (client, account) = (self.client, self.account);
        let services = account
            .pages(
                "ecs:ListServices",
                |token| client.list_services().cluster(cluster).max_results(100).set_next_token(token).send(),
                |page| (page.service_arns, page.next_token),
            )
            .await?;
        for some in services.chunks(SERVICES_AT_ONCE) {
            let asked = client.describe_services().cluster(cluster).set_services(Some(some.to_vec())).send();
            let answer = account.call("ecs:DescribeServices", asked).await?;
            let call = "ecs:DescribeServices";
            let services = answer.services.ok_or_else(|| AwsFailure::lacks(call, "its list"))?;
            let failures = answer.failures.unwrap_or_default();
            let named =
                services.iter().map(|service| service.service_arn.as_deref().or(service.service_name.as_deref()));
            self.passed_over(call, some.iter().map(String::as_str), named, &failures);
            self.left_out(call, failures);
            for service in services {
                if service.status.as_deref() != Some("INACTIVE") {
                    self.service(cluster, &service, &mut reported).await;
                }
            }
        }
        Ok(())
    }

    async fn tasks(&mut self, cluster: &str, reported: &mut RunningContainers) -> Result<(), AwsFailure> {
        let (client, account) = (self.client, self.account);
        let running = account
            .pages(
                "ecs:ListTasks",
                |token| {
                    let asked = client.list_tasks().cluster(cluster).desired_status(DesiredStatus::Running);
                    asked.set_next_token(token).send()
                },
                |page| (page.task_arns, page.next_token),
            )
            .await?;
        for some in running.chunks(TASKS_AT_ONCE) {
            let asked = client.describe_tasks().cluster(cluster).set_tasks(Some(some.to_vec())).send();
            let answer = account.call("ecs:DescribeTasks", asked).await?;
            let call = "ecs:DescribeTasks";
            let tasks = answer.tasks.ok_or_else(|| AwsFailure::lacks(call, "its list"))?;
            let mut failures = answer.failures.unwrap_or_default();
            let named = tasks.iter().map(|task| task.task_arn.as_deref());
            self.passed_over(call, some.iter().map(String::as_str), named, &failures);
            // One that ended since it was listed.
            failures.retain(|failure| failure.reason.as_deref() != Some("MISSING"));
            self.left_out(call, failures);
            for task in tasks {
                self.task(cluster, &task, reported).await;
            }
        }
        Ok(())
    }

    async fn task(&mut self, cluster: &str, task: &Task, reported: &mut RunningContainers) {
        let definition = task.task_definition_arn.as_deref();
        let workload = match task.group.as_deref().and_then(|group| group.strip_prefix("service:")) {
            Some(service) => self.workload(cluster, "service", service),
            None => self.workload(cluster, "task", definition.map_or("unknown", family)),
        };
        let tenure = Tenure::Now { since: moment(task.started_at.as_ref()) };
        let revision: Option<Arc<str>> = definition.map(Arc::from);
        let mut unresolved = task.containers.is_none();
        for container in task.containers.iter().flatten() {
            let Some(named) = container.image.as_deref() else {
                unresolved = true;
                continue;
            };
            let container_name = container.name.as_deref().unwrap_or_default();
            match container.image_digest.as_deref() {
                Some(digest) => {
                    reported.insert((workload.clone(), container_name.to_owned()));
                    self.used(
                        &workload,
                        container_name,
                        named,
                        Some(digest),
                        Evidence::RunningDigest,
                        tenure,
                        &revision,
                    );
                }
                None => unresolved = true,
            }
        }
        // A task that was not pulled yet; a service's is reported by the service.
        if let (true, Some(definition), "task") = (unresolved, definition, workload.kind.as_ref()) {
            self.definition_of(&workload, definition, tenure, reported).await;
        }
    }
}

impl Reader<'_> {
    #[expect(clippy::too_many_arguments, reason = "one line of what is told, with nothing in common between its parts")]
    fn used(
        &mut self,
        workload: &Arc<Workload>,
        container: &str,
        named: &str,
        digest: Option<&str>,
        sure: Evidence,
        tenure: Tenure,
        revision: &Option<Arc<str>>,
    ) {
        match image(named, digest, sure, tenure) {
            Ok(used) => self.said.uses.push(Use {
                workload: Some(workload.clone()),
                container: Some(container.into()),
                revision: revision.clone(),
                ..used
            }),
            Err(_) if matches!(tenure, Tenure::Before { .. }) => {}
            Err(error) => {
                self.said.gap(Cause::Malformed, format_args!("{workload}, container {container}: {error}"));
            }
        }
    }

    fn workload(&self, cluster: &str, kind: &str, name: &str) -> Arc<Workload> {
        Arc::new(Workload {
            platform: Platform::Ecs { region: self.region.clone() },
            namespace: Some(last_part(cluster).into()),
            kind: kind.into(),
            name: name.into(),
        })
    }

    /// What was asked for, and is neither answered nor said to be left out (F46).
    fn passed_over<'a>(
        &mut self,
        call: &str,
        asked: impl Iterator<Item = &'a str>,
        named: impl Iterator<Item = Option<&'a str>>,
        failures: &'a [Left],
    ) {
        let failed = failures.iter().map(|failure| failure.arn.as_deref());
        // Where a failure names nothing, it may be about any of them, and is reported as it is.
        if failed.clone().any(|arn| arn.is_none()) {
            return;
        }
        // Names and identifiers alone: accounts change from short ARNs to long ones.
        let reported: BTreeSet<&str> = named.chain(failed).flatten().map(last_part).collect();
        for arn in asked.filter(|arn| !reported.contains(last_part(arn))) {
            self.said
                .gap(Cause::Malformed, format_args!("{call} was asked for {arn}, and does not say anything of it"));
        }
    }

    /// What a call that succeeded did not answer (F46).
    fn left_out(&mut self, call: &str, failures: Vec<Left>) {
        for failure in failures {
            let arn = failure.arn.as_deref().unwrap_or("something");
            let reason = failure.reason.as_deref().unwrap_or("no reason");
            self.said.gap(Cause::Unreachable, format_args!("{call} left out {arn}: {reason}"));
        }
    }
}
