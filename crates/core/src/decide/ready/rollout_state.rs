//! What runs now: one release, or both sides of a rollout, forwards or back; and what is wanted and does not run.

use std::collections::BTreeMap;

use crate::decide::readiness::is_wanted;
use crate::model::{Analysis, ArtifactId, Deployment, Tenure};
use crate::outcome::ready::{RunningNow, WantedNow};

use super::{Facts, Uses};

/// Everything that runs, as it is reported: by workload and revision, else by the ledger.
pub(super) fn now(facts: &Facts<'_>, uses: &Uses<'_>) -> Vec<RunningNow> {
    let mut now: BTreeMap<(ArtifactId, String, Option<String>), RunningNow> = BTreeMap::new();
    for target in facts.plan.report.targets.iter().filter(|target| target.running) {
        let reported = uses.deployments(&target.artifact).iter().filter(|used| used.runs_now());
        let seen = |via: &str| {
            let span = facts.input.state.deployments.get(&target.artifact)?.get(via)?;
            (span.until.is_none() && !span.recalled).then_some(span.from.at)
        };
        let mut by_signals = false;
        for used in reported {
            by_signals = true;
            let since = match used.tenure {
                Tenure::Now { since: Some(since) } => Some(since),
                _ => seen(&used.via),
            };
            let key = (target.artifact.clone(), used.via.to_string(), used.revision.as_deref().map(str::to_owned));
            let entry = RunningNow {
                artifact: target.artifact.clone(),
                via: used.via.to_string(),
                revision: key.2.clone(),
                since,
                leaving: facts.plan.readiness.rollout_state.is_leaving(used),
                deployed_by: deployed_by(facts, used),
            };
            let known = now.entry(key).or_insert(entry);
            known.since = [known.since, since].into_iter().flatten().min();
        }
        if by_signals {
            continue;
        }
        use crate::outcome::report::Reason;
        for reason in &target.reasons {
            let (via, since) = match reason {
                Reason::Running { via } => (via.clone(), seen(via)),
                Reason::MovingTagNow { tag } => {
                    let history = facts.input.state.tags.get(tag).and_then(|history| history.latest());
                    (format!("tag {tag}"), history.map(|sighting| sighting.since().at))
                }
                _ => continue,
            };
            let entry = RunningNow {
                artifact: target.artifact.clone(),
                via: via.clone(),
                revision: None,
                since,
                leaving: false,
                deployed_by: None,
            };
            now.insert((target.artifact.clone(), via, None), entry);
        }
    }
    now.into_values().collect()
}

/// Who brought it in, where the workload tells and brings nothing else.
fn deployed_by(facts: &Facts<'_>, used: &Deployment) -> Option<String> {
    let Tenure::Now { since } = used.tenure else { return None };
    let control = used.control.as_ref().filter(|_| !facts.plan.readiness.rollout_state.is_leaving(used))?;
    control.brought_by(since).map(|writer| writer.manager.to_string())
}

/// Everything that is wanted and of which nothing runs.
pub(super) fn wanted(facts: &Facts<'_>, uses: &Uses<'_>) -> Vec<WantedNow> {
    let mut wanted = Vec::new();
    for target in facts.plan.report.targets.iter().filter(|target| is_wanted(target)) {
        let before = wanted.len();
        for used in uses.deployments(&target.artifact) {
            let Tenure::Wanted { why } = used.tenure else { continue };
            wanted.push(WantedNow {
                artifact: target.artifact.clone(),
                via: used.via.to_string(),
                revision: used.revision.as_deref().map(str::to_owned),
                why: Some(why),
                analysis: analysis(used),
            });
        }
        if wanted.len() > before {
            continue;
        }
        // By the ledger alone: this run could not read who wants it.
        use crate::outcome::report::Reason;
        wanted.extend(target.reasons.iter().filter_map(|reason| match reason {
            Reason::Wanted { via } => {
                let artifact = target.artifact.clone();
                Some(WantedNow { artifact, via: via.clone(), revision: None, why: None, analysis: None })
            }
            _ => None,
        }));
    }
    wanted.sort();
    wanted.dedup();
    wanted
}

/// How the analysis of what it would start ended.
fn analysis(used: &Deployment) -> Option<String> {
    let delivery = used.control.as_ref()?.delivery.as_ref()?;
    delivery.analysis.as_ref().map(Analysis::sentence)
}
