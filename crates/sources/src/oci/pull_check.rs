//! Whether a registry serves an image to whoever asks as a node does: with what a pod's pull Secrets hold, or as nobody (P74). These
//! credentials go to the source's own registry and its token realms alone, as the source's own do.

use std::sync::Arc;

use super::auth::Auth;
use super::credentials::{Credentials, Keys};
use super::docker_config::for_image;
use super::environment::HttpEnvironment;
use super::fault::Fault;
use super::host::RegistryHost;
use super::registry::{Lack, Registry};
use super::{OciError, registry_with};
use crate::OpenOptions;
use prodpin_core::model::{Cause, Digest, Pull, RepositoryName};
use prodpin_policy::{OciConfig, Secret};

/// A pull Secret: its name, and the configuration of Docker that it holds.
pub type PullSecret<'s> = (&'s str, &'s Secret);

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
            match for_image(document.expose(), &host, self.repository.as_str()) {
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
                // Some hide with a 404 what asks for a login.
                Err(fault) if matches!(fault.cause, Cause::Denied | Cause::NotFound) => Pull::Unknown(format!(
                    "no pull Secret of its pod is for {}, which does not show it to everybody: the node needs credentials of \
                     its own",
                    host.shown()
                )),
                Err(fault) => of_fault(fault, &host, None),
            });
        }
        let mut last = None;
        for (name, credentials) in fitting {
            match self.asks(credentials, &host).await? {
                Ok(()) => return Ok(Pull::Served),
                // One that could not be tried may be the one that serves.
                Err(_) if matches!(last, Some(Pull::Unknown(_))) => {}
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
    /// Whether the registry hands out this manifest, by its bytes: a HEAD is refused where a GET is not, and answered by pages that are
    /// no manifest.
    async fn hands_out(&self, repository: &RepositoryName, digest: &Digest) -> Result<(), Fault> {
        let repository = self.repository(repository)?;
        let what = format!("{}/{}@{digest}", self.host.shown(), repository.name);
        match self.get_manifest(&repository, &digest.to_string()).await {
            Ok((answer, _room)) if digest.matches(&answer.body) => Ok(()),
            Ok(_) => Err(Fault::malformed(format!("{what}: what it serves does not hash to that"))),
            Err(Lack::NotFound) => {
                Err(Fault::new(Cause::NotFound, format!("{what}: 404, as for what is not there or may not be seen")))
            }
            Err(Lack::Unknown(fault)) => Err(fault),
        }
    }
}
