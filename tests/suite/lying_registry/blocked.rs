//! What is there and cannot be pulled (J10, F119): a rule of the registry keeps it back, of the whole release, of one
//! platform, of a layer. Nothing is lost, nothing is called protected, and a rollback to it would fail now.

use prodpin::model::{Cause, Closure, Digest, Obstacle, Presence, Scope};
use prodpin::outcome::report::PinReport;

use super::content::{artifact, repository};
use super::evidence::{estate, protected, run, source, with_image};
use super::reported;
use super::server::{Lie, Server};

const GATE: &str = "current image with 3 vulnerabilities cannot be pulled due to configured policy";

/// A rule as registries have them, against these paths.
fn rules(path: &str) -> Vec<Lie> {
    [
        (412, "PROJECTPOLICYVIOLATION", GATE),
        (412, "PRECONDITION", "not signed"),
        (403, "DENIED", "the requested item is quarantined"),
        (451, "DENIED", "unavailable for legal reasons"),
        (404, "MANIFEST_UNKNOWN", "OCI artifact found, but accept header does not support OCI artifacts"),
    ]
    .map(|(status, code, message)| Lie::Blocked(path.to_owned(), status, code, message))
    .into()
}

/// An index of two platforms and an attestation; what is named first is the index.
async fn with_index() -> (Server, [Digest; 4]) {
    let server = Server::start([]).await;
    let digests = server.store(|store| {
        let [amd, arm, attestation] = ["amd", "arm", "attestation"].map(|name| store.image(name));
        let index = store.index_with_attestation(&[("amd64", &amd), ("arm64", &arm)], &attestation);
        store.tag("shop/api", "v1.0.0", &index);
        [index, amd, arm, attestation]
    });
    (server, digests)
}

#[tokio::test]
async fn a_platform_that_a_gate_keeps_back_is_present_and_not_pullable_f119() {
    let (server, [index, _, arm, _]) = with_index().await;
    let estate = estate();
    assert_eq!(protected(&run(&estate, &server).await), [Some(true)]);
    for rule in rules(&format!("/manifests/{arm}")) {
        server.be_honest();
        server.lie(rule.clone());
        let seen = source(&server).inventory.inspect(&repository(), &artifact(&index)).await;
        assert_eq!((seen.presence, &seen.closure), (Presence::Present, &Closure::Unknown), "{rule:?}");
        assert_eq!(reported(&seen.gaps), [], "it was answered: {rule:?}");
        let [Obstacle::NotPullable { detail }] = &seen.obstacles[..] else { panic!("{rule:?} {:?}", seen.obstacles) };
        assert!(detail.contains("linux/arm64") && detail.contains("the registry answered"), "{detail}");
        let reported = run(&estate, &server).await;
        let target = &reported.targets()[0];
        assert_eq!((target.restorable, target.protected), (Some(false), Some(false)), "{rule:?}");
        assert!(reported.complete, "{rule:?}: {:?}", reported.codes());
        assert!(reported.codes().contains(&"high target-not-pullable".to_owned()), "{rule:?}: {:?}", reported.codes());
        let lost = ["target-missing", "target-broken"];
        assert!(
            !reported.codes().iter().any(|code| lost.iter().any(|lost| code.ends_with(lost))),
            "{:?}",
            reported.codes()
        );
    }
    server.be_honest();
    assert_eq!(protected(&run(&estate, &server).await), [Some(true)], "once the rule is gone");
}

#[tokio::test]
async fn what_is_kept_back_is_pinned_all_the_same_so_that_it_is_there_when_the_rule_is_gone_f119() {
    let (server, [_, _, arm, _]) = with_index().await;
    server.lie(Lie::Blocked(format!("/manifests/{arm}"), 412, "PROJECTPOLICYVIOLATION", GATE));
    let reported = run(&estate(), &server).await;
    let target = &reported.targets()[0];
    assert_eq!((target.pin, target.protected), (PinReport::Created, Some(false)), "{:?}", reported.codes());
}

#[tokio::test]
async fn a_whole_release_or_a_layer_that_is_kept_back_is_not_pullable_f119() {
    let (server, image, layer) = with_image([]).await;
    let estate = estate();
    assert_eq!(protected(&run(&estate, &server).await), [Some(true)]);
    for path in ["/manifests/".to_owned(), format!("/blobs/{layer}")] {
        server.be_honest();
        server.lie(Lie::Blocked(path.clone(), 412, "PROJECTPOLICYVIOLATION", GATE));
        let seen = source(&server).inventory.inspect(&repository(), &artifact(&image)).await;
        let [Obstacle::NotPullable { detail }] = &seen.obstacles[..] else { panic!("{path} {:?}", seen.obstacles) };
        assert!(detail.contains("412 PROJECTPOLICYVIOLATION (current image with"), "{detail}");
        let reported = run(&estate, &server).await;
        let target = &reported.targets()[0];
        assert_eq!((target.restorable, target.protected), (Some(false), Some(false)), "{path}");
        assert!(reported.codes().contains(&"high target-not-pullable".to_owned()), "{path}: {:?}", reported.codes());
        assert!(!reported.codes().iter().any(|code| code.ends_with("tag-deleted")), "{path}: {:?}", reported.codes());
    }
}

#[tokio::test]
async fn what_is_kept_back_whole_before_it_was_pinned_is_told_as_lacking_its_pin_f119() {
    let (server, image, _) = with_image([]).await;
    let estate = estate();
    server.lie(Lie::Blocked(format!("/manifests/{image}"), 412, "PROJECTPOLICYVIOLATION", GATE));
    for _ in 0..2 {
        let reported = run(&estate, &server).await;
        let target = &reported.targets()[0];
        assert_eq!((target.pin, target.protected), (PinReport::Absent, Some(false)), "{:?}", reported.codes());
        for code in ["high target-not-pullable", "medium pin-missing"] {
            assert!(reported.codes().contains(&code.to_owned()), "{code}: {:?}", reported.codes());
        }
    }
    server.be_honest();
    assert_eq!(protected(&run(&estate, &server).await), [Some(true)], "once the rule is gone");
}

#[tokio::test]
async fn an_attestation_that_is_kept_back_keeps_nothing_from_starting_i6() {
    let (server, [index, .., attestation]) = with_index().await;
    server.lie(Lie::Blocked(format!("/manifests/{attestation}"), 412, "PROJECTPOLICYVIOLATION", GATE));
    let seen = source(&server).inventory.inspect(&repository(), &artifact(&index)).await;
    assert_eq!((seen.closure, seen.obstacles, seen.gaps), (Closure::Complete, vec![], vec![]));
}

#[tokio::test]
async fn a_refusal_for_lack_of_credentials_is_a_gap_and_no_gate_i4() {
    let (server, [index, _, arm, _]) = with_index().await;
    let path = format!("/manifests/{arm}");
    server.lie(Lie::Blocked(path, 403, "DENIED", "requested access to the resource is denied"));
    let seen = source(&server).inventory.inspect(&repository(), &artifact(&index)).await;
    assert_eq!((seen.closure, seen.obstacles), (Closure::Unknown, vec![]));
    assert_eq!(reported(&seen.gaps), [(Scope::Artifact(artifact(&index)), Cause::Denied)]);
}
