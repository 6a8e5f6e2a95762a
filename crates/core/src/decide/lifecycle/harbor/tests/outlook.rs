//! Through the door: what is said to come is what runs of the simulator then do.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Launch, NestedNames, Outcome, Rules, Table};
use super::literal::{artifacts, rules};
use super::world::{DAY, ago, artifact, immutable, rule, selector};
use crate::decide::harm::{self, Ground};
use crate::decide::lifecycle::{Outlook, Situation, foreseen, outlook, recommend};
use crate::model::{
    AdviceKind, ArtifactId, Certainty, Due, Gap, HarborArtifact, HarborCollection, HarborReplication, HarborRepository,
    HarborTag, PinTerms, Retention, Scope, Setting, Snapshot, Threat,
};

const DAILY: &str = "0 0 0 * * *";

fn repository(rules: &[Value], artifacts: &[HarborArtifact]) -> HarborRepository {
    let policy = json!({
        "id": 7, "algorithm": "or", "rules": rules, "scope": { "level": "project" },
        "trigger": { "kind": "Schedule", "settings": { "cron": DAILY } },
    });
    HarborRepository {
        project: "shop".into(),
        name: "api".into(),
        neighbours: [].into(),
        artifacts: artifacts.to_vec(),
        policy: Setting::Text(policy.to_string().into()),
        immutable: Setting::Text("[]".into()),
        version: Some("v2.15.2-080b0220".into()),
        collection: HarborCollection::Unscheduled,
        replication: HarborReplication::Known([].into()),
        cached_from: None,
    }
}

fn snapshot(repository: &HarborRepository) -> Snapshot {
    Snapshot { retention: Retention::Harbor(Box::new(repository.clone())), ..Snapshot::default() }
}

fn ids(repository: &HarborRepository) -> BTreeSet<ArtifactId> {
    repository.artifacts.iter().map(|artifact| ArtifactId::Manifest(artifact.digest.clone())).collect()
}

/// An hour before a run.
fn now() -> Timestamp {
    ago(3_600)
}

