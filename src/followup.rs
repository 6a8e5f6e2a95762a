//! What follows a run, wherever it ran: whom it concerns is reported, then its metrics are pushed. Its report is written
//! before, to wherever each caller has it.

use std::time::Instant;

use crate::alert::{self, AlertError, ReportedCounts};
use crate::policy::Policy;
use crate::run::{Ran, Stop};
use crate::telemetry::Collector;

/// Tells and pushes, before this moment at the latest. `cut` returns when nobody can wait for the telling any more; who
/// was asked to end pushes no metrics either.
pub(crate) async fn follow_up<E: From<AlertError>>(
    policy: &Policy,
    Ran { report, ledger }: &Ran,
    collector: Option<&Collector>,
    by: Option<Instant>,
    stop: &Stop,
    cut: impl Future<Output = E>,
) -> Result<ReportedCounts, E> {
    let reported = tokio::select! {
        reported = alert::tell_from(policy, report, ledger, by) => reported.map_err(E::from),
        cut = cut => Err(cut),
    };
    // Not those of a run that an event narrowed: gauges are of the estate, and would jump.
    let is_of_estate = report.run.scope.repositories.is_empty();
    let pushed = collector.filter(|_| is_of_estate && !stop.is_set()).map(|collector| collector.push(report, by));
    if let Some(Err(reason)) = pushed {
        tracing::warn!("the metrics of this run were not pushed: {reason}");
    }
    reported
}
