//! A look ahead: what live lifecycle rules will do. Reads repositories and the ledger; changes and records nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::decide::{self, Attempts, forecast as rows, lifecycle as rules};
use crate::ledger::Access;
use crate::model::{ArtifactId, Digest, Gap, RepositoryKey, RepositoryName, SourceName};
use crate::outcome::forecast::{ForecastSection, Preview, RepositoryForecast, RulesFound};
use crate::policy::Policy;
use crate::report::forecast::{ForecastReport, ForecastWriter};
use crate::sources::{Rehearsal, Source};

use super::repository::{RepositoryScan, look};
use super::session::{Session, SourcesOf};
use super::setup::{LookAhead, Setup};
use super::wanted::{Asked, Unmatched, Wanted};
use super::{Progress, RunError, RunOptions, Stop};

/// What to look ahead for.
#[derive(Debug, Clone, Default)]
pub struct ForecastOptions {
    /// Only these sources; all of them if empty.
    pub sources: Vec<SourceName>,
    /// Only these repositories; all of them if empty.
    pub repositories: Vec<Wanted>,
    /// A date to tell what will be left by then.
    pub as_of: Option<Timestamp>,
    /// Rules to judge in the place of the live ones.
    pub tried: Option<rules::TriedRules>,
    /// Whether to compare with the source's own preview.
    pub confirm: bool,
    /// Repositories in flight at once.
    pub concurrency: usize,
    /// It ends before this much time has passed, and says so if it was not done.
    pub deadline: Option<Duration>,
    /// Ends it early when asked to.
    pub stop: Stop,
}

/// A forecast, and what was asked for in vain.
pub struct Forecast {
    /// The forecast.
    pub report: ForecastReport,
    /// Names and globs that no repository has.
    pub unmatched: Vec<Unmatched>,
    /// In how many repositories the rules to judge took the place of the live ones.
    pub tried: u64,
}

/// Policies that were recommended, and what was asked for in vain.
pub struct Recommended {
    /// Each repository's policy, or why there is none.
    pub policies: BTreeMap<RepositoryKey, Result<String, String>>,
    /// Names and globs that no repository has.
    pub unmatched: Vec<Unmatched>,
    /// Why the list of repositories may lack some.
    pub gaps: Vec<Gap>,
    /// What the policies leave to their owners, each as a sentence.
    pub left_alone: BTreeSet<String>,
}

/// Opens the policy's sources, without write power, and looks ahead.
pub async fn forecast(
    policy: &Policy,
    options: &ForecastOptions,
    progress: Arc<dyn Progress>,
) -> Result<Forecast, RunError> {
    let run = options.run().due();
    let ahead = LookAhead { rehearse: options.confirm, tried: options.tried.is_some() };
    run.stop.in_time(look_ahead(policy, SourcesOf::Policy(ahead), &run, options, progress)).await
}

/// Looks ahead on sources that are open.
pub async fn forecast_on(
    policy: &Policy,
    sources: BTreeMap<SourceName, Source>,
    options: &ForecastOptions,
    progress: Arc<dyn Progress>,
) -> Result<Forecast, RunError> {
    look_ahead(policy, SourcesOf::Caller(sources), &options.run(), options, progress).await
}

async fn look_ahead(
    policy: &Policy,
    sources: SourcesOf,
    run: &RunOptions,
    options: &ForecastOptions,
    progress: Arc<dyn Progress>,
) -> Result<Forecast, RunError> {
    let session = Session::open(policy, sources, run, Access::Read).await?;
    let setup = &session.setup;
    let mut writer = ForecastWriter::default();
    let mut asked = Asked::new(&options.repositories);
    let mut over = std::pin::pin!(run.stop.over());
    let shared = Arc::new(options.clone());
    let work = |key| one(setup.clone(), shared.clone(), key);
    let mut tried = 0;
    let take = async |(row, took_place): (RepositoryForecast, bool)| {
        tried += u64::from(took_place);
        Ok(writer.push(&row)?)
    };
    let ended = session.each(progress.as_ref(), &mut over, |key| asked.wants(key), work, take).await?;
    let production = setup.production().await;
    let mut gaps = session.gaps(ended);
    gaps.extend(production.gaps.iter().cloned());
    let section = ForecastSection {
        at: setup.started,
        as_of: options.as_of,
        tried_sha256: options.tried.as_ref().map(|tried| Digest::sha256(tried.text().as_bytes())),
        policy_sha256: policy.digest.clone(),
        complete: production.gaps.is_empty(),
        gaps,
    };
    Ok(Forecast { report: writer.finish(section), unmatched: asked.unmatched(), tried })
}

