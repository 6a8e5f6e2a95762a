//! Whole runs under rules that stand in a file, and what is left once zot has collected by them.

use prodpin::model::{Answer, Code, Mode, Pin, Retention};
use prodpin::outcome::report::PinReport;
use prodpin::run::ForecastOptions;
use prodpin::sources::Reservation;
use serde_json::{Value, json};

use super::server::{REPOSITORY, Zot};
use crate::estate::RunResult;
use crate::support::each;

fn has(reported: &RunResult, code: Code) -> bool {
    reported.findings.iter().any(|finding| finding.code == code)
}

/// The newest so many of everything, with or without an entry for pins in front.
fn newest(count: usize, pins_first: bool) -> Value {
    let of_pins = pins_first.then(|| json!({ "patterns": ["^prod-pinned-"] }));
    let counted = json!({ "mostRecentlyPushedCount": count });
    of_pins.into_iter().chain([counted]).collect()
}

#[tokio::test]
async fn behind_an_entry_of_their_own_pins_hold_and_collections_prove_it_k55() {
    let (zot, estate) = Zot::with_releases(7).await;
    zot.keeps(&newest(2, true));
    let audit = estate.run_on(Mode::Audit, zot.opened(false)).await;
    assert_eq!(zot.writes(), Vec::<String>::new(), "an audit writes nothing");
    assert!(has(&audit, Code::PinMissing), "{}", estate.story(&audit));
    let enforced = estate.run_on(Mode::Enforce, zot.opened(true)).await;
    let story = estate.story(&enforced);
    assert!(enforced.complete, "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{story}");
    let by_digest = |answer| {
        each(enforced.targets().iter(), |target| target.survives.as_ref().unwrap().deletion_by_digest.answer == answer)
    };
    assert!(by_digest(Answer::No), "{story}");
    assert_eq!(zot.writes().len(), 5, "the targets alone: {:?}", zot.writes());
    zot.collect().await;
    let left = zot.tags().await;
    let pins = enforced.targets().iter().map(|target| Pin::for_digest(target.artifact.digest().unwrap()).to_string());
    assert!(each(pins, |pin| left.contains(&pin)), "{left:?}");
    assert_eq!(left.iter().filter(|tag| tag.starts_with('v')).count(), 2, "{left:?}");
    zot.registry.forget_requests();
    let second = estate.run_on(Mode::Enforce, zot.opened(true)).await;
    assert_eq!(zot.writes(), Vec::<String>::new(), "{}", estate.story(&second));
    assert!(each(second.targets().iter(), |target| target.protected == Some(true)), "{}", estate.story(&second));
}

