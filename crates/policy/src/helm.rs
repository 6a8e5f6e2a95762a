//! Chart repositories: over HTTP, or as a prefix of a bucket.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::Secret;
use super::check::Checker;
use super::patterns::Confirmation;
use super::pins::RawPins;
use super::problem::Span;
use super::require::RawRequire;
use super::source::is_loopback;
use super::spanned::Spanned;
use prodpin_core::model::NamePatterns;

/// A repository of Helm charts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "a helm source")]
#[schemars(rename = "HelmSource", default, extend("required" = ["helm"]))]
pub(super) struct RawHelm {
    /// Where its `index.yaml` is: `https://charts.example.com/path`, or `s3://bucket/prefix`.
    helm: Spanned<String>,
    /// Charts by name or glob. Default: all that the index names.
    repositories: Spanned<Vec<Spanned<String>>>,
    /// A user name. Default: the environment, then anonymous.
    username: Spanned<String>,
    /// Its password, as `${NAME}` from the environment.
    password: Spanned<String>,
    /// A bearer token in place of user name and password, as `${NAME}` from the environment.
    token: Spanned<String>,
    /// Hosts beside the repository's own where the index may say that archives are.
    foreign_hosts: Spanned<Vec<Spanned<String>>>,
    /// Those of them that may see the credentials.
    credentials_for: Spanned<Vec<Spanned<String>>>,
    /// Whether the repository is a ChartMuseum, whose API is asked directly. Default: found out.
    chartmuseum: Spanned<bool>,
    /// Whether the host may have a private address.
    private: Spanned<bool>,
    /// PEM certificates to trust beside the system's; relative to this file.
    ca_file: Spanned<String>,
    /// The most requests in flight at this host.
    #[schemars(range(min = 1, max = 1024))]
    max_concurrency: Spanned<u32>,
    /// The bucket's region. Default: the AWS configuration's.
    region: Spanned<String>,
    /// The address of an S3-compatible server.
    endpoint: Spanned<String>,
    /// Whether the bucket stands in the path rather than in the host name. Default: true with `endpoint`.
    path_style: Spanned<bool>,
    /// The AWS account that must own the bucket.
    #[schemars(regex(pattern = "^[0-9]{12}$"))]
    owner: Spanned<String>,
    /// What is allowed about pins here.
    pub(super) pins: Spanned<RawPins>,
    /// What rollback targets are to survive here, in place of what the policy requires of all sources.
    pub(super) require: Spanned<RawRequire>,
}

/// A repository of Helm charts.
#[derive(Debug, Clone)]
pub struct HelmConfig {
    /// Where it is.
    pub place: HelmPlace,
    /// Which charts; all that the index names, by default.
    pub repositories: NamePatterns,
}

/// Where a chart repository is.
#[derive(Debug, Clone)]
pub enum HelmPlace {
    /// On a web server.
    Http(HelmHttp),
    /// In a bucket.
    Bucket(HelmBucket),
}

/// A chart repository on a web server.
#[derive(Debug, Clone)]
pub struct HelmHttp {
    /// The address that `index.yaml` is beneath, ending in `/`; no user, no query.
    pub url: Url,
    /// Who asks, from the policy; else the environment, else anonymous.
    pub login: Option<HelmLogin>,
    /// Hosts (with a port if they have one) beside the repository's own from which archives are fetched.
    pub foreign_hosts: Vec<String>,
    /// Those of them that may see the credentials.
    pub credentials_for: Vec<String>,
    /// Whether it is a ChartMuseum; none: find out.
    pub chartmuseum: Option<bool>,
    /// Whether the host may resolve to a private address (F10).
    pub private: bool,
    /// PEM certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// A cap on requests in flight; adaptive below it.
    pub max_concurrency: Option<usize>,
}

/// Who asks a chart repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HelmLogin {
    /// A user with a password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token.
    Token(Secret),
}

