//! What images say of the migrations between them and an earlier commit, and what becomes of the database question.

use prodpin::outcome::ready::{RepositoryReady, Verdict};

use super::scene::*;

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";
const THREE: &str = "3333333333333333333333333333333333333333";

/// v1, v2 and v3, of which v3 runs, and what v1, v2 and v3 state.
fn stated(first: &str, second: &str, third: &str) -> Scene {
    let deployment = kubernetes("deployment", "api");
    Scene::new(&["v1", "v2", "v3"])
        .saying([
            Said::before(&deployment, "v1", 10).revision("1"),
            Said::before(&deployment, "v2", 11).revision("2"),
            Said::now(&deployment, "v3", "v3", 12).revision("3"),
        ])
        .stated("v1", ONE, first)
        .stated("v2", TWO, second)
        .stated("v3", THREE, third)
}

fn answers(page: &RepositoryReady) -> (Verdict, Option<bool>, usize) {
    (page.verdict, page.database.moved, page.database.questions.len())
}

/// Each verdict of the release that runs, for going back to the one before it.
#[test]
fn each_verdict_has_its_answer() {
    for (verdict, expected) in [
        ("none", (Verdict::RollBack, Some(false), 0)),
        ("expand", (Verdict::RollBack, Some(false), 0)),
        ("caution", (Verdict::Unknown, None, 1)),
        ("data", (Verdict::Unknown, None, 1)),
        ("unknown", (Verdict::Unknown, None, 0)),
        ("contract", (Verdict::RollForward, Some(true), 0)),
    ] {
        let page = stated("", "none from=1111111", &format!("{verdict} from={TWO}")).page();
        assert_eq!(answers(&page), expected, "{verdict}: {:?}", page.database);
        assert_eq!(page.back.is_empty(), verdict == "contract", "the commands are there for whoever has the answer");
    }
    let page = stated("", "", &format!("data from={TWO}")).page();
    assert!(page.why.contains("a question about the database must be answered first"), "{}", page.why);
    assert!(page.find_out[0].contains("v3 overwrote or removed rows"), "{:?}", page.find_out);
    assert!(
        page.find_out[0].contains(&format!("prodpin schema-change --from {TWO} --to {THREE}")),
        "{:?}",
        page.find_out
    );
}

#[test]
fn a_hole_in_the_chain_is_unknown_and_named() {
    let elsewhere = "9999999999999999999999999999999999999999";
    let page = stated("", "", &format!("expand from={elsewhere}")).page();
    assert_eq!(answers(&page), (Verdict::Unknown, None, 0), "{:?}", page.database);
    assert!(
        page.database.steps[0].by.iter().any(|by| by.contains("begins at 999999999999")),
        "{:?}",
        page.database.steps
    );
    // The release's own commit is none before it, and one of a later release says nothing either.
    for from in [THREE, "main"] {
        assert_eq!(stated("", "", &format!("none from={from}")).page().database.moved, None, "{from}");
    }
    // A contraction stays one.
    let page = stated("", "", &format!("contract from={elsewhere}")).page();
    assert_eq!(page.database.moved, Some(true));
}

/// Going back over two releases looks at both of them.
#[test]
fn every_release_between_is_looked_at() {
    use prodpin::model::{Closure, Digest};
    let lost = |scene: Scene| scene.look("v2", |seen| seen.closure = Closure::Broken(vec![Digest::sha256(b"a layer")]));
    let (from_one, from_two) = (|word: &str| format!("{word} from={ONE}"), |word: &str| format!("{word} from={TWO}"));
    for (second, third, expected) in [
        (from_one("expand"), from_two("none"), (Verdict::RollBack, Some(false), 0)),
        (from_one("contract"), from_two("none"), (Verdict::RollForward, Some(true), 0)),
        (from_one("data"), from_two("caution"), (Verdict::Unknown, None, 2)),
        (String::new(), from_two("none"), (Verdict::Unknown, None, 0)),
        // What begins further back says nothing of what the release passed over did alone.
        (String::new(), from_one("expand"), (Verdict::Unknown, None, 0)),
        (from_one("expand"), from_one("expand"), (Verdict::Unknown, None, 0)),
        (from_one("contract"), from_one("expand"), (Verdict::RollForward, Some(true), 0)),
    ] {
        let page = lost(stated("", &second, &third)).page();
        let answered = answers(&page);
        // Where nothing can be gone back to, the page has the word about the latest, which is broken.
        let answered = if page.verdict == Verdict::RollForward { (answered.0, Some(true), 0) } else { answered };
        assert_eq!(answered, expected, "{second}, {third}: {:?}", page.database);
    }
}

