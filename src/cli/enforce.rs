//! `prodpin enforce`: pin every rollback target.

use std::path::Path;

use super::arguments::EnforceArguments;
use super::exit::Ending;
use super::outcome::outcome;
use super::progress::Bar;
use crate::model::Mode;
use crate::policy::load;

pub(super) async fn enforce(policy: &Path, arguments: &EnforceArguments, bar: &Bar) -> anyhow::Result<Ending> {
    let mode = if arguments.dry_run { Mode::EnforceDryRun } else { Mode::Enforce };
    outcome(mode, Some(policy), load(policy)?, &arguments.run, bar).await
}
