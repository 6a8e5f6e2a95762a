//! A small estate for scenarios: a registry in memory, a policy, a ledger in a temporary directory, and the real run
//! on all of them. What a run says is reported back as a few lines of text, with artifacts under the names they were
//! pushed with, so that a golden file reads like a story.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use prodpin::ledger::{Access, Ledger};
use prodpin::model::{
    ArtifactId, Entry, Event, FailOn, Finding, Mode, NamePatterns, Order, ProductionRule, RepositoryKey,
};
use prodpin::outcome::report::{PinReport, Reason, RepositoryReport, TargetReport};
use prodpin::outcome::status::ServiceCounts;
use prodpin::policy::{LedgerLocation, Policy};
use prodpin::report::body::Report;
use prodpin::run::{
    Forecast, ForecastOptions, Progress, Ready, ReadyOptions, Recommended, RunError, RunOptions, Stop, forecast_on,
    ready_on, recommend_on, run_on,
};
use prodpin::sources::Source;
use prodpin::sources::memory::{Content, EcrTerms, Memory};

pub(crate) const REPOSITORY: &str = "shop/api";

pub(crate) struct Estate {
    pub(crate) memory: Memory,
    pub(crate) policy: Policy,
    directory: tempfile::TempDir,
    names: BTreeMap<String, String>,
}

/// A run that waits for what a release has under way as long as that takes here.
pub(crate) fn quick_stop() -> Stop {
    Stop::default().with_removals_within(Duration::from_millis(20))
}

struct Quiet;
impl Progress for Quiet {}

/// One run: its report's rows, flattened.
pub(crate) struct RunResult {
    pub(crate) complete: bool,
    pub(crate) repositories: Vec<RepositoryReport>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) services: ServiceCounts,
}

impl RunResult {
    pub(crate) fn codes(&self) -> Vec<String> {
        self.findings.iter().map(|finding| format!("{} {}", finding.severity, finding.code)).collect()
    }

    pub(crate) fn targets(&self) -> &[TargetReport] {
        self.repositories.first().map_or(&[], |repository| &repository.targets)
    }
}

pub(crate) fn tags(patterns: &[&str], order: Order) -> ProductionRule {
    ProductionRule::Tags { patterns: NamePatterns::new(patterns).unwrap(), order }
}

impl Estate {
    pub(crate) fn new(production: Vec<ProductionRule>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let policy = Policy {
            safeguards: Default::default(),
            keep: 5,
            ledger: LedgerLocation::Directory(directory.path().join("ledger")),
            schedule: None,
            sources: BTreeMap::new(),
            production,
            in_use_files: Vec::new(),
            signals: Vec::new(),
            may_move: NamePatterns::none(),
            pins: Default::default(),
            vault: None,
            drill: None,
            events: BTreeMap::new(),
            fail_on: FailOn::High,
            database: Vec::new(),
            waivers: Vec::new(),
            alerts: Vec::new(),
            security_hub: None,
            digest: prodpin::model::Digest::sha256(b"policy"),
            warnings: Vec::new(),
        };
        Self { memory: Memory::new(), policy, directory, names: BTreeMap::new() }
    }

    /// Releases `v1.0.0` onwards, each an image of its own.
    pub(crate) fn with_releases(count: usize) -> Self {
        let mut estate = Self::new(vec![tags(&["v*"], Order::Semver)]);
        for minor in 0..count {
            estate.push(&format!("v1.{minor}.0"), &format!("release-{minor}"));
        }
        estate
    }

    /// The same in ECR: each release was pushed an hour after the one before, from midnight of this day on.
    pub(crate) fn in_ecr(count: usize, first: &str, terms: EcrTerms) -> Self {
        let mut estate = Self::new(vec![tags(&["v*"], Order::Semver)]);
        let first: jiff::Timestamp = format!("{first}T00:00:00Z").parse().unwrap();
        for minor in 0..count {
            estate.memory.set_time(first + jiff::SignedDuration::from_hours(i64::try_from(minor).unwrap()));
            estate.push(&format!("v1.{minor}.0"), &format!("release-{minor}"));
        }
        estate.memory.set_ecr(REPOSITORY, terms);
        estate
    }

    /// Pushes an image that holds this text, and is called by it in stories.
    pub(crate) fn push(&mut self, tag: &str, text: &str) -> ArtifactId {
        self.push_content(tag, text, text)
    }

