//! The stand-in beside a live server of 2.15: in the same situation it answers with the same status and code, says of pages what
//! that one said, has every member that prodpin reads, and invents none.
//!
//! `captures.jsonl` holds answers of that server: of lists the first row, without what nobody here asks for.

use std::collections::BTreeMap;

use prodpin::model::Digest;
use serde_json::{Value, json};

use super::USER;
use super::runs::rule;
use crate::support::harbor::{Account, Harbor};

const CAPTURES: &str = include_str!("../../support/harbor/captures.jsonl");

/// Members that prodpin reads of a document, by the call that it answers and where in it they stand.
fn read_of(what: &str) -> &'static [&'static str] {
    let (call, place) = what.split_once(['[', '#']).unwrap_or((what, ""));
    match call.split('.').next().unwrap_or_default() {
        "systeminfo" => &["harbor_version", "read_only", "external_url"],
        "project" | "projects" => &["name", "project_id", "registry_id", "metadata", "retention_id"],
        "repository" | "repositories" => &["name", "artifact_count"],
        "artifact" | "artifacts" if place.contains("tags") => &["name", "push_time", "pull_time"],
        "artifact" | "artifacts" if place.contains("references") => &["child_digest"],
        "artifact" | "artifacts" => &["digest", "id", "push_time", "pull_time", "tags", "labels", "references"],
        "tags" => &["name", "push_time", "pull_time", "immutable"],
        "immutable" => &["id", "tag_selectors", "scope_selectors", "repository", "kind", "decoration", "pattern"],
        "retention" if call.contains("tasks") => &["id", "repository", "status", "total"],
        "retention" if call.contains("executions") => &["id", "status", "dry_run"],
        "retention" if place.contains("rules") => &[
            "action",
            "template",
            "params",
            "tag_selectors",
            "scope_selectors",
            "repository",
            "kind",
            "decoration",
            "pattern",
        ],
        "retention" => &["id", "algorithm", "rules", "scope", "level", "ref", "trigger", "kind", "settings", "cron"],
        "replication" if place.contains("filters") => &["type", "value"],
        "replication" if place.contains("registry") => &["id", "name"],
        "replication" if place.contains("trigger") => &["type"],
        "replication" => &["id", "name", "enabled", "src_registry", "dest_registry", "trigger", "filters", "override"],
        _ => &[],
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
enum As {
    Admin,
    Pinner,
    Reader,
    WrongSecret,
    Nobody,
}

struct Situation {
    harbor: Harbor,
    http: reqwest::Client,
    captures: BTreeMap<String, Value>,
}

fn robot(name: &str, access: &[(&str, &str)]) -> Account {
    let access: Vec<Value> =
        access.iter().map(|(resource, action)| json!({ "resource": resource, "action": action })).collect();
    let body = json!({ "name": name, "level": "project", "permissions": [{ "kind": "project", "namespace": "acme", "access": access }] });
    Account::robot("secret", &body)
}

fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

impl Situation {
    /// As the server was when it was asked: `api` with twelve artifacts, nested names, an index, a policy, a cache.
    async fn new() -> Self {
        let pinner =
            robot("pinner", &[("tag", "create"), ("tag", "delete"), ("artifact", "read"), ("immutable-tag", "list")]);
        let reader = robot("reader", &[("artifact", "list"), ("repository", "list")]);
        let harbor = Harbor::start(vec![Account::admin(USER.0, USER.1), pinner, reader]).await;
        {
            let mut world = harbor.world();
            for number in 1..=12 {
                world.push("acme/api", &digest(&format!("v1.{number}")), Vec::new(), Some(&format!("v1.{number}")));
            }
            for name in ["acme/team/api", "acme/team/sub/api", "12345/app", "ret/app", "prox/acme/api", "library/app"] {
                world.push(name, &digest(name), Vec::new(), Some("v1"));
            }
            let children = vec![digest("amd64"), digest("arm64")];
            for child in &children {
                world.push("acme/multi", child, Vec::new(), None);
            }
            world.push("acme/multi", &digest("index"), children, Some("v1"));
            world.project("library").public = true;
            world.project("prox").registry = 1;
            // A cache gets one when it is made (J31).
            world.retain("prox", json!([rule("nDaysSinceLastPull", &json!({ "nDaysSinceLastPull": 7 }), "**")]));
            world.retain("ret", json!([rule("latestPushedK", &json!({ "latestPushedK": 2 }), "**")]));
            world.replicate("ev", true, "event_based", false);
        }
        let read = |line: &str| {
            let capture: Value = serde_json::from_str(line).unwrap();
            (capture["name"].as_str().unwrap().to_owned(), capture)
        };
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { harbor, http, captures: CAPTURES.lines().map(read).collect() }
    }

    /// Asks the stand-in what the server was asked, and holds both answers against each other.
    async fn same(&self, name: &str, who: As, path: &str, body: Option<Value>) {
        let capture = self.captures.get(name).unwrap_or_else(|| panic!("there is no capture {name}"));
        let url = format!("{}{path}", self.harbor.url());
        let method: reqwest::Method = capture["method"].as_str().unwrap().parse().unwrap();
        let mut request = self.http.request(method, url);
        // Where a name is a number Harbor is told that it is a name, or not.
        if !name.ends_with(".no_header") {
            request = request.header("x-is-resource-name", "true");
        }
        let (user, secret) = match who {
            As::Admin => USER,
            As::Pinner => ("robot$acme+pinner", "secret"),
            As::Reader => ("robot$acme+reader", "secret"),
            As::WrongSecret => ("robot$acme+reader", "wrong"),
            As::Nobody => ("", ""),
        };
        if !user.is_empty() {
            request = request.basic_auth(user, Some(secret));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        assert_eq!(u64::from(answer.status().as_u16()), capture["status"], "{name}");
        let has = |header: &str| answer.headers().get(header).and_then(|value| value.to_str().ok());
        assert_eq!(has("x-total-count").is_some(), capture["has_total"] == true, "{name}: the total");
        let has_next = has("link").is_some_and(|link| link.contains("rel=\"next\""));
        assert_eq!(has_next, capture["has_next"] == true, "{name}: whether there is a page to come");
        let text = answer.text().await.unwrap();
        let found: Value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        let code = |body: &Value| body["errors"][0]["code"].clone();
        assert_eq!(code(&found), code(&capture["body"]), "{name}");
        if found.get("errors").is_none() {
            alike(&format!("{name}#"), &found, &capture["body"]);
        }
    }
}

/// Members of one are members of the other, of the same type; of lists the first rows are compared.
fn alike(what: &str, ours: &Value, theirs: &Value) {
    match (ours, theirs) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, value) in ours {
                let theirs =
                    theirs.get(name).unwrap_or_else(|| panic!("{what}: a live server says nothing of {name:?}"));
                alike(&format!("{what}.{name}"), value, theirs);
            }
            let read = read_of(what);
            let lacking = theirs
                .iter()
                .find(|(name, value)| read.contains(&name.as_str()) && !value.is_null() && !ours.contains_key(*name));
            assert!(lacking.is_none(), "{what}: the stand-in lacks {lacking:?}");
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.is_empty(), theirs.is_empty(), "{what}");
            if let (Some(ours), Some(theirs)) = (ours.first(), theirs.first()) {
                alike(&format!("{what}[]"), ours, theirs);
            }
        }
        (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_)) => {}
        (ours, theirs) => panic!("{what}: {ours} is no {theirs}"),
    }
}

