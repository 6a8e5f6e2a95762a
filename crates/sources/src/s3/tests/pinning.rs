//! Pins, and that nothing else is ever written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use prodpin_core::model::{Cause, Obstacle, PinState, Presence};

use super::bucket::{Seen, Server, config, credentials, error, lockable, page, seven_bytes, version, xml};
use super::{artifact, repository};
use crate::s3::*;

#[tokio::test]
async fn audit_sends_no_write_even_if_asked_to_i17() {
    let server = Server::start(|request| lockable(request, "OFF")).await;
    let source = server.open(false).await;
    assert!(source.protector.is_none());

    // Past the types, at the wire: the reading client itself is made to write.
    let mut config = config();
    config.endpoint = Some(server.url.parse().unwrap());
    for write in [false, true] {
        let client = client::connect(&config, write, Some(credentials())).await;
        let put = client.put_object().bucket("b").key("k").send().await;
        let delete = client.delete_object().bucket("b").key("k").version_id("v").send().await;
        let lifecycle = client.delete_bucket_lifecycle().bucket("b").send().await;
        let release = client.delete_object_tagging().bucket("b").key("k").version_id("v").send().await;
        assert!(put.is_err() && delete.is_err() && lifecycle.is_err() && release.is_err());
        let failure = failure::S3Failure::read("s3:PutObject", &put.unwrap_err());
        assert_eq!(failure.cause, Cause::Refused, "{failure:?}");
    }
    assert_eq!(server.requests().len(), 0, "{:?}", server.requests());
}

#[tokio::test]
async fn a_pin_is_one_hold_on_one_exact_version_i8() {
    let server = Server::start(|request| lockable(request, "OFF")).await;
    let source = server.open(true).await;
    let protector = source.protector.unwrap();
    protector.pin(&repository("a"), &artifact("a/1/x.zip?versionId=v1")).await.unwrap();
    let foreign = protector.pin(&repository("other"), &artifact("a/1/x.zip?versionId=v1")).await.unwrap_err();
    assert_eq!(foreign.cause, Cause::Refused);
    let writes: Vec<_> = server.requests().into_iter().filter(|request| request.method != "GET").collect();
    assert_eq!(writes.len(), 1);
    assert_eq!((writes[0].method.as_str(), writes[0].path.as_str()), ("PUT", "/b/a/1/x.zip"));
    assert!(writes[0].asks("legal-hold") && writes[0].value("versionId") == Some("v1"));
    assert!(writes[0].body.contains("<Status>ON</Status>"), "{:?}", writes[0]);
    assert_eq!(writes[0].header("content-md5"), Some(md5(&writes[0].body).as_str()), "{:?}", writes[0]);
}

/// As `Content-MD5` has it: what servers other than S3 refuse a pin without.
fn md5(body: &str) -> String {
    STANDARD.encode(Md5::digest(body))
}

/// Answers for an unversioned bucket without Object Lock, whose object has this ETag and these tags.
fn unversioned(request: &Seen, etag: &str, tags: usize) -> String {
    match () {
        () if request.asks("versioning") => xml("VersioningConfiguration", ""),
        () if request.asks("object-lock") => error("404 Not Found", "ObjectLockConfigurationNotFoundError"),
        () if request.asks("versions") => page(&version("a/1/x.zip", "null", true).replace("enull", etag), None),
        () if request.asks("tagging") && request.method == "GET" => {
            let tags: String = (0..tags).map(|n| format!("<Tag><Key>k{n}</Key><Value>v</Value></Tag>")).collect();
            xml("Tagging", &format!("<TagSet>{tags}</TagSet>"))
        }
        () if request.method == "HEAD" => seven_bytes(&format!("ETag: \"{etag}\"\r\n")),
        () => lockable(request, "OFF"),
    }
}

#[tokio::test]
async fn overwritten_null_bytes_are_another_artifact_b57() {
    let server = Server::start(|request| unversioned(request, "new", 9)).await;
    let source = server.open(true).await;
    let (old, new) = (artifact("a/1/x.zip?versionId=null@old"), artifact("a/1/x.zip?versionId=null@new"));
    let name = repository("a");
    let snapshot = source.inventory.observe(&name).await;
    assert_eq!(snapshot.tags[0].target, Resolution::Artifact(new.clone()));
    let (found, _) = source.inventory.look_up(&name, &"a/1/x.zip".parse().unwrap()).await;
    assert_eq!(found, Resolution::Artifact(new.clone()));
    assert_eq!(source.inventory.inspect(&name, &old).await.presence, Presence::NotFound);

    let inspection = source.inventory.inspect(&name, &new).await;
    assert_eq!(inspection.presence, Presence::Present);
    assert_eq!(inspection.pin, PinState::Unsupported { marked: false });
    assert_eq!(inspection.obstacles, [Obstacle::NoObjectLock, Obstacle::Unversioned]);

    let protector = source.protector.unwrap();
    assert_eq!(protector.pin(&name, &old).await.unwrap_err().cause, Cause::Refused);
    assert_eq!(protector.pin(&name, &artifact("a/1/x.zip?versionId=null")).await.unwrap_err().cause, Cause::Refused);
    assert!(server.requests().iter().all(|request| request.method != "PUT"));
    protector.pin(&name, &new).await.unwrap();
    let requests = server.requests();
    let write = requests.iter().find(|request| request.method == "PUT").unwrap();
    assert!(write.asks("tagging") && write.value("versionId") == Some("null"));
    assert!(write.body.contains("<Key>k8</Key>") && write.body.contains("<Key>prod-pinned</Key>"), "{}", write.body);
    assert_eq!(write.header("content-md5"), Some(md5(&write.body).as_str()), "{write:?}");
}

#[tokio::test]
async fn a_tenth_foreign_tag_leaves_no_room_for_the_mark() {
    let server = Server::start(|request| unversioned(request, "e", 10)).await;
    let source = server.open(true).await;
    let failure = source.protector.unwrap().pin(&repository("a"), &artifact("a/1/x.zip?versionId=null@e")).await;
    assert!(failure.unwrap_err().detail.contains("10 tags"));
    assert!(server.requests().iter().all(|request| request.method != "PUT"));
}
