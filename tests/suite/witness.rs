//! A ledger that knows nothing of a source in which somebody pinned already: its history is missing, and nothing there is
//! a beginning (I24, F98).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::Timestamp;
use prodpin::ledger::{Access, Ledger};
use prodpin::model::{
    ArtifactId, Code, DeployedReference, Digest, Entry, Event, Gap, Inspection, Mode, Order, Reference, RepositoryKey,
    RepositoryName, Resolution, RunId, SettingFacts, Severity, Snapshot, SourceName, Tag,
};
use prodpin::outcome::ready::Verdict;
use prodpin::policy::{LedgerLocation, Policy};
use prodpin::run::{Progress, RunOptions, Stop, run_on};
use prodpin::sources::memory::{Call, Memory};
use prodpin::sources::{Inventory, PinFailure, PinLook, Protector, Reservation, Source};

use crate::estate::{Estate, REPOSITORY, RunResult, reported, tags};

struct Quiet;
impl Progress for Quiet {}

fn missing(found: &RunResult) -> Vec<Severity> {
    let missing = found.findings.iter().filter(|finding| finding.code == Code::LedgerHistoryMissing);
    missing.map(|finding| finding.severity).collect()
}

/// The estate was enforced, and the ledger is another one from now on.
async fn without_history(count: usize) -> Estate {
    let mut estate = Estate::with_releases(count);
    assert!(missing(&estate.enforce().await).is_empty());
    estate.memory.forget_calls();
    let elsewhere = estate.ledger_directory().with_file_name("elsewhere");
    estate.policy.ledger = LedgerLocation::Directory(elsewhere);
    estate
}

async fn sources_on_record(policy: &Policy) -> Vec<SourceName> {
    Ledger::open(&policy.ledger, Access::Read).await.unwrap().sources()
}

#[tokio::test]
async fn pins_in_a_source_that_the_ledger_does_not_know_are_a_missing_history_i24_f98() {
    let mut estate = without_history(3).await;
    let pins = estate.memory.pins(REPOSITORY);
    // What moved meanwhile would be the new baseline.
    estate.push("v1.2.0", "somebody else's");
    estate.push("v1.3.0", "new");
    for mode in [Mode::Enforce, Mode::Audit, Mode::Enforce] {
        let found = estate.run(mode).await;
        assert_eq!(missing(&found), [Severity::Critical], "once, in each run");
        assert_eq!(found.findings.len(), 1, "{:?}", found.codes());
        assert!(found.complete && found.repositories.len() == 1, "it is read, and shown");
        assert_eq!(found.repositories[0].rollback.intact, None);
        assert!(found.targets().iter().all(|target| target.protected.is_none()), "and not judged");
        let reported = &found.findings[0];
        assert!(reported.remedy.contains("prodpin audit --source shop --adopt"), "{reported:?}");
        assert!(reported.message.contains("prod-pinned-"), "{reported:?}");
    }
    assert_eq!((estate.memory.calls(), estate.memory.pins(REPOSITORY)), (vec![], pins.clone()));
    assert!(sources_on_record(&estate.policy).await.is_empty(), "nothing is recorded as first seen");

    // Given up on purpose, for one run; then it is a history like any other.
    estate.policy.safeguards.adopt = true;
    let adopted = estate.run(Mode::Audit).await;
    assert_eq!(missing(&adopted), [Severity::Info]);
    estate.policy.safeguards.adopt = false;
    let next = estate.enforce().await;
    assert!(missing(&next).is_empty(), "{:?}", next.codes());
    assert!(estate.memory.pins(REPOSITORY).len() > pins.len() && estate.memory.pins(REPOSITORY).is_superset(&pins));
}

#[tokio::test]
async fn the_ledger_that_recorded_them_ends_it_i24() {
    let mut estate = without_history(3).await;
    assert_eq!(missing(&estate.enforce().await), [Severity::Critical]);
    estate.policy.ledger = LedgerLocation::Directory(estate.ledger_directory());
    let found = estate.enforce().await;
    assert!(missing(&found).is_empty(), "{:?}", found.codes());
}

#[tokio::test]
async fn an_event_about_one_repository_is_no_way_around_it_i24() {
    let mut estate = without_history(3).await;
    estate.memory.push("shop/web", "v1.0.0", "web");
    for mode in [Mode::Enforce, Mode::Audit] {
        let report = estate.report(mode, &["shop/web"]).await.unwrap();
        assert_eq!(missing(&reported(&report)), [Severity::Critical]);
    }
    // Whatever comes first in the list.
    estate.memory.push("shop/aaa", "v1.0.0", "aaa");
    assert_eq!(missing(&estate.enforce().await), [Severity::Critical]);
    assert_eq!(estate.memory.calls(), []);
    assert!(sources_on_record(&estate.policy).await.is_empty());
    estate.policy.safeguards.adopt = true;
    assert_eq!(missing(&reported(&estate.report(Mode::Enforce, &["shop/web"]).await.unwrap())), [Severity::Info]);
    assert_eq!(sources_on_record(&estate.policy).await, ["shop".parse().unwrap()]);
}

