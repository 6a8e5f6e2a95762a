//! What production runs, what it can go back to, and whether it can: decided once. The report, its exports and the page
//! about going back all show this decision (I31); the page adds what is known of the database.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ArtifactId, Gap, Scope, Tag};
use crate::outcome::report::{Reason, Rollback, TargetReport};

use super::facts::Facts;
use super::input::Input;
use super::naming::{Family, Reading};
use super::order::Version;
use super::rollout::{RolloutState, Uses};
use super::seen_order;

/// The decision on one repository.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Readiness {
    /// What production runs, as far as known; where nothing says what runs, the latest release.
    pub(super) current: Option<ArtifactId>,
    /// What to go back from.
    pub(super) from: Option<ArtifactId>,
    /// What one could go back to, in the order in which it should be tried, whether it can be restored or not.
    pub(super) before: Vec<ArtifactId>,
    /// A newer release that production went back from.
    pub(super) went_back_from: Option<ArtifactId>,
    /// Which of what runs is leaving, and what is coming.
    pub(super) rollout_state: RolloutState,
    /// Whether it can be gone back, as far as it was asked.
    pub(super) ready: Option<bool>,
    /// Why that is not known, and how to make it known, where one sentence says it.
    pub(super) unknown: Option<String>,
    /// Of what one could go back to, what does not work on today's database.
    pub(super) ruled_out: Vec<ArtifactId>,
    /// What took from the database what every way back needs.
    pub(super) contracted: Option<ArtifactId>,
}

impl Readiness {
    /// The decision as the report has it. What is offered is the first that is known to be whole, else, while that is
    /// not known of it, the first that may be.
    pub(super) fn rollback(&self, targets: &[TargetReport], keep: u32) -> Rollback {
        let before: Vec<&TargetReport> = self.before(targets).collect();
        let depth = before.iter().filter(|target| target.restorable == Some(true)).count();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        // What is ruled out by the database may be intact all the same.
        let intact = match (&self.contracted, self.ready) {
            (Some(_), _) => first_choice(before.iter().map(|target| target.restorable))
                .map_or(Some(false), |at| before[at].restorable),
            (None, Some(false)) if before.is_empty() => None,
            (None, ready) => ready,
        };
        Rollback {
            status: None,
            intact,
            protected: None,
            ready: self.ready.filter(|ready| !ready),
            current: self.current.clone(),
            from: self.from.clone(),
            went_back_from: self.went_back_from.clone(),
            to: first_choice(before.iter().map(|target| match self.ruled_out.contains(&target.artifact) {
                true => Some(false),
                false => target.restorable,
            }))
            .map(|at| before[at].artifact.clone()),
            depth: count(depth),
            earlier: Some(count(before.len())),
            keep,
            unknown: self.unknown.clone(),
            contracted: self.contracted.clone(),
        }
    }

    /// What one could go back to, as targets.
    pub(super) fn before<'t>(&self, targets: &'t [TargetReport]) -> impl Iterator<Item = &'t TargetReport> {
        self.before.iter().filter_map(|artifact| targets.iter().find(|target| target.artifact == *artifact))
    }
}

/// Which release to go back to, by whether each can be restored: the first that can, else the first that perhaps can.
pub(super) fn first_choice(restorable: impl Iterator<Item = Option<bool>> + Clone) -> Option<usize> {
    let mut all = restorable.clone();
    all.position(|whole| whole == Some(true)).or_else(|| restorable.clone().position(|whole| whole.is_none()))
}

/// Decides, on the judged targets in their order: most recent first. `gaps` are what could not be read.
pub(super) fn decide(input: &Facts<'_>, targets: &[TargetReport], gaps: &[Gap]) -> Readiness {
    let uses = input.uses();
    let rollout_state = RolloutState::new(uses);
    let order = Order { input, uses };
    let running = order
        .newest(targets.iter().filter(|target| target.running && !rollout_state.leaving.contains(&target.artifact)))
        .or_else(|| targets.iter().find(|target| target.running));
    let coming = targets.iter().find(|target| rollout_state.coming.contains(&target.artifact));
    let wanted = targets.iter().find(|target| is_wanted(target));
    let ranked = || targets.iter().find(|target| target.rank.is_some());
    let current = running.or_else(|| if wanted.is_some() { None } else { ranked() });
    let from = coming.or(running).or(wanted).or_else(ranked);
    let before: Vec<&TargetReport> = match from {
        Some(from) => before(&order, &rollout_state, targets, from),
        None => Vec::new(),
    };
    let newer = |target: &&TargetReport| from.is_some_and(|from| is_proven(target) && order.is_newer(target, from));
    let went_back_from = targets.iter().find(newer).map(|target| target.artifact.clone());
    let ready = verdict(&order, targets, from, &before, gaps);
    Readiness {
        current: current.map(|target| target.artifact.clone()),
        from: from.map(|target| target.artifact.clone()),
        before: before.into_iter().map(|target| target.artifact.clone()).collect(),
        went_back_from,
        rollout_state,
        ready,
        unknown: None,
        ruled_out: Vec::new(),
        contracted: None,
    }
}

