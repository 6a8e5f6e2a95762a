//! What audit and enforce share: policy and arguments → a run → its report → how it ended.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::arguments::RunArguments;
use super::exit::{Ending, Misuse, of_error};
use super::output::{Around, Outputs};
use super::progress::Bar;
use super::stop::Signals;
use crate::alert::AlertError;
use crate::followup::follow_up;
use crate::ledger::{Access, Ledger, LedgerError};
use crate::model::{Code, FailOn, Mode, RunId, SourceName, without_credentials};
use crate::outcome::report::{NOT_COMPARED, NOT_REMEMBERED, RunSection};
use crate::policy::{LedgerLocation, Policy};
use crate::report::body::Report;
use crate::run::{Progress, Ran, RunError, RunOptions, Shard, Stop, run_and_keep};
use crate::telemetry::Collector;

/// What is left after the alerts, for metrics and for the process to end.
const LAST: Duration = Duration::from_secs(3);

/// What stdout is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// The run's report, as `--format` says.
    Report,
    /// What the command itself has to say; the report goes where `--report` says.
    ItsOwn,
}

/// Runs once, and writes the report to wherever it was asked for.
pub(super) async fn outcome(
    mode: Mode,
    path: Option<&Path>,
    policy: Policy,
    arguments: &RunArguments,
    bar: &Bar,
) -> anyhow::Result<Ending> {
    let runner = async |policy: &Policy, options: &RunOptions, progress| {
        Ok((run_and_keep(policy, options, progress).await?, ()))
    };
    let (ending, ()) = outcome_of(mode, (path, Shows::Report), policy, arguments, bar, runner).await?;
    Ok(ending)
}

/// The same for a run that has more to say than its report.
pub(super) async fn outcome_of<T>(
    mode: Mode,
    (path, shows): (Option<&Path>, Shows),
    mut policy: Policy,
    arguments: &RunArguments,
    bar: &Bar,
    runner: impl AsyncFnOnce(&Policy, &RunOptions, Arc<dyn Progress>) -> Result<(Ran, T), RunError>,
) -> anyhow::Result<(Ending, T)> {
    let format = arguments.format.filter(|_| shows == Shows::Report);
    settle(mode, &mut policy, arguments)?;
    let collector = Collector::from_variables(&|name| std::env::var(name).ok()).map_err(Misuse)?;
    let mut signals = Signals::listen();
    let began = Instant::now();
    // A key may be in a service that hangs, or a store be asked for it.
    let signing =
        Around::from_policy(path, &policy, arguments.fail_on).signing(&policy, format, &arguments.reports, true);
    let signed_by = signals.stop.with_deadline(arguments.deadline);
    let around = tokio::select! {
        around = signed_by.in_time(signing) => around?,
        () = signals.overdue() => anyhow::bail!("the run was stopped by a signal before it began"),
    };
    let options = options(mode, &policy, arguments, began, &signals.stop)?;
    let stop = signals.stop.clone();
    let outputs = match shows {
        Shows::Report => Outputs::open(format, &arguments.reports, around)?,
        Shows::ItsOwn => Outputs::open_asked(None, &arguments.reports, around)?,
    };
    // A little before the deadline: what comes after the alerts takes its time, too.
    let by = arguments.deadline.map(|deadline| began + deadline - (deadline / 20).min(LAST));
    let started = Timestamp::now();
    bar.show();
    let ran = tokio::select! {
        ran = runner(&policy, &options, Arc::new(bar.clone())) => ran.map_err(anyhow::Error::from),
        () = signals.overdue() => Err(anyhow::anyhow!(
            "the run was stopped by a signal before it ended: what it recorded stays, the next run does the rest"
        )),
    };
    bar.clear();
    let (ran, more) = match ran {
        Ok(ran) => ran,
        Err(error) => {
            if of_error(&error) == Ending::Failed {
                failed(outputs, &options, &policy, started, &error);
            }
            return Err(error);
        }
    };
    let Ran { report, .. } = &ran;
    let written = outputs.write(report);
    let cut = async {
        signals.overdue().await;
        anyhow::anyhow!("alerts were cut off before all were delivered; the next run delivers the rest")
    };
    let reported = follow_up(&policy, &ran, collector.as_ref(), by, &stop, cut).await;
    for (name, findings) in delivered(written, reported)?.iter().filter(|(_, findings)| *findings > 0) {
        tracing::info!("alert {name}: delivered {findings} findings");
    }
    Ok((ending(report, arguments.fail_on.unwrap_or(policy.fail_on)), more))
}

