//! Pins by Quay's own interface: a pin that was pushed is made immutable, and what would end it is taken off (K52b, K52c).

use reqwest::Method;

use super::{Call, Redirects};
use prodpin_core::model::{Pin, Tag};

/// Whether a call makes a pin's own tag immutable, or takes its expiry off, and does nothing else: it moves no tag, and looses
/// none (I8).
pub(super) fn holds(call: &Call) -> bool {
    let is_bare = call.method == Method::PUT && call.redirects == Redirects::None && call.url.query().is_none();
    is_bare && is_of_pin(call.url.path()) && keeps(call)
}

/// Whether the path is that of a pin in a repository.
fn is_of_pin(path: &str) -> bool {
    let parts: Option<Vec<&str>> = path.strip_prefix("/api/v1/repository/").map(|rest| rest.split('/').collect());
    let Some([namespace, repository @ .., "tag", tag]) = parts.as_deref() else { return false };
    let is_named = !namespace.is_empty() && !repository.is_empty() && repository.iter().all(|part| !part.is_empty());
    is_named && tag.parse::<Tag>().is_ok_and(|tag| Pin::read(&tag).is_some())
}

/// The two bodies that are ever sent, to the byte. Whatever else could stand in one changes more.
const BODIES: [&[u8]; 2] = [br#"{"expiration":null,"immutable":true}"#, br#"{"expiration":null}"#];

fn keeps(call: &Call) -> bool {
    call.content.as_ref().is_some_and(|(_, body)| BODIES.contains(&&body[..]))
}
