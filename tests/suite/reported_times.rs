//! Times that platforms tell of their own past inform; what prodpin itself saw decides (I21).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use prodpin::decide::{self, Labels, Rules};
use prodpin::model::{
    ArtifactId, DeployedReference, Deployment, Digest, Event, Evidence, Mark, NamePatterns, ProductionRule,
    RepositoryState, Snapshot, Tenure,
};
use proptest::prelude::*;

const SIGNAL: &str = "kubernetes prod-eu";

fn artifact(name: &str) -> ArtifactId {
    Digest::sha256(name.as_bytes()).into()
}

fn hour(hour: i64) -> Timestamp {
    let first: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    first + SignedDuration::from_hours(hour)
}

fn far() -> Timestamp {
    "9999-01-01T00:00:00Z".parse().unwrap()
}

fn runs(name: &str) -> Deployment {
    let via: Arc<str> = format!("{SIGNAL}: deployment shop/api").into();
    Deployment::now(DeployedReference::Artifact(artifact(name)), Evidence::RunningDigest, via)
}

/// A superseded release of Helm's, which whoever may write Secrets can make.
fn ran(name: &str, last: Timestamp) -> Deployment {
    let via: Arc<str> = format!("{SIGNAL}: helm release shop/{name}").into();
    let reference = DeployedReference::Artifact(artifact(name));
    let said = Deployment::now(reference, Evidence::HistoryReference, via);
    Deployment { tenure: Tenure::Before { last: Some(last) }, ..said }
}

/// A repository, look after look, an hour apart.
#[derive(Default)]
struct World {
    state: RepositoryState,
    looks: i64,
}

impl World {
    fn rules() -> Rules {
        Rules { keep: 5, production: vec![ProductionRule::InUse], may_move: NamePatterns::none() }
    }

    fn look(&mut self, running: &[Deployment]) -> Vec<Event> {
        self.looks += 1;
        let mark = Mark { sequence: self.looks as u64, at: hour(self.looks) };
        let signals = BTreeSet::from([SIGNAL.into()]);
        let events = decide::deployments(running, &signals, &self.state, &Self::rules(), &Labels::default(), mark.at);
        decide::fold(&mut self.state, mark, &events);
        events
    }

    /// Everything that is kept, most recent first.
    fn kept(&self, running: &[Deployment]) -> Vec<ArtifactId> {
        let signals = BTreeSet::from([SIGNAL.into()]);
        let (snapshot, labels) = (Snapshot::default(), BTreeMap::new());
        let now = hour(self.looks);
        let selection = decide::select(&Self::rules(), &snapshot, &self.state, &labels, running, &signals, now);
        selection.unseen(5, &BTreeMap::new())
    }
}

/// Four forged releases from the far future, and every real predecessor was gone from the set for ever.
#[test]
fn what_is_told_displaces_nothing_that_was_seen_i21() {
    for reported in [far(), hour(7), hour(6)] {
        let mut world = World::default();
        for release in ["s1", "s2", "s3", "s4", "s5"] {
            world.look(&[runs(release)]);
        }
        let now: Vec<Deployment> =
            ["j1", "j2", "j3", "j4"].iter().map(|junk| ran(junk, reported)).chain([runs("s6")]).collect();
        world.look(&now);
        let kept = world.kept(&now);
        for release in ["s6", "s5", "s4", "s3", "s2"] {
            assert!(kept.contains(&artifact(release)), "{release} was seen to run, and {reported} was only told");
        }
        assert_eq!(kept[0], artifact("s6"));
        assert!(!kept.contains(&artifact("s1")), "five are kept of what was seen");
        // And what comes later comes before whatever was reported before.
        world.look(&[runs("s7")]);
        world.look(&[runs("s8")]);
        let kept = world.kept(&[runs("s8")]);
        assert_eq!(kept[..2], [artifact("s8"), artifact("s7")]);
    }
}

#[test]
fn a_time_in_the_future_is_told_once_and_is_no_later_than_when_it_was_told_i13_i21() {
    let mut world = World::default();
    let now = [ran("j1", far()), runs("s1")];
    assert_eq!(world.look(&now).len(), 2);
    for _ in 0..3 {
        assert_eq!(world.look(&now), [], "nothing is new");
    }
    let reported = world.state.deployments[&artifact("j1")].values().next().unwrap().reported;
    assert_eq!(reported, Some(hour(1)));
    // A clock that runs ahead a little is set right once its time has come.
    let mut world = World::default();
    let ahead = [ran("j1", hour(1) + SignedDuration::from_mins(5)), runs("s1")];
    world.look(&ahead);
    assert_eq!(world.look(&ahead).len(), 1);
    assert_eq!(world.look(&ahead), []);
}

#[test]
fn a_ledger_that_holds_times_of_the_future_is_read_as_one_that_does_not_i21() {
    let mut state = RepositoryState::default();
    let event = Event::DeploymentRecalled {
        artifact: artifact("j1"),
        via: format!("{SIGNAL}: helm release shop/j1").into(),
        tag: None,
        last: Some(far()),
        finished: false,
    };
    state.apply(Mark { sequence: 1, at: hour(1) }, &event);
    assert_eq!(state.deployments[&artifact("j1")].values().next().unwrap().reported, Some(hour(1)));
}

#[test]
fn what_platforms_tell_of_the_time_between_looks_keeps_its_place() {
    let mut world = World::default();
    world.look(&[runs("s1")]);
    world.look(&[runs("s2")]);
    let between = hour(2) + SignedDuration::from_mins(30);
    let now = [ran("between", between), ran("before", hour(-5)), runs("s3")];
    world.look(&now);
    let order = ["s3", "s2", "between", "s1", "before"].map(artifact);
    assert_eq!(world.kept(&now), order);
}

proptest! {
    /// Whatever a platform's history tells, it only adds to what is kept of what prodpin saw.
    #[test]
    fn a_second_kind_of_evidence_can_only_add_i21(
        looks in prop::collection::vec(
            (prop::collection::btree_set(0..9_u8, 0..3), prop::collection::vec((0..12_u8, -3_000..3_000_i64), 0..6)),
            1..12,
        ),
    ) {
        let (mut seen, mut both) = (World::default(), World::default());
        let mut last = (Vec::new(), Vec::new());
        for (running, reported) in &looks {
            let running: Vec<Deployment> = running.iter().map(|n| runs(&format!("s{n}"))).collect();
            let reported = reported.iter().map(|(n, at)| ran(&format!("s{n}"), hour(*at)));
            last = (running.clone(), running.into_iter().chain(reported).collect());
            seen.look(&last.0);
            both.look(&last.1);
        }
        let kept = both.kept(&last.1);
        for artifact in seen.kept(&last.0) {
            prop_assert!(kept.contains(&artifact), "{} was displaced", artifact);
        }
        prop_assert!(kept.len() <= 2 * 5 + 3);
    }
}
