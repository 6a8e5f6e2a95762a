//! Before anything is recorded or pinned in a source that the ledger knows nothing of: whether somebody pinned there
//! already (I24). Names are enough, whatever part of the source the run is about; the first pin ends the look.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::{FutureExt as _, StreamExt as _};

use jiff::Timestamp;

use crate::decide::{self, MissingHistory, PartialLook, UnaskedRepository};
use crate::ledger::LedgerError;
use crate::model::{Cause, Code, Entry, Event, Finding, Gap, RepositoryKey, RepositoryName, Scope, SourceName};
use crate::sources::{Inventory, PinLook, Reservation, Source};

use super::Stop;
use super::room::Room;
use super::setup::Setup;

/// What was found in sources, and in repositories, that the ledger knows nothing of. They are asked beside the scanning of
/// all that is known (I28): who is not decided yet waits, and nobody else.
#[derive(Debug, Default)]
pub(super) struct Witnesses {
    reported: Mutex<WitnessState>,
    /// Told whenever a source or repository was decided.
    decided: tokio::sync::Notify,
    /// Taken by whoever begins a source's history, so that its first pin comes after its first commit.
    beginning: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct WitnessState {
    /// Whole sources of which it is not known yet.
    open_sources: BTreeSet<SourceName>,
    /// The same of single repositories, which an earlier run could not ask.
    open_repositories: BTreeSet<RepositoryKey>,
    /// Whole sources.
    sources: BTreeMap<SourceName, Found>,
    /// Single repositories: of sources whose history begins without them, or began so in an earlier run.
    repositories: BTreeMap<RepositoryKey, Doubt>,
    /// Of those that were in doubt since an earlier run: their first record comes before their first pin.
    cleared: BTreeSet<RepositoryKey>,
    /// Where no pin was found, and not every object version was asked.
    partial: BTreeMap<SourceName, PartialLook>,
}

#[derive(Debug)]
enum Found {
    Pins(MissingHistory),
    /// Not all of its repositories could be listed, or too many could not be asked.
    Unlisted {
        gap: Gap,
        adopted: bool,
    },
    /// The run ended before all was looked at.
    Unfinished,
}

/// So many repositories of a source are withheld one by one; where more cannot be asked, the source is, in one word.
const MOST_UNASKED: usize = 100;

#[derive(Debug)]
enum Doubt {
    Pins(MissingHistory),
    Unasked(UnaskedRepository),
}

/// What a look at a whole source found.
#[derive(Debug, Default)]
struct Answers {
    pin: Option<(RepositoryName, String)>,
    partial: Option<PartialLook>,
    unread: BTreeMap<RepositoryName, Gap>,
    unlisted: Option<Gap>,
}

impl WitnessState {
    fn withhold(&self, source: &SourceName) -> bool {
        match self.sources.get(source) {
            Some(Found::Pins(missing)) => !missing.adopted,
            Some(Found::Unlisted { adopted, .. }) => !adopted,
            Some(Found::Unfinished) => true,
            None => self.open_sources.contains(source),
        }
    }

    fn withhold_in(&self, key: &RepositoryKey) -> bool {
        let adopted = match self.repositories.get(key) {
            Some(Doubt::Pins(missing)) => missing.adopted,
            Some(Doubt::Unasked(unasked)) => unasked.adopted,
            None => !self.open_repositories.contains(key),
        };
        !adopted || self.withhold(&key.source)
    }

