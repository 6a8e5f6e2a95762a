//! What decides how long a repository's artifacts stay, kind by kind.

use std::sync::Arc;

use super::{
    AcrRetention, BucketRetention, EcrRepository, GarRepository, GitLabRepository, HarborRepository, QuayCache,
    QuayRepository, ZotRepository,
};

/// What of a repository decides how long its artifacts stay, beside the artifacts themselves.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Retention {
    /// Nothing that prodpin can read: the registry offers no lifecycle rules, or offers them nowhere.
    #[default]
    Unruled,
    /// An ECR repository.
    Ecr(Box<EcrRepository>),
    /// A deployment bucket; its rules are the same for every repository in it.
    Bucket(Arc<BucketRetention>),
    /// A Harbor repository.
    Harbor(Box<HarborRepository>),
    /// A repository of an Azure container registry.
    Acr(Box<AcrRetention>),
    /// A repository of GitLab's container registry.
    GitLab(Box<GitLabRepository>),
    /// An image of Google Artifact Registry.
    Gar(Box<GarRepository>),
    /// A Quay repository whose tags and policies were read by its API.
    Quay(Box<QuayRepository>),
    /// A zot repository whose configuration file is known.
    Zot(Box<ZotRepository>),
}

impl Retention {
    /// The upstream whose artifacts the repository caches, if it does.
    #[must_use]
    pub fn cached_from(&self) -> Option<&str> {
        match self {
            Self::Unruled | Self::Bucket(_) | Self::Acr(_) | Self::GitLab(_) | Self::Zot(_) => None,
            Self::Ecr(ecr) => ecr.cached_from.as_deref(),
            Self::Gar(gar) => gar.cached_from.as_deref(),
            Self::Quay(quay) => match &quay.cache {
                QuayCache::Of(upstream) => Some(upstream),
                QuayCache::None | QuayCache::Unknown { .. } => None,
            },
            Self::Harbor(harbor) => harbor.cached_from.as_deref(),
        }
    }
}
