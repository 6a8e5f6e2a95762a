//! What events asked to be looked at, until it is: many events become one look. Pure: the time is an argument.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::model::{RepositoryKey, RepositoryName, SourceName};

/// A push comes as several events; a moment later they are one look.
const SETTLE: Duration = Duration::from_secs(2);

/// However many events there are, a repository is not looked at more often because of them, and a source as a whole far
/// less often: the schedule does that.
const AGAIN: Duration = Duration::from_secs(30);
const WHOLE_AGAIN: Duration = Duration::from_secs(600);

/// So many repositories wait for each source. If there are more, the source is looked at as a whole, so that what waits
/// takes no more memory and nothing is forgotten.
const WAITING: usize = 1_000;

/// What a run because of events is to look at; whole sources, or repositories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// These as a whole, if any. Repositories come with a later look.
    pub sources: Vec<SourceName>,
    /// These.
    pub repositories: Vec<RepositoryKey>,
}

/// What waits to be looked at, and what was looked at a moment ago.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Since when a repository waits.
    waiting: BTreeMap<SourceName, BTreeMap<RepositoryName, Instant>>,
    /// Since when a source waits as a whole.
    whole: BTreeMap<SourceName, Instant>,
    looked: BTreeMap<RepositoryKey, Instant>,
    looked_whole: BTreeMap<SourceName, Instant>,
}

impl Pending {
    /// An event names these repositories of a source.
    pub(super) fn hear(&mut self, source: &SourceName, names: impl IntoIterator<Item = RepositoryName>, now: Instant) {
        if self.whole.contains_key(source) {
            return;
        }
        let waiting = self.waiting.entry(source.clone()).or_default();
        for name in names {
            waiting.entry(name).or_insert(now);
        }
        if waiting.len() > WAITING {
            self.waiting.remove(source);
            self.whole.insert(source.clone(), now);
        }
    }

    /// When something is due: now if that is past, none if nothing waits.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let whole = self.whole.iter().map(|(source, since)| due(*since, self.looked_whole.get(source), WHOLE_AGAIN));
        whole.chain(self.waiting().map(|(key, since)| due(since, self.looked.get(&key), AGAIN))).min()
    }

    fn waiting(&self) -> impl Iterator<Item = (RepositoryKey, Instant)> {
        self.waiting.iter().flat_map(|(source, names)| {
            names.iter().map(|(name, since)| (RepositoryKey { source: source.clone(), name: name.clone() }, *since))
        })
    }

    /// Takes what is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Look> {
        self.looked.retain(|_, at| now.saturating_duration_since(*at) < AGAIN);
        self.looked_whole.retain(|_, at| now.saturating_duration_since(*at) < WHOLE_AGAIN);
        let whole = self.whole.iter();
        let due_whole =
            whole.filter(|(source, since)| due(**since, self.looked_whole.get(*source), WHOLE_AGAIN) <= now);
        let sources: Vec<SourceName> = due_whole.map(|(source, _)| source.clone()).collect();
        if !sources.is_empty() {
            self.whole.retain(|source, _| !sources.contains(source));
            self.looked_whole.extend(sources.iter().map(|source| (source.clone(), now)));
            return Some(Look { sources, repositories: Vec::new() });
        }
        let waiting = self.waiting().filter(|(key, since)| due(*since, self.looked.get(key), AGAIN) <= now);
        let repositories: Vec<RepositoryKey> = waiting.map(|(key, _)| key).collect();
        for key in &repositories {
            if let Some(names) = self.waiting.get_mut(&key.source) {
                names.remove(&key.name);
            }
        }
        self.looked.extend(repositories.iter().map(|key| (key.clone(), now)));
        (!repositories.is_empty()).then(|| Look { sources: Vec::new(), repositories })
    }

    /// Forgets what waits of all sources but these.
    pub(super) fn retain(&mut self, stays: impl Fn(&SourceName) -> bool) {
        self.waiting.retain(|source, _| stays(source));
        self.whole.retain(|source, _| stays(source));
    }

    /// A run begins that looks at everything: what was heard before needs no look of its own.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.whole.clear();
    }
}

fn due(since: Instant, looked: Option<&Instant>, again: Duration) -> Instant {
    let settled = since + SETTLE;
    looked.map_or(settled, |looked| settled.max(*looked + again))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> SourceName {
        "shop".parse().unwrap()
    }

    fn names(all: &[&str]) -> Vec<RepositoryName> {
        all.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn looked(look: Option<Look>) -> Vec<String> {
        look.map_or_else(Vec::new, |look| look.repositories.iter().map(|key| key.name.to_string()).collect())
    }

    #[test]
    fn many_events_are_one_look_and_a_flood_is_one_look_in_a_while() {
        let start = Instant::now();
        let at = |milliseconds: u64| start + Duration::from_millis(milliseconds);
        let mut pending = Pending::default();
        assert_eq!((pending.due_at(), pending.take(start)), (None, None));
        for moment in 0..50 {
            pending.hear(&source(), names(&["shop/api", "shop/web"]), at(moment * 10));
        }
        assert_eq!(pending.due_at(), Some(at(2_000)), "the first of them counts, so that a flood delays nothing");
        assert_eq!(pending.take(at(1_999)), None);
        assert_eq!(looked(pending.take(at(2_000))), ["shop/api", "shop/web"]);
        assert_eq!(pending.take(at(2_001)), None);
        // Heard again at once: looked at again, and not before half a minute.
        pending.hear(&source(), names(&["shop/api"]), at(2_100));
        pending.hear(&source(), names(&["shop/new"]), at(2_200));
        assert_eq!(pending.due_at(), Some(at(4_200)));
        assert_eq!(looked(pending.take(at(10_000))), ["shop/new"]);
        assert_eq!(pending.due_at(), Some(at(32_000)));
        assert_eq!(looked(pending.take(at(32_000))), ["shop/api"]);
        pending.hear(&source(), names(&["shop/api"]), at(40_000));
        pending.retain(|name| *name == source());
        assert!(pending.due_at().is_some());
        pending.retain(|name| *name != source());
        assert_eq!(pending.due_at(), None, "the policy has it no more");
        pending.hear(&source(), names(&["shop/api"]), at(41_000));
        pending.clear();
        assert_eq!(pending.due_at(), None);
    }

    #[test]
    fn what_waits_has_an_end_and_nothing_is_forgotten() {
        let start = Instant::now();
        let mut pending = Pending::default();
        let other: SourceName = "other".parse().unwrap();
        pending.hear(&other, names(&["a"]), start);
        for number in 0..10_000 {
            pending.hear(&source(), names(&[&format!("shop/s{number}")]), start);
        }
        assert_eq!(pending.waiting().count(), 1, "the flood takes no room");
        let due = start + SETTLE;
        assert_eq!(pending.take(due), Some(Look { sources: vec![source()], repositories: Vec::new() }));
        assert_eq!(looked(pending.take(due)), ["a"]);
        // Flooded again: the source as a whole, and far later.
        for number in 0..2_000 {
            pending.hear(&source(), names(&[&format!("shop/s{number}")]), due);
        }
        assert_eq!(pending.due_at(), Some(due + WHOLE_AGAIN));
        assert_eq!(pending.take(due + AGAIN), None);
        assert!(pending.take(due + WHOLE_AGAIN).is_some_and(|look| look.sources == [source()]));
    }
}
