//! What makes two findings of two reports the same one, as a name that other systems can hold on to.

use sha2::{Digest as _, Sha256};

use crate::model::{Finding, FindingKey};

/// A finding's name in every report: what it is about, never its words, its severity or its time.
#[must_use]
pub fn fingerprint(finding: &Finding) -> String {
    hex(&digest(finding, None))
}

/// A finding's name together with when it began: one that was resolved and came back is another one.
#[must_use]
pub fn occurrence(finding: &Finding) -> String {
    let digest = digest(finding, Some(finding.first_seen.to_string()));
    // Half of it tells a million findings apart, and the ledger keeps one for each that was reported.
    hex(&digest[..16])
}

fn digest(finding: &Finding, began: Option<String>) -> [u8; 32] {
    let FindingKey { code, reference, artifact, .. } = FindingKey::from_finding(finding);
    let parts = [
        Some(code.as_str()),
        finding.source.as_ref().map(|source| source.as_str()),
        finding.repository.as_ref().map(|repository| repository.as_str()),
        reference.as_deref(),
        artifact.as_deref(),
        began.as_deref(),
    ];
    let mut hash = Sha256::new();
    for part in parts {
        // With its length in front, no text can pass for two.
        let part = part.map_or_else(|| "-".to_owned(), |part| format!("{}:{part}", part.len()));
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
