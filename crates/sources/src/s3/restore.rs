//! Putting a file back that a vault kept: at its key, and only where nothing is. It has a gate of its own, that no run has;
//! what stands at a key is never written over (I8, I27).

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::content::{note, sha256};
use super::failure::S3Failure;
use super::inspect::HEAD_KEY;
use super::observe::{Depth, observe_key};
use super::pin::Pinner;
use super::version::{bare, identify};
use super::{Bucket, S3Error, Tuning, bucket, check, client, gate};
use crate::file::{KeptFile, Pieces};
use crate::{OpenOptions, Protector, Source};
use prodpin_core::model::{ArtifactId, Cause, Digest, RepositoryName, SourceName, Tag};
use prodpin_net::aws;
use prodpin_net::http::fault::Fault;
use prodpin_policy::S3Config;

/// The permission that putting an object needs.
pub(super) const PUT: &str = "s3:PutObject";

/// S3 takes no more in one request, and prodpin sends a file in one: it is there whole or not at all.
const MOST_BYTES: u64 = 5 << 30;

/// A piece of a file, held in memory.
const PIECE: u64 = 4 << 20;

/// A file of that size on a slow line.
const PUT_TIMEOUT: Duration = Duration::from_secs(6 * 3600);

/// The writing half of `restore` in a bucket.
#[derive(Debug, Clone)]
pub struct ObjectRestorer {
    pub(super) bucket: Arc<Bucket>,
}

/// What readers of a key get now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// Which version.
    pub artifact: ArtifactId,
    /// Its size.
    size: u64,
    digest: Option<Digest>,
    etag: Option<String>,
}

impl Serving {
    /// Whether these are the bytes that were kept, by what the bucket says of them.
    #[must_use]
    pub fn is(&self, kept: &KeptFile) -> bool {
        let same_etag = || {
            let named = |etag: &&String| etag.len() == 32 && etag.bytes().all(|digit| digit.is_ascii_hexdigit());
            self.etag.as_ref().filter(named).is_some_and(|etag| kept.notes.get(note::ETAG) == Some(etag))
        };
        self.size == kept.size && self.digest.as_ref().map_or_else(same_etag, |digest| *digest == kept.digest)
    }
}

/// Opens a bucket so that files can be put back there. Without write power its gate lets nothing through that writes.
pub async fn open_to_restore(
    name: &SourceName,
    config: &S3Config,
    options: &OpenOptions,
    tuning: Tuning,
) -> Result<(Source, ObjectRestorer), S3Error> {
    check(name, config)?;
    let gate = if options.write { gate::Gate::Restores } else { gate::Gate::ReadOnly };
    let client = client::connect_through(gate, config, tuning.credentials).await;
    let bucket = bucket(name, config, options, client, tuning.page_size)?;
    let protector = options.write.then(|| Arc::new(Pinner(Arc::clone(&bucket))) as Arc<dyn Protector>);
    let source = Source { inventory: Arc::clone(&bucket) as Arc<_>, protector, rehearsal: None };
    Ok((source, ObjectRestorer { bucket }))
}

impl ObjectRestorer {
    /// A key as people write it.
    #[must_use]
    pub fn place(&self, key: &Tag) -> String {
        format!("s3://{}/{key}", self.bucket.name())
    }

    /// Whether the key is one of this repository, by the layout.
    #[must_use]
    pub fn belongs(&self, repository: &RepositoryName, key: &Tag) -> bool {
        self.bucket.config.layout.read(key.as_str()).is_some_and(|(found, _)| found == repository.as_str())
    }

    /// What readers of the key get now; none where that is definitively nothing (I4).
    pub async fn serving(&self, key: &Tag) -> Result<Option<Serving>, Fault> {
        let bucket = &*self.bucket;
        let request = bucket.client.head_object().bucket(bucket.name()).key(key.as_str());
        let request = request.checksum_mode(ChecksumMode::Enabled).set_expected_bucket_owner(bucket.owner());
        let head = match bucket.budget.call(HEAD_KEY, request.send()).await {
            Ok(head) => head,
            // A HEAD answer has no body: 404 may mean the key, a marker in front of it, or the bucket. The listing tells.
            Err(failure) if failure.is_not_found() => {
                let listed = observe_key(bucket, key, Depth::Front).await;
                return match listed {
                    Ok(Some(listed)) if listed.object.as_ref().is_none_or(|object| object.hidden_by.is_none()) => {
                        let detail =
                            format!("{}: it is listed, and not found when asked for; run again", self.place(key));
                        Err(Fault::new(Cause::Suspicious, detail))
                    }
                    Ok(_) => Ok(None),
                    Err(gaps) => Err(gaps
                        .into_iter()
                        .next()
                        .map_or_else(|| failure.fault(bucket), |gap| Fault::new(gap.cause, gap.detail))),
                };
            }
            Err(failure) => return Err(failure.fault(bucket)),
        };
        let artifact = identify(key, head.version_id(), head.e_tag());
        let size = head.content_length().and_then(|size| u64::try_from(size).ok());
        let (Some(artifact), Some(size)) = (artifact, size) else {
            return Err(Fault::malformed(format!("{} has no usable version id, ETag or size", self.place(key))));
        };
        let etag = head.e_tag().map(|etag| bare(etag).to_owned());
        Ok(Some(Serving { artifact, size, digest: sha256(&head), etag }))
    }

