//! GraphQL, as far as it is asked: the two queries, read by what they name.
#![allow(clippy::result_large_err, reason = "an answer is an answer, whichever of the two it is")]

use serde_json::{Value, json};

use super::api::{Answer, document};
use super::world::{Role, Token};
use super::{Call, Shared, held, loses_tags, said};

pub(super) fn answer(shared: &Shared, call: &Call, token: &Token) -> Answer {
    let query = call.query("query").unwrap_or_default();
    let variables: Value = serde_json::from_str(call.query("variables").unwrap_or("{}")).unwrap_or_default();
    if query.contains("mutation") {
        return Err(said(422, "Mutations are forbidden in GET requests"));
    }
    match () {
        () if query.contains("containerProtectionTagRules") => Ok(rules(shared, token, &variables)),
        () if query.contains("containerRepository(") => Ok(tags(shared, token, &variables)),
        () => Ok(document(&json!({ "errors": [{ "message": "a query that nobody has read" }] }))),
    }
}

/// To whoever is no Maintainer, each rule is as if it were not there.
fn rules(shared: &Shared, token: &Token, variables: &Value) -> axum::response::Response {
    let world = held(&shared.world);
    if !world.has_rules {
        let message = "Field 'containerProtectionTagRules' doesn't exist on type 'Project'";
        return document(&json!({ "errors": [{ "message": message }] }));
    }
    let path = variables["path"].as_str().unwrap_or_default().to_ascii_lowercase();
    let project = world.projects.get(&path).filter(|_| token.sees(&path));
    let nodes = |project: &super::world::Project| {
        let protected = project.protected.iter().map(|rule| (rule["tag_name_pattern"].clone(), false));
        let immutable = project.immutable.iter().map(|pattern| (json!(pattern), true));
        let all = protected.chain(immutable);
        let all = all.map(|(pattern, immutable)| json!({ "tagNamePattern": pattern, "immutable": immutable }));
        all.filter(|_| token.role >= Role::Maintainer).collect::<Vec<Value>>()
    };
    let rules = project.map(|project| {
        json!({ "containerProtectionTagRules": { "nodes": nodes(project), "pageInfo": { "hasNextPage": false } } })
    });
    document(&json!({ "data": { "project": rules } }))
}

fn tags(shared: &Shared, token: &Token, variables: &Value) -> axum::response::Response {
    let world = held(&shared.world);
    let id = variables["id"].as_str().and_then(|id| id.rsplit('/').next()?.parse::<u64>().ok());
    let found = world.repositories.values().find(|repository| Some(repository.id) == id);
    let found = found.filter(|found| token.sees(&found.project) && token.role >= Role::Reporter);
    let after: usize = variables["after"].as_str().and_then(|after| after.parse().ok()).unwrap_or(0);
    let page = after / 100 + 1;
    let connection = found.map(|repository| {
        let shown = repository.tags.iter().skip(after).take(100).map(|(name, (digest, at))| {
            let published = world.has_database.then(|| at.to_string());
            json!({ "name": name, "digest": digest.to_string(), "publishedAt": published })
        });
        let nodes: Vec<Value> = if loses_tags(shared, page) { Vec::new() } else { shown.collect() };
        let more = after + 100 < repository.tags.len();
        let end = json!({ "hasNextPage": more, "endCursor": more.then(|| (after + 100).to_string()) });
        json!({ "tags": { "nodes": nodes, "pageInfo": end } })
    });
    document(&json!({ "data": { "containerRepository": connection } }))
}
