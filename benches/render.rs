//! Renders 100,000 findings in every format, and says how long each took and how much memory the process ever held:
//! `cargo bench --bench render [FINDINGS]`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that measures, run by hand")]

use std::io::Write;
use std::time::Instant;

use jiff::Timestamp;
use prodpin::model::AwsAccount;
use prodpin::model::{
    ArtifactId, Code, Counts, Digest, Finding, Mode, RepositoryName, RunId, RunScope, Severity, SourceName, Tag,
};
use prodpin::outcome::report::{PinReport, Reason, RepositoryReport, Rollback, Row, RunSection, TargetReport};
use prodpin::report::body::{BodyWriter, Report};
use prodpin::report::context::Context;
use prodpin::report::render::{Format, Style, render};

/// Findings of one service.
const EACH: usize = 10;

fn main() {
    let wanted = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000_usize);
    let began = Instant::now();
    let report = report(wanted / EACH);
    println!(
        "{wanted} findings in {} services, spooled in {:.1?}, at most {} MiB",
        report.body.len(),
        began.elapsed(),
        peak()
    );
    let account = AwsAccount { id: "111122223333".to_owned(), region: "eu-west-1".to_owned() };
    let context = Context { account: Some(&account), ..Context::new(Style::UNBOUNDED) };
    for format in Format::ALL.into_iter().filter(|format| context.lacks(*format).is_none()) {
        let (began, mut counted) = (Instant::now(), Counted(0));
        render(format, &report, &context, &mut counted).unwrap();
        let (took, bytes) = (began.elapsed(), counted.0 as f64 / f64::from(1 << 20));
        println!("{format:<12} {took:>8.2?}  {bytes:>7.1} MiB written, at most {} MiB held", peak());
    }
}

struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The most memory that this process ever held, in MiB, where the system tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = held.and_then(|held| held.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or_else(|| "unknown".to_owned(), |kib| (kib >> 10).to_string())
}

fn report(services: usize) -> Report {
    let started: Timestamp = "2026-11-23T03:15:00Z".parse().unwrap();
    let mut writer = BodyWriter::new().unwrap();
    (0..services).for_each(|number| writer.push(row(number, started)).unwrap());
    let body = writer.finish().unwrap();
    let run = RunSection {
        id: RunId::new(started, 1),
        mode: Mode::Audit,
        started,
        finished: started,
        complete: true,
        scope: RunScope::default(),
        policy_sha256: Digest::sha256(b"policy"),
        ledger: None,
    };
    Report { run, summary: body.summary(), body }
}

fn row(number: usize, started: Timestamp) -> Row {
    let (source, name): (SourceName, RepositoryName) =
        ("shop".parse().unwrap(), format!("team/service-{number}").parse().unwrap());
    let artifact = |place: usize| ArtifactId::from(Digest::sha256(format!("{number}/{place}").as_bytes()));
    let target = |place: usize| {
        let tag: Tag = format!("v1.{place}.0").parse().unwrap();
        TargetReport {
            artifact: artifact(place),
            rank: u32::try_from(place + 1).ok(),
            references: vec![tag.clone()],
            reasons: vec![Reason::ReleaseTag { tag }],
            running: place == 0,
            pin: PinReport::Present,
            restorable: Some(true),
            protected: Some(true),
            obstacles: vec![],
            survives: None,
            parts: None,
            vault: None,
            drills: vec![],
        }
    };
    let repository = RepositoryReport {
        source: source.clone(),
        name: name.clone(),
        complete: true,
        gaps: vec![],
        counts: Counts { repositories: 1, artifacts: 40, tags: 60, targets: 5, pinned: 5, protected: 5 },
        rollback: Rollback {
            status: None,
            intact: Some(true),
            protected: None,
            ready: None,
            current: Some(artifact(0)),
            to: Some(artifact(1)),
            depth: 4,
            keep: 5,
            from: None,
            went_back_from: None,
            earlier: None,
            contracted: None,
            unknown: None,
        },
        targets: (0..5).map(target).collect(),
    };
    let finding = |place: usize| Finding {
        code: Code::TagMoved,
        severity: Severity::ALL[place % 5],
        source: Some(source.clone()),
        repository: Some(name.clone()),
        reference: Some(format!("v0.{place}.0")),
        artifact: Some(artifact(place).to_string()),
        previous: Some(artifact(place + 100).to_string()),
        moved_by: None,
        first_seen: started,
        ledger_sequence: Some(1),
        message: format!("v0.{place}.0 moved"),
        remedy: "find out who pushed it; deploy by digest, and release under a new tag".to_owned(),
        waived: None,
    };
    Row { repository: Some(repository), findings: (0..EACH).map(finding).collect() }
}
