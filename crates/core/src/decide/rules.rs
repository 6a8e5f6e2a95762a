//! What the policy asks, and what kind of tag a tag is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{
    DatabaseRule, NamePatterns, ObservedTag, Pin, ProductionRule, RepositoryName, RepositoryState, Snapshot, Tag,
    attaching_tag,
};

use super::order::{Version, natural};

/// What the policy asks of every repository.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How many production artifacts to keep.
    pub keep: u32,
    /// What counts as production.
    pub production: Vec<ProductionRule>,
    /// Tags that may move.
    pub may_move: NamePatterns,
}

impl Rules {
    /// Whether some rule says that tags with this label are releases.
    pub(super) fn is_release(&self, label: &str) -> bool {
        self.production.iter().any(|rule| match rule {
            ProductionRule::Tags { patterns, .. } => patterns.matches(label),
            ProductionRule::MovingTag(_) | ProductionRule::InUse => false,
        })
    }

    /// Whether some rule names this tag: as a release, or as one that moves.
    #[must_use]
    pub fn names(&self, tag: &Tag, label: &str) -> bool {
        self.is_release(label) || self.production.iter().any(|rule| rule.is_moving(tag, label))
    }

    /// Whether a rule says that this tag moves by design. `latest` is a moving tag by nature of its name alone, so
    /// only `may_move` excuses it.
    pub(super) fn is_moving_tag(&self, tag: &Tag, label: &str) -> bool {
        label != "latest" && self.production.iter().any(|rule| rule.is_moving(tag, label))
    }

    /// Whether the policy lets this tag move.
    pub(super) fn may_move(&self, tag: &Tag, label: &str) -> bool {
        self.may_move.matches(label) || self.may_move.matches(tag.as_str()) || self.is_moving_tag(tag, label)
    }
}

impl ProductionRule {
    fn is_moving(&self, tag: &Tag, label: &str) -> bool {
        matches!(self, Self::MovingTag(moving) if moving == tag || moving.as_str() == label)
    }
}

/// Whether a tag looks like a release to anyone: `v1`, `1.2.3`.
pub(super) fn looks_like_release(label: &str) -> bool {
    Version::read(label).is_some_and(|version| version.conventional)
}

/// Whether a tag is watched for moves. Pins are judged by their own name; tags that attach signatures and other
/// referrers to a digest are rewritten by design (C91).
pub(super) fn is_watched(tag: &Tag) -> bool {
    Pin::read(tag).is_none() && attaching_tag(tag).is_none()
}

/// Which entries of the policy have matched nothing so far. An entry that never matches is a finding: more often a
/// typing error than a wish.
#[derive(Debug, Clone, Default)]
pub struct Uses {
    unmatched: Vec<Entry>,
    /// Of each production rule how many entries it has.
    rules: Vec<usize>,
    /// Tags that are there, one for each kind of name.
    seen: Examples,
}

#[derive(Debug, Clone)]
struct Entry {
    reported: String,
    probe: Probe,
    /// The production rule that it is of.
    rule: Option<usize>,
}

#[derive(Debug, Clone)]
enum Probe {
    Pattern(Arc<NamePatterns>),
    Moving(Tag),
    Repository(Arc<NamePatterns>),
}

impl Uses {
    /// Everything in the policy that could match a tag, or a repository in `database:`.
    #[must_use]
    pub fn from_rules(rules: &Rules, database: &[DatabaseRule]) -> Self {
        let one = |what: &str, entry: &str| {
            let probe = Probe::Pattern(Arc::new(NamePatterns::new([entry]).ok()?));
            Some((format!("{what} {entry:?}"), probe))
        };
        let included = |patterns: &NamePatterns, what: &str| -> Vec<(String, Probe)> {
            patterns.included().filter_map(|entry| one(what, entry)).collect()
        };
        let mut unmatched = Vec::new();
        let mut sizes = Vec::new();
        for (number, rule) in rules.production.iter().enumerate() {
            let entries = match rule {
                ProductionRule::Tags { patterns, .. } => included(patterns, "production tags"),
                ProductionRule::MovingTag(tag) => {
                    vec![(format!("production moving_tag {:?}", tag.as_str()), Probe::Moving(tag.clone()))]
                }
                ProductionRule::InUse => Vec::new(),
            };
            sizes.push(entries.len());
            unmatched.extend(entries.into_iter().map(|(reported, probe)| Entry {
                reported,
                probe,
                rule: Some(number),
            }));
        }
        let others = included(&rules.may_move, "tags may_move").into_iter();
        unmatched.extend(others.map(|(reported, probe)| Entry { reported, probe, rule: None }));
        // By repository alone: a release that a rule names goes out of sight in the course of time.
        for (entry, probe) in database.iter().flat_map(|rule| included(&rule.repositories, "database repositories")) {
            if let Probe::Pattern(patterns) = probe {
                unmatched.push(Entry { reported: entry, probe: Probe::Repository(patterns), rule: None });
            }
        }
        Self { unmatched, rules: sizes, seen: Examples::default() }
    }

