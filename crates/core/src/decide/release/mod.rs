//! Which pins may go: what `prodpin release` decides (I1, I2, I3, I5, I8, I22).
//!
//! - [`unneeded`] is asked in every run: which pins nothing in the rollback set needs, and what of that is put on record. The
//!   record is the evidence for the grace period; no clock of the run that releases is.
//! - [`grounds`] is the whole law about one pin, on plain facts: every reason for which it stays, none if it may go.
//! - [`decide`] gathers those facts for a repository, and puts the pins that may go in an order in which they can.
//! - [`of_target`] and its like are what a run records of pins: a removal by a `release` is never called a loss.
//! - [`loss`] says what a removal took along.
//! - [`removal`] says how pins are removed in a source, by all that is known of it; [`to_make_again`] which are made again.
//! - `permanent` says which tags may be the last on an artifact; `worse` who would fare worse under the live rules.

use jiff::SignedDuration;

mod grounds;
mod loss;
mod order;
mod permanent;
mod removal;
#[cfg(test)]
mod tests;
mod undo;
mod unneeded;
mod word;
mod worse;

pub use grounds::{EarlierRun, LastReference, PinFacts, RunFacts, grounds, vault_grounds};
pub use loss::loss;
pub use order::{Question, Verdict, decide};
pub use permanent::permanent_tags;
pub use removal::removal;
pub use undo::{NeededNow, may_still_go, to_make_again};
pub use unneeded::{every_pin, gone_by_look, needed, of_snapshot, unneeded};
pub use word::{SeenPin, calls_lost, in_doubt, leave_to_releases, of_gone, of_part, of_taken_over, of_target};

/// A run pins by what it knew to be on record for no longer than this.
pub const PINS_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// Nothing goes that is on record as needless for less than this: by then no run pins that does not know it (I26).
pub const LEAST_GRACE: SignedDuration = SignedDuration::from_hours(1);

const _: () = assert!(2 * PINS_WITHIN.as_secs() <= LEAST_GRACE.as_secs());
