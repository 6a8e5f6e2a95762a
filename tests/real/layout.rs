//! An OCI layout on disk, built with umoci and pushed with skopeo: what a build pipeline does.

use std::fs;
use std::path::Path;
use std::process::Command;

use prodpin::model::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::servers::Server;

/// A layout that is removed at the end.
pub(crate) struct Layout {
    folder: TempDir,
}

/// One manifest of a layout.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) digest: Digest,
    architecture: &'static str,
    size: u64,
}

impl Layout {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let layout = Self { folder };
        run("umoci", &["init", "--layout", &layout.path()]);
        layout
    }

    fn path(&self) -> String {
        self.folder.path().join("layout").to_str().expect("a plain path").to_owned()
    }

    fn blob(&self, digest: &Digest) -> std::path::PathBuf {
        Path::new(&self.path()).join("blobs").join(digest.algorithm()).join(digest.hex())
    }

    /// The exact bytes of a manifest.
    pub(crate) fn bytes(&self, digest: &Digest) -> Vec<u8> {
        fs::read(self.blob(digest)).expect("a manifest of the layout")
    }

    /// Builds an image with one file in one compressed layer.
    pub(crate) fn image(&self, tag: &str, text: &str, architecture: &'static str) -> Built {
        let image = format!("{}:{tag}", self.path());
        let file = self.folder.path().join("file");
        fs::write(&file, text).expect("a file");
        run("umoci", &["new", "--image", &image]);
        run("umoci", &["insert", "--rootless", "--image", &image, file.to_str().expect("a plain path"), "/app"]);
        let config = ["config", "--image", &image, "--architecture", architecture, "--created", "2026-03-01T12:00:00Z"];
        run("umoci", &config);
        let descriptor = self.index_json()["manifests"]
            .as_array()
            .and_then(|all| all.iter().find(|one| one["annotations"]["org.opencontainers.image.ref.name"] == tag))
            .unwrap_or_else(|| panic!("the layout has no {tag}"))
            .clone();
        let digest = descriptor["digest"].as_str().and_then(|digest| digest.parse().ok()).expect("a digest");
        Built { digest, architecture, size: descriptor["size"].as_u64().expect("a size") }
    }

    /// Joins images to one index under a tag.
    pub(crate) fn index(&self, tag: &str, platforms: &[&Built]) -> Digest {
        let manifests: Vec<Value> = platforms
            .iter()
            .map(|one| {
                json!({
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "digest": one.digest.to_string(),
                    "size": one.size,
                    "platform": { "architecture": one.architecture, "os": "linux" },
                })
            })
            .collect();
        let media_type = "application/vnd.oci.image.index.v1+json";
        let bytes = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests }).to_string();
        let digest = Digest::sha256(bytes.as_bytes());
        fs::write(self.blob(&digest), &bytes).expect("the index");
        let mut layout = self.index_json();
        layout["manifests"].as_array_mut().expect("a list").push(json!({
            "mediaType": media_type,
            "digest": digest.to_string(),
            "size": bytes.len(),
            "annotations": { "org.opencontainers.image.ref.name": tag },
        }));
        fs::write(self.index_path(), layout.to_string()).expect("the layout's index");
        digest
    }

    /// Pushes what is under a tag here to a registry, every platform of an index included.
    pub(crate) fn push(&self, tag: &str, server: &Server, reference: &str) {
        let from = format!("oci:{}:{tag}", self.path());
        skopeo(server, "copy", &["--all", "--preserve-digests"], &[("--dest", &from), ("--dest", reference)]);
    }

    fn index_path(&self) -> std::path::PathBuf {
        Path::new(&self.path()).join("index.json")
    }

    fn index_json(&self) -> Value {
        let text = fs::read(self.index_path()).expect("a layout");
        serde_json::from_slice(&text).expect("JSON")
    }
}

/// Pulls everything a reference names, as a rollback on another machine would.
pub(crate) fn pull(server: &Server, reference: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let to = format!("dir:{}", folder.path().join("pulled").display());
    skopeo(server, "copy", &["--all"], &[("--src", reference), ("--src", &to)]);
}

/// Deletes what a reference names, as a cleanup job does: skopeo resolves the tag and deletes the digest (C90).
pub(crate) fn delete(server: &Server, reference: &str) {
    skopeo(server, "delete", &[], &[("-", reference)]);
}

/// Runs skopeo; references without a transport are in that registry.
fn skopeo(server: &Server, command: &str, flags: &[&str], places: &[(&str, &str)]) {
    let side = places[0].0;
    let option = |name: &str| if side == "-" { format!("--{name}") } else { format!("{side}-{name}") };
    let mut arguments = vec!["--insecure-policy".to_owned(), command.to_owned()];
    arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
    arguments.push(format!("{}=false", option("tls-verify")));
    if let Some(user) = &server.user {
        arguments.push(format!("{}={}:{}", option("creds"), user.name, user.password));
    }
    let host = server.url.trim_start_matches("http://");
    let local = |place: &str| place.starts_with("oci:") || place.starts_with("dir:");
    arguments.extend(places.iter().map(|(_, place)| match local(place) {
        true => (*place).to_owned(),
        false => format!("docker://{host}/{place}"),
    }));
    run("skopeo", &arguments.iter().map(String::as_str).collect::<Vec<_>>());
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; run tests/run.sh, which installs it"));
    // Not the arguments: they hold a password.
    assert!(output.status.success(), "{program} {}: {}", arguments[0], String::from_utf8_lossy(&output.stderr));
}
