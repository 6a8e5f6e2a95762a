//! Which pins may be made: a pin must never make anything worse (I22).
//!
//! The repository is judged with and without each pin, every artifact in it and not only the targets, at every date and
//! for every number of pushes. The pins are added one after the other, the oldest first, and each is judged against the
//! repository as the ones before it leave it. So whatever cuts a run off, what it made until then harms nobody. The price
//! is that a set which is harmless only as a whole is not made: for as long as it is half made, it would do harm.
//!
//! A pin does harm if it
//! - brings an artifact under a rule that takes it, or takes it sooner, or worse;
//! - takes a place among those that a rule counts;
//! - keeps, by saving its artifact, a place that would have become free.
//!
//! Of the last two, places of artifacts that no production rule names may be taken where the policy says so.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{ArtifactId, Digest, Due, Inspection, Pin, PinKind, PinTerms, Retention, Snapshot, Tag, Threat};

use super::lifecycle::artifact_outlook;
use super::lifecycle::effects::{ArtifactOutlook, Stirred};
use super::lifecycle::{self, Arrival, Situation};

/// A repository, and what the policy says about pins in it.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) inspections: &'a BTreeMap<ArtifactId, Inspection>,
    pub(super) arrivals: &'a [Arrival],
    pub(super) now: Timestamp,
    pub(super) terms: PinTerms,
    /// Which tags stay where they are: pins, and those that name releases. Any other may move to a newer push.
    pub(super) stays: &'a dyn Fn(&Tag) -> bool,
    /// What production rules name, targets included.
    pub(super) production: &'a dyn Fn() -> BTreeSet<ArtifactId>,
}

/// The pins that may be made, and the others.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cleared {
    /// In the order in which they are to be made.
    pub(super) pins: Vec<ArtifactId>,
    /// Why each of the others is not made.
    pub(super) refused: BTreeMap<ArtifactId, Refusal>,
}

/// Why a pin is not made.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Refusal {
    /// These would fare worse.
    Harm(Vec<Worse>),
    /// The rules that it would stand under, or what they count, are not known.
    Blind {
        /// What could not be read, for a person.
        detail: String,
    },
}

/// An artifact that would fare worse, and both its outlooks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Worse {
    pub(super) artifact: ArtifactId,
    pub(super) tags: Vec<Tag>,
    /// What takes it first as it is.
    pub(super) without: Option<Threat>,
    /// What takes it with the pin; none: that cannot be known.
    pub(super) with: Option<Threat>,
    /// Whether it loses only a place that the pinned one keeps.
    pub(super) displaced: bool,
    /// Whether no production rule names it.
    pub(super) outside: bool,
    /// Whether that is so once tags of the pinned one have moved on.
    pub(super) later: bool,
}

impl Refusal {
    /// Whether only artifacts that no production rule names would fare worse.
    pub(super) fn is_displacement(&self) -> bool {
        matches!(self, Self::Harm(worse) if worse.iter().all(|worse| worse.outside))
    }
}

/// Whether a pin may be made where the rules that it would stand under are not known. A hold is no name that a rule could
/// match, and what it is on it only keeps; a tag may be what the unread rule counts, so the policy must say so.
pub(super) fn may_pin_blind(kind: PinKind, terms: PinTerms) -> bool {
    match kind {
        PinKind::Hold => true,
        PinKind::Tag => terms.blind,
    }
}

/// The most pins that can be made without harm when they are tried in this order, beside those that are there.
pub(super) fn clear(ground: &Ground<'_>, there: &BTreeSet<ArtifactId>, wanted: &[ArtifactId]) -> Cleared {
    let mut cleared = Cleared::default();
    let mut pinned = there.clone();
    let mut left: Vec<ArtifactId> = wanted.to_vec();
    // One that was refused may be harmless once a later one is made. Until nothing changes, so that the next run finds
    // nothing more to do.
    while !left.is_empty() {
        let before = left.len();
        cleared.refused.clear();
        for artifact in std::mem::take(&mut left) {
            match harm(ground, &pinned, &artifact) {
                None => {
                    pinned.insert(artifact.clone());
                    cleared.pins.push(artifact);
                }
                Some(refusal) => {
                    cleared.refused.insert(artifact.clone(), refusal);
                    left.push(artifact);
                }
            }
        }
        if left.len() == before {
            break;
        }
    }
    cleared
}

