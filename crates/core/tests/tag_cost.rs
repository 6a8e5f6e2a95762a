//! What one tag takes while its repository is decided, by the allocator's own count (F93, I28). Alone in its program, because
//! the count is the program's.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use peak_alloc::PeakAlloc;
use prodpin_core::decide::{self, Asked, Attempts, Input, Labels, Rules};
use prodpin_core::model::{
    Digest, Mark, Mode, NamePatterns, ObservedTag, Order, PinTerms, ProductionRule, RepositoryKey, RepositoryState,
    Resolution, Snapshot, Tag,
};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const TAGS: usize = 20_000;

/// What is taken once, however many tags there are.
const ONCE: usize = 256 << 10;

fn name(at: usize, long: bool) -> String {
    if long { format!("v1.{}.{at}-build-4f3c2d1e", at % 7) } else { format!("v1.{}.{at}", at % 7) }
}

/// As a source lists them: in order, names that are known shared with what is known, the others with each other.
fn listed(long: bool, known: &RepositoryState) -> Vec<ObservedTag> {
    let mut names: Vec<String> = (0..TAGS).map(|at| name(at, long)).collect();
    names.sort_unstable();
    let mut tags: Vec<ObservedTag> = Vec::with_capacity(TAGS);
    for text in names {
        let target = Resolution::Artifact(Digest::sha256(text.as_bytes()).into());
        let name: Tag = text.parse().expect("a tag");
        let name = known.tags.get_key_value(&name).map_or(name, |(name, _)| name.clone());
        tags.push(ObservedTag { name, target, pushed: None, object: None });
        if tags.len().is_multiple_of(100) {
            let from = tags.len() - 100;
            Tag::pack(tags[from..].iter_mut().map(|tag| &mut tag.name));
        }
    }
    tags
}

/// Everything that a run decides of a repository, up to what is recorded of it.
fn decide_all(key: &RepositoryKey, tags: Vec<ObservedTag>, mut state: RepositoryState) -> RepositoryState {
    let patterns = NamePatterns::new(["v*"]).expect("a pattern");
    let production = vec![ProductionRule::Tags { patterns, order: Order::Semver }];
    let rules = Rules { keep: 5, production, may_move: NamePatterns::none() };
    let mut snapshot = Snapshot { tags, ..Snapshot::default() };
    decide::share_names(&mut snapshot, &state);
    let survey = decide::survey(&snapshot, &state, &rules);
    assert_eq!((survey.absent.len(), survey.undated.len()), (0, 0));
    let mark = Mark { sequence: 1, at: Timestamp::UNIX_EPOCH };
    let events = decide::take_in(&snapshot, &Asked::default(), &mut state, mark);
    let labels = BTreeMap::new();
    drop(Labels::new(&snapshot, &labels));
    let selection = decide::select(&rules, &snapshot, &state, &labels, &[], &BTreeSet::new(), Timestamp::UNIX_EPOCH);
    let plan = decide::plan(&Input {
        key,
        mode: Mode::Audit,
        now: Timestamp::UNIX_EPOCH,
        rules: &rules,
        snapshot: &snapshot,
        state: &state,
        events: &events,
        unnamed: &Default::default(),
        labels: &labels,
        running: &[],
        selection: &selection,
        inspections: &BTreeMap::new(),
        attempts: &Attempts::new(),
        gaps: &[],
        pins: PinTerms::default(),
        database: &[],
        claim: None,
    });
    assert_eq!(plan.report.counts.tags, TAGS as u64);
    state
}

#[test]
fn a_tag_takes_under_200_bytes_while_its_repository_is_decided_f93_i28() {
    let key = RepositoryKey {
        source: "shop".parse().expect("a source's name"),
        name: "api".parse().expect("a repository's name"),
    };
    for long in [false, true] {
        let mut written = serde_json::to_string(&RepositoryState::default()).expect("a state");
        for look in ["new", "known"] {
            let before = MEMORY.current_usage();
            let known: RepositoryState = serde_json::from_str(&written).expect("what was written");
            let tags = listed(long, &known);
            MEMORY.reset_peak_usage();
            let state = decide_all(&key, tags, known);
            let each = (MEMORY.peak_usage() - before).saturating_sub(ONCE) / TAGS;
            assert!(each < 200, "{each} bytes for each of {TAGS} {look} tags such as {}", name(TAGS - 1, long));
            written = serde_json::to_string(&state).expect("a state");
        }
    }
}
