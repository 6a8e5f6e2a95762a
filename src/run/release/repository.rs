//! One repository's pins: looked at, decided about, and removed where that is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::decide::release::{self, EarlierRun, LastReference, Question, Verdict};
use crate::decide::{self, Attempts};
use crate::model::{ArtifactId, Cause, Event, Gap, RepositoryKey, Resolution, Scope, Tag};
use crate::outcome::release::{PinRelease, ReleaseState, RepositoryRelease};
use crate::sources::{Inventory, Releaser};

use super::super::repository::{RepositoryScan, look};
use super::super::setup::Setup;
use super::super::{RunError, Stop};
use super::{bytes, record};

/// One repository, and what is to be done with its pins.
pub(super) struct Asking<'a> {
    pub(super) setup: &'a Arc<Setup>,
    pub(super) key: &'a RepositoryKey,
    pub(super) grace: SignedDuration,
    pub(super) earlier: Vec<EarlierRun>,
    /// What the run could not read elsewhere.
    pub(super) gaps: &'a [Gap],
    /// What removes pins; none where they are only talked about.
    pub(super) releaser: Option<Arc<dyn Releaser>>,
    pub(super) stop: &'a Stop,
}

impl Asking<'_> {
    pub(super) async fn carry(self) -> Result<RepositoryRelease, RunError> {
        let Self { setup, key, .. } = &self;
        let inventory = setup.source(key).inventory.as_ref();
        // Looked at anew: every target is read back right before any pin goes (I2).
        let scan = look(setup, inventory, (*key).clone()).await?;
        let untried = Attempts::new();
        let input = scan.input(setup, &untried);
        let plan = decide::plan(&input);
        let state = input.state;
        let asked: Vec<ArtifactId> = plan.unneeded.iter().chain(state.released.keys()).cloned().collect();
        let looks = scan.look_closely(inventory, asked).await;
        let read = self.permanent_tags(&scan, inventory, &plan.unneeded).await;
        let removal = inventory.pin_removal(&key.name).await;
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
        };
        let verdicts = release::decide(&question);
        let kept: Vec<ArtifactId> = plan.report.targets.iter().map(|target| target.artifact.clone()).collect();
        let unique = bytes::unique(inventory, &key.name, input.snapshot, &plan.unneeded, &kept).await;
        let mut pins: Vec<PinRelease> = verdicts.iter().map(|verdict| row(verdict, &unique)).collect();
        if let Some(releaser) = &self.releaser {
            self.remove(releaser.as_ref(), &mut pins).await?;
        }
        Ok(RepositoryRelease {
            source: key.source.clone(),
            name: key.name.clone(),
            gaps: plan.report.gaps.clone(),
            pins,
        })
    }

    /// What makes the ledger no evidence.
    fn of_ledger(&self) -> Vec<Gap> {
        let missing = self.setup.witnesses.reason(self.key, self.setup.started);
        let missing = missing.map(|reason| Gap::new(Scope::Repository, Cause::Suspicious, reason));
        missing.into_iter().chain(self.setup.unanchored()).collect()
    }

    /// A permanent tag of each of these, read just now by the bytes that it serves (I5).
    async fn permanent_tags(
        &self,
        scan: &RepositoryScan,
        inventory: &dyn Inventory,
        artifacts: &[ArtifactId],
    ) -> BTreeMap<ArtifactId, Tag> {
        let untried = Attempts::new();
        let input = scan.input(self.setup, &untried);
        let mut read = BTreeMap::new();
        for artifact in artifacts {
            for tag in release::permanent_tags(&input, artifact) {
                let (named, _) = inventory.read_tag(&self.key.name, &tag, artifact.clone()).await;
                if named == Resolution::Artifact(artifact.clone()) {
                    read.insert(artifact.clone(), tag);
                    break;
                }
            }
        }
        read
    }

    /// Removes the pins that may go, in their order. What is about to go is on record before (I15); one that another writer
    /// found to be needed meanwhile stays, and after one that failed none is tried, because those after it were judged with it
    /// gone.
    async fn remove(&self, releaser: &dyn Releaser, pins: &mut [PinRelease]) -> Result<(), RunError> {
        let Self { setup, key, stop, .. } = self;
        let going = |pin: &&PinRelease| pin.state == ReleaseState::Planned;
        let intended = pins.iter().filter(going).map(|pin| Event::PinReleasing { artifact: pin.artifact.clone() });
        let intended: Vec<Event> = intended.collect();
        if intended.is_empty() {
            return Ok(());
        }
        record(setup, key, intended).await?;
        let mut ended = false;
        for pin in pins.iter_mut().filter(|pin| pin.state == ReleaseState::Planned) {
            if ended || stop.is_set() {
                pin.state = ReleaseState::NotTried;
                continue;
            }
            let state = setup.ledger.recall(key).await?;
            if !state.releasing.contains_key(&pin.artifact) || !state.unneeded.contains_key(&pin.artifact) {
                (pin.state, ended) = (ReleaseState::Kept, true);
                pin.failure = Some("another run found meanwhile that it is needed".to_owned());
                continue;
            }
            match releaser.release(&key.name, &pin.artifact, pin.kept_by.as_ref()).await {
                Ok(()) => {
                    tracing::info!(repository = %key, artifact = %pin.artifact, "released the pin of {} in {key}", pin.artifact);
                    pin.state = ReleaseState::Released;
                    record(setup, key, [Event::PinReleased { artifact: pin.artifact.clone() }]).await?;
                }
                Err(failure) => {
                    tracing::warn!(repository = %key, artifact = %pin.artifact, %failure, "a pin was not released");
                    (pin.state, ended) = (ReleaseState::Failed, true);
                    pin.failure = Some(failure.to_string());
                }
            }
        }
        Ok(())
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
