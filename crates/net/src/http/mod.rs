//! HTTP for sources that speak it plainly: registries, chart repositories. One hardened way to send, so that no source
//! grows a laxer one of its own.
//!
//! - `address` is the dialer's rule, `redirect` decides where a call may be sent on, `place` what a name says by itself;
//! - `client` builds what dials, `transport` is the one place that sends, `throttle` says how much at once, `handshake` why
//!   TLS failed, `retry_after` for how long a server asks to wait;
//! - `answer` and `fault` are what comes back.
//!
//! ECR, which is spoken to through the SDK, takes the limit and the faults from here.

pub mod address;
pub mod answer;
pub mod client;
pub mod environment;
pub mod fault;
mod handshake;
pub mod place;
pub mod redirect;
mod retry_after;
pub mod throttle;
pub mod transport;

pub use address::may_be_dialled;
pub use environment::{HttpEnvironment, Timing, Variables};
pub use retry_after::retry_after;
pub use throttle::Throttles;

/// How every request of ours names itself.
pub const USER_AGENT: &str = concat!("prodpin/", env!("CARGO_PKG_VERSION"));
