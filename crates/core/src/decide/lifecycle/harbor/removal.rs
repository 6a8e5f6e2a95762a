//! What a run does with what no rule retains (J13, J24, J43).

use std::collections::{BTreeMap, BTreeSet};

use super::immutability;
use super::job::{Job, Run};
use crate::model::{Digest, HarborArtifact};

/// What is said of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It stays.
    Retained,
    /// It goes; in a dry run: it would, as far as the job knows.
    Deleted,
    /// The job leaves it alone.
    Immutable,
    /// The core refused, or had nothing left to delete. Counts as retained (J43).
    Refused,
}

/// A run's result.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// One for each row of the listing. Rows of one artifact are said alike, even where the first went and the second
    /// found nothing.
    pub rows: Vec<Verdict>,
    /// How many rows it counts as retained.
    pub retained: usize,
    /// How many deletions were asked for.
    pub calls: usize,
    /// What is gone for good, whatever its rows say.
    pub gone: BTreeSet<Digest>,
}

impl Verdict {
    /// As Harbor's own table has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Retained => "RETAIN",
            Self::Deleted => "DEL",
            Self::Immutable => "IMMUTABLE",
            Self::Refused => "ERR",
        }
    }
}

pub(super) fn table(job: &Job<'_>, run: &Run, is_dry: bool) -> Table {
    let locked = locked(job, run);
    let mut core = Core::new(job);
    // Of one artifact's rows the last answer is said of all.
    let mut said: BTreeMap<&Digest, Verdict> = BTreeMap::new();
    let (mut calls, mut deleted) = (0, 0);
    for artifact in job.artifacts.iter().filter(|artifact| !run.retains(&artifact.digest)) {
        let verdict = if locked.contains(&artifact.digest) {
            Verdict::Immutable
        } else if is_dry {
            Verdict::Deleted
        } else {
            calls += 1;
            core.delete(artifact)
        };
        deleted += usize::from(verdict == Verdict::Deleted);
        said.insert(&artifact.digest, verdict);
    }
    let rows = job.artifacts.iter().map(|row| said.get(&row.digest).copied().unwrap_or(Verdict::Retained)).collect();
    Table { rows, retained: job.artifacts.len() - deleted, calls, gone: core.gone }
}

/// What the job takes for immutable of what is not retained.
fn locked<'a>(job: &Job<'a>, run: &Run) -> BTreeSet<&'a Digest> {
    let is_locked = |artifact: &&HarborArtifact| {
        let tags: Vec<&str> = artifact.tags.iter().map(|tag| &*tag.name).collect();
        immutability::in_the_job(job.immutable, job.names, job.repository, &tags)
    };
    let left = job.artifacts.iter().filter(|artifact| !run.retains(&artifact.digest));
    left.filter(is_locked).map(|artifact| &artifact.digest).collect()
}

/// The core while a run deletes: it has the last word about each artifact.
struct Core<'a> {
    job: &'a Job<'a>,
    /// The indexes that hold each artifact, as far as they are listed.
    holders: BTreeMap<&'a Digest, BTreeSet<&'a Digest>>,
    tagged: BTreeSet<&'a Digest>,
    gone: BTreeSet<Digest>,
}

impl<'a> Core<'a> {
    fn new(job: &'a Job<'a>) -> Self {
        let mut holders: BTreeMap<&Digest, BTreeSet<&Digest>> = BTreeMap::new();
        for index in job.artifacts {
            for child in &index.children {
                holders.entry(child).or_default().insert(&index.digest);
            }
        }
        let tagged = job.artifacts.iter().filter(|artifact| !artifact.tags.is_empty());
        let tagged = tagged.map(|artifact| &artifact.digest).collect();
        Self { job, holders, tagged, gone: BTreeSet::new() }
    }

    /// One call. What an index holds stays, and so does what has an immutable tag, whole (J24).
    fn delete(&mut self, artifact: &HarborArtifact) -> Verdict {
        let is_locked = |name: &str| immutability::in_the_core(self.job.immutable, self.job.repository, name);
        if self.gone.contains(&artifact.digest)
            || self.is_held(artifact)
            || artifact.tags.iter().any(|tag| is_locked(&tag.name))
        {
            return Verdict::Refused;
        }
        self.take(&artifact.digest, &artifact.children);
        Verdict::Deleted
    }

    /// Whether an index refers to it, listed or not, that has not gone before it.
    fn is_held(&self, artifact: &HarborArtifact) -> bool {
        match self.holders.get(&artifact.digest) {
            Some(holders) => holders.iter().any(|index| !self.gone.contains(*index)),
            None => artifact.is_referenced,
        }
    }

    /// An index takes along the children that have no tag and that nothing else holds.
    fn take(&mut self, digest: &Digest, children: &[Digest]) {
        self.gone.insert(digest.clone());
        for child in children {
            let is_held =
                self.holders.get(child).is_some_and(|all| all.iter().any(|index| !self.gone.contains(*index)));
            if !is_held && !self.tagged.contains(child) {
                self.gone.insert(child.clone());
            }
        }
    }
}
