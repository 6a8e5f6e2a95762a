//! Where nobody knows when anything was pushed or pulled, and only what has a tag is listed: what then is said to stay, stays
//! whatever the times are.

use proptest::prelude::*;

use super::super::{Fate, PinEntry, collect, collect_after, pin_entry};
use super::world::{NOW, hours, releases, repository};
use crate::model::{Tag, ZotKeep, ZotRepository};

/// The repository as the registry protocol shows it.
fn seen(repository: &ZotRepository) -> ZotRepository {
    let mut seen = repository.clone();
    seen.knows_use = false;
    seen.manifests.retain(|manifest| !manifest.tags.is_empty());
    for manifest in &mut seen.manifests {
        manifest.children.clear();
        manifest.subject = None;
        manifest.is_listed = true;
        manifest.written = jiff::Timestamp::UNIX_EPOCH;
        manifest.used = None;
    }
    seen.tags_missing_in_database.clear();
    seen
}

proptest! {
    #[test]
    fn what_stays_at_unknown_times_stays_at_any_i7(whole in repository(), pushes in 0..4_usize) {
        let mut whole = whole;
        // Nothing shows what only the database knows.
        whole.tags_only_in_database.clear();
        whole.settings.has_database = true;
        let (Ok(real), Ok(seen)) = (collect_after(&whole, NOW, pushes), collect_after(&seen(&whole), NOW, pushes)) else {
            return Ok(());
        };
        // What ends the process is unknown as a whole.
        if real.panic.is_some() || seen.panic.is_some() {
            return Ok(());
        }
        for manifest in &whole.manifests {
            let stored = |digest| whole.manifests.iter().any(|other| other.digest == digest);
            let hollow = !manifest.children.is_empty() && !manifest.children.iter().cloned().any(stored);
            // Both are looked at where a target is.
            if hollow || manifest.subject.is_some() && real.deletes_referrers {
                continue;
            }
            if seen.manifests.get(&manifest.digest) == Some(&Fate::Stays) {
                prop_assert_eq!(real.manifests.get(&manifest.digest), Some(&Fate::Stays), "{:?} of {:?}", manifest, whole);
            }
        }
    }
}

#[test]
fn as_many_as_a_count_has_places_stay_and_of_more_any_may_go() {
    let mut repository = seen(&releases(4));
    let fates = |repository: &ZotRepository, pushes| {
        let collected = collect_after(repository, NOW, pushes).unwrap();
        collected.manifests.into_values().collect::<Vec<_>>()
    };
    repository.settings.policies[0].keep_tags[0].pushed_count = 4;
    assert_eq!(fates(&repository, 0), [Fate::Stays; 4]);
    assert_eq!(fates(&repository, 1), [Fate::Open; 4]);
    repository.settings.policies[0].keep_tags[0].pulled_count = 5;
    assert_eq!(fates(&repository, 1), [Fate::Stays; 4], "one rule that is met is enough");
    // A tag that does not say what it names takes a place.
    repository.unresolved = (0..2).map(|number| format!("w{number}").parse::<Tag>().unwrap()).collect();
    assert_eq!(fates(&repository, 0), [Fate::Open; 4]);
    repository.settings.policies[0].keep_tags[0] = ZotKeep { pushed_within: Some(hours(1)), ..ZotKeep::default() };
    assert_eq!(fates(&repository, 0), [Fate::Open; 4]);
    repository.settings.policies[0].keep_tags[0] = ZotKeep { patterns: vec!["^v[12]".into()], ..ZotKeep::default() };
    assert_eq!(collect(&repository, NOW).unwrap().tags.values().filter(|fate| **fate == Fate::Goes).count(), 2);
}

#[test]
fn a_server_that_collects_nothing_takes_nothing_and_asks_no_rule() {
    let mut repository = seen(&releases(4));
    repository.settings.policies[0].keep_tags[0] = ZotKeep { pushed_count: -1, ..ZotKeep::default() };
    assert!(collect(&repository, NOW).unwrap().panic.is_some());
    repository.settings.collects = false;
    let collected = collect(&repository, NOW).unwrap();
    assert_eq!(collected.panic, None);
    assert!(collected.manifests.values().all(|fate| *fate == Fate::Stays));
    assert_eq!(pin_entry(&repository), Ok(PinEntry::NotAsked));
}
