//! Listing: which repositories there are, and what every tag of one points at.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use futures::stream::{self, Stream, StreamExt as _};

use super::list::{List, Pages};
use super::names::{ListingGaps, tag_names};
use super::page::{CatalogPage, Text};
use super::registry::{Registry, Repository};
use super::told::Told;
use crate::matched::Matched;
use crate::{PinLook, Reservation, outgrown};
use prodpin_core::model::{
    Cause, Gap, GapTally, NamePatterns, ObservedTag, Pin, RepositoryName, Resolution, Scope, Snapshot, Tag, TagTable,
};

/// Tags are counted against the memory budget by so many.
const COUNTED: usize = 256;

/// Gaps about names in a list that are no names: who is told of this many needs no more.
const MOST_ODD_NAMES: usize = 20;

type Found = Result<RepositoryName, Gap>;

/// Where the listing of repositories stands.
struct Listing<'a> {
    patterns: &'a NamePatterns,
    matched: &'a Matched,
    pages: Option<Pages<'a, CatalogPage>>,
    ready: VecDeque<Found>,
    known: HashSet<RepositoryName>,
    odd: HashSet<String>,
}

/// The repositories that the patterns select: those named in full first, then what the catalog adds.
pub(super) fn repositories<'a>(
    registry: &'a Registry,
    patterns: &'a NamePatterns,
    matched: &'a Matched,
) -> impl Stream<Item = Found> + Send + 'a {
    let pages = patterns.has_globs().then(|| Pages::new(registry, List::Catalog));
    let mut listing =
        Listing { patterns, matched, pages, ready: VecDeque::new(), known: HashSet::new(), odd: HashSet::new() };
    listing.take(patterns.explicit_names());
    stream::unfold(listing, async |mut listing| {
        loop {
            if let Some(found) = listing.ready.pop_front() {
                return Some((found, listing));
            }
            listing.read_page().await?;
        }
    })
}

impl Listing<'_> {
    /// Takes names in, each once, if they are selected and could be a repository's.
    fn take<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        for text in names.filter(|text| self.patterns.matches(text)) {
            match text.parse::<RepositoryName>() {
                Ok(name) if name.is_oci() => {
                    self.matched.note(self.patterns, text);
                    if self.known.insert(name.clone()) {
                        self.ready.push_back(Ok(name));
                    }
                }
                _ => {
                    if self.odd.len() < MOST_ODD_NAMES && self.odd.insert(text.to_owned()) {
                        let detail =
                            format!("{text:.160?} is no repository name that a registry takes, so it is left out");
                        self.ready.push_back(Err(Gap::new(Scope::Source, Cause::Malformed, detail)));
                    }
                }
            }
        }
    }

    /// Reads one more page; `None` once there is none.
    async fn read_page(&mut self) -> Option<()> {
        let page = match &mut self.pages {
            Some(pages) => pages.next().await,
            None => None,
        };
        match page {
            Some(Ok(page)) => {
                let names = page.repositories.unwrap_or_default();
                self.take(names.iter().map(|Text(name)| name.as_str()));
            }
            Some(Err(fault)) => {
                self.pages = None;
                self.ready.push_back(Err(refused_catalog(fault.gap(Scope::Source))));
                // What the catalog would have matched is not known: nothing is called unmatched.
                return Some(());
            }
            None => {
                self.matched.finish();
                return None;
            }
        }
        Some(())
    }
}

/// Most hosted registries refuse the catalog (C86), so the gap says what to do instead.
fn refused_catalog(gap: Gap) -> Gap {
    match gap.cause {
        Cause::Denied | Cause::NotFound | Cause::Unsupported => {
            let detail = format!(
                "{}; this registry does not list its repositories to this user: name them one by one in \
                 `repositories`, without globs",
                gap.detail
            );
            Gap { detail, ..gap }
        }
        _ => gap,
    }
}

