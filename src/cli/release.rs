//! `prodpin release`: pins that nothing needs any more go, and why the others stay. Shows it, unless `--apply` is given.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::json;

use super::arguments::ReleaseArguments;
use super::exit::{Ending, Misuse};
use super::forecast::{all_found, wanted};
use super::outcome::{Shows, choose_ledger, options, outcome_of};
use super::output::{to_reader, to_stdout};
use super::pasteable::word;
use super::progress::Bar;
use super::stop::Signals;
use crate::model::{Gap, Mode, RepositoryKey};
use crate::outcome::release::{Ground, PinRelease, ReleaseState, RepositoryRelease, VaultRelease};
use crate::outcome::report::RunSection;
use crate::outcome::size::size;
use crate::policy::{LedgerLocation, Policy, load};
use crate::report::escape::terminal;
use crate::report::render::Format;
use crate::run::{ReleaseOptions, Released, RunError, RunOptions, Unmatched, release as release_pins};

/// So many pins that stay for the same reasons are named.
const NAMED: usize = 5;

/// In less time nothing would be left for the last look: half a minute for production, and as much for pins that go back.
const LEAST: Duration = Duration::from_mins(2);

/// What a release has to say beside its report.
struct Said {
    /// None where it was no run, because nothing was to be changed.
    run: Option<RunSection>,
    complete: bool,
    gaps: Vec<Gap>,
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
    if let Some(deadline) = arguments.run.deadline.filter(|deadline| arguments.apply && *deadline < LEAST) {
        let message = format!(
            "--deadline: {} s is too short for release --apply, which asks production again at the end and pins again what is \
             needed by then; give it {} s or more",
            deadline.as_secs(),
            LEAST.as_secs()
        );
        return Err(Misuse(message).into());
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
    let (ending, said) = match arguments.apply {
        true => applied(path, policy, arguments, bar).await?,
        false => (Ending::Done, shown(&policy, arguments, bar).await?),
    };
    // What was not listed may be there all the same.
    if said.complete {
        all_found(&said.unmatched)?;
    }
    match format {
        Format::Json => to_stdout(|out| {
            let document = json!({
                "run": said.run,
                "applied": arguments.apply,
                "complete": said.complete,
                "gaps": said.gaps,
                "grace_seconds": arguments.grace.as_secs(),
                "repositories": said.repositories,
                "unmatched": said.unmatched.iter().map(|missing| &missing.asked).collect::<Vec<_>>(),
                "vault": said.vault,
            });
            serde_json::to_writer_pretty(&mut *out, &document)?;
            writeln!(out)
        })?,
        _ => to_reader(Some(path), |out| {
            tell(&said, arguments.apply, &again(arguments), out)?;
            said.vault.as_ref().map_or(Ok(()), |vault| of_vault(vault, out))
        })?,
    }
    let failed = |pin: &PinRelease| matches!(pin.state, ReleaseState::Failed | ReleaseState::NotTried);
    let has_failed = said.repositories.iter().flat_map(|repository| &repository.pins).any(failed);
    let has_failed = has_failed || !said.complete || said.vault.is_some_and(|vault| vault.failure.is_some());
    Ok(if has_failed { Ending::Failed } else { ending })
}

/// Removes what may go.
async fn applied(
    path: &Path,
    policy: Policy,
    arguments: &ReleaseArguments,
    bar: &Bar,
) -> anyhow::Result<(Ending, Said)> {
    let repositories = wanted(&arguments.repositories)?;
    let runner = async |policy: &_, run: &RunOptions, progress| {
        let (run, grace, vault) = (run.clone(), arguments.grace, arguments.vault);
        let options = ReleaseOptions { run, repositories, grace, vault, leaving: false };
        let Released { ran, complete, gaps, repositories, unmatched, vault } =
            release_pins(policy, &options, progress).await?;
        let ran = ran.ok_or_else(|| RunError::Defect("a release left no run".to_owned()))?;
        let run = Some(ran.report.run.clone());
        Ok((ran, Said { run, complete, gaps, repositories, unmatched, vault }))
    };
    outcome_of(Mode::Release, (Some(path), Shows::ItsOwn), policy, &arguments.run, bar, runner).await
}

/// Says what may go: no run, nothing recorded, and no report of a run.
async fn shown(policy: &Policy, arguments: &ReleaseArguments, bar: &Bar) -> anyhow::Result<Said> {
    if !arguments.run.reports.is_empty() {
        tracing::warn!("--report: without --apply a release is no run, and has no report; `prodpin audit` makes one");
    }
    let mut signals = Signals::listen();
    let run = options(Mode::Audit, policy, &arguments.run, Instant::now(), &signals.stop)?;
    let repositories = wanted(&arguments.repositories)?;
    let (grace, vault) = (arguments.grace, arguments.vault);
    let asked = ReleaseOptions { run, repositories, grace, vault, leaving: false };
    bar.show();
    let released = tokio::select! {
        released = release_pins(policy, &asked, Arc::new(bar.clone())) => released,
        () = signals.overdue() => anyhow::bail!("release was stopped by a signal before it ended; nothing was changed"),
    };
    bar.clear();
    let Released { complete, gaps, repositories, unmatched, vault, .. } = released?;
    Ok(Said { run: None, complete, gaps, repositories, unmatched, vault })
}

/// The same command with `--apply`, as it can be pasted. What a terminal would not show as it is makes none.
/// Where the policy lies is said as in every other command that is shown.
fn again(arguments: &ReleaseArguments) -> Option<String> {
    let ReleaseArguments { repositories, grace, vault, run, .. } = arguments;
    let mut words = vec!["prodpin release".to_owned()];
    for repository in repositories {
        words.push(word(repository)?);
    }
    let mut flag = |name: &str, value: &str| {
        words.push(format!("{name} {}", word(value)?));
        Some(())
    };
    for source in &run.sources {
        flag("--source", source.as_str())?;
    }
    if let Some(shard) = &run.shard {
        flag("--shard", &shard.to_string())?;
    }
    if let Some(ledger) = &run.ledger.ledger {
        flag("--ledger", ledger)?;
    }
    if *grace != SignedDuration::from_hours(24 * 7) {
        let (days, seconds) = (grace.as_secs() / 86_400, grace.as_secs() % 86_400);
        let text = if days > 0 && seconds == 0 { format!("{days}d") } else { format!("{}s", grace.as_secs()) };
        flag("--grace", &text)?;
    }
    if let Some(deadline) = run.deadline {
        flag("--deadline", &format!("{}s", deadline.as_secs().max(1)))?;
    }
    if run.concurrency != 16 {
        flag("--concurrency", &run.concurrency.to_string())?;
    }
    words.extend(vault.then(|| "--vault".to_owned()));
    words.extend(run.adopt.then(|| "--adopt".to_owned()));
    words.push("--apply".to_owned());
    Some(words.join(" "))
}

fn tell(said: &Said, applied: bool, again: &Option<String>, out: &mut dyn Write) -> io::Result<()> {
    for repository in &said.repositories {
        let key = RepositoryKey { source: repository.source.clone(), name: repository.name.clone() };
        writeln!(out, "{}", terminal(&key.to_string()))?;
        for pin in repository.pins.iter().filter(|pin| pin.state != ReleaseState::Kept) {
            one(pin, out)?;
        }
        kept(repository, out)?;
    }
    for missing in &said.unmatched {
        let asked = terminal(&missing.asked);
        writeln!(
            out,
            "no repository that was read is called {asked}{}",
            if applied { ": nothing was removed" } else { "" }
        )?;
    }
    for gap in said.gaps.iter().take(NAMED) {
        writeln!(out, "not read: {}", terminal(&gap.detail))?;
    }
    let count = |state: ReleaseState| {
        let pins = said.repositories.iter().flat_map(|repository| &repository.pins);
        pins.filter(|pin| pin.state == state).count()
    };
    let pinned = said.repositories.iter().any(|repository| !repository.pins.is_empty());
    if applied {
        let (gone, stay) = (count(ReleaseState::Released), count(ReleaseState::Kept));
        let others = [
            (ReleaseState::Gone, "gone already"),
            (ReleaseState::PinnedAgain, "pinned again"),
            (ReleaseState::Failed, "failed"),
            (ReleaseState::NotTried, "not tried"),
        ];
        let others = others.into_iter().map(|(state, word)| (count(state), word)).filter(|(count, _)| *count > 0);
        let others: String = others.map(|(count, word)| format!(", {count} {word}")).collect();
        writeln!(out, "{} released, {stay} {}{others}.", pins(gone), if stay == 1 { "stays" } else { "stay" })?;
    }
    let unchanged = if applied { "" } else { " Nothing was changed or recorded." };
    match (said.complete, pinned, count(ReleaseState::Planned)) {
        (false, ..) if applied => {
            writeln!(out, "Not everything could be read or done: `prodpin report` says what.")
        }
        (false, ..) => {
            writeln!(out, "Not everything could be read, so nothing is known to be free: `prodpin audit` says what.")
        }
        (true, false, _) => writeln!(out, "No pin is there that no rollback target needs.{unchanged}"),
        (true, true, 0) if applied => announced(said, true, out),
        (true, true, 0) => {
            writeln!(out, "No pin may go now.{unchanged}")?;
            announced(said, false, out)
        }
        (true, true, going) => {
            writeln!(out, "{} may go.{unchanged}", pins(going))?;
            match again {
                Some(command) => writeln!(out, "To remove {}: {command}", if going == 1 { "it" } else { "them" }),
                None => writeln!(out, "Give --apply to remove what may go."),
            }
        }
    }
}

/// Of which pins it was not on record yet that nothing needs them, and what puts that on record: from there their grace counts.
fn announced(said: &Said, applied: bool, out: &mut dyn Write) -> io::Result<()> {
    let every = said.repositories.iter().flat_map(|repository| &repository.pins);
    let count = every.filter(|pin| pin.grounds.contains(&Ground::NotOnRecord)).count();
    match (count, applied) {
        (0, _) => Ok(()),
        (_, true) => writeln!(
            out,
            "That nothing needs {} is on record from now on; after the grace period run `prodpin release` again.",
            pins(count)
        ),
        (_, false) => writeln!(
            out,
            "That nothing needs {} is not on record yet: `prodpin audit` records it, and the grace period counts from there.",
            pins(count)
        ),
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
        ReleaseState::Gone => "was gone",
        ReleaseState::Failed => "FAILED",
        ReleaseState::PinnedAgain => "pinned again",
        ReleaseState::NotTried => "not tried",
        ReleaseState::Kept => "stays",
    };
    let mut said = vec![match &pin.kept_by {
        Some(tag) => format!("{} stays, and keeps it", terminal(tag.as_str())),
        None => "part of a release whose pin goes first; a cleanup of untagged manifests may take it then".to_owned(),
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
        let state = match (entry.grounds.is_empty(), vault.released) {
            (false, _) => "stays",
            (true, true) => "left",
            (true, false) => "may leave",
        };
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::arguments::{Cli, Command};
    use super::*;

    fn command(arguments: &[&str]) -> Option<String> {
        let cli = Cli::parse_from([&["prodpin"], arguments].concat());
        let Command::Release(arguments) = cli.command else { panic!("no release") };
        again(&arguments)
    }

    #[test]
    fn the_command_that_removes_has_every_argument_that_was_given() {
        assert_eq!(command(&["release"]).as_deref(), Some("prodpin release --apply"));
        let given = [
            "release",
            "shop/*",
            "--source",
            "shop",
            "--source",
            "b",
            "--grace",
            "36h",
            "--ledger",
            "s3://x/y",
            "--shard",
            "1/3",
            "--vault",
            "--deadline",
            "10m",
        ];
        assert_eq!(
            command(&given).as_deref(),
            Some(
                "prodpin release 'shop/*' --source shop --source b --shard 1/3 --ledger s3://x/y \
                 --grace 129600s --deadline 600s --vault --apply"
            )
        );
        assert_eq!(command(&["release", "a\u{1b}b"]), None, "what a terminal would not show is not offered");
        // What it says is what it reads.
        let words = ["release", "--grace", "129600s", "--deadline", "600s", "--apply"];
        assert!(Cli::try_parse_from([&["prodpin"], &words[..]].concat()).is_ok());
    }
}
