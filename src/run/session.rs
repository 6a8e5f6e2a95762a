//! What every command that looks at repositories has open, and how it goes over them: sources, ledger and signals, within
//! one deadline that counts from before the first of them is opened.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;

use crate::ledger::Access;
use crate::model::{Cause, Gap, RepositoryKey, Scope, SourceName};
use crate::policy::Policy;
use crate::sources::Source;

use super::each::{Ended, Round};
use super::setup::{LookAhead, Setup, open_sources};
use super::{Progress, RunError, RunOptions};

/// The sources to work on.
pub(super) enum SourcesOf {
    /// Those that the policy names, opened for this.
    Policy(LookAhead),
    /// Those that it names, opened with powers of their own, and why the others could not be.
    Opened(BTreeMap<SourceName, Source>, BTreeMap<SourceName, String>),
    /// Sources that are open.
    Caller(BTreeMap<SourceName, Source>),
}

/// Everything that is open.
pub(super) struct Session<'o> {
    pub(super) setup: Arc<Setup>,
    /// Sources that the others go on without, and why.
    pub(super) unopened: BTreeMap<SourceName, String>,
    options: &'o RunOptions,
}

impl<'o> Session<'o> {
    /// Opens it. The options say which part of the policy it is about, with how much power, and until when.
    pub(super) async fn open(
        policy: &Policy,
        sources: SourcesOf,
        options: &'o RunOptions,
        access: Access,
    ) -> Result<Self, RunError> {
        let (sources, unopened) = match sources {
            SourcesOf::Policy(ahead) => open_sources(policy, options, ahead).await?,
            SourcesOf::Opened(sources, unopened) => (sources, unopened),
            SourcesOf::Caller(sources) => (sources, BTreeMap::new()),
        };
        let setup = Arc::new(Setup::new(policy, sources, options, Timestamp::now(), access).await?);
        Ok(Self { setup, unopened, options })
    }

    /// Works on each repository that is wanted, and hands over what came of it, one at a time. `over` returns when what
    /// is still under way must be given up.
    pub(super) async fn each<T, F>(
        &self,
        progress: &dyn Progress,
        over: &mut Pin<&mut impl Future<Output = ()>>,
        wanted: impl FnMut(&RepositoryKey) -> bool,
        work: impl Fn(RepositoryKey) -> F,
        take: impl AsyncFnMut(T) -> Result<(), RunError>,
    ) -> Result<Ended, RunError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RunError>> + Send + 'static,
    {
        let RunOptions { shard, stop, .. } = self.options;
        Round { setup: &self.setup, shard: *shard, stop, progress }.each(over, wanted, work, take).await
    }

    /// What kept the list of repositories, or their work, from being whole.
    pub(super) fn gaps(&self, ended: Ended) -> Vec<Gap> {
        let stop = &self.options.stop;
        let unopened = self
            .unopened
            .iter()
            .map(|(name, detail)| Gap::new(Scope::Source, Cause::Refused, format!("source {name}: {detail}")));
        let cut = (ended.given_up || stop.is_set()).then(|| {
            let detail = format!("{}: {}", stop.reason(), ended.unscanned());
            Gap::new(Scope::Source, stop.cause(), detail)
        });
        let defects = ended.defects().map(|(_, gap)| gap);
        let mut gaps: Vec<Gap> = unopened.chain(cut).chain(defects).collect();
        gaps.extend(ended.listed.into_iter().flat_map(|listed| listed.gaps));
        gaps
    }
}
