//! Whom one more pin concerns. A pin is a tag: it can bring its image under another rule, make it count where it did not,
//! and, if it keeps the image, leave it counted where it would have made room (A30).

use std::collections::BTreeSet;

use super::clock::{Membership, arrived};
use super::coverage::RuleCoverage;
use super::family::Family;
use super::pace::Pace;
use super::recommend::holds;
use super::rule::{Count, Rule, StorageClass};
use super::{Lifecycle, Repository};
use crate::model::{Certainty, Digest, Due, EcrImage, ImageStatus, Pin, Tag, Threat};

/// Whose outlook a pin on an image can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Nobody's.
    Nobody,
    /// At most that of these.
    Images(BTreeSet<Digest>),
}

/// Whose outlook the pin of an image can change; none if the image is not among those given.
#[must_use]
pub fn reach(lifecycle: &Lifecycle, repository: &Repository<'_>, digest: &Digest) -> Option<Reach> {
    let image = repository.images.iter().find(|image| image.digest == *digest)?;
    let changed = changed(lifecycle.rules(), image);
    if changed.is_empty() {
        return Some(Reach::Nobody);
    }
    let family = Family::new(repository);
    let counted = |image: &EcrImage| {
        let counts = |rule: &&&Rule| matches!(rule.count, Count::MoreThan(_)) && rule.matches(&image.tags);
        changed.iter().any(|rule| counts(&rule))
    };
    let concerned = |(_, other): &(usize, &EcrImage)| other.digest == *digest || counted(other);
    let mut next: Vec<usize> = repository.images.iter().enumerate().filter(concerned).map(|(place, _)| place).collect();
    let mut reached: BTreeSet<usize> = BTreeSet::new();
    while let Some(place) = next.pop() {
        if reached.insert(place) {
            next.extend(family.referrers(place).iter().chain(family.children(place)));
        }
    }
    Some(Reach::Images(reached.into_iter().map(|place| repository.images[place].digest.clone()).collect()))
}

/// Whether the pin harms nobody by the rules alone, whatever else is in the repository: no rule looks at the image
/// otherwise than before, or the first that does keeps pins for good and has room for one more, and no other counts it or
/// what has no tag, as what refers to it has none, and stays with it. So many images carry a pin already.
#[must_use]
pub fn is_harmless_anywhere(lifecycle: &Lifecycle, image: &EcrImage, pins: u64) -> bool {
    let changed = changed(lifecycle.rules(), image);
    if changed.is_empty() {
        return true;
    }
    let tags: Vec<Tag> = image.tags.iter().cloned().chain(pin(image)).collect();
    let mut own = lifecycle.rules().iter().filter(|rule| rule.class == StorageClass::Standard && rule.matches(&tags));
    let shields = |rule: &Rule| is_shield(rule, pins.saturating_add(1));
    let claimed = own.next().is_some_and(shields);
    let counts = |rule: &Rule| matches!(rule.count, Count::MoreThan(_));
    let counted = own.any(counts) || lifecycle.rules().iter().any(|rule| counts(rule) && rule.matches(&[]));
    image.status == ImageStatus::Active && claimed && !counted && changed.iter().all(|rule| shields(rule))
}

/// Whether an image with its pin stands under any rule that it would not stand under without it, but for such as keep
/// so many pins for good.
#[must_use]
pub fn pin_matters(lifecycle: &Lifecycle, image: &EcrImage, pins: u64) -> bool {
    let own = Pin::for_digest(&image.digest);
    let tags: Box<[Tag]> = image.tags.iter().filter(|tag| Pin::read(tag).as_ref() != Some(&own)).cloned().collect();
    let bare = EcrImage { tags, ..image.clone() };
    changed(lifecycle.rules(), &bare).iter().any(|rule| !is_shield(rule, pins))
}

/// Whether the number of a rule is one of pins to come: nothing else can make it look at an image.
#[must_use]
pub fn counts_pins_alone(lifecycle: &Lifecycle, priority: &str) -> bool {
    let named = |rule: &&Rule| rule.priority.to_string() == priority;
    let rule = lifecycle.rules().iter().find(named);
    rule.is_some_and(|rule| rule.is_for_pins() && matches!(rule.count, Count::MoreThan(_)))
}

/// One image that loses a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Displacement {
    /// The image.
    pub digest: Digest,
    /// What takes it, and when, with the other one still counted.
    pub with: Threat,
    /// What stays, and counts.
    pub by: Digest,
}

