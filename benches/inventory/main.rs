//! What a whole `audit` costs: list, look up every tag, recall, decide, record. Measured on the program itself as a
//! process of its own, side by side and in turn with a load generator that asks the same server for the same.
//!
//!     cargo bench --bench inventory
//!
//! `PRODPIN_BENCH_ROUNDS` says how often (3), `PRODPIN_BENCH_TAGS` how large the large repository is (20,000),
//! `PRODPIN_BENCH_LATENCY` how many milliseconds away the network is (0). Any argument selects parts by name.
//! `serve` only serves canned answers, of `PRODPIN_BENCH_REPOSITORIES` (1), for a profiler beside it.
//! Rates drift from machine to machine and from day to day: the ratios are what to compare.

#![expect(clippy::print_stdout, reason = "figures are what this is for")]

mod canned;
mod docker;
mod generator;
mod measure;

use std::env;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use canned::Estate;
use generator::Load;
use measure::{Cost, median};

/// Requests in flight, of the program and of those it is compared with.
const CONNECTIONS: usize = 64;

/// Tags pushed to the real registry.
const REAL_TAGS: usize = 3000;

/// Images that skopeo is asked about: it takes a process for each.
const SKOPEO_SAMPLE: usize = 10;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some((generator::AS_GENERATOR, rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return generator::generate(rest);
    }
    let chosen = |part: &str| arguments.is_empty() || arguments.iter().any(|argument| part.contains(argument.as_str()));
    let tags = setting("PRODPIN_BENCH_TAGS", 20_000);
    let latency = Duration::from_millis(setting("PRODPIN_BENCH_LATENCY", 0) as u64);
    if arguments.first().is_some_and(|argument| argument == "serve") {
        let estate = Estate { repositories: setting("PRODPIN_BENCH_REPOSITORIES", 1), tags, latency };
        println!("{}, until interrupted", canned::serve(estate)?);
        loop {
            std::thread::park();
        }
    }
    println!("{:<34} {:>10} {:>10} {:>8} {:>8}", "", "tags/s", "us/tag", "MiB", "x wrk");
    for (part, repositories, tags) in [("one", 1, tags), ("many", 100, 50)] {
        if chosen(part) {
            on_canned_answers(Estate { repositories, tags, latency })?;
        }
    }
    if chosen("real") {
        on_a_real_registry()?;
    }
    Ok(())
}

fn setting(name: &str, otherwise: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn on_canned_answers(estate: Estate) -> anyhow::Result<()> {
    let Estate { repositories, tags, .. } = estate;
    println!("{repositories} x {tags} tags, canned answers, {CONNECTIONS} connections");
    let server = canned::serve(estate)?;
    let paths: Vec<String> = canned::paths(estate).collect();
    in_turn(server, &paths, &paths[..1])
}

fn on_a_real_registry() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(registry) = docker::DockerRegistry::start(folder.path())? else {
        println!("real registry: left out, docker-registry is not installed");
        return Ok(());
    };
    println!("1 x {REAL_TAGS} tags, docker-registry, {CONNECTIONS} connections");
    tokio::runtime::Runtime::new()?.block_on(registry.fill(REAL_TAGS))?;
    let estate = Estate { repositories: 1, tags: REAL_TAGS, latency: Duration::ZERO };
    let paths: Vec<String> = canned::paths(estate).collect();
    in_turn(registry.address, &paths, &paths)?;
    skopeo(registry.address, &paths)
}

/// Each in turn, as often as asked; then medians, and medians of the ratios within a round.
fn in_turn(server: SocketAddr, paths: &[String], wrk_paths: &[String]) -> anyhow::Result<()> {
    let (mut first, mut second, mut plain, mut wrk) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..setting("PRODPIN_BENCH_ROUNDS", 3) {
        let folder = tempfile::tempdir()?;
        let folder = folder.path();
        policy(server, folder)?;
        first.push(audit(folder, paths.len())?);
        wrk.extend(generator::wrk(server, wrk_paths, CONNECTIONS, folder)?);
        let batches = batches(folder)?;
        second.push(audit(folder, paths.len())?);
        anyhow::ensure!(self::batches(folder)? <= batches + 2, "an audit of what is unchanged wrote more than its run");
        plain.push(generator::plain(server, paths, CONNECTIONS, folder)?);
    }
    for (name, loads) in
        [("wrk", &wrk), ("plain sockets", &plain), ("prodpin audit", &first), ("prodpin audit, unchanged", &second)]
    {
        tell(name, loads, &wrk);
    }
    Ok(())
}

fn tell(name: &str, loads: &[Load], wrk: &[Load]) {
    let rate = |load: &Load| load.requests / load.cost.wall;
    let each = |load: &Load| load.cost.cpu / load.requests * 1e6;
    let ratio = median(loads.iter().zip(wrk).map(|(load, wrk)| rate(load) / rate(wrk)));
    println!(
        "  {name:<32} {:>10.0} {:>10.1} {:>8.0} {ratio:>8.2}",
        median(loads.iter().map(rate)),
        median(loads.iter().map(each)),
        median(loads.iter().map(|load| load.cost.mebibytes)),
    );
}

fn policy(server: SocketAddr, folder: &Path) -> anyhow::Result<()> {
    let text = format!(
        "version: 1\nledger: ./ledger\nsources:\n  bench:\n    oci: http://{server}\n    repositories: [bench/*]\n\
         production:\n  - tags: ['[0-9]*']\n"
    );
    Ok(std::fs::write(folder.join("prodpin.yaml"), text)?)
}

/// The program allows itself so many requests for each repository in flight.
const REQUESTS_EACH: usize = 8;

/// The program, from an empty ledger or on what it knows.
fn audit(folder: &Path, tags: usize) -> anyhow::Result<Load> {
    let repositories = (CONNECTIONS / REQUESTS_EACH).to_string();
    let arguments = ["audit", "--quiet", "--concurrency", &repositories, "--format", "json"];
    let (cost, output) = measure::run(env!("CARGO_BIN_EXE_prodpin"), arguments, folder)?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    anyhow::ensure!(
        report["summary"]["tags"] == tags && report["run"]["complete"] == true,
        "not everything was seen: {}",
        report["summary"]
    );
    Ok(Load { requests: tags as f64, cost })
}

/// How many batches the ledger has.
fn batches(folder: &Path) -> anyhow::Result<usize> {
    Ok(std::fs::read_dir(folder.join("ledger/batch"))?.count())
}

/// What looking tags up one by one with skopeo costs.
fn skopeo(server: SocketAddr, paths: &[String]) -> anyhow::Result<()> {
    if std::process::Command::new("skopeo").arg("--version").output().is_err() {
        println!("  skopeo: left out, it is not installed");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let mut total = Cost { wall: 0.0, cpu: 0.0, mebibytes: 0.0 };
    let sample: Vec<&String> = paths.iter().rev().take(SKOPEO_SAMPLE).collect();
    for path in &sample {
        let image = path.replacen("/v2/", "", 1).replacen("/manifests/", ":", 1);
        let image = format!("docker://{server}/{image}");
        let arguments = ["inspect", "--no-tags", "--tls-verify=false", &image];
        let (cost, _) = measure::run("skopeo", arguments, folder.path())?;
        total.wall += cost.wall;
        total.cpu += cost.cpu;
        total.mebibytes = total.mebibytes.max(cost.mebibytes);
    }
    tell("skopeo inspect, one by one", &[Load { requests: sample.len() as f64, cost: total }], &[]);
    Ok(())
}
