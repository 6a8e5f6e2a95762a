//! The three questions: has the database moved on, is the release before intact, and so, back or forward?

use std::collections::BTreeMap;

use crate::decide::findings::next_step;
use crate::decide::plan::Plan;
use crate::decide::readiness::{first_choice, is_wanted};
use crate::model::{ArtifactId, Code, Commit, Finding, Obstacle, SchemaChange};
use crate::outcome::ready::{Database, Verdict};
use crate::outcome::report::TargetReport;

use super::{Facts, Uses, called};

/// The answers.
pub(super) struct RollbackAnswer<'a> {
    pub(super) verdict: Verdict,
    pub(super) why: String,
    pub(super) from: Option<&'a TargetReport>,
    pub(super) to: Option<&'a TargetReport>,
    /// What the questions are about.
    pub(super) asked: Option<&'a TargetReport>,
    pub(super) database: Database,
    pub(super) intact: Option<bool>,
    pub(super) find_out: Vec<String>,
}

/// A release that one might go back to, with both answers.
struct Candidate<'a> {
    target: &'a TargetReport,
    database: Database,
}

impl Candidate<'_> {
    fn is_certain(&self) -> bool {
        let is_whole = self.target.restorable == Some(true);
        let Database { moved, irreversible, irreversible_unknown, .. } = &self.database;
        is_whole && *moved == Some(false) && irreversible.is_empty() && irreversible_unknown.is_empty()
    }

    fn is_possible(&self) -> bool {
        self.target.restorable != Some(false) && self.database.moved != Some(true)
    }
}

pub(super) fn answer<'a>(facts: &Facts<'a>, uses: &Uses<'_>) -> RollbackAnswer<'a> {
    let Plan { report, readiness, .. } = facts.plan;
    let targets = &report.targets;
    let from = targets.iter().find(|target| Some(&target.artifact) == readiness.from.as_ref());
    let question = facts.question(uses);
    let mut candidates: Vec<Candidate<'a>> =
        readiness.before(targets).map(|target| Candidate { target, database: question.since(target) }).collect();
    let certain = candidates.iter().position(Candidate::is_certain);
    // The same choice as the report's, of what the database leaves.
    let left = candidates.iter().map(|candidate| match candidate.is_possible() {
        true => candidate.target.restorable,
        false => Some(false),
    });
    let possible = first_choice(left);
    let (verdict, place) = match (certain, possible) {
        // Not on an order that nobody knows, nor beside releases that could not be read.
        (Some(place), _) if facts.plan.report.rollback.unknown.is_some() => (Verdict::Unknown, Some(place)),
        (Some(place), _) => (Verdict::RollBack, Some(place)),
        (None, Some(place)) => (Verdict::Unknown, Some(place)),
        (None, None) => (without(readiness.ready, &candidates), None),
    };
    let why = why(facts, verdict, from, &candidates, place);
    // Where there is nothing to go back to, the questions are answered for what would have been the first.
    let shown = place.unwrap_or(0);
    let (to, database, intact) = match candidates.get_mut(shown) {
        Some(candidate) => {
            let database = std::mem::take(&mut candidate.database);
            (place.map(|_| candidate.target), database, candidate.target.restorable)
        }
        None => (None, Database::default(), None),
    };
    let asked = candidates.get(shown).map(|candidate| candidate.target);
    let first = candidates.first().map(|candidate| candidate.target);
    let find_out = match verdict {
        Verdict::Unknown => find_out(facts, to.or(first), &database),
        Verdict::RollBack | Verdict::RollForward | Verdict::NoEarlierRelease => Vec::new(),
    };
    RollbackAnswer { verdict, why, from, to, asked, database, intact, find_out }
}

