//! The report and the page about going back show one decision (I31): for every course that releases take, what runs, what
//! is wanted, the way back and the verdict, in both.

mod courses;

use prodpin::model::{ArtifactId, Closure, DatabaseRule, Digest, NamePatterns, Platform, SchemaChange, Waiting};
use prodpin::outcome::ready::Verdict;
use prodpin::outcome::report::{Reason, TargetReport};
use prodpin::outcome::status::ServiceStatus;

use super::scene::*;

/// The names of artifacts among these releases.
fn names(artifacts: impl IntoIterator<Item = ArtifactId>) -> String {
    let known = ["v0", "v1", "v2", "v3", "v4"];
    let mut names: Vec<&str> = artifacts
        .into_iter()
        .map(|one| *known.iter().find(|name| artifact(name) == one).expect("a release of the scene"))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(" ")
}

/// `runs v2, wanted , from v2, to v1, ready: roll-back`, after the report and the page were held against each other.
fn decided(what: &str, scene: &Scene) -> String {
    let (report, page) = scene.decided();
    let rollback = &report.rollback;
    assert_eq!(rollback.from, page.from, "{what}: what to go back from");
    assert_eq!(rollback.to, page.to, "{what}: what to go back to");
    let status = match page.status {
        // The report does not ask images about the database, and calls nothing ready.
        ServiceStatus::Ready => ServiceStatus::Protected,
        other => other,
    };
    assert_eq!(rollback.status, Some(status), "{what}: {}", page.why);
    let (intact, ready) = (rollback.intact, rollback.ready);
    let agrees = match page.verdict {
        Verdict::RollBack => (intact, ready) == (Some(true), None),
        Verdict::RollForward => ready == Some(false) && page.status == ServiceStatus::NotReady,
        Verdict::NoEarlierRelease => {
            (intact, ready) == (None, Some(false)) && page.status == ServiceStatus::NoEarlierRelease
        }
        Verdict::Unknown => (intact, ready) == (None, None),
    };
    assert!(agrees, "{what}: {:?}, but intact {intact:?}, ready {ready:?}: {}", page.verdict, page.why);
    let running = names(report.targets.iter().filter(|target| target.running).map(|target| target.artifact.clone()));
    let now = names(page.now.iter().map(|now| now.artifact.clone()));
    assert_eq!(running, now, "{what}: what runs");
    let current = rollback.current.as_ref().map(|current| names([current.clone()])).unwrap_or_default();
    assert!(running.split(' ').any(|one| one == current), "{what}: {current} is told to run");
    let wanted = names(page.wanted.iter().map(|wanted| wanted.artifact.clone()));
    let kept = report.targets.iter().filter(|target| !target.running && is_wanted(target));
    assert_eq!(names(kept.map(|target| target.artifact.clone())), wanted, "{what}: what is wanted is kept");
    let one = |artifact: &Option<ArtifactId>| artifact.clone().map_or("nothing".to_owned(), |one| names([one]));
    format!("runs {running}, wanted {wanted}, from {}, to {}", one(&page.from), one(&page.to))
}

fn is_wanted(target: &TargetReport) -> bool {
    target.reasons.iter().any(|reason| matches!(reason, Reason::Wanted { .. }))
}

fn deployment() -> prodpin::model::Workload {
    kubernetes("deployment", "api")
}

fn scene(said: impl IntoIterator<Item = Said>) -> Scene {
    Scene::new(&["v0", "v1", "v2", "v3", "v4"]).without_database().saying(said)
}

/// Revision `number` of the Deployment, which came as the `place`th.
fn before(tag: &str, number: u64, place: u64, until: i8) -> Said {
    Said::before(&deployment(), tag, until).revision(&number.to_string()).introduced(place)
}

fn now(tag: &str, number: u64, place: u64) -> Said {
    Said::now(&deployment(), tag, tag, 12).revision(&number.to_string()).introduced(place)
}

fn wanted(tag: &str, number: u64, place: u64, why: Waiting) -> Said {
    Said::wanted(&deployment(), tag, why).revision(&number.to_string()).introduced(place)
}

