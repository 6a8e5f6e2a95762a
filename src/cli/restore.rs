//! `prodpin restore`: what the vault kept goes back to its registry.

use std::io::{self, Write};
use std::path::Path;

use super::arguments::RestoreArguments;
use super::exit::Ending;
use super::output::to_stdout;
use super::stop::Signals;
use crate::decide::vault::{TagStep, restore_command};
use crate::model::{ArtifactId, RepositoryKey};
use crate::outcome::size::size;
use crate::policy::load;
use crate::report::escape::terminal;
use crate::run::{self, Found, Restoration, RestoreOptions};
use crate::vault::{Entry, Pinning, TagOutcome};

pub(super) async fn restore(path: &Path, arguments: &RestoreArguments) -> anyhow::Result<Ending> {
    let policy = load(path)?;
    let mut signals = Signals::listen();
    let options = RestoreOptions {
        reference: arguments.reference.clone(),
        apply: arguments.apply,
        deadline: arguments.deadline,
        stop: signals.stop.clone(),
    };
    let found = tokio::select! {
        found = run::restore(&policy, &options) => found?,
        () = signals.overdue() => anyhow::bail!("restore was stopped by a signal before it ended: run it again to send the rest"),
    };
    match found {
        Found::Entries(repository, entries) => {
            to_stdout(|out| list(&repository, &entries, out))?;
            Ok(Ending::Done)
        }
        Found::Target(target) => {
            to_stdout(|out| tell(&target, out))?;
            let failed =
                !target.troubles.is_empty() || target.missing.tags.iter().any(|reported| reported.failed.is_some());
            Ok(if failed { Ending::Failed } else { Ending::Done })
        }
    }
}

fn list(repository: &RepositoryKey, entries: &[Entry], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} in the vault, the latest first:", terminal(&repository.to_string()))?;
    for entry in entries {
        let tags: Vec<&str> = entry.tags.iter().map(|tag| tag.as_str()).collect();
        let tags = if tags.is_empty() { "(no tag)".to_owned() } else { terminal(&tags.join(", ")) };
        writeln!(out, "  {}  kept {}  {tags}", entry.digest, entry.kept.strftime("%Y-%m-%d %H:%M:%SZ"))?;
    }
    Ok(())
}

fn tell(target: &Restoration, out: &mut dyn Write) -> io::Result<()> {
    let Restoration { repository, digest, missing, applied, .. } = target;
    let artifact = ArtifactId::Manifest(digest.clone());
    writeln!(out, "{}@{digest}", terminal(&repository.to_string()))?;
    writeln!(out, "  in the vault: whole, {} parts, {}", target.parts, size(target.size))?;
    let (blobs, manifests) = (missing.blobs.len(), missing.manifests.len());
    let lacks = format!("{blobs} blobs and {manifests} manifests, {}", size(missing.bytes()));
    match (*applied, blobs + manifests) {
        (_, 0) => writeln!(out, "  in the registry: nothing is missing")?,
        (false, _) => writeln!(out, "  the registry lacks {lacks}: they would be pushed")?,
        (true, _) if missing.mounted > 0 => {
            writeln!(out, "  pushed: {lacks}, of which {} blobs were in the registry elsewhere", missing.mounted)?;
        }
        (true, _) => writeln!(out, "  pushed: {lacks}")?,
    }
    match (*applied, target.unpinned) {
        (_, true) if target.pinning == Pinning::Withheld => writeln!(
            out,
            "  pin: withheld, because what cleans up in this registry is not known and may count it; state `cleanup:` on the \
             source, and run prodpin enforce"
        )?,
        (_, false) => writeln!(out, "  pin: present")?,
        (false, true) => writeln!(out, "  pin: missing, and would be made")?,
        (true, true) => writeln!(out, "  pin: made")?,
    }
    for reported in &missing.tags {
        writeln!(out, "  tag {}: {}", terminal(reported.tag.as_str()), of_tag(reported, *applied))?;
    }
    for trouble in &target.troubles {
        writeln!(out, "  NOT RESTORED: {}", terminal(trouble))?;
    }
    if *applied && target.troubles.is_empty() {
        return match target.pinning {
            Pinning::Withheld => writeln!(out, "Restored: read back whole. It is not protected: no pin was made."),
            Pinning::Target | Pinning::Closure if blobs + manifests == 0 => writeln!(
                out,
                "Nothing was missing: every part is there by its size, and pinned. Their bytes were not read; if a drill found \
                 them wrong, delete those from the registry's storage first."
            ),
            Pinning::Target | Pinning::Closure => writeln!(out, "Restored: read back whole and pinned."),
        };
    }
    if !applied && !target.is_whole() {
        return writeln!(out, "Nothing was changed. To restore it: {}", restore_command(repository, &artifact));
    }
    if !applied {
        return writeln!(out, "Nothing is to be done.");
    }
    Ok(())
}

fn of_tag(reported: &TagOutcome, applied: bool) -> String {
    match (&reported.failed, &reported.step) {
        (Some(why), _) => format!("not put: {}", terminal(why)),
        (None, TagStep::Put) if applied => "put".to_owned(),
        (None, TagStep::Put) => "names nothing, and would be put".to_owned(),
        (None, TagStep::Held) => "names it already".to_owned(),
        (None, TagStep::Taken(other)) => format!("left alone: it names {other}"),
        (None, TagStep::Unknown) => "left alone: what it names could not be told".to_owned(),
    }
}
