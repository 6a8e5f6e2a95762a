//! Archives: what they hold, where they lie, and who gets the credentials on the way there.

use prodpin::model::{Cause, Closure, Digest, Obstacle, PinState, Presence, Scope};
use prodpin::sources::Source;
use prodpin::sources::oci::Variables;

use super::shop::{artifact, names, open, open_at, reported, shop, stocked, wrong_bytes};
use crate::support::chart::{Answer, Shop, archive, file, gzip, index};
use crate::support::each;

#[tokio::test]
async fn a_chart_is_read_hashed_and_said_to_be_unpinnable_i7() {
    let server = stocked(&["1.2.3", "1.2.4+build.7"]).await;
    let source = open(&server, &[]).await;
    assert_eq!(names(&source).await, (vec!["shop".to_owned()], vec![]));
    let snapshot = source.inventory.observe(&shop()).await;
    assert_eq!(snapshot.gaps, []);
    assert_eq!(reported(&snapshot), [("1.2.3".to_owned(), true), ("1.2.4+build.7".to_owned(), true)]);
    let seen = source.inventory.inspect(&shop(), &artifact("1.2.4+build.7")).await;
    assert_eq!((seen.presence, &seen.closure), (Presence::Present, &Closure::Complete), "{seen:?}");
    assert_eq!(seen.pin, PinState::Unsupported { marked: false });
    assert!(matches!(seen.obstacles.as_slice(), [Obstacle::NoPins { .. }]), "{:?}", seen.obstacles);
    assert!(seen.created.is_some() && seen.gaps.is_empty());
    let none = source.inventory.inspect(&shop(), &artifact("9.9.9")).await;
    assert_eq!(none.presence, Presence::NotFound);
    assert!(each(server.seen().iter(), |seen| seen.method == "GET"), "I17");
}

#[tokio::test]
async fn where_a_third_of_all_requests_is_refused_the_rest_goes_on_f113() {
    let versions = ["1.2.3", "1.2.4", "1.2.5", "1.2.6"];
    let server = stocked(&versions).await;
    server.refuse_each(3);
    let source = open(&server, &[]).await;
    let snapshot = source.inventory.observe(&shop()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (versions.len(), vec![]));
    for version in versions {
        let seen = source.inventory.inspect(&shop(), &artifact(version)).await;
        assert_eq!((seen.presence, seen.gaps), (Presence::Present, vec![]), "{version}");
    }
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
        entries.push(("shop", *version, Some(Digest::sha256(bytes)), url.as_str()));
    }
    server.put("/index.yaml", "text/yaml", index(&entries));
    let source = open(&server, &[]).await;
    let look = async |at: usize| source.inventory.inspect(&shop(), &Digest::sha256(&contents[at].1).into()).await;
    assert!(wrong_bytes(&look(0).await)[0].contains("1.0.9"));
    assert!(wrong_bytes(&look(1).await)[0].contains("no chart"));
    let seen = look(2).await;
    assert_eq!((seen.presence, &seen.closure), (Presence::Present, &Closure::Unknown), "{seen:?}");
    assert!(seen.gaps[0].detail.contains("unpacks to far more"), "{seen:?}");
}

#[tokio::test]
async fn credentials_go_home_and_nowhere_else_f7_f15_i18() {
    let (home, cdn) = (Shop::start().await, Shop::start().await);
    let basic = "Basic cHJvZHBpbjpodW50ZXIy";
    home.lock(basic);
    let bytes: Vec<Vec<u8>> = (0..3).map(|number| archive("shop", &format!("1.0.{number}"), "")).collect();
    let at_cdn = format!("http://localhost:{}/shop.tgz", cdn.port);
    let entries = [
        ("shop", "1.0.0", Some(Digest::sha256(&bytes[0])), "shop-1.0.0.tgz"),
        ("shop", "1.0.1", Some(Digest::sha256(&bytes[1])), at_cdn.as_str()),
        ("shop", "1.0.2", Some(Digest::sha256(&bytes[2])), "moved.tgz"),
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
        async |source: &Source, at: usize| source.inventory.inspect(&shop(), &Digest::sha256(&bytes[at]).into()).await;

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
    assert!(each(cdn.seen().iter(), |seen| seen.authorization.is_none()), "{:?}", cdn.seen());

    let source = open(&home, &[login[0], login[1], &foreign, &trusted]).await;
    assert_eq!(look(&source, 1).await.presence, Presence::Present);
    assert_eq!(cdn.seen()[2].authorization.as_deref(), Some(basic));

    let denied = open(&home, &[]).await.inventory.observe(&shop()).await;
    assert_eq!((denied.gaps[0].cause, denied.tags.len()), (Cause::Denied, 0), "F30");
    let environment =
        Variables::from_pairs([("PRODPIN_CHARTS_USERNAME", "prodpin"), ("PRODPIN_CHARTS_PASSWORD", "hunter2")]);
    let known = open_at(&home.url(), &[], environment).await.inventory.observe(&shop()).await;
    assert_eq!(known.gaps, []);
}

#[tokio::test]
async fn a_foreign_host_s_not_found_is_no_loss_before_it_has_given_anything_i4() {
    let (home, cdn) = (Shop::start().await, Shop::start().await);
    let bytes: Vec<Vec<u8>> = (0..2).map(|number| archive("shop", &format!("1.0.{number}"), "")).collect();
    let urls: Vec<String> = (0..2).map(|number| format!("http://localhost:{}/{number}.tgz", cdn.port)).collect();
    let entries = [
        ("shop", "1.0.0", Some(Digest::sha256(&bytes[0])), urls[0].as_str()),
        ("shop", "1.0.1", Some(Digest::sha256(&bytes[1])), urls[1].as_str()),
    ];
    home.put("/index.yaml", "text/yaml", index(&entries));
    let source = open(&home, &[&format!("foreign_hosts: [\"localhost:{}\"]", cdn.port)]).await;
    let look = async |at: usize| source.inventory.inspect(&shop(), &Digest::sha256(&bytes[at]).into()).await;
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
        server.put("/index.yaml", "text/yaml", index(&[("shop", "1.0.0", Some(Digest::sha256(&bytes)), "a.tgz")]));
        let headers = vec![("location", location.to_owned())];
        server.answer("/a.tgz", Answer { status: 302, headers, body: Vec::new() });
        let seen = open(&server, &[]).await.inventory.inspect(&shop(), &Digest::sha256(&bytes).into()).await;
        assert_eq!((seen.presence, seen.gaps[0].cause), (Presence::Unknown, Cause::Refused), "{location}: {seen:?}");
    }
    for url in ["javascript:alert(1)", "http://169.254.169.254/x.tgz", "ftp://127.0.0.1/x.tgz"] {
        server.put("/index.yaml", "text/yaml", index(&[("shop", "1.0.0", Some(Digest::sha256(&bytes)), url)]));
        let seen = open(&server, &[]).await.inventory.inspect(&shop(), &Digest::sha256(&bytes).into()).await;
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
    assert_eq!(reported(&snapshot), [("1.0.0".to_owned(), true), ("1.0.1".to_owned(), false)]);
    assert_eq!(snapshot.gaps[0].scope, Scope::Tag("1.0.1".parse().unwrap()));
    let seen = source.inventory.inspect(&shop(), &Digest::sha256(&bytes).into()).await;
    assert_eq!(seen.presence, Presence::Present, "{seen:?}");
    let unclear = source.inventory.inspect(&shop(), &Digest::sha256(b"other").into()).await;
    assert_eq!(unclear.presence, Presence::Unknown, "it may be the one that cannot be hashed");
}
