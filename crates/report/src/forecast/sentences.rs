//! What a forecast's facts are called, shared by the formats that people read.

use jiff::Timestamp;

use super::page::RulesStatus;
use crate::phrase::Phrase;
use crate::words;
use prodpin_core::decide::lifecycle::when;
use prodpin_core::model::{ArtifactId, Threat, Toll};
use prodpin_core::outcome::forecast::{
    Difference, ForecastSection, OthersForecast, Preview, RepositoryForecast, RulesFound, TargetForecast, TargetOutlook,
};
use prodpin_core::outcome::report::PinReport;

pub(super) fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Which rules were judged.
pub(super) fn rules(section: &ForecastSection) -> Phrase {
    match &section.tried_sha256 {
        None => Phrase::said("the live rules"),
        Some(digest) => Phrase::said("rules that are tried, SHA-256 ")
            .then(Phrase::name(&ArtifactId::Manifest(digest.clone()).short())),
    }
}

pub(super) fn title(status: RulesStatus) -> &'static str {
    match status {
        RulesStatus::Reached => "REACHED",
        RulesStatus::Unknown => "UNKNOWN",
        RulesStatus::Doubtful => "SPARED, WITH DOUBTFUL RULES",
        RulesStatus::Nothing => "NO ROLLBACK TARGETS",
        RulesStatus::Spared => "SPARED",
        RulesStatus::NoneReadable => "NO RULES TO READ",
    }
}

pub(super) fn explanation(status: RulesStatus) -> &'static str {
    match status {
        RulesStatus::Reached => "a rule takes rollback targets, or will",
        RulesStatus::Unknown => "whether a rule takes rollback targets could not be told",
        RulesStatus::Doubtful => "no rule reaches a rollback target today",
        RulesStatus::Nothing => "nothing there is a release that is kept: there is nothing to take or to spare",
        RulesStatus::Spared => "no rule reaches a rollback target",
        RulesStatus::NoneReadable => "no lifecycle rules are known there; jobs outside the registry may still delete",
    }
}

pub(super) fn name(row: &RepositoryForecast, with_source: bool) -> Phrase {
    let name = Phrase::name(row.name.as_str());
    if with_source { name.say(" in ").then(Phrase::name(row.source.as_str())) } else { name }
}

/// `v1.2.0 (0123456789ab)`.
pub(super) fn target(target: &TargetForecast) -> Phrase {
    let short = Phrase::name(&target.target.artifact.short());
    words::label(&target.target).map_or(short.clone(), |label| label.say(" (").then(short).say(")"))
}

/// What becomes of a target: the soonest rule, and how many others there are.
pub(super) fn rules_outlook(target: &TargetForecast, rules: &RulesFound) -> Phrase {
    let running = if target.target.running { Phrase::said("running; ") } else { Phrase::default() };
    let (first, others) = match (target.threats.split_first(), &target.unless_pinned) {
        (Some((first, others)), _) => (threat(first), others.len() as u64),
        (None, Some(first)) => (Phrase::said("not pinned, and unless it is, ").then(threat(first)), 0),
        (None, None) => return running.then(spared(target, rules)),
    };
    let reported = running.then(first);
    match others {
        0 => reported,
        1 => reported.say("; 1 more rule reaches it"),
        others => reported.say("; ").number(others).say(" more rules reach it"),
    }
}

fn spared(target: &TargetForecast, rules: &RulesFound) -> Phrase {
    let pinned = matches!(target.target.pin, PinReport::Present | PinReport::Created);
    match (rules, target.outlook) {
        (RulesFound::Unknown { .. }, _) | (_, Some(TargetOutlook::Unknown)) => Phrase::said("unknown"),
        (_, _) if pinned => Phrase::said("no rule reaches it"),
        (_, _) => Phrase::said("no rule reaches it, though it is not pinned"),
    }
}

fn threat(threat: &Threat) -> Phrase {
    Phrase::said("rule ")
        .then(Phrase::name(&threat.rule))
        .say(" ")
        .say(threat.verb())
        .say(" it ")
        .then(Phrase::sentence(&when(&threat.due)))
        .say(": ")
        .then(Phrase::sentence(&threat.why))
}

/// What the rules take beside the targets.
pub(super) fn others(others: &OthersForecast, as_of: Option<Timestamp>) -> Phrase {
    let many = Phrase::default().counted(others.artifacts, "other artifact", "other artifacts");
    let now = many.say(": now ").then(toll(others.now));
    match (as_of, others.by_then) {
        (Some(at), Some(by_then)) => {
            now.say("; by ").then(Phrase::name(&day(at))).say(" ").then(toll(by_then)).say(", if nothing is pushed")
        }
        _ => now,
    }
}

/// Whether there is anything to tell of them.
pub(super) fn takes_some(others: &OthersForecast) -> bool {
    others.now != Toll::default() || others.by_then.is_some_and(|toll| toll != Toll::default())
}

fn toll(toll: Toll) -> Phrase {
    let some = [(toll.deleted, " deleted"), (toll.archived, " archived"), (toll.possibly, " perhaps")];
    let reported = some.into_iter().filter(|(count, _)| *count > 0);
    let reported = Phrase::joined(reported.map(|(count, what)| Phrase::default().number(count).say(what)), ", ");
    if reported.is_empty() { Phrase::said("none taken") } else { reported }
}

/// How many targets have which outlook at the date asked about.
pub(super) fn outlook(outlook: TargetOutlook) -> &'static str {
    match outlook {
        TargetOutlook::Stays => "stay",
        TargetOutlook::Gone => "will be gone",
        TargetOutlook::Archived => "will be archived",
        TargetOutlook::LostUnlessPinned => "will be lost unless pinned",
        TargetOutlook::Unknown => "are unknown",
    }
}

pub(super) fn preview(preview: &Preview) -> Phrase {
    match preview {
        Preview::Unsupported => Phrase::said("the source has no preview to compare with"),
        Preview::Failed { detail } => Phrase::said("not compared: ").then(Phrase::sentence(detail)),
        Preview::Compared { agreed, differences, more } => {
            let differing = differences.len() as u64 + more;
            let agreed = Phrase::said("says the same of ").counted(*agreed, "artifact", "artifacts");
            match differing {
                0 => agreed.say(", and nothing else"),
                differing => agreed.say(", and differs on ").number(differing),
            }
        }
    }
}

pub(super) fn difference(difference: &Difference) -> Phrase {
    let said = |what: &Option<String>| what.as_ref().map_or(Phrase::said("stays"), |what| Phrase::sentence(what));
    Phrase::name(&difference.artifact.short())
        .say(": simulated ")
        .then(said(&difference.simulated))
        .say(", previewed ")
        .then(said(&difference.previewed))
        .say("; ")
        .then(Phrase::sentence(&difference.note))
}
