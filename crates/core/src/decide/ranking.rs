//! Releases known by their tags, most recent first, and what that order rests on.
//!
//! Names are compared within a family alone (`naming`): what else is put in one row goes by when it was first seen, or
//! pushed where the registry tells. Where neither tells, the row has some order, always the same one, and
//! [`Rank::by_name`] says that nobody knows it.

use std::cell::RefCell;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{NamePatterns, Order};

use super::named::Named;
use super::naming::{Family, Reading, Scheme, stem};
use super::order::{Natural, Suffix};

mod arrival;
mod merge;

pub(super) use arrival::Arrival;
use arrival::Arrivals;
use merge::Merge;

/// Where a release stands, and by what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rank {
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

impl Rank {
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

/// A tag in the row of its rule.
#[derive(Clone, Copy)]
pub(super) struct Ranked<'s, 'a> {
    entry: &'s Entry<'a>,
    group: u32,
    series: u32,
    step: u32,
}

impl<'s, 'a> Ranked<'s, 'a> {
    fn alone(entry: &'s Entry<'a>) -> Self {
        Self { entry, group: 0, series: 0, step: 0 }
    }

    pub(super) fn named(&self) -> Named<'a> {
        self.entry.named
    }

    pub(super) fn family(&self) -> Option<u32> {
        Some(self.entry.class.family()).filter(|family| *family != NO_FAMILY)
    }
}

/// The tags of one rule, put in order. There may be a million of them: what is held of each is small, and the rest is
/// worked out while they are gone through.
pub(super) struct Ranking<'a> {
    /// By family, and in it by what is compared first; those that come after all versions last.
    entries: Vec<Entry<'a>>,
    /// What names no version and no number, and comes after all versions.
    rest: Vec<Entry<'a>>,
    /// When the first release of each first number of a family arrived, as far as it was asked.
    lines: RefCell<BTreeMap<(u32, u64), Option<Arrival>>>,
    arrivals: Arrivals,
}

/// Four words, because a rule may match a million tags (F93).
struct Entry<'a> {
    named: Named<'a>,
    /// The first three numbers, where these are compared first. From one on that takes more than its place they are not
    /// told: the name is read again there.
    numbers: [u32; 3],
    class: Class,
}

/// Whether it comes after all versions, its family and its grade.
#[derive(Debug, Clone, Copy)]
struct Class(u32);

impl Class {
    const AFTER: u32 = 1 << 31;
    const GRADE: u32 = 29;

    fn new(after: bool, family: u32, grade: Grade) -> Self {
        Self(u32::from(after) << 31 | (grade as u32) << Self::GRADE | family.min(NO_FAMILY))
    }

    fn after(self) -> bool {
        self.0 & Self::AFTER != 0
    }

    fn family(self) -> u32 {
        self.0 & NO_FAMILY
    }

    fn grade(self) -> Grade {
        [Grade::None, Grade::Numbers, Grade::More, Grade::Stem][(self.0 >> Self::GRADE & 3) as usize]
    }
}

/// Compared with nothing by its name. No repository has as many tags as this.
const NO_FAMILY: u32 = (1 << Class::GRADE) - 1;

type Chain<'s, 'a> = Box<dyn Iterator<Item = Ranked<'s, 'a>> + 's>;

/// What is compared first within a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    /// Nothing.
    None,
    /// Three numbers.
    Numbers,
    /// Three numbers, and more after them.
    More,
    /// The name up to a hash.
    Stem,
}

impl<'a> Ranking<'a> {
    /// `dated`: the source tells when tags were pushed.
    pub(super) fn new(
        tags: impl Iterator<Item = Named<'a>> + Clone,
        order: Order,
        patterns: &NamePatterns,
        dated: bool,
    ) -> Self {
        let arrivals = Arrivals::new(tags.clone(), order, dated);
        let (mut entries, mut rest) = match order {
            Order::Semver => by_version(tags, patterns),
            Order::Name => (collect(tags.map(by_name)), Vec::new()),
            Order::Pushed => (by_arrival(tags, &arrivals), Vec::new()),
        };
        if order != Order::Pushed {
            let place = |entry: &Entry<'_>| (entry.class.after(), entry.class.family());
            entries.sort_unstable_by(|a, b| place(a).cmp(&place(b)).then_with(|| b.by_grade(a)));
        }
        rest.sort_unstable_by(|a, b| arrivals.by_arrival(b.named, a.named));
        Self { entries, rest, lines: RefCell::default(), arrivals }
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = Named<'a>> {
        self.entries.iter().chain(&self.rest).map(|entry| entry.named)
    }

    /// When a tag arrived.
    pub(super) fn arrival(&self, named: Named<'_>) -> Arrival {
        self.arrivals.at(named)
    }

