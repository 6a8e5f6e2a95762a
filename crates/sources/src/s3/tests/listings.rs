//! Listings: pages, parts, broken ones, refused ones, and what is absent.

use std::time::{Duration, Instant};

use futures::StreamExt;
use prodpin_core::decide::{Asked, changes};
use prodpin_core::model::{Cause, Event, RepositoryState, Scope};

use super::bucket::{Seen, Server, answer, error, marker, page, version, xml};
use super::{artifact, repository};
use crate::s3::*;

#[tokio::test]
async fn pages_follow_both_markers_and_odd_keys_come_back_b58() {
    let server = Server::start(|request| match (request.value("key-marker"), request.value("version-id-marker")) {
        (None, None) => page(&version("a/1%2B%20b+c/x.zip", "v3", true), Some(("a/1%2B%20b+c/x.zip", "v3"))),
        (Some("a%2F1%2B%20b%20c%2Fx.zip"), Some("v3")) => {
            let more = version("a/1%2B%20b+c/x.zip", "v2", false) + &version("a/%0A/x.zip", "w", false);
            page(&(more + &marker("a/%0A/x.zip", "m", true)), Some(("a/z", "")))
        }
        (Some("a%2Fz"), None) => page(&version("a/zz/other.zip", "v", true), None),
        other => panic!("unexpected markers {other:?}"),
    })
    .await;
    let snapshot = server.open(false).await.inventory.observe(&repository("a")).await;
    assert_eq!(snapshot.gaps, []);
    let tags: Vec<_> = snapshot.tags.iter().map(|tag| (tag.name.as_str(), tag.label())).collect();
    assert_eq!(tags, [("a/\n/x.zip", "\n"), ("a/1+ b c/x.zip", "1+ b c")]);
    let facts = snapshot.tags[1].object.as_ref().unwrap();
    let ids: Vec<_> = facts.versions.iter().map(|version| version.artifact.short()).collect();
    assert_eq!((ids, facts.hidden_by.as_deref()), (vec!["v3".to_owned(), "v2".to_owned()], None));
    assert_eq!(snapshot.tags[0].object.as_ref().unwrap().hidden_by.as_deref(), Some("m"));
    assert_eq!(snapshot.tags[0].target, Resolution::Artifact(artifact("a/\n/x.zip?versionId=w")));
}

/// Ceph 16 and LocalStack encode the keys, say so, and give the marker plain.
#[tokio::test]
async fn a_marker_that_is_not_encoded_as_the_keys_are_skips_nothing_f18() {
    for last in ["a/1.0%2Ffix/x.zip", "a/1.0+b0002/x.zip", "a/1.0%252Ffix/x.zip"] {
        let sent = last.replace('%', "%25").replace('+', "%2B");
        let server = Server::start(move |request| match request.value("key-marker") {
            None => page(&version(&sent, "v1", true), Some((last, "v1"))),
            Some(after) if listing::decode(after).as_deref() == Some(last) => {
                page(&version("a/1.0.5/x.zip", "v2", true), None)
            }
            Some(other) => panic!("what lies after {last} is skipped: {other}"),
        })
        .await;
        let snapshot = server.open(false).await.inventory.observe(&repository("a")).await;
        assert_eq!(snapshot.gaps, [], "{last}");
        assert_eq!(snapshot.tags.len(), 2, "{last}");
    }
}

/// A bucket of these keys that pages as S3 does: by prefix, and after both markers (B58).
fn paged(keys: &[String], request: &Seen) -> String {
    if !request.asks("versions") {
        return error("501 Not Implemented", "NotImplemented");
    }
    let value = |name| listing::decode(request.value(name).unwrap_or_default()).unwrap().into_owned();
    let (prefix, after, size) = (value("prefix"), value("key-marker"), value("max-keys").parse().unwrap());
    let left: Vec<&String> = keys.iter().filter(|key| key.starts_with(&prefix) && **key > after).collect();
    let entries: String = left.iter().take(size).map(|key| version(key, "v", true)).collect();
    page(&entries, left.get(size).map(|_| (left[size - 1].as_str(), "v")))
}

