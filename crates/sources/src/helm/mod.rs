//! A repository of Helm charts: an `index.yaml` and the archives that it names, on a web server or in a bucket.
//!
//! | file | what is in it |
//! | --- | --- |
//! | `index` | `index.yaml`, read so that no bad entry passes in silence (F138, F140) |
//! | `archive` | an archive as it streams by: its hash, and what its `Chart.yaml` says (F83) |
//! | `location` | where an archive may be fetched, and who sees the credentials |
//! | `web`, `http` | the calls to a web server, and what a run makes of them |
//! | `bucket` | the same in a bucket, where archives are object versions and can be pinned |
//! | `content` | archives as files, for a drill and a copy |
//! | `key` | the key that an address of the index names in a bucket |
//! | `shelf` | what both make of an index |
//! | `left` | where an archive may be that no index names any more |
//!
//! A repository is a chart, a tag a version, an artifact an archive by its SHA-256; in a bucket, an object version. Over
//! HTTP nothing can be pinned, and that is said. Index digests are no manifest digests: the same chart in a registry is
//! another artifact (F142).

mod archive;
mod bucket;
mod content;
mod http;
mod index;
mod key;
mod left;
mod location;
mod shelf;
mod web;

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;

pub use self::content::open_to_restore;
use self::http::HttpCharts;
use self::location::Hosts;
use self::shelf::Shelf;
use self::web::Web;
use super::s3::Tuning;
use super::{OpenOptions, Source};
use prodpin_core::model::SourceName;
use prodpin_net::http::HttpEnvironment;
use prodpin_net::http::client::{ClientError, client, dialer};
use prodpin_net::http::place::{is_loopback, names_private};
use prodpin_net::http::transport::Transport;
use prodpin_policy::{HelmConfig, HelmHttp, HelmLogin, HelmPlace, Secret};

/// Why a chart repository cannot be opened as configured. None of these shows a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelmError {
    /// Credentials are there and cannot be used.
    #[error("credentials of chart repository {address}: {reason}")]
    Credentials {
        /// The repository.
        address: String,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// The HTTP client cannot be built.
    #[error("chart repository {address}: {reason}")]
    Client {
        /// The repository.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The bucket cannot be opened.
    #[error(transparent)]
    Bucket(#[from] super::s3::S3Error),
}

/// Opens a chart repository in this environment. Nothing is sent yet.
pub async fn open_in(
    name: &SourceName,
    config: &HelmConfig,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Source, HelmError> {
    let shelf = Shelf::new(config.address(), config.repositories.clone());
    match &config.place {
        HelmPlace::Http(http) => {
            let web = web(name, http, options, environment)?;
            let inventory = Arc::new(HttpCharts { shelf, web, hashed: Mutex::default() });
            Ok(Source { inventory, protector: None, rehearsal: None })
        }
        HelmPlace::Bucket(place) => Ok(bucket::open(name, place, shelf, options, Tuning::default()).await?),
    }
}

fn web(
    name: &SourceName,
    config: &HelmHttp,
    options: &OpenOptions,
    environment: &HttpEnvironment,
) -> Result<Web, HelmError> {
    let address = || config.url.to_string();
    let host = config.url.host_str().unwrap_or_default();
    let foreign = config.foreign_hosts.iter().map(String::as_str);
    let dialer = Arc::new(dialer(config.private || names_private(host), foreign, environment));
    let http = client(&config.url, config.ca_file.as_deref(), &dialer, environment).map_err(|error| {
        let reason = match error {
            ClientError::Certificates { path, reason } => format!("certificates in {} {reason}", path.display()),
            ClientError::Client { reason } => format!("the HTTP client cannot be built: {reason}"),
        };
        HelmError::Client { address: address(), reason }
    })?;
    let cap = config.max_concurrency.map_or(options.concurrency, |most| most.min(options.concurrency));
    let throttle = environment.throttles.for_url(&config.url, cap);
    let transport = Transport::new(http, dialer, throttle, environment.timing.clone(), options.deadline, false);
    let hosts = Hosts {
        home: config.url.clone(),
        foreign: config.foreign_hosts.clone(),
        trusted: config.credentials_for.clone(),
    };
    let authorization = authorization(name, config, environment)
        .map_err(|reason| HelmError::Credentials { address: address(), reason })?;
    Ok(Web::new(transport, hosts, authorization, config.chartmuseum))
}

/// The `Authorization` that is sent from the first request on, as Helm does: a file server may answer strangers with
/// less instead of asking who they are.
fn authorization(
    name: &SourceName,
    config: &HelmHttp,
    environment: &HttpEnvironment,
) -> Result<Option<HeaderValue>, &'static str> {
    let Some(login) =
        config.login.clone().map_or_else(|| from_environment(name, environment), |login| Ok(Some(login)))?
    else {
        return Ok(None);
    };
    if config.url.scheme() == "http" && !is_loopback(&config.url) {
        return Err("without TLS everyone on the way could read them; use https, or take them away");
    }
    let text = match &login {
        HelmLogin::Basic { username, .. } if username.contains(':') => return Err("a user name cannot hold a colon"),
        HelmLogin::Basic { username, password } => {
            format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{}", password.expose())))
        }
        HelmLogin::Token(token) => format!("Bearer {}", token.expose()),
    };
    // F79
    let mut value = HeaderValue::from_str(&text).map_err(|_| "they cannot stand in a header")?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// `PRODPIN_<SOURCE>_USERNAME` and `_PASSWORD`. Not those for every source: a chart repository is often somebody else's.
fn from_environment(name: &SourceName, environment: &HttpEnvironment) -> Result<Option<HelmLogin>, &'static str> {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let own: String = name.as_str().chars().map(upper).collect();
    let get = |what: &str| environment.variables.get(&format!("PRODPIN_{own}_{what}")).map(str::to_owned);
    match (get("USERNAME"), get("PASSWORD")) {
        (Some(username), Some(password)) => Ok(Some(HelmLogin::Basic { username, password: Secret::new(password) })),
        (None, None) => Ok(None),
        _ => Err("of user name and password only one is set in the environment; set both or neither"),
    }
}
