//! Locks in an Azure container registry: they are put on a pin's tag and on manifests, and never taken off (K46, K47).

use reqwest::Method;
use serde::Deserialize;

use super::{Call, Redirects};
use prodpin_core::model::{Digest, Pin, RepositoryName, Tag};

/// What `PATCH /acr/v1/…` takes. Whatever else stands in it is nothing that prodpin sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Attributes {
    delete_enabled: bool,
    write_enabled: Option<bool>,
}

/// Whether a call locks a pin's tag, or a manifest against being deleted, and does nothing else (I8). No tag but a pin's is
/// locked, and no manifest against being written: it has attributes of its own users.
pub(super) fn locks(call: &Call) -> bool {
    let is_plain = call.method == Method::PATCH && call.redirects == Redirects::None && call.url.query().is_none();
    is_plain && locks_what_it_names(call).unwrap_or(false)
}

fn locks_what_it_names(call: &Call) -> Option<bool> {
    let (_, body) = call.content.as_ref()?;
    let sent: Attributes = serde_json::from_slice(body).ok()?;
    let (front, last) = call.url.path().strip_prefix("/acr/v1/")?.rsplit_once('/')?;
    let (repository, list) = front.rsplit_once('/')?;
    let is_repository = repository.parse::<RepositoryName>().is_ok_and(|name| name.is_oci());
    let is_locked = match list {
        "_tags" => {
            Pin::read(&last.parse::<Tag>().ok()?).is_some() && !sent.delete_enabled && sent.write_enabled == Some(false)
        }
        "_manifests" => last.parse::<Digest>().is_ok() && !sent.delete_enabled && sent.write_enabled.is_none(),
        _ => false,
    };
    Some(is_repository && is_locked)
}
