//! GitHub answers 404 to what a token may not see, pages by numbers, and says 403 of a quota: none of that is ever read as
//! "nothing there", and whatever its API leaves out the registry is asked for.

use futures::StreamExt as _;
use prodpin::model::{Cause, Code, Digest, Gap, Mode, RepositoryName, Scope, Snapshot};
use prodpin::sources::Source;
use prodpin::sources::memory::image;

use super::{USER, opened, opened_as, pusher, started, with_releases};
use crate::support::each;
use crate::support::github::{GitHub, Lie, Token};

async fn listed(source: &Source) -> (Vec<RepositoryName>, Vec<Gap>) {
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let (names, gaps): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    (names.into_iter().flatten().collect(), gaps.into_iter().filter_map(Result::err).collect())
}

async fn observed(github: &GitHub) -> Snapshot {
    opened(github, false).inventory.observe(&"shop/api".parse().unwrap()).await
}

/// So many versions with a tag each, of which nobody holds the bytes.
fn fill(github: &GitHub, count: usize) {
    let mut world = github.world();
    for number in 0..count {
        let digest = Digest::sha256(format!("version {number}").as_bytes());
        world.push("shop/api", &digest, Some(&format!("v1.0.{number}")));
    }
}

#[tokio::test]
async fn wrong_credentials_are_never_an_empty_estate_f129() {
    let github = started().await;
    fill(&github, 1);
    github.world().tokens.push(Token { packages: false, ..Token::of("reader", "ghp_no_scope") });
    for (user, said) in [
        (Some((USER.0, "wrong")), "Bad credentials"),
        (Some(("reader", "ghp_no_scope")), "scope to list packages"),
        (None, "there is no token"),
    ] {
        let source = opened_as(&github, &["shop/*"], user, false);
        let (names, gaps) = listed(&source).await;
        assert_eq!(names, []);
        let [gap] = &gaps[..] else { panic!("{gaps:?}") };
        assert_eq!((&gap.scope, gap.cause), (&Scope::Source, Cause::Denied), "{gap:?}");
        assert!(gap.detail.contains(said), "{gap:?}");
        assert!(!gap.detail.contains("ghp_"), "{gap:?}");
        assert_eq!(source.inventory.unmatched_patterns(), [""; 0], "what is not shown matched nothing");
    }
    // An owner of whom nothing is shown, and one that nobody has.
    let (names, gaps) = listed(&opened_as(&github, &["acme/*"], Some(USER), false)).await;
    assert!(
        names.is_empty() && gaps[0].cause == Cause::Denied && gaps[0].detail.contains("or the token may not see them"),
        "{gaps:?}"
    );
    let (names, gaps) = listed(&opened_as(&github, &["nobody/*"], Some(USER), false)).await;
    assert!(names.is_empty() && gaps[0].cause == Cause::Denied, "{gaps:?}");
    let (names, gaps) = listed(&opened(&github, false)).await;
    assert_eq!((names.len(), gaps), (1, vec![]));
}

#[tokio::test]
async fn the_token_goes_to_the_api_and_the_registry_and_is_in_no_message_i18() {
    let github = started().await;
    with_releases(&github, 1).await;
    github.lie(Lie::Answer("/versions", 403, "no access for ghp_0123456789"));
    let gaps = observed(&github).await.gaps;
    assert!(each(gaps.iter(), |gap| !gap.detail.contains("ghp_")), "{gaps:?}");
}

#[tokio::test]
async fn a_page_that_is_lost_costs_requests_and_hides_nothing_f16_f106() {
    let github = started().await;
    let pusher = pusher(&github);
    for number in 0..230 {
        pusher.push("shop/api", &format!("v1.0.{number}"), &image(&format!("release {number}"))).await;
    }
    let whole = observed(&github).await;
    assert_eq!((whole.tags.len(), &whole.gaps[..]), (230, &[][..]));
    for lie in [
        Lie::LostPage("/versions", 1),
        Lie::LostPage("/versions", 2),
        Lie::LostPage("/versions", 3),
        Lie::LastPage("/versions", 1),
    ] {
        github.be_honest();
        github.lie(lie.clone());
        let snapshot = observed(&github).await;
        let seen: Vec<_> = snapshot.tags.iter().map(|tag| (&tag.name, &tag.target)).collect();
        let expected: Vec<_> = whole.tags.iter().map(|tag| (&tag.name, &tag.target)).collect();
        assert_eq!(seen, expected, "{lie:?}");
        assert_eq!(snapshot.gaps, [], "{lie:?}: the registry was asked");
    }
}

#[tokio::test]
async fn an_api_that_cannot_be_read_is_a_gap_and_no_tag_is_lost() {
    let github = started().await;
    let estate = with_releases(&github, 6).await;
    estate.run_on(Mode::Enforce, opened(&github, true)).await;
    let events = estate.changes().await;
    for (status, cause) in [(404, Cause::Denied), (403, Cause::Denied), (401, Cause::Denied), (301, Cause::Refused)] {
        github.be_honest();
        github.lie(Lie::Answer("/versions", status, "Not Found"));
        let reported = estate.run_on(Mode::Enforce, opened(&github, true)).await;
        let story = estate.story(&reported);
        assert!(!reported.complete, "{story}");
        assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "{story}");
        let gaps = &reported.repositories[0].gaps;
        assert!(
            gaps.iter().any(|gap| gap.cause == cause && gap.detail.contains("each tag is asked of the registry")),
            "{gaps:?}"
        );
        assert!(!reported.codes().iter().any(|code| code.contains(Code::TagDeleted.as_str())), "{story}");
    }
    assert_eq!(estate.changes().await, events, "nothing happened, and nothing was recorded");
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_waited_for_and_no_refusal_f32_f113() {
    let github = started().await;
    with_releases(&github, 3).await;
    github.lie(Lie::UsedUp(3));
    let snapshot = observed(&github).await;
    assert_eq!((snapshot.gaps, snapshot.tags.len()), (vec![], 3));
    github.lie(Lie::Broken(2));
    let snapshot = observed(&github).await;
    assert_eq!((snapshot.gaps, snapshot.tags.len()), (vec![], 3));
}

#[tokio::test]
async fn a_pin_that_no_version_has_is_no_pin_i7() {
    let github = started().await;
    let estate = with_releases(&github, 2).await;
    github.lie(Lie::ForgetsPins);
    let enforced = estate.run_on(Mode::Enforce, opened(&github, true)).await;
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(false)), "{}", estate.story(&enforced));
    github.be_honest();
    let enforced = estate.run_on(Mode::Enforce, opened(&github, true)).await;
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&enforced));
}
