//! Which release is more recent, going by its name.

use std::cmp::Ordering;

/// A version read leniently from a tag: `1.2.3`, `v1.2`, `prod-2024.01.15`, `1.2.3-rc.1`. Semantic versioning's
/// precedence where the text is one, its natural extension where it has fewer or more numbers.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) numbers: Vec<u64>,
    suffix: Suffix,
    /// Where in the label the numbers begin, and where what follows them does.
    pub(super) span: (usize, usize),
    /// Whether anyone would call it a version: `v1` and `1.2` are, `20261123` and `7` are only numbers.
    pub(super) conventional: bool,
}

impl Version {
    /// Reads a version; `None` where the tag is something else, such as a commit hash.
    pub(super) fn read(label: &str) -> Option<Self> {
        let start = start_of_version(label)?;
        let explicit = label[..start].ends_with(['v', 'V']);
        let mut numbers = Vec::with_capacity(3);
        let mut rest = &label[start..];
        loop {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            numbers.push(rest[..digits].parse().ok()?);
            rest = &rest[digits..];
            match rest.strip_prefix('.') {
                Some(more) if more.starts_with(|next: char| next.is_ascii_digit()) => rest = more,
                _ => break,
            }
        }
        let suffix = match rest.chars().next() {
            None => Suffix::default(),
            // Build metadata has no precedence; `_` stands for `+` in tags (F142), `.Final` is Java's habit.
            Some('+' | '_' | '.') => Suffix::default(),
            Some('-') => Suffix::new(rest[1..].split(['+', '_']).next().unwrap_or_default()),
            Some(_) => return None,
        };
        let conventional = explicit || numbers.len() > 1;
        Some(Self { numbers, suffix, span: (start, label.len() - rest.len()), conventional })
    }
}

/// Where the numbers begin: at the start, after a `v`, or after a name and a separator (`prod-1.2`, `release_v3`).
fn start_of_version(label: &str) -> Option<usize> {
    let bytes = label.as_bytes();
    let after_v = |at: usize| match bytes.get(at) {
        Some(b'v' | b'V') if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => Some(at + 1),
        Some(digit) if digit.is_ascii_digit() => Some(at),
        _ => None,
    };
    after_v(0).or_else(|| {
        let separators = bytes.iter().enumerate().filter(|(_, byte)| matches!(byte, b'-' | b'_' | b'/' | b'.'));
        separators.map(|(at, _)| at + 1).find_map(after_v)
    })
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let longest = self.numbers.len().max(other.numbers.len());
        let number = |numbers: &[u64], at: usize| numbers.get(at).copied().unwrap_or(0);
        (0..longest)
            .map(|at| number(&self.numbers, at).cmp(&number(&other.numbers, at)))
            .find(|ordering| ordering.is_ne())
            .unwrap_or_else(|| self.suffix.cmp(&other.suffix))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

/// What follows the numbers after a dash. Any text is one: a build's date or hour has leading zeros, which semantic
/// versioning forbids, and is no less a version for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Suffix(Box<str>);

impl Suffix {
    pub(super) fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Its parts as semantic versioning compares them: numbers as numbers and before words, and one more part after
    /// none. It would compare words as they are spelled; here a number within one is a number, because whoever
    /// writes `rc9` and `rc10` counts. A part that it would refuse is compared the same way, which keeps one order for
    /// all of them: with another rule for some of them, three suffixes could each come before the next.
    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.0.split('.').map(|part| match part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty() {
            true => {
                let digits = part.trim_start_matches('0');
                Part::Number(digits.len(), digits)
            }
            false => Part::Word(Natural(part)),
        })
    }
}

/// Numbers of any length: by how many digits they have, then by those.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Number(usize, &'a str),
    Word(Natural<'a>),
}

/// A name that is compared with the numbers in it as numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Natural<'a>(pub(super) &'a str);

impl Ord for Natural<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        natural(self.0, other.0)
    }
}

impl PartialOrd for Natural<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Suffix {
    fn cmp(&self, other: &Self) -> Ordering {
        // The release itself comes after everything that leads to it.
        let leads_to_it = |suffix: &Self| !suffix.0.is_empty();
        leads_to_it(other).cmp(&leads_to_it(self)).then_with(|| self.parts().cmp(other.parts()))
    }
}

