//! What `prodpin watch` is made of: when to run next (`timetable`, pure), how it has gone so far (`status`, pure), the
//! endpoint that tells both to probes and to Prometheus, and the events by which registries say that something changed.

mod endpoint;
mod events;
mod server;
mod status;
mod timetable;

pub use endpoint::{Board, Endpoint};
pub use events::{Events, Listener, Look};
pub use status::{Outcome, Status};
pub use timetable::{Tick, Timetable, allowance};
