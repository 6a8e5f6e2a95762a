//! Push events of registries, as hints: which repository to look at now rather than at the next time of the schedule.
//!
//! Nothing that an event says is believed. It is proven to come from the registry's own hand (`proof`), read for the names
//! of repositories (`notice`), and kept for a moment, so that many events become one run (`pending`). What that run finds
//! it finds at the registry. An event that is lost, late or forged costs nothing but a run too few or too many.

mod listener;
mod notice;
mod pending;
mod proof;

pub use listener::{Events, Listener};
pub use pending::Look;
