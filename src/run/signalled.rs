//! What signals from outside say of production. They are asked from the beginning, while sources are opened, asked for
//! their settings and listed: a cluster that is slow costs those no time (F134). No tag is read before they have answered,
//! so that whatever they name was there to be listed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::decide::{self, automation::Automations};
use crate::model::{
    Cause, DeployedReference, Deployment, Finding, Gap, Reference, RepositoryKey, RepositoryName, Scope, SourceName,
    claimant, signal_of,
};
use crate::policy::Policy;
use crate::signals::{self, Automated, Named, ProductionSignal, Signalled, Use};
use crate::sources::Source;

use super::Stop;
use super::setup::Setup;

/// Signals that are being asked, and what they said once they have. Dropped with the run, it asks no more.
///
/// A task of its own asks them, and those who wait only wait: were one of them to do the asking, all others would stand
/// still whenever that one waits for something else.
pub(super) struct Asking {
    /// Aborted when it is dropped.
    _task: JoinSet<()>,
    said: Arc<Mutex<Option<Vec<Signalled>>>>,
    /// Whether they have answered. Its sender is gone without that where a defect ended the task.
    answered: watch::Receiver<bool>,
    production: OnceLock<Production>,
    /// What runs by their later word, once they were asked again.
    anew: OnceLock<BTreeMap<RepositoryKey, Vec<Deployment>>>,
}

impl Asking {
    /// Asks every signal, all at the same time.
    pub(super) fn begin(policy: &Policy, stop: &Stop) -> Self {
        // Repositories wait for what signals say, so these have a part of the time only: what could not be read by then is
        // a gap, and every repository is decided all the same (F134).
        let until = stop.share();
        let signals = signals::of_policy(policy, until);
        let stop = stop.clone();
        let (done, answered) = watch::channel(false);
        let said = Arc::new(Mutex::new(None));
        let (mut task, slot) = (JoinSet::new(), said.clone());
        task.spawn(async move {
            let asked = signals.iter().map(|signal| in_time(signal.as_ref(), &stop, until));
            let said = futures::future::join_all(asked).await;
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
            _ = done.send(true);
        });
        Self { _task: task, said, answered, production: OnceLock::new(), anew: OnceLock::new() }
    }
}

impl Setup {
    /// What signals say, as soon as all of them have answered or their time is over.
    pub(super) async fn production(&self) -> &Production {
        let asking = &self.asking;
        if asking.answered.clone().wait_for(|answered| *answered).await.is_err() {
            tracing::error!("the task that asks signals ended before they answered; this is a defect of prodpin");
        }
        asking.production.get_or_init(|| {
            let said = asking.said.lock().unwrap_or_else(PoisonError::into_inner).take();
            match said {
                Some(said) => Production::reported_by(said, &self.sources, self.rules.keep, self.started),
                None => Production::unread(),
            }
        })
    }

    /// What signals name in a repository, by what they said last.
    pub(super) async fn running(&self, key: &RepositoryKey) -> &[Deployment] {
        let production = self.production().await;
        match self.asking.anew.get() {
            Some(anew) => anew.get(key).map_or(&[], Vec::as_slice),
            None => production.of_repository(key),
        }
    }

    /// Asks those signals again that were read whole, and says what they name now as running or wanted, in which
    /// repository, and did not before. From then on looks go by what was said last (F92). What cannot be read again stays
    /// as it was read.
    pub(super) async fn named_since(
        &self,
        policy: &Policy,
        stop: &Stop,
        until: Instant,
    ) -> BTreeMap<RepositoryKey, Vec<DeployedReference>> {
        let before = self.production().await;
        let signals = signals::of_policy(policy, Some(until));
        // What has one name is one signal: what one of them does not say any more, another may say now.
        let mut by_name: BTreeMap<Arc<str>, Vec<&dyn ProductionSignal>> = BTreeMap::new();
        for signal in signals.iter().filter(|signal| before.complete.contains(&signal.name())) {
            by_name.entry(signal.name()).or_default().push(signal.as_ref());
        }
        let asked = by_name.values().map(|of_one_name| self.changed(of_one_name, before, stop, until));
        let said: Vec<Signalled> = futures::future::join_all(asked).await.into_iter().flatten().collect();
        let later = Production::reported_by(said, &self.sources, self.rules.keep, self.started);
        let mut running = later.running;
        for running in running.values_mut() {
            running.retain(|running| signal_of(&running.via, &later.complete).is_some());
        }
        for (key, known) in &before.running {
            let kept = known.iter().filter(|running| signal_of(&running.via, &later.complete).is_none());
            running.entry(key.clone()).or_default().extend(kept.cloned());
        }
        running.values_mut().for_each(|running| running.sort());
        let news = before.lacks(&running);
        if !news.is_empty() {
            _ = self.asking.anew.set(running);
        }
        news
    }

