//! Sources: addresses without secrets, and no more repositories than were meant.

use url::Url;

use super::check::Checker;
use super::patterns::Confirmation;
use super::problem::{Span, quote};
use super::raw::{RawOci, RawS3};
use super::registry::RegistryTerms;
use super::spanned::Spanned;
use super::{InventoryLocation, OciConfig, RegistryInterface, S3Config, Secret, SourceConfig};
use prodpin_core::model::{Layout, NamePatterns};

impl SourceConfig {
    /// The repositories that it selects.
    pub(super) fn repositories(&self) -> &NamePatterns {
        match self {
            Self::Oci(oci) => &oci.repositories,
            Self::S3(s3) => &s3.repositories,
            Self::Ecr(ecr) => &ecr.repositories,
            Self::Helm(helm) => &helm.repositories,
        }
    }

    /// Whether it selects this one.
    #[must_use]
    pub fn selects(&self, repository: &str) -> bool {
        self.repositories().matches(repository)
    }
}

impl Checker<'_> {
    pub(super) fn oci(&self, raw: &RawOci, span: Span) -> Option<OciConfig> {
        let config = self.registry(&raw.terms(), span)?;
        Some(OciConfig { cleanup: raw.cleanup.value().copied(), ..config })
    }

    /// What every source that speaks the registry protocol has.
    pub(super) fn registry(&self, raw: &RegistryTerms<'_>, span: Span) -> Option<OciConfig> {
        let url = self.server(raw.address);
        let confirmation = Confirmation { all: raw.all, what: "repository" };
        let repositories = self.patterns(raw.repositories, span, &confirmation);
        if let Some(patterns) = &repositories {
            self.repository_names(raw.repositories, patterns);
        }
        let password = self.filled(raw.password).map(Secret::new);
        if let Some(at) =
            raw.password.span().filter(|_| raw.password.value().is_some() && !raw.password.from_environment)
        {
            self.problems
                .warn(at, "the password is written in the policy; write ${NAME} and set it in the environment");
        }
        let username = self.filled(raw.username);
        match (raw.username.span(), raw.password.span()) {
            (Some(at), None) => {
                self.problems.error(at, "username without password", "add password: ${NAME}".to_owned())
            }
            (None, Some(at)) => self.problems.error(at, "password without username", "add username".to_owned()),
            _ => {}
        }
        if let (Some(url), Some((at, _))) = (&url, raw.password.read())
            && url.scheme() == "http"
            && !is_loopback(url)
        {
            self.problems.warn(at, "the password crosses the network in the clear, because the address says http");
        }
        Some(OciConfig {
            url: url?,
            repositories: repositories?,
            username,
            password,
            token_realms: self.hosts(raw.token_realms, "a token realm"),
            private: raw.private.value().copied().unwrap_or(false),
            ca_file: self.path(raw.ca_file),
            max_concurrency: self.concurrency(raw.max_concurrency),
            cleanup: None,
            interface: RegistryInterface::None,
        })
    }

    pub(super) fn s3(&self, raw: &RawS3, span: Span) -> Option<S3Config> {
        let endpoint = raw.endpoint.span().and_then(|_| self.server(&raw.endpoint));
        let bucket = raw.s3.read().and_then(|(span, text)| self.bucket_name(span, text));
        if raw.layout.span().is_none() {
            let fix = "add layout, such as \"{repository}/{version}/bundle.zip\"".to_owned();
            self.problems.error(span, "the bucket's layout is missing", fix);
        }
        let layout: Option<Layout> = self.parsed(&raw.layout, "a layout");
        if let (Some((at, _)), Some(ambiguity)) = (raw.layout.read(), layout.as_ref().and_then(Layout::ambiguity)) {
            let fix = "put a '/' between them, or name the part as it is written in every key".to_owned();
            self.problems.error(at, format!("the layout is ambiguous: {ambiguity}"), fix);
        }
        let repositories = if raw.repositories.span().is_some() {
            // A bucket and a layout were named, so "everything in it" was said on purpose (F68).
            let all = Spanned::default();
            self.patterns(&raw.repositories, span, &Confirmation { all: &all, what: "" })
        } else {
            NamePatterns::new(["**"]).ok()
        };
        let region = self.region(&raw.region);
        let owner = self.account(&raw.owner);
        Some(S3Config {
            bucket: bucket?,
            layout: layout?,
            repositories: repositories?,
            region,
            // Servers other than AWS rarely resolve a host name for each bucket.
            path_style: raw.path_style.value().copied().unwrap_or(endpoint.is_some()),
            endpoint,
            owner,
            inventory: self.inventory(&raw.inventory),
        })
    }

    fn inventory(&self, spanned: &Spanned<String>) -> Option<InventoryLocation> {
        let (span, _) = spanned.read()?;
        let text = self.filled(spanned)?;
        let named = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        let Some((bucket, key)) = named.filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty()) else {
            let fix = "write s3://BUCKET/PREFIX/SOURCE-BUCKET/CONFIGURATION, or a manifest.json below it".to_owned();
            self.problems.error(span, "this names no inventory", fix);
            return None;
        };
        Some(InventoryLocation { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// A server's address: scheme, host and port, nothing else, and above all no secret (F71).
    pub(super) fn server(&self, spanned: &Spanned<String>) -> Option<Url> {
        self.address(spanned, false)
    }

    /// The address of an interface, which may lie below a path; it ends in `/`.
    pub(super) fn api_address(&self, spanned: &Spanned<String>) -> Option<Url> {
        let mut url = self.address(spanned, true)?;
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Some(url)
    }

    fn address(&self, spanned: &Spanned<String>, may_have_path: bool) -> Option<Url> {
        let (span, text) = spanned.read()?;
        let refuse = |message: &str, fix: &str| -> Option<Url> {
            self.problems.error(span, message, (!fix.is_empty()).then(|| fix.to_owned()));
            None
        };
        let text = text.trim();
        if text.is_empty() {
            return refuse("the address is empty", "write it as https://HOST[:PORT]");
        }
        let Ok(url) = Url::parse(text) else {
            return match text.contains("://") {
                true => refuse("this is no address", "write it as https://HOST[:PORT]"),
                false => refuse("the address has no scheme", "write https:// in front of the host"),
            };
        };
        if !url.username().is_empty() || url.password().is_some() {
            let fix = "take it out of the URL; for a registry write username: and password: ${NAME}";
            return refuse("a URL must not hold a user name or password", fix);
        }
        if !matches!(url.scheme(), "http" | "https") {
            let fix = if url.has_host() { "write https://HOST[:PORT]" } else { "write https:// in front of the host" };
            return refuse("the address must start with https:// (or http://)", fix);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("the address must end after host and port", "leave out what follows '?' or '#'");
        }
        if !may_have_path && !matches!(url.path(), "" | "/") {
            return refuse("the address must end after host and port", "name repositories under repositories:");
        }
        Some(url)
    }

    /// Plain names must be names that a registry can have: a tag or host in them would never match.
    pub(super) fn repository_names(&self, spanned: &Spanned<Vec<Spanned<String>>>, patterns: &NamePatterns) {
        for entry in spanned.value().into_iter().flatten() {
            let Some((span, text)) = entry.read() else { continue };
            if entry.from_environment || !patterns.explicit_names().any(|name| name == text) {
                continue;
            }
            let valid = text.parse::<prodpin_core::model::RepositoryName>().is_ok_and(|name| name.is_oci());
            if !valid {
                let fix = if text.contains("://") {
                    "leave out scheme and host"
                } else if text.contains([':', '@']) {
                    "leave out host, tag and digest"
                } else {
                    "write lowercase path parts of letters, digits, '.', '_' and '-'"
                };
                self.problems.error(span, format!("no registry has a repository {}", quote(text)), fix.to_owned());
            }
        }
    }

    pub(super) fn bucket_name(&self, span: Span, text: &str) -> Option<String> {
        let valid = (3..=255).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        if !valid {
            let fix = if text.starts_with("s3://") || text.contains('/') {
                "write the bucket's name alone; a prefix goes into layout"
            } else if text.starts_with("arn:") {
                "write the bucket's name, not its ARN"
            } else {
                "use 3 or more letters, digits, '.' and '-'"
            };
            self.problems.error(span, "this is no bucket name", fix.to_owned());
        }
        valid.then(|| text.to_owned())
    }

    /// Hosts, with a port where one is written. `what` says what each is.
    pub(super) fn hosts(&self, spanned: &Spanned<Vec<Spanned<String>>>, what: &str) -> Vec<String> {
        let mut hosts = Vec::new();
        for entry in spanned.value().into_iter().flatten() {
            let Some((span, text)) = entry.read() else { continue };
            let valid = !text.is_empty()
                && !text.contains(['/', '@', '*', '?', '#'])
                && !text.contains(char::is_whitespace)
                && Url::parse(&format!("https://{text}")).is_ok_and(|url| url.has_host());
            if valid {
                hosts.push(text.to_ascii_lowercase());
            } else {
                self.problems.error(
                    span,
                    format!("{what} is a host, with a port if it has one"),
                    "write it as auth.example.com".to_owned(),
                );
            }
        }
        hosts
    }

    pub(super) fn concurrency(&self, spanned: &Spanned<u32>) -> Option<usize> {
        let (span, number) = spanned.read()?;
        if !(1..=1024).contains(number) {
            self.problems.error(span, "max_concurrency must be between 1 and 1024", None);
        }
        usize::try_from(*number).ok()
    }

    /// Text that must not be empty, as a variable that is set to nothing would make it. What a missing variable left
    /// behind has been reported already.
    pub(super) fn filled(&self, spanned: &Spanned<String>) -> Option<String> {
        let (span, text) = spanned.read()?;
        if self.problems.has_error_at(span) {
            return None;
        }
        if text.is_empty() {
            self.problems.error(span, "this value is empty", None);
            return None;
        }
        Some(text.clone())
    }
}

/// Whether the address is this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}
