//! What the report's facts are called, in words that need no manual. Shared by every format that people read.

use jiff::Timestamp;

use super::body::Report;
use super::phrase::Phrase;
use prodpin_core::model::{ArtifactId, Cause, Finding, Gap, Mode, Obstacle, RunScope, Scope, Severity, SourceName};
use prodpin_core::outcome::known_as::KnownAs;
use prodpin_core::outcome::report::{PinReport, Reason, RepositoryReport, RunSection, TargetReport};
use prodpin_core::outcome::status::ServiceStatus;

pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Audit => "audit",
        Mode::Enforce => "enforce",
        Mode::EnforceDryRun => "enforce (dry run)",
        Mode::Release => "release",
    }
}

/// The two that wake people stand out without colour.
pub(super) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "CRITICAL",
        Severity::High => "HIGH",
        other => other.as_str(),
    }
}

pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `true`, `false`, `unknown`: what is not known is never left empty.
pub(super) fn certainty(fact: Option<bool>) -> &'static str {
    match fact {
        Some(true) => "true",
        Some(false) => "false",
        None => "unknown",
    }
}

pub(super) fn pin(pin: PinReport) -> &'static str {
    match pin {
        PinReport::Present => "present",
        PinReport::Created => "created",
        PinReport::Planned => "planned",
        PinReport::Failed => "failed",
        PinReport::Refused => "refused",
        PinReport::Unsupported => "unsupported",
        PinReport::Withheld => "withheld",
        PinReport::Absent => "absent",
    }
}

/// What runs, by name alone where it has one.
pub(super) fn current_label(repository: &RepositoryReport) -> Phrase {
    let current = repository.rollback.current.as_ref();
    let target = repository.targets.iter().find(|target| Some(&target.artifact) == current);
    let from = repository.rollback.from.as_ref().filter(|from| Some(*from) != current);
    let Some(from) = from else { return target.and_then(label).unwrap_or_else(|| self::current(repository)) };
    // What is left is wanted, and does not run.
    let wanted = repository.targets.iter().find(|target| target.artifact == *from).and_then(label);
    let wanted = wanted.unwrap_or_else(|| release(repository, from));
    match target {
        Some(target) => {
            let runs = label(target).unwrap_or_else(|| release(repository, &target.artifact));
            wanted.say(" (not ready, ").then(runs).say(" runs)")
        }
        None => wanted.say(" (wanted, nothing runs)"),
    }
}

/// What a release is called: its tag and the short digest.
pub(super) fn release(repository: &RepositoryReport, artifact: &ArtifactId) -> Phrase {
    let target = repository.targets.iter().find(|target| target.artifact == *artifact);
    let short = Phrase::name(&artifact.short());
    match target.and_then(label) {
        Some(label) => label.say(" (").then(short).say(")"),
        None => short,
    }
}

/// The name people know a target by.
pub(super) fn label(target: &TargetReport) -> Option<Phrase> {
    Some(match target.known_as()? {
        KnownAs::Now(tag) => Phrase::name(tag.as_str()),
        KnownAs::Once(tag) => Phrase::said("formerly ").then(Phrase::name(tag.as_str())),
    })
}

/// Whether what the report goes back from is only the latest by its name: nothing says what runs.
pub(super) fn is_latest_by_name(repository: &RepositoryReport) -> bool {
    let current = repository.rollback.current.as_ref();
    let target = repository.targets.iter().find(|target| Some(&target.artifact) == current);
    target.is_some_and(|target| !target.running)
}

/// What is added to such a release wherever it stands for what runs.
pub(super) const NOTHING_SAYS: &str = "; nothing says what runs";

/// What runs, with that said where nothing says it.
pub(super) fn current_said(repository: &RepositoryReport) -> Phrase {
    let label = current_label(repository);
    if is_latest_by_name(repository) { label.say(NOTHING_SAYS) } else { label }
}

pub(super) fn current(repository: &RepositoryReport) -> Phrase {
    match (&repository.rollback.current, &repository.rollback.from) {
        (Some(artifact), _) if is_latest_by_name(repository) => release(repository, artifact).say(NOTHING_SAYS),
        (Some(artifact), _) => release(repository, artifact),
        (None, Some(from)) => Phrase::said("nothing; wanted is ").then(release(repository, from)),
        (None, None) => Phrase::said("unknown"),
    }
}