    /// The same for whoever takes something away by the answer: every signal is asked, whether the run was asked to end or not,
    /// and one that cannot be read again leaves unknown what runs.
    pub(super) async fn named_since_or_gap(
        &self,
        policy: &Policy,
        until: Instant,
    ) -> Result<BTreeMap<RepositoryKey, Vec<DeployedReference>>, Gap> {
        let before = self.production().await;
        let signals = signals::of_policy(policy, Some(until));
        let (goes_on, late) = (Stop::default(), "it was not read within the time that there is for asking again");
        let asked =
            signals.iter().map(|signal| limited(signal.as_ref(), signal.collect(), &goes_on, Some(until), late));
        let said = futures::future::join_all(asked).await;
        let said: Vec<Signalled> = said.into_iter().map(|said| said.unwrap_or_else(|late| late)).collect();
        if let Some(gap) = said.iter().find_map(|said| said.gaps.first()) {
            return Err(gap.clone());
        }
        let later = Production::reported_by(said, &self.sources, self.rules.keep, self.started);
        if later.complete != before.complete {
            let detail = "other signals answered than at the beginning of the run";
            return Err(Gap::new(Scope::Signal("signals".to_owned()), Cause::Malformed, detail));
        }
        Ok(before.lacks(&later.running))
    }

    /// What the signals of one name say now, if what they say runs is something else than before and all of them can be
    /// read.
    async fn changed(
        &self,
        signals: &[&dyn ProductionSignal],
        before: &Production,
        stop: &Stop,
        until: Instant,
    ) -> Vec<Signalled> {
        let late = "it was not read within the time that there is for it at the end of a run";
        let all_read = |said: &[Signalled]| {
            let unread = said.iter().find_map(|said| Some((&said.via, said.gaps.first()?)));
            if let Some((name, gap)) = unread {
                tracing::warn!("{name}: what runs could not be asked again at the end of the run: {}", gap.detail);
            }
            unread.is_none()
        };
        let glances = signals.iter().map(|signal| limited(*signal, signal.glance(), stop, Some(until), late));
        let glances = futures::future::join_all(glances).await;
        let glances: Vec<Signalled> = glances.into_iter().filter_map(|glance| glance.unwrap_or_else(Some)).collect();
        if !all_read(&glances) {
            return Vec::new();
        }
        if glances.len() == signals.len() {
            let now = Production::reported_by(glances, &self.sources, self.rules.keep, self.started);
            if before.lacks(&now.running).is_empty() {
                return Vec::new();
            }
        }
        let said = signals.iter().map(|signal| limited(*signal, signal.collect(), stop, Some(until), late));
        let said = futures::future::join_all(said).await;
        let said: Vec<Signalled> = said.into_iter().map(|said| said.unwrap_or_else(|late| late)).collect();
        if all_read(&said) { said } else { Vec::new() }
    }
}

/// What signals from outside say.
#[derive(Default)]
pub(super) struct Production {
    running: BTreeMap<RepositoryKey, Vec<Deployment>>,
    /// Every signal that is configured.
    pub(super) configured: BTreeSet<Arc<str>>,
    /// Those that were read whole.
    pub(super) complete: BTreeSet<Arc<str>>,
    pub(super) gaps: Vec<Gap>,
    /// References into no source of the policy, which a file names one by one.
    pub(super) uncovered: Vec<String>,
    /// What workloads name that no source of the policy holds, by registry or bucket.
    pub(super) elsewhere: BTreeMap<String, BTreeSet<String>>,
    /// What signals say of workloads, whatever they run.
    pub(super) findings: Vec<Finding>,
}

