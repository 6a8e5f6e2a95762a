//! When `watch` drills, whence, and how much it reads.

use prodpin_core::model::DrilledFrom;
use prodpin_core::outcome::size;
use prodpin_core::schedule::Schedule;
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Checker;
use super::raw::RawPolicy;
use super::spanned::Spanned;

/// When drills are due, and how much they read.
#[derive(Debug, Clone)]
pub struct DrillPolicy {
    /// When.
    pub schedule: Schedule,
    /// Whence the bytes are read.
    pub from: DrilledFrom,
    /// No more bytes than this are read in one drill.
    pub max_bytes: Option<u64>,
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
}

impl Checker<'_> {
    pub(super) fn drill(&self, policy: &RawPolicy) -> Option<DrillPolicy> {
        let (span, raw) = policy.drill.read()?;
        if raw.schedule.span().is_none() {
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
        let schedule = self.schedule(&raw.schedule, &policy.time_zone)?;
        Some(DrillPolicy { schedule, from, max_bytes })
    }
}
