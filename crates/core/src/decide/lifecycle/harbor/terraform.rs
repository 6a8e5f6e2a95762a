//! The same two rules for whoever keeps Harbor's settings in Terraform, as resources of the provider `goharbor/harbor`.
//!
//! That provider owns a retention policy as a whole: one with the new rule alone would delete all the others and, with them, what
//! they retain. So the policy is written with every rule that it has, or not at all.

use serde_json::Value;

use super::policy::{RetentionPolicy, RetentionRule, SelectorText};
use super::untagged;
use crate::model::Pin;

/// The immutability rule for pins in a project.
pub(super) fn immutability(project: &str) -> String {
    let label = label(project);
    let rule = attributes(
        2,
        &[
            ("project_id", format!("data.harbor_project.{label}.id")),
            ("repo_matching", text("**")),
            ("tag_matching", text(&format!("{}*", Pin::PREFIX))),
        ],
    );
    format!(
        "data \"harbor_project\" \"{label}\" {{\n  name = {}\n}}\n\nresource \"harbor_immutable_tag_rule\" \
         \"{label}_prod_pinned\" {{\n{rule}}}\n",
        text(project)
    )
}

/// A retention policy, as it is to be; where the provider cannot express it, a comment that says why.
pub(super) fn retention(project: &str, policy: &Value) -> String {
    match written(project, policy) {
        Ok(resource) => resource,
        Err(why) => format!("# {why}: change the retention policy of this project by the request, or in the portal\n"),
    }
}

fn written(project: &str, document: &Value) -> Result<String, String> {
    let policy = RetentionPolicy::parse(&document.to_string())?;
    let number =
        |value: &Value, what: &str| value.as_i64().ok_or_else(|| format!("the policy does not tell its {what}"));
    let (id, scope) = (number(&document["id"], "id")?, number(&document["scope"]["ref"], "project")?);
    if policy.scope.level != "project" || !matches!(policy.algorithm.as_str(), "" | "or") {
        return Err("Terraform's provider for Harbor takes policies of a project alone, joined by `or`".to_owned());
    }
    let mut head = vec![("scope", text(&format!("/projects/{scope}")))];
    match (policy.cron(), policy.trigger.settings.get("cron").and_then(Value::as_str)) {
        (Some(cron), _) => head.push(("schedule", text(cron))),
        (None, None | Some("")) => {}
        (None, Some(_)) => {
            return Err("the policy has a trigger that Terraform's provider for Harbor does not know".to_owned());
        }
    }
    let mut blocks = String::new();
    for (rule, place) in policy.rules.iter().zip(1..) {
        let rule = attributes(4, &rule_of(rule).map_err(|why| format!("rule {place} {why}"))?);
        blocks.push_str(&format!("\n  rule {{\n{rule}  }}\n"));
    }
    let label = label(project);
    Ok(format!(
        "import {{\n  to = harbor_retention_policy.{label}\n  id = \"/retentions/{id}\"\n}}\n\nresource \
         \"harbor_retention_policy\" \"{label}\" {{\n{}{blocks}}}\n",
        attributes(2, &head)
    ))
}

