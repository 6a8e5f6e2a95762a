//! Whole runs: what policies do to pins, how pins are made, and that a second run has nothing to do.

use prodpin::model::{Answer, Code, Digest, Mode};
use prodpin::outcome::report::{PinReport, TargetReport};
use prodpin::run::ForecastOptions;
use prodpin::sources::memory::{image, index};
use serde_json::json;

use super::{keeps, opened, policy, pusher, with_code, with_releases};
use crate::estate::{Estate, RunResult};
use crate::support::each;
use crate::support::quay::{Quay, ROBOT, Row, TOKEN};

fn by_digest(target: &TargetReport) -> Answer {
    target.survives.as_ref().unwrap().deletion_by_digest.answer
}

fn all_protected(enforced: &RunResult) -> bool {
    each(enforced.targets().iter(), |target| target.protected == Some(true))
}

async fn forecast(estate: &Estate, quay: &Quay) -> String {
    let forecast = estate.forecast_on(ForecastOptions::default(), opened(quay, false)).await;
    let row = forecast.report.rows().next().unwrap().unwrap();
    serde_json::to_string(&row).unwrap()
}

#[tokio::test]
async fn pins_are_made_immutable_and_a_second_run_writes_nothing_i13_k52() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 8).await;
    // Room for each pin, which is a tag like others until it is immutable.
    keeps(&quay, 13);
    // Whatever the manifest's label says of its tags.
    quay.world().expires_after = Some(7_200);
    let audit = estate.run_on(Mode::Audit, opened(&quay, false)).await;
    assert_eq!(quay.writes(), [], "an audit writes nothing");
    assert_eq!(with_code(&audit, Code::PinMissing).len(), 1, "{}", estate.story(&audit));
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete && all_protected(&enforced), "{story}");
    assert!(each(enforced.targets().iter(), |target| by_digest(target) == Answer::Yes), "{story}");
    {
        let world = quay.world();
        let tags = world.tags("acme/shop");
        let pins = || tags.iter().filter(|row| row.name.starts_with("prod-pinned-"));
        assert_eq!(pins().count(), 5);
        assert!(pins().all(|row| row.immutable && row.end.is_none()), "{tags:?}");
        assert!(
            tags.iter().all(|row| row.immutable == row.name.starts_with("prod-pinned-")),
            "nothing of users is locked"
        );
    }
    assert_eq!(quay.writes().len(), 10, "a push and a lock for each: {:?}", quay.writes());
    // What it is worth.
    let target = enforced.targets()[0].artifact.to_string();
    assert_eq!(pusher(&quay).try_delete("acme/shop", &target).await, 409);
    quay.forget_requests();
    let second = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    assert_eq!(quay.writes(), [], "{}", estate.story(&second));
    assert!(all_protected(&second), "{}", estate.story(&second));
    let codes = second.codes();
    assert_eq!(codes, Vec::<String>::new(), "{}", estate.story(&second));
    // The token opens the API and nothing else, and the robot account nothing but tokens (I18).
    let paths = quay.sent_with(TOKEN);
    assert!(!paths.is_empty() && paths.iter().all(|path| path.starts_with("/api/v1/")), "{paths:?}");
    assert!(quay.sent_with("Basic ").iter().all(|path| path == "/v2/auth"), "{}", ROBOT.0);
}

#[tokio::test]
async fn an_index_is_pinned_alone_because_quay_keeps_what_it_lists_i26_k54() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 1).await;
    let parts = index("two platforms");
    let artifact = pusher(&quay).push("acme/shop", "v2.0.0", &parts).await;
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    let target = enforced.targets().iter().find(|target| target.artifact == artifact).unwrap();
    assert_eq!(target.protected, Some(true), "{story}");
    let pins = quay.world().tags("acme/shop").iter().filter(|row| row.name.starts_with("prod-pinned-")).count();
    assert_eq!(pins, 2, "one for each release: {story}");
}

#[tokio::test]
async fn where_pins_cannot_be_immutable_one_that_eats_a_slot_is_not_made_i22_k53() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 6).await;
    keeps(&quay, 6);
    quay.world().immutable_tags = false;
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert_eq!(quay.writes(), [], "{story}");
    assert!(each(enforced.targets().iter(), |target| target.pin == PinReport::Refused), "{story}");
    for said in [
        "organization number_of_tags 6",
        "so that it does not match `prod-pinned-*`",
        "FEATURE_IMMUTABLE_TAGS",
        "policies/quay/immutability.json",
    ] {
        assert!(story.contains(said), "{said}: {story}");
    }
    // Where nothing counts, a pin is a tag that stays, and is said to be no more: an expiry that its manifest's label brings
    // is taken off.
    quay.world().policies.clear();
    quay.world().expires_after = Some(7_200);
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert!(all_protected(&enforced), "{story}");
    assert!(each(enforced.targets().iter(), |target| by_digest(target) == Answer::No), "{story}");
    let world = quay.world();
    let tags = world.tags("acme/shop");
    let mut pins = tags.iter().filter(|row| row.name.starts_with("prod-pinned-"));
    assert!(pins.all(|row| !row.immutable && row.end.is_none()), "{tags:?}");
}

