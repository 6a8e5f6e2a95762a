//! What is said of pins that are not made because they would do harm, and of pins that do (I22). Both outlooks are reported.

use crate::model::{ArtifactId, Code, Finding, Obstacle, QuayRepository, Retention, Setting, Severity, Threat};
use crate::outcome::report::{PinReport, RepositoryReport, TargetReport};

use super::commands;
use super::draft::{Draft, name_of};
use super::harm::{Refusal, Worse};
use super::lifecycle;
use super::outlooks::Outlooks;
use super::pinning::{Mending, Unclaimed};
use super::protection::RefusedPin;

/// What stands on a target's own line.
pub(super) fn of_target(outlooks: &Outlooks, artifact: &ArtifactId) -> Option<RefusedPin> {
    let (detail, blind) = match outlooks.pinning.cleared.refused.get(artifact)? {
        Refusal::Harm(worse) => (worse.first().map_or_else(String::new, |worse| reported(worse, artifact)), false),
        Refusal::Blind { detail } => (format!("{detail}, and a rule that was not read may match the pin"), true),
    };
    Some(RefusedPin { obstacle: Obstacle::PinRefused { detail }, blind })
}

/// One finding for a repository, whatever the number of pins.
pub(super) fn finding(draft: Draft<'_>, report: &RepositoryReport, outlooks: &Outlooks) -> Option<Finding> {
    let refused: Vec<&TargetReport> = report.targets.iter().filter(|target| target.pin == PinReport::Refused).collect();
    let count = match refused.as_slice() {
        [] => return None,
        [one] => format!("1 pin refused, of {}", name_of(one)),
        [first, .., last] => format!("{} pins refused, {} to {}", refused.len(), name_of(last), name_of(first)),
    };
    let refusals = || refused.iter().filter_map(|target| Some((*target, refusal(outlooks, target)?)));
    // The oldest would have been the first to be made: what the others do, they do beside those that are there.
    let harm = refusals().rev().find_map(|(target, refusal)| match refusal {
        Refusal::Harm(worse) => Some((target, worse)),
        Refusal::Blind { .. } => None,
    });
    let (message, remedy) = match harm {
        Some((target, worse)) => {
            let only_places = refusals().all(|(_, refusal)| refusal.is_displacement());
            let message =
                format!("{count}: {}{}", reported(worse.first()?, &target.artifact), others(worse, only_places));
            (message, harmless(draft, outlooks, worse, refused.len(), only_places))
        }
        None => {
            let Some((_, Refusal::Blind { detail })) = refusals().next() else { return None };
            (format!("{count}: {detail}, and a rule that was not read may match `prod-pinned-*`"), readable(draft))
        }
    };
    Some(draft.finding(Code::PinRefused, Severity::High, message, remedy))
}

fn refusal<'p>(outlooks: &'p Outlooks, target: &TargetReport) -> Option<&'p Refusal> {
    outlooks.pinning.cleared.refused.get(&target.artifact)
}

/// Pins that are there and do harm: by whom, to whom. An older prodpin made them, or the rules changed since.
pub(super) fn done(outlooks: &Outlooks) -> Option<String> {
    let done = &outlooks.pinning.done;
    let first = done.first()?;
    let more = match done.len() - 1 {
        0 => String::new(),
        1 => "; 1 more artifact fares worse by its pins or those of others".to_owned(),
        more => format!("; {more} more artifacts fare worse by their pins or those of others"),
    };
    let outlook = |threat: Option<&Threat>, none: &str| threat.map_or_else(|| none.to_owned(), outlook);
    Some(format!(
        "pins that are there do harm: {} {}; without pins, {}{more}",
        called(first),
        outlook(first.with.as_ref(), "would have an unknown outlook"),
        outlook(first.without.as_ref(), "no rule would take it"),
    ))
}

/// Whether pins that are there shorten the life of something that production has to do with.
pub(super) fn done_to_production(outlooks: &Outlooks) -> bool {
    outlooks.pinning.done.iter().any(|worse| !worse.outside)
}

