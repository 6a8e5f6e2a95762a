//! Pins that another run removes at the same time: a look that misses one reads the log again before it says so, and a run that
//! pins first ends what others set out to remove (I14, I15).

use jiff::Timestamp;

use crate::decide::Plan;
use crate::decide::release::calls_lost;
use crate::ledger::LedgerError;
use crate::model::{Entry, Event, RepositoryKey};

use super::repository::RepositoryScan;
use super::setup::Setup;

/// The plan on this look, and whether it has heard of a removal that may be newer than the look. Where it would call a pin lost,
/// the log is read again first: a removal is on record before it happens, so that whatever this look missed because of one is
/// there by then.
pub(super) async fn judge(
    setup: &Setup,
    look: &mut RepositoryScan,
    plan: impl Fn(&RepositoryScan) -> Plan,
) -> Result<(Plan, bool), LedgerError> {
    let first = plan(look);
    if !calls_lost(&first.events) {
        return Ok((first, false));
    }
    let now = setup.ledger.recall_again(&look.key).await?;
    Ok(if look.state.hear_of_pins(now) { (plan(look), true) } else { (first, false) })
}

/// Ends what others set out to remove here, on record; says whether there was anything. What may be gone by then only a look
/// after this one can tell: an index is not pinned beside a part whose pin is just being removed (I26).
pub(super) async fn revoke(setup: &Setup, look: &RepositoryScan, plan: &Plan) -> Result<bool, LedgerError> {
    if look.state.intents_in_force().next().is_none() {
        return Ok(false);
    }
    let ends = |event: &&Event| matches!(event, Event::PinNeeded { .. } | Event::PinReleaseRevoked { .. });
    record(setup, &look.key, plan.events.iter().filter(ends).cloned()).await?;
    Ok(true)
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
