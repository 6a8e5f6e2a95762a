//! What decides how a workload can be changed by hand: its settings, and who looks after it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::automations;
use crate::kubernetes::objects::{Annotations, Metadata, Templated};
use crate::kubernetes::rollout;
use prodpin_core::decide::automation::bare;
use prodpin_core::model::{Control, Effects, Manager};

/// Of a workload with a template.
pub(super) fn from_workload(kind: &str, workload: &Templated) -> Control {
    let spec = &workload.spec;
    let own = spec.selector.labels.iter().filter_map(|(label, value)| Some((label, value.as_str()?)));
    let all = spec.selector.match_labels.iter().map(|(label, value)| (label, value.as_str())).chain(own);
    let labels: Vec<String> = all.map(|(label, value)| format!("{label}={value}")).collect();
    let is_plain = !labels.is_empty() && spec.selector.match_expressions.is_empty();
    Control {
        paused: spec.paused,
        scaled_to_zero: spec.replicas == Some(0),
        updates: spec.updates(),
        selector: is_plain.then(|| labels.join(",").into()),
        update_revision: workload.status.update_revision.as_deref().map(Arc::from),
        lacks_ready_pods: workload.status.ready_replicas.unwrap_or(0) < spec.replicas.unwrap_or(1),
        managers: managers(kind, &workload.metadata),
        instance: workload
            .metadata
            .labels
            .get("app.kubernetes.io/instance")
            .filter(|name| is_name(name))
            .map(|name| name.as_str().into()),
        automations: automations::of_workload(workload),
        autoscaled: workload.metadata.writers.autoscaled,
        history: None,
        irreversible: irreversible(workload),
        delivery: rollout::delivery(&workload.status),
        writer: workload.metadata.writers.images.clone(),
    }
}

