//! Small repositories and policies to judge.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use prodpin::decide::forecast::ecr::{Action, Lifecycle, Pace, Repository, evaluate, threats};
use prodpin::model::{Certainty, Digest, EcrImage, Effect, ImageStatus, Pin, Tag, Threat};
use serde_json::{Value, json};

pub(super) fn now() -> Timestamp {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

pub(super) fn hours_ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

/// So many days ago, and an hour: past the boundary, since ages are strict (A30).
pub(super) fn ago(days: i64) -> Timestamp {
    hours_ago(days * 24 + 1)
}

pub(super) fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

pub(super) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub(super) fn pin(name: &str) -> String {
    Pin::of(&digest(name)).to_string()
}

/// An active image, pushed so many days (and an hour) ago.
pub(super) fn image(name: &str, tags: &[&str], days: i64) -> EcrImage {
    EcrImage {
        digest: digest(name),
        tags: tags.iter().map(|text| tag(text)).collect(),
        pushed: Some(ago(days)),
        pulled: None,
        archived: None,
        activated: None,
        status: ImageStatus::Active,
        subject: None,
        is_index: false,
    }
}

pub(super) fn archived(name: &str, tags: &[&str], days: i64) -> EcrImage {
    EcrImage { status: ImageStatus::Archived, archived: Some(ago(days)), ..image(name, tags, days + 30) }
}

/// A repository, and who lists whom.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) images: Vec<EcrImage>,
    pub(super) parts: BTreeMap<Digest, BTreeSet<Digest>>,
}

impl World {
    pub(super) fn of(images: impl IntoIterator<Item = EcrImage>) -> Self {
        Self { images: images.into_iter().collect(), parts: BTreeMap::new() }
    }

    pub(super) fn lists(mut self, index: &str, children: &[&str]) -> Self {
        let index = digest(index);
        for image in &mut self.images {
            image.is_index |= image.digest == index;
        }
        self.parts.insert(index, children.iter().map(|child| digest(child)).collect());
        self
    }

    pub(super) fn repository(&self) -> Repository<'_> {
        Repository { images: &self.images, parts: &self.parts }
    }

    pub(super) fn actions(&self, policy: &Lifecycle) -> Vec<Action> {
        evaluate(policy, &self.repository(), now())
    }

    /// What goes at that moment: names, the rule that acts, and whether it is certain.
    pub(super) fn goes(&self, policy: &Lifecycle, names: &[&str]) -> Vec<(String, u32, Effect, Certainty)> {
        let named = |digest: &Digest| names.iter().find(|name| self::digest(name) == *digest).unwrap().to_string();
        let goes = |action: Action| (named(&action.digest), action.priority, action.effect, action.certainty);
        let mut goes: Vec<_> = self.actions(policy).into_iter().map(goes).collect();
        goes.sort();
        goes
    }

    /// The names of what goes at that moment, certainly or possibly.
    pub(super) fn gone(&self, policy: &Lifecycle, names: &[&str]) -> Vec<String> {
        self.goes(policy, names).into_iter().map(|(name, ..)| name).collect()
    }

    pub(super) fn threats(&self, policy: &Lifecycle, target: &str) -> Vec<Threat> {
        let pace = Pace::of(&self.images, &[], now());
        let targets = BTreeSet::from([digest(target)]);
        threats(policy, &self.repository(), &targets, now(), &pace).remove(&digest(target)).unwrap_or_default()
    }
}

pub(super) fn parse(policy: &Value) -> Lifecycle {
    Lifecycle::parse(&text(policy)).unwrap_or_else(|problems| panic!("{policy}: {problems:?}"))
}

/// A policy's text, long enough for ECR.
pub(super) fn text(policy: &Value) -> String {
    let text = policy.to_string();
    let length = text.chars().count();
    text + &" ".repeat(100_usize.saturating_sub(length))
}

pub(super) fn policy(rules: impl IntoIterator<Item = Value>) -> Lifecycle {
    parse(&rules_json(rules))
}

pub(super) fn rules_json(rules: impl IntoIterator<Item = Value>) -> Value {
    json!({ "rules": rules.into_iter().collect::<Vec<_>>() })
}

pub(super) fn tagged(patterns: &[&str]) -> Value {
    json!({ "tagStatus": "tagged", "tagPatternList": patterns })
}

pub(super) fn untagged() -> Value {
    json!({ "tagStatus": "untagged" })
}

pub(super) fn any_tag() -> Value {
    json!({ "tagStatus": "any" })
}

fn rule(priority: u32, mut selection: Value, count: Value, action: Value) -> Value {
    let own = selection.as_object_mut().unwrap();
    own.extend(count.as_object().unwrap().clone());
    json!({ "rulePriority": priority, "selection": selection, "action": action })
}

pub(super) fn expire() -> Value {
    json!({ "type": "expire" })
}

pub(super) fn transition() -> Value {
    json!({ "type": "transition", "targetStorageClass": "archive" })
}

pub(super) fn keep(priority: u32, selection: Value, number: u64) -> Value {
    rule(priority, selection, json!({ "countType": "imageCountMoreThan", "countNumber": number }), expire())
}

pub(super) fn age(priority: u32, selection: Value, days: u64) -> Value {
    since(priority, selection, "sinceImagePushed", days, expire())
}

pub(super) fn since(priority: u32, selection: Value, clock: &str, days: u64, action: Value) -> Value {
    rule(priority, selection, json!({ "countType": clock, "countUnit": "days", "countNumber": days }), action)
}

pub(super) fn archive_age(priority: u32, mut selection: Value, days: u64) -> Value {
    selection["storageClass"] = json!("archive");
    since(priority, selection, "sinceImageTransitioned", days, expire())
}

pub(super) fn claim(priority: u32, number: u64) -> Value {
    keep(priority, tagged(&["prod-pinned-*"]), number)
}