/// What harm one more pin does: as things are, or once tags that can move have moved on. A rule that looks at its artifact
/// by such a tag lets it go then, and would not if the pin is a name to it, too. And what a rule takes as things are may be
/// saved by a tag that moves away from what stands in front of it, and not if the pinned one has come to stand there: that
/// shows once the tags of all others have moved.
fn harm(ground: &Ground<'_>, pinned: &BTreeSet<ArtifactId>, artifact: &ArtifactId) -> Option<Refusal> {
    let now = harm_in(ground, pinned, artifact);
    if now.is_some() {
        return now;
    }
    let later = |of: &dyn Fn(&Digest) -> bool| {
        let then = lifecycle::without_tags(ground.snapshot, of, ground.stays)?;
        let mut refusal = harm_in(&Ground { snapshot: &then, ..*ground }, pinned, artifact)?;
        if let Refusal::Harm(worse) = &mut refusal {
            worse.iter_mut().for_each(|worse| worse.later = true);
        }
        Some(refusal)
    };
    let its_own = later(&|image| Some(image) == artifact.digest());
    if its_own.is_some() {
        return its_own;
    }
    let taken = taken_now(ground, pinned, artifact);
    if taken.is_empty() { None } else { later(&|image| !taken.contains(image)) }
}

/// Those whose outlook one more pin can change and that rules take the next time they are carried out.
fn taken_now(ground: &Ground<'_>, pinned: &BTreeSet<ArtifactId>, artifact: &ArtifactId) -> BTreeSet<Digest> {
    let nobody = BTreeSet::new();
    let Stirred::These(concerned) =
        artifact_outlook::stirred(&ground.situation(ground.snapshot, &nobody, pinned), artifact)
    else {
        return BTreeSet::new();
    };
    let artifact_outlooks = artifact_outlook::artifact_outlooks(&ground.situation(ground.snapshot, &concerned, pinned));
    let is_taken = |outlook: &ArtifactOutlook| outlook.threats().iter().any(|threat| threat.due == Due::Now);
    let taken = artifact_outlooks.iter().filter(|(_, outlook)| is_taken(outlook));
    taken.filter_map(|(artifact, _)| artifact.digest().cloned()).collect()
}

fn harm_in(ground: &Ground<'_>, pinned: &BTreeSet<ArtifactId>, artifact: &ArtifactId) -> Option<Refusal> {
    let nobody = BTreeSet::new();
    let situation = ground.situation(ground.snapshot, &nobody, pinned);
    let concerned = match artifact_outlook::stirred(&situation, artifact) {
        Stirred::Nobody => return None,
        Stirred::Unknown { detail } => {
            let kind = artifact_outlook::kind_of_pin(&situation, artifact);
            return (!may_pin_blind(kind, ground.terms)).then_some(Refusal::Blind { detail });
        }
        Stirred::These(concerned) => concerned,
    };
    let with_it: BTreeSet<ArtifactId> = pinned.iter().chain([artifact]).cloned().collect();
    let worse = compare(
        ground,
        &ground.situation(ground.snapshot, &concerned, pinned),
        &ground.situation(ground.snapshot, &concerned, &with_it),
        &BTreeMap::new(),
    );
    let allowed = ground.terms.may_displace && worse.iter().all(|worse| worse.outside);
    (!worse.is_empty() && !allowed).then_some(Refusal::Harm(worse))
}

/// Who of those asked about, and of those who lose a place to them, fares worse in the second situation. `names` says
/// what rules of the second are called in the first, where they changed their numbers.
pub(super) fn compare(
    ground: &Ground<'_>,
    without: &Situation<'_>,
    with: &Situation<'_>,
    names: &BTreeMap<String, String>,
) -> Vec<Worse> {
    let before = artifact_outlook::artifact_outlooks(without);
    let mut after = artifact_outlook::artifact_outlooks(with);
    let known = |rule: &String| names.get(rule).cloned();
    after.values_mut().for_each(|outlook| renamed(outlook, &known));
    let names_of = Names::new(ground);
    let mut worse: Vec<Worse> = Vec::new();
    let mut stay: Vec<(ArtifactId, Threat)> = Vec::new();
    for (artifact, outlook) in &after {
        let was = before.get(artifact).unwrap_or(&ArtifactOutlook::Unknown);
        stay.extend(outlook.spared_of(was).map(|threat| (artifact.clone(), threat.clone())));
        if let Some(with) = outlook.worse_than(was) {
            worse.push(names_of.worse(artifact, was.first().cloned(), with.cloned(), false));
        }
    }
    for lost in artifact_outlook::displaced(with, &stay) {
        if !worse.iter().any(|worse| worse.artifact == lost.artifact) {
            let without = one_more_push(&lost.with);
            worse.push(names_of.worse(&lost.artifact, Some(without), Some(lost.with), true));
        }
    }
    worse
}

