//! Harbor's answers, made before they are asked for, so that what is measured is the client. Every repository holds the same
//! artifacts, so that a million of them take the memory of one repository's pages.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use prodpin::model::Digest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The most that Harbor takes.
const PAGE: usize = 100;
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const NEVER: &str = "0001-01-01T00:00:00.000Z";
const LAYER: &[u8] = b"the one layer of every image";
const PROJECT: &str = "/api/v2.0/projects/bench";

/// What there is: `bench/service-0`, `bench/service-1`, …, each with artifacts tagged `1.0.0`, `1.1.0`, ….
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estate {
    pub(crate) repositories: usize,
    pub(crate) artifacts: usize,
}

/// What was asked.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// Pages of artifacts.
    pub(crate) pages: AtomicUsize,
    /// Everything else of Harbor's API.
    pub(crate) others: AtomicUsize,
    /// By the registry protocol.
    pub(crate) registry: AtomicUsize,
}

struct Canned {
    estate: Estate,
    asked: Arc<Asked>,
    pages: Vec<String>,
    /// By digest and by tag: the digest, the manifest, and the list of its tags.
    images: HashMap<String, Arc<(String, String, String)>>,
}

struct Answer {
    status: u16,
    media_type: &'static str,
    headers: String,
    body: String,
}

/// Serves an estate from one thread of its own, for as long as this process lives.
pub(crate) fn serve(estate: Estate) -> io::Result<(SocketAddr, Arc<Asked>)> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let canned = Arc::new(Canned::new(estate));
    let asked = Arc::clone(&canned.asked);
    thread::spawn(move || {
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener)?;
            loop {
                // A client that goes away in the middle has got all that it wanted.
                let (stream, _) = listener.accept().await?;
                tokio::spawn(answer_all(stream, Arc::clone(&canned)));
            }
            #[expect(unreachable_code, reason = "this says what kind of error `?` gives")]
            Ok::<(), io::Error>(())
        })
    });
    Ok((address, asked))
}

async fn answer_all(mut stream: TcpStream, canned: Arc<Canned>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut asked = Vec::with_capacity(4096);
    loop {
        let Some(end) = asked.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            if stream.read_buf(&mut asked).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let line = asked.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        asked.drain(..end + 4);
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let Answer { status, media_type, headers, body } = canned.answer(target);
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        if method != "HEAD" {
            stream.write_all(body.as_bytes()).await?;
        }
    }
}

impl Canned {
    fn new(estate: Estate) -> Self {
        let layer = json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "size": LAYER.len(),
            "digest": Digest::sha256(LAYER).to_string() });
        let mut rows = Vec::with_capacity(estate.artifacts);
        let mut images = HashMap::new();
        for number in 0..estate.artifacts {
            let mut config = layer.clone();
            config["mediaType"] = "application/vnd.oci.image.config.v1+json".into();
            let manifest = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [layer],
                "annotations": { "number": number.to_string() } })
            .to_string();
            let digest = Digest::sha256(manifest.as_bytes()).to_string();
            let pushed =
                format!("2026-01-{:02}T{:02}:{:02}:00.250Z", 1 + number / 1440 % 28, number / 60 % 24, number % 60);
            let names = [format!("1.{number}.0"), format!("build-{number}")];
            let tags: Vec<Value> = names.iter().map(|name| tag(name, number, &pushed)).collect();
            rows.push(row(number, &digest, &pushed, &tags));
            let image = Arc::new((digest.clone(), manifest, Value::Array(tags).to_string()));
            images.extend([digest].into_iter().chain(names).map(|name| (name, Arc::clone(&image))));
        }
        let pages = rows.chunks(PAGE).map(|rows| Value::from(rows).to_string()).collect();
        Self { estate, asked: Arc::default(), pages, images }
    }

    fn answer(&self, target: &str) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let page = query.split('&').find_map(|pair| pair.strip_prefix("page=")?.parse::<usize>().ok()).unwrap_or(1);
        let kind = match path {
            _ if !path.starts_with("/api/") => &self.asked.registry,
            _ if path.ends_with("/artifacts") => &self.asked.pages,
            _ => &self.asked.others,
        };
        kind.fetch_add(1, Ordering::Relaxed);
        let last = path.rsplit('/').next().unwrap_or_default();
        match path.strip_prefix(PROJECT) {
            Some("") => {
                document(json!({ "name": "bench", "project_id": 1, "metadata": { "public": "false" } }).to_string())
            }
            Some("/immutabletagrules") => listed("[]", 0, false),
            Some("/repositories") => self.repositories(page),
            Some(rest) if rest.ends_with("/artifacts") => {
                let rows = self.pages.get(page - 1).map_or("[]", String::as_str);
                listed(rows, self.estate.artifacts, page < self.pages.len())
            }
            Some(rest) if rest.ends_with("/tags") => match self.image(rest.rsplit('/').nth(1)) {
                Some(image) => listed(&image.2, 2, false),
                None => missing(),
            },
            Some(_) => missing(),
            None => match path {
                "/api/v2.0/systeminfo" => document(
                    json!({ "harbor_version": "v2.15.2-080b0220", "read_only": false, "external_url": "http://bench" })
                        .to_string(),
                ),
                "/api/v2.0/system/gc/schedule" => document(String::new()),
                "/api/v2.0/replication/policies" => listed("[]", 0, false),
                "/api/v2.0/projects" => listed(&json!([{ "name": "bench", "project_id": 1 }]).to_string(), 1, false),
                "/v2/" => document("{}".to_owned()),
                _ if path.contains("/manifests/") => match self.image(Some(last)) {
                    Some(image) => Answer {
                        status: 200,
                        media_type: IMAGE,
                        headers: format!("Docker-Content-Digest: {}\r\n", image.0),
                        body: image.1.clone(),
                    },
                    None => missing(),
                },
                _ if path.contains("/blobs/") => Answer {
                    status: 200,
                    media_type: "application/octet-stream",
                    headers: String::new(),
                    body: String::from_utf8_lossy(LAYER).into_owned(),
                },
                _ => missing(),
            },
        }
    }

    fn image(&self, name: Option<&str>) -> Option<&Arc<(String, String, String)>> {
        self.images.get(&name?.replace("%3A", ":"))
    }

    fn repositories(&self, page: usize) -> Answer {
        let end = (page * PAGE).min(self.estate.repositories);
        let rows = ((page - 1) * PAGE..end).map(|number| {
            json!({ "name": format!("bench/service-{number}"), "artifact_count": self.estate.artifacts, "project_id": 1 })
        });
        listed(&Value::from_iter(rows).to_string(), self.estate.repositories, end < self.estate.repositories)
    }
}

