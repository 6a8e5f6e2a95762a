//! JSON reports against the schema that is published, and the schema against this program.

use prodpin::model::Mode;
use prodpin::report::render::Format;

use super::{WIDE, report, run, shown};
use crate::reports::estate::{planned, rich};

/// The published schema is the one of this program. `UPDATE_SCHEMAS=1` writes it anew.
#[test]
fn the_published_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/report.schema.json");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/policies")).unwrap();
        std::fs::write(path, prodpin::report::schema::text()).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap();
    assert_eq!(published, prodpin::report::schema::text(), "write it anew with UPDATE_SCHEMAS=1");
}

#[test]
fn json_reports_follow_the_schema() {
    let schema = serde_json::to_value(prodpin::report::schema::schema()).unwrap();
    for rows in [rich(), planned(), vec![]] {
        for ledger in [true, false] {
            let text = shown(Format::Json, &report(run(Mode::EnforceDryRun, true, ledger), rows.clone()), WIDE);
            let document = serde_json::from_str(&text).unwrap();
            check(&document, &schema, &schema, "report").unwrap();
        }
    }
    // The check itself can fail.
    let mut wrong: serde_json::Value =
        serde_json::from_str(&shown(Format::Json, &report(run(Mode::Audit, true, true), rich()), WIDE)).unwrap();
    for (pointer, place, value) in [
        ("/findings/0/code", "report.findings[0].code", "no-code".into()),
        ("/repositories/0/rollback/ready", "report.repositories[0].rollback.ready", 1.into()),
        ("/repositories/1/gaps/0/cause", "report.repositories[1].gaps[0].cause", "x".into()),
    ] {
        let was = std::mem::replace(wrong.pointer_mut(pointer).unwrap(), value);
        let problem = check(&wrong, &schema, &schema, "report").unwrap_err();
        assert!(problem.starts_with(place), "{pointer}: {problem}");
        *wrong.pointer_mut(pointer).unwrap() = was;
    }
    assert!(check(&wrong, &schema, &schema, "report").is_ok());
}

/// As much of JSON Schema as the report's schema uses; a keyword it does not know is an error.
pub(crate) fn check(
    value: &serde_json::Value,
    schema: &serde_json::Value,
    root: &serde_json::Value,
    at: &str,
) -> Result<(), String> {
    use serde_json::Value;
    let Value::Object(rules) = schema else { return Ok(()) };
    for (keyword, rule) in rules {
        let holds = match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" | "format" | "default" => true,
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap();
                check(value, target, root, at)?;
                true
            }
            "type" => {
                let is = |name: &Value| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_u64(),
                    "null" => value.is_null(),
                    other => panic!("type {other}"),
                };
                rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is))
            }
            "minimum" | "maximum" => value.as_u64().is_none_or(|number| match keyword.as_str() {
                "minimum" => number >= rule.as_u64().unwrap(),
                _ => number <= rule.as_u64().unwrap(),
            }),
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "additionalProperties" => {
                value.as_object().unwrap().keys().all(|name| rules["properties"].get(name).is_some())
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(inner) = value.get(name) {
                        check(inner, rule, root, &format!("{at}.{name}"))?;
                    }
                }
                true
            }
            "items" => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                items
                    .iter()
                    .enumerate()
                    .try_for_each(|(place, item)| check(item, rule, root, &format!("{at}[{place}]")))?;
                true
            }
            "anyOf" | "oneOf" => {
                let fitting =
                    rule.as_array().unwrap().iter().filter(|rule| check(value, rule, root, at).is_ok()).count();
                fitting == 1 || (keyword == "anyOf" && fitting > 1)
            }
            other => panic!("the check does not know {other}"),
        };
        if !holds {
            return Err(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
    Ok(())
}
