//! The audit logs: what was done in a project by whom, as a live server of 2.15 writes it. Times are this machine's, for they are
//! held against when a run saw the change.

use axum::response::IntoResponse as _;
use jiff::Timestamp;
use prodpin::model::Digest;
use serde_json::{Value, json};

use super::api::page;
use super::{Answer, Call, Shared, held, must_be_allowed, refuse};

/// What the logs of one Harbor hold.
#[derive(Debug, Default)]
pub(crate) struct AuditLog {
    pub(crate) rows: Vec<Value>,
    /// Entries are written, and in no list so far.
    pub(crate) is_late: bool,
    /// Before 2.13: one log, without descriptions.
    pub(crate) is_old: bool,
}

impl AuditLog {
    pub(super) fn pushed(&mut self, call: &Call, name: &str, digest: &Digest, tag: Option<&str>) {
        let resource = tag.map_or_else(|| format!("{name}@{digest}"), |tag| format!("{name}:{tag}"));
        self.add(call, "create", "artifact", resource, format!("push artifact: {name}@{digest}"));
    }

    pub(super) fn tagged(&mut self, call: &Call, operation: &str, name: &str, tag: &str) {
        let resource = format!("{name}:{tag}");
        self.add(call, operation, "tag", resource.clone(), format!("{operation} tag: {resource}"));
    }

    pub(super) fn deleted(&mut self, call: &Call, name: &str, digest: &Digest) {
        let resource = format!("{name}@{digest}");
        self.add(call, "delete", "artifact", resource.clone(), format!("delete artifact: {resource}"));
    }

    fn add(&mut self, call: &Call, operation: &str, kind: &str, resource: String, description: String) {
        let username = call.who.as_ref().map_or("", |account| &account.name);
        self.rows.push(json!({
            "id": self.rows.len() + 1, "op_time": Timestamp::now().to_string(), "operation": operation,
            "operation_description": description, "operation_result": true, "resource": resource,
            "resource_type": kind, "username": username,
        }));
    }
}

/// Only a project's own log is refused to who may not read it.
pub(super) fn answer(shared: &Shared, call: &Call, project: &str, log: &str) -> Answer {
    let world = held(&shared.world);
    if world.audit.is_old && log == "auditlog-exts" {
        return Err(refuse(404, "NOT_FOUND", format!("path {} was not found", call.path)));
    }
    if !world.projects.contains_key(project) {
        return Err(refuse(404, "NOT_FOUND", format!("project {project} not found")));
    }
    drop(world);
    must_be_allowed(shared, call, "log", "list", Some(project))?;
    let world = held(&shared.world);
    // What was written before an upgrade stays in the older one; this Harbor had none.
    let is_here = (log == "logs") == world.audit.is_old && !world.audit.is_late;
    let front = format!("{project}/");
    let filters: Vec<(&str, &str)> =
        call.query("q").unwrap_or_default().split(',').filter_map(|filter| filter.split_once('=')).collect();
    let fits = |row: &&Value| {
        let text = |key: &str| row[key].as_str().unwrap_or_default();
        // Filters by what is no column are ignored.
        let known =
            filters.iter().filter(|(key, _)| ["operation", "resource", "resource_type", "username"].contains(key));
        text("resource").starts_with(&front) && known.clone().all(|(key, value)| text(key) == *value)
    };
    let mut rows: Vec<Value> = world.audit.rows.iter().filter(|_| is_here).filter(fits).cloned().collect();
    if call.query("sort") == Some("-op_time") {
        rows.reverse();
    }
    if world.audit.is_old {
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.remove("operation_description");
            row.remove("operation_result");
        }
    }
    page(call, rows).map(|page| page.into_response())
}
