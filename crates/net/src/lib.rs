//! How prodpin reaches the world, within limits: one hardened way to send, one way to build a client of AWS, one budget of
//! memory, one way to ask a helper program, one way to call what may hang.

pub mod aws;
pub mod blocking;
pub mod child;
pub mod cursor;
pub mod http;
pub mod jitter;
pub mod lenient;
pub mod memory;
