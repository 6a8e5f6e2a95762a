//! References to artifacts as people and manifests write them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{ArtifactId, DeployedReference, Digest, RepositoryName, Tag};

/// A reference to an image or an object, with its registry or bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// `host[:port]/repository[:tag][@digest]`. A name without a host means Docker Hub, as everywhere.
    Image {
        /// Host, with the port where one is written.
        host: String,
        /// Repository path.
        repository: RepositoryName,
        /// Tag, if written. Without tag and digest it names the whole repository, to those who can use that; to a
        /// signal it names what would run, `latest`.
        tag: Option<Tag>,
        /// Digest, if written. It decides over the tag.
        digest: Option<Digest>,
    },
    /// `s3://bucket/key[?versionId=id]`.
    Object {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: Tag,
        /// Version id, if written.
        version: Option<Arc<str>>,
    },
    /// A version of a Helm chart: `https://charts.example.com/stable/shop-1.2.3.tgz`, or `chart:shop:1.2.3` where the
    /// repository is not known, as by a release in a cluster.
    Chart {
        /// The repository's address, if written: what the archive is beneath.
        repository: Option<String>,
        /// The chart's name.
        name: RepositoryName,
        /// Its version.
        version: Tag,
    },
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a reference: {reason}")]
pub struct ReferenceError {
    text: String,
    reason: String,
}

/// Host, repository, tag and digest at their longest, or bucket, key and version, with room to spare.
const MAX_REFERENCE: usize = 4096;

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        read(text)
            .map_err(|reason| ReferenceError { text: without_credentials(text).chars().take(300).collect(), reason })
    }
}

/// Reads a reference of any kind. The error says why it is none.
fn read(text: &str) -> Result<Reference, String> {
    if text.len() > MAX_REFERENCE {
        return Err("it is longer than any registry or bucket allows".to_owned());
    }
    if let Some(rest) = text.strip_prefix("s3://") {
        return object(rest);
    }
    if let Some(chart) = text.strip_prefix("chart:") {
        return bare_chart(chart).ok_or_else(|| "write chart:NAME:VERSION".to_owned());
    }
    if let Some(chart) = archive(text).filter(|_| without_credentials(text) == text) {
        return Ok(chart);
    }
    // As Helm writes charts in registries, where a tag cannot hold the `+` of a version (F142).
    let registry = text.strip_prefix("oci://").map(|rest| rest.replace('+', "_"));
    image(registry.as_deref().unwrap_or(text))
}

/// `BUCKET/KEY[?versionId=ID]`.
fn object(text: &str) -> Result<Reference, String> {
    let (bucket, key) = text.split_once('/').ok_or("write s3://BUCKET/KEY")?;
    let (key, version) = match key.rsplit_once("?versionId=") {
        Some((key, version)) if !version.is_empty() => (key, Some(version.into())),
        _ => (key, None),
    };
    if bucket.is_empty() {
        return Err("the bucket is empty".to_owned());
    }
    if bucket.contains('@') {
        return Err("a bucket's name holds no '@', nor a user name or password".to_owned());
    }
    let key = key.parse().map_err(|error: super::NameError| error.to_string())?;
    Ok(Reference::Object { bucket: bucket.to_owned(), key, version })
}

