//! What signals named as running, ranked by when it was last in production.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{ArtifactId, Evidence, RepositoryState, Span, signal_of};
use crate::outcome::report::Reason;

use super::candidate::{Candidate, Lane, MovedIn};
use super::deployments::Resolved;

/// Whether it runs or is wanted, whether it ran, when it was last in production, the commit that last changed what is known
/// of it, and the number of the newest old revision that holds it.
type Recency = (Presence, bool, Option<Timestamp>, u64, Option<u64>);

/// When each signal named an artifact.
type Spans = BTreeMap<Arc<str>, Span>;

/// Whether something is there now, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Presence {
    Past,
    Wanted,
    Running,
}

impl Presence {
    fn from_candidate(candidate: &Candidate) -> Self {
        match (candidate.running, candidate.wanted) {
            (true, _) => Self::Running,
            (false, true) => Self::Wanted,
            (false, false) => Self::Past,
        }
    }
}

/// What signals named: running now first, then what is wanted, then by when it was last in production.
pub(super) fn in_use(
    resolved: &Resolved<'_>,
    state: &RepositoryState,
    signals: &BTreeSet<Arc<str>>,
    now: Timestamp,
) -> Lane {
    let clock = Clock::new(state, now);
    let candidates = state.deployments.iter().map(|(artifact, spans)| {
        let candidate = named(artifact, spans, resolved, signals, &clock);
        (recency(&candidate, spans, resolved, &clock), candidate)
    });
    let mut ranked: Vec<(Recency, Candidate)> = candidates.collect();
    ranked.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| x.artifact.cmp(&y.artifact)));
    let ranked: Vec<Candidate> = ranked.into_iter().map(|(_, candidate)| candidate).collect();
    let mut seen: Vec<usize> = (0..ranked.len()).filter(|place| ranked[*place].seen.is_some()).collect();
    // By nothing that is reported: else that would decide between two that were seen to go at the same look.
    let order = |place: &usize| {
        let candidate = &ranked[*place];
        (Reverse((candidate.running, candidate.seen)), &candidate.artifact)
    };
    seen.sort_by(|a, b| order(a).cmp(&order(b)));
    Lane { evidence: Evidence::RunningDigest, ranked, seen }
}

/// What signals say of one artifact, and why it is kept.
fn named(
    artifact: &ArtifactId,
    spans: &Spans,
    resolved: &Resolved<'_>,
    signals: &BTreeSet<Arc<str>>,
    clock: &Clock,
) -> Candidate {
    let mut candidate = Candidate::new(artifact.clone());
    candidate.seen = spans.values().filter(|span| !span.recalled).map(last_seen).max();
    candidate.ran = spans.values().any(|span| !span.never_came_up());
    let (mut before, mut wanted) = (Vec::new(), Vec::new());
    for (via, span) in spans {
        // A signal that the policy no longer names cannot say that anything still runs.
        let runs = span.until.is_none() && signal_of(via, signals).is_some();
        candidate.running |= runs;
        let wants = span.is_wanted() && signal_of(via, signals).is_some();
        candidate.wanted |= wants;
        if runs {
            candidate.reasons.push(Reason::Running { via: via.to_string() });
        } else if wants {
            wanted.push(Reason::Wanted { via: via.to_string() });
        } else if span.never_came_up() {
            wanted.push(Reason::WantedBefore { via: via.to_string() });
        }
        if !runs && !span.never_came_up() {
            before.push((clock.last_in_production(span), via));
        }
    }
    if candidate.reasons.is_empty() {
        before.sort_by(|a, b| b.cmp(a));
        let reported =
            before.into_iter().take(REASONS_SHOWN).map(|(_, via)| Reason::RanBefore { via: via.to_string() });
        candidate.reasons.extend(reported);
    }
    candidate.reasons.extend(wanted.into_iter().take(REASONS_SHOWN));
    candidate.running |= resolved.named.contains_key(artifact);
    candidate.wanted |= resolved.wanted.contains_key(artifact);
    let moved = resolved.moved_in.iter().filter(|(claimed, ..)| claimed == artifact);
    candidate.moved_in.extend(moved.map(|(_, tag, now)| MovedIn {
        tag: tag.clone(),
        artifact: now.clone(),
        left: false,
    }));
    candidate
}

/// What an artifact's place among the others is decided by.
fn recency(candidate: &Candidate, spans: &Spans, resolved: &Resolved<'_>, clock: &Clock) -> Recency {
    let presence = Presence::from_candidate(candidate);
    let last = spans.values().filter_map(|span| clock.last_in_production(span)).max();
    let sequence = spans.values().map(last_seen).max().unwrap_or(0);
    // Of two that went at the same time the order of their revisions tells, where there is one.
    let number = resolved.last_number(&candidate.artifact).filter(|_| presence == Presence::Past);
    (presence, candidate.ran, last, sequence, number)
}

/// The commit that last changed what is known of a deployment.
fn last_seen(span: &Span) -> u64 {
    span.until.unwrap_or(span.from).sequence
}

/// Of workloads that ran an artifact and run it no more, so many are named as the reason for keeping it.
const REASONS_SHOWN: usize = 8;

/// The wall time of each ledger position, made to follow the sequence, which is what orders (I21): so that it can be
/// compared with the times that platforms tell of deployments no run was there to see.
struct Clock {
    times: BTreeMap<u64, Timestamp>,
    now: Timestamp,
}

impl Clock {
    fn new(state: &RepositoryState, now: Timestamp) -> Self {
        let marks = state.deployments.values().flat_map(BTreeMap::values).flat_map(|span| {
            let until = span.until.unwrap_or(span.from);
            [(span.from.sequence, span.from.at), (until.sequence, until.at)]
        });
        let mut times: BTreeMap<u64, Timestamp> = BTreeMap::new();
        for (sequence, at) in marks {
            let time = times.entry(sequence).or_insert(at);
            *time = (*time).max(at);
        }
        let mut latest = Timestamp::MIN;
        for time in times.values_mut() {
            latest = latest.max(*time);
            *time = latest;
        }
        Self { times, now }
    }

    /// When it was last in production; none if it was, and nobody tells when. A platform often tells only when the
    /// next one was started, or created: before prodpin itself saw this one start, that cannot be right, and the first
    /// look that did not find it any more counts.
    fn last_in_production(&self, span: &Span) -> Option<Timestamp> {
        let until = self.times.get(&last_seen(span)).copied();
        // It was not in production in the future, whatever is reported.
        match span.reported.map(|reported| reported.min(self.now)) {
            reported if span.recalled => reported,
            Some(reported) if reported >= span.from.at => Some(reported),
            _ => until,
        }
    }
}
