//! The ledger's key outside the ledger: it signs statements about runs (H156), so that whoever knows the key that a
//! log's checkpoints are signed with can tell that a statement comes from the same hands.

use std::io;

use super::LedgerError;
use super::key::{Key, Keys};
use crate::policy::{LedgerLocation, Safeguards};
use crate::report::context::Signer;

/// Signs with the key that the policy names, or the one beside the ledger.
pub struct Attester(Key);

impl Attester {
    /// The key at hand; none if checkpoints of this ledger are not signed. `make`: whether this may be its first use.
    pub async fn load(
        safeguards: &Safeguards,
        location: &LedgerLocation,
        make: bool,
    ) -> Result<Option<Self>, LedgerError> {
        let place = match location {
            LedgerLocation::None => return Ok(None),
            LedgerLocation::Directory(directory) => directory.display().to_string(),
            LedgerLocation::Store(url) => url.to_string(),
        };
        let told = |detail: String| LedgerError::Key { location: place, detail };
        Ok(Keys::current(safeguards, location, make).await.map_err(told)?.map(Self))
    }
}

impl Signer for Attester {
    /// The public key itself: no log's name belongs to a statement.
    fn key_id(&self) -> String {
        self.0.spelled()
    }

    fn sign(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        self.0.sign_now(message).map_err(io::Error::other)
    }
}
