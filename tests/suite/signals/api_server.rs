//! A Kubernetes API server as far as lists go: objects in the shapes of Kubernetes 1.33, pages with continue tokens,
//! rights, tokens that expire, answers that do not come; and a record of everything that was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use prodpin::policy::ClusterAccess;
use serde_json::{Value, json};

/// What is served, and what was asked.
#[derive(Default)]
pub(crate) struct World {
    /// Objects by the path of their kind: `/apis/apps/v1/deployments`.
    objects: BTreeMap<String, Vec<Value>>,
    /// Kinds, and namespaces of them (`*` for the list over all), that may not be listed.
    denied: BTreeSet<(String, String)>,
    /// How many more continue tokens are answered with 410.
    pub(crate) expiring: usize,
    /// At most so many objects in one page, whatever is asked for.
    pub(crate) page: Option<usize>,
    /// A page that names itself as the next one.
    pub(crate) circular: bool,
    /// A kind whose list never comes.
    pub(crate) silent: Option<String>,
    /// A kind whose list is answered with this instead.
    pub(crate) broken: Option<(String, StatusCode, String)>,
    /// Paths that begin so are answered with this, and with a `Retry-After`, so many times more.
    pub(crate) down: Option<(String, StatusCode, &'static str, usize)>,
    /// What came as `User-Agent`.
    pub(crate) agents: BTreeSet<String>,
    /// Method, path and query of every request.
    pub(crate) asked: Vec<(String, String, String)>,
    /// What came as `Authorization`.
    pub(crate) tokens: BTreeSet<String>,
    /// A token is good for so many requests and no more.
    pub(crate) lasts: Option<usize>,
    used: BTreeMap<String, usize>,
}

#[derive(Clone)]
pub(crate) struct ApiServer {
    world: Arc<Mutex<World>>,
    directory: Arc<tempfile::TempDir>,
}

/// Where each kind lives.
pub(crate) const PODS: &str = "/api/v1/pods";
pub(crate) const SECRETS: &str = "/api/v1/secrets";
pub(crate) const CONFIG_MAPS: &str = "/api/v1/configmaps";
pub(crate) const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";
pub(crate) const REPLICA_SETS: &str = "/apis/apps/v1/replicasets";
pub(crate) const REPLICATION_CONTROLLERS: &str = "/api/v1/replicationcontrollers";
pub(crate) const DEPLOYMENT_CONFIGS: &str = "/apis/apps.openshift.io/v1/deploymentconfigs";
pub(crate) const STATEFUL_SETS: &str = "/apis/apps/v1/statefulsets";
pub(crate) const DAEMON_SETS: &str = "/apis/apps/v1/daemonsets";
pub(crate) const REVISIONS: &str = "/apis/apps/v1/controllerrevisions";
pub(crate) const JOBS: &str = "/apis/batch/v1/jobs";
pub(crate) const CRON_JOBS: &str = "/apis/batch/v1/cronjobs";
pub(crate) const ROLLOUTS: &str = "/apis/argoproj.io/v1alpha1/rollouts";
pub(crate) const KNATIVE_REVISIONS: &str = "/apis/serving.knative.dev/v1/revisions";
pub(crate) const KNATIVE_ROUTES: &str = "/apis/serving.knative.dev/v1/routes";
pub(crate) const APPLICATIONS: &str = "/apis/argoproj.io/v1alpha1/applications";
pub(crate) const HELM_RELEASES: &str = "/apis/helm.toolkit.fluxcd.io/v2/helmreleases";
pub(crate) const OCI_REPOSITORIES: &str = "/apis/source.toolkit.fluxcd.io/v1/ocirepositories";

pub(crate) const CANARIES: &str = "/apis/flagger.app/v1beta1/canaries";
pub(crate) const KUSTOMIZATIONS: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations";
pub(crate) const IMAGE_UPDATES: &str = "/apis/image.toolkit.fluxcd.io/v1/imageupdateautomations";
pub(crate) const IMAGE_REPOSITORIES: &str = "/apis/image.toolkit.fluxcd.io/v1/imagerepositories";
pub(crate) const IMAGE_POLICIES: &str = "/apis/image.toolkit.fluxcd.io/v1/imagepolicies";

/// Kinds that every cluster has.
const BUILT_IN: [&str; 12] = [
    PODS,
    REPLICATION_CONTROLLERS,
    SECRETS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    DAEMON_SETS,
    REVISIONS,
    JOBS,
    CRON_JOBS,
    "/api/v1/namespaces",
];

pub(crate) const TOKEN: &str = "a-service-account-token";

impl ApiServer {
    /// Starts one, with a kubeconfig whose context `prod-eu` leads to it.
    pub(crate) async fn start() -> Self {
        let mut world = World::default();
        for kind in BUILT_IN {
            world.objects.insert(kind.to_owned(), Vec::new());
        }
        let world = Arc::new(Mutex::new(world));
        let app = Router::new().fallback(answer).with_state(world.clone());
        let (address, _) = crate::support::serve::serve(app).await;
        let directory = tempfile::tempdir().unwrap();
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "elsewhere",
            "clusters": [{ "name": "prod", "cluster": { "server": format!("http://{address}") } }],
            "users": [{ "name": "prodpin", "user": { "token": TOKEN } }],
            "contexts": [
                { "name": "prod-eu", "context": { "cluster": "prod", "user": "prodpin" } },
                { "name": "prod-us", "context": { "cluster": "prod", "user": "prodpin" } },
            ],
        });
        std::fs::write(directory.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
        Self { world, directory: Arc::new(directory) }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn access(&self) -> ClusterAccess {
        ClusterAccess {
            context: Some("prod-eu".to_owned()),
            kubeconfig: Some(self.directory.path().join("kubeconfig")),
        }
    }

    /// Lets the kubeconfig's user get its credentials from a program.
    pub(crate) fn credentials_from(&self, script: &str) {
        let program = self.directory.path().join("plugin");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let path = self.directory.path().join("kubeconfig");
        let mut kubeconfig: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        kubeconfig["users"][0]["user"] = json!({ "exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": program, "interactiveMode": "Never",
        } });
        std::fs::write(&path, kubeconfig.to_string()).unwrap();
    }

