//! Pins by Harbor's own interface: a tag is created on an artifact that is named by its digest, and no tag is moved (J39). And
//! dry runs of tag retention, which delete nothing (J35).

use reqwest::Method;
use serde::Deserialize;

use super::{Call, Redirects};
use prodpin_core::model::{Digest, Pin, Tag};

/// What `POST …/artifacts/{reference}/tags` takes. Whatever else stands in it is nothing that prodpin sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTag {
    name: String,
}

/// Whether a call creates the pin of the artifact that it names by digest, and does nothing else (I8).
pub(super) fn pins_by_name(call: &Call) -> bool {
    call.method == Method::POST && call.redirects == Redirects::None && names_its_artifact(call).unwrap_or(false)
}

fn names_its_artifact(call: &Call) -> Option<bool> {
    let digest = artifact_of(call.url.path().strip_suffix("/tags")?)?;
    let (_, body) = call.content.as_ref()?;
    let sent: NewTag = serde_json::from_slice(body).ok()?;
    let name: Tag = sent.name.parse().ok()?;
    Some(call.url.query().is_none() && Pin::read(&name)?.names(&digest))
}

/// Whether a call removes one tag of an artifact, and that is its pin: what comes after `/tags/` names the artifact before it.
pub(super) fn unpins_by_name(call: &Call) -> bool {
    let names_it = || {
        let (front, name) = call.url.path().rsplit_once('/')?;
        let digest = artifact_of(front.strip_suffix("/tags")?)?;
        Some(Pin::read(&name.parse().ok()?)?.names(&digest))
    };
    call.url.query().is_none() && names_it().unwrap_or(false)
}

/// What `POST /retentions/{id}/executions` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewExecution {
    dry_run: bool,
}

/// Whether a call asks for a dry run of a retention policy, and for nothing else: the same call without that word deletes.
pub(super) fn rehearses(call: &Call) -> bool {
    let is_bare = call.method == Method::POST && call.redirects == Redirects::None && call.url.query().is_none();
    let policy =
        call.url.path().strip_prefix("/api/v2.0/retentions/").and_then(|rest| rest.strip_suffix("/executions"));
    let is_named = policy.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()));
    let sent = call.content.as_ref().and_then(|(_, body)| serde_json::from_slice::<NewExecution>(body).ok());
    is_bare && is_named && sent.is_some_and(|sent| sent.dry_run)
}

/// The artifact, by digest, in whose place in Harbor's paths this is.
fn artifact_of(path: &str) -> Option<Digest> {
    let parts: Vec<&str> = path.strip_prefix("/api/v2.0/projects/")?.split('/').collect();
    let [_, "repositories", _, "artifacts", artifact] = parts[..] else { return None };
    artifact.parse().ok()
}
