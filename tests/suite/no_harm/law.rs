//! The law itself.

use std::collections::BTreeMap;

use prodpin::decide::{self, Attempts, Input, Plan, Rules};
use prodpin::model::{
    ArtifactId, Cause, Closure, Deployment, Inspection, Mark, Mode, NamePatterns, Order, Pin, PinFailure, PinState,
    PinTerms, Presence, ProductionRule, RepositoryKey, RepositoryState, Snapshot,
};
use proptest::prelude::*;

use jiff::Timestamp;

/// How much of an artifact is left, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Left {
    Whole,
    Archived,
    Hidden,
    Gone,
}

/// One kind of rules.
pub(super) trait Engine: Clone + std::fmt::Debug {
    /// What may come: days that pass, pushes.
    type Future: std::fmt::Debug;

    fn snapshot(&self) -> Snapshot;
    fn now(&self) -> Timestamp;
    /// A closer look at one artifact.
    fn inspect(&self, artifact: &ArtifactId) -> Inspection;
    /// The same repository with a pin on this artifact.
    fn pin(&self, artifact: &ArtifactId) -> Self;
    /// What signals name as running.
    fn running(&self) -> Vec<Deployment> {
        Vec::new()
    }
    /// What is left of everything at each moment of that future.
    fn live(&self, future: &Self::Future) -> Vec<BTreeMap<ArtifactId, Left>>;
}

pub(super) fn rules(keep: u32) -> Rules {
    let patterns = NamePatterns::new(["v*"]).unwrap();
    let production = vec![ProductionRule::Tags { patterns, order: Order::Semver }];
    Rules { keep, production, may_move: NamePatterns::none() }
}

/// What a run decides on the repository.
pub(super) fn decided<E: Engine>(engine: &E, keep: u32, pins: PinTerms) -> Plan {
    decided_after(engine, keep, pins, &Attempts::new())
}

/// The same once pins were tried.
fn decided_after<E: Engine>(engine: &E, keep: u32, pins: PinTerms, attempts: &Attempts) -> Plan {
    let (rules, snapshot, now) = (rules(keep), engine.snapshot(), engine.now());
    let key = RepositoryKey { source: "shop".parse().unwrap(), name: "api".parse().unwrap() };
    let mut state = RepositoryState::default();
    let events = decide::changes(&snapshot, &decide::Asked::default(), &state);
    decide::fold(&mut state, Mark { sequence: 1, at: now }, &events);
    let (labels, signals, running) = (BTreeMap::new(), Default::default(), engine.running());
    let selection = decide::select(&rules, &snapshot, &state, &labels, &running, &signals, now);
    let mut inspections = BTreeMap::new();
    loop {
        let unseen = selection.unseen(rules.keep, &inspections);
        if unseen.is_empty() {
            break;
        }
        inspections.extend(unseen.into_iter().map(|artifact| (artifact.clone(), engine.inspect(&artifact))));
    }
    decide::plan(&Input {
        key: &key,
        mode: Mode::Enforce,
        now,
        rules: &rules,
        snapshot: &snapshot,
        state: &state,
        events: &events,
        unnamed: &Default::default(),
        labels: &labels,
        running: &running,
        selection: &selection,
        inspections: &inspections,
        attempts,
        gaps: &[],
        pins,
        database: &[],
        claim: None,
    })
}

/// Whole, and pinned as the tags say.
pub(super) fn whole(artifact: &ArtifactId, snapshot: &Snapshot) -> Inspection {
    let pinned = artifact.digest().is_some_and(|digest| {
        snapshot.tags.iter().any(|tag| {
            Pin::read(&tag.name).is_some_and(|pin| pin.names(digest)) && tag.target.artifact() == Some(artifact)
        })
    });
    Inspection {
        artifact: artifact.clone(),
        presence: Presence::Present,
        kind: None,
        created: None,
        closure: Closure::Complete,
        pin: if pinned { PinState::Present } else { PinState::Absent },
        obstacles: Vec::new(),
        gaps: Vec::new(),
        object: None,
        lost_attestations: Vec::new(),
        children: Vec::new(),
        parts: Default::default(),
        pin_is_immutable: None,
        undeletable: None,
    }
}

/// Each pin by itself leaves everything at least as well off as before it, at every moment of the future: so does the
/// whole set, and so does whatever a run that is cut off has made of it (F126). `may_lose` are those that may.
pub(super) fn no_pin_worsens_any_fate<E: Engine>(
    engine: &E,
    keep: u32,
    terms: PinTerms,
    futures: &[E::Future],
    may_lose: impl Fn(&E, &ArtifactId) -> bool,
) -> Result<usize, TestCaseError> {
    let plan = decided(engine, keep, terms);
    let mut before = engine.clone();
    for pin in &plan.pins {
        let after = before.pin(pin);
        fares_no_worse(engine, pin, [&before, &after], futures, &may_lose)?;
        before = after;
    }
    // There is nothing more to do (I13).
    let again = decided(&before, keep, terms);
    prop_assert!(again.pins.is_empty(), "a second run pins {:?}, after {:?}", again.pins, plan.pins);
    Ok(plan.pins.len())
}

/// The same where some of the pins fail: those after one that failed are judged anew. Bit by bit, `fails` says which.
pub(super) fn no_pin_after_a_failed_one_worsens_any_fate<E: Engine>(
    engine: &E,
    keep: u32,
    terms: PinTerms,
    futures: &[E::Future],
    mut fails: u8,
) -> Result<(), TestCaseError> {
    let mut attempts = Attempts::new();
    let mut before = engine.clone();
    loop {
        let plan = decided_after(&before, keep, terms, &attempts);
        let mut all_made = true;
        for pin in &plan.pins {
            prop_assert!(!attempts.contains_key(pin), "{pin} is tried twice");
            let fails_now = fails & 1 == 1;
            fails >>= 1;
            if fails_now {
                let failure = PinFailure { cause: Cause::Unreachable, detail: "no answer came".to_owned() };
                attempts.insert(pin.clone(), Err(failure));
                all_made = false;
                break;
            }
            let after = before.pin(pin);
            fares_no_worse(engine, pin, [&before, &after], futures, &|_, _| false)?;
            attempts.insert(pin.clone(), Ok(()));
            before = after;
        }
        if all_made {
            return Ok(());
        }
    }
}

fn fares_no_worse<E: Engine>(
    engine: &E,
    pin: &ArtifactId,
    [before, after]: [&E; 2],
    futures: &[E::Future],
    may_lose: &impl Fn(&E, &ArtifactId) -> bool,
) -> Result<(), TestCaseError> {
    for future in futures {
        for (moment, (without, with)) in before.live(future).iter().zip(after.live(future)).enumerate() {
            for (artifact, left) in without {
                let now = with.get(artifact).copied().unwrap_or(Left::Gone);
                prop_assert!(
                    now <= *left || may_lose(engine, artifact),
                    "the pin of {pin} makes {artifact} {now:?}, which was {left:?}, at moment {moment} of {future:?}"
                );
            }
        }
    }
    Ok(())
}
