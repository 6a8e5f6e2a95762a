//! `prodpin audit`: look, change nothing.

use std::path::Path;

use super::arguments::AuditArguments;
use super::exit::Ending;
use super::outcome::outcome;
use super::progress::Bar;
use crate::model::Mode;
use crate::policy::{LedgerLocation, ad_hoc, load};

pub(super) async fn audit(policy: &Path, arguments: &AuditArguments, bar: &Bar) -> anyhow::Result<Ending> {
    let (path, policy) = if arguments.repositories.is_empty() {
        (Some(policy), load(policy)?)
    } else {
        // Repositories named here are what is meant; a policy that lies about is for other runs.
        tracing::info!("no policy is read, because repositories were named");
        let mut policy = ad_hoc(&arguments.repositories, LedgerLocation::None)?;
        policy.safeguards = policy.safeguards.with_environment(&|name| std::env::var(name).ok());
        (None, policy)
    };
    outcome(Mode::Audit, path, policy, &arguments.run, bar).await
}
