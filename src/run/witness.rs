//! Before anything is recorded or pinned in a source that the ledger knows nothing of: whether somebody pinned there
//! already (I24). Names are enough, whatever part of the source the run is about; the first pin ends the look.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use futures::{FutureExt as _, StreamExt as _};

use crate::decide::{MissingHistory, PartialLook};
use crate::ledger::LedgerError;
use crate::model::{
    Cause, Entry, Event, Gap, Inspection, Pin, PinState, RepositoryKey, RepositoryName, Scope, SourceName,
};
use crate::sources::Source;

use super::Stop;
use super::repository::Look;
use super::setup::Setup;

/// What was found in sources that the ledger knows nothing of.
#[derive(Debug, Default)]
pub(super) struct Witnesses {
    found: BTreeMap<SourceName, Found>,
    /// Where no pin was found, and not every object version was asked.
    partial: Vec<PartialLook>,
    /// Taken by whoever begins a source's history, so that its first pin comes after its first commit.
    beginning: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
enum Found {
    Pins(MissingHistory),
    /// The run ended before all was looked at.
    Unfinished,
}

impl Witnesses {
    /// Whether nothing may be recorded or pinned in this source.
    pub(super) fn withhold(&self, source: &SourceName) -> bool {
        match self.found.get(source) {
            Some(Found::Pins(missing)) => !missing.adopted,
            Some(Found::Unfinished) => true,
            None => false,
        }
    }

    /// Where the look for pins was partial, and found none.
    pub(super) fn partial(&self) -> &[PartialLook] {
        &self.partial
    }

    /// The sources that had pins.
    pub(super) fn pins(&self) -> impl Iterator<Item = &MissingHistory> {
        self.found.values().filter_map(|found| match found {
            Found::Pins(missing) => Some(missing),
            Found::Unfinished => None,
        })
    }
}

impl Look {
    /// Where nothing may be recorded: pins in a repository of whose source the ledger knows nothing say that what ran,
    /// and in which order, is not known.
    pub(super) fn miss_history(&mut self, setup: &Setup) {
        if !setup.keeps_ledger || setup.adopts || setup.ledger.has_history(&self.key.source) {
            return;
        }
        let tag = self.snapshot.tags.iter().any(|tag| Pin::read(&tag.name).is_some());
        let held = |seen: &Inspection| matches!(seen.pin, PinState::Present | PinState::Unsupported { marked: true });
        if tag || self.inspections.values().any(held) {
            let RepositoryKey { source, name } = &self.key;
            let detail = format!(
                "{name} has pins, and ledger {} has no record of source {source}: its history is missing; mount or \
                 restore the ledger that recorded them, or correct `ledger:`",
                setup.ledger.location()
            );
            self.gaps.push(Gap::new(Scope::Repository, Cause::Suspicious, detail));
        }
    }
}

impl Setup {
    /// Asks every source that the ledger knows nothing of.
    pub(super) async fn ask_witnesses(&self, stop: &Stop) -> Result<Witnesses, LedgerError> {
        let mut witnesses = Witnesses::default();
        // Without a ledger there is no history to miss.
        let unknown = self.sources.iter().filter(|_| self.keeps_ledger);
        let unknown = unknown.filter(|(name, _)| !self.ledger.has_history(name));
        // Beside each other: one that hangs costs the others nothing.
        let asked = unknown.map(async |(name, source)| (name, self.first_pin(name, source, stop).await));
        for (name, first) in futures::future::join_all(asked).await {
            let (repository, pin) = match first {
                Ok(found) => found,
                Err(partial) => {
                    if stop.is_set() {
                        witnesses.found.insert(name.clone(), Found::Unfinished);
                    }
                    witnesses.partial.extend(partial);
                    continue;
                }
            };
            // Another first run may have begun this history, and made these pins, in the meantime.
            self.ledger.look_again().await?;
            if self.ledger.has_history(name) {
                continue;
            }
            let missing = MissingHistory {
                source: name.clone(),
                renamed_from: self.renamed_from(&repository),
                repository,
                pin,
                ledger: self.ledger.location().to_owned(),
                adopted: self.adopts,
            };
            tracing::info!(source = %name, pin = missing.pin, "the source has pins, and the ledger has no record of it");
            witnesses.found.insert(name.clone(), Found::Pins(missing));
        }
        Ok(witnesses)
    }

    /// The first pin that any repository of the source has, else where not all was asked. A repository that cannot be read
    /// says nothing here, and is told when it is looked at.
    async fn first_pin(
        &self,
        name: &SourceName,
        source: &Source,
        stop: &Stop,
    ) -> Result<(RepositoryName, String), Option<PartialLook>> {
        let inventory = source.inventory.as_ref();
        let repositories = inventory.repositories().filter_map(async |repository| repository.ok());
        let asked = repositories.take_until(stop.set()).map(async |repository: RepositoryName| {
            // A defect of prodpin at one repository is met, and told, when that is looked at.
            let pin = AssertUnwindSafe(inventory.any_pin(&repository)).catch_unwind().await.ok()?;
            Some((repository, pin))
        });
        let found = asked.buffer_unordered(self.concurrency).filter_map(async |found| found);
        let mut found = std::pin::pin!(found);
        let mut partial: Option<PartialLook> = None;
        loop {
            let next = tokio::select! {
                next = found.next() => next,
                () = stop.set() => None,
            };
            match next {
                Some((repository, Some(pin))) => return Ok((repository, pin)),
                Some((repository, None)) => {
                    let unasked = inventory.unasked(&repository);
                    if unasked > 0 {
                        partial.get_or_insert_with(|| PartialLook::new(name, &repository)).note(&repository, unasked);
                    }
                }
                None => return Err(partial),
            }
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
        at: jiff::Timestamp,
    ) -> Result<(), LedgerError> {
        if self.ledger.has_history(&key.source) {
            return Ok(());
        }
        let _beginning = self.witnesses.beginning.lock().await;
        if self.ledger.has_history(&key.source) {
            return Ok(());
        }
        let entry = |event| Entry { run: self.id.clone(), at, repository: Some(key.clone()), event };
        // Committed again with the rest of the run, which then says nothing new.
        self.ledger.commit_each(events.map(entry)).await.map(drop)
    }
}
