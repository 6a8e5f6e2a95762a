//! Deciding: pure, total, synchronous; the clock is an argument. The same input in any order gives the same plan.
//!
//! A repository is decided in three steps, with reading in between:
//!
//! 1. [`survey`]: what else must be read before anything can be said: tags that are known and were not listed.
//! 2. [`changes`]: what differs from what the ledger knew, as events. Folded in, they give the state that the rest
//!    decides on, so that an artifact keeps its place when its tag moves away.
//! 3. [`select`] and [`plan`]: the rollback set, then verdicts, pins to make, findings. `plan` runs again on what was
//!    read back after pinning, and that second answer is what is reported.

mod access;
pub mod attribution;
pub mod automation;
pub mod between;
pub mod bring_back;
mod called;
mod candidate;
mod changes;
mod charts;
mod cleanup;
mod closing;
mod collision;
mod commands;
mod cover;
mod database;
mod deployments;
mod doubt;
mod draft;
mod drift;
pub mod drilled;
mod evidence;
mod facts;
mod findings;
pub mod forecast;
mod harm;
mod in_use;
mod input;
pub mod kept_releases;
mod labels;
pub mod lifecycle;
mod meeting;
mod members;
mod mutability;
mod mutation;
mod named;
mod naming;
mod not_pullable;
mod order;
mod outlooks;
mod overdue;
mod parts;
mod pinning;
mod place;
mod plan;
mod platform_tags;
mod pointers;
mod protection;
mod ranking;
mod readiness;
pub mod ready;
mod refusals;
pub mod rehearsed;
pub mod release;
mod releases;
mod replication;
mod requirements;
pub mod revisions;
mod rollback_set;
mod rollout;
mod rules;
mod seen_order;
mod source;
mod spelling;
mod survives;
mod time_machine;
mod undelete;
mod unread;
pub mod vault;
mod waive;
mod wildcard;
mod window;
mod witness;
mod workloads;

pub use changes::{
    Asked, Survey, changes, count_first_sightings, first_sightings, fold, into_first_sightings, survey, take_in,
};
pub use cleanup::unreadable;
pub use closing::{Closing, LedgerFacts, ProductionFacts, RunFacts, SourceFacts, closing};
pub use cover::{owners, pin_of, pins_parts, reads_pins_of_parts};
pub use deployments::{deployments, uses};
pub use drift::{claimed, found_instead};
pub use findings::{gap_finding, next_step};
pub use input::{Attempts, Input};
pub use labels::Labels;
pub use meeting::{share_names, unlisted};
pub use overdue::{clock_skew, overdue};
pub use plan::{Plan, plan, unjudged};
pub use pointers::yield_to_pods;
pub use replication::started_by_pins;
pub use rollback_set::{Selection, select};
pub use rules::{Rules, Uses};
pub use source::{idle_rules, settings, unmatched, without_tags};
pub use waive::{expired, idle, waive};
pub use witness::{
    MissingHistory, PartialLook, UnaskedRepository, missing_history, partial_look, unasked, unlisted_source,
    unread_source,
};
pub use workloads::{concerns, uncovered};
