//! `prodpin restore`: what the vault kept goes back to its source.

mod file;

use std::io::{self, Write};
use std::path::Path;

use super::arguments::RestoreArguments;
use super::exit::Ending;
use super::outcome::{choose_ledger, sources};
use super::output::to_reader;
use super::stop::Signals;
use crate::decide::bring_back::restore_command;
use crate::decide::vault::TagStep;
use crate::model::{ArtifactId, RepositoryKey};
use crate::outcome::size::size;
use crate::policy::load;
use crate::report::escape::terminal;
use crate::run::{self, Found, Restoration, RestoreOptions};
use crate::vault::{Entry, Pinning, TagOutcome};

pub(super) async fn restore(path: &Path, arguments: &RestoreArguments) -> anyhow::Result<Ending> {
    let mut policy = load(path)?;
    choose_ledger(&mut policy, arguments.ledger.ledger.as_deref())?;
    let mut signals = Signals::listen();
    let options = RestoreOptions {
        reference: arguments.reference.clone(),
        sources: sources(&policy, &arguments.sources)?,
        apply: arguments.apply,
        deadline: arguments.deadline,
        stop: signals.stop.clone(),
    };
    let found = tokio::select! {
        found = run::restore(&policy, &options) => found?,
        () = signals.overdue() => anyhow::bail!("restore was stopped by a signal before it ended: run it again to send the rest"),
    };
    to_reader(Some(path), |out| match &found {
        Found::Entries(repository, entries) => list(repository, entries, out),
        Found::Several { repository, why, each } => ask(repository, why, each, out),
        Found::Target(target) => tell(target, out),
        Found::File(target) => file::tell(target, out),
    })?;
    Ok(match &found {
        Found::Entries(..) => Ending::Done,
        Found::Several { .. } => Ending::Misused,
        Found::File(target) if target.is_done() => Ending::Done,
        Found::File(_) => Ending::Failed,
        Found::Target(target) => {
            let tag_failed = target.missing.tags.iter().any(|reported| reported.failed.is_some());
            let damaged = target.applied && !target.damaged.is_empty();
            if !target.troubles.is_empty() || tag_failed || damaged { Ending::Failed } else { Ending::Done }
        }
    })
}

/// `api in shop`: with a slash between them, `shop/api` would be one name for two repositories.
fn named(repository: &RepositoryKey) -> String {
    format!("{} in {}", terminal(repository.name.as_str()), repository.source)
}

fn list(repository: &RepositoryKey, entries: &[Entry], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} in the vault, the latest first:", named(repository))?;
    for entry in entries {
        let tags: Vec<&str> = entry.tags.iter().map(|tag| tag.as_str()).collect();
        let tags = if tags.is_empty() { "(no tag)".to_owned() } else { terminal(&tags.join(", ")) };
        writeln!(out, "  {}", terminal(&entry.artifact().to_string()))?;
        writeln!(out, "    {tags}, kept {}", entry.kept.strftime("%Y-%m-%d %H:%M:%SZ"))?;
    }
    Ok(())
}

/// Which of several is meant.
fn ask(repository: &RepositoryKey, why: &str, each: &[(ArtifactId, String)], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}.", named(repository), terminal(why))?;
    writeln!(out, "The vault has:")?;
    for (artifact, on_record) in each {
        writeln!(out, "  {}", terminal(&artifact.to_string()))?;
        writeln!(out, "    {}", terminal(on_record))?;
    }
    writeln!(out, "Nothing was changed. Name the one that is meant:")?;
    for (artifact, _) in each {
        writeln!(out, "    {}", restore_command(repository, artifact))?;
    }
    Ok(())
}

