//! A real S3 server: the contract on a bucket with versioning and Object Lock, and what only buckets have.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use prodpin::model::{
    ArtifactId, NamePatterns, Obstacle, PinState, Presence, Reference, RepositoryName, SettingFacts, Tag, Versioning,
};
use prodpin::policy::S3Config;
use prodpin::sources::memory::{Content, image};
use prodpin::sources::s3::{Tuning, open_tuned};
use prodpin::sources::{OpenOptions, Source};

use crate::servers;
use crate::support::contract::{Ability, Fixture, contract_tests};

contract_tests!(start);

async fn start(_clause: &str) -> Option<Bucket> {
    Bucket::create(Lock::On).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// Versioning and Object Lock.
    On,
    /// Versioning alone.
    Off,
}

struct Bucket {
    name: String,
    endpoint: String,
    client: Client,
}

const LAYOUT: &str = "{repository...}/{version}/bundle.zip";

impl Bucket {
    async fn create(lock: Lock) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let endpoint = servers::s3()?.url;
        let name = format!("contract-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .credentials_provider(credentials())
            .build();
        let client = Client::from_conf(config);
        let locked = lock == Lock::On;
        let created = client.create_bucket().bucket(&name).object_lock_enabled_for_bucket(locked).send().await;
        created.expect("a bucket");
        let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let enabled = client.put_bucket_versioning().bucket(&name).versioning_configuration(versioning).send().await;
        enabled.expect("versioning");
        Some(Self { name, endpoint, client })
    }

    fn key(&self, repository: &RepositoryName, label: &str) -> String {
        LAYOUT.replace("{repository...}", repository.as_str()).replace("{version}", label)
    }

    async fn delete(&self, key: &str, version: Option<&str>) -> bool {
        let call = self.client.delete_object().bucket(&self.name).key(key).set_version_id(version.map(str::to_owned));
        call.send().await.is_ok()
    }
}

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("testing", "testing", None, None, "tests"))
}

fn object(artifact: &ArtifactId) -> (&str, &str) {
    match artifact {
        ArtifactId::ObjectVersion { key, version } => (key.as_str(), version),
        ArtifactId::Manifest(digest) => panic!("{digest} is no object version"),
    }
}

#[async_trait]
impl Fixture for Bucket {
    fn name(&self) -> String {
        "S3 bucket with Object Lock".to_owned()
    }

    fn can(&self, ability: Ability) -> bool {
        // A bucket knows no repositories, only keys; deleting a key hides it, which is tested below; and this server
        // enforces no policies.
        matches!(ability, Ability::Catalog | Ability::DeleteArtifact)
    }

    fn repository(&self, name: &str) -> RepositoryName {
        format!("corner/{name}").parse().expect("a repository name")
    }

    fn tag(&self, repository: &RepositoryName, label: &str) -> Tag {
        self.key(repository, label).parse().expect("a key")
    }

    fn reference(&self, repository: &RepositoryName, label: &str) -> Reference {
        format!("s3://{}/{}", self.name, self.key(repository, label)).parse().expect("a reference")
    }

    async fn open(&self, patterns: &[&str], write: bool) -> Source {
        let config = S3Config {
            bucket: self.name.clone(),
            layout: LAYOUT.parse().expect("a layout"),
            repositories: NamePatterns::new(patterns).expect("patterns"),
            region: Some("us-east-1".to_owned()),
            endpoint: Some(self.endpoint.parse().expect("a URL")),
            path_style: true,
            owner: None,
        };
        let options = OpenOptions { write, concurrency: 8, deadline: None };
        let tuning = Tuning { page_size: 7, credentials: Some(credentials()) };
        open_tuned(&"bundles".parse().expect("a name"), &config, &options, tuning).await.expect("a source")
    }

    async fn push(&self, repository: &RepositoryName, label: &str, content: &Content) -> ArtifactId {
        let key = self.key(repository, label);
        let body = ByteStream::from(content.bytes());
        let stored = self.client.put_object().bucket(&self.name).key(&key).body(body).send().await.expect("stored");
        let version = stored.version_id().expect("a versioned bucket").into();
        ArtifactId::ObjectVersion { key: key.parse().expect("a key"), version }
    }

