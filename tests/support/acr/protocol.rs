//! The registry protocol, through the registry: what a tag names, and what is locked. Bytes come from behind.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use prodpin::model::Digest;
use serde_json::{Value, json};

use super::{Answer, Call, Refusal, Shared, held, refuse};

pub(super) async fn answer(shared: &Shared, call: &Call) -> Answer {
    let Some(rest) = call.path.strip_prefix("/v2/") else { return Err(refuse(404, "NOT_FOUND", "not found")) };
    if rest.is_empty() {
        return match call.granted {
            Some(_) => Ok(([(CONTENT_TYPE, "application/json; charset=utf-8")], "{}").into_response()),
            None => Err(Refusal { challenge: Some(String::new()), ..refuse(401, "UNAUTHORIZED", "no") }),
        };
    }
    if rest == "_catalog" {
        call.may("registry:catalog", "*")?;
        let names = held(&shared.world).repositories.keys().cloned().collect();
        return Ok(page(call, "/v2/_catalog", names, |page| json!({ "repositories": page })));
    }
    for part in ["/manifests/", "/tags/list", "/blobs/", "/referrers/"] {
        let Some((name, reference)) = rest.split_once(part) else { continue };
        let action = match call.method {
            Method::GET | Method::HEAD => "pull",
            Method::DELETE => "delete",
            _ => "push",
        };
        call.may(&format!("repository:{name}"), action)?;
        return match part {
            "/manifests/" => manifest(shared, call, name, reference).await,
            "/tags/list" => tags(shared, call, name),
            _ => Ok(forward(shared, call, &call.path).await),
        };
    }
    Err(refuse(404, "NOT_FOUND", "not found"))
}

async fn manifest(shared: &Shared, call: &Call, name: &str, reference: &str) -> Answer {
    if call.method == Method::PUT {
        return store(shared, call, name, reference).await;
    }
    let unknown = || refuse(404, "MANIFEST_UNKNOWN", format!("manifest {reference} is not found"));
    let digest = held(&shared.world).find(name, reference).ok_or_else(unknown)?;
    if call.method == Method::DELETE {
        return delete(shared, name, &digest);
    }
    Ok(forward(shared, call, &format!("/v2/{name}/manifests/{digest}")).await)
}

/// By digest, with every tag: unless it is locked, or one of them is.
fn delete(shared: &Shared, name: &str, digest: &Digest) -> Answer {
    let mut world = held(&shared.world);
    let repository = world.repository(name);
    let is_open = repository.manifests[&digest.to_string()].attributes.delete;
    let tags = repository.tags.values().filter(|tag| tag.digest == *digest);
    if !is_open || tags.into_iter().any(|tag| !tag.attributes.delete) {
        return Err(refuse(405, "UNSUPPORTED", "the operation is disallowed on this registry, repository or image"));
    }
    world.remove(name, &digest.to_string());
    Ok(StatusCode::ACCEPTED.into_response())
}

async fn store(shared: &Shared, call: &Call, name: &str, reference: &str) -> Answer {
    let digest = Digest::sha256(&call.body);
    let tag = reference.parse::<Digest>().is_err().then_some(reference);
    {
        let world = held(&shared.world);
        let known = tag.and_then(|tag| world.repositories.get(name)?.tags.get(tag));
        if known.is_some_and(|known| !known.attributes.write) {
            return Err(refuse(
                405,
                "UNSUPPORTED",
                "the operation is disallowed on this registry, repository or image",
            ));
        }
    }
    let stored = forward(shared, call, &format!("/v2/{name}/manifests/{digest}")).await;
    if stored.status() == StatusCode::CREATED {
        let sent: Value = serde_json::from_slice(&call.body).expect("a manifest that was stored");
        let children = sent["manifests"].as_array().into_iter().flatten();
        let children = children.filter_map(|child| child["digest"].as_str()?.parse().ok()).collect();
        let kind = call.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        held(&shared.world).push(name, (&digest, kind), children, tag);
    }
    Ok(stored)
}

fn tags(shared: &Shared, call: &Call, name: &str) -> Answer {
    let missing = || refuse(404, "NAME_UNKNOWN", "repository name not known to registry");
    let tags = held(&shared.world).repositories.get(name).ok_or_else(missing)?.tags.keys().cloned().collect();
    Ok(page(call, &format!("/v2/{name}/tags/list"), tags, |page| json!({ "name": name, "tags": page })))
}

fn page(call: &Call, path: &str, all: Vec<String>, shown: impl Fn(&[String]) -> Value) -> Response {
    let after = call.query("last").unwrap_or_default();
    let most = call.query("n").and_then(|n| n.parse().ok()).unwrap_or(100);
    let rest: Vec<String> = all.into_iter().filter(|name| name.as_str() > after).collect();
    let page: Vec<String> = rest.iter().take(most).cloned().collect();
    let body = shown(&page).to_string();
    let mut answer = ([(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response();
    if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
        let link = format!("<{path}?last={last}&n={most}&orderby=>; rel=\"next\"");
        answer.headers_mut().insert(LINK, HeaderValue::from_str(&link).expect("a header"));
    }
    answer
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
