//! The HTTP client of a source: it follows nothing, refers to nothing, and dials only what its dialer allows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::address::Dialer;
use super::environment::HttpEnvironment;
use super::place::{is_loopback, names_private};

/// Why no client could be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientError {
    /// Certificates are named and cannot be used.
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The client itself.
    Client {
        /// Why not.
        reason: String,
    },
}

/// Which addresses a source may dial (F10): private ones if it is `private`, and of other hosts only those that the
/// operator named: token servers, hosts of archives, proxies.
pub fn dialer<'h>(
    private: bool,
    named_hosts: impl IntoIterator<Item = &'h str>,
    environment: &HttpEnvironment,
) -> Dialer {
    let mut dialer = Dialer::new(private, environment.names.clone());
    for host in named_hosts {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        if names_private(name) {
            dialer.allow_private(name);
        }
    }
    if environment.proxy {
        for variable in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            let value = environment.variables.get(variable);
            let proxy = value.and_then(|value| {
                Url::parse(value).ok().filter(Url::has_host).or_else(|| Url::parse(&format!("http://{value}")).ok())
            });
            if let Some(proxy_host) = proxy.as_ref().and_then(Url::host_str) {
                dialer.allow_private(proxy_host);
            }
        }
    }
    dialer
}

/// Builds the client for the server at this address.
pub fn client(
    server: &Url,
    ca_file: Option<&Path>,
    dialer: &Arc<Dialer>,
    environment: &HttpEnvironment,
) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(super::USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(environment.timing.connect)
        .dns_resolver(Arc::clone(dialer));
    // A server on this machine is never reached through another one; other clients hold the same.
    if !environment.proxy || is_loopback(server) {
        builder = builder.no_proxy();
    }
    if let Some(path) = ca_file {
        builder = builder.tls_certs_merge(certificates(path)?);
    }
    builder.build().map_err(|error| ClientError::Client { reason: error.to_string() })
}

/// The certificates in a file, to trust beside the system's. There is one at least.
pub fn certificates(path: &Path) -> Result<Vec<reqwest::Certificate>, ClientError> {
    let fail = |reason: String| ClientError::Certificates { path: path.to_owned(), reason };
    // Asked before opening: opening a named pipe would wait for a writer (F80).
    let found = std::fs::metadata(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    if !found.is_file() {
        return Err(fail("is no file".to_owned()));
    }
    let pem = std::fs::read(path).map_err(|error| fail(format!("cannot be read: {error}")))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| fail("are not PEM".to_owned()))?;
    if certificates.is_empty() {
        return Err(fail("there are none in it".to_owned()));
    }
    Ok(certificates)
}
