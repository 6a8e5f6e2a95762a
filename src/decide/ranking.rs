//! Releases known by their tags, most recent first, and what that order rests on.
//!
//! Names are compared within a family alone (`naming`): what else is put in one row goes by when it was first seen, or
//! pushed where the registry tells. Where neither tells, the row has some order, always the same one, and
//! [`Place::by_name`] says that nobody knows it.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use jiff::Timestamp;

use crate::model::{ArtifactId, NamePatterns, Order};

use super::naming::{Family, Reading, Scheme, Tail, stem};
use super::order::{Natural, Version};
use super::rollback_set::Named;

/// When a release came to be known: by the commit that holds its first sighting, within one commit by when the source
/// says that it was pushed. By the push alone where all were pushed at known times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrival {
    pub(super) sequence: Option<u64>,
    pub(super) pushed: Option<Timestamp>,
}

impl Arrival {
    /// Whether it came later than another one, if that is known.
    pub(super) fn later(self, other: Self) -> Option<bool> {
        let by_sequence = self.sequence.zip(other.sequence).map(|(this, that)| this.cmp(&that));
        let by_push = || self.pushed.zip(other.pushed).map(|(this, that)| this.cmp(&that));
        match by_sequence.filter(|order| order.is_ne()).or_else(by_push)? {
            Ordering::Equal => None,
            order => Some(order.is_gt()),
        }
    }
}

/// Where a release stands, and by what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// None for what names no version and comes after all that do.
    pub(super) family: Option<u32>,
    /// Among the numbers of its family, most recent first.
    group: u32,
    /// Who counts behind those numbers.
    series: u32,
    /// How far, most recent first.
    step: u32,
    pub(super) arrival: Arrival,
}

impl Place {
    /// Whether it is newer than another release, as far as their names tell.
    pub(super) fn by_name(&self, other: &Self) -> Option<bool> {
        match (self.family, other.family) {
            (Some(this), Some(that)) if this != that => None,
            (Some(_), Some(_)) if self.group != other.group => Some(self.group < other.group),
            (Some(_), Some(_)) if self.series != other.series || self.step == other.step => None,
            (Some(_), Some(_)) => Some(self.step < other.step),
            (None, None) => None,
            (this, _) => Some(this.is_some()),
        }
    }
}

/// A tag with its place.
pub(super) struct Ranked<'n, 'a> {
    pub(super) named: &'n Named<'a>,
    pub(super) place: Place,
}

/// Ranks the tags of one rule, most recent first. Whatever order they come in, they leave in the same one.
pub(super) fn rank<'n, 'a>(tags: Vec<&'n Named<'a>>, order: Order, patterns: &NamePatterns) -> Vec<Ranked<'n, 'a>> {
    let arrivals = Arrivals::of(&tags, order);
    let (entries, rest) = match order {
        Order::Semver => by_version(tags, patterns),
        Order::Name => (tags.into_iter().map(|named| (by_name(named.label), named)).collect(), Vec::new()),
        Order::Pushed => (tags.into_iter().map(|named| (Key::lone(named.label), named)).collect(), Vec::new()),
    };
    let mut families: BTreeMap<Kin, Vec<Entry<'n, 'a>>> = BTreeMap::new();
    for (Key { kin, grade, reading }, named) in entries {
        let arrival = arrivals.at(named);
        families.entry(kin).or_default().push(Entry { grade, reading, named, arrival });
    }
    let families: Vec<Vec<Ranked<'n, 'a>>> =
        (0..).zip(families.into_values()).map(|(number, entries)| family(number, entries)).collect();
    let mut ranked = merge(families);
    ranked.extend(unversioned(rest, &arrivals));
    ranked
}

/// Who is compared by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kin {
    /// A family of numbers.
    Family(Family),
    /// The tags of one pattern, which names no versions where the rule's others do.
    Pattern(usize),
    /// Nobody else.
    Alone(Box<str>),
}

/// What is compared first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    None,
    Numbers(Vec<u64>),
    Stem(Box<str>),
}

struct Key {
    kin: Kin,
    grade: Grade,
    reading: Option<Reading>,
}

impl Key {
    fn of(reading: Reading) -> Self {
        let (kin, grade) = (Kin::Family(reading.family.clone()), Grade::Numbers(reading.numbers.clone()));
        Self { kin, grade, reading: Some(reading) }
    }