    async fn bytes(&self, _repository: &RepositoryName, tag: &Tag) -> Option<Vec<u8>> {
        let found = self.client.get_object().bucket(&self.name).key(tag.as_str()).send().await.ok()?;
        Some(found.body.collect().await.expect("a body").to_vec())
    }

    async fn delete_artifact(&self, _repository: &RepositoryName, artifact: &ArtifactId) {
        let (key, version) = object(artifact);
        assert!(self.delete(key, Some(version)).await, "{artifact} could not be deleted");
    }
}

/// The point of it all: what is pinned cannot be deleted, by anybody's cleanup.
#[tokio::test]
async fn a_pinned_version_refuses_to_be_deleted_i1() {
    let Some(bucket) = Bucket::create(Lock::On).await else { return };
    let repository = bucket.repository("shop");
    let pinned = bucket.push(&repository, "1.0.0", &image("one")).await;
    let loose = bucket.push(&repository, "1.0.0", &image("two")).await;
    let source = bucket.open(&[repository.as_str()], true).await;
    let protector = source.protector.as_ref().expect("the pinning half");
    protector.pin(&repository, &pinned).await.expect("pinned");
    let ((key, held), (_, free)) = (object(&pinned), object(&loose));
    assert!(!bucket.delete(key, Some(held)).await, "a version under legal hold was deleted");
    assert!(bucket.delete(key, Some(free)).await, "the hold reached a version that was never pinned");
    let inspection = source.inventory.inspect(&repository, &pinned).await;
    assert_eq!((inspection.presence, inspection.pin), (Presence::Present, PinState::Present));
}

/// A legal hold does not keep a delete marker away (B60): the version stays and readers by key no longer find it.
#[tokio::test]
async fn a_delete_marker_hides_a_pinned_version_and_is_told_f47() {
    let Some(bucket) = Bucket::create(Lock::On).await else { return };
    let repository = bucket.repository("shop");
    let pinned = bucket.push(&repository, "1.0.0", &image("one")).await;
    let source = bucket.open(&[repository.as_str()], true).await;
    source.protector.as_ref().expect("the pinning half").pin(&repository, &pinned).await.expect("pinned");
    assert!(bucket.delete(object(&pinned).0, None).await);
    let snapshot = source.inventory.observe(&repository).await;
    assert_eq!(snapshot.gaps, []);
    let facts = snapshot.tags[0].object.as_ref().expect("a key of a bucket");
    assert!(facts.hidden_by.is_some(), "{facts:?}");
    assert_eq!(facts.versions.iter().map(|version| &version.artifact).collect::<Vec<_>>(), [&pinned]);
    let inspection = source.inventory.inspect(&repository, &pinned).await;
    assert_eq!((inspection.presence, &inspection.pin), (Presence::Present, &PinState::Present), "{inspection:?}");
    let hidden = |obstacle: &Obstacle| matches!(obstacle, Obstacle::Hidden { .. });
    assert!(inspection.obstacles.iter().any(hidden), "{inspection:?}");
}

/// Without Object Lock a mark can be set, and prodpin must not call it protection (B66).
#[tokio::test]
async fn a_mark_without_object_lock_is_not_called_protection_i7() {
    let Some(bucket) = Bucket::create(Lock::Off).await else { return };
    let repository = bucket.repository("shop");
    let artifact = bucket.push(&repository, "1.0.0", &image("one")).await;
    let source = bucket.open(&[repository.as_str()], true).await;
    source.protector.as_ref().expect("the pinning half").pin(&repository, &artifact).await.expect("marked");
    let inspection = source.inventory.inspect(&repository, &artifact).await;
    assert_eq!(inspection.pin, PinState::Unsupported { marked: true }, "{inspection:?}");
    assert!(inspection.obstacles.contains(&Obstacle::NoObjectLock), "{inspection:?}");
    let (facts, gaps) = source.inventory.settings().await;
    assert_eq!(gaps, []);
    let SettingFacts::Bucket { versioning, object_lock, .. } = facts else { panic!("{facts:?}") };
    assert_eq!((versioning, object_lock), (Some(Versioning::Enabled), Some(false)));
}
