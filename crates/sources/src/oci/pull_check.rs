//! Whether a registry serves an image to whoever asks as a node does: with what a pod's pull Secrets hold, or as nobody (P74). These
//! credentials go to the source's own registry and its token realms alone, as the source's own do.

use std::sync::Arc;

use reqwest::StatusCode;

use super::auth::Auth;
use super::credentials::{Credentials, Keys};
use super::docker_config::for_image;
use super::environment::HttpEnvironment;
use super::fault::Fault;
use super::host::RegistryHost;
use super::registry::Registry;
use super::{OciError, registry_with};
use crate::OpenOptions;
use prodpin_core::model::{Cause, Digest, Pull, RepositoryName};
use prodpin_policy::{OciConfig, Secret};

/// A pull Secret: its name, and the configuration of Docker that it holds, if it holds any.
pub type PullSecret<'s> = (&'s str, Option<&'s Secret>);

/// Asks for one image, with what the pull Secrets of a pod hold for its registry.
pub async fn pulls(
    config: &OciConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
    secrets: &[PullSecret<'_>],
    repository: &RepositoryName,
    digest: &Digest,
) -> Pull {
    let asking = Asking { config, options, environment, repository, digest };
    asking.with(secrets).await.unwrap_or_else(|error| Pull::Unknown(error.to_string()))
}

struct Asking<'a> {
    config: &'a OciConfig,
    options: &'a OpenOptions,
    environment: &'a HttpEnvironment,
    repository: &'a RepositoryName,
    digest: &'a Digest,
}

impl Asking<'_> {
    async fn with(&self, secrets: &[PullSecret<'_>]) -> Result<Pull, OciError> {
        let host = RegistryHost::new(&self.config.url)?;
        let mut fitting: Vec<(&str, Credentials)> = Vec::new();
        for (name, document) in secrets {
            let found = match document {
                Some(document) => for_image(document.expose(), &host, self.repository.as_str()),
                None => Err("holds no configuration of Docker".to_owned()),
            };
            match found {
                Ok(found) => fitting.extend(found.into_iter().map(|credentials| (*name, credentials))),
                // A node that cannot read one of them pulls nothing.
                Err(why) => {
                    return Ok(Pull::Refused {
                        by: "a node".to_owned(),
                        words: format!("image pull Secret {name} {why}"),
                    });
                }
            }
        }
        if fitting.is_empty() {
            return Ok(match self.asks(Credentials::Anonymous, &host).await? {
                Ok(()) => Pull::Served,
                Err(fault) if fault.cause == Cause::Denied => Pull::Unknown(format!(
                    "no pull Secret of its pod is for {}, which asks for a login: the node needs credentials of its own",
                    host.shown()
                )),
                Err(fault) => of_fault(fault, &host, None),
            });
        }
        let mut last = None;
        for (name, credentials) in fitting {
            match self.asks(credentials, &host).await? {
                Ok(()) => return Ok(Pull::Served),
                Err(fault) => last = Some(of_fault(fault, &host, Some(name))),
            }
        }
        Ok(last.unwrap_or(Pull::Served))
    }

    /// One request for the manifest, by whoever this is.
    async fn asks(&self, credentials: Credentials, host: &RegistryHost) -> Result<Result<(), Fault>, OciError> {
        let keys = Keys::given(credentials, host, self.environment)?;
        let auth = Auth::new(keys, self.config.token_realms.clone());
        let registry = registry_with(self.config, self.options, self.environment, auth, |transport| transport)?;
        Ok(Arc::new(registry).hands_out(self.repository, self.digest).await)
    }
}

/// A word about the image is a refusal; what kept the registry from answering is none.
fn of_fault(fault: Fault, host: &RegistryHost, secret: Option<&str>) -> Pull {
    let with = secret.map(|name| format!(" with image pull Secret {name}")).unwrap_or_default();
    match fault.cause {
        Cause::Denied | Cause::NotFound | Cause::Blocked => {
            Pull::Refused { by: host.shown().to_owned(), words: format!("{}{with}", fault.detail) }
        }
        _ => Pull::Unknown(fault.detail),
    }
}

impl Registry {
    /// Whether the registry hands out this manifest, by its own word.
    async fn hands_out(&self, repository: &RepositoryName, digest: &Digest) -> Result<(), Fault> {
        let repository = self.repository(repository)?;
        let what = format!("{}/{}@{digest}", self.host.shown(), repository.name);
        let answer = self.head_manifest(&repository, &digest.to_string()).await?;
        match answer.status {
            StatusCode::OK => Ok(()),
            StatusCode::NOT_FOUND => {
                Err(Fault::new(Cause::NotFound, format!("{what}: 404, as for what is not there or may not be seen")))
            }
            _ => Err(self.blocked(&answer, &what).unwrap_or_else(|| Fault::from_answer(&answer, &what))),
        }
    }
}
