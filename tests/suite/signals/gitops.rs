//! Argo CD and Flux: history with times, charts by version or digest.

use prodpin::model::{AutomatedSync, Automation, Cause, Manager, NamePatterns, Shortcoming};
use prodpin::policy::{ArgoCdConfig, FluxConfig, SignalConfig};
use prodpin::signals::Automated;
use serde_json::{Value, json};

use super::api_server::*;
use super::objects::at;
use super::{ask, digest, reported};

fn argocd(server: &ApiServer, applications: &[&str]) -> SignalConfig {
    SignalConfig::ArgoCd(ArgoCdConfig {
        cluster: server.access(),
        namespaces: NamePatterns::new(["argocd"]).unwrap(),
        applications: NamePatterns::new(applications).unwrap(),
    })
}

/// As Argo CD 2.14 writes it.
fn application(name: &str) -> Value {
    json!({
        "metadata": { "name": name, "namespace": "argocd", "uid": name },
        "spec": { "project": "default", "revisionHistoryLimit": 3 },
        "status": {
            "history": [
                { "id": 1, "revision": "1111111", "deployedAt": at(1), "source": { "repoURL": "https://git.example.com/shop" } },
                { "id": 2, "revision": "2222222", "deployedAt": at(2), "source": { "repoURL": "https://git.example.com/shop" } },
            ],
            "summary": { "images": ["registry.example.com/shop/api:v2", "registry.example.com/shop/worker:v2"] },
            "sync": { "status": "Synced", "revision": "2222222" },
        },
    })
}

#[tokio::test]
async fn an_application_names_what_runs_and_the_commit_it_came_from_e130() {
    let server = ApiServer::start().await;
    let mut chart = application("ingress");
    chart["status"]["history"] = json!([
        { "id": 1, "revision": "4.9.0", "deployedAt": at(1), "source": { "chart": "ingress-nginx", "repoURL": "https://c.example" } },
        { "id": 2, "revision": "4.10.0", "deployedAt": at(3), "source": { "chart": "ingress-nginx", "repoURL": "https://c.example" } },
    ]);
    chart["status"]["sync"]["revision"] = json!("4.10.0");
    chart["status"]["summary"] = json!({});
    server.put(APPLICATIONS, [application("api"), chart, application("sandbox")]);
    let said = ask(&argocd(&server, &["*", "!sandbox"])).await;
    insta::assert_snapshot!(reported(&said));
    assert!(said.concerns.iter().all(|concern| {
        concern.what == Shortcoming::HistoryLimit { revisions: 3, setting: "revisionHistoryLimit" }
    }));
}

