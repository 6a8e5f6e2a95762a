//! The release list: each release with everything that a person wants to know before going back to it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::decide::changes::is_past;
use crate::decide::drilled::restored_since;
use crate::decide::labels::Labels;
use crate::decide::readiness::is_wanted;
use crate::decide::rehearsed;
use crate::model::{ArtifactId, Evidence, Provenance, Tag, TagStatus, Tenure};
use crate::outcome::forecast::{RepositoryForecast, RulesFound, TargetForecast};
use crate::outcome::known_as::KnownAs;
use crate::outcome::ready::{Lasts, ListedRelease, MovedTag};
use crate::outcome::report::{PinReport, Reason, TargetReport};

use super::{Facts, Uses};

/// Of those who say that a release ran, so many are named.
const NAMED: usize = 4;

pub(super) fn listed_releases(facts: &Facts<'_>, uses: &Uses<'_>, labels: &Labels<'_>) -> Vec<ListedRelease> {
    facts.row.targets.iter().map(|target| listed_release(facts, uses, labels, target)).collect()
}

fn listed_release(facts: &Facts<'_>, uses: &Uses<'_>, labels: &Labels<'_>, forecast: &TargetForecast) -> ListedRelease {
    let target = &forecast.target;
    let provenance = facts.said.get(&target.artifact).and_then(|said| said.as_ref().ok());
    let Provenance { commit, source, .. } = provenance.cloned().unwrap_or_default();
    let (first_seen, last_seen) = seen(facts, uses, target);
    let (unchanged, moved) = unchanged(facts, uses, labels, target);
    let (schema, _) = facts.question(uses).said(target);
    let (evidence, by) = evidence(uses, target);
    ListedRelease {
        artifact: target.artifact.clone(),
        rank: target.rank,
        address: facts.addresses.get(&target.artifact).cloned(),
        tags: target.references.clone(),
        name: name(target),
        running: target.running,
        wanted: is_wanted(target),
        first_seen,
        last_seen,
        built: facts.input.inspections.get(&target.artifact).and_then(|seen| seen.created),
        evidence,
        by,
        restorable: target.restorable,
        pin: target.pin,
        protected: target.protected,
        obstacles: target.obstacles.clone(),
        unchanged,
        moved,
        moved_here: moved_here(target),
        lasts: lasts(&facts.row, forecast),
        schema,
        commit,
        repository_url: source.map(String::from),
        drills: target.drills.clone(),
        rehearsals: rehearsed::reports(facts.input.state, &target.artifact),
        restored: restored_since(facts.input.state, &target.artifact),
    }
}

/// As the report calls it.
fn name(target: &TargetReport) -> Option<String> {
    target.known_as().map(|known| match known {
        KnownAs::Now(tag) => tag.to_string(),
        KnownAs::Once(tag) => format!("formerly {tag}"),
    })
}

/// When it first ran, and when it last did, as far as platforms tell and the ledger saw.
fn seen(facts: &Facts<'_>, uses: &Uses<'_>, target: &TargetReport) -> (Option<Timestamp>, Option<Timestamp>) {
    let spans = facts.input.state.deployments.get(&target.artifact);
    let spans = || spans.into_iter().flat_map(|spans| spans.values());
    let first = spans().filter(|span| !span.recalled).map(|span| span.from.at);
    let since = uses.deployments(&target.artifact).iter().filter_map(|used| match used.tenure {
        Tenure::Now { since } => since,
        Tenure::Wanted { .. } | Tenure::Before { .. } => None,
    });
    let first = first.chain(since).min();
    if target.running {
        return (first, None);
    }
    let gone = spans().filter_map(|span| match span.recalled {
        true => span.reported,
        false => span.reported.max(span.until.map(|until| until.at)),
    });
    let reported = uses.deployments(&target.artifact).iter().filter_map(|used| match used.tenure {
        Tenure::Before { last } => last,
        Tenure::Now { .. } | Tenure::Wanted { .. } => None,
    });
    // No release was last in production in the future, whatever a platform tells (I21).
    (first, gone.chain(reported).max().map(|last| last.min(facts.input.now)))
}

/// How sure it is that production ran it: the strongest word, and whose words there are.
fn evidence(uses: &Uses<'_>, target: &TargetReport) -> (Evidence, Vec<String>) {
    let used = uses.deployments(&target.artifact);
    let strongest = used.iter().map(|used| used.evidence).max();
    let by_reason = target.reasons.iter().map(|reason| match reason {
        Reason::ReleaseTag { .. } | Reason::ReleasedAs { .. } | Reason::MovedIn { .. } => Evidence::TagName,
        Reason::MovingTagNow { .. } => Evidence::StablePointer,
        // The ledger saw a signal name it, or what the moving tag named.
        Reason::Wanted { .. } => Evidence::StablePointer,
        Reason::MovingTagBefore { .. }
        | Reason::WantedBefore { .. }
        | Reason::Running { .. }
        | Reason::RanBefore { .. } => Evidence::HistoryReference,
    });
    let evidence = by_reason.chain(strongest).max().unwrap_or(Evidence::TagName);
    let mut by: BTreeSet<String> = used.iter().map(|used| used.via.to_string()).collect();
    for reason in &target.reasons {
        if let Reason::Running { via }
        | Reason::RanBefore { via }
        | Reason::Wanted { via }
        | Reason::WantedBefore { via } = reason
        {
            by.insert(via.clone());
        }
    }
    (evidence, by.into_iter().take(NAMED).collect())
}

