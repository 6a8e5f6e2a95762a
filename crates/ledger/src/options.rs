//! What every store in a bucket is opened with.

use std::time::Duration;

use object_store::{ClientOptions, RetryConfig};
use url::Url;

use super::LedgerError;
use prodpin_net::http::USER_AGENT;

/// The bucket and the prefix in it.
pub(super) fn parts<'u>(url: &'u Url, name: &str) -> Result<(&'u str, object_store::path::Path), LedgerError> {
    let unusable = |detail: String| LedgerError::Unusable { location: name.to_owned(), detail };
    let scheme = url.scheme();
    let bucket =
        url.host_str().ok_or_else(|| unusable(format!("it names no bucket; write {scheme}://BUCKET/PREFIX")))?;
    let prefix = object_store::path::Path::from_url_path(url.path())
        .map_err(|_| unusable("the prefix is no clean path; leave out empty parts, '.' and '..'".to_owned()))?;
    Ok((bucket, prefix))
}

/// A store that accepts a request and says nothing must not hold up a run: with the retries below, no answer at all is
/// an error within two minutes (F5).
pub(super) fn patience() -> ClientOptions {
    ClientOptions::new()
        .with_user_agent(http::HeaderValue::from_static(USER_AGENT))
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(30))
}

pub(super) fn retries() -> RetryConfig {
    RetryConfig { max_retries: 6, retry_timeout: Duration::from_secs(60), ..RetryConfig::default() }
}
