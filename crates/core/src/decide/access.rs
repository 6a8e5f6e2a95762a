//! Whom a repository policy lets delete images, or change what protects them (A11, A55).
//!
//! IAM's JSON is read as IAM evaluates it: an explicit unconditional deny wins, conditions on an allow are taken to be
//! met, and what is not understood is unknown and reported, never taken for harmless.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::{Code, EcrRepository, Finding, Setting, Severity};

use super::draft::Draft;
use super::wildcard;

/// What takes an artifact away, or takes away what protects it (A55).
const DANGEROUS: [&str; 6] = [
    "ecr:BatchDeleteImage",
    "ecr:DeleteLifecyclePolicy",
    "ecr:DeleteRepository",
    "ecr:PutImageTagMutability",
    "ecr:PutLifecyclePolicy",
    "ecr:UpdateImageStorageClass",
];

/// Principals that the repository policy lets do what only those in `may_delete` should.
pub(super) fn findings(draft: Draft<'_>, ecr: &EcrRepository, has_gaps: bool) -> Vec<Finding> {
    let unknown = |why: &str| {
        let message = format!("who may delete here could not be told: {why}");
        let remedy = "unknown is not forbidden: look at the repository policy";
        vec![draft.finding(Code::DeleteAllowed, Severity::Medium, message, remedy)]
    };
    let text = match &ecr.access {
        Setting::Unset => return Vec::new(),
        // A gap tells it already.
        Setting::Unknown if has_gaps => return Vec::new(),
        Setting::Unknown => return unknown("the repository policy could not be read"),
        Setting::Text(text) => text,
    };
    let Some(policy) = Policy::parse(text) else {
        return unknown("the repository policy is no IAM policy as it is known");
    };
    let allowed = |principal: &String| ecr.may_delete.iter().any(|glob| names(glob, principal));
    policy
        .grants()
        .into_iter()
        .filter(|(principal, _)| !allowed(principal))
        .map(|(principal, actions)| finding(draft, ecr, principal, &actions))
        .collect()
}

fn finding(draft: Draft<'_>, ecr: &EcrRepository, principal: String, actions: &BTreeSet<&str>) -> Finding {
    let actions: Vec<&str> = actions.iter().copied().collect();
    let actions = actions.join(", ");
    let own = principal == root_of(&ecr.registry);
    let (severity, message) = if principal == ANYONE {
        (Severity::High, format!("the repository policy lets anyone call {actions}"))
    } else if own {
        // Within one account identity policies suffice already (A11).
        let message = format!("the repository policy leaves {actions} to the account's own identity policies");
        (Severity::Low, message)
    } else {
        (Severity::Medium, format!("the repository policy lets {principal} call {actions}"))
    };
    let remedy = "deny these actions in the repository policy to everyone but the roles that need them, or name the principal under may_delete";
    Finding { reference: Some(principal), ..draft.finding(Code::DeleteAllowed, severity, message, remedy) }
}

/// Every principal, `*` included.
const ANYONE: &str = "*";

struct Policy(Vec<Statement>);

struct Statement {
    allows: bool,
    principals: Principals,
    actions: Actions,
    conditional: bool,
}

enum Principals {
    These(Vec<String>),
    AllBut(Vec<String>),
}

enum Actions {
    These(Vec<String>),
    AllBut(Vec<String>),
}

impl Policy {
    /// None if anything in it is not as IAM defines it: a statement that is misread could hide a grant.
    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let statements = match value.as_object()?.get("Statement")? {
            Value::Array(statements) => statements.iter().collect(),
            statement @ Value::Object(_) => vec![statement],
            _ => return None,
        };
        statements.into_iter().map(Statement::parse).collect::<Option<_>>().map(Self)
    }

    /// Who may do what of the dangerous, after denies.
    fn grants(&self) -> BTreeMap<String, BTreeSet<&'static str>> {
        let mut grants: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        for action in DANGEROUS {
            let about = |statement: &&Statement| statement.actions.include(action);
            let denies: Vec<&Statement> =
                self.0.iter().filter(|statement| !statement.allows && !statement.conditional).filter(about).collect();
            for statement in self.0.iter().filter(|statement| statement.allows).filter(about) {
                let granted = match &statement.principals {
                    Principals::These(these) => these.clone(),
                    // Whoever is not named, which is nearly everyone.
                    Principals::AllBut(_) => vec![ANYONE.to_owned()],
                };
                let left = denies.iter().fold(granted, |left, deny| deny.principals.take_from(left));
                left.into_iter().for_each(|principal| {
                    grants.entry(principal).or_default().insert(action);
                });
            }
        }
        grants
    }
}

