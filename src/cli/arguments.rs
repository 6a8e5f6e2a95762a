//! The arguments. Doc comments are what `--help` says. Every flag has a `PRODPIN_*` variable.

mod alert;
mod drill;
mod forecast;
mod looking_back;
mod ready;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};
use jiff::SignedDuration;

use super::deadline::{read_duration, read_grace};
use super::output::ReportTarget;
use crate::model::{FailOn, SourceName};
use crate::report::render::Format;
use crate::run::Shard;
use crate::schema_change::Format as SchemaChangeFormat;
use prodpin_net::memory::read_size;
use prodpin_schema::{Dialect, Verdict};

pub(super) use alert::{AlertArguments, AlertCommand, AlertTestArguments};
pub(super) use drill::DrillArguments;
pub(super) use forecast::ForecastArguments;
pub(super) use looking_back::{
    DiffArguments, ExplainArguments, HistoryArguments, PastReportArguments, SchemaArguments, SchemaOf, VerifyArguments,
};
pub(super) use ready::ReadyArguments;

/// Keeps the last five production releases of every service ready to roll back to
///
/// prodpin finds what production runs and ran, pins those artifacts so that no cleanup deletes them, and reports when a
/// tag moves. It never deletes an artifact.
#[derive(Debug, Parser)]
#[command(name = "prodpin", version, max_term_width = 100, subcommand_required = true, arg_required_else_help = false)]
#[command(
    after_help = "Exit status: 0 done; 1 failed or incomplete; 2 usage or policy error; 3 findings at or above --fail-on."
)]
pub(super) struct Cli {
    /// The policy file [default: prodpin.yaml]
    #[arg(long, global = true, value_name = "FILE", env = "PRODPIN_POLICY", hide_env_values = true)]
    pub(super) policy: Option<PathBuf>,

    /// No progress, and only errors in the log
    #[arg(long, short, global = true, env = "PRODPIN_QUIET", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(super) quiet: bool,

    /// Log more: -v what is done, -vv why, -vvv everything
    #[arg(long, short, global = true, action = ArgAction::Count, env = "PRODPIN_VERBOSE", hide_env_values = true)]
    pub(super) verbose: u8,

    /// No colours in pages and logs
    #[arg(long, global = true, env = "PRODPIN_NO_COLOR", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(super) no_color: bool,

    /// Memory to plan with, such as 256Mi [default: the control group's limit]
    #[arg(long, global = true, value_name = "SIZE", env = "PRODPIN_MEMORY", value_parser = read_size, hide_env_values = true)]
    pub(super) memory: Option<u64>,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// Where the policy is, unless said otherwise.
pub(super) const DEFAULT_POLICY: &str = "prodpin.yaml";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the whole story on a registry inside this process: two services, a moved tag, a deleted release
    Demo,
    /// Write an annotated policy to start from
    Init,
    /// Check the policy, and explain in words what it means
    Check,
    /// Read everything, change nothing, and show what enforce would pin
    Audit(AuditArguments),
    /// Pin every rollback target
    Enforce(EnforceArguments),
    /// Run on the policy's schedule until ended; SIGHUP reads the policy again
    Watch(WatchArguments),
    /// Show what lifecycle rules will do to rollback targets, without changing anything
    Forecast(ForecastArguments),
    /// Show whether production can be rolled back now, to what, and by which commands, without changing anything
    Ready(ReadyArguments),
    /// Prove that rollback targets can be restored: read and hash every byte of them, and keep the result on record
    Drill(DrillArguments),
    /// Remove pins that nothing in the rollback set needs any more; shows what it would do, unless --apply is given
    Release(ReleaseArguments),
    /// Put a rollback target back into its registry from the policy's vault; shows what it would do, unless --apply is given
    Restore(RestoreArguments),
    /// Show what a tag pointed at, and when
    History(HistoryArguments),
    /// Show what production ran at one time and at another, and which tags moved in between
    Diff(DiffArguments),
    /// Check that nobody changed the ledger
    Verify(VerifyArguments),
    /// Show the report of an earlier run
    Report(PastReportArguments),
    /// Explain a finding: what it means, why it matters, how to confirm, fix and waive it
    Explain(ExplainArguments),
    /// Show whether the migrations between two revisions let the previous release run on the new schema
    SchemaChange(SchemaChangeArguments),
    /// Try whom the policy's alerts tell
    Alert(AlertArguments),
    /// Print the JSON Schema of the report, the forecast, the output of ready or schema-change, or the policy
    Schema(SchemaArguments),
    /// Print completions for a shell
    Completions(CompletionsArguments),
}

