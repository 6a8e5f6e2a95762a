//! Which repositories an event is about, in whatever shape registries send it. Pure.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::model::{Digest, Pin, RepositoryName, Tag};

/// An event may hold this many parts (a Pub/Sub message in an envelope has two levels).
const DEPTH: usize = 3;

/// What a request with an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    /// These repositories may have changed; none, where what happened changes no tag.
    Repositories(BTreeSet<RepositoryName>),
    /// Azure Event Grid asks whether somebody listens here: the code is sent back.
    Handshake(String),
}

/// What happened, as far as it matters to whether a repository is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Pushed,
    Deleted,
}

/// One thing that happened.
struct Happened {
    action: Action,
    repository: String,
    /// Whether the sender names tags at all, and which: a push of a part of an image has none.
    tag: Option<String>,
    digest: Option<String>,
}

/// Reads a request's body. `event` is what names its kind in the headers (`Ce-Type` of a CloudEvent in binary mode, GitHub's
/// `X-GitHub-Event`). The error is for the sender.
pub(super) fn read(event: Option<&str>, body: &[u8]) -> Result<Notice, &'static str> {
    let Ok(document) = serde_json::from_slice::<Value>(body) else { return Err("the body is no JSON") };
    if let Some(code) = handshake(&document) {
        return Ok(Notice::Handshake(code));
    }
    let mut happened = Vec::new();
    if !gather(event, &document, DEPTH, &mut happened) {
        return Err("this is no event that prodpin knows; docs/running.md has a list");
    }
    let concerned = happened.into_iter().filter(|happened| !is_no_news(happened));
    Ok(Notice::Repositories(concerned.filter_map(|happened| happened.repository.parse().ok()).collect()))
}

/// Whether it changes nothing that a run would look at: a part that was pushed without a tag, or a pin that is what its
/// name says. A scheduled run that pins a thousand images causes a thousand events; they are its own.
fn is_no_news(happened: &Happened) -> bool {
    if happened.action == Action::Deleted {
        return false;
    }
    // Several senders put the digest where a tag would stand.
    let Some(tag) = happened.tag.as_deref().and_then(|tag| tag.parse::<Tag>().ok()) else { return true };
    let digest = happened.digest.as_deref().and_then(|digest| digest.parse::<Digest>().ok());
    matches!((Pin::read(&tag), digest), (Some(pin), Some(digest)) if pin.names(&digest))
}

/// Adds what a document tells; false if it is in no known shape.
fn gather(event: Option<&str>, document: &Value, depth: usize, into: &mut Vec<Happened>) -> bool {
    if depth == 0 {
        return false;
    }
    // A batch: of CloudEvents, or of Event Grid's own. One odd member costs the others nothing.
    if let Value::Array(events) = document {
        let known = events.iter().filter(|one| gather(event, one, depth - 1, into));
        return known.count() > 0;
    }
    // A CloudEvent in structured mode, or an event of Event Grid: the kind beside the data.
    let kind = text(document, "/type").or_else(|| text(document, "/eventType"));
    if let (Some(kind), Some(data)) = (&kind, document.get("data")) {
        return gather(Some(kind), data, depth - 1, into);
    }
    if let Some(encoded) = text(document, "/message/data") {
        return pubsub(&encoded, depth, into);
    }
    if let Some(events) = document.get("events").and_then(Value::as_array) {
        into.extend(events.iter().filter_map(distribution));
        return true;
    }
    let shapes = [harbor, zot, azure, github, docker_hub, quay, artifact_registry];
    match shapes.iter().find_map(|shape| shape(event.or(kind.as_deref()), document)) {
        None => false,
        Some(found) => {
            into.extend(found);
            true
        }
    }
}

/// Google's Pub/Sub pushes an envelope around the event.
fn pubsub(encoded: &str, depth: usize, into: &mut Vec<Happened>) -> bool {
    let Ok(decoded) = STANDARD.decode(encoded) else { return false };
    serde_json::from_slice(&decoded).is_ok_and(|inner| gather(None, &inner, depth - 1, into))
}

/// The code that Event Grid wants back before it sends events in its own schema.
fn handshake(document: &Value) -> Option<String> {
    let first = document.as_array()?.first()?;
    (text(first, "/eventType")? == "Microsoft.EventGrid.SubscriptionValidationEvent")
        .then(|| text(first, "/data/validationCode"))?
        .filter(|code| code.len() <= 128)
}

/// One of the events of distribution, of GitLab's registry and of others that are built on it. A pull is none.
fn distribution(event: &Value) -> Option<Happened> {
    let action = match event.get("action")?.as_str()? {
        "push" => Action::Pushed,
        "delete" => Action::Deleted,
        // A mount is of a blob, a pull changes nothing.
        _ => return None,
    };
    Some(Happened {
        action,
        repository: text(event, "/target/repository")?,
        tag: text(event, "/target/tag"),
        digest: text(event, "/target/digest"),
    })
}

/// What a sender's shape comes to: none if it is not in that shape, no happening if nothing changed.
type Shape = Option<Vec<Happened>>;

