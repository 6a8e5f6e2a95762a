//! A configuration as the AWS command line takes it.

use serde_json::{Map, Value, json};

use crate::model::{BucketExpiration, BucketLifecycle, BucketRule, NoncurrentLimit, RuleFilter, Trigger};

/// A configuration as `aws s3api put-bucket-lifecycle-configuration --lifecycle-configuration` takes it. The minimum
/// size for transitions is a parameter of its own there (B75).
pub(super) fn write(lifecycle: &BucketLifecycle) -> Result<String, String> {
    let rules = lifecycle.rules.iter().map(rule_of).collect::<Result<Vec<Value>, String>>()?;
    serde_json::to_string_pretty(&json!({ "Rules": rules })).map_err(|error| error.to_string())
}

fn rule_of(rule: &BucketRule) -> Result<Value, String> {
    let unknown = || format!("rule {} acts at a time that prodpin does not know how to write", rule.name());
    let mut written = Map::new();
    if !rule.id.is_empty() {
        written.insert("ID".to_owned(), json!(rule.id));
    }
    written.insert("Status".to_owned(), json!(if rule.enabled { "Enabled" } else { "Disabled" }));
    match rule.filter.written {
        true => written.insert("Filter".to_owned(), filter_of(&rule.filter)),
        false => written.insert("Prefix".to_owned(), json!(rule.filter.prefix)),
    };
    match rule.expiration {
        None => {}
        Some(BucketExpiration::LoneMarkers) => {
            written.insert("Expiration".to_owned(), json!({ "ExpiredObjectDeleteMarker": true }));
        }
        Some(BucketExpiration::Current(trigger)) => {
            written.insert("Expiration".to_owned(), Value::Object(trigger_of(trigger).ok_or_else(unknown)?));
        }
    }
    let mut transitions = Vec::new();
    for transition in &rule.transitions {
        let mut one = trigger_of(transition.when).ok_or_else(unknown)?;
        one.insert("StorageClass".to_owned(), json!(transition.class));
        transitions.push(Value::Object(one));
    }
    if !transitions.is_empty() {
        written.insert("Transitions".to_owned(), Value::Array(transitions));
    }
    let moves: Vec<Value> = rule
        .noncurrent_transitions
        .iter()
        .map(|transition| {
            let mut one = limit_of(transition.when);
            one.insert("StorageClass".to_owned(), json!(transition.class));
            Value::Object(one)
        })
        .collect();
    if !moves.is_empty() {
        written.insert("NoncurrentVersionTransitions".to_owned(), Value::Array(moves));
    }
    if let Some(limit) = rule.noncurrent_expiration {
        written.insert("NoncurrentVersionExpiration".to_owned(), Value::Object(limit_of(limit)));
    }
    if let Some(days) = rule.abort_uploads_after {
        written.insert("AbortIncompleteMultipartUpload".to_owned(), json!({ "DaysAfterInitiation": days }));
    }
    Ok(Value::Object(written))
}

fn filter_of(filter: &RuleFilter) -> Value {
    let mut parts = Map::new();
    if !filter.prefix.is_empty() {
        parts.insert("Prefix".to_owned(), json!(filter.prefix));
    }
    let tags: Vec<Value> = filter.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    for (name, bound) in [("ObjectSizeGreaterThan", filter.larger_than), ("ObjectSizeLessThan", filter.smaller_than)] {
        if let Some(bound) = bound {
            parts.insert(name.to_owned(), json!(bound));
        }
    }
    match (parts.len(), tags.as_slice()) {
        (0, []) => json!({ "Prefix": "" }),
        (0, [tag]) => json!({ "Tag": tag }),
        (1, []) => Value::Object(parts),
        _ => {
            if !tags.is_empty() {
                parts.insert("Tags".to_owned(), Value::Array(tags));
            }
            json!({ "And": parts })
        }
    }
}

fn trigger_of(trigger: Trigger) -> Option<Map<String, Value>> {
    let (name, value) = match trigger {
        Trigger::Days(days) => ("Days", json!(days)),
        Trigger::Date(date) => ("Date", json!(date.to_string())),
        Trigger::Unknown => return None,
    };
    Some(Map::from_iter([(name.to_owned(), value)]))
}

fn limit_of(limit: NoncurrentLimit) -> Map<String, Value> {
    let mut written = Map::from_iter([("NoncurrentDays".to_owned(), json!(limit.days))]);
    if limit.keep_newer > 0 {
        written.insert("NewerNoncurrentVersions".to_owned(), json!(limit.keep_newer));
    }
    written
}