/// What Harbor tells of an artifact, field by field.
fn row(number: usize, digest: &str, pushed: &str, tags: &[Value]) -> Value {
    json!({
        "accessories": null, "artifact_type": "application/vnd.oci.image.config.v1+json", "digest": digest,
        "icon": "sha256:0048162a053eef4d4ce3fe7518615bef084403614f8bca43b40ae2e762e11e06", "id": number, "labels": null,
        "manifest_media_type": IMAGE, "media_type": "application/vnd.oci.image.config.v1+json", "project_id": 1,
        "pull_time": NEVER, "push_time": pushed, "references": null, "repository_id": 1, "repository_name": "bench/service-0",
        "size": 52_428_800, "tags": tags, "type": "IMAGE",
        "extra_attrs": { "architecture": "amd64", "author": null, "os": "linux", "config": {} },
        "addition_links": { "build_history": { "absolute": false, "href": "/api/v2.0/projects/bench/additions/build_history" } },
    })
}

fn tag(name: &str, number: usize, pushed: &str) -> Value {
    json!({ "artifact_id": number, "id": number, "immutable": false, "name": name, "pull_time": NEVER, "push_time": pushed,
        "repository_id": 1 })
}

fn document(body: String) -> Answer {
    Answer { status: 200, media_type: "application/json", headers: String::new(), body }
}

fn listed(body: &str, total: usize, has_next: bool) -> Answer {
    let next = if has_next { "Link: </next>; rel=\"next\"\r\n" } else { "" };
    Answer { headers: format!("X-Total-Count: {total}\r\n{next}"), ..document(body.to_owned()) }
}

fn missing() -> Answer {
    let body = json!({ "errors": [{ "code": "NOT_FOUND", "message": "not found" }] }).to_string();
    Answer { status: 404, ..document(body) }
}

/// Fetches every page of artifacts by plain sockets and reads nothing of it but its length: the limit.
pub(crate) fn fetch(server: SocketAddr, estate: Estate, concurrency: usize) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let shares = (0..concurrency)
            .map(|share| fetch_share(server, estate, (share..estate.repositories).step_by(concurrency)));
        futures::future::try_join_all(shares).await.map(drop)
    })
}

async fn fetch_share(server: SocketAddr, estate: Estate, share: impl Iterator<Item = usize>) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    let mut answer = Vec::with_capacity(1 << 18);
    for number in share {
        for page in 1..=estate.artifacts.div_ceil(PAGE) {
            let head = format!(
                "GET {PROJECT}/repositories/service-{number}/artifacts?page={page}&page_size={PAGE} HTTP/1.1\r\nHost: \
                 bench\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            answer.clear();
            let mut whole = usize::MAX;
            while answer.len() < whole {
                anyhow::ensure!(stream.read_buf(&mut answer).await? > 0, "the server went away");
                if whole == usize::MAX
                    && let Some(at) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")
                {
                    let head = String::from_utf8_lossy(&answer[..at]).to_ascii_lowercase();
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                    whole = at + 4 + length.unwrap_or_default().trim().parse::<usize>()?;
                }
            }
        }
    }
    Ok(())
}
