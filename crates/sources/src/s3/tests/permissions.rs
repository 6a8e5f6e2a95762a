//! The IAM policies that are published, held against the calls that are made.

use std::collections::BTreeSet;

use crate::s3::*;

/// Every permission that the calls of this source name, by the half that makes them.
const READS: [&str; 11] = [
    listing::LIST,
    settings::VERSIONING,
    settings::OBJECT_LOCK,
    settings::LIFECYCLE,
    inspect::HEAD_KEY,
    inspect::HEAD_VERSION,
    inspect::LEGAL_HOLD,
    inspect::READ_TAGS,
    // No call is named so: it is what makes S3 answer 404 in place of 403 for what is not there (B84).
    "s3:ListBucket",
    settings::POLICY,
    state::RETENTION,
];
const WRITES: [&str; 2] = [pin::HOLD, pin::WRITE_TAGS];

/// The actions that a policy document's statements of this effect name.
fn actions(document: &str, effect: &str) -> BTreeSet<String> {
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    assert_eq!(document["Version"], "2012-10-17");
    let statements = document["Statement"].as_array().unwrap();
    let chosen = statements.iter().filter(|statement| statement["Effect"] == effect);
    chosen
        .flat_map(|statement| match &statement["Action"] {
            serde_json::Value::String(action) => vec![action.clone()],
            actions => actions.as_array().unwrap().iter().map(|a| a.as_str().unwrap().to_owned()).collect(),
        })
        .collect()
}

#[test]
fn the_policies_allow_what_the_calls_need_and_nothing_more_b64_b84() {
    let audit = include_str!("../../../../../policies/s3/audit.json");
    let enforce = include_str!("../../../../../policies/s3/enforce.json");
    let release = include_str!("../../../../../policies/s3/release.json");
    let bucket = include_str!("../../../../../policies/s3/bucket-policy.json");
    let reads: BTreeSet<String> = READS.iter().map(|&action| action.to_owned()).collect();
    let all: BTreeSet<String> = READS.iter().chain(&WRITES).map(|&action| action.to_owned()).collect();
    assert_eq!(actions(audit, "Allow"), reads);
    assert_eq!(actions(enforce, "Allow"), all);
    // S3 knows no difference between setting a hold and taking it off: that it is another role is what counts.
    assert_eq!(actions(release, "Allow"), all);
    assert_eq!(actions(release, "Deny"), actions(enforce, "Deny"));
    // Restoring creates objects, and writes over none: what the gate asks of a request, the document asks of it too.
    let restoring = include_str!("../../../../../policies/s3/restore.json");
    let creates: BTreeSet<String> = all.iter().cloned().chain([restore::PUT.to_owned()]).collect();
    assert_eq!(actions(restoring, "Allow"), creates);
    let without_put = actions(enforce, "Deny").into_iter().filter(|action| action != restore::PUT).collect();
    assert_eq!(actions(restoring, "Deny"), without_put);
    assert!(restoring.contains("\"s3:if-none-match\": \"false\""));
    assert!(bucket.contains("PRODPIN_RELEASE") && bucket.contains("PRODPIN_RESTORE"));
    assert_eq!(actions(bucket, "Allow"), BTreeSet::new());

    let denied = actions(enforce, "Deny");
    assert_eq!(denied.intersection(&all).collect::<Vec<_>>(), Vec::<&String>::new());
    for action in ["s3:DeleteObjectVersion", "s3:PutLifecycleConfiguration", "s3:BypassGovernanceRetention"] {
        assert!(denied.contains(action) && actions(bucket, "Deny").contains(action), "{action}");
    }
    for (name, document) in [("audit", audit), ("enforce", enforce), ("release", release), ("restore", restoring)] {
        assert!(actions(document, "Allow").iter().all(|action| !action.contains('*')), "{name}");
        let document: serde_json::Value = serde_json::from_str(document).unwrap();
        assert!(document["Statement"].as_array().unwrap().iter().all(|s| s["Resource"] != "*"), "{name}");
    }
}
