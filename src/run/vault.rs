//! The vault's part of a run: after every pin is made and read back, rollback targets are copied to where deleting anything
//! at the source does not reach them (I27). What goes wrong there is reported about the vault, and costs no pin.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::{StreamExt as _, stream};
use jiff::Timestamp;

use crate::decide::vault::{Held, Lack, Unkept, incomplete};
use crate::ledger::{Access, objects_at};
use crate::model::{ArtifactId, Mode, NamePatterns, RepositoryKey, SourceName};
use crate::outcome::report::{TargetReport, VaultState};
use crate::policy::{LedgerLocation, OciConfig, RegistryInterface, VaultLocation, VaultRegistry};
use crate::sources::oci::{HttpEnvironment, open_to_look, open_to_restore};
use crate::sources::{OpenOptions, Readable};
use crate::vault::{Closure, Entry, Failure, FileTarget, InRegistry, Target, Unwhole, Vault};

use super::record::Recorder;
use super::setup::Setup;
use super::{RunError, Stop};

/// Repositories whose targets are copied at once. The vault's own lanes bound how many blobs are on their way.
const AT_ONCE: usize = 4;

/// Entries that are listed for other tools together: each time the whole list is written.
const LISTED_TOGETHER: usize = 500;

/// So many targets of one source and kind of reason may be named.
const SAMPLES: usize = 3;

/// The place in words, without anything that a URL may hold beside it (I18).
pub(super) fn named(location: &VaultLocation) -> String {
    match location {
        VaultLocation::Store(LedgerLocation::None) => "none".to_owned(),
        VaultLocation::Store(LedgerLocation::Directory(path)) => path.display().to_string(),
        VaultLocation::Store(LedgerLocation::Store(url)) => {
            format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
        }
        VaultLocation::Registry(registry) => registry.shown(),
    }
}

/// Opens the policy's vault. The error is for a person.
pub(super) async fn open(location: &VaultLocation, access: Access) -> Result<Vault, String> {
    let name = named(location);
    match location {
        VaultLocation::Registry(registry) => {
            in_registry(registry, access).map_err(|why| format!("vault {name}: {why}"))
        }
        VaultLocation::Store(store) => match objects_at(store, access).await {
            Ok((objects, local)) => Ok(Vault::new(objects, &name, local)),
            Err(error) => Err(error.to_string().replacen("ledger ", "vault ", 1)),
        },
    }
}

/// Requests in flight at a registry.
const REQUESTS: usize = 8;

/// A vault in a registry: by the credentials that the environment or Docker's configuration have for its host. Opened to be read,
/// its wire sends nothing that writes (I17).
fn in_registry(registry: &VaultRegistry, access: Access) -> Result<Vault, String> {
    let name: SourceName = "vault".parse().map_err(|_| "it has no name".to_owned())?;
    let repositories = NamePatterns::new([registry.repository.as_str()]).map_err(|error| error.to_string())?;
    let config = OciConfig {
        url: registry.url.clone(),
        repositories,
        username: None,
        password: None,
        token_realms: Vec::new(),
        private: false,
        ca_file: None,
        max_concurrency: None,
        cleanup: None,
        interface: RegistryInterface::None,
    };
    let write = access == Access::Write;
    let options = OpenOptions { write, rehearse: false, tried: false, concurrency: REQUESTS, deadline: None };
    // What is meant for "the registry" is not meant for this one.
    let environment = HttpEnvironment { several_registries: true, ..HttpEnvironment::of_process() };
    let opened = match write {
        true => open_to_restore(&name, &config, &options, &environment),
        false => open_to_look(&name, &config, &options, &environment),
    };
    let (source, writer) = opened.map_err(|error| error.to_string())?;
    Ok(Vault::in_registry(InRegistry::new(source, writer, registry.repository.clone()), &registry.shown()))
}

/// Opens a vault that is to be there already. The error is for a person.
pub(super) async fn open_existing(location: &VaultLocation) -> Result<Vault, String> {
    let opened = open(location, Access::Read).await?;
    match absent(location).await {
        None => Ok(opened),
        Some(path) => Err(format!(
            "the vault directory {path} does not exist: mount it, or correct `vault:` in the policy; if there was none yet, \
             `prodpin enforce` creates it and copies every rollback target into it"
        )),
    }
}

/// The directory, if that is what it is and it is not there: most often one that is not mounted.
async fn absent(location: &VaultLocation) -> Option<String> {
    let VaultLocation::Store(LedgerLocation::Directory(path)) = location else { return None };
    let missing = tokio::fs::metadata(path).await.err()?.kind() == std::io::ErrorKind::NotFound;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
    missing.then(|| path.display().to_string())
}

/// What came of one target.
struct Outcome {
    artifact: ArtifactId,
    state: VaultState,
    entry: Option<Entry>,
    failure: Option<(Lack, String)>,
}