    /// How often paths that begin so were asked for.
    pub(crate) fn times(&self, prefix: &str) -> usize {
        self.world().asked.iter().filter(|(_, path, _)| path.starts_with(prefix)).count()
    }

    /// Puts objects there; the kind exists from then on.
    pub(crate) fn put(&self, kind: &str, objects: impl IntoIterator<Item = Value>) {
        self.world().objects.entry(kind.to_owned()).or_default().extend(objects);
    }

    /// Takes all objects of a kind away, to put others there.
    pub(crate) fn clear(&self) {
        for objects in self.world().objects.values_mut() {
            objects.clear();
        }
    }

    /// Shuffles what every list says: an API server promises no order that means anything.
    pub(crate) fn reverse(&self) {
        for objects in self.world().objects.values_mut() {
            objects.reverse();
        }
    }

    pub(crate) fn deny(&self, kind: &str, namespace: &str) {
        self.world().denied.insert((kind.to_owned(), namespace.to_owned()));
    }

    pub(crate) fn clear_denied(&self) {
        self.world().denied.clear();
    }

    /// Every kind that was listed, with the namespace or `*`.
    pub(crate) fn listed(&self) -> BTreeSet<(String, String)> {
        self.world().asked.iter().filter_map(|(_, path, _)| split(path)).collect()
    }
}

/// `/apis/apps/v1/namespaces/shop/deployments` → the kind's path and `shop`.
fn split(path: &str) -> Option<(String, String)> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let root = if parts.first() == Some(&"api") { 2 } else { 3 };
    match &parts[root.min(parts.len())..] {
        [plural] => Some((path.to_owned(), "*".to_owned())).filter(|_| !plural.is_empty()),
        ["namespaces", namespace, plural] => {
            Some((format!("/{}/{plural}", parts[..root].join("/")), (*namespace).to_owned()))
        }
        _ => None,
    }
}

async fn answer(State(world): State<Arc<Mutex<World>>>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let silent = {
        let mut world = world.lock().unwrap();
        world.asked.push((request.method().to_string(), path.clone(), query.clone()));
        let token = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        world.tokens.insert(token.to_owned());
        let used = world.used.entry(token.to_owned()).or_default();
        *used += 1;
        let used = *used;
        if world.lasts.is_some_and(|lasts| used > lasts) {
            let (code, body) = status(StatusCode::UNAUTHORIZED, "Unauthorized".to_owned());
            return Response::builder().status(code).body(Body::from(body)).unwrap();
        }
        let agent = request.headers().get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default();
        world.agents.insert(agent.to_owned());
        if let Some((prefix, code, wait, times)) = &mut world.down
            && path.starts_with(prefix.as_str())
            && *times > 0
        {
            *times -= 1;
            let (_, body) = status(*code, "the server is currently unable to handle the request".to_owned());
            let mut answer = Response::builder().status(*code).header("content-type", "application/json");
            if !wait.is_empty() {
                answer = answer.header("retry-after", *wait);
            }
            return answer.body(Body::from(body)).unwrap();
        }
        world.silent.as_deref().is_some_and(|kind| split(&path).is_some_and(|(asked, _)| asked == kind))
    };
    if silent {
        tokio::time::sleep(Duration::from_secs(600)).await;
    }
    let (status, body) = world.lock().unwrap().answer(&path, &query);
    Response::builder().status(status).header("content-type", "application/json").body(Body::from(body)).unwrap()
}

