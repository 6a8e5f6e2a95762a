//! The guide's examples and traps, one test each.

use prodpin::model::{Certainty, EcrImage, Effect, ImageStatus};

use super::world::*;

const CERTAIN: Certainty = Certainty::Certain;
const POSSIBLE: Certainty = Certainty::Possible;

fn guide() -> World {
    World::with_images([
        image("A", &["beta-1", "prod-1"], 10),
        image("B", &["beta-2", "prod-2"], 9),
        image("C", &["beta-3"], 8),
    ])
}

const ABC: &[&str] = &["A", "B", "C"];

#[test]
fn a37_a_claimed_image_is_left_alone_by_later_rules() {
    let rules = policy([keep(1, tagged(&["prod*"]), 1), keep(2, tagged(&["beta*"]), 1)]);
    assert_eq!(guide().goes(&rules, ABC), [("A".to_owned(), 1, Effect::Deletes, CERTAIN)]);
}

#[test]
fn a37_the_other_way_round_both_go_by_the_first_rule() {
    let rules = policy([keep(1, tagged(&["beta*"]), 1), keep(2, tagged(&["prod*"]), 1)]);
    let deleted = |name: &str| (name.to_owned(), 1, Effect::Deletes, CERTAIN);
    assert_eq!(guide().goes(&rules, ABC), [deleted("A"), deleted("B")]);
}

#[test]
fn a24_a37_all_entries_of_a_list_must_match() {
    let world = World::with_images([
        image("alpha", &["alpha-1"], 9),
        image("beta", &["beta-1"], 8),
        image("both", &["alpha-2", "beta-2"], 7),
        image("one", &["alphabeta"], 6),
    ]);
    let rules = policy([age(1, tagged(&["alpha*", "beta*"]), 1)]);
    assert_eq!(world.gone(&rules, &["alpha", "beta", "both", "one"]), ["both"]);
    let one = policy([age(1, tagged(&["alpha*", "*beta"]), 1)]);
    assert_eq!(world.gone(&one, &["alpha", "beta", "both", "one"]), ["one"], "one tag may match two patterns");
}

#[test]
fn a25_patterns_match_whole_tags_and_prefixes_begin_them() {
    let world = World::with_images([image("x", &["v1"], 9), image("y", &["dev1"], 9), image("z", &["v"], 9)]);
    let names = ["x", "y", "z"];
    assert_eq!(world.gone(&policy([age(1, tagged(&["v*"]), 1)]), &names), ["x", "z"]);
    assert_eq!(world.gone(&policy([age(1, tagged(&["v"]), 1)]), &names), ["z"]);
    let prefix = serde_json::json!({ "tagStatus": "tagged", "tagPrefixList": ["v"] });
    assert_eq!(world.gone(&policy([age(1, prefix, 1)]), &names), ["x", "z"]);
}

#[test]
fn a14_a_tag_given_today_does_not_make_an_old_image_young() {
    let world = World::with_images([image("old", &["v1", "prod-today"], 400), image("new", &["v2"], 1)]);
    assert_eq!(world.gone(&policy([age(1, tagged(&["prod-*"]), 30)]), &["old", "new"]), ["old"]);
}

#[test]
fn a29_a44_a_rule_of_one_class_neither_shields_nor_counts_the_other() {
    let world = World::with_images([archived("gone", &["prod-pinned-x"], 100), image("kept", &["prod-pinned-y"], 100)]);
    let rules = policy([claim(1, 9999), archive_age(2, any_tag(), 90)]);
    assert_eq!(world.goes(&rules, &["gone", "kept"]), [("gone".to_owned(), 2, Effect::Deletes, CERTAIN)]);
    let counted = World::with_images([archived("a", &["v3"], 1), image("b", &["v2"], 5), image("c", &["v1"], 6)]);
    assert_eq!(counted.gone(&policy([keep(1, tagged(&["v*"]), 1)]), &["a", "b", "c"]), ["c"]);
    // Only a claim in the archive itself shields there, by looking, since it cannot count.
    let shielded = policy([archive_age(1, tagged(&["prod-pinned-*"]), 36_500), archive_age(2, any_tag(), 90)]);
    assert!(world.gone(&shielded, &["gone", "kept"]).is_empty());
}

#[test]
fn a30_images_claimed_or_doomed_by_others_still_count() {
    let world = World::with_images([
        image("claimed", &["v3", "keep"], 1),
        image("doomed", &["v2", "tmp"], 2),
        image("last", &["v1"], 3),
    ]);
    let rules = policy([keep(1, tagged(&["keep"]), 9), age(2, tagged(&["tmp"]), 1), keep(3, tagged(&["v*"]), 2)]);
    let gone = world.goes(&rules, &["claimed", "doomed", "last"]);
    let deleted = |name: &str, rule| (name.to_owned(), rule, Effect::Deletes, CERTAIN);
    assert_eq!(gone, [deleted("doomed", 2), deleted("last", 3)]);
}

