//! Whoever can write to a signed ledger and has neither its key nor what remembers it outside: any file, of whatever kind, is
//! removed, put back as it was, exchanged with another, changed or added. What is answered is what an untouched ledger
//! answers, or it is said that something is wrong (I9, I12, I23, I24, F97, F99, F101).

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use prodpin::ledger::{Access, Ledger, LedgerError};
use prodpin::model::Digest;
use prodpin::policy::{LedgerLocation, Safeguards};
use proptest::prelude::*;

use super::tampering::copy;
use super::world::*;

const NAMES: [&str; 3] = ["shop/api", "web/front", "web/back"];
const RUNS: u64 = 7;

/// A ledger, what it was some runs ago, and what it answers.
struct Known {
    folder: tempfile::TempDir,
    answers: Vec<(String, String)>,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            for run in 1..=RUNS {
                let ledger = open(folder.path(), Access::Write).await.unwrap();
                for name in NAMES {
                    let state = ledger.recall(&key(name)).await.unwrap();
                    let bytes = format!("{name} {}", run / 2);
                    // Enough for a whole tile.
                    let many: Vec<(String, &str)> = (0..20).map(|n| (format!("v{run}.{n}"), "same")).collect();
                    let mut tags: Vec<(&str, &str)> = many.iter().map(|(tag, bytes)| (tag.as_str(), *bytes)).collect();
                    tags.push(("latest", &bytes));
                    ledger.commit(observe(run, &key(name), &state, &tags)).await.unwrap();
                }
                let report = ledger.put_report(report_of(run).as_bytes()).await.unwrap();
                let mut record = run_record(run);
                if let prodpin::model::Event::Run(run) = &mut record.event {
                    run.report = report;
                }
                ledger.commit(vec![source_record(run), record]).await.unwrap();
                if run == 4 {
                    copy(&folder.path().join("ledger"), &folder.path().join("older"));
                }
            }
            let ledger = open(folder.path(), Access::Read).await.unwrap();
            let answers =
                answers(&ledger).await.into_iter().map(|(name, reported)| (name, reported.unwrap())).collect();
            Known { folder, answers }
        })
    })
}

fn report_of(run: u64) -> String {
    format!("report of run {run}\n")
}

async fn open(folder: &Path, access: Access) -> Result<Ledger, LedgerError> {
    Ledger::open_with(&LedgerLocation::Directory(folder.join("ledger")), &Safeguards::default(), access).await
}

/// Everything that can be asked, each with what is answered.
async fn answers(ledger: &Ledger) -> Vec<(String, Result<String, LedgerError>)> {
    fn reported<T: std::fmt::Debug>(answer: Result<T, LedgerError>) -> Result<String, LedgerError> {
        answer.map(|answer| format!("{answer:?}"))
    }
    let mut all = Vec::new();
    for name in NAMES {
        all.push((format!("state of {name}"), reported(ledger.recall(&key(name)).await)));
        all.push((format!("history of {name}"), reported(ledger.history(&key(name), None).await)));
        let unreported = ledger.unreported(&key(name)).await.map(|unreported| unreported.events.len());
        all.push((format!("untold of {name}"), reported(unreported)));
    }
    all.push(("runs".to_owned(), reported(ledger.runs(100).await)));
    for run in 1..=RUNS {
        all.push((format!("run {run}"), reported(ledger.find_run(&run_id(run)).await)));
        let body = ledger.report(&Digest::sha256(report_of(run).as_bytes())).await.map(drop);
        all.push((format!("report {run}"), reported(body)));
    }
    let small = (ledger.head(), ledger.newest(), ledger.sources(), ledger.repositories(&"shop".parse().unwrap()));
    all.push(("the rest".to_owned(), Ok(format!("{small:?}"))));
    all
}

/// What is asked of a ledger that was attacked is answered as before, or refused.
async fn is_right_or_refuses(folder: &Path, access: Access, how: &str) {
    let mut ledger = match open(folder, access).await {
        Ok(ledger) => ledger,
        Err(_) => return,
    };
    // Commands that judge ask this first; the others print it.
    if ledger.must_be_remembered().is_err() {
        return;
    }
    for ((name, expected), (_, found)) in known().answers.iter().zip(answers(&ledger).await) {
        if let Ok(found) = found {
            assert_eq!(found, *expected, "{how}: {access:?}: {name}");
        }
    }
}