/// Who loses a place because these stay that a rule would have taken, each with what would have taken it. A rule that
/// counts goes on counting what another rule claims. By the same rule nobody loses anything: whoever is older goes first.
#[must_use]
pub fn displacements(
    lifecycle: &Lifecycle,
    repository: &Repository<'_>,
    stay: &[(Digest, Threat)],
    pace: &Pace,
) -> Vec<Displacement> {
    if stay.is_empty() {
        return Vec::new();
    }
    let coverage = RuleCoverage::new(lifecycle, repository);
    let family = Family::new(repository);
    let counting = |rule: &&(usize, &Rule)| matches!(rule.1.count, Count::MoreThan(_)) && !rule.1.is_for_pins();
    let rules: Vec<(usize, &Rule)> = lifecycle.rules().iter().enumerate().filter(|rule| counting(&rule)).collect();
    let mut found: Vec<Displacement> = Vec::new();
    for (digest, lost) in stay {
        let Some(place) = family.place(digest) else { continue };
        for (index, rule) in &rules {
            let counts = coverage.looks_at(*index, place) && coverage.membership(rule.class, place) > Membership::No;
            if counts && rule.priority.to_string() != lost.rule {
                let seat = Seat { coverage: &coverage, lifecycle, rule, index: *index, place, lost, pace };
                found.extend(seat.losers());
            }
        }
    }
    found.sort_by(|a, b| a.digest.cmp(&b.digest));
    found.dedup_by(|a, b| a.digest == b.digest);
    found
}

/// A place among those that a rule keeps, and who has it now.
struct Seat<'a> {
    coverage: &'a RuleCoverage<'a>,
    lifecycle: &'a Lifecycle,
    rule: &'a Rule,
    index: usize,
    place: usize,
    /// What would have freed it.
    lost: &'a Threat,
    pace: &'a Pace,
}

impl Seat<'_> {
    fn losers(&self) -> impl Iterator<Item = Displacement> + '_ {
        let images = self.coverage.images;
        let own = arrived(&images[self.place]);
        let behind = move |other: usize| match (arrived(&images[other]), own) {
            (Some(other), Some(own)) => other <= own,
            _ => true,
        };
        (0..images.len())
            .filter(move |other| *other != self.place && behind(*other))
            .filter(|other| self.coverage.governor(self.rule.class, *other) == Some(self.index))
            .filter_map(|other| self.loser(other))
    }

    fn loser(&self, other: usize) -> Option<Displacement> {
        let Count::MoreThan(keep) = self.rule.count else { return None };
        let ahead = self.coverage.ahead(self.rule.class, other);
        let sure = self.coverage.membership(self.rule.class, other) == Membership::Sure;
        // It goes now, whoever stays.
        if ahead.least >= keep && sure {
            return None;
        }
        let pushes = keep.saturating_sub(ahead.most);
        let around = self.pace.around(self.rule, pushes);
        if let Due::AfterPushes { pushes: needed, around: freed } = &self.lost.due {
            // The place is free only after so many pushes, and by then the other one is gone.
            let all_count = self.losing_rule().is_some_and(|losing| self.rule.implies(losing));
            let sooner = around.zip(*freed).is_some_and(|(around, freed)| around <= freed);
            if (all_count && pushes <= *needed) || sooner {
                return None;
            }
        }
        let image = &self.coverage.images[other];
        let by = &self.coverage.images[self.place].digest;
        let due = if pushes == 0 { Due::Now } else { Due::AfterPushes { pushes, around } };
        let certainty = if ahead.least == ahead.most && sure { Certainty::Certain } else { Certainty::Possible };
        let why = format!("{by} stays and takes one of the {keep} places that the rule keeps");
        let rule = self.rule.priority.to_string();
        let with = Threat { rule, effect: self.rule.effect(), due, certainty, why };
        Some(Displacement { digest: image.digest.clone(), with, by: by.clone() })
    }

    fn losing_rule(&self) -> Option<&Rule> {
        self.lifecycle.rules().iter().find(|rule| rule.priority.to_string() == self.lost.rule)
    }
}

/// The rules that look at the image with its pin and not without it, or the other way round.
fn changed<'r>(rules: &'r [Rule], image: &EcrImage) -> Vec<&'r Rule> {
    let pinned: Vec<Tag> = image.tags.iter().cloned().chain(pin(image)).collect();
    rules.iter().filter(|rule| rule.matches(&image.tags) != rule.matches(&pinned)).collect()
}

fn pin(image: &EcrImage) -> Option<Tag> {
    Pin::for_digest(&image.digest).to_string().parse().ok()
}

/// Whether the rule is there for the pins' sake and keeps so many.
fn is_shield(rule: &Rule, pins: u64) -> bool {
    super::claim::is_claim(rule) && holds(rule, pins)
}
