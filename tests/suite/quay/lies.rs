//! What is lost, refused, throttled or answered by something else is never read as "nothing there".

use axum::http::Method;
use futures::StreamExt as _;
use prodpin::model::{Cause, Code, Gap, Mode, RepositoryName, Retention, Scope, Snapshot};
use prodpin::outcome::report::PinReport;
use prodpin::sources::Source;
use prodpin::sources::memory::image;

use super::{PRODPIN, Who, keeps, opened, opened_as, pusher, with_code, with_releases};
use crate::support::each;
use crate::support::quay::{Lie, Quay, ROBOT};

async fn listed(source: &Source) -> (Vec<RepositoryName>, Vec<Gap>) {
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let (names, gaps): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    (names.into_iter().flatten().collect(), gaps.into_iter().filter_map(Result::err).collect())
}

async fn observed(quay: &Quay) -> Snapshot {
    opened(quay, false).inventory.observe(&"acme/shop".parse().unwrap()).await
}

/// How many rows were read, and how many tags are in dispute.
fn rows(snapshot: &Snapshot) -> (usize, usize) {
    let Retention::Quay(found) = &snapshot.retention else { panic!("a Quay") };
    (found.rows.len(), found.disputed.len())
}

#[tokio::test]
async fn who_may_see_nothing_is_never_shown_an_empty_estate_f129() {
    let quay = Quay::start().await;
    pusher(&quay).push("acme/shop", "v1.0.0", &image("one")).await;
    let named = ["acme/shop".parse().unwrap()];
    for (login, patterns, names, said) in [
        (None, "acme/*", &[][..], "there are no credentials"),
        (Some((ROBOT.0, "wrong")), "acme/*", &[], "401"),
        (Some(ROBOT), "other/*", &[], "the login may not see them"),
        (None, "acme/shop", &named, ""),
        (Some(ROBOT), "acme/*", &named, ""),
    ] {
        let source = opened_as(&quay, &[patterns], Who { login, ..PRODPIN }, false);
        let (found, gaps) = listed(&source).await;
        assert_eq!(found, names, "{login:?} {patterns}");
        assert_eq!(gaps.is_empty(), said.is_empty(), "{gaps:?}");
        let is_told = |gap: &Gap| gap.cause == Cause::Denied && gap.scope == Scope::Source && gap.detail.contains(said);
        assert!(said.is_empty() || gaps.iter().any(is_told), "{gaps:?}");
    }
    for login in [None, Some((ROBOT.0, "wrong"))] {
        let source = opened_as(&quay, &["acme/shop"], Who { login, ..PRODPIN }, false);
        let snapshot = source.inventory.observe(&named[0]).await;
        assert!(!snapshot.listing_is_complete(), "{:?}", snapshot.gaps);
        assert!(snapshot.gaps.iter().all(|gap| gap.cause == Cause::Denied), "{:?}", snapshot.gaps);
    }
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page_and_a_lost_page_leaves_the_rules_unknown_k54a() {
    let quay = Quay::start().await;
    let pusher = pusher(&quay);
    let artifact = pusher.push("acme/shop", "v1.0.0", &image("one")).await;
    for number in 1..250 {
        pusher.move_tag("acme/shop", &format!("v1.0.{number}"), &artifact).await;
    }
    quay.forget_requests();
    let whole = observed(&quay).await;
    assert_eq!((whole.tags.len(), rows(&whole)), (250, (250, 0)));
    assert_eq!(whole.gaps, []);
    let asked = quay.requests().iter().filter(|request| request.path.contains("/manifests/")).count();
    assert_eq!(asked, 0, "what Quay's list says is not asked for tag by tag");
    assert!(whole.tags.iter().all(|tag| tag.pushed.is_some()));
    for lie in [Lie::LostPage(1), Lie::LostPage(3), Lie::SkippedPage(1), Lie::SkippedPage(2)] {
        quay.be_honest();
        quay.lie(lie.clone());
        let snapshot = observed(&quay).await;
        assert_eq!(snapshot.tags.len(), 250, "{lie:?}: the registry's list has them");
        assert!(rows(&snapshot).1 >= 50, "{lie:?}, and nobody noticed");
    }
    quay.be_honest();
    quay.lie(Lie::Endless);
    let snapshot = observed(&quay).await;
    assert_eq!((snapshot.tags.len(), rows(&snapshot)), (250, (0, 250)));
    assert!(snapshot.gaps.iter().any(|gap| gap.detail.contains("a list without end")), "{:?}", snapshot.gaps);
    quay.be_honest();
    assert_eq!(observed(&quay).await.gaps, []);
}

#[tokio::test]
async fn a_missing_repository_is_said_by_the_registry_itself_i4() {
    let quay = Quay::start().await;
    pusher(&quay).push("acme/shop", "v1.0.0", &image("one")).await;
    let source = opened(&quay, false);
    let missing = source.inventory.observe(&"acme/none".parse().unwrap()).await;
    assert_eq!(missing.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [Cause::NotFound], "{:?}", missing.gaps);
    quay.lie(Lie::Answer(Method::GET, "/api/v1/repository/", 404));
    let there = observed(&quay).await;
    assert!(there.listing_is_complete() && there.tags.len() == 1, "the API alone says nothing of what is there");
    assert!(there.gaps.iter().all(|gap| gap.scope == Scope::Setting), "{:?}", there.gaps);
}

#[tokio::test]
async fn what_lies_or_fails_is_unknown_and_deletes_nothing_i7() {
    for lie in [
        Lie::Answer(Method::GET, "/config", 500),
        Lie::Bare(Method::GET, "/config", 200),
        Lie::Answer(Method::GET, "/tag/", 401),
        Lie::Answer(Method::GET, "/tag/", 503),
        Lie::Answer(Method::GET, "/autoprunepolicy/", 404),
        Lie::Answer(Method::GET, "/autoprunepolicy/", 500),
        Lie::Bare(Method::GET, "/autoprunepolicy/", 404),
        Lie::Bare(Method::GET, "/repository/acme/shop", 200),
        Lie::LostPage(1),
    ] {
        let quay = Quay::start().await;
        let estate = with_releases(&quay, 3).await;
        keeps(&quay, 5);
        quay.lie(lie.clone());
        let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
        let story = estate.story(&enforced);
        assert_eq!(quay.writes(), [], "{lie:?}: {story}");
        assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{lie:?}: {story}");
        assert!(with_code(&enforced, Code::TagDeleted).is_empty(), "{lie:?}: {story}");
    }
}

#[tokio::test]
async fn a_throttled_call_is_sent_again_f113() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 2).await;
    quay.lie(Lie::Throttles("/api/v1/", 3));
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete, "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
}

#[tokio::test]
async fn a_wrong_token_and_none_leave_the_rules_unknown_k54b() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 3).await;
    let wrong = Who { token: Some("0auth-of-nobody"), ..PRODPIN };
    let enforced = estate.run_on(Mode::Enforce, opened_as(&quay, &["acme/*"], wrong, true)).await;
    let story = estate.story(&enforced);
    assert_eq!(quay.writes(), [], "{story}");
    assert!(!enforced.complete && each(enforced.targets().iter(), |target| target.protected.is_none()), "{story}");
    assert!(
        !format!("{:?}{:?}", enforced.repositories, enforced.findings).contains("0auth"),
        "no secret is shown (I18)"
    );
    let without = Who { token: None, ..PRODPIN };
    let enforced = estate.run_on(Mode::Enforce, opened_as(&quay, &["acme/*"], without, true)).await;
    let story = estate.story(&enforced);
    assert!(each(enforced.targets().iter(), |target| target.pin == PinReport::Withheld), "{story}");
    assert!(!with_code(&enforced, Code::CleanupUnknown).is_empty(), "{story}");
    assert!(story.contains("set `token:`"), "{story}");
    assert_eq!(quay.writes(), [], "{story}");
}
