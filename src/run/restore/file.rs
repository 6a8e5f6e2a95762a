//! Putting one file back: at its key, where nothing is. What comes back has a version id of its own, and the same bytes. To a
//! chart repository on a web server nothing is sent: how it gets there is said.

use crate::decide::vault::{TagStep, file_step};
use crate::model::{ArtifactId, Digest, PinState, Presence, PutBack, RepositoryKey, Tag};
use crate::policy::{HelmConfig, HelmPlace, SourceConfig};
use crate::sources::file::KeptFile;
use crate::sources::oci::HttpEnvironment;
use crate::sources::s3::{ObjectRestorer, Tuning, open_to_restore};
use crate::sources::{self, OpenOptions, Source, helm};
use crate::vault::{BlobPieces, Vault, kept_file};

use super::super::Stop;
use super::remembered::Remembered;
use super::{REQUESTS, Unusable};

/// A file that is, or would be, put back.
#[derive(Debug)]
pub struct FileRestoration {
    /// To where.
    pub repository: RepositoryKey,
    /// What.
    pub artifact: ArtifactId,
    /// Where its bytes lie in the vault.
    pub kept_at: String,
    /// What they hash to.
    pub digest: Digest,
    /// How many they are.
    pub size: u64,
    /// Where it goes.
    pub place: Destination,
    /// Why it is not there after it was put, as it was read back; nothing where all is well.
    pub troubles: Vec<String>,
    /// Why it is not on record that it was put back, where that is so.
    pub unrecorded: Option<String>,
    /// Whether anything was sent.
    pub applied: bool,
}

/// Where a file goes.
#[derive(Debug)]
pub enum Destination {
    /// A key of a bucket.
    Key(Box<AtKey>),
    /// A chart repository on a web server: it takes nothing from prodpin.
    ByHand {
        /// Its address.
        address: String,
        /// What the file is called there.
        name: String,
        /// Whether it serves these bytes; none where that could not be told.
        serves: Option<bool>,
    },
}

/// What is at a file's key.
#[derive(Debug)]
pub struct AtKey {
    /// The key as people write it.
    pub name: String,
    /// The key itself.
    pub key: Tag,
    /// What becomes of it.
    pub step: TagStep,
    /// Whether the version that is asked for is still in the bucket, if only behind others.
    pub version_is_there: bool,
    /// Whether a drill read wrong bytes from it.
    pub is_damaged: bool,
    /// The version that readers get then.
    pub serves: Option<ArtifactId>,
    /// What holds it.
    pub pin: KeyPin,
}

/// What holds the version that readers of the key get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPin {
    /// Nothing is known of it yet, or nothing is to be pinned.
    None,
    /// It was held already.
    Present,
    /// This command held it.
    Made,
    /// It is not held, and would be.
    Missing,
    /// The bucket has no Object Lock, so that nothing can hold it.
    Unsupported,
}

impl FileRestoration {
    /// Whether the bytes are where they belong, or would be.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let is_there = match &self.place {
            Destination::Key(at) => !matches!(at.step, TagStep::Taken(_) | TagStep::Unknown) && !at.is_damaged,
            Destination::ByHand { serves, .. } => *serves == Some(true) || !self.applied,
        };
        self.troubles.is_empty() && is_there
    }
}

/// One file on its way back into a bucket.
pub(super) struct FileBack<'a> {
    pub(super) key: RepositoryKey,
    pub(super) artifact: ArtifactId,
    pub(super) config: &'a SourceConfig,
    /// The keys or versions that named it.
    pub(super) tags: Vec<Tag>,
    pub(super) vault: &'a Vault,
    pub(super) remembered: &'a Remembered,
    pub(super) apply: bool,
    pub(super) stop: &'a Stop,
}

