//! GitLab: what the cleanup policy of a project takes from a repository of its container registry (K57, and the services for
//! container repositories in GitLab's own sources).
//!
//! A run takes tags, and what a tag named stays until garbage collection finds it without one. Of a repository's tags it leaves out
//! `latest`, those that do not match the one expression or do match the other, and those that a rule of the project protects.
//! Of the rest it keeps the newest, counted over all of them or over each thousand in order of name, as the registry behind is of
//! the older or of the newer kind; and of what is then left whatever is not old. What counts as a tag's date differs between the
//! two kinds, too. Which of them it is nobody says, so that both are worked out.

mod pattern;
mod policy;
mod recommend;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use self::pattern::TagPattern;
pub use self::policy::{CleanupPolicy, PolicyProblem, ProtectionRules};
pub use self::recommend::recommend;
use crate::model::Tag;

/// A registry with a database gives tags to the cleanup in pages of so many, by name, and each page keeps its own newest.
const PAGE: usize = 1_000;

/// When something happened, as far as GitLab knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Then.
    At(Timestamp),
    /// GitLab has no date: it counts such a tag as the newest, and never as old.
    Never,
    /// GitLab may have one that nobody told.
    Unknown,
}

/// One tag of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatedTag {
    /// Its name.
    pub name: Tag,
    /// When it was last pushed or moved: what a registry with a database goes by.
    pub pushed: When,
    /// When its image was built: what a registry without one goes by.
    pub built: When,
}

/// What a run makes of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It stays.
    Stays,
    /// It goes or stays, by what nobody told.
    Open,
    /// It goes.
    Goes,
}

/// Why a tag is none of those that a run may take, or that it is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is called `latest`.
    Latest,
    /// A rule of the project protects it, which may be taken away.
    Protected,
    /// It does not match the expression for what goes.
    Unmatched,
    /// It matches the expression for what stays.
    Preserved,
    /// It may be taken, and it is counted.
    Counted,
    /// It may be, by an expression that was not told.
    Perhaps,
}

/// A project's rules.
#[derive(Debug, Clone)]
pub struct Rules {
    policy: CleanupPolicy,
    protection: ProtectionRules,
}

impl Rules {
    /// Those of one project.
    #[must_use]
    pub fn new(policy: CleanupPolicy, protection: ProtectionRules) -> Self {
        Self { policy, protection }
    }

    /// The cleanup policy.
    #[must_use]
    pub fn policy(&self) -> &CleanupPolicy {
        &self.policy
    }

    /// How a tag stands to the rules, whatever its date is.
    #[must_use]
    pub fn standing(&self, tag: &Tag) -> Standing {
        let name = tag.as_str();
        let fits = |pattern: &Option<TagPattern>| pattern.as_ref().is_some_and(|pattern| pattern.is_match(name));
        match () {
            () if name == "latest" => Standing::Latest,
            () if self.protection.protects(name) => Standing::Protected,
            () if !fits(&self.policy.delete) => Standing::Unmatched,
            () => match &self.policy.keep {
                None => Standing::Perhaps,
                Some(keep) if fits(keep) => Standing::Preserved,
                Some(_) => Standing::Counted,
            },
        }
    }

    /// What a run at this moment makes of each tag, with so many further tags pushed before it that are counted, too.
    #[must_use]
    pub fn judge(&self, tags: &[DatedTag], now: Timestamp, pushes: usize) -> BTreeMap<Tag, Fate> {
        // A protected tag is counted all the same: it is left out where tags are deleted, after the newest were told apart.
        let is_counted = |tag: &&DatedTag| self.is_counted(&tag.name);
        let mut counted: Vec<&DatedTag> = tags.iter().filter(is_counted).collect();
        counted.sort_by(|a, b| a.name.cmp(&b.name));
        let names: BTreeSet<&Tag> = tags.iter().map(|tag| &tag.name).collect();
        let mut fates: BTreeMap<Tag, Fate> = tags.iter().map(|tag| (tag.name.clone(), Fate::Stays)).collect();
        let pages = self.by_page(&counted, names.len(), now, pushes);
        let whole = self.among(&counted, |tag| tag.built, now, pushes);
        for ((tag, page), whole) in counted.iter().zip(pages).zip(whole) {
            let fate = match (self.standing(&tag.name), page, whole) {
                (Standing::Protected, ..) => Fate::Stays,
                (Standing::Perhaps, Fate::Goes, Fate::Goes) => Fate::Open,
                (_, page, whole) if page == whole => page,
                _ => Fate::Open,
            };
            fates.insert(tag.name.clone(), fate);
        }
        fates
    }

