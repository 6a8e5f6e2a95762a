//! One key: its versions and delete markers, newest first.

use jiff::Timestamp;

use crate::model::{
    ArtifactId, DeleteMarker, Lock, ObjectFacts, ObjectState, ObjectVersion, Replication, StorageClass, TagSet,
};

/// Everything at one key that S3's lifecycle evaluation depends on.
#[derive(Debug, Clone)]
pub struct Key<'a> {
    /// The key.
    pub key: &'a str,
    /// Versions and markers, newest first.
    pub entries: Vec<Entry<'a>>,
}

/// One version or marker.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Its version id.
    pub id: &'a str,
    /// When it was written.
    pub modified: Timestamp,
    /// Which of the two.
    pub kind: EntryKind<'a>,
}

/// A version or a marker.
#[derive(Debug, Clone)]
pub enum EntryKind<'a> {
    /// A delete marker.
    Marker,
    /// A version.
    Version {
        /// Its bytes; none if not known.
        size: Option<u64>,
        /// Its tags; none if they were not read.
        tags: Option<&'a TagSet>,
        /// Where it is kept.
        class: StorageClass,
        /// What keeps it.
        lock: Lock,
        /// Whether it is being copied elsewhere.
        replication: Replication,
    },
}

/// What the null version's identity starts with: it also names the bytes (B57).
const NULL: &str = "null";

impl Entry<'_> {
    /// Whether it is the version without an id, which suspended versioning replaces (B57).
    #[must_use]
    pub fn is_null(&self) -> bool {
        is_null(self.id)
    }

    pub(super) fn is_marker(&self) -> bool {
        matches!(self.kind, EntryKind::Marker)
    }
}

pub(super) fn is_null(id: &str) -> bool {
    id.strip_prefix(NULL).is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
}

impl<'a> Key<'a> {
    /// A key as it was listed, with what closer looks showed of some of its versions.
    ///
    /// The listing tells versions and markers apart, and their order by time alone. Written in the same second, a
    /// marker is taken for the older of the two, unless it is what hides the key.
    pub fn new(
        key: &'a str,
        object: &'a ObjectFacts,
        can_be_held: Option<bool>,
        state: impl Fn(&ArtifactId) -> Option<&'a ObjectState>,
    ) -> Self {
        let mut entries: Vec<Entry<'a>> =
            object.versions.iter().map(|version| listed(version, can_be_held, state(&version.artifact))).collect();
        // Oldest first, so that of two in one second the newer stays in front.
        for marker in object.markers.iter().rev() {
            let in_front = object.hidden_by.as_ref() == Some(&marker.id);
            let modified = time_of(marker, in_front, &entries);
            let place = match in_front {
                true => 0,
                false => entries.iter().position(|entry| entry.modified < modified).unwrap_or(entries.len()),
            };
            entries.insert(place, Entry { id: &marker.id, modified, kind: EntryKind::Marker });
        }
        Self { key, entries }
    }

    /// Where this version stands.
    #[must_use]
    pub fn position(&self, artifact: &ArtifactId) -> Option<usize> {
        let ArtifactId::ObjectVersion { key, version } = artifact else { return None };
        if key.as_str() != self.key {
            return None;
        }
        self.entries.iter().position(|entry| !entry.is_marker() && *entry.id == **version)
    }
}

/// A marker whose time nobody told is taken to be as old as it can be, which starts every clock the earliest (B70).
fn time_of(marker: &DeleteMarker, in_front: bool, entries: &[Entry<'_>]) -> Timestamp {
    let newest = entries.iter().map(|entry| entry.modified).max();
    match (marker.modified, in_front) {
        (Some(modified), _) => modified,
        (None, true) => newest.unwrap_or(Timestamp::UNIX_EPOCH),
        (None, false) => entries.iter().map(|entry| entry.modified).min().unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

fn listed<'a>(version: &'a ObjectVersion, can_be_held: Option<bool>, state: Option<&'a ObjectState>) -> Entry<'a> {
    let id = match &version.artifact {
        ArtifactId::ObjectVersion { version, .. } => &**version,
        ArtifactId::Manifest(_) => "",
    };
    // Without Object Lock there are no locks to read.
    let unread = if can_be_held == Some(false) { Lock::NONE } else { Lock::UNKNOWN };
    let kind = EntryKind::Version {
        size: Some(version.content.size),
        tags: state.and_then(|state| state.tags.as_ref()),
        class: state.map_or_else(|| version.class.clone(), |state| state.class.clone()),
        lock: state.map_or(unread, |state| state.lock),
        replication: state.map_or(Replication::Unknown, |state| state.replication.clone()),
    };
    Entry { id, modified: version.modified, kind }
}
