//! Targets that are one file: an object version in a bucket, or a chart's archive. What their source says of their bytes, and
//! holding the bytes to it.

mod sum;

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::content::{Lost, Taker};
use prodpin_core::model::{ArtifactId, Digest, RepositoryName};

pub use self::sum::{Sum, SumKind};

/// What a source knows of a file before it is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileFacts {
    /// Its size; none where only reading it to its end tells.
    pub size: Option<u64>,
    /// What it hashes to, by its source's word.
    pub digest: Option<Digest>,
    /// What else its source says of its bytes.
    pub sums: Vec<Sum>,
    /// Why none of these says anything, where none is there: for a person.
    pub unsaid: Option<String>,
    /// By what every part of it that is read is known to be of the same bytes.
    pub etag: Option<String>,
    /// What is kept of it beside its bytes, such as its key and its content type.
    pub notes: BTreeMap<String, String>,
}

/// Reading files. Each read may count as a download: ask only for what is missing elsewhere (I30).
#[async_trait]
pub trait Files: Send + Sync {
    /// What is known of a file before it is read. Only a definitive answer is "not found" (I4).
    async fn facts(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<FileFacts, Lost>;

    /// Its bytes from this place on, handed over as they arrive, and held to nothing: whoever takes them does that.
    async fn file(
        &self,
        repository: &RepositoryName,
        artifact: &ArtifactId,
        facts: &FileFacts,
        from: u64,
        taker: &mut dyn Taker,
    ) -> Result<(), Lost>;
}

/// A file as a copy of it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// What its bytes hash to.
    pub digest: Digest,
    /// How many they are.
    pub size: u64,
    /// What was kept of it beside them.
    pub notes: BTreeMap<String, String>,
}

/// Whence a file's bytes come that are put back, a piece at a time.
#[async_trait]
pub trait Pieces: Send + Sync {
    /// The bytes from `from` until before `until`. The error is for a person.
    async fn piece(&self, from: u64, until: u64) -> Result<Bytes, String>;
}

/// A file's bytes as they stream by.
pub struct Tally {
    hash: Sha256,
    sums: Vec<sum::Running>,
    /// How many there were.
    pub size: u64,
}

/// What all bytes of a file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRead {
    /// What they hash to.
    pub digest: Digest,
    /// How many they were.
    pub size: u64,
    /// What that says.
    pub verdict: Verdict,
}

/// Whether bytes are what their source says that they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// They are, by this.
    Same(String),
    /// They are not.
    Other(String),
    /// The source says nothing of them, and why.
    Unsaid(String),
}

impl Tally {
    /// Of a file of which this is known.
    #[must_use]
    pub fn of(facts: &FileFacts) -> Self {
        Self { hash: Sha256::new(), sums: facts.sums.iter().map(sum::Running::of).collect(), size: 0 }
    }

    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.hash.update(bytes);
        self.sums.iter_mut().for_each(|sum| sum.update(bytes));
    }

    /// What they all came to. One word of the source that they contradict is enough; one that they fulfil proves them.
    #[must_use]
    pub fn finish(self, facts: &FileFacts) -> FileRead {
        let Self { hash, sums, size } = self;
        let digest = Digest::Sha256(hash.finalize().into());
        let sums: Vec<(SumKind, Result<(), String>)> = sums.into_iter().map(sum::Running::finish).collect();
        let verdict = match (facts.size, &facts.digest) {
            (Some(named), _) if named != size => {
                Verdict::Other(format!("{size} bytes were served, and its source says that it has {named}"))
            }
            (_, Some(named)) if *named != digest => {
                Verdict::Other(format!("its bytes hash to {digest}, and its source says {named}"))
            }
            _ => by_sums(facts, &sums),
        };
        FileRead { digest, size, verdict }
    }
}

fn by_sums(facts: &FileFacts, sums: &[(SumKind, Result<(), String>)]) -> Verdict {
    // An ETag is the weakest word: some servers make them up. A checksum that holds is believed over it.
    let proven = facts.digest.is_some() || sums.iter().any(|(kind, held)| *kind != SumKind::Md5Etag && held.is_ok());
    let wrong = sums.iter().find_map(|(kind, held)| match held {
        Err(why) if *kind != SumKind::Md5Etag || !proven => Some(why.clone()),
        _ => None,
    });
    let right = || sums.iter().find(|(_, held)| held.is_ok()).map(|(kind, _)| kind.to_string());
    match (wrong, &facts.digest) {
        (Some(why), _) => Verdict::Other(why),
        (None, Some(_)) => Verdict::Same("SHA-256".to_owned()),
        (None, None) => match right() {
            Some(by) => Verdict::Same(by),
            None => Verdict::Unsaid(
                facts.unsaid.clone().unwrap_or_else(|| "its source names no checksum of the whole file".to_owned()),
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(facts: &FileFacts, bytes: &[u8]) -> Verdict {
        let mut tally = Tally::of(facts);
        bytes.chunks(3).for_each(|piece| tally.update(piece));
        tally.finish(facts).verdict
    }

    fn facts(sums: &[(SumKind, &str)]) -> FileFacts {
        let sums = sums.iter().map(|(kind, value)| Sum::read(*kind, value).unwrap()).collect();
        FileFacts { size: Some(9), sums, ..FileFacts::default() }
    }

    /// The check values that each algorithm is published with, for `123456789`.
    #[test]
    fn bytes_are_held_to_every_word_of_their_source_f104() {
        let (crc32, crc32c, nvme) = ("y/Q5Jg==", "4waSgw==", "rosUhgp5mIg=");
        let md5 = "25f9e794323b453885f5181f1b624d0b";
        for (kind, value) in
            [(SumKind::Crc32, crc32), (SumKind::Crc32c, crc32c), (SumKind::Crc64Nvme, nvme), (SumKind::Md5Etag, md5)]
        {
            let facts = facts(&[(kind, value)]);
            assert_eq!(read(&facts, b"123456789"), Verdict::Same(kind.to_string()));
            assert!(matches!(read(&facts, b"123456780"), Verdict::Other(_)), "{kind}");
            assert!(matches!(read(&facts, b"12345678"), Verdict::Other(_)), "{kind}: shorter");
        }
        let none = FileFacts { size: Some(9), ..FileFacts::default() };
        assert!(matches!(read(&none, b"123456789"), Verdict::Unsaid(_)), "nothing says what they should be");
        let named = FileFacts { digest: Some(Digest::sha256(b"123456789")), ..none };
        assert_eq!(read(&named, b"123456789"), Verdict::Same("SHA-256".to_owned()));
        assert!(matches!(read(&named, b"12345678!"), Verdict::Other(_)));
    }

    #[test]
    fn an_etag_that_is_made_up_is_no_word_against_a_checksum() {
        let made_up = "00000000000000000000000000000000";
        let both = facts(&[(SumKind::Md5Etag, made_up), (SumKind::Crc32, "y/Q5Jg==")]);
        assert_eq!(read(&both, b"123456789"), Verdict::Same("CRC32".to_owned()));
        assert!(matches!(read(&facts(&[(SumKind::Md5Etag, made_up)]), b"123456789"), Verdict::Other(_)));
    }
}
