//! Harbor's documents, as far as they are read. Fields that a version may leave out are optional.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::api::Row;

/// `GET /systeminfo`. Who is not logged in is shown less of it (J40).
#[derive(Debug, Default, Deserialize)]
pub(super) struct SystemInfo {
    #[serde(default)]
    pub(super) harbor_version: Option<Box<str>>,
    #[serde(default)]
    read_only: Option<bool>,
    #[serde(default)]
    registry_url: Option<String>,
    #[serde(default)]
    external_url: Option<String>,
}

impl SystemInfo {
    /// Whether Harbor took the credentials.
    pub(super) fn is_of_a_login(&self) -> bool {
        let shown = self.read_only.is_some() || self.registry_url.is_some() || self.external_url.is_some();
        self.harbor_version.as_deref().is_some_and(|version| !version.is_empty()) && shown
    }
}

/// A project in the list of them.
#[derive(Debug, Deserialize)]
pub(super) struct ProjectRow {
    pub(super) name: Box<str>,
}

/// A project by itself.
#[derive(Debug, Deserialize)]
pub(super) struct ProjectDocument {
    pub(super) project_id: i64,
    /// The upstream that it caches: none or 0 if it does not.
    #[serde(default)]
    pub(super) registry_id: Option<i64>,
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    retention_id: Option<Value>,
}

impl ProjectDocument {
    /// The id of the project's retention policy; an error if what stands there is none.
    pub(super) fn retention(&self) -> Result<Option<i64>, ()> {
        match self.metadata.as_ref().and_then(|metadata| metadata.retention_id.as_ref()) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
            Some(Value::String(text)) => text.trim().parse().map(Some).map_err(|_| ()),
            Some(other) => other.as_i64().map(Some).ok_or(()),
        }
    }
}

/// What a retention policy says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct RetentionHead {
    pub(super) id: i64,
    /// Must be there: a document without it is no policy, and not one that keeps nothing.
    #[serde(rename = "rules")]
    _rules: Value,
    #[serde(default)]
    pub(super) scope: Option<RetentionScope>,
}

/// What it is about.
#[derive(Debug, Deserialize)]
pub(super) struct RetentionScope {
    #[serde(default, rename = "ref")]
    pub(super) project: Option<i64>,
}

/// An immutability rule, as the simulator reads it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct ImmutableRow(pub(super) serde_json::Map<String, Value>);

/// `GET /system/gc/schedule`; null where none was ever set (J32).
#[derive(Debug, Deserialize)]
pub(super) struct CollectionSchedule {
    #[serde(default)]
    pub(super) schedule: Option<Schedule>,
    /// JSON as a text.
    #[serde(default)]
    pub(super) job_parameters: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Schedule {
    #[serde(default)]
    pub(super) cron: Option<String>,
}

/// What garbage collection is to do.
#[derive(Debug, Default, Deserialize)]
pub(super) struct CollectionParameters {
    #[serde(default)]
    pub(super) delete_untagged: Option<bool>,
}

/// One execution of a retention policy. What is false is left out.
#[derive(Debug, Deserialize)]
pub(super) struct ExecutionRow {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// What it does in one repository.
#[derive(Debug, Deserialize)]
pub(super) struct TaskRow {
    pub(super) id: i64,
    /// Without the project's name.
    pub(super) repository: Box<str>,
    #[serde(default)]
    pub(super) status: String,
    /// How many rows it looked at.
    #[serde(default)]
    pub(super) total: i64,
}

/// A repository, in the list of them and by itself.
#[derive(Debug, Deserialize)]
pub(super) struct RepositoryRow {
    /// With the project in front.
    pub(super) name: Box<str>,
    #[serde(default)]
    pub(super) artifact_count: Option<i64>,
}

/// An artifact.
#[derive(Debug, Deserialize)]
pub(super) struct ArtifactRow {
    pub(super) digest: Box<str>,
    #[serde(default)]
    pub(super) id: i64,
    #[serde(default)]
    pub(super) push_time: Option<Box<str>>,
    #[serde(default)]
    pub(super) pull_time: Option<Box<str>>,
    #[serde(default)]
    pub(super) tags: Option<Vec<TagRow>>,
    #[serde(default)]
    pub(super) labels: Option<Vec<LabelRow>>,
    #[serde(default)]
    pub(super) references: Option<Vec<ReferenceRow>>,
}

/// A tag of it.
#[derive(Debug, Deserialize)]
pub(super) struct TagRow {
    pub(super) name: Box<str>,
    #[serde(default)]
    pub(super) push_time: Option<Box<str>>,
    #[serde(default)]
    pub(super) pull_time: Option<Box<str>>,
    /// Only where that was asked for.
    #[serde(default)]
    pub(super) immutable: Option<bool>,
}

/// A label on it.
#[derive(Debug, Deserialize)]
pub(super) struct LabelRow {
    #[serde(default)]
    pub(super) name: Box<str>,
}

/// What it refers to, if it is an index.
#[derive(Debug, Deserialize)]
pub(super) struct ReferenceRow {
    pub(super) child_digest: Box<str>,
}

impl Row for ProjectRow {
    fn identity(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }
}

impl Row for RepositoryRow {
    fn identity(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }
}

impl Row for ArtifactRow {
    fn identity(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.digest)
    }
}

impl Row for TagRow {
    fn identity(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }
}

impl Row for ExecutionRow {
    fn identity(&self) -> Cow<'_, str> {
        Cow::Owned(self.id.to_string())
    }
}