    pub(crate) fn push_content(&mut self, tag: &str, name: &str, content: impl Into<Content>) -> ArtifactId {
        let artifact = self.memory.push(REPOSITORY, tag, content);
        self.name(&artifact, name);
        artifact
    }

    pub(crate) fn name(&mut self, artifact: &ArtifactId, name: &str) {
        self.names.insert(artifact.to_string(), format!("<{name}>"));
    }

    /// Writes the file that says what runs, and makes the policy read it.
    pub(crate) fn in_use(&mut self, references: &[String]) {
        let path = self.directory.path().join("in-use.json");
        std::fs::write(&path, serde_json::to_string(references).unwrap()).unwrap();
        self.policy.in_use_files = vec![path];
        if !self.policy.production.contains(&ProductionRule::InUse) {
            self.policy.production.push(ProductionRule::InUse);
        }
    }

    pub(crate) async fn try_run(&self, mode: Mode) -> Result<RunResult, RunError> {
        let patterns = ["shop/*"];
        let source =
            if mode == Mode::Enforce { self.memory.writable(patterns) } else { self.memory.read_only(patterns) };
        self.try_run_on(mode, source.unwrap()).await
    }

    async fn try_run_on(&self, mode: Mode, source: Source) -> Result<RunResult, RunError> {
        Ok(reported(&self.try_report(mode, source, &[]).await?))
    }

    /// A run's report as it is, about these repositories only if any are named.
    pub(crate) async fn report(&self, mode: Mode, only: &[&str]) -> Result<Report, RunError> {
        let patterns = ["shop/*"];
        let source =
            if mode == Mode::Enforce { self.memory.writable(patterns) } else { self.memory.read_only(patterns) };
        self.try_report(mode, source.unwrap(), only).await
    }

    async fn try_report(&self, mode: Mode, source: Source, only: &[&str]) -> Result<Report, RunError> {
        let sources = BTreeMap::from([("shop".parse().unwrap(), source)]);
        let key = |name: &&str| RepositoryKey { source: "shop".parse().unwrap(), name: name.parse().unwrap() };
        let options = RunOptions {
            mode,
            sources: Vec::new(),
            shard: None,
            repositories: only.iter().map(key).collect(),
            concurrency: 4,
            deadline: None,
            stop: quick_stop(),
        };
        run_on(&self.policy, sources, &options, Arc::new(Quiet)).await
    }

    pub(crate) async fn run(&self, mode: Mode) -> RunResult {
        self.try_run(mode).await.unwrap()
    }

    /// A run on another source under the same policy and ledger.
    pub(crate) async fn run_on(&self, mode: Mode, source: Source) -> RunResult {
        self.try_run_on(mode, source).await.unwrap()
    }

    /// A look ahead, with this source's previews if asked for.
    pub(crate) async fn forecast(&self, options: ForecastOptions) -> Forecast {
        let patterns = ["shop/*"];
        let source = if options.confirm { self.memory.rehearsing(patterns) } else { self.memory.read_only(patterns) };
        self.forecast_on(options, source.unwrap()).await
    }

    /// A look ahead on another source.
    pub(crate) async fn forecast_on(&self, options: ForecastOptions, source: Source) -> Forecast {
        let sources = BTreeMap::from([("shop".parse().unwrap(), source)]);
        let options = ForecastOptions { concurrency: 4, ..options };
        let mut forecast = forecast_on(&self.policy, sources, &options, Arc::new(Quiet)).await.unwrap();
        forecast.report.section.at = "2026-12-01T00:00:00Z".parse().unwrap();
        forecast
    }

    /// Whether it can be rolled back now.
    pub(crate) async fn ready(&self) -> Ready {
        self.ready_on(self.memory.read_only(["shop/*"]).unwrap()).await
    }

    /// The same on another source.
    pub(crate) async fn ready_on(&self, source: Source) -> Ready {
        let sources = BTreeMap::from([("shop".parse().unwrap(), source)]);
        let options = ReadyOptions { concurrency: 4, ..ReadyOptions::default() };
        let mut ready = ready_on(&self.policy, sources, &options, Arc::new(Quiet)).await.unwrap();
        ready.report.section.at = "2026-12-01T00:00:00Z".parse().unwrap();
        ready
    }

    pub(crate) async fn recommended(&self) -> Recommended {
        self.recommended_on(self.memory.read_only(["shop/*"]).unwrap()).await
    }

