//! A small Amazon ECR in this process, made from the service model's shapes: what the stand-ins that can be installed
//! lack, it has: pages, images in the archive, previews, immutability refused in the right words. It is honest by itself;
//! a test interposes whatever it wants to be lied to.
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

mod answers;
pub(crate) mod cloudtrail;
pub(crate) mod corner;
pub(crate) mod v2;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_ecr::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prodpin::model::{Digest, NamePatterns};
use prodpin::policy::EcrConfig;
use prodpin::sources::ecr::{Tuning, open_to_release, open_tuned};
use prodpin::sources::memory::Content;
use prodpin::sources::oci::HttpEnvironment;
use prodpin::sources::{OpenOptions, OpenToRelease, Source};
use serde_json::{Value, json};

use self::answers::answer;

/// Whose registry it is.
pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-west-1";

/// An access key that may do everything, and one that may nothing.
pub(crate) const TRUSTED: &str = "TRUSTED";
pub(crate) const STRANGER: &str = "STRANGER";

/// One call as it came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// `DescribeImages`.
    pub(crate) operation: String,
    pub(crate) input: Value,
    /// The access key that signed it.
    pub(crate) key: String,
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// A length that is announced in place of the true one.
    pub(crate) announced: Option<usize>,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: 200, body: body.to_string().into(), announced: None }
    }

    pub(crate) fn error(code: &str, message: &str) -> Self {
        let status = if code == "ServerException" { 500 } else { 400 };
        Self { status, ..Self::ok(json!({ "__type": code, "message": message })) }
    }
}

type Lie = Box<dyn FnMut(&Call) -> Option<Answer> + Send>;

/// One image.
#[derive(Debug, Clone)]
pub(crate) struct StoredImage {
    pub(crate) digest: Digest,
    pub(crate) text: String,
    pub(crate) media_type: String,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) pushed: i64,
    pub(crate) status: String,
}

/// One repository.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredRepository {
    /// Mode and filters; mutable if empty.
    pub(crate) mode: String,
    pub(crate) filters: Vec<String>,
    pub(crate) images: Vec<StoredImage>,
    pub(crate) layers: BTreeMap<String, usize>,
    /// Their bytes, where they were pushed.
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    pub(crate) lifecycle: Option<String>,
    pub(crate) policy: Option<String>,
}

/// The registry's content.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    pub(crate) repositories: BTreeMap<String, StoredRepository>,
    /// Prefix and upstream.
    pub(crate) cache: Vec<(String, String)>,
    /// What a preview says: digest, priority, action.
    pub(crate) preview: Vec<(Digest, i32, &'static str)>,
}

#[derive(Default)]
struct Shared {
    holdings: Mutex<Holdings>,
    calls: Mutex<Vec<Call>>,
    lies: Mutex<Vec<Lie>>,
    uploads: Mutex<v2::Uploads>,
}

/// A running registry; it ends when this is dropped.
pub(crate) struct EcrServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl EcrServer {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let app = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let (address, task) = super::serve::serve(app).await;
        Self { address, shared, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The content, to look at and to change.
    pub(crate) fn holdings(&self) -> MutexGuard<'_, Holdings> {
        held(&self.shared.holdings)
    }

    /// Answers in place of the honest registry wherever it answers anything.
    pub(crate) fn lie(&self, lie: impl FnMut(&Call) -> Option<Answer> + Send + 'static) {
        held(&self.shared.lies).push(Box::new(lie));
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        held(&self.shared.calls).clone()
    }

    /// How many calls of one operation came.
    pub(crate) fn count(&self, operation: &str) -> usize {
        held(&self.shared.calls).iter().filter(|call| call.operation == operation).count()
    }

    pub(crate) fn forget_calls(&self) {
        held(&self.shared.calls).clear();
    }

    /// Pushes content under a tag, as a client would: parts first. A tag that is there moves.
    pub(crate) fn push(&self, repository: &str, tag: &str, content: &Content) -> Digest {
        let mut holdings = self.holdings();
        let repository = holdings.repositories.entry(repository.to_owned()).or_default();
        for part in content.children().iter().chain([content]) {
            repository.layers.extend(part.blobs().into_iter().map(|(digest, blob)| (digest.to_string(), blob.len())));
            let bytes = part.blobs().into_iter().map(|(digest, blob)| (digest.to_string(), blob.to_vec()));
            repository.blobs.extend(bytes);
            let text = String::from_utf8(part.bytes().to_vec()).expect("manifests are text");
            repository.store(&text, part.media_type(), None);
        }
        repository.tag(tag, &content.digest());
        content.digest()
    }

    /// The configuration of a source that looks at it.
    pub(crate) fn config(&self, patterns: &[&str]) -> EcrConfig {
        EcrConfig {
            region: Some(REGION.to_owned()),
            assume_role: None,
            external_id: None,
            registry: Some(ACCOUNT.to_owned()),
            endpoint: Some(self.url().parse().expect("a URL")),
            may_delete: Arc::default(),
            manages_lifecycle: false,
            asks_cloudtrail: false,
            repositories: NamePatterns::new(patterns).expect("patterns"),
            max_concurrency: None,
        }
    }

    pub(crate) async fn open_as(&self, key: &str, patterns: &[&str], write: bool) -> Source {
        let options = OpenOptions { write, rehearse: true, tried: false, concurrency: 8, deadline: None };
        self.open_with(&self.config(patterns), &options, key).await
    }

