//! The limit: what asking costs when next to nothing is done with the answers. `wrk` where it is installed, and plain
//! sockets that ask for each path once, as an inventory does.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::measure::{self, Cost};

/// What this program is called with to be the plain generator itself, in a process of its own.
pub(crate) const AS_GENERATOR: &str = "--generate-load";

/// Requests and what they cost.
pub(crate) struct Load {
    pub(crate) requests: f64,
    pub(crate) cost: Cost,
}

/// Without these a registry converts, or says that there is nothing.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// `wrk` on these paths in turn, for two seconds; none where it is not installed. It asks by GET, because it waits for
/// the body that an answer to HEAD announces.
pub(crate) fn wrk(
    server: SocketAddr,
    paths: &[String],
    connections: usize,
    folder: &Path,
) -> anyhow::Result<Option<Load>> {
    if Command::new("wrk").arg("-v").output().is_err() {
        return Ok(None);
    }
    // With one path there is nothing for the script to do for each request, which is as quick as wrk can be.
    let script = match paths {
        [path] => format!("wrk.headers['Accept'] = '{ACCEPT}'\nwrk.path = '{path}'\n"),
        _ => format!(
            "wrk.headers['Accept'] = '{ACCEPT}'\nlocal paths = {{'{}'}}\nlocal n = 0\n\
             request = function() n = n % #paths + 1; return wrk.format('GET', paths[n]) end\n",
            paths.join("','")
        ),
    };
    let file = folder.join("wrk.lua");
    std::fs::write(&file, script)?;
    let arguments = [
        "-t1".to_owned(),
        format!("-c{connections}"),
        "-d2s".to_owned(),
        format!("-s{}", file.display()),
        format!("http://{server}/"),
    ];
    let (cost, output) = measure::run("wrk", &arguments, folder)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(!text.contains("Non-2xx"), "wrk was refused: {text}");
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")).context("wrk tells no rate")?;
    let rate: f64 = rate.trim().parse()?;
    Ok(Some(Load { requests: rate * cost.wall, cost }))
}

/// Plain sockets, one thread, in a process of their own.
pub(crate) fn plain(server: SocketAddr, paths: &[String], connections: usize, folder: &Path) -> anyhow::Result<Load> {
    let file = folder.join("paths");
    std::fs::write(&file, paths.join("\n"))?;
    let arguments =
        [AS_GENERATOR.to_owned(), server.to_string(), connections.to_string(), file.to_string_lossy().into_owned()];
    let (cost, _) = measure::run(std::env::current_exe()?, &arguments, folder)?;
    Ok(Load { requests: paths.len() as f64, cost })
}

/// The generator's own process.
pub(crate) fn generate(arguments: &[String]) -> anyhow::Result<()> {
    let [server, connections, file] = arguments else { anyhow::bail!("expected SERVER CONNECTIONS FILE") };
    let (server, connections): (SocketAddr, usize) = (server.parse()?, connections.parse()?);
    let paths = std::fs::read_to_string(file)?;
    let paths: Vec<&str> = paths.lines().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let share = paths.len().div_ceil(connections).max(1);
        let asked = paths.chunks(share).map(|paths| ask(server, paths));
        futures::future::try_join_all(asked).await.map(drop)
    })
}

async fn ask(server: SocketAddr, paths: &[&str]) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut answer = Vec::with_capacity(4096);
    for path in paths {
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: {server}\r\nAccept: {ACCEPT}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        answer.clear();
        while !answer.ends_with(b"\r\n\r\n") {
            ensure!(stream.read_buf(&mut answer).await? > 0, "the server went away");
        }
        ensure!(answer.starts_with(b"HTTP/1.1 200"), "{path} was refused");
    }
    Ok(())
}
