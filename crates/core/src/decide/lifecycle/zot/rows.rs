//! The rows of a repository's `index.json` while zot removes some: a digest with one tag or none. Bytes go later, when
//! nothing that is left refers to them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Digest, Tag, ZotManifest, ZotRepository};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) manifest: &'a ZotManifest,
    pub(super) tag: Option<&'a Tag>,
}

/// All rows, in order, and every manifest whose bytes are there.
#[derive(Debug, Clone)]
pub(super) struct Rows<'a> {
    pub(super) rows: Vec<Row<'a>>,
    pub(super) stored: BTreeMap<&'a Digest, &'a ZotManifest>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(repository: &'a ZotRepository) -> Self {
        let mut rows = Vec::new();
        for manifest in &repository.manifests {
            rows.extend(manifest.tags.iter().map(|tag| Row { manifest, tag: Some(tag) }));
            if manifest.tags.is_empty() && manifest.is_listed {
                rows.push(Row { manifest, tag: None });
            }
        }
        let stored = repository.manifests.iter().map(|manifest| (&manifest.digest, manifest)).collect();
        Self { rows, stored }
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = &'a Tag> + '_ {
        self.rows.iter().filter_map(|row| row.tag)
    }

    pub(super) fn names(&self, digest: &Digest) -> bool {
        self.rows.iter().any(|row| row.manifest.digest == *digest)
    }

    /// Removes a row by its tag. The last row of a digest comes back at the end, without the tag. Whether there was one.
    pub(super) fn remove_tag(&mut self, tag: &Tag) -> bool {
        let mut found = self.rows.iter().enumerate().filter(|(_, row)| row.tag == Some(tag)).map(|(place, _)| place);
        let (Some(place), None) = (found.next(), found.next()) else { return false };
        drop(found);
        let removed = self.rows.remove(place);
        if !self.names(&removed.manifest.digest) {
            self.rows.push(Row { tag: None, ..removed });
        }
        true
    }

    /// Removes the row of a digest. If there are several, none: zot would not know which. Whether it was removed.
    pub(super) fn remove_digest(&mut self, digest: &Digest) -> bool {
        let of_it = |row: &Row<'_>| row.manifest.digest == *digest;
        if self.rows.iter().filter(|row| of_it(row)).count() != 1 {
            return false;
        }
        self.rows.retain(|row| !of_it(row));
        true
    }

    /// What no rule for untagged manifests takes: whatever an index lists, at any depth, and whatever refers to something,
    /// there or not.
    pub(super) fn spared(&self) -> BTreeSet<&'a Digest> {
        let mut spared = BTreeSet::new();
        self.walk(|manifest| {
            spared.extend(manifest.subject.is_some().then_some(&manifest.digest));
            spared.extend(&manifest.children);
        });
        spared
    }

    /// Every digest that the rows name or reach through what an index lists. A subject is not reached.
    pub(super) fn reached(&self) -> BTreeSet<&'a Digest> {
        let mut reached = BTreeSet::new();
        self.walk(|manifest| {
            reached.insert(&manifest.digest);
            reached.extend(&manifest.children);
        });
        reached
    }

    /// Visits every manifest that is there and named by a row or listed by an index, once.
    fn walk(&self, mut visit: impl FnMut(&'a ZotManifest)) {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&'a ZotManifest> = self.rows.iter().map(|row| row.manifest).collect();
        while let Some(manifest) = next.pop() {
            if seen.insert(&manifest.digest) {
                visit(manifest);
                next.extend(manifest.children.iter().filter_map(|child| self.stored.get(child)));
            }
        }
    }

    /// Drops the rows of indexes of which no part is there any more. One part is enough to keep an index and its tags.
    pub(super) fn drop_hollow(&mut self) {
        let stored = &self.stored;
        self.rows.retain(|row| {
            let children = &row.manifest.children;
            children.is_empty() || children.iter().any(|child| stored.contains_key(child))
        });
    }
}
