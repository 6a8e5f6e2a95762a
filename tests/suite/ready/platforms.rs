//! The exact commands for each platform.

mod aws;
mod deployers;
mod shell;
mod undone;

use prodpin::model::{Closure, Control, Manager, Platform, SchemaChange, Updates, Waiting, Writer};
use prodpin::outcome::ready::{RollbackCommands, Verdict};

use super::scene::*;

fn prod() -> Option<std::sync::Arc<str>> {
    Some("prod-eu".into())
}

/// v1, then v2 at ten o'clock, then v3 at noon; nothing happens to the database.
fn three(workload: &prodpin::model::Workload, revisions: [&str; 3]) -> Scene {
    Scene::new(&["v1", "v2", "v3"]).without_database().saying([
        Said::before(workload, "v1", 10).revision(revisions[0]),
        Said::before(workload, "v2", 12).revision(revisions[1]),
        Said::now(workload, "v3", "v3", 12).revision(revisions[2]),
    ])
}

fn rollback_commands(scene: &Scene) -> RollbackCommands {
    let page = scene.page();
    assert_eq!(page.verdict, Verdict::RollBack, "{}", scene.shown());
    assert_eq!(page.to, Some(artifact("v2")));
    // What a workload's own object says comes from Git goes back there first, and by hand only where that cannot be waited for.
    let (git, [rollback_commands]) = page.back.split_at(page.back.len().saturating_sub(1)) else {
        panic!("one way: {:?}", page.back)
    };
    let is_git =
        |way: &RollbackCommands| matches!(way.workload.platform, Platform::ArgoCd { .. } | Platform::Flux { .. });
    assert!(git.iter().all(is_git), "{:?}", page.back);
    assert_eq!(rollback_commands.break_glass, !git.is_empty(), "{:?}", page.back);
    rollback_commands.clone()
}

#[test]
fn a_deployment_is_undone_to_its_revision() {
    let scene = three(&kubernetes("deployment", "api"), ["1", "2", "3"]);
    let rollback_commands = rollback_commands(&scene);
    assert_eq!(
        (rollback_commands.from_revision.as_deref(), rollback_commands.to_revision.as_deref()),
        (Some("3"), Some("2"))
    );
    assert_eq!(
        rollback_commands.commands,
        [
            "kubectl --context prod-eu --namespace shop rollout undo deployment/api --to-revision=2",
            "kubectl --context prod-eu --namespace shop rollout status deployment/api",
        ]
    );
    insta::assert_snapshot!(scene.shown());
}

#[test]
fn stateful_sets_daemon_sets_and_rollouts_have_their_own_words() {
    for (kind, command) in [
        ("statefulset", "kubectl --context prod-eu --namespace shop rollout undo statefulset/api --to-revision=2"),
        ("daemonset", "kubectl --context prod-eu --namespace shop rollout undo daemonset/api --to-revision=2"),
        ("rollout", "kubectl argo rollouts undo --context prod-eu --namespace shop api --to-revision=2"),
    ] {
        assert_eq!(rollback_commands(&three(&kubernetes(kind, "api"), ["1", "2", "3"])).commands[0], command);
    }
}

