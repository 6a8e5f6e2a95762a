//! Harbor's own dry run of tag retention (J35): one for a project, whatever the number of its repositories. It deletes nothing,
//! and what it says stands in a table in the log of each repository's task.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::LOCATION;
use tokio::sync::OnceCell;

use super::api::{Place, Rows, rooted};
use super::documents::{ExecutionRow, RetentionHead, TaskRow};
use super::estate::{Estate, Once, remembered};
use crate::{Rehearsal, Rehearsed};
use prodpin_core::model::{Cause, Digest, Effect, Gap, RepositoryName, Scope, Setting};
use prodpin_net::http::fault::Fault;

/// Where no run's deadline says less.
const LONGEST: Duration = Duration::from_secs(600);

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What asks for dry runs. It exists only where the source was opened for it.
#[derive(Debug)]
pub(super) struct DryRuns {
    estate: Arc<Estate>,
    /// By project.
    ran: Once<Result<Ran, Fault>>,
}

/// A dry run that came to its end.
#[derive(Debug)]
struct Ran {
    /// In Harbor's paths.
    path: String,
    /// Whether all of it went well.
    went_well: bool,
    /// By the repository's name without the project.
    tasks: HashMap<Box<str>, TaskRow>,
}

#[async_trait]
impl Rehearsal for DryRuns {
    async fn rehearse(&self, repository: &RepositoryName, lifecycle: Option<&str>) -> Result<Vec<Rehearsed>, Gap> {
        let gap = |fault: Fault| fault.gap(Scope::Repository);
        if lifecycle.is_some() {
            let detail = "Harbor's dry run is of the live policy alone";
            return Err(gap(Fault::new(Cause::Unsupported, detail)));
        }
        let Some(place) = Place::of(repository) else {
            return Err(gap(Fault::malformed(format!("{repository} has no project in front"))));
        };
        self.said(&place).await.map_err(gap)
    }
}

impl DryRuns {
    pub(super) fn new(estate: Arc<Estate>) -> Self {
        Self { estate, ran: Once::default() }
    }

    async fn said(&self, place: &Place) -> Result<Vec<Rehearsed>, Fault> {
        let project = self.estate.project(&place.project).await;
        let policy = match &project.policy {
            Setting::Unset => return Ok(Vec::new()),
            Setting::Unknown => {
                let (cause, why) = match &project.policy_unread {
                    Some(Fault { cause, detail }) => (*cause, format!(": {detail}")),
                    None => (Cause::Unsupported, String::new()),
                };
                return Err(Fault::new(cause, format!("the project's retention policy could not be read{why}")));
            }
            Setting::Text(text) => serde_json::from_str::<RetentionHead>(text)
                .map_err(|_| Fault::malformed("the retention policy does not tell its id"))?,
        };
        let cell: Arc<OnceCell<Arc<Result<Ran, Fault>>>> = remembered(&self.ran, &place.project);
        let ran = cell.get_or_init(|| async { Arc::new(self.run(policy.id).await) }).await;
        let ran = ran.as_ref().as_ref().map_err(Clone::clone)?;
        match ran.tasks.get(&place.name) {
            Some(task) => self.table(ran, task).await,
            // No rule takes the repository.
            None if ran.went_well => Ok(Vec::new()),
            None => Err(failed(ran, "as a whole, before it came to any repository")),
        }
    }

