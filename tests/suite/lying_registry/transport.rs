//! The network between: resets, short bodies, slow bodies, redirects, addresses.

use std::time::{Duration, Instant};

use prodpin::model::{Cause, Closure, Presence, Resolution, Scope};
use prodpin::policy::SourceConfig;

use super::content::{Opening, artifact, listed, repository, tag};
use super::reported;
use super::server::{Guard, Lie, Server};
use crate::support::each;

/// `user:secret` as Basic.
const BASIC: &str = "Basic dXNlcjpzZWNyZXQ=";

pub(super) async fn with_image(guard: Guard, lies: impl IntoIterator<Item = Lie>) -> (Server, prodpin::model::Digest) {
    let server = Server::guarded(guard, lies).await;
    let digest = server.store(|store| {
        let digest = store.image("one");
        store.tag("shop/api", "1.0", &digest);
        store.tag("shop/api", "1.1", &digest);
        digest
    });
    (server, digest)
}

#[tokio::test]
async fn a_body_that_breaks_off_is_discarded_and_read_again_f3_f4() {
    for lie in [Lie::ResetLists(2), Lie::CutLists(2)] {
        let (server, _) = with_image(Guard::Open, [lie]).await;
        let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
        assert_eq!((snapshot.tags.len(), snapshot.gaps), (2, vec![]));
        assert_eq!(server.count("GET", "/tags/list"), 3);
    }
}

#[tokio::test]
async fn a_body_that_never_comes_whole_is_a_gap_and_never_parsed_f3_f4() {
    for lie in [Lie::ResetLists(99), Lie::CutLists(99)] {
        let (server, _) = with_image(Guard::Open, [lie]).await;
        let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
        assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Unreachable)], "{:?}", snapshot.gaps);
        assert!(snapshot.tags.is_empty() && !snapshot.listing_is_complete());
    }
}

#[tokio::test]
async fn a_trickle_ends_at_the_total_deadline_f5() {
    let (server, _) = with_image(Guard::Open, [Lie::Drip]).await;
    let mut opening = Opening::at(&server);
    opening.environment.timing.request = Duration::from_millis(150);
    opening.environment.timing.tries = 2;
    let start = Instant::now();
    let snapshot = opening.open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::TimedOut)], "{:?}", snapshot.gaps);
    // Sent to its end, the trickle would take many times as long.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(server.count("GET", "/tags/list"), 1, "what takes too long is not asked for again");
}

#[tokio::test]
async fn a_server_that_only_trickles_is_left_alone_f5() {
    let server = Server::start([Lie::Head(405), Lie::DripManifests]).await;
    server.store(|store| {
        let digest = store.image("one");
        for tag in 0..200 {
            store.tag("shop/api", &format!("1.{tag}"), &digest);
        }
    });
    let mut opening = Opening::at(&server);
    opening.environment.timing.request = Duration::from_millis(100);
    opening.options.concurrency = 4;
    let start = Instant::now();
    let snapshot = opening.open().inventory.observe(&repository()).await;
    assert_eq!(snapshot.tags.len(), 200);
    assert!(each(snapshot.tags.iter(), |tag| tag.target == Resolution::Unknown), "unknown, not gone");
    assert!(each(snapshot.gaps.iter(), |gap| gap.cause == Cause::TimedOut), "{:?}", snapshot.gaps);
    let asked = server.count("HEAD", "/manifests/") + server.count("GET", "/manifests/");
    assert!(asked < 60, "{asked} requests for 200 tags");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn nothing_is_asked_after_the_run_s_deadline_i20() {
    let (server, digest) = with_image(Guard::Open, []).await;
    let source = Opening::at(&server).within(Duration::ZERO).open();
    let snapshot = source.inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::TimedOut)]);
    let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!((seen.presence, seen.closure), (Presence::Unknown, Closure::Unknown));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_f1_f2() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let snapshot = Opening::for_url(&url).open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Unreachable)]);
    let mut opening = Opening::for_url("http://registry.invalid");
    opening.config.private = true;
    let snapshot = opening.open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Unreachable)]);
    assert!(snapshot.gaps[0].detail.contains("registry.invalid"), "{:?}", snapshot.gaps);
}

#[tokio::test]
async fn server_errors_are_tried_again_and_then_told() {
    for (failures, expected) in [(2, vec![]), (99, vec![(Scope::Repository, Cause::ServerError)])] {
        for status in [500, 502, 503, 504] {
            let (server, _) = with_image(Guard::Open, [Lie::Fails(status, failures)]).await;
            let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
            assert_eq!(reported(&snapshot.gaps), expected, "{status}");
        }
    }
}

#[tokio::test]
async fn blobs_elsewhere_are_asked_for_without_credentials_f7_f15() {
    let store = Server::start_at("127.0.0.2", Guard::Open, []).await;
    let (server, digest) = with_image(Guard::Basic(BASIC), []).await;
    store.store(|other| other.blobs = server.store(|own| own.blobs.clone()));
    server.lie(Lie::BlobsAt(format!("{}/v2/x/blobs/{{digest}}?X-Signature=presigned", store.url())));
    let source = Opening::at(&server).user("user", "secret").open();
    let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!((seen.closure, &seen.gaps), (Closure::Complete, &vec![]));
    assert_eq!(store.count("GET", "/blobs/"), 3);
    assert_eq!(store.credentials(), Vec::<String>::new());
    assert!(each(server.credentials().iter(), |sent| sent == BASIC));
}

