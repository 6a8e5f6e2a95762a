//! The registry protocol, through GitLab: who asks, what a tag names, and what immutable tags refuse. Bytes come from behind.
#![allow(clippy::result_large_err, reason = "an answer is an answer, whichever of the two it is")]

use axum::http::header::{CONTENT_TYPE, LINK, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use prodpin::model::Digest;
use serde_json::json;

use super::world::{Role, Token};
use super::{Call, Shared, decoded, forgets_pins, held};

type Answer = Result<Response, Response>;

pub(super) async fn answer(shared: &Shared, call: &Call) -> Response {
    let mut answer = route(shared, call).await.unwrap_or_else(|refusal| refusal);
    answer.headers_mut().insert("gitlab-container-registry-version", HeaderValue::from_static("4.30.0-gitlab"));
    answer
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let body = json!({ "errors": [{ "code": code, "message": message }] });
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn route(shared: &Shared, call: &Call) -> Answer {
    let Some(rest) = call.path.strip_prefix("/v2/") else { return Err(StatusCode::NOT_FOUND.into_response()) };
    let known =
        call.sent("Bearer ").and_then(decoded).and_then(|(_, secret)| held(&shared.world).token(&secret).cloned());
    let Some(token) = known else { return Ok(challenge(shared)) };
    for part in ["/manifests/", "/tags/list", "/blobs/"] {
        let Some((name, reference)) = rest.split_once(part) else { continue };
        if !token.sees(name) {
            return Ok(challenge(shared));
        }
        return match part {
            "/manifests/" => manifest(shared, call, &token, (name, reference)).await,
            "/tags/list" => tags(shared, call, name),
            _ => Ok(shared.behind.ask(call.handed(), &call.path).await),
        };
    }
    // No catalog (C86).
    Err(refuse(404, "NOT_FOUND", "404 page not found"))
}

/// Tokens come from GitLab.
fn challenge(shared: &Shared) -> Response {
    let api = held(&shared.world).api.clone();
    let realm = format!("Bearer realm=\"http://{api}/jwt/auth\",service=\"container_registry\"");
    let mut answer = refuse(401, "UNAUTHORIZED", "authentication required");
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_str(&realm).expect("a header"));
    answer
}

/// `GET /jwt/auth` at GitLab itself.
pub(super) fn token(shared: &Shared, call: &Call) -> Response {
    let sent = call.sent("Basic ").and_then(decoded);
    let known = sent.filter(|(_, secret)| held(&shared.world).token(secret).is_some_and(|token| token.registry));
    let Some((user, secret)) = known else {
        return refuse(403, "DENIED", "access forbidden");
    };
    let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{secret}"));
    ([(CONTENT_TYPE, "application/json")], json!({ "token": token }).to_string()).into_response()
}

async fn manifest(shared: &Shared, call: &Call, token: &Token, (name, reference): (&str, &str)) -> Answer {
    match call.method {
        Method::PUT => store(shared, call, token, (name, reference)).await,
        Method::GET | Method::HEAD => {
            let digest = {
                let world = held(&shared.world);
                if !world.repositories.contains_key(name) {
                    return Err(refuse(404, "NAME_UNKNOWN", "repository name not known to registry"));
                }
                world.find(name, reference)
            };
            let digest = digest.ok_or_else(|| refuse(404, "MANIFEST_UNKNOWN", "manifest unknown"))?;
            Ok(shared.behind.ask(call.handed(), &format!("/v2/{name}/manifests/{digest}")).await)
        }
        Method::DELETE => {
            let mut world = held(&shared.world);
            // Any rule is enough for a digest; a tag must match one.
            let is_digest = reference.parse::<Digest>().is_ok();
            let rules = immutable(&world, name);
            if is_digest && !rules.is_empty() {
                return Err(refuse(401, "PROTECTED_MANIFEST", "manifest is protected"));
            }
            if rules.iter().any(|rule| covers(rule, reference)) {
                return Err(refuse(400, "IMMUTABLE_TAG", "tag is immutable"));
            }
            if is_digest {
                world.delete(name, reference)
            } else {
                world.delete_tag(name, reference)
            }
            Ok(StatusCode::ACCEPTED.into_response())
        }
        _ => Err(refuse(405, "UNSUPPORTED", "The operation is unsupported.")),
    }
}

/// The immutable tag rules of the project that a repository is in.
fn immutable(world: &super::World, name: &str) -> Vec<String> {
    let project = world.repositories.get(name).and_then(|repository| world.projects.get(&repository.project));
    project.map(|project| project.immutable.clone()).unwrap_or_default()
}

/// Of expressions tests have letters alone, with or without an anchor in front.
fn covers(rule: &str, tag: &str) -> bool {
    rule.strip_prefix('^').map_or_else(|| tag.contains(rule), |letters| tag.starts_with(letters))
}

async fn store(shared: &Shared, call: &Call, token: &Token, (name, reference): (&str, &str)) -> Answer {
    if token.role < Role::Developer {
        return Err(refuse(403, "DENIED", "requested access to the resource is denied"));
    }
    let digest = Digest::sha256(&call.body);
    let tag = reference.parse::<Digest>().is_err().then_some(reference);
    if let Some(tag) = tag {
        let world = held(&shared.world);
        // Made once, and never moved.
        if immutable(&world, name).iter().any(|rule| covers(rule, tag)) && world.find(name, tag).is_some() {
            return Err(refuse(400, "IMMUTABLE_TAG", "tag is immutable"));
        }
    }
    let tag = tag.filter(|tag| !(forgets_pins(shared) && tag.starts_with("prod-pinned-")));
    let stored = shared.behind.ask(call.handed(), &format!("/v2/{name}/manifests/{digest}")).await;
    if stored.status() == StatusCode::CREATED {
        held(&shared.world).push(name, &digest, tag);
    }
    Ok(stored)
}

fn tags(shared: &Shared, call: &Call, name: &str) -> Answer {
    let world = held(&shared.world);
    let unknown = || refuse(404, "NAME_UNKNOWN", "repository name not known to registry");
    let repository = world.repositories.get(name).ok_or_else(unknown)?;
    let after = call.query("last").unwrap_or_default();
    let most = call.query("n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX).min(1000);
    let rest: Vec<&String> = repository.tags.keys().filter(|tag| tag.as_str() > after).collect();
    let page: Vec<&String> = rest.iter().copied().take(most).collect();
    let body = json!({ "name": name, "tags": page }).to_string();
    let mut answer = ([(CONTENT_TYPE, "application/json")], body).into_response();
    if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
        let link = format!("</v2/{name}/tags/list?last={last}&n={most}>; rel=\"next\"");
        answer.headers_mut().insert(LINK, link.parse().expect("a header"));
    }
    Ok(answer)
}
