//! A look at a registry that no policy names yet: which repositories there are, how tags are called there, and for which
//! platforms images are built. It reads a part, and says which.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::StreamExt as _;

use crate::decide::propose::{Proposal, Proposer};
use crate::model::{ArtifactId, Pin, Recognised, RegistryKind, RepositoryName, Snapshot, SourceName};
use crate::policy::SourceConfig;
use crate::sources::oci::HttpEnvironment;
use crate::sources::{self, Inventory, OpenOptions};

/// All of it takes no longer.
const LONGEST: Duration = Duration::from_secs(90);

/// So many names are listed, and so many repositories read.
const MOST_LISTED: usize = 1_000;
const MOST_READ: usize = 8;

/// So many things that could not be read are told.
const MOST_UNREAD: usize = 5;

const REQUESTS: usize = 8;

/// What was found.
#[derive(Debug, Default)]
pub struct LookedAround {
    /// How many repositories are listed.
    pub listed: usize,
    /// Whether there are more, as far as is known.
    pub has_more: bool,
    /// Those whose tags were read.
    pub read: Vec<RepositoryName>,
    /// What could not be read.
    pub unread: Vec<String>,
    /// What their tags come to.
    pub proposal: Proposal,
    /// For which platforms images are built there.
    pub platforms: BTreeSet<String>,
    /// Whether it showed itself to be a Harbor.
    pub is_harbor: bool,
}

impl LookedAround {
    fn lacks(&mut self, detail: &str) {
        if self.unread.len() < MOST_UNREAD && !self.unread.iter().any(|known| known == detail) {
            self.unread.push(detail.to_owned());
        }
    }
}

/// Looks. The error is for a person.
pub async fn look_around(name: &SourceName, config: &SourceConfig) -> Result<LookedAround, String> {
    let until = Instant::now() + LONGEST;
    let options =
        OpenOptions { write: false, rehearse: false, tried: false, concurrency: REQUESTS, deadline: Some(until) };
    let source = sources::open(name, config, &options, &HttpEnvironment::of_process()).await?;
    let inventory = source.inventory.as_ref();
    let mut found = LookedAround::default();
    let names = list(inventory, until, &mut found).await;
    let mut proposer = Proposer::default();
    for repository in spread(&names) {
        let observed = tokio::time::timeout_at(until.into(), inventory.observe(repository)).await;
        let Ok(snapshot) = observed else {
            found.lacks(&format!(
                "{repository} was not read in the {} seconds that there are for the look",
                LONGEST.as_secs()
            ));
            break;
        };
        for gap in &snapshot.gaps {
            found.lacks(&format!("{repository}: {}", gap.detail));
        }
        snapshot.tags.iter().for_each(|tag| proposer.take(tag));
        if let Some(artifact) = latest(&snapshot) {
            let seen = tokio::time::timeout_at(until.into(), inventory.inspect(repository, &artifact)).await;
            let parts = seen.into_iter().flat_map(|seen| seen.parts.below);
            let platforms = parts.filter_map(|part| Some(part.name?.strip_prefix("platform ")?.to_owned()));
            found.platforms.extend(platforms);
        }
        found.read.push(repository.clone());
    }
    found.proposal = proposer.finish();
    let cleanup = tokio::time::timeout_at(until.into(), inventory.cleanup()).await;
    found.is_harbor = cleanup.is_ok_and(|cleanup| cleanup.registry == Recognised::Kind(RegistryKind::Harbor));
    Ok(found)
}

async fn list(inventory: &dyn Inventory, until: Instant, found: &mut LookedAround) -> Vec<RepositoryName> {
    let (mut names, mut faults) = (Vec::new(), 0);
    let mut listing = inventory.repositories();
    loop {
        match tokio::time::timeout_at(until.into(), listing.next()).await {
            Ok(None) => break,
            Ok(Some(Ok(name))) if names.len() < MOST_LISTED => names.push(name),
            Ok(Some(Err(gap))) if faults < MOST_LISTED => {
                faults += 1;
                found.lacks(&gap.detail);
            }
            Ok(Some(_)) => {
                found.has_more = true;
                break;
            }
            Err(_) => {
                found.has_more = true;
                found.lacks("the list of repositories did not come to its end in time");
                break;
            }
        }
    }
    names.sort();
    names.dedup();
    found.listed = names.len();
    names
}

/// A few of them, from all over the list: neighbours are often named alike.
fn spread(names: &[RepositoryName]) -> impl Iterator<Item = &RepositoryName> {
    names.iter().step_by(names.len().div_ceil(MOST_READ).max(1))
}

/// What the last tag by name leads to: any release shows for what its images are built.
fn latest(snapshot: &Snapshot) -> Option<ArtifactId> {
    let own = snapshot.tags.iter().rev().filter(|tag| Pin::read(&tag.name).is_none());
    own.filter_map(|tag| tag.target.artifact()).next().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_repositories_stand_for_all() {
        for (count, read) in [(0, 0), (1, 1), (8, 8), (9, 5), (1_000, 8)] {
            let names: Vec<RepositoryName> =
                (0..count).map(|number| format!("shop/{number}").parse().unwrap()).collect();
            assert_eq!(spread(&names).count(), read, "{count}");
        }
    }
}
