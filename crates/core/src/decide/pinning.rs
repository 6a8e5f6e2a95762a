//! The pins of one repository: those that are there, those that may be made, and the rule that is put in front first
//! where the policy lets prodpin do that.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{
    ArtifactId, Cause, DeployedReference, Inspection, LifecycleChange, Pin, PinFailure, PinState, Presence, Retention,
    Setting, Snapshot, Tag,
};

use super::cover;
use super::facts::Facts;
use super::harm::{self, Cleared, Ground, Refusal, Worse};
use super::input::Input;
use super::lifecycle::{self, Arrival};
use super::protection::is_pinnable;
use super::rollback_set::Target;

/// What is to become of the pins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pinning {
    /// Targets whose pin was read.
    pub(super) there: BTreeSet<ArtifactId>,
    /// The others that could be pinned.
    pub(super) cleared: Cleared,
    /// Who fares worse because of pins that are there.
    pub(super) done: Vec<Worse>,
    /// Rules to be put in the place of the live ones before any pin is made.
    pub(super) claim: Option<LifecycleChange>,
    /// Why such rules are not put there although the policy asks for it.
    pub(super) unclaimed: Option<Unclaimed>,
    /// What would make the refused pins harmless.
    pub(super) mending: Mending,
}

/// Why no rule that claims pins is put in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unclaimed {
    pub(super) why: String,
    /// Whether the next run may well do it.
    pub(super) passing: bool,
}

/// What would make refused pins harmless, as tried in the simulation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mending {
    /// A rule in front that claims pins.
    pub(super) claim: bool,
    /// With that, some of them still do harm, so places are needed or the policy's word.
    pub(super) places: bool,
}

