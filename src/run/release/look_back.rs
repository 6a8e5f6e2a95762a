//! Removing pins with production asked before the first one goes and after the last (F92): repository by repository, so that a
//! loss in one keeps the pins of all that come after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::decide::release::{NeededNow, needed};
use crate::decide::{self, Attempts};
use crate::model::{ArtifactId, DeployedReference, Gap, RepositoryKey, Scope, SourceName};
use crate::outcome::release::{Ground, PinRelease, ReleaseState, RepositoryRelease};
use crate::policy::Policy;
use crate::sources::Releaser;

use super::super::repository::look;
use super::super::setup::Setup;
use super::super::{RunError, Stop};
use super::remove::{Removing, planned, was_tried};
use super::{Asks, ReleaseOptions, Releasers, ended};

/// Each question about production takes no longer than this, whatever time there is.
const ASKED_FOR: Duration = Duration::from_secs(30);

/// After SIGTERM a process has 30 seconds in all.
const ASKED_LAST: Duration = Duration::from_secs(8);

/// What removes pins.
pub(super) struct Removal<'a> {
    pub(super) options: &'a ReleaseOptions,
    pub(super) releasers: &'a Releasers,
    pub(super) asks: &'a Asks<'a>,
    pub(super) policy: &'a Policy,
    pub(super) setup: &'a Arc<Setup>,
    pub(super) stop: &'a Stop,
}

/// What was not done, or is not known, by source.
type Troubles = Vec<(SourceName, Gap)>;

