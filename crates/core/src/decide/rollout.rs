//! What workloads run, which side of a rollout is leaving, and which is coming: one reading of what signals show, from
//! which the report and the page about going back are both made (I31).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{ArtifactId, Deployment, Platform, Tenure, Waiting, Workload};

use super::deployments::{self, number};
use super::input::Input;
use super::labels::Labels;

/// Who runs, wants and ran what, by this run's signals.
pub(super) struct Uses<'a> {
    by_artifact: BTreeMap<ArtifactId, Vec<&'a Deployment>>,
    dangling: Vec<&'a Deployment>,
}

impl<'a> Uses<'a> {
    pub(super) fn new(input: &Input<'a>, labels: &Labels<'_>) -> Self {
        let (by_artifact, dangling) = deployments::reported(input.running, input.state, input.rules, labels);
        Self { by_artifact, dangling }
    }

    /// References to tags that do not exist.
    pub(super) fn dangling(&self) -> &[&'a Deployment] {
        &self.dangling
    }

    pub(super) fn deployments(&self, artifact: &ArtifactId) -> &[&'a Deployment] {
        self.by_artifact.get(artifact).map_or(&[], Vec::as_slice)
    }

    /// Of these, those of one workload.
    pub(super) fn at<'u>(
        &'u self,
        artifact: &ArtifactId,
        workload: &'u Workload,
    ) -> impl Iterator<Item = &'a Deployment> + 'u {
        self.deployments(artifact).iter().copied().filter(move |used| used.workload.as_deref() == Some(workload))
    }

    /// The newest state of a workload that holds an artifact, as the platform calls it.
    pub(super) fn newest_state(&self, artifact: &ArtifactId, workload: &Workload) -> Option<&'a Arc<str>> {
        let states = self.at(artifact, workload).filter_map(|used| used.revision.as_ref());
        states.max_by_key(|revision| (number(revision), *revision))
    }

    /// What workloads run now, or would start.
    pub(super) fn present(&self) -> impl Iterator<Item = (&ArtifactId, &'a Arc<Workload>, &'a Deployment)> {
        self.by_artifact.iter().flat_map(|(artifact, uses)| {
            let present = uses.iter().filter(|used| used.runs_or_is_wanted());
            present.filter_map(move |used| Some((artifact, used.workload.as_ref()?, *used)))
        })
    }

    /// Whether one release is newer than the other by the platforms' own order of revisions, at every workload that holds
    /// both. `None` where none does, or they disagree.
    pub(super) fn is_newer(&self, one: &ArtifactId, other: &ArtifactId) -> Option<bool> {
        let (one, other) = (self.introductions(one), self.introductions(other));
        let orders = one.iter().filter_map(|(place, first)| Some((place, first.cmp(other.get(*place)?))));
        // Of a release that came back, Helm may have forgotten when it first came.
        let may_forget = |place: &Workload| matches!(place.platform, Platform::Helm { .. } | Platform::Flux { .. });
        let mut orders = orders.filter(|(place, order)| order.is_gt() || !may_forget(place)).map(|(_, order)| order);
        let first = orders.next().filter(|order| order.is_ne())?;
        orders.all(|order| order == first).then_some(first.is_gt())
    }

    /// Whether, wherever a workload holds both, one is what other containers of it had while those of the other one had
    /// something else: a sidecar of the same repository is no way back from the service.
    pub(super) fn is_another_part(&self, artifact: &ArtifactId, from: &ArtifactId) -> bool {
        let mut parts: BTreeMap<&Arc<Workload>, BTreeSet<Option<&str>>> = BTreeMap::new();
        for used in self.deployments(from).iter().filter(|used| used.runs_or_is_wanted()) {
            let Some(workload) = &used.workload else { continue };
            parts.entry(workload).or_default().insert(used.container.as_deref());
        }
        let is_part = |used: &Deployment, workload: &Arc<Workload>| {
            parts.get(workload).is_some_and(|containers| containers.contains(&used.container.as_deref()))
        };
        // Where a platform does not tell its states apart, what is there and what was are two.
        let state = |used: &Deployment| match used.revision.as_deref() {
            Some(revision) => Ok(revision.to_owned()),
            None => Err(used.runs_or_is_wanted()),
        };
        let mut taken: BTreeSet<(&Arc<Workload>, Result<String, bool>)> = BTreeSet::new();
        for used in self.by_artifact.iter().filter(|(other, _)| *other != artifact).flat_map(|(_, uses)| uses) {
            if let Some(workload) = used.workload.as_ref().filter(|workload| is_part(used, workload)) {
                taken.insert((workload, state(used)));
            }
        }
        let shared = self.deployments(artifact).iter().filter_map(|used| {
            let workload = used.workload.as_ref().filter(|workload| parts.contains_key(workload))?;
            Some(!is_part(used, workload) && taken.contains(&(workload, state(used))))
        });
        let shared: Vec<bool> = shared.collect();
        !shared.is_empty() && shared.into_iter().all(|another| another)
    }

    /// At which place in the order of each workload's revisions an artifact first came.
    fn introductions(&self, artifact: &ArtifactId) -> BTreeMap<&'a Arc<Workload>, u64> {
        let mut first = BTreeMap::new();
        for used in self.deployments(artifact) {
            let Some(workload) = &used.workload else { continue };
            // A cluster gives what is gone back to a new number (E122); elsewhere an old state keeps its own.
            let own = |used: &Deployment| match workload.platform {
                Platform::Kubernetes { .. } => None,
                _ => counted(used),
            };
            let Some(introduced) = used.introduced.or_else(|| own(used)) else { continue };
            // A function's aliases go their own ways, and its versions are numbered together.
            let known = first.entry(workload).or_insert(introduced);
            *known = introduced.min(*known);
        }
        first
    }
}

