//! The events of an account that were read, by their names. They are there as long as any source of a run is that asks for them.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, Weak};

use tokio::sync::Mutex;

use super::event::EventPage;
use super::reel::{Entry, KeptPage, Reel};
use prodpin_core::model::{Cause, RepositoryName, TrailEntry};
use prodpin_net::aws::JsonFailure;

/// Every name's list, each read by one at a time.
#[derive(Debug, Default)]
pub(super) struct Events(std::sync::Mutex<HashMap<&'static str, Arc<Mutex<Reel>>>>);

/// One step back in a list.
#[derive(Debug)]
pub(super) struct Back {
    /// What was done in the repository.
    pub(super) entries: Vec<TrailEntry>,
    /// Everything from this second on is read.
    pub(super) from: i64,
    /// How many pages of the list the step was.
    pub(super) pages: usize,
}

impl Events {
    /// Those that sources of one place read together.
    pub(super) fn of(place: &str) -> Arc<Self> {
        static PLACES: LazyLock<std::sync::Mutex<HashMap<String, Weak<Events>>>> = LazyLock::new(Default::default);
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = places.get(place).and_then(Weak::upgrade) {
            return known;
        }
        // What was read in a run goes with its sources.
        places.retain(|_, events| events.strong_count() > 0);
        let events = Arc::new(Self::default());
        places.insert(place.to_owned(), Arc::downgrade(&events));
        events
    }

    fn reel(&self, name: &'static str) -> Arc<Mutex<Reel>> {
        let mut reels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(reels.entry(name).or_default())
    }

    /// What comes next, going back from here: what is held of it, else what is answered to `ask`, which is given the second
    /// before which events are asked for, and what continues the list.
    pub(super) async fn back<F>(
        &self,
        name: &'static str,
        before: i64,
        repository: &RepositoryName,
        ask: impl FnOnce(i64, Option<String>) -> F,
    ) -> Result<Back, JsonFailure>
    where
        F: Future<Output = Result<EventPage, JsonFailure>>,
    {
        let reel = self.reel(name);
        let mut reel = reel.lock().await;
        if let Some(KeptPage { from, entries, pages }) = reel.page(before) {
            return Ok(Back { entries: of(repository, entries), from: *from, pages: *pages });
        }
        let question = reel.question(before, jiff::Timestamp::now().as_second());
        match ask(question.until, question.token.clone()).await {
            Ok(page) => {
                let entries = of(repository, &page.entries);
                Ok(Back { entries, from: reel.keep(&question, page), pages: 1 })
            }
            Err(failure) => {
                // What continues a list does so for a while only.
                if question.token.is_some() && matches!(failure.cause, Cause::Malformed | Cause::Refused) {
                    reel.give_up(&question);
                }
                Err(failure)
            }
        }
    }

    /// What is held about a repository from the last of these seconds back to the first, without a gap. Nothing is asked.
    pub(super) async fn held(
        &self,
        name: &'static str,
        repository: &RepositoryName,
        (start, end): (i64, i64),
    ) -> Vec<TrailEntry> {
        let reel = self.reel(name);
        let reel = reel.lock().await;
        let (mut found, mut before) = (Vec::new(), end.saturating_add(1));
        while before > start
            && let Some(KeptPage { from, entries, .. }) = reel.page(before)
        {
            found.extend(of(repository, entries));
            before = *from;
        }
        found
    }
}

fn of(repository: &RepositoryName, entries: &[Entry]) -> Vec<TrailEntry> {
    let ours = entries.iter().filter(|(name, _)| **name == *repository.as_str());
    ours.map(|(_, entry)| entry.clone()).collect()
}
