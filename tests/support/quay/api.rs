//! The API v1, as far as prodpin asks for it, and the call that restores a tag.

use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Call, Lie, Row, Shared, TOKEN, answer as say, held, lies, protocol};

pub(super) async fn answer(shared: &Shared, call: &Call) -> Response {
    if call.path == "/config" {
        return config(shared);
    }
    // Neither robot accounts nor users with passwords are taken (K54b).
    if call.authorization() != Some(&format!("Bearer {TOKEN}")) {
        return error(401, "invalid_token", "Requires authentication");
    }
    let path = call.path.trim_start_matches("/api/v1/");
    if path == "user/" || path == "user/autoprunepolicy/" {
        return of_user(shared, path);
    }
    if let Some(rest) = path.strip_prefix("organization/") {
        return match rest.split_once('/') {
            Some((name, "autoprunepolicy/")) => policies(shared, name, "org:admin"),
            Some((_, "immutabilitypolicy/")) => immutability(shared, true, "org:admin"),
            Some((_, "proxycache")) => cache(shared),
            _ => missing(),
        };
    }
    let Some(rest) = path.strip_prefix("repository/") else { return missing() };
    if let Some(name) = rest.strip_suffix("/autoprunepolicy/") {
        return policies(shared, name, "repo:admin");
    }
    if rest.ends_with("/immutabilitypolicy/") {
        return immutability(shared, false, "repo:admin");
    }
    if !may(shared, &["repo:read", "repo:write", "repo:admin"]) {
        return unauthorized();
    }
    match rest.split_once("/tag/") {
        Some((name, "")) => list(shared, call, name),
        Some((name, tag)) if call.method == Method::PUT => change(shared, call, name, tag),
        Some((name, tag)) if call.method == Method::POST => restore(shared, call, name, tag).await,
        Some(_) => missing(),
        None => view(shared, rest),
    }
}

fn error(status: u16, kind: &str, message: &str) -> Response {
    let body =
        json!({ "detail": message, "error_message": message, "error_type": kind, "title": kind, "status": status });
    say(status, &body)
}

fn missing() -> Response {
    error(404, "not_found", "Not Found")
}

/// What is not there, and what is not allowed, are one answer (K54b).
fn unauthorized() -> Response {
    error(403, "insufficient_scope", "Unauthorized")
}

fn may(shared: &Shared, any: &[&str]) -> bool {
    held(&shared.world).scopes.iter().any(|scope| any.contains(scope))
}

fn config(shared: &Shared) -> Response {
    let world = held(&shared.world);
    let config = json!({
        "DEFAULT_NAMESPACE_AUTOPRUNE_POLICY": world.default_policy,
        "FEATURE_AUTO_PRUNE": world.auto_prune,
        "FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE": world.can_expire,
        "TAG_EXPIRATION_OPTIONS": ["0s", "1d", "1w", "2w", "4w"],
    });
    let features = json!({ "AUTO_PRUNE": world.auto_prune, "IMMUTABLE_TAGS": world.immutable_tags, "PROXY_CACHE": world.upstream.is_some() });
    say(200, &json!({ "config": config, "features": features, "registry_state": "normal" }))
}

fn of_user(shared: &Shared, path: &str) -> Response {
    let user = held(&shared.world).user.unwrap_or("owner");
    match path {
        "user/" => say(200, &json!({ "anonymous": false, "username": user, "organizations": [] })),
        _ => policies(shared, user, "user:admin"),
    }
}

