//! One repository from recall and observation to what is planned on it; `one` leads it through its pins.

mod asking;
mod movers;
mod sightings;

use std::collections::BTreeMap;
use std::sync::PoisonError;

use jiff::Timestamp;

use crate::decide::attribution::Unnamed;
use crate::decide::{self, Asked, Attempts, Input, Labels, Plan, Selection};
use crate::ledger::{LedgerError, UnreportedEvents};
use crate::model::{
    ArtifactId, Cleanup, Deployment, Event, Gap, Inspection, Mark, PinTerms, RepositoryKey, RepositoryName,
    RepositoryState, Snapshot, Tag,
};
use crate::sources::{Inventory, Reservation};

use self::asking::{build_times, inspect, look_up};
pub(super) use self::sightings::Sightings;
use super::cross_check::Words;
use super::setup::Setup;
use super::{cross_check, node_digests, parts};

mod one;

pub(super) use self::one::decide_one;

/// What came of one repository.
pub(super) struct Outcome {
    pub(super) key: RepositoryKey,
    pub(super) plan: Plan,
    /// Tags that were seen for the first time.
    pub(super) seen: Sightings,
    /// All other events, in order.
    pub(super) events: Vec<Event>,
    /// What is known of its source's cleanup.
    pub(super) cleanup: Cleanup,
    /// When it was observed.
    pub(super) at: Timestamp,
    /// Held until it is recorded.
    pub(super) memory: Reservation,
}

/// Everything read of one repository, before anything is decided about its targets.
pub(super) struct RepositoryScan {
    pub(super) key: RepositoryKey,
    at: Timestamp,
    pub(super) snapshot: Snapshot,
    pub(super) state: RepositoryState,
    /// What runs recorded that may have died before their report, and then what this look found.
    happened: Vec<Event>,
    /// How many of these this look found, beside tags that it was the first to see.
    news: usize,
    /// Where what this look found is folded into the state.
    mark: Mark,
    /// What is recorded beside them and is no news to anybody.
    also: Vec<Event>,
    /// Up to where telling it settles what they recorded.
    reported_again: Option<u64>,
    labels: BTreeMap<Tag, Box<str>>,
    /// What signals name here, nodes' words joined with the repository's artifacts (E125).
    running: Vec<Deployment>,
    selection: Selection,
    pub(super) inspections: BTreeMap<ArtifactId, Inspection>,
    /// What the bytes behind tags said.
    words: Words,
    /// Artifacts that only tags lead to which no list names.
    left_out: BTreeMap<ArtifactId, Tag>,
    pub(super) gaps: Vec<Gap>,
    /// What audit trails answered without naming anybody.
    unnamed: Unnamed,
    /// What the policy says about pins here.
    terms: PinTerms,
    /// Held until everything here is let go.
    memory: Reservation,
}

impl RepositoryScan {
    /// What this look found.
    fn news(&self) -> impl Iterator<Item = Event> + Send {
        let rest = &self.happened[self.happened.len() - self.news..];
        decide::first_sightings(&self.state, self.mark).chain(rest.iter().cloned())
    }

    /// What was seen of each target.
    pub(super) fn inspections(&self) -> &BTreeMap<ArtifactId, Inspection> {
        &self.inspections
    }

    /// Looks at every target. Which these are depends on what of the first of them is there.
    async fn inspect_targets(&mut self, setup: &Setup, inventory: &dyn Inventory) {
        let Self { key, snapshot, state, inspections, .. } = self;
        loop {
            let unseen = self.selection.unseen(setup.rules.keep, inspections);
            if unseen.is_empty() {
                break;
            }
            inspect(inventory, &key.name, unseen, &self.left_out, inspections).await;
            self.words.hold(inventory, &key.name, &setup.rules, snapshot, inspections, setup.concurrency).await;
            cross_check::still_listed(snapshot, state, inspections);
        }
        // Any of these answers may have shown what the registry is.
        snapshot.cleanup = remembered(setup, key, inventory.cleanup().await);
        let inspected = inspections.keys().cloned().collect();
        parts::look(inventory, &key.name, (snapshot, state, self.terms), inspected, inspections).await;
        decide::drilled::hold(state, inspections);
    }

    /// Looks at these artifacts once more: at targets, and at those that have the others as parts.
    pub(super) async fn inspect_again(
        &self,
        inventory: &dyn Inventory,
        artifacts: Vec<ArtifactId>,
        inspections: &mut BTreeMap<ArtifactId, Inspection>,
    ) {
        let artifacts = decide::owners(inspections, artifacts);
        inspect(inventory, &self.key.name, artifacts.clone(), &self.left_out, inspections).await;
        let seen = (&self.snapshot, &self.state, self.terms);
        parts::look(inventory, &self.key.name, seen, artifacts, inspections).await;
        decide::drilled::hold(&self.state, inspections);
    }

    /// A closer look at artifacts that are no targets, with what belongs to them.
    pub(super) async fn look_closely(
        &self,
        inventory: &dyn Inventory,
        artifacts: Vec<ArtifactId>,
    ) -> BTreeMap<ArtifactId, Inspection> {
        let mut seen = BTreeMap::new();
        inspect(inventory, &self.key.name, artifacts.clone(), &self.left_out, &mut seen).await;
        let known = (&self.snapshot, &self.state, self.terms);
        parts::look(inventory, &self.key.name, known, artifacts, &mut seen).await;
        seen
    }

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
            unnamed: &self.unnamed,
            labels: &self.labels,
            running: &self.running,
            selection: &self.selection,
            inspections: &self.inspections,
            attempts,
            gaps: &self.gaps,
            pins: self.terms,
            database: &setup.database,
            claim: None,
        }
    }
}

