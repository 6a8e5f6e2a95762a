//! What the page's facts are called.

use jiff::Timestamp;

use crate::phrase::Phrase;
use crate::{table, words};
use prodpin_core::decide::lifecycle::when;
use prodpin_core::model::{
    ArtifactId, Commit, DrillOutcome, DrilledFrom, Evidence, Obstacle, Platform, SchemaChange, Threat, Workload,
};
use prodpin_core::outcome::ready::{
    Database, Lasts, ListedRelease, ReadySummary, RepositoryReady, RunningNow, Step, Verdict, WantedNow,
};
use prodpin_core::outcome::report::{DrillReport, PinReport};
use prodpin_core::outcome::size::{seconds, size};
use prodpin_core::outcome::status::ServiceStatus;

/// What to do; of a protected service also what keeps that from being known.
pub(super) fn verdict(row: &RepositoryReady) -> &'static str {
    match row.verdict {
        Verdict::RollBack => "ROLL BACK",
        Verdict::RollForward => "ROLL FORWARD",
        Verdict::NoEarlierRelease => "no earlier release",
        Verdict::Unknown if row.status == ServiceStatus::Protected && row.database.moved.is_none() => {
            "database UNKNOWN"
        }
        Verdict::Unknown => "UNKNOWN",
    }
}

/// The fleet in numbers, in the words of the report and in its order; only here is anything called ready.
pub(super) fn counts(summary: &ReadySummary) -> Phrase {
    let there = ServiceStatus::ALL.into_iter().filter(|status| summary.services.of(*status) > 0);
    let there = there.map(|status| {
        let reported = Phrase::default().number(summary.services.of(status)).say(" ").say(table::word(status));
        match status {
            ServiceStatus::Protected => reported.say(" (whether the database allows it is not known)"),
            _ => reported,
        }
    });
    let all = Phrase::default().counted(summary.repositories, "service", "services");
    match summary.repositories {
        0 => all,
        _ => all.say(": ").then(Phrase::joined(there, ", ")),
    }
}

/// `v1.2.0 (0123456789ab)`, or the short digest alone.
pub(super) fn release(row: &RepositoryReady, artifact: &ArtifactId) -> Phrase {
    let short = Phrase::name(&artifact.short());
    match row.releases.iter().find(|listed| listed.artifact == *artifact).and_then(|listed| listed.name.as_deref()) {
        Some(name) => Phrase::name(name).say(" (").then(short).say(")"),
        None => short,
    }
}

pub(super) fn running(row: &RepositoryReady, now: &RunningNow, at: Timestamp) -> Phrase {
    let reported = release(row, &now.artifact);
    let reported = match now.since {
        Some(since) => reported.say(" since ").then(moment(since, at)),
        None => reported.say(", start time unknown"),
    };
    let reported = reported.say(", by ").then(Phrase::name(&now.via));
    let reported = match &now.revision {
        Some(revision) => reported.say(", ").then(Phrase::name(&last_part(revision))),
        None => reported,
    };
    let reported = match &now.deployed_by {
        Some(client) => reported.say(", deployed by client ").then(Phrase::name(client)),
        None => reported,
    };
    if now.leaving { reported.say(" · on its way out") } else { reported }
}

pub(super) fn wanted(row: &RepositoryReady, wanted: &WantedNow) -> Phrase {
    let reported = release(row, &wanted.artifact).say(", by ").then(Phrase::name(&wanted.via));
    let reported = match &wanted.revision {
        Some(revision) => reported.say(", ").then(Phrase::name(&last_part(revision))),
        None => reported,
    };
    let reported = match wanted.why {
        Some(why) => reported.say(": ").say(why.as_str()),
        None => reported,
    };
    match &wanted.analysis {
        Some(analysis) => reported.say("; ").then(Phrase::sentence(analysis)),
        None => reported,
    }
}

