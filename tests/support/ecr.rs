//! A small Amazon ECR in this process, made from the service model's shapes: what the stand-ins that can be installed
//! lack, it has: pages, images in the archive, previews, immutability refused in the right words. It is honest by itself;
//! a test interposes whatever it wants to be lied to.
#![allow(dead_code, reason = "each program that includes this uses its own part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use aws_sdk_ecr::config::{Credentials, SharedCredentialsProvider};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use prodpin::model::{ArtifactId, Digest, NamePatterns, Reference, RepositoryName, Tag};
use prodpin::policy::EcrConfig;
use prodpin::sources::ecr::{Tuning, open_tuned};
use prodpin::sources::memory::Content;
use prodpin::sources::oci::Surroundings;
use prodpin::sources::{OpenOptions, Source};
use serde_json::{Value, json};

use super::contract::{Ability, Fixture};

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

struct Shared {
    holdings: Mutex<Holdings>,
    calls: Mutex<Vec<Call>>,
    lies: Mutex<Vec<Lie>>,
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
        let shared = Arc::new(Shared { holdings: Mutex::default(), calls: Mutex::default(), lies: Mutex::default() });
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
            repositories: NamePatterns::new(patterns).expect("patterns"),
            max_concurrency: None,
        }
    }

    pub(crate) async fn open_as(&self, key: &str, patterns: &[&str], write: bool) -> Source {
        let options = OpenOptions { write, rehearse: true, tried: false, concurrency: 8, deadline: None };
        self.open_with(&self.config(patterns), &options, key).await
    }

    pub(crate) async fn open_with(&self, config: &EcrConfig, options: &OpenOptions, key: &str) -> Source {
        let tuning = Tuning { page_size: 7, credentials: Some(credentials(key)), tries: 3 };
        let name = "payments".parse().expect("a name");
        open_tuned(&name, config, options, &Surroundings::default(), tuning).await.expect("a source")
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
        let digest = Digest::of(text.as_bytes());
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

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (target, signed) = (header(&request, "x-amz-target"), header(&request, AUTHORIZATION.as_str()));
    let key = signed.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    let key = key.to_owned();
    let body = to_bytes(request.into_body(), 64 << 20).await.expect("a request's body");
    let operation = target.rsplit_once('.').map_or("", |(_, operation)| operation).to_owned();
    let call = Call { operation, input: serde_json::from_slice(&body).expect("JSON"), key };
    held(&shared.calls).push(call.clone());
    let lied = held(&shared.lies).iter_mut().find_map(|lie| lie(&call));
    let answer = lied.unwrap_or_else(|| answer(&mut held(&shared.holdings), &call));
    let mut response = Response::builder().status(answer.status).header("content-type", "application/x-amz-json-1.1");
    if let Some(announced) = answer.announced {
        // A length that is not the body's: a stream, so that nobody corrects it.
        response = response.header("content-length", announced);
        let body = futures::stream::iter([Ok(answer.body), Err(std::io::Error::other("broken off"))]);
        return response.body(Body::from_stream(body)).expect("a response");
    }
    response.body(Body::from(answer.body)).expect("a response")
}

fn answer(holdings: &mut Holdings, call: &Call) -> Answer {
    if call.key == STRANGER {
        let message = format!("User: stranger is not authorized to perform: ecr:{}", call.operation);
        return Answer::error("AccessDeniedException", &message);
    }
    let input = &call.input;
    if input["registryId"].as_str().is_some_and(|id| id != ACCOUNT) {
        return Answer::error("RepositoryNotFoundException", "of another registry");
    }
    match call.operation.as_str() {
        "DescribeRepositories" => return describe_repositories(holdings, input),
        "DescribeRegistry" => {
            return Answer::ok(json!({ "registryId": ACCOUNT, "replicationConfiguration": { "rules": [] } }));
        }
        "DescribePullThroughCacheRules" => {
            let rules = holdings.cache.iter().map(|(prefix, from)| {
                json!({ "ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": from, "registryId": ACCOUNT })
            });
            return Answer::ok(json!({ "pullThroughCacheRules": rules.collect::<Vec<_>>() }));
        }
        "DescribeRepositoryCreationTemplates" => {
            return Answer::ok(json!({ "registryId": ACCOUNT, "repositoryCreationTemplates": [] }));
        }
        "GetLifecyclePolicyPreview" => return preview(holdings, input),
        _ => {}
    }
    let name = input["repositoryName"].as_str().unwrap_or_default();
    let Some(repository) = holdings.repositories.get_mut(name) else {
        return Answer::error(
            "RepositoryNotFoundException",
            &format!("The repository with name '{name}' does not exist"),
        );
    };
    match call.operation.as_str() {
        "DescribeImages" => describe_images(repository, name, input),
        "BatchGetImage" => batch_get_image(repository, name, input),
        "BatchCheckLayerAvailability" => {
            let asked = input["layerDigests"].as_array().expect("digests");
            assert!(asked.len() <= 100, "at most 100 layers in a call (A1)");
            let layers = asked.iter().map(|digest| match repository.layers.get(digest.as_str().expect("text")) {
                Some(size) => json!({ "layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": size }),
                None => json!({ "layerDigest": digest, "layerAvailability": "UNAVAILABLE" }),
            });
            Answer::ok(json!({ "layers": layers.collect::<Vec<_>>(), "failures": [] }))
        }
        "GetLifecyclePolicy" => match &repository.lifecycle {
            Some(text) => Answer::ok(json!({ "registryId": ACCOUNT, "lifecyclePolicyText": text })),
            None => Answer::error("LifecyclePolicyNotFoundException", "there is none"),
        },
        "GetRepositoryPolicy" => match &repository.policy {
            Some(text) => Answer::ok(json!({ "registryId": ACCOUNT, "policyText": text })),
            None => Answer::error("RepositoryPolicyNotFoundException", "there is none"),
        },
        "StartLifecyclePolicyPreview" => match (&repository.lifecycle, &input["lifecyclePolicyText"]) {
            (None, Value::Null) => Answer::error("LifecyclePolicyNotFoundException", "there is none"),
            _ => Answer::ok(json!({ "status": "IN_PROGRESS" })),
        },
        "PutImage" => put_image(repository, name, input),
        "PutLifecyclePolicy" => {
            let text = input["lifecyclePolicyText"].as_str().expect("a policy").to_owned();
            repository.lifecycle = Some(text.clone());
            Answer::ok(json!({ "registryId": ACCOUNT, "repositoryName": name, "lifecyclePolicyText": text }))
        }
        other => Answer::error("UnknownOperationException", other),
    }
}

