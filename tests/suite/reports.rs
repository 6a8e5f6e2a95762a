//! Reports of every kind, in every format, as golden files; the body's laws; the schema.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its input should fail")]

mod estate;
mod golden;
mod schema;

use std::sync::LazyLock;

use jiff::Timestamp;
use prodpin::model::{
    ArtifactId, AwsAccount, Code, Counts, Digest, Finding, Mode, RunId, RunScope, Severity, Survival, Survives, Tag,
};
use prodpin::outcome::report::{
    Document, LedgerSection, PinReport, Reason, RepositoryReport, Rollback, Row, RunSection, TargetReport,
};
use prodpin::report::body::{Body, BodyWriter, Report};
use prodpin::report::context::{Context, Signer};
use prodpin::report::render::{Format, Style, render};

use self::estate::{checkout, healthy, ledger_service, rich};

pub(crate) use self::schema::check;

pub(crate) const STARTED: &str = "2026-11-23T03:15:00Z";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn manifest(seed: &str) -> ArtifactId {
    Digest::sha256(seed.as_bytes()).into()
}

pub(crate) fn run(mode: Mode, complete: bool, ledger: bool) -> RunSection {
    RunSection {
        id: RunId::new(time(STARTED), 0x0123_abcd),
        mode,
        started: time(STARTED),
        finished: time("2026-11-23T03:15:42Z"),
        complete,
        scope: RunScope::default(),
        policy_sha256: Digest::sha256(b"policy"),
        ledger: ledger.then(|| LedgerSection {
            checkpoint: None,
            unanchored: None,
            history_missing: None,
            unsigned: false,
            sequence: 42,
            root: "VHJ1c3QgYnV0IHZlcmlmeSB0aGUgcm9vdCBoYXNoIGhlcmU=".into(),
        }),
    }
}

pub(crate) fn report(run: RunSection, rows: impl IntoIterator<Item = Row>) -> Report {
    let mut writer = BodyWriter::new().unwrap();
    rows.into_iter().for_each(|row| writer.push(row).unwrap());
    let body = writer.finish().unwrap();
    Report { run, summary: body.summary(), body }
}

/// A target that is as it should be.
pub(crate) fn target(rank: u32, artifact: ArtifactId, tag: &str) -> TargetReport {
    let tag: Tag = tag.parse().unwrap();
    TargetReport {
        artifact,
        rank: Some(rank),
        references: vec![tag.clone()],
        reasons: vec![Reason::ReleaseTag { tag }],
        running: rank == 1,
        pin: PinReport::Present,
        restorable: Some(true),
        protected: Some(true),
        obstacles: vec![],
        survives: Some(survives()),
        parts: None,
        vault: None,
        drills: vec![],
    }
}

/// What a pinned release survives in an ordinary registry.
fn survives() -> Survives {
    Survives {
        deletion_by_digest: Survival::unknown("whether this registry takes deletions by digest cannot be read"),
        loss_of_registry: Survival::no("no copy outside this registry is known"),
        ..Survives::all(&Survival::yes("its pin was read back, and no rule reaches it"))
    }
}

/// A service whose `targets` are as given: what runs is the first, what to go back to the first other restorable one.
pub(crate) fn service(source: &str, name: &str, targets: Vec<TargetReport>) -> RepositoryReport {
    let earlier = || targets.iter().skip(1).filter(|target| target.restorable == Some(true));
    let unknown = targets.iter().skip(1).any(|target| target.restorable.is_none());
    let to = earlier().next().map(|target| target.artifact.clone());
    let count = |test: fn(&TargetReport) -> bool| targets.iter().filter(|target| test(target)).count() as u64;
    RepositoryReport {
        source: source.parse().unwrap(),
        name: name.parse().unwrap(),
        complete: true,
        gaps: vec![],
        counts: Counts {
            repositories: 1,
            artifacts: 40,
            tags: 60,
            targets: targets.len() as u64,
            pinned: count(|target| matches!(target.pin, PinReport::Present | PinReport::Created)),
            protected: count(|target| target.protected == Some(true)),
        },
        rollback: Rollback {
            status: None,
            intact: match (&to, targets.get(1)) {
                (Some(_), _) => Some(true),
                (None, Some(_)) if !unknown => Some(false),
                (None, _) => None,
            },
            protected: None,
            ready: (to.is_none() && !unknown).then_some(false),
            current: targets.first().map(|target| target.artifact.clone()),
            from: targets.first().map(|target| target.artifact.clone()),
            went_back_from: None,
            to,
            depth: earlier().count() as u32,
            earlier: None,
            keep: 5,
            contracted: None,
            unknown: None,
        },
        targets,
    }
}

