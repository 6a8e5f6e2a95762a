//! Every rule that reaches a target or can come to reach it, and when.
//!
//! Of each storage class one rule governs an image, for as long as the image keeps its tags (see `coverage`); no push
//! to come can put it under another. So the threats to a target are those of its governing rules:
//!
//! - An age rule acts on a date that is set already, or to be put off by a pull.
//! - A count rule acts when enough images have come that it counts. Each push to come is taken to be ahead of the
//!   target; for a rule that only pins can bring an image under, each *pin* to come, since the image that gets a pin
//!   keeps the time of its push (A14) and may be newer or older than the target.
//! - A count rule that is there for the pins' sake and is far from full is the shield that the pin relies on (A51), and
//!   no threat. It becomes one well before it is full. A rule of the archive cannot count; there one shields that waits
//!   for ten years.
//! - What a rule archives, a rule of the archive can delete later: two threats, with both dates.
//! - An index holds its children (A33). They are threatened once it is, by what governs them, at the later date.
//! - Referrers go where their subject goes (A35).
//!
//! Targets are judged with the tags that they have. Whoever asks for a pin's sake asks with the pin in place
//! ([`with_pins`](super::with_pins)): a pin's tag never moves, any other may.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::claim::{LASTING_DAYS, is_ample};
use super::clock::{Membership, Since, days_after};
use super::coverage::RuleCoverage;
use super::evaluate::{Action, Why, acting};
use super::family::Family;
use super::pace::{Pace, Rate};
use super::rule::{Count, Rule, RuleAction, StorageClass};
use super::{Lifecycle, Repository};
use crate::model::{Certainty, Digest, Due, EcrImage, Effect, ImageStatus, Threat};

/// The threats to each target that has any, the first due first. A target that is not in the repository has none here:
/// that it is missing is for others to tell.
#[must_use]
pub fn threats(
    lifecycle: &Lifecycle,
    repository: &Repository<'_>,
    targets: &BTreeSet<Digest>,
    now: Timestamp,
    pace: &Pace,
) -> BTreeMap<Digest, Vec<Threat>> {
    let coverage = RuleCoverage::new(lifecycle, repository);
    let family = Family::new(repository);
    let rates = vec![OnceCell::new(); lifecycle.rules().len()];
    let acting = acting(&coverage, &family, now);
    let forecast = Forecast { coverage: &coverage, family: &family, now, acting, pace, rates };
    let places: Vec<usize> = targets.iter().filter_map(|target| family.place(target)).collect();
    let order = forecast.elders_first(&places);
    // An index may list what it refers to: then each has to be decided after the other. What goes now is known of both.
    let mut known: BTreeMap<usize, Vec<Threat>> =
        order.iter().map(|image| (*image, forecast.due_now(*image, &[]))).collect();
    for image in order {
        let threats = forecast.threats(image, &known);
        known.insert(image, threats);
    }
    let named = |place: usize| coverage.images[place].digest.clone();
    let threatened = places.into_iter().filter_map(|place| Some((place, known.remove(&place)?)));
    threatened.filter(|(_, threats)| !threats.is_empty()).map(|(place, threats)| (named(place), threats)).collect()
}

struct Forecast<'a> {
    coverage: &'a RuleCoverage<'a>,
    family: &'a Family<'a>,
    now: Timestamp,
    /// What happens now, by the image's place.
    acting: Vec<Vec<Action>>,
    pace: &'a Pace,
    /// Of each rule, once it is asked for: it takes a look at every push.
    rates: Vec<OnceCell<Option<Rate>>>,
}

