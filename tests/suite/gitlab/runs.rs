//! Whole runs: pins under cleanup policies that then run, what is counted, what rules are worth, and that a second run has nothing
//! to do (K57).

use futures::StreamExt as _;
use prodpin::model::{Answer, Code, Mode, Pin, PinRemoval};
use prodpin::outcome::report::{PinReport, TargetReport};
use prodpin::run::ForecastOptions;
use prodpin::sources::memory::{image, index};
use serde_json::json;

use super::{USER, clean_up, left, opened, opened_as, opened_with, pusher, started, with_releases};
use crate::estate::RunResult;
use crate::support::each;
use crate::support::gitlab::{Role, Token};

fn has(reported: &RunResult, code: Code) -> bool {
    reported.findings.iter().any(|finding| finding.code == code)
}

fn all_protected(reported: &RunResult) -> bool {
    each(reported.targets().iter(), |target| target.protected == Some(true))
}

fn by_digest(target: &TargetReport) -> Answer {
    target.survives.as_ref().unwrap().deletion_by_digest.answer
}

fn pins(reported: &RunResult) -> Vec<String> {
    let digests = reported.targets().iter().map(|target| target.artifact.digest().unwrap().clone()).collect::<Vec<_>>();
    digests.iter().map(|digest| Pin::for_digest(digest).to_string()).collect()
}

#[tokio::test]
async fn pins_that_are_kept_hold_and_cleanups_prove_it_i13_k57() {
    let gitlab = started().await;
    let estate = with_releases(&gitlab, 7).await;
    let keeps = json!({ "keep_n": 2, "older_than": "7d", "name_regex_keep": "prod-pinned-.*" });
    gitlab.world().clean_up("shop/api", &keeps);
    let audit = estate.run_on(Mode::Audit, opened(&gitlab, false)).await;
    assert_eq!(gitlab.writes(), [], "an audit writes nothing");
    assert!(has(&audit, Code::PinMissing), "{}", estate.story(&audit));
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete, "{story}");
    assert!(all_protected(&enforced), "{story}");
    assert!(each(enforced.targets().iter(), |target| by_digest(target) == Answer::No), "{story}");
    let writes = gitlab.writes();
    assert_eq!(writes.len(), 5, "{writes:?}");
    assert!(each(writes.iter(), |it| it.method == "PUT" && it.path.contains("/manifests/prod-pinned-")), "{writes:?}");

    assert_eq!(clean_up(&gitlab), 5, "of seven releases two stay by name");
    let tags = left(&gitlab);
    assert!(each(pins(&enforced), |pin| tags.contains(&pin)), "{tags:?}");
    gitlab.forget_requests();
    let second = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    assert_eq!(gitlab.writes(), [], "{}", estate.story(&second));
    assert!(all_protected(&second), "{}", estate.story(&second));
}

#[tokio::test]
async fn a_second_run_writes_nothing_and_asks_for_pages_and_not_for_tags_i13() {
    let gitlab = started().await;
    let estate = with_releases(&gitlab, 7).await;
    for number in 0..150 {
        pusher(&gitlab).push("shop/api", &format!("dev-{number}"), &image(&format!("build {number}"))).await;
    }
    estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let events = estate.events().await;
    gitlab.forget_requests();
    let second = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    assert_eq!(gitlab.writes(), [], "{}", estate.story(&second));
    assert_eq!(estate.events().await, events);
    assert_eq!(second.codes(), Vec::<String>::new());
    let requests = gitlab.requests();
    let asked = |text: &str| requests.iter().filter(|request| request.path.contains(text)).count();
    assert_eq!(asked("/manifests/dev-"), 0, "what was told is not asked for again");
    assert_eq!(asked("containerRepository"), 2, "162 tags on two pages, read once");
    assert_eq!(asked("/protection/tag/rules"), 1, "each project once");
}

#[tokio::test]
async fn a_pin_that_would_be_counted_is_not_made_and_no_release_is_lost_to_one_i22_k57() {
    let gitlab = started().await;
    let estate = with_releases(&gitlab, 6).await;
    gitlab.world().clean_up("shop/api", &json!({ "keep_n": 6, "older_than": null }));
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let story = estate.story(&enforced);
    assert_eq!(gitlab.writes(), [], "{story}");
    assert!(each(enforced.targets().iter(), |target| target.pin == PinReport::Refused), "{story}");
    assert!(has(&enforced, Code::PinRefused) && has(&enforced, Code::PinIneffective), "{story}");
    assert!(story.contains("prodpin forecast --recommend"), "{story}");
    assert_eq!(clean_up(&gitlab), 0);

    // What is recommended makes them harmless.
    let forecast = estate.forecast_on(ForecastOptions::default(), opened(&gitlab, false)).await;
    let row = serde_json::to_string(&forecast.report.rows().next().unwrap().unwrap()).unwrap();
    assert!(row.contains("cleanup policy"), "{row}");
    gitlab.world().clean_up("shop/api", &json!({ "name_regex_keep": "prod-pinned-.*" }));
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let story = estate.story(&enforced);
    assert!(all_protected(&enforced), "{story}");
    assert_eq!(clean_up(&gitlab), 0, "five pins, and six releases");
}

