//! What a tag has pointed at, oldest first. Nearly all tags have pointed at one thing only, and are still there: of those
//! nothing is kept beside the thing itself, and the mark of the commit that many of them share (F93, I28).

use std::sync::Arc;

use jiff::Timestamp;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{ArtifactId, Mark, Resolution};

/// A tag that moves every hour for years must not grow its repository's state without end. The first sighting is kept
/// for ever, because it names the bytes that a release tag stood for; of the rest the latest ones. The ledger's
/// batches keep everything, and `history` reads those.
pub(super) const SIGHTINGS_KEPT: usize = 256;

/// What a tag has pointed at, oldest first.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "Written")]
pub struct TagHistory(Kept);

#[derive(Debug, Clone, PartialEq)]
enum Kept {
    /// It was seen to point at one thing, and is there.
    One(Sighting),
    /// Anything else.
    Full(Box<Full>),
}

#[derive(Debug, Clone, PartialEq)]
struct Full {
    sightings: Vec<Sighting>,
    status: TagStatus,
}

/// Whether a tag is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagStatus {
    /// It is.
    Present,
    /// Not found, in one run so far.
    Absent(Mark),
    /// Not found in two runs.
    Deleted(Mark),
}

/// A tag seen pointing at an artifact, from some position on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "WrittenSighting")]
pub struct Sighting {
    /// What it pointed at.
    pub artifact: ArtifactId,
    seen: Arc<Seen>,
}

/// When something was seen, and when it was built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    pub(super) since: Mark,
    pub(super) created: Option<Timestamp>,
}

impl Sighting {
    /// A tag seen pointing at an artifact, from this position on.
    #[must_use]
    pub fn new(artifact: ArtifactId, since: Mark, created: Option<Timestamp>) -> Self {
        Self { artifact, seen: Arc::new(Seen { since, created }) }
    }

    /// Since when.
    #[must_use]
    pub fn since(&self) -> Mark {
        self.seen.since
    }

    /// When those bytes were built, where that was asked.
    #[must_use]
    pub fn created(&self) -> Option<Timestamp> {
        self.seen.created
    }
}

impl TagHistory {
    /// Each time it was seen to point at something new.
    #[must_use]
    pub fn sightings(&self) -> &[Sighting] {
        match &self.0 {
            Kept::One(sighting) => std::slice::from_ref(sighting),
            Kept::Full(full) => &full.sightings,
        }
    }

    /// Whether it is still there.
    #[must_use]
    pub fn status(&self) -> TagStatus {
        match &self.0 {
            Kept::One(_) => TagStatus::Present,
            Kept::Full(full) => full.status,
        }
    }

    /// What the tag points at, as last seen.
    #[must_use]
    pub fn latest(&self) -> Option<&Sighting> {
        self.sightings().last()
    }

    /// What the tag pointed at when first seen: for a release tag, the release.
    #[must_use]
    pub fn original(&self) -> Option<&Sighting> {
        self.sightings().first()
    }

    /// Whether the tag was there when last looked at, and names the same as now.
    #[must_use]
    pub fn rests_at(&self, target: &Resolution) -> bool {
        let latest = self.latest().map(|sighting| &sighting.artifact);
        self.status() == TagStatus::Present && latest.is_some() && latest == target.artifact()
    }

    fn new(mut sightings: Vec<Sighting>, status: TagStatus) -> Self {
        match (sightings.len(), status, sightings.pop()) {
            (1, TagStatus::Present, Some(only)) => Self(Kept::One(only)),
            (_, _, last) => {
                sightings.extend(last);
                Self(Kept::Full(Box::new(Full { sightings, status })))
            }
        }
    }

    /// Whatever can be said of a tag.
    fn full(&mut self) -> &mut Full {
        if let Kept::One(only) = &self.0 {
            let full = Full { sightings: vec![only.clone()], status: TagStatus::Present };
            self.0 = Kept::Full(Box::new(full));
        }
        match &mut self.0 {
            Kept::Full(full) => full,
            Kept::One(_) => unreachable!("it was made full"),
        }
    }

    pub(super) fn push(&mut self, sighting: Sighting) {
        let Full { sightings, status } = self.full();
        if sightings.len() >= SIGHTINGS_KEPT {
            // One that is reported again later goes first: a tag that flaps must not push out what it named before.
            let reported_again =
                |at: &usize| sightings[at + 1..].iter().any(|later| later.artifact == sightings[*at].artifact);
            let at = (1..sightings.len()).find(reported_again).unwrap_or(1);
            sightings.remove(at);
        }
        sightings.push(sighting);
        *status = TagStatus::Present;
        self.settle();
    }

    /// Has it name one artifact wherever it named another: the same bytes under their next name.
    pub(super) fn rename(&mut self, from: &ArtifactId, to: &ArtifactId) {
        let Full { sightings, .. } = self.full();
        for sighting in sightings.iter_mut().filter(|sighting| sighting.artifact == *from) {
            sighting.artifact = to.clone();
        }
        self.settle();
    }

    pub(super) fn set_status(&mut self, status: TagStatus) {
        self.full().status = status;
        self.settle();
    }

