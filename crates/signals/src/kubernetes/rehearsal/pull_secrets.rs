//! With what a node would ask for a pod's images: the pull Secrets that the pod names, read where the policy says so.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use serde_json::{Value, json};

use super::super::question::{Question, is_name};
use super::{Opened, is_not_found};
use prodpin_core::decide::rehearsed::may_not_read;
use prodpin_core::model::Pull;
use prodpin_policy::Secret;

/// More than any pod names.
const MOST: usize = 16;

/// The pull Secrets of a pod.
pub enum PullSecrets {
    /// The policy does not say that they are to be read.
    NotAsked,
    /// They are not known, and why.
    Unknown(String),
    /// What they hold; nothing where the pod names none.
    Read(Vec<PullSecret>),
}

/// One pull Secret.
pub struct PullSecret {
    /// Its name.
    pub name: String,
    /// What it holds: a configuration of Docker, as `config.json` is, or what was meant to be one.
    pub configuration: Secret,
}

impl PullSecrets {
    /// That nobody asked with them, and why; nothing where that was not to be done.
    #[must_use]
    pub fn unasked(&self, why: &str) -> Option<Pull> {
        match self {
            Self::NotAsked => None,
            Self::Unknown(_) | Self::Read(_) => Some(Pull::Unknown(why.to_owned())),
        }
    }
}

impl Opened {
    pub(super) async fn pull_secrets(&self, namespace: &str, spec: &Value) -> PullSecrets {
        let named = spec["imagePullSecrets"].as_array().into_iter().flatten();
        let names: Vec<&str> =
            named.filter_map(|secret| secret["name"].as_str()).filter(|name| is_name(name)).collect();
        if names.len() > MOST {
            return PullSecrets::Unknown(format!(
                "its pod names {} image pull Secrets, and no more than {MOST} are read",
                names.len()
            ));
        }
        let mut read = Vec::new();
        for name in names {
            let path = format!("/api/v1/namespaces/{namespace}/secrets/{name}");
            match self.cluster.try_out(&Question::get(&path)).await {
                Ok(body) => {
                    // A node passes over a Secret that is of another kind.
                    let configuration = configuration(&body).map(Secret::new);
                    read.extend(configuration.map(|configuration| PullSecret { name: name.to_owned(), configuration }));
                }
                // A node goes on without it.
                Err(failure) if is_not_found(&failure) => {}
                Err(failure) if failure.status == Some(StatusCode::FORBIDDEN) => {
                    return PullSecrets::Unknown(may_not_read("get", "secrets", namespace));
                }
                Err(failure) => {
                    return PullSecrets::Unknown(format!("image pull Secret {name} could not be read: {failure}"));
                }
            }
        }
        PullSecrets::Read(read)
    }
}

/// What a Secret holds of Docker's configuration; none where it is of another kind. Of the two kinds that there are, the older holds the
/// inner part alone. What is no JSON is left for whoever reads it.
fn configuration(body: &[u8]) -> Option<String> {
    let secret: Value = serde_json::from_slice(body).ok()?;
    let text = |key: &str| {
        let decoded = BASE64_STANDARD.decode(secret["data"][key].as_str()?).unwrap_or_default();
        Some(String::from_utf8_lossy(&decoded).into_owned())
    };
    text(".dockerconfigjson").or_else(|| {
        let inner = text(".dockercfg")?;
        let auths = serde_json::from_str::<Value>(&inner);
        Some(auths.map_or(inner, |auths| json!({ "auths": auths }).to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_pull_secrets_hold_one_configuration() {
        let secret = |key: &str, text: &str| json!({ "data": { key: BASE64_STANDARD.encode(text) } }).to_string();
        let auths = r#"{"r.example":{"auth":"eDp5"}}"#;
        let expected: Value = serde_json::from_str(&format!("{{\"auths\":{auths}}}")).unwrap();
        for body in [secret(".dockerconfigjson", &expected.to_string()), secret(".dockercfg", auths)] {
            let read = configuration(body.as_bytes()).expect("a configuration");
            assert_eq!(serde_json::from_str::<Value>(&read).unwrap(), expected);
        }
        for other in [secret("password", "x"), "{}".to_owned(), "<html>".to_owned()] {
            assert!(configuration(other.as_bytes()).is_none(), "{other}");
        }
        assert_eq!(configuration(secret(".dockercfg", "<").as_bytes()).as_deref(), Some("<"));
    }
}
