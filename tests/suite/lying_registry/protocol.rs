//! What a registry can say that is not so: lists, digests, manifests.

use prodpin::model::{Cause, Closure, Digest, Obstacle, PinState, Presence, Resolution, Scope};

use super::content::{Opening, artifact, repository, tag};
use super::pages::with_tags;
use super::reported;
use super::server::{IMAGE, INDEX, Lie, Server};
use crate::support::each;

/// A registry with an index of two images under `1.0`.
async fn with_index(lies: impl IntoIterator<Item = Lie>) -> (Server, Digest) {
    let server = Server::start(lies).await;
    let digest = server.store(|store| {
        let children = [store.image("amd64"), store.image("arm64")];
        let digest = store.index(&[&children[0], &children[1]]);
        store.tag("shop/api", "1.0", &digest);
        digest
    });
    (server, digest)
}

#[tokio::test]
async fn an_honest_index_is_present_and_whole_i6() {
    let (server, digest) = with_index([]).await;
    let source = Opening::at(&server).open();
    let snapshot = source.inventory.observe(&repository()).await;
    assert_eq!(snapshot.gaps, []);
    assert_eq!(snapshot.tags[0].target, Resolution::Artifact(artifact(&digest)));
    let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!((seen.presence, seen.closure, seen.pin), (Presence::Present, Closure::Complete, PinState::Absent));
    assert_eq!((seen.gaps, seen.obstacles), (vec![], vec![]));
    let created = source.inventory.created(&repository(), &artifact(&digest)).await;
    assert_eq!(created, Some("2026-01-02T03:04:05Z".parse().unwrap()));
}

#[tokio::test]
async fn a_digest_header_that_differs_from_the_bytes_is_rejected_f21() {
    let (server, digest) = with_index([Lie::HeaderDiffers]).await;
    let source = Opening::at(&server).open();
    let (found, gap) = source.inventory.look_up(&repository(), &tag("1.0")).await;
    assert_eq!(found, Resolution::Unknown);
    assert_eq!(gap.unwrap().cause, Cause::Malformed);
    let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!((seen.presence, seen.closure), (Presence::Unknown, Closure::Unknown));
    assert!(matches!(seen.obstacles[..], [Obstacle::WrongBytes { .. }]), "{:?}", seen.obstacles);
    assert!(seen.gaps.iter().any(|gap| gap.cause == Cause::Malformed));
}

#[tokio::test]
async fn what_a_tag_seems_to_have_become_is_confirmed_by_its_bytes_f21() {
    let made_up = Digest::sha256(b"made up");
    let (server, digest) = with_index([Lie::HeadMakesUp(made_up.clone())]).await;
    let source = Opening::at(&server).open();
    let (found, _) = source.inventory.look_up(&repository(), &tag("1.0")).await;
    assert_eq!(found, Resolution::Artifact(made_up.clone().into()), "a header is believed where nothing hangs on it");
    let (found, gap) = source.inventory.confirm(&repository(), &tag("1.0"), made_up.into()).await;
    assert_eq!((found, gap), (Resolution::Artifact(artifact(&digest)), None));
}

#[tokio::test]
async fn an_index_of_nothing_is_no_way_back_i6() {
    let server = Server::start([]).await;
    let digest = server.store(|store| {
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[]}}"#);
        store.manifest(INDEX, &text)
    });
    server.store(|store| store.tag("shop/api", "1.0", &digest));
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    // That is so of these bytes for ever: a finding, and no gap that a later run could close.
    assert_eq!((seen.presence, seen.closure), (Presence::Present, Closure::Broken(vec![])));
    assert_eq!(seen.gaps, []);
}

#[tokio::test]
async fn wrong_bytes_for_a_digest_are_rejected_f22() {
    let (server, digest) = with_index([Lie::WrongBytes, Lie::NoDigestHeader]).await;
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!((seen.presence, seen.closure), (Presence::Unknown, Closure::Unknown));
    assert!(matches!(seen.obstacles[..], [Obstacle::WrongBytes { .. }]), "{:?}", seen.obstacles);
}

#[tokio::test]
async fn a_manifest_that_is_also_an_index_proves_nothing_f23() {
    let server = Server::start([]).await;
    let digest = server.store(|store| {
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[],"layers":[]}}"#);
        store.manifest(INDEX, &text)
    });
    server.store(|store| store.tag("shop/api", "1.0", &digest));
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!((seen.presence, seen.closure), (Presence::Present, Closure::Unknown));
    assert_eq!(reported(&seen.gaps), [(Scope::Artifact(artifact(&digest)), Cause::Malformed)]);
}

#[tokio::test]
async fn a_media_type_that_differs_from_the_content_type_is_rejected_f24() {
    let (server, digest) = with_index([Lie::ServedAs(IMAGE)]).await;
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!((seen.presence, seen.closure), (Presence::Present, Closure::Unknown));
    assert_eq!(reported(&seen.gaps), [(Scope::Artifact(artifact(&digest)), Cause::Malformed)]);
}

