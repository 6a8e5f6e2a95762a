//! Has the database moved forward destructively since a release ran? The report decides on what the policy and workloads
//! say of that, and calls nothing ready; the page about going back asks each image, too (I31).

use std::collections::BTreeMap;

use crate::model::{
    ArtifactId, Deployment, Gap, NamePatterns, Obstacle, Provenance, RepositoryState, SchemaChange, Tenure, Waiting,
};
use crate::outcome::ready::{Database, Step};
use crate::outcome::report::{PinReport, RepositoryReport, TargetReport};

mod irreversible;
mod statements;

use super::facts::Facts;
use super::input::Input;
use super::readiness::{Readiness, is_proven, is_wanted};
use super::rollout::Uses;
use super::seen_order;

/// Everything that it is asked of.
pub(super) struct Question<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) targets: &'a [TargetReport],
    /// What could not be read.
    pub(super) gaps: &'a [Gap],
    /// What is to be left.
    pub(super) from: Option<&'a ArtifactId>,
    /// What images say of themselves, as far as they were asked.
    pub(super) said: &'a BTreeMap<ArtifactId, Result<Provenance, Gap>>,
    pub(super) uses: &'a Uses<'a>,
}

/// Rules out the ways back to what does not work on today's database. Only what is known to have moved counts: what images
/// say was not asked, and who stays silent here may have said so there.
pub(super) fn withhold(input: &Facts<'_>, report: &RepositoryReport, readiness: &mut Readiness) {
    if input.database.is_empty() && input.running.iter().all(|used| used.schema.is_none()) {
        return;
    }
    let (said, uses) = (BTreeMap::new(), input.uses());
    let RepositoryReport { targets, gaps, .. } = report;
    let question = Question { input, targets, gaps, from: readiness.from.as_ref(), said: &said, uses };
    let mut contracted = None;
    let mut ruled_out = Vec::new();
    for target in readiness.before(targets) {
        let Database { moved, steps, .. } = question.since(target);
        if moved == Some(true) {
            let took = steps.into_iter().find(|step| step.schema == Some(SchemaChange::Contract));
            contracted = contracted.or(took.map(|step| step.artifact));
            ruled_out.push(target.artifact.clone());
        }
    }
    if ruled_out.is_empty() {
        return;
    }
    let left: Vec<Option<bool>> = readiness
        .before(targets)
        .filter(|target| !ruled_out.contains(&target.artifact) && target.restorable != Some(false))
        .map(|target| target.restorable)
        .collect();
    let all_out = ruled_out.len() == readiness.before(targets).count();
    readiness.ready = match readiness.ready {
        Some(true) if !left.is_empty() && !left.contains(&Some(true)) => None,
        ready if !left.is_empty() => ready,
        None if !all_out => None,
        _ => Some(false),
    };
    readiness.contracted = contracted.filter(|_| readiness.ready == Some(false));
    readiness.ruled_out = ruled_out;
}