impl Production {
    /// What it all means in these sources. What signals say does not depend on who answers first.
    fn reported_by(
        mut said: Vec<Signalled>,
        sources: &BTreeMap<SourceName, Source>,
        keep: u32,
        now: Timestamp,
    ) -> Self {
        said.sort_by(|a, b| a.via.cmp(&b.via));
        let mut production = Self::default();
        let mut automated: Vec<Automated> =
            said.iter_mut().flat_map(|signalled| std::mem::take(&mut signalled.automations)).collect();
        let automations =
            Automations::new(automated.iter_mut().map(|it| (it.automation.clone(), it.reach.take())).collect());
        for mut signalled in said {
            let concerns = std::mem::take(&mut signalled.concerns);
            production.findings.extend(decide::concerns(&signalled.via, concerns, keep, now));
            if signalled.gaps.is_empty() {
                let unmatched = std::mem::take(&mut signalled.unmatched);
                let entries: Vec<String> =
                    unmatched.into_iter().map(|entry| format!("{}: {entry}", signalled.via)).collect();
                let entries = entries.iter().map(String::as_str);
                production.findings.extend(decide::unmatched(None, entries, crate::model::Severity::Medium, now));
            }
            production.add(signalled, sources);
        }
        for (key, running) in &mut production.running {
            automations.attach(running, |at| writes(&automated[at], key, sources));
            tracing::debug!(repository = %key, count = running.len(), "signals name {} things in {key}", running.len());
            running.sort();
            running.dedup();
        }
        production
    }

    /// A defect of prodpin ended the reading: nothing is known of what runs, and nothing was read whole.
    fn unread() -> Self {
        let detail = "a defect of prodpin ended the reading of signals, and what runs is unknown; the log on stderr says \
                      where: please report it";
        let gaps = vec![Gap::new(Scope::Signal("signals".to_owned()), Cause::Malformed, detail)];
        Self { gaps, ..Self::default() }
    }

    fn add(&mut self, signalled: Signalled, sources: &BTreeMap<SourceName, Source>) {
        let Signalled { via, uses, gaps, .. } = signalled;
        // Two files of one name are one signal, and that is whole only if both are.
        if self.configured.insert(via.clone()) && gaps.is_empty() {
            self.complete.insert(via.clone());
        } else if !gaps.is_empty() {
            self.complete.remove(&via);
        }
        self.gaps.extend(gaps);
        for entry in uses {
            let mut covered = false;
            for (name, source) in sources {
                let located = match &entry.named {
                    Named::Reference(reference) => source.inventory.locate(reference),
                    Named::Chart(chart) => chart.reference().and_then(|chart| source.inventory.locate(&chart)),
                };
                let Some((repository, pointed)) = located else { continue };
                if !source.inventory.selects(&repository) {
                    continue;
                }
                covered = true;
                let key = RepositoryKey { source: name.clone(), name: repository };
                self.running.entry(key).or_default().push(running(&entry, pointed, &via));
            }
            if !covered {
                self.note_uncovered(&entry);
            }
        }
    }

    fn note_uncovered(&mut self, entry: &Use) {
        let place = match &entry.named {
            Named::Reference(reference) if entry.workload.is_none() => {
                return self.uncovered.push(reference.to_string());
            }
            Named::Reference(Reference::Image { host, .. }) => host.clone(),
            Named::Reference(Reference::Object { bucket, .. }) => format!("s3://{bucket}"),
            Named::Reference(Reference::Chart { .. }) | Named::Chart(_) => "chart repositories".to_owned(),
        };
        let thing = match &entry.named {
            // By name, not by each version of it.
            Named::Reference(Reference::Image { repository, .. }) => repository.to_string(),
            Named::Reference(Reference::Object { key, .. }) => key.to_string(),
            Named::Reference(Reference::Chart { name, .. }) => name.to_string(),
            Named::Chart(chart) => chart.name.to_string(),
        };
        self.elsewhere.entry(place).or_default().insert(thing);
    }

