//! Proofs from tiles: that an entry is in the log, and that the log only ever grew (I9).

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Serialize;
use tlog_tiles::tlog::{
    Error as TlogError, Hash, HashReader, check_record, check_tree, prove_record, prove_tree, record_hash,
    split_stored_hash_index, tree_hash,
};

use super::checkpoint::Checkpoint;
use super::key_rotation;
use super::read::{Slot, Tip, batch_path, checkpoint_path};
use super::signature::{self, VerifierKey};
use super::tiles::{self, HEIGHT, TileId, WIDTH};
use super::{Head, Ledger, LedgerError, batch};

/// Whether a tree with this root is where the log began.
pub(super) enum Consistency {
    /// It is, by these hashes.
    Proven(Vec<Hash>),
    /// The log had this root at that size: two histories (I11).
    Contradicted(Hash),
}

/// That an entry is in the log: everything a verifier needs, in the words of RFC 6962.
#[derive(Debug, Clone, Serialize)]
pub struct InclusionProof {
    /// The log's own name.
    pub origin: String,
    /// The entry's number, from 0.
    pub index: u64,
    /// The commit that holds it.
    pub sequence: u64,
    /// The entry, exactly: its bytes are the leaf.
    pub entry: String,
    /// The leaf's hash.
    pub leaf_hash: String,
    /// How many entries the tree has.
    pub tree_size: u64,
    /// Its root.
    pub root: String,
    /// The audit path, from the leaf upwards.
    pub hashes: Vec<String>,
    /// The checkpoint that states size and root, with its signatures.
    pub checkpoint: String,
}

/// What someone last saw of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// A commit's number and root, as every report prints them.
    Position {
        /// The commit.
        sequence: u64,
        /// The root.
        root: [u8; 32],
    },
    /// A whole checkpoint.
    Checkpoint(String),
}

impl Claim {
    /// Reads `SEQUENCE:ROOT` or a checkpoint's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some((sequence, root)) = text.trim().split_once(':').filter(|_| !text.trim().contains('\n')) {
            let root = Hash::parse_hash(root.trim()).map_err(|_| "the root is no hash in base64".to_owned())?;
            let sequence =
                sequence.trim().parse().map_err(|_| "write SEQUENCE:ROOT, as a report prints it".to_owned())?;
            return Ok(Self::Position { sequence, root: root.0 });
        }
        match Checkpoint::decode(text.as_bytes()) {
            Ok(_) => Ok(Self::Checkpoint(text.to_owned())),
            Err(_) => Err("this is neither SEQUENCE:ROOT nor a whole checkpoint".to_owned()),
        }
    }
}

/// What became of the log since.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Since {
    /// It only grew.
    Grown {
        /// How many entries it had.
        from_size: u64,
        /// The root it had.
        from_root: String,
        /// How many entries it has.
        to_size: u64,
        /// The root it has.
        to_root: String,
        /// The consistency proof (RFC 6962), of at most twice the logarithm of its size.
        hashes: Vec<String>,
    },
    /// It ends before what was seen (I12).
    RolledBack {
        /// In words.
        what: String,
    },
    /// It says something else about the same past (I11).
    Forked {
        /// In words.
        what: String,
    },
}

/// The hashes that a proof is made of.
enum Hashes {
    /// On the first pass: none is at hand, and those asked for are noted.
    Wanted(RefCell<Vec<u64>>),
    /// On the second.
    Fetched(HashMap<u64, Hash>),
}

impl HashReader for Hashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, TlogError> {
        match self {
            Self::Wanted(wanted) => {
                wanted.borrow_mut().extend_from_slice(indexes);
                Ok(vec![Hash::default(); indexes.len()])
            }
            Self::Fetched(fetched) => {
                let found = indexes.iter().map(|index| fetched.get(index).copied());
                found.collect::<Option<_>>().ok_or(TlogError::IndexesNotInTree)
            }
        }
    }
}