#[tokio::test]
async fn a_store_s_404_after_a_redirect_is_not_the_registry_s_word_i4() {
    let store = Server::start_at("127.0.0.2", Guard::Open, []).await;
    let lie = Lie::BlobsAt(format!("{}/v2/x/blobs/{{digest}}?X-Signature=presigned", store.url()));
    let (server, digest) = with_image(Guard::Open, [lie]).await;
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    let shown = format!("{seen:?}");
    assert_eq!((seen.presence, seen.closure), (Presence::Present, Closure::Unknown));
    let reported =
        seen.gaps.iter().map(|gap| gap.detail.clone()).chain(seen.obstacles.iter().map(|one| format!("{one:?}")));
    assert!(each(reported, |detail| !detail.contains("presigned")), "{shown}");
    assert!(seen.gaps.iter().all(|gap| gap.cause == Cause::NotFound), "{shown}");
}

#[tokio::test]
async fn a_redirect_to_metadata_is_not_followed_f9() {
    for target in ["http://169.254.169.254/latest/meta-data", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/"] {
        let (server, digest) = with_image(Guard::Open, [Lie::BlobsAt(target.to_owned())]).await;
        let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
        assert_eq!(seen.closure, Closure::Unknown);
        let refused = (Scope::Artifact(artifact(&digest)), Cause::Refused);
        assert_eq!(reported(&seen.gaps), [refused.clone(), refused.clone(), refused], "{:?}", seen.gaps);
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_metadata_is_not_dialled_f9() {
    let mut opening = Opening::for_url("http://registry.example");
    opening.config.private = true;
    opening.environment.names.insert("registry.example".to_owned(), vec!["169.254.169.254".parse().unwrap()]);
    let snapshot = opening.open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Refused)], "{:?}", snapshot.gaps);
}

#[tokio::test]
async fn a_public_name_with_a_private_address_needs_the_policy_s_word_f10() {
    let (server, _) = with_image(Guard::Open, []).await;
    for private in [false, true] {
        let mut opening = Opening::for_url(&format!("http://registry.example:{}", server.address.port()));
        opening.config.private = private;
        opening.environment.names.insert("registry.example".to_owned(), vec![server.address.ip()]);
        let snapshot = opening.open().inventory.observe(&repository()).await;
        if private {
            assert_eq!((snapshot.tags.len(), snapshot.gaps), (2, vec![]));
        } else {
            assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Refused)]);
            assert!(snapshot.gaps[0].detail.contains("`private: true`"), "{:?}", snapshot.gaps);
            assert!(server.seen().is_empty());
        }
    }
}

/// The message tells the operator the very words that the policy takes.
#[tokio::test]
async fn the_message_s_words_are_the_policy_s_f10() {
    let (server, _) = with_image(Guard::Open, []).await;
    let port = server.address.port();
    let opened = |words: &str| {
        let source = format!("oci: http://registry.example:{port}\n    repositories: [shop/api]\n    {words}\n");
        let text = format!("version: 1\nsources:\n  shop:\n    {source}production: [{{ tags: [v*] }}]\n");
        let policy = prodpin::policy::parse(&text, "prodpin.yaml", &|_| None).unwrap();
        let Some(SourceConfig::Oci(config)) = policy.sources.values().next() else { panic!("an OCI source") };
        let mut opening = Opening::for_url("http://registry.example");
        opening.config = config.clone();
        opening.environment.names.insert("registry.example".to_owned(), vec![server.address.ip()]);
        opening.open()
    };
    let refused = opened("").inventory.observe(&repository()).await;
    assert_eq!(reported(&refused.gaps), [(Scope::Repository, Cause::Refused)]);
    let words = refused.gaps[0].detail.split('`').nth(1).unwrap();
    let snapshot = opened(words).inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (2, vec![]), "{words}");
}

#[tokio::test]
async fn a_host_that_never_answers_the_phone_costs_a_few_tries_f2() {
    // Its queue is full, so that the system drops whoever else knocks.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(address)).await
    {
        waiting.push(stream);
    }
    let mut opening = Opening::for_url(&format!("http://{address}"));
    opening.environment.timing.connect = Duration::from_millis(100);
    let start = Instant::now();
    let snapshot = opening.open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Unreachable)], "{:?}", snapshot.gaps);
    assert!(snapshot.gaps[0].detail.contains("cannot connect to 127.0.0.1"), "{:?}", snapshot.gaps);
    assert!(!snapshot.listing_is_complete());
    let tries = start.elapsed().as_millis() / 100;
    assert!((3..10).contains(&tries), "three tries, each with its own limit: {tries}");
}

