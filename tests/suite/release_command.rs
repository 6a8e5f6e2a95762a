//! `prodpin release` as it is typed: what it shows, what it removes with `--apply`, how it ends, and what leaves the vault.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use prodpin::ledger::{Access, Ledger};
use prodpin::model::{Entry, Event, Pin, RepositoryKey};
use prodpin::policy::LedgerLocation;
use prodpin::run::{Found, RestoreOptions, Stop, restore};
use prodpin::sources::memory::image;
use serde_json::Value;

use crate::support::registry::{Options, Registry};
use crate::vault::{Shop, blobs};

/// A registry with three releases that were kept, a fourth that took the place of the first, and a run that saw that.
async fn with_one_left(deletes_tags: bool) -> Shop {
    let registry = Registry::start_with(Options { deletes_tags, ..Options::default() }).await;
    let shop = Shop::open_on(registry).await;
    shop.write_policy("keep: 3\nvault: ./vault");
    let ran = shop.run(&["enforce", "--quiet"]).await;
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    shop.pusher.push("shop/api", "v1.3.0", &image("four")).await;
    for _ in 0..2 {
        let ran = shop.run(&["enforce", "--quiet"]).await;
        assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    }
    age(&shop.here.path().join("ledger")).await;
    shop
}

/// Writes the same ledger anew, with two hours before each of its commits: what is on record for less than an hour goes by no command.
async fn age(path: &std::path::Path) {
    let location = LedgerLocation::Directory(path.to_owned());
    let mut commits: BTreeMap<u64, Vec<Entry>> = BTreeMap::new();
    let young = Ledger::open(&location, Access::Read).await.unwrap();
    let read = young.each_entry(|sequence, _, entry| {
        commits.entry(sequence).or_default().push(entry.clone());
        Ok::<_, ()>(())
    });
    read.await.unwrap().unwrap();
    std::fs::remove_dir_all(path).unwrap();
    std::fs::remove_file(path.with_extension("head")).unwrap();
    let old = Ledger::open(&location, Access::Write).await.unwrap();
    let (now, count) = (Timestamp::now(), commits.len());
    for (at, mut entries) in commits.into_values().enumerate() {
        let before = SignedDuration::from_hours(2 * i64::try_from(count - at).unwrap());
        for entry in &mut entries {
            entry.at = now - before;
            if let Event::Run(record) = &mut entry.event {
                (record.started, record.finished) = (now - before, now - before);
            }
        }
        old.commit(entries).await.unwrap();
    }
}

async fn is_pinned(shop: &Shop) -> bool {
    let pin = Pin::for_digest(&shop.releases[0].1.digest()).to_string();
    shop.pusher.manifest("shop/api", &pin).await.is_some()
}

fn deletes(shop: &Shop) -> usize {
    shop.registry.requests().iter().filter(|request| request.method == "DELETE").count()
}

