//! Deployment buckets on a real S3 server, found through `PRODPIN_TEST_S3` (an endpoint URL).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus, LifecycleExpiration, LifecycleRule,
    LifecycleRuleFilter, VersioningConfiguration,
};
use futures::StreamExt;
use prodpin::decide::lifecycle::s3::{Objects, threats};
use prodpin::model::{
    ArtifactId, Cause, Closure, Due, Effect, NamePatterns, ObservedTag, Obstacle, PinState, Presence, RepositoryName,
    Resolution, Retention, SettingFacts, Snapshot, Tag, Threat, Versioning,
};
use prodpin::policy::S3Config;
use prodpin::sources::s3::{Tuning, open_tuned};
use prodpin::sources::{OpenOptions, Source};

fn endpoint() -> Option<String> {
    crate::servers::s3().map(|server| server.url)
}

/// A bucket of its own for one test, and a client that may do anything with it.
struct Bed {
    endpoint: String,
    bucket: String,
    client: Client,
}

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test"))
}

impl Bed {
    async fn new(name: &str, lock: bool, versioned: bool) -> Option<Self> {
        let endpoint = endpoint()?;
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials())
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .build();
        let client = Client::from_conf(config);
        let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let bucket = format!("prodpin-{name}-{unique}");
        client.create_bucket().bucket(&bucket).object_lock_enabled_for_bucket(lock).send().await.unwrap();
        let bed = Self { endpoint, bucket, client };
        if versioned {
            bed.versioning(BucketVersioningStatus::Enabled).await;
        }
        Some(bed)
    }

    async fn versioning(&self, status: BucketVersioningStatus) {
        let configuration = VersioningConfiguration::builder().status(status).build();
        let request = self.client.put_bucket_versioning().bucket(&self.bucket);
        request.versioning_configuration(configuration).send().await.unwrap();
    }

    async fn put(&self, key: &str, bytes: &str) -> Option<String> {
        let body = ByteStream::from(bytes.as_bytes().to_vec());
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(body).send().await.unwrap();
        put.version_id().map(str::to_owned)
    }

    /// A plain deletion, which leaves a marker in a versioned bucket.
    async fn delete(&self, key: &str) -> Option<String> {
        let deleted = self.client.delete_object().bucket(&self.bucket).key(key).send().await.unwrap();
        deleted.version_id().map(str::to_owned)
    }

    async fn delete_version(&self, key: &str, version: &str) -> bool {
        self.client.delete_object().bucket(&self.bucket).key(key).version_id(version).send().await.is_ok()
    }

    /// All that a write could change: settings, versions, markers, and what each version holds, carries and is held by.
    async fn whole(&self) -> String {
        let (client, name) = (&self.client, &self.bucket);
        let listed = client.list_object_versions().bucket(name).send().await.unwrap();
        // The stand-in answers this one in a shape that the SDK does not read: then it says nothing, both times.
        let versioning = client.get_bucket_versioning().bucket(name).send().await.ok();
        let versioning = versioning.and_then(|read| read.status().cloned());
        let lifecycle = client.get_bucket_lifecycle_configuration().bucket(name).send().await.ok();
        let mut lines = vec![format!("{versioning:?} {:?}", lifecycle.map(|read| read.rules().to_vec()))];
        for marker in listed.delete_markers() {
            lines.push(format!("marker {:?} {:?}", marker.key(), marker.version_id()));
        }
        for version in listed.versions() {
            let (key, id) = (version.key().unwrap(), version.version_id().unwrap());
            let hold = client.get_object_legal_hold().bucket(name).key(key).version_id(id).send().await.ok();
            let hold = hold.and_then(|read| read.legal_hold().and_then(|hold| hold.status().cloned()));
            let hold = hold.map_or_else(|| "none".to_owned(), |status| status.to_string());
            let tags = client.get_object_tagging().bucket(name).key(key).version_id(id).send().await.unwrap();
            lines.push(format!("{key} {id} {:?} legal hold {hold} tags {:?}", version.e_tag(), tags.tag_set()));
        }
        lines.join("\n")
    }

    async fn source(&self, write: bool, page_size: i32) -> Source {
        self.source_for(write, page_size, "{repository}/{version}/x.zip", &["**"]).await
    }

    async fn source_for(&self, write: bool, page_size: i32, layout: &str, patterns: &[&str]) -> Source {
        let config = S3Config {
            bucket: self.bucket.clone(),
            layout: layout.parse().unwrap(),
            repositories: NamePatterns::new(patterns).unwrap(),
            region: Some("us-east-1".to_owned()),
            endpoint: Some(self.endpoint.parse().unwrap()),
            path_style: true,
            owner: None,
            inventory: None,
        };
        let deadline = Some(Instant::now() + Duration::from_secs(60));
        let options = OpenOptions { write, rehearse: false, tried: false, concurrency: 8, deadline };
        let tuning = Tuning { page_size, credentials: Some(credentials()) };
        open_tuned(&"bundles".parse().unwrap(), &config, &options, tuning).await.unwrap()
    }
}

