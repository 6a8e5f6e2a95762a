//! In a rollout or a rollback, which side is the one to go back to.

use prodpin::model::{Closure, Digest, SchemaChange};
use prodpin::outcome::ready::Verdict;

use crate::ready::scene::*;
use crate::support::each;

/// Both sides run: the one that is leaving ran a minute ago, and is the first to go back to.
#[test]
fn in_a_rollout_the_side_that_leaves_is_what_to_go_back_to() {
    let deployment = kubernetes("deployment", "api");
    let scene = Scene::new(&["v1", "v2", "v3"]).without_database().saying([
        Said::before(&deployment, "v1", 10).revision("1"),
        Said::now(&deployment, "v2", "v2", 10).revision("2"),
        Said::now(&deployment, "v3", "v3", 12).revision("3"),
    ]);
    let page = scene.page();
    assert_eq!((page.from, page.to), (Some(artifact("v3")), Some(artifact("v2"))));
    assert_eq!(
        page.back[0].commands[0],
        "kubectl --context prod-eu --namespace shop rollout undo deployment/api --to-revision=2"
    );
    assert_eq!(page.now.iter().map(|now| now.leaving).collect::<Vec<_>>().iter().filter(|it| **it).count(), 1);
    insta::assert_snapshot!(scene.shown());
}

/// A rollback gives the old revision the newest number (E122): what leaves is the release that failed, and no way back,
/// though no run saw it come.
#[test]
fn in_a_rollback_both_sides_stay_and_the_failed_one_is_the_one_that_leaves_e122() {
    let deployment = kubernetes("deployment", "api");
    let scene = Scene::new(&["v0", "v1", "v2"]).without_database().saying([
        Said::before(&deployment, "v0", 10).revision("0"),
        Said::now(&deployment, "v2", "v2", 12).revision("2"),
        Said::now(&deployment, "v1", "v1", 13).revision("3"),
    ]);
    let page = scene.page();
    assert_eq!((page.from, page.to), (Some(artifact("v1")), Some(artifact("v0"))));
    let leaving: Vec<_> = page.now.iter().filter(|now| now.leaving).map(|now| now.artifact.clone()).collect();
    assert_eq!(leaving, [artifact("v2")]);
    assert_eq!(
        page.releases.iter().filter(|listed| listed.running && listed.rank.is_some()).count(),
        2,
        "both are kept"
    );
    insta::assert_snapshot!(scene.shown());
}

/// v1, then v2, then v1 again, then v3, each seen by a run of its own.
fn back_and_forth() -> Scene {
    let deployment = kubernetes("deployment", "api");
    let now = |tag: &str, hour: i8| Said::now(&deployment, tag, tag, hour).revision(&hour.to_string());
    let before = |tag: &str, hour: i8| Said::before(&deployment, tag, hour + 1).revision(&hour.to_string());
    let mut scene = Scene::new(&["v1", "v2", "v3"]);
    scene.runs = vec![
        vec![now("v1", 8)],
        vec![before("v1", 8), now("v2", 9)],
        vec![before("v2", 9), now("v1", 10)],
        vec![before("v2", 9), before("v1", 10), now("v3", 11)],
    ];
    scene
}

/// What a release did before another one ran, that one has worked on: going back to it undoes nothing.
#[test]
fn what_was_done_before_a_release_ran_does_not_count_against_it() {
    let mut scene = back_and_forth().built("v1", "abcdef0", Some(SchemaChange::Contract));
    scene = scene.built("v3", "abcdef1", Some(SchemaChange::None)).look("v1", |seen| {
        seen.closure = Closure::Broken(vec![Digest::sha256(b"a layer")]);
    });
    let page = scene.page();
    assert_eq!((page.verdict, page.to), (Verdict::RollBack, Some(artifact("v2"))), "{}", scene.shown());
    assert_eq!(page.database.steps.len(), 1, "v1 took away before v2 ran: {:?}", page.database);
    // Had v2 not been seen to follow v1, v1's second time would count.
    scene.runs.drain(..2);
    assert_eq!(scene.page().verdict, Verdict::RollForward, "{}", scene.shown());
}

/// What production went back from failed there: it is not what to go back to.
#[test]
fn what_production_went_back_from_is_no_way_back() {
    let mut scene = back_and_forth().without_database();
    scene.runs.pop();
    let page = scene.page();
    assert_eq!((page.verdict, page.from, page.to), (Verdict::NoEarlierRelease, Some(artifact("v1")), None));
    assert!(page.why.contains("it went back from v2, which is newer"), "{}", page.why);
    // On the way back both run.
    let deployment = kubernetes("deployment", "api");
    let leaving = Said::now(&deployment, "v2", "v2", 9).revision("9");
    scene.runs.last_mut().unwrap()[0] = leaving;
    let page = scene.page();
    assert_eq!((page.verdict, page.to), (Verdict::NoEarlierRelease, None), "{}", scene.shown());
    assert!(each(page.releases.iter(), |listed| listed.running), "both sides are kept");
    insta::assert_snapshot!(scene.shown());
}

/// Two workloads of one service at night. What to go back from is the newest that still runs, whichever workload was changed
/// last: one that was rolled back already shows where to.
#[test]
fn of_two_workloads_on_different_releases_the_one_that_was_rolled_back_shows_the_way_i31() {
    let [web, worker] = ["web", "worker"].map(|name| kubernetes("deployment", name));
    let on = |workload, tag: &'static str, hour: i8| Said::now(workload, tag, tag, hour);
    let stays = |workload| {
        let before = Said::before(workload, "v1", 10).revision("1").introduced(1);
        vec![on(workload, "v2", 10).revision("2").introduced(2), before]
    };
    let went_back = |workload| {
        let before = Said::before(workload, "v2", 12).revision("2").introduced(2);
        vec![on(workload, "v1", 12).revision("3").introduced(1), before]
    };
    let untold = |workload, tag: &'static str, hour: i8| vec![on(workload, tag, hour)];
    for (case, said, from, to) in [
        ("worker went back", [stays(&web), went_back(&worker)], "v2", Some("v1")),
        ("web went back", [went_back(&web), stays(&worker)], "v2", Some("v1")),
        ("both went back", [went_back(&web), went_back(&worker)], "v1", None),
        ("none did", [stays(&web), stays(&worker)], "v2", Some("v1")),
        (
            "no history tells, worker was deployed last",
            [untold(&web, "v2", 9), untold(&worker, "v1", 12)],
            "v2",
            Some("v1"),
        ),
        (
            "no history tells, web was deployed last",
            [untold(&web, "v2", 12), untold(&worker, "v1", 9)],
            "v2",
            Some("v1"),
        ),
    ] {
        let scene = Scene::new(&["v1", "v2"]).without_database().saying(said.concat());
        let page = scene.page();
        assert_eq!((page.from, page.to), (Some(artifact(from)), to.map(artifact)), "{case}: {}", scene.shown());
        let verdict = if to.is_some() { Verdict::RollBack } else { Verdict::NoEarlierRelease };
        assert_eq!(page.verdict, verdict, "{case}: {}", page.why);
    }
}