/// Out of sync: the commit that it compares with is wanted, and not what was deployed.
#[tokio::test]
async fn i31_what_is_deployed_is_the_end_of_the_history_whatever_is_wanted() {
    let server = ApiServer::start().await;
    let mut behind = application("behind");
    behind["status"]["sync"] = json!({ "status": "OutOfSync", "revision": "3333333" });
    let mut fresh = application("fresh");
    fresh["status"]["history"] = json!(null);
    let mut unknown = application("unknown");
    unknown["status"]["history"] = json!([]);
    unknown["status"]["sync"] = json!({ "status": "OutOfSync", "revision": "3333333" });
    let mut several = application("several");
    several["status"]["history"] = json!([
        { "id": 1, "revisions": ["a", "b"], "deployedAt": at(2), "sources": [{}, {}] },
        // Two within one second: the later one has the higher number.
        { "id": 3, "revisions": ["a", "d"], "deployedAt": at(3), "sources": [{}, {}] },
        { "id": 2, "revisions": ["a", "c"], "deployedAt": at(3), "sources": [{}, {}] },
    ]);
    several["status"]["sync"] = json!({ "status": "OutOfSync", "revisions": ["a", "e"] });
    server.put(APPLICATIONS, [behind, fresh, unknown, several]);
    let said = ask(&argocd(&server, &["*"])).await;
    let deployed: std::collections::BTreeMap<&str, Option<&str>> =
        said.uses.iter().map(|used| (&*used.workload.as_ref().unwrap().name, used.revision.as_deref())).collect();
    let expected =
        [("behind", Some("2222222")), ("fresh", Some("2222222")), ("several", Some("a, d")), ("unknown", None)];
    assert_eq!(deployed.into_iter().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn an_application_that_is_not_there_is_told_and_a_cluster_without_argo_cd_is_a_gap() {
    let server = ApiServer::start().await;
    let said = ask(&argocd(&server, &["api"])).await;
    assert_eq!(
        said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(),
        [Cause::NotFound],
        "it was asked for by name"
    );
    server.put(APPLICATIONS, [application("api")]);
    let said = ask(&argocd(&server, &["api", "apj"])).await;
    assert_eq!(said.unmatched, ["application \"apj\""]);
}

#[tokio::test]
async fn flux_names_charts_by_digest_where_they_lie_in_a_registry_e131() {
    let server = ApiServer::start().await;
    let release = |name: &str, spec: Value, digest: Option<String>| {
        let one = |version: u32, chart: &str, status: &str, hour: u32| {
            let mut one = json!({ "chartName": "shop", "chartVersion": chart, "version": version, "status": status,
                                  "firstDeployed": at(1), "lastDeployed": at(hour), "name": name, "namespace": "shop" });
            if let Some(digest) = &digest {
                one["ociDigest"] = json!(digest);
            }
            one
        };
        json!({
            "metadata": { "name": name, "namespace": "shop", "uid": name }, "spec": spec,
            "status": { "history": [one(4, "1.4.0+build.7", "deployed", 4), one(3, "1.3.0", "superseded", 3), one(2, "1.2.0", "failed", 2)] },
        })
    };
    let by_reference = json!({ "chartRef": { "kind": "OCIRepository", "name": "charts", "namespace": "flux-system" }, "maxHistory": 2 });
    let by_name =
        json!({ "chart": { "spec": { "chart": "shop", "sourceRef": { "kind": "HelmRepository", "name": "https" } } } });
    server.put(
        HELM_RELEASES,
        [release("api", by_reference, Some(digest("chart").to_string())), release("web", by_name, None)],
    );
    server.put(
        OCI_REPOSITORIES,
        [json!({ "metadata": { "name": "charts", "namespace": "flux-system" }, "spec": { "url": "oci://registry.example.com/charts/shop" } })],
    );
    let config =
        FluxConfig { cluster: server.access(), namespaces: NamePatterns::new(["shop", "flux-system"]).unwrap() };
    let said = ask(&SignalConfig::Flux(config)).await;
    insta::assert_snapshot!(reported(&said).replace(&digest("chart").to_string(), "<chart>"));
}

/// What would undo a rollback is read where it may be, and nothing is missed of what runs where it may not (P76).
#[tokio::test]
async fn p76_what_is_applied_and_committed_by_itself_is_read_where_that_is_allowed() {
    let server = ApiServer::start().await;
    let mut healing = application("api");
    healing["spec"]["syncPolicy"] = json!({ "automated": { "selfHeal": true } });
    healing["metadata"]["ownerReferences"] =
        json!([{ "kind": "ApplicationSet", "name": "all", "uid": "1", "controller": true }]);
    server.put(APPLICATIONS, [healing]);
    let said = ask(&argocd(&server, &["*"])).await;
    let automated = Some(AutomatedSync { self_heal: true, ..AutomatedSync::default() });
    let written_by = Some(Manager::Owner { kind: "ApplicationSet".into(), name: "all".into() });
    let expected = Automation::ArgoCd { application: "api".into(), automated, written_by, proven: false };
    let is_word = |it: &&Automated| matches!(it.automation, Automation::CommittersRead { .. });
    let (words, others): (Vec<_>, Vec<_>) = said.automations.iter().partition(is_word);
    assert_eq!(others.iter().map(|it| &it.automation).collect::<Vec<_>>(), [&expected]);
    assert!(matches!(words[0].automation, Automation::CommittersRead { argo_cd: true, .. }), "{words:?}");

    let at = |name: &str| json!({ "name": name, "namespace": "flux-system", "uid": name });
    let flux = || {
        let namespaces = NamePatterns::new(["flux-system"]).unwrap();
        SignalConfig::Flux(FluxConfig { cluster: server.access(), namespaces })
    };
    server.put(HELM_RELEASES, []);
    let said = ask(&flux()).await;
    assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::Suspicious], "nothing at all");
    server.put(KUSTOMIZATIONS, [json!({ "metadata": at("apps"), "spec": { "interval": "10m", "suspend": true } })]);
    server.put(IMAGE_UPDATES, [json!({ "metadata": at("all"), "spec": { "interval": "5m" } })]);
    server.put(
        IMAGE_REPOSITORIES,
        [json!({ "metadata": at("api"), "spec": { "image": "registry.example.com/shop/api" } })],
    );
    server.put(IMAGE_POLICIES, [json!({ "metadata": at("api"), "spec": { "imageRepositoryRef": { "name": "api" } } })]);
    let said = ask(&flux()).await;
    assert_eq!((said.gaps.clone(), said.unmatched.clone()), (Vec::new(), Vec::new()));
    let (words, others): (Vec<_>, Vec<_>) = said.automations.iter().partition(is_word);
    assert!(matches!(words[0].automation, Automation::CommittersRead { argo_cd: false, .. }), "{words:?}");
    let [apps, all] = others.as_slice() else { panic!("{others:?}") };
    assert!(matches!(&apps.automation, Automation::Flux { suspended: true, corrects: true, .. }), "{apps:?}");
    assert!(matches!(&all.automation, Automation::FluxImages { suspended: false, .. }), "{all:?}");
    assert_eq!((apps.images.as_ref(), all.images.as_ref().map(Vec::len)), (None, Some(1)));
    for kind in [KUSTOMIZATIONS, IMAGE_UPDATES] {
        server.deny(kind, "flux-system");
    }
    let chart = json!({ "chartName": "shop", "chartVersion": "1.4.0", "version": 1, "status": "deployed" });
    server.put(
        HELM_RELEASES,
        [json!({ "metadata": at("shop"), "spec": { "interval": "1h" }, "status": { "history": [chart] } })],
    );
    let said = ask(&flux()).await;
    assert_eq!((said.gaps.clone(), said.uses.len()), (Vec::new(), 1), "a right that only settings need is no gap");
    assert_eq!(said.automations.len(), 1, "the Helm release itself: {:?}", said.automations);
}
