//! The ECR source against a registry in this process that has every state and tells every lie that the service model
//! allows: pages, the archive, failures inside answers, previews, throttling, expiry.

mod bytes;
mod calls;
mod claiming;
mod listing;
mod looking;
mod movers;
mod pinning;
mod rehearsing;
mod releasing;

use prodpin::model::{Cause, Gap, RepositoryName, Scope};
use serde_json::Value;

use crate::support::ecr::corner::EcrCorner;
use crate::support::ecr::{Answer, Call, EcrServer, TRUSTED};

/// The contract that every source keeps.
mod contract {
    use super::EcrCorner;
    use crate::support::contract::contract_tests;

    contract_tests!(start);

    async fn start(_clause: &str) -> Option<EcrCorner> {
        Some(EcrCorner::start().await)
    }
}

fn api() -> RepositoryName {
    "shop/api".parse().unwrap()
}

/// What gaps are about and why, without their text.
fn reported(gaps: &[Gap]) -> Vec<(Scope, Cause)> {
    gaps.iter().map(|gap| (gap.scope.clone(), gap.cause)).collect()
}

/// Changes the honest answer to nothing: the first `times` calls of an operation get this instead.
fn first(times: usize, operation: &'static str, answer: Answer) -> impl FnMut(&Call) -> Option<Answer> + Send {
    let mut left = times;
    move |call| {
        if call.operation != operation || left == 0 {
            return None;
        }
        left -= 1;
        Some(answer.clone())
    }
}

fn always(operation: &'static str, answer: Answer) -> impl FnMut(&Call) -> Option<Answer> + Send {
    first(usize::MAX, operation, answer)
}

/// A page of `DescribeImages`.
fn images(rows: Value, next: Option<&str>) -> Answer {
    Answer::ok(serde_json::json!({ "imageDetails": rows, "nextToken": next }))
}

async fn reading(server: &EcrServer) -> std::sync::Arc<dyn prodpin::sources::Inventory> {
    server.open_as(TRUSTED, &["shop/**"], false).await.inventory
}
