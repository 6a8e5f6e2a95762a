//! Rehearsals, decided: which old states of workloads are rehearsed, what a cluster's answers come to, and what the last
//! rehearsal means for the way back (P75).

mod refusal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::model::{
    ArtifactId, DryRun, Found, Mark, Platform, Pull, Refusal, Rehearsal, RehearsalFacts, RehearsalOutcome,
    RepositoryState, Sent, Workload,
};
use crate::outcome::drilled::RehearsalReport;

use self::refusal::{No, read};
use super::facts::Facts;
use super::input::Input;
use super::plan::Plan;

/// Kinds that keep old states of which `undo` makes a patch.
const REHEARSED: [&str; 4] = ["deployment", "statefulset", "daemonset", "rollout"];

/// So many old states of one repository are rehearsed.
const MOST: usize = 200;

/// What gives prodpin the rights that a rehearsal needs.
const ROLE: &str = "policies/kubernetes-rbac-rehearsal.yaml";

/// An old state of a workload that is to be rehearsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToRehearse {
    /// The release that it holds.
    pub artifact: ArtifactId,
    /// The workload.
    pub workload: Arc<Workload>,
    /// The old state, as the platform calls it.
    pub revision: Arc<str>,
}

/// For each rollback target, each workload of Kubernetes that ran it, has an old state that holds it, and does not run it.
/// Beside them, how many there are beyond those that are rehearsed at once.
#[must_use]
pub fn wanted(input: &Input<'_>, plan: &Plan) -> (Vec<ToRehearse>, usize) {
    let once = Facts::new(input);
    let uses = once.uses();
    let mut wanted = Vec::new();
    for artifact in plan.report.targets.iter().map(|target| &target.artifact) {
        let mut workloads: Vec<&Arc<Workload>> =
            uses.deployments(artifact).iter().filter_map(|used| used.workload.as_ref()).collect();
        workloads.sort();
        workloads.dedup();
        for workload in workloads.into_iter().filter(|workload| is_rehearsed(workload)) {
            let is_there = uses.at(artifact, workload).any(|used| used.runs_or_is_wanted());
            if let Some(revision) = uses.newest_state(artifact, workload).filter(|_| !is_there) {
                wanted.push(ToRehearse {
                    artifact: artifact.clone(),
                    workload: workload.clone(),
                    revision: revision.clone(),
                });
            }
        }
    }
    let beyond = wanted.len().saturating_sub(MOST);
    wanted.truncate(MOST);
    (wanted, beyond)
}

/// Whether there are rehearsals of such a workload.
fn is_rehearsed(workload: &Workload) -> bool {
    matches!(workload.platform, Platform::Kubernetes { .. }) && REHEARSED.contains(&workload.kind.as_ref())
}

/// What a cluster's answers come to. What was not answered is never a yes.
#[must_use]
pub fn judge(facts: RehearsalFacts) -> Rehearsal {
    let RehearsalFacts { workload, revision, pod, owner, needs, pull } = facts;
    let (mut refusals, mut unknown) = (Vec::new(), Vec::new());
    let owner_passes = owner == DryRun::Accepted;
    for (sent, answer) in [(Sent::Pod, pod), (Sent::Workload, owner)] {
        match answer {
            DryRun::Accepted => {}
            DryRun::Unanswered(why) => unknown.push(why),
            DryRun::Declined { status, message } => match read(status, &message) {
                No::Right => unknown.push(lacking_right(sent, &workload, &message)),
                No::Unclear(words) => unknown.push(format!("{} was not judged: {words}", named(sent, &workload))),
                // Policies often let through what Kubernetes' own controllers make, and these make the real pods.
                No::Policy { by, words } if sent == Sent::Pod && owner_passes => unknown.push(format!(
                    "{by} takes the change of the {} and refuses a pod that prodpin sends: whether it refuses the \
                     controller's pods is not known: {words}",
                    workload.kind
                )),
                No::Policy { by, words } | No::Other { by, words } => refusals.push(Refusal { sent, by, words }),
            },
        }
    }
    let mut missing = Vec::new();
    for need in needs {
        match need.found {
            Found::Yes => {}
            Found::No => missing.push(need.object.to_string()),
            Found::Unknown(why) => unknown.push(format!("whether {} is there is not known: {why}", need.object)),
        }
    }
    match pull {
        None | Some(Pull::Served) => {}
        Some(Pull::Refused { by, words }) => refusals.push(Refusal { sent: Sent::Pull, by, words }),
        Some(Pull::Unknown(why)) => unknown.push(format!("whether its image can be pulled is not known: {why}")),
    }
    for list in [&mut missing, &mut unknown] {
        list.sort();
        list.dedup();
    }
    let outcome = match (refusals.is_empty() && missing.is_empty(), unknown.is_empty()) {
        (false, _) => RehearsalOutcome::Failed,
        (true, false) => RehearsalOutcome::Unknown,
        (true, true) => RehearsalOutcome::Passed,
    };
    let (workload, revision) = (workload.as_ref().clone(), revision.as_ref().to_owned());
    Rehearsal { workload, revision, outcome, refusals, missing, unknown }
}

fn named(sent: Sent, workload: &Workload) -> String {
    match sent {
        Sent::Pod => "its pod".to_owned(),
        Sent::Workload => format!("the change of the {}", workload.kind),
        Sent::Pull => "the pull of its image".to_owned(),
    }
}

fn lacking_right(sent: Sent, workload: &Workload, message: &str) -> String {
    let verb = match sent {
        Sent::Pod => "create pods".to_owned(),
        Sent::Workload => format!("patch {}s", workload.kind),
        Sent::Pull => "read pull Secrets".to_owned(),
    };
    let namespace = workload.namespace.as_deref().unwrap_or("default");
    let words = refusal::cleaned(message);
    format!("its account may not {verb} in namespace {namespace}: apply {ROLE} there ({words})")
}

/// The right to look for one kind of object is missing.
#[must_use]
pub fn may_not_look(plural: &str, namespace: &str) -> String {
    may_not_read("get", plural, namespace)
}

/// The right to read what a rehearsal begins with is missing.
#[must_use]
pub fn may_not_read(verb: &str, plural: &str, namespace: &str) -> String {
    format!("its account may not {verb} {plural} in namespace {namespace}: apply {ROLE} there")
}

/// Whether what came of it goes on record: what could not be told takes nothing from what was found before.
#[must_use]
pub fn is_recorded(rehearsal: &Rehearsal) -> bool {
    rehearsal.outcome != RehearsalOutcome::Unknown
}

/// The rehearsals of an artifact that are on record.
pub(super) fn reports(state: &RepositoryState, artifact: &ArtifactId) -> Vec<RehearsalReport> {
    let rehearsed = state.rehearsed.get(artifact).into_iter().flat_map(|all| all.values());
    rehearsed.map(|(mark, rehearsal)| RehearsalReport { at: mark.at, rehearsal: rehearsal.clone() }).collect()
}

/// The last rehearsal of this very state, where it showed that the cluster would not start it.
pub(super) fn failed<'s>(
    state: &'s RepositoryState,
    artifact: &ArtifactId,
    workload: &Workload,
    revision: &str,
) -> Option<&'s (Mark, Rehearsal)> {
    let last = state.rehearsal(artifact, workload)?;
    (last.1.revision == revision && last.1.outcome == RehearsalOutcome::Failed).then_some(last)
}
