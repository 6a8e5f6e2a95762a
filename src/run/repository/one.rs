//! A repository's turn in a run: from the look through its pins to what is recorded and reported.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::decide::{self, Attempts, Input, Plan};
use crate::ledger::LedgerError;
use crate::model::{ArtifactId, Event, Intent, LifecycleChange, PinFailure, RepositoryKey, Snapshot, Unclaimed};
use crate::sources::Protector;

use super::super::removals::{Next, before_pins, judge};
use super::super::setup::Setup;
use super::super::{Stop, cross_check, pins};
use super::{Outcome, RepositoryScan, Sightings, look, remembered};

/// So often a repository is looked at in its turn: again where a release removes pins at the same time.
const MOST_LOOKS: u32 = 3;

/// Look, plan, apply, read back, plan again: one repository.
pub(in crate::run) async fn decide_one(
    setup: Arc<Setup>,
    key: RepositoryKey,
    stop: Stop,
) -> Result<Outcome, LedgerError> {
    let source = setup.source(&key);
    let inventory = source.inventory.as_ref();
    let Looked { mut look, mut plan, waited, known } = looked(&setup, key, &stop).await?;
    let protector = protector(&setup, &look.key);
    let untried = Attempts::new();
    let mut claimed = None;
    if let Some(protector) = protector {
        // First the rule by which pins hold, then the pins: never the other way round (I22).
        if let Some(change) = plan.claim.take() {
            let claim = claim(protector.as_ref(), &mut look, &change, &stop).await;
            plan = decide::plan(&Input { claim: Some(&claim), ..look.input(&setup, &untried) });
            claimed = Some(claim);
        }
        let claim = claimed.as_ref();
        if !plan.pins.is_empty() {
            setup.begin_history(&look.key, look.news(), look.at).await?;
            if let Some(started) = decide::started_by_pins(&look.snapshot.retention) {
                tracing::warn!("{}: {started}", look.key);
            }
            let attempts = pins::make(source, protector.as_ref(), &setup, &look, &plan.pins, claim, &known).await;
            // What a pin call answers proves nothing; what is read back afterwards is reported (I7).
            let mut again = look.inspections.clone();
            let tried = attempts.keys().cloned().collect();
            look.inspect_again(inventory, tried, &mut again).await;
            look.words.note(&mut again);
            cross_check::still_listed(&look.snapshot, &look.state, &mut again);
            look.snapshot.cleanup = remembered(&setup, &look.key, inventory.cleanup().await);
            let read_back = |look: &RepositoryScan| {
                let input = look.input(&setup, &untried);
                decide::plan(&Input { inspections: &again, attempts: &attempts, claim, ..input })
            };
            plan = judge(&setup, &mut look, read_back).await?;
        }
    }
    decide::release::leave_to_releases(&look.state, &waited, &mut plan.events);
    if setup.vault.is_some() {
        decide::bring_back::name_vault(&mut plan.findings, &plan.report.targets);
    }
    Ok(outcome(look, plan))
}

/// What is recorded and reported of it.
fn outcome(look: RepositoryScan, mut plan: Plan) -> Outcome {
    let RepositoryScan {
        key,
        at,
        mut happened,
        news,
        mark,
        state,
        also,
        reported_again,
        snapshot,
        memory,
        selection,
        ..
    } = look;
    let Snapshot { cleanup, tags, .. } = snapshot;
    // What a million tags were decided on goes before what is recorded of them comes.
    drop((tags, selection));
    let seen = Sightings::of(state, mark);
    let mut events: Vec<Event> = happened.drain(happened.len() - news..).collect();
    events.extend(also);
    events.append(&mut plan.events);
    events.extend(reported_again.map(|until| Event::ReportedAgain { until }));
    events.shrink_to_fit();
    Outcome { key, plan, seen, events, cleanup, at, memory }
}

/// What pins in a repository, where anything may.
fn protector<'a>(setup: &'a Setup, key: &RepositoryKey) -> Option<&'a Arc<dyn Protector>> {
    setup.source(key).protector.as_ref().filter(|_| !setup.witnesses.withhold_in(key))
}

/// A look, and the plan on it.
struct Looked<'a> {
    look: RepositoryScan,
    plan: Plan,
    /// Which removals by others had arrived, or never will, when it began.
    waited: BTreeMap<ArtifactId, Intent>,
    known: pins::Known<'a>,
}

/// Looks, and looks again where a release removes pins here at the same time.
async fn looked<'a>(setup: &Setup, key: RepositoryKey, stop: &'a Stop) -> Result<Looked<'a>, LedgerError> {
    let inventory = setup.source(&key).inventory.as_ref();
    let untried = Attempts::new();
    let on_look = |look: &RepositoryScan| decide::plan(&look.input(setup, &untried));
    let mut waited = BTreeMap::new();
    let mut looks = 0;
    loop {
        looks += 1;
        let mut look = look(setup, inventory, key.clone()).await?;
        if looks == 1 {
            look.name_movers(setup, inventory, stop).await;
        }
        if protector(setup, &key).is_none() {
            let plan = judge(setup, &mut look, on_look).await?;
            return Ok(Looked { look, plan, waited, known: pins::Known::now(stop) });
        }
        let known = pins::Known::now(stop);
        if let Next::Pin(plan) = before_pins(setup, &mut look, &mut waited, stop, on_look).await? {
            return Ok(Looked { look, plan: *plan, waited, known });
        }
        if looks == MOST_LOOKS {
            let plan = judge(setup, &mut look, on_look).await?;
            return Ok(Looked { look, plan, waited, known: known.leave_to_releases() });
        }
        // Nobody waits for memory while holding some.
        drop(look);
    }
}

/// Puts the rule in front that claims pins, and takes what was read back for the repository's rules from then on, whether it
/// is what was put or what somebody else wrote (I22).
async fn claim(
    protector: &dyn Protector,
    look: &mut RepositoryScan,
    change: &LifecycleChange,
    stop: &Stop,
) -> Result<(), PinFailure> {
    let repository = &look.key.name;
    if stop.is_set() {
        let detail = format!("{repository}: the run ended before its lifecycle policy was changed");
        return Err(PinFailure { cause: stop.cause(), detail });
    }
    let put = protector.put_lifecycle(repository, change).await;
    if let Err(failure) = &put {
        tracing::warn!(%repository, %failure, "could not put the claim rule in front in {repository}");
    }
    let after = match put {
        Ok(after) => after,
        Err(Unclaimed { failure, live }) => {
            let event = decide::found_instead(&live, &mut look.snapshot, &look.state);
            look.news += usize::from(event.is_some());
            look.happened.extend(event);
            return Err(failure);
        }
    };
    let events = decide::claimed(change, &after, &mut look.snapshot, &look.state);
    // The first of them is what happened; what it made of the settings is nobody else's doing, and no finding.
    let mut events = events.into_iter();
    if let Some(happened) = events.next() {
        look.happened.push(happened);
        look.news += 1;
    }
    look.also.extend(events);
    Ok(())
}
