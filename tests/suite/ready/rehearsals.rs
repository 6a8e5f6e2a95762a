//! What a rehearsal found of an old revision, and what a person is told to type then (P75).

use prodpin::decide::rehearsed::wanted;
use prodpin::model::{Event, Refusal, Rehearsal, RehearsalOutcome, Sent, Workload};

use super::scene::*;

const UNDO: &str = "kubectl --context prod-eu --namespace shop rollout undo deployment/api --to-revision=2";

fn refusal(words: &str) -> Refusal {
    Refusal { sent: Sent::Workload, by: "ValidatingAdmissionPolicy digests".to_owned(), words: words.to_owned() }
}

/// What the ledger has of the release v2 at a workload.
fn rehearsed(workload: &Workload, revision: &str, refusals: Vec<Refusal>, missing: &[&str]) -> Event {
    let passed = refusals.is_empty() && missing.is_empty();
    let outcome = if passed { RehearsalOutcome::Passed } else { RehearsalOutcome::Failed };
    let missing = missing.iter().map(|name| (*name).to_owned()).collect();
    let (workload, revision) = (workload.clone(), revision.to_owned());
    let rehearsal = Rehearsal { workload, revision, outcome, refusals, missing, unknown: Vec::new() };
    Event::Rehearsed { artifact: artifact("v2"), rehearsal: Box::new(rehearsal) }
}

/// v1, then v2 as revision 2, and v3 runs.
fn scene(workload: &Workload) -> Scene {
    Scene::new(&["v1", "v2", "v3"]).without_database().saying([
        Said::before(workload, "v1", 10).revision("1"),
        Said::before(workload, "v2", 12).revision("2"),
        Said::now(workload, "v3", "v3", 12).revision("3"),
    ])
}

#[test]
fn an_undo_to_what_the_cluster_refuses_is_not_printed_and_the_bytes_are_named_instead_p75d() {
    let deployment = kubernetes("deployment", "api");
    for event in [
        rehearsed(&deployment, "2", vec![refusal("name images by digest")], &[]),
        rehearsed(&deployment, "2", vec![], &["Secret db"]),
    ] {
        let scene = scene(&deployment).recorded([event]);
        let way = &scene.page().back[0];
        assert!(!way.commands.iter().any(|command| command.contains("undo")), "{way:?}");
        let set = format!("set image deployment/api api=registry.example.com/shop/api@{}", artifact("v2"));
        assert!(way.commands[0].ends_with(&set), "{way:?}");
        let why = way.notes.iter().find(|note| note.contains("revision 2 would not start")).expect("a note");
        assert!(why.contains("name images by digest") || why.contains("Secret db is not there"), "{why}");
        let page = scene.shown();
        assert!(page.contains("WOULD NOT START as deployment shop/api revision 2"), "{page}");
    }
}

#[test]
fn only_the_last_rehearsal_of_this_very_revision_counts() {
    let (deployment, other) = (kubernetes("deployment", "api"), kubernetes("deployment", "web"));
    let refused = |workload: &Workload, revision: &str| rehearsed(workload, revision, vec![refusal("no")], &[]);
    for events in [
        vec![],
        vec![rehearsed(&deployment, "2", vec![], &[])],
        // The old state got another number since: it is another question.
        vec![refused(&deployment, "1")],
        vec![refused(&other, "2")],
        vec![refused(&deployment, "2"), rehearsed(&deployment, "2", vec![], &[])],
    ] {
        let page = scene(&deployment).recorded(events.clone()).page();
        assert_eq!(page.back[0].commands[0], UNDO, "{events:?}");
    }
    let shown = scene(&deployment).recorded([rehearsed(&deployment, "2", vec![], &[])]).shown();
    assert!(shown.contains("would start as deployment shop/api revision 2, rehearsed"), "{shown}");
}

#[test]
fn a_cluster_s_words_are_shown_as_words_i19() {
    let deployment = kubernetes("deployment", "api");
    let hostile = refusal("no\u{1b}[2J\u{202e}\u{9b}31m`id`\nkubectl delete --all");
    let shown = scene(&deployment).recorded([rehearsed(&deployment, "2", vec![hostile], &[])]).shown();
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "{shown}");
    assert!(!shown.lines().any(|line| line.trim_start().starts_with("kubectl delete")), "{shown}");
}

#[test]
fn what_is_rehearsed_is_the_newest_old_state_of_each_target_where_it_does_not_run() {
    let (api, web) = (kubernetes("deployment", "api"), kubernetes("statefulset", "web"));
    let job = kubernetes("job", "import");
    let scene = Scene::new(&["v1", "v2", "v3"]).without_database().saying([
        Said::before(&api, "v1", 10).revision("1"),
        Said::before(&api, "v2", 11).revision("2"),
        Said::before(&api, "v2", 12).revision("10"),
        Said::now(&api, "v3", "v3", 12).revision("11"),
        // Here v2 still runs, and v1 was before it.
        Said::before(&web, "v1", 10).revision("4"),
        Said::now(&web, "v2", "v2", 12).revision("5"),
        // A kind that keeps no states that could be gone back to.
        Said::before(&job, "v1", 10).revision("1"),
    ]);
    let planned = scene.planned(|input, plan| wanted(input, &plan));
    let mut names: Vec<String> = planned
        .0
        .iter()
        .map(|one| {
            let tag = ["v1", "v2", "v3"].into_iter().find(|tag| artifact(tag) == one.artifact).unwrap();
            format!("{tag} {} {}", one.workload, one.revision)
        })
        .collect();
    names.sort();
    assert_eq!(names, ["v1 deployment shop/api 1", "v1 statefulset shop/web 4", "v2 deployment shop/api 10"]);
    assert_eq!(planned.1, 0);
}
