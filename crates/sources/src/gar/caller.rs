//! What proves to Google's API who asks. The registry takes a user and a password; the API takes tokens alone, which are had from
//! the same credentials.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;
use tokio::sync::OnceCell;

use crate::google::{Identity, KEY_USER, TOKEN_USER};
use crate::oci::{Beside, HttpEnvironment, own_variable};
use prodpin_core::model::{Cause, SourceName};
use prodpin_net::http::fault::Fault;
use prodpin_policy::Secret;

/// The user with whom a password is a key in Base64.
const ENCODED_KEY_USER: &str = "_json_key_base64";

/// Users with whom credential helpers of Google's give access tokens: that of `gcloud`, and how that of `docker-credential-gcr`
/// begins.
const HELPERS: [&str; 2] = ["_dcgcloud_token", "_dcgcr_"];

/// Who asks.
#[derive(Debug)]
pub(super) struct Caller {
    /// A token for the API alone.
    token: Option<Secret>,
    /// The variable that holds such a token.
    variable: String,
    /// The service account whose key is the password.
    account: OnceCell<Result<Identity, String>>,
}

/// What a password is.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Token,
    Key,
    EncodedKey,
    Other,
}

impl Kind {
    fn of(user: &str) -> Self {
        match user {
            TOKEN_USER => Self::Token,
            KEY_USER => Self::Key,
            ENCODED_KEY_USER => Self::EncodedKey,
            user if HELPERS.iter().any(|helper| user.starts_with(helper)) => Self::Token,
            _ => Self::Other,
        }
    }
}

impl Caller {
    pub(super) fn new(name: &SourceName, environment: &HttpEnvironment) -> Self {
        let variable = own_variable(name, "TOKEN");
        let token = environment.variables.get(&variable).map(Secret::new);
        Self { token, variable, account: OnceCell::new() }
    }

    /// The `Authorization` for a call.
    pub(super) async fn header(&self, beside: &Beside) -> Result<HeaderValue, Fault> {
        if let Some(token) = &self.token {
            return beside.bearer_with(token);
        }
        let Some((user, password)) = beside.pair().await? else { return Err(self.nobody(beside)) };
        match Kind::of(&user) {
            Kind::Token => beside.bearer_with(&password),
            Kind::Key => self.signed(beside, password.expose()).await,
            Kind::EncodedKey => {
                let decoded = BASE64_STANDARD.decode(password.expose().trim()).ok();
                let document = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
                let document = document.ok_or_else(|| {
                    denied(beside, "the password is no key in Base64, which the user _json_key_base64 says")
                })?;
                self.signed(beside, &document).await
            }
            Kind::Other => Err(denied(
                beside,
                &format!(
                    "with this user name the password is no token for Google's API: set {} to an access token, or use \
                     {TOKEN_USER} or {KEY_USER} as the user",
                    self.variable
                ),
            )),
        }
    }

    async fn signed(&self, beside: &Beside, key: &str) -> Result<HeaderValue, Fault> {
        let account = self.account.get_or_init(async || Identity::of_key(key)).await;
        let account = account.as_ref().map_err(|reason| denied(beside, reason))?;
        let token = account.token().await;
        beside.bearer_with(&token.ok_or_else(|| denied(beside, "the service account's key signs no token"))?)
    }

    fn nobody(&self, beside: &Beside) -> Fault {
        denied(
            beside,
            &format!(
                "there are no credentials for it (looked in the policy, the environment, Docker's configuration \
                 and, where registry and interface are Google's own, in GOOGLE_APPLICATION_CREDENTIALS, in gcloud's application \
                 default credentials, and at the metadata server): set \
                 `username: {TOKEN_USER}` and `password` on the source, or {}",
                self.variable
            ),
        )
    }
}

fn denied(beside: &Beside, reason: &str) -> Fault {
    Fault::new(Cause::Denied, format!("{}: {reason}", beside.shown()))
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn the_user_says_what_the_password_is() {
        for (user, kind) in [
            ("oauth2accesstoken", Kind::Token),
            ("_dcgcloud_token", Kind::Token),
            ("_dcgcr_2_1_0_token", Kind::Token),
            ("_json_key", Kind::Key),
            ("_json_key_base64", Kind::EncodedKey),
            ("prodpin", Kind::Other),
            ("", Kind::Other),
        ] {
            assert_eq!(Kind::of(user), kind, "{user}");
        }
    }
}