/// A chart repository in a bucket.
#[derive(Debug, Clone)]
pub struct HelmBucket {
    /// The bucket.
    pub bucket: String,
    /// What `index.yaml` is beneath: empty, or ending in `/`.
    pub prefix: String,
    /// Region, else the AWS chain's.
    pub region: Option<String>,
    /// An S3-compatible server.
    pub endpoint: Option<Url>,
    /// Bucket in the path rather than in the host name.
    pub path_style: bool,
    /// The account that must own the bucket (F51).
    pub owner: Option<String>,
}

impl HelmConfig {
    /// The repository's address without any secret.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.place {
            HelmPlace::Http(http) => http.url.to_string(),
            HelmPlace::Bucket(HelmBucket { bucket, prefix, endpoint, .. }) => {
                format!("{}s3://{bucket}/{prefix}", endpoint.as_ref().map_or("", Url::as_str))
            }
        }
    }
}

impl Checker<'_> {
    pub(super) fn helm(&self, raw: &RawHelm) -> Option<HelmConfig> {
        let in_bucket = raw.helm.value().is_some_and(|text| text.trim_start().starts_with("s3://"));
        let place = if in_bucket {
            self.refuse_all(&raw.http_keys(), "a chart repository in a bucket");
            self.helm_bucket(raw).map(HelmPlace::Bucket)
        } else {
            self.refuse_all(&raw.bucket_keys(), "a chart repository on a web server");
            self.helm_http(raw).map(HelmPlace::Http)
        };
        let repositories = if raw.repositories.span().is_some() {
            // One chart repository was named, so "every chart in it" was said on purpose (F68).
            let all = Spanned::default();
            // The place is only used where nothing is listed, which was just ruled out.
            let around = raw.repositories.span()?;
            let confirmation = Confirmation { all: &all, what: "" };
            let patterns = self.patterns(&raw.repositories, around, &confirmation);
            self.chart_names(&raw.repositories);
            patterns
        } else {
            NamePatterns::new(["**"]).ok()
        };
        Some(HelmConfig { place: place?, repositories: repositories? })
    }

    fn helm_http(&self, raw: &RawHelm) -> Option<HelmHttp> {
        let url = self.chart_url(&raw.helm);
        let login = self.chart_login(raw, url.as_ref());
        let foreign_hosts = self.hosts(&raw.foreign_hosts, "a host of archives");
        let credentials_for = self.hosts(&raw.credentials_for, "a host that may see the credentials");
        if let Some((place, _)) = raw.credentials_for.read() {
            if login.is_none() && raw.username.span().is_none() && raw.token.span().is_none() {
                self.problems
                    .warn(place, "credentials_for without credentials in the policy: those of the environment");
            }
            for host in credentials_for.iter().filter(|host| !foreign_hosts.contains(host)) {
                let fix = "name it under foreign_hosts too".to_owned();
                self.problems.error(place, format!("nothing is fetched from {host}"), fix);
            }
        }
        Some(HelmHttp {
            url: url?,
            login,
            foreign_hosts,
            credentials_for,
            chartmuseum: raw.chartmuseum.value().copied(),
            private: raw.private.value().copied().unwrap_or(false),
            ca_file: self.path(&raw.ca_file),
            max_concurrency: self.concurrency(&raw.max_concurrency),
        })
    }

    fn chart_login(&self, raw: &RawHelm, url: Option<&Url>) -> Option<HelmLogin> {
        for secret in [&raw.password, &raw.token] {
            let Some((at, _)) = secret.read() else { continue };
            if !secret.from_environment {
                self.problems
                    .warn(at, "the secret is written in the policy; write ${NAME} and set it in the environment");
            }
            if url.is_some_and(|url| url.scheme() == "http" && !is_loopback(url)) {
                let fix = "write https://, or take the credentials away".to_owned();
                self.problems.error(at, "without TLS everyone on the way could read the credentials", fix);
            }
        }
        match (raw.username.span(), raw.password.span(), raw.token.span()) {
            (_, Some(at), Some(_)) | (Some(at), _, Some(_)) => {
                let fix = "keep one of the two".to_owned();
                self.problems.error(at, "a user name with a password, or a token, not both", fix);
                None
            }
            (Some(at), None, None) => {
                self.problems.error(at, "username without password", "add password: ${NAME}".to_owned());
                None
            }
            (None, Some(at), None) => {
                self.problems.error(at, "password without username", "add username".to_owned());
                None
            }
            (None, None, Some(_)) => Some(HelmLogin::Token(Secret::new(self.filled(&raw.token)?))),
            (Some(_), Some(_), None) => {
                let (username, password) = (self.filled(&raw.username), self.filled(&raw.password));
                Some(HelmLogin::Basic { username: username?, password: Secret::new(password?) })
            }
            (None, None, None) => None,
        }
    }

    /// The address as given to `helm repo add`: with a path if there is one, without a secret (F71).
    fn chart_url(&self, spanned: &Spanned<String>) -> Option<Url> {
        let (place, text) = spanned.read()?;
        let refuse = |message: &str, fix: &str| -> Option<Url> {
            self.problems.error(place, message, fix.to_owned());
            None
        };
        let text = text.trim();
        let usual = "write it as for `helm repo add`, such as https://charts.example.com/stable";
        if text.starts_with("oci://") {
            return refuse("charts in a registry need no chart repository", "write an oci: source");
        }
        let Ok(mut url) = Url::parse(text) else { return refuse("this is no address", usual) };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("a URL must not hold a user name or password", "write username: and password: ${NAME}");
        }
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return refuse("the address must start with https:// (or http://), or s3://", usual);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("the address must end after its path", "leave out what follows '?' or '#'");
        }
        if url.path().ends_with("/index.yaml") {
            return refuse("the address is that of the directory", "leave out index.yaml");
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Some(url)
    }

    fn helm_bucket(&self, raw: &RawHelm) -> Option<HelmBucket> {
        let (place, text) = raw.helm.read()?;
        let rest = text.trim().trim_start_matches("s3://");
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket = self.bucket_name(place, bucket);
        if prefix.contains(['?', '#']) || prefix.contains("//") {
            self.problems.error(place, "this is no prefix", "write s3://BUCKET/PREFIX".to_owned());
        }
        let prefix = prefix.trim_end_matches('/');
        let endpoint = raw.endpoint.span().and_then(|_| self.server(&raw.endpoint));
        Some(HelmBucket {
            bucket: bucket?,
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            region: self.region(&raw.region),
            path_style: raw.path_style.value().copied().unwrap_or(endpoint.is_some()),
            endpoint,
            owner: self.account(&raw.owner),
        })
    }

    /// A chart has one name, not a path: anything with a slash would never match.
    fn chart_names(&self, spanned: &Spanned<Vec<Spanned<String>>>) {
        for entry in spanned.value().into_iter().flatten() {
            let Some((place, text)) = entry.read() else { continue };
            if !entry.from_environment && text.contains('/') && !text.contains("**") {
                let fix = "write the chart's name alone".to_owned();
                self.problems.error(place, "no chart has a '/' in its name", fix);
            }
        }
    }

    fn refuse_all(&self, keys: &[(&str, Option<Span>)], kind: &str) {
        for (key, place) in keys.iter().filter_map(|(key, place)| Some((key, (*place)?))) {
            self.problems.error(place, format!("{kind} has no {key}"), "take it out".to_owned());
        }
    }
}

impl RawHelm {
    fn http_keys(&self) -> [(&'static str, Option<Span>); 9] {
        [
            ("username", self.username.span()),
            ("password", self.password.span()),
            ("token", self.token.span()),
            ("foreign_hosts", self.foreign_hosts.span()),
            ("credentials_for", self.credentials_for.span()),
            ("chartmuseum", self.chartmuseum.span()),
            ("private", self.private.span()),
            ("ca_file", self.ca_file.span()),
            ("max_concurrency", self.max_concurrency.span()),
        ]
    }

    fn bucket_keys(&self) -> [(&'static str, Option<Span>); 4] {
        [
            ("region", self.region.span()),
            ("endpoint", self.endpoint.span()),
            ("path_style", self.path_style.span()),
            ("owner", self.owner.span()),
        ]
    }
}
