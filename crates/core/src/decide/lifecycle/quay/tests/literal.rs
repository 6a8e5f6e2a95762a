//! A second reading of the rules, set by set as the guide words them, on random namespaces; and what pins do there.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::operation::Done;
use super::super::pins::{with_pin, worsened};
use super::super::policy::{PrunePolicy, PruneRule};
use super::super::signature::is_signature;
use super::super::world::{Repository, Signatures, State, TagRow, World};
use super::worlds::{DAY, NOW, policy, repository, run, world};

/// The ids of the rows of a repository that end, by rule or with their image.
fn literal(world: &World, repository: &Repository) -> BTreeSet<String> {
    let own = if world.prune.is_empty() { &[] } else { repository.prune.as_slice() };
    let policies: Vec<&PrunePolicy> = world.prune.iter().chain(own).collect();
    if repository.state != State::Normal {
        return BTreeSet::new();
    }
    let modern = world.signatures == Signatures::FollowImage;
    let shown = |row: &&TagRow| !row.hidden && row.end.is_none_or(|end| end > NOW);
    let mut alive: BTreeMap<&str, &TagRow> =
        repository.tags.iter().filter(shown).map(|row| (row.id.as_str(), row)).collect();
    let counts = |row: &TagRow| !(row.immutable || modern && is_signature(&row.name));
    for policy in &policies {
        if let PruneRule::CreationDate(age) = policy.rule {
            alive.retain(|_, row| {
                !(counts(row) && policy.looks_at(&row.name).unwrap().matches && row.start < NOW - age)
            });
        }
    }
    for policy in &policies {
        if let PruneRule::NumberOfTags(number) = policy.rule {
            let looked_at = |row: &&&TagRow| counts(row) && policy.looks_at(&row.name).unwrap().matches;
            let mut starts: Vec<i64> = alive.values().filter(looked_at).map(|row| row.start).collect();
            starts.sort_unstable();
            starts.reverse();
            let number = usize::try_from(number).unwrap();
            let goes =
                |row: &&TagRow| looked_at(&row) && starts.iter().position(|start| *start == row.start) >= Some(number);
            alive.retain(|_, row| !goes(row));
        }
    }
    let mut ended: BTreeSet<String> = repository
        .tags
        .iter()
        .filter(shown)
        .map(|row| row.id.clone())
        .filter(|id| !alive.contains_key(id.as_str()))
        .collect();
    if modern {
        let lost: Vec<&str> = (0..repository.manifests.len())
            .filter(|manifest| {
                let image = |row: &&TagRow| row.manifest == *manifest && !is_signature(&row.name);
                let had = repository.tags.iter().filter(image).any(|row| ended.contains(&row.id));
                had && !repository.tags.iter().filter(image).filter(shown).any(|row| !ended.contains(&row.id))
            })
            .map(|manifest| repository.manifests[manifest].digest.as_str())
            .collect();
        let of = |row: &&TagRow| {
            row.end.is_none_or(|end| end > NOW)
                && !row.immutable
                && is_signature(&row.name)
                && lost.iter().any(|digest| row.name.starts_with(&digest.replace(':', "-")))
        };
        ended.extend(repository.tags.iter().filter(of).map(|row| row.id.clone()));
    }
    ended
}

fn ended(world: &World) -> BTreeSet<String> {
    let outcome = run(world);
    let rows = outcome.world.repositories[0].tags.iter();
    rows.filter(|row| row.ended_by.is_some()).map(|row| row.id.clone()).collect()
}

fn policies() -> impl Strategy<Value = Vec<PrunePolicy>> {
    let pattern = prop::sample::select(vec![None, Some("^v"), Some("rc"), Some("^(?!v)"), Some(r"\.0$")]);
    let value = prop_oneof![
        (1..6i64).prop_map(serde_json::Value::from),
        prop::sample::select(vec!["1d", "3d", "5d", "0d"]).prop_map(serde_json::Value::from)
    ];
    let each = (value, pattern, any::<bool>());
    prop::collection::vec(each, 1..4).prop_map(|all| {
        let made = all.into_iter().enumerate();
        made.map(|(index, (value, pattern, matches))| policy(&format!("n{index}"), value, pattern, matches)).collect()
    })
}

/// Rows of distinct times, some of them of the past, hidden, immutable, to end, of one manifest, or of signatures.
fn shop() -> impl Strategy<Value = Repository> {
    let row = (0..5usize, 0..5u8, prop::option::weighted(0.3, -3..3i64), any::<(bool, bool)>(), 0..9u8);
    let name = prop::sample::select(vec!["v", "main-", "v0-rc", "x.0"]);
    prop::collection::vec((row, name), 1..14).prop_map(|rows| {
        let mut shop = repository(&["a", "b", "c", "d", "e"]);
        shop.tags.clear();
        for (index, ((manifest, sign, end, (immutable, hidden), rare), name)) in rows.into_iter().enumerate() {
            let start = NOW - DAY * i64::try_from(index).unwrap() / 2 - 1;
            let name = if sign == 0 {
                format!("{}.sig", shop.manifests[(manifest + 1) % 5].digest.replace(':', "-"))
            } else {
                format!("{name}{index}")
            };
            // No name is alive twice.
            if shop.tags.iter().any(|row: &TagRow| row.name == name) {
                continue;
            }
            shop.tags.push(TagRow {
                id: format!("t{index}"),
                name,
                manifest,
                start,
                end: end.map(|days| NOW + days * DAY),
                immutable: immutable && rare < 4,
                hidden: hidden && rare > 6,
                ended_by: None,
            });
        }
        shop
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn k53_quay_the_worker_ends_what_the_rules_say(policies in policies(), shop in shop(), modern in any::<bool>()) {
        let mut world = world(policies, vec![shop]);
        world.signatures = if modern { Signatures::FollowImage } else { Signatures::Ordinary };
        prop_assert_eq!(ended(&world), literal(&world, &world.repositories[0]));
    }

    #[test]
    fn i22_quay_an_immutable_pin_worsens_no_fate(policies in policies(), shop in shop(), manifest in 0..5usize, modern in any::<bool>()) {
        let mut world = world(policies, vec![shop]);
        world.signatures = if modern { Signatures::FollowImage } else { Signatures::Ordinary };
        let (with, done) = with_pin(&world, 0, manifest, "prod-pinned-0", true, NOW - 1);
        prop_assert_eq!(done, Done::Ok);
        let after = run(&with);
        prop_assert_eq!(worsened(&run(&world), &after), vec![]);
        let pin = after.world.repositories[0].tags.iter().find(|row| row.id == "prod-pinned-0").unwrap();
        prop_assert!(pin.immutable && pin.end.is_none());
    }

    #[test]
    fn i22_quay_a_mutable_pin_worsens_only_what_a_count_looks_at(policies in policies(), shop in shop(), manifest in 0..5usize) {
        let world = world(policies, vec![shop]);
        let (with, done) = with_pin(&world, 0, manifest, "prod-pinned-0", false, NOW - 1);
        prop_assert_eq!(done, Done::Ok);
        let counted = world.prune.iter().any(|policy| {
            matches!(policy.rule, PruneRule::NumberOfTags(_)) && policy.looks_at("prod-pinned-0").unwrap().matches
        });
        let after = run(&with);
        // A signature whose image has no tag left goes with the pin, if that is pruned in turn.
        let signature = |(repository, row): &(usize, usize)| is_signature(&after.world.repositories[*repository].tags[*row].name);
        prop_assert!(counted || worsened(&run(&world), &after).iter().all(signature));
    }
}
