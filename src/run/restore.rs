//! `restore`: puts a target back from the vault, exactly the bytes that were kept. It looks first, sends only what the registry
//! lacks, never moves a tag, and reads the target back afterwards (I8, I27).

mod asked;
mod file;
mod remembered;

use std::time::Duration;

use crate::decide;
use crate::decide::kept_releases::{self, Kept};
use crate::decide::vault::TagStep;
use crate::model::{
    ArtifactId, Cleanup, Closure, Digest, PinState, PinTerms, Presence, RepositoryKey, Snapshot, SourceName, Tag,
};
use crate::policy::{Policy, SourceConfig};
use crate::sources::ecr;
use crate::sources::oci::{HttpEnvironment, Restorer, open_to_look, open_to_restore};
use crate::sources::{OpenOptions, Source};
use crate::vault::{Entry, Pinning, Restored, Restoring, Vault};

use self::asked::Asked;
use self::file::FileBack;
pub use self::file::{AtKey, Destination, FileRestoration, KeyPin};
use self::remembered::Remembered;
use super::{Stop, vault};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// `[SOURCE/]REPOSITORY@DIGEST`, `[SOURCE/]REPOSITORY:TAG`, or a repository alone.
    pub reference: String,
    /// Only these sources, all of them if empty: what the reference has in front of its tag or digest is a repository's own
    /// name then.
    pub sources: Vec<SourceName>,
    /// Whether anything is sent.
    pub apply: bool,
    /// It ends before this much time has passed.
    pub deadline: Option<Duration>,
    /// Ends it early when asked to.
    pub stop: Stop,
}

/// The arguments or the policy cannot be used as they are. The text is for a person.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub(crate) String);

/// What came of it.
#[derive(Debug)]
pub enum Found {
    /// A repository alone was named: what the vault has of it, the latest first.
    Entries(RepositoryKey, Vec<Entry>),
    /// A tag was named, and which release is meant cannot be told.
    Several {
        /// The repository.
        repository: RepositoryKey,
        /// Why.
        why: String,
        /// What the vault kept under that tag, the latest first, with what is on record of each.
        each: Vec<(ArtifactId, String)>,
    },
    /// A target.
    Target(Box<Restoration>),
    /// A target that is one file.
    File(Box<FileRestoration>),
}

/// A target that is, or would be, put back.
#[derive(Debug)]
pub struct Restoration {
    /// To where.
    pub repository: RepositoryKey,
    /// What.
    pub digest: Digest,
    /// Where it lies.
    pub vault: String,
    /// How much all of it is.
    pub size: u64,
    /// How many parts it has.
    pub parts: usize,
    /// What the registry lacked, and what became of its tags.
    pub missing: Restored,
    /// Whether its pin was missing.
    pub unpinned: bool,
    /// What is pinned, or would be.
    pub pinning: Pinning,
    /// Whether anything was sent.
    pub applied: bool,
    /// Why it is not whole and pinned after it was sent, as it was read back; nothing where all is well.
    pub troubles: Vec<String>,
    /// Parts that the registry has and under whose digests a drill read wrong bytes: nothing pushed takes their place.
    pub damaged: Vec<Digest>,
    /// Why it is not on record that it was put back, where that is so.
    pub unrecorded: Option<String>,
    /// Why it could not be said first that its pins are needed, where a `release` may remove them: it may be at it.
    pub unsaid: Option<String>,
}

impl Restoration {
    fn lacks_pin(&self) -> bool {
        self.unpinned && self.pinning.makes_any()
    }

    /// Whether there was nothing to do.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let free = self.missing.tags.iter().any(|reported| reported.step == TagStep::Put);
        self.missing.blobs.is_empty() && self.missing.manifests.is_empty() && !self.lacks_pin() && !free
    }
}

/// Requests in flight at the registry.
const REQUESTS: usize = 8;

/// Looks, and with `apply` puts back. The error is for a person.
pub async fn restore(policy: &Policy, options: &RestoreOptions) -> anyhow::Result<Found> {
    let Some(location) = &policy.vault else {
        let why = "the policy names no vault; write `vault:`, and run `prodpin enforce`, so that there is something to restore from";
        return Err(Unusable(why.to_owned()).into());
    };
    let stop = options.stop.with_deadline(options.deadline);
    let opened = vault::open_existing(location).await.map_err(anyhow::Error::msg)?;
    let (asked, key, entries) = Asked::place(&options.reference, &options.sources, policy, &opened).await?;
    if asked.artifact.is_none() && asked.tag.is_none() {
        return Ok(Found::Entries(key, entries));
    }
    let remembered = Remembered::open(policy, &key, options.apply, &stop).await;
    let artifact = match choose(&asked, &key, &entries, &remembered)? {
        Kept::One(artifact) => artifact,
        Kept::Unsure { why, each } => return Ok(Found::Several { repository: key, why, each }),
    };
    let (vault, remembered, apply, stop) = (&opened, &remembered, options.apply, &stop);
    match (policy.sources.get(&key.source), artifact) {
        (Some(config @ (SourceConfig::Oci(_) | SourceConfig::Ecr(_))), ArtifactId::Manifest(digest)) => {
            let put_back = PutBack { policy, key, config, digest, vault, remembered, apply, stop };
            Ok(Found::Target(Box::new(put_back.carry(&entries).await?)))
        }
        (Some(config @ (SourceConfig::S3(_) | SourceConfig::Helm(_))), artifact) => {
            let tags = tags_of(&entries, &artifact);
            let put_back = FileBack { key, artifact, config, tags, vault, remembered, apply, stop };
            Ok(Found::File(Box::new(put_back.carry().await?)))
        }
        (Some(_), artifact) => Err(Unusable(format!("{artifact} is nothing that {} can hold", key.source)).into()),
        (None, _) => Err(Unusable(format!("the policy has no source {}", key.source)).into()),
    }
}