/// Courses in which more than one thing moves at once.
#[test]
fn i31_report_and_page_agree_where_workloads_go_their_own_ways() {
    let other = kubernetes("deployment", "api-batch");
    let set = kubernetes("statefulset", "store");
    let rollout = kubernetes("rollout", "api");
    let of = |workload: &prodpin::model::Workload, tag: &str, number: u64, place: u64, until: i8| {
        Said::before(workload, tag, until).revision(&number.to_string()).introduced(place)
    };
    let at = |workload: &prodpin::model::Workload, tag: &str, number: u64, place: u64| {
        Said::now(workload, tag, tag, 12).revision(&number.to_string()).introduced(place)
    };
    let cases: Vec<(&str, Vec<Said>, &str)> = vec![
        (
            "back twice, to two revisions: both that were left are no way back",
            vec![before("v1", 1, 1, 7), before("v4", 4, 4, 9), before("v3", 5, 3, 10), now("v2", 6, 2)],
            "runs v2, wanted , from v2, to v1",
        ),
        (
            "another container of the same pod changed last: this one's release is two revisions old",
            vec![before("v1", 1, 1, 7), before("v2", 3, 2, 8), now("v2", 4, 2)],
            "runs v2, wanted , from v2, to v1",
        ),
        (
            "a set whose update was taken back half way: the second pod has the one that leaves",
            vec![at(&set, "v1", 3, 1), at(&set, "v2", 2, 2)],
            "runs v1 v2, wanted , from v1, to nothing",
        ),
        (
            "the same with a release before",
            vec![of(&set, "v0", 1, 1, 6), at(&set, "v1", 4, 2), at(&set, "v2", 3, 3)],
            "runs v1 v2, wanted , from v1, to v0",
        ),
        (
            "a canary at half, both sides ready",
            vec![of(&rollout, "v1", 1, 1, 8), at(&rollout, "v2", 2, 2), at(&rollout, "v3", 3, 3)],
            "runs v2 v3, wanted , from v3, to v2",
        ),
        (
            "a canary at nothing",
            vec![
                of(&rollout, "v1", 1, 1, 8),
                at(&rollout, "v2", 2, 2),
                Said::wanted(&rollout, "v3", Waiting::Paused).revision("3").introduced(3),
            ],
            "runs v2, wanted v3, from v2, to v1",
        ),
        (
            "blue runs, green does not come up",
            vec![
                of(&rollout, "v1", 1, 1, 8),
                at(&rollout, "v2", 2, 2),
                Said::wanted(&rollout, "v3", Waiting::Starting).revision("3").introduced(3),
            ],
            "runs v2, wanted v3, from v3, to v2",
        ),
        (
            "one workload is scaled to nothing, another runs what that wanted before",
            vec![
                of(&other, "v1", 1, 1, 8),
                Said::wanted(&other, "v2", Waiting::NoReplicas).introduced(2),
                now("v1", 1, 1),
            ],
            "runs v1, wanted v2, from v1, to nothing",
        ),
    ];
    for (what, said, expected) in cases {
        let mut turned = said.clone();
        turned.reverse();
        assert_eq!(decided(what, &scene(said)), expected, "{what}");
        assert_eq!(decided(what, &scene(turned)), expected, "{what}, said in another order");
    }
}

/// Helm calls deployed what it handed to the cluster; pods show that it does not run.
#[test]
fn i31_f133_pointers_yield_to_pods() {
    let context = || Some("prod-eu".into());
    let helm = workload(Platform::Helm { context: context() }, Some("shop"), "release", "api");
    let argo = workload(Platform::ArgoCd { context: context() }, Some("argocd"), "application", "api");
    for pointer in [helm, argo] {
        let stuck = scene([
            now("v1", 1, 1),
            wanted("v2", 2, 2, Waiting::Starting),
            Said::before(&pointer, "v1", 9).revision("1"),
            Said::tagged_now(&pointer, "v2").revision("2"),
        ]);
        assert_eq!(decided("stuck", &stuck), "runs v1, wanted v2, from v2, to v1", "{pointer}");
        // What no pod tells of, a pointer is believed about.
        let alone =
            scene([Said::before(&pointer, "v1", 9).revision("1"), Said::tagged_now(&pointer, "v2").revision("2")]);
        assert_eq!(decided("alone", &alone), "runs v2, wanted , from v2, to v1", "{pointer}");
    }
    let elsewhere = workload(Platform::Helm { context: Some("prod-us".into()) }, Some("shop"), "release", "api");
    let scene = scene([now("v1", 1, 1), wanted("v2", 2, 2, Waiting::Starting), Said::tagged_now(&elsewhere, "v2")]);
    assert_eq!(decided("elsewhere", &scene), "runs v1 v2, wanted , from v2, to v1", "another cluster's word stands");
}

/// A look that found v2 wanted and not running, and then its place in the cluster's history alone: an old revision looks
/// the same whether a pod of it came up or not.
#[test]
fn i31_f133_what_never_came_up_is_no_way_back_though_the_cluster_keeps_its_revision() {
    let mut scene = scene([]);
    scene.runs = vec![
        vec![now("v1", 1, 1)],
        vec![now("v1", 1, 1), wanted("v2", 2, 2, Waiting::Starting)],
        vec![before("v1", 1, 1, 9), before("v2", 2, 2, 10), now("v3", 3, 3)],
    ];
    assert_eq!(decided("v2 failed, v3 followed", &scene), "runs v3, wanted , from v3, to v1");
    let (report, _) = scene.decided();
    assert!(report.targets.iter().any(|target| target.artifact == artifact("v2")), "it is kept all the same");
    // Seen to run in between, it is one.
    scene.runs.insert(2, vec![before("v1", 1, 1, 9), now("v2", 2, 2)]);
    assert_eq!(decided("v2 came up", &scene), "runs v3, wanted , from v3, to v2");
    // A Job that ended shows that it ran.
    let cron = kubernetes("cronjob", "nightly");
    scene.runs = vec![
        vec![Said::wanted(&cron, "v1", Waiting::NextRun)],
        vec![Said::wanted(&cron, "v2", Waiting::NextRun), Said::before(&cron, "v1", 9)],
    ];
    assert_eq!(decided("a Job in between", &scene), "runs , wanted v2, from v2, to v1");
}

