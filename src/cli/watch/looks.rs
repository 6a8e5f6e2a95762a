//! Runs because of events: at once, and of no more than the events name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{HANGS, Silent, Watch, announce, line};
use crate::followup::follow_up;
use crate::model::without_credentials;
use crate::run::{Ran, RunOptions, run_and_keep};
use crate::watch::Look;

/// A look has at least this much time, and else ends where the next run of the schedule begins, which looks at everything.
const SHORTEST: Duration = Duration::from_secs(60);

impl Watch<'_> {
    /// Looks at what events named. The report and the metrics stay those of the last whole run; findings are on record, and
    /// alerts go out.
    pub(super) async fn look(&mut self, look: Look) {
        let Some((options, what)) = self.asked(look) else { return };
        let deadline = options.deadline.unwrap_or(self.plan.deadline);
        self.board.status().begins(Timestamp::now(), Instant::now(), deadline, 0);
        let by = Instant::now() + deadline;
        let policy = &self.plan.policy;
        let ran = tokio::select! {
            ran = run_and_keep(policy, &options, Arc::new(Silent)) => ran.map_err(anyhow::Error::from),
            () = tokio::time::sleep_until((by + HANGS).into()) => Err(anyhow::anyhow!("it did not end by its deadline")),
            () = self.signals.overdue() => Err(anyhow::anyhow!("it was cut off, since prodpin was told to end")),
        };
        let told = match ran {
            Ok(ran) => self.told(&ran, by, &what).await,
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            let reason = without_credentials(&format!("{error:#}")).into_owned();
            tracing::error!("the look at {what} because of events failed: {reason}");
        }
        self.board.status().looked();
    }

    /// What a run is to do, and what it looks at, in words; none if none of it is this watch's.
    fn asked(&self, look: Look) -> Option<(RunOptions, String)> {
        let usual = &self.plan.options;
        let Look { sources, mut repositories } = look;
        if let Some(shard) = usual.shard {
            repositories.retain(|key| shard.holds(key));
        }
        let what = match (&sources[..], &repositories[..]) {
            ([], []) => return None,
            ([], [one]) => one.to_string(),
            ([], several) => format!("{} repositories", several.len()),
            (sources, _) => sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        let next = self.timetable.next().map(|next| Duration::try_from(next.duration_since(Timestamp::now())));
        let until = next.map_or(self.plan.deadline, |left| left.unwrap_or_default().max(SHORTEST));
        let options = RunOptions {
            sources: if sources.is_empty() { usual.sources.clone() } else { sources },
            repositories,
            deadline: Some(self.plan.deadline.min(until)),
            stop: self.signals.stop.clone(),
            ..usual.clone()
        };
        Some((options, what))
    }

    async fn told(&mut self, ran: &Ran, by: Instant, what: &str) -> anyhow::Result<()> {
        let stop = self.signals.stop.clone();
        let signals = &mut self.signals;
        let cut = async {
            signals.overdue().await;
            anyhow::anyhow!("alerts were cut off before all were delivered")
        };
        // No figures to a collector: those of a part are not those of the whole.
        follow_up(&self.plan.policy, ran, None, Some(by), &stop, cut).await?;
        if self.arguments.format.is_none() {
            announce(&format!("because of events at {what}: {}", line(&ran.report)));
        }
        Ok(())
    }
}
