//! What ECR would do to a repository at one moment (A29–A36).

use std::collections::VecDeque;
use std::fmt;

use jiff::Timestamp;

use super::clock::since;
use super::coverage::RuleCoverage;
use super::family::Family;
use super::rule::{Count, Rule};
use super::{Lifecycle, Repository};
use crate::model::{Certainty, Digest, Effect, ImageStatus};

/// What ECR would do to one image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Action {
    /// The image.
    pub digest: Digest,
    /// The priority of the rule that acts.
    pub priority: u32,
    /// What it does.
    pub effect: Effect,
    /// Whether the documentation leaves another reading.
    pub certainty: Certainty,
    /// How the rule comes to reach it.
    pub why: Why,
}

/// How a rule comes to act on an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Too many that the rule counts are newer.
    BeyondCount {
        /// How many are ahead of it, in the strictest admissible reading.
        ahead: u64,
        /// How many the rule keeps.
        keep: u64,
    },
    /// Too long ago.
    TooOld {
        /// What it is counted from: pushed, pulled or archived; and after how many days.
        count: Count,
        /// When that was; none if it is not known.
        since: Option<Timestamp>,
    },
    /// It refers to an image on which the rule acts (A35).
    Follows(Digest),
}

impl Why {
    /// Why the rule reaches the image, if it does.
    pub(super) fn from_image(rule: &Rule, image: &crate::model::EcrImage, ahead: u64) -> Self {
        match rule.count {
            Count::MoreThan(keep) => Self::BeyondCount { ahead, keep },
            count => Self::TooOld { count, since: since(count, image) },
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeyondCount { ahead, keep } => write!(f, "{ahead} newer images count, and the rule keeps {keep}"),
            Self::TooOld { count, since } => {
                let what = match count {
                    Count::SincePulled(_) => "last pulled",
                    Count::SinceTransitioned(_) => "archived",
                    Count::MoreThan(_) | Count::SincePushed(_) => "pushed",
                };
                let days = count.number();
                match since {
                    Some(since) => write!(f, "{what} {since}, and the rule waits for {days} days"),
                    None => write!(f, "it is not known when it was {what}, and the rule waits for {days} days"),
                }
            }
            Self::Follows(subject) => write!(f, "it refers to {subject} and goes where that goes"),
        }
    }
}

/// What ECR would do at that moment, in the order of the images' digests. An image that is not named stays.
#[must_use]
pub fn evaluate(lifecycle: &Lifecycle, repository: &Repository<'_>, at: Timestamp) -> Vec<Action> {
    let coverage = RuleCoverage::new(lifecycle, repository);
    let family = Family::new(repository);
    let mut actions: Vec<Action> = acting(&coverage, &family, at).into_iter().flatten().collect();
    actions.sort();
    actions
}

/// The same for each image, by its place: at most one action for each rule and effect. What is due now is decided here
/// alone, for `threats` too.
pub(super) fn acting(coverage: &RuleCoverage<'_>, family: &Family<'_>, at: Timestamp) -> Vec<Vec<Action>> {
    Evaluation { coverage, family, at }.actions()
}

struct Evaluation<'a> {
    coverage: &'a RuleCoverage<'a>,
    family: &'a Family<'a>,
    at: Timestamp,
}