    /// `is_unread`: sources of which this run read nothing, and of which nothing is on record.
    fn findings(&self, now: Timestamp, is_unread: &dyn Fn(&SourceName) -> bool) -> Vec<Finding> {
        let sources = self.sources.iter().filter_map(|(source, found)| match found {
            Found::Pins(missing) => Some(decide::missing_history(missing, now)),
            Found::Unlisted { adopted: true, .. } | Found::Unfinished => None,
            Found::Unlisted { gap, .. } if is_unread(source) => Some(decide::unread_source(source, gap, now)),
            Found::Unlisted { gap, .. } => Some(decide::unlisted_source(source, gap, now)),
        });
        // Where a whole source is withheld, that says it for each of its repositories.
        let single = self.repositories.iter().filter(|(key, _)| !self.sources.contains_key(&key.source));
        let single = single.map(|(_, doubt)| match doubt {
            Doubt::Pins(missing) => decide::missing_history(missing, now),
            // What is on record of it is all that the next run asks by: it stays under its own code.
            Doubt::Unasked(unasked) => decide::unasked(unasked, now),
        });
        let partial = self.partial.values().map(|look| decide::partial_look(look, now));
        sources.chain(single).chain(partial).collect()
    }
}

impl Witnesses {
    fn reported(&self) -> MutexGuard<'_, WitnessState> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what decides something, and tells those that wait for it.
    fn decide(&self, note: impl FnOnce(&mut WitnessState)) {
        note(&mut self.reported());
        self.decided.notify_one();
    }

    /// Whether nothing may be recorded or pinned in this source.
    pub(super) fn withhold(&self, source: &SourceName) -> bool {
        self.reported().withhold(source)
    }

    /// Whether nothing may be recorded or pinned in this repository, or said to be as it was.
    pub(super) fn withhold_in(&self, key: &RepositoryKey) -> bool {
        self.reported().withhold_in(key)
    }

    /// Whether this repository has to wait, because what was asked about it or its source is not answered yet.
    pub(super) fn is_open(&self, key: &RepositoryKey) -> bool {
        let reported = self.reported();
        reported.open_sources.contains(&key.source) || reported.open_repositories.contains(key)
    }

    /// Returns when something was decided since the last time.
    pub(super) async fn decided(&self) {
        self.decided.notified().await;
    }

    /// All that is to be told of it. `is_unread`: sources of which this run read nothing, and of which nothing is on record.
    pub(super) fn findings(&self, now: Timestamp, is_unread: &dyn Fn(&SourceName) -> bool) -> Vec<Finding> {
        self.reported().findings(now, is_unread)
    }

    /// Why this repository is not judged, for a page about it alone.
    pub(super) fn reason(&self, key: &RepositoryKey, now: Timestamp) -> Option<String> {
        let about = |finding: &Finding| {
            finding.source.as_ref() == Some(&key.source)
                && finding.reference.as_deref().is_none_or(|name| name == key.name.as_str())
        };
        let reported = self.reported();
        reported.withhold_in(key).then(|| match reported.findings(now, &|_| false).into_iter().find(about) {
            Some(finding) => format!("{}; {}", finding.message, finding.remedy),
            None => format!(
                "the ledger has no record of source {}, and the run ended before it was asked for pins",
                key.source
            ),
        })
    }
}

impl Setup {
    /// Says what has to be asked: every source that the ledger knows nothing of, and every repository that an earlier run
    /// could not ask and of which nothing is on record yet. Until `ask_witnesses` has asked, it is withheld.
    pub(super) fn call_witnesses(&self) {
        // Without a ledger there is no history to miss.
        if !self.keeps_ledger {
            return;
        }
        let unknown = self.sources.keys().filter(|name| !self.ledger.has_history(name)).cloned();
        let doubted = self.ledger.open_findings();
        let doubted = doubted.keys().filter(|key| key.code == Code::LedgerHistoryMissing);
        let doubted = doubted.filter_map(|key| {
            Some(RepositoryKey { source: key.source.clone()?, name: key.reference.as_deref()?.parse().ok()? })
        });
        let doubted = doubted.filter(|key| {
            self.sources.contains_key(&key.source) && !self.ledger.knows(key) && self.ledger.has_history(&key.source)
        });
        self.witnesses.decide(|reported| {
            reported.open_sources = unknown.collect();
            reported.open_repositories = doubted.collect();
        });
    }

