//! The simulator against a second, literal reading of zot's code on random repositories, and what pins do.

mod literal;
mod pins;
mod unknown;
pub(in crate::decide::lifecycle) mod world;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Fate, collect, harm_of_pins, with_pins};
use crate::model::{Digest, ZotKeep};
use literal::collect_literally;
use world::{NOW, repository};

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// However ties come out, what surely stays is there and what surely goes is not; and without ties nothing is open.
    #[test]
    fn whatever_order_zot_walks_in_it_comes_out_as_foretold_k55(
        repository in repository(),
        seeds in proptest::collection::vec(any::<u64>(), 6),
    ) {
        let foretold = collect(&repository, NOW).unwrap();
        for seed in seeds {
            let Some(left) = collect_literally(&repository, seed) else {
                prop_assert!(foretold.panic.is_some());
                continue;
            };
            prop_assert!(foretold.panic.is_none());
            for (tag, fate) in &foretold.tags {
                let is_there = left.tags.contains(tag);
                prop_assert!(*fate == Fate::Open || is_there == (*fate == Fate::Stays), "{tag}: {fate:?}");
            }
            for (digest, fate) in &foretold.manifests {
                let is_there = left.manifests.contains(digest);
                prop_assert!(*fate == Fate::Open || is_there == (*fate == Fate::Stays), "{digest}: {fate:?}");
            }
        }
    }

    /// Where an entry for pins stands first and keeps all of them, no pin makes anything worse, and each holds.
    #[test]
    fn behind_an_entry_for_pins_no_pin_worsens_any_fate_i22(
        repository in repository(),
        pinned in proptest::collection::btree_set(0..7_usize, 1..4),
    ) {
        let mut repository = repository;
        // Young bytes, and counts of what has no tag, end a run sooner or later by what they leave: the next one goes on.
        repository.settings.retention_delay = jiff::SignedDuration::ZERO;
        repository.manifests.iter_mut().for_each(|manifest| manifest.written = manifest.written.min(NOW));
        let pins = ZotKeep { patterns: vec!["^prod-pinned-".to_owned()], ..ZotKeep::default() };
        for policy in &mut repository.settings.policies {
            policy.keep_tags.insert(0, pins.clone());
            policy.keep_untagged = None;
            policy.keep_tags.iter_mut().for_each(|keep| {
                keep.pushed_count = keep.pushed_count.max(0);
                keep.pulled_count = keep.pulled_count.max(0);
            });
        }
        let pinned: BTreeSet<Digest> = pinned.into_iter().map(world::digest).collect();
        let harm = harm_of_pins(&repository, &pinned, NOW).unwrap();
        prop_assert!(harm.is_none(), "{harm:?}");
        let after = collect(&with_pins(&repository, &pinned), NOW).unwrap();
        for digest in &pinned {
            let has_parts = repository.manifests.iter().find(|it| it.digest == *digest).is_some_and(|found| {
                let is_there = |child: &Digest| repository.manifests.iter().any(|it| it.digest == *child);
                found.children.is_empty() || found.children.iter().any(is_there)
            });
            // An orphan goes with its pin where referrers go, and an index of which no part is there.
            let refers = repository.manifests.iter().any(|it| it.digest == *digest && it.subject.is_some());
            prop_assert!(!has_parts || refers || after.manifests[digest] == Fate::Stays);
        }
    }

    #[test]
    fn a_dry_run_takes_nothing(repository in repository()) {
        let mut repository = repository;
        repository.settings.dry_run = true;
        let foretold = collect(&repository, NOW).unwrap();
        prop_assert!(foretold.tags.values().all(|fate| *fate == Fate::Stays));
        prop_assert!(foretold.manifests.values().all(|fate| *fate == Fate::Stays));
    }
}

/// What can come out in several ways does, and is called open for that reason alone.
#[test]
fn one_place_for_two_tags_of_one_digest_is_open() {
    let mut repository = world::releases(1);
    repository.manifests[0].tags.push("other".parse().unwrap());
    let keep = &mut repository.settings.policies[0].keep_tags[0];
    keep.pushed_count = 1;
    let foretold = collect(&repository, NOW).unwrap();
    assert!(foretold.tags.values().all(|fate| *fate == Fate::Open), "{foretold:?}");
    assert!(foretold.manifests.values().all(|fate| *fate == Fate::Stays), "one of them names it in any case");
    let ends: BTreeSet<_> = (0..64).map(|seed| collect_literally(&repository, seed).unwrap().tags).collect();
    assert_eq!(ends.len(), 2);
}