    pub(crate) async fn open_with(&self, config: &EcrConfig, options: &OpenOptions, key: &str) -> Source {
        let tuning = Tuning {
            page_size: 7,
            credentials: Some(credentials(key)),
            tries: 3,
            cloudtrail: Some(self.url().parse().expect("a URL")),
        };
        let name = "payments".parse().expect("a name");
        open_tuned(&name, config, options, &HttpEnvironment::default(), tuning).await.expect("a source")
    }
}

impl EcrServer {
    /// A source of it as `release --apply` has it.
    pub(crate) async fn open_to_release(&self) -> OpenToRelease {
        let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 8, deadline: None };
        let tuning = Tuning { page_size: 7, credentials: Some(credentials(TRUSTED)), tries: 3, cloudtrail: None };
        let (name, config) = ("payments".parse().expect("a name"), self.config(&["shop/**"]));
        open_to_release(&name, &config, &options, &HttpEnvironment::default(), tuning).await.expect("a source")
    }
}

impl Drop for EcrServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn credentials(key: &str) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(key, "secret", None, None, "tests"))
}

impl StoredRepository {
    pub(crate) fn image(&mut self, digest: &Digest) -> &mut StoredImage {
        self.images.iter_mut().find(|image| image.digest == *digest).expect("an image that was pushed")
    }

    fn store(&mut self, text: &str, media_type: &str, tag: Option<&str>) -> Digest {
        let digest = Digest::sha256(text.as_bytes());
        if self.images.iter().all(|image| image.digest != digest) {
            self.images.push(StoredImage {
                digest: digest.clone(),
                text: text.to_owned(),
                media_type: media_type.to_owned(),
                tags: BTreeSet::new(),
                pushed: 1_700_000_000 + i64::try_from(self.images.len()).expect("few"),
                status: "ACTIVE".to_owned(),
            });
        }
        if let Some(tag) = tag {
            self.tag(tag, &digest);
        }
        digest
    }

    pub(crate) fn tag(&mut self, tag: &str, digest: &Digest) {
        for image in &mut self.images {
            image.tags.remove(tag);
        }
        self.image(digest).tags.insert(tag.to_owned());
    }

    fn is_immutable(&self, tag: &str) -> bool {
        let named = self.filters.iter().any(|filter| {
            let filter = filter.trim_end_matches('*');
            tag.starts_with(filter)
        });
        match self.mode.as_str() {
            "IMMUTABLE" => true,
            "IMMUTABLE_WITH_EXCLUSION" => !named,
            "MUTABLE_WITH_EXCLUSION" => named,
            _ => false,
        }
    }

    fn find(&self, id: &Value) -> Option<&StoredImage> {
        let digest = id["imageDigest"].as_str();
        let tag = id["imageTag"].as_str();
        self.images.iter().find(|image| {
            digest.is_none_or(|digest| image.digest.to_string() == digest)
                && tag.is_none_or(|tag| image.tags.contains(tag))
        })
    }
}

fn header(request: &Request, name: &str) -> String {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// The registry protocol, by whoever has the password.
async fn serve_v2(shared: &Shared, request: Request) -> Response {
    let login = format!("Basic {}", STANDARD.encode(format!("AWS:{}", v2::PASSWORD)));
    if header(&request, AUTHORIZATION.as_str()) != login {
        return v2::challenge();
    }
    let (range, media_type) = (header(&request, "range"), header(&request, "content-type"));
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let body = to_bytes(request.into_body(), 64 << 20).await.expect("a request's body");
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let asked = v2::Asked { method: &method, path, query, range: &range, media_type: &media_type, body: &body };
    let answered = v2::answer(&mut held(&shared.holdings).repositories, &mut held(&shared.uploads), &asked);
    let (actions, response) = answered;
    let call =
        |action: &str| Call { operation: action.to_owned(), input: json!({ "path": path }), key: "v2".to_owned() };
    held(&shared.calls).extend(actions.into_iter().map(call));
    response
}

fn authorization(host: &str) -> Answer {
    let token = STANDARD.encode(format!("AWS:{}", v2::PASSWORD));
    let data =
        json!({ "authorizationToken": token, "expiresAt": 1_999_999_999, "proxyEndpoint": format!("http://{host}") });
    Answer::ok(json!({ "authorizationData": [data] }))
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    if request.uri().path().starts_with("/v2/") {
        return serve_v2(&shared, request).await;
    }
    let host = header(&request, "host");
    let (target, signed) = (header(&request, "x-amz-target"), header(&request, AUTHORIZATION.as_str()));
    let key = signed.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    let key = key.to_owned();
    let body = to_bytes(request.into_body(), 64 << 20).await.expect("a request's body");
    let operation = target.rsplit_once('.').map_or("", |(_, operation)| operation).to_owned();
    let call = Call { operation, input: serde_json::from_slice(&body).expect("JSON"), key };
    held(&shared.calls).push(call.clone());
    let lied = held(&shared.lies).iter_mut().find_map(|lie| lie(&call));
    let answer = lied.unwrap_or_else(|| match call.operation.as_str() {
        "GetAuthorizationToken" if call.key != STRANGER => authorization(&host),
        _ => answer(&mut held(&shared.holdings), &call),
    });
    let mut response = Response::builder().status(answer.status).header("content-type", "application/x-amz-json-1.1");
    if let Some(announced) = answer.announced {
        // A length that is not the body's: a stream, so that nobody corrects it.
        response = response.header("content-length", announced);
        let body = futures::stream::iter([Ok(answer.body), Err(std::io::Error::other("broken off"))]);
        return response.body(Body::from_stream(body)).expect("a response");
    }
    response.body(Body::from(answer.body)).expect("a response")
}