#[tokio::test]
async fn a_long_listing_is_read_in_parts_and_nothing_is_lost_or_told_twice_b58() {
    let mut keys: Vec<String> = (0..600).map(|n| format!("a/1.{}.{}/x.zip", n / 30, n % 30)).collect();
    keys.extend(["a/!/x.zip", "a/~/x.zip", "a/release-1/x.zip", "a/Z/x.zip", "a/{}/x.zip"].map(str::to_owned));
    keys.sort();
    let served = keys.clone();
    let server = Server::start(move |request| paged(&served, request)).await;
    let source = server.open_with(false, Some(10), None, |_| {}).await;
    let snapshot = source.inventory.observe(&repository("a")).await;
    assert_eq!(snapshot.gaps, []);
    let found: Vec<&str> = snapshot.tags.iter().map(|tag| tag.name.as_str()).collect();
    assert_eq!(found, keys.iter().map(String::as_str).collect::<Vec<_>>());
    let listings = server.requests().iter().filter(|request| request.asks("versions")).count();
    assert!((61..=120).contains(&listings), "{listings} calls for 61 pages");
    let order: Vec<_> = server.requests().iter().filter_map(|r| r.value("key-marker").map(str::to_owned)).collect();
    assert!(!order.is_sorted(), "parts were read one after the other");

    // Short ones are not split: each part costs a call.
    let few: Vec<String> = keys.iter().filter(|key| key.starts_with("a/1.1.")).cloned().collect();
    let server = Server::start(move |request| paged(&few, request)).await;
    let source = server.open_with(false, Some(10), None, |_| {}).await;
    assert_eq!(source.inventory.observe(&repository("a")).await.tags.len(), 30);
    assert_eq!(server.requests().iter().filter(|request| request.asks("versions")).count(), 3);
}

#[tokio::test]
async fn a_server_that_orders_keys_otherwise_is_not_divided_and_nothing_is_lost() {
    let mut keys: Vec<String> = (100..400).map(|n| format!("a/{n}/x.zip")).collect();
    keys.extend((100..400).map(|n| format!("a/Z{n}/x.zip")));
    let served: Vec<String> = keys.iter().rev().cloned().collect();
    let server = Server::start(move |request| {
        let marker = listing::decode(request.value("key-marker").unwrap_or_default()).unwrap().into_owned();
        let from = served.iter().position(|key| *key == marker).map_or(0, |place| place + 1);
        let entries: String = served.iter().skip(from).take(10).map(|key| version(key, "v", true)).collect();
        page(&entries, served.get(from + 10).map(|_| (served[from + 9].as_str(), "v")))
    })
    .await;
    let snapshot = server.open_with(false, Some(10), None, |_| {}).await.inventory.observe(&repository("a")).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps.len()), (600, 0));
}

#[tokio::test]
async fn a_part_that_cannot_be_read_is_a_gap_and_the_others_are_kept_i4() {
    let keys: Vec<String> = (100..400).map(|n| format!("a/{n}/x.zip")).collect();
    let server = Server::start(move |request| {
        let fails = request.value("key-marker").is_some_and(|marker| marker.starts_with("a%2F3"));
        if fails { error("403 Forbidden", "AccessDenied") } else { paged(&keys, request) }
    })
    .await;
    let source = server.open_with(false, Some(10), None, |_| {}).await;
    let snapshot = source.inventory.observe(&repository("a")).await;
    assert!(!snapshot.listing_is_complete());
    assert!(snapshot.tags.len() >= 200, "{} of 300 keys", snapshot.tags.len());
    assert!(snapshot.tags.iter().all(|tag| tag.target != Resolution::NotFound), "a break is no deletion");
}

#[tokio::test]
async fn a_key_of_nothing_but_markers_is_not_found_b60() {
    let server =
        Server::start(|_| page(&(marker("a/1/x.zip", "m2", true) + &marker("a/1/x.zip", "m1", false)), None)).await;
    let snapshot = server.open(false).await.inventory.observe(&repository("a")).await;
    assert_eq!(snapshot.tags[0].target, Resolution::NotFound);
    let facts = snapshot.tags[0].object.as_ref().unwrap();
    assert_eq!((facts.versions.len(), facts.hidden_by.as_deref()), (0, Some("m2")));
}

