//! GitLab answers 404 to what a token may not see, and pages by numbers: neither that nor an empty page is ever read as "nothing
//! there", and whatever its API leaves out the registry is asked for.

use futures::StreamExt as _;
use prodpin::model::{Cause, Code, Gap, Mode, RepositoryName, Retention, Scope, Setting, Snapshot};
use prodpin::sources::memory::image;
use prodpin::sources::{Reservation, Source};
use serde_json::json;

use super::{USER, opened, opened_as, opened_with, pusher, started, with_releases};
use crate::support::each;
use crate::support::gitlab::{GitLab, Lie, Role, Token};

async fn listed(source: &Source) -> (Vec<RepositoryName>, Vec<Gap>) {
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let (names, gaps): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    (names.into_iter().flatten().collect(), gaps.into_iter().filter_map(Result::err).collect())
}

async fn observed(gitlab: &GitLab) -> Snapshot {
    opened(gitlab, false).inventory.observe(&"shop/api".parse().unwrap()).await
}

fn policy(snapshot: &Snapshot) -> &Setting {
    let Retention::GitLab(repository) = &snapshot.retention else { panic!("a GitLab: {:?}", snapshot.retention) };
    &repository.policy
}

#[tokio::test]
async fn wrong_credentials_are_never_an_empty_estate_f129() {
    let gitlab = started().await;
    with_releases(&gitlab, 1).await;
    gitlab.world().tokens.extend([
        Token::of(Role::Stranger, "glpat-stranger"),
        Token { api: false, ..Token::of(Role::Maintainer, "glpat-registry") },
        Token { sees: Some("pay".to_owned()), ..Token::of(Role::Maintainer, "glpat-pay") },
    ]);
    for (token, said) in [
        (Some("glpat-wrong"), "the server answered 401"),
        (Some("glpat-registry"), "scope read_api"),
        (Some("glpat-stranger"), "role Reporter"),
        (Some("glpat-pay"), "there is none, or the token may not see it"),
        (None, "there is no token"),
    ] {
        let source = opened_with(&gitlab, &["shop/*"], None, token, false);
        let (names, gaps) = listed(&source).await;
        assert_eq!(names, [], "{token:?}");
        let [gap] = &gaps[..] else { panic!("{token:?}: {gaps:?}") };
        assert_eq!((&gap.scope, gap.cause), (&Scope::Source, Cause::Denied), "{gap:?}");
        assert!(gap.detail.contains(said) && !gap.detail.contains("glpat-"), "{gap:?}");
        assert_eq!(source.inventory.unmatched_patterns(), [""; 0], "what is not shown matched nothing");
    }
    let (names, gaps) = listed(&opened(&gitlab, false)).await;
    assert_eq!((names.len(), gaps), (1, vec![]));
}

#[tokio::test]
async fn a_list_that_is_lost_in_part_is_a_gap_f16_f106() {
    const LIST: &str = "/registry/repositories";
    let gitlab = started().await;
    for number in 0..230 {
        pusher(&gitlab).push(&format!("acme/shop/image-{number}"), "v1.0.0", &image("one")).await;
    }
    let all = || opened_as(&gitlab, &["acme/**"], Some(USER), false);
    let (names, gaps) = listed(&all()).await;
    assert_eq!((names.len(), gaps), (230, vec![]));
    for page in 1..=3 {
        gitlab.be_honest();
        gitlab.lie(Lie::LostPage(LIST, page));
        let source = all();
        let (names, gaps) = listed(&source).await;
        assert_eq!(names.len(), (page - 1) * 100);
        assert!(each(gaps.iter(), |gap| gap.scope == Scope::Source), "{page}: {gaps:?}");
        assert_eq!(source.inventory.unmatched_patterns(), [""; 0]);
    }
    gitlab.be_honest();
    gitlab.lie(Lie::LastPage(LIST, 1));
    let (names, gaps) = listed(&all()).await;
    assert_eq!((names.len(), gaps), (230, vec![]), "a full page is followed by another");
}