/// `[HOST/]REPOSITORY[:TAG][@DIGEST]`.
fn image(text: &str) -> Result<Reference, String> {
    if text.contains("://") {
        return Err("leave out the scheme: write HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:…".to_owned());
    }
    if without_credentials(text) != text {
        return Err("it must hold no user name or password; the policy has places for them".to_owned());
    }
    let (name, digest) = match text.split_once('@') {
        Some((name, digest)) => (name, Some(digest.parse::<Digest>().map_err(|error| error.to_string())?)),
        None => (text, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        // A colon before the last slash belongs to the port.
        Some((front, tag)) if !tag.contains('/') => {
            let tag: Tag = tag.parse().map_err(|error: super::NameError| error.to_string())?;
            if !tag.is_oci() {
                return Err("the tag holds characters that no registry takes".to_owned());
            }
            (front, Some(tag))
        }
        _ => (name, None),
    };
    let (host, path) = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host.to_owned(), path.to_owned()),
        Some(_) => ("docker.io".to_owned(), name.to_owned()),
        None => ("docker.io".to_owned(), format!("library/{name}")),
    };
    let repository: RepositoryName = path.parse().map_err(|error: super::NameError| error.to_string())?;
    if !repository.is_oci() {
        return Err("the repository must be lowercase path parts of letters, digits, '.', '_' and '-'".to_owned());
    }
    Ok(Reference::Image { host, repository, tag, digest })
}

fn bare_chart(text: &str) -> Option<Reference> {
    let (name, version) = text.split_once(':')?;
    chart(None, name, version)
}

/// `https://HOST/PATH/NAME-VERSION.tgz`. The version is what follows the first `-` that leaves one.
fn archive(text: &str) -> Option<Reference> {
    if !(text.starts_with("https://") || text.starts_with("http://")) || text.contains(['?', '#']) {
        return None;
    }
    let (repository, file) = text.strip_suffix(".tgz")?.rsplit_once('/')?;
    let mut dashes = file.match_indices('-').map(|(at, _)| (&file[..at], &file[at + 1..]));
    let (name, version) =
        dashes.find(|(_, version)| semver::Version::parse(version.trim_start_matches('v')).is_ok())?;
    chart(Some(repository.to_owned()), name, version)
}

fn chart(repository: Option<String>, name: &str, version: &str) -> Option<Reference> {
    let plain = !name.contains(['/', '\\']) && super::ChartVersion::read(version).is_some();
    let (name, version) = (name.parse().ok()?, version.parse().ok()?);
    plain.then_some(Reference::Chart { repository, name, version })
}

/// What someone gave for an address, without what may be a user name and password (I18): all before the last `@`, unless a
/// digest follows it.
pub fn without_credentials(text: &str) -> Cow<'_, str> {
    let start = text.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(start);
    let is_digest = |text: &str| {
        let (algorithm, hex) = text.split_once(':').unwrap_or((text, ""));
        algorithm.starts_with("sha") && algorithm.len() < 8 && !hex.contains('/')
    };
    let at = match rest.rfind('@') {
        Some(at) if is_digest(&rest[at + 1..]) => rest[..at].rfind('@'),
        at => at,
    };
    let Some(at) = at else { return Cow::Borrowed(text) };
    let back = &rest[at..];
    Cow::Owned(format!("{scheme}[redacted]{back}"))
}

impl Reference {
    /// The artifact, where the reference names exact bytes.
    #[must_use]
    pub fn artifact(&self) -> Option<ArtifactId> {
        match self {
            Self::Image { digest, .. } => digest.clone().map(ArtifactId::Manifest),
            Self::Object { key, version, .. } => {
                version.clone().map(|version| ArtifactId::ObjectVersion { key: key.clone(), version })
            }
            Self::Chart { .. } => None,
        }
    }

