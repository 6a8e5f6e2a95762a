//! What is lost, refused, throttled or answered by something else is never read as "nothing there".

use axum::http::Method;
use futures::StreamExt as _;
use prodpin::model::{Cause, Code, Digest, Gap, Mode, RepositoryName, Retention, Scope, Snapshot};
use prodpin::sources::Source;
use prodpin::sources::memory::{image, index};

use super::{USER, opened, opened_as, purged, pusher, started, with_releases};
use crate::support::acr::{Account, Acr, Lie};

async fn listed(source: &Source) -> (Vec<RepositoryName>, Vec<Gap>) {
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let (names, gaps): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    (names.into_iter().flatten().collect(), gaps.into_iter().filter_map(Result::err).collect())
}

/// A repository of so many manifests with a tag each, of which nobody holds the bytes.
fn fill(acr: &Acr, count: usize) {
    let mut world = acr.world();
    for number in 0..count {
        let digest = Digest::sha256(format!("artifact {number}").as_bytes());
        let kind = "application/vnd.oci.image.manifest.v1+json";
        world.push("shop/api", (&digest, kind), Vec::new(), Some(&format!("v1.0.{number}")));
    }
}

async fn observed(acr: &Acr) -> Snapshot {
    opened(acr, false).inventory.observe(&"shop/api".parse().unwrap()).await
}

#[tokio::test]
async fn wrong_credentials_are_never_an_empty_estate_f129() {
    let acr = started().await;
    fill(&acr, 1);
    for user in [Some((USER.0, "wrong")), Some(("nobody", "x")), None] {
        let source = opened_as(&acr, &["shop/*"], user, false);
        let (names, gaps) = listed(&source).await;
        assert_eq!(names, []);
        let [gap] = &gaps[..] else { panic!("{user:?}: {gaps:?}") };
        assert_eq!((&gap.scope, gap.cause), (&Scope::Source, Cause::Denied), "{gap:?}");
    }
    for user in [Some((USER.0, "wrong")), None] {
        let snapshot = opened_as(&acr, &["shop/*"], user, false).inventory.observe(&"shop/api".parse().unwrap()).await;
        assert!(!snapshot.listing_is_complete() && snapshot.gaps[0].cause == Cause::Denied, "{:?}", snapshot.gaps);
    }
    assert_eq!(listed(&opened(&acr, false)).await, (vec!["shop/api".parse().unwrap()], vec![]));
}