impl Removal<'_> {
    /// Removes what may go, and says what makes the run incomplete. `said` has what was decided about each repository, and then
    /// what became of it.
    pub(super) async fn carry(&self, said: &mut [RepositoryRelease]) -> Result<Troubles, RunError> {
        let mut troubles = Troubles::new();
        if !said.iter().any(|repository| planned(&repository.pins).next().is_some()) {
            return Ok(troubles);
        }
        if !self.options.leaving {
            self.ask_first(said, &mut troubles).await;
        }
        // What is needed least shows what a removal takes along.
        said.sort_by_cached_key(|repository| (repository.source.clone(), since(repository), repository.name.clone()));
        let until = self.stop.deadline().map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            deadline - (left / 3).min(2 * ASKED_FOR)
        });
        let outcome = self.remove(said, until, &mut troubles).await;
        if outcome.is_err() {
            // The ledger cannot be written: what was removed is not left at that.
            for repository in said.iter_mut() {
                let (key, Some(releaser)) = (key_of(repository), self.releasers.get(&repository.source)) else {
                    continue;
                };
                for pin in repository.pins.iter_mut().rev().filter(|pin| pin.state == ReleaseState::Released) {
                    if let Err(failure) = releaser.pin_again(&key.name, &pin.artifact).await {
                        tracing::error!(repository = %key, artifact = %pin.artifact, %failure, "could not pin it again");
                    }
                }
            }
            return outcome.map(|()| troubles);
        }
        if !self.options.leaving {
            self.look_back(said, &mut troubles).await?;
        }
        for repository in said.iter() {
            let key = key_of(repository);
            if let Some(releaser) = self.releasers.get(&key.source) {
                self.removing(&key, releaser.as_ref(), None).leave(&repository.pins).await?;
            }
        }
        Ok(troubles)
    }

    /// Asks production right before the first pin goes. Where it changed, or nobody can tell, every pin stays.
    async fn ask_first(&self, said: &mut [RepositoryRelease], troubles: &mut Troubles) {
        let news = self.setup.named_since_or_gap(self.policy, self.until(ASKED_FOR)).await;
        for repository in said {
            let detail = match &news {
                Ok(news) if news.get(&key_of(repository)).is_none_or(Vec::is_empty) => continue,
                Ok(_) => "production changed here during this run; run it again".to_owned(),
                Err(gap) => {
                    if planned(&repository.pins).next().is_some() {
                        let detail = format!("production could not be asked again before pins go: {}", gap.detail);
                        troubles.push((repository.source.clone(), Gap::new(Scope::Source, gap.cause, detail)));
                    }
                    format!("production could not be asked again before pins go: {}", gap.detail)
                }
            };
            for pin in repository.pins.iter_mut().filter(|pin| pin.state == ReleaseState::Planned) {
                pin.state = ReleaseState::Kept;
                pin.grounds.push(Ground::Gap { detail: detail.clone() });
            }
        }
    }

    fn removing<'r>(
        &'r self,
        key: &'r RepositoryKey,
        releaser: &'r dyn Releaser,
        until: Option<Instant>,
    ) -> Removing<'r> {
        let Self { setup, stop, options, .. } = *self;
        Removing { setup, key, releaser, stop, until, leaving: options.leaving }
    }

    fn until(&self, most: Duration) -> Instant {
        let most = Instant::now() + most;
        self.stop.deadline().map_or(most, |deadline| deadline.min(most))
    }

    async fn remove(
        &self,
        said: &mut [RepositoryRelease],
        until: Option<Instant>,
        troubles: &mut Troubles,
    ) -> Result<(), RunError> {
        let mut proven: BTreeSet<SourceName> = BTreeSet::new();
        let mut stopped: BTreeMap<SourceName, String> = BTreeMap::new();
        for repository in said.iter_mut() {
            if planned(&repository.pins).next().is_none() {
                continue;
            }
            let key = key_of(repository);
            let over = self.stop.is_set() || until.is_some_and(|until| Instant::now() >= until);
            let Some(releaser) = self.releasers.get(&key.source).filter(|_| !over) else {
                not_tried(&mut repository.pins, None);
                troubles.push((key.source.clone(), ended(self.stop, &format!("the pins of {} were tried", key.name))));
                continue;
            };
            if let Some(why) = stopped.get(&key.source) {
                not_tried(&mut repository.pins, Some(why));
                continue;
            }
            let removing = self.removing(&key, releaser.as_ref(), until);
            let mut decided = self.asks.asking(self.setup, &key).decide().await?;
            // Only what was decided twice, before production was asked again and after.
            let before: BTreeSet<ArtifactId> = planned(&repository.pins).map(|pin| pin.artifact.clone()).collect();
            for pin in decided.said.pins.iter_mut().filter(|pin| pin.state == ReleaseState::Planned) {
                if !before.contains(&pin.artifact) {
                    (pin.state, pin.failure) = (ReleaseState::Kept, Some("it became free during this run".to_owned()));
                }
            }
            let removed = removing.carry(&mut decided, proven.contains(&key.source)).await;
            *repository = decided.said;
            let removed = removed?;
            if removed.proven {
                proven.insert(key.source.clone());
            }
            if removed.cut {
                troubles.push((key.source.clone(), ended(self.stop, &format!("all pins of {} were tried", key.name))));
            }
            if let Some(why) = removed.stops {
                let detail = format!("{key}: {why}; no further pin is removed in source {}", key.source);
                troubles.push((key.source.clone(), Gap::new(Scope::Source, crate::model::Cause::Refused, detail)));
                stopped.insert(key.source.clone(), format!("it was not tried, because of {key}: {why}"));
            }
        }
        Ok(())
    }

    /// Asks production once more, and reads every repository in which a pin went once more: what is needed by then is pinned
    /// again with all that went there, and so is everything where nobody can tell.
    async fn look_back(&self, said: &mut [RepositoryRelease], troubles: &mut Troubles) -> Result<(), RunError> {
        let is_tried = |repository: &RepositoryRelease| repository.pins.iter().any(was_tried);
        if !said.iter().any(is_tried) {
            return Ok(());
        }
        let most = if self.stop.is_set() { ASKED_LAST } else { ASKED_FOR };
        let news = self.setup.named_since_or_gap(self.policy, Instant::now() + most).await;
        for repository in said.iter_mut().filter(|repository| is_tried(repository)) {
            let key = key_of(repository);
            let Some(releaser) = self.releasers.get(&key.source) else { continue };
            let removing = self.removing(&key, releaser.as_ref(), None);
            let (needed, why, is_gap) = match &news {
                Err(gap) => (None, format!("production could not be asked again at the end: {}", gap.detail), true),
                Ok(news) => match self.needed(&key, &repository.pins).await? {
                    Err(detail) => (None, detail, true),
                    Ok(needed) => {
                        let went_back = "production went back to it meanwhile".to_owned();
                        // A tag may name any of them by now, and one pin too many does no harm.
                        let by_tag = |reference: &DeployedReference| matches!(reference, DeployedReference::Tag(_));
                        let named = news.get(&key).map_or(&[][..], Vec::as_slice);
                        let unclear = named.iter().any(by_tag);
                        let named = named.iter().filter_map(|reference| match reference {
                            DeployedReference::Artifact(artifact) => Some(artifact.clone()),
                            DeployedReference::Tag(_) => None,
                        });
                        let needed: BTreeSet<ArtifactId> = needed.into_iter().chain(named).collect();
                        ((!unclear).then_some(needed), went_back, false)
                    }
                },
            };
            let needed = needed.as_ref().map_or(NeededNow::Unknown, NeededNow::These);
            let all = removing.put_back(&mut repository.pins, needed, &why).await?;
            if is_gap || !all {
                let detail = match all {
                    true => format!("{key}: {why}; every pin that this run removed there was made again"),
                    false => format!(
                        "{key}: {why}, and not every pin that this run removed there could be made again: run prodpin enforce"
                    ),
                };
                troubles.push((key.source.clone(), Gap::new(Scope::Source, crate::model::Cause::Unreachable, detail)));
            }
        }
        Ok(())
    }

    /// The rollback targets of a repository and their parts, read anew, and what others need; why they are not known else.
    async fn needed(
        &self,
        key: &RepositoryKey,
        pins: &[PinRelease],
    ) -> Result<Result<BTreeSet<ArtifactId>, String>, RunError> {
        let inventory = self.setup.source(key).inventory.as_ref();
        let scan = look(self.setup, inventory, key.clone()).await?;
        let untried = Attempts::new();
        let plan = decide::plan(&scan.input(self.setup, &untried));
        if let Some(gap) = plan.report.gaps.first() {
            return Ok(Err(format!("the repository could not be read again at the end: {}", gap.detail)));
        }
        // Whoever said since that a pin is to stay needs it by what this run cannot see, and so does who had that this run removed
        // it not put on record.
        let state = self.setup.ledger.recall_again(key).await?;
        let revoked = state.releasing.iter().filter(|(_, intent)| intent.revoked.is_some());
        let revoked = revoked.map(|(artifact, _)| artifact.clone());
        let gone = pins.iter().filter(|pin| pin.state == ReleaseState::Released).map(|pin| &pin.artifact);
        let unsaid = gone.filter(|artifact| !state.released.contains_key(*artifact)).cloned();
        Ok(Ok(needed(&plan.report, scan.inspections()).into_iter().chain(revoked).chain(unsaid).collect()))
    }
}

/// Since when the first of what may go was not needed.
fn since(repository: &RepositoryRelease) -> Option<Timestamp> {
    planned(&repository.pins).filter_map(|pin| pin.since).min()
}

fn key_of(repository: &RepositoryRelease) -> RepositoryKey {
    RepositoryKey { source: repository.source.clone(), name: repository.name.clone() }
}

fn not_tried(pins: &mut [PinRelease], why: Option<&String>) {
    for pin in pins.iter_mut().filter(|pin| pin.state == ReleaseState::Planned) {
        (pin.state, pin.failure) = (ReleaseState::NotTried, why.cloned());
    }
}
