//! Chart archives and a web server for them.
#![allow(dead_code, reason = "each test binary uses its own part of it")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use prodpin::model::Digest;

/// A file in a tar archive.
pub(crate) fn file(name: &str, content: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    block[148..156].fill(b' ');
    block[156] = b'0';
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block.extend_from_slice(content);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A chart that says something, so that two of one version can differ.
pub(crate) fn archive(name: &str, version: &str, text: &str) -> Vec<u8> {
    let about = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    let mut tar = file(&format!("{name}/Chart.yaml"), about.as_bytes());
    tar.extend(file(&format!("{name}/values.yaml"), text.as_bytes()));
    tar.extend([0; 1024]);
    gzip(&tar)
}

/// An index of these entries: chart, version, digest, URL.
pub(crate) fn index(entries: &[(&str, &str, Option<Digest>, &str)]) -> String {
    let mut charts: BTreeMap<&str, String> = BTreeMap::new();
    for (name, version, digest, url) in entries {
        let text = charts.entry(name).or_default();
        text.push_str(&format!("  - name: {name:?}\n    version: {version:?}\n    urls: [{url:?}]\n"));
        text.push_str("    created: \"2026-01-02T03:04:05.678901234Z\"\n");
        if let Some(digest) = digest {
            text.push_str(&format!("    digest: {}\n", digest.hex()));
        }
    }
    let mut text = "apiVersion: v1\nentries:\n".to_owned();
    for (name, entries) in &charts {
        text.push_str(&format!("  {name:?}:\n{entries}"));
    }
    if charts.is_empty() { "apiVersion: v1\nentries: {}\n".to_owned() } else { text }
}

/// What a path answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) conditional: bool,
}

#[derive(Debug, Default)]
struct Shared {
    answers: BTreeMap<String, Answer>,
    seen: Vec<Seen>,
    password: Option<String>,
    /// Each so many-th request is refused; 0: none is.
    refused: usize,
}

/// A file server that knows what was asked of it.
#[derive(Debug, Clone)]
pub(crate) struct Shop {
    pub(crate) port: u16,
    shared: Arc<Mutex<Shared>>,
}

impl Shop {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let (address, _) = super::serve::serve(app).await;
        Self { port: address.port(), shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Answers each so many-th request with 429.
    pub(crate) fn refuse_each(&self, every: usize) {
        self.shared.lock().expect("a lock").refused = every;
    }

    /// Asks everyone for this `Authorization`.
    pub(crate) fn lock(&self, authorization: &str) {
        self.shared.lock().expect("a lock").password = Some(authorization.to_owned());
    }

    pub(crate) fn put(&self, path: &str, media_type: &str, body: impl Into<Vec<u8>>) {
        let headers = vec![("content-type", media_type.to_owned())];
        self.answer(path, Answer { status: 200, headers, body: body.into() });
    }

    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.shared.lock().expect("a lock").answers.insert(path.to_owned(), answer);
    }

    pub(crate) fn remove(&self, path: &str) {
        self.shared.lock().expect("a lock").answers.remove(path);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.lock().expect("a lock").seen.clone()
    }

    pub(crate) fn asked(&self, path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path == path).count()
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response {
    let get = |headers: &HeaderMap, name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let condition = get(request.headers(), header::IF_NONE_MATCH);
    let seen = Seen {
        method: request.method().to_string(),
        path: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        authorization: get(request.headers(), header::AUTHORIZATION),
        conditional: condition.is_some(),
    };
    let mut shared = shared.lock().expect("a lock");
    shared.seen.push(seen.clone());
    let plain = |status: StatusCode, body: &str| {
        let html = Response::builder().status(status).header("content-type", "text/html");
        html.body(Body::from(body.to_owned())).expect("an answer")
    };
    if shared.refused > 0 && shared.seen.len().is_multiple_of(shared.refused) {
        let refusal = Response::builder().status(StatusCode::TOO_MANY_REQUESTS).header("retry-after", "0");
        return refusal.body(Body::empty()).expect("an answer");
    }
    if shared.password.is_some() && shared.password != seen.authorization {
        return plain(StatusCode::UNAUTHORIZED, "who are you?");
    }
    let Some(known) = shared.answers.get(&seen.path) else { return plain(StatusCode::NOT_FOUND, "<h1>404</h1>") };
    // A large body is not worth the hash, and none of these is asked for twice.
    let small = &known.body[..known.body.len().min(1 << 20)];
    let etag = format!("\"{}\"", Digest::sha256(small).hex());
    if known.status == 200 && condition.as_deref() == Some(&etag) {
        return Response::builder().status(304).body(Body::empty()).expect("an answer");
    }
    let mut response = Response::builder().status(known.status).header("etag", etag);
    for (name, value) in &known.headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(known.body.clone())).expect("an answer")
}
