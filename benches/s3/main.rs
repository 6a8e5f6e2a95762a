//! What a whole `audit` of a bucket costs: 1,000,000 versions from canned pages, in many repositories and in one, beside
//! a raw fetch of the same pages, which is the limit. awscli and rclone are measured too where they are installed.
//!
//!     cargo bench --bench s3
//!
//! `PRODPIN_BENCH_VERSIONS` says how many versions (1,000,000), `PRODPIN_BENCH_ROUNDS` how often (3),
//! `PRODPIN_BENCH_LATENCY` how many milliseconds away the network is (0). Ratios within a round are what to compare.

#![expect(clippy::print_stdout, reason = "figures are what this is for")]

mod canned;
#[path = "../inventory/measure.rs"]
mod measure;

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use canned::Estate;
use measure::{Cost, median};

/// What this program is called with to be the raw fetch itself, in a process of its own.
const AS_FETCH: &str = "--fetch-pages";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let Some((AS_FETCH, rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return fetch(rest);
    }
    let versions = setting("PRODPIN_BENCH_VERSIONS", 1_000_000);
    let latency = Duration::from_millis(setting("PRODPIN_BENCH_LATENCY", 0) as u64);
    println!("{:<36} {:>12} {:>12} {:>8}", "", "versions/s", "us/version", "MiB");
    for (repositories, concurrency) in [(100, 1), (100, 8), (1, 1)] {
        let estate = Estate { repositories, versions: versions / repositories, latency };
        println!("{repositories} x {} versions, {concurrency} repositories at once", estate.versions);
        let server = canned::serve(estate)?;
        let (mut audits, mut fetches) = (Vec::new(), Vec::new());
        for _ in 0..setting("PRODPIN_BENCH_ROUNDS", 3) {
            let folder = tempfile::tempdir()?;
            fetches.push(measure::run(env::current_exe()?, fetch_arguments(server, estate), folder.path())?.0);
            audits.push(audit(server, folder.path(), concurrency, versions)?);
        }
        tell("raw fetch", &fetches, versions);
        tell("prodpin audit", &audits, versions);
        others(server, versions)?;
    }
    Ok(())
}

fn setting(name: &str, otherwise: usize) -> usize {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn tell(name: &str, costs: &[Cost], versions: usize) {
    let each = versions as f64;
    println!(
        "  {name:<34} {:>12.0} {:>12.2} {:>8.0}",
        median(costs.iter().map(|cost| each / cost.wall)),
        median(costs.iter().map(|cost| cost.cpu / each * 1e6)),
        median(costs.iter().map(|cost| cost.mebibytes)),
    );
}

fn audit(server: SocketAddr, folder: &Path, concurrency: usize, versions: usize) -> anyhow::Result<Cost> {
    let policy = format!(
        "version: 1\nledger: ./ledger\nsources:\n  bench:\n    s3: bench\n    endpoint: http://{server}\n    \
         region: us-east-1\n    layout: '{{repository}}/{{version}}/b.zip'\nproduction:\n  - tags: ['[0-9]*']\n"
    );
    std::fs::write(folder.join("prodpin.yaml"), policy)?;
    let program = env!("CARGO_BIN_EXE_prodpin");
    let concurrency = concurrency.to_string();
    let arguments = [
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
    let (cost, output) = measure::run("env", arguments, folder)?;
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    anyhow::ensure!(
        report["summary"]["tags"] == versions && report["run"]["complete"] == true,
        "not everything was seen: {}",
        report["summary"]
    );
    Ok(cost)
}

fn fetch_arguments(server: SocketAddr, estate: Estate) -> [String; 4] {
    [AS_FETCH.to_owned(), server.to_string(), estate.repositories.to_string(), estate.versions.to_string()]
}

/// Every page once, one after the other, on one connection, and nothing done with it.
fn fetch(arguments: &[String]) -> anyhow::Result<()> {
    let [server, repositories, versions] = arguments else { anyhow::bail!("expected SERVER REPOSITORIES VERSIONS") };
    let (repositories, versions): (usize, usize) = (repositories.parse()?, versions.parse()?);
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 1 << 20];
    for repository in 0..repositories {
        for page in 0..versions.div_ceil(1000) {
            let marker = match page {
                0 => String::new(),
                page => format!("&key-marker=r{repository:04}/1.{:07}.0/b.zip", page * 1000 - 1),
            };
            write!(stream, "GET /bench?versions&prefix=r{repository:04}/{marker} HTTP/1.1\r\nHost: {server}\r\n\r\n")?;
            let mut had = 0;
            let mut whole = usize::MAX;
            while had < whole {
                let read = stream.read(&mut buffer[had..])?;
                anyhow::ensure!(read > 0, "the server went away");
                had += read;
                if whole == usize::MAX
                    && let Some(end) = buffer[..had].windows(4).position(|bytes| bytes == b"\r\n\r\n")
                {
                    let head = String::from_utf8_lossy(&buffer[..end]);
                    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                    whole = end + 4 + length.unwrap_or_default().parse::<usize>()?;
                }
            }
        }
    }
    Ok(())
}

/// What others take to list the same, where they are installed.
fn others(server: SocketAddr, versions: usize) -> anyhow::Result<()> {
    let endpoint = format!("http://{server}");
    let remote = format!(
        ":s3,provider=Other,access_key_id=bench,secret_access_key=bench,endpoint='{endpoint}',region=us-east-1,\
         versions=true:bench"
    );
    let credentials = ["AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench", "AWS_REGION=us-east-1"];
    let aws = [
        "aws",
        "--endpoint-url",
        &endpoint,
        "s3api",
        "list-object-versions",
        "--bucket",
        "bench",
        "--query",
        "length(Versions)",
    ];
    let rclone = ["rclone", "size", "--fast-list", &remote];
    for command in [&aws[..], &rclone[..]] {
        if std::process::Command::new(command[0]).arg("--version").output().is_err() {
            println!("  {}: left out, it is not installed", command[0]);
            continue;
        }
        let folder = tempfile::tempdir()?;
        let (cost, _) = measure::run("env", credentials.iter().chain(command), folder.path())?;
        tell(command[0], &[cost], versions);
    }
    Ok(())
}