/// What one could go back to from a release. The side of a rollout that is leaving ran here a minute ago, and what other
/// workloads run proves itself there: they come before whatever no longer runs.
fn before<'t>(
    order: &Order<'_, '_>,
    rollout_state: &RolloutState,
    targets: &'t [TargetReport],
    from: &TargetReport,
) -> Vec<&'t TargetReport> {
    let (leaving, beside): (Vec<_>, Vec<_>) = targets
        .iter()
        .filter(|target| target.running)
        .partition(|target| rollout_state.leaving.contains(&target.artifact));
    let candidates = leaving.into_iter().chain(beside).chain(earlier(targets, from));
    let fit = |target: &&TargetReport| {
        target.artifact != from.artifact
            && !order.is_newer(target, from)
            && !order.uses.is_another_part(&target.artifact, &from.artifact)
    };
    candidates.filter(fit).collect()
}

/// Releases that ran earlier than another one and run no more, most recent first.
fn earlier<'t>(targets: &'t [TargetReport], from: &TargetReport) -> impl Iterator<Item = &'t TargetReport> {
    let place = targets.iter().position(|target| target.running || target.artifact == from.artifact);
    let elsewhere = targets.iter().any(|target| !target.running && is_proven(target));
    let known = is_proven(from) || is_wanted(from);
    targets.iter().enumerate().filter_map(move |(at, target)| {
        // Bytes that only arrived by moving a release tag are nothing to fall back to, nor is what never ran.
        let released = target.reasons.iter().any(|reason| {
            !matches!(reason, Reason::MovedIn { .. } | Reason::Wanted { .. } | Reason::WantedBefore { .. })
        });
        // A release that nothing says ran may be newer than what runs: where something tells what ran, only that
        // counts, and else only what is older by its version.
        let is_earlier = match known {
            _ if is_proven(target) => true,
            true => !elsewhere && is_older(target, from),
            false => true,
        };
        let follows = place.is_none_or(|place| at > place);
        (released && is_earlier && target.rank.is_some() && !target.running && follows).then_some(target)
    })
}

/// Whether it can be gone back. Unknown is never a no: what was not read may hold the release to go back to.
fn verdict(
    order: &Order<'_, '_>,
    targets: &[TargetReport],
    from: Option<&TargetReport>,
    before: &[&TargetReport],
    gaps: &[Gap],
) -> Option<bool> {
    if before.iter().any(|target| target.restorable == Some(true)) {
        return Some(true);
    }
    if targets.is_empty() || before.iter().any(|target| target.restorable.is_none()) || leaves_releases_unread(gaps) {
        return None;
    }
    // Something could be deployed, and nothing tells whether it is a way back.
    let known: BTreeSet<&ArtifactId> = before.iter().map(|target| &target.artifact).collect();
    let Some(from) = from.filter(|from| is_proven(from) || is_wanted(from)) else { return Some(false) };
    let unexplained = |target: &&TargetReport| {
        !target.running
            && target.restorable == Some(true)
            && target.artifact != from.artifact
            && !known.contains(&target.artifact)
            && !order.uses.is_another_part(&target.artifact, &from.artifact)
            && !is_wanted(target)
            && !order.is_newer(target, from)
    };
    if targets.iter().any(|target| unexplained(&target)) { None } else { Some(false) }
}

/// Whether what could not be read may hold a release.
pub(super) fn leaves_releases_unread(gaps: &[Gap]) -> bool {
    gaps.iter().any(|gap| matches!(gap.scope, Scope::Source | Scope::Repository | Scope::Tag(_) | Scope::Signal(_)))
}

