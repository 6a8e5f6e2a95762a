//! The honest registry behind a stand-in of a vendor: what holds bytes, and is asked for them.
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};

use super::registry::{Options, Registry};

/// A registry that only its vendor sees.
pub(crate) struct Behind {
    inner: Registry,
    http: reqwest::Client,
}

/// One request to be handed on.
pub(crate) struct Handed<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: &'a [(String, String)],
    pub(crate) body: &'a Bytes,
}

impl Behind {
    pub(crate) async fn start() -> Self {
        let inner = Registry::start_with(Options { referrers: false, ..Options::default() }).await;
        Self { inner, http: reqwest::Client::builder().no_proxy().build().expect("a client") }
    }

    /// The same call to the registry behind, without the credentials.
    pub(crate) async fn ask(&self, handed: Handed<'_>, path: &str) -> Response {
        let mut url: reqwest::Url = format!("{}{path}", self.inner.url()).parse().expect("an address");
        url.query_pairs_mut().extend_pairs(handed.query);
        let mut headers = handed.headers.clone();
        for name in ["authorization", "host", "content-length", "transfer-encoding"] {
            headers.remove(name);
        }
        let sent = self.http.request(handed.method.clone(), url).headers(headers).body(handed.body.clone());
        let answer = sent.send().await.expect("the registry behind answers");
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.expect("its body");
        let mut response = (status, Body::from(body)).into_response();
        for (name, value) in &headers {
            let is_framing = matches!(name.as_str(), "content-length" | "transfer-encoding" | "connection" | "date");
            if !is_framing || (*handed.method == Method::HEAD && name == "content-length") {
                response.headers_mut().insert(name.clone(), value.clone());
            }
        }
        response
    }
}
