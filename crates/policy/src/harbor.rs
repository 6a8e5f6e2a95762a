//! Harbor sources: an OCI registry whose own interface is read as well.

use super::check::Checker;
use super::pins::RawPins;
use super::problem::{Span, quote};
use super::registry::{RegistryTerms, registry_source, terms};
use super::require::RawRequire;
use super::spanned::Spanned;
use super::{OciConfig, RegistryInterface};
use prodpin_core::model::RegistryKind;

registry_source! {
    /// A Harbor, read by its own interface: projects, tag retention, immutability rules and garbage collection. Repositories are
    /// named as `PROJECT/REPOSITORY`, a robot account as `robot$NAME`.
    RawHarbor as "a harbor source" in "HarborSource",
    /// Harbor's address, such as `https://harbor.example.com`.
    harbor "harbor",
    {}
}

impl Checker<'_> {
    pub(super) fn harbor(&self, raw: &RawHarbor, span: Span) -> Option<OciConfig> {
        let config = self.registry(&raw.terms(), span);
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
        let config = config?;
        self.may_be_there(&raw.harbor, &config, RegistryKind::Harbor, "the address of your Harbor");
        Some(OciConfig { interface: RegistryInterface::Harbor, ..config })
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