/// Whether the tags that it was deployed by still name it. Bytes cannot change; what a tag means can, and a workload
/// that names a tag starts what the tag names then.
fn unchanged(
    facts: &Facts<'_>,
    uses: &Uses<'_>,
    labels: &Labels<'_>,
    target: &TargetReport,
) -> (Option<bool>, Vec<MovedTag>) {
    let state = facts.input.state;
    let mut tags: BTreeSet<&Tag> = uses.deployments(&target.artifact).iter().filter_map(|used| used.tag()).collect();
    let claims = state.claims.values().flat_map(|claims| claims.iter());
    tags.extend(claims.filter(|(_, artifact)| **artifact == target.artifact).map(|(tag, _)| tag));
    let former = state.former.values().flat_map(|former| former.iter());
    tags.extend(former.filter(|(_, (_, artifact))| *artifact == target.artifact).map(|(tag, _)| tag));
    tags.extend(target.reasons.iter().filter_map(|reason| match reason {
        Reason::ReleaseTag { tag } | Reason::ReleasedAs { tag } | Reason::MovedIn { tag } => Some(tag),
        _ => None,
    }));
    if !facts.has_history {
        return (None, Vec::new());
    }
    // A tag that moves by design says nothing about the bytes that it named.
    tags.retain(|tag| !facts.input.rules.may_move(tag, labels.label(tag)));
    let mut moved = Vec::new();
    for tag in tags {
        match meaning(facts, tag) {
            Meaning::Unknown => return (None, moved),
            Meaning::Names(artifact) if artifact == target.artifact => {}
            Meaning::Names(artifact) => moved.push(MovedTag { tag: tag.clone(), to: Some(artifact) }),
            Meaning::Gone => moved.push(MovedTag { tag: tag.clone(), to: None }),
        }
    }
    (Some(moved.is_empty()), moved)
}

/// That its tag still names it says nothing of bytes that came by moving the tag.
fn moved_here(target: &TargetReport) -> Vec<Tag> {
    let moved_in = target.reasons.iter().filter_map(|reason| match reason {
        Reason::MovedIn { tag } => Some(tag.clone()),
        _ => None,
    });
    moved_in.collect()
}

/// What a tag names now.
pub(super) enum Meaning {
    Names(ArtifactId),
    Gone,
    Unknown,
}

pub(super) fn meaning(facts: &Facts<'_>, tag: &Tag) -> Meaning {
    let listed = facts.input.snapshot.tags.iter().find(|listed| listed.name == *tag);
    let known = facts.input.state.tags.get(tag);
    let object = listed.and_then(|listed| listed.object.as_deref());
    if object.is_some_and(|object| is_past(object, known, facts.input.snapshot.made)) {
        return Meaning::Unknown;
    }
    match (listed.map(|listed| &listed.target), known.map(|history| history.status())) {
        (Some(crate::model::Resolution::Artifact(artifact)), _) => Meaning::Names(artifact.clone()),
        (Some(crate::model::Resolution::Unknown), _) => Meaning::Unknown,
        // Not found once may be a fault of the look (I4).
        (_, Some(TagStatus::Deleted(_))) => Meaning::Gone,
        (None, None) if facts.input.snapshot.listing_is_complete() => Meaning::Gone,
        _ => Meaning::Unknown,
    }
}

fn lasts(row: &RepositoryForecast, forecast: &TargetForecast) -> Lasts {
    let pinned = matches!(forecast.target.pin, PinReport::Present | PinReport::Created);
    if let Some(threat) = &forecast.unless_pinned {
        return Lasts::UnlessPinned { threat: threat.clone() };
    }
    if let Some(threat) = forecast.threats.first() {
        return Lasts::UntilRule { threat: threat.clone() };
    }
    // Nothing was read of it, its pin neither.
    if forecast.target.restorable.is_none() && forecast.target.pin == PinReport::Absent {
        return Lasts::Unknown { detail: "whether it is pinned could not be read".to_owned() };
    }
    match (&row.rules, pinned) {
        (RulesFound::Unknown { .. }, false) if forecast.target.pin == PinReport::Withheld => Lasts::NotAtAll,
        (RulesFound::Unknown { detail }, _) => Lasts::Unknown { detail: detail.clone() },
        (RulesFound::NoneReadable, true) => Lasts::NoRulesToRead,
        (RulesFound::NoneReadable, false) => Lasts::NotAtAll,
        (RulesFound::NoneSet | RulesFound::Live | RulesFound::Tried, true) => Lasts::WithItsPin,
        (RulesFound::NoneSet | RulesFound::Live | RulesFound::Tried, false) => Lasts::WithTheRules,
    }
}