/// One page of a list, by a token that holds the place.
fn page<T: Clone>(all: &[T], input: &Value) -> (Vec<T>, Value) {
    let size = input["maxResults"].as_u64().map_or(100, |size| usize::try_from(size).expect("small"));
    assert!((1..=1000).contains(&size), "maxResults is between 1 and 1000 (A1)");
    let start: usize = input["nextToken"].as_str().map_or(0, |token| token.parse().expect("a token of ours"));
    let end = (start + size).min(all.len());
    let next = if end < all.len() { json!(end.to_string()) } else { Value::Null };
    (all[start..end].to_vec(), next)
}

fn describe_repositories(holdings: &Holdings, input: &Value) -> Answer {
    let row = |(name, repository): (&String, &StoredRepository)| {
        let mode = if repository.mode.is_empty() { "MUTABLE" } else { &repository.mode };
        let filters: Vec<Value> =
            repository.filters.iter().map(|filter| json!({ "filterType": "WILDCARD", "filter": filter })).collect();
        json!({
            "registryId": ACCOUNT,
            "repositoryName": name,
            "repositoryUri": format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{name}"),
            "imageTagMutability": mode,
            "imageTagMutabilityExclusionFilters": filters,
        })
    };
    if let Some(names) = input["repositoryNames"].as_array() {
        assert!(names.len() <= 100 && input["maxResults"].is_null(), "names exclude pages (A1)");
        let mut found = Vec::new();
        for name in names {
            let name = name.as_str().expect("text");
            match holdings.repositories.get_key_value(name) {
                Some(entry) => found.push(row(entry)),
                None => return Answer::error("RepositoryNotFoundException", &format!("'{name}' does not exist")),
            }
        }
        return Answer::ok(json!({ "repositories": found }));
    }
    let all: Vec<Value> = holdings.repositories.iter().map(row).collect();
    let (found, next) = page(&all, input);
    Answer::ok(json!({ "repositories": found, "nextToken": next }))
}

fn describe_images(repository: &StoredRepository, name: &str, input: &Value) -> Answer {
    let row = |image: &StoredImage| {
        json!({
            "registryId": ACCOUNT,
            "repositoryName": name,
            "imageDigest": image.digest.to_string(),
            "imageTags": image.tags,
            "imagePushedAt": image.pushed as f64 + 0.25,
            "imageManifestMediaType": image.media_type,
            "imageStatus": image.status,
        })
    };
    let wanted = input["filter"]["imageStatus"].as_str().unwrap_or("ACTIVE");
    let shown = |image: &&StoredImage| wanted == "ANY" || image.status == wanted;
    if let Some(ids) = input["imageIds"].as_array() {
        assert!(ids.len() <= 100 && input["maxResults"].is_null(), "ids exclude pages (A1)");
        let mut found = Vec::new();
        for id in ids {
            match repository.find(id).filter(shown) {
                Some(image) => found.push(row(image)),
                None => return Answer::error("ImageNotFoundException", "The image does not exist"),
            }
        }
        return Answer::ok(json!({ "imageDetails": found }));
    }
    let all: Vec<Value> = repository.images.iter().filter(shown).map(row).collect();
    let (found, next) = page(&all, input);
    Answer::ok(json!({ "imageDetails": found, "nextToken": next }))
}