/// What is on its way out, and what on its way in.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RolloutState {
    /// What every workload that runs it is replacing by something newer.
    pub(super) leaving: BTreeSet<ArtifactId>,
    /// What a workload is bringing in while something else runs there, and of which nothing runs yet.
    pub(super) coming: BTreeSet<ArtifactId>,
    /// Where what runs is being replaced, and how new the newest is there.
    newest: BTreeMap<Spot, Newness>,
}

/// How new a state of a workload is. Kubernetes, Helm and Lambda count; a rollback gives the old state the newest
/// number. ECS tells when it deployed, and a rollback deploys an old definition again.
type Newness = (Option<Timestamp>, Option<u64>);

/// What brings one release in for another: a workload, or an alias of a function.
type Spot = (Arc<Workload>, Option<Arc<str>>);

impl RolloutState {
    pub(super) fn new(uses: &Uses<'_>) -> Self {
        let mut rollout_state = Self::default();
        let mut held: BTreeMap<(Spot, &ArtifactId), Newness> = BTreeMap::new();
        let mut starting: BTreeSet<(Spot, &ArtifactId)> = BTreeSet::new();
        for (artifact, _, used) in uses.present() {
            let Some(spot) = spot(used) else { continue };
            let new = newness(used);
            match used.tenure {
                Tenure::Now { .. } => {
                    let entry = held.entry((spot.clone(), artifact)).or_insert(new);
                    *entry = (*entry).max(new);
                }
                Tenure::Wanted { why: Waiting::Starting } => {
                    starting.insert((spot.clone(), artifact));
                }
                Tenure::Wanted { .. } | Tenure::Before { .. } => continue,
            }
            let entry = rollout_state.newest.entry(spot).or_insert(new);
            *entry = (*entry).max(new);
        }
        let running: BTreeSet<&ArtifactId> = held.keys().map(|(_, artifact)| *artifact).collect();
        for artifact in &running {
            let mut spots = held.iter().filter(|((_, held), _)| held == artifact);
            if spots.all(|((spot, _), held)| rollout_state.is_behind(spot, *held)) {
                rollout_state.leaving.insert((*artifact).clone());
            }
        }
        for (spot, artifact) in starting {
            let replaces = held.keys().any(|(other, held)| *other == spot && *held != artifact);
            if replaces && !running.contains(artifact) {
                rollout_state.coming.insert(artifact.clone());
            }
        }
        rollout_state
    }

    fn is_behind(&self, spot: &Spot, held: Newness) -> bool {
        self.newest.get(spot).is_some_and(|newest| held < *newest)
    }

    /// Whether this is the side of a rollout that is leaving.
    pub(super) fn is_leaving(&self, used: &Deployment) -> bool {
        used.runs_now() && spot(used).is_some_and(|spot| self.is_behind(&spot, newness(used)))
    }
}

/// Where something runs that another release may be replacing. A function's newest code, which no alias names, replaces
/// nothing.
fn spot(used: &Deployment) -> Option<Spot> {
    let workload = used.workload.as_ref()?;
    match (&workload.platform, used.revision.as_deref()) {
        (Platform::Lambda { .. }, Some(UNPUBLISHED)) => None,
        (Platform::Lambda { .. }, _) => Some((workload.clone(), used.container.clone())),
        _ => Some((workload.clone(), None)),
    }
}

/// What Lambda calls a function's newest code.
const UNPUBLISHED: &str = "$LATEST";

fn newness(used: &Deployment) -> Newness {
    let number = counted(used);
    let by_time = used.workload.as_ref().is_some_and(|workload| matches!(workload.platform, Platform::Ecs { .. }));
    match (by_time, used.tenure) {
        (true, Tenure::Now { since }) => (since, number),
        (true, Tenure::Wanted { .. }) => (Some(Timestamp::MAX), number),
        // A template that has no number yet is newer than whatever has one.
        (false, Tenure::Wanted { .. }) => (None, number.or(Some(u64::MAX))),
        _ => (None, number),
    }
}

/// The number of a state, where its platform counts its states: a commit may be written in digits alone.
fn counted(used: &Deployment) -> Option<u64> {
    match used.workload.as_ref()?.platform {
        Platform::ArgoCd { .. } | Platform::AppRunner { .. } => None,
        // Knative's revisions have names, of anybody's choice.
        Platform::Kubernetes { .. } if is_routed(used.workload.as_ref()?) => used.introduced,
        _ => number(used.revision.as_deref()?),
    }
}

/// Whether routes decide which of a workload's revisions is production.
pub(super) fn is_routed(workload: &Workload) -> bool {
    matches!(workload.kind.as_ref(), "ksvc" | "configuration")
}
