//! What is read of Quay's answers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use prodpin_core::model::{Digest, QuayImmutability, QuayPolicy, QuayRow, QuayServer, QuayState, Tag};
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
            caches: switch("PROXY_CACHE")?.unwrap_or(false),
            default_policy,
        })
    }
}

/// The operator's policy, whose keys are those of the configuration file: the worker knows no others, and prunes every tag
/// where a pattern stands under another name, such as the API's.
fn default_policy(policy: &Value) -> Result<QuayPolicy, Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        method: Box<str>,
        value: Value,
        #[serde(default)]
        tag_pattern: Option<Box<str>>,
        #[serde(default)]
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

/// A policy. What has more to it than is known here is another.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PolicyRow {
    #[serde(default, rename = "uuid")]
    _id: IgnoredAny,
    method: Box<str>,
    value: Value,
    tag_pattern: Option<Box<str>>,
    tag_pattern_matches: bool,
}

impl From<PolicyRow> for QuayPolicy {
    fn from(row: PolicyRow) -> Self {
        let PolicyRow { method, value, tag_pattern, tag_pattern_matches, .. } = row;
        Self { method, value, pattern: tag_pattern, matches: Some(tag_pattern_matches) }
    }
}

/// `GET …/immutabilitypolicy/`.
#[derive(Debug, Deserialize)]
pub(super) struct Immutability {
    pub(super) policies: Vec<ImmutabilityRow>,
}

/// An immutability policy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ImmutabilityRow {
    #[serde(default, rename = "uuid")]
    _id: IgnoredAny,
    tag_pattern: Box<str>,
    tag_pattern_matches: bool,
}

impl From<ImmutabilityRow> for QuayImmutability {
    fn from(row: ImmutabilityRow) -> Self {
        Self { pattern: row.tag_pattern, matches: row.tag_pattern_matches }
    }
}

/// `GET /api/v1/organization/{organization}/proxycache`, which is empty where there is none.
#[derive(Debug, Deserialize)]
pub(super) struct Cache {
    pub(super) upstream_registry: Box<str>,
}

/// `GET /api/v1/repository/{repository}`.
#[derive(Debug, Deserialize)]
pub(super) struct View {
    pub(super) is_organization: bool,
    pub(super) tag_expiration_s: Option<i64>,
    pub(super) state: Box<str>,
    /// Whether whoever asks may write, by his rights and the scopes of his token.
    pub(super) can_write: bool,
}

impl View {
    /// What may be done with it.
    pub(super) fn state(&self) -> QuayState {
        match &*self.state {
            "NORMAL" => QuayState::Normal,
            "READ_ONLY" => QuayState::ReadOnly,
            _ => QuayState::Other(self.state.clone()),
        }
    }
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
    /// How long its texts are, which a server chooses: they are kept thrice.
    pub(super) fn bytes(&self) -> usize {
        3 * (self.name.len() + self.manifest_digest.len())
    }