impl Question<'_> {
    /// What each release did to the database, and who says so. The gravest word counts: who believes the gentler one loses
    /// data.
    pub(super) fn said(&self, target: &TargetReport) -> (Option<SchemaChange>, Vec<String>) {
        let mut words: BTreeMap<String, SchemaChange> = BTreeMap::new();
        let mut say = |by: String, schema: SchemaChange| {
            let word = words.entry(by).or_insert(schema);
            *word = (*word).max(schema);
        };
        if let Some(Ok(Provenance { schema: Some(schema), .. })) = self.said.get(&target.artifact) {
            say("the image".to_owned(), *schema);
        }
        let statement = statements::of(self, target);
        if let Some(statement) = &statement {
            say("its statement".to_owned(), statement.change());
        }
        for used in self.uses.deployments(&target.artifact) {
            if let Some(schema) = used.schema {
                say(
                    used.workload.as_ref().map_or_else(|| used.via.to_string(), |workload| workload.to_string()),
                    schema,
                );
            }
        }
        for rule in self.input.database.iter().filter(|rule| rule.repositories.matches(self.input.key.name.as_str())) {
            let matches = |tags: &NamePatterns| names(target).any(|tag| tags.matches(tag));
            if let Some(schema) = rule.schema
                && rule.tags.as_ref().is_none_or(matches)
            {
                say("the policy".to_owned(), schema);
            }
        }
        let gravest = words.values().copied().max();
        let mut by: Vec<String> = words.into_iter().map(|(by, schema)| format!("{by} says {schema}")).collect();
        by.extend(statement.and_then(|statement| statement.hole()));
        (gravest, by)
    }

    /// What happened to the database since `to` was in production.
    pub(super) fn since(&self, to: &TargetReport) -> Database {
        let targets = self.targets;
        let place = targets.iter().position(|target| target.artifact == to.artifact).unwrap_or(targets.len());
        let proven = targets.iter().any(is_proven);
        let mut steps = Vec::new();
        for (at, target) in targets.iter().enumerate() {
            let tried = self.was_tried(target);
            let counts = target.running || is_proven(target) || tried || !proven;
            let above = tried || at < place;
            if target.artifact != to.artifact && counts && came_after(self.input.state, target, to, above) {
                let (schema, by) = self.said(target);
                steps.push(Step { artifact: target.artifact.clone(), schema, by });
            }
        }
        let Lost { contracted, silent, releases } = self.lost(to, proven);
        steps.extend(contracted);
        let doubt = self.doubt(silent);
        let questions = statements::questions(self, to, place, &steps);
        let (irreversible, irreversible_unknown) = irreversible::done(self, &steps, &releases);
        let moved = if steps.iter().any(|step| step.schema == Some(SchemaChange::Contract)) {
            Some(true)
        } else if !steps.is_empty() && doubt.is_none() && questions.is_empty() && steps.iter().all(leaves_alone) {
            Some(false)
        } else {
            None
        };
        Database { moved, steps, doubt, questions, irreversible, irreversible_unknown }
    }

    /// Whether a release that does not run may have been started, and with it what changes the database: what is to be left, and
    /// what a workload has made a revision of. What waits for its turn has not been.
    fn was_tried(&self, target: &TargetReport) -> bool {
        let is_left = self.from == Some(&target.artifact);
        let tried = |used: &&Deployment| match used.tenure {
            Tenure::Wanted { why: Waiting::Held | Waiting::NextRun } => false,
            Tenure::Wanted { .. } => used.revision.is_some(),
            Tenure::Now { .. } | Tenure::Before { .. } => false,
        };
        is_wanted(target) && (is_left || self.uses.deployments(&target.artifact).iter().any(tried))
    }

    /// What releases did since then that are gone and are reported nowhere else.
    fn lost(&self, to: &TargetReport, proven: bool) -> Lost {
        let Input { state, selection, inspections, rules, .. } = self.input;
        let targets = self.targets;
        let (mut contracted, mut silent, mut releases) = (Vec::new(), 0, Vec::new());
        for lost in selection.lost(rules.keep, inspections, &to.artifact) {
            let release = TargetReport {
                artifact: lost.artifact,
                rank: None,
                references: Vec::new(),
                reasons: lost.reasons,
                running: false,
                pin: PinReport::Absent,
                restorable: Some(false),
                protected: Some(false),
                obstacles: vec![Obstacle::Missing],
                survives: None,
                parts: None,
                vault: None,
                drills: vec![],
            };
            let reported = targets.iter().any(|target| target.artifact == release.artifact);
            let counts = is_proven(&release) || !proven;
            if reported || !counts || !came_after(state, &release, to, lost.above) {
                continue;
            }
            match self.said(&release) {
                (
                    schema @ Some(
                        SchemaChange::Contract | SchemaChange::Unknown | SchemaChange::Data | SchemaChange::Caution,
                    ),
                    by,
                ) => {
                    contracted.push(Step { artifact: release.artifact.clone(), schema, by });
                }
                (Some(SchemaChange::None | SchemaChange::Expand), _) => {}
                (None, _) => silent += 1,
            }
            releases.push(release);
        }
        Lost { contracted, silent, releases }
    }

    /// What keeps the list of releases since then from being known to be whole: a signal that could not be read may know of
    /// one more, and so may a tag whose artifact is not known. Releases that are gone and untold are known to have been.
    fn doubt(&self, unreported: usize) -> Option<String> {
        use crate::model::Scope;
        let unread = self.gaps.iter().find(|gap| matches!(gap.scope, Scope::Signal(_)));
        let unlisted =
            self.gaps.iter().find(|gap| matches!(gap.scope, Scope::Source | Scope::Repository | Scope::Tag(_)));
        match (unread, unlisted) {
            (Some(gap), _) => {
                Some(format!("what runs was not all read, and may know of another release: {}", gap.detail))
            }
            (None, Some(gap)) => Some(format!("the releases were not all read: {}", gap.detail)),
            (None, None) if unreported > 0 => Some(format!(
                "{unreported} more release{} since then {} gone, and nothing says what {} did to the database",
                if unreported == 1 { "" } else { "s" },
                if unreported == 1 { "is" } else { "are" },
                if unreported == 1 { "it" } else { "they" }
            )),
            (None, None) => None,
        }
    }
}

/// Releases that are gone.
struct Lost {
    /// The steps that took something away.
    contracted: Vec<Step>,
    /// How many of the others nobody says anything of.
    silent: usize,
    /// All of them.
    releases: Vec<TargetReport>,
}

/// Whether the release before works on what it leaves, without anything to ask.
fn leaves_alone(step: &Step) -> bool {
    matches!(step.schema, Some(SchemaChange::None | SchemaChange::Expand))
}

/// Every tag that a release has or had.
fn names(target: &TargetReport) -> impl Iterator<Item = &str> {
    use crate::outcome::report::Reason;
    let had = target.reasons.iter().filter_map(|reason| match reason {
        Reason::ReleaseTag { tag } | Reason::ReleasedAs { tag } => Some(tag.as_str()),
        _ => None,
    });
    target.references.iter().map(|tag| tag.as_str()).chain(had)
}

/// Whether a release may have changed the database after another one last worked on it. It did not if the other one was
/// first seen to run later, wherever it runs: then that one has worked on whatever it left. It did for certain if it was
/// first seen when the other one was gone. Else their places decide.
fn came_after(state: &RepositoryState, release: &TargetReport, to: &TargetReport, above: bool) -> bool {
    if seen_order::precedes(state, &release.artifact, &to.artifact) {
        return false;
    }
    release.running || above || seen_order::succeeds(state, &release.artifact, &to.artifact)
}
