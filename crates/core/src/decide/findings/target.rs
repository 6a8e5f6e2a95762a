//! Targets that are gone, broken or out of reach, references to none, and whether enough are left.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decide::draft::{Draft, name_of, names};
use crate::decide::facts::Facts;
use crate::decide::input::Input;
use crate::decide::outlooks::Outlooks;
use crate::decide::rules::is_watched;
use crate::decide::{charts, collision, commands, evidence, lifecycle, not_pullable, undelete, unread};
use crate::model::{Code, DeployedReference, Finding, ObservedTag, Obstacle, Retention, Severity};
use crate::outcome::report::{PinReport, RepositoryReport, TargetReport};

use super::{
    gap::next_step,
    pin::{self, Hindrance},
};

/// What is wrong with one target.
pub(super) fn findings(
    input: &Input<'_>,
    draft: Draft<'_>,
    target: &TargetReport,
    report: &RepositoryReport,
    outlooks: &Outlooks,
) -> Vec<Finding> {
    let judged = Judged { input, draft, target, report, outlooks, name: name_of(target) };
    let collision = collision::collision(draft, &judged.name, target, outlooks, input.now);
    let collision = collision.map(|(severity, message, remedy)| {
        draft.of_target(target, Code::LifecycleCollision, severity, message, remedy)
    });
    let obstacles = target.obstacles.iter().filter_map(|obstacle| judged.obstacle(obstacle));
    let unpullable = not_pullable::finding(draft, &judged.name, target);
    collision.into_iter().chain(obstacles).chain(unpullable).chain(judged.failed()).collect()
}

/// One target, and what it is judged by.
struct Judged<'t> {
    input: &'t Input<'t>,
    draft: Draft<'t>,
    target: &'t TargetReport,
    report: &'t RepositoryReport,
    outlooks: &'t Outlooks,
    name: String,
}

