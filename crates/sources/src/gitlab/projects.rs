//! Which project a repository belongs to, and what was read of it, once.
//!
//! A repository is called by its project's path, in lowercase, and whatever its image is called below that. Which part of the name
//! is the project is found by asking: no path is that of a group and of a project.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::api::{Api, LACKS, encoded};
use super::documents::{ProjectDocument, RepositoryRow};
use super::rules::{self, TagRules};
use prodpin_core::model::{Cause, Gap, GitLabRepository, GitLabTag, RepositoryName, Scope, Setting};
use prodpin_net::http::fault::Fault;

/// So many paths are remembered at once (I20).
const REMEMBERED: usize = 256;

/// So many paths of projects are remembered of lists (I20).
const MOST_LISTED: usize = 20_000;

/// Of a project so many repositories are remembered (I20).
const MOST_REPOSITORIES: usize = 5_000;

/// No name of a repository is longer.
const LONGEST_NAME: usize = 255;

/// A name of more parts than these belongs to no project: groups lie twenty deep at the most.
const MOST_PARTS: usize = 24;

/// What was read of a project.
#[derive(Debug)]
pub(super) struct Project {
    path: Box<str>,
    policy: Setting,
    protected: Setting,
    immutable: Setting,
    /// Its repositories, by name.
    rows: HashMap<Box<str>, Row>,
    /// What could not be read of it.
    pub(super) gaps: Vec<Gap>,
}

/// A repository in the list of its project.
#[derive(Debug, Clone, Copy)]
struct Row {
    id: u64,
    /// Whether GitLab is deleting it, or something else is with it that is not known here.
    is_going: bool,
}

/// What came of asking for a path; none: there is no project of that path that is shown.
type Asked = Arc<OnceCell<Result<Option<Arc<Project>>, Fault>>>;

/// The projects of one GitLab.
pub(super) struct Projects {
    pub(super) api: Api,
    /// The registry as the policy has it.
    registry: Box<str>,
    known: Mutex<HashMap<Box<str>, Asked>>,
    listed: Mutex<HashSet<Box<str>>>,
}

impl Project {
    /// Its full path, as GitLab writes it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The id of a repository of it.
    pub(super) fn id_of(&self, repository: &RepositoryName) -> Option<u64> {
        self.rows.get(repository.as_str()).map(|row| row.id)
    }

    /// Why the rules of the project say nothing of a repository, if they do not: it is not known to be that one's, or is going.
    pub(super) fn doubt(&self, repository: &RepositoryName) -> Option<Gap> {
        let (cause, detail) = match self.rows.get(repository.as_str()) {
            Some(Row { is_going: false, .. }) => return None,
            Some(_) => (
                Cause::Refused,
                format!(
                    "GitLab is deleting {repository}, with every tag of it: see the project under Deploy > Container registry"
                ),
            ),
            None => (
                Cause::Denied,
                format!(
                    "GitLab does not list {repository} in project {:.200?}, so what cleans up there is unknown; {LACKS}",
                    self.path
                ),
            ),
        };
        Some(Gap::new(Scope::Setting, cause, detail))
    }

    /// A repository of it, with these tags.
    pub(super) fn repository(&self, repository: &RepositoryName, tags: Vec<GitLabTag>) -> GitLabRepository {
        let of = |setting: &Setting| match self.doubt(repository) {
            None => setting.clone(),
            Some(_) => Setting::Unknown,
        };
        GitLabRepository {
            project: self.path.clone(),
            policy: of(&self.policy),
            protected: of(&self.protected),
            immutable: of(&self.immutable),
            tags,
            untagged: Vec::new(),
        }
    }
}

impl Projects {
    pub(super) fn new(api: Api, registry: &str) -> Self {
        Self { api, registry: registry.into(), known: Mutex::default(), listed: Mutex::default() }
    }

    /// That a list named it.
    pub(super) fn note(&self, project: &str) {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.len() < MOST_LISTED && !listed.contains(project) {
            listed.insert(project.into());
        }
    }

    /// The project that has the repository.
    pub(super) async fn of(&self, repository: &RepositoryName) -> Result<Arc<Project>, Fault> {
        let mut found = self.within(repository.as_str()).await?;
        // It may have come since the project was asked.
        if let Some(project) = found.as_ref().filter(|project| project.id_of(repository).is_none()) {
            self.forget(&project.path.to_ascii_lowercase());
            found = self.within(repository.as_str()).await?;
        }
        match found {
            Some(project) => Ok(project),
            None => Err(Fault::new(
                Cause::Denied,
                format!(
                    "{} shows no project that {repository} could belong to: there is none, or the token may not see it, \
                     so what cleans up there is unknown; {LACKS}",
                    self.api.host()
                ),
            )),
        }
    }