    /// When the last of them arrived.
    pub(super) fn latest(&self) -> Option<Arrival> {
        self.tags().map(|named| self.arrivals.at(named)).max()
    }

    /// Where a tag stands.
    pub(super) fn place(&self, ranked: &Ranked<'_, 'a>) -> Rank {
        let Ranked { entry, group, series, step } = *ranked;
        let line = match entry.class.grade() {
            Grade::Numbers | Grade::More => self.since(entry).map(|since| (entry.first(), since)),
            Grade::None | Grade::Stem => None,
        };
        let (after, arrival) = (entry.class.after(), self.arrivals.at(entry.named));
        Rank { after, family: ranked.family(), line, group, series, step, arrival }
    }

    /// When the first release of an entry's first number arrived.
    fn since(&self, entry: &Entry<'_>) -> Option<Arrival> {
        let (family, first) = (entry.class.family(), entry.first());
        *self.lines.borrow_mut().entry((family, first)).or_insert_with(|| {
            let line = |entries: &[Entry<'_>]| -> Option<Arrival> {
                let from = entries.partition_point(|other| other.line() < (family, Reverse(first)));
                let line = entries[from..].iter().take_while(|other| other.line() == (family, Reverse(first)));
                line.map(|other| self.arrivals.at(other.named)).min()
            };
            let (versions, after) = self.halves();
            line(versions).into_iter().chain(line(after)).min()
        })
    }

    /// Those that come first, and those that come after all of them.
    fn halves(&self) -> (&[Entry<'a>], &[Entry<'a>]) {
        self.entries.split_at(self.entries.partition_point(|entry| !entry.class.after()))
    }

    /// Most recent first. Whatever order they came in, they leave in the same one.
    pub(super) fn ranked(&self) -> Chain<'_, 'a> {
        if self.arrivals.order == Order::Pushed {
            // Each by itself, and in order already.
            return Box::new(self.entries.iter().map(Ranked::alone));
        }
        let (versions, numbers) = self.halves();
        let rest: Chain<'_, 'a> = Box::new(self.rest.iter().map(Ranked::alone));
        let after = self.families(numbers).chain([rest]);
        let versions = Merge::new(self.families(versions).collect(), &self.arrivals);
        Box::new(versions.chain(Merge::new(after.collect(), &self.arrivals)))
    }

    fn families<'s>(&'s self, entries: &'s [Entry<'a>]) -> impl Iterator<Item = Chain<'s, 'a>> {
        entries.chunk_by(|a, b| a.class.family() == b.class.family()).map(move |family| {
            let groups = (0..).zip(family.chunk_by(|a, b| a.by_grade(b).is_eq()));
            let ranked = groups.flat_map(move |(at, entries)| group(at, entries, &self.arrivals));
            Box::new(ranked) as Chain<'s, 'a>
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

type Entries<'a> = Vec<Entry<'a>>;

/// In a list that never grows: one that does is held twice.
fn collect<'a>(entries: impl Iterator<Item = Entry<'a>> + Clone) -> Entries<'a> {
    let mut all = Vec::with_capacity(entries.clone().count());
    all.extend(entries);
    all
}

/// The first three, up to one that is too large for its place, and whether there was none.
fn first_numbers(read: &[u64]) -> ([u32; 3], bool) {
    let mut first = [0; 3];
    for (slot, number) in first.iter_mut().zip(read) {
        *slot = u32::try_from(*number).unwrap_or(u32::MAX);
        if *slot == u32::MAX {
            return (first, false);
        }
    }
    (first, true)
}

/// Versions by family, and what is none.
fn by_version<'a>(
    tags: impl Iterator<Item = Named<'a>> + Clone,
    patterns: &NamePatterns,
) -> (Entries<'a>, Entries<'a>) {
    let mut families = Families::default();
    // Room for all where nearly always all are: a list that grows is held twice.
    let (mut versions, mut numbers, mut rest) = (Vec::with_capacity(tags.clone().count()), Vec::new(), Vec::new());
    for named in tags {
        let Some(Reading { family, numbers: read, .. }) = Reading::parse(named.label()) else {
            rest.push(Entry { named, numbers: [0; 3], class: Class::new(true, NO_FAMILY, Grade::None) });
            continue;
        };
        let alone = family.1 == Scheme::Number;
        let (first, fits) = first_numbers(&read);
        let grade = if read.len() > 3 || !fits { Grade::More } else { Grade::Numbers };
        let family = families.number(Kin::Family(family));
        let list = if alone { &mut numbers } else { &mut versions };
        list.push(Entry { named, numbers: first, class: Class::new(false, family, grade) });
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
        single.filter(|(_, pattern)| !versions.iter().any(|entry| pattern.matches(entry.named.label()))).collect();
    let meant = |named: Named<'_>| bare.iter().find(|(_, pattern)| pattern.matches(named.label())).map(|(at, _)| *at);
    rest.retain(|entry| {
        let at = meant(entry.named);
        versions.extend(at.map(|at| {
            let class = Class::new(false, families.number(Kin::Pattern(at)), entry.class.grade());
            Entry { class, ..*entry }
        }));
        at.is_none()
    });
    versions.extend(numbers.into_iter().map(|entry| {
        let Entry { named, class, .. } = entry;
        Entry { class: Class::new(meant(named).is_none(), class.family(), class.grade()), ..entry }
    }));
    (versions, rest)
}

fn by_name(named: Named<'_>) -> Entry<'_> {
    // Words compare as words here, and years do not compare with versions.
    let calendar = Reading::parse(named.label()).is_some_and(|reading| reading.family.1 == Scheme::Calendar);
    Entry { named, numbers: [0; 3], class: Class::new(false, u32::from(calendar), Grade::Stem) }
}

fn by_arrival<'a>(tags: impl Iterator<Item = Named<'a>> + Clone, arrivals: &Arrivals) -> Entries<'a> {
    let mut entries = collect(tags.map(|named| {
        let class = Class::new(false, 0, Grade::None);
        Entry { named, numbers: [0; 3], class }
    }));
    entries.sort_unstable_by(|a, b| arrivals.by_arrival(b.named, a.named));
    (0..).zip(&mut entries).for_each(|(family, entry)| entry.class = Class::new(false, family, Grade::None));
    entries
}