    /// What it names within its repository: exact bytes where it says which, else what the name leads to. An image that
    /// has neither tag nor digest is `latest`, which is what a container runtime would pull.
    #[must_use]
    pub fn running(&self) -> Option<DeployedReference> {
        if let Some(artifact) = self.artifact() {
            return Some(DeployedReference::Artifact(artifact));
        }
        let tag = match self {
            Self::Image { tag, .. } => tag.clone().or_else(|| "latest".parse().ok())?,
            Self::Object { key, .. } => key.clone(),
            Self::Chart { version, .. } => version.clone(),
        };
        Some(DeployedReference::Tag(tag))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { host, repository, tag, digest } => {
                write!(f, "{host}/{repository}")?;
                if let Some(tag) = tag {
                    write!(f, ":{tag}")?;
                }
                digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
            }
            Self::Object { bucket, key, version } => {
                write!(f, "s3://{bucket}/{key}")?;
                version.as_ref().map_or(Ok(()), |version| write!(f, "?versionId={version}"))
            }
            Self::Chart { repository: Some(repository), name, version } => {
                write!(f, "{repository}/{name}-{version}.tgz")
            }
            Self::Chart { repository: None, name, version } => write!(f, "chart:{name}:{version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_over_names_and_a_bare_image_is_latest() {
        let digest = Digest::sha256(b"a");
        for (text, expected) in [
            ("h.example/x:1".to_owned(), "1".to_owned()),
            ("h.example/x".to_owned(), "latest".to_owned()),
            (format!("h.example/x:1@{digest}"), digest.to_string()),
            (format!("h.example/x@{digest}"), digest.to_string()),
            ("s3://b/a/1/x.zip".to_owned(), "a/1/x.zip".to_owned()),
            ("s3://b/a/1/x.zip?versionId=7".to_owned(), "a/1/x.zip?versionId=7".to_owned()),
            ("chart:shop-api:1.2.3".to_owned(), "1.2.3".to_owned()),
        ] {
            let shown = match text.parse::<Reference>().unwrap().running().unwrap() {
                DeployedReference::Artifact(artifact) => artifact.to_string(),
                DeployedReference::Tag(tag) => tag.to_string(),
            };
            assert_eq!(shown, expected, "{text}");
        }
    }

    #[test]
    fn references_read_as_everywhere_else() {
        let hex = Digest::sha256(b"a").hex();
        for (text, shown) in [
            ("registry.example.com:5000/shop/api:1.2", "registry.example.com:5000/shop/api:1.2".to_owned()),
            ("nginx", "docker.io/library/nginx".to_owned()),
            ("bitnami/nginx:1", "docker.io/bitnami/nginx:1".to_owned()),
            ("localhost/x", "localhost/x".to_owned()),
            (&format!("h.example/x:1@sha256:{hex}"), format!("h.example/x:1@sha256:{hex}")),
            ("s3://b/a/1/x.zip?versionId=7", "s3://b/a/1/x.zip?versionId=7".to_owned()),
            ("chart:shop-api:1.2.3+b", "chart:shop-api:1.2.3+b".to_owned()),
            (
                "https://c.example/a/shop-2-api-1.2.3-rc.1.tgz",
                "https://c.example/a/shop-2-api-1.2.3-rc.1.tgz".to_owned(),
            ),
            ("oci://h.example/charts/shop:1.2.3+b", "h.example/charts/shop:1.2.3_b".to_owned()),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), shown);
        }
        for bad in [
            "https://h.example/x",
            "h.example/X",
            "h.example/a/../b",
            "h.example/x@sha256:12",
            "s3://b",
            "",
            "h.example/x:a b",
            "chart:shop",
            "chart:../shop:1.2.3",
            "chart:shop:latest",
            "https://c.example/shop.tgz",
            "https://c.example/..-1.2.3.tgz",
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_may_be_a_password_is_not_said_again_i18() {
        for (text, shown) in [
            ("https://user:hunter2@h.example/x", "https://[redacted]@h.example/x"),
            ("https://user:hun/ter2@h.example/x", "https://[redacted]@h.example/x"),
            ("user:hunter@hunter2@h.example/x:1", "[redacted]@h.example/x:1"),
            ("user:hunter2@h.example/x@sha256:12", "[redacted]@h.example/x@sha256:12"),
            ("s3://key:hunter2@bucket/key", "s3://[redacted]@bucket/key"),
            ("h.example:5000/x:1@sha256:12", "h.example:5000/x:1@sha256:12"),
        ] {
            assert_eq!(without_credentials(text), shown);
            let reported = text.parse::<Reference>().unwrap_err().to_string();
            assert!(reported.contains(shown) && !reported.contains("hunter"), "{reported}");
        }
    }
}
