//! From a ledger's location to its store.

use std::path::Path as FilePath;
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

use super::store::Store;
use super::{Access, LedgerError, s3};
use crate::policy::LedgerLocation;

pub(super) async fn open(location: &LedgerLocation, access: Access) -> Result<Store, LedgerError> {
    match location {
        LedgerLocation::None => Ok(Store::new(Arc::new(InMemory::new()), "in memory")),
        LedgerLocation::Directory(directory) => open_directory(directory, access),
        LedgerLocation::Store(url) => {
            // Nothing but the place itself: whatever else a URL holds is not for messages (I18).
            let name = format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path());
            match url.scheme() {
                "s3" => s3::open(url, &name).await,
                other => Err(LedgerError::Unusable {
                    detail: format!("{other}:// is not supported yet; use a directory or s3://BUCKET/PREFIX"),
                    location: name,
                }),
            }
        }
    }
}

fn open_directory(directory: &FilePath, access: Access) -> Result<Store, LedgerError> {
    let name = directory.display().to_string();
    let unusable = |detail: &str| LedgerError::Unusable { location: name.clone(), detail: detail.to_owned() };
    if directory.to_str().is_none() {
        return Err(unusable("the path is not valid UTF-8; choose one that is"));
    }
    match (std::fs::metadata(directory), access) {
        (Ok(metadata), _) if metadata.is_dir() => {}
        (Ok(_), _) => return Err(unusable("this is a file; name a directory")),
        (Err(error), Access::Write) if error.kind() == std::io::ErrorKind::NotFound => {
            create_directory(directory).map_err(|error| LedgerError::of_io(&name, error))?;
        }
        (Err(error), Access::Read) if error.kind() == std::io::ErrorKind::NotFound => {
            // Looking must not leave anything behind.
            return Ok(Store::new(Arc::new(InMemory::new()), &name));
        }
        (Err(error), _) => return Err(LedgerError::of_io(&name, error)),
    }
    let root = directory.canonicalize().map_err(|error| LedgerError::of_io(&name, error))?;
    if root.to_str().is_none() {
        return Err(unusable("the path it links to is not valid UTF-8; choose one that is"));
    }
    let files = |fsync| {
        LocalFileSystem::new_with_prefix(&root)
            .map(|files| Arc::new(files.with_fsync(fsync)))
            .map_err(|error| LedgerError::of(&name, &error))
    };
    // A file appears under its name only by a hard link to a temporary one that was written and synced whole, so a
    // crash leaves no torn object (F56); with fsync its directory entry is safe before the call returns (F54, F55).
    Ok(Store::local(files(true)?, files(false)?, root.clone(), &name))
}

/// The ledger tells what production runs: others on the machine need not read it.
fn create_directory(directory: &FilePath) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)?;
    #[cfg(unix)]
    if let Some(parent) = directory.canonicalize()?.parent() {
        std::fs::File::open(parent)?.sync_all()?;
    }
    Ok(())
}
