//! Limits that hold: time that is shared out, and what a run says of what it did not come to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use prodpin::model::{Cause, Code, Mode, Order, Scope};
use prodpin::policy::SignalConfig;
use prodpin::run::{Progress, ReadyOptions, RunOptions, Stop, ready_on, run_on};
use prodpin::sources::Source;

use crate::estate::{Estate, RunResult, reported, tags};
use crate::lying_registry::paced;
use crate::signals::api_server::{ApiServer, PODS};
use crate::signals::cluster;
use crate::support::each;

struct Quiet;
impl Progress for Quiet {}

async fn within(estate: &Estate, stop: Stop) -> RunResult {
    within_seen(estate, stop, Arc::new(Quiet)).await
}

async fn within_seen(estate: &Estate, stop: Stop, progress: Arc<dyn Progress>) -> RunResult {
    seen_on(estate, estate.memory.writable(["shop/*"]).unwrap(), stop, progress).await
}

async fn seen_on(estate: &Estate, source: Source, stop: Stop, progress: Arc<dyn Progress>) -> RunResult {
    let mode = if source.protector.is_some() { Mode::Enforce } else { Mode::Audit };
    let sources = BTreeMap::from([("shop".parse().unwrap(), source)]);
    let options = RunOptions {
        mode,
        sources: Vec::new(),
        shard: None,
        repositories: Vec::new(),
        concurrency: 4,
        deadline: None,
        stop,
    };
    reported(&run_on(&estate.policy, sources, &options, progress).await.unwrap())
}

#[tokio::test]
async fn a_signal_that_hangs_costs_its_share_and_every_repository_is_decided_f134_i28() {
    let mut estate = Estate::with_releases(3);
    let server = ApiServer::start().await;
    server.world().silent = Some(PODS.to_owned());
    estate.policy.signals = vec![SignalConfig::Kubernetes(cluster(&server))];
    let began = Instant::now();
    let reported = within(&estate, Stop::default().with_deadline(Some(Duration::from_secs(6)))).await;
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!((reported.complete, reported.targets().len()), (false, 3), "decided with the gap");
    assert!(each(reported.targets().iter(), |target| target.protected == Some(true)), "and pinned");
    let of_signal = |finding: &prodpin::model::Finding| {
        finding.code == Code::InventoryIncomplete && finding.message.contains("kubernetes")
    };
    assert!(reported.findings.iter().any(of_signal), "{:?}", reported.findings);
}

/// The cluster is busy until a repository was found.
struct Relieves(ApiServer);
impl Progress for Relieves {
    fn found(&self) {
        self.0.world().down = None;
    }
}

#[tokio::test]
async fn sources_are_listed_while_signals_are_asked_f134_i28() {
    let mut estate = Estate::with_releases(1);
    let server = ApiServer::start().await;
    server.world().down = Some((PODS.to_owned(), StatusCode::TOO_MANY_REQUESTS, "1", usize::MAX));
    estate.policy.signals = vec![SignalConfig::Kubernetes(cluster(&server))];
    let reported = within_seen(&estate, Stop::default(), Arc::new(Relieves(server.clone()))).await;
    assert_eq!(server.world().down, None, "listed before the cluster was read");
    let refused = |finding: &&prodpin::model::Finding| finding.message.contains("429");
    assert_eq!(reported.findings.iter().find(refused), None, "and read as soon as it let itself be read");
    assert_eq!(reported.targets().len(), 1);
}

