//! Harbor sources: an OCI registry whose own interface is read as well.

use schemars::JsonSchema;
use serde::Deserialize;

use super::OciConfig;
use super::check::Checker;
use super::pins::RawPins;
use super::problem::{Span, quote};
use super::raw::RawOci;
use super::require::RawRequire;
use super::spanned::Spanned;

/// A Harbor, read by its own interface: projects, tag retention, immutability rules and garbage collection.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a harbor source")]
#[schemars(rename = "HarborSource", default, extend("required" = ["harbor"]))]
pub(super) struct RawHarbor {
    /// Harbor's address, such as `https://harbor.example.com`.
    pub(super) harbor: Spanned<String>,
    /// Repositories by name or glob, each as `PROJECT/REPOSITORY`. `*` stops at `/`, `**` does not; `!` in front takes away.
    pub(super) repositories: Spanned<Vec<Spanned<String>>>,
    /// Confirms that every repository is meant.
    pub(super) all: Spanned<bool>,
    /// A user or robot account, such as `robot$prodpin`. Default: the environment, then Docker's configuration.
    pub(super) username: Spanned<String>,
    /// Its password or secret, as `${NAME}` from the environment.
    pub(super) password: Spanned<String>,
    /// Hosts beside Harbor that may be asked for tokens with these credentials.
    pub(super) token_realms: Spanned<Vec<Spanned<String>>>,
    /// Whether Harbor's host may have a private address.
    pub(super) private: Spanned<bool>,
    /// PEM certificates to trust beside the system's; relative to this file.
    pub(super) ca_file: Spanned<String>,
    /// The most requests in flight at this Harbor.
    #[schemars(range(min = 1, max = 1024))]
    pub(super) max_concurrency: Spanned<u32>,
    /// What is allowed about pins here.
    pub(super) pins: Spanned<RawPins>,
    /// What rollback targets are to survive here, in place of what the policy requires of all sources.
    pub(super) require: Spanned<RawRequire>,
}

/// What every source that speaks the registry protocol says of it.
pub(super) struct RegistryTerms<'r> {
    pub(super) address: &'r Spanned<String>,
    pub(super) repositories: &'r Spanned<Vec<Spanned<String>>>,
    pub(super) all: &'r Spanned<bool>,
    pub(super) username: &'r Spanned<String>,
    pub(super) password: &'r Spanned<String>,
    pub(super) token_realms: &'r Spanned<Vec<Spanned<String>>>,
    pub(super) private: &'r Spanned<bool>,
    pub(super) ca_file: &'r Spanned<String>,
    pub(super) max_concurrency: &'r Spanned<u32>,
}

/// Both kinds have the same keys but for that of the address.
macro_rules! terms {
    ($raw:expr, $address:ident) => {
        RegistryTerms {
            address: &$raw.$address,
            repositories: &$raw.repositories,
            all: &$raw.all,
            username: &$raw.username,
            password: &$raw.password,
            token_realms: &$raw.token_realms,
            private: &$raw.private,
            ca_file: &$raw.ca_file,
            max_concurrency: &$raw.max_concurrency,
        }
    };
}

impl RawOci {
    pub(super) fn terms(&self) -> RegistryTerms<'_> {
        terms!(self, oci)
    }
}

impl Checker<'_> {
    pub(super) fn harbor(&self, raw: &RawHarbor, span: Span) -> Option<OciConfig> {
        let config = self.registry(&terms!(raw, harbor), span);
        for entry in raw.repositories.value().into_iter().flatten() {
            let Some((at, text)) = entry.read() else { continue };
            if !entry.from_environment && names_no_project(text) {
                let name = text.trim_start_matches('!');
                let fix =
                    format!("write {}, or {} for a whole project", quote("PROJECT/REPOSITORY"), quote("PROJECT/**"));
                let message = format!("Harbor has no repository {}: each has its project in front", quote(name));
                self.problems.error(at, message, fix);
            }
        }
        Some(OciConfig { harbor: true, ..config? })
    }
}

/// Whether an entry matches no name with a `/` in it: every repository of Harbor's has one.
fn names_no_project(entry: &str) -> bool {
    let glob = |c: char| matches!(c, '{' | '[' | '\\');
    !entry.contains('/') && !entry.contains("**") && !entry.contains(glob)
}

#[cfg(test)]
mod tests {
    use super::names_no_project;

    #[test]
    fn a_repository_of_harbor_has_a_project_in_front() {
        for entry in ["api", "api-*", "*", "!api", "?"] {
            assert!(names_no_project(entry), "{entry}");
        }
        for entry in ["shop/api", "shop/*", "**", "shop/**", "!shop/old-*", "{shop/api,pay/api}", "sh**"] {
            assert!(!names_no_project(entry), "{entry}");
        }
    }
}
