//! What ECS runs and ran (E132).
//!
//! A service's revisions are the best record there is: they hold the digest of every container's image, and the
//! deployments to them say when. Running tasks hold theirs. Only a service that has neither (an older one, or one that
//! something other than ECS deploys) is told by its task definitions, which name tags.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{
    ContainerDefinition, Deployment, DeploymentControllerType, DeploymentRolloutState, DesiredStatus, Failure as Left,
    Service, ServiceDeploymentBrief, ServiceDeploymentStatus, ServiceRevision, SortOrder, Task, TaskDefinition,
    TaskDefinitionStatus, VersionConsistency,
};
use jiff::Timestamp;

use super::client::{Access, Account, CAP, Failure, Gate};
use super::{image, last_part, moment, name, region};
use crate::{ProductionSignal, Signalled, Use};
use prodpin_core::model::{
    Cause, Concern, Control, Evidence, Manager, Platform, Shortcoming, Tenure, Waiting, Workload,
};
use prodpin_net::aws::{Gated, NamesItself};
use prodpin_policy::AwsConfig;

/// As many as one call describes.
const SERVICES_AT_ONCE: usize = 10;
const REVISIONS_AT_ONCE: usize = 20;
const TASKS_AT_ONCE: usize = 100;
/// Of a service's past so many deployments are looked at, the latest first.
const MOST_DEPLOYMENTS: usize = 60;
/// Of task definitions, where there is nothing better, so many.
const MOST_DEFINITIONS: usize = 10;

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

/// What of a service or task is known to run, container by container: the rest must be told by its task definition.
type Told = BTreeSet<(Arc<Workload>, String)>;