/// What `kubectl rollout undo` refuses or does by halves is done otherwise, and who would change it back is held first.
#[test]
fn f121_commands_fit_how_a_workload_is_controlled() {
    let plain = Control { selector: Some("app=api".into()), ..Control::default() };
    let with = |manager| Control { managers: [manager].into(), ..plain.clone() };
    let image = format!("registry.example.com/shop/api@{}", artifact("v2"));
    let set = format!("set image K api={image}");
    let to_rolling = r#"patch K --type=merge --patch '{"spec":{"updateStrategy":{"type":"RollingUpdate"}}}'"#;
    let to_all = r#"patch K --type=merge --patch '{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}'"#;
    let (undo, status) = ("rollout undo K --to-revision=2", "rollout status K");
    let flux = Manager::Flux { kind: "kustomization", namespace: Some("flux-system".into()), name: "apps".into() };
    let helm = Manager::Helm { namespace: None, release: "shop".into() };
    let cases: Vec<(&str, &str, Control, Vec<&str>, &str)> = vec![
        ("as usual", "deployment", plain.clone(), vec![undo, status], "everything in that revision"),
        (
            "paused: undo is refused, and resuming first would roll out what waits",
            "deployment",
            Control { paused: true, ..plain.clone() },
            vec![set.as_str(), "rollout resume K", status],
            "it is paused",
        ),
        (
            "oc refuses it as well",
            "deploymentconfig",
            Control { paused: true, ..plain.clone() },
            vec![set.as_str(), "rollout resume K", status],
            "it is paused, and `oc rollout undo` is refused",
        ),
        (
            "pods of OnDelete stay as they are, and their status cannot be waited for",
            "statefulset",
            Control { updates: Updates::OnDelete, ..plain.clone() },
            vec![undo, to_rolling, status],
            r#"to set that back: `kubectl --context prod-eu --namespace shop patch statefulset/api --type=merge --patch '{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}'`"#,
        ),
        (
            "the same of a DaemonSet",
            "daemonset",
            Control { updates: Updates::OnDelete, ..plain.clone() },
            vec![undo, to_rolling, status],
            "OnDelete",
        ),
        (
            "a partition keeps pods where they are",
            "statefulset",
            Control { updates: Updates::Partition(3), ..plain.clone() },
            vec![undo, to_all, status],
            r#"{"partition":3}"#,
        ),
        (
            "scaled to zero",
            "deployment",
            Control { scaled_to_zero: true, ..plain.clone() },
            vec![undo, status],
            "scale deployment/api --replicas=1`",
        ),
        (
            "Argo CD would bring it again",
            "deployment",
            with(Manager::ArgoCd { application: "teams/shop".into() }),
            vec!["argocd app set teams/shop --sync-policy none", undo, status],
            "revert it there",
        ),
        (
            "Flux would bring it again",
            "deployment",
            with(flux),
            vec!["flux suspend kustomization apps --context prod-eu --namespace flux-system", undo, status],
            "revert in Git, and resume it after that if it was not",
        ),
        (
            "Helm would bring it with its next upgrade",
            "deployment",
            with(helm),
            vec![undo, status],
            "Helm release shop",
        ),
        (
            "Flagger writes the primary itself",
            "deployment",
            with(Manager::Owner { kind: "Canary".into(), name: "api".into() }),
            vec![set.as_str()],
            r#"patch canary/api --type=merge --patch '{"spec":{"skipAnalysis":true}}'`"#,
        ),
        (
            "whatever else owns it would change it back",
            "statefulset",
            with(Manager::Owner { kind: "Database".into(), name: "main".into() }),
            vec![],
            "Database main looks after it",
        ),
    ];
    for (what, kind, control, expected, note) in cases {
        let workload = kubernetes(kind, "api");
        let mut scene = three(&workload, ["1", "2", "3"]);
        let last = scene.runs[0].pop().unwrap();
        scene.runs[0].push(last.controlled(control));
        let rollback_commands = rollback_commands(&scene);
        let command = |line: &str| match line.split_once(' ') {
            Some(("argocd" | "flux", _)) => line.to_owned(),
            _ => {
                let program = if kind == "deploymentconfig" { "oc" } else { "kubectl" };
                let line = line.replace(" K", &format!(" {kind}/api"));
                format!("{program} --context prod-eu --namespace shop {line}")
            }
        };
        assert_eq!(rollback_commands.commands, expected.into_iter().map(command).collect::<Vec<_>>(), "{what}");
        assert!(rollback_commands.notes.iter().any(|it| it.contains(note)), "{what}: {:?}", rollback_commands.notes);
    }
}

/// A set of pods waits for the one that does not come up, whatever its template says by then.
#[test]
fn f121_a_pod_that_holds_up_its_set_is_deleted() {
    let set = kubernetes("statefulset", "api");
    let control = Control {
        selector: Some("app=api".into()),
        update_revision: Some("api-7d9".into()),
        lacks_ready_pods: true,
        ..Control::default()
    };
    let scene = Scene::new(&["v2", "v3"]).without_database().saying([
        Said::now(&set, "v2", "v2", 10).revision("2").controlled(control.clone()),
        Said::wanted(&set, "v3", Waiting::Starting).revision("3").controlled(control),
    ]);
    let delete = "kubectl --context prod-eu --namespace shop delete pod --selector \
                  app=api,controller-revision-hash=api-7d9";
    assert_eq!(rollback_commands(&scene).commands[1], delete);
}

