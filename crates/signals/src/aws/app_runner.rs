//! What App Runner runs (E136): an image by its tag, as a rule; its operations name no digest, so that the ledger's own
//! record of the service is all there is of the past.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use aws_sdk_apprunner::Client;
use aws_sdk_apprunner::types::ServiceStatus;
use jiff::Timestamp;

use super::client::{Access, Account, AwsFailure, CAP, Gate, Lists};
use super::{image, moment, name, region};
use crate::{ProductionSignal, Signalled, Use};
use prodpin_core::model::{Cause, Evidence, Platform, Tenure, Waiting, Workload};
use prodpin_net::aws::{Gated, NamesItself};
use prodpin_policy::AwsConfig;

/// The services of one account and region.
pub(crate) struct AppRunner {
    pub(super) access: Access,
}

impl AppRunner {
    pub(crate) fn new(config: AwsConfig, deadline: Option<Instant>) -> Self {
        Self { access: Access::new(config, deadline) }
    }
}

#[async_trait]
impl ProductionSignal for AppRunner {
    fn name(&self) -> Arc<str> {
        name("app_runner", &self.access.config)
    }

    async fn collect(&self) -> Signalled {
        let mut said = Signalled::new(self.name());
        let account = Account::load(&self.access).await;
        let client = Client::from_conf(
            aws_sdk_apprunner::config::Builder::from(&account.shared)
                .interceptor(Gated(Gate))
                .interceptor(CAP)
                .interceptor(Lists)
                .interceptor(NamesItself)
                .retry_classifier(CAP)
                .build(),
        );
        let listed = account
            .pages(
                "apprunner:ListServices",
                |token| client.list_services().set_next_token(token).send(),
                |page| (Some(page.service_summary_list), page.next_token),
            )
            .await;
        let services = match listed {
            Ok(services) => services,
            Err(failure) => {
                failure.tell(&mut said);
                return said;
            }
        };
        let mut names = BTreeSet::new();
        for summary in services {
            let (Some(service), Some(arn)) = (summary.service_name, summary.service_arn) else {
                AwsFailure::lacks("apprunner:ListServices", "the name and ARN of a service").tell(&mut said);
                continue;
            };
            let gone = matches!(summary.status, Some(ServiceStatus::Deleted));
            if gone || !self.access.config.names.matches(&service) {
                continue;
            }
            names.insert(service.clone());
            let described =
                account.call("apprunner:DescribeService", client.describe_service().service_arn(arn).send()).await;
            match described {
                Ok(answer) => self.tell(answer.service.as_ref(), &mut said),
                Err(failure) => failure.tell(&mut said),
            }
        }
        said.note_unmatched("service", &self.access.config.names, names.iter().map(String::as_str));
        said.settle();
        said.doubt_silence();
        said
    }
}

impl AppRunner {
    fn tell(&self, service: Option<&aws_sdk_apprunner::types::Service>, said: &mut Signalled) {
        // An answer without it becomes an empty one in the SDK.
        let Some(service) = service.filter(|service| !service.service_arn.is_empty()) else {
            return AwsFailure::lacks("apprunner:DescribeService", "the service").tell(said);
        };
        let source = service.source_configuration.as_ref();
        // A service built from source has no image of ours.
        let Some(repository) = source.and_then(|source| source.image_repository.as_ref()) else { return };
        let workload = Arc::new(Workload {
            platform: Platform::AppRunner { region: region(&self.access.config) },
            namespace: None,
            kind: "service".into(),
            name: service.service_name.as_str().into(),
        });
        let tenure = tenure(&service.status, moment(Some(&service.updated_at)));
        match image(&repository.image_identifier, None, Evidence::StablePointer, tenure) {
            Ok(used) => said.uses.push(Use { workload: Some(workload), ..used }),
            Err(error) => said.gap(Cause::Malformed, format_args!("{workload}: {error}")),
        }
    }
}

/// What a service's image is to production. A change that fails is taken back, and the service goes on; what never came up
/// or was paused runs nothing. A status that is not known yet is taken for one that runs (F53).
fn tenure(status: &ServiceStatus, updated: Option<Timestamp>) -> Tenure {
    match status {
        ServiceStatus::Paused => Tenure::Wanted { why: Waiting::Paused },
        ServiceStatus::CreateFailed => Tenure::Wanted { why: Waiting::Starting },
        _ => Tenure::Now { since: updated },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i31_f133_a_service_that_is_paused_or_never_came_up_runs_nothing() {
        let now = Tenure::Now { since: None };
        let wanted = |why| Tenure::Wanted { why };
        for (status, expected) in [
            ("RUNNING", now),
            ("OPERATION_IN_PROGRESS", now),
            ("DELETE_FAILED", now),
            ("SOMETHING_NEW", now),
            ("PAUSED", wanted(Waiting::Paused)),
            ("CREATE_FAILED", wanted(Waiting::Starting)),
        ] {
            assert_eq!(tenure(&ServiceStatus::from(status), None), expected, "{status}");
        }
    }
}
