//! Removing the pins of one repository that may go, one at a time, with everything read back after each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use crate::decide::release::{NeededNow, loss, to_make_again};
use crate::model::{ArtifactId, Cause, Event, Inspection, PinFailure, RepositoryKey};
use crate::outcome::release::{PinRelease, ReleaseState};
use crate::sources::{Inventory, Releaser};

use super::super::removals::record;
use super::super::setup::Setup;
use super::super::{RunError, Stop};
use super::permit::OnRecord;
use super::repository::Decided;

/// What removes pins in one repository, and until when.
pub(super) struct Removing<'a> {
    pub(super) setup: &'a Arc<Setup>,
    pub(super) key: &'a RepositoryKey,
    pub(super) releaser: &'a dyn Releaser,
    pub(super) stop: &'a Stop,
    /// Nothing is begun after it: what is left of the run is for looking back.
    pub(super) until: Option<Instant>,
    /// Whether prodpin is being given up here.
    pub(super) leaving: bool,
}

/// What came of it, beside what is said of each pin.
#[derive(Debug, Default)]
pub(super) struct Removed {
    /// Why no further pin of this source is removed.
    pub(super) stops: Option<String>,
    /// The run ended before all that may go was tried.
    pub(super) cut: bool,
    /// A pin was removed here, and everything else found to be as it was.
    pub(super) proven: bool,
}

