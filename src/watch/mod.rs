//! What `prodpin watch` is made of: when to run next (`timetable`, pure), how it has gone so far (`status`, pure), and
//! the endpoint that tells both to probes and to Prometheus.

mod endpoint;
mod status;
mod timetable;

pub use endpoint::{Board, Endpoint};
pub use status::{Outcome, Status};
pub use timetable::{Tick, Timetable, allowance};
