//! The OCI source against a registry that lies: each fault by itself, the precise gap, no credentials astray, nothing
//! written.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod absence;
mod content;
mod evidence;
mod kinds;
mod looking;
mod omissions;
mod pages;
mod pins;
mod protocol;
mod provenance;
mod server;
mod tls;
mod tokens;
mod transport;

use prodpin::model::{Cause, Gap, Scope};

/// What a gap is about and why, without its text.
fn told(gaps: &[Gap]) -> Vec<(Scope, Cause)> {
    gaps.iter().map(|gap| (gap.scope.clone(), gap.cause)).collect()
}
