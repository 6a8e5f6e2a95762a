//! GitHub's Packages API, as far as it is asked.
#![allow(clippy::result_large_err, reason = "an answer is an answer, whichever of the two it is")]

use axum::http::header::{CONTENT_TYPE, LINK};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::world::{Token, Version};
use super::{Call, Shared, held, is_last, said};

pub(super) fn answer(shared: &Shared, call: &Call) -> Response {
    route(shared, call).unwrap_or_else(|refusal| refusal)
}

type Answer = Result<Response, Response>;

fn route(shared: &Shared, call: &Call) -> Answer {
    let token = match call.sent("Bearer ") {
        None => None,
        Some(secret) => {
            let known = held(&shared.world).token(secret).cloned();
            Some(known.ok_or_else(|| said(401, "Bad credentials"))?)
        }
    };
    let path = call.path.trim_start_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    match (&call.method, &parts[..]) {
        (&Method::GET, ["users", login]) => account(shared, login),
        (&Method::GET, ["user"]) => match token.ok_or_else(|| said(401, "Requires authentication"))?.login {
            Some(login) => account(shared, &login),
            None => Err(said(403, "Resource not accessible by integration")),
        },
        (method, ["user", "packages", rest @ ..]) => {
            let login = token.as_ref().and_then(|token| token.login.clone()).unwrap_or_default();
            packages(shared, call, (method, token.as_ref(), &login, true), rest)
        }
        (method, [place @ ("orgs" | "users"), login, "packages", rest @ ..]) => {
            let is_org = held(&shared.world).owners.get(*login).copied();
            if is_org != Some(*place == "orgs") {
                return Err(said(404, "Not Found"));
            }
            packages(shared, call, (method, token.as_ref(), login, *place == "orgs"), rest)
        }
        _ => Err(said(404, "Not Found")),
    }
}

fn account(shared: &Shared, login: &str) -> Answer {
    let is_org = held(&shared.world).owners.get(login).copied().ok_or_else(|| said(404, "Not Found"))?;
    let kind = if is_org { "Organization" } else { "User" };
    Ok(document(&json!({ "login": login, "id": 1, "type": kind, "site_admin": false })))
}

fn packages(
    shared: &Shared,
    call: &Call,
    (method, token, owner, lists_deleted): (&Method, Option<&Token>, &str, bool),
    rest: &[&str],
) -> Answer {
    let token = token.ok_or_else(|| said(401, "Requires authentication"))?;
    if !token.packages {
        return Err(said(403, "You need at least read:packages scope to list packages."));
    }
    let not_found = || said(404, "Package not found.");
    let full = |name: &str| format!("{owner}/{}", name.replace("%2F", "/"));
    match (method, rest) {
        (&Method::GET, []) => {
            if call.query("package_type") != Some("container") {
                return Err(said(422, "package_type is missing"));
            }
            let world = held(&shared.world);
            let front = format!("{owner}/");
            let rows = world.packages.iter().enumerate().filter_map(|(id, (name, versions))| {
                let count = versions.iter().filter(|version| version.deleted.is_none()).count();
                let name = name.strip_prefix(&front)?;
                let row = json!({ "id": id + 1, "name": name, "package_type": "container", "version_count": count, "visibility": "private" });
                (count > 0).then_some(row)
            });
            page(shared, call, rows.collect())
        }
        (&Method::GET, ["container", name, "versions"]) => {
            let world = held(&shared.world);
            let versions = world.packages.get(&full(name)).ok_or_else(not_found)?;
            let deleted = match call.query("state") {
                None | Some("active") => false,
                // There is no such parameter.
                Some(_) if !lists_deleted => false,
                Some("deleted") if token.admin => true,
                Some(_) => return Err(said(403, "Must have admin rights to the package.")),
            };
            let shown = versions.iter().rev().filter(|version| version.deleted.is_some() == deleted);
            page(shared, call, shown.map(row).collect())
        }
        (&Method::POST, ["container", name, "versions", id, "restore"]) => {
            if !token.admin {
                return Err(said(403, "Must have admin rights to the package."));
            }
            let id = id.parse().map_err(|_| not_found())?;
            match held(&shared.world).restore(&full(name), id) {
                true => Ok(StatusCode::NO_CONTENT.into_response()),
                false => Err(not_found()),
            }
        }
        _ => Err(said(404, "Not Found")),
    }
}

fn row(version: &Version) -> Value {
    let mut row = json!({
        "id": version.id, "name": version.digest.to_string(),
        "created_at": version.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "updated_at": version.created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "metadata": { "package_type": "container", "container": { "tags": version.tags } },
    });
    if let Some(deleted) = version.deleted {
        row["deleted_at"] = json!(deleted.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    }
    row
}

fn document(body: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json; charset=utf-8")], body.to_string()).into_response()
}

/// One page, and where the next one is.
fn page(shared: &Shared, call: &Call, rows: Vec<Value>) -> Answer {
    let number = |name: &str, usual| call.query(name).map_or(Ok(usual), str::parse::<usize>);
    let (Ok(page), Ok(size)) = (number("page", 1), number("per_page", 30)) else { return Err(said(422, "page")) };
    let (size, total) = (size.clamp(1, 100), rows.len());
    let shown: Vec<Value> = rows.into_iter().skip((page - 1) * size).take(size).collect();
    let mut answer = document(&Value::Array(shown));
    if page * size < total && !is_last(shared, call) {
        let rest = call.query.iter().filter(|(name, _)| name != "page").map(|(name, value)| format!("{name}={value}&"));
        let rest: String = rest.collect();
        let link = format!("<http://{}{}?{rest}page={}>; rel=\"next\"", call.host, call.path, page + 1);
        answer.headers_mut().insert(LINK, link.parse().expect("a header"));
    }
    Ok(answer)
}
