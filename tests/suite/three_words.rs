//! Intact, protected, ready: one meaning each, in every format, and the same of each service in the report and on the page
//! about going back (I31). One estate has a service in every status.

use std::collections::BTreeMap;

use prodpin::model::{Code, DatabaseRule, Mode, NamePatterns, SchemaChange};
use prodpin::outcome::ready::{ReadyDocument, Verdict};
use prodpin::outcome::report::Document;
use prodpin::outcome::status::{ServiceCounts, ServiceStatus};
use prodpin::report::body::Report;
use prodpin::report::ready::{ReadyFormat, render};
use prodpin::report::render::{Format, Style};
use prodpin::run::Ready;
use prodpin::sources::memory::image;

use crate::estate::Estate;
use crate::reports::shown;

/// What the report says of each service, and what the page about going back makes of it.
const EXPECTED: [(&str, ServiceStatus, ServiceStatus); 11] = [
    ("shop/broken", ServiceStatus::InDanger, ServiceStatus::InDanger),
    ("shop/broken-by-image", ServiceStatus::InDanger, ServiceStatus::NotReady),
    ("shop/denied", ServiceStatus::Unknown, ServiceStatus::Unknown),
    ("shop/fresh", ServiceStatus::NotProtected, ServiceStatus::NotProtected),
    ("shop/lost", ServiceStatus::NotReady, ServiceStatus::NotReady),
    ("shop/moved", ServiceStatus::NotReady, ServiceStatus::NotReady),
    // What images say of the database only the page asks.
    ("shop/moved-by-image", ServiceStatus::Protected, ServiceStatus::NotReady),
    ("shop/once", ServiceStatus::NoEarlierRelease, ServiceStatus::NoEarlierRelease),
    ("shop/ready", ServiceStatus::Protected, ServiceStatus::Ready),
    ("shop/silent", ServiceStatus::Protected, ServiceStatus::Protected),
    ("shop/waived", ServiceStatus::NotProtected, ServiceStatus::NotProtected),
];

/// A registry with all of them, looked at once by `enforce`, and harmed since.
async fn estate() -> Estate {
    let mut estate = Estate::with_releases(0);
    let says = |repository: &str, tags: Option<&str>, schema| DatabaseRule {
        repositories: NamePatterns::new([repository]).unwrap(),
        tags: tags.map(|tags| NamePatterns::new([tags]).unwrap()),
        schema: Some(schema),
        irreversible: None,
    };
    estate.policy.database =
        vec![says("shop/ready", None, SchemaChange::None), says("shop/moved", Some("v1.2.0"), SchemaChange::Contract)];
    for (repository, ..) in EXPECTED.iter().filter(|(name, ..)| *name != "shop/once") {
        for minor in 0..3 {
            let text = format!("{repository} {minor}");
            let built = image(&text);
            let built = match (*repository, minor) {
                ("shop/moved-by-image" | "shop/broken-by-image", 2) => {
                    built.annotated(SchemaChange::ANNOTATION, "contract")
                }
                _ => built,
            };
            estate.memory.push(repository, &format!("v1.{minor}.0"), built);
        }
    }
    estate.memory.push("shop/once", "v0.1.0", "once");
    estate.enforce().await;
    let tagged = |repository: &str, tag: &str| estate.memory.tag(repository, tag).unwrap();
    for tag in ["v1.0.0", "v1.1.0"] {
        estate.memory.delete_manifest("shop/lost", &tagged("shop/lost", tag));
    }
    for repository in ["shop/broken", "shop/broken-by-image", "shop/waived"] {
        estate.memory.delete_manifest(repository, &tagged(repository, "v1.1.0"));
    }
    estate.memory.push("shop/fresh", "v1.3.0", "fresh 3");
    estate.memory.deny("shop/denied");
    let covered = [Code::TargetMissing, Code::TagDeleted];
    estate.policy.waivers.extend(covered.map(|code| prodpin::model::Waiver {
        code,
        source: None,
        repositories: Some(NamePatterns::new(["shop/waived"]).unwrap()),
        references: None,
        waived: prodpin::model::Waived {
            reason: "it was withdrawn".into(),
            owner: "shop team".into(),
            expires: "2999-01-01".parse().unwrap(),
        },
    }));
    estate
}

