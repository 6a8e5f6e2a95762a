//! Images of Artifact Registry through the door: what goes when, what holds pins, and that a pin that policies delete is not made
//! (I22).

mod laws;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::super::artifact_outlook::{artifact_outlooks, stirred};
use super::super::effects::Stirred;
use super::super::{Known, Outlook, Situation, foreseen, outlook, recommend, toll, without_pins};
use super::*;
use crate::model::{Certainty, Due, Retention, Snapshot};

const NOW: Timestamp = Timestamp::constant(1_796_000_000, 0);

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

fn artifact(name: &str) -> ArtifactId {
    ArtifactId::Manifest(digest(name))
}

fn image(name: &str, age: i64, tags: &[&str], children: &[&str]) -> GarImage {
    GarImage {
        digest: digest(name),
        tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        uploaded: NOW - days(age),
        children: children.iter().map(|child| digest(child)).collect(),
    }
}

/// Four releases, pushed 10, 20, 30 and 40 days ago.
fn releases() -> Vec<GarImage> {
    [("four", 10, "v4"), ("three", 20, "v3"), ("two", 30, "v2"), ("one", 40, "v1")]
        .map(|(name, age, tag)| image(name, age, &[tag], &[]))
        .into()
}

fn repository(policies: &str, images: Vec<GarImage>) -> GarRepository {
    GarRepository {
        place: "projects/acme/locations/europe/repositories/shop".into(),
        package: "api".into(),
        policies: Setting::Text(policies.into()),
        on_trial: false,
        immutable_tags: Some(false),
        cached_from: None,
        images,
        is_counted: true,
        unread: None,
    }
}

fn snapshot(repository: GarRepository) -> Snapshot {
    Snapshot { retention: Retention::Gar(Box::new(repository)), ..Snapshot::default() }
}

fn in_situation<T>(snapshot: &Snapshot, pinned: &[&str], ask: impl Fn(&Situation<'_>) -> T) -> T {
    let targets: BTreeSet<ArtifactId> = ["one", "two", "three", "four"].map(artifact).into();
    ask(&Situation {
        snapshot,
        targets: &targets,
        pinned: &pinned.iter().map(|name| artifact(name)).collect(),
        inspections: &BTreeMap::new(),
        arrivals: &[],
        now: NOW,
    })
}

fn told(repository: GarRepository, pinned: &[&str]) -> Outlook {
    in_situation(&snapshot(repository), pinned, outlook)
}

fn known(repository: GarRepository, pinned: &[&str]) -> Known {
    match told(repository, pinned) {
        Outlook::Known(known) => known,
        other => panic!("{other:?}"),
    }
}

fn due(known: &Known, name: &str) -> Option<(Due, Certainty)> {
    known.threats.get(&artifact(name)).map(|threats| (threats[0].due.clone(), threats[0].certainty))
}

const OLD_OR_FIFTH: &str = r#"{
    "old": {"action": "DELETE", "condition": {"olderThan": "2160000s"}},
    "newest": {"action": "KEEP", "mostRecentVersions": {"keepCount": 3}}
}"#;

#[test]
fn what_goes_now_by_a_date_and_after_pushes_k42_k43() {
    let known = known(repository(OLD_OR_FIFTH, releases()), &[]);
    assert_eq!(due(&known, "one"), Some((Due::Now, Certainty::Certain)));
    // Old enough, and kept by number as long as nothing comes.
    assert_eq!(due(&known, "two"), Some((Due::AfterPushes { pushes: 1, around: None }, Certainty::Certain)));
    assert_eq!(due(&known, "three"), Some((Due::AfterPushes { pushes: 2, around: None }, Certainty::Certain)));
    let by_age = r#"{"old": {"action": "DELETE", "condition": {"olderThan": "2160000s"}}}"#;
    let known = super::tests::known(repository(by_age, releases()), &[]);
    let after = NOW - days(20) + days(25) + SignedDuration::from_nanos(1);
    assert_eq!(due(&known, "three"), Some((Due::On(after), Certainty::Certain)));
    assert_eq!(due(&known, "two"), Some((Due::Now, Certainty::Certain)));
    assert_eq!(known.threats[&artifact("two")][0].rule, "old");
}

