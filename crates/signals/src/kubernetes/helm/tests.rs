//! Releases as Helm stores them.

use super::*;
use std::io::Write as _;

const MANIFEST: &str = "---\n# Source: api/templates/secret.yaml\napiVersion: v1\nkind: Secret\nstringData: { password: hunter2 }\n\
                            ---\n# Source: api/templates/deployment.yaml\nkind: Deployment\nspec:\n  template:\n    spec:\n      \
                            initContainers:\n      - { name: migrate, image: \"r.example/shop/api:1\" }\n      containers:\n      \
                            - name: api\n        image: r.example/shop/api:1\n        args: [\"---\"]\n";

fn release(status: &str) -> serde_json::Value {
    serde_json::json!({
        "name": "api", "namespace": "shop", "version": 3,
        "info": { "status": status, "last_deployed": "2026-01-02T03:04:05.678+01:00" },
        "chart": { "metadata": { "name": "api", "version": "0.1.2" }, "values": { "password": "hunter2" } },
        "config": { "password": "hunter2" },
        "manifest": MANIFEST,
        "hooks": [{ "manifest": "kind: Job\nspec: {template: {spec: {containers: [{name: hook, image: \"r.example/hook:2\"}]}}}" }],
    })
}

/// A revision without a label.
fn read(stored: &str, secret: bool) -> Result<Option<(String, String, Revision)>, String> {
    read_as(stored, secret, None)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn twice(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(BASE64_STANDARD.encode(bytes))
}

#[test]
fn releases_are_read_packed_and_unpacked_from_secrets_and_config_maps_e128() {
    let text = release("deployed").to_string();
    let secret = twice(&gzip(text.as_bytes()));
    let unpacked = twice(text.as_bytes());
    let config_map = BASE64_STANDARD.encode(gzip(text.as_bytes()));
    for (stored, secret) in [(secret, true), (unpacked, true), (config_map, false)] {
        let (namespace, name, revision) = read(&stored, secret).unwrap().unwrap();
        assert_eq!((namespace.as_str(), name.as_str(), revision.version), ("shop", "api", 3));
        assert!(revision.deployed && revision.at.is_some());
        assert_eq!(revision.chart, ("api".to_owned(), "0.1.2".to_owned()));
        let images: Vec<&str> = revision.images.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(images, ["api", "migrate"], "a hook is no part of what is deployed");
    }
}

#[test]
fn i31_hooks_are_no_deployments_but_while_they_run_and_those_of_a_rollback_are_wanted() {
    let manifest = "kind: Job\nspec: {template: {spec: {containers: [{name: hook, image: \"r.example/hook:2\"}]}}}";
    let none: [(&str, &str); 0] = [];
    let one = [("hook", "r.example/hook:2")];
    for (events, phase, deployed, wanted) in [
        (&["pre-upgrade"][..], "Succeeded", &none[..], &none[..]),
        (&["pre-upgrade"], "Failed", &none, &none),
        (&["post-install", "pre-upgrade"], "Running", &one, &none),
        (&["pre-delete"], "", &none, &none),
        (&["test"], "Running", &none, &none),
        (&["test-success"], "Succeeded", &none, &none),
        (&["pre-rollback"], "", &none, &one),
        (&["pre-upgrade", "post-rollback"], "Succeeded", &none, &one),
    ] {
        let mut release = release("deployed");
        release["hooks"] =
            serde_json::json!([{ "manifest": manifest, "events": events, "last_run": { "phase": phase } }]);
        let (_, _, revision) = read(&twice(release.to_string().as_bytes()), true).unwrap().unwrap();
        let owned = |images: &[(&str, &str)]| {
            images.iter().map(|(name, image)| ((*name).to_owned(), (*image).to_owned())).collect::<BTreeSet<_>>()
        };
        let beside: BTreeSet<_> = revision.images.iter().filter(|(name, _)| name == "hook").cloned().collect();
        assert_eq!((beside, revision.hooks), (owned(deployed), owned(wanted)), "{events:?} {phase}");
    }
}

/// A pod does not start without the image of its volume (P75e).
#[test]
fn images_of_volumes_are_read() {
    let mut release = release("deployed");
    release["manifest"] = "kind: Deployment\nspec: {template: {spec: {containers: [{name: a, image: \"r.example/a:1\"}], \
                               volumes: [{name: model, image: {reference: \"r.example/model:3\"}}, {name: tmp, emptyDir: {}}]}}}"
        .into();
    let (_, _, revision) = read(&twice(release.to_string().as_bytes()), true).unwrap().unwrap();
    let images: Vec<&str> = revision.images.iter().map(|(_, image)| image.as_str()).collect();
    assert_eq!(images, ["r.example/model:3", "r.example/a:1"]);
}

#[test]
fn a_number_too_large_for_any_spoils_no_manifest() {
    for odd in ["12e4567", "-1e999", ".inf", ".nan"] {
        let mut release = release("deployed");
        let containers = "spec: {template: {spec: {containers: [{name: a, image: \"r.example/a:1\"}]}}}";
        release["manifest"] =
            format!("kind: Deployment\nmetadata: {{annotations: {{commit: {odd}}}}}\n{containers}").into();
        let (_, _, revision) = read(&twice(release.to_string().as_bytes()), true).unwrap().unwrap();
        assert_eq!(revision.images.len(), 1, "{odd}");
    }
}

#[test]
fn only_what_production_ran_counts_e129() {
    for status in ["failed", "pending-install", "pending-upgrade", "uninstalled", "uninstalling", "unknown"] {
        assert!(read(&twice(release(status).to_string().as_bytes()), true).unwrap().is_none(), "{status}");
    }
    let superseded = read(&twice(release("superseded").to_string().as_bytes()), true).unwrap().unwrap();
    assert!(!superseded.2.deployed);
}

/// Operators who repair a release that hangs set its label, and Helm goes by that.
#[test]
fn a_repaired_release_is_what_its_label_says_e129() {
    for (label, inside, deployed) in [
        (Some("deployed"), "pending-upgrade", Some(true)),
        (Some("deployed"), "failed", Some(true)),
        (Some("deployed"), "superseded", Some(true)),
        (Some("superseded"), "deployed", Some(false)),
        (Some("superseded"), "pending-rollback", Some(false)),
        (Some("hunter2"), "deployed", Some(true)),
        (Some("failed"), "superseded", Some(false)),
        (None, "deployed", Some(true)),
        (None, "failed", None),
    ] {
        let read = read_as(&twice(release(inside).to_string().as_bytes()), true, label).unwrap();
        assert_eq!(read.map(|(_, _, revision)| revision.deployed), deployed, "{label:?} {inside}");
    }
    for member in ["/manifest", "/chart", "/chart/metadata", "/hooks", "/namespace", "/info"] {
        let mut release = release("deployed");
        *release.pointer_mut(member).unwrap() = serde_json::Value::Null;
        let read = read_as(&twice(release.to_string().as_bytes()), true, Some("deployed"));
        assert!(read.unwrap().is_some(), "{member}");
    }
}

#[test]
fn bombs_and_rubbish_are_refused_without_a_word_of_theirs_f83_i18() {
    let bomb = gzip(&vec![b' '; 20 << 20]);
    assert!(bomb.len() < 64 << 10);
    let mut broken = release("deployed");
    broken["version"] = "hunter2".into();
    let mut yaml = release("deployed");
    yaml["manifest"] = "image: [hunter2".into();
    for stored in [
        twice(&bomb),
        "A".repeat(MOST_STORED + 1),
        "hunter2!".to_owned(),
        twice(b"\x1f\x8bhunter2"),
        twice(br#"{"name":"hunter2"}"#),
        twice(broken.to_string().as_bytes()),
        twice(yaml.to_string().as_bytes()),
    ] {
        let reason = read(&stored, true).unwrap_err();
        assert!(!reason.contains("hunter2"), "{reason}");
    }
}

#[test]
fn documents_end_at_three_dashes_in_the_first_column_alone() {
    let found: Vec<&str> =
        documents("image: 1\n--- # two\nimage: |\n  ---\n  x\n---\nnothing\n---\nimage: 3").collect();
    assert_eq!(found, ["image: 1\n", "image: |\n  ---\n  x\n", "image: 3"]);
}
