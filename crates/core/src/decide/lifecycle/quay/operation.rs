//! What the API does to tags (`data/model/oci/tag.py`, `endpoints/api/tag.py`).

use super::immutability::is_covered;
use super::labels;
use super::signature::{end_with_image, is_signature};
use super::world::{Millis, Signatures, TagRow, World};

/// For how long a manifest that nothing holds is held while a tag is made, in milliseconds.
const HELD: Millis = 300_000;
/// The shortest and the longest that an expiry may be set to, in seconds (`LABELED_EXPIRATION_MINIMUM` and `…_MAXIMUM`).
const EXPIRY: (i64, i64) = (3_600, 104 * 7 * 86_400);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// The tag names the manifest from now on.
    Create {
        /// The tag.
        tag: String,
        /// By place in the repository's list.
        manifest: usize,
        /// Whether manifests count that no tag names any more.
        restore: bool,
    },
    /// The tag ends.
    Delete {
        /// The tag.
        tag: String,
    },
    /// Every tag of the manifest ends.
    DeleteManifest {
        /// By place in the repository's list.
        manifest: usize,
    },
    /// The tag ends then, or never.
    SetExpiration {
        /// The tag.
        tag: String,
        /// In seconds since 1970.
        expires_s: Option<i64>,
    },
    /// The tag becomes immutable, or no longer is.
    SetImmutable {
        /// The tag.
        tag: String,
        /// Which.
        immutable: bool,
    },
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// It was done.
    Ok,
    /// There is no such tag or manifest.
    NotFound,
    /// A tag is immutable.
    RefusedImmutable,
    /// The tag has an expiry.
    RefusedExpirySet,
}

impl World {
    /// Does it in the repository. Rows that are made are called `id`, the one that holds the manifest `idh`.
    pub fn operate(&mut self, repository: usize, operation: &Operation, now: Millis, id: &str) -> Done {
        match operation {
            Operation::Create { tag, manifest, restore } => self.create(repository, tag, *manifest, *restore, now, id),
            Operation::Delete { tag } => {
                let Some(row) = self.repositories[repository].tag(tag, now) else { return Done::NotFound };
                if self.is_held(repository, row) {
                    return Done::RefusedImmutable;
                }
                self.end(repository, row, now, None);
                Done::Ok
            }
            Operation::DeleteManifest { manifest } => self.delete_manifest(repository, *manifest, now),
            Operation::SetExpiration { tag, expires_s } => self.set_expiration(repository, tag, *expires_s, now),
            Operation::SetImmutable { tag, immutable } => self.set_immutable(repository, tag, *immutable, now),
        }
    }

    /// Whether the row may not be touched.
    fn is_held(&self, repository: usize, row: usize) -> bool {
        self.features.immutable_tags && self.repositories[repository].tags[row].immutable
    }

    /// Ends a row, and if it was the image's last the signatures with it.
    pub(super) fn end(&mut self, repository: usize, row: usize, now: Millis, by: Option<&str>) {
        let repository = &mut self.repositories[repository];
        repository.tags[row].end = Some(now);
        let (manifest, signature) = (repository.tags[row].manifest, is_signature(&repository.tags[row].name));
        if self.signatures == Signatures::FollowImage && !signature {
            end_with_image(repository, manifest, Some(row), now, by);
        }
    }

    /// Whether the API finds the manifest: a tag that is alive names it, or an index that holds it.
    fn is_found(&self, repository: usize, manifest: usize, now: Millis) -> bool {
        let repository = &self.repositories[repository];
        let named = |manifest: usize| repository.tags.iter().any(|row| row.manifest == manifest && row.is_shown(now));
        let holds = |index: usize| repository.manifests[index].children.contains(&manifest);
        named(manifest) || (0..repository.manifests.len()).any(|index| holds(index) && named(index))
    }

    /// A row that holds the manifest for a while, if no other does for as long.
    fn hold(&mut self, repository: usize, manifest: usize, now: Millis, id: &str) {
        let rows = &mut self.repositories[repository].tags;
        let until = now + HELD;
        if rows.iter().any(|row| row.manifest == manifest && row.end.is_none_or(|end| end >= until)) {
            return;
        }
        rows.push(TagRow {
            id: format!("{id}h"),
            name: "$temp".to_owned(),
            manifest,
            start: now,
            end: Some(until),
            immutable: false,
            hidden: true,
            ended_by: None,
        });
    }

    fn create(&mut self, repository: usize, tag: &str, manifest: usize, restore: bool, now: Millis, id: &str) -> Done {
        if !restore && !self.is_found(repository, manifest, now) {
            return Done::NotFound;
        }
        self.hold(repository, manifest, now, id);
        if let Some(before) = self.repositories[repository].tag(tag, now) {
            if self.is_held(repository, before) {
                return Done::RefusedImmutable;
            }
            let repository = &mut self.repositories[repository];
            repository.tags[before].end = Some(now);
            let image = repository.tags[before].manifest;
            if self.signatures == Signatures::FollowImage && !is_signature(tag) && image != manifest {
                end_with_image(repository, image, Some(before), now, None);
            }
        }
        let repository = &mut self.repositories[repository];
        let immutable = self.features.immutable_tags
            && (labels::is_immutable(repository, manifest)
                || is_covered(&repository.immutability, &self.immutability, tag));
        let end = labels::expires_after(repository, manifest).map(|seconds| now + 1_000 * seconds);
        let end = end.filter(|_| !immutable || self.features.immutable_tags_can_expire);
        repository.tags.push(TagRow {
            id: id.to_owned(),
            name: tag.to_owned(),
            manifest,
            start: now,
            end,
            immutable,
            hidden: false,
            ended_by: None,
        });
        Done::Ok
    }

    fn delete_manifest(&mut self, repository: usize, manifest: usize, now: Millis) -> Done {
        if !self.is_found(repository, manifest, now) {
            return Done::NotFound;
        }
        let tags = &self.repositories[repository].tags;
        let rows: Vec<usize> =
            (0..tags.len()).filter(|row| tags[*row].manifest == manifest && tags[*row].is_shown(now)).collect();
        if rows.iter().any(|row| self.is_held(repository, *row)) {
            return Done::RefusedImmutable;
        }
        let repository = &mut self.repositories[repository];
        for row in &rows {
            repository.tags[*row].end = Some(now);
        }
        let image = rows.iter().any(|row| !is_signature(&repository.tags[*row].name));
        if self.signatures == Signatures::FollowImage && image {
            end_with_image(repository, manifest, None, now, None);
        }
        Done::Ok
    }

    fn set_expiration(&mut self, repository: usize, tag: &str, expires_s: Option<i64>, now: Millis) -> Done {
        let Some(index) = self.repositories[repository].tag(tag, now) else { return Done::NotFound };
        if expires_s.is_some() && self.is_held(repository, index) && !self.features.immutable_tags_can_expire {
            return Done::RefusedImmutable;
        }
        let row = &mut self.repositories[repository].tags[index];
        let after = |expires: i64| (expires - row.start.div_euclid(1_000)).clamp(EXPIRY.0, EXPIRY.1);
        row.end = expires_s.map(|expires| row.start + 1_000 * after(expires));
        Done::Ok
    }

    fn set_immutable(&mut self, repository: usize, tag: &str, immutable: bool, now: Millis) -> Done {
        let Some(index) = self.repositories[repository].tag(tag, now) else { return Done::NotFound };
        let row = &mut self.repositories[repository].tags[index];
        if immutable && row.end.is_some() && !self.features.immutable_tags_can_expire {
            return Done::RefusedExpirySet;
        }
        row.immutable = immutable;
        Done::Ok
    }
}
