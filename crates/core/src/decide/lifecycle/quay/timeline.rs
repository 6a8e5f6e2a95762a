//! What becomes of a repository's manifests from now on, if nothing is pushed and nobody asks for anything.

use std::collections::{BTreeMap, BTreeSet};

use super::collect::collect;
use super::doubt::{Run, run};
use super::policy::{PrunePolicy, PruneRule};
use super::world::{Millis, Task, World};

/// What becomes of a manifest that a tag names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// When the last of its tags ends, and by what. The worker comes up to an hour later, the operator's policy a day.
    pub untagged: Option<(Millis, Cause)>,
    /// When it is collected, and can be restored no more.
    pub gone: Option<Millis>,
    /// Whether nothing that is not known or not determined could have it otherwise.
    pub certain: bool,
}

/// What ends a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The policy of that id.
    Policy(String),
    /// Its own expiry.
    Expiry,
}

/// What becomes until then of the manifests of one repository that a tag names, by place in its list.
#[must_use]
pub fn fates(world: &World, repository: usize, now: Millis, until: Millis) -> BTreeMap<usize, Fate> {
    let before = &world.repositories[repository];
    let shown: Vec<usize> = (0..before.tags.len()).filter(|row| before.tags[*row].is_shown(now)).collect();
    let mut later = world.clone();
    let mut certain = is_ordered(world, repository);
    for at in instants(world, repository, now, until) {
        // Whenever it comes, it has rested for long enough.
        later.task = later.task.map(|_| Task { last_ran: None });
        let outcome = run(&later, &[Run::Namespace, Run::Registry], at);
        certain &= outcome.trace.tied.is_empty() && outcome.trace.uncertain.is_empty();
        later = outcome.world;
    }
    let after = &later.repositories[repository];
    let collected = collect(&later, after, now);
    let mut fates: BTreeMap<usize, Fate> = BTreeMap::new();
    for row in shown.iter().map(|row| &after.tags[*row]) {
        let cause = row.ended_by.as_ref().map_or(Cause::Expiry, |ending| Cause::Policy(ending.policy.clone()));
        let end = row.end.filter(|end| *end <= until).map(|end| (end, cause));
        let gone = collected.manifests.get(&row.manifest).copied().filter(|at| *at <= until);
        let fate = fates.entry(row.manifest).or_insert_with(|| Fate { untagged: end.clone(), gone, certain });
        fate.untagged = match (fate.untagged.take(), end) {
            (Some(one), Some(other)) => Some(if one.0 >= other.0 { one } else { other }),
            _ => None,
        };
    }
    fates
}

/// Whether no two policies of one scope count tags, which of them comes first being open.
fn is_ordered(world: &World, repository: usize) -> bool {
    let counts = |policies: &[PrunePolicy]| {
        policies.iter().filter(|policy| matches!(policy.rule, PruneRule::NumberOfTags(_))).count() <= 1
    };
    counts(&world.prune) && counts(&world.repositories[repository].prune)
}

/// When runs can do something new: now, and whenever a tag comes to be too old.
fn instants(world: &World, repository: usize, now: Millis, until: Millis) -> BTreeSet<Millis> {
    let repository = &world.repositories[repository];
    let policies = world.prune.iter().chain(&repository.prune).chain(&world.default_policy);
    let ages: Vec<Millis> = policies
        .filter_map(|policy| match policy.rule {
            PruneRule::CreationDate(age) => Some(age),
            PruneRule::NumberOfTags(_) => None,
        })
        .collect();
    let too_old = |start: Millis| ages.iter().map(move |age| start + age + 1);
    let later = repository.tags.iter().flat_map(|row| too_old(row.start)).filter(|at| *at > now && *at <= until);
    later.chain([now]).collect()
}