/// ARNs are long, and their end is what differs.
fn last_part(revision: &str) -> String {
    match (revision.starts_with("arn:"), Commit::read(revision).filter(|_| revision.len() >= 40)) {
        (true, _) => revision.rsplit('/').next().unwrap_or(revision).to_owned(),
        (false, Some(commit)) => format!("commit {}", commit.short()),
        (false, None) => format!("revision {revision}"),
    }
}

/// `2026-03-01 10:00 UTC (3 h ago)`.
pub(super) fn moment(then: Timestamp, now: Timestamp) -> Phrase {
    Phrase::name(&words::moment(then)).say(" (").then(Phrase::name(&ago(then, now))).say(")")
}

/// A span that is quickly read: clocks differ, so that nothing is told to the second.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(then).as_secs() / 60;
    match minutes {
        ..0 => "in the future, by this clock".to_owned(),
        0 => "just now".to_owned(),
        1..120 => format!("{minutes} min ago"),
        120..2_880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1_440),
    }
}

pub(super) fn yes_no(answer: Option<bool>) -> &'static str {
    match answer {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

/// What each release since did to the database.
pub(super) fn database(row: &RepositoryReady, database: &Database) -> Phrase {
    let reported = Phrase::joined(database.steps.iter().map(|step| self::step(row, step)), "; ");
    let reported =
        if reported.is_empty() { Phrase::said("nothing is known of what was released since") } else { reported };
    match &database.doubt {
        Some(doubt) => reported.say("; ").then(Phrase::sentence(doubt)),
        None => reported,
    }
}

fn step(row: &RepositoryReady, step: &Step) -> Phrase {
    let what = match step.schema {
        Some(SchemaChange::None) => " leaves it alone",
        Some(SchemaChange::Expand) => " only adds to it",
        Some(SchemaChange::Caution) => " lets in what earlier releases never met",
        Some(SchemaChange::Data) => " overwrites or removes rows of it",
        Some(SchemaChange::Unknown) => " changes it in a way that was not understood",
        Some(SchemaChange::Contract) => " takes away from it",
        None => " does not say",
    };
    let reported = release(row, &step.artifact).say(what);
    match step.by.as_slice() {
        [] => reported,
        by => reported.say(" (").then(Phrase::sentence(&by.join(", "))).say(")"),
    }
}

/// Whether the release before is intact, and what stands in the way.
pub(super) fn intact(listed: Option<&ListedRelease>, answer: Option<bool>) -> Phrase {
    let obstacles = listed.map_or(&[][..], |listed| &listed.obstacles);
    match answer {
        Some(true) => Phrase::said("every part is there with its size, neither archived nor hidden"),
        Some(false) => Phrase::joined(obstacles.iter().filter(|it| !it.is_unknown()).map(words::obstacle), "; "),
        None => {
            let unknown = Phrase::joined(obstacles.iter().filter(|it| it.is_unknown()).map(words::obstacle), "; ");
            if unknown.is_empty() { Phrase::said("not all of it could be read") } else { unknown }
        }
    }
}

pub(super) fn evidence(listed: &ListedRelease) -> Phrase {
    let sure = match listed.evidence {
        Evidence::TagName => "matched by a tag rule only",
        Evidence::HistoryReference => "history names it",
        Evidence::StablePointer => "named as what should run",
        Evidence::ServiceRevision => "a service's own record, by digest",
        Evidence::RunningDigest => "a node reports its digest",
    };
    let by = Phrase::joined(listed.by.iter().map(|via| Phrase::name(via)), ", ");
    let reported = Phrase::said(sure);
    if by.is_empty() { reported } else { reported.say(" (").then(by).say(")") }
}

/// When it ran.
pub(super) fn ran(listed: &ListedRelease, at: Timestamp) -> Phrase {
    let first = listed.first_seen.map(|first| Phrase::said("runs since ").then(moment(first, at)));
    let last = listed.last_seen.map(|last| Phrase::said("ran until ").then(moment(last, at)));
    let built = listed.built.map(|built| Phrase::said("built or stored ").then(moment(built, at)));
    let ran = if listed.running { first } else { last };
    let reported = Phrase::joined(ran.into_iter().chain(built), ", ");
    if reported.is_empty() { Phrase::said("never seen running") } else { reported }
}

/// `restored 2026-03-01 10:00 UTC (3 min ago) from the vault; not drilled since`.
pub(super) fn restored(row: &RepositoryReady, at: Timestamp, now: Timestamp) -> Phrase {
    let reported = Phrase::said("restored ").then(moment(at, now)).say(" from the vault; not drilled since: ");
    reported.then(Phrase::name(&format!("`prodpin drill {}`", row.name)))
}

/// `drilled 2 days ago, 3.8 GiB, 61 s`, and whether that is bad. What a drill did not find and a look finds there now is not
/// lost any more: nothing is told of it where a restore is told of, which came after it.
pub(super) fn drilled(listed: &ListedRelease, drill: &DrillReport, now: Timestamp) -> Option<(Phrase, bool)> {
    let of_source = drill.from == DrilledFrom::Source && drill.outcome == DrillOutcome::Broken;
    let back = of_source && listed.restorable == Some(true) && drill.broken.iter().all(|part| part.gone);
    match (back, listed.restored) {
        (true, Some(_)) => None,
        (true, None) => {
            let found =
                Phrase::said("a drill ").then(Phrase::name(&ago(drill.at, now))).say(" did not find all of it; ");
            Some((found.say("it is there again, and not drilled since"), false))
        }
        (false, _) => Some((drill_of(drill, now), drill.outcome == DrillOutcome::Broken)),
    }
}

fn drill_of(drill: &DrillReport, now: Timestamp) -> Phrase {
    let place = if drill.from == DrilledFrom::Vault { " from the vault" } else { "" };
    let what = format!("{}, {}, {}", ago(drill.at, now), size(drill.bytes), seconds(drill.milliseconds));
    match drill.outcome {
        DrillOutcome::Intact => Phrase::said("drilled").say(place).say(" ").then(Phrase::name(&what)),
        DrillOutcome::Broken => {
            let part =
                drill.broken.first().map(|part| format!(": {} {}", part.digest, part.detail)).unwrap_or_default();
            let what = format!("{}{part}", ago(drill.at, now));
            Phrase::said("BROKEN by the drill").say(place).say(" ").then(Phrase::name(&what))
        }
    }
}

/// Whether it is there, and what keeps it there. What is gone is kept by nothing, and no cleanup may take it any more.
pub(super) fn kept(row: &RepositoryReady, listed: &ListedRelease) -> Phrase {
    let unchanged = unchanged(row, listed);
    if listed.obstacles.contains(&Obstacle::Missing) {
        return Phrase::said("GONE: it does not exist any more · ").then(unchanged);
    }
    Phrase::said(restorable(listed))
        .say(" · ")
        .say(pin(listed))
        .say(" · ")
        .then(unchanged)
        .say(" · ")
        .then(lasts(&listed.lasts))
}

pub(super) fn restorable(listed: &ListedRelease) -> &'static str {
    match listed.restorable {
        Some(true) => "intact",
        Some(false) => "NOT INTACT",
        None => "intact: unknown",
    }
}