fn api() -> RepositoryName {
    "api".parse().unwrap()
}

fn version_of(key: &str, version: &str) -> ArtifactId {
    format!("{key}?versionId={version}").parse().unwrap()
}

fn find<'s>(snapshot: &'s Snapshot, key: &str) -> &'s ObservedTag {
    snapshot.tags.iter().find(|tag| tag.name.as_str() == key).unwrap()
}

fn versions(tag: &ObservedTag) -> Vec<ArtifactId> {
    tag.object.as_ref().unwrap().versions.iter().map(|version| version.artifact.clone()).collect()
}

fn hidden_by(tag: &ObservedTag) -> Option<&str> {
    tag.object.as_ref().unwrap().hidden_by.as_deref()
}

#[tokio::test]
async fn every_version_is_seen_whatever_the_page_size_b58() {
    let Some(bed) = Bed::new("pages", false, true).await else { return };
    let mut overwritten = Vec::new();
    for bytes in ["one", "two", "three", "four", "five"] {
        overwritten.insert(0, version_of("api/1/x.zip", &bed.put("api/1/x.zip", bytes).await.unwrap()));
    }
    let hidden = bed.put("api/2/x.zip", "hidden").await.unwrap();
    let marker = bed.delete("api/2/x.zip").await.unwrap();
    let gone = bed.put("api/3/x.zip", "gone").await.unwrap();
    bed.delete("api/3/x.zip").await;
    assert!(bed.delete_version("api/3/x.zip", &gone).await);
    bed.put("api/readme.txt", "no release").await;
    bed.put("web/1/x.zip", "another repository").await;

    let mut whole: Option<Snapshot> = None;
    for page_size in [1000, 7, 3, 2, 1] {
        let source = bed.source(false, page_size).await;
        let names: Vec<_> = source.inventory.repositories().map(|name| name.unwrap().to_string()).collect().await;
        assert_eq!(names, ["api", "web"], "pages of {page_size}");
        let snapshot = source.inventory.observe(&api()).await;
        assert_eq!(snapshot.gaps, [], "pages of {page_size}");
        assert_eq!(versions(find(&snapshot, "api/1/x.zip")), overwritten, "pages of {page_size}");
        assert_eq!(find(&snapshot, "api/1/x.zip").target, Resolution::Artifact(overwritten[0].clone()));
        let behind = find(&snapshot, "api/2/x.zip");
        assert_eq!(behind.target, Resolution::Artifact(version_of("api/2/x.zip", &hidden)));
        assert_eq!(hidden_by(behind), Some(marker.as_str()));
        assert_eq!(find(&snapshot, "api/3/x.zip").target, Resolution::NotFound);
        assert_eq!(snapshot.tags.len(), 3);
        assert_eq!(*whole.get_or_insert(snapshot.clone()), snapshot, "pages of {page_size}");
    }

    // What the listing says, a direct look says too.
    let inventory = bed.source(false, 2).await.inventory;
    for tag in whole.unwrap().tags {
        assert_eq!(inventory.look_up(&api(), &tag.name).await, (tag.target.clone(), None), "{tag:?}");
    }
    let never: Tag = "api/9/x.zip".parse().unwrap();
    assert_eq!(inventory.look_up(&api(), &never).await, (Resolution::NotFound, None));
    let inspection = inventory.inspect(&api(), &version_of("api/3/x.zip", &gone)).await;
    assert_eq!((inspection.presence, inspection.gaps.len()), (Presence::NotFound, 0));
    let behind = inventory.inspect(&api(), &version_of("api/2/x.zip", &hidden)).await;
    assert_eq!(behind.presence, Presence::Present);
    assert!(behind.obstacles.contains(&Obstacle::Hidden { marker }), "{behind:?}");
}

