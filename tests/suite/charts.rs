//! Chart repositories on a server that may lie.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use prodpin::model::{
    ArtifactId, Cause, Closure, Digest, Inspection, Mode, Obstacle, PinState, Presence, RepositoryName, Resolution,
    RunningReference, Scope, Snapshot, SourceName,
};
use prodpin::outcome::forecast::{Fate, RulesFound};
use prodpin::policy::{LedgerLocation, Policy, SourceConfig};
use prodpin::run::{ForecastOptions, Progress, RunOptions, Stop, forecast_on, run_on};
use prodpin::sources::oci::{Environment, Surroundings, Timing};
use prodpin::sources::{OpenOptions, Source, helm};

use crate::support::chart::{Answer, Shop, archive, file, gzip, index};

fn shop() -> RepositoryName {
    "shop".parse().unwrap()
}

fn policy(source: &str) -> Policy {
    let text = format!("version: 1\nsources:\n  charts:\n{source}production: [{{ tags: [\"[0-9]*\"] }}]\n");
    prodpin::policy::parse(&text, "prodpin.yaml", &|name| (name == "SECRET").then(|| "hunter2".to_owned())).unwrap()
}

/// Opens a chart repository under a policy with these further lines.
async fn open(server: &Shop, lines: &[&str]) -> Source {
    open_at(&server.url(), lines, Environment::default()).await
}

async fn open_at(url: &str, lines: &[&str], environment: Environment) -> Source {
    let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    let policy = policy(&format!("    helm: {url}\n{lines}"));
    let Some(SourceConfig::Helm(config)) = policy.sources.values().next() else { panic!("a chart repository") };
    let timing = Timing { tries: 2, backoff: Duration::from_millis(1), ..Timing::default() };
    let surroundings = Surroundings { environment, timing, ..Surroundings::default() };
    let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 8, deadline: None };
    helm::open_in(&"charts".parse().unwrap(), config, &options, &surroundings).await.unwrap()
}

/// A server with one chart in these versions.
async fn stocked(versions: &[&str]) -> Shop {
    let server = Shop::start().await;
    stock(&server, versions);
    server
}

fn stock(server: &Shop, versions: &[&str]) {
    let mut entries = Vec::new();
    let urls: Vec<String> = versions.iter().map(|version| format!("charts/shop-{version}.tgz")).collect();
    for (version, url) in versions.iter().zip(&urls) {
        let bytes = archive("shop", version, version);
        entries.push(("shop", *version, Some(Digest::of(&bytes)), url.as_str()));
        server.put(&format!("/{url}"), "application/gzip", bytes);
    }
    server.put("/index.yaml", "text/yaml", index(&entries));
}

fn artifact(version: &str) -> ArtifactId {
    Digest::of(&archive("shop", version, version)).into()
}

async fn names(source: &Source) -> (Vec<String>, Vec<Cause>) {
    let (mut names, mut causes) = (Vec::new(), Vec::new());
    let mut all = source.inventory.repositories();
    while let Some(found) = all.next().await {
        match found {
            Ok(name) => names.push(name.to_string()),
            Err(gap) => causes.push(gap.cause),
        }
    }
    (names, causes)
}

fn told(snapshot: &Snapshot) -> Vec<(String, bool)> {
    let known = |resolution: &Resolution| matches!(resolution, Resolution::Artifact(_));
    let mut tags: Vec<_> = snapshot.tags.iter().map(|tag| (tag.name.to_string(), known(&tag.target))).collect();
    tags.sort();
    tags
}

fn wrong_bytes(seen: &Inspection) -> Vec<&str> {
    let told = seen.obstacles.iter().map(|obstacle| match obstacle {
        Obstacle::WrongBytes { detail } => Some(detail.as_str()),
        _ => None,
    });
    told.flatten().collect()
}

#[tokio::test]
async fn a_chart_is_read_hashed_and_said_to_be_unpinnable_i7() {
    let server = stocked(&["1.2.3", "1.2.4+build.7"]).await;
    let source = open(&server, &[]).await;
    assert_eq!(names(&source).await, (vec!["shop".to_owned()], vec![]));
    let snapshot = source.inventory.observe(&shop()).await;
    assert_eq!(snapshot.gaps, []);
    assert_eq!(told(&snapshot), [("1.2.3".to_owned(), true), ("1.2.4+build.7".to_owned(), true)]);
    let seen = source.inventory.inspect(&shop(), &artifact("1.2.4+build.7")).await;
    assert_eq!((seen.presence, &seen.closure), (Presence::Present, &Closure::Complete), "{seen:?}");
    assert_eq!(seen.pin, PinState::Unsupported { marked: false });
    assert!(matches!(seen.obstacles.as_slice(), [Obstacle::NoPins { .. }]), "{:?}", seen.obstacles);
    assert!(seen.created.is_some() && seen.gaps.is_empty());
    let none = source.inventory.inspect(&shop(), &artifact("9.9.9")).await;
    assert_eq!(none.presence, Presence::NotFound);
    assert!(server.seen().iter().all(|seen| seen.method == "GET"), "I17");
}