/// Where tags gave way to digests there probably is a policy that refuses tags, and an old revision with them.
#[test]
fn f132_an_old_revision_by_tag_may_be_refused() {
    let deployment = kubernetes("deployment", "api");
    let set = format!(
        "kubectl --context prod-eu --namespace shop set image deployment/api api=registry.example.com/shop/api@{}",
        artifact("v2")
    );
    let undo = "kubectl --context prod-eu --namespace shop rollout undo deployment/api --to-revision=2";
    let scene = three(&deployment, ["1", "2", "3"]);
    let by_tag = rollback_commands(&scene);
    assert_eq!(by_tag.commands[0], undo);
    assert!(by_tag.notes.iter().any(|note| note.contains(&set)), "{by_tag:?}");
    let scene = Scene::new(&["v2", "v3"]).without_database().saying([
        Said::before(&deployment, "v2", 12).revision("2"),
        Said::now_exactly(&deployment, "v3", 12).revision("3"),
    ]);
    assert_eq!(rollback_commands(&scene).commands[0], format!("{undo} || {set}"));
    let scene = Scene::new(&["v2", "v3"]).without_database().saying([
        Said::before_exactly(&deployment, "v2", 12).revision("2"),
        Said::now_exactly(&deployment, "v3", 12).revision("3"),
    ]);
    assert_eq!(rollback_commands(&scene).commands[0], undo);
}

/// A sidecar of the same repository is no way back from the service, nor the service's image one for the sidecar.
#[test]
fn i31_one_container_does_not_go_back_to_what_another_one_ran() {
    let deployment = kubernetes("deployment", "api");
    let old = |tag: &str, part| Said::before(&deployment, tag, 10).revision("1").introduced(1).part(Some(part));
    let new = |tag: &str, part| Said::now(&deployment, tag, tag, 11).revision("2").introduced(2).part(Some(part));
    let scene = Scene::new(&["v1", "w1", "v2", "w2"]).without_database().saying([
        old("v1", "app"),
        old("w1", "worker"),
        new("v2", "app"),
        new("w2", "worker"),
    ]);
    let part = |tag: &Option<prodpin::model::ArtifactId>| ["v1", "v2"].map(|it| Some(artifact(it))).contains(tag);
    let (report, page) = scene.decided();
    assert_eq!(part(&page.from), part(&page.to), "{:?} to {:?}", page.from, page.to);
    assert_eq!((&report.rollback.from, &report.rollback.to), (&page.from, &page.to));
    // With what the container had before gone, nothing is left, and not the other one's.
    let lost = if part(&page.from) { "v1" } else { "w1" };
    let scene =
        scene.look(lost, |seen| seen.closure = Closure::Broken(vec![prodpin::model::Digest::sha256(b"a layer")]));
    let (report, page) = scene.decided();
    assert_eq!((page.verdict, page.to), (Verdict::RollForward, None), "{}", page.why);
    assert_eq!(report.rollback.ready, Some(false));
    // A container that was renamed had another name in the old revision, and nobody else's.
    let scene = Scene::new(&["v1", "v2"]).without_database().saying([old("v1", "app"), new("v2", "api")]);
    assert_eq!(scene.page().to, Some(artifact("v1")));
    // Jobs have no revisions.
    let cron = kubernetes("cronjob", "nightly");
    let job = |said: Said, part| said.part(Some(part));
    let (v1, w1) = (|| Said::before(&cron, "v1", 9), || Said::before(&cron, "w1", 9));
    let (v2, w2) = (|| Said::now(&cron, "v2", "v2", 12), || Said::now(&cron, "w2", "w2", 12));
    let cron = |said: Vec<Said>| Scene::new(&["v1", "w1", "v2", "w2"]).without_database().saying(said).page();
    let page = cron(vec![job(v1(), "app"), job(w1(), "worker"), job(v2(), "app"), job(w2(), "worker")]);
    assert_eq!(part(&page.from), part(&page.to), "{:?} to {:?}", page.from, page.to);
    assert_eq!(cron(vec![job(v2(), "app"), job(w2(), "worker")]).to, None, "what runs beside it was not before it");
    assert_eq!(cron(vec![job(v1(), "app"), job(v2(), "api")]).to, Some(artifact("v1")), "renamed");
}

#[test]
fn what_keeps_no_revisions_is_given_the_exact_bytes() {
    for kind in ["cronjob", "replicaset", "pod"] {
        let workload = kubernetes(kind, "api");
        let mut scene = Scene::new(&["v2", "v3"]).without_database();
        scene.runs = vec![
            vec![Said::now(&workload, "v2", "v2", 10)],
            vec![Said::now(&workload, "v3", "v3", 12).part(Some("api"))],
        ];
        let expected = format!(
            "kubectl --context prod-eu --namespace shop set image {kind}/api api=registry.example.com/shop/api@{}",
            artifact("v2")
        );
        assert_eq!(rollback_commands(&scene).commands, [expected]);
    }
    let job = kubernetes("job", "migrate");
    let mut scene = Scene::new(&["v2", "v3"]).without_database();
    scene.runs = vec![vec![Said::now(&job, "v2", "v2", 10)], vec![Said::now(&job, "v3", "v3", 12)]];
    let rollback_commands = rollback_commands(&scene);
    assert!(
        rollback_commands.commands.is_empty() && rollback_commands.notes[0].contains("make it anew"),
        "{rollback_commands:?}"
    );
}

