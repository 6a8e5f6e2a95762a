//! Findings about lifecycle rules that reach a rollback target, or against which no pin holds.

use jiff::Timestamp;

use crate::model::{Advice, AdviceKind, Code, Finding, Retention, Severity, Threat};
use crate::outcome::report::{RepositoryReport, TargetReport};

use super::commands;
use super::draft::Draft;
use super::lifecycle;
use super::outlooks::Outlooks;
use super::refusals;

/// One finding for a target, whatever the number of rules: the soonest rule is reported, the others are counted.
pub(super) fn collision(
    draft: Draft<'_>,
    name: &str,
    target: &TargetReport,
    outlooks: &Outlooks,
    now: Timestamp,
) -> Option<(Severity, String, String)> {
    let threats = outlooks.threats(&target.artifact);
    let (first, others) = threats.split_first()?;
    let severity = threats.iter().map(|threat| lifecycle::severity(threat, now)).max()?;
    let others = match others.len() {
        0 => String::new(),
        1 => "; 1 more rule reaches it".to_owned(),
        others => format!("; {others} more rules reach it"),
    };
    let message = format!("{}{others}", reported(first, name));
    let by_tag = threats.iter().find(|threat| lifecycle::is_for_a_tag(draft.retention(), &threat.rule));
    let remedy = match by_tag {
        // What is recommended leaves such rules to their owner.
        Some(threat) => format!(
            "take the tag off releases that lifecycle rule {} asks for, or narrow that rule so that it spares releases",
            threat.rule
        ),
        None => remedy(draft, outlooks),
    };
    Some((severity, message, remedy))
}

/// What to do about rules that reach a pinned target.
pub(super) fn remedy(draft: Draft<'_>, outlooks: &Outlooks) -> String {
    match ineffective_advice(outlooks).next() {
        Some(advice) => claimed(draft, outlooks).unwrap_or_else(|| mend(draft, advice)),
        None => match draft.retention() {
            Retention::Acr(_) => {
                "change the acr purge command so that it spares releases: raise --keep or --ago, or leave their tags out of \
                 --filter"
                    .to_owned()
            }
            Retention::Zot(_) => {
                "change zot's retention so that it spares releases: raise the count, or give their tags an entry of their own".to_owned()
            }
            Retention::GitLab(_) => {
                "name the tags of releases in \"keep tags matching\" (`name_regex_keep`) of the project's cleanup policy".to_owned()
            }
            Retention::Gar(_) => format!(
                "{}; `{}` prints the policies with one",
                lifecycle::GAR_CLAIM,
                commands::recommend(draft.repository())
            ),
            Retention::Quay(_) => {
                "leave releases out of that auto-prune policy by its tag pattern, or raise its number; an expiry of the tag \
                 itself is taken off in Quay's list of tags"
                    .to_owned()
            }
            Retention::Bucket(_) | Retention::Harbor(_) => format!(
                "narrow the rule so that it spares releases; `{}` prints rules that do",
                commands::recommend(draft.repository())
            ),
            Retention::Unruled | Retention::Ecr(_) => {
                format!("narrow the rule so that it spares releases; `{}` tries a policy", trying(draft))
            }
        },
    }
}

/// Pins that do not hold against the live rules (F44): once for the repository.
pub(super) fn ineffective(draft: Draft<'_>, report: &RepositoryReport, outlooks: &Outlooks) -> Option<Finding> {
    if let Some(harm) = refusals::done(outlooks) {
        let severity = if refusals::done_to_production(outlooks) { Severity::Critical } else { Severity::High };
        // They are never removed for that: what else names their artifacts is not known.
        let remedy = claimed(draft, outlooks).unwrap_or_else(|| refusals::claim_first(draft));
        return Some(draft.finding(Code::PinIneffective, severity, harm, remedy));
    }
    let asked = claimed(draft, outlooks);
    let mut advice = ineffective_advice(outlooks);
    let (fact, remedy) = match advice.next() {
        Some(first) => {
            let more = advice.count();
            let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            (format!("{}{more}", first.sentence()), asked.unwrap_or_else(|| mend(draft, first)))
        }
        None => ("no rule in front keeps `prod-pinned-*` from the rules of the archive".to_owned(), asked?),
    };
    let reached = report.targets.iter().filter(|target| !outlooks.threats(&target.artifact).is_empty()).count();
    let (severity, consequence) = match reached {
        // Nothing is lost today, and the next release or rule may change that. What was asked for and not done is reported.
        0 if outlooks.pinning.unclaimed.is_some() => {
            (Severity::Medium, "no rule reaches today's targets all the same".to_owned())
        }
        0 => (Severity::Low, "no rule reaches today's targets all the same".to_owned()),
        1 => (Severity::High, "a rule reaches 1 target, pinned or not".to_owned()),
        reached => (Severity::High, format!("rules reach {reached} targets, pinned or not")),
    };
    Some(draft.finding(Code::PinIneffective, severity, format!("{fact}; {consequence}"), remedy))
}

/// What prodpin does itself about rules against which no pin holds, where the policy lets it, or why it does not.
fn claimed(draft: Draft<'_>, outlooks: &Outlooks) -> Option<String> {
    match (&outlooks.pinning.claim, &outlooks.pinning.unclaimed) {
        (Some(_), _) => Some(format!(
            "run `prodpin enforce`: it puts a rule in front that keeps `prod-pinned-*`; `{}` prints the policy as it will be",
            commands::recommend(draft.repository())
        )),
        (None, Some(unclaimed)) => Some(unclaimed.remedy()),
        (None, None) => None,
    }
}

/// What to do about rules against which no pin holds. Where rules have an order, one in front of them settles it.
pub(super) fn mend(draft: Draft<'_>, advice: &Advice) -> String {
    match draft.retention() {
        Retention::Ecr(_) => match lifecycle::why_not_recommended(draft.retention()) {
            // A command that would print a refusal is no next step.
            Some(why) => format!("put a rule in front that claims pins, by hand: {why}"),
            None => {
                let recommend = commands::recommend(draft.repository());
                format!("put a rule in front that claims pins; `{recommend}` prints the policy")
            }
        },
        Retention::GitLab(_) => {
            format!("{}; `{}` prints the request", advice.remedy, commands::recommend(draft.repository()))
        }
        Retention::Unruled
        | Retention::Bucket(_)
        | Retention::Harbor(_)
        | Retention::Acr(_)
        | Retention::Gar(_)
        | Retention::Quay(_)
        | Retention::Zot(_) => advice.remedy.clone(),
    }
}

/// What happens unless it is pinned, to follow a sentence about a pin that is lacking.
pub(super) fn unless_pinned(threat: &Threat) -> String {
    format!(", and unless it is, lifecycle rule {} {} it {}", threat.rule, threat.verb(), lifecycle::when(&threat.due))
}

/// `lifecycle rule 2 deletes v1.2.0 on 2026-12-01: pushed …`.
fn reported(threat: &Threat, name: &str) -> String {
    let when = lifecycle::when(&threat.due);
    format!("lifecycle rule {} {} {name} {when}: {}", threat.rule, threat.verb(), threat.why)
}

fn ineffective_advice(outlooks: &Outlooks) -> impl Iterator<Item = &Advice> {
    outlooks.advice().iter().filter(|advice| advice.kind == AdviceKind::PinsIneffective)
}

fn trying(draft: Draft<'_>) -> String {
    format!("{} --lifecycle FILE", commands::forecast(draft.repository()))
}
