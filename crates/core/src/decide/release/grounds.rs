//! Every reason for which a pin stays. This is the whole law of `release`; tests hold it against
//! production that goes back, other writers, lost answers and crashes.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{ArtifactId, Mark, PinRemoval, PinState, Tag};

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

/// Why a pin stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Ground {
    /// Its artifact, or one that has it as a part, is in the rollback set.
    Needed,
    /// Something could not be read in this run.
    Gap {
        /// What.
        detail: String,
    },
    /// No earlier run about this repository is on record.
    NoEarlierRun,
    /// The last run about this repository did not read everything.
    EarlierRunIncomplete,
    /// The repository has no rollback target at all.
    NoTarget,
    /// A target was not read back as protected.
    Unprotected {
        /// Which.
        #[schemars(with = "String")]
        artifact: ArtifactId,
    },
    /// No complete run before this one found that nothing needs it.
    NotOnRecord,
    /// The grace period is not over.
    Grace {
        /// Since when nothing needs it.
        #[schemars(with = "String")]
        since: Timestamp,
        /// When it will be over.
        #[schemars(with = "String")]
        until: Timestamp,
    },
    /// The clock of this machine is behind the ledger.
    Clock {
        /// The latest time in the ledger.
        #[schemars(with = "String")]
        newest: Timestamp,
    },
    /// No run of this ledger is on record as having made it: it is another ledger's, a person's, or from before that was recorded.
    NotOurs,
    /// Another release set out to remove it, and what came of that is not on record.
    Releasing,
    /// Whether the pin is there could not be read.
    Unread,
    /// The pin names something else.
    Moved {
        /// What.
        #[schemars(with = "String")]
        to: ArtifactId,
    },
    /// Something that is pinned has it as a part.
    PartOf {
        /// Which.
        #[schemars(with = "String")]
        artifact: ArtifactId,
    },
    /// Without the pin no permanent tag would name it.
    LastReference,
    /// It is a part without a tag of its own, and whether such a manifest stays here without any tag was never shown.
    LastOfPart,
    /// Pins cannot be removed here one by one.
    Unsupported {
        /// Why not.
        detail: String,
    },
    /// Without the pin, another artifact would fare worse under the live rules.
    Harm {
        /// Which, and how.
        detail: String,
    },
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

impl Ground {
    /// Whether a later run may find that it is over by itself.
    #[must_use]
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Gap { .. }
                | Self::NoEarlierRun
                | Self::EarlierRunIncomplete
                | Self::NotOnRecord
                | Self::Grace { .. }
                | Self::Releasing
                | Self::PartOf { .. }
        )
    }

    /// As a clause for a person.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Needed => "it is in the rollback set, or part of what is".to_owned(),
            Self::Gap { detail } => format!("not everything could be read: {detail}"),
            Self::NoEarlierRun => "no earlier run about this repository is on record; run `prodpin audit`".to_owned(),
            Self::EarlierRunIncomplete => {
                "the last run about this repository was incomplete; two complete ones in a row are needed".to_owned()
            }
            Self::NoTarget => "the repository has no rollback target: check `production:` in the policy".to_owned(),
            Self::Unprotected { artifact } => {
                format!("rollback target {} is not protected; run `prodpin enforce`", artifact.short())
            }
            Self::NotOnRecord => {
                "no earlier complete run recorded that it left the rollback set; this run records it".to_owned()
            }
            Self::Grace { since, until } => format!(
                "it left the rollback set on {}, and the grace period ends on {} at the earliest",
                since.strftime("%Y-%m-%d %H:%MZ"),
                until.strftime("%Y-%m-%d %H:%MZ")
            ),
            Self::Clock { newest } => {
                format!("the clock of this machine is behind the ledger, whose last entry is from {newest}")
            }
            Self::NotOurs => {
                "no run of this ledger is on record as having made it: it may be another ledger's or a person's; \
                              remove it by hand once nobody needs it"
                    .to_owned()
            }
            Self::Releasing => {
                "another `prodpin release` is removing it, or was cut off over it; run `prodpin release --apply` again"
                    .to_owned()
            }
            Self::Unread => "whether its pin is there could not be told".to_owned(),
            Self::Moved { to } => format!("its pin names {to}: somebody moved it; find out who can push here"),
            Self::PartOf { artifact } => format!("it is part of {}, which is pinned", artifact.short()),
            Self::LastReference => {
                "no permanent tag names it: without its pin the registry or a cleanup may delete it".to_owned()
            }
            Self::LastOfPart => {
                "it has no tag of its own, and this kind of registry is not known to keep such a manifest".to_owned()
            }
            Self::Unsupported { detail } => detail.clone(),
            Self::Harm { detail } => detail.clone(),
        }
    }
}
