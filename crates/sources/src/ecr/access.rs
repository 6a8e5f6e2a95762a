//! Who asks: the AWS chain or a role, and the SDK's client made from it, as often as credentials run out.

use std::sync::Arc;
use std::time::Duration;

use aws_config::ConfigLoader;
use aws_sdk_ecr::Client;
use aws_sdk_ecr::config::retry::RetryConfig;
use aws_sdk_ecr::config::{Region, SharedCredentialsProvider};
use url::Url;

use crate::OpenOptions;
use prodpin_core::model::{SourceName, is_account, is_region};
use prodpin_net::aws::{self, AnswerCap, Gated, JsonOperation, NamesItself};
use prodpin_net::http::HttpEnvironment;
use prodpin_net::http::client::{client, dialer};
use prodpin_policy::EcrConfig;

use super::EcrError;
use super::gate::Gate;
use super::trail;

/// One attempt, body included: a page of 1,000 images is under a megabyte.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// A page of 1,000 images with 20 tags of 300 characters each, or some manifests of 4 MiB (A9).
pub(super) const MOST_BYTES: usize = 24 << 20;

/// All that a client is made of.
#[derive(Debug, Clone)]
pub(super) struct Access {
    region: Region,
    role: Option<(String, Option<prodpin_policy::Secret>)>,
    endpoint: Option<String>,
    credentials: Option<SharedCredentialsProvider>,
    gate: Gate,
}

impl Access {
    pub(super) async fn new(
        name: &SourceName,
        config: &EcrConfig,
        options: &OpenOptions,
        credentials: Option<SharedCredentialsProvider>,
    ) -> Result<Self, EcrError> {
        if let Some(account) = config.registry.as_ref().filter(|account| !is_account(account)) {
            return Err(EcrError::Account(name.clone(), account.clone()));
        }
        if let Some(url) = &config.endpoint {
            let is_plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty();
            if !is_plain || url.password().is_some() {
                return Err(EcrError::Endpoint(name.clone()));
            }
        }
        let region = match &config.region {
            Some(region) => Region::new(region.clone()),
            None => {
                let chain = aws_config::default_provider::region::DefaultRegionChain::builder().build();
                chain.region().await.ok_or_else(|| EcrError::NoRegion(name.clone()))?
            }
        };
        // It becomes a part of a host's name.
        if !is_region(region.as_ref()) {
            return Err(EcrError::Region(name.clone(), region.to_string()));
        }
        Ok(Self {
            region,
            role: config.assume_role.clone().map(|role| (role, config.external_id.clone())),
            endpoint: config.endpoint.as_ref().map(ToString::to_string),
            credentials,
            gate: Gate::new(options, config),
        })
    }

    /// The same with the power to remove pins.
    pub(super) fn releasing(self) -> Self {
        Self { gate: self.gate.releasing(), ..self }
    }

    /// The same with the power to read bytes, and no other.
    pub(super) fn pulling(self) -> Self {
        Self { gate: self.gate.pulling(), ..self }
    }

    pub(super) fn region(&self) -> &str {
        self.region.as_ref()
    }

    /// A client with credentials looked for from scratch: what a person or a sidecar renewed on disk is found, too.
    /// Nothing is sent yet, except what the chain itself needs.
    pub(super) async fn connect(&self) -> Client {
        let shared = self.loader().load().await;
        // The SDK's own retries are off: they know nothing of this registry's other callers, nor of the run's deadline.
        let mut ecr = aws_sdk_ecr::config::Builder::from(&shared)
            .retry_config(RetryConfig::disabled())
            .timeout_config(aws::timeouts(ATTEMPT_TIMEOUT, None))
            .interceptor(Gated(self.gate))
            .interceptor(AnswerCap(MOST_BYTES))
            .interceptor(NamesItself);
        if let Some((role, external_id)) = &self.role {
            let external_id = external_id.as_ref().map(prodpin_policy::Secret::expose);
            ecr = ecr.credentials_provider(aws::assume(&shared, role, external_id).await);
        }
        if let Some(endpoint) = &self.endpoint {
            ecr = ecr.endpoint_url(endpoint);
        }
        Client::from_conf(ecr.build())
    }

    /// The account's event history, asked with the same credentials.
    pub(super) async fn event_history(
        &self,
        endpoint: Option<&Url>,
        environment: &HttpEnvironment,
    ) -> Result<JsonOperation, String> {
        let shared = self.loader().load().await;
        let credentials = match &self.role {
            Some((role, external_id)) => {
                let external_id = external_id.as_ref().map(prodpin_policy::Secret::expose);
                aws::assume(&shared, role, external_id).await
            }
            None => shared.credentials_provider().ok_or_else(|| aws::CREDENTIALS_SOUGHT.to_owned())?,
        };
        let region = self.region();
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let usual = format!("https://{}.{region}.{domain}/", trail::SERVICE);
        let configured = environment.variables.get("AWS_ENDPOINT_URL_CLOUDTRAIL").or(shared.endpoint_url());
        let address = endpoint.map(Url::as_str).or(configured).unwrap_or(&usual);
        let url: Url = address.parse().map_err(|_| "the address of CloudTrail is no URL".to_owned())?;
        // A private endpoint has a private address.
        let dialer = Arc::new(dialer(true, [], environment));
        let http = client(&url, None, &dialer, environment).map_err(|_| "no HTTP client could be built".to_owned())?;
        let (service, target) = (trail::SERVICE, trail::TARGET);
        Ok(JsonOperation { http, url, service, region: region.to_owned(), target, credentials })
    }

    /// Where calls go, for a person.
    pub(super) async fn address(&self) -> String {
        let configured = match (&self.endpoint, std::env::var("AWS_ENDPOINT_URL_ECR")) {
            (Some(endpoint), _) => Some(endpoint.clone()),
            (None, Ok(endpoint)) => Some(endpoint),
            (None, Err(_)) => self.loader().load().await.endpoint_url().map(str::to_owned),
        };
        configured.unwrap_or_else(|| format!("https://api.ecr.{}.amazonaws.com", self.region))
    }

    fn loader(&self) -> ConfigLoader {
        aws::loader(Some(self.region()), self.credentials.as_ref())
    }
}
