//! Every format of the report on estates of every kind: shape, size, memory; and files that known consumers judge.

mod changes;

use jiff::Timestamp;
use prodpin::model::{Code, Due, Finding, Mode, Obstacle, Severity, Waived};
use prodpin::outcome::report::{PinReport, RepositoryReport, Row, TargetReport};
use prodpin::report::body::{BodyWriter, Report};
use prodpin::report::render::{Format, render};

use serde_json::Value;

use crate::reports::{WIDE, context, finding, manifest, run, service, shown, target};
use crate::support::each;

/// A service of a large estate: some healthy, some not, as real ones are.
pub(crate) fn estate_row(number: usize) -> Row {
    let name = format!("team-{:02}/service-{number:05}", number % 37);
    let tags = (0..5).map(|back| format!("v{}.{}.{}", 2 + number % 3, 14 - back, number % 10));
    let mut targets: Vec<TargetReport> =
        tags.zip(1..).map(|(tag, rank)| target(rank, manifest(&format!("{name}{tag}")), &tag)).collect();
    match number % 11 {
        3 => spoil(&mut targets[1], Some(false), Obstacle::Missing),
        5 => targets
            .iter_mut()
            .skip(1)
            .for_each(|target| spoil(target, Some(false), Obstacle::Archived { class: "GLACIER".into() })),
        7 => spoil(&mut targets[2], Some(true), due(number)),
        9 => targets
            .iter_mut()
            .skip(1)
            .for_each(|target| spoil(target, None, Obstacle::Unproven { detail: "503 Service Unavailable".into() })),
        _ => {}
    }
    let repository = service(if number.is_multiple_of(2) { "shop" } else { "payments" }, &name, targets);
    let findings = findings_of(number, &repository);
    Row { repository: Some(repository), findings }
}

fn spoil(target: &mut TargetReport, restorable: Option<bool>, obstacle: Obstacle) {
    target.restorable = restorable;
    target.protected = if restorable.is_none() { None } else { Some(false) };
    target.pin = if restorable == Some(true) { PinReport::Present } else { PinReport::Absent };
    target.obstacles = vec![obstacle];
}

fn due(number: usize) -> Obstacle {
    let at: Timestamp = "2026-11-25T00:00:00Z".parse().unwrap();
    let days = i64::try_from(number % 53).unwrap();
    let due = match number % 4 {
        0 => Due::Now,
        1 => Due::AfterPushes { pushes: 12, around: Some(at + jiff::SignedDuration::from_hours(24 * days)) },
        _ => Due::On(at + jiff::SignedDuration::from_hours(24 * days)),
    };
    Obstacle::Lifecycle { rule: format!("expire-{}", number % 3), effect: "expires it".into(), due: Some(due) }
}

fn findings_of(number: usize, repository: &RepositoryReport) -> Vec<Finding> {
    let first_seen = |hours: i64| {
        let at: Timestamp = "2026-11-23T03:15:00Z".parse().unwrap();
        at - jiff::SignedDuration::from_hours(hours)
    };
    let about =
        |severity, code, message: String, remedy: &str| finding(severity, code, Some(repository), &message, remedy);
    match number % 11 {
        3 => vec![about(
            Severity::Critical,
            Code::TargetMissing,
            format!("{}: v14 does not exist any more", repository.name),
            "push the same bytes again from a replica or a backup",
        )],
        5 => vec![about(
            Severity::High,
            Code::TargetArchived,
            "four releases lie in archive storage".into(),
            "restore them from the archive",
        )],
        7 => vec![Finding {
            first_seen: first_seen(72),
            ..about(
                Severity::High,
                Code::LifecycleCollision,
                "rule expire-1 would take a rollback target".into(),
                "put a rule in front that claims prod-pinned-*",
            )
        }],
        1 => vec![Finding {
            reference: Some(format!("v2.{number}")),
            artifact: Some(manifest(&format!("a{number}")).to_string()),
            previous: Some(manifest(&format!("b{number}")).to_string()),
            first_seen: first_seen(i64::try_from(number % 400).unwrap()),
            waived: (number % 5 == 1).then(|| Waived {
                reason: "the vendor pushes fixes under the same tag".into(),
                owner: "shop team".into(),
                expires: "2027-01-31".parse().unwrap(),
            }),
            ..about(
                Severity::Medium,
                Code::TagMoved,
                format!("v2.{number} moved"),
                "find out who pushed it; deploy by digest",
            )
        }],
        _ => vec![],
    }
}

