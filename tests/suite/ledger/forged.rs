//! Whoever can write to the ledger and has no key: every file that no signature covers is dropped, put back, exchanged,
//! edited and packed again, or blown up. What is known stays what a reading of all signed commits comes to, and what was
//! wrong is reported; what is only stale is not (I23, F97, F99, F102).

use std::io::Write as _;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use prodpin::ledger::{Access, Ledger, LedgerError};
use prodpin::model::{Entry, RepositoryState, RunRecord};
use proptest::prelude::*;

use super::world::*;

const NAMES: [&str; 2] = ["shop/api", "web/front"];

/// Everything that can be asked of a ledger.
#[derive(Debug, PartialEq)]
struct Knowledge {
    states: Vec<RepositoryState>,
    histories: Vec<Vec<(u64, Entry)>>,
    runs: Vec<RunRecord>,
    newest: Option<jiff::Timestamp>,
    repositories: usize,
    found: Option<RunRecord>,
    unreported: usize,
}

async fn knowledge(ledger: &Ledger) -> Knowledge {
    let (mut states, mut histories, mut unreported) = (Vec::new(), Vec::new(), 0);
    for name in NAMES {
        states.push(ledger.recall(&key(name)).await.unwrap());
        histories.push(ledger.history(&key(name), None).await.unwrap());
        unreported += ledger.unreported(&key(name)).await.unwrap().events.len();
    }
    let runs = ledger.runs(100).await.unwrap().into_iter().map(|(run, _)| run).collect();
    let found = ledger.find_run(&run_id(2)).await.unwrap().map(|(run, _)| run);
    let repositories = ledger.repositories(&"shop".parse().unwrap()).len();
    Knowledge { states, histories, runs, newest: ledger.newest(), repositories, found, unreported }
}

/// Runs of which each moves a tag; the last is followed by one that never closed.
async fn runs(ledger: &Ledger, first: u64, last: u64) {
    for run in first..last {
        let latest = format!("bytes of {run}");
        whole_run(ledger, run, &[("v1", "a"), ("latest", &latest)], &[("v1", "x"), ("v2", &latest)]).await.unwrap();
    }
}

pub(super) async fn copy_of(store: &Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    let copy: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for name in names(store, "").await {
        put(&copy, &name, bytes(store, &name).await).await;
    }
    copy
}

/// A ledger, the same some runs ago, and what it says.
async fn grown() -> (Arc<dyn ObjectStore>, Arc<dyn ObjectStore>, Knowledge) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    runs(&writer(&store).await, 1, 4).await;
    let older = copy_of(&store).await;
    let ledger = writer(&store).await;
    runs(&ledger, 4, 7).await;
    let state = ledger.recall(&key("shop/api")).await.unwrap();
    ledger.commit(observe(9, &key("shop/api"), &state, &[("v1", "a"), ("latest", "of one that died")])).await.unwrap();
    let expected = knowledge(&rebuilt(&store).await).await;
    (store, older, expected)
}

/// What a reading of all that is signed comes to.
async fn rebuilt(store: &Arc<dyn ObjectStore>) -> Ledger {
    let bare = copy_of(store).await;
    let derived: Vec<String> = [names(&bare, "view").await, names(&bare, "tile").await].concat();
    remove(&bare, derived).await;
    writer(&bare).await
}

fn unpack(packed: &[u8]) -> String {
    String::from_utf8(zstd::decode_all(packed).unwrap()).unwrap()
}

