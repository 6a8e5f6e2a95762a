//! `prodpin forecast`: what lifecycle rules will do, before they do it.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;

use super::arguments::ForecastArguments;
use super::exit::{Ending, Misuse};
use super::outcome::{choose_ledger, or_without_ledger, sources};
use super::output::{style, to_reader, to_stdout};
use super::progress::Bar;
use super::stop::Signals;
use crate::decide::lifecycle::TriedRules;
use crate::policy::{Policy, load};
use crate::report::forecast::{ForecastFormat, render};
use crate::run::{self, ForecastOptions, Recommended, Unmatched, Wanted};

pub(super) async fn forecast(path: &Path, arguments: &ForecastArguments, bar: &Bar) -> anyhow::Result<Ending> {
    let tried = arguments.lifecycle.as_deref().map(tried).transpose()?;
    if let (true, Some(tried)) = (arguments.recommend, &tried) {
        // The file says it all: no repository needs to be asked.
        return print(&tried.recommend().map_err(Misuse)?);
    }
    let mut policy = load(path)?;
    choose_ledger(&mut policy, arguments.ledger.ledger.as_deref())?;
    let mut signals = Signals::listen();
    let options = ForecastOptions {
        sources: sources(&policy, &arguments.sources)?,
        repositories: wanted(&arguments.repositories)?,
        as_of: arguments.as_of.map(|as_of| as_of.from(Timestamp::now())).transpose().map_err(Misuse)?,
        tried,
        confirm: arguments.confirm,
        concurrency: usize::from(arguments.concurrency),
        deadline: arguments.deadline,
        stop: signals.stop.clone(),
    };
    bar.show();
    tokio::select! {
        ended = look_ahead(path, &policy, &options, arguments, bar) => ended,
        () = signals.overdue() => anyhow::bail!("the forecast was stopped by a signal before it ended"),
    }
}

async fn look_ahead(
    path: &Path,
    policy: &Policy,
    options: &ForecastOptions,
    arguments: &ForecastArguments,
    bar: &Bar,
) -> anyhow::Result<Ending> {
    if arguments.recommend {
        let recommended = run::recommend(policy, options, Arc::new(bar.clone())).await?;
        bar.clear();
        let (gaps, left_alone) = (recommended.gaps.clone(), recommended.left_alone.clone());
        print(&the_one(recommended)?)?;
        for left in left_alone {
            // Beside the document, which is all that goes to stdout.
            let _ = writeln!(std::io::stderr(), "prodpin: {left}");
        }
        // Where none was named, one that was not looked at may need another policy.
        return match gaps.as_slice() {
            [gap, ..] if arguments.repositories.is_empty() => {
                Err(anyhow::anyhow!("not every repository could be read: {}", gap.detail))
            }
            _ => Ok(Ending::Done),
        };
    }
    let forecast = run::forecast(policy, options, Arc::new(bar.clone())).await;
    let forecast = forecast.map_err(|error| or_without_ledger(error, "forecast"))?;
    bar.clear();
    // What was not listed may be there all the same.
    if forecast.report.section.complete {
        all_found(&forecast.unmatched)?;
        if let (Some(path), 0) = (&arguments.lifecycle, forecast.tried) {
            // An answer about other rules, or about none, would read as one about these.
            let fix = "name repositories of ECR or of a bucket, as the file is for one or the other";
            return Err(Misuse(format!(
                "--lifecycle {} was not judged: no repository that was read has such rules; {fix}",
                path.display()
            ))
            .into());
        }
    }
    let format = arguments.format.unwrap_or(ForecastFormat::Table);
    let write = |out: &mut dyn std::io::Write| render(format, &forecast.report, style(), out);
    match format {
        ForecastFormat::Json => to_stdout(write)?,
        _ => to_reader(Some(path), write)?,
    }
    Ok(Ending::Ran {
        complete: forecast.report.section.complete && forecast.unmatched.is_empty(),
        findings: forecast.report.summary.severities,
        fail_on: arguments.fail_on.unwrap_or(policy.fail_on),
    })
}

/// Longer files are no lifecycle rules: ECR takes 30,720 characters (A7).
const LONGEST_FILE: u64 = 1 << 20;

fn tried(path: &Path) -> anyhow::Result<TriedRules> {
    let named = path.display();
    let mut text = String::new();
    let is_file = std::fs::metadata(path).map(|found| found.is_file());
    if let Ok(false) = is_file {
        // Opening a named pipe would wait for somebody to write into it (F80).
        return Err(Misuse(format!("--lifecycle {named} is not a file; put the rules into one")).into());
    }
    let read = std::fs::File::open(path).and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut text));
    read.map_err(|error| Misuse(format!("--lifecycle {named}: {error}")))?;
    Ok(TriedRules::read(&text).map_err(|error| {
        Misuse(format!("--lifecycle {named} is no valid lifecycle policy: {}", error.problems.join("; ")))
    })?)
}

pub(super) fn wanted(repositories: &[String]) -> anyhow::Result<Vec<Wanted>> {
    let read = |text: &String| Wanted::new(text).map_err(|error| Misuse(error.to_string()).into());
    repositories.iter().map(read).collect()
}

pub(super) fn all_found(unmatched: &[Unmatched]) -> anyhow::Result<()> {
    if unmatched.is_empty() {
        return Ok(());
    }
    let asked: Vec<&str> = unmatched.iter().map(|missing| missing.asked.as_str()).collect();
    let near: BTreeSet<&str> = unmatched.iter().flat_map(|missing| &missing.near).map(String::as_str).collect();
    let near: Vec<&str> = near.into_iter().collect();
    let asked = format!("no repository of the policy's sources is called {}", asked.join(", "));
    Err(Misuse(match near.as_slice() {
        [] => format!("{asked}; without a name, all of them are read"),
        [one] => format!("{asked}; did you mean {one}?"),
        several => format!("{asked}; did you mean one of {}?", several.join(", ")),
    })
    .into())
}

/// The one policy that all repositories named would get.
fn the_one(recommended: Recommended) -> anyhow::Result<String> {
    let Recommended { mut policies, unmatched, gaps, .. } = recommended;
    if let (Some(gap), false) = (gaps.first(), unmatched.is_empty() && !policies.is_empty()) {
        anyhow::bail!("not every repository could be listed: {}", gap.detail);
    }
    all_found(&unmatched)?;
    let several = policies.len() > 1;
    let Some((first, policy)) = policies.pop_first() else {
        return Err(
            Misuse("the policy's sources have no repository to recommend a lifecycle policy for".to_owned()).into()
        );
    };
    if let Some((other, _)) = policies.iter().find(|(_, other)| **other != policy) {
        let message = format!("{first} and {other} need different policies: name one repository");
        return Err(Misuse(message).into());
    }
    policy.map_err(|why| anyhow::anyhow!("{first}: {why}")).with_context(|| match several {
        true => "no policy can be recommended for any of them",
        false => "no policy can be recommended",
    })
}

fn print(policy: &str) -> anyhow::Result<Ending> {
    to_stdout(|out| writeln!(out, "{}", policy.trim_end()))?;
    Ok(Ending::Done)
}