    /// Forgets the entries that match this repository, or some tag here, listed or known from before.
    pub fn observe(&mut self, repository: &RepositoryName, snapshot: &Snapshot, state: &RepositoryState) {
        self.seen.add(snapshot.tags.iter().filter(|tag| is_watched(&tag.name)).map(ObservedTag::label));
        self.unmatched.retain(|Entry { probe, .. }| {
            if let Probe::Repository(patterns) = probe {
                return !patterns.matches(repository.as_str());
            }
            let mut listed = snapshot.tags.iter().filter(|tag| Pin::read(&tag.name).is_none());
            let listed = listed.any(|tag| probe.matches(&tag.name, tag.label()));
            !(listed || state.tags.keys().any(|tag| probe.matches(tag, tag.as_str())))
        });
    }

    /// Whether everything has matched, so that looking on is needless.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.unmatched.is_empty()
    }

    /// What is unmatched both here and there.
    pub fn intersect(&mut self, other: &Self) {
        self.unmatched.retain(|entry| {
            other.unmatched.iter().any(|theirs| (theirs.rule, &theirs.reported) == (entry.rule, &entry.reported))
        });
        self.seen.add(other.seen.0.values().map(|tag| &**tag));
    }

    /// The entries that matched nothing, as the policy names them, but those of a production rule of which none did.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        let idle: BTreeSet<usize> = self.idle().map(|(rule, _)| rule).collect();
        let others = self.unmatched.iter().filter(move |entry| entry.rule.is_none_or(|rule| !idle.contains(&rule)));
        others.map(|entry| entry.reported.as_str())
    }

    /// The production rules of which no entry matched, with those.
    pub fn idle(&self) -> impl Iterator<Item = (usize, Vec<&str>)> {
        let all = self.rules.iter().enumerate().filter(|(_, size)| **size > 0);
        all.filter_map(|(rule, size)| {
            let entries = self.unmatched.iter().filter(|entry| entry.rule == Some(rule));
            let entries: Vec<&str> = entries.map(|entry| entry.reported.as_str()).collect();
            (entries.len() == *size).then_some((rule, entries))
        })
    }

    /// A few of the tags that are there, each of another kind.
    pub fn seen(&self) -> impl Iterator<Item = &str> {
        self.seen.0.values().map(|tag| &**tag)
    }
}

/// Tags by what their names begin with, one each: which ones does not depend on who is looked at first.
#[derive(Debug, Clone, Default)]
struct Examples(BTreeMap<(bool, Box<str>), Box<str>>);

/// So many examples are reported.
const EXAMPLES: usize = 5;

impl Examples {
    fn add<'a>(&mut self, tags: impl Iterator<Item = &'a str>) {
        for tag in tags {
            let word: String = tag.chars().take_while(char::is_ascii_alphabetic).take(16).collect();
            let kind = (!looks_like_release(tag), word.into_boxed_str());
            match self.0.get_mut(&kind) {
                Some(known) if natural(known, tag).is_lt() => *known = tag.into(),
                Some(_) => {}
                None => {
                    self.0.insert(kind, tag.into());
                    if self.0.len() > EXAMPLES {
                        self.0.pop_last();
                    }
                }
            }
        }
    }
}

impl Probe {
    fn matches(&self, tag: &Tag, label: &str) -> bool {
        match self {
            Self::Pattern(pattern) => {
                pattern.matches(label) || (label != tag.as_str() && pattern.matches(tag.as_str()))
            }
            Self::Moving(moving) => moving == tag || moving.as_str() == label,
            Self::Repository(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    #[test]
    fn tags_rewritten_by_design_are_not_watched() {
        let hex = Digest::sha256(b"x").hex();
        for tag in [format!("sha256-{hex}"), format!("sha256-{hex}.sig"), format!("prod-pinned-{hex}")] {
            assert!(!is_watched(&tag.parse().unwrap()), "{tag}");
        }
        for tag in
            ["sha256-abc".to_owned(), format!("sha256-{hex}."), format!("x-sha256-{hex}"), "prod-pinned-v1".to_owned()]
        {
            assert!(is_watched(&tag.parse().unwrap()), "{tag}");
        }
    }
}
