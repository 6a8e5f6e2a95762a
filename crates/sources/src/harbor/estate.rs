//! What all repositories of a Harbor share, and what those of one project do: who is asked once, and remembered for the run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::api::{Api, Row, Rows, project_path};
use super::documents::{
    CollectionParameters, CollectionSchedule, ImmutableRow, ProjectDocument, ProjectRow, RepositoryRow, RetentionHead,
    SystemInfo,
};
use super::replication::ReplicationRow;
use prodpin_core::model::{Cause, HarborCollection, HarborReplication, Setting};
use prodpin_net::http::fault::Fault;

/// More projects, rules or repositories than this are an attempt to fill memory (I20).
const MOST: usize = 1_000_000;

/// What is asked once for each name.
pub(super) type Once<T> = Mutex<HashMap<Box<str>, Arc<OnceCell<Arc<T>>>>>;

/// One Harbor.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) api: Api,
    version: OnceCell<Option<Box<str>>>,
    collection: OnceCell<HarborCollection>,
    replication: OnceCell<(HarborReplication, Option<Fault>)>,
    projects: Once<Project>,
    repositories: Once<Repositories>,
}

/// What holds for every repository of a project.
#[derive(Debug)]
pub(super) struct Project {
    /// The upstream that it caches, if it does (J31).
    pub(super) cached_from: Option<Box<str>>,
    /// Its retention policy.
    pub(super) policy: Setting,
    /// Why that is not known.
    pub(super) policy_unread: Option<Fault>,
    /// Its immutability rules.
    pub(super) immutable: Setting,
    /// The names of its repositories without the project's, where a rule asks for them.
    pub(super) neighbours: Arc<[Box<str>]>,
    /// What of this could not be read.
    pub(super) faults: Vec<Fault>,
}

/// The repositories of a project, as far as they were listed.
#[derive(Debug)]
pub(super) struct Repositories {
    /// Without the project's name.
    pub(super) names: Arc<[Box<str>]>,
    pub(super) end: Option<Fault>,
}

impl Estate {
    pub(super) fn new(api: Api) -> Self {
        Self {
            api,
            version: OnceCell::new(),
            collection: OnceCell::new(),
            replication: OnceCell::new(),
            projects: Mutex::default(),
            repositories: Mutex::default(),
        }
    }

    /// The server's version, as far as it says it.
    pub(super) async fn version(&self) -> Option<Box<str>> {
        let read = async { self.api.document::<SystemInfo>("systeminfo").await.ok()?.harbor_version };
        self.version.get_or_init(|| read).await.clone()
    }

    /// Whether Harbor takes the credentials, by a call that only a login gets a whole answer to: an empty list of projects, and
    /// a list of the public ones, are what a stranger is shown, with 200 (J40).
    pub(super) async fn must_be_logged_in(&self) -> Result<(), Fault> {
        let host = self.api.host();
        if !self.api.has_password().await {
            let detail = format!(
                "there are no credentials for {host}, and Harbor lists public projects to everybody: set `username` and \
                 `password` on the source"
            );
            return Err(Fault::new(Cause::Denied, detail));
        }
        match self.api.document::<SystemInfo>("systeminfo").await {
            Ok(info) if info.is_of_a_login() => Ok(()),
            Ok(_) => Err(Fault::new(
                Cause::Denied,
                format!(
                    "{} answers as to somebody who is not logged in: {host} did not take the credentials, so the list of \
                     projects is only that of public ones; check user and secret, and whether the robot account is \
                     disabled or expired",
                    self.api.what("systeminfo")
                ),
            )),
            Err(fault) => Err(fault),
        }
    }

    /// Every project that is shown to these credentials.
    pub(super) async fn projects(&self) -> Rows<ProjectRow> {
        self.short_list("projects", "sort=name").await
    }

    /// The repositories of a project.
    pub(super) async fn repositories(&self, project: &str) -> Arc<Repositories> {
        let cell = remembered(&self.repositories, project);
        let read = async {
            let path = format!("{}/repositories", project_path(project));
            let Rows { rows, end } = self.short_list::<RepositoryRow>(&path, "sort=name").await;
            let front = format!("{project}/");
            let names = rows.iter().filter_map(|row| row.name.strip_prefix(front.as_str()).map(Box::from));
            Arc::new(Repositories { names: names.collect(), end })
        };
        Arc::clone(cell.get_or_init(|| read).await)
    }

    /// What garbage collection does by itself. Only a system robot may ask; who may not is told once, since it decides nothing
    /// about what has a tag (J32).
    pub(super) async fn collection(&self) -> HarborCollection {
        let read = async {
            self.read_collection().await.unwrap_or_else(|fault| {
                let Fault { detail, .. } = granting(fault, "garbage-collection:read");
                tracing::warn!("whether garbage collection deletes untagged artifacts is unknown: {detail}");
                HarborCollection::Unknown
            })
        };
        self.collection.get_or_init(|| read).await.clone()
    }

    /// Which replication policies there are. Only a system robot may ask; who may not is told once, and by every look ahead. Any
    /// other failure is a gap: what was found before is not known to be settled.
    pub(super) async fn replication(&self) -> (HarborReplication, Option<Fault>) {
        let read = async {
            let Rows { rows, end } = self.short_list::<ReplicationRow>("replication/policies", "sort=id").await;
            let Some(fault) = end else {
                let policies = rows.into_iter().filter_map(ReplicationRow::policy).collect();
                return (HarborReplication::Known(policies), None);
            };
            let unknown = HarborReplication::Unknown { cause: fault.cause, why: fault.detail.as_str().into() };
            if !matches!(fault.cause, Cause::Denied | Cause::NotFound | Cause::Unsupported) {
                return (unknown, Some(fault));
            }
            let Fault { detail, .. } = granting(fault, "replication-policy:list");
            tracing::warn!("whether replication moves tags here, or is started by pins, is unknown: {detail}");
            (unknown, None)
        };
        self.replication.get_or_init(|| read).await.clone()
    }