#[tokio::test]
async fn a_key_that_the_listing_broke_off_in_is_unknown_and_no_deletion_i4() {
    let whole = version("a/1/x.zip", "v", true);
    let hidden = whole.clone() + &marker("a/2/x.zip", "m", true);
    let newest = whole + &version("a/2/x.zip", "v2", true);
    for (first, versions) in [(hidden, 0), (newest, 1)] {
        let server = Server::start(move |request| match request.value("key-marker") {
            None => page(&first, Some(("a/2/x.zip", "m"))),
            Some(_) => error("403 Forbidden", "AccessDenied"),
        })
        .await;
        let snapshot = server.open(false).await.inventory.observe(&repository("a")).await;
        assert!(!snapshot.listing_is_complete());
        let [before, cut] = &*snapshot.tags else { panic!("{snapshot:?}") };
        assert_eq!((cut.name.as_str(), cut.label(), &cut.target), ("a/2/x.zip", "2", &Resolution::Unknown));
        assert_eq!(cut.object.as_ref().unwrap().versions.len(), versions);
        let state = RepositoryState::default();
        let events = changes(&snapshot, &Asked::default(), &state);
        let about_cut = |event: &Event| matches!(event, Event::TagSeen { tag, .. } if *tag == cut.name);
        assert!(!events.iter().any(about_cut), "{events:?}");
        // The end of the other list is doubted, too, and what came before is not.
        let expected =
            if versions == 0 { Resolution::Unknown } else { Resolution::Artifact(artifact("a/1/x.zip?versionId=v")) };
        assert_eq!(before.target, expected);
    }
}

