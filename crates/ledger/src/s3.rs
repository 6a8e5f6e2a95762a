//! A ledger in a bucket, with credentials and region from the AWS chain like everything else.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kms::config::{ProvideCredentials as _, SharedCredentialsProvider};
use object_store::aws::{AmazonS3Builder, AwsCredential, Checksum};
use object_store::prefix::PrefixStore;
use object_store::{CredentialProvider, Error};
use tokio::sync::Mutex;
use url::Url;

use prodpin_net::aws;

use super::store::Store;
use super::{LedgerError, options};

pub(super) async fn open(url: &Url, name: &str) -> Result<Store, LedgerError> {
    let unusable = |detail: &str| LedgerError::Unusable { location: name.to_owned(), detail: detail.to_owned() };
    let (bucket, prefix) = options::parts(url, name)?;
    let chain = aws::loader(None, None).load().await;
    let endpoint = endpoint(&chain);
    let region = match chain.region() {
        Some(region) => region.to_string(),
        // Servers that are not AWS rarely care; AWS must be reported.
        None if endpoint.is_some() => "us-east-1".to_owned(),
        None => return Err(unusable("the AWS chain names no region; set AWS_REGION")),
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_credentials(Arc::new(Chain::new(&chain).ok_or_else(|| unusable("the AWS chain has no credentials"))?))
        // A bucket with a default retention refuses writes without a checksum.
        .with_checksum_algorithm(Checksum::SHA256)
        .with_client_options(options::patience())
        .with_retry(options::retries());
    let is_aws = endpoint.is_none();
    builder = match endpoint {
        Some(endpoint) => builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint),
        // A certificate for *.s3.REGION.amazonaws.com does not cover a name with dots in it.
        None => builder.with_virtual_hosted_style_request(!bucket.contains('.')),
    };
    let bucket = builder.build().map_err(|error| LedgerError::from_store(name, &error))?;
    let store = Store::new(Arc::new(PrefixStore::new(bucket, prefix)), name);
    Ok(if is_aws { store } else { store.unproven() })
}

/// S3's own endpoint before the one for all services, as the SDKs have it.
fn endpoint(chain: &SdkConfig) -> Option<String> {
    let own = std::env::var("AWS_ENDPOINT_URL_S3").ok().filter(|endpoint| !endpoint.is_empty());
    own.or_else(|| chain.endpoint_url().map(str::to_owned))
}

/// The AWS chain's credentials, kept until shortly before they expire (F39).
#[derive(Debug)]
struct Chain {
    provider: SharedCredentialsProvider,
    held: Mutex<Option<CachedCredential>>,
}

#[derive(Debug)]
struct CachedCredential {
    credential: Arc<AwsCredential>,
    expires: Option<SystemTime>,
}

/// How long before they expire credentials are asked for anew: longer than any one request is retried.
const MARGIN: Duration = Duration::from_secs(120);

impl Chain {
    fn new(chain: &SdkConfig) -> Option<Self> {
        Some(Self { provider: chain.credentials_provider()?, held: Mutex::default() })
    }
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut held = self.held.lock().await;
        let fresh = |held: &CachedCredential| held.expires.is_none_or(|expires| SystemTime::now() + MARGIN < expires);
        if let Some(held) = held.as_ref().filter(|held| fresh(held)) {
            return Ok(held.credential.clone());
        }
        let found = self.provider.provide_credentials().await.map_err(|error| Error::Unauthenticated {
            path: "the AWS credential chain".to_owned(),
            source: Box::new(error),
        })?;
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        *held = Some(CachedCredential { credential: credential.clone(), expires: found.expiry() });
        Ok(credential)
    }
}