    async fn read_collection(&self) -> Result<HarborCollection, Fault> {
        const PATH: &str = "system/gc/schedule";
        let Some(set) = self.api.document::<Option<CollectionSchedule>>(PATH).await? else {
            return Ok(HarborCollection::Unscheduled);
        };
        let cron = set.schedule.and_then(|schedule| schedule.cron).filter(|cron| !cron.trim().is_empty());
        let Some(cron) = cron else { return Ok(HarborCollection::Unscheduled) };
        let parameters = match set.job_parameters.as_deref().map(str::trim) {
            None | Some("") => CollectionParameters::default(),
            Some(text) => serde_json::from_str(text)
                .map_err(|_| Fault::malformed(format!("{}: job_parameters that are not JSON", self.api.what(PATH))))?,
        };
        // Absent is false, whatever the job's own default is (J32).
        let deletes_untagged = parameters.delete_untagged.unwrap_or(false);
        Ok(HarborCollection::Scheduled { cron: cron.into(), deletes_untagged })
    }

    /// What holds in a project.
    pub(super) async fn project(&self, name: &str) -> Arc<Project> {
        let cell = remembered(&self.projects, name);
        Arc::clone(cell.get_or_init(|| async { Arc::new(self.read_project(name).await) }).await)
    }

    async fn read_project(&self, name: &str) -> Project {
        let mut faults = Vec::new();
        let path = project_path(name);
        let (document, immutable) =
            tokio::join!(self.api.document::<ProjectDocument>(&path), self.read_immutable(name));
        let immutable = settled(immutable, "immutable-tag:list", &mut faults);
        let (cached_from, policy) = match document {
            Ok(document) => {
                let policy = settled(self.read_policy(name, &document).await, "tag-retention:read", &mut faults);
                (document.registry_id.filter(|registry| *registry != 0), policy)
            }
            Err(fault) => (None, settled(Err(fault), "project:read", &mut faults)),
        };
        let policy_unread = faults.last().filter(|_| policy == Setting::Unknown).cloned();
        let mut neighbours: Arc<[Box<str>]> = Arc::default();
        if matches!(policy, Setting::Text(_)) {
            let listed = self.repositories(name).await;
            neighbours = Arc::clone(&listed.names);
            faults.extend(listed.end.clone());
        }
        let cached_from =
            cached_from.map(|registry| format!("the upstream registry {registry} of {}", self.api.host()));
        Project { cached_from: cached_from.map(Box::from), policy, policy_unread, immutable, neighbours, faults }
    }

    async fn read_policy(&self, project: &str, document: &ProjectDocument) -> Result<Setting, Fault> {
        let what = || self.api.what(&project_path(project));
        let id = document
            .retention()
            .map_err(|()| Fault::malformed(format!("{}: a retention_id that is no number", what())))?;
        let Some(id) = id else { return Ok(Setting::Unset) };
        let path = format!("retentions/{id}");
        let text = self.api.text(&path).await?;
        let head: RetentionHead = serde_json::from_str(&text).map_err(|error| {
            Fault::malformed(format!("{}: no retention policy ({})", self.api.what(&path), category(&error)))
        })?;
        let of_another = head.scope.and_then(|scope| scope.project).is_some_and(|other| other != document.project_id);
        if head.id != id || of_another {
            let detail = format!("{}: the policy of another project or id", self.api.what(&path));
            return Err(Fault::malformed(detail));
        }
        Ok(Setting::Text(text.into()))
    }

    async fn read_immutable(&self, project: &str) -> Result<Setting, Fault> {
        let path = format!("{}/immutabletagrules", project_path(project));
        let Rows { rows, end } = self.short_list::<ImmutableRow>(&path, "").await;
        if let Some(fault) = end {
            return Err(fault);
        }
        if rows.is_empty() {
            return Ok(Setting::Unset);
        }
        let rules: Vec<_> = rows.into_iter().map(|ImmutableRow(rule)| rule).collect();
        let text = serde_json::to_string(&rules)
            .map_err(|_| Fault::malformed(format!("{}: rules that cannot be kept", self.api.what(&path))))?;
        Ok(Setting::Text(text.into()))
    }

    async fn short_list<T: Row>(&self, path: &str, query: &str) -> Rows<T> {
        let mut count = 0;
        self.api
            .list(path, query, |rows: &[T]| {
                count += rows.len();
                match count > MOST {
                    true => Err(Fault::malformed(format!("{}: more than {MOST} entries", self.api.what(path)))),
                    false => Ok(()),
                }
            })
            .await
    }
}

/// A setting that could not be read is unknown, and never "there is none".
fn settled(read: Result<Setting, Fault>, permission: &str, faults: &mut Vec<Fault>) -> Setting {
    read.unwrap_or_else(|fault| {
        faults.push(granting(fault, permission));
        Setting::Unknown
    })
}

/// With the permission to grant, where that is what lacks.
pub(super) fn granting(fault: Fault, permission: &str) -> Fault {
    match fault.cause {
        Cause::Denied => {
            let detail = format!("{}; grant {permission} to the robot account", fault.detail);
            Fault::new(fault.cause, detail)
        }
        _ => fault,
    }
}

fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "a document of another form",
        _ => "not JSON",
    }
}

pub(super) fn remembered<T>(cells: &Mutex<HashMap<Box<str>, Arc<OnceCell<T>>>>, name: &str) -> Arc<OnceCell<T>> {
    let mut cells = cells.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(cells.entry(name.into()).or_default())
}
