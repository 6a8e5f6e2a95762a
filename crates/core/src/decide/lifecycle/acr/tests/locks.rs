//! What locks and pins hold, and what they do not (K47, K48).

use jiff::SignedDuration;

use super::super::{Purged, broken, harm_of_pin, purge};
use super::world::{IMAGE, INDEX, NOW, digest};
use crate::model::{AcrLocks, AcrManifest, AcrPurge, AcrRepository, AcrTag};

const LOCKED: AcrLocks = AcrLocks { delete_enabled: Some(false), write_enabled: None };

fn days(days: i64) -> jiff::Timestamp {
    NOW - SignedDuration::from_hours(24 * days)
}

fn manifest(number: usize, media_type: &str, children: &[usize], tags: &[&str]) -> AcrManifest {
    let tag = |name: &&str| AcrTag { name: name.parse().unwrap(), updated: days(100), locks: AcrLocks::default() };
    AcrManifest {
        digest: digest(number),
        media_type: Some(media_type.into()),
        updated: Some(days(100)),
        locks: AcrLocks::default(),
        children: children.iter().copied().map(digest).collect(),
        subject: None,
        tags: tags.iter().map(tag).collect(),
    }
}

/// An index with two platforms and one tag.
fn release() -> AcrRepository {
    let manifests =
        vec![manifest(1, IMAGE, &[], &[]), manifest(2, IMAGE, &[], &[]), manifest(3, INDEX, &[1, 2], &["v1"])];
    AcrRepository { name: "shop/api".parse().unwrap(), manifests }
}

fn run(repository: &AcrRepository, command: &AcrPurge) -> Purged {
    purge(command, std::slice::from_ref(repository), NOW).unwrap()
}

fn command(filter: &str) -> AcrPurge {
    AcrPurge { filters: vec![filter.to_owned()], ago: Some("7d".to_owned()), untagged: true, ..AcrPurge::default() }
}

/// The lock on the index is why its platforms are not looked at: they go, and what is left cannot be pulled.
#[test]
fn a_lock_on_an_index_alone_makes_its_platforms_prey_k47() {
    let mut repository = release();
    let unlocked = run(&repository, &command("shop/api:^dev-"));
    assert_eq!(unlocked.manifests, 0);
    repository.manifests[2].locks = LOCKED;
    let locked = run(&repository, &command("shop/api:^dev-"));
    let outcome = &locked.repositories[&repository.name];
    assert_eq!(outcome.manifests, [digest(1), digest(2)].into());
    assert_eq!(broken(&repository, outcome), [&digest(3)]);
    // Locked with every part it holds.
    repository.manifests.iter_mut().for_each(|manifest| manifest.locks = LOCKED);
    assert_eq!(run(&repository, &command("shop/api:^dev-")).manifests, 0);
}

#[test]
fn a_lock_on_the_manifest_does_not_keep_its_tag_nor_the_other_way_round_k47() {
    let mut repository = release();
    repository.manifests.iter_mut().for_each(|manifest| manifest.locks = LOCKED);
    let purged = run(&repository, &command("shop/api:.*"));
    assert_eq!((purged.tags, purged.manifests), (1, 0));
    let mut repository = release();
    repository.manifests[2].tags[0].locks = LOCKED;
    let purged = run(&repository, &command("shop/api:.*"));
    assert_eq!((purged.tags, purged.manifests), (0, 0), "an unlocked index with a locked tag holds its platforms");
}

#[test]
fn no_lock_holds_against_include_locked_k48() {
    let mut repository = release();
    for manifest in &mut repository.manifests {
        manifest.locks = LOCKED;
        manifest.tags.iter_mut().for_each(|tag| tag.locks = LOCKED);
    }
    let purged = run(&repository, &AcrPurge { include_locked: true, ..command("shop/api:.*") });
    assert_eq!((purged.tags, purged.manifests), (1, 3));
    let outcome = &purged.repositories[&repository.name];
    assert_eq!((outcome.unlocked_tags.len(), outcome.unlocked_manifests.len()), (1, 3));
}

/// A pin is younger than the release, or it matches the filter as well: then it takes the release's place (I22).
#[test]
fn a_pin_takes_a_place_of_keep_and_pushes_a_release_out_i22_k49() {
    let mut repository = AcrRepository {
        name: "shop/api".parse().unwrap(),
        manifests: vec![manifest(1, IMAGE, &[], &["v1"]), manifest(2, IMAGE, &[], &["v2"])],
    };
    repository.manifests[1].tags[0].updated = days(90);
    let keep = AcrPurge { keep: 2, ..command("shop/api:.*") };
    assert_eq!(run(&repository, &keep).tags, 0);
    let pin = AcrTag { updated: days(30), ..manifest(2, IMAGE, &[], &["prod-pinned-2"]).tags.remove(0) };
    let harm = harm_of_pin(&keep, &repository, &digest(2), &pin, NOW).unwrap();
    assert_eq!(harm.tags, ["v1".parse().unwrap()].into());
    repository.manifests[1].tags.push(pin);
    let purged = run(&repository, &keep);
    // Among untagged manifests the same number is kept once more: this one goes at a later run.
    assert_eq!((purged.tags, purged.manifests), (1, 0));
    // A pin that is locked is not counted, and takes no place.
    repository.manifests[1].tags[1].locks = LOCKED;
    assert_eq!(run(&repository, &keep).tags, 0);
}

#[test]
fn where_the_command_fails_the_repositories_behind_are_not_reached() {
    let first = release();
    let second = AcrRepository { name: "web".parse().unwrap(), ..release() };
    let mut both = command("shop/api:(");
    both.filters.push("web:.*".to_owned());
    let purged = purge(&both, &[second, first], NOW).unwrap();
    assert!(purged.ended.is_some());
    assert_eq!((purged.tags, purged.manifests), (0, 0));
    let unclear = purge(&command("shop/api:(?(v)1|2)"), &[release()], NOW);
    assert!(unclear.unwrap_err().to_string().contains("(?(v)1|2)"));
}
