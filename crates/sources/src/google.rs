//! Who asks Google: identities as Google's own tools find them. `object_store` knows how tokens are had for them, as it does for
//! ledgers: it signs for a service account, and asks the metadata server of the machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use object_store::gcp::{GcpCredentialProvider, GoogleCloudStorageBuilder};
use object_store::{ClientOptions, RetryConfig};
use serde::Deserialize;

use prodpin_net::http::{HttpEnvironment, USER_AGENT};
use prodpin_policy::Secret;

/// The user with whom a password is an access token.
pub(crate) const TOKEN_USER: &str = "oauth2accesstoken";

/// The user with whom a password is the key of a service account, the document itself.
pub(crate) const KEY_USER: &str = "_json_key";

/// A larger file is no credential.
const MOST_BYTES: u64 = 1 << 20;

/// Somebody whom Google knows. Tokens are renewed by themselves.
#[derive(Debug, Clone)]
pub(crate) struct Identity(GcpCredentialProvider);

impl Identity {
    /// The service account of this key. Nothing is sent, then or for tokens.
    pub(crate) fn of_key(document: &str) -> Result<Self, String> {
        // A key without its private half could be taken for one that needs no token.
        let kind = kind_of(document);
        if kind.as_deref() != Some("service_account") {
            return Err("this is no key of a service account: give the JSON document that Google made".to_owned());
        }
        Self::built(builder().with_service_account_key(document))
            .ok_or_else(|| "the key of the service account cannot be read: make a new one".to_owned())
    }

    /// Whoever logged in by `gcloud auth application-default login`.
    fn of_login(path: &Path) -> Option<Self> {
        Self::built(builder().with_application_credentials(path.to_str()?))
    }

    /// Whoever this machine is, by its metadata server.
    fn of_machine() -> Option<Self> {
        Self::built(builder())
    }

    fn built(builder: GoogleCloudStorageBuilder) -> Option<Self> {
        Some(Self(builder.build().ok()?.credentials().clone()))
    }

    /// A token. What went wrong is not told in the words of whoever was asked: they may hold what was sent (I18).
    pub(crate) async fn token(&self) -> Option<Secret> {
        let credential = self.0.get_credential().await.ok()?;
        (!credential.bearer.is_empty()).then(|| Secret::new(credential.bearer.clone()))
    }
}

/// A bucket is named because the builder wants one; none is asked for anything.
fn builder() -> GoogleCloudStorageBuilder {
    let retries = RetryConfig { max_retries: 1, retry_timeout: Duration::from_secs(5), ..RetryConfig::default() };
    let patience = ClientOptions::new()
        .with_user_agent(http::HeaderValue::from_static(USER_AGENT))
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(10));
    GoogleCloudStorageBuilder::new().with_bucket_name("none").with_retry(retries).with_client_options(patience)
}

/// Somebody who was found, with a first token: the password of [`TOKEN_USER`] at Artifact Registry.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) identity: Identity,
    pub(crate) token: Secret,
}

/// The login that Google's own tools would find, in their order: the file that `GOOGLE_APPLICATION_CREDENTIALS` names, what
/// `gcloud auth application-default login` left, and the metadata server. None where there is none of them.
pub(crate) async fn login(environment: &HttpEnvironment) -> Result<Option<Login>, String> {
    for (path, is_named) in files(environment) {
        if let Some(document) = read(&path, is_named)? {
            return of_file(&path, &document).await.map(Some);
        }
    }
    if !environment.asks_machine {
        return Ok(None);
    }
    // A machine outside of Google's cloud has no such server.
    let Some(identity) = Identity::of_machine() else { return Ok(None) };
    Ok(identity.token().await.map(|token| Login { identity, token }))
}

/// Each file, and whether it was named on purpose.
fn files(environment: &HttpEnvironment) -> Vec<(PathBuf, bool)> {
    let variables = &environment.variables;
    let named = variables.path("GOOGLE_APPLICATION_CREDENTIALS").map(|path| (path, true));
    let folder =
        variables.path("CLOUDSDK_CONFIG").or_else(|| variables.path("HOME").map(|home| home.join(".config/gcloud")));
    let left = folder.map(|folder| (folder.join("application_default_credentials.json"), false));
    named.into_iter().chain(left).collect()
}