impl Forecast<'_> {
    /// These images and all that decides when they can go, each after what decides it. What decides itself is not decided
    /// but for what happens now, and so held. No recursion: a chain of referrers may be as long
    /// as whoever can push likes.
    fn elders_first(&self, places: &[usize]) -> Vec<usize> {
        let (mut order, mut entered) = (Vec::new(), BTreeSet::new());
        let mut stack: Vec<(usize, bool)> = places.iter().map(|place| (*place, false)).collect();
        while let Some((image, elders_done)) = stack.pop() {
            if elders_done {
                order.push(image);
            } else if entered.insert(image) {
                stack.push((image, true));
                let subject = self.family.subject(&self.coverage.images[image]);
                let elders = self.family.parents(image).iter().copied().chain(subject);
                stack.extend(elders.map(|elder| (elder, false)));
            }
        }
        order
    }

    fn threats(&self, image: usize, known: &BTreeMap<usize, Vec<Threat>>) -> Vec<Threat> {
        let own = self.own(image).into_iter().filter_map(|threat| self.once_free(image, threat, known));
        let mut threats: Vec<Threat> = own.collect();
        if let Some(subject) = self.family.subject(&self.coverage.images[image]) {
            let of_subject = known.get(&subject).into_iter().flatten();
            let followed: Vec<Threat> = of_subject.map(|threat| self.followed(subject, threat)).collect();
            // Where it goes with its subject, by then, that the same rule may reach it too says nothing more.
            let says_more = |own: &Threat| {
                let alike = |other: &&Threat| (&other.rule, other.effect) == (&own.rule, own.effect);
                !followed.iter().filter(alike).any(|other| self.turn(&other.due) <= self.turn(&own.due))
            };
            threats.retain(says_more);
            threats.extend(followed);
        }
        let now = self.due_now(image, &threats);
        threats.retain(|threat| threat.due != Due::Now);
        threats.extend(now);
        threats.sort_by(|a, b| self.turn(&a.due).cmp(&self.turn(&b.due)).then_with(|| a.cmp(b)));
        threats.dedup();
        threats
    }

    /// What `evaluate` says happens now, in the words of the threat that foretold it where there is one.
    fn due_now(&self, image: usize, predicted: &[Threat]) -> Vec<Threat> {
        let threat = |action: &Action| {
            let rule = action.priority.to_string();
            let alike =
                |threat: &&Threat| (&threat.rule, threat.effect, &threat.due) == (&rule, action.effect, &Due::Now);
            let why = predicted.iter().find(alike).map_or_else(|| action.why.to_string(), |threat| threat.why.clone());
            Threat { rule, effect: action.effect, due: Due::Now, certainty: action.certainty, why }
        };
        self.acting[image].iter().map(threat).collect()
    }

    /// What its own governing rules will do, were nothing to hold the image.
    fn own(&self, place: usize) -> Vec<Threat> {
        let image = &self.coverage.images[place];
        let mut threats = Vec::new();
        for (class, governor) in self.coverage.governors(place) {
            let rule = &self.coverage.rules[governor];
            let Some(mut threat) = self.governed(place, class, governor) else { continue };
            // Once its parents are gone, a rule that counts counts fewer (see `evaluate`).
            let recounted = matches!(rule.count, Count::MoreThan(_)) && !self.family.parents(place).is_empty();
            if recounted || self.family.may_be_held(place, image) {
                threat.certainty = Certainty::Possible;
            }
            let later = (rule.action == RuleAction::Transition).then(|| self.after_archiving(image, &threat));
            threats.push(threat);
            threats.extend(later.flatten());
        }
        threats
    }

    fn governed(&self, place: usize, class: StorageClass, governor: usize) -> Option<Threat> {
        let (image, rule) = (&self.coverage.images[place], &self.coverage.rules[governor]);
        let ahead = self.coverage.ahead(class, place);
        let threat = |due, certainty, why: String| Threat {
            rule: rule.priority.to_string(),
            effect: rule.effect(),
            due,
            certainty,
            why,
        };
        if let Some(certainty) = self.coverage.selects(class, place, self.now) {
            return Some(threat(Due::Now, certainty, format!("{}", Why::from_image(rule, image, ahead.most))));
        }
        let shields = match rule.count {
            Count::MoreThan(keep) => is_ample(keep, self.coverage.counted(governor)),
            Count::SinceTransitioned(days) => days >= LASTING_DAYS,
            Count::SincePushed(_) | Count::SincePulled(_) => false,
        };
        if shields && rule.is_for_pins() {
            return None;
        }
        let sure = self.coverage.membership(class, place) == Membership::Sure;
        let certainty = |certain: bool| if certain && sure { Certainty::Certain } else { Certainty::Possible };
        match rule.count {
            Count::MoreThan(keep) => {
                // It does not select the image, so fewer than it keeps are ahead.
                let pushes = keep - ahead.most;
                let what = if rule.is_for_pins() { "pins" } else { "pushes" };
                let why = format!(
                    "it is number {} of those that the rule counts, which keeps {keep}: {pushes} more {what} put it \
                     beyond that",
                    ahead.most + 1
                );
                let rate = *self.rates[governor].get_or_init(|| self.pace.rate(rule));
                let due = Due::AfterPushes { pushes, around: rate.and_then(|rate| rate.after(pushes)) };
                Some(threat(due, certainty(ahead.least == ahead.most), why))
            }
            count => {
                let since = Since::from_image(count, image);
                let due = days_after(since.earliest, count.number())?;
                let pulls = matches!(count, Count::SincePulled(_));
                let why =
                    format!("{}{}", Why::from_image(rule, image, 0), if pulls { "; a pull puts it off" } else { "" });
                Some(threat(Due::On(due), certainty(since.known && !pulls), why))
            }
        }
    }

    /// What a rule of the archive does once another has archived the image.
    fn after_archiving(&self, image: &EcrImage, archiving: &Threat) -> Option<Threat> {
        let looks = |rule: &&Rule| rule.class == StorageClass::Archive && rule.matches(&image.tags);
        let rule = self.coverage.rules.iter().find(looks)?;
        let days = rule.count.number();
        let due = match &archiving.due {
            Due::Now => Due::On(days_after(self.now, days)?),
            Due::On(archived) => Due::On(days_after(*archived, days)?),
            Due::AfterPushes { pushes, around } => {
                Due::AfterPushes { pushes: *pushes, around: around.and_then(|around| days_after(around, days)) }
            }
        };
        Some(Threat {
            rule: rule.priority.to_string(),
            effect: rule.effect(),
            due,
            certainty: archiving.certainty,
            why: format!("rule {} archives it first, and this one waits for {days} days", archiving.rule),
        })
    }

    /// The threat, at the date from which no parent holds the image any more; none if one holds it for good.
    fn once_free(&self, place: usize, mut threat: Threat, known: &BTreeMap<usize, Vec<Threat>>) -> Option<Threat> {
        for parent in self.family.parents(place) {
            let holder = &self.coverage.images[*parent];
            // An index that is archived, or in no state known here, may hold its children no longer.
            if holder.status != ImageStatus::Active {
                let stays_away = threat.effect == Effect::Archives && holder.status == ImageStatus::Archived;
                if !stays_away && !self.is_gone_by(known.get(parent), &threat.due) {
                    threat.certainty = Certainty::Possible;
                }
                continue;
            }
            // Of what happens to it at the same time, the surest tells the most, and deleting more than archiving.
            let rank = |goes: &&Threat| (self.turn(&goes.due), goes.certainty, goes.effect != Effect::Deletes);
            let goes = known.get(parent)?.iter().min_by_key(rank)?;
            threat.certainty = threat.certainty.max(goes.certainty);
            if threat.effect == Effect::Deletes && goes.effect != Effect::Deletes {
                threat.certainty = Certainty::Possible;
            }
            threat.due = self.later(&threat.due, &goes.due);
            threat.why = format!("{}; once {} goes by rule {}, which lists it", threat.why, holder.digest, goes.rule);
        }
        Some(threat)
    }

    /// Whether one of these threats certainly deletes by then.
    fn is_gone_by(&self, threats: Option<&Vec<Threat>>, due: &Due) -> bool {
        let deletes = |threat: &&Threat| threat.effect == Effect::Deletes && threat.certainty == Certainty::Certain;
        let dated = |threat: &Threat| !matches!(threat.due, Due::AfterPushes { .. });
        let sure = threats.into_iter().flatten().filter(deletes);
        sure.into_iter().any(|threat| dated(threat) && self.about(&threat.due) <= self.about(due))
    }

    fn followed(&self, subject: usize, threat: &Threat) -> Threat {
        let certainty = if threat.effect == Effect::Deletes { threat.certainty } else { Certainty::Possible };
        let why = Why::Follows(self.coverage.images[subject].digest.clone()).to_string();
        Threat { certainty, why, ..threat.clone() }
    }

    /// The date to compare by. Pushes may come at any time.
    fn about(&self, due: &Due) -> Timestamp {
        match due {
            Due::Now | Due::AfterPushes { around: None, .. } => self.now,
            Due::On(at) | Due::AfterPushes { around: Some(at), .. } => *at,
        }
    }

    /// The same, to put in order: what waits for pushes that may come at any time comes after what is due.
    fn turn(&self, due: &Due) -> (Timestamp, bool) {
        (self.about(due), *due != Due::Now)
    }

    /// When both are due. What needs pushes still needs them, whatever else needs time.
    fn later(&self, a: &Due, b: &Due) -> Due {
        match (a, b) {
            (Due::AfterPushes { pushes: a, around: first }, Due::AfterPushes { pushes: b, around: second }) => {
                Due::AfterPushes { pushes: *a.max(b), around: first.zip(*second).map(|(a, b)| a.max(b)) }
            }
            (Due::AfterPushes { pushes, around }, other) | (other, Due::AfterPushes { pushes, around }) => {
                Due::AfterPushes { pushes: *pushes, around: around.map(|around| around.max(self.about(other))) }
            }
            _ => if self.about(a) >= self.about(b) { a } else { b }.clone(),
        }
    }
}