#[tokio::test]
async fn a_listing_that_lies_about_its_end_leaves_a_gap_f18() {
    type Lie = fn(&Seen) -> String;
    let lies: [(&str, Lie); 7] = [
        ("markers repeat", |_| page(&version("a/1/x.zip", "v", true), Some(("a/1/x.zip", "v")))),
        ("empty pages without end", |request| {
            let next = request.value("key-marker").map_or(0, str::len);
            page("", Some((&format!("k{}", "x".repeat(next)), "")))
        }),
        ("no word about more", |_| xml("ListVersionsResult", &version("a/1/x.zip", "v", true))),
        ("more without a marker", |_| xml("ListVersionsResult", "<IsTruncated>true</IsTruncated>")),
        ("cut short, F4", |_| {
            let body = "<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key>a/1/x.zip</Key></Version>";
            answer("200 OK", "", body)
        }),
        ("a page of HTML, F12", |_| answer("200 OK", "Content-Type: text/html\r\n", "<html><body>hi</body></html>")),
        ("a key comes again", |request| match request.value("key-marker") {
            None => page(&(version("a/1/x.zip", "v", true) + &version("a/2/x.zip", "v", true)), Some(("a/2", ""))),
            Some(_) => page(&version("a/1/x.zip", "w", true), None),
        }),
    ];
    for (name, lie) in lies {
        let server = Server::start(lie).await;
        let snapshot = server.open(false).await.inventory.observe(&repository("a")).await;
        assert!(!snapshot.listing_is_complete(), "{name}: {snapshot:?}");
        assert_eq!(snapshot.gaps[0].cause, Cause::Malformed, "{name}: {:?}", snapshot.gaps);
        assert!(server.requests().len() < 40, "{name}: {} requests", server.requests().len());
    }
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_no_listing_f4() {
    let server = Server::start(|_| {
        page(&version("a/1/x.zip", "v", true), None).replacen("Content-Length: ", "Content-Length: 9", 1)
    })
    .await;
    let deadline = Some(Instant::now() + Duration::from_secs(20));
    let source = server.open_with(false, None, deadline, |_| {}).await;
    let snapshot = source.inventory.observe(&repository("a")).await;
    assert!(!snapshot.listing_is_complete());
    assert_eq!(snapshot.tags, []);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off_i20() {
    // 40 MB of blanks after a listing that is complete: announced, in chunks, and until the connection closes.
    let blanks = " ".repeat(40 << 20);
    let listing = "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>";
    let chunk = format!("{:x}\r\n{blanks}\r\n0\r\n\r\n", blanks.len());
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
    for (how, flood) in [
        ("announced", answer("200 OK", "", &format!("{listing}{blanks}"))),
        ("chunks", format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{listing}\r\n{chunk}", listing.len())),
        ("until it closes", format!("{head}\r\n{listing}{blanks}")),
        ("an error", answer("403 Forbidden", "", &blanks)),
    ] {
        let server = Server::start(move |_| flood.clone()).await;
        let snapshot = server.open(false).await.inventory.observe(&repository("a")).await;
        let causes: Vec<_> = snapshot.gaps.iter().map(|gap| (gap.scope.clone(), gap.cause)).collect();
        assert_eq!(causes, [(Scope::Repository, Cause::Malformed)], "{how}: {:?}", snapshot.gaps);
        assert!(snapshot.gaps[0].detail.contains("larger than the 16 MiB"), "{how}: {:?}", snapshot.gaps);
        let listings = server.requests().iter().filter(|request| request.asks("versions")).count();
        assert_eq!(listings, 1, "{how}: another try would be as large");
    }
}

#[tokio::test]
async fn repositories_come_from_folders_once_each_and_odd_ones_are_told() {
    let server = Server::start(|request| {
        assert_eq!((request.value("prefix"), request.value("delimiter")), (Some("apps%2F"), Some("%2F")));
        let folders = |names: &[&str]| -> String {
            names.iter().map(|name| format!("<CommonPrefixes><Prefix>apps/{name}/</Prefix></CommonPrefixes>")).collect()
        };
        match request.value("key-marker") {
            None => page(&folders(&["..", "", "a+b", "api"]), Some(("apps/api/", ""))),
            Some(_) => page(&folders(&["sandbox", "web"]), None),
        }
    })
    .await;
    let source = server
        .open_with(false, None, None, |config| {
            config.layout = "apps/{repository}/{version}.zip".parse().unwrap();
            config.repositories =
                prodpin_core::model::NamePatterns::new(["a*", "web", "gone", "x*", "!sandbox"]).unwrap();
        })
        .await;
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let names: Vec<_> = found.iter().filter_map(|item| item.as_ref().ok()).map(RepositoryName::as_str).collect();
    assert_eq!(names, ["a b", "api", "web", "gone"]);
    let gaps: Vec<_> = found.iter().filter_map(|item| item.as_ref().err()).collect();
    assert_eq!((gaps.len(), gaps[0].cause), (1, Cause::Refused));
    assert_eq!(source.inventory.unmatched_patterns(), ["gone", "x*"]);
}

#[tokio::test]
async fn spelled_out_repositories_are_asked_for_and_nothing_else_is_listed() {
    let server = Server::start(|request| match request.value("prefix") {
        Some("api%2F") => page(&marker("api/1/x.zip", "m", true), None),
        Some("gone%2F") => page("", None),
        other => panic!("listed {other:?}"),
    })
    .await;
    let source = server
        .open_with(false, None, None, |config| {
            config.repositories = prodpin_core::model::NamePatterns::new(["api", "gone"]).unwrap();
        })
        .await;
    let names: Vec<_> = source.inventory.repositories().map(|item| item.unwrap().to_string()).collect().await;
    assert_eq!(names, ["api", "gone"]);
    assert_eq!(source.inventory.unmatched_patterns(), ["gone"]);
}

#[tokio::test]
async fn without_folders_every_key_is_read_for_its_repository() {
    let server = Server::start(|_| {
        let keys = ["a-1.zip", "a-b-1.zip", "a-2.zip", "other", "b%2Fc-1.zip"];
        page(&keys.map(|key| version(key, "v", true)).concat(), None)
    })
    .await;
    let source = server
        .open_with(false, None, None, |config| config.layout = "{repository}-{version}.zip".parse().unwrap())
        .await;
    let names: Vec<_> = source.inventory.repositories().map(|item| item.unwrap().to_string()).collect().await;
    assert_eq!(names, ["a", "a-b"]);
}
