//! `prodpin watch`: runs on the policy's schedule, one at a time, until it is asked to end.

mod drills;
mod looks;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use jiff::Timestamp;

use self::drills::Drills;
use super::arguments::WatchArguments;
use super::exit::{Ending, Misuse, of_error};
use super::outcome::{choose_ledger, failed, shard_of, sources};
use super::output::{Around, Outputs, to_stdout};
use super::stop::{Hangup, Signals};
use crate::alert::AlertError;
use crate::followup::follow_up;
use crate::ledger::{Access, Ledger};
use crate::model::{Code, Mode, Severity, without_credentials};
use crate::policy::{LedgerLocation, Policy, PolicyError, load};
use crate::report::body::Report;
use crate::report::context::Context;
use crate::report::escape::terminal;
use crate::report::render::{Format, Style, render};
use crate::run::{Progress, Ran, RunError, RunOptions, run_and_keep};
use crate::schedule::Schedule;
use crate::telemetry::Collector;
use crate::watch::{Board, Endpoint, Events, Listener, Outcome, Status, Tick, Timetable, allowance};

/// Looked up at least so often: a machine that slept, or a clock that was set, is noticed by then.
const LOOK_UP: Duration = Duration::from_secs(30);

/// A run ends itself before its deadline. One that has not by so much later hangs where nothing can ask it to end, and
/// is dropped, as a kill would (F87): what it committed stays, and the next one goes on from there.
const HANGS: Duration = Duration::from_secs(60);

pub(super) async fn watch(path: &Path, arguments: &WatchArguments) -> anyhow::Result<Ending> {
    let mut plan = Plan::read(path, arguments)?;
    // For one run. A policy that is read again has its own.
    plan.policy.safeguards.adopt = arguments.adopt;
    // The paths are tried once before anything waits for hours.
    drop(plan.outputs(path, arguments).await?);
    let collector = Collector::from_variables(&|name| std::env::var(name).ok()).map_err(Misuse)?;
    let signals = Signals::listen();
    let hangup = Hangup::listen();
    let board = Board::new(Status::new(Timestamp::now()));
    let events = Events::new(&plan.policy, &plan.options.sources);
    let endpoint = match arguments.listen {
        None => None,
        Some(address) => {
            let bound = Endpoint::bind(address, board.clone(), events.clone()).await;
            Some(bound.map_err(|error| Misuse(format!("--listen {address}: {error}; name another address or port")))?)
        }
    };
    if let Some(endpoint) = &endpoint {
        announce(&format!("listening on http://{}/metrics", endpoint.address()));
    }
    let listener = listener(arguments, &plan.policy, &events).await?;
    let timetable = plan.timetable(&signals, arguments).await?;
    let drills = Drills::new(&plan.policy);
    let watch = Watch { path, arguments, plan, timetable, drills, board, signals, hangup, collector, events };
    let ended = watch.keep_watch().await;
    drop(listener);
    ended
}

/// Takes events where that is asked for.
async fn listener(arguments: &WatchArguments, policy: &Policy, events: &Events) -> anyhow::Result<Option<Listener>> {
    let Some(address) = arguments.listen_events else {
        if !policy.events.is_empty() {
            tracing::warn!("the policy names senders of events, and nobody listens: give --listen-events ADDRESS:PORT");
        }
        return Ok(None);
    };
    if policy.events.is_empty() {
        let fix = "add events: { SOURCE: { bearer: ${NAME} } } to the policy";
        return Err(Misuse(format!("--listen-events: the policy names no sender of events; {fix}")).into());
    }
    let bound = Listener::bind(address, events.clone()).await;
    let listener =
        bound.map_err(|error| Misuse(format!("--listen-events {address}: {error}; name another address or port")))?;
    announce(&format!("taking events on http://{}/events/SOURCE", listener.address()));
    Ok(Some(listener))
}

/// What a policy and the arguments come to.
struct Plan {
    policy: Policy,
    schedule: Schedule,
    options: RunOptions,
    /// What the options say, or what the schedule allows.
    deadline: Duration,
}