#[tokio::test]
async fn a_page_of_tags_that_is_lost_costs_requests_and_hides_nothing_f16() {
    let gitlab = started().await;
    for number in 0..230 {
        pusher(&gitlab).push("shop/api", &format!("v1.0.{number}"), &image(&format!("release {number}"))).await;
    }
    let whole = observed(&gitlab).await;
    assert_eq!((whole.tags.len(), &whole.gaps[..]), (230, &[][..]));
    for page in 1..=3 {
        gitlab.be_honest();
        gitlab.lie(Lie::LostTags(page));
        let snapshot = observed(&gitlab).await;
        let seen: Vec<_> = snapshot.tags.iter().map(|tag| (&tag.name, &tag.target)).collect();
        let expected: Vec<_> = whole.tags.iter().map(|tag| (&tag.name, &tag.target)).collect();
        assert_eq!(seen, expected, "page {page}");
    }
}

#[tokio::test]
async fn rules_that_cannot_be_read_are_unknown_and_no_tag_is_lost() {
    let gitlab = started().await;
    let estate = with_releases(&gitlab, 6).await;
    gitlab.world().clean_up("shop/api", &json!({ "name_regex_keep": "prod-pinned-.*" }));
    estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let events = estate.changes().await;
    for (lie, cause) in [
        (Lie::Answer("/projects/shop%2Fapi", 401, "401 Unauthorized"), Cause::Denied),
        (Lie::Answer("/projects/shop%2Fapi", 403, "403 Forbidden"), Cause::Denied),
        (Lie::Answer("/projects/shop%2Fapi", 404, "404 Project Not Found"), Cause::Denied),
        (Lie::Page("/projects/shop%2Fapi", 404), Cause::Unsupported),
        (Lie::Page("/projects/shop%2Fapi", 200), Cause::Malformed),
        (Lie::Answer("/projects/shop%2Fapi", 301, "Moved"), Cause::Refused),
    ] {
        gitlab.be_honest();
        gitlab.lie(lie.clone());
        assert_eq!(policy(&observed(&gitlab).await), &Setting::Unknown, "{lie:?}");
        let reported = estate.run_on(Mode::Enforce, opened_as(&gitlab, &["shop/api"], Some(USER), true)).await;
        let story = estate.story(&reported);
        assert!(!reported.complete, "{lie:?}: {story}");
        let gaps = &reported.repositories[0].gaps;
        assert!(gaps.iter().any(|gap| gap.cause == cause && gap.scope == Scope::Setting), "{lie:?}: {gaps:?}");
        assert!(each(reported.targets().iter(), |target| target.protected.is_none()), "{lie:?}: {story}");
        assert!(!reported.codes().iter().any(|code| code.contains(Code::TagDeleted.as_str())), "{lie:?}: {story}");
    }
    assert_eq!(estate.changes().await, events, "nothing happened, and nothing was recorded");
    // Tag rules that cannot be read make nothing of it unsafe, and are told.
    gitlab.be_honest();
    gitlab.lie(Lie::Answer("/protection/tag/rules", 403, "403 Forbidden"));
    let reported = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let gaps = &reported.repositories[0].gaps;
    assert!(gaps.iter().any(|gap| gap.detail.contains("role Maintainer")), "{gaps:?}");
    assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&reported));
}

/// The rules of one GitLab say nothing of what lies in the registry of another.
#[tokio::test]
async fn a_gitlab_whose_registry_is_elsewhere_is_told_and_its_rules_are_not_taken() {
    let gitlab = started().await;
    let estate = with_releases(&gitlab, 3).await;
    gitlab.world().registry = "registry.example.com".to_owned();
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let story = estate.story(&enforced);
    assert_eq!(gitlab.writes(), [], "{story}");
    let gaps = &enforced.repositories[0].gaps;
    assert!(gaps.iter().any(|gap| gap.detail.contains("\"registry.example.com\"")), "{gaps:?}");
    assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{story}");
}

