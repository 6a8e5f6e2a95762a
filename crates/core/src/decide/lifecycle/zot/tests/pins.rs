//! What a pin does under zot's rules. It can do harm, which is why a pin is judged before it is made (I22).

use std::collections::BTreeSet;

use super::super::{Fate, collect, harm_of_pins, with_pins};
use super::world::{NOW, digest, releases};
use crate::model::{Digest, ZotKeep, ZotRepository};

fn dead(repository: &ZotRepository) -> Vec<Digest> {
    let collected = collect(repository, NOW).unwrap();
    collected.manifests.into_iter().filter(|(_, fate)| *fate == Fate::Goes).map(|(digest, _)| digest).collect()
}

fn pinned(numbers: std::ops::RangeInclusive<usize>) -> BTreeSet<Digest> {
    numbers.map(digest).collect()
}

/// The newest six tags are the three newest releases with their pins: of five that are "protected" two are lost.
#[test]
fn a_pin_takes_a_place_and_pushes_releases_out_i22_k55() {
    let mut repository = releases(6);
    repository.settings.policies[0].keep_tags[0].pushed_count = 6;
    assert_eq!(dead(&repository), []);
    let pinned = pinned(2..=6);
    let mut lost = dead(&with_pins(&repository, &pinned));
    lost.sort();
    let mut expected = vec![digest(1), digest(2), digest(3)];
    expected.sort();
    assert_eq!(lost, expected);
    assert_eq!(lost.iter().filter(|digest| pinned.contains(digest)).count(), 2);
    // And it is told, of all of them and of the first one by itself.
    assert_eq!(harm_of_pins(&repository, &pinned, NOW).unwrap().manifests, expected.into_iter().collect());
    let first = harm_of_pins(&repository, &[digest(6)].into(), NOW).unwrap();
    assert_eq!(first.manifests, [digest(1)].into());
    assert_eq!(first.tags, ["v1".parse().unwrap()].into());
}

#[test]
fn an_entry_for_pins_in_front_keeps_them_and_takes_nothing_from_others_i22() {
    let mut repository = releases(6);
    let policy = &mut repository.settings.policies[0];
    policy.keep_tags[0].pushed_count = 2;
    policy.keep_tags.insert(0, ZotKeep { patterns: vec!["^prod-pinned-".to_owned()], ..ZotKeep::default() });
    assert_eq!(dead(&repository).len(), 4);
    assert_eq!(dead(&with_pins(&repository, &pinned(1..=3))), [digest(4)]);
    assert!(harm_of_pins(&repository, &pinned(1..=6), NOW).unwrap().is_none());
    // Behind the entry that has every tag it has none.
    repository.settings.policies[0].keep_tags.reverse();
    assert_eq!(dead(&with_pins(&repository, &pinned(1..=3))).len(), 4);
}

#[test]
fn a_pin_that_no_entry_has_goes_at_the_next_collection() {
    let mut repository = releases(2);
    repository.settings.policies[0].keep_tags[0].patterns = vec!["^v2".to_owned()];
    assert_eq!(dead(&with_pins(&repository, &pinned(1..=2))), [digest(1)]);
}

/// A pull is a use, an audit's too: what is read by GET comes to stand before what production pulled earlier.
#[test]
fn a_pull_of_one_pushes_another_out_k55() {
    let mut repository = releases(3);
    repository.settings.policies[0].keep_tags[0].pulled_count = 1;
    let pull = |repository: &mut ZotRepository, number: usize, seconds: i64| {
        let used = repository.manifests[number - 1].used.as_mut().unwrap();
        used.pulled = Some(NOW - jiff::SignedDuration::from_secs(seconds));
    };
    pull(&mut repository, 2, 60);
    assert!(!dead(&repository).contains(&digest(2)));
    pull(&mut repository, 1, 1);
    assert!(dead(&repository).contains(&digest(2)));
}