impl Judged<'_> {
    /// An obstacle that is reported by itself; the others are reported elsewhere, or once for the source.
    fn obstacle(&self, obstacle: &Obstacle) -> Option<Finding> {
        let Self { input, draft, target, name, .. } = self;
        let (code, severity, message, remedy) = match obstacle {
            Obstacle::Missing => {
                let inspection = input.inspections.get(&target.artifact);
                let kept = undelete::remedy(inspection, &input.snapshot.retention, input.now);
                let kept = kept.map_or_else(String::new, |kept| format!("{kept}; else "));
                let remedy = format!("{kept}{}; {}", draft.place().bring_back(), self.meanwhile());
                (Code::TargetMissing, Severity::Critical, format!("{name} does not exist any more"), remedy)
            }
            Obstacle::WrongBytes { detail } => {
                let (code, message, remedy) = charts::wrong_bytes(draft.place(), name, detail);
                (code, Severity::Critical, message, remedy)
            }
            Obstacle::Archived { class } => {
                let message = format!("{name} lies in archive storage ({class}) and cannot be deployed at once");
                (Code::TargetArchived, Severity::High, message, self.restore(class))
            }
            Obstacle::Hidden { marker } => {
                let message = format!("a delete marker hides {name} from readers by key");
                (Code::TargetHidden, Severity::High, message, self.unhide(marker))
            }
            Obstacle::Lifecycle { rule, effect, due: None } => {
                let message = format!("lifecycle rule {rule:?} reaches {name}: {effect}");
                let remedy = "narrow the rule's filter so that it spares releases".to_owned();
                (Code::LifecycleCollision, Severity::High, message, remedy)
            }
            Obstacle::PinMoved { to } => {
                let message = format!("the pin of {name} names {to} instead");
                (Code::PinMoved, Severity::Critical, message, self.unmoved().to_owned())
            }
            Obstacle::Unpinned => {
                let (severity, message, remedy) = self.unpinned()?;
                (Code::PinMissing, severity, message, remedy)
            }
            // Those that were worked out have been reported, with their dates.
            Obstacle::Lifecycle { due: Some(_), .. } => return None,
            // These are reported together, by `evidence`.
            Obstacle::PartMissing { .. } | Obstacle::PartDamaged { .. } | Obstacle::Contradiction { .. } => return None,
            Obstacle::PinRefused { .. }
            | Obstacle::NoPins { .. }
            | Obstacle::NoObjectLock
            | Obstacle::Unversioned
            // Reported once for the source.
            | Obstacle::CleanupUnknown { .. }
            // Reported once for the repository.
            | Obstacle::PartsUnpinned { .. }
            | Obstacle::Unproven { .. } => return None,
            // Told together, whatever the number of parts.
            Obstacle::NotPullable { .. } => return None,
        };
        Some(draft.of_target(target, code, severity, message, remedy))
    }

    fn meanwhile(&self) -> String {
        let rollback = &self.report.rollback;
        match rollback.to.as_ref().filter(|_| rollback.intact == Some(true)) {
            Some(to) => {
                let target = self.report.targets.iter().find(|target| target.artifact == *to);
                format!("until then, roll back to {}", target.map_or_else(|| to.short(), name_of))
            }
            None => "nothing else is left to roll back to".to_owned(),
        }
    }

    /// What to do about a pin that was moved. Where the registry holds it now, it stays where it is.
    fn unmoved(&self) -> &'static str {
        let seen = self.input.inspections.get(&self.target.artifact);
        match seen.and_then(|seen| seen.pin_is_immutable) {
            Some(true) => {
                "somebody moved it before the registry made tags immutable, and now nobody can put it back: turn immutable tags off, \
                 give what it names now another tag if it has none, delete that tag, run `prodpin enforce`, and turn them on again"
            }
            Some(false) | None => {
                "somebody moved it: find out who can push here; prodpin never moves a tag that it did not make"
            }
        }
    }

    fn restore(&self, class: &str) -> String {
        match &self.input.snapshot.retention {
            Retention::Unruled
            | Retention::Harbor(_)
            | Retention::Acr(_)
            | Retention::GitLab(_)
            | Retention::Gar(_)
            | Retention::Quay(_)
            | Retention::Zot(_) => "restore it, and keep releases out of archive transitions".to_owned(),
            Retention::Bucket(bucket) => {
                let how = commands::restore_object(bucket, &self.target.artifact, class);
                let how = how.map_or_else(String::new, |command| format!(": `{command}`"));
                format!("restore it, which takes minutes to hours, and keep releases out of archives{how}")
            }
            Retention::Ecr(ecr) => format!(
                "restore it, which takes up to 20 minutes as a rule: `{}`",
                commands::restore(&self.input.key.name, ecr, &self.target.artifact)
            ),
        }
    }

    fn unhide(&self, marker: &str) -> String {
        let command = match &self.input.snapshot.retention {
            Retention::Bucket(bucket) => commands::unhide(bucket, &self.target.artifact, marker),
            Retention::Unruled
            | Retention::Ecr(_)
            | Retention::Harbor(_)
            | Retention::Acr(_)
            | Retention::GitLab(_)
            | Retention::Zot(_)
            | Retention::Gar(_)
            | Retention::Quay(_) => None,
        };
        match command {
            None => format!("remove the delete marker, version {marker}"),
            Some(command) => format!("remove the delete marker: `{command}`"),
        }
    }

    fn unpinned(&self) -> Option<(Severity, String, String)> {
        let Self { input, target, .. } = self;
        let was_pinned = input.state.lacks_pin(&target.artifact);
        let hindrance = Hindrance::of(target, &input.snapshot.cleanup);
        let attempt = input.attempts.get(&target.artifact);
        // Refused and withheld is not lacking: that has a finding of its own, for all of them.
        let has_its_own = matches!(hindrance, Some(Hindrance::Refused | Hindrance::Withheld));
        let is_told = has_its_own && !was_pinned && attempt.is_none();
        if !pin::is_whole(target) || is_told {
            return None;
        }
        let named = (self.name.as_str(), *target);
        let (mut severity, mut message, remedy) = pin::unpinned(input.mode, named, hindrance, was_pinned, attempt);
        if let Some(threat) = self.outlooks.unless_pinned(&target.artifact) {
            severity = severity.max(lifecycle::severity(threat, input.now).min(Severity::High));
            message.push_str(&collision::unless_pinned(threat));
        }
        Some((severity, message, remedy))
    }

    /// A pin that was tried in vain, where that is not told as a lack.
    fn failed(&self) -> Option<Finding> {
        let Self { input, draft, target, name, .. } = self;
        let Some(Err(failure)) = input.attempts.get(&target.artifact) else { return None };
        let reported = target.obstacles.contains(&Obstacle::Unpinned) || target.pin != PinReport::Failed;
        let message = format!("{name} could not be pinned: {failure}");
        (!reported)
            .then(|| draft.of_target(target, Code::PinMissing, Severity::High, message, next_step(failure.cause)))
    }
}

/// What is to be known of the evidence about a target.
pub(super) fn of_evidence(input: &Input<'_>, draft: Draft<'_>, target: &TargetReport) -> Vec<Finding> {
    let inspection = input.inspections.get(&target.artifact);
    let kept = undelete::remedy(inspection, &input.snapshot.retention, input.now);
    let found = evidence::findings(draft, &name_of(target), target, inspection, kept.as_deref());
    found.into_iter().map(|finding| names(finding, target)).collect()
}