pub(super) fn pin(listed: &ListedRelease) -> &'static str {
    match listed.pin {
        // Nothing was read of it, its pin neither.
        PinReport::Absent if listed.restorable.is_none() => "pin: unknown",
        PinReport::Present | PinReport::Created => "pinned",
        PinReport::Planned => "not pinned (`prodpin enforce` would pin it)",
        PinReport::Failed => "could not be pinned",
        PinReport::Refused => "not pinned: a pin would do harm",
        PinReport::Unsupported => "cannot be pinned here",
        PinReport::Withheld => "pin withheld until it is known what cleans up there (finding cleanup-unknown)",
        PinReport::Absent => "not pinned",
    }
}

pub(super) fn unchanged(row: &RepositoryReady, listed: &ListedRelease) -> Phrase {
    match listed.unchanged {
        Some(true) if !listed.moved_here.is_empty() => {
            let moved = listed.moved_here.iter().map(|tag| Phrase::said("tag ").then(Phrase::name(tag.as_str())));
            Phrase::joined(moved, ", ").say(" was moved to it")
        }
        Some(true) => Phrase::said("tag unchanged"),
        None => Phrase::said("tag unchanged: unknown"),
        Some(false) => Phrase::joined(
            listed.moved.iter().map(|moved| {
                let tag = Phrase::said("tag ").then(Phrase::name(moved.tag.as_str()));
                match &moved.to {
                    Some(to) => tag.say(" names ").then(release(row, to)).say(" now"),
                    None => tag.say(" is gone"),
                }
            }),
            ", ",
        ),
    }
}

