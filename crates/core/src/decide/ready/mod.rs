//! Can I roll back now? The page for 3 a.m., decided: what runs, the release list, the three questions, and the
//! exact commands. Unknown is said as unknown, with how to find out, and is never a yes.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `rollout_state` | what runs now, and what is wanted |
//! | `release_list` | each release: evidence, pin, tags, how long it lasts |
//! | `verdict` | all three |
//! | `rollback_commands`, `journey`, `platforms`, `kubernetes`, `shell` | commands, for each workload |
//! | `git_ways` | what applies Git to workloads, by their own word |
//! | `undone` | what would undo them, and what holds it |
//! | `remembered` | what a platform itself can go back to |

mod git_ways;
mod journey;
mod kubernetes;
mod platforms;
mod release_list;
mod remembered;
mod rollback_commands;
mod rollout_state;
mod shell;
mod undone;
mod verdict;

use std::collections::BTreeMap;

use crate::model::{ArtifactId, Code, Gap, Provenance, Severity};
use crate::outcome::forecast::RepositoryForecast;
use crate::outcome::known_as::KnownAs;
use crate::outcome::ready::{RepositoryReady, Verdict};
use crate::outcome::report::TargetReport;
use crate::outcome::status::ServiceStatus;

use super::database::Question;
use super::facts as once;
use super::input::Input;
use super::plan::Plan;
use super::rollout::Uses;

/// Everything the page is made from.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What the plan was made from.
    pub input: &'a Input<'a>,
    /// The plan.
    pub plan: &'a Plan,
    /// What live rules will do to its targets.
    pub row: RepositoryForecast,
    /// What each target says of itself.
    pub said: &'a BTreeMap<ArtifactId, Result<Provenance, Gap>>,
    /// How a client names each target's exact bytes, where one does.
    pub addresses: &'a BTreeMap<ArtifactId, String>,
    /// Whether there is a history to hold it against: without one, nothing is known to be as it was.
    pub has_history: bool,
}

impl Facts<'_> {
    /// What is asked of the database.
    fn question<'q>(&'q self, uses: &'q Uses<'q>) -> Question<'q> {
        let report = &self.plan.report;
        Question {
            input: self.input,
            targets: &report.targets,
            gaps: &report.gaps,
            from: self.plan.readiness.from.as_ref(),
            said: self.said,
            uses,
        }
    }
}

/// The page of one repository.
#[must_use]
pub fn page(facts: &Facts<'_>) -> RepositoryReady {
    let once = once::Facts::new(facts.input);
    let uses = once.uses();
    let answer = verdict::answer(facts, uses);
    let report = &facts.plan.report;
    let mut gaps = report.gaps.clone();
    gaps.extend(facts.said.values().filter_map(|said| said.as_ref().err().cloned()));
    gaps.sort();
    gaps.dedup();
    let complete = gaps.is_empty() && facts.row.complete;
    let (status, verdict) = placed(facts.plan, answer.verdict, complete);
    RepositoryReady {
        source: report.source.clone(),
        name: report.name.clone(),
        complete,
        gaps,
        keep: report.rollback.keep,
        status,
        verdict,
        why: answer.why,
        from: answer.from.map(|target| target.artifact.clone()),
        to: answer.to.map(|target| target.artifact.clone()),
        asked: answer.asked.map(|target| target.artifact.clone()),
        lacking: lacking(facts.plan),
        criticals: criticals(facts.plan),
        database: answer.database,
        intact: answer.intact,
        find_out: answer.find_out,
        releases: release_list::listed_releases(facts, uses, once.labels()),
        back: answer.to.map_or_else(Vec::new, |to| rollback_commands::back(facts, uses, answer.from, to)),
        forward: rollback_commands::forward(facts, answer.from),
        now: rollout_state::now(facts, uses),
        wanted: rollout_state::wanted(facts, uses),
        restore: Vec::new(),
        restore_first: Vec::new(),
        undelete: undelete(facts),
    }
}

/// What puts back what the registry still keeps of releases that lost something.
fn undelete(facts: &Facts<'_>) -> Vec<String> {
    let input = &facts.input;
    let seen = facts.plan.report.targets.iter().filter_map(|target| input.inspections.get(&target.artifact));
    let mut commands: Vec<String> = Vec::new();
    for command in seen.flat_map(|seen| super::undelete::restore(seen, &input.snapshot.retention, input.now)) {
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    commands
}

/// The report's word for the service, and what is left to do: what images say of the database makes a service ready, or not
/// ready, and nothing else.
fn placed(plan: &Plan, verdict: Verdict, complete: bool) -> (ServiceStatus, Verdict) {
    let reported = ServiceStatus::from_report(&plan.report, &plan.findings);
    match (reported, verdict) {
        (ServiceStatus::NoEarlierRelease, Verdict::RollForward) => (reported, Verdict::NoEarlierRelease),
        // Nothing that one could go back to works on today's database, by what images say.
        (
            ServiceStatus::InDanger | ServiceStatus::Unknown | ServiceStatus::NotProtected | ServiceStatus::Protected,
            Verdict::RollForward,
        ) => (ServiceStatus::NotReady, verdict),
        (ServiceStatus::Protected, Verdict::RollBack) if complete => (ServiceStatus::Ready, verdict),
        _ => (reported, verdict),
    }
}

/// What is named as running and does not exist: no target, and so on no release list.
fn lacking(plan: &Plan) -> Vec<String> {
    let missing =
        plan.findings.iter().filter(|finding| finding.code == Code::TargetMissing && finding.artifact.is_none());
    missing.map(|finding| finding.message.clone()).collect()
}

/// Every open critical finding but those that say the same as `lacking`.
fn criticals(plan: &Plan) -> Vec<String> {
    let open = plan.findings.iter().filter(|finding| finding.waived.is_none());
    let critical = open.filter(|finding| finding.severity == Severity::Critical);
    let others = critical.filter(|finding| finding.code != Code::TargetMissing || finding.artifact.is_some());
    others.map(|finding| finding.message.clone()).collect()
}

/// What a release is called in a sentence: by its tag, else by the start of its digest.
pub(super) fn called(target: &TargetReport) -> String {
    match target.known_as() {
        Some(KnownAs::Now(tag)) => tag.to_string(),
        Some(KnownAs::Once(tag)) => format!("{} (formerly {tag})", target.artifact.short()),
        None => target.artifact.short(),
    }
}
