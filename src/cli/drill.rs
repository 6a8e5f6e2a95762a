//! `prodpin drill`: proves by every byte that rollback targets can be restored, by their signatures that they are what was
//! released, and by dry runs that clusters would start them.

mod rehearsal;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::arguments::DrillArguments;
use super::exit::{Ending, Misuse};
use super::forecast::{all_found, wanted};
use super::outcome::{choose_ledger, or_without_ledger, sources};
use super::output::to_reader;
use super::progress::Bar;
use super::stop::Signals;
use crate::decide::bring_back::{hide, restore_command};
use crate::model::{ArtifactId, Drill, DrillOutcome, DrilledFrom, RehearsalOutcome, Severity, SignatureVerdict};
use crate::outcome::report::FindingCounts;
use crate::outcome::size::{seconds, size};
use crate::policy::{Policy, load};
use crate::report::escape::terminal;
use crate::run::{self, DrillOptions, DrillPart, DrillResult, Drilled, DrilledTarget};

pub(super) async fn drill(path: &Path, arguments: &DrillArguments, bar: &Bar) -> anyhow::Result<Ending> {
    must_look_at_signatures(arguments)?;
    let mut policy = load(path)?;
    choose_ledger(&mut policy, arguments.ledger.ledger.as_deref())?;
    let mut signals = Signals::listen();
    let options = DrillOptions {
        sources: sources(&policy, &arguments.sources)?,
        repositories: wanted(&arguments.repositories)?,
        only: arguments.only,
        from: arguments.from,
        keys: keys(&policy, &arguments.signature_keys),
        max_bytes: arguments.max_bytes,
        concurrency: usize::from(arguments.concurrency),
        deadline: arguments.deadline,
        stop: signals.stop.clone(),
    };
    bar.show();
    let drilled = tokio::select! {
        drilled = run::drill(&policy, &options, Arc::new(bar.clone())) => {
            drilled.map_err(|error| or_without_ledger(error, "drill"))?
        }
        () = signals.overdue() => anyhow::bail!("drill was stopped by a signal before it ended: nothing of it is on record"),
    };
    bar.clear();
    if drilled.gaps.is_empty() {
        all_found(&drilled.unmatched)?;
    }
    to_reader(Some(path), |out| tell(&drilled, options.from, policy.vault.is_some(), out))?;
    Ok(ending(&drilled, &policy))
}

/// Who names keys asks for signatures: where none would be looked at, success would say that they are in order.
fn must_look_at_signatures(arguments: &DrillArguments) -> Result<(), Misuse> {
    let beside = match (arguments.from, arguments.only) {
        _ if arguments.signature_keys.is_empty() => return Ok(()),
        (_, Some(DrillPart::Rehearsal)) => "--only rehearsal",
        (DrilledFrom::Vault, _) => "--from vault",
        (DrilledFrom::Source, _) => return Ok(()),
    };
    Err(Misuse(format!(
        "--signature-key: with {beside} no signature is looked at, because they hang at a release in its source; leave out \
         one of the two"
    )))
}

/// Those that the command names, else the policy's.
fn keys(policy: &Policy, given: &[PathBuf]) -> Vec<PathBuf> {
    match given.is_empty() {
        true => policy.drill.as_ref().map(|drill| drill.keys.clone()).unwrap_or_default(),
        false => given.to_vec(),
    }
}

