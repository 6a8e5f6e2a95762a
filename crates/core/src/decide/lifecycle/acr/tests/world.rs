//! Random repositories and commands, small and full of ties and locks.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::model::{AcrLocks, AcrManifest, AcrPurge, AcrRepository, AcrTag, Digest};

pub(in crate::decide::lifecycle) const NOW: Timestamp = Timestamp::constant(1_790_000_000, 0);

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

pub(super) fn digest(number: usize) -> Digest {
    Digest::sha256(&[u8::try_from(number).unwrap()])
}

fn ago() -> impl Strategy<Value = Timestamp> {
    (-1..9_i64).prop_map(|days| NOW - SignedDuration::from_hours(24 * days) - SignedDuration::from_secs(60))
}

fn locks() -> impl Strategy<Value = AcrLocks> {
    let value = || prop_oneof![6 => Just(None), 3 => Just(Some(true)), 1 => Just(Some(false))];
    (value(), value()).prop_map(|(delete_enabled, write_enabled)| AcrLocks { delete_enabled, write_enabled })
}

fn media_type() -> impl Strategy<Value = Option<Box<str>>> {
    let kinds: Vec<Option<&str>> = vec![
        Some(INDEX),
        Some(INDEX),
        Some("application/vnd.docker.distribution.manifest.list.v2+json"),
        Some(IMAGE),
        Some(IMAGE),
        Some("application/vnd.docker.distribution.manifest.v2+json"),
        Some("application/vnd.oci.artifact.manifest.v1+json"),
        None,
        None,
    ];
    proptest::sample::select(kinds).prop_map(|kind| kind.map(Box::from))
}

/// Of each manifest: what it is, when it changed, its locks, what it lists and refers to, its tags.
fn manifest(number: usize) -> impl Strategy<Value = AcrManifest> {
    let tag = (0..4_u8, ago(), locks()).prop_map(move |(kind, updated, locks)| {
        let name = match kind {
            0 => format!("v{number}"),
            1 => format!("dev-{number}"),
            2 => format!("prod-pinned-{}", digest(number).hex()),
            _ => format!("latest{number}"),
        };
        AcrTag { name: name.parse().unwrap(), updated, locks }
    });
    let tags = prop_oneof![2 => Just(Vec::new()), 1 => proptest::collection::vec(tag, 1..3)];
    let children = prop_oneof![1 => Just(Vec::new()), 1 => proptest::collection::vec(0..8_usize, 1..3)];
    let subject = proptest::option::weighted(0.2, 0..8_usize);
    (media_type(), proptest::option::weighted(0.9, ago()), locks(), children, subject, tags).prop_map(
        move |(media_type, updated, locks, children, subject, mut tags)| {
            tags.sort_by(|a, b| a.name.cmp(&b.name));
            tags.dedup_by(|a, b| a.name == b.name);
            let is_index = media_type.as_deref().is_none_or(|it| it.contains("index") || it.contains("list"));
            // What an index lists, came before it.
            let child = |of: usize| if of < number { digest(of) } else { digest(99) };
            AcrManifest {
                digest: digest(number),
                media_type,
                updated,
                locks,
                children: children.into_iter().filter(|_| is_index).map(child).collect(),
                subject: subject.map(digest),
                tags,
            }
        },
    )
}

pub(in crate::decide::lifecycle) fn repository() -> impl Strategy<Value = AcrRepository> {
    let manifests: Vec<_> = (0..8).map(manifest).collect();
    let listed = (manifests, 1..9_usize).prop_map(|(mut manifests, count)| {
        manifests.truncate(count);
        manifests
    });
    listed.prop_shuffle().prop_map(|manifests| AcrRepository { name: "shop/api".parse().unwrap(), manifests })
}

pub(in crate::decide::lifecycle) fn command() -> impl Strategy<Value = AcrPurge> {
    let filter = proptest::sample::select(vec!["shop/api:.*", "shop/api:^v", "shop/.*:^(?!prod-pinned-).*"]);
    let ago = proptest::sample::select(vec!["0d", "1d", "3d", "-1d"]);
    (filter, ago, -1..4_i64, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(filter, ago, keep, untagged, untagged_only, include_locked, dry_run)| AcrPurge {
            filters: vec![filter.to_owned()],
            ago: Some(ago.to_owned()),
            keep,
            untagged,
            untagged_only: untagged_only && !untagged,
            include_locked,
            dry_run: dry_run && untagged,
        },
    )
}
