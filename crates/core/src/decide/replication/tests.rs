use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::model::{
    Digest, HarborCollection, HarborReplicationFilter, NamePatterns, Order, ProductionRule, Resolution, Setting,
};

fn policy(direction: HarborReplicationDirection, trigger: HarborReplicationTrigger) -> HarborReplicationPolicy {
    HarborReplicationPolicy {
        name: "mirror".into(),
        registry: "elsewhere".into(),
        direction,
        trigger,
        filters: vec![HarborReplicationFilter::Name("shop/**".into())],
        namespace: "".into(),
        flattened: -1,
        overrides: true,
        deletes: true,
    }
}

fn immutable(tags: &str) -> Value {
    let selector = |decoration: &str, pattern: &str| json!([{ "kind": "doublestar", "decoration": decoration, "pattern": pattern }]);
    json!({
        "id": 1, "tag_selectors": selector("matches", tags),
        "scope_selectors": { "repository": selector("repoMatches", "**") },
    })
}

fn harbor(policies: &[HarborReplicationPolicy], immutable: &[Value]) -> HarborRepository {
    HarborRepository {
        project: "shop".into(),
        name: "api".into(),
        neighbours: Arc::default(),
        artifacts: Vec::new(),
        policy: Setting::Unset,
        immutable: Setting::Text(json!(immutable).to_string().into()),
        version: None,
        collection: HarborCollection::Unscheduled,
        replication: HarborReplication::Known(policies.into()),
        cached_from: None,
    }
}

/// What is told of a repository with a release, a build and a pinned target.
fn told(harbor: &HarborRepository) -> Vec<(Code, Severity, String)> {
    let (rules, tags) = (rules(), tags());
    let listed: Vec<&ObservedTag> = tags.iter().collect();
    dangers(harbor, &rules, &listed, true).map(|danger| (danger.code, danger.severity, danger.message)).collect()
}

fn rules() -> Rules {
    let patterns = NamePatterns::new(["v*"]).unwrap();
    let production = vec![ProductionRule::Tags { patterns, order: Order::Semver }];
    Rules { keep: 5, production, may_move: NamePatterns::new(["dev-*"]).unwrap() }
}

fn tags() -> [ObservedTag; 2] {
    ["dev-7", "v1.0.0"].map(|name| ObservedTag {
        name: name.parse().unwrap(),
        target: Resolution::Artifact(Digest::sha256(name.as_bytes()).into()),
        pushed: Some(Box::new(Timestamp::UNIX_EPOCH)),
        object: None,
    })
}

#[test]
fn what_is_copied_here_moves_tags_unless_a_rule_holds_them_j34() {
    use HarborReplicationDirection::Pull;
    for trigger in [HarborReplicationTrigger::Scheduled, HarborReplicationTrigger::ByHand] {
        let pull = policy(Pull, trigger);
        let of = |policy: &HarborReplicationPolicy, held: &[Value]| told(&harbor(std::slice::from_ref(policy), held));
        let [(code, severity, message)] = &of(&pull, &[])[..] else { panic!("one danger") };
        assert_eq!((*code, *severity), (Code::TagsMutable, Severity::Medium));
        assert_eq!(
            message,
            "replication policy mirror copies from registry elsewhere into this repository and moves tags that differ: pins \
             can be overwritten, and so can release tags: v1.0.0"
        );
        let releases = of(&pull, &[immutable("prod-pinned-*")]);
        assert!(releases[0].2.ends_with(": release tags can be overwritten: v1.0.0"), "{releases:?}");
        assert!(of(&pull, &[immutable("v*")])[0].2.ends_with(": pins can be overwritten"));
        assert_eq!(of(&pull, &[immutable("**")]), [], "Harbor refuses the copy");
        assert_eq!(of(&HarborReplicationPolicy { overrides: false, ..pull.clone() }, &[]), []);
        assert_eq!(of(&HarborReplicationPolicy { namespace: "pay".into(), ..pull.clone() }, &[]), []);
        let only_builds = HarborReplicationFilter::Tag { pattern: "dev-*".into(), excludes: false };
        assert_eq!(of(&HarborReplicationPolicy { filters: vec![only_builds], ..pull.clone() }, &[]), []);
    }
    let unread = HarborRepository {
        immutable: Setting::Unknown,
        ..harbor(&[policy(Pull, HarborReplicationTrigger::ByHand)], &[])
    };
    assert_eq!(told(&unread).len(), 1, "what could not be read holds nothing");
}