fn policies(shared: &Shared, of: &str, scope: &str) -> Response {
    if !held(&shared.world).auto_prune {
        return (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/html; charset=utf-8")], "<html>").into_response();
    }
    if !may(shared, &[scope]) {
        return unauthorized();
    }
    let policies: Vec<Value> = held(&shared.world).policies.get(of).into_iter().flatten().cloned().collect();
    say(200, &json!({ "policies": policies }))
}

/// All of them are the namespace's.
fn immutability(shared: &Shared, of_namespace: bool, scope: &str) -> Response {
    if !held(&shared.world).immutable_tags {
        return (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/html; charset=utf-8")], "<html>").into_response();
    }
    if !may(shared, &[scope]) {
        return unauthorized();
    }
    let policy = |pattern: &'static str| json!({ "uuid": "u", "tagPattern": pattern, "tagPatternMatches": true });
    let policies: Vec<Value> =
        held(&shared.world).immutability.filter(|_| of_namespace).into_iter().map(policy).collect();
    say(200, &json!({ "policies": policies }))
}

fn cache(shared: &Shared) -> Response {
    if !may(shared, &["org:admin"]) {
        return unauthorized();
    }
    match held(&shared.world).upstream {
        Some(upstream) if !upstream.is_empty() => {
            say(200, &json!({ "upstream_registry": upstream, "expiration_s": 86_400, "insecure": false }))
        }
        _ => say(200, &json!({ "upstream_registry": "", "expiration_s": "", "insecure": "" })),
    }
}

fn view(shared: &Shared, name: &str) -> Response {
    let world = held(&shared.world);
    if !world.rows.contains_key(name) {
        return missing();
    }
    let (namespace, short) = name.split_once('/').expect("a repository has its namespace in front");
    let writes = ["repo:write", "repo:admin"].iter().any(|scope| world.scopes.contains(scope));
    say(
        200,
        &json!({
            "namespace": namespace, "name": short, "kind": "image", "description": null, "is_public": false,
            "is_organization": world.user.is_none(), "tag_expiration_s": 1_209_600, "state": world.state,
            "can_write": writes, "can_admin": world.scopes.contains(&"repo:admin"),
        }),
    )
}

fn list(shared: &Shared, call: &Call, name: &str) -> Response {
    let world = held(&shared.world);
    let Some(rows) = world.rows.get(name) else { return missing() };
    let limit: usize = call.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(50).clamp(1, 100);
    let asked: usize = call.query("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1);
    let is_lost = lies(shared, |lie| matches!(lie, Lie::LostPage(lost) if *lost == asked));
    let is_skipped = lies(shared, |lie| matches!(lie, Lie::SkippedPage(skipped) if *skipped <= asked));
    let is_endless = lies(shared, |lie| matches!(lie, Lie::Endless));
    let page = if is_skipped { asked + 1 } else { asked };
    let is_asked = |row: &&Row| {
        call.query("specificTag").is_none_or(|tag| row.name == tag)
            && (call.query("onlyActiveTags") != Some("true") || row.is_alive())
    };
    // What began last comes first, and of one second what was made last.
    let mut all: Vec<&Row> = rows.iter().rev().filter(is_asked).collect();
    all.sort_by_key(|row| std::cmp::Reverse(row.start));
    let from = if is_endless { 0 } else { (page - 1) * limit };
    let shown = all.iter().skip(from).take(limit).filter(|_| !is_lost);
    let shown: Vec<Value> = shown
        .map(|row| {
            let mut shown = json!({
                "name": row.name, "reversion": false, "start_ts": row.start, "manifest_digest": row.digest,
                "is_manifest_list": false, "size": 6,
            });
            if let Some(end) = row.end {
                shown["end_ts"] = json!(end);
            }
            if world.immutable_tags {
                shown["immutable"] = json!(row.immutable);
            }
            shown
        })
        .collect();
    let more = is_endless || (page * limit < all.len() && !is_lost);
    say(200, &json!({ "tags": shown, "page": asked, "has_additional": more }))
}

/// Expiry, then immutability, without a transaction (K52b).
fn change(shared: &Shared, call: &Call, name: &str, tag: &str) -> Response {
    let forgets = lies(shared, |lie| matches!(lie, Lie::ForgetsLocks));
    if !may(shared, &["repo:write", "repo:admin"]) {
        return unauthorized();
    }
    let mut world = held(&shared.world);
    if world.state != "NORMAL" {
        return say(503, &json!({ "message": "Repository is in read only or mirror mode: 1" }));
    }
    let has_feature = world.immutable_tags && !forgets;
    let body: Value = serde_json::from_slice(&call.body).expect("what prodpin sends");
    let row = world.rows.get_mut(name).and_then(|rows| rows.iter_mut().find(|row| row.name == tag && row.is_alive()));
    let Some(row) = row else { return missing() };
    if body.get("expiration").is_some_and(Value::is_null) {
        row.end = None;
    }
    if body["immutable"] == json!(true) && has_feature {
        if row.end.is_some() {
            return say(
                400,
                &json!({ "message": format!("Cannot make tag '{tag}' immutable: tag has expiration set.") }),
            );
        }
        row.immutable = true;
    }
    say(201, &json!("Updated"))
}

async fn restore(shared: &Shared, call: &Call, name: &str, tag: &str) -> Response {
    let Some(tag) = tag.strip_suffix("/restore") else { return missing() };
    if !may(shared, &["repo:write", "repo:admin"]) {
        return unauthorized();
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let Some(digest) = body["manifest_digest"].as_str() else {
        return error(400, "invalid_request", "Missing manifest_digest");
    };
    match protocol::restore(shared, name, tag, digest).await {
        true => say(200, &json!({})),
        false => missing(),
    }
}