/// One repository's row, and whether the rules to judge were judged in it.
async fn one(
    setup: Arc<Setup>,
    options: Arc<ForecastOptions>,
    key: RepositoryKey,
) -> Result<(RepositoryForecast, bool), RunError> {
    let source = setup.source(&key);
    let name = key.name.clone();
    let mut seen = look(&setup, source.inventory.as_ref(), key).await?;
    seen.gaps.extend(setup.unanchored());
    let tried = options.tried.as_ref().filter(|tried| tried.apply(&mut seen.snapshot));
    let untried = Attempts::new();
    let input = seen.input(&setup, &untried);
    let plan = decide::plan(&input);
    let mut row = rows::row(&input, &plan, options.as_of, tried.is_some());
    // What the rules will do is all that was asked, and nobody could read them.
    row.complete &= !seen.snapshot.cleanup.withholds_pins();
    if options.confirm {
        let text = tried.map(rules::TriedRules::text);
        let preview = match &source.rehearsal {
            Some(rehearsal) => preview(rehearsal.as_ref(), &name, text, &row, &seen, input.now).await,
            None => Preview::Unsupported,
        };
        row.complete &= !matches!(preview, Preview::Failed { .. });
        row.preview = Some(preview);
    }
    Ok((row, tried.is_some()))
}

/// Asks the source, and compares on the repository as it is: a preview knows of no pins to come.
async fn preview(
    rehearsal: &dyn Rehearsal,
    name: &RepositoryName,
    tried: Option<&str>,
    row: &RepositoryForecast,
    seen: &RepositoryScan,
    now: Timestamp,
) -> Preview {
    if row.rules == RulesFound::NoneSet {
        return Preview::Compared { agreed: 0, differences: Vec::new(), more: 0 };
    }
    let nothing = BTreeSet::new();
    let as_it_is = rules::Situation {
        snapshot: &seen.snapshot,
        targets: &nothing,
        pinned: &nothing,
        inspections: &seen.inspections,
        arrivals: &[],
        now,
    };
    let Some(simulated) = rules::if_run_now(&as_it_is) else {
        let detail = "there is no simulation to compare it with".to_owned();
        return Preview::Failed { detail };
    };
    match rehearsal.rehearse(name, tried).await {
        Err(gap) => Preview::Failed { detail: gap.detail },
        Ok(rehearsed) => {
            let previewed: Vec<rows::Previewed> = rehearsed
                .into_iter()
                .map(|one| rows::Previewed { artifact: one.artifact, effect: one.effect, rule: one.rule })
                .collect();
            let listed: BTreeSet<ArtifactId> = rules::artifacts(&seen.snapshot).collect();
            let untagged: BTreeSet<ArtifactId> = rules::untagged(&seen.snapshot).collect();
            rows::compare(&simulated, &previewed, &listed, &untagged)
        }
    }
}

/// Opens the policy's sources, without write power, and prints for each repository its rules with one in front that
/// claims every pin.
pub async fn recommend(
    policy: &Policy,
    options: &ForecastOptions,
    progress: Arc<dyn Progress>,
) -> Result<Recommended, RunError> {
    let run = options.run().due();
    let sources = SourcesOf::Policy(LookAhead::default());
    run.stop.in_time(recommend_for(policy, sources, &run, options, progress)).await
}

/// The same on sources that are open.
pub async fn recommend_on(
    policy: &Policy,
    sources: BTreeMap<SourceName, Source>,
    options: &ForecastOptions,
    progress: Arc<dyn Progress>,
) -> Result<Recommended, RunError> {
    recommend_for(policy, SourcesOf::Caller(sources), &options.run(), options, progress).await
}

async fn recommend_for(
    policy: &Policy,
    sources: SourcesOf,
    run: &RunOptions,
    options: &ForecastOptions,
    progress: Arc<dyn Progress>,
) -> Result<Recommended, RunError> {
    let session = Session::open(policy, sources, run, Access::Read).await?;
    let mut policies = BTreeMap::new();
    let mut asked = Asked::new(&options.repositories);
    let mut over = std::pin::pin!(run.stop.over());
    let work = |key: RepositoryKey| {
        let setup = session.setup.clone();
        async move {
            let snapshot = setup.source(&key).inventory.observe(&key.name).await;
            Ok((key, rules::recommend(&snapshot), rules::left_alone(&snapshot)))
        }
    };
    let mut left_alone = BTreeSet::new();
    let take = async |(key, policy, left): (RepositoryKey, Result<String, String>, Vec<String>)| {
        policies.insert(key, policy);
        left_alone.extend(left);
        Ok(())
    };
    let ended = session.each(progress.as_ref(), &mut over, |key| asked.wants(key), work, take).await?;
    let gaps = session.gaps(ended);
    Ok(Recommended { policies, unmatched: asked.unmatched(), gaps, left_alone })
}

impl ForecastOptions {
    fn run(&self) -> RunOptions {
        RunOptions::reading(&self.sources, self.concurrency, self.deadline, &self.stop)
    }
}
