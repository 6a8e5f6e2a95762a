//! Which artifacts become rollback targets, case by case, and by which of their names.

use super::*;
use crate::decide::{Asked, changes, fold};
use crate::model::{Digest, Event, Inspection, NamePatterns, ObservedTag, Order, Presence, Resolution};

fn artifact(content: &str) -> ArtifactId {
    Digest::sha256(content.as_bytes()).into()
}

fn seen(content: &str, presence: Presence) -> (ArtifactId, Inspection) {
    (artifact(content), Inspection { presence, ..Inspection::whole(artifact(content)) })
}

fn listing(tags: &[(&str, &str)]) -> Snapshot {
    let listed = tags.iter().map(|(name, content)| ObservedTag {
        name: name.parse().unwrap(),
        target: Resolution::Artifact(artifact(content)),
        pushed: None,
        object: None,
    });
    Snapshot { tags: listed.collect(), ..Snapshot::default() }
}

/// Looks one after the other, each a list of tags; what is not in a list was deleted. And what the last one leaves.
fn history(looks: &[&[(&str, &str)]]) -> (Snapshot, RepositoryState) {
    let (mut state, mut snapshot) = (RepositoryState::default(), Snapshot::default());
    for (at, look) in looks.iter().enumerate() {
        snapshot = listing(look);
        let gone = state.tags.keys().filter(|tag| !look.iter().any(|(name, _)| tag.as_str() == *name));
        let looked_up = gone.map(|tag| (tag.clone(), Resolution::NotFound)).collect();
        let asked = Asked { looked_up, ..Asked::default() };
        // An absence is a deletion once a second look says so (I4).
        for half in [2 * at, 2 * at + 1] {
            let mark = Mark { sequence: half as u64 + 1, at: Timestamp::UNIX_EPOCH };
            let events: Vec<Event> = changes(&snapshot, &asked, &state);
            fold(&mut state, mark, &events);
        }
    }
    (snapshot, state)
}

fn selected(production: Vec<ProductionRule>, keep: u32, snapshot: &Snapshot, state: &RepositoryState) -> Selection {
    let rules = Rules { keep, production, may_move: NamePatterns::none() };
    select(&rules, snapshot, state, &BTreeMap::new(), &[], &BTreeSet::new(), Timestamp::UNIX_EPOCH)
}

fn releases(pattern: &str) -> ProductionRule {
    ProductionRule::Tags { patterns: NamePatterns::new([pattern]).unwrap(), order: Order::Semver }
}

fn moving(tag: &str) -> ProductionRule {
    ProductionRule::MovingTag(tag.parse().unwrap())
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn contents(targets: &[Target]) -> Vec<&'static str> {
    let known = ["1", "2", "3", "4", "5", "6", "7"];
    targets.iter().map(|target| *known.iter().find(|content| artifact(content) == target.artifact).unwrap()).collect()
}