pub(crate) fn estate(services: usize) -> Report {
    let mut writer = BodyWriter::new().unwrap();
    (0..services).for_each(|number| writer.push(estate_row(number)).unwrap());
    let body = writer.finish().unwrap();
    Report { run: run(Mode::Audit, true, true), summary: body.summary(), body }
}

/// Writes the sample files that tests/run.sh then shows to a browser and to the known consumers of each format.
#[test]
#[ignore = "writes files into the directory that PRODPIN_SAMPLES names; tests/run.sh runs it"]
fn samples_for_known_consumers() {
    let directory = std::path::PathBuf::from(std::env::var_os("PRODPIN_SAMPLES").unwrap());
    for (name, report) in [("estate", estate(1_000)), ("large", estate(10_000)), ("small", estate(12))] {
        let wanted = |format: &Format| name != "large" || *format == Format::Html;
        for format in Format::ALL.into_iter().filter(wanted) {
            let mut file = std::fs::File::create(directory.join(format!("{name}.{format}"))).unwrap();
            render(format, &report, &context(WIDE), &mut file).unwrap();
        }
    }
    for (place, text) in crate::hostile_output::names().iter().enumerate() {
        let report = crate::hostile_output::hostile(text);
        for format in Format::ALL {
            let mut file = std::fs::File::create(directory.join(format!("hostile-{place}.{format}"))).unwrap();
            render(format, &report, &context(WIDE), &mut file).unwrap();
        }
    }
}

fn html(report: &Report) -> String {
    shown(Format::Html, report, WIDE)
}

#[test]
fn a_thousand_services_are_less_than_two_megabytes_and_load_nothing() {
    let page = html(&estate(1_000));
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(page.is_ascii() || page.chars().filter(|shown| !shown.is_ascii()).all(|shown| "·…–←".contains(shown)));
    // Nothing in it has an address to load from, by tag or by style.
    for loader in [
        "src=",
        "<link",
        "@import",
        "url(",
        "<img",
        "<iframe",
        "http://",
        "fetch(",
        "XMLHttpRequest",
        "innerHTML",
        "eval(",
    ] {
        let own = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!own.contains(loader), "{loader}");
    }
}

/// The policy allows the one script and the one style by their hashes, and nothing else.
#[test]
fn the_content_security_policy_is_of_this_very_page_f76() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let page = html(&estate(3));
    let between = |from: &str, to: &str| page.split_once(from).unwrap().1.split_once(to).unwrap().0;
    let policy = between("content=\"default-src", "\"");
    for (rule, content) in
        [("style-src", between("<style>", "</style>")), ("script-src", between("<script>", "</script>"))]
    {
        let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(content.as_bytes()));
        assert!(
            policy.contains(&format!("{rule} &#39;sha256-{hash}&#39;"))
                || policy.contains(&format!("{rule} 'sha256-{hash}'")),
            "{rule}: {policy}"
        );
    }
    assert!(policy.starts_with(" &#39;none&#39;") || policy.starts_with(" 'none'"), "{policy}");
    assert!(!page.contains(" style=\"") && !page.contains(" onclick="));
}

/// However hostile the names, the page has the elements that an empty one has, and its data is data (F76).
#[test]
fn hostile_names_add_no_element_to_the_page_f74_f76_f78() {
    for text in crate::hostile_output::names() {
        let page = html(&crate::hostile_output::hostile(&text));
        assert_eq!(page.matches("<script").count(), page.matches("</script>").count(), "{text:?}");
        let foreign: String =
            page.chars().filter(|shown| !matches!(shown, ' '..='~' | '\n') && !"·…–→←".contains(*shown)).collect();
        assert_eq!(foreign, "", "{text:?}");
        let lower = page.to_lowercase();
        for element in ["<img", "<a href=\"http", "<script>alert", "<!--", "onerror=\""] {
            assert!(!lower.contains(element), "{text:?}: {element}");
        }
        let data = page.split("<script type=\"application/json\">").skip(1);
        for block in data {
            let block: Value = serde_json::from_str(block.split_once("</script>").unwrap().0).unwrap();
            assert!(block["rows"].is_array());
        }
    }
}

