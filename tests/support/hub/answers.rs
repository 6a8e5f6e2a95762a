//! What Docker Hub's interface and registry answer.
#![allow(clippy::result_large_err, reason = "an answer is an answer, whichever of the two it is")]

use axum::http::header::{CONTENT_TYPE, LINK, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use prodpin::model::Digest;
use serde_json::{Value, json};

use super::{Call, Lie, Shared, held};

type Answer = Result<Response, Response>;

fn document(body: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn said(status: u16, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, document(&json!({ "message": message, "errinfo": {} }))).into_response()
}

pub(super) fn of_api(shared: &Shared, call: &Call) -> Response {
    if let Some(lie) = lied(shared, call) {
        return lie;
    }
    api(shared, call).unwrap_or_else(|refusal| refusal)
}

fn lied(shared: &Shared, call: &Call) -> Option<Response> {
    held(&shared.lies).iter_mut().find_map(|lie| match lie {
        Lie::Answer(text, status, message) if call.path.contains(*text) => Some(said(*status, message)),
        Lie::TooMany(left) if *left > 0 => {
            *left -= 1;
            let mut answer = said(429, "Too Many Requests");
            answer.headers_mut().insert("retry-after", "1700000000".parse().expect("a header"));
            Some(answer)
        }
        Lie::LostPage(end, page) if call.path.ends_with(*end) && call.query("page") == Some(&page.to_string()) => {
            Some(document(&json!({ "count": 0, "next": null, "previous": null, "results": [] })))
        }
        _ => None,
    })
}

fn api(shared: &Shared, call: &Call) -> Answer {
    let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    if (&call.method, &parts[..]) == (&Method::POST, &["v2", "auth", "token"][..]) {
        return log_in(shared, call);
    }
    let is_known = match call.sent("Bearer ") {
        None => false,
        Some(token) if held(&shared.world).tokens.contains(token) => true,
        Some(_) => return Err(said(401, "unauthorized")),
    };
    let world = held(&shared.world);
    match (&call.method, &parts[..]) {
        (&Method::GET, ["v2", "namespaces", namespace, "repositories"]) => {
            let front = format!("{namespace}/");
            let shown = world.repositories.iter().filter(|(_, repository)| repository.is_public || is_known);
            let rows = shown
                .filter_map(|(name, _)| Some(json!({ "name": name.strip_prefix(&front)?, "namespace": namespace })));
            Ok(page(call, rows.collect()))
        }
        (&Method::GET, ["v2", "namespaces", namespace, "repositories", name, rest @ ..]) => {
            let found = world.repositories.get(&format!("{namespace}/{name}"));
            let found = found
                .filter(|repository| repository.is_public || is_known)
                .ok_or_else(|| said(404, "object not found"))?;
            match rest {
                [] => {
                    let (is_on, rules) =
                        found.immutable.clone().map_or((false, vec![".*".to_owned()]), |rules| (true, rules));
                    let settings = json!({ "enabled": is_on, "rules": rules });
                    Ok(document(&json!({ "name": name, "namespace": namespace, "immutable_tags_settings": settings })))
                }
                ["tags"] => {
                    let mut tags: Vec<_> = found.tags.iter().collect();
                    tags.sort_by_key(|(_, (_, pushed))| std::cmp::Reverse(*pushed));
                    let rows = tags.into_iter().map(|(tag, (digest, pushed))| {
                        json!({ "name": tag, "digest": digest.to_string(), "tag_last_pushed": pushed.to_string(), "tag_status": "active" })
                    });
                    Ok(page(call, rows.collect()))
                }
                _ => Err(said(404, "object not found")),
            }
        }
        _ => Err(said(404, "object not found")),
    }
}

fn log_in(shared: &Shared, call: &Call) -> Answer {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let (user, secret) = (body["identifier"].as_str().unwrap_or_default(), body["secret"].as_str().unwrap_or_default());
    let mut world = held(&shared.world);
    if world.users.get(user).is_none_or(|known| known != secret) {
        return Err(said(401, "incorrect authentication credentials"));
    }
    world.logins += 1;
    let token = format!("login-{}", world.logins);
    world.tokens.insert(token.clone());
    Ok(document(&json!({ "access_token": token })))
}

fn page(call: &Call, rows: Vec<Value>) -> Response {
    let number = |name: &str, usual: usize| call.query(name).and_then(|number| number.parse().ok()).unwrap_or(usual);
    let (page, size, total) = (number("page", 1), number("page_size", 10).clamp(1, 100), rows.len());
    let shown: Vec<Value> = rows.into_iter().skip((page - 1) * size).take(size).collect();
    let next =
        (page * size < total).then(|| format!("http://{}{}?page={}&page_size={size}", call.host, call.path, page + 1));
    document(&json!({ "count": total, "next": next, "previous": null, "results": shown }))
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, document(&json!({ "errors": [{ "code": code, "message": message }] }))).into_response()
}

