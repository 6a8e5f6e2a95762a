//! Indexes: fetched once, whole or a gap, with entries that Helm would drop.

use std::time::{Duration, Instant};

use prodpin::model::{Cause, Closure, Digest, Presence, Resolution, Scope};
use prodpin::sources::oci::Variables;

use super::shop::{artifact, names, open, open_at, reported, shop, stock, stocked, wrong_bytes};
use crate::support::chart::{Answer, Shop, archive, index};
use crate::support::each;

#[tokio::test]
async fn another_entry_with_the_same_digest_loses_no_chart_i4() {
    let server = stocked(&["1.2.3"]).await;
    let digest = Digest::sha256(&archive("shop", "1.2.3", "1.2.3"));
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
async fn entries_that_helm_drops_are_told_and_are_not_gone_i4_f140() {
    let server = Shop::start().await;
    let bytes = archive("shop", "1.0.0", "");
    let hex = Digest::sha256(&bytes).hex();
    let other = Digest::sha256(b"other").hex();
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
        reported(&snapshot),
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
    assert!(each(snapshot.gaps.iter(), |gap| gap.cause == Cause::Malformed && matches!(gap.scope, Scope::Tag(_))));
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
    let digest = Some(Digest::sha256(b"x"));
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

/// From the documentation of its API: `GET /api/charts/<name>/<version>`, errors as `{"error": …}`.
#[tokio::test]
async fn chartmuseum_is_asked_past_its_index_f141() {
    let server = Shop::start().await;
    let bytes = archive("shop", "1.0.0", "");
    server.put("/team/index.yaml", "text/yaml", index(&[("shop", "1.0.0", Some(Digest::sha256(&bytes)), "a.tgz")]));
    let description =
        format!("{{\"name\":\"shop\",\"version\":\"1.0.1\",\"digest\":\"{}\"}}", Digest::sha256(&bytes).hex());
    server.put("/api/team/charts/shop/1.0.1", "application/json", description);
    let gone = Answer {
        status: 404,
        headers: vec![("content-type", "application/json".to_owned())],
        body: b"{\"error\":\"improper constraint: 1.0.2\"}".to_vec(),
    };
    server.answer("/api/team/charts/shop/1.0.2", gone);
    let url = format!("{}/team", server.url());
    let ask = async |lines: &[&str], version: &str| {
        let source = open_at(&url, lines, Variables::default()).await;
        source.inventory.look_up(&shop(), &version.parse().unwrap()).await
    };
    for lines in [&[][..], &["chartmuseum: true"]] {
        assert_eq!(ask(lines, "1.0.1").await, (Resolution::Artifact(Digest::sha256(&bytes).into()), None));
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
