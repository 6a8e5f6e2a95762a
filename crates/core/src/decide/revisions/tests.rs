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
    let mut lines: Vec<String> = made.iter().zip(&statuses).map(|((name, ..), status)| words(name, status)).collect();
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
