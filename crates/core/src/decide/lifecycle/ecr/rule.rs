//! One rule of a lifecycle policy, validated.

use std::fmt;

use serde_json::{Map, Value, json};

use super::pattern::TagPattern;
use crate::model::{Effect, Pin, Tag};

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its place in the order: the lowest number is applied first.
    pub priority: u32,
    /// What its author says of it.
    pub description: Option<Box<str>>,
    /// Which images it looks at, by where they are stored.
    pub class: StorageClass,
    /// Which images it looks at, by their tags.
    pub tags: TagRule,
    /// Which of those it acts on.
    pub count: Count,
    /// What it does to them.
    pub action: RuleAction,
}

/// Where an image is stored. Rules of one class know nothing of the other (A29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StorageClass {
    /// Images that can be pulled.
    Standard,
    /// Archived images.
    Archive,
}

/// Which tags an image must have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TagRule {
    /// Each pattern is matched by one tag or another (A24).
    Patterns(Box<[TagPattern]>),
    /// Each prefix begins one tag or another (A24).
    Prefixes(Box<[Box<str>]>),
    /// None at all.
    Untagged,
    /// Whatever.
    Any,
}

/// What makes a rule act on an image that it looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// So many that it looks at are newer.
    MoreThan(u64),
    /// Pushed, or restored, more than so many days ago.
    SincePushed(u64),
    /// Last pulled more than so many days ago.
    SincePulled(u64),
    /// Archived more than so many days ago.
    SinceTransitioned(u64),
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleAction {
    /// It deletes.
    Expire,
    /// It archives.
    Transition,
}

impl Rule {
    /// Whether the rule looks at an image with these tags. That alone shields it from every later rule (A32).
    #[must_use]
    pub fn matches(&self, tags: &[Tag]) -> bool {
        match &self.tags {
            TagRule::Patterns(patterns) => {
                patterns.iter().all(|pattern| tags.iter().any(|tag| pattern.matches(tag.as_str())))
            }
            TagRule::Prefixes(prefixes) => {
                prefixes.iter().all(|prefix| tags.iter().any(|tag| tag.as_str().starts_with(&**prefix)))
            }
            TagRule::Untagged => tags.is_empty(),
            TagRule::Any => true,
        }
    }

    /// What it does to an artifact.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self.action {
            RuleAction::Expire => Effect::Deletes,
            RuleAction::Transition => Effect::Archives,
        }
    }

    /// Whether it looks at every image that has a pin.
    pub(super) fn claims_every_pin(&self) -> bool {
        let pins = format!("{}*", Pin::PREFIX);
        match &self.tags {
            TagRule::Patterns(patterns) => patterns.iter().all(|pattern| pattern.covers(&pins)),
            TagRule::Prefixes(prefixes) => prefixes.iter().all(|prefix| Pin::PREFIX.starts_with(&**prefix)),
            TagRule::Any => true,
            TagRule::Untagged => false,
        }
    }

    /// Whether nothing but pins can make it look at an image, so that it is there for their sake.
    pub(super) fn is_for_pins(&self) -> bool {
        match &self.tags {
            TagRule::Patterns(patterns) => patterns.iter().any(|pattern| pattern.as_str().starts_with(Pin::PREFIX)),
            TagRule::Prefixes(prefixes) => prefixes.iter().any(|prefix| prefix.starts_with(Pin::PREFIX)),
            TagRule::Any | TagRule::Untagged => false,
        }
    }

    /// Whether every image that the other rule looks at is looked at by this one: same class, and by its words alone.
    pub(super) fn implies(&self, other: &Self) -> bool {
        if self.class != other.class {
            return false;
        }
        let entries = other.entries();
        match &self.tags {
            TagRule::Any => true,
            TagRule::Untagged => other.tags == TagRule::Untagged,
            TagRule::Patterns(patterns) => patterns.iter().all(|own| entries.iter().any(|entry| own.covers(entry))),
            TagRule::Prefixes(prefixes) => prefixes.iter().all(|own| {
                entries.iter().any(|entry| entry.split('*').next().is_some_and(|start| start.starts_with(&**own)))
            }),
        }
    }

    /// What the tags must match, all of it as patterns; nothing for a rule that asks for no tag.
    pub(super) fn entries(&self) -> Vec<String> {
        match &self.tags {
            TagRule::Patterns(patterns) => patterns.iter().map(ToString::to_string).collect(),
            TagRule::Prefixes(prefixes) => prefixes.iter().map(|prefix| format!("{prefix}*")).collect(),
            TagRule::Untagged | TagRule::Any => Vec::new(),
        }
    }

    /// The rule as ECR reads it.
    pub(super) fn to_json(&self) -> Value {
        let mut rule = Map::new();
        rule.insert("rulePriority".to_owned(), json!(self.priority));
        if let Some(description) = &self.description {
            rule.insert("description".to_owned(), json!(description));
        }
        let mut selection = Map::new();
        let mut put = |key: &str, value: Value| selection.insert(key.to_owned(), value);
        match &self.tags {
            TagRule::Patterns(patterns) => {
                put("tagStatus", json!("tagged"));
                put("tagPatternList", patterns.iter().map(TagPattern::as_str).collect());
            }
            TagRule::Prefixes(prefixes) => {
                put("tagStatus", json!("tagged"));
                put("tagPrefixList", prefixes.iter().map(|prefix| &**prefix).collect());
            }
            TagRule::Untagged => drop(put("tagStatus", json!("untagged"))),
            TagRule::Any => drop(put("tagStatus", json!("any"))),
        }
        if self.class == StorageClass::Archive {
            put("storageClass", json!("archive"));
        }
        put("countType", json!(self.count.name()));
        if !matches!(self.count, Count::MoreThan(_)) {
            put("countUnit", json!("days"));
        }
        put("countNumber", json!(self.count.number()));
        rule.insert("selection".to_owned(), Value::Object(selection));
        let action = match self.action {
            RuleAction::Expire => json!({"type": "expire"}),
            RuleAction::Transition => json!({"type": "transition", "targetStorageClass": "archive"}),
        };
        rule.insert("action".to_owned(), action);
        Value::Object(rule)
    }
}

impl Count {
    /// The number, whatever it counts.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::MoreThan(number)
            | Self::SincePushed(number)
            | Self::SincePulled(number)
            | Self::SinceTransitioned(number) => number,
        }
    }

    /// What ECR calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MoreThan(_) => "imageCountMoreThan",
            Self::SincePushed(_) => "sinceImagePushed",
            Self::SincePulled(_) => "sinceImagePulled",
            Self::SinceTransitioned(_) => "sinceImageTransitioned",
        }
    }
}

impl fmt::Display for TagRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, entries: &mut dyn Iterator<Item = &str>| {
            for (index, entry) in entries.enumerate() {
                write!(f, "{}{entry}", if index == 0 { "" } else { " and " })?;
            }
            Ok(())
        };
        match self {
            Self::Patterns(patterns) => {
                f.write_str("images tagged ")?;
                list(f, &mut patterns.iter().map(TagPattern::as_str))
            }
            Self::Prefixes(prefixes) => {
                f.write_str("images with tags that begin with ")?;
                list(f, &mut prefixes.iter().map(|prefix| &**prefix))
            }
            Self::Untagged => f.write_str("untagged images"),
            Self::Any => f.write_str("images of any tag"),
        }
    }
}
