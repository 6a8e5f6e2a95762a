use super::*;
use crate::model::{AcrPurges, AcrRepository, AcrRetention, Cause, Cleanup, Digest, GarRepository, Parts, Setting};

fn snapshot(registry: Recognised, stated: Option<StatedCleanup>) -> Snapshot {
    Snapshot { cleanup: Cleanup { registry, stated }, ..Snapshot::default() }
}

fn terms(cover: PinCover) -> PinTerms {
    PinTerms { cover, ..PinTerms::default() }
}

#[test]
fn what_keeps_children_follows_the_registry_and_the_policy_i26_k58_j24() {
    use PinCover::{Auto, Closure, Index};
    use StatedCleanup::{None as Nothing, Unknown, Untagged};
    let kind = Recognised::Kind;
    let unknown = || Recognised::Unknown { detail: String::new() };
    for (registry, stated, cover, expected) in [
        (Recognised::Plain, None, Auto, Keeping::Pins),
        (Recognised::NotAsked, Some(Nothing), Auto, Keeping::Pins),
        (Recognised::Plain, Some(Untagged), Auto, Keeping::Pins),
        (unknown(), None, Auto, Keeping::Pins),
        (Recognised::Plain, None, Index, Keeping::NothingByPolicy),
        (Recognised::Plain, Some(Nothing), Index, Keeping::NothingByPolicy),
        // These follow references.
        (kind(RegistryKind::Harbor), Some(Untagged), Auto, Keeping::References),
        (kind(RegistryKind::Zot), Some(Unknown), Auto, Keeping::References),
        (kind(RegistryKind::Quay), Some(Nothing), Index, Keeping::References),
        (kind(RegistryKind::Ecr), Some(Unknown), Auto, Keeping::References),
        (kind(RegistryKind::Harbor), Some(Untagged), Closure, Keeping::Pins),
        // What a proxy hides now may be another registry.
        (Recognised::Before(RegistryKind::Harbor), Some(Untagged), Auto, Keeping::Pins),
        // Rules that may count tags, unless the policy says that they do not.
        (kind(RegistryKind::Azure), Some(Unknown), Auto, Keeping::NothingWhereTagsCount(RegistryKind::Azure)),
        (kind(RegistryKind::GitLab), None, Auto, Keeping::NothingWhereTagsCount(RegistryKind::GitLab)),
        (Recognised::Before(RegistryKind::Quay), None, Auto, Keeping::NothingWhereTagsCount(RegistryKind::Quay)),
        (kind(RegistryKind::Azure), Some(Untagged), Auto, Keeping::Pins),
        (kind(RegistryKind::Gitea), Some(Unknown), Closure, Keeping::Pins),
        // Digests are counted there, platforms too, and nothing is.
        (kind(RegistryKind::Google), Some(Unknown), Auto, Keeping::Pins),
        (kind(RegistryKind::Nexus), Some(Unknown), Auto, Keeping::Pins),
    ] {
        let found = keeping(&snapshot(registry.clone(), stated), terms(cover));
        assert_eq!(found, expected, "{registry:?} {stated:?} {cover:?}");
    }
    let charts = Snapshot { kind: RepositoryKind::Charts, ..Snapshot::default() };
    assert_eq!(keeping(&charts, terms(Closure)), Keeping::References, "nothing is below a chart");
    let repository = AcrRepository { name: "shop/api".parse().unwrap(), manifests: Vec::new() };
    let acr = AcrRetention { repository, purges: AcrPurges::Unknown, unread: None };
    let azure = Snapshot { retention: Retention::Acr(Box::new(acr)), ..Snapshot::default() };
    // A lock on an index alone would do harm: whatever the policy says, what is below is locked with it (K47).
    for cover in [Auto, Closure, Index] {
        assert_eq!(keeping(&azure, terms(cover)), Keeping::Locks);
    }
    let gar = GarRepository {
        place: "".into(),
        package: "api".into(),
        policies: Setting::Unset,
        on_trial: false,
        immutable_tags: Some(true),
        cached_from: None,
        images: Vec::new(),
        is_counted: true,
        unread: None,
    };
    let google = Snapshot { retention: Retention::Gar(Box::new(gar)), ..Snapshot::default() };
    // Nothing says that Google keeps what an index lists (K43).
    for (cover, expected) in [(Auto, Keeping::Pins), (Closure, Keeping::Pins), (Index, Keeping::NothingByPolicy)] {
        assert_eq!(keeping(&google, terms(cover)), expected, "{cover:?}");
    }
}

