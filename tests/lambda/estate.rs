//! The deployed function from end to end, on a stand-in of AWS that others wrote: an image or an object is replaced, the
//! event comes, and the finding and the alert are there within seconds, after one repository was read.

#![allow(clippy::print_stderr, reason = "a test that measures says what")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_sdk_ecr::primitives::Blob;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use prodpin::model::Digest;
use prodpin::sources::memory::{Content, image};
use serde_json::{Value, json};

use crate::left_out::left_out;
use crate::runtime_api::{Answered, RuntimeApi};
use crate::{Bootstrap, ECR_PUSH, ENOUGH, RULE, command, event, failed, ran};

const REGION: &str = "eu-west-1";
/// Whose everything is that the stand-in keeps for its usual credentials.
const ACCOUNT: &str = "123456789012";

/// One request on its way to the stand-in.
#[derive(Debug, Clone)]
struct Call {
    target: String,
    path: String,
    body: Bytes,
}

impl Call {
    /// The ECR repository that it is about.
    fn repository(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let named = body["repositoryName"].as_str().or_else(|| body["repositoryNames"][0].as_str());
        // Rules of the registry name no repository, and one is judged by them: whether a cache moves its tags (A46).
        let of_registry = ["DescribePullThroughCacheRules", "DescribeRegistry", "DescribeRepositoryCreationTemplates"];
        if named.is_none() && of_registry.iter().any(|call| self.target.ends_with(call)) {
            return None;
        }
        Some(named.unwrap_or("every repository").to_owned())
    }
}

/// Stands before the stand-in and notes what goes there; at `/hook` it takes alerts.
#[derive(Clone)]
struct Front {
    upstream: Arc<str>,
    http: reqwest::Client,
    calls: Arc<Mutex<Vec<Call>>>,
    reported: Arc<Mutex<Vec<Value>>>,
}

impl Front {
    async fn start(upstream: &str) -> (Self, String) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let front = Self { upstream: upstream.into(), http, calls: Arc::default(), reported: Arc::default() };
        let (address, _) = crate::serve::serve(Router::new().fallback(pass).with_state(front.clone())).await;
        (front, format!("http://{address}"))
    }

    fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn take_reported(&self) -> Vec<Value> {
        std::mem::take(&mut self.reported.lock().unwrap())
    }
}

async fn pass(State(front): State<Front>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 16 << 20).await.unwrap();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    if parts.method == Method::POST && path == "/hook" {
        front.reported.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        return StatusCode::OK.into_response();
    }
    let target = parts.headers.get("x-amz-target").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    front.calls.lock().unwrap().push(Call { target, path: path.clone(), body: body.clone() });
    let url = format!("{}{path}", front.upstream);
    let answer = front.http.request(parts.method, url).headers(parts.headers).body(body).send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().remove("transfer-encoding");
    response.headers_mut().remove("connection");
    response
}

/// What is deployed: two image repositories, a bucket with two services, the ledger's bucket.
struct Estate {
    ecr: aws_sdk_ecr::Client,
    s3: aws_sdk_s3::Client,
    corner: String,
    front: Front,
    url: String,
    policy: String,
}

impl Estate {
    async fn new(upstream: &str) -> Self {
        let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let corner = format!("events-{unique}");
        let (front, url) = Front::start(upstream).await;
        // Past the front: these calls are not the function's.
        let chain = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(REGION)
            .credentials_provider(aws_sdk_ecr::config::Credentials::new("testing", "testing", None, None, "tests"))
            .endpoint_url(upstream)
            .load()
            .await;
        let s3 = aws_sdk_s3::config::Builder::from(&chain).force_path_style(true).build();
        let policy = format!(
            "version: 1\nledger: s3://{corner}-ledger/prodpin\nsources:\n  images:\n    \
               ecr: {{ region: {REGION}, registry: \"{ACCOUNT}\" }}\n    repositories: [\"{corner}/*\"]\n  \
             bundles: {{ s3: {corner}, endpoint: \"{url}\", layout: \"{{repository}}/{{version}}/bundle.zip\" }}\n\
             production:\n  - {{ tags: [\"v*\"], order: semver }}\n\
             alerts:\n  hook: {{ webhook: \"{url}/hook\", secret: \"${{HOOK_SECRET}}\", private: true }}\n",
        );
        let (ecr, s3) = (aws_sdk_ecr::Client::new(&chain), aws_sdk_s3::Client::from_conf(s3));
        let estate = Self { ecr, s3, corner, front, url, policy };
        estate.fill().await;
        estate
    }

