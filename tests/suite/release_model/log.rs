//! The log of the model: entries as small values, folded by the program's own fold and taken in by its own law.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use jiff::Timestamp;
use prodpin::model::{ArtifactId, Digest, Event, Mark, RepositoryState, RunId, Speaker, is_overtaken, rebase};

use super::guards::{Guard, Guards};

/// What runs, an index that ran before it, and the manifest below that.
pub(super) const NEW: u8 = 0;
pub(super) const OLD: u8 = 1;
pub(super) const PART: u8 = 2;

pub(super) fn artifact(which: u8) -> ArtifactId {
    thread_local!(static ALL: [ArtifactId; 3] = [NEW, OLD, PART].map(|which| ArtifactId::Manifest(Digest::sha256(&[which]))));
    ALL.with(|all| all[usize::from(which)].clone())
}

pub(super) fn which(artifact: &ArtifactId) -> u8 {
    [NEW, OLD, PART].into_iter().find(|which| self::artifact(*which) == *artifact).unwrap()
}

pub(super) fn run_id(run: u8) -> RunId {
    RunId::new(Timestamp::UNIX_EPOCH, u64::from(run))
}

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Said {
    Pinned(u8),
    Made(u8),
    Unmade(u8),
    Lost(u8),
    Unneeded(u8),
    Needed(u8),
    Releasing(u8, u8),
    Revoked(u8),
    Released(u8),
    /// A run ended; whether it was complete.
    Run(bool),
}

impl Said {
    fn event(self) -> Option<Event> {
        Some(match self {
            Self::Pinned(which) => Event::Pinned { artifact: artifact(which) },
            Self::Made(which) => Event::PinMade { artifact: artifact(which) },
            Self::Unmade(which) => Event::PinUnmade { artifact: artifact(which) },
            Self::Lost(which) => Event::PinLost { artifact: artifact(which) },
            Self::Unneeded(which) => Event::PinUnneeded { artifact: artifact(which) },
            Self::Needed(which) => Event::PinNeeded { artifact: artifact(which) },
            Self::Releasing(which, run) => Event::PinReleasing { artifact: artifact(which), by: Some(run_id(run)) },
            Self::Revoked(which) => Event::PinReleaseRevoked { artifact: artifact(which) },
            Self::Released(which) => Event::PinReleased { artifact: artifact(which) },
            Self::Run(_) => return None,
        })
    }

    /// What the program says, but for intents, which name their run.
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::Pinned { artifact } => Self::Pinned(which(artifact)),
            Event::PinMade { artifact } => Self::Made(which(artifact)),
            Event::PinUnmade { artifact } => Self::Unmade(which(artifact)),
            Event::PinLost { artifact } => Self::Lost(which(artifact)),
            Event::PinNeeded { artifact } => Self::Needed(which(artifact)),
            Event::PinReleaseRevoked { artifact } => Self::Revoked(which(artifact)),
            Event::PinReleased { artifact } => Self::Released(which(artifact)),
            other => panic!("no look says {other:?}"),
        }
    }
}

/// Every entry with its commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Log {
    pub(super) entries: Vec<(u8, Said)>,
    pub(super) commits: u8,
}

fn mark(commit: u8) -> Mark {
    Mark { sequence: u64::from(commit), at: Timestamp::UNIX_EPOCH }
}

impl Log {
    /// The state after so many entries: each is folded once for all worlds that have it.
    pub(super) fn state(&self, until: usize) -> Rc<RepositoryState> {
        type Folded = HashMap<Vec<(u8, Said)>, Rc<RepositoryState>>;
        thread_local!(static FOLDED: RefCell<Folded> = RefCell::default());
        let entries = &self.entries[..until];
        if let Some(state) = FOLDED.with(|folded| folded.borrow().get(entries).cloned()) {
            return state;
        }
        let Some(((commit, said), before)) = entries.split_last() else { return Rc::default() };
        let mut state = (*self.state(before.len())).clone();
        if let Some(event) = said.event() {
            state.apply(mark(*commit), &event);
        }
        let state = Rc::new(state);
        FOLDED.with(|folded| folded.borrow_mut().insert(entries.to_vec(), state.clone()));
        state
    }

    pub(super) fn now(&self) -> Rc<RepositoryState> {
        self.state(self.entries.len())
    }

    /// As the ledger takes in what a run says that recalled it as of a commit: one commit, or none if nothing of it is news.
    pub(super) fn commit(&mut self, guards: Guards, run: u8, as_of: u8, said: impl IntoIterator<Item = Said>) {
        let commit = self.commits + 1;
        let run = run_id(run);
        let speaker = Speaker { run: &run, as_of: u64::from(as_of), sequence: u64::from(commit) };
        for said in said {
            let counts = said.event().is_none_or(|event| {
                let state = self.now();
                let overtaken = is_overtaken(&event, &state, &speaker) && !guards.spares(&event, &state, &speaker);
                let is_free = |said| matches!(said, Said::Releasing(..)) && guards.lacks(Guard::Exclusive);
                (!overtaken || is_free(said)) && (is_free(said) || rebase(event, &state).is_some())
            });
            if counts {
                self.entries.push((commit, said));
                self.commits = commit;
            }
        }
    }

    /// Runs that ended, the latest first, with their commits.
    pub(super) fn runs(&self) -> impl Iterator<Item = (u8, bool)> {
        self.entries.iter().rev().filter_map(|(commit, said)| match said {
            Said::Run(complete) => Some((*commit, *complete)),
            _ => None,
        })
    }
}
