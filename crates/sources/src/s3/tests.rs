//! Against canned answers: what real servers do too rarely, or must never do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use prodpin_core::decide::changes;
use prodpin_core::model::{Cause, Closure, Event, Obstacle, PinState, Presence, RepositoryState, Scope, Versioning};

/// A request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: String,
    path: String,
    query: String,
    headers: String,
    body: String,
}

impl Seen {
    fn asks(&self, name: &str) -> bool {
        self.query.split('&').any(|pair| pair == name || pair.starts_with(&format!("{name}=")))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// A whole HTTP answer, byte for byte.
fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// What HEAD says of an object of seven bytes, as every version here is listed.
fn seven_bytes(headers: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}Content-Length: 7\r\n\r\n")
}

fn xml(root: &str, inside: &str) -> String {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root}>{inside}</{root}>");
    answer("200 OK", "Content-Type: application/xml\r\n", &body)
}

fn error(status: &str, code: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>words</Message></Error>");
    answer(status, "Content-Type: application/xml\r\n", &body)
}

fn not_found() -> String {
    answer("404 Not Found", "", "")
}

/// A listing page: its entries, and where the next one starts.
fn page(inside: &str, next: Option<(&str, &str)>) -> String {
    let tail = next.map_or("<IsTruncated>false</IsTruncated>".to_owned(), |(key, version)| {
        format!(
            "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>\
             <NextVersionIdMarker>{version}</NextVersionIdMarker>"
        )
    });
    xml("ListVersionsResult", &format!("<Name>b</Name><EncodingType>url</EncodingType>{tail}{inside}"))
}

fn version(key: &str, id: &str, latest: bool) -> String {
    format!(
        "<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>\
         <LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e{id}&quot;</ETag><Size>7</Size>\
         <StorageClass>STANDARD</StorageClass></Version>"
    )
}

fn marker(key: &str, id: &str, latest: bool) -> String {
    format!(
        "<DeleteMarker><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>\
         <LastModified>2026-01-03T03:04:05.000Z</LastModified></DeleteMarker>"
    )
}

struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn start(respond: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, respond) = (Arc::clone(&seen), Arc::new(respond));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, respond) = (Arc::clone(&log), Arc::clone(&respond));
                tokio::spawn(async move {
                    let mut stream = stream;
                    if let Some(request) = receive(&mut stream).await {
                        let answer = respond(&request);
                        log.lock().unwrap().push(request);
                        let _ = stream.write_all(answer.as_bytes()).await;
                        let _ = stream.shutdown().await;
                    }
                });
            }
        });
        Self { url, seen }
    }

    fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    async fn open(&self, write: bool) -> Source {
        self.open_with(write, None, Some(Instant::now() + Duration::from_secs(30)), |_| {}).await
    }

    async fn open_with(
        &self,
        write: bool,
        page_size: Option<i32>,
        deadline: Option<Instant>,
        change: impl FnOnce(&mut S3Config),
    ) -> Source {
        let mut config = config();
        config.endpoint = Some(self.url.parse().unwrap());
        change(&mut config);
        let tuning = Tuning { page_size: page_size.unwrap_or(1000), credentials: Some(credentials()) };
        let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline };
        open_tuned(&"bundles".parse().unwrap(), &config, &options, tuning).await.unwrap()
    }
}

async fn receive(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).ok()?;
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>()))
        .map_or(0, |length| length.unwrap());
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let (line, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let body = String::from_utf8_lossy(&bytes[head_end + 4..]).into_owned();
    Some(Seen { method, path: path.to_owned(), query: query.to_owned(), headers: headers.to_ascii_lowercase(), body })
}

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("AKIATEST", "very-secret-key", None, None, "test"))
}

fn config() -> S3Config {
    S3Config {
        bucket: "b".to_owned(),
        layout: "{repository}/{version}/x.zip".parse().unwrap(),
        repositories: prodpin_core::model::NamePatterns::new(["**"]).unwrap(),
        region: Some("eu-west-1".to_owned()),
        endpoint: None,
        path_style: true,
        owner: None,
        inventory: None,
    }
}

