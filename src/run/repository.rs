//! One repository from observation to plan, and through its pins.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use futures::StreamExt as _;
use futures::stream;
use jiff::Timestamp;

use crate::decide::{self, Attempts, Input, Labels, Plan, Selection, Survey};
use crate::ledger::{LedgerError, Untold};
use crate::model::{
    ArtifactId, Cleanup, Event, Gap, Inspection, Mark, PinFailure, RepositoryKey, RepositoryName, RepositoryState,
    Resolution, Running, Snapshot, Tag,
};
use crate::sources::{Inventory, Protector};

use super::setup::Setup;
use super::{Stop, node_digests};

/// What came of one repository.
pub(super) struct Outcome {
    pub(super) key: RepositoryKey,
    pub(super) plan: Plan,
    /// All events, in order.
    pub(super) events: Vec<Event>,
    /// What is known of its source's cleanup.
    pub(super) cleanup: Cleanup,
    /// When it was observed.
    pub(super) at: Timestamp,
}

/// Everything read of one repository, before anything is decided about its targets.
pub(super) struct Look {
    key: RepositoryKey,
    at: Timestamp,
    pub(super) snapshot: Snapshot,
    state: RepositoryState,
    /// What this look found.
    events: Vec<Event>,
    /// What runs recorded that may have died before their report, and that.
    happened: Vec<Event>,
    /// Up to where telling it settles what they recorded.
    retold: Option<u64>,
    labels: BTreeMap<Tag, Box<str>>,
    /// What signals name here, nodes' words joined with the repository's artifacts (E125).
    running: Vec<Running>,
    selection: Selection,
    pub(super) inspections: BTreeMap<ArtifactId, Inspection>,
    gaps: Vec<Gap>,
}

impl Look {
    /// What a plan is made from.
    pub(super) fn input<'a>(&'a self, setup: &'a Setup, attempts: &'a Attempts) -> Input<'a> {
        Input {
            key: &self.key,
            mode: setup.mode,
            now: self.at,
            rules: &setup.rules,
            snapshot: &self.snapshot,
            state: &self.state,
            events: &self.happened,
            labels: &self.labels,
            running: &self.running,
            selection: &self.selection,
            inspections: &self.inspections,
            attempts,
            gaps: &self.gaps,
        }
    }
}

/// Recall, observe, select, inspect: nothing is changed.
pub(super) async fn look(setup: &Setup, inventory: &dyn Inventory, key: RepositoryKey) -> Result<Look, LedgerError> {
    let at = Timestamp::now();

    // Recalled first: what another run commits from here on is newer than what this one observes, and the ledger can
    // tell the two apart when it restates this run's events (I4, I14).
    let mut state = setup.ledger.recall(&key).await?;
    let Untold { events: mut happened, until: retold } = setup.ledger.untold(&key).await?;
    let (mut snapshot, cleanup) = tokio::join!(inventory.observe(&key.name), inventory.cleanup());
    snapshot.cleanup = cleanup;
    // Everything that follows walks the tags in this order.
    snapshot.tags.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    note_uses(setup, &key, &snapshot, &state);

    let survey = decide::survey(&snapshot, &state, &setup.rules);
    snapshot.gaps.extend(survey.vanished.clone());
    confirm(inventory, &key.name, &survey, &mut snapshot, setup.concurrency).await;
    let (looked_up, mut gaps) = look_up(inventory, &key.name, &survey, setup.concurrency).await;
    let created = build_times(inventory, &key.name, &survey, setup.concurrency).await;
    // A signal that could not be read might have named something here.
    gaps.extend(setup.production.gaps.iter().cloned());

    // The state before this run's events is not needed again: they are folded in at the position they will get.
    let mut events = decide::changes(&snapshot, &looked_up, &created, &state);
    let mark = Mark { sequence: setup.ledger.head().map_or(0, |head| head.sequence + 1), at };
    decide::fold(&mut state, mark, &events);
    let (running, unjoined) = node_digests::join(inventory, &key.name, setup.production.of(&key), &state).await;
    gaps.extend(unjoined);
    let labels = labels_of_unlisted(inventory, &snapshot, &state);
    let called = Labels::new(&snapshot, &labels);
    let deployed = decide::deployments(&running, &setup.production.complete, &state, &setup.rules, &called, at);
    decide::fold(&mut state, mark, &deployed);
    events.extend(deployed);
    happened.extend(events.iter().cloned());

    let configured = &setup.production.configured;
    let selection = decide::select(&setup.rules, &snapshot, &state, &labels, &running, configured, at);
    let mut inspections = BTreeMap::new();
    loop {
        let unseen = selection.unseen(setup.rules.keep, &inspections);
        if unseen.is_empty() {
            break;
        }
        inspect(inventory, &key.name, unseen, &mut inspections).await;
    }
    Ok(Look { key, at, snapshot, state, events, happened, retold, labels, running, selection, inspections, gaps })
}

