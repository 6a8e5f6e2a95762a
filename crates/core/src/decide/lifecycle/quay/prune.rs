//! The worker that prunes (`workers/autopruneworker.py`, `data/model/autoprune.py`, K53–53d).

use std::collections::BTreeSet;

use super::policy::{PrunePolicy, PruneRule};
use super::signature::is_signature;
use super::world::{Ending, Millis, Signatures, State, TagRow, World};

/// How long a task rests, in milliseconds.
pub const REST: Millis = 3_600_000;

/// What ended a run before its end. What was pruned before stays pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// PostgreSQL refuses a policy's pattern.
    InvalidPattern,
    /// A repository that is not normal has a policy of its own, and its namespace none.
    RepositoryNotNormal,
    /// The operator's policy is none (`None`), or something else that cannot be carried out.
    Other,
}

/// What a namespace's run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskRun {
    /// There is no task, or it was removed for want of policies.
    None,
    /// The namespace is disabled, or it is too early.
    NotRun,
    /// It went to its end, or did not.
    Ended(Result<(), Failure>),
}

/// What runs did, beside what they did to the tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// Repository and policy, in the order in which they were begun.
    pub begun: Vec<(usize, String)>,
    /// The policies with patterns whose meaning for a tag there is not certain: nothing may be built on what came of them.
    pub uncertain: BTreeSet<String>,
    /// Rows, by repository and place, of one time of which a count keeps some and not others.
    pub tied: BTreeSet<(usize, usize)>,
}

/// In which order rows come that began at one time, for which Quay asks for none: by these numbers, one for each row.
pub type Ties<'a> = &'a dyn Fn(usize, usize) -> u64;

impl World {
    /// The namespace's own run, if it is due.
    pub fn prune(&mut self, now: Millis, ties: Ties<'_>, trace: &mut Trace) -> TaskRun {
        let Some(task) = self.task else { return TaskRun::None };
        if !self.enabled || task.last_ran.is_some_and(|last| last >= now - REST) {
            return TaskRun::NotRun;
        }
        self.task = Some(super::world::Task { last_ran: Some(now) });
        let policies = self.prune.clone();
        if !policies.is_empty() {
            return TaskRun::Ended(self.prune_repositories(&policies, true, now, ties, trace));
        }
        let own = self.own_policies();
        if own.is_empty() {
            self.task = None;
            return TaskRun::None;
        }
        TaskRun::Ended(self.prune_own(&own, now, ties, trace))
    }

    /// The run of the operator's policy over the namespace.
    pub fn prune_registry(&mut self, now: Millis, ties: Ties<'_>, trace: &mut Trace) -> Result<(), Failure> {
        let Some(policy) = self.default_policy.clone() else { return Ok(()) };
        if !self.enabled {
            return Ok(());
        }
        self.prune_repositories(&[policy], false, now, ties, trace)
    }

    /// The policies of all repositories.
    fn own_policies(&self) -> Vec<(usize, PrunePolicy)> {
        let of = |(index, repository): (usize, &super::world::Repository)| {
            repository.prune.iter().map(|policy| (index, policy.clone())).collect::<Vec<_>>()
        };
        let all: Vec<_> = self.repositories.iter().enumerate().flat_map(of).collect();
        match &self.own_order {
            Some(order) => order.iter().filter_map(|index| all.get(*index).cloned()).collect(),
            None => all,
        }
    }

    /// Each normal repository under these policies and, if told, its own: every age before every number.
    fn prune_repositories(
        &mut self,
        policies: &[PrunePolicy],
        own: bool,
        now: Millis,
        ties: Ties<'_>,
        trace: &mut Trace,
    ) -> Result<(), Failure> {
        for index in 0..self.repositories.len() {
            if self.repositories[index].state != State::Normal {
                continue;
            }
            let own = if own { self.repositories[index].prune.clone() } else { vec![] };
            let all: Vec<&PrunePolicy> = policies.iter().chain(&own).collect();
            for policy in ages_first(&all, |policy| policy) {
                self.carry_out(index, policy, now, ties, trace)?;
            }
        }
        Ok(())
    }

