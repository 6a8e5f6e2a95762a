//! `view/repository/…`: one repository's folded state as of some commit. A cache: what it holds is believed only if it
//! hashes to what the log says of that repository at that commit.

use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::cache::{self, Envelope};
use super::commitment::{Commitment, Hashing};
use super::touch::Touch;
use prodpin_core::model::{Digest, Entry, Mark, RepositoryKey, RepositoryState};

/// How many of the commits that touched a repository its view lists, so that its history is read at once; older ones are
/// found one by one, from link to link.
const TOUCHES_KEPT: usize = 512;

/// One repository's folded state, and which commits made it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    pub(super) repository: RepositoryKey,
    /// The commit as of which this is; none while nothing is known.
    pub(super) latest: Option<Touch>,
    pub(super) body: Body,
}

/// What a commitment covers. The commit itself is no part of it, because it is that commit that says what this hashes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Body {
    /// Commits that touched it before the latest, latest last.
    pub(super) touches: Vec<Touch>,
    /// The touches listed are all those after this commit.
    pub(super) complete_after: u64,
    pub(super) state: RepositoryState,
}

impl View {
    /// The view of a repository before anything is known of it.
    pub(super) fn new(repository: RepositoryKey) -> Self {
        Self { repository, latest: None, body: Body::default() }
    }

    /// Where the view of a repository is. A repository's name is a stranger's bytes: only their hash makes a file name,
    /// so that no name reaches out of the folder, is too long, or differs from another by case alone (I19).
    pub(super) fn path(key: &RepositoryKey) -> Path {
        let name = format!("{}\n{}", key.source, key.name);
        Path::from(format!("view/repository/{}", Digest::sha256(name.as_bytes()).hex()))
    }

    /// Folds one commit's entries in; those about other repositories are passed over.
    pub(super) fn apply<'e>(&mut self, touch: &Touch, entries: impl IntoIterator<Item = &'e Entry>) {
        let mut touched = false;
        for entry in entries {
            if entry.repository.as_ref() != Some(&self.repository) {
                continue;
            }
            if !touched {
                self.begin();
                touched = true;
            }
            self.body.state.apply(Mark { sequence: touch.0, at: entry.at }, &entry.event);
        }
        if touched {
            self.latest = Some(touch.clone());
        }
    }

    /// Begins a commit: what was the latest one is one of those before.
    pub(super) fn begin(&mut self) {
        let Some(latest) = self.latest.take() else { return };
        let touches = &mut self.body.touches;
        if touches.len() == TOUCHES_KEPT {
            self.body.complete_after = touches.remove(0).0;
        }
        touches.push(latest);
    }

    /// All commits listed, latest last.
    pub(super) fn touches(&self) -> impl DoubleEndedIterator<Item = &Touch> {
        self.body.touches.iter().chain(&self.latest)
    }

    /// What the log has to say of this, for it to be believed.
    pub(super) fn commitment(&self) -> Commitment {
        let mut hashing = std::io::BufWriter::with_capacity(32 << 10, Hashing::default());
        // Neither the writer nor what is written can fail.
        let _ = serde_json::to_writer(&mut hashing, &self.body);
        hashing.into_inner().map(Hashing::finish).unwrap_or_else(|_| Hashing::default().finish())
    }

    /// The file that holds it.
    pub(super) fn pack(&self, origin: &str) -> std::io::Result<Vec<u8>> {
        let envelope = Envelope {
            repository: Some(self.repository.clone()),
            latest: self.latest.clone(),
            ..Envelope::new(origin, self.latest.as_ref().map_or(0, |latest| latest.0))
        };
        cache::pack(&envelope, |writer| Ok(serde_json::to_writer(writer, &self.body)?))
    }

    /// How much it weighs in memory, in tags and in what they pointed at: a tag that moves all the time is a long story.
    pub(super) fn weight(&self) -> usize {
        let state = &self.body.state;
        let tags: usize = state.tags.values().map(|history| 1 + history.sightings().len()).sum();
        1 + tags + state.deployments.len() + state.pinned.len() + state.lost.len() + self.body.touches.len()
    }
}

/// Which repositories a batch touches, each with its entries in order.
pub(super) fn by_repository(batch: &Batch) -> std::collections::BTreeMap<&RepositoryKey, Vec<&Entry>> {
    let mut about: std::collections::BTreeMap<&RepositoryKey, Vec<&Entry>> = std::collections::BTreeMap::new();
    for entry in &batch.entries {
        if let Some(key) = &entry.repository {
            about.entry(key).or_default().push(entry);
        }
    }
    about
}
