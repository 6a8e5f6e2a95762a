//! What rules will have done to a repository by some date: day after day where one rule sets the clock of another, because
//! what is archived on one day is deleted by the rules of the archive on a later one (A29, A31).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::evaluate::{Action, evaluate};
use super::rule::{RuleAction, StorageClass};
use super::{Lifecycle, Repository};
use crate::model::{Certainty, Digest, EcrImage, Effect, ImageStatus};

/// So many days are lived one by one; a longer time in as many steps.
const MOST_STEPS: i64 = 400;

const DAY: i64 = 24 * 60 * 60;

/// The last thing that the rules will have done to each image by that date, if nothing is pushed until then. Of what is
/// certain the worst is told, else of what is possible.
#[must_use]
pub fn course(lifecycle: &Lifecycle, images: &[EcrImage], now: Timestamp, at: Timestamp) -> BTreeMap<Digest, Action> {
    let mut images = images.to_vec();
    let mut reported: BTreeMap<Digest, Action> = BTreeMap::new();
    for day in days(lifecycle, now, at) {
        let repository = Repository { images: &images, parts: &BTreeMap::new() };
        let actions = evaluate(lifecycle, &repository, day);
        for action in &actions {
            let known = reported.entry(action.digest.clone()).or_insert_with(|| action.clone());
            if rank(action) < rank(known) {
                *known = action.clone();
            }
        }
        let certain = |effect| {
            let of = |action: &&Action| action.certainty == Certainty::Certain && action.effect == effect;
            actions.iter().filter(of).map(|action| &action.digest).collect::<BTreeSet<&Digest>>()
        };
        let (deleted, archived) = (certain(Effect::Deletes), certain(Effect::Archives));
        images.retain(|image| !deleted.contains(&image.digest));
        for image in images.iter_mut().filter(|image| image.status == ImageStatus::Active) {
            if archived.contains(&image.digest) {
                (image.status, image.archived) = (ImageStatus::Archived, Some(day));
            }
        }
    }
    reported
}

/// The surest and worst first.
fn rank(action: &Action) -> (Certainty, bool) {
    (action.certainty, action.effect == Effect::Archives)
}

/// The moments at which rules are held against the images: the last one alone, unless one rule sets another's clock.
fn days(lifecycle: &Lifecycle, now: Timestamp, at: Timestamp) -> Vec<Timestamp> {
    let rules = lifecycle.rules();
    let sets_clocks = rules.iter().any(|rule| rule.action == RuleAction::Transition)
        && rules.iter().any(|rule| rule.class == StorageClass::Archive);
    let seconds = at.duration_since(now).as_secs();
    if !sets_clocks || seconds <= 0 {
        return vec![at];
    }
    let step = DAY * (seconds / DAY / MOST_STEPS + 1);
    let mut days: Vec<Timestamp> = (0..=seconds / step)
        .filter_map(|count| now.checked_add(SignedDuration::from_secs(count * step)).ok())
        .filter(|day| *day < at)
        .collect();
    days.push(at);
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(NOW + day * DAY).unwrap()
    }

    /// Images pushed so many days ago.
    fn images(ages: &[i64]) -> Vec<EcrImage> {
        let image = |age: &i64| EcrImage {
            digest: Digest::sha256(&age.to_be_bytes()),
            tags: [format!("v{age}").parse().unwrap()].into(),
            pushed: Some(day(-age)),
            pulled: None,
            archived: None,
            activated: None,
            status: ImageStatus::Active,
            subject: None,
            is_index: false,
        };
        ages.iter().map(image).collect()
    }

    const ARCHIVE: &str = r#"{"rulePriority":1,"selection":{"tagStatus":"any","countType":"sinceImagePushed","countUnit":"days",
        "countNumber":90},"action":{"type":"transition","targetStorageClass":"archive"}}"#;
    const EXPIRE: &str = r#"{"rulePriority":2,"selection":{"tagStatus":"any","storageClass":"archive",
        "countType":"sinceImageTransitioned","countUnit":"days","countNumber":100},"action":{"type":"expire"}}"#;

    fn effects(rules: &[&str], ages: &[i64], by: i64) -> Vec<Option<Effect>> {
        let text = format!(r#"{{"rules":[{}]}}"#, rules.join(","));
        let lifecycle = Lifecycle::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
        let images = images(ages);
        let found = course(&lifecycle, &images, day(0), day(by));
        images.iter().map(|image| found.get(&image.digest).map(|action| action.effect)).collect()
    }

    #[test]
    fn what_is_archived_first_is_deleted_later_a31() {
        use Effect::{Archives, Deletes};
        for (rules, ages, by, expected) in [
            (&[ARCHIVE, EXPIRE][..], &[100, 80, 10][..], 0, [Some(Archives), None, None]),
            (&[ARCHIVE, EXPIRE], &[100, 80, 10], 50, [Some(Archives), Some(Archives), None]),
            (&[ARCHIVE, EXPIRE], &[100, 80, 10], 105, [Some(Deletes), Some(Archives), Some(Archives)]),
            (&[ARCHIVE, EXPIRE], &[100, 80, 10], 120, [Some(Deletes), Some(Deletes), Some(Archives)]),
            (&[ARCHIVE, EXPIRE], &[100, 80, 10], 300, [Some(Deletes); 3]),
            (&[ARCHIVE, EXPIRE], &[100, 80, 10], 3_000, [Some(Deletes); 3]),
            (&[ARCHIVE], &[100, 80, 10], 3_000, [Some(Archives); 3]),
        ] {
            assert_eq!(effects(rules, ages, by), expected, "{by}");
        }
    }
}
