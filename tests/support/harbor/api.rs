//! Harbor's API v2.0, as far as it is asked.

use axum::http::header::{CONTENT_TYPE, LINK};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::world::{Artifact, World};
use super::{
    Answer, Call, Refusal, Shared, audit, executions, forgets_pins, held, is_vanishing, must_be_allowed, refuse,
};

const NEVER: &str = "0001-01-01T00:00:00.000Z";

pub(super) fn answer(shared: &Shared, call: &Call) -> Answer {
    let path = call.path.strip_prefix("/api/v2.0/").unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    match (&call.method, &parts[..]) {
        (&Method::GET, ["systeminfo"]) => Ok(system_info(shared, call)),
        (&Method::GET, ["system", "gc", "schedule"]) => {
            must_be_allowed(shared, call, "garbage-collection", "read", None)?;
            Ok(document(&held(&shared.world).collection))
        }
        (&Method::GET, ["replication", "policies"]) => {
            must_be_allowed(shared, call, "replication-policy", "list", None)?;
            page(call, held(&shared.world).replication.clone())
        }
        (method, ["retentions", id, "executions", rest @ ..]) => executions::answer(shared, call, method, id, rest),
        (&Method::GET, ["retentions", id]) => retention(shared, call, id),
        (&Method::GET, ["projects"]) => projects(shared, call),
        (&Method::GET, ["projects", name]) => project(shared, call, name),
        (&Method::GET, ["projects", name, "immutabletagrules"]) => {
            must_be_allowed(shared, call, "immutable-tag", "list", Some(name))?;
            let world = held(&shared.world);
            page(call, world.projects.get(*name).ok_or_else(|| no_project(name))?.immutable.clone())
        }
        (&Method::GET, ["projects", name, log @ ("auditlog-exts" | "logs")]) => audit::answer(shared, call, name, log),
        (&Method::GET, ["projects", name, "repositories"]) => repositories(shared, call, name),
        (method, ["projects", project, "repositories", name, rest @ ..]) => {
            let name = format!("{project}/{}", name.replace("%252F", "/").replace("%2F", "/"));
            in_repository(shared, call, method, project, &name, rest)
        }
        _ => Err(refuse(404, "NOT_FOUND", format!("path {} was not found", call.path))),
    }
}

fn in_repository(shared: &Shared, call: &Call, method: &Method, project: &str, name: &str, rest: &[&str]) -> Answer {
    let allowed = |resource: &str, action: &str| -> Result<(), Refusal> {
        let is_public = held(&shared.world).projects.get(project).is_some_and(|project| project.public);
        match is_public && action != "create" && action != "delete" && call.who.is_none() {
            true => Ok(()),
            false => must_be_allowed(shared, call, resource, action, Some(project)),
        }
    };
    let no_artifact = |reference: &str| {
        let mark = if reference.starts_with("sha256:") { '@' } else { ':' };
        refuse(404, "NOT_FOUND", format!("artifact {name}{mark}{reference} not found"))
    };
    match (method, rest) {
        (&Method::GET, []) => {
            allowed("repository", "read")?;
            let world = held(&shared.world);
            let found = world.artifacts(name);
            let found = found.ok_or_else(|| refuse(404, "NOT_FOUND", format!("repository {name} not found")))?;
            Ok(document(&json!({ "name": name, "artifact_count": found.len(), "id": 1, "pull_count": 0 })))
        }
        (&Method::GET, ["artifacts"]) => {
            allowed("artifact", "list")?;
            artifacts(shared, call, project, name)
        }
        (&Method::GET, ["artifacts", reference]) => {
            allowed("artifact", "read")?;
            let world = held(&shared.world);
            let found = world.find(name, reference).ok_or_else(|| no_artifact(reference))?;
            Ok(document(&row(found, name)))
        }
        (&Method::DELETE, ["artifacts", reference]) => {
            allowed("artifact", "delete")?;
            delete(shared, call, name, reference).map(|()| StatusCode::OK.into_response())
        }
        (&Method::GET, ["artifacts", reference, "tags"]) => {
            allowed("tag", "list")?;
            let world = held(&shared.world);
            let found = world.find(name, reference).ok_or_else(|| no_artifact(reference))?;
            let asked = call.query("with_immutable_status") == Some("true");
            let row = |(tag, pushed): &(String, Timestamp)| {
                let mut row = tag_row(tag, *pushed);
                if asked {
                    row["immutable"] = json!(world.is_immutable(name, tag));
                }
                row
            };
            page(call, found.tags.iter().map(row).collect())
        }
        (&Method::DELETE, ["artifacts", reference, "tags", tag]) => {
            allowed("tag", "delete")?;
            delete_tag(shared, call, name, reference, tag).map(|()| StatusCode::OK.into_response())
        }
        (&Method::POST, ["artifacts", reference, "tags"]) => {
            allowed("tag", "create")?;
            let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
            let tag =
                body["name"].as_str().ok_or_else(|| refuse(422, "UNPROCESSABLE_ENTITY", "body in body is required"))?;
            let forgets = forgets_pins(shared);
            let mut world = held(&shared.world);
            let created = create_tag(&mut world, project, name, reference, tag, forgets);
            if created.is_ok() {
                world.audit.tagged(call, "create", name, tag);
            }
            created.map_err(|refusal| match refusal {
                Some(refusal) => refusal,
                None => no_artifact(reference),
            })
        }
        _ => Err(refuse(405, "METHOD_NOT_ALLOWED", "not with this method")),
    }
}

