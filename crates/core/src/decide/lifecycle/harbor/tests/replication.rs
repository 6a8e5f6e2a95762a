//! Which repositories and tags a replication policy reaches.

use crate::model::{
    Cause, HarborCollection, HarborReplication, HarborReplicationDirection, HarborReplicationFilter,
    HarborReplicationPolicy, HarborReplicationTrigger, HarborRepository, Setting,
};

fn repository(project: &str, name: &str) -> HarborRepository {
    HarborRepository {
        project: project.into(),
        name: name.into(),
        neighbours: [].into(),
        artifacts: Vec::new(),
        policy: Setting::Unset,
        immutable: Setting::Unset,
        version: None,
        collection: HarborCollection::Unscheduled,
        replication: HarborReplication::Unknown { cause: Cause::Denied, why: "403".into() },
        cached_from: None,
    }
}

fn policy(filters: &[HarborReplicationFilter]) -> HarborReplicationPolicy {
    HarborReplicationPolicy {
        name: "mirror".into(),
        registry: "elsewhere".into(),
        direction: HarborReplicationDirection::Pull,
        trigger: HarborReplicationTrigger::Scheduled,
        filters: filters.to_vec(),
        namespace: "".into(),
        flattened: -1,
        overrides: true,
        deletes: false,
    }
}

fn name(pattern: &str) -> HarborReplicationFilter {
    HarborReplicationFilter::Name(pattern.into())
}

fn tag(pattern: &str, excludes: bool) -> HarborReplicationFilter {
    HarborReplicationFilter::Tag { pattern: pattern.into(), excludes }
}

#[test]
fn a_source_is_matched_by_its_whole_name_j34() {
    let (api, nested) = (repository("shop", "api"), repository("shop", "team/api"));
    for (filters, takes_api, takes_nested) in [
        (vec![], true, true),
        (vec![name("")], true, true),
        (vec![name("shop/api")], true, false),
        (vec![name("shop/*")], true, false),
        (vec![name("shop/**")], true, true),
        (vec![name("{shop,pay}/**")], true, true),
        (vec![name("api")], false, false),
        (vec![name("pay/**")], false, false),
        (vec![name("shop/**"), name("**/team/*")], false, true),
        // Labels, or a kind of filter to come: it may let everything pass.
        (vec![name("shop/api"), HarborReplicationFilter::Other], true, false),
        // A malformed pattern: Harbor's own answer is an error, of which nobody knows what follows.
        (vec![name("[")], true, true),
    ] {
        let policy = policy(&filters);
        assert_eq!((policy.takes_from(&api), policy.takes_from(&nested)), (takes_api, takes_nested), "{filters:?}");
    }
}

#[test]
fn where_it_arrives_its_namespace_stands_in_front_and_what_stood_there_may_be_anything_j34() {
    for (namespace, flattened, filter, project, repository_name, arrives) in [
        ("", -1, "shop/**", "shop", "api", true),
        ("", -1, "pay/**", "shop", "api", false),
        // All but the last segment is replaced.
        ("shop", -1, "library/*", "shop", "api", true),
        ("shop", -1, "library/*", "shop", "team/api", false),
        ("shop/team", -1, "library/*", "shop", "team/api", true),
        ("shop", -1, "library/web", "shop", "api", false),
        ("shop", -1, "library/{web,api}", "shop", "api", true),
        ("shop", -1, "**", "shop", "api", true),
        ("sho", -1, "**", "shop", "api", false),
        ("shop", -1, "**", "pay", "api", false),
        // Nothing is replaced.
        ("shop", 0, "library/*", "shop", "library/api", true),
        ("shop", 0, "library/*", "shop", "api", false),
        // So many segments are.
        ("shop", 1, "library/**", "shop", "team/api", true),
        ("shop", 2, "library/team/web", "shop", "api", false),
    ] {
        let policy = HarborReplicationPolicy { namespace: namespace.into(), flattened, ..policy(&[name(filter)]) };
        let found = policy.arrives_in(&repository(project, repository_name));
        assert_eq!(found, arrives, "{filter} into {namespace:?} ({flattened}): {project}/{repository_name}");
    }
}

#[test]
fn tags_pass_a_filter_or_are_excluded_by_it_j34() {
    for (filters, pin, release) in [
        (vec![], true, true),
        (vec![tag("v*", false)], false, true),
        (vec![tag("prod-pinned-*", true)], false, true),
        (vec![tag("", true)], true, true),
        (vec![tag("**", false), tag("v*", true)], true, false),
        (vec![tag("[", false)], true, true),
        (vec![HarborReplicationFilter::Other], true, true),
    ] {
        let policy = policy(&filters);
        assert_eq!((policy.lets_pass("prod-pinned-0"), policy.lets_pass("v1.0.0")), (pin, release), "{filters:?}");
    }
}
