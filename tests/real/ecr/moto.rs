//! The stand-in, and what clients do to it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_ecr::primitives::Blob;
use aws_sdk_ecr::types::{ImageDetail, ImageIdentifier, ImageTagMutability, ImageTagMutabilityExclusionFilter};
use prodpin::model::{Digest, NamePatterns};
use prodpin::policy::EcrConfig;
use prodpin::sources::ecr::{Tuning, open_tuned};
use prodpin::sources::memory::Content;
use prodpin::sources::oci::HttpEnvironment;
use prodpin::sources::{OpenOptions, Source};

use super::{OWN, REGION};
use crate::servers;

/// A corner of the stand-in.
pub(crate) struct Moto {
    pub(crate) client: Client,
    pub(crate) account: &'static str,
    pub(super) url: String,
    pub(super) corner: String,
}

pub(super) fn credentials(key: &str, secret: &str, token: Option<String>) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(key, secret, token, None, "tests"))
}

pub(super) fn client(url: &str, credentials: SharedCredentialsProvider) -> Client {
    let config = aws_sdk_ecr::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials)
        .endpoint_url(url);
    Client::from_conf(config.build())
}

impl Moto {
    pub(crate) async fn new(name: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // One server plays all of AWS.
        let url = servers::s3()?.url;
        let corner = format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let client = client(&url, credentials("testing", "testing", None));
        Some(Self { client, account: OWN, url, corner })
    }

    pub(crate) fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.corner)
    }

    pub(crate) async fn source(&self, patterns: &[&str], write: bool) -> Source {
        let config = EcrConfig {
            manages_lifecycle: false,
            asks_cloudtrail: false,
            region: Some(REGION.to_owned()),
            assume_role: None,
            external_id: None,
            registry: Some(self.account.to_owned()),
            endpoint: Some(self.url.parse().expect("a URL")),
            may_delete: Arc::default(),
            repositories: NamePatterns::new(patterns).expect("patterns"),
            max_concurrency: None,
        };
        let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
        let credentials = Some(credentials("testing", "testing", None));
        let tuning = Tuning { credentials, ..Tuning::default() };
        let name = "payments".parse().expect("a name");
        open_tuned(&name, &config, &options, &HttpEnvironment::default(), tuning).await.expect("a source")
    }

    pub(crate) async fn create(&self, name: &str, mode: ImageTagMutability, filters: &[&str]) {
        let filters = filters.iter().map(|filter| {
            let filter = ImageTagMutabilityExclusionFilter::builder().filter_type("WILDCARD".into()).filter(*filter);
            filter.build().expect("a filter")
        });
        let filters: Vec<_> = filters.collect();
        let create = self.client.create_repository().repository_name(name).image_tag_mutability(mode);
        let create = create.set_image_tag_mutability_exclusion_filters((!filters.is_empty()).then_some(filters));
        create.send().await.expect("a repository");
    }

    /// Pushes as a client does: layers, then children, then the manifest.
    pub(crate) async fn push_to(&self, repository: &str, tag: &str, content: &Content) -> Digest {
        // It may be there already.
        let _ = self.client.create_repository().repository_name(repository).send().await;
        for child in content.children() {
            Box::pin(self.put(repository, None, child)).await;
        }
        // It makes the old image vanish when its only tag moves, which ECR does not.
        self.hold_what_moves(repository, tag, &content.digest()).await;
        self.put(repository, Some(tag), content).await;
        content.digest()
    }

    /// Layers, and then the manifest, without a tag or with one.
    async fn put(&self, repository: &str, tag: Option<&str>, content: &Content) {
        for (digest, blob) in content.blobs() {
            self.upload(repository, &digest, &blob).await;
        }
        let text = String::from_utf8(content.bytes().to_vec()).expect("manifests are text");
        let put = self.client.put_image().repository_name(repository).image_manifest(text);
        let put = put.set_image_tag(tag.map(str::to_owned)).image_digest(content.digest().to_string());
        if let Err(error) = put.image_manifest_media_type(content.media_type()).send().await {
            let code = aws_sdk_ecr::error::ProvideErrorMetadata::code(&error);
            assert_eq!(code, Some("ImageAlreadyExistsException"), "{error:?}");
        }
    }

    async fn hold_what_moves(&self, repository: &str, tag: &str, to: &Digest) {
        let held = self.images(repository).await.into_iter().find(|image| {
            let tags = image.image_tags();
            tags == [tag] && image.image_digest() != Some(to.to_string().as_str())
        });
        let Some(digest) = held.and_then(|image| image.image_digest) else { return };
        let id = ImageIdentifier::builder().image_digest(&digest).build();
        let found = self.client.batch_get_image().repository_name(repository).image_ids(id).send().await;
        let image = found.expect("an answer").images.and_then(|images| images.into_iter().next()).expect("the image");
        let put = self.client.put_image().repository_name(repository).image_digest(&digest);
        let put = put.image_tag(format!("held-{}", &digest[7..19])).image_manifest(image.image_manifest.expect("text"));
        put.set_image_manifest_media_type(image.image_manifest_media_type).send().await.expect("held");
    }

    async fn upload(&self, repository: &str, digest: &Digest, blob: &[u8]) {
        let started = self.client.initiate_layer_upload().repository_name(repository).send().await.expect("an upload");
        let id = started.upload_id().expect("an id");
        let part =
            self.client.upload_layer_part().repository_name(repository).upload_id(id).layer_part_blob(Blob::new(blob));
        let last = i64::try_from(blob.len()).expect("small") - 1;
        part.part_first_byte(0).part_last_byte(last).send().await.expect("uploaded");
        let done = self.client.complete_layer_upload().repository_name(repository).upload_id(id);
        // A layer that is there already is there.
        let _ = done.layer_digests(digest.to_string()).send().await;
    }

    pub(crate) async fn delete(&self, repository: &str, id: ImageIdentifier) {
        self.client.batch_delete_image().repository_name(repository).image_ids(id).send().await.expect("deleted");
    }

    async fn images(&self, repository: &str) -> Vec<ImageDetail> {
        let found = self.client.describe_images().repository_name(repository).send().await;
        found.expect("images").image_details.unwrap_or_default()
    }

    /// The tags and what each names.
    pub(super) async fn tags(&self, repository: &str) -> BTreeMap<String, String> {
        let images = self.images(repository).await;
        let rows = images.iter().flat_map(|image| {
            image.image_tags().iter().map(|tag| (tag.clone(), image.image_digest().unwrap_or_default().to_owned()))
        });
        rows.collect()
    }
}
