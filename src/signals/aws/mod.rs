//! What AWS runs: ECS services and tasks, Lambda functions, App Runner services.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use super::{ProductionSignal, Signalled};
use crate::policy::AwsConfig;

macro_rules! stub {
    ($name:ident, $word:literal) => {
        pub(super) struct $name {
            config: AwsConfig,
            deadline: Option<Instant>,
        }
        impl $name {
            pub(super) fn new(config: AwsConfig, deadline: Option<Instant>) -> Self {
                Self { config, deadline }
            }
        }
        #[async_trait]
        impl ProductionSignal for $name {
            fn name(&self) -> Arc<str> {
                $word.into()
            }
            async fn collect(&self) -> Signalled {
                let _ = (&self.config, self.deadline);
                Signalled::new(self.name())
            }
        }
    };
}
stub!(Ecs, "ecs");
stub!(Lambda, "lambda");
stub!(AppRunner, "app_runner");