    fn lone(label: &str) -> Self {
        Self { kin: Kin::Alone(label.into()), grade: Grade::None, reading: None }
    }
}

type Keyed<'n, 'a> = Vec<(Key, &'n Named<'a>)>;

/// Versions by family, and what is none.
fn by_version<'n, 'a>(tags: Vec<&'n Named<'a>>, patterns: &NamePatterns) -> (Keyed<'n, 'a>, Vec<&'n Named<'a>>) {
    let (mut versions, mut numbers, mut rest) = (Vec::with_capacity(tags.len()), Vec::new(), Vec::new());
    for named in tags {
        match Reading::of(named.label) {
            Some(reading) if reading.family.1 == Scheme::Number => numbers.push((Key::of(reading), named)),
            Some(reading) => versions.push((Key::of(reading), named)),
            None => rest.push(named),
        }
    }
    if versions.is_empty() {
        return (numbers, rest);
    }
    if numbers.is_empty() && rest.is_empty() {
        return (versions, rest);
    }
    // A pattern that matches versions means those. One that matches none can mean only what it matches.
    let included = patterns.entries().iter().enumerate().filter(|(_, entry)| !entry.starts_with('!'));
    let single = included.filter_map(|(at, entry)| Some((at, NamePatterns::new([entry]).ok()?)));
    let bare: Vec<(usize, NamePatterns)> =
        single.filter(|(_, pattern)| !versions.iter().any(|(_, named)| pattern.matches(named.label))).collect();
    let meant = |named: &Named<'_>| bare.iter().find(|(_, pattern)| pattern.matches(named.label)).map(|(at, _)| *at);
    let mut others = Vec::new();
    for named in rest {
        match meant(named) {
            Some(at) => versions.push((Key { kin: Kin::Pattern(at), grade: Grade::None, reading: None }, named)),
            None => others.push(named),
        }
    }
    for (key, named) in numbers {
        match meant(named) {
            Some(_) => versions.push((key, named)),
            None => others.push(named),
        }
    }
    (versions, others)
}

fn by_name(label: &str) -> Key {
    // Words compare as words here, and years do not compare with versions.
    let calendar = Reading::of(label).is_some_and(|reading| reading.family.1 == Scheme::Calendar);
    let scheme = if calendar { Scheme::Calendar } else { Scheme::Version };
    Key { kin: Kin::Family(("".into(), scheme)), grade: Grade::Stem(stem(label).into()), reading: None }
}

struct Entry<'n, 'a> {
    grade: Grade,
    reading: Option<Reading>,
    named: &'n Named<'a>,
    arrival: Arrival,
}

impl Entry<'_, '_> {
    fn by_grade(&self, other: &Self) -> Ordering {
        match (&self.grade, &other.grade) {
            (Grade::Stem(this), Grade::Stem(that)) => Natural(this).cmp(&Natural(that)),
            (this, that) => this.cmp(that),
        }
    }
}

/// One family, most recent first: by its numbers, then by who counts behind them.
fn family<'n, 'a>(number: u32, mut entries: Vec<Entry<'n, 'a>>) -> Vec<Ranked<'n, 'a>> {
    entries.sort_by(|a, b| b.by_grade(a));
    let mut ranked = Vec::with_capacity(entries.len());
    let groups = entries.chunk_by(|a, b| a.by_grade(b).is_eq());
    for (at, group) in (0..).zip(groups) {
        ranked.extend(self::group(number, at, group));
    }
    ranked
}