/// None: the artifact is not there.
fn create_tag(
    world: &mut World,
    project: &str,
    name: &str,
    reference: &str,
    tag: &str,
    forgets: bool,
) -> Result<Response, Option<Refusal>> {
    if world.read_only {
        let message = "The system is in read only mode. Any modification is prohibited.";
        return Err(Some(refuse(403, "DENIED", message)));
    }
    if world.projects.get(project).is_some_and(|project| project.registry != 0) {
        let message = "the operation isn't supported for a proxy cache project";
        return Err(Some(refuse(405, "METHOD_NOT_ALLOWED", message)));
    }
    let digest = world.find(name, reference).ok_or(None)?.digest.clone();
    if world.find(name, tag).is_some() {
        let message = format!("tag {tag} already exists under the repository 1");
        return Err(Some(refuse(409, "CONFLICT", message)));
    }
    if !forgets {
        world.push(name, &digest, Vec::new(), Some(tag));
    }
    Ok(StatusCode::CREATED.into_response())
}

/// The tag alone goes, unless it is immutable; the artifact stays, whatever tags are left.
fn delete_tag(shared: &Shared, call: &Call, name: &str, reference: &str, tag: &str) -> Result<(), Refusal> {
    let mut world = held(&shared.world);
    let missing = || refuse(404, "NOT_FOUND", format!("artifact {name}@{reference} not found"));
    let found = world.find(name, reference).ok_or_else(missing)?;
    if !found.tags.iter().any(|(other, _)| other == tag) {
        return Err(refuse(404, "NOT_FOUND", format!("tag {tag} not found")));
    }
    if world.is_immutable(name, tag) {
        let message = format!("the tag {tag} configured as immutable, cannot be deleted");
        return Err(refuse(412, "PRECONDITION", message));
    }
    world.remove_tag(name, tag);
    world.audit.tagged(call, "delete", name, tag);
    Ok(())
}

/// One immutable tag keeps all of it, and so does an index that refers to it (J24).
pub(super) fn delete(shared: &Shared, call: &Call, name: &str, reference: &str) -> Result<(), Refusal> {
    let mut world = held(&shared.world);
    let missing = || refuse(404, "NOT_FOUND", format!("artifact {name}@{reference} not found"));
    let found = world.find(name, reference).ok_or_else(missing)?.clone();
    if let Some((tag, _)) = found.tags.iter().find(|(tag, _)| world.is_immutable(name, tag)) {
        let message = format!("the tag {tag} configured as immutable, cannot be deleted");
        return Err(refuse(412, "PRECONDITION", message));
    }
    let all = world.artifacts(name).into_iter().flatten();
    if all.into_iter().any(|index| index.children.contains(&found.digest)) {
        let message = "the deleting artifact is referenced by others";
        return Err(refuse(412, "VIOLATE_FOREIGN_KEY_CONSTRAINT", message));
    }
    world.remove(name, &found.digest.to_string());
    world.audit.deleted(call, name, &found.digest);
    Ok(())
}

fn system_info(shared: &Shared, call: &Call) -> Response {
    let mut body = json!({ "auth_mode": "db_auth", "banner_message": "", "self_registration": false });
    if call.who.is_some() {
        let world = held(&shared.world);
        body["harbor_version"] = json!(world.version);
        body["read_only"] = json!(world.read_only);
        body["external_url"] = json!("https://harbor.example");
    }
    document(&body)
}

fn retention(shared: &Shared, call: &Call, id: &str) -> Answer {
    let world = held(&shared.world);
    let Ok(id) = id.parse::<i64>() else { return Err(refuse(422, "UNPROCESSABLE_ENTITY", "id")) };
    let owner = world.projects.iter().find(|(_, project)| project.retention == Some(id)).map(|(name, _)| name.clone());
    let policy = world.retentions.get(&id).cloned();
    drop(world);
    must_be_allowed(shared, call, "tag-retention", "read", owner.as_deref())?;
    policy.map(|policy| document(&policy)).ok_or_else(|| refuse(500, "UNKNOWN", "internal server error"))
}

fn projects(shared: &Shared, call: &Call) -> Answer {
    let world = held(&shared.world);
    let shown = world.projects.iter().filter(|(name, project)| {
        let mine = |account: &super::Account| account.project.as_ref().is_none_or(|own| own == *name);
        project.public || call.who.as_ref().is_some_and(mine)
    });
    page(call, shown.map(|(name, project)| project_row(name, project)).collect())
}

