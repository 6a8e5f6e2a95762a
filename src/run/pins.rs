//! Making the pins that a plan asks for.

use crate::decide::release::PINS_WITHIN;
use crate::decide::{self, Attempts, Input};
use crate::model::{ArtifactId, Cause, PinFailure, PinState, RepositoryName, Retention};
use crate::sources::{Protector, Source};

use super::Stop;
use super::moment::Moment;
use super::repository::RepositoryScan;
use super::setup::Setup;

/// What was on record at a moment, and until when pins are made by it. A release removes nothing that this run did not know to be
/// needless, unless the run has long given up pinning; a process that was paused makes no pin by what it knew before (I26, F86).
pub(super) struct Known<'a> {
    stop: &'a Stop,
    at: Moment,
    /// Whether releases were at these pins at every look, so that the next run makes them.
    left_to_releases: bool,
}

impl<'a> Known<'a> {
    pub(super) fn now(stop: &'a Stop) -> Self {
        Self { stop, at: Moment::now(), left_to_releases: false }
    }

    /// By what is known no pin is made.
    pub(super) fn leave_to_releases(self) -> Self {
        Self { left_to_releases: true, ..self }
    }

    fn refuses(&self) -> Option<PinFailure> {
        if self.stop.is_set() {
            let detail = "the run ended before it was pinned".to_owned();
            return Some(PinFailure { cause: self.stop.cause(), detail });
        }
        if self.left_to_releases {
            let detail = "a release was at pins here each time that the repository was looked at; the next run pins it";
            return Some(PinFailure { cause: Cause::Refused, detail: detail.to_owned() });
        }
        (self.at.age() > PINS_WITHIN).then(|| {
            let minutes = PINS_WITHIN.as_mins();
            let detail = format!("more than {minutes} minutes passed since the ledger was read; the next run pins it");
            PinFailure { cause: Cause::TimedOut, detail }
        })
    }
}

/// Makes these pins. Each was found harmless with those before it in place, so where one is not made, those after it are
/// judged anew before any other is, on what is read back: a pin that got no answer may be there all the same (I7, I22).
pub(super) async fn make(
    source: &Source,
    protector: &dyn Protector,
    setup: &Setup,
    look: &RepositoryScan,
    pins: &[ArtifactId],
    claim: Option<&Result<(), PinFailure>>,
    known: &Known<'_>,
) -> Attempts {
    let repository = &look.key.name;
    let mut attempts = Attempts::new();
    if look.snapshot.retention == Retention::Unruled {
        each(protector, repository, pins, known, &mut attempts).await;
        return attempts;
    }
    if one_by_one(protector, repository, pins, known, &mut attempts).await {
        return attempts;
    }
    let mut there = look.inspections().clone();
    loop {
        let tried: Vec<ArtifactId> = attempts.keys().cloned().collect();
        look.inspect_again(source.inventory.as_ref(), tried.clone(), &mut there).await;
        let is_unknown =
            |artifact: &&ArtifactId| decide::pin_of(&there, artifact).is_none_or(|pin| *pin == PinState::Unknown);
        if let Some(unknown) = tried.iter().find(is_unknown) {
            let detail = format!(
                "whether {unknown} is pinned could not be read back, and without that this pin cannot be judged"
            );
            for artifact in pins {
                let failure = || Err(PinFailure { cause: Cause::Interrupted, detail: detail.clone() });
                attempts.entry(artifact.clone()).or_insert_with(failure);
            }
            return attempts;
        }
        let left = {
            let input = look.input(setup, &attempts);
            decide::plan(&Input { inspections: &there, claim, ..input }).pins
        };
        if one_by_one(protector, repository, &left, known, &mut attempts).await {
            return attempts;
        }
    }
}

/// So many failures in a row, and the others are not tried: whoever may not push here may push none of thirty platforms.
const MOST_IN_A_ROW: usize = 8;

/// Where there are no rules, what becomes of one does not hang on another: each is tried.
async fn each(
    protector: &dyn Protector,
    repository: &RepositoryName,
    pins: &[ArtifactId],
    known: &Known<'_>,
    attempts: &mut Attempts,
) {
    let mut left = pins;
    let mut in_a_row = 0;
    while !left.is_empty() {
        if one_by_one(protector, repository, left, known, attempts).await {
            return;
        }
        let tried = left.iter().take_while(|artifact| attempts.contains_key(*artifact)).count();
        // One that was made is between this failure and the one before.
        in_a_row = if tried > 1 { 1 } else { in_a_row + 1 };
        left = &left[tried..];
        if in_a_row >= MOST_IN_A_ROW
            && let Some(Err(last)) = pins.get(pins.len() - left.len() - 1).and_then(|last| attempts.get(last)).cloned()
        {
            let detail = format!("it was not tried, because the {in_a_row} before it failed: {}", last.detail);
            for artifact in left {
                attempts.insert(artifact.clone(), Err(PinFailure { cause: last.cause, detail: detail.clone() }));
            }
            return;
        }
    }
}

/// Pins one after the other, in this order: the oldest first, so that a run cut short has harmed nothing (F126). Whether it
/// came to the end, and not to one that failed.
async fn one_by_one(
    protector: &dyn Protector,
    repository: &RepositoryName,
    pins: &[ArtifactId],
    known: &Known<'_>,
    attempts: &mut Attempts,
) -> bool {
    for (place, artifact) in pins.iter().enumerate() {
        let attempt = match known.refuses() {
            Some(failure) => Err(failure),
            None => protector.pin(repository, artifact).await,
        };
        let failed = attempt.is_err();
        if let Err(failure) = &attempt {
            tracing::warn!(%repository, %artifact, %failure, "could not pin {artifact} in {repository}");
        }
        attempts.insert(artifact.clone(), attempt);
        if failed && known.refuses().is_none() && place + 1 < pins.len() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn no_pin_is_made_by_what_was_known_more_than_half_an_hour_ago_i26_f86() {
        let stop = Stop::default();
        let known = |minutes: i64| Known { at: Moment::ago(SignedDuration::from_mins(minutes)), ..Known::now(&stop) };
        assert!(known(0).refuses().is_none() && known(29).refuses().is_none());
        let refused = known(31).refuses().expect("it is too old");
        assert_eq!(refused.cause, Cause::TimedOut);
        assert!(refused.detail.contains("30 minutes"), "{}", refused.detail);
        let left = known(0).leave_to_releases().refuses().expect("releases are at it");
        assert!(left.detail.contains("the next run pins it"), "{}", left.detail);
        stop.ask();
        assert_eq!(known(0).refuses().expect("the run ends").cause, Cause::Interrupted);
    }
}
