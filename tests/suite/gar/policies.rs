//! Cleanup policies: what they take when, told before, and lived through by a second evaluator.

use std::collections::BTreeSet;

use jiff::Timestamp;
use prodpin::model::{Code, Finding, Mode, PinCover};
use prodpin::run::ForecastOptions;
use prodpin::sources::memory::{Content, image, index};
use serde_json::{Value, json};

use super::{IMAGE, opened, pusher, started, with_releases};
use crate::engines::google::{self, Policy, Rule, State};
use crate::estate::RunResult;
use crate::support::each;
use crate::support::gar::Gar;

const DAY: i64 = 86_400;

fn condition(state: State, prefixes: &[&str], older_than: Option<i64>) -> Rule {
    let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    Rule::Condition { state, prefixes, older_than, newer_than: None }
}

fn deletes(rule: Rule) -> Policy {
    Policy { keeps: false, rule }
}

fn keeps(rule: Rule) -> Policy {
    Policy { keeps: true, rule }
}

/// As the API gives them.
fn document(policies: &[Policy]) -> Value {
    let one = |(number, policy): (usize, &Policy)| {
        let id = format!("policy-{number}");
        let mut shown = json!({ "id": id, "action": if policy.keeps { "KEEP" } else { "DELETE" } });
        match &policy.rule {
            Rule::MostRecent(count) => shown["mostRecentVersions"] = json!({ "keepCount": count }),
            Rule::Condition { state, prefixes, older_than, .. } => {
                let state = match state {
                    State::Any => "ANY",
                    State::Tagged => "TAGGED",
                    State::Untagged => "UNTAGGED",
                };
                shown["condition"] = json!({ "tagState": state });
                if !prefixes.is_empty() {
                    shown["condition"]["tagPrefixes"] = json!(prefixes);
                }
                if let Some(older) = older_than {
                    shown["condition"]["olderThan"] = json!(format!("{older}s"));
                }
            }
        }
        (id, shown)
    };
    Value::Object(policies.iter().enumerate().map(one).collect())
}

/// One run of the policies on the image, by an evaluator that shares nothing with the program: what went. The service may keep
/// what an index lists, or not; here it does not.
fn clean(gar: &Gar, policies: &[Policy]) -> BTreeSet<String> {
    let now = Timestamp::now();
    let mut world = gar.world();
    let image = world.image_mut(IMAGE);
    let versions = image.versions.values().map(|version| google::Version {
        name: version.digest.to_string(),
        age: now.duration_since(version.uploaded).as_secs(),
        tags: image.tags.iter().filter(|(_, named)| **named == version.digest).map(|(tag, _)| tag.clone()).collect(),
    });
    let versions: Vec<google::Version> = versions.collect();
    let left: BTreeSet<String> = google::clean(policies, &versions).into_iter().collect();
    let gone: BTreeSet<String> = image.versions.keys().filter(|digest| !left.contains(*digest)).cloned().collect();
    gone.iter().for_each(|digest| world.remove(IMAGE, digest));
    gone
}

/// Where prodpin says that a target is protected, it outlives the policies with all that is below it; what is said to be deleted,
/// goes.
#[tokio::test]
async fn what_is_called_protected_outlives_the_policies_and_what_is_not_goes_k42_k43() {
    let pins = || keeps(condition(State::Tagged, &["prod-pinned-"], None));
    for (what, policies, protected) in [
        ("untagged", vec![deletes(condition(State::Untagged, &[], Some(DAY)))], true),
        ("all, and pins are kept", vec![deletes(condition(State::Any, &[], Some(DAY))), pins()], true),
        ("all that is old", vec![deletes(condition(State::Any, &[], Some(30 * DAY)))], false),
        ("releases", vec![deletes(condition(State::Tagged, &["v"], Some(DAY)))], false),
        ("others", vec![deletes(condition(State::Tagged, &["dev-"], Some(DAY)))], true),
        ("others, it seems", vec![deletes(condition(State::Any, &["dev-"], Some(DAY)))], false),
        ("only keeping", vec![keeps(Rule::MostRecent(1))], true),
        ("all but the newest", vec![deletes(condition(State::Any, &[], Some(DAY))), keeps(Rule::MostRecent(2))], false),
    ] {
        let gar = started().await;
        let estate = with_releases(&gar, 2).await;
        let platforms = index("two platforms");
        pusher(&gar).push(IMAGE, "v2.0.0", &platforms).await;
        gar.world().age_all(IMAGE, 40);
        gar.world().shelf("acme-prod/shop").policies = document(&policies);
        let enforced = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
        let story = estate.story(&enforced);
        assert!(enforced.complete, "{what}: {story}");
        let targets: Vec<String> = enforced.targets().iter().map(|target| target.artifact.to_string()).collect();
        assert_eq!(targets.len(), 3, "{what}");
        assert_eq!(each(enforced.targets(), |target| target.protected == Some(true)), protected, "{what}: {story}");
        let gone = clean(&gar, &policies);
        let all: Vec<String> =
            platforms.children().iter().map(Content::id).map(|id| id.to_string()).chain(targets).collect();
        assert_eq!(all.iter().any(|digest| gone.contains(digest)), !protected, "{what}: {gone:?}");
        if !protected {
            let collisions =
                enforced.findings.iter().filter(|finding| finding.code == Code::LifecycleCollision).count();
            assert!(collisions > 0, "{what}: {story}");
        }
    }
}

