//! A bucket known by its inventory, delivered to another bucket of the same server.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_s3::primitives::ByteStream;
use futures::StreamExt as _;
use prodpin::model::{NamePatterns, Resolution, Snapshot};
use prodpin::policy::{InventoryLocation, S3Config};
use prodpin::sources::s3::{Tuning, open_tuned};
use prodpin::sources::{OpenOptions, Source};

use crate::servers;

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("testing", "testing", None, None, "tests"))
}

struct Bed {
    endpoint: String,
    bucket: String,
    client: Client,
}

const SCHEMA: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass";

impl Bed {
    async fn new() -> Option<Self> {
        let endpoint = servers::s3()?.url;
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials())
            .endpoint_url(&endpoint)
            .force_path_style(true)
            .build();
        let client = Client::from_conf(config);
        let bucket = format!("inv-{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos());
        client.create_bucket().bucket(&bucket).object_lock_enabled_for_bucket(true).send().await.unwrap();
        client.create_bucket().bucket(format!("{bucket}-to")).send().await.unwrap();
        Some(Self { endpoint, bucket, client })
    }

    async fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>) {
        self.client.put_object().bucket(bucket).key(key).body(ByteStream::from(bytes)).send().await.unwrap();
    }

    /// What S3 would deliver: every version in two compressed files, in no order, and a manifest.
    async fn deliver(&self, folder: &str, made: jiff::Timestamp, format: &str) {
        let listed = self.client.list_object_versions().bucket(&self.bucket).send().await.unwrap();
        let time = |time: Option<&aws_sdk_s3::primitives::DateTime>| {
            jiff::Timestamp::from_second(time.unwrap().secs()).unwrap().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
        };
        let encoded = |key: &str| key.replace('%', "%25").replace(' ', "+").replace('é', "%C3%A9");
        let mut rows: Vec<String> = listed
            .versions()
            .iter()
            .map(|v| {
                let (key, id, etag) = (encoded(v.key().unwrap()), v.version_id().unwrap(), v.e_tag().unwrap());
                let (latest, size, etag) = (v.is_latest().unwrap(), v.size().unwrap(), etag.trim_matches('"'));
                let modified = time(v.last_modified());
                format!("\"{}\",\"{key}\",\"{id}\",\"{latest}\",\"false\",\"{size}\",\"{modified}\",\"{etag}\",\"STANDARD\"\n", self.bucket)
            })
            .collect();
        rows.extend(listed.delete_markers().iter().map(|m| {
            let (key, id) = (encoded(m.key().unwrap()), m.version_id().unwrap());
            let (latest, modified) = (m.is_latest().unwrap(), time(m.last_modified()));
            format!("\"{}\",\"{key}\",\"{id}\",\"{latest}\",\"true\",\"\",\"{modified}\",\"\",\"\"\n", self.bucket)
        }));
        rows.reverse();
        let to = format!("{}-to", self.bucket);
        let mut files = Vec::new();
        for (number, rows) in rows.chunks(rows.len().div_ceil(2)).enumerate() {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            packed.write_all(rows.concat().as_bytes()).unwrap();
            let packed = packed.finish().unwrap();
            let key = format!("inventory/data/{number}.csv.gz");
            files.push(format!("{{\"key\":\"{key}\",\"size\":{},\"MD5checksum\":\"\"}}", packed.len()));
            self.put(&to, &key, packed).await;
        }
        let manifest = format!(
            "{{\"sourceBucket\":\"{}\",\"version\":\"2016-11-30\",\"creationTimestamp\":\"{}\",\"fileFormat\":\"{format}\",\
             \"fileSchema\":\"{SCHEMA}\",\"files\":[{}]}}",
            self.bucket,
            made.as_millisecond(),
            files.join(",")
        );
        self.put(&to, &format!("inventory/{folder}/manifest.json"), manifest.into_bytes()).await;
    }

    async fn source(&self, inventory: Option<&str>) -> Source {
        let place = |key: &str| InventoryLocation { bucket: format!("{}-to", self.bucket), key: key.to_owned() };
        let config = S3Config {
            bucket: self.bucket.clone(),
            layout: "{repository}/{version}/x.zip".parse().unwrap(),
            repositories: NamePatterns::new(["**"]).unwrap(),
            region: Some("us-east-1".to_owned()),
            endpoint: Some(self.endpoint.parse().unwrap()),
            path_style: true,
            owner: None,
            inventory: inventory.map(place),
        };
        let options = OpenOptions { write: false, rehearse: false, tried: false, concurrency: 8, deadline: None };
        let tuning = Tuning { page_size: 1000, credentials: Some(credentials()) };
        open_tuned(&"bundles".parse().unwrap(), &config, &options, tuning).await.unwrap()
    }
}

