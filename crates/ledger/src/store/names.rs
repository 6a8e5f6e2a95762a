//! What lies under a prefix, by name alone.

use futures::TryStreamExt as _;
use object_store::path::Path;

use super::Store;
use crate::LedgerError;

impl Store {
    /// The numbers of checkpoints under a prefix after this one, as far as the store lists them. What is not named as
    /// checkpoints are is a stranger's, and none.
    pub(crate) async fn numbers_after(&self, prefix: &Path, offset: &Path) -> Result<Vec<u64>, LedgerError> {
        self.names_after(prefix, offset, checkpoint_number).await
    }

    /// What names under a prefix after this one read as.
    pub(crate) async fn names_after<T: Send + 'static>(
        &self,
        prefix: &Path,
        offset: &Path,
        read: fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, LedgerError> {
        if let Some(folder) = self.file(prefix) {
            let after = offset.filename().unwrap_or_default().to_owned();
            return self.on_disk(folder.clone(), move || names_in(&folder, &after, read)).await;
        }
        let listed = self.objects.list_with_offset(Some(prefix), offset);
        let names = listed.try_filter_map(|object| std::future::ready(Ok(object.location.filename().and_then(read))));
        names.try_collect().await.map_err(|error| self.error(&error))
    }

    /// The greatest number that names an object under a prefix after this one, as far as the store lists it; 0 if none.
    /// Lists may be stale, and may hold a stranger's files.
    pub(crate) async fn greatest_after(&self, prefix: &Path, offset: &Path) -> Result<u64, LedgerError> {
        if self.directory.is_some() {
            let numbers = self.names_after(prefix, offset, |name| name.parse::<u64>().ok()).await?;
            return Ok(numbers.into_iter().max().unwrap_or(0));
        }
        let listed = self.objects.list_with_offset(Some(prefix), offset);
        let greatest = listed.try_fold(0, |greatest: u64, object| {
            let number = object.location.filename().and_then(|name| name.parse().ok()).unwrap_or(0);
            std::future::ready(Ok(greatest.max(number)))
        });
        greatest.await.map_err(|error| self.error(&error))
    }
}

/// The number of a checkpoint by its name: twenty digits, from 1 on.
pub(crate) fn checkpoint_number(name: &str) -> Option<u64> {
    let digits = name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|number| digits && *number > 0)
}

/// What the names of files in a local folder read as, after this name. Names alone: a year of runs leaves 35,000 files, and
/// asking for the size and date of each takes most of the time that a listing takes.
fn names_in<T>(folder: &std::path::Path, after: &str, read: fn(&str) -> Option<T>) -> std::io::Result<Vec<T>> {
    let mut numbers = Vec::new();
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        // A ledger without a single commit.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(numbers),
        Err(error) => return Err(error),
    };
    for file in files {
        let name = file?.file_name();
        let name = name.to_str().filter(|name| *name > after);
        numbers.extend(name.and_then(read));
    }
    Ok(numbers)
}