pub(super) async fn of_registry(shared: &Shared, call: &Call) -> Response {
    registry(shared, call).await.unwrap_or_else(|refusal| refusal)
}

async fn registry(shared: &Shared, call: &Call) -> Answer {
    if call.path == "/token" {
        return token(shared, call);
    }
    let Some(rest) = call.path.strip_prefix("/v2/") else { return Err(StatusCode::NOT_FOUND.into_response()) };
    if call.sent("Bearer ").is_none() {
        return Err(challenge(call));
    }
    for part in ["/manifests/", "/tags/list", "/blobs/", "/referrers/"] {
        let Some((name, reference)) = rest.split_once(part) else { continue };
        return match part {
            "/manifests/" => manifest(shared, call, name, reference).await,
            "/tags/list" => tags(shared, call, name),
            _ => Ok(shared.behind.ask(call.handed(), &call.path).await),
        };
    }
    Err(refuse(401, "UNAUTHORIZED", "authentication required"))
}

fn challenge(call: &Call) -> Response {
    let realm = format!("Bearer realm=\"http://{}/token\",service=\"registry.docker.io\"", call.host);
    let mut answer = refuse(401, "UNAUTHORIZED", "authentication required");
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_str(&realm).expect("a header"));
    answer
}

/// User and password, or nobody.
fn token(shared: &Shared, call: &Call) -> Answer {
    let Some(sent) = call.sent("Basic ") else { return Ok(document(&json!({ "token": "nobody", "expires_in": 300 }))) };
    let text = base64::engine::general_purpose::STANDARD.decode(sent).unwrap_or_default();
    let text = String::from_utf8(text).unwrap_or_default();
    let (user, secret) = text.split_once(':').unwrap_or_default();
    match held(&shared.world).users.get(user) {
        Some(known) if known == secret => Ok(document(&json!({ "token": "somebody", "expires_in": 300 }))),
        _ => Err(said(401, "incorrect username or password")),
    }
}

async fn manifest(shared: &Shared, call: &Call, name: &str, reference: &str) -> Answer {
    match call.method {
        Method::PUT => return store(shared, call, name, reference).await,
        Method::GET | Method::HEAD => {}
        _ => return Err(refuse(405, "UNSUPPORTED", "The operation is unsupported.")),
    }
    let digest = {
        let mut world = held(&shared.world);
        if !world.repositories.contains_key(name) {
            return Err(refuse(404, "NAME_UNKNOWN", "repository name not known to registry"));
        }
        let found = world.find(name, reference).ok_or_else(|| refuse(404, "MANIFEST_UNKNOWN", "manifest unknown"))?;
        // What names nothing is no pull.
        world.pulls += usize::from(call.method == Method::GET);
        found
    };
    Ok(shared.behind.ask(call.handed(), &format!("/v2/{name}/manifests/{digest}")).await)
}

async fn store(shared: &Shared, call: &Call, name: &str, reference: &str) -> Answer {
    let digest = Digest::sha256(&call.body);
    let tag = reference.parse::<Digest>().is_err().then_some(reference);
    let is_immutable = |tag: &&str| {
        let world = held(&shared.world);
        let repository = world.repositories.get(name);
        repository.is_some_and(|repository| {
            let rules = repository.immutable.iter().flatten();
            let mut covering = rules.filter(|rule| tag.starts_with(rule.trim_end_matches(".*")));
            repository.tags.contains_key(*tag) && covering.next().is_some()
        })
    };
    if tag.filter(is_immutable).is_some() {
        return Err(refuse(400, "TAG_INVALID", "tag is immutable"));
    }
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
    let most = call.query("n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX).min(100);
    let rest: Vec<&str> = repository.tags.keys().map(String::as_str).filter(|tag| *tag > after).collect();
    let page: Vec<&str> = rest.iter().copied().take(most).collect();
    let mut answer = document(&json!({ "name": name, "tags": page }));
    if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
        let link = format!("</v2/{name}/tags/list?last={last}&n={most}>; rel=\"next\"");
        answer.headers_mut().insert(LINK, link.parse().expect("a header"));
    }
    Ok(answer)
}
