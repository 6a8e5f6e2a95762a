//! What holds a repository's artifacts, as sentences and remedies call it: a bucket takes no push, and a registry no legal hold.

use crate::model::{RepositoryKind, Retention, Snapshot};

/// What holds a repository's artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A registry.
    Registry,
    /// A bucket of files.
    Bucket,
    /// A chart repository in a bucket.
    ChartBucket,
    /// A chart repository that answers over HTTP and nothing else.
    ChartServer,
}

impl Place {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        match (snapshot.kind, &snapshot.retention) {
            (RepositoryKind::Charts, Retention::Bucket(_)) => Self::ChartBucket,
            (RepositoryKind::Artifacts, Retention::Bucket(_)) => Self::Bucket,
            (RepositoryKind::Charts, Retention::Unruled) => Self::ChartServer,
            _ => Self::Registry,
        }
    }

    /// As a noun.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Bucket | Self::ChartBucket => "bucket",
            Self::ChartServer => "chart repository",
        }
    }

    /// Whether legal holds are what pins are there.
    pub(super) const fn is_bucket(self) -> bool {
        matches!(self, Self::Bucket | Self::ChartBucket)
    }

    /// Where the bytes of a target that is gone may still be, and how they come back. No node keeps charts, nor the layers of
    /// an image as they were pulled, and a build makes other bytes (P71).
    pub(super) const fn bring_back(self) -> &'static str {
        match self {
            Self::ChartBucket | Self::ChartServer => {
                "publish the same bytes again from a mirror, a backup or whoever pulled them; a rebuild packs other bytes"
            }
            Self::Bucket => {
                "upload the same bytes again from another bucket's replica or a backup, which makes a new version of the \
                 key; a rebuild has other bytes"
            }
            Self::Registry => {
                "push the same bytes again from a replica, another registry or a backup that kept the digest; a rebuild has \
                 other bytes"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::BucketRetention;

    #[test]
    fn a_bucket_takes_no_push_and_a_registry_no_upload() {
        let bucket = || {
            Retention::Bucket(Arc::new(BucketRetention {
                bucket: "acme".into(),
                versioning: None,
                object_lock: None,
                lifecycle: None,
                layout: "{repository}/{version}".parse().unwrap(),
            }))
        };
        for (kind, retention, noun, verb) in [
            (RepositoryKind::Artifacts, Retention::Unruled, "registry", "push"),
            (RepositoryKind::Artifacts, bucket(), "bucket", "upload"),
            (RepositoryKind::Charts, bucket(), "bucket", "publish"),
            (RepositoryKind::Charts, Retention::Unruled, "chart repository", "publish"),
        ] {
            let place = Place::of(&Snapshot { kind, retention, ..Snapshot::default() });
            assert_eq!(place.noun(), noun);
            assert!(place.bring_back().starts_with(verb), "{place:?}");
            assert_eq!(place.is_bucket(), noun == "bucket");
        }
    }
}
