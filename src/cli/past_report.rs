//! `prodpin report`: the report of an earlier run, from the ledger.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use serde_json::json;

use super::arguments::PastReportArguments;
use super::deadline::in_time;
use super::exit::{Ending, Misuse};
use super::forecast::wanted;
use super::outcome::{choose_ledger, doubt_line, looked_up, open_ledger};
use super::output::{Around, Outputs, ReportTarget, to_reader, to_stdout};
use super::values::WhichRun;
use crate::ledger::{Head, Ledger};
use crate::model::{Mode, RepositoryKey, RunRecord, Severity};
use crate::outcome::report::{LedgerSection, RunSection, Summary};
use crate::policy::{Policy, load};
use crate::report::ascii_json;
use crate::report::body::{Body, Report};
use crate::report::diff::Diff;
use crate::report::escape::terminal;
use crate::report::narrow::Part;
use crate::report::render::Format;
use crate::run::{Wanted, unmatched};

pub(super) async fn report(path: &Path, arguments: &PastReportArguments) -> anyhow::Result<Ending> {
    let mut policy = load(path)?;
    choose_ledger(&mut policy, arguments.ledger.ledger.as_deref())?;
    in_time(arguments.deadline, &policy.ledger, look(path, &policy, arguments)).await
}

async fn look(path: &Path, policy: &Policy, arguments: &PastReportArguments) -> anyhow::Result<Ending> {
    if arguments.list {
        return list(path, &open_ledger(policy).await?, arguments.format).await;
    }
    let around = Around::from_policy(Some(path), policy, None)
        .signing(policy, arguments.format, &arguments.reports, false)
        .await?;
    let mut outputs = Outputs::open(arguments.format, &arguments.reports, around)?;
    if arguments.since.is_some() {
        outputs = outputs.for_diff()?;
    }
    let ledger = open_ledger(policy).await?;
    let report = read(&ledger, arguments.run.as_ref().unwrap_or(&WhichRun::Last(0))).await?;
    let (part, wanted) = part(arguments)?;
    let since = match &arguments.since {
        Some(since) => Some(read(&ledger, since).await?),
        None => None,
    };
    if !wanted.is_empty() {
        // One that is gone is among those of the earlier run.
        let keys = since.iter().chain([&report]).flat_map(|report| report.body.repositories());
        must_be_there(&wanted, &keys.collect::<Vec<_>>(), &report)?;
    }
    let wants = |key: &RepositoryKey| wanted.is_empty() || wanted.iter().any(|wanted| wanted.matches(key));
    let report = report.part(&part, wants)?;
    match since {
        Some(since) => outputs.write_diff(&Diff::new(&since.part(&part, wants)?, &report))?,
        None => outputs.write(&report)?,
    }
    Ok(looked_up(&ledger))
}

/// Refuses a name that no repository has in what is shown.
fn must_be_there(wanted: &[Wanted], keys: &[RepositoryKey], report: &Report) -> Result<(), Misuse> {
    let Some(missing) = unmatched(wanted, keys.iter()).into_iter().next() else { return Ok(()) };
    let near = missing.near.first().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    Err(Misuse(format!(
        "the report of {} has no repository {}: it was not seen by that run{near}",
        report.run.id, missing.asked
    )))
}

/// What of it is to be shown, and the repositories by name.
fn part(arguments: &PastReportArguments) -> anyhow::Result<(Part, Vec<Wanted>)> {
    let PastReportArguments { repositories, severity, codes, .. } = arguments;
    let part = Part { severity: *severity, codes: codes.clone(), repositories: repositories.clone() };
    let formats = arguments.format.into_iter().chain(arguments.reports.iter().map(ReportTarget::format));
    if !part.is_all() && formats.into_iter().any(|format| format == Format::Attestation) {
        let message = "an attestation is about a whole report: leave out --repository, --severity and --code";
        return Err(Misuse(message.to_owned()).into());
    }
    Ok((part, wanted(repositories)?))
}

/// The report of a run.
async fn read(ledger: &Ledger, which: &WhichRun) -> anyhow::Result<Report> {
    let found = find(ledger, which).await?;
    let body = ledger.report(&found.0.report).await?;
    let body = Body::read_canonical(body).context("cannot read the report")?;
    let checkpoint = ledger.checkpoint(found.1.sequence).await?.map(|checkpoint| checkpoint.note);
    let mut report = rebuilt(found, checkpoint, body);
    if let Some(section) = &mut report.run.ledger {
        (section.history_missing, section.unanchored) = (ledger.history_missing(), ledger.anchor_trouble());
    }
    Ok(report)
}