/// Recall, observe, select, inspect: nothing is changed.
pub(super) async fn look(
    setup: &Setup,
    inventory: &dyn Inventory,
    key: RepositoryKey,
) -> Result<RepositoryScan, LedgerError> {
    // What these name was there before the tags are read.
    let production = setup.production().await;
    let at = Timestamp::now();

    // Recalled first: what another run commits from here on is newer than what this one observes, and the ledger can
    // tell the two apart when it restates this run's events (I4, I14).
    let mut state = setup.ledger.recall(&key).await?;
    let UnreportedEvents { events: mut happened, until: reported_again } = setup.ledger.unreported(&key).await?;
    let (mut snapshot, memory) = take_snapshot(setup, inventory, &key, &state).await;
    let mut words = Words::default();
    let (asked, mut gaps) = ask(setup, inventory, &key.name, &state, &mut snapshot, &mut words).await;
    // A signal that could not be read might have named something here.
    gaps.extend(production.gaps.iter().cloned());

    // The state before this run's events is not needed again: they are folded in at the position they will get.
    let news = happened.len();
    let mark = Mark { sequence: setup.ledger.head().map_or(0, |head| head.sequence + 1), at };
    happened.extend(decide::take_in(&snapshot, &asked, &mut state, mark));
    let (mut running, unjoined) = node_digests::join(inventory, &key.name, setup.running(&key).await, &state).await;
    gaps.extend(unjoined);
    let labels = labels_of_unlisted(inventory, &snapshot, &state);
    let called = Labels::new(&snapshot, &labels);
    decide::yield_to_pods(&mut running, &state, &setup.rules, &called);
    let deployed = decide::deployments(&running, &production.complete, &state, &setup.rules, &called, at);
    decide::fold(&mut state, mark, &deployed);
    happened.extend(deployed);

    let configured = &production.configured;
    let selection = decide::select(&setup.rules, &snapshot, &state, &labels, &running, configured, at);
    let left_out = cross_check::known_by_left_out(&snapshot, &state);
    let news = happened.len() - news;
    let terms = setup.pins.for_source(&key.source);
    let mut scan = RepositoryScan {
        key,
        at,
        snapshot,
        state,
        happened,
        news,
        mark,
        also: Vec::new(),
        reported_again,
        labels,
        running,
        selection,
        inspections: BTreeMap::new(),
        words,
        left_out,
        gaps,
        unnamed: Unnamed::new(),
        terms,
        memory,
    };
    scan.inspect_targets(setup, inventory).await;
    Ok(scan)
}

/// What the repository lists now, in the order in which everything that follows walks the tags.
async fn take_snapshot(
    setup: &Setup,
    inventory: &dyn Inventory,
    key: &RepositoryKey,
    state: &RepositoryState,
) -> (Snapshot, Reservation) {
    let ((mut snapshot, memory), cleanup) =
        tokio::join!(observe(setup, inventory, &key.name, state), inventory.cleanup());
    snapshot.cleanup = remembered(setup, key, cleanup);
    snapshot.tags.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    decide::share_names(&mut snapshot, state);
    note_uses(setup, key, &snapshot, state);
    (snapshot, memory)
}

/// Asks directly for what the list leaves open.
async fn ask(
    setup: &Setup,
    inventory: &dyn Inventory,
    repository: &RepositoryName,
    state: &RepositoryState,
    snapshot: &mut Snapshot,
    words: &mut Words,
) -> (Asked, Vec<Gap>) {
    let survey = decide::survey(snapshot, state, &setup.rules);
    snapshot.gaps.extend(survey.vanished.clone());
    words.confirm(inventory, repository, &survey, snapshot, setup.concurrency).await;
    let (mut looked_up, gaps) = look_up(inventory, repository, &survey, setup.concurrency).await;
    cross_check::left_out(inventory, repository, &mut looked_up, snapshot, setup.concurrency).await;
    let created = build_times(inventory, repository, &survey, setup.concurrency).await;
    (Asked { looked_up, created, begun: Some(setup.begun) }, gaps)
}

/// What is known of cleanup, with what an earlier run knew.
fn remembered(setup: &Setup, key: &RepositoryKey, cleanup: Cleanup) -> Cleanup {
    cleanup.remembering(setup.ledger.settings(&key.source).as_ref().map(|(_, facts)| facts))
}

/// Observes within the memory budget (I28). A repository that grows out of what is left is looked at again when nobody
/// else is; only if it is too large even then, it is not read to its end.
async fn observe(
    setup: &Setup,
    inventory: &dyn Inventory,
    name: &RepositoryName,
    state: &RepositoryState,
) -> (Snapshot, Reservation) {
    let memory = setup.admission.enter(state.tags.len() * Snapshot::TAG_COST).await;
    let snapshot = inventory.observe_known(name, &memory, &state.tags).await;
    if memory.is_alone() || !memory.was_full() {
        return (snapshot, memory);
    }
    drop((snapshot, memory));
    let memory = setup.admission.enter_alone().await;
    let snapshot = inventory.observe_known(name, &memory, &state.tags).await;
    (snapshot, memory)
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
