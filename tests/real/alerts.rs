//! Alerts through SNS and EventBridge into a queue, on the server that speaks for AWS.

use std::collections::BTreeMap;

use jiff::Timestamp;
use prodpin::alert::tell;
use prodpin::model::{Code, Digest, Finding, Mode, RunId, RunScope, Severity};
use prodpin::outcome::report::{LedgerSection, Row, RunSection};
use prodpin::policy::{Policy, parse};
use prodpin::report::body::{BodyWriter, Report};
use serde_json::Value;

/// The AWS chain reads this process's environment, so each test runs again in a process whose environment names nobody.
fn with_credentials(test: &str) {
    let Some(server) = crate::servers::s3() else { return };
    let nothing = tempfile::NamedTempFile::new().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("alerts::{test}"), "--ignored", "--nocapture"])
        .env("PRODPIN_TEST_AWS", server.url)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_CONFIG_FILE", nothing.path())
        .env("AWS_SHARED_CREDENTIALS_FILE", nothing.path())
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .output()
        .unwrap();
    let reported = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && reported.contains("1 passed"), "{reported}");
}

#[test]
fn a_topic_s_subscribers_are_told_once() {
    with_credentials("through_a_topic");
}

#[test]
fn a_bus_s_rules_are_told_once() {
    with_credentials("through_a_bus");
}

#[test]
fn a_topic_that_is_not_there_is_told_and_fails() {
    with_credentials("no_topic");
}

/// One call of AWS's query protocol; the server looks at the service's name in the header and believes the rest.
async fn call(service: &str, action: &str, fields: &[(&str, &str)]) -> String {
    let server = std::env::var("PRODPIN_TEST_AWS").unwrap();
    let scope = format!("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request");
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", action)
        .extend_pairs(fields)
        .finish();
    let request = reqwest::Client::new().post(server).header("authorization", scope);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{action}: {text}");
    text
}

/// One call of EventBridge's JSON protocol.
async fn events(action: &str, body: Value) {
    let server = std::env::var("PRODPIN_TEST_AWS").unwrap();
    let scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/events/aws4_request";
    let request = reqwest::Client::new().post(server).header("authorization", scope);
    let request = request.header("x-amz-target", format!("AWSEvents.{action}"));
    let answer =
        request.header("content-type", "application/x-amz-json-1.1").body(body.to_string()).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{action}: {text}");
}

/// A queue of its own: its address and ARN.
async fn queue(name: &str) -> (String, String) {
    let name = format!("{name}-{}", std::process::id());
    let made = call("sqs", "CreateQueue", &[("QueueName", &name)]).await;
    (between(&made, "<QueueUrl>", "</QueueUrl>"), format!("arn:aws:sqs:us-east-1:123456789012:{name}"))
}

fn between(text: &str, from: &str, to: &str) -> String {
    text.split_once(from)
        .and_then(|(_, rest)| rest.split_once(to))
        .unwrap_or_else(|| panic!("{from} in {text}"))
        .0
        .to_owned()
}

/// The next message in a queue, if there is one.
async fn next(queue: &str) -> Option<Value> {
    let got = call("sqs", "ReceiveMessage", &[("QueueUrl", queue)]).await;
    let body = got.contains("<Body>").then(|| between(&got, "<Body>", "</Body>"))?;
    let entities = BTreeMap::from([("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'")]);
    let plain = entities.iter().fold(body, |text, (entity, character)| text.replace(entity, character));
    Some(serde_json::from_str(&plain.replace("&amp;", "&")).unwrap())
}

