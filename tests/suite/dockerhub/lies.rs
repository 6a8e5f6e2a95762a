//! Docker Hub shows strangers what is public, with 200: that is never read as all there is, and whatever its interface leaves out
//! the registry is asked for.

use futures::StreamExt as _;
use prodpin::model::{Answer, Cause, Code, Gap, Mode, RepositoryName, Scope, Snapshot};
use prodpin::sources::Source;
use prodpin::sources::memory::image;

use super::{USER, opened, opened_as, pusher, started, with_releases};
use crate::support::each;
use crate::support::hub::{Hub, Lie};

async fn listed(source: &Source) -> (Vec<RepositoryName>, Vec<Gap>) {
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let (names, gaps): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    (names.into_iter().flatten().collect(), gaps.into_iter().filter_map(Result::err).collect())
}

async fn observed(hub: &Hub) -> Snapshot {
    opened(hub, false).inventory.observe(&"shop/api".parse().unwrap()).await
}

#[tokio::test]
async fn wrong_or_no_credentials_are_never_an_empty_estate_f129() {
    let hub = started().await;
    with_releases(&hub, 1).await;
    for (user, said) in
        [(Some((USER.0, "wrong")), "incorrect authentication credentials"), (None, "there are no credentials")]
    {
        let source = opened_as(&hub, &["shop/*"], user, false);
        let (names, gaps) = listed(&source).await;
        assert_eq!(names, []);
        let [gap] = &gaps[..] else { panic!("{gaps:?}") };
        assert_eq!((&gap.scope, gap.cause), (&Scope::Source, Cause::Denied), "{gap:?}");
        assert!(gap.detail.contains(said) && !gap.detail.contains("dckr_pat"), "{gap:?}");
        assert_eq!(source.inventory.unmatched_patterns(), [""; 0]);
        hub.forget_requests();
        assert_eq!(listed(&source).await.1.len(), 1);
        assert!(!hub.requests().iter().any(|call| call.path == "api:/v2/auth/token"), "refused once is enough");
    }
    hub.world().repositories.get_mut("shop/api").unwrap().is_public = true;
    let (names, gaps) = listed(&opened_as(&hub, &["shop/*"], None, false)).await;
    assert_eq!((names.len(), gaps.len()), (1, 1), "what is public is looked at, and may not be all");
    let (names, gaps) = listed(&opened(&hub, false)).await;
    assert_eq!((names.len(), gaps), (1, vec![]));
    // A namespace of which nothing is shown, whoever asks.
    let (names, gaps) = listed(&opened_as(&hub, &["nobody/*"], Some(USER), false)).await;
    assert!(
        names.is_empty() && gaps[0].cause == Cause::Denied && gaps[0].detail.contains("or the login may not see them"),
        "{gaps:?}"
    );
}

#[tokio::test]
async fn a_page_that_is_lost_costs_requests_or_is_a_gap_and_hides_nothing_f16() {
    let hub = started().await;
    for number in 0..130 {
        pusher(&hub).push("shop/api", &format!("v1.0.{number}"), &image(&format!("release {number}"))).await;
    }
    let whole = observed(&hub).await;
    assert_eq!((whole.tags.len(), &whole.gaps[..]), (130, &[][..]));
    for page in [1, 2] {
        hub.be_honest();
        hub.lie(Lie::LostPage("/tags", page));
        let snapshot = observed(&hub).await;
        let targets = |snapshot: &Snapshot| -> Vec<_> {
            snapshot.tags.iter().map(|tag| (tag.name.clone(), tag.target.clone())).collect()
        };
        assert_eq!((targets(&snapshot), snapshot.gaps), (targets(&whole), vec![]), "page {page}");
    }
    hub.be_honest();
    hub.lie(Lie::Answer("/repositories", 200, "{}"));
    assert_eq!(listed(&opened(&hub, false)).await.1.len(), 1, "a list that does not say how many there are");
}

#[tokio::test]
async fn an_interface_that_cannot_be_read_is_a_gap_and_no_tag_is_lost() {
    let hub = started().await;
    let estate = with_releases(&hub, 6).await;
    estate.run_on(Mode::Enforce, opened(&hub, true)).await;
    let events = estate.changes().await;
    for status in [404, 403, 401] {
        hub.be_honest();
        hub.lie(Lie::Answer("/repositories/api", status, "object not found"));
        let reported = estate.run_on(Mode::Enforce, opened(&hub, true)).await;
        let story = estate.story(&reported);
        assert!(!reported.complete, "{story}");
        assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "{story}");
        let survives = |answer: Answer| answer == Answer::Unknown;
        let by_digest =
            reported.targets().iter().map(|target| target.survives.as_ref().unwrap().deletion_by_digest.answer);
        assert!(each(by_digest, survives), "{story}");
        assert!(!reported.codes().iter().any(|code| code.contains(Code::TagDeleted.as_str())), "{story}");
    }
    assert_eq!(estate.changes().await, events, "nothing happened, and nothing was recorded");
}

#[tokio::test]
async fn a_token_that_ends_is_renewed_and_too_many_calls_are_waited_for_f29_f32() {
    let hub = started().await;
    with_releases(&hub, 3).await;
    let source = opened(&hub, false);
    let observe = async || source.inventory.observe(&"shop/api".parse().unwrap()).await;
    assert_eq!(observe().await.gaps, []);
    hub.lie(Lie::Expired);
    assert_eq!(observe().await.gaps, []);
    assert_eq!(hub.world().logins, 2);
    hub.lie(Lie::TooMany(3));
    assert_eq!(observe().await.gaps, []);
}