async fn find(ledger: &Ledger, which: &WhichRun) -> anyhow::Result<(RunRecord, Head)> {
    let listed = "`prodpin report --list` shows its runs";
    let (found, none) = match which {
        WhichRun::Id(id) => (ledger.find_run(id).await?, format!("the ledger holds no run {id}; {listed}")),
        WhichRun::Begins(text) => {
            let mut found = ledger.runs_that_begin(text).await?;
            if let [one, other] = &found[..] {
                let (one, other) = (&one.0.id, &other.0.id);
                return Err(Misuse(format!("{one} and {other} both begin with {text}; write more of it")).into());
            }
            (found.pop(), format!("the ledger holds no run whose id begins with {text}; {listed}"))
        }
        WhichRun::Last(before) => {
            let runs = ledger.runs(before + 1).await?;
            match runs.len() {
                0 => return Err(anyhow::anyhow!("the ledger holds no run yet; run `prodpin audit`")),
                held => (
                    runs.into_iter().nth(*before),
                    format!("the ledger holds no last~{before}, but {held} in all; {listed}"),
                ),
            }
        }
    };
    Ok(found.ok_or(Misuse(none))?)
}

/// So many runs are listed, latest first.
const LISTED: usize = 50;

async fn list(path: &Path, ledger: &Ledger, format: Option<Format>) -> anyhow::Result<Ending> {
    let runs = ledger.runs(LISTED).await?;
    match format.unwrap_or(Format::Table) {
        Format::Table => to_reader(Some(path), |out| {
            if let Some(doubt) = doubt_line(ledger) {
                writeln!(out, "{}", terminal(&doubt))?;
            }
            if runs.is_empty() {
                writeln!(out, "the ledger holds no run yet; run `prodpin audit`")?;
            }
            runs.iter().try_for_each(|(run, head)| line(run, head, out))
        })?,
        Format::Json => {
            let doubt = ledger.doubt();
            let runs = runs.iter().map(|(run, head)| match &doubt {
                Some(doubt) => json!({ "run": run, "commit": head, "ledger_doubt": doubt }),
                None => json!({ "run": run, "commit": head }),
            });
            let runs: Vec<_> = runs.collect();
            to_stdout(|out| writeln!(out, "{}", ascii_json(&runs)?))?;
        }
        other => return Err(Misuse(format!("--list has no {other}; use table or json")).into()),
    }
    Ok(looked_up(ledger))
}

fn line(run: &RunRecord, head: &Head, out: &mut dyn Write) -> io::Result<()> {
    let RunRecord { id, mode, started, complete, scope, findings, .. } = run;
    let counts: Vec<String> = Severity::ALL
        .into_iter()
        .rev()
        .filter_map(|severity| Some((severity, *findings.get(severity.as_str()).filter(|count| **count > 0)?)))
        .map(|(severity, count)| format!("{count} {severity}"))
        .collect();
    let counts = if counts.is_empty() { "no findings".to_owned() } else { counts.join(", ") };
    let mode = match mode {
        Mode::Audit => "audit",
        Mode::Enforce => "enforce",
        Mode::EnforceDryRun => "dry run",
        Mode::Release => "release",
    };
    let narrowed = if scope.is_whole() { "" } else { ", in part" };
    let incomplete = if *complete { "" } else { ", INCOMPLETE" };
    let started = started.strftime("%Y-%m-%d %H:%M UTC");
    writeln!(out, "{id}  {started}  {mode:<8} commit {:<6} {counts}{narrowed}{incomplete}", head.sequence)
}

/// The report as the run gave it: header from its record, rows from its body.
fn rebuilt((record, head): (RunRecord, Head), checkpoint: Option<String>, body: Body) -> Report {
    let run = RunSection {
        id: record.id,
        mode: record.mode,
        started: record.started,
        finished: record.finished,
        complete: record.complete,
        scope: record.scope,
        policy_sha256: record.policy,
        ledger: Some(LedgerSection::new(head.sequence, head.root_base64(), checkpoint)),
    };
    Report { run, summary: Summary { counts: record.counts, ..body.summary() }, body }
}
