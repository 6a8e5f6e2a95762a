//! Who asks AWS, where, and how long for: one beginning for every client on an AWS SDK.

use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

/// How CloudTrail names a session of a role.
const SESSION: &str = "prodpin";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The AWS chain, with this program's name; region and credentials in place of the chain's where they are given.
#[must_use]
pub fn loader(region: Option<&str>, credentials: Option<&SharedCredentialsProvider>) -> ConfigLoader {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let Some(credentials) = credentials {
        loader = loader.credentials_provider(credentials.clone());
    }
    if let Ok(name) = AppName::new(concat!("prodpin-", env!("CARGO_PKG_VERSION"))) {
        loader = loader.app_name(name);
    }
    loader
}

/// For one attempt, body included, and for all attempts of a call with the waits between them.
#[must_use]
pub fn timeouts(attempt: Duration, call: Option<Duration>) -> TimeoutConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(attempt);
    match call {
        Some(call) => timeouts.operation_timeout(call).build(),
        None => timeouts.build(),
    }
}

/// Credentials of a role, asked for with those of the configuration.
pub async fn assume(shared: &SdkConfig, role: &str, external_id: Option<&str>) -> SharedCredentialsProvider {
    let mut role = AssumeRoleProvider::builder(role).session_name(SESSION).configure(shared);
    if let Some(id) = external_id {
        role = role.external_id(id);
    }
    SharedCredentialsProvider::new(role.build().await)
}
