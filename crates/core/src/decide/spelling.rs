//! One spelling for a JSON document, so that a policy that another tool wrote with other blanks, or in another order, is the
//! same one.

use serde_json::Value;

use crate::model::{Digest, Setting, SettingDigest};

/// A hash over what a setting says, and not over how it is written. One that was recorded over the text as it stood, by an
/// earlier release, stays as it is.
pub(super) fn digest(setting: &Setting, before: Option<&SettingDigest>) -> Option<SettingDigest> {
    let exact = setting.digest()?;
    if before == Some(&exact) {
        return Some(exact);
    }
    let Setting::Text(text) = setting else { return Some(exact) };
    let Ok(document) = serde_json::from_str::<Value>(text) else { return Some(exact) };
    let mut spelled = String::new();
    spell(&document, &mut spelled);
    Some(SettingDigest::Set(Digest::sha256(spelled.as_bytes())))
}

/// Keys in order, no blanks; members of lists in order too, where the order says nothing: rules have numbers of their own,
/// and patterns, prefixes and what else is a text in a list stand side by side.
fn spell(value: &Value, into: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            into.push('{');
            for (key, value) in members {
                into.push_str(&Value::String(key.clone()).to_string());
                into.push(':');
                spell(value, into);
                into.push(',');
            }
            into.push('}');
        }
        Value::Array(values) => {
            let mut spelled: Vec<String> = values
                .iter()
                .map(|value| {
                    let mut one = String::new();
                    spell(value, &mut one);
                    one
                })
                .collect();
            spelled.sort();
            into.push('[');
            for one in spelled {
                into.push_str(&one);
                into.push(',');
            }
            into.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => into.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Setting {
        Setting::Text(text.into())
    }

    #[test]
    fn a_document_written_otherwise_is_the_same_and_any_other_is_not() {
        let one =
            r#"{"rules": [{"rulePriority": 1, "selection": {"tagPatternList": ["a*", "b*"]}}, {"rulePriority": 2}]}"#;
        let digest = |text: &str| digest(&self::text(text), None);
        for same in [
            r#"{"rules":[{"rulePriority":2},{"selection":{"tagPatternList":["b*","a*"]},"rulePriority":1}]}"#,
            "{\n  \"rules\": [\n    {\"rulePriority\": 2}, {\"selection\": {\"tagPatternList\": [\"a\\u002a\", \"b*\"]}, \"rulePriority\": 1}]}",
        ] {
            assert_eq!(digest(one), digest(same), "{same}");
        }
        for other in [
            r#"{"rules":[{"rulePriority":1},{"selection":{"tagPatternList":["b*","a*"]},"rulePriority":2}]}"#,
            r#"{"rules":[{"rulePriority":2},{"selection":{"tagPatternList":["b*"]},"rulePriority":1}]}"#,
            r#"{"rules":[{"rulePriority":"2"},{"selection":{"tagPatternList":["b*","a*"]},"rulePriority":1}]}"#,
            r#"{"rules":[{"rulePriority":2}],"selection":{"tagPatternList":["b*","a*"]},"rulePriority":1}"#,
            "no JSON",
        ] {
            assert_ne!(digest(one), digest(other), "{other}");
        }
        assert_ne!(digest("{ no"), digest("{  no"), "what cannot be read is taken as it is written");
    }

    #[test]
    fn what_an_earlier_release_recorded_is_no_change() {
        let policy = text(r#"{"rules": []}"#);
        let recorded = policy.digest();
        assert_eq!(digest(&policy, recorded.as_ref()), recorded);
        let spelled = digest(&policy, None);
        assert_ne!(spelled, recorded);
        assert_eq!(digest(&policy, spelled.as_ref()), spelled);
        assert_eq!(digest(&Setting::Unset, spelled.as_ref()), Some(SettingDigest::Unset));
        assert_eq!(digest(&Setting::Unknown, spelled.as_ref()), None);
    }
}
