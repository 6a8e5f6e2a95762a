//! Version ids as identities.
//!
//! A version id names bytes for ever, with one exception: `null`, the only version in an unversioned bucket and the one
//! that writes replace under suspended versioning (B57). There the same id names other bytes tomorrow, so its identity
//! carries the ETag: `null@9b2cf535f27731c974343645a3985328`. No S3 version id holds an `@`.

use std::sync::Arc;

use prodpin_core::model::{ArtifactId, Tag};

/// S3's name for the version that has no id.
pub(super) const NULL: &str = "null";

const MARK: &str = "null@";

/// A version as S3 is asked for it, and how to tell whether it is still the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum VersionId {
    /// Never changes its bytes.
    Fixed(Arc<str>),
    /// The `null` version, as long as its ETag is this.
    Null {
        /// None where only `null` was named: then nobody can say which bytes were meant.
        etag: Option<Arc<str>>,
    },
}

impl VersionId {
    /// Reads the identity of an object version; `None` for a manifest.
    pub(super) fn from_artifact(artifact: &ArtifactId) -> Option<(&Tag, Self)> {
        let ArtifactId::ObjectVersion { key, version } = artifact else { return None };
        let id = match version.strip_prefix(MARK) {
            Some(etag) => Self::Null { etag: Some(etag.into()) },
            None if &**version == NULL => Self::Null { etag: None },
            None => Self::Fixed(Arc::clone(version)),
        };
        Some((key, id))
    }

    /// What S3 is asked for.
    pub(super) fn as_asked(&self) -> &str {
        match self {
            Self::Fixed(id) => id,
            Self::Null { .. } => NULL,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null { .. })
    }

    /// Whether an object served for it with this ETag is what it names.
    pub(super) fn still_names(&self, etag: Option<&str>) -> bool {
        match self {
            Self::Fixed(_) | Self::Null { etag: None } => true,
            Self::Null { etag: Some(expected) } => etag.is_some_and(|etag| bare(etag) == &**expected),
        }
    }
}

/// The identity of a version as a listing or an answer names it. None where it cannot be distinguished from others: a
/// `null` version without a usable ETag, or an id that is none.
pub(super) fn identify(key: &Tag, version: Option<&str>, etag: Option<&str>) -> Option<ArtifactId> {
    let version: Arc<str> = match version.filter(|id| !id.is_empty()) {
        None | Some(NULL) => {
            let etag = bare(etag?);
            if !is_plain(etag) {
                return None;
            }
            format!("{MARK}{etag}").into()
        }
        Some(id) if is_plain(id) && !id.starts_with(MARK) => id.into(),
        Some(_) => return None,
    };
    Some(ArtifactId::ObjectVersion { key: key.clone(), version })
}

/// What may stand in an identity: it must survive being written as `KEY?versionId=ID` and read again.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?')
}

/// An ETag without its quotes.
pub(super) fn bare(etag: &str) -> &str {
    etag.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_version_is_another_artifact_when_its_bytes_change() {
        let key: Tag = "a/1.zip".parse().unwrap();
        let first = identify(&key, None, Some("\"aa\"")).unwrap();
        assert_eq!(first.to_string(), "a/1.zip?versionId=null@aa");
        assert_eq!(identify(&key, Some("null"), Some("aa")), Some(first.clone()));
        assert_ne!(identify(&key, Some("null"), Some("\"bb\"")), Some(first.clone()));
        assert_eq!(first.to_string().parse::<ArtifactId>().unwrap(), first);

        let (_, id) = VersionId::from_artifact(&first).unwrap();
        assert_eq!(id.as_asked(), "null");
        assert!(id.still_names(Some("\"aa\"")));
        assert!(!id.still_names(Some("\"bb\"")) && !id.still_names(None));
    }

    #[test]
    fn what_cannot_be_told_apart_has_no_identity() {
        let key: Tag = "k".parse().unwrap();
        for (version, etag) in [
            (None, None),
            (Some("null"), Some("\"\"")),
            (Some("a b"), None),
            (Some("a?versionId=b"), None),
            (Some("null@x"), None),
        ] {
            assert_eq!(identify(&key, version, etag), None, "{version:?} {etag:?}");
        }
        assert!(identify(&key, Some("3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"), None).is_some());
    }
}
