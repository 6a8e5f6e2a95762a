//! Making all views anew while the log is read from its first commit, in bounded memory.

use std::collections::HashMap;

use super::index::Touch;
use super::read::Tip;
use super::view::View;
use super::{Ledger, cache};
use crate::model::{Entry, RepositoryKey};

/// How many tags, and artifacts that they pointed at, are held over all repositories before the views are written out.
const WEIGHT: usize = 300_000;

/// Views in the making. Without this, an estate whose caches are lost would read the whole log once per repository.
pub(super) struct Rebuild {
    views: HashMap<RepositoryKey, Held>,
    weight: usize,
    /// The last commit that is there, as far as listed: a view from beyond it is from elsewhere.
    last: u64,
}

struct Held {
    view: View,
    changed: bool,
}

impl Rebuild {
    pub(super) fn new(last: u64) -> Self {
        Self { views: HashMap::new(), weight: 0, last }
    }

    /// Folds one commit into the views of the repositories it touches. Called before the index knows of it.
    pub(super) async fn take(&mut self, ledger: &Ledger, tip: &Tip, entries: &[Entry]) {
        let touch = Touch::new(tip.sequence, &tip.checkpoint.batch);
        let mut about: HashMap<&RepositoryKey, Vec<&Entry>> = HashMap::new();
        for entry in entries {
            if let Some(key) = &entry.repository {
                about.entry(key).or_default().push(entry);
            }
        }
        for (key, entries) in about {
            let Some(held) = self.hold(ledger, &tip.checkpoint.origin, key).await else { continue };
            let latest = held.view.latest().map_or(0, |latest| latest.0);
            if latest < touch.0 {
                let before = held.view.weight();
                let entries: Vec<Entry> = entries.into_iter().cloned().collect();
                held.view.apply(touch, &entries);
                held.changed = true;
                // A pin that was lost makes it lighter.
                let after = held.view.weight();
                self.weight = (self.weight + after).saturating_sub(before);
            }
        }
        if self.weight > WEIGHT {
            self.flush(ledger).await;
        }
    }

    /// The repository's view so far. None if it was held, written out and then lost: recalling it reads the log.
    async fn hold(&mut self, ledger: &Ledger, origin: &str, key: &RepositoryKey) -> Option<&mut Held> {
        if !self.views.contains_key(key) {
            let stored = ledger.stored_view(origin, key).await;
            let stored = stored.filter(|view| view.latest().is_some_and(|latest| latest.0 <= self.last));
            let known = ledger.log().index.touches(key).last().copied();
            let view = match (stored, known) {
                (None, None) => View::new(origin, key.clone()),
                (None, Some(_)) => return None,
                (Some(view), None) if ledger.confirms(&view).await => view,
                (Some(_), None) => View::new(origin, key.clone()),
                (Some(view), Some(known)) if view.touches.contains(&known) => view,
                (Some(_), Some(_)) => return None,
            };
            self.weight += view.weight();
            self.views.insert(key.clone(), Held { view, changed: false });
        }
        self.views.get_mut(key)
    }

    async fn flush(&mut self, ledger: &Ledger) {
        let changed = self.views.drain().filter(|(_, held)| held.changed).map(|(_, held)| held.view).collect();
        // Caches: without them the next look replays the log. Whether the ledger can be written to at all is shown by
        // the index, which is written last.
        if let Err(error) = ledger.write_views(changed).await {
            tracing::warn!(ledger = ledger.store.location(), %error, "a cache could not be written; the log is complete");
        }
        self.weight = 0;
    }

    pub(super) async fn finish(mut self, ledger: &Ledger) {
        self.flush(ledger).await;
    }
}

impl Ledger {
    /// The view in the store, if it reads as this repository's in this log.
    pub(super) async fn stored_view(&self, origin: &str, key: &RepositoryKey) -> Option<View> {
        let bytes = self.store.cached(&View::path(key)).await?;
        cache::unpack::<View>(&bytes).filter(|view| view.is_of(origin, key))
    }
}
