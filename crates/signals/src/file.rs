//! A file that names what production runs: a JSON array of references, written by whatever knows.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::{Named, ProductionSignal, Signalled, Use};
use prodpin_core::model::{Cause, Evidence, Reference, Tenure};
use prodpin_net::blocking;

/// A million references of a hundred bytes do not fit, and nobody runs that many.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// A disk that has not answered by then is one whose server is gone.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// How many bad references are reported one by one; the rest are counted.
const MOST_SHOWN: usize = 20;

/// A JSON array of references in a file.
#[derive(Debug, Clone)]
pub struct FileSignal {
    path: PathBuf,
}

impl FileSignal {
    /// A signal that reads this file anew each time.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

#[async_trait]
impl ProductionSignal for FileSignal {
    fn name(&self) -> Arc<str> {
        // By name alone: this is the ledger's key, and the same policy may be reached by another path tomorrow.
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        format!("file {}", name.to_string_lossy()).into()
    }

    async fn collect(&self) -> Signalled {
        let (via, path) = (self.name(), self.path.clone());
        let what = format!("file {}", path.display());
        let text = match blocking::one(&what, Instant::now() + PATIENCE, move || read(&path)).await {
            Ok(read) => read,
            Err(blocking::Unread::Broke(error)) => Err((Cause::Unreachable, error.to_string())),
            Err(blocking::Unread::Late) => {
                Err((Cause::TimedOut, "its file system does not answer; see whether it is still mounted".to_owned()))
            }
        };
        interpret(via, text)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, (Cause, String)> {
    let reported = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => (Cause::NotFound, "there is no such file; write it before the run".to_owned()),
        io::ErrorKind::PermissionDenied => (Cause::Denied, "this user may not read it".to_owned()),
        _ => (Cause::Unreachable, error.to_string()),
    };
    // Asked before opening: opening a named pipe would wait for a writer.
    if !std::fs::metadata(path).map_err(reported)?.is_file() {
        return Err((Cause::Malformed, "it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(reported)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err((Cause::Malformed, "it is larger than 16 MiB".to_owned()));
    }
    Ok(bytes)
}

/// What the file says. Whatever cannot be understood is a gap; it never counts as "does not run".
fn interpret(via: Arc<str>, text: Result<Vec<u8>, (Cause, String)>) -> Signalled {
    let mut said = Signalled::new(via);
    let entries: Vec<serde_json::Value> = match text {
        Err((cause, detail)) => {
            said.gap(cause, detail);
            return said;
        }
        Ok(bytes) => match serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)) {
            Ok(entries) => entries,
            Err(error) => {
                said.gap(Cause::Malformed, format_args!("it is no JSON array of references: {error}"));
                return said;
            }
        },
    };
    let mut unreported = 0_usize;
    for (index, entry) in entries.iter().enumerate() {
        let problem = match entry {
            serde_json::Value::String(text) => match text.parse::<Reference>() {
                Ok(reference) => {
                    said.uses.push(running(reference));
                    continue;
                }
                Err(error) => error.to_string(),
            },
            _ => "it is not a string".to_owned(),
        };
        if said.gaps.len() < MOST_SHOWN {
            said.gap(Cause::Malformed, format_args!("entry {}: {problem}", index + 1));
        } else {
            unreported += 1;
        }
    }
    if unreported > 0 {
        said.gap(Cause::Malformed, format_args!("{unreported} more entries are no references"));
    }
    said.settle();
    said
}

/// A workload in this file runs as whoever wrote it says, and a tag in it may have moved since (E137).
fn running(reference: Reference) -> Use {
    Use::new(Named::Reference(reference), Evidence::StablePointer, Tenure::Now { since: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use prodpin_core::model::Scope;

    fn said(text: &str) -> Signalled {
        interpret("file in-use.json".into(), Ok(text.as_bytes().to_vec()))
    }

    #[test]
    fn an_empty_list_is_complete_and_says_that_nothing_runs() {
        let said = said("[]");
        assert!(said.uses.is_empty() && said.gaps.is_empty());
    }

    #[test]
    fn good_references_count_beside_bad_ones_and_each_bad_one_is_a_gap_i4() {
        let said =
            said(r#"["r.example/a:1", "https://r.example/b", 7, {"reference": "r.example/c:1"}, "r.example/a:1"]"#);
        assert_eq!(said.uses, [running("r.example/a:1".parse().unwrap())]);
        assert_eq!(said.gaps.len(), 3);
        assert!(said.gaps.iter().all(|gap| gap.scope == Scope::Signal("file in-use.json".to_owned())));
        assert!(said.gaps[0].detail.starts_with("file in-use.json: entry 2: "), "{}", said.gaps[0].detail);
    }

    #[test]
    fn what_is_no_array_is_a_gap_and_never_nothing_runs_i4() {
        for text in ["", "{}", "null", "\"r.example/a:1\"", "[\"r.example/a:1\"", "[] []"] {
            let said = said(text);
            assert!(said.uses.is_empty(), "{text}");
            assert_eq!(said.gaps.len(), 1, "{text}");
        }
    }

    #[test]
    fn a_thousand_bad_entries_are_told_in_few_words_i20() {
        let said = said(&format!("[{}]", vec!["1"; 1000].join(",")));
        assert_eq!(said.gaps.len(), MOST_SHOWN + 1);
        assert!(said.gaps[MOST_SHOWN].detail.contains("980 more"));
    }

    #[tokio::test]
    async fn a_missing_file_a_directory_and_a_flood_are_gaps() {
        let directory = tempfile::tempdir().unwrap();
        let flood = directory.path().join("flood.json");
        let sparse = std::fs::File::create(&flood).unwrap();
        sparse.set_len(MAX_BYTES + 1).unwrap();
        for (path, cause) in [
            (directory.path().join("none.json"), Cause::NotFound),
            (directory.path().to_owned(), Cause::Malformed),
            (flood, Cause::Malformed),
        ] {
            let said = FileSignal::new(&path).collect().await;
            assert!(said.uses.is_empty());
            assert_eq!(said.gaps.iter().map(|gap| gap.cause).collect::<Vec<_>>(), [cause], "{}", path.display());
        }
    }

    #[tokio::test]
    async fn a_file_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "\u{feff}[\"r.example/a@sha256:0000000000000000000000000000000000000000000000000000000000000000\"]",
        )
        .unwrap();
        let said = FileSignal::new(file.path()).collect().await;
        assert_eq!(said.uses.len(), 1);
        assert!(said.gaps.is_empty());
    }
}
