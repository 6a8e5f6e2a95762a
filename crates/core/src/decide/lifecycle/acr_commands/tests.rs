//! What the commands of a policy come to for targets, with pins and without.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::acr::tests::world;
use super::super::artifact_outlook;
use super::super::effects::Stirred;
use super::super::{Outlook, Situation, foreseen, outlook, without_pins};
use crate::model::{
    AcrCommand, AcrLocks, AcrManifest, AcrPurges, AcrRepository, AcrRetention, AcrTag, ArtifactId, Certainty, Digest,
    Due, Gap, Pin, Retention, Scope, Snapshot,
};

const NOW: Timestamp = Timestamp::constant(1_790_000_000, 0);
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

fn digest(number: u8) -> Digest {
    Digest::sha256(&[number])
}

fn id(number: u8) -> ArtifactId {
    ArtifactId::Manifest(digest(number))
}

fn manifest(number: u8, days: i64, children: &[u8], tags: &[&str]) -> AcrManifest {
    let updated = NOW - SignedDuration::from_hours(24 * days);
    let tag = |name: &&str| AcrTag { name: name.parse().unwrap(), updated, locks: AcrLocks::default() };
    AcrManifest {
        digest: digest(number),
        media_type: Some(if children.is_empty() { IMAGE } else { INDEX }.into()),
        updated: Some(updated),
        locks: AcrLocks::default(),
        children: children.iter().copied().map(digest).collect(),
        subject: None,
        tags: tags.iter().map(tag).collect(),
    }
}

/// An index of two platforms, two images, an old build.
fn estate() -> Vec<AcrManifest> {
    vec![
        manifest(1, 100, &[], &[]),
        manifest(2, 100, &[], &[]),
        manifest(3, 100, &[1, 2], &["v1.0.0"]),
        manifest(4, 20, &[], &["v1.1.0"]),
        manifest(5, 10, &[], &["v1.2.0"]),
        manifest(6, 90, &[], &["dev-1"]),
    ]
}

fn stated(lines: &[&str]) -> AcrPurges {
    let commands: Arc<[AcrCommand]> = lines.iter().map(|line| AcrCommand::parse(line).unwrap()).collect();
    AcrPurges::Stated { commands, others: false }
}

fn snapshot(purges: AcrPurges) -> Snapshot {
    let repository = AcrRepository { name: "shop/api".parse().unwrap(), manifests: estate() };
    let acr = AcrRetention { repository, purges, unread: None };
    Snapshot { retention: Retention::Acr(Box::new(acr)), ..Snapshot::default() }
}

fn acr(snapshot: &mut Snapshot) -> &mut AcrRetention {
    let Retention::Acr(acr) = &mut snapshot.retention else { unreachable!() };
    acr
}

