//! Reports of every kind, in every format, as golden files; the body's laws; the schema.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its input should fail")]

use std::sync::LazyLock;

use jiff::Timestamp;
use prodpin::model::AwsAccount;
use prodpin::model::{
    ArtifactId, Cause, Code, Counts, Digest, Finding, Gap, Mode, Obstacle, RunId, RunScope, Scope, Severity, Tag,
};
use prodpin::outcome::report::{
    Document, LedgerSection, PinReport, Reason, RepositoryReport, Rollback, Row, RunSection, TargetReport,
};
use prodpin::report::body::{Body, BodyWriter, Report};
use prodpin::report::context::{Context, Signer};
use prodpin::report::render::{Format, Style, render};

pub(crate) const STARTED: &str = "2026-11-23T03:15:00Z";

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn manifest(seed: &str) -> ArtifactId {
    Digest::of(seed.as_bytes()).into()
}

fn object(key: &str, version: &str) -> ArtifactId {
    ArtifactId::ObjectVersion { key: key.parse().unwrap(), version: version.into() }
}

pub(crate) fn run(mode: Mode, complete: bool, ledger: bool) -> RunSection {
    RunSection {
        id: RunId::new(time(STARTED), 0x0123_abcd),
        mode,
        started: time(STARTED),
        finished: time("2026-11-23T03:15:42Z"),
        complete,
        scope: RunScope::default(),
        policy_sha256: Digest::of(b"policy"),
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
            intact: match (&to, earlier().next()) {
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

fn healthy(source: &str, name: &str, versions: &[&str]) -> Row {
    let targets = versions.iter().zip(1..).map(|(tag, rank)| target(rank, manifest(&format!("{name}{tag}")), tag));
    Row { repository: Some(service(source, name, targets.collect())), findings: vec![] }
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
        first_seen: time(STARTED),
        ledger_sequence: Some(42),
        message: message.to_owned(),
        remedy: remedy.to_owned(),
        waived: None,
    }
}

fn short(id: &ArtifactId) -> String {
    format!("sha256:{}…", id.short())
}

/// Its previous releases are gone or broken, and one release tag was moved.
fn checkout() -> Row {
    let [now, gone, broken, archived] =
        ["v4.1.0", "v4.0.3", "v4.0.2", "v4.0.1"].map(|tag| manifest(&format!("checkout{tag}")));
    let part = Digest::of(b"arm64");
    let targets = vec![
        target(1, now.clone(), "v4.1.0"),
        TargetReport {
            references: vec![],
            reasons: vec![Reason::ReleasedAs { tag: "v4.0.3".parse().unwrap() }],
            pin: PinReport::Absent,
            restorable: Some(false),
            protected: Some(false),
            obstacles: vec![Obstacle::Missing],
            ..target(2, gone.clone(), "v4.0.3")
        },
        TargetReport {
            pin: PinReport::Absent,
            restorable: Some(false),
            protected: Some(false),
            obstacles: vec![Obstacle::PartMissing { digest: part.clone(), part: None, more: None }, Obstacle::Unpinned],
            ..target(3, broken.clone(), "v4.0.2")
        },
        TargetReport {
            pin: PinReport::Failed,
            restorable: Some(false),
            protected: Some(false),
            obstacles: vec![Obstacle::Archived { class: "archived".into() }],
            ..target(4, archived, "v4.0.1")
        },
    ];
    let repository = service("shop", "shop/checkout", targets);
    let findings = vec![
        Finding {
            reference: Some("v4.0.3".into()),
            artifact: Some(gone.to_string()),
            first_seen: time("2026-11-20T22:00:00Z"),
            ledger_sequence: Some(31),
            ..finding(
                Severity::Critical,
                Code::TargetMissing,
                Some(&repository),
                &format!("{}, released as v4.0.3, does not exist any more", short(&gone)),
                "push the image again from a build cache or a mirror, then run prodpin enforce so that it is pinned",
            )
        },
        finding(
            Severity::Critical,
            Code::TargetBroken,
            Some(&repository),
            &format!("v4.0.2 lacks the manifest {} of linux/arm64", short(&ArtifactId::Manifest(part))),
            "push the missing platform again by digest",
        ),
        finding(
            Severity::High,
            Code::RollbackDepthShort,
            Some(&repository),
            "0 of 4 earlier releases are restorable",
            "restore or push again at least one earlier release",
        ),
    ];
    Row { repository: Some(repository), findings }
}

/// Nothing could be read but its list of tags.
fn ledger_service() -> Row {
    let targets = [("v9.0.0", 1), ("v8.4.1", 2)].map(|(tag, rank)| TargetReport {
        pin: PinReport::Absent,
        restorable: None,
        protected: None,
        obstacles: vec![Obstacle::Unproven {
            detail: "its manifest could not be read: 503 Service Unavailable".into(),
        }],
        ..target(rank, manifest(tag), tag)
    });
    let mut repository = service("payments", "payments/ledger", targets.to_vec());
    repository.complete = false;
    repository.gaps = vec![
        Gap::new(
            Scope::Artifact(manifest("v9.0.0")),
            Cause::Unreachable,
            "registry.example.com answered 503 five times; try again, or look at its status page",
        ),
        Gap::new(Scope::Tag("v8.4.1".parse().unwrap()), Cause::TimedOut, "no answer within 30 s"),
    ];
    let findings = vec![finding(
        Severity::High,
        Code::InventoryIncomplete,
        Some(&repository),
        "2 things in payments/ledger could not be read",
        "run prodpin again when registry.example.com answers",
    )];
    Row { repository: Some(repository), findings }
}

/// Ready; a release tag moved, and so did `latest`.
fn cart() -> Row {
    let tags = ["v2.1.0", "v2.0.9", "v2.0.8"];
    let mut targets: Vec<_> = tags.iter().zip(1..).map(|(tag, rank)| target(rank, manifest(tag), tag)).collect();
    targets.push(TargetReport {
        rank: None,
        references: vec!["v2.0.7".parse().unwrap()],
        reasons: vec![
            Reason::MovedIn { tag: "v2.0.7".parse().unwrap() },
            Reason::Running { via: "file in-use.json".into() },
        ],
        running: true,
        pin: PinReport::Created,
        ..target(4, manifest("moved in"), "v2.0.7")
    });
    let repository = service("shop", "shop/cart", targets);
    let moved = |severity, tag: &str| Finding {
        reference: Some(tag.to_owned()),
        artifact: Some(manifest("moved in").to_string()),
        previous: Some(manifest("v2.0.7").to_string()),
        ..finding(
            severity,
            Code::TagMoved,
            Some(&repository),
            &format!("{tag} moved from {} to {}", short(&manifest("v2.0.7")), short(&manifest("moved in"))),
            "find out who pushed it; deploy by digest, and release under a new tag",
        )
    };
    let findings =
        vec![moved(Severity::Medium, "latest"), moved(Severity::Critical, "v2.0.7"), moved(Severity::Info, "dev-1")];
    Row { repository: Some(repository), findings }
}

/// Objects in a bucket without Object Lock, one of them behind a delete marker, one reached by a lifecycle rule.
fn bundles() -> Row {
    let key = |version: &str| format!("web/{version}/bundle.zip");
    let target = |rank, version: &str, obstacles: Vec<Obstacle>| TargetReport {
        pin: PinReport::Unsupported,
        protected: Some(false),
        obstacles,
        ..target(rank, object(&key(version), "3sL4kqtJlcpXroDTDmJ"), &key(version))
    };
    let lifecycle =
        Obstacle::Lifecycle { rule: "expire-old".into(), effect: "expires it after 30 days".into(), due: None };
    let hidden = Obstacle::Hidden { marker: "Qm9ndXNNYXJrZXI".into() };
    let repository = service(
        "bundles",
        "web",
        vec![
            target(1, "2.2.0", vec![Obstacle::NoObjectLock]),
            target(2, "2.1.0", vec![Obstacle::NoObjectLock, lifecycle]),
            target(3, "2.0.0", vec![Obstacle::NoObjectLock, hidden]),
        ],
    );
    let findings = vec![finding(
        Severity::High,
        Code::LifecycleCollision,
        Some(&repository),
        "lifecycle rule expire-old expires web/2.1.0/bundle.zip after 30 days",
        "exclude objects tagged prod-pinned=true from the rule, or turn on Object Lock",
    )];
    Row { repository: Some(repository), findings }
}

/// Only one release is known.
fn newcomer() -> Row {
    let repository = service("shop", "shop/newcomer", vec![target(1, manifest("n1"), "v0.1.0")]);
    let findings = vec![finding(
        Severity::Medium,
        Code::RollbackDepthShort,
        Some(&repository),
        "no earlier release is known",
        "nothing, if it was released only once; else check the production rules of the policy",
    )];
    Row { repository: Some(repository), findings }
}

fn loose() -> Row {
    let mut bucket = finding(
        Severity::High,
        Code::ObjectLockOff,
        None,
        "bucket acme-deployments has no Object Lock, so nothing in it can be pinned",
        "turn on Object Lock for the bucket",
    );
    bucket.source = Some("bundles".parse().unwrap());
    let mut unmatched = finding(
        Severity::Low,
        Code::PolicyUnmatched,
        None,
        "pattern \"shop/legacy-*\" matches no repository",
        "remove it from the policy, or correct it",
    );
    unmatched.source = Some("shop".parse().unwrap());
    Row { repository: None, findings: vec![unmatched, bucket] }
}

/// What an enforce run on a troubled estate looks like.
fn rich() -> Vec<Row> {
    vec![
        healthy("shop", "shop/api", &["v2.3.1", "v2.3.0", "v2.2.9", "v2.2.8", "v2.2.7"]),
        healthy("shop", "shop/search", &["v1.9.0", "v1.8.11"]),
        cart(),
        checkout(),
        bundles(),
        ledger_service(),
        newcomer(),
        loose(),
    ]
}

/// An audit before anything was pinned.
fn planned() -> Vec<Row> {
    let mut row = healthy("shop", "shop/api", &["v2.3.1", "v2.3.0"]);
    let repository = row.repository.as_mut().unwrap();
    for target in &mut repository.targets {
        target.pin = PinReport::Planned;
        target.protected = Some(false);
        target.obstacles = vec![Obstacle::Unpinned];
    }
    repository.counts.pinned = 0;
    repository.counts.protected = 0;
    row.findings = vec![finding(
        Severity::High,
        Code::PinMissing,
        Some(repository),
        "2 of 2 rollback targets have no pin",
        "run prodpin enforce",
    )];
    vec![row]
}

/// What renderings take beside the report.
pub(crate) fn context(style: Style) -> Context<'static> {
    static ACCOUNT: LazyLock<AwsAccount> =
        LazyLock::new(|| AwsAccount { id: "111122223333".to_owned(), region: "eu-west-1".to_owned() });
    Context { account: Some(&ACCOUNT), signer: Some(&Toy), ..Context::of(style) }
}

/// A key that anybody has.
struct Toy;

impl Signer for Toy {
    fn key_id(&self) -> String {
        "toy".to_owned()
    }

    fn sign(&self, message: &[u8]) -> std::io::Result<Vec<u8>> {
        Ok(Digest::of(message).hex().into_bytes())
    }
}

pub(crate) fn shown(format: Format, report: &Report, style: Style) -> String {
    let mut out = Vec::new();
    render(format, report, &context(style), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

pub(crate) const WIDE: Style = Style { colour: false, width: 80 };

/// A format as its golden file shows it: what changes with this program's version or its page's script is named only.
fn golden(format: Format, report: &Report) -> String {
    let mut text = shown(format, report, WIDE);
    for named in [format!("\"{}\"", env!("CARGO_PKG_VERSION")), format!("prodpin {}", env!("CARGO_PKG_VERSION"))] {
        text = text.replace(&named, &named.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    }
    if format != Format::Html {
        return text;
    }
    let without = |text: String, from: &str, to: &str, name: &str| {
        let (before, rest) = text.split_once(from).unwrap();
        let (_, after) = rest.split_once(to).unwrap();
        format!("{before}{from}{name}{to}{after}")
    };
    let text = without(text, "<style>", "</style>", "STYLE");
    let text = without(text, "<script>", "</script>", "SCRIPT");
    let text = without(text, "style-src 'sha256-", "'", "HASH");
    without(text, "script-src 'sha256-", "'", "HASH").replace("><", ">\n<")
}

#[test]
fn golden_reports_in_every_format() {
    let reports = [
        ("rich", report(run(Mode::Enforce, false, true), rich())),
        ("planned", report(run(Mode::Audit, true, false), planned())),
        ("empty", report(run(Mode::Audit, true, true), [])),
    ];
    for (name, report) in &reports {
        for format in Format::ALL {
            insta::assert_snapshot!(format!("{name}_{format}"), golden(format, report));
        }
    }
    let rich = &reports[0].1;
    insta::assert_snapshot!("rich_table_40", shown(Format::Table, rich, Style { colour: false, width: 40 }));
    insta::assert_snapshot!("rich_table_unbounded", shown(Format::Table, rich, Style::UNBOUNDED));
    let coloured = shown(Format::Table, rich, Style { colour: true, width: 80 });
    insta::assert_snapshot!("rich_table_colour", coloured.replace('\u{1b}', "␛"));
}

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

/// The published schema is the one of this program. `UPDATE_SCHEMAS=1` writes it anew.
#[test]
fn the_published_schema_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/report.schema.json");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/policies")).unwrap();
        std::fs::write(path, prodpin::report::schema::text()).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap();
    assert_eq!(published, prodpin::report::schema::text(), "write it anew with UPDATE_SCHEMAS=1");
}

#[test]
fn json_reports_follow_the_schema() {
    let schema = serde_json::to_value(prodpin::report::schema::schema()).unwrap();
    for rows in [rich(), planned(), vec![]] {
        for ledger in [true, false] {
            let text = shown(Format::Json, &report(run(Mode::EnforceDryRun, true, ledger), rows.clone()), WIDE);
            let document = serde_json::from_str(&text).unwrap();
            check(&document, &schema, &schema, "report").unwrap();
        }
    }
    // The check itself can fail.
    let mut wrong: serde_json::Value =
        serde_json::from_str(&shown(Format::Json, &report(run(Mode::Audit, true, true), rich()), WIDE)).unwrap();
    for (pointer, value) in [
        ("/findings/0/code", "no-code".into()),
        ("/repositories/0/rollback/ready", 1.into()),
        ("/repositories/1/gaps/0/cause", "x".into()),
    ] {
        let was = std::mem::replace(wrong.pointer_mut(pointer).unwrap(), value);
        assert!(check(&wrong, &schema, &schema, "report").is_err(), "{pointer}");
        *wrong.pointer_mut(pointer).unwrap() = was;
    }
    assert!(check(&wrong, &schema, &schema, "report").is_ok());
}

/// As much of JSON Schema as the report's schema uses; a keyword it does not know is an error.
pub(crate) fn check(
    value: &serde_json::Value,
    schema: &serde_json::Value,
    root: &serde_json::Value,
    at: &str,
) -> Result<(), String> {
    use serde_json::Value;
    let Value::Object(rules) = schema else { return Ok(()) };
    for (keyword, rule) in rules {
        let holds = match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" | "format" | "default" => true,
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap();
                check(value, target, root, at)?;
                true
            }
            "type" => {
                let is = |name: &Value| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_u64(),
                    "null" => value.is_null(),
                    other => panic!("type {other}"),
                };
                rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is))
            }
            "minimum" | "maximum" => value.as_u64().is_none_or(|number| match keyword.as_str() {
                "minimum" => number >= rule.as_u64().unwrap(),
                _ => number <= rule.as_u64().unwrap(),
            }),
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "additionalProperties" => {
                value.as_object().unwrap().keys().all(|name| rules["properties"].get(name).is_some())
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    if let Some(inner) = value.get(name) {
                        check(inner, rule, root, &format!("{at}.{name}"))?;
                    }
                }
                true
            }
            "items" => {
                let items = value.as_array().map_or(&[][..], Vec::as_slice);
                items
                    .iter()
                    .enumerate()
                    .try_for_each(|(place, item)| check(item, rule, root, &format!("{at}[{place}]")))?;
                true
            }
            "anyOf" | "oneOf" => {
                let fitting =
                    rule.as_array().unwrap().iter().filter(|rule| check(value, rule, root, at).is_ok()).count();
                fitting == 1 || (keyword == "anyOf" && fitting > 1)
            }
            other => panic!("the check does not know {other}"),
        };
        if !holds {
            return Err(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
    Ok(())
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

/// Whoever reads no further than the first lines is told what the record is worth.
#[test]
fn a_ledger_without_a_key_is_told_in_the_first_lines_i23() {
    let mut unsigned = run(Mode::Audit, true, true);
    unsigned.ledger = Some(LedgerSection::of(42, "cm9vdA==".to_owned(), Some("prodpin/1\n42\n".to_owned())));
    let signed = Some("prodpin/1\n42\n\n— prodpin/1 c2lnbmF0dXJl\n".to_owned());
    assert!(!LedgerSection::of(42, "cm9vdA==".to_owned(), signed).unsigned);
    let told = |format, lines| {
        let text = shown(format, &report(unsigned.clone(), rich()), WIDE);
        text.lines().take(lines).collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (format, lines) in [(Format::Table, 6), (Format::Markdown, 4)] {
        assert!(told(format, lines).contains("whoever can write to it can forge"), "{}", told(format, lines));
    }
    assert!(told(Format::Html, usize::MAX).contains("whoever can write to it can forge"));
    let json: serde_json::Value =
        serde_json::from_str(&shown(Format::Json, &report(unsigned.clone(), []), WIDE)).unwrap();
    assert_eq!(json["run"]["ledger"]["unsigned"], true);
}
