//! Calls that may be sent.

use super::harbor::rehearses;
use super::permitted::{permitted, restores, unpins};
use super::*;
use prodpin_core::model::{Digest, Pin};

fn call(purpose: Purpose, method: Method, path: &str) -> Call {
    let url = format!("http://127.0.0.1:1{path}").parse().unwrap();
    let redirects = Redirects::None;
    Call { purpose, method, url, accept: None, authorization: None, content: None, redirects, cap: 1 }
}

#[test]
fn nothing_but_reading_leaves_a_run_that_may_not_write_i17_i8() {
    let pin = format!("/v2/a/manifests/{}", Pin::for_digest(&Digest::sha256(b"x")));
    for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
        assert!(!permitted(&call(Purpose::Read, method.clone(), &pin), true), "{method}");
        assert!(!permitted(&call(Purpose::Pin, method.clone(), &pin), false), "{method}");
        let allowed = permitted(&call(Purpose::Pin, method.clone(), &pin), true);
        assert_eq!(allowed, method == Method::PUT, "{method}");
    }
    for path in ["/v2/a/manifests/latest", "/v2/a/manifests/prod-pinned-1", "/v2/a/blobs/uploads/", "/v2/a/tags/x"] {
        assert!(!permitted(&call(Purpose::Pin, Method::PUT, path), true), "{path}");
    }
    assert!(!permitted(&call(Purpose::Token, Method::DELETE, "/token"), true));
    assert!(permitted(&call(Purpose::Token, Method::POST, "/token"), false));
    assert!(permitted(&call(Purpose::Read, Method::HEAD, "/v2/a/manifests/1"), false));
    assert!(permitted(&call(Purpose::Recognise, Method::GET, "/config"), false));
    assert!(!permitted(&call(Purpose::Recognise, Method::POST, "/config"), true));
}

