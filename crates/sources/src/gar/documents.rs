//! What is read of the API's answers. Protocol buffers leave out of JSON what has its usual value: a setting that is not there is
//! off, a list that is not there is empty (K41).

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use prodpin_core::model::{Digest, Tag};

/// A page of a list.
pub(super) trait Page: DeserializeOwned + Send {
    type Row: Send;

    /// The rows, and what the next page is asked for by.
    fn into_rows(self) -> (Vec<Self::Row>, Option<String>);
}

/// `GET v1/{repository}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryDocument {
    pub(super) name: String,
    #[serde(default)]
    pub(super) format: Option<String>,
    #[serde(default)]
    pub(super) mode: Option<String>,
    #[serde(default)]
    pub(super) cleanup_policies: Option<Map<String, Value>>,
    #[serde(default)]
    pub(super) cleanup_policy_dry_run: bool,
    #[serde(default)]
    pub(super) docker_config: Option<DockerConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DockerConfig {
    pub(super) immutable_tags: bool,
}

/// `GET v1/projects/PROJECT/locations/LOCATION/repositories`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryPage {
    #[serde(default)]
    repositories: Vec<RepositoryDocument>,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl Page for RepositoryPage {
    type Row = RepositoryDocument;

    fn into_rows(self) -> (Vec<RepositoryDocument>, Option<String>) {
        (self.repositories, self.next_page_token)
    }
}

/// `GET v1/{repository}/dockerImages`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImagePage {
    #[serde(default)]
    docker_images: Vec<ImageDocument>,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl Page for ImagePage {
    type Row = ImageDocument;

    fn into_rows(self) -> (Vec<ImageDocument>, Option<String>) {
        (self.docker_images, self.next_page_token)
    }
}

/// One version of an image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageDocument {
    name: String,
    #[serde(default)]
    upload_time: Option<String>,
    /// What it lists, where the API tells it.
    #[serde(default)]
    image_manifests: Vec<ListedManifest>,
}

#[derive(Debug, Deserialize)]
struct ListedManifest {
    #[serde(default)]
    digest: String,
}

/// One version, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) digest: Digest,
    pub(super) uploaded: Timestamp,
    pub(super) children: Vec<Digest>,
}

/// What is wrong with a row.
pub(super) type Wrong = &'static str;

impl ImageDocument {
    /// The image's path, and the version. The errors say what is wrong with one version, or with a row of which nobody can tell
    /// whose it is.
    pub(super) fn read(self, repository: &str) -> Result<(Box<str>, Result<Row, Wrong>), Wrong> {
        // The project may be named by its number.
        let (place, image) = self.name.split_once("/dockerImages/").ok_or("an image without its place")?;
        if place.rsplit('/').next() != Some(repository) {
            return Err("an image of another repository");
        }
        let (package, digest) = image.rsplit_once('@').ok_or("an image without its digest")?;
        let package = package_of(package).ok_or("an image whose path is none")?;
        Ok((package, Row::read(digest, self.upload_time.as_deref(), &self.image_manifests)))
    }
}

impl Row {
    fn read(digest: &str, uploaded: Option<&str>, listed: &[ListedManifest]) -> Result<Self, Wrong> {
        let digest: Digest = digest.parse().map_err(|_| "a digest that is none")?;
        let uploaded = uploaded.and_then(|time| time.parse::<Timestamp>().ok());
        let uploaded = uploaded.ok_or("an image without the time of its upload")?;
        let children = listed.iter().map(|listed| listed.digest.parse().map_err(|_| "a digest that is none"));
        Ok(Self { digest, uploaded, children: children.collect::<Result<_, _>>()? })
    }
}

/// The path of an image, whose slashes the API escapes.
fn package_of(text: &str) -> Option<Box<str>> {
    let package = text.replace("%2F", "/").replace("%2f", "/");
    (!package.is_empty() && !package.contains('%')).then(|| package.into())
}

/// `GET v1/{repository}/packages/{package}/tags`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagPage {
    #[serde(default)]
    tags: Vec<TagDocument>,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl Page for TagPage {
    type Row = TagDocument;

    fn into_rows(self) -> (Vec<TagDocument>, Option<String>) {
        (self.tags, self.next_page_token)
    }
}

/// A tag, and the version that it names, both in full.
#[derive(Debug, Deserialize)]
pub(super) struct TagDocument {
    name: String,
    #[serde(default)]
    version: String,
}

impl TagDocument {
    /// The tag, and what it names, of this package alone.
    pub(super) fn read(&self, package: &str) -> Option<(Tag, Digest)> {
        Some((
            of_package(&self.name, package, "tags")?.parse().ok()?,
            of_package(&self.version, package, "versions")?.parse().ok()?,
        ))
    }
}

/// `GET v1/{repository}/packages/{package}/versions`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionPage {
    #[serde(default)]
    versions: Vec<VersionDocument>,
    #[serde(default)]
    next_page_token: Option<String>,
}

impl Page for VersionPage {
    type Row = VersionDocument;

    fn into_rows(self) -> (Vec<VersionDocument>, Option<String>) {
        (self.versions, self.next_page_token)
    }
}

/// A version of a package.
#[derive(Debug, Deserialize)]
pub(super) struct VersionDocument {
    name: String,
}

impl VersionDocument {
    /// Which it is, of this package alone.
    pub(super) fn read(&self, package: &str) -> Option<Digest> {
        of_package(&self.name, package, "versions")?.parse().ok()
    }
}

