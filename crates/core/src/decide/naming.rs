//! What the names of releases tell of which came first, and where they tell nothing: a commit's hash, a platform, another
//! scheme of numbers. Two names are compared where one person counting would have written both.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::order::{Suffix, Version};
use super::platform_tags::is_platform;

/// What stands between the parts of a tag.
const SEPARATORS: [char; 4] = ['-', '.', '_', '+'];

/// What numbers mean in a family of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Scheme {
    /// `v1.2.0`.
    Version,
    /// `2026.11.3`, `20261103.1`: a year outranks every version, and says nothing about it.
    Calendar,
    /// `build-7`: a number alone.
    Number,
}

/// Names that one person counting writes: what stands before the numbers, and what those are.
pub(super) type Family = (Box<str>, Scheme);

/// A release's name, read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) family: Family,
    pub(super) version: Version,
    /// The numbers without zeros at their end, which say nothing.
    pub(super) numbers: Vec<u64>,
    /// What follows the numbers, part by part, platforms left out.
    parts: Vec<Box<str>>,
}

/// Words for what comes before a release, and for the release itself.
const BEFORE: [&str; 16] = [
    "a",
    "alpha",
    "b",
    "beta",
    "canary",
    "cr",
    "dev",
    "ea",
    "m",
    "milestone",
    "next",
    "nightly",
    "pre",
    "preview",
    "rc",
    "snapshot",
];
const ITSELF: [&str; 4] = ["final", "ga", "release", "stable"];

impl Reading {
    /// None for what is neither a version nor a number: a commit's hash, a branch.
    pub(super) fn parse(label: &str) -> Option<Self> {
        let label = &dotted(label);
        let version = Version::read(label)?;
        let (start, end) = version.span;
        let parts: Vec<&str> = label[end..].split(SEPARATORS).filter(|part| !part.is_empty()).collect();
        let before = |at: usize| at.checked_sub(1).map(|at| parts[at]);
        let named = parts.iter().enumerate().filter(|(at, part)| !is_platform(part, before(*at)));
        let parts: Vec<Box<str>> = named.map(|(_, part)| part.to_ascii_lowercase().into()).collect();
        let scheme = match version.numbers.first() {
            Some(first) if version.conventional && is_calendar(*first) => Scheme::Calendar,
            _ if version.conventional => Scheme::Version,
            // A date is its own version where nothing stands in front of it.
            Some(first) if parts.is_empty() && start == 0 && is_date(*first) => Scheme::Calendar,
            // Seconds since 1970, or a count of pipelines that has come as far: a hash is seldom of ten digits.
            Some(first) if parts.is_empty() && is_ten_digits(*first) => Scheme::Number,
            // A hash may have no letter in it, and a number of its length is as likely one, unless it is a date.
            Some(first) if parts.is_empty() && (end - start < 7 || is_calendar(*first)) => Scheme::Number,
            _ => return None,
        };
        let mut numbers = version.numbers.clone();
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Some(Self { family: (prefix(&label[..start]), scheme), version, numbers, parts })
    }

    /// Where it stands among releases of the same numbers. `digits` are places and lengths at which others of them have
    /// hashes, so that digits there are one without letters.
    pub(super) fn tail(&self, hashes: &BTreeSet<(usize, usize)>) -> Tail {
        let hash = |at: usize, part: &str| is_hash(part) || hashes.contains(&(at, part.len()));
        let counted = self.parts.iter().enumerate().take_while(|(at, part)| !hash(*at, part));
        let mut counted: Vec<&str> = counted.map(|(_, part)| &**part).collect();
        let hashed = counted.len() < self.parts.len();
        counted.retain(|part| !ITSELF.contains(part));
        let word = counted.first().map(|first| first.trim_end_matches(|last: char| last.is_ascii_digit()));
        let leads = word.is_none_or(|word| BEFORE.contains(&word)) && !(hashed && counted.is_empty());
        let series = if leads { "".into() } else { counted.iter().map(|part| skeleton(part)).collect::<Box<str>>() };
        Tail { series: (leads, series), place: Suffix::new(&counted.join(".")) }
    }

    /// Where it has hashes, and of which length.
    pub(super) fn hashes(&self) -> impl Iterator<Item = (usize, usize)> {
        let hashes = self.parts.iter().enumerate().filter(|(_, part)| is_hash(part));
        hashes.map(|(at, part)| (at, part.len()))
    }
}

/// What follows the numbers: who counts there, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tail {
    /// The release with what leads to it is one series; so are `-r9` and `-r10`, with the same words and other numbers.
    pub(super) series: (bool, Box<str>),
    pub(super) place: Suffix,
}

