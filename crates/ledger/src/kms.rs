//! A signing key that never leaves AWS KMS.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::DisplayErrorContext;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};

use prodpin_net::aws::{self, NamesItself};

/// Longer than KMS ever takes; a commit must not wait for ever for its signature.
const PATIENCE: Duration = Duration::from_secs(30);

/// How an Ed25519 public key begins in DER (RFC 8410).
const DER_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// One key of AWS KMS.
pub(super) struct KmsKey {
    client: Client,
    /// As the policy has it.
    name: String,
    public: VerifyingKey,
}

impl KmsKey {
    /// Asks KMS for the public half.
    pub(super) async fn open(name: &str) -> Result<Self, String> {
        let timeouts = TimeoutConfig::builder().operation_timeout(PATIENCE).build();
        let chain = aws::loader(None, None).timeout_config(timeouts).load().await;
        let client = Client::from_conf(aws_sdk_kms::config::Builder::from(&chain).interceptor(NamesItself).build());
        let answer = client.get_public_key().key_id(name).send().await;
        let answer =
            answer.map_err(|error| refusal("kms:GetPublicKey", name, &DisplayErrorContext(&error).to_string()))?;
        let der = answer.public_key().map(Blob::as_ref).unwrap_or_default();
        let bytes = der.strip_prefix(&DER_PREFIX[..]).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let public = bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok()).ok_or_else(|| {
            format!(
                "the KMS key {name} is no Ed25519 key, the only kind that signed notes know: create one with \
                 key spec ECC_NIST_EDWARDS25519 and usage SIGN_VERIFY"
            )
        })?;
        Ok(Self { client, name: name.to_owned(), public })
    }

    pub(super) fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs a checkpoint's body, which is always shorter than the 4096 bytes that KMS takes.
    pub(super) async fn sign(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        let request = self.client.sign().key_id(&self.name).message(Blob::new(text));
        let request = request.message_type(MessageType::Raw).signing_algorithm(SigningAlgorithmSpec::Ed25519Sha512);
        let answer = request.send().await;
        let answer =
            answer.map_err(|error| refusal("kms:Sign", &self.name, &DisplayErrorContext(&error).to_string()))?;
        let bytes = answer.signature().map(|blob| blob.as_ref().to_vec()).unwrap_or_default();
        // An alias that now points at another key would put a signature into the log that nobody can check.
        let holds = Signature::from_slice(&bytes).is_ok_and(|signature| self.public.verify(text, &signature).is_ok());
        if holds { Ok(bytes) } else { Err(format!("KMS signed with another key than {} named at first", self.name)) }
    }
}

fn refusal(call: &str, name: &str, error: &str) -> String {
    let error: String = error.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    format!("{call} on {name} failed: {error}")
}
