//! Who moved or deleted release tags, asked of the source's audit trail. Nothing waits for it longer than a moment, and nothing is
//! decided by it: a name is a later word about what is on record (L64, L66).

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::decide::attribution::{attributed, unnamed_changes};
use crate::decide::{self, Labels};
use crate::model::{Cause, Mode, TrailAnswer};
use crate::sources::{Inventory, unread};

use super::super::Stop;
use super::super::setup::Setup;
use super::RepositoryScan;

/// One repository's questions take no longer than this: pins wait for them.
const ASKED_FOR: Duration = Duration::from_secs(20);

impl RepositoryScan {
    /// Takes in what the trail says of changes that nobody is named for. The names are events of this run; for the rest the
    /// findings say what the trail answered.
    pub(super) async fn name_movers(&mut self, setup: &Setup, inventory: &dyn Inventory, stop: &Stop) {
        let Some(trail) = inventory.trail() else { return };
        // What removes pins has a role of its own, and no more rights than that takes.
        if setup.mode == Mode::Release || stop.is_set() || setup.witnesses.withhold_in(&self.key) {
            return;
        }
        let labels = Labels::new(&self.snapshot, &self.labels);
        let mut open = unnamed_changes(&self.state, &setup.rules, &self.snapshot, &labels, self.at);
        open.truncate(questions(setup, open.len()));
        if open.is_empty() {
            return;
        }
        let answers = tokio::time::timeout(time(stop), trail.who(&self.key.name, &open)).await;
        let late = "the audit trail did not answer in the time that there is for it; the next run asks again";
        let answers = answers.unwrap_or_else(|_| unread(&open, Cause::TimedOut, late));
        if answers.iter().any(is_too_much) {
            setup.trail_questions.store(0, Ordering::Relaxed);
        }
        for (change, answer) in open.iter().zip(answers) {
            match answer {
                TrailAnswer::Named(by) => {
                    let event = attributed(change, by);
                    decide::fold(&mut self.state, self.mark, std::slice::from_ref(&event));
                    self.happened.push(event);
                    self.news += 1;
                }
                other => _ = self.unnamed.insert((change.tag.clone(), change.change), other),
            }
        }
    }
}

/// Whether the trail answers too slowly, or wants to be asked less: then nothing more is asked in this run, and no other repository
/// waits in vain.
fn is_too_much(answer: &TrailAnswer) -> bool {
    matches!(answer, TrailAnswer::Unread(gap) if matches!(gap.cause, Cause::TimedOut | Cause::Throttled))
}

/// No more than a tenth of what is left.
fn time(stop: &Stop) -> Duration {
    let left = stop.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
    left.map_or(ASKED_FOR, |left| ASKED_FOR.min(left / 10))
}

/// How many of so many questions there is room for in this run.
fn questions(setup: &Setup, wanted: usize) -> usize {
    let take = |left: usize| Some(left - left.min(wanted));
    let before = setup.trail_questions.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
    before.unwrap_or_default().min(wanted)
}
