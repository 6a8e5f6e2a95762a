//! What rollback targets are to survive beyond what protected means, for all sources or for one.

use super::spanned::Spanned;
use prodpin_core::model::{Loss, Required};

/// `require` as the policy writes it.
pub(super) type RawRequire = Vec<Spanned<Loss>>;

/// What is required; none if nothing is said, so that what a source says takes the place of what holds for all.
pub(super) fn required(spanned: &Spanned<RawRequire>) -> Option<Required> {
    spanned.span()?;
    Some(spanned.value().into_iter().flatten().filter_map(Spanned::value).copied().collect())
}