    pub(crate) async fn recommended_on(&self, source: Source) -> Recommended {
        let sources = BTreeMap::from([("shop".parse().unwrap(), source)]);
        let options = ForecastOptions { concurrency: 4, ..ForecastOptions::default() };
        recommend_on(&self.policy, sources, &options, Arc::new(Quiet)).await.unwrap()
    }

    /// Where the ledger is, or would be.
    pub(crate) fn ledger_directory(&self) -> std::path::PathBuf {
        self.directory.path().join("ledger")
    }

    pub(crate) async fn enforce(&self) -> RunResult {
        self.run(Mode::Enforce).await
    }

    /// Everything on record about the one repository.
    pub(crate) async fn events(&self) -> Vec<Event> {
        let ledger = Ledger::open(&self.policy.ledger, Access::Read).await.unwrap();
        let key = RepositoryKey { source: "shop".parse().unwrap(), name: REPOSITORY.parse().unwrap() };
        let entries: Vec<(u64, Entry)> = ledger.history(&key, None).await.unwrap();
        entries.into_iter().map(|(_, entry)| entry.event).collect()
    }

    /// The same without the findings' own story.
    pub(crate) async fn changes(&self) -> Vec<Event> {
        let mut events = self.events().await;
        events.retain(|event| !matches!(event, Event::FindingOpened(_) | Event::FindingResolved(_)));
        events
    }

    /// The reports of all runs, by the digests of their bodies, the latest first.
    pub(crate) async fn reports(&self) -> Vec<prodpin::model::Digest> {
        let ledger = Ledger::open(&self.policy.ledger, Access::Read).await.unwrap();
        ledger.runs(50).await.unwrap().into_iter().map(|(record, _)| record.report).collect()
    }

    /// A run as a story.
    pub(crate) fn story(&self, reported: &RunResult) -> String {
        let mut text = String::new();
        writeln!(text, "complete: {}", reported.complete).unwrap();
        for repository in &reported.repositories {
            let rollback = &repository.rollback;
            writeln!(
                text,
                "{}: ready {}, current {}, back to {}, depth {}/{}",
                repository.name,
                // Whether it can be gone back, as far as a report asks.
                answer(rollback.ready.or(rollback.intact)),
                name(rollback.current.as_ref()),
                name(rollback.to.as_ref()),
                rollback.depth,
                rollback.keep
            )
            .unwrap();
            for target in &repository.targets {
                writeln!(text, "  {}", target_line(target)).unwrap();
            }
        }
        for finding in &reported.findings {
            let about = finding.reference.as_deref().unwrap_or("-");
            writeln!(text, "{} {} [{about}] {} → {}", finding.severity, finding.code, finding.message, finding.remedy)
                .unwrap();
        }
        self.named(text)
    }

    pub(crate) fn named(&self, mut text: String) -> String {
        for (artifact, name) in &self.names {
            text = text.replace(artifact, name);
            let short: String = artifact.trim_start_matches("sha256:").chars().take(12).collect();
            text = text.replace(&short, name);
        }
        text
    }
}

fn target_line(target: &TargetReport) -> String {
    let rank = target.rank.map_or("beside".to_owned(), |rank| rank.to_string());
    let reasons: Vec<String> = target.reasons.iter().map(reason).collect();
    let obstacles = serde_json::to_string(&target.obstacles).unwrap();
    let running = if target.running { " RUNNING" } else { "" };
    format!(
        "{rank} {} pin {} restorable {} protected {}{running} because {} {obstacles}",
        target.artifact,
        pin(target.pin),
        answer(target.restorable),
        answer(target.protected),
        reasons.join(", ")
    )
}

fn pin(pin: PinReport) -> String {
    serde_json::to_value(pin).unwrap().as_str().unwrap().to_owned()
}

fn reason(reason: &Reason) -> String {
    let value = serde_json::to_value(reason).unwrap();
    let about = value.get("tag").or(value.get("via")).unwrap().as_str().unwrap().to_owned();
    format!("{} {about}", value["kind"].as_str().unwrap())
}

fn answer(answer: Option<bool>) -> &'static str {
    match answer {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

fn name(artifact: Option<&ArtifactId>) -> String {
    artifact.map_or("-".to_owned(), ToString::to_string)
}

pub(crate) fn reported(report: &Report) -> RunResult {
    let (mut repositories, mut findings) = (Vec::new(), Vec::new());
    for row in report.body.rows() {
        let row = row.unwrap();
        repositories.extend(row.repository);
        findings.extend(row.findings);
    }
    RunResult { complete: report.run.complete, repositories, findings, services: report.summary.services }
}