/// Nothing can be gone back to, or it cannot be known.
fn without(ready: Option<bool>, candidates: &[Candidate<'_>]) -> Verdict {
    let destructive = candidates.iter().all(|candidate| candidate.database.moved == Some(true));
    match ready {
        None if candidates.is_empty() || !destructive => Verdict::Unknown,
        _ => Verdict::RollForward,
    }
}

fn why(
    facts: &Facts<'_>,
    verdict: Verdict,
    from: Option<&TargetReport>,
    candidates: &[Candidate<'_>],
    place: Option<usize>,
) -> String {
    if let (Verdict::Unknown, Some(unknown)) = (verdict, &facts.plan.report.rollback.unknown) {
        return unknown.clone();
    }
    let Some(from) = from else {
        return match facts.plan.report.targets.is_empty() {
            true => "no production release is known here".to_owned(),
            false => "what production runs is not known".to_owned(),
        };
    };
    let Some(candidate) = place.map(|place| &candidates[place]) else {
        return why_none(facts, verdict, candidates);
    };
    let to = called(candidate.target);
    let coming = match facts.plan.readiness.rollout_state.coming.contains(&from.artifact) {
        true => format!("{} is wanted and no pod of it is ready; ", called(from)),
        false => String::new(),
    };
    // Where nothing says what runs, nothing is said to run.
    let from = match (from.running, is_wanted(from)) {
        (true, _) => called(from),
        (false, true) => format!("{}, which is wanted and does not run,", called(from)),
        (false, false) => format!("{}, the latest release,", called(from)),
    };
    let skipped = &candidates[..place.unwrap_or(0)];
    let beside = match skipped.first() {
        Some(nearer) => format!("; {} is nearer and {}", called(nearer.target), trouble(nearer)),
        None => String::new(),
    };
    match verdict {
        Verdict::RollBack => {
            format!("{coming}{to} is intact, and nothing since took from the database what it needs{beside}")
        }
        _ => {
            let unknown = match (candidate.target.restorable, candidate.database.moved) {
                (None, None) => "neither whether it is intact nor what became of the database is known",
                (None, _) => "whether it is intact could not be told",
                (Some(true), Some(false)) if candidate.database.irreversible.is_empty() => {
                    "whether a release since did what no rollback undoes could not be told"
                }
                (Some(true), Some(false)) => {
                    "what was done outside, which no rollback undoes, must be answered for first"
                }
                (_, None) if candidate.database.is_question() => "a question about the database must be answered first",
                (_, _) => "what became of the database since is not known",
            };
            format!("going back from {from} would lead to {to}, and {unknown}{beside}")
        }
    }
}

/// Why there is no release to go back to.
fn why_none(facts: &Facts<'_>, verdict: Verdict, candidates: &[Candidate<'_>]) -> String {
    match (candidates.first(), verdict) {
        (None, Verdict::Unknown) => "whether there is a release to go back to could not be told".to_owned(),
        (None, _) => {
            let left = facts.plan.readiness.went_back_from.as_ref();
            let none = match facts.plan.report.rollback.keep {
                1 => "the policy keeps one release, and so none before it",
                _ => "no earlier release is known",
            };
            match facts.plan.report.targets.iter().find(|target| Some(&target.artifact) == left) {
                Some(left) => format!("{none}; it went back from {}, which is newer", called(left)),
                None => none.to_owned(),
            }
        }
        (Some(_), Verdict::Unknown) => {
            "no release that is known can be restored, and not everything could be read".to_owned()
        }
        (Some(_), _) => lost(&facts.plan.report.targets, candidates),
    }
}

fn trouble(candidate: &Candidate<'_>) -> &'static str {
    match (candidate.target.restorable, candidate.database.moved) {
        (Some(false), _) => "cannot be restored",
        (_, Some(true)) => "does not work on today's database",
        (None, _) => "could not be read whole",
        (_, _) => "is not certain",
    }
}

/// Why none of the releases will do.
fn lost(targets: &[TargetReport], candidates: &[Candidate<'_>]) -> String {
    let contracted = candidates.iter().flat_map(|candidate| &candidate.database.steps);
    let contracted = contracted.filter(|step| step.schema == Some(SchemaChange::Contract)).map(|step| &step.artifact);
    let restorable = candidates.iter().any(|candidate| candidate.target.restorable != Some(false));
    match (restorable, contracted.into_iter().next()) {
        (true, Some(artifact)) => {
            let target = targets.iter().find(|target| target.artifact == *artifact);
            let release = target.map_or_else(|| artifact.short(), called);
            format!("the database has moved on: {release} took away what every earlier release needs")
        }
        _ => match candidates {
            [only] => format!("the one earlier release, {}, cannot be restored", called(only.target)),
            several => format!("none of the {} earlier releases can be restored", several.len()),
        },
    }
}

/// How to find out what is unknown.
fn find_out(facts: &Facts<'_>, to: Option<&TargetReport>, database: &Database) -> Vec<String> {
    let mut steps = Vec::new();
    let doubtful = |finding: &&Finding| finding.code == Code::ReleaseOrderDoubtful;
    steps.extend(facts.plan.findings.iter().find(doubtful).map(|finding| finding.remedy.clone()));
    for gap in facts.plan.report.gaps.iter().take(GAPS_SHOWN) {
        steps.push(format!("{}: {}", gap.detail, next_step(gap.cause)));
    }
    let Some(to) = to else {
        let unmatched = facts.plan.findings.iter().find(|finding| finding.code == Code::PolicyUnmatched);
        if let Some(unmatched) = unmatched.filter(|_| facts.plan.report.targets.is_empty()) {
            steps.push(format!("{}: {}", unmatched.message, unmatched.remedy));
        }
        if facts.plan.report.gaps.is_empty() {
            steps.push(
                "look into the deployment system's own log for what ran before, and whether it was kept".to_owned(),
            );
        }
        return steps;
    };
    if to.restorable.is_none() {
        let unproven = to.obstacles.iter().find_map(|obstacle| match obstacle {
            Obstacle::Unproven { detail } => Some(detail.clone()),
            _ => None,
        });
        let detail = unproven.unwrap_or_else(|| "not all of it could be read".to_owned());
        steps.push(match facts.addresses.get(&to.artifact) {
            Some(address) => format!("try to pull {address}: {detail}"),
            None => format!("try to fetch {}: {detail}", to.artifact),
        });
    }
    steps.extend(database.irreversible.iter().map(|done| {
        let target = facts.plan.report.targets.iter().find(|target| target.artifact == done.artifact);
        let release = target.map_or_else(|| done.artifact.short(), called);
        format!(
            "answer before going back: {release} did what no rollback undoes: {} (says {}). Does {} cope with that, and not do \
             it again?",
            done.effects,
            done.by.join(", "),
            called(to)
        )
    }));
    steps.extend(database.irreversible_unknown.iter().map(|release| {
        format!(
            "find out before going back whether a release since did what no rollback undoes, such as sending mail: {release}"
        )
    }));
    if database.moved.is_none() {
        steps.extend(database.questions.iter().cloned());
        steps.extend(migrations(facts, to, database));
    }
    steps
}

/// So many things that could not be read are reported with how to mend them.
const GAPS_SHOWN: usize = 3;

fn migrations(facts: &Facts<'_>, to: &TargetReport, database: &Database) -> Vec<String> {
    let targets: BTreeMap<&ArtifactId, &TargetReport> =
        facts.plan.report.targets.iter().map(|target| (&target.artifact, target)).collect();
    let silent: Vec<String> = database
        .steps
        .iter()
        .filter(|step| step.schema.is_none_or(|schema| schema == SchemaChange::Unknown))
        .filter_map(|step| targets.get(&step.artifact).map(|target| called(target)))
        .collect();
    if silent.is_empty() {
        return Vec::new();
    }
    let newest = database.steps.first().and_then(|step| commit(facts, &step.artifact));
    let compare = match (commit(facts, &to.artifact), newest) {
        (Some(old), Some(new)) => format!(", as in `git diff --stat {old} {new}`"),
        _ => String::new(),
    };
    vec![
        format!(
            "read the migrations of {} since {}{compare}: does any take away or rewrite what {} uses?",
            silent.join(", "),
            called(to),
            called(to)
        ),
        format!(
            "for the next time, say it where the release is made: {} as a label or annotation of the image or the pod \
             template (none, expand or contract), or a rule under database: in the policy",
            SchemaChange::ANNOTATION
        ),
    ]
}

pub(super) fn commit(facts: &Facts<'_>, artifact: &ArtifactId) -> Option<Commit> {
    facts.said.get(artifact)?.as_ref().ok()?.commit.clone()
}
