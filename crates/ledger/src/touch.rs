//! Which commit touched a repository.

use serde::{Deserialize, Serialize};

use prodpin_core::model::Digest;

/// A commit that held events of a repository, by its number and its batch: the batch's name is the hash of its bytes, so
/// that whoever believes a touch needs nothing else to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Touch(pub(super) u64, pub(super) Digest);