#[tokio::test]
async fn a_digest_that_is_a_path_is_never_used_f25() {
    let (server, _) = with_index([Lie::DigestHeader("sha256:../../etc/passwd")]).await;
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Tag(tag("1.0")), Cause::Malformed)]);
    let server = Server::start([]).await;
    let digest = server.store(|store| {
        let config = store.blob(b"{}");
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","layers":[],
            "config":{{"mediaType":"x","digest":"{config}/../../../admin","size":2}}}}"#
        );
        let digest = store.manifest(IMAGE, &text);
        store.tag("shop/api", "1.0", &digest);
        digest
    });
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!(reported(&seen.gaps), [(Scope::Artifact(artifact(&digest)), Cause::Malformed)]);
    assert!(!server.seen().iter().any(|seen| seen.path.contains("admin") || seen.path.contains("..")));
}

#[tokio::test]
async fn names_from_a_list_never_become_paths_f25() {
    let server = with_tags([]).await;
    server.store(|store| {
        let digest = store.image("odd");
        for odd in ["../../../admin", "a b", "\u{1b}[2J", ".hidden"] {
            store.tag("shop/api", odd, &digest);
        }
    });
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    assert_eq!(snapshot.tags.len(), 14);
    assert_eq!(snapshot.gaps.len(), 4);
    assert!(each(snapshot.gaps.iter(), |gap| matches!(&gap.scope, Scope::Tag(tag) if !tag.is_oci())));
    assert!(each(snapshot.gaps.iter(), |gap| !gap.detail.contains('\u{1b}')), "I19");
    assert!(!server.seen().iter().any(|seen| seen.path.contains("admin")));
}

#[tokio::test]
async fn half_a_gigabyte_of_manifest_is_not_read_f26() {
    for announced in [true, false] {
        let (server, digest) = with_index([Lie::Huge { announced }]).await;
        let mut opening = Opening::at(&server);
        opening.environment.timing.request = std::time::Duration::from_secs(20);
        let seen = opening.open().inventory.inspect(&repository(), &artifact(&digest)).await;
        assert_eq!(seen.presence, Presence::Unknown);
        assert_eq!(reported(&seen.gaps), [(Scope::Artifact(artifact(&digest)), Cause::Malformed)], "{:?}", seen.gaps);
        // What does not say how long it is, is left once it is longer than most, and read to the limit then (I28).
        let asked = if announced { 1 } else { 2 };
        assert_eq!(server.count("GET", "/manifests/sha256:"), asked, "a lie of this size is not asked for again");
    }
}

#[tokio::test]
async fn endless_indexes_are_left_f27() {
    let server = Server::start([]).await;
    let (deep, wide) = server.store(|store| {
        let mut deep = store.image("leaf");
        for _ in 0..12 {
            deep = store.index(&[&deep]);
        }
        let children: Vec<Digest> = (0..1_001).map(|number| store.image(&number.to_string())).collect();
        let wide = store.index(&children.iter().collect::<Vec<_>>());
        store.tag("shop/api", "deep", &deep);
        store.tag("shop/api", "wide", &wide);
        (deep, wide)
    });
    let source = Opening::at(&server).open();
    for digest in [deep, wide] {
        let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
        assert_eq!((seen.presence, seen.closure), (Presence::Present, Closure::Unknown));
        assert_eq!(reported(&seen.gaps), [(Scope::Artifact(artifact(&digest)), Cause::Malformed)], "{:?}", seen.gaps);
    }
    assert!(server.count("GET", "/manifests/sha256:") < 20);
}

#[tokio::test]
async fn what_is_gone_below_breaks_the_closure_f28() {
    let (server, digest) = with_index([]).await;
    let child = server.store(|store| store.image("arm64"));
    let layer = Digest::sha256(b"amd64");
    server.lie(Lie::Gone(format!("/manifests/{child}")));
    server.lie(Lie::Gone(format!("/blobs/{layer}")));
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    let mut missing = vec![child, layer];
    missing.sort();
    assert_eq!((seen.presence, seen.closure), (Presence::Present, Closure::Broken(missing)));
    assert_eq!(seen.gaps, []);
}

#[tokio::test]
async fn gone_needs_the_registry_s_own_word_i4() {
    let (server, digest) = with_index([Lie::Gone("/manifests/".to_owned())]).await;
    let source = Opening::at(&server).open();
    assert_eq!(source.inventory.look_up(&repository(), &tag("1.0")).await, (Resolution::NotFound, None));
    let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!((seen.presence, seen.pin, seen.gaps), (Presence::NotFound, PinState::Absent, vec![]));

    let (server, digest) = with_index([Lie::GonePage("/manifests/".to_owned())]).await;
    let source = Opening::at(&server).open();
    let (found, gap) = source.inventory.look_up(&repository(), &tag("1.0")).await;
    assert_eq!((found, gap.unwrap().cause), (Resolution::Unknown, Cause::Malformed));
    let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!((seen.presence, seen.pin), (Presence::Unknown, PinState::Unknown));
}

