//! Which rollback targets there are to drill, and what came of each.

use std::sync::Arc;

use jiff::Timestamp;

use crate::decide::drilled::Candidate;
use crate::decide::rehearsed::{self, ToRehearse};
use crate::decide::{self, Attempts};
use crate::model::{ArtifactId, Digest, Drill, DrilledFrom, Gap, Mark, RepositoryKey};
use crate::outcome::known_as::KnownAs;
use crate::outcome::report::TargetReport;
use crate::sources::Readable;

use super::super::RunError;
use super::super::repository::look;
use super::super::setup::Setup;

/// One target, and what came of it.
#[derive(Debug, Clone)]
pub struct DrilledTarget {
    /// Its repository.
    pub repository: RepositoryKey,
    /// The target.
    pub artifact: ArtifactId,
    /// What it is called, where it is called anything.
    pub name: Option<String>,
    /// Whether it is one file: an object version, or a chart's archive.
    pub is_file: bool,
    /// Whence it was read.
    pub from: DrilledFrom,
    /// When it was done with.
    pub at: Timestamp,
    /// What came of it.
    pub result: DrillResult,
}

/// What came of one target.
#[derive(Debug, Clone)]
pub enum DrillResult {
    /// It was read: it is whole, or something in it is broken.
    Drilled(Drill),
    /// Not all of it could be read, which proves nothing.
    Unread(String),
    /// It is a file that was read to its end, and nothing says what its bytes should be, which proves nothing either.
    Uncompared {
        /// How many bytes it has.
        bytes: u64,
        /// Why nothing says it.
        why: String,
    },
    /// The vault does not have it.
    NotInVault,
    /// It did not fit into what may be read.
    Waits {
        /// How many bytes of it are to be read.
        needs: u64,
        /// How many were left.
        left: u64,
    },
    /// The drill was ended before it came to it, or before it was done with it.
    Interrupted,
    /// Its kind is not drilled.
    Unsupported,
}

/// A target that is to be drilled.
#[derive(Debug)]
pub(super) struct Todo {
    pub(super) key: RepositoryKey,
    pub(super) artifact: ArtifactId,
    name: Option<String>,
    is_file: bool,
    from: DrilledFrom,
    /// The last drill of it from there.
    last: Option<Mark>,
    rank: u32,
}

/// An old state of a workload that is to be rehearsed.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) key: RepositoryKey,
    pub(super) name: Option<String>,
    pub(super) state: ToRehearse,
}

/// What there is to do in one repository.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) todo: Vec<Todo>,
    pub(super) planned: Vec<Planned>,
    pub(super) gaps: Vec<Gap>,
}

impl Todo {
    pub(super) fn ended(self, result: DrillResult) -> DrilledTarget {
        let Self { key: repository, artifact, name, is_file, from, .. } = self;
        DrilledTarget { repository, artifact, name, is_file, from, at: Timestamp::now(), result }
    }

    pub(super) fn candidate(&self, parts: &[(Digest, u64)]) -> Candidate {
        let place = (self.from == DrilledFrom::Source).then(|| self.key.source.clone());
        Candidate { place, parts: parts.to_vec() }
    }
}

/// What was drilled longest ago comes first, and before it what never was.
pub(super) fn sort(todo: &mut [Todo]) {
    todo.sort_by(|a, b| (a.last, a.rank, &a.key, &a.artifact).cmp(&(b.last, b.rank, &b.key, &b.artifact)));
}

/// The rollback targets of one repository, by the decision of every other command (I31), and the old states that hold them.
pub(super) async fn targets(setup: Arc<Setup>, key: RepositoryKey, from: DrilledFrom) -> Result<Found, RunError> {
    let seen = look(&setup, setup.source(&key).inventory.as_ref(), key.clone()).await?;
    let untried = Attempts::new();
    let input = seen.input(&setup, &untried);
    let plan = decide::plan(&input);
    let last = |artifact: &ArtifactId| input.state.drilled.get(artifact)?.get(&from).map(|(mark, _)| *mark);
    let is_file = matches!(setup.source(&key).inventory.readable(), Some(Readable::Files(_)));
    let todo = plan.report.targets.iter().map(|target| Todo {
        key: key.clone(),
        artifact: target.artifact.clone(),
        name: name(target),
        is_file,
        from,
        last: last(&target.artifact),
        rank: target.rank.unwrap_or(u32::MAX),
    });
    let todo = todo.collect();
    let (states, beyond) = rehearsed::wanted(&input, &plan);
    let named =
        |artifact: &ArtifactId| plan.report.targets.iter().find(|target| target.artifact == *artifact).and_then(name);
    let planned =
        states.into_iter().map(|state| Planned { key: key.clone(), name: named(&state.artifact), state }).collect();
    if beyond > 0 {
        tracing::warn!("{key}: {beyond} more old states of workloads hold rollback targets than are rehearsed at once");
    }
    Ok(Found { todo, planned, gaps: plan.report.gaps })
}

fn name(target: &TargetReport) -> Option<String> {
    target.known_as().map(|known| match known {
        KnownAs::Now(tag) => tag.to_string(),
        KnownAs::Once(tag) => format!("was {tag}"),
    })
}
