//! ECR's answers, made before they are asked for, so that what is measured is the client. Every repository holds the
//! same images, so that a million of them take the memory of one page.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use prodpin::model::Digest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const ACCOUNT: &str = "111122223333";

const PAGE: usize = 1_000;
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER: &[u8] = b"the one layer of every image";

/// What there is: `bench/0`, `bench/1`, …, each with images tagged `1.0.0`, `1.1.0`, ….
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estate {
    pub(crate) repositories: usize,
    pub(crate) images: usize,
}

struct Canned {
    estate: Estate,
    /// Pages of `DescribeImages`.
    pages: Vec<String>,
    /// By digest: the row, and the manifest.
    images: HashMap<String, (Value, String)>,
}

/// Serves an estate from one thread of its own, for as long as this process lives.
pub(crate) fn serve(estate: Estate) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let canned = Arc::new(Canned::new(estate));
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
    Ok(address)
}

async fn answer_all(mut stream: TcpStream, canned: Arc<Canned>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut asked = Vec::with_capacity(4096);
    loop {
        let Some(head) = asked.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4) else {
            if stream.read_buf(&mut asked).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let headers = String::from_utf8_lossy(&asked[..head]).to_ascii_lowercase();
        let header = |name: &str| headers.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
        let length: usize = header("content-length:").and_then(|length| length.parse().ok()).unwrap_or_default();
        let target =
            header("x-amz-target:").and_then(|target| target.rsplit('.').next()).unwrap_or_default().to_owned();
        while asked.len() < head + length {
            if stream.read_buf(&mut asked).await? == 0 {
                return Ok(());
            }
        }
        let input = serde_json::from_slice(&asked[head..head + length]).unwrap_or_default();
        asked.drain(..head + length);
        let (status, body) = canned.answer(&target, &input);
        let head = format!(
            "HTTP/1.1 {status} x\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
    }
}

impl Canned {
    fn new(estate: Estate) -> Self {
        let layer = json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar", "size": LAYER.len(),
            "digest": Digest::sha256(LAYER).to_string() });
        let mut rows = Vec::with_capacity(estate.images);
        let mut images = HashMap::new();
        for number in 0..estate.images {
            let mut config = layer.clone();
            config["mediaType"] = "application/vnd.oci.image.config.v1+json".into();
            let manifest = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [layer],
                "annotations": { "number": number.to_string() } })
            .to_string();
            let digest = Digest::sha256(manifest.as_bytes()).to_string();
            // What ECR tells of an image, field by field.
            let row = json!({
                "registryId": ACCOUNT,
                "repositoryName": "bench/0",
                "imageDigest": digest,
                "imageTags": [format!("1.{number}.0"), format!("build-{number}")],
                "imageSizeInBytes": 52_428_800,
                "imagePushedAt": 1_750_000_000.25 + number as f64,
                "imageManifestMediaType": IMAGE,
                "artifactMediaType": "application/vnd.oci.image.config.v1+json",
                "lastRecordedPullTime": 1_760_000_000.5,
                "imageStatus": "ACTIVE",
            });
            rows.push(row.clone());
            images.insert(digest, (row, manifest));
        }
        let mut pages: Vec<String> = Vec::new();
        let chunks: Vec<&[Value]> = rows.chunks(PAGE).collect();
        for (at, chunk) in chunks.iter().enumerate() {
            let mut page = json!({ "imageDetails": chunk });
            if at + 1 < chunks.len() {
                page["nextToken"] = (at + 1).to_string().into();
            }
            pages.push(page.to_string());
        }
        Self { estate, pages, images }
    }

    fn answer(&self, target: &str, input: &Value) -> (u16, String) {
        let place = || input["nextToken"].as_str().and_then(|token| token.parse::<usize>().ok()).unwrap_or_default();
        let error = |code: &str| (400, json!({ "__type": code, "message": "canned" }).to_string());
        match target {
            "describerepositories" => {
                let end = (place() + PAGE).min(self.estate.repositories);
                let rows = (place()..end).map(|number| {
                    json!({ "registryId": ACCOUNT, "repositoryName": format!("bench/{number}"),
                        "imageTagMutability": "IMMUTABLE" })
                });
                let mut page = json!({ "repositories": rows.collect::<Vec<_>>() });
                if end < self.estate.repositories {
                    page["nextToken"] = end.to_string().into();
                }
                (200, page.to_string())
            }
            "describeimages" => match input["imageIds"][0]["imageDigest"].as_str() {
                Some(digest) => match self.images.get(digest) {
                    Some((row, _)) => (200, json!({ "imageDetails": [row] }).to_string()),
                    None => error("ImageNotFoundException"),
                },
                None if input["imageIds"].is_array() => error("ImageNotFoundException"),
                None => (200, self.pages.get(place()).cloned().unwrap_or_default()),
            },
            "batchgetimage" => {
                let digest = input["imageIds"][0]["imageDigest"].as_str().unwrap_or_default();
                let Some((_, manifest)) = self.images.get(digest) else { return error("ServerException") };
                let image = json!({ "imageId": { "imageDigest": digest }, "imageManifest": manifest,
                    "imageManifestMediaType": IMAGE });
                (200, json!({ "images": [image], "failures": [] }).to_string())
            }
            "batchchecklayeravailability" => {
                let layers = input["layerDigests"].as_array().into_iter().flatten().map(|digest| {
                    json!({ "layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": LAYER.len() })
                });
                (200, json!({ "layers": layers.collect::<Vec<_>>(), "failures": [] }).to_string())
            }
            "getlifecyclepolicy" => error("LifecyclePolicyNotFoundException"),
            "getrepositorypolicy" => error("RepositoryPolicyNotFoundException"),
            _ => error("AccessDeniedException"),
        }
    }
}

/// Fetches every first page by plain sockets and reads nothing of it but its length: the limit.
pub(crate) fn fetch(server: SocketAddr, repositories: usize, concurrency: usize) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let shares = (0..concurrency).map(|share| fetch_share(server, (share..repositories).step_by(concurrency)));
        futures::future::try_join_all(shares).await.map(drop)
    })
}

async fn fetch_share(server: SocketAddr, share: impl Iterator<Item = usize>) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    let mut answer = Vec::with_capacity(1 << 20);
    for number in share {
        let body = json!({ "repositoryName": format!("bench/{number}"), "maxResults": PAGE }).to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: bench\r\nX-Amz-Target: AmazonEC2ContainerRegistry_V20150921.DescribeImages\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
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
    Ok(())
}