/// What was not proven although it was asked for is no success: what could not be read leaves it incomplete, and what is
/// broken, or is not where it was to be read, is found.
pub(super) fn ending(drilled: &Drilled, policy: &Policy) -> Ending {
    let mut findings = FindingCounts::default();
    findings.add_many(Severity::Critical, drilled.broken() as u64);
    let unread = |target: &DrilledTarget| matches!(target.result, DrillResult::Unread(_) | DrillResult::Interrupted);
    let lacking = drilled.targets.iter().filter(|target| matches!(target.result, DrillResult::NotInVault)).count();
    findings.add_many(Severity::High, lacking as u64);
    if drilled.read && drilled.intact() + drilled.broken() + lacking == 0 {
        // Nothing was read, and nothing is known to be restorable; where --max-bytes leaves room for no target, that goes on.
        findings.add(Severity::High);
    }
    // Who signed what production would go back to is not who should have.
    findings.add_many(Severity::High, drilled.signed(SignatureVerdict::NotVerified) as u64);
    findings.add_many(Severity::High, drilled.rehearsals(RehearsalOutcome::Failed) as u64);
    let rehearsed = drilled.rehearsed.as_deref().unwrap_or_default();
    let judged = drilled.rehearsals(RehearsalOutcome::Failed) + drilled.rehearsals(RehearsalOutcome::Passed);
    let complete = drilled.gaps.is_empty()
        && drilled.unmatched.is_empty()
        && !drilled.targets.iter().any(unread)
        && drilled.signed(SignatureVerdict::Unknown) == 0
        && judged == rehearsed.len();
    Ending::Ran { complete, findings, fail_on: policy.fail_on }
}

/// Worst first.
fn order(target: &DrilledTarget) -> u8 {
    match &target.result {
        DrillResult::Drilled(Drill { outcome: DrillOutcome::Broken, .. }) => 0,
        DrillResult::NotInVault => 1,
        DrillResult::Drilled(Drill { signatures: Some(check), .. })
            if check.verdict() == SignatureVerdict::NotVerified =>
        {
            1
        }
        DrillResult::Unread(_) => 2,
        DrillResult::Interrupted => 3,
        DrillResult::Uncompared { .. } => 4,
        DrillResult::Drilled(_) => 5,
        DrillResult::Waits { .. } => 6,
        DrillResult::Unsupported => 7,
    }
}

fn tell(drilled: &Drilled, from: DrilledFrom, has_vault: bool, out: &mut dyn Write) -> io::Result<()> {
    if drilled.read {
        read(drilled, from, has_vault, out)?;
    }
    if let Some(rehearsed) = &drilled.rehearsed {
        rehearsal::tell(drilled, rehearsed, out)?;
    }
    for gap in &drilled.gaps {
        writeln!(out, "? {}", terminal(&gap.detail))?;
    }
    for why in &drilled.unrecorded {
        writeln!(out, "Not on record: {}", terminal(why))?;
    }
    Ok(())
}

fn read(drilled: &Drilled, from: DrilledFrom, has_vault: bool, out: &mut dyn Write) -> io::Result<()> {
    let place = match from {
        DrilledFrom::Source => "their sources",
        DrilledFrom::Vault => "the vault",
    };
    let milliseconds = u64::try_from(drilled.took.as_millis()).unwrap_or(u64::MAX);
    let (read, took) = (size(drilled.bytes), seconds(milliseconds));
    writeln!(
        out,
        "{} of {} rollback targets read from {place} and intact, {} broken; {read} in {took}",
        drilled.intact(),
        drilled.targets.len(),
        drilled.broken()
    )?;
    let mut targets: Vec<&DrilledTarget> = drilled.targets.iter().collect();
    targets.sort_by(|a, b| (order(a), &a.repository, &a.name).cmp(&(order(b), &b.repository, &b.name)));
    for target in targets {
        one(target, has_vault, out)?;
    }
    match drilled.targets.is_empty() {
        true => writeln!(out, "No rollback target was found, so nothing is proven."),
        false => Ok(()),
    }
}