#[derive(Debug, Clone)]
enum Attack {
    Remove(usize),
    PutBack(usize),
    Exchange(usize, usize),
    CopyOver(usize, usize),
    Flip {
        file: usize,
        at: usize,
        bit: u8,
    },
    Cut {
        file: usize,
        to: usize,
    },
    /// A copy of a checkpoint, or garbage, under a number after the last.
    Add {
        copied: Option<usize>,
        gap: u64,
    },
}

fn attack() -> impl Strategy<Value = Attack> {
    let file = any::<usize>();
    prop_oneof![
        file.prop_map(Attack::Remove),
        file.prop_map(Attack::PutBack),
        (file, any::<usize>()).prop_map(|(one, other)| Attack::Exchange(one, other)),
        (file, any::<usize>()).prop_map(|(one, other)| Attack::CopyOver(one, other)),
        (file, any::<usize>(), 0..8_u8).prop_map(|(file, at, bit)| Attack::Flip { file, at, bit }),
        (file, any::<usize>()).prop_map(|(file, to)| Attack::Cut { file, to }),
        (proptest::option::of(any::<usize>()), 1..4_u64).prop_map(|(copied, gap)| Attack::Add { copied, gap }),
    ]
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// One of the files, each kind as often as the others: there are many more batches than indexes.
fn pick(folder: &Path, number: usize) -> PathBuf {
    let kinds = ["batch", "checkpoint", "report", "tile", "view/repository", "view/index"];
    let kind = folder.join(kinds[number % kinds.len()]);
    let of_kind = if kind.is_dir() { files(&kind) } else { vec![kind] };
    of_kind.get(number / kinds.len() % of_kind.len().max(1)).cloned().unwrap_or_else(|| folder.join("view/index"))
}

/// Carries it out in `ledger`, with what is in `older` at hand.
fn carry_out(folder: &Path, attack: &Attack) -> std::io::Result<()> {
    let (ledger, older) = (folder.join("ledger"), folder.join("older"));
    let read = |file: &Path| std::fs::read(file);
    match attack {
        Attack::Remove(file) => std::fs::remove_file(pick(&ledger, *file)),
        Attack::PutBack(file) => {
            let before = pick(&older, *file);
            std::fs::copy(&before, ledger.join(before.strip_prefix(&older).unwrap())).map(drop)
        }
        Attack::Exchange(one, other) => {
            let (one, other) = (pick(&ledger, *one), pick(&ledger, *other));
            let (first, second) = (read(&one)?, read(&other)?);
            std::fs::write(one, second)?;
            std::fs::write(other, first)
        }
        Attack::CopyOver(one, other) => std::fs::write(pick(&ledger, *one), read(&pick(&ledger, *other))?),
        Attack::Flip { file, at, bit } => {
            let file = pick(&ledger, *file);
            let mut bytes = read(&file)?;
            let at = at % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
            std::fs::write(file, bytes)
        }
        Attack::Cut { file, to } => {
            let file = pick(&ledger, *file);
            let bytes = read(&file)?;
            std::fs::write(file, &bytes[..to % bytes.len().max(1)])
        }
        Attack::Add { copied, gap } => {
            let all = files(&ledger.join("checkpoint"));
            let bytes = match copied {
                Some(number) if !all.is_empty() => read(&all[number % all.len()])?,
                _ => b"some\nother\nprogram's\nfile\n".to_vec(),
            };
            std::fs::write(ledger.join(format!("checkpoint/{:020}", all.len() as u64 + gap)), bytes)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_to_any_file_the_answers_are_right_or_refused_i9_i12_i23_i24(
        attacks in proptest::collection::vec(attack(), 1..4)
    ) {
        let folder = tempfile::tempdir().unwrap();
        copy(known().folder.path(), folder.path());
        for attack in &attacks {
            // A file that an attack before has taken away.
            let _ = carry_out(folder.path(), attack);
        }
        let how = format!("{attacks:?}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            is_right_or_refuses(folder.path(), Access::Read, &how).await;
            is_right_or_refuses(folder.path(), Access::Write, &how).await;
            // What the writer brought up to date is right as well.
            is_right_or_refuses(folder.path(), Access::Read, &how).await;
        });
    }
}
