//! Which calls may leave this process, decided at the HTTP layer by what the request itself says that it is (I17).

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// A request that was held back before it was sent (I17).
#[derive(Debug, thiserror::Error)]
#[error("refused to send {what}: {reason}")]
pub struct RequestBlocked {
    /// What would have been sent.
    pub what: String,
    /// Why not.
    pub reason: &'static str,
}

/// What a client was made for.
pub trait Allowed: std::fmt::Debug + Send + Sync {
    /// Whether this request may be sent.
    fn allows(&self, request: &HttpRequest) -> Result<(), RequestBlocked>;
}

/// Holds back what a client was not made for, whatever the rest of the code comes to do.
#[derive(Debug)]
pub struct Gated<A>(pub A);

impl<A: Allowed> Intercept for Gated<A> {
    fn name(&self) -> &'static str {
        "Gated"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Ok(self.0.allows(context.request())?)
    }
}