    /// Asks them, beside each other: one that hangs costs the others nothing.
    pub(super) async fn ask_witnesses(&self, room: &Room, stop: &Stop) -> Result<(), LedgerError> {
        let open = self.witnesses.reported().open_sources.clone();
        let unknown = self.sources.iter().filter(|(name, _)| open.contains(*name));
        let asked = unknown.map(async |(name, source)| self.ask_whole(name, source, room, stop).await);
        let (asked, ()) = futures::future::join(futures::future::join_all(asked), self.ask_again(stop)).await;
        asked.into_iter().collect()
    }

    async fn ask_whole(&self, name: &SourceName, source: &Source, room: &Room, stop: &Stop) -> Result<(), LedgerError> {
        let Answers { pin, partial, unread, unlisted } = self.ask_source(name, source, room, stop).await;
        // Another first run may have begun this history, and made these pins, in the meantime.
        let mut is_begun = false;
        if pin.is_some() {
            self.ledger.look_again().await?;
            is_begun = self.ledger.has_history(name);
        }
        let found = if let Some((repository, pin)) = pin {
            tracing::info!(source = %name, pin, "the source has pins, and the ledger has no record of it");
            Some(Found::Pins(self.missing(name, repository, pin, false)))
        } else if stop.is_set() {
            Some(Found::Unfinished)
        } else {
            unlisted.map(|gap| Found::Unlisted { gap, adopted: self.adopts })
        };
        self.witnesses.decide(|reported| {
            reported.open_sources.remove(name);
            if is_begun {
                return;
            }
            reported.sources.extend(found.map(|found| (name.clone(), found)));
            reported.partial.extend(partial.map(|look| (name.clone(), look)));
            for (repository, gap) in unread {
                let key = RepositoryKey { source: name.clone(), name: repository };
                reported.repositories.insert(key.clone(), self.unasked(key, gap));
            }
        });
        Ok(())
    }

    /// Repositories that could not be asked when the history of their source began.
    async fn ask_again(&self, stop: &Stop) {
        let keys: Vec<RepositoryKey> = self.witnesses.reported().open_repositories.iter().cloned().collect();
        let keys = keys.into_iter().filter_map(|key| Some((key.clone(), self.sources.get(&key.source)?)));
        let asked = futures::stream::iter(keys).map(async |(key, source)| {
            let look = self.ask(source.inventory.as_ref(), &key.name, stop).await;
            (key, look)
        });
        let mut asked = std::pin::pin!(asked.buffer_unordered(self.concurrency));
        while let Some((key, look)) = asked.next().await {
            let doubt = match look {
                PinLook::Pin(pin) => Some(Doubt::Pins(self.missing(&key.source, key.name.clone(), pin, true))),
                PinLook::Unread(gap) => Some(self.unasked(key.clone(), gap)),
                PinLook::NoPin { .. } => None,
            };
            self.witnesses.decide(|reported| {
                reported.open_repositories.remove(&key);
                match doubt {
                    Some(doubt) => _ = reported.repositories.insert(key, doubt),
                    None => _ = reported.cleared.insert(key),
                }
            });
        }
    }

    fn missing(&self, source: &SourceName, repository: RepositoryName, pin: String, alone: bool) -> MissingHistory {
        MissingHistory {
            source: source.clone(),
            renamed_from: self.renamed_from(&repository),
            repository,
            pin,
            alone,
            ledger: self.ledger.location().to_owned(),
            adopted: self.adopts,
        }
    }

    fn unasked(&self, key: RepositoryKey, gap: Gap) -> Doubt {
        Doubt::Unasked(UnaskedRepository { key, gap, adopted: self.adopts })
    }