/// Harbor's webhook, and its CloudEvents, whose data is what the webhook calls `event_data`.
fn harbor(kind: Option<&str>, document: &Value) -> Shape {
    let data = document.get("event_data").unwrap_or(document);
    if let Some(retention) = data.get("retention") {
        return retained(retention);
    }
    let repository = text(data, "/repository/repo_full_name")?;
    let kind = kind?.to_ascii_lowercase();
    if kind.contains("pull") || kind.contains("scan") || kind.contains("quota") {
        return Some(Vec::new());
    }
    // Retention and replication name no digest, or only the first tag: whatever they did, the repository is looked at.
    let action = if kind.contains("push") { Action::Pushed } else { Action::Deleted };
    let resources = data.get("resources").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if resources.is_empty() {
        return Some(vec![Happened { action: Action::Deleted, repository, tag: None, digest: None }]);
    }
    let of = |resource: &Value| Happened {
        action,
        repository: repository.clone(),
        tag: text(resource, "/tag"),
        digest: text(resource, "/digest"),
    };
    Some(resources.iter().map(of).collect())
}

/// What Harbor says of a retention: once for each repository, its name without the project's, with the first of the tags.
fn retained(retention: &Value) -> Shape {
    let project = text(retention, "/project_name")?;
    let deleted = retention.get("deleted_artifact").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let of = |one: &Value| {
        let name = text(one, "/name_tag")?;
        let repository = format!("{project}/{}", name.rsplit_once(':').map_or(name.as_str(), |(name, _)| name));
        Some(Happened { action: Action::Deleted, repository, tag: None, digest: None })
    };
    Some(deleted.iter().filter_map(of).collect())
}

/// zot's CloudEvents, in binary mode: the kind is in a header.
fn zot(kind: Option<&str>, document: &Value) -> Shape {
    let what = kind?.strip_prefix("zotregistry.")?;
    let action = match what {
        "image.updated" => Action::Pushed,
        "image.deleted" => Action::Deleted,
        _ => return Some(Vec::new()),
    };
    let repository = text(document, "/name")?;
    Some(vec![Happened { action, repository, tag: text(document, "/reference"), digest: text(document, "/digest") }])
}

/// Azure's registry: its webhooks, and the data of its events by Event Grid.
fn azure(_: Option<&str>, document: &Value) -> Shape {
    let repository = text(document, "/target/repository")?;
    let action = match text(document, "/action")?.as_str() {
        "push" | "chart_push" => Action::Pushed,
        "delete" | "chart_delete" => Action::Deleted,
        _ => return Some(Vec::new()),
    };
    let (tag, digest) = (text(document, "/target/tag"), text(document, "/target/digest"));
    Some(vec![Happened { action, repository, tag, digest }])
}

/// GitHub's `registry_package`, and `package` as it was called before.
fn github(_: Option<&str>, document: &Value) -> Shape {
    let package = document.get("registry_package").or_else(|| document.get("package"))?;
    let owner = text(package, "/owner/login").or_else(|| text(package, "/namespace"))?;
    let name = text(package, "/name")?;
    let kind = text(package, "/package_type").or_else(|| text(package, "/ecosystem")).unwrap_or_default();
    if !["container", "docker"].contains(&kind.to_ascii_lowercase().as_str()) {
        return Some(Vec::new());
    }
    // A version that is updated may be any: its tags are looked up, whatever is said of them.
    let repository = format!("{owner}/{name}").to_ascii_lowercase();
    Some(vec![Happened { action: Action::Deleted, repository, tag: None, digest: None }])
}

/// Docker Hub's webhook. It asks to be called back at an address of its own choice, which nobody does here.
fn docker_hub(_: Option<&str>, document: &Value) -> Shape {
    let repository = text(document, "/repository/repo_name")?;
    document.get("push_data")?;
    let tag = text(document, "/push_data/tag");
    Some(vec![Happened { action: Action::Pushed, repository, tag, digest: None }])
}

/// Quay's push notification.
fn quay(_: Option<&str>, document: &Value) -> Shape {
    let repository = text(document, "/repository")?;
    let tags = document.get("updated_tags")?.as_array()?;
    let of = |tag: &Value| Happened {
        action: Action::Pushed,
        repository: repository.clone(),
        tag: tag.as_str().map(ToOwned::to_owned),
        digest: None,
    };
    Some(tags.iter().map(of).collect())
}

/// Google's Artifact Registry: `europe-docker.pkg.dev/project/repository/image@sha256:…`, and the tag alike.
fn artifact_registry(_: Option<&str>, document: &Value) -> Shape {
    let action = match text(document, "/action")?.as_str() {
        "INSERT" => Action::Pushed,
        "DELETE" => Action::Deleted,
        _ => return Some(Vec::new()),
    };
    let reference = text(document, "/digest").or_else(|| text(document, "/tag"))?;
    let (_, path) = reference.split_once('/')?;
    let (path, digest) = match path.split_once('@') {
        Some((path, digest)) => (path, Some(digest.to_owned())),
        None => (path, None),
    };
    let repository = path.rsplit_once(':').map_or(path, |(path, _)| path).to_owned();
    let tag = text(document, "/tag").and_then(|tag| Some(tag.rsplit_once(':')?.1.to_owned()));
    Some(vec![Happened { action, repository, tag, digest }])
}

fn text(document: &Value, pointer: &str) -> Option<String> {
    document.pointer(pointer)?.as_str().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests;