/// Both outlooks of one artifact: `lifecycle rule 1 would delete v1.0 (…) after 1 more push; without the pin, no rule takes it`.
fn reported(worse: &Worse, pinned: &ArtifactId) -> String {
    let whose = if worse.artifact == *pinned { "its pin".to_owned() } else { format!("the pin of {}", pinned.short()) };
    let whose = if worse.later { format!("{whose}, once its other tags have moved on") } else { whose };
    let with = match &worse.with {
        Some(threat) => format!("with {whose}, lifecycle {} {}", acts(threat), called(worse)),
        None => format!("with {whose}, nobody knows what becomes of {}", called(worse)),
    };
    let with = match worse.with.as_ref() {
        Some(threat) => format!("{with} {}", lifecycle::when(&threat.due)),
        None => with,
    };
    let without = match (&worse.without, worse.displaced) {
        (Some(threat), true) => format!("without it, {}", lifecycle::when(&threat.due)),
        (Some(threat), false) => format!("without it, {} it {}", acts(threat), lifecycle::when(&threat.due)),
        (None, _) => "without it, no rule does".to_owned(),
    };
    format!("{with}; {without}")
}

fn acts(threat: &Threat) -> String {
    format!("rule {} {}", threat.rule, threat.verb())
}

fn outlook(threat: &Threat) -> String {
    format!("lifecycle {} it {}", acts(threat), lifecycle::when(&threat.due))
}

fn called(worse: &Worse) -> String {
    match worse.tags.first() {
        Some(tag) => format!("{tag} ({})", worse.artifact.short()),
        None => worse.artifact.to_string(),
    }
}

fn others(worse: &[Worse], only_places: bool) -> String {
    let named = if only_places { "; no production rule names it" } else { "" };
    match worse.len() - 1 {
        0 => named.to_owned(),
        1 => format!(
            "; 1 more artifact would fare worse{}",
            if only_places { ", outside every production rule" } else { "" }
        ),
        more => {
            format!(
                "; {more} more artifacts would fare worse{}",
                if only_places { ", all outside every production rule" } else { "" }
            )
        }
    }
}

/// The change that makes the pins harmless, as tried in the simulation.
fn harmless(draft: Draft<'_>, outlooks: &Outlooks, worse: &[Worse], pins: usize, only_places: bool) -> String {
    if let Some(unclaimed) = &outlooks.pinning.unclaimed {
        return unclaimed.remedy();
    }
    if let Retention::Quay(quay) = draft.retention() {
        return in_quay(quay, worse);
    }
    let Mending { claim, places } = outlooks.pinning.mending;
    let claim = claim.then(|| claim_first(draft));
    let rule = worse.iter().find_map(|worse| worse.with.as_ref()).map(|threat| threat.rule.clone());
    // A greater number alone changes nothing: whatever it is, a pin that is counted takes one of the places.
    let room = rule.filter(|_| places).map(|rule| {
        let narrow = format!("narrow lifecycle rule {rule} so that it does not match `prod-pinned-*`");
        match only_places {
            true => format!(
                "{narrow}; or raise the number that it keeps by {pins} and accept that pins take places: `pins: {{ \
                 may_displace: true }}` on the source"
            ),
            false => narrow,
        }
    });
    match (claim, room) {
        (Some(claim), Some(room)) => format!("{claim}; and {room}; then run `prodpin enforce`"),
        (Some(how), None) | (None, Some(how)) => format!("{how}; then run `prodpin enforce`"),
        (None, None) => "narrow the rule so that it matches no pin; then run `prodpin enforce`".to_owned(),
    }
}

/// In Quay a pin that is immutable from its push on takes no place, and nothing else makes it so at once (K52, K53).
fn in_quay(quay: &QuayRepository, worse: &[Worse]) -> String {
    let operator = match &quay.server {
        Some(server) if server.immutable_tags => "",
        _ => "have the operator set FEATURE_IMMUTABLE_TAGS (Quay 3.17 or later), then ",
    };
    let rule = worse.iter().find_map(|worse| worse.with.as_ref()).map(|threat| threat.rule.as_str());
    let narrow =
        rule.map(|rule| format!("; or narrow lifecycle rule {rule} so that it does not match `prod-pinned-*`"));
    format!(
        "{operator}add an immutability policy with the tag pattern prod-pinned-.* to organization {} \
         (policies/quay/immutability.json), so that pins are immutable as they are pushed{}; then run `prodpin enforce`",
        quay.namespace,
        narrow.unwrap_or_default()
    )
}