#[test]
fn a30_a38_exactly_n_days_may_or_may_not_be_older() {
    let boundary = EcrImage { pushed: Some(hours_ago(48)), ..image("x", &[], 0) };
    let world = World::with_images([boundary]);
    assert_eq!(world.goes(&policy([age(1, untagged(), 2)]), &["x"])[0].3, POSSIBLE);
    assert_eq!(world.goes(&policy([age(1, untagged(), 1)]), &["x"])[0].3, CERTAIN);
    assert!(world.goes(&policy([age(1, untagged(), 3)]), &["x"]).is_empty());
}

#[test]
fn a31_a_restored_image_counts_from_its_restoration() {
    let restored = EcrImage { activated: Some(ago(2)), ..image("restored", &["v1"], 400) };
    let world = World::with_images([restored, image("between", &["v2"], 10)]);
    let names = ["restored", "between"];
    assert!(world.gone(&policy([age(1, tagged(&["v*"]), 30)]), &names).is_empty());
    assert_eq!(world.gone(&policy([keep(1, tagged(&["v*"]), 1)]), &names), ["between"], "and is the newest");
}

#[test]
fn a31_the_pull_clock_starts_at_the_pull_the_restoration_or_the_push() {
    let idle = policy([since(1, any_tag(), "sinceImagePulled", 30, transition())]);
    let base = || image("x", &["v1"], 400);
    for (image, archived) in [
        (base(), true),
        (EcrImage { pulled: Some(ago(10)), ..base() }, false),
        (EcrImage { pulled: Some(ago(40)), ..base() }, true),
        (EcrImage { pulled: Some(ago(300)), activated: Some(ago(10)), ..base() }, false),
        (EcrImage { pulled: Some(ago(10)), activated: Some(ago(300)), ..base() }, false),
        (EcrImage { pulled: Some(ago(40)), activated: Some(ago(300)), ..base() }, true),
        (EcrImage { activated: Some(ago(10)), ..base() }, false),
    ] {
        let label = format!("{:?} {:?}", image.pulled, image.activated);
        let expected = if archived { vec![("x".to_owned(), 1, Effect::Archives, CERTAIN)] } else { vec![] };
        assert_eq!(World::with_images([image]).goes(&idle, &["x"]), expected, "{label}");
    }
}

#[test]
fn a31_the_archive_counts_from_archiving() {
    let rules = policy([archive_age(1, any_tag(), 90)]);
    let world = World::with_images([archived("young", &[], 89), archived("old", &[], 90)]);
    assert_eq!(world.goes(&rules, &["young", "old"]), [("old".to_owned(), 1, Effect::Deletes, CERTAIN)]);
    let unknown = World::with_images([EcrImage { archived: None, ..archived("x", &[], 9) }]);
    assert_eq!(unknown.goes(&rules, &["x"])[0].3, POSSIBLE);
}

#[test]
fn a32_looking_is_claiming_even_for_a_rule_that_leaves_the_image_alone() {
    let world = World::with_images([image("x", &["v1"], 400)]);
    assert!(world.gone(&policy([keep(1, tagged(&["v*"]), 10), age(2, any_tag(), 30)]), &["x"]).is_empty());
    // A transition claims, and is claimed, just so.
    let archiving = since(1, tagged(&["v*"]), "sinceImagePushed", 500, transition());
    assert!(world.gone(&policy([archiving, age(2, any_tag(), 30)]), &["x"]).is_empty());
    let shielded = since(2, any_tag(), "sinceImagePulled", 30, transition());
    assert!(world.gone(&policy([keep(1, tagged(&["v*"]), 10), shielded]), &["x"]).is_empty());
}

#[test]
fn a32_the_lowest_number_comes_first_wherever_it_stands() {
    let rules = policy([age(20, any_tag(), 30), keep(10, tagged(&["v*"]), 10)]);
    assert!(World::with_images([image("x", &["v1"], 400)]).gone(&rules, &["x"]).is_empty());
}