fn read(path: &Path, is_named: bool) -> Result<Option<String>, String> {
    let unreadable = |reason: String| format!("{}: {reason}", path.display());
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
        Ok(found) if !found.is_file() => return Err(unreadable("it is no file".to_owned())),
        Ok(found) if found.len() > MOST_BYTES => return Err(unreadable("it is too large for a credential".to_owned())),
        Ok(_) => {}
    }
    std::fs::read_to_string(path).map(Some).map_err(|error| unreadable(error.to_string()))
}

/// A key stays here: what leaves is what it signs.
async fn of_file(path: &Path, document: &str) -> Result<Login, String> {
    let failed = |reason: &str| format!("{}: {reason}", path.display());
    let (identity, none) = match kind_of(document).as_deref() {
        Some("service_account") => {
            (Identity::of_key(document).map_err(|reason| failed(&reason))?, "the service account's key signs no token")
        }
        Some("authorized_user") => {
            let again = "Google gives no token for it; log in again with `gcloud auth application-default login`";
            (Identity::of_login(path).ok_or_else(|| failed(again))?, again)
        }
        Some(_) => {
            return Err(failed(
                "credentials of this type are not read; set username: oauth2accesstoken and password: ${TOKEN} on the source, \
                 with what `gcloud auth print-access-token` prints",
            ));
        }
        None => return Err(failed("it holds no credentials of Google's")),
    };
    let token = identity.token().await.ok_or_else(|| failed(none))?;
    Ok(Login { identity, token })
}

/// What a document says that it is.
fn kind_of(document: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    serde_json::from_str::<Typed>(document).ok().map(|typed| typed.r#type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodpin_net::http::Variables;

    async fn found(variables: &[(&str, &Path)]) -> Result<bool, String> {
        let variables = variables.iter().map(|(name, path)| ((*name).to_owned(), path.display().to_string()));
        let environment = HttpEnvironment { variables: Variables::from_pairs(variables), ..HttpEnvironment::default() };
        login(&environment).await.map(|login| login.is_some())
    }

    #[tokio::test]
    async fn what_googles_own_tools_find_is_found_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let (named, home) = (folder.path().join("key.json"), folder.path().join("home"));
        let left = home.join(".config/gcloud/application_default_credentials.json");
        std::fs::create_dir_all(left.parent().unwrap()).unwrap();
        assert_eq!(found(&[("HOME", &home)]).await, Ok(false), "there is none, and nobody else is asked");
        // A key without its private half signs nothing, and is not handed on as a password.
        let key =
            |name: &str| format!(r#"{{"type":"service_account","client_email":"{name}","private_key":"hunter2"}}"#);
        std::fs::write(&left, key("left")).unwrap();
        let refused = found(&[("HOME", &home)]).await.unwrap_err();
        assert!(refused.contains("application_default_credentials.json") && !refused.contains("hunter2"), "{refused}");
        let both = [("HOME", &*home), ("GOOGLE_APPLICATION_CREDENTIALS", &*named)];
        let missing = found(&both).await.unwrap_err();
        assert!(missing.contains("key.json"), "what was named on purpose is not passed over: {missing}");
        std::fs::write(&named, key("named")).unwrap();
        let refused = found(&both).await.unwrap_err();
        assert!(refused.contains("key.json") && !refused.contains("hunter2"), "{refused}");
        for (document, said) in [
            (r#"{"type":"external_account"}"#, "credentials of this type are not read"),
            ("{}", "it holds no credentials"),
            ("secret", "it holds no credentials"),
        ] {
            std::fs::write(&named, document).unwrap();
            let refused = found(&both).await.unwrap_err();
            assert!(refused.contains(said) && !refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_and_not_shown_i18() {
        for document in [
            "hunter2",
            r#"{"type":"authorized_user","client_secret":"hunter2"}"#,
            r#"{"type":"service_account","private_key":"hunter2","private_key_id":"1","client_email":"a@b"}"#,
        ] {
            let refused = Identity::of_key(document).unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
