//! The ledger in Azure Blob Storage, on Azurite: `PRODPIN_TEST_AZURITE` is its address, where the container `ledgers` is.

use std::process::Command;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::prefix::PrefixStore;
use prodpin::ledger::{Access, Ledger, LedgerError, Verify};
use prodpin::policy::LedgerLocation;

use crate::world::{audit, key, tag_seen, whole_run};

/// The credentials come from the process's environment, so each test runs again in a process of its own.
fn in_a_container(test: &str) {
    let Some(server) = crate::servers::azurite() else { return };
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("ledger_azure::{test}"), "--ignored", "--nocapture"])
        .env("AZURE_STORAGE_USE_EMULATOR", "true")
        .env("AZURITE_BLOB_STORAGE_URL", server.url)
        .output()
        .unwrap();
    let reported = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && reported.contains("1 passed"), "{reported}");
}

#[test]
fn writers_in_one_container_lose_nothing_i9_i14_f52() {
    in_a_container("many_writers");
}

#[test]
fn a_container_that_is_not_there_is_no_empty_ledger() {
    in_a_container("no_container");
}

/// A place that nothing was written to, and the objects below it.
fn place() -> (LedgerLocation, Arc<dyn ObjectStore>) {
    let prefix = format!("{}-{}", std::process::id(), crate::world::at(0).as_second());
    let location = LedgerLocation::Store(format!("az://ledgers/{prefix}/led").parse().unwrap());
    let store = MicrosoftAzureBuilder::from_env().with_container_name("ledgers").build().unwrap();
    (location, Arc::new(PrefixStore::new(store, format!("{prefix}/led"))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started with the container's environment by writers_in_one_container_lose_nothing_i9_i14_f52"]
async fn many_writers() {
    let (location, store) = place();
    let ledgers = [
        Arc::new(Ledger::open(&location, Access::Write).await.unwrap()),
        Arc::new(Ledger::open(&location, Access::Write).await.unwrap()),
    ];
    let tasks: Vec<_> = (0..4_u64)
        .map(|number| {
            let ledger = ledgers[(number % 2) as usize].clone();
            tokio::spawn(async move {
                for commit in 0..5 {
                    let tag = format!("v{commit}-{number}");
                    ledger.commit(vec![tag_seen(number, &key("shared"), &tag, &tag)]).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(audit(&store).await.len(), 20);
    let reader = Ledger::open(&location, Access::Read).await.unwrap();
    assert_eq!(reader.recall(&key("shared")).await.unwrap().tags.len(), 20);
    // What is told of a run is there in full, and all of it holds.
    let writer = Ledger::open(&location, Access::Write).await.unwrap();
    whole_run(&writer, 9, &[("v1", "a")], &[("v1", "x")]).await.unwrap();
    let digest = writer.put_report(&b"a row\n"[..]).await.unwrap();
    assert_eq!(writer.put_report(&b"a row\n"[..]).await.unwrap(), digest);
    let found = Ledger::verify(&location, &Verify::default()).await.unwrap();
    let reports_aside = found.damage.iter().filter(|damage| !damage.object.starts_with("report/")).count();
    assert_eq!(reports_aside, 0, "{:?}", found.damage);
}

#[tokio::test]
#[ignore = "started with the container's environment by a_container_that_is_not_there_is_no_empty_ledger"]
async fn no_container() {
    let location = LedgerLocation::Store("az://nobody-made-this/ledger".parse().unwrap());
    for access in [Access::Read, Access::Write] {
        let error = Ledger::open(&location, access).await.unwrap_err();
        assert!(matches!(error, LedgerError::Unusable { .. }), "{error}");
    }
}
