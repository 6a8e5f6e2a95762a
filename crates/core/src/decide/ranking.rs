//! Releases known by their tags, most recent first, and what that order rests on.
//!
//! Names are compared within a family alone (`naming`): what else is put in one row goes by when it was first seen, or
//! pushed where the registry tells. Where neither tells, the row has some order, always the same one, and
//! [`Place::by_name`] says that nobody knows it.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use jiff::Timestamp;

use crate::model::{ArtifactId, NamePatterns, Order};

use super::named::Named;
use super::naming::{Family, Reading, Scheme, stem};
use super::order::{Natural, Suffix, Version};

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
    /// It names no version, and comes after all that do.
    after: bool,
    /// None for what is compared with nothing by its name.
    pub(super) family: Option<u32>,
    /// Its first number, and when the first release of that arrived.
    pub(super) line: Option<(u64, Arrival)>,
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
        if self.after != other.after {
            return Some(other.after);
        }
        if self.family.is_none() || self.family != other.family {
            return None;
        }
        if self.group != other.group {
            return Some(self.group < other.group);
        }
        (self.series == other.series && self.step != other.step).then_some(self.step < other.step)
    }
}

/// A tag with its place.
pub(super) struct Ranked<'n, 'a> {
    pub(super) named: &'n Named<'a>,
    pub(super) place: Place,
}

/// The tags of one rule, put in order. There may be a million of them: what is held of each is small, and the rest is
/// worked out while they are gone through.
pub(super) struct Ranking<'n, 'a> {
    /// By family, and in it by what is compared first; those that come after all versions last.
    entries: Vec<Entry<'n, 'a>>,
    /// What names no version and no number, and comes after all versions.
    rest: Vec<&'n Named<'a>>,
    /// When the first release of each first number of a family arrived.
    lines: BTreeMap<(u32, u64), Arrival>,
    arrivals: Arrivals,
}

struct Entry<'n, 'a> {
    named: &'n Named<'a>,
    after: bool,
    family: u32,
    grade: Grade,
}

type Chain<'s, 'n, 'a> = Box<dyn Iterator<Item = Ranked<'n, 'a>> + 's>;

/// What is compared first within a family.
#[derive(Debug, Clone, Copy)]
enum Grade {
    /// Nothing.
    None,
    /// The first three numbers, and whether there are more.
    Numbers([u64; 3], bool),
    /// The name up to a hash.
    Stem,
}

impl<'n, 'a> Ranking<'n, 'a> {
    pub(super) fn of(tags: Vec<&'n Named<'a>>, order: Order, patterns: &NamePatterns) -> Self {
        let arrivals = Arrivals::of(&tags, order);
        let (mut entries, mut rest) = match order {
            Order::Semver => by_version(tags, patterns),
            Order::Name => (tags.into_iter().map(by_name).collect(), Vec::new()),
            Order::Pushed => (by_arrival(tags, &arrivals), Vec::new()),
        };
        if order != Order::Pushed {
            entries.sort_unstable_by(|a, b| (a.after, a.family).cmp(&(b.after, b.family)).then_with(|| b.by_grade(a)));
        }
        rest.sort_by_cached_key(|named| Reverse((arrivals.at(named), Natural(named.label), named.tag)));
        let mut lines: BTreeMap<(u32, u64), Arrival> = BTreeMap::new();
        for entry in &entries {
            if let Grade::Numbers([first, ..], _) = entry.grade {
                let arrival = arrivals.at(entry.named);
                let since = lines.entry((entry.family, first)).or_insert(arrival);
                *since = arrival.min(*since);
            }
        }
        Self { entries, rest, lines, arrivals }
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = &'n Named<'a>> {
        self.entries.iter().map(|entry| entry.named).chain(self.rest.iter().copied())
    }

    /// When the last of them arrived.
    pub(super) fn latest(&self) -> Option<Arrival> {
        self.tags().map(|named| self.arrivals.at(named)).max()
    }

    /// Most recent first. Whatever order they came in, they leave in the same one.
    pub(super) fn ranked(&self) -> Chain<'_, 'n, 'a> {
        let arrivals = &self.arrivals;
        let alone = move |named: &'n Named<'a>, after: bool, family: Option<u32>| {
            let arrival = arrivals.at(named);
            Ranked { named, place: Place { after, family, line: None, group: 0, series: 0, step: 0, arrival } }
        };
        if arrivals.order == Order::Pushed {
            // Each by itself, and in order already.
            return Box::new(self.entries.iter().map(move |entry| alone(entry.named, false, Some(entry.family))));
        }
        let (versions, numbers) = self.entries.split_at(self.entries.partition_point(|entry| !entry.after));
        let rest: Chain<'_, 'n, 'a> = Box::new(self.rest.iter().map(move |named| alone(named, true, None)));
        let after = self.families(numbers).chain([rest]);
        Box::new(Merge::of(self.families(versions).collect()).chain(Merge::of(after.collect())))
    }