impl Entry<'_> {
    /// Its family and its first number, as they come.
    fn line(&self) -> (u32, Reverse<u64>) {
        (self.class.family(), Reverse(self.first()))
    }

    /// Its first number.
    fn first(&self) -> u64 {
        let read = || Reading::parse(self.named.label())?.numbers.first().copied();
        let here = self.numbers[0];
        if here == u32::MAX { read() } else { None }.unwrap_or_else(|| here.into())
    }

    fn by_grade(&self, other: &Self) -> Ordering {
        let all = |entry: &Self| Reading::parse(entry.named.label()).map(|reading| reading.numbers);
        match (self.class.grade(), other.class.grade()) {
            (Grade::Numbers, Grade::Numbers) => self.numbers.cmp(&other.numbers),
            (Grade::Numbers | Grade::More, Grade::Numbers | Grade::More) => {
                self.numbers.cmp(&other.numbers).then_with(|| all(self).cmp(&all(other)))
            }
            (Grade::Stem, Grade::Stem) => Natural(stem(self.named.label())).cmp(&Natural(stem(other.named.label()))),
            _ => Ordering::Equal,
        }
    }
}

/// Releases of the same numbers, by who counts behind them.
fn group<'s, 'a>(at: u32, entries: &'s [Entry<'a>], arrivals: &Arrivals) -> Vec<Ranked<'s, 'a>> {
    let place = |entry: &'s Entry<'a>, series, step| Ranked { entry, group: at, series, step };
    if let [alone] = entries {
        return vec![place(alone, 0, 0)];
    }
    let read = |entry: &Entry<'a>| match entry.class.grade() {
        Grade::Numbers | Grade::More => Reading::parse(entry.named.label()),
        Grade::None | Grade::Stem => None,
    };
    let hashes: BTreeSet<(usize, usize)> =
        entries.iter().filter_map(read).flat_map(|reading| reading.hashes().collect::<Vec<_>>()).collect();
    type Series<'s, 'a> = BTreeMap<(bool, Box<str>), Vec<(Option<Suffix>, &'s Entry<'a>)>>;
    let mut series: Series<'s, 'a> = BTreeMap::new();
    for entry in entries {
        let tail = read(entry).map(|reading| reading.tail(&hashes));
        let (name, counted) = tail.map_or(((true, "".into()), None), |tail| (tail.series, Some(tail.place)));
        series.entry(name).or_default().push((counted, entry));
    }
    let chains = (0..).zip(series.into_values()).map(|(number, mut entries)| {
        entries.sort_by(|(a, x), (b, y)| b.cmp(a).then_with(|| arrivals.by_arrival(y.named, x.named)));
        let steps = (0..).zip(entries.chunk_by(|(a, _), (b, _)| a == b));
        let ranked = steps.flat_map(|(step, entries)| entries.iter().map(move |(_, entry)| place(entry, number, step)));
        ranked.collect::<Vec<_>>().into_iter()
    });
    Merge::new(chains.collect(), arrivals).collect()
}