#[tokio::test]
async fn another_entry_with_the_same_digest_loses_no_chart_i4() {
    let server = stocked(&["1.2.3"]).await;
    let digest = Digest::of(&archive("shop", "1.2.3", "1.2.3"));
    let entries = [
        ("shop", "0.0.1", Some(digest.clone()), "charts/gone.tgz"),
        ("shop", "1.2.3", Some(digest), "charts/shop-1.2.3.tgz"),
    ];
    server.put("/index.yaml", "text/yaml", index(&entries));
    let seen = open(&server, &[]).await.inventory.inspect(&shop(), &artifact("1.2.3")).await;
    assert_eq!((seen.presence, &seen.closure), (Presence::Present, &Closure::Complete), "{seen:?}");
    assert_eq!(wrong_bytes(&seen), Vec::<&str>::new());
    server.put("/index.yaml", "text/yaml", index(&entries[..1]));
    let seen = open(&server, &[]).await.inventory.inspect(&shop(), &artifact("1.2.3")).await;
    assert_eq!(seen.presence, Presence::NotFound, "where no entry has the bytes, they are gone");
}

#[tokio::test]
async fn the_index_is_fetched_once_and_after_that_only_if_it_changed() {
    let server = stocked(&["1.2.3"]).await;
    let source = open(&server, &[]).await;
    names(&source).await;
    for _ in 0..5 {
        source.inventory.observe(&shop()).await;
    }
    assert_eq!(server.asked("/index.yaml"), 1);
    let tag = "1.2.3".parse().unwrap();
    assert_eq!(source.inventory.look_up(&shop(), &tag).await.0, Resolution::Artifact(artifact("1.2.3")));
    assert_eq!(server.asked("/index.yaml"), 2);
    assert!(server.seen().iter().any(|seen| seen.path == "/index.yaml" && seen.conditional));
    stock(&server, &["1.2.4"]);
    assert_eq!(source.inventory.look_up(&shop(), &tag).await, (Resolution::NotFound, None));
}

#[tokio::test]
async fn index_and_archive_that_disagree_are_told_apart_from_what_is_missing_i7_f22() {
    let server = stocked(&["1.2.3", "1.2.4", "1.2.5"]).await;
    let source = open(&server, &[]).await;
    server.put("/charts/shop-1.2.3.tgz", "application/gzip", archive("shop", "1.2.3", "evil"));
    let seen = source.inventory.inspect(&shop(), &artifact("1.2.3")).await;
    assert_eq!(seen.presence, Presence::Unknown);
    assert!(wrong_bytes(&seen)[0].contains("hashes to"), "{seen:?}");

    server.remove("/charts/shop-1.2.4.tgz");
    assert_eq!(source.inventory.inspect(&shop(), &artifact("1.2.4")).await.presence, Presence::NotFound);

    let page = Answer { status: 200, headers: vec![("content-type", "text/html".to_owned())], body: b"<p>".to_vec() };
    server.answer("/charts/shop-1.2.5.tgz", page);
    let seen = source.inventory.inspect(&shop(), &artifact("1.2.5")).await;
    assert_eq!((seen.presence, seen.gaps[0].cause), (Presence::Unknown, Cause::Malformed), "F12: {seen:?}");
    assert_eq!(wrong_bytes(&seen), [""; 0]);
}

#[tokio::test]
async fn an_archive_of_another_chart_or_a_bomb_is_not_restorable_f83() {
    let server = Shop::start().await;
    let mut bomb = file("shop/values.yaml", &vec![0; 32 << 20]);
    bomb.extend(file("shop/Chart.yaml", b"name: shop\nversion: 1.0.2\n"));
    let contents =
        [("1.0.0", archive("shop", "1.0.9", "")), ("1.0.1", gzip(b"no chart at all")), ("1.0.2", gzip(&bomb))];
    let urls: Vec<String> = contents.iter().map(|(version, _)| format!("shop-{version}.tgz")).collect();
    let mut entries = Vec::new();
    for ((version, bytes), url) in contents.iter().zip(&urls) {
        server.put(&format!("/{url}"), "application/gzip", bytes.clone());
        entries.push(("shop", *version, Some(Digest::of(bytes)), url.as_str()));
    }
    server.put("/index.yaml", "text/yaml", index(&entries));
    let source = open(&server, &[]).await;
    let look = async |at: usize| source.inventory.inspect(&shop(), &Digest::of(&contents[at].1).into()).await;
    assert!(wrong_bytes(&look(0).await)[0].contains("1.0.9"));
    assert!(wrong_bytes(&look(1).await)[0].contains("no chart"));
    let seen = look(2).await;
    assert_eq!((seen.presence, &seen.closure), (Presence::Present, &Closure::Unknown), "{seen:?}");
    assert!(seen.gaps[0].detail.contains("unpacks to far more"), "{seen:?}");
}