/// What GitLab is about to delete, and what it does not list, no rule is known of.
#[tokio::test]
async fn what_is_going_or_is_not_listed_is_not_called_safe_i7() {
    for (what, said) in [
        ("repository", "GitLab is deleting shop/api"),
        ("project", "GitLab is to delete project"),
        ("elsewhere", "does not list shop/api in project"),
    ] {
        let gitlab = started().await;
        let estate = with_releases(&gitlab, 3).await;
        match what {
            "repository" => {
                let mut world = gitlab.world();
                world.repositories.get_mut("shop/api").unwrap().status = Some("delete_scheduled".to_owned());
            }
            "project" => gitlab.world().project("shop/api").marked = Some("2026-12-24".to_owned()),
            _ => gitlab.world().repositories.get_mut("shop/api").unwrap().project = "pay/other".to_owned(),
        }
        let source = opened_as(&gitlab, &["shop/api"], Some(USER), true);
        let enforced = estate.run_on(Mode::Enforce, source).await;
        let story = estate.story(&enforced);
        assert_eq!(gitlab.writes(), [], "{what}: {story}");
        assert!(!enforced.complete, "{what}: {story}");
        let gaps = &enforced.repositories[0].gaps;
        assert!(gaps.iter().any(|gap| gap.detail.contains(said)), "{what}: {gaps:?}");
        assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{what}: {story}");
    }
}

#[tokio::test]
async fn what_comes_too_often_is_waited_for_f32_f113() {
    let gitlab = started().await;
    with_releases(&gitlab, 3).await;
    gitlab.lie(Lie::TooMany(3));
    let snapshot = observed(&gitlab).await;
    assert_eq!((snapshot.gaps, snapshot.tags.len()), (vec![], 3));
    gitlab.lie(Lie::Broken(2));
    let snapshot = observed(&gitlab).await;
    assert_eq!((snapshot.gaps, snapshot.tags.len()), (vec![], 3));
}

#[tokio::test]
async fn a_pin_that_is_forgotten_is_no_pin_i7() {
    let gitlab = started().await;
    let estate = with_releases(&gitlab, 2).await;
    gitlab.lie(Lie::ForgetsPins);
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(false)), "{}", estate.story(&enforced));
    gitlab.be_honest();
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&enforced));
}

#[tokio::test]
async fn no_secret_stands_in_a_message_i18() {
    let gitlab = started().await;
    with_releases(&gitlab, 1).await;
    for path in ["/projects/", "/graphql", "/protection/"] {
        gitlab.be_honest();
        gitlab.lie(Lie::Answer(path, 403, "no access for glpat-0123456789"));
        let gaps = observed(&gitlab).await.gaps;
        assert!(each(gaps.iter(), |gap| !gap.detail.contains("glpat-")), "{path}: {gaps:?}");
    }
}

/// Where memory ends before what the rules count is there, the rules are unknown, and never none.
#[tokio::test]
async fn rules_for_which_there_is_no_memory_are_not_taken_for_none_i20_k57() {
    const ALL: usize = 1 << 17;
    let gitlab = started().await;
    with_releases(&gitlab, 7).await;
    gitlab.world().clean_up("shop/api", &json!({ "keep_n": 2 }));
    let (inventory, repository) = (opened(&gitlab, false).inventory, "shop/api".parse().unwrap());
    let mut cut = 0;
    for room in (ALL / 2..=ALL).step_by(2_048) {
        let memory = Reservation::with_limit(ALL as u64);
        memory.take(ALL - room).unwrap();
        let snapshot = inventory.observe_within(&repository, &memory).await;
        let Retention::GitLab(seen) = &snapshot.retention else { panic!("{room}: {:?}", snapshot.retention) };
        assert!(seen.tags.len() == 7 || !snapshot.listing_is_complete(), "{room}");
        cut += usize::from(!snapshot.listing_is_complete());
    }
    assert!(cut > 0, "it never came to that");
}
