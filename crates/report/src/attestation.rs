//! An in-toto attestation of a run (H156): a Statement v1 about the report's body, in a DSSE envelope signed with the
//! ledger's key.
//!
//! The subject is the body as the ledger keeps it, under its hash: it names every target and finding, so the statement
//! stays small however large the estate is (I20), and nothing is attested that cannot be fetched and read.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::body::Report;
use super::context::Context;
use super::json as text;

/// What the payload of the envelope is.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What the statement says.
pub const PREDICATE_TYPE: &str = "urn:prodpin:attestation:run:v1";

/// The statement about a run, as the bytes to be signed.
pub fn statement(report: &Report) -> io::Result<Vec<u8>> {
    let body = report.body.digest()?;
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            { "name": format!("prodpin report {}", report.run.id), "digest": { "sha256": body.hex() } },
            { "name": "prodpin policy", "digest": { report.run.policy_sha256.algorithm(): report.run.policy_sha256.hex() } },
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "run": report.run,
            "summary": report.summary,
            "tool": { "name": "prodpin", "version": env!("CARGO_PKG_VERSION") },
        },
    });
    let mut bytes = Vec::new();
    text::value(&statement, &mut bytes)?;
    Ok(bytes)
}

/// What a DSSE signature is made over.
#[must_use]
pub fn pre_authentication(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The payload with a signature over its [`pre_authentication`].
#[must_use]
pub fn envelope(payload: &[u8], key_id: &str, signature: &[u8]) -> Value {
    json!({
        "payloadType": PAYLOAD_TYPE,
        "payload": STANDARD.encode(payload),
        "signatures": [{ "keyid": key_id, "sig": STANDARD.encode(signature) }],
    })
}

/// Unsigned it would be a claim that anybody can make, so without a key there is none.
pub(super) fn write(report: &Report, context: &Context<'_>, out: &mut dyn Write) -> io::Result<()> {
    let signer = context.signer.ok_or_else(|| io::Error::other("an attestation needs the ledger's signing key"))?;
    let payload = statement(report)?;
    let signature = signer.sign(&pre_authentication(&payload))?;
    text::value(&envelope(&payload, &signer.key_id(), &signature), out)?;
    out.write_all(b"\n")
}
