//! Protocols as they are spoken by servers that mean no harm: realms on another port, methods that are refused, manifests
//! that are no images, parts without a size, children under other media types.

use prodpin::model::{Cause, Closure, Digest, Obstacle, Presence, Resolution};

use super::content::{Opening, artifact, repository, tag};
use super::reported;
use super::server::{Guard, IMAGE, INDEX, Lie, Server, Store};

const BASIC: &str = "Basic dXNlcjpodW50ZXIy";
const USER: Guard = Guard::Token { to: Some(BASIC), identity: None };
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A registry with this manifest under a tag.
async fn with(lies: impl IntoIterator<Item = Lie>, make: impl FnOnce(&mut Store) -> Digest) -> (Server, Digest) {
    let server = Server::start(lies).await;
    let digest = server.store(|store| {
        let digest = make(store);
        store.tag("shop/api", "1.0", &digest);
        digest
    });
    (server, digest)
}

#[tokio::test]
async fn another_port_of_the_same_host_is_another_origin_f13() {
    let other = Server::guarded(USER, []).await;
    let port = other.address.port();
    let server = Server::guarded(USER, [Lie::Realm(format!("{}/token", other.url()))]).await;
    server.store(|store| {
        let digest = store.image("one");
        store.tag("shop/api", "1.0", &digest);
    });
    for (realms, allowed) in [
        (vec![], false),
        (vec![format!("127.0.0.1:{}", server.address.port())], false),
        (vec!["127.0.0.2".to_owned()], false),
        (vec![format!("127.0.0.1:{port}")], true),
        (vec!["127.0.0.1".to_owned()], true),
    ] {
        let mut opening = Opening::at(&server).user("user", "hunter2");
        opening.config.token_realms = realms.clone();
        let before = other.seen().len();
        let snapshot = opening.open().inventory.observe(&repository()).await;
        if allowed {
            assert_eq!((snapshot.tags.len(), snapshot.gaps), (1, vec![]), "{realms:?}");
            assert!(other.credentials().contains(&BASIC.to_owned()), "{realms:?}");
        } else {
            assert_eq!(snapshot.gaps[0].cause, Cause::Refused, "{realms:?}");
            assert!(
                snapshot.gaps[0].detail.contains(&format!("token_realms: [\"127.0.0.1:{port}\"]")),
                "{:?}",
                snapshot.gaps
            );
            assert_eq!(other.seen().len(), before, "nothing arrived there: {realms:?}");
        }
    }
}

#[tokio::test]
async fn a_head_that_is_refused_says_nothing_of_what_a_get_would_bring_c87() {
    for status in [400, 403, 406, 415] {
        let (server, digest) = with([Lie::Head(status)], |store| store.image("one")).await;
        let source = Opening::at(&server).open();
        let (found, gap) = source.inventory.look_up(&repository(), &tag("1.0")).await;
        assert_eq!((found, gap), (Resolution::Artifact(artifact(&digest)), None), "{status}");
        let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
        assert_eq!((seen.presence, seen.closure), (Presence::Present, Closure::Complete), "{status}");
    }
}

#[tokio::test]
async fn of_a_registry_that_refuses_the_bytes_too_little_is_asked_twice_c94() {
    let refused = Lie::Blocked("/manifests/".to_owned(), 403, "DENIED", "requested access is denied");
    let (server, digest) = with([refused], |store| store.image("one")).await;
    server.store(|store| (1..40).for_each(|number| store.tag("shop/api", &format!("1.{number}"), &digest)));
    let mut opening = Opening::at(&server);
    opening.config.max_concurrency = Some(1);
    let snapshot = opening.open().inventory.observe(&repository()).await;
    assert!(snapshot.gaps.iter().all(|gap| gap.cause == Cause::Denied), "{:?}", snapshot.gaps);
    assert!(server.count("GET", "/manifests/") < 12, "{}", server.count("GET", "/manifests/"));
}

fn child(store: &Store, digest: &Digest, extra: &str) -> String {
    let (media_type, bytes) = &store.manifests[&digest.to_string()];
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}{extra}}}"#, bytes.len())
}

fn index(store: &mut Store, children: &[String]) -> Digest {
    let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, children.join(","));
    store.manifest(INDEX, &text)
}

const NOBODY: &str = r#","platform":{"os":"unknown","architecture":"unknown"}"#;
const LINUX: &str = r#","platform":{"os":"linux","architecture":"amd64"}"#;

