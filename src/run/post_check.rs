//! Production that changes while a run pins (F92): at its end signals are asked once more, and a repository whose production
//! went back to what the run does not keep is looked at again, pinned and read back in the same run.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};

use crate::model::{Cause, Gap, Mode, RepositoryKey, Scope, SourceName};
use crate::policy::Policy;

use super::record::Recorder;
use super::repository::{self, Outcome};
use super::setup::Setup;
use super::{RunError, Stop};

/// The second question takes no longer than this, whatever time there is: every run ends with it.
const ASKED_FOR: Duration = Duration::from_secs(30);

/// Looks again where something runs by now that is not in the rollback set. `over` returns when what is under way is to be
/// given up. What was found before stands where nobody looked again, and the run says so.
pub(super) async fn look_again(
    policy: &Policy,
    setup: &Arc<Setup>,
    recorder: &mut Recorder,
    stop: &Stop,
    over: &mut Pin<&mut impl Future<Output = ()>>,
) -> Result<(), RunError> {
    if setup.mode != Mode::Enforce {
        return Ok(());
    }
    let most = Instant::now() + ASKED_FOR;
    let until = stop.share().map_or(most, |share| share.min(most));
    let named = tokio::select! {
        named = setup.named_since(policy, stop, until) => named,
        () = &mut *over => return Ok(()),
    };
    if named.is_empty() {
        return Ok(());
    }
    let keys = recorder.unkept(named).await?;
    let mut unseen: BTreeSet<RepositoryKey> = keys.iter().cloned().collect();
    let looks = keys.into_iter().map(|key| {
        tracing::info!(repository = %key, "production changed during the run, and what runs now is looked at again");
        let look = tokio::spawn(repository::decide_one(setup.clone(), key.clone(), stop.clone()));
        async move { (key, Abort(look).join().await) }
    });
    let mut looks = std::pin::pin!(stream::iter(looks).buffer_unordered(setup.concurrency));
    loop {
        let looked = tokio::select! {
            looked = looks.next() => looked,
            () = &mut *over => break,
        };
        match looked {
            Some((key, Ok(outcome))) => {
                recorder.replace(outcome?).await?;
                unseen.remove(&key);
            }
            Some((key, Err(defect))) => {
                tracing::error!(repository = %key, %defect, "this is a defect of prodpin; what was found first stands");
                let why =
                    "a defect of prodpin ended the second look at it; the log on stderr says where: please report it";
                recorder.failed_at([stale(&key, Cause::Malformed, why)].into_iter());
                unseen.remove(&key);
            }
            None => break,
        }
    }
    let why = "there was no time to look at it again; run prodpin enforce once more";
    recorder.failed_at(unseen.iter().map(|key| stale(key, stop.cause(), why)));
    Ok(())
}

/// That what is told of a repository was found before its production changed.
fn stale<'a>(key: &'a RepositoryKey, cause: Cause, why: &str) -> (&'a SourceName, Gap) {
    let detail = format!("{key}: production changed while this run pinned, and what is told is what was before: {why}");
    (&key.source, Gap::new(Scope::Source, cause, detail))
}

/// A look that ends with whoever waits for it.
struct Abort(tokio::task::JoinHandle<Result<Outcome, crate::ledger::LedgerError>>);

impl Abort {
    async fn join(mut self) -> Result<Result<Outcome, crate::ledger::LedgerError>, tokio::task::JoinError> {
        (&mut self.0).await
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}