    /// Puts a file at a key where nothing is. What came there meanwhile stays, and is an error. The version that it is from
    /// then on is read back by whoever asked for it.
    pub async fn put(&self, key: &Tag, kept: &KeptFile, pieces: &dyn Pieces) -> Result<(), Fault> {
        let bucket = &*self.bucket;
        let Digest::Sha256(sum) = &kept.digest else {
            return Err(Fault::refused("a file is kept by its SHA-256"));
        };
        if kept.size > MOST_BYTES {
            return Err(Fault::refused(format!(
                "{} bytes are more than S3 takes in one request: upload the file from the vault with `aws s3 cp`",
                kept.size
            )));
        }
        let (send, mut receive) = mpsc::channel::<Result<Frame<Bytes>, String>>(1);
        let frames = futures::stream::poll_fn(move |context| receive.poll_recv(context));
        let body = ByteStream::new(SdkBody::from_body_1_x(StreamBody::new(frames)));
        // What streams by cannot be sent again by the SDK.
        let once =
            Builder::new().retry_config(RetryConfig::disabled()).timeout_config(aws::timeouts(PUT_TIMEOUT, None));
        let noted = |name: &str| kept.notes.get(name).cloned();
        let metadata = kept
            .notes
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(note::METADATA)?.to_owned(), value.clone())));
        let request = bucket
            .client
            .put_object()
            .bucket(bucket.name())
            .key(key.as_str())
            .if_none_match("*")
            .content_length(i64::try_from(kept.size).unwrap_or(i64::MAX))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(STANDARD.encode(sum))
            .set_content_type(noted(note::CONTENT_TYPE))
            .set_content_encoding(noted(note::CONTENT_ENCODING))
            .set_content_language(noted(note::CONTENT_LANGUAGE))
            .set_content_disposition(noted(note::CONTENT_DISPOSITION))
            .set_cache_control(noted(note::CACHE_CONTROL))
            .set_metadata(Some(metadata.collect()))
            .set_expected_bucket_owner(bucket.owner())
            .body(body);
        let put = bucket.budget.call(PUT, request.customize().config_override(once).send());
        let (put, fed) = futures::future::join(put, feed(kept, pieces, send)).await;
        // What is wrong with the vault's copy is why nothing was stored.
        fed.map_err(Fault::refused)?;
        match put {
            Ok(_) => Ok(()),
            Err(failure) if failure.status == Some(412) || failure.status == Some(409) => {
                Err(self.taken(key, &failure))
            }
            Err(failure) => Err(failure.fault(bucket)),
        }
    }

    fn taken(&self, key: &Tag, failure: &S3Failure) -> Fault {
        let status = failure.status.unwrap_or_default();
        let detail = format!(
            "{}: somebody wrote there meanwhile (HTTP {status}), and that stays; run the command again to see what it is",
            self.place(key)
        );
        Fault::refused(detail)
    }
}

/// Hands the bytes over piece by piece. The last one is kept back until all of them hash to the file's name.
async fn feed(
    kept: &KeptFile,
    pieces: &dyn Pieces,
    send: mpsc::Sender<Result<Frame<Bytes>, String>>,
) -> Result<(), String> {
    let (mut hash, mut from) = (Sha256::new(), 0);
    while from < kept.size {
        let until = kept.size.min(from + PIECE);
        let bytes = match pieces.piece(from, until).await {
            Ok(bytes) if bytes.len() as u64 == until - from => bytes,
            Ok(_) => {
                return broken(&send, "the vault gave another part of the file than was asked for".to_owned()).await;
            }
            Err(why) => return broken(&send, why).await,
        };
        hash.update(&bytes);
        if until == kept.size && Digest::Sha256(hash.clone().finalize().into()) != kept.digest {
            let why = format!(
                "the vault's copy {} is damaged: it does not hash to its name; move it out of the vault, and run `prodpin \
                 enforce`, which copies it again while the bucket has it; else bring it back from a backup of the vault",
                kept.digest
            );
            return broken(&send, why).await;
        }
        // Whoever does not take it any more says why himself.
        if send.send(Ok(Frame::data(bytes))).await.is_err() {
            return Ok(());
        }
        from = until;
    }
    Ok(())
}

/// Breaks the request off, so that the bucket stores nothing.
async fn broken(send: &mpsc::Sender<Result<Frame<Bytes>, String>>, why: String) -> Result<(), String> {
    let _ = send.send(Err(why.clone())).await;
    Err(why)
}