fn counts(statuses: impl Iterator<Item = ServiceStatus>) -> ServiceCounts {
    let mut counts = ServiceCounts::default();
    statuses.for_each(|status| counts.add(status));
    counts
}

/// `3 not protected` wherever a line counts so.
fn is_reported(text: &str, status: ServiceStatus, count: u64) -> bool {
    let (text, reported) = (text.to_lowercase().replace('\u{a0}', " "), format!("{count} {}", status.word()));
    text.match_indices(&reported).any(|(at, _)| {
        let after = &text[at + reported.len()..];
        !after.starts_with(|next: char| next.is_alphanumeric() || next == '-')
    })
}

#[tokio::test]
async fn i31_the_three_words_count_the_same_in_every_format() {
    let estate = estate().await;
    let report = estate.report(Mode::Audit, &[]).await.unwrap();
    let expected = counts(EXPECTED.iter().map(|(_, reported, _)| *reported));
    assert_eq!(report.summary.services, expected);
    assert_eq!(expected.ready, 0, "until the database is asked about, nothing is ready");
    for format in Format::ALL {
        let text = shown(format, &report, Style::UNBOUNDED);
        for status in ServiceStatus::ALL.into_iter().filter(|status| expected.of(*status) > 0) {
            let (name, count) = (status.as_str(), expected.of(status));
            let reported = match format {
                Format::Table | Format::Markdown => is_reported(&text, status, count),
                Format::Html => text.contains(&format!("</svg>{}</span><b>{count}</b>", status.word())),
                Format::Csv => {
                    let rows = text.lines().filter(|line| line.starts_with("\"repository\""));
                    rows.filter(|line| line.rsplit(',').nth(6) == Some(&format!("\"{name}\""))).count() as u64 == count
                }
                Format::Json | Format::Sarif | Format::Ocsf => text.contains(&format!("\"{name}\":{count}")),
                Format::Junit => text.contains(&format!("name=\"services.{name}\" value=\"{count}\"")),
                Format::Asff => text.contains(&format!("{name}={count}")),
                Format::Prometheus => text.contains(&format!("prodpin_services{{status=\"{name}\"}} {count}\n")),
                // Its statement is what is signed; it has the summary.
                Format::Attestation => {
                    let statement = prodpin::report::attestation::statement(&report).unwrap();
                    String::from_utf8(statement).unwrap().contains(&format!("\"{name}\":{count}"))
                }
            };
            assert!(reported, "{format}: {count} {name}\n{text}");
        }
    }
    let lambda = prodpin::invocation::RunSummary::from_report(
        &report,
        &prodpin::policy::LedgerLocation::None,
        prodpin::model::FailOn::High,
    );
    assert_eq!(lambda.unwrap().summary.services, expected);
}

fn statuses(report: &Report) -> BTreeMap<String, ServiceStatus> {
    let rows = report.body.rows().map(Result::unwrap).filter_map(|row| row.repository);
    rows.map(|row| (row.name.to_string(), row.rollback.status.unwrap())).collect()
}

