//! What registries really send (`captures.json`, taken from distribution 3.1.2, zot 2.1.20, Quay and Harbor, without what
//! nobody reads), and the examples of the vendors' documentation for those that cannot be run here.

use serde_json::json;

use super::*;

const CAPTURES: &str = include_str!("captures.json");

fn names(event: Option<&str>, body: &Value) -> Result<Vec<String>, &'static str> {
    match read(event, body.to_string().as_bytes())? {
        Notice::Repositories(names) => Ok(names.iter().map(ToString::to_string).collect()),
        Notice::Handshake(code) => panic!("a handshake: {code}"),
    }
}

#[test]
fn what_registries_send_is_read() {
    let captures: Value = serde_json::from_str(CAPTURES).unwrap();
    let mut looked = Vec::new();
    for (name, events) in captures.as_object().unwrap() {
        let mut of_it = BTreeSet::new();
        for event in events.as_array().unwrap() {
            let kind = event["headers"].get("Ce-Type").and_then(Value::as_str);
            of_it.extend(names(kind, &event["body"]).unwrap_or_else(|reason| panic!("{name}: {reason}")));
        }
        if !of_it.is_empty() {
            looked.push(format!("{name}: {}", of_it.into_iter().collect::<Vec<_>>().join(", ")));
        }
    }
    insta::assert_snapshot!(looked.join("\n"));
}

#[test]
fn what_vendors_document_is_read() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let azure = |action: &str| json!({ "id": "1", "action": action, "target": { "repository": "shop/api", "tag": "v1", "digest": digest } });
    let google = |action: &str, tagged: bool| {
        let mut said = json!({ "action": action, "digest": format!("europe-docker.pkg.dev/p/shop/api@{digest}") });
        if tagged {
            said["tag"] = json!("europe-docker.pkg.dev/p/shop/api:v1");
        }
        json!({ "message": { "data": STANDARD.encode(said.to_string()), "messageId": "1" }, "subscription": "s" })
    };
    let github = |kind: &str| json!({ "action": "published", "registry_package": { "name": "api", "namespace": "Shop", "package_type": kind } });
    let hub = json!({ "callback_url": "https://evil.example/", "push_data": { "tag": "latest" },
        "repository": { "repo_name": "shop/api" } });
    let cases = [
        (azure("push"), "shop/api"),
        (azure("delete"), "shop/api"),
        (azure("quarantine"), ""),
        (json!([{ "eventType": "Microsoft.ContainerRegistry.ImagePushed", "data": azure("push") }]), "shop/api"),
        (json!({ "type": "Microsoft.ContainerRegistry.ImageDeleted", "data": azure("delete") }), "shop/api"),
        (google("INSERT", true), "p/shop/api"),
        (google("INSERT", false), ""),
        (google("DELETE", false), "p/shop/api"),
        (github("CONTAINER"), "shop/api"),
        (github("npm"), ""),
        (hub, "shop/api"),
        // One odd member costs the others nothing.
        (json!([7, { "type": "x", "data": azure("push") }, { "type": "x", "data": {} }]), "shop/api"),
        (
            json!({ "events": [7, { "action": "push" }, { "action": "push",
            "target": { "repository": "shop/web", "tag": "v1" } }] }),
            "shop/web",
        ),
        // A name that no repository can have.
        (json!({ "repository": "../../etc", "updated_tags": ["v1"] }), ""),
    ];
    for (body, expected) in cases {
        assert_eq!(names(None, &body).map(|names| names.join(",")), Ok(expected.to_owned()), "{body}");
    }
}

#[test]
fn pins_are_no_news_unless_they_are_not_what_their_name_says() {
    let digest: Digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
    let other = format!("sha256:{}", "b".repeat(64));
    let pin = Pin::for_digest(&digest).to_string();
    let event = |action: &str, digest: &str| {
        json!({ "events": [{ "action": action,
            "target": { "repository": "shop/api", "tag": pin, "digest": digest } }] })
    };
    assert_eq!(names(None, &event("push", &digest.to_string())), Ok(vec![]));
    assert_eq!(names(None, &event("push", &other)), Ok(vec!["shop/api".to_owned()]), "somebody moved it");
    assert_eq!(names(None, &event("delete", &digest.to_string())), Ok(vec!["shop/api".to_owned()]));
    assert_eq!(names(None, &event("delete", "")), Ok(vec!["shop/api".to_owned()]));
}

#[test]
fn what_is_no_event_is_told_to_the_sender() {
    for body in ["", "{", "null", "7", "\"x\"", "{}", "[]", "{\"repository\":7}", "{\"message\":{\"data\":\"%%\"}}"] {
        assert!(read(None, body.as_bytes()).is_err(), "{body}");
    }
    let nested = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert!(read(None, nested.as_bytes()).is_err());
    let bottomless = (0..10).fold(json!({}), |inner, _| json!({ "type": "x", "data": inner }));
    assert!(names(None, &bottomless).is_err());
}

#[test]
fn event_grids_question_is_answered() {
    let asked = json!([{ "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": { "validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6" } }]);
    let answered = read(None, asked.to_string().as_bytes());
    assert_eq!(answered, Ok(Notice::Handshake("512d38b6-c7b8-40c8-89fe-f46f9e9622b6".to_owned())));
}
