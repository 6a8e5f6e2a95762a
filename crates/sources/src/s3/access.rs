//! What a bucket's policy says about bypassing governance (B62, F49).

use serde_json::Value;

const BYPASS: &str = "s3:BypassGovernanceRetention";

/// The principals that the policy allows to bypass governance; none if it cannot be understood. An unconditional denial
/// to everyone undoes what is allowed; a denial with conditions may spare someone, and undoes nothing.
pub(super) fn may_bypass(policy: &str) -> Option<Vec<String>> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let statements = listed(policy.get("Statement")?);
    let concerns = |statement: &&Value, effect: &str| {
        statement.get("Effect").and_then(Value::as_str) == Some(effect) && names(statement)
    };
    let denied_to_all = statements.iter().any(|statement| {
        concerns(statement, "Deny") && statement.get("Condition").is_none() && principals(statement) == ["*"]
    });
    if denied_to_all {
        return Some(Vec::new());
    }
    let mut allowed: Vec<String> =
        statements.iter().filter(|statement| concerns(statement, "Allow")).flat_map(|s| principals(s)).collect();
    allowed.sort();
    allowed.dedup();
    Some(allowed)
}

fn listed(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        value => vec![value],
    }
}

/// Whether a statement's actions include the bypass.
fn names(statement: &Value) -> bool {
    let any = |actions: &Value| listed(actions).into_iter().filter_map(Value::as_str).any(covers);
    match (statement.get("Action"), statement.get("NotAction")) {
        (Some(actions), _) => any(actions),
        (None, Some(others)) => !any(others),
        (None, None) => false,
    }
}

/// Actions are compared without regard to case, `*` stands for anything and `?` for one character.
fn covers(pattern: &str) -> bool {
    fn fits(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|end| fits(rest, &text[end..])),
            ([b'?', pattern @ ..], [_, text @ ..]) => fits(pattern, text),
            ([one, pattern @ ..], [other, text @ ..]) if one.eq_ignore_ascii_case(other) => fits(pattern, text),
            _ => false,
        }
    }
    // Two stars are as good as the most that anybody writes; a hostile pattern ends nowhere.
    pattern.matches('*').count() <= 4 && fits(pattern.as_bytes(), BYPASS.as_bytes()) || pattern.matches('*').count() > 4
}

fn principals(statement: &Value) -> Vec<String> {
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(Value::Object(kinds)), _) => {
            let names = kinds.values().flat_map(listed).filter_map(Value::as_str);
            names.map(str::to_owned).collect()
        }
        (Some(principal), _) => listed(principal).into_iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        (None, Some(_)) => vec!["everyone but a few".to_owned()],
        (None, None) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_bypass_governance_f49() {
        let policy =
            |statements: &str| may_bypass(&format!("{{\"Version\":\"2012-10-17\",\"Statement\":{statements}}}"));
        let role = r#"{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::1:role/b","arn:aws:iam::1:role/a"]},"#;
        let a_and_b = Some(vec!["arn:aws:iam::1:role/a".to_owned(), "arn:aws:iam::1:role/b".to_owned()]);
        assert_eq!(policy(&format!(r#"[{role}"Action":"s3:BypassGovernanceRetention"}}]"#)), a_and_b);
        assert_eq!(policy(&format!(r#"{role}"Action":["s3:Get*","S3:bypass*"]}}"#)), a_and_b);
        assert_eq!(policy(&format!(r#"[{role}"NotAction":"s3:GetObject"}}]"#)), a_and_b);
        assert_eq!(policy(&format!(r#"[{role}"Action":"s3:Get*"}}]"#)), Some(vec![]));
        let deny = r#"{"Effect":"Deny","Principal":"*","Action":"s3:*""#;
        assert_eq!(policy(&format!(r#"[{role}"Action":"*"}},{deny}}}]"#)), Some(vec![]));
        assert_eq!(policy(&format!(r#"[{role}"Action":"*"}},{deny},"Condition":{{}}}}]"#)), a_and_b);
        assert_eq!(policy(r#"[{"Effect":"Allow","Principal":"*","Action":"s3:*"}]"#), Some(vec!["*".to_owned()]));
        assert_eq!(may_bypass("no policy"), None);
    }
}