/// Look, plan, apply, read back, plan again: one repository.
pub(super) async fn decide_one(setup: Arc<Setup>, key: RepositoryKey, stop: Stop) -> Result<Outcome, LedgerError> {
    let source = setup.source(&key);
    let look = look(&setup, source.inventory.as_ref(), key).await?;
    let untried = Attempts::new();
    let input = look.input(&setup, &untried);
    let mut plan = decide::plan(&input);
    if let Some(protector) = &source.protector
        && !plan.pins.is_empty()
    {
        let name = &look.key.name;
        let attempts = apply(protector.as_ref(), name, &plan.pins, &stop).await;
        // What a pin call answers proves nothing; what is read back afterwards is reported (I7).
        let mut again = look.inspections.clone();
        inspect(source.inventory.as_ref(), name, attempts.keys().cloned().collect(), &mut again).await;
        plan = decide::plan(&Input { inspections: &again, attempts: &attempts, ..input });
    }
    let Look { key, at, mut events, retold, snapshot, .. } = look;
    events.append(&mut plan.events);
    events.extend(retold.map(|until| Event::Retold { until }));
    Ok(Outcome { key, plan, events, cleanup: snapshot.cleanup, at })
}

fn labels_of_unlisted(
    inventory: &dyn Inventory,
    snapshot: &Snapshot,
    state: &RepositoryState,
) -> BTreeMap<Tag, Box<str>> {
    decide::unlisted(snapshot, state).map(|tag| (tag.clone(), inventory.label(tag))).collect()
}

fn note_uses(setup: &Setup, key: &RepositoryKey, snapshot: &Snapshot, state: &RepositoryState) {
    let mut uses = setup.uses.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if !uses.is_settled() {
        uses.observe(&key.name, snapshot, state);
        setup.uses.lock().unwrap_or_else(PoisonError::into_inner).intersect(&uses);
    }
}

/// Puts what the bytes say in the place of what a list said, where that would be a change.
async fn confirm(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    survey: &Survey,
    snapshot: &mut Snapshot,
    concurrency: usize,
) {
    let answers = stream::iter(survey.changed.clone())
        .map(|(tag, listed)| async move {
            let answer = inventory.confirm(repository, &tag, listed).await;
            (tag, answer)
        })
        .buffer_unordered(concurrency);
    let mut answers = std::pin::pin!(answers);
    while let Some((tag, (resolution, gap))) = answers.next().await {
        if let Ok(at) = snapshot.tags.binary_search_by(|observed| observed.name.cmp(&tag)) {
            snapshot.tags[at].target = resolution;
        }
        snapshot.gaps.extend(gap);
    }
}

async fn look_up(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    survey: &Survey,
    concurrency: usize,
) -> (BTreeMap<Tag, Resolution>, Vec<Gap>) {
    let answers = stream::iter(survey.absent.clone())
        .map(|tag| async move {
            let answer = inventory.look_up(repository, &tag).await;
            (tag, answer)
        })
        .buffer_unordered(concurrency);
    let (mut found, mut gaps) = (BTreeMap::new(), Vec::new());
    let mut answers = std::pin::pin!(answers);
    while let Some((tag, (resolution, gap))) = answers.next().await {
        found.insert(tag, resolution);
        gaps.extend(gap);
    }
    (found, gaps)
}

async fn build_times(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    survey: &Survey,
    concurrency: usize,
) -> BTreeMap<Tag, Timestamp> {
    let asked = stream::iter(survey.undated.clone())
        .map(|(tag, artifact)| async move { Some((tag, inventory.created(repository, &artifact).await?)) })
        .buffer_unordered(concurrency);
    asked.filter_map(|answer| async move { answer }).collect().await
}

/// How many targets of one repository are looked at at once. The source's own limiter has the last word.
const INSPECTED_AT_ONCE: usize = 8;

async fn inspect(
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    artifacts: Vec<ArtifactId>,
    inspections: &mut BTreeMap<ArtifactId, Inspection>,
) {
    let looks = stream::iter(artifacts)
        .map(|artifact| async move {
            let inspection = inventory.inspect(repository, &artifact).await;
            (artifact, inspection)
        })
        .buffer_unordered(INSPECTED_AT_ONCE);
    let mut looks = std::pin::pin!(looks);
    while let Some((artifact, inspection)) = looks.next().await {
        inspections.insert(artifact, inspection);
    }
}

/// Pins one after the other, most recent first, so that a run cut short has protected what is needed first.
async fn apply(protector: &dyn Protector, repository: &RepositoryName, pins: &[ArtifactId], stop: &Stop) -> Attempts {
    let mut attempts = Attempts::new();
    for artifact in pins {
        let attempt = if stop.is_set() {
            Err(PinFailure { cause: stop.cause(), detail: "the run ended before it was pinned".to_owned() })
        } else {
            protector.pin(repository, artifact).await
        };
        if let Err(failure) = &attempt {
            tracing::warn!(%repository, %artifact, %failure, "could not pin {artifact} in {repository}");
        }
        attempts.insert(artifact.clone(), attempt);
    }
    attempts
}