/// What is not rows does not grow with them, and rows come in blocks (I20, F96).
#[test]
fn thirty_thousand_findings_grow_the_rows_and_nothing_else_i20() {
    let flooded = |findings: usize| {
        let rows = (0..100).map(|number| {
            let mut row = estate_row(number);
            let about = row.repository.clone().unwrap();
            row.findings = (0..findings / 100)
                .map(|tag| Finding {
                    reference: Some(format!("t{tag}")),
                    ..finding(Severity::High, Code::TagMoved, Some(&about), "moved", "look")
                })
                .collect();
            row
        });
        crate::reports::report(run(Mode::Audit, true, true), rows)
    };
    let (few, many) = (html(&flooded(1_000)), html(&flooded(30_000)));
    let head = |page: &str| page.split_once("<script type=\"application/json\">").unwrap().0.len();
    assert!(head(&many) < head(&few) + 50_000, "{} and {}", head(&few), head(&many));
    let blocks: Vec<usize> = many.split("<script type=\"application/json\">").skip(1).map(str::len).collect();
    assert!(blocks.len() > 5 && blocks.iter().all(|length| *length < 2 << 20), "{blocks:?}");
}

/// The chart of moves has a mark for every event that changes what a name points at, and a row beside it.
#[test]
fn every_kind_of_move_is_drawn_f139() {
    for code in Code::ALL {
        let mut row = estate_row(0);
        let about = row.repository.clone().unwrap();
        row.findings = vec![Finding {
            reference: Some("the-name-that-moved".to_owned()),
            ..finding(Severity::High, *code, Some(&about), "found", "look")
        }];
        let page = html(&crate::reports::report(run(Mode::Audit, true, true), [row]));
        let section =
            page.split_once("<section id=\"moves\"").map(|(_, rest)| rest.split("</section>").next().unwrap());
        let drawn = section.is_some_and(|section| section.contains("the-name-that-moved"));
        let expected = match code {
            Code::PinMoved => true,
            // What happened is in the row of the move itself.
            Code::SettingsChanged | Code::TagAttributed => false,
            other => other.is_event(),
        };
        assert_eq!(drawn, expected, "{code}");
    }
}

#[test]
fn asff_comes_in_batches_of_a_hundred_at_most() {
    let text = shown(Format::Asff, &estate(1_000), WIDE);
    let batches: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sizes: Vec<usize> = batches.iter().map(|batch| batch["Findings"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [100, 100, 100, 64]);
    let ids: std::collections::BTreeSet<&str> = batches
        .iter()
        .flat_map(|batch| batch["Findings"].as_array().unwrap())
        .map(|one| one["Id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 364);
}

#[test]
fn metrics_hold_no_digest_and_no_sample_for_what_is_unknown_h158() {
    let text = shown(Format::Prometheus, &estate(22), WIDE);
    assert!(!text.contains("sha256:"), "{text}");
    let intact = text.lines().filter(|line| line.starts_with("prodpin_service_rollback_intact{")).count();
    assert_eq!(intact, 20, "two of the services could not be told");
    assert!(text.contains("prodpin_run_complete 1\n"));
}

#[test]
fn waived_findings_are_shown_and_do_not_count() {
    let report = estate(1_000);
    let counts = report.summary.findings;
    assert_eq!((counts.waived, counts.medium), (19, 72));
    for (format, sign) in [
        (Format::Table, "Waived by the policy, and not counted: tag-moved ×19"),
        (Format::Markdown, "Waived by the policy, and not counted: tag-moved ×19"),
        (Format::Csv, "the vendor pushes fixes under the same tag (shop team, until 2027-01-31)"),
        (Format::Sarif, "\"suppressions\""),
        (Format::Ocsf, "\"Suppressed\""),
        (Format::Asff, "\"SUPPRESSED\""),
        (Format::Prometheus, "prodpin_findings_waived 19"),
        (Format::Html, "and 19 waived"),
        (Format::Json, "\"waived\":19"),
    ] {
        let page = shown(format, &report, WIDE);
        assert!(page.contains(sign) || page.replace('`', "").contains(sign), "{format}");
    }
}

#[test]
fn an_attestation_s_subject_is_the_body_as_the_ledger_keeps_it_h156() {
    use base64::Engine as _;
    let report = estate(3);
    let envelope: Value = serde_json::from_str(&shown(Format::Attestation, &report, WIDE)).unwrap();
    assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
    let decode = |text: &Value| base64::engine::general_purpose::STANDARD.decode(text.as_str().unwrap()).unwrap();
    let payload = decode(&envelope["payload"]);
    let statement: Value = serde_json::from_slice(&payload).unwrap();
    let mut body = Vec::new();
    report.body.write_canonical(&mut body).unwrap();
    assert_eq!(statement["subject"][0]["digest"]["sha256"], prodpin::model::Digest::sha256(&body).hex());
    let signed = prodpin::report::attestation::pre_authentication(&payload);
    assert!(signed.starts_with(b"DSSEv1 28 application/vnd.in-toto+json "));
    assert_eq!(decode(&envelope["signatures"][0]["sig"]), prodpin::model::Digest::sha256(&signed).hex().into_bytes());
}
