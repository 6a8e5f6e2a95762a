//! The two rules by which a pin holds in Harbor (D116): one that makes `prod-pinned-*` immutable, and one that retains it
//! whatever comes. And what keeps them from it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::fate::fates;
use super::immutability::is_immutable;
use super::launch::Launch;
use super::rules::Rules;
use super::terraform;
use crate::model::{Digest, HarborArtifact, HarborRepository, HarborTag, Pin, Setting};

/// Harbor's portal takes no more (J23).
const MOST_RULES: usize = 15;

/// Whether pins hold against the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Whether a rule retains whatever has a pin, or no rule takes anything here.
    pub retained: bool,
    /// Whether pins are immutable here; none where a malformed rule ends the matching before it comes to one that says so:
    /// then nothing is (J25).
    pub immutable: Option<bool>,
}

/// How pins fare in the repository.
#[must_use]
pub fn holding(rules: &Rules, repository: &HarborRepository) -> Holding {
    let tags = [a_pin()];
    let names: Vec<&str> = tags.iter().map(String::as_str).collect();
    let matched = is_immutable(&rules.immutable, &repository.name, &names);
    let immutable = match matched {
        Ok(false) => Some(false),
        Ok(true) => Some(rules.locks(repository, &names)),
        Err(_) => None,
    };
    Holding { retained: is_retained(rules, repository), immutable }
}

fn is_retained(rules: &Rules, repository: &HarborRepository) -> bool {
    let Launch::Job(in_job) = rules.launch(repository) else { return true };
    let pinned = HarborArtifact {
        digest: Digest::sha256(b""),
        tags: vec![HarborTag { name: a_pin().into(), pushed: Timestamp::UNIX_EPOCH, pulled: None }],
        pushed: Timestamp::UNIX_EPOCH,
        pulled: None,
        labels: Vec::new(),
        is_referenced: false,
        children: Vec::new(),
    };
    let artifacts = [pinned];
    let job = rules.job(repository, &in_job, &artifacts, Timestamp::UNIX_EPOCH);
    // A job that fails for certain deletes nothing, and its rules may be mended.
    let Ok(fates) = fates(&job) else { return false };
    fates.is_idle && fates.failed.is_none() || fates.of.values().any(|fate| fate.always.is_some())
}

/// A pin like any other: rules that hold it hold all.
#[must_use]
pub fn a_pin() -> String {
    Pin::for_digest(&Digest::sha256(b"")).to_string()
}

/// The requests that are lacking, as a list of method, path and body, each with what stands for it in Terraform; empty if
/// pins hold already.
pub fn recommend(repository: &HarborRepository) -> Result<String, String> {
    let rules = Rules::read(repository)?;
    let holding = holding(&rules, repository);
    let mut requests = Vec::new();
    match holding.immutable {
        Some(true) => {}
        Some(false) => requests.push(json!({
            "method": "POST",
            "path": format!("/api/v2.0/projects/{}/immutabletagrules", repository.project),
            "body": immutability_rule(),
            "terraform": terraform::immutability(&repository.project),
        })),
        None => {
            return Err(
                "an immutability rule of the project has a malformed selector, and Harbor holds nothing immutable \
                        behind it; mend that rule first"
                    .to_owned(),
            );
        }
    }
    if let (false, Setting::Text(text)) = (holding.retained, &repository.policy) {
        requests.push(with_retain_rule(&repository.project, text)?);
    }
    serde_json::to_string_pretty(&requests).map_err(|error| error.to_string())
}

/// What `POST …/immutabletagrules` takes (D111).
fn immutability_rule() -> Value {
    json!({
        "action": "immutable",
        "template": "immutable_template",
        "tag_selectors": [pins()],
        "scope_selectors": { "repository": [everywhere()] },
    })
}

/// The policy as it is with one rule more.
fn with_retain_rule(project: &str, text: &str) -> Result<Value, String> {
    let mut policy: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let id = policy.get("id").and_then(Value::as_i64).ok_or("the retention policy does not tell its id")?;
    let rules = policy.get_mut("rules").and_then(Value::as_array_mut).ok_or("the retention policy has no rules")?;
    if rules.len() >= MOST_RULES {
        return Err(format!(
            "the retention policy has {} rules, and Harbor takes {MOST_RULES}: there is no room",
            rules.len()
        ));
    }
    rules.push(json!({
        "action": "retain",
        "template": "always",
        "params": {},
        "tag_selectors": [pins_alone()],
        "scope_selectors": { "repository": [everywhere()] },
    }));
    let terraform = terraform::retention(project, &policy);
    Ok(json!({ "method": "PUT", "path": format!("/api/v2.0/retentions/{id}"), "body": policy, "terraform": terraform }))
}

fn pins() -> Value {
    json!({ "kind": "doublestar", "decoration": "matches", "pattern": format!("{}*", Pin::PREFIX) })
}

/// Without it the rule would retain everything that has no tag, too (J21).
fn pins_alone() -> Value {
    let mut selector = pins();
    selector["extras"] = r#"{"untagged":false}"#.into();
    selector
}

fn everywhere() -> Value {
    json!({ "kind": "doublestar", "decoration": "repoMatches", "pattern": "**" })
}