#[test]
fn a33_an_index_holds_its_children_which_count_all_the_same() {
    let world = || {
        World::with_images([
            image("index", &["v2"], 3),
            image("amd64", &[], 4),
            image("arm64", &[], 4),
            image("older", &["v1"], 5),
        ])
        .lists("index", &["amd64", "arm64"])
    };
    let names = ["index", "amd64", "arm64", "older"];
    assert!(world().gone(&policy([age(1, untagged(), 1)]), &names).is_empty(), "held by the index");
    assert_eq!(
        world().gone(&policy([keep(1, any_tag(), 3)]), &names),
        ["older"],
        "the children take two places of three"
    );
    let all = world().goes(&policy([age(1, any_tag(), 1)]), &names);
    assert!(all.len() == 4 && all.iter().all(|goes| goes.3 == CERTAIN), "{all:?}");
    let counted = world().goes(&policy([keep(1, tagged(&["v2"]), 9), keep(2, any_tag(), 1)]), &names);
    assert_eq!(counted, [("older".to_owned(), 2, Effect::Deletes, CERTAIN)]);
}

#[test]
fn a33_every_parent_holds() {
    let world = World::with_images([image("one", &["v1"], 9), image("two", &["v2"], 1), image("child", &[], 10)])
        .lists("one", &["child"])
        .lists("two", &["child"]);
    let rules = policy([age(1, untagged(), 5), age(2, tagged(&["v*"]), 5)]);
    assert_eq!(world.gone(&rules, &["one", "two", "child"]), ["one"]);
    let gone = World { images: world.images[..1].iter().chain(&world.images[2..]).cloned().collect(), ..world };
    assert_eq!(gone.gone(&rules, &["one", "two", "child"]), ["child", "one"], "an index that is gone holds nothing");
}

#[test]
fn a33_an_archived_index_keeps_a_child_from_the_archive_no_longer_and_perhaps_not_from_deletion() {
    let world = World::with_images([archived("index", &["v1"], 5), image("child", &[], 40)]).lists("index", &["child"]);
    let names = ["index", "child"];
    let archiving = policy([since(1, untagged(), "sinceImagePushed", 7, transition())]);
    assert_eq!(world.goes(&archiving, &names), [("child".to_owned(), 1, Effect::Archives, CERTAIN)]);
    assert_eq!(world.goes(&policy([age(1, untagged(), 7)]), &names)[0].3, POSSIBLE);
}

#[test]
fn a33_after_its_parents_a_child_may_be_spared_by_a_second_count() {
    let world = World::with_images([image("index", &["v1"], 3), image("child", &[], 4)]).lists("index", &["child"]);
    let rules = policy([keep(1, any_tag(), 1)]);
    assert!(world.gone(&rules, &["index", "child"]).is_empty(), "the index is kept and holds");
    let older = World::with_images([image("new", &["v2"], 1), image("index", &["v1"], 3), image("child", &[], 4)]);
    let goes = older.lists("index", &["child"]).goes(&rules, &["new", "index", "child"]);
    assert_eq!(goes.iter().map(|goes| goes.3).collect::<Vec<_>>(), [POSSIBLE, CERTAIN], "{goes:?}");
}

#[test]
fn a33_an_index_whose_children_are_unknown_may_hold_whatever_is_older() {
    let index = EcrImage { is_index: true, ..image("index", &["v9"], 5) };
    let world = World::with_images([index, image("older", &[], 6), image("younger", &[], 4)]);
    let goes = world.goes(&policy([age(1, untagged(), 1)]), &["index", "older", "younger"]);
    assert_eq!(
        goes.iter().map(|goes| (&*goes.0, goes.3)).collect::<Vec<_>>(),
        [("older", POSSIBLE), ("younger", CERTAIN)]
    );
}

#[test]
fn a34_claiming_an_index_does_not_claim_its_children() {
    let world = || World::with_images([image("index", &["prod-pinned-1"], 3), image("child", &[], 40)]);
    let rules = policy([claim(1, 9999), age(2, untagged(), 7)]);
    assert!(world().lists("index", &["child"]).gone(&rules, &["index", "child"]).is_empty());
    assert_eq!(world().gone(&rules, &["index", "child"]), ["child"], "it survives by reference only");
}

#[test]
fn a35_referrers_go_with_their_subject() {
    let refers = |name: &str, to: &str, days| EcrImage { subject: Some(digest(to)), ..image(name, &[], days) };
    let world = World::with_images([
        image("x", &["v1"], 9),
        refers("signature", "x", 9),
        refers("countersigned", "signature", 9),
        image("y", &["w1"], 9),
        refers("other", "y", 9),
    ]);
    let names = ["x", "signature", "countersigned", "y", "other"];
    let deleted = |name: &str, certainty| (name.to_owned(), 1, Effect::Deletes, certainty);
    let goes = world.goes(&policy([age(1, tagged(&["v*"]), 1)]), &names);
    assert_eq!(goes, [deleted("countersigned", CERTAIN), deleted("signature", CERTAIN), deleted("x", CERTAIN)]);
    // Whether an untagged rule selects them directly is not documented (A38).
    let goes = world.goes(&policy([age(1, untagged(), 1)]), &names);
    assert_eq!(goes.iter().map(|goes| goes.3).collect::<Vec<_>>(), [POSSIBLE; 3]);
    let archiving = policy([since(1, tagged(&["v*"]), "sinceImagePushed", 1, transition())]);
    let goes = world.goes(&archiving, &names);
    assert_eq!(goes.iter().map(|goes| goes.3).collect::<Vec<_>>(), [POSSIBLE, POSSIBLE, CERTAIN], "{goes:?}");
}

