//! Quay sources: an OCI registry whose own interface is read as well, by a token of its own.

use super::check::Checker;
use super::pins::RawPins;
use super::problem::Span;
use super::registry::{RegistryTerms, registry_source, terms};
use super::require::RawRequire;
use super::source::is_loopback;
use super::spanned::Spanned;
use super::{OciConfig, RegistryInterface, Secret};

registry_source! {
    /// A Quay, read by its own interface: tags with their history, auto-prune policies, immutable tags. Repositories are named as
    /// `ORGANIZATION/REPOSITORY`.
    RawQuay as "a quay source" in "QuaySource",
    /// Quay's address, such as `https://quay.example.com`.
    quay "quay",
    {
        /// An OAuth token for its API, as `${NAME}` from the environment; robot accounts cannot use that. Default: the password,
        /// where the username is `$oauthtoken`.
        token: Spanned<String>,
    }
}

impl Checker<'_> {
    pub(super) fn quay(&self, raw: &RawQuay, span: Span) -> Option<OciConfig> {
        let config = self.registry(&raw.terms(), span);
        let token = self.filled(&raw.token).map(Secret::new);
        let at = raw.token.span().filter(|_| token.is_some());
        if let Some(at) = at.filter(|_| !raw.token.from_environment) {
            self.problems.warn(at, "the token is written in the policy; write ${NAME} and set it in the environment");
        }
        let config = config?;
        if let Some(at) = at.filter(|_| config.url.scheme() == "http" && !is_loopback(&config.url)) {
            self.problems.warn(at, "the address says http, where everyone on the way could read the token: the source is not opened; write https");
        }
        Some(OciConfig { interface: RegistryInterface::Quay { token }, ..config })
    }
}