    /// Unlike that of every other row.
    pub(super) fn key(&self) -> String {
        format!("{self:?}")
    }

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
        let name: Tag = self.name.parse().map_err(|error| format!("{error}"))?;
        // It goes into addresses, and no registry has another.
        if !name.is_oci() {
            return Err("a row with a name that is none of a tag".to_owned());
        }
        Ok(QuayRow {
            name,
            digest: self.manifest_digest.parse().map_err(|error| format!("{error}"))?,
            start: time(self.start_ts)?,
            end: self.end_ts.map(time).transpose()?,
            immutable: self.immutable,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(config: &Value, features: &Value) -> Result<QuayServer, Fault> {
        serde_json::from_value::<Configuration>(json!({ "config": config, "features": features })).unwrap().server()
    }

    /// In the form in which a server answered.
    #[test]
    fn the_servers_configuration_says_what_is_pruned_and_whether_tags_can_be_immutable_k53b() {
        let config = json!({
            "DEFAULT_NAMESPACE_AUTOPRUNE_POLICY": { "method": "number_of_tags", "value": 10 },
            "FEATURE_AUTO_PRUNE": true, "FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE": false,
            "TAG_EXPIRATION_OPTIONS": ["0s", "1d", "1w", "2w", "4w"],
        });
        let read =
            server(&config, &json!({ "AUTO_PRUNE": true, "IMMUTABLE_TAGS": true, "REPO_MIRROR": true })).unwrap();
        assert!(read.prunes && read.immutable_tags && !read.immutable_tags_can_expire);
        let policy = read.default_policy.unwrap();
        assert_eq!((&*policy.method, &policy.value, policy.pattern), ("number_of_tags", &json!(10), None));
        assert_eq!(policy.matches, None, "what is not said acts otherwise than what is said");
        let old = server(&json!({}), &json!({ "AUTO_PRUNE": false })).unwrap();
        assert_eq!((old.prunes, old.immutable_tags, old.default_policy), (false, false, None), "a release without it");
        for (config, features) in [
            (json!({}), json!({})),
            (json!({}), json!({ "AUTO_PRUNE": "yes" })),
            (json!({}), json!({ "AUTO_PRUNE": true, "IMMUTABLE_TAGS": 1 })),
            (
                json!({ "DEFAULT_NAMESPACE_AUTOPRUNE_POLICY": { "method": "number_of_tags", "value": 5, "tagPattern": "^dev-" } }),
                json!({ "AUTO_PRUNE": true }),
            ),
            (json!({}), json!({ "AUTO_PRUNE": true, "PROXY_CACHE": 1 })),
            (json!({ "DEFAULT_NAMESPACE_AUTOPRUNE_POLICY": "10" }), json!({ "AUTO_PRUNE": true })),
            (
                json!({ "DEFAULT_NAMESPACE_AUTOPRUNE_POLICY": { "method": "number_of_tags", "value": 10, "unless": "v" } }),
                json!({ "AUTO_PRUNE": true }),
            ),
        ] {
            assert!(server(&config, &features).is_err(), "{config} {features}");
        }
    }

    #[test]
    fn rows_are_read_with_their_ends_and_policies_as_they_are_shown_k54a() {
        let digest = Digest::sha256(b"x").to_string();
        let text = json!({ "tags": [
            { "name": "v1.3.0", "reversion": true, "immutable": false, "start_ts": 1_795_913_974, "manifest_digest": digest,
              "is_manifest_list": false, "size": 6, "last_modified": "Sun, 29 Nov 2026 00:59:34 -0000" },
            { "name": "v1.2.0", "start_ts": 1_795_913_920, "end_ts": 1_795_917_520, "manifest_digest": digest },
            { "name": "v1.1.0", "start_ts": 1_795_913_920, "manifest_digest": digest, "immutable": true },
            { "name": "-", "start_ts": 1_795_913_920, "manifest_digest": "sha256:0" },
            { "name": "../../x", "start_ts": 1_795_913_920, "manifest_digest": digest },
        ], "page": 1, "has_additional": true });
        let page: Page = serde_json::from_value(text).unwrap();
        assert!(page.has_additional);
        let held: Vec<(bool, bool)> = page.tags.iter().map(|row| (row.is_held(), row.has_end())).collect();
        assert_eq!(held, [(false, false), (false, true), (true, false), (false, false), (false, false)]);
        let read: Vec<_> = page.tags.iter().map(TagRow::read).collect();
        assert_eq!(read[1].as_ref().unwrap().end, Some("2026-11-29T01:58:40Z".parse().unwrap()));
        assert!(read[3].is_err() && read[4].is_err() && read[..3].iter().all(Result::is_ok));
        assert!(
            serde_json::from_value::<Page>(json!({ "tags": [] })).is_err(),
            "whether there are more it does not say"
        );
        let shown = json!({ "policies": [{ "uuid": "u", "method": "creation_date", "value": "30d", "tagPattern": "^pr-",
                                           "tagPatternMatches": true }] });
        let unless = json!({ "policies": [{ "uuid": "u", "method": "creation_date", "value": "30d", "tagPattern": "^pr-",
                                            "tagPatternMatches": true, "unless": "v" }] });
        assert!(serde_json::from_value::<Policies>(unless).is_err(), "what it spares is not known");
        let policies: Policies = serde_json::from_value(shown).unwrap();
        let [policy] = <[PolicyRow; 1]>::try_from(policies.policies).unwrap().map(QuayPolicy::from);
        assert_eq!((policy.pattern.as_deref(), policy.matches), (Some("^pr-"), Some(true)));
    }
}
