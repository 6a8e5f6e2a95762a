//! Managed fields: which client last wrote the images of a workload's template (L67), and whether an autoscaler sets the number of
//! its pods. They are long, and nothing else of them is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::objects::{moment, nullable};
use prodpin_core::model::Writer;

/// A field manager has at most so many characters.
const MOST_CHARS: usize = 128;

/// What one manager owns.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    #[serde(deserialize_with = "nullable")]
    manager: String,
    #[serde(deserialize_with = "moment")]
    time: Option<Timestamp>,
    /// `status`, `scale`: no change of the template.
    #[serde(deserialize_with = "nullable")]
    subresource: String,
    #[serde(rename = "fieldsV1", deserialize_with = "nullable")]
    fields: Fields,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fields {
    #[serde(rename = "f:spec", deserialize_with = "nullable")]
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    #[serde(rename = "f:template", deserialize_with = "nullable")]
    template: Template,
    #[serde(rename = "f:replicas")]
    replicas: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Template {
    #[serde(rename = "f:spec", deserialize_with = "nullable")]
    spec: Pods,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pods {
    #[serde(rename = "f:containers", deserialize_with = "nullable")]
    containers: BTreeMap<String, Container>,
    #[serde(rename = "f:initContainers", deserialize_with = "nullable")]
    init_containers: BTreeMap<String, Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    #[serde(rename = "f:image")]
    image: Option<IgnoredAny>,
}

impl Entry {
    /// The containers whose images it wrote, by their keys.
    fn images(&self) -> BTreeSet<&str> {
        let Pods { containers, init_containers } = &self.fields.spec.template.spec;
        let owned = containers.iter().chain(init_containers).filter(|(_, one)| one.image.is_some());
        owned.map(|(key, _)| key.as_str()).collect()
    }

    fn owns_images(&self) -> bool {
        self.subresource.is_empty() && !self.images().is_empty()
    }
}

/// Who wrote what of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Writers {
    /// Who last wrote the images of its template.
    pub(super) images: Option<Writer>,
    /// Whether Kubernetes' own controllers set the number of its pods: a HorizontalPodAutoscaler, and nothing else of them.
    pub(super) autoscaled: bool,
}

pub(super) fn writers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Writers, D::Error> {
    let entries = Option::<Vec<Entry>>::deserialize(deserializer)?.unwrap_or_default();
    let scales = |entry: &Entry| entry.subresource == "scale" && entry.fields.spec.replicas.is_some();
    let autoscaled = entries.iter().any(|entry| entry.manager == "kube-controller-manager" && scales(entry));
    Ok(Writers { images: writer(&entries), autoscaled })
}

/// Who last wrote the images; nobody where that is not told, where two did at the same time, or where somebody else wrote one that the
/// last one did not: which of them a release came by is not told then.
fn writer(entries: &[Entry]) -> Option<Writer> {
    let owners = || entries.iter().filter(|entry| entry.owns_images() && !entry.manager.is_empty());
    let latest = owners().filter_map(|entry| entry.time).max()?;
    let mut last = owners().filter(|entry| entry.time.is_none_or(|time| time == latest));
    let (Some(only), None) = (last.next(), last.next()) else { return None };
    if !owners().all(|owner| owner.images().is_subset(&only.images())) {
        return None;
    }
    let manager: String = only.manager.chars().take(MOST_CHARS).collect();
    Some(Writer { manager: Arc::from(manager), at: latest })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::kubernetes::objects::Metadata;

    fn entry(manager: &str, minute: u32, fields: &Value) -> Value {
        json!({
            "manager": manager, "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
            "time": format!("2026-01-02T10:{minute:02}:00Z"), "fieldsV1": { "f:spec": fields },
        })
    }

    fn images() -> Value {
        json!({ "f:template": { "f:spec": { "f:containers": { "k:{\"name\":\"api\"}": { ".": {}, "f:image": {} } } } } })
    }

    fn writer_of(entries: &Value) -> Option<(String, String)> {
        let metadata: Metadata = serde_json::from_value(json!({ "name": "api", "managedFields": entries })).unwrap();
        metadata.writers.images.map(|writer| (writer.manager.to_string(), writer.at.to_string()))
    }

    #[test]
    fn who_wrote_the_images_last_is_read_and_who_scaled_restarted_or_reported_is_not_l67() {
        let scaled = json!({ "f:replicas": {} });
        let restarted = json!({ "f:template": { "f:metadata": { "f:annotations": {} }, "f:spec": {} } });
        let mut reported = entry("kube-controller-manager", 50, &images());
        reported["subresource"] = json!("status");
        let entries = json!([
            entry("kubectl-client-side-apply", 10, &images()),
            entry("kubectl-set", 20, &images()),
            entry("kubectl-scale", 30, &scaled),
            entry("kubectl-rollout", 40, &restarted),
            reported,
        ]);
        assert_eq!(writer_of(&entries), Some(("kubectl-set".to_owned(), "2026-01-02T10:20:00Z".to_owned())));
    }

    #[test]
    fn an_autoscaler_is_told_by_the_number_of_pods_that_it_set() {
        let autoscaled = |manager: &str, subresource: &str, fields: Value| {
            let mut entry = entry(manager, 10, &fields);
            entry["subresource"] = json!(subresource);
            let metadata: Metadata =
                serde_json::from_value(json!({ "name": "api", "managedFields": [entry] })).unwrap();
            metadata.writers.autoscaled
        };
        let replicas = || json!({ "f:replicas": {} });
        assert!(autoscaled("kube-controller-manager", "scale", replicas()));
        assert!(!autoscaled("kubectl", "scale", replicas()), "a person scaled it");
        assert!(!autoscaled("kube-controller-manager", "status", replicas()));
        assert!(!autoscaled("kube-controller-manager", "scale", json!({})));
    }

    #[test]
    fn what_is_not_certain_names_nobody_l67() {
        let untimed = |manager| {
            let mut entry = entry(manager, 20, &images());
            entry["time"] = Value::Null;
            entry
        };
        for entries in [
            Value::Null,
            json!([]),
            json!([entry("", 10, &images())]),
            json!([entry("a", 10, &images()), entry("b", 10, &images())]),
            json!([entry("a", 10, &images()), untimed("b")]),
            json!([untimed("a")]),
            json!([entry("a", 10, &json!({}))]),
            json!([{ "manager": "a", "time": "2026-01-02T10:00:00Z", "fieldsV1": null }]),
        ] {
            assert_eq!(writer_of(&entries), None, "{entries}");
        }
    }
}
