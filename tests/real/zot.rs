//! A registry that cleans up by rules which nobody can read from outside: zot, which keeps the newest tags of a repository
//! (F123), and the same read by its configuration file. It is built by hand, so these are left out where `PRODPIN_TEST_ZOT` names no program.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use prodpin::model::{ArtifactId, Pin};
use prodpin::sources::memory::image;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::evidence::free_port;
use crate::support::left_out::left_out;
use crate::support::push::Pusher;

/// A server in a folder of its own, ended with the test.
struct Zot {
    program: String,
    folder: TempDir,
    port: u16,
    keep_tags: Value,
    process: Option<Child>,
}

impl Drop for Zot {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Zot {
    fn new(keep_tags: Value) -> Option<Self> {
        let Ok(program) = std::env::var("PRODPIN_TEST_ZOT") else {
            left_out("cleanup rules of zot", "PRODPIN_TEST_ZOT names no program");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        Some(Self { program, folder, port: free_port(), keep_tags, process: None })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Writes a configuration file beside its data.
    fn write(&self, name: &str, collects: bool) -> std::path::PathBuf {
        let policies = json!([{ "repositories": ["**"], "deleteReferrers": false, "keepTags": self.keep_tags }]);
        let mut storage = json!({
            "rootDirectory": self.folder.path().join("data"),
            "dedupe": false,
            "gc": collects,
            "retention": { "delay": "1s", "policies": policies },
        });
        if collects {
            storage["gcDelay"] = json!("1s");
            storage["gcInterval"] = json!("1s");
        }
        let configuration = json!({
            "distSpecVersion": "1.1.1",
            "storage": storage,
            "http": { "address": "127.0.0.1", "port": self.port.to_string() },
            "log": { "level": "error" },
        });
        let path = self.folder.path().join(name);
        std::fs::write(&path, configuration.to_string()).unwrap();
        path
    }

    fn start(&mut self, collects: bool) {
        let path = self.write("zot.json", collects);
        let mut serve = Command::new(&self.program);
        serve.arg("serve").arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(serve.spawn().unwrap());
        for _ in 0..1_200 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("zot did not start");
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The tags that are left once it has cleaned up: what it takes, it takes in its first rounds.
    async fn cleaned(&mut self) -> Vec<String> {
        self.stop();
        self.start(true);
        tokio::time::sleep(Duration::from_secs(10)).await;
        let answer = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = answer.get(format!("{}/v2/shop/api/tags/list", self.url())).send().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let mut tags: Vec<String> = serde_json::from_value(answer["tags"].clone()).unwrap();
        tags.sort();
        tags
    }

    /// Runs the program, and tells how each target's pin stands and whether it is protected.
    async fn run(&self, mode: &str, cleanup: &str, status: i32) -> Vec<(String, Value)> {
        self.run_as("oci", mode, cleanup, status).await
    }

    /// The same with a source of this kind.
    async fn run_as(&self, kind: &str, mode: &str, more: &str, status: i32) -> Vec<(String, Value)> {
        let policy = format!(
            "version: 1\nledger: ./ledger\nsources:\n  shop: {{ {kind}: \"{}\", repositories: [\"shop/*\"]{more} \
             }}\nproduction:\n  - {{ tags: [\"v*\"], order: semver }}\n",
            self.url()
        );
        std::fs::write(self.folder.path().join("prodpin.yaml"), policy).unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_prodpin"));
        program.args([mode, "--format", "json", "--quiet"]).current_dir(self.folder.path());
        let ran = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
        assert_eq!(ran.status.code(), Some(status), "{}", String::from_utf8_lossy(&ran.stderr));
        let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
        let targets = report["repositories"][0]["targets"].as_array().unwrap().iter();
        targets.map(|target| (target["pin"].as_str().unwrap().to_owned(), target["protected"].clone())).collect()
    }
}

/// v1.0.0 to v1.5.0, the oldest first.
async fn releases(zot: &Zot) -> Vec<(String, ArtifactId)> {
    let pusher = Pusher::new(&zot.url());
    let mut pushed = Vec::new();
    for minor in 0..6 {
        let tag = format!("v1.{minor}.0");
        let artifact = pusher.push("shop/api", &tag, &image(&tag)).await;
        pushed.push((tag, artifact));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    pushed
}

fn all(pin: &str, protected: Value) -> Vec<(String, Value)> {
    vec![(pin.to_owned(), protected); 5]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_rules_that_nobody_read_no_release_is_lost_to_a_pin_i22_f123() {
    for keep_tags in [json!([{ "mostRecentlyPushedCount": 6 }]), json!([{ "patterns": ["^v"] }])] {
        let Some(mut zot) = Zot::new(keep_tags) else { return };
        zot.start(false);
        let releases = releases(&zot).await;
        for mode in ["audit", "enforce", "enforce"] {
            assert_eq!(zot.run(mode, "", 3).await, all("withheld", Value::Null), "{mode}");
        }
        let expected: Vec<String> = releases.into_iter().map(|(tag, _)| tag).collect();
        assert_eq!(zot.cleaned().await, expected, "{}", zot.keep_tags);
    }
}

/// What the finding says to do makes pins hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_an_entry_of_their_own_pins_and_releases_stay_f123() {
    let keep_tags = json!([{ "patterns": ["^prod-pinned-"] }, { "patterns": [".*"], "mostRecentlyPushedCount": 6 }]);
    let Some(mut zot) = Zot::new(keep_tags) else { return };
    zot.start(false);
    let releases = releases(&zot).await;
    assert_eq!(zot.run("enforce", ", cleanup: none", 0).await, all("created", Value::Bool(true)));
    let pins = releases[1..].iter().map(|(_, artifact)| Pin::for_digest(artifact.digest().unwrap()).to_string());
    let mut expected: Vec<String> = releases.iter().map(|(tag, _)| tag.clone()).chain(pins).collect();
    expected.sort();
    assert_eq!(zot.cleaned().await, expected);
    assert_eq!(zot.run("enforce", ", cleanup: none", 0).await, all("present", Value::Bool(true)));
}

/// By the very file that the server runs with: what is called protected stays, and what is refused would have cost a release.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_its_configuration_file_pins_are_made_where_they_hold_i22_k55() {
    let first = json!([{ "patterns": ["^prod-pinned-"] }, { "patterns": [".*"], "mostRecentlyPushedCount": 2 }]);
    let Some(mut zot) = Zot::new(first) else { return };
    zot.start(false);
    let releases = releases(&zot).await;
    // As it will run when it collects.
    zot.write("then.json", true);
    assert_eq!(zot.run_as("zot", "enforce", ", config: then.json", 0).await, all("created", Value::Bool(true)));
    let pins = releases[1..].iter().map(|(_, artifact)| Pin::for_digest(artifact.digest().unwrap()).to_string());
    let left = zot.cleaned().await;
    for pin in pins {
        assert!(left.contains(&pin), "{pin} of {left:?}");
    }
    let Some(mut counted) = Zot::new(json!([{ "mostRecentlyPushedCount": 6 }])) else { return };
    counted.start(false);
    let releases = self::releases(&counted).await;
    counted.write("then.json", true);
    assert_eq!(counted.run_as("zot", "enforce", ", config: then.json", 3).await, all("refused", Value::Null));
    let expected: Vec<String> = releases.into_iter().map(|(tag, _)| tag).collect();
    assert_eq!(counted.cleaned().await, expected);
}
