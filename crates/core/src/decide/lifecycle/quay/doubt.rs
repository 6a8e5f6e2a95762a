//! What Quay leaves open: which of several tags of one time a count keeps, and in which order policies of one scope come
//! (K53d). A run is followed in many orders, and what differs is told.

use std::collections::BTreeSet;

use super::policy::PrunePolicy;
use super::prune::{TaskRun, Ties, Trace};
use super::world::{Millis, World};

/// At most so many orders of policies are tried.
const MOST_ORDERS: usize = 720;

/// Above so many rows fewer orders are tried.
const MANY_ROWS: usize = 2_000;

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// The namespace's task.
    Namespace,
    /// The operator's policy.
    Registry,
}

/// What came of runs.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// As it is after them.
    pub world: World,
    /// The namespace's task, if it was among them.
    pub task: TaskRun,
    /// The operator's policy.
    pub registry: Result<(), super::prune::Failure>,
    /// What they did.
    pub trace: Trace,
}

/// What is not determined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undetermined {
    /// Rows, by repository and place, that go or stay by the order of tags of one time.
    pub ties: BTreeSet<(usize, usize)>,
    /// Those that go or stay by the order of policies.
    pub policy_order: BTreeSet<(usize, usize)>,
    /// Whether it depends on that order how the task ends.
    pub task: bool,
    /// Those that go in any case, by one policy or another.
    pub by_only: BTreeSet<(usize, usize)>,
    /// In how many orders the runs were followed.
    pub runs: usize,
}

impl Undetermined {
    /// Whether it is determined what becomes of every row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ties.is_empty() && self.policy_order.is_empty() && !self.task
    }
}

/// What the runs come to in the order in which things were made.
#[must_use]
pub fn run(world: &World, runs: &[Run], now: Millis) -> Outcome {
    run_in(world, runs, now, &|_, row| row as u64)
}

fn run_in(world: &World, runs: &[Run], now: Millis, ties: Ties<'_>) -> Outcome {
    let (mut world, mut trace) = (world.clone(), Trace::default());
    let (mut task, mut registry) = (TaskRun::None, Ok(()));
    for run in runs {
        match run {
            Run::Namespace => task = world.prune(now, ties, &mut trace),
            Run::Registry => registry = world.prune_registry(now, ties, &mut trace),
        }
    }
    Outcome { world, task, registry, trace }
}

/// What of that could have come otherwise.
#[must_use]
pub fn undetermined(world: &World, runs: &[Run], now: Millis, outcome: &Outcome) -> Undetermined {
    let mut open = Undetermined::default();
    let mut by_ties = BTreeSet::new();
    let rows = world.repositories.iter().map(|repository| repository.tags.len()).sum();
    for (index, ordered) in orders(world, rows).iter().enumerate() {
        let plain = run(ordered, runs, now);
        let turns = turns(&plain.trace.tied, rows, index == 0);
        let others = turns.iter().map(|turn| run_in(ordered, runs, now, &|repository, row| turn.rank(repository, row)));
        for other in [plain].into_iter().chain(others) {
            let differ = if index == 0 { &mut by_ties } else { &mut open.policy_order };
            open.runs += 1;
            open.task |= other.task != outcome.task;
            compare(outcome, &other, differ, &mut open.by_only);
        }
    }
    open.policy_order.retain(|row| !by_ties.contains(row));
    open.by_only.retain(|row| !by_ties.contains(row) && !open.policy_order.contains(row));
    open.ties = by_ties;
    open
}

fn compare(
    one: &Outcome,
    other: &Outcome,
    differ: &mut BTreeSet<(usize, usize)>,
    by_only: &mut BTreeSet<(usize, usize)>,
) {
    for (repository, (ones, others)) in one.world.repositories.iter().zip(&other.world.repositories).enumerate() {
        for (index, (row, other)) in ones.tags.iter().zip(&others.tags).enumerate() {
            let kind = |row: &super::world::TagRow| row.ended_by.as_ref().map(|ending| ending.with_image);
            if kind(row) != kind(other) {
                differ.insert((repository, index));
            } else if row.ended_by != other.ended_by {
                by_only.insert((repository, index));
            }
        }
    }
}