impl PartialOrd for Suffix {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Suffix {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Suffix {}

/// Compares names with runs of digits as numbers, so that `build-10` comes after `build-9`. Total: names that differ
/// never compare equal.
pub(super) fn natural(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left.as_bytes(), right.as_bytes());
    loop {
        let (Some(x), Some(y)) = (a.first(), b.first()) else {
            return a.len().cmp(&b.len()).then_with(|| left.cmp(right));
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (number_a, rest_a) = split_number(a);
            let (number_b, rest_b) = split_number(b);
            let ordering = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
            if ordering.is_ne() {
                return ordering;
            }
            (a, b) = (rest_a, rest_b);
        } else if x == y {
            (a, b) = (&a[1..], &b[1..]);
        } else {
            return x.cmp(y);
        }
    }
}

/// The digits at the start without leading zeros, and what follows them.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let zeros = text[..digits].iter().take_while(|byte| **byte == b'0').count();
    (&text[zeros..digits], &text[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_order_as_people_read_them() {
        let ascending = [
            "0.9",
            "v1.0.0-alpha.1",
            "1.0.0-alpha.2",
            "v1.0.0-rc.1",
            "v1.0.0-rc9",
            "v1.0.0-rc10",
            "v1.0.0",
            "1.0.1",
            "prod-1.2",
            "v1.9.0",
            "release_v1.10.0",
            "1.10.0.1",
            "2024.01.15",
            "2024.1.16",
        ];
        for pair in ascending.windows(2) {
            let (a, b) = (Version::read(pair[0]).unwrap(), Version::read(pair[1]).unwrap());
            assert!(a < b, "{} should come before {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn suffixes_that_semantic_versioning_refuses_are_versions_all_the_same() {
        for ascending in [
            vec!["1.2.3-007", "1.2.3-8", "1.2.3-010", "1.2.3-11", "1.2.3-rc.01", "1.2.3-rc.2", "1.2.3"],
            vec!["v1.4.0-01", "v1.4.0-2", "v1.4.0-99999999999999999999999", "v1.4.0-rc.1", "v1.4.0-rc..1"],
            vec!["2026.11.20-10", "2026.11.20-11", "2026.11.23-08", "2026.11.23-09"],
            vec!["1.0-ä", "1.0-", "1.0.1"],
        ] {
            for pair in ascending.windows(2) {
                let (a, b) = (Version::read(pair[0]).unwrap(), Version::read(pair[1]).unwrap());
                assert!(a < b, "{} should come before {}", pair[0], pair[1]);
            }
        }
    }

    proptest! {
        #[test]
        fn any_suffix_has_one_place(labels in prop::collection::vec("v?[0-2](\\.[0-2]){0,2}(-[0-9a-b.@-]{0,5})?", 3)) {
            let versions: Vec<Version> = labels.iter().map(|label| Version::read(label).unwrap()).collect();
            let [a, b, c] = &versions[..] else { unreachable!() };
            prop_assert_eq!(a.cmp(b), b.cmp(a).reverse());
            prop_assert_eq!(a == b, a.cmp(b).is_eq());
            if a <= b && b <= c {
                prop_assert!(a <= c, "{} {} {}", labels[0], labels[1], labels[2]);
            }
            if a == b {
                prop_assert_eq!(a.cmp(c), b.cmp(c));
            }
        }

        /// All but words with numbers in them, which it compares as they are spelled.
        #[test]
        fn semantic_versions_have_semantic_versionings_precedence(
            labels in prop::collection::vec(
                "(0|[1-9][0-9]?)\\.[0-2]\\.[0-2](-([0-9]{1,3}|[a-b-]{1,3})(\\.([0-9]{1,2}|[a-b-]{1,3})){0,2})?",
                2,
            ),
        ) {
            let Ok(theirs) = labels.iter().map(|label| semver::Version::parse(label)).collect::<Result<Vec<_>, _>>() else {
                return Ok(());
            };
            let ours: Vec<Version> = labels.iter().map(|label| Version::read(label).unwrap()).collect();
            prop_assert_eq!(ours[0].cmp(&ours[1]), theirs[0].cmp_precedence(&theirs[1]), "{:?}", labels);
        }
    }

    #[test]
    fn what_is_no_version_is_not_read_as_one() {
        for label in ["latest", "4f3c2d1", "sha-4f3c2d1", "v", "prod", "v1x", "99999999999999999999999"] {
            assert_eq!(Version::read(label), None, "{label}");
        }
    }

    #[test]
    fn names_compare_with_numbers_as_numbers() {
        for (less, more) in
            [("build-9", "build-10"), ("a", "b"), ("a", "a1"), ("r-007", "r-8"), ("2026-09-30", "2026-10-01")]
        {
            assert_eq!(natural(less, more), Ordering::Less);
            assert_eq!(natural(more, less), Ordering::Greater);
        }
        assert_ne!(natural("a01", "a1"), Ordering::Equal);
    }
}
