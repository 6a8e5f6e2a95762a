//! Small namespaces to try things on.

use serde_json::{Value, json};

use super::super::doubt::{self, Outcome, Run};
use super::super::policy::PrunePolicy;
use super::super::world::{Features, Manifest, Millis, Repository, Signatures, State, TagRow, Task, World};

pub(super) const NOW: Millis = 1_796_000_000_000;
pub(super) const DAY: Millis = 86_400_000;

/// A policy by number if the value is one, else by age, over the names that fit.
pub(super) fn policy(id: &str, value: impl Into<Value>, pattern: Option<&str>, matches: bool) -> PrunePolicy {
    let value = value.into();
    let method = if value.is_number() { "number_of_tags" } else { "creation_date" };
    PrunePolicy::read(id, method, &value, pattern, Some(matches)).unwrap()
}

/// One manifest and one tag for each name, the first a day old and each other a day older.
pub(super) fn repository(names: &[&str]) -> Repository {
    let manifest = |index: usize| Manifest {
        digest: format!("sha256:{index:064x}"),
        index: false,
        children: vec![],
        subject: None,
        expires_after: None,
        immutable: None,
    };
    let row = |(index, name): (usize, &&str)| TagRow {
        id: format!("t{index}"),
        name: (*name).to_owned(),
        manifest: index,
        start: NOW - DAY * Millis::try_from(index + 1).unwrap(),
        end: None,
        immutable: false,
        hidden: false,
        ended_by: None,
    };
    Repository {
        name: "shop".to_owned(),
        state: State::Normal,
        prune: vec![],
        immutability: vec![],
        manifests: (0..names.len()).map(manifest).collect(),
        tags: names.iter().enumerate().map(row).collect(),
    }
}

pub(super) fn world(prune: Vec<PrunePolicy>, repositories: Vec<Repository>) -> World {
    World {
        features: Features { immutable_tags: true, immutable_tags_can_expire: false },
        signatures: Signatures::FollowImage,
        time_machine_s: 14 * 86_400,
        enabled: true,
        prune,
        immutability: vec![],
        default_policy: None,
        task: Some(Task { last_ran: None }),
        repositories,
        own_order: None,
    }
}

pub(super) fn run(world: &World) -> Outcome {
    doubt::run(world, &[Run::Namespace], NOW)
}

/// The names of the tags that are left in the first repository.
pub(super) fn left(outcome: &Outcome) -> Vec<&str> {
    let shown = outcome.world.repositories[0].tags.iter().filter(|row| row.is_shown(NOW));
    shown.map(|row| row.name.as_str()).collect()
}

/// Eight releases, the youngest first.
pub(super) fn releases() -> Repository {
    repository(&["v1.8.0", "v1.7.0", "v1.6.0", "v1.5.0", "v1.4.0", "v1.3.0", "v1.2.0", "v1.1.0"])
}

#[test]
fn quay_a_policy_by_number_or_age_is_made() {
    assert!(json!(3).is_number());
    assert_eq!(policy("n", 3, None, true).id, "n");
    assert_eq!(policy("n", "3d", None, true).id, "n");
}