fn look<T>(repository: &HarborRepository, ask: impl Fn(&Situation<'_>) -> T) -> T {
    let (snapshot, targets, nobody) = (snapshot(repository), ids(repository), BTreeSet::new());
    ask(&Situation {
        snapshot: &snapshot,
        targets: &targets,
        pinned: &nobody,
        inspections: &BTreeMap::new(),
        arrivals: &[],
        now: now(),
    })
}

/// The first threat to each, in the order of the listing.
fn threats(repository: &HarborRepository) -> Vec<Option<Threat>> {
    let outlook = look(repository, outlook);
    let of = |artifact: &HarborArtifact| outlook.threats(&artifact.digest.clone().into()).first().cloned();
    repository.artifacts.iter().map(of).collect()
}

/// What a real run at that time does, and whether each is retained in every order of equals.
fn run(repository: &HarborRepository, at: Timestamp) -> (Table, Vec<bool>) {
    let rules = Rules::read(repository).unwrap();
    let Launch::Job(in_job) = rules.launch(repository) else { panic!("no rule takes it") };
    let job = rules.job(repository, &in_job, &repository.artifacts, at);
    assert_eq!(job.names, NestedNames::Whole);
    let Outcome::Ran(run) = job.run() else { panic!("it fails") };
    let is_sure = |artifact: &HarborArtifact| run.retains(&artifact.digest) && !run.open.contains(&artifact.digest);
    (job.table(&run, false), repository.artifacts.iter().map(is_sure).collect())
}

/// The same with so many more like this one that came since, after all that was there.
fn with_more_like(repository: &HarborRepository, row: usize, more: u64) -> HarborRepository {
    let mut repository = repository.clone();
    let like = repository.artifacts[row].clone();
    for number in 0..more {
        let at = ago(-10 - i64::try_from(number).unwrap());
        let tag = |tag: &HarborTag| HarborTag { name: tag.name.clone(), pushed: at, pulled: Some(at) };
        let tags = like.tags.iter().map(tag).collect();
        let new = artifact(&format!("new {number}"), 0, &[]);
        repository.artifacts.push(HarborArtifact { tags, pushed: at, pulled: Some(at), ..new });
    }
    repository
}

proptest! {
    #[test]
    fn what_is_said_to_come_comes(
        rules in prop::collection::vec(rules(), 1..4),
        artifacts in artifacts(),
    ) {
        let repository = repository(&rules, &artifacts);
        let threats = threats(&repository);
        for days in 0..9 {
            let at = ago(0) + SignedDuration::from_secs(days * DAY);
            let (table, sure) = run(&repository, at);
            let dated = look(&repository, |situation| foreseen(situation, at)).unwrap();
            for (row, threat) in threats.iter().enumerate() {
                let said = threat.as_ref().filter(|threat| matches!(threat.due, Due::On(due) if due <= at));
                let digest = &artifacts[row].digest;
                prop_assert_eq!(said.is_none(), sure[row], "row {} at {}: {:?}", row, at, threat);
                if said.is_some_and(|threat| threat.certainty == Certainty::Certain) {
                    prop_assert!(table.gone.contains(digest), "row {} at {}: {:?}", row, at, threat);
                }
                prop_assert_eq!(dated.contains_key(&digest.clone().into()), said.is_some());
            }
        }
        for (row, threat) in threats.iter().enumerate() {
            if let Some(Threat { due: Due::AfterPushes { pushes, .. }, .. }) = threat {
                let after = |more| run(&with_more_like(&repository, row, more), now()).1[row];
                prop_assert!(after(pushes - 1), "row {}: {:?}", row, threat);
                // A rule about days may hold it still.
                let far = now() + SignedDuration::from_secs(30 * DAY);
                prop_assert!(!run(&with_more_like(&repository, row, *pushes), far).1[row], "row {}: {:?}", row, threat);
            }
        }
    }

    #[test]
    fn a_pin_that_may_be_made_worsens_nobody_at_any_date_or_push_i22(
        rules in prop::collection::vec(rules(), 1..4),
        artifacts in artifacts(),
        row in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
    ) {
        let repository = repository(&rules, &artifacts);
        let snapshot = snapshot(&repository);
        let ground = Ground {
            snapshot: &snapshot,
            inspections: &BTreeMap::new(),
            arrivals: &[],
            now: now(),
            terms: PinTerms::default(),
            stays: &|_| true,
            production: &|| ids(&repository),
        };
        let (row, other) = (row.index(artifacts.len()), other.index(artifacts.len()));
        let wanted = ArtifactId::Manifest(artifacts[row].digest.clone());
        let cleared = harm::clear(&ground, &BTreeSet::new(), std::slice::from_ref(&wanted));
        let digests = wanted.digest().cloned().into_iter().collect();
        let pinned = super::super::with_pins(&artifacts, &digests, now()).into_owned();
        let pinned = HarborRepository { artifacts: pinned, ..repository.clone() };
        let mut worse = false;
        for days in 0..9 {
            for more in 0..4 {
                let at = ago(0) + SignedDuration::from_secs(days * DAY);
                let (_, before) = run(&with_more_like(&repository, other, more), at);
                let (_, after) = run(&with_more_like(&pinned, other, more), at);
                worse |= before.iter().zip(&after).take(artifacts.len()).any(|(before, after)| *before && !after);
            }
        }
        if worse && other != row {
            prop_assert!(cleared.pins.is_empty(), "it is cleared, and somebody fares worse");
        }
    }
}

fn pins() -> Value {
    selector("matches", "prod-pinned-*")
}

fn all() -> Value {
    selector("matches", "**")
}

#[test]
fn threats_name_the_rule_the_path_and_the_date() {
    let artifacts = [artifact("2", DAY, &["v2"]), artifact("1", 3 * DAY, &["v1"]), artifact("untagged", 4 * DAY, &[])];
    let of = |repository: &HarborRepository| {
        let told = |threat: Option<Threat>| match threat {
            None => "stays".to_owned(),
            Some(threat) => {
                let sure = if threat.certainty == Certainty::Certain { "" } else { "?" };
                format!("{}{sure}: {}", threat.rule, crate::decide::lifecycle::when(&threat.due))
            }
        };
        threats(repository).into_iter().map(told).collect::<Vec<_>>()
    };
    let latest = repository(&[rule("latestPushedK", 2, &[all()])], &artifacts);
    assert_eq!(
        of(&latest),
        [
            "1 (latestPushedK): after 2 more pushes, about 2026-01-04 at the present pace",
            "1 (latestPushedK): after 1 more push, about 2026-01-03 at the present pace",
            "tag retention: on 2026-01-02",
        ]
    );
    let days = repository(&[rule("nDaysSinceLastPush", 5, &[all()])], &artifacts);
    assert_eq!(
        of(&days),
        [
            "1 (nDaysSinceLastPush): on 2026-01-07",
            "1 (nDaysSinceLastPush): on 2026-01-05",
            "1 (nDaysSinceLastPush): on 2026-01-04",
        ]
    );
    let always = repository(&[rule("always", 1, &[all()])], &artifacts);
    assert_eq!(of(&always), ["stays", "stays", "stays"]);
    let by_hand = {
        let text = |setting: &Setting| match setting {
            Setting::Text(text) => text.replace(DAILY, ""),
            Setting::Unset | Setting::Unknown => unreachable!(),
        };
        HarborRepository { policy: Setting::Text(text(&latest.policy).into()), ..latest.clone() }
    };
    assert_eq!(of(&by_hand)[2], "tag retention?: now", "whoever may can run it at any time");
    let collection = |deletes_untagged| HarborCollection::Scheduled { cron: "0 0 3 * * 0".into(), deletes_untagged };
    let with = |collection| of(&HarborRepository { collection, ..always.clone() });
    assert_eq!(with(collection(true)), ["stays", "stays", "garbage collection: on 2026-01-04"]);
    assert_eq!(with(collection(false)), ["stays", "stays", "stays"]);
    assert_eq!(with(HarborCollection::Unknown), ["stays", "stays", "garbage collection?: now"]);
    let broken =
        repository(&[rule("always", 1, &[selector("matches", "[")]), rule("latestPushedK", 0, &[all()])], &artifacts);
    assert_eq!(of(&broken)[0], "tag retention?: on 2026-01-02", "the failure may get lost (J14)");
    let built = repository(&[rule("nothing", 1, &[all()])], &artifacts);
    assert_eq!(of(&built), ["stays", "stays", "stays"], "no run gets so far");
}

#[test]
fn what_is_immutable_or_held_stays() {
    let locked = |rules: Value, name: &str, version: Option<&str>| {
        let one = artifact("1", DAY, &["prod-pinned-1"]);
        let repository = HarborRepository {
            name: name.into(),
            immutable: Setting::Text(rules.to_string().into()),
            version: version.map(Into::into),
            ..repository(&[rule("latestPushedK", 0, &[all()])], &[one])
        };
        threats(&repository)[0].is_none()
    };
    let of = |decoration, pattern| immutable(selector(decoration, pattern), pins());
    assert!(locked(json!([of("repoMatches", "**")]), "api", None));
    assert!(!locked(json!([of("repoMatches", "web")]), "api", None));
    assert!(
        !locked(
            json!([immutable(selector("repoMatches", "**"), selector("matches", "[")), of("repoMatches", "**")]),
            "api",
            None
        ),
        "J25"
    );
    // The job does not see it, and the core refuses (J26).
    assert!(locked(json!([of("repoMatches", "team/**")]), "team/api", Some("v2.15.2-080b0220")));
    // The job sees it where it is not, which only older servers do.
    assert!(locked(json!([of("repoExcludes", "team/**")]), "team/api", Some("v2.15.2")));
    for version in [None, Some("v2.16.0"), Some("v2.15.3"), Some("dev")] {
        assert!(!locked(json!([of("repoExcludes", "team/**")]), "team/api", version), "{version:?}");
    }
    let child = HarborArtifact { is_referenced: true, ..artifact("child", DAY, &["v1-amd64"]) };
    let index = |tag: &str| HarborArtifact { children: vec![child.digest.clone()], ..artifact("index", DAY, &[tag]) };
    let retaining = |artifacts: &[HarborArtifact]| {
        threats(&repository(&[rule("always", 1, &[selector("matches", "keep")])], artifacts))
    };
    assert_eq!(retaining(&[index("keep"), child.clone()])[1], None);
    assert_eq!(retaining(std::slice::from_ref(&child))[0], None);
    assert_eq!(
        retaining(&[index("v1"), child.clone()])[1].as_ref().map(|threat| threat.certainty),
        Some(Certainty::Possible)
    );
}

#[test]
fn what_cannot_be_read_is_not_safe() {
    let one = repository(&[rule("always", 1, &[all()])], &[artifact("1", DAY, &["v1"])]);
    for broken in [
        HarborRepository { policy: Setting::Unknown, ..one.clone() },
        HarborRepository { policy: Setting::Text("{\"rules\":7}".into()), ..one.clone() },
        HarborRepository { immutable: Setting::Unknown, ..one.clone() },
    ] {
        assert!(matches!(look(&broken, outlook), Outlook::Unknown { .. }), "{broken:?}");
        assert_eq!(look(&broken, |situation| foreseen(situation, ago(0))), None);
        assert!(recommend(&snapshot(&broken)).is_err());
    }
    let unset = HarborRepository { policy: Setting::Unset, ..one };
    assert_eq!(look(&unset, outlook), Outlook::NoneSet);
}

#[test]
fn advice_says_whether_pins_hold() {
    let of = |rules: &[Value], immutable: &[Value]| {
        let repository = HarborRepository {
            immutable: Setting::Text(json!(immutable).to_string().into()),
            ..repository(rules, &[artifact("1", DAY, &["v1"])])
        };
        let outlook = look(&repository, outlook);
        outlook.advice().iter().map(|advice| advice.kind).collect::<Vec<_>>()
    };
    let bad = || selector("matches", "[");
    let everywhere = || selector("repoMatches", "**");
    let count = || rule("latestPushedK", 3, &[all()]);
    assert_eq!(of(&[count()], &[]), [AdviceKind::PinsIneffective]);
    assert_eq!(of(&[count(), rule("always", 1, &[pins()])], &[]), []);
    assert_eq!(of(&[count()], &[immutable(everywhere(), pins())]), []);
    assert_eq!(
        of(&[count()], &[immutable(everywhere(), bad()), immutable(everywhere(), pins())]),
        [AdviceKind::DoubtfulRule, AdviceKind::PinsIneffective]
    );
    assert_eq!(of(&[rule("always", 1, &[bad()]), rule("always", 1, &[pins()])], &[]), [AdviceKind::DoubtfulRule]);
    assert_eq!(of(&[rule("nothing", 1, &[all()])], &[])[0], AdviceKind::DoubtfulRule);
}

#[test]
fn what_is_recommended_makes_pins_hold_d116() {
    let one = repository(&[rule("latestPushedK", 3, &[all()])], &[artifact("1", DAY, &["v1"])]);
    let requests: Vec<Value> = serde_json::from_str(&recommend(&snapshot(&one)).unwrap()).unwrap();
    let [immutability, retention] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(immutability["path"], "/api/v2.0/projects/shop/immutabletagrules");
    assert_eq!(retention["path"], "/api/v2.0/retentions/7");
    assert_eq!(retention["body"]["rules"][0], rule("latestPushedK", 3, &[all()]), "what was there stays");
    let mended = HarborRepository {
        policy: Setting::Text(retention["body"].to_string().into()),
        immutable: Setting::Text(json!([immutability["body"]]).to_string().into()),
        ..one.clone()
    };
    assert_eq!(look(&mended, outlook).advice(), []);
    assert_eq!(recommend(&snapshot(&mended)).unwrap(), "[]");
    assert!(immutability["terraform"].as_str().unwrap().contains("resource \"harbor_immutable_tag_rule\""));
    let resource = retention["terraform"].as_str().unwrap();
    assert!(resource.starts_with("# "), "it has no project of its own here: {resource}");
    let full = repository(&vec![rule("latestPushedK", 3, &[all()]); 15], &[]);
    assert!(recommend(&snapshot(&full)).unwrap_err().contains("15"));
}

#[test]
fn what_is_recommended_retains_pins_and_nothing_else_j21() {
    let mut tagged = selector("matches", "v*");
    tagged["extras"] = json!(r#"{"untagged":false}"#);
    let artifacts = [artifact("1", DAY, &["v1"]), artifact("2", DAY, &[]), artifact("3", DAY, &["prod-pinned-3"])];
    let before = repository(&[rule("always", 1, &[tagged])], &artifacts);
    let requests: Vec<Value> = serde_json::from_str(&recommend(&snapshot(&before)).unwrap()).unwrap();
    let body = requests[1]["body"].to_string();
    let after = HarborRepository { policy: Setting::Text(body.into()), ..before.clone() };
    let goes = |repository| threats(repository).iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!(goes(&before), [false, true, true]);
    assert_eq!(goes(&after), [false, true, false]);
}

#[test]
fn what_was_not_listed_may_be_what_counts() {
    let repository = repository(&[rule("latestPushedK", 3, &[all()])], &[artifact("1", DAY, &["v1"])]);
    let gap = Gap { scope: Scope::Repository, cause: crate::model::Cause::Unreachable, detail: String::new() };
    let partial = Snapshot { gaps: vec![gap], ..snapshot(&repository) };
    let (targets, nobody) = (ids(&repository), BTreeSet::new());
    let situation = Situation {
        snapshot: &partial,
        targets: &targets,
        pinned: &nobody,
        inspections: &BTreeMap::new(),
        arrivals: &[],
        now: now(),
    };
    assert!(matches!(outlook(&situation), Outlook::Unknown { .. }));
}