pub(crate) fn finding(
    severity: Severity,
    code: Code,
    of: Option<&RepositoryReport>,
    message: &str,
    remedy: &str,
) -> Finding {
    Finding {
        code,
        severity,
        source: of.map(|of| of.source.clone()),
        repository: of.map(|of| of.name.clone()),
        reference: None,
        artifact: None,
        previous: None,
        moved_by: None,
        first_seen: time(STARTED),
        ledger_sequence: Some(42),
        message: message.to_owned(),
        remedy: remedy.to_owned(),
        waived: None,
    }
}

/// What renderings take beside the report.
pub(crate) fn context(style: Style) -> Context<'static> {
    static ACCOUNT: LazyLock<AwsAccount> =
        LazyLock::new(|| AwsAccount { id: "111122223333".to_owned(), region: "eu-west-1".to_owned() });
    Context { account: Some(&ACCOUNT), signer: Some(&Toy), ..Context::new(style) }
}

/// A key that anybody has.
struct Toy;

impl Signer for Toy {
    fn key_id(&self) -> String {
        "toy".to_owned()
    }

    fn sign(&self, message: &[u8]) -> std::io::Result<Vec<u8>> {
        Ok(Digest::sha256(message).hex().into_bytes())
    }
}

pub(crate) fn shown(format: Format, report: &Report, style: Style) -> String {
    let mut out = Vec::new();
    render(format, report, &context(style), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

pub(crate) const WIDE: Style = Style { colour: false, width: 80 };

#[test]
fn every_status_reads_as_words_and_unknown_is_never_ready() {
    let table = shown(Format::Table, &report(run(Mode::Enforce, false, true), rich()), Style::UNBOUNDED);
    let summary = table.lines().find(|line| line.starts_with('✗')).unwrap();
    assert_eq!(
        summary,
        "✗ 1 NOT READY   ‼ 1 IN DANGER   ? 1 UNKNOWN   ! 1 not protected   · 1 no earlier release   ✓ 2 protected"
    );
    assert!(table.contains("roll back to  unknown"), "{table}");
    let csv = shown(Format::Csv, &report(run(Mode::Enforce, false, true), [ledger_service()]), WIDE);
    assert!(csv.contains("\"repository\",\"payments\",\"payments/ledger\",\"false\",\"unknown\""), "{csv}");
}

#[test]
fn colour_adds_nothing_but_escape_sequences() {
    let report = report(run(Mode::Enforce, false, true), rich());
    for width in [24, 40, 80, usize::MAX] {
        let coloured = shown(Format::Table, &report, Style { colour: true, width });
        let bare: String = coloured
            .split('\u{1b}')
            .enumerate()
            .map(|(place, part)| match part.split_once('m') {
                Some((_, rest)) if place > 0 => rest,
                _ => part,
            })
            .collect();
        let trimmed = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert_eq!(trimmed(&bare), trimmed(&shown(Format::Table, &report, Style { colour: false, width })));
    }
}

#[test]
fn ten_thousand_clean_services_take_one_line_i20() {
    let clean = |number: u32| healthy("shop", &format!("team/service-{number:05}"), &["v2.0.0", "v1.0.0"]);
    let rows = (0..10_000).map(clean).chain([checkout()]);
    let table = shown(Format::Table, &report(run(Mode::Enforce, true, true), rows), WIDE);
    assert!(table.contains("✓ 10,000 services; each of them: --format csv"), "{table}");
    assert!(table.lines().count() < 50, "{table}");
    assert!(table.find("shop/checkout").unwrap() < table.find("✓ 10,000 services; each").unwrap());
}

#[test]
fn floods_are_grouped_and_keep_their_severity_f96() {
    let service = service("shop", "shop/flooded", vec![target(1, manifest("b"), "v2"), target(2, manifest("a"), "v1")]);
    let moved = |number: u32| Finding {
        reference: Some(format!("tag-{number:06}")),
        ..finding(Severity::High, Code::TagMoved, Some(&service), &format!("tag-{number:06} moved"), "deploy by digest")
    };
    let mut findings: Vec<_> = (0..100_000).map(moved).collect();
    findings.push(finding(
        Severity::Critical,
        Code::TagsMovedTogether,
        Some(&service),
        "100,000 tags moved",
        "look now",
    ));
    let report = report(run(Mode::Audit, true, true), [Row { repository: Some(service.clone()), findings }]);
    for format in [Format::Table, Format::Markdown] {
        let page = shown(format, &report, WIDE);
        assert!(page.lines().count() < 50, "{page}");
        assert!(page.find("CRITICAL").unwrap() < page.find("HIGH").unwrap(), "{page}");
        for example in ["tag-000000", "tag-000001", "tag-000002", "99,997 more like this here"] {
            assert!(page.contains(example), "{example} is not in {page}");
        }
        assert!(!page.contains("tag-000003"), "{page}");
    }
    let whole: Document = serde_json::from_str(&shown(Format::Json, &report, WIDE)).unwrap();
    assert_eq!(whole.findings.len(), 100_001);
    assert_eq!(whole.findings[0].severity, Severity::Critical);
}

#[test]
fn json_lists_findings_most_severe_first_over_all_repositories() {
    let document: Document =
        serde_json::from_str(&shown(Format::Json, &report(run(Mode::Enforce, false, true), rich()), WIDE)).unwrap();
    assert!(document.findings.is_sorted_by(|a, b| a.severity >= b.severity));
    assert_eq!(document.findings.len(), 11);
    let names: Vec<_> = document.repositories.iter().map(|of| (of.source.clone(), of.name.clone())).collect();
    assert!(names.is_sorted(), "{names:?}");
}

fn canonical(body: &Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    body.write_canonical(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_body_is_the_same_after_a_round_trip() {
    let body = report(run(Mode::Enforce, false, true), rich()).body;
    let bytes = canonical(&body);
    let read = Body::read_canonical(&bytes[..]).unwrap();
    assert_eq!(canonical(&read), bytes);
    assert_eq!(read.summary(), body.summary());
    let rows = |body: &Body| body.rows().collect::<Result<Vec<_>, _>>().unwrap();
    assert_eq!(rows(&read), rows(&body));
    assert_eq!(rows(&body), rows(&body));
    assert_eq!(rows(&body)[0].repository, None);
}

proptest::proptest! {
    /// Neither the order of rows nor that of findings, nor how loose findings were split, shows in the bytes.
    #[test]
    fn a_body_does_not_depend_on_the_order_of_its_rows(seed in proptest::collection::vec(0..1_000_u32, 40)) {
        let expected = canonical(&report(run(Mode::Enforce, false, true), rich()).body);
        let mut rows: Vec<Row> = rich().into_iter().flat_map(|row| match row.repository {
            Some(_) => vec![row],
            None => row.findings.into_iter().map(|finding| Row { repository: None, findings: vec![finding] }).collect(),
        }).collect();
        let mut order = seed.iter().copied().cycle();
        for row in &mut rows {
            row.findings.sort_by_cached_key(|_| order.next());
        }
        rows.sort_by_cached_key(|_| order.next());
        let shuffled = report(run(Mode::Enforce, false, true), rows).body;
        proptest::prop_assert_eq!(canonical(&shuffled), expected);
    }
}

/// A reader that has gone away is seen as that by the caller, in every format (F82).
#[test]
fn a_closed_pipe_is_a_closed_pipe_f82() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let many = report(run(Mode::Enforce, false, true), (0..40).flat_map(|_| rich()));
    for format in Format::ALL {
        let error = render(format, &many, &context(WIDE), &mut Closed).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "{format}");
    }
}

/// Whoever reads no further than the first lines is reported what the record is worth.
#[test]
fn a_ledger_without_a_key_is_told_in_the_first_lines_i23() {
    let mut unsigned = run(Mode::Audit, true, true);
    unsigned.ledger = Some(LedgerSection::new(42, "cm9vdA==".to_owned(), Some("prodpin/1\n42\n".to_owned())));
    let signed = Some("prodpin/1\n42\n\n— prodpin/1 c2lnbmF0dXJl\n".to_owned());
    assert!(!LedgerSection::new(42, "cm9vdA==".to_owned(), signed).unsigned);
    let reported = |format, lines| {
        let text = shown(format, &report(unsigned.clone(), rich()), WIDE);
        text.lines().take(lines).collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (format, lines) in [(Format::Table, 6), (Format::Markdown, 4)] {
        assert!(reported(format, lines).contains("whoever can write to it can forge"), "{}", reported(format, lines));
    }
    assert!(reported(Format::Html, usize::MAX).contains("whoever can write to it can forge"));
    let json: serde_json::Value =
        serde_json::from_str(&shown(Format::Json, &report(unsigned.clone(), []), WIDE)).unwrap();
    assert_eq!(json["run"]["ledger"]["unsigned"], true);
}