#[test]
fn what_a_moving_tag_names_now_goes_first_and_then_by_when_it_last_named_it() {
    let looks: &[&[(&str, &str)]] = &[&[("prod", "1")], &[("prod", "2")], &[("prod", "3")], &[("prod", "1")]];
    let (snapshot, state) = history(looks);
    let targets = selected(vec![moving("prod")], 5, &snapshot, &state).targets(5, &BTreeMap::new());
    assert_eq!(contents(&targets), ["1", "3", "2"]);
    assert_eq!(targets.iter().map(|target| target.running).collect::<Vec<_>>(), [true, false, false]);
    let now = Reason::MovingTagNow { tag: tag("prod") };
    let before = Reason::MovingTagBefore { tag: tag("prod") };
    assert_eq!(targets[0].reasons, [now], "that it also named it before adds nothing");
    assert_eq!((&targets[1].reasons[..], &targets[2].reasons[..]), (&[before.clone()][..], &[before][..]));
    assert_eq!(targets.iter().map(|target| target.rank).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
}

#[test]
fn a_moving_tag_that_was_deleted_names_nothing_now_and_what_it_named_last_goes_first() {
    let (snapshot, state) = history(&[&[("prod", "1")], &[("prod", "2")], &[("main", "3")]]);
    let targets = selected(vec![moving("prod")], 5, &snapshot, &state).targets(5, &BTreeMap::new());
    assert_eq!(contents(&targets), ["2", "1"]);
    assert!(targets.iter().all(|target| !target.running));
    let none = selected(vec![moving("other")], 5, &snapshot, &state);
    assert!(none.targets(5, &BTreeMap::new()).is_empty() && none.artifacts().next().is_none());
}

#[test]
fn an_artifact_is_one_target_with_the_reasons_of_every_rule() {
    let (snapshot, state) = history(&[&[("prod", "1"), ("v1", "1"), ("v2", "2"), ("v3", "3")]]);
    let selection = selected(vec![releases("v*"), moving("prod")], 5, &snapshot, &state);
    let targets = selection.targets(5, &BTreeMap::new());
    assert_eq!(contents(&targets), ["1", "3", "2"], "what a tag names by which production deploys is better evidence");
    assert!(targets[0].running && !targets[1].running);
    assert_eq!(targets[0].reasons.len(), 2, "{:?}", targets[0].reasons);
    assert_eq!(selection.artifacts().count(), 4, "three by one rule and one by the other");
    let looked_at = BTreeMap::from([seen("1", Presence::Present), seen("2", Presence::Present)]);
    assert_eq!(selection.unseen(5, &looked_at), [artifact("3")]);
}

#[test]
fn between_rules_about_tags_goes_first_what_arrived_last() {
    let looks: &[&[(&str, &str)]] =
        &[&[("a1", "1")], &[("a1", "1"), ("b9", "2")], &[("a1", "1"), ("a2", "3"), ("b9", "2")]];
    let (snapshot, state) = history(looks);
    let targets = selected(vec![releases("a*"), releases("b*")], 5, &snapshot, &state).targets(5, &BTreeMap::new());
    assert_eq!(contents(&targets), ["3", "2", "1"]);
}

#[test]
fn as_many_are_kept_as_were_asked_for_and_what_is_gone_beyond_that_is_told() {
    let (snapshot, state) = history(&[&[("v1", "1"), ("v2", "2"), ("v3", "3"), ("v4", "4"), ("v5", "5")]]);
    let selection = selected(vec![releases("v*")], 2, &snapshot, &state);
    assert_eq!(contents(&selection.targets(2, &BTreeMap::new())), ["5", "4"]);
    let gone = ["5", "4", "3"].map(|content| seen(content, Presence::NotFound));
    let there = ["2", "1"].map(|content| seen(content, Presence::Present));
    let inspections: BTreeMap<ArtifactId, Inspection> = gone.into_iter().chain(there).collect();
    assert_eq!(
        contents(&selection.targets(2, &inspections)),
        ["5", "4", "2", "1"],
        "two that are gone, and two to go back to"
    );
    let lost = |from: &str| -> Vec<(ArtifactId, bool)> {
        let lost = selection.lost(2, &inspections, &artifact(from));
        lost.into_iter().map(|lost| (lost.artifact, lost.above)).collect()
    };
    assert_eq!(lost("2"), [(artifact("3"), true)]);
    assert_eq!(lost("3"), [(artifact("3"), false)], "seen from itself it is not above");
    assert_eq!(lost("4"), [(artifact("3"), false)]);
    assert_eq!(lost("7"), [(artifact("3"), true)], "no rule ranks that one");
    let reasons = selection.lost(2, &inspections, &artifact("2")).remove(0).reasons;
    assert_eq!(reasons.iter().filter_map(Reason::tag).collect::<Vec<_>>(), [&tag("v3")]);
}

#[test]
fn bytes_that_came_by_moving_a_release_tag_are_kept_beside_and_push_none_out() {
    let first: &[(&str, &str)] = &[("v1", "1"), ("v2", "2")];
    let (snapshot, state) = history(&[first, &[("v1", "1"), ("v2", "3")]]);
    let selection = selected(vec![releases("v*")], 2, &snapshot, &state);
    let targets = selection.targets(2, &BTreeMap::new());
    assert_eq!(contents(&targets), ["2", "1", "3"]);
    assert_eq!(targets.iter().map(|target| target.rank).collect::<Vec<_>>(), [Some(1), Some(2), None]);
    assert!(targets[2].reasons.contains(&Reason::MovedIn { tag: tag("v2") }), "{:?}", targets[2].reasons);
    // Moved back, never pinned, and gone: a cleanup did its work. While the tag names other bytes still, what is gone is told.
    for (last, gone) in [("2", [false]), ("4", [true])] {
        let (snapshot, state) = history(&[first, &[("v1", "1"), ("v2", "3")], &[("v1", "1"), ("v2", last)]]);
        let selection = selected(vec![releases("v*")], 2, &snapshot, &state);
        let kept = |presence| {
            let targets = selection.targets(2, &BTreeMap::from([seen("3", presence)]));
            assert_eq!(contents(&targets)[..2], ["2", "1"]);
            [targets.iter().any(|target| target.artifact == artifact("3"))]
        };
        assert_eq!((kept(Presence::Present), kept(Presence::NotFound)), ([true], gone), "v2 names {last}");
    }
}

#[test]
fn what_several_rules_say_of_an_artifact_adds_up() {
    let (snapshot, state) = history(&[&[("prod", "1"), ("stable", "1")]]);
    let targets = selected(vec![moving("prod"), moving("stable")], 5, &snapshot, &state).targets(5, &BTreeMap::new());
    assert_eq!(contents(&targets), ["1"]);
    assert!(targets[0].running && targets[0].reasons.len() == 2, "{:?}", targets[0].reasons);

    let (snapshot, state) = history(&[&[("v1", "1"), ("v2", "2"), ("v3", "3"), ("v4", "4")]]);
    let gone = ["4", "3"].map(|content| seen(content, Presence::NotFound));
    let inspections: BTreeMap<ArtifactId, Inspection> = gone.into();
    let lost = |production: Vec<ProductionRule>, from: &str| -> Vec<(ArtifactId, bool, usize)> {
        let lost = selected(production, 1, &snapshot, &state).lost(1, &inspections, &artifact(from));
        lost.into_iter().map(|lost| (lost.artifact, lost.above, lost.reasons.len())).collect()
    };
    assert_eq!(lost(vec![releases("v*")], "2"), [(artifact("3"), true, 1)]);
    assert_eq!(lost(vec![releases("v*"), releases("v*")], "2"), [(artifact("3"), true, 2)], "by both rules");
}

/// A platform's manifest is reached by its index: its own tag keeps nothing that the index does not.
#[test]
fn a_platform_with_a_tag_of_its_own_is_no_target_beside_its_index() {
    let (snapshot, state) = history(&[&[("v1", "1"), ("v1-arm64", "2"), ("v2", "3")]]);
    let selection = selected(vec![releases("v*")], 5, &snapshot, &state);
    let part = artifact("2").digest().unwrap().clone();
    for (children, targets, platforms) in
        [(vec![part], &["3", "1"][..], &[tag("v1-arm64")][..]), (vec![], &["3", "1", "2"], &[])]
    {
        let index = Inspection { children, ..Inspection::whole(artifact("1")) };
        let inspections = BTreeMap::from([(artifact("1"), index)]);
        assert_eq!(contents(&selection.targets(5, &inspections)), targets);
        let told: Vec<Tag> = selection.platform_tags(5, &inspections).into_iter().cloned().collect();
        assert_eq!(told, platforms);
    }
}
