//! Reading what was chosen: several targets at once, each blob in a task of its own, so that hashing uses every processor.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::task::JoinSet;

use crate::decide::vault::VaultPart;
use crate::model::{ArtifactId, BrokenPart, Digest, Drill, DrillOutcome, RepositoryKey, SignatureCheck, SourceName};
use crate::sources::Readable;
use crate::sources::content::Lost;
use crate::sources::file::{FileFacts, Files};
use crate::vault::{self, Drilling, FileProof, Flaw, Place, Vault, VerifyingKey, Watcher};

use super::super::setup::Setup;
use super::super::{Progress, Stop};
use super::found::{DrillResult, DrilledTarget, Todo};

/// Targets that are read at once. How many blobs are on their way is bounded by each place's lanes.
const TARGETS_AT_ONCE: usize = 4;

/// Blobs of one target that have a task.
const BLOBS_AT_ONCE: usize = 8;

/// So many parts of one target that are broken are named.
const NAMED: usize = 5;

/// What the tasks share.
struct Shared {
    setup: Arc<Setup>,
    vault: Option<Arc<Vault>>,
    keys: Vec<VerifyingKey>,
    stop: Stop,
    progress: Arc<dyn Progress>,
    bytes: AtomicU64,
}

impl Watcher for Shared {
    fn stopped(&self) -> bool {
        self.stop.is_set()
    }

    fn hashed(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.progress.read(bytes);
    }
}

impl Shared {
    /// Whence a repository's targets are read; none where its kind is not.
    fn place(&self, key: &RepositoryKey) -> Option<Whence<'_>> {
        let readable = self.setup.sources.get(&key.source)?.inventory.readable()?;
        Some(match (self.vault.as_deref(), readable) {
            (Some(vault), Readable::Manifests(_)) => Whence::Parts(Place::Vault(vault)),
            (Some(vault), Readable::Files(_)) => Whence::FilesInVault(vault),
            (None, Readable::Manifests(content)) => Whence::Parts(Place::Source(content)),
            (None, Readable::Files(files)) => Whence::Files(files),
        })
    }

    /// What came of the signatures of a target, where there are keys to hold them to. They hang at it in its source, and
    /// nowhere else.
    async fn verify(&self, key: &RepositoryKey, target: &Digest) -> Option<SignatureCheck> {
        let whence = self.place(key).filter(|_| !self.keys.is_empty())?;
        let Whence::Parts(Place::Source(content)) = whence else { return None };
        Some(vault::verify(content, &key.name, target, &self.keys).await)
    }
}