#[tokio::test]
async fn one_forbidden_repository_leaves_the_others_whole_f30() {
    let (server, _) = with_index([Lie::Forbidden("shop/api")]).await;
    let other = server.store(|store| {
        let digest = store.image("other");
        store.tag("shop/web", "1.0", &digest);
        digest
    });
    let source = Opening::at(&server).open();
    let snapshot = source.inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Denied)]);
    let snapshot = source.inventory.observe(&"shop/web".parse().unwrap()).await;
    assert_eq!(snapshot.gaps, []);
    assert_eq!(snapshot.tags[0].target, Resolution::Artifact(artifact(&other)));
}

#[tokio::test]
async fn an_unknown_repository_is_a_gap_and_not_empty_f31() {
    let (server, _) = with_index([]).await;
    let snapshot = Opening::at(&server).open().inventory.observe(&"shop/gone".parse().unwrap()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::NotFound)]);
    assert!(!snapshot.listing_is_complete());
    let (server, _) = with_index([Lie::GonePage("/tags/list".to_owned())]).await;
    let snapshot = Opening::at(&server).open().inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Unsupported)]);
}

#[tokio::test]
async fn where_head_tells_nothing_the_bytes_are_hashed_c87() {
    for lie in [Lie::NoDigestHeader, Lie::Head(405), Lie::Head(501)] {
        let (server, digest) = with_index([lie]).await;
        let (found, gap) = Opening::at(&server).open().inventory.look_up(&repository(), &tag("1.0")).await;
        assert_eq!((found, gap), (Resolution::Artifact(artifact(&digest)), None));
        assert_eq!(server.count("GET", "/manifests/1.0"), 1);
    }
}

#[tokio::test]
async fn all_four_media_types_are_accepted_always_c88() {
    let (server, digest) = with_index([Lie::NoDigestHeader]).await;
    let source = Opening::at(&server).open();
    source.inventory.observe(&repository()).await;
    source.inventory.inspect(&repository(), &artifact(&digest)).await;
    for seen in server.seen().iter().filter(|seen| seen.path.contains("/manifests/")) {
        for media_type in ["oci.image.index.v1", "oci.image.manifest.v1", "manifest.list.v2", "manifest.v2"] {
            assert!(seen.headers["accept"].contains(media_type), "{} {}", seen.method, seen.path);
        }
    }
}

#[tokio::test]
async fn schema_1_is_unsupported_and_unknown() {
    let (server, digest) =
        with_index([Lie::ServedAs("application/vnd.docker.distribution.manifest.v1+prettyjws")]).await;
    let source = Opening::at(&server).open();
    let snapshot = source.inventory.observe(&repository()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Tag(tag("1.0")), Cause::Unsupported)]);
    let seen = source.inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!(seen.closure, Closure::Unknown);
    assert_eq!(seen.gaps[0].cause, Cause::Unsupported);
}

#[tokio::test]
async fn shared_layers_are_asked_for_once() {
    let server = Server::start([]).await;
    let digests: Vec<Digest> = server.store(|store| {
        store.tag("shop/api", "x", &Digest::sha256(b"x"));
        (0..6).map(|number| store.image(&number.to_string())).collect()
    });
    let source = Opening::at(&server).open();
    let name = repository();
    let seen = futures::future::join_all(digests.iter().map(|digest| {
        let (source, name) = (&source, &name);
        async move { source.inventory.inspect(name, &artifact(digest)).await }
    }))
    .await;
    assert!(each(seen.iter(), |seen| seen.closure == Closure::Complete));
    assert_eq!(server.count("GET", &format!("/blobs/{}", Digest::sha256(b"the shared base"))), 1);
    assert_eq!((server.count("GET", "/blobs/"), server.count("HEAD", "/blobs/")), (1 + 2 * 6, 0));
}

#[tokio::test]
async fn foreign_layers_count_where_they_are_and_blobs_in_indexes_are_asked_for_i6() {
    let server = Server::start([]).await;
    let digest = server.store(|store| {
        let (config, cache) = (store.blob(b"{}"), store.blob(b"cache"));
        let image = format!(
            r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{{"mediaType":"application/vnd.oci.empty.v1+json",
            "digest":"{config}","size":2}},"layers":[{{"mediaType":
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"{}","size":9,
            "urls":["https://w.example/layer"]}}]}}"#,
            Digest::sha256(b"elsewhere")
        );
        let image = store.manifest(IMAGE, &image);
        let size = store.manifests[&image.to_string()].1.len();
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[
            {{"mediaType":"{IMAGE}","digest":"{image}","size":{size}}},
            {{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{cache}","size":5}}]}}"#
        );
        let index = store.manifest(INDEX, &index);
        store.tag("shop/api", "1.0", &index);
        index
    });
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!(seen.closure, Closure::Unknown, "whether the other place still has it, this registry cannot say");
    assert_eq!(reported(&seen.gaps), [(Scope::Artifact(artifact(&digest)), Cause::Unsupported)]);
    assert_eq!(server.count("GET", "/blobs/"), 3);
    server.store(|store| store.blob(b"elsewhere"));
    let seen = Opening::at(&server).open().inventory.inspect(&repository(), &artifact(&digest)).await;
    assert_eq!((seen.closure, seen.gaps), (Closure::Complete, vec![]), "many registries keep them all the same");
}
