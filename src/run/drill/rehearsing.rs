//! Asking clusters whether they would start the rollback targets again: each old state of a workload once, whatever
//! repositories its images are from.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::found::Planned;
use super::pulls::Pulls;
use crate::decide::rehearsed::judge;
use crate::model::{ArtifactId, Rehearsal, RehearsalFacts, RepositoryKey, Workload};
use crate::run::Stop;
use crate::signals::{Rehearsed, Rehearsing};

/// What one workload's cluster said about a rollback target.
#[derive(Debug, Clone)]
pub struct RehearsedTarget {
    /// Its repository.
    pub repository: RepositoryKey,
    /// The target.
    pub artifact: ArtifactId,
    /// What it is called, where it is called anything.
    pub name: Option<String>,
    /// When it was done with.
    pub at: Timestamp,
    /// What came of it; none where the drill ended before it came to it.
    pub rehearsal: Option<Rehearsal>,
    /// Where it was to be rehearsed.
    pub workload: Arc<Workload>,
}

/// Rehearses what is planned, one after the other: what one dry run left would be seen before the next.
pub(super) async fn rehearse(
    stage: &Rehearsing,
    pulls: &Pulls<'_>,
    planned: Vec<Planned>,
    stop: &Stop,
) -> Vec<RehearsedTarget> {
    let mut over = std::pin::pin!(stop.over());
    let mut given_up = false;
    let mut by_workload: BTreeMap<Arc<Workload>, Vec<Planned>> = BTreeMap::new();
    for one in planned {
        by_workload.entry(one.state.workload.clone()).or_default().push(one);
    }
    let mut done = Vec::new();
    for (workload, planned) in by_workload {
        let mut revisions: Vec<Arc<str>> = planned.iter().map(|one| one.state.revision.clone()).collect();
        revisions.sort();
        revisions.dedup();
        let mut rehearsed: Vec<Rehearsed> = Vec::new();
        if !given_up && !stop.is_set() {
            tokio::select! {
                answered = stage.rehearse(&workload, &revisions) => rehearsed = answered,
                () = &mut over => given_up = true,
            }
        }
        let by_revision: BTreeMap<Arc<str>, Rehearsed> =
            rehearsed.into_iter().map(|one| (one.facts.revision.clone(), one)).collect();
        for one in planned {
            let mut rehearsal = None;
            if let Some(Rehearsed { facts, pull_secrets }) = by_revision.get(&one.state.revision) {
                let mut pull = pull_secrets.unasked("the drill ended before the registry was asked");
                if !given_up && !stop.is_set() {
                    tokio::select! {
                        answer = pulls.ask(&one.key, &one.state.artifact, pull_secrets) => pull = answer,
                        () = &mut over => given_up = true,
                    }
                }
                rehearsal = Some(judge(RehearsalFacts { pull, ..facts.clone() }));
            }
            done.push(one.rehearsed(rehearsal));
        }
    }
    done
}

impl Planned {
    fn rehearsed(self, rehearsal: Option<Rehearsal>) -> RehearsedTarget {
        let Self { key: repository, name, state } = self;
        let (artifact, workload) = (state.artifact, state.workload);
        RehearsedTarget { repository, artifact, name, at: Timestamp::now(), rehearsal, workload }
    }
}
