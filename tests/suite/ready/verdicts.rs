//! The three questions, and each way in which what is known may conflict.

use prodpin::model::{
    Cause, Closure, DatabaseRule, Digest, Gap, NamePatterns, Obstacle, Order, PinState, Presence, ProductionRule,
    SchemaChange, Scope,
};
use prodpin::outcome::ready::{RepositoryReady, Verdict};

use super::scene::*;

/// v1, v2 and v3, of which v3 runs; nothing is known of the database.
fn silent() -> Scene {
    let deployment = kubernetes("deployment", "api");
    Scene::new(&["v1", "v2", "v3"]).saying([
        Said::before(&deployment, "v1", 10).revision("1"),
        Said::before(&deployment, "v2", 12).revision("2"),
        Said::now(&deployment, "v3", "v3", 12).revision("3"),
    ])
}

fn policy(tags: Option<&str>, schema: SchemaChange) -> DatabaseRule {
    DatabaseRule {
        repositories: NamePatterns::new(["shop/*"]).unwrap(),
        tags: tags.map(|tags| NamePatterns::new([tags]).unwrap()),
        schema: Some(schema),
        irreversible: None,
    }
}

fn answers(page: &RepositoryReady) -> (Verdict, Option<bool>, Option<bool>) {
    (page.verdict, page.database.moved, page.intact)
}

#[test]
fn an_unknown_is_never_a_yes() {
    let scene = silent();
    let page = scene.page();
    assert_eq!(answers(&page), (Verdict::Unknown, None, Some(true)));
    assert_eq!(page.to, Some(artifact("v2")), "what it would be is told");
    assert!(page.find_out[0].contains("read the migrations of v3 since v2"), "{:?}", page.find_out);
    assert!(!page.back.is_empty(), "and the commands, for whoever has found out");
    insta::assert_snapshot!(scene.shown());
}

#[test]
fn releases_that_only_add_can_be_gone_back_from() {
    let scene = silent().built("v3", "abcdef0123456789", Some(SchemaChange::Expand));
    assert_eq!(answers(&scene.page()), (Verdict::RollBack, Some(false), Some(true)));
    insta::assert_snapshot!(scene.shown());
}

#[test]
fn a_release_that_takes_away_leaves_only_the_way_forward() {
    let commit = "abcdef0123456789abcdef0123456789abcdef01";
    let scene = silent().built("v3", commit, Some(SchemaChange::Contract));
    let page = scene.page();
    assert_eq!(answers(&page), (Verdict::RollForward, Some(true), Some(true)));
    assert!(page.back.is_empty() && page.to.is_none());
    assert_eq!(
        page.forward.commands,
        ["git fetch origin".to_owned(), format!("git switch --create fix-abcdef012345 {commit}")]
    );
    insta::assert_snapshot!(scene.shown());
}

/// Who believes the gentler word loses data.
#[test]
fn of_two_words_on_the_database_the_graver_counts() {
    let by_image = |schema| silent().built("v3", "abcdef0123456789", Some(schema));
    for (image, rule, expected) in [
        (SchemaChange::None, SchemaChange::Contract, Some(true)),
        (SchemaChange::Contract, SchemaChange::None, Some(true)),
        (SchemaChange::Expand, SchemaChange::None, Some(false)),
    ] {
        let mut scene = by_image(image);
        scene.database.push(policy(None, rule));
        let page = scene.page();
        assert_eq!(page.database.moved, expected, "{image} and {rule}");
        assert_eq!(page.database.steps[0].by.len(), 2, "both are told: {:?}", page.database.steps);
    }
    // The workload's annotation counts as the image's does.
    let mut scene = by_image(SchemaChange::None);
    let said = scene.runs[0].pop().unwrap().schema(SchemaChange::Contract);
    scene.runs[0].push(said);
    assert_eq!(scene.page().database.moved, Some(true));
}

#[test]
fn a_rule_may_be_about_some_releases_alone() {
    let mut scene = silent();
    scene.database.push(policy(Some("v2*"), SchemaChange::Contract));
    assert_eq!(scene.page().database.moved, None, "v2 itself was released before it ran");
    scene.database.push(policy(Some("v3"), SchemaChange::None));
    assert_eq!(answers(&scene.page()), (Verdict::RollBack, Some(false), Some(true)));
}

