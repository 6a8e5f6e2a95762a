//! Every repository of a run, many at a time, until all are done or the run is to end.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use crate::model::{Cause, Gap, RepositoryKey, Scope, SourceName};
use crate::sources::Source;

use super::listing::{self, Listed, Shard};
use super::room::Room;
use super::setup::Setup;
use super::{Progress, RunError, Stop};

/// How it ended.
#[derive(Default)]
pub(super) struct Ended {
    /// What came of listing each source.
    pub(super) listed: Vec<Listed>,
    /// How many repositories of each source there were to look at.
    pub(super) known: BTreeMap<SourceName, u64>,
    /// Those that were not done.
    pub(super) left_out: BTreeSet<RepositoryKey>,
    /// Whether work was cut off, because it did not end when it was asked to.
    pub(super) given_up: bool,
    /// Repositories at which prodpin itself failed: one of them says nothing about the others.
    pub(super) broken: Vec<RepositoryKey>,
}

impl Ended {
    /// How many repositories of each source there were.
    fn count(&mut self, seen: &HashSet<RepositoryKey>) {
        for key in seen.iter().chain(self.left_out.iter().filter(|key| !seen.contains(*key))) {
            *self.known.entry(key.source.clone()).or_default() += 1;
        }
    }

    /// Takes what came of one task.
    fn hand_over<T>(
        &mut self,
        key: RepositoryKey,
        outcome: Result<Result<T, RunError>, JoinError>,
    ) -> Result<Option<T>, RunError> {
        match outcome {
            Ok(outcome) => outcome.map(Some),
            Err(defect) => {
                tracing::error!(repository = %key, %defect, "this is a defect of prodpin");
                self.broken.push(key);
                Ok(None)
            }
        }
    }

    /// What was not looked at, for a person: `20 of 60 repositories were not scanned: shop/api, …`.
    pub(super) fn unscanned(&self) -> String {
        unscanned(self.known.values().sum(), self.left_out.iter())
    }

    /// What prodpin failed at, by source.
    pub(super) fn defects(&self) -> impl Iterator<Item = (&SourceName, Gap)> {
        self.broken.iter().map(|key| {
            let detail = format!(
                "{key}: a defect of prodpin ended the look at it, and nothing about it was decided; the log on stderr \
                 says where: please report it"
            );
            (&key.source, Gap::new(Scope::Source, Cause::Malformed, detail))
        })
    }
}

/// So many repositories that were not scanned are named in a sentence.
const NAMED: usize = 5;

/// How many repositories were not scanned, and which.
pub(super) fn unscanned<'a>(known: u64, left_out: impl ExactSizeIterator<Item = &'a RepositoryKey>) -> String {
    let count = left_out.len();
    if count == 0 {
        return "all repositories that were found by then were scanned, and there may be more".to_owned();
    }
    let mut names: Vec<&str> = left_out.take(NAMED).map(|key| key.name.as_str()).collect();
    if count > NAMED {
        names.push("…");
    }
    format!("{count} of {known} repositories were not scanned: {}", names.join(", "))
}

/// So often it is seen whether a server makes requests wait.
const PACE: Duration = Duration::from_millis(250);

/// So many times as many repositories are in flight where most of them wait because they were told to (F113). What they
/// take is held to the memory that there is.
fn at_once(source: &Source) -> usize {
    if source.inventory.is_pacing() { 4 } else { 1 }
}

/// The tasks that are under way, and which repository each of them is about.
struct UnderWay<T> {
    tasks: JoinSet<T>,
    of: HashMap<tokio::task::Id, RepositoryKey>,
    /// Every repository that was begun.
    begun: HashSet<RepositoryKey>,
}

impl<T: Send + 'static> UnderWay<T> {
    fn new() -> Self {
        Self { tasks: JoinSet::new(), of: HashMap::new(), begun: HashSet::new() }
    }

    fn has_room(&self, setup: &Setup) -> bool {
        self.tasks.len() < setup.concurrency * setup.sources.values().map(at_once).max().unwrap_or(1)
    }

    fn begin(&mut self, work: impl Future<Output = T> + Send + 'static, key: RepositoryKey) {
        self.begun.insert(key.clone());
        self.of.insert(self.tasks.spawn(work).id(), key);
    }

    /// The next that is done; none while there is none under way.
    async fn next(&mut self) -> Option<(RepositoryKey, Result<T, JoinError>)> {
        let outcome = self.tasks.join_next_with_id().await?;
        let task = outcome.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        let Some(key) = self.of.remove(&task) else { unreachable!("each task is of one repository") };
        Some((key, outcome.map(|(_, outcome)| outcome)))
    }
}

