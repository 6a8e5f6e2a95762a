//! `prodpin history`: what a tag pointed at, and when.

use std::path::Path;

use super::arguments::HistoryArguments;
use super::exit::Ending;
use super::outcome::ledger;
use crate::policy::load;

pub(super) async fn history(policy: &Path, arguments: &HistoryArguments) -> anyhow::Result<Ending> {
    let policy = load(policy)?;
    let _ledger = ledger(policy.ledger, arguments.ledger.ledger.as_deref())?;
    anyhow::bail!("the history of {} cannot be read yet", arguments.reference)
}
