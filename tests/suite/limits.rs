//! Limits that hold: time that is shared out, and what a run says of what it did not come to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prodpin::model::{Cause, Code, Mode, Scope};
use prodpin::policy::SignalConfig;
use prodpin::run::{Progress, RunOptions, Stop, run_on};

use crate::estate::{Estate, Told, told};
use crate::signals::api_server::{ApiServer, PODS};
use crate::signals::cluster;

struct Quiet;
impl Progress for Quiet {}

async fn within(estate: &Estate, stop: Stop) -> Told {
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
    told(&run_on(&estate.policy, sources, &options, Arc::new(Quiet)).await.unwrap())
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
    assert!(told.targets().iter().all(|target| target.protected == Some(true)), "and pinned");
    let of_signal = |finding: &prodpin::model::Finding| {
        finding.code == Code::InventoryIncomplete && finding.message.contains("kubernetes")
    };
    assert!(told.findings.iter().any(of_signal), "{:?}", told.findings);
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
