//! Harbor's audit log: who pushed, tagged or deleted what (J36).
//!
//! From 2.13 on there are two logs, and entries from before an upgrade stay in the older one: both are asked. Only a project's own
//! log is: that of the system answers 200 and nothing to who may not read it. Filters narrow what is sent, and every row is
//! held to the question again, since Harbor ignores filters that it does not know (J4).

use std::borrow::Cow;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;

use super::api::{Place, Row, project_path};
use super::documents::time;
use super::estate::{Estate, granting};
use crate::{Trail, unread};
use prodpin_core::decide::attribution::{attribute, earliest};
use prodpin_core::model::{
    Cause, Confidence, Digest, RepositoryName, Scope, TagChange, TrailAct, TrailAnswer, TrailEntry, UnnamedChange,
};
use prodpin_net::http::fault::Fault;

const SOURCE: &str = "Harbor's audit log";

/// From 2.13 on, and before.
const LOGS: [&str; 2] = ["auditlog-exts", "logs"];

/// Pages of entries about one tag that are read, newest first.
const MOST_PAGES: usize = 3;

/// Accounts that every Harbor has, or that are made for machines: nobody's name.
const ADMIN: &str = "admin";

/// An entry, of either log. The older one has no description.
#[derive(Debug, Deserialize)]
struct AuditRow {
    id: i64,
    #[serde(default)]
    op_time: Option<Box<str>>,
    #[serde(default)]
    operation: Box<str>,
    #[serde(default)]
    operation_description: Box<str>,
    #[serde(default = "done")]
    operation_result: bool,
    #[serde(default)]
    resource: Box<str>,
    #[serde(default)]
    resource_type: Box<str>,
    #[serde(default)]
    username: Box<str>,
}

/// The older log has what was done, and nothing else.
fn done() -> bool {
    true
}

impl Row for AuditRow {
    fn identity(&self) -> Cow<'_, str> {
        Cow::Owned(self.id.to_string())
    }
}

#[async_trait]
impl Trail for Estate {
    async fn who(&self, repository: &RepositoryName, changes: &[UnnamedChange]) -> Vec<TrailAnswer> {
        let Some(place) = Place::of(repository) else {
            return unread(changes, Cause::Malformed, "this is no repository of Harbor's");
        };
        let asked = changes.iter().map(async |change| {
            let answer = self.answer(&place, repository, change).await;
            answer.unwrap_or_else(|fault| TrailAnswer::Unread(fault.gap(Scope::Tag(change.tag.clone()))))
        });
        futures::future::join_all(asked).await
    }
}

impl Estate {
    /// What the project's logs say about a change. Where one cannot be read, the other one's word counts if it has any.
    async fn answer(
        &self,
        place: &Place,
        repository: &RepositoryName,
        change: &UnnamedChange,
    ) -> Result<TrailAnswer, Fault> {
        let (mut failed, mut read, mut all) = (None, 0, Vec::new());
        for log in LOGS {
            let path = format!("{}/{log}", project_path(&place.project));
            match self.entries(&path, repository, change).await {
                Ok(entries) => {
                    all.extend(entries);
                    read += 1;
                }
                // An older Harbor has not the one, a newer one may come without the other.
                Err(fault) if matches!(fault.cause, Cause::NotFound | Cause::Unsupported) => {}
                Err(fault) => _ = failed.get_or_insert(fault),
            }
        }
        // Who only may be it is named by all that there is, or not at all.
        let named = attribute(change, &all, SOURCE);
        let named = named.filter(|by| by.confidence == Confidence::Exact || failed.is_none());
        match (named, failed) {
            (Some(by), _) => Ok(TrailAnswer::Named(by)),
            (None, Some(fault)) => Err(granting(fault, "log:list")),
            (None, None) if read > 0 => Ok(TrailAnswer::NotYet { source: SOURCE.into() }),
            (None, None) => {
                let host = self.api.host();
                let why = format!("{host} has no audit log of project {} that this interface shows", place.project);
                Ok(TrailAnswer::NotRecorded { why: why.into() })
            }
        }
    }

    async fn entries(
        &self,
        path: &str,
        repository: &RepositoryName,
        change: &UnnamedChange,
    ) -> Result<Vec<TrailEntry>, Fault> {
        let mut entries = Vec::new();
        for query in queries(repository, change) {
            entries.extend(self.logged(path, repository, &query, change).await?);
        }
        Ok(entries)
    }

    /// Newest first, until an entry is older than the change can be.
    async fn logged(
        &self,
        path: &str,
        repository: &RepositoryName,
        query: &str,
        change: &UnnamedChange,
    ) -> Result<Vec<TrailEntry>, Fault> {
        let mut entries = Vec::new();
        for number in 1..=MOST_PAGES {
            let (rows, has_next) = self.api.one_page::<AuditRow>(path, query, number).await?;
            let is_past =
                |row: &AuditRow| time(row.op_time.as_deref()).ok().flatten().is_some_and(|at| at < earliest(change));
            let is_over = !has_next || rows.last().is_none_or(is_past);
            entries.extend(rows.iter().filter_map(|row| row.entry(repository)));
            // What only may be it is held against the rest.
            let is_found = attribute(change, &entries, SOURCE).is_some_and(|by| by.confidence == Confidence::Exact);
            if is_over || is_found {
                return Ok(entries);
            }
        }
        let detail = format!("{}: more than {MOST_PAGES} pages of entries about one tag", self.api.what(path));
        Err(Fault::refused(detail))
    }
}

