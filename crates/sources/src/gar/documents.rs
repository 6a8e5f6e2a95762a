//! What is read of the API's answers. Protocol buffers leave out of JSON what has its usual value: a setting that is not there is
//! off, a list that is not there is empty (K41).

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use prodpin_core::model::Digest;

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
    tags: Vec<String>,
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
    pub(super) tags: Vec<Box<str>>,
    pub(super) uploaded: Timestamp,
    pub(super) children: Vec<Digest>,
}

impl ImageDocument {
    /// The image's path, and the version. The error says what is wrong with it.
    pub(super) fn read(self, repository: &str) -> Result<(Box<str>, Row), &'static str> {
        // The project may be named by its number.
        let (place, image) = self.name.split_once("/dockerImages/").ok_or("an image without its place")?;
        if place.rsplit('/').next() != Some(repository) {
            return Err("an image of another repository");
        }
        let (package, digest) = image.rsplit_once('@').ok_or("an image without its digest")?;
        let package = package.replace("%2F", "/").replace("%2f", "/");
        if package.is_empty() || package.contains('%') {
            return Err("an image whose path is none");
        }
        let digest: Digest = digest.parse().map_err(|_| "a digest that is none")?;
        let uploaded = self.upload_time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        let uploaded = uploaded.ok_or("an image without the time of its upload")?;
        let children = self
            .image_manifests
            .iter()
            .map(|listed| listed.digest.parse::<Digest>().map_err(|_| "a digest that is none"));
        let children = children.collect::<Result<_, _>>()?;
        let tags = self.tags.into_iter().map(Box::from).collect();
        Ok((package.into(), Row { digest, tags, uploaded, children }))
    }
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
        assert_eq!((&*package, row.tags.len(), row.children.len()), ("team/nginx", 2, 1));
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
            assert!(row.read("test-repo").is_err(), "{name}");
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
