//! The way back for each workload that runs what is to be left, and the way forward.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{ArtifactId, Control, Deployment, Platform, Provenance, Tenure, Waiting, Workload};
use crate::outcome::ready::{Forward, RollbackCommands};
use crate::outcome::report::{PinReport, TargetReport};

use crate::decide::deployments::number;
use crate::decide::rehearsed;

use super::journey::{Dead, Journey};
use super::release_list::{Meaning, meaning};
use super::remembered::remembered;
use super::shell::Command;
use super::verdict::commit;
use super::{Facts, Uses, called, git_ways, platforms};

/// So many workloads of one repository are reported the way; the JSON has them all the same.
const MOST_WORKLOADS: usize = 200;

/// What a workload runs now.
pub(super) type Runs<'a, 'u> = Vec<(&'u ArtifactId, &'a Deployment)>;

/// Everything that runs what is to be left, in the order in which it is gone back.
pub(super) type Running<'a, 'u> = BTreeMap<(u8, &'a Arc<Workload>), Runs<'a, 'u>>;

/// The rollback commands, in the order in which they should be tried: where the truth is kept first.
pub(super) fn back(
    facts: &Facts<'_>,
    uses: &Uses<'_>,
    from: Option<&TargetReport>,
    to: &TargetReport,
) -> Vec<RollbackCommands> {
    let mut running: Running<'_, '_> = BTreeMap::new();
    // Who runs something else again is left alone: for some of them this would be the way forward.
    let left = from.map(|from| &from.artifact);
    for (artifact, workload, used) in uses.present().filter(|(artifact, ..)| Some(*artifact) == left) {
        running.entry((precedence(&workload.platform), workload)).or_default().push((artifact, used));
    }
    let leaving = Leaving { facts, uses, from, to, helm: git_ways::behind_helm(&running), running: &running };
    let applied = git_ways::applied(&running);
    let by_git = applied.iter().map(|(workload, left)| (precedence(&workload.platform), workload, *left));
    let told = running.iter().map(|((precedence, workload), left)| (*precedence, &***workload, left));
    let mut ways: Vec<(u8, &Workload, &Runs<'_, '_>)> = told.chain(by_git).collect();
    ways.sort_by_key(|(precedence, ..)| *precedence);
    ways.into_iter().take(MOST_WORKLOADS).map(|(_, workload, left)| leaving.commands(workload, left)).collect()
}

/// What is to be left, for what.
struct Leaving<'l, 'a> {
    facts: &'l Facts<'l>,
    uses: &'l Uses<'a>,
    from: Option<&'l TargetReport>,
    to: &'l TargetReport,
    running: &'l Running<'a, 'l>,
    /// What looks after Helm's releases.
    helm: BTreeMap<git_ways::Release, Control>,
}

impl Leaving<'_, '_> {
    fn commands(&self, workload: &Workload, left: &Runs<'_, '_>) -> RollbackCommands {
        let Self { facts, uses, from, to, .. } = self;
        let newest = left.iter().max_by_key(|(_, used)| used.revision.as_deref().and_then(number));
        let left_target = newest
            .and_then(|(artifact, _)| facts.plan.report.targets.iter().find(|target| target.artifact == **artifact));
        let leaving = left_target.or(*from);
        let control = self.control(workload, left);
        // What one of its workloads runs says nothing of the commit that Git names there.
        let own = newest.filter(|(_, used)| used.workload.as_deref() == Some(workload));
        let there = |precedence: &u8| self.running.keys().any(|(known, _)| known == precedence);
        let journey = Journey {
            workload,
            from: leaving.map_or_else(|| "what runs".to_owned(), called),
            to: called(to),
            from_revision: own.and_then(|(_, used)| used.revision.as_deref()),
            to_revision: revision(facts, uses, workload, to),
            refused: refused(facts, uses, workload, to),
            control,
            beside: git_ways::beside(self.running, workload),
            by_tag: uses.at(&to.artifact, workload).any(|used| used.tag().is_some()),
            left_by_tag: left.iter().any(|(_, used)| used.tag().is_some()),
            is_stuck: left.iter().any(|(_, used)| used.tenure == Tenure::Wanted { why: Waiting::Starting }),
            parts: parts(uses, workload, left, to),
            bare: left.iter().any(|(_, used)| used.container.is_none()),
            address: facts.addresses.get(&to.artifact).map(String::as_str),
            artifact: &to.artifact,
            pinned: matches!(to.pin, PinReport::Present | PinReport::Created),
            needle: needle(newest.copied(), leaving),
            from_git: (0..HELM).any(|precedence| there(&precedence)),
            from_helm: there(&HELM),
            goes_back: facts.plan.readiness.went_back_from.is_some(),
            source_commit: newest.and_then(|(artifact, _)| commit(facts, artifact)).map(|commit| commit.to_string()),
        };
        let earlier: Vec<&TargetReport> = facts.plan.readiness.before(&facts.plan.report.targets).collect();
        let remembers = remembered(uses, workload, control, &earlier);
        RollbackCommands { remembers, ..platforms::rollback_commands(&journey) }
    }

    /// What decides how a workload can be changed. Of a Helm release its workloads tell who applies it.
    fn control<'c>(&'c self, workload: &Workload, left: &Runs<'c, '_>) -> Option<&'c Control> {
        let own = left.iter().find_map(|(_, used)| used.control.as_deref());
        let Platform::Helm { context } = &workload.platform else { return own };
        own.or_else(|| self.helm.get(&(context.clone(), workload.namespace.clone(), workload.name.clone())))
    }
}

