//! One repository of a registry, with what this run has learnt of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prodpin_core::model::{Digest, PartAnswer, RepositoryName};
use tokio::sync::OnceCell;

use crate::oci::absence::Asked;
use crate::oci::auth::Grant;

/// Blobs remembered for each of them.
const BLOBS_KEPT: usize = 4096;

/// One repository of it, with what this run has learnt.
#[derive(Debug)]
pub(in crate::oci) struct Repository {
    pub(in crate::oci) name: RepositoryName,
    pub(in crate::oci) pull: Grant,
    pub(in crate::oci) push: Grant,
    pub(in crate::oci) delete: Grant,
    /// The last manifest and the last blob that were served: that they still are shows that "not found" is no word about
    /// everything of their kind.
    pub(super) served: Mutex<Served>,
    /// What was answered about blobs: releases share their layers, and each needs one question only.
    pub(super) blobs: Mutex<HashMap<Digest, Arc<OnceCell<PartAnswer>>>>,
}

/// What of a repository was served last, of each kind.
#[derive(Debug, Clone, Default)]
pub(in crate::oci) struct Served {
    /// A tag or digest.
    pub(in crate::oci) manifest: Option<String>,
    pub(in crate::oci) blob: Option<Digest>,
}

impl Repository {
    /// Remembers what was served.
    pub(in crate::oci) fn note_served(&self, asked: Asked<'_>) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Asked::Manifest(reference) => served.manifest = Some(reference.to_owned()),
            Asked::Blob(digest) => served.blob = Some(digest.clone()),
        }
    }

    /// What was served last.
    pub(in crate::oci) fn last_served(&self) -> Served {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The place where the answer about this blob is kept; none if enough are kept already.
    pub(in crate::oci) fn remembered(&self, digest: &Digest) -> Option<Arc<OnceCell<PartAnswer>>> {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = blobs.get(digest) {
            return Some(Arc::clone(cell));
        }
        if blobs.len() >= BLOBS_KEPT {
            return None;
        }
        let cell = Arc::new(OnceCell::new());
        blobs.insert(digest.clone(), Arc::clone(&cell));
        Some(cell)
    }
}
