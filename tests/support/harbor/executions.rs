//! Executions of retention policies: dry runs, their tasks and logs. What they say stands in the world.

use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::world::{Ending, Execution, World};
use super::{Answer, Call, Shared, held, must_be_allowed, refuse};

pub(super) fn answer(shared: &Shared, call: &Call, method: &Method, policy: &str, rest: &[&str]) -> Answer {
    let missing = || refuse(404, "NOT_FOUND", "not found");
    let policy: i64 = policy.parse().map_err(|_| refuse(422, "UNPROCESSABLE_ENTITY", "id"))?;
    let project = project_of(&held(&shared.world), policy).ok_or_else(missing)?;
    match (method, rest) {
        (&Method::POST, []) => {
            must_be_allowed(shared, call, "tag-retention", "update", Some(&project))?;
            start(&mut held(&shared.world), call, policy)
        }
        (&Method::GET, []) => {
            must_be_allowed(shared, call, "tag-retention", "list", Some(&project))?;
            let mut world = held(&shared.world);
            let rows = world.executions.iter_mut().rev().filter(|one| one.policy == policy).map(row).collect();
            super::api::page(call, rows)
        }
        (&Method::GET, [id, "tasks"]) => {
            must_be_allowed(shared, call, "tag-retention", "list", Some(&project))?;
            let world = held(&shared.world);
            let execution = find(&world, policy, id).ok_or_else(missing)?;
            super::api::page(call, tasks(&world, &project, execution))
        }
        (&Method::GET, [id, "tasks", task]) => {
            must_be_allowed(shared, call, "tag-retention", "read", Some(&project))?;
            let world = held(&shared.world);
            find(&world, policy, id).ok_or_else(missing)?;
            let place = task.parse::<usize>().map_err(|_| refuse(422, "UNPROCESSABLE_ENTITY", "tid"))?;
            let names: Vec<&String> = world.projects[&project].repositories.keys().collect();
            let name = names.get(place % 1000).ok_or_else(missing)?;
            Ok(([(CONTENT_TYPE, "text/plain")], log(&world, &project, name)).into_response())
        }
        _ => Err(refuse(405, "METHOD_NOT_ALLOWED", "not with this method")),
    }
}

fn project_of(world: &World, policy: i64) -> Option<String> {
    world.projects.iter().find(|(_, project)| project.retention == Some(policy)).map(|(name, _)| name.clone())
}

fn find<'w>(world: &'w World, policy: i64, id: &str) -> Option<&'w Execution> {
    world.executions.iter().find(|one| one.policy == policy && one.id.to_string() == id)
}

fn start(world: &mut World, call: &Call, policy: i64) -> Result<Response, super::Refusal> {
    if world.read_only {
        let message = "The system is in read only mode. Any modification is prohibited.";
        return Err(refuse(403, "DENIED", message));
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    // Harbor asks for no word about it: without one it deletes.
    let dry = body["dry_run"] == true;
    let (id, ending) = (world.next(), world.ending);
    world.executions.push(Execution { id, policy, dry, looks: 0, ending });
    let place = format!("/api/v2.0/retentions/{policy}/executions/{id}");
    Ok((StatusCode::CREATED, [(LOCATION, place)]).into_response())
}

/// One of the list; it is at its end when it is asked for the second time.
fn row(execution: &mut Execution) -> Value {
    execution.looks += 1;
    let status = match execution.ending {
        _ if execution.looks == 1 => "Running",
        Ending::Well => "Success",
        Ending::AtLaunch | Ending::InTasks => "Error",
    };
    let mut row = json!({ "id": execution.id, "policy_id": execution.policy, "status": status, "trigger": "MANUAL" });
    // What is false is left out.
    if execution.dry {
        row["dry_run"] = json!(true);
    }
    row
}

fn tasks(world: &World, project: &str, execution: &Execution) -> Vec<Value> {
    if execution.ending == Ending::AtLaunch {
        return Vec::new();
    }
    let went_well = execution.ending == Ending::Well;
    let status = if went_well { "Success" } else { "Error" };
    let task = |(place, (name, artifacts)): (usize, (&String, &Vec<super::world::Artifact>))| {
        let total = if went_well { artifacts.len() } else { 0 };
        json!({ "id": 1000 + place, "execution_id": execution.id, "repository": name, "status": status,
            "status_code": 3, "total": total, "retained": 0 })
    };
    world.projects[project].repositories.iter().enumerate().map(task).collect()
}

fn log(world: &World, project: &str, name: &str) -> String {
    let mut log = format!(
        "2026-01-02T23:32:29Z [INFO] [source]: Run retention process.\n Repository: {project}/{name} \n Rule Algorithm: or \n \
         Dry Run: true\n2026-01-02T23:32:29Z [INFO] [source]: \n\
         | Digest | Tag | Kind | Labels | PushedTime | PulledTime | CreatedTime | Retention |\n\
         |--------|-----|------|--------|------------|------------|-------------|-----------|\n"
    );
    for artifact in &world.projects[project].repositories[name] {
        let tags: Vec<&str> = artifact.tags.iter().map(|(tag, _)| tag.as_str()).collect();
        let verdict = world.verdicts.get(&artifact.digest).copied().unwrap_or("RETAIN");
        log.push_str(&format!(
            "| {} | {} | image |  | 2026/01/02 |  | 2026/01/02 | {verdict} |\n",
            artifact.digest,
            tags.join(",")
        ));
    }
    log
}
