//! Which revisions of a workload run, which one is wanted, and which ran: from what its platform shows (I31, F133).
//!
//! A revision runs if a pod of it runs and is ready. What the workload's template asks for and has no such pod is wanted,
//! and why it does not run is said. An old revision without one ran before: a cluster keeps for each when it was first
//! made and its number, and going back gives an old one the newest number (E122). So the number orders, the time of
//! making tells which came first, and a revision was in production until at least when the next one was made.

use jiff::Timestamp;

use crate::model::{Tenure, Waiting};

/// What a workload's controller shows of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Controller {
    /// Whether it is to have no pods.
    pub scaled_to_zero: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether its rollout was aborted: it stays with what ran.
    pub aborted: bool,
    /// Whether its update strategy starts nothing by itself: `OnDelete`, or a partition that covers every pod.
    pub held: bool,
    /// Whether its template is none of its revisions: no pod of that can have run.
    pub has_unmade_template: bool,
}

/// What a platform shows of one revision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revision {
    /// Its number, by which revisions are ordered.
    pub number: Option<u64>,
    /// The lowest number it is known to have had: going back renumbers.
    pub first_number: Option<u64>,
    /// When it was first made.
    pub made: Option<Timestamp>,
    /// Whether it is to have no pods while another one is to have some, and nothing else says which is wanted.
    pub idle: bool,
    /// Its pods.
    pub pods: Pods,
}

/// The pods of a revision, by how far they are up. What could not be read counts as running: unknown is not nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pods {
    /// None, or none whose containers run.
    #[default]
    None,
    /// Their containers run, and none of them is ready.
    Unready,
    /// One runs and is ready.
    Ready,
    /// Could not be read, and the revision is to have some.
    Unread,
}

impl Pods {
    /// Both views together: the one that shows more.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let weight = |pods| match pods {
            Self::None => 0,
            Self::Unready => 1,
            Self::Unread => 2,
            Self::Ready => 3,
        };
        if weight(other) > weight(self) { other } else { self }
    }
}

/// What a revision is to production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Whether it runs, is wanted, or ran.
    pub tenure: Tenure,
    /// Its place in the order in which revisions first came, from 1.
    pub introduced: u64,
}

/// What each revision is, in the order given; and what the template is, where it is no revision yet.
#[must_use]
pub fn statuses(controller: Controller, revisions: &[Revision]) -> (Vec<Status>, Option<Status>) {
    let mut order: Vec<usize> = (0..revisions.len()).collect();
    order.sort_by_key(|at| (revisions[*at].number, revisions[*at].made, *at));
    let newest = order.iter().rev().copied().find(|at| !revisions[*at].idle);
    let newest = newest.filter(|_| !controller.has_unmade_template);
    let any_ready = revisions.iter().any(|revision| revision.pods == Pods::Ready);
    let introduced = introductions(revisions);
    let mut statuses = vec![None; revisions.len()];
    for (place, at) in order.iter().copied().enumerate() {
        let revision = &revisions[at];
        let runs = match revision.pods {
            Pods::Ready | Pods::Unread => true,
            // Where nothing is ready, what has processes that run is what production has.
            Pods::Unready => !any_ready,
            Pods::None => false,
        };
        let tenure = match runs {
            true => Tenure::Now { since: activated(revisions, &order[..=place]) },
            false if Some(at) == newest => Tenure::Wanted { why: waiting(controller) },
            false => Tenure::Before { last: last(revisions, &order, place) },
        };
        statuses[at] = Some(Status { tenure, introduced: introduced[at] });
    }
    let unmade = controller.has_unmade_template.then(|| Status {
        tenure: Tenure::Wanted { why: waiting(controller) },
        introduced: revisions.len() as u64 + 1,
    });
    (statuses.into_iter().flatten().collect(), unmade)
}

