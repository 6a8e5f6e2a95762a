//! Deciding on a bucket's keys: version chains tell what happened before the first look and between two looks.

use std::collections::{BTreeMap, BTreeSet};

use prodpin::decide::{self, Attempts, Input, Plan, Rules};
use prodpin::model::{
    ArtifactId, Closure, Content, Inspection, Mark, Mode, NamePatterns, ObjectFacts, ObjectVersion, ObservedTag,
    Obstacle, Order, PinState, Presence, ProductionRule, RepositoryKey, RepositoryState, Resolution, SettingFacts,
    Severity, Snapshot, StorageClass, Versioning,
};
use prodpin::outcome::report::PinReport;

/// A bucket's repository, look after look.
struct Bucket {
    rules: Rules,
    state: RepositoryState,
    sequence: u64,
    locked: bool,
    /// When the inventory was made that is read in place of a listing.
    made: Option<jiff::Timestamp>,
}

impl Bucket {
    fn new(production: Vec<ProductionRule>) -> Self {
        let rules = Rules { keep: 5, production, may_move: NamePatterns::none() };
        Self { rules, state: RepositoryState::default(), sequence: 0, locked: true, made: None }
    }

    fn releases() -> Self {
        Self::new(vec![ProductionRule::Tags { patterns: NamePatterns::new(["*"]).unwrap(), order: Order::Semver }])
    }

    /// What one run decides on these keys, and remembers.
    fn look(&mut self, keys: &[ObservedTag]) -> Plan {
        self.sequence += 1;
        let key = RepositoryKey { source: "bundles".parse().unwrap(), name: "api".parse().unwrap() };
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let snapshot = Snapshot { tags: keys.to_vec(), made: self.made, ..Snapshot::default() };
        let absent = decide::survey(&snapshot, &self.state, &self.rules).absent;
        let looked_up = absent.into_iter().map(|tag| (tag, Resolution::NotFound)).collect();
        let asked = decide::Asked { looked_up, ..decide::Asked::default() };
        let events = decide::changes(&snapshot, &asked, &self.state);
        let mark = Mark { sequence: self.sequence, at: now };
        decide::fold(&mut self.state, mark, &events);
        let labels = self.state.tags.keys().map(|tag| (tag.clone(), label(tag.as_str()).into())).collect();
        let selection = decide::select(
            &self.rules,
            &snapshot,
            &self.state,
            &labels,
            &[],
            &BTreeSet::new(),
            jiff::Timestamp::UNIX_EPOCH,
        );
        let mut inspections = BTreeMap::new();
        loop {
            let unseen = selection.unseen(self.rules.keep, &inspections);
            if unseen.is_empty() {
                break;
            }
            inspections.extend(unseen.into_iter().map(|artifact| (artifact.clone(), self.inspect(artifact, keys))));
        }
        let plan = decide::plan(&Input {
            key: &key,
            mode: Mode::Audit,
            now,
            rules: &self.rules,
            snapshot: &snapshot,
            state: &self.state,
            events: &events,
            unnamed: &Default::default(),
            labels: &labels,
            running: &[],
            selection: &selection,
            inspections: &inspections,
            attempts: &Attempts::new(),
            gaps: &[],
            pins: Default::default(),
            database: &[],
            claim: None,
        });
        decide::fold(&mut self.state, mark, &plan.events);
        plan
    }

    fn inspect(&self, artifact: ArtifactId, keys: &[ObservedTag]) -> Inspection {
        let facts = |tag: &ObservedTag| tag.object.clone().unwrap();
        let holder = keys.iter().find(|tag| facts(tag).versions.iter().any(|version| version.artifact == artifact));
        let hidden =
            holder.and_then(|tag| facts(tag).hidden_by).map(|marker| Obstacle::Hidden { marker: marker.to_string() });
        let unlocked = (!self.locked).then_some(Obstacle::NoObjectLock);
        Inspection {
            presence: if holder.is_some() { Presence::Present } else { Presence::NotFound },
            kind: None,
            created: None,
            children: Vec::new(),
            closure: Closure::Complete,
            pin: if self.locked { PinState::Absent } else { PinState::Unsupported { marked: true } },
            obstacles: hidden.into_iter().chain(unlocked).collect(),
            lost_attestations: Vec::new(),
            gaps: Vec::new(),
            object: None,
            artifact,
            parts: Default::default(),
            pin_is_immutable: None,
            undeletable: None,
        }
    }
}

