//! GitHub sources: an OCI registry whose packages GitHub's own interface lists.

use url::Url;

use super::check::Checker;
use super::pins::RawPins;
use super::problem::{Span, quote};
use super::registry::{RegistryTerms, registry_source, terms};
use super::require::RawRequire;
use super::spanned::Spanned;
use super::{OciConfig, RegistryInterface};

registry_source! {
    /// GitHub's container registry, read by GitHub's Packages API as well: packages, their versions with times, and versions that
    /// were deleted and can be restored. Repositories are named as `OWNER/PACKAGE`.
    RawGhcr as "a ghcr source" in "GhcrSource",
    /// The registry's address: `https://ghcr.io`, or that of a GitHub Enterprise Server, such as
    /// `https://containers.github.example.com`.
    ghcr "ghcr",
    {
        /// The address of GitHub's API. Default: `https://api.github.com` for ghcr.io, `https://HOST/api/v3` for
        /// `containers.HOST`.
        api: Spanned<String>,
    }
}

impl Checker<'_> {
    pub(super) fn ghcr(&self, raw: &RawGhcr, span: Span) -> Option<OciConfig> {
        let config = self.registry(&raw.terms(), span);
        let fix = format!("write {}, or {} for all packages of one", quote("OWNER/PACKAGE"), quote("OWNER/**"));
        self.owners_are_named(&raw.repositories, "GitHub lists the packages of one owner at a time", &fix);
        let config = config?;
        let api = match raw.api.span() {
            Some(_) => self.api_address(&raw.api)?,
            None => api_of(&config.url).or_else(|| {
                let fix = "add api: https://HOST/api/v3".to_owned();
                self.problems.error(span, "the address of this server's API is not known", fix);
                None
            })?,
        };
        Some(OciConfig { interface: RegistryInterface::Ghcr { api }, ..config })
    }
}

/// Where GitHub answers for a registry of its own; none for every other registry, and for whatever listens on a port beside it.
#[must_use]
pub fn api_of(registry: &Url) -> Option<Url> {
    if registry.port().is_some() {
        return None;
    }
    let host = registry.host_str()?.trim_end_matches('.');
    let address = match host.strip_prefix("containers.") {
        _ if host == "ghcr.io" => "https://api.github.com/".to_owned(),
        // GitHub Enterprise Cloud with data residency.
        Some(server) if server.ends_with(".ghe.com") => format!("https://api.{server}/"),
        Some(server) => format!("https://{server}/api/v3/"),
        None => return None,
    };
    Url::parse(&address).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_of_github_has_its_api_k58() {
        for (registry, api) in [
            ("https://ghcr.io", Some("https://api.github.com/")),
            ("https://GHCR.io.", Some("https://api.github.com/")),
            ("https://containers.acme.ghe.com", Some("https://api.acme.ghe.com/")),
            ("https://containers.github.example.com", Some("https://github.example.com/api/v3/")),
            ("https://ghcr.io:443", Some("https://api.github.com/")),
            ("https://ghcr.io:8443", None),
            ("https://containers.github.example.com:5000", None),
            ("https://registry.example.com", None),
            ("http://127.0.0.1:5000", None),
        ] {
            let found = api_of(&registry.parse().unwrap());
            assert_eq!(found.as_ref().map(Url::as_str), api, "{registry}");
        }
    }
}