#[tokio::test]
async fn a_pin_that_would_be_counted_is_not_made_and_no_release_is_lost_to_one_i22_k55() {
    let (zot, estate) = Zot::with_releases(6).await;
    zot.keeps(&newest(6, false));
    let enforced = estate.run_on(Mode::Enforce, zot.opened(true)).await;
    let story = estate.story(&enforced);
    assert_eq!(zot.writes(), Vec::<String>::new(), "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected != Some(true)), "{story}");
    assert!(each(enforced.targets().iter(), |target| target.pin == PinReport::Refused), "{story}");
    assert!(story.contains("zot does not say when tags were pushed"), "{story}");
    assert!(story.contains("^prod-pinned-"), "what makes it safe: {story}");
    zot.collect().await;
    assert_eq!(zot.tags().await.len(), 6);
}

#[tokio::test]
async fn pins_that_no_entry_has_are_said_not_to_hold_k55() {
    let (zot, estate) = Zot::with_releases(5).await;
    zot.keeps(&json!([{ "patterns": ["^v"] }]));
    let enforced = estate.run_on(Mode::Enforce, zot.opened(true)).await;
    let story = estate.story(&enforced);
    assert!(has(&enforced, Code::PinIneffective), "{story}");
    zot.collect().await;
    assert_eq!(zot.tags().await, ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0"]);
    // A tag rule that drops the releases as well: the rules take them, pinned or not.
    zot.keeps(&json!([{ "patterns": ["^dev-"] }]));
    let audit = estate.run_on(Mode::Audit, zot.opened(false)).await;
    assert!(each(audit.targets().iter(), |target| target.protected == Some(false)), "{}", estate.story(&audit));
    assert!(has(&audit, Code::LifecycleCollision), "{}", estate.story(&audit));
    let forecast = estate.forecast_on(ForecastOptions::default(), zot.opened(false)).await;
    let row = serde_json::to_string(&forecast.report.rows().next().unwrap().unwrap()).unwrap();
    assert!(row.contains("retention.policies[0].keepTags"), "{row}");
}

#[tokio::test]
async fn a_server_that_collects_nothing_and_one_without_policies_take_no_pin() {
    for text in [
        r#"{ "storage": { "rootDirectory": "/r", "gc": false,
            "retention": { "policies": [{ "repositories": ["**"], "keepTags": [{ "patterns": ["^dev-"] }] }] } } }"#,
        r#"{ "storage": { "rootDirectory": "/r" } }"#,
        r#"{ "storage": { "rootDirectory": "/r",
            "retention": { "policies": [{ "repositories": ["pay/**"], "keepTags": [{ "patterns": ["^dev-"] }] }] } } }"#,
    ] {
        let (zot, estate) = Zot::with_releases(3).await;
        zot.write(text);
        let enforced = estate.run_on(Mode::Enforce, zot.opened(true)).await;
        let story = estate.story(&enforced);
        assert!(each(enforced.targets().iter(), |target| target.protected == Some(true)), "{text}: {story}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_or_has_what_is_not_known_leaves_everything_unknown_i7() {
    let storage = |more: &str| format!(r#"{{ "storage": {{ "rootDirectory": "/r"{more} }} }}"#);
    for (text, said) in [
        (None, "cannot be read"),
        (Some("{".to_owned()), "is no JSON"),
        (Some(storage(r#", "expire": "1h""#)), "storage has \"expire\", which prodpin does not know"),
    ] {
        let (zot, estate) = Zot::with_releases(3).await;
        if let Some(text) = &text {
            zot.write(text);
        }
        let enforced = estate.run_on(Mode::Enforce, zot.opened(true)).await;
        let story = estate.story(&enforced);
        assert_eq!(zot.writes(), Vec::<String>::new(), "{said}: {story}");
        assert!(!enforced.complete, "{story}");
        assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{story}");
        assert!(has(&enforced, Code::CleanupUnknown), "{story}");
        let told = enforced.findings.iter().any(|finding| finding.message.contains(said));
        assert!(told, "{said}: {story}");
    }
}

#[tokio::test]
async fn patterns_that_are_not_surely_read_and_missing_files_are_as_an_oci_source_f123() {
    let (zot, estate) = Zot::with_releases(3).await;
    zot.keeps(&json!([{ "patterns": ["(?i)*"] }]));
    let enforced = estate.run_on(Mode::Enforce, zot.opened(true)).await;
    let story = estate.story(&enforced);
    assert_eq!(zot.writes(), Vec::<String>::new(), "{story}");
    assert!(each(enforced.targets().iter(), |target| target.protected.is_none()), "{story}");
    let without = estate.run_on(Mode::Enforce, zot.opened_with(None, &["shop/*"], true)).await;
    assert!(each(without.targets().iter(), |target| target.pin == PinReport::Withheld), "{}", estate.story(&without));
    assert_eq!(zot.writes(), Vec::<String>::new());
}

/// Where memory ends before what the rules count is there, the rules are unknown, and never none.
#[tokio::test]
async fn rules_for_which_there_is_no_memory_are_not_taken_for_none_i20_k55() {
    const ALL: usize = 1 << 17;
    let (zot, _estate) = Zot::with_releases(7).await;
    zot.keeps(&newest(2, true));
    let (inventory, repository) = (zot.opened(false).inventory, REPOSITORY.parse().unwrap());
    let mut cut = 0;
    for room in (ALL / 2..=ALL).step_by(2_048) {
        let memory = Reservation::with_limit(ALL as u64);
        memory.take(ALL - room).unwrap();
        let snapshot = inventory.observe_within(&repository, &memory).await;
        assert!(matches!(snapshot.retention, Retention::Zot(_)), "{room}: {:?}", snapshot.retention);
        cut += usize::from(snapshot.tags.len() == 7 && !snapshot.listing_is_complete());
    }
    assert!(cut > 0, "it never came to that");
}