#[tokio::test]
async fn reads_are_answered_as_a_live_server_did_j2_j3_j7_j40() {
    let live = Situation::new().await;
    let api = |path: &str| format!("/api/v2.0/{path}");
    let of = |path: &str| format!("/api/v2.0/projects/acme/repositories/{path}");
    for (name, who, path) in [
        ("systeminfo.admin", As::Admin, api("systeminfo")),
        ("systeminfo.anonymous", As::Nobody, api("systeminfo")),
        ("robot.wrong_secret.systeminfo", As::WrongSecret, api("systeminfo")),
        ("robot.wrong_secret.artifacts", As::WrongSecret, of("api/artifacts")),
        ("robot.disabled.projects", As::WrongSecret, api("projects")),
        ("projects.list", As::Admin, api("projects?page=1&page_size=3&sort=name")),
        ("project.get.by_name", As::Admin, api("projects/acme")),
        ("project.get.missing", As::Admin, api("projects/nosuch")),
        ("project.get.with_retention", As::Admin, api("projects/ret")),
        ("project.get.numeric_name.header", As::Admin, api("projects/12345")),
        ("project.get.numeric_name.no_header", As::Admin, api("projects/12345")),
        ("project.get.proxy", As::Admin, api("projects/prox")),
        ("repositories.list", As::Admin, api("projects/acme/repositories?page=1&page_size=2&sort=name")),
        ("repository.get.nested.double", As::Admin, of("team%252Fapi")),
        ("repository.get.missing", As::Admin, of("nosuch")),
        ("artifacts.list.page1", As::Admin, of("api/artifacts?page=1&page_size=5&with_tag=true&with_label=true")),
        ("artifacts.list.last", As::Admin, of("api/artifacts?page=3&page_size=5")),
        ("artifacts.list.beyond", As::Admin, of("api/artifacts?page=9&page_size=5")),
        ("artifacts.list.missing_repo", As::Admin, of("nosuch/artifacts")),
        ("artifacts.list.nested", As::Admin, of("team%252Fsub%252Fapi/artifacts")),
        ("artifact.get.tag", As::Admin, of("api/artifacts/v1.3")),
        ("artifact.get.digest", As::Admin, of(&format!("api/artifacts/{}", digest("v1.3")))),
        ("artifact.get.missing", As::Admin, of("api/artifacts/nosuch")),
        ("tags.list", As::Admin, of("api/artifacts/v1.3/tags?with_immutable_status=true")),
        ("immutable.list.forbidden", As::Reader, api("projects/acme/immutabletagrules")),
        ("retention.get.missing", As::Admin, api("retentions/9999")),
        ("robot.pin.gc", As::Pinner, api("system/gc/schedule")),
        ("replication.policies", As::Admin, api("replication/policies")),
        ("v2.challenge", As::Nobody, "/v2/".to_owned()),
        ("v2.tags_list", As::Admin, "/v2/acme/api/tags/list?n=3".to_owned()),
    ] {
        live.same(name, who, &path, None).await;
    }
    // Of which the description says that it may not be asked.
    live.same("artifacts.list.page_size_101", As::Admin, &of("api/artifacts?page_size=101"), None).await;
    assert_eq!(live.harbor.take_departures().len(), 1);
    // Children of an index that have no tag are in no list (J5).
    let listed = live.http.get(format!("{}{}", live.harbor.url(), of("multi/artifacts")));
    let listed: Value = listed.basic_auth(USER.0, Some(USER.1)).send().await.unwrap().json().await.unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
}