/// A value that an earlier release made possible may be written by one that has no migration.
#[test]
fn cautions_are_carried_forward() {
    let page = stated("", &format!("caution from={ONE}"), &format!("none from={TWO}")).page();
    assert_eq!(answers(&page), (Verdict::Unknown, None, 1), "{:?}", page.database);
    assert!(page.database.questions[0].contains("v2 made possible"), "{:?}", page.database.questions);
}

/// Of an image's two words the graver counts, whichever it is.
#[test]
fn the_gravest_word_counts() {
    use prodpin::model::{DatabaseRule, NamePatterns, SchemaChange};
    for (rule, statement, moved) in [
        (SchemaChange::None, "contract", Some(true)),
        (SchemaChange::Contract, "none", Some(true)),
        (SchemaChange::None, "expand", Some(false)),
        (SchemaChange::None, "unknown", None),
    ] {
        let mut scene = stated("", "", &format!("{statement} from={TWO}"));
        let repositories = NamePatterns::new(["shop/*"]).unwrap();
        scene.database.push(DatabaseRule { repositories, tags: None, schema: Some(rule), irreversible: None });
        assert_eq!(scene.page().database.moved, moved, "{rule}, {statement}");
    }
}

/// Whether it is the image, the workload or the policy that says it: nobody but a person knows whether it can be gone back from.
#[test]
fn what_no_rollback_undoes_is_a_question_that_a_person_must_answer() {
    use prodpin::model::{Cause, Control, DatabaseRule, Effects, Gap, NamePatterns, Scope};

    let effects = || Effects::read("emails, ledger postings since v1.4");
    let deployment = kubernetes("deployment", "api");
    let scene = |control: Control| {
        Scene::new(&["v1", "v2"]).without_database().saying([
            Said::before(&deployment, "v1", 10).revision("1"),
            Said::now(&deployment, "v2", "v2", 11).revision("2").controlled(control),
        ])
    };
    assert_eq!(scene(Control::default()).page().verdict, Verdict::RollBack);
    let by_workload = scene(Control { irreversible: effects(), ..Control::default() });
    let mut by_policy = scene(Control::default());
    by_policy.database.push(DatabaseRule {
        repositories: NamePatterns::new(["shop/*"]).unwrap(),
        tags: Some(NamePatterns::new(["v2"]).unwrap()),
        schema: None,
        irreversible: effects(),
    });
    let mut by_image = scene(Control::default());
    by_image.said.get_mut(&artifact("v2")).unwrap().as_mut().unwrap().irreversible = effects();
    for (scene, by) in [(&by_workload, "deployment shop/api"), (&by_policy, "the policy"), (&by_image, "the image")] {
        let page = scene.page();
        assert_eq!((page.verdict, page.to.clone()), (Verdict::Unknown, Some(artifact("v1"))), "{by}");
        assert_eq!((page.database.moved, page.intact), (Some(false), Some(true)), "{by}");
        let [done] = page.database.irreversible.as_slice() else { panic!("{by}: {:?}", page.database) };
        assert_eq!((&done.artifact, &done.by), (&artifact("v2"), &vec![by.to_owned()]));
        let question = page.find_out.iter().find(|step| step.contains("emails, ledger postings since v1.4"));
        assert!(question.is_some_and(|question| question.contains("Does v1 cope with that")), "{:?}", page.find_out);
        assert!(!page.back.is_empty(), "the commands are there, for when it is answered");
    }
    // What an image says that could not be asked is not that it says nothing, whatever is known of the database.
    let mut unread = scene(Control::default());
    let gap = Gap::new(Scope::Repository, Cause::Unreachable, "its label could not be read");
    unread.said.insert(artifact("v2"), Err(gap));
    let page = unread.page();
    assert_eq!((page.verdict, page.database.moved), (Verdict::Unknown, Some(false)));
    let [unknown] = page.database.irreversible_unknown.as_slice() else { panic!("{:?}", page.database) };
    assert!(unknown.starts_with("v2, whose image could not be asked"), "{unknown}");
    assert!(page.find_out.iter().any(|step| step.contains(unknown)), "{:?}", page.find_out);
    // What the release before did when it ran is over, whatever is gone back to it.
    let mut earlier = scene(Control::default());
    earlier.said.get_mut(&artifact("v1")).unwrap().as_mut().unwrap().irreversible = effects();
    assert_eq!(earlier.page().verdict, Verdict::RollBack);
    insta::assert_snapshot!(by_image.shown());
}