    /// What can be kept as one is.
    fn settle(&mut self) {
        if let Kept::Full(full) = &mut self.0
            && full.sightings.len() == 1
            && full.status == TagStatus::Present
            && let Some(only) = full.sightings.pop()
        {
            self.0 = Kept::One(only);
        }
    }

    /// When each was seen, to be shared.
    pub(super) fn seen_mut(&mut self) -> impl Iterator<Item = &mut Arc<Seen>> {
        let sightings = match &mut self.0 {
            Kept::One(sighting) => std::slice::from_mut(sighting),
            Kept::Full(full) => &mut full.sightings,
        };
        sightings.iter_mut().map(|sighting| &mut sighting.seen)
    }
}

impl From<Sighting> for TagHistory {
    fn from(sighting: Sighting) -> Self {
        Self(Kept::One(sighting))
    }
}

/// A sighting as it is written. There is one for every tag, and reading flattened fields holds each of them twice.
#[derive(Deserialize)]
struct WrittenSighting {
    artifact: ArtifactId,
    sequence: u64,
    at: Timestamp,
    #[serde(default)]
    created: Option<Timestamp>,
}

impl From<WrittenSighting> for Sighting {
    fn from(WrittenSighting { artifact, sequence, at, created }: WrittenSighting) -> Self {
        Self::new(artifact, Mark { sequence, at }, created)
    }
}

impl Serialize for Sighting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            artifact: &'a ArtifactId,
            sequence: u64,
            at: Timestamp,
            #[serde(skip_serializing_if = "Option::is_none")]
            created: Option<Timestamp>,
        }
        let Seen { since: Mark { sequence, at }, created } = *self.seen;
        Fields { artifact: &self.artifact, sequence, at, created }.serialize(serializer)
    }
}

/// A history as it is written.
#[derive(Deserialize)]
struct Written {
    sightings: Sightings,
    status: TagStatus,
}

impl From<Written> for TagHistory {
    fn from(Written { sightings, status }: Written) -> Self {
        match (sightings, status) {
            (Sightings::One(only), TagStatus::Present) => Self(Kept::One(only)),
            (Sightings::One(only), status) => Self::new(vec![only], status),
            (Sightings::Several(several), status) => Self::new(several, status),
        }
    }
}

impl Serialize for TagHistory {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            sightings: &'a [Sighting],
            status: TagStatus,
        }
        Fields { sightings: self.sightings(), status: self.status() }.serialize(serializer)
    }
}

/// A list as it is read, without a list for one.
enum Sightings {
    One(Sighting),
    Several(Vec<Sighting>),
}

impl<'de> Deserialize<'de> for Sightings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneByOne;
        impl<'de> Visitor<'de> for OneByOne {
            type Value = Sightings;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of sightings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Sightings, A::Error> {
                let Some(first) = list.next_element()? else { return Ok(Sightings::Several(Vec::new())) };
                let Some(second) = list.next_element()? else { return Ok(Sightings::One(first)) };
                let mut several = vec![first, second];
                while let Some(sighting) = list.next_element()? {
                    several.push(sighting);
                }
                Ok(Sightings::Several(several))
            }
        }
        deserializer.deserialize_seq(OneByOne)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;

    fn mark(sequence: u64) -> Mark {
        Mark { sequence, at: Timestamp::UNIX_EPOCH }
    }

    fn sighting(sequence: u64) -> Sighting {
        let created = sequence.is_multiple_of(2).then_some(Timestamp::UNIX_EPOCH);
        Sighting::new(Digest::sha256(&sequence.to_le_bytes()).into(), mark(sequence), created)
    }

    #[test]
    fn it_is_a_list_and_a_status_however_it_is_kept() {
        for count in 0..4 {
            for status in [TagStatus::Present, TagStatus::Absent(mark(7)), TagStatus::Deleted(mark(8))] {
                let list: Vec<Sighting> = (0..count).map(sighting).collect();
                let history = TagHistory::new(list.clone(), status);
                assert_eq!((history.sightings(), history.status()), (&list[..], status));
                assert_eq!(matches!(history.0, Kept::One(_)), count == 1 && status == TagStatus::Present);
                let text = serde_json::to_string(&history).unwrap();
                let parts = (serde_json::to_string(&list).unwrap(), serde_json::to_string(&status).unwrap());
                assert_eq!(text, format!("{{\"sightings\":{},\"status\":{}}}", parts.0, parts.1));
                assert_eq!(serde_json::from_str::<TagHistory>(&text).unwrap(), history);
                let mut changed = history.clone();
                changed.set_status(TagStatus::Absent(mark(9)));
                changed.push(sighting(5));
                assert_eq!(changed, TagHistory::new([&list[..], &[sighting(5)]].concat(), TagStatus::Present));
            }
        }
        let text = serde_json::to_string(&sighting(2)).unwrap();
        let digest = Digest::sha256(&2_u64.to_le_bytes());
        let at = "1970-01-01T00:00:00Z";
        assert_eq!(text, format!(r#"{{"artifact":"{digest}","sequence":2,"at":"{at}","created":"{at}"}}"#));
    }
}
