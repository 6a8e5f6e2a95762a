//! `prodpin ready`: can I roll back now, to what, and how?

use std::path::Path;
use std::sync::Arc;

use super::arguments::ReadyArguments;
use super::exit::Ending;
use super::forecast::{all_found, wanted};
use super::outcome::{choose_ledger, or_without_ledger, sources};
use super::output::{style, to_reader, to_stdout};
use super::progress::Bar;
use super::stop::Signals;
use crate::model::Severity;
use crate::policy::load;
use crate::report::ready::{ReadyFormat, render};
use crate::run::{self, ReadyOptions};

pub(super) async fn ready(path: &Path, arguments: &ReadyArguments, bar: &Bar) -> anyhow::Result<Ending> {
    let mut policy = load(path)?;
    choose_ledger(&mut policy, arguments.ledger.ledger.as_deref())?;
    let mut signals = Signals::listen();
    let options = ReadyOptions {
        sources: sources(&policy, &arguments.sources)?,
        repositories: wanted(&arguments.repositories)?,
        concurrency: usize::from(arguments.concurrency),
        deadline: arguments.deadline,
        stop: signals.stop.clone(),
    };
    bar.show();
    let mut ready = tokio::select! {
        ready = run::ready(&policy, &options, Arc::new(bar.clone())) => {
            ready.map_err(|error| or_without_ledger(error, "ready"))?
        }
        () = signals.overdue() => anyhow::bail!("ready was stopped by a signal before it ended"),
    };
    bar.clear();
    // What was not listed may be there all the same.
    if ready.report.section.complete {
        all_found(&ready.unmatched)?;
    }
    ready.report.section.only.clone_from(&arguments.only);
    let format = arguments.format.unwrap_or(ReadyFormat::Page);
    let whole = !arguments.repositories.is_empty();
    let write = |out: &mut dyn std::io::Write| render(format, &ready.report, whole, style(), out);
    match format {
        ReadyFormat::Page => to_reader(Some(path), write)?,
        ReadyFormat::Json => to_stdout(write)?,
    }
    let mut findings = ready.report.summary.severities;
    if ready.report.summary.repositories == 0 {
        // Nothing was asked about, and nothing is known to be ready.
        findings.add(Severity::High);
    }
    Ok(Ending::Ran {
        complete: ready.report.section.complete && ready.unmatched.is_empty(),
        findings,
        fail_on: arguments.fail_on.unwrap_or(policy.fail_on),
    })
}