#[tokio::test]
async fn entries_that_helm_drops_are_told_and_are_not_gone_i4_f140() {
    let server = Shop::start().await;
    let bytes = archive("shop", "1.0.0", "");
    let hex = Digest::of(&bytes).hex();
    let other = Digest::of(b"other").hex();
    server.put(
        "/index.yaml",
        "application/octet-stream",
        format!(
            "apiVersion: v1\nentries:\n  shop:\n  - {{ name: shop, version: 1.0.0, digest: {hex}, urls: [a.tgz] }}\n  \
         - {{ name: shop, version: 1.0.0, digest: {hex}, urls: [b.tgz] }}\n  \
         - {{ name: shop, version: 1.0.1, digest: {hex}, urls: [a.tgz] }}\n  \
         - {{ name: shop, version: 1.0.1, digest: {other}, urls: [a.tgz] }}\n  \
         - {{ name: shop, version: not-semver, digest: {hex}, urls: [a.tgz] }}\n  \
         - {{ name: other, version: 1.0.2, digest: {hex}, urls: [a.tgz] }}\n  \
         - {{ name: shop, version: 1.0.3, digest: ../../x, urls: [a.tgz] }}\n  \
         - {{ version: 1.0.4, digest: {hex}, urls: [a.tgz] }}\n  empty: []\n  nothing: ~\n  dropped:\n  - ~\n  \
         - {{ name: dropped, version: 1.10, urls: [a.tgz] }}\n"
        ),
    );
    let source = open(&server, &[]).await;
    let snapshot = source.inventory.observe(&shop()).await;
    assert_eq!(
        told(&snapshot),
        [
            ("1.0.0".to_owned(), true),
            ("1.0.1".to_owned(), false),
            ("1.0.2".to_owned(), false),
            ("1.0.3".to_owned(), false),
            ("1.0.4".to_owned(), false),
            ("not-semver".to_owned(), false),
        ]
    );
    assert_eq!(snapshot.gaps.len(), 5, "{:?}", snapshot.gaps);
    assert!(snapshot.gaps.iter().all(|gap| gap.cause == Cause::Malformed && matches!(gap.scope, Scope::Tag(_))));
    let (resolution, gap) = source.inventory.look_up(&shop(), &"1.0.1".parse().unwrap()).await;
    assert_eq!((resolution, gap.unwrap().cause), (Resolution::Unknown, Cause::Malformed));

    let dropped = source.inventory.observe(&"dropped".parse().unwrap()).await;
    assert!(!dropped.listing_is_complete() && dropped.tags.is_empty(), "{dropped:?}");
    let (resolution, _) = source.inventory.look_up(&"dropped".parse().unwrap(), &"1.1.0".parse().unwrap()).await;
    assert_eq!(resolution, Resolution::Unknown, "an entry that cannot be read may be that version");
    for empty in ["empty", "nothing"] {
        let snapshot = source.inventory.observe(&empty.parse().unwrap()).await;
        assert!(snapshot.listing_is_complete() && snapshot.tags.is_empty());
    }
    let never = source.inventory.observe(&"never".parse().unwrap()).await;
    assert!(!never.listing_is_complete(), "what the index does not name is not an empty chart");
}

#[tokio::test]
async fn a_flood_of_bad_entries_is_counted_not_told_one_by_one_i20() {
    let server = Shop::start().await;
    let entries: String =
        (0..1_000).map(|n| format!("  - {{ name: shop, version: 1.0.{n}, digest: no, urls: [a.tgz] }}\n")).collect();
    server.put("/index.yaml", "text/yaml", format!("apiVersion: v1\nentries:\n  shop:\n{entries}"));
    let snapshot = open(&server, &[]).await.inventory.observe(&shop()).await;
    assert!(snapshot.tags.len() == 1_000 && snapshot.tags.iter().all(|tag| tag.target == Resolution::Unknown));
    assert_eq!(snapshot.gaps.len(), 20);
    assert!(snapshot.gaps[19].detail.ends_with("(and 980 more)"), "{:?}", snapshot.gaps[19]);
}

