//! GitLab sources: an OCI registry beside a GitLab, which lists its repositories and has their projects' rules.

use url::Url;

use super::check::Checker;
use super::pins::RawPins;
use super::problem::{Span, quote};
use super::registry::{RegistryTerms, registry_source, terms};
use super::require::RawRequire;
use super::spanned::Spanned;
use super::{OciConfig, RegistryInterface, Secret};

registry_source! {
    /// A GitLab with its container registry: repositories, when tags were published, the cleanup policy of each project, and its
    /// protected and immutable tags. Repositories are named as `GROUP/PROJECT` or `GROUP/PROJECT/NAME`.
    RawGitLab as "a gitlab source" in "GitLabSource",
    /// GitLab's address, such as `https://gitlab.example.com`.
    gitlab "gitlab",
    {
        /// The address of its container registry, such as `https://registry.gitlab.example.com`. Default for gitlab.com:
        /// `https://registry.gitlab.com`.
        registry: Spanned<String>,
        /// An access token with the scope `read_api`, as `${NAME}` from the environment. Default: the variable
        /// `PRODPIN_<SOURCE>_TOKEN`, then the password.
        token: Spanned<String>,
    }
}

impl Checker<'_> {
    pub(super) fn gitlab(&self, raw: &RawGitLab, span: Span) -> Option<OciConfig> {
        let config = self.registry(&raw.terms(), span);
        for entry in raw.repositories.value().into_iter().flatten() {
            let Some((at, text)) = entry.read() else { continue };
            if !entry.from_environment && !text.starts_with('!') && !names_its_group(text) {
                let fix = format!("write {}, or {} for a whole group", quote("GROUP/PROJECT/NAME"), quote("GROUP/**"));
                let message =
                    format!("GitLab lists the repositories of one group at a time, and {} names none", quote(text));
                self.problems.error(at, message, fix);
            }
        }
        let token = self.filled(&raw.token).map(Secret::new);
        if let Some(at) = raw.token.span().filter(|_| raw.token.value().is_some() && !raw.token.from_environment) {
            self.problems.warn(at, "the token is written in the policy; write ${NAME} and set it in the environment");
        }
        let url = match (raw.registry.span(), config.as_ref()) {
            (Some(_), _) => self.server(&raw.registry),
            (None, Some(config)) => registry_of(&config.url).or_else(|| {
                let fix = "add registry: with the host that stands in front of a project's images (Deploy > Container registry)";
                self.problems.error(span, "the address of this GitLab's container registry is not known", fix.to_owned());
                None
            }),
            (None, None) => None,
        };
        let (config, url) = (config?, url?);
        let mut api = config.url.clone();
        api.set_path("/api/");
        // The registry sends to GitLab for its tokens, and the policy has both addresses.
        let mut token_realms = config.token_realms;
        if let (Some(host), Some(port)) = (config.url.host_str(), config.url.port_or_known_default()) {
            token_realms.push(format!("{host}:{port}"));
        }
        let interface = RegistryInterface::GitLab { api, token };
        Some(OciConfig { interface, url, token_realms, ..config })
    }
}

/// Whether what stands before the first `/` is one group, in full.
fn names_its_group(entry: &str) -> bool {
    let glob = ['*', '?', '[', ']', '{', '}', '\\'];
    entry.split_once('/').is_some_and(|(front, rest)| !front.is_empty() && !front.contains(glob) && !rest.is_empty())
}

/// The registry of a GitLab of which everybody knows it.
fn registry_of(gitlab: &Url) -> Option<Url> {
    let is_com = gitlab.scheme() == "https" && gitlab.port().is_none() && gitlab.host_str() == Some("gitlab.com");
    is_com.then(|| Url::parse("https://registry.gitlab.com/").ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_its_group_in_front() {
        for entry in ["shop/api", "shop/api/*", "shop/**", "shop/team/{api,web}", "shop/ap?"] {
            assert!(names_its_group(entry), "{entry}");
        }
        for entry in ["api", "*", "**", "*/api", "{shop,pay}/*", "/api", "shop/"] {
            assert!(!names_its_group(entry), "{entry}");
        }
    }

    #[test]
    fn of_one_gitlab_the_registry_is_known() {
        for (gitlab, registry) in [
            ("https://gitlab.com", Some("https://registry.gitlab.com/")),
            ("https://GitLab.com:443/", Some("https://registry.gitlab.com/")),
            ("https://gitlab.com:8443", None),
            ("http://gitlab.com", None),
            ("https://gitlab.example.com", None),
        ] {
            let found = registry_of(&gitlab.parse().unwrap());
            assert_eq!(found.as_ref().map(Url::as_str), registry, "{gitlab}");
        }
    }
}