/// Many more repositories than are in flight, of a registry that answers at once, and a cluster that answers later: whoever
/// waits for the cluster must not be who asks it.
#[tokio::test]
async fn a_cluster_that_answers_after_the_list_stops_nothing_f134_i28() {
    let mut estate = Estate::with_releases(1);
    let server = ApiServer::start().await;
    estate.policy.signals = vec![SignalConfig::Kubernetes(cluster(&server))];
    let busy = || server.world().down = Some((PODS.to_owned(), StatusCode::TOO_MANY_REQUESTS, "1", usize::MAX));
    busy();
    let stop = Stop::default().with_deadline(Some(Duration::from_secs(60)));
    let reported = seen_on(&estate, paced(40, usize::MAX).await, stop, Arc::new(Relieves(server.clone()))).await;
    assert_eq!(reported.repositories.len(), 40);
    // That nothing runs in the cluster is doubted, and is a gap; none of them was left out.
    let was_looked_at = |gaps: &[prodpin::model::Gap]| gaps.iter().all(|gap| gap.scope != Scope::Repository);
    assert!(each(reported.repositories.iter(), |row| row.counts.tags == 3 && was_looked_at(&row.gaps)));
    busy();
    let sources = BTreeMap::from([("shop".parse().unwrap(), paced(40, usize::MAX).await)]);
    let stop = Stop::default().with_deadline(Some(Duration::from_secs(60)));
    let options = ReadyOptions { concurrency: 4, stop, ..ReadyOptions::default() };
    let ready = ready_on(&estate.policy, sources, &options, Arc::new(Relieves(server.clone()))).await.unwrap();
    let gaps = &ready.report.section.gaps;
    assert!(gaps.iter().all(|gap| !gap.detail.contains("not scanned")), "{gaps:?}");
    assert_eq!(ready.report.rows().count(), 40);
}

/// How many repositories are looked at at the same time.
#[derive(Default)]
struct InFlight {
    now: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

impl Progress for InFlight {
    fn found(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.all.fetch_add(1, Ordering::SeqCst);
    }

