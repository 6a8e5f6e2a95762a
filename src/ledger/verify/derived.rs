//! What follows from the log: tiles, views, the index. Missing is worth a word; wrong is damage; both can be made anew.

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;

use super::walk::Walk;
use crate::ledger::index::Index;
use crate::ledger::read::{INDEX, checkpoint_path};
use crate::ledger::rebuild::Rebuild;
use crate::ledger::store::Created;
use crate::ledger::tiles::{self, Tile, TileId, WIDTH};
use crate::ledger::view::View;
use crate::ledger::{LedgerError, cache};
use crate::model::{RepositoryKey, RepositoryName, SourceName};

/// How many requests are under way at once.
const READS: usize = 16;

/// How what is kept compares with what it should be.
enum Kept {
    Right,
    Missing,
    Wrong,
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
            let kept = store.get(&tile.id.path()).await?;
            let kept = match kept {
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
                let wrong = store.get(path).await?.and_then(|bytes| tiles::hashes(&bytes, tile.hashes.len()));
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
                    Some((_, Some(_))) => kept.store.get(&path).await?,
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
                let what = "it covers entries beyond the end of the log: commits that were there are gone (I12)";
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
        let bytes = self.kept.store.get(&id.path()).await?;
        Ok(bytes.and_then(|bytes| tiles::hashes(&bytes, WIDTH)).map(|hashes| Tile { id, hashes }))
    }

    async fn views(&mut self) -> Result<(), LedgerError> {
        std::mem::replace(&mut self.rebuild, Rebuild::new(0)).finish(self.folded).await;
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
        let repositories = &log.index.repositories;
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
        let origin = self.folded.log().index.origin.clone();
        let expected = self.folded.view_now(key).await?;
        let path = View::path(key);
        let kept = match self.kept.stored_view(&origin, key).await {
            None => Kept::Missing,
            Some(kept) => self.judge_view(kept, &expected).await?,
        };
        self.found.views += 1;
        match kept {
            Kept::Right => {}
            _ if self.how.repair => {
                let packed = cache::pack(&expected).map_err(|error| LedgerError::of_io(self.kept.location(), error))?;
                self.kept.store.cache(&path, packed).await?;
                self.found.repaired.push(path.to_string());
            }
            Kept::Missing => {
                self.found.notes.push(format!("the view of {key} is missing; it is made anew when it is needed"));
            }
            Kept::Wrong => {
                let what = format!("the view of {key} is not what the log says; --repair makes it anew");
                self.found.damaged(&path, None, what);
            }
        }
        Ok(())
    }

    /// One that lags is brought up to date first, as a run would do.
    async fn judge_view(&self, mut kept: View, expected: &View) -> Result<Kept, LedgerError> {
        let Some(latest) = kept.latest() else { return Ok(Kept::Wrong) };
        let head = expected.latest().unwrap_or(latest);
        if latest.0 > head.0 {
            // Another writer is at work; what is not in the log, no run believes.
            return Ok(Kept::Right);
        }
        let Some(known) = expected.touches.iter().position(|touch| *touch == latest) else {
            return Ok(if latest.0 <= expected.complete_after { Kept::Missing } else { Kept::Wrong });
        };
        let missed: Vec<u64> = expected.touches.iter().skip(known + 1).map(|touch| touch.0).collect();
        let mut commits = self.folded.commits(missed.into_iter());
        while let Some((tip, entries)) = commits.try_next().await? {
            kept.apply(crate::ledger::index::Touch::new(tip.sequence, &tip.checkpoint.batch), &entries);
        }
        Ok(if kept.state == expected.state { Kept::Right } else { Kept::Wrong })
    }

    /// When the fold is where the index stands, the two must say the same.
    pub(super) fn check_index(&mut self, sequence: u64) {
        let Some(index) = self.index.take_if(|index| index.sequence == sequence) else { return };
        // One of an older program is no cache of this one: the next run makes it anew.
        if index.schema != cache::CACHE_SCHEMA {
            return;
        }
        let text = |index: &Index| serde_json::to_vec(index).unwrap_or_default();
        let right = text(&index) == text(&self.folded.log().index);
        if !right && !self.how.repair {
            self.found.damaged(INDEX, None, "it is not what the log says; --repair makes it anew");
        }
    }

    async fn finish_index(&mut self) -> Result<(), LedgerError> {
        let (head, origin) = {
            let log = self.folded.log();
            (log.index.sequence, log.index.origin.clone())
        };
        // Still here only if the log never reached it.
        if let Some(ahead) = self.index.take()
            && ahead.sequence > head
            && (ahead.origin == origin || head == 0)
        {
            let what = format!("the log ends at commit {head}, and commit {} was seen before (I12)", ahead.sequence);
            self.found.damaged(checkpoint_path(ahead.sequence), None, what);
            return Ok(());
        }
        if self.how.repair && head > 0 && self.found.holds() {
            let packed = cache::pack(&self.folded.log().index);
            let packed = packed.map_err(|error| LedgerError::of_io(self.kept.location(), error))?;
            self.kept.store.cache(&Path::from(INDEX), packed).await?;
            self.found.repaired.push(INDEX.to_owned());
        }
        Ok(())
    }
}