impl Row for TaskRow {
    fn identity(&self) -> Cow<'_, str> {
        Cow::Owned(self.id.to_string())
    }
}

impl Row for ImmutableRow {
    fn identity(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.get("id").map(Value::to_string).unwrap_or_default())
    }
}

/// A time as Harbor writes it: the year 1 stands for never.
pub(super) fn time(text: Option<&str>) -> Result<Option<Timestamp>, ()> {
    let Some(text) = text.filter(|text| !text.is_empty() && !text.starts_with("0001-01-01")) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_logged_in_is_shown_more_j40() {
        let is_login = |text: &str| serde_json::from_str::<SystemInfo>(text).unwrap().is_of_a_login();
        assert!(is_login(r#"{"auth_mode":"db_auth","harbor_version":"v2.15.2-080b0220","read_only":false}"#));
        for stranger in [
            r#"{"auth_mode":"db_auth","banner_message":"","self_registration":false}"#,
            r#"{"harbor_version":"","read_only":false}"#,
            // Old releases tell everybody their version, and no more.
            r#"{"auth_mode":"db_auth","harbor_version":"v2.0.0"}"#,
            "{}",
        ] {
            assert!(!is_login(stranger), "{stranger}");
        }
    }

    #[test]
    fn a_retention_policy_is_named_by_a_number_or_there_is_none() {
        let of = |metadata: &str| {
            let text = format!(r#"{{"project_id":1,"metadata":{metadata}}}"#);
            serde_json::from_str::<ProjectDocument>(&text).unwrap().retention()
        };
        for (metadata, expected) in [
            ("null", Ok(None)),
            (r#"{"public":"false"}"#, Ok(None)),
            (r#"{"retention_id":""}"#, Ok(None)),
            (r#"{"retention_id":null}"#, Ok(None)),
            (r#"{"retention_id":"7"}"#, Ok(Some(7))),
            (r#"{"retention_id":7}"#, Ok(Some(7))),
            (r#"{"retention_id":"seven"}"#, Err(())),
            (r#"{"retention_id":{}}"#, Err(())),
        ] {
            assert_eq!(of(metadata), expected, "{metadata}");
        }
    }

    #[test]
    fn the_year_1_is_never() {
        assert_eq!(time(Some("0001-01-01T00:00:00.000Z")), Ok(None));
        assert_eq!(time(None), Ok(None));
        assert_eq!(time(Some("2026-01-02T23:27:46.795Z")), Ok(Some("2026-01-02T23:27:46.795Z".parse().unwrap())));
        assert_eq!(time(Some("yesterday")), Err(()));
    }
}
