//! What the ledger knows of the repository to which something is put back, and that it was put back. A ledger that cannot be
//! read or written keeps nobody from restoring: it is said that it does not know.

use jiff::Timestamp;

use crate::ledger::{Access, Ledger};
use crate::model::{
    ArtifactId, BrokenPart, Digest, DrilledFrom, Entry, Event, PutBack, RepositoryKey, RepositoryState, RunId,
};
use crate::policy::{LedgerLocation, Policy};
use crate::vault::Restored;
use prodpin_net::jitter;

use super::super::Stop;

/// The ledger, as far as it can be relied on.
pub(super) enum Remembered {
    /// It is there.
    Here {
        /// Itself.
        ledger: Box<Ledger>,
        /// What it knows of the repository.
        state: Box<RepositoryState>,
    },
    /// There is none, or none about this repository: no release of it is under way either. Why.
    Without(String),
    /// It cannot be read, and why.
    Unread(String),
}

impl Remembered {
    /// Opens it, to be written to where something is put back.
    pub(super) async fn open(policy: &Policy, key: &RepositoryKey, apply: bool, stop: &Stop) -> Self {
        if policy.ledger == LedgerLocation::None {
            return Self::Without("the policy names no ledger".to_owned());
        }
        let access = if apply { Access::Write } else { Access::Read };
        let opened = Ledger::open_until(&policy.ledger, &policy.safeguards, access, stop.share()).await;
        let ledger = match opened.and_then(|mut ledger| ledger.must_be_remembered().map(|()| ledger)) {
            Ok(ledger) => ledger,
            Err(error) => return Self::Unread(error.to_string()),
        };
        if let Some(trouble) = ledger.anchor_trouble() {
            return Self::Unread(trouble);
        }
        if !ledger.knows(key) {
            return Self::Without(format!("the ledger does not know {} in {} yet", key.name, key.source));
        }
        match ledger.recall(key).await {
            Ok(state) => Self::Here { ledger: Box::new(ledger), state: Box::new(state) },
            Err(error) => Self::Unread(error.to_string()),
        }
    }

    pub(super) fn state(&self) -> Option<&RepositoryState> {
        match self {
            Self::Here { state, .. } => Some(state),
            Self::Without(_) | Self::Unread(_) => None,
        }
    }

    /// Parts under whose digests the last drill read wrong bytes from the source.
    pub(super) fn wrong_bytes(&self, artifact: &ArtifactId) -> Vec<Digest> {
        let drills = self.state().and_then(|state| state.drilled.get(artifact));
        let broken = drills.and_then(|drills| drills.get(&DrilledFrom::Source)).map(|(_, drill)| &drill.broken);
        let wrong = broken.into_iter().flatten().filter(|part| !part.gone);
        wrong.map(|BrokenPart { digest, .. }| digest.clone()).collect()
    }

    /// Says on record that the pins of these are needed, and waits until no `release` that began before removes one any more: what
    /// comes back is not pinned under a removal that is still under way (I14, I15). Why it could not, if it could not.
    pub(super) async fn need(
        &self,
        key: &RepositoryKey,
        artifacts: impl Iterator<Item = ArtifactId>,
        stop: &Stop,
    ) -> Option<String> {
        let ledger = match self {
            Self::Here { ledger, .. } => ledger,
            Self::Without(_) => return None,
            Self::Unread(why) => return Some(why.clone()),
        };
        let state = match ledger.recall_again(key).await {
            Ok(state) => state,
            Err(error) => return Some(error.to_string()),
        };
        let of_releases =
            |artifact: &ArtifactId| state.unneeded.contains_key(artifact) || state.releasing.contains_key(artifact);
        let artifacts: Vec<ArtifactId> = artifacts.filter(of_releases).collect();
        if artifacts.is_empty() {
            return None;
        }
        let at = Timestamp::now();
        let run = RunId::new(at, jitter::draw());
        let entry = |artifact: &ArtifactId| {
            let event = Event::PinNeeded { artifact: artifact.clone() };
            Entry { run: run.clone(), at, repository: Some(key.clone()), event }
        };
        if let Err(error) = ledger.commit(artifacts.iter().map(entry).collect()).await {
            return Some(error.to_string());
        }
        // A release may have begun between that look and this word.
        let state = match ledger.recall_again(key).await {
            Ok(state) => state,
            Err(error) => return Some(error.to_string()),
        };
        let now = Timestamp::now();
        let is_under_way =
            |artifact: &ArtifactId| state.releasing.get(artifact).is_some_and(|intent| !intent.has_arrived(now));
        if artifacts.iter().any(is_under_way) {
            tracing::warn!(repository = %key, "a release is removing pins of it; restore waits until none is under way");
            if !stop.waits_for_removals().await {
                return Some(stop.reason());
            }
        }
        None
    }

    /// Puts on record what was pushed, so that the next run takes it for nobody else's doing. Why it could not be, if it could
    /// not.
    pub(super) async fn record(&self, key: &RepositoryKey, artifact: &ArtifactId, pushed: PutBack) -> Option<String> {
        let ledger = match self {
            Self::Here { ledger, .. } => ledger,
            Self::Without(why) | Self::Unread(why) => return Some(why.clone()),
        };
        let at = Timestamp::now();
        let event = Event::Restored { artifact: artifact.clone(), pushed: Box::new(pushed) };
        let entry = Entry { run: RunId::new(at, jitter::draw()), at, repository: Some(key.clone()), event };
        ledger.commit(vec![entry]).await.err().map(|error| error.to_string())
    }
}

/// What was pushed; nothing where nothing was. `wrong` are parts that a drill had found to have wrong bytes.
pub(super) fn pushed(sent: &Restored, wrong: &[Digest]) -> Option<PutBack> {
    let tags = sent.tags.iter().filter(|tag| tag.put).map(|tag| tag.tag.clone()).collect();
    let parts = sent.blobs.iter().chain(&sent.manifests);
    let pushed = PutBack {
        tags,
        blobs: sent.blobs.len() as u64,
        manifests: sent.manifests.len() as u64,
        bytes: sent.bytes(),
        replaced: parts.map(|part| part.digest.clone()).filter(|digest| wrong.contains(digest)).collect(),
        of: None,
    };
    (pushed.blobs + pushed.manifests > 0 || !pushed.tags.is_empty()).then_some(pushed)
}