    async fn fill(&self) {
        for bucket in [self.corner.clone(), format!("{}-ledger", self.corner)] {
            let here = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(REGION.into());
            let create = self.s3.create_bucket().bucket(&bucket).create_bucket_configuration(here.build());
            create.send().await.unwrap();
            let versions = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
            let enable = self.s3.put_bucket_versioning().bucket(bucket).versioning_configuration(versions);
            enable.send().await.unwrap();
        }
        for service in ["api", "web"] {
            self.ecr.create_repository().repository_name(self.repository(service)).send().await.unwrap();
            for minor in 0..3 {
                self.push(service, &format!("v1.{minor}.0"), &format!("{service} {minor}")).await;
                self.put(service, &format!("v1.{minor}.0"), &format!("{service} {minor}")).await;
            }
        }
    }

    fn repository(&self, service: &str) -> String {
        format!("{}/{service}", self.corner)
    }

    async fn push(&self, service: &str, tag: &str, what: &str) -> String {
        let (repository, content): (String, Content) = (self.repository(service), image(what));
        for (digest, blob) in content.blobs() {
            let started = self.ecr.initiate_layer_upload().repository_name(&repository).send().await.unwrap();
            let id = started.upload_id().unwrap();
            let part = self.ecr.upload_layer_part().repository_name(&repository).upload_id(id);
            let last = i64::try_from(blob.len()).unwrap() - 1;
            let part = part.layer_part_blob(Blob::new(blob)).part_first_byte(0).part_last_byte(last);
            part.send().await.unwrap();
            let done = self.ecr.complete_layer_upload().repository_name(&repository).upload_id(id);
            // It may be there already.
            let _ = done.layer_digests(digest.to_string()).send().await;
        }
        let digest = content.digest().to_string();
        let put = self.ecr.put_image().repository_name(&repository).image_tag(tag).image_digest(&digest);
        let put = put.image_manifest(String::from_utf8(content.bytes().to_vec()).unwrap());
        put.image_manifest_media_type(content.media_type()).send().await.unwrap();
        digest
    }

    async fn put(&self, service: &str, version: &str, what: &str) -> String {
        let key = format!("{service}/{version}/bundle.zip");
        let body = ByteStream::from(what.as_bytes().to_vec());
        self.s3.put_object().bucket(&self.corner).key(&key).body(body).send().await.unwrap();
        key
    }

    fn image_event(&self, service: &str, tag: &str, digest: &str, action: &str) -> Value {
        let mut event = event(ECR_PUSH);
        event["account"] = json!(ACCOUNT);
        event["region"] = json!(REGION);
        event["detail"]["repository-name"] = json!(self.repository(service));
        event["detail"]["image-tag"] = json!(tag);
        event["detail"]["image-digest"] = json!(digest);
        event["detail"]["action-type"] = json!(action);
        event
    }
}

fn deploy(policy: &str, endpoint: &str, api: &RuntimeApi) -> Bootstrap {
    let child = command(policy, "audit")
        .env("AWS_LAMBDA_RUNTIME_API", api.address())
        .env("AWS_ACCESS_KEY_ID", "testing")
        .env("AWS_SECRET_ACCESS_KEY", "testing")
        .env("AWS_REGION", REGION)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("HOOK_SECRET", "a-word-for-the-tests")
        .env("NO_PROXY", "127.0.0.1")
        .stdout(std::process::Stdio::null())
        .spawn();
    Bootstrap(child.unwrap())
}