fn one(target: &DrilledTarget, has_vault: bool, out: &mut dyn Write) -> io::Result<()> {
    let (sign, said) = match &target.result {
        DrillResult::Drilled(drill) if drill.outcome == DrillOutcome::Intact => {
            let signed = drill.signatures.as_ref();
            let sign = match signed.map(|check| check.verdict()) {
                Some(SignatureVerdict::NotVerified) => "✗",
                Some(SignatureVerdict::Unknown) => "?",
                _ => "✓",
            };
            let signed = signed.map(|check| format!(" · {}", rehearsal::signed(check))).unwrap_or_default();
            (sign, format!("intact · {} · {}{signed}", size(drill.bytes), seconds(drill.milliseconds)))
        }
        DrillResult::Drilled(_) => ("✗", "BROKEN".to_owned()),
        DrillResult::NotInVault => ("✗", "the vault does not have it; `prodpin enforce` copies it".to_owned()),
        DrillResult::Unread(detail) => ("?", format!("not read to its end: {detail}")),
        DrillResult::Interrupted => ("?", "not read: the drill ended first".to_owned()),
        DrillResult::Uncompared { bytes, why } => {
            ("?", format!("read to its end ({}), and nothing says what its bytes should be: {why}", size(*bytes)))
        }
        DrillResult::Waits { needs, left } => {
            ("-", format!("waits for another drill: {} to read, {} left of --max-bytes", size(*needs), size(*left)))
        }
        DrillResult::Unsupported => ("-", "not drilled: prodpin has no way to read its bytes there".to_owned()),
    };
    // Not `shop/api`, which may be a repository, or one called `api` in `shop`.
    let key = &target.repository;
    let name = target.name.as_deref().map(|name| format!("{} ", terminal(name))).unwrap_or_default();
    writeln!(out, "{sign} {name}of {} in {}: {}", terminal(key.name.as_str()), key.source, terminal(&said))?;
    writeln!(out, "    {}", terminal(&target.artifact.to_string()))?;
    let DrillResult::Drilled(drill) = &target.result else { return Ok(()) };
    if let Some(check) = &drill.signatures {
        rehearsal::unverified(check, out)?;
    }
    if drill.outcome == DrillOutcome::Broken && drill.broken.is_empty() {
        writeln!(out, "    ✗ it is not there")?;
    }
    for part in &drill.broken {
        writeln!(out, "    ✗ {}", part.digest)?;
        writeln!(out, "      {}", terminal(&part.detail))?;
    }
    match drill.outcome {
        DrillOutcome::Broken => remedy(target, drill, has_vault, out),
        DrillOutcome::Intact => Ok(()),
    }
}

/// What stands at a key has to make room: a restore writes over nothing.
fn remedy_of_file(target: &DrilledTarget, wrong: bool, has_vault: bool, out: &mut dyn Write) -> io::Result<()> {
    if let (ArtifactId::ObjectVersion { key, .. }, true) = (&target.artifact, wrong) {
        writeln!(out, "    First {}.", terminal(&hide(key)))?;
    }
    match has_vault {
        true => {
            writeln!(out, "    Put the same bytes there again, from the vault if it has them:")?;
            writeln!(out, "    {}", terminal(&restore_command(&target.repository, &target.artifact)))
        }
        false => writeln!(out, "    Put the same bytes there again, from a replica or a backup."),
    }
}

/// A registry keeps what it has under a digest, and so does a vault: wrong bytes have to go before the right ones can come.
fn remedy(target: &DrilledTarget, drill: &Drill, has_vault: bool, out: &mut dyn Write) -> io::Result<()> {
    let wrong = drill.broken.iter().any(|part| !part.gone);
    if target.from == DrilledFrom::Source && target.is_file {
        return remedy_of_file(target, wrong, has_vault, out);
    }
    match (target.from, wrong) {
        (DrilledFrom::Source, true) => {
            writeln!(
                out,
                "    Delete these blobs from the registry's storage: it skips a push of a digest that it has."
            )?;
        }
        (DrilledFrom::Source, false) => {}
        (DrilledFrom::Vault, true) => {
            writeln!(out, "    Move blobs/sha256/HEX of these out of the vault; to copy them again:")?;
            return writeln!(out, "    prodpin enforce");
        }
        (DrilledFrom::Vault, false) => {
            writeln!(out, "    To copy what the vault lacks:")?;
            return writeln!(out, "    prodpin enforce");
        }
    }
    let again = if wrong { "Then push" } else { "Push" };
    match has_vault {
        true => {
            writeln!(out, "    {again} the same bytes again, from the vault if it has them, and read them:")?;
            writeln!(out, "    {}", restore_command(&target.repository, &target.artifact))?;
        }
        false => writeln!(out, "    {again} the same bytes again, from a replica or a backup, and read them:")?,
    }
    writeln!(out, "    prodpin drill {}", target.repository.name)
}
