//! `prodpin watch` as a process: runs, probes, metrics, a policy read again, an end in time.

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use prodpin::sources::memory::Content;

use crate::support::push::Pusher;
use crate::support::registry::Registry;

/// A watch that is ended with the test.
struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prodpin"));
    command.arg("watch").args(arguments).current_dir(directory).env_clear().stdin(Stdio::null());
    command.env("PRODPIN_TEST_SECRET", "abcdefghijklmnopqrstuvwxyz012345");
    command
}

impl Watch {
    fn start(directory: &Path, arguments: &[&str]) -> Self {
        let mut child = command(directory, arguments)
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(directory.join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(Ok(first)) = lines.next() else {
            panic!("it ended: {}", std::fs::read_to_string(directory.join("log")).unwrap())
        };
        let address = first.split_once("http://").unwrap().1.trim_end_matches("/metrics").to_owned();
        Self { child, lines, address }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    fn request(&self, text: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned());
        (status, body)
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.request(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
    }

    /// The metrics, as soon as they hold this line.
    fn metrics_with(&self, line: &str) -> String {
        let began = Instant::now();
        loop {
            let (status, text) = self.get("/metrics");
            assert_eq!(status, 200);
            if text.lines().any(|found| found == line) {
                return text;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "no {line} in\n{text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

async fn registry() -> Registry {
    let registry = Registry::start().await;
    for minor in 0..3 {
        let content = Content::from(format!("release {minor}").as_str());
        Pusher::new(&registry.url()).push("shop/api", &format!("v1.{minor}.0"), &content).await;
    }
    registry
}

fn write_policy(directory: &Path, url: &str, schedule: &str) {
    let text = format!(
        "version: 1\n{schedule}\nsources:\n  shop: {{ oci: \"{url}\", repositories: [\"shop/*\"] }}\nproduction:\n  - {{ tags: [\"v*\"] }}\n"
    );
    std::fs::write(directory.join("prodpin.yaml"), text).unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_runs_tells_reads_its_policy_again_and_ends_in_time_f84_f88() {
    let registry = registry().await;
    let directory = tempfile::tempdir().unwrap();
    write_policy(directory.path(), &registry.url(), "schedule: \"@yearly\"");
    let mut watch = Watch::start(directory.path(), &["--enforce", "--report", "json=report.json"]);

    // No run is on record, so the first one is due at once.
    let line = watch.line();
    assert!(line.contains("complete: 1 repositories, 3 of 3 rollback targets protected"), "{line}");
    let text = watch.metrics_with("prodpin_watch_runs_total{outcome=\"complete\"} 1");
    for line in ["prodpin_targets_protected 3", "prodpin_watch_running 0", "prodpin_watch_runs_missed_total 0"] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains("prodpin_watch_next_run_timestamp_seconds "), "{text}");
    assert_eq!(watch.get("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(watch.get("/readyz"), (200, "ok\n".to_owned()));
    assert_eq!(watch.get("/").0, 404);
    assert_eq!(
        watch.request("POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").0,
        405
    );
    assert_eq!(watch.request("nonsense\r\n\r\n").0, 400);
    let report: serde_json::Value =
        serde_json::from_slice(&std::fs::read(directory.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(report["run"]["mode"], "enforce");

    // A broken policy keeps the old one, and says so.
    std::fs::write(directory.path().join("prodpin.yaml"), "version: 1\nsauces: {}\n").unwrap();
    watch.signal("-HUP");
    watch.metrics_with("prodpin_watch_policy_current 0");
    let log = std::fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(log.contains("the old one stays in use") && log.contains("prodpin.yaml:2:1: "), "{log}");
    assert!(log.contains("sauces") && !log.contains("\\n"), "on one line, and meant to be read: {log}");
    assert_eq!(watch.get("/healthz").0, 200);
    write_policy(directory.path(), &registry.url(), "schedule: \"rate(1 day)\"");
    watch.signal("-HUP");
    let line = watch.line();
    assert!(line.contains("read again") && line.contains("rate(1 day)"), "{line}");
    watch.metrics_with("prodpin_watch_policy_current 1");

    let asked = Instant::now();
    watch.signal("-TERM");
    let status = watch.child.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{}", std::fs::read_to_string(directory.path().join("log")).unwrap());
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());

    // Started again it waits: the run on record serves until the next is due (F84).
    registry.forget_requests();
    let watch = Watch::start(directory.path(), &["--enforce"]);
    watch.metrics_with("prodpin_watch_runs_total{outcome=\"complete\"} 0");
    assert_eq!(watch.get("/readyz").0, 503, "nothing was looked at yet");
    assert_eq!(registry.requests(), []);
}

#[cfg(unix)]
#[test]
fn a_run_under_way_ends_in_time_and_the_watch_with_it_f88() {
    let directory = tempfile::tempdir().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    write_policy(directory.path(), &format!("http://{}", silent.local_addr().unwrap()), "schedule: \"@hourly\"");
    let mut watch = Watch::start(directory.path(), &["--report", "json=report.json"]);
    let (connection, _) = silent.accept().unwrap();
    assert!(watch.metrics_with("prodpin_watch_running 1").contains("runs_total{outcome=\"failed\"} 0"));
    let asked = Instant::now();
    watch.signal("-TERM");
    let status = watch.child.wait().unwrap();
    drop(connection);
    assert_eq!(status.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(25), "{:?}", asked.elapsed());
    assert!(watch.line().contains("INCOMPLETE"), "what it saw is on record");
    let report = std::fs::read_to_string(directory.path().join("report.json")).unwrap();
    assert!(report.contains("asked to end before it was done") && !report.contains("raise --deadline"), "{report}");
}

#[cfg(unix)]
#[test]
fn a_run_that_hangs_ends_at_its_deadline_and_the_next_ones_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    write_policy(directory.path(), &format!("http://{}", silent.local_addr().unwrap()), "schedule: \"@hourly\"");
    let mut watch = Watch::start(directory.path(), &["--deadline", "2s", "--report", "json=report.json"]);
    let began = Instant::now();
    assert!(watch.line().contains("INCOMPLETE"));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    watch.metrics_with("prodpin_watch_running 0");
    let (status, reported) = watch.get("/readyz");
    assert!(status == 503 && reported.contains("not everything could be read"), "{reported}");
    assert_eq!(watch.get("/healthz").0, 200, "starting it anew would not help");
    let report = std::fs::read_to_string(directory.path().join("report.json")).unwrap();
    assert!(report.contains("raise --deadline"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_is_not_delivered_is_named_by_readyz() {
    let registry = registry().await;
    let directory = tempfile::tempdir().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let alert = format!(
        "schedule: \"@yearly\"\nalerts:\n  night-shift: {{ webhook: \"http://{closed}/hush\", private: true, severity: info, secret: \"${{PRODPIN_TEST_SECRET}}\" }}"
    );
    write_policy(directory.path(), &registry.url(), &alert);
    let mut watch = Watch::start(directory.path(), &[]);
    assert!(
        watch.line().contains("complete: 1 repositories"),
        "{}",
        std::fs::read_to_string(directory.path().join("log")).unwrap()
    );
    watch.metrics_with("prodpin_watch_runs_total{outcome=\"incomplete\"} 1");
    let (status, reported) = watch.get("/readyz");
    assert!(status == 503 && reported.contains("alert night-shift") && !reported.contains("hush"), "{reported}");
}

/// Whoever opens connections and says nothing, or a byte at a time, keeps no probe from its answer.
#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_keep_no_probe_waiting() {
    let registry = registry().await;
    let directory = tempfile::tempdir().unwrap();
    write_policy(directory.path(), &registry.url(), "schedule: \"@yearly\"");
    let mut watch = Watch::start(directory.path(), &[]);
    watch.line();
    let idle: Vec<TcpStream> = (0..300)
        .map(|number| {
            let mut stream = TcpStream::connect(&watch.address).unwrap();
            if number % 2 == 0 {
                let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nx-slow: ");
            }
            stream
        })
        .collect();
    for _ in 0..5 {
        let asked = Instant::now();
        assert_eq!(watch.get("/healthz"), (200, "ok\n".to_owned()));
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    }
    drop(idle);
    assert_eq!(watch.request("HEAD /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), (200, String::new()));
}

#[test]
fn a_watch_that_cannot_be_kept_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let reported = |schedule: &str, arguments: &[&str]| {
        write_policy(directory.path(), "https://registry.example.com", schedule);
        let output = command(directory.path(), arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = reported("keep: 5", &[]);
    assert!(code == Some(2) && text.contains("watch needs a schedule"), "{code:?} {text}");
    let (code, text) = reported("schedule: \"@hourly\"\nledger: none", &["--enforce"]);
    assert!(code == Some(2) && text.contains("enforce needs a ledger"), "{code:?} {text}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = reported("schedule: \"@hourly\"", &["--listen", &address]);
    assert!(code == Some(2) && text.contains("name another address"), "{code:?} {text}");
    let (code, text) = reported("schedule: \"@hourly\"", &["--listen-events", "127.0.0.1:0"]);
    assert!(code == Some(2) && text.contains("names no sender of events"), "{code:?} {text}");
    let (code, text) = reported("schedule: \"@hourly\"", &["--report", "json=prodpin.yaml"]);
    assert!(code == Some(2) && text.contains("this is the policy"), "{code:?} {text}");
}

/// A push is seen at once, because the registry says that something happened; who is not the registry is not heard.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_event_is_a_hint_that_is_looked_up_at_once_i2() {
    let registry = registry().await;
    let directory = tempfile::tempdir().unwrap();
    let senders = "schedule: \"@yearly\"\nevents: { shop: { bearer: \"${PRODPIN_TEST_SECRET}\" } }";
    write_policy(directory.path(), &registry.url(), senders);
    let mut watch = Watch::start(directory.path(), &["--listen-events", "127.0.0.1:0", "--report", "json=report.json"]);
    let told = watch.line();
    let address = told.split_once("http://").unwrap().1.trim_end_matches("/events/SOURCE").to_owned();
    assert!(watch.line().contains("complete: 1 repositories"));
    watch.metrics_with("prodpin_watch_runs_total{outcome=\"complete\"} 1");
    let report = std::fs::read(directory.path().join("report.json")).unwrap();
    registry.forget_requests();

    let secret = "Bearer abcdefghijklmnopqrstuvwxyz012345";
    let event = |repository: &str| {
        format!(
            r#"{{"events":[{{"action":"push","target":{{"repository":"{repository}","tag":"v1.2.0","digest":"sha256:00"}}}}]}}"#
        )
    };
    let post = |path: &str, authorization: &str, body: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {authorization}\r\n");
        stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    for (path, authorization) in
        [("/events/shop", "Bearer guess"), ("/events/other", secret), ("/events/shop/x", secret)]
    {
        assert_eq!(post(path, authorization, &event("shop/api")), 401, "{path}");
    }
    assert_eq!(post("/events/shop", secret, "no json"), 400);
    assert_eq!(post("/events/shop", secret, &event("secret/other")), 200, "the source does not select it");
    assert_eq!(post("/metrics", secret, ""), 404, "metrics are elsewhere");
    assert_eq!(registry.requests(), [], "nothing was asked because of these");

    let content = Content::from("somebody else's bytes");
    Pusher::new(&registry.url()).push("shop/api", "v1.2.0", &content).await;
    for _ in 0..20 {
        assert_eq!(post("/events/shop", secret, &event("shop/api")), 202);
    }
    let line = watch.line();
    assert!(line.contains("because of events at shop/shop/api: ") && !line.contains(" 0 critical"), "{line}");
    let metrics = watch.metrics_with("prodpin_watch_looks_total 1");
    for line in [
        "prodpin_watch_runs_total{outcome=\"complete\"} 1",
        "prodpin_watch_events_total{result=\"refused\"} 3",
        "prodpin_watch_running 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    assert_eq!(std::fs::read(directory.path().join("report.json")).unwrap(), report, "the whole run's stays");
    assert_eq!(watch.get("/readyz").0, 200);
    assert_eq!(watch.get("/events/shop").0, 404, "events are elsewhere");
}