/// Copies what is missing, in `enforce`; in every mode looks what the vault holds. A run that is to end begins nothing here:
/// what was copied by then stays, and the next run carries on.
pub(super) async fn keep(
    location: Option<&VaultLocation>,
    setup: &Arc<Setup>,
    recorder: &mut Recorder,
    stop: &Stop,
) -> Result<(), RunError> {
    let Some(location) = location else { return Ok(()) };
    let copies = setup.mode == Mode::Enforce;
    let access = if copies { Access::Write } else { Access::Read };
    let keys = recorder.repositories().await?;
    let mut reported = VaultStates::default();
    let absent = absent(location).await;
    if let (true, Some(path)) = (copies, &absent) {
        tracing::warn!("the vault directory {path} did not exist and is made; if it should be a mounted one, mount it");
    }
    let opened = tokio::select! {
        biased;
        () = stop.set() => Err((Lack::Interrupted, "the run ended before it was looked at".to_owned())),
        opened = open(location, access) => opened.map_err(|detail| (Lack::Vault, detail)),
    };
    let copying = match (copies, absent.is_some()) {
        (true, _) => Copying::Yes,
        (false, true) => Copying::NoDirectory,
        (false, false) => Copying::No,
    };
    let vault = match &opened {
        Ok(vault) => vault,
        Err((lack, detail)) => {
            reported.nothing_known(&keys, recorder, *lack, detail)?;
            reported.tell(&named(location), recorder);
            return Ok(());
        }
    };
    reported.look(vault, setup, &keys, recorder, copying, stop).await?;
    if copies {
        reported.list(vault).await;
        let (parts, bytes) = (vault.moved.parts.load(Ordering::Relaxed), vault.moved.bytes.load(Ordering::Relaxed));
        tracing::info!(parts, bytes, "copied into the vault {}", vault.location());
    }
    let left: Vec<RepositoryKey> = keys.into_iter().filter(|key| !reported.states.contains_key(key)).collect();
    reported.nothing_known(&left, recorder, Lack::Interrupted, "the run ended before it was looked at")?;
    reported.tell(&vault.described(), recorder);
    Ok(())
}

/// What is known of the targets of all repositories.
#[derive(Default)]
struct VaultStates {
    sources: BTreeMap<SourceName, Held>,
    states: BTreeMap<RepositoryKey, BTreeMap<ArtifactId, VaultState>>,
    /// Some of each kind: they are named, and the others counted.
    unkept: Vec<Unkept>,
    samples: BTreeMap<(SourceName, Lack), usize>,
    entries: Vec<Entry>,
}

impl VaultStates {
    /// Looks at one repository after the other, and copies, until all are done or the run is over.
    async fn look(
        &mut self,
        vault: &Vault,
        setup: &Setup,
        keys: &[RepositoryKey],
        recorder: &mut Recorder,
        copying: Copying,
        stop: &Stop,
    ) -> Result<(), RunError> {
        let mut over = std::pin::pin!(stop.over());
        // A row is read when its turn comes: not all of them are in memory at once (I20).
        let each = stream::iter(keys.iter()).map(|key| {
            let targets = recorder.targets(key);
            async move { Ok::<_, RunError>((key, of_repository(vault, setup, key, &targets?, copying, stop).await)) }
        });
        let mut each = std::pin::pin!(each.buffer_unordered(AT_ONCE));
        loop {
            let next = tokio::select! {
                next = each.next() => next,
                () = &mut over => return Ok(()),
            };
            let Some(outcomes) = next else { return Ok(()) };
            let (key, outcomes) = outcomes?;
            self.take(key, outcomes);
            if self.entries.len() >= LISTED_TOGETHER {
                self.list(vault).await;
            }
        }
    }

    fn take(&mut self, key: &RepositoryKey, outcomes: Vec<Outcome>) {
        let states = self.states.entry(key.clone()).or_default();
        let held = self.sources.entry(key.source.clone()).or_default();
        for Outcome { artifact, state, entry, failure } in outcomes {
            states.insert(artifact.clone(), state);
            held.targets += 1;
            self.entries.extend(entry);
            let Some((lack, detail)) = failure else { continue };
            held.unkept += 1;
            let samples = self.samples.entry((key.source.clone(), lack)).or_default();
            *samples += 1;
            if *samples <= SAMPLES {
                self.unkept.push(Unkept { repository: key.clone(), artifact, lack, detail });
            }
        }
    }

    async fn list(&mut self, vault: &Vault) {
        let entries = std::mem::take(&mut self.entries);
        if !entries.is_empty()
            && let Err(error) = vault.list(&entries).await
        {
            // It follows from the entries, which are there: the next run adds to it.
            tracing::warn!("the list of the vault for other tools was not written: {error}");
        }
    }

    /// Of these repositories nothing is known.
    fn nothing_known(
        &mut self,
        keys: &[RepositoryKey],
        recorder: &mut Recorder,
        lack: Lack,
        detail: &str,
    ) -> Result<(), RunError> {
        for key in keys {
            let outcome = |target: TargetReport| Outcome {
                artifact: target.artifact,
                state: VaultState::Unknown,
                entry: None,
                failure: Some((lack, detail.to_owned())),
            };
            let targets = recorder.targets(key)?;
            self.take(key, targets.into_iter().map(outcome).collect());
        }
        Ok(())
    }

