//! Replication policies, as `GET /replication/policies` answers (J34).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::api::Row;
use prodpin_core::model::{
    HarborReplicationDirection, HarborReplicationFilter, HarborReplicationPolicy, HarborReplicationTrigger,
};

/// A replication policy. Fields that are false or empty are left out.
#[derive(Debug, Deserialize)]
pub(super) struct ReplicationRow {
    id: i64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    src_registry: Option<RegistryDocument>,
    #[serde(default)]
    dest_registry: Option<RegistryDocument>,
    #[serde(default)]
    dest_namespace: Option<Box<str>>,
    #[serde(default)]
    dest_namespace_replace_count: Option<i64>,
    #[serde(default)]
    trigger: Option<TriggerDocument>,
    #[serde(default)]
    filters: Option<Vec<FilterDocument>>,
    #[serde(default)]
    r#override: bool,
    /// By its old name, which is the one that writes are read by (J34).
    #[serde(default)]
    deletion: bool,
    #[serde(default)]
    replicate_deletion: bool,
}

#[derive(Debug, Deserialize)]
struct RegistryDocument {
    #[serde(default)]
    id: i64,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TriggerDocument {
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct FilterDocument {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    decoration: Option<String>,
}

/// Longer names are cut where they are told.
const LONGEST_NAME: usize = 80;

impl ReplicationRow {
    /// The policy, if it is enabled. Harbor itself is the registry without a number, at one of its two ends.
    pub(super) fn policy(self) -> Option<HarborReplicationPolicy> {
        if !self.enabled {
            return None;
        }
        let is_here = self.src_registry.as_ref().is_none_or(|source| source.id == 0);
        let (direction, other) = match is_here {
            true => (HarborReplicationDirection::Push, self.dest_registry),
            false => (HarborReplicationDirection::Pull, self.src_registry),
        };
        let trigger = match self.trigger.as_ref().map(|trigger| trigger.kind.as_deref().unwrap_or_default()) {
            None | Some("manual") => HarborReplicationTrigger::ByHand,
            Some("scheduled") => HarborReplicationTrigger::Scheduled,
            Some("event_based") => HarborReplicationTrigger::OnEvents,
            Some(_) => HarborReplicationTrigger::Unknown,
        };
        let named = |name: Option<String>, or: i64| match name.filter(|name| !name.is_empty()) {
            Some(name) => name.chars().take(LONGEST_NAME).collect(),
            None => or.to_string().into_boxed_str(),
        };
        Some(HarborReplicationPolicy {
            name: named(self.name, self.id),
            registry: other.map_or_else(|| "0".into(), |registry| named(registry.name, registry.id)),
            direction,
            trigger,
            filters: self.filters.into_iter().flatten().map(FilterDocument::filter).collect(),
            namespace: self.dest_namespace.unwrap_or_default(),
            flattened: self.dest_namespace_replace_count.unwrap_or(-1),
            overrides: self.r#override,
            deletes: self.deletion || self.replicate_deletion,
        })
    }
}

impl FilterDocument {
    fn filter(self) -> HarborReplicationFilter {
        let excludes = match self.decoration.as_deref() {
            None | Some("" | "matches") => Some(false),
            Some("excludes") => Some(true),
            Some(_) => None,
        };
        match (self.kind.as_deref(), self.value, excludes) {
            (Some("name"), Value::String(pattern), Some(false)) => HarborReplicationFilter::Name(pattern.into()),
            (Some("tag"), Value::String(pattern), Some(excludes)) => {
                HarborReplicationFilter::Tag { pattern: pattern.into(), excludes }
            }
            _ => HarborReplicationFilter::Other,
        }
    }
}

impl Row for ReplicationRow {
    fn identity(&self) -> Cow<'_, str> {
        Cow::Owned(self.id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replication_policy_is_read_as_harbor_writes_it_j34() {
        let read = |text: &str| serde_json::from_str::<ReplicationRow>(text).unwrap().policy();
        // As a server of 2.15 answered.
        let captured = r#"{"id":1,"name":"ev","enabled":true,"override":true,"dest_namespace":"mirror",
            "dest_namespace_replace_count":-1,"dest_registry":{"id":1,"name":"loc","type":"docker-registry"},
            "src_registry":{"id":0,"name":"Local","type":"harbor"},"filters":[{"type":"name","value":"acme/web"}],
            "trigger":{"trigger_settings":{},"type":"event_based"}}"#;
        let policy = read(captured).unwrap();
        assert_eq!(
            (&*policy.name, &*policy.registry, &*policy.namespace, policy.flattened),
            ("ev", "loc", "mirror", -1)
        );
        assert_eq!(policy.direction, HarborReplicationDirection::Push);
        assert_eq!(policy.trigger, HarborReplicationTrigger::OnEvents);
        assert_eq!(policy.filters, [HarborReplicationFilter::Name("acme/web".into())]);
        assert_eq!((policy.overrides, policy.deletes), (true, false));
        assert_eq!(read(r#"{"id":1,"name":"ev","override":true}"#), None, "what is false is left out");
        let pull = read(
            r#"{"id":2,"enabled":true,"src_registry":{"id":4},"dest_registry":{"id":0},"deletion":true,
            "filters":[{"type":"tag","value":"v*","decoration":"excludes"},{"type":"label","value":["a"]},
            {"type":"tag","value":"v*","decoration":"regex"},{"type":"tag","value":7}],
            "trigger":{"type":"hourly"}}"#,
        )
        .unwrap();
        assert_eq!((pull.direction, &*pull.name, &*pull.registry), (HarborReplicationDirection::Pull, "2", "4"));
        assert_eq!((pull.trigger, pull.overrides, pull.deletes), (HarborReplicationTrigger::Unknown, false, true));
        let excluded = HarborReplicationFilter::Tag { pattern: "v*".into(), excludes: true };
        let other = || HarborReplicationFilter::Other;
        assert_eq!(pull.filters, [excluded, other(), other(), other()]);
        let by_hand = read(r#"{"id":3,"enabled":true,"replicate_deletion":true,"dest_registry":{"id":9}}"#).unwrap();
        assert_eq!((by_hand.trigger, by_hand.deletes), (HarborReplicationTrigger::ByHand, true));
        assert_eq!(by_hand.direction, HarborReplicationDirection::Push);
    }
}