/// What an index lists has no tag, and nobody says that the service keeps it: pins on every platform end that.
#[tokio::test]
async fn an_index_whose_platforms_may_go_is_told_and_pins_on_them_end_it_k43_i26() {
    let gar = started().await;
    let mut estate = with_releases(&gar, 1).await;
    let artifact = pusher(&gar).push(IMAGE, "v2.0.0", &index("two platforms")).await;
    gar.world().age_all(IMAGE, 40);
    gar.world().shelf("acme-prod/shop").policies =
        document(&[deletes(condition(State::Untagged, &[], Some(30 * DAY)))]);
    let audit = estate.run_on(Mode::Audit, opened(&gar, false)).await;
    let story = estate.story(&audit);
    let target = audit.targets().iter().find(|target| target.artifact == artifact).unwrap();
    assert_eq!(target.protected, Some(false), "{story}");
    let reached = |reported: &RunResult| {
        let of_policy = |finding: &&Finding| finding.code == Code::LifecycleCollision;
        let found: Vec<String> =
            reported.findings.iter().filter(of_policy).map(|finding| finding.message.clone()).collect();
        found
    };
    assert_eq!(reached(&audit), Vec::<String>::new(), "with its pins, and those of its platforms, none reaches it");
    estate.policy.pins.usual.cover = PinCover::Index;
    let enforced = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    let story = estate.story(&enforced);
    let target = enforced.targets().iter().find(|target| target.artifact == artifact).unwrap();
    assert_eq!(target.protected, Some(false), "a pin on the index alone: {story}");
    let found = reached(&enforced);
    let [reached] = &found[..] else { panic!("{story}") };
    assert!(reached.contains("lifecycle rule policy-0 may delete v2.0.0 (") && reached.contains(" now:"), "{reached}");
}

/// The pin itself is what such a policy deletes.
#[tokio::test]
async fn a_pin_that_a_policy_asks_for_is_refused_with_the_policy_that_ends_it_i22() {
    let gar = started().await;
    let estate = with_releases(&gar, 2).await;
    gar.world().shelf("acme-prod/shop").policies = document(&[deletes(condition(State::Tagged, &["prod-"], None))]);
    let enforced = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    let story = estate.story(&enforced);
    assert_eq!(gar.writes(), [], "{story}");
    assert!(story.contains("prodpin forecast --recommend"), "{story}");
    let policies =
        [deletes(condition(State::Tagged, &["prod-"], None)), keeps(condition(State::Tagged, &["prod-pinned-"], None))];
    gar.world().shelf("acme-prod/shop").policies = document(&policies);
    let enforced = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    assert!(each(enforced.targets(), |target| target.protected == Some(true)), "{}", estate.story(&enforced));
    assert_eq!(clean(&gar, &policies), BTreeSet::new());
}

#[tokio::test]
async fn a_forecast_names_the_policy_and_its_date_and_policies_on_trial_take_nothing_k41_k42() {
    let gar = started().await;
    let estate = with_releases(&gar, 2).await;
    gar.world().age_all(IMAGE, 40);
    gar.world().shelf("acme-prod/shop").policies = document(&[deletes(condition(State::Any, &[], Some(100 * DAY)))]);
    let row = async || {
        let forecast = estate.forecast_on(ForecastOptions::default(), opened(&gar, false)).await;
        serde_json::to_string(&forecast.report.rows().next().unwrap().unwrap()).unwrap()
    };
    let text = row().await;
    let date = (Timestamp::now() + jiff::SignedDuration::from_hours(24 * 60)).strftime("%Y-%m-%d").to_string();
    assert!(text.contains("policy-0") && text.contains(&date), "{date}: {text}");
    assert!(text.contains("no policy keeps all that has a tag prod-pinned-"), "{text}");
    gar.world().shelf("acme-prod/shop").on_trial = true;
    let text = row().await;
    assert!(text.contains("cleanupPolicyDryRun") && text.contains("they take 2 rollback targets"), "{text}");
    let enforced = estate.run_on(Mode::Enforce, opened(&gar, true)).await;
    assert!(each(enforced.targets(), |target| target.protected == Some(true)), "{}", estate.story(&enforced));
}

/// The vendor's own example, through the whole source: what it calls a version's name is a digest here, and a tag stands for it.
#[tokio::test]
async fn the_vendors_example_comes_out_as_the_vendor_says_k42() {
    let gar = started().await;
    let estate = crate::estate::Estate::new(vec![crate::estate::tags(&["*.*.*"], prodpin::model::Order::Semver)]);
    let pusher = pusher(&gar);
    for (tag, other, days) in [("2.0.1", "default", 120), ("2.0.6", "default-2", 150), ("1.9.2", "patch", 20)] {
        let artifact = pusher.push(IMAGE, tag, &image(tag)).await;
        pusher.move_tag(IMAGE, other, &artifact).await;
        gar.world().age(IMAGE, &artifact.to_string(), days);
    }
    let policies = [
        deletes(condition(State::Any, &[], Some(100 * DAY))),
        keeps(condition(State::Tagged, &["2.0.6"], None)),
        deletes(condition(State::Tagged, &["default"], None)),
    ];
    gar.world().shelf("acme-prod/shop").policies = document(&policies);
    let audit = estate.run_on(Mode::Audit, opened(&gar, false)).await;
    let story = estate.story(&audit);
    let collisions: Vec<_> = audit
        .findings
        .iter()
        .filter(|finding| finding.code == Code::LifecycleCollision)
        .map(|finding| &finding.message)
        .collect();
    assert!(collisions.len() == 2, "A goes now and C in 80 days; B is kept: {story}");
    assert!(collisions.iter().any(|message| message.contains("2.0.1") && message.contains("now")), "{collisions:?}");
    assert!(collisions.iter().any(|message| message.contains("1.9.2") && message.contains(" on ")), "{collisions:?}");
    assert_eq!(clean(&gar, &policies).len(), 1, "today A alone");
}
