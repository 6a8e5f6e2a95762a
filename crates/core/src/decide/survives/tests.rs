mod acr;
mod gar;
mod gitlab;
mod harbor;
mod hosted;

use std::sync::Arc;

use super::super::protection::judge;
use super::*;
use crate::decide::input::Attempts;
use crate::decide::{cleanup, cover};
use crate::model::{
    ArtifactId, BucketLifecycle, BucketRule, Cleanup, Digest, Due, EcrRepository, Layout, ObjectState, Part, Parts,
    PinFailure, PinTerms, Replication, RepositoryKind, StorageClass,
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn inspection(artifact: ArtifactId, pin: PinState) -> Inspection {
    Inspection { presence: Presence::Present, closure: Closure::Complete, pin, ..Inspection::unread(artifact) }
}

fn index(pin: PinState) -> Inspection {
    let platform =
        Part { pin: PinState::Present, ..Part::unasked(Digest::sha256(b"platform"), Some("platform linux/arm64")) };
    let parts = Parts { asked: true, below: vec![platform], ..Parts::default() };
    Inspection { kind: Some(ArtifactKind::Index), parts, ..inspection(Digest::sha256(b"index").into(), pin) }
}

/// A pinned one of which a platform has no pin, or one that was not read.
fn bare(of_platform: PinState) -> Inspection {
    let mut seen = index(PinState::Present);
    seen.parts.below[0].pin = of_platform;
    seen
}

fn image(pin: PinState) -> Inspection {
    inspection(Digest::sha256(b"image").into(), pin)
}

fn registry(registry: Recognised, stated: Option<StatedCleanup>) -> Snapshot {
    Snapshot { cleanup: Cleanup { registry, stated }, ..Snapshot::default() }
}

fn kind(kind: RegistryKind, stated: Option<StatedCleanup>) -> Snapshot {
    registry(Recognised::Kind(kind), stated)
}

fn ecr(lifecycle: Setting) -> Snapshot {
    let repository = EcrRepository {
        registry: "111122223333".into(),
        images: Vec::new(),
        mutability: None,
        lifecycle,
        access: Setting::Unset,
        cached_from: None,
        manages_lifecycle: false,
        may_delete: Arc::default(),
    };
    Snapshot { retention: Retention::Ecr(Box::new(repository)), ..Snapshot::default() }
}

fn bucket(versioning: Option<Versioning>, object_lock: Option<bool>, rules: usize) -> Snapshot {
    let lifecycle = BucketLifecycle { rules: vec![BucketRule::default(); rules], ..BucketLifecycle::default() };
    let bucket = BucketRetention {
        bucket: "acme".into(),
        versioning,
        object_lock,
        lifecycle: Some(Arc::new(lifecycle)),
        layout: "{repository}/{version}/bundle.zip".parse::<Layout>().unwrap(),
    };
    Snapshot { retention: Retention::Bucket(Arc::new(bucket)), ..Snapshot::default() }
}

fn version(lock: Lock) -> Inspection {
    let artifact = ArtifactId::ObjectVersion { key: "web/1/bundle.zip".parse().unwrap(), version: "v".into() };
    let pin = match lock.hold {
        Some(true) => PinState::Present,
        Some(false) => PinState::Absent,
        None => PinState::Unknown,
    };
    let object = ObjectState {
        checksum: None,
        class: StorageClass::STANDARD,
        archive_tier: None,
        lock,
        replication: Replication::Settled,
        tags: None,
        key: None,
    };
    Inspection { object: Some(Box::new(object)), ..inspection(artifact, pin) }
}

/// What is said of a target that was seen like this: what it survives, and whether it is protected.
fn decide(
    seen: Option<&Inspection>,
    snapshot: &Snapshot,
    rules: &[Obstacle],
    tag: Option<&str>,
) -> (Survives, Option<bool>) {
    let missing = ArtifactId::from(Digest::sha256(b"never looked at"));
    let artifact = seen.map_or(&missing, |seen| &seen.artifact);
    let keeping = cover::keeping(snapshot, PinTerms::default());
    let below = match snapshot.cleanup.withholds_pins() {
        true => None,
        false => cover::obstacle(keeping, seen, &Attempts::new()),
    };
    let in_the_way = rules.iter().chain(&below).cloned().collect();
    let verdict = judge(artifact, seen, None, in_the_way, true, None);
    let verdict = cleanup::withhold(&snapshot.cleanup, false, verdict);
    let target = Target {
        inspection: seen,
        verdict: &verdict,
        rules,
        below: below.as_ref(),
        keeping,
        snapshot,
        tag,
        now: NOW,
        has_vault: false,
    };
    let survives = survives(&target);
    let protected = protected(&target, &survives);
    (survives, protected)
}

fn answers(survives: &Survives) -> String {
    Loss::ALL.map(|loss| &survives.of(loss).answer.as_str()[..1]).concat()
}

/// What is not known of these registries' cleanup stands among the rules.
const UNREAD: [&str; 3] = ["rules unknown", "pin withheld", "ECR, policy unread"];

#[test]
fn what_survives_what_said_kind_by_kind() {
    let hold = |hold| Lock { hold, retained: Retained::No };
    let retained = |mode, seconds| Lock {
        hold: Some(false),
        retained: Retained::Until { mode, until: Timestamp::from_second(seconds).unwrap() },
    };
    let set = || Setting::Text("{}".into());
    let (enabled, off) = (Some(Versioning::Enabled), Some(Versioning::Off));
    let absent = |pin| inspection(Digest::sha256(b"chart").into(), pin);
    let charts = Snapshot { kind: RepositoryKind::Charts, ..Snapshot::default() };
    let no_pins = |seen: Inspection| Inspection {
        obstacles: vec![Obstacle::NoPins { detail: "files over HTTP".to_owned() }],
        ..seen
    };
    let unlocked = |seen: Inspection| Inspection { obstacles: vec![Obstacle::NoObjectLock], ..seen };
    let unversioned = |seen: Inspection| Inspection {
        obstacles: vec![Obstacle::NoObjectLock, Obstacle::Unversioned],
        pin: PinState::Unsupported { marked: false },
        ..seen
    };
    // Tag cleanup, untagged cleanup, lifecycle rules, deletion by digest, loss of the registry: yes, no, unknown.
    for (what, seen, snapshot, expected, protected) in [
        ("pinned", image(PinState::Present), registry(Recognised::Plain, None), "yyyun", Some(true)),
        ("unpinned", image(PinState::Absent), registry(Recognised::Plain, None), "nyyun", Some(false)),
        ("moved", image(PinState::Moved(Digest::sha256(b"x").into())), Snapshot::default(), "nyyun", Some(false)),
        ("pin unread", image(PinState::Unknown), Snapshot::default(), "uyyun", None),
        ("pinned index", index(PinState::Present), registry(Recognised::Plain, None), "yyyun", Some(true)),
        ("unpinned index", index(PinState::Absent), Snapshot::default(), "nyyun", Some(false)),
        ("index, pin unread", index(PinState::Unknown), Snapshot::default(), "uyyun", None),
        ("platform unpinned", bare(PinState::Absent), registry(Recognised::Plain, None), "ynyun", Some(false)),
        ("platform's pin unread", bare(PinState::Unknown), registry(Recognised::Plain, None), "yuyun", None),
        (
            "platform unpinned, Quay",
            bare(PinState::Absent),
            kind(RegistryKind::Quay, Some(StatedCleanup::None)),
            "yyyun",
            Some(true),
        ),
        ("platform unpinned, ECR", bare(PinState::Absent), ecr(set()), "yyynn", Some(true)),
        (
            "platforms unknown",
            Inspection { parts: Parts::default(), ..index(PinState::Present) },
            registry(Recognised::Plain, None),
            "yuyun",
            None,
        ),
        (
            "nothing cleans up",
            index(PinState::Present),
            registry(Recognised::Plain, Some(StatedCleanup::None)),
            "yyyun",
            Some(true),
        ),
        (
            "untagged",
            image(PinState::Present),
            registry(Recognised::Plain, Some(StatedCleanup::Untagged)),
            "yyyun",
            Some(true),
        ),
        (
            "untagged, index",
            index(PinState::Present),
            registry(Recognised::Plain, Some(StatedCleanup::Untagged)),
            "yyyun",
            Some(true),
        ),
        (
            "zot, untagged, index",
            index(PinState::Present),
            kind(RegistryKind::Zot, Some(StatedCleanup::Untagged)),
            "yyynn",
            Some(true),
        ),
        ("rules unknown", image(PinState::Present), kind(RegistryKind::Zot, None), "yyunn", None),
        ("pin withheld", image(PinState::Absent), kind(RegistryKind::Harbor, None), "uyuun", None),
        (
            "Harbor, stated",
            image(PinState::Present),
            kind(RegistryKind::Harbor, Some(StatedCleanup::None)),
            "yyyun",
            Some(true),
        ),
        (
            "ECR, stated",
            image(PinState::Present),
            kind(RegistryKind::Ecr, Some(StatedCleanup::None)),
            "yyynn",
            Some(true),
        ),
        ("ECR", index(PinState::Present), ecr(set()), "yyynn", Some(true)),
        ("ECR without a policy", index(PinState::Present), ecr(Setting::Unset), "yyynn", Some(true)),
        ("ECR, policy unread", index(PinState::Present), ecr(Setting::Unknown), "yyunn", None),
        ("hold", version(hold(Some(true))), bucket(enabled, Some(true), 1), "yyyyn", Some(true)),
        ("no hold", version(hold(Some(false))), bucket(enabled, Some(true), 0), "ynynn", Some(false)),
        ("hold unread", version(hold(None)), bucket(enabled, Some(true), 0), "yuyun", None),
        (
            "compliance",
            version(retained(LockMode::Compliance, 60)),
            bucket(enabled, Some(true), 0),
            "ynyyn",
            Some(false),
        ),
        (
            "compliance, over",
            version(retained(LockMode::Compliance, 0)),
            bucket(enabled, Some(true), 0),
            "ynynn",
            Some(false),
        ),
        (
            "governance",
            version(retained(LockMode::Governance, 60)),
            bucket(enabled, Some(true), 0),
            "ynynn",
            Some(false),
        ),
        ("no Object Lock", unlocked(version(Lock::NONE)), bucket(enabled, Some(false), 0), "ynynn", Some(false)),
        ("no versions", unversioned(version(Lock::NONE)), bucket(off, Some(false), 0), "nnynn", Some(false)),
        ("chart over HTTP", no_pins(absent(PinState::Unsupported { marked: false })), charts, "nyuun", Some(false)),
    ] {
        // As the plan tells it where what cleans up is not known.
        let unread = Obstacle::CleanupUnknown { detail: "what cleans up here is not known".to_owned() };
        let rules: &[Obstacle] = if UNREAD.contains(&what) { &[unread] } else { &[] };
        let decided = decide(Some(&seen), &snapshot, rules, Some("v1"));
        assert_eq!((answers(&decided.0).as_str(), decided.1), (expected, protected), "{what}: {decided:#?}");
    }
    let (unseen, protected) = decide(None, &Snapshot::default(), &[], None);
    assert_eq!((answers(&unseen).as_str(), protected), ("uuyun", None));
    let gone = Inspection { presence: Presence::NotFound, ..image(PinState::Absent) };
    assert_eq!(answers(&decide(Some(&gone), &Snapshot::default(), &[], Some("v1")).0), "nnnnn");
}

#[test]
fn what_rules_reach_is_said_with_the_rule() {
    let due = || Some(Due::Now);
    let rule = Obstacle::Lifecycle { rule: "10".to_owned(), effect: "deletes it now".to_owned(), due: due() };
    let unread = Obstacle::Unproven { detail: "the policy is not understood".to_owned() };
    let pinned = image(PinState::Present);
    let (reached, protected) = decide(Some(&pinned), &ecr(Setting::Text("{}".into())), &[rule], Some("v1"));
    assert_eq!((answers(&reached).as_str(), protected), ("yynnn", Some(false)));
    assert_eq!(reached.lifecycle_rules.why, "lifecycle rule 10: deletes it now");
    let (unknown, protected) = decide(Some(&pinned), &ecr(Setting::Text("{}".into())), &[unread], Some("v1"));
    assert_eq!((answers(&unknown).as_str(), protected), ("yyunn", None));
    assert_eq!(unknown.lifecycle_rules.why, "the policy is not understood");
}

/// Every obstacle there is, those that only withhold the proof included.
fn obstacles() -> Vec<Obstacle> {
    let text = || "it".to_owned();
    let digest = || Digest::sha256(b"part");
    let rule = |due| Obstacle::Lifecycle { rule: text(), effect: text(), due };
    vec![
        Obstacle::Missing,
        Obstacle::PartMissing { digest: digest(), part: None, more: None },
        Obstacle::PartDamaged { digest: digest(), detail: text() },
        Obstacle::Contradiction { about: text(), said: text(), but: text() },
        Obstacle::WrongBytes { detail: text() },
        Obstacle::Archived { class: text() },
        Obstacle::Hidden { marker: text() },
        Obstacle::NoObjectLock,
        Obstacle::NoPins { detail: text() },
        Obstacle::Unversioned,
        rule(None),
        rule(Some(Due::Now)),
        Obstacle::Unpinned,
        Obstacle::PinRefused { detail: text() },
        Obstacle::PinMoved { to: text() },
        Obstacle::CleanupUnknown { detail: text() },
        Obstacle::Unproven { detail: text() },
        Obstacle::NotPullable { detail: text() },
        Obstacle::PartsUnpinned { count: 1, first: text(), why: None },
    ]
}

/// Over every obstacle, alone and beside another, told by the look or by the rules, whatever the pin and what is below:
/// protected is exactly intact, pinned and surviving the first three, and nothing that has an obstacle is protected.
#[test]
fn protected_is_intact_pinned_and_survives_the_first_three_i26_i31() {
    let failed = PinFailure { cause: crate::model::Cause::Denied, detail: "the push was denied".to_owned() };
    let attempts = [None, Some(Ok(())), Some(Err(failed))];
    let snapshots = [
        registry(Recognised::Plain, None),
        registry(Recognised::Plain, Some(StatedCleanup::Untagged)),
        kind(RegistryKind::Ecr, None),
        ecr(Setting::Text("{}".into())),
        bucket(Some(Versioning::Enabled), Some(true), 1),
    ];
    let mut reported = obstacles();
    reported.push(Obstacle::Unproven { detail: "something else".to_owned() });
    let (mut judged, mut of_them_protected) = (0_u32, 0_u32);
    for snapshot in &snapshots {
        for pin in [PinState::Present, PinState::Absent, PinState::Unsupported { marked: true }, PinState::Unknown] {
            for closure in [Closure::Complete, Closure::Unknown, Closure::Broken(vec![Digest::sha256(b"part")])] {
                for presence in [Presence::Present, Presence::NotFound, Presence::Unknown] {
                    for attempt in &attempts {
                        for pair in pairs(&reported) {
                            let (of_look, of_rules) = pair;
                            let seen = Inspection {
                                presence,
                                closure: closure.clone(),
                                obstacles: of_look.into_iter().cloned().collect(),
                                ..index(pin.clone())
                            };
                            let rules: Vec<Obstacle> = of_rules.into_iter().cloned().collect();
                            let of = &seen.artifact;
                            let verdict = judge(of, Some(&seen), attempt.as_ref(), rules.clone(), true, None);
                            let target = Target {
                                inspection: Some(&seen),
                                verdict: &verdict,
                                rules: &rules,
                                below: None,
                                keeping: cover::keeping(snapshot, PinTerms::default()),
                                snapshot,
                                tag: Some("v1"),
                                now: NOW,
                                has_vault: false,
                            };
                            let survives = survives(&target);
                            let protected = protected(&target, &survives);
                            let intact = verdict.restorable == Some(true) && target.intact() == Some(true);
                            let pinned = matches!(verdict.pin, PinReport::Present | PinReport::Created)
                                && target.pinned() == Some(true);
                            let first_three =
                                Loss::OF_PROTECTED.iter().all(|loss| survives.of(*loss).answer == Answer::Yes);
                            assert_eq!(protected == Some(true), intact && pinned && first_three, "{seen:?} {rules:?}");
                            if protected == Some(true) {
                                assert!(verdict.obstacles.is_empty(), "{:?}", verdict.obstacles);
                            }
                            if verdict.obstacles.iter().any(|obstacle| !obstacle.is_unknown()) {
                                assert_eq!(protected, Some(false), "{:?} {survives:?}", verdict.obstacles);
                            }
                            judged += 1;
                            of_them_protected += u32::from(protected == Some(true));
                        }
                    }
                }
            }
        }
    }
    assert!(judged > 10_000 && of_them_protected > 0, "{judged} {of_them_protected}");
}

type Pair<'o> = (Option<&'o Obstacle>, Option<&'o Obstacle>);

fn pairs(reported: &[Obstacle]) -> impl Iterator<Item = Pair<'_>> {
    let each = || std::iter::once(None).chain(reported.iter().map(Some));
    each().flat_map(move |look| each().map(move |rule| (look, rule)))
}
