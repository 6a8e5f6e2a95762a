//! `prodpin init`: an annotated policy to start from.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;

use super::exit::{Ending, Misuse};
use super::output::to_reader;

/// What is written; a test holds that it is a valid policy.
const POLICY: &str = include_str!("../../policies/prodpin.yaml");

/// Beside the ledger that the policy names.
const KEY: &str = "prodpin-ledger.key";

pub(super) fn init(path: &Path) -> anyhow::Result<Ending> {
    // Create-only: a policy that is there, or a link that points elsewhere, stays as it is.
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let message = format!("{} exists already and was not changed; name another with --policy", path.display());
            return Err(Misuse(message).into());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot write {}", path.display())),
    };
    file.write_all(POLICY.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))?;
    let key = path.with_file_name(KEY);
    let made = crate::ledger::make_key(&key).map_err(anyhow::Error::msg);
    to_reader(Some(path), |out| {
        writeln!(out, "wrote {}", path.display())?;
        match &made {
            Ok(true) => writeln!(
                out,
                "wrote {}, which signs the ledger: keep a copy elsewhere, and in no repository",
                key.display()
            )?,
            Ok(false) => writeln!(out, "{} exists already; it signs the ledger", key.display())?,
            Err(error) => writeln!(out, "no key was created, so the ledger would be unsigned: {error}")?,
        }
        writeln!(
            out,
            "  Kubernetes: kubectl -n prodpin create secret generic prodpin-ledger-key --from-file=ledger.key={}",
            key.display()
        )?;
        writeln!(
            out,
            "  Lambda:     ledger_key: {{ kms: alias/NAME }} in the policy, with the module's ledger_key_arn"
        )?;
        writeln!(out, "next: name your registry and repositories in it, then")?;
        writeln!(out, "    prodpin check      explains what it means")?;
        writeln!(out, "    prodpin audit      shows what would be pinned, and changes nothing")?;
        writeln!(out, "    prodpin enforce    pins")
    })?;
    Ok(Ending::Done)
}