/// The containers of a workload that run what is to be left. Where some of a Kubernetes workload ran what is gone back to,
/// only those: two containers of one repository do not run each other's images.
fn parts<'a>(uses: &Uses<'a>, workload: &Workload, left: &Runs<'a, '_>, to: &TargetReport) -> BTreeSet<&'a str> {
    let containers = left.iter().filter_map(|(_, used)| used.container.as_deref());
    let held: BTreeSet<&str> = uses.at(&to.artifact, workload).filter_map(|used| used.container.as_deref()).collect();
    let fits = |container: &&str| {
        !matches!(workload.platform, Platform::Kubernetes { .. }) || held.is_empty() || held.contains(container)
    };
    containers.filter(fits).collect()
}

const HELM: u8 = 2;

/// What is deployed from Git is put back from there, whatever is done by hand.
fn precedence(platform: &Platform) -> u8 {
    match platform {
        Platform::ArgoCd { .. } => 0,
        Platform::Flux { .. } => 1,
        Platform::Helm { .. } => HELM,
        Platform::Kubernetes { .. } => 3,
        Platform::Ecs { .. } => 4,
        Platform::Lambda { .. } => 5,
        Platform::AppRunner { .. } => 6,
    }
}

/// The newest old state of this workload that holds the release.
fn revision<'a>(facts: &Facts<'_>, uses: &Uses<'a>, workload: &Workload, to: &TargetReport) -> Result<&'a str, Dead> {
    let newest: &'a str = uses.newest_state(&to.artifact, workload).ok_or(Dead::Unknown)?;
    let mut verdict = Ok(newest);
    let holding = uses.at(&to.artifact, workload).filter(|used| used.revision.as_deref() == Some(newest));
    for tag in holding.filter_map(|used| used.tag()) {
        match meaning(facts, tag) {
            Meaning::Names(artifact) if artifact == to.artifact => {}
            Meaning::Names(_) | Meaning::Gone => return Err(Dead::TagMoved),
            Meaning::Unknown => verdict = Err(Dead::TagUnknown),
        }
    }
    match rehearsed::failed(facts.input.state, &to.artifact, workload, newest) {
        Some(_) => verdict.and(Err(Dead::Refused)),
        None => verdict,
    }
}

/// Why the cluster would not start that state, by the last rehearsal of it.
fn refused(facts: &Facts<'_>, uses: &Uses<'_>, workload: &Workload, to: &TargetReport) -> Option<String> {
    let newest = uses.newest_state(&to.artifact, workload)?;
    let (mark, rehearsal) = rehearsed::failed(facts.input.state, &to.artifact, workload, newest)?;
    let day = mark.at.strftime("%Y-%m-%d");
    let reasons = rehearsal.reasons().collect::<Vec<_>>().join("; ");
    Some(format!("revision {newest} would not start, by the rehearsal of {day}: {reasons}"))
}

/// What to look for in manifests: how they name what runs.
fn needle(newest: Option<(&ArtifactId, &Deployment)>, from: Option<&TargetReport>) -> String {
    let tag = newest.and_then(|(_, used)| used.tag()).map(ToString::to_string);
    let named = || from.and_then(|target| target.references.first()).map(ToString::to_string);
    let digest = || newest.map(|(artifact, _)| artifact.to_string());
    tag.or_else(named).or_else(digest).unwrap_or_default()
}

/// The way forward starts where production is: at the commit that what runs was built from.
pub(super) fn forward(facts: &Facts<'_>, from: Option<&TargetReport>) -> Forward {
    let mut notes = Vec::new();
    let said = from.and_then(|from| facts.said.get(&from.artifact));
    let provenance = said.and_then(|said| said.as_ref().ok());
    let commit = provenance.and_then(|provenance| provenance.commit.clone());
    let commands = match (&commit, from) {
        (Some(commit), _) => {
            let branch = Command::new("git switch --create").name(&format!("fix-{}", commit.short()));
            let branch = branch.name(&commit.to_string());
            ["git fetch origin".to_owned()].into_iter().chain(branch.line().ok()).collect()
        }
        (None, Some(from)) => {
            let called = called(from);
            notes.push(match said {
                Some(Err(gap)) => format!("the commit of {called} is unknown: {}", gap.detail),
                Some(Ok(Provenance { revision: Some(revision), .. })) => format!(
                    "{called} says that it was built from {revision:?}, which is no commit and may mean another one by \
                     now: ask the build system, and have it write the whole hash into org.opencontainers.image.revision"
                ),
                _ => format!(
                    "{called} does not say which commit it was built from: ask the build system, and have it write \
                     org.opencontainers.image.revision"
                ),
            });
            Vec::new()
        }
        (None, None) => {
            notes.push("what production runs is not known, and so neither is the commit to branch from".to_owned());
            Vec::new()
        }
    };
    let repository_url = provenance.and_then(|provenance| provenance.source.clone()).map(String::from);
    Forward { commit, repository_url, commands, notes }
}
