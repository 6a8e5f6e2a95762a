//! A policy for `prodpin audit HOST/REPOSITORY…`, where no file says anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use url::Url;

use super::patterns::selects_everything;
use super::problem::quote;
use super::source::is_loopback;
use super::{EcrConfig, LedgerLocation, OciConfig, PinPolicy, Policy, RegistryInterface, Safeguards, SourceConfig};
use prodpin_core::model::{
    Digest, EcrHost, FailOn, NamePatterns, Order, ProductionRule, RepositoryName, SourceName, without_credentials,
};

/// Tags that look like releases to anyone.
const RELEASES: [&str; 1] = ["{v[0-9]*,[0-9]*}"];

/// Why repositories named on the command line make no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{argument}: {reason}")]
pub struct AdHocError {
    argument: String,
    reason: String,
}

/// A policy that looks at just these repositories, and takes tags that look like versions for releases.
pub fn ad_hoc(arguments: &[String], ledger: LedgerLocation) -> Result<Policy, AdHocError> {
    let mut hosts: BTreeMap<Url, Vec<String>> = BTreeMap::new();
    for argument in arguments {
        let fail = |reason: String| AdHocError { argument: quote(&without_credentials(argument)), reason };
        let (url, repository) = split(argument).map_err(fail)?;
        let repositories = hosts.entry(url).or_default();
        if !repositories.contains(&repository) {
            repositories.push(repository);
        }
    }
    let mut sources = BTreeMap::new();
    for (url, entries) in hosts {
        let fail = |reason: String| AdHocError { argument: url.to_string(), reason };
        let repositories = NamePatterns::new(&entries).map_err(|error| fail(error.to_string()))?;
        let name = free_name(&url, &sources).ok_or_else(|| fail("this host gives no source name".to_owned()))?;
        sources.insert(name, source(url, repositories));
    }
    let releases = NamePatterns::new(RELEASES)
        .map_err(|error| AdHocError { argument: String::new(), reason: error.to_string() })?;
    Ok(Policy {
        safeguards: Safeguards::default(),
        keep: 5,
        ledger,
        schedule: None,
        sources,
        production: vec![ProductionRule::Tags { patterns: releases, order: Order::Semver }],
        in_use_files: Vec::new(),
        signals: Vec::new(),
        may_move: NamePatterns::none(),
        pins: PinPolicy::default(),
        vault: None,
        drill: None,
        events: BTreeMap::new(),
        fail_on: FailOn::High,
        database: Vec::new(),
        waivers: Vec::new(),
        alerts: Vec::new(),
        security_hub: None,
        digest: Digest::sha256(arguments.join("\n").as_bytes()),
        warnings: Vec::new(),
    })
}

/// What is behind the address: of Amazon ECR more can be read than a registry tells (A49).
fn source(url: Url, repositories: NamePatterns) -> SourceConfig {
    let ecr = match (url.scheme(), url.port()) {
        ("https", None) => url.host_str().and_then(EcrHost::read),
        _ => None,
    };
    match ecr {
        Some(EcrHost { account, region }) => SourceConfig::Ecr(EcrConfig {
            region: Some(region.to_owned()),
            assume_role: None,
            external_id: None,
            registry: Some(account.to_owned()),
            endpoint: None,
            may_delete: Arc::default(),
            manages_lifecycle: false,
            asks_cloudtrail: false,
            repositories,
            max_concurrency: None,
        }),
        None => SourceConfig::Oci(OciConfig {
            url,
            repositories,
            username: None,
            password: None,
            token_realms: Vec::new(),
            private: false,
            ca_file: None,
            max_concurrency: None,
            cleanup: None,
            interface: RegistryInterface::None,
        }),
    }
}

/// `HOST[:PORT]/REPOSITORY`, with a scheme if it is not the usual one.
fn split(argument: &str) -> Result<(Url, String), String> {
    if argument.starts_with("s3://") {
        return Err("a bucket needs a layout; write a policy with `prodpin init`".to_owned());
    }
    // First of all, for every later reason may repeat a part of it (I18).
    if without_credentials(argument) != argument {
        return Err("a registry's name holds no user name or password; `docker login` stores them".to_owned());
    }
    let (scheme, rest) = match argument.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
        Some(_) => return Err("write HOST/REPOSITORY".to_owned()),
        None => (None, argument),
    };
    let (host, repository) = match rest.split_once('/') {
        Some((host, repository)) if host.contains(['.', ':']) || host == "localhost" => (host, repository),
        _ => return Err(format!("name its registry too, such as registry.example.com/{rest}")),
    };
    let url = address(scheme, host)?;
    if let Some(at) = repository.find(['@', ':']) {
        return Err(format!("audit looks at whole repositories; write {host}/{}", &repository[..at]));
    }
    let pattern = repository.contains(['*', '?', '[', '{']);
    if pattern && selects_everything(repository) {
        return Err(
            "this selects every repository; for that, write a policy with all: true (`prodpin init`)".to_owned()
        );
    }
    let valid = pattern || repository.parse::<RepositoryName>().is_ok_and(|name| name.is_oci());
    if !valid || repository.starts_with('!') {
        return Err("a repository has lowercase path parts of letters, digits, '.', '_' and '-'".to_owned());
    }
    Ok((url, repository.to_owned()))
}

pub(super) fn address(scheme: Option<&str>, host: &str) -> Result<Url, String> {
    // Docker Hub's registry does not answer under the name that everyone writes.
    let host = if matches!(host, "docker.io" | "index.docker.io") { "registry-1.docker.io" } else { host };
    let mut url = Url::parse(&format!("{}://{host}", scheme.unwrap_or("https")))
        .map_err(|error| format!("{host:?} is no host: {error}"))?;
    if scheme.is_none() && is_loopback(&url) {
        // As container tools do: a registry on this machine rarely has a certificate.
        url = Url::parse(&format!("http://{host}")).map_err(|error| format!("{host:?} is no host: {error}"))?;
    }
    Ok(url)
}

/// The host as a source name; a number behind it where two hosts would share one.
fn free_name(url: &Url, taken: &BTreeMap<SourceName, SourceConfig>) -> Option<SourceName> {
    let port = url.port().map(|port| format!("-{port}")).unwrap_or_default();
    let host = format!("{}{port}", url.host_str()?);
    let plain: String = host
        .chars()
        .map(
            |character| {
                if character.is_ascii_alphanumeric() || matches!(character, '.' | '-') { character } else { '-' }
            },
        )
        .collect();
    let plain: String = plain.trim_start_matches(['-', '.']).chars().take(56).collect();
    let first = plain.parse().ok();
    let later = (2..100).map(|number| format!("{plain}-{number}").parse().ok());
    std::iter::once(first).chain(later).flatten().find(|name| !taken.contains_key(name))
}
