//! A real registry (Debian's `docker-registry`) on a free port, filled with small images.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use prodpin::model::Digest;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use serde_json::json;

/// A running registry; it ends when this is dropped.
pub(crate) struct DockerRegistry {
    pub(crate) address: SocketAddr,
    process: Child,
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl DockerRegistry {
    /// Starts a registry with its storage in this folder; none where it is not installed.
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Option<Self>> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let config = json!({
            "version": "0.1",
            "log": { "level": "error", "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": folder.join("storage") } },
            "http": { "addr": address.to_string() },
        });
        let file = folder.join("registry.yml");
        // JSON is YAML.
        std::fs::write(&file, config.to_string())?;
        let started = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = started else { return Ok(None) };
        let registry = Self { address, process };
        for _ in 0..100 {
            if TcpStream::connect(address).is_ok() {
                return Ok(Some(registry));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        anyhow::bail!("docker-registry does not listen at {address}")
    }

    /// Pushes an image under each of these tags of `bench/0`, each with bytes of its own.
    pub(crate) async fn fill(&self, tags: usize) -> anyhow::Result<()> {
        let http = &reqwest::Client::builder().no_proxy().build()?;
        let (config, layer) = (br#"{"architecture":"amd64","os":"linux"}"#.as_slice(), b"a layer".as_slice());
        self.upload(http, config).await?;
        self.upload(http, layer).await?;
        let put = |tag: usize| async move {
            let descriptor = |media_type: &str, bytes: &[u8]| json!({ "mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len() });
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": descriptor("application/vnd.oci.image.config.v1+json", config),
                "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
                "annotations": { "tag": tag.to_string() },
            });
            let request = http
                .put(format!("http://{}/v2/bench/0/manifests/1.{tag}.0", self.address))
                .header(CONTENT_TYPE, "application/vnd.oci.image.manifest.v1+json")
                .body(manifest.to_string());
            request.send().await?.error_for_status()?;
            anyhow::Ok(())
        };
        futures::stream::iter(0..tags).map(put).buffer_unordered(16).try_collect().await
    }

    async fn upload(&self, http: &reqwest::Client, bytes: &[u8]) -> anyhow::Result<()> {
        let opened = http.post(format!("http://{}/v2/bench/0/blobs/uploads/", self.address)).send().await?;
        let location = opened.headers().get(LOCATION).context("an upload without Location")?.to_str()?;
        let mut target: reqwest::Url = location.parse()?;
        target.query_pairs_mut().append_pair("digest", &Digest::sha256(bytes).to_string());
        let stored = http.put(target).body(bytes.to_vec()).send().await?;
        ensure!(stored.status().is_success(), "a blob was refused: {}", stored.status());
        Ok(())
    }
}
