//! What deciding costs, pure: 1,000,000 artifacts in 1,000 repositories, two tags each, from the texts that a registry
//! sends to findings, events and reasons; beside it a floor written as plainly as can be, which only parses, compares,
//! matches and selects.
//!
//!     cargo bench --bench plan
//!     PRODPIN_BENCH_REPOSITORIES=5 valgrind --tool=callgrind target/release/deps/plan-… program
//!
//! Repositories are made one after the other outside the clock, as a run reads them. An argument chooses one of
//! `program` and `floor`, so that instructions can be counted for each by itself.

#![expect(clippy::print_stdout, reason = "figures are what this is for")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use globset::{Glob, GlobSet, GlobSetBuilder};
use jiff::Timestamp;
use prodpin::decide::{self, Attempts, Input, Plan, Rules};
use prodpin::model::{
    ArtifactId, Closure, Digest, Inspection, Mark, Mode, NamePatterns, ObservedTag, Order, PinState, Presence,
    ProductionRule, RepositoryKey, RepositoryState, Resolution, Snapshot,
};

const ARTIFACTS: usize = 1000;
const GLOBS: [&str; 5] = ["v[0-9]*", "release-*", "prod-*", "stable-*", "20[0-9][0-9].*"];

fn main() -> anyhow::Result<()> {
    let chosen: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runs = |part: &str| chosen.is_empty() || chosen.iter().any(|argument| argument == part);
    let number = env::var("PRODPIN_BENCH_REPOSITORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let key = RepositoryKey { source: "bench".parse()?, name: "bench/0".parse()? };
    let rules = Rules {
        keep: 5,
        production: vec![ProductionRule::Tags { patterns: NamePatterns::new(GLOBS)?, order: Order::Semver }],
        may_move: NamePatterns::new(["latest"])?,
    };
    let globs = globs()?;
    let (mut program, mut floor) = (Duration::ZERO, Duration::ZERO);
    for repository in 0..number {
        let listed = listing(repository);
        if runs("program") {
            let mut state = known(&listed, &key, &rules)?;
            let start = Instant::now();
            black_box(decided(&listed, &mut state, &key, &rules)?);
            program += start.elapsed();
        }
        if runs("floor") {
            let previous = previous(&listed);
            let start = Instant::now();
            black_box(plainly(&listed, &previous, &globs));
            floor += start.elapsed();
        }
    }
    let each = |time: Duration| time.as_secs_f64() * 1e6 / (number * ARTIFACTS) as f64;
    println!("{number} repositories of {ARTIFACTS} artifacts with two tags each, one thread");
    println!("  floor   {:>7.3} us/artifact", each(floor));
    println!("  program {:>7.3} us/artifact, {:.2} x the floor", each(program), each(program) / each(floor));
    Ok(())
}

/// Tags and digests as they come over the wire. The order is the registry's: by name.
fn listing(repository: usize) -> Vec<(String, String)> {
    let mut listed = Vec::new();
    for artifact in 0..ARTIFACTS {
        let digest = Digest::sha256(format!("{repository}/{artifact}").as_bytes());
        listed.push((format!("v1.{}.{}", artifact / 10, artifact % 10), digest.to_string()));
        listed.push((format!("main-{}", &digest.hex()[..12]), digest.to_string()));
    }
    listed.sort();
    listed
}

/// What the run before saw: everything but the last release, and one release that has been moved since.
fn before(listed: &[(String, String)]) -> impl Iterator<Item = (&str, String)> {
    listed.iter().filter(|(tag, _)| tag != "v1.99.9").map(|(tag, digest)| {
        let moved = tag == "v1.50.0";
        (tag.as_str(), if moved { Digest::sha256(b"before it moved").to_string() } else { digest.clone() })
    })
}

fn snapshot<T: AsRef<str>>(listed: impl Iterator<Item = (T, T)>) -> anyhow::Result<Snapshot> {
    let tags = listed.map(|(tag, digest)| {
        let target = Resolution::Artifact(digest.as_ref().parse::<Digest>()?.into());
        Ok(ObservedTag { name: tag.as_ref().parse()?, target, pushed: None, object: None })
    });
    Ok(Snapshot { tags: tags.collect::<anyhow::Result<_>>()?, gaps: Vec::new(), ..Snapshot::default() })
}

fn known(listed: &[(String, String)], key: &RepositoryKey, rules: &Rules) -> anyhow::Result<RepositoryState> {
    let snapshot = snapshot(before(listed).map(|(tag, digest)| (tag.to_owned(), digest)))?;
    let mut state = RepositoryState::default();
    let plan = planned(&snapshot, &mut state, key, rules);
    decide::fold(&mut state, mark(1), &plan.events);
    Ok(state)
}

fn mark(sequence: u64) -> Mark {
    Mark { sequence, at: Timestamp::UNIX_EPOCH }
}

fn decided(
    listed: &[(String, String)],
    state: &mut RepositoryState,
    key: &RepositoryKey,
    rules: &Rules,
) -> anyhow::Result<Plan> {
    let snapshot = snapshot(listed.iter().map(|(tag, digest)| (tag, digest)))?;
    Ok(planned(&snapshot, state, key, rules))
}

/// The steps of a run, with everything that would be read in between at hand.
fn planned(snapshot: &Snapshot, state: &mut RepositoryState, key: &RepositoryKey, rules: &Rules) -> Plan {
    let survey = decide::survey(snapshot, state, rules);
    assert!(survey.absent.is_empty() && survey.vanished.is_none());
    let events = decide::changes(snapshot, &decide::Asked::default(), state);
    decide::fold(state, mark(2), &events);
    let (labels, attempts) = (BTreeMap::new(), Attempts::new());
    let selection = decide::select(rules, snapshot, state, &labels, &[], &BTreeSet::new(), Timestamp::UNIX_EPOCH);
    let mut inspections = BTreeMap::new();
    loop {
        let unseen = selection.unseen(rules.keep, &inspections);
        if unseen.is_empty() {
            break;
        }
        inspections.extend(unseen.into_iter().map(|artifact| (artifact.clone(), whole(artifact))));
    }
    decide::plan(&Input {
        key,
        mode: Mode::Audit,
        now: Timestamp::UNIX_EPOCH,
        rules,
        snapshot,
        state,
        events: &events,
        unnamed: &Default::default(),
        labels: &labels,
        running: &[],
        selection: &selection,
        inspections: &inspections,
        attempts: &attempts,
        gaps: &[],
        pins: Default::default(),
        database: &[],
        claim: None,
    })
}

fn whole(artifact: ArtifactId) -> Inspection {
    Inspection {
        artifact,
        presence: Presence::Present,
        kind: None,
        created: None,
        closure: Closure::Complete,
        pin: PinState::Present,
        obstacles: Vec::new(),
        lost_attestations: Vec::new(),
        children: Vec::new(),
        gaps: Vec::new(),
        object: None,
        parts: Default::default(),
        pin_is_immutable: None,
        undeletable: None,
    }
}

/// What the floor remembers: the digest of every tag.
fn previous(listed: &[(String, String)]) -> HashMap<String, [u8; 32]> {
    before(listed).filter_map(|(tag, digest)| Some((tag.to_owned(), bytes_of(&digest)?))).collect()
}

fn globs() -> anyhow::Result<GlobSet> {
    let mut builder = GlobSetBuilder::new();
    for glob in GLOBS {
        builder.add(Glob::new(glob)?);
    }
    Ok(builder.build()?)
}

/// The five most recent releases and the names of tags that changed, and nothing else: no reasons, no findings.
fn plainly<'a>(
    listed: &'a [(String, String)],
    previous: &HashMap<String, [u8; 32]>,
    globs: &GlobSet,
) -> (Vec<[u8; 32]>, Vec<&'a str>) {
    let (mut changed, mut releases) = (Vec::new(), Vec::new());
    for (tag, digest) in listed {
        let Some(digest) = bytes_of(digest) else { continue };
        if previous.get(tag.as_str()) != Some(&digest) {
            changed.push(tag.as_str());
        }
        if globs.is_match(tag) {
            releases.push((version(tag), digest));
        }
    }
    releases.sort_unstable_by(|a, b| b.cmp(a));
    let mut recent: Vec<[u8; 32]> = Vec::new();
    for (_, digest) in releases {
        if recent.len() == 5 {
            break;
        }
        if !recent.contains(&digest) {
            recent.push(digest);
        }
    }
    (recent, changed)
}

fn bytes_of(text: &str) -> Option<[u8; 32]> {
    let hex = text.strip_prefix("sha256:")?.as_bytes();
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(bytes)
}

fn version(tag: &str) -> [u64; 3] {
    let mut version = [0; 3];
    for (number, part) in version.iter_mut().zip(tag.trim_start_matches('v').split('.')) {
        *number = part.parse().unwrap_or(0);
    }
    version
}
