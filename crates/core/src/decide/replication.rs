//! What Harbor's replication does to a repository and to copies of it elsewhere (J34): tags that are moved, deletions that are
//! carried over, and copies that a pin starts (J.0).

use crate::model::{
    Advice, AdviceKind, Cause, Code, Finding, HarborReplication, HarborReplicationDirection, HarborReplicationPolicy,
    HarborReplicationTrigger, HarborRepository, ObservedTag, Retention, Severity, Tag,
};

use super::commands::PIN_PATTERN;
use super::draft::Draft;
use super::lifecycle::harbor::{Lock, a_pin, lock};
use super::mutability::{must_stay, overwritten};
use super::rules::Rules;

/// One thing that a policy does here.
struct Danger {
    /// The policy's name.
    policy: String,
    code: Code,
    severity: Severity,
    message: String,
    remedy: String,
}

/// What a person should know of policies that reach the repository. What could not be read is told by `forecast`: a robot
/// account of one project never may, and its runs are complete.
pub(super) fn findings(
    draft: Draft<'_>,
    harbor: &HarborRepository,
    rules: &Rules,
    listed: &[&ObservedTag],
    has_targets: bool,
) -> Vec<Finding> {
    let finding = |danger: Danger| {
        let found = draft.finding(danger.code, danger.severity, danger.message, danger.remedy);
        Finding { reference: Some(danger.policy), ..found }
    };
    dangers(harbor, rules, listed, has_targets).map(finding).collect()
}

/// The same for a look ahead, with the copies that pins start, and what is not known.
pub(super) fn advice(
    harbor: &HarborRepository,
    rules: &Rules,
    listed: &[&ObservedTag],
    has_targets: bool,
) -> Vec<Advice> {
    let advice = |message, remedy| Advice { rule: None, kind: AdviceKind::Replication, message, remedy };
    if let HarborReplication::Unknown { cause, why } = &harbor.replication {
        let message = format!(
            "whether replication moves tags here, or carries deletions to copies elsewhere, is unknown: the replication \
             policies could not be read: {why}"
        );
        let remedy = match cause {
            Cause::Denied => {
                "grant replication-policy:list to a system robot account (one of a project cannot have it), or look under \
                 Administration > Replications"
            }
            Cause::NotFound | Cause::Unsupported => "look under Administration > Replications: its API shows none",
            _ => "look under Administration > Replications, or run again later",
        };
        return vec![advice(message, remedy.to_owned())];
    }
    let dangers = dangers(harbor, rules, listed, has_targets).map(|danger| advice(danger.message, danger.remedy));
    let started = started(harbor).map(|policy| advice(copies(policy), spare_pins(policy)));
    dangers.chain(started).collect()
}

/// What pins that are about to be made in the repository start, in one sentence; none if nothing that is known.
#[must_use]
pub fn started_by_pins(retention: &Retention) -> Option<String> {
    let Retention::Harbor(harbor) = retention else { return None };
    let all: Vec<String> = started(harbor).map(copies).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn dangers<'a>(
    harbor: &'a HarborRepository,
    rules: &'a Rules,
    listed: &'a [&'a ObservedTag],
    has_targets: bool,
) -> impl Iterator<Item = Danger> + 'a {
    policies(harbor).iter().filter_map(move |policy| match policy.direction {
        HarborReplicationDirection::Pull => moved_here(harbor, policy, rules, listed, has_targets),
        HarborReplicationDirection::Push => carried_over(harbor, policy),
    })
}

fn policies(harbor: &HarborRepository) -> &[HarborReplicationPolicy] {
    match &harbor.replication {
        HarborReplication::Unknown { .. } => &[],
        HarborReplication::Known(policies) => policies,
    }
}

/// A policy that copies into the repository moves what tags name here. It carries no deletions: only events do, and there are
/// none of another registry's. What a rule holds immutable Harbor refuses to move.
fn moved_here(
    harbor: &HarborRepository,
    policy: &HarborReplicationPolicy,
    rules: &Rules,
    listed: &[&ObservedTag],
    has_targets: bool,
) -> Option<Danger> {
    if !policy.overrides || !policy.arrives_in(harbor) {
        return None;
    }
    let is_free = |tag: &str| policy.lets_pass(tag) && !matches!(lock(harbor, [tag]), Lock::By(_));
    let releases = listed.iter().filter(|tag| must_stay(rules, tag) && is_free(tag.name.as_str()));
    let releases: Vec<&Tag> = releases.map(|tag| &tag.name).collect();
    let what = overwritten(has_targets && is_free(&a_pin()), &releases)?;
    Some(Danger {
        policy: policy.name.to_string(),
        code: Code::TagsMutable,
        severity: Severity::Medium,
        message: format!(
            "replication policy {} copies from registry {} into this repository and moves tags that differ: {what}",
            policy.name, policy.registry
        ),
        remedy: format!(
            "turn off `Override` in that replication policy, or add an immutability rule for these tags to project {}: \
             Harbor then refuses the copy",
            harbor.project
        ),
    })
}

/// A policy that copies from the repository makes its copy elsewhere follow what happens here.
fn carried_over(harbor: &HarborRepository, policy: &HarborReplicationPolicy) -> Option<Danger> {
    if !policy.takes_from(harbor) {
        return None;
    }
    let HarborReplicationPolicy { name, registry, .. } = policy;
    let deletes = policy.deletes && is_on_events(policy);
    let (code, severity, message, remedy) = match (deletes, policy.overrides) {
        (false, false) => return None,
        (true, overrides) => (
            Code::DeleteAllowed,
            Severity::Low,
            format!(
                "replication policy {name} carries every deletion here to registry {registry} at once{}: the copy there \
                 does not survive what deletes the release here",
                if overrides { ", and every moved tag" } else { "" }
            ),
            "turn off `Delete remote resources when locally deleted` in that replication policy, or keep copies in a vault \
             (`vault:` in the policy)",
        ),
        (false, true) => (
            Code::TagsMutable,
            Severity::Info,
            format!("replication policy {name} moves tags at registry {registry} when they moved here"),
            "nothing to do, unless the copy there is to survive a moved tag: turn off `Override` in that replication policy",
        ),
    };
    Some(Danger { policy: name.to_string(), code, severity, message, remedy: remedy.to_owned() })
}

/// The policies that the tag of a pin starts.
fn started(harbor: &HarborRepository) -> impl Iterator<Item = &HarborReplicationPolicy> {
    let pin = a_pin();
    policies(harbor).iter().filter(move |policy| {
        policy.direction == HarborReplicationDirection::Push
            && is_on_events(policy)
            && policy.takes_from(harbor)
            && policy.lets_pass(&pin)
    })
}

fn is_on_events(policy: &HarborReplicationPolicy) -> bool {
    matches!(policy.trigger, HarborReplicationTrigger::OnEvents | HarborReplicationTrigger::Unknown)
}

fn copies(policy: &HarborReplicationPolicy) -> String {
    format!(
        "each pin made here starts replication policy {}, which copies it to registry {} as a tag: a push there",
        policy.name, policy.registry
    )
}

fn spare_pins(policy: &HarborReplicationPolicy) -> String {
    format!(
        "nothing to do if pins are wanted there; else exclude tags `{PIN_PATTERN}` in replication policy {}",
        policy.name
    )
}

#[cfg(test)]
mod tests;