type Attributes = Vec<(&'static str, String)>;

fn rule_of(rule: &RetentionRule) -> Result<Attributes, String> {
    let name = &rule.template;
    let template = match name.as_str() {
        "always" => ("always_retain", "true".to_owned()),
        "latestPushedK" => ("most_recently_pushed", counted(rule)?),
        "latestPulledN" => ("most_recently_pulled", counted(rule)?),
        "nDaysSinceLastPush" => ("n_days_since_last_push", counted(rule)?),
        "nDaysSinceLastPull" => ("n_days_since_last_pull", counted(rule)?),
        _ => return Err(format!("({name}) is of a kind that Terraform's provider for Harbor does not have")),
    };
    let odd = || Err("has selectors that Terraform's provider for Harbor cannot express".to_owned());
    let scopes = rule.scope_selectors.get("repository").map_or(&[][..], Vec::as_slice);
    let ([tag], [repository], "retain", 1) =
        (&rule.tag_selectors[..], scopes, rule.action.as_str(), rule.scope_selectors.len())
    else {
        return odd();
    };
    let is_plain = |selector: &SelectorText| selector.kind == "doublestar" && !selector.pattern.is_empty();
    let (of_tag, is_default) = match tag.decoration.as_str() {
        "matches" => ("tag_matching", true),
        "excludes" => ("tag_excluding", false),
        _ => return odd(),
    };
    let of_repository = match repository.decoration.as_str() {
        "repoMatches" => "repo_matching",
        "repoExcludes" => "repo_excluding",
        _ => return odd(),
    };
    if !is_plain(tag) || !is_plain(repository) {
        return odd();
    }
    let mut found = Vec::new();
    if rule.disabled {
        found.push(("disabled", "true".to_owned()));
    }
    found.extend([template, (of_repository, text(&repository.pattern)), (of_tag, text(&tag.pattern))]);
    // The provider says it of every rule.
    let untagged = untagged::said(&tag.extras).unwrap_or(is_default);
    found.push(("untagged_artifacts", untagged.to_string()));
    Ok(found)
}

/// What a rule counts, as Harbor itself reads it where it is a whole number; of anything else the provider would make another.
fn counted(rule: &RetentionRule) -> Result<String, String> {
    let value = rule.parameters.get(&rule.template).and_then(Value::as_i64).filter(|value| *value > 0);
    value.map(|value| value.to_string()).ok_or_else(|| format!("({}) counts by no whole number above 0", rule.template))
}

/// Lines as `terraform fmt` writes them: the signs below each other.
fn attributes(indent: usize, all: &[(&'static str, String)]) -> String {
    let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    all.iter().map(|(name, value)| format!("{:indent$}{name:width$} = {value}\n", "")).collect()
}

/// A name for a project's resources.
fn label(project: &str) -> String {
    let plain: String = project.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    match plain.starts_with(|first: char| first.is_ascii_digit()) {
        true => format!("project_{plain}"),
        false => plain,
    }
}

/// A text in quotes, in which nothing is a template.
fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '$' | '%' if letters.peek() == Some(&'{') => quoted.extend([letter, letter]),
            letter if letter.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(template: &str, value: &Value, tags: (&str, &str, &str)) -> Value {
        json!({
            "action": "retain", "template": template, "params": { template: value },
            "tag_selectors": [{ "kind": "doublestar", "decoration": tags.0, "pattern": tags.1, "extras": tags.2 }],
            "scope_selectors": { "repository": [
                { "kind": "doublestar", "decoration": "repoMatches", "pattern": "team/**" },
            ] },
        })
    }

    fn policy(rules: &[Value]) -> Value {
        json!({
            "id": 7, "algorithm": "or", "rules": rules, "scope": { "level": "project", "ref": 4 },
            "trigger": { "kind": "Schedule", "settings": { "cron": "0 0 3 * * *" } },
        })
    }

    #[test]
    fn an_immutability_rule_names_its_project() {
        assert_eq!(
            immutability("shop.eu"),
            "data \"harbor_project\" \"shop_eu\" {\n  name = \"shop.eu\"\n}\n\n\
             resource \"harbor_immutable_tag_rule\" \"shop_eu_prod_pinned\" {\n\
             \u{20} project_id    = data.harbor_project.shop_eu.id\n\
             \u{20} repo_matching = \"**\"\n\
             \u{20} tag_matching  = \"prod-pinned-*\"\n}\n"
        );
        assert!(immutability("1st").contains("\"harbor_project\" \"project_1st\" {"));
    }

    #[test]
    fn a_policy_is_written_with_all_its_rules() {
        let rules = [
            rule("latestPushedK", &json!(10), ("matches", "v*", r#"{"untagged":false}"#)),
            rule("nDaysSinceLastPull", &json!(30), ("excludes", "${x}\"\\", "")),
        ];
        assert_eq!(
            retention("shop", &policy(&rules)),
            "import {\n  to = harbor_retention_policy.shop\n  id = \"/retentions/7\"\n}\n\n\
             resource \"harbor_retention_policy\" \"shop\" {\n\
             \u{20} scope    = \"/projects/4\"\n\
             \u{20} schedule = \"0 0 3 * * *\"\n\n\
             \u{20} rule {\n\
             \u{20}   most_recently_pushed = 10\n\
             \u{20}   repo_matching        = \"team/**\"\n\
             \u{20}   tag_matching         = \"v*\"\n\
             \u{20}   untagged_artifacts   = false\n\
             \u{20} }\n\n\
             \u{20} rule {\n\
             \u{20}   n_days_since_last_pull = 30\n\
             \u{20}   repo_matching          = \"team/**\"\n\
             \u{20}   tag_excluding          = \"$${x}\\\"\\\\\"\n\
             \u{20}   untagged_artifacts     = false\n\
             \u{20} }\n}\n"
        );
    }

    #[test]
    fn one_rule_that_cannot_be_written_leaves_no_policy_that_lacks_it() {
        let good = rule("always", &json!({}), ("matches", "v*", ""));
        let with = |name: &str, value: Value| {
            let mut rule = good.clone();
            rule[name] = value;
            rule
        };
        for odd in [
            rule("latestActiveK", &json!(10), ("matches", "v*", "")),
            rule("latestPushedK", &json!(0), ("matches", "v*", "")),
            rule("latestPushedK", &json!("10"), ("matches", "v*", "")),
            rule("always", &json!({}), ("matches", "", "")),
            rule("always", &json!({}), ("repoMatches", "v*", "")),
            with("tag_selectors", json!([])),
            with("scope_selectors", json!({})),
            with("action", json!("delete")),
        ] {
            let text = retention("shop", &policy(&[good.clone(), odd.clone()]));
            assert!(text.starts_with("# rule 2 ") && text.lines().count() == 1, "{odd}: {text}");
        }
        let nameless = json!({ "rules": [good] });
        assert!(retention("shop", &nameless).starts_with("# the policy does not tell its id"));
    }
}
