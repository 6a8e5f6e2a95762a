//! Every auto-prune policy that bears on a repository, by scope; or why they are not known.

use super::super::Situation;
use super::super::quay::policy::{PrunePolicy, PruneRule};
use crate::model::{QuayCache, QuayPolicies, QuayPolicy, QuayRepository, QuayState};

/// The policies of an organization or user.
pub(super) const ORGANIZATION: &str = "organization";

/// Those of the repository.
pub(super) const REPOSITORY: &str = "repository";

/// The operator's, of every organization.
pub(super) const DEFAULT: &str = "default";

/// A policy with the scope that it is of.
pub(super) struct Rule {
    pub(super) scope: &'static str,
    pub(super) policy: PrunePolicy,
    pub(super) name: String,
}

impl Rule {
    pub(super) fn counts(&self) -> bool {
        matches!(self.policy.rule, PruneRule::NumberOfTags(_))
    }

    /// Where that is not certain, `readable` has said so before.
    pub(super) fn looks_at(&self, tag: &str) -> bool {
        self.policy.looks_at(tag).is_ok_and(|fit| fit.matches)
    }
}

/// Whether what a count takes may hang on an order that Quay does not set: that of several counts of one scope, and whether the
/// operator's policy or the namespace's own run comes first (K53b, K53d).
pub(super) fn order_is_open(rules: &[Rule]) -> bool {
    let counts = |scope: &str| rules.iter().filter(|rule| rule.scope == scope && rule.counts()).count();
    let has_default = rules.iter().any(|rule| rule.scope == DEFAULT);
    let beside_default = has_default && rules.len() > 1 && rules.iter().any(Rule::counts);
    counts(ORGANIZATION) > 1 || counts(REPOSITORY) > 1 || beside_default
}

/// Every policy that bears on the repository, where all that they count is known and it is certain which of these tags they
/// look at.
pub(super) fn readable<'n>(
    situation: &Situation<'_>,
    repository: &QuayRepository,
    names: impl Iterator<Item = &'n str>,
) -> Result<Vec<Rule>, String> {
    is_ruled_by_policies_alone(repository)?;
    let rules = rules(repository)?;
    if !situation.snapshot.listing_is_complete() || !repository.disputed.is_empty() {
        return Err("not every tag was listed with what Quay's policies go by".to_owned());
    }
    for name in names {
        if let Some(rule) = rules.iter().find(|rule| rule.policy.looks_at(name).is_ok_and(|fit| !fit.certain)) {
            return Err(format!(
                "whether the pattern of the auto-prune policy \"{}\" fits {name} is not surely read as PostgreSQL reads it",
                rule.name
            ));
        }
    }
    Ok(rules)
}

/// Why it is not for policies alone to say what stays in it, if it is not, whether anything is pruned or not. A mirror's
/// synchronisation deletes every tag that the upstream lacks, which are all pins.
fn is_ruled_by_policies_alone(repository: &QuayRepository) -> Result<(), String> {
    match &repository.state {
        None => return Err("whether the repository is pruned, or is a mirror, could not be read".to_owned()),
        Some(QuayState::Normal | QuayState::ReadOnly) => {}
        Some(QuayState::Other(state)) => {
            return Err(match &**state {
                "MIRROR" | "ORG_MIRROR" => {
                    format!("its state is {state}: its synchronisation deletes what the upstream lacks")
                }
                "MARKED_FOR_DELETION" => format!("its state is {state}: Quay is deleting it"),
                _ => format!("its state is {state:.40}, and what Quay does to such a repository is not known"),
            });
        }
    }
    match &repository.cache {
        QuayCache::None => Ok(()),
        QuayCache::Of(upstream) => {
            Err(format!("its organization caches {upstream:.200}, and what Quay removes from a cache is not known"))
        }
        QuayCache::Unknown { detail } => {
            Err(format!("whether its organization is a cache of another registry is not known: {detail}"))
        }
    }
}

/// Every policy that bears on the repository, by scope; why they are not known, if they are not.
fn rules(repository: &QuayRepository) -> Result<Vec<Rule>, String> {
    let Some(server) = &repository.server else {
        return Err(
            "the server's configuration, which has the operator's auto-prune policy, could not be read".to_owned()
        );
    };
    if !server.prunes {
        return Ok(Vec::new());
    }
    let mut rules = of_scope(ORGANIZATION, &repository.of_namespace)?;
    rules.extend(of_scope(REPOSITORY, &repository.own)?);
    if let Some(policy) = &server.default_policy {
        rules.push(read(DEFAULT, 0, policy)?);
    }
    Ok(rules)
}

fn of_scope(scope: &'static str, policies: &QuayPolicies) -> Result<Vec<Rule>, String> {
    match policies {
        QuayPolicies::Known(policies) => {
            policies.iter().enumerate().map(|(at, policy)| read(scope, at, policy)).collect()
        }
        QuayPolicies::Unknown { detail } => Err(detail.clone()),
    }
}

fn read(scope: &'static str, at: usize, policy: &QuayPolicy) -> Result<Rule, String> {
    let QuayPolicy { method, value, pattern, matches } = policy;
    let name = format!("{scope} {method} {}", value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned));
    let policy = PrunePolicy::read(&format!("{scope}{at}"), method, value, pattern.as_deref(), *matches)
        .map_err(|_| format!("the auto-prune policy \"{name}\" is none that Quay takes"))?;
    match &policy.pattern {
        Some(Err(_)) => Err(format!(
            "PostgreSQL refuses the pattern {:.80?} of the auto-prune policy \"{name}\", and Quay's runs end there without a \
             message; correct it",
            pattern.as_deref().unwrap_or_default()
        )),
        Some(Ok(_)) | None => Ok(Rule { scope, policy, name }),
    }
}
