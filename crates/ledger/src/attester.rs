//! The ledger's key outside the ledger: it signs statements about runs (H156), so that whoever knows the key that a
//! log's checkpoints are signed with can tell that a statement comes from the same hands.

use std::io;

use super::key::{Key, Keys};
use super::{Access, Ledger, LedgerError};
use prodpin_policy::{LedgerLocation, Safeguards};

/// Signs with the key that the policy names, or the one beside the ledger.
pub struct Attester(Key);

impl Attester {
    /// The key at hand; none if checkpoints of this ledger are not signed. `first`: whether this may be its first use,
    /// unless another key has signed the ledger before.
    pub async fn load(
        safeguards: &Safeguards,
        location: &LedgerLocation,
        first: bool,
    ) -> Result<Option<Self>, LedgerError> {
        let place = match location {
            LedgerLocation::None => return Ok(None),
            LedgerLocation::Directory(directory) => directory.display().to_string(),
            LedgerLocation::Store(url) => url.to_string(),
        };
        let reported = |detail: String| LedgerError::Key { location: place.clone(), detail };
        let there = Keys::current(safeguards, location, false).await.map_err(reported)?;
        if there.is_some() || !first || Ledger::open(location, Access::Read).await?.signed_by().is_some() {
            return Ok(there.map(Self));
        }
        Ok(Keys::current(safeguards, location, true).await.map_err(reported)?.map(Self))
    }

    /// The public key itself: no log's name belongs to a statement.
    #[must_use]
    pub fn key_id(&self) -> String {
        self.0.spelled()
    }

    /// The signature over exactly these bytes.
    pub fn sign(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        self.0.sign_now(message).map_err(io::Error::other)
    }
}