/// What alerts delivered, where the report was written.
fn delivered<T>(written: anyhow::Result<()>, reported: anyhow::Result<T>) -> anyhow::Result<T> {
    match (written, reported) {
        (Ok(()), reported) => reported,
        (Err(unwritten), Err(unreported)) => {
            tracing::error!("{unwritten:#}");
            Err(unreported)
        }
        (Err(error), Ok(_)) => Err(error),
    }
}

/// What the command line says about the policy, and what the two must not say together.
fn settle(mode: Mode, policy: &mut Policy, arguments: &RunArguments) -> anyhow::Result<()> {
    choose_ledger(policy, arguments.ledger.ledger.as_deref())?;
    policy.safeguards.adopt = arguments.adopt;
    if mode == Mode::Enforce && policy.ledger == LedgerLocation::None {
        // Told before any registry is asked for anything.
        return Err(RunError::NoLedger.into());
    }
    if !policy.alerts.is_empty() && policy.ledger == LedgerLocation::None {
        return Err(Misuse(AlertError::NoLedger.to_string()).into());
    }
    for warning in &policy.warnings {
        tracing::warn!("{warning}");
    }
    Ok(())
}

pub(super) fn options(
    mode: Mode,
    policy: &Policy,
    arguments: &RunArguments,
    began: Instant,
    stop: &Stop,
) -> anyhow::Result<RunOptions> {
    Ok(RunOptions {
        mode,
        sources: sources(policy, &arguments.sources)?,
        shard: arguments.shard.map_or_else(|| shard_of(&|name| std::env::var(name).ok()), |shard| Ok(Some(shard)))?,
        repositories: Vec::new(),
        concurrency: usize::from(arguments.concurrency),
        deadline: arguments.deadline.map(|deadline| deadline.saturating_sub(began.elapsed())),
        stop: stop.clone(),
    })
}

/// Puts a report that says so in the place of an earlier one, which would read as this run's.
pub(super) fn failed(
    outputs: Outputs,
    options: &RunOptions,
    policy: &Policy,
    started: Timestamp,
    error: &anyhow::Error,
) {
    let run = RunSection {
        id: RunId::new(started, prodpin_net::jitter::draw()),
        mode: options.mode,
        started,
        finished: Timestamp::now(),
        complete: false,
        scope: options.scope(),
        policy_sha256: policy.digest.clone(),
        ledger: None,
    };
    let reason = without_credentials(&format!("{error:#}")).into_owned();
    // What is found by its code must be found by it where it kept the run from beginning, too.
    let of_ledger = match error.downcast_ref() {
        Some(RunError::Ledger(error)) => Some(error),
        _ => error.downcast_ref::<LedgerError>(),
    };
    let code = match of_ledger {
        Some(error) if error.is_history_missing() => Code::LedgerHistoryMissing,
        _ => Code::InventoryIncomplete,
    };
    let written =
        Report::of_failure(run, code, &reason).map_err(anyhow::Error::from).and_then(|report| outputs.write(&report));
    if let Err(error) = written {
        tracing::error!("{error:#}");
    }
}

fn ending(report: &Report, fail_on: FailOn) -> Ending {
    Ending::Ran { complete: report.run.complete, findings: report.summary.findings, fail_on }
}

/// The ledger: what `--ledger` says (relative to here), else what the policy says.
pub(super) fn choose_ledger(policy: &mut Policy, flag: Option<&str>) -> anyhow::Result<()> {
    if let Some(text) = flag {
        policy.ledger =
            LedgerLocation::parse(text, Path::new("")).map_err(|reason| Misuse(format!("--ledger: {reason}")))?;
        policy.safeguards.named_apart = true;
    }
    Ok(())
}