/// Wanted is recorded apart from running, once, and what is only wanted takes no place of what ran.
#[test]
fn i31_what_is_wanted_takes_nobody_s_place() {
    let mut scene = scene([
        before("v0", 1, 1, 7),
        before("v1", 2, 2, 8),
        now("v2", 3, 3),
        wanted("v3", 4, 4, Waiting::Paused),
        Said::wanted(&kubernetes("deployment", "other"), "v4", Waiting::NoReplicas).introduced(1),
    ]);
    scene.keep = 3;
    let (report, _) = scene.decided();
    let kept = names(report.targets.iter().map(|target| target.artifact.clone()));
    assert_eq!(kept.split(' ').count(), 5, "three that ran, and beside them two that are wanted: {kept}");
}

/// A release that cannot be restored, and one of which that is not known: both say the same of them.
#[test]
fn i31_report_and_page_agree_on_what_is_broken_or_unread() {
    let forward = || scene([before("v1", 1, 1, 8), before("v2", 2, 2, 9), now("v3", 3, 3)]);
    let broken =
        |scene: Scene, tag| scene.look(tag, |seen| seen.closure = Closure::Broken(vec![Digest::sha256(b"layer")]));
    let unread = |scene: Scene, tag| {
        scene.look(tag, |seen| {
            seen.presence = prodpin::model::Presence::Unknown;
            seen.closure = Closure::Unknown;
        })
    };
    let one = |scene: Scene| decided("broken or unread", &scene);
    assert_eq!(one(broken(forward(), "v2")), "runs v3, wanted , from v3, to v1");
    assert_eq!(one(broken(broken(forward(), "v2"), "v1")), "runs v3, wanted , from v3, to nothing");
    assert_eq!(one(unread(forward(), "v2")), "runs v3, wanted , from v3, to v1");
    assert_eq!(one(unread(unread(forward(), "v2"), "v1")), "runs v3, wanted , from v3, to v2");
    assert_eq!(one(unread(broken(forward(), "v2"), "v1")), "runs v3, wanted , from v3, to v1");
}

/// What the policy or a workload says of the database rules a way back out for both. What an image says only the page
/// asks: until then the report calls nothing ready.
#[test]
fn i31_a_database_that_moved_on_rules_a_way_back_out_in_both() {
    let rule = |tags: Option<&str>, schema| DatabaseRule {
        repositories: NamePatterns::new(["shop/*"]).unwrap(),
        tags: tags.map(|tags| NamePatterns::new([tags]).unwrap()),
        schema: Some(schema),
        irreversible: None,
    };
    let forward = |last: Said| scene([before("v1", 1, 1, 8), before("v2", 2, 2, 9), last]);
    let with = |rules: Vec<DatabaseRule>| {
        let mut scene = forward(now("v3", 3, 3));
        scene.database.extend(rules);
        scene
    };
    let took_away = |scene: &Scene| {
        let (report, page) = scene.decided();
        let contracted = report.rollback.contracted.as_ref();
        assert_eq!(contracted.is_some(), report.rollback.ready == Some(false), "{}", page.why);
        contracted.map(|artifact| names([artifact.clone()]))
    };
    let by_policy = with(vec![rule(Some("v3"), SchemaChange::Contract)]);
    assert_eq!(decided("the policy", &by_policy), "runs v3, wanted , from v3, to nothing");
    assert_eq!(took_away(&by_policy).as_deref(), Some("v3"));
    let by_workload = forward(now("v3", 3, 3).schema(SchemaChange::Contract));
    assert_eq!(decided("a workload", &by_workload), "runs v3, wanted , from v3, to nothing");
    assert_eq!(took_away(&by_workload).as_deref(), Some("v3"));
    let added = with(vec![rule(Some("v3"), SchemaChange::Expand)]);
    assert_eq!(decided("only added", &added), "runs v3, wanted , from v3, to v2");
    assert_eq!(took_away(&added), None);
    let before_that = with(vec![rule(Some("v2"), SchemaChange::Contract)]);
    assert_eq!(decided("the release before", &before_that), "runs v3, wanted , from v3, to v2");
    let lost = before_that.look("v2", |seen| seen.closure = Closure::Broken(vec![Digest::sha256(b"layer")]));
    assert_eq!(decided("and that is broken", &lost), "runs v3, wanted , from v3, to nothing");
    assert_eq!(took_away(&lost).as_deref(), Some("v2"));
    let by_image = forward(now("v3", 3, 3)).built("v3", "abcdef0123456789", Some(SchemaChange::Contract));
    let (report, page) = by_image.decided();
    assert_eq!((report.rollback.contracted, page.verdict), (None, Verdict::RollForward));
}
