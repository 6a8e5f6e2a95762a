//! What the tests record, and an auditor that shares no code with the ledger.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path};
use prodpin::ledger::{Access, Ledger, LedgerError};
use prodpin::model::{
    Answers, ArtifactId, Counts, Digest, Entry, Event, Mode, RepositoryKey, RepositoryState, RunId, RunRecord,
    RunScope, SourceRecord, Tag, TagStatus, seen,
};
use sha2::{Digest as _, Sha256};

pub(crate) fn key(name: &str) -> RepositoryKey {
    RepositoryKey { source: "shop".parse().unwrap(), name: name.parse().unwrap() }
}

pub(crate) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

pub(crate) fn artifact(seed: &str) -> ArtifactId {
    ArtifactId::Manifest(Digest::sha256(seed.as_bytes()))
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn run_id(number: u64) -> RunId {
    RunId::new(at(number as i64), number)
}

pub(crate) fn entry(run: u64, repository: &RepositoryKey, event: Event) -> Entry {
    Entry { run: run_id(run), at: at(run as i64), repository: Some(repository.clone()), event }
}

pub(crate) fn tag_seen(run: u64, repository: &RepositoryKey, name: &str, bytes: &str) -> Entry {
    entry(run, repository, Event::TagSeen { tag: tag(name), artifact: artifact(bytes), created: None })
}

pub(crate) fn run_record(run: u64) -> Entry {
    let record = RunRecord {
        id: run_id(run),
        mode: Mode::Audit,
        started: at(run as i64),
        finished: at(run as i64),
        complete: true,
        scope: RunScope::default(),
        policy: Digest::sha256(b"policy"),
        counts: Counts::default(),
        findings: BTreeMap::new(),
        report: Digest::sha256(b"report"),
        answers: Answers::ForItself,
    };
    Entry { run: run_id(run), at: at(run as i64), repository: None, event: Event::Run(Box::new(record)) }
}

pub(crate) fn source_record(run: u64) -> Entry {
    let record = SourceRecord {
        source: "shop".parse().unwrap(),
        complete: true,
        counts: Counts::default(),
        seen: Digest::sha256(b"seen"),
    };
    Entry { run: run_id(run), at: at(run as i64), repository: None, event: Event::Source(record) }
}

/// What a run that recalled this state says of a repository whose tags are these; every other tag was looked up.
pub(crate) fn observe(
    run: u64,
    repository: &RepositoryKey,
    state: &RepositoryState,
    tags: &[(&str, &str)],
) -> Vec<Entry> {
    let found = tags.iter().filter_map(|(name, bytes)| seen(tag(name), artifact(bytes), None, state));
    let lost = state.tags.iter().filter(|(known, _)| !tags.iter().any(|(name, _)| known.as_str() == *name));
    let lost = lost.filter_map(|(known, history)| match history.status() {
        TagStatus::Present => Some(Event::TagAbsent { tag: known.clone() }),
        TagStatus::Absent(_) => Some(Event::TagDeleted { tag: known.clone() }),
        TagStatus::Deleted(_) => None,
    });
    found.chain(lost).map(|event| entry(run, repository, event)).collect()
}

/// One run over two repositories: a commit for each, then its records.
pub(crate) async fn whole_run(
    ledger: &Ledger,
    run: u64,
    shop: &[(&str, &str)],
    web: &[(&str, &str)],
) -> Result<(), LedgerError> {
    for (name, tags) in [("shop/api", shop), ("web/front", web)] {
        let state = ledger.recall(&key(name)).await?;
        ledger.commit(observe(run, &key(name), &state, tags)).await?;
    }
    ledger.commit(vec![source_record(run), run_record(run)]).await?;
    Ok(())
}

pub(crate) async fn open(store: &Arc<dyn ObjectStore>, access: Access) -> Result<Ledger, LedgerError> {
    Ledger::open_on(store.clone(), "the test's ledger", access).await
}

pub(crate) async fn writer(store: &Arc<dyn ObjectStore>) -> Ledger {
    open(store, Access::Write).await.unwrap()
}

pub(crate) async fn names(store: &Arc<dyn ObjectStore>, prefix: &str) -> Vec<String> {
    let listed: Vec<_> = store.list(Some(&Path::from(prefix))).try_collect().await.unwrap();
    let mut names: Vec<String> = listed.into_iter().map(|object| object.location.to_string()).collect();
    names.sort();
    names
}

pub(crate) async fn bytes(store: &Arc<dyn ObjectStore>, name: &str) -> Vec<u8> {
    store.get(&Path::from(name)).await.unwrap().bytes().await.unwrap().to_vec()
}

pub(crate) async fn put(store: &Arc<dyn ObjectStore>, name: &str, bytes: impl Into<Vec<u8>>) {
    store.put(&Path::from(name), bytes.into().into()).await.unwrap();
}

pub(crate) async fn remove(store: &Arc<dyn ObjectStore>, names: impl IntoIterator<Item = String>) {
    for name in names {
        store.delete(&Path::from(name)).await.unwrap();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 6962 section 2.1, by its own definition.
fn root(leaves: &[Vec<u8>]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    match leaves {
        [] => {}
        [leaf] => {
            hasher.update([0]);
            hasher.update(leaf);
        }
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            hasher.update([1]);
            hasher.update(root(left));
            hasher.update(root(right));
        }
    }
    hasher.finalize().into()
}

fn linked_after(link: &serde_json::Value) -> Option<(u64, String)> {
    let after = link.get("after")?;
    Some((after[0].as_u64().unwrap(), after[1].as_str().unwrap().to_owned()))
}

/// Reads a whole log from its objects alone, checks every link, and returns its entries (I9).
pub(crate) async fn audit(store: &Arc<dyn ObjectStore>) -> Vec<(u64, Entry)> {
    let (mut leaves, mut entries): (Vec<Vec<u8>>, _) = (Vec::new(), Vec::new());
    let (mut origin, mut previous) = (None, None);
    let mut touches: BTreeMap<RepositoryKey, (u64, String)> = BTreeMap::new();
    for name in names(store, "checkpoint").await {
        let body = bytes(store, &name).await;
        let sequence: u64 = name.strip_prefix("checkpoint/").unwrap().parse().unwrap();
        assert_eq!(name, format!("checkpoint/{sequence:020}"));
        let text = String::from_utf8(body.clone()).unwrap();
        // Signatures, after a blank line, are no part of what the next checkpoint names.
        let text = text.split_once("\n\n").map_or(text.clone(), |(body, _)| format!("{body}\n"));
        if text.is_empty() {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        // A stranger's file under a number of its own: the next commit follows the last one all the same.
        let follows = previous.as_ref().is_none_or(|previous| lines.contains(&&*format!("previous {previous}")));
        if !follows || !lines.contains(&&*format!("commit {sequence}")) && lines.contains(&"schema 3") {
            continue;
        }
        assert_eq!(*origin.get_or_insert_with(|| lines[0].to_owned()), lines[0]);
        assert!(matches!(lines[3], "schema 1" | "schema 2" | "schema 3"), "{}", lines[3]);
        let batch = lines[4].strip_prefix("batch ").unwrap();
        assert_eq!(lines[5].strip_prefix("previous ").map(str::to_owned), previous, "{name}");
        let mut plain = Vec::new();
        let packed = bytes(store, &format!("batch/{batch}")).await;
        zstd::Decoder::new(&packed[..]).unwrap().read_to_end(&mut plain).unwrap();
        assert_eq!(hex(&Sha256::digest(&plain)), batch);
        let mut linked = BTreeMap::new();
        for line in String::from_utf8(plain).unwrap().lines() {
            let entry: Entry = serde_json::from_str(line).unwrap();
            let whole = serde_json::to_string(&entry).unwrap();
            let link: serde_json::Value = serde_json::from_str::<serde_json::Value>(line).unwrap()["link"].clone();
            if link.is_null() {
                assert_eq!(whole, line, "a line is canonical");
            } else {
                let link = linked_after(&link);
                assert!(line.starts_with(&format!("{},\"link\":{{", whole.strip_suffix('}').unwrap())), "{line}");
                linked.insert(entry.repository.clone().unwrap(), link);
            }
            entries.push((sequence, entry));
            leaves.push(line.as_bytes().to_vec());
        }
        let about: std::collections::BTreeSet<_> = (entries.iter())
            .filter(|(at, _)| *at == sequence)
            .filter_map(|(_, entry)| entry.repository.clone())
            .collect();
        let links = lines[3] == "schema 3";
        assert!(!links || lines.contains(&&*format!("commit {sequence}")), "{name}");
        assert!(linked.keys().eq(about.iter().filter(|_| links)), "each repository has one link, from schema 3 on");
        for repository in about {
            let before = touches.insert(repository.clone(), (sequence, format!("sha256:{batch}")));
            if links {
                assert_eq!(linked[&repository], before, "a link names the commit before");
            }
        }
        assert_eq!(lines[1], leaves.len().to_string());
        assert_eq!(lines[2], STANDARD.encode(root(&leaves)), "{name}");
        previous = Some(hex(&Sha256::digest(text.as_bytes())));
    }
    entries
}