/// What named it when it was kept.
fn tags_of(entries: &[Entry], artifact: &ArtifactId) -> Vec<Tag> {
    let of_it = entries.iter().filter(|entry| entry.artifact() == *artifact);
    let mut tags: Vec<Tag> = of_it.flat_map(|entry| entry.tags.iter().cloned()).collect();
    tags.sort();
    tags.dedup();
    tags
}

/// One target on its way back.
struct PutBack<'a> {
    policy: &'a Policy,
    key: RepositoryKey,
    config: &'a SourceConfig,
    digest: Digest,
    vault: &'a Vault,
    remembered: &'a Remembered,
    apply: bool,
    stop: &'a Stop,
}

impl PutBack<'_> {
    async fn carry(self, entries: &[Entry]) -> anyhow::Result<Restoration> {
        let Self { key, digest, config, .. } = &self;
        let media_type = entries.iter().find(|entry| entry.digest == *digest).map(|entry| entry.media_type.as_str());
        let tags = tags_of(entries, &ArtifactId::Manifest(digest.clone()));
        let whole = self.vault.whole(digest, media_type).await;
        let closure = whole
            .map_err(|why| anyhow::anyhow!("{}@{digest} cannot be restored to {}: {why}", key.name, key.source))?;
        let (source, restorer) = open(&key.source, config, self.apply, self.stop).await?;
        let pinning = match config {
            // What a pin does under a lifecycle policy is a run's to judge (I22).
            SourceConfig::Ecr(_) => Pinning::Later,
            _ => pinning(source.inventory.cleanup().await, self.policy.pins.for_source(&key.source)),
        };
        let restoring =
            Restoring { vault: self.vault, restorer: &restorer, source: &source, repository: &key.name, pinning };
        let mut unsaid = None;
        if self.apply {
            let pinned = restoring.pins(&closure, digest).into_iter().map(ArtifactId::Manifest);
            unsaid = self.remembered.need(key, pinned, self.stop).await;
        }
        let looked = restoring.look(&closure, digest, &tags).await;
        let mut missing =
            looked.map_err(|fault| anyhow::anyhow!("{} in {}: {}", key.name, key.source, fault.detail))?;
        let artifact = ArtifactId::Manifest(digest.clone());
        let before = source.inventory.inspect(&key.name, &artifact).await;
        let wrong = self.remembered.wrong_bytes(&artifact);
        let lacked = |part: &Digest| missing.blobs.iter().chain(&missing.manifests).any(|lacks| lacks.digest == *part);
        let mut found = Restoration {
            unpinned: before.pin != PinState::Present,
            pinning,
            vault: self.vault.location().to_owned(),
            size: closure.parts.iter().map(|part| part.size).sum(),
            parts: closure.parts.len(),
            damaged: wrong.iter().filter(|part| !lacked(part)).cloned().collect(),
            missing: Restored::default(),
            applied: self.apply,
            troubles: Vec::new(),
            unrecorded: None,
            unsaid,
            repository: key.clone(),
            digest: digest.clone(),
        };
        if self.apply {
            let stop = self.stop;
            let sent = tokio::select! {
                sent = restoring.send(&closure, digest, &mut missing) => sent,
                () = stop.set() => Err(format!("{}: what was sent stays; run the command again to send the rest", stop.reason())),
            };
            // Tags that were put are on record whatever came after them.
            let pushed = remembered::pushed(&missing, &wrong).filter(|pushed| sent.is_ok() || !pushed.tags.is_empty());
            if let Some(pushed) = pushed {
                found.unrecorded = self.remembered.record(key, &artifact, pushed).await;
            }
            sent.map_err(|why| anyhow::anyhow!("{}@{digest} was not restored to {}: {why}", key.name, key.source))?;
            found.troubles = read_back(key, config, digest, pinning, stop).await?;
        }
        found.missing = missing;
        Ok(found)
    }
}

