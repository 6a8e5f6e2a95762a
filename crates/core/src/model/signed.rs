//! What came of verifying the signatures of a rollback target with keys that were given.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Digest;

/// What came of the signatures of one target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignatureCheck {
    /// The keys by which a signature of exactly this target verified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<String>,
    /// Signatures that none of the keys verified, or that say nothing of this target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unverified: Vec<UnverifiedSignature>,
    /// How many more of them there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
    /// What could not be read, where something could not: there may be other signatures then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
}

/// A signature that proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnverifiedSignature {
    /// The manifest that holds it.
    #[schemars(with = "String")]
    pub manifest: Digest,
    /// Why it proves nothing.
    pub why: String,
}

/// The same in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureVerdict {
    /// A signature of exactly this target verified by one of the keys.
    Verified,
    /// There are signatures, and none of them verified by any of the keys.
    NotVerified,
    /// There is no signature.
    None,
    /// No signature verified, and not all could be read.
    Unknown,
}

/// So many signatures that prove nothing are named.
const NAMED: usize = 5;

impl SignatureCheck {
    /// Not everything could be read.
    #[must_use]
    pub fn unread(why: impl Into<String>) -> Self {
        Self { unread: Some(why.into()), ..Self::default() }
    }

    /// Notes a signature that proves nothing.
    pub fn note(&mut self, manifest: &Digest, why: impl Into<String>) {
        match self.unverified.len() < NAMED {
            true => self.unverified.push(UnverifiedSignature { manifest: manifest.clone(), why: why.into() }),
            false => self.more += 1,
        }
    }

    /// Notes that a key verified a signature.
    pub fn verified_by(&mut self, key: &str) {
        if !self.verified.iter().any(|known| known == key) {
            self.verified.push(key.to_owned());
        }
    }

    /// What it comes to. A signature that proves nothing takes nothing from one that verifies: others may have signed too.
    #[must_use]
    pub fn verdict(&self) -> SignatureVerdict {
        match (self.verified.is_empty(), &self.unread, self.unverified.is_empty()) {
            (false, ..) => SignatureVerdict::Verified,
            (true, Some(_), _) => SignatureVerdict::Unknown,
            (true, None, false) => SignatureVerdict::NotVerified,
            (true, None, true) => SignatureVerdict::None,
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_signature_that_verified_makes_a_target_verified() {
        let manifest = Digest::sha256(b"signature");
        let mut check = SignatureCheck::default();
        assert_eq!(check.verdict(), SignatureVerdict::None);
        (0..9).for_each(|_| check.note(&manifest, "by another key"));
        assert_eq!((check.unverified.len(), check.more, check.verdict()), (5, 4, SignatureVerdict::NotVerified));
        check.unread = Some("HTTP status 500".to_owned());
        assert_eq!(check.verdict(), SignatureVerdict::Unknown);
        check.verified_by("release.pub");
        check.verified_by("release.pub");
        assert_eq!((check.verified.len(), check.verdict()), (1, SignatureVerdict::Verified));
        assert_eq!(SignatureCheck::unread("HTTP status 500").verdict(), SignatureVerdict::Unknown);
    }
}
