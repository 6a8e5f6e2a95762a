//! The real `bootstrap` against a stand-in of the Lambda Runtime API: events in, answers and errors out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends; not only in functions marked as tests")]

mod estate;
#[path = "../support/left_out.rs"]
mod left_out;
#[path = "../support/push.rs"]
mod push;
#[path = "../support/registry.rs"]
mod registry;
mod runtime_api;
#[path = "../support/serve.rs"]
mod serve;

use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use prodpin::sources::memory::Content;
use serde_json::{Value, json};

use push::Pusher;
use registry::Registry;
use runtime_api::{Answered, RuntimeApi};

const RULE: &str = include_str!("../suite/events/rule.json");
const SCHEDULER: &str = include_str!("../suite/events/scheduler.json");
const ECR_PUSH: &str = include_str!("../suite/events/ecr-push.json");
const S3_TEST: &str = include_str!("../suite/events/s3-test.json");

/// The function's process, ended with the test.
struct Bootstrap(Child);

impl Drop for Bootstrap {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(policy: &str, mode: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
    command
        .env_clear()
        .env("PRODPIN_POLICY_TEXT", policy)
        .env("PRODPIN_MODE", mode)
        .env("AWS_LAMBDA_FUNCTION_NAME", "prodpin-test")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "group")
        .stdin(Stdio::null());
    command
}

fn policy(directory: &tempfile::TempDir, url: &str) -> String {
    format!(
        "version: 1\nledger: {}\nsources:\n  shop: {{ oci: \"{url}\", repositories: [\"shop/*\"] }}\nproduction:\n  - {{ tags: [\"v*\"] }}\n",
        directory.path().join("ledger").display(),
    )
}

async fn registry() -> Registry {
    let registry = Registry::start().await;
    for repository in ["shop/api", "shop/web"] {
        for minor in 0..3 {
            let content = Content::from(format!("{repository} {minor}").as_str());
            Pusher::new(&registry.url()).push(repository, &format!("v1.{minor}.0"), &content).await;
        }
    }
    registry
}

fn event(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn ran(answered: &Answered) -> &Value {
    match answered {
        Answered::Response(value) => {
            assert_eq!(value["outcome"], "ran", "{value}");
            value
        }
        Answered::Error(error) => panic!("{error}"),
    }
}

fn failed(answered: Answered) -> String {
    match answered {
        Answered::Error(error) => {
            format!("{}: {}", error["errorType"].as_str().unwrap(), error["errorMessage"].as_str().unwrap())
        }
        Answered::Response(value) => panic!("{value}"),
    }
}

const ENOUGH: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_answered_by_the_same_process_and_duplicates_change_nothing_i13_g150() {
    let registry = registry().await;
    let directory = tempfile::tempdir().unwrap();
    let mut api = RuntimeApi::start().await;
    let out = directory.path().join("stdout");
    let child = command(&policy(&directory, &registry.url()), "enforce")
        .env("AWS_LAMBDA_RUNTIME_API", api.address())
        .stdout(std::fs::File::create(&out).unwrap())
        .spawn()
        .unwrap();
    let _bootstrap = Bootstrap(child);

    let whole = api.invoke(&event(RULE), ENOUGH).await;
    assert_eq!(ran(&whole)["summary"]["protected"], 6, "{whole:?}");
    assert!(std::path::Path::new(ran(&whole)["report"].as_str().unwrap()).is_file(), "the report is where it says");
    let again = api.invoke(&event(SCHEDULER), ENOUGH).await;
    let more = api.invoke(&event(RULE), ENOUGH).await;
    assert_eq!(ran(&more)["report"], ran(&again)["report"], "a duplicate finds the same");

    // A moved tag is found by the event, and only its repository is read.
    Pusher::new(&registry.url()).push("shop/api", "v1.1.0", &Content::from("an implant")).await;
    registry.forget_requests();
    let moved = api.invoke(&json!({ "repository": "shop/api" }), ENOUGH).await;
    assert_eq!(ran(&moved)["findings"][0]["code"], "tag-moved");
    assert!(registry.requests().iter().all(|request| !request.path.contains("shop/web")), "{:?}", registry.requests());
    // The first one pinned what it found; from the second one on nothing changes.
    let twice = api.invoke(&json!({ "repository": "shop/api" }), ENOUGH).await;
    registry.forget_requests();
    let thrice = api.invoke(&json!({ "repository": "shop/api" }), ENOUGH).await;
    assert_eq!(ran(&thrice)["report"], ran(&twice)["report"]);
    assert!(registry.requests().iter().all(|request| matches!(request.method.as_str(), "GET" | "HEAD")));

    // What is not covered, what tests, what nobody knows.
    for nothing in [ECR_PUSH, S3_TEST] {
        let answered = api.invoke(&event(nothing), ENOUGH).await;
        assert!(matches!(&answered, Answered::Response(value) if value["outcome"] == "nothing"), "{answered:?}");
    }
    assert!(failed(api.invoke(&json!({ "key1": "value1" }), ENOUGH).await).contains("unknown field `key1`"));
    assert!(failed(api.invoke(&json!({ "source": "nowhere" }), ENOUGH).await).contains("no source nowhere"));
    // A queue whose one message says what nobody knows: it goes back, with the reason.
    let reported = failed(api.invoke(&event(include_str!("../suite/events/sqs.json")), ENOUGH).await);
    assert!(reported.contains("059f36b4-87a3-44ab-83d2-661975830a7d") && reported.contains("no JSON"), "{reported}");
    // An error ends nothing.
    assert_eq!(ran(&api.invoke(&event(RULE), ENOUGH).await)["summary"]["targets"], 7);

    let lines = std::fs::read_to_string(&out).unwrap();
    let metrics: Vec<Value> =
        lines.lines().filter(|line| line.contains("_aws")).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(metrics.iter().map(|line| line["WholeRuns"].as_u64().unwrap()).sum::<u64>(), 4, "{lines}");
    assert!(metrics.iter().all(|line| line["Function"] == "prodpin-test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_over_before_lambda_would_cut_it_off_f89() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut api = RuntimeApi::start().await;
    let url = format!("http://{}", silent.local_addr().unwrap());
    let child = command(&policy(&directory, &url).replace("shop/*", "shop/api"), "audit")
        .env("AWS_LAMBDA_RUNTIME_API", api.address())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _bootstrap = Bootstrap(child);
    let left = Duration::from_secs(8);
    let asked = Instant::now();
    let reported = failed(api.invoke(&event(RULE), left).await);
    assert!(asked.elapsed() < left, "{:?}", asked.elapsed());
    assert!(
        reported.starts_with("Incomplete: run ")
            && reported.contains(" is incomplete: shop: not everything could be read: ")
            && reported.contains("; its report is "),
        "{reported}"
    );
    // Who asks by hand about one repository is answered.
    let answered = api.invoke(&json!({ "mode": "audit", "repository": "shop/api" }), left).await;
    assert_eq!(ran(&answered)["run"]["complete"], false);
}

#[test]
fn a_policy_that_cannot_be_used_ends_the_start_and_is_in_the_log() {
    let mut child = command("version: 1\nsauces: {}\n", "audit")
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("sauces"), "{log}");
}