fn policy(alert: &str, directory: &std::path::Path) -> Policy {
    let text = format!(
        "version: 1\nsources: {{ shop: {{ oci: https://r.example, repositories: [a] }} }}\n\
         production: [{{ tags: [\"v*\"] }}]\nalerts:\n  team: {{ {alert}, endpoint: {} }}\n",
        std::env::var("PRODPIN_TEST_AWS").unwrap()
    );
    let origin = directory.join("prodpin.yaml").display().to_string();
    parse(&text, &origin, &|_| None).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

fn report() -> Report {
    let started: Timestamp = "2026-11-23T03:15:00Z".parse().unwrap();
    let finding = Finding {
        code: Code::TagMoved,
        severity: Severity::Critical,
        source: Some("shop".parse().unwrap()),
        repository: Some("shop/api".parse().unwrap()),
        reference: Some("v1.0.0".to_owned()),
        artifact: None,
        previous: None,
        moved_by: None,
        first_seen: started,
        ledger_sequence: Some(7),
        message: "v1.0.0 moved".to_owned(),
        remedy: "look".to_owned(),
        waived: None,
    };
    let mut writer = BodyWriter::new().unwrap();
    writer.push(Row { repository: None, findings: vec![finding] }).unwrap();
    let body = writer.finish().unwrap();
    let run = RunSection {
        id: RunId::new(started, 1),
        mode: Mode::Audit,
        started,
        finished: started,
        complete: true,
        scope: RunScope::default(),
        policy_sha256: Digest::sha256(b"policy"),
        ledger: Some(LedgerSection::new(7, "cm9vdA==".to_owned(), None)),
    };
    Report { run, summary: body.summary(), body }
}

#[tokio::test]
#[ignore = "run by the test of the same name in a process with credentials"]
async fn through_a_topic() {
    let made = call("sns", "CreateTopic", &[("Name", &format!("alerts-{}", std::process::id()))]).await;
    let topic = between(&made, "<TopicArn>", "</TopicArn>");
    let (queue, arn) = queue("topic").await;
    call("sns", "Subscribe", &[("TopicArn", &topic), ("Protocol", "sqs"), ("Endpoint", &arn)]).await;
    let directory = tempfile::tempdir().unwrap();
    let policy = policy(&format!("sns: \"{topic}\""), directory.path());
    assert_eq!(tell(&policy, &report(), None).await.unwrap()[0].1, 1);
    let reported = next(&queue).await.expect("a message");
    assert_eq!(reported["Subject"], "prodpin: 1 critical finding");
    assert_eq!(reported["MessageAttributes"]["severity"]["Value"], "critical");
    let event: Value = serde_json::from_str(reported["Message"].as_str().unwrap()).unwrap();
    assert_eq!(event["data"]["findings"][0]["message"], "v1.0.0 moved");
    assert_eq!(event["data"]["run"]["ledger"]["sequence"], 7);
    assert_eq!(tell(&policy, &report(), None).await.unwrap()[0].1, 0);
    assert_eq!(next(&queue).await, None);
}

#[tokio::test]
#[ignore = "run by the test of the same name in a process with credentials"]
async fn through_a_bus() {
    let bus = format!("alerts-{}", std::process::id());
    let (queue, arn) = queue("bus").await;
    events("CreateEventBus", serde_json::json!({ "Name": bus })).await;
    let pattern = serde_json::json!({ "source": ["prodpin"] }).to_string();
    events("PutRule", serde_json::json!({ "Name": "findings", "EventBusName": bus, "EventPattern": pattern })).await;
    let target = serde_json::json!([{ "Id": "queue", "Arn": arn }]);
    events("PutTargets", serde_json::json!({ "Rule": "findings", "EventBusName": bus, "Targets": target })).await;
    let directory = tempfile::tempdir().unwrap();
    let policy = policy(&format!("eventbridge: {bus}, region: us-east-1"), directory.path());
    assert_eq!(tell(&policy, &report(), None).await.unwrap()[0].1, 1);
    let reported = next(&queue).await.expect("an event");
    assert_eq!(reported["detail-type"], "prodpin findings");
    assert_eq!(reported["detail"]["findings"][0]["code"], "tag-moved");
    assert_eq!(tell(&policy, &report(), None).await.unwrap()[0].1, 0);
}

#[tokio::test]
#[ignore = "run by the test of the same name in a process with credentials"]
async fn no_topic() {
    let directory = tempfile::tempdir().unwrap();
    let policy = policy("sns: \"arn:aws:sns:us-east-1:123456789012:nowhere\"", directory.path());
    let error = tell(&policy, &report(), None).await.unwrap_err().to_string();
    assert!(error.contains("alert team: Publish: NotFound"), "{error}");
}