/// Between its push and the call that makes it immutable a pin takes the place of a release, and for good where that call fails.
#[tokio::test]
async fn a_pin_that_takes_a_place_until_it_is_immutable_is_made_where_a_policy_makes_it_so_at_once_i22_k53() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 8).await;
    keeps(&quay, 8);
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert_eq!(quay.writes(), [], "{story}");
    assert!(each(enforced.targets().iter(), |target| target.pin == PinReport::Refused), "{story}");
    assert!(story.contains("policies/quay/immutability.json") && !story.contains("FEATURE_IMMUTABLE_TAGS"), "{story}");
    quay.world().immutability = Some("prod-pinned-.*");
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete && all_protected(&enforced), "{story}");
    assert_eq!(quay.writes().len(), 5, "a push for each, which is immutable: {:?}", quay.writes());
}

#[tokio::test]
async fn in_a_mirror_or_a_cache_nothing_is_pinned_or_called_protected_i7() {
    for (state, upstream, said) in [
        ("MIRROR", None, "deletes what the upstream lacks"),
        ("NORMAL", Some("docker.io"), "caches docker.io"),
        ("NORMAL", Some(""), ""),
    ] {
        let quay = Quay::start().await;
        let estate = with_releases(&quay, 2).await;
        quay.world().state = state;
        quay.world().upstream = upstream;
        let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
        let story = estate.story(&enforced);
        if said.is_empty() {
            assert!(all_protected(&enforced), "{story}");
            continue;
        }
        assert_eq!(quay.writes(), [], "{story}");
        assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{story}");
        assert!(story.contains(said), "{said}: {story}");
    }
}

#[tokio::test]
async fn where_immutable_tags_can_expire_none_is_said_to_withstand_a_deletion_k52() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 2).await;
    quay.world().can_expire = true;
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert!(each(enforced.targets().iter(), |target| by_digest(target) == Answer::No), "{story}");
}

#[tokio::test]
async fn policies_of_every_scope_are_simulated_and_named_with_their_date_k53() {
    let years = || json!("3650d");
    for (scope, name) in [("acme", "organization"), ("acme/shop", "repository"), ("", "default")] {
        let quay = Quay::start().await;
        let estate = with_releases(&quay, 2).await;
        match scope {
            "" => {
                quay.world().default_policy = json!({ "method": "creation_date", "value": years(), "tag_pattern": "^x", "tag_pattern_matches": false });
            }
            _ => {
                let days = policy("creation_date", &years(), Some("^v"));
                quay.world().policies.insert(scope.to_owned(), vec![days]);
            }
        }
        let text = forecast(&estate, &quay).await;
        assert!(text.contains(&format!("{name} creation_date 3650d")), "{text}");
        assert!(text.contains("\"certain\"") && !text.contains("\"due\":\"now\""), "{text}");
        quay.world().policies.clear();
        quay.world().default_policy = json!(null);
        assert!(!forecast(&estate, &quay).await.contains("creation_date"), "no policy, no date");
    }
}

/// A release of Quay that counts signatures takes the oldest of these, and a later one does not: both are told as one that may.
#[tokio::test]
async fn both_ways_of_signature_names_are_simulated_k53a() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 3).await;
    keeps(&quay, 3);
    quay.world().immutability = Some("prod-pinned-.*");
    assert!(!forecast(&estate, &quay).await.contains("\"due\":\"now\""), "three are kept");
    let of = quay.world().rows["acme/shop"][2].digest.trim_start_matches("sha256:").to_owned();
    pusher(&quay).push("acme/shop", &format!("sha256-{of}.sig"), &image("signature")).await;
    let text = forecast(&estate, &quay).await;
    assert!(text.contains("\"due\":\"now\"") && text.contains("\"possible\""), "{text}");
}

#[tokio::test]
async fn a_release_that_will_expire_is_kept_by_its_pin_which_never_does_k52c() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 2).await;
    let end = jiff::Timestamp::now().as_second() + 86_400;
    quay.world().rows.get_mut("acme/shop").unwrap()[0].end = Some(end);
    let text = forecast(&estate, &quay).await;
    assert!(text.contains("tag expiry"), "{text}");
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    assert!(enforced.complete && all_protected(&enforced), "{}", estate.story(&enforced));
    assert!(!forecast(&estate, &quay).await.contains("tag expiry"));
}

