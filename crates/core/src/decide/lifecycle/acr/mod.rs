//! `acr purge`, the command by which repositories of an Azure container registry are cleaned up, as its code does it
//! (acr-cli, cfbb835 of 2026-03; K46–K49). What the registry does by itself after a deletion is not in it.
//!
//! The command counts tags, and a pin is a tag: it takes a place of `--keep`, so that another one may push a release out.
//! It goes by the locks of tags for tags, and by those of manifests for manifests. With `--include-locked` no lock holds.

mod ago;
mod filter;
mod regexp2;
mod tags;
#[cfg(test)]
pub(in crate::decide::lifecycle) mod tests;
mod untagged;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::model::{AcrManifest, AcrPurge, AcrRepository, AcrTag, Digest, RepositoryName, Tag};
use filter::FilterError;
use regexp2::{Regexp, RegexpError};
use tags::{TagPurge, purge_tags};
use untagged::untagged;

/// What one run of the command comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    /// Why the command ended early. What it did before that stays done.
    pub ended: Option<Ended>,
    /// How old what goes must be; none if `--ago` could not be read.
    pub ago: Option<SignedDuration>,
    /// The number of tags that it says it deleted, or would delete in a dry run.
    pub tags: usize,
    /// The number of manifests.
    pub manifests: usize,
    /// What became of each repository that it looked at.
    pub repositories: BTreeMap<RepositoryName, PurgedRepository>,
}

/// What became of one repository. In a dry run nothing does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PurgedRepository {
    /// The filters of tags that hold for it, as one expression; empty where there are none.
    pub filter: String,
    /// Tags that went.
    pub tags: BTreeSet<Tag>,
    /// Manifests that went.
    pub manifests: BTreeSet<Digest>,
    /// Tags that were unlocked before.
    pub unlocked_tags: BTreeSet<Tag>,
    /// Manifests that were unlocked before.
    pub unlocked_manifests: BTreeSet<Digest>,
    /// Tags of which it is open whether they go: they share the time at the border of `--keep`.
    pub open_tags: BTreeSet<Tag>,
    /// Manifests of which it is open.
    pub open_manifests: BTreeSet<Digest>,
}

/// Why the command ends before it is done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// Something that it needs is not given.
    #[error("--{0} is required when not using --untagged-only")]
    Missing(&'static str),
    /// `--ago` cannot be read.
    #[error("{0}")]
    Ago(String),
    /// A filter does not part into repositories and tags.
    #[error("{0}")]
    Filter(&'static str),
    /// An expression is none.
    #[error("error parsing regexp in `{0}`")]
    Expression(String),
}

/// It is not known what the command does: one of its expressions is not surely read as it reads it, or takes too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the expression {0:?} of an acr purge filter is not surely read as acr purge reads it")]
pub struct Unclear(pub String);

/// What the command comes to if it is run now on a registry of these repositories.
pub fn purge(command: &AcrPurge, repositories: &[AcrRepository], now: Timestamp) -> Result<Purged, Unclear> {
    let mut purged = Purged { ended: None, ago: None, tags: 0, manifests: 0, repositories: BTreeMap::new() };
    match begin(command, repositories, &mut purged) {
        Ok(filters) => {
            // Times out of range are as far away as any.
            let ago = purged.ago.unwrap_or_default();
            let earliest = if ago.is_negative() { Timestamp::MAX } else { Timestamp::MIN };
            let border = now.checked_sub(ago).unwrap_or(earliest);
            run(command, repositories, &filters, border, &mut purged)?;
        }
        Err(FilterError::Ended(ended)) => purged.ended = Some(ended),
        Err(FilterError::Unclear(unclear)) => return Err(unclear),
    }
    Ok(purged)
}

/// Reads what the command was given: which repositories it looks at, each with its filters.
fn begin<'r>(
    command: &AcrPurge,
    repositories: &'r [AcrRepository],
    purged: &mut Purged,
) -> Result<BTreeMap<&'r str, String>, FilterError> {
    let ago = command.ago.as_deref().filter(|ago| !ago.is_empty());
    if !command.untagged_only {
        let missing = |what| FilterError::Ended(Ended::Missing(what));
        if command.filters.is_empty() {
            return Err(missing("filter"));
        }
        ago.ok_or_else(|| missing("ago"))?;
    }
    let ago = ago.map_or(Ok(SignedDuration::ZERO), ago::read);
    purged.ago = Some(ago.map_err(|error| FilterError::Ended(Ended::Ago(error.to_string())))?);
    if command.filters.is_empty() {
        return Ok(repositories.iter().map(|it| (it.name.as_str(), String::new())).collect());
    }
    filter::collect(&command.filters, repositories)
}

/// One repository after the other, by name. Where one fails, the others are not looked at.
fn run(
    command: &AcrPurge,
    repositories: &[AcrRepository],
    filters: &BTreeMap<&str, String>,
    border: Timestamp,
    purged: &mut Purged,
) -> Result<(), Unclear> {
    let by_name: BTreeMap<&str, &AcrRepository> = repositories.iter().map(|it| (it.name.as_str(), it)).collect();
    for (name, filter) in filters {
        let Some(repository) = by_name.get(name) else { continue };
        let mut tags = TagPurge::default();
        if !command.untagged_only && purged.ended.is_none() {
            match Regexp::parse(filter) {
                Ok(expression) => {
                    let taken = purge_tags(repository, command, &expression, border);
                    tags = taken.map_err(|_| Unclear(filter.clone()))?;
                }
                Err(RegexpError::Refused) => purged.ended = Some(Ended::Expression(filter.clone())),
                Err(RegexpError::Unsure) => return Err(Unclear(filter.clone())),
            }
        }
        let mut outcome = PurgedRepository { filter: filter.clone(), ..PurgedRepository::default() };
        if purged.ended.is_none() {
            outcome_of(repository, command, &tags, border, &mut outcome);
        }
        purged.tags += outcome.tags.len();
        purged.manifests += outcome.manifests.len();
        if command.dry_run {
            outcome = PurgedRepository { filter: filter.clone(), ..PurgedRepository::default() };
        }
        purged.repositories.insert(repository.name.clone(), outcome);
    }
    Ok(())
}

