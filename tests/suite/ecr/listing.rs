//! Lists: repositories, images and their settings.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use prodpin::model::{
    Cause, Digest, EcrRepository, ImageStatus, Mutability, RepositoryName, Resolution, Retention, Scope, Setting,
    SettingFacts, Snapshot,
};
use prodpin::sources::Source;
use prodpin::sources::memory::{image, index};
use serde_json::json;

use super::{always, api, first, images, reading, reported};
use crate::support::each;
use crate::support::ecr::{ACCOUNT, Answer, EcrServer, REGION, StoredRepository, TRUSTED};

fn ecr(snapshot: &Snapshot) -> &EcrRepository {
    let Retention::Ecr(repository) = &snapshot.retention else { panic!("{:?}", snapshot.retention) };
    repository
}

async fn listed(source: &Source) -> (Vec<String>, Vec<(Scope, Cause)>) {
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let names = found.iter().flatten().map(ToString::to_string).collect();
    (names, reported(&found.into_iter().filter_map(Result::err).collect::<Vec<_>>()))
}

#[tokio::test]
async fn a_snapshot_has_all_that_lifecycle_rules_depend_on_a3_a18() {
    let server = EcrServer::start().await;
    let whole = server.push("shop/api", "v1", &index("one"));
    let archived = server.push("shop/api", "v0", &image("old"));
    {
        let mut holdings = server.holdings();
        holdings.cache.push(("shop".to_owned(), "registry.upstream.example".to_owned()));
        let repository = holdings.repositories.get_mut("shop/api").unwrap();
        repository.image(&archived).status = "ARCHIVED".to_owned();
        repository.mode = "MUTABLE_WITH_EXCLUSION".to_owned();
        repository.filters = vec!["prod-pinned-*".to_owned()];
        repository.lifecycle = Some("{\"rules\":[]}".to_owned());
        repository.policy = Some("{\"Statement\":[]}".to_owned());
    }
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!(snapshot.gaps, []);
    let repository = ecr(&snapshot);
    assert_eq!(&*repository.registry, ACCOUNT);
    assert_eq!(repository.mutability, Some(Mutability::MutableExcept(vec!["prod-pinned-*".to_owned()])));
    assert_eq!(repository.lifecycle, Setting::Text("{\"rules\":[]}".into()));
    assert_eq!(repository.access, Setting::Text("{\"Statement\":[]}".into()));
    assert_eq!(repository.cached_from.as_deref(), Some("registry.upstream.example"));
    assert_eq!(repository.images.len(), 4, "an index, its two children, and what is archived");
    let by_digest = |digest: &Digest| repository.images.iter().find(|image| image.digest == *digest).unwrap();
    assert!(by_digest(&whole).is_index);
    assert_eq!(by_digest(&archived).status, ImageStatus::Archived);
    assert_eq!(by_digest(&archived).pushed.unwrap().subsec_millisecond(), 250);
    assert_eq!(snapshot.tags.len(), 2);
    assert!(each(snapshot.tags.iter(), |tag| tag.pushed.is_some()), "{:?}", snapshot.tags);
}

#[tokio::test]
async fn policies_that_are_not_set_are_told_from_those_that_cannot_be_read() {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!((&ecr(&snapshot).lifecycle, &ecr(&snapshot).access), (&Setting::Unset, &Setting::Unset));
    assert_eq!(snapshot.gaps, []);

    server.lie(always("GetLifecyclePolicy", Answer::error("AccessDeniedException", "no")));
    server.lie(always("GetRepositoryPolicy", Answer::ok(json!({ "policyText": "" }))));
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!((&ecr(&snapshot).lifecycle, &ecr(&snapshot).access), (&Setting::Unknown, &Setting::Unknown));
    assert_eq!(reported(&snapshot.gaps), [(Scope::Setting, Cause::Denied), (Scope::Setting, Cause::Malformed)]);
    assert!(snapshot.gaps[0].detail.contains("grant ecr:GetLifecyclePolicy"), "{}", snapshot.gaps[0].detail);
    assert_eq!(snapshot.tags.len(), 1, "what could be read is there");
}

#[tokio::test]
async fn a_mutability_that_is_not_known_is_unknown_f53() {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    server.holdings().repositories.get_mut("shop/api").unwrap().mode = "IMMUTABLE_ON_TUESDAYS".to_owned();
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!(ecr(&snapshot).mutability, None);
    assert_eq!(reported(&snapshot.gaps), [(Scope::Setting, Cause::Unsupported)]);
}

