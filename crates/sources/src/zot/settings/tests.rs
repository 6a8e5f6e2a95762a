//! Configurations as zot's documentation writes them, and what makes one unknown.

use super::super::document::{self, Unread};
use super::*;

fn read(text: &str) -> Result<Stores, Unread> {
    document::json(text).and_then(|tree| stores(&tree))
}

fn of<'s>(stores: &'s Stores, name: &str) -> &'s ZotSettings {
    stores.of(&name.parse().unwrap())
}

const WHOLE: &str = r#"{
    "distSpecVersion": "1.1.1",
    "storage": {
        "rootDirectory": "/var/lib/registry", "dedupe": true, "gc": true, "gcDelay": "2h", "gcInterval": "1h",
        "retention": {
            "dryRun": false, "delay": "24h",
            "policies": [
                { "repositories": ["infra/*", "prod/*"], "deleteReferrers": false,
                  "keepTags": [{ "patterns": ["v2.*", ".*-prod"] }, { "patterns": ["v3.*"], "pulledWithin": "168h" }] },
                { "repositories": ["**"], "deleteReferrers": true, "deleteUntagged": false,
                  "keepUntagged": { "pushedWithin": "1h30m" },
                  "keepTags": [{ "mostRecentlyPushedCount": 10, "mostRecentlyPulledCount": 5, "pushedWithin": "720h" }] }
            ]
        },
        "subPaths": { "/team": { "rootDirectory": "/var/lib/team", "gc": true } , "/Old": { "rootDirectory": "/old" } }
    },
    "http": { "address": "127.0.0.1", "port": "8080", "auth": { "htpasswd": { "path": "/htpasswd" } } },
    "extensions": { "search": { "enable": true } }
}"#;

#[test]
fn what_a_configuration_says_is_read_with_what_it_leaves_unsaid_k55() {
    let stores = read(WHOLE).unwrap();
    let main = of(&stores, "shop/api");
    assert_eq!((main.collects, main.has_database, main.dry_run), (true, true, false));
    assert_eq!((main.delay.as_hours(), main.retention_delay.as_hours()), (2, 24));
    let [first, second] = &main.policies[..] else { panic!("{main:?}") };
    assert_eq!(first.repositories, ["infra/*", "prod/*"]);
    assert_eq!((first.delete_referrers, first.delete_untagged), (false, None));
    assert_eq!(first.keep_tags[0], ZotKeep { patterns: vec!["v2.*".into(), ".*-prod".into()], ..ZotKeep::default() });
    assert_eq!(first.keep_tags[1].pulled_within.map(|span| span.as_hours()), Some(168));
    assert_eq!((second.delete_referrers, second.delete_untagged), (true, Some(false)));
    assert_eq!((second.keep_tags[0].pushed_count, second.keep_tags[0].pulled_count), (10, 5));
    assert_eq!(second.keep_untagged.as_ref().and_then(|keep| keep.pushed_within).map(|span| span.as_mins()), Some(90));
    let team = of(&stores, "team/api");
    assert_eq!((team.collects, team.policies.len(), team.retention_delay), (true, 0, DELAY));
    // A name without a first part of its own is in the server's own store.
    assert_eq!(of(&stores, "team"), main);
    assert_eq!(of(&stores, "teams/api"), main);
    assert!(!of(&stores, "old/api").collects, "a store below collects nothing unless it says so");
}

