//! What prodpin decides, apart from all that it reads and writes: no I/O crate, no clock, no environment.
//!
//! - [`model`]: what is known of registries, buckets, charts and workloads, and what the ledger remembers.
//! - [`decide`]: from what is known to what is done and said.
//! - [`outcome`]: what is said, as data: the documents of a report, a forecast and the answer to "can I roll back now?".
//! - [`schedule`]: when a run is due.

pub mod decide;
pub mod model;
pub mod outcome;
pub mod schedule;

// The tests hold what example programs answer against what was recorded.
#[cfg(test)]
extern crate self as prodpin_core;