    fn tell(self, vault: &str, recorder: &mut Recorder) {
        let called: Arc<str> = vault.into();
        for (key, states) in self.states.into_iter().filter(|(_, states)| !states.is_empty()) {
            recorder.note_vault(&key, states, &called);
        }
        let requires = |source: &SourceName| recorder.requires_copies(source);
        let found = incomplete(vault, &self.sources, self.unkept, &requires, Timestamp::now());
        recorder.found(found);
    }
}

/// Whether a run copies, and where it does not, whether there is a vault to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copying {
    Yes,
    No,
    NoDirectory,
}

/// The targets of one repository, one after the other: those that are lost at the source are looked for in the vault.
async fn of_repository(
    vault: &Vault,
    setup: &Setup,
    key: &RepositoryKey,
    targets: &[TargetReport],
    copying: Copying,
    stop: &Stop,
) -> Vec<Outcome> {
    let copies = copying == Copying::Yes;
    let readable = setup.sources.get(&key.source).and_then(|source| source.inventory.readable());
    let mut outcomes = Vec::new();
    for target in targets {
        let Some(readable) = readable else {
            outcomes.push(unsupported(target));
            continue;
        };
        let tried = copies && target.restorable != Some(false) && !stop.is_set();
        if !tried {
            let lack = match (copying, target.restorable) {
                (_, Some(false)) => (Lack::Gone, "the source does not have it whole any more"),
                (Copying::No, _) => (Lack::NotYet, "not copied yet"),
                (Copying::NoDirectory, _) => (Lack::NoDirectory, "that directory does not exist"),
                (Copying::Yes, _) => (Lack::Interrupted, "the run ended before it was copied"),
            };
            outcomes.push(looked_up(vault, key, target, readable, lack).await);
            continue;
        }
        outcomes.push(match copy(vault, key, target, readable, stop).await {
            Some(Ok(entry)) => Outcome {
                artifact: target.artifact.clone(),
                state: VaultState::Kept,
                entry: Some(entry),
                failure: None,
            },
            Some(Err(failure)) => Outcome {
                artifact: target.artifact.clone(),
                state: if failure.lack == Lack::Vault { VaultState::Unknown } else { VaultState::Missing },
                entry: None,
                failure: Some((failure.lack, failure.detail)),
            },
            None => unsupported(target),
        });
    }
    outcomes
}

/// Copies what is missing of a target; none where it is of no kind that this source has.
async fn copy(
    vault: &Vault,
    key: &RepositoryKey,
    target: &TargetReport,
    readable: Readable<'_>,
    stop: &Stop,
) -> Option<Result<Entry, Failure>> {
    let stopped = || stop.is_set();
    let tags = &target.references;
    match readable {
        Readable::Manifests(content) => {
            let kept = Target { repository: key, digest: target.artifact.digest()?, tags };
            Some(vault.keep(&kept, content, &stopped).await)
        }
        Readable::Files(files) => {
            let kept = FileTarget { repository: key, artifact: &target.artifact, tags };
            Some(vault.keep_file(&kept, files, &stopped).await)
        }
    }
}

fn unsupported(target: &TargetReport) -> Outcome {
    Outcome {
        artifact: target.artifact.clone(),
        state: VaultState::Missing,
        entry: None,
        failure: Some((Lack::Unsupported, "its source has no way to read its bytes".to_owned())),
    }
}

/// Whether the vault has a target whole, by how its source's targets are read.
pub(super) async fn whole(
    vault: &Vault,
    key: &RepositoryKey,
    artifact: &ArtifactId,
    readable: Readable<'_>,
) -> Result<Closure, Unwhole> {
    match (readable, artifact.digest()) {
        (Readable::Manifests(_), Some(digest)) => vault.whole(digest, None).await,
        (Readable::Manifests(_), None) => Err(Unwhole::NoEntry),
        (Readable::Files(_), _) => vault.whole_file(key, artifact).await,
    }
}

/// What the vault holds of a target that is not copied now.
async fn looked_up(
    vault: &Vault,
    key: &RepositoryKey,
    target: &TargetReport,
    readable: Readable<'_>,
    lack: (Lack, &str),
) -> Outcome {
    let (state, failure) = match whole(vault, key, &target.artifact, readable).await {
        Ok(_) => (VaultState::Kept, None),
        Err(Unwhole::Lacks(_) | Unwhole::Damaged { .. } | Unwhole::NoEntry | Unwhole::Malformed(_)) => {
            (VaultState::Missing, Some((lack.0, lack.1.to_owned())))
        }
        Err(Unwhole::Unknown(error)) => (VaultState::Unknown, Some((Lack::Vault, error.to_string()))),
    };
    Outcome { artifact: target.artifact.clone(), state, entry: None, failure }
}
