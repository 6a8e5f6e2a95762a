//! `forecast --confirm`: Harbor's own dry run of tag retention, held against the simulation (J35).

use axum::http::Method;
use prodpin::outcome::forecast::{Preview, RepositoryForecast};
use prodpin::run::ForecastOptions;
use prodpin::sources::oci::HttpEnvironment;
use prodpin::sources::{OpenOptions, Source, harbor};
use serde_json::{Value, json};

use super::runs::rule;
use super::{USER, config, opened, pusher, started, with_releases};
use crate::estate::Estate;
use crate::support::harbor::{Account, Ending, Execution, Harbor, Lie};
use prodpin::sources::memory::image;

/// Five releases, of which `latestPushedK 3` retains the newest.
async fn counted() -> (Harbor, Estate) {
    let harbor = started().await;
    let estate = with_releases(&harbor, 5).await;
    harbor.world().retain("shop", json!([rule("latestPushedK", &json!({ "latestPushedK": 3 }), "**")]));
    (harbor, estate)
}

fn says(harbor: &Harbor, tag: &str, verdict: &'static str) {
    let mut world = harbor.world();
    let digest = world.find("shop/api", tag).unwrap().digest.clone();
    world.verdicts.insert(digest, verdict);
}

fn rehearsing(harbor: &Harbor, user: (&str, &str)) -> Source {
    let options = OpenOptions { write: false, rehearse: true, tried: false, concurrency: 8, deadline: None };
    let config = config(harbor, &["shop/*"], Some(user));
    harbor::open_in(&"shop".parse().unwrap(), &config, &options, &HttpEnvironment::default()).unwrap()
}

async fn confirmed(estate: &Estate, source: Source) -> Vec<RepositoryForecast> {
    let options = ForecastOptions { confirm: true, ..ForecastOptions::default() };
    let forecast = estate.forecast_on(options, source).await;
    forecast.report.rows().map(Result::unwrap).collect()
}

async fn preview(harbor: &Harbor, estate: &Estate) -> (bool, Preview) {
    let row = confirmed(estate, rehearsing(harbor, USER)).await.remove(0);
    (row.complete, row.preview.unwrap())
}

