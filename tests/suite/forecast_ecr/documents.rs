//! The published lifecycle policies: taken by ECR, clean, and good for a repository like those that they are meant for.

use prodpin::decide::lifecycle::ecr::{Lifecycle, lint, recommend};
use prodpin::model::{EcrImage, Effect, ImageStatus};

use super::world::*;
use crate::support::each;

const CLAIM: &str = include_str!("../../../policies/ecr/lifecycle-claim.json");
const RELEASES: &str = include_str!("../../../policies/ecr/lifecycle-releases.json");
const ARCHIVE: &str = include_str!("../../../policies/ecr/lifecycle-archive.json");

/// Five years of weekly versions, each quarter's first a release, each an index of two platforms, with leftovers of builds; the
/// oldest five versions are pinned.
fn shop() -> World {
    let (mut images, mut links) = (Vec::new(), Vec::new());
    for week in 0..260_i64 {
        let name = format!("week {week}");
        let number = 260 - week;
        let mut tags = vec![if week % 13 == 0 { format!("release-{number}") } else { format!("v1.{number}") }];
        tags.extend((week >= 255).then(|| pin(&name)));
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        images.push(image(&name, &tags, week * 7));
        let children = ["amd64", "arm64"].map(|platform| format!("{name} {platform}"));
        images.extend(children.iter().map(|child| image(child, &[], week * 7)));
        images.push(image(&format!("{name} leftover"), &[], week * 7));
        links.push((name, children));
    }
    let year_ago =
        EcrImage { status: ImageStatus::Archived, ..archived("archived pin", &[&pin("archived pin"), "v0.9"], 400) };
    images.extend([year_ago, archived("archived", &["v0.8"], 400)]);
    links
        .into_iter()
        .fold(World::with_images(images), |world, (index, children)| world.lists(&index, &[&children[0], &children[1]]))
}

#[test]
fn a8_a51_each_is_taken_by_ecr_clean_and_already_what_is_recommended() {
    for text in [CLAIM, RELEASES, ARCHIVE] {
        let policy = Lifecycle::parse(text).unwrap();
        assert_eq!(lint(&policy, &shop().repository(), 6), []);
        assert_eq!(recommend(Some(text)).unwrap(), text);
    }
    assert_eq!(Lifecycle::parse(&recommend(None).unwrap()).unwrap().rules(), Lifecycle::parse(CLAIM).unwrap().rules());
}

#[test]
fn a51_none_of_them_ever_reaches_a_pin_or_its_parts() {
    let world = shop();
    for text in [CLAIM, RELEASES, ARCHIVE] {
        let policy = Lifecycle::parse(text).unwrap();
        for week in 255..260 {
            let name = format!("week {week}");
            for target in [name.clone(), format!("{name} amd64"), format!("{name} arm64")] {
                assert_eq!(world.threats(&policy, &target), [], "{target} under {text}");
            }
        }
    }
}

#[test]
fn the_claim_alone_removes_nothing() {
    assert_eq!(shop().actions(&Lifecycle::parse(CLAIM).unwrap()), []);
}

#[test]
fn releases_keep_fifty_versions_and_fifty_releases() {
    let world = shop();
    let gone = world.actions(&Lifecycle::parse(RELEASES).unwrap());
    let of = |rule: u32| gone.iter().filter(|action| action.priority == rule).count();
    // 235 unpinned versions, of which the newest 50 stay; the pinned five are claimed; 20 releases.
    assert_eq!((of(1), of(10), of(20)), (0, 185, 0));
    // Leftovers over 14 days, and both platforms of each version that goes.
    assert_eq!(of(30), (260 - 2) + 185 * 2);
    assert!(each(gone.iter(), |action| action.effect == Effect::Deletes));
}

#[test]
fn a44_the_archive_variant_archives_first_and_spares_pins_in_both_classes() {
    let world = shop();
    let policy = Lifecycle::parse(ARCHIVE).unwrap();
    let gone = world.actions(&policy);
    let by = |rule: u32| gone.iter().filter(|action| action.priority == rule).collect::<Vec<_>>();
    assert!(by(10).iter().all(|action| action.effect == Effect::Archives) && !by(10).is_empty());
    assert_eq!(by(20).iter().map(|action| &action.digest).collect::<Vec<_>>(), [&digest("archived")]);
    assert_eq!(by(1).len() + by(2).len(), 0);
}
