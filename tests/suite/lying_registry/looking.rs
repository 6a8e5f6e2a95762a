//! What looking leaves behind: every GET of a manifest counts as a pull somewhere, and a rule by last pull then keeps
//! what nobody uses (I30, F124).

use std::collections::BTreeMap;

use prodpin::model::{Digest, Mode, NamePatterns, Order, StatedCleanup};
use prodpin::run::ForecastOptions;

use super::content::Opening;
use super::server::{Lie, Server};
use crate::estate::{Estate, tags};
use crate::support::each;

/// Eight releases: an index over two images each, of which five are kept, and tags that are nobody's release.
async fn shop() -> (Server, Vec<Digest>, Vec<Digest>) {
    let server = Server::start([]).await;
    let (mut indexes, mut images) = (Vec::new(), Vec::new());
    server.store(|store| {
        for n in 0..8 {
            let children = ["amd64", "arm64"].map(|platform| store.image(&format!("{n} {platform}")));
            let index = store.index(&[&children[0], &children[1]]);
            store.tag("shop/api", &format!("v1.{n}"), &index);
            indexes.push(index);
            images.extend(children);
        }
        let other = store.image("dev");
        store.tag("shop/api", "dev-1", &other);
        store.tag("shop/api", "latest", &indexes[7]);
    });
    (server, indexes, images)
}

/// The manifests that were fetched, by reference, and how often.
fn fetched(server: &Server) -> BTreeMap<String, usize> {
    let mut fetched = BTreeMap::new();
    for seen in server.seen() {
        let Some((_, reference)) = seen.path.split_once("/manifests/").filter(|_| seen.method == "GET") else {
            continue;
        };
        // A pin that is not there is asked for by GET, to tell the registry's word from a proxy's: nothing is pulled.
        if !reference.starts_with("prod-pinned-") {
            *fetched.entry(reference.to_owned()).or_default() += 1;
        }
    }
    fetched
}

/// Each of these once, and nothing else.
fn once(digests: &[&[Digest]]) -> BTreeMap<String, usize> {
    digests.iter().flat_map(|digests| digests.iter()).map(|digest| (digest.to_string(), 1)).collect()
}

async fn run(estate: &Estate, server: &Server, mode: Mode) -> BTreeMap<String, usize> {
    let before = fetched(server);
    let mut opening = Opening::at(server);
    opening.config.cleanup = Some(StatedCleanup::None);
    let opening = if mode == Mode::Enforce { opening.writing() } else { opening };
    assert!(estate.run_on(mode, opening.open()).await.complete);
    since(&before, server)
}

fn since(before: &BTreeMap<String, usize>, server: &Server) -> BTreeMap<String, usize> {
    let grown = fetched(server).into_iter().map(|(reference, count)| {
        let known = before.get(&reference).copied().unwrap_or_default();
        (reference, count - known)
    });
    grown.filter(|(_, count)| *count > 0).collect()
}

/// A registry where a GET of a manifest counts as a pull, by its challenge.
const COUNTS: Lie = Lie::Shows("/v2/_zot/ext/discover", 200, &[], r#"{"extensions":null}"#);

#[tokio::test]
async fn a_run_fetches_targets_and_what_is_below_them_each_digest_once_and_no_tag_i30_f124() {
    let (server, indexes, images) = shop().await;
    server.lie(COUNTS);
    let kept = once(&[&indexes[3..], &images[6..]]);
    let estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    assert_eq!(run(&estate, &server, Mode::Audit).await, kept, "the first look");
    assert_eq!(run(&estate, &server, Mode::Enforce).await, kept, "pins are made of what was fetched, and read back");
    assert_eq!(server.count("PUT", "/manifests/prod-pinned-"), 5);
    let asked = server.count("GET", "/manifests/prod-pinned-");
    assert_eq!(run(&estate, &server, Mode::Enforce).await, kept, "everything is pinned");
    assert_eq!(run(&estate, &server, Mode::Audit).await, kept, "nothing has changed");
    let before = fetched(&server);
    estate.forecast_on(ForecastOptions::default(), Opening::at(&server).open()).await;
    assert_eq!(since(&before, &server), kept, "a forecast");
    let before = fetched(&server);
    estate.ready_on(Opening::at(&server).open()).await;
    assert_eq!(since(&before, &server), kept, "the page about going back");
    assert_eq!(server.count("GET", "/manifests/prod-pinned-"), asked, "pins that are there are read by HEAD");
}

#[tokio::test]
async fn tags_that_moved_together_are_confirmed_by_one_fetch_i30_f21() {
    let (server, indexes, _) = shop().await;
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    estate.policy.may_move = NamePatterns::new(["latest"]).unwrap();
    run(&estate, &server, Mode::Audit).await;
    let new = server.store(|store| {
        let image = store.image("8 amd64");
        let new = store.index(&[&image]);
        for tag in ["v1.8", "latest", "stable"] {
            store.tag("shop/api", tag, &new);
        }
        new
    });
    let grown = run(&estate, &server, Mode::Audit).await;
    let by_tag: usize = ["v1.8", "latest", "stable"].iter().filter_map(|tag| grown.get(*tag)).sum();
    assert_eq!(by_tag + grown.get(&new.to_string()).copied().unwrap_or_default(), 1, "{grown:?}");
    assert!(!grown.contains_key(&indexes[3].to_string()), "what fell out of the five is not fetched: {grown:?}");
}

/// Where nothing counts pulls, what a tag of a target serves is held against what HEAD says of it (F105).
#[tokio::test]
async fn where_pulls_do_not_count_tags_of_targets_are_read_once_as_well_i30_f105() {
    let (server, indexes, images) = shop().await;
    let mut kept = once(&[&indexes[3..], &images[6..]]);
    for tag in ["v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "latest"] {
        kept.insert(tag.to_owned(), 1);
    }
    let estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    for _ in 0..2 {
        assert_eq!(run(&estate, &server, Mode::Audit).await, kept);
    }
}

#[tokio::test]
async fn releases_ordered_by_build_time_are_fetched_once_for_that_and_for_the_rest_i30() {
    let (server, indexes, images) = shop().await;
    server.lie(COUNTS);
    let estate = Estate::new(vec![tags(&["v*"], Order::Pushed)]);
    let first = run(&estate, &server, Mode::Audit).await;
    assert!(each(first.values(), |count| *count == 1), "{first:?}");
    assert!(each(indexes.iter(), |index| first.contains_key(&index.to_string())), "each competes for a place");
    // Their build times are on record.
    let second = run(&estate, &server, Mode::Audit).await;
    assert!(each(second.values(), |count| *count == 1), "{second:?}");
    assert!(images.len() > 10);
}

#[tokio::test]
async fn what_was_fetched_is_asked_for_again_before_it_is_called_present_i7_i30() {
    let (server, indexes, _) = shop().await;
    let source = Opening::at(&server).open();
    let artifact = indexes[7].clone().into();
    let repository = super::content::repository();
    assert_eq!(source.inventory.inspect(&repository, &artifact).await.presence, prodpin::model::Presence::Present);
    server.lie(Lie::Gone(format!("/manifests/{}", indexes[7])));
    assert_eq!(source.inventory.inspect(&repository, &artifact).await.presence, prodpin::model::Presence::NotFound);
}
