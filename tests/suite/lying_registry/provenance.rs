//! What images say of themselves, where builders write it, and `prodpin ready` on a registry over HTTP.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use prodpin::model::{Cause, Commit, Digest, SchemaChange};

use super::content::{Opening, artifact, repository};
use super::server::{CONFIG, IMAGE, LAYER, Lie, Server, Store};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl Store {
    /// An image with these labels in its configuration.
    fn labelled(&mut self, name: &str, labels: &[(&str, &str)]) -> Digest {
        let labels: std::collections::BTreeMap<&str, &str> = labels.iter().copied().collect();
        let config = serde_json::json!({ "name": name, "config": { "Labels": labels } }).to_string();
        let [config, layer] = [(CONFIG, config.as_str()), (LAYER, name)].map(|(media_type, bytes)| {
            let digest = self.blob(bytes.as_bytes());
            serde_json::json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
        });
        let manifest =
            serde_json::json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [layer] });
        self.manifest(IMAGE, &manifest.to_string())
    }
}

#[tokio::test]
async fn labels_of_an_index_s_image_are_what_it_says() {
    let server = Server::start([]).await;
    let index = server.store(|store| {
        let labels = [("org.opencontainers.image.revision", COMMIT), ("prodpin.dev/schema", "contract")];
        let image = store.labelled("one", &labels);
        let index = store.index(&[&image]);
        store.tag("shop/api", "v1", &index);
        index
    });
    let source = Opening::at(&server).open();
    let said = source.inventory.provenance(&repository(), &artifact(&index)).await.unwrap();
    assert_eq!((said.commit, said.schema), (Commit::read(COMMIT), Some(SchemaChange::Contract)));
    let address = source.inventory.address(&repository(), &artifact(&index)).unwrap();
    assert!(address.ends_with(&format!("/shop/api@{index}")) && !address.contains("://"), "{address}");
    assert!(server.writes().is_empty());
}

/// What could not be read might have said more: it is no "nothing".
#[tokio::test]
async fn a_configuration_that_cannot_be_read_is_a_gap_f12() {
    let server = Server::start([Lie::Html("/blobs/")]).await;
    let image = server.store(|store| {
        let image = store.labelled("one", &[("prodpin.dev/schema", "none")]);
        store.tag("shop/api", "v1", &image);
        image
    });
    let gap = Opening::at(&server).open().inventory.provenance(&repository(), &artifact(&image)).await.unwrap_err();
    assert_ne!(gap.cause, Cause::NotFound, "{gap:?}");
}

fn ready(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
    command.arg("ready").args(arguments).current_dir(directory).env_clear().stdin(Stdio::null()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_status_says_whether_everything_can_be_rolled_back() {
    let server = Server::start([]).await;
    let directory = tempfile::tempdir().unwrap();
    let release = |version: &str, labels: &[(&str, &str)]| {
        server.store(|store| {
            let image = store.labelled(version, labels);
            store.tag("shop/api", version, &image);
        });
    };
    let policy = format!(
        "version: 1\nsources: {{ shop: {{ oci: \"{}\", repositories: [shop/api] }} }}\nproduction: [{{ tags: [\"v*\"] }}]\n",
        server.url()
    );
    std::fs::write(directory.path().join("prodpin.yaml"), policy).unwrap();
    let status = |arguments: &[&str]| {
        let output = tokio::task::block_in_place(|| ready(directory.path(), arguments));
        let reported = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), reported(&output.stdout), reported(&output.stderr))
    };
    release("v1.0.0", &[]);
    release("v1.1.0", &[]);
    let (code, stdout, stderr) = status(&["shop/api"]);
    assert_eq!(code, 3, "unknown is no yes: {stdout}{stderr}");
    assert!(stdout.contains("UNKNOWN, perhaps back to v1.0.0"), "{stdout}");
    assert_eq!(status(&["--fail-on", "critical"]).0, 0, "who asks for it may pass over what is unknown");
    release("v1.1.0", &[("prodpin.dev/schema", "expand"), ("org.opencontainers.image.revision", COMMIT)]);
    let (code, stdout, stderr) = status(&["shop/api"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains("ROLL BACK to v1.0.0"), "{stdout}");
    let (code, stdout, _) = status(&["--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &document["repositories"][0]["verdict"]), (0, &serde_json::json!("roll-back")));
    release("v1.1.0", &[("prodpin.dev/schema", "contract"), ("org.opencontainers.image.revision", COMMIT)]);
    let (code, stdout, _) = status(&["--fail-on", "critical"]);
    assert_eq!(code, 3, "{stdout}");
    assert!(stdout.contains(&format!("git switch --create fix-0123456789ab {COMMIT}")), "{stdout}");
    assert_eq!(status(&["shop/other"]).0, 2, "what is not there was asked for in vain");
    assert_eq!(status(&["--source", "other"]).0, 2);
    assert_eq!(status(&["--format", "table"]).0, 2);
    assert!(server.writes().is_empty());
    assert!(!directory.path().join("prodpin-ledger").exists(), "nothing is recorded");
}