    async fn run(&self, policy: i64) -> Result<Ran, Fault> {
        let path = format!("retentions/{policy}/executions");
        let id = self.start(&path).await?;
        let end = Instant::now() + LONGEST;
        let mut wait = FIRST_WAIT;
        let went_well = loop {
            match self.ended(&path, id).await? {
                Some(went_well) => break went_well,
                None if Instant::now() + wait >= end => {
                    let detail =
                        format!("the dry run {id} of retention policy {policy} did not end in time; run again later");
                    return Err(Fault::new(Cause::TimedOut, detail));
                }
                None => tokio::time::sleep(wait).await,
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        };
        let path = format!("{path}/{id}");
        let Rows { rows, end } = self.estate.api.list::<TaskRow>(&format!("{path}/tasks"), "", |_| Ok(())).await;
        if let Some(fault) = end {
            return Err(fault);
        }
        let tasks = rows.into_iter().map(|task| (task.repository.clone(), task)).collect();
        Ok(Ran { path, went_well, tasks })
    }

    /// Starts one; its number stands in the address that is answered.
    async fn start(&self, path: &str) -> Result<i64, Fault> {
        let api = &self.estate.api;
        let what = format!("POST {} at {}", rooted(path), api.host());
        let answer = api.post_dry_run(path).await?;
        if answer.status != StatusCode::CREATED {
            let fault = api.refusal(&answer, &what);
            return Err(match answer.status {
                StatusCode::FORBIDDEN if fault.cause == Cause::Denied => {
                    let detail = format!(
                        "{}; a dry run needs tag-retention:update, which may change the policy, too",
                        fault.detail
                    );
                    Fault::new(fault.cause, detail)
                }
                _ => fault,
            });
        }
        let place = answer.headers.get(LOCATION).and_then(|place| place.to_str().ok()).unwrap_or_default();
        let id = place.strip_prefix(&*rooted(path)).and_then(|rest| rest.strip_prefix('/'));
        id.and_then(|id| id.parse().ok())
            .ok_or_else(|| Fault::malformed(format!("{what}: the answer does not tell which dry run it started")))
    }

    /// Whether it went well, once it is at its end.
    async fn ended(&self, path: &str, id: i64) -> Result<Option<bool>, Fault> {
        let row = self.execution(path, id).await?;
        // A run that deletes is no dry run, whoever started it.
        if !row.dry_run {
            let detail = format!("execution {id} is no dry run: look at tag retention at once");
            return Err(Fault::new(Cause::Suspicious, detail));
        }
        Ok(match row.status.as_str() {
            "Success" | "Succeed" => Some(true),
            "Error" | "Failed" | "Stopped" => Some(false),
            _ => None,
        })
    }

    /// One execution. Harbor has a list of them alone, the newest first: unless somebody started another one since, it is the
    /// first.
    async fn execution(&self, path: &str, id: i64) -> Result<ExecutionRow, Fault> {
        let api = &self.estate.api;
        let is_it = |row: &ExecutionRow| row.id == id;
        if let Some(row) = api.first(path).await?.filter(is_it) {
            return Ok(row);
        }
        let Rows { rows, end } = api.list::<ExecutionRow>(path, "", |_| Ok(())).await;
        let unlisted = || Fault::malformed(format!("{}: it does not list the dry run {id}", api.what(path)));
        rows.into_iter().find(is_it).ok_or_else(|| end.unwrap_or_else(unlisted))
    }

    async fn table(&self, ran: &Ran, task: &TaskRow) -> Result<Vec<Rehearsed>, Fault> {
        if !matches!(task.status.as_str(), "Success" | "Succeed") {
            return Err(failed(ran, &format!("for this repository, with status {:.40?}", task.status)));
        }
        let path = format!("{}/tasks/{}", ran.path, task.id);
        let log = self.estate.api.log(&path).await?;
        let malformed = |why: String| Fault::malformed(format!("{}: {why}", self.estate.api.what(&path)));
        let rows = rows(&log).map_err(malformed)?;
        if rows.len() as i64 != task.total {
            let why = format!("its table has {} rows, and the task looked at {} artifacts", rows.len(), task.total);
            return Err(malformed(why));
        }
        let goes: BTreeSet<Digest> = rows.into_iter().filter_map(|(digest, goes)| goes.then_some(digest)).collect();
        let rehearsed = |digest: Digest| Rehearsed { artifact: digest.into(), effect: Effect::Deletes, rule: None };
        Ok(goes.into_iter().map(rehearsed).collect())
    }
}

fn failed(ran: &Ran, how: &str) -> Fault {
    let detail = format!(
        "Harbor's dry run failed {how}: a real run would delete nothing there now; its log is under {}/tasks",
        rooted(&ran.path)
    );
    Fault::new(Cause::Unreachable, detail)
}

/// What a log's table says of each artifact: whether it goes. The first column is the digest, the last what becomes of it.
fn rows(log: &str) -> Result<Vec<(Digest, bool)>, String> {
    let mut found = Vec::new();
    for line in log.lines().map(str::trim).filter(|line| line.starts_with('|')) {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (first, last) = (cells.next().unwrap_or_default(), cells.next_back().unwrap_or_default());
        if first == "Digest" || first.starts_with("---") {
            continue;
        }
        let digest = first.parse::<Digest>().map_err(|error| format!("a row of its table: {error}"))?;
        match last {
            "DEL" => found.push((digest, true)),
            "RETAIN" | "IMMUTABLE" => found.push((digest, false)),
            other => return Err(format!("its table says {other:.40?} of {digest}")),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_from_a_log_j35() {
        let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
        let (a, b, c) = (digest("a"), digest("b"), digest("c"));
        let log = format!(
            "2026-01-02T23:32:29Z [INFO] [source]: Run retention process.\n Repository: ret/app \n Dry Run: true\n\
             2026-01-02T23:32:29Z [INFO] [source]: \n\
             |  Digest  |    Tag    | Kind  | Labels | PushedTime | PulledTime | CreatedTime | Retention |\n\
             |----------|-----------|-------|--------|------------|------------|-------------|-----------|\n\
             | {a} | latest,v3 | image |        | 2026/01/02 23:32:12 |            | 2026/01/02 23:32:12 | RETAIN    |\n\
             | {b} |           | image | a|b    | 2026/01/02 23:32:11 |            | 2026/01/02 23:32:11 | DEL       |\n\
             | {c} | v1        | image |        | 2026/01/02 23:32:10 |            | 2026/01/02 23:32:10 | IMMUTABLE |\n"
        );
        let expected =
            [(a.clone(), false), (b, true), (c, false)].map(|(digest, goes)| (digest.parse().unwrap(), goes));
        assert_eq!(rows(&log), Ok(expected.to_vec()));
        assert_eq!(rows("no table"), Ok(vec![]));
        assert!(rows("| latest | DEL |").is_err());
        assert!(rows(&format!("| {a} | v1 | PERHAPS |")).is_err());
    }
}
