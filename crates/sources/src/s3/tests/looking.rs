//! What a look at single versions and keys proves: absence, holds, sizes, classes.

use std::sync::Arc;

use prodpin_core::model::{Cause, Closure, Obstacle, PinState, Presence, Retained, Scope, Versioning};

use super::bucket::{Server, answer, error, lockable, marker, not_found, page, seven_bytes, version, xml};
use super::{artifact, repository};
use crate::s3::*;

#[tokio::test]
async fn a_404_without_words_is_no_absence_i4() {
    // HEAD says 404 for a missing bucket too; the listing says which.
    let server =
        Server::start(
            |request| {
                if request.method == "HEAD" { not_found() } else { error("404 Not Found", "NoSuchBucket") }
            },
        )
        .await;
    let source = server.open(false).await;
    let (found, gap) = source.inventory.look_up(&repository("a"), &"a/1/x.zip".parse().unwrap()).await;
    assert_eq!((found, gap.unwrap().cause), (Resolution::Unknown, Cause::NotFound));
    let inspection = source.inventory.inspect(&repository("a"), &artifact("a/1/x.zip?versionId=v1")).await;
    assert_eq!(inspection.presence, Presence::Unknown);
    assert!(!inspection.gaps.is_empty());
}

#[tokio::test]
async fn gone_is_what_head_and_listing_both_lack_i4() {
    let server = Server::start(|request| match () {
        () if request.method == "HEAD" => not_found(),
        () if request.asks("versions") => page(&version("a/1/x.zip", "v2", true), None),
        () => lockable(request, "OFF"),
    })
    .await;
    let inventory = server.open(false).await.inventory;
    let name = repository("a");
    assert_eq!(inventory.inspect(&name, &artifact("a/1/x.zip?versionId=v1")).await.presence, Presence::NotFound);
    let listed = inventory.inspect(&name, &artifact("a/1/x.zip?versionId=v2")).await;
    assert_eq!((listed.presence, listed.gaps[0].cause), (Presence::Unknown, Cause::Suspicious));
    let (found, gap) = inventory.look_up(&name, &"a/0/x.zip".parse().unwrap()).await;
    assert_eq!((found, gap), (Resolution::NotFound, None));
}

#[tokio::test]
async fn a_hidden_key_looks_up_to_the_version_behind_its_marker_f47() {
    let server = Server::start(|request| match () {
        () if request.method == "HEAD" && !request.asks("versionId") => {
            answer("404 Not Found", "x-amz-delete-marker: true\r\nx-amz-version-id: m\r\n", "")
        }
        () if request.asks("versions") => {
            page(&(version("a/1/x.zip", "v1", false) + &marker("a/1/x.zip", "m", true)), None)
        }
        () => lockable(request, "ON"),
    })
    .await;
    let inventory = server.open(false).await.inventory;
    let id = artifact("a/1/x.zip?versionId=v1");
    let (found, gap) = inventory.look_up(&repository("a"), &"a/1/x.zip".parse().unwrap()).await;
    assert_eq!((found, gap), (Resolution::Artifact(id.clone()), None));
    let inspection = inventory.inspect(&repository("a"), &id).await;
    assert_eq!(inspection.obstacles, [Obstacle::Hidden { marker: "m".to_owned() }]);
    assert_eq!((inspection.presence, inspection.pin), (Presence::Present, PinState::Present));
}

#[tokio::test]
async fn holds_are_read_and_never_guessed_f48() {
    for (status, expected) in [("ON", PinState::Present), ("OFF", PinState::Absent), ("MAYBE", PinState::Unknown)] {
        let server = Server::start(move |request| lockable(request, status)).await;
        let id = artifact("a/1/x.zip?versionId=v1");
        let inspection = server.open(false).await.inventory.inspect(&repository("a"), &id).await;
        assert_eq!((inspection.pin, inspection.gaps.is_empty()), (expected.clone(), expected != PinState::Unknown));
        assert_eq!(inspection.obstacles, []);
    }
    for (code, expected) in [("NoSuchObjectLockConfiguration", PinState::Absent), ("AccessDenied", PinState::Unknown)] {
        let server = Server::start(move |request| {
            if request.asks("legal-hold") { error("404 Not Found", code) } else { lockable(request, "OFF") }
        })
        .await;
        let id = artifact("a/1/x.zip?versionId=v1");
        assert_eq!(server.open(false).await.inventory.inspect(&repository("a"), &id).await.pin, expected, "{code}");
    }
}

/// Ceph's gateway answers for a version that was never locked as S3 does for a bucket without Object Lock: it says something
/// of the version only where the bucket is known to have it.
#[tokio::test]
async fn the_bucket_s_word_about_a_version_counts_only_where_the_bucket_is_known_f48() {
    const BUCKET_S: &str = "ObjectLockConfigurationNotFoundError";
    const VERSION_S: &str = "NoSuchObjectLockConfiguration";
    let (none, unknown) = ((PinState::Absent, Retained::No), (PinState::Unknown, Retained::Unknown));
    for (is_known, code, (pin, retained)) in [
        (true, BUCKET_S, &none),
        (false, BUCKET_S, &unknown),
        (true, VERSION_S, &none),
        (false, VERSION_S, &none),
        (true, "AccessDenied", &unknown),
    ] {
        let server = Server::start(move |request| match () {
            () if request.asks("legal-hold") || request.asks("retention") => error("404 Not Found", code),
            () if request.asks("object-lock") && !is_known => error("403 Forbidden", "AccessDenied"),
            () => lockable(request, "OFF"),
        })
        .await;
        let id = artifact("a/1/x.zip?versionId=v1");
        let seen = server.open(false).await.inventory.inspect(&repository("a"), &id).await;
        let asked = |what| server.requests().iter().any(|request| request.asks(what));
        assert!(asked("legal-hold") && asked("retention") && asked("object-lock"), "{:?}", server.requests());
        assert_eq!((&seen.pin, &seen.object.unwrap().lock.retained), (pin, retained), "{code}, known: {is_known}");
    }
}

