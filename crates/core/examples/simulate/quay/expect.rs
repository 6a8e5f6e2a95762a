//! What the simulator expects, in the shape of the file.

use std::collections::BTreeSet;

use prodpin_core::decide::lifecycle::quay::collect::collect;
use prodpin_core::decide::lifecycle::quay::doubt::{self, Outcome, Run, Undetermined};
use prodpin_core::decide::lifecycle::quay::operation::Done;
use prodpin_core::decide::lifecycle::quay::prune::{Failure, TaskRun};
use prodpin_core::decide::lifecycle::quay::world::{Signatures, TagRow, World};
use serde_json::{Map, Value, json};

use super::case::{Case, Made, RunName};

/// More rows than this have no collection in the file.
const MOST_ROWS: usize = 150;

/// On the main branch, and under 3.18.0 where that differs.
pub(crate) fn both(case: &Case) -> Result<[Value; 2], String> {
    let main = expect(case, Signatures::FollowImage)?;
    let release = expect(case, Signatures::Ordinary)?;
    let but_runs = |expect: &Value| {
        let mut expect = expect.clone();
        expect["runs"] = Value::Null;
        expect
    };
    let release = if but_runs(&release) == but_runs(&main) { Value::Null } else { release };
    Ok([main, release])
}

fn expect(case: &Case, signatures: Signatures) -> Result<Value, String> {
    let Made { mut world, refused, default_refused } = case.make(signatures)?;
    let before: Vec<usize> = world.repositories.iter().map(|repository| repository.tags.len()).collect();
    let mut ops = vec![];
    for (number, op) in case.ops.iter().enumerate() {
        let (repository, operation) = op.make(case)?;
        ops.push(done(world.operate(repository, &operation, op.at_ms, &format!("op{number}"))));
    }
    let run = |name: &RunName| match name {
        RunName::Prune => Some(Run::Namespace),
        RunName::PruneRegistry => default_refused.is_none().then_some(Run::Registry),
    };
    let runs: Vec<Run> = case.run.iter().filter_map(run).collect();
    let outcome = doubt::run(&world, &runs, case.now_ms);
    let open = doubt::undetermined(&world, &runs, case.now_ms, &outcome);
    let (task, cause) = task(outcome.task);
    let asked = case.run.iter().any(|run| matches!(run, RunName::PruneRegistry));
    let order =
        outcome.trace.begun.iter().map(|(repository, policy)| json!([case.repositories[*repository].name, policy]));
    Ok(json!({
        "policies_refused": refused,
        "ops": ops,
        "task": task,
        "task_cause": cause,
        "registry_error": default_refused.filter(|_| asked).or(outcome.registry.err().map(failure)),
        "policy_order": order.collect::<Vec<_>>(),
        "tags": tags(case, &outcome),
        "new_tags": new_tags(case, &outcome.world, &before),
        "undetermined": undetermined(&outcome.world, &open),
        "gc": if open.is_empty() { gone(case, &outcome.world) } else { Value::Null },
        "runs": open.runs,
    }))
}

fn done(done: Done) -> &'static str {
    match done {
        Done::Ok => "ok",
        Done::NotFound => "not_found",
        Done::RefusedImmutable => "refused_immutable",
        Done::RefusedExpirySet => "refused_expiry_set",
    }
}

fn task(run: TaskRun) -> (Option<&'static str>, Option<&'static str>) {
    match run {
        TaskRun::None => (None, None),
        TaskRun::NotRun => (Some("not_run"), None),
        TaskRun::Ended(Ok(())) => (Some("success"), None),
        TaskRun::Ended(Err(Failure::Other)) => (Some("failure"), None),
        TaskRun::Ended(Err(error)) => (Some("failure"), Some(failure(error))),
    }
}

fn failure(failure: Failure) -> &'static str {
    match failure {
        Failure::InvalidPattern => "invalid_regex",
        Failure::RepositoryNotNormal => "repository_not_normal",
        Failure::Other => "other",
    }
}

fn rows(world: &World) -> impl Iterator<Item = &TagRow> {
    world.repositories.iter().flat_map(|repository| &repository.tags)
}

fn tags(case: &Case, outcome: &Outcome) -> Map<String, Value> {
    rows(&outcome.world)
        .map(|row| {
            let kind = match &row.ended_by {
                _ if row.is_alive(case.now_ms) => "alive",
                Some(ending) if ending.with_image => "cascaded",
                Some(_) => "pruned",
                None => "ended",
            };
            let by = row.ended_by.as_ref().map(|ending| &ending.policy);
            (row.id.clone(), json!({ "outcome": kind, "by": by, "end_ms": row.end, "immutable": row.immutable }))
        })
        .collect()
}

fn new_tags(case: &Case, world: &World, before: &[usize]) -> Map<String, Value> {
    let mut new = Map::new();
    for ((repository, named), before) in world.repositories.iter().zip(&case.repositories).zip(before) {
        for row in &repository.tags[*before..] {
            let shown = json!({
                "name": row.name,
                "repo": named.name,
                "manifest_digest": repository.manifests[row.manifest].digest,
                "start_ms": row.start,
                "hidden": row.hidden,
            });
            new.insert(row.id.clone(), shown);
        }
    }
    new
}

fn undetermined(world: &World, open: &Undetermined) -> Value {
    let ids = |places: &BTreeSet<(usize, usize)>| {
        let id = |(repository, row): &(usize, usize)| world.repositories[*repository].tags[*row].id.clone();
        places.iter().map(id).collect::<BTreeSet<_>>()
    };
    let mut policy_order = ids(&open.policy_order);
    if open.task {
        policy_order.insert("*task".to_owned());
    }
    json!({
        "tie": ids(&open.ties),
        "policy_order": policy_order,
        "by_only": ids(&open.by_only),
        "possible": [],
    })
}

fn gone(case: &Case, world: &World) -> Value {
    if rows(world).count() > MOST_ROWS {
        return Value::Null;
    }
    let (mut tags, mut manifests) = (Map::new(), Map::new());
    for (repository, named) in world.repositories.iter().zip(&case.repositories) {
        if named.state == "MARKED_FOR_DELETION" {
            continue;
        }
        let gone = collect(world, repository, case.now_ms);
        for (index, row) in repository.tags.iter().enumerate() {
            tags.insert(row.id.clone(), json!(gone.rows.get(&index)));
        }
        let of = |(index, manifest): (usize, &super::case::CaseManifest)| {
            (manifest.id.clone(), json!(gone.manifests.get(&index)))
        };
        let all: Map<String, Value> = named.manifests.iter().enumerate().map(of).collect();
        manifests.insert(named.name.clone(), all.into());
    }
    json!({ "tags": tags, "manifests": manifests })
}