/// An access token of Microsoft Entra is exchanged once, and stands in no URL.
#[tokio::test]
async fn an_access_token_is_exchanged_once_and_a_wrong_one_is_denied_k46_i18() {
    let acr = started().await;
    fill(&acr, 1);
    let token = format!("access:{}:{}", USER.0, USER.1);
    let source = opened_as(&acr, &["shop/*"], Some(("<access-token>", &token)), false);
    let (names, gaps) = listed(&source).await;
    assert_eq!((names.len(), gaps), (1, vec![]));
    assert_eq!(source.inventory.observe(&names[0]).await.gaps, []);
    let requests = acr.requests();
    assert_eq!(requests.iter().filter(|request| request.path == "/oauth2/exchange").count(), 1);
    assert!(requests.iter().all(|request| !request.path.contains("access:") && !request.path.contains("identity:")));
    let source = opened_as(&acr, &["shop/*"], Some(("<access-token>", "access:nobody:x")), false);
    let (names, gaps) = listed(&source).await;
    assert_eq!((names.len(), gaps.len(), gaps[0].cause), (0, 1, Cause::Denied), "{gaps:?}");
    assert!(!gaps[0].detail.contains("nobody"), "{gaps:?}");
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page_and_a_lost_page_is_a_gap_k46() {
    let acr = started().await;
    fill(&acr, 250);
    let whole = observed(&acr).await;
    assert_eq!((whole.tags.len(), whole.gaps), (250, vec![]));
    let Retention::Acr(found) = &whole.retention else { panic!("an Azure container registry") };
    assert_eq!(found.repository.manifests.len(), 250);
    assert!(found.repository.manifests.is_sorted_by(|a, b| a.updated >= b.updated), "as a purge lists them");
    assert!(found.repository.manifests.iter().all(|manifest| manifest.tags.len() == 1));
    // Without a word about further pages it is asked on all the same.
    acr.lie(Lie::NoLinks);
    assert_eq!(observed(&acr).await.tags.len(), 250);
    for list in ["_manifests", "_tags"] {
        for page in 1..=3 {
            for lie in [Lie::EmptyPage(list, page), Lie::SkippedPage(list, page)] {
                acr.be_honest();
                acr.lie(lie.clone());
                let snapshot = observed(&acr).await;
                assert!(!snapshot.listing_is_complete(), "{lie:?}, and nobody noticed");
                assert!(snapshot.gaps.iter().all(|gap| gap.cause == Cause::Malformed), "{:?}", snapshot.gaps);
            }
        }
    }
    // It loses one each time that it is read: after the third try that is said.
    acr.be_honest();
    acr.lie(Lie::Vanishing);
    assert!(!observed(&acr).await.listing_is_complete());
    acr.be_honest();
    assert_eq!(observed(&acr).await.gaps, []);
}

#[tokio::test]
async fn a_missing_repository_is_said_by_the_registry_itself_i4() {
    let acr = started().await;
    fill(&acr, 1);
    let source = opened(&acr, false);
    let missing = source.inventory.observe(&"shop/none".parse().unwrap()).await;
    assert_eq!(missing.gaps[0].cause, Cause::NotFound, "{:?}", missing.gaps);
    for lie in [
        Lie::Bare(Method::GET, "/acr/v1/", 404),
        Lie::Answer(Method::GET, "/acr/v1/", 403, "DENIED"),
        Lie::Answer(Method::GET, "/_tags", 500, "UNKNOWN"),
        Lie::Bare(Method::GET, "/_manifests", 200),
    ] {
        acr.be_honest();
        acr.lie(lie.clone());
        let snapshot = observed(&acr).await;
        assert!(!snapshot.listing_is_complete(), "{lie:?}");
        assert_ne!(snapshot.gaps[0].cause, Cause::NotFound, "{lie:?}");
    }
}

#[tokio::test]
async fn who_may_not_read_metadata_is_told_the_permission_k46() {
    let acr = Acr::start(vec![Account::admin(USER.0, USER.1).without(&["metadata_read"])]).await;
    fill(&acr, 1);
    let snapshot = observed(&acr).await;
    assert_eq!(snapshot.gaps[0].cause, Cause::Denied);
    assert!(snapshot.gaps[0].detail.contains("grant metadata/read"), "{:?}", snapshot.gaps);
}

#[tokio::test]
async fn a_throttled_call_is_sent_again_f113() {
    let acr = started().await;
    let estate = with_releases(&acr, 2).await;
    acr.lie(Lie::Throttles("/acr/v1/", 3));
    let reported = estate.run_on(Mode::Enforce, opened(&acr, true)).await;
    assert!(reported.complete, "{}", estate.story(&reported));
    assert!(reported.targets().iter().all(|target| target.protected == Some(true)), "{}", estate.story(&reported));
}

#[tokio::test]
async fn credentials_that_end_midway_are_a_gap_wherever_it_is() {
    let acr = started().await;
    let estate = with_releases(&acr, 3).await;
    estate.run_on(Mode::Audit, opened(&acr, false)).await;
    let events = estate.changes().await;
    let mut whole = 0;
    for left in 0..24 {
        acr.be_honest();
        acr.lie(Lie::LogoutAfter(left));
        let reported = estate.run_on(Mode::Audit, opened(&acr, false)).await;
        assert!(!reported.codes().iter().any(|code| code.contains(Code::TagDeleted.as_str())), "after {left}");
        whole += usize::from(reported.complete);
    }
    assert!(whole < 24, "it never came to that");
    acr.be_honest();
    assert_eq!(estate.changes().await, events, "nothing happened, and nothing was recorded");
}

/// A purge of untagged manifests goes by what indexes list: where that cannot be read, nothing is foretold.
#[tokio::test]
async fn what_indexes_list_is_read_where_a_purge_goes_by_it_k49() {
    let acr = started().await;
    let pusher = pusher(&acr);
    let artifact = pusher.push("shop/api", "v1.0.0", &index("two platforms")).await;
    pusher.push("shop/api", "v1.1.0", &image("one")).await;
    let untagged = ["acr purge --filter 'shop/api:^dev-' --ago 0d --untagged"];
    let children = |snapshot: &Snapshot| {
        let Retention::Acr(found) = &snapshot.retention else { panic!("an Azure container registry") };
        let manifests = found.repository.manifests.iter();
        let listed: usize = manifests.map(|manifest| manifest.children.len()).sum();
        (listed, found.unread.is_some())
    };
    let repository = "shop/api".parse().unwrap();
    let looked = |lines: &'static [&'static str]| {
        let source = purged(&acr, false, lines);
        let repository = &repository;
        async move { source.inventory.observe(repository).await }
    };
    acr.forget_requests();
    assert_eq!(children(&looked(&["acr purge --filter 'shop/api:^dev-' --ago 0d"]).await), (0, false));
    assert!(acr.requests().iter().all(|request| !request.path.contains("/manifests/")), "no manifest need be read");
    let source = purged(&acr, false, &untagged);
    let snapshot = source.inventory.observe(&repository).await;
    assert_eq!((children(&snapshot), snapshot.gaps), ((2, false), vec![]));
    let path: &'static str = Box::leak(format!("/manifests/{artifact}").into_boxed_str());
    acr.lie(Lie::Answer(Method::GET, path, 500, "UNKNOWN"));
    let source = purged(&acr, false, &untagged);
    let snapshot = source.inventory.observe(&repository).await;
    assert!(children(&snapshot).1 && snapshot.listing_is_complete(), "{:?}", snapshot.gaps);
    assert!(snapshot.gaps.iter().any(|gap| gap.scope == Scope::Setting), "{:?}", snapshot.gaps);
}
