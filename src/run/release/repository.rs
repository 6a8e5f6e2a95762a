//! One repository's pins: looked at, and decided about. Nothing is changed here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;

use crate::decide::release::{self, EarlierRun, LastReference, Question, Verdict};
use crate::decide::{self, Attempts};
use crate::model::{ArtifactId, Cause, Event, Gap, Inspection, RepositoryKey, Resolution, Scope, Tag};
use crate::outcome::release::{PinRelease, ReleaseState, RepositoryRelease};
use crate::sources::Inventory;

use super::super::RunError;
use super::super::repository::{RepositoryScan, look};
use super::super::setup::Setup;
use super::bytes;

/// One repository, and what is asked about its pins.
pub(super) struct Asking<'a> {
    pub(super) setup: &'a Arc<Setup>,
    pub(super) key: &'a RepositoryKey,
    pub(super) grace: SignedDuration,
    /// Whether prodpin is being given up here.
    pub(super) leaving: bool,
    pub(super) earlier: Vec<EarlierRun>,
    /// What the run could not read elsewhere.
    pub(super) gaps: &'a [Gap],
}

/// What was seen and decided.
pub(super) struct Decided {
    pub(super) scan: RepositoryScan,
    /// Closer looks at what has a pin that may go.
    pub(super) looks: BTreeMap<ArtifactId, Inspection>,
    /// The rollback targets.
    pub(super) targets: Vec<ArtifactId>,
    pub(super) said: RepositoryRelease,
    /// What the closer looks are evidence of, to be put on record where anything is.
    pub(super) gone: Vec<Event>,
}

impl Asking<'_> {
    pub(super) async fn decide(&self) -> Result<Decided, RunError> {
        let Self { setup, key, .. } = self;
        let inventory = setup.source(key).inventory.as_ref();
        // Looked at anew: every target is read back right before any pin goes (I2).
        let scan = look(setup, inventory, (*key).clone()).await?;
        let untried = Attempts::new();
        let input = scan.input(setup, &untried);
        let plan = decide::plan(&input);
        let state = input.state;
        let pins = if self.leaving { release::every_pin(&input) } else { plan.unneeded.clone() };
        // Of what was released before the parts may still be pinned.
        let asked: BTreeSet<&ArtifactId> = pins.iter().chain(state.released.keys()).collect();
        let looks = scan.look_closely(inventory, asked.into_iter().cloned().collect()).await;
        let read = self.permanent_tags(&scan, inventory, &pins).await;
        let before = setup.ledger.settings(&key.source);
        let before = before.as_ref().map(|(_, facts)| facts);
        let removal = release::removal(inventory.pin_removal(&key.name).await, &input.snapshot.cleanup, before);
        let mut gaps = self.gaps.to_vec();
        gaps.extend(self.of_ledger());
        let question = Question {
            input: &input,
            plan: &plan,
            grace: self.grace,
            earlier: &self.earlier,
            newest: setup.ledger.newest(),
            gaps: &gaps,
            looks: &looks,
            read: &read,
            removal: &removal,
            leaving: self.leaving,
        };
        let verdicts = release::decide(&question);
        let targets: Vec<ArtifactId> = plan.report.targets.iter().map(|target| target.artifact.clone()).collect();
        let unique = bytes::unique(inventory, &key.name, input.snapshot, &pins, &targets).await;
        let rows = verdicts.iter().map(|verdict| row(verdict, &unique)).collect();
        let said = RepositoryRelease {
            source: key.source.clone(),
            name: key.name.clone(),
            gaps: plan.report.gaps.clone(),
            pins: rows,
        };
        let gone = release::gone_by_look(input.state, &looks);
        Ok(Decided { scan, looks, targets, said, gone })
    }

    /// What makes the ledger no evidence.
    fn of_ledger(&self) -> Vec<Gap> {
        let missing = self.setup.witnesses.reason(self.key, self.setup.started);
        let missing = missing.map(|reason| Gap::new(Scope::Repository, Cause::Suspicious, reason));
        missing.into_iter().chain(self.setup.unanchored()).collect()
    }

    /// A permanent tag of each of these, read just now: by the bytes that it serves where that leaves no trace that rules go by,
    /// by asking for it directly elsewhere (I5, I30).
    async fn permanent_tags(
        &self,
        scan: &RepositoryScan,
        inventory: &dyn Inventory,
        artifacts: &[ArtifactId],
    ) -> BTreeMap<ArtifactId, Tag> {
        let untried = Attempts::new();
        let input = scan.input(self.setup, &untried);
        let (mut read, by_bytes) = (BTreeMap::new(), inventory.reads_tags().await);
        for artifact in artifacts {
            for tag in release::permanent_tags(&input, artifact) {
                let (named, _) = match by_bytes {
                    true => inventory.read_tag(&self.key.name, &tag, artifact.clone()).await,
                    false => inventory.look_up(&self.key.name, &tag).await,
                };
                if named == Resolution::Artifact(artifact.clone()) {
                    read.insert(artifact.clone(), tag);
                    break;
                }
            }
        }
        read
    }
}

fn row(verdict: &Verdict, unique: &BTreeMap<ArtifactId, u64>) -> PinRelease {
    let kept_by = match &verdict.left {
        LastReference::Tag(tag) => Some(tag.clone()),
        LastReference::Part | LastReference::Nothing => None,
    };
    PinRelease {
        artifact: verdict.artifact.clone(),
        state: if verdict.goes() { ReleaseState::Planned } else { ReleaseState::Kept },
        since: verdict.since.map(|mark| mark.at),
        kept_by,
        unique_bytes: unique.get(&verdict.artifact).copied(),
        then: verdict.then.clone(),
        grounds: verdict.grounds.clone(),
        failure: None,
    }
}
