//! From where something happened to what the policy covers there. Pure.

use std::collections::BTreeSet;

use super::event::{EventSubject, Trigger};
use crate::model::{EcrHost, RepositoryKey, SourceName};
use crate::policy::{HelmPlace, Policy, SourceConfig};
use crate::run::Shard;

/// What a run is to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only these sources; all if empty.
    pub sources: Vec<SourceName>,
    /// Only these repositories; all if empty.
    pub repositories: Vec<RepositoryKey>,
    /// Only this share.
    pub shard: Option<Shard>,
}

/// What the trigger asks for, in the policy's terms; none if the policy covers nothing of it. The error is for a person.
pub fn wanted(policy: &Policy, trigger: &Trigger) -> Result<Option<Wanted>, String> {
    match trigger {
        Trigger::Test | Trigger::Pinned => Ok(None),
        Trigger::Schedule => Ok(Some(Wanted::default())),
        Trigger::Happened(places) => {
            let keys: BTreeSet<RepositoryKey> = places.iter().flat_map(|place| covered(policy, place)).collect();
            let charts: BTreeSet<SourceName> = places.iter().flat_map(|place| shelves(policy, place)).collect();
            if !charts.is_empty() {
                let sources = charts.into_iter().chain(keys.into_iter().map(|key| key.source));
                let sources: BTreeSet<SourceName> = sources.collect();
                return Ok(Some(Wanted { sources: sources.into_iter().collect(), ..Wanted::default() }));
            }
            let repositories: Vec<RepositoryKey> = keys.into_iter().collect();
            Ok((!repositories.is_empty()).then(|| Wanted { repositories, ..Wanted::default() }))
        }
        Trigger::Manual(manual) => {
            if let Some(name) = manual.source.as_ref().filter(|name| !policy.sources.contains_key(*name)) {
                let known: Vec<&str> = policy.sources.keys().map(SourceName::as_str).collect();
                return Err(format!("the policy has no source {name}; it has {}", known.join(", ")));
            }
            let asked = |name: &SourceName| manual.source.as_ref().is_none_or(|source| source == name);
            let mut wanted =
                Wanted { sources: manual.source.iter().cloned().collect(), shard: manual.shard, ..Wanted::default() };
            if let Some(repository) = &manual.repository {
                wanted.repositories = policy
                    .sources
                    .iter()
                    .filter(|(name, config)| asked(name) && config.selects(repository.as_str()))
                    .map(|(source, _)| RepositoryKey { source: source.clone(), name: repository.clone() })
                    .collect();
                if wanted.repositories.is_empty() {
                    return Err(format!("no source of the policy covers the repository {repository}"));
                }
                // Looked for in another share, it would not be found, and nothing would seem to be the matter.
                if let Some(shard) = manual.shard {
                    wanted.repositories.retain(|key| shard.holds(key));
                    if wanted.repositories.is_empty() {
                        return Err(format!("{repository} is in another share than {shard}: leave the share out"));
                    }
                }
            }
            Ok(Some(wanted))
        }
    }
}

/// The repositories that a place belongs to: of every source that covers it.
fn covered(policy: &Policy, place: &EventSubject) -> Vec<RepositoryKey> {
    let of_source = |(source, config): (&SourceName, &SourceConfig)| {
        let name = match (place, config) {
            (EventSubject::Repository { account, region, name }, SourceConfig::Ecr(ecr)) => {
                // What the policy leaves to the AWS chain may be this one: looked at, in doubt.
                let same = |said: Option<&str>, event: &str| said.is_none_or(|said| said == event);
                (same(ecr.account(), account) && same(ecr.region.as_deref(), region)).then(|| name.clone())
            }
            (EventSubject::Repository { account, region, name }, SourceConfig::Oci(oci)) => {
                let host = EcrHost::read(oci.url.host_str()?)?;
                (host.account == account && host.region == region).then(|| name.clone())
            }
            (EventSubject::Object { bucket, key }, SourceConfig::S3(s3)) if s3.bucket == *bucket => {
                s3.layout.parse(key.as_str()).map(|(repository, _)| repository)
            }
            _ => None,
        }?;
        config.selects(name.as_str()).then(|| RepositoryKey { source: source.clone(), name })
    };
    policy.sources.iter().filter_map(of_source).collect()
}

/// The chart repositories that an object is part of. Which chart it is only their index says, so all of it is read.
fn shelves(policy: &Policy, place: &EventSubject) -> Vec<SourceName> {
    let EventSubject::Object { bucket, key } = place else { return Vec::new() };
    let holds = |config: &SourceConfig| match config {
        SourceConfig::Helm(helm) => match &helm.place {
            HelmPlace::Bucket(shelf) => shelf.bucket == *bucket && key.as_str().starts_with(&shelf.prefix),
            HelmPlace::Http(_) => false,
        },
        SourceConfig::Oci(_) | SourceConfig::S3(_) | SourceConfig::Ecr(_) => false,
    };
    policy.sources.iter().filter(|(_, config)| holds(config)).map(|(name, _)| name.clone()).collect()
}