/// With a checksum that is right.
fn pack(text: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

async fn edit(store: &Arc<dyn ObjectStore>, name: &str, change: impl FnOnce(String) -> String) {
    let before = unpack(&bytes(store, name).await);
    let after = change(before.clone());
    assert_ne!(after, before, "{name}");
    put(store, name, pack(after.as_bytes())).await;
}

fn view(name: &str) -> String {
    let digest = prodpin::model::Digest::sha256(format!("shop\n{name}").as_bytes());
    format!("view/repository/{}", digest.hex())
}

/// Reading and writing know what a rebuilt ledger knows. Says whether each told that something was wrong.
async fn believed(store: &Arc<dyn ObjectStore>, expected: &Knowledge, how: &str) -> [bool; 2] {
    let reader = open(store, Access::Read).await.unwrap();
    assert_eq!(&knowledge(&reader).await, expected, "{how}: reading");
    let writing = writer(store).await;
    assert_eq!(&knowledge(&writing).await, expected, "{how}: writing");
    let again = writer(store).await;
    assert_eq!(&knowledge(&again).await, expected, "{how}: afterwards");
    assert_eq!(again.distrusted().in_words(), None, "{how}: it was put right");
    [reader, writing].map(|ledger| ledger.distrusted().in_words().is_some())
}

#[tokio::test]
async fn the_attacks_of_the_field_change_nothing_and_are_told_i23_f97() {
    for attack in ["bytes", "forgotten", "no repositories", "no runs", "not settled", "exchanged"] {
        let (store, _, expected) = grown().await;
        let api = view("shop/api");
        match attack {
            // The re-pushed release is what was known before.
            "bytes" => {
                let (was, is) = (artifact("a").to_string(), artifact("the attacker's").to_string());
                edit(&store, &api, |text| text.replace(&was, &is)).await;
            }
            // Deleted releases are never missed.
            "forgotten" => {
                edit(&store, &api, |text| {
                    let (first, body) = text.split_once('\n').unwrap();
                    let mut body: serde_json::Value = serde_json::from_str(body).unwrap();
                    body["state"]["tags"].as_object_mut().unwrap().remove("v1").unwrap();
                    format!("{first}\n{body}")
                })
                .await;
            }
            // All is seen for the first time.
            "no repositories" => {
                edit(&store, "view/index", |text| text.lines().take(2).map(|line| format!("{line}\n")).collect()).await;
            }
            // `report` shows the run before.
            "no runs" => {
                edit(&store, "view/index", |text| {
                    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                    let mut small: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
                    small["runs"].as_array_mut().unwrap().pop().unwrap();
                    lines[1] = small.to_string();
                    lines.join("\n") + "\n"
                })
                .await;
            }
            // What a run that died recorded is reported by nobody.
            "not settled" => {
                edit(&store, "view/index", |text| {
                    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                    let mut small: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
                    small["newest"] = serde_json::Value::Null;
                    lines[1] = small.to_string();
                    lines.join("\n") + "\n"
                })
                .await;
            }
            _ => {
                let other = bytes(&store, &view("web/front")).await;
                put(&store, &api, other).await;
            }
        }
        assert_eq!(believed(&store, &expected, attack).await, [true, true], "{attack} is told");
    }
}

#[tokio::test]
async fn what_is_only_stale_lost_or_torn_is_not_told_i15_i23_f99() {
    let (_, older, _) = grown().await;
    for how in ["older", "older views", "older index", "gone", "views gone", "torn"] {
        let (store, _, expected) = grown().await;
        let all = names(&store, "view").await;
        let chosen = all.iter().filter(|name| match how {
            "older views" | "views gone" => name.starts_with("view/repository"),
            "older index" => *name == "view/index",
            _ => true,
        });
        for name in chosen.cloned().collect::<Vec<_>>() {
            match how {
                "gone" | "views gone" => remove(&store, [name]).await,
                "torn" => {
                    let content = bytes(&store, &name).await;
                    put(&store, &name, &content[..content.len() * 2 / 3]).await;
                }
                // Those of another ledger, which are as good as none; of this one below.
                _ => put(&store, &name, bytes(&older, &name).await).await,
            }
        }
        assert_eq!(believed(&store, &expected, how).await, [false, false], "{how}");
    }
    // Its own, from some runs ago.
    for index in [true, false] {
        let (store, older, expected) = grown().await;
        for name in names(&older, "view").await.into_iter().filter(|name| index || name != "view/index") {
            put(&store, &name, bytes(&older, &name).await).await;
        }
        assert_eq!(believed(&store, &expected, "its own").await, [false, false]);
    }
}

#[tokio::test]
async fn a_head_that_no_checkpoint_proves_stops_nobody_i23_f101() {
    let (store, _, expected) = grown().await;
    edit(&store, "view/index", |text| {
        let sequence = open_sequence(&text);
        text.replacen(&format!("\"sequence\":{sequence}"), "\"sequence\":4611686018427387904", 1)
    })
    .await;
    assert_eq!(believed(&store, &expected, "far ahead").await, [true, true]);
    let (store, _, expected) = grown().await;
    edit(&store, &view("shop/api"), |text| {
        let sequence = open_sequence(&text);
        text.replacen(&format!("\"latest\":[{sequence}"), "\"latest\":[4611686018427387904", 1)
    })
    .await;
    assert_eq!(believed(&store, &expected, "a view far ahead").await, [true, true]);
}

fn open_sequence(text: &str) -> u64 {
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    first["sequence"].as_u64().unwrap()
}

/// A small file that unpacks to gigabytes: no more of it is unpacked than was promised, and what is wrong is reported.
#[tokio::test]
async fn a_file_that_unpacks_to_gigabytes_is_not_followed_f102_i20() {
    let bomb = |first: &[u8]| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.write_all(first).unwrap();
        std::io::copy(&mut std::io::Read::take(std::io::repeat(b' '), 2 << 30), &mut encoder).unwrap();
        encoder.finish().unwrap()
    };
    let (store, _, expected) = grown().await;
    for name in ["view/index".to_owned(), view("shop/api")] {
        let envelope = unpack(&bytes(&store, &name).await).lines().next().unwrap().to_owned() + "\n";
        put(&store, &name, bomb(envelope.as_bytes())).await;
    }
    let began = std::time::Instant::now();
    let before = peak();
    assert_eq!(believed(&store, &expected, "bombs").await, [true, true]);
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    assert!(peak() < before + 256, "from {before} to {} MiB", peak());
}