/// The end of the full name of what is in a package.
fn of_package<'n>(name: &'n str, package: &str, what: &str) -> Option<&'n str> {
    let (_, rest) = name.split_once("/packages/")?;
    let (owner, rest) = rest.split_once('/')?;
    (package_of(owner).as_deref() == Some(package)).then(|| rest.strip_prefix(what)?.strip_prefix('/')).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the form of the API's reference.
    #[test]
    fn what_the_api_lists_is_read_k45() {
        let digest = "sha256:e9954c1fc875017be1c3e36eca16be2d9e9bccc4bf072163515467d6a823c7cf";
        let text = format!(
            r#"{{"dockerImages":[{{
                "name":"projects/test-project/locations/us-west4/repositories/test-repo/dockerImages/team%2Fnginx@{digest}",
                "uri":"us-west4-docker.pkg.dev/test-project/test-repo/team/nginx@{digest}","tags":["v1","latest"],
                "imageSizeBytes":"4300","uploadTime":"2026-01-02T23:27:26.123456Z","buildTime":"2026-01-02T23:27:20Z",
                "updateTime":"2026-01-03T23:27:26.123456Z","mediaType":"application/vnd.oci.image.index.v1+json",
                "imageManifests":[{{"architecture":"amd64","os":"linux","digest":"{digest}"}}]}}],"nextPageToken":"abc"}}"#
        );
        let (rows, token) = serde_json::from_str::<ImagePage>(&text).unwrap().into_rows();
        assert_eq!((rows.len(), token.as_deref()), (1, Some("abc")));
        let (package, row) = rows.into_iter().next().unwrap().read("test-repo").unwrap();
        let row = row.unwrap();
        assert_eq!((&*package, row.children.len()), ("team/nginx", 1));
        assert_eq!(row.uploaded.to_string(), "2026-01-02T23:27:26.123456Z", "a tag changes the other time");
        let (none, token) = serde_json::from_str::<ImagePage>("{}").unwrap().into_rows();
        assert!(none.is_empty() && token.is_none(), "an empty list has no members");
        for (name, uploaded) in [
            (format!("projects/p/locations/l/repositories/other/dockerImages/nginx@{digest}"), "2026-01-02T23:27:26Z"),
            (
                format!("projects/p/locations/l/repositories/test-repo/dockerImages/a%20b@{digest}"),
                "2026-01-02T23:27:26Z",
            ),
            (
                "projects/p/locations/l/repositories/test-repo/dockerImages/nginx@sha256:1".to_owned(),
                "2026-01-02T23:27:26Z",
            ),
            (format!("projects/p/locations/l/repositories/test-repo/dockerImages/nginx@{digest}"), "yesterday"),
        ] {
            let row = format!(r#"{{"name":"{name}","uploadTime":"{uploaded}"}}"#);
            let row: ImageDocument = serde_json::from_str(&row).unwrap();
            assert!(row.read("test-repo").and_then(|(_, row)| row).is_err(), "{name}");
        }
    }

    /// In the form of the API's reference. What is of another package is no word about this one.
    #[test]
    fn what_a_package_lists_is_read_k45() {
        let digest = "sha256:e9954c1fc875017be1c3e36eca16be2d9e9bccc4bf072163515467d6a823c7cf";
        let place = "projects/p/locations/l/repositories/r/packages/team%2Fapi";
        let text = format!(
            r#"{{"tags":[{{"name":"{place}/tags/v1","version":"{place}/versions/{digest}"}}],"nextPageToken":"t"}}"#
        );
        let (tags, token) = serde_json::from_str::<TagPage>(&text).unwrap().into_rows();
        let read = ("v1".parse().unwrap(), digest.parse().unwrap());
        assert_eq!((tags[0].read("team/api"), token.as_deref()), (Some(read), Some("t")));
        assert_eq!((tags[0].read("api"), tags[0].read("team")), (None, None));
        let text =
            format!(r#"{{"versions":[{{"name":"{place}/versions/{digest}","createTime":"2026-01-02T23:27:26Z"}}]}}"#);
        let (versions, token) = serde_json::from_str::<VersionPage>(&text).unwrap().into_rows();
        assert_eq!(
            (versions[0].read("team/api"), versions[0].read("api"), token),
            (Some(digest.parse().unwrap()), None, None)
        );
        for name in [format!("{place}/versions/1.0"), format!("{place}/tags/{digest}"), digest.to_owned()] {
            assert_eq!(VersionDocument { name }.read("team/api"), None);
        }
    }

    #[test]
    fn what_a_repository_leaves_out_is_off_k41() {
        let plain: RepositoryDocument =
            serde_json::from_str(r#"{"name":"projects/p/locations/l/repositories/r","format":"DOCKER"}"#).unwrap();
        assert!(!plain.cleanup_policy_dry_run && plain.docker_config.is_none() && plain.cleanup_policies.is_none());
        let held: RepositoryDocument = serde_json::from_str(
            r#"{"name":"r","cleanupPolicyDryRun":true,"dockerConfig":{"immutableTags":true},"cleanupPolicies":{"p":{}}}"#,
        )
        .unwrap();
        assert!(held.cleanup_policy_dry_run && held.docker_config.is_some_and(|config| config.immutable_tags));
        assert!(serde_json::from_str::<RepositoryDocument>("{}").is_err(), "whose settings these are, it does not say");
    }
}
