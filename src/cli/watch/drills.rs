//! Drills beside runs: by a schedule of their own, one at a time, so that a long one holds no run up.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::{Silent, announce};
use crate::cli::exit::Ending;
use crate::model::{RehearsalOutcome, SignatureVerdict, without_credentials};
use crate::outcome::size::{seconds, size};
use crate::policy::Policy;
use crate::run::{self, DrillOptions, Drilled, RunError, RunOptions, Stop};
use crate::watch::{Tick, Timetable, allowance};

/// When drills are due, and the one that is under way.
pub(super) struct Drills {
    timetable: Option<Timetable>,
    under_way: Option<JoinHandle<Result<Drilled, RunError>>>,
}

impl Drills {
    /// From now on: what was due before is not made up for, since a drill may read a lot.
    pub(super) fn new(policy: &Policy) -> Self {
        Self { timetable: timetable(policy), under_way: None }
    }

    /// By another policy from now on.
    pub(super) fn reschedule(&mut self, policy: &Policy) {
        match (&mut self.timetable, policy.drill.as_ref().and_then(|drill| drill.schedule.clone())) {
            (Some(timetable), Some(schedule)) => timetable.reschedule(schedule, Timestamp::now()),
            _ => self.timetable = timetable(policy),
        }
    }

    /// Begins one that is due, and tells of one that ended.
    pub(super) async fn tick(&mut self, policy: &Policy, options: &RunOptions, stop: &Stop) {
        if self.under_way.as_ref().is_some_and(JoinHandle::is_finished) {
            self.end(policy).await;
        }
        let (Some(timetable), Some(drill), None) = (&mut self.timetable, &policy.drill, &self.under_way) else {
            return;
        };
        let Some(schedule) = &drill.schedule else { return };
        if !matches!(timetable.tick(Timestamp::now()), Tick::Run { .. }) {
            return;
        }
        let options = DrillOptions {
            sources: options.sources.clone(),
            repositories: Vec::new(),
            only: None,
            from: drill.from,
            keys: drill.keys.clone(),
            max_bytes: drill.max_bytes,
            concurrency: options.concurrency,
            deadline: Some(allowance(schedule, Timestamp::now())),
            stop: stop.clone(),
        };
        let policy = policy.clone();
        let runtime = tokio::runtime::Handle::current();
        // On a thread of its own: what a run is made of stays where it began.
        let work = move || runtime.block_on(run::drill(&policy, &options, Arc::new(Silent)));
        self.under_way = Some(tokio::task::spawn_blocking(work));
    }

    /// Waits for the one that is under way, and tells of it.
    pub(super) async fn end(&mut self, policy: &Policy) {
        let Some(drill) = self.under_way.take() else { return };
        match drill.await {
            Ok(Ok(drilled)) => tell(&drilled, policy),
            Ok(Err(error)) => {
                let reason = without_credentials(&format!("{:#}", anyhow::Error::from(error))).into_owned();
                tracing::error!("the drill failed: {reason}");
            }
            Err(defect) => tracing::error!("a defect of prodpin ended the drill: {defect}"),
        }
    }
}

fn timetable(policy: &Policy) -> Option<Timetable> {
    let (schedule, now) = (policy.drill.as_ref()?.schedule.clone()?, Timestamp::now());
    let seed = prodpin_net::jitter::draw();
    Some(Timetable::new(schedule, std::time::Duration::ZERO, seed, Some(now), now))
}

fn tell(drilled: &Drilled, policy: &Policy) {
    let complete = match crate::cli::drill::ending(drilled, policy) {
        Ending::Ran { complete: false, .. } => "INCOMPLETE: ",
        _ => "",
    };
    let took = u64::try_from(drilled.took.as_millis()).unwrap_or(u64::MAX);
    let (intact, all, broken) = (drilled.intact(), drilled.targets.len(), drilled.broken());
    let (read, took) = (size(drilled.bytes), seconds(took));
    announce(&format!("drill {complete}{intact} of {all} rollback targets intact, {broken} broken; {read} in {took}"));
    let unverified = drilled.signed(SignatureVerdict::NotVerified);
    if unverified > 0 {
        tracing::error!("signatures of {unverified} rollback targets do not verify; prodpin drill shows them");
    }
    let refused = drilled.rehearsals(RehearsalOutcome::Failed);
    if refused > 0 {
        tracing::error!("{refused} old revisions would not start; prodpin drill --only rehearsal shows why");
    }
    if broken > 0 {
        tracing::error!(
            "{broken} rollback targets are broken: the next run reports them; prodpin drill shows the parts"
        );
    }
}