#[tokio::test]
async fn writes_are_answered_as_a_live_server_did_j24_j38_j41() {
    let live = Situation::new().await;
    let named = |name: &str| Some(json!({ "name": name }));
    let tags = |artifact: &str| format!("/api/v2.0/projects/acme/repositories/api/artifacts/{artifact}/tags");
    let (one, two) = (digest("v1.1").to_string(), digest("v1.2").to_string());
    let missing = format!("sha256:{}", "0".repeat(64));
    for (name, who, path, body) in [
        ("tag.create", As::Pinner, tags(&one), named("prod-pinned-1")),
        ("tag.create.same_artifact_again", As::Pinner, tags(&one), named("prod-pinned-1")),
        ("tag.create.conflict_other_artifact", As::Pinner, tags(&two), named("prod-pinned-1")),
        ("tag.create.missing_artifact", As::Pinner, tags(&missing), named("x")),
        ("tag.create.missing_repo", As::Pinner, tags(&one).replace("/api/artifacts", "/nosuch/artifacts"), named("x")),
        ("tag.create.forbidden", As::Reader, tags(&two), named("x")),
        ("tag.create.anonymous", As::Nobody, tags(&two), named("x")),
        ("tag.delete.forbidden", As::Reader, format!("{}/prod-pinned-1", tags(&one)), None),
        ("tag.delete.missing", As::Pinner, format!("{}/nosuch", tags(&one)), None),
        (
            "proxy.tag_create",
            As::Admin,
            "/api/v2.0/projects/prox/repositories/acme%252Fapi/artifacts/v1/tags".to_owned(),
            named("pin"),
        ),
    ] {
        live.same(name, who, &path, body).await;
    }
    live.harbor.world().make_immutable("acme", "prod-pinned-*");
    let policy = live.harbor.world().project("ret").retention.unwrap();
    let executions = format!("/api/v2.0/retentions/{policy}/executions");
    let dry = || Some(json!({ "dry_run": true }));
    for (name, who, path, body) in [
        ("immutable.list", As::Pinner, "/api/v2.0/projects/acme/immutabletagrules".to_owned(), None),
        ("tag.delete.immutable", As::Pinner, format!("{}/prod-pinned-1", tags(&one)), None),
        ("artifact.delete.immutable", As::Admin, tags(&one).trim_end_matches("/tags").to_owned(), None),
        (
            "artifact.delete.child_referenced",
            As::Admin,
            format!("/api/v2.0/projects/acme/repositories/multi/artifacts/{}", digest("amd64")),
            None,
        ),
        ("retention.get", As::Admin, format!("/api/v2.0/retentions/{policy}"), None),
        ("retention.get.forbidden", As::Reader, format!("/api/v2.0/retentions/{policy}"), None),
        ("retention.execute.forbidden", As::Reader, executions.clone(), dry()),
        ("retention.dry.execute", As::Admin, executions.clone(), dry()),
        ("retention.executions", As::Admin, executions.clone(), None),
    ] {
        live.same(name, who, &path, body).await;
    }
    let execution = live.harbor.world().executions[0].id;
    live.same("retention.dry.tasks", As::Admin, &format!("{executions}/{execution}/tasks"), None).await;
    live.harbor.world().read_only = true;
    live.same("readonly.tag_create", As::Pinner, &tags("v1.5"), named("ro-pin")).await;
    live.same("readonly.retention_dry", As::Admin, &executions, dry()).await;
    // A body that is missing is no call of the description either.
    live.harbor.world().read_only = false;
    live.same("tag.create.no_body", As::Pinner, &tags(&two), None).await;
    assert_eq!(live.harbor.take_departures().len(), 1);
}
