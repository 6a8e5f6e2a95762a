//! `prodpin init`: an annotated policy to start from.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use super::exit::{Ending, Misuse};
use super::output::to_stdout;

/// What is written; a test holds that it is a valid policy.
const POLICY: &str = include_str!("../../policies/prodpin.yaml");

pub(super) fn init(path: &Path) -> anyhow::Result<Ending> {
    // Create-only: a policy that is there, or a link that points elsewhere, stays as it is.
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let message = format!("{} is there already and stays as it is; name another with --policy", path.display());
            return Err(Misuse(message).into());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot write {}", path.display())),
    };
    file.write_all(POLICY.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))?;
    to_stdout(|out| {
        writeln!(out, "wrote {}", path.display())?;
        writeln!(out, "next: name your registry and repositories in it, then")?;
        writeln!(out, "  prodpin check      says what it means")?;
        writeln!(out, "  prodpin audit      looks, and changes nothing")?;
        writeln!(out, "  prodpin enforce    pins")
    })?;
    Ok(Ending::Done)
}
