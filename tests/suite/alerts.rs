//! Alerts against a receiver in this process: what is reported, to whom, how often, and what becomes of failures.

mod paging;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use prodpin::alert::{AlertError, tell};
use prodpin::ledger::{Access, Ledger};
use prodpin::model::{Code, Finding, Mode, Severity, Waived};
use prodpin::outcome::report::Row;
use prodpin::policy::{Alert, Policy, parse};
use prodpin::report::body::Report;
use serde_json::Value;

use crate::reports::{finding, manifest, report, run, service, target, time};
use crate::support::each;

/// What arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// How the receiver answers, one after the other; the last answer is given for good.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

const HANGS: u16 = 0;

impl Receiver {
    pub(crate) async fn start(answers: &[u16]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let receiver = Self { url, got: Arc::default(), answers: Arc::new(Mutex::new(answers.to_vec())) };
        let app = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        receiver
    }

    pub(crate) fn answer(&self, answers: &[u16]) {
        *self.answers.lock().unwrap() = answers.to_vec();
    }

    /// Everything that came since the last time this was asked.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.got.lock().unwrap())
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    let body = String::from_utf8(body.to_vec()).unwrap();
    receiver.got.lock().unwrap().push(Request { path: uri.to_string(), headers, body });
    let answer = {
        let mut answers = receiver.answers.lock().unwrap();
        if answers.len() > 1 { answers.remove(0) } else { answers[0] }
    };
    if answer == HANGS {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    let mut headers = HeaderMap::new();
    if (300..400).contains(&answer) {
        headers.insert("location", format!("{}/elsewhere", receiver.url).parse().unwrap());
    }
    (StatusCode::from_u16(answer).unwrap(), headers)
}

/// A policy with these alerts, and a ledger of its own.
struct World {
    policy: Policy,
    _directory: tempfile::TempDir,
}

fn world(alerts: &str, hook: &str) -> World {
    let directory = tempfile::tempdir().unwrap();
    let origin = directory.path().join("prodpin.yaml").display().to_string();
    let text = format!(
        "version: 1\nsources: {{ shop: {{ oci: https://r.example, repositories: [a] }} }}\n\
         production: [{{ tags: [\"v*\"] }}]\nalerts:\n{alerts}\n"
    );
    let environment = |name: &str| match name {
        "SECRET" => Some(SECRET.to_owned()),
        "HOOK" => Some(format!("{hook}/hook/T0KEN")),
        _ => None,
    };
    let policy = parse(&text, &origin, &environment).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
    World { policy, _directory: directory }
}

/// One alert of this name, to this receiver.
pub(crate) fn alert(name: &str, receiver: &Receiver) -> Alert {
    world(&WEBHOOK.replace("oncall", name), &receiver.url).policy.alerts.remove(0)
}

const SECRET: &str = "correct horse battery staple";
const WEBHOOK: &str = "  oncall: { webhook: \"${HOOK}\", secret: \"${SECRET}\", private: true }";

impl World {
    async fn tell(&self, report: &Report) -> Result<u64, String> {
        self.tell_by(report, None).await
    }