/// The most memory that this process ever had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}

#[derive(Debug, Clone)]
pub(super) enum Attack {
    Drop(usize),
    PutBack(usize),
    Exchange(usize, usize),
    /// One byte of the unpacked text.
    Edit {
        file: usize,
        at: usize,
        to: u8,
        body: bool,
    },
    /// A piece of the unpacked text is left out.
    Cut {
        file: usize,
        from: usize,
        length: usize,
        body: bool,
    },
    /// The packed bytes.
    Flip {
        file: usize,
        at: usize,
    },
}

fn attacks() -> impl Strategy<Value = Vec<Attack>> {
    let file = 0..64_usize;
    let attack = prop_oneof![
        1 => file.clone().prop_map(Attack::Drop),
        2 => file.clone().prop_map(Attack::PutBack),
        2 => (file.clone(), file.clone()).prop_map(|(one, other)| Attack::Exchange(one, other)),
        4 => (file.clone(), any::<usize>(), b' '..b'~').prop_map(|(file, at, to)| Attack::Edit { file, at, to, body: false }),
        3 => (file.clone(), any::<usize>(), 1..200_usize)
            .prop_map(|(file, from, length)| Attack::Cut { file, from, length, body: false }),
        1 => (file, any::<usize>()).prop_map(|(file, at)| Attack::Flip { file, at }),
    ];
    proptest::collection::vec(attack, 1..4)
}

/// A place in a text, or in what follows its first line.
fn within(text: &[u8], at: usize, body: bool) -> usize {
    let first = if body { text.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1) } else { 0 };
    first + at % (text.len() - first).max(1)
}

/// Does it to a ledger; `older` is the same one a while ago.
pub(super) async fn carry_out(store: &Arc<dyn ObjectStore>, older: &Arc<dyn ObjectStore>, attack: &Attack) {
    let all: Vec<String> = [names(store, "view").await, names(store, "tile").await].concat();
    if all.is_empty() {
        return;
    }
    let name = |file: usize| all[file % all.len()].clone();
    match attack {
        Attack::Drop(file) => remove(store, [name(*file)]).await,
        Attack::PutBack(file) => {
            let before: Vec<String> = names(older, "view").await;
            if before.is_empty() {
                return;
            }
            let name = &before[file % before.len()];
            put(store, name, bytes(older, name).await).await;
        }
        Attack::Exchange(one, other) => {
            let (one, other) = (name(*one), name(*other));
            let (first, second) = (bytes(store, &one).await, bytes(store, &other).await);
            put(store, &one, second).await;
            put(store, &other, first).await;
        }
        Attack::Edit { file, at, to, body } => {
            let name = name(*file);
            let Ok(mut text) = zstd::decode_all(&bytes(store, &name).await[..]) else { return };
            let at = within(&text, *at, *body);
            if let Some(byte) = text.get_mut(at) {
                *byte = *to;
                put(store, &name, pack(&text)).await;
            }
        }
        Attack::Cut { file, from, length, body } => {
            let name = name(*file);
            let Ok(mut text) = zstd::decode_all(&bytes(store, &name).await[..]) else { return };
            let from = within(&text, *from, *body);
            let end = text.len().min(from + length);
            text.drain(from.min(end)..end);
            put(store, &name, pack(&text)).await;
        }
        Attack::Flip { file, at } => {
            let name = name(*file);
            let mut content = bytes(store, &name).await;
            let at = at % content.len().max(1);
            if let Some(byte) = content.get_mut(at) {
                *byte ^= 1;
                put(store, &name, content).await;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_without_the_key_verdicts_are_those_of_the_signed_commits_i23(attacks in attacks()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, older, expected) = grown().await;
            for attack in &attacks {
                carry_out(&store, &older, attack).await;
            }
            let reader = open(&store, Access::Read).await.unwrap();
            assert_eq!(&knowledge(&reader).await, &expected, "reading");
            // In a log without a key nobody can tell a head that was lost from one that somebody made up.
            let writing = match open(&store, Access::Write).await {
                Err(LedgerError::RolledBack { .. }) => return,
                writing => writing.unwrap(),
            };
            assert_eq!(&knowledge(&writing).await, &expected, "writing");
            // And what comes next is what would have come.
            runs(&writing, 20, 22).await;
            let again = knowledge(&writer(&store).await).await;
            assert_eq!(again, knowledge(&rebuilt(&store).await).await, "afterwards");
        });
    }
}
