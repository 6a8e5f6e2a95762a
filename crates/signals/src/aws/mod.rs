//! What AWS runs: ECS services and tasks, Lambda functions, App Runner services.

mod app_runner;
mod client;
mod ecs;
mod lambda;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aws_sdk_ecs::primitives::DateTime;
use jiff::Timestamp;

pub(super) use self::app_runner::AppRunner;
pub(super) use self::ecs::Ecs;
pub(super) use self::lambda::Lambda;

use crate::{Named, Use};
use prodpin_core::model::{Digest, Evidence, NodeDigest, Reference, ReferenceError, Tenure};
use prodpin_policy::AwsConfig;

/// A signal's name, with the account of the role and the region as far as the policy names them.
fn name(what: &str, config: &AwsConfig) -> Arc<str> {
    let account = config.assume_role.as_deref().and_then(|role| role.split(':').nth(4));
    match (account, &config.region) {
        (Some(account), Some(region)) => format!("{what} {account}/{region}").into(),
        (Some(account), None) => format!("{what} {account}").into(),
        (None, Some(region)) => format!("{what} {region}").into(),
        (None, None) => what.into(),
    }
}

fn region(config: &AwsConfig) -> Option<Arc<str>> {
    config.region.as_deref().map(Arc::from)
}

fn moment(at: Option<&DateTime>) -> Option<Timestamp> {
    let at = at?;
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

/// The last part of an ARN: `service/prod/api` → `api`.
fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// What a container of this image runs. The digest that AWS resolved a tag to may be an index's or a platform's, as a
/// node's may (E125, E132).
fn image(image: &str, digest: Option<&str>, sure: Evidence, tenure: Tenure) -> Result<Use, ReferenceError> {
    let reference: Reference = image.parse()?;
    let digest: Option<Digest> = digest.and_then(|text| text.parse().ok());
    let unresolved = match tenure {
        Tenure::Now { .. } | Tenure::Wanted { .. } => Evidence::StablePointer,
        Tenure::Before { .. } => Evidence::HistoryReference,
    };
    let (reference, node, evidence) = match (reference, digest) {
        (reference @ Reference::Image { digest: Some(_), .. }, _) => (reference, None, sure),
        (Reference::Image { host, repository, tag, digest: None }, digest @ Some(_)) => {
            let tag = tag.or_else(|| "latest".parse().ok());
            (Reference::Image { host, repository, tag, digest }, Some(NodeDigest::Manifest), sure)
        }
        (reference, _) => (reference, None, unresolved),
    };
    Ok(Use { node, ..Use::new(Named::Reference(reference), evidence, tenure) })
}
