//! The rules of a project: what its cleanup policy is, which tags are protected, and which are immutable.

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, encoded};
use super::documents::{Connection, ProjectDocument, RuleNode};
use prodpin_core::model::{Cause, Gap, Scope, Setting};
use prodpin_net::http::fault::Fault;

/// A key that GitLab gives to members and to nobody else, with the policy beside it where there is one.
const FULL: &str = "container_registry_access_level";

/// Since when, or on which day, a project is to be deleted.
const GOING: [&str; 2] = ["marked_for_deletion_on", "marked_for_deletion_at"];

const POLICY: &str = "container_expiration_policy";

/// Tag rules of a project. GitLab takes five of a kind.
const RULES_QUERY: &str = "query($path: ID!) { project(fullPath: $path) { containerProtectionTagRules(first: 100) { nodes { \
                           tagNamePattern immutable } pageInfo { hasNextPage } } } }";

/// The project's cleanup policy, and why it is unknown where it is.
pub(super) fn policy(api: &Api, document: &ProjectDocument) -> (Setting, Option<Gap>) {
    // With the project its repositories go, whatever its rules are.
    if GOING.iter().any(|key| document.rest.get(*key).is_some_and(|date| !date.is_null())) {
        let detail = format!(
            "GitLab is to delete project {:.200?} with everything in it: restore the project in its settings",
            document.path_with_namespace
        );
        return (Setting::Unknown, Some(Gap::new(Scope::Setting, Cause::Refused, detail)));
    }
    match document.rest.get(POLICY) {
        Some(Value::Null) => (Setting::Unset, None),
        Some(policy) => (Setting::Text(policy.to_string().into()), None),
        None if document.rest.contains_key(FULL) => (Setting::Unset, None),
        None => {
            let path = format!("v4/projects/{}", encoded(&document.path_with_namespace));
            let detail = format!(
                "{}: the project is shown as to a stranger, without its cleanup policy; {}",
                api.what(&path),
                super::api::LACKS
            );
            (Setting::Unknown, Some(Gap::new(Scope::Setting, Cause::Denied, detail)))
        }
    }
}

/// What was read of the tag rules.
pub(super) struct TagRules {
    pub(super) protected: Setting,
    pub(super) immutable: Setting,
    pub(super) gap: Option<Gap>,
}

/// Who may delete which tags. The REST API leaves immutable rules out, and GraphQL shows none to whoever is no Maintainer: who
/// is one, the REST API says.
pub(super) async fn tag_rules(api: &Api, document: &ProjectDocument) -> TagRules {
    let path = format!("v4/projects/{}/registry/protection/tag/rules", document.id);
    let (protected, gap) = match api.find::<Vec<Value>>(&path).await {
        Ok(Some(rules)) if rules.is_empty() => (Setting::Unset, None),
        Ok(Some(rules)) => (Setting::Text(Value::Array(rules).to_string().into()), None),
        // Before GitLab 18.7 there is no such call, and nothing is taken for safe by what it would say.
        Ok(None) => (Setting::Unknown, None),
        Err(fault) => (Setting::Unknown, Some(unread(fault).gap(Scope::Setting))),
    };
    let immutable = immutable(api, &document.path_with_namespace, protected != Setting::Unknown).await;
    TagRules { protected, immutable, gap }
}

async fn immutable(api: &Api, project: &str, shows_all: bool) -> Setting {
    #[derive(Deserialize)]
    struct Data {
        project: Option<Project>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Project {
        container_protection_tag_rules: Option<Connection<RuleNode>>,
    }
    // Whether pins are immutable decides nothing else, and that it is unknown is said there.
    let data = match api.graphql::<Data>(RULES_QUERY, &json!({ "path": project })).await {
        Ok(Some(data)) => data,
        // A release without them.
        Ok(None) => return if shows_all { Setting::Unset } else { Setting::Unknown },
        Err(_) => return Setting::Unknown,
    };
    let rules = data.project.and_then(|project| project.container_protection_tag_rules);
    let Some(rules) = rules.filter(|rules| !rules.page_info.has_next_page) else { return Setting::Unknown };
    let is_whole = shows_all && rules.nodes.iter().all(Option::is_some);
    let immutable = rules.nodes.into_iter().flatten().filter(|rule| rule.immutable);
    let immutable: Vec<Value> = immutable.map(|rule| json!({ "tag_name_pattern": rule.tag_name_pattern })).collect();
    match immutable.is_empty() {
        false => Setting::Text(Value::Array(immutable).to_string().into()),
        true if is_whole => Setting::Unset,
        true => Setting::Unknown,
    }
}

fn unread(fault: Fault) -> Fault {
    let detail = match fault.cause {
        Cause::Denied => format!("{}; tag rules are shown to the role Maintainer and above", fault.detail),
        _ => fault.detail,
    };
    Fault { detail: format!("{detail}; which tags are protected is unknown"), ..fault }
}
