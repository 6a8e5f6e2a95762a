//! Sources in Google Artifact Registry: an OCI registry whose own interface tells of versions, cleanup policies and immutable tags.

use url::Url;

use super::check::Checker;
use super::pins::RawPins;
use super::problem::{Span, quote};
use super::registry::{RegistryTerms, registry_source, terms};
use super::require::RawRequire;
use super::spanned::Spanned;
use super::{OciConfig, RegistryInterface};

registry_source! {
    /// Google Artifact Registry, read by its own interface as well: images with the times of their upload, cleanup policies and
    /// immutable tags. Repositories are named as `PROJECT/REPOSITORY/IMAGE`.
    RawGar as "a gar source" in "GarSource",
    /// The registry's address: `https://LOCATION-docker.pkg.dev`, such as `https://europe-west1-docker.pkg.dev`.
    gar "gar",
    {
        /// The address of its interface. Default: `https://artifactregistry.googleapis.com`.
        api: Spanned<String>,
        /// The location of its repositories, such as `europe-west1`. Default: the one in the address.
        location: Spanned<String>,
    }
}

impl Checker<'_> {
    pub(super) fn gar(&self, raw: &RawGar, span: Span) -> Option<OciConfig> {
        let config = self.registry(&raw.terms(), span);
        for entry in raw.repositories.value().into_iter().flatten() {
            let Some((at, text)) = entry.read() else { continue };
            if !entry.from_environment && !text.starts_with('!') && !names_images_of_a_project(text) {
                let fix = format!(
                    "write {}, {} or {}, the project in full",
                    quote("PROJECT/REPOSITORY/IMAGE"),
                    quote("PROJECT/REPOSITORY/*"),
                    quote("PROJECT/**")
                );
                let message =
                    format!("Artifact Registry has images in repositories of projects, and {} names none", quote(text));
                self.problems.error(at, message, fix);
            }
        }
        let api = match raw.api.span() {
            Some(_) => self.api_address(&raw.api)?,
            None => Url::parse("https://artifactregistry.googleapis.com/").ok()?,
        };
        let config = config?;
        let location = match raw.location.span() {
            Some(_) => self.google_location(&raw.location)?,
            None => location_of(&config.url).or_else(|| {
                let fix =
                    "write location: LOCATION, such as europe-west1, or the address as https://LOCATION-docker.pkg.dev";
                self.problems.error(span, "the location of this registry's repositories is not known", fix.to_owned());
                None
            })?,
        };
        Some(OciConfig { interface: RegistryInterface::Gar { api, location }, ..config })
    }

    fn google_location(&self, spanned: &Spanned<String>) -> Option<Box<str>> {
        let (at, _) = spanned.read()?;
        let text = self.filled(spanned)?;
        if !is_location(&text) {
            self.problems.error(
                at,
                "this is no location of Google's",
                "write one such as europe-west1, or us".to_owned(),
            );
            return None;
        }
        Some(text.into())
    }
}

fn is_location(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The location that an address names.
fn location_of(registry: &Url) -> Option<Box<str>> {
    let location = registry.host_str()?.trim_end_matches('.').strip_suffix("-docker.pkg.dev")?;
    is_location(location).then(|| location.into())
}

/// Whether what stands before the first `/` is one project, in full, and images can follow.
fn names_images_of_a_project(entry: &str) -> bool {
    let Some((project, rest)) = entry.split_once('/') else { return false };
    let is_project =
        !project.is_empty() && project.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let parts: Vec<&str> = rest.split('/').collect();
    is_project && !parts.contains(&"") && (parts.len() > 1 || rest.contains("**") || rest.contains(['{', '[', '\\']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_its_project_and_its_repository_in_front() {
        for entry in
            ["acme-prod/shop/api", "acme/shop/*", "acme/**", "acme/shop/team/api", "acme/*/api", "acme/{shop,pay}/api"]
        {
            assert!(names_images_of_a_project(entry), "{entry}");
        }
        for entry in [
            "api",
            "acme/shop",
            "acme/*",
            "*/shop/api",
            "**",
            "acme/",
            "/shop/api",
            "acme//api",
            "example.com/acme/shop/api",
        ] {
            assert!(!names_images_of_a_project(entry), "{entry}");
        }
    }

    #[test]
    fn an_address_names_its_location_k45() {
        for (registry, location) in [
            ("https://europe-west1-docker.pkg.dev", Some("europe-west1")),
            ("https://US-docker.pkg.dev.", Some("us")),
            ("https://docker.pkg.dev", None),
            ("https://-docker.pkg.dev", None),
            ("https://a.b-docker.pkg.dev", None),
            ("https://europe-docker.pkg.dev.example.com", None),
            ("https://gcr.io", None),
            ("http://127.0.0.1:5000", None),
        ] {
            assert_eq!(location_of(&registry.parse().unwrap()).as_deref(), location, "{registry}");
        }
    }
}
