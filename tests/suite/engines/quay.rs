//! Quay's auto-prune (K53): what the namespace's run and the registry-wide one do to tags.

use super::pattern::{Dialect, Regex};

#[derive(Debug, Clone, Default)]
pub(crate) struct Quay {
    /// Milliseconds, as everything here.
    pub(crate) now: i64,
    pub(crate) enabled: bool,
    pub(crate) last_ran: Option<i64>,
    /// Of the namespace, in order.
    pub(crate) policies: Vec<Policy>,
    /// The operator's, for every namespace.
    pub(crate) default_policy: Option<Policy>,
    pub(crate) repositories: Vec<Repository>,
    /// Whether cosign's tags are spared and end with their image: later than 3.18.0 (K53a).
    pub(crate) spares_signatures: bool,
    /// Decides between equal times, and between count policies, which the engine leaves open.
    pub(crate) ties: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Repository {
    pub(crate) is_normal: bool,
    /// Marked for deletion: as if it were not there.
    pub(crate) is_gone: bool,
    pub(crate) policies: Vec<Policy>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) rule: Rule,
    pub(crate) pattern: Option<String>,
    /// Whether it is about what matches.
    pub(crate) matches: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Older than this goes.
    Age(i64),
    /// Beyond so many goes.
    Count(usize),
}

/// A tag, or what one was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) digest: String,
    pub(crate) start: i64,
    pub(crate) end: Option<i64>,
    pub(crate) immutable: bool,
    pub(crate) hidden: bool,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// As it was: alive or ended.
    #[default]
    Untouched,
    Pruned,
    /// A signature that ended with its image.
    Cascaded,
}

/// An expression that PostgreSQL refuses, or a repository that takes no change: the run ends there.
pub(crate) struct Ended;

impl Row {
    pub(crate) fn is_alive(&self, now: i64) -> bool {
        self.end.is_none_or(|end| end > now)
    }

    fn is_signature(&self) -> bool {
        let name = self.name.strip_prefix("sha256-");
        let kinds = [".sig", ".att", ".sbom"];
        let hex = name.and_then(|name| kinds.iter().find_map(|kind| name.strip_suffix(kind)));
        hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|next| matches!(next, b'0'..=b'9' | b'a'..=b'f')))
    }
}

impl Quay {
    /// The namespace's hourly run.
    pub(crate) fn prune(&mut self) {
        const HOUR: i64 = 3_600_000;
        if self.enabled && self.last_ran.is_none_or(|ran| ran < self.now - HOUR) {
            let _ = self.prune_namespace();
        }
    }

    /// Ages before counts, the namespace's before the repository's: with policies of the namespace in one repository after
    /// the other, without any in all repositories by turns. Whatever ends the run, what was pruned stays so.
    fn prune_namespace(&mut self) -> Result<(), Ended> {
        let of_namespace = self.policies.clone();
        let all = 0..self.repositories.len();
        let turns: Vec<(usize, bool)> = if of_namespace.is_empty() {
            [true, false].into_iter().flat_map(|is_age| all.clone().map(move |at| (at, is_age))).collect()
        } else {
            all.flat_map(|at| [(at, true), (at, false)]).collect()
        };
        for (at, is_age) in turns {
            let repository = &self.repositories[at];
            if repository.is_gone || !of_namespace.is_empty() && !repository.is_normal {
                continue;
            }
            let own = repository.policies.clone();
            for policy in of_namespace.iter().chain(&own) {
                if matches!(policy.rule, Rule::Age(_)) == is_age {
                    self.apply(at, policy)?;
                }
            }
        }
        Ok(())
    }

    /// The registry-wide run.
    pub(crate) fn prune_registry(&mut self) -> Result<(), Ended> {
        let Some(policy) = self.default_policy.clone() else { return Ok(()) };
        for at in 0..self.repositories.len() {
            if self.repositories[at].is_normal && !self.repositories[at].is_gone {
                self.apply(at, &policy)?;
            }
        }
        Ok(())
    }

    fn apply(&mut self, at: usize, policy: &Policy) -> Result<(), Ended> {
        let regex = match &policy.pattern {
            None => None,
            Some(pattern) => Some(Regex::new(pattern, Dialect::Postgres).ok_or(Ended)?),
        };
        let (now, spares, ties) = (self.now, self.spares_signatures, self.ties);
        let repository = &mut self.repositories[at];
        let is_meant = |row: &Row| {
            let named = regex.as_ref().is_none_or(|regex| regex.finds(&row.name) == policy.matches);
            row.is_alive(now) && !row.hidden && !row.immutable && named && !(spares && row.is_signature())
        };
        let mut meant: Vec<usize> = (0..repository.rows.len()).filter(|row| is_meant(&repository.rows[*row])).collect();
        match policy.rule {
            Rule::Age(age) => meant.retain(|row| repository.rows[*row].start < now - age),
            Rule::Count(count) => {
                meant.sort_by_key(|row| {
                    let row = &repository.rows[*row];
                    (std::cmp::Reverse(row.start), super::zot::shuffled(ties, &row.id))
                });
                meant.drain(..count.min(meant.len()));
            }
        }
        if !meant.is_empty() && !repository.is_normal {
            return Err(Ended);
        }
        for row in meant {
            repository.rows[row].end = Some(now);
            repository.rows[row].outcome = Outcome::Pruned;
            if spares {
                repository.end_signatures(&repository.rows[row].digest.clone(), now);
            }
        }
        Ok(())
    }
}

impl Repository {
    /// Signatures by tag end with the last tag of their image.
    fn end_signatures(&mut self, digest: &str, now: i64) {
        if self.rows.iter().any(|row| row.digest == digest && row.is_alive(now) && !row.hidden) {
            return;
        }
        let prefix = digest.replace(':', "-");
        for row in &mut self.rows {
            if row.is_alive(now) && !row.immutable && row.is_signature() && row.name.starts_with(&prefix) {
                row.end = Some(now);
                row.outcome = Outcome::Cascaded;
            }
        }
    }
}