/// One order of rows of one time.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Reversed,
    /// This row before all others.
    First(usize, usize),
    /// This row after all others.
    Last(usize, usize),
    /// As mixed by the number.
    Mixed(u64),
}

impl Turn {
    fn rank(self, repository: usize, row: usize) -> u64 {
        let place = 1 + row as u64;
        match self {
            Self::Reversed => u64::MAX - place,
            Self::First(first, other) if (first, other) == (repository, row) => 0,
            Self::Last(last, other) if (last, other) == (repository, row) => u64::MAX,
            Self::First(..) | Self::Last(..) => place,
            Self::Mixed(seed) => mixed(seed ^ mixed(place ^ (repository as u64) << 32)),
        }
    }
}

/// The orders to try beside that in which the rows were made; none if no count parts rows of one time. If told each such
/// row is once the first and once the last.
fn turns(tied: &BTreeSet<(usize, usize)>, rows: usize, each: bool) -> Vec<Turn> {
    if tied.is_empty() {
        return Vec::new();
    }
    let mixed = if rows > MANY_ROWS { 2 } else { 8 };
    let each = tied.iter().filter(|_| each);
    let ends = each.flat_map(|(repository, row)| [Turn::First(*repository, *row), Turn::Last(*repository, *row)]);
    [Turn::Reversed].into_iter().chain((1..=mixed).map(Turn::Mixed)).chain(ends).collect()
}

/// A number that looks nothing like the other (splitmix64).
fn mixed(number: u64) -> u64 {
    let mut mix = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mix = (mix ^ (mix >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mix = (mix ^ (mix >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mix ^ (mix >> 31)
}

/// The world with the policies of each scope in every order, the given one first. Where the namespace has none, the
/// repositories' policies are of one scope.
fn orders(world: &World, rows: usize) -> Vec<World> {
    let limit = if rows > MANY_ROWS { 24 } else { MOST_ORDERS };
    let namespace = permutations(world.prune.len());
    let mut orders = Vec::new();
    if world.prune.is_empty() {
        // Repositories are met in the order of their policies, which moving the repositories about brings about only in part:
        // every interleaving is a list of its own.
        return interleavings(world, limit);
    }
    let most =
        world.repositories.iter().map(|repository| permutations(repository.prune.len()).len()).max().unwrap_or(1);
    for first in &namespace {
        for second in 0..most {
            let mut other = world.clone();
            other.prune = reordered(&world.prune, first);
            for repository in &mut other.repositories {
                let all = permutations(repository.prune.len());
                repository.prune = reordered(&repository.prune, &all[second % all.len()]);
            }
            orders.push(other);
            if orders.len() >= limit {
                return orders;
            }
        }
    }
    orders
}

fn interleavings(world: &World, limit: usize) -> Vec<World> {
    let count = world.repositories.iter().map(|repository| repository.prune.len()).sum();
    let order = |order: &Vec<usize>| World { own_order: Some(order.clone()), ..world.clone() };
    permutations(count).iter().take(limit).map(order).collect()
}

fn reordered(policies: &[PrunePolicy], order: &[usize]) -> Vec<PrunePolicy> {
    order.iter().map(|index| policies[*index].clone()).collect()
}

/// Every order of so many, the natural one first; of many only some: turned, and turned backwards.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count > 5 {
        let turned = |by: usize| (0..count).map(move |index| (index + by) % count);
        return (0..count).flat_map(|by| [turned(by).collect(), turned(by).rev().collect()]).collect();
    }
    let mut all = vec![vec![]];
    for _ in 0..count {
        all = all
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                let left: Vec<usize> = (0..count).filter(|index| !order.contains(index)).collect();
                left.into_iter().map(move |index| order.iter().copied().chain([index]).collect())
            })
            .collect();
    }
    all
}
