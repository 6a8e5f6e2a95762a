//! The registry protocol, through the registry: what a tag names, and what is immutable. Bytes come from behind.
#![allow(clippy::result_large_err, reason = "an answer is an answer, whichever of the two it is")]

use axum::http::header::{CONTENT_TYPE, LINK, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prodpin::model::{Digest, Pin, Tag};
use serde_json::{Value, json};

use super::world::split;
use super::{Call, Lie, Shared, held};

type Answer = Result<Response, Response>;

fn document(body: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, document(&json!({ "errors": [{ "code": code, "message": message }] }))).into_response()
}

pub(super) async fn answer(shared: &Shared, call: &Call) -> Response {
    registry(shared, call).await.unwrap_or_else(|refusal| refusal)
}

async fn registry(shared: &Shared, call: &Call) -> Answer {
    if call.path == "/v2/token" {
        return token(shared, call);
    }
    let Some(rest) = call.path.strip_prefix("/v2/") else { return Err(StatusCode::NOT_FOUND.into_response()) };
    let session = call.sent("Bearer ").is_some_and(|token| held(&shared.callers).has_session(token));
    if !session {
        return Err(challenge(call));
    }
    if rest.is_empty() {
        return Ok(document(&json!({})));
    }
    for part in ["/manifests/", "/tags/list", "/blobs/", "/referrers/"] {
        let Some((name, reference)) = rest.split_once(part) else { continue };
        let shelf = split(name).map(|(shelf, _)| shelf).unwrap_or_default();
        if held(&shared.world).shelves.get(&shelf).is_some_and(|shelf| !shelf.is_shown) {
            let message = "Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource";
            return Err(refuse(403, "DENIED", message));
        }
        return match part {
            "/manifests/" => manifest(shared, call, name, reference).await,
            "/tags/list" => tags(shared, call, name),
            _ => Ok(shared.behind.ask(call.handed(), &call.path).await),
        };
    }
    Err(refuse(404, "NAME_UNKNOWN", "Requested entity was not found."))
}

fn challenge(call: &Call) -> Response {
    let realm = format!("Bearer realm=\"http://{}/v2/token\",service=\"{}\"", call.host, call.host);
    let mut answer = refuse(401, "UNAUTHORIZED", "authentication failed");
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_str(&realm).expect("a header"));
    answer
}

/// User and password; strangers get nothing.
fn token(shared: &Shared, call: &Call) -> Answer {
    let text = BASE64_STANDARD.decode(call.sent("Basic ").unwrap_or_default()).unwrap_or_default();
    let text = String::from_utf8(text).unwrap_or_default();
    let (user, password) = text.split_once(':').unwrap_or_default();
    match held(&shared.callers).log_in(user, password) {
        Some(session) => Ok(document(&json!({ "token": session, "expires_in": 3600 }))),
        None => Err(refuse(403, "DENIED", "Unauthenticated request. Unauthenticated requests do not have permission")),
    }
}

async fn manifest(shared: &Shared, call: &Call, name: &str, reference: &str) -> Answer {
    match call.method {
        Method::PUT => return store(shared, call, name, reference).await,
        Method::DELETE => return delete(shared, name, reference),
        _ => {}
    }
    let digest = {
        let world = held(&shared.world);
        if world.image(name).is_none() {
            return Err(refuse(404, "NAME_UNKNOWN", "Repository not found"));
        }
        let unknown = || refuse(404, "MANIFEST_UNKNOWN", &format!("Failed to fetch \"{reference}\""));
        world.find(name, reference).ok_or_else(unknown)?
    };
    Ok(shared.behind.ask(call.handed(), &format!("/v2/{name}/manifests/{digest}")).await)
}

/// A tag alone, or a version that no tag names and no index lists.
fn delete(shared: &Shared, name: &str, reference: &str) -> Answer {
    let mut world = held(&shared.world);
    let found = world.find(name, reference).ok_or_else(|| refuse(404, "MANIFEST_UNKNOWN", "manifest unknown"))?;
    let immutable = split(name).is_some_and(|(shelf, _)| world.shelf(&shelf).immutable);
    let image = world.image_mut(name);
    if reference.parse::<Digest>().is_err() {
        if immutable {
            return Err(refuse(400, "TAG_INVALID", "The repository has enabled tag immutability"));
        }
        image.tags.remove(reference);
        return Ok(StatusCode::ACCEPTED.into_response());
    }
    if image.tags.values().any(|named| *named == found) {
        return Err(refuse(400, "GOOGLE_MANIFEST_DANGLING_TAG", "Manifest is still referenced by tag"));
    }
    if image.versions.values().any(|version| version.children.contains(&found)) {
        return Err(refuse(400, "GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE", "Manifest is still referenced by a parent"));
    }
    world.remove(name, reference);
    Ok(StatusCode::ACCEPTED.into_response())
}

async fn store(shared: &Shared, call: &Call, name: &str, reference: &str) -> Answer {
    let digest = Digest::sha256(&call.body);
    let tag = reference.parse::<Digest>().is_err().then_some(reference);
    let shelf = split(name).map(|(shelf, _)| shelf);
    let shelf = shelf.ok_or_else(|| refuse(400, "NAME_INVALID", "an image has a project and a repository in front"))?;
    {
        let mut world = held(&shared.world);
        let is_standard = world.shelf(&shelf).mode == "STANDARD_REPOSITORY";
        if !is_standard {
            return Err(refuse(400, "UNSUPPORTED", "cannot push to this repository"));
        }
        let immutable = world.shelf(&shelf).immutable;
        let moves = |tag: &str| world.find(name, tag).is_some_and(|named| named != digest);
        if immutable && tag.is_some_and(moves) {
            let message = "cannot update tag. The repository has enabled tag immutability";
            return Err(refuse(400, "MANIFEST_INVALID", message));
        }
    }
    let stored = shared.behind.ask(call.handed(), &format!("/v2/{name}/manifests/{digest}")).await;
    let is_pin = tag.and_then(|tag| tag.parse::<Tag>().ok()).is_some_and(|tag| Pin::read(&tag).is_some());
    let forgets = is_pin && held(&shared.lies).iter().any(|lie| matches!(lie, Lie::ForgetsPins));
    if stored.status() == StatusCode::CREATED && !forgets {
        let sent: Value = serde_json::from_slice(&call.body).expect("a manifest that was stored");
        let children = sent["manifests"].as_array().into_iter().flatten();
        let children = children.filter_map(|child| child["digest"].as_str()?.parse().ok()).collect();
        let kind = call.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        held(&shared.world).push(name, (&digest, kind), children, tag);
    }
    Ok(stored)
}

fn tags(shared: &Shared, call: &Call, name: &str) -> Answer {
    let world = held(&shared.world);
    let image = world.image(name).ok_or_else(|| refuse(404, "NAME_UNKNOWN", "Repository not found"))?;
    let after = call.query("last").unwrap_or_default();
    let most = call.query("n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX).min(world.most_rows);
    let rest: Vec<&str> = image.tags.keys().map(String::as_str).filter(|tag| *tag > after).collect();
    let page: Vec<&str> = rest.iter().copied().take(most).collect();
    let mut answer = document(&json!({ "name": name, "tags": page }));
    if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
        let link = format!("</v2/{name}/tags/list?last={last}&n={most}>; rel=\"next\"");
        answer.headers_mut().insert(LINK, link.parse().expect("a header"));
    }
    Ok(answer)
}