#[tokio::test]
async fn policies_that_may_not_be_read_are_unknown_and_the_gap_names_the_permission_i7_k54b() {
    for (scopes, user, granted) in [
        (vec!["repo:read", "repo:write", "repo:admin"], None, "grant org:admin"),
        (vec!["repo:read", "repo:write", "org:admin"], None, "grant repo:admin"),
        (vec!["repo:read", "repo:write", "repo:admin"], Some("acme"), "only user acme may read them"),
        (vec!["repo:read", "repo:write", "repo:admin", "user:admin"], Some("other"), "only user acme may read them"),
    ] {
        let quay = Quay::start().await;
        let estate = with_releases(&quay, 3).await;
        quay.world().scopes = scopes;
        quay.world().user = user;
        let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
        let story = estate.story(&enforced);
        assert_eq!(quay.writes(), [], "{story}");
        assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{story}");
        assert!(!enforced.complete, "{story}");
        let gaps = &enforced.repositories[0].gaps;
        assert!(gaps.iter().any(|gap| gap.detail.contains(granted)), "{gaps:?}");
    }
    // A user's own namespace, read by that user.
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 3).await;
    quay.world().scopes.push("user:admin");
    quay.world().user = Some("acme");
    keeps(&quay, 1);
    let text = forecast(&estate, &quay).await;
    assert!(text.contains("organization number_of_tags 1") && text.contains("\"due\":\"now\""), "{text}");
}

#[tokio::test]
async fn what_cannot_be_surely_read_of_a_pattern_is_unknown_and_nothing_is_pinned_k53c() {
    for (pattern, said) in
        [("v[", "PostgreSQL refuses the pattern"), ("(v)*\\1", "is not surely read as PostgreSQL reads it")]
    {
        let quay = Quay::start().await;
        let estate = with_releases(&quay, 3).await;
        let counts = policy("number_of_tags", &json!(3), Some(pattern));
        quay.world().policies.insert("acme/shop".to_owned(), vec![counts]);
        let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
        let story = estate.story(&enforced);
        assert_eq!(quay.writes(), [], "{story}");
        assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{story}");
        assert!(story.contains(said), "{story}");
    }
}

/// A tag that moved while the run went on was another a moment ago, and does not expire.
#[tokio::test]
async fn what_ended_by_the_servers_clock_has_ended_whatever_this_ones_says() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 2).await;
    let digest = Digest::sha256(b"before").to_string();
    let start = quay.world().rows["acme/shop"][1].start;
    let before =
        Row { name: "v1.1.0".to_owned(), digest, start: start - 9, end: Some(start + 999_999_999), immutable: false };
    quay.world().rows.get_mut("acme/shop").unwrap().insert(1, before);
    let text = forecast(&estate, &quay).await;
    assert!(!text.contains("tag expiry"), "the row after it is the tag: {text}");
}

#[tokio::test]
async fn what_was_deleted_comes_back_by_the_call_that_the_finding_has_k54() {
    let quay = Quay::start().await;
    let estate = with_releases(&quay, 3).await;
    let first = estate.run_on(Mode::Audit, opened(&quay, false)).await;
    let artifact = first.targets()[0].artifact.clone();
    pusher(&quay).delete_manifest("acme/shop", &artifact).await;
    let mut told = String::new();
    for _ in 0..3 {
        let run = estate.run_on(Mode::Audit, opened(&quay, false)).await;
        told = run.findings.iter().map(|finding| finding.remedy.clone()).collect::<Vec<_>>().join("\n");
    }
    assert!(told.contains("Quay's time machine keeps it until"), "{told}");
    let ready = estate.ready_on(opened(&quay, false)).await;
    let page = ready.report.rows().next().unwrap().unwrap();
    let [command] = &page.undelete[..] else { panic!("{:?}", page.undelete) };
    assert!(told.contains(command.as_str()) && command.contains("/tag/v1.2.0/restore"), "{command}: {told}");
    // As it says.
    let url = format!("{}/api/v1/repository/acme/shop/tag/v1.2.0/restore", quay.url());
    let body = format!("{{\"manifest_digest\":\"{artifact}\"}}");
    assert!(told.contains(&url) && told.contains(&format!("'{body}'")), "{told}");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = http.post(url).bearer_auth(TOKEN).header("content-type", "application/json").body(body).send().await;
    assert_eq!(sent.unwrap().status(), 200);
    let enforced = estate.run_on(Mode::Enforce, opened(&quay, true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.targets().iter().any(|target| target.artifact == artifact), "{story}");
    assert!(all_protected(&enforced), "{story}");
}