/// What to roll back to. What was not proven is never offered without saying so.
pub(super) fn roll_back_to(repository: &RepositoryReport) -> Phrase {
    let rollback = &repository.rollback;
    match (rollback.ready, rollback.intact, &rollback.to) {
        (Some(false), ..) => Phrase::said("nothing"),
        (_, Some(true), Some(to)) => release(repository, to),
        (_, _, Some(to)) => Phrase::said("unknown, perhaps ").then(release(repository, to)),
        (.., None) => Phrase::said("unknown"),
    }
}

/// `3 of 5 targets`, and how many of the others are merely unproven.
pub(super) fn protection(repository: &RepositoryReport) -> Phrase {
    protected(repository, "")
}

/// The same where no heading says what is counted.
pub(super) fn protection_said(repository: &RepositoryReport) -> Phrase {
    protected(repository, " protected")
}

fn protected(repository: &RepositoryReport, said: &'static str) -> Phrase {
    let count = |fact: Option<bool>| repository.targets.iter().filter(|target| target.protected == fact).count() as u64;
    let shown = Phrase::default().number(count(Some(true))).say(" of ").counted(
        repository.targets.len() as u64,
        "target",
        "targets",
    );
    let shown = shown.say(said);
    match count(None) {
        0 => shown,
        unknown => shown.say(", ").number(unknown).say(" unknown"),
    }
}

/// That a run found nothing to protect: it must not look like one that found all well.
pub(super) fn nothing_protected(report: &Report) -> Option<Phrase> {
    let counts = &report.summary.counts;
    if counts.targets > 0 || counts.repositories == 0 {
        return None;
    }
    let reported = Phrase::said("No release in ").counted(counts.repositories, "repository", "repositories");
    if !report.run.complete {
        return Some(reported.say(" could be made out as a rollback target: nothing is known to be protected."));
    }
    Some(reported.say(match report.run.mode {
        Mode::Enforce => " is a rollback target: this run protects nothing.",
        Mode::Audit | Mode::EnforceDryRun | Mode::Release => " is a rollback target: `enforce` would protect nothing.",
    }))
}

/// Protected is not ready: that takes an answer about the database.
pub(super) fn ready_apart(protected: u64) -> Phrase {
    Phrase::default()
        .counted(protected, "service", "services")
        .say(" protected; whether the database allows a rollback, and so which are ready: `prodpin ready`.")
}

/// Why a repository cannot be rolled back, or why that is not known.
pub(super) fn trouble(repository: &RepositoryReport) -> Option<Phrase> {
    let other = |target: &&TargetReport| Some(&target.artifact) != repository.rollback.current.as_ref();
    // Programs before did not record it.
    let earlier = repository.rollback.earlier.map(u64::from);
    let earlier = earlier.unwrap_or_else(|| repository.targets.iter().filter(other).count() as u64);
    if let (Some(false), Some(contracted)) = (repository.rollback.ready, &repository.rollback.contracted) {
        let moved = Phrase::said("the database has moved on: ").then(release(repository, contracted));
        return Some(moved.say(" took away what every earlier release needs"));
    }
    match (repository.rollback.ready, earlier) {
        (None, _) if repository.rollback.intact == Some(true) => {
            let unread = repository.rollback.status == Some(ServiceStatus::Unknown);
            unread.then(|| Phrase::said("not everything about it could be read"))
        }
        (Some(false), 0) => {
            let none = match repository.rollback.keep {
                1 => Phrase::said("the policy keeps one release, and so none before it"),
                _ => Phrase::said("no earlier release is known"),
            };
            Some(match &repository.rollback.went_back_from {
                Some(left) => none.say("; it went back from ").then(release(repository, left)).say(", which is newer"),
                None => none,
            })
        }
        (Some(false), 1) => Some(Phrase::said("the one earlier release is not intact")),
        (Some(false), earlier) => Some(Phrase::said("none of the ").number(earlier).say(" earlier releases is intact")),
        (None, _) if repository.rollback.unknown.is_some() => {
            repository.rollback.unknown.as_deref().map(Phrase::sentence)
        }
        (Some(true) | None, _) => Some(match repository.gaps.first() {
            Some(first) if repository.gaps.len() == 1 => gap(first),
            Some(first) => {
                gap(first).say(" (and ").counted(repository.gaps.len() as u64 - 1, "more gap)", "more gaps)")
            }
            None if repository.targets.is_empty() => Phrase::said("no tag here matches a production rule"),
            None => Phrase::said("whether an earlier release is intact is unknown"),
        }),
    }
}