    /// The repositories' own policies, where the namespace has none: every age of all repositories before every number.
    fn prune_own(
        &mut self,
        own: &[(usize, PrunePolicy)],
        now: Millis,
        ties: Ties<'_>,
        trace: &mut Trace,
    ) -> Result<(), Failure> {
        for (index, policy) in ages_first(own, |(_, policy)| policy) {
            if self.repositories[*index].state != State::Normal {
                return Err(Failure::RepositoryNotNormal);
            }
            self.carry_out(*index, policy, now, ties, trace)?;
        }
        Ok(())
    }

    fn carry_out(
        &mut self,
        repository: usize,
        policy: &PrunePolicy,
        now: Millis,
        ties: Ties<'_>,
        trace: &mut Trace,
    ) -> Result<(), Failure> {
        trace.begun.push((repository, policy.id.clone()));
        // PostgreSQL reads the expression before it looks for rows, so that it refuses it where there are none, too.
        if matches!(policy.pattern, Some(Err(_))) {
            return Err(Failure::InvalidPattern);
        }
        for row in self.chosen(repository, policy, now, ties, trace)? {
            self.end_by(repository, row, policy, now)?;
        }
        Ok(())
    }

    /// The rows that the policy ends, in order.
    fn chosen(
        &self,
        repository: usize,
        policy: &PrunePolicy,
        now: Millis,
        ties: Ties<'_>,
        trace: &mut Trace,
    ) -> Result<Vec<usize>, Failure> {
        let rows = &self.repositories[repository].tags;
        let mut chosen = Vec::new();
        for (index, row) in rows.iter().enumerate().filter(|(_, row)| self.is_prey(row, now)) {
            let fit = policy.looks_at(&row.name).map_err(|_| Failure::InvalidPattern)?;
            if !fit.certain {
                trace.uncertain.insert(policy.id.clone());
            }
            if fit.matches {
                chosen.push(index);
            }
        }
        match policy.rule {
            PruneRule::CreationDate(age) => chosen.retain(|row| now - rows[*row].start > age),
            PruneRule::NumberOfTags(number) => {
                // What no offset of PostgreSQL can be.
                let number = i64::try_from(number).map_err(|_| Failure::Other)?;
                chosen.sort_by_key(|row| (std::cmp::Reverse(rows[*row].start), ties(repository, *row)));
                let kept = usize::try_from(number).map_or(chosen.len(), |number| number.min(chosen.len()));
                if let (Some(last), Some(first)) = (chosen[..kept].last(), chosen.get(kept))
                    && rows[*last].start == rows[*first].start
                {
                    let start = rows[*first].start;
                    let tied = chosen.iter().filter(|row| rows[**row].start == start);
                    trace.tied.extend(tied.map(|row| (repository, *row)));
                }
                chosen.drain(..kept);
            }
        }
        Ok(chosen)
    }

    /// Whether rules look at the row at all. Immutable ones are left out whether the feature is on or not.
    fn is_prey(&self, row: &TagRow, now: Millis) -> bool {
        let spared = self.signatures == Signatures::FollowImage && is_signature(&row.name);
        row.is_shown(now) && !row.immutable && !spared
    }

    /// Ends a row unless it ended with another. A name that ended at this very moment cannot end again.
    fn end_by(&mut self, repository: usize, row: usize, policy: &PrunePolicy, now: Millis) -> Result<(), Failure> {
        let rows = &mut self.repositories[repository].tags;
        if !rows[row].is_alive(now) {
            return Ok(());
        }
        if rows.iter().any(|other| other.name == rows[row].name && other.end == Some(now)) {
            return Err(Failure::Other);
        }
        rows[row].ended_by = Some(Ending { policy: policy.id.clone(), with_image: false });
        self.end(repository, row, now, Some(&policy.id));
        Ok(())
    }
}

/// All ages before all numbers, each in their order.
fn ages_first<'a, T>(all: &'a [T], policy: impl Fn(&T) -> &PrunePolicy + 'a) -> Vec<&'a T> {
    let (ages, numbers): (Vec<_>, Vec<_>) =
        all.iter().partition(|item| matches!(policy(item).rule, PruneRule::CreationDate(_)));
    ages.into_iter().chain(numbers).collect()
}
