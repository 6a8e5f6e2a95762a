//! Random repositories, small and full of ties, and one with releases alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::model::{Digest, Tag, ZotKeep, ZotManifest, ZotPolicy, ZotRepository, ZotSettings, ZotUse};

pub(in crate::decide::lifecycle) const NOW: Timestamp = Timestamp::constant(1_790_000_000, 0);

pub(in crate::decide::lifecycle) fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

pub(in crate::decide::lifecycle) fn digest(number: usize) -> Digest {
    Digest::sha256(&[u8::try_from(number).unwrap()])
}

fn ago() -> impl Strategy<Value = Timestamp> {
    prop_oneof![Just(1), Just(2), Just(5), Just(-1), 0..9_i64].prop_map(|ago| NOW - hours(ago))
}

fn keep() -> impl Strategy<Value = ZotKeep> {
    let patterns = proptest::sample::subsequence(vec!["^v", "^prod-pinned-", "x", "^$"], 0..3);
    let within = || proptest::option::weighted(0.2, (0..6_i64).prop_map(hours));
    let count = || prop_oneof![6 => Just(0), 8 => 1..4_i64, 1 => Just(-1)];
    (patterns, within(), within(), count(), count()).prop_map(
        |(patterns, pulled_within, pushed_within, pushed_count, pulled_count)| ZotKeep {
            patterns: patterns.into_iter().map(str::to_owned).collect(),
            pulled_within,
            pushed_within,
            pushed_count,
            pulled_count,
        },
    )
}

fn policy() -> impl Strategy<Value = ZotPolicy> {
    let keep_tags = proptest::collection::vec(keep(), 0..3);
    (any::<bool>(), proptest::option::of(any::<bool>()), keep_tags, proptest::option::of(keep())).prop_map(
        |(delete_referrers, delete_untagged, keep_tags, keep_untagged)| ZotPolicy {
            repositories: vec!["**".to_owned()],
            delete_referrers,
            delete_untagged,
            keep_tags,
            keep_untagged,
        },
    )
}

/// What a manifest is, before it is known which others there are.
type Draft = (Vec<usize>, Option<usize>, Vec<u8>, bool, Timestamp, Option<(Option<Timestamp>, Option<Timestamp>)>);

fn draft() -> impl Strategy<Value = Draft> {
    let used = (proptest::option::weighted(0.8, ago()), proptest::option::of(ago()));
    (
        prop_oneof![2 => Just(Vec::new()), 1 => proptest::collection::vec(0..9_usize, 1..3)],
        proptest::option::weighted(0.2, 0..9_usize),
        proptest::collection::vec(0..4_u8, 0..3),
        any::<bool>(),
        ago(),
        proptest::option::weighted(0.9, used),
    )
}

/// An index lists, and a referrer refers to, what came before it or is not there.
fn manifest(number: usize, draft: Draft) -> ZotManifest {
    let (children, subject, tags, is_listed, written, used) = draft;
    let other = |of: usize| if of < number { digest(of) } else { digest(99) };
    let tag = |kind: u8| -> Tag {
        let text = match kind {
            0 => format!("v{number}"),
            1 => format!("x{number}"),
            2 => format!("prod-pinned-{}", digest(number).hex()),
            _ => format!("sha256-{}.sig", other(number / 2).hex()),
        };
        text.parse().unwrap()
    };
    let tags: BTreeSet<Tag> = tags.into_iter().map(tag).collect();
    ZotManifest {
        digest: digest(number),
        children: children.into_iter().map(other).collect(),
        subject: subject.map(other),
        tags: tags.into_iter().collect(),
        is_listed,
        written,
        used: used.map(|(pushed, pulled)| ZotUse { pushed, pulled }),
    }
}

pub(super) fn repository() -> impl Strategy<Value = ZotRepository> {
    let drafts = proptest::collection::vec(draft(), 1..7);
    let delays = (0..4_i64, 0..4_i64);
    let missing = proptest::collection::vec(any::<bool>(), 24);
    (drafts, proptest::option::weighted(0.9, policy()), delays, any::<bool>(), missing, 0..3_usize).prop_map(
        |(drafts, policy, (delay, retention_delay), has_database, missing, only)| {
            let drafts = drafts.into_iter().enumerate();
            let mut manifests: Vec<ZotManifest> = drafts.map(|(number, draft)| manifest(number, draft)).collect();
            let mut seen = BTreeSet::new();
            manifests.iter_mut().for_each(|manifest| manifest.tags.retain(|tag| seen.insert(tag.clone())));
            let tags = manifests.iter().flat_map(|manifest| &manifest.tags);
            let missing = tags.zip(missing).filter(|(tag, missing)| *missing && tag.as_str().starts_with('x'));
            let ghosts = (0..only).map(|number| (format!("vghost{number}").parse().unwrap(), digest(number)));
            ZotRepository {
                name: "shop/api".parse().unwrap(),
                settings: ZotSettings {
                    collects: true,
                    has_database: has_database || delay > 0,
                    dry_run: false,
                    delay: hours(delay),
                    retention_delay: hours(retention_delay),
                    policies: policy.into_iter().collect(),
                },
                tags_missing_in_database: missing.map(|(tag, _)| tag.clone()).collect(),
                tags_only_in_database: ghosts.collect(),
                unresolved: BTreeSet::new(),
                knows_use: true,
                manifests,
            }
        },
    )
}

/// So many releases, `v1` the oldest, each with its one tag, under one entry for every tag and without any rule.
pub(in crate::decide::lifecycle) fn releases(count: usize) -> ZotRepository {
    let release = |number: usize| {
        let pushed = NOW - hours(100 - i64::try_from(number).unwrap());
        ZotManifest {
            digest: digest(number),
            children: Vec::new(),
            subject: None,
            tags: vec![format!("v{number}").parse().unwrap()],
            is_listed: true,
            written: pushed,
            used: Some(ZotUse { pushed: Some(pushed), pulled: None }),
        }
    };
    let policy =
        ZotPolicy { repositories: vec!["**".to_owned()], keep_tags: vec![ZotKeep::default()], ..ZotPolicy::default() };
    ZotRepository {
        name: "shop/api".parse().unwrap(),
        settings: ZotSettings {
            collects: true,
            has_database: true,
            dry_run: false,
            delay: SignedDuration::ZERO,
            retention_delay: SignedDuration::ZERO,
            policies: vec![policy],
        },
        manifests: (1..=count).map(release).collect(),
        tags_only_in_database: BTreeMap::new(),
        tags_missing_in_database: BTreeSet::new(),
        unresolved: BTreeSet::new(),
        knows_use: true,
    }
}
