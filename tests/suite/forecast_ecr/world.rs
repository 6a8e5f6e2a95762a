//! Small repositories and policies to judge.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use prodpin::decide::lifecycle::ecr::{Action, Lifecycle, Pace, Repository, evaluate, threats};
use prodpin::model::{Certainty, Digest, EcrImage, Effect, ImageStatus, Pin, Tag, Threat};
use serde_json::{Value, json};

pub(crate) fn now() -> Timestamp {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

pub(crate) fn hours_ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

/// So many days ago, and an hour: past the boundary, since ages are strict (A30).
pub(crate) fn ago(days: i64) -> Timestamp {
    hours_ago(days * 24 + 1)
}

pub(crate) fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub(crate) fn pin(name: &str) -> String {
    Pin::for_digest(&digest(name)).to_string()
}

/// An active image, pushed so many days (and an hour) ago.
pub(crate) fn image(name: &str, tags: &[&str], days: i64) -> EcrImage {
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

pub(crate) fn archived(name: &str, tags: &[&str], days: i64) -> EcrImage {
    EcrImage { status: ImageStatus::Archived, archived: Some(ago(days)), ..image(name, tags, days + 30) }
}

/// A repository, and who lists whom.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) images: Vec<EcrImage>,
    pub(crate) parts: BTreeMap<Digest, BTreeSet<Digest>>,
}

impl World {
    pub(crate) fn with_images(images: impl IntoIterator<Item = EcrImage>) -> Self {
        Self { images: images.into_iter().collect(), parts: BTreeMap::new() }
    }

    pub(crate) fn lists(mut self, index: &str, children: &[&str]) -> Self {
        let index = digest(index);
        for image in &mut self.images {
            image.is_index |= image.digest == index;
        }
        self.parts.insert(index, children.iter().map(|child| digest(child)).collect());
        self
    }

    pub(crate) fn repository(&self) -> Repository<'_> {
        Repository { images: &self.images, parts: &self.parts }
    }

    pub(crate) fn actions(&self, policy: &Lifecycle) -> Vec<Action> {
        evaluate(policy, &self.repository(), now())
    }

    /// What goes at that moment: names, the rule that acts, and whether it is certain.
    pub(crate) fn goes(&self, policy: &Lifecycle, names: &[&str]) -> Vec<(String, u32, Effect, Certainty)> {
        let named = |digest: &Digest| names.iter().find(|name| self::digest(name) == *digest).unwrap().to_string();
        let goes = |action: Action| (named(&action.digest), action.priority, action.effect, action.certainty);
        let mut goes: Vec<_> = self.actions(policy).into_iter().map(goes).collect();
        goes.sort();
        goes
    }

    /// The names of what goes at that moment, certainly or possibly.
    pub(crate) fn gone(&self, policy: &Lifecycle, names: &[&str]) -> Vec<String> {
        self.goes(policy, names).into_iter().map(|(name, ..)| name).collect()
    }

    pub(crate) fn threats(&self, policy: &Lifecycle, target: &str) -> Vec<Threat> {
        let pace = Pace::measure(&self.images, &[], now());
        let targets = BTreeSet::from([digest(target)]);
        threats(policy, &self.repository(), &targets, now(), &pace).remove(&digest(target)).unwrap_or_default()
    }
}

pub(crate) fn parse(policy: &Value) -> Lifecycle {
    Lifecycle::parse(&text(policy)).unwrap_or_else(|problems| panic!("{policy}: {problems:?}"))
}

/// A policy's text, long enough for ECR.
pub(crate) fn text(policy: &Value) -> String {
    let text = policy.to_string();
    let length = text.chars().count();
    text + &" ".repeat(100_usize.saturating_sub(length))
}

pub(crate) fn policy(rules: impl IntoIterator<Item = Value>) -> Lifecycle {
    parse(&rules_json(rules))
}

pub(crate) fn rules_json(rules: impl IntoIterator<Item = Value>) -> Value {
    json!({ "rules": rules.into_iter().collect::<Vec<_>>() })
}

pub(crate) fn tagged(patterns: &[&str]) -> Value {
    json!({ "tagStatus": "tagged", "tagPatternList": patterns })
}

pub(crate) fn untagged() -> Value {
    json!({ "tagStatus": "untagged" })
}

pub(crate) fn any_tag() -> Value {
    json!({ "tagStatus": "any" })
}

fn rule(priority: u32, mut selection: Value, count: Value, action: Value) -> Value {
    let own = selection.as_object_mut().unwrap();
    own.extend(count.as_object().unwrap().clone());
    json!({ "rulePriority": priority, "selection": selection, "action": action })
}

pub(crate) fn expire() -> Value {
    json!({ "type": "expire" })
}

pub(crate) fn transition() -> Value {
    json!({ "type": "transition", "targetStorageClass": "archive" })
}

pub(crate) fn keep(priority: u32, selection: Value, number: u64) -> Value {
    rule(priority, selection, json!({ "countType": "imageCountMoreThan", "countNumber": number }), expire())
}

pub(crate) fn age(priority: u32, selection: Value, days: u64) -> Value {
    since(priority, selection, "sinceImagePushed", days, expire())
}

pub(crate) fn since(priority: u32, selection: Value, clock: &str, days: u64, action: Value) -> Value {
    rule(priority, selection, json!({ "countType": clock, "countUnit": "days", "countNumber": days }), action)
}

pub(crate) fn archive_age(priority: u32, mut selection: Value, days: u64) -> Value {
    selection["storageClass"] = json!("archive");
    since(priority, selection, "sinceImageTransitioned", days, expire())
}

pub(crate) fn claim(priority: u32, number: u64) -> Value {
    keep(priority, tagged(&["prod-pinned-*"]), number)
}