fn tell(target: &Restoration, out: &mut dyn Write) -> io::Result<()> {
    let Restoration { repository, digest, missing, applied, .. } = target;
    writeln!(out, "{}", named(repository))?;
    writeln!(out, "  {digest}")?;
    writeln!(out, "  in the vault: whole, {} parts, {}", target.parts, size(target.size))?;
    let (blobs, manifests) = (missing.blobs.len(), missing.manifests.len());
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let lacks = format!("{} and {}, {}", counted(blobs, "blob"), counted(manifests, "manifest"), size(missing.bytes()));
    match (*applied, blobs + manifests) {
        (_, 0) => writeln!(out, "  in the registry: nothing is missing")?,
        (false, _) => writeln!(out, "  the registry lacks {lacks}: they would be pushed")?,
        (true, _) if missing.mounted > 0 => {
            writeln!(out, "  pushed: {lacks}, of which {} blobs were in the registry elsewhere", missing.mounted)?;
        }
        (true, _) => writeln!(out, "  pushed: {lacks}")?,
    }
    writeln!(out, "  pin: {}", of_pin(target))?;
    for reported in &missing.tags {
        writeln!(out, "  tag {}: {}", terminal(reported.tag.as_str()), of_tag(reported, *applied))?;
    }
    for trouble in &target.troubles {
        writeln!(out, "  NOT RESTORED: {}", terminal(trouble))?;
    }
    if let Some(why) = &target.unrecorded {
        writeln!(out, "  not on record: {}; the next run reports these tags as created again", terminal(why))?;
    }
    if let Some(why) = &target.unsaid {
        writeln!(
            out,
            "  not said on record that its pins are needed: {}; a release that is under way may",
            terminal(why)
        )?;
        writeln!(out, "  remove one: run prodpin enforce")?;
    }
    end(target, out)
}

fn of_pin(target: &Restoration) -> &'static str {
    match (target.applied, target.unpinned) {
        (_, true) if target.pinning == Pinning::Withheld => {
            "withheld, because what cleans up in this registry is not known and may\n    count it; do what the finding \
             cleanup-unknown says, and run `prodpin enforce`"
        }
        (_, true) if target.pinning == Pinning::Later => {
            "missing; the next `prodpin enforce` makes it, where the lifecycle rules let it"
        }
        (_, false) => "present",
        (false, true) => "missing, and would be made",
        (true, true) => "made",
    }
}

/// What it comes to, and the next command.
fn end(target: &Restoration, out: &mut dyn Write) -> io::Result<()> {
    let Restoration { repository, digest, missing, applied, .. } = target;
    let complete = missing.blobs.is_empty() && missing.manifests.is_empty();
    if !target.damaged.is_empty() {
        writeln!(out, "A drill read wrong bytes from the registry under")?;
        target.damaged.iter().try_for_each(|part| writeln!(out, "    {part}"))?;
        writeln!(out, "It skips a push of a digest that it has. Delete these blobs from its storage by hand,")?;
        writeln!(out, "then restore, and prove it:")?;
        writeln!(out, "    {}", restore_command(repository, &ArtifactId::Manifest(digest.clone())))?;
        return writeln!(out, "    prodpin drill {}", repository.name);
    }
    match (*applied, target.is_whole()) {
        (true, _) if !target.troubles.is_empty() => Ok(()),
        (true, _) if target.pinning == Pinning::Withheld => {
            writeln!(out, "Restored: read back whole. It is not protected: no pin was made.")
        }
        (true, _) if target.pinning == Pinning::Later && target.unpinned => {
            writeln!(out, "Restored: read back whole. It is not pinned yet. To pin it:")?;
            writeln!(out, "    prodpin enforce")
        }
        (true, _) if complete => {
            writeln!(out, "Nothing was missing: every part is there by its size, and pinned. Their bytes were not")?;
            writeln!(out, "read. To read them:")?;
            writeln!(out, "    prodpin drill {}", repository.name)
        }
        (true, _) => {
            writeln!(out, "Restored: read back whole and pinned. To read every byte of it:")?;
            writeln!(out, "    prodpin drill {}", repository.name)
        }
        (false, false) => {
            writeln!(out, "Nothing was changed. To restore it:")?;
            writeln!(out, "    {}", restore_command(repository, &ArtifactId::Manifest(digest.clone())))
        }
        (false, true) => writeln!(out, "Nothing is to be done."),
    }
}

fn of_tag(reported: &TagOutcome, applied: bool) -> String {
    match (&reported.failed, &reported.step) {
        (Some(why), _) => format!("not put: {}", terminal(why)),
        (None, TagStep::Put) if applied => "put".to_owned(),
        (None, TagStep::Put) => "names nothing, and would be put".to_owned(),
        (None, TagStep::Held) => "names it already".to_owned(),
        (None, TagStep::Taken(other)) => format!("left alone: it names\n    {other}"),
        (None, TagStep::Unknown) => "left alone: what it names could not be told".to_owned(),
    }
}
