//! Whether one policy is another one with the pins claimed and nothing else: what prodpin may write by itself
//! (`lifecycle: manage`).
//!
//! This looks at two documents and knows nothing of how the second came about, so that it holds whoever made it.

use serde_json::{Map, Value};

use super::claim::is_claim;
use super::recommend::{claim, may_keep_more, priority};
use super::rule::StorageClass;
use super::{Lifecycle, Rule};

/// Whether every rule of the first policy is in the second one, in the same order and as it was but for its number, with
/// nothing beside them but rules that claim pins. A rule that is there to claim pins may come first, and keep more of them.
/// The error says what else changed.
pub fn only_claims(from: &str, to: &str) -> Result<(), String> {
    let (before, after) = (Document::read(from)?, Document::read(to)?);
    if before.beside != after.beside {
        return Err("something beside its rules would change".to_owned());
    }
    let mut left: Vec<&Entry> = after.entries.iter().collect();
    let mut last = 0;
    for entry in &before.entries {
        let Some(place) = left.iter().position(|other| entry.stays_in(other)) else {
            return Err(format!(
                "rule {} of the live policy would be lost or changed; remove it first if it may be",
                entry.rule.priority
            ));
        };
        let same = left.remove(place);
        if is_claim(&same.rule) {
            continue;
        }
        if same.rule.priority < last {
            return Err(format!("rule {} would change its place among the others", entry.rule.priority));
        }
        last = same.rule.priority;
    }
    let ours =
        |entry: &&Entry| [StorageClass::Standard, StorageClass::Archive].iter().any(|class| entry.is_ours(*class));
    match left.iter().find(|entry| !ours(entry)) {
        Some(other) => Err(format!("a rule {} would come that is no claim rule", other.rule.priority)),
        None => Ok(()),
    }
}

struct Document {
    /// In ascending priority.
    entries: Vec<Entry>,
    beside: Map<String, Value>,
}

/// A rule as it is written, and as it is read.
struct Entry {
    text: Value,
    rule: Rule,
}

impl Document {
    fn read(text: &str) -> Result<Self, String> {
        let reported =
            |problem: Option<String>| format!("the policy cannot be understood: {}", problem.unwrap_or_default());
        let lifecycle = Lifecycle::parse(text).map_err(|all| reported(all.first().map(ToString::to_string)))?;
        let mut beside: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| reported(Some(error.to_string())))?;
        let rules = beside.remove("rules").and_then(|rules| rules.as_array().cloned()).unwrap_or_default();
        let written = |rule: &Rule| rules.iter().find(|text| priority(text) == u64::from(rule.priority)).cloned();
        let entries =
            lifecycle.rules().iter().filter_map(|rule| Some(Entry { text: written(rule)?, rule: rule.clone() }));
        Ok(Self { entries: entries.collect(), beside })
    }
}

impl Entry {
    fn stays_in(&self, other: &Self) -> bool {
        let more = other.rule.count.number() > self.rule.count.number();
        let grows = is_claim(&self.rule) && may_keep_more(&self.rule) && more;
        without(&self.text, &NUMBER) == without(&other.text, &NUMBER)
            || (grows && without(&self.text, &COUNTS) == without(&other.text, &COUNTS))
    }

    /// Whether it is the rule that prodpin adds, with whatever room.
    fn is_ours(&self, class: StorageClass) -> bool {
        without(&self.text, &COUNTS) == without(&claim(class, 0), &COUNTS)
    }
}

const NUMBER: [&str; 1] = ["/rulePriority"];
const COUNTS: [&str; 2] = ["/rulePriority", "/selection/countNumber"];

fn without(rule: &Value, pointers: &[&str]) -> Value {
    let mut rule = rule.clone();
    for pointer in pointers {
        if let Some(value) = rule.pointer_mut(pointer) {
            *value = Value::Null;
        }
    }
    rule
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::lifecycle::ecr::recommend;
    use serde_json::json;

    fn rule(priority: u64, pattern: &str, keep: u64) -> Value {
        json!({
            "rulePriority": priority,
            "description": format!("{pattern}, as Ann wants it"),
            "selection": { "tagStatus": "tagged", "tagPatternList": [pattern], "countType": "imageCountMoreThan", "countNumber": keep },
            "action": { "type": "expire" },
        })
    }

    fn text(rules: &[Value]) -> String {
        json!({ "rules": rules }).to_string()
    }

    #[test]
    fn a_rewrite_adds_a_claim_and_changes_nothing_but_numbers_i22() {
        let live = text(&[rule(1, "v*", 5), rule(2, "dev*", 3)]);
        assert_eq!(only_claims(&live, &live), Ok(()));
        assert_eq!(only_claims(&live, &recommend(Some(&live)).unwrap()), Ok(()));
        // A claim that keeps too few keeps more, one that comes late comes first; both stay their author's.
        for live in [
            text(&[rule(1, "prod-pinned-*", 5), rule(2, "v*", 5)]),
            text(&[rule(3, "v*", 5), rule(7, "prod-pinned-*", 500)]),
            text(&[rule(3, "v*", 5), rule(7, "prod-pinned-*", 5_000)]),
        ] {
            let to = recommend(Some(&live)).unwrap();
            assert!(to.contains("prod-pinned-*, as Ann wants it"), "{to}");
            assert_eq!(only_claims(&live, &to), Ok(()), "{to}");
        }
    }

    #[test]
    fn whatever_else_changes_is_no_rewrite_of_ours_i8_i22() {
        let live = text(&[rule(1, "v*", 5), rule(2, "dev*", 3)]);
        let claim = || claim(StorageClass::Standard, 0);
        let mut other = rule(3, "dev*", 3);
        other["description"] = json!("dev*, as Bob wants it");
        let mut none = rule(3, "dev*", 3);
        none.as_object_mut().unwrap().remove("description");
        for (what, rules) in [
            ("a rule is lost", vec![claim(), rule(2, "v*", 5)]),
            ("keeps fewer", vec![claim(), rule(2, "v*", 4), rule(3, "dev*", 3)]),
            ("keeps more", vec![claim(), rule(2, "v*", 6), rule(3, "dev*", 3)]),
            ("another description", vec![claim(), rule(2, "v*", 5), other]),
            ("no description", vec![claim(), rule(2, "v*", 5), none]),
            ("another order", vec![claim(), rule(3, "v*", 5), rule(2, "dev*", 3)]),
            ("one more rule", vec![claim(), rule(2, "v*", 5), rule(3, "dev*", 3), rule(4, "x*", 1)]),
            ("no claim of ours", vec![rule(1, "prod-pinned-*", 9_999), rule(2, "v*", 5), rule(3, "dev*", 3)]),
        ] {
            assert!(only_claims(&live, &text(&rules)).is_err(), "{what}");
        }
        // What takes pins by their age is somebody's will, and nothing that prodpin undoes by itself.
        let mut by_age = rule(1, "prod-pinned-*", 30);
        by_age["selection"]["countType"] = json!("sinceImagePushed");
        by_age["selection"]["countUnit"] = json!("days");
        let live = text(&[by_age, rule(2, "v*", 5)]);
        let lost = only_claims(&live, &recommend(Some(&live)).unwrap()).unwrap_err();
        assert!(lost.contains("rule 1 of the live policy would be lost"), "{lost}");
        // Nor does a claim rule come to keep fewer.
        let (many, few) = (text(&[rule(1, "prod-pinned-*", 90_000)]), text(&[rule(1, "prod-pinned-*", 9_999)]));
        assert!(only_claims(&many, &few).is_err());
        assert!(only_claims("{", &live).is_err() && only_claims(&live, "{}").is_err());
    }
}
