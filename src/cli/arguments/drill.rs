//! The arguments of `drill`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::LedgerArgument;
use crate::cli::deadline::read_duration;
use crate::model::{DrilledFrom, SourceName};
use crate::outcome::size;
use crate::run::DrillPart;

#[derive(Debug, Args)]
pub(in crate::cli) struct DrillArguments {
    /// Only these repositories, by name or glob, as REPOSITORY or SOURCE/REPOSITORY [default: all of the policy's]
    #[arg(value_name = "REPOSITORY")]
    pub(in crate::cli) repositories: Vec<String>,

    /// Read them from where production pulls them (source), or from the policy's vault
    #[arg(long, value_name = "PLACE", env = "PRODPIN_FROM", value_parser = read_place, default_value = "source",
          hide_env_values = true)]
    pub(in crate::cli) from: DrilledFrom,

    /// Do one part alone: bytes (read everything, and verify signatures), or rehearsal (ask clusters, in dry runs, whether
    /// they would start the releases again) [default: bytes, and rehearsal where a rule of the policy has rehearse: true]
    #[arg(long, value_name = "PART", env = "PRODPIN_ONLY", value_parser = read_part, hide_env_values = true)]
    pub(in crate::cli) only: Option<DrillPart>,

    /// A file with a public key, in PEM, by which signatures are verified; may be given several times [default: the
    /// policy's drill.signatures.keys]
    #[arg(
        long = "signature-key",
        value_name = "FILE",
        env = "PRODPIN_SIGNATURE_KEY",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub(in crate::cli) signature_keys: Vec<PathBuf>,

    /// Read no more than this, such as 50Gi: what was drilled longest ago comes first, and what does not fit waits
    #[arg(long, value_name = "SIZE", env = "PRODPIN_MAX_BYTES", value_parser = size::read, hide_env_values = true)]
    pub(in crate::cli) max_bytes: Option<u64>,

    /// Only this source; may be given several times
    #[arg(long = "source", value_name = "NAME", env = "PRODPIN_SOURCE", value_delimiter = ',', hide_env_values = true)]
    pub(in crate::cli) sources: Vec<SourceName>,

    /// How many repositories to look at at once
    #[arg(long, value_name = "N", env = "PRODPIN_CONCURRENCY", default_value = "16",
          value_parser = clap::value_parser!(u16).range(1..=1024), hide_env_values = true)]
    pub(in crate::cli) concurrency: u16,

    /// End before this much time has passed, as 30s, 10m or 1h30m; what was not reached is reported
    #[arg(long, value_name = "DURATION", env = "PRODPIN_DEADLINE", value_parser = read_duration, hide_env_values = true)]
    pub(in crate::cli) deadline: Option<Duration>,

    #[command(flatten)]
    pub(in crate::cli) ledger: LedgerArgument,
}

fn read_place(text: &str) -> Result<DrilledFrom, String> {
    match text {
        "source" => Ok(DrilledFrom::Source),
        "vault" => Ok(DrilledFrom::Vault),
        _ => Err("write source or vault".to_owned()),
    }
}

fn read_part(text: &str) -> Result<DrillPart, String> {
    match text {
        "bytes" => Ok(DrillPart::Bytes),
        "rehearsal" => Ok(DrillPart::Rehearsal),
        _ => Err("write bytes or rehearsal".to_owned()),
    }
}
