//! C2SP tlog-tiles: the hash tree in pieces of 256, for proofs that read no batch. Derived, and never overwritten.
//!
//! ```text
//! tile/<level>/<number>            256 hashes: never changes
//! tile/<level>/<number>.p/<width>  the first so many of them, as of the end of some run
//! ```
//!
//! There are no entry bundles: the entries are in the batches, whose names the checkpoints hold, and a second copy
//! without compression would make a ledger ten times as large.

use std::collections::HashSet;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tlog_tiles::tlog::{Hash, node_hash};

use super::store::Created;
use super::tree::Edge;
use super::{Access, Ledger, LedgerError};

/// How many hashes a whole tile has.
pub(super) const WIDTH: usize = 256;

/// How many levels of the tree a tile spans.
pub(super) const HEIGHT: u8 = 8;

pub(super) const HASH: usize = 32;

/// How many tiles are written at once.
const WRITES: usize = 16;

/// So many tiles wait to be written at the most while a log is read from its beginning.
pub(super) const WAITING: usize = 64;

/// A tile's place: its level, counted in tiles, and its number in that level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TileId {
    pub(super) level: u8,
    pub(super) number: u64,
}

impl TileId {
    pub(super) fn path(self) -> Path {
        Path::from(self.name())
    }

    pub(super) fn partial_path(self, width: usize) -> Path {
        Path::from(format!("{}.p/{width}", self.name()))
    }

    /// The number in groups of three digits, all but the last with an `x` in front.
    fn name(self) -> String {
        let mut groups = vec![format!("{:03}", self.number % 1000)];
        let mut rest = self.number / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        format!("tile/{}/{}", self.level, groups.join("/"))
    }

    /// Reads a tile's path, and its width if it is not whole.
    pub(super) fn parse(path: &str) -> Option<(Self, Option<usize>)> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, Some(width.parse().ok()?)),
            None => (rest, None),
        };
        let digits: String = number.split('/').map(|group| group.trim_start_matches('x')).collect();
        let id = Self { level: level.parse().ok()?, number: digits.parse().ok()? };
        let spelled = width.map_or_else(|| id.path(), |width| id.partial_path(width));
        (spelled.as_ref() == path).then_some((id, width))
    }
}

/// A tile with what is in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tile {
    pub(super) id: TileId,
    pub(super) hashes: Vec<Hash>,
}

impl Tile {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| hash.0).collect()
    }
}

/// The hashes in a tile's bytes, if there are so many.
pub(super) fn hashes(bytes: &[u8], width: usize) -> Option<Vec<Hash>> {
    let (hashes, []) = bytes.as_chunks::<HASH>() else { return None };
    (hashes.len() == width).then(|| hashes.iter().map(|hash| Hash(*hash)).collect())
}

/// The root of a perfect subtree over so many hashes: a power of two of them.
pub(super) fn subtree(hashes: &[Hash]) -> Hash {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            if left.is_empty() { Hash::default() } else { node_hash(subtree(left), subtree(right)) }
        }
    }
}

/// The tiles at the tree's right border that are not whole yet, one for each level: with them and the whole tiles every
/// hash of the tree is at hand, and the next tile can be made without reading any.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Frontier {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Frontier {
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; hands out the tiles that it completes.
    pub(super) fn push(&mut self, leaf: Hash, mut completed: impl FnMut(Tile)) {
        let (mut hash, mut number) = (leaf, self.size);
        self.size += 1;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(WIDTH));
            }
            let Some(row) = self.levels.get_mut(level) else { return };
            row.push(hash);
            number /= WIDTH as u64;
            if row.len() < WIDTH {
                return;
            }
            hash = subtree(row);
            let id = TileId { level: level as u8, number };
            completed(Tile { id, hashes: std::mem::take(row) });
        }
    }

    /// The tile at the border of this level; none if nothing of it is there.
    pub(super) fn partial(&self, level: u8) -> Option<Tile> {
        let hashes = self.levels.get(usize::from(level)).filter(|row| !row.is_empty())?.clone();
        let number = self.size.checked_shr(u32::from(HEIGHT) * (u32::from(level) + 1)).unwrap_or(0);
        Some(Tile { id: TileId { level, number }, hashes })
    }

    pub(super) fn partials(&self) -> impl Iterator<Item = Tile> + '_ {
        (0..self.levels.len()).filter_map(|level| self.partial(level as u8))
    }

    /// The edge of the same tree: what a frontier from a cache is believed by.
    pub(super) fn edge(&self) -> Option<Edge> {
        let mut edge = Vec::new();
        for row in self.levels.iter().rev() {
            let mut rest = &row[..];
            while !rest.is_empty() {
                let (perfect, after) = rest.split_at(1 << rest.len().ilog2());
                edge.push(subtree(perfect));
                rest = after;
            }
        }
        Edge::new(edge, self.size)
    }
}

impl Serialize for Frontier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows: Vec<Vec<String>> =
            self.levels.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        (self.size, rows).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Frontier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (size, rows) = <(u64, Vec<Vec<String>>)>::deserialize(deserializer)?;
        let row = |row: Vec<String>| row.iter().map(|hash| Hash::parse_hash(hash)).collect::<Result<_, _>>();
        let levels = rows.into_iter().map(row).collect::<Result<_, _>>();
        Ok(Self { size, levels: levels.map_err(|_| serde::de::Error::custom("not a hash"))? })
    }
}

