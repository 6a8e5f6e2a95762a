//! Where the program runs: a registry with releases, a directory with a policy, and nothing of this machine's environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use prodpin::sources::memory::image;
use serde_json::Value;

use crate::push::Pusher;
use crate::registry::Registry;

/// A registry with threads of its own.
pub(crate) struct Estate {
    runtime: tokio::runtime::Runtime,
    pub(crate) registry: Registry,
}

impl Estate {
    /// Three releases of `shop/api`.
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let registry = runtime.block_on(Registry::start());
        let estate = Self { runtime, registry };
        for version in ["v1.0", "v1.1", "v1.2", "latest"] {
            estate.push(version, version);
        }
        estate
    }

    /// Points a tag at an image with these bytes in it.
    pub(crate) fn push(&self, tag: &str, text: &str) {
        let team = Pusher::new(&self.registry.url());
        self.runtime.block_on(team.push("shop/api", tag, &image(text)));
    }

    /// A release and a moved tag: what the next run has to tell.
    pub(crate) fn go_on(&self) {
        self.push("v1.3", "v1.3");
        self.push("latest", "v1.3");
    }

    pub(crate) fn reference(&self) -> String {
        format!("{}/shop/api", self.registry.host())
    }
}

/// A directory with a policy.
pub(crate) struct WorkDirectory {
    folder: tempfile::TempDir,
    host: String,
}

/// How it ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) took: Duration,
}

impl Ran {
    pub(crate) fn from_output(output: &Output, took: Duration) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr), took }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self
    }

    /// It failed, and says why in these words, on one line, once.
    #[track_caller]
    pub(crate) fn tells(self, words: &str) -> Self {
        let reported: Vec<&str> = self.err.lines().filter(|line| line.starts_with("prodpin: ")).collect();
        assert!(reported.len() == 1 && reported[0].contains(words), "{words:?} is not told: {}", self.err);
        self
    }
}

impl WorkDirectory {
    pub(crate) fn new(estate: &Estate) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), host: estate.registry.host() };
        place.policy("");
        place
    }

    /// The policy, with these lines in it.
    pub(crate) fn policy(&self, lines: &str) {
        let host = &self.host;
        let text = format!(
            "version: 1\nsources: {{ shop: {{ oci: \"http://{host}\", repositories: [shop/api] }} }}\n\
             production: [{{ tags: [\"v*\"] }}]\n{lines}\n"
        );
        std::fs::write(self.path("prodpin.yaml"), text).unwrap();
    }

    /// Its real path, as the operating system names it.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.path("prodpin-ledger")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.path("prodpin-ledger.key")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
        command.args(arguments).current_dir(self.root()).env_clear().stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments), Duration::from_secs(120))
    }

    /// What the ledger says of itself.
    pub(crate) fn verified(&self) -> Value {
        self.run(&["verify", "--json"]).json()
    }

    /// A copy of another place's ledger and key.
    pub(crate) fn take_over(&self, from: &Self) {
        copy(&from.ledger(), &self.ledger());
        std::fs::copy(from.key(), self.key()).unwrap();
    }
}

/// Runs to the end; what does not end in this time is killed, and fails the test.
#[track_caller]
pub(crate) fn finish(mut command: Command, most: Duration) -> Ran {
    let began = Instant::now();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let (ended, late) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let timed_out = late.recv_timeout(most) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if timed_out {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
        timed_out
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    let ran = Ran::from_output(&output, began.elapsed());
    assert!(!watchdog.join().unwrap(), "it hangs: {}{}", ran.out, ran.err);
    ran
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files of a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}
