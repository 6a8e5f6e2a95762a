//! `release --vault`: what left the rollback set leaves the vault as well, where everything that stays there is whole.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::decide::release::{EarlierRun, RunFacts, vault_grounds};
use crate::ledger::Access;
use crate::model::{ArtifactId, Gap, RepositoryKey};
use crate::outcome::release::{VaultEntry, VaultRelease};
use crate::outcome::report::TargetReport;
use crate::policy::VaultLocation;

use super::super::setup::Setup;
use super::super::{RunError, vault};

/// What is asked about the vault.
pub(super) struct OfVault<'a> {
    pub(super) setup: &'a Setup,
    pub(super) location: &'a VaultLocation,
    pub(super) grace: jiff::SignedDuration,
    pub(super) gaps: &'a [Gap],
    pub(super) apply: bool,
}

impl OfVault<'_> {
    /// Says what would leave, and has it leave where that is asked for. What goes wrong with the vault is told, and costs
    /// nothing else.
    pub(super) async fn carry(
        &self,
        mut targets: impl AsyncFnMut(&RepositoryKey) -> Result<Vec<TargetReport>, RunError>,
        keys: &BTreeSet<RepositoryKey>,
        earlier: impl Fn(&RepositoryKey) -> Vec<EarlierRun>,
    ) -> Result<VaultRelease, RunError> {
        let access = if self.apply { Access::Write } else { Access::Read };
        let mut told = VaultRelease {
            location: vault::named(self.location),
            entries: Vec::new(),
            bytes: 0,
            released: false,
            failure: None,
        };
        let opened = match vault::open(self.location, access).await {
            Ok(opened) => opened,
            Err(detail) => return Ok(VaultRelease { failure: Some(detail), ..told }),
        };
        let mut leaving: BTreeSet<(RepositoryKey, ArtifactId)> = BTreeSet::new();
        for key in keys {
            let entries = match opened.entries(key).await {
                Ok(entries) => entries,
                Err(error) => return Ok(VaultRelease { failure: Some(error.to_string()), ..told }),
            };
            let kept: BTreeSet<ArtifactId> = entries.iter().map(crate::vault::Entry::artifact).collect();
            if kept.is_empty() {
                continue;
            }
            let targets = targets(key).await?;
            for entry in self.of_repository(key, kept, &targets, &earlier(key)).await? {
                if entry.grounds.is_empty() {
                    leaving.insert((key.clone(), entry.artifact.clone()));
                }
                told.entries.push(entry);
            }
        }
        let leaves = |entry: &crate::vault::Entry| leaving.contains(&(entry.key(), entry.artifact()));
        match opened.leaving(leaves).await {
            Ok(gone) => {
                told.bytes = gone.bytes();
                if self.apply && gone.entries().next().is_some() {
                    match opened.release(&gone).await {
                        Ok(()) => told.released = true,
                        Err(error) => told.failure = Some(error.to_string()),
                    }
                }
            }
            Err(error) => told.failure = Some(error.to_string()),
        }
        Ok(told)
    }

    async fn of_repository(
        &self,
        key: &RepositoryKey,
        kept: BTreeSet<ArtifactId>,
        targets: &[TargetReport],
        earlier: &[EarlierRun],
    ) -> Result<Vec<VaultEntry>, RunError> {
        let state = self.setup.ledger.recall(key).await?;
        let unprotected = targets.iter().find(|target| target.protected != Some(true));
        let facts = RunFacts {
            now: Timestamp::now(),
            grace: self.grace,
            newest: self.setup.ledger.newest(),
            gap: self.gaps.first().map(|gap| gap.detail.as_str()),
            earlier,
            targets: targets.len(),
            unprotected: unprotected.map(|target| &target.artifact),
            leaving: false,
        };
        let entry = |artifact: ArtifactId| {
            let needed = targets.iter().any(|target| target.artifact == artifact);
            let released = state.released.get(&artifact).copied();
            let grounds = vault_grounds(&facts, needed, released, state.unneeded.get(&artifact).copied());
            VaultEntry { source: key.source.clone(), repository: key.name.clone(), artifact, grounds }
        };
        let all = kept.into_iter().map(entry);
        // What is in the rollback set is no question.
        Ok(all.filter(|entry| !entry.grounds.contains(&crate::outcome::release::Ground::Needed)).collect())
    }
}