#[tokio::test]
async fn the_list_of_repositories_tells_their_settings_once() {
    let server = EcrServer::start().await;
    for number in 0..20 {
        let mode = if number % 2 == 0 { "IMMUTABLE" } else { "MUTABLE" };
        let repository = StoredRepository { mode: mode.to_owned(), ..StoredRepository::default() };
        server.holdings().repositories.insert(format!("shop/r{number:02}"), repository);
    }
    server.holdings().repositories.insert("other/x".to_owned(), StoredRepository::default());
    let source = server.open_as(TRUSTED, &["shop/**", "!shop/r07"], false).await;
    let (names, gaps) = listed(&source).await;
    assert_eq!((names.len(), gaps), (19, vec![]));
    for name in &names {
        let snapshot = source.inventory.observe(&name.parse().unwrap()).await;
        let expected =
            if name.ends_with(['0', '2', '4', '6', '8']) { Mutability::Immutable } else { Mutability::Mutable };
        assert_eq!(ecr(&snapshot).mutability, Some(expected), "{name}");
    }
    assert_eq!(server.count("DescribeRepositories"), 3, "three pages of seven, and no second look");
    // Looked at again, it is asked again: what a list said once is not true for ever.
    source.inventory.observe(&"shop/r00".parse().unwrap()).await;
    assert_eq!(server.count("DescribeRepositories"), 4);
}

#[tokio::test]
async fn names_without_globs_need_no_right_to_list_a1() {
    let server = EcrServer::start().await;
    let names: Vec<String> = (0..150).map(|number| format!("shop/r{number:03}")).collect();
    for name in names.iter().filter(|name| !name.ends_with("77")) {
        server.holdings().repositories.insert(name.clone(), StoredRepository::default());
    }
    server.lie(|call| {
        let is_list = call.operation == "DescribeRepositories" && call.input["repositoryNames"].is_null();
        is_list.then(|| Answer::error("AccessDeniedException", "no list"))
    });
    let patterns: Vec<&str> = names.iter().map(String::as_str).collect();
    let source = server.open_as(TRUSTED, &patterns, false).await;
    let (found, gaps) = listed(&source).await;
    assert_eq!(gaps, []);
    assert_eq!(found.iter().collect::<BTreeSet<_>>(), names.iter().collect(), "what is gone is looked at all the same");
    assert_eq!(source.inventory.unmatched_patterns(), ["shop/r077"]);
    assert!(server.count("DescribeRepositories") < 20, "{}", server.count("DescribeRepositories"));
    let gone: RepositoryName = "shop/r077".parse().unwrap();
    let snapshot = source.inventory.observe(&gone).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::NotFound)], "told once");
    assert!(!snapshot.listing_is_complete());

    let listing = server.open_as(TRUSTED, &["shop/*"], false).await;
    let (_, gaps) = listed(&listing).await;
    assert_eq!(gaps, [(Scope::Source, Cause::Denied)]);
    assert_eq!(listing.inventory.unmatched_patterns(), [""; 0], "what was not listed is not called unmatched");
}

#[tokio::test]
async fn a_cursor_that_comes_again_ends_the_list_incomplete_f18() {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    let digest = image("one").digest().to_string();
    server
        .lie(always("DescribeImages", images(json!([{ "imageDigest": digest, "imageTags": ["v1"] }]), Some("again"))));
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Malformed)]);
    assert!(!snapshot.listing_is_complete());
    assert_eq!(server.count("DescribeImages"), 2);
    assert_eq!(ecr(&snapshot).images.len(), 1, "one digest, once");

    let page = Answer::ok(json!({ "repositories": [], "nextToken": "again" }));
    server.lie(always("DescribeRepositories", page));
    let source = server.open_as(TRUSTED, &["shop/*"], false).await;
    assert_eq!(listed(&source).await, (vec![], vec![(Scope::Source, Cause::Malformed)]));
}

#[tokio::test]
async fn pages_without_end_are_given_up_f18_i20() {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    let mut page = 0;
    server.lie(move |call| {
        page += 1;
        (call.operation == "DescribeImages").then(|| images(json!([]), Some(&format!("page {page}"))))
    });
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Malformed)]);
    assert!(server.count("DescribeImages") <= 102);
}

#[tokio::test]
async fn a_page_that_is_no_page_is_not_an_empty_one_f12() {
    let html = Answer { status: 200, body: b"<html>log in</html>".to_vec(), announced: None };
    for odd in [Answer::ok(json!({})), html, Answer::ok(json!({ "imageDetails": "none" })), Answer::ok(json!([]))] {
        let server = EcrServer::start().await;
        server.push("shop/api", "v1", &image("one"));
        server.lie(always("DescribeImages", odd.clone()));
        let snapshot = reading(&server).await.observe(&api()).await;
        assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Malformed)], "{:?}", snapshot.gaps);
        assert_eq!(snapshot.tags, []);
        assert!(!snapshot.listing_is_complete());
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_f3_f4() {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    let cut = Answer { status: 200, body: b"{\"imageDetails\":[]".to_vec(), announced: Some(4000) };
    server.lie(first(1, "DescribeImages", cut.clone()));
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!((snapshot.tags.len(), snapshot.gaps), (1, vec![]));

    server.lie(always("DescribeImages", cut));
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Unreachable)], "{:?}", snapshot.gaps);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_i20() {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    server.lie(always("DescribeImages", Answer { status: 200, body: vec![b' '; 32 << 20], announced: None }));
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!(reported(&snapshot.gaps), [(Scope::Repository, Cause::Malformed)]);
    assert_eq!(server.count("DescribeImages"), 1, "the next would be as large");
}

