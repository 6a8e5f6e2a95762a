//! Labels of a manifest that a tag inherits when it is made (`data/registry_model/registry_oci_model.py`, K52c). An index without one of
//! its own has the one that all its children agree on.

use super::span;
use super::world::Repository;

/// After how many seconds the manifest's tags end.
#[must_use]
pub(super) fn expires_after(repository: &Repository, manifest: usize) -> Option<i64> {
    let label = inherited(repository, manifest, |manifest| repository.manifests[manifest].expires_after.clone())?;
    // Nought is none.
    span::seconds(&label).ok().filter(|seconds| *seconds != 0)
}

/// Whether the manifest's tags are immutable.
#[must_use]
pub(super) fn is_immutable(repository: &Repository, manifest: usize) -> bool {
    let label = inherited(repository, manifest, |manifest| {
        repository.manifests[manifest].immutable.as_deref().map(|label| label.trim().to_lowercase())
    });
    label.as_deref() == Some("true")
}

fn inherited<T: PartialEq>(repository: &Repository, manifest: usize, of: impl Fn(usize) -> Option<T>) -> Option<T> {
    let itself = &repository.manifests[manifest];
    of(manifest).or_else(|| {
        let mut children = itself.children.iter().filter(|_| itself.index).map(|child| of(*child));
        let first = children.next()??;
        children.all(|other| other.as_ref() == Some(&first)).then_some(first)
    })
}