fn outcome_of(
    repository: &AcrRepository,
    command: &AcrPurge,
    tags: &TagPurge<'_>,
    border: Timestamp,
    outcome: &mut PurgedRepository,
) {
    outcome.tags = tags.taken.iter().map(|tag| tag.name.clone()).collect();
    outcome.open_tags = tags.open.iter().map(|name| (*name).clone()).collect();
    let locked = tags.taken.iter().filter(|tag| tag.locks.are_on());
    outcome.unlocked_tags = locked.map(|tag| tag.name.clone()).collect();
    if !command.untagged && !command.untagged_only {
        return;
    }
    let taken = untagged(repository, command, border, &|tag| outcome.tags.contains(&tag.name));
    let digests = |taken: &[&AcrManifest]| -> BTreeSet<Digest> { taken.iter().map(|it| it.digest.clone()).collect() };
    outcome.manifests = digests(&taken.taken);
    outcome.open_manifests = taken.open.into_iter().cloned().collect();
    // If ties of tags come out otherwise, so may this, for whatever could go if all of them did.
    if !tags.open.is_empty() {
        let all = AcrPurge { keep: 0, ..command.clone() };
        let goes = |tag: &AcrTag| tags.open.contains(&tag.name) || outcome.tags.contains(&tag.name);
        let all = untagged(repository, &all, border, &goes);
        outcome.open_manifests.extend(digests(&all.taken));
        outcome.open_manifests.extend(all.open.into_iter().cloned());
    }
    let locked = taken.taken.iter().filter(|manifest| manifest.locks.are_on());
    outcome.unlocked_manifests = locked.map(|manifest| manifest.digest.clone()).collect();
}

/// Indexes that still have a tag and lost a part to the command: what looks kept and cannot be pulled any more.
#[must_use]
pub fn broken<'r>(repository: &'r AcrRepository, outcome: &PurgedRepository) -> Vec<&'r Digest> {
    let is_broken = |manifest: &&AcrManifest| {
        !outcome.manifests.contains(&manifest.digest)
            && manifest.tags.iter().any(|tag| !outcome.tags.contains(&tag.name))
            && manifest.children.iter().any(|child| outcome.manifests.contains(child))
    };
    repository.manifests.iter().filter(is_broken).map(|manifest| &manifest.digest).collect()
}

/// Whether filters match one of these tags of a repository; what ends the command matches nothing.
pub(super) fn any_matches(filters: &[String], repository: &AcrRepository, tags: &[Tag]) -> Result<bool, Unclear> {
    let bare = AcrRepository { name: repository.name.clone(), manifests: Vec::new() };
    let joined = match filter::collect(filters, std::slice::from_ref(&bare)) {
        Ok(found) => found.into_values().next(),
        Err(FilterError::Ended(_)) => None,
        Err(FilterError::Unclear(unclear)) => return Err(unclear),
    };
    let Some(joined) = joined else { return Ok(false) };
    let unclear = || Unclear(joined.clone());
    let expression = match Regexp::parse(&joined) {
        Ok(expression) => expression,
        Err(RegexpError::Refused) => return Ok(false),
        Err(RegexpError::Unsure) => return Err(unclear()),
    };
    for tag in tags {
        if expression.is_match(tag.as_str()).map_err(|_| unclear())? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the command takes because of a pin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PinHarm {
    /// Tags that would stay without it.
    pub tags: BTreeSet<Tag>,
    /// Manifests that would.
    pub manifests: BTreeSet<Digest>,
}

/// Who would fare worse by one more pin. It is judged by its age at the run: young where it is made now, old at later runs.
pub fn harm_of_pin(
    command: &AcrPurge,
    repository: &AcrRepository,
    digest: &Digest,
    pin: &AcrTag,
    now: Timestamp,
) -> Result<PinHarm, Unclear> {
    let mut with = repository.clone();
    for manifest in with.manifests.iter_mut().filter(|manifest| manifest.digest == *digest) {
        manifest.tags.push(pin.clone());
    }
    let taken = |repository: &AcrRepository| -> Result<PinHarm, Unclear> {
        let mut taken = PinHarm::default();
        for outcome in purge(command, std::slice::from_ref(repository), now)?.repositories.into_values() {
            taken.tags.extend(outcome.tags.into_iter().chain(outcome.open_tags));
            taken.manifests.extend(outcome.manifests.into_iter().chain(outcome.open_manifests));
        }
        Ok(taken)
    };
    let (before, mut after) = (taken(repository)?, taken(&with)?);
    after.tags.retain(|tag| *tag != pin.name && !before.tags.contains(tag));
    after.manifests.retain(|digest| !before.manifests.contains(digest));
    Ok(after)
}