/// The name without its commit's hash and what follows that; two names that differ only there are in no order.
pub(super) fn stem(label: &str) -> &str {
    let mut at = 0;
    for part in label.split(SEPARATORS) {
        if is_hash(part) {
            return &label[..at];
        }
        at += part.len() + 1;
    }
    label
}

/// A year, or a month, a day or a time of day written as one number.
fn is_calendar(first: u64) -> bool {
    let behind = match first.checked_ilog10() {
        Some(3) => 1,
        Some(5) => 100,
        Some(7) => 10_000,
        Some(11) => 100_000_000,
        Some(13) => 10_000_000_000,
        _ => return false,
    };
    (1980..2200).contains(&(first / behind))
}

/// A day, or a time of day, written as one number.
fn is_date(first: u64) -> bool {
    let day = match first.checked_ilog10() {
        Some(7) => first,
        Some(11) => first / 10_000,
        Some(13) => first / 1_000_000,
        _ => return false,
    };
    is_calendar(day) && (1..=12).contains(&(day / 100 % 100)) && (1..=31).contains(&(day % 100))
}

fn is_ten_digits(first: u64) -> bool {
    first.checked_ilog10() == Some(9)
}

/// A day with its parts set off by dashes or underscores is read as one with dots: `2026-11-03` is no year 2026 with a
/// suffix. Every letter keeps its place.
fn dotted(label: &str) -> Cow<'_, str> {
    let bytes = label.as_bytes();
    let number = |from: usize, most: usize| -> Option<(u64, usize)> {
        let digits = bytes.get(from..)?.iter().take_while(|digit| digit.is_ascii_digit()).count();
        let number = (1..=most).contains(&digits).then(|| label.get(from..from + digits))??;
        Some((number.parse().ok()?, from + digits))
    };
    let day_at = |at: usize| -> Option<(usize, usize)> {
        let (_, month) = number(at, 4).filter(|(year, end)| end - at == 4 && is_calendar(*year))?;
        let separator = bytes.get(month).filter(|separator| matches!(separator, b'-' | b'_'))?;
        let (_, day) = number(month + 1, 2).filter(|(month, _)| (1..=12).contains(month))?;
        bytes.get(day).filter(|other| *other == separator)?;
        number(day + 1, 2).filter(|(day, _)| (1..=31).contains(day))?;
        Some((month, day))
    };
    let starts =
        (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit() && (*at == 0 || !bytes[at - 1].is_ascii_digit()));
    // What the version begins with, and nothing behind it.
    match starts.take(1).find_map(day_at) {
        Some(at) => {
            let mut text = label.to_owned();
            for place in [at.0, at.1] {
                text.replace_range(place..=place, ".");
            }
            Cow::Owned(text)
        }
        None => Cow::Borrowed(label),
    }
}

/// What stands before the numbers, without a `v`, separators and platforms.
fn prefix(text: &str) -> Box<str> {
    let text = text.strip_suffix(['v', 'V']).unwrap_or(text);
    let separators = ['-', '.', '_', '+', '/'];
    let parts: Vec<&str> = text.split(separators).filter(|part| !part.is_empty()).collect();
    let before = |at: usize| at.checked_sub(1).map(|at| parts[at]);
    let named = parts.iter().enumerate().filter(|(at, part)| !is_platform(part, before(*at)));
    named.map(|(_, part)| part.to_ascii_lowercase()).collect::<Vec<_>>().join("-").into()
}

/// Whether a part is a commit's hash, with the `g` that `git describe` puts in front.
fn is_hash(part: &str) -> bool {
    let part = part.strip_prefix('g').unwrap_or(part);
    matches!(part.len(), 7..=64)
        && part.bytes().all(|digit| digit.is_ascii_hexdigit())
        && part.bytes().any(|digit| digit.is_ascii_alphabetic())
}