/// A registry of GitLab's without a metadata database takes the platforms of a tagged index (K57).
#[test]
fn in_gitlab_platforms_have_pins_where_these_take_nobodys_place_i22_i26() {
    let gitlab = |policy: Setting| {
        let repository = GitLabRepository {
            project: "shop/api".into(),
            policy,
            protected: Setting::Unset,
            immutable: Setting::Unset,
            tags: Vec::new(),
            untagged: Vec::new(),
        };
        Snapshot { retention: Retention::GitLab(Box::new(repository)), ..Snapshot::default() }
    };
    let policy = |rest: &str| Setting::Text(format!(r#"{{"enabled":true,"name_regex":".*",{rest}}}"#).into());
    let counts = Keeping::NothingWhereTagsCount(RegistryKind::GitLab);
    for (policy, expected) in [
        (Setting::Unset, Keeping::Pins),
        (policy(r#""name_regex_keep":"prod-pinned-.*","keep_n":5"#), Keeping::Pins),
        (policy(r#""name_regex_keep":null,"older_than":"30d""#), Keeping::Pins),
        (policy(r#""name_regex_keep":null,"keep_n":5"#), counts),
        (policy(r#""keep_n":5"#), counts),
        (Setting::Unknown, counts),
    ] {
        let snapshot = gitlab(policy);
        assert_eq!(keeping(&snapshot, terms(PinCover::Auto)), expected, "{snapshot:?}");
        assert_eq!(keeping(&snapshot, terms(PinCover::Closure)), Keeping::Pins);
        assert_eq!(keeping(&snapshot, terms(PinCover::Index)), Keeping::NothingByPolicy);
    }
}

fn part(name: &str, pin: PinState) -> Part {
    Part { digest: Digest::sha256(name.as_bytes()), name: Some(name.into()), pin }
}

fn seen(below: Vec<Part>) -> Inspection {
    let parts = Parts { asked: true, below, ..Parts::default() };
    let presence = Presence::Present;
    Inspection { presence, parts, pin: PinState::Present, ..Inspection::unread(Digest::sha256(b"index").into()) }
}

#[test]
fn one_child_without_a_pin_keeps_its_index_from_being_protected_i26() {
    let there = || part("platform linux/amd64", PinState::Present);
    let other = || ArtifactId::Manifest(Digest::sha256(b"other"));
    let none = Attempts::new();
    for (child, keeping, lacks, definite) in [
        (PinState::Present, Keeping::Pins, false, false),
        (PinState::Absent, Keeping::Pins, true, true),
        (PinState::Moved(other()), Keeping::Pins, true, true),
        (PinState::Unknown, Keeping::Pins, true, false),
        (PinState::Unknown, Keeping::NothingByPolicy, true, true),
        (PinState::Present, Keeping::NothingByPolicy, false, false),
        (PinState::Absent, Keeping::References, false, false),
        (PinState::Absent, Keeping::Locks, false, false),
    ] {
        let seen = seen(vec![there(), part("platform linux/arm64", child.clone())]);
        let found = obstacle(keeping, Some(&seen), &none);
        assert_eq!(found.is_some(), lacks, "{child:?} {keeping:?}");
        assert!(found.iter().all(|found| found.is_unknown() != definite), "{found:?}");
        if let Some(Obstacle::PartsUnpinned { count, first, .. }) = found {
            assert!(count == 1 && first.starts_with("platform linux/arm64 ("), "{first}");
        }
    }
}

#[test]
fn an_index_of_which_nobody_knows_what_is_below_is_not_proven_i26() {
    let closure = Closure::Complete;
    let index = Inspection { kind: Some(ArtifactKind::Index), closure, ..seen(Vec::new()) };
    let found = obstacle(Keeping::Pins, Some(&index), &Attempts::new());
    assert!(matches!(found, Some(Obstacle::Unproven { .. })), "{found:?}");
    assert_eq!(obstacle(Keeping::Pins, Some(&seen(Vec::new())), &Attempts::new()), None, "an image has nothing below");
}

#[test]
fn children_are_pinned_from_the_lowest_up_and_a_failure_is_told_i26() {
    let below = vec![part("index", PinState::Absent), part("platform linux/amd64", PinState::Absent)];
    let seen = seen(below);
    let ids: Vec<ArtifactId> =
        ["platform linux/amd64", "index"].map(|name| Digest::sha256(name.as_bytes()).into()).into();
    assert_eq!(wanted(Keeping::Pins, &seen, &Attempts::new()), (ids.clone(), Vec::new()));
    assert_eq!(wanted(Keeping::NothingByPolicy, &seen, &Attempts::new()).0, Vec::<ArtifactId>::new());
    let failure = PinFailure { cause: Cause::Denied, detail: "no push".to_owned() };
    let tried = Attempts::from([(ids[0].clone(), Err(failure.clone()))]);
    assert_eq!(wanted(Keeping::Pins, &seen, &tried).0, ids[1..], "what was tried is not tried again");
    assert_eq!(unpinned(Keeping::Pins, &seen, &tried).map(|found| found.why), Some(Why::Failed(failure)));
    let accepted = Attempts::from([(ids[0].clone(), Ok(()))]);
    assert_eq!(unpinned(Keeping::Pins, &seen, &accepted).map(|found| found.why), Some(Why::Vanished));
}

#[test]
fn a_part_is_read_back_by_whoever_has_it() {
    let child = ArtifactId::Manifest(Digest::sha256(b"child"));
    let with = seen(vec![part("child", PinState::Present)]);
    let (first, second) = (ArtifactId::Manifest(Digest::sha256(b"1")), ArtifactId::Manifest(Digest::sha256(b"2")));
    let all = BTreeMap::from([(first.clone(), with.clone()), (second.clone(), with)]);
    assert_eq!(pin_of(&all, &child), Some(&PinState::Present));
    let mut both = vec![first.clone(), second];
    both.sort();
    assert_eq!(owners(&all, vec![child.clone()]), both);
    assert_eq!(owners(&all, vec![first.clone()]), [first]);
    assert_eq!(pin_of(&BTreeMap::new(), &child), None);
}