#[test]
fn a35_a_long_chain_of_referrers_is_followed_to_its_end() {
    let chain = (1..20_000).map(|number| EcrImage {
        subject: Some(digest(&(number - 1).to_string())),
        ..image(&number.to_string(), &[], 9)
    });
    let world = World::with_images([image("0", &["v1"], 9)].into_iter().chain(chain));
    let rules = policy([age(1, tagged(&["v*"]), 1)]);
    assert_eq!(world.actions(&rules).len(), 20_000);
    assert_eq!(world.threats(&rules, "19999").len(), 1);
}

#[test]
fn a38_equal_times_may_be_ordered_either_way() {
    let world = World::with_images([image("a", &["v1"], 3), image("b", &["v2"], 3), image("c", &["v3"], 4)]);
    let goes = world.goes(&policy([keep(1, tagged(&["v*"]), 1)]), ABC_LOWER);
    assert_eq!(goes.iter().map(|goes| goes.3).collect::<Vec<_>>(), [POSSIBLE, POSSIBLE, CERTAIN]);
}

const ABC_LOWER: &[&str] = &["a", "b", "c"];

#[test]
fn a38_unknown_push_times_may_be_any() {
    let unknown = EcrImage { pushed: None, ..image("b", &["v2"], 0) };
    let world = World::with_images([image("a", &["v1"], 3), unknown, image("c", &["v3"], 4)]);
    let goes = |rules| world.goes(&rules, ABC_LOWER).iter().map(|goes| (goes.0.clone(), goes.3)).collect::<Vec<_>>();
    let named =
        |pairs: &[(&str, Certainty)]| pairs.iter().map(|(name, sure)| ((*name).to_owned(), *sure)).collect::<Vec<_>>();
    let counted = goes(policy([keep(1, tagged(&["v*"]), 1)]));
    assert_eq!(counted, named(&[("a", POSSIBLE), ("b", POSSIBLE), ("c", CERTAIN)]));
    assert_eq!(goes(policy([age(1, tagged(&["v*"]), 400)])), named(&[("b", POSSIBLE)]));
}

#[test]
fn a38_f43_f53_an_image_between_the_classes_may_be_judged_with_both() {
    for status in [ImageStatus::Activating, ImageStatus::Other] {
        let between = EcrImage { status, ..archived("x", &["v1"], 100) };
        let world = World::with_images([between, image("y", &["v2"], 500)]);
        let rules = policy([keep(1, tagged(&["v*"]), 1), archive_age(2, any_tag(), 90)]);
        let goes: Vec<_> =
            world.goes(&rules, &["x", "y"]).iter().map(|goes| (goes.0.clone(), goes.1, goes.3)).collect();
        assert_eq!(goes, [("x".to_owned(), 2, POSSIBLE), ("y".to_owned(), 1, POSSIBLE)], "{status:?}");
    }
}

#[test]
fn a51_beyond_its_count_the_claim_rule_deletes_the_oldest_pins() {
    let world = World::with_images([image("a", &["prod-pinned-1"], 3), image("b", &["prod-pinned-2"], 2)]);
    assert_eq!(world.gone(&policy([claim(1, 1)]), ABC_LOWER), ["a"]);
    assert!(world.gone(&policy([claim(1, 2)]), ABC_LOWER).is_empty());
}

#[test]
fn an_age_past_the_end_of_time_is_never_reached() {
    let rules = policy([age(1, any_tag(), u64::MAX)]);
    assert!(World::with_images([image("a", &[], 3)]).gone(&rules, ABC_LOWER).is_empty());
}

#[test]
fn a7_a_full_repository_under_a_full_policy_is_judged_at_once() {
    let images = (0..100_000).map(|number: i64| {
        let tags = [format!("team{}-v{number}", number % 60), format!("build-{number}")];
        image(&number.to_string(), &[&tags[0], &tags[1]], number % 900)
    });
    let world = World::with_images(images);
    let mut rules: Vec<_> = (1..50).map(|number| keep(number, tagged(&[&format!("team{number}-*v*")]), 500)).collect();
    rules.push(keep(50, any_tag(), 50_000));
    let started = std::time::Instant::now();
    let actions = world.actions(&policy(rules));
    assert!(!actions.is_empty());
    // Unoptimized, on a busy machine; a quadratic loop would take hours.
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