async fn run_both(policy: &Policy, one: &Memory, other: &Memory) -> RunResult {
    let sources = BTreeMap::from([
        ("one".parse().unwrap(), one.writable(["shop/*"]).unwrap()),
        ("other".parse().unwrap(), other.writable(["shop/*"]).unwrap()),
    ]);
    let options = RunOptions {
        mode: Mode::Enforce,
        sources: Vec::new(),
        shard: None,
        repositories: Vec::new(),
        concurrency: 4,
        deadline: None,
        stop: Stop::default(),
    };
    reported(&run_on(policy, sources, &options, Arc::new(Quiet)).await.unwrap())
}

#[tokio::test]
async fn other_sources_go_on_i24() {
    let estate = without_history(3).await;
    let other = Memory::new();
    other.push("shop/db", "v1.0.0", "db");
    let found = run_both(&estate.policy, &estate.memory, &other).await;
    assert_eq!(missing(&found), [Severity::Critical]);
    assert_eq!((other.pins("shop/db").len(), estate.memory.calls()), (1, vec![]));
    assert_eq!(sources_on_record(&estate.policy).await, ["other".parse().unwrap()]);
}

#[tokio::test]
async fn a_source_that_was_renamed_is_told_its_old_name_i24() {
    let estate = Estate::with_releases(2);
    estate.enforce().await;
    let found = run_both(&estate.policy, &estate.memory, &Memory::new()).await;
    assert_eq!(missing(&found), [Severity::Critical]);
    let reported = found.findings.iter().find(|finding| finding.code == Code::LedgerHistoryMissing).unwrap();
    assert!(
        reported.remedy.contains("in source shop") && reported.remedy.contains("name the source shop again"),
        "{reported:?}"
    );
}

#[tokio::test]
async fn a_pin_beside_a_history_stops_nothing_i24() {
    let mut estate = Estate::new(vec![tags(&["v*"], Order::Semver)]);
    for minor in 0..7 {
        estate.push(&format!("v1.{minor}.0"), &format!("release-{minor}"));
    }
    estate.enforce().await;
    let oldest = estate.memory.tag(REPOSITORY, "v1.0.0").unwrap();
    let pin = format!("prod-pinned-{}", oldest.digest().unwrap().hex());
    estate.memory.move_tag(REPOSITORY, &pin, &oldest);
    let found = estate.enforce().await;
    let unknown: Vec<_> = found.findings.iter().filter(|finding| finding.code == Code::PinUnknown).collect();
    assert_eq!((unknown.len(), unknown[0].severity), (1, Severity::Info), "{:?}", found.codes());
    assert!(missing(&found).is_empty());
    estate.push("v1.7.0", "release-7");
    estate.enforce().await;
    let newest = estate.memory.tag(REPOSITORY, "v1.7.0").unwrap();
    assert!(estate.memory.pins(REPOSITORY).contains(&newest), "pinning goes on");

    // A pin of what is a target anyway, by whatever hands, is no news at all.
    let mut estate = Estate::with_releases(2);
    estate.run(Mode::Audit).await;
    let target = estate.push("v1.2.0", "release-2");
    estate.memory.move_tag(REPOSITORY, &format!("prod-pinned-{}", target.digest().unwrap().hex()), &target);
    let found = estate.enforce().await;
    assert!(found.findings.iter().all(|finding| finding.code != Code::PinUnknown), "{:?}", found.codes());
}