    fn families<'s>(&'s self, entries: &'s [Entry<'n, 'a>]) -> impl Iterator<Item = Chain<'s, 'n, 'a>> {
        entries.chunk_by(|a, b| a.family == b.family).map(move |family| {
            let groups = (0..).zip(family.chunk_by(|a, b| a.by_grade(b).is_eq()));
            let ranked = groups.flat_map(move |(at, entries)| group(at, entries, &self.lines, &self.arrivals));
            Box::new(ranked) as Chain<'s, 'n, 'a>
        })
    }
}

/// Who is compared by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kin {
    /// A family of numbers.
    Family(Family),
    /// The tags of one pattern, which names no versions where the rule's others do.
    Pattern(usize),
}

/// Numbers families as they are met.
#[derive(Default)]
struct Families(BTreeMap<Kin, u32>);

impl Families {
    fn number(&mut self, kin: Kin) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(kin).or_insert(next)
    }
}

type Entries<'n, 'a> = Vec<Entry<'n, 'a>>;

/// Versions by family, and what is none.
fn by_version<'n, 'a>(tags: Vec<&'n Named<'a>>, patterns: &NamePatterns) -> (Entries<'n, 'a>, Vec<&'n Named<'a>>) {
    let mut families = Families::default();
    let (mut versions, mut numbers, mut rest) = (Vec::with_capacity(tags.len()), Vec::new(), Vec::new());
    for named in tags {
        let Some(Reading { family, numbers: read, .. }) = Reading::of(named.label) else {
            rest.push(named);
            continue;
        };
        let alone = family.1 == Scheme::Number;
        let mut first = [0; 3];
        first.iter_mut().zip(&read).for_each(|(slot, number)| *slot = *number);
        let grade = Grade::Numbers(first, read.len() > 3);
        let entry = Entry { named, after: false, family: families.number(Kin::Family(family)), grade };
        let list = if alone { &mut numbers } else { &mut versions };
        list.push(entry);
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
        single.filter(|(_, pattern)| !versions.iter().any(|entry| pattern.matches(entry.named.label))).collect();
    let meant = |named: &Named<'_>| bare.iter().find(|(_, pattern)| pattern.matches(named.label)).map(|(at, _)| *at);
    let mut others = Vec::new();
    for named in rest {
        match meant(named) {
            Some(at) => {
                let family = families.number(Kin::Pattern(at));
                versions.push(Entry { named, after: false, family, grade: Grade::None });
            }
            None => others.push(named),
        }
    }
    versions.extend(numbers.into_iter().map(|entry| Entry { after: meant(entry.named).is_none(), ..entry }));
    (versions, others)
}

fn by_name<'n, 'a>(named: &'n Named<'a>) -> Entry<'n, 'a> {
    // Words compare as words here, and years do not compare with versions.
    let calendar = Reading::of(named.label).is_some_and(|reading| reading.family.1 == Scheme::Calendar);
    Entry { named, after: false, family: u32::from(calendar), grade: Grade::Stem }
}

fn by_arrival<'n, 'a>(mut tags: Vec<&'n Named<'a>>, arrivals: &Arrivals) -> Entries<'n, 'a> {
    tags.sort_by_cached_key(|named| Reverse((arrivals.at(named), Natural(named.label), named.tag)));
    (0..).zip(tags).map(|(family, named)| Entry { named, after: false, family, grade: Grade::None }).collect()
}

impl Entry<'_, '_> {
    fn by_grade(&self, other: &Self) -> Ordering {
        let all = |entry: &Self| Reading::of(entry.named.label).map(|reading| reading.numbers);
        match (self.grade, other.grade) {
            (Grade::Numbers(this, more), Grade::Numbers(that, others)) => {
                this.cmp(&that).then_with(|| if more || others { all(self).cmp(&all(other)) } else { Ordering::Equal })
            }
            (Grade::Stem, Grade::Stem) => Natural(stem(self.named.label)).cmp(&Natural(stem(other.named.label))),
            _ => Ordering::Equal,
        }
    }
}

/// Releases of the same numbers, by who counts behind them.
fn group<'n, 'a>(
    at: u32,
    entries: &[Entry<'n, 'a>],
    lines: &BTreeMap<(u32, u64), Arrival>,
    arrivals: &Arrivals,
) -> Vec<Ranked<'n, 'a>> {
    let place = |entry: &Entry<'n, 'a>, series, step| {
        let arrival = arrivals.at(entry.named);
        let line = match entry.grade {
            Grade::Numbers([first, ..], _) => lines.get(&(entry.family, first)).map(|since| (first, *since)),
            Grade::None | Grade::Stem => None,
        };
        let place = Place { after: entry.after, family: Some(entry.family), line, group: at, series, step, arrival };
        Ranked { named: entry.named, place }
    };
    if let [alone] = entries {
        return vec![place(alone, 0, 0)];
    }
    let read = |entry: &Entry<'_, '_>| match entry.grade {
        Grade::Numbers(..) => Reading::of(entry.named.label),
        Grade::None | Grade::Stem => None,
    };
    let hashes: BTreeSet<(usize, usize)> =
        entries.iter().filter_map(read).flat_map(|reading| reading.hashes().collect::<Vec<_>>()).collect();
    type Series<'e, 'n, 'a> = BTreeMap<(bool, Box<str>), Vec<(Option<Suffix>, &'e Entry<'n, 'a>)>>;
    let mut series: Series<'_, 'n, 'a> = BTreeMap::new();
    for entry in entries {
        let tail = read(entry).map(|reading| reading.tail(&hashes));
        let (name, counted) = tail.map_or(((true, "".into()), None), |tail| (tail.series, Some(tail.place)));
        series.entry(name).or_default().push((counted, entry));
    }
    let chains = (0..).zip(series.into_values()).map(|(number, mut entries)| {
        entries.sort_by(|(a, x), (b, y)| {
            let key = |entry: &Entry<'n, 'a>| (arrivals.at(entry.named), Natural(entry.named.label), entry.named.tag);
            b.cmp(a).then_with(|| key(y).cmp(&key(x)))
        });
        let steps = (0..).zip(entries.chunk_by(|(a, _), (b, _)| a == b));
        let ranked = steps.flat_map(|(step, entries)| entries.iter().map(move |(_, entry)| place(entry, number, step)));
        ranked.collect::<Vec<_>>().into_iter()
    });
    Merge::of(chains.collect()).collect()
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
struct Merge<'n, 'a, I> {
    chains: Vec<I>,
    heads: BinaryHeap<Head<'n, 'a>>,
}

impl<'n, 'a, I: Iterator<Item = Ranked<'n, 'a>>> Merge<'n, 'a, I> {
    fn of(mut chains: Vec<I>) -> Self {
        let heads = chains.iter_mut().enumerate().filter_map(|(at, chain)| Some(Head::of(chain.next()?, at))).collect();
        Self { chains, heads }
    }
}

impl<'n, 'a, I: Iterator<Item = Ranked<'n, 'a>>> Iterator for Merge<'n, 'a, I> {
    type Item = Ranked<'n, 'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let Head { next, chain, .. } = self.heads.pop()?;
        self.heads.extend(self.chains[chain].next().map(|next| Head::of(next, chain)));
        Some(next)
    }
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
