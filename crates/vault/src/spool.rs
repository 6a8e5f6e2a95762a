//! A file whose hash nobody knows, on its way into the vault: it is read once, hashed, and held on this machine's disk until its
//! name is known. What is small is held in memory.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::SpooledTempFile;

use prodpin_core::model::{Cause, Digest, RepositoryName};
use prodpin_net::http::fault::Fault;
use prodpin_sources::content::{Content, Document, Lost, Taker};
use prodpin_sources::file::{FileFacts, FileRead, Tally};

/// What is smaller needs no disk.
const IN_MEMORY: usize = 1 << 20;

/// A piece on its way back.
const PIECE: usize = 1 << 20;

/// A file that is being taken in.
pub(super) struct Spooling {
    tally: Option<Tally>,
    file: Option<SpooledTempFile>,
    /// Bytes that were hashed.
    pub(super) received: u64,
    /// Bytes to leave out, because they came already.
    skip: u64,
    /// What went wrong on this machine, which is no fault of the source.
    pub(super) disk: Option<String>,
}

impl Spooling {
    pub(super) fn of(facts: &FileFacts) -> Self {
        let file = Some(tempfile::spooled_tempfile(IN_MEMORY));
        Self { tally: Some(Tally::of(facts)), file, received: 0, skip: 0, disk: None }
    }

    /// All of it is there.
    pub(super) fn finish(self, facts: &FileFacts) -> Option<(FileRead, Spooled)> {
        let read = self.tally?.finish(facts);
        Some((read, Spooled { file: Mutex::new(Some(self.file?)) }))
    }

    fn failed(&mut self, why: &str) -> Fault {
        let detail =
            format!("a temporary file could not be written on this machine: {why}; set TMPDIR to a place with room");
        self.disk = Some(detail.clone());
        Fault::new(Cause::Refused, detail)
    }
}

#[async_trait]
impl Taker for Spooling {
    async fn begin(&mut self, at: u64) -> Result<(), Fault> {
        self.skip = self.received.saturating_sub(at);
        match at <= self.received {
            true => Ok(()),
            false => Err(Fault::malformed("a later part of the file than was asked for")),
        }
    }

    async fn take(&mut self, mut piece: Bytes) -> Result<(), Fault> {
        let left_out = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
        self.skip -= left_out as u64;
        let piece = piece.split_off(left_out);
        let (Some(mut tally), Some(mut file)) = (self.tally.take(), self.file.take()) else {
            return Err(self.failed("an earlier write failed"));
        };
        let length = piece.len() as u64;
        // Hashing and writing are work for a processor and a disk: not on a thread that others wait for.
        let written = tokio::task::spawn_blocking(move || {
            tally.update(&piece);
            file.write_all(&piece).map(|()| (tally, file))
        });
        match written.await {
            Ok(Ok((tally, file))) => {
                (self.tally, self.file) = (Some(tally), Some(file));
                self.received += length;
                Ok(())
            }
            Ok(Err(error)) => Err(self.failed(&error.to_string())),
            Err(error) => Err(self.failed(&error.to_string())),
        }
    }
}

/// A file that was taken in whole: read from here as a registry's blob is read.
pub(super) struct Spooled {
    file: Mutex<Option<SpooledTempFile>>,
}

#[async_trait]
impl Content for Spooled {
    async fn manifest(&self, _repository: &RepositoryName, _digest: &Digest) -> Result<Document, Lost> {
        Err(Lost::NotFound)
    }

    async fn blob(
        &self,
        _repository: &RepositoryName,
        _digest: &Digest,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost> {
        let failed = |why: String| Lost::Unknown(Fault::refused(format!("a temporary file could not be read: {why}")));
        let held = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let mut file = held.ok_or_else(|| failed("it is being read".to_owned()))?;
        taker.begin(from).await?;
        let mut at = from;
        loop {
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; PIECE];
                file.seek(SeekFrom::Start(at))?;
                let length = file.read(&mut piece)?;
                piece.truncate(length);
                Ok::<_, std::io::Error>((piece, file))
            });
            let (piece, back) =
                read.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
            file = back;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            taker.take(piece.into()).await?;
        }
        *self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(file);
        Ok(())
    }
}
