//! A reading of a whole log that is cut off: what was done so far is kept, signed where the log is, and the next run goes on
//! from there (F111). The logs are written here as the release before wrote them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use prodpin::ledger::{Access, Ledger, LedgerError};
use prodpin::model::{Digest, RepositoryState};
use prodpin::policy::{KeyLocation, LedgerLocation, Safeguards};
use sha2::{Digest as _, Sha256};

use super::world::*;

/// More than what is done between two times that progress is kept.
const COMMITS: u64 = 600;
const ORIGIN: &str = "prodpin/0123456789abcdef0123456789abcdef";

struct Old {
    folder: tempfile::TempDir,
    key: Option<SigningKey>,
}

fn key_text(key: &SigningKey) -> (String, String) {
    let bytes = [&[1][..], key.verifying_key().as_bytes()].concat();
    let id = Sha256::digest([ORIGIN.as_bytes(), b"\n", &bytes].concat());
    let id: String = id[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    (format!("{ORIGIN}+{id}+{}", STANDARD.encode(bytes)), id)
}

impl Old {
    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    async fn open(&self, access: Access) -> Result<Ledger, LedgerError> {
        let file = KeyLocation::File(self.folder.path().join("key"));
        let safeguards =
            if self.key.is_some() { Safeguards { key: file, ..Safeguards::default() } } else { Safeguards::none() };
        Ledger::open_with(&LedgerLocation::Directory(self.path()), &safeguards, access).await
    }

    /// Each commit sees one tag more in one of three repositories.
    fn write(signed: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = signed.then(|| SigningKey::from_bytes(&[5; 32]));
        let old = Self { folder, key };
        for name in ["batch", "checkpoint"] {
            std::fs::create_dir_all(old.path().join(name)).unwrap();
        }
        if let Some(key) = &old.key {
            let seed = STANDARD.encode([&[1][..], key.as_bytes()].concat());
            let file = old.folder.path().join("key");
            std::fs::write(&file, format!("PRIVATE+KEY+{ORIGIN}+{}+{seed}\n", key_text(key).1)).unwrap();
            #[cfg(unix)]
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
        // The roots of the perfect subtrees so far, each with its height.
        let mut edge: Vec<(u32, [u8; 32])> = Vec::new();
        let mut previous: Option<String> = None;
        for n in 1..=COMMITS {
            let entry = tag_seen(n, &key_of(n), &format!("v{n}"), &n.to_string());
            let line = serde_json::to_string(&entry).unwrap();
            let mut node: [u8; 32] = Sha256::digest([&[0][..], line.as_bytes()].concat()).into();
            let mut height = 0;
            while edge.last().is_some_and(|(last, _)| *last == height) {
                let (_, left) = edge.pop().unwrap();
                node = Sha256::digest([&[1][..], &left, &node].concat()).into();
                height += 1;
            }
            edge.push((height, node));
            let root = edge
                .iter()
                .rev()
                .map(|(_, hash)| *hash)
                .reduce(|right, left| Sha256::digest([&[1][..], &left, &right].concat()).into());
            let lines = format!("{line}\n");
            let batch = Digest::sha256(lines.as_bytes()).hex();
            std::fs::write(old.path().join("batch").join(&batch), zstd::encode_all(lines.as_bytes(), 1).unwrap())
                .unwrap();
            let mut body = format!("{ORIGIN}\n{n}\n{}\nschema 1\nbatch {batch}\n", STANDARD.encode(root.unwrap()));
            if let Some(previous) = &previous {
                body += &format!("previous {previous}\n");
            }
            if let Some(key) = &old.key {
                body += &format!("key {} 1\n", key_text(key).0);
            }
            let hashes: Vec<String> = edge.iter().map(|(_, hash)| STANDARD.encode(hash)).collect();
            body += &format!("edge {}\n", hashes.join(" "));
            previous = Some(Digest::sha256(body.as_bytes()).hex());
            if let Some(key) = &old.key {
                let id = Sha256::digest([ORIGIN.as_bytes(), b"\n\x01", key.verifying_key().as_bytes()].concat());
                let signature = [&id[..4], &key.sign(body.as_bytes()).to_bytes()].concat();
                body += &format!("\n— {ORIGIN} {}\n", STANDARD.encode(signature));
            }
            std::fs::write(old.path().join(format!("checkpoint/{n:020}")), body).unwrap();
        }
        old
    }

    fn batch(&self, sequence: u64) -> PathBuf {
        let text = std::fs::read_to_string(self.path().join(format!("checkpoint/{sequence:020}"))).unwrap();
        self.path().join("batch").join(text.lines().find_map(|line| line.strip_prefix("batch ")).unwrap())
    }
}

fn key_of(n: u64) -> prodpin::model::RepositoryKey {
    key(&format!("shop/{}", n % 3))
}

async fn states(ledger: &Ledger) -> BTreeMap<u64, RepositoryState> {
    let mut states = BTreeMap::new();
    for n in 0..3 {
        states.insert(n, ledger.recall(&key_of(n)).await.unwrap());
    }
    states
}

fn aside(file: &Path) -> PathBuf {
    let aside = file.with_extension("aside");
    std::fs::rename(file, &aside).unwrap();
    aside
}

#[tokio::test]
async fn a_rebuild_that_is_cut_off_goes_on_in_the_next_run_f111() {
    for signed in [true, false] {
        let old = Old::write(signed);
        let expected = states(&old.open(Access::Read).await.unwrap()).await;
        assert_eq!(expected[&0].tags.len() as u64, COMMITS / 3);
        // It comes this far.
        let broken = old.batch(COMMITS - 50);
        let kept = aside(&broken);
        old.open(Access::Write).await.unwrap_err();
        std::fs::rename(kept, &broken).unwrap();
        // What was read before need not be read again: it need not even be there.
        let first = old.batch(7);
        let kept = aside(&first);
        let ledger = old.open(Access::Write).await.unwrap();
        assert_eq!(ledger.distrusted().in_words(), None);
        assert_eq!(states(&ledger).await, expected, "signed: {signed}");
        drop(ledger);
        let ledger = old.open(Access::Write).await.unwrap();
        ledger.commit(vec![tag_seen(9_999, &key_of(0), "new", "new")]).await.unwrap();
        std::fs::rename(kept, &first).unwrap();
        let found = Ledger::verify(&LedgerLocation::Directory(old.path()), &Default::default()).await.unwrap();
        assert!(found.damage.is_empty(), "{:?}", found.damage);
    }
}

/// Progress is derived state as well: the key that signed the log has to speak for it.
#[tokio::test]
async fn progress_that_the_key_did_not_sign_is_not_gone_on_from_f111_i23() {
    let old = Old::write(true);
    let expected = states(&old.open(Access::Read).await.unwrap()).await;
    let broken = old.batch(COMMITS - 50);
    let kept = aside(&broken);
    old.open(Access::Write).await.unwrap_err();
    std::fs::rename(kept, &broken).unwrap();
    let index = old.path().join("view/index");
    let text = String::from_utf8(zstd::decode_all(&std::fs::read(&index).unwrap()[..]).unwrap()).unwrap();
    let forged: String = text.lines().take(text.lines().count() - 1).map(|line| format!("{line}\n")).collect();
    std::fs::write(&index, zstd::encode_all(forged.as_bytes(), 1).unwrap()).unwrap();
    let ledger = old.open(Access::Write).await.unwrap();
    assert_eq!(states(&ledger).await, expected);
    assert!(ledger.distrusted().in_words().unwrap().contains("view/index"), "{:?}", ledger.distrusted());
}
