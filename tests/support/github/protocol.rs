//! The registry protocol, through GitHub: who asks, and what a tag names. Bytes come from behind.
#![allow(clippy::result_large_err, reason = "an answer is an answer, whichever of the two it is")]

use axum::http::header::{CONTENT_TYPE, LINK, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use prodpin::model::Digest;
use serde_json::json;

use super::{Call, Shared, decoded, forgets_pins, held};

type Answer = Result<Response, Response>;

pub(super) async fn answer(shared: &Shared, call: &Call) -> Response {
    route(shared, call).await.unwrap_or_else(|refusal| refusal)
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let body = json!({ "errors": [{ "code": code, "message": message }] });
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn route(shared: &Shared, call: &Call) -> Answer {
    if call.path == "/token" {
        return token(shared, call);
    }
    let Some(rest) = call.path.strip_prefix("/v2/") else { return Err(StatusCode::NOT_FOUND.into_response()) };
    let known = call.sent("Bearer ").and_then(decoded);
    let Some((_, secret)) = known else { return Ok(challenge(call)) };
    if held(&shared.world).token(&secret).is_none() {
        return Ok(challenge(call));
    }
    for part in ["/manifests/", "/tags/list", "/blobs/"] {
        let Some((name, reference)) = rest.split_once(part) else { continue };
        return match part {
            "/manifests/" => manifest(shared, call, name, reference).await,
            "/tags/list" => tags(shared, call, name),
            _ => Ok(shared.behind.ask(call.handed(), &call.path).await),
        };
    }
    // No catalog, and no referrers (C86, C100).
    Err((StatusCode::NOT_FOUND, "404 page not found").into_response())
}

fn challenge(call: &Call) -> Response {
    let host = &call.host;
    let realm =
        format!("Bearer realm=\"http://{host}/token\",service=\"ghcr.io\",scope=\"repository:user/image:pull\"");
    let mut answer = refuse(401, "UNAUTHORIZED", "authentication required");
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_str(&realm).expect("a header"));
    answer
}

fn token(shared: &Shared, call: &Call) -> Answer {
    let sent = call.sent("Basic ").and_then(decoded);
    let known = sent.filter(|(_, secret)| held(&shared.world).token(secret).is_some());
    let (user, secret) = known.ok_or_else(|| refuse(403, "DENIED", "denied"))?;
    let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{secret}"));
    Ok(([(CONTENT_TYPE, "application/json")], json!({ "token": token }).to_string()).into_response())
}

async fn manifest(shared: &Shared, call: &Call, name: &str, reference: &str) -> Answer {
    match call.method {
        Method::PUT => Ok(store(shared, call, name, reference).await),
        Method::GET | Method::HEAD => {
            let digest = {
                let world = held(&shared.world);
                if !world.packages.contains_key(name) {
                    return Err(refuse(404, "NAME_UNKNOWN", "repository name not known to registry"));
                }
                world.find(name, reference).map(|version| version.digest.clone())
            };
            let digest = digest.ok_or_else(|| refuse(404, "MANIFEST_UNKNOWN", "manifest unknown"))?;
            Ok(shared.behind.ask(call.handed(), &format!("/v2/{name}/manifests/{digest}")).await)
        }
        _ => Err(refuse(405, "UNSUPPORTED", "The operation is unsupported.")),
    }
}

async fn store(shared: &Shared, call: &Call, name: &str, reference: &str) -> Response {
    let digest = Digest::sha256(&call.body);
    let tag = reference.parse::<Digest>().is_err().then_some(reference);
    let tag = tag.filter(|tag| !(forgets_pins(shared) && tag.starts_with("prod-pinned-")));
    let stored = shared.behind.ask(call.handed(), &format!("/v2/{name}/manifests/{digest}")).await;
    if stored.status() == StatusCode::CREATED {
        held(&shared.world).push(name, &digest, tag);
    }
    stored
}

fn tags(shared: &Shared, call: &Call, name: &str) -> Answer {
    let world = held(&shared.world);
    let unknown = || refuse(404, "NAME_UNKNOWN", "repository name not known to registry");
    let versions = world.versions(name).ok_or_else(unknown)?;
    let mut all: Vec<&str> = versions.flat_map(|version| &version.tags).map(String::as_str).collect();
    all.sort_unstable();
    let after = call.query("last").unwrap_or_default();
    let most = call.query("n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX).min(1000);
    let rest: Vec<&str> = all.into_iter().filter(|tag| *tag > after).collect();
    let page: Vec<&str> = rest.iter().copied().take(most).collect();
    let body = json!({ "name": name, "tags": page }).to_string();
    let mut answer = ([(CONTENT_TYPE, "application/json")], body).into_response();
    if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
        let link = format!("</v2/{name}/tags/list?last={last}&n={most}>; rel=\"next\"");
        answer.headers_mut().insert(LINK, link.parse().expect("a header"));
    }
    Ok(answer)
}