/// Further back lies more that may have happened.
#[test]
fn a_nearer_release_that_is_broken_makes_the_database_s_way_longer() {
    let lost = |scene: Scene| scene.look("v2", |seen| seen.closure = Closure::Broken(vec![Digest::sha256(b"a layer")]));
    let mut scene = lost(silent().without_database());
    let page = scene.page();
    assert_eq!((page.verdict, page.to), (Verdict::RollBack, Some(artifact("v1"))));
    assert!(page.why.contains("v2 is nearer and cannot be restored"), "{}", page.why);
    assert_eq!(page.database.steps.len(), 2);
    insta::assert_snapshot!(scene.shown());
    scene = lost(silent()).built("v3", "abcdef0", Some(SchemaChange::None));
    scene.database.push(policy(Some("v2"), SchemaChange::Contract));
    assert_eq!(scene.page().verdict, Verdict::RollForward, "v2's contraction stands between v1 and today");
}

#[test]
fn an_artifact_that_could_not_be_read_is_unknown_and_one_that_is_gone_is_no_way_back() {
    let only_two = || {
        let deployment = kubernetes("deployment", "api");
        Scene::new(&["v2", "v3"]).without_database().saying([
            Said::before(&deployment, "v2", 12).revision("2"),
            Said::now(&deployment, "v3", "v3", 12).revision("3"),
        ])
    };
    let gap = || Gap::new(Scope::Artifact(artifact("v2")), Cause::TimedOut, "v2: no answer in time");
    let unread = only_two().look("v2", |seen| {
        seen.presence = Presence::Unknown;
        seen.closure = Closure::Unknown;
        seen.gaps = vec![gap()];
    });
    let page = unread.page();
    assert_eq!(answers(&page), (Verdict::Unknown, Some(false), None));
    assert!(!page.complete);
    assert!(page.find_out.iter().any(|step| step.contains("try to pull registry.example.com")), "{:?}", page.find_out);
    insta::assert_snapshot!(unread.shown());
    let gone = only_two().look("v2", |seen| {
        seen.presence = Presence::NotFound;
        seen.closure = Closure::Unknown;
        seen.pin = PinState::Absent;
    });
    let page = gone.page();
    assert_eq!((page.verdict, page.intact), (Verdict::RollForward, Some(false)));
    assert!(page.why.contains("v2"), "{}", page.why);
    let archived =
        only_two().look("v2", |seen| seen.obstacles = vec![Obstacle::Archived { class: "ARCHIVE".to_owned() }]);
    assert_eq!(archived.page().verdict, Verdict::RollForward);
    assert!(archived.shown().contains("in archive storage (ARCHIVE), restore it first"));
}

/// What could not be read may know of another release, and of what that did.
#[test]
fn a_signal_that_failed_leaves_the_answer_open_i4() {
    let mut scene = silent().without_database();
    scene.gaps = vec![Gap::new(
        Scope::Signal("kubernetes prod-us".to_owned()),
        Cause::Denied,
        "kubernetes prod-us: pods: forbidden",
    )];
    let page = scene.page();
    assert_eq!(answers(&page), (Verdict::Unknown, None, Some(true)));
    assert!(page.database.doubt.as_ref().unwrap().contains("forbidden") && !page.complete);
    insta::assert_snapshot!(scene.shown());
    // A contraction that is known is one, whatever else is not.
    let scene = scene.built("v3", "abcdef0", Some(SchemaChange::Contract));
    assert_eq!(scene.page().verdict, Verdict::RollForward);
}

#[test]
fn where_nothing_is_known_nothing_is_offered() {
    let scene = Scene::new(&[]);
    let page = scene.page();
    assert_eq!(page.verdict, Verdict::Unknown);
    assert!(page.back.is_empty() && page.forward.commands.is_empty() && page.now.is_empty());
    insta::assert_snapshot!(scene.shown());
    let deployment = kubernetes("deployment", "api");
    let first = Scene::new(&["v1"]).saying([Said::now(&deployment, "v1", "v1", 12).revision("1")]);
    let page = first.page();
    assert_eq!((page.verdict, page.why.as_str()), (Verdict::NoEarlierRelease, "no earlier release is known"));
}

#[test]
fn with_tags_alone_the_version_before_is_offered_with_the_exact_bytes() {
    let mut scene = Scene::new(&["v1.0.0", "v1.1.0"]).without_database();
    scene.production =
        vec![ProductionRule::Tags { patterns: NamePatterns::new(["v*"]).unwrap(), order: Order::Semver }];
    let page = scene.page();
    assert_eq!((page.verdict, page.to), (Verdict::RollBack, Some(artifact("v1.0.0"))));
    assert!(page.back.is_empty() && page.now.is_empty());
    insta::assert_snapshot!(scene.shown());
}