impl Command {
    /// The ledger that it is given in place of the policy's.
    pub(super) fn ledger(&self) -> Option<&str> {
        let ledger = match self {
            Self::Audit(AuditArguments { run, .. })
            | Self::Enforce(EnforceArguments { run, .. })
            | Self::Release(ReleaseArguments { run, .. }) => &run.ledger,
            Self::Watch(arguments) => &arguments.ledger,
            Self::Forecast(arguments) => &arguments.ledger,
            Self::Ready(arguments) => &arguments.ledger,
            Self::Drill(arguments) => &arguments.ledger,
            Self::Restore(arguments) => &arguments.ledger,
            Self::Diff(arguments) => &arguments.ledger,
            Self::History(arguments) => &arguments.ledger,
            Self::Verify(arguments) => &arguments.ledger,
            Self::Report(arguments) => &arguments.ledger,
            Self::Demo
            | Self::Init
            | Self::Check
            | Self::Explain(_)
            | Self::SchemaChange(_)
            | Self::Alert(_)
            | Self::Schema(_)
            | Self::Completions(_) => return None,
        };
        ledger.ledger.as_deref()
    }
}

#[derive(Debug, Args)]
pub(super) struct AuditArguments {
    /// Audit only these repositories (HOST/REPOSITORY, globs allowed), without a policy and, unless --ledger is given,
    /// without a ledger. Tags that look like versions count as releases
    #[arg(value_name = "HOST/REPOSITORY")]
    pub(super) repositories: Vec<String>,

    #[command(flatten)]
    pub(super) run: RunArguments,
}

#[derive(Debug, Args)]
pub(super) struct EnforceArguments {
    /// Do everything but the pins, and show what would be pinned
    #[arg(long, env = "PRODPIN_DRY_RUN", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(super) dry_run: bool,

    #[command(flatten)]
    pub(super) run: RunArguments,
}

#[derive(Debug, Args)]
pub(super) struct ReleaseArguments {
    /// Only pins in these repositories, by name or glob, as REPOSITORY or SOURCE/REPOSITORY; all repositories are read
    /// [default: all of the policy's]
    #[arg(value_name = "REPOSITORY")]
    pub(super) repositories: Vec<String>,

    /// For how long an artifact must have been outside the rollback set, by the ledger's record: 7d, 36h
    #[arg(long, value_name = "DURATION", env = "PRODPIN_GRACE", default_value = "7d", value_parser = read_grace, hide_env_values = true)]
    pub(super) grace: SignedDuration,

    /// What left the rollback set leaves the policy's vault, too, where everything that stays there is whole
    #[arg(long, env = "PRODPIN_VAULT", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(super) vault: bool,

    /// Remove what may go, and record the run; without it nothing is changed and nothing recorded
    #[arg(long, env = "PRODPIN_APPLY", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(super) apply: bool,

    #[command(flatten)]
    pub(super) run: RunArguments,
}

/// What audit, enforce and release share.
#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// Only this source; may be given several times
    #[arg(long = "source", value_name = "NAME", env = "PRODPIN_SOURCE", value_delimiter = ',', hide_env_values = true)]
    pub(super) sources: Vec<SourceName>,

    /// Only share I (from 0) of N of the repositories [default: from JOB_COMPLETION_INDEX and PRODPIN_SHARDS]
    #[arg(long, value_name = "I/N", env = "PRODPIN_SHARD", hide_env_values = true)]
    pub(super) shard: Option<Shard>,

    /// Write the report to a file; may be given several times. "-" is stdout. Formats: table, json, csv, markdown,
    /// html, sarif, junit, ocsf, asff, prometheus, attestation
    #[arg(
        long = "report",
        value_name = "FORMAT=FILE",
        env = "PRODPIN_REPORT",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub(super) reports: Vec<ReportTarget>,

    /// What stdout shows [default: table]
    #[arg(long, value_name = "FORMAT", env = "PRODPIN_FORMAT", hide_env_values = true)]
    pub(super) format: Option<Format>,

    /// Exit with 3 if there are findings of this severity or above; none: never [default: the policy's, else high]
    #[arg(long, value_name = "SEVERITY", env = "PRODPIN_FAIL_ON", hide_env_values = true)]
    pub(super) fail_on: Option<FailOn>,

    /// How many repositories to read at once
    #[arg(long, value_name = "N", env = "PRODPIN_CONCURRENCY", default_value = "16",
          value_parser = clap::value_parser!(u16).range(1..=1024), hide_env_values = true)]
    pub(super) concurrency: u16,

    /// End before this much time has passed, as 30s, 10m or 1h30m; what was not reached is reported
    #[arg(long, value_name = "DURATION", env = "PRODPIN_DEADLINE", value_parser = read_duration, hide_env_values = true)]
    pub(super) deadline: Option<Duration>,

    /// Start over although a history is missing, for this run: a ledger that was lost, or pins in a source that the
    /// ledger knows nothing of
    #[arg(long, env = "PRODPIN_ADOPT", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(super) adopt: bool,

    #[command(flatten)]
    pub(super) ledger: LedgerArgument,
}

#[derive(Debug, Args)]
pub(super) struct WatchArguments {
    /// Pin, as enforce does; without it, runs only look
    #[arg(long, env = "PRODPIN_ENFORCE", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(super) enforce: bool,

    /// Answer /healthz, /readyz and /metrics (Prometheus) here, such as 127.0.0.1:9400
    #[arg(long, value_name = "ADDRESS:PORT", env = "PRODPIN_LISTEN", hide_env_values = true)]
    pub(super) listen: Option<SocketAddr>,

