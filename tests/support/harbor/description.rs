//! The vendor's description of the API: which calls there are, with which parameters and bodies. A call that is not in it is a
//! defect of ours, whatever a server makes of it: Harbor itself ignores what it does not know (J4).
//!
//! `description.jsonl` is derived from the `swagger.yaml` of Harbor 2.15 (API v2.0): a line for each operation, its references
//! resolved, with the names, types and bounds of its parameters and the members of its body.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

const LINES: &str = include_str!("description.jsonl");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    method: String,
    path: String,
    #[serde(default)]
    in_path: BTreeMap<String, String>,
    #[serde(default)]
    query: BTreeMap<String, Parameter>,
    #[serde(default)]
    body: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameter {
    r#type: String,
    #[serde(default)]
    minimum: Option<i64>,
    #[serde(default)]
    maximum: Option<i64>,
    #[serde(default)]
    required: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    r#type: String,
    properties: BTreeMap<String, String>,
    required: Vec<String>,
    must: bool,
}

fn operations() -> &'static [Operation] {
    static ALL: OnceLock<Vec<Operation>> = OnceLock::new();
    ALL.get_or_init(|| {
        let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        LINES.lines().map(read).collect()
    })
}

/// What of a call is not as described; `path` is what stands behind `/api/v2.0`, as it was sent.
pub(crate) fn departures(method: &str, path: &str, query: &[(String, String)], body: &[u8]) -> Vec<String> {
    let of_path = operations().iter().filter_map(|operation| Some((operation, values(&operation.path, path)?)));
    let of_method = of_path.filter(|(operation, _)| operation.method == method);
    // Of `/projects/{name}` and `/projects/artifacts` the one that says more.
    let Some((operation, values)) = of_method.min_by_key(|(_, values)| values.len()) else {
        return vec![format!("{method} {path}: there is no such call")];
    };
    let mut found = Vec::new();
    for (name, value) in &values {
        let kind = operation.in_path.get(*name).map_or("string", String::as_str);
        if !is_a(kind, value) {
            found.push(format!("{name} in the path is {value:?}, and no {kind}"));
        }
    }
    of_query(operation, query, &mut found);
    of_body(operation, body, &mut found);
    found.into_iter().map(|departure| format!("{method} {path}: {departure}")).collect()
}

/// The values of a template's parameters, if the path is one of it.
fn values<'t, 'p>(template: &'t str, path: &'p str) -> Option<Vec<(&'t str, &'p str)>> {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    let mut values = Vec::new();
    for (expected, found) in template.iter().zip(&path) {
        match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !found.is_empty() => values.push((name, *found)),
            None if expected == found => {}
            _ => return None,
        }
    }
    (template.len() == path.len()).then_some(values)
}

fn of_query(operation: &Operation, query: &[(String, String)], found: &mut Vec<String>) {
    for (at, (name, value)) in query.iter().enumerate() {
        let Some(parameter) = operation.query.get(name) else {
            found.push(format!("it has no parameter {name:?}"));
            continue;
        };
        if query[..at].iter().any(|(other, _)| other == name) {
            found.push(format!("{name} stands twice"));
        }
        if !is_a(&parameter.r#type, value) {
            found.push(format!("{name} is {value:?}, and no {}", parameter.r#type));
        }
        let number = value.parse::<i64>().ok();
        let is_out = |bound: Option<i64>, is_beyond: fn(i64, i64) -> bool| {
            number.zip(bound).is_some_and(|(number, bound)| is_beyond(number, bound))
        };
        if is_out(parameter.minimum, |number, bound| number < bound)
            || is_out(parameter.maximum, |number, bound| number > bound)
        {
            found.push(format!("{name} is {value}, which is out of bounds"));
        }
    }
    let lacking = operation
        .query
        .iter()
        .filter(|(name, parameter)| parameter.required && !query.iter().any(|(other, _)| other == *name));
    found.extend(lacking.map(|(name, _)| format!("{name} is required")));
}

fn of_body(operation: &Operation, body: &[u8], found: &mut Vec<String>) {
    let content = match (&operation.body, body.is_empty()) {
        (None, true) => return,
        (None, false) => return found.push("it takes no body".to_owned()),
        (Some(content), true) => {
            if content.must {
                found.push("its body is required".to_owned());
            }
            return;
        }
        (Some(content), false) => content,
    };
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return found.push("its body is no JSON".to_owned()) };
    if !is_of(&content.r#type, &value) {
        return found.push(format!("its body is no {}", content.r#type));
    }
    let Some(members) = value.as_object() else { return };
    for (name, value) in members {
        match content.properties.get(name) {
            None => found.push(format!("its body has no member {name:?}")),
            Some(kind) if !is_of(kind, value) => found.push(format!("{name} in its body is no {kind}")),
            Some(_) => {}
        }
    }
    let lacking = content.required.iter().filter(|name| !members.contains_key(*name));
    found.extend(lacking.map(|name| format!("{name} in its body is required")));
}

fn is_a(kind: &str, text: &str) -> bool {
    match kind {
        "integer" => text.parse::<i64>().is_ok(),
        "boolean" => matches!(text, "true" | "false"),
        _ => true,
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}
