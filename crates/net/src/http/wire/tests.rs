//! Calls that may be sent.

use super::*;
use prodpin_core::model::Digest;

fn call(purpose: Purpose, method: Method, path: &str) -> Call {
    let url = format!("http://127.0.0.1:1{path}").parse().unwrap();
    let redirects = Redirects::None;
    Call { purpose, method, url, accept: None, authorization: None, content: None, redirects, cap: 1 }
}

#[test]
fn nothing_but_reading_leaves_a_run_that_may_not_write_i17_i8() {
    let pin = format!("/v2/a/manifests/{}", Pin::of(&Digest::of(b"x")));
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