/// The ledger, to look things up in.
pub(super) async fn open_ledger(policy: &Policy) -> anyhow::Result<Ledger> {
    if policy.ledger == LedgerLocation::None {
        return Err(Misuse("the policy has `ledger: none`: name a ledger with --ledger".to_owned()).into());
    }
    let mut ledger = Ledger::open_with(&policy.ledger, &policy.safeguards, Access::Read).await?;
    if ledger.head().is_none() {
        ledger.must_be_remembered()?;
    }
    // What is left of a history can be looked at; nothing is no history. Said with --quiet, too.
    if let Some(doubt) = ledger.doubt() {
        tracing::error!("{doubt}");
    }
    Ok(ledger)
}

/// With the next step for whoever cannot wait for the ledger to be mended.
pub(super) fn or_without_ledger(error: RunError, command: &str) -> anyhow::Error {
    match error {
        RunError::Ledger(error) => anyhow::anyhow!("{error}; look without it: `prodpin {command} --ledger none`"),
        error => error.into(),
    }
}

/// How a look into the ledger ended: what was reported is not the whole of it where it is not what is remembered, or where
/// what remembers could not be asked.
pub(super) fn looked_up(ledger: &Ledger) -> Ending {
    if ledger.doubt().is_some() { Ending::Failed } else { Ending::Done }
}

/// The first line of what is told of such a ledger, in words.
pub(super) fn doubt_line(ledger: &Ledger) -> Option<String> {
    let doubt = ledger.doubt()?;
    let what = if ledger.history_missing().is_some() { NOT_REMEMBERED } else { NOT_COMPARED };
    Some(format!("{what} {doubt}"))
}

/// The sources that were asked for. One that the policy does not have would silently be nothing.
pub(super) fn sources(policy: &Policy, asked: &[SourceName]) -> anyhow::Result<Vec<SourceName>> {
    if let Some(stranger) = asked.iter().find(|name| !policy.sources.contains_key(*name)) {
        let known: Vec<&str> = policy.sources.keys().map(SourceName::as_str).collect();
        return Err(Misuse(format!("--source {stranger}: the policy has {}", known.join(", "))).into());
    }
    let mut asked = asked.to_vec();
    asked.sort();
    asked.dedup();
    Ok(asked)
}

/// The share that Kubernetes gives an indexed Job (G145). With only one of the two variables a pod would look at
/// everything or nothing, so that is an error.
pub(super) fn shard_of(environment: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Option<Shard>> {
    let number = |name: &str| -> anyhow::Result<Option<u32>> {
        let Some(text) = environment(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let number = text.parse().map_err(|_| Misuse(format!("{name} must be a number, and is {text:?}")))?;
        Ok(Some(number))
    };
    match (number("JOB_COMPLETION_INDEX")?, number("PRODPIN_SHARDS")?) {
        // An indexed Job with one pod sets an index and needs no shares.
        (None, None) | (Some(0), None) => Ok(None),
        (Some(index), Some(count)) => Ok(Some(Shard::new(index, count).map_err(Misuse)?)),
        (Some(index), None) => {
            Err(Misuse(format!("JOB_COMPLETION_INDEX is {index}: set PRODPIN_SHARDS to the Job's completions")).into())
        }
        (None, Some(1)) => Ok(None),
        (None, Some(_)) => {
            Err(Misuse("PRODPIN_SHARDS is set: name the share with --shard, or run as an indexed Job".to_owned())
                .into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_whole_or_refused() {
        let reported = |index: Option<&'static str>, count: Option<&'static str>| {
            let environment = move |name: &str| {
                let value = if name == "JOB_COMPLETION_INDEX" { index } else { count };
                value.map(str::to_owned)
            };
            shard_of(&environment).map_err(|error| error.to_string())
        };
        assert_eq!(reported(None, None), Ok(None));
        assert_eq!(reported(Some("0"), None), Ok(None));
        assert_eq!(reported(Some("3"), Some("4")), Ok(Some(Shard { index: 3, count: 4 })));
        for (index, count) in [
            (Some("4"), Some("4")),
            (Some("1"), None),
            (None, Some("4")),
            (Some("x"), Some("4")),
            (Some("0"), Some("0")),
        ] {
            assert!(reported(index, count).is_err(), "{index:?}/{count:?}");
        }
    }
}