/// What its pods do that no rollback undoes, by their template's annotation and by its own.
fn irreversible(workload: &Templated) -> Option<Effects> {
    let said = [&workload.spec.template.metadata.annotations, &workload.metadata.annotations];
    let said: BTreeSet<&str> = said.iter().filter_map(|annotations| annotations.irreversible.as_deref()).collect();
    let mut effects: Vec<Effects> = said.into_iter().filter_map(Effects::read).collect();
    effects.dedup();
    Effects::read(&effects.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// What wrote an object of this kind, as its labels and annotations tell, and what owns it.
pub(in crate::kubernetes) fn managers(kind: &str, metadata: &Metadata) -> BTreeSet<Manager> {
    let text = |text: &String| -> Arc<str> { text.as_str().into() };
    let label = |name: &str| metadata.labels.get(name).filter(|value| is_name(value));
    let mut managers = BTreeSet::new();
    managers.extend(
        metadata.controller().map(|owner| Manager::Owner { kind: owner.called().into(), name: text(&owner.name) }),
    );
    let tracked = metadata.annotations.argo_cd_tracking.as_deref();
    let tracked = tracked.and_then(|tracking| application(tracking, kind, metadata));
    let named = |name: &Option<String>| name.as_ref().filter(|name| is_name(name)).map(text);
    // Whoever writes one of the two does not hide the other.
    let labelled = label("argocd.argoproj.io/instance").map(text);
    let labelled = labelled.filter(|name| tracked.as_ref().is_none_or(|tracked| bare(tracked) != &**name));
    managers.extend(tracked.into_iter().chain(labelled).map(|application| Manager::ArgoCd { application }));
    for (kind, group) in [("kustomization", "kustomize"), ("helmrelease", "helm")] {
        let Some(name) = label(&format!("{group}.toolkit.fluxcd.io/name")) else { continue };
        let namespace = label(&format!("{group}.toolkit.fluxcd.io/namespace")).map(text);
        managers.insert(Manager::Flux { kind, namespace, name: text(name) });
    }
    let Annotations { helm_release, helm_namespace, .. } = &metadata.annotations;
    managers.extend(named(helm_release).map(|release| Manager::Helm { namespace: named(helm_namespace), release }));
    managers
}

/// Whether anything can have this name: annotations hold whatever somebody wrote (I19).
fn is_name(text: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=253).contains(&text.len()) && text.bytes().all(usual)
}

/// The application in `argocd_shop:apps/Deployment:shop/api`, as commands take it: one outside of Argo CD's own namespace
/// stands behind that. What names another object was copied from there, and Argo CD passes over it.
fn application(tracking: &str, kind: &str, metadata: &Metadata) -> Option<Arc<str>> {
    let (name, object) = tracking.split_once(':').filter(|(name, _)| is_name(name))?;
    let (tracked, place) = object.split_once(':')?;
    let (namespace, called) = place.split_once('/')?;
    let (_, tracked) = tracked.rsplit_once('/').unwrap_or(("", tracked));
    let is_kind = tracked.eq_ignore_ascii_case(kind);
    if !is_kind || Some(namespace) != metadata.namespace.as_deref() || called != metadata.name {
        return None;
    }
    Some(name.replacen('_', "/", 1).into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn managed(metadata: serde_json::Value) -> Vec<Manager> {
        let mut metadata: Metadata = serde_json::from_value(metadata).unwrap();
        metadata.name = "api".to_owned();
        metadata.namespace = Some("shop".to_owned());
        managers("deployment", &metadata).into_iter().collect()
    }

    #[test]
    fn what_no_rollback_undoes_is_read_off_the_workload_and_its_template() {
        let told = |own: &str, template: &str| {
            let annotated = |text: &str| json!({ "annotations": { "prodpin.dev/irreversible": text } });
            let spec = json!({ "template": { "metadata": annotated(template), "spec": { "containers": [] } } });
            let workload = serde_json::from_value(json!({ "metadata": annotated(own), "spec": spec })).unwrap();
            from_workload("deployment", &workload).irreversible.map(|effects| effects.to_string())
        };
        assert_eq!(told("", "emails"), Some("emails".to_owned()));
        assert_eq!(told("emails", "emails"), Some("emails".to_owned()));
        assert_eq!(told("payments", "emails"), Some("emails; payments".to_owned()));
        assert_eq!(told("none", ""), None);
    }

    #[test]
    fn f121_who_would_write_a_template_again_is_read_off_its_object() {
        let argo_cd = |name: &str| vec![Manager::ArgoCd { application: name.into() }];
        let cases = [
            (json!({ "name": "api" }), Vec::new()),
            (json!({ "annotations": null, "labels": null, "ownerReferences": null }), Vec::new()),
            (
                json!({ "annotations": { "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/api" } }),
                argo_cd("shop"),
            ),
            (
                json!({ "annotations": { "argocd.argoproj.io/tracking-id": "teams_shop:apps/Deployment:shop/api" } }),
                argo_cd("teams/shop"),
            ),
            (json!({ "annotations": { "argocd.argoproj.io/tracking-id": "nonsense" } }), Vec::new()),
            // Copied from another object.
            (
                json!({ "annotations": { "argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web" } }),
                Vec::new(),
            ),
            (
                json!({ "annotations": { "argocd.argoproj.io/tracking-id": "shop:apps/StatefulSet:shop/api" } }),
                Vec::new(),
            ),
            (
                json!({ "annotations": { "argocd.argoproj.io/tracking-id": "manual:apps/Deployment:shop/api" },
                        "labels": { "argocd.argoproj.io/instance": "shop" } }),
                vec![Manager::ArgoCd { application: "manual".into() }, Manager::ArgoCd { application: "shop".into() }],
            ),
            (json!({ "annotations": { "argocd.argoproj.io/tracking-id": "\u{1b}[2J:x" } }), Vec::new()),
            (json!({ "annotations": { "meta.helm.sh/release-name": "a;rm -rf ~" } }), Vec::new()),
            (json!({ "labels": { "argocd.argoproj.io/instance": "shop" } }), argo_cd("shop")),
            // Helm's charts set this one themselves.
            (json!({ "labels": { "app.kubernetes.io/instance": "shop" } }), Vec::new()),
            (
                json!({ "labels": {
                    "kustomize.toolkit.fluxcd.io/name": "apps",
                    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
                } }),
                vec![Manager::Flux {
                    kind: "kustomization",
                    namespace: Some("flux-system".into()),
                    name: "apps".into(),
                }],
            ),
            (
                json!({ "annotations": { "meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shop" } }),
                vec![Manager::Helm { namespace: Some("shop".into()), release: "shop".into() }],
            ),
            (
                json!({ "ownerReferences": [{ "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "api",
                                              "uid": "1", "controller": true }] }),
                vec![Manager::Owner { kind: "Canary".into(), name: "api".into() }],
            ),
            (
                json!({ "ownerReferences": [{ "apiVersion": "delivery.example.com/v1", "kind": "Canary", "name": "api",
                                              "uid": "1", "controller": true }] }),
                vec![Manager::Owner { kind: "Canary.delivery.example.com".into(), name: "api".into() }],
            ),
            (json!({ "ownerReferences": [{ "kind": "Canary", "name": "api", "uid": "1" }] }), Vec::new()),
        ];
        for (metadata, expected) in cases {
            assert_eq!(managed(metadata.clone()), expected, "{metadata}");
        }
    }
}