#[tokio::test]
async fn without_a_count_pins_are_made_and_said_not_to_hold_k57() {
    let gitlab = started().await;
    let estate = with_releases(&gitlab, 3).await;
    gitlab.world().clean_up("shop/api", &json!({ "keep_n": null, "older_than": "30d" }));
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let story = estate.story(&enforced);
    assert!(each(enforced.targets().iter(), |target| target.pin == PinReport::Created), "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(false)), "{story}");
    assert!(has(&enforced, Code::PinIneffective) && has(&enforced, Code::LifecycleCollision), "{story}");
    assert_eq!(clean_up(&gitlab), 3, "the releases are 40 days old, and their pins young");
    assert!(each(pins(&enforced), |pin| left(&gitlab).contains(&pin)));
}

/// A registry without a metadata database takes the platforms of a tagged index.
#[tokio::test]
async fn platforms_have_pins_and_outlive_a_collection_i26_k57() {
    let gitlab = started().await;
    let estate = with_releases(&gitlab, 1).await;
    let platforms = index("two platforms");
    pusher(&gitlab).push("shop/api", "v2.0.0", &platforms).await;
    let lost = pusher(&gitlab).push("shop/api", "dev-1", &index("nobody's")).await;
    gitlab.forget_requests();
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let story = estate.story(&enforced);
    assert!(all_protected(&enforced), "{story}");
    assert_eq!(gitlab.writes().len(), 2 + platforms.children().len(), "{story}");
    assert_eq!(gitlab.world().collect("shop/api"), index("nobody's").children().len());
    let next = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    assert!(all_protected(&next), "{}", estate.story(&next));
    assert!(pusher(&gitlab).manifest("shop/api", &lost.to_string()).await.is_some(), "without a platform");
}

#[tokio::test]
async fn an_immutable_rule_is_a_wall_and_a_protected_one_names_who_may_k57() {
    let gitlab = started().await;
    let estate = with_releases(&gitlab, 2).await;
    let rule = json!({
        "id": 1, "project_id": 1, "tag_name_pattern": "^prod-pinned-",
        "minimum_access_level_for_push": "maintainer", "minimum_access_level_for_delete": "owner",
    });
    gitlab.world().project("shop/api").protected.push(rule);
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let story = estate.story(&enforced);
    assert!(all_protected(&enforced), "{story}");
    let why = |target: &TargetReport| format!("{:?}", target.survives.as_ref().unwrap().deletion_by_digest);
    assert!(each(enforced.targets().iter(), |target| why(target).contains("role owner")), "{story}");

    gitlab.world().project("shop/api").immutable.push("^prod-pinned-".to_owned());
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let story = estate.story(&enforced);
    assert!(each(enforced.targets().iter(), |target| by_digest(target) == Answer::Yes), "{story}");
    // What that is worth.
    for target in enforced.targets() {
        let digest = target.artifact.to_string();
        assert_eq!(pusher(&gitlab).try_delete("shop/api", &digest).await, 401);
    }
    assert!(each(pins(&enforced), |pin| left(&gitlab).contains(&pin)));

    // Which of them GraphQL would show a Maintainer is not known of an older release, nor is it of one who is none.
    gitlab.world().lists_rules = false;
    gitlab.world().project("shop/api").immutable.clear();
    let older = estate.run_on(Mode::Audit, opened(&gitlab, false)).await;
    let story = estate.story(&older);
    assert!(older.complete, "{story}");
    assert!(each(older.targets().iter(), |target| by_digest(target) == Answer::Unknown), "{story}");
    assert!(all_protected(&older), "{story}");
}

#[tokio::test]
async fn a_registry_without_a_database_leaves_dates_unknown_and_pins_that_are_kept_hold_k57() {
    let gitlab = started().await;
    let estate = with_releases(&gitlab, 6).await;
    gitlab.world().has_database = false;
    gitlab.world().clean_up("shop/api", &json!({ "keep_n": 5, "older_than": null }));
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    let story = estate.story(&enforced);
    assert_eq!(gitlab.writes(), [], "{story}");
    assert!(story.contains("GitLab does not say when each tag was published"), "{story}");
    gitlab.world().clean_up("shop/api", &json!({ "name_regex_keep": "prod-pinned-.*" }));
    let enforced = estate.run_on(Mode::Enforce, opened(&gitlab, true)).await;
    assert!(all_protected(&enforced), "{}", estate.story(&enforced));
}

#[tokio::test]
async fn what_a_token_may_not_read_is_unknown_and_the_right_is_named() {
    let gitlab = started().await;
    let estate = with_releases(&gitlab, 3).await;
    let unseen = |role: Role, secret: &str| Token::of(role, secret);
    gitlab.world().tokens.extend([
        unseen(Role::Developer, "glpat-developer"),
        unseen(Role::Stranger, "glpat-stranger"),
        Token { api: false, ..unseen(Role::Maintainer, "glpat-registry") },
        Token { sees: Some("pay/api".to_owned()), ..unseen(Role::Maintainer, "glpat-elsewhere") },
    ]);
    gitlab.world().clean_up("shop/api", &json!({ "name_regex_keep": "prod-pinned-.*" }));
    let run = async |token: &str| {
        let source = opened_with(&gitlab, &["shop/api"], Some(USER), Some(token), true);
        estate.run_on(Mode::Enforce, source).await
    };
    // The policy is shown, and its tag rules are not: pins are judged all the same.
    let developer = run("glpat-developer").await;
    let story = estate.story(&developer);
    assert!(!developer.complete, "{story}");
    assert!(each(developer.targets().iter(), |target| target.pin != PinReport::Refused), "{story}");
    assert!(each(developer.targets().iter(), |target| by_digest(target) == Answer::Unknown), "{story}");
    let told = |reported: &RunResult, said: &str| {
        reported.repositories.iter().flat_map(|repository| &repository.gaps).any(|gap| gap.detail.contains(said))
    };
    assert!(told(&developer, "Maintainer"), "{story}");
    pusher(&gitlab).push("shop/api", "v2.0.0", &image("the next release")).await;
    gitlab.forget_requests();
    for (token, said) in [
        ("glpat-stranger", "shown as to a stranger, without its cleanup policy"),
        ("glpat-registry", "scope read_api"),
        ("glpat-elsewhere", "no project that shop/api could belong to"),
        ("glpat-wrong", "the server answered 401"),
    ] {
        let reported = run(token).await;
        let story = estate.story(&reported);
        assert!(!reported.complete, "{token}: {story}");
        assert!(each(reported.targets().iter(), |target| target.protected != Some(true)), "{token}: {story}");
        assert!(told(&reported, said), "{token}: {:?}", reported.repositories[0].gaps);
        assert!(!story.contains("glpat-"), "{story}");
    }
    assert_eq!(gitlab.writes(), [], "a rule that was not read may count pins");
}

#[tokio::test]
async fn repositories_are_listed_for_the_group_or_project_that_a_pattern_names() {
    let gitlab = started().await;
    for project in ["acme/api", "acme/team/web", "acme/team/tool", "pay/api"] {
        gitlab.world().project(project);
    }
    let pusher = pusher(&gitlab);
    for name in ["acme/api", "acme/api/worker", "acme/team/web", "acme/team/tool/cli", "pay/api"] {
        pusher.push(name, "v1.0.0", &image(name)).await;
    }
    let listed = async |patterns: &[&str]| {
        let source = opened_as(&gitlab, patterns, Some(USER), false);
        let found: Vec<_> = source.inventory.repositories().collect().await;
        let mut names: Vec<String> = found.into_iter().map(|found| found.unwrap().to_string()).collect();
        names.sort();
        (source, names)
    };
    let (source, names) = listed(&["acme/**", "!acme/team/tool/**"]).await;
    assert_eq!(names, ["acme/api", "acme/api/worker", "acme/team/web"]);
    for name in &names {
        let snapshot = source.inventory.observe(&name.parse().unwrap()).await;
        assert_eq!((snapshot.gaps, snapshot.tags.len()), (vec![], 1), "{name}");
        assert!(snapshot.tags[0].pushed.is_some(), "{name}: when it was published");
    }
    assert_eq!(listed(&["acme/team/*"]).await.1, ["acme/team/web"]);
    assert_eq!(listed(&["acme/api/*"]).await.1, ["acme/api/worker"], "a project");
    assert_eq!(listed(&["acme/team/tool/c*", "pay/api"]).await.1, ["acme/team/tool/cli", "pay/api"]);
    gitlab.forget_requests();
    listed(&["acme/team/**"]).await;
    let asked = gitlab.requests();
    assert!(
        each(asked.iter(), |it| it.path.starts_with("api:/api/v4/groups/acme%2Fteam/")),
        "no more than that: {asked:?}"
    );
}

#[tokio::test]
async fn no_pin_is_removed_there() {
    let gitlab = started().await;
    with_releases(&gitlab, 1).await;
    let removal = opened(&gitlab, false).inventory.pin_removal(&"shop/api".parse().unwrap()).await;
    let PinRemoval::Unsupported { detail } = removal else { panic!("{removal:?}") };
    assert!(detail.contains("GitLab"), "{detail}");
}