async fn everything(source: &Source) -> BTreeMap<String, Snapshot> {
    let names: Vec<_> = source.inventory.repositories().map(Result::unwrap).collect().await;
    let mut found = BTreeMap::new();
    for name in names {
        found.insert(name.to_string(), source.inventory.observe(&name).await);
    }
    found
}

/// S3 tells times to the second in one and to the millisecond in the other.
fn to_the_second(mut snapshots: BTreeMap<String, Snapshot>) -> BTreeMap<String, Snapshot> {
    let whole = |time: &mut jiff::Timestamp| *time = jiff::Timestamp::from_second(time.as_second()).unwrap();
    // How old an inventory is, no listing says.
    snapshots.values_mut().for_each(|snapshot| snapshot.made = None);
    for tag in snapshots.values_mut().flat_map(|snapshot| &mut snapshot.tags) {
        tag.pushed.as_deref_mut().into_iter().for_each(whole);
        let object = tag.object.as_mut().unwrap();
        object.versions.iter_mut().map(|version| &mut version.modified).for_each(whole);
        object.markers.iter_mut().filter_map(|marker| marker.modified.as_mut()).for_each(whole);
    }
    snapshots
}

#[tokio::test]
async fn an_inventory_tells_what_a_listing_tells_b79() {
    let Some(bed) = Bed::new().await else { return };
    for key in ["api/1.0/x.zip", "api/1.1/x.zip", "web/2 é/x.zip", "web/3%/x.zip", "notes.txt"] {
        bed.put(&bed.bucket, key, key.as_bytes().to_vec()).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    bed.put(&bed.bucket, "api/1.0/x.zip", b"again".to_vec()).await;
    bed.client.delete_object().bucket(&bed.bucket).key("api/1.1/x.zip").send().await.unwrap();
    bed.deliver("2026-01-01T00-00Z", "2026-01-01T00:00:00Z".parse().unwrap(), "CSV").await;
    bed.deliver("2026-01-02T00-00Z", jiff::Timestamp::now(), "CSV").await;
    let listed = to_the_second(everything(&bed.source(None).await).await);
    let inventoried = to_the_second(everything(&bed.source(Some("inventory")).await).await);
    assert_eq!(inventoried, listed);
    assert_eq!(listed.len(), 2);

    // What is newer than the inventory is found by looking at the bucket itself.
    bed.put(&bed.bucket, "api/1.2/x.zip", b"new".to_vec()).await;
    let source = bed.source(Some("inventory/2026-01-02T00-00Z/manifest.json")).await;
    let api = "api".parse().unwrap();
    assert_eq!(source.inventory.observe(&api).await.tags.len(), 2);
    let (found, gap) = source.inventory.look_up(&api, &"api/1.2/x.zip".parse().unwrap()).await;
    assert!(matches!(found, Resolution::Artifact(_)) && gap.is_none());
}

#[tokio::test]
async fn an_old_or_unusable_inventory_is_told_and_nothing_is_concluded_from_it_i4() {
    let Some(bed) = Bed::new().await else { return };
    bed.put(&bed.bucket, "api/1.0/x.zip", b"x".to_vec()).await;
    bed.deliver("2026-01-01T00-00Z", "2026-01-01T00:00:00Z".parse().unwrap(), "CSV").await;
    let old = bed.source(Some("inventory")).await.inventory.observe(&"api".parse().unwrap()).await;
    assert_eq!(old.tags.len(), 1);
    assert!(!old.listing_is_complete() && old.gaps[0].detail.contains("2026-01-01T00:00:00Z"), "{:?}", old.gaps);
    bed.deliver("2026-01-02T00-00Z", jiff::Timestamp::now(), "Parquet").await;
    for (place, part) in [("inventory", "set the inventory's output format to CSV"), ("nowhere", "no inventory below")]
    {
        let source = bed.source(Some(place)).await;
        let reported: Vec<_> = source.inventory.repositories().collect().await;
        assert!(matches!(&reported[..], [Err(gap)] if gap.detail.contains(part)), "{reported:?}");
        assert!(!source.inventory.observe(&"api".parse().unwrap()).await.listing_is_complete());
    }
}