/// Whence targets are read.
enum Whence<'p> {
    /// Manifests with what is below them.
    Parts(Place<'p>),
    /// Files, each under a manifest of the vault's own.
    FilesInVault(&'p Vault),
    /// Files in their source.
    Files(&'p dyn Files),
}

/// A target that is about to be read.
enum Opened {
    Parts(Vec<VaultPart>),
    File(FileFacts),
}

/// What is read in each place, and all that is needed for it.
pub(super) struct Reading {
    shared: Arc<Shared>,
    /// By source; none for the vault, where one copy serves all.
    drillings: BTreeMap<Option<SourceName>, Arc<Drilling>>,
    /// The targets that are open.
    opened: BTreeMap<(RepositoryKey, ArtifactId), Opened>,
}

impl Reading {
    pub(super) fn new(
        setup: Arc<Setup>,
        vault: Option<Arc<Vault>>,
        keys: Vec<VerifyingKey>,
        stop: Stop,
        progress: Arc<dyn Progress>,
    ) -> Self {
        let bytes = AtomicU64::new(0);
        let shared = Arc::new(Shared { setup, vault, keys, stop, progress, bytes });
        Self { shared, drillings: BTreeMap::new(), opened: BTreeMap::new() }
    }

    /// How many bytes of blobs were read.
    pub(super) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    fn drilling(&mut self, key: &RepositoryKey) -> Arc<Drilling> {
        let place = self.shared.vault.is_none().then(|| key.source.clone());
        Arc::clone(self.drillings.entry(place).or_default())
    }

    /// Reads the manifests of a target, or what is known of a file, and says what is to be read of it.
    pub(super) async fn open(&mut self, one: &Todo) -> Result<Vec<(Digest, u64)>, DrillResult> {
        let drilling = self.drilling(&one.key);
        let shared = Arc::clone(&self.shared);
        let Some(whence) = shared.place(&one.key) else { return Err(DrillResult::Unsupported) };
        if shared.stopped() {
            return Err(DrillResult::Interrupted);
        }
        let opened = match whence {
            Whence::Parts(place) => {
                let digest = one.artifact.digest().ok_or(DrillResult::Unsupported)?;
                parts(&drilling, place, one, digest).await?
            }
            Whence::FilesInVault(vault) => match vault.file_root(&one.key, &one.artifact).await {
                Ok(Some(root)) => parts(&drilling, Place::Vault(vault), one, &root).await?,
                Ok(None) => return Err(DrillResult::NotInVault),
                Err(error) => return Err(DrillResult::Unread(error.to_string())),
            },
            Whence::Files(files) => match files.facts(&one.key.name, &one.artifact).await {
                Ok(facts) => Opened::File(facts),
                Err(Lost::NotFound) => return Err(gone()),
                Err(lost) => return Err(DrillResult::Unread(lost.to_string())),
            },
        };
        let needed = match &opened {
            Opened::Parts(parts) => {
                let blobs = parts.iter().filter(|part| !part.is_manifest);
                blobs.map(|part| (part.digest.clone(), part.size)).collect()
            }
            // What its bytes hash to is known when they were read: until then it goes by its name.
            Opened::File(facts) => {
                vec![(Digest::sha256(format!("{} {}", one.key, one.artifact).as_bytes()), facts.size.unwrap_or(0))]
            }
        };
        self.opened.insert((one.key.clone(), one.artifact.clone()), opened);
        Ok(needed)
    }

    /// Reads what was chosen. `over` returns when what is under way is to be given up.
    pub(super) async fn read(
        &mut self,
        chosen: Vec<(Todo, Vec<(Digest, u64)>)>,
        over: &mut Pin<&mut impl Future<Output = ()>>,
    ) -> Vec<DrilledTarget> {
        let mut waiting = chosen.into_iter().map(|(one, _)| one).enumerate();
        let mut under_way: BTreeMap<usize, Todo> = BTreeMap::new();
        let mut tasks = JoinSet::new();
        let mut done = Vec::new();
        loop {
            while tasks.len() < TARGETS_AT_ONCE
                && let Some((at, one)) = waiting.next()
            {
                if self.shared.stopped() {
                    done.push(one.ended(DrillResult::Interrupted));
                    continue;
                }
                let (drilling, shared) = (self.drilling(&one.key), Arc::clone(&self.shared));
                let Some(opened) = self.opened.remove(&(one.key.clone(), one.artifact.clone())) else {
                    done.push(one.ended(DrillResult::Interrupted));
                    continue;
                };
                let (key, artifact) = (one.key.clone(), one.artifact.clone());
                tasks.spawn(async move {
                    let mut result = match opened {
                        Opened::Parts(parts) => target(shared.clone(), drilling, key.clone(), parts).await,
                        Opened::File(facts) => file(&shared, &drilling, &key, &artifact, &facts).await,
                    };
                    if let (DrillResult::Drilled(drill), Some(digest)) = (&mut result, artifact.digest()) {
                        drill.signatures = shared.verify(&key, digest).await;
                    }
                    (at, result)
                });
                under_way.insert(at, one);
            }
            let ended = tokio::select! {
                ended = tasks.join_next() => ended,
                () = &mut *over => None,
            };
            match ended {
                Some(Ok((at, result))) => done.extend(under_way.remove(&at).map(|one| one.ended(result))),
                Some(Err(defect)) => tracing::error!(%defect, "this is a defect of prodpin"),
                None => break,
            }
        }
        tasks.shutdown().await;
        let left = under_way.into_values().chain(waiting.map(|(_, one)| one));
        done.extend(left.map(|one| one.ended(DrillResult::Interrupted)));
        done
    }
}

/// Every blob of one target.
async fn target(
    shared: Arc<Shared>,
    drilling: Arc<Drilling>,
    key: RepositoryKey,
    parts: Vec<VaultPart>,
) -> DrillResult {
    let began = Instant::now();
    // What an index says of sizes may be anything.
    let bytes = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.size));
    let mut waiting = parts.into_iter().filter(|part| !part.is_manifest);
    let mut tasks = JoinSet::new();
    let mut flaws = Vec::new();
    loop {
        while tasks.len() < BLOBS_AT_ONCE
            && let Some(part) = waiting.next()
        {
            let (shared, drilling, key) = (Arc::clone(&shared), Arc::clone(&drilling), key.clone());
            tasks.spawn(async move {
                let place = match shared.place(&key) {
                    Some(Whence::Parts(place)) => place,
                    Some(Whence::FilesInVault(vault)) => Place::Vault(vault),
                    Some(Whence::Files(_)) | None => return Err((part.digest, Flaw::Interrupted)),
                };
                let proven = drilling.prove(place, &key.name, &part, shared.as_ref()).await;
                proven.map_err(|flaw| (part.digest, flaw))
            });
        }
        match tasks.join_next().await {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(flaw))) => flaws.push(flaw),
            Some(Err(defect)) => return DrillResult::Unread(format!("a defect of prodpin ended it: {defect}")),
            None => break,
        }
    }
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match flaws.is_empty() {
        true => DrillResult::Drilled(drilled(DrillOutcome::Intact, bytes, milliseconds, Vec::new())),
        false => broken(bytes, milliseconds, flaws),
    }
}

