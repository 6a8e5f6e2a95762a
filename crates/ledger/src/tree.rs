//! The right edge of the Merkle tree: all that is needed to append to it and to know its root.

use sha2::{Digest as _, Sha256};
use tlog_tiles::tlog::{Hash, node_hash};

/// The roots of the perfect subtrees that a tree of some size consists of (RFC 6962), largest first: one for every bit
/// set in the size. Kept in each checkpoint, so that a writer extends the tree without reading a single tile.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Edge(Vec<Hash>);

impl Edge {
    /// The edge of a tree of this size, if the number of hashes fits it.
    pub(super) fn new(hashes: Vec<Hash>, size: u64) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize).then_some(Self(hashes))
    }

    pub(super) fn hashes(&self) -> &[Hash] {
        &self.0
    }

    /// Appends a leaf to a tree that had this size.
    pub(super) fn push(&mut self, size: u64, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..size.trailing_ones() {
            let Some(left) = self.0.pop() else { break };
            hash = node_hash(left, hash);
        }
        self.0.push(hash);
    }

    /// The root of the whole tree; of the empty one, the hash of nothing, as RFC 6962 has it.
    pub(super) fn root(&self) -> Hash {
        let root = self.0.iter().rev().copied().reduce(|right, left| node_hash(left, right));
        root.unwrap_or_else(|| Hash(Sha256::digest(b"").into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tlog_tiles::tlog::record_hash;

    /// RFC 6962 section 2.1 word for word, sharing nothing with the code above.
    fn by_definition(leaves: &[Vec<u8>]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        match leaves {
            [] => {}
            [leaf] => {
                hasher.update([0]);
                hasher.update(leaf);
            }
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                hasher.update([1]);
                hasher.update(by_definition(&leaves[..k]));
                hasher.update(by_definition(&leaves[k..]));
            }
        }
        hasher.finalize().into()
    }

    #[test]
    fn the_edge_gives_the_root_of_every_size_i9() {
        let leaves: Vec<Vec<u8>> = (0..300_u32).map(|n| format!("leaf {n}").into_bytes()).collect();
        let mut edge = Edge::default();
        for size in 0..leaves.len() {
            assert_eq!(edge.root().0, by_definition(&leaves[..size]), "size {size}");
            assert_eq!(Edge::new(edge.hashes().to_vec(), size as u64), Some(edge.clone()));
            edge.push(size as u64, record_hash(&leaves[size]));
        }
        assert!(Edge::new(edge.hashes().to_vec(), 299).is_none());
    }
}
