//! What can go wrong with a registry, each as a switch.

use std::collections::{BTreeMap, BTreeSet};

use super::{Memory, repository_name, tag_name};
use crate::PinFailure;
use prodpin_core::model::{ArtifactId, Cause, Gap, RepositoryName, Scope, Tag};

/// All switches that are on.
#[derive(Default)]
pub(super) struct Faults {
    /// The registry refuses to list its repositories (C86).
    pub(super) no_catalog: bool,
    /// The list of repositories never goes on after this many.
    pub(super) catalog_stalls_after: Option<usize>,
    repositories: BTreeMap<RepositoryName, RepositoryFaults>,
}

/// The switches of one repository.
#[derive(Debug, Clone, Default)]
pub(super) struct RepositoryFaults {
    pub(super) answer: Option<FaultyAnswer>,
    pub(super) list_stops_after: Option<usize>,
    pub(super) hidden: BTreeSet<Tag>,
    pub(super) unreadable: BTreeSet<Tag>,
    pub(super) corrupt: BTreeSet<ArtifactId>,
    pins: Pins,
    unpinnable: BTreeSet<ArtifactId>,
    unanswered: BTreeSet<ArtifactId>,
}

/// What every call in a repository answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultyAnswer {
    /// 403.
    Denied,
    /// 404, whatever is asked.
    NotFound,
    /// An empty list and 404 for every look-up: the worst way in which access can be revoked (F31).
    Nothing,
    /// No connection.
    Unreachable,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Pins {
    #[default]
    Kept,
    Refused,
    Lost,
}

impl Faults {
    pub(super) fn for_repository(&self, repository: &RepositoryName) -> RepositoryFaults {
        self.repositories.get(repository).cloned().unwrap_or_default()
    }
}

impl RepositoryFaults {
    /// Whether what is written is kept once it was accepted: a pin of this artifact, or a lifecycle policy.
    pub(super) fn write(&self, repository: &RepositoryName, of: Option<&ArtifactId>) -> Result<bool, PinFailure> {
        if let Some(gap) = self.gap(Scope::Repository, repository) {
            return Err(PinFailure { cause: gap.cause, detail: gap.detail });
        }
        match self.pins {
            Pins::Kept if of.is_some_and(|artifact| self.unpinnable.contains(artifact)) => Err(no_answer(repository)),
            Pins::Kept => Ok(true),
            Pins::Lost => Ok(false),
            Pins::Refused => Err(PinFailure {
                cause: Cause::Denied,
                detail: format!("{repository}: pushing is not allowed; grant the push permission"),
            }),
        }
    }

    /// What is answered to a pin that was kept.
    pub(super) fn answer(&self, repository: &RepositoryName, of: &ArtifactId) -> Result<(), PinFailure> {
        if self.unanswered.contains(of) { Err(no_answer(repository)) } else { Ok(()) }
    }

    /// Why nothing can be read here, in this scope; none where things can be read, or seem to be.
    pub(super) fn gap(&self, scope: Scope, repository: &RepositoryName) -> Option<Gap> {
        let (cause, detail) = match self.answer? {
            FaultyAnswer::Denied => (Cause::Denied, "reading is not allowed; grant the pull permission"),
            FaultyAnswer::NotFound => (Cause::NotFound, "the registry knows no such repository, or hides it"),
            FaultyAnswer::Unreachable => (Cause::Unreachable, "the registry cannot be reached"),
            FaultyAnswer::Nothing => return None,
        };
        Some(Gap::new(scope, cause, format!("{repository}: {detail}")))
    }
}

fn no_answer(repository: &RepositoryName) -> PinFailure {
    PinFailure { cause: Cause::Unreachable, detail: format!("{repository}: no answer came") }
}

impl Memory {
    /// Every call in the repository is refused (F30).
    pub fn deny(&self, repository: &str) {
        self.fault(repository, |faults| faults.answer = Some(FaultyAnswer::Denied));
    }

    /// Every call in the repository is answered with 404, as a registry does that hides what one may not see.
    pub fn answer_not_found(&self, repository: &str) {
        self.fault(repository, |faults| faults.answer = Some(FaultyAnswer::NotFound));
    }

    /// The repository seems to be empty: its list is complete and holds nothing, every look-up is a plain 404 (F31).
    pub fn answer_nothing(&self, repository: &str) {
        self.fault(repository, |faults| faults.answer = Some(FaultyAnswer::Nothing));
    }

    /// No call in the repository gets through (F1, F2).
    pub fn cut_off(&self, repository: &str) {
        self.fault(repository, |faults| faults.answer = Some(FaultyAnswer::Unreachable));
    }

    /// The list of tags breaks off after this many, and says so.
    pub fn stop_list_after(&self, repository: &str, tags: usize) {
        self.fault(repository, |faults| faults.list_stops_after = Some(tags));
    }

    /// The list leaves this tag out though it is there, as a cache or a race between pages does (F19).
    pub fn hide_tag(&self, repository: &str, tag: &str) {
        self.fault(repository, |faults| {
            faults.hidden.insert(tag_name(tag));
        });
    }

    /// This tag is listed, and what it names cannot be read.
    pub fn make_unreadable(&self, repository: &str, tag: &str) {
        self.fault(repository, |faults| {
            faults.unreadable.insert(tag_name(tag));
        });
    }

    /// Other bytes are served for this digest (F22).
    pub fn corrupt(&self, repository: &str, artifact: &ArtifactId) {
        self.fault(repository, |faults| {
            faults.corrupt.insert(artifact.clone());
        });
    }

    /// Pins are refused.
    pub fn refuse_pins(&self, repository: &str) {
        self.fault(repository, |faults| faults.pins = Pins::Refused);
    }

    /// The pin of this one gets no answer.
    pub fn lose_pin_of(&self, repository: &str, artifact: &ArtifactId) {
        self.fault(repository, |faults| {
            faults.unpinnable.insert(artifact.clone());
        });
    }

    /// The pin of this one is made, and its answer is lost on the way.
    pub fn lose_answer_of(&self, repository: &str, artifact: &ArtifactId) {
        self.fault(repository, |faults| {
            faults.unanswered.insert(artifact.clone());
        });
    }

    /// Pins are accepted and not kept, so that only reading back tells.
    pub fn lose_pins(&self, repository: &str) {
        self.fault(repository, |faults| faults.pins = Pins::Lost);
    }

    /// The registry does not list its repositories (C86).
    pub fn refuse_catalog(&self) {
        self.lock().faults.no_catalog = true;
    }

    /// The registry's list of repositories never goes on after this many.
    pub fn stall_catalog(&self, after: usize) {
        self.lock().faults.catalog_stalls_after = Some(after);
    }

    /// Everything works again.
    pub fn heal(&self) {
        self.lock().faults = Faults::default();
    }

    fn fault(&self, repository: &str, change: impl FnOnce(&mut RepositoryFaults)) {
        change(self.lock().faults.repositories.entry(repository_name(repository)).or_default());
    }
}