impl Ledger {
    /// Makes something from hashes of the tree: told twice, once to learn which ones.
    async fn with_tiles<T>(
        &self,
        make: impl Fn(&Hashes) -> Result<T, TlogError>,
    ) -> Result<Result<T, TlogError>, LedgerError> {
        let noted = Hashes::Wanted(RefCell::default());
        let _ = make(&noted);
        let wanted = if let Hashes::Wanted(wanted) = noted { wanted.into_inner() } else { Vec::new() };
        let (mut rows, mut fetched) = (HashMap::new(), HashMap::new());
        for index in wanted {
            fetched.insert(index, self.hash_at(index, &mut rows).await?);
        }
        Ok(make(&Hashes::Fetched(fetched)))
    }

    async fn hash_at(&self, index: u64, rows: &mut HashMap<TileId, Vec<Hash>>) -> Result<Hash, LedgerError> {
        let (level, number) = split_stored_hash_index(index);
        let (tile_level, within) = (level / HEIGHT, level % HEIGHT);
        let first = number << within;
        let id = TileId { level: tile_level, number: first / WIDTH as u64 };
        let row = match rows.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.row(id).await?),
        };
        let start = (first % WIDTH as u64) as usize;
        row.get(start..start + (1 << within)).map(tiles::subtree).ok_or_else(|| self.underived(id))
    }

    /// A tile's hashes: at the border from what is known, else from the store.
    async fn row(&self, id: TileId) -> Result<Vec<Hash>, LedgerError> {
        let at_hand = {
            let log = self.log();
            let border = log.index.frontier.partial(id.level).filter(|tile| tile.id == id);
            border.or_else(|| log.tiles.iter().find(|tile| tile.id == id).cloned())
        };
        if let Some(tile) = at_hand {
            return Ok(tile.hashes);
        }
        match self.store.get(&id.path()).await? {
            Some(bytes) => tiles::hashes(&bytes, WIDTH)
                .ok_or_else(|| self.store.corrupt(format!("{} does not have {WIDTH} hashes", id.path()))),
            None => Err(self.underived(id)),
        }
    }

    fn underived(&self, id: TileId) -> LedgerError {
        LedgerError::Underived { location: self.store.location().to_owned(), tile: id.path().to_string() }
    }

    fn tip(&self) -> Result<Tip, LedgerError> {
        let tip = self.log().tip.clone();
        tip.ok_or_else(|| LedgerError::Unusable {
            location: self.store.location().to_owned(),
            detail: "it holds no commit yet; `prodpin audit` makes one".to_owned(),
        })
    }

    /// Whether a log of this size and root is where this one began. What tiles say counts only as far as it hashes up
    /// to the head's root.
    pub(super) async fn consistency(&self, size: u64, root: Hash) -> Result<Consistency, LedgerError> {
        let head = self.tip()?.head();
        let broken = || self.store.corrupt("the tiles do not hash to the head's root; run `prodpin verify`");
        let proof = self.with_tiles(|reader| prove_tree(head.size, size, reader)).await?.map_err(|_| broken())?;
        if check_tree(&proof, head.size, Hash(head.root), size, root).is_ok() {
            return Ok(Consistency::Proven(proof));
        }
        let own = self.with_tiles(|reader| tree_hash(size, reader)).await?.map_err(|_| broken())?;
        match check_tree(&proof, head.size, Hash(head.root), size, own) {
            Ok(()) if own != root => Ok(Consistency::Contradicted(own)),
            _ => Err(broken()),
        }
    }

    /// What became of the log since someone saw this of it, without reading what was added.
    pub async fn since(&self, claim: &Claim) -> Result<Since, LedgerError> {
        let head = self.tip()?;
        let (size, root) = match claim {
            Claim::Position { sequence, root } => match self.slot(*sequence).await? {
                Slot::Whole(own) if own.checkpoint.root().0 == *root => (own.checkpoint.size, Hash(*root)),
                Slot::Whole(own) => {
                    // Another root than was seen is a fork only if the head continues it.
                    self.vouch(&own).await?;
                    let (there, seen) = (own.checkpoint.root(), Hash(*root));
                    return Ok(Since::Forked {
                        what: format!("commit {sequence} has root {there}, and {seen} was seen"),
                    });
                }
                _ => {
                    let there = head.sequence;
                    let what = format!("commit {sequence} was seen, and is not there; the log ends at commit {there}");
                    return Ok(Since::RolledBack { what });
                }
            },
            Claim::Checkpoint(note) => {
                let Ok(seen) = Checkpoint::decode(note.as_bytes()) else {
                    return Err(self.store.corrupt("the checkpoint to compare with is not whole"));
                };
                if let Some(what) = self.unrelated(&head, &seen, note).await? {
                    return Ok(Since::Forked { what });
                }
                (seen.size, seen.root())
            }
        };
        let (to_size, to_root) = (head.checkpoint.size, head.checkpoint.root());
        if size > to_size {
            let what = format!("it has {to_size} entries, and {size} were seen");
            return Ok(Since::RolledBack { what });
        }
        Ok(match self.consistency(size, root).await? {
            Consistency::Proven(hashes) => Since::Grown {
                from_size: size,
                from_root: root.to_string(),
                to_size,
                to_root: to_root.to_string(),
                hashes: hashes.iter().map(ToString::to_string).collect(),
            },
            Consistency::Contradicted(own) => {
                Since::Forked { what: format!("with {size} entries its root was {own}, and {root} was seen") }
            }
        })
    }

    /// Why a checkpoint cannot be an earlier one of this log, whatever its tree.
    async fn unrelated(&self, head: &Tip, seen: &Checkpoint, note: &str) -> Result<Option<String>, LedgerError> {
        if seen.origin != head.checkpoint.origin {
            return Ok(Some(format!(
                "this log is {}, and the checkpoint is of {}",
                head.checkpoint.origin, seen.origin
            )));
        }
        let Some(signed) = &seen.key else { return Ok(None) };
        if signature::check(note.as_bytes(), &signed.key).is_err() {
            return Ok(Some("the checkpoint's own signature does not hold".to_owned()));
        }
        let descends = self.descends_from(&signed.key).await?;
        let reported = || match &head.checkpoint.lost {
            Some(lost) if lost.key == signed.key => format!(
                "the key {} that signed it was given up for lost at commit {}; to compare the entries alone, ask with \
                 --since SEQUENCE:ROOT",
                signed.key.id(),
                lost.at
            ),
            _ => format!("the key {} that signed it never handed over to the one that signs now", signed.key.id()),
        };
        Ok((!descends).then(reported))
    }

    /// Proves that an entry is in the log. None if the log has no such entry.
    pub async fn prove_entry(&self, index: u64) -> Result<Option<InclusionProof>, LedgerError> {
        let head = self.tip()?;
        let (size, root) = (head.checkpoint.size, head.checkpoint.root());
        if index >= size {
            return Ok(None);
        }
        let broken = || self.store.corrupt("the tiles do not hash to the head's root; run `prodpin verify`");
        let proof = self.with_tiles(|reader| prove_record(size, index, reader)).await?.map_err(|_| broken())?;
        let holds = |leaf: Hash| check_record(&proof, size, root, index, leaf).is_ok();
        let halved = self.entry_at(index, &head).await;
        let (commit, entry) = match halved {
            Ok(found) if holds(record_hash(found.1.as_bytes())) => found,
            // Somebody else's file may have been in the way: the links tell for certain, one by one.
            _ => self.entry_by_links(index).await?,
        };
        let leaf = record_hash(entry.as_bytes());
        if !holds(leaf) {
            let what = format!("entry {index}, in commit {}, or a tile above it was changed", commit.sequence);
            return Err(self.store.corrupt(what));
        }
        Ok(Some(InclusionProof {
            origin: head.checkpoint.origin.clone(),
            index,
            sequence: commit.sequence,
            entry,
            leaf_hash: leaf.to_string(),
            tree_size: size,
            root: root.to_string(),
            hashes: proof.iter().map(ToString::to_string).collect(),
            checkpoint: String::from_utf8_lossy(&head.note).into_owned(),
        }))
    }

    /// Whether this line is the entry of that number in the head's tree, as far as tiles tell.
    pub(super) async fn is_entry(&self, index: u64, line: &[u8]) -> bool {
        let Ok(head) = self.tip() else { return false };
        let (size, root) = (head.checkpoint.size, head.checkpoint.root());
        let proof = self.with_tiles(|reader| prove_record(size, index, reader)).await;
        let Ok(Ok(proof)) = proof else { return false };
        check_record(&proof, size, root, index, record_hash(line)).is_ok()
    }

    /// The commit that holds an entry, found by halving, and the entry's line.
    async fn entry_at(&self, index: u64, head: &Tip) -> Result<(Head, String), LedgerError> {
        // The first commit whose size is beyond the entry. Numbers that were never finished are passed over.
        let (mut low, mut found) = (0, head.clone());
        while low + 1 < found.sequence {
            let middle = low + (found.sequence - low) / 2;
            match self.whole_before(middle + 1).await? {
                Some(tip) if tip.checkpoint.size > index => found = tip,
                _ => low = middle,
            }
        }
        let before = self.commit_before(&found).await?.map_or(0, |before| before.checkpoint.size);
        Ok((found.head(), self.entry_of(&found, before, index).await?))
    }

    /// The same by reading every checkpoint.
    async fn entry_by_links(&self, index: u64) -> Result<(Head, String), LedgerError> {
        let mut before = 0;
        for tip in self.since_commit(0).await? {
            if tip.checkpoint.size > index {
                return Ok((tip.head(), self.entry_of(&tip, before, index).await?));
            }
            before = tip.checkpoint.size;
        }
        Err(self.store.corrupt(format!("no commit holds entry {index}")))
    }

    /// The line of an entry in a commit that begins after so many.
    async fn entry_of(&self, found: &Tip, before: u64, index: u64) -> Result<String, LedgerError> {
        let name = batch_path(&found.checkpoint.batch);
        let packed = self.store.get(&name).await?;
        let packed = packed.ok_or_else(|| self.store.corrupt(format!("{name} is missing")))?;
        let lines = batch::unpack(&packed, &found.checkpoint.batch);
        let lines = lines.map_err(|what| self.store.corrupt(format!("{name}: {what}")))?;
        let line = index.checked_sub(before).and_then(|nth| batch::lines(&lines).nth(nth as usize));
        let line = line.and_then(|line| str::from_utf8(line).ok());
        line.map(str::to_owned).ok_or_else(|| self.store.corrupt(format!("{name} does not hold entry {index}")))
    }

    /// The checkpoint that a commit is, with its signatures: what an auditor keeps.
    pub async fn checkpoint(&self, sequence: u64) -> Result<Option<SignedCheckpoint>, LedgerError> {
        let known = self.log().tip.clone().filter(|tip| tip.sequence == sequence);
        let tip = match known {
            Some(tip) => tip,
            None => match self.slot(sequence).await? {
                Slot::Whole(tip) => *tip,
                _ => return Ok(None),
            },
        };
        key_rotation::holds(&tip)
            .map_err(|what| self.store.corrupt(format!("{}: {what}", checkpoint_path(sequence))))?;
        self.vouch(&tip).await?;
        let key = tip.checkpoint.key.as_ref().map(|key| key.key.clone());
        Ok(Some(SignedCheckpoint { note: String::from_utf8_lossy(&tip.note).into_owned(), key }))
    }
}

/// A checkpoint as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedCheckpoint {
    /// The note: body, blank line, signatures. Without a key, the body alone.
    pub note: String,
    /// The key that signed it.
    pub key: Option<VerifierKey>,
}