impl FileBack<'_> {
    pub(super) async fn carry(self) -> anyhow::Result<FileRestoration> {
        let artifact = &self.artifact;
        let whole = self.vault.whole_file(&self.key, artifact).await;
        let closure =
            whole.map_err(|why| anyhow::anyhow!("{artifact} cannot be restored to {}: {why}", self.key.source))?;
        let kept = kept_file(&closure).ok_or_else(|| anyhow::anyhow!("what the vault has of {artifact} is no file"))?;
        let (mut troubles, mut unrecorded) = (Vec::new(), None);
        let place = match self.open().await? {
            Some((source, restorer, key)) => {
                let at = self.at_key((&source, &restorer, &key), &kept, &mut troubles, &mut unrecorded).await?;
                Destination::Key(Box::new(at))
            }
            None => self.by_hand(&kept).await?,
        };
        Ok(FileRestoration {
            kept_at: self.vault.path_of(&kept.digest),
            digest: kept.digest,
            size: kept.size,
            place,
            troubles,
            unrecorded,
            applied: self.apply,
            repository: self.key,
            artifact: self.artifact,
        })
    }

    fn options(&self) -> OpenOptions {
        let deadline = self.stop.deadline();
        OpenOptions { write: self.apply, rehearse: false, tried: false, concurrency: REQUESTS, deadline }
    }

    /// The bucket and the key; none where the source is none.
    async fn open(&self) -> anyhow::Result<Option<(Source, ObjectRestorer, Tag)>> {
        let (name, source, options) = (&self.key.name, &self.key.source, self.options());
        let bucket = match self.config {
            SourceConfig::S3(config) => {
                let (opened, restorer) = open_to_restore(source, config, &options, Tuning::default()).await?;
                Some((opened, restorer, None))
            }
            SourceConfig::Helm(HelmConfig { place: HelmPlace::Bucket(place), repositories }) => {
                let opened = helm::open_to_restore(source, place, repositories.clone(), &options, Tuning::default());
                let (opened, restorer) = opened.await?;
                Some((opened, restorer, Some(&place.prefix)))
            }
            _ => None,
        };
        let Some((opened, restorer, prefix)) = bucket else { return Ok(None) };
        let ArtifactId::ObjectVersion { key, .. } = &self.artifact else {
            let why = format!("{} is no object version: write REPOSITORY@KEY?versionId=ID", self.artifact);
            return Err(Unusable(why).into());
        };
        let belongs = match prefix {
            Some(prefix) => key.as_str().starts_with(prefix.as_str()),
            None => restorer.belongs(name, key),
        };
        match belongs {
            true => Ok(Some((opened, restorer, key.clone()))),
            false => Err(Unusable(format!("key {key} is none of {name} in {source}, as the policy has it")).into()),
        }
    }

    async fn at_key(
        &self,
        (source, restorer, key): (&Source, &ObjectRestorer, &Tag),
        kept: &KeptFile,
        troubles: &mut Vec<String>,
        unrecorded: &mut Option<String>,
    ) -> anyhow::Result<AtKey> {
        let mut at = self.look(source, restorer, key, kept).await?;
        if self.apply && at.step == TagStep::Put {
            self.put(restorer, key, kept, &mut at).await?;
            match &at.serves {
                Some(version) => *unrecorded = self.record(version, &at, kept.size).await,
                None => troubles.push("the bucket took it, and does not serve these bytes at its key".to_owned()),
            }
        }
        if self.apply && at.pin == KeyPin::Missing {
            self.pin(source, &mut at, troubles).await;
        }
        Ok(at)
    }

    async fn by_hand(&self, kept: &KeptFile) -> anyhow::Result<Destination> {
        let SourceConfig::Helm(config) = self.config else {
            return Err(Unusable(format!("source {} holds no files", self.key.source)).into());
        };
        let options = OpenOptions { write: false, ..self.options() };
        let opened = sources::open(&self.key.source, self.config, &options, &HttpEnvironment::of_process()).await;
        let source = opened.map_err(|why| anyhow::anyhow!("source {}: {why}", self.key.source))?;
        let serves = match source.inventory.inspect(&self.key.name, &self.artifact).await.presence {
            Presence::Present => Some(true),
            Presence::NotFound => Some(false),
            Presence::Unknown => None,
        };
        let name = kept.notes.get("name").cloned().unwrap_or_else(|| format!("{}.tgz", self.key.name));
        Ok(Destination::ByHand { address: config.address(), name, serves })
    }

    async fn look(
        &self,
        source: &Source,
        restorer: &ObjectRestorer,
        key: &Tag,
        kept: &KeptFile,
    ) -> anyhow::Result<AtKey> {
        let serving = restorer.serving(key).await.map_err(|fault| anyhow::anyhow!("{}", fault.detail))?;
        let is_ours = serving.as_ref().map(|serving| (&serving.artifact, serving.is(kept)));
        let step = file_step(&self.artifact, is_ours);
        let seen = source.inventory.inspect(&self.key.name, &self.artifact).await;
        let serves = serving.map(|serving| serving.artifact).filter(|_| step == TagStep::Held);
        let pin = match (&serves, &step) {
            (Some(version), _) => self.pin_of(source, version).await,
            (None, TagStep::Put) => KeyPin::Missing,
            (None, _) => KeyPin::None,
        };
        let is_damaged =
            serves.as_ref() == Some(&self.artifact) && !self.remembered.wrong_bytes(&self.artifact).is_empty();
        Ok(AtKey {
            name: restorer.place(key),
            key: key.clone(),
            step,
            version_is_there: seen.presence == Presence::Present,
            is_damaged,
            serves,
            pin,
        })
    }

    async fn pin_of(&self, source: &Source, version: &ArtifactId) -> KeyPin {
        match source.inventory.inspect(&self.key.name, version).await.pin {
            PinState::Present => KeyPin::Present,
            PinState::Unsupported { .. } => KeyPin::Unsupported,
            PinState::Absent | PinState::Unknown | PinState::Moved(_) => KeyPin::Missing,
        }
    }

    /// Sends it, and reads back which version it is.
    async fn put(&self, restorer: &ObjectRestorer, key: &Tag, kept: &KeptFile, at: &mut AtKey) -> anyhow::Result<()> {
        let pieces = BlobPieces { vault: self.vault, digest: &kept.digest };
        let sent = tokio::select! {
            sent = restorer.put(key, kept, &pieces) => sent.map_err(|fault| fault.detail),
            () = self.stop.set() => Err(format!("{}: nothing of it is there; run the command again", self.stop.reason())),
        };
        sent.map_err(|why| anyhow::anyhow!("{} was not restored: {why}", at.name))?;
        let serving = restorer.serving(key).await.map_err(|fault| anyhow::anyhow!("{}", fault.detail))?;
        at.serves = serving.filter(|serving| serving.is(kept)).map(|serving| serving.artifact);
        Ok(())
    }

    async fn record(&self, version: &ArtifactId, at: &AtKey, bytes: u64) -> Option<String> {
        // A version that is there keeps its own name.
        let of = (!at.version_is_there && *version != self.artifact).then(|| self.artifact.clone());
        let pushed = PutBack { tags: self.tags.clone(), blobs: 1, bytes, of, ..PutBack::default() };
        self.remembered.record(&self.key, version, pushed).await
    }

    /// Holds the version that readers get, and reads that back.
    async fn pin(&self, source: &Source, at: &mut AtKey, troubles: &mut Vec<String>) {
        let (Some(version), Some(protector)) = (&at.serves, &source.protector) else { return };
        if let Err(failure) = protector.pin(&self.key.name, version).await {
            troubles.push(format!("its bytes are back, and it is not pinned: {failure}"));
            return;
        }
        at.pin = match self.pin_of(source, version).await {
            KeyPin::Present => KeyPin::Made,
            KeyPin::Missing => {
                troubles.push("its pin is not there".to_owned());
                KeyPin::Missing
            }
            other => other,
        };
    }
}
