//! Flagger's canaries, as far as they may be read: how the analysis of a release stands.

use serde::Deserialize;

use super::list::{Kind, Namespaced};
use super::objects::{Metadata, nullable};
use prodpin_core::model::{Analysis, AnalysisOutcome, Delivery, Stage};

pub(super) const CANARIES: Kind = Kind::named("flagger.app", "v1beta1", "Canary", "canaries").optional();

/// One canary.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Canary {
    #[serde(default)]
    pub(super) metadata: Metadata,
    #[serde(default, deserialize_with = "nullable")]
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "nullable")]
    phase: String,
}

impl Namespaced for Canary {
    fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl Canary {
    /// Whether its primary is production. While it is set up and once it is taken down, its target is.
    pub(super) fn has_primary(&self) -> bool {
        !matches!(self.status.phase.as_str(), "" | "Initializing" | "Terminating" | "Terminated")
    }

    pub(super) fn delivery(&self) -> Option<Delivery> {
        let (stage, outcome) = match self.status.phase.as_str() {
            "Waiting" | "Progressing" | "WaitingPromotion" | "Promoting" | "Finalising" => {
                (Stage::Underway, AnalysisOutcome::Running)
            }
            "Failed" => (Stage::GivenUp, AnalysisOutcome::Failed),
            "Succeeded" => (Stage::Over, AnalysisOutcome::Successful),
            _ => return None,
        };
        Some(Delivery { stage, analysis: Some(Analysis { outcome, metric: None }) })
    }
}
