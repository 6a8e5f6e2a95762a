//! Whether a pin is locked, with its manifest and all that is below it. A lock on an index alone makes its platforms prey of
//! the next purge (K47), so that a pin without one of them is none.

use futures::stream::{self, StreamExt as _};

use super::api::Api;
use super::documents::Attributes;
use prodpin_core::model::{
    AcrLocks, Cause, Digest, Gap, Inspection, Obstacle, Pin, PinState, Presence, RepositoryName, Scope, Tag,
};
use prodpin_net::http::fault::Fault;

/// Locks that are asked for at once.
const AT_ONCE: usize = 6;

/// Reads the locks of a pin that is there.
pub(super) async fn look(api: &Api, name: &RepositoryName, digest: &Digest, seen: &mut Inspection) {
    if seen.pin != PinState::Present || seen.presence != Presence::Present {
        return;
    }
    let pin = Pin::for_digest(digest);
    let scope = Scope::Artifact(seen.artifact.clone());
    let mut open: Vec<String> = Vec::new();
    let mut fault: Option<Fault> = None;
    match of_pin(api, name, digest).await {
        Ok(locks) if holds_tag(locks) => {}
        Ok(_) => open.push(format!("tag {pin}")),
        Err(unread) => fault = Some(unread),
    }
    let below = seen.parts.below.iter().map(|part| (part.digest.clone(), part.name.clone()));
    let all: Vec<(Digest, Option<Box<str>>)> = below.chain([(digest.clone(), None)]).collect();
    let asked = all.into_iter().map(|(digest, part)| async move {
        let locks = of_manifest(api, name, &digest).await;
        (digest, part, locks)
    });
    let mut asked = stream::iter(asked).buffered(AT_ONCE);
    while let Some((digest, part, locks)) = asked.next().await {
        match locks {
            Ok(locks) if holds_manifest(locks) => {}
            Ok(_) => open.push(part.map_or_else(|| format!("manifest {digest}"), |part| format!("{part} ({digest})"))),
            Err(unread) => fault = fault.or(Some(unread)),
        }
    }
    drop(asked);
    if let Some(first) = open.first() {
        let more = match open.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let detail = format!("pin {pin} is there, and not all of it is locked: {first}{more}");
        seen.obstacles.push(Obstacle::Unproven { detail });
        seen.pin = PinState::Absent;
    } else if let Some(fault) = fault {
        seen.pin = PinState::Unknown;
        seen.gaps.push(Gap::new(scope, fault.cause, fault.detail));
    }
}

/// Neither deleted nor moved.
pub(super) fn holds_tag(locks: AcrLocks) -> bool {
    locks.delete_enabled == Some(false) && locks.write_enabled == Some(false)
}

pub(super) fn holds_manifest(locks: AcrLocks) -> bool {
    locks.delete_enabled == Some(false)
}

/// The locks of a pin's tag, if that is what it names.
pub(super) async fn of_pin(api: &Api, name: &RepositoryName, digest: &Digest) -> Result<AcrLocks, Fault> {
    let pin = Pin::for_digest(digest);
    let tag: Tag = pin.to_string().parse().map_err(|_| Fault::malformed("a pin that is no tag"))?;
    let document = api.tag(name, &tag).await?;
    match *document.tag.digest == *digest.to_string() {
        true => Ok(Attributes::locks(document.tag.changeable_attributes)),
        false => Err(Fault::new(
            Cause::Malformed,
            format!(
                "the registry's own interface says that {pin} names {:.80?}, and serves other bytes",
                document.tag.digest
            ),
        )),
    }
}

pub(super) async fn of_manifest(api: &Api, name: &RepositoryName, digest: &Digest) -> Result<AcrLocks, Fault> {
    Ok(Attributes::locks(api.manifest(name, digest).await?.manifest.changeable_attributes))
}
