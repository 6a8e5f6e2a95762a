//! The arguments of `ready`. Doc comments are what `--help` says.

use std::time::Duration;

use clap::Args;

use super::LedgerArgument;
use crate::cli::deadline::read_duration;
use crate::cli::values::read_status;
use crate::model::{FailOn, SourceName};
use crate::outcome::status::ServiceStatus;
use crate::report::ready::ReadyFormat;

#[derive(Debug, Args)]
pub(in crate::cli) struct ReadyArguments {
    /// Only these repositories, by name or glob, as REPOSITORY or SOURCE/REPOSITORY [default: all of the policy's]
    #[arg(value_name = "REPOSITORY")]
    pub(in crate::cli) repositories: Vec<String>,

    /// Only this source; may be given several times
    #[arg(long = "source", value_name = "NAME", env = "PRODPIN_SOURCE", value_delimiter = ',', hide_env_values = true)]
    pub(in crate::cli) sources: Vec<SourceName>,

    /// Show only services of this status: not-ready, in-danger, unknown, not-protected, no-earlier-release, protected or ready;
    /// may be given several times. The counts and the exit status are about all
    #[arg(long, value_name = "STATUS", env = "PRODPIN_ONLY", value_delimiter = ',', value_parser = read_status, hide_env_values = true)]
    pub(in crate::cli) only: Vec<ServiceStatus>,

    /// What stdout shows [default: page]
    #[arg(long, value_name = "FORMAT", env = "PRODPIN_FORMAT", hide_env_values = true)]
    pub(in crate::cli) format: Option<ReadyFormat>,

    /// Exit with 3 for answers of this severity or above: a service that cannot be rolled back, or is in danger, is critical;
    /// an unknown one, or no service at all, high; one without an earlier release low; none: never [default: the policy's,
    /// else high]
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