fn seen<T>(snapshot: &Snapshot, pinned: &[u8], look: impl Fn(&Situation<'_>) -> T) -> T {
    let targets: BTreeSet<ArtifactId> = [3, 4, 5].map(id).into();
    let pinned: BTreeSet<ArtifactId> = pinned.iter().copied().map(id).collect();
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

fn due(snapshot: &Snapshot, pinned: &[u8], of: u8) -> Option<(Due, Certainty)> {
    let found = seen(snapshot, pinned, outlook);
    assert!(matches!(found, Outlook::Known(_)), "{found:?}");
    found.threats(&id(of)).first().map(|threat| (threat.due.clone(), threat.certainty))
}

#[test]
fn a_pin_is_locked_and_holds_against_every_command_that_does_not_unlock_k47() {
    let taking = snapshot(stated(&["acr purge --filter 'shop/.*:.*' --ago 30d --untagged"]));
    assert_eq!(due(&taking, &[], 3), Some((Due::Now, Certainty::Certain)));
    let Some((Due::On(at), Certainty::Certain)) = due(&taking, &[], 4) else { panic!("no date") };
    assert_eq!(at.duration_since(NOW).as_secs(), 10 * 24 * 3600, "it is 20 days old");
    for of in [3, 4, 5] {
        assert_eq!(due(&taking, &[3, 4, 5], of), None, "{of}");
    }
    let gone: Vec<ArtifactId> = seen(&taking, &[3, 4, 5], |it| foreseen(it, NOW)).unwrap().into_keys().collect();
    assert_eq!(gone, [id(6)], "with its platforms locked, all of the index stays");
}

/// Somebody locked the index and nothing below it.
#[test]
fn a_lock_on_an_index_alone_is_a_threat_to_it_and_the_pin_ends_it_k47() {
    let mut locked = snapshot(stated(&["acr purge --filter 'shop/api:^dev-' --ago 7d --untagged"]));
    assert_eq!(due(&locked, &[], 3), None);
    acr(&mut locked).repository.manifests[2].locks.delete_enabled = Some(false);
    assert_eq!(due(&locked, &[], 3), Some((Due::Now, Certainty::Certain)), "its platforms go");
    assert_eq!(due(&locked, &[3], 3), None);
}

#[test]
fn a_count_takes_after_pushes_k49() {
    let counting = snapshot(stated(&["acr purge --filter 'shop/api:^v' --ago 1d --keep 4 --untagged"]));
    let after = |pushes| Some((Due::AfterPushes { pushes, around: None }, Certainty::Certain));
    assert_eq!((due(&counting, &[], 3), due(&counting, &[], 5)), (after(2), after(4)));
    assert_eq!(due(&counting, &[3, 5], 5), None);
}

/// Two commands, the second of which takes what the first has left without a tag.
#[test]
fn commands_are_taken_together_in_every_order_k49() {
    let tags = "acr purge --filter 'shop/api:^v' --ago 30d";
    let alone = snapshot(stated(&[tags]));
    assert_eq!(due(&alone, &[], 3), Some((Due::Now, Certainty::Possible)), "its last tag goes, and it stays bare");
    let both = snapshot(stated(&[tags, "acr purge --untagged-only --ago 1d"]));
    assert_eq!(due(&both, &[], 3), Some((Due::Now, Certainty::Certain)));
    assert_eq!(due(&both, &[3], 3), None);
    let dry = snapshot(stated(&["acr purge --filter 'shop/api:.*' --ago 1d --untagged --dry-run"]));
    assert_eq!(due(&dry, &[], 3), None);
}

#[test]
fn no_lock_holds_against_include_locked_and_that_is_told_k48() {
    let walls_down = snapshot(stated(&["acr purge --filter '.*:.*' --ago 30d --untagged --include-locked"]));
    let found = seen(&walls_down, &[3, 4, 5], outlook);
    let Due::On(at) = found.threats(&id(3))[0].due else { panic!("the pin is young") };
    assert_eq!(at.duration_since(NOW).as_secs(), 30 * 24 * 3600, "as soon as its pin is of age");
    let Outlook::Known(known) = &found else { panic!("{found:?}") };
    assert!(
        known.advice[0].message.contains("--include-locked") && known.advice[0].remedy.contains("(?!prod-pinned-)")
    );
    let (mut old, pinned) = (walls_down.clone(), [3, 4, 5]);
    for number in pinned {
        let locked = AcrLocks { delete_enabled: Some(false), write_enabled: Some(false) };
        let pin = Pin::for_digest(&digest(number)).to_string().parse().unwrap();
        let manifest = &mut acr(&mut old).repository.manifests[usize::from(number) - 1];
        manifest.tags.push(AcrTag { name: pin, updated: NOW - SignedDuration::from_hours(24 * 60), locks: locked });
    }
    assert_eq!(due(&old, &pinned, 3), Some((Due::Now, Certainty::Certain)));
    let spared = snapshot(stated(&["acr purge --filter '.*:^(?!prod-pinned-)' --ago 1d --untagged --include-locked"]));
    assert_eq!(due(&spared, &pinned, 3), None, "its pin is not matched, so that all of it stays");
    assert_eq!(seen(&spared, &[], outlook).advice(), []);
}

#[test]
fn a_pin_stirs_others_only_where_a_command_unlocks_it_i22_k48() {
    let stirred = |purges: AcrPurges| seen(&snapshot(purges), &[], |it| artifact_outlook::stirred(it, &id(3)));
    assert_eq!(stirred(stated(&[])), Stirred::Nobody);
    assert_eq!(stirred(stated(&["--filter '.*:.*' --ago 1d --keep 3 --untagged"])), Stirred::Nobody);
    assert_eq!(stirred(stated(&["--filter '.*:^v' --ago 1d --keep 3 --include-locked"])), Stirred::Nobody);
    let all = stirred(stated(&["--filter '.*:.*' --ago 1d --keep 3 --include-locked"]));
    assert!(matches!(all, Stirred::These(all) if all.len() == 6));
    // What it does to pins that are matched in part only.
    let front = format!("--filter '.*:^prod-pinned-{}' --ago 1d --include-locked", &digest(4).hex()[..8]);
    assert!(matches!(stirred(stated(&[&front])), Stirred::These(_)));
    assert!(matches!(stirred(AcrPurges::Unknown), Stirred::Unknown { .. }));
    assert!(matches!(stirred(stated(&["--filter '.*:(?(v)1|2)' --ago 1d --include-locked"])), Stirred::Unknown { .. }));
    assert!(matches!(stirred(stated(&["--filter '.*:(v' --ago 1d --include-locked"])), Stirred::Unknown { .. }));
    let mut large = snapshot(stated(&["--filter '.*:.*' --ago 1d --keep 3 --include-locked"]));
    acr(&mut large).repository.manifests = vec![manifest(3, 100, &[], &["v1.0.0"]); 2_001];
    let of_large = seen(&large, &[], |it| artifact_outlook::stirred(it, &id(3)));
    assert!(matches!(of_large, Stirred::Unknown { .. }), "{of_large:?}");
}

#[test]
fn what_is_not_known_is_not_safe_k48() {
    let unknown = |snapshot: &Snapshot| {
        let found = seen(snapshot, &[3], outlook);
        assert_eq!(seen(snapshot, &[3], |it| foreseen(it, NOW)), None);
        matches!(found, Outlook::Unknown { .. })
    };
    assert!(unknown(&snapshot(AcrPurges::Unknown)), "the policy is silent");
    let AcrPurges::Stated { commands, .. } = stated(&["--filter 'shop/api:^dev-' --ago 1d"]) else { unreachable!() };
    assert!(unknown(&snapshot(AcrPurges::Stated { commands: Arc::clone(&commands), others: true })));
    let mut unread = snapshot(AcrPurges::Stated { commands, others: false });
    acr(&mut unread).unread = Some("sha256:… could not be read".into());
    assert!(unknown(&unread), "what an index lists could not be read");
    let mut torn = snapshot(stated(&["--filter 'shop/api:^dev-' --ago 1d"]));
    torn.gaps.push(Gap::new(Scope::Repository, crate::model::Cause::Malformed, "a page is lost"));
    assert!(unknown(&torn));
    assert!(unknown(&snapshot(stated(&["--filter 'shop/api:(?(v)1|2)' --ago 1d"]))));
    for ends in ["--filter 'shop/api:(v' --ago 1d", "--filter a:b:c --ago 1d", "--filter '(a:b' --ago 1d"] {
        assert!(unknown(&snapshot(stated(&[ends]))), "{ends} takes nothing as it stands");
    }
    // Where nothing is run, nothing more need be known.
    let mut quiet = snapshot(stated(&[]));
    acr(&mut quiet).unread = Some("…".into());
    assert_eq!((due(&quiet, &[], 3), without_pins(&quiet)), (None, None));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is there and whatever is run: where a pin stirs nobody, nobody fares worse by it, and what is pinned goes by no
    /// command that does not unlock.
    #[test]
    fn no_pin_makes_anything_worse_i22_k47_k49(
        repository in world::repository(),
        commands in proptest::collection::vec(world::command(), 1..3),
        pinned in proptest::collection::vec(any::<prop::sample::Index>(), 0..3),
        one_more in any::<prop::sample::Index>(),
    ) {
        let commands: Arc<[AcrCommand]> =
            commands.into_iter().map(|purge| AcrCommand { line: "acr purge".into(), purge }).collect();
        let unlocks = commands.iter().any(|command| command.purge.include_locked);
        let manifests = repository.manifests.clone();
        let id_at = |at: &prop::sample::Index| ArtifactId::Manifest(at.get(&manifests).digest.clone());
        let all: BTreeSet<ArtifactId> = manifests.iter().map(|it| ArtifactId::Manifest(it.digest.clone())).collect();
        let before: BTreeSet<ArtifactId> = pinned.iter().map(id_at).collect();
        let after: BTreeSet<ArtifactId> = before.iter().cloned().chain([id_at(&one_more)]).collect();
        let acr = AcrRetention { repository, purges: AcrPurges::Stated { commands, others: false }, unread: None };
        let snapshot = Snapshot { retention: Retention::Acr(Box::new(acr)), ..Snapshot::default() };
        let inspections = BTreeMap::new();
        let situation = |pinned| Situation {
            snapshot: &snapshot, targets: &all, pinned, inspections: &inspections, arrivals: &[], now: world::NOW,
        };
        let stirred = artifact_outlook::stirred(&situation(&before), &id_at(&one_more));
        prop_assert!(unlocks || stirred == Stirred::Nobody);
        let (was, is) = (
            artifact_outlook::artifact_outlooks(&situation(&before)),
            artifact_outlook::artifact_outlooks(&situation(&after)),
        );
        for (artifact, outlook) in &is {
            if stirred == Stirred::Nobody {
                prop_assert_eq!(outlook.worse_than(&was[artifact]), None, "{}: {:?}", artifact, was[artifact]);
            }
            if !unlocks && after.contains(artifact) {
                prop_assert_eq!(outlook.threats(), []);
            }
        }
    }
}