    /// Take push events at /events/SOURCE here, from the senders that the policy names under events
    #[arg(long, value_name = "ADDRESS:PORT", env = "PRODPIN_LISTEN_EVENTS", hide_env_values = true)]
    pub(super) listen_events: Option<SocketAddr>,

    /// Start each run up to so much later than the schedule says, by chance, and less than half the way to the next
    #[arg(long, value_name = "DURATION", env = "PRODPIN_JITTER", value_parser = read_duration, hide_env_values = true)]
    pub(super) jitter: Option<Duration>,

    /// Only this source; may be given several times
    #[arg(long = "source", value_name = "NAME", env = "PRODPIN_SOURCE", value_delimiter = ',', hide_env_values = true)]
    pub(super) sources: Vec<SourceName>,

    /// Only share I (from 0) of N of the repositories [default: from JOB_COMPLETION_INDEX and PRODPIN_SHARDS]
    #[arg(long, value_name = "I/N", env = "PRODPIN_SHARD", hide_env_values = true)]
    pub(super) shard: Option<Shard>,

    /// Write each run's report to a file, in the place of the last one's; may be given several times. "-" is stdout
    #[arg(
        long = "report",
        value_name = "FORMAT=FILE",
        env = "PRODPIN_REPORT",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub(super) reports: Vec<ReportTarget>,

    /// Write each run's report to stdout [default: one line for each run]
    #[arg(long, value_name = "FORMAT", env = "PRODPIN_FORMAT", hide_env_values = true)]
    pub(super) format: Option<Format>,

    /// How many repositories to read at once
    #[arg(long, value_name = "N", env = "PRODPIN_CONCURRENCY", default_value = "16",
          value_parser = clap::value_parser!(u16).range(1..=1024), hide_env_values = true)]
    pub(super) concurrency: u16,

    /// End each run before it took this much time, as 30s, 10m or 1h30m; what was not reached is reported [default: as
    /// long as it is from one time of the schedule to the next, at least 30m and at most 6h]
    #[arg(long, value_name = "DURATION", env = "PRODPIN_DEADLINE", value_parser = read_duration, hide_env_values = true)]
    pub(super) deadline: Option<Duration>,

    /// Start over although a history is missing, for the first run: a ledger that was lost, or pins in a source that the
    /// ledger knows nothing of
    #[arg(long, env = "PRODPIN_ADOPT", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(super) adopt: bool,

    #[command(flatten)]
    pub(super) ledger: LedgerArgument,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// REPOSITORY@DIGEST, or REPOSITORY:TAG for the release that the ledger knows by that tag. REPOSITORY alone lists what the
    /// vault has of it
    #[arg(value_name = "REFERENCE")]
    pub(super) reference: String,

    /// The source that REPOSITORY is in: what stands before `@` or `:` is the repository's own name then
    #[arg(long = "source", value_name = "NAME", env = "PRODPIN_SOURCE", value_delimiter = ',', hide_env_values = true)]
    pub(super) sources: Vec<SourceName>,

    /// Push what the registry lacks: blobs, manifests, the pin, and tags that name nothing. No tag is moved
    #[arg(long, env = "PRODPIN_APPLY", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(super) apply: bool,

    /// End before this much time has passed, as 30s, 10m or 1h30m; what was pushed stays
    #[arg(long, value_name = "DURATION", env = "PRODPIN_DEADLINE", value_parser = read_duration, hide_env_values = true)]
    pub(super) deadline: Option<Duration>,

    #[command(flatten)]
    pub(super) ledger: LedgerArgument,
}

#[derive(Debug, Args)]
pub(super) struct LedgerArgument {
    /// Another ledger than the policy's: a directory, s3://, gs:// or az://BUCKET/PREFIX, or none
    #[arg(long, value_name = "LOCATION", env = "PRODPIN_LEDGER", hide_env_values = true)]
    pub(super) ledger: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct SchemaChangeArguments {
    /// What the previous release was built from: a folder, or a commit, tag or branch of the repository here
    #[arg(long, value_name = "REVISION|DIRECTORY")]
    pub(super) from: String,

    /// What the new release is built from: a folder, or a commit, tag or branch of the repository here
    #[arg(long, value_name = "REVISION|DIRECTORY", default_value = "HEAD")]
    pub(super) to: String,

    /// The database: postgres, mysql, mariadb, sqlite or mssql [default: told by folders and files]
    #[arg(long, value_name = "DIALECT", env = "PRODPIN_DIALECT", hide_env_values = true)]
    pub(super) dialect: Option<Dialect>,

    /// What stdout shows [default: table]
    #[arg(long, value_name = "FORMAT", env = "PRODPIN_FORMAT", hide_env_values = true)]
    pub(super) format: Option<SchemaChangeFormat>,

    /// Exit with 3 for this verdict or a graver one: none, expand, caution, data, unknown, contract [default: exit with
    /// 0 whatever the verdict]
    #[arg(long, value_name = "VERDICT", env = "PRODPIN_FAIL_ON", hide_env_values = true)]
    pub(super) fail_on: Option<Verdict>,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell
    pub(super) shell: clap_complete::Shell,
}
