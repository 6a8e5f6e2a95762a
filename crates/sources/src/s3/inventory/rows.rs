//! Rows of an inventory, spread over files so that one repository can be read without the others.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, SeekFrom};
use std::sync::{Mutex, PoisonError};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{DeleteMarkerEntry, ObjectVersion, ObjectVersionStorageClass};
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use prodpin_core::model::{Layout, RepositoryName};

use super::super::listing::{Page, decode};
use super::manifest::Columns;

/// Files that rows are spread over: with a million rows, each repository reads some thousands of others' rows.
const PARTS: usize = 64;

/// Lists of keys pack well, but not like this (F83).
const MOST_RATIO: u64 = 500;

/// The rows by repository, on disk.
#[derive(Debug)]
pub(super) struct Spool {
    parts: Vec<Mutex<csv::Writer<BufWriter<File>>>>,
    repositories: BTreeMap<Box<str>, usize>,
}

/// One row, in the order in which it is kept.
const FIELDS: usize = 8;

impl Spool {
    pub(super) fn new() -> std::io::Result<Self> {
        let part = || Ok(Mutex::new(csv::WriterBuilder::new().from_writer(BufWriter::new(tempfile::tempfile()?))));
        let parts = std::iter::repeat_with(part).take(PARTS).collect::<std::io::Result<_>>()?;
        Ok(Self { parts, repositories: BTreeMap::new() })
    }

    /// Takes one compressed data file. Its size is known from the manifest.
    pub(super) fn fill(&mut self, file: File, size: u64, columns: &Columns, layout: &Layout) -> Result<(), String> {
        let most = size.saturating_mul(MOST_RATIO).max(1 << 20);
        let unpacked = MultiGzDecoder::new(BufReader::new(file)).take(most + 1);
        let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(unpacked);
        let mut row = csv::StringRecord::new();
        while rows.read_record(&mut row).map_err(|error| error.to_string())? {
            if rows.position().byte() > most {
                return Err(format!("it unpacks to more than {MOST_RATIO} times its size"));
            }
            self.take(&row, columns, layout)?;
        }
        if rows.into_inner().limit() == 0 {
            return Err(format!("it unpacks to more than {MOST_RATIO} times its size"));
        }
        Ok(())
    }

    fn take(&mut self, row: &csv::StringRecord, columns: &Columns, layout: &Layout) -> Result<(), String> {
        let cell = |place: usize| row.get(place).ok_or_else(|| format!("a row has only {} cells", row.len()));
        let key = decode(cell(columns.key)?).ok_or("a key is not valid UTF-8")?;
        let Some((repository, _)) = layout.read(&key) else { return Ok(()) };
        let class = columns.class.and_then(|place| row.get(place)).unwrap_or_default();
        let kept: [&str; FIELDS] = [
            &key,
            cell(columns.version)?,
            cell(columns.is_latest)?,
            cell(columns.is_marker)?,
            cell(columns.size)?,
            cell(columns.modified)?,
            cell(columns.etag)?,
            class,
        ];
        match self.repositories.get_mut(repository) {
            Some(rows) => *rows += 1,
            None => _ = self.repositories.insert(repository.into(), 1),
        }
        let part = self.parts[part_of(repository)].get_mut().unwrap_or_else(PoisonError::into_inner);
        part.write_record(kept).map_err(|error| error.to_string())
    }

    /// Ends writing; gives what repositories there are, each with its rows.
    pub(super) fn finish(&mut self) -> Result<BTreeMap<Box<str>, usize>, String> {
        for part in &mut self.parts {
            let part = part.get_mut().unwrap_or_else(PoisonError::into_inner);
            part.flush().map_err(|error| error.to_string())?;
        }
        Ok(std::mem::take(&mut self.repositories))
    }

    /// The rows of one repository, as a listing would give them: by key, the newest first.
    pub(super) fn page(&self, layout: &Layout, repository: &RepositoryName) -> Result<Page, String> {
        let failed = |error: std::io::Error| format!("a temporary file: {error}");
        let part = self.parts[part_of(repository.as_str())].lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = part.get_ref().get_ref();
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(BufReader::new(file));
        let (mut versions, mut markers) = (Vec::new(), Vec::new());
        let mut row = csv::StringRecord::new();
        while reader.read_record(&mut row).map_err(|error| error.to_string())? {
            let [key, id, latest, marker, size, modified, etag, class]: [&str; FIELDS] =
                std::array::from_fn(|place| row.get(place).unwrap_or_default());
            if layout.read(key).is_none_or(|(found, _)| found != repository.as_str()) {
                continue;
            }
            let modified = DateTime::from_str(modified, DateTimeFormat::DateTime).ok();
            let id = Some(id.to_owned()).filter(|id| !id.is_empty());
            if marker == "true" {
                let entry = DeleteMarkerEntry::builder().key(key).set_version_id(id).is_latest(latest == "true");
                markers.push(entry.set_last_modified(modified).build());
            } else {
                let entry = ObjectVersion::builder()
                    .key(key)
                    .set_version_id(id)
                    .is_latest(latest == "true")
                    .set_last_modified(modified)
                    .set_size(size.parse().ok())
                    .e_tag(etag);
                let class = Some(class).filter(|class| !class.is_empty()).map(ObjectVersionStorageClass::from);
                versions.push(entry.set_storage_class(class).build());
            }
        }
        let newest = |latest: Option<bool>, modified: Option<&DateTime>| {
            (latest != Some(true), std::cmp::Reverse(modified.map(|time| (time.secs(), time.subsec_nanos()))))
        };
        versions.sort_by(|a, b| {
            let order = |v: &ObjectVersion| newest(v.is_latest(), v.last_modified());
            a.key().cmp(&b.key()).then_with(|| order(a).cmp(&order(b)))
        });
        markers.sort_by(|a, b| {
            let order = |m: &DeleteMarkerEntry| newest(m.is_latest(), m.last_modified());
            a.key().cmp(&b.key()).then_with(|| order(a).cmp(&order(b)))
        });
        Ok(Page::plain_of(versions, markers))
    }
}

fn part_of(repository: &str) -> usize {
    usize::from(Sha256::digest(repository)[0]) % PARTS
}
