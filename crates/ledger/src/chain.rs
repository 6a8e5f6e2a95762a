//! Reading one repository's commits backwards: each names the one before by the hash of its batch, so that what is read is
//! what the head speaks for, and nothing that lies between is read.

use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};

use super::batch::{self, Batch, Link};
use super::read::{Fetched, Slot, Tip, batch_path};
use super::repositories::Known;
use super::slot_status::{SlotStatus, slot_status};
use super::touch::Touch;
use super::view::{Body, View};
use super::{Ledger, LedgerError, cache};
use prodpin_core::model::{Entry, RepositoryKey};

/// How many requests go ahead of the batch being read.
const AHEAD: usize = 8;

/// So many entries are held on the way back; of more only the commits' places, to be read again on the way forward.
const HELD: usize = 100_000;

/// A view that was made anew.
pub(super) struct Made {
    pub(super) view: View,
    /// From how many commits.
    pub(super) commits: usize,
    /// What it was to begin with was not what the log says of it.
    pub(super) base_was_wrong: bool,
}

/// One commit, as far as it is about one repository.
struct CommitStep {
    touch: Touch,
    /// None where they are not held.
    entries: Option<Vec<Entry>>,
}

impl Ledger {
    /// A batch that a touch names: whatever it holds hashes to that name.
    pub(super) async fn batch_of(&self, touch: &Touch) -> Result<Batch, LedgerError> {
        let name = batch_path(&touch.1);
        let packed = self.store.get(&name).await?;
        let packed = packed.ok_or_else(|| self.store.corrupt(format!("{name} is missing")))?;
        let lines = batch::unpack(&packed, &touch.1).map_err(|what| self.store.corrupt(format!("{name}: {what}")))?;
        batch::read(&lines).ok_or_else(|| self.store.corrupt(format!("{name}: a line is no entry")))
    }

