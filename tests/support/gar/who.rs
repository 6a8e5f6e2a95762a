//! Who is known: access tokens, service accounts by their keys, and the machine itself.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rustls::SignatureScheme;
use serde_json::{Value, json};

use super::{Call, Shared, held};

#[derive(Debug, Default)]
pub(crate) struct Callers {
    /// Access tokens that are taken.
    tokens: BTreeSet<String>,
    /// The public keys of service accounts.
    accounts: BTreeMap<String, Vec<u8>>,
    /// What the metadata server gives, if there is one.
    pub(crate) machine: Option<String>,
    /// What is taken at the registry for a password that was taken.
    sessions: BTreeSet<String>,
}

impl Callers {
    pub(super) fn with_token(token: &str) -> Self {
        Self { tokens: BTreeSet::from([token.to_owned()]), ..Self::default() }
    }

    /// A further access token.
    pub(crate) fn take(&mut self, token: &str) {
        self.tokens.insert(token.to_owned());
    }

    /// Makes a service account, and gives the document that Google would hand out for it.
    pub(crate) fn account(&mut self, email: &str) -> String {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
        self.accounts.insert(email.to_owned(), pair.public_key_raw().to_vec());
        let document = json!({
            "type": "service_account", "project_id": "acme-prod", "private_key_id": "key-1",
            "private_key": pair.serialize_pem(), "client_email": email, "client_id": "1",
            "token_uri": "https://oauth2.googleapis.com/token",
        });
        document.to_string()
    }

    /// Whether a bearer token is one of somebody who is known: what was given to them, or what a service account signed.
    pub(super) fn know(&self, token: &str) -> bool {
        self.tokens.contains(token) || self.signed(token).unwrap_or(false)
    }

    fn signed(&self, token: &str) -> Option<bool> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let read = |part: &str| serde_json::from_slice::<Value>(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (header, claims) = (read(header)?, read(claims)?);
        let key = self.accounts.get(claims["iss"].as_str()?)?;
        let is_live = claims["exp"].as_i64()? > jiff::Timestamp::now().as_second();
        let scopes = claims["scope"].as_str()?;
        let reaches = scopes.split(' ').any(|scope| scope == "https://www.googleapis.com/auth/cloud-platform");
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let is_right = header["alg"] == "RS256" && header["kid"] == "key-1" && claims["sub"] == claims["iss"];
        Some(is_live && reaches && is_right && verifies(key, message.as_bytes(), &signature))
    }

    /// What a user with a password gets at the registry.
    pub(super) fn log_in(&mut self, user: &str, password: &str) -> Option<String> {
        let by_key = |document: &str| {
            let document: Value = serde_json::from_str(document).ok()?;
            self.accounts.contains_key(document["client_email"].as_str()?).then_some(())
        };
        let known = match user {
            "oauth2accesstoken" | "_dcgcloud_token" => self.know(password).then_some(()),
            "_json_key" => by_key(password),
            "_json_key_base64" => by_key(&String::from_utf8(BASE64_STANDARD.decode(password).ok()?).ok()?),
            _ => None,
        };
        known?;
        let session = format!("session-{}", self.sessions.len() + 1);
        self.sessions.insert(session.clone());
        Some(session)
    }

    pub(super) fn has_session(&self, token: &str) -> bool {
        self.sessions.contains(token)
    }
}

fn verifies(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let schemes = provider.signature_verification_algorithms.mapping;
    let (_, algorithms) =
        schemes.iter().find(|(scheme, _)| *scheme == SignatureScheme::RSA_PKCS1_SHA256).expect("RS256");
    algorithms.iter().any(|algorithm| algorithm.verify_signature(key, message, signature).is_ok())
}

/// The machine's own token, for whoever asks as Google wants to be asked.
pub(super) fn metadata(shared: &Shared, call: &Call) -> Response {
    let is_right = call.path == "/computeMetadata/v1/instance/service-accounts/default/token"
        && call.headers.get("metadata-flavor").is_some_and(|flavor| flavor == "Google");
    let machine = held(&shared.callers).machine.clone();
    match machine.filter(|_| is_right) {
        Some(token) => {
            let body = json!({ "access_token": token, "expires_in": 3599, "token_type": "Bearer" }).to_string();
            ([(CONTENT_TYPE, "application/json")], body).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