/// A target with its manifests.
async fn parts(drilling: &Drilling, place: Place<'_>, one: &Todo, root: &Digest) -> Result<Opened, DrillResult> {
    match drilling.closure(place, &one.key.name, root).await {
        Ok(closure) => Ok(Opened::Parts(closure.parts)),
        Err((part, Flaw::Gone)) if part == *root && matches!(place, Place::Vault(_)) => Err(DrillResult::NotInVault),
        Err((part, flaw)) => Err(broken(0, 0, vec![(part, flaw)])),
    }
}

/// Every byte of one file.
async fn file(
    shared: &Shared,
    drilling: &Drilling,
    key: &RepositoryKey,
    artifact: &ArtifactId,
    facts: &FileFacts,
) -> DrillResult {
    let began = Instant::now();
    let Some(Whence::Files(files)) = shared.place(key) else { return DrillResult::Interrupted };
    let (proof, bytes) = drilling.prove_file(files, (&key.name, artifact), facts, shared).await;
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match proof {
        FileProof::Held => DrillResult::Drilled(drilled(DrillOutcome::Intact, bytes, milliseconds, Vec::new())),
        FileProof::Unsaid(why) => DrillResult::Uncompared { bytes, why },
        FileProof::Wrong(digest, detail) => broken(bytes, milliseconds, vec![(digest, Flaw::Wrong(detail))]),
        FileProof::Flawed(Flaw::Gone) => gone(),
        FileProof::Flawed(Flaw::Wrong(detail) | Flaw::Unread(detail)) => DrillResult::Unread(detail),
        FileProof::Flawed(Flaw::Interrupted) => DrillResult::Interrupted,
    }
}

/// A file that is not there has no part that could be named by its digest.
fn gone() -> DrillResult {
    DrillResult::Drilled(drilled(DrillOutcome::Broken, 0, 0, Vec::new()))
}

fn drilled(outcome: DrillOutcome, bytes: u64, milliseconds: u64, broken: Vec<BrokenPart>) -> Drill {
    Drill { outcome, bytes, milliseconds, broken, signatures: None }
}

/// What flaws come to: one part that is wrong is enough, whatever could not be read beside it.
fn broken(bytes: u64, milliseconds: u64, mut flaws: Vec<(Digest, Flaw)>) -> DrillResult {
    flaws.sort_by(|(a, _), (b, _)| a.cmp(b));
    let is_broken = |(digest, flaw): &(Digest, Flaw)| match flaw {
        Flaw::Gone => Some(BrokenPart { digest: digest.clone(), gone: true, detail: "it is not there".to_owned() }),
        Flaw::Wrong(detail) => Some(BrokenPart { digest: digest.clone(), gone: false, detail: detail.clone() }),
        Flaw::Unread(_) | Flaw::Interrupted => None,
    };
    let mut found: Vec<BrokenPart> = flaws.iter().filter_map(is_broken).collect();
    // What is there with wrong bytes is seen by nothing but this.
    found.sort_by_key(|part| part.gone);
    found.truncate(NAMED);
    if !found.is_empty() {
        return DrillResult::Drilled(drilled(DrillOutcome::Broken, bytes, milliseconds, found));
    }
    let unread = flaws.into_iter().find_map(|(digest, flaw)| match flaw {
        Flaw::Unread(detail) => Some(format!("{digest}: {detail}")),
        _ => None,
    });
    unread.map_or(DrillResult::Interrupted, DrillResult::Unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_part_is_enough_and_what_could_not_be_read_proves_nothing_f104() {
        let digest = |name: &str| Digest::sha256(name.as_bytes());
        let (unread, wrong) = (Flaw::Unread("it broke off".to_owned()), Flaw::Wrong("other bytes".to_owned()));
        let outcome = |flaws: Vec<Flaw>| {
            let flaws = flaws.into_iter().enumerate().map(|(n, flaw)| (digest(&n.to_string()), flaw)).collect();
            match broken(9, 1, flaws) {
                DrillResult::Drilled(drill) => format!("{:?} {}", drill.outcome, drill.broken[0].gone),
                DrillResult::Unread(_) => "unread".to_owned(),
                other => format!("{other:?}"),
            }
        };
        assert_eq!(outcome(vec![unread.clone(), wrong.clone(), Flaw::Gone]), "Broken false");
        assert_eq!(outcome(vec![unread.clone(), Flaw::Gone]), "Broken true");
        assert_eq!(outcome(vec![Flaw::Interrupted, unread]), "unread");
        assert_eq!(outcome(vec![Flaw::Interrupted]), "Interrupted");
    }
}
