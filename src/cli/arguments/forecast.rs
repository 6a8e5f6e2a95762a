//! The arguments of `forecast`. Doc comments are what `--help` says.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::LedgerArgument;
use crate::cli::deadline::read_duration;
use crate::cli::values::AsOf;
use crate::model::{FailOn, SourceName};
use crate::report::forecast::ForecastFormat;

#[derive(Debug, Args)]
pub(in crate::cli) struct ForecastArguments {
    /// Only these repositories, by name or glob, as REPOSITORY or SOURCE/REPOSITORY [default: all of the policy's]
    #[arg(value_name = "REPOSITORY")]
    pub(in crate::cli) repositories: Vec<String>,

    /// Show what will be left by then: a date such as 2027-01-31, or a time from now such as +30d, +12w or +1y
    #[arg(long, value_name = "DATE", env = "PRODPIN_AS_OF", value_parser = AsOf::read, hide_env_values = true)]
    pub(in crate::cli) as_of: Option<AsOf>,

    /// Judge the rules in this file (an ECR policy, or a bucket's configuration in JSON or XML) instead of the live
    /// ones, before they are applied
    #[arg(long, value_name = "FILE", env = "PRODPIN_LIFECYCLE", hide_env_values = true)]
    pub(in crate::cli) lifecycle: Option<PathBuf>,

    /// Compare with the source's own preview of its rules, where it has one
    #[arg(long, env = "PRODPIN_CONFIRM", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    pub(in crate::cli) confirm: bool,

    /// Print the repository's lifecycle policy (with --lifecycle, the file's) with a rule in front that keeps pins, or a
    /// bucket's rules without what deletes releases, ready to be applied, and nothing else
    #[arg(long, env = "PRODPIN_RECOMMEND", value_parser = BoolishValueParser::new(), hide_env_values = true,
          conflicts_with_all = ["as_of", "confirm"])]
    pub(in crate::cli) recommend: bool,

    /// Only this source; may be given several times
    #[arg(long = "source", value_name = "NAME", env = "PRODPIN_SOURCE", value_delimiter = ',', hide_env_values = true)]
    pub(in crate::cli) sources: Vec<SourceName>,

    /// What stdout shows [default: table]
    #[arg(long, value_name = "FORMAT", env = "PRODPIN_FORMAT", hide_env_values = true)]
    pub(in crate::cli) format: Option<ForecastFormat>,

    /// Exit with 3 if rules reach a target with this severity or above; none: never [default: the policy's, else high]
    #[arg(long, value_name = "SEVERITY", env = "PRODPIN_FAIL_ON", hide_env_values = true)]
    pub(in crate::cli) fail_on: Option<FailOn>,

    /// How many repositories to read at once
    #[arg(long, value_name = "N", env = "PRODPIN_CONCURRENCY", default_value = "16",
          value_parser = clap::value_parser!(u16).range(1..=1024), hide_env_values = true)]
    pub(in crate::cli) concurrency: u16,

    /// End before this much time has passed, as 30s, 10m or 1h30m; what was not reached is reported
    #[arg(long, value_name = "DURATION", env = "PRODPIN_DEADLINE", value_parser = read_duration, hide_env_values = true)]
    pub(in crate::cli) deadline: Option<Duration>,

    #[command(flatten)]
    pub(in crate::cli) ledger: LedgerArgument,
}
