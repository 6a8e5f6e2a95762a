//! The time to come.

use super::super::pins::with_pin;
use super::super::timeline::{Cause, Fate, fates};
use super::worlds::{DAY, NOW, policy, releases, repository, world};

#[test]
fn k53d_quay_a_release_goes_when_it_is_too_old_and_can_be_restored_for_two_weeks() {
    let world = world(vec![policy("n0", "7d", None, true)], vec![repository(&["v2", "v1"])]);
    let too_old = NOW + 5 * DAY + 1;
    let cause = Cause::Policy("n0".to_owned());
    let fate = |until| fates(&world, 0, NOW, until).remove(&1).unwrap();
    let stays = Fate { untagged: None, gone: None, certain: true };
    assert_eq!(fate(too_old - 1), stays);
    let ends = Fate { untagged: Some((too_old, cause)), gone: None, certain: true };
    assert_eq!(fate(too_old), ends);
    assert_eq!(fate(too_old + 14 * DAY), Fate { gone: Some(too_old + 14 * DAY), ..ends });
}

#[test]
fn k54_quay_a_manifest_goes_with_the_last_of_its_tags() {
    let mut base = world(vec![policy("n0", 2, None, true)], vec![repository(&["v3", "v2", "v1"])]);
    base.repositories[0].tags[1].end = Some(NOW + DAY);
    let found = fates(&base, 0, NOW, NOW + 60 * DAY);
    assert_eq!(found[&0].untagged, None);
    assert_eq!(found[&1].untagged, Some((NOW + DAY, Cause::Expiry)));
    assert_eq!(found[&2].untagged, Some((NOW, Cause::Policy("n0".to_owned()))));
    assert_eq!(found[&2].gone, Some(NOW + 14 * DAY));
    // A pin that takes no place keeps it.
    let (pinned, _) = with_pin(&base, 0, 2, "prod-pinned-0", true, NOW - 1);
    assert_eq!(fates(&pinned, 0, NOW, NOW + 60 * DAY)[&2], Fate { untagged: None, gone: None, certain: true });
}

#[test]
fn k53d_quay_what_is_not_determined_is_not_certain() {
    let until = NOW + DAY;
    let certain = |policies, shop| fates(&world(policies, vec![shop]), 0, NOW, until).values().all(|fate| fate.certain);
    let mut tied = releases();
    tied.tags[1].start = tied.tags[0].start;
    assert!(certain(vec![policy("n0", 2, None, true)], tied.clone()));
    assert!(!certain(vec![policy("n0", 1, None, true)], tied));
    assert!(!certain(vec![policy("n0", 4, None, true), policy("n1", 3, Some("^v"), true)], releases()));
    // Which of its choices a nested group takes is not surely found.
    assert!(!certain(vec![policy("n0", 4, Some(r"((.)\d)\.\d\.\d\2?"), true)], releases()));
}