/// What the same rule does to whoever has one place more.
fn one_more_push(threat: &Threat) -> Threat {
    let due = match &threat.due {
        Due::AfterPushes { pushes, .. } => Due::AfterPushes { pushes: pushes + 1, around: None },
        Due::Now | Due::On(_) => Due::AfterPushes { pushes: 1, around: None },
    };
    Threat { due, ..threat.clone() }
}

fn renamed(outlook: &mut ArtifactOutlook, known: &dyn Fn(&String) -> Option<String>) {
    let ArtifactOutlook::Known(threats) = outlook else { return };
    for threat in threats {
        if let Some(was) = known(&threat.rule) {
            threat.rule = was;
        }
    }
}

/// Who fares worse because of the pins that are there: an earlier run made them, or somebody changed the rules since.
pub(super) fn done(ground: &Ground<'_>, there: &BTreeSet<ArtifactId>) -> Vec<Worse> {
    if there.is_empty() {
        return Vec::new();
    }
    let Some(bare) = lifecycle::without_pins(ground.snapshot) else { return Vec::new() };
    let nobody = BTreeSet::new();
    let mut concerned = BTreeSet::new();
    for artifact in there {
        match artifact_outlook::stirred(&ground.situation(&bare, &nobody, &nobody), artifact) {
            Stirred::These(these) => concerned.extend(these),
            Stirred::Nobody | Stirred::Unknown { .. } => {}
        }
    }
    let without = artifact_outlook::artifact_outlooks(&ground.situation(&bare, &concerned, &nobody));
    let with = artifact_outlook::artifact_outlooks(&ground.situation(ground.snapshot, &concerned, &nobody));
    let names = Names::new(ground);
    let worse = with.iter().filter_map(|(artifact, outlook)| {
        let was = without.get(artifact)?;
        let worse = outlook.worse_than(was)?;
        Some(names.worse(artifact, was.first().cloned(), worse.cloned(), false))
    });
    worse.filter(|worse| !(ground.terms.may_displace && worse.outside)).collect()
}

impl Ground<'_> {
    pub(super) fn situation<'s>(
        &'s self,
        snapshot: &'s Snapshot,
        targets: &'s BTreeSet<ArtifactId>,
        pinned: &'s BTreeSet<ArtifactId>,
    ) -> Situation<'s> {
        Situation { snapshot, targets, pinned, inspections: self.inspections, arrivals: self.arrivals, now: self.now }
    }
}

/// What artifacts are called, and whether production has to do with them; asked only where something fares worse.
struct Names<'a> {
    ground: &'a Ground<'a>,
    production: OnceCell<BTreeSet<ArtifactId>>,
}

impl<'a> Names<'a> {
    fn new(ground: &'a Ground<'a>) -> Self {
        Self { ground, production: OnceCell::new() }
    }

    fn worse(&self, artifact: &ArtifactId, without: Option<Threat>, with: Option<Threat>, displaced: bool) -> Worse {
        let production = self.production.get_or_init(|| {
            let mut named = (self.ground.production)();
            with_what_belongs_to(self.ground.snapshot, &mut named);
            named
        });
        let tags = self.ground.snapshot.tags.iter().filter(|tag| tag.target.artifact() == Some(artifact));
        let tags = tags.filter(|tag| Pin::read(&tag.name).is_none()).map(|tag| tag.name.clone()).collect();
        let outside = !production.contains(artifact);
        Worse { artifact: artifact.clone(), tags, without, with, displaced, outside, later: false }
    }
}

/// What refers to something of production is production's too; and so may be what has no tag, where production has an
/// index whose parts are not known here.
fn with_what_belongs_to(snapshot: &Snapshot, production: &mut BTreeSet<ArtifactId>) {
    let Retention::Ecr(repository) = &snapshot.retention else { return };
    let is_in =
        |production: &BTreeSet<ArtifactId>, digest: &Digest| production.contains(&ArtifactId::Manifest(digest.clone()));
    if repository.images.iter().any(|image| image.is_index && is_in(production, &image.digest)) {
        let untagged = repository.images.iter().filter(|image| image.tags.is_empty());
        production.extend(untagged.map(|image| ArtifactId::Manifest(image.digest.clone())));
    }
    loop {
        let before = production.len();
        for image in &repository.images {
            if image.subject.as_ref().is_some_and(|subject| is_in(production, subject)) {
                production.insert(ArtifactId::Manifest(image.digest.clone()));
            }
        }
        if production.len() == before {
            return;
        }
    }
}