fn label(key: &str) -> &str {
    key.split('/').nth(1).unwrap()
}

/// A key with its versions, newest first: (version id, content).
fn key(name: &str, versions: &[(&str, &str)]) -> ObservedTag {
    let versions: Vec<ObjectVersion> = versions
        .iter()
        .enumerate()
        .map(|(age, (id, content))| ObjectVersion {
            artifact: version(name, id),
            modified: format!("2025-01-{:02}T00:00:00Z", 28 - age).parse().unwrap(),
            content: Content { etag: (*content).into(), size: 1 },
            class: StorageClass::STANDARD,
        })
        .collect();
    ObservedTag {
        name: name.parse().unwrap(),
        target: Resolution::Artifact(versions[0].artifact.clone()),
        pushed: None,
        object: Some(Box::new(ObjectFacts {
            label: label(name).into(),
            versions,
            markers: Vec::new(),
            hidden_by: None,
        })),
    }
}

fn version(key: &str, id: &str) -> ArtifactId {
    ArtifactId::ObjectVersion { key: key.parse().unwrap(), version: id.into() }
}

fn codes(plan: &Plan) -> Vec<String> {
    plan.findings.iter().map(|finding| format!("{} {}", finding.severity, finding.code)).collect()
}

fn targets(plan: &Plan) -> Vec<String> {
    plan.report.targets.iter().map(|target| target.artifact.to_string()).collect()
}

#[test]
fn a_key_overwritten_before_the_first_look_keeps_its_first_bytes() {
    let mut bucket = Bucket::releases();
    let keys = [key("api/1.0.0/x.zip", &[("b", "other"), ("a", "first")]), key("api/1.1.0/x.zip", &[("c", "x")])];
    let plan = bucket.look(&keys);
    assert!(codes(&plan).contains(&"critical object-overwritten".to_owned()), "{:?}", codes(&plan));
    assert_eq!(
        targets(&plan),
        ["api/1.1.0/x.zip?versionId=c", "api/1.0.0/x.zip?versionId=a", "api/1.0.0/x.zip?versionId=b"]
    );
    assert_eq!(plan.report.targets[2].rank, None, "what overwrote it takes nobody's place");
    assert!(codes(&bucket.look(&keys)).contains(&"critical object-overwritten".to_owned()), "it stays a finding");
}

#[test]
fn the_same_bytes_written_again_are_no_mutation() {
    let mut bucket = Bucket::releases();
    bucket.look(&[key("api/1.0.0/x.zip", &[("a", "same")])]);
    let plan = bucket.look(&[key("api/1.0.0/x.zip", &[("b", "same"), ("a", "same")])]);
    assert!(
        !plan.findings.iter().any(|finding| finding.code == prodpin::model::Code::ObjectOverwritten),
        "{:?}",
        codes(&plan)
    );
}

#[test]
fn versions_written_between_two_looks_are_all_on_record_i16() {
    let mut bucket = Bucket::new(vec![ProductionRule::MovingTag("current".parse().unwrap())]);
    bucket.look(&[key("api/current/x.zip", &[("a", "1")])]);
    let plan = bucket.look(&[key("api/current/x.zip", &[("c", "3"), ("b", "2"), ("a", "1")])]);
    let expected = ["c", "b", "a"].map(|id| version("api/current/x.zip", id).to_string());
    assert_eq!(targets(&plan), expected, "what the key held in between was in production, too");
    assert_eq!(plan.report.targets[0].rank, Some(1));
    assert!(plan.report.targets[0].running);
    assert_eq!(plan.report.rollback.to.as_ref().map(ToString::to_string).as_deref(), Some(expected[1].as_str()));
    let third = bucket.look(&[key("api/current/x.zip", &[("c", "3"), ("b", "2"), ("a", "1")])]);
    assert!(third.events.is_empty() && targets(&third) == expected, "{:?}", third.events);
}