/// What part of the repositories to look at, and how.
#[derive(Clone, Copy)]
pub(super) struct Round<'a> {
    pub(super) setup: &'a Arc<Setup>,
    pub(super) shard: Option<Shard>,
    pub(super) stop: &'a Stop,
    pub(super) progress: &'a dyn Progress,
}

impl Round<'_> {
    /// Lists the sources, works on each repository that is wanted, and hands over what came of it, one at a time.
    /// `over` returns when what is still under way must be given up.
    pub(super) async fn each<T, F>(
        self,
        over: &mut Pin<&mut impl Future<Output = ()>>,
        mut wanted: impl FnMut(&RepositoryKey) -> bool,
        work: impl Fn(RepositoryKey) -> F,
        mut take: impl AsyncFnMut(T) -> Result<(), RunError>,
    ) -> Result<Ended, RunError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RunError>> + Send + 'static,
    {
        let Self { setup, shard, stop, progress } = self;
        let (found, mut repositories) = mpsc::channel(setup.concurrency);
        let listings = listing::start(setup, shard, &found, stop);
        drop(found);
        let mut under_way = UnderWay::new();
        let mut ended = Ended::default();
        // What the ledger knows nothing of is asked for pins meanwhile (I24), and begins as soon as that is answered.
        let room = Room::within_budget(shard);
        let mut asking = std::pin::pin!(setup.ask_witnesses(&room, stop));
        let (mut asked, mut listing_ended) = (false, false);
        let (mut waiting, mut ready) = (Vec::<RepositoryKey>::new(), VecDeque::<RepositoryKey>::new());
        let is_open = |key: &RepositoryKey| setup.witnesses.is_open(key);
        while !(ended.given_up || listing_ended && asked && ready.is_empty() && under_way.tasks.is_empty()) {
            let has_room = under_way.has_room(setup);
            let mut next = None;
            tokio::select! {
                answered = &mut asking, if !asked => {
                    answered?;
                    asked = true;
                    ready.extend(waiting.drain(..));
                }
                () = setup.witnesses.decided(), if !asked => ready.extend(waiting.extract_if(.., |key| !is_open(key))),
                () = std::future::ready(()), if has_room && !ready.is_empty() => next = ready.pop_front(),
                found = repositories.recv(), if !listing_ended && has_room => match found {
                    Some(key) if !wanted(&key) => {}
                    Some(key) if is_open(&key) => waiting.push(key),
                    Some(key) => next = Some(key),
                    None => listing_ended = true,
                },
                Some((key, outcome)) = under_way.next() => {
                    progress.done(key.name.as_str());
                    if let Some(outcome) = ended.hand_over(key, outcome)? {
                        take(outcome).await?;
                    }
                }
                () = tokio::time::sleep(PACE), if !has_room => {}
                () = &mut *over => ended.given_up = true,
            }
            let Some(key) = next else { continue };
            if stop.is_set() {
                ended.left_out.insert(key);
                continue;
            }
            progress.found();
            under_way.begin(work(key.clone()), key);
        }
        ended.left_out.extend(waiting.into_iter().chain(ready));
        self.finish(ended, under_way, listings, repositories, wanted).await
    }

    /// Gives up what is still under way, says what was not begun, and takes what came of the lists.
    async fn finish<T: Send + 'static>(
        self,
        mut ended: Ended,
        mut under_way: UnderWay<T>,
        mut listings: JoinSet<Listed>,
        mut found: mpsc::Receiver<RepositoryKey>,
        mut wanted: impl FnMut(&RepositoryKey) -> bool,
    ) -> Result<Ended, RunError> {
        // What is still under way then waits for an answer that does not come; it is as if it had not begun.
        ended.left_out.extend(under_way.of.into_values());
        under_way.tasks.shutdown().await;
        if ended.given_up {
            listings.shutdown().await;
        }
        if ended.given_up || self.stop.is_set() {
            // What was found and waits, and what the ledger and signals know beside, whether or not a list came to it.
            ended.left_out.extend(std::iter::from_fn(|| found.try_recv().ok()).filter(&mut wanted));
            for source in self.setup.sources.keys() {
                let known = listing::known(self.setup, source, self.shard).await.into_iter();
                ended.left_out.extend(known.filter(|key| !under_way.begun.contains(key)).filter(&mut wanted));
            }
        }
        ended.count(&under_way.begun);
        while let Some(listed) = listings.join_next().await {
            ended.listed.push(listed.map_err(|error| RunError::Defect(error.to_string()))?);
        }
        Ok(ended)
    }
}
