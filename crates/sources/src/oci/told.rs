//! What a vendor's own interface told of tags, a page at a time, so that the registry need not be asked for each. The registry's
//! list still says which tags there are: a page that the vendor left out costs requests, and hides nothing.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;

use super::observe;
use super::registry::{Registry, Repository};
use crate::Reservation;
use prodpin_core::model::{
    Digest, Gap, GapTally, ObservedTag, RepositoryName, Resolution, Scope, Snapshot, Tag, TagTable,
};

/// What was told of one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToldTag {
    pub(crate) digest: Digest,
    /// When what it names was pushed.
    pub(crate) pushed: Option<Timestamp>,
}

/// What was told of a repository's tags.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// None: it was told to name different things, so that the registry is asked.
    tags: BTreeMap<Tag, Option<ToldTag>>,
}

impl Told {
    /// What one tag costs while its repository is looked at, beside what it costs anyway.
    pub(crate) const COST: usize = 250;

    /// Takes in what was told. Pages that were read one after the other may name a tag twice.
    pub(crate) fn take(&mut self, tag: Tag, told: ToldTag) {
        let known = self.tags.entry(tag).or_insert_with(|| Some(told.clone()));
        if known.as_ref().is_some_and(|known| known.digest != told.digest) {
            *known = None;
        }
    }

    /// What was told of it.
    pub(super) fn of(&self, tag: &Tag) -> Option<&ToldTag> {
        self.tags.get(tag)?.as_ref()
    }

    /// Tags that were told and are not in a list that was read to its end: gone since, or left out of the list. The registry
    /// is asked which.
    pub(super) async fn add_unlisted(
        &self,
        registry: &Registry,
        repository: &Repository,
        snapshot: &mut Snapshot,
        unresolved: &mut GapTally,
    ) {
        let is_listed = |tag: &Tag| snapshot.tags.binary_search_by(|seen| seen.name.cmp(tag)).is_ok();
        let unlisted: Vec<Tag> = self.tags.keys().filter(|tag| !is_listed(tag)).cloned().collect();
        let asked = unlisted.into_iter().map(|tag| async move {
            let resolved = registry.resolve(repository, &tag).await;
            (tag, resolved)
        });
        let mut asked = stream::iter(asked).buffer_unordered(registry.width());
        let mut found = Vec::new();
        while let Some((tag, resolved)) = asked.next().await {
            let target = match resolved {
                Ok(Resolution::NotFound) => continue,
                Ok(target) => target,
                Err(fault) => {
                    unresolved.push(fault.gap(Scope::Tag(tag.clone())));
                    Resolution::Unknown
                }
            };
            let pushed = self.of(&tag).and_then(|told| told.pushed).map(Box::new);
            found.push(ObservedTag { name: tag, target, pushed, object: None });
        }
        snapshot.tags.extend(found);
        snapshot.tags.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    }
}

/// Every tag of a repository, those that were told without a request for each.
pub(crate) async fn observe_told(
    registry: &Registry,
    name: &RepositoryName,
    memory: &Reservation,
    known: &TagTable,
    told: &Told,
) -> Snapshot {
    match registry.repository(name) {
        Ok(repository) => observe::observe(registry, &repository, memory, known, told).await,
        Err(fault) => {
            let gap: Gap = fault.gap(Scope::Repository);
            Snapshot { gaps: vec![gap], ..Snapshot::default() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_was_told_twice_and_not_the_same_is_asked_for_f19() {
        let told = |name: &str| ToldTag { digest: Digest::sha256(name.as_bytes()), pushed: None };
        let (mut all, tag) = (Told::default(), "v1".parse::<Tag>().unwrap());
        all.take(tag.clone(), told("a"));
        all.take(tag.clone(), told("a"));
        assert_eq!(all.of(&tag), Some(&told("a")));
        all.take(tag.clone(), told("b"));
        assert_eq!(all.of(&tag), None);
        all.take(tag.clone(), told("a"));
        assert_eq!(all.of(&tag), None, "once in doubt, it stays so");
    }
}
