//! What is read of Quay's answers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use prodpin_core::model::{Digest, QuayPolicy, QuayRow, QuayServer};
use prodpin_net::http::fault::Fault;

/// `GET /config`.
#[derive(Debug, Deserialize)]
pub(super) struct Configuration {
    config: BTreeMap<String, Value>,
    features: BTreeMap<String, Value>,
}

impl Configuration {
    /// What of it bears on tags. A switch that is not there is of a release that does not have it; but whether anything is pruned
    /// must be said.
    pub(super) fn server(self) -> Result<QuayServer, Fault> {
        let switch = |name: &str| match self.features.get(name) {
            None => Ok(None),
            Some(Value::Bool(on)) => Ok(Some(*on)),
            Some(_) => Err(Fault::malformed(format!("GET /config: features.{name} is neither true nor false"))),
        };
        let missing = || Fault::malformed("GET /config: it does not say whether AUTO_PRUNE is on");
        let can_expire = match self.config.get("FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE") {
            Some(Value::Bool(on)) => *on,
            _ => switch("IMMUTABLE_TAGS_CAN_EXPIRE")?.unwrap_or(false),
        };
        let default_policy = match self.config.get("DEFAULT_NAMESPACE_AUTOPRUNE_POLICY") {
            None | Some(Value::Null) => None,
            Some(policy) => Some(default_policy(policy)?),
        };
        Ok(QuayServer {
            prunes: switch("AUTO_PRUNE")?.ok_or_else(missing)?,
            immutable_tags: switch("IMMUTABLE_TAGS")?.unwrap_or(false),
            immutable_tags_can_expire: can_expire,
            default_policy,
        })
    }
}

/// The operator's policy, whose keys are those of the configuration file.
fn default_policy(policy: &Value) -> Result<QuayPolicy, Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        method: Box<str>,
        value: Value,
        #[serde(default, alias = "tagPattern")]
        tag_pattern: Option<Box<str>>,
        #[serde(default, alias = "tagPatternMatches")]
        tag_pattern_matches: Option<bool>,
    }
    let Written { method, value, tag_pattern, tag_pattern_matches } = serde_json::from_value(policy.clone())
        .map_err(|_| Fault::malformed("GET /config: DEFAULT_NAMESPACE_AUTOPRUNE_POLICY is of another form"))?;
    Ok(QuayPolicy { method, value, pattern: tag_pattern, matches: tag_pattern_matches })
}

/// `GET …/autoprunepolicy/`.
#[derive(Debug, Deserialize)]
pub(super) struct Policies {
    pub(super) policies: Vec<PolicyRow>,
}

/// A policy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyRow {
    method: Box<str>,
    value: Value,
    tag_pattern: Option<Box<str>>,
    tag_pattern_matches: bool,
}

impl From<PolicyRow> for QuayPolicy {
    fn from(row: PolicyRow) -> Self {
        let PolicyRow { method, value, tag_pattern, tag_pattern_matches } = row;
        Self { method, value, pattern: tag_pattern, matches: Some(tag_pattern_matches) }
    }
}

/// `GET /api/v1/repository/{repository}`.
#[derive(Debug, Deserialize)]
pub(super) struct View {
    pub(super) is_organization: bool,
    pub(super) tag_expiration_s: Option<i64>,
    pub(super) state: Box<str>,
}

/// `GET …/tag/`.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) tags: Vec<TagRow>,
    pub(super) has_additional: bool,
}

/// What a name was from one time to another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct TagRow {
    pub(super) name: Box<str>,
    manifest_digest: Box<str>,
    start_ts: i64,
    #[serde(default)]
    end_ts: Option<i64>,
    /// Not there where the feature is off.
    #[serde(default)]
    immutable: bool,
}

impl TagRow {
    pub(super) fn digest(&self) -> Option<Digest> {
        self.manifest_digest.parse().ok()
    }

    /// Whether it may neither move nor end.
    pub(super) fn is_held(&self) -> bool {
        self.immutable && self.end_ts.is_none()
    }

    pub(super) fn has_end(&self) -> bool {
        self.end_ts.is_some()
    }

    pub(super) fn read(&self) -> Result<QuayRow, String> {
        let time = |at: i64| Timestamp::from_second(at).map_err(|_| "a row with a time that is none".to_owned());
        Ok(QuayRow {
            name: self.name.parse().map_err(|error| format!("{error}"))?,
            digest: self.manifest_digest.parse().map_err(|error| format!("{error}"))?,
            start: time(self.start_ts)?,
            end: self.end_ts.map(time).transpose()?,
            immutable: self.immutable,
        })
    }
}