#[tokio::test]
async fn odd_keys_are_text_and_never_paths_f81() {
    let Some(bed) = Bed::new("odd", false, true).await else { return };
    let keys = ["api/1+2 3/x.zip", "api/日本 é/x.zip", "api/100%25/x.zip", "api/a&b=c?d#e/x.zip", "api/<q>'\"/x.zip"];
    let dots = "api/../x.zip";
    for key in keys.iter().chain(&[dots]) {
        bed.put(key, key).await;
    }
    let inventory = bed.source(false, 2).await.inventory;
    let snapshot = inventory.observe(&api()).await;
    assert_eq!(snapshot.gaps, []);
    for key in keys.iter().chain(&[dots]) {
        let tag = find(&snapshot, key);
        assert_eq!(inventory.look_up(&api(), &tag.name).await, (tag.target.clone(), None), "{key:?}");
        let artifact = tag.target.artifact().unwrap();
        let inspection = inventory.inspect(&api(), artifact).await;
        assert_eq!((inspection.presence, inspection.gaps.len()), (Presence::Present, 0), "{key:?}");
        assert_eq!(inspection.created, tag.pushed.as_deref().copied(), "{key:?}");
    }
}

#[tokio::test]
async fn a_pinned_version_cannot_be_deleted_and_a_second_pin_changes_nothing_i13() {
    let Some(bed) = Bed::new("lock", true, false).await else { return };
    let key = "api/1/x.zip";
    let pinned = bed.put(key, "kept").await.unwrap();
    let loose = bed.put(key, "not kept").await.unwrap();
    let source = bed.source(true, 1000).await;
    let (facts, gaps) = source.inventory.settings().await;
    assert_eq!(gaps, []);
    let SettingFacts::Bucket { versioning, object_lock, .. } = facts else { panic!("{facts:?}") };
    assert_eq!((versioning, object_lock), (Some(Versioning::Enabled), Some(true)));

    let artifact = version_of(key, &pinned);
    let before = source.inventory.inspect(&api(), &artifact).await;
    assert_eq!((before.pin, before.presence, before.closure), (PinState::Absent, Presence::Present, Closure::Complete));
    assert_eq!((before.obstacles, before.gaps), (vec![], vec![]));

    let protector = source.protector.unwrap();
    for _ in 0..2 {
        protector.pin(&api(), &artifact).await.unwrap();
        let after = source.inventory.inspect(&api(), &artifact).await;
        assert_eq!((after.pin, after.obstacles, after.gaps), (PinState::Present, vec![], vec![]));
    }
    assert!(!bed.delete_version(key, &pinned).await, "the held version was deleted");
    assert!(bed.delete_version(key, &loose).await);
    // A marker goes in front of a hold all the same (B60), and is reported.
    let marker = bed.delete(key).await.unwrap();
    let hidden = source.inventory.inspect(&api(), &artifact).await;
    assert_eq!((hidden.pin, hidden.obstacles), (PinState::Present, vec![Obstacle::Hidden { marker }]));
    let missing = protector.pin(&api(), &version_of(key, "00000000-0000-0000-0000-000000000000")).await;
    // The stand-in answers 500 about versions that it never had.
    let failure = missing.unwrap_err();
    assert!(matches!(failure.cause, Cause::NotFound | Cause::ServerError), "{failure}");
}