    async fn tell_by(&self, report: &Report, by: Option<Instant>) -> Result<u64, String> {
        tell(&self.policy, report, by)
            .await
            .map(|reported| reported.iter().map(|(_, count)| count).sum())
            .map_err(|error| error.to_string())
    }
}

fn found(severity: Severity, reference: &str) -> Finding {
    let of = service("shop", "shop/api", vec![target(1, manifest("a"), "v1")]);
    Finding {
        reference: Some(reference.to_owned()),
        ..finding(severity, Code::PinMissing, Some(&of), "no pin", "pin it")
    }
}

fn report_with(findings: Vec<Finding>) -> Report {
    let repository = service("shop", "shop/api", vec![target(1, manifest("a"), "v1"), target(2, manifest("b"), "v0")]);
    report(run(Mode::Audit, true, true), [Row { repository: Some(repository), findings }])
}

#[tokio::test]
async fn a_webhook_is_signed_names_a_committed_position_and_is_told_once_i10() {
    let receiver = Receiver::start(&[204]).await;
    let world = world(WEBHOOK, &receiver.url);
    let report = report_with(vec![found(Severity::High, "v1"), found(Severity::Low, "v2")]);
    assert_eq!(world.tell(&report).await, Ok(1));
    let [request] = &receiver.take()[..] else { panic!("one message for each run") };
    assert_eq!(request.path, "/hook/T0KEN");
    let header = |name: &str| request.headers[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/cloudevents+json; charset=utf-8");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), request.body).as_bytes());
    let expected = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{expected}"));
    let event: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "prodpin.findings.v1");
    assert_eq!(event["id"], header("webhook-id"));
    assert_eq!(event["data"]["run"]["ledger"]["sequence"], 42);
    assert_eq!(event["data"]["findings"][0]["ledger_sequence"], 42);
    assert_eq!(event["data"]["findings"].as_array().unwrap().len(), 1, "below the threshold nothing is told");

    assert_eq!(world.tell(&report).await, Ok(0));
    assert!(receiver.take().is_empty(), "told once");
    assert_eq!(world.tell(&report_with(vec![found(Severity::Critical, "v1")])).await, Ok(1));
    assert_eq!(receiver.take().len(), 1, "and again when it worsens");
    assert_eq!(world.tell(&report_with(vec![found(Severity::High, "v1")])).await, Ok(0), "not when it gets better");
    assert!(receiver.take().is_empty());
}

#[tokio::test]
async fn what_was_resolved_and_came_back_is_news_and_an_incomplete_run_forgets_nothing_i4() {
    let receiver = Receiver::start(&[200]).await;
    let world = world(WEBHOOK, &receiver.url);
    assert_eq!(world.tell(&report_with(vec![found(Severity::High, "v1")])).await, Ok(1));
    let mut blind = report_with(vec![]);
    blind.run.complete = false;
    assert_eq!(world.tell(&blind).await, Ok(0));
    let ledger = Ledger::open(&world.policy.ledger, Access::Read).await.unwrap();
    assert_eq!(ledger.reported("oncall").len(), 1);
    assert_eq!(world.tell(&report_with(vec![found(Severity::High, "v1")])).await, Ok(0));
    assert_eq!(world.tell(&report_with(vec![])).await, Ok(0));
    let ledger = Ledger::open(&world.policy.ledger, Access::Read).await.unwrap();
    assert!(ledger.reported("oncall").is_empty(), "a complete run lets go of what is no more");
    let back = Finding { first_seen: time("2026-12-24T00:00:00Z"), ..found(Severity::High, "v1") };
    assert_eq!(world.tell(&report_with(vec![back])).await, Ok(1));
}

#[tokio::test]
async fn a_passing_fault_is_tried_again_under_the_same_id() {
    let receiver = Receiver::start(&[503, 429, 200]).await;
    let world = world(WEBHOOK, &receiver.url);
    assert_eq!(world.tell(&report_with(vec![found(Severity::High, "v1")])).await, Ok(1));
    let got = receiver.take();
    assert_eq!(got.len(), 3);
    assert!(each(got.iter(), |request| request.headers["webhook-id"] == got[0].headers["webhook-id"]));
}

#[tokio::test]
async fn a_refusal_is_told_without_the_address_and_the_next_run_tries_again_i18() {
    let receiver = Receiver::start(&[403]).await;
    let world = world(WEBHOOK, &receiver.url);
    let report = report_with(vec![found(Severity::High, "v1")]);
    let error = world.tell(&report).await.unwrap_err();
    assert!(error.contains("alert oncall: its host answered 403"), "{error}");
    assert!(!error.contains("T0KEN") && !error.contains(SECRET), "{error}");
    assert_eq!(receiver.take().len(), 1, "a refusal is final");
    receiver.answer(&[200]);
    assert_eq!(world.tell(&report).await, Ok(1));
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let receiver = Receiver::start(&[307, 200]).await;
    let world = world(WEBHOOK, &receiver.url);
    let error = world.tell(&report_with(vec![found(Severity::High, "v1")])).await.unwrap_err();
    assert!(error.contains("no redirect is followed"), "{error}");
    assert_eq!(receiver.take().len(), 1);
}

#[tokio::test]
async fn one_that_hangs_or_is_gone_ends_in_time_and_keeps_no_other_from_being_told() {
    let (hanging, fine) = (Receiver::start(&[HANGS]).await, Receiver::start(&[200]).await);
    let slack = "\n  chat: { slack: \"${HOOK}\", private: true }";
    let mut both = world(&format!("{WEBHOOK}{slack}"), &hanging.url);
    // The second one goes elsewhere.
    both.policy.alerts[1] = world(&slack[1..], &fine.url).policy.alerts[0].clone();
    let began = Instant::now();
    let error = both
        .tell_by(&report_with(vec![found(Severity::High, "v1")]), Some(began + Duration::from_secs(1)))
        .await
        .unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(error.contains("alert oncall: no answer before") && !error.contains("chat"), "{error}");
    assert_eq!(fine.take().len(), 1);

    let gone = world(WEBHOOK, "http://127.0.0.1:9");
    let by = Some(Instant::now() + Duration::from_secs(2));
    assert!(
        gone.tell_by(&report_with(vec![found(Severity::High, "v1")]), by).await.unwrap_err().contains("alert oncall: ")
    );
}

#[tokio::test]
async fn a_private_address_is_refused_unless_meant_f10() {
    let world = world("  oncall: { webhook: \"https://127.0.0.1:1/x\", secret: \"${SECRET}\" }", "");
    let error = world.tell(&report_with(vec![found(Severity::High, "v1")])).await.unwrap_err();
    assert!(error.contains("127.0.0.1, which is no public address"), "{error}");
}

#[tokio::test]
async fn waived_findings_are_nobody_s_news() {
    let receiver = Receiver::start(&[200]).await;
    let world = world(WEBHOOK, &receiver.url);
    let waived = Waived { reason: "known".into(), owner: "team".into(), expires: "2027-01-31".parse().unwrap() };
    let finding = Finding { waived: Some(waived), ..found(Severity::Critical, "v1") };
    assert_eq!(world.tell(&report_with(vec![finding.clone()])).await, Ok(0));
    assert!(receiver.take().is_empty());
    // Once nobody answers for it any more, it is.
    assert_eq!(world.tell(&report_with(vec![Finding { waived: None, ..finding }])).await, Ok(1));
}

#[tokio::test]
async fn without_a_ledger_nothing_is_told_i10() {
    let world = world(WEBHOOK, "http://127.0.0.1:9");
    let mut report = report_with(vec![found(Severity::High, "v1")]);
    report.run.ledger = None;
    assert!(matches!(tell(&world.policy, &report, None).await, Err(AlertError::NoLedger)));
}

#[tokio::test]
async fn a_flood_is_one_message_and_is_remembered_whole_f96() {
    let receiver = Receiver::start(&[200]).await;
    let world = world(WEBHOOK, &receiver.url);
    let flood = report_with((0..3_000).map(|number| found(Severity::High, &format!("v{number}"))).collect());
    assert_eq!(world.tell(&flood).await, Ok(3_000));
    let [request] = &receiver.take()[..] else { panic!("one message for each run") };
    let event: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(event["data"]["findings"].as_array().unwrap().len(), 50);
    assert_eq!(event["data"]["more"], 2_950);
    assert_eq!(event["data"]["counts"]["high"], 3_000);
    assert!(request.body.len() < 256 << 10);
    assert_eq!(world.tell(&flood).await, Ok(0));
}

#[tokio::test]
async fn long_names_still_fit_into_a_message() {
    let receiver = Receiver::start(&[200]).await;
    let world = world(WEBHOOK, &receiver.url);
    let long = (0..60).map(|number| found(Severity::High, &format!("{number}{}", "\u{202e}".repeat(5_000)))).collect();
    assert_eq!(world.tell(&report_with(long)).await, Ok(60));
    let got = receiver.take();
    assert!(got[0].body.len() < 256 << 10, "{}", got[0].body.len());
    assert!(got[0].body.is_ascii());
}

#[tokio::test]
async fn in_a_chat_nobody_is_mentioned_and_nothing_is_a_link_i19() {
    let receiver = Receiver::start(&[200]).await;
    let world = world("  chat: { slack: \"${HOOK}\", private: true }", &receiver.url);
    for text in crate::hostile_output::names() {
        let hostile = Finding { message: text.clone(), ..found(Severity::High, &text) };
        assert_eq!(world.tell(&report_with(vec![hostile])).await, Ok(1), "{text:?}");
        let got = receiver.take();
        let reported: Value = serde_json::from_str(&got[0].body).unwrap();
        let reported = reported["text"].as_str().unwrap();
        assert!(!reported.contains(['<', '>']), "{reported}");
        // Outside code spans there are no mentions and no addresses.
        let outside: String = reported.split('`').step_by(2).collect();
        assert!(!outside.contains('@') && !outside.contains("://") && !outside.contains('\u{202e}'), "{reported}");
    }
}
