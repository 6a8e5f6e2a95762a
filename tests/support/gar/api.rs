//! `artifactregistry/v1`, as far as it is asked.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::world::{Image, Shelf, Version};
use super::{Call, LOCATION, Lie, Shared, held};

fn document(body: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json; charset=UTF-8")], body.to_string()).into_response()
}

/// An error as `google.rpc.Status`.
fn refuse(status: u16, code: &str, message: &str) -> Response {
    let body = json!({ "error": {
        "code": status, "message": message, "status": code,
        "details": [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "R", "domain": "googleapis.com" }],
    } });
    (StatusCode::from_u16(status).expect("a status"), document(&body)).into_response()
}

pub(super) fn answer(shared: &Shared, call: &Call) -> Response {
    if let Some(lie) = lied(shared, call) {
        return lie;
    }
    let token = call.sent("Bearer ");
    match token {
        None => return refuse(401, "UNAUTHENTICATED", "Request is missing required authentication credential."),
        Some(token) if !held(&shared.callers).know(token) => {
            return refuse(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.");
        }
        Some(_) => {}
    }
    if call.method != Method::GET {
        return refuse(403, "PERMISSION_DENIED", "this stand-in changes nothing by its API");
    }
    let parts: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    match &parts[..] {
        ["v1", "projects", project, "locations", LOCATION, "repositories"] => repositories(shared, call, project),
        ["v1", "projects", project, "locations", LOCATION, "repositories", name, rest @ ..] => {
            let world = held(&shared.world);
            let key = format!("{project}/{name}");
            let Some(shelf) = world.shelves.get(&key) else {
                return refuse(404, "NOT_FOUND", "Requested entity was not found.");
            };
            if !shelf.is_shown {
                let message = format!(
                    "Permission 'artifactregistry.repositories.get' denied on resource '//artifactregistry.googleapis.com/\
                     projects/{project}/locations/{LOCATION}/repositories/{name}' (or it may not exist)."
                );
                return refuse(403, "PERMISSION_DENIED", &message);
            }
            match rest {
                [] => document(&about(project, name, shelf)),
                ["dockerImages"] => {
                    let images = shelf.images.iter();
                    let rows = images.flat_map(|(path, image)| rows((project, name, path), image)).collect();
                    drop(world);
                    page(shared, call, "dockerImages", rows)
                }
                ["packages", package, what @ ("tags" | "versions")] => {
                    let at = format!("{}/packages/{package}", place(project, name));
                    let Some(image) = shelf.images.get(&package.replace("%2F", "/")) else {
                        return refuse(404, "NOT_FOUND", "Requested entity was not found.");
                    };
                    let version = |digest: &dyn std::fmt::Display| format!("{at}/versions/{digest}");
                    let rows = match *what {
                        "tags" => {
                            let tags = image.tags.iter();
                            tags.map(
                                |(tag, named)| json!({ "name": format!("{at}/tags/{tag}"), "version": version(named) }),
                            )
                            .collect()
                        }
                        _ => {
                            let versions = image.versions.values();
                            versions
                                .map(|it| json!({ "name": version(&it.digest), "createTime": it.uploaded.to_string() }))
                                .collect()
                        }
                    };
                    drop(world);
                    page(shared, call, what, rows)
                }
                _ => refuse(404, "NOT_FOUND", "Method not found."),
            }
        }
        _ => refuse(404, "NOT_FOUND", "Method not found."),
    }
}

fn lied(shared: &Shared, call: &Call) -> Option<Response> {
    held(&shared.lies).iter_mut().find_map(|lie| match lie {
        Lie::Answer(end, status, code) if call.path.ends_with(*end) => Some(refuse(*status, code, "so it is")),
        Lie::Bare(end, status) if call.path.ends_with(*end) => {
            Some((StatusCode::from_u16(*status).expect("a status"), "no route").into_response())
        }
        Lie::Document(end, text) if call.path.ends_with(*end) => {
            Some(([(CONTENT_TYPE, "application/json; charset=UTF-8")], *text).into_response())
        }
        Lie::TooMany(left) if *left > 0 => {
            *left -= 1;
            let mut answer = refuse(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric");
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("0"));
            Some(answer)
        }
        _ => None,
    })
}

fn place(project: &str, name: &str) -> String {
    format!("projects/{project}/locations/{LOCATION}/repositories/{name}")
}

/// What has its usual value is left out.
fn about(project: &str, name: &str, shelf: &Shelf) -> Value {
    let mut about = Map::new();
    about.insert("name".to_owned(), json!(place(project, name)));
    about.insert("format".to_owned(), json!(shelf.format));
    about.insert("mode".to_owned(), json!(shelf.mode));
    about.insert("createTime".to_owned(), json!("2026-01-01T00:00:00.123456Z"));
    if shelf.policies.as_object().is_some_and(|policies| !policies.is_empty()) {
        about.insert("cleanupPolicies".to_owned(), shelf.policies.clone());
    }
    if shelf.on_trial {
        about.insert("cleanupPolicyDryRun".to_owned(), json!(true));
    }
    if shelf.immutable {
        about.insert("dockerConfig".to_owned(), json!({ "immutableTags": true }));
    }
    Value::Object(about)
}

fn repositories(shared: &Shared, call: &Call, project: &str) -> Response {
    let world = held(&shared.world);
    let of_project = world.shelves.iter().filter_map(|(key, shelf)| {
        let (front, name) = key.split_once('/')?;
        (front == project).then(|| about(project, name, shelf))
    });
    let rows: Vec<Value> = of_project.collect();
    drop(world);
    page(shared, call, "repositories", rows)
}

fn rows((project, name, path): (&str, &str, &str), image: &Image) -> Vec<Value> {
    let escaped = path.replace('/', "%2F");
    let row = |version: &Version| {
        let tags: Vec<&String> =
            image.tags.iter().filter(|(_, named)| **named == version.digest).map(|(tag, _)| tag).collect();
        let mut row = json!({
            "name": format!("{}/dockerImages/{escaped}@{}", place(project, name), version.digest),
            "uri": format!("{LOCATION}-docker.pkg.dev/{project}/{name}/{path}@{}", version.digest),
            "imageSizeBytes": "4096", "uploadTime": version.uploaded.to_string(),
            "mediaType": version.media_type, "updateTime": version.uploaded.to_string(),
        });
        if !tags.is_empty() {
            row["tags"] = json!(tags);
        }
        if !version.children.is_empty() {
            let listed = version.children.iter().map(|child| json!({ "digest": child.to_string(), "os": "linux" }));
            row["imageManifests"] = listed.collect();
        }
        row
    };
    image.versions.values().map(row).collect()
}

fn page(shared: &Shared, call: &Call, key: &str, rows: Vec<Value>) -> Response {
    let most = held(&shared.world).most_rows;
    let size = call.query("pageSize").and_then(|size| size.parse().ok()).unwrap_or(100).clamp(1, most);
    let from = call.query("pageToken").map_or(Some(0), |token| {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        String::from_utf8(bytes).ok()?.parse::<usize>().ok()
    });
    let Some(from) = from else { return refuse(400, "INVALID_ARGUMENT", "Invalid page token.") };
    let number = from / size + 1;
    let lies = |is_it: &dyn Fn(&Lie) -> bool| held(&shared.lies).iter().any(is_it);
    let mut shown: Vec<&Value> = rows.iter().skip(from).take(size).collect();
    let mut next = (from + size < rows.len()).then_some(from + size);
    if lies(&|lie| matches!(lie, Lie::Circle)) {
        next = Some(0);
    }
    if lies(&|lie| matches!(lie, Lie::LastPage(end, page) if call.path.ends_with(end) && *page == number)) {
        next = None;
    }
    if lies(&|lie| matches!(lie, Lie::EmptyPage(end, page) if call.path.ends_with(end) && *page == number)) {
        shown.clear();
    }
    let mut body = Map::new();
    if !shown.is_empty() {
        body.insert(key.to_owned(), json!(shown));
    }
    if let Some(next) = next {
        body.insert("nextPageToken".to_owned(), json!(BASE64_URL_SAFE_NO_PAD.encode(next.to_string())));
    }
    document(&Value::Object(body))
}
