//! The ledger's own code against a model of a few lines, on histories that nobody thought of: two writers, each with what
//! it recalled at some time, on a store that loses answers, whose caches vanish, and where somebody without the key writes
//! whatever no signature covers (I9, I13, I14, I23).

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use prodpin::ledger::{Access, Ledger};
use prodpin::model::{Event, RepositoryState};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use super::flaky::{Fault, Flaky, Plan};
use super::forged::{Attack, carry_out, copy_of};
use super::world::*;

const WRITERS: usize = 2;
const TAGS: [&str; 3] = ["v1", "v2", "latest"];
const BYTES: [&str; 3] = ["a", "b", "c"];

/// What each tag points at.
type Known = BTreeMap<usize, usize>;

/// The log as it should be, and what each writer recalled of it.
#[derive(Clone, Debug, Default)]
struct Model {
    known: Known,
    recalled: [Known; WRITERS],
    /// The log as far as each writer has read it: what says nothing there needs no look at what came after.
    read: [Known; WRITERS],
    /// How many events there must be.
    events: usize,
}

#[derive(Clone, Debug)]
enum Act {
    /// A writer looks at what the ledger knows.
    Recall(usize),
    /// It tells what it sees a tag point at.
    Tell { writer: usize, tag: usize, bytes: usize },
    /// Its process ends, and another one begins on a store that will do this to one of its writes.
    Reopen { writer: usize, fault: Fault, number: u64, at: &'static str },
    /// Its process dies while it tells, before or after one of its writes takes effect, and another one begins.
    Die { writer: usize, tag: usize, bytes: usize, fault: Fault, at: &'static str },
    /// Someone clears the caches.
    Forget,
    /// Someone notes what the caches are now.
    Note,
    /// Someone writes over caches: what they were when they were noted, or something else.
    Forge(Attack),
    /// Someone creates a file under the number that comes next: some other file, or a copy of this commit's.
    Stray(Option<usize>),
    /// Someone removes such a file again, while no writer is at work: whoever can remove files under a writer that passed them
    /// over makes another one commit where they were, and could remove that commit as well.
    Tidy,
}

/// In a log without a key nobody can tell a head that was lost from one that somebody made up, and then nothing is written
/// any more; so the first line of a cache, which has the head, stays as it was.
fn attack() -> impl Strategy<Value = Attack> {
    let file = 0..64_usize;
    prop_oneof![
        file.clone().prop_map(Attack::PutBack),
        (file.clone(), any::<usize>(), b'0'..b'~').prop_map(|(file, at, to)| Attack::Edit { file, at, to, body: true }),
        (file, any::<usize>(), 1..60_usize).prop_map(|(file, from, length)| Attack::Cut {
            file,
            from,
            length,
            body: true
        }),
    ]
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Act;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Act> {
        let faults = prop_oneof![Just(Fault::AnswerLost), Just(Fault::FoundByRetry), Just(Fault::Conflict)];
        let places = prop_oneof![Just("batch"), Just("checkpoint"), Just("view/repository"), Just("tile")];
        let deaths = prop_oneof![Just(Fault::DiesBefore), Just(Fault::DiesAfter)];
        let commits = prop_oneof![Just("batch"), Just("checkpoint")];
        prop_oneof![
            3 => (0..WRITERS).prop_map(Act::Recall),
            6 => (0..WRITERS, 0..TAGS.len(), 0..BYTES.len())
                .prop_map(|(writer, tag, bytes)| Act::Tell { writer, tag, bytes }),
            1 => (0..WRITERS, faults, 0..3_u64, places)
                .prop_map(|(writer, fault, number, at)| Act::Reopen { writer, fault, number, at }),
            2 => (0..WRITERS, 0..TAGS.len(), 0..BYTES.len(), deaths, commits)
                .prop_map(|(writer, tag, bytes, fault, at)| Act::Die { writer, tag, bytes, fault, at }),
            1 => Just(Act::Forget),
            1 => Just(Act::Note),
            3 => attack().prop_map(Act::Forge),
            2 => proptest::option::of(0..8_usize).prop_map(Act::Stray),
            1 => Just(Act::Tidy),
        ]
        .boxed()
    }

    /// Whether bytes are reported again that the writer itself told, and another replaced since, depends on whether it has
    /// learnt of the other's commit: a view that is ahead tells it, one that was lost does not. No run does this: one run has
    /// one ledger open, recalls a repository once and looks once, and what it commits twice is the same look, which is no
    /// news whatever came between (`writers::a_look_that_is_said_again…`).
    fn preconditions(model: &Self, act: &Act) -> bool {
        let Act::Tell { writer, tag, bytes } = act else { return true };
        let is = |known: &BTreeMap<usize, usize>| known.get(tag) == Some(bytes);
        is(&model.recalled[*writer]) || !is(&model.read[*writer]) || is(&model.known)
    }

    fn apply(mut model: Self, act: &Act) -> Self {
        match act {
            Act::Recall(writer) | Act::Reopen { writer, .. } => {
                model.recalled[*writer] = model.known.clone();
                model.read[*writer] = model.known.clone();
            }
            Act::Tell { writer, tag, bytes } => {
                // What is as recalled is not told; what is reported is news only if no other told it first.
                let reported =
                    [&model.recalled, &model.read].iter().all(|known| known[*writer].get(tag) != Some(bytes));
                if reported && model.known.get(tag) != Some(bytes) {
                    model.known.insert(*tag, *bytes);
                    model.events += 1;
                }
                if reported {
                    model.read[*writer] = model.known.clone();
                }
            }
            Act::Die { writer, tag, bytes, fault, at } => {
                // Creating the checkpoint is the commit, and nothing else is.
                let stands = *fault == Fault::DiesAfter && *at == "checkpoint";
                if stands && model.known.get(tag) != Some(bytes) {
                    model.known.insert(*tag, *bytes);
                    model.events += 1;
                }
                model.recalled[*writer] = model.known.clone();
                model.read[*writer] = model.known.clone();
            }
            Act::Forget | Act::Note | Act::Forge(_) | Act::Stray(_) => {}
            Act::Tidy => {
                let known = model.known.clone();
                (model.recalled, model.read) =
                    (std::array::from_fn(|_| known.clone()), std::array::from_fn(|_| known.clone()));
            }
        }
        model
    }
}

struct Real {
    runtime: tokio::runtime::Runtime,
    store: Arc<dyn ObjectStore>,
    noted: Arc<dyn ObjectStore>,
    writers: Vec<(Ledger, RepositoryState)>,
    run: u64,
    strays: Vec<String>,
}

impl StateMachineTest for Real {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(_: &Model) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let writers = (0..WRITERS).map(|_| (runtime.block_on(writer(&store)), RepositoryState::default())).collect();
        let noted = runtime.block_on(copy_of(&store));
        Self { runtime, store, noted, writers, run: 0, strays: Vec::new() }
    }

    fn apply(mut real: Self, _: &Model, act: Act) -> Self {
        let shop = key("shop/api");
        real.run += 1;
        match act {
            Act::Recall(writer) => {
                let (ledger, state) = &mut real.writers[writer];
                *state = real.runtime.block_on(async {
                    // A look at the head first: a recall alone may be as old as the last commit seen.
                    ledger.commit(vec![source_record(real.run)]).await.unwrap();
                    ledger.recall(&shop).await.unwrap()
                });
            }
            Act::Tell { writer, tag, bytes } => {
                let (ledger, state) = &real.writers[writer];
                let tags = [(TAGS[tag], BYTES[bytes])];
                let mut reported = observe(real.run, &shop, state, &tags);
                reported.retain(|entry| entry.event.tag().is_some_and(|named| named.as_str() == TAGS[tag]));
                real.runtime.block_on(ledger.commit(reported)).unwrap();
            }
            Act::Reopen { writer, fault, number, at } => {
                let flaky: Arc<dyn ObjectStore> = Arc::new(Flaky::new(&real.store, Plan { fault, number, at }));
                real.writers[writer] = real.runtime.block_on(async {
                    let ledger = Ledger::open_on(flaky, "flaky", Access::Write).await.unwrap();
                    let state = ledger.recall(&shop).await.unwrap();
                    (ledger, state)
                });
            }
            Act::Die { writer, tag, bytes, fault, at } => {
                let dying = Arc::new(Flaky::new(&real.store, Plan { fault, number: 0, at }));
                let (run, store) = (real.run, real.store.clone());
                real.writers[writer] = real.runtime.block_on(async {
                    let ledger = Ledger::open_on(dying.clone(), "dying", Access::Write).await.unwrap();
                    let state = ledger.recall(&shop).await.unwrap();
                    let mut reported = observe(run, &shop, &state, &[(TAGS[tag], BYTES[bytes])]);
                    reported.retain(|entry| entry.event.tag().is_some_and(|named| named.as_str() == TAGS[tag]));
                    assert_eq!(
                        ledger.commit(reported).await.is_err(),
                        dying.fired(),
                        "a death is never taken for success"
                    );
                    let ledger = open(&store, Access::Write).await.unwrap();
                    let state = ledger.recall(&shop).await.unwrap();
                    (ledger, state)
                });
            }
            Act::Forget => real.runtime.block_on(async {
                let views = names(&real.store, "view").await;
                remove(&real.store, views).await;
            }),
            Act::Note => real.noted = real.runtime.block_on(copy_of(&real.store)),
            Act::Stray(copied) => {
                let (store, strays) = (real.store.clone(), &mut real.strays);
                real.runtime.block_on(async {
                    let there = names(&store, "checkpoint").await;
                    let bytes = match copied.filter(|_| !there.is_empty()) {
                        Some(nth) => bytes(&store, &there[nth % there.len()]).await,
                        None => b"some\nother\nprogram's\nfile\n".to_vec(),
                    };
                    let next = there.last().map_or(1, |last| last["checkpoint/".len()..].parse::<u64>().unwrap() + 1);
                    // With nothing there at all it might be a first commit that was damaged.
                    if next > 1 {
                        let name = format!("checkpoint/{next:020}");
                        put(&store, &name, bytes).await;
                        strays.push(name);
                    }
                });
            }
            Act::Tidy => {
                let (store, stray) = (real.store.clone(), real.strays.pop());
                real.writers = real.runtime.block_on(async {
                    remove(&store, stray).await;
                    let mut writers = Vec::new();
                    for _ in 0..WRITERS {
                        let ledger = open(&store, Access::Write).await.unwrap();
                        let state = ledger.recall(&shop).await.unwrap();
                        writers.push((ledger, state));
                    }
                    writers
                });
            }
            Act::Forge(attack) => real.runtime.block_on(carry_out(&real.store, &real.noted, &attack)),
        }
        real
    }

    fn check_invariants(real: &Self, model: &Model) {
        real.runtime.block_on(async {
            let all = audit(&real.store).await;
            let reported = all.iter().filter(|(_, entry)| !matches!(entry.event, Event::Source(_)));
            assert_eq!(reported.count(), model.events, "each change once (I13): {all:#?}");
            let reader = open(&real.store, Access::Read).await.unwrap();
            let state = reader.recall(&key("shop/api")).await.unwrap();
            let known: BTreeMap<_, _> = (state.tags.iter())
                .map(|(tag, history)| (tag.as_str().to_owned(), history.sightings().last().unwrap().artifact.clone()))
                .collect();
            let expected = model.known.iter().map(|(tag, bytes)| (TAGS[*tag].to_owned(), artifact(BYTES[*bytes])));
            assert_eq!(known, expected.collect());
        });
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_of_two_writers_is_what_the_model_says_i9_i13_i14(sequential 1..24 => Real);
}
