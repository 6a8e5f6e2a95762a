//! One repository's row of the forecast.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::decide::cleanup;
use crate::decide::collision;
use crate::decide::draft::Draft;
use crate::decide::input::Input;
use crate::decide::lifecycle::{Outlook, Situation, artifacts, is_due, severity, toll};
use crate::decide::plan::Plan;
use crate::decide::replication;
use crate::model::{Advice, AdviceKind, ArtifactId, Effect, ObservedTag, Retention, Threat};
use crate::outcome::forecast::{OthersForecast, RepositoryForecast, RulesFound, TargetForecast, TargetOutlook};
use crate::outcome::report::TargetReport;

/// What the rules will do to a repository that has been planned. `tried` says that others stand in the place of the
/// live ones.
#[must_use]
pub fn row(input: &Input<'_>, plan: &Plan, as_of: Option<Timestamp>, tried: bool) -> RepositoryForecast {
    let rules = match plan.outlooks.live() {
        Outlook::Unruled => match cleanup::unread(&input.snapshot.cleanup) {
            Some(detail) => RulesFound::Unknown { detail },
            None => RulesFound::NoneReadable,
        },
        Outlook::NoneSet => RulesFound::NoneSet,
        Outlook::Unknown { detail } => RulesFound::Unknown { detail: detail.clone() },
        Outlook::Known(_) if tried => RulesFound::Tried,
        Outlook::Known(_) => RulesFound::Live,
    };
    let known = !matches!(plan.outlooks.live(), Outlook::Unknown { .. });
    let unseen = matches!(plan.outlooks.live(), Outlook::Known(known) if !known.unseen.is_empty());
    RepositoryForecast {
        source: input.key.source.clone(),
        name: input.key.name.clone(),
        complete: plan.report.complete && known && !unseen,
        gaps: plan.report.gaps.clone(),
        rules,
        targets: plan.report.targets.iter().map(|target| of_target(input, plan, target, as_of)).collect(),
        others: others(input, plan, as_of),
        advice: advice(input, plan),
        preview: None,
    }
}

/// What is wrong with the rules themselves, and what else reaches the repository.
fn advice(input: &Input<'_>, plan: &Plan) -> Vec<Advice> {
    let rules = plan.outlooks.advice().iter().map(|advice| exact(Draft::new(input), advice));
    let others = match &input.snapshot.retention {
        Retention::Harbor(harbor) => {
            let listed: Vec<&ObservedTag> = input.snapshot.tags.iter().collect();
            replication::advice(harbor, input.rules, &listed, !plan.report.targets.is_empty())
        }
        Retention::Unruled
        | Retention::Ecr(_)
        | Retention::Bucket(_)
        | Retention::Acr(_)
        | Retention::GitLab(_)
        | Retention::Zot(_)
        | Retention::Gar(_)
        | Retention::Quay(_) => Vec::new(),
    };
    rules.chain(others).collect()
}

/// Advice with the command that follows it.
fn exact(draft: Draft<'_>, advice: &Advice) -> Advice {
    match advice.kind {
        AdviceKind::PinsIneffective => Advice { remedy: collision::mend(draft, advice), ..advice.clone() },
        AdviceKind::DoubtfulRule | AdviceKind::Replication => advice.clone(),
    }
}

fn of_target(input: &Input<'_>, plan: &Plan, target: &TargetReport, as_of: Option<Timestamp>) -> TargetForecast {
    let threats = plan.outlooks.threats(&target.artifact).to_vec();
    let unless_pinned = plan.outlooks.unless_pinned(&target.artifact).cloned();
    let draft = Draft::new(input);
    let remedy = match (threats.is_empty(), &unless_pinned) {
        (false, _) => Some(collision::remedy(draft, &plan.outlooks)),
        (true, Some(_)) => Some("pin it: run `prodpin enforce`".to_owned()),
        (true, None) => None,
    };
    let known = match plan.outlooks.live() {
        Outlook::Unruled | Outlook::Unknown { .. } => false,
        Outlook::NoneSet => true,
        Outlook::Known(known) => !known.unseen.contains(&target.artifact),
    };
    let outlook = as_of.map(|at| match known {
        true => outlook(&threats, unless_pinned.as_ref(), input.now, at),
        false => TargetOutlook::Unknown,
    });
    TargetForecast {
        severity: threats.iter().chain(&unless_pinned).map(|threat| severity(threat, input.now)).max(),
        target: target.clone(),
        threats,
        unless_pinned,
        outlook,
        remedy,
    }
}

fn outlook(threats: &[Threat], unless_pinned: Option<&Threat>, now: Timestamp, at: Timestamp) -> TargetOutlook {
    let due = |threat: &&Threat| is_due(threat, now, at);
    let effects: BTreeSet<Effect> = threats.iter().filter(due).map(|threat| threat.effect).collect();
    match effects.first() {
        // What lies in an archive and is hidden there is gone for whoever asks by name.
        Some(Effect::Deletes | Effect::Hides) => TargetOutlook::Gone,
        Some(Effect::Archives) if effects.contains(&Effect::Hides) => TargetOutlook::Gone,
        Some(Effect::Archives) => TargetOutlook::Archived,
        None if unless_pinned.as_ref().is_some_and(due) => TargetOutlook::LostUnlessPinned,
        None => TargetOutlook::Stays,
    }
}

fn others(input: &Input<'_>, plan: &Plan, as_of: Option<Timestamp>) -> Option<OthersForecast> {
    let targets: BTreeSet<ArtifactId> = plan.report.targets.iter().map(|target| target.artifact.clone()).collect();
    let situation = Situation {
        snapshot: input.snapshot,
        targets: &targets,
        pinned: &plan.outlooks.pinning.made(),
        inspections: input.inspections,
        arrivals: &[],
        now: input.now,
    };
    Some(OthersForecast {
        artifacts: artifacts(input.snapshot).filter(|artifact| !targets.contains(artifact)).count() as u64,
        now: toll(&situation, input.now)?,
        by_then: as_of.and_then(|at| toll(&situation, at)),
    })
}