#[tokio::test]
async fn an_index_that_starts_nothing_is_broken_and_no_gap_i6() {
    type Make = fn(&mut Store) -> Digest;
    let hollow: [(&str, Make); 6] = [
        ("of nothing", |store| index(store, &[])),
        ("without a list", |store| store.manifest(INDEX, &format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}"}}"#))),
        ("of nobody's platform", |store| {
            let image = store.image("statement");
            let child = child(store, &image, NOBODY);
            index(store, &[child])
        }),
        ("of an attestation", |store| {
            let image = store.image("statement");
            let child = child(store, &image, r#","annotations":{"vnd.docker.reference.type":"attestation-manifest"}"#);
            index(store, &[child])
        }),
        ("of an index of nothing", |store| {
            let empty = index(store, &[]);
            let child = child(store, &empty, LINUX);
            index(store, &[child])
        }),
        ("of an index of nobody's platform", |store| {
            let image = store.image("statement");
            let inner = child(store, &image, NOBODY);
            let inner = index(store, &[inner]);
            let child = child(store, &inner, "");
            index(store, &[child])
        }),
    ];
    for (name, make) in hollow {
        let (server, digest) = with([], make).await;
        let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
        assert_eq!((&seen.gaps, seen.presence), (&vec![], Presence::Present), "{name}");
        assert!(matches!(seen.closure, Closure::Broken(_)), "{name}: {:?}", seen.closure);
        let says = |obstacle: &Obstacle| matches!(obstacle, Obstacle::PartDamaged { digest: part, detail } if *part == digest && detail.contains("names no image"));
        assert!(seen.obstacles.iter().any(says), "{name}: {:?}", seen.obstacles);
    }
    let whole: [(&str, Make); 3] = [
        ("an image", |store| store.image("one")),
        ("beside nobody's platform", |store| {
            let (image, statement) = (store.image("one"), store.image("statement"));
            let children = [child(store, &image, LINUX), child(store, &statement, NOBODY)];
            index(store, &children)
        }),
        ("an index of an index of an image", |store| {
            let image = store.image("one");
            let inner = child(store, &image, "");
            let inner = index(store, &[inner]);
            let child = child(store, &inner, "");
            index(store, &[child])
        }),
    ];
    for (name, make) in whole {
        let (server, digest) = with([], make).await;
        let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
        assert_eq!((seen.closure, seen.gaps), (Closure::Complete, vec![]), "{name}");
    }
}

#[tokio::test]
async fn a_part_without_a_size_is_named_and_the_others_are_looked_at() {
    for (place, part) in [(0, "configuration"), (1, "layer"), (2, "layer")] {
        let (server, digest) = with([], |store| {
            let whole = store.image("one");
            let text = String::from_utf8(store.manifests[&whole.to_string()].1.clone()).unwrap();
            let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
            let at = match place {
                0 => "/config".to_owned(),
                layer => format!("/layers/{}", layer - 1),
            };
            document.pointer_mut(&at).unwrap().as_object_mut().unwrap().remove("size");
            store.manifest(IMAGE, &document.to_string())
        })
        .await;
        let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
        assert_eq!((seen.presence, &seen.closure), (Presence::Present, &Closure::Unknown), "{place}");
        assert_eq!(seen.gaps.len(), 1, "{place}: {:?}", seen.gaps);
        assert!(
            seen.gaps[0].detail.starts_with(part) && seen.gaps[0].detail.contains("names no size"),
            "{:?}",
            seen.gaps
        );
        assert_eq!(server.count("GET", "/blobs/"), 3, "every part is asked for");
    }
}

#[tokio::test]
async fn children_are_read_by_what_their_index_says_i6() {
    for (served, known) in [
        ("application/json", true),
        ("application/octet-stream", true),
        ("text/plain", true),
        (DOCKER, true),
        (INDEX, true),
        ("text/html", false),
    ] {
        let (server, digest) = with([], |store| {
            let (amd, arm) = (store.image("amd"), store.image("arm"));
            let digest = store.index(&[&amd, &arm]);
            for child in [amd, arm] {
                store.manifests.get_mut(&child.to_string()).unwrap().0 = served.to_owned();
            }
            digest
        })
        .await;
        let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
        let expected = if known { Closure::Complete } else { Closure::Unknown };
        assert_eq!(seen.closure, expected, "{served}: {:?}", seen.gaps);
    }
    // What the bytes of a child say of themselves is held to the index.
    let (server, digest) = with([], |store| {
        let image = store.image("one");
        let child = child(store, &image, LINUX).replace(IMAGE, DOCKER);
        index(store, &[child])
    })
    .await;
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!(seen.closure, Closure::Unknown);
    assert!(reported(&seen.gaps).iter().all(|(_, cause)| *cause == Cause::Malformed), "{:?}", seen.gaps);
}
