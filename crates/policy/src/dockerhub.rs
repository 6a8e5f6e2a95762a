//! Docker Hub sources: an OCI registry whose repositories and tags Docker Hub's own interface lists.

use url::Url;

use super::check::Checker;
use super::pins::RawPins;
use super::problem::{Span, quote};
use super::registry::{RegistryTerms, registry_source, terms};
use super::require::RawRequire;
use super::spanned::Spanned;
use super::{OciConfig, RegistryInterface};
use prodpin_core::model::RegistryKind;

registry_source! {
    /// Docker Hub, read by its own interface as well: repositories, tags with the times of their push, and which tags are
    /// immutable. Repositories are named as `NAMESPACE/REPOSITORY`.
    RawDockerHub as "a dockerhub source" in "DockerHubSource",
    /// The address of Docker Hub's interface: `https://hub.docker.com`.
    dockerhub "dockerhub",
    {
        /// The address of its registry. Default: `https://registry-1.docker.io`.
        registry: Spanned<String>,
    }
}

impl Checker<'_> {
    pub(super) fn dockerhub(&self, raw: &RawDockerHub, span: Span) -> Option<OciConfig> {
        let config = self.registry(&raw.terms(), span);
        let fix = format!("write {}, or {} for a whole namespace", quote("NAMESPACE/REPOSITORY"), quote("NAMESPACE/*"));
        self.owners_are_named(&raw.repositories, "Docker Hub lists the repositories of one namespace at a time", &fix);
        let url = match raw.registry.span() {
            Some(_) => self.server(&raw.registry)?,
            None => Url::parse("https://registry-1.docker.io/").ok()?,
        };
        let config = config?;
        self.may_be_there(&raw.dockerhub, &config, RegistryKind::DockerHub, "https://hub.docker.com");
        Some(OciConfig { interface: RegistryInterface::DockerHub { api: config.url.clone() }, url, ..config })
    }
}
