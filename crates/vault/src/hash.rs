//! A digest that is worked out as bytes come.

use sha2::{Digest as _, Sha256, Sha512};

use prodpin_core::model::Digest;

/// By the algorithm of the digest that is expected.
pub(super) enum Hash {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hash {
    pub(super) fn of(expected: &Digest) -> Self {
        match expected {
            Digest::Sha256(_) => Self::Sha256(Sha256::new()),
            Digest::Sha512(_) => Self::Sha512(Box::new(Sha512::new())),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    /// What all bytes so far hash to.
    pub(super) fn digest(&self) -> Digest {
        match self {
            Self::Sha256(hash) => Digest::Sha256(hash.clone().finalize().into()),
            Self::Sha512(hash) => Digest::Sha512(Box::new(hash.clone().finalize().into())),
        }
    }
}
