//! The token of a source for its vendor's interface, where that is not the registry's password (`token:`, or
//! `PRODPIN_<SOURCE>_TOKEN`).

use super::credentials::{Credentials, variables};
use super::environment::HttpEnvironment;
use prodpin_core::model::SourceName;
use prodpin_policy::{OciConfig, RegistryInterface, Secret};

/// The token; none where the source has no such thing, or the registry's password is all there is.
pub(super) fn token_of(name: &SourceName, config: &OciConfig, environment: &HttpEnvironment) -> Option<Secret> {
    let RegistryInterface::GitLab { token, .. } = &config.interface else { return None };
    let from_environment = || {
        let token = environment.variables.get(&variables(name, ["TOKEN"])[0])?;
        Some(Secret::new(token))
    };
    token.clone().or_else(from_environment)
}

/// The same as a login to the registry, which takes any user name with an access token.
pub(super) fn as_password(name: &SourceName, config: &OciConfig, environment: &HttpEnvironment) -> Option<Credentials> {
    let password = token_of(name, config, environment)?;
    Some(Credentials::Password { username: "prodpin".to_owned(), password })
}