/// Every tag of a repository with what it points at. Pages are read, resolved and dropped as they come, with as many
/// look-ups in flight as the host takes: a repository of 20,000 tags costs no more for each than 100 of 200 do.
pub(super) async fn observe(
    registry: &Registry,
    repository: &Repository,
    memory: &Reservation,
    known: &TagTable,
    told: &Told,
) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let mut listed = Listed::default();
    let listing_gaps = Mutex::new(ListingGaps::default());
    let (mut unresolved, mut outgrew) = (GapTally::default(), None);
    {
        let names = tag_names(registry, repository, &listing_gaps, Some(known));
        let looked_up = names.map(|tag| async move {
            let resolved = match told.of(&tag) {
                Some(told) => Ok(Resolution::Artifact(told.digest.clone().into())),
                None => registry.resolve(repository, &tag).await,
            };
            (tag, resolved)
        });
        let mut looked_up = std::pin::pin!(looked_up.buffer_unordered(registry.width()));
        while let Some((name, resolved)) = looked_up.next().await {
            let read = listed.count;
            if read.is_multiple_of(COUNTED) && memory.take(COUNTED * Snapshot::TAG_COST).is_err() {
                outgrew = Some(outgrown(read, "tags"));
                break;
            }
            let target = resolved.unwrap_or_else(|fault| {
                unresolved.push(fault.gap(Scope::Tag(name.clone())));
                Resolution::Unknown
            });
            let pushed = told.of(&name).and_then(|told| told.pushed).map(Box::new);
            listed.push(ObservedTag { name, target, pushed, object: None });
        }
    }
    snapshot.tags = listed.finish();
    let restless = each_once(&mut snapshot.tags);
    let ListingGaps { end, odd_names } = listing_gaps.into_inner().unwrap_or_else(PoisonError::into_inner);
    if end.is_none() && outgrew.is_none() {
        told.add_unlisted(registry, repository, &mut snapshot, &mut unresolved).await;
    }
    settle_restless(registry, repository, &mut snapshot, restless, &mut unresolved).await;
    settle_unserved(registry, repository, &mut snapshot, &mut unresolved).await;
    snapshot.tags.shrink_to_fit();
    let end = outgrew.or(end).into_iter().collect();
    snapshot.gaps = [unresolved.finish(), odd_names.finish(), end].concat();
    snapshot
}

/// What was looked up, before it is one list: a list that grows is held twice, and of a million tags that is memory (I28).
#[derive(Default)]
struct Listed {
    parts: Vec<Vec<ObservedTag>>,
    count: usize,
}

/// So many stand together.
const PART: usize = 1_024;

impl Listed {
    fn push(&mut self, tag: ObservedTag) {
        if self.count.is_multiple_of(PART) {
            self.parts.push(Vec::new());
        }
        if let Some(part) = self.parts.last_mut() {
            part.push(tag);
            self.count += 1;
        }
    }

    /// One list, for which each part is let go.
    fn finish(self) -> Vec<ObservedTag> {
        let mut tags = Vec::with_capacity(self.count);
        self.parts.into_iter().for_each(|part| tags.extend(part));
        tags
    }
}

/// A list may name a tag twice, and it is asked for twice: which answer came first is chance, and counts for nothing. What
/// was seen stands; what is not known is not "not found" (I4). Gives the tags that were seen at different artifacts.
fn each_once(tags: &mut Vec<ObservedTag>) -> BTreeSet<Tag> {
    let mut restless = BTreeSet::new();
    tags.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    tags.dedup_by(|again, first| {
        if again.name != first.name {
            return false;
        }
        match (&first.target, &again.target) {
            (Resolution::Artifact(one), Resolution::Artifact(other)) if one != other => {
                restless.insert(first.name.clone());
            }
            (Resolution::NotFound, _) | (Resolution::Unknown, Resolution::Artifact(_)) => {
                first.target = again.target.clone();
            }
            (Resolution::Artifact(_) | Resolution::Unknown, _) => {}
        }
        true
    });
    restless
}

/// Tags that moved while the list was read, or of which the registry says now this and now that. They are asked for twice
/// more, one after the other: what holds now is said again.
async fn settle_restless(
    registry: &Registry,
    repository: &Repository,
    snapshot: &mut Snapshot,
    restless: BTreeSet<Tag>,
    unresolved: &mut GapTally,
) {
    let asked = restless.into_iter().map(|tag| async move {
        let target = match registry.resolve(repository, &tag).await {
            Ok(now) => registry.resolve(repository, &tag).await.map(|again| (now, again)),
            Err(fault) => Err(fault),
        };
        (tag, target)
    });
    let mut asked = stream::iter(asked).buffer_unordered(registry.width());
    while let Some((tag, answers)) = asked.next().await {
        let target = match answers {
            Ok((now, again)) if now == again => now,
            Ok((now, again)) => {
                let said = |target: &Resolution| match target {
                    Resolution::Artifact(artifact) => artifact.to_string(),
                    Resolution::NotFound | Resolution::Unknown => "nothing".to_owned(),
                };
                let (now, again) = (said(&now), said(&again));
                let detail = format!("the registry says that tag {tag} names {now}, and, asked again, {again}");
                unresolved.push(Gap::new(Scope::Tag(tag.clone()), Cause::Malformed, detail));
                Resolution::Unknown
            }
            Err(fault) => {
                unresolved.push(fault.gap(Scope::Tag(tag.clone())));
                Resolution::Unknown
            }
        };
        if let Ok(at) = snapshot.tags.binary_search_by(|seen| seen.name.cmp(&tag)) {
            snapshot.tags[at].target = target;
        }
    }
}

