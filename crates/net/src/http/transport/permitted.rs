//! Which calls may leave, by what they are for.

use prodpin_core::model::{Digest, Pin, Tag};
use reqwest::Method;

use super::acr::locks;
use super::harbor::{pins_by_name, rehearses, unpins_by_name};
use super::quay::holds;
use super::{Call, Purpose};
use crate::http::redirect::Redirects;

/// What a client may send beside what reads.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Powers {
    /// Whether pins may be made.
    pub(super) write: bool,
    /// Whether what a vault kept may be put back. No run may: only the command that is asked to.
    pub(super) restores: bool,
    /// Whether pins may be removed, by tag alone. No run may: only `release --apply`.
    pub(super) releases: bool,
    /// Whether dry runs may be asked for. No run may: only `forecast --confirm`.
    pub(super) rehearses: bool,
}

impl Powers {
    /// Those of a run.
    pub(super) fn of(write: bool) -> Self {
        Self { write, ..Self::default() }
    }

    /// Whether this call may leave.
    pub(super) fn permit(self, call: &Call) -> bool {
        match call.purpose {
            Purpose::Restore => self.restores && restores(call),
            Purpose::Unpin => self.releases && unpins(call),
            Purpose::Rehearse => self.rehearses && rehearses(call),
            _ => permitted(call, self.write),
        }
    }
}

/// Whether this call may leave. Reading is GET and HEAD; a token server may be sent a POST; the only write of a
/// run is a PUT of a pin, Harbor's POST of its name, a lock on it, or Quay's PUT that makes it immutable, where it may write
/// (I8, I17). What puts bytes back is asked elsewhere.
pub(super) fn permitted(call: &Call, write: bool) -> bool {
    match call.purpose {
        Purpose::Read => matches!(call.method, Method::GET | Method::HEAD) && call.content.is_none(),
        Purpose::Recognise => call.method == Method::GET && call.content.is_none(),
        Purpose::Token => matches!(call.method, Method::GET | Method::POST) && call.redirects == Redirects::None,
        Purpose::Pin => {
            let puts = call.method == Method::PUT && call.redirects == Redirects::None && names_pin(call);
            write && (puts || pins_by_name(call) || locks(call) || holds(call))
        }
        // These have gates of their own.
        Purpose::Restore | Purpose::Unpin | Purpose::Rehearse => false,
    }
}

/// Whether the call is about the manifest under a pin's tag.
fn names_pin(call: &Call) -> bool {
    let tag = call.url.path().rsplit_once('/').filter(|(front, _)| front.ends_with("/manifests"));
    tag.and_then(|(_, last)| last.parse::<Tag>().ok()).is_some_and(|tag| Pin::read(&tag).is_some())
}

/// Whether a call removes a pin's tag and nothing else: what it names is a tag of that form, and never a digest (I8, F35).
pub(super) fn unpins(call: &Call) -> bool {
    let is_bare = call.method == Method::DELETE && call.content.is_none() && call.redirects == Redirects::None;
    is_bare && (names_pin(call) || unpins_by_name(call))
}

/// Whether a call puts back bytes and nothing else: a blob's upload, a manifest under its own digest, or a manifest under a
/// tag, which whoever sends it has just looked up and found to be nobody's (I8, I27). There is no DELETE among them.
pub(super) fn restores(call: &Call) -> bool {
    if call.redirects != Redirects::None {
        return false;
    }
    let path = call.url.path();
    let is_upload = path.contains("/blobs/upload");
    match (call.method.as_str(), &call.content) {
        ("POST", Some((_, bytes))) => path.ends_with("/blobs/uploads/") && bytes.is_empty(),
        ("PATCH", Some(_)) => is_upload,
        ("PUT", Some(_)) if is_upload => true,
        ("PUT", Some((_, bytes))) => {
            let Some((front, last)) = path.rsplit_once('/') else { return false };
            let last = last.replace("%3A", ":");
            front.ends_with("/manifests")
                && match last.parse::<Digest>() {
                    Ok(digest) => digest.matches(bytes),
                    Err(_) => last.parse::<Tag>().is_ok_and(|tag| tag.is_oci() && Pin::read(&tag).is_none()),
                }
        }
        _ => false,
    }
}