/// What could not be asked is not known to have no pin: nothing of it is a beginning, the rest goes on, and each run asks
/// again until it knows.
#[tokio::test]
async fn what_cannot_be_asked_for_pins_is_no_beginning_i24() {
    const SECRET: &str = "shop/secret";
    let estate = Estate::with_releases(2);
    let secret = |mode| estate.report(mode, &[SECRET]);
    estate.memory.push(SECRET, "v1.0.0", "released");
    let released = estate.memory.tag(SECRET, "v1.0.0").unwrap();
    estate.memory.move_tag(SECRET, &format!("prod-pinned-{}", released.digest().unwrap().hex()), &released);
    // The release is put elsewhere, and whoever did that has the first list refused.
    estate.memory.push(SECRET, "v1.0.0", "somebody else's");
    estate.memory.deny(SECRET);
    let first = estate.enforce().await;
    assert_eq!(missing(&first), [Severity::High], "{:?}", first.codes());
    assert!(!first.complete);
    assert_eq!(estate.memory.pins(REPOSITORY).len(), 2, "what can be read is pinned");
    let said = first.findings.iter().find(|finding| finding.code == Code::LedgerHistoryMissing).unwrap();
    assert!(said.message.contains(SECRET) && said.remedy.contains("--adopt"), "{said:?}");

    estate.memory.heal();
    for _ in 0..2 {
        let pins = estate.memory.pins(SECRET);
        let found = estate.enforce().await;
        assert_eq!(missing(&found), [Severity::Critical], "{:?}", found.codes());
        assert_eq!(estate.memory.pins(SECRET), pins);
        assert_eq!(
            missing(&reported(&secret(Mode::Enforce).await.unwrap())),
            [Severity::Critical],
            "an event's run too"
        );
    }
    let row = |found: &RunResult| found.repositories.iter().find(|it| it.name.as_str() == SECRET).unwrap().clone();
    let found = estate.run(Mode::Audit).await;
    assert!(row(&found).targets.iter().all(|target| target.protected.is_none()), "and not judged");
    assert_eq!(row(&found).rollback.intact, None);
    assert!(found.repositories.iter().any(|it| it.rollback.intact == Some(true)), "the rest is");
}

/// Where there was nothing, its history begins once that is known.
#[tokio::test]
async fn what_could_not_be_asked_and_has_no_pin_begins_later_i24() {
    const SECRET: &str = "shop/secret";
    let estate = Estate::with_releases(2);
    estate.memory.push(SECRET, "v1.0.0", "released");
    estate.memory.deny(SECRET);
    for _ in 0..2 {
        assert_eq!(missing(&estate.enforce().await), [Severity::High]);
    }
    estate.memory.heal();
    let found = estate.enforce().await;
    assert!(missing(&found).is_empty() && found.complete, "{:?}", found.codes());
    assert_eq!(estate.memory.pins(SECRET).len(), 1);
    assert!(missing(&estate.enforce().await).is_empty(), "its own pins are no witness against it");
}

/// However many cannot be asked, the report stays readable.
#[tokio::test]
async fn where_many_cannot_be_asked_the_source_says_so_once_i24() {
    let estate = Estate::with_releases(2);
    let many: Vec<String> = (0..120).map(|number| format!("shop/denied-{number}")).collect();
    for name in &many {
        estate.memory.push(name, "v1.0.0", "x");
        estate.memory.deny(name);
    }
    let found = estate.enforce().await;
    assert_eq!(missing(&found), [Severity::High], "{:?}", found.codes());
    assert!(sources_on_record(&estate.policy).await.is_empty());
    assert_eq!(estate.memory.calls(), []);
    estate.memory.heal();
    let found = estate.enforce().await;
    assert!(missing(&found).is_empty() && found.complete, "{:?}", found.codes());
}

#[tokio::test]
async fn a_source_that_cannot_be_listed_is_no_beginning_i24() {
    let estate = Estate::with_releases(2);
    estate.memory.refuse_catalog();
    let found = estate.enforce().await;
    // Nothing was read, so that is what is told, once, and nothing of a history that nobody knows of.
    assert_eq!(missing(&found), [], "{:?}", found.codes());
    let [unread] = &found.findings[..] else { panic!("one cause: {:?}", found.findings) };
    assert_eq!((unread.code, unread.severity), (Code::InventoryIncomplete, Severity::High), "{unread:?}");
    assert!(unread.message.starts_with("nothing of source shop could be read: ") && !found.complete, "{unread:?}");
    assert!(sources_on_record(&estate.policy).await.is_empty());
    assert_eq!(estate.memory.calls(), []);
    estate.memory.heal();
    assert!(missing(&estate.enforce().await).is_empty());

    let mut estate = without_history(2).await;
    estate.policy.ledger = LedgerLocation::None;
    assert!(missing(&estate.run(Mode::Audit).await).is_empty(), "no ledger is no history");
}

/// In no repository of the source, whether it has pins or not, and no line of a page calls anything unchanged.
#[tokio::test]
async fn ready_does_not_judge_without_the_history_i24() {
    let estate = without_history(3).await;
    for release in ["v1.0.0", "v1.1.0"] {
        estate.memory.push("shop/fresh", release, release);
    }
    let ready = estate.ready().await;
    let rows: Vec<_> = ready.report.rows().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(row.verdict, Verdict::Unknown, "{row:?}");
        assert!(!row.releases.is_empty() && row.releases.iter().all(|listed| listed.unchanged.is_none()), "{row:?}");
        let text = serde_json::to_string(&row).unwrap();
        assert!(text.contains("its history is missing") && text.contains("--adopt"), "{text}");
    }
}

