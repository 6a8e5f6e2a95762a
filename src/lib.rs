//! prodpin keeps the last five production releases of every service ready to roll back to.
//!
//! Data flows one way:
//!
//! ```text
//! policy ─► signals ─► for each repository, many at a time:
//!                        recall ─► observe ─► plan ─► pin ─► read back ─► plan again ─► record
//!           ─► commit to the ledger ─► report, alert
//! ```
//!
//! - [`model`] and [`decide`] are pure: no I/O crate, no clock, no environment.
//! - [`sources`] and [`signals`] read the world; what a run changes it changes by
//!   [`sources::Protector`]; `restore` puts back what is gone; `release` alone removes pins ([`sources::Releaser`]).
//! - [`ledger`] is the append-only record; [`report`] renders what it holds.
//! - [`alert`] tells people and programs what is news, after the commit.
//! - [`invocation`] is a run that an event asks for, in a Lambda function.
//! - [`schedule`] says when a run is due, and [`watch`] keeps to it.
//! - [`vault`] holds copies of rollback targets elsewhere, and reads targets whole for a drill.
//! - [`demo`] shows all that on a registry inside the program.
//! - [`telemetry`] pushes a run's metrics to a collector.
//! - [`schema_change`] reads the migrations of two revisions and has them judged.
//! - [`run`] is the only orchestration; [`cli`] turns arguments into a run and a run into an exit status.

pub mod alert;
pub mod cli;
pub mod demo;
mod followup;
pub mod invocation;
pub mod run;
pub mod schema_change;
pub mod telemetry;
pub mod watch;

pub use prodpin_core::{decide, model, outcome, schedule};
pub use prodpin_ledger as ledger;
pub use prodpin_policy as policy;
pub use prodpin_report as report;
pub use prodpin_signals as signals;
pub use prodpin_sources as sources;
pub use prodpin_vault as vault;
