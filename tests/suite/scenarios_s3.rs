//! What a user of deployment buckets lives through: lifecycle rules against holds, hidden and overwritten releases,
//! settings that change, and the same told in advance.

mod bucket;

use prodpin::decide::lifecycle::TriedRules;
use prodpin::model::{
    BucketExpiration, BucketLifecycle, BucketRule, BucketTransition, Code, Due, Finding, Mode, NoncurrentLimit,
    Obstacle, Order, RuleFilter, Severity, StorageClass, TransitionMinimum, Trigger, Versioning,
};
use prodpin::outcome::forecast::{RepositoryForecast, RulesFound, TargetOutlook};
use prodpin::outcome::report::PinReport;
use prodpin::report::forecast::{ForecastFormat, render};
use prodpin::report::render::Style;
use prodpin::run::{Forecast, ForecastOptions};

use crate::estate::{Estate, RunResult, tags};
use crate::support::each;
use bucket::{Bucket, key};

/// So far away that the day on which the test is run does not matter.
const CENTURY: u32 = 36_500;

fn under(prefix: &str, id: &str) -> BucketRule {
    let filter = RuleFilter { written: true, prefix: prefix.into(), ..RuleFilter::default() };
    BucketRule { id: id.into(), enabled: true, filter, ..BucketRule::default() }
}

fn expiring(id: &str, days: u32) -> BucketRule {
    BucketRule { expiration: Some(BucketExpiration::Current(Trigger::Days(days))), ..under("shop/", id) }
}

fn cleaning(id: &str, days: u32, keep_newer: u32) -> BucketRule {
    BucketRule { noncurrent_expiration: Some(NoncurrentLimit { days, keep_newer }), ..under("shop/", id) }
}

fn moving(id: &str, class: &str, days: u32) -> BucketRule {
    let transition = BucketTransition { class: StorageClass::new(class), when: Trigger::Days(days) };
    BucketRule { transitions: vec![transition], ..under("shop/", id) }
}

fn rules(rules: impl IntoIterator<Item = BucketRule>) -> Option<BucketLifecycle> {
    Some(BucketLifecycle { rules: rules.into_iter().collect(), minimum: TransitionMinimum::VariesByClass })
}

struct World {
    estate: Estate,
    bucket: Bucket,
}

impl World {
    /// Two releases in a bucket with these rules.
    fn under(lifecycle: Option<BucketLifecycle>) -> Self {
        let bucket = Bucket::new();
        bucket.put("1.0.0", "first", "2026-01-01T10:00:00Z");
        bucket.put("1.1.0", "second", "2026-01-02T10:00:00Z");
        bucket.change(|state| state.lifecycle = lifecycle);
        let mut estate = Estate::new(vec![tags(&["*"], Order::Semver)]);
        estate.policy.keep = 2;
        Self { estate, bucket }
    }

    async fn run(&self, mode: Mode) -> RunResult {
        self.estate.run_on(mode, self.bucket.source(mode == Mode::Enforce)).await
    }

    async fn enforce(&self) -> RunResult {
        self.run(Mode::Enforce).await
    }

    async fn forecast(&self, options: ForecastOptions) -> Forecast {
        self.estate.forecast_on(options, self.bucket.source(false)).await
    }

    fn change(&self, change: impl FnOnce(&mut bucket::State)) {
        self.bucket.change(change);
    }
}

fn protected(reported: &RunResult) -> Vec<Option<bool>> {
    reported.targets().iter().map(|target| target.protected).collect()
}

fn findings_with(reported: &RunResult, code: Code) -> Vec<&Finding> {
    reported.findings.iter().filter(|finding| finding.code == code).collect()
}

fn severities(reported: &RunResult, code: Code) -> Vec<Severity> {
    findings_with(reported, code).into_iter().map(|finding| finding.severity).collect()
}

