//! `prodpin report`: the report of an earlier run, from the ledger.

use std::path::Path;

use super::arguments::PastReportArguments;
use super::exit::Ending;
use super::outcome::ledger;
use super::output::Outputs;
use crate::policy::load;

pub(super) async fn report(policy: &Path, arguments: &PastReportArguments) -> anyhow::Result<Ending> {
    let policy = load(policy)?;
    let _ledger = ledger(policy.ledger, arguments.ledger.ledger.as_deref())?;
    let _outputs = Outputs::open(arguments.format, &arguments.reports)?;
    anyhow::bail!("reports of earlier runs cannot be read yet")
}
