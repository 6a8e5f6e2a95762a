//! What runs now: one release, or both sides of a rollout, forwards or back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{ArtifactId, Platform, Running, Tenure, Workload};
use crate::report::ready::RunningNow;

use super::{Facts, Uses};

/// What runs, and what of it is on its way out.
pub(super) struct Sides {
    /// What every workload that runs it is replacing by something newer.
    pub(super) leaving: BTreeSet<ArtifactId>,
    pub(super) now: Vec<RunningNow>,
}

/// How new a state of a workload is. Kubernetes, Helm and Lambda count; a rollback gives the old state the newest
/// number. ECS tells when it deployed, and a rollback deploys an old definition again.
type Newness = (Option<Timestamp>, Option<u64>);

impl Sides {
    pub(super) fn of(facts: &Facts<'_>, uses: &Uses<'_>) -> Self {
        let mut newest: BTreeMap<Place<'_>, Newness> = BTreeMap::new();
        let mut held: BTreeMap<(Place<'_>, &ArtifactId), Newness> = BTreeMap::new();
        for (artifact, _, used) in uses.running() {
            let Some(place) = place(used) else { continue };
            let new = newness(used);
            let entry = newest.entry(place).or_insert(new);
            *entry = (*entry).max(new);
            let entry = held.entry((place, artifact)).or_insert(new);
            *entry = (*entry).max(new);
        }
        let behind = |place: Place<'_>, artifact: &ArtifactId| {
            newest.get(&place).zip(held.get(&(place, artifact))).is_some_and(|(newest, held)| held < newest)
        };
        let mut leaving = BTreeSet::new();
        for target in facts.plan.report.targets.iter().filter(|target| target.running) {
            let places: BTreeSet<Place<'_>> =
                held.keys().filter(|(_, artifact)| **artifact == target.artifact).map(|(place, _)| *place).collect();
            if !places.is_empty() && places.iter().all(|place| behind(*place, &target.artifact)) {
                leaving.insert(target.artifact.clone());
            }
        }
        let now = now(facts, uses, |artifact, used| place(used).is_some_and(|place| behind(place, artifact)));
        Self { leaving, now }
    }
}

/// What brings one release in for another: a workload, or an alias of a function.
type Place<'a> = (&'a Arc<Workload>, Option<&'a str>);

/// Where something runs that another release may be replacing. A function's newest code, which no alias names, replaces
/// nothing.
fn place(used: &Running) -> Option<Place<'_>> {
    let workload = used.workload.as_ref()?;
    match (&workload.platform, used.revision.as_deref()) {
        (Platform::Lambda { .. }, Some(UNPUBLISHED)) => None,
        (Platform::Lambda { .. }, _) => Some((workload, used.container.as_deref())),
        _ => Some((workload, None)),
    }
}

/// What Lambda calls a function's newest code.
const UNPUBLISHED: &str = "$LATEST";

fn newness(used: &Running) -> Newness {
    let number = used.revision.as_deref().and_then(number);
    let by_time = used.workload.as_ref().is_some_and(|workload| matches!(workload.platform, Platform::Ecs { .. }));
    match (by_time, used.tenure) {
        (true, Tenure::Now { since }) => (since, number),
        _ => (None, number),
    }
}

/// The number in `7` and in `arn:…:task-definition/shop-api:42`.
pub(super) fn number(revision: &str) -> Option<u64> {
    revision.rsplit(':').next()?.parse().ok()
}

/// Everything that runs, as it is told: by workload and revision, else by the ledger.
fn now(facts: &Facts<'_>, uses: &Uses<'_>, behind: impl Fn(&ArtifactId, &Running) -> bool) -> Vec<RunningNow> {
    let mut now: BTreeMap<(ArtifactId, String, Option<String>), RunningNow> = BTreeMap::new();
    for target in facts.plan.report.targets.iter().filter(|target| target.running) {
        let told = uses.of(&target.artifact).iter().filter(|used| used.runs_now());
        let seen = |via: &str| {
            let span = facts.input.state.deployments.get(&target.artifact)?.get(via)?;
            (span.until.is_none() && !span.recalled).then_some(span.from.at)
        };
        let mut by_signals = false;
        for used in told {
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
                leaving: behind(&target.artifact, used),
            };
            let known = now.entry(key).or_insert(entry);
            known.since = [known.since, since].into_iter().flatten().min();
        }
        if by_signals {
            continue;
        }
        use crate::report::document::Reason;
        for reason in &target.reasons {
            let (via, since) = match reason {
                Reason::Running { via } => (via.clone(), seen(via)),
                Reason::MovingTagNow { tag } => {
                    let history = facts.input.state.tags.get(tag).and_then(|history| history.latest());
                    (format!("tag {tag}"), history.map(|sighting| sighting.since.at))
                }
                _ => continue,
            };
            let entry = RunningNow {
                artifact: target.artifact.clone(),
                via: via.clone(),
                revision: None,
                since,
                leaving: false,
            };
            now.insert((target.artifact.clone(), via, None), entry);
        }
    }
    now.into_values().collect()
}