#[tokio::test]
async fn without_object_lock_a_version_is_marked_and_not_protected() {
    let Some(bed) = Bed::new("mark", false, true).await else { return };
    let key = "api/1/x.zip";
    let version = bed.put(key, "kept").await.unwrap();
    let tags = aws_sdk_s3::types::Tagging::builder()
        .tag_set(aws_sdk_s3::types::Tag::builder().key("team").value("shop + co").build().unwrap());
    let put = bed.client.put_object_tagging().bucket(&bed.bucket).key(key).version_id(&version);
    put.tagging(tags.build().unwrap()).send().await.unwrap();

    let source = bed.source(true, 1000).await;
    let artifact = version_of(key, &version);
    let before = source.inventory.inspect(&api(), &artifact).await;
    assert_eq!(before.pin, PinState::Unsupported { marked: false });
    let protector = source.protector.unwrap();
    for _ in 0..2 {
        protector.pin(&api(), &artifact).await.unwrap();
    }
    let after = source.inventory.inspect(&api(), &artifact).await;
    assert_eq!(after.pin, PinState::Unsupported { marked: true });
    assert_eq!((after.obstacles, after.gaps), (vec![Obstacle::NoObjectLock], vec![]));
    let kept = bed.client.get_object_tagging().bucket(&bed.bucket).key(key).version_id(&version).send().await.unwrap();
    let mut kept: Vec<_> = kept.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    kept.sort_unstable();
    assert_eq!(kept, [("prod-pinned", "true"), ("team", "shop + co")]);
}

#[tokio::test]
async fn an_unversioned_key_written_again_is_another_artifact_b57() {
    let Some(bed) = Bed::new("plain", false, false).await else { return };
    let key = "api/1/x.zip";
    bed.put(key, "first").await;
    let source = bed.source(true, 1000).await;
    let first = find(&source.inventory.observe(&api()).await, key).target.artifact().unwrap().clone();
    assert!(first.to_string().contains("?versionId=null@"), "{first}");
    let inspection = source.inventory.inspect(&api(), &first).await;
    assert_eq!(inspection.presence, Presence::Present);
    assert_eq!(inspection.obstacles, [Obstacle::NoObjectLock, Obstacle::Unversioned]);
    let protector = source.protector.unwrap();
    protector.pin(&api(), &first).await.unwrap();
    assert_eq!(source.inventory.inspect(&api(), &first).await.pin, PinState::Unsupported { marked: true });

    bed.put(key, "second").await;
    let second = find(&source.inventory.observe(&api()).await, key).target.artifact().unwrap().clone();
    assert_ne!(first, second);
    assert_eq!(source.inventory.look_up(&api(), &key.parse().unwrap()).await.0, Resolution::Artifact(second.clone()));
    assert_eq!(source.inventory.inspect(&api(), &first).await.presence, Presence::NotFound);
    assert_eq!(source.inventory.created(&api(), &first).await, None);
    let failure = protector.pin(&api(), &first).await.unwrap_err();
    assert_eq!(failure.cause, Cause::Refused, "other bytes are there now: {failure}");
    assert_eq!(source.inventory.inspect(&api(), &second).await.pin, PinState::Unsupported { marked: false });

    bed.versioning(BucketVersioningStatus::Suspended).await;
    let source = bed.source(false, 1000).await;
    let suspended = source.inventory.inspect(&api(), &second).await;
    assert!(suspended.obstacles.contains(&Obstacle::Unversioned), "{suspended:?}");
}

#[tokio::test]
async fn lifecycle_rules_are_told_and_their_change_is_seen_f37() {
    let Some(bed) = Bed::new("rules", true, false).await else { return };
    let key = "api/1/x.zip";
    let artifact = version_of(key, &bed.put(key, "kept").await.unwrap());
    let source = bed.source(true, 1000).await;
    source.protector.as_ref().unwrap().pin(&api(), &artifact).await.unwrap();
    let (without, _) = source.inventory.settings().await;
    assert_eq!(source.inventory.inspect(&api(), &artifact).await.obstacles, []);
    let rule = |id: &str, prefix: &str| {
        LifecycleRule::builder()
            .id(id)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(prefix).build())
            .expiration(LifecycleExpiration::builder().days(30).build())
            .build()
            .unwrap()
    };
    let rules = BucketLifecycleConfiguration::builder().rules(rule("tidy", "api/")).rules(rule("logs", "logs/"));
    let put = bed.client.put_bucket_lifecycle_configuration().bucket(&bed.bucket);
    put.lifecycle_configuration(rules.build().unwrap()).send().await.unwrap();
    let (with, gaps) = source.inventory.settings().await;
    assert_eq!(gaps, []);
    assert_ne!(without, with);
    let snapshot = source.inventory.observe(&api()).await;
    let Retention::Bucket(bucket) = &snapshot.retention else { panic!("{:?}", snapshot.retention) };
    let inspection = source.inventory.inspect(&api(), &artifact).await;
    let inspections = BTreeMap::from([(artifact.clone(), inspection)]);
    let targets = BTreeSet::from([artifact.clone()]);
    let objects = Objects { bucket, tags: &snapshot.tags, inspections: &inspections, held: &targets };
    let found = threats(&objects, &targets, jiff::Timestamp::now()).unwrap().remove(&artifact).unwrap();
    let [Threat { rule, effect: Effect::Hides, due: Due::On(due), .. }] = &found[..] else { panic!("{found:?}") };
    assert_eq!(rule, "tidy");
    let days = (due.as_second() - jiff::Timestamp::now().as_second()) / 86_400;
    assert!((29..=30).contains(&days) && due.as_second() % 86_400 == 0, "{due}");
}