#[test]
fn the_order_of_what_signals_say_changes_nothing() {
    let scene = silent().without_database();
    let mut other = scene.clone();
    other.runs[0].reverse();
    other.tags.reverse();
    assert_eq!(scene.page(), other.page());
}

/// How long each release's protection lasts is reported, and what has none says so.
#[test]
fn a_rung_without_a_pin_says_so() {
    let scene = silent().without_database().look("v2", |seen| seen.pin = PinState::Absent);
    let shown = scene.shown();
    assert!(shown.contains("not pinned (`prodpin enforce` would pin it)"), "{shown}");
    let old = Said::before_exactly(&kubernetes("deployment", "api"), "v0", 7).revision("0");
    let page = silent().look("v0", |_| {}).saying([old]).page();
    assert!(page.releases.iter().any(|listed| listed.artifact == artifact("v0") && listed.unchanged == Some(true)));
}

/// A release goes out cluster by cluster: what the others still run is what to go back to.
#[test]
fn what_another_cluster_runs_comes_before_what_no_longer_runs() {
    let eu = kubernetes("deployment", "api");
    let us = workload(
        prodpin::model::Platform::Kubernetes { context: Some("prod-us".into()) },
        Some("shop"),
        "deployment",
        "api",
    );
    let scene = Scene::new(&["v1", "v2", "v3"]).without_database().saying([
        Said::before(&eu, "v1", 10).revision("1"),
        Said::before(&eu, "v2", 12).revision("2"),
        Said::now(&eu, "v3", "v3", 12).revision("3"),
        Said::now(&us, "v2", "v2", 11).revision("2"),
    ]);
    let page = scene.page();
    assert_eq!((page.from, page.to), (Some(artifact("v3")), Some(artifact("v2"))), "{}", scene.shown());
    assert_eq!(page.back.len(), 1, "only where v3 runs: {:?}", page.back);
}

/// More releases are gone than the report tells; they ran all the same, and what they did to the database stays done.
#[test]
fn a_release_that_is_gone_and_untold_still_stands_between() {
    let scene = |third: Option<SchemaChange>| {
        let deployment = kubernetes("deployment", "api");
        let none = |said: Said| said.schema(SchemaChange::None);
        let unreported = Said::before_exactly(&deployment, "m3", 12).revision("2");
        let mut scene = Scene::new(&["t", "r"]).saying([
            none(Said::before_exactly(&deployment, "t", 11).revision("1")),
            third.map_or(unreported.clone(), |schema| unreported.schema(schema)),
            none(Said::before_exactly(&deployment, "m2", 13).revision("3")),
            none(Said::before_exactly(&deployment, "m1", 14).revision("4")),
            none(Said::now(&deployment, "r", "r", 15).revision("5")),
        ]);
        scene.keep = 2;
        for gone in ["m1", "m2", "m3"] {
            scene = scene.look(gone, |seen| {
                seen.presence = Presence::NotFound;
                seen.closure = Closure::Unknown;
                seen.pin = PinState::Absent;
            });
        }
        scene
    };
    let contracted = scene(Some(SchemaChange::Contract)).page();
    assert_eq!(contracted.releases.len(), 4, "the third that is gone is not told");
    assert_eq!((contracted.verdict, contracted.to), (Verdict::RollForward, None));
    let silent = scene(None).page();
    assert_eq!(answers(&silent), (Verdict::Unknown, None, Some(true)));
    let doubt = silent.database.doubt.unwrap();
    assert!(doubt.contains("1 more release since then is gone"), "{doubt}");
    assert_eq!(answers(&scene(Some(SchemaChange::Expand)).page()), (Verdict::RollBack, Some(false), Some(true)));
}

/// The questions are about what one would go back to, whatever the answer; never about what runs.
#[test]
fn the_questions_are_about_the_release_before_even_where_only_the_way_forward_is_left() {
    let scene = silent().built("v3", "abcdef0123456789", Some(SchemaChange::Contract));
    let page = scene.page();
    assert_eq!((page.verdict, page.to.clone(), page.asked), (Verdict::RollForward, None, Some(artifact("v2"))));
    // By tags alone: nothing says what runs.
    let mut scene = Scene::new(&["v1.0.0", "v1.1.0"]).by_tags();
    scene.database.push(policy(None, SchemaChange::Contract));
    let page = scene.page();
    assert_eq!((page.verdict, page.asked), (Verdict::RollForward, Some(artifact("v1.0.0"))));
    assert!(scene.shown().contains("forward destructively since v1.0.0"), "{}", scene.shown());
}

