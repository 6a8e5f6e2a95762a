//! The registry protocol, through Harbor: who asks, what a tag names, what a gate keeps back. Bytes come from behind.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST, LINK, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use prodpin::model::Digest;
use serde_json::{Value, json};

use super::{Answer, Call, Shared, held, must_be_allowed, refuse};

pub(super) async fn answer(shared: &Shared, call: &Call) -> Answer {
    if call.path == "/service/token" {
        return token(call);
    }
    let Some(rest) = call.path.strip_prefix("/v2/") else { return Err(refuse(404, "NOT_FOUND", "not found")) };
    if call.who.is_none() {
        return Ok(challenge(call));
    }
    if rest.is_empty() {
        return Ok(([(CONTENT_TYPE, "application/json; charset=utf-8")], "{}").into_response());
    }
    if rest == "_catalog" {
        return Ok(challenge(call));
    }
    for part in ["/manifests/", "/tags/list", "/blobs/", "/referrers/"] {
        let Some((name, reference)) = rest.split_once(part) else { continue };
        let action = if matches!(call.method, Method::GET | Method::HEAD) { "pull" } else { "push" };
        let project = name.split('/').next();
        must_be_allowed(shared, call, "repository", action, project)?;
        return match part {
            "/manifests/" => manifest(shared, call, name, reference).await,
            "/tags/list" => tags(shared, call, name),
            _ => Ok(forward(shared, call, &call.path).await),
        };
    }
    Err(refuse(404, "NOT_FOUND", "not found"))
}

fn challenge(call: &Call) -> Response {
    let host = call.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let realm = format!("Bearer realm=\"http://{host}/service/token\",service=\"harbor-registry\"");
    let mut answer = refuse(401, "UNAUTHORIZED", "unauthorized: unauthorized").into_response();
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_str(&realm).expect("a header"));
    answer
}

/// A token that is worth as much as the password.
fn token(call: &Call) -> Answer {
    let account = call.who.as_ref().ok_or_else(|| refuse(401, "UNAUTHORIZED", "unauthorized"))?;
    let text = format!("{}:{}", account.name, account.secret);
    let token = base64::engine::general_purpose::STANDARD.encode(text);
    let body = json!({ "token": token, "access_token": "", "expires_in": 1800, "issued_at": "2026-01-02T23:27:26Z" });
    Ok(([(CONTENT_TYPE, "application/json")], body.to_string()).into_response())
}

async fn manifest(shared: &Shared, call: &Call, name: &str, reference: &str) -> Answer {
    let unknown = || refuse(404, "NOT_FOUND", format!("artifact {name}:{reference} not found"));
    if call.method == Method::PUT {
        return store(shared, call, name, reference).await;
    }
    if call.method == Method::DELETE {
        let digest: Digest = reference.parse().map_err(|_| refuse(400, "UNSUPPORTED", "unsupported digest"))?;
        return super::api::delete(shared, call, name, &digest.to_string())
            .map(|()| StatusCode::ACCEPTED.into_response());
    }
    let digest =
        held(&shared.world).find(name, reference).map(|artifact| artifact.digest.clone()).ok_or_else(unknown)?;
    if held(&shared.world).blocked.contains(&digest) {
        let message = "current image with 1 vulnerability cannot be pulled due to configured policy in 'Prevent images \
                       with vulnerability severity of \"High\" or higher from running.'";
        return match call.method {
            Method::HEAD => Ok(StatusCode::PRECONDITION_FAILED.into_response()),
            _ => Err(refuse(412, "PROJECTPOLICYVIOLATION", message)),
        };
    }
    if call.method == Method::GET {
        held(&shared.world).pulls += 1;
    }
    Ok(forward(shared, call, &format!("/v2/{name}/manifests/{digest}")).await)
}

async fn store(shared: &Shared, call: &Call, name: &str, reference: &str) -> Answer {
    let digest = Digest::sha256(&call.body);
    let tag = reference.parse::<Digest>().is_err().then_some(reference);
    {
        let world = held(&shared.world);
        let project = name.split_once('/').and_then(|(project, _)| world.projects.get(project));
        if world.read_only || project.is_some_and(|project| project.registry != 0) {
            return Err(refuse(403, "DENIED", "any modification is prohibited"));
        }
        // Whatever it names now (J41).
        if let Some(tag) = tag.filter(|tag| world.find(name, tag).is_some() && world.is_immutable(name, tag)) {
            let message = format!("Failed to process request due to '{name}:{tag}' configured as immutable.");
            return Err(refuse(412, "PRECONDITION", message));
        }
    }
    let stored = forward(shared, call, &format!("/v2/{name}/manifests/{digest}")).await;
    if stored.status() == StatusCode::CREATED {
        let document: Value = serde_json::from_slice(&call.body).expect("a manifest that was stored");
        let children = document["manifests"].as_array().into_iter().flatten();
        let children = children.filter_map(|child| child["digest"].as_str()?.parse().ok()).collect();
        let mut world = held(&shared.world);
        world.push(name, &digest, children, tag);
        world.audit.pushed(call, name, &digest, tag);
    }
    Ok(stored)
}

fn tags(shared: &Shared, call: &Call, name: &str) -> Answer {
    let world = held(&shared.world);
    let missing = || refuse(404, "NOT_FOUND", format!("repository {name} not found"));
    let artifacts = world.artifacts(name).ok_or_else(missing)?;
    let mut all: Vec<&str> =
        artifacts.iter().flat_map(|artifact| &artifact.tags).map(|(tag, _)| tag.as_str()).collect();
    all.sort_unstable();
    let after = call.query("last").unwrap_or_default();
    let most = call.query("n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
    let rest: Vec<&str> = all.into_iter().filter(|tag| *tag > after).collect();
    let page: Vec<&str> = rest.iter().copied().take(most).collect();
    let more = page.len() < rest.len();
    let body = json!({ "name": name, "tags": page }).to_string();
    let mut answer = ([(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response();
    if let Some(last) = page.last().filter(|_| more) {
        let link = format!("</v2/{name}/tags/list?last={last}&n={most}>; rel=\"next\"");
        answer.headers_mut().insert(LINK, link.parse().expect("a header"));
    }
    Ok(answer)
}

/// The same call to the registry behind.
async fn forward(shared: &Shared, call: &Call, path: &str) -> Response {
    let mut url: reqwest::Url = format!("{}{path}", shared.inner.url()).parse().expect("an address");
    url.query_pairs_mut().extend_pairs(&call.query);
    let mut headers = call.headers.clone();
    for name in ["authorization", "host", "content-length", "transfer-encoding"] {
        headers.remove(name);
    }
    let sent = shared.http.request(call.method.clone(), url).headers(headers).body(call.body.clone());
    let answer = sent.send().await.expect("the registry behind answers");
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.expect("its body");
    let mut response = (status, Body::from(body)).into_response();
    for (name, value) in &headers {
        let is_framing = matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection" | "date");
        if !is_framing || (call.method == Method::HEAD && name == "content-length") {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    response
}
