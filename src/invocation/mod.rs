//! The Lambda function without the Lambda: an event in, a run, an answer out. `src/bin/bootstrap.rs` only adds the
//! runtime's protocol.
//!
//! ```text
//! event ─► Delivery ─► Trigger ─► what to look at (all, a part, the repositories named) ─► run ─► alerts ─► Answer
//! ```
//!
//! An event is a hint where to look and never what to believe: it may come twice, late, out of order or not at all
//! (A41, B80, G149). What is true is read from the registry, so a second event finds what the first one recorded and
//! changes nothing (I13).

mod answer;
mod cover;
mod delivery;
mod event;
mod function;

pub use answer::{Answer, Reply, RunSummary};
pub use cover::{Wanted, wanted};
pub use delivery::{Delivery, ItemFailure, RejectedMessage};
pub use event::{EventSubject, Manual, Trigger, UnknownEvent};
pub use function::{Function, FunctionError, InvocationError, carry_out, time_left};
