//! The log of the model: what it says of two pins, as small values. The program's own fold and its own law decide what becomes of a
//! word; numbers of commits are kept no finer than some run that lives can tell them apart.

use jiff::Timestamp;
use prodpin::model::{ArtifactId, Digest, Event, Intent, Mark, RepositoryState, RunId, Speaker, is_overtaken, rebase};

use super::guards::{Guard, Guards};

/// An index that ran before what runs, the manifest below it, and what runs: of that nothing is said, it is a target for all.
pub(super) const OLD: u8 = 0;
pub(super) const PART: u8 = 1;
pub(super) const NEW: u8 = 2;

pub(super) fn artifact(which: u8) -> ArtifactId {
    thread_local!(static ALL: [ArtifactId; 3] = [OLD, PART, NEW].map(|which| ArtifactId::Manifest(Digest::sha256(&[which]))));
    ALL.with(|all| all[usize::from(which)].clone())
}

pub(super) fn which(artifact: &ArtifactId) -> u8 {
    [OLD, PART, NEW].into_iter().find(|which| self::artifact(*which) == *artifact).unwrap()
}

pub(super) fn run_id(run: u8) -> RunId {
    RunId::new(Timestamp::UNIX_EPOCH, u64::from(run))
}

/// What is on record of one pin, by the commits that said it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Word {
    pub(super) pinned: Option<u8>,
    pub(super) made: Option<u8>,
    pub(super) unneeded: Option<u8>,
    pub(super) released: Option<u8>,
    pub(super) intent: Option<Intended>,
}

impl Word {
    /// It with the two releases by each other's name.
    pub(super) fn swapped(self) -> Self {
        let swap = |Intended { since, by, revoked }| Intended { since, by: if by < 3 { 3 - by } else { by }, revoked };
        Self { intent: self.intent.map(swap), ..self }
    }
}

/// Since when, by which run, and since when it is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Intended {
    since: u8,
    by: u8,
    pub(super) revoked: Option<u8>,
}

impl Word {
    /// It with every commit by another number.
    pub(super) fn renumbered(self, number: impl Fn(u8) -> u8) -> Self {
        let numbered = |commit: Option<u8>| commit.map(&number);
        Self {
            pinned: numbered(self.pinned),
            made: numbered(self.made),
            unneeded: numbered(self.unneeded),
            released: numbered(self.released),
            intent: self.intent.map(|Intended { since, by, revoked }| Intended {
                since: number(since),
                by,
                revoked: numbered(revoked),
            }),
        }
    }
}

/// What is on record of both.
pub(super) type Words = [Word; 2];

/// What a run says of one pin, as a small value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Said {
    Pinned(u8),
    Made(u8),
    Unmade(u8),
    Lost(u8),
    Needed(u8),
    Ended(u8),
    Released(u8),
}

impl Said {
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::Pinned { artifact } => Self::Pinned(which(artifact)),
            Event::PinMade { artifact } => Self::Made(which(artifact)),
            Event::PinUnmade { artifact } => Self::Unmade(which(artifact)),
            Event::PinLost { artifact } => Self::Lost(which(artifact)),
            Event::PinNeeded { artifact } => Self::Needed(which(artifact)),
            Event::PinReleaseEnded { artifact } => Self::Ended(which(artifact)),
            Event::PinReleased { artifact } => Self::Released(which(artifact)),
            other => panic!("no look says {other:?}"),
        }
    }

    pub(super) fn event(self) -> Event {
        match self {
            Self::Pinned(which) => Event::Pinned { artifact: artifact(which) },
            Self::Made(which) => Event::PinMade { artifact: artifact(which) },
            Self::Unmade(which) => Event::PinUnmade { artifact: artifact(which) },
            Self::Lost(which) => Event::PinLost { artifact: artifact(which) },
            Self::Needed(which) => Event::PinNeeded { artifact: artifact(which) },
            Self::Ended(which) => Event::PinReleaseEnded { artifact: artifact(which) },
            Self::Released(which) => Event::PinReleased { artifact: artifact(which) },
        }
    }
}

fn mark(commit: u8) -> Mark {
    Mark { sequence: u64::from(commit), at: Timestamp::UNIX_EPOCH }
}

/// What is on record, as the program has it.
pub(super) fn state(words: &Words) -> RepositoryState {
    let mut state = RepositoryState::default();
    for (which, word) in [OLD, PART].into_iter().zip(words) {
        let put = |to: &mut std::collections::BTreeMap<ArtifactId, Mark>, commit: Option<u8>| {
            to.extend(commit.map(|commit| (artifact(which), mark(commit))));
        };
        put(&mut state.pinned, word.pinned);
        put(&mut state.made, word.made);
        put(&mut state.unneeded, word.unneeded);
        put(&mut state.released, word.released);
        let intent = word.intent.map(|Intended { since, by, revoked }| Intent {
            since: mark(since),
            by: Some(run_id(by)),
            revoked: revoked.map(mark),
        });
        state.releasing.extend(intent.map(|intent| (artifact(which), intent)));
    }
    state
}

/// And back.
pub(super) fn words(state: &RepositoryState) -> Words {
    let number = |mark: &Mark| mark.sequence as u8;
    let run = |intent: &Intent| (0..8).find(|run| intent.is_of(&run_id(*run))).unwrap();
    [OLD, PART].map(|which| {
        let id = artifact(which);
        Word {
            pinned: state.pinned.get(&id).map(number),
            made: state.made.get(&id).map(number),
            unneeded: state.unneeded.get(&id).map(number),
            released: state.released.get(&id).map(number),
            intent: state.releasing.get(&id).map(|intent| Intended {
                since: number(&intent.since),
                by: run(intent),
                revoked: intent.revoked.as_ref().map(number),
            }),
        }
    })
}

/// What is on record now, and as of which commit that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Log {
    pub(super) words: Words,
    pub(super) commits: u8,
}

impl Log {
    /// As the ledger takes in what a run says that recalled it as of a commit: one commit, or none if nothing of it is news.
    pub(super) fn commit(&mut self, guards: Guards, run: u8, as_of: u8, said: impl IntoIterator<Item = Event>) {
        let sequence = u64::from(self.commits) + 1;
        let run = run_id(run);
        let speaker = Speaker { run: &run, as_of: u64::from(as_of), sequence };
        let mut state = state(&self.words);
        let before = self.words;
        for event in said {
            if is_overtaken(&event, &state, &speaker) && !guards.lacks(Guard::Rebases) {
                continue;
            }
            if let Some(event) = rebase(event, &state) {
                state.apply(Mark { sequence, at: Timestamp::UNIX_EPOCH }, &event);
            }
        }
        self.words = words(&state);
        self.commits += u8::from(self.words != before);
    }
}