    /// The project whose path this is, or begins with.
    pub(super) async fn within(&self, path: &str) -> Result<Option<Arc<Project>>, Fault> {
        for front in self.fronts(path) {
            let cell = {
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= REMEMBERED && !known.contains_key(front) {
                    known.clear();
                }
                Arc::clone(known.entry(front.into()).or_default())
            };
            if let Some(project) = cell.get_or_init(|| self.ask(front)).await.clone()? {
                return Ok(Some(project));
            }
            // What is not there may come to be.
            self.forget(front);
        }
        Ok(None)
    }

    fn forget(&self, project: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(project);
    }

    /// What of the path may be a project, those that a list named first, and of the others the shortest.
    fn fronts<'p>(&self, path: &'p str) -> Vec<&'p str> {
        let ends = path.match_indices('/').skip(1).map(|(at, _)| at).chain([path.len()]);
        let mut fronts: Vec<&str> = ends.take(MOST_PARTS).filter_map(|end| path.get(..end)).collect();
        fronts.retain(|front| front.contains('/'));
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        fronts.sort_by_key(|front| !listed.contains(*front));
        fronts
    }

    async fn ask(&self, front: &str) -> Result<Option<Arc<Project>>, Fault> {
        let path = format!("v4/projects/{}", encoded(front));
        let Some(document) = self.api.find::<ProjectDocument>(&path).await? else { return Ok(None) };
        // A project that moved answers under its former path, too.
        if !document.path_with_namespace.eq_ignore_ascii_case(front) {
            return Ok(None);
        }
        let (mut policy, gap) = rules::policy(&self.api, &document);
        let mut gaps: Vec<Gap> = gap.into_iter().collect();
        let TagRules { protected, immutable, gap } = rules::tag_rules(&self.api, &document).await;
        gaps.extend(gap);
        let (rows, gap) = self.repositories(document.id, front).await;
        // The rules of one GitLab say nothing of what lies in the registry of another.
        if gap.as_ref().is_some_and(|gap| gap.cause == Cause::Refused) {
            policy = Setting::Unknown;
        }
        gaps.extend(gap);
        Ok(Some(Arc::new(Project { path: document.path_with_namespace, policy, protected, immutable, rows, gaps })))
    }

    /// A project's repositories, and why they are not all, or not of the registry that the policy has.
    async fn repositories(&self, project: u64, path: &str) -> (HashMap<Box<str>, Row>, Option<Gap>) {
        let (mut rows, mut elsewhere) = (HashMap::new(), None);
        let below = path.to_ascii_lowercase();
        let take = |page: Vec<RepositoryRow>| {
            for row in page {
                let is_below =
                    row.path.strip_prefix(&*below).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                if row.path.len() > LONGEST_NAME || !is_below {
                    continue;
                }
                if *row.location != *format!("{}/{}", self.registry, row.path) {
                    let host = row.location.split_once('/').map_or(&*row.location, |(host, _)| host);
                    elsewhere = Some(host.to_owned());
                    continue;
                }
                let is_going = row.status.is_some();
                rows.insert(row.path, Row { id: row.id, is_going });
            }
            match rows.len() > MOST_REPOSITORIES {
                true => Err(Fault::malformed(format!("{path} has more than {MOST_REPOSITORIES} repositories"))),
                false => Ok(()),
            }
        };
        let end = self.api.repositories(&format!("projects/{project}"), take).await.err();
        if let Some(host) = elsewhere {
            let detail = format!(
                "{} has its registry at {host:.120?}, and the policy has {}: the rules are those of another registry; write \
                 that address as `registry` on the source",
                self.api.host(),
                self.registry
            );
            return (HashMap::new(), Some(Gap::new(Scope::Setting, Cause::Refused, detail)));
        }
        let end = end.map(|fault| {
            let detail = format!("{}; without it when tags were published is unknown", fault.detail);
            // Another cause than that of another registry.
            let cause = if fault.cause == Cause::Refused { Cause::Malformed } else { fault.cause };
            Gap::new(Scope::Setting, cause, detail)
        });
        (rows, end)
    }
}
