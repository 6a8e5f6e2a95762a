//! The guide's words (A29–A36), one after another, as sets and loops: slow, and written apart from the simulator. It
//! judges in one *reading* of what is undocumented (A38): a time for every image, an order of equals, and a decision
//! for every open question.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use prodpin::model::{Digest, EcrImage, ImageStatus};
use serde_json::Value;

/// One admissible reading.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// All images, the newest first; equal push times in some order, unknown ones anywhere.
    pub(crate) newest_first: Vec<Digest>,
    /// The images of unknown time that are as old as ECR.
    pub(crate) ancient: BTreeSet<Digest>,
    /// The classes that images in neither ACTIVE nor ARCHIVED are judged with.
    pub(crate) between: BTreeMap<Digest, Vec<&'static str>>,
    /// Whether referrers are judged like any image.
    pub(crate) judges_referrers: bool,
    /// Whether referrers are archived with their subject.
    pub(crate) archives_referrers: bool,
    /// Whether an image that is N days old to the nanosecond is older than N days.
    pub(crate) boundary_is_older: bool,
    /// Whether an archived index keeps its children from being deleted.
    pub(crate) archived_holds: bool,
}

pub(crate) type Parts = BTreeMap<Digest, BTreeSet<Digest>>;

/// What each image that goes suffers, and from which rule; an image between the classes may suffer both.
pub(crate) fn suffers(
    policy: &Value,
    images: &[EcrImage],
    parts: &Parts,
    at: Timestamp,
    reading: &Reading,
) -> BTreeSet<(Digest, u64, &'static str)> {
    let mut rules: Vec<&Value> = policy["rules"].as_array().unwrap().iter().collect();
    rules.sort_by_key(|rule| rule["rulePriority"].as_u64().unwrap());
    let mut acted: BTreeSet<(Digest, u64, &'static str)> = BTreeSet::new();
    for class in ["standard", "archive"] {
        let of_class: Vec<&&Value> = rules
            .iter()
            .filter(|rule| rule["selection"]["storageClass"].as_str().unwrap_or("standard") == class)
            .collect();
        let judged: Vec<&EcrImage> = reading
            .newest_first
            .iter()
            .map(|digest| images.iter().find(|image| image.digest == *digest).unwrap())
            .filter(|image| match image.status {
                ImageStatus::Active => class == "standard",
                ImageStatus::Archived => class == "archive",
                ImageStatus::Activating | ImageStatus::Other => reading.between[&image.digest].contains(&class),
            })
            .filter(|image| reading.judges_referrers || image.subject.is_none())
            .collect();
        let mut claimed: BTreeSet<Digest> = BTreeSet::new();
        for rule in of_class {
            let m: Vec<&EcrImage> = judged.iter().copied().filter(|image| fits(&rule["selection"], image)).collect();
            let c = meets(rule, &m, at, reading);
            for image in c {
                if !claimed.contains(&image.digest) {
                    let kind = if rule["action"]["type"] == "expire" { "expire" } else { "transition" };
                    acted.insert((image.digest.clone(), rule["rulePriority"].as_u64().unwrap(), kind));
                }
            }
            claimed.extend(m.into_iter().map(|image| image.digest.clone()));
        }
    }
    settle(images, parts, acted, reading)
}

/// What goes, one generation after another: first what nothing holds, then what only that held, and whatever refers
/// to what goes.
fn settle(
    images: &[EcrImage],
    parts: &Parts,
    selected: BTreeSet<(Digest, u64, &'static str)>,
    reading: &Reading,
) -> BTreeSet<(Digest, u64, &'static str)> {
    let mut acted: BTreeSet<(Digest, u64, &'static str)> = BTreeSet::new();
    loop {
        let goes = |digest: &Digest, how: &str| acted.iter().any(|(other, _, kind)| other == digest && *kind == how);
        let is = |digest: &Digest, status| images.iter().any(|image| image.digest == *digest && image.status == status);
        let is_held = |child: &Digest, kind: &str| {
            parts.iter().any(|(index, children)| {
                let here = images.iter().any(|image| image.digest == *index);
                let archived = !is(index, ImageStatus::Active) || goes(index, "transition");
                let away = goes(index, "expire") || (archived && (kind == "transition" || !reading.archived_holds));
                index != child && children.contains(child) && here && !away
            })
        };
        let mut next: BTreeSet<_> =
            selected.iter().filter(|(digest, _, kind)| !is_held(digest, kind)).cloned().collect();
        for image in images {
            for (subject, rule, kind) in &acted {
                if image.subject.as_ref() == Some(subject) && (*kind == "expire" || reading.archives_referrers) {
                    next.insert((image.digest.clone(), *rule, kind));
                }
            }
        }
        // The more goes, the less is held and the more follows: it only ever grows, and settles.
        if next == acted {
            return acted;
        }
        acted = next;
    }
}

fn fits(selection: &Value, image: &EcrImage) -> bool {
    let entries = |key: &str| -> Option<Vec<String>> {
        let list = selection.get(key)?.as_array()?;
        Some(list.iter().map(|entry| entry.as_str().unwrap().to_owned()).collect())
    };
    match selection["tagStatus"].as_str().unwrap() {
        "any" => true,
        "untagged" => image.tags.is_empty(),
        _ => {
            let patterns = entries("tagPatternList")
                .unwrap_or_else(|| entries("tagPrefixList").unwrap().into_iter().map(|prefix| prefix + "*").collect());
            patterns
                .iter()
                .all(|pattern| image.tags.iter().any(|tag| glob(pattern.as_bytes(), tag.as_str().as_bytes())))
        }
    }
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
        Some((first, rest)) => text.split_first().is_some_and(|(own, left)| own == first && glob(rest, left)),
    }
}

fn meets<'a>(rule: &Value, m: &[&'a EcrImage], at: Timestamp, reading: &Reading) -> Vec<&'a EcrImage> {
    let number = rule["selection"]["countNumber"].as_u64().unwrap();
    let kind = rule["selection"]["countType"].as_str().unwrap();
    if kind == "imageCountMoreThan" {
        return m.iter().skip(number as usize).copied().collect();
    }
    let old = |image: &&EcrImage| {
        let arrived = image.activated.or(image.pushed);
        let clock = match kind {
            "sinceImagePushed" => arrived,
            "sinceImagePulled" => match image.pulled {
                None => arrived,
                Some(pulled) => Some(image.activated.map_or(pulled, |activated| activated.max(pulled))),
            },
            _ => image.archived,
        };
        // Nothing is older than ECR itself.
        let first: Timestamp = "2015-12-21T00:00:00Z".parse().unwrap();
        let Some(clock) = clock.or(reading.ancient.contains(&image.digest).then_some(first)) else { return false };
        let age = at.duration_since(clock).as_nanos();
        let limit = i128::from(number) * 86_400_000_000_000;
        age > limit || (age == limit && reading.boundary_is_older)
    };
    m.iter().copied().filter(old).collect()
}
