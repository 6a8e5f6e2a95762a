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
mod tests {
    use super::*;

    const NONE: Pods = Pods::None;
    const READY: Pods = Pods::Ready;
    const UNREADY: Pods = Pods::Unready;

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + 60 * minute).unwrap()
    }

    /// A revision by its name, number, the minute in which it was made, and its pods.
    type Made<'a> = (&'a str, u64, i64, Pods);

    /// `v2 runs since 3, v3 ran until 3, v1 ran until 2`, in the order in which they were last in production, and the
    /// order in which they first came.
    fn reported(controller: Controller, made: &[Made<'_>]) -> String {
        let revisions: Vec<Revision> = made
            .iter()
            .map(|(_, number, at, pods)| Revision {
                number: Some(*number),
                made: Some(minute(*at)),
                pods: *pods,
                ..Revision::default()
            })
            .collect();
        let (statuses, unmade) = statuses(controller, &revisions);
        let at = |time: Option<Timestamp>| {
            time.map_or("?".to_owned(), |time| ((time.as_second() - minute(0).as_second()) / 60).to_string())
        };
        let words = |name: &str, status: &Status| {
            let what = match status.tenure {
                Tenure::Now { since } => format!("runs since {}", at(since)),
                Tenure::Wanted { why } => format!("wanted: {}", why.as_str()),
                Tenure::Before { last } => format!("ran until {}", at(last)),
            };
            format!("{name}#{} {what}", status.introduced)
        };
        let mut lines: Vec<String> =
            made.iter().zip(&statuses).map(|((name, ..), status)| words(name, status)).collect();
        lines.extend(unmade.map(|status| words("template", &status)));
        lines.join(", ")
    }

    #[test]
    fn i31_f133_what_runs_is_what_has_pods_that_are_ready_in_every_course_of_a_rollout() {
        let plain = Controller::default();
        let zero = Controller { scaled_to_zero: true, ..plain };
        let paused = Controller { paused: true, ..plain };
        let aborted = Controller { aborted: true, ..plain };
        let held = Controller { held: true, ..plain };
        let unmade = |controller| Controller { has_unmade_template: true, ..controller };
        let cases: &[(&str, Controller, &[Made<'_>], &str)] = &[
            ("first", plain, &[("v1", 1, 1, READY)], "v1#1 runs since 1"),
            (
                "forward",
                plain,
                &[("v1", 1, 1, NONE), ("v2", 2, 2, NONE), ("v3", 3, 3, READY)],
                "v1#1 ran until 2, v2#2 ran until 3, v3#3 runs since 3",
            ),
            (
                "both sides of a rollout",
                plain,
                &[("v1", 1, 1, READY), ("v2", 2, 2, READY)],
                "v1#1 runs since 1, v2#2 runs since 2",
            ),
            (
                "v1, v2, v3, back to v2",
                plain,
                &[("v1", 1, 1, NONE), ("v2", 4, 2, READY), ("v3", 3, 3, NONE)],
                "v1#1 ran until 2, v2#2 runs since 3, v3#3 ran until 3",
            ),
            (
                "back to v2, and back to v1",
                plain,
                &[("v1", 5, 1, READY), ("v2", 4, 2, NONE), ("v3", 3, 3, NONE)],
                "v1#1 runs since 3, v2#2 ran until 3, v3#3 ran until 3",
            ),
            (
                "back to v1, then v3",
                plain,
                &[("v1", 3, 1, NONE), ("v2", 2, 2, NONE), ("v3", 4, 3, READY)],
                "v1#1 ran until 3, v2#2 ran until 2, v3#3 runs since 3",
            ),
            (
                "v2 does not start",
                plain,
                &[("v1", 1, 1, READY), ("v2", 2, 2, NONE)],
                "v1#1 runs since 1, v2#2 wanted: no pod is ready",
            ),
            (
                "v2 starts and is never ready",
                plain,
                &[("v1", 1, 1, READY), ("v2", 2, 2, UNREADY)],
                "v1#1 runs since 1, v2#2 wanted: no pod is ready",
            ),
            (
                "everything is unready: an outage",
                plain,
                &[("v1", 1, 1, NONE), ("v2", 2, 2, UNREADY)],
                "v1#1 ran until 2, v2#2 runs since 2",
            ),
            (
                "v2 and v3 do not start",
                plain,
                &[("v1", 1, 1, READY), ("v2", 2, 2, NONE), ("v3", 3, 3, NONE)],
                "v1#1 runs since 1, v2#2 ran until 3, v3#3 wanted: no pod is ready",
            ),
            (
                "Recreate, and v2 does not start",
                plain,
                &[("v1", 1, 1, NONE), ("v2", 2, 2, NONE)],
                "v1#1 ran until 2, v2#2 wanted: no pod is ready",
            ),
            (
                "paused before the template was rolled out",
                unmade(paused),
                &[("v1", 1, 1, READY)],
                "v1#1 runs since 1, template#2 wanted: paused",
            ),
            (
                "paused in the middle",
                paused,
                &[("v1", 1, 1, READY), ("v2", 2, 2, READY)],
                "v1#1 runs since 1, v2#2 runs since 2",
            ),
            (
                "paused at once",
                paused,
                &[("v1", 1, 1, READY), ("v2", 2, 2, NONE)],
                "v1#1 runs since 1, v2#2 wanted: paused",
            ),
            (
                "aborted",
                aborted,
                &[("v1", 1, 1, NONE), ("v2", 2, 2, READY), ("v3", 3, 3, NONE)],
                "v1#1 ran until 2, v2#2 runs since 2, v3#3 wanted: rollout aborted",
            ),
            (
                "scaled to zero, and a canary that failed",
                zero,
                &[("v1", 1, 1, NONE), ("v2", 2, 2, NONE)],
                "v1#1 ran until 2, v2#2 wanted: scaled to zero",
            ),
            (
                "a partition or OnDelete lets nothing through",
                held,
                &[("v1", 1, 1, READY), ("v2", 2, 2, NONE)],
                "v1#1 runs since 1, v2#2 wanted: held back by the update strategy",
            ),
            (
                "a partition lets one through",
                held,
                &[("v1", 1, 1, READY), ("v2", 2, 2, READY)],
                "v1#1 runs since 1, v2#2 runs since 2",
            ),
            (
                "pods that could not be read",
                plain,
                &[("v1", 1, 1, Pods::Unread), ("v2", 2, 2, Pods::Unread)],
                "v1#1 runs since 1, v2#2 runs since 2",
            ),
            ("a template without any pod", unmade(zero), &[], "template#1 wanted: scaled to zero"),
        ];
        for (what, controller, made, expected) in cases {
            assert_eq!(reported(*controller, made), *expected, "{what}");
            let mut turned = made.to_vec();
            turned.reverse();
            let mut parts: Vec<String> = reported(*controller, &turned).split(", ").map(str::to_owned).collect();
            let mut expected: Vec<String> = expected.split(", ").map(str::to_owned).collect();
            parts.sort();
            expected.sort();
            assert_eq!(parts, expected, "{what}, told in another order");
        }
    }

    #[test]
    fn i31_where_routes_decide_what_runs_is_what_they_send_to_and_has_pods() {
        use Route::{NotSent, Sent, Unread, Unserved};
        type Case<'a> = (&'a str, &'a [(Pods, Route)], &'a str);
        let cases: &[Case<'_>] = &[
            ("the first", &[(READY, Sent)], "now"),
            ("forward", &[(NONE, NotSent), (READY, Sent)], "before now"),
            ("the old one is still up", &[(READY, NotSent), (READY, Sent)], "before now"),
            ("a canary", &[(READY, Sent), (READY, Sent)], "now now"),
            ("back by the route: the newest waits for one", &[(READY, Sent), (READY, NotSent)], "now held back"),
            ("the same, once the newest was scaled down", &[(READY, Sent), (NONE, NotSent)], "now held back"),
            ("the newest does not come up, and keeps no request", &[(READY, Sent), (NONE, Unserved)], "now no pod"),
            ("scaled to zero for want of requests", &[(NONE, NotSent), (NONE, Sent)], "before scaled to zero"),
            ("an outage", &[(NONE, NotSent), (UNREADY, Sent)], "before now"),
            ("one of two is unready", &[(READY, Sent), (UNREADY, Sent)], "now no pod"),
            ("pods were not read", &[(Pods::Unread, NotSent), (Pods::Unread, Sent)], "before now"),
            ("routes were not read", &[(READY, Unread), (NONE, Unread), (READY, Unread)], "now before now"),
        ];
        for (what, made, expected) in cases {
            let revision = |(at, (pods, route)): (i64, &(Pods, Route))| {
                let number = u64::try_from(at).ok();
                (Revision { number, made: Some(minute(at)), pods: *pods, ..Revision::default() }, *route)
            };
            let reported: Vec<&str> = routed(&(1..).zip(*made).map(revision).collect::<Vec<_>>())
                .iter()
                .map(|status| match status.tenure {
                    Tenure::Now { .. } => "now",
                    Tenure::Before { .. } => "before",
                    Tenure::Wanted { why: Waiting::Held } => "held back",
                    Tenure::Wanted { why: Waiting::Starting } => "no pod",
                    Tenure::Wanted { why } => why.as_str(),
                })
                .collect();
            assert_eq!(reported.join(" "), *expected, "{what}");
        }
    }

    /// Of a workload that was not read its sets alone tell what it wants: the newest of those that are to have pods.
    #[test]
    fn i31_f133_what_is_to_have_no_pods_beside_what_is_to_have_some_is_not_wanted() {
        let tenures = |sets: &[(bool, Pods)]| {
            let revision = |(at, (idle, pods)): (i64, &(bool, Pods))| Revision {
                number: u64::try_from(at).ok(),
                made: Some(minute(at)),
                idle: *idle,
                pods: *pods,
                ..Revision::default()
            };
            let sets: Vec<Revision> = (1..).zip(sets).map(revision).collect();
            let (statuses, _) = statuses(Controller::default(), &sets);
            statuses.into_iter().map(|status| status.tenure).collect::<Vec<_>>()
        };
        let now = |at| Tenure::Now { since: Some(minute(at)) };
        let before = |at| Tenure::Before { last: Some(minute(at)) };
        let wanted = Tenure::Wanted { why: Waiting::Starting };
        assert_eq!(tenures(&[(false, READY), (true, NONE)]), [now(1), before(2)]);
        assert_eq!(tenures(&[(true, NONE), (false, NONE), (true, NONE)]), [before(2), wanted, before(3)]);
        assert_eq!(tenures(&[(true, NONE), (false, READY)]), [before(2), now(2)]);
        assert_eq!(tenures(&[(false, READY), (true, READY)]), [now(1), now(2)], "what has pods runs all the same");
    }

    /// Two releases within one second: the times of their making say nothing, the numbers they had do.
    #[test]
    fn i31_numbers_that_a_revision_had_before_tell_which_came_first_e122() {
        let revision = |number, first| Revision {
            number: Some(number),
            first_number: Some(first),
            made: Some(minute(1)),
            ..Revision::default()
        };
        let (statuses, _) = statuses(Controller::default(), &[revision(3, 3), revision(4, 2), revision(1, 1)]);
        assert_eq!(statuses.iter().map(|status| status.introduced).collect::<Vec<_>>(), [3, 2, 1]);
    }
}