#[test]
fn a_newest_version_that_was_destroyed_is_a_move_back() {
    let mut bucket = Bucket::releases();
    bucket.look(&[key("api/1.0.0/x.zip", &[("b", "2"), ("a", "1")])]);
    let plan = bucket.look(&[key("api/1.0.0/x.zip", &[("a", "1")])]);
    assert!(codes(&plan).iter().any(|code| code.ends_with("tag-flapped")), "{:?}", codes(&plan));
    assert_eq!(targets(&plan), ["api/1.0.0/x.zip?versionId=a"]);
}

#[test]
fn an_inventory_of_the_past_moves_nothing_back_b79() {
    let before = "2025-12-31T00:00:00Z".parse().ok();
    let old = || key("api/1.0.0/x.zip", &[("a", "1")]);
    let mut bucket = Bucket::releases();
    bucket.look(&[key("api/1.0.0/x.zip", &[("b", "2"), ("a", "1")])]);
    let known = bucket.state.tags.clone();
    bucket.made = before;
    let plan = bucket.look(&[old()]);
    assert!(!codes(&plan).iter().any(|code| code.ends_with("tag-flapped")), "{:?}", codes(&plan));
    assert_eq!(bucket.state.tags, known, "what stands in front now is unknown");
    // It tells what came after the latest that is known all the same.
    let plan = bucket.look(&[key("api/1.0.0/x.zip", &[("c", "3"), ("b", "2"), ("a", "1")])]);
    assert!(codes(&plan).contains(&"critical object-overwritten".to_owned()), "{:?}", codes(&plan));
    assert_eq!(bucket.state.tags.values().next().unwrap().latest().unwrap().artifact, version("api/1.0.0/x.zip", "c"));
    // And one that was made since is believed.
    bucket.made = "2026-01-01T12:00:00Z".parse().ok();
    assert!(codes(&bucket.look(&[old()])).iter().any(|code| code.ends_with("tag-flapped")));
}

#[test]
fn an_inventory_of_the_past_brings_back_nothing_that_is_gone_b79_i4() {
    let gone = key("api/1.0.0/x.zip", &[("a", "1")]);
    let mut bucket = Bucket::releases();
    bucket.look(&[gone.clone(), key("api/1.1.0/x.zip", &[("c", "x")])]);
    for _ in 0..2 {
        bucket.look(&[key("api/1.1.0/x.zip", &[("c", "x")])]);
    }
    let known = bucket.state.tags.clone();
    bucket.made = "2025-12-31T00:00:00Z".parse().ok();
    let plan = bucket.look(&[gone, key("api/1.1.0/x.zip", &[("c", "x")])]);
    assert!(!codes(&plan).iter().any(|code| code.ends_with("tag-recreated")), "{:?}", codes(&plan));
    assert_eq!(bucket.state.tags, known);
}

/// What rules match of a key is its version part, wherever they are asked.
#[test]
fn a_key_whose_version_may_move_is_taken_as_it_is() {
    use prodpin::decide::Labels;
    use prodpin::model::{DeployedReference, Deployment, Event, Evidence};
    let name = "api/latest/x.zip";
    let mut state = RepositoryState::default();
    let signals = BTreeSet::from(["file in-use.json".into()]);
    let reference = DeployedReference::Tag(name.parse().unwrap());
    let running = [Deployment::now(reference, Evidence::StablePointer, "file in-use.json")];
    let mut started = |may_move: NamePatterns, versions: &[(&str, &str)], sequence| {
        let rules = Rules { keep: 5, production: vec![ProductionRule::InUse], may_move };
        let snapshot = Snapshot { tags: vec![key(name, versions)], ..Snapshot::default() };
        let mark = Mark { sequence, at: jiff::Timestamp::UNIX_EPOCH };
        let events = decide::changes(&snapshot, &decide::Asked::default(), &state);
        decide::fold(&mut state, mark, &events);
        let unlisted = BTreeMap::new();
        let labels = Labels::new(&snapshot, &unlisted);
        let events = decide::deployments(&running, &signals, &state, &rules, &labels, mark.at);
        decide::fold(&mut state, mark, &events);
        events.into_iter().any(|event| matches!(event, Event::DeploymentStarted { .. }))
    };
    let both = [("b", "2"), ("a", "1")];
    assert!(started(NamePatterns::none(), &both[1..], 1));
    assert!(!started(NamePatterns::none(), &both, 2), "moving it is no deployment");
    assert!(started(NamePatterns::new(["latest"]).unwrap(), &both, 3), "unless it may move");
}