/// The state of a target: everything that stands in the way, or that it is protected.
pub(super) fn target_state(target: &TargetReport) -> Phrase {
    let mut states: Vec<Phrase> = target
        .obstacles
        .iter()
        .filter(|obstacle| !(matches!(obstacle, Obstacle::Unpinned) && target.pin != PinReport::Present))
        .filter(|obstacle| !(is_told_with_its_pin(obstacle) && target.pin == PinReport::Planned))
        .map(in_brief)
        .collect();
    states.dedup();
    match target.pin {
        PinReport::Planned => {
            let below = target.parts.map_or(0, |parts| parts.planned);
            let would = Phrase::said("not pinned, would pin");
            states.push(match below {
                0 => would,
                below => would.say(" it and ").counted(below, "manifest of it", "manifests of it"),
            });
        }
        PinReport::Failed => states.push(Phrase::said("could not be pinned")),
        PinReport::Created => states.push(Phrase::said("pinned just now")),
        PinReport::Unsupported if target.obstacles.is_empty() => states.push(Phrase::said("cannot be pinned here")),
        PinReport::Absent if states.is_empty() => states.push(Phrase::said("not pinned")),
        PinReport::Withheld => states.push(Phrase::said("pin withheld")),
        PinReport::Present | PinReport::Refused | PinReport::Unsupported | PinReport::Absent => {}
    }
    let unexplained = target.obstacles.is_empty();
    match (target.restorable, target.protected) {
        (Some(true), Some(true)) => states.push(Phrase::said("protected")),
        (Some(false), _) if unexplained => states.push(Phrase::said("not intact")),
        (None, _) if unexplained => states.push(Phrase::said("unknown whether it is intact")),
        (_, None) if unexplained => states.push(Phrase::said("unknown whether it is protected")),
        (_, Some(false)) if states.is_empty() => states.push(Phrase::said("not protected")),
        _ => {}
    }
    Phrase::joined(states, "; ")
}

/// What is said with a pin that would be made, and is so no more once it is.
fn is_told_with_its_pin(obstacle: &Obstacle) -> bool {
    matches!(obstacle, Obstacle::PartsUnpinned { why: None, .. })
}

/// An obstacle on a target's own line. What is the same for each of a service's targets, and what a finding tells at
/// length, is not reported again with every one of them.
fn in_brief(obstacle: &Obstacle) -> Phrase {
    match obstacle {
        Obstacle::NoPins { .. } => Phrase::said("cannot be pinned here"),
        Obstacle::WrongBytes { .. } => Phrase::said("serves wrong bytes"),
        Obstacle::PinRefused { .. } => Phrase::said("pin refused: it would do harm"),
        Obstacle::NotPullable { .. } => Phrase::said("present, and cannot be pulled"),
        other => self::obstacle(other),
    }
}

pub(super) fn obstacle(obstacle: &Obstacle) -> Phrase {
    match obstacle {
        Obstacle::Missing => Phrase::said("does not exist any more"),
        Obstacle::PartMissing { digest, part, more } => {
            let short = ArtifactId::Manifest(digest.clone()).short();
            let lacks = match part {
                Some(part) => Phrase::said("lacks ").then(Phrase::name(part)).say(": ").then(Phrase::name(&short)),
                None => Phrase::said("lacks a part: ").then(Phrase::name(&short)),
            };
            more.map_or(lacks.clone(), |more| lacks.say(" (and ").number(more).say(" more)"))
        }
        Obstacle::PartDamaged { detail, .. } => Phrase::said("has a damaged part: ").then(Phrase::sentence(detail)),
        Obstacle::Contradiction { about, said, but } => Phrase::said("the registry contradicts itself about ")
            .then(Phrase::name(about))
            .say(": ")
            .then(Phrase::sentence(said))
            .say(", but ")
            .then(Phrase::sentence(but)),
        Obstacle::WrongBytes { detail } => Phrase::said("serves wrong bytes: ").then(Phrase::sentence(detail)),
        Obstacle::Archived { class } => {
            Phrase::said("in archive storage (").then(Phrase::name(class)).say("), restore it first")
        }
        Obstacle::Hidden { marker } => Phrase::said("hidden by delete marker ").then(Phrase::name(marker)),
        Obstacle::NoObjectLock => Phrase::said("the bucket has no Object Lock, so no pin holds"),
        Obstacle::NoPins { detail } => Phrase::said("cannot be pinned: ").then(Phrase::sentence(detail)),
        Obstacle::Unversioned => Phrase::said("the bucket keeps no versions, so the next write destroys it"),
        Obstacle::Lifecycle { rule, effect, .. } => {
            Phrase::said("lifecycle rule ").then(Phrase::name(rule)).say(": ").then(Phrase::sentence(effect))
        }
        Obstacle::Unpinned => Phrase::said("not pinned"),
        Obstacle::PinRefused { detail } => Phrase::said("pin refused: ").then(Phrase::sentence(detail)),
        Obstacle::PinMoved { to } => Phrase::said("its pin names ").then(Phrase::name(to)),
        Obstacle::CleanupUnknown { detail } => Phrase::sentence(detail),
        Obstacle::Unproven { detail } => Phrase::said("not proven: ").then(Phrase::sentence(detail)),
        Obstacle::NotPullable { detail } => {
            Phrase::said("present, and cannot be pulled: ").then(Phrase::sentence(detail))
        }
        Obstacle::PartsUnpinned { count, first, why } => {
            let lacks =
                Phrase::default().counted(*count, "manifest below it", "manifests below it").say(" not pinned (");
            let lacks = lacks.then(Phrase::name(first)).say(")");
            why.as_ref().map_or(lacks.clone(), |why| lacks.say(": ").then(Phrase::sentence(why)))
        }
    }
}

