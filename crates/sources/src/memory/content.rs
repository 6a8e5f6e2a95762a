//! What is pushed: images and indexes with real bytes and real digests, made from a few words.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Stored;
use prodpin_core::model::{ArtifactId, Digest};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image or an index: the same words always make the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    kind: ContentKind,
    created: Option<Timestamp>,
    annotations: BTreeMap<String, String>,
    architecture: &'static str,
}

/// Which of the two it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentKind {
    /// A config and one layer that holds this text.
    Image(String),
    /// One manifest for each platform.
    Index(Vec<Content>),
}

/// An image whose one layer holds this text.
#[must_use]
pub fn image(text: &str) -> Content {
    Content {
        kind: ContentKind::Image(text.to_owned()),
        created: None,
        annotations: BTreeMap::new(),
        architecture: "amd64",
    }
}

/// An index over the same text for two platforms, amd64 and arm64.
#[must_use]
pub fn index(text: &str) -> Content {
    let platform = |architecture| Content { architecture, ..image(&format!("{text} for {architecture}")) };
    Content { kind: ContentKind::Index(vec![platform("amd64"), platform("arm64")]), ..image(text) }
}

/// An index over these, each a manifest of its own.
#[must_use]
pub fn index_of(children: Vec<Content>) -> Content {
    Content { kind: ContentKind::Index(children), ..image("") }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        image(text)
    }
}

impl Content {
    /// The same content, saying that it was built at this time.
    #[must_use]
    pub fn created(mut self, at: Timestamp) -> Self {
        self.created = Some(at);
        if let ContentKind::Index(children) = &mut self.kind {
            for child in children {
                child.created = Some(at);
            }
        }
        self
    }

    /// The same content with one more annotation of its manifest.
    #[must_use]
    pub fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> &ContentKind {
        &self.kind
    }

    /// The manifests below an index, in its order.
    #[must_use]
    pub fn children(&self) -> &[Content] {
        match &self.kind {
            ContentKind::Image(_) => &[],
            ContentKind::Index(children) => children,
        }
    }

    /// Config and layers by digest; an index has none of its own.
    #[must_use]
    pub fn blobs(&self) -> Vec<(Digest, Bytes)> {
        match &self.kind {
            ContentKind::Image(text) => {
                [self.config(text), Bytes::from(text.clone())].map(|blob| (Digest::sha256(&blob), blob)).into()
            }
            ContentKind::Index(_) => Vec::new(),
        }
    }

    /// The manifest's exact bytes.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        let mut value = match &self.kind {
            ContentKind::Image(text) => json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(CONFIG, &self.config(text)),
                "layers": [descriptor(LAYER, text.as_bytes())],
            }),
            ContentKind::Index(children) => json!({
                "schemaVersion": 2,
                "mediaType": INDEX,
                "manifests": children.iter().map(Self::platform).collect::<Vec<_>>(),
            }),
        };
        if !self.annotations.is_empty() {
            value["annotations"] = json!(self.annotations);
        }
        Bytes::from(value.to_string())
    }

    /// The manifest's media type.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        match self.kind {
            ContentKind::Image(_) => MANIFEST,
            ContentKind::Index(_) => INDEX,
        }
    }

    /// The manifest's digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::sha256(&self.bytes())
    }

    /// The same as the artifact it is.
    #[must_use]
    pub fn id(&self) -> ArtifactId {
        ArtifactId::Manifest(self.digest())
    }

    /// How an index names it.
    fn platform(&self) -> Value {
        let mut entry = descriptor(self.media_type(), &self.bytes());
        entry["platform"] = json!({ "architecture": self.architecture, "os": "linux" });
        entry
    }

    fn config(&self, text: &str) -> Bytes {
        let mut config = json!({
            "architecture": self.architecture,
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(text.as_bytes()).to_string()] },
        });
        if let Some(created) = self.created {
            config["created"] = json!(created.to_string());
        }
        Bytes::from(config.to_string())
    }

    pub(super) fn stored(&self) -> Stored {
        Stored {
            bytes: self.bytes(),
            children: self.children().iter().map(Self::digest).collect(),
            blobs: self.blobs().into_iter().map(|(digest, _)| digest).collect(),
            created: self.created,
            pushed: None,
            archived: None,
        }
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(bytes).to_string(), "size": bytes.len() })
}
