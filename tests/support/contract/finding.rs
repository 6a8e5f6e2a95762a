//! Which repositories a source has.

use std::collections::BTreeSet;

use prodpin::model::{DeployedReference, Reference, Scope};
use prodpin::sources::memory::image;

use super::{Fixture, listed, open};

pub(crate) async fn globs_select_each_repository_once(fixture: &dyn Fixture) {
    let [api, web, other] = ["shop/api", "shop/web", "other/api"].map(|name| fixture.repository(name));
    for repository in [&api, &web, &other] {
        fixture.push(repository, "v1", &image("one")).await;
    }
    let pattern = fixture.repository("shop/PATTERN").as_str().replace("PATTERN", "*");
    let source = fixture.open(&[&pattern, api.as_str()], false).await;
    assert_eq!(listed(&source).await, (BTreeSet::from([api, web]), vec![]));
    assert_eq!(source.inventory.unmatched_patterns(), [""; 0]);
}

pub(crate) async fn exclusions_take_away(fixture: &dyn Fixture) {
    let [kept, taken] = ["shop/api", "shop/sandbox"].map(|name| fixture.repository(name));
    for repository in [&kept, &taken] {
        fixture.push(repository, "v1", &image("one")).await;
    }
    let pattern = kept.as_str().replace("shop/api", "**");
    let source = fixture.open(&[&pattern, &format!("!{taken}")], false).await;
    assert_eq!(listed(&source).await, (BTreeSet::from([kept]), vec![]));
}

pub(crate) async fn an_explicit_name_needs_no_catalog(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    fixture.push(&repository, "v1", &image("one")).await;
    let source = open(fixture, &repository, false).await;
    assert_eq!(listed(&source).await, (BTreeSet::from([repository]), vec![]));
}

pub(crate) async fn a_pattern_that_matches_nothing_is_told_f73(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    fixture.push(&repository, "v1", &image("one")).await;
    let lost = repository.as_str().replace("shop/api", "shpo/*");
    let source = fixture.open(&[repository.as_str(), &lost], false).await;
    let (_, gaps) = listed(&source).await;
    // What has no repositories may not be told from what may not be seen: then a gap names it.
    let names_it = |detail: &str| {
        detail.contains("no repository of shpo")
            || detail.contains("shpo") && detail.ends_with("name the repository as it is")
    };
    if !gaps.iter().any(|gap| gap.scope == Scope::Source && names_it(&gap.detail)) {
        assert_eq!(source.inventory.unmatched_patterns(), [lost]);
    }
}

pub(crate) async fn a_repository_that_never_was_is_not_an_empty_one_i4(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/never");
    let source = open(fixture, &repository, false).await;
    let snapshot = source.inventory.observe(&repository).await;
    assert_eq!(snapshot.tags, []);
    assert!(!snapshot.listing_is_complete(), "an absent repository passed for one without tags");
}

pub(crate) async fn references_find_their_way_into_the_source(fixture: &dyn Fixture) {
    let repository = fixture.repository("shop/api");
    let artifact = fixture.push(&repository, "v1", &image("one")).await;
    let inventory = open(fixture, &repository, false).await.inventory;
    let by_tag = fixture.reference(&repository, "v1");
    let tag = DeployedReference::Tag(fixture.tag(&repository, "v1"));
    assert_eq!(inventory.locate(&by_tag), Some((repository.clone(), tag)), "{by_tag}");
    if let Reference::Image { host, repository: name, .. } = by_tag {
        let by_digest = Reference::Image { host, repository: name, tag: None, digest: artifact.digest().cloned() };
        let exact = DeployedReference::Artifact(artifact);
        assert_eq!(inventory.locate(&by_digest), Some((repository.clone(), exact)), "{by_digest}");
    }
    let foreign: Reference = format!("elsewhere.example.com/{repository}:v1").parse().expect("a reference");
    assert_eq!(inventory.locate(&foreign), None);
}