impl Unclaimed {
    /// What to do where the policy lets prodpin put the rule there, and it did not.
    pub(super) fn remedy(&self) -> String {
        let Self { why, passing } = self;
        match passing {
            true => format!("run `prodpin enforce` again: the claim rule was not put in front, because {why}"),
            false => format!("change the lifecycle policy by hand: prodpin does not, because {why}"),
        }
    }
}

/// How the rule that claims pins comes to stand in front.
pub(super) fn claim_first(draft: Draft<'_>) -> String {
    match draft.retention() {
        Retention::Ecr(ecr) => {
            format!(
                "add a priority-1 rule that keeps `prod-pinned-*`: `{}`",
                commands::put_recommended(draft.repository(), ecr)
            )
        }
        Retention::Acr(_) => lifecycle::ACR_CLAIM.to_owned(),
        Retention::Quay(_) => lifecycle::QUAY_CLAIM.to_owned(),
        Retention::Zot(_) => lifecycle::ZOT_CLAIM.to_owned(),
        Retention::Gar(_) => {
            let recommend = commands::recommend(draft.repository());
            format!("{}; `{recommend}` prints the policies with one", lifecycle::GAR_CLAIM)
        }
        Retention::Unruled | Retention::Bucket(_) | Retention::GitLab(_) | Retention::Harbor(_) => {
            format!("change the rules as `{}` prints them", commands::recommend(draft.repository()))
        }
    }
}

fn readable(draft: Draft<'_>) -> String {
    let reads_rules = match draft.retention() {
        Retention::Ecr(ecr) => ecr.lifecycle == Setting::Unknown,
        Retention::GitLab(repository) => repository.policy == Setting::Unknown,
        Retention::Gar(repository) => repository.policies == Setting::Unknown,
        Retention::Harbor(_) | Retention::Quay(_) | Retention::Bucket(_) => true,
        Retention::Unruled | Retention::Acr(_) | Retention::Zot(_) => false,
    };
    if let Some(gap) = draft.unread_though_allowed().filter(|_| reads_rules) {
        return format!("once the rules can be read, the next run makes the pins: {}", gap.detail);
    }
    match draft.retention() {
        Retention::Ecr(ecr) => match ecr.lifecycle {
            Setting::Unknown => format!(
                "grant ecr:GetLifecyclePolicy on repository {} to the identity that prodpin runs as, and run again",
                draft.repository()
            ),
            Setting::Text(_) | Setting::Unset => format!(
                "see what cannot be read: `{}`; once all of it can, the next run makes the pins",
                commands::forecast(draft.repository())
            ),
        },
        Retention::Harbor(harbor) => format!(
            "grant project:read, tag-retention:read, immutable-tag:list and artifact:list in project {} to the robot \
             account that prodpin runs as, and run again",
            harbor.project
        ),
        Retention::Acr(acr) => lifecycle::acr_readable(acr),
        Retention::GitLab(repository) => match repository.policy {
            Setting::Unknown => lifecycle::GITLAB_READABLE.to_owned(),
            Setting::Text(_) | Setting::Unset => {
                format!("change the rules as `{}` prints them", commands::recommend(draft.repository()))
            }
        },
        Retention::Gar(gar) => lifecycle::gar_readable(gar),
        Retention::Quay(quay) => format!(
            "give the source a `token` with the scopes repo:read, repo:admin and org:admin, of an owner of organization {}, and \
             run again",
            quay.namespace
        ),
        // Its rules are known, and what they count is not.
        Retention::Zot(_) => lifecycle::ZOT_CLAIM.to_owned(),
        Retention::Unruled | Retention::Bucket(_) => {
            "grant the permission to read the lifecycle rules, and run again".to_owned()
        }
    }
}
