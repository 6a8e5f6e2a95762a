//! Every course that the releases of one Deployment take.

use super::*;

#[test]
fn i31_f133_report_and_page_agree_on_every_course_of_releases() {
    let canary = kubernetes("deployment", "api-canary");
    let cron = kubernetes("cronjob", "nightly");
    let cases: Vec<(&str, Vec<Said>, &str)> = vec![
        ("the first release", vec![now("v1", 1, 1)], "runs v1, wanted , from v1, to nothing"),
        (
            "forward",
            vec![before("v1", 1, 1, 8), before("v2", 2, 2, 9), now("v3", 3, 3)],
            "runs v3, wanted , from v3, to v2",
        ),
        (
            "v1, v2, v3, back to v2: v3 was left, and is no way back",
            vec![before("v1", 1, 1, 8), now("v2", 4, 2), before("v3", 3, 3, 9)],
            "runs v2, wanted , from v2, to v1",
        ),
        (
            "back twice: nothing before is left",
            vec![now("v1", 5, 1), before("v2", 4, 2, 9), before("v3", 3, 3, 9)],
            "runs v1, wanted , from v1, to nothing",
        ),
        (
            "back to v1, and on to v3",
            vec![before("v1", 3, 1, 9), before("v2", 2, 2, 8), now("v3", 4, 3)],
            "runs v3, wanted , from v3, to v1",
        ),
        (
            "a set of two went back to its first",
            vec![now("v1", 3, 1), before("v2", 2, 2, 9)],
            "runs v1, wanted , from v1, to nothing",
        ),
        (
            "in a rollout",
            vec![before("v1", 1, 1, 8), now("v2", 2, 2), now("v3", 3, 3)],
            "runs v2 v3, wanted , from v3, to v2",
        ),
        (
            "in a rollback: the side that leaves failed",
            vec![before("v1", 1, 1, 8), now("v2", 4, 2), now("v3", 3, 3)],
            "runs v2 v3, wanted , from v2, to v1",
        ),
        (
            "v2 does not come up",
            vec![now("v1", 1, 1), wanted("v2", 2, 2, Waiting::Starting)],
            "runs v1, wanted v2, from v2, to v1",
        ),
        (
            "v3 does not come up, and v1 ran before v2",
            vec![before("v1", 1, 1, 8), now("v2", 2, 2), wanted("v3", 3, 3, Waiting::Starting)],
            "runs v2, wanted v3, from v3, to v2",
        ),
        (
            "v2 was to replace v1 at once, and does not come up",
            vec![before("v1", 1, 1, 9), wanted("v2", 2, 2, Waiting::Starting)],
            "runs , wanted v2, from v2, to v1",
        ),
        (
            "paused: the template never ran",
            vec![
                before("v0", 1, 1, 8),
                now("v1", 2, 2),
                Said::wanted(&deployment(), "v2", Waiting::Paused).introduced(3),
            ],
            "runs v1, wanted v2, from v1, to v0",
        ),
        (
            "paused, and nothing ran before",
            vec![now("v1", 1, 1), Said::wanted(&deployment(), "v2", Waiting::Paused).introduced(2)],
            "runs v1, wanted v2, from v1, to nothing",
        ),
        (
            "aborted",
            vec![before("v1", 1, 1, 8), now("v2", 2, 2), wanted("v3", 3, 3, Waiting::Aborted)],
            "runs v2, wanted v3, from v2, to v1",
        ),
        (
            "a canary that failed stands at zero, the primary runs",
            vec![
                before("v0", 1, 1, 8),
                now("v1", 2, 2),
                Said::before(&canary, "v1", 9).revision("1").introduced(1),
                Said::wanted(&canary, "v2", Waiting::NoReplicas).revision("2").introduced(2),
            ],
            "runs v1, wanted v2, from v1, to v0",
        ),
        (
            "two canaries failed: neither is a way back",
            vec![
                before("v0", 1, 1, 8),
                now("v1", 2, 2),
                Said::before(&canary, "v1", 9).revision("1").introduced(1),
                Said::before(&canary, "v2", 10).revision("2").introduced(2),
                Said::wanted(&canary, "v3", Waiting::NoReplicas).revision("3").introduced(3),
            ],
            "runs v1, wanted v3, from v1, to v0",
        ),
        (
            "scaled to zero",
            vec![before("v1", 1, 1, 8), wanted("v2", 2, 2, Waiting::NoReplicas)],
            "runs , wanted v2, from v2, to v1",
        ),
        (
            "held back by a partition",
            vec![before("v0", 1, 1, 8), now("v1", 2, 2), wanted("v2", 3, 3, Waiting::Held)],
            "runs v1, wanted v2, from v1, to v0",
        ),
        (
            "a CronJob between its runs",
            vec![Said::before(&cron, "v1", 9), Said::wanted(&cron, "v2", Waiting::NextRun)],
            "runs , wanted v2, from v2, to v1",
        ),
        (
            "what a CronJob wants ran elsewhere, and can be gone back to",
            vec![Said::wanted(&cron, "v1", Waiting::NextRun), before("v1", 1, 1, 8), now("v2", 2, 2)],
            "runs v2, wanted v1, from v2, to v1",
        ),
        (
            "a template without pods, of what never ran",
            vec![Said::wanted(&deployment(), "v1", Waiting::NoReplicas).introduced(1)],
            "runs , wanted v1, from v1, to nothing",
        ),
    ];
    for (what, said, expected) in cases {
        let mut turned = said.clone();
        turned.reverse();
        assert_eq!(decided(what, &scene(said)), expected, "{what}");
        assert_eq!(decided(what, &scene(turned)), expected, "{what}, said in another order");
    }
}
