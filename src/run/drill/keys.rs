//! The public keys that signatures are held to, read from their files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use prodpin_net::blocking;

use crate::run::RunError;
use crate::vault::VerifyingKey;

/// A key is small; a file that is not is no key.
const MOST_BYTES: u64 = 64 << 10;

/// A disk that has not answered by then is one whose server is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads every key, or says which of them cannot be used: with fewer keys than were asked for nothing is verified.
pub(super) async fn read(paths: &[PathBuf]) -> Result<Vec<VerifyingKey>, RunError> {
    let mut keys = Vec::new();
    for path in paths {
        let (what, file) = (format!("signature key {}", path.display()), path.clone());
        let text = match blocking::one(&what, Instant::now() + PATIENCE, move || text(&file)).await {
            Ok(read) => read,
            Err(blocking::Unread::Broke(error)) => Err(error.to_string()),
            Err(blocking::Unread::Late) => Err("its file system does not answer".to_owned()),
        };
        // By its name alone: it is on record, and the same policy may be reached by another path tomorrow.
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let key = text.and_then(|text| VerifyingKey::from_pem(&name, &text));
        keys.push(key.map_err(|why| RunError::SignatureKey { path: path.clone(), why })?);
    }
    Ok(keys)
}

fn text(path: &Path) -> Result<String, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    // Asked before opening: opening a named pipe would wait for a writer.
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err("it is no file with a key".to_owned());
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}
