//! Arguments in, exit status out; one thin file for each command.

mod alert;
mod arguments;
mod audit;
mod check;
mod colour;
mod completions;
mod deadline;
mod diff;
mod drill;
mod enforce;
mod exit;
mod explain;
mod forecast;
mod history;
mod init;
mod logs;
mod outcome;
mod output;
mod past_report;
mod pasteable;
mod progress;
mod ready;
mod release;
mod restore;
mod schema;
mod schema_change;
mod stop;
mod values;
mod verify;
mod watch;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser};

use arguments::{Cli, Command, DEFAULT_POLICY};
use pasteable::Pasteable;
use progress::Bar;

use crate::demo;
use crate::model::without_credentials;
use crate::policy::PolicyError;
use crate::report::escape;
use prodpin_net::memory;

pub use exit::{Ending, status};

/// The command line as clap sees it, for completions and tests.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program: parses, logs, carries the command out, and tells on one screen how it ended.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(reported) => {
            let reported = redacted(reported);
            // Help and version are answers, everything else is a usage error. A reader that went away is neither (F82).
            let _ = reported.print();
            return exit::status(&if reported.use_stderr() { Ending::Misused } else { Ending::Done });
        }
    };
    if let Some(bytes) = cli.memory {
        memory::state(bytes);
    }
    if cli.no_color {
        colour::refuse();
    }
    pasteable::note_ledger(cli.command.ledger());
    let bar = Bar::new(cli.quiet);
    logs::start(cli.quiet, cli.verbose, bar.clone());
    let ended = carry_out(&cli, &bar);
    bar.clear();
    exit::status(&ended.unwrap_or_else(|error| {
        tell(&error, cli.policy.as_deref());
        exit::of_error(&error)
    }))
}

/// Starts logging for a program that runs unattended: what it does, one record a line, nothing for a terminal.
pub fn log_for_a_service() {
    logs::start(false, 1, Bar::new(true));
}

/// A usage error says the words at fault again, and people paste addresses with passwords in them (I18).
fn redacted(mut reported: clap::Error) -> clap::Error {
    let said = |(kind, value): (ContextKind, &ContextValue)| match value {
        ContextValue::String(text) => Some((kind, without_credentials(text).into_owned())),
        _ => None,
    };
    let all: Vec<(ContextKind, String)> = reported.context().filter_map(said).collect();
    for (kind, text) in all {
        reported.insert(kind, ContextValue::String(text));
    }
    reported
}

fn carry_out(cli: &Cli, bar: &Bar) -> anyhow::Result<Ending> {
    let policy = cli.policy.as_deref().unwrap_or(Path::new(DEFAULT_POLICY));
    match &cli.command {
        Command::Demo => demo::demo(&mut std::io::stdout(), &|arguments| main(arguments)).map(|()| Ending::Done),
        Command::Init => init::init(policy),
        Command::Check => check::check(policy),
        Command::Alert(arguments) => in_runtime(alert::alert(policy, arguments)),
        Command::Audit(arguments) => in_runtime(audit::audit(policy, arguments, bar)),
        Command::Enforce(arguments) => in_runtime(enforce::enforce(policy, arguments, bar)),
        Command::Forecast(arguments) => in_runtime(forecast::forecast(policy, arguments, bar)),
        Command::Ready(arguments) => in_runtime(ready::ready(policy, arguments, bar)),
        Command::Release(arguments) => in_runtime(release::release(policy, arguments, bar)),
        Command::Restore(arguments) => in_runtime(restore::restore(policy, arguments)),
        Command::Watch(arguments) => in_runtime(watch::watch(policy, arguments)),
        Command::History(arguments) => in_runtime(history::history(policy, arguments)),
        Command::Diff(arguments) => in_runtime(diff::diff(policy, arguments)),
        Command::Verify(arguments) => in_runtime(verify::verify(policy, arguments)),
        Command::Report(arguments) => in_runtime(past_report::report(policy, arguments)),
        Command::Explain(arguments) => explain::explain(arguments.code),
        Command::Schema(arguments) => schema::schema(arguments.of),
        Command::SchemaChange(arguments) => schema_change::schema_change(arguments),
        Command::Completions(arguments) => completions::completions(arguments.shell),
        Command::Drill(arguments) => in_runtime(drill::drill(policy, arguments, bar)),
    }
}

/// What work runs on: as many threads as there are processors, and few where there is little memory, because each keeps
/// some that it let go of for itself.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = processors.min(memory::budget().threads());
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

fn in_runtime(work: impl Future<Output = anyhow::Result<Ending>>) -> anyhow::Result<Ending> {
    let runtime = runtime()?;
    let ended = runtime.block_on(work);
    // Not waiting for what was left behind: a name look-up that hangs must not hold up the end.
    runtime.shutdown_background();
    ended
}

/// The whole chain of an error on one line, or a policy's problems as they are.
fn tell(error: &anyhow::Error, policy: Option<&Path>) {
    let reported = match error.downcast_ref::<PolicyError>() {
        Some(PolicyError::Invalid(problems)) => problems.to_string(),
        _ => format!("prodpin: {}", escape::message(&format!("{error:#}"))),
    };
    // Its commands are pasted, too.
    let mut stderr = std::io::stderr();
    let mut out = Pasteable::new(&mut stderr, policy);
    let _ = writeln!(out, "{reported}").and_then(|()| out.flush());
}