    /// All repositories of a source, until one has a pin.
    async fn ask_source(&self, name: &SourceName, source: &Source, room: &Room, stop: &Stop) -> Answers {
        let inventory = source.inventory.as_ref();
        let mut answers = Answers::default();
        let asked = room.listed(name, inventory).take_until(stop.set()).map(async |repository| match repository {
            Ok(repository) => Ok((repository.clone(), self.ask(inventory, &repository, stop).await)),
            Err(gap) => Err(gap),
        });
        let mut asked = std::pin::pin!(asked.buffer_unordered(self.concurrency));
        loop {
            let next = tokio::select! {
                next = asked.next() => next,
                () = stop.set() => None,
            };
            match next {
                Some(Ok((repository, PinLook::Pin(pin)))) => {
                    answers.pin = Some((repository, pin));
                    return answers;
                }
                Some(Ok((repository, PinLook::NoPin { unasked }))) if unasked > 0 => {
                    let partial = answers.partial.get_or_insert_with(|| PartialLook::new(name, &repository));
                    partial.note(&repository, unasked);
                }
                Some(Ok((_, PinLook::NoPin { .. }))) => {}
                Some(Ok((repository, PinLook::Unread(gap)))) if answers.unread.len() < MOST_UNASKED => {
                    answers.unread.insert(repository, gap);
                }
                Some(Ok((repository, PinLook::Unread(gap)))) => {
                    let detail =
                        format!("more than {MOST_UNASKED} repositories, {repository} among them: {}", gap.detail);
                    answers.unlisted = answers.unlisted.or(Some(Gap { detail, ..gap }));
                }
                Some(Err(gap)) => answers.unlisted = answers.unlisted.or(Some(gap)),
                None => return answers,
            }
        }
    }

    /// One repository, within the memory budget. A defect of prodpin there is no answer.
    async fn ask(&self, inventory: &dyn Inventory, repository: &RepositoryName, stop: &Stop) -> PinLook {
        let unread = |cause, detail: &str| PinLook::Unread(Gap::new(Scope::Repository, cause, detail.to_owned()));
        let asked = async {
            let memory = self.admission.enter(0).await;
            let look = in_its_share(inventory, repository, &memory, stop).await;
            if memory.is_alone() || !memory.was_full() {
                return look;
            }
            drop(memory);
            let memory = self.admission.enter_alone().await;
            in_its_share(inventory, repository, &memory, stop).await
        };
        tokio::select! {
            look = AssertUnwindSafe(asked).catch_unwind() => {
                look.unwrap_or_else(|_| unread(Cause::Malformed, "a defect of prodpin ended the look at it"))
            }
            () = stop.set() => unread(stop.cause(), "the run ended before it was asked"),
        }
    }

    /// A source that only the ledger knows, with a repository of this name.
    fn renamed_from(&self, repository: &RepositoryName) -> Option<SourceName> {
        let mut sources = self.ledger.sources().into_iter().filter(|source| !self.named.contains(source));
        sources.find(|source| self.ledger.knows(&RepositoryKey { source: source.clone(), name: repository.clone() }))
    }

    /// Before the first pin in a source: what was seen of one repository is on record, so that a run that is killed
    /// right after leaves a ledger that knows where its pins are (I15), and so that another first run can tell.
    pub(super) async fn begin_history(
        &self,
        key: &RepositoryKey,
        events: impl Iterator<Item = Event> + Send,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let is_on_record = || self.ledger.has_history(&key.source) && !self.witnesses.reported().cleared.contains(key);
        if is_on_record() {
            return Ok(());
        }
        let _beginning = self.witnesses.beginning.lock().await;
        if is_on_record() {
            return Ok(());
        }
        let entry = |event| Entry { run: self.id.clone(), at, repository: Some(key.clone()), event };
        // Committed again with the rest of the run, which then says nothing new.
        self.ledger.commit_each(events.map(entry)).await.map(drop)
    }
}

/// One repository of a source has a part of the time, counted from when it is asked: the others of the source wait for it,
/// and begin without it where it does not answer (I28). Where nothing limits a run, the source's own limits do.
async fn in_its_share(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    memory: &Reservation,
    stop: &Stop,
) -> PinLook {
    let look = inventory.look_for_pin(repository, memory);
    let Some(until) = stop.share() else { return look.await };
    tokio::time::timeout_at(until.into(), look).await.unwrap_or_else(|_| {
        let detail = "it did not answer within the third of the time left before the deadline that there is for one \
                      repository";
        PinLook::Unread(Gap::new(Scope::Repository, Cause::TimedOut, detail.to_owned()))
    })
}
