//! `/acr/v1`: what is listed, what is locked, and locks.

use axum::http::header::{CONTENT_TYPE, LINK};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::world::{Manifest, Repository, Tag};
use super::{Answer, Call, Lie, Shared, held, lies, refuse};

/// What the service gives at once.
const PAGE: usize = 100;

pub(super) fn answer(shared: &Shared, call: &Call) -> Answer {
    let rest = call.path.strip_prefix("/acr/v1/").expect("a path under it");
    let (name, list, item) = parts(rest);
    let scope = format!("repository:{name}");
    let action = match (&call.method, list) {
        (&Method::PATCH, _) => "metadata_write",
        (&Method::DELETE, _) => "delete",
        _ => "metadata_read",
    };
    call.may(&scope, action)?;
    if !held(&shared.world).repositories.contains_key(name) {
        return Err(refuse(404, "NAME_UNKNOWN", "repository name not known to registry"));
    }
    match (&call.method, list, item) {
        (&Method::GET, None, None) => Ok(about(shared, name)),
        (&Method::GET, Some(list), None) => Ok(listed(shared, call, name, list)),
        (&Method::GET, Some(list), Some(item)) => one(shared, name, list, item),
        (&Method::PATCH, Some(list), Some(item)) => lock(shared, call, name, list, item),
        (&Method::DELETE, Some("_tags"), Some(item)) => untag(shared, name, item),
        _ => Err(refuse(405, "UNSUPPORTED", "the operation is unsupported")),
    }
}

/// Repository, list, and what of it.
fn parts(rest: &str) -> (&str, Option<&str>, Option<&str>) {
    for list in ["_tags", "_manifests"] {
        if let Some(name) = rest.strip_suffix(&format!("/{list}")) {
            return (name, Some(list), None);
        }
        if let Some((name, item)) = rest.split_once(&format!("/{list}/")) {
            return (name, Some(list), Some(item));
        }
    }
    (rest, None, None)
}

fn about(shared: &Shared, name: &str) -> Response {
    let world = held(&shared.world);
    let Repository { manifests, tags } = world.repository(name);
    document(&json!({
        "registry": "prodpin.azurecr.io", "imageName": name, "createdTime": "2026-01-01T00:00:00.0000000Z",
        "lastUpdateTime": world.clock, "manifestCount": manifests.len(), "tagCount": tags.len(),
        "changeableAttributes": { "deleteEnabled": true, "writeEnabled": true, "readEnabled": true, "listEnabled": true },
    }))
}

fn shown_tag(name: &str, tag: &Tag) -> Value {
    json!({
        "name": name, "digest": tag.digest.to_string(), "createdTime": tag.updated, "lastUpdateTime": tag.updated,
        "signed": false, "changeableAttributes": tag.attributes.shown(),
    })
}

fn shown_manifest(repository: &Repository, manifest: &Manifest) -> Value {
    let tags = repository.tags.iter().filter(|(_, tag)| tag.digest == manifest.digest);
    let tags: Vec<&String> = tags.map(|(name, _)| name).collect();
    json!({
        "digest": manifest.digest.to_string(), "imageSize": 4096, "createdTime": manifest.updated,
        "lastUpdateTime": manifest.updated, "mediaType": manifest.media_type, "tags": tags,
        "changeableAttributes": manifest.attributes.shown(),
    })
}