/// What each revision is where routes decide which of them is production, as Knative's do: what requests are sent to and
/// has a pod that is ready runs, whatever else has pods.
#[must_use]
pub fn routed(revisions: &[(Revision, Route)]) -> Vec<Status> {
    let plain: Vec<Revision> = revisions.iter().map(|(revision, _)| *revision).collect();
    let mut order: Vec<usize> = (0..plain.len()).collect();
    order.sort_by_key(|at| (plain[*at].number, plain[*at].made, *at));
    let newest = order.last().copied();
    let is_routed = |route: Route| matches!(route, Route::Sent | Route::Unread);
    let any_ready = revisions.iter().any(|(revision, route)| is_routed(*route) && revision.pods == Pods::Ready);
    let introduced = introductions(&plain);
    let mut statuses = vec![None; plain.len()];
    for (place, at) in order.iter().copied().enumerate() {
        let (revision, route) = &revisions[at];
        let runs = match revision.pods {
            Pods::Ready | Pods::Unread => true,
            Pods::Unready => !any_ready,
            Pods::None => false,
        };
        let tenure = match route {
            Route::Sent | Route::Unread if runs => Tenure::Now { since: activated(&plain, &order[..=place]) },
            // It is started by the next request.
            Route::Sent if revision.pods == Pods::None => Tenure::Wanted { why: Waiting::NoReplicas },
            Route::Sent => Tenure::Wanted { why: Waiting::Starting },
            Route::Unserved if Some(at) == newest => Tenure::Wanted { why: Waiting::Starting },
            Route::NotSent if Some(at) == newest => Tenure::Wanted { why: Waiting::Held },
            Route::NotSent | Route::Unserved | Route::Unread => Tenure::Before { last: last(&plain, &order, place) },
        };
        statuses[at] = Some(Status { tenure, introduced: introduced[at] });
    }
    statuses.into_iter().flatten().collect()
}

/// What routes make of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Requests are sent to it.
    Sent,
    /// None are, and it could serve them.
    NotSent,
    /// None are, and it says that it cannot serve any.
    Unserved,
    /// Routes could not be read.
    Unread,
}

/// Why what the template asks for does not run.
#[must_use]
pub fn waiting(controller: Controller) -> Waiting {
    match controller {
        Controller { scaled_to_zero: true, .. } => Waiting::NoReplicas,
        Controller { aborted: true, .. } => Waiting::Aborted,
        Controller { paused: true, .. } => Waiting::Paused,
        Controller { held: true, .. } => Waiting::Held,
        _ => Waiting::Starting,
    }
}

/// The order in which revisions first came. The numbers that they had then decide where they are known, else the times
/// at which they were made.
fn introductions(revisions: &[Revision]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..revisions.len()).collect();
    let first = |at: usize| {
        let Revision { number, first_number, .. } = revisions[at];
        first_number.or(number)
    };
    let renumbered_unseen = revisions.iter().all(|revision| revision.first_number.is_none());
    order.sort_by_key(|at| match renumbered_unseen {
        true => (revisions[*at].made, None, first(*at)),
        false => (None, first(*at), revisions[*at].made.and_then(|made| u64::try_from(made.as_second()).ok())),
    });
    let mut introduced = vec![0; revisions.len()];
    for (at, place) in order.into_iter().zip(1..) {
        introduced[at] = place;
    }
    introduced
}

/// When the last of these, in the order of their numbers, was put to work, at the earliest: not before any with a lower
/// number was made.
fn activated(revisions: &[Revision], up_to: &[usize]) -> Option<Timestamp> {
    up_to.iter().filter_map(|at| revisions[*at].made).max()
}

/// When a revision was last in production, at least: when the next one was made; at the time at which it was itself put to
/// work, if there is none, or if the next one was an old one that came back, as nothing tells when that was.
fn last(revisions: &[Revision], order: &[usize], place: usize) -> Option<Timestamp> {
    let begun = activated(revisions, &order[..=place]);
    let Some(next) = order.get(place + 1) else { return begun };
    let next = revisions[*next].made;
    match next >= begun {
        true => {
            order[place + 1..].iter().filter_map(|at| revisions[*at].made).filter(|made| Some(*made) >= begun).min()
        }
        false => begun,
    }
}

#[cfg(test)]
mod tests;