impl Plan {
    fn read(path: &Path, arguments: &WatchArguments) -> anyhow::Result<Self> {
        let mut policy = load(path)?;
        choose_ledger(&mut policy, arguments.ledger.ledger.as_deref())?;
        let Some(schedule) = policy.schedule.clone() else {
            let fix = "add one to the policy, such as schedule: \"*/15 * * * *\"";
            return Err(Misuse(format!("watch needs a schedule, and {} has none; {fix}", path.display())).into());
        };
        let mode = if arguments.enforce { Mode::Enforce } else { Mode::Audit };
        if mode == Mode::Enforce && policy.ledger == LedgerLocation::None {
            return Err(RunError::NoLedger.into());
        }
        if !policy.alerts.is_empty() && policy.ledger == LedgerLocation::None {
            return Err(Misuse(AlertError::NoLedger.to_string()).into());
        }
        let environment = |name: &str| std::env::var(name).ok();
        let deadline = arguments.deadline.unwrap_or_else(|| allowance(&schedule, Timestamp::now()));
        let options = RunOptions {
            mode,
            sources: sources(&policy, &arguments.sources)?,
            shard: arguments.shard.map_or_else(|| shard_of(&environment), |shard| Ok(Some(shard)))?,
            repositories: Vec::new(),
            concurrency: usize::from(arguments.concurrency),
            deadline: Some(deadline),
            stop: crate::run::Stop::default(),
        };
        for warning in &policy.warnings {
            tracing::warn!("{warning}");
        }
        Ok(Self { policy, schedule, options, deadline })
    }

    async fn outputs(&self, path: &Path, arguments: &WatchArguments) -> anyhow::Result<Outputs> {
        let around = Around::from_policy(Some(path), &self.policy, None)
            .signing(&self.policy, arguments.format, &arguments.reports, true)
            .await?;
        Outputs::open_asked(arguments.format, &arguments.reports, around)
    }

    /// From the last run that is on record.
    async fn timetable(&self, signals: &Signals, arguments: &WatchArguments) -> anyhow::Result<Timetable> {
        let last = match self.policy.ledger {
            LedgerLocation::None => None,
            _ => tokio::select! {
                opened = Ledger::open(&self.policy.ledger, Access::Read) => opened?.last_run_of(&self.options.scope(), Timestamp::now()),
                () = tokio::time::sleep(self.deadline) => {
                    anyhow::bail!("the ledger could not be opened within {} s; check that its store answers", self.deadline.as_secs())
                }
                () = signals.stop.asked() => None,
            },
        };
        let now = Timestamp::now();
        let seed = prodpin_net::jitter::draw();
        Ok(Timetable::new(self.schedule.clone(), arguments.jitter.unwrap_or_default(), seed, last, now))
    }
}

struct Watch<'a> {
    path: &'a Path,
    arguments: &'a WatchArguments,
    plan: Plan,
    timetable: Timetable,
    drills: Drills,
    board: Board,
    signals: Signals,
    hangup: Hangup,
    collector: Option<Collector>,
    events: Events,
}

