//! A registry of answers that cost nearly nothing to give, so that what is measured is the client. Tags and manifests
//! follow from numbers; nothing is stored, so a million tags take no memory here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use prodpin::model::Digest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Names of a page, as most registries have it.
const PAGE: usize = 1000;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = r#"{"architecture":"amd64","created":"2026-01-01T00:00:00Z","os":"linux","rootfs":{"type":"layers","diff_ids":[]},"config":{}}"#;
const LAYER: &[u8] = b"the one layer of every image";

/// What there is: `bench/0`, `bench/1`, …, each with tags `1.0.0`, `1.1.0`, ….
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estate {
    pub(crate) repositories: usize,
    pub(crate) tags: usize,
    /// How long the network seems to be.
    pub(crate) latency: Duration,
}

/// Serves an estate from one thread of its own, for as long as this process lives.
pub(crate) fn serve(estate: Estate) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let parts = Arc::new(Parts { config: Digest::sha256(CONFIG.as_bytes()), layer: Digest::sha256(LAYER), estate });
    thread::spawn(move || {
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener)?;
            loop {
                // A client that goes away in the middle has got all that it wanted.
                let (stream, _) = listener.accept().await?;
                tokio::spawn(answer_all(stream, Arc::clone(&parts)));
            }
            #[expect(unreachable_code, reason = "this says what kind of error `?` gives")]
            Ok::<(), io::Error>(())
        })
    });
    Ok(address)
}

/// Every tag's path, in order.
pub(crate) fn paths(estate: Estate) -> impl Iterator<Item = String> {
    (0..estate.repositories).flat_map(move |repository| {
        (0..estate.tags).map(move |tag| format!("/v2/bench/{repository}/manifests/1.{tag}.0"))
    })
}

async fn answer_all(mut stream: TcpStream, parts: Arc<Parts>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut asked, mut answer) = (Vec::with_capacity(4096), Vec::with_capacity(4096));
    loop {
        let Some(end) = asked.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            if stream.read_buf(&mut asked).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let line = asked.split(|byte| *byte == b'\r').next().unwrap_or_default();
        parts.answer(&String::from_utf8_lossy(line), &mut answer);
        asked.drain(..end + 4);
        if !parts.estate.latency.is_zero() {
            tokio::time::sleep(parts.estate.latency).await;
        }
        stream.write_all(&answer).await?;
        answer.clear();
    }
}

struct Parts {
    config: Digest,
    layer: Digest,
    estate: Estate,
}

impl Parts {
    /// The answer to a request by its first line.
    fn answer(&self, line: &str, answer: &mut Vec<u8>) {
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let head = method == "HEAD";
        if path == "/v2/" {
            return write(answer, "application/json", "", "{}", head);
        }
        if path == "/v2/_catalog" {
            let names: Vec<String> = (0..self.estate.repositories).map(|n| format!("\"bench/{n}\"")).collect();
            return write(answer, "application/json", "", format!("{{\"repositories\":[{}]}}", names.join(",")), head);
        }
        if let Some(repository) = path.strip_suffix("/tags/list") {
            return self.tags(repository, query, answer);
        }
        if let Some((_, digest)) = path.rsplit_once("/blobs/") {
            let bytes = if digest.parse() == Ok(self.layer.clone()) { LAYER } else { CONFIG.as_bytes() };
            return write(answer, "application/octet-stream", "", bytes, head);
        }
        let manifest = path.rsplit_once("/manifests/").and_then(|(repository, name)| self.manifest(repository, name));
        match manifest {
            Some(manifest) => {
                let digest = Digest::sha256(manifest.as_bytes());
                // What a Docker registry sends with it.
                let more = format!(
                    "Docker-Content-Digest: {digest}\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\
                     Etag: \"{digest}\"\r\nX-Content-Type-Options: nosniff\r\n\
                     Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
                );
                write(answer, IMAGE, &more, manifest, head);
            }
            None => {
                let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#;
                let status = "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n";
                answer.extend(format!("{status}Content-Length: {}\r\n\r\n", body.len()).bytes());
                answer.extend(body.bytes().filter(|_| !head));
            }
        }
    }

    fn tags(&self, repository: &str, query: &str, answer: &mut Vec<u8>) {
        let last = query.split('&').find_map(|pair| number(pair.strip_prefix("last=")?));
        let from = last.map_or(0, |last| last + 1);
        let to = (from + PAGE).min(self.estate.tags);
        let names: Vec<String> = (from..to).map(|n| format!("\"1.{n}.0\"")).collect();
        let link = match to < self.estate.tags {
            true => format!("Link: <{repository}/tags/list?last=1.{}.0&n={PAGE}>; rel=\"next\"\r\n", to - 1),
            false => String::new(),
        };
        write(answer, "application/json", &link, format!("{{\"tags\":[{}]}}", names.join(",")), false);
    }

    fn manifest(&self, repository: &str, name: &str) -> Option<String> {
        match name.parse::<Digest>() {
            Ok(digest) => {
                // Asked for by digest are the latest few, so looking for them from the end is quick.
                let manifests = (0..self.estate.tags).rev().map(|tag| self.image(repository, tag));
                manifests.into_iter().find(|manifest| digest.matches(manifest.as_bytes()))
            }
            Err(_) => number(name).filter(|tag| *tag < self.estate.tags).map(|tag| self.image(repository, tag)),
        }
    }

    fn image(&self, repository: &str, tag: usize) -> String {
        let descriptor = |media_type: &str, digest: &Digest, size: usize| {
            format!(r#"{{"mediaType":"application/vnd.oci.image.{media_type}","digest":"{digest}","size":{size}}}"#)
        };
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{},"layers":[{}],"annotations":{{"tag":"{repository}:{tag}"}}}}"#,
            descriptor("config.v1+json", &self.config, CONFIG.len()),
            descriptor("layer.v1.tar", &self.layer, LAYER.len()),
        )
    }
}

/// The number in `1.NUMBER.0`.
fn number(tag: &str) -> Option<usize> {
    tag.strip_prefix("1.")?.strip_suffix(".0")?.parse().ok()
}

fn write(answer: &mut Vec<u8>, media_type: &str, more: &str, body: impl AsRef<[u8]>, head: bool) {
    let body = body.as_ref();
    let status = format!("HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n", body.len());
    answer.extend([status.as_bytes(), more.as_bytes(), b"\r\n"].concat());
    if !head {
        answer.extend_from_slice(body);
    }
}