fn batch_get_image(repository: &StoredRepository, name: &str, input: &Value) -> Answer {
    assert_eq!(input["acceptedMediaTypes"].as_array().map(Vec::len), Some(4), "all four types (A12)");
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    let ids = input["imageIds"].as_array().expect("ids");
    assert!(ids.len() <= 100, "at most 100 images in a call (A5)");
    for id in ids {
        match repository.find(id) {
            Some(image) if image.status == "ACTIVE" => images.push(json!({
                "registryId": ACCOUNT,
                "repositoryName": name,
                "imageId": { "imageDigest": image.digest.to_string() },
                "imageManifest": image.text,
                "imageManifestMediaType": image.media_type,
            })),
            _ => failures.push(json!({ "imageId": id, "failureCode": "ImageNotFound", "failureReason": "not found" })),
        }
    }
    Answer::ok(json!({ "images": images, "failures": failures }))
}

fn put_image(repository: &mut StoredRepository, name: &str, input: &Value) -> Answer {
    let text = |field: &str| input[field].as_str().unwrap_or_default().to_owned();
    let (manifest, tag, digest) = (text("imageManifest"), text("imageTag"), text("imageDigest"));
    if Digest::of(manifest.as_bytes()).to_string() != digest {
        return Answer::error("ImageDigestDoesNotMatchException", "another digest");
    }
    let before = repository.images.iter().find(|image| image.tags.contains(&tag)).map(|image| image.digest.to_string());
    match before {
        Some(before) if before == digest => return Answer::error("ImageAlreadyExistsException", "it is there"),
        Some(_) if repository.is_immutable(&tag) => {
            return Answer::error("ImageTagAlreadyExistsException", "the tag is immutable");
        }
        _ => {}
    }
    let digest = repository.store(&manifest, &text("imageManifestMediaType"), Some(&tag));
    Answer::ok(json!({ "image": {
        "registryId": ACCOUNT,
        "repositoryName": name,
        "imageId": { "imageDigest": digest.to_string(), "imageTag": tag },
        "imageManifest": manifest,
    } }))
}

fn preview(holdings: &Holdings, input: &Value) -> Answer {
    let rows: Vec<Value> = holdings
        .preview
        .iter()
        .map(|(digest, priority, action)| {
            json!({
                "imageDigest": digest.to_string(),
                "action": { "type": action },
                "appliedRulePriority": priority,
            })
        })
        .collect();
    assert!(input["maxResults"].as_u64().is_some_and(|size| size <= 100), "at most 100 rows (A1)");
    let expiring = holdings.preview.iter().filter(|(.., action)| *action == "EXPIRE").count();
    let (found, next) = page(&rows, input);
    Answer::ok(json!({
        "status": "COMPLETE",
        "previewResults": found,
        "nextToken": next,
        "summary": { "expiringImageTotalCount": expiring },
    }))
}

/// A corner of a registry, for the contract.
pub(crate) struct EcrCorner {
    pub(crate) server: EcrServer,
    corner: u32,
}

impl EcrCorner {
    pub(crate) async fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self { server: EcrServer::start().await, corner: NEXT.fetch_add(1, Ordering::Relaxed) }
    }
}

#[async_trait]
impl Fixture for EcrCorner {
    fn name(&self) -> String {
        "ECR as its service model says".to_owned()
    }

    fn can(&self, ability: Ability) -> bool {
        // What an image says of itself is in its configuration, which ECR gives out elsewhere.
        ability != Ability::Created
    }

    fn repository(&self, name: &str) -> RepositoryName {
        format!("t{}/{name}", self.corner).parse().expect("a repository name")
    }

    fn reference(&self, repository: &RepositoryName, label: &str) -> Reference {
        format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}:{label}").parse().expect("a reference")
    }

    async fn open(&self, patterns: &[&str], write: bool) -> Source {
        self.server.open_as(TRUSTED, patterns, write).await
    }

    async fn open_denied(&self, repository: &RepositoryName) -> Source {
        self.server.open_as(STRANGER, &[repository.as_str()], false).await
    }

    fn writes(&self) -> Option<usize> {
        Some(self.server.count("PutImage"))
    }

    async fn push(&self, repository: &RepositoryName, label: &str, content: &Content) -> ArtifactId {
        self.server.push(repository.as_str(), label, content).into()
    }

    async fn bytes(&self, repository: &RepositoryName, tag: &Tag) -> Option<Vec<u8>> {
        let holdings = self.server.holdings();
        let images = &holdings.repositories.get(repository.as_str())?.images;
        images.iter().find(|image| image.tags.contains(tag.as_str())).map(|image| image.text.clone().into_bytes())
    }

    async fn delete_tag(&self, repository: &RepositoryName, label: &str) {
        let mut holdings = self.server.holdings();
        let repository = holdings.repositories.get_mut(repository.as_str()).expect("a repository");
        for image in &mut repository.images {
            image.tags.remove(label);
        }
    }

    async fn delete_artifact(&self, repository: &RepositoryName, artifact: &ArtifactId) {
        let mut holdings = self.server.holdings();
        let repository = holdings.repositories.get_mut(repository.as_str()).expect("a repository");
        repository.images.retain(|image| Some(&image.digest) != artifact.digest());
    }

    async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) {
        let mut holdings = self.server.holdings();
        holdings.repositories.get_mut(repository.as_str()).expect("a repository").layers.remove(&digest.to_string());
    }
}
