//! What a large ledger costs: opening, recalling one repository, committing a run, proving, verifying, in time and in
//! memory.
//!
//!     cargo bench --bench ledger
//!
//! `PRODPIN_BENCH_REPOSITORIES` (10,000) and `PRODPIN_BENCH_EVENTS` (10,000,000) say how large, and
//! `PRODPIN_BENCH_COMMIT` (10,000) how many of the events each run commits: 35,000 runs are a year of one every quarter
//! of an hour. `PRODPIN_BENCH_LEDGER` names a directory that is kept and used again: filling it takes most of the time,
//! and the peaks of memory mean something only where nothing was filled before.

#![expect(clippy::print_stdout, reason = "figures are what this is for")]

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use prodpin::ledger::{Access, Claim, Ledger, Verify};
use prodpin::model::{
    Answers, ArtifactId, Counts, Digest, Entry, Event, Mode, RepositoryKey, RunId, RunRecord, RunScope, Tag,
};
use prodpin::policy::{LedgerLocation, Safeguards};

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

/// What is committed, and in what portions.
struct Plan {
    repositories: u64,
    events: u64,
    /// Events of one run, its record not counted.
    per_commit: u64,
}

impl Plan {
    /// How many events in a row are about one repository: a run sees many changes in few of them.
    fn in_a_row(&self) -> u64 {
        (self.per_commit / 100).max(1)
    }

    fn run(&self, nth: u64) -> anyhow::Result<(RunId, Timestamp)> {
        let run = nth / self.per_commit;
        let at = Timestamp::from_second(1_700_000_000 + 900 * i64::try_from(run)?)?;
        Ok((RunId::new(at, run), at))
    }

    /// The nth event: every repository in turn, its tags in turn, each time at something new.
    fn entry(&self, nth: u64) -> anyhow::Result<Entry> {
        let (turn, within) = (nth / self.in_a_row(), nth % self.in_a_row());
        let (repository, round) = (turn % self.repositories, turn / self.repositories * self.in_a_row() + within);
        let tag: Tag = format!("v{}", round % TAGS).parse()?;
        let artifact = |round: u64| ArtifactId::Manifest(Digest::sha256(format!("{repository} {round}").as_bytes()));
        let event = match round.checked_sub(TAGS) {
            None => Event::TagSeen { tag, artifact: artifact(round), created: None },
            Some(before) => Event::TagMoved { tag, from: artifact(before), to: artifact(round) },
        };
        let (run, at) = self.run(nth)?;
        Ok(Entry { run, at, repository: Some(key(repository)?), event })
    }

    /// What closes the run that the nth event is of.
    fn record(&self, nth: u64, report: &Digest) -> anyhow::Result<Entry> {
        let (run, at) = self.run(nth)?;
        let record = RunRecord {
            id: run.clone(),
            mode: Mode::Enforce,
            started: at,
            finished: at,
            complete: true,
            scope: RunScope::default(),
            policy: Digest::sha256(b"policy"),
            counts: Counts::default(),
            findings: BTreeMap::new(),
            report: report.clone(),
            answers: Answers::default(),
        };
        Ok(Entry { run, at, repository: None, event: Event::Run(Box::new(record)) })
    }

    /// How many of the events are there: every commit holds a record as well.
    fn done(ledger: &Ledger) -> u64 {
        ledger.head().map_or(0, |head| head.size - head.sequence)
    }

    async fn fill(&self, ledger: &Ledger) -> anyhow::Result<()> {
        let report = ledger.put_report(&b"nothing to report\n"[..]).await?;
        let mut done = Self::done(ledger);
        while done < self.events {
            let next = self.events.min(done + self.per_commit);
            let mut entries = (done..next).map(|nth| self.entry(nth)).collect::<anyhow::Result<Vec<_>>>()?;
            entries.push(self.record(done, &report)?);
            ledger.commit(entries).await?;
            done = next;
        }
        Ok(())
    }
}

/// The most memory that this process ever had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn reported(what: &str, began: Instant) {
    println!("{what:<42} {:>10.1} ms   peak {:>5} MiB", began.elapsed().as_secs_f64() * 1000.0, peak());
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let plan = Plan {
        repositories: number("PRODPIN_BENCH_REPOSITORIES", 10_000),
        events: number("PRODPIN_BENCH_EVENTS", 10_000_000),
        per_commit: number("PRODPIN_BENCH_COMMIT", 10_000),
    };
    let Plan { repositories, events, .. } = plan;
    let scratch = tempfile::tempdir()?;
    let kept = env::var_os("PRODPIN_BENCH_LEDGER").map(PathBuf::from);
    let location = LedgerLocation::Directory(kept.unwrap_or_else(|| scratch.path().join("ledger")));
    let write = async || Ledger::open_with(&location, &Safeguards::default(), Access::Write).await;

    let began = Instant::now();
    let ledger = write().await?;
    plan.fill(&ledger).await?;
    drop(ledger);
    reported(&format!("fill: {repositories} repositories, {events} events"), began);
    drop(write().await?);

    let began = Instant::now();
    let ledger = write().await?;
    reported("open", began);
    let began = Instant::now();
    let state = ledger.recall(&key(7.min(repositories - 1))?).await?;
    reported(&format!("recall one of {} tags", state.tags.len()), began);
    let began = Instant::now();
    let done = Plan::done(&ledger);
    let mut entries = (0..100)
        .map(|nth| {
            let new = Event::TagSeen {
                tag: format!("new-{done}").parse()?,
                artifact: Digest::sha256(b"new").into(),
                created: None,
            };
            Ok(Entry { repository: Some(key(nth)?), event: new, ..plan.entry(done)? })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    entries.push(plan.record(done, &Digest::sha256(b"nothing to report\n"))?);
    ledger.commit(entries).await?;
    reported("commit a run: 100 events of 100 repositories", began);
    let began = Instant::now();
    let (run, _) = plan.run(events / 2)?;
    anyhow::ensure!(ledger.find_run(&run).await?.is_some(), "the run in the middle is not there");
    reported("find the run in the middle", began);

    let first = ledger.checkpoint(1).await?.ok_or_else(|| anyhow::anyhow!("no first commit"))?;
    let claim = Claim::parse(&first.note).map_err(anyhow::Error::msg)?;
    let began = Instant::now();
    ledger.since(&claim).await?;
    reported("prove growth since the first commit", began);
    let began = Instant::now();
    ledger.prove_entry(events / 3).await?;
    reported("prove one entry", began);
    let began = Instant::now();
    let found = Ledger::verify(&location, &Verify::default()).await?;
    anyhow::ensure!(found.holds(), "{:?}", found.damage);
    reported("verify everything", began);
    Ok(())
}
