//! The RBAC manifests grant exactly what is read: every call recorded, none of them more.

use std::collections::BTreeSet;
use std::path::Path;

use prodpin::model::NamePatterns;
use prodpin::policy::{ArgoCdConfig, FluxConfig, KubernetesConfig, SignalConfig};
use serde_json::{Value, json};

use super::api_server::*;
use super::objects::*;
use super::{ask, cluster};

/// API group and resource.
type Right = (String, String);

/// What the rules of a manifest grant; each may only list.
fn granted(file: &str) -> BTreeSet<Right> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut rights = BTreeSet::new();
    for document in text.split("\n---\n") {
        let object: Value = serde_saphyr::from_str(document).unwrap();
        for rule in object["rules"].as_array().into_iter().flatten() {
            assert_eq!(rule["verbs"], json!(["list"]), "{file}");
            let words = |key: &str| -> Vec<String> {
                rule[key].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
            };
            for group in words("apiGroups") {
                rights.extend(words("resources").into_iter().map(|resource| (group.clone(), resource)));
            }
        }
    }
    rights
}

/// What a server was asked to list. Discovery needs no right.
fn asked(server: &ApiServer) -> BTreeSet<Right> {
    let right = |kind: &str| {
        let parts: Vec<&str> = kind.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["api", _, plural] => (String::new(), (*plural).to_owned()),
            ["apis", group, _, plural] => ((*group).to_owned(), (*plural).to_owned()),
            other => panic!("{other:?}"),
        }
    };
    server.listed().iter().filter(|(kind, _)| kind.matches('/').count() > 2).map(|(kind, _)| right(kind)).collect()
}

#[tokio::test]
async fn the_cluster_s_roles_grant_exactly_what_is_read() {
    let server = ApiServer::start().await;
    for kind in [ROLLOUTS, DEPLOYMENT_CONFIGS, KNATIVE_REVISIONS, KNATIVE_ROUTES, CANARIES] {
        server.put(kind, []);
    }
    server.put(PODS, [pod("p", None, "registry.example.com/shop/api:1", "")]);
    ask(&SignalConfig::Kubernetes(cluster(&server))).await;
    assert_eq!(asked(&server), granted("kubernetes-rbac-cluster.yaml"));
    assert_eq!(granted("kubernetes-rbac.yaml"), granted("kubernetes-rbac-cluster.yaml"));
    let config = KubernetesConfig { helm_releases: true, ..cluster(&server) };
    ask(&SignalConfig::Kubernetes(config)).await;
    let more: BTreeSet<Right> = asked(&server).difference(&granted("kubernetes-rbac.yaml")).cloned().collect();
    assert_eq!(more, granted("kubernetes-rbac-helm.yaml"));
}

#[tokio::test]
async fn the_gitops_role_grants_exactly_what_is_read() {
    let server = ApiServer::start().await;
    for kind in [APPLICATIONS, OCI_REPOSITORIES, "/apis/source.toolkit.fluxcd.io/v1/helmrepositories"] {
        server.put(kind, []);
    }
    for kind in [KUSTOMIZATIONS, IMAGE_REPOSITORIES, IMAGE_POLICIES] {
        server.put(kind, []);
    }
    server.put(IMAGE_UPDATES, [json!({ "metadata": { "name": "all", "namespace": "shop" } })]);
    let history = json!([{ "chartName": "a", "chartVersion": "1", "status": "deployed", "ociDigest": "sha256:0" }]);
    server.put(
        HELM_RELEASES,
        [json!({ "metadata": { "name": "a", "namespace": "shop" }, "status": { "history": history } })],
    );
    let namespaces = || NamePatterns::new(["shop"]).unwrap();
    let applications = NamePatterns::new(["*"]).unwrap();
    ask(&SignalConfig::ArgoCd(ArgoCdConfig { cluster: server.access(), namespaces: namespaces(), applications })).await;
    ask(&SignalConfig::Flux(FluxConfig { cluster: server.access(), namespaces: namespaces() })).await;
    assert_eq!(asked(&server), granted("kubernetes-rbac-gitops.yaml"));
}