    /// Batches in the order given, some requests ahead of the reader.
    pub(super) fn batches(&self, touches: Vec<Touch>) -> BoxStream<'_, Result<(Touch, Batch), LedgerError>> {
        let read = move |touch: Touch| {
            async move {
                let batch = self.batch_of(&touch).await?;
                Ok((touch, batch))
            }
            .boxed()
        };
        futures::stream::iter(touches).map(read).buffered(AHEAD).boxed()
    }

    /// Makes a repository's view as of its latest commit: back to the stored one where that holds, else to the beginning.
    pub(super) async fn make_view(
        &self,
        key: &RepositoryKey,
        known: &Known,
        mut base: Option<(Touch, bytes::Bytes)>,
    ) -> Result<Made, LedgerError> {
        let (mut steps, mut held, mut base_was_wrong, mut before) = (Vec::new(), 0, false, 0);
        let (mut next, mut view) = (Some(known.touch.clone()), View::new(key.clone()));
        while let Some(touch) = next.take() {
            let batch = self.batch_of(&touch).await?;
            let link = batch.links.get(key);
            if let Some((at, packed)) = base.take_if(|(at, _)| at.0 >= touch.0) {
                let judged = if at == touch { judge(&packed, link) } else { Judged::Wrong };
                match judged {
                    Judged::Right(body) => {
                        view = View { repository: key.clone(), latest: Some(at), body: *body };
                        break;
                    }
                    Judged::Unknown => {}
                    Judged::Wrong => base_was_wrong = true,
                }
            }
            let about: Vec<Entry> =
                batch.entries.into_iter().filter(|entry| entry.repository.as_ref() == Some(key)).collect();
            held += about.len();
            let entries = (held <= HELD).then_some(about);
            match batch.links.get(key) {
                Some(Link { after, .. }) => {
                    next.clone_from(after);
                    steps.push(CommitStep { touch, entries });
                }
                // A program before made that commit. Its log says which commits touched what only as a whole.
                None => {
                    view = self.since_the_beginning(key, &touch).await?;
                    before = view.touches().count();
                }
            }
        }
        let commits = before + steps.len();
        while let Some(CommitStep { touch, entries }) = steps.pop() {
            match entries {
                Some(entries) => view.apply(&touch, &entries),
                None => view.apply(&touch, &self.batch_of(&touch).await?.entries),
            }
        }
        Ok(Made { view, commits, base_was_wrong })
    }

    /// A repository's view as of a commit that a program before made: the whole log up to there, proven by its own chain
    /// and by where that leads.
    async fn since_the_beginning(&self, key: &RepositoryKey, last: &Touch) -> Result<View, LedgerError> {
        let mut view = View::new(key.clone());
        let mut commits = self.linked(last.0);
        while let Some((tip, batch)) = commits.try_next().await? {
            view.apply(&Touch(tip.sequence, tip.checkpoint.batch.clone()), &batch.entries);
        }
        match view.latest.as_ref() {
            Some(latest) if latest == last => Ok(view),
            _ => Err(self.store.corrupt(format!("the commits that touched {key} are not those that the head names"))),
        }
    }

    /// Commits from the first up to this one, each checked against the one before and the last against the head, whose
    /// tree must begin with them.
    pub(super) fn linked<'l>(&'l self, last: u64) -> BoxStream<'l, Result<(Tip, Batch), LedgerError>> {
        let fetched = self.fetch(1..=last);
        let step = move |(mut fetched, before): (BoxStream<'l, Result<Fetched, LedgerError>>, Option<Tip>)| async move {
            let mut gap = None;
            while let Some((sequence, slot, packed)) = fetched.try_next().await? {
                match (slot_status(before.as_ref(), sequence, &slot), slot) {
                    (SlotStatus::Next, Slot::Whole(tip)) => {
                        let (batch, _) = self.link(before.as_ref(), &tip, packed.as_deref())?;
                        return Ok(Some(((*tip.clone(), batch), (fetched, Some(*tip)))));
                    }
                    (SlotStatus::Newer(schema), _) => return Err(self.newer(schema)),
                    (SlotStatus::Displaced(_), _) if gap.is_some() => return Err(self.missing(gap.unwrap_or(sequence))),
                    (SlotStatus::Displaced(what), _) => return Err(self.displaced(before.as_ref(), sequence, what)),
                    // Nothing was there, if what comes later follows all the same.
                    (_, Slot::Empty) => gap = gap.or(Some(sequence)),
                    _ => {}
                }
            }
            match (gap, &before) {
                (Some(sequence), _) => Err(self.missing(sequence)),
                (None, Some(tip)) => self.vouch(tip).await.map(|()| None),
                (None, None) => Ok(None),
            }
        };
        futures::stream::try_unfold((fetched, None), step).boxed()
    }

    /// Whether the head's tree begins with this commit's: by tiles, or, where those are missing or wrong, by following
    /// each checkpoint to the one before.
    pub(super) async fn vouch(&self, tip: &Tip) -> Result<(), LedgerError> {
        use super::proof::Consistency;
        let head = self.log().tip.as_ref().map_or(0, |tip| tip.sequence);
        if tip.sequence == head && self.log().tip.as_ref().is_some_and(|head| head.digest == tip.digest) {
            return Ok(());
        }
        if let Ok(Consistency::Proven(_)) = self.consistency(tip.checkpoint.size, tip.checkpoint.root()).await {
            return Ok(());
        }
        if self.head_follows(tip).await? {
            return Ok(());
        }
        Err(self.store.corrupt(format!("commit {} is not what the head continues", tip.sequence)))
    }

    /// The commits after this number, oldest first, from the head back by what each names as the one before.
    pub(super) async fn since_commit(&self, sequence: u64) -> Result<Vec<Tip>, LedgerError> {
        let Some(head) = self.log().tip.clone().filter(|head| head.sequence > sequence) else { return Ok(Vec::new()) };
        let (mut expected, mut tips) = (head.checkpoint.previous.clone(), vec![head]);
        let first = tips[0].sequence;
        let mut back = futures::stream::iter((sequence + 1..first).rev())
            .map(|sequence| async move { self.slot(sequence).await }.boxed())
            .buffered(AHEAD);
        while let Some(slot) = back.try_next().await? {
            if let Slot::Whole(own) = slot
                && Some(&own.digest) == expected.as_ref()
            {
                expected.clone_from(&own.checkpoint.previous);
                tips.push(*own);
            }
        }
        tips.reverse();
        Ok(tips)
    }

    /// Whether the head's chain of checkpoints leads back to this one.
    pub(super) async fn head_follows(&self, tip: &Tip) -> Result<bool, LedgerError> {
        let (mut expected, head) = match &self.log().tip {
            Some(head) => (Some(head.digest.clone()), head.sequence),
            None => return Ok(false),
        };
        let mut back = futures::stream::iter((tip.sequence..=head).rev())
            .map(|sequence| async move { self.slot(sequence).await }.boxed())
            .buffered(AHEAD);
        while let Some(slot) = back.try_next().await? {
            // What is not the commit that the one after it names is none of this chain, and is passed over.
            let Slot::Whole(own) = slot else { continue };
            if Some(&own.digest) != expected.as_ref() {
                continue;
            }
            if own.sequence == tip.sequence {
                return Ok(own.digest == tip.digest);
            }
            expected.clone_from(&own.checkpoint.previous);
        }
        Ok(false)
    }
}

/// What a stored view turned out to be.
enum Judged {
    Right(Box<Body>),
    /// Nobody speaks for it.
    Unknown,
    Wrong,
}

/// Whether a stored view is what the commit that it names says of it.
fn judge(packed: &[u8], link: Option<&Link>) -> Judged {
    let Some(promised) = link.map(|link| link.view).filter(super::commitment::Commitment::is_own_form) else {
        return Judged::Unknown;
    };
    match cache::read(packed, &promised) {
        Ok(body) => Judged::Right(Box::new(body)),
        Err(cache::Unfit::Torn) => Judged::Unknown,
        Err(cache::Unfit::Other) => Judged::Wrong,
    }
}