impl Watch<'_> {
    async fn keep_watch(mut self) -> anyhow::Result<Ending> {
        while !self.signals.stop.is_set() {
            // Asked for while a run was under way.
            if self.hangup.heard().now_or_never().is_some() {
                self.reload();
            }
            self.drills.tick(&self.plan.policy, &self.plan.options, &self.signals.stop).await;
            self.board.status().waits(self.timetable.next());
            match self.timetable.tick(Timestamp::now()) {
                Tick::Run { missed } => {
                    if missed > 0 {
                        tracing::warn!(missed, "{missed} scheduled runs were missed");
                    }
                    self.board.status().begins(Timestamp::now(), Instant::now(), self.plan.deadline, missed);
                    self.events.clear();
                    if !self.one_run().await {
                        return Ok(Ending::Failed);
                    }
                }
                Tick::Wait(start) => match self.events.take() {
                    Some(look) => self.look(look).await,
                    None => self.wait(start).await,
                },
                Tick::Never => anyhow::bail!("the schedule {} has no further time", self.plan.schedule),
            }
        }
        self.drills.end(&self.plan.policy).await;
        Ok(Ending::Done)
    }

    async fn wait(&mut self, start: Timestamp) {
        let left = Duration::try_from(start.duration_since(Timestamp::now())).unwrap_or_default();
        tokio::select! {
            () = tokio::time::sleep(left.min(LOOK_UP)) => {}
            () = self.signals.stop.asked() => {}
            () = self.hangup.heard() => self.reload(),
            () = self.events.due() => {}
        }
    }

    /// The next run goes by the policy as it is now, if it is one; else everything stays as it was.
    fn reload(&mut self) {
        let succeeded = match Plan::read(self.path, self.arguments) {
            Ok(plan) => {
                self.timetable.reschedule(plan.schedule.clone(), Timestamp::now());
                self.plan = plan;
                self.drills.reschedule(&self.plan.policy);
                self.events.reload(&self.plan.policy, &self.plan.options.sources);
                announce(&format!("the policy was read again; runs by {}", self.plan.schedule));
                true
            }
            Err(error) => {
                let reason = match error.downcast_ref() {
                    Some(PolicyError::Invalid(problems)) => problems.lines().join("; "),
                    _ => without_credentials(&format!("{error:#}")).into_owned(),
                };
                tracing::error!("the new policy cannot be used, and the old one stays in use: {reason}");
                false
            }
        };
        self.board.status().reloads(succeeded);
    }

    /// Runs once; false if it had to be cut off.
    async fn one_run(&mut self) -> bool {
        let started = Timestamp::now();
        let options = RunOptions { stop: self.signals.stop.clone(), ..self.plan.options.clone() };
        let by = Instant::now() + self.plan.deadline;
        let policy = &self.plan.policy;
        let ran = tokio::select! {
            ran = run_and_keep(policy, &options, Arc::new(Silent)) => ran.map_err(anyhow::Error::from),
            () = tokio::time::sleep_until((by + HANGS).into()) => Err(anyhow::anyhow!(
                "it did not end by its deadline and was cut off; what it recorded stays"
            )),
            () = self.signals.overdue() => {
                tracing::error!("the run was cut off before it ended: what it recorded stays");
                return false;
            }
        };
        // A history that is missing is given up once; what is lost later is reported again.
        self.plan.policy.safeguards.adopt &= ran.is_err();
        let policy = &self.plan.policy;
        // Opened after the run, not before: the last report stays in place as long as there is no other.
        let outputs = self.plan.outputs(self.path, self.arguments).await;
        let ran = match ran {
            Ok(ran) => ran,
            Err(error) => {
                if let (Ok(outputs), Ending::Failed) = (outputs, of_error(&error)) {
                    failed(outputs, &options, policy, started, &error);
                }
                let reason = without_credentials(&format!("{error:#}")).into_owned();
                tracing::error!("the run failed: {reason}");
                self.board.status().ended(Outcome::Failed, Timestamp::now(), None, Some(terminal(&reason)));
                return true;
            }
        };
        let Ran { report, .. } = &ran;
        let unread = "not everything could be read; the run's report says what".to_owned();
        let mut lacking: Vec<String> = (!report.run.complete).then_some(unread).into_iter().collect();
        lacking.extend(without_history(report).unwrap_or_else(|error| {
            Some(format!("whether the history of a source is missing could not be read back from the report: {error}"))
        }));
        let written = outputs.and_then(|outputs| outputs.write(report));
        let stop = self.signals.stop.clone();
        let signals = &mut self.signals;
        let cut = async {
            signals.overdue().await;
            anyhow::anyhow!("alerts were cut off before all were delivered")
        };
        let reported = follow_up(policy, &ran, self.collector.as_ref(), Some(by), &stop, cut).await.map(drop);
        for error in [written, reported].into_iter().filter_map(Result::err) {
            let reason = without_credentials(&format!("{error:#}")).into_owned();
            tracing::error!("{reason}");
            lacking.push(terminal(&reason));
        }
        if self.arguments.format.is_none() {
            announce(&line(report));
        }
        let outcome = if lacking.is_empty() { Outcome::Complete } else { Outcome::Incomplete };
        let reason = Some(lacking.join("; "));
        self.board.status().ended(outcome, Timestamp::now(), metrics(report), reason);
        true
    }
}

/// Nobody looks at a bar here.
struct Silent;

impl Progress for Silent {}

/// What keeps sources without their history from being judged: a run may have read everything, and know nothing of them.
fn without_history(report: &Report) -> std::io::Result<Option<String>> {
    for finding in [Severity::Critical, Severity::High].into_iter().flat_map(|severity| report.body.findings(severity))
    {
        let finding = finding?;
        if finding.waived.is_none() && finding.code == Code::LedgerHistoryMissing {
            return Ok(Some(terminal(&without_credentials(&finding.message))));
        }
    }
    Ok(None)
}

/// One run on one line.
fn line(report: &Report) -> String {
    let (run, counts, findings) = (&report.run, &report.summary.counts, &report.summary.findings);
    let complete = if run.complete { "complete" } else { "INCOMPLETE" };
    format!(
        "run {} {complete}: {} repositories, {} of {} rollback targets protected; findings: {} critical, {} high, {} medium",
        run.id,
        counts.repositories,
        counts.protected,
        counts.targets,
        findings.critical,
        findings.high,
        findings.medium
    )
}

fn metrics(report: &Report) -> Option<String> {
    let terms = Context {
        style: Style::UNBOUNDED,
        policy: None,
        fail_on: crate::model::FailOn::High,
        account: None,
        signer: None,
    };
    let mut text = Vec::new();
    render(Format::Prometheus, report, &terms, &mut text).ok()?;
    String::from_utf8(text).ok()
}

/// A line on stdout. A reader that went away does not end the watch (F82).
fn announce(text: &str) {
    if let Err(error) = to_stdout(|out| writeln!(out, "{} {text}", Timestamp::now().strftime("%FT%TZ"))) {
        tracing::warn!("{error:#}");
    }
}