impl Statement {
    fn parse(value: &Value) -> Option<Self> {
        let object = value.as_object()?;
        let allows = match object.get("Effect")?.as_str()? {
            "Allow" => true,
            "Deny" => false,
            _ => return None,
        };
        let principals = match (object.get("Principal"), object.get("NotPrincipal")) {
            (Some(principals), None) => Principals::These(principal_list(principals)?),
            (None, Some(others)) => Principals::AllBut(principal_list(others)?),
            _ => return None,
        };
        let actions = match (object.get("Action"), object.get("NotAction")) {
            (Some(actions), None) => Actions::These(texts(actions)?),
            (None, Some(others)) => Actions::AllBut(texts(others)?),
            _ => return None,
        };
        let conditional = match object.get("Condition") {
            None => false,
            Some(Value::Object(conditions)) => !conditions.is_empty(),
            Some(_) => return None,
        };
        // A deny of only some resources is not surely one of this repository.
        let narrowed = !allows && (object.contains_key("Resource") || object.contains_key("NotResource"));
        Some(Self { allows, principals, actions, conditional: conditional || narrowed })
    }
}

impl Actions {
    fn include(&self, action: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| wildcard::matches_action(pattern, action));
        match self {
            Self::These(patterns) => any(patterns),
            Self::AllBut(patterns) => !any(patterns),
        }
    }
}

impl Principals {
    /// What a deny of these leaves of the principals that something was granted to.
    fn take_from(&self, granted: Vec<String>) -> Vec<String> {
        match self {
            Self::These(denied) => {
                granted.into_iter().filter(|principal| !denied.iter().any(|denied| covers(denied, principal))).collect()
            }
            Self::AllBut(spared) => {
                let left = |principal: String| match spared.iter().any(|spared| covers(spared, &principal)) {
                    true => vec![principal],
                    // Of a whole account, or of everyone, those who are spared are left.
                    false => spared.iter().filter(|spared| covers(&principal, spared)).cloned().collect(),
                };
                granted.into_iter().flat_map(left).collect()
            }
        }
    }
}

/// Whether one principal is, or includes, another: everyone, or the account of it.
fn covers(wide: &str, narrow: &str) -> bool {
    let account = |arn: &str| arn.split(':').nth(4).map(str::to_owned);
    wide == ANYONE
        || wide == narrow
        || (wide.ends_with(":root") && narrow.starts_with("arn:") && account(wide) == account(narrow))
}

