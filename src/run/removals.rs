//! Pins that a release removes at the same time: a look that misses one reads the log again before it says so, and a run that needs
//! one says that on record, and looks after the last removal arrived, before it relies on it (I14, I15, I26).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::decide::Plan;
use crate::decide::release::{calls_lost, in_doubt, needed};
use crate::ledger::LedgerError;
use crate::model::{ArtifactId, Entry, Event, Intent, RepositoryKey};

use super::Stop;
use super::repository::RepositoryScan;
use super::setup::Setup;

/// The plan on this look, by a run that pins nothing, or not any more. Where it would call a pin lost, the log is read again first: a
/// removal is on record before it happens, so that whatever this look missed because of one is there by then.
pub(super) async fn judge(
    setup: &Setup,
    look: &mut RepositoryScan,
    plan: impl Fn(&RepositoryScan) -> Plan,
) -> Result<Plan, LedgerError> {
    let first = plan(look);
    if !calls_lost(&first.events) {
        return Ok(first);
    }
    let now = setup.ledger.recall_again(&look.key).await?;
    Ok(if look.state.hear_of_pins(now).is_empty() { first } else { plan(look) })
}

/// What a run that pins does after a look.
pub(super) enum Next {
    /// This is the plan.
    Pin(Box<Plan>),
    /// What it saw may be older than a removal: it looks again.
    LookAgain,
}

/// Before anything is pinned, or called lost. What is needed and was on record as needless is said to be needed first: from then on
/// no release begins to remove it, and after `waited` none that began before is under way.
pub(super) async fn before_pins(
    setup: &Setup,
    look: &mut RepositoryScan,
    waited: &mut BTreeMap<ArtifactId, Intent>,
    stop: &Stop,
    plan: impl Fn(&RepositoryScan) -> Plan,
) -> Result<Next, LedgerError> {
    let first = plan(look);
    let of_interest = !first.pins.is_empty() || calls_lost(&first.events);
    if !of_interest && Needs::by(look, &first, waited).is_empty() {
        return Ok(Next::Pin(Box::new(first)));
    }
    let now = setup.ledger.recall_again(&look.key).await?;
    let news = look.state.hear_of_pins(now);
    let plan = plan(look);
    let needs = Needs::by(look, &plan, waited);
    if needs.is_empty() {
        let is_older = news.iter().any(|artifact| needs.all.contains(artifact));
        return Ok(if is_older { Next::LookAgain } else { Next::Pin(Box::new(plan)) });
    }
    record(setup, &look.key, needs.said).await?;
    if !needs.in_doubt.is_empty() {
        tracing::info!(repository = %look.key, "a release was removing pins of {}; it is looked at again", look.key);
        let now = Timestamp::now();
        if !needs.in_doubt.values().all(|intent| intent.has_arrived(now)) && !stop.waits_for_removals().await {
            return Ok(Next::Pin(Box::new(plan)));
        }
        waited.extend(needs.in_doubt);
    }
    Ok(Next::LookAgain)
}

/// What is needed of the pins that releases are about.
struct Needs {
    all: BTreeSet<ArtifactId>,
    /// What is to be said on record.
    said: Vec<Event>,
    /// What may be going right now.
    in_doubt: BTreeMap<ArtifactId, Intent>,
}

impl Needs {
    fn by(look: &RepositoryScan, plan: &Plan, waited: &BTreeMap<ArtifactId, Intent>) -> Self {
        let all = needed(&plan.report, &look.inspections);
        let in_doubt = in_doubt(&look.state, &all, &plan.events, waited);
        let said = plan.events.iter().filter(|event| matches!(event, Event::PinNeeded { .. })).cloned().collect();
        Self { all, said, in_doubt }
    }

    fn is_empty(&self) -> bool {
        self.said.is_empty() && self.in_doubt.is_empty()
    }
}

/// Puts on record what is about to happen to pins, or did, before the run's own record.
pub(super) async fn record(
    setup: &Setup,
    key: &RepositoryKey,
    events: impl IntoIterator<Item = Event>,
) -> Result<(), LedgerError> {
    let at = Timestamp::now();
    let entry = |event| Entry { run: setup.id.clone(), at, repository: Some(key.clone()), event };
    setup.ledger.commit(events.into_iter().map(entry).collect()).await?;
    Ok(())
}