/// The stand-in's address, or a word about what is left out without it.
fn stand_in() -> Option<String> {
    let url = std::env::var("PRODPIN_TEST_S3").ok();
    if url.is_none() {
        assert!(std::env::var_os("PRODPIN_TEST_REQUIRED").is_none(), "PRODPIN_TEST_S3 is not set");
        left_out("the function on a stand-in of AWS", "PRODPIN_TEST_S3 is not set; run tests/run.sh");
    }
    url
}

/// The codes of the findings in an answer, of what they are about.
fn codes(answer: &Value) -> Vec<(&str, &str)> {
    let findings = answer["findings"].as_array().unwrap();
    findings.iter().map(|one| (one["code"].as_str().unwrap(), one["repository"].as_str().unwrap_or(""))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_replaced_is_told_within_seconds_of_the_event_and_only_its_repository_is_read_i13_f84() {
    let Some(upstream) = stand_in() else { return };
    let estate = Estate::new(&upstream).await;
    let front = &estate.front;
    let mut api = RuntimeApi::start().await;
    let _bootstrap = deploy(&estate.policy, &estate.url, &api);
    let all = api.invoke(&event(RULE), ENOUGH).await;
    assert_eq!(
        (&ran(&all)["summary"]["targets"], &ran(&all)["run"]["complete"]),
        (&json!(12), &json!(true)),
        "{all:?}"
    );
    front.take_reported();

    // An image. Its tag moves; the event of what went away comes late, after that of what came, and twice.
    let digest = estate.push("api", "v1.1.0", "an implant").await;
    front.take_calls();
    let began = Instant::now();
    let moved = api.invoke(&estate.image_event("api", "v1.1.0", &digest, "PUSH"), ENOUGH).await;
    let took = began.elapsed();
    assert!(codes(ran(&moved)).contains(&("tag-moved", &format!("images/{}", estate.repository("api")))), "{moved:?}");
    let reported = front.take_reported();
    assert!(reported.len() == 1 && reported[0].to_string().contains("tag-moved"), "{reported:?}");
    assert!(took < SECONDS, "{took:?}");
    let calls = front.take_calls();
    let asked: Vec<String> =
        calls.iter().filter(|call| call.target.contains("ContainerRegistry")).filter_map(Call::repository).collect();
    assert!(!asked.is_empty() && asked.iter().all(|name| *name == estate.repository("api")), "{asked:?}");
    let objects = |calls: &[Call], bucket: &str| {
        let of = format!("/{bucket}");
        let within =
            |path: &str| path.strip_prefix(&of).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        calls.iter().filter(|call| within(&call.path)).map(|call| call.path.clone()).collect::<Vec<_>>()
    };
    assert_eq!(objects(&calls, &estate.corner), Vec::<String>::new(), "nothing is asked of the other source");
    eprintln!("an image action: {took:?}, {} calls, {} of them to ECR", calls.len(), asked.len());
    let again = api.invoke(&estate.image_event("api", "v1.1.0", &digest, "PUSH"), ENOUGH).await;
    for _ in 0..2 {
        let late = api.invoke(&estate.image_event("api", "v1.1.0", &digest, "DELETE"), ENOUGH).await;
        assert_eq!(ran(&late)["report"], ran(&again)["report"], "what is true now is what counts");
    }
    assert_eq!(front.take_reported(), Vec::<Value>::new(), "told once");

    // An object, by the bus, and then the same by a topic that feeds a queue.
    let key = estate.put("web", "v1.1.0", "an implant").await;
    front.take_calls();
    let mut put = event(include_str!("../suite/events/s3-bus.json"));
    put["detail"]["bucket"]["name"] = json!(estate.corner);
    put["detail"]["object"]["key"] = json!(key);
    let began = Instant::now();
    let written = api.invoke(&put, ENOUGH).await;
    let took = began.elapsed();
    assert!(codes(ran(&written)).contains(&("object-overwritten", "bundles/web")), "{written:?}");
    let reported = front.take_reported();
    assert!(reported.len() == 1 && reported[0].to_string().contains("object-overwritten"), "{reported:?}");
    assert!(took < SECONDS, "{took:?}");
    let calls = front.take_calls();
    assert!(
        calls.iter().all(|call| !call.target.contains("ContainerRegistry")),
        "nothing is asked of the other source"
    );
    let asked = objects(&calls, &estate.corner);
    let listed: Vec<&String> =
        asked.iter().filter(|path| path.contains("versions") && !path.contains("versioning")).collect();
    assert!(!listed.is_empty() && listed.iter().all(|path| path.contains("prefix=web")), "{asked:?}");
    assert!(asked.iter().all(|path| !path.contains("/api/")), "{asked:?}");
    eprintln!("an object event: {took:?}, {} calls, {} of them to the bucket", calls.len(), asked.len());
    let before = api.invoke(&put, ENOUGH).await;
    let mut queue = event(include_str!("../suite/events/sqs.json"));
    let mut topic = event(include_str!("../suite/events/sns-in-sqs.json"));
    topic["Message"] = json!(put.to_string());
    queue["Records"][0]["body"] = json!(topic.to_string());
    let queued = api.invoke(&queue, ENOUGH).await;
    assert_eq!(ran(&queued)["report"], ran(&before)["report"], "by whatever way it came");
    assert_eq!(front.take_reported(), Vec::<Value>::new(), "told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_elsewhere_is_named_with_the_next_step() {
    let Some(upstream) = stand_in() else { return };
    let estate = Estate::new(&upstream).await;
    let ledger = format!("ledger: s3://{}-ledger/prodpin", estate.corner);
    let cases = [
        (
            "ledger: s3://nobodys-bucket/prodpin".to_owned(),
            ["NoRun: ", "s3://nobodys-bucket/prodpin", "create it first"],
        ),
        (
            format!("{ledger}\nledger_key: {{ kms: alias/nobodys }}"),
            ["NoRun: ", "kms:GetPublicKey on alias/nobodys failed", "NotFound"],
        ),
    ];
    for (said, expected) in cases {
        let mut api = RuntimeApi::start().await;
        let _bootstrap = deploy(&estate.policy.replace(&ledger, &said), &estate.url, &api);
        let reported = failed(api.invoke(&event(RULE), ENOUGH).await);
        assert!(expected.iter().all(|part| reported.contains(part)), "{reported}");
    }

    let mut api = RuntimeApi::start().await;
    let _bootstrap = deploy(&estate.policy, &estate.url, &api);
    let push = estate.image_event("api", "v1.0.0", &Digest::sha256(b"any").to_string(), "PUSH");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut event = push.clone();
        change(&mut event);
        event
    };
    let elsewhere = [
        (changed(&|event| event["account"] = json!("999999999999")), "of account 999999999999, eu-west-1"),
        (changed(&|event| event["region"] = json!("us-east-1")), "of account 123456789012, us-east-1"),
        (changed(&|event| event["detail"]["repository-name"] = json!("nobodys/api")), "nobodys/api in ECR"),
    ];
    for (event, named) in elsewhere {
        let Answered::Response(answer) = api.invoke(&event, ENOUGH).await else { panic!("{named}") };
        assert!(answer["outcome"] == "nothing" && answer["reason"].as_str().unwrap().contains(named), "{answer}");
    }
    // Pushed by digest alone: the repository is looked at all the same (A41).
    let untagged = changed(&|event| drop(event["detail"].as_object_mut().unwrap().remove("image-tag")));
    assert_eq!(ran(&api.invoke(&untagged, ENOUGH).await)["run"]["complete"], true);
    // Gone: the repository is not there any more, which is no reason to believe that its images were never there (I4).
    let gone = changed(&|event| event["detail"]["repository-name"] = json!(estate.repository("gone")));
    let reported = api.invoke(&gone, ENOUGH).await;
    assert!(!matches!(&reported, Answered::Response(answer) if answer["run"]["complete"] == true), "{reported:?}");
}

/// A debug build and everything else that a busy machine does included.
const SECONDS: Duration = Duration::from_secs(20);
