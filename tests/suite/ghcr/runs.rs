//! Whole runs: closure pins, that a second run has nothing to do, what survives a workflow that deletes untagged versions.

use futures::StreamExt as _;
use prodpin::model::{Answer, Digest, Mode, PinRemoval};
use prodpin::outcome::report::TargetReport;
use prodpin::run::ForecastOptions;
use prodpin::sources::memory::{image, index};

use super::{USER, opened, opened_as, pusher, started, with_releases};
use crate::support::each;
use crate::support::github::Token;

#[tokio::test]
async fn every_manifest_is_pinned_and_outlives_a_workflow_that_deletes_untagged_versions_k58_i26() {
    let github = started().await;
    let mut estate = with_releases(&github, 3).await;
    let platforms = index("two platforms");
    let artifact = pusher(&github).push("shop/api", "v2.0.0", &platforms).await;
    estate.name(&artifact, "index");
    let lost = pusher(&github).push("shop/api", "dev", &index("nobody's")).await;

    let audit = estate.run_on(Mode::Audit, opened(&github, false)).await;
    assert_eq!(
        github.writes().iter().filter(|write| write.path.contains("prod-pinned")).count(),
        0,
        "an audit writes nothing"
    );
    assert!(each(audit.targets().iter(), |target| target.protected == Some(false)), "{}", estate.story(&audit));

    github.forget_requests();
    let enforced = estate.run_on(Mode::Enforce, opened(&github, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete, "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
    assert_eq!(enforced.codes(), ["info rollback-depth-short"], "four of five: {story}");
    let writes = github.writes();
    assert_eq!(writes.len(), 4 + platforms.children().len(), "{writes:?}");
    assert!(
        each(writes.iter(), |write| write.method == "PUT" && write.path.contains("/manifests/prod-pinned-")),
        "{writes:?}"
    );
    let survives = |target: &TargetReport| target.survives.clone().unwrap();
    assert!(
        each(enforced.targets().iter(), |target| {
            let survives = survives(target);
            survives.lifecycle_rules.answer == Answer::Yes && survives.deletion_by_digest.answer == Answer::No
        }),
        "{story}"
    );

    // What it is worth.
    assert_eq!(github.world().delete_untagged("shop/api"), index("nobody's").children().len());
    let next = estate.run_on(Mode::Enforce, opened(&github, true)).await;
    let story = estate.story(&next);
    assert!(each(next.targets().iter(), |target| target.protected == Some(true)), "{story}");
    let (_, manifest) = pusher(&github).manifest("shop/api", &lost.to_string()).await.unwrap();
    assert_eq!(
        Digest::sha256(&manifest),
        *lost.digest().unwrap(),
        "the index that was not pinned is there, without a platform"
    );
}

#[tokio::test]
async fn a_second_run_writes_nothing_and_asks_for_pages_and_not_for_tags_i13() {
    let github = started().await;
    let estate = with_releases(&github, 7).await;
    for number in 0..150 {
        pusher(&github).push("shop/api", &format!("dev-{number}"), &image(&format!("build {number}"))).await;
    }
    estate.run_on(Mode::Enforce, opened(&github, true)).await;
    let events = estate.events().await;
    github.forget_requests();
    let second = estate.run_on(Mode::Enforce, opened(&github, true)).await;
    assert_eq!(github.writes(), [], "{}", estate.story(&second));
    assert_eq!(estate.events().await, events);
    assert_eq!(second.codes(), Vec::<String>::new());
    let requests = github.requests();
    let asked = |text: &str| requests.iter().filter(|request| request.path.contains(text)).count();
    assert_eq!(asked("api:/orgs/shop/packages/container/api/versions"), 2, "157 versions on two pages");
    assert_eq!(asked("/manifests/dev-"), 0, "what was told is not asked for again");
}

#[tokio::test]
async fn packages_are_listed_for_each_owner_of_a_pattern() {
    let github = started().await;
    let pusher = pusher(&github);
    for name in ["acme/api", "acme/team/api", "acme/sandbox", "octocat/tool", "shop/api"] {
        pusher.push(name, "v1.0.0", &image(name)).await;
    }
    github.forget_requests();
    let patterns = ["acme/**", "octocat/*", "!acme/sandbox"];
    let source = opened_as(&github, &patterns, Some(USER), false);
    let found: Vec<_> = source.inventory.repositories().collect().await;
    let mut names: Vec<String> = found.into_iter().map(|found| found.unwrap().to_string()).collect();
    names.sort();
    assert_eq!(names, ["acme/api", "acme/team/api", "octocat/tool"]);
    let asked: Vec<String> = github.requests().into_iter().map(|request| request.path).collect();
    // The user's own packages are listed as such: those that are private, too.
    assert!(asked.iter().any(|path| path.starts_with("api:/user/packages?")), "{asked:?}");
    assert!(!asked.iter().any(|path| path.contains("/shop/")), "nobody asked for it: {asked:?}");
    for name in &names {
        let snapshot = source.inventory.observe(&name.parse().unwrap()).await;
        assert_eq!((snapshot.gaps, snapshot.tags.len()), (vec![], 1), "{name}");
        assert!(snapshot.tags[0].pushed.is_some(), "{name}: when it was pushed");
    }
}

#[tokio::test]
async fn a_workflows_token_reads_a_users_packages_as_anybody_does() {
    let github = started().await;
    pusher(&github).push("octocat/tool", "v1.0.0", &image("tool")).await;
    github.world().tokens.push(Token::of_workflow("ghs_1"));
    let source = opened_as(&github, &["octocat/*"], Some(("prodpin", "ghs_1")), false);
    let snapshot = source.inventory.observe(&"octocat/tool".parse().unwrap()).await;
    assert_eq!((snapshot.gaps, snapshot.tags.len()), (vec![], 1));
    assert!(
        github
            .requests()
            .iter()
            .any(|request| request.path.starts_with("api:/users/octocat/packages/container/tool/versions"))
    );
}

#[tokio::test]
async fn a_forecast_says_that_nothing_is_removed_by_rules() {
    let github = started().await;
    let estate = with_releases(&github, 2).await;
    let forecast = estate.forecast_on(ForecastOptions::default(), opened(&github, false)).await;
    let row = forecast.report.rows().next().unwrap().unwrap();
    assert!(row.targets.iter().all(|target| target.threats.is_empty()), "{row:?}");
}

#[tokio::test]
async fn no_pin_can_be_removed_where_tags_are_not_removed_alone_k58() {
    let github = started().await;
    with_releases(&github, 1).await;
    let removal = opened(&github, false).inventory.pin_removal(&"shop/api".parse().unwrap()).await;
    let PinRemoval::Unsupported { detail } = removal else { panic!("{removal:?}") };
    assert!(detail.contains("removes no tag alone"), "{detail}");
}