#[test]
fn a_delete_marker_hides_and_does_not_delete_f47() {
    let mut bucket = Bucket::releases();
    let mut hidden = key("api/1.0.0/x.zip", &[("a", "1")]);
    bucket.look(std::slice::from_ref(&hidden));
    hidden.object.as_mut().unwrap().hidden_by = Some("marker-7".into());
    for _ in 0..2 {
        let plan = bucket.look(std::slice::from_ref(&hidden));
        let finding = plan.findings.iter().find(|finding| finding.code == prodpin::model::Code::TargetHidden).unwrap();
        assert!(finding.remedy.contains("marker-7"), "the finding names the marker's version");
        assert_eq!(plan.report.targets[0].restorable, Some(false));
        assert!(!codes(&plan).iter().any(|code| code.ends_with("tag-deleted")));
    }
}

#[test]
fn a_key_that_is_gone_with_all_versions_keeps_its_rank_and_is_missing() {
    let mut bucket = Bucket::releases();
    let both = [key("api/1.0.0/x.zip", &[("a", "1")]), key("api/1.1.0/x.zip", &[("b", "2")])];
    bucket.look(&both);
    let plan = bucket.look(&both[..1]);
    assert_eq!(targets(&plan), ["api/1.1.0/x.zip?versionId=b", "api/1.0.0/x.zip?versionId=a"]);
    assert!(codes(&plan).contains(&"critical target-missing".to_owned()), "{:?}", codes(&plan));
    let plan = bucket.look(&both[..1]);
    assert!(codes(&plan).iter().any(|code| code.ends_with("tag-deleted")), "{:?}", codes(&plan));
}

#[test]
fn a_mark_without_object_lock_is_called_not_protected() {
    let mut bucket = Bucket::releases();
    bucket.locked = false;
    let plan = bucket.look(&[key("api/1.0.0/x.zip", &[("a", "1")])]);
    assert_eq!(plan.report.targets[0].pin, PinReport::Unsupported);
    assert_eq!(plan.report.targets[0].protected, Some(false));
    assert!(plan.pins.is_empty(), "it is marked already");
    assert!(codes(&plan).contains(&"high pin-ineffective".to_owned()));
}

#[test]
fn a_release_overwritten_late_does_not_become_the_newest_by_push_time() {
    let mut bucket =
        Bucket::new(vec![ProductionRule::Tags { patterns: NamePatterns::new(["*"]).unwrap(), order: Order::Pushed }]);
    let mut old = key("api/old/x.zip", &[("b", "2"), ("a", "1")]);
    let versions = &mut old.object.as_mut().unwrap().versions;
    versions[1].modified = "2024-01-01T00:00:00Z".parse().unwrap();
    versions[0].modified = "2026-01-01T00:00:00Z".parse().unwrap();
    let plan = bucket.look(&[old, key("api/new/x.zip", &[("c", "3")])]);
    assert_eq!(targets(&plan)[0], "api/new/x.zip?versionId=c");
}