pub(super) fn gap(gap: &Gap) -> Phrase {
    let what = match &gap.scope {
        Scope::Source => Phrase::said("the source"),
        Scope::Repository => Phrase::said("its tags or settings"),
        Scope::Setting => Phrase::said("a setting"),
        Scope::Tag(tag) => Phrase::said("tag ").then(Phrase::name(tag.as_str())),
        Scope::Artifact(artifact) => Phrase::said("artifact ").then(Phrase::name(&artifact.short())),
        Scope::Signal(signal) => Phrase::said("signal ").then(Phrase::name(signal)),
    };
    what.say(" not read, ").say(cause(gap.cause)).say(": ").then(Phrase::sentence(&gap.detail))
}

pub(super) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Denied => "permission denied",
        Cause::NotFound => "not found",
        Cause::Unsupported => "not offered by the server",
        Cause::Throttled => "throttled",
        Cause::Unreachable => "unreachable",
        Cause::ServerError => "server error",
        Cause::TimedOut => "timed out",
        Cause::Interrupted => "interrupted",
        Cause::Malformed => "malformed answer",
        Cause::Refused => "refused by prodpin",
        Cause::Suspicious => "suspicious",
        Cause::Blocked => "blocked by a rule of the registry",
    }
}

pub(super) fn reason(reason: &Reason) -> Phrase {
    let (words, name) = match reason {
        Reason::ReleaseTag { tag } => ("release tag ", tag.as_str()),
        Reason::ReleasedAs { tag } => ("released as ", tag.as_str()),
        Reason::MovedIn { tag } => ("moved in under ", tag.as_str()),
        Reason::MovingTagNow { tag } => ("moving tag now ", tag.as_str()),
        Reason::MovingTagBefore { tag } => ("moving tag before ", tag.as_str()),
        Reason::Running { via } => ("running by ", via.as_str()),
        Reason::RanBefore { via } => ("ran before by ", via.as_str()),
        Reason::Wanted { via } => ("wanted by ", via.as_str()),
        Reason::WantedBefore { via } => ("wanted before and never seen to run by ", via.as_str()),
    };
    Phrase::said(words).then(Phrase::name(name))
}

/// Since when, and which ledger commit holds the evidence, where that is not this run's own (I10).
pub(super) fn evidence(finding: &Finding, run: &RunSection) -> String {
    let since = if finding.first_seen >= run.started {
        "new".to_owned()
    } else {
        format!("since {}", moment(finding.first_seen))
    };
    let own = run.ledger.as_ref().map(|ledger| ledger.sequence);
    match finding.ledger_sequence {
        Some(sequence) if Some(sequence) != own => format!("{since} · ledger commit {sequence}"),
        _ => since,
    }
}

/// What it means that a report is about a part, which follows.
pub(super) fn is_part(scope: &RunScope) -> &'static str {
    match scope.shown {
        Some(_) => "Only a part of the run's report is shown",
        None => "Only a part of the policy was looked at",
    }
}

/// What part of the policy a run was about; none if it was about all of it.
pub(super) fn scope(scope: &RunScope) -> Option<String> {
    let sources: Vec<&str> = scope.sources.iter().map(SourceName::as_str).collect();
    let sources = (!sources.is_empty()).then(|| format!("source {}", sources.join(", ")));
    let shard = scope.shard.as_ref().map(|shard| format!("shard {shard}"));
    let repositories = match scope.repositories.as_slice() {
        [] => None,
        [one] => Some(format!("repository {one}")),
        several => Some(format!("repositories {}", several.join(", "))),
    };
    let shown = scope.shown.clone();
    let parts: Vec<String> = sources.into_iter().chain(shard).chain(repositories).chain(shown).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