impl Pinning {
    pub(super) fn new(input: &Facts<'_>, targets: &[Target], arrivals: &[Arrival]) -> Self {
        let (there, wanted) = conditions(input, targets);
        let production = || of_production(input, targets);
        let stays = |tag: &Tag| Pin::read(tag).is_some() || input.rules.is_release(input.labels().label(tag));
        let ground = Ground {
            snapshot: input.snapshot,
            inspections: input.inspections,
            arrivals,
            now: input.now,
            terms: input.pins,
            stays: &stays,
            production: &production,
        };
        let useful = !there.is_empty() || !wanted.is_empty();
        let (claim, unclaimed) = match useful.then(|| claim(input, &ground, &there)).flatten() {
            Some(Ok(change)) => (Some(change), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        let changed = claim.as_ref().and_then(|change| lifecycle::under(input.snapshot, &change.to));
        let then = Ground { snapshot: changed.as_ref().unwrap_or(input.snapshot), ..ground };
        let cleared = harm::clear(&then, &there, &wanted);
        let done = harm::done(&Ground { snapshot: input.snapshot, ..then }, &there);
        let mending = mending(&then, &there, &wanted, &cleared);
        Self { there, cleared, done, claim, unclaimed, mending }
    }
}

/// What is pinned, and what could be, in the order in which it is to be: the oldest target first, each after the manifests
/// below it and before what is attached to it (I26). What several targets share is pinned once.
fn conditions(input: &Facts<'_>, targets: &[Target]) -> (BTreeSet<ArtifactId>, Vec<ArtifactId>) {
    let (mut there, mut open) = (BTreeSet::new(), Vec::new());
    let keeping = cover::keeping(input.snapshot, input.pins);
    for target in targets {
        let Some(inspection) = input.inspections.get(&target.artifact) else { continue };
        let pinned = inspection.pin == PinState::Present;
        if pinned {
            there.insert(target.artifact.clone());
        }
        let present = inspection.parts.all().filter(|part| part.pin == PinState::Present);
        there.extend(present.map(|part| ArtifactId::Manifest(part.digest.clone())));
        if !input.snapshot.cleanup.withholds_pins()
            && (pinned || can_be_pinned(inspection, input.attempts.get(&target.artifact)))
        {
            open.push(target.artifact.clone());
        }
    }
    let mut wanted = Vec::new();
    let mut named = BTreeSet::new();
    for artifact in oldest_first(input.snapshot, open) {
        let Some(inspection) = input.inspections.get(&artifact) else { continue };
        let (below, attached) = cover::wanted(keeping, inspection, input.attempts);
        let own = (!there.contains(&artifact)).then_some(artifact);
        let all = below.into_iter().chain(own).chain(attached);
        wanted.extend(all.filter(|artifact| !there.contains(artifact) && named.insert(artifact.clone())));
    }
    (there, wanted)
}

impl Pinning {
    /// What is pinned once every pin is made that may be.
    pub(super) fn made(&self) -> BTreeSet<ArtifactId> {
        self.there.iter().chain(&self.cleared.pins).cloned().collect()
    }
}

/// Whether the next run that may pin would pin it, if that does no harm. One that was tried and cannot be read back is
/// judged as what it is.
fn can_be_pinned(inspection: &Inspection, attempt: Option<&Result<(), PinFailure>>) -> bool {
    attempt.is_none() && inspection.presence == Presence::Present && is_pinnable(inspection)
}

/// A pin is a push to registries that order by it, so the newest release is to be pinned last (J42, F126); and of a key's
/// versions the older needs its hold first, for a newer one that stays may cost it its place. Targets come most recent
/// first, which decides where not all times are known.
fn oldest_first(snapshot: &Snapshot, mut wanted: Vec<ArtifactId>) -> Vec<ArtifactId> {
    wanted.reverse();
    let mut pushed: BTreeMap<&ArtifactId, Timestamp> = BTreeMap::new();
    for tag in snapshot.tags.iter().filter(|tag| Pin::read(&tag.name).is_none()) {
        if let (Some(artifact), Some(at)) = (tag.target.artifact(), tag.pushed.as_deref().copied()) {
            pushed.entry(artifact).and_modify(|first| *first = at.min(*first)).or_insert(at);
        }
        let versions = tag.object.iter().flat_map(|object| &object.versions);
        pushed.extend(versions.map(|version| (&version.artifact, version.modified)));
    }
    if wanted.iter().all(|artifact| pushed.contains_key(artifact)) {
        wanted.sort_by_key(|artifact| pushed.get(artifact).copied());
    }
    wanted
}

/// Every artifact that a production rule names, or named, or that carries a pin.
fn of_production(input: &Facts<'_>, targets: &[Target]) -> BTreeSet<ArtifactId> {
    let called = input.labels();
    let named = |tag: &Tag, label: &str| {
        let runs =
            |reference: &DeployedReference| matches!(reference, DeployedReference::Tag(running) if running == tag);
        input.rules.is_release(label)
            || input.rules.is_moving_tag(tag, label)
            || Pin::read(tag).is_some()
            || input.running.iter().any(|running| runs(&running.reference))
    };
    let listed = input.snapshot.tags.iter().filter(|tag| named(&tag.name, tag.label()));
    let listed = listed.filter_map(|tag| tag.target.artifact());
    let known = input.state.tags.iter().filter(|(tag, _)| named(tag, called.label(tag)));
    let known = known.flat_map(|(_, history)| history.sightings().iter().map(|sighting| &sighting.artifact));
    let running = input.running.iter().filter_map(|running| match &running.reference {
        DeployedReference::Artifact(artifact) => Some(artifact),
        DeployedReference::Tag(_) => None,
    });
    let ranked = input.selection.artifacts();
    let targets = targets.iter().map(|target| &target.artifact);
    listed.chain(known).chain(running).chain(ranked).chain(targets).cloned().collect()
}

/// The rules with one in front that claims pins, if the policy lets prodpin put them there and they harm nobody; none if
/// there is nothing to do.
fn claim(
    input: &Input<'_>,
    ground: &Ground<'_>,
    there: &BTreeSet<ArtifactId>,
) -> Option<Result<LifecycleChange, Unclaimed>> {
    let Retention::Ecr(repository) = &input.snapshot.retention else { return None };
    let Setting::Text(live) = &repository.lifecycle else { return None };
    if !repository.manages_lifecycle || !input.snapshot.listing_is_complete() {
        return None;
    }
    if let Some(Err(failure)) = input.claim {
        let passing = matches!(
            failure.cause,
            Cause::Refused | Cause::Throttled | Cause::Unreachable | Cause::ServerError | Cause::TimedOut
        );
        return Some(Err(Unclaimed { why: failure.detail.clone(), passing }));
    }
    let lasting = |why: String| Some(Err(Unclaimed { why, passing: false }));
    let to = match lifecycle::claimed(input.snapshot)? {
        Ok(to) => to,
        Err(why) => return lasting(why),
    };
    if *to == **live {
        return None;
    }
    let changed = lifecycle::under(input.snapshot, &to)?;
    let all: BTreeSet<ArtifactId> = lifecycle::artifacts(input.snapshot).collect();
    let names = lifecycle::renumbered(input.snapshot, &changed);
    let without = ground.situation(input.snapshot, &all, there);
    let worse = harm::compare(ground, &without, &ground.situation(&changed, &all, there), &names);
    let allowed = ground.terms.may_displace && worse.iter().all(|worse| worse.outside);
    match worse.first().filter(|_| !allowed) {
        Some(first) => {
            lasting(format!("with the claim rule in front, {} would be taken sooner than now", first.artifact.short()))
        }
        None => Some(Ok(LifecycleChange { from: live.clone(), to: to.into() })),
    }
}

/// What would make the refused pins harmless: tried, not guessed.
fn mending(ground: &Ground<'_>, there: &BTreeSet<ArtifactId>, wanted: &[ArtifactId], cleared: &Cleared) -> Mending {
    if !cleared.refused.values().any(|refusal| matches!(refusal, Refusal::Harm(_))) {
        return Mending::default();
    }
    let recommended = lifecycle::recommend(ground.snapshot).ok();
    let live = match &ground.snapshot.retention {
        Retention::Ecr(repository) => &repository.lifecycle,
        Retention::Gar(repository) => &repository.policies,
        Retention::Unruled
        | Retention::Bucket(_)
        | Retention::Harbor(_)
        | Retention::Acr(_)
        | Retention::GitLab(_)
        | Retention::Quay(_)
        | Retention::Zot(_) => {
            return Mending { claim: false, places: true };
        }
    };
    let differs = |text: &String| !matches!(live, Setting::Text(live) if **live == **text);
    let Some(changed) = recommended.filter(differs).and_then(|text| lifecycle::under(ground.snapshot, &text)) else {
        return Mending { claim: false, places: true };
    };
    let claimed = harm::clear(&Ground { snapshot: &changed, ..*ground }, there, wanted);
    Mending { claim: claimed.refused.len() < cleared.refused.len(), places: !claimed.refused.is_empty() }
}