/// The release that is meant.
fn choose(
    asked: &Asked<'_>,
    key: &RepositoryKey,
    entries: &[Entry],
    remembered: &Remembered,
) -> Result<Kept, Unusable> {
    let kept = match (&asked.artifact, &asked.tag) {
        (Some(artifact), _) if entries.iter().any(|entry| entry.artifact() == *artifact) => {
            return Ok(Kept::One(artifact.clone()));
        }
        (None, Some(tag)) => Some((tag, asked.kept(tag, entries))).filter(|(_, kept)| !kept.is_empty()),
        _ => None,
    };
    let (tag, kept) = kept.ok_or_else(|| asked.lacking(key, entries))?;
    Ok(kept_releases::choose(tag, &kept, remembered.state()))
}

async fn open(
    name: &SourceName,
    config: &SourceConfig,
    apply: bool,
    stop: &Stop,
) -> anyhow::Result<(Source, Restorer)> {
    let options =
        OpenOptions { write: apply, rehearse: false, tried: false, concurrency: REQUESTS, deadline: stop.deadline() };
    let environment = HttpEnvironment::of_process();
    match config {
        SourceConfig::Oci(config) if apply => Ok(open_to_restore(name, config, &options, &environment)?),
        // The half that could write is there and may not: its wire refuses (I17).
        SourceConfig::Oci(config) => Ok(open_to_look(name, config, &options, &environment)?),
        SourceConfig::Ecr(config) => {
            let opened = ecr::open_to_restore(name, config, &options, &environment, ecr::Tuning::default()).await;
            opened.map_err(|why| anyhow::anyhow!("source {name}: {why}"))
        }
        SourceConfig::S3(_) | SourceConfig::Helm(_) => Err(Unusable(format!("source {name} holds no images")).into()),
    }
}

/// What may be pinned of it: as in a run, nothing where rules that nobody read may count or take what is pinned (I22), and
/// what is below it, too, where cleanup does not follow references (I26).
fn pinning(cleanup: Cleanup, terms: PinTerms) -> Pinning {
    let snapshot = Snapshot { cleanup, ..Snapshot::default() };
    match () {
        () if snapshot.cleanup.withholds_pins() => Pinning::Withheld,
        () if decide::pins_parts(&snapshot, terms) => Pinning::Closure,
        () => Pinning::Target,
    }
}

/// The target, asked anew by a client that remembers nothing.
async fn read_back(
    key: &RepositoryKey,
    config: &SourceConfig,
    digest: &Digest,
    pinning: Pinning,
    stop: &Stop,
) -> anyhow::Result<Vec<String>> {
    let (source, _) = open(&key.source, config, false, stop).await?;
    let seen = source.inventory.inspect(&key.name, &ArtifactId::Manifest(digest.clone())).await;
    let mut troubles: Vec<String> = seen.gaps.iter().map(|gap| gap.detail.clone()).collect();
    if seen.presence != Presence::Present {
        troubles.push("the registry does not serve it".to_owned());
    }
    match &seen.closure {
        Closure::Complete => {}
        Closure::Broken(parts) => {
            let parts: Vec<String> = parts.iter().take(3).map(ToString::to_string).collect();
            troubles.push(format!(
                "the registry took everything and still does not serve {}: its storage is damaged; have it collect garbage \
                 and restart, then run the command again",
                parts.join(", ")
            ));
        }
        Closure::Unknown => troubles.push("whether all of its parts are there could not be told".to_owned()),
    }
    if seen.pin != PinState::Present && pinning.makes_any() {
        troubles.push("its pin is not there".to_owned());
    }
    troubles.sort();
    troubles.dedup();
    Ok(troubles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PinCover, Recognised, RegistryKind, StatedCleanup};

    #[test]
    fn what_a_run_would_not_pin_a_restore_does_not_pin_i22_i26() {
        let zot = || Recognised::Kind(RegistryKind::Zot);
        let unread = || Recognised::Unknown { detail: "it did not answer".to_owned() };
        for (registry, stated, cover, expected) in [
            (Recognised::Plain, None, PinCover::Auto, Pinning::Closure),
            (Recognised::Plain, None, PinCover::Index, Pinning::Target),
            (zot(), None, PinCover::Auto, Pinning::Withheld),
            (zot(), None, PinCover::Closure, Pinning::Withheld),
            (zot(), Some(StatedCleanup::None), PinCover::Auto, Pinning::Target),
            (zot(), Some(StatedCleanup::None), PinCover::Closure, Pinning::Closure),
            (unread(), None, PinCover::Auto, Pinning::Withheld),
            (Recognised::Kind(RegistryKind::Nexus), Some(StatedCleanup::Untagged), PinCover::Auto, Pinning::Closure),
        ] {
            let what = format!("{registry:?} {stated:?} {cover:?}");
            let terms = PinTerms { cover, ..PinTerms::default() };
            assert_eq!(pinning(Cleanup { registry, stated }, terms), expected, "{what}");
        }
    }
}