fn states(document: &Value) -> Vec<&str> {
    let pins = document["repositories"][0]["pins"].as_array().expect("pins");
    pins.iter().map(|pin| pin["state"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_on_record_yet_is_said_and_what_records_it() {
    let shop = with_one_left(true).await;
    shop.pusher.push("shop/api", "v1.4.0", &image("five")).await;
    let shown = shop.run(&["release"]).await;
    let expected = "That nothing needs 3 pins is not on record yet: `prodpin audit` records it";
    assert!(shown.stdout.contains(expected), "{}", shown.stdout);
    assert!(shown.stdout.contains("No pin may go now. Nothing was changed or recorded."), "{}", shown.stdout);
    assert!(shop.run(&["enforce", "--quiet"]).await.status == 0);
    shop.pusher.push("shop/api", "v1.5.0", &image("six")).await;
    let applied = shop.run(&["release", "--apply"]).await;
    assert!(!applied.stdout.contains("Nothing was changed"), "{}", applied.stdout);
    let hurried = shop.run(&["release", "--apply", "--deadline", "90s"]).await;
    assert_eq!(hurried.status, 2, "{}", hurried.stdout);
    assert!(hurried.stderr.contains("90 s is too short for release --apply"), "{}", hurried.stderr);
}

/// What is on record of the release that left, and what is below it.
async fn on_record(shop: &Shop) -> prodpin::model::RepositoryState {
    let location = LedgerLocation::Directory(shop.here.path().join("ledger"));
    let ledger = Ledger::open(&location, Access::Read).await.unwrap();
    ledger.recall(&key()).await.unwrap()
}

fn key() -> RepositoryKey {
    RepositoryKey { source: "r".parse().unwrap(), name: "shop/api".parse().unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restore_pins_it_says_first_is_needed_i14_i15() {
    let shop = with_one_left(true).await;
    let lost = shop.releases[0].1.clone();
    assert!(on_record(&shop).await.unneeded.contains_key(&lost.id()));
    shop.lose(&lost).await;
    let reference = format!("shop/api@{}", lost.digest());
    let dry = shop.run(&["restore", &reference]).await;
    assert!(on_record(&shop).await.unneeded.contains_key(&lost.id()), "{}", dry.stdout);
    let restored = shop.run(&["restore", &reference, "--apply"]).await;
    assert_eq!(restored.status, 0, "{}{}", restored.stdout, restored.stderr);
    assert!(is_pinned(&shop).await);
    assert!(!on_record(&shop).await.unneeded.contains_key(&lost.id()));

    // A release is at it: what that one sends later finds its intent revoked.
    let policy = prodpin::policy::load(&shop.here.path().join("prodpin.yaml")).unwrap();
    let ledger = Ledger::open_with(&policy.ledger, &policy.safeguards, Access::Write).await.unwrap();
    let (key, at) = (key(), Timestamp::now());
    ledger.recall(&key).await.unwrap();
    let other = prodpin::model::RunId::new(at, 7);
    let artifact = lost.id();
    let said = [
        Event::PinUnneeded { artifact: artifact.clone() },
        Event::PinReleasing { artifact: artifact.clone(), by: Some(other.clone()) },
    ];
    for event in said {
        let entry = Entry { run: other.clone(), at, repository: Some(key.clone()), event };
        ledger.commit(vec![entry]).await.unwrap();
    }
    drop(ledger);
    shop.lose(&lost).await;
    assert!(on_record(&shop).await.releasing[&artifact].revoked.is_none());
    let options = RestoreOptions {
        reference,
        sources: Vec::new(),
        apply: true,
        deadline: None,
        stop: Stop::default().with_removals_within(std::time::Duration::ZERO),
    };
    let Found::Target(target) = restore(&policy, &options).await.unwrap() else { panic!("no target") };
    assert!(target.troubles.is_empty() && target.unsaid.is_none(), "{target:?}");
    assert!(on_record(&shop).await.releasing[&artifact].revoked.is_some());
    assert!(is_pinned(&shop).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_what_may_go_and_the_command_it_offers_removes_that_i13() {
    let shop = with_one_left(true).await;
    let shown = shop.run(&["release", "--grace", "1h"]).await;
    assert_eq!(shown.status, 0, "{}{}", shown.stdout, shown.stderr);
    assert!(shown.stdout.contains("1 pin may go. Nothing was changed or recorded."), "{}", shown.stdout);
    let offered = shown.stdout.lines().find_map(|line| line.strip_prefix("To remove it: prodpin ")).expect("a command");
    assert_eq!(offered, "release --grace 3600s --apply");
    assert!(is_pinned(&shop).await);
    assert_eq!(deletes(&shop), 0);
    let applied = shop.run(&offered.split(' ').collect::<Vec<_>>()).await;
    assert_eq!(applied.status, 0, "{}{}", applied.stdout, applied.stderr);
    assert!(applied.stdout.contains("1 pin released, 0 stay."), "{}", applied.stdout);
    assert!(!is_pinned(&shop).await);
    assert!(shop.pusher.manifest("shop/api", "v1.0.0").await.is_some(), "its own tag stays");
    assert_eq!(deletes(&shop), 1);
    let again = shop.run(&["release", "--grace", "1h", "--apply"]).await;
    assert_eq!((again.status, deletes(&shop)), (0, 1), "{}{}", again.stdout, again.stderr);
    let report = shop.run(&["audit", "--format", "json"]).await.json();
    assert!(!report.to_string().contains("pin-missing"), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_name_that_nobody_has_nothing_goes() {
    let shop = with_one_left(true).await;
    let refused = shop.run(&["release", "--grace", "1h", "--apply", "shop/api", "shop/typo"]).await;
    assert_eq!((refused.status, refused.stdout.as_str()), (2, ""), "{}", refused.stderr);
    assert!(refused.stderr.contains("shop/typo"), "{}", refused.stderr);
    assert_eq!(deletes(&shop), 0);
    assert!(is_pinned(&shop).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grace_period_is_a_week_and_the_document_says_what_was_done() {
    let shop = with_one_left(true).await;
    let early = shop.run(&["release", "--apply", "--format", "json"]).await;
    assert_eq!(early.status, 0, "{}{}", early.stdout, early.stderr);
    let early = early.json();
    assert_eq!((states(&early), &early["applied"]), (vec!["kept"], &Value::from(true)), "{early:#}");
    assert_eq!(early["run"]["mode"], "release");
    let reported =
        shop.run(&["release", "--grace", "1h", "--apply", "--format", "json", "--report", "json=r.json"]).await;
    assert_eq!(states(&reported.json()), ["released"], "{}", reported.stdout);
    let report: Value = serde_json::from_slice(&std::fs::read(shop.here.path().join("r.json")).unwrap()).unwrap();
    assert_eq!(report["run"]["id"], reported.json()["run"]["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_single_tag_is_deleted_it_fails_and_the_pin_stays_f35() {
    let shop = with_one_left(false).await;
    let failed = shop.run(&["release", "--grace", "1h", "--apply"]).await;
    assert_eq!(failed.status, 1, "{}{}", failed.stdout, failed.stderr);
    assert!(failed.stdout.contains("this registry removes no single tag"), "{}", failed.stdout);
    assert!(is_pinned(&shop).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_vault_what_left_the_set_leaves_it_too_and_the_rest_stays_whole_i27() {
    let shop = with_one_left(true).await;
    let before = blobs(shop.here.path());
    let shown = shop.run(&["release", "--grace", "1h", "--vault", "--format", "json"]).await.json();
    assert_eq!((&shown["vault"]["released"], blobs(shop.here.path())), (&Value::from(false), before), "{shown:#}");
    let applied = shop.run(&["release", "--grace", "1h", "--vault", "--apply", "--format", "json"]).await;
    assert_eq!(applied.status, 0, "{}{}", applied.stdout, applied.stderr);
    assert_eq!(applied.json()["vault"]["released"], true, "{}", applied.stdout);
    assert!(blobs(shop.here.path()) < before, "its blobs are gone");
    let gone = shop.run(&["restore", &format!("shop/api@{}", shop.releases[0].1.digest())]).await;
    assert_ne!(gone.status, 0, "{}", gone.stdout);
    let drilled = shop.run(&["drill", "--from", "vault"]).await;
    assert_eq!(drilled.status, 0, "{}{}", drilled.stdout, drilled.stderr);
}