#[tokio::test]
async fn audit_changes_nothing_i17() {
    let Some(bed) = Bed::new("audit", true, false).await else { return };
    let key = "api/1/x.zip";
    let artifact = version_of(key, &bed.put(key, "kept").await.unwrap());
    let source = bed.source(false, 1).await;
    assert!(source.protector.is_none());
    let before = bed.whole().await;
    assert!(before.contains(key) && before.contains("legal hold none") && before.contains("tags []"), "{before}");
    for _ in 0..2 {
        source.inventory.settings().await;
        assert_eq!(source.inventory.repositories().count().await, 1);
        assert_eq!(source.inventory.observe(&api()).await.tags.len(), 1);
        assert_eq!(source.inventory.inspect(&api(), &artifact).await.pin, PinState::Absent);
    }
    assert_eq!(bed.whole().await, before, "an audit wrote something");
    // The same comparison sees a pin, so it would have seen one that the audit made.
    let pinned = bed.source(true, 1).await.protector.unwrap().pin(&api(), &artifact).await;
    assert_eq!(pinned.map_err(|failure| failure.detail), Ok(()));
    assert_ne!(bed.whole().await, before, "this comparison would see no write at all");
}

#[tokio::test]
async fn a_missing_bucket_is_a_gap_and_never_an_empty_one_f31() {
    let Some(mut bed) = Bed::new("missing", false, true).await else { return };
    bed.bucket.push_str("-not");
    let source = bed.source(false, 1000).await;
    let snapshot = source.inventory.observe(&api()).await;
    assert!(!snapshot.listing_is_complete());
    let (found, gap) = source.inventory.look_up(&api(), &"api/1/x.zip".parse().unwrap()).await;
    assert_eq!((found, gap.is_some()), (Resolution::Unknown, true));
    let inspection = source.inventory.inspect(&api(), &version_of("api/1/x.zip", "v")).await;
    assert_eq!(inspection.presence, Presence::Unknown);
    assert_eq!(source.inventory.repositories().filter(|item| std::future::ready(item.is_err())).count().await, 1);
}

#[tokio::test]
async fn layouts_with_nested_repositories_and_wildcards() {
    let Some(bed) = Bed::new("layouts", false, true).await else { return };
    for key in ["apps/team/api/1.0/bundle.zip", "apps/web/2.0/bundle.zip", "apps/web/2.0/notes.txt", "other/x"] {
        bed.put(key, key).await;
    }
    bed.delete("apps/web/2.0/bundle.zip").await;
    let source = bed.source_for(false, 2, "apps/{repository...}/{version}/bundle.zip", &["**", "gone"]).await;
    let mut names: Vec<_> = source.inventory.repositories().map(|name| name.unwrap().to_string()).collect().await;
    names.sort_unstable();
    assert_eq!(names, ["gone", "team/api", "web"]);
    assert_eq!(source.inventory.unmatched_patterns(), ["gone"]);
    let snapshot = source.inventory.observe(&"team/api".parse().unwrap()).await;
    assert_eq!(snapshot.tags.iter().map(ObservedTag::label).collect::<Vec<_>>(), ["1.0"]);
    let gone = source.inventory.observe(&"gone".parse().unwrap()).await;
    assert_eq!((gone.tags.len(), gone.gaps.len()), (0, 0));
}
