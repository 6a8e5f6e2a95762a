//! What a whole `audit` of a Harbor costs for each artifact: list, read, recall, decide, record, and how many requests that
//! takes. Measured on the program itself as a process of its own, in turn with a client that fetches the same pages and reads
//! nothing of them.
//!
//!     cargo bench --bench harbor
//!
//! `PRODPIN_BENCH_ROUNDS` says how often (3), `PRODPIN_BENCH_REPOSITORIES` how many repositories there are (1,000) and
//! `PRODPIN_BENCH_ARTIFACTS` how many artifacts each of them has (1,000). Rates drift from machine to machine: the ratios, and
//! the requests, are what to compare.

#![expect(clippy::print_stdout, reason = "figures are what this is for")]

mod canned;
#[path = "../inventory/measure.rs"]
mod measure;

use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;

use canned::{Asked, Estate};
use measure::{Cost, median};

/// What this program is called with to be the client that reads nothing.
const AS_FETCHER: &str = "--fetch";

/// Repositories in flight.
const CONCURRENCY: usize = 16;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [first, server, repositories, artifacts] = &arguments[..]
        && first == AS_FETCHER
    {
        let estate = Estate { repositories: repositories.parse()?, artifacts: artifacts.parse()? };
        return canned::fetch(server.parse()?, estate, CONCURRENCY);
    }
    let estate = Estate {
        repositories: setting("PRODPIN_BENCH_REPOSITORIES", 1_000),
        artifacts: setting("PRODPIN_BENCH_ARTIFACTS", 1_000),
    };
    let (server, asked) = canned::serve(estate)?;
    let total = estate.repositories * estate.artifacts;
    println!(
        "{} x {} artifacts, canned pages, {CONCURRENCY} repositories at once",
        estate.repositories, estate.artifacts
    );
    println!("{:<34} {:>10} {:>10} {:>8} {:>9}", "", "artifacts/s", "us/artifact", "MiB", "x fetch");
    let (mut fetched, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setting("PRODPIN_BENCH_ROUNDS", 3) {
        let folder = tempfile::tempdir()?;
        policy(server, folder.path())?;
        let myself = env::current_exe()?;
        let numbers = [estate.repositories, estate.artifacts].map(|number| number.to_string());
        let arguments = [AS_FETCHER.to_owned(), server.to_string()].into_iter().chain(numbers);
        fetched.push(measure::run(myself, arguments, folder.path())?.0);
        reset(&asked);
        first.push(audit(folder.path(), total)?);
        let [pages, others, registry] = reset(&asked);
        println!(
            "  {:<32} {pages} pages, {others} others, {registry} by the registry protocol",
            "requests of one audit"
        );
        second.push(audit(folder.path(), total)?);
    }
    tell("fetched and not read", &fetched, &fetched, total);
    tell("prodpin audit", &first, &fetched, total);
    tell("prodpin audit, unchanged", &second, &fetched, total);
    Ok(())
}

fn setting(name: &str, otherwise: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// What was asked since the last time.
fn reset(asked: &Asked) -> [usize; 3] {
    [&asked.pages, &asked.others, &asked.registry].map(|kind| kind.swap(0, Ordering::Relaxed))
}

fn tell(name: &str, costs: &[Cost], fetched: &[Cost], artifacts: usize) {
    let artifacts = artifacts as f64;
    let ratio = median(costs.iter().zip(fetched).map(|(cost, fetched)| cost.cpu / fetched.cpu));
    println!(
        "  {name:<32} {:>10.0} {:>10.2} {:>8.0} {ratio:>9.1}",
        artifacts / median(costs.iter().map(|cost| cost.wall)),
        median(costs.iter().map(|cost| cost.cpu)) / artifacts * 1e6,
        median(costs.iter().map(|cost| cost.mebibytes)),
    );
}

fn policy(server: SocketAddr, folder: &Path) -> anyhow::Result<()> {
    let text = format!(
        "version: 1\nledger: ./ledger\nsources:\n  bench:\n    harbor: http://{server}\n    repositories: [bench/*]\n    \
         username: bench\n    password: bench\nproduction:\n  - tags: ['[0-9]*']\n"
    );
    Ok(std::fs::write(folder.join("prodpin.yaml"), text)?)
}

/// The program, from an empty ledger or on what it knows.
fn audit(folder: &Path, artifacts: usize) -> anyhow::Result<Cost> {
    let concurrency = CONCURRENCY.to_string();
    let program = env!("CARGO_BIN_EXE_prodpin");
    let command = ["audit", "--quiet", "--concurrency", &concurrency, "--format", "json"];
    let (cost, output) = measure::run(program, command, folder)?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    anyhow::ensure!(
        report["summary"]["artifacts"] == artifacts && report["run"]["complete"] == true,
        "not everything was seen: {}",
        report["summary"]
    );
    Ok(cost)
}
