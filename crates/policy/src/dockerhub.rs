//! Docker Hub sources: an OCI registry whose repositories and tags Docker Hub's own interface lists.

use url::Url;

use super::check::Checker;
use super::pins::RawPins;
use super::problem::{Span, quote};
use super::registry::{RegistryTerms, registry_source, terms};
use super::require::RawRequire;
use super::spanned::Spanned;
use super::{OciConfig, RegistryInterface};

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
        for entry in raw.repositories.value().into_iter().flatten() {
            let Some((at, text)) = entry.read() else { continue };
            if !entry.from_environment && !text.starts_with('!') && !names_its_namespace(text) {
                let fix = format!(
                    "write {}, or {} for a whole namespace",
                    quote("NAMESPACE/REPOSITORY"),
                    quote("NAMESPACE/*")
                );
                let message = format!(
                    "Docker Hub lists the repositories of one namespace at a time, and {} names none",
                    quote(text)
                );
                self.problems.error(at, message, fix);
            }
        }
        let url = match raw.registry.span() {
            Some(_) => self.server(&raw.registry)?,
            None => Url::parse("https://registry-1.docker.io/").ok()?,
        };
        let config = config?;
        Some(OciConfig { interface: RegistryInterface::DockerHub { api: config.url.clone() }, url, ..config })
    }
}

/// Whether what stands before the first `/` is one namespace, in full.
fn names_its_namespace(entry: &str) -> bool {
    let glob = ['*', '?', '[', ']', '{', '}', '\\'];
    entry.split_once('/').is_some_and(|(front, rest)| !front.is_empty() && !front.contains(glob) && !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::names_its_namespace;

    #[test]
    fn a_repository_has_its_namespace_in_front() {
        for entry in ["acme/api", "acme/*", "library/postgres", "acme/{api,web}"] {
            assert!(names_its_namespace(entry), "{entry}");
        }
        for entry in ["postgres", "*", "**", "*/api", "{acme,corp}/*", "/api", "acme/"] {
            assert!(!names_its_namespace(entry), "{entry}");
        }
    }
}