/// A part with every number in it made the same: `r9` and `r10` are `-r#`.
fn skeleton(part: &str) -> String {
    let mut shape = String::from("-");
    for letter in part.chars() {
        match letter.is_ascii_digit() {
            true if shape.ends_with('#') => {}
            true => shape.push('#'),
            false => shape.push(letter),
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_kind_are_one_family() {
        for (label, expected) in [
            ("v1.2.0", Some(("", Scheme::Version))),
            ("1.2", Some(("", Scheme::Version))),
            ("release_v3", Some(("release", Scheme::Version))),
            ("prod-1.2", Some(("prod", Scheme::Version))),
            ("amd64-1.2.0", Some(("", Scheme::Version))),
            ("2021.12.20", Some(("", Scheme::Calendar))),
            ("v20211220", Some(("", Scheme::Calendar))),
            ("202112.1", Some(("", Scheme::Calendar))),
            ("1999.4.1", Some(("", Scheme::Calendar))),
            ("1234.0.1", Some(("", Scheme::Version))),
            ("hotfix-1", Some(("hotfix", Scheme::Number))),
            ("7", Some(("", Scheme::Number))),
            ("prod-abc", None),
            ("latest", None),
            ("sha-1234567", None),
            ("1234567", None),
            ("20261123", Some(("", Scheme::Calendar))),
            ("20261323", Some(("", Scheme::Number))),
            ("build-20261123120000", Some(("build", Scheme::Number))),
            ("2026-11-03", Some(("", Scheme::Calendar))),
            ("release-2026-1-9", Some(("release", Scheme::Calendar))),
            ("2026_11_03-1", Some(("", Scheme::Calendar))),
            ("2026-13-01", None),
            ("2026-11_03", None),
            ("1700000000", Some(("", Scheme::Number))),
            ("main-1700000000", Some(("main", Scheme::Number))),
            ("3700000000", Some(("", Scheme::Number))),
            ("37000000001", None),
        ] {
            let family = Reading::parse(label).map(|read| read.family);
            let expected = expected.map(|(prefix, scheme)| (Box::from(prefix), scheme));
            assert_eq!(family, expected, "{label}");
        }
    }

    #[test]
    fn days_are_counted_however_their_parts_are_set_off() {
        for days in [
            ["2026-01-09", "2026-01-10", "2026-02-01", "2026-11-03"],
            ["release-2026-1-9", "release-2026-1-10", "release-2026-2-1", "release-2026-10-1"],
            ["v2025_12_31", "v2026_1_1", "v2026_1_2", "v2026_1_10"],
        ] {
            let read = days.map(|day| Reading::parse(day).unwrap());
            assert!(read.windows(2).all(|two| two[0].version < two[1].version), "{days:?}");
            assert!(read.windows(2).all(|two| two[0].family == two[1].family), "{days:?}");
        }
    }

    #[test]
    fn counters_count_and_hashes_do_not() {
        let tail = |label: &str| Reading::parse(label).unwrap().tail(&BTreeSet::new());
        for (older, newer) in [
            ("1.0.1-rc9", "1.0.1-rc10"),
            ("1.0.1-rc10", "1.0.1"),
            ("1.0.1-alpha.2", "1.0.1.Final"),
            ("1.25.3-debian-11-r9", "1.25.3-debian-11-r10"),
            ("4.2.0-build9", "4.2.0-build10"),
            ("4.2.0+build9", "4.2.0+build10"),
            ("4.2.0_9", "4.2.0_10"),
            ("5.4.0-20260101-ffff001", "5.4.0-20260102-0000aaa"),
            ("1.2.3-5-gffff001", "1.2.3-14-g0000aaa"),
        ] {
            let (older, newer) = (tail(older), tail(newer));
            assert_eq!(older.series, newer.series);
            assert!(older.place < newer.place, "{older:?} {newer:?}");
        }
        for (one, other) in [("5.4.0-ffff001", "5.4.0-00000aa"), ("1.0.0-rc1-ffff001", "1.0.0-rc1-eeee002")] {
            assert_eq!(tail(one), tail(other), "{one} {other}");
        }
        for (one, other) in [
            ("1.0.0", "1.0.0-hotfix1"),
            ("1.0.0", "1.0.0-1"),
            ("1.0.0", "1.0.0-alpine"),
            ("1.0.0", "1.0.0-ffff001"),
            ("1.0.0-debian-11-r9", "1.0.0-alpine-3-r9"),
        ] {
            assert_ne!(tail(one).series, tail(other).series, "{one} {other}");
        }
        let hashes = BTreeSet::from([(0, 7)]);
        let tail = |label: &str| Reading::parse(label).unwrap().tail(&hashes);
        assert_eq!(tail("5.4.0-1234567"), tail("5.4.0-7654321"), "a hash may have no letter in it");
    }

    #[test]
    fn stems_end_before_hashes() {
        for (label, expected) in
            [("main-ffff001", "main-"), ("build-12", "build-12"), ("ffff001", ""), ("a-b-0a0a0a0a-c", "a-b-")]
        {
            assert_eq!(stem(label), expected, "{label}");
        }
    }
}
