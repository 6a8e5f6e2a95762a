//! Whole runs: pins, what looking costs, and what immutable tags are worth (K59).

use prodpin::model::{Answer, Mode};
use prodpin::sources::memory::{image, index};

use super::{opened, pusher, started, with_releases};
use crate::estate::RunResult;
use crate::support::each;

fn by_digest(reported: &RunResult) -> Vec<Answer> {
    let survives = reported.targets().iter().map(|target| target.survives.as_ref().unwrap());
    survives.map(|survives| survives.deletion_by_digest.answer).collect()
}

#[tokio::test]
async fn targets_are_pinned_with_their_platforms_and_a_second_run_writes_nothing_i13_i26() {
    let hub = started().await;
    let estate = with_releases(&hub, 3).await;
    let platforms = index("two platforms");
    pusher(&hub).push("shop/api", "v2.0.0", &platforms).await;
    hub.forget_requests();
    estate.run_on(Mode::Audit, opened(&hub, false)).await;
    assert_eq!(hub.writes(), [], "an audit writes nothing");
    let enforced = estate.run_on(Mode::Enforce, opened(&hub, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete, "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
    assert_eq!(enforced.codes(), ["info rollback-depth-short"], "four of five: {story}");
    assert_eq!(hub.writes().len(), 4 + platforms.children().len());
    let events = estate.events().await;
    hub.forget_requests();
    let second = estate.run_on(Mode::Enforce, opened(&hub, true)).await;
    assert_eq!(hub.writes(), [], "{}", estate.story(&second));
    assert_eq!(estate.events().await, events);
}

#[tokio::test]
async fn what_spends_the_quota_is_read_once_and_of_targets_alone_c94_i30() {
    let hub = started().await;
    let estate = with_releases(&hub, 8).await;
    for number in 0..150 {
        pusher(&hub).push("shop/api", &format!("dev-{number}"), &image(&format!("build {number}"))).await;
    }
    hub.world().pulls = 0;
    estate.run_on(Mode::Audit, opened(&hub, false)).await;
    let pulls = hub.world().pulls;
    assert!(pulls <= 5, "five targets, and {pulls} pulls");
    hub.forget_requests();
    estate.run_on(Mode::Audit, opened(&hub, false)).await;
    let requests = hub.requests();
    assert!(
        !requests.iter().any(|request| request.path.contains("/manifests/dev-")),
        "what was told is not asked for again"
    );
    let pages =
        requests.iter().filter(|request| request.path.starts_with("api:") && request.path.contains("/tags?")).count();
    assert_eq!(pages, 2, "158 tags on two pages");
}

#[tokio::test]
async fn immutable_tags_that_cover_pins_outlive_a_deletion_k59() {
    let hub = started().await;
    let estate = with_releases(&hub, 3).await;
    let run = async || estate.run_on(Mode::Enforce, opened(&hub, true)).await;
    assert!(each(by_digest(&run().await), |answer| answer == Answer::No), "nothing is immutable");
    for (rules, expected) in [
        (&["v.*"][..], Answer::No),
        (&["prod-pinned-.*"], Answer::Yes),
        (&[".*"], Answer::Yes),
        (&["[a-z]+-pinned-.*"], Answer::Unknown),
    ] {
        let rules: Vec<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
        hub.world().repositories.get_mut("shop/api").unwrap().immutable = Some(rules.clone());
        let reported = run().await;
        assert!(each(by_digest(&reported), |answer| answer == expected), "{rules:?}: {}", estate.story(&reported));
        assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "{rules:?}");
    }
}
