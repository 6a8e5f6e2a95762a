//! Services that call people, and messages that say they are a test.

use std::time::{Duration, Instant};

use prodpin::alert::send_test;
use prodpin::model::Severity;
use serde_json::Value;

use super::{Receiver, SECRET, WEBHOOK, found, report_with, world};

fn pager(kind: &str, receiver: &Receiver) -> String {
    format!("  pager: {{ {kind}: \"${{SECRET}}\", endpoint: \"{}\", private: true, severity: low }}", receiver.url)
}

#[tokio::test]
async fn pagerduty_takes_one_incident_and_the_same_one_again() {
    for (severity, told) in [
        (Severity::Critical, "critical"),
        (Severity::High, "error"),
        (Severity::Medium, "warning"),
        (Severity::Low, "info"),
    ] {
        let receiver = Receiver::start(&[503, 202]).await;
        let world = world(&pager("pagerduty", &receiver), "");
        assert_eq!(world.tell(&report_with(vec![found(severity, "v1")])).await, Ok(1));
        let got = receiver.take();
        assert_eq!(got.iter().map(|request| request.path.as_str()).collect::<Vec<_>>(), ["/v2/enqueue"; 2]);
        assert_eq!(got[0].body, got[1].body, "the same incident, by its dedup_key");
        let event: Value = serde_json::from_str(&got[0].body).unwrap();
        assert_eq!((&event["routing_key"], &event["event_action"]), (&SECRET.into(), &"trigger".into()));
        assert!(
            event["dedup_key"].as_str().is_some_and(|key| key.starts_with("pager/") && key.len() <= 255),
            "{event}"
        );
        let payload = &event["payload"];
        assert_eq!((&payload["severity"], &payload["source"]), (&told.into(), &"prodpin".into()));
        assert_eq!(payload["summary"], format!("prodpin: 1 {severity} finding"));
        assert_eq!(payload["custom_details"]["findings"][0]["reference"], "v1");
        assert!(payload["custom_details"]["run"]["ledger"].is_object(), "it names a committed position: {event}");
        assert_eq!(world.tell(&report_with(vec![found(severity, "v1")])).await, Ok(0), "once");
    }
}

#[tokio::test]
async fn opsgenie_takes_one_alert_within_what_it_takes() {
    for (severity, priority) in
        [(Severity::Critical, "P1"), (Severity::High, "P2"), (Severity::Medium, "P3"), (Severity::Low, "P4")]
    {
        let receiver = Receiver::start(&[202]).await;
        let world = world(&pager("opsgenie", &receiver), "");
        let mut flood: Vec<_> = (0..400).map(|n| found(severity, &format!("v{n}"))).collect();
        flood.iter_mut().for_each(|finding| finding.message = "ä".repeat(4_000));
        assert_eq!(world.tell(&report_with(flood)).await, Ok(400));
        let got = receiver.take();
        assert_eq!((got.len(), got[0].path.as_str()), (1, "/v2/alerts"));
        assert_eq!(got[0].headers["authorization"], format!("GenieKey {SECRET}").as_str());
        let alert: Value = serde_json::from_str(&got[0].body).unwrap();
        let length = |name: &str| alert[name].as_str().unwrap().chars().count();
        assert!(length("message") <= 130 && length("alias") <= 512 && length("description") <= 15_000);
        assert_eq!(alert["priority"], priority);
        assert!(!got[0].body.contains(SECRET), "the key stands in its header alone");
    }
}

#[tokio::test]
async fn a_key_is_in_no_error_and_comes_from_the_environment_i18() {
    for kind in ["pagerduty", "opsgenie"] {
        let receiver = Receiver::start(&[403]).await;
        let refused = world(&pager(kind, &receiver), "").tell(&report_with(vec![found(Severity::High, "v1")])).await;
        let error = refused.unwrap_err();
        assert!(error.contains("alert pager: its host answered 403") && !error.contains(SECRET), "{error}");
    }
}

#[tokio::test]
async fn a_test_says_that_it_is_one_on_every_channel_and_nothing_is_recorded() {
    let receiver = Receiver::start(&[200]).await;
    for alerts in [
        WEBHOOK.to_owned(),
        "  chat: { slack: \"${HOOK}\", private: true }".to_owned(),
        pager("pagerduty", &receiver),
        pager("opsgenie", &receiver),
    ] {
        let world = world(&alerts, &receiver.url);
        send_test(&world.policy.alerts[0], Instant::now() + Duration::from_secs(20)).await.unwrap();
        let got = receiver.take();
        assert_eq!(got.len(), 1, "{alerts}");
        assert!(
            got[0].body.contains("a test of the alert") || got[0].body.contains("prodpin.test.v1"),
            "{}",
            got[0].body
        );
        let finding = report_with(vec![found(Severity::High, "v1")]);
        assert_eq!(world.tell(&finding).await, Ok(1), "what is found afterwards is told as ever");
        receiver.take();
    }
    receiver.answer(&[403]);
    let world = world(WEBHOOK, &receiver.url);
    let refused = send_test(&world.policy.alerts[0], Instant::now() + Duration::from_secs(20)).await.unwrap_err();
    assert!(refused.contains("answered 403") && !refused.contains("T0KEN"), "{refused}");
}

/// As a user tries it: each alert by name, with what became of it, and the exit status for a pipeline.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_tells_each_alert_s_fate() {
    let (fine, refusing) = (Receiver::start(&[202]).await, Receiver::start(&[401]).await);
    let here = tempfile::tempdir().unwrap();
    let policy = format!(
        "version: 1\nsources: {{ shop: {{ oci: https://r.example, repositories: [a] }} }}\nproduction: [{{ tags: [\"v*\"] }}]\n\
         alerts:\n  day: {{ opsgenie: \"${{KEY}}\", endpoint: \"{}\", private: true }}\n  night: {{ pagerduty: \"${{KEY}}\", \
         endpoint: \"{}\", private: true }}\n",
        fine.url, refusing.url
    );
    std::fs::write(here.path().join("prodpin.yaml"), policy).unwrap();
    let run = async |names: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(["alert", "test"]).args(names).current_dir(here.path()).env_clear().env("KEY", "k3y");
        let output = command.stdin(std::process::Stdio::null()).output().await.unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), said)
    };
    let (status, said) = run(&[]).await;
    assert!(
        status == 1 && said.contains("✓ day: ") && said.contains("✗ night: not delivered: its host answered 401"),
        "{said}"
    );
    assert_eq!((fine.take().len(), refusing.take().len()), (1, 1));
    let (status, said) = run(&["day"]).await;
    assert!(status == 0 && !said.contains("night"), "{said}");
    assert_eq!((fine.take().len(), refusing.take().len()), (1, 0));
    let (status, said) = run(&["noon"]).await;
    assert!(status == 2 && said.contains("no alert \"noon\"; it has day, night"), "{said}");
    assert_eq!(std::fs::read_dir(here.path()).unwrap().count(), 1, "nothing but the policy: no ledger, no key");
}
