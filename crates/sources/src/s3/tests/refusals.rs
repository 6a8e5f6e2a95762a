//! A bucket that denies, throttles, or cannot be reached.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use prodpin_core::model::{Cause, PinState, Presence, Scope};

use super::bucket::{Server, answer, config, error, not_found, page, version};
use super::{artifact, repository};
use crate::s3::*;

#[tokio::test]
async fn denial_is_a_gap_that_names_the_permission_and_the_expected_owner_f30_f51() {
    let server = Server::start(|request| {
        assert!(request.headers.contains("x-amz-expected-bucket-owner: 111122223333"), "{request:?}");
        error("403 Forbidden", "AccessDenied")
    })
    .await;
    let source = server.open_with(true, None, None, |config| config.owner = Some("111122223333".to_owned())).await;
    let name = repository("a");
    let id = artifact("a/1/x.zip?versionId=v1");
    let snapshot = source.inventory.observe(&name).await;
    assert_eq!(snapshot.gaps[0].cause, Cause::Denied);
    assert!(snapshot.gaps[0].detail.contains("does not belong to account 111122223333"), "{:?}", snapshot.gaps);
    assert!(snapshot.gaps[0].detail.contains("s3:ListBucketVersions"));

    let (facts, gaps) = source.inventory.settings().await;
    let unread = SettingFacts::Bucket { bucket: "b".to_owned(), versioning: None, object_lock: None, lifecycle: None };
    assert_eq!((facts, gaps.len()), (unread, 3));

    let (found, gap) = source.inventory.look_up(&name, &"a/1/x.zip".parse().unwrap()).await;
    assert_eq!((found, gap.unwrap().scope), (Resolution::Unknown, Scope::Tag("a/1/x.zip".parse().unwrap())));
    let inspection = source.inventory.inspect(&name, &id).await;
    assert_eq!((inspection.presence, inspection.pin), (Presence::Unknown, PinState::Unknown));
    assert_eq!(source.inventory.created(&name, &id).await, None);
    let failure = source.protector.unwrap().pin(&name, &id).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Denied);
    let mut repositories = source.inventory.repositories();
    assert_eq!(repositories.next().await.unwrap().unwrap_err().cause, Cause::Denied);
    assert!(repositories.next().await.is_none());
    drop(repositories);

    let calls: Vec<_> = server.requests().iter().map(|request| request.method.clone()).collect();
    assert!(calls.contains(&"PUT".to_owned()) && calls.contains(&"HEAD".to_owned()));
}

#[tokio::test]
async fn throttling_is_retried_and_then_told_f38() {
    let calls = Arc::new(Mutex::new(0_u32));
    let count = Arc::clone(&calls);
    let server = Server::start(move |request| {
        let mut calls = count.lock().unwrap();
        *calls += u32::from(request.asks("versions"));
        if *calls < 3 { error("503 Slow Down", "SlowDown") } else { page(&version("a/1/x.zip", "v", true), None) }
    })
    .await;
    let snapshot = server.open(false).await.inventory.observe(&repository("a")).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps.len(), *calls.lock().unwrap()), (1, 0, 3));

    let server = Server::start(|_| error("503 Slow Down", "SlowDown")).await;
    let started = Instant::now();
    let deadline = Some(started + Duration::from_secs(2));
    let source = server.open_with(false, None, deadline, |_| {}).await;
    let snapshot = source.inventory.observe(&repository("a")).await;
    assert!(matches!(snapshot.gaps[0].cause, Cause::TimedOut | Cause::Throttled), "{:?}", snapshot.gaps);
    assert!(started.elapsed() < Duration::from_secs(4), "the deadline did not hold");
    let after = source.inventory.observe(&repository("a")).await;
    assert_eq!(after.gaps[0].cause, Cause::TimedOut);
}

#[tokio::test]
async fn where_a_third_of_all_requests_is_refused_the_rest_goes_on_f113() {
    let calls = Mutex::new(0_u32);
    let server = Server::start(move |request| {
        if !request.asks("versions") {
            return not_found();
        }
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        if calls.is_multiple_of(3) {
            let body = "<Error><Code>SlowDown</Code><Message>words</Message></Error>";
            return answer("429 Too Many Requests", "Content-Type: application/xml\r\nRetry-After: 1\r\n", body);
        }
        let marker = crate::s3::listing::decode(request.value("key-marker").unwrap_or_default()).expect("UTF-8");
        let mut after = (0..20).map(|at| format!("a/{at:02}/x.zip")).filter(|key| key.as_str() > &*marker);
        let Some(key) = after.next() else { return page("", None) };
        page(&version(&key, "v", true), after.next().map(|_| (&*key, "v")))
    })
    .await;
    let snapshot = server.open(false).await.inventory.observe(&repository("a")).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (20, vec![]));
}

#[tokio::test]
async fn expired_credentials_say_so_f39_and_no_secret_is_told_i18() {
    let server = Server::start(|_| error("400 Bad Request", "ExpiredToken")).await;
    let snapshot = server.open(false).await.inventory.observe(&repository("a")).await;
    assert_eq!(snapshot.gaps[0].cause, Cause::Denied);
    assert!(snapshot.gaps[0].detail.contains("credentials expired"), "{:?}", snapshot.gaps);
    assert!(!format!("{snapshot:?}").contains("very-secret-key"));
}

#[tokio::test]
async fn an_unreachable_server_is_a_gap_f2() {
    let server = Server { url: "http://127.0.0.1:1".to_owned(), seen: Arc::default() };
    let deadline = Some(Instant::now() + Duration::from_secs(20));
    let snapshot = server.open_with(false, None, deadline, |_| {}).await.inventory.observe(&repository("a")).await;
    assert_eq!(snapshot.gaps[0].cause, Cause::Unreachable, "{:?}", snapshot.gaps);
}

#[tokio::test]
async fn what_can_never_work_is_refused_at_once_f81() {
    let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 1, deadline: None };
    let name = "bundles".parse().unwrap();
    let refused = async |change: fn(&mut S3Config)| {
        let mut config = config();
        change(&mut config);
        open(&name, &config, &options).await.err().unwrap()
    };
    let directory = refused(|config| config.bucket = "x--euw1-az1--x-s3".to_owned()).await;
    assert!(matches!(directory, S3Error::DirectoryBucket(..)), "{directory}");
    let secret = refused(|config| config.endpoint = Some("http://user:pw@s3.example".parse().unwrap())).await;
    assert!(matches!(&secret, S3Error::Endpoint(..)) && !secret.to_string().contains("pw"));
    assert!(matches!(refused(|config| config.owner = Some("acme".to_owned())).await, S3Error::Owner(..)));
}
