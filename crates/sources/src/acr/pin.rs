//! Pins as tags that are locked. Nothing of a user's is locked against writing, and no tag of theirs against anything.
//!
//! The order decides what is left where a run is cut off, or where locks are refused. What is below first, the lowest before
//! all, and then the manifest: an index that is locked before its parts would leave these to the next purge (K47). Then the
//! tag, and at once its lock: without it the tag takes a place of `--keep` from others (K49), so that no tag is made where
//! nothing can be locked.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::api::{Api, manifest_path, tag_path};
use super::locks::{holds_manifest, holds_tag, of_manifest, of_pin};
use crate::{PinFailure, Protector};
use prodpin_core::model::{ArtifactId, Digest, Pin, RepositoryName, Tag};
use prodpin_net::http::fault::Fault;

/// Deeper than this no index lists another.
const MOST_LEVELS: usize = 8;

/// The pinning half.
pub(super) struct LockedPins {
    pub(super) api: Arc<Api>,
    /// What puts the tag there.
    pub(super) by_push: Arc<dyn Protector>,
}

#[async_trait]
impl Protector for LockedPins {
    async fn pin(&self, repository: &RepositoryName, artifact: &ArtifactId) -> Result<(), PinFailure> {
        let Some(digest) = artifact.digest() else { return self.by_push.pin(repository, artifact).await };
        let failed = |fault: Fault, what: &str| PinFailure {
            cause: fault.cause,
            detail: format!("{repository}@{artifact} {what}: {}", fault.detail),
        };
        let locked = self.lock_manifests(repository, digest).await;
        locked.map_err(|fault| failed(fault, "gets no pin's tag, because not all of it could be locked"))?;
        self.by_push.pin(repository, artifact).await?;
        let locked = self.lock_tag(repository, digest).await;
        locked.map_err(|fault| failed(fault, "has its pin's tag, which could not be locked"))
    }
}

impl LockedPins {
    async fn lock_tag(&self, name: &RepositoryName, digest: &Digest) -> Result<(), Fault> {
        if !holds_tag(of_pin(&self.api, name, digest).await?) {
            let tag: Tag =
                Pin::for_digest(digest).to_string().parse().map_err(|_| Fault::malformed("a pin that is no tag"))?;
            let body = json!({ "deleteEnabled": false, "writeEnabled": false });
            self.api.lock(name, &tag_path(name, &tag), &body).await?;
        }
        Ok(())
    }

    /// It and what is below it, the lowest first.
    async fn lock_manifests(&self, name: &RepositoryName, digest: &Digest) -> Result<(), Fault> {
        for digest in self.closure(name, digest).await? {
            if !holds_manifest(of_manifest(&self.api, name, &digest).await?) {
                let body = json!({ "deleteEnabled": false });
                self.api.lock(name, &manifest_path(name, &digest), &body).await?;
            }
        }
        Ok(())
    }

    /// Every manifest of it that is there, the lowest first and itself last.
    async fn closure(&self, name: &RepositoryName, digest: &Digest) -> Result<Vec<Digest>, Fault> {
        let (mut levels, mut next) = (Vec::new(), vec![digest.clone()]);
        while !next.is_empty() {
            if levels.len() >= MOST_LEVELS {
                return Err(Fault::refused(format!("{name}@{digest}: indexes in indexes, without an end")));
            }
            let (mut here, mut below) = (Vec::new(), BTreeSet::new());
            for digest in next {
                // What is gone needs no lock; whether it is needed was judged before.
                if let Some(referred) = self.api.referred(name, &digest).await? {
                    below.extend(referred.children);
                    here.push(digest);
                }
            }
            levels.push(here);
            next = below.into_iter().collect();
        }
        let mut known = BTreeSet::new();
        let lowest_first = levels.into_iter().rev().flatten();
        Ok(lowest_first.filter(|digest| known.insert(digest.clone())).collect())
    }
}