    fn done(&self, _: &str) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What is held grows with what is in flight, and that is bounded whatever the number of repositories.
#[tokio::test]
async fn of_any_number_of_repositories_a_few_are_in_flight_f94_i20() {
    let estate = Estate::with_releases(1);
    for number in 0..300 {
        estate.memory.push(&format!("shop/r{number:03}"), "v1.0.0", prodpin::sources::memory::image("one"));
    }
    let seen = Arc::new(InFlight::default());
    let reported = within_seen(&estate, Stop::default(), seen.clone()).await;
    assert_eq!((reported.repositories.len(), seen.all.load(Ordering::SeqCst)), (301, 301));
    assert!(reported.complete && seen.most.load(Ordering::SeqCst) <= 4, "{:?}", seen.most);
}

/// A third of all requests wait for a second; what the registry answers meanwhile is not waited with.
#[tokio::test]
async fn f113_while_some_requests_are_made_to_wait_more_repositories_are_in_flight() {
    let estate = Estate::new(vec![tags(&["1.*"], Order::Semver)]);
    for (every, most) in [(3, 16), (usize::MAX, 4)] {
        let seen = Arc::new(InFlight::default());
        let reported = seen_on(&estate, paced(16, every).await, Stop::default(), seen.clone()).await;
        assert!(reported.complete && reported.repositories.len() == 16, "{:?}", reported.findings);
        let flown = seen.most.load(Ordering::SeqCst);
        assert!(flown <= most && (most == 4 || flown > 4), "one in {every}: {flown} at once");
    }
}

#[tokio::test]
async fn a_run_that_ends_early_has_a_line_for_each_repository_that_was_not_scanned_i28() {
    let mut estate = Estate::with_releases(2);
    for name in ["shop/web", "shop/mail"] {
        estate.memory.push(name, "v1.0.0", prodpin::sources::memory::image(name));
    }
    assert_eq!(within(&estate, Stop::default()).await.repositories.len(), 3);
    let stop = Stop::default();
    stop.ask();
    let reported = within(&estate, stop).await;
    let mut names: Vec<&str> = reported.repositories.iter().map(|report| report.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["shop/api", "shop/mail", "shop/web"], "whatever the list had come to");
    for report in &reported.repositories {
        assert_eq!((report.complete, report.rollback.intact), (false, None), "{}", report.name);
        let gaps: Vec<_> = report.gaps.iter().map(|gap| (&gap.scope, gap.cause)).collect();
        assert_eq!(gaps, [(&Scope::Repository, Cause::Interrupted)]);
    }
    let said = reported.findings.iter().find(|finding| finding.code == Code::InventoryIncomplete).unwrap();
    assert!(said.message.contains("3 of 3 repositories were not scanned: shop/api, shop/mail, shop/web"), "{said:?}");
    estate.push("v1.9.0", "later");
    let reported = within(&estate, Stop::default()).await;
    assert!(reported.complete && reported.repositories.len() == 3, "nothing of it stays");
}

/// A page in ten seconds, or none: what came, and what is known, is handled all the same.
#[tokio::test]
async fn f5_i28_a_list_that_drips_holds_up_neither_what_it_named_nor_what_is_known() {
    let estate = Estate::with_releases(2);
    for name in ["shop/mail", "shop/web"] {
        estate.memory.push(name, "v1.0.0", prodpin::sources::memory::image(name));
    }
    assert!(within(&estate, Stop::default()).await.complete);
    // Between the first name of the list and the others, and in a run that does not wait for those.
    estate.memory.push("shop/web", "v1.1.0", prodpin::sources::memory::image("next"));
    estate.memory.stall_catalog(1);
    let reported = within(&estate, Stop::default().with_deadline(Some(Duration::from_secs(4)))).await;
    assert!(!reported.complete, "there may be more");
    let looked: Vec<(&str, bool, usize)> = reported
        .repositories
        .iter()
        .map(|report| (report.name.as_str(), report.complete, report.targets.len()))
        .collect();
    assert_eq!(looked, [("shop/api", true, 2), ("shop/mail", true, 1), ("shop/web", true, 2)]);
    let pinned = |report: &prodpin::outcome::report::RepositoryReport| {
        report.targets.iter().all(|target| target.protected == Some(true))
    };
    assert!(reported.repositories.iter().all(pinned));
}

/// A registry that names more repositories for ever, and says of each that it is empty.
async fn names_without_end() -> String {
    let app = axum::Router::new().fallback(|uri: axum::http::Uri| async move {
        let from: u64 = uri.query().and_then(|query| query.split("last=r").nth(1)?.parse().ok()).unwrap_or(0);
        match uri.path() {
            "/v2/_catalog" => {
                let names: Vec<String> = (from + 1..=from + 1_000).map(|number| format!("\"r{number}\"")).collect();
                let next = format!("</v2/_catalog?n=1000&last=r{}>; rel=\"next\"", from + 1_000);
                ([("link", next)], format!("{{\"repositories\":[{}]}}", names.join(",")))
            }
            path => ([("link", String::new())], format!("{{\"name\":{path:?},\"tags\":[]}}")),
        }
    });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_without_end_is_a_gap_and_the_run_closes_f93_i28() {
    let folder = tempfile::tempdir().unwrap();
    let policy = format!(
        "version: 1\nledger: ./ledger\nsources:\n  endless: {{ oci: \"{}\", all: true }}\nproduction:\n  - {{ tags: \
         [\"v*\"], order: semver }}\n",
        names_without_end().await
    );
    std::fs::write(folder.path().join("prodpin.yaml"), policy).unwrap();
    let mut audit = std::process::Command::new(env!("CARGO_BIN_EXE_prodpin"));
    audit.args(["audit", "--format", "json", "--quiet", "--memory", "64MiB"]).current_dir(folder.path());
    let ended = tokio::task::spawn_blocking(move || audit.output().unwrap()).await.unwrap();
    assert_eq!(ended.status.code(), Some(1), "{}", String::from_utf8_lossy(&ended.stderr));
    let report: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(report["repositories"].as_array().unwrap().len(), 11_000);
    let told = "source endless lists more repositories than the memory budget allows: 11000 were taken";
    assert!(report.to_string().contains(told), "{}", report["findings"]);
}
