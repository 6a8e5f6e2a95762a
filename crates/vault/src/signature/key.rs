//! Public keys, as `cosign generate-key-pair`, `openssl` and key services write them: PEM, and what an X.509 certificate has
//! of a key.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prodpin_core::model::Digest;

/// A key that verifies signatures.
#[derive(Debug)]
pub struct VerifyingKey {
    name: String,
    /// One for each way in which signers use such a key.
    keys: Vec<ParsedPublicKey>,
}

/// What stands before the bits of a key says what kind it is: the algorithm's identifier, in DER.
const KINDS: [(&[u8], &[&dyn VerificationAlgorithm]); 4] = [
    (
        b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
        &[&ECDSA_P256_SHA256_ASN1],
    ),
    // Signers differ in how they hash for this curve.
    (
        b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
        &[&ECDSA_P384_SHA384_ASN1, &ECDSA_P384_SHA256_ASN1],
    ),
    (b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", &[&RSA_PKCS1_2048_8192_SHA256]),
    (b"\x30\x05\x06\x03\x2b\x65\x70", &[&ED25519]),
];

/// So much of a key's fingerprint tells it from others.
const SHORT: usize = 12;

impl VerifyingKey {
    /// Reads a key. `name` is what it is called in reports; the start of its fingerprint goes with it.
    pub fn from_pem(name: &str, pem: &str) -> Result<Self, String> {
        let der = public_key(pem)?;
        let algorithms = kind(&der).ok_or(
            "it is no key of a kind that prodpin verifies with: ECDSA on P-256 or P-384, Ed25519, or RSA of 2048 bits or \
             more",
        )?;
        let parse = |algorithm: &&'static dyn VerificationAlgorithm| ParsedPublicKey::new(*algorithm, &der).ok();
        let keys: Vec<ParsedPublicKey> = algorithms.iter().filter_map(parse).collect();
        if keys.len() != algorithms.len() {
            return Err("its bytes are no key of the kind that it says".to_owned());
        }
        let fingerprint = Digest::sha256(&der);
        let name = format!("{name} (sha256:{})", &fingerprint.hex()[..SHORT]);
        Ok(Self { name, keys })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this key signed exactly these bytes.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.keys.iter().any(|key| key.verify_sig(message, signature).is_ok())
    }
}

/// The bytes of the one public key in a text.
fn public_key(pem: &str) -> Result<Vec<u8>, &'static str> {
    const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
    const END: &str = "-----END PUBLIC KEY-----";
    if pem.contains("PRIVATE KEY-----") {
        return Err("it is a private key: name the public one, and keep the private one where it is used");
    }
    let (_, rest) = pem.split_once(BEGIN).ok_or("it has no -----BEGIN PUBLIC KEY-----")?;
    let (body, after) = rest.split_once(END).ok_or("its key does not end")?;
    if after.contains(BEGIN) {
        return Err("it has several keys: give each a file of its own");
    }
    let body: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(body).map_err(|_| "its key is no Base64")
}

/// In what way signatures by a key of this kind are verified. A key is a sequence, and the first thing in it is its kind.
fn kind(der: &[u8]) -> Option<&'static [&'static dyn VerificationAlgorithm]> {
    let inside = match der {
        [0x30, 0x81, _, rest @ ..] | [0x30, 0x82, _, _, rest @ ..] => rest,
        [0x30, short, rest @ ..] if *short < 0x80 => rest,
        _ => return None,
    };
    KINDS.iter().find(|(identifier, _)| inside.starts_with(identifier)).map(|(_, algorithms)| *algorithms)
}
