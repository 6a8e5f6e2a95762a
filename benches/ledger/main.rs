//! What a large ledger costs: opening, recalling one repository, committing a run, proving, verifying, in time and in
//! memory.
//!
//!     cargo bench --bench ledger
//!
//! `PRODPIN_BENCH_REPOSITORIES` (10,000) and `PRODPIN_BENCH_EVENTS` (10,000,000) say how large; `PRODPIN_BENCH_LEDGER`
//! names a directory that is kept and used again. Filling it takes most of the time.

#![expect(clippy::print_stdout, reason = "figures are what this is for")]

use std::env;
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use prodpin::ledger::{Access, Claim, Ledger, Verify};
use prodpin::model::{ArtifactId, Digest, Entry, Event, RepositoryKey, RunId, Tag};
use prodpin::policy::{LedgerLocation, Safeguards};

/// As many as a run commits at once.
const PER_COMMIT: u64 = 10_000;

/// A repository's tags: so many are there, and they move.
const TAGS: u64 = 50;

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn key(repository: u64) -> anyhow::Result<RepositoryKey> {
    Ok(RepositoryKey {
        source: "bench".parse()?,
        name: format!("team-{}/service-{repository}", repository % 97).parse()?,
    })
}

/// The nth event: every repository in turn, its tags in turn, each time at something new.
fn entry(nth: u64, repositories: u64) -> anyhow::Result<Entry> {
    let (repository, round) = (nth % repositories, nth / repositories);
    let tag: Tag = format!("v{}", round % TAGS).parse()?;
    let artifact = |round: u64| ArtifactId::Manifest(Digest::of(format!("{repository} {round}").as_bytes()));
    let event = match round.checked_sub(TAGS) {
        None => Event::TagSeen { tag, artifact: artifact(round), created: None },
        Some(before) => Event::TagMoved { tag, from: artifact(before), to: artifact(round) },
    };
    let at = Timestamp::from_second(1_700_000_000 + i64::try_from(nth / 1000)?)?;
    Ok(Entry { run: RunId::new(at, nth / PER_COMMIT), at, repository: Some(key(repository)?), event })
}

/// The most memory that this process ever had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn told(what: &str, began: Instant) {
    println!("{what:<42} {:>10.1} ms   peak {:>5} MiB", began.elapsed().as_secs_f64() * 1000.0, peak());
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (repositories, events) =
        (number("PRODPIN_BENCH_REPOSITORIES", 10_000), number("PRODPIN_BENCH_EVENTS", 10_000_000));
    let scratch = tempfile::tempdir()?;
    let kept = env::var_os("PRODPIN_BENCH_LEDGER").map(PathBuf::from);
    let location = LedgerLocation::Directory(kept.unwrap_or_else(|| scratch.path().join("ledger")));
    let write = async || Ledger::open_with(&location, &Safeguards::default(), Access::Write).await;

    let began = Instant::now();
    let ledger = write().await?;
    let mut done = ledger.head().map_or(0, |head| head.size);
    while done < events {
        let entries = (done..events.min(done + PER_COMMIT)).map(|nth| entry(nth, repositories));
        done = ledger.commit(entries.collect::<anyhow::Result<_>>()?).await?.size;
    }
    drop(ledger);
    told(&format!("fill: {repositories} repositories, {events} events"), began);
    drop(write().await?);

    let began = Instant::now();
    let ledger = write().await?;
    told("open", began);
    let began = Instant::now();
    let state = ledger.recall(&key(repositories / 2)?).await?;
    told(&format!("recall one of {} tags", state.tags.len()), began);
    let began = Instant::now();
    let entries = (done..done + 100).map(|nth| entry(nth, repositories)).collect::<anyhow::Result<_>>()?;
    ledger.commit(entries).await?;
    told("commit 100 events of 100 repositories", began);

    let first = ledger.checkpoint(1).await?.ok_or_else(|| anyhow::anyhow!("no first commit"))?;
    let claim = Claim::parse(&first.note).map_err(anyhow::Error::msg)?;
    let began = Instant::now();
    ledger.since(&claim).await?;
    told("prove growth since the first commit", began);
    let began = Instant::now();
    ledger.prove_entry(events / 3).await?;
    told("prove one entry", began);
    let began = Instant::now();
    let found = Ledger::verify(&location, &Verify::default()).await?;
    anyhow::ensure!(found.holds(), "{:?}", found.damage);
    told("verify everything", began);
    Ok(())
}