#[test]
fn harbor_is_sent_a_pins_name_for_its_own_artifact_and_nothing_else_i17_i8() {
    let (own, other) = (Digest::sha256(b"x"), Digest::sha256(b"y"));
    let pin = Pin::for_digest(&own);
    let path = |artifact: &str| format!("/api/v2.0/projects/shop/repositories/team%252Fapi/artifacts/{artifact}/tags");
    let post = |path: &str, body: &str| {
        let content = Some((HeaderValue::from_static("application/json"), Bytes::from(body.to_owned())));
        Call { content, ..call(Purpose::Pin, Method::POST, path) }
    };
    let good = post(&path(&own.to_string()), &format!(r#"{{"name":"{pin}"}}"#));
    assert!(permitted(&good, true));
    assert!(!permitted(&good, false), "no run that only reads may");
    for purpose in [Purpose::Read, Purpose::Recognise] {
        assert!(!permitted(&Call { purpose, ..good.clone() }, true));
    }
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        assert!(!permitted(&Call { method, ..good.clone() }, true));
    }
    assert!(!permitted(&Call { redirects: Redirects::SameOrigin, ..good.clone() }, true));
    assert!(!permitted(&Call { content: None, ..good }, true));
    let named = format!(r#"{{"name":"{pin}"}}"#);
    for (path, body) in [
        (path(&other.to_string()), named.as_str()),
        (path("v1.0.0"), &named),
        (format!("{}/v1", path(&own.to_string())), &named),
        (format!("{}?x=1", path(&own.to_string())), &named),
        (format!("/api/v2.0/projects/shop/immutabletagrules/{own}/tags"), &named),
        ("/api/v2.0/retentions/1/executions".to_owned(), &named),
        (path(&own.to_string()), r#"{"name":"latest"}"#),
        (path(&own.to_string()), r#"{"name":""}"#),
        (path(&own.to_string()), "{}"),
        (path(&own.to_string()), &format!(r#"{{"name":"{pin}","immutable":true}}"#)),
    ] {
        assert!(!permitted(&post(&path, body), true), "{path} {body}");
    }
}

#[test]
fn a_registry_of_azure_is_sent_locks_for_pins_and_manifests_and_nothing_else_i17_i8_k47() {
    let digest = Digest::sha256(b"x");
    let pin = Pin::for_digest(&digest);
    let (tags, manifests) = ("/acr/v1/shop/api/_tags", "/acr/v1/shop/api/_manifests");
    let (whole, deletion) = (r#"{"deleteEnabled":false,"writeEnabled":false}"#, r#"{"deleteEnabled":false}"#);
    let patch = |path: &str, body: &str| {
        let content = Some((HeaderValue::from_static("application/json"), Bytes::from(body.to_owned())));
        Call { content, ..call(Purpose::Pin, Method::PATCH, path) }
    };
    for good in [patch(&format!("{tags}/{pin}"), whole), patch(&format!("{manifests}/{digest}"), deletion)] {
        assert!(permitted(&good, true), "{}", good.url);
        assert!(!permitted(&good, false), "no run that only reads may");
        for purpose in [Purpose::Read, Purpose::Recognise, Purpose::Token, Purpose::Restore, Purpose::Unpin] {
            assert!(!permitted(&Call { purpose, ..good.clone() }, true), "{purpose:?}");
        }
        assert!(!unpins(&Call { purpose: Purpose::Unpin, ..good.clone() }) && !restores(&good));
        for method in [Method::PUT, Method::POST, Method::DELETE, Method::GET] {
            assert!(!permitted(&Call { method, ..good.clone() }, true));
        }
        assert!(!permitted(&Call { redirects: Redirects::SameOrigin, ..good.clone() }, true));
        assert!(!permitted(&Call { content: None, ..good }, true));
    }
    for (path, body) in [
        // No tag of a user, no part of a pin's name, no repository as a whole.
        (format!("{tags}/v1.0.0"), whole),
        (format!("{tags}/prod-pinned-1"), whole),
        (format!("{manifests}/{pin}"), deletion),
        (format!("{tags}/{digest}"), whole),
        ("/acr/v1/shop/api".to_owned(), deletion),
        (format!("/acr/v1/_manifests/{digest}"), deletion),
        (format!("/acr/v1/Shop/_manifests/{digest}"), deletion),
        (format!("/acr/v1/shop/api/_attributes/{digest}"), deletion),
        (format!("/v2/shop/api/_manifests/{digest}"), deletion),
        (format!("{tags}/{pin}?x=1"), whole),
        // Nothing is unlocked, hidden or kept from being read.
        (format!("{tags}/{pin}"), r#"{"deleteEnabled":true,"writeEnabled":false}"#),
        (format!("{tags}/{pin}"), r#"{"deleteEnabled":false,"writeEnabled":true}"#),
        (format!("{tags}/{pin}"), deletion),
        (format!("{manifests}/{digest}"), r#"{"deleteEnabled":true}"#),
        (format!("{manifests}/{digest}"), whole),
        (format!("{manifests}/{digest}"), r#"{"deleteEnabled":false,"readEnabled":false}"#),
        (format!("{manifests}/{digest}"), r#"{"deleteEnabled":false,"listEnabled":false}"#),
        (format!("{manifests}/{digest}"), "{}"),
    ] {
        assert!(!permitted(&patch(&path, body), true), "{path} {body}");
    }
}

#[test]
fn a_dry_run_is_asked_for_and_no_run_that_deletes_i17_j35() {
    let post = |path: &str, body: &str| {
        let content = Some((HeaderValue::from_static("application/json"), Bytes::from(body.to_owned())));
        Call { content, ..call(Purpose::Rehearse, Method::POST, path) }
    };
    let (path, dry) = ("/api/v2.0/retentions/7/executions", r#"{"dry_run":true}"#);
    let good = post(path, dry);
    assert!(rehearses(&good));
    assert!(!permitted(&good, true), "no run may: only the command that is asked to");
    let all = Powers { write: true, restores: true, releases: true, rehearses: false };
    assert!(!all.permit(&good));
    assert!(Powers { rehearses: true, ..Powers::default() }.permit(&good));
    for purpose in [Purpose::Read, Purpose::Recognise, Purpose::Pin] {
        assert!(!permitted(&Call { purpose, ..good.clone() }, true));
    }
    assert!(!rehearses(&Call { redirects: Redirects::SameOrigin, ..good.clone() }));
    assert!(!rehearses(&Call { content: None, ..good.clone() }));
    for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::GET] {
        assert!(!rehearses(&Call { method, ..good.clone() }));
    }
    for (path, body) in [
        (path, r#"{"dry_run":false}"#),
        (path, "{}"),
        (path, r#"{"dry_run":true,"dry_run":false}"#),
        (path, r#"{"dry_run":true,"action":"run"}"#),
        (path, r#"{"dry_run":"true"}"#),
        ("/api/v2.0/retentions/7/executions?x=1", dry),
        ("/api/v2.0/retentions//executions", dry),
        ("/api/v2.0/retentions/7/executions/8", dry),
        ("/api/v2.0/retentions/7x/executions", dry),
        ("/api/v2.0/replication/executions", dry),
        ("/api/v2.0/system/gc/schedule", dry),
        ("/retentions/7/executions", dry),
    ] {
        assert!(!rehearses(&post(path, body)), "{path} {body}");
    }
}

#[test]
fn quay_is_asked_to_hold_a_pin_and_nothing_else_i17_i8() {
    let pin = Pin::for_digest(&Digest::sha256(b"x"));
    let put = |path: &str, body: &str| {
        let content = Some((HeaderValue::from_static("application/json"), Bytes::from(body.to_owned())));
        Call { content, ..call(Purpose::Pin, Method::PUT, path) }
    };
    let path = format!("/api/v1/repository/acme/team/shop/tag/{pin}");
    let lock = r#"{"expiration":null,"immutable":true}"#;
    let good = put(&path, lock);
    assert!(permitted(&good, true) && permitted(&put(&path, r#"{"expiration":null}"#), true));
    assert!(!permitted(&good, false), "no run that only reads may");
    for purpose in [Purpose::Read, Purpose::Recognise, Purpose::Token] {
        assert!(!permitted(&Call { purpose, ..good.clone() }, true));
    }
    for method in [Method::POST, Method::DELETE, Method::PATCH] {
        assert!(!permitted(&Call { method, ..good.clone() }, true));
    }
    assert!(!permitted(&Call { redirects: Redirects::SameOrigin, ..good.clone() }, true));
    assert!(!permitted(&Call { content: None, ..good }, true));
    for (path, body) in [
        (path.as_str(), r#"{"expiration":null,"immutable":false}"#),
        (&path, r#"{"immutable":true}"#),
        (&path, r#"{"expiration":1796003945}"#),
        (&path, r#"{"expiration":null,"immutable":true,"manifest_digest":"sha256:00"}"#),
        (&path, r#"{"expiration":null,"immutable":true,"immutable":false}"#),
        (&path, "{}"),
        (&format!("{path}/restore"), lock),
        (&format!("{path}?x=1"), lock),
        ("/api/v1/repository/acme/shop/tag/v1.0.0", lock),
        ("/api/v1/repository/acme/shop/tag/prod-pinned-1", lock),
        (&format!("/api/v1/repository/shop/tag/{pin}"), lock),
        (&format!("/api/v1/repository/acme//tag/{pin}"), lock),
        (&format!("/api/v1/organization/acme/shop/tag/{pin}"), lock),
        ("/api/v1/repository/acme/shop/autoprunepolicy/", lock),
    ] {
        assert!(!permitted(&put(path, body), true), "{path} {body}");
    }
}

#[test]
fn what_puts_back_is_bytes_under_their_own_names_and_free_tags_i8_i27() {
    let bytes = Bytes::from_static(b"manifest");
    let (own, other) = (Digest::sha256(&bytes), Digest::sha256(b"other"));
    let pin = Pin::for_digest(&own);
    let content = |bytes: &Bytes| Some((HeaderValue::from_static("x/y"), bytes.clone()));
    let put = |method: Method, path: &str, bytes: &Bytes| {
        restores(&Call { content: content(bytes), ..call(Purpose::Restore, method, path) })
    };
    for (method, path, sent, allowed) in [
        (Method::POST, "/v2/a/blobs/uploads/".to_owned(), &Bytes::new(), true),
        (Method::POST, "/v2/a/blobs/uploads/".to_owned(), &bytes, false),
        (Method::POST, "/v2/a/manifests/x".to_owned(), &Bytes::new(), false),
        (Method::PATCH, "/v2/a/blobs/uploads/1".to_owned(), &bytes, true),
        (Method::PATCH, "/v2/a/blobs/upload/1".to_owned(), &bytes, true),
        (Method::PATCH, "/v2/a/manifests/x".to_owned(), &bytes, false),
        (Method::PUT, "/v2/a/blobs/uploads/1".to_owned(), &bytes, true),
        (Method::PUT, format!("/v2/a/manifests/{own}"), &bytes, true),
        (Method::PUT, format!("/v2/a/manifests/{other}"), &bytes, false),
        (Method::PUT, "/v2/a/manifests/v1".to_owned(), &bytes, true),
        // A pin has a gate of its own.
        (Method::PUT, format!("/v2/a/manifests/{pin}"), &bytes, false),
        (Method::PUT, "/v2/a/tags/v1".to_owned(), &bytes, false),
        (Method::DELETE, format!("/v2/a/manifests/{own}"), &bytes, false),
        (Method::DELETE, "/v2/a/blobs/uploads/1".to_owned(), &bytes, false),
    ] {
        assert_eq!(put(method.clone(), &path, sent), allowed, "{method} {path}");
        let asked = Call { content: content(sent), ..call(Purpose::Restore, method, &path) };
        assert!(!permitted(&asked, true), "no run may: {path}");
    }
    let elsewhere =
        Call { redirects: Redirects::Anywhere, ..call(Purpose::Restore, Method::PUT, "/v2/a/manifests/v1") };
    assert!(!restores(&Call { content: content(&bytes), ..elsewhere }));
}

#[test]
fn only_a_pins_tag_is_ever_deleted_and_never_a_digest_i8_f35() {
    let hex = "a".repeat(64);
    let pin = format!("/v2/a/manifests/prod-pinned-{hex}");
    assert!(unpins(&call(Purpose::Unpin, Method::DELETE, &pin)));
    assert!(!permitted(&call(Purpose::Unpin, Method::DELETE, &pin), true), "a run that may pin may not remove");
    for path in [
        format!("/v2/a/manifests/sha256:{hex}"),
        format!("/v2/a/manifests/sha256%3A{hex}"),
        format!("/v2/a/blobs/prod-pinned-{hex}"),
        format!("/v2/a/manifests/prod-pinned-{}", &hex[1..]),
        "/v2/a/manifests/v1.0.0".to_owned(),
        "/v2/a/manifests/latest".to_owned(),
        "/v2/a/".to_owned(),
    ] {
        assert!(!unpins(&call(Purpose::Unpin, Method::DELETE, &path)), "{path}");
    }
    for method in [Method::PUT, Method::POST, Method::PATCH, Method::GET] {
        assert!(!unpins(&call(Purpose::Unpin, method.clone(), &pin)), "{method}");
    }
    let sent_on = Call { redirects: Redirects::Anywhere, ..call(Purpose::Unpin, Method::DELETE, &pin) };
    assert!(!unpins(&sent_on));
}
