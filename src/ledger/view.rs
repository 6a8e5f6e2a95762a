//! `view/repository/…`: one repository's folded state as of some commit. A cache.

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::cache::CACHE_SCHEMA;
use super::index::Touch;
use crate::model::{Digest, Entry, Mark, RepositoryKey, RepositoryState};

/// How many of the commits that touched a repository its view lists, so that its history needs no other batches.
const TOUCHES_KEPT: usize = 4096;

/// One repository's folded state, and which commits made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct View {
    schema: u32,
    /// The log's origin.
    pub(super) origin: String,
    pub(super) repository: RepositoryKey,
    /// Commits that touched it, latest last.
    pub(super) touches: Vec<Touch>,
    /// The touches listed are all those after this commit.
    pub(super) complete_after: u64,
    pub(super) state: RepositoryState,
}

impl View {
    /// The view of a repository before anything is known of it.
    pub(super) fn new(origin: &str, repository: RepositoryKey) -> Self {
        Self {
            schema: CACHE_SCHEMA,
            origin: origin.to_owned(),
            repository,
            touches: Vec::new(),
            complete_after: 0,
            state: RepositoryState::default(),
        }
    }

    /// Where the view of a repository is. A repository's name is a stranger's bytes: only their hash makes a file name,
    /// so that no name reaches out of the folder, is too long, or differs from another by case alone (I19).
    pub(super) fn path(key: &RepositoryKey) -> Path {
        let name = format!("{}\n{}", key.source, key.name);
        Path::from(format!("view/repository/{}", Digest::of(name.as_bytes()).hex()))
    }

    /// Whether this is that repository's view in that log, in a form that this program writes.
    pub(super) fn is_of(&self, origin: &str, key: &RepositoryKey) -> bool {
        self.schema == CACHE_SCHEMA && self.origin == origin && self.repository == *key
    }

    pub(super) fn latest(&self) -> Option<Touch> {
        self.touches.last().copied()
    }

    /// Folds one commit's entries in; those about other repositories are passed over.
    pub(super) fn apply(&mut self, touch: Touch, entries: &[Entry]) {
        let about_it = entries.iter().filter(|entry| entry.repository.as_ref() == Some(&self.repository));
        let mut touched = false;
        for entry in about_it {
            self.state.apply(Mark { sequence: touch.0, at: entry.at }, &entry.event);
            touched = true;
        }
        if touched {
            self.touched(touch);
        }
    }

    /// Notes a commit whose entries are folded in already.
    pub(super) fn touched(&mut self, touch: Touch) {
        if self.latest() == Some(touch) {
            return;
        }
        if self.touches.len() == TOUCHES_KEPT {
            self.complete_after = self.touches.remove(0).0;
        }
        self.touches.push(touch);
    }

    /// How much it weighs in memory, in tags and in what they pointed at: a tag that moves all the time is a long story.
    pub(super) fn weight(&self) -> usize {
        let tags: usize = self.state.tags.values().map(|history| 1 + history.sightings.len()).sum();
        1 + tags + self.state.deployments.len() + self.state.pinned.len() + self.touches.len() / 4
    }
}