#[tokio::test]
async fn odd_rows_are_gaps_and_leave_the_others_f25() {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    let good = image("one").digest().to_string();
    let rows = json!([
        { "imageDigest": good, "imageTags": ["v1", ""] },
        { "imageDigest": "sha256:../../etc", "imageTags": ["v2"] },
        { "imageTags": ["v3"] },
        { "imageDigest": image("two").digest().to_string(), "imageStatus": "FROZEN", "subjectManifestDigest": "x" },
    ]);
    server.lie(always("DescribeImages", images(rows, None)));
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!(snapshot.tags.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["v1"]);
    assert_eq!(snapshot.gaps.len(), 4, "{:?}", snapshot.gaps);
    assert!(each(snapshot.gaps.iter(), |gap| gap.cause == Cause::Malformed));
    assert!(!snapshot.listing_is_complete());
    assert!(ecr(&snapshot).images.iter().any(|image| image.status == ImageStatus::Other), "F53");
}

#[tokio::test]
async fn a_flood_of_odd_rows_is_counted_i20() {
    let server = EcrServer::start().await;
    server.push("shop/api", "v1", &image("one"));
    let rows: Vec<_> = (0..5000).map(|number| json!({ "imageDigest": format!("odd {number}") })).collect();
    server.lie(always("DescribeImages", images(json!(rows), None)));
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!(snapshot.gaps.len(), 101);
    assert!(snapshot.gaps[100].detail.contains("4900 more"), "{}", snapshot.gaps[100].detail);
}

#[tokio::test]
async fn a_tag_that_moved_between_two_pages_is_where_a_direct_look_sees_it_f19() {
    let server = EcrServer::start().await;
    let old = server.push("shop/api", "v1", &image("one"));
    let new = server.push("shop/api", "v1", &image("two"));
    let row = |digest: &Digest| json!({ "imageDigest": digest.to_string(), "imageTags": ["v1", "same"] });
    let (front, back) = (images(json!([row(&old)]), Some("next")), images(json!([row(&new), row(&new)]), None));
    server.lie(move |call| {
        let is_list = call.operation == "DescribeImages" && call.input["imageIds"].is_null();
        is_list.then(|| if call.input["nextToken"].is_null() { front.clone() } else { back.clone() })
    });
    server.holdings().repositories.get_mut("shop/api").unwrap().tag("same", &old);
    let snapshot = reading(&server).await.observe(&api()).await;
    assert_eq!(snapshot.gaps, []);
    let seen: Vec<_> = snapshot.tags.iter().map(|tag| (tag.name.as_str(), tag.target.clone())).collect();
    let at = |digest: &Digest| Resolution::Artifact(digest.clone().into());
    assert_eq!(seen, [("same", at(&old)), ("v1", at(&new))]);
    for image in &ecr(&snapshot).images {
        let expected = if image.digest == old { "same" } else { "v1" };
        assert_eq!(image.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(), [expected]);
    }
}

#[tokio::test]
async fn settings_of_the_registry_are_optional_a46_a48() {
    let server = EcrServer::start().await;
    let read = reading(&server).await.settings().await;
    let (SettingFacts::EcrRegistry { registry, region, cache, replication, templates }, gaps) = read else {
        panic!("{read:?}")
    };
    assert_eq!((registry.as_str(), region.as_str(), gaps), (ACCOUNT, REGION, vec![]));
    assert!(cache.is_some() && replication.is_some() && templates.is_some());

    server.holdings().cache.push(("hub".to_owned(), "docker.io".to_owned()));
    let SettingFacts::EcrRegistry { cache: other, .. } = reading(&server).await.settings().await.0 else { panic!() };
    assert_ne!(other, cache, "another rule is another setting");

    for (call, code) in [
        ("DescribePullThroughCacheRules", "AccessDeniedException"),
        ("DescribeRegistry", "ServerException"),
        ("DescribeRepositoryCreationTemplates", "UnknownOperationException"),
    ] {
        server.lie(always(call, Answer::error(code, "no")));
    }
    let inventory = reading(&server).await;
    let (facts, gaps) = inventory.settings().await;
    assert_eq!(gaps, [], "whoever may not read what changes no verdict runs complete");
    let SettingFacts::EcrRegistry { cache, replication, templates, .. } = facts else { panic!("{facts:?}") };
    assert_eq!((cache, replication, templates), (None, None, None));
    server.push("shop/api", "v1", &image("one"));
    assert_eq!(inventory.observe(&api()).await.gaps, []);
}