/// Releases of the same numbers.
fn group<'n, 'a>(number: u32, at: u32, entries: &[Entry<'n, 'a>]) -> Vec<Ranked<'n, 'a>> {
    let hashes: BTreeSet<(usize, usize)> =
        entries.iter().filter_map(|entry| entry.reading.as_ref()).flat_map(Reading::hashes).collect();
    let mut series: BTreeMap<(bool, Box<str>), Vec<(Option<Tail>, &Entry<'n, 'a>)>> = BTreeMap::new();
    for entry in entries {
        let tail = entry.reading.as_ref().map(|reading| reading.tail(&hashes));
        let name = tail.as_ref().map_or((true, "".into()), |tail| tail.series.clone());
        series.entry(name).or_default().push((tail, entry));
    }
    let chains = (0..).zip(series.into_values()).map(|(count, mut entries)| {
        let place = |tail: &Option<Tail>| tail.as_ref().map(|tail| tail.place.clone());
        entries.sort_by(|(a, x), (b, y)| {
            let (a, b) = (place(a), place(b));
            b.cmp(&a)
                .then_with(|| y.arrival.cmp(&x.arrival))
                .then_with(|| Natural(y.named.label).cmp(&Natural(x.named.label)))
                .then_with(|| y.named.tag.cmp(x.named.tag))
        });
        let steps = entries.chunk_by(|(a, _), (b, _)| place(a) == place(b));
        let ranked = (0..).zip(steps).flat_map(|(step, entries)| {
            entries.iter().map(move |(_, entry)| Ranked {
                named: entry.named,
                place: Place { family: Some(number), group: at, series: count, step, arrival: entry.arrival },
            })
        });
        ranked.collect()
    });
    merge(chains.collect())
}

/// The next one of a chain, ordered by what is known without its name, then by what has always decided.
struct Head<'n, 'a> {
    next: Ranked<'n, 'a>,
    version: Option<Version>,
    chain: usize,
}

impl<'n, 'a> Head<'n, 'a> {
    fn of(next: Ranked<'n, 'a>, chain: usize) -> Self {
        // A number alone is no version, and comes after all that are.
        let version = Version::read(next.named.label).filter(|version| version.conventional);
        Self { next, version, chain }
    }

    fn key(&self) -> impl Ord {
        let named = self.next.named;
        (self.next.place.arrival, self.version.as_ref(), Natural(named.label), named.tag)
    }
}

impl Ord for Head<'_, '_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Head<'_, '_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head<'_, '_> {}

/// Puts chains in one row. Each keeps its own order; between them goes first what arrived last.
fn merge<'n, 'a>(mut chains: Vec<Vec<Ranked<'n, 'a>>>) -> Vec<Ranked<'n, 'a>> {
    if chains.len() < 2 {
        return chains.pop().unwrap_or_default();
    }
    let mut chains: Vec<_> = chains.into_iter().map(IntoIterator::into_iter).collect();
    let mut heads: BinaryHeap<Head<'n, 'a>> = BinaryHeap::with_capacity(chains.len());
    for (at, chain) in chains.iter_mut().enumerate() {
        heads.extend(chain.next().map(|next| Head::of(next, at)));
    }
    let mut merged = Vec::new();
    while let Some(Head { next, chain, .. }) = heads.pop() {
        merged.push(next);
        heads.extend(chains[chain].next().map(|next| Head::of(next, chain)));
    }
    merged
}

/// What names no version comes after all that do: by first sight, then by name.
fn unversioned<'n, 'a>(mut tags: Vec<&'n Named<'a>>, arrivals: &Arrivals) -> impl Iterator<Item = Ranked<'n, 'a>> {
    tags.sort_by_cached_key(|named| Reverse((arrivals.at(named), Natural(named.label), named.tag)));
    let arrivals = *arrivals;
    tags.into_iter().map(move |named| {
        let arrival = arrivals.at(named);
        Ranked { named, place: Place { family: None, group: 0, series: 0, step: 0, arrival } }
    })
}

/// What arrivals are taken from in one rule.
#[derive(Debug, Clone, Copy)]
struct Arrivals {
    order: Order,
    /// Every tag's push is known, and says more than when it was first seen.
    pushed: bool,
}

impl Arrivals {
    fn of(tags: &[&Named<'_>], order: Order) -> Self {
        Self { order, pushed: tags.iter().all(|named| named.pushed().is_some()) }
    }

    fn at(&self, named: &Named<'_>) -> Arrival {
        let original = named.history.original();
        let sequence = original.map(|sighting| sighting.since.sequence);
        let built = || original.and_then(|sighting| sighting.created);
        match self.order {
            // A bucket tells itself when an object was written. Whoever builds an image chooses its build time, so
            // that only orders what was first seen together.
            Order::Pushed => {
                let written =
                    original.is_some_and(|original| matches!(original.artifact, ArtifactId::ObjectVersion { .. }));
                Arrival { sequence: if written { None } else { sequence }, pushed: built() }
            }
            Order::Semver | Order::Name => {
                let pushed = named.pushed();
                Arrival { sequence: if self.pushed { None } else { sequence }, pushed }
            }
        }
    }
}