/// Which of two releases came first.
struct Order<'o, 'i> {
    input: &'o Input<'i>,
    uses: &'o Uses<'i>,
}

impl Order<'_, '_> {
    /// Of what runs side by side the one that none of the others is newer than. Where workloads of one service run different
    /// releases, that is what to go back from, whichever was deployed last: a workload that was rolled back shows where to.
    fn newest<'t>(&self, running: impl Iterator<Item = &'t TargetReport> + Clone) -> Option<&'t TargetReport> {
        let is_newer = |other: &TargetReport, than: &TargetReport| {
            self.is_newer(other, than) && !self.uses.is_another_part(&other.artifact, &than.artifact)
        };
        let newest = running.clone().find(|target| !running.clone().any(|other| is_newer(other, target)));
        // Where places disagree, the order of the targets decides.
        newest.or_else(|| running.clone().next())
    }

    /// Whether a release came after another one: what platforms or the ledger show of it, else, where both ran, the
    /// versions in their tags. Either is enough: what production went back from is not offered again.
    fn is_newer(&self, target: &TargetReport, than: &TargetReport) -> bool {
        let by_platform = self.uses.is_newer(&target.artifact, &than.artifact);
        let by_ledger = seen_order::is_newer(self.input.state, &target.artifact, &than.artifact);
        match (by_platform, by_ledger) {
            (None, None) => is_proven(target) && is_proven(than) && is_higher_version(target, than),
            (platform, ledger) => platform == Some(true) || ledger == Some(true),
        }
    }
}

/// Whether something says that production ran it, rather than that its tag looks like a release.
pub(super) fn is_proven(target: &TargetReport) -> bool {
    target.reasons.iter().any(Reason::says_that_it_ran)
}

/// Whether something would start it, and nothing of it runs.
pub(super) fn is_wanted(target: &TargetReport) -> bool {
    !target.running && target.reasons.iter().any(|reason| matches!(reason, Reason::Wanted { .. }))
}

/// Whether something says what production runs now.
pub(super) fn says_what_runs(targets: &[TargetReport]) -> bool {
    targets.iter().any(|target| target.running && is_proven(target))
}

/// Whether a release's tags name a higher version than another's; not, where either names none.
fn is_higher_version(target: &TargetReport, than: &TargetReport) -> bool {
    by_names(target.references.iter(), than.references.iter()) == Some(Ordering::Greater)
}

/// Whether a release is older than another by the versions in their tags; not, where either has none.
fn is_older(target: &TargetReport, than: &TargetReport) -> bool {
    fn tags(target: &TargetReport) -> impl Iterator<Item = &Tag> {
        target.reasons.iter().filter_map(|reason| match reason {
            Reason::ReleaseTag { tag } | Reason::ReleasedAs { tag } => Some(tag),
            _ => None,
        })
    }
    by_names(tags(target), tags(than)) == Some(Ordering::Less)
}

/// How two releases stand by their names. Only names of one family are in an order, and where a release has names of several,
/// all that both have must say the same.
fn by_names<'t>(this: impl Iterator<Item = &'t Tag>, that: impl Iterator<Item = &'t Tag>) -> Option<Ordering> {
    fn highest<'t>(tags: impl Iterator<Item = &'t Tag>) -> BTreeMap<Family, Version> {
        let mut highest = BTreeMap::<Family, Version>::new();
        for Reading { family, version, .. } in tags.filter_map(|tag| Reading::parse(tag.as_str())) {
            match highest.get_mut(&family) {
                Some(known) if *known >= version => {}
                _ => _ = highest.insert(family, version),
            }
        }
        highest
    }
    let that = highest(that);
    let orders: BTreeSet<Ordering> =
        highest(this).iter().filter_map(|(family, version)| Some(version.cmp(that.get(family)?))).collect();
    let mut orders = orders.into_iter();
    orders.next().filter(|_| orders.next().is_none())
}

impl Reason {
    /// Whether it says that production ran the artifact, rather than that its tag looks like a release.
    fn says_that_it_ran(&self) -> bool {
        match self {
            Self::MovingTagNow { .. }
            | Self::MovingTagBefore { .. }
            | Self::Running { .. }
            | Self::RanBefore { .. } => true,
            Self::ReleaseTag { .. }
            | Self::ReleasedAs { .. }
            | Self::MovedIn { .. }
            | Self::Wanted { .. }
            | Self::WantedBefore { .. } => false,
        }
    }
}
