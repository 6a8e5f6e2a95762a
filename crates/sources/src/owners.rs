//! Repositories of services that list those of one owner at a time: those that are named in full, then what the owners of the
//! others list.

use std::collections::{HashSet, VecDeque};

use async_trait::async_trait;
use futures::stream::{self, Stream};

use crate::matched::Matched;
use prodpin_core::model::{Cause, Gap, NamePatterns, RepositoryName, Scope};
use prodpin_net::http::fault::Fault;

/// Gaps about names that are none: who is told of this many needs no more.
const MOST_ODD_NAMES: usize = 20;

/// More repositories than this are an attempt to fill memory (I20).
pub(crate) const MOST_OF_AN_OWNER: usize = 1_000_000;

type Found = Result<RepositoryName, Gap>;

/// Who lists the repositories of an owner.
#[async_trait]
pub(crate) trait ListsOwners: Send + Sync {
    /// Whose repositories are to be listed for a pattern with globs.
    fn owner_of<'e>(&self, entry: &'e str) -> &'e str {
        first_part(entry)
    }

    /// Whether that can be an owner. Patterns come from anywhere, a variable among them: what is none is asked of nobody.
    fn is_owner(&self, owner: &str) -> bool {
        !owner.is_empty() && owner.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }

    /// Hands on each repository of an owner by its full name, as it is read.
    async fn list(&self, owner: &str, take: &mut (dyn for<'n> FnMut(&'n str) + Send)) -> Result<(), Fault>;
}

struct Listing<'a> {
    lists: &'a dyn ListsOwners,
    patterns: &'a NamePatterns,
    matched: &'a Matched,
    /// Owners whose repositories are still to be listed.
    left: VecDeque<Box<str>>,
    ready: VecDeque<Found>,
    known: HashSet<RepositoryName>,
    odd: usize,
    /// Whether all that was asked was answered.
    whole: bool,
}

/// The repositories that the patterns select.
pub(crate) fn repositories<'a>(
    lists: &'a dyn ListsOwners,
    patterns: &'a NamePatterns,
    matched: &'a Matched,
) -> impl Stream<Item = Found> + Send + 'a {
    let (ready, known) = (VecDeque::new(), HashSet::new());
    let left = owners(patterns, |entry| lists.owner_of(entry));
    let mut listing = Listing { lists, patterns, matched, left, ready, known, odd: 0, whole: true };
    for name in patterns.explicit_names() {
        listing.take(name);
    }
    stream::unfold(listing, async |mut listing| {
        loop {
            if let Some(found) = listing.ready.pop_front() {
                return Some((found, listing));
            }
            match listing.left.pop_front() {
                Some(owner) => listing.ask(&owner).await,
                None => {
                    if listing.whole {
                        listing.matched.finish();
                    }
                    return None;
                }
            }
        }
    })
}

/// The owners of what patterns with globs select, each once.
fn owners<'p>(patterns: &'p NamePatterns, of: impl Fn(&'p str) -> &'p str) -> VecDeque<Box<str>> {
    let explicit: HashSet<&str> = patterns.explicit_names().collect();
    let mut owners: VecDeque<Box<str>> = VecDeque::new();
    for entry in patterns.included().filter(|entry| !explicit.contains(entry)) {
        let owner = of(entry);
        if !owners.iter().any(|known| **known == *owner) {
            owners.push_back(owner.into());
        }
    }
    owners
}

/// What stands before the first `/`.
fn first_part(entry: &str) -> &str {
    entry.split_once('/').map_or(entry, |(owner, _)| owner)
}

impl Listing<'_> {
    fn take(&mut self, text: &str) {
        if !self.patterns.matches(text) {
            return;
        }
        match text.parse::<RepositoryName>() {
            Ok(name) if name.is_oci() => {
                self.matched.note(self.patterns, text);
                if self.known.insert(name.clone()) {
                    self.ready.push_back(Ok(name));
                }
            }
            _ => {
                self.odd += 1;
                if self.odd <= MOST_ODD_NAMES {
                    let detail = format!("{text:.160?} is no repository name that a registry takes, so it is left out");
                    self.ready.push_back(Err(Gap::new(Scope::Source, Cause::Malformed, detail)));
                }
            }
        }
    }

    async fn ask(&mut self, owner: &str) {
        let lists = self.lists;
        let listed = match lists.is_owner(owner) {
            true => lists.list(owner, &mut |name| self.take(name)).await,
            false => Err(Fault::refused(format!(
                "repositories are listed for one owner at a time, and {owner:.80?} is none"
            ))),
        };
        if let Err(fault) = listed {
            self.whole = false;
            self.ready.push_back(Err(fault.gap(Scope::Source)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_is_asked_once_and_for_globs_alone() {
        let patterns = NamePatterns::new(["acme/api", "acme/*", "acme/team/**", "octocat/x-*", "!acme/old"]).unwrap();
        let asked: Vec<String> = owners(&patterns, first_part).into_iter().map(String::from).collect();
        assert_eq!(asked, ["acme", "octocat"]);
        let named = NamePatterns::new(["acme/api", "acme/web"]).unwrap();
        assert!(owners(&named, first_part).is_empty());
    }
}