#[tokio::test]
async fn a_dry_run_that_says_the_same_agrees_and_nothing_else_is_sent_j35() {
    let (harbor, estate) = counted().await;
    pusher(&harbor).push("shop/web", "v1.0.0", &image("web")).await;
    says(&harbor, "v1.0.0", "DEL");
    says(&harbor, "v1.1.0", "DEL");
    harbor.forget_requests();
    let rows = confirmed(&estate, rehearsing(&harbor, USER)).await;
    let agreed: Vec<u64> = rows
        .iter()
        .map(|row| match row.preview.as_ref().unwrap() {
            Preview::Compared { agreed, differences, .. } if differences.is_empty() => *agreed,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(agreed, [2, 0]);
    let writes = harbor.writes();
    let [write] = &writes[..] else { panic!("one for the project: {writes:?}") };
    assert!(write.method == "POST" && write.path.ends_with("/executions"), "{write:?}");
    assert!(harbor.world().executions.iter().all(|execution| execution.dry));
    // Without being asked nobody starts one, and no audit ever does.
    harbor.forget_requests();
    let unasked = estate.forecast_on(ForecastOptions::default(), opened(&harbor, false)).await;
    assert!(unasked.report.rows().all(|row| row.unwrap().preview.is_none()));
    assert_eq!(harbor.writes(), []);
}

#[tokio::test]
async fn a_dry_run_is_waited_for_by_its_own_row_however_many_there_are_j35() {
    let (harbor, estate) = counted().await;
    says(&harbor, "v1.0.0", "DEL");
    says(&harbor, "v1.1.0", "DEL");
    let policy = harbor.world().projects["shop"].retention.unwrap();
    let earlier = |id| Execution { id, policy, dry: false, looks: 9, ending: Ending::Well };
    harbor.world().executions = (100_000..100_250).map(earlier).collect();
    harbor.forget_requests();
    let (complete, preview) = preview(&harbor, &estate).await;
    assert!(complete && matches!(preview, Preview::Compared { .. }), "{preview:?}");
    let requests = harbor.requests();
    let is_poll = |asked: &str| asked.contains("/executions?");
    let polls: Vec<&str> = requests.iter().map(|asked| asked.path.as_str()).filter(|asked| is_poll(asked)).collect();
    assert!(!polls.is_empty() && polls.iter().all(|asked| asked.ends_with("?page=1&page_size=1")), "{polls:?}");
}

#[tokio::test]
async fn where_both_differ_that_is_said_and_what_was_missed_comes_first_j35() {
    let (harbor, estate) = counted().await;
    says(&harbor, "v1.0.0", "DEL");
    says(&harbor, "v1.1.0", "IMMUTABLE");
    says(&harbor, "v1.4.0", "DEL");
    let (complete, Preview::Compared { agreed, differences, .. }) = preview(&harbor, &estate).await else {
        panic!("compared")
    };
    assert!(complete);
    assert_eq!((agreed, differences.len()), (1, 2), "{differences:?}");
    let newest = harbor.world().find("shop/api", "v1.4.0").unwrap().digest.to_string();
    assert_eq!((differences[0].artifact.to_string(), &differences[0].simulated), (newest, &None));
    assert!(differences[0].note.contains("believe the source"), "{differences:?}");
    assert!(differences[1].previewed.is_none(), "{differences:?}");
}

#[tokio::test]
async fn a_dry_run_that_fails_or_is_refused_is_no_agreement_j14_j35_j38() {
    let failure = async |harbor: &Harbor, estate: &Estate| match preview(harbor, estate).await {
        (false, Preview::Failed { detail }) => detail,
        other => panic!("{other:?}"),
    };
    for (ending, said) in [(Ending::AtLaunch, "failed as a whole"), (Ending::InTasks, "failed for this repository")] {
        let (harbor, estate) = counted().await;
        harbor.world().ending = ending;
        let detail = failure(&harbor, &estate).await;
        assert!(detail.contains(said), "{detail}");
    }
    for (lie, said) in [
        (Lie::Answer(Method::POST, "/executions", 403, "FORBIDDEN"), "tag-retention:update"),
        (Lie::Answer(Method::POST, "/executions", 403, "DENIED"), "read-only mode"),
        (Lie::Answer(Method::GET, "/tasks", 500, "UNKNOWN"), "500"),
        (Lie::LostPage("/tasks", 1), "does not say how many"),
        (Lie::LostPage("/executions", 1), "does not say how many"),
    ] {
        let (harbor, estate) = counted().await;
        harbor.lie(lie);
        let detail = failure(&harbor, &estate).await;
        assert!(detail.contains(said), "{detail}");
    }
    // What a table lacks, or says in other words, is not retained.
    let (harbor, estate) = counted().await;
    says(&harbor, "v1.0.0", "PERHAPS");
    assert!(failure(&harbor, &estate).await.contains("PERHAPS"));
}

#[tokio::test]
async fn the_account_for_dry_runs_suffices_and_an_auditor_is_refused_f30_j35() {
    let published = |name: &str| -> Value {
        let path = format!("{}/policies/harbor/{name}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    for (file, is_compared) in [("robot-confirm.json", true), ("robot-audit.json", false)] {
        let robot = Account::robot("secret", &published(file));
        let name = robot.name.clone();
        let harbor = Harbor::start(vec![Account::admin(USER.0, USER.1), robot]).await;
        let estate = with_releases(&harbor, 2).await;
        harbor.world().retain("shop", json!([rule("always", &json!({}), "**")]));
        let row = confirmed(&estate, rehearsing(&harbor, (&name, "secret"))).await.remove(0);
        let compared = matches!(row.preview, Some(Preview::Compared { .. }));
        assert_eq!(compared, is_compared, "{file}: {:?}", row.preview);
        let asked = harbor.used();
        assert!(asked.contains("tag-retention:update"), "{file}");
        assert_eq!(asked.contains("tag-retention:list"), is_compared, "nothing is asked of a dry run that is refused");
    }
}
