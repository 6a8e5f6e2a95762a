//! The OCI source against a registry that lies: each fault by itself, the precise gap, no credentials astray, nothing
//! written.

#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod absence;
mod blocked;
mod content;
mod evidence;
mod kinds;
mod looking;
mod odd;
mod omissions;
mod pages;
mod pins;
mod protocol;
mod provenance;
mod release;
mod server;
mod throttling;
mod tls;
mod tokens;
mod transport;

use prodpin::model::{Cause, Gap, Scope};
use prodpin::sources::Source;

/// What a gap is about and why, without its text.
fn reported(gaps: &[Gap]) -> Vec<(Scope, Cause)> {
    gaps.iter().map(|gap| (gap.scope.clone(), gap.cause)).collect()
}

/// A registry of so many repositories that makes one of so many requests wait for a second.
pub(crate) async fn paced(repositories: usize, every: usize) -> Source {
    let server = server::Server::start([server::Lie::ThrottleSome(every, "1")]).await;
    server.store(|store| {
        let digest = store.image("one");
        for number in 0..repositories {
            for tag in 0..3 {
                store.tag(&format!("shop/r{number}"), &format!("1.{tag}"), &digest);
            }
        }
    });
    let opening = content::Opening::at(&server).repositories(&["shop/**"]);
    // It serves for as long as the test does.
    std::mem::forget(server);
    opening.open()
}
