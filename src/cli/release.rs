//! `prodpin release`: which pins nothing needs any more, and the reasons for which the others stay. It removes none.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use super::arguments::ReleaseArguments;
use super::exit::{Ending, Misuse};
use super::forecast::{all_found, wanted};
use super::outcome::{Shows, choose_ledger, outcome_of};
use super::output::to_stdout;
use super::progress::Bar;
use crate::model::{Mode, RepositoryKey};
use crate::outcome::release::{PinRelease, ReleaseState, RepositoryRelease, VaultRelease};
use crate::outcome::report::RunSection;
use crate::outcome::size::size;
use crate::policy::{LedgerLocation, load};
use crate::report::escape::terminal;
use crate::report::render::Format;
use crate::run::{Ran, ReleaseOptions, Released, RunError, RunOptions, Unmatched, release as release_pins};

/// So many pins that stay for the same reasons are named.
const NAMED: usize = 5;

/// What a release has to say beside its report.
struct Said {
    run: RunSection,
    repositories: Vec<RepositoryRelease>,
    unmatched: Vec<Unmatched>,
    vault: Option<VaultRelease>,
}

pub(super) async fn release(path: &Path, arguments: &ReleaseArguments, bar: &Bar) -> anyhow::Result<Ending> {
    let mut policy = load(path)?;
    choose_ledger(&mut policy, arguments.run.ledger.ledger.as_deref())?;
    if policy.ledger == LedgerLocation::None {
        return Err(RunError::NoHistory.into());
    }
    let format = match arguments.run.format {
        None | Some(Format::Table) => Format::Table,
        Some(Format::Json) => Format::Json,
        Some(other) => {
            let message = format!(
                "release has no {other}: use table or json; the run's own report goes to --report {other}=FILE"
            );
            return Err(Misuse(message).into());
        }
    };
    if arguments.vault && policy.vault.is_none() {
        return Err(Misuse("--vault: the policy names no vault".to_owned()).into());
    }
    let repositories = wanted(&arguments.repositories)?;
    let runner = async |policy: &_, options: &RunOptions, progress| {
        let options =
            ReleaseOptions { run: options.clone(), repositories, grace: arguments.grace, vault: arguments.vault };
        let Released { report, ledger, repositories, unmatched, vault } =
            release_pins(policy, &options, progress).await?;
        let run = report.run.clone();
        Ok((Ran { report, ledger }, Said { run, repositories, unmatched, vault }))
    };
    let (ending, said) =
        outcome_of(Mode::Audit, Some(path), policy, &arguments.run, bar, Shows::ItsOwn, runner).await?;
    let Said { run, repositories: found, unmatched, vault } = said;
    match format {
        Format::Json => to_stdout(|out| {
            let document = json!({
                "run": run,
                "applied": false,
                "grace_seconds": arguments.grace.as_secs(),
                "repositories": found,
                "vault": vault,
            });
            serde_json::to_writer_pretty(&mut *out, &document)?;
            writeln!(out)
        })?,
        _ => to_stdout(|out| {
            tell(&found, run.complete, out)?;
            vault.as_ref().map_or(Ok(()), |vault| of_vault(vault, out))
        })?,
    }
    if run.complete {
        all_found(&unmatched)?;
    }
    let failed = |pin: &PinRelease| matches!(pin.state, ReleaseState::Failed | ReleaseState::NotTried);
    let has_failed = found.iter().flat_map(|repository| &repository.pins).any(failed);
    let has_failed = has_failed || vault.is_some_and(|vault| vault.failure.is_some());
    Ok(if has_failed { Ending::Failed } else { ending })
}