#[test]
fn a_copy_elsewhere_follows_deletions_on_events_alone_and_moved_tags_always_j34() {
    use HarborReplicationDirection::Push;
    use HarborReplicationTrigger::{ByHand, OnEvents, Scheduled, Unknown};
    for (trigger, overrides, deletes, expected) in [
        (OnEvents, true, true, Some((Code::DeleteAllowed, Severity::Low))),
        (OnEvents, false, true, Some((Code::DeleteAllowed, Severity::Low))),
        (Unknown, false, true, Some((Code::DeleteAllowed, Severity::Low))),
        (Scheduled, false, true, None),
        (ByHand, true, true, Some((Code::TagsMutable, Severity::Info))),
        (OnEvents, true, false, Some((Code::TagsMutable, Severity::Info))),
        (OnEvents, false, false, None),
    ] {
        let push = HarborReplicationPolicy { overrides, deletes, ..policy(Push, trigger) };
        let found = told(&harbor(std::slice::from_ref(&push), &[]));
        assert_eq!(found.first().map(|(code, severity, _)| (*code, *severity)), expected, "{push:?}");
        let other = HarborReplicationFilter::Name("pay/**".into());
        assert_eq!(told(&harbor(&[HarborReplicationPolicy { filters: vec![other], ..push }], &[])), []);
    }
}

#[test]
fn a_pin_starts_what_goes_by_events_and_lets_pins_pass_j34() {
    use HarborReplicationDirection::{Pull, Push};
    use HarborReplicationTrigger::{ByHand, OnEvents, Scheduled, Unknown};
    let started = |policy: HarborReplicationPolicy| {
        started_by_pins(&Retention::Harbor(Box::new(harbor(&[policy], &[])))).is_some()
    };
    for (direction, trigger, expected) in [
        (Push, OnEvents, true),
        (Push, Unknown, true),
        (Push, Scheduled, false),
        (Push, ByHand, false),
        (Pull, OnEvents, false),
    ] {
        assert_eq!(started(policy(direction, trigger)), expected, "{direction:?} {trigger:?}");
    }
    let with = |filter| HarborReplicationPolicy { filters: vec![filter], ..policy(Push, OnEvents) };
    let tag = |pattern: &str, excludes| with(HarborReplicationFilter::Tag { pattern: pattern.into(), excludes });
    assert!(!started(tag("v*", false)));
    assert!(!started(tag("prod-pinned-*", true)));
    assert!(started(tag("v*", true)));
    assert!(!started(with(HarborReplicationFilter::Name("pay/*".into()))));
    assert_eq!(started_by_pins(&Retention::Unruled), None);
}

#[test]
fn a_look_ahead_says_what_is_not_known_and_what_pins_start_j34() {
    let (rules, tags) = (rules(), tags());
    let listed: Vec<&ObservedTag> = tags.iter().collect();
    for (cause, why, remedy) in [
        (Cause::Denied, "403 FORBIDDEN", "replication-policy:list"),
        (Cause::Unsupported, "404, and not in Harbor's words", "its API shows none"),
        (Cause::ServerError, "500 UNKNOWN", "run again later"),
    ] {
        let replication = HarborReplication::Unknown { cause, why: why.into() };
        let unknown = HarborRepository { replication, ..harbor(&[], &[]) };
        let [advice] = &advice(&unknown, &rules, &listed, true)[..] else { panic!("one sentence") };
        assert_eq!(advice.kind, AdviceKind::Replication);
        assert!(advice.message.contains("is unknown") && advice.message.ends_with(why), "{advice:?}");
        assert!(advice.remedy.contains(remedy), "{advice:?}");
        assert_eq!(advice.remedy.contains("grant"), cause == Cause::Denied, "{advice:?}");
        assert_eq!(told(&unknown), [], "a robot account of one project may never ask");
    }
    assert_eq!(super::advice(&harbor(&[], &[]), &rules, &listed, true), [], "none is an answer");
    let push = policy(HarborReplicationDirection::Push, HarborReplicationTrigger::OnEvents);
    let said = super::advice(&harbor(&[push], &[]), &rules, &listed, true);
    let said: Vec<&str> = said.iter().map(|advice| advice.message.as_str()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1].starts_with("each pin made here starts replication policy mirror"), "{said:?}");
}