#[test]
fn a_policy_that_keeps_pins_holds_them_and_without_one_they_are_ineffective_k42_k44() {
    let keeps = r#"{
        "all": {"action": "DELETE", "condition": {}},
        "pins": {"action": "KEEP", "condition": {"tagState": "TAGGED", "tagPrefixes": ["prod-pinned-"]}}
    }"#;
    let held = known(repository(keeps, releases()), &["one", "two"]);
    assert_eq!((due(&held, "one"), due(&held, "two")), (None, None));
    assert_eq!(due(&held, "three"), Some((Due::Now, Certainty::Certain)));
    assert_eq!(held.advice, []);
    let all = r#"{"all": {"action": "DELETE", "condition": {}}}"#;
    let lost = known(repository(all, releases()), &["one"]);
    assert_eq!(due(&lost, "one"), Some((Due::Now, Certainty::Certain)));
    let [advice] = &lost.advice[..] else { panic!("{:?}", lost.advice) };
    assert_eq!((advice.rule.as_deref(), advice.kind), (Some("all"), AdviceKind::PinsIneffective));
    // What is recommended holds them, and is what the API takes.
    let recommended = recommend(&snapshot(repository(all, releases()))).unwrap();
    let body: Value = serde_json::from_str(&recommended).unwrap();
    let policies = body["cleanupPolicies"].to_string();
    let held = known(repository(&policies, releases()), &["one", "two", "three", "four"]);
    assert_eq!((held.threats.len(), held.advice.len()), (0, 0), "{policies}");
    assert_eq!(body["cleanupPolicies"]["all"]["action"], "DELETE", "what was there stays");
    // Where they hold already, nothing is added; where there is no room, that is said.
    let same: Value = serde_json::from_str(&recommend(&snapshot(repository(keeps, releases()))).unwrap()).unwrap();
    assert_eq!(same["cleanupPolicies"], serde_json::from_str::<Value>(keeps).unwrap());
    let full: Vec<String> = (0..10).map(|n| format!(r#""p{n}":{{"action":"DELETE","condition":{{}}}}"#)).collect();
    let full = format!("{{{}}}", full.join(","));
    assert!(recommend(&snapshot(repository(&full, releases()))).unwrap_err().contains("the most that it can have"));
    // A policy of that name which does something else stays as it is.
    let taken = r#"{"keep-prod-pinned": {"action": "DELETE", "condition": {}}}"#;
    let body: Value = serde_json::from_str(&recommend(&snapshot(repository(taken, releases()))).unwrap()).unwrap();
    let (old, new) = (&body["cleanupPolicies"]["keep-prod-pinned"], &body["cleanupPolicies"]["keep-prod-pinned-2"]);
    assert_eq!(
        (&old["action"], &new["action"], &new["id"]),
        (&"DELETE".into(), &"KEEP".into(), &"keep-prod-pinned-2".into())
    );
    let unset = GarRepository { policies: Setting::Unset, ..repository("{}", releases()) };
    assert!(recommend(&snapshot(unset)).is_err());
}

#[test]
fn only_what_fits_pins_makes_them_ineffective() {
    for (policies, ineffective) in [
        (r#"{"p": {"action": "DELETE", "condition": {"tagState": "UNTAGGED"}}}"#, false),
        (r#"{"p": {"action": "DELETE", "condition": {"tagState": "TAGGED", "tagPrefixes": ["dev-"]}}}"#, false),
        (r#"{"p": {"action": "DELETE", "condition": {"tagPrefixes": ["dev-"]}}}"#, true),
        (r#"{"p": {"action": "DELETE", "condition": {"packageNamePrefixes": ["web"]}}}"#, false),
        (r#"{"p": {"action": "DELETE", "condition": {"tagPrefixes": ["prod-"]}}}"#, true),
        (r#"{"p": {"action": "DELETE", "condition": {"tagPrefixes": ["prod-pinned-0"]}}}"#, true),
        (r#"{"p": {"action": "DELETE", "condition": {"olderThan": "1s"}}}"#, true),
        (
            r#"{"p": {"action": "DELETE", "condition": {}}, "k": {"action": "KEEP", "condition": {"tagState": "TAGGED"}}}"#,
            false,
        ),
        (
            r#"{"p": {"action": "DELETE", "condition": {}},
                "k": {"action": "KEEP", "condition": {"tagPrefixes": ["prod-pinned-"], "newerThan": "864000s"}}}"#,
            true,
        ),
        (
            r#"{"p": {"action": "DELETE", "condition": {}},
                "k": {"action": "KEEP", "condition": {"tagPrefixes": ["prod-pinned-a"]}}}"#,
            true,
        ),
    ] {
        let advice = known(repository(policies, releases()), &[]).advice;
        assert_eq!(!advice.is_empty(), ineffective, "{policies}: {advice:?}");
    }
}

/// Google may take every release by a policy that is written for others.
#[test]
fn prefixes_beside_any_state_of_tags_may_spare_nothing_k41() {
    let dev = r#"{"dev": {"action": "DELETE", "condition": {"tagState": "ANY", "tagPrefixes": ["dev-"], "olderThan": "2160000s"}}}"#;
    let told = known(repository(dev, releases()), &["one"]);
    assert_eq!(
        (due(&told, "one"), due(&told, "two")),
        (Some((Due::Now, Certainty::Possible)), Some((Due::Now, Certainty::Possible)))
    );
    assert!(told.threats[&artifact("one")][0].why.contains("tagState TAGGED"), "{told:?}");
    assert!(told.advice.iter().any(|advice| advice.remedy.contains("set tagState TAGGED")), "{:?}", told.advice);
    let tagged = known(repository(&dev.replace("ANY", "TAGGED"), releases()), &[]);
    assert_eq!((tagged.threats.len(), tagged.advice.len()), (0, 0));
}

/// What was not counted whole may keep fewer of those that are known.
#[test]
fn a_count_of_what_was_not_listed_whole_keeps_nothing_for_sure_k43() {
    let uncounted = || GarRepository { is_counted: false, ..repository(OLD_OR_FIFTH, releases()) };
    let told = known(uncounted(), &[]);
    assert_eq!(due(&told, "one"), Some((Due::Now, Certainty::Certain)), "more can only push it further out");
    assert_eq!(due(&told, "two"), Some((Due::Now, Certainty::Possible)));
    let by_age = r#"{"old": {"action": "DELETE", "condition": {"olderThan": "2160000s"}}}"#;
    let aged = GarRepository { is_counted: false, ..repository(by_age, releases()) };
    assert_eq!(known(aged, &[]).threats, known(repository(by_age, releases()), &[]).threats, "nobody counts");
}

/// Its platforms have no tag: whether the service keeps them all the same, nobody says.
#[test]
fn an_index_may_go_with_a_platform_until_that_is_pinned_k43_i26() {
    let untagged = r#"{"bare": {"action": "DELETE", "condition": {"tagState": "UNTAGGED", "olderThan": "864000s"}}}"#;
    let images = || {
        vec![image("one", 40, &["v1"], &["amd64", "arm64"]), image("amd64", 40, &[], &[]), image("arm64", 5, &[], &[])]
    };
    let known_with = |pinned: &[&str]| known(repository(untagged, images()), pinned);
    assert_eq!(due(&known_with(&["one"]), "one"), Some((Due::Now, Certainty::Possible)));
    let (later, sure) = due(&known_with(&["one", "amd64"]), "one").unwrap();
    assert!(matches!(later, Due::On(_)) && sure == Certainty::Possible);
    assert_eq!(due(&known_with(&["one", "amd64", "arm64"]), "one"), None);
    assert!(known_with(&["one"]).unseen.contains(&artifact("two")), "what was not listed is not known");
    let unlisted = vec![image("one", 40, &["v1"], &["amd64"])];
    assert!(known(repository(untagged, unlisted), &["one"]).unseen.contains(&artifact("one")));
    // A pin of a platform changes what becomes of the platform and of its index, and of nobody else.
    let snapshot = snapshot(repository(untagged, images()));
    let concerned = in_situation(&snapshot, &[], |situation| stirred(situation, &artifact("amd64")));
    assert_eq!(concerned, Stirred::These([artifact("amd64"), artifact("one")].into()));
    let taken = in_situation(&snapshot, &[], |situation| foreseen(situation, NOW)).unwrap();
    assert_eq!(taken[&artifact("amd64")].certainty, Certainty::Certain);
    assert_eq!(taken[&artifact("one")].certainty, Certainty::Possible);
    assert_eq!(taken.len(), 2);
    let later = in_situation(&snapshot, &[], |situation| foreseen(situation, NOW + days(6))).unwrap();
    assert_eq!(later[&artifact("arm64")].certainty, Certainty::Certain);
    let toll = in_situation(&snapshot, &[], |situation| toll(situation, NOW)).unwrap();
    assert_eq!((toll.deleted, toll.possibly), (1, 0), "the target itself is told by itself");
}

#[test]
fn platforms_push_releases_out_faster_than_their_number_says_k43() {
    let five = r#"{
        "all": {"action": "DELETE", "condition": {}},
        "five": {"action": "KEEP", "mostRecentVersions": {"keepCount": 5}}
    }"#;
    let mut images = releases();
    images[0].children = vec![digest("amd64"), digest("arm64")];
    images.push(image("amd64", 11, &[], &[]));
    images.push(image("arm64", 12, &[], &[]));
    let known = known(repository(five, images), &[]);
    assert_eq!(due(&known, "one"), Some((Due::Now, Certainty::Certain)), "the sixth of six digests");
    // Each push of three versions: one is enough.
    assert_eq!(due(&known, "two"), Some((Due::AfterPushes { pushes: 1, around: None }, Certainty::Certain)));
    assert_eq!(due(&known, "three"), Some((Due::AfterPushes { pushes: 1, around: None }, Certainty::Certain)));
    // Itself after two pushes; a platform of it, which may be kept all the same, after one.
    assert_eq!(due(&known, "four"), Some((Due::AfterPushes { pushes: 2, around: None }, Certainty::Certain)));
}

#[test]
fn what_has_an_immutable_tag_may_be_passed_over_k44() {
    let all = r#"{"all": {"action": "DELETE", "condition": {}}}"#;
    for (immutable_tags, expected) in
        [(Some(false), Certainty::Certain), (Some(true), Certainty::Possible), (None, Certainty::Possible)]
    {
        let held = GarRepository { immutable_tags, ..repository(all, releases()) };
        assert_eq!(due(&known(held, &[]), "one"), Some((Due::Now, expected)), "{immutable_tags:?}");
    }
}

#[test]
fn what_could_not_be_read_is_unknown_and_no_policy_is_none() {
    let unread = |repository| match told(repository, &[]) {
        Outlook::Unknown { detail } => detail,
        other => panic!("{other:?}"),
    };
    let unknown = GarRepository { policies: Setting::Unknown, ..repository("{}", releases()) };
    assert_eq!(unread(unknown.clone()), UNREAD);
    assert!(
        unread(repository(r#"{"p": {"action": "DELETE", "condition": {"size": 1}}}"#, releases())).contains("not what")
    );
    let torn = GarRepository { unread: Some("a page is lost".into()), ..repository(OLD_OR_FIFTH, releases()) };
    assert_eq!(unread(torn), "a page is lost");
    let blind = in_situation(&snapshot(unknown), &[], |situation| stirred(situation, &artifact("one")));
    assert!(matches!(blind, Stirred::Unknown { .. }), "{blind:?}");
    for none in [
        GarRepository { policies: Setting::Unset, ..repository("{}", releases()) },
        repository(r#"{"k": {"action": "KEEP", "condition": {}}}"#, releases()),
        // Nobody deletes by what was not listed.
        GarRepository { policies: Setting::Unset, unread: Some("x".into()), ..repository("{}", Vec::new()) },
    ] {
        assert_eq!(told(none.clone(), &[]), Outlook::NoneSet);
        let nobody = in_situation(&snapshot(none), &[], |situation| stirred(situation, &artifact("one")));
        assert_eq!(nobody, Stirred::Nobody);
    }
}

#[test]
fn policies_on_trial_take_nothing_and_are_told_k41() {
    let trial = GarRepository { on_trial: true, ..repository(OLD_OR_FIFTH, releases()) };
    let known = known(trial.clone(), &["one"]);
    assert_eq!((known.threats.len(), known.unseen.len()), (0, 0));
    assert!(known.advice[0].message.contains("they take 4 rollback targets, pinned or not"), "{:?}", known.advice);
    let snapshot = snapshot(trial.clone());
    assert_eq!(in_situation(&snapshot, &[], |situation| foreseen(situation, NOW)), Some(BTreeMap::new()));
    let broken = GarRepository { policies: Setting::Text("[]".into()), ..trial };
    assert_eq!(told(broken, &[]), Outlook::NoneSet, "whatever they say, they delete nothing");
}

/// A pin that a policy asks for makes its artifact fare worse, and nobody else.
#[test]
fn a_pin_worsens_no_fate_but_where_policies_ask_for_its_tag_i22() {
    for (policies, worse) in [
        (r#"{"p": {"action": "DELETE", "condition": {"tagState": "UNTAGGED"}}}"#, false),
        (OLD_OR_FIFTH, false),
        (r#"{"p": {"action": "DELETE", "condition": {"tagState": "TAGGED", "tagPrefixes": ["prod-"]}}}"#, true),
    ] {
        let snapshot = snapshot(repository(policies, releases()));
        let outlooks = |pinned: &[&str]| in_situation(&snapshot, pinned, artifact_outlooks);
        let (before, after) = (outlooks(&[]), outlooks(&["two"]));
        for (artifact, outlook) in &after {
            let is_worse = outlook.worse_than(&before[artifact]).is_some();
            assert_eq!(is_worse, worse && *artifact == super::tests::artifact("two"), "{policies}");
        }
    }
    let pinned: Tag = Pin::for_digest(&digest("one")).to_string().parse().unwrap();
    let mut images = releases();
    images[3].tags.push(pinned);
    let bare = without_pins(&snapshot(repository(OLD_OR_FIFTH, images))).unwrap();
    assert_eq!(bare.retention, snapshot(repository(OLD_OR_FIFTH, releases())).retention);
    assert!(without_pins(&snapshot(repository(OLD_OR_FIFTH, releases()))).is_none(), "there are none");
}