    /// What runs or is wanted by these words, and is neither by what was said here.
    fn lacks(
        &self,
        later: &BTreeMap<RepositoryKey, Vec<Deployment>>,
    ) -> BTreeMap<RepositoryKey, Vec<DeployedReference>> {
        let mut lacking = BTreeMap::new();
        for (key, running) in later {
            let present = |running: &&Deployment| running.runs_or_is_wanted();
            let known: BTreeSet<_> =
                self.of_repository(key).iter().filter(present).map(|known| &known.reference).collect();
            let new: BTreeSet<_> = running.iter().filter(present).map(|running| &running.reference).collect();
            let new: Vec<DeployedReference> = new.difference(&known).map(|reference| (*reference).clone()).collect();
            if !new.is_empty() {
                lacking.insert(key.clone(), new);
            }
        }
        lacking
    }

    fn of_repository(&self, key: &RepositoryKey) -> &[Deployment] {
        self.running.get(key).map_or(&[], Vec::as_slice)
    }

    pub(super) fn repositories<'a>(&'a self, source: &'a SourceName) -> impl Iterator<Item = &'a RepositoryName> {
        self.running.keys().filter(move |key| key.source == *source).map(|key| &key.name)
    }
}

/// Whether it may write images of this repository into workloads.
fn writes(automated: &Automated, key: &RepositoryKey, sources: &BTreeMap<SourceName, Source>) -> bool {
    let Some(images) = &automated.images else { return true };
    let own = sources.get(&key.source);
    // What no source at all locates may be another name of this repository: a mirror, a pull-through cache.
    images.iter().any(|image| match own.and_then(|source| source.inventory.locate(image)) {
        Some((repository, _)) => repository == key.name,
        None => !sources.values().any(|source| source.inventory.locate(image).is_some()),
    })
}

/// After its share of the time a signal has so long to say what it has read until then.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// No longer than its share of the run: a signal that hangs is one that could not be read.
async fn in_time(signal: &dyn ProductionSignal, stop: &Stop, until: Option<Instant>) -> Signalled {
    let late = "it was not read within the third of --deadline that signals have";
    limited(signal, signal.collect(), stop, until, late).await.unwrap_or_else(|late| late)
}

/// What a signal answers in time, or what it is when it does not.
async fn limited<T>(
    signal: &dyn ProductionSignal,
    asked: impl Future<Output = T>,
    stop: &Stop,
    until: Option<Instant>,
    late: &str,
) -> Result<T, Signalled> {
    let over = async {
        match until {
            Some(until) => tokio::time::sleep_until((until + LAST_WORDS).into()).await,
            None => std::future::pending().await,
        }
    };
    let (cause, why) = tokio::select! {
        biased;
        said = asked => return Ok(said),
        () = stop.set() => (stop.cause(), "the run ended before it was read"),
        () = over => (Cause::TimedOut, late),
    };
    let mut said = Signalled::new(signal.name());
    let detail = format!("{}: {why}", said.via);
    said.gaps.push(Gap::new(Scope::Signal(said.via.to_string()), cause, detail));
    Err(said)
}

/// What a use means in the repository that holds what it names.
fn running(entry: &Use, reference: DeployedReference, signal: &Arc<str>) -> Deployment {
    let named_as = match &entry.named {
        // Only a node's digest stands beside a tag that says something else; who writes both means the digest.
        Named::Reference(Reference::Image { tag, .. }) if entry.node.is_some() => tag.clone(),
        _ => None,
    };
    Deployment {
        reference,
        named_as,
        node: entry.node,
        evidence: entry.evidence,
        via: entry.workload.as_ref().map_or_else(|| signal.clone(), |workload| claimant(signal, workload)),
        tenure: entry.tenure,
        workload: entry.workload.clone(),
        container: entry.container.clone(),
        revision: entry.revision.clone(),
        introduced: entry.introduced,
        schema: entry.schema,
        control: entry.control.clone(),
    }
}
