//! What brings other images into a workload by itself, as its own object says (P76).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::kubernetes::objects::Templated;
use crate::kubernetes::rollout;
use prodpin_core::model::{Automation, Delivery, Stage};

/// Of a workload with a template.
pub(super) fn of_workload(workload: &Templated) -> BTreeSet<Automation> {
    let mut automations = BTreeSet::new();
    automations.extend(keel(workload));
    if is_triggered(workload) {
        automations.insert(Automation::ImageTrigger);
    }
    if matches!(rollout::delivery(&workload.status), Some(Delivery { stage: Stage::Underway, .. })) {
        automations.insert(Automation::Analysis { canary: None });
    }
    automations
}

/// An annotation counts before a label, as it does for Keel.
fn keel(workload: &Templated) -> Option<Automation> {
    let by_annotation = workload.metadata.annotations.keel_policy.as_ref().map(|policy| (policy, false));
    let by_label = || workload.metadata.labels.get("keel.sh/policy").map(|policy| (policy, true));
    let (policy, by_label) = by_annotation.or_else(by_label)?;
    let acts = !matches!(policy.as_str(), "" | "never");
    acts.then(|| Automation::Keel { policy: policy.as_str().into(), by_label })
}

/// One of the streams that OpenShift writes into a workload's images.
#[derive(Deserialize)]
struct Trigger {
    /// A boolean, or one in quotes.
    #[serde(default)]
    paused: Value,
}

fn is_triggered(workload: &Templated) -> bool {
    let of_config = workload.spec.triggers.iter();
    let mut of_config =
        of_config.filter(|trigger| trigger.r#type == "ImageChange" && trigger.image_change_params.automatic);
    let annotated = workload.metadata.annotations.image_triggers.as_deref();
    let triggers = annotated.and_then(|text| serde_json::from_str::<Vec<Trigger>>(text).ok()).unwrap_or_default();
    let is_paused = |trigger: &Trigger| trigger.paused == Value::Bool(true) || trigger.paused == "true";
    of_config.next().is_some() || triggers.iter().any(|trigger| !is_paused(trigger))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(metadata: Value, spec: Value, status: Value) -> Vec<Automation> {
        let object = json!({ "metadata": metadata, "spec": spec, "status": status });
        of_workload(&serde_json::from_value(object).unwrap()).into_iter().collect()
    }

    #[test]
    fn what_writes_images_by_itself_is_read_off_the_workload_p76() {
        let keel = |policy: &str, by_label| vec![Automation::Keel { policy: policy.into(), by_label }];
        let annotated = |name: &str, value: &str| json!({ "annotations": { name: value } });
        let stream = |more: &str| {
            format!(r#"[{{"from":{{"kind":"ImageStreamTag","name":"api:latest"}},"fieldPath":"x"{more}}}]"#)
        };
        let triggers = "image.openshift.io/triggers";
        let change = |automatic: bool| {
            json!({ "triggers": [{ "type": "ConfigChange" },
                                 { "type": "ImageChange", "imageChangeParams": { "automatic": automatic } }] })
        };
        let underway = json!({ "currentPodHash": "b", "stableRS": "a" });
        for (metadata, spec, status, expected) in [
            (json!({}), json!({}), json!({}), vec![]),
            (annotated("keel.sh/policy", "minor"), json!({}), json!({}), keel("minor", false)),
            (annotated("keel.sh/policy", "never"), json!({}), json!({}), vec![]),
            (json!({ "labels": { "keel.sh/policy": "all" } }), json!({}), json!({}), keel("all", true)),
            (
                json!({ "labels": { "keel.sh/policy": "all" }, "annotations": { "keel.sh/policy": "never" } }),
                json!({}),
                json!({}),
                vec![],
            ),
            (annotated(triggers, &stream("")), json!({}), json!({}), vec![Automation::ImageTrigger]),
            (
                annotated(triggers, &stream(r#","paused":"false""#)),
                json!({}),
                json!({}),
                vec![Automation::ImageTrigger],
            ),
            (annotated(triggers, &stream(r#","paused":"true""#)), json!({}), json!({}), vec![]),
            (annotated(triggers, &stream(r#","paused":true"#)), json!({}), json!({}), vec![]),
            (annotated(triggers, "[]"), json!({}), json!({}), vec![]),
            (annotated(triggers, "nonsense"), json!({}), json!({}), vec![]),
            (json!({}), change(true), json!({}), vec![Automation::ImageTrigger]),
            (json!({}), change(false), json!({}), vec![]),
            (json!({}), json!({ "triggers": null }), json!({}), vec![]),
            (json!({}), json!({}), underway, vec![Automation::Analysis { canary: None }]),
            (json!({}), json!({}), json!({ "currentPodHash": "b", "stableRS": "a", "abort": true }), vec![]),
        ] {
            assert_eq!(told(metadata.clone(), spec.clone(), status), expected, "{metadata} {spec}");
        }
    }
}