#[test]
fn keys_that_are_gone_do_not_become_the_newest_by_push_time() {
    let mut bucket =
        Bucket::new(vec![ProductionRule::Tags { patterns: NamePatterns::new(["*"]).unwrap(), order: Order::Pushed }]);
    let keys: Vec<ObservedTag> = (0..12)
        .map(|day| {
            let mut key = key(&format!("api/build-{day}/x.zip"), &[("a", "1")]);
            key.object.as_mut().unwrap().versions[0].modified =
                format!("2025-03-{:02}T00:00:00Z", day + 1).parse().unwrap();
            key
        })
        .collect();
    bucket.look(&keys);
    let plan = bucket.look(&keys[5..]);
    let expected: Vec<String> = (7..12).rev().map(|day| format!("api/build-{day}/x.zip?versionId=a")).collect();
    assert_eq!(targets(&plan), expected);
    assert!(!codes(&plan).iter().any(|code| code.ends_with("target-missing")), "{:?}", codes(&plan));
}

#[test]
fn years_of_overwritten_keys_at_the_first_look_did_not_happen_together() {
    let keys: Vec<ObservedTag> =
        (0..8).map(|minor| key(&format!("api/1.{minor}.0/x.zip"), &[("b", "2"), ("a", "1")])).collect();
    let plan = Bucket::releases().look(&keys);
    assert!(!codes(&plan).iter().any(|code| code.ends_with("tags-moved-together")), "{:?}", codes(&plan));
}

#[test]
fn a_key_that_comes_back_after_its_deletion_tells_only_what_happened() {
    let mut bucket = Bucket::releases();
    let both = [key("api/1.0.0/x.zip", &[("a", "1")]), key("api/1.1.0/x.zip", &[("k", "9")])];
    bucket.look(&both);
    bucket.look(&both[1..]);
    bucket.look(&both[1..]);
    let plan = bucket.look(&[key("api/1.0.0/x.zip", &[("n2", "3"), ("n1", "2")]), both[1].clone()]);
    let recreated = plan.findings.iter().find(|finding| finding.code == prodpin::model::Code::TagRecreated).unwrap();
    assert_eq!(recreated.previous.as_deref(), Some("api/1.0.0/x.zip?versionId=a"));
    let history = &bucket.state.tags["api/1.0.0/x.zip"];
    let reported: Vec<String> = history.sightings().iter().map(|sighting| sighting.artifact.short()).collect();
    assert_eq!(reported, ["a", "n1", "n2"]);
}

fn facts(versioning: Option<Versioning>, object_lock: Option<bool>, lifecycle: &[u8]) -> SettingFacts {
    let lifecycle = Some(prodpin::model::Digest::sha256(lifecycle));
    SettingFacts::Bucket { bucket: "acme".to_owned(), versioning, object_lock, lifecycle }
}

#[test]
fn settings_are_judged_and_their_changes_told_f37_f48() {
    let source = "bundles".parse().unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let mark = Mark { sequence: 1, at: now };
    let good = facts(Some(Versioning::Enabled), Some(true), b"none");
    let judge = |facts: &SettingFacts, before: Option<&SettingFacts>| {
        let before = before.map(|before| (mark, before.clone()));
        let (findings, event) = decide::settings(&source, facts, before.as_ref(), now);
        let reported: Vec<(String, Severity)> =
            findings.iter().map(|finding| (finding.code.to_string(), finding.severity)).collect();
        (reported, event.is_some())
    };
    let reported = |code: &str, severity| (code.to_owned(), severity);
    assert_eq!(judge(&good, None), (vec![], true));
    assert_eq!(judge(&good, Some(&good)), (vec![], false));
    let unreadable = facts(None, None, b"none");
    assert_eq!(judge(&unreadable, Some(&good)), (vec![], false), "unknown is not off, and no change");
    let weaker = facts(Some(Versioning::Suspended), Some(true), b"none");
    assert_eq!(
        judge(&weaker, Some(&good)),
        (vec![reported("versioning-off", Severity::High), reported("settings-changed", Severity::High)], true)
    );
    let unlocked = facts(Some(Versioning::Enabled), Some(false), b"none");
    assert_eq!(judge(&unlocked, None), (vec![reported("object-lock-off", Severity::High)], true));
    let other_rules = facts(Some(Versioning::Enabled), Some(true), b"expire everything");
    assert_eq!(judge(&other_rules, Some(&good)), (vec![reported("settings-changed", Severity::Medium)], true));
}