fn root_of(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// Whether an entry of `may_delete` names a principal. `*` in it does not stand for `*` itself unless it is all there
/// is: a pattern over some roles must not excuse everyone.
fn names(glob: &str, principal: &str) -> bool {
    if principal == ANYONE { glob == ANYONE } else { wildcard::matches_arn(glob, principal) }
}

/// `"*"`, or lists by kind: ARNs and account numbers, services, identity providers.
fn principal_list(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(anyone) if anyone == ANYONE => Some(vec![ANYONE.to_owned()]),
        Value::Object(kinds) => {
            let mut principals = Vec::new();
            for (kind, listed) in kinds {
                if !matches!(kind.as_str(), "AWS" | "Service" | "Federated" | "CanonicalUser") {
                    return None;
                }
                for principal in texts(listed)? {
                    let is_account = principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit());
                    principals.push(if is_account { root_of(&principal) } else { principal });
                }
            }
            Some(principals)
        }
        _ => None,
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(texts) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPLOYER: &str = "arn:aws:iam::111122223333:role/deployer";
    const CLEANER: &str = "arn:aws:iam::111122223333:role/cleaner";

    fn who_may_delete(statements: &str) -> Option<Vec<String>> {
        let policy = Policy::parse(&format!(r#"{{"Version":"2008-10-17","Statement":{statements}}}"#))?;
        let grants = policy.grants().into_iter().filter(|(_, actions)| actions.contains("ecr:BatchDeleteImage"));
        Some(grants.map(|(principal, _)| principal).collect())
    }

    fn allow(principal: &str, action: &str) -> String {
        format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":{action}}}"#)
    }

    fn aws(principal: &str) -> String {
        format!(r#"{{"AWS":"{principal}"}}"#)
    }

    #[test]
    fn an_allow_counts_however_it_is_written() {
        let root = root_of("444455556666");
        for (statement, expected) in [
            (allow("\"*\"", r#""ecr:BatchDeleteImage""#), vec![ANYONE]),
            (allow(&aws("*"), r#""ecr:*""#), vec![ANYONE]),
            (allow(&aws(DEPLOYER), r#"["ecr:Get*","ECR:batchdelete*"]"#), vec![DEPLOYER]),
            (allow(&aws("444455556666"), r#""*""#), vec![root.as_str()]),
            (allow(r#"{"Service":"lambda.amazonaws.com"}"#, r#""ecr:?atchDeleteImage""#), vec!["lambda.amazonaws.com"]),
            (allow(&aws(DEPLOYER), r#""ecr:BatchGetImage""#), vec![]),
            (format!(r#"{{"Effect":"Allow","Principal":{},"NotAction":"ecr:Get*"}}"#, aws(DEPLOYER)), vec![DEPLOYER]),
            (
                format!(r#"{{"Effect":"Allow","NotPrincipal":{},"Action":"ecr:*"}}"#, aws(DEPLOYER)),
                vec![ANYONE],
            ),
            (
                r#"{"Effect":"Allow","Principal":"*","Action":"ecr:*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}"#
                    .to_owned(),
                vec![ANYONE],
            ),
        ] {
            assert_eq!(who_may_delete(&statement).unwrap(), expected, "{statement}");
        }
    }

    #[test]
    fn only_an_unconditional_deny_takes_away() {
        let deny = |rest: &str| format!(r#"{{"Effect":"Deny","Action":"ecr:BatchDelete*",{rest}}}"#);
        let both = |deny: String, allowed: &str| format!("[{},{deny}]", allow(allowed, r#""ecr:*""#));
        for (statements, expected) in [
            (both(deny(r#""Principal":"*""#), "\"*\""), vec![]),
            (both(deny(&format!(r#""Principal":{}"#, aws(CLEANER))), &aws(DEPLOYER)), vec![DEPLOYER]),
            (both(deny(&format!(r#""Principal":{}"#, aws("111122223333"))), &aws(DEPLOYER)), vec![]),
            (both(deny(r#""Principal":"*","Condition":{"Bool":{"x":"true"}}"#), "\"*\""), vec![ANYONE]),
            (both(deny(&format!(r#""NotPrincipal":{}"#, aws(CLEANER))), "\"*\""), vec![CLEANER]),
            (both(deny(&format!(r#""NotPrincipal":{}"#, aws(CLEANER))), &aws(DEPLOYER)), vec![]),
            (both(deny(&format!(r#""NotPrincipal":{}"#, aws(CLEANER))), &aws("111122223333")), vec![CLEANER]),
        ] {
            assert_eq!(who_may_delete(&statements).unwrap(), expected, "{statements}");
        }
    }

    #[test]
    fn what_is_not_understood_is_unknown() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"Statement":[7]}"#,
            r#"{"Statement":{"Effect":"Perhaps","Principal":"*","Action":"ecr:*"}}"#,
            r#"{"Statement":{"Effect":"Allow","Principal":"*"}}"#,
            r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":7}}"#,
            r#"{"Statement":{"Effect":"Allow","Principal":{"New":"x"},"Action":"ecr:*"}}"#,
        ] {
            assert!(Policy::parse(text).is_none(), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Policy::parse(&deep).is_none());
    }

    #[test]
    fn a_pattern_over_roles_excuses_no_one_else() {
        assert!(names("arn:aws:iam::*:role/cleaner", CLEANER));
        assert!(!names("arn:aws:iam::*:role/cleaner", DEPLOYER));
        assert!(!names("arn:*", ANYONE));
        assert!(names("*", ANYONE));
    }
}