/// A revision that names a tag starts what the tag names now (E124).
#[test]
fn a_revision_whose_tag_was_moved_is_not_gone_back_to_e124() {
    let deployment = kubernetes("deployment", "api");
    let mut scene = Scene::new(&["v2", "v3"]).without_database();
    scene.former = scene.tags.clone();
    scene.tags[0].1 = artifact("implant");
    scene.looks.insert(artifact("implant"), whole(&artifact("implant")));
    scene.runs = vec![
        vec![Said::now(&deployment, "v2", "v2", 10).revision("2")],
        vec![Said::before(&deployment, "v2", 12).revision("2"), Said::now(&deployment, "v3", "v3", 12).revision("3")],
    ];
    let rollback_commands = rollback_commands(&scene);
    let expected = format!(
        "kubectl --context prod-eu --namespace shop set image deployment/api api=registry.example.com/shop/api@{}",
        artifact("v2")
    );
    assert_eq!(rollback_commands.commands[0], expected);
    assert!(rollback_commands.notes.iter().any(|note| note.contains("names other bytes now")), "{rollback_commands:?}");
    let page = scene.page();
    let listed = page.releases.iter().find(|listed| listed.artifact == artifact("v2")).unwrap();
    assert_eq!((listed.unchanged, listed.moved.len()), (Some(false), 1));
    insta::assert_snapshot!(scene.shown());

    // By a rule about tags the bytes that came are shown, too: of those nobody says that their tag is unchanged.
    scene.production = vec![crate::estate::tags(&["v*"], prodpin::model::Order::Semver)];
    let page = scene.page();
    let came = page.releases.iter().find(|listed| listed.artifact == artifact("implant")).unwrap();
    assert_eq!(came.moved_here.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(), ["v2"]);
    assert!(page.releases.iter().all(|listed| listed.moved_here.is_empty() || listed.artifact == came.artifact));
    assert!(scene.shown().contains("tag v2 was moved to it"), "{}", scene.shown());
}

/// Two clusters, two ways; and a contraction anywhere is one for both, as they share the release's history.
#[test]
fn each_workload_has_its_own_way() {
    let (eu, us) = (
        kubernetes("deployment", "api"),
        workload(Platform::Kubernetes { context: Some("prod-us".into()) }, Some("shop"), "deployment", "api"),
    );
    let scene = Scene::new(&["v2", "v3"]).without_database().saying([
        Said::before(&eu, "v2", 12).revision("2"),
        Said::now(&eu, "v3", "v3", 12).revision("3"),
        Said::before(&us, "v2", 13).revision("6"),
        Said::now(&us, "v3", "v3", 13).revision("7").schema(SchemaChange::Expand),
    ]);
    let page = scene.page();
    assert_eq!(page.verdict, Verdict::RollBack);
    let commands: Vec<&str> =
        page.back.iter().map(|rollback_commands| rollback_commands.commands[0].as_str()).collect();
    assert_eq!(
        commands,
        [
            "kubectl --context prod-eu --namespace shop rollout undo deployment/api --to-revision=2",
            "kubectl --context prod-us --namespace shop rollout undo deployment/api --to-revision=6",
        ]
    );
}

/// Which client wrote what runs into the workload is said of what was started after that, under the name that it gives itself.
#[test]
fn who_deployed_is_the_client_that_wrote_the_images_before_they_ran_l67() {
    let api = kubernetes("deployment", "api");
    let by = |manager: &str, hour| Control {
        writer: Some(Writer { manager: manager.into(), at: at(hour) }),
        ..Control::default()
    };
    let scene = |control| {
        Scene::new(&["v1"])
            .without_database()
            .saying([Said::now(&api, "v1", "v1", 12).revision("1").controlled(control)])
    };
    let told = scene(by("argocd-controller", 11));
    assert_eq!(told.page().now[0].deployed_by.as_deref(), Some("argocd-controller"));
    assert!(told.shown().contains("deployed by client argocd-controller"), "{}", told.shown());
    let written_since = scene(by("kubectl-edit", 13));
    assert_eq!(written_since.page().now[0].deployed_by, None);
    assert!(!written_since.shown().contains("deployed by"), "{}", written_since.shown());
    // A name from outside is a name from outside.
    let hostile = scene(by("\u{1b}[2Jkubectl\n", 11)).shown();
    assert!(!hostile.contains('\u{1b}'), "{hostile:?}");
}
