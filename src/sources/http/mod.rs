//! HTTP for sources that speak it plainly: registries, chart repositories. One hardened way to send, so that no source
//! grows a laxer one of its own.
//!
//! - `address` is the dialer's rule, `redirect` decides where a call may be sent on, `place` what a name says by itself;
//! - `client` builds what dials, `wire` is the one place that sends, `throttle` says how much at once, `handshake` why
//!   TLS failed, `retry_after` for how long a server asks to wait;
//! - `answer` and `fault` are what comes back.
//!
//! ECR, which is spoken to through the SDK, takes the limit and the faults from here.

pub(in crate::sources) mod address;
pub(in crate::sources) mod answer;
pub(in crate::sources) mod client;
pub(in crate::sources) mod fault;
mod handshake;
pub(in crate::sources) mod place;
pub(in crate::sources) mod redirect;
mod retry_after;
pub(in crate::sources) mod surroundings;
pub(in crate::sources) mod throttle;
pub(in crate::sources) mod wire;

pub(crate) use address::may_be_dialled;
pub(crate) use retry_after::retry_after;
pub use surroundings::{Environment, Surroundings, Timing};
pub use throttle::Throttles;

/// How every request of ours names itself.
pub(crate) const USER_AGENT: &str = concat!("prodpin/", env!("CARGO_PKG_VERSION"));