impl Ledger {
    /// Writes the whole tiles that were completed since the last time. What fails stays waiting.
    pub(super) async fn write_tiles(&self) -> Result<(), LedgerError> {
        if self.access == Access::Read {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.log_mut().tiles);
        let written = self.create_tiles(waiting.iter().map(|tile| (tile.id.path(), tile.bytes())).collect()).await;
        if written.is_err() {
            let mut log = self.log_mut();
            let since = std::mem::replace(&mut log.tiles, waiting);
            log.tiles.extend(since);
        }
        written
    }

    /// Writes the tiles at the border as they are, for clients that hold the head's checkpoint.
    pub(super) async fn write_partial_tiles(&self) -> Result<(), LedgerError> {
        let partials: Vec<_> = {
            let log = self.log();
            log.index.frontier.partials().map(|tile| (tile.id.partial_path(tile.hashes.len()), tile.bytes())).collect()
        };
        self.create_tiles(partials).await
    }

    async fn create_tiles(&self, tiles: Vec<(Path, Vec<u8>)>) -> Result<(), LedgerError> {
        let there = self.log().tiles_there.clone();
        let missing = tiles.into_iter().filter(|(path, _)| !there.contains(path.as_ref()));
        let writes = futures::stream::iter(missing).map(|(path, bytes)| async move {
            match self.store.create(&path, bytes.clone()).await {
                Ok(Created::New) => Ok(()),
                Ok(Created::There(there)) if there == bytes => Ok(()),
                Err(error) if !matches!(error, LedgerError::Corrupt { .. }) => Err(error),
                // Derived and in nobody's way, a folder included: told, and left to `verify --repair`.
                Ok(Created::There(_)) | Err(_) => {
                    self.distrust(format!(
                        "{path} does not match the signed checkpoints; `prodpin verify --repair` makes it anew"
                    ));
                    Ok(())
                }
            }
        });
        writes.buffer_unordered(WRITES).try_collect().await
    }

    /// The whole tiles that are listed: a log that is read from its beginning need not write those again.
    pub(super) async fn list_tiles(&self) -> Result<HashSet<String>, LedgerError> {
        let listed = self.store.list(&Path::from("tile"));
        let whole = listed.try_filter_map(|object| {
            let path = object.location.to_string();
            let whole = matches!(TileId::parse(&path), Some((_, None)));
            std::future::ready(Ok(whole.then_some(path)))
        });
        whole.try_collect().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tlog_tiles::tlog::record_hash;

    #[test]
    fn paths_are_as_c2sp_writes_them() {
        for (level, number, path) in [
            (0, 0, "tile/0/000"),
            (1, 67, "tile/1/067"),
            (0, 1_234_067, "tile/0/x001/x234/067"),
            (2, 1_000, "tile/2/x001/000"),
        ] {
            let id = TileId { level, number };
            assert_eq!(id.path().as_ref(), path);
            assert_eq!(TileId::parse(path), Some((id, None)));
            assert_eq!(TileId::parse(&format!("{path}.p/12")), Some((id, Some(12))));
        }
        for path in ["tile/0/0", "tile/0/1234", "tile/0/x000/001", "tile/0/000.p/x", "tile/a/000", "title/0/000"] {
            assert_eq!(TileId::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_frontier_makes_the_tiles_that_the_definition_asks_for_i9() {
        let leaves: Vec<Hash> = (0..66_200_u32).map(|n| record_hash(&n.to_be_bytes())).collect();
        let (mut frontier, mut edge, mut tiles) = (Frontier::default(), Edge::default(), Vec::new());
        for (size, leaf) in leaves.iter().enumerate() {
            frontier.push(*leaf, |tile| tiles.push(tile));
            edge.push(size as u64, *leaf);
            if size % 251 == 0 || size > 66_000 {
                assert_eq!(frontier.edge(), Some(edge.clone()), "size {}", size + 1);
            }
        }
        assert_eq!(tiles.len(), 258 + 1);
        let second: Vec<Hash> = leaves.chunks(WIDTH).take(WIDTH).map(subtree).collect();
        for tile in &tiles {
            let expected = match tile.id {
                TileId { level: 0, number } => &leaves[number as usize * WIDTH..][..WIDTH],
                TileId { level: 1, number: 0 } => &second,
                other => panic!("{other:?}"),
            };
            assert_eq!(tile.hashes, expected);
            assert_eq!(hashes(&tile.bytes(), WIDTH).unwrap(), expected);
        }
        let widths: Vec<_> =
            frontier.partials().map(|tile| (tile.id.level, tile.id.number, tile.hashes.len())).collect();
        assert_eq!(widths, [(0, 258, 66_200 % 256), (1, 1, 2), (2, 0, 1)]);
        let text = serde_json::to_string(&frontier).unwrap();
        assert_eq!(serde_json::from_str::<Frontier>(&text).unwrap(), frontier);
    }
}
