//! The contract on a real S3 server: a bucket with versioning and Object Lock. What only buckets have is in `bucket`.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_s3::primitives::ByteStream;
use prodpin::model::{ArtifactId, NamePatterns, Reference, RepositoryName, Tag};
use prodpin::policy::S3Config;
use prodpin::sources::memory::Content;
use prodpin::sources::s3::{Tuning, open_tuned};
use prodpin::sources::{OpenOptions, Source};

use crate::servers;
use crate::support::contract::{Ability, Fixture, contract_tests};

contract_tests!(start);

async fn start(_clause: &str) -> Option<Bucket> {
    Bucket::create(servers::s3()?.url).await
}

/// The same on a server of other authors.
mod on_a_second_server {
    use super::{Bucket, contract_tests, servers};

    contract_tests!(start);

    async fn start(_clause: &str) -> Option<Bucket> {
        Bucket::create(servers::second_s3()?.url).await
    }
}

struct Bucket {
    name: String,
    endpoint: String,
    client: Client,
}

const LAYOUT: &str = "{repository...}/{version}/bundle.zip";

impl Bucket {
    async fn create(endpoint: String) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("contract-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .credentials_provider(credentials())
            .build();
        let client = Client::from_conf(config);
        let created = client.create_bucket().bucket(&name).object_lock_enabled_for_bucket(true).send().await;
        created.expect("a bucket, versioned because it is locked");
        Some(Self { name, endpoint, client })
    }

    fn key(&self, repository: &RepositoryName, label: &str) -> String {
        LAYOUT.replace("{repository...}", repository.as_str()).replace("{version}", label)
    }
}

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("testing", "testing", None, None, "tests"))
}

#[async_trait]
impl Fixture for Bucket {
    fn name(&self) -> String {
        "S3 bucket with Object Lock".to_owned()
    }

    fn can(&self, ability: Ability) -> bool {
        // A bucket knows no repositories, only keys; deleting a key hides it, which `bucket` tests; and this server
        // enforces no policies.
        matches!(ability, Ability::Catalog | Ability::DeleteArtifact | Ability::TagsGoAlong)
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
            inventory: None,
        };
        let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline: None };
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
        let ArtifactId::ObjectVersion { key, version } = artifact else { panic!("{artifact} is no object version") };
        let deleted = self.client.delete_object().bucket(&self.name).key(key.as_str()).version_id(&**version);
        deleted.send().await.expect("deleted");
    }
}
