//! Whole runs and looks ahead over a chart repository.

use std::sync::Arc;

use prodpin::model::{ArtifactId, Digest, Mode, SourceName};
use prodpin::outcome::forecast::{RulesFound, TargetOutlook};
use prodpin::policy::{LedgerLocation, Policy};
use prodpin::run::{ForecastOptions, Progress, RunOptions, Stop, forecast_on, run_on};
use prodpin::sources::Source;

use super::shop::{open, policy, stocked};
use crate::support::chart::{archive, index};

struct Quiet;
impl Progress for Quiet {}

/// Runs an audit, and tells code, severity and reference of each finding, with its message.
async fn audit(policy: &Policy, source: Source) -> Vec<(String, String)> {
    let name: SourceName = "charts".parse().unwrap();
    let options = RunOptions {
        mode: Mode::Audit,
        sources: Vec::new(),
        shard: None,
        repositories: Vec::new(),
        concurrency: 4,
        deadline: None,
        stop: Stop::default(),
    };
    let report = run_on(policy, [(name, source)].into(), &options, Arc::new(Quiet)).await.unwrap();
    let mut findings = Vec::new();
    for finding in report.body.rows().flat_map(|row| row.unwrap().findings) {
        let reference = finding.reference.unwrap_or_default();
        findings.push((format!("{} {} {reference}", finding.severity, finding.code), finding.message));
    }
    findings.sort();
    findings
}

fn code(findings: &[(String, String)], wanted: &str) -> String {
    let found: Vec<_> = findings.iter().filter(|(code, _)| code.contains(wanted)).collect();
    let [(_, message)] = found.as_slice() else { panic!("one {wanted} of {findings:?}") };
    message.clone()
}

#[tokio::test]
async fn republished_and_vanished_versions_are_told_as_what_they_are_f140() {
    let server = stocked(&["1.2.3+a", "1.2.3+b", "1.3.0"]).await;
    let directory = tempfile::tempdir().unwrap();
    let mut policy = policy(&format!("    helm: {}\n", server.url()));
    policy.ledger = LedgerLocation::Directory(directory.path().join("ledger"));
    let first = audit(&policy, open(&server, &[]).await).await;
    assert!(code(&first, "pin-ineffective").contains("cannot be pinned"), "{first:?}");
    assert!(code(&first, "medium pin-ineffective").contains("3 of 3"));

    // Published again, with the index written anew.
    let again = archive("shop", "1.3.0", "other bytes");
    let path = "charts/shop-1.3.0.tgz";
    server.put(&format!("/{path}"), "application/gzip", again.clone());
    let (a, b) = (archive("shop", "1.2.3+a", "1.2.3+a"), archive("shop", "1.2.3+b", "1.2.3+b"));
    let all = [
        ("shop", "1.2.3+a", Some(Digest::sha256(&a)), "charts/shop-1.2.3+a.tgz"),
        ("shop", "1.2.3+b", Some(Digest::sha256(&b)), "charts/shop-1.2.3+b.tgz"),
        ("shop", "1.3.0", Some(Digest::sha256(&again)), path),
    ];
    server.put("/index.yaml", "text/yaml", index(&all));
    let second = audit(&policy, open(&server, &[]).await).await;
    let message = code(&second, "critical chart-republished 1.3.0");
    assert!(message.contains("published again") && message.contains("production"), "{message}");
    code(&second, "critical target-missing 1.3.0");
    assert!(!second.iter().any(|(code, _)| code.contains("tag-moved")));

    // Gone twice, its archive as well: deleted, and Helm would take its neighbour for it.
    server.put("/index.yaml", "text/yaml", index(&all[1..]));
    server.remove("/charts/shop-1.2.3+a.tgz");
    let third = audit(&policy, open(&server, &[]).await).await;
    assert!(!third.iter().any(|(code, _)| code.contains("tag-deleted")), "I4: {third:?}");
    let fourth = audit(&policy, open(&server, &[]).await).await;
    let message = code(&fourth, "tag-deleted 1.2.3+a");
    assert!(message.contains("Helm would install 1.2.3+b for it"), "{message}");
}

/// An index that was written anew with other digests, over archives that stayed as they were.
#[tokio::test]
async fn what_the_index_says_of_an_archive_makes_no_release_missing_i25() {
    let server = stocked(&["1.2.0", "1.3.0"]).await;
    let directory = tempfile::tempdir().unwrap();
    let mut policy = policy(&format!("    helm: {}\n", server.url()));
    policy.ledger = LedgerLocation::Directory(directory.path().join("ledger"));
    audit(&policy, open(&server, &[]).await).await;
    let same = archive("shop", "1.3.0", "1.3.0");
    let wrong = Digest::sha256(b"what the index was told");
    let entries = [
        ("shop", "1.2.0", Some(Digest::sha256(&archive("shop", "1.2.0", "1.2.0"))), "charts/shop-1.2.0.tgz"),
        ("shop", "1.3.0", Some(wrong), "charts/shop-1.3.0.tgz"),
    ];
    server.put("/index.yaml", "text/yaml", index(&entries));
    for _ in 0..2 {
        let reported = audit(&policy, open(&server, &[]).await).await;
        assert!(
            !reported.iter().any(|(code, _)| code.contains("target-missing")),
            "it is served as ever: {reported:?}"
        );
        assert!(code(&reported, "critical chart-digest-mismatch").contains("do not agree"), "{reported:?}");
    }
    // Where the bytes are gone as well, it is missing.
    server.put("/charts/shop-1.3.0.tgz", "application/gzip", archive("shop", "1.3.0", "other bytes"));
    let reported = audit(&policy, open(&server, &[]).await).await;
    assert!(
        code(&reported, "critical target-missing").contains(&ArtifactId::from(Digest::sha256(&same)).short()),
        "{reported:?}"
    );
}

#[tokio::test]
async fn a_look_ahead_promises_nothing_where_no_rules_can_be_read_a54() {
    let server = stocked(&["1.2.3"]).await;
    let mut policy = policy(&format!("    helm: {}\n", server.url()));
    policy.ledger = LedgerLocation::None;
    let sources = [("charts".parse().unwrap(), open(&server, &[]).await)].into();
    let as_of = Some("2099-01-01T00:00:00Z".parse().unwrap());
    let options = ForecastOptions { as_of, concurrency: 4, ..ForecastOptions::default() };
    let forecast = forecast_on(&policy, sources, &options, Arc::new(Quiet)).await.unwrap();
    let rows: Vec<_> = forecast.report.rows().map(Result::unwrap).collect();
    let [row] = rows.as_slice() else { panic!("one chart: {rows:?}") };
    assert_eq!(row.rules, RulesFound::NoneReadable);
    let [target] = row.targets.as_slice() else { panic!("one version: {row:?}") };
    assert_eq!((&target.outlook, &target.remedy, target.threats.len()), (&Some(TargetOutlook::Unknown), &None, 0));
    assert_eq!(target.target.protected, Some(false), "I7: nothing is pinned here");
}

#[tokio::test]
async fn an_archive_changed_behind_its_index_is_critical() {
    let server = stocked(&["1.2.3", "1.2.4"]).await;
    server.put("/charts/shop-1.2.4.tgz", "application/gzip", archive("shop", "1.2.4", "changed"));
    let mut policy = policy(&format!("    helm: {}\n", server.url()));
    policy.ledger = LedgerLocation::None;
    let findings = audit(&policy, open(&server, &[]).await).await;
    assert!(code(&findings, "critical chart-digest-mismatch 1.2.4").contains("index and archive do not agree"));
}
