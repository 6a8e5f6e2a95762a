//! Report bodies: compressed as they come, named by their content, so that unchanged runs share one.

use std::io::{Cursor, Read, Seek as _, SeekFrom, Write};

use object_store::{ObjectStoreExt as _, WriteMultipart, path::Path};
use sha2::{Digest as _, Sha256};
use tempfile::SpooledTempFile;

use super::store::Created;
use super::{Access, Ledger, LedgerError, cache};
use prodpin_core::model::Digest;

/// Compressed reports up to this size stay in memory and are sent in one request.
const SMALL: usize = 8 << 20;

/// A report of a million rows has a hundredth of this, and lines that are all the same pack a thousand times.
const UNPACKED_CAP: u64 = 64 << 30;
const RATIO: u64 = 1 << 14;

fn report_path(digest: &Digest) -> Path {
    Path::from(format!("report/{}", digest.hex()))
}

impl Ledger {
    /// Keeps a report's body, and returns the name to find it by.
    pub async fn put_report(&self, body: impl Read + Send) -> Result<Digest, LedgerError> {
        if self.access == Access::Read {
            return Err(LedgerError::ReadOnly { location: self.store.location().to_owned() });
        }
        let io = |error| LedgerError::of_io(self.store.location(), error);
        let (mut packed, digest) = compress(body).map_err(io)?;
        let path = report_path(&digest);
        let length = packed.seek(SeekFrom::End(0)).map_err(io)?;
        packed.rewind().map_err(io)?;
        if length <= SMALL as u64 {
            let mut bytes = Vec::new();
            packed.read_to_end(&mut bytes).map_err(io)?;
            let right = match self.store.create(&path, bytes).await {
                Ok(Created::New) => true,
                Ok(Created::There(there)) => self.check_report(&there[..], &digest).is_ok(),
                // A folder, or more than any report has.
                Err(LedgerError::Corrupt { .. }) => false,
                Err(error) => return Err(error),
            };
            if !right {
                // Whoever can write there and has no key keeps no run from closing. What is there is evidence, and stays.
                self.distrust(format!(
                    "{path} does not hold the report that its name says; move it away, and the next run with this report \
                     writes it anew"
                ));
            }
        } else if !self.has(&path).await? {
            self.upload(&path, &mut packed).await?;
        }
        Ok(digest)
    }

    async fn has(&self, path: &Path) -> Result<bool, LedgerError> {
        match self.store.objects().head(path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.store.error(&error)),
        }
    }

    /// In parts. Two writers that do this at once write the same bytes.
    async fn upload(&self, path: &Path, packed: &mut SpooledTempFile) -> Result<(), LedgerError> {
        let upload = self.store.objects().put_multipart(path).await.map_err(|error| self.store.error(&error))?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, SMALL);
        let mut buffer = vec![0; 1 << 20];
        let sent = loop {
            match packed.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(length) => parts.write(&buffer[..length]),
                Err(error) => break Err(LedgerError::of_io(self.store.location(), error)),
            }
            if let Err(error) = parts.wait_for_capacity(2).await {
                break Err(self.store.error(&error));
            }
        };
        match sent {
            Ok(()) => parts.finish().await.map(|_| ()).map_err(|error| self.store.error(&error)),
            Err(error) => {
                let _ = parts.abort().await;
                Err(error)
            }
        }
    }

    /// A report's body, checked against its name before any of it is handed out.
    pub async fn report(&self, digest: &Digest) -> Result<impl Read + Send + use<>, LedgerError> {
        let path = report_path(digest);
        let Some(packed) = self.store.get(&path).await? else {
            return Err(self.store.corrupt(format!("{path} is missing")));
        };
        self.check_report(&packed[..], digest)?;
        let mut decoder = zstd::Decoder::new(Cursor::new(packed))
            .map_err(|error| LedgerError::of_io(self.store.location(), error))?;
        decoder.window_log_max(cache::WINDOW_LOG).map_err(|error| LedgerError::of_io(self.store.location(), error))?;
        Ok(decoder)
    }

    fn check_report(&self, packed: &[u8], digest: &Digest) -> Result<(), LedgerError> {
        let mut hashed = Hashed { inner: std::io::sink(), hash: Sha256::new() };
        // Nothing is kept while it is hashed; what unpacks to more than reports do is not followed to its end (F102).
        let most = UNPACKED_CAP.min((packed.len() as u64).saturating_mul(RATIO));
        let copied = cache::decoder(packed).and_then(|decoder| std::io::copy(&mut decoder.take(most), &mut hashed));
        let whole = copied.is_ok_and(|bytes| bytes < most);
        if whole && Digest::Sha256(hashed.hash.finalize().into()) == *digest {
            return Ok(());
        }
        Err(self.store.corrupt(format!("{}: its bytes do not hash to its name", report_path(digest))))
    }
}

fn compress(mut body: impl Read) -> std::io::Result<(SpooledTempFile, Digest)> {
    let encoder = zstd::Encoder::new(SpooledTempFile::new(SMALL), 3)?;
    let mut hashed = Hashed { inner: encoder, hash: Sha256::new() };
    std::io::copy(&mut body, &mut hashed)?;
    Ok((hashed.inner.finish()?, Digest::Sha256(hashed.hash.finalize().into())))
}

/// Hashes what passes through to the inner writer.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}