    /// Whether a tag takes a place among those of which a run keeps the newest, if it does not pass over it altogether.
    #[must_use]
    pub fn is_counted(&self, tag: &Tag) -> bool {
        match self.standing(tag) {
            Standing::Counted | Standing::Perhaps => true,
            Standing::Protected => {
                let unprotected = Self { policy: self.policy.clone(), protection: ProtectionRules::default() };
                matches!(unprotected.standing(tag), Standing::Counted | Standing::Perhaps)
            }
            Standing::Latest | Standing::Unmatched | Standing::Preserved => false,
        }
    }

    /// Whether all of so many tags are counted together, whatever the registry is. One more than that, and where pages end
    /// decides who stands before whom.
    #[must_use]
    pub const fn fit_one_page(tags: usize) -> bool {
        tags <= PAGE
    }

    /// As a registry with a database does. Where all tags fit into one page, that is the whole list; else where pages end depends
    /// on every tag there is, those not counted among them, and pushes come into any of them.
    fn by_page(&self, counted: &[&DatedTag], all: usize, now: Timestamp, pushes: usize) -> Vec<Fate> {
        let pushed = |tag: &DatedTag| tag.pushed;
        if all + pushes <= PAGE {
            return self.among(counted, pushed, now, pushes);
        }
        // In a page of its own a tag meets nobody, and in one with all others everybody.
        let met = self.among(counted, pushed, now, pushes);
        let alone = counted.iter().map(|tag| self.alone(pushed(tag), now));
        met.into_iter().zip(alone).map(|(met, alone)| if met == alone { met } else { met.min(Fate::Open) }).collect()
    }

    /// A tag that is counted with no other one.
    fn alone(&self, date: When, now: Timestamp) -> Fate {
        let number =
            self.policy.keep_number.map_or(Fate::Goes, |keep| if keep == 0 { Fate::Goes } else { Fate::Stays });
        number.min(self.age(date, now))
    }

    /// What becomes of each where all of them are counted together by this date.
    fn among(
        &self,
        counted: &[&DatedTag],
        date: impl Fn(&DatedTag) -> When,
        now: Timestamp,
        pushes: usize,
    ) -> Vec<Fate> {
        let mut known: Vec<Timestamp> = Vec::new();
        let (mut newest, mut unknown, mut perhaps) = (0_usize, 0_usize, 0_usize);
        for tag in counted {
            match date(tag) {
                // One that may be preserved may not be counted.
                _ if self.standing(&tag.name) == Standing::Perhaps => perhaps += 1,
                When::At(at) => known.push(at),
                When::Never => newest += 1,
                When::Unknown => unknown += 1,
            }
        }
        known.sort_unstable();
        let after = |at: Timestamp| known.len() - known.partition_point(|other| *other <= at);
        let same =
            |at: Timestamp| known.partition_point(|other| *other <= at) - known.partition_point(|other| *other < at);
        let fate = |tag: &&DatedTag| {
            let when = date(tag);
            let own = usize::from(self.standing(&tag.name) != Standing::Perhaps);
            // It stands in no way of its own.
            let doubt = unknown + perhaps - usize::from(when == When::Unknown || own == 0);
            // How many stand before it, at least and at most: of equals any may.
            let (least, most) = match when {
                When::At(at) => {
                    (pushes + newest + after(at), pushes + newest + after(at) + same(at).saturating_sub(own) + doubt)
                }
                // The moment of the run: what was pushed before it is older.
                When::Never => (0, newest.saturating_sub(own) + doubt),
                When::Unknown => (0, pushes + newest + known.len() + doubt),
            };
            let number = match self.policy.keep_number {
                None => Fate::Goes,
                Some(keep) if least as u64 >= keep => Fate::Goes,
                Some(keep) if (most as u64) < keep => Fate::Stays,
                Some(_) => Fate::Open,
            };
            number.min(self.age(when, now))
        };
        counted.iter().map(fate).collect()
    }

    /// Whether it is old enough, strictly.
    fn age(&self, date: When, now: Timestamp) -> Fate {
        let Some(older_than) = self.policy.older_than else { return Fate::Goes };
        match (date, now.checked_sub(older_than)) {
            (When::At(at), Ok(border)) if at < border => Fate::Goes,
            (When::Unknown, Ok(_)) => Fate::Open,
            _ => Fate::Stays,
        }
    }
}
