//! What rollback targets are to survive beyond what protected means, for all sources or for one.

use super::given::Given;
use prodpin_core::model::{Loss, Required};

/// `require` as the policy writes it.
pub(super) type RawRequire = Vec<Given<Loss>>;

/// What is required; none if nothing is said, so that what a source says takes the place of what holds for all.
pub(super) fn required(given: &Given<RawRequire>) -> Option<Required> {
    given.place()?;
    Some(given.value().into_iter().flatten().filter_map(Given::value).copied().collect())
}