/// By what entries about a change are found: what Harbor writes as their resource.
fn queries(repository: &RepositoryName, change: &UnnamedChange) -> Vec<String> {
    let UnnamedChange { tag, digest, .. } = change;
    let by_tag = format!("{repository}:{tag}");
    let (operation, resources) = match change.change {
        TagChange::Moved => ("create", vec![by_tag]),
        TagChange::Deleted => ("delete", vec![by_tag, format!("{repository}@{digest}"), repository.to_string()]),
    };
    let query = |resource: String| {
        let filter = format!("operation={operation},resource={resource}");
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        format!("q={filter}&sort=-op_time")
    };
    resources.into_iter().map(query).collect()
}

impl AuditRow {
    fn entry(&self, repository: &RepositoryName) -> Option<TrailEntry> {
        let at: Timestamp = time(self.op_time.as_deref()).ok().flatten().filter(|_| self.operation_result)?;
        let (act, via) = self.act(repository)?;
        let principal = self.username.clone();
        let shared = &*principal == ADMIN || principal.starts_with("robot$");
        Some(TrailEntry { act, at, principal, shared, via: via.into() })
    }

    /// What was done, and its name in a sentence. The digest of a push stands in the description alone.
    fn act(&self, repository: &RepositoryName) -> Option<(TrailAct, &'static str)> {
        let rest = self.resource.strip_prefix(repository.as_str())?;
        let tag = || rest.strip_prefix(':').and_then(|tag| tag.parse().ok());
        let digest = || rest.strip_prefix('@').and_then(|digest| digest.parse().ok());
        let described = || -> Option<Digest> { self.operation_description.rsplit_once('@')?.1.trim().parse().ok() };
        match (&*self.operation, &*self.resource_type) {
            ("create", "artifact") => Some((TrailAct::Put { tag: tag()?, digest: described() }, "push")),
            ("create", "tag") => Some((TrailAct::Put { tag: tag()?, digest: None }, "tag creation")),
            ("delete", "tag") => Some((TrailAct::DeletedTag(tag()?), "tag deletion")),
            ("delete", "artifact") => {
                let digest = digest().or_else(described)?;
                Some((TrailAct::DeletedArtifact(digest), "artifact deletion"))
            }
            ("delete", "repository") => rest.is_empty().then_some((TrailAct::DeletedRepository, "repository deletion")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUSH: &str = r#"{"id":30,"op_time":"2026-01-02T23:27:28.323Z","operation":"create",
        "operation_description":"push artifact: acme/api@sha256:59bfc9baccc115acdc562a5993a3b445a440a85ca364365dfb0567e88b9554b2",
        "operation_result":true,"resource":"acme/api:v1.1","resource_type":"artifact","username":"admin"}"#;

    fn entry(text: &str) -> Option<TrailEntry> {
        serde_json::from_str::<AuditRow>(text).unwrap().entry(&"acme/api".parse().unwrap())
    }

    #[test]
    fn rows_of_a_live_server_are_read_as_what_they_are_j36() {
        let digest: Digest = "sha256:59bfc9baccc115acdc562a5993a3b445a440a85ca364365dfb0567e88b9554b2".parse().unwrap();
        let pushed = entry(PUSH).unwrap();
        let put = TrailAct::Put { tag: "v1.1".parse().unwrap(), digest: Some(digest.clone()) };
        assert_eq!((pushed.act, &*pushed.principal, pushed.shared, &*pushed.via), (put, "admin", true, "push"));
        assert_eq!(pushed.at, "2026-01-02T23:27:28.323Z".parse().unwrap());
        // The older log: no description, no result.
        let older = r#"{"id":1,"op_time":"2026-01-02T23:27:28Z","operation":"create","resource":"acme/api:v1.1","resource_type":"artifact","username":"ada"}"#;
        let older = entry(older).unwrap();
        assert_eq!(older.act, TrailAct::Put { tag: "v1.1".parse().unwrap(), digest: None });
        assert!(!older.shared);
        let deleted = |resource: &str, kind: &str| {
            let text = format!(
                r#"{{"id":2,"op_time":"2026-01-02T23:29:24.990Z","operation":"delete","operation_result":true,
                    "resource":"{resource}","resource_type":"{kind}","username":"robot$acme+pinner"}}"#
            );
            entry(&text).map(|entry| entry.act)
        };
        assert_eq!(deleted("acme/api:v1.1", "tag"), Some(TrailAct::DeletedTag("v1.1".parse().unwrap())));
        assert_eq!(deleted(&format!("acme/api@{digest}"), "artifact"), Some(TrailAct::DeletedArtifact(digest)));
        assert_eq!(deleted("acme/api", "repository"), Some(TrailAct::DeletedRepository));
    }

    #[test]
    fn what_failed_what_is_of_another_repository_and_what_has_no_time_names_nobody_j36() {
        for (from, to) in [
            (r#""operation_result":true"#, r#""operation_result":false"#),
            ("\"resource\":\"acme/api:v1.1\"", "\"resource\":\"acme/api2:v1.1\""),
            ("\"resource\":\"acme/api:v1.1\"", "\"resource\":\"other/api:v1.1\""),
            (r#""operation":"create""#, r#""operation":"pull""#),
            (r#""resource_type":"artifact""#, r#""resource_type":"robot""#),
            ("2026-01-02T23:27:28.323Z", "yesterday"),
            ("2026-01-02T23:27:28.323Z", "0001-01-01T00:00:00.000Z"),
        ] {
            assert!(PUSH.contains(from), "{from}");
            assert_eq!(entry(&PUSH.replace(from, to)), None, "{to}");
        }
    }
}