fn only(forecast: &Forecast) -> RepositoryForecast {
    forecast.report.rows().next().unwrap().unwrap()
}

fn shown(forecast: &Forecast, format: ForecastFormat) -> String {
    let mut out = Vec::new();
    render(format, &forecast.report, Style { colour: false, width: 120 }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn at(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_hold_protects_where_no_rule_hides_or_moves_and_a_second_run_does_nothing_i7_i13() {
    let world = World::under(rules([cleaning("tidy", 1, 0), under("logs/", "logs"), expiring("off", 1)]));
    world.change(|state| state.lifecycle.as_mut().unwrap().rules[2].enabled = false);
    let first = world.enforce().await;
    assert_eq!(protected(&first), [Some(true); 2], "{}", world.estate.story(&first));
    let events = world.estate.events().await;
    assert_eq!(world.enforce().await.codes(), Vec::<String>::new());
    assert_eq!(world.estate.events().await, events);
}

#[tokio::test]
async fn a_rule_that_hides_a_held_release_is_told_with_its_date_b60_b74() {
    let world = World::under(rules([expiring("tidy", CENTURY)]));
    let (audit, enforced) = (world.run(Mode::Audit).await, world.enforce().await);
    for reported in [&audit, &enforced] {
        assert_eq!(protected(reported), [Some(false); 2]);
        assert_eq!(severities(reported, Code::LifecycleCollision), [Severity::High; 2]);
    }
    let lost = at("2125-12-10T00:00:00Z");
    assert_eq!(enforced.targets()[0].lasts_until(jiff::Timestamp::now()), Some(&Due::On(lost)));
    assert!(each(enforced.targets().iter(), |target| target.pin == PinReport::Created));
    let stories = [&audit, &enforced].map(|reported| world.estate.story(reported));
    insta::assert_snapshot!(stories.join("--- next run\n"));
}

#[tokio::test]
async fn what_is_due_is_critical_and_an_archive_never_b73() {
    let hidden = World::under(rules([expiring("tidy", 1)])).enforce().await;
    assert_eq!(severities(&hidden, Code::LifecycleCollision), [Severity::Critical; 2]);
    let world = World::under(rules([moving("cool", "GLACIER", 1)]));
    let moved = world.enforce().await;
    assert_eq!(protected(&moved), [Some(false); 2]);
    assert_eq!(severities(&moved, Code::LifecycleCollision), [Severity::High; 2]);
    insta::assert_snapshot!(world.estate.story(&moved));
    let quick = World::under(rules([moving("cool", "GLACIER_IR", 1)])).enforce().await;
    assert_eq!(protected(&quick), [Some(true); 2], "what is read at once slows nothing");
}

/// Production runs an older version of its key: only a hold keeps that from a rule for noncurrent versions.
#[tokio::test]
async fn an_overwritten_release_lives_by_its_hold_alone_b70() {
    let world = World::under(rules([cleaning("tidy", 1, 0)]));
    assert_eq!(protected(&world.run(Mode::Audit).await), [Some(false); 2]);
    world.bucket.put("1.0.0", "other bytes", "2026-02-01T10:00:00Z");
    let audit = world.run(Mode::Audit).await;
    assert_eq!(findings_with(&audit, Code::ObjectOverwritten).len(), 1, "{}", world.estate.story(&audit));
    let unpinned = findings_with(&audit, Code::PinMissing);
    assert!(
        unpinned.iter().any(|finding| finding.message.contains("unless it is, lifecycle rule tidy deletes it now"))
    );
    let enforced = world.enforce().await;
    assert_eq!(severities(&enforced, Code::LifecycleCollision), []);
    assert!(
        each(protected(&enforced).iter(), |protected| *protected == Some(true)),
        "{}",
        world.estate.story(&enforced)
    );
    insta::assert_snapshot!([&audit, &enforced].map(|reported| world.estate.story(reported)).join("--- next run\n"));
}

#[tokio::test]
async fn without_object_lock_nothing_withstands_a_rule_b64_b65_f50() {
    let world = World::under(rules([cleaning("tidy", CENTURY, 0)]));
    world.change(|state| state.object_lock = Some(false));
    world.run(Mode::Audit).await;
    world.bucket.put("1.0.0", "other bytes", "2026-02-01T10:00:00Z");
    let reported = world.enforce().await;
    assert!(each(protected(&reported).iter(), |protected| *protected == Some(false)));
    let collisions = findings_with(&reported, Code::LifecycleCollision);
    assert_eq!(collisions.len(), 1, "{}", world.estate.story(&reported));
    assert!(collisions[0].message.contains("on 2126-01-09"), "{}", collisions[0].message);
    assert_eq!(severities(&reported, Code::ObjectLockOff), [Severity::High]);
}

#[tokio::test]
async fn a_marker_in_front_is_told_and_starts_the_clock_of_what_it_hides_b60_b70() {
    let world = World::under(rules([cleaning("tidy", CENTURY, 0)]));
    world.change(|state| state.object_lock = Some(false));
    world.run(Mode::Audit).await;
    world.bucket.delete("1.1.0", "2026-03-01T10:00:00Z");
    let reported = world.run(Mode::Audit).await;
    assert_eq!(severities(&reported, Code::TargetHidden), [Severity::High], "{}", world.estate.story(&reported));
    let lost = reported.targets().iter().find_map(|target| target.lasts_until(jiff::Timestamp::now()));
    assert_eq!(lost, Some(&Due::On(at("2126-02-06T00:00:00Z"))));
}

#[tokio::test]
async fn rules_that_could_not_be_read_are_never_safe_i4_f48() {
    let unread = World::under(None);
    let reported = unread.enforce().await;
    assert_eq!(protected(&reported), [None; 2], "{}", unread.estate.story(&reported));
    assert!(!reported.complete);
    let forecast = unread.forecast(ForecastOptions::default()).await;
    assert!(matches!(only(&forecast).rules, RulesFound::Unknown { .. }) && !forecast.report.section.complete);
    // Whether versions are kept does not matter to a version that has an id: it is hidden either way. In a key that was
    // not read to its end, the worst is reported as possible.
    for (blur, verb) in [
        ((|state| state.versioning = None) as fn(&mut bucket::State), "hides"),
        (|state| state.broken = Some(key("1.1.0")), "may hide"),
    ] {
        let world = World::under(rules([expiring("tidy", CENTURY)]));
        world.enforce().await;
        world.change(blur);
        let reported = world.run(Mode::Audit).await;
        let story = world.estate.story(&reported);
        assert!(!protected(&reported).contains(&Some(true)), "{story}");
        let as_expected =
            |obstacle: &Obstacle| matches!(obstacle, Obstacle::Lifecycle { effect, .. } if effect.starts_with(verb));
        assert!(reported.targets().iter().any(|target| target.obstacles.iter().any(as_expected)), "{story}");
    }
}

#[tokio::test]
async fn settings_that_change_are_told_once_f37_f48() {
    let world = World::under(rules([]));
    assert_eq!(severities(&world.enforce().await, Code::SettingsChanged), []);
    world.change(|state| state.lifecycle = rules([cleaning("tidy", 30, 0)]));
    assert_eq!(severities(&world.enforce().await, Code::SettingsChanged), [Severity::Medium]);
    world.change(|state| state.lifecycle = None);
    assert_eq!(severities(&world.enforce().await, Code::SettingsChanged), [], "unread is not changed");
    world.change(|state| state.lifecycle = rules([cleaning("tidy", 30, 0)]));
    world.change(|state| state.versioning = Some(Versioning::Suspended));
    let weaker = world.enforce().await;
    assert_eq!(severities(&weaker, Code::SettingsChanged), [Severity::High]);
    assert_eq!(severities(&weaker, Code::VersioningOff), [Severity::High]);
    assert_eq!(severities(&world.enforce().await, Code::SettingsChanged), []);
}

#[tokio::test]
async fn a_forecast_tells_dates_rules_and_what_others_lose() {
    let world = World::under(rules([expiring("tidy", CENTURY), moving("cool", "DEEP_ARCHIVE", CENTURY + 365)]));
    let as_of = Some(at("2127-06-01T00:00:00Z"));
    let forecast = world.forecast(ForecastOptions { as_of, ..ForecastOptions::default() }).await;
    let row = only(&forecast);
    assert_eq!(row.rules, RulesFound::Live);
    assert!(each(row.targets.iter(), |target| target.outlook == Some(TargetOutlook::Gone)), "{row:#?}");
    insta::assert_snapshot!("bucket_forecast_table", shown(&forecast, ForecastFormat::Table));
    insta::assert_snapshot!("bucket_forecast_json", shown(&forecast, ForecastFormat::Json));
    // One more release, and the oldest is none of the targets any longer.
    world.bucket.put("1.2.0", "third", "2026-01-03T10:00:00Z");
    let others = only(&world.forecast(ForecastOptions { as_of, ..ForecastOptions::default() }).await).others.unwrap();
    assert_eq!((others.artifacts, others.now.deleted, others.by_then.unwrap().deleted), (1, 0, 1));
}

#[tokio::test]
async fn rules_can_be_tried_as_json_and_as_xml_before_they_are_applied() {
    let world = World::under(rules([]));
    world.enforce().await;
    let json =
        r#"{"Rules": [{"ID": "new", "Status": "Enabled", "Filter": {"Prefix": "shop/"}, "Expiration": {"Days": 1}}]}"#;
    let xml = "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ID>new</ID>\
               <Status>Enabled</Status><Filter><Prefix>shop/</Prefix></Filter><Expiration><Days>1</Days></Expiration>\
               </Rule></LifecycleConfiguration>";
    for text in [json, xml] {
        let tried = Some(TriedRules::read(text).unwrap());
        let forecast = world.forecast(ForecastOptions { tried, ..ForecastOptions::default() }).await;
        assert_eq!(only(&forecast).rules, RulesFound::Tried);
        assert_eq!(forecast.report.summary.severities.with_severity(Severity::Critical), 2, "{text}");
    }
    let live = world.forecast(ForecastOptions::default()).await;
    assert_eq!((only(&live).rules, live.report.summary.threatened), (RulesFound::NoneSet, 0));
    // A policy of another service has no place in a bucket.
    let ecr = crate::scenarios_ecr::rule(1, "v*", "imageCountMoreThan", 1);
    let tried = Some(TriedRules::read(&format!(r#"{{"rules": [{ecr}]}}"#)).unwrap());
    let forecast = world.forecast(ForecastOptions { tried, ..ForecastOptions::default() }).await;
    assert_eq!(only(&forecast).rules, RulesFound::NoneSet);
}

#[tokio::test]
async fn what_is_recommended_spares_every_pinned_release() {
    let logs = BucketRule { filter: under("logs/", "").filter, ..expiring("logs", 7) };
    let world =
        World::under(rules([expiring("tidy", 30), cleaning("clean", 30, 2), moving("cool", "GLACIER", 9), logs]));
    world.enforce().await;
    assert_eq!(world.forecast(ForecastOptions::default()).await.report.summary.threatened, 2);
    let recommended = world.estate.recommended_on(world.bucket.source(false)).await;
    let text = recommended.policies.into_values().next().unwrap().unwrap();
    insta::assert_snapshot!(text);
    let tried = Some(TriedRules::read(&text).unwrap());
    let forecast = world.forecast(ForecastOptions { tried, ..ForecastOptions::default() }).await;
    assert_eq!((only(&forecast).rules, forecast.report.summary.threatened), (RulesFound::Tried, 0));
}
