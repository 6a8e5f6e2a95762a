//! Killed by the operating system, again and again, on a local directory (F87): what was reported stands, and the next
//! writer goes on as if nothing had happened (I9, I15).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use prodpin::ledger::{Access, Ledger, Verify};
use prodpin::policy::{LedgerLocation, Safeguards};

use super::world::*;

const PLACE: &str = "PRODPIN_TEST_KILLED_LEDGER";
const ROUNDS: u64 = 10;

#[tokio::test]
async fn kill_9_loses_nothing_that_was_told_and_needs_no_repair_i9_i15_f62_f87() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut reported: Vec<String> = Vec::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ledger::killed::commits_until_it_is_killed", "--ignored", "--nocapture"])
            .env(PLACE, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let heard = lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("TOLD ")?.1.to_owned()));
        reported.extend(heard.take(1 + round as usize % 3));
        // Somewhere in the next commit: batch, checkpoint, tiles, views, index.
        std::thread::sleep(Duration::from_micros(1_700 * round));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(reported.len() as u64 >= ROUNDS, "{reported:?}");
    let location = LedgerLocation::Directory(path);
    let found = Ledger::verify(&location, &Verify::default()).await.unwrap();
    assert!(found.holds(), "{:?}", found.damage);
    let reader = Ledger::open(&location, Access::Read).await.unwrap();
    for position in &reported {
        let (sequence, root) = position.split_once(':').unwrap();
        let checkpoint = reader.checkpoint(sequence.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(checkpoint.note.lines().nth(2), Some(root), "commit {sequence} was told");
    }
    // One clean run later nothing tells of it: not even a tile is missing.
    let ledger = Ledger::open_with(&location, &Safeguards::default(), Access::Write).await.unwrap();
    let mut record = run_record(99);
    if let prodpin::model::Event::Run(run) = &mut record.event {
        run.report = ledger.put_report(&b"a report\n"[..]).await.unwrap();
    }
    ledger.commit(vec![record]).await.unwrap();
    let found = Ledger::verify(&location, &Verify::default()).await.unwrap();
    assert!(found.holds() && found.notes.is_empty(), "{:?} {:?}", found.damage, found.notes);
}

#[tokio::test]
#[ignore = "started and killed by kill_9_loses_nothing_that_was_told_and_needs_no_repair_i9_i15_f62_f87"]
async fn commits_until_it_is_killed() {
    let Some(place) = std::env::var_os(PLACE) else { return };
    let location = LedgerLocation::Directory(PathBuf::from(place));
    let ledger = Ledger::open_with(&location, &Safeguards::default(), Access::Write).await.unwrap();
    let first = ledger.head().map_or(0, |head| head.sequence);
    for run in first + 1.. {
        let entries = (0..100).map(|n| tag_seen(run, &key(&format!("shop/{}", n % 4)), &format!("v{run}-{n}"), "a"));
        let head = ledger.commit(entries.chain([source_record(run)]).collect()).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "TOLD {}:{}", head.sequence, head.root_base64()).unwrap();
        out.flush().unwrap();
    }
}
