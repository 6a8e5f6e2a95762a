//! What a whole `audit` of an ECR registry costs for each image: list, read, recall, decide, record. Measured on the
//! program itself as a process of its own, in turn with a client that fetches the same pages and reads nothing of them.
//!
//!     cargo bench --bench ecr
//!
//! `PRODPIN_BENCH_ROUNDS` says how often (3), `PRODPIN_BENCH_REPOSITORIES` how many repositories there are (1,000) and
//! `PRODPIN_BENCH_IMAGES` how many images each of them has (1,000). Any argument is a name of something else that looks
//! at images, run once if it is installed: `aws`. Rates drift from machine to machine: the ratios are what to compare.

#![expect(clippy::print_stdout, reason = "figures are what this is for")]

mod canned;
#[path = "../inventory/measure.rs"]
mod measure;

use std::env;
use std::net::SocketAddr;
use std::path::Path;

use canned::Estate;
use measure::{Cost, median};

/// What this program is called with to be the client that reads nothing.
const AS_FETCHER: &str = "--fetch";

/// Repositories in flight.
const CONCURRENCY: usize = 16;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [first, server, repositories] = &arguments[..]
        && first == AS_FETCHER
    {
        return canned::fetch(server.parse()?, repositories.parse()?, CONCURRENCY);
    }
    let estate = Estate {
        repositories: setting("PRODPIN_BENCH_REPOSITORIES", 1_000),
        images: setting("PRODPIN_BENCH_IMAGES", 1_000),
    };
    let server = canned::serve(estate)?;
    let total = estate.repositories * estate.images;
    println!("{} x {} images, canned pages, {CONCURRENCY} repositories at once", estate.repositories, estate.images);
    println!("{:<34} {:>10} {:>10} {:>8} {:>9}", "", "images/s", "us/image", "MiB", "x fetch");
    let (mut fetched, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setting("PRODPIN_BENCH_ROUNDS", 3) {
        let folder = tempfile::tempdir()?;
        policy(server, folder.path())?;
        let myself = env::current_exe()?;
        let arguments = [AS_FETCHER.to_owned(), server.to_string(), estate.repositories.to_string()];
        fetched.push(measure::run(myself, arguments, folder.path())?.0);
        first.push(audit(folder.path(), total)?);
        second.push(audit(folder.path(), total)?);
    }
    tell("fetched and not read", &fetched, &fetched, total);
    tell("prodpin audit", &first, &fetched, total);
    tell("prodpin audit, unchanged", &second, &fetched, total);
    if arguments.iter().any(|argument| argument == "aws") {
        awscli(server, &fetched, estate.images)?;
    }
    Ok(())
}

fn setting(name: &str, otherwise: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn tell(name: &str, costs: &[Cost], fetched: &[Cost], images: usize) {
    let images = images as f64;
    let ratio = median(costs.iter().zip(fetched).map(|(cost, fetched)| cost.cpu / fetched.cpu));
    println!(
        "  {name:<32} {:>10.0} {:>10.2} {:>8.0} {ratio:>9.1}",
        images / median(costs.iter().map(|cost| cost.wall)),
        median(costs.iter().map(|cost| cost.cpu)) / images * 1e6,
        median(costs.iter().map(|cost| cost.mebibytes)),
    );
}

fn policy(server: SocketAddr, folder: &Path) -> anyhow::Result<()> {
    let text = format!(
        "version: 1\nledger: ./ledger\nsources:\n  bench:\n    ecr: {{ region: eu-west-1, registry: \"{}\", endpoint: \
         \"http://{server}\" }}\n    repositories: [bench/*]\nproduction:\n  - tags: ['[0-9]*']\n",
        canned::ACCOUNT
    );
    Ok(std::fs::write(folder.join("prodpin.yaml"), text)?)
}

/// The program, from an empty ledger or on what it knows.
fn audit(folder: &Path, images: usize) -> anyhow::Result<Cost> {
    let concurrency = CONCURRENCY.to_string();
    let program = env!("CARGO_BIN_EXE_prodpin");
    let command = [
        "AWS_ACCESS_KEY_ID=bench",
        "AWS_SECRET_ACCESS_KEY=bench",
        program,
        "audit",
        "--quiet",
        "--concurrency",
        &concurrency,
        "--format",
        "json",
    ];
    let (cost, output) = measure::run("env", command, folder)?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    anyhow::ensure!(
        report["summary"]["artifacts"] == images && report["run"]["complete"] == true,
        "not everything was seen: {}",
        report["summary"]
    );
    Ok(cost)
}

/// One repository by the AWS command line, which decides nothing about it.
fn awscli(server: SocketAddr, fetched: &[Cost], images: usize) -> anyhow::Result<()> {
    if std::process::Command::new("aws").arg("--version").output().is_err() {
        println!("  aws: left out, it is not installed");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let endpoint = format!("http://{server}");
    let command = [
        "AWS_ACCESS_KEY_ID=bench",
        "AWS_SECRET_ACCESS_KEY=bench",
        "aws",
        "ecr",
        "describe-images",
        "--region",
        "eu-west-1",
        "--repository-name",
        "bench/0",
        "--endpoint-url",
        &endpoint,
        "--output",
        "json",
    ];
    let (cost, _) = measure::run("env", command, folder.path())?;
    tell("aws ecr describe-images", &[cost], fetched, images);
    Ok(())
}
