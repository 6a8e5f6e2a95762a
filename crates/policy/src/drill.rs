//! When `watch` drills, whence, how much it reads, and the keys that signatures are held to.

use std::path::PathBuf;

use prodpin_core::model::DrilledFrom;
use prodpin_core::outcome::size;
use prodpin_core::schedule::Schedule;
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::raw::RawPolicy;
use super::spanned::Spanned;

/// When drills are due, how much they read, and what they hold signatures to.
#[derive(Debug, Clone)]
pub struct DrillPolicy {
    /// When `watch` drills, if it does.
    pub schedule: Option<Schedule>,
    /// Whence the bytes are read.
    pub from: DrilledFrom,
    /// No more bytes than this are read in one drill.
    pub max_bytes: Option<u64>,
    /// Files with public keys: signatures of rollback targets are held to them.
    pub keys: Vec<PathBuf>,
}

/// When `watch` reads and hashes every byte of the rollback targets.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "drill")]
#[schemars(rename = "Drill", default)]
pub(super) struct RawDrill {
    /// When: as `schedule`, in the same time zone.
    pub(super) schedule: Spanned<String>,
    /// Whence: `source`, which is the default, or `vault`.
    pub(super) from: Spanned<DrilledFrom>,
    /// No more than this is read in one drill, such as `50Gi`: what was drilled longest ago comes first. Default: all.
    pub(super) max_bytes: Spanned<String>,
    /// Verifies the signatures of rollback targets, where there are any.
    pub(super) signatures: Spanned<RawSignatures>,
}

/// What signatures are held to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename = "signatures")]
#[schemars(rename = "Signatures", default, extend("required" = ["keys"]))]
pub(super) struct RawSignatures {
    /// Files with one public key each, in PEM, as `cosign public-key` writes it; relative to this file.
    pub(super) keys: Spanned<Vec<Spanned<String>>>,
}

impl Checker<'_> {
    pub(super) fn drill(&self, policy: &RawPolicy) -> Option<DrillPolicy> {
        let (span, raw) = policy.drill.read()?;
        let keys = self.signature_keys(&raw.signatures);
        if raw.schedule.span().is_none() && raw.signatures.span().is_none() {
            let fix = "add one, such as schedule: \"0 3 * * 0\"".to_owned();
            self.problems.error(span, "drill has no schedule", fix);
        }
        let from = raw.from.value().copied().unwrap_or_default();
        if from == DrilledFrom::Vault && policy.vault.span().is_none() {
            let at = raw.from.span().unwrap_or(span);
            self.problems.error(at, "there is no vault to drill", "name one: vault: s3://bucket/prefix".to_owned());
        }
        let max_bytes = raw.max_bytes.read().and_then(|(span, text)| {
            size::read(text)
                .map_err(|reason| self.problems.error(span, self.reported(&raw.max_bytes, reason), None))
                .ok()
        });
        let schedule = self.schedule(&raw.schedule, &policy.time_zone);
        Some(DrillPolicy { schedule, from, max_bytes, keys })
    }

    fn signature_keys(&self, signatures: &Spanned<RawSignatures>) -> Vec<PathBuf> {
        let Some((span, raw)) = signatures.read() else { return Vec::new() };
        let keys: Vec<PathBuf> = raw.keys.value().into_iter().flatten().filter_map(|key| self.path(key)).collect();
        if raw.keys.value().is_none_or(Vec::is_empty) {
            let fix = "add one, such as keys: [release.pub]".to_owned();
            self.problems.error(span, "signatures has no key to hold them to", fix);
        }
        keys
    }
}