#[test]
fn an_only_release_is_not_called_unread() {
    let scene = Scene::new(&["v1.0.0"]).by_tags();
    let shown = scene.shown();
    assert_eq!(scene.page().asked, None);
    assert!(shown.contains("There is no earlier release") && !shown.contains("not all of it could be read"), "{shown}");
}

#[test]
fn what_is_named_as_running_and_does_not_exist_is_told() {
    let deployment = kubernetes("deployment", "api");
    let scene = Scene::new(&["v1", "v2"])
        .saying([Said::before(&deployment, "v1", 10).revision("1"), Said::tagged_now(&deployment, "v9")]);
    let page = scene.page();
    assert_eq!(page.lacking.len(), 1, "{:?}", page.lacking);
    assert!(scene.shown().contains("names v9 as running, and there is no such tag"), "{}", scene.shown());
}

#[test]
fn a_branch_is_no_commit_to_start_from() {
    let scene = silent().built("v3", "main", Some(SchemaChange::Contract));
    let page = scene.page();
    assert_eq!((page.forward.commit, page.forward.commands), (None, Vec::new()));
    assert!(page.forward.notes[0].contains("built from \"main\", which is no commit"), "{:?}", page.forward.notes);
}

/// Whoever looks at the list at night sees first what cannot be gone back to. What is protected, and of whose database
/// nothing is known, stands before what is ready.
#[test]
fn the_list_begins_with_what_a_rollback_would_miss() {
    use prodpin::outcome::ready::ReadySection;
    use prodpin::outcome::status::ServiceStatus;
    use prodpin::report::ready::{ReadyFormat, ReadyWriter, render};
    let broken =
        |scene: Scene, tag| scene.look(tag, |seen| seen.closure = Closure::Broken(vec![Digest::sha256(b"layer")]));
    let ready = || silent().without_database();
    let first = Scene::new(&["v1"]).saying([Said::now(&kubernetes("deployment", "api"), "v1", "v1", 10).revision("1")]);
    let unprotected = ready().look("v2", |seen| seen.pin = PinState::Absent);
    let contracted = silent().built("v3", "abcdef0123456789", Some(SchemaChange::Contract));
    let pages = [
        ("a-ready", ready()),
        ("b-first", first),
        ("c-unprotected", unprotected),
        ("d-unknown", silent()),
        ("e-moved", contracted),
        ("f-lost", broken(broken(silent(), "v1"), "v2")),
    ];
    let mut writer = ReadyWriter::default();
    for (name, scene) in pages {
        let page = RepositoryReady { name: name.parse().unwrap(), criticals: Vec::new(), ..scene.page() };
        writer.push(&page).unwrap();
    }
    let section = ReadySection {
        at: "2026-03-02T03:00:00Z".parse().unwrap(),
        policy_sha256: Digest::sha256(b"policy"),
        complete: true,
        gaps: Vec::new(),
        only: Vec::new(),
    };
    let (report, mut out) = (writer.finish(section), Vec::new());
    render(ReadyFormat::Page, &report, false, prodpin::report::render::Style::UNBOUNDED, &mut out).unwrap();
    let shown = String::from_utf8(out).unwrap();
    let order: Vec<&str> =
        shown.split_whitespace().filter(|word| word.len() > 3 && &word[1..2] == "-").map(|word| &word[2..]).collect();
    assert_eq!(order, ["moved", "lost", "unprotected", "first", "unknown", "ready"], "{shown}");
    // Some of them alone: the counts stay those of all, so that nobody takes a part for the whole.
    let (mut part, counts) = (report, shown.lines().find(|line| line.contains("6 services: ")).unwrap().to_owned());
    part.section.only = vec![ServiceStatus::NotReady, ServiceStatus::Ready];
    let mut out = Vec::new();
    render(ReadyFormat::Page, &part, false, prodpin::report::render::Style::UNBOUNDED, &mut out).unwrap();
    let shown = String::from_utf8(out).unwrap();
    let there =
        ["a-ready", "b-first", "c-unprotected", "d-unknown", "e-moved", "f-lost"].map(|name| shown.contains(name));
    assert_eq!(there, [true, false, false, false, true, true], "{shown}");
    assert!(shown.contains(&counts) && shown.contains("Only services that are: not ready, ready; 3 of 6"), "{shown}");
    let mut out = Vec::new();
    render(ReadyFormat::Json, &part, false, prodpin::report::render::Style::UNBOUNDED, &mut out).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(document["repositories"].as_array().unwrap().len(), 3);
    assert_eq!(document["ready"]["only"], serde_json::json!(["not_ready", "ready"]));
    assert_eq!(document["summary"]["repositories"], 6);
}