#[tokio::test]
async fn a_redirect_loop_ends_f11() {
    let (server, digest) = with_image(Guard::Open, [Lie::BlobsAt("{own}/v2/shop/api/blobs/{digest}".to_owned())]).await;
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!(seen.closure, Closure::Unknown);
    assert!(each(seen.gaps.iter(), |gap| gap.cause == Cause::Refused), "{:?}", seen.gaps);
    assert_eq!(server.count("GET", "/blobs/"), 3 * 4, "three hops after the first call, for each of three blobs");
}

#[tokio::test]
async fn what_a_tag_names_is_not_another_host_s_word_f7() {
    let other = Server::start_at("127.0.0.2", Guard::Open, []).await;
    let (server, digest) = with_image(Guard::Open, [Lie::ManifestsAt(format!("{}/x", other.url()))]).await;
    let source = Opening::at(&server).open();
    let snapshot = source.inventory.observe(&repository()).await;
    assert!(snapshot.gaps.iter().all(|gap| gap.cause == Cause::Refused) && snapshot.gaps.len() == 2);
    assert!(other.seen().is_empty());
    let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!(seen.presence, Presence::Unknown, "what another host does not have is not the registry's word (I4)");
}

/// By digest the bytes prove themselves, wherever they come from. The credentials stay with the registry.
#[tokio::test]
async fn a_manifest_by_digest_may_be_elsewhere_and_no_credentials_go_there_f7_f15() {
    for guard in [Guard::Open, Guard::Basic(BASIC)] {
        let other = Server::start_at("127.0.0.2", Guard::Open, []).await;
        let (server, digest) = with_image(guard, []).await;
        let (manifests, tags) = server.store(|own| (own.manifests.clone(), own.tags.clone()));
        other.store(|store| (store.manifests, store.tags) = (manifests, tags));
        server.lie(Lie::ManifestsAt(format!("{}/v2/shop/api/manifests/{{reference}}", other.url())));
        let inspected = async || {
            let source = Opening::at(&server).user("user", "secret").open();
            source.inventory.inspect(&repository(), &artifact(&digest)).await
        };
        let seen = inspected().await;
        assert_eq!((seen.presence, &seen.closure), (Presence::Present, &Closure::Complete), "{seen:?}");
        assert_eq!(other.credentials(), Vec::<String>::new());
        // Other bytes than those of the digest prove nothing.
        other.lie(Lie::WrongBytes);
        let seen = inspected().await;
        assert_ne!(seen.presence, Presence::Present, "{seen:?}");
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_answer_f12() {
    for (part, scope) in [("/tags/list", Scope::Repository), ("/manifests/1.0", Scope::Tag(tag("1.0")))] {
        let (server, _) = with_image(Guard::Open, [Lie::Html(part)]).await;
        let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
        assert_eq!(reported(&snapshot.gaps), [(scope, Cause::Malformed)], "{:?}", snapshot.gaps);
    }
    let (server, digest) = with_image(Guard::Open, [Lie::Html("/manifests/sha256:")]).await;
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!(seen.presence, Presence::Unknown);
    assert_eq!(reported(&seen.gaps), [(Scope::Artifact(artifact(&digest)), Cause::Malformed)]);
    assert!(seen.obstacles.is_empty(), "a login page is not evidence against the artifact");
}

#[tokio::test]
async fn a_repository_larger_than_the_memory_budget_is_a_gap_about_itself_f93_f110() {
    let server = Server::start([]).await;
    server.store(|store| {
        let digest = store.image("one");
        for tag in 0..1_500 {
            store.tag("shop/api", &format!("1.{tag}"), &digest);
        }
    });
    let inventory = Opening::at(&server).open().inventory;
    let memory = prodpin::sources::Reservation::with_limit(
        (1_024 * prodpin::model::Snapshot::TAG_COST as u64).next_multiple_of(1 << 16),
    );
    let snapshot = inventory.observe_within(&repository(), &memory).await;
    assert_eq!((snapshot.tags.len(), reported(&snapshot.gaps)), (1_024, vec![(Scope::Repository, Cause::Refused)]));
    assert!(snapshot.gaps[0].detail.contains("raise --memory"), "{:?}", snapshot.gaps);
    assert!(!snapshot.listing_is_complete(), "what is not in it is not gone");
    let snapshot = inventory.observe_within(&repository(), &prodpin::sources::Reservation::unlimited()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (1_500, vec![]));
}

#[tokio::test]
async fn an_audit_sends_nothing_but_get_and_head_i17() {
    let (server, digest) = with_image(Guard::Open, []).await;
    let source = Opening::at(&server).repositories(&["shop/*"]).open();
    assert!(source.protector.is_none());
    listed(&source).await;
    source.inventory.observe(&repository()).await;
    source.inventory.inspect(&repository(), &artifact(&digest)).await;
    source.inventory.created(&repository(), &artifact(&digest)).await;
    source.inventory.look_up(&repository(), &tag("1.0")).await;
    assert!(server.seen().len() > 8);
    assert_eq!(server.writes(), Vec::<String>::new());
}