#[tokio::test]
async fn a_chart_named_like_a_path_is_never_one_f81() {
    let server = stocked(&["1.2.3"]).await;
    let digest = Some(Digest::of(b"x"));
    let entries = [
        ("..", "1.0.0", digest.clone(), "a.tgz"),
        ("../../etc", "1.0.0", digest.clone(), "a.tgz"),
        ("a/b", "1.0.0", digest.clone(), "a.tgz"),
        ("\\\\h\\c", "1.0.0", digest.clone(), "a.tgz"),
        ("fine", "1.0.0", digest, "a.tgz"),
    ];
    server.put("/index.yaml", "text/yaml", index(&entries));
    let source = open(&server, &[]).await;
    assert_eq!(names(&source).await, (vec!["fine".to_owned()], vec![Cause::Refused]));
}

#[tokio::test]
async fn an_index_that_cannot_be_read_is_a_gap_and_never_empty_i4() {
    let mut bomb = "apiVersion: v1\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(",");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    bomb.push_str("entries: { shop: *a11 }\n");
    let deep = format!("apiVersion: v1\nentries: {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    for (media_type, body) in [
        ("text/html", "<html>login</html>".to_owned()),
        ("text/yaml", "<html>login</html>".to_owned()),
        ("text/yaml", String::new()),
        ("text/yaml", "apiVersion: v1\n".to_owned()),
        ("text/yaml", "entries: {}\n".to_owned()),
        ("text/yaml", "apiVersion: v1\nentries: [1, 2]\n".to_owned()),
        ("text/yaml", "just text".to_owned()),
        ("text/yaml", "apiVersion: v1\nentries:\n  shop: []\n  shop: []\n".to_owned()),
        ("text/yaml", bomb),
        ("text/yaml", deep),
    ] {
        let server = Shop::start().await;
        server.put("/index.yaml", media_type, body.clone());
        let source = open(&server, &[]).await;
        let began = Instant::now();
        let shown = body.chars().take(60).collect::<String>();
        assert_eq!(names(&source).await, (vec![], vec![Cause::Malformed]), "{shown}");
        assert!(!source.inventory.observe(&shop()).await.listing_is_complete(), "{shown}");
        assert_eq!(
            source.inventory.look_up(&shop(), &"1.0.0".parse().unwrap()).await.0,
            Resolution::Unknown,
            "{shown}"
        );
        assert_eq!(source.inventory.inspect(&shop(), &artifact("1.0.0")).await.presence, Presence::Unknown, "{shown}");
        assert!(began.elapsed() < Duration::from_secs(20), "{shown}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn an_endless_index_is_cut_off_f26() {
    let server = Shop::start().await;
    server.put("/index.yaml", "text/yaml", vec![b'#'; 100 << 20]);
    let source = open(&server, &[]).await;
    let snapshot = source.inventory.observe(&shop()).await;
    assert_eq!(snapshot.gaps[0].cause, Cause::Malformed);
    assert!(snapshot.gaps[0].detail.contains("larger than"), "{:?}", snapshot.gaps);
}

#[tokio::test]
async fn credentials_go_home_and_nowhere_else_f7_f15_i18() {
    let (home, cdn) = (Shop::start().await, Shop::start().await);
    let basic = "Basic cHJvZHBpbjpodW50ZXIy";
    home.lock(basic);
    let bytes: Vec<Vec<u8>> = (0..3).map(|number| archive("shop", &format!("1.0.{number}"), "")).collect();
    let at_cdn = format!("http://localhost:{}/shop.tgz", cdn.port);
    let entries = [
        ("shop", "1.0.0", Some(Digest::of(&bytes[0])), "shop-1.0.0.tgz"),
        ("shop", "1.0.1", Some(Digest::of(&bytes[1])), at_cdn.as_str()),
        ("shop", "1.0.2", Some(Digest::of(&bytes[2])), "moved.tgz"),
    ];
    home.put("/index.yaml", "text/yaml", index(&entries));
    home.put("/shop-1.0.0.tgz", "application/gzip", bytes[0].clone());
    cdn.put("/shop.tgz", "application/gzip", bytes[1].clone());
    cdn.put("/elsewhere.tgz", "application/gzip", bytes[2].clone());
    let location = format!("http://localhost:{}/elsewhere.tgz", cdn.port);
    home.answer("/moved.tgz", Answer { status: 302, headers: vec![("location", location)], body: Vec::new() });
    let login = ["username: prodpin", "password: ${SECRET}"];
    let foreign = format!("foreign_hosts: [\"localhost:{}\"]", cdn.port);
    let trusted = format!("credentials_for: [\"localhost:{}\"]", cdn.port);
    let look =
        async |source: &Source, at: usize| source.inventory.inspect(&shop(), &Digest::of(&bytes[at]).into()).await;

    let source = open(&home, &login).await;
    assert_eq!(look(&source, 0).await.presence, Presence::Present);
    let refused = look(&source, 1).await;
    assert_eq!((refused.presence, refused.gaps[0].cause), (Presence::Unknown, Cause::Refused));
    assert!(refused.gaps[0].detail.contains(&format!("localhost:{}", cdn.port)), "{refused:?}");
    assert_eq!(cdn.seen().len(), 0);

    let source = open(&home, &[login[0], login[1], &foreign]).await;
    assert_eq!(look(&source, 1).await.presence, Presence::Present);
    assert_eq!(look(&source, 2).await.presence, Presence::Present);
    assert_eq!(cdn.seen().len(), 2);
    assert!(cdn.seen().iter().all(|seen| seen.authorization.is_none()), "{:?}", cdn.seen());

    let source = open(&home, &[login[0], login[1], &foreign, &trusted]).await;
    assert_eq!(look(&source, 1).await.presence, Presence::Present);
    assert_eq!(cdn.seen()[2].authorization.as_deref(), Some(basic));

    let denied = open(&home, &[]).await.inventory.observe(&shop()).await;
    assert_eq!((denied.gaps[0].cause, denied.tags.len()), (Cause::Denied, 0), "F30");
    let environment = Environment::of([("PRODPIN_CHARTS_USERNAME", "prodpin"), ("PRODPIN_CHARTS_PASSWORD", "hunter2")]);
    let known = open_at(&home.url(), &[], environment).await.inventory.observe(&shop()).await;
    assert_eq!(known.gaps, []);
}

#[tokio::test]
async fn a_foreign_host_s_not_found_is_no_loss_before_it_has_given_anything_i4() {
    let (home, cdn) = (Shop::start().await, Shop::start().await);
    let bytes: Vec<Vec<u8>> = (0..2).map(|number| archive("shop", &format!("1.0.{number}"), "")).collect();
    let urls: Vec<String> = (0..2).map(|number| format!("http://localhost:{}/{number}.tgz", cdn.port)).collect();
    let entries = [
        ("shop", "1.0.0", Some(Digest::of(&bytes[0])), urls[0].as_str()),
        ("shop", "1.0.1", Some(Digest::of(&bytes[1])), urls[1].as_str()),
    ];
    home.put("/index.yaml", "text/yaml", index(&entries));
    let source = open(&home, &[&format!("foreign_hosts: [\"localhost:{}\"]", cdn.port)]).await;
    let look = async |at: usize| source.inventory.inspect(&shop(), &Digest::of(&bytes[at]).into()).await;
    assert_eq!(look(0).await.presence, Presence::Unknown);
    cdn.put("/1.tgz", "application/gzip", bytes[1].clone());
    assert_eq!(look(1).await.presence, Presence::Present);
    assert_eq!(look(0).await.presence, Presence::NotFound);
}

#[tokio::test]
async fn the_way_to_an_archive_leads_to_no_metadata_service_f8_f9_f10() {
    let server = Shop::start().await;
    let bytes = archive("shop", "1.0.0", "");
    for location in ["http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "file:///etc/passwd"] {
        server.put("/index.yaml", "text/yaml", index(&[("shop", "1.0.0", Some(Digest::of(&bytes)), "a.tgz")]));
        let headers = vec![("location", location.to_owned())];
        server.answer("/a.tgz", Answer { status: 302, headers, body: Vec::new() });
        let seen = open(&server, &[]).await.inventory.inspect(&shop(), &Digest::of(&bytes).into()).await;
        assert_eq!((seen.presence, seen.gaps[0].cause), (Presence::Unknown, Cause::Refused), "{location}: {seen:?}");
    }
    for url in ["javascript:alert(1)", "http://169.254.169.254/x.tgz", "ftp://127.0.0.1/x.tgz"] {
        server.put("/index.yaml", "text/yaml", index(&[("shop", "1.0.0", Some(Digest::of(&bytes)), url)]));
        let seen = open(&server, &[]).await.inventory.inspect(&shop(), &Digest::of(&bytes).into()).await;
        assert_eq!(seen.gaps[0].cause, Cause::Refused, "{url}");
    }
    let headers = vec![("location", "http://169.254.169.254/index.yaml".to_owned())];
    server.answer("/index.yaml", Answer { status: 302, headers, body: Vec::new() });
    assert_eq!(open(&server, &[]).await.inventory.observe(&shop()).await.gaps[0].cause, Cause::Refused);
}

#[tokio::test]
async fn without_a_digest_the_archive_itself_is_hashed_f139() {
    let server = Shop::start().await;
    let bytes = archive("shop", "1.0.0", "");
    server.put("/a.tgz", "application/x-tar", bytes.clone());
    server.put(
        "/index.yaml",
        "text/yaml",
        index(&[("shop", "1.0.0", None, "a.tgz"), ("shop", "1.0.1", None, "b.tgz")]),
    );
    let source = open(&server, &[]).await;
    let snapshot = source.inventory.observe(&shop()).await;
    assert_eq!(told(&snapshot), [("1.0.0".to_owned(), true), ("1.0.1".to_owned(), false)]);
    assert_eq!(snapshot.gaps[0].scope, Scope::Tag("1.0.1".parse().unwrap()));
    let seen = source.inventory.inspect(&shop(), &Digest::of(&bytes).into()).await;
    assert_eq!(seen.presence, Presence::Present, "{seen:?}");
    let unclear = source.inventory.inspect(&shop(), &Digest::of(b"other").into()).await;
    assert_eq!(unclear.presence, Presence::Unknown, "it may be the one that cannot be hashed");
}

/// From the documentation of its API: `GET /api/charts/<name>/<version>`, errors as `{"error": …}`.
#[tokio::test]
async fn chartmuseum_is_asked_past_its_index_f141() {
    let server = Shop::start().await;
    let bytes = archive("shop", "1.0.0", "");
    server.put("/team/index.yaml", "text/yaml", index(&[("shop", "1.0.0", Some(Digest::of(&bytes)), "a.tgz")]));
    let description =
        format!("{{\"name\":\"shop\",\"version\":\"1.0.1\",\"digest\":\"{}\"}}", Digest::of(&bytes).hex());
    server.put("/api/team/charts/shop/1.0.1", "application/json", description);
    let gone = Answer {
        status: 404,
        headers: vec![("content-type", "application/json".to_owned())],
        body: b"{\"error\":\"improper constraint: 1.0.2\"}".to_vec(),
    };
    server.answer("/api/team/charts/shop/1.0.2", gone);
    let url = format!("{}/team", server.url());
    let ask = async |lines: &[&str], version: &str| {
        let source = open_at(&url, lines, Environment::default()).await;
        source.inventory.look_up(&shop(), &version.parse().unwrap()).await
    };
    for lines in [&[][..], &["chartmuseum: true"]] {
        assert_eq!(ask(lines, "1.0.1").await, (Resolution::Artifact(Digest::of(&bytes).into()), None));
        assert_eq!(ask(lines, "1.0.2").await, (Resolution::NotFound, None));
    }
    // A page in place of an answer: no ChartMuseum, unless the policy says that it is one.
    assert_eq!(ask(&[], "1.0.3").await, (Resolution::NotFound, None));
    let (resolution, gap) = ask(&["chartmuseum: true"], "1.0.3").await;
    assert_eq!((resolution, gap.unwrap().cause), (Resolution::Unknown, Cause::Malformed));
    let before = server.seen().len();
    assert_eq!(ask(&["chartmuseum: false"], "1.0.1").await, (Resolution::NotFound, None));
    assert_eq!(server.seen().len(), before + 1);
}

struct Quiet;
impl Progress for Quiet {}

/// Runs an audit, and tells code, severity and reference of each finding, with its message.
async fn audit(policy: &Policy, source: Source) -> Vec<(String, String)> {
    let name: SourceName = "charts".parse().unwrap();
    let options = RunOptions {
        mode: Mode::Audit,
        sources: Vec::new(),
        shard: None,
        repositories: Vec::new(),
        concurrency: 4,
        deadline: None,
        stop: Stop::default(),
    };
    let report = run_on(policy, [(name, source)].into(), &options, Arc::new(Quiet)).await.unwrap();
    let mut findings = Vec::new();
    for finding in report.body.rows().flat_map(|row| row.unwrap().findings) {
        let reference = finding.reference.unwrap_or_default();
        findings.push((format!("{} {} {reference}", finding.severity, finding.code), finding.message));
    }
    findings.sort();
    findings
}

fn code(findings: &[(String, String)], wanted: &str) -> String {
    let found: Vec<_> = findings.iter().filter(|(code, _)| code.contains(wanted)).collect();
    let [(_, message)] = found.as_slice() else { panic!("one {wanted} of {findings:?}") };
    message.clone()
}

#[tokio::test]
async fn republished_and_vanished_versions_are_told_as_what_they_are_f140() {
    let server = stocked(&["1.2.3+a", "1.2.3+b", "1.3.0"]).await;
    let directory = tempfile::tempdir().unwrap();
    let mut policy = policy(&format!("    helm: {}\n", server.url()));
    policy.ledger = LedgerLocation::Directory(directory.path().join("ledger"));
    let first = audit(&policy, open(&server, &[]).await).await;
    assert!(code(&first, "pin-ineffective").contains("cannot be pinned"), "{first:?}");
    assert!(code(&first, "medium pin-ineffective").contains("3 of 3"));

    // Published again, with the index written anew.
    let again = archive("shop", "1.3.0", "other bytes");
    let path = "charts/shop-1.3.0.tgz";
    server.put(&format!("/{path}"), "application/gzip", again.clone());
    let (a, b) = (archive("shop", "1.2.3+a", "1.2.3+a"), archive("shop", "1.2.3+b", "1.2.3+b"));
    let all = [
        ("shop", "1.2.3+a", Some(Digest::of(&a)), "charts/shop-1.2.3+a.tgz"),
        ("shop", "1.2.3+b", Some(Digest::of(&b)), "charts/shop-1.2.3+b.tgz"),
        ("shop", "1.3.0", Some(Digest::of(&again)), path),
    ];
    server.put("/index.yaml", "text/yaml", index(&all));
    let second = audit(&policy, open(&server, &[]).await).await;
    let message = code(&second, "critical chart-republished 1.3.0");
    assert!(message.contains("published again") && message.contains("production"), "{message}");
    code(&second, "critical target-missing 1.3.0");
    assert!(!second.iter().any(|(code, _)| code.contains("tag-moved")));

    // Gone twice, its archive as well: deleted, and Helm would take its neighbour for it.
    server.put("/index.yaml", "text/yaml", index(&all[1..]));
    server.remove("/charts/shop-1.2.3+a.tgz");
    let third = audit(&policy, open(&server, &[]).await).await;
    assert!(!third.iter().any(|(code, _)| code.contains("tag-deleted")), "I4: {third:?}");
    let fourth = audit(&policy, open(&server, &[]).await).await;
    let message = code(&fourth, "tag-deleted 1.2.3+a");
    assert!(message.contains("Helm would install 1.2.3+b for it"), "{message}");
}

/// An index that was written anew with other digests, over archives that stayed as they were.
#[tokio::test]
async fn what_the_index_says_of_an_archive_makes_no_release_missing_i25() {
    let server = stocked(&["1.2.0", "1.3.0"]).await;
    let directory = tempfile::tempdir().unwrap();
    let mut policy = policy(&format!("    helm: {}\n", server.url()));
    policy.ledger = LedgerLocation::Directory(directory.path().join("ledger"));
    audit(&policy, open(&server, &[]).await).await;
    let same = archive("shop", "1.3.0", "1.3.0");
    let wrong = Digest::of(b"what the index was told");
    let entries = [
        ("shop", "1.2.0", Some(Digest::of(&archive("shop", "1.2.0", "1.2.0"))), "charts/shop-1.2.0.tgz"),
        ("shop", "1.3.0", Some(wrong), "charts/shop-1.3.0.tgz"),
    ];
    server.put("/index.yaml", "text/yaml", index(&entries));
    for _ in 0..2 {
        let told = audit(&policy, open(&server, &[]).await).await;
        assert!(!told.iter().any(|(code, _)| code.contains("target-missing")), "it is served as ever: {told:?}");
        assert!(code(&told, "critical chart-digest-mismatch").contains("do not agree"), "{told:?}");
    }
    // Where the bytes are gone as well, it is missing.
    server.put("/charts/shop-1.3.0.tgz", "application/gzip", archive("shop", "1.3.0", "other bytes"));
    let told = audit(&policy, open(&server, &[]).await).await;
    assert!(code(&told, "critical target-missing").contains(&ArtifactId::from(Digest::of(&same)).short()), "{told:?}");
}

#[tokio::test]
async fn a_look_ahead_promises_nothing_where_no_rules_can_be_read_a54() {
    let server = stocked(&["1.2.3"]).await;
    let mut policy = policy(&format!("    helm: {}\n", server.url()));
    policy.ledger = LedgerLocation::None;
    let sources = [("charts".parse().unwrap(), open(&server, &[]).await)].into();
    let as_of = Some("2099-01-01T00:00:00Z".parse().unwrap());
    let options = ForecastOptions { as_of, concurrency: 4, ..ForecastOptions::default() };
    let forecast = forecast_on(&policy, sources, &options, Arc::new(Quiet)).await.unwrap();
    let rows: Vec<_> = forecast.report.rows().map(Result::unwrap).collect();
    let [row] = rows.as_slice() else { panic!("one chart: {rows:?}") };
    assert_eq!(row.rules, RulesFound::NoneReadable);
    let [target] = row.targets.as_slice() else { panic!("one version: {row:?}") };
    assert_eq!((&target.fate, &target.remedy, target.threats.len()), (&Some(Fate::Unknown), &None, 0));
    assert_eq!(target.target.protected, Some(false), "I7: nothing is pinned here");
}

#[tokio::test]
async fn an_archive_changed_behind_its_index_is_critical() {
    let server = stocked(&["1.2.3", "1.2.4"]).await;
    server.put("/charts/shop-1.2.4.tgz", "application/gzip", archive("shop", "1.2.4", "changed"));
    let mut policy = policy(&format!("    helm: {}\n", server.url()));
    policy.ledger = LedgerLocation::None;
    let findings = audit(&policy, open(&server, &[]).await).await;
    assert!(code(&findings, "critical chart-digest-mismatch 1.2.4").contains("index and archive do not agree"));
}

#[test]
fn a_policy_about_charts_is_checked_f71_f72() {
    let check = |source: &str| {
        let text = format!("version: 1\nsources:\n  c: {{ {source} }}\nproduction: [{{ tags: [\"1*\"] }}]\n");
        prodpin::policy::parse(&text, "prodpin.yaml", &|name| (name == "SECRET").then(|| "hunter2".to_owned()))
    };
    for (source, told) in [
        ("helm: \"\"", "no address"),
        ("helm: charts.example.com", "no address"),
        ("helm: ftp://charts.example.com", "must start with https://"),
        ("helm: \"https://u:hunter2@charts.example.com\"", "must not hold a user name or password"),
        ("helm: https://charts.example.com/index.yaml", "leave out index.yaml"),
        ("helm: \"https://charts.example.com/?a=b\"", "must end after its path"),
        ("helm: \"oci://charts.example.com\"", "write an oci: source"),
        ("helm: https://c.example.com, username: u", "username without password"),
        ("helm: https://c.example.com, password: \"${SECRET}\"", "password without username"),
        ("helm: https://c.example.com, username: u, password: \"${SECRET}\", token: \"${SECRET}\"", "not both"),
        ("helm: http://c.example.com, token: \"${SECRET}\"", "without TLS"),
        ("helm: https://c.example.com, credentials_for: [cdn.example.com]", "name it under foreign_hosts too"),
        ("helm: https://c.example.com, foreign_hosts: [\"https://x/\"]", "a host of archives is a host"),
        ("helm: https://c.example.com, repositories: [\"a/b\"]", "no chart has a '/' in its name"),
        ("helm: https://c.example.com, region: eu-west-1", "has no region"),
        ("helm: \"s3://bucket/p\", token: \"${SECRET}\"", "has no token"),
        ("helm: \"s3://b\"", "no bucket name"),
        ("helm: \"s3://bucket/a?b\"", "no prefix"),
    ] {
        let said = check(source).unwrap_err().to_string();
        assert!(said.contains(told), "{source}: {said}");
        assert!(!said.contains("hunter2"), "I18: {said}");
    }
    for (source, address) in [
        ("helm: https://c.example.com", "https://c.example.com/"),
        ("helm: https://c.example.com/a/b, token: \"${SECRET}\"", "https://c.example.com/a/b/"),
        ("helm: http://127.0.0.1:1, token: \"${SECRET}\"", "http://127.0.0.1:1/"),
        ("helm: \"s3://bucket/a/b/\", owner: \"111122223333\"", "s3://bucket/a/b/"),
        ("helm: \"s3://bucket\"", "s3://bucket/"),
    ] {
        let policy = check(source).unwrap();
        let Some(SourceConfig::Helm(config)) = policy.sources.values().next() else { panic!("{source}") };
        assert_eq!(config.address(), address);
        assert!(!format!("{config:?}").contains("hunter2"), "I18");
    }
    let twice = "version: 1\nsources:\n  a: { helm: https://c.example.com }\n  b: { helm: https://c.example.com/ }\n\
                 production: [{ tags: [\"1*\"] }]\n";
    let said = prodpin::policy::parse(twice, "prodpin.yaml", &|_| None).unwrap_err().to_string();
    assert!(said.contains("the same source"), "{said}");
}

#[tokio::test]
async fn references_find_their_chart() {
    let server = stocked(&["1.2.3"]).await;
    let source =
        open_at(&format!("{}/stable", server.url()), &["repositories: [\"shop*\"]"], Environment::default()).await;
    let here = format!("{}/stable/charts/shop-1.2.3.tgz", server.url());
    let beside = format!("{}/stable-2/shop-1.2.3.tgz", server.url());
    for (reference, found) in [
        (here.as_str(), true),
        ("chart:shop:1.2.3", true),
        ("chart:other:1.2.3", false),
        (beside.as_str(), false),
        ("https://elsewhere.example.com/shop-1.2.3.tgz", false),
        ("registry.example.com/shop:1.2.3", false),
    ] {
        let located = source.inventory.locate(&reference.parse().unwrap());
        let expected = (shop(), RunningReference::Tag("1.2.3".parse().unwrap()));
        assert_eq!(located, found.then_some(expected), "{reference}");
    }
}
