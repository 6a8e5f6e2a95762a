//! `waivers:`, `alerts:` and `security_hub:` in the policy: what they mean, and what is refused.

use std::collections::BTreeSet;

use prodpin::model::{Code, Order, Severity};
use prodpin::policy::{Channel, Policy, parse};

use crate::estate::{Estate, tags};

fn read(lines: &str) -> Result<Policy, String> {
    let text = format!(
        "version: 1\nsources: {{ shop: {{ oci: https://r.example, repositories: [a] }} }}\n\
         production: [{{ tags: [\"v*\"] }}]\n{lines}\n"
    );
    let environment = |name: &str| match name {
        "SECRET" => Some("s3cr3t".to_owned()),
        "SLACK" => Some("https://hooks.slack.example/services/T/B/x".to_owned()),
        "BAD" => Some("http://hooks.slack.example/T0KEN".to_owned()),
        "LONG" => Some("s3cr3t-of-the-registry".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    parse(&text, "prodpin.yaml", &environment).map_err(|errors| errors.to_string())
}

fn refused(lines: &str, why: &str) {
    let reported = read(lines).expect_err(lines);
    assert!(reported.contains(why), "{lines}\n{reported}");
    assert!(!reported.contains("s3cr3t") && !reported.contains("T0KEN"), "{reported}");
}

const WAIVED: &str = "reason: known, owner: shop team, expires: 2027-01-31";

#[test]
fn a_waiver_says_what_why_who_and_until_when() {
    let policy = read(&format!("waivers: [{{ code: tag-moved, repositories: [\"shop/*\"], {WAIVED} }}]")).unwrap();
    let waiver = &policy.waivers[0];
    assert_eq!(waiver.code, Code::TagMoved);
    assert_eq!((waiver.waived.owner.as_str(), waiver.waived.expires.to_string().as_str()), ("shop team", "2027-01-31"));
    for (lines, why) in [
        (format!("{{ code: tag-moved, {WAIVED} }}"), "nothing says which findings are meant"),
        (format!("{{ code: tag-moved, all: true, source: shop, {WAIVED} }}"), "all: true says every finding"),
        (format!("{{ code: tag-movde, all: true, {WAIVED} }}"), "did you mean \"tag-moved\"?"),
        (format!("{{ all: true, {WAIVED} }}"), "which kind of finding"),
        ("{ code: tag-moved, all: true, owner: x, expires: 2027-01-31 }".to_owned(), "the waiver has no reason"),
        ("{ code: tag-moved, all: true, reason: x, expires: 2027-01-31 }".to_owned(), "the waiver has no owner"),
        ("{ code: tag-moved, all: true, reason: x, owner: x }".to_owned(), "the waiver has no expires"),
        ("{ code: tag-moved, all: true, reason: x, owner: x, expires: never }".to_owned(), "this is no date"),
        ("{ code: tag-moved, all: true, reason: x, owner: x, expires: 2027-02-30 }".to_owned(), "this is no date"),
        ("{ code: tag-moved, all: true, reason: \" \", owner: x, expires: 2027-01-31 }".to_owned(), "reason is empty"),
    ] {
        refused(&format!("waivers: [{lines}]"), why);
    }
}

#[test]
fn a_sender_of_events_proves_itself_in_one_way_i18() {
    let policy = read("events: { shop: { bearer: \"${LONG}\" } }").unwrap();
    assert_eq!(policy.events.len(), 1);
    assert!(!format!("{:?}", policy.events).contains("s3cr3t"));
    for (lines, why) in [
        ("{ shop: {} }", "anybody could send these events"),
        ("{ shop: { bearer: T0KEN-of-the-registry } }", "a secret is written in the policy"),
        ("{ shop: { signature: T0KEN-of-the-registry } }", "a secret is written in the policy"),
        ("{ shop: { path: T0KEN-of-the-registry } }", "a secret is written in the policy"),
        ("{ shop: { bearer: \"${SECRET}\" } }", "so short that it can be guessed"),
        ("{ shop: { bearer: \"${EMPTY}\" } }", "is empty"),
        ("{ shop: { path: \"${SLACK}\" } }", "cannot stand in an address"),
        ("{ shop: { bearer: \"${LONG}\", path: \"${LONG}\" } }", "in one way"),
        ("{ shpo: { bearer: \"${LONG}\" } }", "there is no source \"shpo\""),
        ("{ shop: { token: \"${LONG}\" } }", "token"),
    ] {
        refused(&format!("events: {lines}"), why);
    }
}

#[test]
fn alerts_take_secrets_from_the_environment_only_i18() {
    let policy = read(
        "alerts:\n  a: { webhook: \"https://h.example/x\", secret: \"${SECRET}\", severity: critical }\n  \
         b: { slack: \"${SLACK}\" }\n  c: { sns: \"arn:aws:sns:eu-west-1:111122223333:alerts\" }\n  \
         d: { eventbridge: default }\n",
    )
    .unwrap();
    assert_eq!(policy.alerts.iter().map(|alert| alert.severity).max(), Some(Severity::Critical));
    assert!(
        matches!(&policy.alerts[2].channel, Channel::Sns { aws, .. } if aws.region.as_deref() == Some("eu-west-1"))
    );
    let shown = format!("{:?}", policy.alerts);
    assert!(!shown.contains("s3cr3t") && !shown.contains("services/T"), "{shown}");
    for (lines, why) in [
        ("{ webhook: \"https://h.example/x\", secret: T0KEN }", "a secret is written in the policy"),
        ("{ slack: \"https://hooks.slack.example/T0KEN\" }", "a secret is written in the policy"),
        ("{ webhook: \"https://h.example/x\" }", "a webhook without a secret"),
        ("{ webhook: \"https://h.example/x\", secret: \"${EMPTY}\" }", "this value is empty"),
        ("{ webhook: \"http://h.example/x\", secret: \"${SECRET}\" }", "an alert goes over https"),
        ("{ webhook: \"http://127.0.0.1/x\", secret: \"${SECRET}\" }", "an alert goes over https"),
        ("{ webhook: \"https://u:p@h.example/x\", secret: \"${SECRET}\" }", "must not hold a user name"),
        ("{ webhook: \"https://h.example/x?key=T0KEN\", secret: \"${SECRET}\" }", "may be a secret"),
        ("{ slack: \"https://hooks.slack.example/x\" }", "a secret is written in the policy"),
        ("{ slack: \"${BAD}\" }", "an alert goes over https"),
        ("{ pagerduty: T0KEN }", "a secret is written in the policy"),
        ("{ opsgenie: T0KEN }", "a secret is written in the policy"),
        ("{ opsgenie: T0KEN, severty: high }", "severty"),
        ("{ opsgeni: T0KEN }", "opsgeni"),
        ("{ slak: \"https://hooks.slack.example/T0KEN\" }", "slak"),
        ("{ Pagerduty: T0KEN }", "Pagerduty"),
        ("{ webhook: \"https://h.example/x\", secrt: T0KEN }", "secrt"),
        ("{ pagerduty: \"${SECRET}\", routing_key: T0KEN }", "routing_key"),
        ("{ webhook: \"https://h.example/x\", token: \"T0KEN\" }", "token"),
        ("{ pagerduty: \"${SECRET}\", endpoint: \"http://events.example\" }", "an alert goes over https"),
        ("{ opsgenie: \"${EMPTY}\" }", "this value is empty"),
        ("{ opsgenie: \"${SECRET}\", region: eu }", "region"),
        ("{ sns: alerts }", "this is no topic's ARN"),
        ("{ sns: \"arn:aws:sns:eu-west-1:1:alerts\" }", "this is no topic's ARN"),
        ("{ eventbridge: \"a b\" }", "this is no event bus"),
        ("{ webhok: \"https://h.example/x\" }", "webhook"),
    ] {
        refused(&format!("alerts: {{ a: {lines} }}"), why);
    }
    refused("ledger: none\nalerts: { b: { slack: \"${SLACK}\" } }", "alerts need a ledger");
}

#[test]
fn security_hub_names_an_account_and_a_region() {
    let policy = read("security_hub: { account: \"111122223333\", region: eu-west-1 }").unwrap();
    assert_eq!(policy.security_hub.unwrap().id, "111122223333");
    refused("security_hub: { account: \"1\", region: eu-west-1 }", "this is no AWS account");
    refused("security_hub: { account: \"111122223333\" }", "security_hub has no region");
}

mod runs {
    use prodpin::model::{Finding, Mode, NamePatterns, Waived, Waiver};

    use super::*;

    fn waiver(references: &str, expires: &str) -> Waiver {
        Waiver {
            code: Code::TagMoved,
            source: None,
            repositories: None,
            references: Some(NamePatterns::new([references]).unwrap()),
            waived: Waived { reason: "known".into(), owner: "shop team".into(), expires: expires.parse().unwrap() },
        }
    }

    fn moved(findings: &[Finding]) -> &Finding {
        findings.iter().find(|finding| finding.code == Code::TagMoved).unwrap()
    }

    #[tokio::test]
    async fn a_run_marks_what_is_waived_and_tells_what_ran_out() {
        let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
        estate.push("v1.0.0", "first");
        estate.push("v1.1.0", "second");
        estate.policy.waivers =
            vec![waiver("v1.0.*", "2999-12-31"), waiver("v1.0.*", "2020-01-31"), waiver("v9*", "2999-12-31")];
        estate.enforce().await;
        estate.push("v1.0.0", "other bytes");
        let reported = estate.enforce().await;
        assert_eq!(moved(&reported.findings).waived.as_ref().unwrap().owner, "shop team");
        let codes = reported.codes();
        assert!(codes.contains(&"medium waiver-expired".to_owned()), "{codes:?}");
        let idle = reported.findings.iter().find(|finding| finding.code == Code::PolicyUnmatched).unwrap();
        assert_eq!(idle.reference.as_deref(), Some("waiver tag-moved: v9*"));
    }

    #[tokio::test]
    async fn without_a_waiver_the_same_counts() {
        let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
        estate.push("v1.0.0", "first");
        estate.push("v1.1.0", "second");
        estate.policy.waivers = vec![waiver("v1.0.*", "2020-01-31")];
        estate.run(Mode::Audit).await;
        estate.push("v1.0.0", "other bytes");
        assert!(moved(&estate.run(Mode::Audit).await.findings).waived.is_none());
    }
}

/// What is commented out in the annotated policy is as true as the rest.
#[test]
fn the_annotated_policy_s_waivers_and_alerts_are_what_they_say() {
    let annotated = include_str!("../../policies/prodpin.yaml");
    let (_, reporting) = annotated.split_once("# waivers:").unwrap();
    let (reporting, _) = reporting.split_once("# For `watch").unwrap();
    let code = reporting
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| ["  ", "alerts:", "security_hub:"].iter().any(|start| line.starts_with(start)));
    let lines = code.collect::<Vec<_>>().join("\n").replace("ALERT_SECRET", "SECRET").replace("SLACK_WEBHOOK", "SLACK");
    let lines = lines.replace("PAGERDUTY_KEY", "SECRET").replace("OPSGENIE_KEY", "SECRET");
    let policy = read(&format!("waivers:\n{lines}")).unwrap();
    assert_eq!((policy.waivers.len(), policy.alerts.len()), (1, 6));
    assert!(policy.security_hub.is_some());
}

/// All that a schema calls a property, at whatever depth.
fn properties(schema: &serde_json::Value, found: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(fields) => {
            let named = fields.get("properties").and_then(serde_json::Value::as_object);
            found.extend(named.into_iter().flat_map(|named| named.keys().cloned()));
            fields.values().for_each(|field| properties(field, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| properties(item, found)),
        _ => {}
    }
}

#[test]
fn the_annotated_policy_shows_every_key() {
    let annotated = include_str!("../../policies/prodpin.yaml");
    let mut keys = BTreeSet::new();
    properties(&serde_json::from_str(include_str!("../../policies/prodpin.schema.json")).unwrap(), &mut keys);
    assert!(keys.len() > 60, "{keys:?}");
    let is_shown = |key: &str| {
        annotated.match_indices(&format!("{key}:")).any(|(at, _)| annotated[..at].ends_with([' ', '\n', '{']))
    };
    let missing: Vec<&String> = keys.iter().filter(|key| !is_shown(key)).collect();
    assert!(missing.is_empty(), "`prodpin init` does not show {missing:?}");
}
