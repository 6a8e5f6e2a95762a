//! The API v1, as far as prodpin asks for it.

use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Call, Lie, Row, Shared, answer as say, held};

pub(super) fn answer(shared: &Shared, call: &Call) -> Response {
    if call.path == "/config" {
        return config(shared);
    }
    if !call.has_token() {
        return say(401, &json!({ "error_type": "invalid_token", "error_message": "Requires authentication" }));
    }
    let path = call.path.trim_start_matches("/api/v1/");
    if let Some(rest) = path.strip_prefix("organization/") {
        let Some(name) = rest.strip_suffix("/autoprunepolicy/") else { return missing() };
        return policies(shared, name, "org:admin");
    }
    let Some(rest) = path.strip_prefix("repository/") else { return missing() };
    if let Some(name) = rest.strip_suffix("/autoprunepolicy/") {
        return policies(shared, name, "repo:admin");
    }
    match rest.split_once("/tag/") {
        Some((name, "")) => list(shared, call, name),
        Some((name, tag)) if call.method == Method::PUT => change(shared, call, name, tag),
        Some(_) => missing(),
        None => view(shared, rest),
    }
}

fn missing() -> Response {
    say(404, &json!({ "error_type": "not_found", "error_message": "Not Found" }))
}

fn unauthorized() -> Response {
    say(403, &json!({ "error_type": "insufficient_scope", "error_message": "Unauthorized" }))
}

fn config(shared: &Shared) -> Response {
    let world = held(&shared.world);
    say(
        200,
        &json!({
            "config": { "DEFAULT_NAMESPACE_AUTOPRUNE_POLICY": world.default_policy, "FEATURE_IMMUTABLE_TAGS_CAN_EXPIRE": false },
            "features": { "AUTO_PRUNE": world.auto_prune, "IMMUTABLE_TAGS": world.immutable_tags },
            "registry_state": "normal",
        }),
    )
}

fn policies(shared: &Shared, of: &str, scope: &str) -> Response {
    let world = held(&shared.world);
    if !world.auto_prune {
        return (axum::http::StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/html; charset=utf-8")], "<html>")
            .into_response();
    }
    if !world.scopes.contains(&scope) {
        return unauthorized();
    }
    let policies: Vec<Value> = world.policies.get(of).into_iter().flatten().cloned().collect();
    say(200, &json!({ "policies": policies }))
}

fn view(shared: &Shared, name: &str) -> Response {
    let world = held(&shared.world);
    if !world.rows.contains_key(name) {
        return missing();
    }
    say(200, &json!({ "name": name, "is_organization": true, "tag_expiration_s": 1_209_600, "state": world.state }))
}

fn list(shared: &Shared, call: &Call, name: &str) -> Response {
    let world = held(&shared.world);
    let Some(rows) = world.rows.get(name) else { return missing() };
    let limit: usize = call.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(50).min(100);
    let page: usize = call.query("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1);
    let is_lost = held(&shared.lies).iter().any(|lie| matches!(lie, Lie::LostPage(lost) if *lost == page));
    let is_asked = |row: &&Row| {
        call.query("specificTag").is_none_or(|tag| row.name == tag)
            && (call.query("onlyActiveTags") != Some("true") || row.is_alive())
    };
    let all: Vec<&Row> = rows.iter().rev().filter(is_asked).collect();
    let shown = all.iter().skip((page - 1) * limit).take(limit).filter(|_| !is_lost);
    let shown: Vec<Value> = shown
        .map(|row| {
            let mut shown = json!({ "name": row.name, "manifest_digest": row.digest, "start_ts": row.start });
            if let Some(end) = row.end {
                shown["end_ts"] = json!(end);
            }
            if world.immutable_tags {
                shown["immutable"] = json!(row.immutable);
            }
            shown
        })
        .collect();
    let more = page * limit < all.len() && !is_lost;
    say(200, &json!({ "tags": shown, "page": page, "has_additional": more }))
}

/// Expiry, then immutability, without a transaction (K52b).
fn change(shared: &Shared, call: &Call, name: &str, tag: &str) -> Response {
    let forgets = held(&shared.lies).iter().any(|lie| matches!(lie, Lie::ForgetsLocks));
    let mut world = held(&shared.world);
    if !world.scopes.contains(&"repo:write") {
        return unauthorized();
    }
    if world.state != "NORMAL" {
        return say(503, &json!({ "message": "Repository is in read only or mirror mode: 1" }));
    }
    let has_feature = world.immutable_tags && !forgets;
    let body: Value = serde_json::from_slice(&call.body).expect("what prodpin sends");
    let Some(row) =
        world.rows.get_mut(name).and_then(|rows| rows.iter_mut().find(|row| row.name == tag && row.is_alive()))
    else {
        return missing();
    };
    if body.get("expiration").is_some_and(Value::is_null) {
        row.end = None;
    }
    if body["immutable"] == json!(true) && has_feature {
        if row.end.is_some() {
            return say(400, &json!({ "message": "Cannot make tag immutable: tag has expiration set." }));
        }
        row.immutable = true;
    }
    say(201, &json!("Updated"))
}
