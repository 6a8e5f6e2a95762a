//! Registries with cleanup rules that nobody can read here, each by the marks that it shows: no new pin, one finding,
//! and nothing called protected, until the policy says what cleans up (I22, F123).

use prodpin::model::{Code, Digest, Mode, Obstacle, Order, Pin, Recognised, RegistryKind, Severity, StatedCleanup};
use prodpin::outcome::report::PinReport;
use prodpin::run::ForecastOptions;

use super::content::Opening;
use super::server::{Guard, Lie, Server};
use crate::estate::{Estate, RunResult, tags};
use crate::support::each;

type Headers = &'static [(&'static str, &'static str)];

const fn base(status: u16, headers: Headers) -> Lie {
    Lie::Shows("/v2/", status, headers, "{}")
}

/// Each kind by what its servers answer, most of them in more than one way.
fn kinds() -> Vec<(RegistryKind, Lie)> {
    const HARBOR: Headers =
        &[("WWW-Authenticate", r#"Bearer realm="https://h.example/service/token",service="harbor-registry""#)];
    const QUAY: Headers = &[("WWW-Authenticate", r#"Bearer realm="https://q.example/v2/auth",service="q.example""#)];
    const GITLAB: Headers =
        &[("WWW-Authenticate", r#"Bearer realm="https://g.example/jwt/auth",service="container_registry""#)];
    const AZURE: Headers =
        &[("WWW-Authenticate", r#"Bearer realm="https://s.azurecr.io/oauth2/token",service="s.azurecr.io""#)];
    const GITEA: Headers =
        &[("WWW-Authenticate", r#"Bearer realm="https://f.example/v2/token",service="container_registry",scope="*""#)];
    const NEXUS: Headers = &[(
        "WWW-Authenticate",
        r#"Bearer realm="https://n.example:8083/v2/token",service="https://n.example:8083/v2/token""#,
    )];
    const ARTIFACTORY: Headers =
        &[("WWW-Authenticate", r#"Bearer realm="https://docker.a.example/v2/token",service="docker.a.example""#)];
    const ZOT: Headers = &[("Access-Control-Allow-Headers", "Authorization,content-type,X-ZOT-API-CLIENT")];
    vec![
        (RegistryKind::Harbor, base(401, HARBOR)),
        // Behind a proxy that answers for `/v2/` in a way of its own.
        (RegistryKind::Harbor, Lie::Shows("/api/v2.0/systeminfo", 200, &[], r#"{"auth_mode":"db_auth"}"#)),
        (RegistryKind::Zot, base(200, ZOT)),
        (RegistryKind::Zot, Lie::Shows("/v2/_oci/ext/discover", 200, &[], r#"{"extensions":[]}"#)),
        (RegistryKind::Zot, Lie::Shows("/v2/_zot/ext/discover", 200, &[], r#"{"extensions":null}"#)),
        (RegistryKind::Zot, Lie::Shows("/v2/_zot/ext/mgmt", 200, &[], r#"{"distSpecVersion":"1.1.1"}"#)),
        (RegistryKind::Quay, base(401, QUAY)),
        (RegistryKind::Quay, Lie::Shows("/config", 200, &[], r#"{"config":{},"features":{}}"#)),
        (RegistryKind::GitLab, base(401, GITLAB)),
        (RegistryKind::GitLab, Lie::Shows("/gitlab/v1/", 404, &[("Gitlab-Container-Registry-Version", "4")], "")),
        (RegistryKind::Azure, base(401, AZURE)),
        (RegistryKind::Azure, base(200, &[("Server", "AzureContainerRegistry")])),
        (
            RegistryKind::Google,
            base(401, &[("WWW-Authenticate", r#"Bearer realm="https://eu-docker.pkg.dev/v2/token""#)]),
        ),
        (RegistryKind::Artifactory, base(200, &[("X-JFrog-Version", "Artifactory/7.104.6")])),
        (RegistryKind::Artifactory, base(401, &[("WWW-Authenticate", r#"Basic realm="Artifactory Realm""#)])),
        (RegistryKind::Nexus, base(200, &[("Server", "Nexus/3.82.0-08 (COMMUNITY)")])),
        (RegistryKind::Nexus, base(401, &[("WWW-Authenticate", r#"BASIC realm="Sonatype Nexus Repository Manager""#)])),
        (RegistryKind::Nexus, base(401, NEXUS)),
        (RegistryKind::Artifactory, base(401, ARTIFACTORY)),
        (RegistryKind::Gitea, base(401, GITEA)),
        (RegistryKind::Gitea, Lie::Shows("/api/v1/version", 200, &[], r#"{"version":"1.22.0"}"#)),
    ]
}

/// Six releases, each an image; the oldest is none of the five that are kept.
async fn shop(guard: Guard, lies: impl IntoIterator<Item = Lie>) -> (Server, Vec<Digest>) {
    let server = Server::guarded(guard, lies).await;
    let digests = server.store(|store| {
        let push = |n: u32| {
            let digest = store.image(&format!("release {n}"));
            store.tag("shop/api", &format!("v1.{n}"), &digest);
            digest
        };
        (0..6).map(push).collect()
    });
    (server, digests)
}

fn estate() -> Estate {
    Estate::new(vec![tags(&["v*"], Order::Semver)])
}

async fn enforce(estate: &Estate, server: &Server, stated: Option<StatedCleanup>) -> RunResult {
    let mut opening = Opening::at(server).writing();
    opening.config.cleanup = stated;
    estate.run_on(Mode::Enforce, opening.open()).await
}

fn pins(reported: &RunResult) -> Vec<PinReport> {
    reported.targets().iter().map(|target| target.pin).collect()
}

fn protections(reported: &RunResult) -> Vec<Option<bool>> {
    reported.targets().iter().map(|target| target.protected).collect()
}

#[tokio::test]
async fn no_new_pin_is_made_where_the_cleanup_cannot_be_read_and_one_finding_says_so_i22_f123() {
    for (kind, lie) in kinds() {
        let (server, _) = shop(Guard::Open, [lie.clone()]).await;
        assert_eq!(Opening::at(&server).open().inventory.cleanup().await.registry, Recognised::Kind(kind), "{lie:?}");
        let reported = enforce(&estate(), &server, None).await;
        assert_eq!(server.writes(), Vec::<String>::new(), "{lie:?}");
        assert_eq!(pins(&reported), [PinReport::Withheld; 5], "{lie:?}");
        assert_eq!(protections(&reported), [None; 5], "{lie:?}");
        assert!(reported.complete, "{lie:?}");
        let [finding] = reported.findings.as_slice() else { panic!("{lie:?}: {:?}", reported.findings) };
        assert_eq!((finding.code, finding.severity), (Code::CleanupUnknown, Severity::High), "{lie:?}");
        assert_eq!(finding.repository, None, "{lie:?}: it is about the source");
        assert!(finding.message.contains(kind.name()) && finding.remedy.contains("prod-pinned-"), "{finding:?}");
    }
}

/// A look ahead where nobody can look is none: it says so, and does not end as if all were well.
#[tokio::test]
async fn a_forecast_of_unread_rules_is_unknown_f123() {
    use prodpin::outcome::forecast::RulesFound;
    let lie = || kinds().swap_remove(0).1;
    for (lies, stated, said, complete) in [
        (vec![lie()], None, Some("(Harbor) does not expose its cleanup rules; state on the source"), false),
        (vec![lie()], Some(StatedCleanup::Unknown), Some("(Harbor) does not expose its cleanup rules"), true),
        (vec![lie()], Some(StatedCleanup::None), None, true),
        (vec![], None, None, true),
        (vec![], Some(StatedCleanup::Unknown), Some("what cleans up here is unknown"), true),
    ] {
        let (server, _) = shop(Guard::Open, lies).await;
        let mut opening = Opening::at(&server);
        opening.config.cleanup = stated;
        let report = estate().forecast_on(ForecastOptions::default(), opening.open()).await.report;
        assert_eq!(report.section.complete, complete, "{stated:?} {said:?}");
        let rows: Vec<_> = report.rows().map(Result::unwrap).collect();
        match (&rows[0].rules, said) {
            (RulesFound::Unknown { detail }, Some(said)) => assert!(detail.contains(said), "{detail}"),
            (RulesFound::NoneReadable, None) => {}
            other => panic!("{stated:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_the_policy_states_lets_pins_be_made_i22_f123() {
    for (stated, protected, finding) in [
        (StatedCleanup::None, Some(true), None),
        (StatedCleanup::Untagged, Some(true), None),
        (StatedCleanup::Unknown, None, Some(Severity::Medium)),
    ] {
        let (server, _) = shop(Guard::Open, [kinds().swap_remove(0).1]).await;
        let estate = estate();
        let reported = enforce(&estate, &server, Some(stated)).await;
        assert_eq!(server.count("PUT", "/manifests/prod-pinned-"), 5, "{stated:?}");
        assert_eq!(pins(&reported), [PinReport::Created; 5], "{stated:?}");
        assert_eq!(protections(&reported), [protected; 5], "{stated:?}");
        let found = reported.findings.iter().find(|finding| finding.code == Code::CleanupUnknown);
        assert_eq!(found.map(|finding| finding.severity), finding, "{stated:?}");
        // Pins that are there are kept and read when the policy is silent again, and nothing is called protected.
        let silent = enforce(&estate, &server, None).await;
        assert_eq!(pins(&silent), [PinReport::Present; 5], "{stated:?}");
        assert_eq!(protections(&silent), [None; 5], "{stated:?}");
        assert_eq!(server.count("PUT", ""), 5, "{stated:?}");
        assert!(silent.codes().contains(&"high cleanup-unknown".to_owned()), "{stated:?}: {:?}", silent.codes());
    }
}

/// A proxy that was put in front, a header that an upgrade no longer sends: the rules are still there.
#[tokio::test]
async fn a_mark_that_is_gone_in_a_later_run_is_no_plain_registry_i22_f123() {
    for (kind, lie) in kinds() {
        let (server, digests) = shop(Guard::Open, [lie.clone()]).await;
        let estate = estate();
        enforce(&estate, &server, Some(StatedCleanup::Unknown)).await;
        server.store(|store| {
            let newer = store.image("release 6");
            store.tag("shop/api", "v1.6", &newer);
        });
        server.be_honest();
        for _ in 0..2 {
            let reported = enforce(&estate, &server, None).await;
            assert_eq!(server.count("PUT", ""), 5, "{lie:?}: no new pin");
            let expected = [vec![PinReport::Withheld], vec![PinReport::Present; 4]].concat();
            assert_eq!(
                (pins(&reported), protections(&reported)),
                (expected, vec![None; 5]),
                "{lie:?}: the others stay"
            );
            assert!(reported.complete, "{lie:?}");
            let cleanup = reported.findings.iter().filter(|finding| finding.code == Code::CleanupUnknown);
            let [finding] = cleanup.collect::<Vec<_>>()[..] else { panic!("{lie:?}: {:?}", reported.findings) };
            assert_eq!(finding.severity, Severity::High, "{lie:?}");
            assert!(
                finding.message.contains(&format!("earlier run recognised this registry as {kind}")),
                "{finding:?}"
            );
        }
        let reported = enforce(&estate, &server, Some(StatedCleanup::None)).await;
        assert_eq!(protections(&reported), [Some(true); 5], "{lie:?}: the policy has the last word");
        assert!(
            server.count("PUT", &Pin::for_digest(&digests[1]).to_string()) == 1,
            "{lie:?}: nothing is written twice"
        );
    }
}

#[tokio::test]
async fn an_index_outlives_a_cleanup_of_untagged_manifests_by_the_pins_of_its_platforms_i26_f123_f125() {
    for (lie, puts) in [
        (None, 2),
        // A lock on the index is what makes Azure's purge take its platforms (K47).
        (Some(base(200, &[("Server", "AzureContainerRegistry")])), 2),
        (Some(base(200, &[("Server", "Nexus/3.82.0-08 (COMMUNITY)")])), 2),
        // zot spares what a tagged index names (K55).
        (Some(Lie::Shows("/config", 200, &[], r#"{"config":{},"features":{}}"#)), 1),
    ] {
        let server = Server::start(lie.clone()).await;
        server.store(|store| {
            let image = store.image("one");
            let index = store.index(&[&image]);
            store.tag("shop/api", "v1.0", &index);
        });
        let reported = enforce(&estate(), &server, Some(StatedCleanup::Untagged)).await;
        assert_eq!(pins(&reported), [PinReport::Created], "{lie:?}");
        assert_eq!(protections(&reported), [Some(true)], "{lie:?}");
        assert_eq!(server.count("PUT", ""), puts, "{lie:?}");
    }
}

#[tokio::test]
async fn a_pin_that_somebody_took_is_told_although_none_is_made_again_i22() {
    let (server, digests) = shop(Guard::Open, [kinds().swap_remove(0).1]).await;
    let estate = estate();
    enforce(&estate, &server, Some(StatedCleanup::None)).await;
    server.store(|store| {
        store.tags.get_mut("shop/api").unwrap().remove(&Pin::for_digest(&digests[5]).to_string());
    });
    let reported = enforce(&estate, &server, None).await;
    let lost = &reported.targets()[0];
    assert_eq!((lost.pin, lost.protected), (PinReport::Withheld, Some(false)));
    assert!(lost.obstacles.contains(&Obstacle::Unpinned));
    assert!(reported.codes().contains(&"high pin-missing".to_owned()), "{:?}", reported.codes());
    assert_eq!(server.count("PUT", ""), 5);
}

#[tokio::test]
async fn plain_registries_are_pinned_as_before_and_asked_what_they_are_once_f123() {
    for guard in [Guard::Open, Guard::Token { to: None, identity: None }] {
        let (server, _) = shop(guard.clone(), []).await;
        let reported = enforce(&estate(), &server, None).await;
        assert_eq!(pins(&reported), [PinReport::Created; 5], "{guard:?}");
        assert_eq!(protections(&reported), [Some(true); 5], "{guard:?}");
        assert_eq!(reported.codes(), Vec::<String>::new(), "{guard:?}");
        let asked = server.seen().iter().filter(|seen| seen.path == "/api/v2.0/systeminfo").count();
        assert_eq!(asked, 1, "{guard:?}");
    }
    // Where the policy says that nothing cleans up, it is asked once all the same: whether looking counts as use (I30).
    let (server, _) = shop(Guard::Open, []).await;
    let reported = enforce(&estate(), &server, Some(StatedCleanup::None)).await;
    assert_eq!(protections(&reported), [Some(true); 5]);
    assert_eq!(server.seen().iter().filter(|seen| seen.path == "/config").count(), 1);
}

#[tokio::test]
async fn credentials_go_to_no_path_beside_the_registry_s_own_i18() {
    let (server, _) = shop(Guard::Basic("Basic dTpw"), []).await;
    let mut opening = Opening::at(&server);
    opening.config.username = Some("u".to_owned());
    opening.config.password = Some(prodpin::policy::Secret::new("p"));
    assert_eq!(opening.open().inventory.cleanup().await.registry, Recognised::Plain);
    for seen in server.seen().iter().filter(|seen| seen.headers.contains_key("authorization")) {
        assert_eq!(seen.path, "/v2/_oci/ext/discover");
    }
    // It is asked as whoever may log in: zot shows its extensions to nobody else.
    server.lie(Lie::Html("/config"));
    assert!(each(server.credentials().iter(), |sent| sent == "Basic dTpw"));
    assert!(!server.credentials().is_empty());
}

#[tokio::test]
async fn what_is_not_answered_is_no_plain_registry_i22_f123() {
    for lie in [
        Lie::Shows("/v2/", 502, &[], ""),
        Lie::Shows("/api/v2.0/systeminfo", 503, &[], ""),
        Lie::Shows("/config", 500, &[], ""),
    ] {
        let (server, _) = shop(Guard::Open, [lie.clone()]).await;
        let reported = enforce(&estate(), &server, None).await;
        assert_eq!(server.writes(), Vec::<String>::new(), "{lie:?}");
        assert_eq!(pins(&reported), [PinReport::Withheld; 5], "{lie:?}");
        assert!(!reported.complete, "{lie:?}");
        assert!(reported.codes().contains(&"high cleanup-unknown".to_owned()), "{lie:?}: {:?}", reported.codes());
        // What the policy states does not depend on it.
        let reported = enforce(&estate(), &server, Some(StatedCleanup::None)).await;
        assert_eq!((pins(&reported), reported.complete), (vec![PinReport::Created; 5], true), "{lie:?}");
    }
}
