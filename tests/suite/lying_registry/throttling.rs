//! A server that asks for patience: each request waits as it was told, none longer than it may, and no other with it.

use std::time::{Duration, Instant};

use prodpin::model::{Cause, Resolution, Scope};

use super::content::{Opening, artifact, repository, tag};
use super::server::{Guard, Lie, Server};
use super::transport::with_image;
use crate::support::each;

#[tokio::test]
async fn a_throttled_registry_is_waited_for_and_never_asked_by_get_instead_f32() {
    let (server, digest) = with_image(Guard::Open, [Lie::Throttle(1, "1")]).await;
    let start = Instant::now();
    let (found, gap) = Opening::at(&server).open().inventory.look_up(&repository(), &tag("1.0")).await;
    assert_eq!((found, gap), (Resolution::Artifact(artifact(&digest)), None));
    assert!(start.elapsed() >= Duration::from_secs(1), "Retry-After was honoured");
    assert_eq!((server.count("HEAD", ""), server.count("GET", "")), (2, 0));
}

#[tokio::test]
async fn what_one_request_is_told_to_wait_holds_up_no_other_f113() {
    let (server, _) = with_image(Guard::Open, [Lie::Throttle(1, "1")]).await;
    let (elsewhere, _) = with_image(Guard::Open, []).await;
    let opening = Opening::at(&server);
    let mut other_host = Opening::at(&elsewhere);
    other_host.environment = opening.environment.clone();
    let sources = [opening.open(), opening.open(), other_host.open()];
    let start = Instant::now();
    let ask = async |source: usize, after: u64| {
        tokio::time::sleep(Duration::from_millis(after)).await;
        let (found, gap) = sources[source].inventory.look_up(&repository(), &tag("1.0")).await;
        assert!(found.artifact().is_some() && gap.is_none());
        start.elapsed()
    };
    let (first, second, third) = futures::join!(ask(0, 0), ask(1, 200), ask(2, 200));
    assert!(first >= Duration::from_secs(1), "{first:?}");
    assert!(second < first && third < first, "they waited for the first: {first:?} {second:?} {third:?}");
    assert_eq!(server.count("HEAD", ""), 3);
}

#[tokio::test]
async fn a_host_that_refuses_a_third_of_all_requests_is_paced_and_read_whole_f113() {
    let server = Server::start([Lie::ThrottleSome(3, "1")]).await;
    server.store(|store| {
        let digest = store.image("one");
        for tag in 0..300 {
            store.tag("shop/api", &format!("1.{tag}"), &digest);
        }
    });
    let mut opening = Opening::at(&server);
    opening.options.concurrency = 128;
    let start = Instant::now();
    let snapshot = opening.open().inventory.observe(&repository()).await;
    assert_eq!((snapshot.tags.len(), &snapshot.gaps), (300, &vec![]));
    assert!(each(snapshot.tags.iter(), |tag| tag.target.artifact().is_some()));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_time_in_the_place_of_seconds_is_waited_for_f32() {
    let in_two_seconds = jiff::Timestamp::now().as_second() + 2;
    let wait: &'static str = Box::leak(in_two_seconds.to_string().into_boxed_str());
    let (server, _) = with_image(Guard::Open, [Lie::Throttle(1, wait)]).await;
    let mut opening = Opening::at(&server);
    opening.environment.timing.longest_wait = Duration::from_secs(10);
    let start = Instant::now();
    let (found, gap) = opening.open().inventory.look_up(&repository(), &tag("1.0")).await;
    assert!(found.artifact().is_some() && gap.is_none(), "{gap:?}");
    let waited = start.elapsed();
    assert!(waited > Duration::from_millis(800) && waited < Duration::from_secs(5), "{waited:?}");
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_a_gap_at_once_f32() {
    for wait in ["3600", "Fri, 01 Jan 2100 00:00:00 GMT"] {
        let (server, _) = with_image(Guard::Open, [Lie::Throttle(99, wait)]).await;
        let source = Opening::at(&server).within(Duration::from_secs(60)).open();
        let start = Instant::now();
        let (found, gap) = source.inventory.look_up(&repository(), &tag("1.0")).await;
        assert_eq!(found, Resolution::Unknown);
        assert_eq!(gap.map(|gap| (gap.scope, gap.cause)), Some((Scope::Tag(tag("1.0")), Cause::Throttled)));
        assert!(start.elapsed() < Duration::from_secs(30), "it waited for the deadline: {:?}", start.elapsed());
        assert_eq!((server.count("HEAD", ""), server.count("GET", "")), (1, 0));
    }
}

#[tokio::test]
async fn a_wait_without_end_holds_nobody_up_for_ever_f32() {
    let (server, _) = with_image(Guard::Open, [Lie::Throttle(1, "4294967295")]).await;
    let mut opening = Opening::at(&server);
    opening.environment.timing.longest_wait = Duration::from_millis(200);
    let source = opening.open();
    let (_, gap) = source.inventory.look_up(&repository(), &tag("1.0")).await;
    assert_eq!(gap.map(|gap| gap.cause), Some(Cause::Throttled));
    let (found, gap) = source.inventory.look_up(&repository(), &tag("1.0")).await;
    assert!(found.artifact().is_some() && gap.is_none());
}
