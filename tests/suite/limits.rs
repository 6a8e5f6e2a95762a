//! Limits that hold: time that is shared out, and what a run says of what it did not come to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use prodpin::model::{Cause, Code, Mode, Scope};
use prodpin::policy::SignalConfig;
use prodpin::run::{Progress, RunOptions, Stop, run_on};

use crate::estate::{Estate, Told, told};
use crate::signals::api_server::{ApiServer, PODS};
use crate::signals::cluster;
use crate::support::each;

struct Quiet;
impl Progress for Quiet {}

async fn within(estate: &Estate, stop: Stop) -> Told {
    within_seen(estate, stop, Arc::new(Quiet)).await
}

async fn within_seen(estate: &Estate, stop: Stop, progress: Arc<dyn Progress>) -> Told {
    let source = estate.memory.writable(["shop/*"]).unwrap();
    let sources = BTreeMap::from([("shop".parse().unwrap(), source)]);
    let options = RunOptions {
        mode: Mode::Enforce,
        sources: Vec::new(),
        shard: None,
        repositories: Vec::new(),
        concurrency: 4,
        deadline: None,
        stop,
    };
    told(&run_on(&estate.policy, sources, &options, progress).await.unwrap())
}

#[tokio::test]
async fn a_signal_that_hangs_costs_its_share_and_every_repository_is_decided_f134_i28() {
    let mut estate = Estate::with_releases(3);
    let server = ApiServer::start().await;
    server.world().silent = Some(PODS.to_owned());
    estate.policy.signals = vec![SignalConfig::Kubernetes(cluster(&server))];
    let began = Instant::now();
    let told = within(&estate, Stop::default().with_deadline(Some(Duration::from_secs(6)))).await;
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    assert_eq!((told.complete, told.targets().len()), (false, 3), "decided with the gap");
    assert!(each(told.targets().iter(), |target| target.protected == Some(true)), "and pinned");
    let of_signal = |finding: &prodpin::model::Finding| {
        finding.code == Code::InventoryIncomplete && finding.message.contains("kubernetes")
    };
    assert!(told.findings.iter().any(of_signal), "{:?}", told.findings);
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
    let told = within_seen(&estate, Stop::default(), Arc::new(Relieves(server.clone()))).await;
    assert_eq!(server.world().down, None, "listed before the cluster was read");
    let refused = |finding: &&prodpin::model::Finding| finding.message.contains("429");
    assert_eq!(told.findings.iter().find(refused), None, "and read as soon as it let itself be read");
    assert_eq!(told.targets().len(), 1);
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
    let told = within_seen(&estate, Stop::default(), seen.clone()).await;
    assert_eq!((told.repositories.len(), seen.all.load(Ordering::SeqCst)), (301, 301));
    assert!(told.complete && seen.most.load(Ordering::SeqCst) <= 4, "{:?}", seen.most);
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
    let told = within(&estate, stop).await;
    let mut names: Vec<&str> = told.repositories.iter().map(|report| report.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["shop/api", "shop/mail", "shop/web"], "whatever the list had come to");
    for report in &told.repositories {
        assert_eq!((report.complete, report.rollback.ready), (false, None), "{}", report.name);
        let gaps: Vec<_> = report.gaps.iter().map(|gap| (&gap.scope, gap.cause)).collect();
        assert_eq!(gaps, [(&Scope::Repository, Cause::Interrupted)]);
    }
    let said = told.findings.iter().find(|finding| finding.code == Code::InventoryIncomplete).unwrap();
    assert!(said.message.contains("3 of 3 repositories were not scanned: shop/api, shop/mail, shop/web"), "{said:?}");
    estate.push("v1.9.0", "later");
    let told = within(&estate, Stop::default()).await;
    assert!(told.complete && told.repositories.len() == 3, "nothing of it stays");
}
