//! Every auto-prune policy that bears on a repository, by scope; or why they are not known.

use super::super::quay::policy::{PrunePolicy, PruneRule};
use crate::model::{QuayPolicies, QuayPolicy, QuayRepository};

/// A policy with the scope that it is of.
pub(super) struct Rule {
    pub(super) policy: PrunePolicy,
    pub(super) name: String,
}

impl Rule {
    pub(super) fn counts(&self) -> bool {
        matches!(self.policy.rule, PruneRule::NumberOfTags(_))
    }

    /// Where that is not certain, `rules` has said so before.
    pub(super) fn looks_at(&self, tag: &str) -> bool {
        self.policy.looks_at(tag).is_ok_and(|fit| fit.matches)
    }
}

/// Every policy that bears on the repository, by scope; why they are not known, if they are not.
pub(super) fn rules(repository: &QuayRepository) -> Result<Vec<Rule>, String> {
    let Some(server) = &repository.server else {
        return Err(
            "the server's configuration, which has the operator's auto-prune policy, could not be read".to_owned()
        );
    };
    if !server.prunes {
        return Ok(Vec::new());
    }
    if repository.is_normal.is_none() {
        return Err("whether the repository is pruned at all could not be read".to_owned());
    }
    let mut rules = of_scope("organization", &repository.of_namespace)?;
    rules.extend(of_scope("repository", &repository.own)?);
    for policy in &server.default_policy {
        rules.push(read("default", 0, policy)?);
    }
    Ok(rules)
}

fn of_scope(scope: &str, policies: &QuayPolicies) -> Result<Vec<Rule>, String> {
    match policies {
        QuayPolicies::Known(policies) => {
            policies.iter().enumerate().map(|(at, policy)| read(scope, at, policy)).collect()
        }
        QuayPolicies::Unknown { detail } => Err(detail.clone()),
    }
}

fn read(scope: &str, at: usize, policy: &QuayPolicy) -> Result<Rule, String> {
    let QuayPolicy { method, value, pattern, matches } = policy;
    let name = format!("{scope} {method} {}", value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned));
    let policy = PrunePolicy::read(&format!("{scope}{at}"), method, value, pattern.as_deref(), *matches)
        .map_err(|_| format!("the auto-prune policy \"{name}\" is none that Quay takes"))?;
    match &policy.pattern {
        Some(Err(_)) => Err(format!(
            "PostgreSQL refuses the pattern {:.80?} of the auto-prune policy \"{name}\", and Quay's runs end there, untold",
            pattern.as_deref().unwrap_or_default()
        )),
        Some(Ok(_)) | None => Ok(Rule { policy, name }),
    }
}