fn status(code: StatusCode, message: String) -> (StatusCode, String) {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                         "code": code.as_u16() });
    (code, status.to_string())
}

impl World {
    fn answer(&mut self, path: &str, query: &str) -> (StatusCode, String) {
        let Some((kind, namespace)) = split(path) else { return self.discovery(path) };
        if !self.objects.contains_key(&kind) {
            return status(StatusCode::NOT_FOUND, "the server could not find the requested resource".to_owned());
        }
        if self.denied.contains(&(kind.clone(), namespace.clone())) {
            let message = format!("{kind} is forbidden: User \"system:serviceaccount:ops:prodpin\" cannot list it");
            return status(StatusCode::FORBIDDEN, message);
        }
        if let Some((broken, code, body)) = &self.broken
            && *broken == kind
        {
            return (*code, body.clone());
        }
        let query: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let start: usize = match query.get("continue") {
            None => 0,
            Some(_) if self.expiring > 0 => {
                self.expiring -= 1;
                let message = "The provided continue parameter is too old to display a consistent list result.";
                return status(StatusCode::GONE, message.to_owned());
            }
            Some(token) => token.trim_start_matches("token==").parse().unwrap(),
        };
        let limit: usize = query.get("limit").map_or(usize::MAX, |text| text.parse().unwrap());
        let limit = limit.min(self.page.unwrap_or(usize::MAX));
        let selector = query.get("labelSelector").cloned().unwrap_or_default();
        let wanted = |object: &&Value| {
            (namespace == "*" || object["metadata"]["namespace"] == namespace.as_str()) && selects(&selector, object)
        };
        let objects: Vec<&Value> = self.objects[&kind].iter().filter(wanted).collect();
        let page: Vec<&&Value> = objects.iter().skip(start).take(limit).collect();
        let end = start + page.len();
        let next = match (self.circular, end < objects.len()) {
            (true, _) => "token==0".to_owned(),
            (false, true) => format!("token=={end}"),
            (false, false) => String::new(),
        };
        // Go writes an empty list as null (F20).
        let items = if page.is_empty() { Value::Null } else { json!(page) };
        let (version, named) = (kind.rsplit_once('/').unwrap().0, list_kind(&kind));
        let version = version.trim_start_matches("/apis/").trim_start_matches("/api/");
        let list = json!({ "kind": named, "apiVersion": version, "items": items,
                           "metadata": { "resourceVersion": "42", "continue": next } });
        (StatusCode::OK, list.to_string())
    }

    fn discovery(&self, path: &str) -> (StatusCode, String) {
        let known: Vec<Value> = self
            .objects
            .keys()
            .filter_map(|kind| kind.strip_prefix(path)?.strip_prefix('/'))
            .map(|plural| json!({ "name": plural, "namespaced": true, "verbs": ["list"] }))
            .collect();
        match known.is_empty() {
            true => status(StatusCode::NOT_FOUND, "the server could not find the requested resource".to_owned()),
            false => (StatusCode::OK, json!({ "kind": "APIResourceList", "groupVersion": path.trim_start_matches("/apis/"), "resources": known }).to_string()),
        }
    }
}

/// What lists of a kind call themselves.
fn list_kind(path: &str) -> &'static str {
    match path.rsplit('/').next().unwrap() {
        "pods" => "PodList",
        "secrets" => "SecretList",
        "configmaps" => "ConfigMapList",
        "namespaces" => "NamespaceList",
        "deployments" => "DeploymentList",
        "replicasets" => "ReplicaSetList",
        "replicationcontrollers" => "ReplicationControllerList",
        "deploymentconfigs" => "DeploymentConfigList",
        "statefulsets" => "StatefulSetList",
        "daemonsets" => "DaemonSetList",
        "controllerrevisions" => "ControllerRevisionList",
        "jobs" => "JobList",
        "cronjobs" => "CronJobList",
        "rollouts" => "RolloutList",
        "revisions" => "RevisionList",
        "routes" => "RouteList",
        "applications" => "ApplicationList",
        "helmreleases" => "HelmReleaseList",
        "ocirepositories" => "OCIRepositoryList",
        "helmrepositories" => "HelmRepositoryList",
        "canaries" => "CanaryList",
        "kustomizations" => "KustomizationList",
        "imageupdateautomations" => "ImageUpdateAutomationList",
        "imagerepositories" => "ImageRepositoryList",
        "imagepolicies" => "ImagePolicyList",
        other => panic!("{other}"),
    }
}

/// As much of label selectors as Helm's clients use.
fn selects(selector: &str, object: &Value) -> bool {
    if selector.is_empty() {
        return true;
    }
    assert_eq!(selector, "owner=helm,status in (deployed,superseded)");
    let label = |key: &str| object["metadata"]["labels"][key].as_str().unwrap_or_default().to_owned();
    label("owner") == "helm" && ["deployed", "superseded"].contains(&label("status").as_str())
}