fn listed(shared: &Shared, call: &Call, name: &str, list: &str) -> Response {
    let rows: Vec<(String, Value)> = {
        let world = held(&shared.world);
        let repository = world.repository(name);
        match list {
            "_tags" => repository.tags.iter().map(|(name, tag)| (name.clone(), shown_tag(name, tag))).collect(),
            _ => {
                let rows = repository.manifests.iter();
                rows.map(|(digest, manifest)| (digest.clone(), shown_manifest(repository, manifest))).collect()
            }
        }
    };
    let most = call.query("n").and_then(|n| n.parse().ok()).unwrap_or(PAGE).min(PAGE);
    let last = call.query("last").unwrap_or_default();
    let behind = |last: &str| rows.iter().filter(|(key, _)| key.as_str() > last).cloned().collect::<Vec<_>>();
    let mut rest = behind(last);
    let number = (rows.len() - rest.len()) / PAGE + 1;
    if lies(shared, |lie| matches!(lie, Lie::SkippedPage(of, at) if *of == list && *at == number)) {
        rest = rest.into_iter().skip(most).collect();
    }
    if lies(shared, |lie| matches!(lie, Lie::EmptyPage(of, at) if *of == list && *at == number)) {
        rest.clear();
    }
    let page: Vec<(String, Value)> = rest.iter().take(most).cloned().collect();
    let shown: Vec<&Value> = page.iter().map(|(_, row)| row).collect();
    let key = list.trim_start_matches('_');
    let shown = if shown.is_empty() { Value::Null } else { json!(shown) };
    let mut answer = document(&json!({ "registry": "prodpin.azurecr.io", "imageName": name, key: shown }));
    let more = page.len() < rest.len() && !lies(shared, |lie| matches!(lie, Lie::NoLinks));
    if let Some((last, _)) = page.last().filter(|_| more) {
        let link = format!("</acr/v1/{name}/{list}?last={last}&n={most}&orderby=>; rel=\"next\"");
        answer.headers_mut().insert(LINK, HeaderValue::from_str(&link).expect("a header"));
    }
    if number == 1 && list == "_manifests" && lies(shared, |lie| matches!(lie, Lie::Vanishing)) {
        let first = held(&shared.world).repository(name).manifests.keys().next_back().cloned();
        held(&shared.world).remove(name, &first.expect("one that is left"));
    }
    answer
}

fn one(shared: &Shared, name: &str, list: &str, item: &str) -> Answer {
    let world = held(&shared.world);
    let repository = world.repository(name);
    let front = json!({ "registry": "prodpin.azurecr.io", "imageName": name });
    let with = |key: &str, shown: Value| {
        let mut front = front.clone();
        front[key] = shown;
        document(&front)
    };
    match list {
        "_tags" => repository.tags.get(item).map(|tag| with("tag", shown_tag(item, tag))),
        _ => repository.manifests.get(item).map(|manifest| with("manifest", shown_manifest(repository, manifest))),
    }
    .ok_or_else(|| not_there(list))
}

fn not_there(list: &str) -> super::Refusal {
    match list {
        "_tags" => refuse(404, "TAG_UNKNOWN", "tag is not known to registry"),
        _ => refuse(404, "MANIFEST_UNKNOWN", "manifest is not known to registry"),
    }
}

fn lock(shared: &Shared, call: &Call, name: &str, list: &str, item: &str) -> Answer {
    let forgets = lies(shared, |lie| matches!(lie, Lie::ForgetsLocks));
    let body: Value = serde_json::from_slice(&call.body).map_err(|_| refuse(400, "UNSUPPORTED", "no document"))?;
    {
        let mut world = held(&shared.world);
        let repository = world.repository_mut(name);
        let attributes = match list {
            "_tags" => repository.tags.get_mut(item).map(|tag| &mut tag.attributes),
            _ => repository.manifests.get_mut(item).map(|manifest| &mut manifest.attributes),
        };
        let attributes = attributes.ok_or_else(|| not_there(list))?;
        if !forgets {
            attributes.set(&body);
        }
    }
    one(shared, name, list, item)
}

fn untag(shared: &Shared, name: &str, tag: &str) -> Answer {
    let mut world = held(&shared.world);
    let repository = world.repository_mut(name);
    let known = repository.tags.get(tag).ok_or_else(|| not_there("_tags"))?;
    if !known.attributes.delete {
        return Err(refuse(405, "UNSUPPORTED", "the tag is locked"));
    }
    repository.tags.remove(tag);
    Ok(StatusCode::ACCEPTED.into_response())
}

fn document(body: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
}
