//! Bytes that are written once and read back at will: in memory while there are few, then in a temporary file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Up to here rows stay in memory: an estate of a few thousand repositories needs no file.
const IN_MEMORY: usize = 8 << 20;

/// Up to here they stay there when no file can be made: on a read-only filesystem a report still comes out (F63), and
/// the whole program still fits in 256 MiB (F94).
const IN_MEMORY_AT_MOST: usize = 64 << 20;

/// A piece of the spool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    start: u64,
    length: usize,
}

/// Bytes in memory or on disk.
pub(super) struct Spool {
    store: Store,
    limits: Limits,
    make_file: fn() -> io::Result<File>,
}

enum Store {
    Memory(Vec<u8>),
    Disk { file: File, end: u64 },
}

/// How much may stay in memory: by choice, and where there is no other way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) preferred: usize,
    pub(super) most: usize,
}

impl Spool {
    pub(super) fn new() -> Self {
        Self::with(Limits { preferred: IN_MEMORY, most: IN_MEMORY_AT_MOST }, tempfile::tempfile)
    }

    pub(super) fn with(limits: Limits, make_file: fn() -> io::Result<File>) -> Self {
        Self { store: Store::Memory(Vec::new()), limits, make_file }
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<Extent> {
        self.make_room(bytes.len())?;
        let start = match &mut self.store {
            Store::Memory(kept) => {
                kept.extend_from_slice(bytes);
                (kept.len() - bytes.len()) as u64
            }
            Store::Disk { file, end } => {
                // A write that failed half way leaves a tail that nothing points at; the next one starts at `end`.
                let start = *end;
                file.seek(SeekFrom::Start(start))
                    .and_then(|_| file.write_all(bytes))
                    .map_err(|error| explain(&error))?;
                *end += bytes.len() as u64;
                start
            }
        };
        Ok(Extent { start, length: bytes.len() })
    }

    pub(super) fn read(&mut self, extent: Extent) -> io::Result<Vec<u8>> {
        match &mut self.store {
            Store::Memory(kept) => {
                let start = usize::try_from(extent.start).map_err(io::Error::other)?;
                let bytes = kept.get(start..start + extent.length);
                bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
            Store::Disk { file, .. } => {
                let mut bytes = vec![0; extent.length];
                file.seek(SeekFrom::Start(extent.start))?;
                file.read_exact(&mut bytes)?;
                Ok(bytes)
            }
        }
    }

    fn make_room(&mut self, more: usize) -> io::Result<()> {
        let Store::Memory(kept) = &mut self.store else { return Ok(()) };
        let needed = kept.len() + more;
        if needed <= self.limits.preferred {
            return Ok(());
        }
        let moved = (self.make_file)().and_then(|mut file| file.write_all(kept).map(|()| file));
        match moved {
            Ok(file) => {
                let end = kept.len() as u64;
                self.store = Store::Disk { file, end };
                Ok(())
            }
            Err(_) if needed <= self.limits.most => Ok(()),
            Err(error) => Err(explain(&error)),
        }
    }
}

fn explain(error: &io::Error) -> io::Error {
    let advice = "the report does not fit in memory and no temporary file takes it: point TMPDIR at a directory that can be written and has room";
    io::Error::new(error.kind(), format!("{advice} ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_only() -> io::Result<File> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    #[test]
    fn moves_to_disk_and_reads_back_i20() {
        let mut spool = Spool::with(Limits { preferred: 10, most: 10 }, tempfile::tempfile);
        let extents: Vec<_> =
            ["one", "two", "three", "four"].iter().map(|word| spool.append(word.as_bytes()).unwrap()).collect();
        assert!(matches!(spool.store, Store::Disk { end: 15, .. }));
        assert_eq!(spool.read(extents[3]).unwrap(), b"four");
        assert_eq!(spool.read(extents[0]).unwrap(), b"one");
        let last = spool.append(b"five").unwrap();
        assert_eq!(spool.read(last).unwrap(), b"five");
        assert_eq!(spool.read(extents[2]).unwrap(), b"three");
    }

    #[test]
    fn without_a_writable_directory_it_stays_in_memory_up_to_a_bound_f63() {
        let mut spool = Spool::with(Limits { preferred: 4, most: 8 }, read_only);
        let first = spool.append(b"12345678").unwrap();
        let error = spool.append(b"9").unwrap_err();
        assert!(error.to_string().contains("point TMPDIR at a directory"), "{error}");
        assert_eq!(spool.read(first).unwrap(), b"12345678");
    }
}
