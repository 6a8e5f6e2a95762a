//! Events that come as messages of SNS and SQS, by the vendor's documented samples, and what is no such message.

use std::time::Duration;

use prodpin::invocation::{
    Answer, Delivery, EventSubject, Function, InvocationError, Reply, Trigger, carry_out, time_left,
};
use prodpin::model::{Digest, Pin};
use prodpin::sources::memory::Content;
use serde_json::{Value, json};

use crate::support::push::Pusher;
use crate::support::registry::Registry;

const ECR_PUSH: &str = include_str!("events/ecr-push.json");
const ECR_DELETE: &str = include_str!("events/ecr-delete.json");
const S3_NOTIFICATION: &str = include_str!("events/s3-notification.json");
const S3_BUS: &str = include_str!("events/s3-bus.json");
const S3_TEST: &str = include_str!("events/s3-test.json");
const RULE: &str = include_str!("events/rule.json");

fn sample(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A batch of messages with these bodies, `m0` and so on.
fn queue(bodies: &[&str]) -> Value {
    let mut event = sample(include_str!("events/sqs.json"));
    let record = event["Records"][0].clone();
    let records = bodies.iter().enumerate().map(|(number, body)| {
        let mut record = record.clone();
        record["messageId"] = json!(format!("m{number}"));
        record["body"] = json!(body);
        record
    });
    event["Records"] = records.collect();
    event
}

fn topic(message: &str) -> Value {
    let mut event = sample(include_str!("events/sns.json"));
    event["Records"][0]["Sns"]["Message"] = json!(message);
    event
}

/// What a topic puts into a queue where raw delivery is off.
fn notification(message: &str) -> String {
    let mut body = sample(include_str!("events/sns-in-sqs.json"));
    body["Message"] = json!(message);
    body.to_string()
}

fn image() -> EventSubject {
    EventSubject::Repository {
        account: "123456789012".to_owned(),
        region: "us-west-2".to_owned(),
        name: "shop/api".parse().unwrap(),
    }
}

fn object() -> EventSubject {
    EventSubject::Object { bucket: "acme-deployments".to_owned(), key: "web shop/1.4.0+b1/bundle.zip".parse().unwrap() }
}

fn read(event: &Value) -> Delivery {
    Delivery::read(event).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn an_event_means_the_same_by_itself_and_in_every_message_that_may_carry_it_g150() {
    let cases = [
        (ECR_PUSH, Trigger::Happened(vec![image()])),
        (ECR_DELETE, Trigger::Happened(vec![image()])),
        (S3_NOTIFICATION, Trigger::Happened(vec![object()])),
        (S3_BUS, Trigger::Happened(vec![object()])),
        (S3_TEST, Trigger::Test),
        (RULE, Trigger::Schedule),
    ];
    for (event, trigger) in cases {
        let direct = read(&sample(event));
        assert_eq!((&direct.trigger, direct.queued), (&trigger, None), "{event}");
        let reported = read(&topic(event));
        assert_eq!((&reported.trigger, reported.queued), (&trigger, None), "SNS: {event}");
        for body in [event.to_owned(), notification(event)] {
            let queued = read(&queue(&[&body]));
            assert_eq!((&queued.trigger, queued.queued, &queued.refused[..]), (&trigger, Some(1), &[][..]), "{body}");
        }
    }
}

#[test]
fn a_batch_is_taken_together_whatever_its_order_f84() {
    // The deletion before the push, the same push twice, an object, a test.
    let bodies = [ECR_DELETE, ECR_PUSH, S3_TEST, ECR_PUSH, &notification(S3_NOTIFICATION), S3_BUS];
    let expected = Trigger::Happened(vec![image(), object()]);
    assert_eq!(read(&queue(&bodies)).trigger, expected);
    let mut backwards = bodies;
    backwards.reverse();
    assert_eq!(read(&queue(&backwards)).trigger, expected);
    // Who asks for everything asks for this too.
    assert_eq!(read(&queue(&[ECR_PUSH, RULE])).trigger, Trigger::Schedule);
}

#[test]
fn one_message_that_nobody_understands_is_named_and_holds_up_no_other() {
    let hand = json!({ "mode": "enforce" }).to_string();
    let twice = notification(&notification(ECR_PUSH));
    let batch = queue(&["Test message.", &twice, &queue(&[ECR_PUSH]).to_string()]).to_string();
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    let cases = [
        ("Test message.", "no JSON, at line 1, column 1"),
        ("", "no JSON"),
        (hand.as_str(), "asks for a run by hand"),
        (twice.as_str(), "in a message, "),
        (batch.as_str(), "in a message, a record is from \"aws:sqs\""),
        (long.as_str(), "1048578 bytes"),
        ("[]", "no JSON object"),
        (
            r#"{"Type":"SubscriptionConfirmation","TopicArn":"arn:aws:sns:x","Message":"You have chosen …"}"#,
            "Subscription",
        ),
        (r#"{"Type":"Notification","TopicArn":"arn:aws:sns:x"}"#, "Message is missing"),
        (r#"{"TopicArn":5}"#, "Type is missing"),
    ];
    for (body, reason) in cases {
        let delivery = read(&queue(&[ECR_PUSH, body]));
        assert_eq!(delivery.trigger, Trigger::Happened(vec![image()]), "{reason}");
        let [refused] = &delivery.refused[..] else { panic!("{reason}") };
        assert_eq!((refused.message.as_str(), delivery.queued), ("m1", Some(2)));
        assert!(refused.error.to_string().contains(reason), "{}", refused.error);
    }
    // Of what is deep the parser has enough long before the stack has.
    let deep = "[".repeat(1 << 19);
    assert_eq!(read(&queue(&[&deep])).refused.len(), 1);
}

#[test]
fn what_is_no_delivery_is_refused_as_a_whole_and_not_repeated_at_length_f77() {
    let mixed = json!({ "Records": [queue(&[ECR_PUSH])["Records"][0], sample(S3_NOTIFICATION)["Records"][0]] });
    let nameless = |id: Value| {
        let mut event = queue(&[ECR_PUSH]);
        event["Records"][0]["messageId"] = id;
        event
    };
    let many: Vec<Value> = vec![json!({ "eventSource": "aws:sqs" }); 10_001];
    let cases = [
        (mixed, "several services"),
        (nameless(json!(null)), "messageId is missing"),
        (nameless(json!("")), "messageId"),
        (nameless(json!("x".repeat(1000))), "messageId"),
        (json!({ "Records": many }), "10001 records"),
        (json!({ "Records": [{ "EventSource": "aws:sns" }] }), "Sns is missing"),
        (topic("Hello from SNS!"), "no JSON"),
        (json!({ "Records": [{ "eventSource": "aws:kinesis" }] }), "aws:kinesis"),
        (json!({ "Records": [5] }), "no object"),
        (json!({ "x".repeat(1 << 20): 1 }), "unknown field"),
        (json!({ "source": "aws.\u{1b}[2J\n", "detail-type": "x" }), r"\u{1b}[2J\n"),
    ];
    for (event, reason) in cases {
        let reported = Delivery::read(&event).expect_err(reason).to_string();
        assert!(reported.contains(reason), "{reason}: {reported}");
        assert!(reported.len() < 1_000 && !reported.contains(['\n', '\u{1b}']), "{reason}: {reported}");
    }
}

#[test]
fn a_pin_on_the_digest_that_it_names_is_no_news_and_any_other_is_a17() {
    let digest = Digest::sha256(b"a release");
    let event = |tag: String, action: &str| {
        let mut event = sample(ECR_PUSH);
        event["detail"]["image-digest"] = json!(digest.to_string());
        event["detail"]["image-tag"] = json!(tag);
        event["detail"]["action-type"] = json!(action);
        event
    };
    let pin = Pin::for_digest(&digest).to_string();
    assert_eq!(read(&event(pin.clone(), "PUSH")).trigger, Trigger::Pinned);
    let looked_at = Trigger::Happened(vec![image()]);
    assert_eq!(read(&event(pin.clone(), "DELETE")).trigger, looked_at, "a pin that goes");
    assert_eq!(
        read(&event(Pin::for_digest(&Digest::sha256(b"another")).to_string(), "PUSH")).trigger,
        looked_at,
        "a pin that moves"
    );
    assert_eq!(read(&event("prod-pinned-abc".to_owned(), "PUSH")).trigger, looked_at, "no pin");
    // Beside other news it is left out, and alone it is nothing.
    let own = event(pin, "PUSH").to_string();
    assert_eq!(read(&queue(&[&own, ECR_PUSH])).trigger, looked_at);
    assert_eq!(read(&queue(&[&own, &own])).trigger, Trigger::Pinned);
}

#[test]
fn a_deadline_is_a_time_and_of_a_stand_in_a_span_f89() {
    let now: jiff::Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let at = |seconds: i64| u64::try_from(now.as_millisecond() + seconds * 1000).unwrap();
    assert_eq!(time_left(at(300), now), Duration::from_secs(300));
    assert_eq!(time_left(at(-1), now), Duration::ZERO, "passed");
    assert_eq!(time_left(0, now), Duration::ZERO, "not said");
    assert_eq!(time_left(600_000, now), Duration::from_secs(600), "what `cargo lambda watch` says");
    // A clock far behind gives no more than Lambda ever does (F90).
    assert_eq!(time_left(at(86_400), now), Duration::from_secs(900));
}

/// A function on a registry with one release.
async fn deployed(partial: &str) -> (Registry, tempfile::TempDir, Function) {
    let registry = Registry::start().await;
    Pusher::new(&registry.url()).push("shop/api", "v1.0.0", &Content::from("one")).await;
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "version: 1\nledger: {}\nsources:\n  shop: {{ oci: \"{}\", repositories: [\"shop/*\"] }}\nproduction:\n  - {{ tags: [\"v*\"] }}\n",
        directory.path().join("ledger").display(),
        registry.url(),
    );
    let variables = [("PRODPIN_POLICY_TEXT", text), ("PRODPIN_REPORT_BATCH_ITEM_FAILURES", partial.to_owned())];
    let look = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
    let function = Function::from_environment(&look).unwrap();
    (registry, directory, function)
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_batch_with_an_unreadable_message_fails_after_the_others_were_answered() {
    let (_registry, _directory, function) = deployed("").await;
    let error = carry_out(&function, &queue(&[RULE, "Test message."]), MINUTE).await.unwrap_err();
    let InvocationError::Messages { refused, of: 2, answer: Answer::Ran(reported) } = &error else { panic!("{error}") };
    assert_eq!((refused.len(), reported.summary.counts.targets, reported.run.complete), (1, 1, true));
    assert_eq!(error.reported(), Some(&**reported), "its metrics count");
    let said = error.to_string();
    for part in ["1 of 2 messages", "message m1", "no JSON", "PRODPIN_REPORT_BATCH_ITEM_FAILURES=true"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // Nothing but such messages: nothing was looked at, and that is no success.
    let error = carry_out(&function, &queue(&["Test message."]), MINUTE).await.unwrap_err();
    assert!(matches!(&error, InvocationError::Messages { answer: Answer::Nothing { .. }, .. }), "{error}");
}

#[tokio::test]
async fn a_mapping_that_heeds_it_is_told_which_messages_to_keep() {
    let (registry, _directory, function) = deployed("true").await;
    let reply = carry_out(&function, &queue(&["Test message.", RULE, "{"]), MINUTE).await.unwrap();
    let reported = serde_json::to_value(&reply).unwrap();
    assert_eq!(reported["batchItemFailures"], json!([{ "itemIdentifier": "m0" }, { "itemIdentifier": "m2" }]));
    assert_eq!((&reported["outcome"], &reported["summary"]["targets"]), (&json!("ran"), &json!(1)));
    // Said, though there be none; and not to who sends no batch.
    let reply = carry_out(&function, &queue(&[S3_TEST]), MINUTE).await.unwrap();
    assert_eq!(serde_json::to_value(&reply).unwrap()["batchItemFailures"], json!([]));
    let Reply { failures, .. } = carry_out(&function, &sample(RULE), MINUTE).await.unwrap();
    assert_eq!(failures, None);
    // A run that was not complete gives all of them back.
    drop(registry);
    let error = carry_out(&function, &queue(&[RULE]), Duration::from_secs(4)).await.unwrap_err();
    assert!(matches!(error, InvocationError::Incomplete(_)), "{error}");
}

#[tokio::test]
async fn what_goes_nowhere_says_what_it_named() {
    let (_registry, _directory, function) = deployed("").await;
    let reply = carry_out(&function, &topic(ECR_PUSH), MINUTE).await.unwrap();
    let Answer::Nothing { reason } = reply.answer else { panic!("{reply:?}") };
    assert!(reason.contains("shop/api in ECR of account 123456789012, us-west-2"), "{reason}");
}
