//! Every reason for which a pin stays. This is the whole law of `release`; tests hold it against
//! production that goes back, other writers, lost answers and crashes.

use jiff::{SignedDuration, Timestamp};

use crate::model::{ArtifactId, Mark, PinRemoval, PinState, Tag};
use crate::outcome::release::Ground;

/// So far clocks of machines may be apart before times of the ledger decide nothing.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// A run on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlierRun {
    /// The commit that closed it.
    pub sequence: u64,
    /// When it finished, by its own clock.
    pub finished: Timestamp,
    /// Whether everything that it was about was read, signals included.
    pub complete: bool,
    /// Whether it was about the repository in question.
    pub covers: bool,
}

/// What holds for every pin of a repository.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// This run's clock.
    pub now: Timestamp,
    /// For how long an artifact must have been outside the rollback set.
    pub grace: SignedDuration,
    /// The latest time in the ledger.
    pub newest: Option<Timestamp>,
    /// What this run could not read: of the repository, of its source, of any signal.
    pub gap: Option<&'a str>,
    /// The runs on record, the latest first.
    pub earlier: &'a [EarlierRun],
    /// How many rollback targets the repository has.
    pub targets: usize,
    /// A target that was not read back as protected in this run.
    pub unprotected: Option<&'a ArtifactId>,
    /// Whether prodpin is being given up here: then the rollback set keeps no pin, and neither does time.
    pub leaving: bool,
}

/// What would be left on an artifact without its pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastReference {
    /// A permanent tag that was just read.
    Tag(Tag),
    /// Nothing, and it is part of an artifact whose own pin went before it.
    Part,
    /// Nothing that is known to stay.
    Nothing,
}

/// What is known of one pin.
#[derive(Debug, Clone, Copy)]
pub struct PinFacts<'a> {
    /// Since when it is on record that nothing in the rollback set needs it.
    pub unneeded: Option<Mark>,
    /// Whether something in the rollback set needs it now: it is a target, or a part of one.
    pub needed: bool,
    /// Whether a run of this ledger made it.
    pub ours: bool,
    /// Whether a release set out to remove it, and what came of that is not on record.
    pub releasing: bool,
    /// The pin as just read.
    pub pin: &'a PinState,
    /// Something that is pinned and has it as a part.
    pub part_of: Option<&'a ArtifactId>,
    /// What would be left.
    pub left: &'a LastReference,
    /// How pins are removed here.
    pub removal: &'a PinRemoval,
    /// Who would fare worse under the live rules, or what could not be read for that, as a sentence.
    pub worse: Option<&'a str>,
}

/// Every ground on which the pin stays; none: it may go.
#[must_use]
pub fn grounds(run: &RunFacts<'_>, pin: &PinFacts<'_>) -> Vec<Ground> {
    let mut grounds = Vec::new();
    if pin.needed && !run.leaving {
        grounds.push(Ground::Needed);
    }
    of_run(run, &mut grounds);
    if !run.leaving {
        of_time(run, pin.unneeded, &mut grounds);
    }
    if !pin.ours {
        grounds.push(Ground::NotOurs);
    }
    if pin.releasing {
        grounds.push(Ground::Releasing);
    }
    match pin.pin {
        PinState::Present => {}
        PinState::Moved(to) => grounds.push(Ground::Moved { to: to.clone() }),
        // What is not there needs nothing; a mark that protects nothing goes like any other.
        PinState::Absent | PinState::Unknown | PinState::Unsupported { marked: false } => grounds.push(Ground::Unread),
        PinState::Unsupported { marked: true } => {}
    }
    if let Some(artifact) = pin.part_of {
        grounds.push(Ground::PartOf { artifact: artifact.clone() });
    }
    grounds.extend(of_what_is_left(pin));
    if let Some(detail) = pin.worse {
        grounds.push(Ground::Harm { detail: detail.to_owned() });
    }
    grounds
}

