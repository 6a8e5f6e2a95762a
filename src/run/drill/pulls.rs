//! Whether the registry serves a rollback target to the pods that would run it: with their pull Secrets, which go to the source's own
//! registry alone.

use crate::model::{ArtifactId, Pull, RepositoryKey};
use crate::policy::{Policy, SourceConfig};
use crate::run::Stop;
use crate::signals::PullSecrets;
use crate::sources::OpenOptions;
use crate::sources::oci::{self, HttpEnvironment, PullSecret};

/// Where pulls are tried.
pub(super) struct Pulls<'a> {
    policy: &'a Policy,
    options: OpenOptions,
    environment: HttpEnvironment,
}

impl<'a> Pulls<'a> {
    pub(super) fn new(policy: &'a Policy, stop: &Stop) -> Self {
        let deadline = stop.deadline();
        let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 1, deadline };
        Self { policy, options, environment: HttpEnvironment::of_process() }
    }

    /// What the registry says to a pod with these Secrets; none where it was not to be asked.
    pub(super) async fn ask(&self, key: &RepositoryKey, artifact: &ArtifactId, secrets: &PullSecrets) -> Option<Pull> {
        let secrets = match secrets {
            PullSecrets::NotAsked => return None,
            PullSecrets::Unknown(why) => return Some(Pull::Unknown(why.clone())),
            PullSecrets::Read(secrets) => secrets,
        };
        let (Some(SourceConfig::Oci(config)), ArtifactId::Manifest(digest)) =
            (self.policy.sources.get(&key.source), artifact)
        else {
            // Nodes ask ECR by their own role.
            return None;
        };
        let secrets: Vec<PullSecret<'_>> =
            secrets.iter().map(|secret| (secret.name.as_str(), &secret.configuration)).collect();
        Some(oci::pulls(config, &self.options, &self.environment, &secrets, &key.name, digest).await)
    }
}
