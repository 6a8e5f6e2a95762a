//! Whether a pin may go: asked right before each call that removes one, with the log read to its end (I14, I15).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::SignedDuration;

use crate::decide::release::may_still_go;
use crate::model::{ArtifactId, Cause, PinFailure, RepositoryKey};
use crate::sources::Permit;

use super::super::Stop;
use super::super::moment::Moment;
use super::super::setup::Setup;

/// What was read longer ago lets nothing go: whoever needs the pin waits for no more than that and what a call takes.
const READ_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// What is asked about one pin.
pub(super) struct OnRecord<'a> {
    pub(super) setup: &'a Arc<Setup>,
    pub(super) key: &'a RepositoryKey,
    pub(super) artifact: &'a ArtifactId,
    pub(super) stop: &'a Stop,
    /// Nothing is begun after it.
    pub(super) until: Option<Instant>,
    given: AtomicBool,
    refused: AtomicBool,
}

impl<'a> OnRecord<'a> {
    pub(super) fn new(
        setup: &'a Arc<Setup>,
        key: &'a RepositoryKey,
        artifact: &'a ArtifactId,
        (stop, until): (&'a Stop, Option<Instant>),
    ) -> Self {
        let (given, refused) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { setup, key, artifact, stop, until, given, refused }
    }

    /// Whether anything was sent that could have removed the pin.
    pub(super) fn was_given(&self) -> bool {
        self.given.load(Ordering::Acquire)
    }

    /// Whether the pin stays for what is on record, and nothing was sent that could have removed it.
    pub(super) fn kept_it(&self) -> bool {
        self.refused.load(Ordering::Acquire) && !self.was_given()
    }
}

impl OnRecord<'_> {
    async fn look(&self) -> Result<(), PinFailure> {
        let over = || self.stop.is_set() || self.until.is_some_and(|until| Instant::now() >= until);
        let ended =
            || PinFailure { cause: self.stop.cause(), detail: "the run ended before it was removed".to_owned() };
        if over() {
            return Err(ended());
        }
        let before = Moment::now();
        let state = self.setup.ledger.recall_again(self.key).await.map_err(|error| PinFailure {
            cause: Cause::Unreachable,
            detail: format!("the ledger could not be read right before: {error}"),
        })?;
        if !may_still_go(&state, self.artifact, &self.setup.id) {
            self.refused.store(true, Ordering::Release);
            let detail = "another run is to decide about this pin first, as the ledger says by now".to_owned();
            return Err(PinFailure { cause: Cause::Refused, detail });
        }
        // A process that was paused meanwhile is past its time, and so is what it read (F86).
        if over() {
            return Err(ended());
        }
        is_fresh(before)?;
        self.given.store(true, Ordering::Release);
        Ok(())
    }
}

/// Whether what was read since then lets anything go.
fn is_fresh(before: Moment) -> Result<(), PinFailure> {
    if before.age() <= READ_WITHIN {
        return Ok(());
    }
    let detail = format!("reading the ledger right before took more than {} s", READ_WITHIN.as_secs());
    Err(PinFailure { cause: Cause::TimedOut, detail })
}

impl Permit for OnRecord<'_> {
    fn ask(&self) -> BoxFuture<'_, Result<(), PinFailure>> {
        self.look().boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_more_than_ten_seconds_ago_lets_no_pin_go_i14_f86() {
        assert!(is_fresh(Moment::now()).is_ok());
        assert!(is_fresh(Moment::ago(SignedDuration::from_secs(9))).is_ok());
        let refused = is_fresh(Moment::ago(SignedDuration::from_secs(11))).expect_err("it is too old");
        assert_eq!(refused.cause, Cause::TimedOut);
    }
}
