//! What follows from the log: tiles, views, the index. Missing is worth a word; wrong is damage; both can be made anew.

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;

use super::walk::Walk;
use crate::batch::Batch;
use crate::commitment::Commitment;
use crate::index::Index;
use crate::read::{INDEX, Tip, checkpoint_path};
use crate::rebuild::Rebuild;
use crate::recall::Stored;
use crate::store::{Created, Store};
use crate::tiles::{self, Tile, TileId, WIDTH};
use crate::view::View;
use crate::{LedgerError, cache};
use prodpin_core::model::{RepositoryKey, RepositoryName, SourceName};

/// How many requests are under way at once.
const READS: usize = 16;

/// The index that is stored: as of which commit, and what it is.
pub(super) struct KeptIndex {
    sequence: u64,
    origin: String,
    /// None if it does not read as one.
    is: Option<Commitment>,
}

/// How what is kept compares with what it should be.
enum Kept {
    Right,
    Missing,
    Wrong,
}

/// What is stored there; a folder, or more bytes than any tile has, is something else than it should be.
async fn kept_bytes(store: &Store, path: &Path) -> Result<Option<Bytes>, LedgerError> {
    match store.get(path).await {
        Err(LedgerError::Corrupt { .. }) => Ok(Some(Bytes::new())),
        read => read,
    }
}