pub(super) fn lasts(lasts: &Lasts) -> Phrase {
    match lasts {
        Lasts::WithItsPin => Phrase::said("lasts as long as its pin: no rule reaches it"),
        Lasts::UntilRule { threat } => threatened(threat),
        Lasts::UnlessPinned { threat } => Phrase::said("unless it is pinned, ").then(threatened(threat)),
        Lasts::WithTheRules => Phrase::said("no rule reaches it today"),
        Lasts::NoRulesToRead => Phrase::said("its pin keeps it from cleanups that go by tags"),
        Lasts::NotAtAll => Phrase::said("nothing keeps it: any cleanup may take it"),
        Lasts::Unknown { detail } => Phrase::said("how long it lasts is unknown: ").then(Phrase::sentence(detail)),
    }
}

fn threatened(threat: &Threat) -> Phrase {
    Phrase::said("rule ")
        .then(Phrase::name(&threat.rule))
        .say(" ")
        .say(threat.verb())
        .say(" it ")
        .then(Phrase::sentence(&when(&threat.due)))
}

/// A workload with where it runs: `deployment shop/api in Kubernetes prod-eu`.
pub(super) fn workload(workload: &Workload) -> Phrase {
    let (platform, place) = match &workload.platform {
        Platform::Kubernetes { context } => ("Kubernetes", context),
        Platform::Helm { context } => ("Helm", context),
        Platform::ArgoCd { context } => ("Argo CD", context),
        Platform::Flux { context } => ("Flux", context),
        Platform::Ecs { region } => ("ECS", region),
        Platform::Lambda { region } => ("Lambda", region),
        Platform::AppRunner { region } => ("App Runner", region),
    };
    let named = Phrase::name(&workload.to_string()).say(" · ").say(platform);
    match place {
        Some(place) => named.say(" ").then(Phrase::name(place)),
        None => named,
    }
}

/// From what to what, as the platform calls it.
pub(super) fn revisions(from: Option<&str>, to: Option<&str>) -> Option<Phrase> {
    let named = |revision: &str| Phrase::name(&last_part(revision));
    match (from, to) {
        (Some(from), Some(to)) => Some(named(from).say(" → ").then(named(to))),
        (Some(from), None) => Some(named(from)),
        (None, Some(to)) => Some(Phrase::said("→ ").then(named(to))),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_as_people_tell_them() {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        for (then, reported) in [
            ("2026-03-10T11:59:40Z", "just now"),
            ("2026-03-10T10:01:00Z", "119 min ago"),
            ("2026-03-08T12:01:00Z", "47 h ago"),
            ("2026-03-07T12:00:00Z", "3 days ago"),
            ("2026-03-10T12:05:00Z", "in the future, by this clock"),
        ] {
            assert_eq!(ago(then.parse().unwrap(), now), reported, "{then}");
        }
    }
}