/// Asks at each pin what the ledger knows by then, as whoever comes after a kill would.
struct Asking {
    memory: Source,
    policy: Policy,
    knew: Arc<std::sync::Mutex<Vec<bool>>>,
}

#[async_trait]
impl Protector for Asking {
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        let ledger = Ledger::open(&self.policy.ledger, Access::Read).await.unwrap();
        self.knew.lock().unwrap().push(ledger.has_history(&"shop".parse().unwrap()));
        self.memory.protector.as_ref().unwrap().pin(repository, artifact).await
    }
}

#[tokio::test]
async fn the_ledger_knows_a_source_before_its_first_pin_i15_i24() {
    let estate = Estate::with_releases(4);
    for name in ["a", "b", "c"] {
        estate.memory.push(&format!("shop/{name}"), "v1.0.0", name);
    }
    let knew = Arc::new(std::sync::Mutex::default());
    let memory = estate.memory.writable(["shop/*"]).unwrap();
    let asking = Asking { memory: memory.clone(), policy: estate.policy.clone(), knew: Arc::clone(&knew) };
    let source = Source { protector: Some(Arc::new(asking)), ..memory };
    let found = estate.run_on(Mode::Enforce, source).await;
    assert!(missing(&found).is_empty());
    assert_eq!(*knew.lock().unwrap(), [true; 7]);
    let pins = estate.memory.calls().iter().filter(|call| matches!(call, Call::Pin { .. })).count();
    assert_eq!(pins, 7);
    // Nothing is on record twice by that.
    let seen = estate.events().await.into_iter().filter(|event| matches!(event, Event::TagSeen { .. })).count();
    assert_eq!(seen, 4);
}

/// A registry at which another first run is at work: the moment it is asked for pins, that run begins the history.
struct Late {
    inner: Source,
    policy: Policy,
}

#[async_trait]
impl Inventory for Late {
    async fn look_for_pin(&self, repository: &RepositoryName, _memory: &Reservation) -> PinLook {
        let ledger = Ledger::open_with(&self.policy.ledger, &self.policy.safeguards, Access::Write).await.unwrap();
        let key = RepositoryKey { source: "shop".parse().unwrap(), name: repository.clone() };
        let artifact = ArtifactId::Manifest(Digest::sha256(b"release-0"));
        let event = Event::TagSeen { tag: "v0.9.0".parse().unwrap(), artifact, created: None };
        let (run, at) = (RunId::new(Timestamp::now(), 7), Timestamp::now());
        ledger.commit(vec![Entry { run, at, repository: Some(key), event }]).await.unwrap();
        PinLook::Pin("prod-pinned-by-the-other".to_owned())
    }

    async fn settings(&self) -> (SettingFacts, Vec<Gap>) {
        self.inner.inventory.settings().await
    }

    fn repositories(&self) -> BoxStream<'_, Result<RepositoryName, Gap>> {
        self.inner.inventory.repositories()
    }

    async fn observe(&self, repository: &RepositoryName) -> Snapshot {
        self.inner.inventory.observe(repository).await
    }

    async fn look_up(&self, repository: &RepositoryName, tag: &Tag) -> (Resolution, Option<Gap>) {
        self.inner.inventory.look_up(repository, tag).await
    }

    async fn inspect(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Inspection {
        self.inner.inventory.inspect(repository, artifact).await
    }

    async fn created(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Option<Timestamp> {
        self.inner.inventory.created(repository, artifact).await
    }

    fn locate(&self, reference: &Reference) -> Option<(RepositoryName, DeployedReference)> {
        self.inner.inventory.locate(reference)
    }

    fn selects(&self, repository: &RepositoryName) -> bool {
        self.inner.inventory.selects(repository)
    }

    fn unmatched_patterns(&self) -> Vec<String> {
        self.inner.inventory.unmatched_patterns()
    }
}

/// Another first run began the history while this one looked: these are its pins.
#[tokio::test]
async fn two_first_runs_at_once_are_no_missing_history_i14_i24() {
    let estate = Estate::with_releases(3);
    let patterns = ["shop/*"];
    let late = Late { inner: estate.memory.writable(patterns).unwrap(), policy: estate.policy.clone() };
    let source = Source { inventory: Arc::new(late), ..estate.memory.writable(patterns).unwrap() };
    let found = estate.run_on(Mode::Enforce, source).await;
    assert!(missing(&found).is_empty(), "{:?}", found.codes());
    assert!(sources_on_record(&estate.policy).await.contains(&"shop".parse().unwrap()));
}
