//! The simulator against a second, literal reading of the command on random registries, and what locks and pins do.

mod literal;
mod locks;
pub(in crate::decide::lifecycle) mod world;

use proptest::prelude::*;

use super::purge;
use literal::purge_literally;
use world::{NOW, command, repository};

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the size of a page and the order in which the command's workers come to run, what is not open comes out as
    /// foretold.
    #[test]
    fn the_command_takes_what_is_foretold_k49(
        repository in repository(),
        command in command(),
        page in 1..4_usize,
        seeds in proptest::collection::vec(any::<u64>(), 4),
    ) {
        let foretold = purge(&command, std::slice::from_ref(&repository), NOW).unwrap();
        let outcome = &foretold.repositories[&repository.name];
        for seed in seeds {
            let done = purge_literally(&repository, &command, page, seed);
            if command.dry_run {
                prop_assert_eq!((foretold.tags, outcome.tags.len()), (done.tags.len(), 0));
                continue;
            }
            for tag in done.tags.symmetric_difference(&outcome.tags) {
                prop_assert!(outcome.open_tags.contains(tag), "{tag}: {outcome:?}");
            }
            for digest in done.manifests.symmetric_difference(&outcome.manifests) {
                prop_assert!(outcome.open_manifests.contains(digest), "{digest}: {outcome:?}");
            }
        }
    }

    /// Without the flag nothing that is locked goes, nor is anything unlocked.
    #[test]
    fn what_is_locked_goes_only_by_the_flag_k48(repository in repository(), command in command()) {
        let command = crate::model::AcrPurge { include_locked: false, ..command };
        let purged = purge(&command, std::slice::from_ref(&repository), NOW).unwrap();
        let outcome = &purged.repositories[&repository.name];
        for manifest in &repository.manifests {
            prop_assert!(!manifest.locks.are_on() || !outcome.manifests.contains(&manifest.digest));
            for tag in &manifest.tags {
                prop_assert!(!tag.locks.are_on() || !outcome.tags.contains(&tag.name));
            }
        }
        prop_assert!(outcome.unlocked_tags.is_empty() && outcome.unlocked_manifests.is_empty());
    }
}