impl Removing<'_> {
    /// Removes the pins that may go, in their order. What is about to go is on record before, so that whatever cuts this off, and
    /// whoever looks meanwhile, nobody takes a pin that went for one that was lost (I15).
    pub(super) async fn carry(&self, decided: &mut Decided, proven: bool) -> Result<Removed, RunError> {
        let going: Vec<ArtifactId> = planned(&decided.said.pins).map(|pin| pin.artifact.clone()).collect();
        if going.is_empty() {
            return Ok(Removed { proven, ..Removed::default() });
        }
        self.intend(&going).await?;
        self.each(decided, proven).await
    }

    /// One after the other. One that another writer found to be needed meanwhile stays, and after one that failed none is tried,
    /// because those after it were judged with it gone. Until one removal in the source was `proven` to take nothing along, each
    /// stands for all: after it the targets are read back too.
    async fn each(&self, decided: &mut Decided, proven: bool) -> Result<Removed, RunError> {
        let mut removed = Removed { proven, ..Removed::default() };
        let mut ended = false;
        for at in 0..decided.said.pins.len() {
            if decided.said.pins[at].state != ReleaseState::Planned {
                continue;
            }
            if self.is_over() {
                removed.cut = true;
            }
            if ended || removed.cut || removed.stops.is_some() {
                decided.said.pins[at].state = ReleaseState::NotTried;
                continue;
            }
            let gone = self.one(decided, at).await?;
            let lost = match gone {
                // Whatever failed: what is there decides what is said of it.
                Gone::Kept | Gone::Before => None,
                Gone::No => self.lost(decided, at, false).await,
                Gone::More => decided.said.pins[at].failure.clone(),
                Gone::Yes => self.lost(decided, at, !removed.proven).await,
            };
            ended = !matches!(gone, Gone::Yes | Gone::Before);
            if let Some(lost) = lost {
                self.undo(decided, at, &lost).await?;
                removed.stops = Some(lost);
            } else if matches!(gone, Gone::Yes) {
                removed.proven = true;
            } else if !removed.proven && !matches!(gone, Gone::Kept | Gone::Before) {
                removed.stops = decided.said.pins[at].failure.clone();
            }
        }
        let any = decided.said.pins.iter().any(|pin| pin.state == ReleaseState::Released);
        if any && let Some(lost) = self.lost_target(decided).await {
            self.put_back(&mut decided.said.pins, NeededNow::Unknown, &lost).await?;
            removed.stops = Some(lost);
        }
        Ok(removed)
    }

    fn is_over(&self) -> bool {
        self.stop.is_set() || self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Puts on record what is about to go. Only what leaves with prodpin itself was not found to be needless before: what another
    /// run found to be needed meanwhile is not let go by this.
    async fn intend(&self, going: &[ArtifactId]) -> Result<(), RunError> {
        let needless = going.iter().filter(|_| self.leaving);
        let needless = needless.map(|artifact| Event::PinUnneeded { artifact: artifact.clone() });
        let by = Some(self.setup.id.clone());
        let going = going.iter().map(|artifact| Event::PinReleasing { artifact: artifact.clone(), by: by.clone() });
        Ok(record(self.setup, self.key, needless.chain(going)).await?)
    }

    /// Puts on record, in the end, what of that this run did not send any call to remove.
    pub(super) async fn leave(&self, pins: &[PinRelease]) -> Result<(), RunError> {
        let left = pins.iter().filter(|pin| was_meant(pin) && !was_tried(pin));
        let events = left.map(|pin| Event::PinReleaseEnded { artifact: pin.artifact.clone() });
        Ok(record(self.setup, self.key, events).await?)
    }

    /// Removes one pin, if no other writer found meanwhile that it is to stay.
    async fn one(&self, decided: &mut Decided, at: usize) -> Result<Gone, RunError> {
        let Self { setup, key, releaser, stop, until, .. } = self;
        let pin = &mut decided.said.pins[at];
        let artifact = pin.artifact.clone();
        let permit = OnRecord::new(setup, key, &artifact, (stop, *until));
        match releaser.release(&key.name, &artifact, pin.kept_by.as_ref(), &permit).await {
            // Whoever removed it: nothing was sent, and so nothing is proven by it.
            Ok(()) if !permit.was_given() => {
                pin.state = ReleaseState::Gone;
                record(setup, key, [Event::PinReleased { artifact }]).await?;
                Ok(Gone::Before)
            }
            Ok(()) => {
                tracing::info!(repository = %key, artifact = %pin.artifact, "released the pin of {} in {key}", pin.artifact);
                pin.state = ReleaseState::Released;
                record(setup, key, [Event::PinReleased { artifact: pin.artifact.clone() }]).await?;
                Ok(Gone::Yes)
            }
            Err(failure) if permit.kept_it() => {
                (pin.state, pin.failure) = (ReleaseState::Kept, Some(failure.detail));
                Ok(Gone::Kept)
            }
            Err(failure) => {
                // Whatever was answered to a call that removes it, that may be under way still: the next release waits for that.
                if !permit.was_given() {
                    record(setup, key, [Event::PinReleaseEnded { artifact: artifact.clone() }]).await?;
                }
                tracing::warn!(repository = %key, artifact = %pin.artifact, %failure, "a pin was not released");
                pin.state = ReleaseState::Failed;
                pin.failure = Some(failure.to_string());
                // Whoever removed it says that more went than the pin.
                Ok(if matches!(failure.cause, Cause::NotFound | Cause::Suspicious) { Gone::More } else { Gone::No })
            }
        }
    }

    /// What the removal took along: of the artifact itself, and where that is asked for of the rollback targets.
    async fn lost(&self, decided: &Decided, at: usize, targets: bool) -> Option<String> {
        let artifact = &decided.said.pins[at].artifact;
        let before = decided.looks.get(artifact)?;
        let after = decided.scan.look_closely(self.inventory(), vec![artifact.clone()]).await;
        let lost = match after.get(artifact) {
            Some(after) => loss(before, after, &removed(&decided.said.pins)),
            None => Some(format!("whether {} is there could not be read", artifact.short())),
        };
        match lost {
            None if targets => self.lost_target(decided).await,
            lost => lost,
        }
    }

    /// What is not as it was of the rollback targets.
    async fn lost_target(&self, decided: &Decided) -> Option<String> {
        let after: BTreeMap<ArtifactId, Inspection> =
            decided.scan.look_closely(self.inventory(), decided.targets.clone()).await;
        // Who leaves removes those of targets, too.
        let removed = removed(&decided.said.pins);
        decided.targets.iter().find_map(|target| {
            let lost = match (decided.scan.inspections().get(target), after.get(target)) {
                (Some(before), Some(after)) => loss(before, after, &removed)?,
                _ => format!("whether {} is there could not be read", target.short()),
            };
            Some(format!("of rollback target {}: {lost}", target.short()))
        })
    }

    fn inventory(&self) -> &dyn Inventory {
        self.setup.source(self.key).inventory.as_ref()
    }

    /// Puts everything back that was removed in this repository, because one removal took more than its pin.
    async fn undo(&self, decided: &mut Decided, at: usize, lost: &str) -> Result<(), RunError> {
        let pins = &mut decided.said.pins;
        let artifact = pins[at].artifact.clone();
        self.put_back(pins, NeededNow::Unknown, lost).await?;
        let pin = &mut pins[at];
        let back = if pin.state == ReleaseState::PinnedAgain {
            "the pin was made again"
        } else {
            "the pin was not made again"
        };
        let before = pin.failure.take().map_or_else(String::new, |before| format!("; {before}"));
        pin.state = ReleaseState::Failed;
        pin.failure = Some(format!(
            "after its pin was removed, {lost}{before}; {back}; no further pin is removed in this source; see what is left, and \
             put back what is not: {}",
            self.way_back(&artifact)
        ));
        Ok(())
    }

    /// How what was lost is put back.
    fn way_back(&self, artifact: &ArtifactId) -> String {
        match &self.setup.vault {
            Some(_) => format!("`{}`", crate::decide::bring_back::restore_command(self.key, artifact)),
            None => {
                "`prodpin audit` says what is missing, and only another copy has it: a replica, or a backup".to_owned()
            }
        }
    }

    /// Makes those pins again that are needed by now, with all that went or was to go beside them: another release may have taken
    /// what this one did not come to. Says whether each was made.
    pub(super) async fn put_back(
        &self,
        pins: &mut [PinRelease],
        needed: NeededNow<'_>,
        why: &str,
    ) -> Result<bool, RunError> {
        if !pins.iter().any(was_tried) {
            return Ok(true);
        }
        let meant: Vec<ArtifactId> = pins.iter().filter(|pin| was_meant(pin)).map(|pin| pin.artifact.clone()).collect();
        let again = to_make_again(&meant, needed);
        if again.is_empty() {
            return Ok(true);
        }
        // Whether or not the ledger can be written.
        let said = self.say_needed(&again, pins).await;
        let (mut all, mut made) = (true, Vec::new());
        for artifact in again {
            let Some(pin) = pins.iter_mut().find(|pin| pin.artifact == artifact) else { continue };
            let again = self.releaser.pin_again(&self.key.name, &artifact).await;
            made.extend(self.is_back(pin, again, why, &mut all));
        }
        said?;
        record(self.setup, self.key, made).await?;
        Ok(all)
    }

    /// From here on no release begins to remove these, and none that began before is under way.
    async fn say_needed(&self, again: &[ArtifactId], pins: &[PinRelease]) -> Result<(), RunError> {
        let ledger = &self.setup.ledger;
        let events = again.iter().map(|artifact| Event::PinNeeded { artifact: artifact.clone() });
        record(self.setup, self.key, events).await?;
        let state = ledger.recall_again(self.key).await?;
        let is_known = |artifact: &ArtifactId| {
            let heard = |pin: &PinRelease| pin.artifact == *artifact && pin.state != ReleaseState::Failed;
            state.releasing.get(artifact).is_none_or(|intent| intent.is_of(&self.setup.id)) && pins.iter().any(heard)
        };
        if !again.iter().all(is_known) {
            // However little time is left: what is not there cannot wait for the next run.
            self.stop.waits_for_removals().await;
        }
        // What is said of them from here on is newer than that they went.
        ledger.recall(self.key).await?;
        Ok(())
    }

    /// What is said of a pin that was to be made again, and recorded.
    fn is_back(&self, pin: &mut PinRelease, again: Result<(), PinFailure>, why: &str, all: &mut bool) -> Vec<Event> {
        let artifact = pin.artifact.clone();
        match again {
            Ok(()) => {
                if matches!(pin.state, ReleaseState::Released | ReleaseState::Gone) {
                    tracing::warn!(repository = %self.key, artifact = %artifact, "pinned {artifact} again: {why}");
                    (pin.state, pin.failure) = (ReleaseState::PinnedAgain, Some(why.to_owned()));
                }
                vec![Event::Pinned { artifact: artifact.clone() }, Event::PinMade { artifact }]
            }
            Err(PinFailure { detail, .. }) => {
                tracing::error!(repository = %self.key, "{artifact} could not be pinned again: {detail}");
                (*all, pin.state) = (false, ReleaseState::Failed);
                pin.failure = Some(format!(
                    "it is to have its pin again ({why}), and pinning it failed: {detail}; run `prodpin enforce`"
                ));
                Vec::new()
            }
        }
    }
}

/// Whether a pin went.
#[derive(Debug, Clone, Copy)]
enum Gone {
    Yes,
    /// It was not there any more.
    Before,
    /// It is to stay.
    Kept,
    /// It failed, and may be gone all the same.
    No,
    /// It failed because more went.
    More,
}

/// Whether it is gone, or may be: a call was sent that removes it, or somebody else removed it.
pub(super) fn was_tried(pin: &PinRelease) -> bool {
    matches!(pin.state, ReleaseState::Released | ReleaseState::Gone | ReleaseState::Failed)
}

/// Whether it was to go, as far as was decided.
fn was_meant(pin: &PinRelease) -> bool {
    was_tried(pin) || pin.state == ReleaseState::NotTried || pin.failure.is_some()
}

/// What has no pin any more, or may have none.
fn removed(pins: &[PinRelease]) -> BTreeSet<ArtifactId> {
    pins.iter().filter(|pin| was_tried(pin)).map(|pin| pin.artifact.clone()).collect()
}

/// The pins that may go.
pub(super) fn planned(pins: &[PinRelease]) -> impl Iterator<Item = &PinRelease> {
    pins.iter().filter(|pin| pin.state == ReleaseState::Planned)
}