/// References that a signal names and that do not exist.
pub(super) fn dangling(input: &Facts<'_>, draft: Draft<'_>) -> Vec<Finding> {
    if !input.snapshot.listing_is_complete() {
        return Vec::new();
    }
    let mut seen: BTreeSet<(&DeployedReference, &Arc<str>)> = BTreeSet::new();
    let dangling = input.uses().dangling().iter().copied();
    dangling
        .filter(|running| seen.insert((&running.reference, &running.via)))
        .filter_map(|running| {
            let DeployedReference::Tag(tag) = &running.reference else { return None };
            let unread = input.snapshot.tags.iter().any(|observed| observed.name == *tag);
            if unread {
                return None;
            }
            let message = match running.runs_now() {
                true => format!("{} names {tag} as running, and there is no such tag", running.via),
                false => format!("{} wants {tag}, and there is no such tag: it cannot start", running.via),
            };
            let mut finding = draft.finding(
                Code::TargetMissing,
                Severity::Critical,
                message,
                "name it by digest, or correct the reference",
            );
            finding.reference = Some(tag.to_string());
            Some(finding)
        })
        .collect()
}

/// So many tags show what a rule would have to match.
const TAGS_SHOWN: usize = 3;

/// No more of each is shown.
const LABEL_SHOWN: usize = 60;

fn tags_seen(input: &Input<'_>) -> String {
    let there = || input.snapshot.tags.iter().filter(|tag| is_watched(&tag.name));
    let short = |label: &str| label.chars().take(LABEL_SHOWN).collect::<String>();
    let shown: Vec<String> = there().take(TAGS_SHOWN).map(|tag| short(tag.label())).collect();
    match (shown.is_empty(), there().count().saturating_sub(TAGS_SHOWN)) {
        (true, _) => "; nothing is there".to_owned(),
        (false, 0) => format!("; seen here: {}", shown.join(", ")),
        (false, more) => format!("; seen here: {} and {more} more", shown.join(", ")),
    }
}

/// Whether there is enough to roll back to.
pub(super) fn depth(
    input: &Input<'_>,
    listed: &[&ObservedTag],
    draft: Draft<'_>,
    report: &RepositoryReport,
) -> Option<Finding> {
    let ranked: Vec<&TargetReport> = report.targets.iter().filter(|target| target.rank.is_some()).collect();
    let keep = report.rollback.keep as usize;
    if report.targets.is_empty() {
        return report.complete.then(|| {
            let seen = tags_seen(input);
            draft.finding(
                Code::PolicyUnmatched,
                Severity::Low,
                format!("no tag here matches a production rule, so nothing is kept{seen}"),
                "add a production rule that matches this repository's releases, or take the repository out of the policy",
            )
        });
    }
    let possible = ranked.iter().filter(|target| target.restorable != Some(false)).count();
    if possible >= keep || !input.snapshot.listing_is_complete() {
        return None;
    }
    let lost = ranked.len() > possible;
    let severity = match (lost, report.rollback.ready, report.rollback.intact) {
        (true, Some(false), _) => Severity::High,
        (true, ..) => Severity::Medium,
        // There is a way back, or would be if the database had not left it behind, which is reported by itself.
        (false, None, Some(true)) => Severity::Info,
        (false, ..) => Severity::Low,
    };
    let unproven = ranked.iter().filter(|target| target.restorable.is_none()).count();
    let unread = unread::releases(input, listed).len();
    let message = format!("{}{}", how_many((possible, unproven), keep, lost), unread_tags(unread));
    let remedy = match (unread, lost) {
        // What they name may be what is lacking.
        (1.., _) => "resolve the finding inventory-incomplete first, and run again: it says what could not be read",
        (0, true) => "bring back what is not intact as its own finding says; each new release adds one",
        (0, false) => "nothing to do: the number grows with each release",
    };
    Some(draft.finding(Code::RollbackDepthShort, severity, message, remedy))
}

/// How many releases there are of those to be kept. A release that was not read to its end is not called intact.
fn how_many((possible, unproven): (usize, usize), keep: usize, lost: bool) -> String {
    match (lost, unproven) {
        (true, 0) => format!("{possible} of the {keep} releases to keep are intact"),
        (true, unproven) => format!(
            "{} of the {keep} releases to keep are intact, and {unproven} more may be: not all of {} could be read",
            possible.saturating_sub(unproven),
            if unproven == 1 { "it" } else { "them" }
        ),
        (false, _) => format!(
            "{possible} production {} known, and the policy keeps {keep}",
            if possible == 1 { "release is" } else { "releases are" }
        ),
    }
}

fn unread_tags(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 more release tag could not be read".to_owned(),
        more => format!("; {more} more release tags could not be read"),
    }
}
