//! Documents of `/acr/v1`, as far as they are read. Fields that a version may leave out are optional.

use std::borrow::Cow;

use jiff::Timestamp;
use prodpin_core::model::AcrLocks;
use serde::Deserialize;

/// A row of a list, and what the next page is asked for by.
pub(super) trait Row {
    fn key(&self) -> Cow<'_, str>;
}

/// A page of a list. It says whose list it is.
pub(super) trait Page<T> {
    fn into_rows(self) -> (Box<str>, Vec<T>);
}

/// `GET /acr/v1/{name}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryDocument {
    pub(super) image_name: Box<str>,
    #[serde(default)]
    pub(super) manifest_count: Option<usize>,
    #[serde(default)]
    pub(super) tag_count: Option<usize>,
}

/// `GET /acr/v1/{name}/_manifests`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManifestPage {
    image_name: Box<str>,
    /// None where there are none.
    manifests: Option<Vec<ManifestRow>>,
}

impl Page<ManifestRow> for ManifestPage {
    fn into_rows(self) -> (Box<str>, Vec<ManifestRow>) {
        (self.image_name, self.manifests.unwrap_or_default())
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManifestRow {
    pub(super) digest: Box<str>,
    #[serde(default)]
    pub(super) media_type: Option<Box<str>>,
    #[serde(default)]
    pub(super) last_update_time: Option<Box<str>>,
    #[serde(default)]
    pub(super) changeable_attributes: Option<Attributes>,
}

impl Row for ManifestRow {
    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.digest)
    }
}

/// `GET /acr/v1/{name}/_tags`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagPage {
    image_name: Box<str>,
    tags: Option<Vec<TagRow>>,
}

impl Page<TagRow> for TagPage {
    fn into_rows(self) -> (Box<str>, Vec<TagRow>) {
        (self.image_name, self.tags.unwrap_or_default())
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagRow {
    pub(super) name: Box<str>,
    pub(super) digest: Box<str>,
    pub(super) last_update_time: Box<str>,
    #[serde(default)]
    pub(super) changeable_attributes: Option<Attributes>,
}

impl Row for TagRow {
    fn key(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }
}

/// `GET /acr/v1/{name}/_tags/{tag}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagDocument {
    pub(super) image_name: Box<str>,
    pub(super) tag: TagRow,
}

/// `GET /acr/v1/{name}/_manifests/{digest}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManifestDocument {
    pub(super) image_name: Box<str>,
    pub(super) manifest: ManifestRow,
}

/// `changeableAttributes`, as far as they hold a deletion up.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attributes {
    #[serde(default)]
    pub(super) delete_enabled: Option<bool>,
    #[serde(default)]
    pub(super) write_enabled: Option<bool>,
}

impl Attributes {
    pub(super) fn locks(of: Option<Self>) -> AcrLocks {
        let Self { delete_enabled, write_enabled } = of.unwrap_or_default();
        AcrLocks { delete_enabled, write_enabled }
    }
}

/// A time as the registry writes it: up to seven digits behind the second.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "a time that is none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the form of the service's reference, with what old manifests lack left out.
    #[test]
    fn what_the_registry_lists_is_read_k46() {
        let text = r#"{"registry":"x.azurecr.io","imageName":"shop/api","manifests":[
            {"digest":"sha256:aa","imageSize":4300,"createdTime":"2026-01-02T23:27:26.1234567Z",
             "lastUpdateTime":"2026-01-02T23:27:26.1234567Z","architecture":"amd64","os":"linux",
             "mediaType":"application/vnd.oci.image.manifest.v1+json","tags":["v1"],
             "changeableAttributes":{"deleteEnabled":false,"writeEnabled":true,"readEnabled":true,"listEnabled":true}},
            {"digest":"sha256:bb"}]}"#;
        let (name, rows) = serde_json::from_str::<ManifestPage>(text).unwrap().into_rows();
        assert_eq!((&*name, rows.len()), ("shop/api", 2));
        let locks = Attributes::locks(rows[0].changeable_attributes);
        assert_eq!((locks.delete_enabled, locks.write_enabled), (Some(false), Some(true)));
        assert!(!Attributes::locks(rows[1].changeable_attributes).are_on() && rows[1].last_update_time.is_none());
        assert!(time(rows[0].last_update_time.as_deref().unwrap()).is_ok() && time("yesterday").is_err());
        let none = r#"{"registry":"x.azurecr.io","imageName":"shop/api","tags":null}"#;
        assert!(serde_json::from_str::<TagPage>(none).unwrap().into_rows().1.is_empty());
        assert!(serde_json::from_str::<TagPage>(r#"{"registry":"x"}"#).is_err(), "whose list that is, it does not say");
    }
}