#[test]
fn a_server_collects_unless_told_not_to_and_keeps_a_database_for_rules_alone_k55() {
    let plain = read(r#"{ "storage": { "rootDirectory": "/r" } }"#).unwrap();
    let main = of(&plain, "a");
    assert_eq!((main.collects, main.has_database, main.delay, main.retention_delay), (true, false, DELAY, DELAY));
    let off = read(r#"{ "Storage": { "RootDirectory": "/r", "GC": false, "retention": null } }"#).unwrap();
    assert!(!of(&off, "a").collects, "keys have no case");
    for (policy, expected) in [
        (r#"{ "keepTags": [{ "patterns": ["^v"] }] }"#, false),
        (r#"{ "keepTags": [{ "mostRecentlyPushedCount": 0 }] }"#, false),
        (r#"{ "keepTags": [{ "pushedWithin": "0s" }] }"#, true),
        (r#"{ "keepUntagged": { "mostRecentlyPulledCount": 1 } }"#, true),
        (r#"{ "keepUntagged": { "mostRecentlyPulledCount": 1 }, "deleteUntagged": false }"#, false),
    ] {
        let text =
            format!(r#"{{ "storage": {{ "rootDirectory": "/r", "retention": {{ "policies": [{policy}] }} }} }}"#);
        assert_eq!(of(&read(&text).unwrap(), "a").has_database, expected, "{policy}");
    }
}

#[test]
fn what_is_not_known_makes_everything_unknown_i7() {
    let storage = |more: &str| format!(r#"{{ "storage": {{ "rootDirectory": "/r"{more} }} }}"#);
    let policy = |policy: &str| storage(&format!(r#", "retention": {{ "policies": [{policy}] }}"#));
    for (text, said) in [
        ("{".to_owned(), "no JSON"),
        ("[]".to_owned(), "the file is no table"),
        ("{}".to_owned(), "no `storage`"),
        (storage(r#", "gc": "false""#), "storage.gc is neither true nor false"),
        (storage(r#", "gcDelay": 3600"#), "storage.gcdelay is no text"),
        (storage(r#", "gcDelay": "1d""#), "no span of time"),
        (storage(r#", "prune": true"#), "storage has \"prune\""),
        (storage(r#", "gc": true, "GC": false"#), "line"),
        (policy(r#"{ "keepTags": [{ "olderThan": "1h" }] }"#), "keepTags[0] has \"olderthan\""),
        (policy(r#"{ "keepTags": [{ "patterns": "v" }] }"#), "patterns is no list"),
        (policy(r#"{ "keepTags": [{ "mostRecentlyPushedCount": 1.5 }] }"#), "no whole number"),
        (policy(r#"{ "keepTags": [{ "mostRecentlyPushedCount": "3" }] }"#), "no whole number"),
        (policy(r#"{ "deleteReferrers": 1 }"#), "neither true nor false"),
        (storage(r#", "subPaths": { "/a": { "rootDirectory": "/r/a", "gc": true } }"#), "within one another"),
        (storage(r#", "subPaths": { "/a": { "rootDirectory": "/x/../r", "gc": true } }"#), "within one another"),
        (storage(r#", "subPaths": { "/a": { "gc": true } }"#), "within one another"),
        (storage(r#", "subPaths": { "/a": { "rootDirectory": "r", "gc": true } }"#), "within one another"),
        (storage(r#", "subPaths": { "/a/b": { "rootDirectory": "/b" } }"#), "prodpin knows only"),
        (storage(r#", "subPaths": { "/a": { "rootDirectory": "/b", "subPaths": {} } }"#), "has \"subpaths\""),
    ] {
        let error = read(&text).expect_err(&text);
        assert!(error.detail.contains(said), "{text}: {}", error.detail);
    }
}

#[test]
fn the_same_in_yaml_is_the_same_and_a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        document::read(&path).and_then(|tree| stores(&tree))
    };
    let yaml = "storage:\n  rootDirectory: /r\n  gc: true\n  gcDelay: 2h\n  retention:\n    policies:\n      - repositories: \
                [\"**\"]\n        keepTags:\n          - patterns: [\"^prod-pinned-\"]\n          - mostRecentlyPushedCount: \
                6\n";
    let json = r#"{ "storage": { "rootDirectory": "/r", "gc": true, "gcDelay": "2h", "retention": { "policies": [{
        "repositories": ["**"], "keepTags": [{ "patterns": ["^prod-pinned-"] }, { "mostRecentlyPushedCount": 6 }] }] } } }"#;
    let expected = read(json).unwrap();
    for name in ["zot.yaml", "zot.yml"] {
        assert_eq!(file(name, yaml).unwrap(), expected);
    }
    for name in ["zot.json", "config", "zot.conf"] {
        assert_eq!(file(name, json).unwrap(), expected);
    }
    let detail = |read: Result<Stores, Unread>| read.unwrap_err().detail;
    assert!(detail(file("zot.toml", "[storage]")).contains("neither JSON nor YAML"));
    assert!(detail(file("two.yaml", "a: 1\n---\nb: 2\n")).contains("no YAML"));
    assert!(detail(file("twice.yaml", "storage: {}\nStorage: {}\n")).contains("no YAML"));
    assert!(detail(file("large.json", &" ".repeat(2 << 20))).contains("larger than"));
    let secret = detail(file("secret.json", r#"{ "storage": { "rootDirectory": "/r" }, "password": hunter2 }"#));
    assert!(secret.contains("line 1") && !secret.contains("hunter2"), "{secret}");
    let missing = document::read(&folder.path().join("none.json")).unwrap_err().detail;
    assert!(missing.contains("cannot be read"), "{missing}");
    assert!(document::read(folder.path()).unwrap_err().detail.contains("is no file"));
}
