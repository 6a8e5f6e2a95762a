//! Who would fare worse without a pin: the repository is judged under its live rules with it and without it (I22).
//!
//! The artifact itself is not among them. That rules may take it again is what removing its pin is for; it is said when.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::harm::{self, Ground};
use crate::decide::input::Input;
use crate::decide::lifecycle::{self, Outlook};
use crate::model::{ArtifactId, Inspection, Pin, Retention, Snapshot, Tag, Threat};

/// The repository as pins leave it one after the other.
pub(super) struct Rules<'a> {
    input: &'a Input<'a>,
    inspections: &'a BTreeMap<ArtifactId, Inspection>,
    all: BTreeSet<ArtifactId>,
}

impl<'a> Rules<'a> {
    pub(super) fn new(input: &'a Input<'a>, inspections: &'a BTreeMap<ArtifactId, Inspection>) -> Self {
        Self { input, inspections, all: lifecycle::artifacts(input.snapshot).collect() }
    }

    /// Who fares worse without this pin, where `gone` are without theirs already, as a sentence; none if nobody does.
    pub(super) fn worse(&self, gone: &BTreeSet<ArtifactId>, artifact: &ArtifactId) -> Option<String> {
        let snapshot = self.input.snapshot;
        if snapshot.retention == Retention::Unruled {
            return None;
        }
        let then: BTreeSet<ArtifactId> = gone.iter().chain([artifact]).cloned().collect();
        let (before, after) = (self.without(gone), self.without(&then));
        let nobody = BTreeSet::new();
        let ground = self.ground(&before.0, &before.1);
        let without = ground.situation(&before.0, &self.all, &nobody);
        if let Outlook::Unknown { detail } = lifecycle::outlook(&without) {
            return Some(format!("what the live lifecycle rules would do without this pin is unknown: {detail}"));
        }
        let later = self.ground(&after.0, &after.1);
        let with = later.situation(&after.0, &self.all, &nobody);
        let worse = harm::compare(&ground, &without, &with, &BTreeMap::new());
        let others: Vec<_> = worse.into_iter().filter(|worse| !then.contains(&worse.artifact)).collect();
        let allowed = self.input.pins.may_displace && others.iter().all(|worse| worse.outside);
        let first = others.first().filter(|_| !allowed)?;
        let rule = first.with.as_ref().map_or_else(String::new, |threat| format!(" by lifecycle rule {}", threat.rule));
        Some(format!("without this pin {} would be taken sooner{rule}", first.artifact.short()))
    }

    /// What would take the artifact itself once it has no pin, the soonest first.
    pub(super) fn then(&self, gone: &BTreeSet<ArtifactId>, artifact: &ArtifactId) -> Option<Threat> {
        let without: BTreeSet<ArtifactId> = gone.iter().chain([artifact]).cloned().collect();
        let (snapshot, inspections) = self.without(&without);
        let (nobody, asked) = (BTreeSet::new(), BTreeSet::from([artifact.clone()]));
        let ground = self.ground(&snapshot, &inspections);
        let outlook = lifecycle::outlook(&ground.situation(&snapshot, &asked, &nobody));
        outlook.threats(artifact).first().cloned()
    }

    fn ground<'g>(&'g self, snapshot: &'g Snapshot, inspections: &'g BTreeMap<ArtifactId, Inspection>) -> Ground<'g>
    where
        'a: 'g,
    {
        // Only asked where tags are taken to move, which is no question here.
        const STAYS: &dyn Fn(&Tag) -> bool = &|tag| Pin::read(tag).is_some();
        const PRODUCTION: &dyn Fn() -> BTreeSet<ArtifactId> = &BTreeSet::new;
        Ground {
            snapshot,
            inspections,
            arrivals: &[],
            now: self.input.now,
            terms: self.input.pins,
            stays: STAYS,
            production: PRODUCTION,
        }
    }

    /// The repository without these pins.
    fn without(&self, gone: &BTreeSet<ArtifactId>) -> (Snapshot, BTreeMap<ArtifactId, Inspection>) {
        let snapshot = lifecycle::without_pins_of(self.input.snapshot, gone);
        let mut inspections = self.inspections.clone();
        for artifact in gone {
            let object = inspections.get_mut(artifact).and_then(|seen| seen.object.as_deref_mut());
            if let Some(object) = object {
                object.lock.hold = Some(false);
            }
        }
        (snapshot, inspections)
    }
}
