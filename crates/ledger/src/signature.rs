//! C2SP signed notes: whose signatures stand on a checkpoint, and whether they hold.
//!
//! Ed25519 only: it is the one algorithm that signed-note defines for logs.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use signed_note::{Note, NoteError, Signature, StandardVerifier, Verifier as _, VerifierList};

/// A verifier key as signed-note writes it, `NAME+ID+KEY`. The name is the log's origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey(String);

impl VerifierKey {
    /// Reads one, and checks that its parts belong together.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let read = StandardVerifier::new(text).ok()?;
        // The library takes an id in capital letters, too; one key has one spelling here.
        let spelled = format!("{}+{:08x}+", read.name(), read.key_id());
        text.starts_with(&spelled).then(|| Self(text.to_owned()))
    }

    /// The verifier key of this public key under a log's name.
    pub(super) fn new(name: &str, key: &VerifyingKey) -> Self {
        let bytes = [&[ALGORITHM_ED25519][..], key.as_bytes()].concat();
        Self(format!("{name}+{:08x}+{}", signed_note::key_id(name, &bytes), STANDARD.encode(&bytes)))
    }

    /// The log's origin.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split('+').next().unwrap_or_default()
    }

    /// The short name by which messages and people tell keys apart.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.split('+').nth(1).unwrap_or_default()
    }

    fn number(&self) -> u32 {
        u32::from_str_radix(self.id(), 16).unwrap_or_default()
    }

    /// Whether this public key is the one named here, under whatever name.
    pub(super) fn is(&self, key: &VerifyingKey) -> bool {
        *self == Self::new(self.name(), key)
    }

    /// A signature's line on a note.
    pub(super) fn line(&self, signature: &[u8]) -> Vec<u8> {
        let signature = Signature::new(self.name().to_owned(), self.number(), signature.to_vec());
        signature.map(|signature| signature.to_bytes()).unwrap_or_default()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const ALGORITHM_ED25519: u8 = 1;
const ED25519_SIGNATURE: usize = 64;

/// What is signed: everything up to the blank line before the signatures, or all of it.
pub(super) fn body(bytes: &[u8]) -> &[u8] {
    match bytes.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => &bytes[..=end],
        None => bytes,
    }
}

/// Whether a whole signature of this key stands on the note, valid or not.
pub(super) fn stands(bytes: &[u8], key: &VerifierKey) -> bool {
    let Ok(note) = Note::from_bytes(bytes) else { return false };
    // The library splits a note at its last blank line and a checkpoint has only one.
    note.text() == body(bytes)
        && signatures(bytes).any(|signature| {
            signature.name() == key.name()
                && signature.id() == key.number()
                && signature.signature().len() == ED25519_SIGNATURE
        })
}

/// The signatures on a note, of whomever.
pub(super) fn signatures(bytes: &[u8]) -> impl Iterator<Item = Signature> {
    let lines = bytes.get(body(bytes).len() + 1..).unwrap_or_default();
    lines.split(|byte| *byte == b'\n').filter_map(|line| Signature::from_bytes(line).ok())
}

/// Why a note does not count as signed by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unproven {
    /// There is no signature by that key.
    Missing,
    /// There is one, and it is not over this text.
    Invalid,
}

/// Whether this key has signed the note. Signatures of others are left alone.
pub(super) fn check(bytes: &[u8], key: &VerifierKey) -> Result<(), Unproven> {
    let (Ok(note), Ok(verifier)) = (Note::from_bytes(bytes), StandardVerifier::new(&key.0)) else {
        return Err(Unproven::Missing);
    };
    match note.verify(&VerifierList::new(vec![Box::new(verifier)])) {
        Ok(_) if note.text() == body(bytes) => Ok(()),
        Ok(_) | Err(NoteError::InvalidSignature { .. }) => Err(Unproven::Invalid),
        Err(_) => Err(Unproven::Missing),
    }
}
