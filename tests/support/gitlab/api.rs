//! GitLab's REST API, as far as it is asked.
#![allow(clippy::result_large_err, reason = "an answer is an answer, whichever of the two it is")]

use axum::http::Method;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::world::{Project, Repository, Role, Token, World};
use super::{Call, Shared, graphql, held, is_last, said};

pub(super) type Answer = Result<Response, Response>;

pub(super) fn answer(shared: &Shared, call: &Call) -> Response {
    route(shared, call).unwrap_or_else(|refusal| refusal)
}

fn route(shared: &Shared, call: &Call) -> Answer {
    let secret = call.headers.get("private-token").and_then(|token| token.to_str().ok());
    let token = match secret {
        None => return Err(said(401, "401 Unauthorized")),
        Some(secret) => held(&shared.world).token(secret).cloned().ok_or_else(|| said(401, "401 Unauthorized"))?,
    };
    if !token.api {
        let body = json!({ "error": "insufficient_scope", "error_description": "The request requires higher privileges",
            "scope": "api read_api" });
        let header = [(CONTENT_TYPE, "application/json")];
        return Err((axum::http::StatusCode::FORBIDDEN, header, body.to_string()).into_response());
    }
    if call.method != Method::GET {
        return Err(said(405, "405 Method Not Allowed"));
    }
    if call.path == "/api/graphql" {
        return graphql::answer(shared, call, &token);
    }
    let Some(path) = call.path.strip_prefix("/api/v4/") else { return Err(said(404, "404 Not Found")) };
    let parts: Vec<&str> = path.split('/').collect();
    match &parts[..] {
        ["groups", group, "registry", "repositories"] => of_group(shared, call, &token, &group.replace("%2F", "/")),
        ["projects", project, rest @ ..] => {
            let world = held(&shared.world);
            let project = shown(&world, &token, &project.replace("%2F", "/"))?;
            match rest {
                [] => Ok(document(&of_project(project, token.role))),
                ["registry", "repositories"] => {
                    may(token.role >= Role::Reporter)?;
                    let of = project.path.to_ascii_lowercase();
                    let rows = world.repositories.iter().filter(|(_, repository)| repository.project == of);
                    page(shared, call, rows.map(|(name, repository)| row(&world, name, repository)).collect())
                }
                ["registry", "protection", "tag", "rules"] if world.lists_rules => {
                    may(token.role >= Role::Maintainer)?;
                    Ok(document(&Value::Array(project.protected.clone())))
                }
                _ => Err(said(404, "404 Not Found")),
            }
        }
        _ => Err(said(404, "404 Not Found")),
    }
}

fn may(allowed: bool) -> Result<(), Response> {
    if allowed { Ok(()) } else { Err(said(403, "403 Forbidden")) }
}

/// A project, by id or path in whatever letters.
fn shown<'w>(world: &'w World, token: &Token, asked: &str) -> Result<&'w Project, Response> {
    let is_it = |project: &&Project| project.id.to_string() == asked || project.path.eq_ignore_ascii_case(asked);
    let found = world.projects.values().find(is_it).filter(|project| token.sees(&project.path.to_ascii_lowercase()));
    found.ok_or_else(|| said(404, "404 Project Not Found"))
}

fn of_project(project: &Project, role: Role) -> Value {
    let name = project.path.rsplit('/').next().unwrap_or_default();
    let mut document = json!({ "id": project.id, "name": name, "path": name, "path_with_namespace": project.path });
    if role > Role::Stranger {
        document["visibility"] = json!("private");
        document["marked_for_deletion_on"] = json!(project.marked);
        document["container_registry_access_level"] = json!("enabled");
        if let Some(policy) = &project.policy {
            document["container_expiration_policy"] = policy.clone();
        }
    }
    document
}

fn of_group(shared: &Shared, call: &Call, token: &Token, group: &str) -> Answer {
    let world = held(&shared.world);
    let below = |path: &str| path.strip_prefix(group).is_some_and(|rest| rest.starts_with('/'));
    // A group is what has projects below it.
    if !token.sees(group) || !world.projects.keys().any(|path| below(path)) || world.projects.contains_key(group) {
        return Err(said(404, "404 Group Not Found"));
    }
    may(token.role >= Role::Reporter)?;
    let rows = world.repositories.iter().filter(|(_, repository)| below(&repository.project));
    page(shared, call, rows.map(|(name, repository)| row(&world, name, repository)).collect())
}

fn row(world: &World, name: &str, repository: &Repository) -> Value {
    let id = world.projects.get(&repository.project).map(|project| project.id);
    let image = name.strip_prefix(&repository.project).unwrap_or_default().trim_start_matches('/');
    json!({
        "id": repository.id, "name": image, "path": name, "project_id": id,
        "location": format!("{}/{name}", world.registry), "created_at": "2026-01-10T13:38:57.391Z",
        "cleanup_policy_started_at": null, "status": repository.status,
    })
}

pub(super) fn document(body: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// One page, where the next one is, and how many rows there are.
fn page(shared: &Shared, call: &Call, rows: Vec<Value>) -> Answer {
    let number = |name: &str, usual| call.query(name).map_or(Ok(usual), str::parse::<usize>);
    let (Ok(page), Ok(size)) = (number("page", 1), number("per_page", 20)) else { return Err(said(400, "page")) };
    let (size, total) = (size.clamp(1, 100), rows.len());
    let shown: Vec<Value> = rows.into_iter().skip((page - 1) * size).take(size).collect();
    let mut answer = document(&Value::Array(shown));
    if is_last(shared, call) {
        return Ok(answer);
    }
    let headers = answer.headers_mut();
    headers.insert("x-total", total.to_string().parse().expect("a header"));
    let more = page * size < total;
    let next = if more { (page + 1).to_string() } else { String::new() };
    headers.insert("x-next-page", next.parse().expect("a header"));
    if more {
        let link = format!("<http://{}{}?page={}&per_page={size}>; rel=\"next\"", call.host, call.path, page + 1);
        headers.insert(LINK, link.parse().expect("a header"));
    }
    Ok(answer)
}
