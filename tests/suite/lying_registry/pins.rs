//! The only write there is, and all that keeps it from being made.

use prodpin::model::{ArtifactId, Cause, Digest, Pin, PinState};
use prodpin::sources::PinFailure;

use super::content::{Opening, artifact, repository};
use super::server::{Guard, IMAGE, Lie, Server};

async fn with_image(guard: Guard, lies: impl IntoIterator<Item = Lie>) -> (Server, Digest) {
    let server = Server::guarded(guard, lies).await;
    let digest = server.store(|store| {
        let digest = store.image("one");
        store.tag("shop/api", "1.0", &digest);
        digest
    });
    (server, digest)
}

async fn pin(server: &Server, artifact: &ArtifactId) -> Result<(), PinFailure> {
    Opening::at(server).writing().open().protector.unwrap().pin(&repository(), artifact).await
}

#[tokio::test]
async fn a_pin_is_the_exact_bytes_under_their_own_name_i8_i13() {
    let (server, digest) = with_image(Guard::Open, []).await;
    let source = Opening::at(&server).writing().open();
    let protector = source.protector.clone().unwrap();
    protector.pin(&repository(), &artifact(&digest)).await.unwrap();
    let path = format!("PUT /v2/shop/api/manifests/{}", Pin::for_digest(&digest));
    assert_eq!(server.writes(), [path]);
    let put = server.seen().into_iter().find(|seen| seen.method == "PUT").unwrap();
    assert_eq!(put.headers["content-type"], IMAGE);
    assert_eq!(Digest::sha256(&put.body), digest);
    assert_eq!(source.inventory.inspect(&repository(), &artifact(&digest)).await.pin, PinState::Present);
    protector.pin(&repository(), &artifact(&digest)).await.unwrap();
    assert_eq!(server.writes().len(), 1, "pinning what is pinned writes nothing");
}

#[tokio::test]
async fn a_pin_needs_the_push_scope_and_asks_for_it_only_then() {
    let (server, digest) = with_image(Guard::Token { to: None, identity: None }, []).await;
    pin(&server, &artifact(&digest)).await.unwrap();
    assert_eq!(server.count("GET", "scope=repository%3Ashop%2Fapi%3Apull%2Cpush"), 1);
    // One to read, one to push, and one to learn what the registry is.
    assert_eq!(server.count("GET", "/token"), 3);
}

#[tokio::test]
async fn a_pin_that_names_something_else_is_never_overwritten_i8_f41() {
    let (server, digest) = with_image(Guard::Open, []).await;
    server.store(|store| {
        let other = store.image("other");
        store.tag("shop/api", &Pin::for_digest(&digest).to_string(), &other);
    });
    let failure = pin(&server, &artifact(&digest)).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Refused, "{failure}");
    assert_eq!(server.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn where_anything_is_unknown_nothing_is_written_i4() {
    // Only the artifact itself is asked for by digest, and only its pin by a tag.
    for (lie, cause) in [
        (Lie::Gone("/manifests/sha256:".to_owned()), Cause::NotFound),
        (Lie::Fails(500, 99), Cause::ServerError),
        (Lie::Forbidden("shop/api"), Cause::Denied),
        (Lie::GonePage("prod-pinned-".to_owned()), Cause::Malformed),
        (Lie::Html("prod-pinned-"), Cause::Malformed),
        (Lie::WrongBytes, Cause::Malformed),
        (Lie::HeaderDiffers, Cause::Malformed),
        (Lie::Huge { announced: true }, Cause::Malformed),
        (Lie::ServedAs("application/vnd.oci.image.index.v1+json"), Cause::Malformed),
    ] {
        let (server, digest) = with_image(Guard::Open, [lie.clone()]).await;
        let failure = pin(&server, &artifact(&digest)).await.unwrap_err();
        assert_eq!(failure.cause, cause, "{lie:?}: {failure}");
        assert_eq!(server.writes(), Vec::<String>::new(), "{lie:?}");
    }
}

#[tokio::test]
async fn a_refused_or_diverted_write_is_a_failure_and_goes_nowhere_else_f7() {
    let other = Server::start_at("127.0.0.2", Guard::Open, []).await;
    for (lie, cause) in [
        (Lie::Put(403), Cause::Denied),
        (Lie::Put(405), Cause::Unsupported),
        (Lie::Put(500), Cause::ServerError),
        (Lie::PutAt(format!("{}/v2/x", other.url())), Cause::Refused),
        (Lie::PutDigest, Cause::Malformed),
        (Lie::PutSilent, Cause::TimedOut),
    ] {
        let (server, digest) = with_image(Guard::Open, [lie.clone()]).await;
        let failure = pin(&server, &artifact(&digest)).await.unwrap_err();
        assert_eq!(failure.cause, cause, "{lie:?}: {failure}");
        assert_eq!(server.writes().len(), 1, "{lie:?}: a write is not sent twice");
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn only_manifests_can_be_pinned_in_a_registry() {
    let (server, _) = with_image(Guard::Open, []).await;
    let object = "shop/1.zip?versionId=3".parse().unwrap();
    assert_eq!(pin(&server, &object).await.unwrap_err().cause, Cause::Unsupported);
    assert!(server.seen().is_empty());
}
