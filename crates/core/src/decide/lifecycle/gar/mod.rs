//! Google Artifact Registry: what cleanup policies of a repository delete (K41–43; googleapis `artifactregistry/v1/repository.proto`
//! and the vendor's page "Configure cleanup policies").
//!
//! A version goes if a policy to delete fits it and none to keep does; their order is irrelevant. Versions of a container
//! repository are digests, and platforms of an index are versions of their own: a count of versions to keep is one of both.
//! Policies to keep hold against policies only, not against whoever deletes by the API (K44).

mod policy;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use policy::{Action, Condition, Policies, Policy, PolicyProblem, TagState, Which};

/// One version of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The package, in a container repository the image's path.
    pub package: String,
    /// The version's name, in a container repository its digest.
    pub name: String,
    /// Every tag that names it.
    pub tags: Vec<String>,
    /// When it was uploaded.
    pub uploaded: Timestamp,
}

/// What the policies make of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// None to delete fits.
    Untouched,
    /// One to delete fits, and these to keep.
    Kept {
        /// Their names.
        by: Vec<String>,
    },
    /// It goes.
    Deleted {
        /// By these.
        by: Vec<String>,
    },
    /// It goes or stays: by which of several versions of one moment counts as the most recent, by how many versions there are
    /// that were not listed, by how a prefix is held against a package's name with a slash, or by whether prefixes of tags beside
    /// `tagState` `ANY` go for nothing.
    Undetermined {
        /// By these.
        by: Vec<String>,
    },
}

/// What the policies make of each version, in the order of the versions. A repository on trial (`cleanupPolicyDryRun`) is for
/// whoever asks to tell: there nothing is deleted.
#[must_use]
pub fn judge(policies: &Policies, versions: &[Version], now: Timestamp) -> Vec<Verdict> {
    versions.iter().zip(ranks(versions)).map(|(version, rank)| policies.judge(version, rank, now)).collect()
}

impl Policies {
    /// What they make of one version, which has this rank in its package.
    #[must_use]
    pub fn judge(&self, version: &Version, rank: Rank, now: Timestamp) -> Verdict {
        let (mut deletes, mut may_delete, mut keeps, mut may_keep) = (vec![], vec![], vec![], false);
        for policy in self.iter() {
            match (policy.action, policy.fits(version, rank, now)) {
                (_, Some(false)) => {}
                (Action::Delete, Some(true)) => deletes.push(policy.id.clone()),
                (Action::Delete, None) => may_delete.push(policy.id.clone()),
                (Action::Keep, Some(true)) => keeps.push(policy.id.clone()),
                (Action::Keep, None) => may_keep = true,
            }
        }
        match (deletes.is_empty(), keeps.is_empty()) {
            (true, _) if may_delete.is_empty() => Verdict::Untouched,
            (_, false) => Verdict::Kept { by: keeps },
            (is_open, true) if is_open || may_keep => {
                deletes.append(&mut may_delete);
                Verdict::Undetermined { by: deletes }
            }
            (_, true) => Verdict::Deleted { by: deletes },
        }
    }
}

/// How many versions of its package are more recent than a version, at least and at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    least: u64,
    most: u64,
}

impl Rank {
    /// The same after so many further versions were uploaded.
    #[must_use]
    pub fn after(self, uploads: u64) -> Self {
        Self { least: self.least.saturating_add(uploads), most: self.most.saturating_add(uploads) }
    }

    /// The same where there may be further versions that nobody listed.
    pub(super) fn at_least(self) -> Self {
        Self { most: u64::MAX, ..self }
    }

    /// How many more uploads push it behind so many most recent versions: perhaps, and surely.
    pub(super) fn until_behind(self, count: u64) -> [u64; 2] {
        [count.saturating_sub(self.most), count.saturating_sub(self.least)]
    }
}

/// The rank of each version, in their order.
#[must_use]
pub fn ranks(versions: &[Version]) -> Vec<Rank> {
    let mut times: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for version in versions {
        times.entry(&version.package).or_default().push(version.uploaded);
    }
    times.values_mut().for_each(|times| times.sort_unstable());
    let rank = |version: &Version| {
        let times = &times[version.package.as_str()];
        let after = times.len() - times.partition_point(|time| *time <= version.uploaded);
        let same = times.len() - after - times.partition_point(|time| *time < version.uploaded);
        Rank { least: after as u64, most: (after + same - 1) as u64 }
    };
    versions.iter().map(rank).collect()
}

#[cfg(test)]
mod tests;