impl Walk<'_> {
    pub(super) async fn derived(&mut self) -> Result<(), LedgerError> {
        if self.broken {
            self.found.notes.push("tiles and views were not compared, because the log itself is damaged".to_owned());
            return Ok(());
        }
        self.check_tiles().await?;
        self.listed_tiles().await?;
        self.views().await?;
        self.finish_index().await
    }

    /// Compares the whole tiles that the fold has completed since the last time.
    pub(super) async fn check_tiles(&mut self) -> Result<(), LedgerError> {
        let completed = std::mem::take(&mut self.folded.log_mut().tiles);
        let store = &self.kept.store;
        let compared = futures::stream::iter(completed).map(|tile| async move {
            let kept = match kept_bytes(store, &tile.id.path()).await? {
                None => Kept::Missing,
                Some(bytes) if bytes == tile.bytes() => Kept::Right,
                Some(_) => Kept::Wrong,
            };
            Ok::<_, LedgerError>((tile, kept))
        });
        let compared: Vec<_> = compared.buffered(READS).try_collect().await?;
        for (tile, kept) in compared {
            self.found.tiles += 1;
            let path = tile.id.path();
            self.judge_tile(&path, &tile, kept).await?;
        }
        Ok(())
    }

    async fn judge_tile(&mut self, path: &Path, tile: &Tile, kept: Kept) -> Result<(), LedgerError> {
        let store = &self.kept.store;
        match kept {
            Kept::Right => return Ok(()),
            Kept::Missing if !self.how.repair => {
                self.found.notes.push(format!("{path} is missing; --repair makes it anew"));
                return Ok(());
            }
            Kept::Wrong if !self.how.repair => {
                let wrong = kept_bytes(store, path).await?.and_then(|bytes| tiles::hashes(&bytes, tile.hashes.len()));
                let first = wrong.and_then(|wrong| wrong.iter().zip(&tile.hashes).position(|(a, b)| a != b));
                // Only on the lowest level is a hash that of one entry.
                let entry = first.filter(|_| tile.id.level == 0).map(|nth| tile.id.number * WIDTH as u64 + nth as u64);
                self.found.damaged(path, entry, "it is not what the entries hash to; --repair makes it anew");
                return Ok(());
            }
            Kept::Missing => {
                if let Created::There(_) = store.create(path, tile.bytes()).await? {
                    return Ok(());
                }
            }
            Kept::Wrong => store.replace(path, tile.bytes()).await?,
        }
        self.found.repaired.push(path.to_string());
        Ok(())
    }

    /// Compares the tiles that are not whole, and looks for any that the log does not account for.
    async fn listed_tiles(&mut self) -> Result<(), LedgerError> {
        let kept = self.kept;
        let listed = kept.store.list(&Path::from("tile")).map_ok(move |object| {
            let path = object.location;
            let tile = TileId::parse(path.as_ref());
            // Whole tiles were compared when the fold completed them.
            async move {
                let bytes = match tile {
                    Some((_, Some(_))) => kept_bytes(&kept.store, &path).await?,
                    _ => None,
                };
                Ok((path, tile, bytes))
            }
            .boxed()
        });
        let mut listed = listed.try_buffered(READS);
        let mut whole: Option<Tile> = None;
        while let Some((path, tile, bytes)) = listed.try_next().await? {
            let Some((id, width)) = tile else { continue };
            let nodes = self.folded.log().index.frontier.size().checked_shr(u32::from(id.level) * 8).unwrap_or(0);
            let end = id.number * WIDTH as u64 + width.unwrap_or(WIDTH) as u64;
            if end > nodes {
                // A log that was cut short (I12).
                let what = "it covers entries beyond the end of the log: commits that were there are gone";
                self.found.damaged(&path, None, what);
                continue;
            }
            let Some(width) = width else { continue };
            if whole.as_ref().is_none_or(|tile| tile.id != id) {
                whole = self.true_tile(id).await?;
            }
            let Some(tile) = &whole else { continue };
            let expected = Tile { id, hashes: tile.hashes.iter().take(width).copied().collect() };
            let right = bytes.is_some_and(|bytes| bytes == expected.bytes());
            self.found.tiles += 1;
            self.judge_tile(&path, &expected, if right { Kept::Right } else { Kept::Wrong }).await?;
        }
        let store = &kept.store;
        if self.how.repair {
            let partials: Vec<Tile> = self.folded.log().index.frontier.partials().collect();
            for tile in partials {
                let path = tile.id.partial_path(tile.hashes.len());
                if store.get(&path).await?.is_none() {
                    self.judge_tile(&path, &tile, Kept::Missing).await?;
                }
            }
        }
        Ok(())
    }

    /// A tile as it should be: from the fold's border, else the one that was compared already.
    async fn true_tile(&self, id: TileId) -> Result<Option<Tile>, LedgerError> {
        let border = self.folded.log().index.frontier.partial(id.level).filter(|tile| tile.id == id);
        if border.is_some() {
            return Ok(border);
        }
        let bytes = kept_bytes(&self.kept.store, &id.path()).await?;
        Ok(bytes.and_then(|bytes| tiles::hashes(&bytes, WIDTH)).map(|hashes| Tile { id, hashes }))
    }

    async fn views(&mut self) -> Result<(), LedgerError> {
        std::mem::replace(&mut self.rebuild, Rebuild::new(false)).finish(self.folded).await?;
        let mut after = None;
        while let Some(key) = self.next_repository(after.as_ref()) {
            self.view(&key).await?;
            after = Some(key);
        }
        Ok(())
    }

    /// The next repository in order, so that no copy of all names is held.
    fn next_repository(&self, after: Option<&RepositoryKey>) -> Option<RepositoryKey> {
        use std::ops::Bound::{Excluded, Unbounded};
        let log = self.folded.log();
        let of =
            |source: &SourceName, name: &RepositoryName| RepositoryKey { source: source.clone(), name: name.clone() };
        let repositories = log.index.repositories.by_source();
        if let Some(after) = after {
            let names = repositories.get(&after.source)?;
            if let Some((name, _)) = names.range::<RepositoryName, _>((Excluded(&after.name), Unbounded)).next() {
                return Some(of(&after.source, name));
            }
        }
        let sources = match after {
            Some(after) => repositories.range::<SourceName, _>((Excluded(&after.source), Unbounded)),
            None => repositories.range::<SourceName, _>(..),
        };
        sources.into_iter().find_map(|(source, names)| names.keys().next().map(|name| of(source, name)))
    }

    async fn view(&mut self, key: &RepositoryKey) -> Result<(), LedgerError> {
        let expected = self.folded.view_now(key).await?;
        let path = View::path(key);
        let Some(known) = self.folded.log().index.repositories.get(key).cloned() else { return Ok(()) };
        // What a commit says of the view is the word of whoever signed it: it must be what the entries come to.
        let is = expected.commitment();
        if known.view.is_some_and(|view| view.is_own_form() && view != is) {
            let sequence = known.touch.0;
            let what = format!("commit {sequence} says something else of {key} than its entries come to");
            self.found.damaged(checkpoint_path(sequence), None, what);
        }
        let kept = match self.kept_in(key).await {
            Stored::Right(_) | Stored::Ahead => Kept::Right,
            Stored::Nothing => Kept::Missing,
            Stored::Of(touch, packed) => {
                let made = self.folded.make_view(key, &known, Some((touch, packed))).await?;
                if made.base_was_wrong { Kept::Wrong } else { Kept::Right }
            }
            Stored::Wrong => Kept::Wrong,
        };
        self.found.views += 1;
        match kept {
            Kept::Right => {}
            _ if self.how.repair => {
                let origin = self.folded.log().index.origin.clone();
                let packed = expected.pack(&origin).map_err(|error| LedgerError::of_io(self.kept.location(), error))?;
                self.kept.store.cache(&path, packed).await?;
                self.found.repaired.push(path.to_string());
            }
            Kept::Missing => {
                self.found.notes.push(format!("the view of {key} is missing; it is made anew when it is needed"));
            }
            Kept::Wrong => {
                let what = format!("the view of {key} does not match the signed checkpoints; --repair makes it anew");
                self.found.damaged(&path, None, what);
            }
        }
        Ok(())
    }

    /// What is stored as the view, judged by the log as folded here.
    async fn kept_in(&self, key: &RepositoryKey) -> Stored {
        let known = self.folded.log().index.repositories.get(key).cloned();
        let Some(known) = known else { return Stored::Nothing };
        self.folded.judge_stored(key, &known, self.kept.store.cached(&View::path(key)).await)
    }

    pub(super) async fn kept_index(&self) -> Option<KeptIndex> {
        let packed = self.kept.store.cached(&Path::from(INDEX)).await?;
        let envelope = cache::envelope(&packed)?;
        let is = match cache::content_up_to(&packed, INDEX_CAP) {
            Ok(content) => Index::read(&content).filter(|(index, _)| index.sequence == envelope.sequence),
            // What a crash leaves is as good as none.
            Err(cache::Unfit::Torn) => return None,
            Err(cache::Unfit::Other) => None,
        };
        Some(KeptIndex { sequence: envelope.sequence, origin: envelope.origin, is: is.map(|(_, is)| is) })
    }

    /// Whether each repository's link names the commit before that touched it.
    pub(super) fn links(&mut self, tip: &Tip, batch: &Batch) {
        let wrong = {
            let log = self.folded.log();
            let wrong = batch.links.iter().find(|(key, link)| log.index.touch(key) != link.after.as_ref());
            wrong.map(|(key, _)| key.clone())
        };
        let unlinked = || {
            let mut about = batch.entries.iter().filter_map(|entry| entry.repository.as_ref());
            about.find(|key| !batch.links.contains_key(*key)).cloned()
        };
        if let Some(key) = wrong {
            let what = format!("its link of {key} does not name the commit before that touched it");
            self.found.damaged(checkpoint_path(tip.sequence), None, what);
        } else if let Some(key) = tip.checkpoint.stated.as_ref().and_then(|_| unlinked()) {
            self.found.damaged(checkpoint_path(tip.sequence), None, format!("it has no link of {key}"));
        }
    }

    /// What a checkpoint states of the index must be what the log comes to; and the stored index of that commit, too.
    pub(super) fn stated(&mut self, tip: &Tip) {
        let kept = self.index.take_if(|index| index.sequence == tip.sequence);
        let stated = tip.checkpoint.stated.as_ref().map(|stated| stated.state);
        if kept.is_none() && stated.is_none() {
            return;
        }
        let is = self.folded.log_mut().index.commitment();
        if stated.is_some_and(|stated| stated.is_own_form() && stated != is) {
            let what = "what it states of the index is not what the log comes to";
            self.found.damaged(checkpoint_path(tip.sequence), None, what);
        }
        // Of the commits of programs before, an index is what the log comes to or what was known of views by then.
        let judged = stated.filter(Commitment::is_own_form);
        if let (Some(kept), Some(stated)) = (kept, judged)
            && kept.is != Some(stated)
            && !self.how.repair
        {
            let what = "it does not match the signed checkpoint; --repair makes it anew";
            self.found.damaged(INDEX, None, what);
        }
    }

    async fn finish_index(&mut self) -> Result<(), LedgerError> {
        let (head, origin) = {
            let log = self.folded.log();
            (log.index.sequence, log.index.origin.clone())
        };
        // Still here only if the log never reached it (I12).
        if let Some(ahead) = self.index.take()
            && ahead.sequence > head
            && (ahead.origin == origin || head == 0)
        {
            let what = format!("the log ends at commit {head}, and commit {} was seen before", ahead.sequence);
            self.found.damaged(checkpoint_path(ahead.sequence), None, what);
            return Ok(());
        }
        if self.how.repair && head > 0 && self.found.holds() {
            let packed = self.folded.packed_index()?;
            self.kept.store.cache(&Path::from(INDEX), packed).await?;
            self.found.repaired.push(INDEX.to_owned());
        }
        Ok(())
    }
}

/// The most of an index that is unpacked to compare it.
const INDEX_CAP: u64 = 1 << 30;