/// So many tags that are listed and not served are asked why; of the others it is only said.
const ASKED_WHY: usize = 20;

/// Tags that the list names and the registry does not serve. The list is read again first: a tag may have gone between the
/// two. What is still listed then is not gone, whatever a look-up says (I4).
async fn settle_unserved(
    registry: &Registry,
    repository: &Repository,
    snapshot: &mut Snapshot,
    unresolved: &mut GapTally,
) {
    let not_found = |tag: &ObservedTag| tag.target == Resolution::NotFound;
    let mut unserved: BTreeSet<Tag> =
        snapshot.tags.iter().filter(|tag| not_found(tag)).map(|tag| tag.name.clone()).collect();
    if unserved.is_empty() {
        return;
    }
    let gaps = Mutex::new(ListingGaps::default());
    let named = tag_names(registry, repository, &gaps, None).filter(|tag| std::future::ready(unserved.contains(tag)));
    let listed: HashSet<Tag> = named.collect().await;
    let end = gaps.into_inner().unwrap_or_else(PoisonError::into_inner).end;
    match end {
        None => unserved.retain(|tag| listed.contains(tag)),
        Some(gap) => {
            let detail =
                format!("{} listed tags are not served; reading the list again: {}", unserved.len(), gap.detail);
            unresolved.push(Gap { detail, ..gap });
        }
    }
    for tag in snapshot.tags.iter_mut().filter(|tag| not_found(tag) && unserved.contains(&tag.name)) {
        tag.target = Resolution::Unknown;
    }
    for (at, tag) in unserved.into_iter().enumerate() {
        let why = if at < ASKED_WHY { registry.why_unserved(repository, &tag).await } else { String::new() };
        snapshot.unserved.insert(tag, why);
    }
}

/// The first pin in the list of tags, by its name alone.
pub(super) async fn look_for_pin(registry: &Registry, repository: &Repository) -> PinLook {
    let gaps = Mutex::new(ListingGaps::default());
    let pin = {
        let names = tag_names(registry, repository, &gaps, None);
        let pins = names.filter(|tag| std::future::ready(Pin::read(tag).is_some()));
        std::pin::pin!(pins).next().await
    };
    match (pin, gaps.into_inner().unwrap_or_else(PoisonError::into_inner).end) {
        (Some(pin), _) => PinLook::Pin(pin.to_string()),
        (None, Some(gap)) => PinLook::Unread(gap),
        (None, None) => PinLook::NoPin { unasked: 0 },
    }
}

#[cfg(test)]
mod tests {
    use prodpin_core::model::Digest;

    use super::*;

    fn artifact(name: &str) -> Resolution {
        Resolution::Artifact(Digest::sha256(name.as_bytes()).into())
    }

    /// What is made of these answers, in the order in which they came, and whether the tag is asked for again.
    fn made_of(answers: &[&Resolution]) -> (Resolution, bool) {
        let observed = |name: &str, target: &Resolution| ObservedTag {
            name: name.parse().unwrap(),
            target: target.clone(),
            pushed: None,
            object: None,
        };
        let mut tags: Vec<ObservedTag> = answers.iter().map(|target| observed("v1", target)).collect();
        tags.insert(1, observed("v0", &artifact("other")));
        let restless = each_once(&mut tags);
        let names: Vec<&str> = tags.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(names, ["v0", "v1"], "each once");
        (tags[1].target.clone(), restless.contains("v1"))
    }

    #[test]
    fn which_of_two_answers_came_first_decides_nothing_i4_f19() {
        let [a, unknown, none] = [artifact("a"), Resolution::Unknown, Resolution::NotFound];
        for (one, other, expected) in
            [(&a, &a, &a), (&a, &unknown, &a), (&a, &none, &a), (&unknown, &none, &unknown), (&none, &none, &none)]
        {
            for answers in [[one, other], [other, one]] {
                assert_eq!(made_of(&answers), (expected.clone(), false), "{answers:?}");
            }
        }
        for answers in [[&a, &unknown, &none], [&none, &unknown, &a], [&unknown, &a, &none], [&none, &a, &unknown]] {
            assert_eq!(made_of(&answers), (a.clone(), false), "{answers:?}");
        }
    }

    #[test]
    fn a_tag_seen_at_two_artifacts_is_asked_for_again_f19() {
        let [a, b, none] = [artifact("a"), artifact("b"), Resolution::NotFound];
        for answers in [&[&a, &b][..], &[&b, &a], &[&a, &none, &b], &[&none, &b, &a], &[&a, &a, &b]] {
            assert!(made_of(answers).1, "{answers:?}");
        }
    }
}