/// Every ground on which the vault keeps its copy of an artifact; none: it may leave. One whose pin was released by a run before
/// has waited for its time already.
#[must_use]
pub fn vault_grounds(run: &RunFacts<'_>, needed: bool, released: Option<Mark>, unneeded: Option<Mark>) -> Vec<Ground> {
    let mut grounds = Vec::new();
    if needed {
        grounds.push(Ground::Needed);
    }
    of_run(run, &mut grounds);
    if released.is_none() {
        of_time(run, unneeded, &mut grounds);
    }
    grounds
}

fn of_run(run: &RunFacts<'_>, grounds: &mut Vec<Ground>) {
    if let Some(detail) = run.gap {
        grounds.push(Ground::Gap { detail: detail.to_owned() });
    }
    if run.leaving {
        return;
    }
    match run.earlier.iter().find(|earlier| earlier.covers) {
        None => grounds.push(Ground::NoEarlierRun),
        Some(earlier) if !earlier.complete => grounds.push(Ground::EarlierRunIncomplete),
        Some(_) => {}
    }
    // Of a rule that matches nothing any more, everything is outside the set.
    if run.targets == 0 {
        grounds.push(Ground::NoTarget);
    }
    if let Some(artifact) = run.unprotected {
        grounds.push(Ground::Unprotected { artifact: artifact.clone() });
    }
}

/// The sequence orders, and the clock only informs (I21).
fn of_time(run: &RunFacts<'_>, unneeded: Option<Mark>, grounds: &mut Vec<Ground>) {
    if let Some(newest) = run.newest.filter(|newest| newest.duration_since(run.now) > SKEW) {
        grounds.push(Ground::Clock { newest });
    }
    let seen_by = |mark: &Mark| run.earlier.iter().any(|earlier| earlier.covers && earlier.sequence >= mark.sequence);
    let Some(mark) = unneeded.filter(seen_by) else {
        grounds.push(Ground::NotOnRecord);
        return;
    };
    let (since, over) = witnessed(run, mark);
    let left = run.grace.max(SignedDuration::ZERO) - over;
    if left.is_positive() || run.now < since {
        let until = run.now.max(since).saturating_add(left).unwrap_or(Timestamp::MAX);
        grounds.push(Ground::Grace { since, until });
    }
}

/// Since when nothing needs a pin, and how much time has passed since, as the runs on record bear witness.
///
/// A run whose clock was behind did not see it earlier than the run that was recorded before it; and none ended later than any
/// run that was recorded after it. What is left of a clock that was ahead is one leap between two runs, so that the longest time
/// between two of them does not count: no single clock brings the end of the grace period nearer (I21).
fn witnessed(run: &RunFacts<'_>, mark: Mark) -> (Timestamp, SignedDuration) {
    let before = run.earlier.iter().filter(|earlier| earlier.sequence < mark.sequence);
    let since = before.map(|earlier| earlier.finished).max().map_or(mark.at, |before| before.max(mark.at));
    let (mut later, mut passed, mut longest) = (run.now.max(since), SignedDuration::ZERO, SignedDuration::ZERO);
    let after = run.earlier.iter().filter(|earlier| earlier.sequence >= mark.sequence);
    for time in after.map(|earlier| earlier.finished.max(since)).chain([since]) {
        let time = time.min(later);
        let gap = later.duration_since(time);
        passed = passed.saturating_add(gap);
        longest = longest.max(gap);
        later = time;
    }
    (since, passed - longest)
}

fn of_what_is_left(pin: &PinFacts<'_>) -> Option<Ground> {
    match (pin.removal, pin.left) {
        (PinRemoval::Unsupported { detail }, _) => Some(Ground::Unsupported { detail: detail.clone() }),
        (_, LastReference::Tag(_)) => None,
        (PinRemoval::Untag { leaves_untagged: true }, LastReference::Part) => None,
        (_, LastReference::Part) => Some(Ground::LastOfPart),
        (_, LastReference::Nothing) => Some(Ground::LastReference),
    }
}
