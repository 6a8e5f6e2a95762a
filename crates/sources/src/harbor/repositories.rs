//! Which repositories there are: projects that the patterns can mean, and what is in them.

use std::collections::{HashSet, VecDeque};

use futures::stream::{self, Stream};

use super::api::Rows;
use super::estate::Estate;
use crate::matched::Matched;
use prodpin_core::model::{Cause, Gap, NamePatterns, RepositoryName, Scope};

/// Gaps about names that are none: who is told of this many needs no more.
const MOST_ODD_NAMES: usize = 20;

type Found = Result<RepositoryName, Gap>;

/// What is asked next.
enum Step {
    Projects,
    Repositories(VecDeque<Box<str>>),
    Login,
    End,
}

struct Listing<'a> {
    estate: &'a Estate,
    patterns: &'a NamePatterns,
    matched: &'a Matched,
    step: Step,
    ready: VecDeque<Found>,
    known: HashSet<RepositoryName>,
    odd: usize,
    /// Whether all that was asked was answered.
    whole: bool,
}

/// The repositories that the patterns select: those named in full first, then what projects list.
pub(super) fn repositories<'a>(
    estate: &'a Estate,
    patterns: &'a NamePatterns,
    matched: &'a Matched,
) -> impl Stream<Item = Found> + Send + 'a {
    let step = if patterns.has_globs() { Step::Projects } else { Step::End };
    let (ready, known) = (VecDeque::new(), HashSet::new());
    let mut listing = Listing { estate, patterns, matched, step, ready, known, odd: 0, whole: true };
    for name in patterns.explicit_names() {
        listing.take(name);
    }
    stream::unfold(listing, async |mut listing| {
        loop {
            if let Some(found) = listing.ready.pop_front() {
                return Some((found, listing));
            }
            listing.go_on().await?;
        }
    })
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
            _ => self.is_odd(text),
        }
    }

    fn is_odd(&mut self, text: &str) {
        self.odd += 1;
        if self.odd <= MOST_ODD_NAMES {
            let detail = format!("{text:.160?} is no name that a registry takes, so it is left out");
            self.ready.push_back(Err(Gap::new(Scope::Source, Cause::Malformed, detail)));
        }
    }

    fn lacks(&mut self, gap: Gap) {
        self.whole = false;
        self.ready.push_back(Err(gap));
    }

    /// One step more; `None` after the last.
    async fn go_on(&mut self) -> Option<()> {
        match &mut self.step {
            Step::Projects => {
                let Rows { rows, end } = self.estate.projects().await;
                let (named, odd): (Vec<Box<str>>, Vec<Box<str>>) =
                    rows.into_iter().map(|row| row.name).partition(|name| is_project(name));
                odd.iter().for_each(|name| self.is_odd(name));
                let wanted = named.into_iter().filter(|name| may_hold(self.patterns, name));
                self.step = Step::Repositories(wanted.collect());
                if let Some(fault) = end {
                    self.lacks(fault.gap(Scope::Source));
                }
            }
            Step::Repositories(projects) => match projects.pop_front() {
                Some(project) => {
                    let listed = self.estate.repositories(&project).await;
                    for name in listed.names.iter() {
                        self.take(&format!("{project}/{name}"));
                    }
                    if let Some(fault) = listed.end.clone() {
                        self.lacks(fault.gap(Scope::Source));
                    }
                }
                None => self.step = Step::Login,
            },
            // Asked at the end: what was listed before a robot account was disabled was listed to it, and nothing after.
            Step::Login => {
                self.step = Step::End;
                if let Err(fault) = self.estate.must_be_logged_in().await {
                    self.lacks(fault.gap(Scope::Source));
                }
            }
            Step::End => {
                if self.whole {
                    self.matched.finish();
                }
                return None;
            }
        }
        Some(())
    }
}

/// Whether a name can stand in a path.
fn is_project(name: &str) -> bool {
    !name.contains('/') && name.parse::<RepositoryName>().is_ok_and(|name| name.is_oci())
}

/// Whether a repository of this project may be selected, by what stands before the first `/`.
fn may_hold(patterns: &NamePatterns, project: &str) -> bool {
    patterns.included().any(|entry| {
        let (front, is_cut) = entry.split_once('/').map_or((entry, false), |(front, _)| (front, true));
        // A part of an alternative is no pattern of its own.
        if !is_cut || front.contains("**") || front.contains(['{', '[', '\\']) {
            return true;
        }
        NamePatterns::new([front]).map_or(true, |front| front.matches(project))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_asked_if_a_pattern_may_mean_it() {
        for (entries, project, expected) in [
            (&["shop/*"][..], "shop", true),
            (&["shop/*"], "pay", false),
            (&["sh?p/**", "pay/api"], "shop", true),
            (&["pay/api"], "pay", true),
            (&["**"], "any", true),
            (&["**/api"], "any", true),
            (&["{shop,pay}/*"], "pay", true),
            (&["{shop/api,pay/*}"], "pay", true),
            (&["[a-c]*/x"], "zoo", true),
            (&["*/api", "!shop/*"], "shop", true),
        ] {
            let patterns = NamePatterns::new(entries).unwrap();
            assert_eq!(may_hold(&patterns, project), expected, "{entries:?} {project}");
        }
    }
}
