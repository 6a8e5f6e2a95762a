//! Harbor's tag retention and immutability rules (D and J in `docs/field-guide.md`): what a run over one repository does, as
//! Harbor's own code does it, in 2.15.2 and on its main branch.
//!
//! - `policy` reads the documents; `failure` says why a run fails.
//! - [`launch`] finds the rules that take a repository; `selector`, `doublestar` and `untagged` say which artifacts a rule
//!   looks at; `template` what it retains of them, by `times`; `order` and `ties` what is so only by the order among equals.
//! - [`Job`] joins the rules; `removal` carries out what is left, where `immutability` has a say.
//! - [`Rules`] are a repository's; `fate` and [`threats`] ask them for the time to come, `schedule` for the date; `dry_run` is what
//!   Harbor's own would say; `pins` and
//!   [`recommend`] are about pins, `terraform` writes what is recommended; `replication` about copies to and from other registries.

mod doublestar;
mod dry_run;
mod failure;
mod fate;
mod immutability;
mod job;
mod launch;
mod lock;
mod order;
mod pins;
mod policy;
mod recommend;
mod removal;
mod replication;
mod rules;
mod schedule;
mod selector;
mod template;
mod terraform;
mod threats;
mod ties;
mod times;
mod untagged;

#[cfg(test)]
mod tests;

pub use doublestar::{PatternError, matches as doublestar_matches};
pub use dry_run::dry_run;
pub use failure::Failure;
pub use immutability::NestedNames;
pub use job::{Job, Outcome, Run};
pub use launch::{Launch, launch};
pub use lock::{Lock, lock};
pub use pins::{is_pinned, with_pins, without, without_pins};
pub use policy::{ImmutableRule, RetentionPolicy, RetentionRule, Scope, ScopeSelectors, SelectorText, Trigger};
pub use recommend::{Holding, a_pin, holding, recommend};
pub use removal::{Table, Verdict};
pub use rules::{Rules, any_counts};
pub use selector::matches;
pub use threats::{Ground, threats, threats_by_rule};
pub use times::{NEVER, Times};