/// Some proxies say 0 of everything that is asked for by HEAD: then the first byte decides.
#[tokio::test]
async fn a_size_that_head_and_the_listing_disagree_about_is_settled_by_get_i25() {
    for (served, contradicts) in [("bytes 0-0/7", false), ("bytes 0-0/6", true), ("", true)] {
        let server = Server::start(move |request| match request.method.as_str() {
            "HEAD" => answer("200 OK", "ETag: \"ev1\"\r\nx-amz-version-id: v1\r\n", ""),
            "GET" if request.value("x-id") == Some("GetObject") => match served {
                "" => answer("200 OK", "ETag: \"ev1\"\r\n", ""),
                range => answer("206 Partial Content", &format!("Content-Range: {range}\r\n"), "x"),
            },
            _ => lockable(request, "ON"),
        })
        .await;
        let id = artifact("a/1/x.zip?versionId=v1");
        let seen = server.open(false).await.inventory.inspect(&repository("a"), &id).await;
        let reported = seen.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::Contradiction { .. }));
        assert_eq!(reported, contradicts, "{served:?}: {:?}", seen.obstacles);
        assert_eq!(seen.closure == Closure::Complete, !contradicts);
    }
}

#[tokio::test]
async fn unknown_storage_classes_are_taken_for_archives_f53_b59() {
    for (headers, expected) in [
        ("", None),
        ("x-amz-storage-class: STANDARD_IA\r\n", None),
        ("x-amz-storage-class: GLACIER_IR\r\n", None),
        ("x-amz-storage-class: DEEP_ARCHIVE\r\n", Some("DEEP_ARCHIVE")),
        ("x-amz-storage-class: PERMAFROST\r\n", Some("PERMAFROST")),
        (
            "x-amz-storage-class: INTELLIGENT_TIERING\r\nx-amz-archive-status: ARCHIVE_ACCESS\r\n",
            Some("INTELLIGENT_TIERING ARCHIVE_ACCESS"),
        ),
    ] {
        let server =
            Server::start(
                move |request| {
                    if request.method == "HEAD" { seven_bytes(headers) } else { lockable(request, "ON") }
                },
            )
            .await;
        let id = artifact("a/1/x.zip?versionId=v1");
        let inspection = server.open(false).await.inventory.inspect(&repository("a"), &id).await;
        let expected: Vec<_> =
            expected.map(|class| Obstacle::Archived { class: class.to_owned() }).into_iter().collect();
        assert_eq!(inspection.obstacles, expected, "{headers}");
    }
}

#[tokio::test]
async fn settings_tell_none_from_unreadable_f48() {
    let server = Server::start(|request| match () {
        () if request.asks("object-lock") => error("404 Not Found", "ObjectLockConfigurationNotFoundError"),
        () if request.asks("versioning") => xml("VersioningConfiguration", "<Status>Suspended</Status>"),
        () if request.asks("lifecycle") => answer("200 OK", "", ""),
        () => lockable(request, "OFF"),
    })
    .await;
    let (facts, gaps) = server.open(false).await.inventory.settings().await;
    let expected = SettingFacts::Bucket {
        bucket: "b".to_owned(),
        versioning: Some(Versioning::Suspended),
        object_lock: Some(false),
        lifecycle: None,
    };
    assert_eq!(facts, expected);
    assert_eq!((gaps.len(), &gaps[0].scope), (1, &Scope::Source));
}

#[tokio::test]
async fn references_are_located_by_bucket_layout_and_patterns() {
    let server = Server { url: "http://127.0.0.1:1".to_owned(), seen: Arc::default() };
    let source = server
        .open_with(false, None, None, |config| {
            config.repositories = prodpin_core::model::NamePatterns::new(["*", "!sandbox"]).unwrap();
        })
        .await;
    let locate = |text: &str| source.inventory.locate(&text.parse().unwrap());
    assert_eq!(
        locate("s3://b/a/1/x.zip"),
        Some((repository("a"), DeployedReference::Tag("a/1/x.zip".parse().unwrap())))
    );
    assert_eq!(
        locate("s3://b/a/1/x.zip?versionId=v"),
        Some((repository("a"), DeployedReference::Artifact(artifact("a/1/x.zip?versionId=v"))))
    );
    for elsewhere in ["s3://other/a/1/x.zip", "s3://b/readme", "s3://b/sandbox/1/x.zip", "h.example/a:1"] {
        assert_eq!(locate(elsewhere), None, "{elsewhere}");
    }
}
