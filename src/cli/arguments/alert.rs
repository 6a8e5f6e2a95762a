//! The arguments of `alert`. Doc comments are what `--help` says.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cli::deadline::read_duration;

#[derive(Debug, Args)]
pub(in crate::cli) struct AlertArguments {
    #[command(subcommand)]
    pub(in crate::cli) command: AlertCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AlertCommand {
    /// Send a message that says it is a test, and see whether it is taken. Nothing is read or recorded
    Test(AlertTestArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AlertTestArguments {
    /// The alert's name in the policy; several may be given [default: all of them]
    #[arg(value_name = "NAME")]
    pub(in crate::cli) names: Vec<String>,

    /// Give up once this much time has passed, as 30s, 10m or 1h30m [default: 60s]
    #[arg(long, value_name = "DURATION", env = "PRODPIN_DEADLINE", value_parser = read_duration, hide_env_values = true)]
    pub(in crate::cli) deadline: Option<Duration>,
}