fn tell(found: &[RepositoryRelease], complete: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut going = 0;
    for repository in found {
        let key = RepositoryKey { source: repository.source.clone(), name: repository.name.clone() };
        writeln!(out, "{}", terminal(&key.to_string()))?;
        going += repository.pins.iter().filter(|pin| pin.state == ReleaseState::Planned).count();
        for pin in repository.pins.iter().filter(|pin| pin.state != ReleaseState::Kept) {
            one(pin, out)?;
        }
        kept(repository, out)?;
    }
    let pinned = found.iter().any(|repository| !repository.pins.is_empty());
    match (complete, pinned, going) {
        (false, ..) => {
            writeln!(out, "Not everything could be read, so nothing is known to be free: `prodpin report` says what.")
        }
        (true, false, _) => writeln!(out, "No pin is there that no rollback target needs."),
        (true, true, 0) => writeln!(out, "No pin may go now."),
        (true, true, going) => writeln!(out, "{} may go. Nothing was changed: prodpin removes no pin.", pins(going)),
    }
}

fn pins(count: usize) -> String {
    if count == 1 { "1 pin".to_owned() } else { format!("{count} pins") }
}

/// A pin that goes, went, or was to.
fn one(pin: &PinRelease, out: &mut dyn Write) -> io::Result<()> {
    let state = match pin.state {
        ReleaseState::Planned => "may go",
        ReleaseState::Released => "released",
        ReleaseState::Failed => "FAILED",
        ReleaseState::PinnedAgain => "pinned again",
        ReleaseState::NotTried => "not tried",
        ReleaseState::Kept => "stays",
    };
    let mut said = vec![match &pin.kept_by {
        Some(tag) => format!("{} stays, and keeps it", terminal(tag.as_str())),
        None => "part of a release whose pin goes first".to_owned(),
    }];
    said.extend(pin.since.map(|since| format!("outside the rollback set since {}", since.strftime("%Y-%m-%d"))));
    said.extend(pin.unique_bytes.map(|bytes| format!("{} of its own", size(bytes))));
    said.extend(pin.then.as_ref().map(|then| format!("lifecycle rule {} takes it then", terminal(&then.rule))));
    writeln!(out, "  {state:<13} {}  {}", pin.artifact, said.join("; "))?;
    match &pin.failure {
        Some(why) => writeln!(out, "                {}", terminal(why)),
        None => Ok(()),
    }
}

/// What leaves the vault, and why the rest of what no rollback set has stays.
fn of_vault(vault: &VaultRelease, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "vault {}", terminal(&vault.location))?;
    for entry in &vault.entries {
        let state = if entry.grounds.is_empty() { "may leave" } else { "stays" };
        let name = terminal(&format!("{}/{}", entry.source, entry.repository));
        writeln!(out, "  {state:<13} {name}@{}", entry.artifact)?;
        for ground in &entry.grounds {
            writeln!(out, "                because {}", terminal(&ground.in_words()))?;
        }
    }
    match &vault.failure {
        Some(why) => writeln!(out, "  NOTHING MORE LEAVES: {}", terminal(why)),
        None => writeln!(out, "  {} that nothing else in it needs", size(vault.bytes)),
    }
}

/// Those that stay, by the grounds that they have in common.
fn kept(repository: &RepositoryRelease, out: &mut dyn Write) -> io::Result<()> {
    let kept: Vec<&PinRelease> = repository.pins.iter().filter(|pin| pin.state == ReleaseState::Kept).collect();
    let grounds = |pin: &PinRelease| {
        let words = pin.grounds.iter().map(|ground| ground.in_words()).chain(pin.failure.clone());
        words.collect::<BTreeSet<String>>()
    };
    let mut told: Vec<BTreeSet<String>> = Vec::new();
    for pin in &kept {
        let own = grounds(pin);
        if told.contains(&own) {
            continue;
        }
        let same: Vec<&&PinRelease> = kept.iter().filter(|other| grounds(other) == own).collect();
        for pin in same.iter().take(NAMED) {
            let cost = pin.unique_bytes.map_or_else(String::new, |bytes| format!("  {} of its own", size(bytes)));
            writeln!(out, "  {:<13} {}{cost}", "stays", pin.artifact)?;
        }
        if same.len() > NAMED {
            writeln!(out, "                and {} more", same.len() - NAMED)?;
        }
        for ground in &own {
            writeln!(out, "                because {}", terminal(ground))?;
        }
        told.push(own);
    }
    Ok(())
}
