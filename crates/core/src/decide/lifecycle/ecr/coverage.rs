//! Where every image stands with the rules: which one governs it, and how many images are ahead of it.
//!
//! A rule claims whatever it looks at, whether or not it acts (A32). So of each storage class exactly one rule can ever
//! act on an image: the first that looks at it. Pushes to come do not change which one that is; only tags do.

use std::cmp::Reverse;

use super::clock::{Membership, Since, arrived, days_after};
use super::rule::{Count, Rule, StorageClass};
use super::{Lifecycle, Repository};
use crate::model::{Certainty, EcrImage};

/// The rules that look at each image, one bit for each rule, and the images from the newest to the oldest.
pub(super) struct RuleCoverage<'a> {
    pub(super) rules: &'a [Rule],
    pub(super) images: &'a [EcrImage],
    /// For each image, by its place in `images`.
    matches: Vec<u64>,
    /// Only for images that a count rule governs; one for each class, since an image may be judged in both.
    ahead: [Vec<Ahead>; 2],
    /// The rules of each class, one bit for each rule.
    classes: [u64; 2],
    /// How many images each count rule counts, in the strictest reading.
    counted: Vec<u64>,
}

/// How many images that its rule counts are ahead of an image: in the most lenient admissible reading, and in the
/// strictest (A38: ties, unknown push times, images that may not count at all).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ahead {
    pub(super) least: u64,
    pub(super) most: u64,
}

const CLASSES: [StorageClass; 2] = [StorageClass::Standard, StorageClass::Archive];

impl<'a> RuleCoverage<'a> {
    pub(super) fn new(lifecycle: &'a Lifecycle, repository: &Repository<'a>) -> Self {
        let (rules, images) = (lifecycle.rules(), repository.images);
        let matches = images.iter().map(|image| bits(rules, |rule| rule.matches(&image.tags))).collect();
        let classes = CLASSES.map(|class| bits(rules, |rule| rule.class == class));
        let counted = vec![0; rules.len()];
        let mut coverage = Self { rules, images, matches, ahead: [Vec::new(), Vec::new()], classes, counted };
        let mut newest_first: Vec<usize> = (0..images.len()).collect();
        newest_first.sort_by_cached_key(|image| Reverse(arrived(&images[*image])));
        for (index, rule) in rules.iter().enumerate() {
            if let Count::MoreThan(_) = rule.count {
                coverage.count(index, rule.class, &newest_first);
            }
        }
        coverage
    }

    /// Whether the rule looks at the image, if the image is judged with the rule's class at all.
    pub(super) fn looks_at(&self, rule: usize, image: usize) -> bool {
        self.matches[image] >> rule & 1 == 1
    }

    /// The one rule of the class that can act on the image.
    pub(super) fn governor(&self, class: StorageClass, image: usize) -> Option<usize> {
        let own = self.matches[image] & self.classes[class as usize];
        (own != 0 && self.membership(class, image) > Membership::No).then(|| own.trailing_zeros() as usize)
    }

    pub(super) fn membership(&self, class: StorageClass, image: usize) -> Membership {
        Membership::from_image(&self.images[image], class)
    }

    pub(super) fn ahead(&self, class: StorageClass, image: usize) -> Ahead {
        self.ahead[class as usize].get(image).copied().unwrap_or_default()
    }

    /// Each storage class that the image may be judged with and whose rules reach it, and the rule that governs it.
    pub(super) fn governors(&self, image: usize) -> impl Iterator<Item = (StorageClass, usize)> + '_ {
        CLASSES.into_iter().filter_map(move |class| Some((class, self.governor(class, image)?)))
    }

    /// Whether its governing rule acts on the image at that moment, were nothing to hold it.
    pub(super) fn selects(&self, class: StorageClass, image: usize, at: jiff::Timestamp) -> Option<Certainty> {
        let rule = &self.rules[self.governor(class, image)?];
        let (possible, certain) = match rule.count {
            Count::MoreThan(keep) => {
                let ahead = self.ahead(class, image);
                (ahead.most >= keep, ahead.least >= keep)
            }
            Count::SincePushed(days) | Count::SincePulled(days) | Count::SinceTransitioned(days) => {
                let since = Since::from_image(rule.count, &self.images[image]);
                // The exact day boundary is not documented (A38).
                let due = days_after(since.earliest, days);
                due.map_or((false, false), |due| (at >= due, at > due && since.known))
            }
        };
        let sure = self.membership(class, image) == Membership::Sure;
        possible.then_some(if certain && sure { Certainty::Certain } else { Certainty::Possible })
    }

    /// How many images a count rule counts, in the strictest reading.
    pub(super) fn counted(&self, rule: usize) -> u64 {
        self.counted[rule]
    }

    /// Counts what is ahead of each image that the rule governs. Everything that it looks at counts, whatever else
    /// becomes of it (A30).
    fn count(&mut self, rule: usize, class: StorageClass, newest_first: &[usize]) {
        let counted: Vec<usize> = newest_first
            .iter()
            .copied()
            .filter(|image| self.looks_at(rule, *image) && self.membership(class, *image) > Membership::No)
            .collect();
        self.counted[rule] = counted.len() as u64;
        // `None` sorts last: images of unknown time may be anywhere, ahead of all others and behind them.
        let timed = counted.partition_point(|image| arrived(&self.images[*image]).is_some());
        let unknown = (counted.len() - timed) as u64;
        let mut places = Vec::with_capacity(counted.len());
        let (mut least, mut seen) = (0, 0);
        for peers in counted[..timed].chunk_by(|a, b| arrived(&self.images[*a]) == arrived(&self.images[*b])) {
            seen += peers.len() as u64;
            places.extend(peers.iter().map(|image| (*image, Ahead { least, most: seen - 1 + unknown })));
            least += peers.iter().filter(|image| self.membership(class, **image) == Membership::Sure).count() as u64;
        }
        places.extend(counted[timed..].iter().map(|image| (*image, Ahead { least: 0, most: seen + unknown - 1 })));
        self.ahead[class as usize].resize(self.images.len(), Ahead::default());
        for (image, ahead) in places {
            if self.governor(class, image) == Some(rule) {
                self.ahead[class as usize][image] = ahead;
            }
        }
    }
}

/// The rules for which this holds, one bit for each. A policy has at most 50.
fn bits(rules: &[Rule], holds: impl Fn(&Rule) -> bool) -> u64 {
    rules.iter().enumerate().filter(|(_, rule)| holds(rule)).fold(0, |bits, (index, _)| bits | 1 << index)
}
