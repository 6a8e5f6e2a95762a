//! Who says what production runs. Tags and moving tags are judged where the repository is (`decide`); what names
//! references from outside is read here, before the repositories.

pub mod file;

use async_trait::async_trait;

use crate::model::{Evidence, Gap, Reference};

/// A source of references that run in production now.
#[async_trait]
pub trait ProductionSignal: Send + Sync {
    /// What it names now. A signal that could not be read whole says so in `gaps`; that is never "nothing runs".
    async fn collect(&self) -> Signalled;
}

/// What one signal said.
#[derive(Debug, Clone, PartialEq)]
pub struct Signalled {
    /// The signal, for a person and as the ledger's key: `file in-use.json`.
    pub via: std::sync::Arc<str>,
    /// How sure its references are.
    pub evidence: Evidence,
    /// The references it names.
    pub references: Vec<Reference>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}
