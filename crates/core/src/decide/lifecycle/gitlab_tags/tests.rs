//! GitLab's repositories through the door: what is taken when, and that a pin that takes a place from a release is not harmless
//! (I22, K57).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::effects::Stirred;
use super::super::{Known, Outlook, Situation, artifact_outlook, foreseen, outlook, without_pins};
use crate::model::{
    AdviceKind, ArtifactId, Certainty, Digest, Due, Gap, GitLabRepository, GitLabTag, Pin, Retention, Scope, Setting,
    Snapshot,
};

const NOW: Timestamp = Timestamp::constant(1_796_000_000, 0);

fn digest(number: usize) -> Digest {
    Digest::sha256(&number.to_be_bytes())
}

fn id(number: usize) -> ArtifactId {
    ArtifactId::Manifest(digest(number))
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn tag(name: &str, number: usize, age: i64) -> GitLabTag {
    GitLabTag { name: name.parse().unwrap(), digest: Some(digest(number)), published: Some(NOW - days(age)) }
}

/// The policy runs every day, and next in an hour.
fn policy(rest: &str) -> Setting {
    let next = NOW + SignedDuration::from_hours(1);
    let text = format!(r#"{{"enabled":true,"cadence":"1d","next_run_at":"{next}","name_regex":".*",{rest}}}"#);
    Setting::Text(text.into())
}

/// Releases `v1` to `v4`, each ten days younger than the one before it.
fn releases(rest: &str) -> GitLabRepository {
    let tags = (1..=4).map(|number| tag(&format!("v{number}"), number, 50 - 10 * i64::try_from(number).unwrap()));
    GitLabRepository {
        project: "shop/api".into(),
        policy: policy(rest),
        protected: Setting::Unset,
        immutable: Setting::Unset,
        tags: tags.collect(),
        untagged: Vec::new(),
    }
}

fn snapshot(repository: GitLabRepository) -> Snapshot {
    Snapshot { retention: Retention::GitLab(Box::new(repository)), ..Snapshot::default() }
}

fn seen<T>(snapshot: &Snapshot, pinned: &[usize], look: impl Fn(&Situation<'_>) -> T) -> T {
    let (targets, pinned) = ((1..=4).map(id).collect(), pinned.iter().copied().map(id).collect());
    let inspections = BTreeMap::new();
    look(&Situation {
        snapshot,
        targets: &targets,
        pinned: &pinned,
        inspections: &inspections,
        arrivals: &[],
        now: NOW,
    })
}

fn known(snapshot: &Snapshot, pinned: &[usize]) -> Known {
    match seen(snapshot, pinned, outlook) {
        Outlook::Known(known) => known,
        other => panic!("{other:?}"),
    }
}

fn due(known: &Known, number: usize) -> Option<(Due, Certainty)> {
    known.threats.get(&id(number)).map(|threats| (threats[0].due.clone(), threats[0].certainty))
}

fn stirred(snapshot: &Snapshot, of: usize) -> Stirred {
    seen(snapshot, &[], |situation| artifact_outlook::stirred(situation, &id(of)))
}

const KEEPS_PINS: &str = r#""name_regex_keep":"prod-pinned-.*""#;
const KEEPS_NOTHING: &str = r#""name_regex_keep":null"#;

#[test]
fn what_goes_by_the_next_run_by_a_later_one_and_after_pushes_k57() {
    let first = NOW + SignedDuration::from_hours(1);
    let old = snapshot(releases(&format!(r#"{KEEPS_PINS},"older_than":"30d""#)));
    let found = known(&old, &[]);
    assert_eq!(due(&found, 1), Some((Due::On(first), Certainty::Certain)), "40 days old");
    assert_eq!(due(&found, 2), Some((Due::On(first), Certainty::Certain)), "30 days old an hour before");
    assert_eq!(due(&found, 3), Some((Due::On(first + days(10)), Certainty::Certain)));
    assert_eq!(due(&found, 4), Some((Due::On(first + days(20)), Certainty::Certain)));
    let gone = |at| seen(&old, &[3], |situation| foreseen(situation, at)).unwrap().into_keys().collect::<BTreeSet<_>>();
    assert_eq!(gone(NOW), BTreeSet::new(), "it has not run");
    assert_eq!(gone(first), [id(1), id(2)].into());
    assert_eq!(gone(first + days(30)), [id(1), id(2), id(4)].into(), "the third is pinned");

    let counted = snapshot(releases(&format!(r#"{KEEPS_PINS},"keep_n":2"#)));
    let found = known(&counted, &[]);
    let after = |pushes| Some((Due::AfterPushes { pushes, around: None }, Certainty::Certain));
    assert_eq!(due(&found, 1), Some((Due::On(first), Certainty::Certain)));
    assert_eq!((due(&found, 3), due(&found, 4)), (after(1), after(2)));
    let found = known(&counted, &[1, 2, 3, 4]);
    assert_eq!((found.threats.len(), found.unseen.len(), found.advice), (0, 0, vec![]), "pins hold");
}

#[test]
fn where_the_next_run_is_not_told_it_may_be_now() {
    let mut repository = releases(KEEPS_PINS);
    let text = r#"{"enabled":true,"name_regex":".*","name_regex_keep":null,"older_than":"35d","next_run_at":null}"#;
    repository.policy = Setting::Text(text.into());
    let found = known(&snapshot(repository), &[]);
    assert_eq!(due(&found, 1), Some((Due::Now, Certainty::Certain)));
    assert_eq!(due(&found, 2).map(|(due, _)| due > Due::Now && due <= Due::On(NOW + days(6))), Some(true));
}

#[test]
fn a_pin_that_is_counted_takes_a_place_and_that_is_told_i22_k57() {
    let counted = snapshot(releases(&format!(r#"{KEEPS_NOTHING},"keep_n":4"#)));
    let found = known(&counted, &[]);
    assert_eq!(due(&found, 1), Some((Due::AfterPushes { pushes: 1, around: None }, Certainty::Certain)));
    assert_eq!(found.advice[0].kind, AdviceKind::PinsIneffective);
    assert!(found.advice[0].remedy.contains("name_regex_keep"), "{:?}", found.advice);
    assert!(matches!(stirred(&counted, 4), Stirred::These(all) if all.len() == 4));
    let with = known(&counted, &[4]);
    assert!(matches!(due(&with, 1), Some((Due::On(_), Certainty::Certain))), "the pin of v4 has its place");
    // A tag rule keeps pins, and does not keep them from being counted.
    let of_roles = r#"[{"tag_name_pattern":"^prod-pinned-","minimum_access_level_for_push":"maintainer","minimum_access_level_for_delete":"owner"}]"#;
    let bare = r#"[{"tag_name_pattern":"^prod-pinned-"}]"#;
    for (rule, is_immutable) in [(of_roles, false), (bare, true)] {
        let mut repository = releases(&format!(r#"{KEEPS_NOTHING},"keep_n":4"#));
        let place = if is_immutable { &mut repository.immutable } else { &mut repository.protected };
        *place = Setting::Text(rule.into());
        let protected = snapshot(repository);
        let found = known(&protected, &[4]);
        assert_eq!(due(&found, 4), None, "{rule}");
        assert!(due(&found, 1).is_some(), "{rule}");
        assert_eq!(found.advice[0].kind, AdviceKind::DoubtfulRule);
        assert!(matches!(stirred(&protected, 4), Stirred::These(_)));
    }
    // A list of protected tags has no immutable ones: a rule there that names no role was not read in full.
    let mut repository = releases(&format!(r#"{KEEPS_NOTHING},"keep_n":4"#));
    repository.protected = Setting::Text(bare.into());
    assert!(!super::protection(&repository).unwrap().makes_immutable("prod-pinned-0"));
    assert_eq!(known(&snapshot(repository), &[]).advice[0].kind, AdviceKind::PinsIneffective);
    // Without a number nothing takes a place from anybody.
    let by_age = snapshot(releases(&format!(r#"{KEEPS_NOTHING},"older_than":"90d""#)));
    assert_eq!(stirred(&by_age, 4), Stirred::Nobody);
    assert_eq!(known(&by_age, &[]).advice[0].kind, AdviceKind::PinsIneffective);
}

#[test]
fn at_dates_that_nobody_tells_a_counted_pin_is_not_known_to_be_harmless_i7_i22() {
    let undated = |rest: &str| {
        let mut repository = releases(rest);
        repository.tags[1].published = None;
        snapshot(repository)
    };
    let counted = undated(&format!(r#"{KEEPS_NOTHING},"keep_n":3"#));
    let found = known(&counted, &[]);
    assert_eq!(found.unseen, [id(1), id(2)].into(), "which of them is the newer one is not known");
    assert_eq!(due(&found, 4), Some((Due::AfterPushes { pushes: 3, around: None }, Certainty::Certain)));
    let full = seen(&counted, &[], artifact_outlook::artifact_outlooks);
    let (sooner, sure) = (Due::AfterPushes { pushes: 2, around: None }, Certainty::Possible);
    assert!(full[&id(4)].threats().iter().any(|it| it.due == sooner && it.certainty == sure), "{full:?}");
    assert!(
        matches!(stirred(&counted, 4), Stirred::Unknown { detail } if detail.contains("when each tag was published"))
    );
    let kept = undated(&format!(r#"{KEEPS_PINS},"keep_n":3"#));
    assert_eq!(stirred(&kept, 4), Stirred::Nobody);
    let found = known(&kept, &[1, 2, 3, 4]);
    assert_eq!((found.unseen.len(), found.threats.len()), (0, 0), "pins hold at any date");
    // All of it goes, whatever the dates are.
    let all = undated(KEEPS_NOTHING);
    assert!(matches!(due(&known(&all, &[]), 2), Some((Due::On(_), Certainty::Certain))));
}

/// Where a run counts by pages, who meets whom in one depends on every name there is.
#[test]
fn a_pin_among_pages_is_not_known_to_be_harmless_even_if_it_is_not_counted_i22_k57() {
    let with = |count: usize| {
        let mut repository = releases(&format!(r#"{KEEPS_PINS},"keep_n":10"#));
        repository.tags.extend((5..=count).map(|number| tag(&format!("b{number}"), number, 5)));
        snapshot(repository)
    };
    assert_eq!(stirred(&with(500), 4), Stirred::Nobody);
    for count in [995, 1_000, 1_001, 3_000] {
        assert!(matches!(stirred(&with(count), 4), Stirred::Unknown { .. }), "{count}");
    }
}

#[test]
fn what_is_not_known_is_not_safe_and_a_policy_that_is_off_takes_nothing_k57() {
    let unknown = |snapshot: &Snapshot| {
        let found = seen(snapshot, &[], outlook);
        assert_eq!(seen(snapshot, &[], |situation| foreseen(situation, NOW + days(90))), None, "{found:?}");
        assert!(matches!(stirred(snapshot, 4), Stirred::Unknown { .. }));
        matches!(found, Outlook::Unknown { .. })
    };
    assert!(unknown(&snapshot(GitLabRepository { policy: Setting::Unknown, ..releases(KEEPS_PINS) })));
    assert!(unknown(&snapshot(releases(r#""name_regex_keep":"(?=x)","keep_n":1"#))));
    assert!(unknown(&snapshot(releases(r#""name_regex_keep":null,"older_than":"a while""#))));
    let mut torn = snapshot(releases(&format!(r#"{KEEPS_NOTHING},"keep_n":4"#)));
    torn.gaps.push(Gap::new(Scope::Repository, crate::model::Cause::Malformed, "a page is lost"));
    assert!(unknown(&torn));
    for off in [Setting::Unset, Setting::Text(r#"{"enabled":false,"keep_n":1}"#.into())] {
        let snapshot = snapshot(GitLabRepository { policy: off, ..releases(KEEPS_PINS) });
        assert_eq!(seen(&snapshot, &[], outlook), Outlook::NoneSet);
        assert_eq!(stirred(&snapshot, 4), Stirred::Nobody);
        assert_eq!(seen(&snapshot, &[], |situation| foreseen(situation, NOW)), Some(BTreeMap::new()));
        assert_eq!(without_pins(&snapshot), None);
    }
    // An older GitLab does not tell what is kept.
    let untold = snapshot(releases(r#""keep_n":1"#));
    let found = known(&untold, &[]);
    assert!(found.advice[0].message.contains("does not tell name_regex_keep"), "{:?}", found.advice);
    assert!(matches!(stirred(&untold, 4), Stirred::These(_)));
}

#[test]
fn an_artifact_goes_with_the_last_of_its_tags() {
    let mut repository = releases(&format!(r#"{KEEPS_PINS},"older_than":"30d""#));
    repository.tags.push(tag("latest", 1, 40));
    let pin = Pin::for_digest(&digest(2)).to_string();
    repository.tags.push(tag(&pin, 2, 40));
    let (found, bare) = (known(&snapshot(repository.clone()), &[]), without_pins(&snapshot(repository)).unwrap());
    assert_eq!((due(&found, 1), due(&found, 2)), (None, None));
    assert!(due(&known(&bare, &[]), 2).is_some());
    // Without its last tag it is garbage, and known: no pin is blamed for what becomes of it then.
    let mut alone = releases(&format!(r#"{KEEPS_NOTHING},"older_than":"30d""#));
    alone.tags.retain(|tag| tag.name.as_str() != "v2");
    alone.tags.push(tag(&pin, 2, 1));
    let (found, bare) = (known(&snapshot(alone.clone()), &[]), without_pins(&snapshot(alone)).unwrap());
    assert!(matches!(due(&found, 2), Some((Due::On(_), Certainty::Certain))));
    assert_eq!(due(&known(&bare, &[]), 2), Some((Due::Now, Certainty::Certain)));
}

fn any_repository() -> impl Strategy<Value = GitLabRepository> {
    let names = ["v1", "v2", "v3", "dev", "latest", "main-1", "b1", "b2"];
    let tags = proptest::collection::vec((prop::sample::select(names.to_vec()), 0..5_usize, 0..60_i64), 1..8);
    let text = |values: Vec<&'static str>| prop::sample::select(values);
    let keep = text(vec!["null", r#""prod-pinned-.*""#, r#""v1|prod-pinned-.*""#, r#""prod-pinned-[0-7].*""#]);
    let delete = text(vec![".*", "v.*", "dev|main", "prod.*"]);
    let (number, older) = (prop::option::of(1..6_u64), prop::option::of(prop::sample::select(vec![7, 30])));
    let protected = prop::option::of(text(vec!["^prod-pinned-", "v1"]));
    (tags, keep, delete, (number, older), protected).prop_map(|(tags, keep, delete, (number, older), protected)| {
        let number = number.map_or_else(|| "null".to_owned(), |number| number.to_string());
        let older = older.map_or_else(|| "null".to_owned(), |older| format!(r#""{older}d""#));
        let policy = format!(
            r#"{{"enabled":true,"name_regex":"{delete}","name_regex_keep":{keep},"keep_n":{number},"older_than":{older}}}"#
        );
        let protected = protected.map_or(Setting::Unset, |pattern| {
            let rule = format!(r#"[{{"tag_name_pattern":"{pattern}","minimum_access_level_for_delete":"owner"}}]"#);
            Setting::Text(rule.into())
        });
        let mut known = BTreeSet::new();
        let tags = tags.into_iter().filter(|(name, ..)| known.insert(*name));
        let tags = tags.map(|(name, number, age)| tag(name, number, age)).collect();
        GitLabRepository { policy: Setting::Text(policy.into()), protected, tags, ..releases(KEEPS_PINS) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is there and whatever the policy says: where a pin stirs nobody, nobody fares worse by it; where it stirs some,
    /// nobody else does; and what is pinned by a tag that a run passes over stays.
    #[test]
    fn no_pin_makes_anything_worse_unseen_i22_k57(
        repository in any_repository(),
        pinned in proptest::collection::btree_set(0..5_usize, 0..3),
        one_more in 0..5_usize,
    ) {
        let all: BTreeSet<ArtifactId> =
            repository.tags.iter().filter_map(|tag| tag.digest.clone()).map(ArtifactId::Manifest).collect();
        prop_assume!(all.contains(&id(one_more)));
        let before: BTreeSet<ArtifactId> = pinned.into_iter().map(id).filter(|id| all.contains(id)).collect();
        let after: BTreeSet<ArtifactId> = before.iter().cloned().chain([id(one_more)]).collect();
        let rules = super::rules(&repository).unwrap().expect("it is enabled");
        let snapshot = snapshot(repository);
        let inspections = BTreeMap::new();
        let situation = |pinned| Situation {
            snapshot: &snapshot, targets: &all, pinned, inspections: &inspections, arrivals: &[], now: NOW,
        };
        let stirred = artifact_outlook::stirred(&situation(&before), &id(one_more));
        let was = artifact_outlook::artifact_outlooks(&situation(&before));
        let is = artifact_outlook::artifact_outlooks(&situation(&after));
        for (artifact, outlook) in &is {
            let may_be_worse = matches!(&stirred, Stirred::These(these) if these.contains(artifact));
            if !may_be_worse {
                prop_assert_eq!(outlook.worse_than(&was[artifact]), None, "{}: {:?}", artifact, was[artifact]);
            }
        }
        let pin = super::pin_of(&digest(one_more)).unwrap();
        if !rules.is_counted(&pin) {
            prop_assert_eq!(is[&id(one_more)].threats(), []);
        }
    }
}