impl Evaluation<'_> {
    fn actions(&self) -> Vec<Vec<Action>> {
        let places = 0..self.coverage.images.len();
        let selected: Vec<Vec<Action>> = places.clone().map(|image| self.selected(image)).collect();
        let certain = self.certain(&selected);
        let freed = self.freed(&selected);
        let mut actions = selected;
        for (image, own) in actions.iter_mut().enumerate() {
            if !freed[image] {
                own.clear();
            } else if certain[image].is_none() {
                own.iter_mut().for_each(|action| action.certainty = Certainty::Possible);
            }
        }
        let mut next: VecDeque<usize> = places.filter(|image| !actions[*image].is_empty()).collect();
        while let Some(subject) = next.pop_front() {
            let leading = actions[subject].clone();
            for follower in self.family.referrers(subject) {
                if self.follow(&leading, *follower, &mut actions[*follower]) {
                    next.push_back(*follower);
                }
            }
        }
        actions
    }

    /// Whatever refers to an image goes by every rule by which that goes (A35), not only by the first found: each may be
    /// the one that acts in some reading, with an effect of its own (A38). Whether that told anything new.
    fn follow(&self, leading: &[Action], follower: usize, own: &mut Vec<Action>) -> bool {
        let image = &self.coverage.images[follower];
        let Some(subject) = &image.subject else { return false };
        let mut news = false;
        for lead in leading {
            // Whether a referrer is archived with its subject is not documented.
            let certainty = if lead.effect == Effect::Deletes { lead.certainty } else { Certainty::Possible };
            let followed =
                Action { digest: image.digest.clone(), why: Why::Follows(subject.clone()), certainty, ..lead.clone() };
            match own.iter_mut().find(|action| (action.priority, action.effect) == (lead.priority, lead.effect)) {
                Some(action) if action.certainty < certainty => {}
                Some(action) => {
                    news |= certainty < action.certainty;
                    *action = followed;
                }
                None => {
                    news = true;
                    own.push(followed);
                }
            }
        }
        news
    }

    /// What the rules would do to the image, were nothing to hold it.
    fn selected(&self, image: usize) -> Vec<Action> {
        let own = &self.coverage.images[image];
        let act = |(class, governor)| {
            let mut certainty = self.coverage.selects(class, image, self.at)?;
            if self.family.may_be_held(image, own) {
                certainty = Certainty::Possible;
            }
            let rule: &Rule = &self.coverage.rules[governor];
            Some(Action {
                digest: own.digest.clone(),
                priority: rule.priority,
                effect: rule.effect(),
                certainty,
                why: Why::from_image(rule, own, self.coverage.ahead(class, image).most),
            })
        };
        self.coverage.governors(image).filter_map(act).collect()
    }

    /// What nothing holds, in some admissible reading, from the rules that select it: an index that is archived, or
    /// will be, may hold its children no longer; whoever refers to something that goes, goes.
    fn freed(&self, selected: &[Vec<Action>]) -> Vec<bool> {
        let holds = |parent: usize| self.coverage.images[parent].status == ImageStatus::Active;
        let count = |image| self.family.parents(image).iter().filter(|parent| holds(**parent)).count();
        let mut held: Vec<usize> = (0..selected.len()).map(count).collect();
        let (mut freed, mut going) = (vec![false; selected.len()], vec![false; selected.len()]);
        let free = (0..selected.len()).filter(|image| held[*image] == 0 && !selected[*image].is_empty());
        let mut next: VecDeque<(usize, bool)> = free.map(|image| (image, true)).collect();
        while let Some((image, on_its_own)) = next.pop_front() {
            freed[image] |= on_its_own;
            if std::mem::replace(&mut going[image], true) {
                continue;
            }
            next.extend(self.family.referrers(image).iter().map(|follower| (*follower, false)));
            if !holds(image) {
                continue;
            }
            for child in self.family.children(image) {
                held[*child] -= 1;
                if held[*child] == 0 && !selected[*child].is_empty() {
                    next.push_back((*child, true));
                }
            }
        }
        freed
    }

    /// Whatever goes in every admissible reading. A child goes after all its parents (A33): to be deleted they must be
    /// gone, to be archived they must be out of the way. Under a count rule it is not certain then: a second look
    /// counts fewer images, since its parents are gone.
    fn certain(&self, selected: &[Vec<Action>]) -> Vec<Option<Effect>> {
        let surely = |image: usize| match selected[image].as_slice() {
            [action] if action.certainty == Certainty::Certain => {
                let counted = matches!(action.why, Why::BeyondCount { .. });
                (!counted || self.family.parents(image).is_empty()).then_some(action.effect)
            }
            _ => None,
        };
        let archived = |parent: usize| self.coverage.images[parent].status == ImageStatus::Archived;
        let blocks = |parent: usize, effect| effect == Effect::Deletes || !archived(parent);
        let intents: Vec<Option<Effect>> = (0..selected.len()).map(surely).collect();
        let mut held: Vec<usize> = intents
            .iter()
            .enumerate()
            .map(|(image, intent)| {
                let parents = self.family.parents(image).iter();
                intent.map_or(0, |effect| parents.filter(|parent| blocks(**parent, effect)).count())
            })
            .collect();
        let mut gone: Vec<Option<Effect>> = vec![None; selected.len()];
        let free = (0..selected.len()).filter(|image| held[*image] == 0);
        let mut next: VecDeque<(usize, Effect)> = free.filter_map(|image| Some((image, intents[image]?))).collect();
        while let Some((image, effect)) = next.pop_front() {
            if gone[image].is_some() {
                continue;
            }
            gone[image] = Some(effect);
            if effect == Effect::Deletes {
                next.extend(self.family.referrers(image).iter().map(|follower| (*follower, effect)));
            }
            for child in self.family.children(image) {
                let Some(intent) = intents[*child] else { continue };
                if blocks(image, intent) && (intent != Effect::Deletes || effect == Effect::Deletes) {
                    held[*child] -= 1;
                    if held[*child] == 0 {
                        next.push_back((*child, intent));
                    }
                }
            }
        }
        gone
    }
}
