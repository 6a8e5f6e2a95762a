//! Every repository ever recorded, with its latest commit and what its view must be: a Merkle map that one hash stands for.
//!
//! A repository's leaf is the hash of its line in `view/index`. Leaves lie in 256 buckets, by the hash of the repository's
//! name; a bucket's hash is over its leaves in the order of names, and the root is that of a binary tree over the buckets
//! (inner nodes as in RFC 6962). A commit touches few repositories, and only their buckets are hashed anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tlog_tiles::tlog::Hash;

use super::commitment::Commitment;
use super::tiles;
use super::touch::Touch;
use prodpin_core::model::{RepositoryKey, RepositoryName, SourceName};

const BUCKETS: usize = 256;

/// What is known of one repository without its view.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    /// Its latest commit.
    pub(super) touch: Touch,
    /// Its view as of that commit; none where a program before made the commit and the view was not made anew yet.
    pub(super) view: Option<Commitment>,
    leaf: [u8; 32],
    /// The length of its line, with the line break.
    length: u32,
    bucket: u8,
}

/// A repository's line in the index.
#[derive(Serialize, Deserialize)]
struct Line<Source, Name, At>(Source, Name, At, Option<Commitment>);

/// All of them.
#[derive(Debug, Clone)]
pub(super) struct Repositories {
    names: BTreeMap<SourceName, BTreeMap<RepositoryName, Known>>,
    buckets: Vec<Hash>,
    stale: Vec<bool>,
    bytes: u64,
}

impl Default for Repositories {
    fn default() -> Self {
        let (names, buckets) = (BTreeMap::new(), vec![Hash(Sha256::digest(b"").into()); BUCKETS]);
        Self { names, buckets, stale: vec![false; BUCKETS], bytes: 0 }
    }
}

impl Repositories {
    pub(super) fn get(&self, key: &RepositoryKey) -> Option<&Known> {
        self.names.get(&key.source)?.get(&key.name)
    }

    /// Whether there are repositories whose view nobody speaks for in a form that this program knows.
    pub(super) fn is_incomplete(&self) -> bool {
        self.unreported().next().is_some()
    }

    pub(super) fn unreported(&self) -> impl Iterator<Item = RepositoryKey> + '_ {
        self.names.iter().flat_map(|(source, names)| {
            let unreported = names.iter().filter(|(_, known)| !known.view.is_some_and(|view| view.is_own_form()));
            unreported.map(|(name, _)| RepositoryKey { source: source.clone(), name: name.clone() })
        })
    }

    pub(super) fn by_source(&self) -> &BTreeMap<SourceName, BTreeMap<RepositoryName, Known>> {
        &self.names
    }

    /// The length of all lines together.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Notes a repository's latest commit, and its view as of that.
    pub(super) fn set(&mut self, key: &RepositoryKey, touch: Touch, view: Option<Commitment>) {
        let line = line(&key.source, &key.name, &touch, view);
        self.put(key, touch, view, &line);
    }

    fn put(&mut self, key: &RepositoryKey, touch: Touch, view: Option<Commitment>, line: &[u8]) {
        // Looked up before it is entered: names are compared often and copied once.
        let names = match self.names.get_mut(&key.source) {
            Some(names) => names,
            None => self.names.entry(key.source.clone()).or_default(),
        };
        let (leaf, length) = (Sha256::digest(line).into(), line.len() as u32 + 1);
        let bucket = match names.get_mut(&key.name) {
            Some(known) => {
                self.bytes -= u64::from(known.length);
                (known.touch, known.view, known.leaf, known.length) = (touch, view, leaf, length);
                known.bucket
            }
            None => {
                let bucket = bucket(key);
                names.insert(key.name.clone(), Known { touch, view, leaf, length, bucket });
                bucket
            }
        };
        self.bytes += u64::from(length);
        if let Some(stale) = self.stale.get_mut(usize::from(bucket)) {
            *stale = true;
        }
    }

    /// The root over all of them.
    pub(super) fn root(&mut self) -> Hash {
        if self.stale.contains(&true) {
            let mut hashes = vec![Sha256::new(); BUCKETS];
            for known in self.names.values().flat_map(BTreeMap::values) {
                let bucket = usize::from(known.bucket);
                if self.stale[bucket] {
                    hashes[bucket].update(known.leaf);
                }
            }
            for (bucket, hash) in hashes.into_iter().enumerate().filter(|(bucket, _)| self.stale[*bucket]) {
                self.buckets[bucket] = Hash(hash.finalize().into());
            }
            self.stale.fill(false);
        }
        tiles::subtree(&self.buckets)
    }

    /// Each repository's line, in the order of names.
    pub(super) fn lines(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.names.iter().flat_map(|(source, names)| {
            names.iter().map(move |(name, known)| line(source, name, &known.touch, known.view))
        })
    }

    /// Takes a line over as it is stored. Nothing if it is none.
    pub(super) fn read(&mut self, line: &[u8]) -> Option<()> {
        let Line(source, name, touch, view) = serde_json::from_slice(line).ok()?;
        self.put(&RepositoryKey { source, name }, touch, view, line);
        Some(())
    }
}

fn line(source: &SourceName, name: &RepositoryName, touch: &Touch, view: Option<Commitment>) -> Vec<u8> {
    // Nothing here makes this fail.
    serde_json::to_vec(&Line(source, name, touch, view)).unwrap_or_default()
}

fn bucket(key: &RepositoryKey) -> u8 {
    Sha256::digest(format!("{}\n{}", key.source, key.name))[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodpin_core::model::Digest;

    fn key(n: u64) -> RepositoryKey {
        RepositoryKey { source: "shop".parse().unwrap(), name: format!("r{n}").parse().unwrap() }
    }

    #[test]
    fn the_root_depends_on_every_repository_and_on_nothing_else_i23() {
        let touch = |n: u64| Touch(n, Digest::sha256(&n.to_be_bytes()));
        let view = |n: u64| Some(Commitment::from_bytes(&n.to_be_bytes()));
        let mut map = Repositories::default();
        (0..500).for_each(|n| map.set(&key(n), touch(n), view(n)));
        let root = map.root();
        let mut other = Repositories::default();
        (0..500).rev().for_each(|n| other.set(&key(n), touch(n + 1), None));
        assert_ne!(other.root(), root);
        (0..500).for_each(|n| other.set(&key(n), touch(n), view(n)));
        assert_eq!((other.root(), other.bytes()), (root, map.bytes()), "whatever came in between");
        let mut read = Repositories::default();
        map.lines().for_each(|line| read.read(&line).unwrap());
        assert_eq!((read.root(), read.bytes()), (root, map.bytes()));
        for n in [0, 77, 499] {
            let mut changed = map.clone();
            changed.set(&key(n), touch(n), view(n + 1));
            assert_ne!(changed.root(), root);
            changed.set(&key(n), touch(n), view(n));
            assert_eq!(changed.root(), root);
        }
        map.set(&key(500), touch(1), None);
        assert_ne!(map.root(), root, "another one");
    }
}