impl Reader<'_> {
    async fn clusters(&mut self, config: &AwsConfig) -> Result<(), Failure> {
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

    async fn cluster(&mut self, cluster: &str) -> Result<(), Failure> {
        let mut told = Told::new();
        // Tasks first: what is deployed while the rest is read is then told by its service.
        self.tasks(cluster, &mut told).await?;
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
            let services = answer.services.ok_or_else(|| Failure::lacks(call, "its list"))?;
            let failures = answer.failures.unwrap_or_default();
            let named =
                services.iter().map(|service| service.service_arn.as_deref().or(service.service_name.as_deref()));
            self.passed_over(call, some.iter().map(String::as_str), named, &failures);
            self.left_out(call, failures);
            for service in services {
                if service.status.as_deref() != Some("INACTIVE") {
                    self.service(cluster, &service, &mut told).await;
                }
            }
        }
        Ok(())
    }

    async fn tasks(&mut self, cluster: &str, told: &mut Told) -> Result<(), Failure> {
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
            let tasks = answer.tasks.ok_or_else(|| Failure::lacks(call, "its list"))?;
            let mut failures = answer.failures.unwrap_or_default();
            let named = tasks.iter().map(|task| task.task_arn.as_deref());
            self.passed_over(call, some.iter().map(String::as_str), named, &failures);
            // One that ended since it was listed.
            failures.retain(|failure| failure.reason.as_deref() != Some("MISSING"));
            self.left_out(call, failures);
            for task in tasks {
                self.task(cluster, &task, told).await;
            }
        }
        Ok(())
    }

    async fn task(&mut self, cluster: &str, task: &Task, told: &mut Told) {
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
                    told.insert((workload.clone(), container_name.to_owned()));
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
        // A task that was not pulled yet; a service's is told by the service.
        if let (true, Some(definition), "task") = (unresolved, definition, workload.kind.as_ref()) {
            self.definition_of(&workload, definition, tenure, told).await;
        }
    }

    async fn service(&mut self, cluster: &str, service: &Service, told: &mut Told) {
        let Some(service_name) = service.service_name.as_deref() else {
            return Failure::lacks("ecs:DescribeServices", "the name of a service").tell(&mut self.said);
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
                        self.revision(&workload, &revision, tenure, told);
                    }
                }
                Err(failure) => failure.tell(&mut self.said),
            }
        }
        self.definitions_of(&workload, service, known, told).await;
    }

    /// Deployments that came to an end well, and those under way, the latest first.
    async fn deployments(&self, cluster: &str, service: &str) -> Result<Vec<ServiceDeploymentBrief>, Failure> {
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

    fn revision(&mut self, workload: &Arc<Workload>, revision: &ServiceRevision, tenure: Tenure, told: &mut Told) {
        let definition: Option<Arc<str>> = revision.task_definition.as_deref().map(Arc::from);
        for container in revision.container_images.iter().flatten() {
            let Some(named) = container.image.as_deref() else { continue };
            let container_name = container.container_name.as_deref().unwrap_or_default();
            let digest = container.image_digest.as_deref();
            if digest.is_some() && matches!(tenure, Tenure::Now { .. }) {
                told.insert((workload.clone(), container_name.to_owned()));
            }
            self.used(workload, container_name, named, digest, Evidence::ServiceRevision, tenure, &definition);
        }
    }

    /// What the task definitions of a service say that nothing better did.
    async fn definitions_of(&mut self, workload: &Arc<Workload>, service: &Service, has_revisions: bool, told: &Told) {
        let mut current: BTreeSet<&str> = service.task_definition.as_deref().into_iter().collect();
        let parts = service.deployments.iter().flatten().filter_map(|part| part.task_definition.as_deref());
        let sets = service.task_sets.iter().flatten().filter_map(|part| part.task_definition.as_deref());
        current.extend(parts.chain(sets));
        for definition in &current {
            let now = Tenure::Now { since: None };
            let tenure = waiting(service, definition).map_or(now, |why| Tenure::Wanted { why });
            self.definition_of(workload, definition, tenure, told).await;
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
                answer.task_definition_arns.ok_or_else(|| Failure::lacks("ecs:ListTaskDefinitions", "its list"))
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
                self.definition_of(workload, definition, Tenure::Before { last: next }, &Told::new()).await;
            }
            next = registered;
        }
    }

    async fn definition_of(&mut self, workload: &Arc<Workload>, definition: &str, tenure: Tenure, told: &Told) {
        let Some(known) = self.definition(definition).await else { return };
        let revision: Option<Arc<str>> = Some(definition.into());
        for container in known.container_definitions.into_iter().flatten() {
            let Some(container_name) = container.name.as_deref() else { continue };
            let now = matches!(tenure, Tenure::Now { .. } | Tenure::Wanted { .. });
            if now && resolves_anew(&container) {
                let what = Shortcoming::ResolvedAnew { container: container_name.into() };
                self.said.concerns.push(Concern { workload: workload.clone(), what });
            }
            let is_told = now && told.contains(&(workload.clone(), container_name.to_owned()));
            if let (false, Some(named)) = (is_told, container.image.as_deref()) {
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
                known.ok_or_else(|| Failure::lacks(call, "a task definition with its containers"))
            });
            let known = known.map_err(|failure| failure.tell(&mut self.said)).ok();
            self.definitions.insert(arn.to_owned(), known);
        }
        self.definitions.get(arn).cloned().flatten()
    }

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
        // Where a failure names nothing, it may be about any of them, and is told as it is.
        if failed.clone().any(|arn| arn.is_none()) {
            return;
        }
        // Names and identifiers alone: accounts change from short ARNs to long ones.
        let told: BTreeSet<&str> = named.chain(failed).flatten().map(last_part).collect();
        for arn in asked.filter(|arn| !told.contains(last_part(arn))) {
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

/// Why no task of this definition runs for a service that asks for it; none if some do, or nothing says that none does.
fn waiting(service: &Service, definition: &str) -> Option<Waiting> {
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
fn tenures<'d>(deployments: &'d [ServiceDeploymentBrief], current: &BTreeSet<&'d str>) -> BTreeMap<&'d str, Tenure> {
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

fn resolves_anew(container: &ContainerDefinition) -> bool {
    container.version_consistency == Some(VersionConsistency::Disabled)
}

/// `arn:…:task-definition/shop-api:42` → `shop-api`.
fn family(definition: &str) -> &str {
    let last = last_part(definition);
    last.rsplit_once(':').map_or(last, |(family, _)| family)
}

/// `arn:…:task-definition/shop-api:42` → 42.
fn number(definition: &str) -> Option<u64> {
    last_part(definition).rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::primitives::DateTime;

    fn deployment(revision: &str, minute: i64, status: ServiceDeploymentStatus) -> ServiceDeploymentBrief {
        ServiceDeploymentBrief::builder()
            .target_service_revision_arn(revision)
            .finished_at(DateTime::from_secs(minute * 60))
            .status(status)
            .build()
    }

    fn minute(minute: i64) -> Option<Timestamp> {
        Timestamp::new(minute * 60, 0).ok()
    }

    #[test]
    fn a_revision_was_in_production_until_the_next_one_was_e132() {
        use ServiceDeploymentStatus::{InProgress, Successful};
        let newest_first =
            [deployment("d", 40, InProgress), deployment("c", 30, Successful), deployment("b", 20, Successful)];
        let told = tenures(&newest_first, &BTreeSet::from(["c", "d"]));
        assert_eq!(told["d"], Tenure::Now { since: minute(40) });
        assert_eq!(told["c"], Tenure::Now { since: minute(30) });
        assert_eq!(told["b"], Tenure::Before { last: minute(30) });
    }

    #[test]
    fn a_rollback_makes_an_old_revision_current_again_e132() {
        use ServiceDeploymentStatus::Successful;
        let newest_first =
            [deployment("a", 30, Successful), deployment("b", 20, Successful), deployment("a", 10, Successful)];
        for current in [BTreeSet::from(["a"]), BTreeSet::new()] {
            let told = tenures(&newest_first, &current);
            assert_eq!(told["a"], Tenure::Now { since: minute(30) });
            assert_eq!(told["b"], Tenure::Before { last: minute(30) });
        }
    }

    /// A deployment under a service: its definition, tasks that run and that failed, and how it goes.
    type Part<'a> = (&'a str, i32, i32, Option<DeploymentRolloutState>);

    #[test]
    fn i31_f133_what_has_no_task_is_wanted_only_where_ecs_says_that_none_runs() {
        use DeploymentRolloutState::{Completed, Failed, InProgress};
        let starting = Some(Waiting::Starting);
        let zero = Some(Waiting::NoReplicas);
        type Case<'a> = (&'a str, i32, &'a [Part<'a>], [Option<Waiting>; 2]);
        let cases: &[Case<'_>] = &[
            ("it runs", 2, &[("new", 2, 0, Some(Completed))], [None, None]),
            (
                "both sides of a rollout",
                2,
                &[("new", 1, 0, Some(InProgress)), ("old", 2, 0, Some(Completed))],
                [None; 2],
            ),
            (
                "just begun: none failed yet",
                2,
                &[("new", 0, 0, Some(InProgress)), ("old", 2, 0, Some(Completed))],
                [None; 2],
            ),
            (
                "tasks do not come up",
                2,
                &[("new", 0, 3, Some(InProgress)), ("old", 2, 0, Some(Completed))],
                [starting, None],
            ),
            (
                "the circuit breaker ended it",
                2,
                &[("new", 0, 0, Some(Failed)), ("old", 2, 0, Some(InProgress))],
                [starting, None],
            ),
            ("some tasks failed, and one runs", 2, &[("new", 1, 3, Some(InProgress))], [None, None]),
            (
                "the same definition again, and that one runs",
                2,
                &[("new", 0, 3, Some(Failed)), ("new", 2, 0, Some(Completed))],
                [None; 2],
            ),
            ("scaled to nothing", 0, &[("new", 0, 0, Some(Completed))], [zero, zero]),
            ("who does not tell how it goes may not tell counts", 0, &[("new", 0, 0, None)], [None, None]),
            ("CodeDeploy tells nothing here", 2, &[], [None, None]),
        ];
        for (what, desired, parts, expected) in cases {
            let part = |(definition, running, failed, state): &Part<'_>| {
                let made = Deployment::builder().task_definition(*definition).running_count(*running);
                made.failed_tasks(*failed).set_rollout_state(state.clone()).build()
            };
            let running = parts.iter().map(|part| part.1).sum();
            let service = Service::builder().desired_count(*desired).running_count(running);
            let service = service.set_deployments(Some(parts.iter().map(part).collect())).build();
            assert_eq!(["new", "old"].map(|definition| waiting(&service, definition)), *expected, "{what}");
        }
    }

    #[test]
    fn what_is_current_runs_though_no_deployment_is_left_of_it() {
        assert_eq!(tenures(&[], &BTreeSet::from(["a"]))["a"], Tenure::Now { since: None });
    }

    #[test]
    fn task_definitions_have_a_family_and_a_number() {
        let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/shop-api:42";
        assert_eq!((family(arn), number(arn)), ("shop-api", Some(42)));
        assert_eq!((family("shop-api"), number("shop-api")), ("shop-api", None));
    }
}
