//! From a ledger's location to its store.

use std::path::Path as FilePath;
use std::sync::Arc;

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use url::Url;

use super::options::{parts, patience, retries};
use super::store::Store;
use super::{Access, LedgerError, s3, store};
use prodpin_policy::LedgerLocation;

pub(super) async fn open(location: &LedgerLocation, access: Access) -> Result<Store, LedgerError> {
    match location {
        LedgerLocation::None => Ok(Store::new(Arc::new(InMemory::new()), "in memory")),
        LedgerLocation::Directory(directory) => {
            let (directory, name) = (directory.clone(), directory.display().to_string());
            // A directory on a network that is gone answers nothing, and must not take the deadline's clock with it.
            store::opened(&name, move || open_directory(&directory, access)).await
        }
        LedgerLocation::Store(url) => {
            // Nothing but the place itself: whatever else a URL holds is not for messages (I18).
            let name = format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path());
            match url.scheme() {
                "s3" => s3::open(url, &name).await,
                "gs" => open_google(url, &name),
                "az" => open_azure(url, &name),
                other => Err(LedgerError::Unusable {
                    detail: format!(
                        "a ledger cannot be at {other}://; use a directory, s3://, gs:// or az://BUCKET/PREFIX"
                    ),
                    location: name,
                }),
            }
        }
    }
}

/// The objects at a place like a ledger's, and whether it is a local directory: for other things that are kept in such a
/// place, by the same rules. Errors call it a ledger: what is told of it says what it is.
pub async fn objects_at(
    location: &LedgerLocation,
    access: Access,
) -> Result<(Arc<dyn object_store::ObjectStore>, bool), LedgerError> {
    let store = open(location, access).await?;
    let local = matches!(location, LedgerLocation::Directory(_));
    Ok((store.objects().clone(), local))
}

/// The service account, workload identity or metadata server that Google's own tools find; or the emulator that they
/// are told of.
fn open_google(url: &Url, name: &str) -> Result<Store, LedgerError> {
    let (bucket, prefix) = parts(url, name)?;
    let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(retries());
    builder = match said("STORAGE_EMULATOR_HOST") {
        Some(host) => {
            let base = if host.contains("://") { host } else { format!("http://{host}") };
            let patience = patience().with_allow_http(base.starts_with("http://"));
            builder.with_base_url(base.trim_end_matches('/')).with_skip_signature(true).with_client_options(patience)
        }
        None => builder.with_client_options(patience()),
    };
    let bucket = builder.build().map_err(|error| LedgerError::from_store(name, &error))?;
    Ok(Store::new(Arc::new(PrefixStore::new(bucket, prefix)), name))
}

/// The account is in `AZURE_STORAGE_ACCOUNT_NAME`, or where Azure's command line has it; so is its key, if one is used.
/// The identity is what Azure's own tools find.
fn open_azure(url: &Url, name: &str) -> Result<Store, LedgerError> {
    let (container, prefix) = parts(url, name)?;
    let mut builder = MicrosoftAzureBuilder::from_env();
    for (variable, key) in
        [("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName), ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey)]
    {
        if let Some(value) = said(variable).filter(|_| builder.get_config_value(&key).is_none()) {
            builder = builder.with_config(key, value);
        }
    }
    let emulated = said("AZURE_STORAGE_USE_EMULATOR").is_some();
    if !emulated && builder.get_config_value(&AzureConfigKey::AccountName).is_none() {
        return Err(LedgerError::Unusable {
            location: name.to_owned(),
            detail: "no storage account is named; set AZURE_STORAGE_ACCOUNT_NAME".to_owned(),
        });
    }
    let container = builder
        .with_container_name(container)
        .with_client_options(patience())
        .with_retry(retries())
        .build()
        .map_err(|error| LedgerError::from_store(name, &error))?;
    Ok(Store::new(Arc::new(PrefixStore::new(container, prefix)), name))
}

fn said(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
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
            .map_err(|error| LedgerError::from_store(&name, &error))
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
