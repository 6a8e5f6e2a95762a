//! The small file that remembers a ledger's last commit, as it lies on disk.
//!
//! Only a file that is not there remembers nothing. Whatever is there and cannot be read may remember commits that are
//! gone: it speaks against a beginning (I24), and is not written over unless somebody says so.

use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Head;

/// A memory is a line; whatever is longer was written by somebody else.
const CAP: u64 = 64 << 10;

/// A head as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// The log's own name.
    pub(super) origin: String,
    #[serde(flatten)]
    pub(super) head: Head,
    /// The key that signed it; none in an unsigned log, and in the memory of a program before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    /// Where the ledger is; only where a policy's last ledger is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ledger: Option<String>,
}

/// What is in the place of a memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing was ever written there.
    Nothing,
    /// A memory.
    Memory(Remembered),
    /// Something that cannot be read, and why.
    Unread(String),
}

/// What the file remembers.
pub(super) fn read(file: &Path) -> Found {
    let metadata = match std::fs::metadata(file) {
        Ok(metadata) => metadata,
        // A link to a volume that is gone is there, and leads nowhere.
        Err(error) if is_absent(&error) && std::fs::symlink_metadata(file).is_err_and(|error| is_absent(&error)) => {
            return Found::Nothing;
        }
        Err(error) => return Found::Unread(error.to_string()),
    };
    if metadata.is_dir() {
        // Nothing was ever remembered in a directory, and nothing can be.
        tracing::warn!("{} should remember the ledger's last commit, and is a directory", file.display());
        return Found::Nothing;
    }
    // Asked before opening: opening a named pipe would wait for a writer.
    let text = if metadata.is_file() { read_text(file) } else { Err(Error::other("it is no file")) };
    match text.and_then(|text| serde_json::from_str(&text).map_err(Error::other)) {
        Ok(remembered) => Found::Memory(remembered),
        Err(error) => Found::Unread(error.to_string()),
    }
}

/// Nothing of that name, or no folder in which it could be.
fn is_absent(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn read_text(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(file)?.take(CAP).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a memory whole or not at all.
pub(super) fn write(file: &Path, remembered: &Remembered) -> std::io::Result<()> {
    if std::fs::symlink_metadata(file).is_ok_and(|found| found.is_dir()) {
        return Err(Error::other("a directory is in its place"));
    }
    let mut text = serde_json::to_string(remembered).map_err(Error::other)?;
    text.push('\n');
    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // Whoever looks at the ledger under another name must be able to read it; it holds no secret.
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut new = builder.tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_not_there_remembers_nothing_i24() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ledger.head");
        let text =
            r#"{"origin":"prodpin/aa","sequence":7,"size":40,"root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#;
        let remembered: Remembered = serde_json::from_str(text).unwrap();
        assert_eq!(read(&file), Found::Nothing);
        assert_eq!(read(&file.join("below")), Found::Nothing, "no folder");
        write(&file, &remembered).unwrap();
        assert_eq!(read(&file), Found::Memory(remembered.clone()));
        assert_eq!(read(&file.join("below")), Found::Nothing, "below a file");
        let whole = std::fs::read(&file).unwrap();
        let cut = [0, 1, whole.len() / 2, whole.len() - 3].map(|at| whole[..at].to_vec());
        for bytes in
            cut.into_iter().chain([vec![0xff, 0xfe], vec![0; 64], b"null".to_vec(), b"{\"origin\":7}".to_vec()])
        {
            std::fs::write(&file, &bytes).unwrap();
            assert!(matches!(read(&file), Found::Unread(_)), "{bytes:?}");
        }
        write(&file, &remembered).unwrap();
        std::fs::remove_file(&file).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path().join("away"), &file).unwrap();
            assert!(matches!(read(&file), Found::Unread(_)), "a link that leads nowhere");
            std::fs::remove_file(&file).unwrap();
            std::os::unix::fs::symlink(&file, &file).unwrap();
            assert!(matches!(read(&file), Found::Unread(_)), "a link to itself");
            std::fs::remove_file(&file).unwrap();
        }
        std::fs::create_dir(&file).unwrap();
        assert_eq!(read(&file), Found::Nothing, "a directory is no memory");
        assert!(write(&file, &remembered).is_err());
    }
}