fn document(ready: &Ready) -> ReadyDocument {
    let mut out = Vec::new();
    render(ReadyFormat::Json, &ready.report, false, Style::UNBOUNDED, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[tokio::test]
async fn i31_report_and_page_agree_on_every_service() {
    let estate = estate().await;
    let before = document(&estate.ready().await);
    let report = estate.report(Mode::Audit, &[]).await.unwrap();
    let reported = statuses(&report);
    for ready in [before, document(&estate.ready().await)] {
        assert_eq!(ready.summary.services, counts(EXPECTED.iter().map(|(.., page)| *page)));
        for row in &ready.repositories {
            let name = row.name.as_str();
            let (_, in_report, on_page) = EXPECTED.iter().find(|(expected, ..)| *expected == name).unwrap();
            assert_eq!((reported[name], row.status), (*in_report, *on_page), "{name}: {}", row.why);
            let verdict = match row.status {
                ServiceStatus::NotReady => Verdict::RollForward,
                ServiceStatus::NoEarlierRelease => Verdict::NoEarlierRelease,
                ServiceStatus::Ready => Verdict::RollBack,
                _ => Verdict::Unknown,
            };
            assert_eq!(row.verdict, verdict, "{name}: {}", row.why);
            assert_eq!(
                row.status == ServiceStatus::InDanger,
                row.verdict != Verdict::RollForward && !row.criticals.is_empty()
            );
        }
    }
}

/// What is lost stands first, however many are fine, and a service with one release is no failure of either command.
#[tokio::test]
async fn i31_one_release_is_no_failure_and_the_list_goes_by_danger() {
    let mut estate = Estate::with_releases(0);
    estate.memory.push("shop/once", "v0.1.0", "once");
    estate.enforce().await;
    let (report, ready) = (estate.report(Mode::Audit, &[]).await.unwrap(), estate.ready().await);
    assert_eq!(statuses(&report)["shop/once"], ServiceStatus::NoEarlierRelease);
    let page = ready.report.rows().next().unwrap().unwrap();
    assert_eq!((page.status, page.verdict), (ServiceStatus::NoEarlierRelease, Verdict::NoEarlierRelease));
    for severities in [report.summary.findings, ready.report.summary.severities] {
        assert_eq!((severities.critical, severities.high, severities.medium, severities.low), (0, 0, 0, 1));
    }
    assert_eq!(serde_json::to_value(page.verdict).unwrap(), page.status.as_str(), "one value in both");
    estate = self::estate().await;
    let ready = estate.ready().await;
    let mut out = Vec::new();
    render(ReadyFormat::Page, &ready.report, false, Style::UNBOUNDED, &mut out).unwrap();
    let shown = String::from_utf8(out).unwrap();
    let order: Vec<&str> = shown.split_whitespace().filter(|word| word.starts_with("shop/")).collect();
    let mut expected = EXPECTED.map(|(name, _, status)| (status, name));
    expected.sort_unstable();
    assert_eq!(order, expected.map(|(_, name)| name), "{shown}");
}

/// What a program before called ready is what is intact, and a report of its reads as one of this one.
#[test]
fn a_report_of_a_program_before_is_read_in_today_s_words() {
    use prodpin::outcome::report::Rollback;
    let read = |ready: &str, more: &str| -> Rollback {
        let text = format!(
            "{{\"ready\":{ready},\"current\":null,\"from\":null,\"went_back_from\":null,\"to\":null,\"keep\":5{more}{}}}",
            if more.contains("depth") { "" } else { ",\"depth\":0" }
        );
        serde_json::from_str(&text).unwrap()
    };
    let contracted = |depth: u32| {
        let artifact = prodpin::model::Digest::sha256(b"contracting");
        format!(",\"contracted\":\"{artifact}\",\"earlier\":2,\"depth\":{depth}")
    };
    for (ready, more, intact, strict) in [
        ("true", "", Some(true), None),
        ("false", ",\"earlier\":2", Some(false), Some(false)),
        ("false", ",\"earlier\":0", None, Some(false)),
        ("null", "", None, None),
        ("null", ",\"intact\":true", Some(true), None),
        ("true", ",\"intact\":true", Some(true), None),
        ("false", ",\"intact\":null", None, Some(false)),
        ("false", contracted(0).as_str(), None, Some(false)),
        ("false", contracted(2).as_str(), Some(true), Some(false)),
    ] {
        let rollback = read(ready, more);
        assert_eq!((rollback.intact, rollback.ready), (intact, strict), "{ready}{more}");
        let again: Rollback = serde_json::from_value(serde_json::to_value(&rollback).unwrap()).unwrap();
        assert_eq!(again, rollback);
    }
    let document = |text: &str| serde_json::from_str::<Document>(text).is_ok();
    assert!(!document("{}"), "a document says which version it is");
}
