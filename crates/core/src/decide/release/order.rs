//! The pins of one repository: which may go, in which order, and why the others stay.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::grounds::{EarlierRun, LastReference, PinFacts, RunFacts, grounds};
use super::removal::removal_of;
use super::unneeded::every_pin;
use super::worse::Rules;
use crate::decide::input::Input;
use crate::decide::plan::Plan;
use crate::model::{ArtifactId, Gap, Inspection, Mark, PinRemoval, PinState, Tag, Threat};
use crate::outcome::release::Ground;

/// What is asked about a repository.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the plan was made from.
    pub input: &'a Input<'a>,
    /// The plan on what was read in this run.
    pub plan: &'a Plan,
    /// For how long an artifact must have been outside the rollback set.
    pub grace: SignedDuration,
    /// The runs on record, the latest first.
    pub earlier: &'a [EarlierRun],
    /// The latest time in the ledger.
    pub newest: Option<Timestamp>,
    /// What else this run could not read.
    pub gaps: &'a [Gap],
    /// Closer looks at what has a pin that nothing needs, and at what was released before, for their parts.
    pub looks: &'a BTreeMap<ArtifactId, Inspection>,
    /// A permanent tag of each that was just read there.
    pub read: &'a BTreeMap<ArtifactId, Tag>,
    /// How pins are removed here.
    pub removal: &'a PinRemoval,
    /// Whether prodpin is being given up here: every pin that it made goes that can go.
    pub leaving: bool,
}

impl Question<'_> {
    /// The pins that it is about.
    #[must_use]
    pub fn pins(&self) -> Vec<ArtifactId> {
        if self.leaving { every_pin(self.input) } else { self.plan.unneeded.clone() }
    }
}

/// What is decided about one pin.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What it is on.
    pub artifact: ArtifactId,
    /// Since when it is on record that nothing needs it.
    pub since: Option<Mark>,
    /// What would be left on its artifact.
    pub left: LastReference,
    /// Why it stays; none: it may go.
    pub grounds: Vec<Ground>,
    /// What rules would then do to its artifact.
    pub then: Option<Threat>,
}

impl Verdict {
    /// Whether it may go.
    #[must_use]
    pub fn goes(&self) -> bool {
        self.grounds.is_empty()
    }
}

/// Decides about every pin that nothing in the rollback set needs. Those that may go come first, each after what has it as a
/// part, and each judged as the ones before it leave the repository.
#[must_use]
pub fn decide(question: &Question<'_>) -> Vec<Verdict> {
    let deciding = Deciding::new(question);
    let mut gone = BTreeSet::new();
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut open = question.pins();
    // The first one shows whether a removal takes more than the pin: it is the one that is needed least, with a tag that stays.
    let state = question.input.state;
    let since = |artifact: &ArtifactId| state.unneeded.get(artifact).map_or(u64::MAX, |mark| mark.sequence);
    open.sort_by_cached_key(|artifact| (!question.read.contains_key(artifact), since(artifact), artifact.clone()));
    loop {
        let before = open.len();
        let mut left = Vec::new();
        for artifact in open {
            let verdict = deciding.verdict(&artifact, &gone);
            match verdict.goes() {
                true => {
                    gone.insert(artifact);
                    verdicts.push(verdict);
                }
                false => left.push(artifact),
            }
        }
        open = left;
        if open.len() == before {
            break;
        }
    }
    verdicts.extend(open.iter().map(|artifact| deciding.verdict(artifact, &gone)));
    verdicts
}

struct Deciding<'a> {
    question: &'a Question<'a>,
    rules: Rules<'a>,
    gap: Option<String>,
    unprotected: Option<&'a ArtifactId>,
}

impl<'a> Deciding<'a> {
    fn new(question: &'a Question<'a>) -> Self {
        let report = &question.plan.report;
        let of_looks = question.looks.values().flat_map(|seen| &seen.gaps);
        let gap = report.gaps.iter().chain(question.gaps).chain(of_looks).next();
        let unprotected = report.targets.iter().find(|target| target.protected != Some(true));
        Self {
            question,
            rules: Rules::new(question.input, question.looks),
            gap: gap.map(|gap| gap.detail.clone()),
            unprotected: unprotected.map(|target| &target.artifact),
        }
    }

    fn verdict(&self, artifact: &ArtifactId, gone: &BTreeSet<ArtifactId>) -> Verdict {
        let question = self.question;
        let state = question.input.state;
        let owners = || question.looks.iter().filter(|(_, seen)| seen.parts.find(artifact).is_some());
        let part_of = owners().find(|(owner, seen)| !gone.contains(*owner) && seen.pin != PinState::Absent);
        let is_part = part_of.is_some() || owners().next().is_some();
        let left = match question.read.get(artifact) {
            Some(tag) => LastReference::Tag(tag.clone()),
            None if is_part => LastReference::Part,
            None => LastReference::Nothing,
        };
        let unread = PinState::Unknown;
        let removal = removal_of(question.removal, question.input.snapshot, artifact);
        let run = RunFacts {
            now: question.input.now,
            grace: question.grace,
            newest: question.newest,
            gap: self.gap.as_deref(),
            earlier: question.earlier,
            targets: question.plan.report.targets.len(),
            unprotected: self.unprotected,
            leaving: question.leaving,
        };
        let facts = PinFacts {
            unneeded: state.unneeded.get(artifact).copied(),
            needed: false,
            ours: state.made.contains_key(artifact),
            releasing: state.releasing.contains_key(artifact),
            pin: question.looks.get(artifact).map_or(&unread, |seen| &seen.pin),
            part_of: part_of.map(|(owner, _)| owner),
            left: &left,
            removal: &removal,
            worse: None,
        };
        let mut stays = grounds(&run, &facts);
        // The simulation is what takes time, so that it is asked last.
        if stays.is_empty() {
            let worse = self.rules.worse(gone, artifact);
            stays = grounds(&run, &PinFacts { worse: worse.as_deref(), ..facts });
        }
        let then = if stays.is_empty() { self.rules.then(gone, artifact) } else { None };
        Verdict { artifact: artifact.clone(), since: facts.unneeded, left, grounds: stays, then }
    }
}
