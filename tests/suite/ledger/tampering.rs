//! Everything that someone with write access may do to a ledger in a directory, each as one row (F57, F58, F60).

use std::path::{Path, PathBuf};

use prodpin::ledger::{Access, Ledger};
use prodpin::policy::{KeyLocation, LedgerLocation, Safeguards};

use super::world::*;

/// A signed ledger of three runs and 606 entries, so that there are two whole tiles, with its folder.
pub(crate) struct Signed {
    pub(crate) folder: tempfile::TempDir,
}

impl Signed {
    pub(crate) async fn new() -> Self {
        let signed = Self { folder: tempfile::tempdir().unwrap() };
        for run in 1..4 {
            let ledger = signed.writer().await;
            let entries =
                (0..200).map(|n| tag_seen(run, &key(&format!("shop/{}", n % 3)), &format!("v{run}-{n}"), "a"));
            ledger.commit(entries.collect()).await.unwrap();
            let report = ledger.put_report(format!("report of run {run}\n").as_bytes()).await.unwrap();
            let mut record = run_record(run);
            if let prodpin::model::Event::Run(run) = &mut record.event {
                run.report = report;
            }
            ledger.commit(vec![source_record(run), record]).await.unwrap();
        }
        signed
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    pub(crate) fn location(&self) -> LedgerLocation {
        LedgerLocation::Directory(self.path())
    }

    pub(crate) async fn writer(&self) -> Ledger {
        Ledger::open_with(&self.location(), &Safeguards::default(), Access::Write).await.unwrap()
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn checkpoint(ledger: &Path, sequence: u64) -> PathBuf {
    ledger.join(format!("checkpoint/{sequence:020}"))
}

fn batch(ledger: &Path, sequence: u64) -> PathBuf {
    let text = std::fs::read_to_string(checkpoint(ledger, sequence)).unwrap();
    ledger.join("batch").join(text.lines().find_map(|line| line.strip_prefix("batch ")).unwrap())
}

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(file).unwrap();
    change(&mut bytes);
    std::fs::write(file, bytes).unwrap();
}

fn lines_of(file: &Path) -> Vec<String> {
    let text = zstd::decode_all(&std::fs::read(file).unwrap()[..]).unwrap();
    String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
}

fn store_lines(file: &Path, lines: &[String]) {
    std::fs::write(file, zstd::encode_all((lines.join("\n") + "\n").as_bytes(), 3).unwrap()).unwrap();
}

/// A ledger of the same past whose key another person holds: what a forger can make.
async fn forged(from: &Path, folder: &Path) -> PathBuf {
    let forged = folder.join("forged");
    copy(from, &forged);
    std::fs::remove_dir_all(forged.join("view")).unwrap();
    for sequence in 1..7 {
        std::fs::remove_file(checkpoint(&forged, sequence)).unwrap();
    }
    let safeguards = Safeguards { key: KeyLocation::File(folder.join("stranger.key")), ..Safeguards::default() };
    for run in 1..4 {
        let ledger = Ledger::open_with(&LedgerLocation::Directory(forged.clone()), &safeguards, Access::Write).await;
        ledger.unwrap().commit(vec![tag_seen(run, &key("shop/0"), &format!("v{run}"), "forged")]).await.unwrap();
    }
    forged
}

/// What was done, the object that must be named, and the entry where one is at fault.
pub(crate) type Tampering = (&'static str, String, Option<u64>);

/// How many rows there are.
pub(crate) const ROWS: usize = 17;

/// Does what a row says to the ledger at this path.
pub(crate) async fn tamper(row: usize, ledger: &Path) -> Tampering {
    let name = |file: &Path| file.strip_prefix(ledger).unwrap().to_str().unwrap().to_owned();
    let edit = |sequence: u64, from: &str, to: &str| {
        let file = checkpoint(ledger, sequence);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        name(&file)
    };
    match row {
        0 => {
            let file = batch(ledger, 1);
            change(&file, |bytes| bytes[100] ^= 4);
            ("one bit of a batch flipped", name(&file), None)
        }
        1 => {
            let file = batch(ledger, 3);
            let mut lines = lines_of(&file);
            lines.swap(10, 20);
            store_lines(&file, &lines);
            ("two entries swapped", name(&file), Some(212))
        }
        2 => {
            let file = batch(ledger, 3);
            let mut lines = lines_of(&file);
            lines[7] = lines[7].replace("v2-7", "v2-8");
            store_lines(&file, &lines);
            ("one entry reworded", name(&file), Some(209))
        }
        3 => {
            let file = batch(ledger, 5);
            let mut lines = lines_of(&file);
            lines.remove(0);
            store_lines(&file, &lines);
            ("the first entry of a batch left out", name(&file), Some(404))
        }
        4 => {
            let file = batch(ledger, 2);
            std::fs::remove_file(&file).unwrap();
            ("a batch removed", name(&file), Some(200))
        }
        5 => {
            let file = checkpoint(ledger, 3);
            std::fs::remove_file(&file).unwrap();
            ("a checkpoint removed", name(&file), None)
        }
        6 => {
            let (two, three) = (checkpoint(ledger, 2), checkpoint(ledger, 3));
            let content = std::fs::read(&two).unwrap();
            std::fs::copy(&three, &two).unwrap();
            std::fs::write(&three, content).unwrap();
            ("two checkpoints swapped", name(&two), None)
        }
        7 => ("the previous checkpoint renamed", edit(4, "previous ", "previous 0"), None),
        8 => {
            let file = checkpoint(ledger, 4);
            let text = std::fs::read_to_string(&file).unwrap();
            let (body, _) = text.split_once("\n\n").unwrap();
            let unsigned: String =
                body.lines().filter(|line| !line.starts_with("key ")).map(|l| format!("{l}\n")).collect();
            std::fs::write(&file, unsigned).unwrap();
            ("signature and key taken off", name(&file), None)
        }
        9 => {
            let file = checkpoint(ledger, 4);
            change(&file, |bytes| {
                let at = bytes.len() - 20;
                bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            });
            ("one letter of a signature changed", name(&file), None)
        }
        10 => {
            let folder = tempfile::tempdir().unwrap();
            let forged = forged(ledger, folder.path()).await;
            for sequence in 1..4 {
                std::fs::copy(checkpoint(&forged, sequence), checkpoint(ledger, sequence)).unwrap();
                let content = std::fs::read(batch(&forged, sequence)).unwrap();
                std::fs::write(batch(ledger, sequence), content).unwrap();
            }
            ("the beginning replaced by a stranger's", name(&checkpoint(ledger, 4)), None)
        }
        11 => {
            let file = ledger.join("tile/0/001");
            change(&file, |bytes| bytes[3 * 32] ^= 1);
            ("one hash of a tile changed", name(&file), Some(256 + 3))
        }
        12 => {
            let file = ledger.join("tile/0/002.p/94");
            change(&file, |bytes| bytes[0] ^= 1);
            ("a hash of a partial tile changed", name(&file), Some(512))
        }
        13 => {
            let folder = ledger.join("view/repository");
            let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
            let text = String::from_utf8(zstd::decode_all(&std::fs::read(&file).unwrap()[..]).unwrap()).unwrap();
            let changed = text.replacen("v1-", "w1-", 1);
            assert_ne!(changed, text);
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            std::io::Write::write_all(&mut encoder, changed.as_bytes()).unwrap();
            std::fs::write(&file, encoder.finish().unwrap()).unwrap();
            ("a view reworded", name(&file), None)
        }
        14 => {
            let file = std::fs::read_dir(ledger.join("report")).unwrap().next().unwrap().unwrap().path();
            std::fs::write(&file, zstd::encode_all(&b"all is well\n"[..], 3).unwrap()).unwrap();
            ("a report replaced", name(&file), None)
        }
        15 => {
            let file = std::fs::read_dir(ledger.join("report")).unwrap().next().unwrap().unwrap().path();
            std::fs::remove_file(&file).unwrap();
            ("a report removed", name(&file), None)
        }
        16 => {
            for sequence in 5..7 {
                std::fs::remove_file(checkpoint(ledger, sequence)).unwrap();
            }
            std::fs::remove_dir_all(ledger.join("view")).unwrap();
            ("the last run cut off", "tile/0/002.p/94".to_owned(), None)
        }
        _ => panic!("there is no row {row}"),
    }
}
