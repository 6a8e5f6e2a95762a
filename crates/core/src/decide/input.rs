//! What one repository is decided on.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{
    ArtifactId, DatabaseRule, Deployment, Event, Gap, Inspection, Mode, PinFailure, PinTerms, RepositoryKey,
    RepositoryState, Snapshot, Tag,
};

use super::attribution::Unnamed;
use super::rollback_set::Selection;
use super::rules::Rules;

/// What came of each pin tried in this run.
pub type Attempts = BTreeMap<ArtifactId, Result<(), PinFailure>>;

/// Everything a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The repository.
    pub key: &'a RepositoryKey,
    /// How the run is meant.
    pub mode: Mode,
    /// The run's clock.
    pub now: Timestamp,
    /// What the policy asks.
    pub rules: &'a Rules,
    /// What was listed.
    pub snapshot: &'a Snapshot,
    /// What was known, with this run's events folded in.
    pub state: &'a RepositoryState,
    /// What happened since a run was last reported: those events, and what a run recorded that died before its report.
    pub events: &'a [Event],
    /// What audit trails answered about changes without naming anybody.
    pub unnamed: &'a Unnamed,
    /// Labels of tags that are no longer listed.
    pub labels: &'a BTreeMap<Tag, Box<str>>,
    /// What signals name as running here.
    pub running: &'a [Deployment],
    /// The rollback set.
    pub selection: &'a Selection,
    /// What a closer look at its artifacts showed.
    pub inspections: &'a BTreeMap<ArtifactId, Inspection>,
    /// Pins tried in this run; the inspections are from after them.
    pub attempts: &'a Attempts,
    /// What else could not be read.
    pub gaps: &'a [Gap],
    /// What the policy says about pins here.
    pub pins: PinTerms,
    /// What the policy says of databases.
    pub database: &'a [DatabaseRule],
    /// What came of putting a rule in front that claims pins; none if that was not tried. If it went well, the snapshot
    /// has the rules that were read back.
    pub claim: Option<&'a Result<(), PinFailure>>,
}