fn project_row(name: &str, project: &super::Project) -> Value {
    let mut row = json!({
        "name": name, "project_id": project.id, "repo_count": project.repositories.len(),
        "metadata": { "public": project.public.to_string() },
    });
    if project.registry != 0 {
        row["registry_id"] = json!(project.registry);
    }
    if let Some(id) = project.retention {
        row["metadata"]["retention_id"] = json!(id.to_string());
    }
    row
}

fn project(shared: &Shared, call: &Call, name: &str) -> Answer {
    must_be_allowed(shared, call, "project", "read", Some(name))?;
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    let by_name = call.headers.get("x-is-resource-name").is_some_and(|value| value == "true");
    let world = held(&shared.world);
    let found = world.projects.get(name).filter(|_| by_name || !is_number);
    Ok(document(&project_row(name, found.ok_or_else(|| no_project(name))?)))
}

fn repositories(shared: &Shared, call: &Call, name: &str) -> Answer {
    let is_public = held(&shared.world).projects.get(name).is_some_and(|project| project.public);
    if !is_public {
        must_be_allowed(shared, call, "repository", "list", Some(name))?;
    }
    let world = held(&shared.world);
    let project = world.projects.get(name).ok_or_else(|| no_project(name))?;
    let rows = project.repositories.iter().map(|(repository, artifacts)| {
        json!({ "name": format!("{name}/{repository}"), "artifact_count": artifacts.len(), "project_id": project.id })
    });
    page(call, rows.collect())
}

fn no_project(name: &str) -> Refusal {
    refuse(404, "NOT_FOUND", format!("project {name} not found"))
}

/// Untagged children of an index are in no list (J5); a repository that is not there lists as an empty one (J3).
fn artifacts(shared: &Shared, call: &Call, project: &str, name: &str) -> Answer {
    let mut world = held(&shared.world);
    if !world.projects.contains_key(project) {
        return Err(no_project(project));
    }
    let all: Vec<Artifact> = world.artifacts(name).cloned().unwrap_or_default();
    let is_child = |one: &Artifact| all.iter().any(|index| index.children.contains(&one.digest));
    let mut listed: Vec<&Artifact> = all.iter().filter(|one| !one.tags.is_empty() || !is_child(one)).collect();
    match call.query("sort") {
        Some("id") => listed.sort_by_key(|one| one.id),
        _ => listed.sort_by_key(|one| std::cmp::Reverse((one.pushed, one.id))),
    }
    let answer = page(call, listed.iter().map(|one| row(one, name)).collect());
    if is_vanishing(shared)
        && call.query("page") == Some("1")
        && let Some(first) = listed.first()
    {
        world.remove(name, &first.digest.to_string());
    }
    answer
}

fn row(artifact: &Artifact, name: &str) -> Value {
    let references: Vec<Value> =
        artifact.children.iter().map(|child| json!({ "child_digest": child.to_string() })).collect();
    let tags: Vec<Value> = artifact.tags.iter().map(|(tag, pushed)| tag_row(tag, *pushed)).collect();
    let or_null = |list: Vec<Value>| if list.is_empty() { Value::Null } else { Value::Array(list) };
    json!({
        "digest": artifact.digest.to_string(), "id": artifact.id, "labels": null, "accessories": null,
        "pull_time": NEVER, "push_time": artifact.pushed.to_string(), "repository_name": name,
        "references": or_null(references), "tags": or_null(tags), "type": "IMAGE",
    })
}

fn tag_row(tag: &str, pushed: jiff::Timestamp) -> Value {
    json!({ "name": tag, "immutable": false, "pull_time": NEVER, "push_time": pushed.to_string() })
}

fn document(body: &Value) -> Response {
    // What was never set has no body.
    let text = if body.is_null() { String::new() } else { body.to_string() };
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// One page, with the total and where the next one is.
pub(super) fn page(call: &Call, rows: Vec<Value>) -> Answer {
    let number = |name: &str, usual| call.query(name).map_or(Ok(usual), str::parse::<usize>);
    let (Ok(page), Ok(size)) = (number("page", 1), number("page_size", 10)) else {
        return Err(refuse(422, "UNPROCESSABLE_ENTITY", "page"));
    };
    if size > 100 || size == 0 {
        let message = "validation failure list:\npage_size in query should be less than or equal to 100";
        return Err(refuse(422, "UNPROCESSABLE_ENTITY", message));
    }
    let total = rows.len();
    let shown: Vec<Value> = rows.into_iter().skip((page - 1) * size).take(size).collect();
    let mut answer = document(&Value::Array(shown));
    answer.headers_mut().insert("x-total-count", total.into());
    if page * size < total {
        let rest = call.query.iter().filter(|(name, _)| name != "page" && name != "page_size");
        let rest: String = rest.map(|(name, value)| format!("&{name}={value}")).collect();
        let link = format!("<{}?page={}&page_size={size}{rest}>; rel=\"next\"", call.path, page + 1);
        answer.headers_mut().insert(LINK, link.parse().expect("a header"));
    }
    Ok(answer)
}
