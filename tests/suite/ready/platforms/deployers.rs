//! What Helm and Git deploy goes back through them.

use prodpin::model::Platform;

use super::{prod, rollback_commands, three};
use crate::ready::scene::*;

#[test]
fn a_helm_release_is_rolled_back_by_helm_and_not_behind_its_back() {
    let release = workload(Platform::Helm { context: prod() }, Some("shop"), "release", "shop");
    let deployment = kubernetes("deployment", "api");
    let mut scene = three(&release, ["1", "2", "3"]);
    scene = scene.saying([
        Said::before(&deployment, "v2", 12).revision("7"),
        Said::now(&deployment, "v3", "v3", 12).revision("8"),
    ]);
    let page = scene.page();
    let [first, second] = page.back.as_slice() else { panic!("two ways") };
    assert_eq!(first.commands, ["helm rollback shop 2 --kube-context prod-eu --namespace shop --wait"]);
    assert!(second.notes.iter().any(|note| note.contains("Helm does not see this")), "{second:?}");
    insta::assert_snapshot!(scene.shown());
}

#[test]
fn what_git_deploys_is_reverted_in_git() {
    let application = workload(Platform::ArgoCd { context: prod() }, Some("argocd"), "application", "shop");
    let config = "1111111111111111111111111111111111111111";
    let source = "3333333333333333333333333333333333333333";
    let mut scene = Scene::new(&["v2", "v3"]).without_database().built("v3", source, None);
    scene.runs = vec![
        vec![Said::now(&application, "v2", "v2", 10).part(None)],
        vec![Said::now(&application, "v3", "v3", 12).part(None).revision(config)],
    ];
    let there = rollback_commands(&scene);
    assert_eq!(
        there.commands,
        [
            "git log --oneline -1 -S v3",
            "git revert --no-edit \"$(git log --format=%H -1 -S v3)\"",
            "git push",
            "argocd app sync shop",
        ]
    );
    let notes = there.notes.join("\n");
    assert!(notes.contains(config) && notes.contains(&format!("git revert --no-edit {source}")), "{notes}");
    insta::assert_snapshot!(scene.shown());

    let release = workload(Platform::Flux { context: prod() }, Some("shop"), "helmrelease", "shop");
    let mut scene = Scene::new(&["v2", "v3"]).without_database();
    scene.runs = vec![
        vec![Said::now(&release, "v2", "v2", 10).part(None)],
        vec![Said::now(&release, "v3", "v3", 12).part(None).revision("4")],
    ];
    assert_eq!(
        rollback_commands(&scene).commands.last().unwrap(),
        "flux reconcile helmrelease shop --context prod-eu --namespace shop --with-source"
    );
}