fn repository(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

fn artifact(text: &str) -> ArtifactId {
    text.parse().unwrap()
}

/// Answers for a versioned, lockable bucket without lifecycle rules, whose one version is locked or not.
fn lockable(request: &Seen, hold: &str) -> String {
    match () {
        () if request.asks("versioning") => xml("VersioningConfiguration", "<Status>Enabled</Status>"),
        () if request.asks("object-lock") => {
            xml("ObjectLockConfiguration", "<ObjectLockEnabled>Enabled</ObjectLockEnabled>")
        }
        () if request.asks("lifecycle") => error("404 Not Found", "NoSuchLifecycleConfiguration"),
        () if request.asks("versions") => page(&version("a/1/x.zip", "v1", true), None),
        () if request.asks("legal-hold") && request.method == "GET" => {
            xml("LegalHold", &format!("<Status>{hold}</Status>"))
        }
        () if request.method == "HEAD" => seven_bytes("ETag: \"ev1\"\r\nx-amz-version-id: v1\r\n"),
        () => answer("200 OK", "ETag: \"ev1\"\r\nx-amz-version-id: v1\r\n", ""),
    }
}

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
        let events = changes(&snapshot, &BTreeMap::new(), &BTreeMap::new(), &state);
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
        let told = seen.obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::Contradiction { .. }));
        assert_eq!(told, contradicts, "{served:?}: {:?}", seen.obstacles);
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
        let failure = failure::Failure::read("s3:PutObject", &put.unwrap_err());
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
}

#[tokio::test]
async fn a_tenth_foreign_tag_leaves_no_room_for_the_mark() {
    let server = Server::start(|request| unversioned(request, "e", 10)).await;
    let source = server.open(true).await;
    let failure = source.protector.unwrap().pin(&repository("a"), &artifact("a/1/x.zip?versionId=null@e")).await;
    assert!(failure.unwrap_err().detail.contains("10 tags"));
    assert!(server.requests().iter().all(|request| request.method != "PUT"));
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
        Some((repository("a"), RunningReference::Tag("a/1/x.zip".parse().unwrap())))
    );
    assert_eq!(
        locate("s3://b/a/1/x.zip?versionId=v"),
        Some((repository("a"), RunningReference::Artifact(artifact("a/1/x.zip?versionId=v"))))
    );
    for elsewhere in ["s3://other/a/1/x.zip", "s3://b/readme", "s3://b/sandbox/1/x.zip", "h.example/a:1"] {
        assert_eq!(locate(elsewhere), None, "{elsewhere}");
    }
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

/// Every permission that the calls of this source name, by the half that makes them.
const READS: [&str; 11] = [
    listing::LIST,
    settings::VERSIONING,
    settings::OBJECT_LOCK,
    settings::LIFECYCLE,
    inspect::HEAD_KEY,
    inspect::HEAD_VERSION,
    inspect::LEGAL_HOLD,
    inspect::READ_TAGS,
    // No call is named so: it is what makes S3 answer 404 in place of 403 for what is not there (B84).
    "s3:ListBucket",
    settings::POLICY,
    state::RETENTION,
];
const WRITES: [&str; 2] = [pin::HOLD, pin::WRITE_TAGS];

/// The actions that a policy document's statements of this effect name.
fn actions(document: &str, effect: &str) -> BTreeSet<String> {
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    assert_eq!(document["Version"], "2012-10-17");
    let statements = document["Statement"].as_array().unwrap();
    let chosen = statements.iter().filter(|statement| statement["Effect"] == effect);
    chosen
        .flat_map(|statement| match &statement["Action"] {
            serde_json::Value::String(action) => vec![action.clone()],
            actions => actions.as_array().unwrap().iter().map(|a| a.as_str().unwrap().to_owned()).collect(),
        })
        .collect()
}

#[test]
fn the_policies_allow_what_the_calls_need_and_nothing_more_b64_b84() {
    let audit = include_str!("../../../../policies/s3/audit.json");
    let enforce = include_str!("../../../../policies/s3/enforce.json");
    let bucket = include_str!("../../../../policies/s3/bucket-policy.json");
    let reads: BTreeSet<String> = READS.iter().map(|&action| action.to_owned()).collect();
    let all: BTreeSet<String> = READS.iter().chain(&WRITES).map(|&action| action.to_owned()).collect();
    assert_eq!(actions(audit, "Allow"), reads);
    assert_eq!(actions(enforce, "Allow"), all);
    assert_eq!(actions(bucket, "Allow"), BTreeSet::new());

    let denied = actions(enforce, "Deny");
    assert_eq!(denied.intersection(&all).collect::<Vec<_>>(), Vec::<&String>::new());
    for action in ["s3:DeleteObjectVersion", "s3:PutLifecycleConfiguration", "s3:BypassGovernanceRetention"] {
        assert!(denied.contains(action) && actions(bucket, "Deny").contains(action), "{action}");
    }
    for (name, document) in [("audit", audit), ("enforce", enforce)] {
        assert!(actions(document, "Allow").iter().all(|action| !action.contains('*')), "{name}");
        let document: serde_json::Value = serde_json::from_str(document).unwrap();
        assert!(document["Statement"].as_array().unwrap().iter().all(|s| s["Resource"] != "*"), "{name}");
    }
}
