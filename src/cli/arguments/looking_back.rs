//! The arguments of what looks at the ledger, at earlier reports and at what prodpin itself says. Doc comments are what `--help`
//! says.

use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::LedgerArgument;
use crate::cli::deadline::read_duration;
use crate::cli::explain::read_code;
use crate::cli::history::asked::Asked;
use crate::cli::output::ReportTarget;
use crate::cli::values::{ExportTarget, WhichRun, read_export, read_severity, read_time};
use crate::ledger::VerifierKey;
use crate::model::{Code, Severity};
use crate::report::render::Format;

#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryArguments {
    /// HOST/REPOSITORY:TAG, s3://BUCKET/KEY, or chart:NAME:VERSION; or [SOURCE/]REPOSITORY:TAG as reports write it.
    /// REPOSITORY@DIGEST shows that artifact, REPOSITORY alone everything in it. Times are those of the run that
    /// saw a change: what came and went between two runs was never seen
    #[arg(value_name = "REFERENCE", required_unless_present = "export", value_parser = Asked::read)]
    pub(in crate::cli) reference: Option<Asked>,

    /// What it pointed at then: a time such as 2026-11-23T03:15:00Z, or a date, which is the whole of that day in UTC
    #[arg(long, value_name = "TIME", env = "PRODPIN_AT", value_parser = read_time, hide_env_values = true)]
    pub(in crate::cli) at: Option<Timestamp>,

    /// Write every entry of the ledger to a file as a table: csv=FILE, or parquet=FILE for SQL tools. "-" is stdout
    #[arg(long, value_name = "FORMAT=FILE", env = "PRODPIN_EXPORT", value_parser = read_export,
          conflicts_with_all = ["reference", "at", "json"], hide_env_values = true)]
    pub(in crate::cli) export: Option<ExportTarget>,

    /// As JSON
    #[arg(long, env = "PRODPIN_JSON", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(in crate::cli) json: bool,

    /// Give up once this much time has passed, as 30s, 10m or 1h30m: the ledger's store may not answer
    #[arg(long, value_name = "DURATION", env = "PRODPIN_DEADLINE", value_parser = read_duration, hide_env_values = true)]
    pub(in crate::cli) deadline: Option<Duration>,

    #[command(flatten)]
    pub(in crate::cli) ledger: LedgerArgument,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DiffArguments {
    /// Only these repositories, by name or glob, as REPOSITORY or SOURCE/REPOSITORY [default: all that the ledger knows]
    #[arg(value_name = "REPOSITORY")]
    pub(in crate::cli) repositories: Vec<String>,

    /// The earlier time, such as 2026-11-23T03:15:00Z, or a date, which is the whole of that day in UTC
    #[arg(long, value_name = "TIME", env = "PRODPIN_FROM", value_parser = read_time, hide_env_values = true)]
    pub(in crate::cli) from: Timestamp,

    /// The later time [default: now]
    #[arg(long, value_name = "TIME", env = "PRODPIN_TO", value_parser = read_time, hide_env_values = true)]
    pub(in crate::cli) to: Option<Timestamp>,

    /// As JSON
    #[arg(long, env = "PRODPIN_JSON", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(in crate::cli) json: bool,

    /// Give up once this much time has passed, as 30s, 10m or 1h30m: the ledger's store may not answer
    #[arg(long, value_name = "DURATION", env = "PRODPIN_DEADLINE", value_parser = read_duration, hide_env_values = true)]
    pub(in crate::cli) deadline: Option<Duration>,

    #[command(flatten)]
    pub(in crate::cli) ledger: LedgerArgument,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArguments {
    /// Prove that the ledger only grew since this checkpoint: SEQUENCE:ROOT as a report prints it, a checkpoint's text, or a file
    /// with either. Nothing else is checked
    #[arg(long, value_name = "CHECKPOINT", env = "PRODPIN_SINCE", hide_env_values = true)]
    pub(in crate::cli) since: Option<String>,

    /// Print the proof that entry N, counted from 0, is in the ledger, as JSON. Nothing else is checked
    #[arg(long, value_name = "N", env = "PRODPIN_ENTRY", conflicts_with_all = ["since", "repair"], hide_env_values = true)]
    pub(in crate::cli) entry: Option<u64>,

    /// Rebuild tiles and views from the batches where they are missing or wrong
    #[arg(long, env = "PRODPIN_REPAIR", conflicts_with = "since", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(in crate::cli) repair: bool,

    /// A verifier key (NAME+ID+KEY) that must be among those that signed
    #[arg(long, value_name = "KEY", env = "PRODPIN_VERIFIER_KEY", value_parser = read_verifier_key, hide_env_values = true)]
    pub(in crate::cli) verifier_key: Option<VerifierKey>,

    /// As JSON
    #[arg(long, env = "PRODPIN_JSON", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(in crate::cli) json: bool,

    /// Give up once this much time has passed, as 30s, 10m or 1h30m: the ledger's store may not answer
    #[arg(long, value_name = "DURATION", env = "PRODPIN_DEADLINE", value_parser = read_duration, hide_env_values = true)]
    pub(in crate::cli) deadline: Option<Duration>,

    #[command(flatten)]
    pub(in crate::cli) ledger: LedgerArgument,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PastReportArguments {
    /// The run: its id or how that begins, such as 20261123T0315; last, or last~1 for the one before it [default: last]
    #[arg(long, value_name = "RUN", env = "PRODPIN_RUN", value_parser = WhichRun::read, hide_env_values = true)]
    pub(in crate::cli) run: Option<WhichRun>,

    /// What changed since this run: findings that are new, resolved, still open, or of unknown state
    #[arg(long, value_name = "RUN", env = "PRODPIN_SINCE", conflicts_with = "list", value_parser = WhichRun::read, hide_env_values = true)]
    pub(in crate::cli) since: Option<WhichRun>,

    /// List the latest runs, newest first
    #[arg(long, env = "PRODPIN_LIST", conflicts_with_all = ["run", "reports"], value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(in crate::cli) list: bool,

    /// Show only these repositories, by name or glob, as REPOSITORY or SOURCE/REPOSITORY; may be given several times
    #[arg(
        long = "repository",
        value_name = "REPOSITORY",
        env = "PRODPIN_REPOSITORY",
        value_delimiter = ',',
        conflicts_with = "list",
        hide_env_values = true
    )]
    pub(in crate::cli) repositories: Vec<String>,

    /// Show only findings of this severity or above: info, low, medium, high or critical
    #[arg(long, value_name = "SEVERITY", env = "PRODPIN_SEVERITY", value_parser = read_severity, conflicts_with = "list", hide_env_values = true)]
    pub(in crate::cli) severity: Option<Severity>,

    /// Show only findings with this code, such as tag-moved; may be given several times
    #[arg(long = "code", value_name = "CODE", env = "PRODPIN_CODE", value_delimiter = ',', value_parser = read_code,
          conflicts_with = "list", hide_env_values = true)]
    pub(in crate::cli) codes: Vec<Code>,

    /// Write the report to a file; may be given several times. "-" is stdout. Formats: table, json, csv, markdown,
    /// html, sarif, junit, ocsf, asff, prometheus, attestation
    #[arg(
        long = "report",
        value_name = "FORMAT=FILE",
        env = "PRODPIN_REPORT",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub(in crate::cli) reports: Vec<ReportTarget>,

    /// What stdout shows [default: table]
    #[arg(long, value_name = "FORMAT", env = "PRODPIN_FORMAT", hide_env_values = true)]
    pub(in crate::cli) format: Option<Format>,

    /// Give up once this much time has passed, as 30s, 10m or 1h30m: the ledger's store may not answer
    #[arg(long, value_name = "DURATION", env = "PRODPIN_DEADLINE", value_parser = read_duration, hide_env_values = true)]
    pub(in crate::cli) deadline: Option<Duration>,

    #[command(flatten)]
    pub(in crate::cli) ledger: LedgerArgument,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArguments {
    /// The finding's code, such as tag-moved [default: list all codes]
    #[arg(value_name = "CODE", value_parser = read_code)]
    pub(in crate::cli) code: Option<Code>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SchemaArguments {
    /// Which document
    #[arg(value_name = "DOCUMENT", default_value = "report")]
    pub(in crate::cli) of: SchemaOf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum SchemaOf {
    /// What --format json writes
    Report,
    /// What forecast --format json writes
    Forecast,
    /// What ready --format json writes
    Ready,
    /// What schema-change --format json writes
    SchemaChange,
    /// The policy file
    Policy,
}

fn read_verifier_key(text: &str) -> Result<VerifierKey, String> {
    VerifierKey::parse(text.trim()).ok_or_else(|| "write NAME+ID+KEY, as `prodpin verify` prints it".to_owned())
}
